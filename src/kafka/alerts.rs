//! The topic of alerts for the bridge: a group of its own over it, and a reader beside.
//!
//! As for a worker, the member fetches nothing (see `group`), and another client reads from exact
//! offsets (see `consumer`). Offsets are committed by the member, which the coordinator fences by
//! its generation: who lost a partition commits nothing of it any more.
//!
//! Invariant: a partition is read only once the group has an offset for it, so that a first start
//! happens once. Absent on purpose: transactions; what is delivered twice is the same twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{Offset as At, TopicPartitionList};
use tracing::debug;

use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::alert_log::{AlertLog, FirstStart, OpenedAt, ReadFrom, StoredAlert};
use crate::pipeline::ports::SourceError;

use super::client::Witness;
use super::consumer::Reader;
use super::failure::{source_error, wrapper_error};
use super::ffi::{self, Queue, Wake};
use super::group::partition_of;
use super::rebalance::{MemberContext, Note};
use super::settings::KafkaConfig;

/// How many events of the client are served in one call.
const EVENTS: u32 = 16;

/// How long a question about offsets may block the caller.
const ANSWER: Duration = Duration::from_secs(1);

/// What the fetch queues may hold, in KiB: alerts are few and small.
const QUEUE_KBYTES: u32 = 8_192;

/// The topic of alerts, read by a group of its own.
pub struct KafkaAlertLog {
    // The order of these fields is the order in which they are dropped.
    reader: Reader<ShardNo>,
    events: Queue,
    member: BaseConsumer<MemberContext>,
    topic: String,
    assigned: BTreeSet<ShardNo>,
}

impl std::fmt::Debug for KafkaAlertLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("KafkaAlertLog")
            .field("topic", &self.topic)
            .field("assigned", &self.assigned)
            .finish_non_exhaustive()
    }
}

impl KafkaAlertLog {
    /// Joins a group over the topic of alerts, which has so many partitions.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn connect(
        config: &KafkaConfig,
        group: &str,
        partitions: u32,
    ) -> Result<Self, SourceError> {
        let config = KafkaConfig {
            group: group.to_owned(),
            worker: 0,
            queue_memory_kbytes: QUEUE_KBYTES,
            ..config.clone()
        };
        let topic = config.topics.alerts.clone();
        // Nobody sleeps on it, but a reader wants one.
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let witness = Witness::new("bridge reader", config.secrets());
        let reader = Reader::new(&config.reader(partitions)?, witness, &Arc::new(wake))?;
        let context = MemberContext::new(Witness::new("bridge member", config.secrets()));
        let member: BaseConsumer<MemberContext> = config
            .member()?
            .create_with_context(context)
            .map_err(|error| wrapper_error(&error, "making the bridge's member"))?;
        let events = Queue::of_consumer(member.client().native_client())
            .ok_or_else(|| SourceError::Fatal("a consumer without a queue".to_owned()))?;
        member
            .subscribe(&[&topic])
            .map_err(|error| wrapper_error(&error, &format!("subscribing to {topic}")))?;
        Ok(Self { reader, events, member, topic, assigned: BTreeSet::new() })
    }

    fn list(&self, offsets: &[(ShardNo, NextOffset)]) -> Result<TopicPartitionList, SourceError> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (shard, next) in offsets {
            list.add_partition_offset(&self.topic, partition_of(*shard), At::Offset(next.get()))
                .map_err(|error| wrapper_error(&error, "stating offsets of alerts"))?;
        }
        Ok(list)
    }

    /// The offset that the group has for a partition.
    fn committed(&self, shard: ShardNo) -> Result<Option<NextOffset>, SourceError> {
        let what = format!("the bridge's committed offset of {}-{shard}", self.topic);
        let mut asked = TopicPartitionList::with_capacity(1);
        asked.add_partition(&self.topic, partition_of(shard));
        let answer = self
            .member
            .committed_offsets(asked, ANSWER)
            .map_err(|error| wrapper_error(&error, &what))?;
        let found = ffi::listed(&answer);
        match found.first() {
            Some(one) => match one.error {
                Some(code) => Err(source_error(code, &what, &code.to_string())),
                None => Ok(one.offset.map(NextOffset::stated)),
            },
            None => Ok(None),
        }
    }

    /// The first offset and the last stable one.
    fn bounds(&self, shard: ShardNo) -> Result<(NextOffset, NextOffset), SourceError> {
        let (first, stable) = self
            .member
            .fetch_watermarks(&self.topic, partition_of(shard), ANSWER)
            .map_err(|error| {
                wrapper_error(&error, &format!("asking for the bounds of {}-{shard}", self.topic))
            })?;
        Ok((NextOffset::stated(first), NextOffset::stated(stable)))
    }

    fn serve(&mut self) -> Result<(), SourceError> {
        self.reader.serve();
        let mut outcome = Ok(());
        for round in 0..EVENTS {
            if round > 0 && self.events.len() == 0 {
                break;
            }
            match self.member.poll(Duration::ZERO) {
                None | Some(Ok(_)) => {}
                Some(Err(error)) => match wrapper_error(&error, "serving the bridge's group") {
                    SourceError::NotReady(_) | SourceError::Unavailable(_) => {}
                    error => outcome = Err(error),
                },
            }
        }
        if let Some(refusal) = self.member.context().witness.take_refusal() {
            outcome = Err(refusal);
        }
        if let Some(refusal) = self.reader.consumer().context().take_refusal() {
            outcome = Err(refusal);
        }
        if let Some((code, words)) = self.member.client().fatal_error() {
            return Err(source_error(code, "the bridge's member", &words));
        }
        outcome
    }
}

