//! What a redo needs of real brokers: two readers, one of them of committed records only, and the
//! producer that is to write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};

use crate::domain::event::Topic;
use crate::domain::ids::NextOffset;
use crate::pipeline::ports::{Header, OutTopic, RawRecord, SourceError};

use super::super::client::{Deadline, Witness};
use super::super::consumer::Reader;
use super::super::deliveries::Deliveries;
use super::super::failure::{client_error, source_error, wrapper_error};
use super::super::ffi::{self, End, GroupMetadata, Wake};
use super::super::heal::{Producer, group_name};
use super::super::producer::{owned_headers, wall_ms};
use super::super::settings::KafkaConfig;
use super::super::topics::TopicFacts;
use super::super::trace::{Place, Trace};
use super::{Copy, Ledger, Redone, Seen, Written, complete};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long to sleep for records; they wake us.
const NAP: Duration = Duration::from_millis(20);

/// How many records of one partition are taken at once.
const AT_ONCE: usize = 500;

/// How many partitions share the memory budget of a reader.
const PARTITIONS: u32 = 64;

/// What a transaction of a redo does, in messages.
const WHAT: &str = "completing a transaction that a broker committed in part";

/// Looks at our last transactions, and redoes the one that was committed in part, if there is one.
pub(in crate::kafka) fn redo(
    producer: &Producer,
    config: &KafkaConfig,
    facts: &TopicFacts,
) -> Result<Redone, SourceError> {
    let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
    let wake = Arc::new(wake);
    let reader = |level: &str| {
        let mut settings = config.reader(PARTITIONS)?;
        settings.set("isolation.level", level);
        Reader::new(&settings, Witness::new("redo", config.secrets()), &wake)
    };
    let mut brokers = Brokers {
        committed: reader("read_committed")?,
        all: reader("read_uncommitted")?,
        wake: Arc::clone(&wake),
        deadline: Deadline::after(LIMIT),
        producer,
        config,
    };
    let partitions: Vec<i32> = facts.output(OutTopic::Progress).numbers().collect();
    complete(&mut brokers, &config.identity(), &partitions)
}

struct Brokers<'a> {
    // The readers' queues write to the pipe: they go first.
    committed: Reader<Place>,
    all: Reader<Place>,
    wake: Arc<Wake>,
    deadline: Deadline,
    producer: &'a Producer,
    config: &'a KafkaConfig,
}

impl Brokers<'_> {
    fn ends(&self, places: &[Place], end: End) -> Result<BTreeMap<Place, i64>, SourceError> {
        Ok(self.producer.ask(places, end, self.deadline)?.into_iter().collect())
    }
}

