//! The in-memory broker as one worker sees it.
//!
//! Invariants: it knows of the logs only what a client would (the end of a log as of its last
//! fetch, an assignment as of its last poll), so that stale knowledge shows; it reads
//! `read_committed`; after a failed commit it refuses to commit until it reconnects. Misuse that no
//! broker can answer (reading what is not assigned) is a bug of the worker and panics. Absent on
//! purpose: background threads; fetching happens in `read` and `poll_group`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::group::{MemberId, Standing};
use super::log::StoredRecord;
use super::redo::{Last, start_producer};
use super::state::{ClusterConfig, LogName, State, out_index};
use super::transactions::{Committer, number_of};
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{
    Batch, Broker, CommitError, CommittedShard, Ends, GroupEvent, InputPartition, InputTopic,
    OutTopic, RawRecord, ReadStep, Receipt, SourceError,
};

/// How reading of one assigned partition stands.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    /// Where the next fetch starts; `None` while paused after an assignment.
    next: Option<i64>,
    /// Whether a fetch has answered since the last seek.
    fetched: bool,
    /// The last stable offset as the last fetch stated it.
    known_end: i64,
    /// The leader epoch of the last fetch: a later one is asked what it has of the log.
    epoch: Option<usize>,
}

/// A question for ends that was sent.
#[derive(Debug)]
struct Question {
    partitions: Vec<InputPartition>,
    /// What the leaders answered; `None` while one of them is away.
    answers: Option<Vec<(InputPartition, Ends)>>,
    polls_left: u32,
}

/// One worker's connection to a [`Cluster`].
#[derive(Debug)]
pub struct MemoryBroker {
    cluster: Cluster,
    name: String,
    max_record_bytes: usize,
    answer_after_polls: u32,
    wait_blocks: bool,
    epoch: u32,
    id: MemberId,
    generation: i32,
    assigned: Vec<ShardNo>,
    readers: BTreeMap<InputPartition, Reader>,
    questions: BTreeMap<ShardNo, Question>,
    progress: BTreeMap<ShardNo, (i64, i64)>,
    written: BTreeMap<ShardNo, Offset>,
    last: Option<Last>,
    /// When the latest transaction of the id says that it began.
    latest: i64,
    needs_reconnect: bool,
    closed: bool,
    clock_ms: Option<i64>,
    seen_version: u64,
}

impl MemoryBroker {
    pub(super) fn new(
        cluster: Cluster,
        name: String,
        config: ClusterConfig,
        epoch: u32,
        id: MemberId,
    ) -> Self {
        Self {
            cluster,
            name,
            max_record_bytes: config.max_record_bytes,
            answer_after_polls: config.answer_after_polls.max(1),
            wait_blocks: config.wait_blocks,
            epoch,
            id,
            generation: -1,
            assigned: Vec::new(),
            readers: BTreeMap::new(),
            questions: BTreeMap::new(),
            progress: BTreeMap::new(),
            written: BTreeMap::new(),
            last: None,
            latest: 0,
            needs_reconnect: false,
            closed: false,
            clock_ms: None,
            seen_version: 0,
        }
    }

    /// Gives this worker's machine a clock of its own; without one it has the broker's.
    pub fn set_clock_ms(&mut self, clock_ms: i64) {
        self.clock_ms = Some(clock_ms);
    }

    /// Notes what was committed before it was there, and when the latest of its id began.
    pub(super) fn set_last(&mut self, last: Option<Last>, latest: i64) {
        (self.last, self.latest) = (last, latest);
    }

    /// The shards that this worker has, as far as it knows.
    #[must_use]
    pub fn assigned(&self) -> &[ShardNo] {
        &self.assigned
    }

    fn reader(&mut self, partition: InputPartition) -> &mut Reader {
        self.readers
            .get_mut(&partition)
            .unwrap_or_else(|| panic!("{partition:?} is used without being assigned"))
    }

    fn forget_assignment(&mut self) {
        self.assigned.clear();
        self.readers.clear();
        self.questions.clear();
    }

