//! The demo's two ways to its broker, in memory or real: records in, committed alerts out.

use super::PARTITIONS;
use crate::commands::cluster::failure_of_asking;
use crate::commands::failure::Failure;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::kafka;
use crate::pipeline::ports::{OutTopic, SourceError};
use crate::sim::{SimRecord, murmur2};
use crate::testing::{Cluster, LogName, NewRecord};

/// Alerts that are read from one partition at once.
const AT_ONCE: usize = 1_000;

/// Writes the market's records.
#[derive(Debug)]
pub enum Feed {
    Memory(Cluster),
    Kafka(Box<kafka::Feed>),
}

impl Feed {
    /// Writes one record to the partition of its key.
    pub fn send(&mut self, record: &SimRecord) -> Result<(), Failure> {
        let value = (!record.is_tombstone()).then_some(record.value.as_slice());
        let partition = murmur2::partition_of(record.key.as_bytes(), PARTITIONS);
        match self {
            Self::Memory(cluster) => {
                let new = NewRecord {
                    timestamp_ms: Some(record.timestamp_ms),
                    key: Some(record.key.clone().into_bytes()),
                    value: value.map(<[u8]>::to_vec),
                    headers: Vec::new(),
                };
                cluster.produce(record.topic, partition, new);
                Ok(())
            }
            Self::Kafka(feed) => {
                let input = kafka::InputRecord {
                    topic: record.topic,
                    partition: ShardNo::new(partition),
                    timestamp_ms: record.timestamp_ms,
                    key: record.key.as_bytes(),
                    value,
                };
                feed.send(input).map_err(|error| failure(&error))
            }
        }
    }

    /// Tells the time, and sees after what was sent. To be called often.
    pub fn serve(&mut self, wall_ms: i64) -> Result<(), Failure> {
        match self {
            Self::Memory(cluster) => {
                cluster.set_clock_ms(wall_ms);
                Ok(())
            }
            Self::Kafka(feed) => feed.serve().map_err(|error| failure(&error)),
        }
    }

    /// Waits a moment; tells whether all that was sent has arrived.
    pub fn settle(&mut self) -> Result<bool, Failure> {
        match self {
            Self::Memory(_) => Ok(true),
            Self::Kafka(feed) => feed.settle().map_err(|error| failure(&error)),
        }
    }
}

/// Reads the alerts as they are committed.
#[derive(Debug)]
pub enum Tail {
    Memory(Cluster, Vec<NextOffset>),
    Kafka(kafka::AlertTail),
}

impl Tail {
    /// The tail of a cluster in memory.
    pub fn of(cluster: Cluster) -> Self {
        let partitions = usize::try_from(PARTITIONS).expect("a few");
        Self::Memory(cluster, vec![NextOffset::stated(0); partitions])
    }

    /// Hands over the values that have arrived, by partition.
    pub fn read(&mut self, each: &mut dyn FnMut(ShardNo, &[u8])) -> Result<(), Failure> {
        match self {
            Self::Memory(cluster, next) => {
                for (shard, next) in (0..PARTITIONS).map(ShardNo::new).zip(next) {
                    let log = LogName::Output(OutTopic::Alerts, shard);
                    let (records, after) = cluster.tail(log, *next, AT_ONCE);
                    *next = after;
                    for value in records.iter().filter_map(|record| record.value.as_deref()) {
                        each(shard, value);
                    }
                }
                Ok(())
            }
            Self::Kafka(tail) => tail.read(each).map_err(|error| failure(&error)),
        }
    }
}

fn failure(error: &SourceError) -> Failure {
    failure_of_asking(error).during("the demo's own connection")
}
