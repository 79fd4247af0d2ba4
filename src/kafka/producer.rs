//! The transactional producer: one transaction per batch, and its outcome sorted by what is next.
//!
//! ```text
//! begin -> send all -> flush -> (all delivered? clock? still ours?) -> offsets -> commit
//! ```
//!
//! Invariants: a producer that failed once is dropped, never used or retried, since librdkafka
//! 2.12 lacks KIP-890 and a delayed end of one transaction could end the next; what can be refused
//! is refused before the transaction begins, because one rejected record takes its whole batch and
//! the next transaction along; offsets go with the metadata of the generation that gave us every
//! one of their shards.
//!
//! Absent on purpose: the wrapper's `flush` and `commit_transaction`, which take 100 ms each.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders, Timestamp};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracing::debug;

use crate::domain::event::Topic;
use crate::pipeline::ports::{
    Batch, CommitError, OutRecord, OutTopic, Receipt, ShardOffsets, SourceError, TopicNames,
};
use crate::wire::dead_letter::size_bound;

use super::client::{Deadline, Witness, monotonic};
use super::failure::{Failed, commit_error};
use super::ffi;
use super::group::{Member, NotOurs, partition_of};
use super::heal::{Producer, Unsettled};
use super::settings::KafkaConfig;
use super::topics::{TopicFact, TopicFacts};

/// How long a refused transaction's abort may take; the next producer aborts it otherwise.
const ABORT: Duration = Duration::from_secs(2);

/// What is kept free for them by who asks for the largest record: room for some ninety headers.
const SLACK: usize = 1_024;

/// Reads the clock on the wall, in ms since the epoch.
#[expect(clippy::disallowed_methods, reason = "it is compared with the broker's clock")]
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The sink of a worker.
pub(super) struct Sink {
    producer: Option<Producer>,
    config: KafkaConfig,
    facts: TopicFacts,
    /// Our clock minus the broker's, as last found.
    skew_ms: Option<i64>,
}

impl Sink {
    /// Prepares; there is no producer before [`Self::reconnect`].
    pub(super) fn new(config: &KafkaConfig, facts: &TopicFacts) -> Self {
        Self { producer: None, config: config.clone(), facts: facts.clone(), skew_ms: None }
    }

    /// Replaces the producer. `NotReady` while the output partitions do not settle: the next call
    /// goes on waiting for them.
    pub(super) fn reconnect(&mut self) -> Result<(), SourceError> {
        let unsettled = match self.producer.take() {
            Some(producer) if !producer.is_settled() => Unsettled::from(producer),
            usable => {
                drop(usable);
                Producer::start(&self.config, &self.facts)?
            }
        };
        let (producer, outcome) = unsettled.settle();
        let skew_ms = producer.deliveries(|deliveries| deliveries.skew.nearest_to_zero());
        self.skew_ms = skew_ms.or(self.skew_ms);
        self.producer = Some(producer);
        outcome
    }

    /// Our clock minus the broker's, as the last commit or reconnect found it.
    pub(super) const fn clock_skew_ms(&self) -> Option<i64> {
        self.skew_ms
    }

    /// Drops the producer; an open transaction is aborted by the next one, or times out.
    pub(super) fn close(&mut self) {
        self.producer = None;
    }

    /// The largest record that an output topic takes.
    pub(super) fn max_record_bytes(&self, topic: OutTopic) -> usize {
        self.facts.output(topic).max_message_bytes.saturating_sub(SLACK)
    }

    /// Commits one transaction. After an error there is no producer before [`Self::reconnect`].
    pub(super) fn commit(
        &mut self,
        batch: &Batch,
        member: &Member,
    ) -> Result<Receipt, CommitError> {
        if batch.is_empty() {
            return Ok(Receipt::default());
        }
        assert!(!batch.offsets.is_empty(), "outputs without offsets would not be fenced");
        let now = wall_ms();
        for record in &batch.records {
            check(record, &self.facts, &self.config.topics, now)?;
        }
        let producer = self
            .producer
            .take()
            .filter(Producer::is_settled)
            .ok_or_else(|| restart("begin", "there is no producer; reconnect first"))?;
        if let Err(error) = member.metadata_for(&batch.offsets) {
            return Err(not_ours("begin", &error, member));
        }
        let transaction = Transaction {
            producer: &producer,
            topics: &self.config.topics,
            began: now,
            deadline: Deadline::after(Duration::from_millis(u64::from(
                self.config.transaction_timeout_ms,
            ))),
        };
        let receipt = transaction.run(batch, member)?;
        self.producer = Some(producer);
        self.skew_ms = receipt.clock_skew_ms.or(self.skew_ms);
        Ok(receipt)
    }
}

