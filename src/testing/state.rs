//! What the in-memory broker keeps, and its rules for transactions.
//!
//! Invariants: a transaction's records and group offsets become visible together or not at all;
//! a transactional id has one live epoch, and a new one aborts what the old one left open; group
//! offsets of an open transaction are not told to anybody. Absent on purpose: any lock (the
//! cluster holds it) and any knowledge of what records mean.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::group::{Group, MemberId};
use super::log::{NewRecord, PartitionLog, TransactionEnd, TransactionNo};
use crate::domain::event::Topic;
use crate::domain::ids::{Offset, ShardNo};
use crate::pipeline::ports::{
    Batch, CommitError, CommittedShard, Ends, InputPartition, InputTopic, OutRecord, OutTopic,
    Receipt,
};
use crate::sim::murmur2;
use crate::wire::identity::TopicId;

/// How an in-memory cluster is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Partitions of each of the eight topics.
    pub partitions: u32,
    /// The largest output record in bytes, key, value and headers together.
    pub max_record_bytes: usize,
    /// How many calls of `poll_group` or `wait` pass before a question for ends is answered
    /// (at least 1, so that an answer never comes within the turn of its question).
    pub answer_after_polls: u32,
    /// Whether `wait` blocks its thread; tests that drive everything on one thread say no.
    pub wait_blocks: bool,
    /// If set, records are dropped once they were appended longer ago than this and, for inputs,
    /// lie below the group's committed offsets; so a broker may run for long in bounded memory.
    pub keep_ms: Option<i64>,
}

impl ClusterConfig {
    /// A cluster for tests on one thread: nothing blocks, nothing is dropped.
    #[must_use]
    pub const fn new(partitions: u32) -> Self {
        Self {
            partitions,
            max_record_bytes: 1_048_588,
            answer_after_polls: 1,
            wait_blocks: false,
            keep_ms: None,
        }
    }
}

/// A log of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogName {
    /// An input partition.
    Input(InputPartition),
    /// An output partition.
    Output(OutTopic, ShardNo),
}

/// What goes wrong with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// The call of this name fails and the transaction is aborted at once; from `send` on, its
    /// records are in the logs as aborted ones.
    NotCommitted {
        /// begin, send, offsets, flush or commit.
        stage: &'static str,
    },
    /// The transaction is committed, but the answer is lost.
    AnswerLost,
    /// Everything is sent, but the end of the transaction is not: it stays open until the id is
    /// initialised again or the driver ends it.
    LeftOpen,
    /// A newer instance with the same transactional id took over just before.
    Fenced,
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
}

#[derive(Debug, Default)]
struct Producer {
    epoch: u32,
    open: Option<TransactionNo>,
}

/// Everything that a cluster keeps.
#[derive(Debug)]
pub(super) struct State {
    pub config: ClusterConfig,
    pub inputs: [Vec<PartitionLog>; 4],
    pub outputs: [Vec<PartitionLog>; 4],
    pub group: Group,
    pub offsets: BTreeMap<ShardNo, CommittedShard>,
    pub clock_ms: i64,
    pub stopped: bool,
    pub held: BTreeSet<InputPartition>,
    /// Partitions whose leader states no ends.
    pub leaderless: BTreeSet<InputPartition>,
    /// What is said of the inputs, where a test wants something else than the truth.
    pub told: Option<[InputTopic; 4]>,
    /// How often each input was made.
    pub made: [u128; 4],
    /// What happens to the next commits, first to come first; `None` lets one pass.
    pub faults: VecDeque<Option<CommitFault>>,
    /// Moves with everything that a waiting member may want to know.
    pub version: u64,
    unstable: BTreeMap<TransactionNo, Vec<(ShardNo, CommittedShard)>>,
    producers: BTreeMap<String, Producer>,
    next_transaction: u64,
}

/// Records dropped at most per append, so that retention never makes one call long.
const EXPIRE_PER_APPEND: usize = 4;
/// Entries of a progress partition that retention never drops; a transaction has two of them.
const PROGRESS_KEPT: i64 = 64;

