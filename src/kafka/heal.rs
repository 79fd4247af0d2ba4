//! The start of a transactional producer: fence the predecessor, then heal what it may have left.
//!
//! A single-node Kafka 4.3 that is killed with a transaction open, and that is away for longer than
//! the transaction's timeout, forgets the abort markers. The partition's last stable offset then
//! stays below its high watermark for ever, and the next commit of the same transactional id would
//! publish the dead records. (Measured, 6 of 6.) So every start runs one sacrificial transaction,
//! which touches whatever the id may have touched, and aborts it: that writes the missing markers.
//!
//! - **Records:** one to each partition of each output topic. Which partitions this id wrote to in
//!   an earlier life nobody knows (the assignment was another, a key may go anywhere), so it is
//!   all. They have the key `odrwatch.sacrifice` and no value; no reader of committed records sees
//!   them.
//! - **Offsets:** pending ones of a dead transaction would make every reader of the group's offsets
//!   wait for ever. A marker ends all pending offsets that the id has in the group, so one offset
//!   is enough: that of partition 0 of the *progress* topic, which nobody reads from the group,
//!   so that even a broker that published it would harm nobody. There is no membership yet, so it
//!   goes with the metadata of no member, which brokers take unchecked; that is why such metadata
//!   never commit anything, and harmless here, where the transaction is aborted.
//!
//! Then the producer waits until the last stable offset of each output partition has reached the
//! high watermark that was stated after the abort: no transaction from before is open any more,
//! whoever's it was. If one is, the worker must not start: readers of our outputs stand still.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::client::NativeClient;
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use crate::pipeline::ports::{OutTopic, SourceError, TopicNames};

use super::client::{Deadline, Witness};
use super::deliveries::{Deliveries, SinkContext};
use super::failure::{client_error, source_error, wrapper_error};
use super::ffi::{self, End, GroupMetadata, OffsetsAnswer, Queue};
use super::producer::wall_ms;
use super::settings::KafkaConfig;
use super::topics::TopicFacts;
use super::trace::Place;

/// How long one step of a start may take. A predecessor's open transaction takes half a second.
const STEP: Duration = Duration::from_secs(10);

/// How long one call waits for the partitions to settle.
const SETTLE: Duration = Duration::from_secs(5);

/// After so long a producer that still waits for the partitions is replaced.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long one question about leaders may take.
const LEADERS: Duration = Duration::from_secs(1);

/// The pause between two looks at the partitions.
const PAUSE: Duration = Duration::from_millis(20);

/// The key of the sacrificial records.
const KEY: &str = "odrwatch.sacrifice";

/// A producer whose predecessor is fenced.
pub(super) struct Producer {
    // The order of these fields is the order in which they are dropped.
    answers: Queue,
    client: ThreadedProducer<SinkContext>,
    names: [CString; 5],
    /// The partitions whose last stable offset has not yet reached this high watermark.
    waiting: BTreeMap<Place, i64>,
    /// The troubles of the client when it began.
    troubles: u64,
    /// Until when to wait for the partitions.
    patience: Deadline,
    tag: Cell<usize>,
}

/// A producer that may not be used yet.
pub(super) struct Unsettled(Producer);

impl From<Producer> for Unsettled {
    fn from(producer: Producer) -> Self {
        Self(producer)
    }
}

impl Unsettled {
    /// Waits for a while until the partitions have settled.
    pub(super) fn settle(mut self) -> (Producer, Result<(), SourceError>) {
        let deadline = Deadline::after(SETTLE);
        let outcome = self.0.settle(deadline);
        if outcome.is_err() {
            self.0.look_up_leaders();
        }
        (self.0, outcome)
    }
}

impl Producer {
    /// Makes a producer, fences its predecessor and runs the sacrificial transaction.
    pub(super) fn start(
        config: &KafkaConfig,
        facts: &TopicFacts,
    ) -> Result<Unsettled, SourceError> {
        let written = facts.outputs.iter().filter(|fact| fact.partitions > 0);
        let (smallest, largest) = written
            .map(|fact| fact.max_message_bytes)
            .fold((usize::MAX, 0), |(least, most), bytes| (least.min(bytes), most.max(bytes)));
        let witness = Witness::new("producer", config.secrets());
        let client: ThreadedProducer<SinkContext> = config
            .producer(smallest, largest)?
            .create_with_context(SinkContext { witness, deliveries: Deliveries::default().into() })
            .map_err(|error| wrapper_error(&error, "making the producer"))?;
        let names = OutTopic::ALL.map(|topic| {
            CString::new(config.topics.output(topic)).expect("it was found under this name")
        });
        let answers = Queue::new(client.client().native_client());
        let (waiting, tag) = (BTreeMap::new(), Cell::new(0));
        let patience = Deadline::after(PATIENCE);
        let mut producer = Self { answers, client, names, waiting, troubles: 0, patience, tag };
        producer.troubles = producer.troubles();
        producer.fence(config).map_err(|error| producer.context().witness.explain(error))?;
        producer
            .sacrifice(config, facts)
            .map_err(|error| producer.context().witness.explain(error))?;
        // Every partition is waited for; the watermarks are asked for when waiting begins.
        for (place, topic) in OutTopic::ALL.into_iter().enumerate() {
            for partition in facts.output(topic).numbers() {
                producer.waiting.insert((place, partition), i64::MAX);
            }
        }
        Ok(Unsettled(producer))
    }