impl Ledger for Brokers<'_> {
    fn firsts(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError> {
        self.ends(places, End::First)
    }

    fn stables(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError> {
        self.ends(places, End::Stable)
    }

    fn read(
        &mut self,
        spans: &BTreeMap<Place, (i64, i64)>,
        wanted: &dyn Fn(Place, i64) -> bool,
    ) -> Result<Seen, SourceError> {
        let (wake, deadline, topics) = (&self.wake, self.deadline, &self.config.topics);
        let name = |place: Place| topics.output(OutTopic::ALL[place.0]);
        let mut records: BTreeMap<Place, Vec<Copy>> = BTreeMap::new();
        scan(&mut self.all, wake, deadline, spans, &name, &mut |place, record| {
            if wanted(place, record.offset.get()) {
                records.entry(place).or_default().push(copy(place, record));
            }
        })?;
        let mut visible = BTreeSet::new();
        scan(&mut self.committed, wake, deadline, spans, &name, &mut |place, record| {
            visible.insert((place, record.offset.get()));
        })?;
        Ok(Seen { records, visible })
    }

    fn numbers(&mut self, shards: &[i32]) -> Result<Vec<Option<u64>>, SourceError> {
        let what = "asking for the group's offsets";
        let topic = self.config.topics.input(Topic::ALL[0]);
        let mut asked = TopicPartitionList::with_capacity(shards.len());
        for shard in shards {
            asked.add_partition(topic, *shard);
        }
        let consumer = self.committed.consumer();
        let answer = consumer
            .committed_offsets(asked, self.deadline.left())
            .map_err(|error| wrapper_error(&error, what))?;
        let numbers = ffi::listed(&answer).into_iter().map(|one| match one.error {
            Some(code) => Err(source_error(code, what, &code.to_string())),
            None => Ok(std::str::from_utf8(&one.metadata).ok().and_then(|text| text.parse().ok())),
        });
        numbers.collect()
    }

    fn begin(&mut self, after: i64) -> Result<i64, SourceError> {
        let begun = self.producer.client().begin_transaction();
        begun.map_err(|error| wrapper_error(&error, WHAT))?;
        let began = wall_ms().max(after + 1);
        self.producer.deliveries(|deliveries| *deliveries = Deliveries::since(began));
        Ok(began)
    }

    fn send(
        &mut self,
        like: &Copy,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), SourceError> {
        let (topic, partition) = like.place;
        let name = self.config.topics.output(OutTopic::ALL[topic]);
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(name, topic).partition(partition);
        message.key = like.key.as_deref();
        message.payload = value;
        message.timestamp = like.timestamp_ms.map(|ms| ms.max(1));
        message.headers = owned_headers(headers.iter());
        let sent = self.producer.client().send(message);
        sent.map_err(|(error, _)| wrapper_error(&error, "writing a record again"))
    }

    fn delivered(&mut self) -> Result<Written, SourceError> {
        if !ffi::flush(self.producer.native(), self.deadline.left()) {
            return Err(SourceError::NotReady(format!("{WHAT}: not delivered in time")));
        }
        self.producer.deliveries(|deliveries| match deliveries.failed() {
            None => Ok(Written {
                outputs: deliveries.outputs.clone(),
                progress: deliveries.progress.clone(),
            }),
            Some((topic, code)) => {
                let name = self.config.topics.output(topic);
                Err(source_error(code, WHAT, &format!("a record to {name}: {code}")))
            }
        })
    }

    /// The offsets go with the metadata of no member, since there may be no membership yet: what
    /// fences here is the transactional id.
    fn commit(&mut self, offsets: &[(i32, &Trace)]) -> Result<(), SourceError> {
        if !offsets.is_empty() {
            let mut list = TopicPartitionList::with_capacity(offsets.len() * Topic::ALL.len());
            for (shard, trace) in offsets {
                for topic in Topic::ALL {
                    let mut one = list.add_partition(self.config.topics.input(topic), *shard);
                    one.set_offset(Offset::Offset(trace.next[topic.index()]))
                        .map_err(|error| wrapper_error(&error, WHAT))?;
                    one.set_metadata(trace.number.to_string());
                }
            }
            let group = group_name(&self.config.group)?;
            let metadata = GroupMetadata::of_no_member(&group);
            ffi::send_offsets(self.producer.native(), &list, &metadata, self.deadline.left())
                .map_err(|error| client_error(&error, WHAT))?;
        }
        ffi::commit(self.producer.native(), self.deadline.left())
            .map_err(|error| client_error(&error, WHAT))
    }
}

/// Reads partitions between offsets.
fn scan<'a>(
    reader: &mut Reader<Place>,
    wake: &Wake,
    deadline: Deadline,
    spans: &BTreeMap<Place, (i64, i64)>,
    name: &dyn Fn(Place) -> &'a str,
    each: &mut dyn FnMut(Place, &RawRecord<'_>),
) -> Result<(), SourceError> {
    let mut left: BTreeMap<Place, i64> = BTreeMap::new();
    for (place, (from, to)) in spans {
        if from < to {
            reader.start(*place, name(*place), place.1, NextOffset::stated(*from))?;
            left.insert(*place, *to);
        }
    }
    while !left.is_empty() {
        reader.serve();
        if let Some(refusal) = reader.consumer().context().take_refusal() {
            return Err(refusal);
        }
        let mut done = Vec::new();
        let mut count = 0;
        for (place, to) in &left {
            count += reader.read(*place, AT_ONCE, &mut |record| {
                if record.offset.get() < *to {
                    each(*place, &record);
                }
            })?;
            if reader.position(*place).is_some_and(|position| position.get() >= *to) {
                done.push(*place);
            }
        }
        for place in &done {
            left.remove(place);
            reader.stop(*place)?;
        }
        if count == 0 && done.is_empty() {
            if deadline.is_over() {
                return Err(SourceError::NotReady(format!(
                    "reading the ends of {} output partitions took too long",
                    left.len()
                )));
            }
            wake.wait(NAP);
        }
    }
    Ok(())
}

fn copy(place: Place, record: &RawRecord<'_>) -> Copy {
    Copy {
        place,
        offset: record.offset.get(),
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record.headers.to_vec(),
        timestamp_ms: record.timestamp_ms,
    }
}
