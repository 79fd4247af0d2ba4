//! Reads partitions from exact offsets: a consumer that is told what to read and joins no group.
//!
//! The group's member (`group`) is another client, because under the eager protocol the member
//! could only be given a new start offset by `seek`, which races with librdkafka's own start of the
//! partition (an outdated answer about a logical offset sends it back there, and `seek` right after
//! `assign` is ignored). A consumer without a subscription may add and remove single partitions,
//! and each starts with the very offset it was added with. So a rebalance does not touch the
//! fetching of a kept partition, and a position is never guessed.
//!
//! Invariants: a partition's records go to its own queue only, from before it is added until it is
//! removed; offsets handed over only rise; all queues are dropped before the consumer.
//!
//! Absent on purpose: pausing, committing, and any offset that is not stated by the caller.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset as At, TopicPartitionList};

use crate::domain::ids::{NextOffset, Offset};
use crate::pipeline::ports::{RawRecord, SourceError};

use super::client::Witness;
use super::failure::{source_error, wrapper_error};
use super::ffi::{self, Message, Queue, Room, Wake};

/// How many events of the client are served in one call.
const EVENTS: u32 = 16;

/// Reads partitions, each known by a key of the caller.
pub(super) struct Reader<K> {
    // The order of these fields is the order in which they are dropped.
    reading: BTreeMap<K, Reading>,
    events: Queue,
    consumer: BaseConsumer<Witness>,
    wake: Arc<Wake>,
    room: Room,
}

/// One partition that is being read.
struct Reading {
    queue: Queue,
    topic: CString,
    partition: i32,
    /// The partition alone, as librdkafka takes it.
    list: TopicPartitionList,
    /// After the last record handed over; at first where reading began.
    next: NextOffset,
    /// What befell the partition, to be told by the next call.
    failed: Option<SourceError>,
}

impl<K: Ord + Copy> Reader<K> {
    /// Makes the client; nothing is read yet.
    pub(super) fn new(
        config: &ClientConfig,
        witness: Witness,
        wake: &Arc<Wake>,
    ) -> Result<Self, SourceError> {
        let consumer: BaseConsumer<Witness> = config
            .create_with_context(witness)
            .map_err(|error| wrapper_error(&error, "making a consumer"))?;
        let events = Queue::of_consumer(consumer.client().native_client())
            .ok_or_else(|| SourceError::Fatal("a consumer without a queue".to_owned()))?;
        let (reading, wake) = (BTreeMap::new(), Arc::clone(wake));
        Ok(Self { reading, events, consumer, wake, room: Room::default() })
    }

    /// The client, for questions.
    pub(super) fn consumer(&self) -> &BaseConsumer<Witness> {
        &self.consumer
    }

    /// Serves what belongs to no partition: log lines and errors, which the witness notes.
    pub(super) fn serve(&self) {
        for _ in 0..EVENTS {
            if self.events.len() == 0 {
                return;
            }
            // An error is noted by the witness before it comes back from here.
            let _ = self.consumer.poll(Duration::ZERO);
        }
    }

    /// Starts reading a partition at an offset; one that is being read starts anew there.
    pub(super) fn start(
        &mut self,
        key: K,
        topic: &str,
        partition: i32,
        from: NextOffset,
    ) -> Result<(), SourceError> {
        self.stop(key)?;
        let what = || format!("starting to read {topic}-{partition} at {from}");
        let name = CString::new(topic)
            .map_err(|_| SourceError::Stop(format!("the topic name {topic:?} has a zero byte")))?;
        let client = self.consumer.client().native_client();
        let queue = Queue::of_partition(client, &name, partition)
            .ok_or_else(|| SourceError::Fatal(format!("{}: no queue", what())))?;
        queue.wakes(&self.wake);
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(topic, partition, At::Offset(from.get()))
            .map_err(|error| wrapper_error(&error, &what()))?;
        self.consumer.incremental_assign(&list).map_err(|error| wrapper_error(&error, &what()))?;
        let reading = Reading { queue, topic: name, partition, list, next: from, failed: None };
        self.reading.insert(key, reading);
        Ok(())
    }