/// Refuses a record that no broker would take.
fn check(
    record: &OutRecord,
    facts: &TopicFacts,
    topics: &TopicNames,
    now: i64,
) -> Result<(), CommitError> {
    let TopicFact { partitions, max_message_bytes, max_ahead_ms, .. } = *facts.output(record.topic);
    let name = topics.output(record.topic);
    let bytes = size_bound(record.key.as_deref(), record.value.as_deref(), &record.headers);
    if bytes > max_message_bytes {
        return Err(CommitError::Impossible(format!(
            "a record of {bytes} bytes can never be written to {name}, whose max.message.bytes is \
             {max_message_bytes}; raise it there"
        )));
    }
    if let (Some(ahead), Some(timestamp)) = (max_ahead_ms, record.timestamp_ms)
        && timestamp.saturating_sub(now) > ahead
    {
        return Err(CommitError::Impossible(format!(
            "a record whose timestamp is {} ms ahead of the clock can never be written to {name}, \
             whose message.timestamp.after.max.ms is {ahead}; raise it there",
            timestamp.saturating_sub(now)
        )));
    }
    if let Some(shard) = record.partition
        && shard.get() >= partitions
    {
        return Err(CommitError::Impossible(format!(
            "a record for partition {shard} can never be written to {name}, which has {partitions}"
        )));
    }
    Ok(())
}

/// Offsets may not be sent: because a newer instance took our place for good, or for now.
fn not_ours(stage: &'static str, error: &NotOurs, member: &Member) -> CommitError {
    match member.is_gone() {
        Some(SourceError::Fenced(words)) => CommitError::Fenced(words),
        _ => restart(stage, &error.to_string()),
    }
}

fn restart(stage: &'static str, cause: &str) -> CommitError {
    CommitError::Restart { stage, cause: cause.to_owned() }
}

/// One transaction on its way.
struct Transaction<'a> {
    producer: &'a Producer,
    topics: &'a TopicNames,
    /// The clock on the wall when it began, in ms.
    began: i64,
    /// After this its coordinator may abort it.
    deadline: Deadline,
}

impl Transaction<'_> {
    fn run(&self, batch: &Batch, member: &Member) -> Result<Receipt, CommitError> {
        let client = self.producer.native();
        let started = monotonic();
        self.producer
            .client()
            .begin_transaction()
            .map_err(|error| self.wrapper_failed("begin", &error))?;
        self.producer.deliveries(|deliveries| *deliveries = Deliveries::since(self.began));
        for record in &batch.records {
            self.send(record)?;
        }
        if !ffi::flush(client, self.deadline.left()) {
            return Err(restart("flush", "the records were not delivered in time"));
        }
        let receipt = self.delivered()?;
        if let (Some(limit), Some(skew_ms)) = (batch.max_clock_skew_ms, receipt.clock_skew_ms)
            && skew_ms.saturating_abs() > limit
        {
            self.abort();
            return Err(CommitError::ClockSkew { skew_ms });
        }
        self.send_offsets(&batch.offsets, member)?;
        ffi::commit(client, self.deadline.left())
            .map_err(|error| self.failed("commit", error.code, &error.text))?;
        Ok(Receipt { took: monotonic().duration_since(started), ..receipt })
    }

    fn send(&self, record: &OutRecord) -> Result<(), CommitError> {
        let mut next = Some(base_record(record, self.topics.output(record.topic)));
        while let Some(message) = next.take() {
            match self.producer.client().send(message) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    // The queue is full by bytes: what is in it must be delivered first.
                    if !ffi::flush(self.producer.native(), self.deadline.left()) {
                        return Err(restart("send", "the producer's queue stayed full"));
                    }
                    next = Some(back);
                }
                Err((error, _)) => return Err(self.wrapper_failed("send", &error)),
            }
        }
        Ok(())
    }

    /// Whether all records were delivered, and what their reports told of the broker's clock.
    fn delivered(&self) -> Result<Receipt, CommitError> {
        let deliveries = self.producer.deliveries(std::mem::take);
        match deliveries.failed {
            None => Ok(Receipt {
                clock_skew_ms: deliveries.skew.nearest_to_zero(),
                took: Duration::ZERO,
            }),
            Some((topic, code)) => {
                let (count, name) = (deliveries.failures, self.topics.output(topic));
                let words = format!("{count} records were not delivered, one to {name}: {code}");
                Err(self.failed("send", code, &words))
            }
        }
    }

    fn send_offsets(&self, offsets: &[ShardOffsets], member: &Member) -> Result<(), CommitError> {
        let metadata = match member.metadata_for(offsets) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.abort();
                return Err(not_ours("offsets", &error, member));
            }
        };
        let mut list = TopicPartitionList::with_capacity(offsets.len() * Topic::ALL.len());
        for of_shard in offsets {
            for topic in Topic::ALL {
                let next = of_shard.next[topic.index()].get();
                let name = self.topics.input(topic);
                let mut one = list.add_partition(name, partition_of(of_shard.shard));
                one.set_offset(Offset::Offset(next))
                    .map_err(|error| self.wrapper_failed("offsets", &error))?;
                one.set_metadata(of_shard.progress.to_string());
            }
        }
        ffi::send_offsets(self.producer.native(), &list, metadata, self.deadline.left())
            .map_err(|error| self.failed("offsets", error.code, &error.text))
    }

    /// Ends a transaction that is refused though nothing failed, so that its records hold no
    /// reader up until the next producer comes.
    fn abort(&self) {
        if let Err(error) = ffi::abort(self.producer.native(), ABORT) {
            debug!(%error, "a refused transaction was left to the next producer");
        }
    }

    fn failed(&self, stage: &'static str, code: RDKafkaErrorCode, words: &str) -> CommitError {
        let outlived = self.deadline.is_over();
        // A fenced producer's first sign may be any code; its client knows.
        let code = match self.producer.client().client().fatal_error() {
            Some((fatal, _)) => fatal,
            None => code,
        };
        commit_error(Failed { stage, code, words, outlived })
    }

    fn wrapper_failed(&self, stage: &'static str, error: &KafkaError) -> CommitError {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        self.failed(stage, code, &error.to_string())
    }
}

