//! Writes topics and reads them back to their ends, on any bootstrap address, with clients that
//! live for one call.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use rdkafka::metadata::MetadataPartition;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Message, Offset, TopicPartitionList};

use super::{Deadline, STEP_LIMIT};

/// How long one look for the next message lasts.
const POLL: Duration = Duration::from_millis(20);

/// A header's name and value.
pub type HeaderPair = (String, Option<Vec<u8>>);

/// A record to produce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub topic: String,
    pub partition: i32,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    /// `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    pub headers: Vec<HeaderPair>,
}

impl Record {
    /// Returns a record without headers.
    pub fn new(
        topic: &str,
        partition: i32,
        timestamp: i64,
        key: &str,
        value: impl Into<Vec<u8>>,
    ) -> Self {
        let key = Some(key.as_bytes().to_vec());
        Self {
            topic: topic.to_owned(),
            partition,
            timestamp,
            key,
            value: Some(value.into()),
            headers: Vec::new(),
        }
    }
}

/// A record as it stands in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub partition: i32,
    pub offset: i64,
    /// In milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<HeaderPair>,
}

/// Which records of transactions a reader sees, and so where a partition ends for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Committed ones, up to the first open transaction.
    ReadCommitted,
    /// All, also aborted ones and those of open transactions.
    ReadUncommitted,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Commit,
    Abort,
}

/// Returns the settings that every client of a test broker has.
pub fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("reconnect.backoff.ms", "20")
        .set("reconnect.backoff.max.ms", "100");
    config
}

/// A topic to create: its name, its number of partitions and its settings.
pub type NamedTopic<'a> = (&'a str, i32, &'a [(&'a str, &'a str)]);

/// Creates topics and waits until all their partitions can be written.
pub fn create_topics(bootstrap: &str, topics: &[NamedTopic<'_>]) {
    let admin: AdminClient<DefaultClientContext> =
        client(bootstrap).create().expect("the settings are valid");
    let new_topics: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|&(name, partitions, settings)| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(1));
            settings.iter().fold(topic, |topic, &(key, value)| topic.set(key, value))
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs nothing");
    let options = AdminOptions::new().operation_timeout(Some(STEP_LIMIT));
    let results = runtime.block_on(admin.create_topics(&new_topics, &options));
    for result in results.expect("the broker answers") {
        if let Err((topic, code)) = result {
            panic!("topic {topic} was not created: {code}");
        }
    }
    let deadline = Deadline::of_step();
    for &(name, partitions, _) in topics {
        let ready = || {
            let metadata = admin.inner().fetch_metadata(Some(name), STEP_LIMIT).ok()?;
            let found = metadata.topics().first()?.partitions();
            let led = found.iter().filter(|partition| partition.leader() >= 0).count();
            (i32::try_from(led) == Ok(partitions)).then_some(())
        };
        while ready().is_none() {
            deadline.wait(|| format!("leaders for the partitions of {name}"));
        }
    }
}

/// Produces records in their order and returns their offsets once all are stored.
///
/// An answer of the broker that is lost on the way would make a record appear twice. An idempotent
/// producer would see to that, but needs a second to start; a test that disturbs the broker
/// meanwhile uses a transaction.
pub fn produce(bootstrap: &str, records: &[Record]) -> Vec<i64> {
    let mut config = client(bootstrap);
    config.set("max.in.flight", "1");
    send_all(&producer(&config), records)
}

/// Produces records in one transaction, ends it, and returns the offsets they got.
pub fn produce_transactional(
    bootstrap: &str,
    transactional_id: &str,
    records: &[Record],
    ending: Ending,
) -> Vec<i64> {
    let transaction = OpenTransaction::begin(bootstrap, transactional_id);
    let offsets = transaction.produce(records);
    transaction.end(ending);
    offsets
}

/// A transaction that blocks readers of committed records until it ends; dropped, it stays open on
/// the broker.
pub struct OpenTransaction {
    producer: ThreadedProducer<Deliveries>,
}