    /// Stops reading a partition, if it is being read, and forgets its position.
    pub(super) fn stop(&mut self, key: K) -> Result<(), SourceError> {
        let Some(reading) = self.reading.remove(&key) else { return Ok(()) };
        self.consumer
            .incremental_unassign(&reading.list)
            .map_err(|error| wrapper_error(&error, &format!("stopping to read {}", reading.name())))
    }

    /// The keys of the partitions that are being read.
    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.reading.keys().copied()
    }

    /// Hands over at most `max` records that have arrived; never waits. An error behind records is
    /// told by the next call.
    pub(super) fn read(
        &mut self,
        key: K,
        max: usize,
        each: &mut dyn FnMut(RawRecord<'_>),
    ) -> Result<usize, SourceError> {
        let Some(reading) = self.reading.get_mut(&key) else { return Ok(0) };
        if reading.failed.is_some() {
            return Err(reading.tell());
        }
        let mut count = 0;
        for message in reading.queue.read(&mut self.room, max) {
            if let Some((code, words)) = message.error() {
                reading.fail(code, message.offset(), &words);
                continue;
            }
            if reading.failed.is_some() {
                // Behind an error there may be a gap.
                continue;
            }
            each(reading.record(&message));
            count += 1;
        }
        if count == 0 && reading.failed.is_some() { Err(reading.tell()) } else { Ok(count) }
    }

    /// Whether nothing waits and the position is at the end of the log as the last fetch knew it.
    pub(super) fn is_at_log_end(&self, key: K) -> bool {
        let Some(reading) = self.reading.get(&key) else { return false };
        if reading.queue.len() > 0 {
            return false;
        }
        self.known_end(key)
            .is_some_and(|high| reading.next >= high || reading.position(&self.consumer) >= high)
    }

    /// The end of the log as the last fetch knew it.
    pub(super) fn known_end(&self, key: K) -> Option<NextOffset> {
        let reading = self.reading.get(&key)?;
        let client = self.consumer.client().native_client();
        let high = ffi::last_known_high(client, &reading.topic, reading.partition);
        high.map(NextOffset::stated)
    }

    /// The position after everything that was read or skipped; `None` if it is not being read.
    pub(super) fn position(&self, key: K) -> Option<NextOffset> {
        self.reading.get(&key).map(|reading| reading.position(&self.consumer))
    }
}

impl Reading {
    fn name(&self) -> String {
        format!("{}-{}", self.topic.to_string_lossy(), self.partition)
    }

    fn record<'a>(&mut self, message: &'a Message) -> RawRecord<'a> {
        let offset = Offset::new(message.offset());
        // Version barriers in librdkafka keep what was fetched for an earlier position out.
        assert!(
            offset.get() >= self.next.get(),
            "{} gave offset {offset} where {} or more was due",
            self.name(),
            self.next
        );
        self.next = offset.next();
        RawRecord {
            offset,
            timestamp_ms: message.timestamp_ms(),
            key: message.key(),
            value: message.value(),
            headers: message,
        }
    }

    /// librdkafka's position skips control records and aborted transactions, but is unknown before
    /// the first of them or the first record; then ours is right.
    fn position(&self, consumer: &BaseConsumer<Witness>) -> NextOffset {
        let skipped = ffi::position(consumer.client().native_client(), &self.list);
        NextOffset::stated(skipped.unwrap_or(0).max(self.next.get()))
    }

    fn fail(&mut self, code: RDKafkaErrorCode, offset: i64, words: &str) {
        let lost =
            matches!(code, RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange);
        let name = self.name();
        let error = if lost {
            SourceError::Lost(format!(
                "{name} does not have offset {offset}, from which reading must go on, although its \
                 first and last offsets say otherwise: look at the broker's log ({words})"
            ))
        } else {
            source_error(code, &format!("reading {name} at offset {offset}"), words)
        };
        // The first error is the cause of later ones.
        self.failed.get_or_insert(error);
    }

    /// Tells the error: once if it can pass, for ever if the partition cannot go on.
    fn tell(&mut self) -> SourceError {
        let error = self.failed.take().expect("the caller saw it");
        match &error {
            SourceError::Stop(text) => self.failed = Some(SourceError::Stop(text.clone())),
            SourceError::Lost(text) => self.failed = Some(SourceError::Lost(text.clone())),
            _ => {}
        }
        error
    }
}