fn base_record<'a>(record: &'a OutRecord, topic: &'a str) -> BaseRecord<'a, [u8], [u8], usize> {
    let place = OutTopic::ALL.iter().position(|one| *one == record.topic);
    let place = place.expect("ALL lists every topic");
    let mut message = BaseRecord::with_opaque_to(topic, place);
    message.partition = record.partition.map(partition_of);
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    // Zero means "now" to librdkafka; a millisecond off is nearer.
    message.timestamp = record.timestamp_ms.map(|ms| ms.max(1));
    if !record.headers.is_empty() {
        let all = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record
            .headers
            .iter()
            .fold(all, |all, (key, value)| all.insert(Header { key, value: value.as_deref() }));
        message.headers = Some(headers);
    }
    message
}

/// Our clock minus the broker's, in ms, as an interval: a record is stamped between its sending
/// and its report, so one report says that the difference lies between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skew {
    low: i64,
    high: i64,
}

impl Skew {
    const UNKNOWN: Self = Self { low: i64::MIN, high: i64::MAX };

    fn stamped(self, stamp: i64, sent: i64, reported: i64) -> Self {
        Self { low: self.low.max(sent - stamp), high: self.high.min(reported - stamp) }
    }

    /// The least that the clocks differ by, so that a slow broker is not taken for a wrong clock.
    fn nearest_to_zero(self) -> Option<i64> {
        let (low, high) = (self.low.min(self.high), self.low.max(self.high));
        (self != Self::UNKNOWN).then(|| 0.clamp(low, high))
    }
}

/// What the delivery reports of one transaction told.
#[derive(Debug)]
pub(super) struct Deliveries {
    /// When its records began to be sent, in ms of the clock on the wall.
    sent: i64,
    skew: Skew,
    failures: u32,
    failed: Option<(OutTopic, RDKafkaErrorCode)>,
}

impl Deliveries {
    /// Nothing is reported yet of what is sent from now on.
    pub(super) fn since(sent: i64) -> Self {
        Self { sent, skew: Skew::UNKNOWN, failures: 0, failed: None }
    }

    /// The first failure.
    pub(super) fn failed(&self) -> Option<(OutTopic, RDKafkaErrorCode)> {
        self.failed
    }
}

impl Default for Deliveries {
    fn default() -> Self {
        Self::since(0)
    }
}

/// The context of the producer. Its callbacks run on the producer's own thread.
#[derive(Debug)]
pub(super) struct SinkContext {
    pub(super) witness: Witness,
    pub(super) deliveries: Mutex<Deliveries>,
}

impl ClientContext for SinkContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.witness.log(level, facility, line);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for SinkContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let topic = OutTopic::ALL[place];
        let reported = wall_ms();
        match result {
            Ok(message) => {
                if topic == OutTopic::Progress
                    && let Timestamp::LogAppendTime(stamp) = message.timestamp()
                {
                    let mut deliveries =
                        self.deliveries.lock().expect("no holder of this lock panics");
                    deliveries.skew = deliveries.skew.stamped(stamp, deliveries.sent, reported);
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let mut deliveries = self.deliveries.lock().expect("no holder of this lock panics");
                deliveries.failures += 1;
                deliveries.failed.get_or_insert((topic, code));
            }
        }
    }
}
