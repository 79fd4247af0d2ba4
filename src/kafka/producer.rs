//! The transactional producer: one transaction per batch, and its outcome sorted by what is next.
//!
//! ```text
//! begin -> outputs -> flush -> progress, with its trace -> flush -> (all delivered? clock?
//!     still ours?) -> offsets -> (the last one's end not lost?) -> commit
//! ```
//!
//! Invariants: a producer that failed once is dropped, never used or retried, since librdkafka
//! 2.12 lacks KIP-890 and a delayed end of one transaction could end the next; what can be refused
//! is refused before the transaction begins, because one rejected record takes its whole batch and
//! the next transaction along; offsets go with the metadata of the generation that gave us every
//! one of their shards.
//!
//! Absent on purpose: the wrapper's `flush` and `commit_transaction`, which take 100 ms each.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::error::KafkaError;
use rdkafka::message::{Header as Named, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, warn};

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset as RecordOffset, ShardNo};
use crate::pipeline::ports::{
    Batch, CommitError, Header, OutRecord, OutTopic, Receipt, ShardOffsets, SourceError, TopicNames,
};
use crate::wire::dead_letter::size_bound;

use super::client::{Deadline, monotonic};
use super::deliveries::Deliveries;
use super::failure::{Failed, commit_error};
use super::ffi;
use super::group::{Member, NotOurs, partition_of};
use super::heal::{Producer, Unsettled};
use super::last::Last;
use super::redo::redo;
use super::settings::KafkaConfig;
use super::topics::{TopicFact, TopicFacts};
use super::trace::{Spans, Trace, Whole};

/// How long a refused transaction's abort may take; the next producer aborts it otherwise.
const ABORT: Duration = Duration::from_secs(2);

/// A transaction that took no longer met no trouble that its client would not have told.
const SMOOTH: Duration = Duration::from_secs(1);

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
    /// The last transaction, until its end is seen.
    last: Option<Last>,
    /// When the latest transaction of our id says that it began: with the id that names it, so the
    /// next one says later, whatever the clock does.
    latest: i64,
    config: KafkaConfig,
    facts: TopicFacts,
    /// Our clock minus the broker's, as last found.
    skew_ms: Option<i64>,
    /// Where the last committed progress record of each shard is.
    progress_at: BTreeMap<ShardNo, RecordOffset>,
}

impl Sink {
    /// Prepares; there is no producer before [`Self::reconnect`].
    pub(super) fn new(config: &KafkaConfig, facts: &TopicFacts) -> Self {
        let (config, facts, progress_at) = (config.clone(), facts.clone(), BTreeMap::new());
        Self { producer: None, last: None, latest: 0, config, facts, skew_ms: None, progress_at }
    }

    /// Replaces the producer, and completes its last transaction if a broker committed that in
    /// part. `NotReady` while the output partitions do not settle: the next call goes on waiting
    /// for them.
    pub(super) fn reconnect(&mut self) -> Result<(), SourceError> {
        let unsettled = match self.producer.take() {
            Some(producer) if !producer.is_settled() && !producer.is_stale() => {
                Unsettled::from(producer)
            }
            usable => {
                drop(usable);
                self.last = None;
                Producer::start(&self.config, &self.facts)?
            }
        };
        let (producer, outcome) = unsettled.settle();
        let skew_ms = producer.deliveries(|deliveries| deliveries.skew.nearest_to_zero());
        self.skew_ms = skew_ms.or(self.skew_ms);
        if outcome.is_err() {
            self.producer = Some(producer);
            return outcome;
        }
        // A producer that failed here is dropped: the next one looks again.
        let redone = redo(&producer, &self.config, &self.facts)?;
        self.latest = self.latest.max(redone.latest);
        // What a redo wrote is looked at closely: something was lost just now.
        self.last = Last::of(&redone.written, &producer, self.transaction_timeout(), true);
        self.producer = Some(producer);
        Ok(())
    }