impl AlertLog for KafkaAlertLog {
    fn poll(&mut self) -> Result<Option<BTreeSet<ShardNo>>, SourceError> {
        self.serve()?;
        let mut changed = false;
        for note in self.member.context().take() {
            changed = true;
            self.assigned = match note {
                Note::Assigned { partitions, .. } => {
                    let shard = |(_, number): &(String, i32)| u32::try_from(*number).ok();
                    partitions.iter().filter_map(shard).map(ShardNo::new).collect()
                }
                Note::Revoked { .. } => BTreeSet::new(),
                Note::Failed(error) => {
                    return Err(wrapper_error(&error, "answering a rebalance"));
                }
            };
        }
        if !changed {
            return Ok(None);
        }
        let open: Vec<ShardNo> = self.reader.keys().collect();
        for shard in open.into_iter().filter(|shard| !self.assigned.contains(shard)) {
            self.reader.stop(shard)?;
        }
        Ok(Some(self.assigned.clone()))
    }

    fn open(
        &mut self,
        shard: ShardNo,
        first_start: FirstStart,
        from: ReadFrom,
    ) -> Result<OpenedAt, SourceError> {
        let (first, stable) = self.bounds(shard)?;
        let committed = if let Some(committed) = self.committed(shard)? {
            committed
        } else {
            let start = match first_start {
                FirstStart::Latest => stable,
                FirstStart::Earliest => first,
            };
            // Written down before anything is read: the next start goes on from here.
            self.member
                .commit(&self.list(&[(shard, start)])?, CommitMode::Sync)
                .map_err(|error| wrapper_error(&error, "committing where the bridge starts"))?;
            start
        };
        let lost = u64::try_from(first.get() - committed.get()).unwrap_or(0);
        let next = committed.max(first);
        let from = match from {
            ReadFrom::Undelivered => next,
            ReadFrom::Beginning => first,
        };
        self.reader.start(shard, &self.topic, partition_of(shard), from)?;
        Ok(OpenedAt { next, lost })
    }

    fn read(
        &mut self,
        shard: ShardNo,
        most: usize,
        each: &mut dyn FnMut(StoredAlert),
    ) -> Result<usize, SourceError> {
        self.reader.read(shard, most, &mut |record| {
            // One without a value was written to complete a transaction.
            let Some(value) = record.value else { return };
            each(StoredAlert {
                shard,
                offset: record.offset,
                key: record.key.unwrap_or_default().to_vec(),
                value: value.to_vec(),
                headers: record.headers.to_vec(),
            });
        })
    }

    fn position(&mut self, shard: ShardNo) -> Option<(NextOffset, Option<u64>)> {
        let position = self.reader.position(shard)?;
        let end = self.reader.known_end(shard);
        let left = end.map(|end| u64::try_from(end.get() - position.get()).unwrap_or(0));
        Some((position, left))
    }

    fn commit(&mut self, next: &[(ShardNo, NextOffset)]) -> Result<(), SourceError> {
        if next.is_empty() {
            return Ok(());
        }
        let list = self.list(next)?;
        match self.member.commit(&list, CommitMode::Async) {
            Ok(()) => Ok(()),
            Err(error) => match wrapper_error(&error, "committing what was delivered") {
                // What is not committed is at worst delivered once more.
                SourceError::NotReady(words) | SourceError::Unavailable(words) => {
                    debug!(words, "offsets of alerts were not committed");
                    Ok(())
                }
                error => Err(error),
            },
        }
    }

    fn close(&mut self) {
        // Closing sends what was committed and not acknowledged yet, for the client's own time.
        self.member.unsubscribe();
    }
}