impl State {
    /// The ends of input partitions, unless one of their leaders is away.
    pub fn ends(&self, partitions: &[InputPartition]) -> Option<Vec<(InputPartition, Ends)>> {
        if self.stopped || partitions.iter().any(|of| self.leaderless.contains(of)) {
            return None;
        }
        let ends = |of: &InputPartition| (*of, self.log(LogName::Input(*of)).ends());
        Some(partitions.iter().map(ends).collect())
    }

    /// What is said of the four inputs.
    pub fn described(&self) -> [InputTopic; 4] {
        let partitions = self.config.partitions;
        let made = Topic::ALL.map(|topic| {
            let place = u128::try_from(topic.index()).expect("there are four");
            Some(TopicId(self.made[topic.index()] << 64 | place))
        });
        self.told.unwrap_or_else(|| made.map(|id| InputTopic { partitions, id }))
    }

    /// Deletes an input and makes it anew, empty.
    pub fn make_anew(&mut self, topic: Topic) {
        self.made[topic.index()] += 1;
        self.version += 1;
        for log in &mut self.inputs[topic.index()] {
            *log = PartitionLog::default();
        }
    }

    pub fn new(config: ClusterConfig) -> Self {
        assert!(config.partitions > 0, "a topic has at least one partition");
        let logs = || (0..config.partitions).map(|_| PartitionLog::default());
        Self {
            config,
            inputs: std::array::from_fn(|_| logs().collect()),
            outputs: std::array::from_fn(|_| logs().collect()),
            group: Group::new(config.partitions),
            offsets: BTreeMap::new(),
            clock_ms: 0,
            stopped: false,
            held: BTreeSet::new(),
            leaderless: BTreeSet::new(),
            told: None,
            made: [1; 4],
            faults: VecDeque::new(),
            version: 0,
            unstable: BTreeMap::new(),
            producers: BTreeMap::new(),
            next_transaction: 1,
        }
    }

    pub fn log(&self, name: LogName) -> &PartitionLog {
        match name {
            LogName::Input(of) => &self.inputs[of.topic.index()][index(of.shard)],
            LogName::Output(topic, shard) => &self.outputs[out_index(topic)][index(shard)],
        }
    }

    pub fn log_mut(&mut self, name: LogName) -> &mut PartitionLog {
        match name {
            LogName::Input(of) => &mut self.inputs[of.topic.index()][index(of.shard)],
            LogName::Output(topic, shard) => &mut self.outputs[out_index(topic)][index(shard)],
        }
    }

    /// Appends to a log and lets retention drop a little of its start.
    pub fn append(
        &mut self,
        name: LogName,
        record: NewRecord,
        transaction: Option<TransactionNo>,
    ) -> Offset {
        let now_ms = self.clock_ms;
        let below = self.retained_from(name);
        let keep_ms = self.config.keep_ms;
        self.version += 1;
        let log = self.log_mut(name);
        let offset = log.append(record, transaction, now_ms);
        if let Some(keep_ms) = keep_ms {
            log.expire(now_ms.saturating_sub(keep_ms), below, EXPIRE_PER_APPEND);
        }
        offset
    }

    /// The offset below which retention may drop: for inputs what the group has passed, for the
    /// progress topic all but the newest (the last one is how a shard finds itself again).
    fn retained_from(&self, name: LogName) -> i64 {
        match name {
            LogName::Input(of) => self
                .offsets
                .get(&of.shard)
                .map_or(0, |committed| committed.next[of.topic.index()].get()),
            LogName::Output(OutTopic::Progress, _) => self.log(name).stable() - PROGRESS_KEPT,
            LogName::Output(..) => i64::MAX,
        }
    }

    pub fn begin(&mut self) -> TransactionNo {
        let number = TransactionNo(self.next_transaction);
        self.next_transaction += 1;
        number
    }

    /// Ends a transaction in every log and decides over its group offsets.
    pub fn end(&mut self, number: TransactionNo, how: TransactionEnd) {
        let now_ms = self.clock_ms;
        for log in self.inputs.iter_mut().chain(&mut self.outputs).flatten() {
            log.end_transaction(number, how, now_ms);
        }
        let offsets = self.unstable.remove(&number).unwrap_or_default();
        if how == TransactionEnd::Commit {
            self.offsets.extend(offsets);
        }
        for producer in self.producers.values_mut() {
            if producer.open == Some(number) {
                producer.open = None;
            }
        }
        self.version += 1;
    }

