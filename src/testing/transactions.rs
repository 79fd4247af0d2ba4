//! The in-memory broker's rules for transactions.
//!
//! ```text
//! init: epoch + 1, abort ─> commit: outputs, progress with its trace, offsets ─> end ─> markers
//!            ^                                       │ left open, delayed, timed out      │ lost
//!            └───────────────────────────────────────┴────────────────────────────────────┘
//! ```
//!
//! Invariants: a transaction's records and group offsets become visible together or not at all,
//! unless markers are lost; a transactional id has one live epoch, and a new one aborts what the
//! old one left open; a marker ends all that its id has open in a partition, of whichever
//! transaction; group offsets of an open transaction are not told to anybody; for a shard no
//! generation commits behind a later one.

use std::collections::BTreeSet;
use std::time::Duration;

use super::faults::{CommitFault, mix};
use super::group::MemberId;
use super::log::{NewRecord, TransactionEnd, TransactionNo};
use super::state::{LogName, State, index, out_index};
use crate::domain::ids::{NextOffset, ShardNo};
use crate::kafka::trace::{Place, Spans, Trace, Whole};
use crate::pipeline::ports::{
    Batch, CommitError, CommittedShard, OutRecord, OutTopic, Receipt, ShardOffsets,
};
use crate::sim::murmur2;

/// A transactional id as its coordinator knows it.
#[derive(Debug)]
pub(super) struct Producer {
    pub epoch: u32,
    /// What all its transactions have in the logs: markers know no more of them.
    pub number: TransactionNo,
    /// Since when a transaction is open, in ms of the broker's clock.
    pub open_ms: Option<i64>,
}

/// Group offsets of a transaction that was not ended there.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub shard: ShardNo,
    pub committed: CommittedShard,
    /// The generation with which they were sent; none where a redo sent them.
    pub generation: Option<i32>,
}

/// The credentials with which a member commits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Committer<'a> {
    pub transactional_id: &'a str,
    pub epoch: u32,
    pub instance: &'a str,
    pub member: MemberId,
    pub generation: i32,
    pub assigned: &'a [ShardNo],
    pub clock_ms: i64,
    /// When the transaction says that it began.
    pub began: i64,
    /// Where the end of the last transaction must be seen before this one may commit.
    pub last: Option<&'a Spans>,
}

/// Which of the places that a transaction wrote to get no marker.
type Lost<'a> = &'a dyn Fn(u64) -> bool;

impl State {
    pub fn begin(&mut self) -> TransactionNo {
        let number = TransactionNo(self.next_transaction);
        self.next_transaction += 1;
        number
    }

    /// Ends a transaction in every log and decides over its group offsets.
    pub fn end(&mut self, number: TransactionNo, how: TransactionEnd) {
        self.end_but(number, how, &|_| false);
    }

    /// Ends a transaction everywhere but in some places.
    fn end_but(&mut self, number: TransactionNo, how: TransactionEnd, is_lost: Lost<'_>) {
        let now_ms = self.clock_ms;
        let mut place = 0;
        for log in self.inputs.iter_mut().chain(&mut self.outputs).flatten() {
            place += 1;
            if log.has_open(number) && !is_lost(place) {
                log.end_transaction(number, how, now_ms);
            }
        }
        // The group's offsets are in one partition: they have one marker.
        if self.pending.contains_key(&number) && !is_lost(0) {
            self.end_offsets(number, how);
        }
        for producer in self.producers.values_mut().filter(|one| one.number == number) {
            producer.open_ms = None;
        }
        self.version += 1;
    }

    fn end_offsets(&mut self, number: TransactionNo, how: TransactionEnd) {
        let pending = self.pending.remove(&number).unwrap_or_default();
        for of in pending.into_iter().filter(|_| how == TransactionEnd::Commit) {
            if let Some(generation) = of.generation {
                let last = self.generations.insert(of.shard, generation).unwrap_or(generation);
                assert!(last <= generation, "shard {}: {generation} behind {last}", of.shard);
            }
            self.offsets.insert(of.shard, of.committed);
        }
    }