    fn take_assignment(&mut self, state: &State, events: &mut Vec<GroupEvent>) {
        self.generation = state.group.generation();
        self.assigned = state.group.shards_of(&self.name);
        self.readers = self
            .assigned
            .iter()
            .flat_map(|shard| partitions_of(*shard))
            .map(|partition| (partition, Reader::default()))
            .collect();
        events.push(GroupEvent::Assigned(self.assigned.clone()));
    }

    /// One step of the group's protocol; returns whether the group may have changed by it.
    fn step_group(
        &mut self,
        state: &mut State,
        events: &mut Vec<GroupEvent>,
    ) -> Result<bool, SourceError> {
        match state.group.standing(&self.name, self.id) {
            Standing::Fenced => {
                Err(SourceError::Fenced(format!("a newer member has the static id {}", self.name)))
            }
            Standing::Unknown => {
                self.revoke(true, events);
                self.id = state.group.join(&self.name);
                Ok(true)
            }
            Standing::MustRejoin => {
                self.revoke(false, events);
                state.group.rejoin(&self.name);
                if state.group.is_stable() {
                    self.take_assignment(state, events);
                }
                Ok(true)
            }
            Standing::Waiting => Ok(false),
            Standing::Stable => {
                if self.generation != state.group.generation() {
                    self.take_assignment(state, events);
                }
                Ok(false)
            }
        }
    }

    fn revoke(&mut self, lost: bool, events: &mut Vec<GroupEvent>) {
        // Even an empty assignment is revoked, as long as there was one.
        if self.generation >= 0 {
            events.push(GroupEvent::Revoked { lost });
        }
        self.generation = -1;
        self.forget_assignment();
    }

    /// What background fetching would have learnt by now: how far each log can be read.
    fn refresh_ends(&mut self, state: &State) {
        for (partition, reader) in &mut self.readers {
            if reader.next.is_some() && !state.held.contains(partition) {
                reader.known_end = state.log(LogName::Input(*partition)).stable();
                reader.fetched = true;
            }
        }
    }

    fn pass_a_poll(&mut self) {
        for question in self.questions.values_mut() {
            question.polls_left = question.polls_left.saturating_sub(1);
        }
    }

    /// Whether a turn would find something to do, as far as the cluster knows.
    fn has_something(&self, state: &State) -> bool {
        if state.stopped {
            return false;
        }
        let answered = !self.questions.is_empty();
        let group = match state.group.standing(&self.name, self.id) {
            Standing::Stable => self.generation != state.group.generation(),
            Standing::Waiting => false,
            Standing::MustRejoin | Standing::Unknown | Standing::Fenced => true,
        };
        let unread = |(partition, reader): (&InputPartition, &Reader)| {
            !state.held.contains(partition)
                && reader
                    .next
                    .is_some_and(|next| next < state.log(LogName::Input(*partition)).stable())
        };
        answered || group || self.readers.iter().any(unread)
    }
}

impl Broker for MemoryBroker {
    fn poll_group(&mut self, events: &mut Vec<GroupEvent>) -> Result<(), SourceError> {
        assert!(!self.closed, "a closed member is polled");
        let cluster = self.cluster.clone();
        let mut state = cluster.lock();
        if state.stopped || state.coordinator_away {
            return Err(SourceError::Unavailable(STOPPED.to_owned()));
        }
        let changed = self.step_group(&mut state, events)?;
        self.refresh_ends(&state);
        self.pass_a_poll();
        drop(state);
        if changed {
            cluster.change(|_| ());
        }
        Ok(())
    }

    fn seek(&mut self, partition: InputPartition, from: NextOffset) -> Result<(), SourceError> {
        *self.reader(partition) = Reader { next: Some(from.get()), ..Reader::default() };
        Ok(())
    }