    /// Gives a transactional id a new epoch and aborts what the old one left open.
    pub fn init_producer(&mut self, transactional_id: &str) -> u32 {
        let producer = self.producers.entry(transactional_id.to_owned()).or_default();
        producer.epoch += 1;
        let (epoch, left_open) = (producer.epoch, producer.open.take());
        if let Some(number) = left_open {
            self.end(number, TransactionEnd::Abort);
        }
        epoch
    }

    /// The open transactions of members.
    pub fn open_commits(&self) -> Vec<TransactionNo> {
        self.producers.values().filter_map(|producer| producer.open).collect()
    }

    /// Whether an open transaction may still change what the group has committed for a shard.
    pub fn is_unstable(&self, shard: ShardNo) -> bool {
        let mut pending = self.unstable.values().flatten();
        pending.any(|(of, _)| *of == shard)
    }

    /// Runs one transaction of a member from begin to end.
    pub fn commit(&mut self, by: Committer<'_>, batch: &Batch) -> Result<Receipt, CommitError> {
        if self.stopped {
            return Err(restart("begin", "the broker does not answer"));
        }
        let fault = self.faults.pop_front().flatten();
        if fault == Some(CommitFault::Fenced) {
            self.init_producer(by.transactional_id);
        }
        let stage = match fault {
            Some(CommitFault::NotCommitted { stage }) => Some(stage),
            _ => None,
        };
        let known = self.producers.get(by.transactional_id).map(|producer| producer.epoch);
        if known != Some(by.epoch) {
            return Err(CommitError::Fenced(by.transactional_id.to_owned()));
        }
        if stage == Some("begin") {
            return Err(restart("begin", "injected"));
        }
        for record in &batch.records {
            self.check_size(record)?;
        }
        let number = self.begin();
        self.send(number, batch);
        if let Some(stage @ "send") = stage {
            return Err(self.abort(number, stage, "injected"));
        }
        if let Err(refusal) = self.check_offsets(by, batch) {
            return Err(self.abort(number, "offsets", &refusal));
        }
        let offsets = batch.offsets.iter().map(|of| {
            let (next, progress) = (of.next, of.progress);
            (of.shard, CommittedShard { next, progress })
        });
        self.unstable.insert(number, offsets.collect());
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
        if fault == Some(CommitFault::LeftOpen) {
            if let Some(producer) = self.producers.get_mut(by.transactional_id) {
                producer.open = Some(number);
            }
            return Err(restart("commit", "injected: the end was not sent"));
        }
        self.end(number, TransactionEnd::Commit);
        if fault == Some(CommitFault::AnswerLost) {
            return Err(restart("commit", "injected: the answer was lost"));
        }
        Ok(receipt)
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

    fn send(&mut self, number: TransactionNo, batch: &Batch) {
        for record in &batch.records {
            let shard = record.partition.unwrap_or_else(|| {
                let key = record.key.as_deref().unwrap_or_default();
                ShardNo::new(murmur2::partition_of(key, self.config.partitions))
            });
            let timestamp_ms = match record.topic {
                // The progress topic is created with message.timestamp.type=LogAppendTime.
                OutTopic::Progress => Some(self.clock_ms),
                _ => record.timestamp_ms.or(Some(self.clock_ms)),
            };
            let new = NewRecord {
                timestamp_ms,
                key: record.key.clone(),
                value: record.value.clone(),
                headers: record.headers.clone(),
            };
            self.append(LogName::Output(record.topic, shard), new, Some(number));
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

fn restart(stage: &'static str, cause: &str) -> CommitError {
    CommitError::Restart { stage, cause: cause.to_owned() }
}

fn index(shard: ShardNo) -> usize {
    usize::try_from(shard.get()).expect("a partition number fits")
}

fn out_index(topic: OutTopic) -> usize {
    OutTopic::ALL.iter().position(|of| *of == topic).expect("ALL lists every output topic")
}

/// All input partitions of a cluster, by topic, then number.
pub(super) fn input_partitions(count: u32) -> impl Iterator<Item = InputPartition> {
    Topic::ALL.into_iter().flat_map(move |topic| {
        (0..count).map(move |number| InputPartition { topic, shard: ShardNo::new(number) })
    })
}
