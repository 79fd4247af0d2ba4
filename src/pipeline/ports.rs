//! What the pipeline needs of a log and of a store of snapshots: the boundary between the engine
//! and the world.
//!
//! Two implementations live behind [`Broker`]: the real one (`kafka`) and the in-memory one
//! (`testing`), which the demo and the tests run on. All calls are made on the worker's thread.
//! None may block for longer than its documented bound; whatever takes longer is asked for in one
//! turn and taken in a later one. Absent on purpose: retries (a failed transaction is never
//! retried in place; the worker drops state and opens again) and any knowledge of shards' state.

use std::time::Duration;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::wire::identity::TopicId;

mod store;

pub use store::{EachSnapshotRecord, SnapshotLog, SnapshotStore, StoreError};

/// One input partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputPartition {
    /// The input topic.
    pub topic: Topic,
    /// The partition number.
    pub shard: ShardNo,
}

pub use super::topic_names::TopicNames;
pub use crate::wire::Header;

/// Gives a record's headers when they are wanted, which is only for dead letters.
pub trait Headers {
    /// All headers, in order, bytes untouched.
    fn to_vec(&self) -> Vec<Header>;
}

/// A record as it was read; valid only during the callback that is given it.
#[derive(Clone, Copy)]
pub struct RawRecord<'a> {
    /// Its offset.
    pub offset: Offset,
    /// Its Kafka timestamp, in ms since the epoch; `None` where the log has none.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a dyn Headers,
}

/// What happened to the worker's membership in the group since the last call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// This is now the whole set of shards that the worker has: all four partitions of each.
    /// Reading of each starts paused, or goes on where it was for a partition that was kept.
    Assigned(Vec<ShardNo>),
    /// All shards were taken; an `Assigned` may follow. `lost`: the group moved on without us.
    Revoked {
        /// Whether another member may already own them.
        lost: bool,
    },
}

/// The ends of an input partition as its leader stated them after it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The last stable offset: what a `read_committed` reader may reach.
    pub stable: NextOffset,
    /// The high watermark.
    pub high: NextOffset,
}

/// What a cluster says of an input topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InputTopic {
    /// How many partitions it has; 0 where it does not exist.
    pub partitions: u32,
    /// Its id; `None` where the cluster gives none.
    pub id: Option<TopicId>,
}

/// What the group has committed for a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedShard {
    /// The four next offsets, in the order of [`Topic::ALL`].
    pub next: [NextOffset; 4],
    /// The number of the progress record of the same transaction (from the commit metadata).
    pub progress: u64,
}

/// How a step of reading a progress partition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadStep {
    /// There is, or may be, more; call again in a later turn.
    More,
    /// The end that was stable when reading began is reached.
    End,
}

/// The output topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutTopic {
    /// Alerts.
    Alerts,
    /// Standings, compacted.
    Status,
    /// Dead letters.
    DeadLetters,
    /// Progress records.
    Progress,
    /// Advice, compacted.
    Advice,
}

impl OutTopic {
    /// All output topics. Headers of progress records hold their places: new ones come last.
    pub const ALL: [Self; 5] =
        [Self::Alerts, Self::Status, Self::DeadLetters, Self::Progress, Self::Advice];

    /// The role's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alerts => "alerts",
            Self::Status => "status",
            Self::DeadLetters => "dead_letters",
            Self::Progress => "progress",
            Self::Advice => "advice",
        }
    }
}

/// A record to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutRecord {
    /// Where to.
    pub topic: OutTopic,
    /// To which partition; `None` leaves it to the murmur2 partitioner and the key.
    pub partition: Option<ShardNo>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
    /// Its timestamp in ms since the epoch; `None` is the time of sending.
    pub timestamp_ms: Option<i64>,
}