    /// Gives a transactional id a new epoch and aborts what the old one left open, wherever that
    /// is: the sacrificial transaction of a start touches every partition.
    pub fn init_producer(&mut self, transactional_id: &str) -> u32 {
        if !self.producers.contains_key(transactional_id) {
            let fresh = Producer { epoch: 0, number: self.begin(), open_ms: None };
            self.producers.insert(transactional_id.to_owned(), fresh);
        }
        let producer = self.producers.get_mut(transactional_id).expect("it was just inserted");
        producer.epoch += 1;
        let (epoch, number) = (producer.epoch, producer.number);
        self.end(number, TransactionEnd::Abort);
        epoch
    }

    /// The open transactions of members.
    pub fn open_commits(&self) -> Vec<TransactionNo> {
        let open = self.producers.values().filter(|producer| producer.open_ms.is_some());
        open.map(|producer| producer.number).collect()
    }

    /// Whether an output partition has records whose transaction was not ended there.
    pub fn is_unsettled(&self) -> bool {
        self.outputs.iter().flatten().any(|log| log.stable() < log.end())
    }

    /// Whether the ends of a transaction are seen wherever it wrote.
    pub fn has_ends_of(&self, written: &Spans) -> bool {
        let seen = |((topic, partition), end): (Place, i64)| {
            let shard = ShardNo::new(u32::try_from(partition).unwrap_or(u32::MAX));
            self.log(LogName::Output(OutTopic::ALL[topic], shard)).stable() >= end
        };
        written.ends().into_iter().all(seen)
    }

    /// Aborts what has been open for too long, and fences its owner.
    pub fn time_out(&mut self) {
        let oldest = self.clock_ms.saturating_sub(self.config.transaction_timeout_ms);
        let is_due = |since: &i64| *since < oldest;
        let mut due = Vec::new();
        for producer in self.producers.values_mut() {
            if producer.open_ms.as_ref().is_some_and(is_due) {
                producer.epoch += 1;
                due.push(producer.number);
            }
        }
        for number in due {
            self.faults.count("transaction timed out");
            self.end(number, TransactionEnd::Abort);
        }
    }

    /// Delivers the ends that were on their way; those of an older epoch are refused.
    pub fn deliver_delayed(&mut self) {
        for (id, epoch) in std::mem::take(&mut self.delayed) {
            let Some(producer) = self.producers.get(&id) else { continue };
            if producer.epoch == epoch && producer.open_ms.is_some() {
                self.faults.count("delayed end accepted");
                self.end(producer.number, TransactionEnd::Commit);
            } else {
                self.faults.count("delayed end refused");
            }
        }
    }

    /// Whether an open transaction may still change what the group has committed for a shard.
    pub fn is_unstable(&self, shard: ShardNo) -> bool {
        self.pending.values().flatten().any(|of| of.shard == shard)
    }