    /// Whether a broker seems to have lost the end of the last transaction. Does not block; to be
    /// called while nothing is uncommitted.
    pub(super) fn has_lost_an_end(&mut self) -> bool {
        let (Some(last), Some(producer)) = (&mut self.last, &self.producer) else { return false };
        if last.is_seen(producer) {
            self.last = None;
            return false;
        }
        last.is_lost()
    }

    fn transaction_timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.config.transaction_timeout_ms))
    }

    /// Our clock minus the broker's, as the last commit or reconnect found it.
    pub(super) const fn clock_skew_ms(&self) -> Option<i64> {
        self.skew_ms
    }

    /// Where the last progress record of a shard is that was committed here.
    pub(super) fn progress_offset(&self, shard: ShardNo) -> Option<RecordOffset> {
        self.progress_at.get(&shard).copied()
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
            config: &self.config,
            facts: &self.facts,
            began: now,
            named: now.max(self.latest + 1),
            deadline: Deadline::after(self.transaction_timeout()),
        };
        self.latest = transaction.named;
        let troubles = producer.troubles();
        let (receipt, written) = transaction.run(batch, member, self.last.take())?;
        let had_trouble = producer.troubles() != troubles || receipt.took >= SMOOTH;
        self.last = Last::of(&written, &producer, self.transaction_timeout(), had_trouble);
        self.note_progress(&batch.offsets, &written);
        self.producer = Some(producer);
        self.skew_ms = receipt.clock_skew_ms.or(self.skew_ms);
        Ok(receipt)
    }
}

impl Sink {
    /// Notes where the progress records of a transaction are.
    fn note_progress(&mut self, offsets: &[ShardOffsets], written: &Spans) {
        let topic = OutTopic::ALL.iter().position(|topic| *topic == OutTopic::Progress);
        let topic = topic.expect("ALL lists every topic");
        let ends = written.ends();
        for of_shard in offsets {
            if let Some(end) = ends.get(&(topic, partition_of(of_shard.shard))) {
                self.progress_at.insert(of_shard.shard, RecordOffset::new(end - 1));
            }
        }
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
    config: &'a KafkaConfig,
    facts: &'a TopicFacts,
    /// The clock on the wall when it began, in ms.
    began: i64,
    /// When it says that it began.
    named: i64,
    /// After this its coordinator may abort it.
    deadline: Deadline,
}

impl Transaction<'_> {
    /// Runs it; `last` is the one before if its end was not seen yet. Returns what it wrote, too.
    fn run(
        &self,
        batch: &Batch,
        member: &Member,
        last: Option<Last>,
    ) -> Result<(Receipt, Spans), CommitError> {
        let client = self.producer.native();
        let started = monotonic();
        let troubles = self.producer.troubles();
        self.producer
            .client()
            .begin_transaction()
            .map_err(|error| self.wrapper_failed("begin", &error))?;
        self.producer.deliveries(|deliveries| *deliveries = Deliveries::since(self.began));
        let is_progress = |record: &&OutRecord| record.topic == OutTopic::Progress;
        for record in batch.records.iter().filter(|record| !is_progress(record)) {
            self.send(record, None)?;
        }
        self.flush()?;
        let outputs = self.producer.deliveries(|deliveries| deliveries.outputs.clone());
        let shards = batch.offsets.iter().map(|of_shard| partition_of(of_shard.shard)).collect();
        let mut whole = Some(Whole { shards, outputs });
        for record in batch.records.iter().filter(is_progress) {
            let trace = self.trace(record, &batch.offsets, &mut whole);
            self.send(record, trace.as_ref())?;
        }
        self.flush()?;
        let (receipt, written) = self.delivered()?;
        if let (Some(limit), Some(skew_ms)) = (batch.max_clock_skew_ms, receipt.clock_skew_ms)
            && skew_ms.saturating_abs() > limit
        {
            self.abort();
            return Err(CommitError::ClockSkew { skew_ms });
        }
        self.send_offsets(&batch.offsets, member)?;
        let is_smooth =
            self.producer.troubles() == troubles && monotonic().duration_since(started) < SMOOTH;
        if let Some(last) = last
            && !last.lets_pass(self.producer, is_smooth)
        {
            // What it left open would be committed with this one, or aborted.
            return Err(restart("commit", "the end of the last transaction was lost"));
        }
        ffi::commit(client, self.deadline.left())
            .map_err(|error| self.failed("commit", error.code, &error.text))?;
        let took = monotonic().duration_since(started);
        Ok((Receipt { took, ..receipt }, written))
    }