/// The group offsets of one shard that a transaction commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardOffsets {
    /// The shard.
    pub shard: ShardNo,
    /// The four next offsets, in the order of [`Topic::ALL`].
    pub next: [NextOffset; 4],
    /// The number of the shard's progress record in this transaction; goes into the metadata.
    pub progress: u64,
}

/// One transaction: all of it becomes visible, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// What is written.
    pub records: Vec<OutRecord>,
    /// What is committed for the group, one entry per shard that moved.
    pub offsets: Vec<ShardOffsets>,
    /// If set, the transaction holds a decision that was taken by the clock: it must be refused
    /// with [`CommitError::ClockSkew`] when the broker's clock is found, before the commit, to
    /// differ from ours by more than this many ms.
    pub max_clock_skew_ms: Option<i64>,
}

impl Batch {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.offsets.is_empty()
    }
}

/// What a commit told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Our clock minus the broker's, in ms, where the broker stated its own.
    pub clock_skew_ms: Option<i64>,
    /// How long the transaction took.
    pub took: Duration,
}

/// Why a source call failed, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is known yet (a time-out, or the old owner's transaction is still open): ask again.
    #[error("not ready: {0}")]
    NotReady(String),
    /// The broker cannot be reached now: back off and go on.
    #[error("the broker is unreachable: {0}")]
    Unavailable(String),
    /// The shard cannot go on; the message names the partition, the offset and the remedy.
    #[error("{0}")]
    Stop(String),
    /// The log does not have the position from which reading must go on.
    #[error("{0}")]
    Lost(String),
    /// Refused: authentication or authorisation.
    #[error("refused by the broker: {0}")]
    Refused(String),
    /// A newer instance with the same identity took over.
    #[error("fenced by a newer instance: {0}")]
    Fenced(String),
    /// The client is broken for good.
    #[error("the Kafka client failed for good: {0}")]
    Fatal(String),
}

/// Why a transaction did not commit, by what the caller does next. In every case the producer
/// must not be used again before [`Broker::reconnect`].
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Drop the shards of the batch, back off, reconnect, open them again.
    #[error("the transaction failed at {stage} and its shards start again: {cause}")]
    Restart {
        /// Which call failed: begin, send, offsets, flush, commit.
        stage: &'static str,
        /// The client's own words.
        cause: String,
    },
    /// A decision by the clock was refused; drop and open again as above.
    #[error("the clock differs from the broker's by {skew_ms} ms, so no decision may be taken")]
    ClockSkew {
        /// Our clock minus the broker's, in ms.
        skew_ms: i64,
    },
    /// A newer instance with the same transactional id took over: end with exit code 75.
    #[error("fenced by a newer instance with the same transactional id: {0}")]
    Fenced(String),
    /// Refused: authentication or authorisation. End with exit code 77.
    #[error("refused by the broker: {0}")]
    Refused(String),
    /// A record that can never be written; names topic and size. End with exit code 70.
    #[error("{0}")]
    Impossible(String),
}

/// A cluster as one worker sees it: a group member's source and a transactional sink.
pub trait Broker {
    /// Serves the group (callbacks run in here) and appends what happened. Called only when
    /// nothing is uncommitted. Blocks for at most a few milliseconds.
    ///
    /// # Errors
    /// As [`SourceError`] says; `Unavailable` is informational.
    fn poll_group(&mut self, events: &mut Vec<GroupEvent>) -> Result<(), SourceError>;

    /// Starts or moves reading of an assigned partition to a position.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    fn seek(&mut self, partition: InputPartition, from: NextOffset) -> Result<(), SourceError>;