    /// Whether it may be used.
    pub(super) fn is_settled(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether it is better to begin anew than to wait on: its own abort's markers may be lost, and
    /// a client may look for leaders where none are any more. To begin anew harms nobody.
    pub(super) fn is_stale(&self) -> bool {
        self.troubles() != self.troubles || self.patience.is_over()
    }

    /// The wrapper's producer.
    pub(super) fn client(&self) -> &ThreadedProducer<SinkContext> {
        &self.client
    }

    /// librdkafka's client.
    pub(super) fn native(&self) -> &NativeClient {
        self.client.client().native_client()
    }

    /// Does something with what the delivery reports told.
    pub(super) fn deliveries<R>(&self, with: impl FnOnce(&mut Deliveries) -> R) -> R {
        with(&mut self.context().deliveries.lock().expect("no holder of this lock panics"))
    }

    /// How many troubles with brokers the client has told of so far.
    pub(super) fn troubles(&self) -> u64 {
        self.context().witness.troubles()
    }

    fn context(&self) -> &SinkContext {
        self.client.client().context()
    }

    fn fence(&self, config: &KafkaConfig) -> Result<(), SourceError> {
        self.client.init_transactions(STEP).map_err(|error| {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidTransactionTimeout) {
                let ms = config.transaction_timeout_ms;
                return SourceError::Stop(format!(
                    "transaction_timeout_ms is {ms}, more than the brokers' \
                     transaction.max.timeout.ms; lower the first or raise the second"
                ));
            }
            wrapper_error(&error, "starting the producer's transactions")
        })
    }

    fn sacrifice(&self, config: &KafkaConfig, facts: &TopicFacts) -> Result<(), SourceError> {
        let what = "the sacrificial transaction";
        let deadline = Deadline::after(STEP);
        self.client.begin_transaction().map_err(|error| wrapper_error(&error, what))?;
        self.deliveries(|deliveries| *deliveries = Deliveries::since(wall_ms()));
        for (place, topic) in OutTopic::ALL.into_iter().enumerate() {
            for partition in facts.output(topic).numbers() {
                let name = config.topics.output(topic);
                let record: BaseRecord<'_, str, [u8], usize> =
                    BaseRecord::with_opaque_to(name, place).partition(partition).key(KEY);
                self.client.send(record).map_err(|(error, _)| wrapper_error(&error, what))?;
            }
        }
        if !ffi::flush(self.native(), deadline.left()) {
            return Err(SourceError::NotReady(format!("{what} was not delivered in time")));
        }
        if let Some((topic, code)) = self.deliveries(|deliveries| deliveries.failed()) {
            if matches!(code, RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) {
                // The transaction failed as a whole and took its records along: its next call
                // tells why, such as a topic that may not be written.
                self.sacrifice_offsets(&config.topics, &config.group, deadline)?;
            }
            let name = config.topics.output(topic);
            return Err(source_error(code, what, &format!("a record to {name}: {code}")));
        }
        self.sacrifice_offsets(&config.topics, &config.group, deadline)?;
        ffi::abort(self.native(), deadline.left()).map_err(|error| client_error(&error, what))
    }

    fn sacrifice_offsets(
        &self,
        topics: &TopicNames,
        group: &str,
        deadline: Deadline,
    ) -> Result<(), SourceError> {
        let what = "the sacrificial transaction's offsets";
        let group = group_name(group)?;
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets
            .add_partition_offset(&topics.progress, 0, Offset::Offset(0))
            .map_err(|error| wrapper_error(&error, what))?;
        let metadata = GroupMetadata::of_no_member(&group);
        let Err(error) = ffi::send_offsets(self.native(), &offsets, &metadata, deadline.left())
        else {
            return Ok(());
        };
        match error.code {
            RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::GroupIdNotFound => {
                // A stricter broker than those known; the records are healed all the same.
                warn!(%error, "the group's offsets are not healed");
                Ok(())
            }
            _ => Err(client_error(&error, what)),
        }
    }