    /// Runs one transaction of a member from begin to end. Returns what it wrote, too.
    pub fn commit(
        &mut self,
        by: Committer<'_>,
        batch: &Batch,
    ) -> Result<(Receipt, Spans), CommitError> {
        if self.stopped || self.coordinator_away {
            return Err(restart("begin", "the broker does not answer"));
        }
        let fault = self.faults.take();
        if fault == Some(CommitFault::Fenced) {
            self.init_producer(by.transactional_id);
        }
        let stage = match fault {
            Some(CommitFault::NotCommitted { stage }) => Some(stage),
            _ => None,
        };
        let number = match self.producers.get_mut(by.transactional_id) {
            Some(producer) if producer.epoch == by.epoch => producer.number,
            _ => return Err(CommitError::Fenced(by.transactional_id.to_owned())),
        };
        if stage == Some("begin") {
            return Err(restart("begin", "injected"));
        }
        for record in &batch.records {
            self.check_size(record)?;
        }
        self.open(by.transactional_id);
        let written = self.send_batch(number, by, batch);
        if let Some(stage @ "send") = stage {
            return Err(self.abort(number, stage, "injected"));
        }
        if let Err(refusal) = self.check_offsets(by, batch) {
            return Err(self.abort(number, "offsets", &refusal));
        }
        for of in &batch.offsets {
            let committed = CommittedShard { next: of.next, progress: of.progress };
            self.send_offsets(number, of.shard, committed, Some(by.generation));
        }
        if let Some(stage) = stage {
            return Err(self.abort(number, stage, "injected"));
        }
        let receipt = self.receipt(by, batch);
        if let (Some(most), Some(skew_ms)) = (batch.max_clock_skew_ms, receipt.clock_skew_ms)
            && skew_ms.saturating_abs() > most
        {
            self.end(number, TransactionEnd::Abort);
            return Err(CommitError::ClockSkew { skew_ms });
        }
        if by.last.is_some_and(|last| !self.has_ends_of(last)) {
            return Err(restart("commit", "the end of the last transaction was lost"));
        }
        self.end_commit(by.transactional_id, fault)?;
        Ok((receipt, written))
    }

    /// Ends a transaction of an id as a fault says.
    pub fn end_commit(&mut self, id: &str, fault: Option<CommitFault>) -> Result<(), CommitError> {
        let producer = self.producers.get_mut(id).expect("whoever commits was initialised");
        let (number, epoch) = (producer.number, producer.epoch);
        match fault {
            Some(CommitFault::LeftOpen) => {
                return Err(restart("commit", "injected: the end was not sent"));
            }
            Some(CommitFault::EndDelayed) => {
                self.delayed.push((id.to_owned(), epoch));
                return Err(restart("commit", "injected: the end is on its way"));
            }
            Some(CommitFault::TimedOut) => {
                producer.epoch += 1;
                return Err(self.abort(number, "commit", "injected: it took too long"));
            }
            Some(CommitFault::MarkersLost { choice, is_answered }) => {
                self.troubles += 1;
                self.end_but(number, TransactionEnd::Commit, &|place| {
                    mix(choice.wrapping_add(place)).is_multiple_of(2)
                });
                if !is_answered {
                    return Err(restart("commit", "injected: the answer was lost"));
                }
            }
            _ => self.end(number, TransactionEnd::Commit),
        }
        match fault {
            Some(CommitFault::AnswerLost) => {
                Err(restart("commit", "injected: the answer was lost"))
            }
            _ => Ok(()),
        }
    }

    /// Notes that an id has a transaction open.
    pub fn open(&mut self, id: &str) {
        let now_ms = self.clock_ms;
        if let Some(producer) = self.producers.get_mut(id) {
            producer.open_ms.get_or_insert(now_ms);
        }
    }

    /// Sends group offsets within a transaction.
    pub fn send_offsets(
        &mut self,
        number: TransactionNo,
        shard: ShardNo,
        committed: CommittedShard,
        generation: Option<i32>,
    ) {
        let pending = self.pending.entry(number).or_default();
        pending.push(Pending { shard, committed, generation });
    }

