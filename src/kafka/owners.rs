//! The last progress records of some shards, looked at from time to time: who has which shard.
//!
//! Invariant: what is read is committed. Of each partition only what stands just before its end is
//! read, and only where the end has moved. Absent on purpose: what the records say.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::SourceError;

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::ffi::Wake;
use super::group::partition_of;
use super::replay::spans_within;
use super::settings::KafkaConfig;

/// How far before its end a partition is read: some records, each with the end of its transaction.
const BACK: i64 = 32;

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait for more at a time.
const NAP: Duration = Duration::from_millis(20);

/// Records handed over in one step.
const AT_ONCE: usize = 64;

/// What the fetch queues may hold, in KiB.
const QUEUE_KBYTES: u32 = 4_096;

/// A view of the ends of the progress topic.
pub struct ProgressTails {
    reader: Reader<ShardNo>,
    wake: Arc<Wake>,
    topic: String,
    /// The ends up to which partitions were read.
    seen: BTreeMap<ShardNo, NextOffset>,
}

impl std::fmt::Debug for ProgressTails {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ProgressTails").field("topic", &self.topic).finish_non_exhaustive()
    }
}

impl ProgressTails {
    /// Makes the client.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn connect(config: &KafkaConfig, partitions: u32) -> Result<Self, SourceError> {
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let wake = Arc::new(wake);
        let config = KafkaConfig { queue_memory_kbytes: QUEUE_KBYTES, ..config.clone() };
        let witness = Witness::new("owners", config.secrets());
        let reader = Reader::new(&config.reader(partitions)?, witness, &wake)?;
        let topic = config.topics.progress.clone();
        Ok(Self { reader, wake, topic, seen: BTreeMap::new() })
    }

    /// Hands over the last values of some shards, those of each in their order, where there are new
    /// ones. Takes a few seconds at most.
    ///
    /// # Errors
    /// What kept them from being read.
    pub fn look(
        &mut self,
        shards: &[ShardNo],
        each: &mut dyn FnMut(ShardNo, &[u8]),
    ) -> Result<(), SourceError> {
        self.reader.serve();
        let topic = self.topic.clone();
        let asked: Vec<(ShardNo, &str, i32)> =
            shards.iter().map(|shard| (*shard, topic.as_str(), partition_of(*shard))).collect();
        if asked.is_empty() {
            return Ok(());
        }
        let mut ends = BTreeMap::new();
        for span in spans_within(&self.reader, &asked, PATIENCE)? {
            let shard = span.partition;
            if span.first < span.end && self.seen.get(&shard) != Some(&span.end) {
                let from = NextOffset::stated(span.end.get() - BACK).max(span.first);
                self.reader.start(shard, &topic, partition_of(shard), from)?;
                ends.insert(shard, span.end);
            }
        }
        let result = self.read(&mut ends, each);
        for shard in ends.into_keys() {
            self.reader.stop(shard)?;
        }
        result
    }

    /// Reads until every partition is at its end, which then is no more among `ends`.
    fn read(
        &mut self,
        ends: &mut BTreeMap<ShardNo, NextOffset>,
        each: &mut dyn FnMut(ShardNo, &[u8]),
    ) -> Result<(), SourceError> {
        let patience = Deadline::after(PATIENCE);
        while !ends.is_empty() && !patience.is_over() {
            self.reader.serve();
            let mut count = 0;
            for (shard, end) in ends.clone() {
                count += self.reader.read(shard, AT_ONCE, &mut |record| {
                    if let Some(value) = record.value {
                        each(shard, value);
                    }
                })?;
                if self.reader.position(shard).is_some_and(|position| position >= end) {
                    self.reader.stop(shard)?;
                    self.seen.insert(shard, end);
                    ends.remove(&shard);
                }
            }
            if count == 0 && !ends.is_empty() {
                self.wake.wait(NAP);
            }
        }
        Ok(())
    }
}