    fn settle(&mut self, deadline: Deadline) -> Result<(), SourceError> {
        if self.waiting.values().any(|high| *high == i64::MAX) {
            for (place, high) in self.ask_waiting(End::High, deadline)? {
                self.waiting.insert(place, high);
            }
        }
        loop {
            for (place, stable) in self.ask_waiting(End::Stable, deadline)? {
                if self.waiting.get(&place).is_some_and(|high| stable >= *high) {
                    self.waiting.remove(&place);
                }
            }
            if self.waiting.is_empty() {
                info!("the output partitions are settled");
                return Ok(());
            }
            if deadline.is_over() {
                return Err(SourceError::NotReady(self.unsettled()));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Looks up the leaders before they are asked again: librdkafka 2.12 goes on to ask those that
    /// it knew before an outage.
    fn look_up_leaders(&self) {
        for name in &self.names {
            let name = name.to_str().expect("topic names are ASCII");
            if self.client.client().fetch_metadata(Some(name), LEADERS).is_err() {
                // Nobody can be asked now; the next call looks again.
                return;
            }
        }
    }

    /// Asks for an end of each partition that is waited for.
    fn ask_waiting(&self, end: End, deadline: Deadline) -> Result<Vec<(Place, i64)>, SourceError> {
        let places: Vec<Place> = self.waiting.keys().copied().collect();
        self.ask(&places, end, deadline)
    }

    /// Asks for an end of some partitions, and waits for the answer.
    pub(super) fn ask(
        &self,
        places: &[Place],
        end: End,
        deadline: Deadline,
    ) -> Result<Vec<(Place, i64)>, SourceError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let timeout = deadline.left().max(PAUSE);
        let tag = self.pose(places, end, timeout);
        let what = "asking for the ends of the output partitions";
        let late = Deadline::after(timeout + PAUSE);
        let answer = loop {
            match self.answers.take_offsets(late.left()) {
                Some(answer) if answer.tag == tag => break answer,
                None if late.is_over() => {
                    return Err(SourceError::NotReady(format!("{what} took too long")));
                }
                Some(_) | None => {}
            }
        };
        self.stated(answer)
    }

    /// Asks for an end of some partitions; returns the tag of the answer to come.
    pub(super) fn pose(&self, places: &[Place], end: End, timeout: Duration) -> usize {
        let tag = self.tag.get() + 1;
        self.tag.set(tag);
        let list: Vec<(&CStr, i32)> = places
            .iter()
            .map(|(place, partition)| (self.names[*place].as_c_str(), *partition))
            .collect();
        ffi::ask_offsets(self.native(), &self.answers, &list, end, tag, timeout);
        tag
    }

    /// The answer to a posed question if it has come; older ones are forgotten.
    pub(super) fn answered(&self, tag: usize) -> Option<Result<Vec<(Place, i64)>, SourceError>> {
        while self.answers.len() > 0 {
            if let Some(answer) = self.answers.take_offsets(Duration::ZERO)
                && answer.tag == tag
            {
                return Some(self.stated(answer));
            }
        }
        None
    }

    fn stated(&self, answer: OffsetsAnswer) -> Result<Vec<(Place, i64)>, SourceError> {
        let what = "asking for the ends of the output partitions";
        let offsets = answer.offsets.map_err(|error| client_error(&error, what))?;
        let found = offsets.into_iter().map(|(name, partition, offset)| {
            let place = self.names.iter().position(|one| one.to_bytes() == name.as_bytes());
            let place = place.expect("only our outputs were asked for");
            let offset = offset
                .map_err(|code| source_error(code, what, &format!("{name}-{partition}: {code}")))?;
            Ok(((place, partition), offset))
        });
        found.collect()
    }

    fn unsettled(&self) -> String {
        let some: Vec<String> = self
            .waiting
            .iter()
            .take(5)
            .map(|((place, partition), high)| {
                let name = self.names[*place].to_string_lossy();
                format!("{name}-{partition} before offset {high}")
            })
            .collect();
        format!(
            "an open transaction holds {} output partitions up ({}). It ends with its timeout or \
             with its owner's restart: start every instance of the group under its own name",
            self.waiting.len(),
            some.join(", ")
        )
    }
}

/// A group's name as librdkafka takes it.
pub(super) fn group_name(group: &str) -> Result<CString, SourceError> {
    CString::new(group)
        .map_err(|_| SourceError::Stop(format!("the group name {group:?} has a zero byte")))
}