impl OpenTransaction {
    /// Begins a transaction, after fencing any other producer of this id.
    pub fn begin(bootstrap: &str, transactional_id: &str) -> Self {
        let mut config = client(bootstrap);
        config.set("transactional.id", transactional_id);
        let producer = producer(&config);
        producer.init_transactions(STEP_LIMIT).expect("the transaction coordinator answers");
        producer.begin_transaction().expect("the producer was just initialised");
        Self { producer }
    }

    /// Produces records and returns their offsets once all are stored.
    pub fn produce(&self, records: &[Record]) -> Vec<i64> {
        send_all(&self.producer, records)
    }

    /// Commits or aborts.
    #[expect(clippy::disallowed_methods, reason = "a test does not mind the wrapper's 100 ms")]
    pub fn end(self, ending: Ending) {
        let ended = match ending {
            Ending::Commit => self.producer.commit_transaction(STEP_LIMIT),
            Ending::Abort => self.producer.abort_transaction(STEP_LIMIT),
        };
        ended.expect("nothing else ended it");
    }
}

/// Reads a topic from its start to the end it has now, ordered by partition and offset.
pub fn read_all(bootstrap: &str, topic: &str, isolation: Isolation) -> Vec<Stored> {
    let consumer = reader(bootstrap, isolation);
    // The end of a partition is a position, not a record: control records fill the last offsets of
    // transactions.
    let mut unread = BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for (partition, low, high) in watermarks(&consumer, topic) {
        if low < high {
            unread.insert(partition, high);
            assignment
                .add_partition_offset(topic, partition, Offset::Offset(low))
                .expect("the offset is valid");
        }
    }
    consumer.assign(&assignment).expect("the assignment is valid");

    let mut records = Vec::new();
    let deadline = Deadline::of_step();
    while !unread.is_empty() {
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let end = unread.get(&message.partition()).copied();
                if end.is_some_and(|end| message.offset() < end) {
                    records.push(stored(&message));
                }
                if end.is_some_and(|end| message.offset() + 1 >= end) {
                    unread.remove(&message.partition());
                }
            }
            Some(Err(KafkaError::MessageConsumption(code))) if !is_passing(code) => {
                panic!("reading {topic}: {code}");
            }
            Some(Err(_)) | None => {
                let positions = consumer.position().expect("the consumer has an assignment");
                unread.retain(|&partition, &mut end| {
                    let position =
                        positions.find_partition(topic, partition).map(|found| found.offset());
                    !matches!(position, Some(Offset::Offset(next)) if next >= end)
                });
                deadline
                    .wait(|| format!("the ends {unread:?} of {topic}; positions {positions:?}"));
            }
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    records
}

/// Deletes all records of a topic, so that each partition begins where it ends.
pub fn delete_records(bootstrap: &str, topic: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime can be made");
    let admin: AdminClient<DefaultClientContext> =
        client(bootstrap).create().expect("the settings are valid");
    let mut offsets = TopicPartitionList::new();
    let ends = end_offsets(bootstrap, topic, Isolation::ReadUncommitted);
    for (partition, end) in (0..).zip(ends) {
        let end = Offset::Offset(end);
        offsets.add_partition_offset(topic, partition, end).expect("the offset is valid");
    }
    let asked = admin.delete_records(&offsets, &AdminOptions::new());
    let deleted = runtime.block_on(asked).expect("the broker answers");
    for one in deleted.elements() {
        assert!(one.error().is_ok(), "{one:?}");
    }
}

/// Returns the offset after the last record of each partition, as this kind of reader sees it.
pub fn end_offsets(bootstrap: &str, topic: &str, isolation: Isolation) -> Vec<i64> {
    watermarks(&reader(bootstrap, isolation), topic).into_iter().map(|(_, _, high)| high).collect()
}