    fn check_size(&self, record: &OutRecord) -> Result<(), CommitError> {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len));
        let bytes = record.key.as_ref().map_or(0, Vec::len)
            + record.value.as_ref().map_or(0, Vec::len)
            + headers.sum::<usize>();
        if bytes <= self.config.max_record_bytes {
            return Ok(());
        }
        let (topic, most) = (record.topic.as_str(), self.config.max_record_bytes);
        Err(CommitError::Impossible(format!(
            "a record of {bytes} bytes for {topic} is larger than the topic's {most}"
        )))
    }

    fn check_offsets(&self, by: Committer<'_>, batch: &Batch) -> Result<(), String> {
        if batch.offsets.is_empty() {
            return Ok(());
        }
        let mut shards = BTreeSet::new();
        for of in &batch.offsets {
            assert!(shards.insert(of.shard), "shard {} twice in a batch", of.shard);
            if !by.assigned.contains(&of.shard) {
                return Err(format!("shard {} is not assigned", of.shard));
            }
        }
        self.group.check_commit(by.instance, by.member, by.generation).map_err(str::to_owned)
    }

    /// Writes the outputs, then the progress records, whose traces say where the outputs are.
    fn send_batch(&mut self, number: TransactionNo, by: Committer<'_>, batch: &Batch) -> Spans {
        let is_progress = |record: &&OutRecord| record.topic == OutTopic::Progress;
        let mut written = Spans::default();
        for record in batch.records.iter().filter(|record| !is_progress(record)) {
            self.send(number, record, Vec::new(), &mut written);
        }
        let shards = batch.offsets.iter().map(|of| number_of(of.shard)).collect();
        let mut whole = Some(Whole { shards, outputs: written.clone() });
        for record in batch.records.iter().filter(is_progress) {
            let of = batch.offsets.iter().find(|of| Some(of.shard) == record.partition);
            let trace = of.map(|of| trace(by, of, &mut whole).header());
            self.send(number, record, trace.into_iter().collect(), &mut written);
        }
        written
    }

    fn send(
        &mut self,
        number: TransactionNo,
        record: &OutRecord,
        more: Vec<crate::pipeline::ports::Header>,
        written: &mut Spans,
    ) {
        let shard = record.partition.unwrap_or_else(|| {
            let key = record.key.as_deref().unwrap_or_default();
            ShardNo::new(murmur2::partition_of(key, self.config.partitions))
        });
        let timestamp_ms = self.timestamp(record.topic, record.timestamp_ms);
        let (key, value) = (record.key.clone(), record.value.clone());
        let headers = record.headers.iter().cloned().chain(more).collect();
        let new = NewRecord { timestamp_ms, key, value, headers };
        let offset = self.append(LogName::Output(record.topic, shard), new, Some(number));
        written.add((out_index(record.topic), number_of(shard)), offset.get());
    }

    /// The timestamp that a log gives to a record.
    pub fn timestamp(&self, topic: OutTopic, own_ms: Option<i64>) -> Option<i64> {
        match topic {
            // The progress topic is created with message.timestamp.type=LogAppendTime.
            OutTopic::Progress => Some(self.clock_ms),
            _ => own_ms.or(Some(self.clock_ms)),
        }
    }

    fn receipt(&self, by: Committer<'_>, batch: &Batch) -> Receipt {
        let is_progress = |record: &OutRecord| record.topic == OutTopic::Progress;
        let stated = batch.records.iter().any(is_progress);
        Receipt {
            clock_skew_ms: stated.then(|| by.clock_ms.saturating_sub(self.clock_ms)),
            // Without a clock, nothing takes any time.
            took: Duration::ZERO,
        }
    }

    fn abort(&mut self, number: TransactionNo, stage: &'static str, cause: &str) -> CommitError {
        self.end(number, TransactionEnd::Abort);
        restart(stage, cause)
    }
}

fn trace(by: Committer<'_>, of: &ShardOffsets, whole: &mut Option<Whole>) -> Trace {
    Trace {
        id: by.transactional_id.to_owned(),
        began: by.began,
        number: of.progress,
        next: of.next.map(NextOffset::get),
        whole: whole.take(),
    }
}

pub(super) fn restart(stage: &'static str, cause: &str) -> CommitError {
    CommitError::Restart { stage, cause: cause.to_owned() }
}

/// A partition's number as clients have it.
pub(super) fn number_of(shard: ShardNo) -> i32 {
    i32::try_from(index(shard)).expect("a partition number in memory is small")
}