    fn read(
        &mut self,
        partition: InputPartition,
        max: usize,
        each: &mut dyn FnMut(RawRecord<'_>),
    ) -> Result<usize, SourceError> {
        let cluster = self.cluster.clone();
        let reader = self.reader(partition);
        let Some(next) = reader.next else {
            return Ok(0);
        };
        let state = cluster.lock();
        if state.stopped || state.held.contains(&partition) {
            return Ok(0);
        }
        let log = state.log(LogName::Input(partition));
        if !(log.start()..=log.end()).contains(&next) {
            let (topic, start, end) = (partition.topic.as_str(), log.start(), log.end());
            return Err(SourceError::Lost(format!(
                "{topic} partition {} has offsets {start} to {end}, but offset {next} comes next: \
                 records were deleted before they were read",
                partition.shard
            )));
        }
        if let Some(end) = reader.epoch.map(|epoch| log.end_of_epoch(epoch))
            && end < next
        {
            let (topic, shard) = (partition.topic.as_str(), partition.shard);
            return Err(SourceError::Lost(format!(
                "{topic} partition {shard} was cut short: a new leader has the log only up to \
                 offset {end}, and offset {next} comes next"
            )));
        }
        let slice = log.read_committed(next, max);
        let (known_end, epoch) = (log.stable(), Some(log.leader_epoch()));
        drop(state);
        *reader = Reader { next: Some(slice.next), fetched: true, known_end, epoch };
        // Outside the lock, so that the callback may use the cluster.
        for record in &slice.records {
            each(record.raw());
        }
        Ok(slice.records.len())
    }

    fn is_at_log_end(&mut self, partition: InputPartition) -> bool {
        let reader = *self.reader(partition);
        reader.fetched && reader.next.is_some_and(|next| next >= reader.known_end)
    }

    fn position(&mut self, partition: InputPartition) -> Option<NextOffset> {
        let reader = *self.reader(partition);
        reader.next.filter(|_| reader.fetched).map(NextOffset::stated)
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        let cluster_ms = self.cluster.clock_ms();
        Some(self.clock_ms.unwrap_or(cluster_ms).saturating_sub(cluster_ms))
    }

    fn known_end(&mut self, partition: InputPartition) -> Option<NextOffset> {
        let reader = *self.reader(partition);
        reader.fetched.then(|| NextOffset::stated(reader.known_end))
    }

    fn ask_ends(&mut self, shard: ShardNo, partitions: &[InputPartition]) {
        let answers = self.cluster.lock().ends(partitions);
        let (partitions, polls_left) = (partitions.to_vec(), self.answer_after_polls);
        self.questions.insert(shard, Question { partitions, answers, polls_left });
    }

    fn take_ends(&mut self, answers: &mut Vec<(InputPartition, Ends)>) {
        let state = self.cluster.lock();
        if state.stopped {
            return;
        }
        let answer_after_polls = self.answer_after_polls;
        self.questions.retain(|_, question| {
            if question.answers.is_none() {
                question.answers = state.ends(&question.partitions);
                question.polls_left = answer_after_polls;
                return true;
            }
            if question.polls_left == 0 {
                answers.extend(question.answers.take().into_iter().flatten());
            }
            question.polls_left > 0
        });
    }

    fn log_bounds(
        &mut self,
        partition: InputPartition,
    ) -> Result<(NextOffset, NextOffset), SourceError> {
        let state = self.cluster.lock();
        if state.stopped {
            return Err(SourceError::NotReady(STOPPED.to_owned()));
        }
        let log = state.log(LogName::Input(partition));
        Ok((NextOffset::stated(log.start()), NextOffset::stated(log.stable())))
    }

    fn describe_inputs(&mut self) -> Result<[InputTopic; 4], SourceError> {
        let state = self.cluster.lock();
        if state.stopped {
            return Err(SourceError::NotReady(STOPPED.to_owned()));
        }
        Ok(state.described())
    }

    fn committed(&mut self, shard: ShardNo) -> Result<Option<CommittedShard>, SourceError> {
        let state = self.cluster.lock();
        if state.stopped || state.coordinator_away {
            return Err(SourceError::NotReady(STOPPED.to_owned()));
        }
        if state.is_unstable(shard) {
            return Err(SourceError::NotReady(format!(
                "a transaction with offsets of shard {shard} is still open"
            )));
        }
        Ok(state.offsets.get(&shard).cloned())
    }

    fn read_progress(
        &mut self,
        shard: ShardNo,
        from: Option<Offset>,
        max: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<ReadStep, SourceError> {
        let state = self.cluster.lock();
        if state.stopped {
            return Err(SourceError::Unavailable(STOPPED.to_owned()));
        }
        let log = state.log(LogName::Output(OutTopic::Progress, shard));
        let first = from.map_or(0, Offset::get).max(log.start());
        let (next, end) = *self.progress.entry(shard).or_insert((first, log.stable()));
        let slice = log.read_committed(next.max(log.start()), max);
        drop(state);
        // What was committed behind the end of the beginning belongs to the next reading.
        let before_end = |record: &&Arc<StoredRecord>| record.offset.get() < end;
        for record in slice.records.iter().filter(before_end) {
            if let Some(value) = &record.value {
                each(value);
            }
        }
        if slice.next >= end {
            self.progress.remove(&shard);
            return Ok(ReadStep::End);
        }
        self.progress.insert(shard, (slice.next, end));
        Ok(ReadStep::More)
    }

    fn commit(&mut self, batch: &Batch) -> Result<Receipt, CommitError> {
        assert!(
            !self.needs_reconnect,
            "a commit after a failed one, without a reconnect between them"
        );
        let last = self.last.take();
        let mut latest = self.latest;
        let result = self.cluster.change(|state| {
            // As of before: trouble during the very commit counts.
            let troubles = state.troubles;
            let by = Committer {
                transactional_id: &self.name,
                epoch: self.epoch,
                instance: &self.name,
                member: self.id,
                generation: self.generation,
                assigned: &self.assigned,
                clock_ms: self.clock_ms.unwrap_or(state.clock_ms),
                began: self.clock_ms.unwrap_or(state.clock_ms).max(latest + 1),
                last: last.as_ref().and_then(|last| last.wanted(state)),
            };
            latest = by.began;
            let (receipt, written) = state.commit(by, batch)?;
            Ok((receipt, written.ends(), Last::of(written, troubles, state)))
        });
        (self.needs_reconnect, self.latest) = (result.is_err(), latest);
        let (receipt, ends, last) = result?;
        self.last = last;
        for of in &batch.offsets {
            let place = (out_index(OutTopic::Progress), number_of(of.shard));
            if let Some(end) = ends.get(&place) {
                self.written.insert(of.shard, Offset::new(end - 1));
            }
        }
        Ok(receipt)
    }

    fn progress_offset(&self, shard: ShardNo) -> Option<Offset> {
        self.written.get(&shard).copied()
    }

    fn reconnect(&mut self) -> Result<(), SourceError> {
        if self.cluster.lock().group.standing(&self.name, self.id) == Standing::Fenced {
            return Err(SourceError::Fenced(self.name.clone()));
        }
        self.last = None;
        let (epoch, last, latest) = start_producer(&self.cluster, &self.name, self.clock_ms)?;
        (self.epoch, self.last, self.latest) = (epoch, last, self.latest.max(latest));
        self.needs_reconnect = false;
        Ok(())
    }

    fn has_lost_an_end(&mut self) -> bool {
        let state = self.cluster.lock();
        let Some(last) = self.last.take_if(|_| !state.stopped) else { return false };
        if last.is_seen(&state) {
            return false;
        }
        let is_lost = last.is_lost(&state);
        drop(state);
        self.last = Some(last);
        is_lost
    }

    fn wait(&mut self, timeout: Duration) {
        let state = self.cluster.lock();
        let (seen, now) = (self.seen_version, state.version);
        self.seen_version = now;
        let at_once = self.has_something(&state) || seen != now;
        drop(state);
        if self.wait_blocks && !at_once {
            self.cluster.wait_for_change(now, timeout);
        }
        self.pass_a_poll();
    }

    fn max_record_bytes(&self, _topic: OutTopic) -> usize {
        self.max_record_bytes
    }

    fn close(&mut self) {
        if self.closed {
            return;
        }
        self.closed = true;
        self.forget_assignment();
        self.cluster.change(|state| {
            let standing = state.group.standing(&self.name, self.id);
            if !matches!(standing, Standing::Fenced | Standing::Unknown) {
                state.group.remove(&self.name);
            }
        });
    }
}

pub(super) const STOPPED: &str = "the broker does not answer";

fn partitions_of(shard: ShardNo) -> [InputPartition; 4] {
    Topic::ALL.map(|topic| InputPartition { topic, shard })
}