    fn flush(&self) -> Result<(), CommitError> {
        if ffi::flush(self.producer.native(), self.deadline.left()) {
            return Ok(());
        }
        Err(restart("flush", "the records were not delivered in time"))
    }

    /// What a progress record's header tells; the first one of a transaction tells of the whole.
    /// `None` for a record that belongs to no offsets, or that would become too large by it.
    fn trace(
        &self,
        record: &OutRecord,
        offsets: &[ShardOffsets],
        whole: &mut Option<Whole>,
    ) -> Option<Header> {
        let of_shard = offsets.iter().find(|of_shard| Some(of_shard.shard) == record.partition)?;
        let trace = Trace {
            id: self.config.identity(),
            began: self.named,
            number: of_shard.progress,
            next: of_shard.next.map(NextOffset::get),
            whole: whole.take(),
        };
        let header = trace.header();
        let mut headers = record.headers.clone();
        headers.push(header.clone());
        let bytes = size_bound(record.key.as_deref(), record.value.as_deref(), &headers);
        let limit = self.facts.output(record.topic).max_message_bytes;
        if bytes > limit {
            warn!(bytes, limit, "a transaction's trace is too large for the progress topic");
            return None;
        }
        Some(header)
    }

    fn send(&self, record: &OutRecord, more: Option<&Header>) -> Result<(), CommitError> {
        let topic = self.config.topics.output(record.topic);
        let mut next = Some(base_record(record, topic, more));
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

    /// Whether all records were delivered, what their reports told of the broker's clock, and where
    /// they are.
    fn delivered(&self) -> Result<(Receipt, Spans), CommitError> {
        let deliveries = self.producer.deliveries(std::mem::take);
        match deliveries.failed() {
            None => {
                let clock_skew_ms = deliveries.skew.nearest_to_zero();
                let mut written = deliveries.outputs;
                written.extend(&deliveries.progress);
                Ok((Receipt { clock_skew_ms, took: Duration::ZERO }, written))
            }
            Some((topic, code)) => {
                let (count, name) = (deliveries.failures, self.config.topics.output(topic));
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
                let name = self.config.topics.input(topic);
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

fn base_record<'a>(
    record: &'a OutRecord,
    topic: &'a str,
    more: Option<&Header>,
) -> BaseRecord<'a, [u8], [u8], usize> {
    let place = OutTopic::ALL.iter().position(|one| *one == record.topic);
    let place = place.expect("ALL lists every topic");
    let mut message = BaseRecord::with_opaque_to(topic, place);
    message.partition = record.partition.map(partition_of);
    message.key = record.key.as_deref();
    message.payload = record.value.as_deref();
    // Zero means "now" to librdkafka; a millisecond off is nearer.
    message.timestamp = record.timestamp_ms.map(|ms| ms.max(1));
    let headers = record.headers.iter().chain(more);
    message.headers = owned_headers(headers);
    message
}

/// Headers as the client takes them; `None` where there are none.
pub(super) fn owned_headers<'a>(headers: impl Iterator<Item = &'a Header>) -> Option<OwnedHeaders> {
    headers.fold(None, |all: Option<OwnedHeaders>, (key, value)| {
        let all = all.unwrap_or_default();
        Some(all.insert(Named { key, value: value.as_deref() }))
    })
}
