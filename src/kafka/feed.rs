//! What the demo needs of a cluster: a producer of synthetic records, and a tail of the alerts.
//!
//! Invariants: each record goes to the partition that it is given, with its own timestamp, and the
//! queue is bounded; the tail reads what is committed, from the start of each partition, and joins
//! no group. Absent on purpose: transactions (these are inputs), and the wrapper's `flush`.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{SourceError, TopicNames};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::deliveries::PlainContext;
use super::failure::wrapper_error;
use super::ffi::Wake;
use super::group::partition_of;
use super::settings::KafkaConfig;

/// Records that may wait to be sent; more make the caller wait.
const QUEUE_RECORDS: &str = "100000";

/// How long one wait for reports lasts.
const NAP: Duration = Duration::from_millis(50);

/// How long the cluster may take to take one record, or the rest.
const PATIENCE: Duration = Duration::from_mins(1);

/// Alerts that are read from one partition in one call.
const AT_ONCE: usize = 1_000;

/// A record for an input topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRecord<'a> {
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub partition: ShardNo,
    /// Its Kafka timestamp, in ms since the epoch.
    pub timestamp_ms: i64,
    /// Its key.
    pub key: &'a [u8],
    /// Its value; `None` for a tombstone.
    pub value: Option<&'a [u8]>,
}

/// Writes records to the input topics.
pub struct Feed {
    producer: BaseProducer<PlainContext>,
    topics: TopicNames,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Feed").field("topics", &self.topics).finish_non_exhaustive()
    }
}

impl Feed {
    /// Makes the client.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn connect(config: &KafkaConfig) -> Result<Self, SourceError> {
        let mut settings = config.plain()?;
        settings
            // One request at a time keeps the order without a producer id, whose coordinator a
            // cluster that has just started does not have yet; a repetition does no harm.
            .set("enable.idempotence", "false")
            .set("max.in.flight.requests.per.connection", "1")
            .set("acks", "all")
            .set("compression.codec", "lz4")
            .set("linger.ms", "5")
            .set("queue.buffering.max.messages", QUEUE_RECORDS);
        let context = PlainContext::new(Witness::new("feed", config.secrets()));
        let producer = settings
            .create_with_context(context)
            .map_err(|error| wrapper_error(&error, "making a producer"))?;
        Ok(Self { producer, topics: config.topics.clone() })
    }

    /// Sends a record; waits while the queue is full.
    ///
    /// # Errors
    /// An earlier record was not delivered, or the queue stays full.
    pub fn send(&mut self, record: InputRecord<'_>) -> Result<(), SourceError> {
        let name = self.topics.input(record.topic);
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(name)
            .partition(partition_of(record.partition))
            .timestamp(record.timestamp_ms)
            .key(record.key);
        message.payload = record.value;
        let deadline = Deadline::after(PATIENCE);
        loop {
            self.producer.poll(Duration::ZERO);
            self.check()?;
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    if deadline.is_over() {
                        return Err(self.late("taking records"));
                    }
                    self.producer.poll(NAP);
                    message = back;
                }
                Err((error, _)) => {
                    return Err(wrapper_error(&error, &format!("writing to {name}")));
                }
            }
        }
    }

    /// Serves reports of records sent earlier, without waiting.
    ///
    /// # Errors
    /// One of them was not delivered.
    pub fn serve(&mut self) -> Result<(), SourceError> {
        self.producer.poll(Duration::ZERO);
        self.check()
    }

    /// Waits a moment for reports; tells whether all records are delivered.
    ///
    /// # Errors
    /// One of them was not delivered.
    pub fn settle(&mut self) -> Result<bool, SourceError> {
        self.producer.poll(NAP);
        self.check()?;
        Ok(self.producer.in_flight_count() == 0)
    }

    fn check(&self) -> Result<(), SourceError> {
        match self.producer.context().failed() {
            Some(error) => Err(wrapper_error(&error, "writing synthetic records")),
            None => Ok(()),
        }
    }

    fn late(&self, what: &str) -> SourceError {
        let late = SourceError::NotReady(format!("{what} took too long"));
        self.producer.context().witness.explain(late)
    }
}

/// Reads the alerts topic as they are committed.
pub struct AlertTail {
    reader: Reader<ShardNo>,
}

impl std::fmt::Debug for AlertTail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AlertTail").finish_non_exhaustive()
    }
}

impl AlertTail {
    /// Starts reading all partitions from their starts.
    ///
    /// # Errors
    /// The settings are refused.
    pub fn connect(config: &KafkaConfig, partitions: u32) -> Result<Self, SourceError> {
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let witness = Witness::new("tail", config.secrets());
        let mut reader = Reader::new(&config.reader(partitions)?, witness, &Arc::new(wake))?;
        for shard in (0..partitions).map(ShardNo::new) {
            let from = NextOffset::stated(0);
            reader.start(shard, &config.topics.alerts, partition_of(shard), from)?;
        }
        Ok(Self { reader })
    }

    /// Hands over the values of the alerts that have arrived, without waiting.
    ///
    /// # Errors
    /// A partition cannot be read any more. What passes is waited out.
    pub fn read(&mut self, each: &mut dyn FnMut(ShardNo, &[u8])) -> Result<(), SourceError> {
        self.reader.serve();
        let shards: Vec<ShardNo> = self.reader.keys().collect();
        for shard in shards {
            let read = self.reader.read(shard, AT_ONCE, &mut |record| {
                if let Some(value) = record.value {
                    each(shard, value);
                }
            });
            match read {
                Ok(_) | Err(SourceError::NotReady(_) | SourceError::Unavailable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