    /// Hands over at most `max` records that have already arrived, in offset order; never waits.
    /// Returns how many there were.
    ///
    /// # Errors
    /// `Lost` where the log does not have our position (retention, truncation, another topic); it
    /// stays so until the partition is sought again.
    fn read(
        &mut self,
        partition: InputPartition,
        max: usize,
        each: &mut dyn FnMut(RawRecord<'_>),
    ) -> Result<usize, SourceError>;

    /// Whether nothing is waiting and the position is at the last known end of the log (cheap;
    /// what the client already knows, which may be old: no evidence of idleness).
    fn is_at_log_end(&mut self, partition: InputPartition) -> bool;

    /// The position after everything that was read or skipped over (control records, aborted
    /// transactions); `None` before the first fetch answered.
    fn position(&mut self, partition: InputPartition) -> Option<NextOffset>;

    /// The last known end of a partition's log, from what was fetched last: for metrics of lag.
    fn known_end(&mut self, partition: InputPartition) -> Option<NextOffset>;

    /// Asks the leaders for the present ends of partitions of a shard; at most one question about a
    /// shard is open at a time, a second one replaces it. Does not block. All partitions of a
    /// question are answered together, and later than asked if a leader had to be asked again.
    fn ask_ends(&mut self, shard: ShardNo, partitions: &[InputPartition]);

    /// Takes the answers that have arrived to the last [`Broker::ask_ends`] of each shard, each
    /// once.
    fn take_ends(&mut self, answers: &mut Vec<(InputPartition, Ends)>);

    /// The first offset and the last stable offset of a partition. Blocks for at most a second.
    ///
    /// # Errors
    /// `NotReady` on a time-out.
    fn log_bounds(
        &mut self,
        partition: InputPartition,
    ) -> Result<(NextOffset, NextOffset), SourceError>;

    /// What the cluster says of the four inputs now, in the order of [`Topic::ALL`]. Blocks for at
    /// most a second.
    ///
    /// # Errors
    /// `NotReady` on a time-out.
    fn describe_inputs(&mut self) -> Result<[InputTopic; 4], SourceError>;

    /// What the group has committed for a shard, read so that an old owner's open transaction is
    /// waited for; `None` if nothing. Blocks for at most a second.
    ///
    /// # Errors
    /// `NotReady` on a time-out: the old owner's transaction may still be open.
    fn committed(&mut self, shard: ShardNo) -> Result<Option<CommittedShard>, SourceError>;

    /// Reads on in a shard's progress partition (`read_committed`, from its start, or from an
    /// offset if reading begins with this call): hands over at most `max` values in order. Does
    /// not wait for records. After `End`, and after a `Revoked`, the next call starts anew.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    fn read_progress(
        &mut self,
        shard: ShardNo,
        from: Option<Offset>,
        max: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<ReadStep, SourceError>;

    /// The offset of the progress record of a shard in the last transaction that this connection
    /// committed for it; `None` if there was none.
    fn progress_offset(&self, shard: ShardNo) -> Option<Offset>;

    /// Commits one transaction with the present group generation. Blocks until the outcome is
    /// known or given up.
    ///
    /// # Errors
    /// As [`CommitError`] says.
    fn commit(&mut self, batch: &Batch) -> Result<Receipt, CommitError>;

    /// Replaces the transactional producer (which aborts whatever the old one left open, and
    /// completes what a broker committed in part). Blocks for at most some seconds.
    ///
    /// # Errors
    /// As [`SourceError`] says.
    fn reconnect(&mut self) -> Result<(), SourceError>;

    /// Whether the broker seems to have lost the end of the last transaction, so that readers do
    /// not see what was committed: reconnect then, which completes it. Called only when nothing is
    /// uncommitted; does not block.
    fn has_lost_an_end(&mut self) -> bool {
        false
    }

    /// Our clock minus the broker's, in ms, as the last commit or reconnect found it; `None` if
    /// the broker has not stated its own yet.
    fn clock_skew_ms(&self) -> Option<i64>;

    /// Sleeps until a record, a group event or an answer may have arrived, or the time is over.
    fn wait(&mut self, timeout: Duration);

    /// The largest value in bytes that an output topic takes, headers and key included.
    fn max_record_bytes(&self, topic: OutTopic) -> usize;

    /// Leaves the group and closes. Nothing is committed by it.
    fn close(&mut self);
}