fn reader(bootstrap: &str, isolation: Isolation) -> BaseConsumer {
    let mut config = client(bootstrap);
    let level = match isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    config
        .set("group.id", "odrwatch-test-reader")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", level)
        .set("check.crcs", "true")
        .set("fetch.wait.max.ms", "10")
        .set("fetch.queue.backoff.ms", "10");
    config.create().expect("the settings are valid")
}

/// Returns partition, first offset and end of each partition.
fn watermarks(consumer: &BaseConsumer, topic: &str) -> Vec<(i32, i64, i64)> {
    let metadata = consumer.fetch_metadata(Some(topic), STEP_LIMIT).expect("the broker answers");
    let found = metadata.topics().first().expect("one topic was asked for");
    assert!(found.error().is_none(), "topic {topic}: {:?}", found.error());
    let mut partitions: Vec<i32> = found.partitions().iter().map(MetadataPartition::id).collect();
    partitions.sort_unstable();
    let ends = partitions.into_iter().map(|partition| {
        let (low, high) = consumer
            .fetch_watermarks(topic, partition, STEP_LIMIT)
            .expect("the partition has a leader");
        (partition, low, high)
    });
    ends.collect()
}

/// Tells errors that librdkafka reports and then mends by itself.
fn is_passing(code: RDKafkaErrorCode) -> bool {
    matches!(code, RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure)
}

fn stored(message: &BorrowedMessage<'_>) -> Stored {
    let headers = message.headers().map(|headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    Stored {
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis().unwrap_or(-1),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.unwrap_or_default(),
    }
}

/// The outcome of each record of the running call, by its place in the call.
#[derive(Default)]
struct Deliveries(Mutex<Vec<(usize, Result<i64, KafkaError>)>>);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.clone()),
        };
        self.0.lock().expect("no holder panics").push((place, outcome));
    }
}

fn producer(config: &ClientConfig) -> ThreadedProducer<Deliveries> {
    let mut config = config.clone();
    config
        .set("linger.ms", "5")
        .set("retry.backoff.ms", "10")
        // What is too long is for the topic's own limit to refuse.
        .set("message.max.bytes", "20000000");
    config.create_with_context(Deliveries::default()).expect("the settings are valid")
}

/// Sends records and waits for all of them; `flush` is no help, it says Ok also when every record
/// failed.
fn send_all(producer: &ThreadedProducer<Deliveries>, records: &[Record]) -> Vec<i64> {
    let deadline = Deadline::of_step();
    for (place, record) in records.iter().enumerate() {
        let mut message = Some(base_record(place, record));
        while let Some(next) = message.take() {
            match producer.send(next) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = Some(back);
                    deadline.wait(|| "room in the producer's queue".to_owned());
                }
                Err((error, _)) => panic!("record {place} of {}: {error}", records.len()),
            }
        }
    }
    let deliveries = &producer.context().0;
    while deliveries.lock().expect("no holder panics").len() < records.len() {
        deadline.wait(|| format!("the delivery of {} records", records.len()));
    }
    let mut outcomes = std::mem::take(&mut *deliveries.lock().expect("no holder panics"));
    outcomes.sort_by_key(|&(place, _)| place);
    let offsets = outcomes.into_iter().map(|(place, outcome)| match outcome {
        Ok(offset) => offset,
        Err(error) => panic!("record {place} of {}: {error}", records.len()),
    });
    offsets.collect()
}

fn base_record(place: usize, record: &Record) -> BaseRecord<'_, [u8], [u8], usize> {
    let mut message = BaseRecord::with_opaque_to(&record.topic, place)
        .partition(record.partition)
        .timestamp(record.timestamp);
    if let Some(key) = &record.key {
        message = message.key(key.as_slice());
    }
    if let Some(value) = &record.value {
        message = message.payload(value.as_slice());
    }
    if !record.headers.is_empty() {
        let headers = record.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: value.as_deref() })
        });
        message = message.headers(headers);
    }
    message
}
