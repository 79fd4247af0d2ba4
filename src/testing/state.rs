//! What the in-memory broker keeps: logs, the group and its offsets, clocks, and what is amiss.
//!
//! Absent on purpose: transactions (`transactions`), any lock (the cluster holds it) and any
//! knowledge of what records mean.

use std::collections::{BTreeMap, BTreeSet};

use super::faults::Faults;
use super::group::Group;
use super::log::{NewRecord, PartitionLog, TransactionNo};
use super::transactions::{Pending, Producer};
use crate::domain::event::Topic;
use crate::domain::ids::{Offset, ShardNo};
use crate::pipeline::ports::{CommittedShard, Ends, InputPartition, InputTopic, OutTopic};
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
    /// How long a transaction of a member may be open, in ms of the broker's clock.
    pub transaction_timeout_ms: i64,
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
            transaction_timeout_ms: 60_000,
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

/// Everything that a cluster keeps.
#[derive(Debug)]
pub(super) struct State {
    pub config: ClusterConfig,
    pub inputs: [Vec<PartitionLog>; 4],
    pub outputs: [Vec<PartitionLog>; 5],
    pub group: Group,
    pub offsets: BTreeMap<ShardNo, CommittedShard>,
    pub clock_ms: i64,
    pub stopped: bool,
    /// Whether the coordinator of the group and of the transactions is away.
    pub coordinator_away: bool,
    pub held: BTreeSet<InputPartition>,
    /// Partitions whose leader states no ends.
    pub leaderless: BTreeSet<InputPartition>,
    /// What is said of the inputs, where a test wants something else than the truth.
    pub told: Option<[InputTopic; 4]>,
    /// How often each input was made.
    pub made: [u128; 4],
    /// What goes wrong with commits.
    pub faults: Faults,
    /// How often clients met trouble with the broker.
    pub troubles: u64,
    /// Moves with everything that a waiting member may want to know.
    pub version: u64,
    /// The group offsets of transactions that were not ended there.
    pub pending: BTreeMap<TransactionNo, Vec<Pending>>,
    pub producers: BTreeMap<String, Producer>,
    /// Ends on their way: the id, its epoch then.
    pub delayed: Vec<(String, u32)>,
    /// The generation that committed last for each shard.
    pub generations: BTreeMap<ShardNo, i32>,
    pub next_transaction: u64,
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
            coordinator_away: false,
            held: BTreeSet::new(),
            leaderless: BTreeSet::new(),
            told: None,
            made: [1; 4],
            faults: Faults::default(),
            troubles: 0,
            version: 0,
            pending: BTreeMap::new(),
            producers: BTreeMap::new(),
            delayed: Vec::new(),
            generations: BTreeMap::new(),
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
}

pub(super) fn index(shard: ShardNo) -> usize {
    usize::try_from(shard.get()).expect("a partition number fits")
}

pub(super) fn out_index(topic: OutTopic) -> usize {
    OutTopic::ALL.iter().position(|of| *of == topic).expect("ALL lists every output topic")
}

/// All input partitions of a cluster, by topic, then number.
pub(super) fn input_partitions(count: u32) -> impl Iterator<Item = InputPartition> {
    Topic::ALL.into_iter().flat_map(move |topic| {
        (0..count).map(move |number| InputPartition { topic, shard: ShardNo::new(number) })
    })
}
