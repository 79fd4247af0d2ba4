//! Completes a transaction of ours that was committed in some partitions only.
//!
//! A coordinator commits a transaction by writing it down, and then has a marker written to each of
//! its partitions. Kafka 4.2 and 4.3 forget the markers of partitions that have no leader at that
//! moment, for good (KAFKA-20734). A lone broker that is killed meets that at each restart: what it
//! had not marked stays open, and the next abort of the same transactional id, whichever that is,
//! aborts it. So of one committed transaction any part may be visible, and any part aborted.
//!
//! This runs when nothing of ours is open any more: behind the sacrificial transaction (`heal`).
//! The traces of our last transactions say what they wrote. If anything of one of them is visible
//! (a record, or the group's offsets), it was committed: what is not visible is written again, byte
//! for byte, in a transaction of its own. If nothing is visible, it counts as aborted: its shards
//! begin behind the transaction before it, and no reader saw anything else.
//!
//! Invariants: nothing of a transaction without such evidence is ever written again; what is
//! visible is not written again; a redo has a trace like any transaction, which names what was
//! visible before as well, so that a redo may itself be redone, however it ends.
//!
//! Absent on purpose: transactions of other ids. Whoever bears the id redoes them at its start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use tracing::{info, warn};

use crate::domain::event::Topic;
use crate::domain::ids::NextOffset;
use crate::pipeline::ports::{Header, OutTopic, RawRecord, SourceError};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::deliveries::Deliveries;
use super::failure::{client_error, source_error, wrapper_error};
use super::ffi::{self, End, GroupMetadata, Wake};
use super::heal::{Producer, group_name};
use super::producer::{owned_headers, wall_ms};
use super::settings::KafkaConfig;
use super::topics::TopicFacts;
use super::trace::{self, Place, Spans, Trace, Whole};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long to sleep for records; they wake us.
const NAP: Duration = Duration::from_millis(20);

/// How many offsets before the end of a progress partition are looked at first, and by how much
/// that grows while no committed record is among them.
const LOOK_BACK: (i64, i64) = (64, 16);

/// How many records of one partition are taken at once.
const AT_ONCE: usize = 500;

/// How many partitions share the memory budget of a reader.
const PARTITIONS: u32 = 64;

/// A record as it was written.
struct Copy {
    place: Place,
    offset: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
    timestamp_ms: Option<i64>,
}

/// A record of a progress partition that tells of a transaction.
struct Entry {
    record: Copy,
    trace: Option<Trace>,
    is_visible: bool,
}

/// Looks at our last transactions, and redoes the one that was committed in part, if there is one.
/// Returns what was written.
pub(super) fn redo(
    producer: &Producer,
    config: &KafkaConfig,
    facts: &TopicFacts,
) -> Result<Spans, SourceError> {
    let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
    let wake = Arc::new(wake);
    let reader = |level: &str| {
        let mut settings = config.reader(PARTITIONS)?;
        settings.set("isolation.level", level);
        Reader::new(&settings, Witness::new("redo", config.secrets()), &wake)
    };
    let mut redo = Redo {
        committed: reader("read_committed")?,
        all: reader("read_uncommitted")?,
        wake: Arc::clone(&wake),
        deadline: Deadline::after(LIMIT),
        producer,
        config,
    };
    let tails = redo.tails(facts)?;
    redo.run(&tails)
}

struct Redo<'a> {
    // The readers' queues write to the pipe: they go first.
    committed: Reader<Place>,
    all: Reader<Place>,
    wake: Arc<Wake>,
    deadline: Deadline,
    producer: &'a Producer,
    config: &'a KafkaConfig,
}

/// The last committed record of a progress partition that tells of a transaction, and those behind
/// it that were not committed.
type Tails = BTreeMap<i32, Vec<Entry>>;

/// A transaction, and what became of it.
struct Found<'a> {
    lead: &'a Trace,
    whole: &'a Whole,
    /// Its progress records.
    members: Vec<&'a Entry>,
    /// Its outputs that are not visible.
    hidden: Vec<Copy>,
    /// Its outputs that are.
    visible: Spans,
    /// Whether the group has its offsets for a shard.
    has_offsets: bool,
    /// Its shards for which the group has older offsets, or none.
    behind: Vec<i32>,
}

impl Found<'_> {
    /// Whether anything shows that it was committed.
    fn was_committed(&self) -> bool {
        !self.visible.is_empty()
            || self.has_offsets
            || self.members.iter().any(|entry| entry.is_visible)
    }

    fn is_complete(&self) -> bool {
        self.hidden.is_empty()
            && self.behind.is_empty()
            && self.members.iter().all(|entry| entry.is_visible)
    }
}

impl Redo<'_> {
    fn run(&mut self, tails: &Tails) -> Result<Spans, SourceError> {
        let id = self.config.identity();
        let mut leads: Vec<(&Trace, &Whole)> = tails
            .values()
            .flatten()
            .filter_map(|entry| entry.trace.as_ref())
            .filter(|trace| trace.id == id)
            .filter_map(|trace| Some((trace, trace.whole.as_ref()?)))
            .collect();
        // The latest first: an earlier one of the same shards was settled before it began.
        leads.sort_by_key(|(trace, _)| std::cmp::Reverse(trace.began));
        let mut settled = BTreeSet::new();
        let mut written = Spans::default();
        for (lead, whole) in leads {
            if whole.shards.iter().any(|shard| settled.contains(shard)) {
                continue;
            }
            let Some(members) = members(tails, lead, whole, &id) else { continue };
            let found = self.look_at(lead, whole, members)?;
            if !found.was_committed() {
                continue;
            }
            settled.extend(whole.shards.iter().copied());
            if !found.is_complete() {
                written.extend(&self.write(&found)?);
            }
        }
        Ok(written)
    }

    /// The ends of all progress partitions.
    fn tails(&mut self, facts: &TopicFacts) -> Result<Tails, SourceError> {
        let topic = place_of(OutTopic::Progress);
        let places: Vec<Place> =
            facts.output(OutTopic::Progress).numbers().map(|number| (topic, number)).collect();
        let low = self.ends(&places, End::First)?;
        let stable = self.ends(&places, End::Stable)?;
        let mut tails = Tails::new();
        let mut back = LOOK_BACK.0;
        let mut left: BTreeSet<Place> = places.into_iter().collect();
        while !left.is_empty() {
            let spans: BTreeMap<Place, (i64, i64)> = left
                .iter()
                .map(|place| (*place, (low[place].max(stable[place] - back), stable[place])))
                .collect();
            let (mut records, visible) = self.read(&spans, &|_, _| true)?;
            for (place, (from, _)) in &spans {
                let entries = records.remove(place).unwrap_or_default();
                let tail = tail(entries, &visible);
                let has_committed = tail.first().is_some_and(|entry| entry.is_visible);
                if has_committed || *from == low[place] {
                    tails.insert(place.1, tail);
                    left.remove(place);
                }
            }
            back = back.saturating_mul(LOOK_BACK.1);
        }
        Ok(tails)
    }

    fn look_at<'a>(
        &mut self,
        lead: &'a Trace,
        whole: &'a Whole,
        members: Vec<&'a Entry>,
    ) -> Result<Found<'a>, SourceError> {
        let mut spans = whole.outputs.bounds();
        let places: Vec<Place> = spans.keys().copied().collect();
        let low = self.ends(&places, End::First)?;
        for (place, (from, _)) in &mut spans {
            // What was deleted meanwhile is gone for everybody.
            *from = (*from).max(low[place]);
        }
        let (records, seen) =
            self.read(&spans, &|place, offset| whole.outputs.has(place, offset))?;
        let (mut hidden, mut visible) = (Vec::new(), Spans::default());
        for record in records.into_values().flatten() {
            if seen.contains(&(record.place, record.offset)) {
                visible.add(record.place, record.offset);
            } else {
                hidden.push(record);
            }
        }
        let (has_offsets, behind) = self.offsets(&members)?;
        Ok(Found { lead, whole, members, hidden, visible, has_offsets, behind })
    }

    /// Whether the group has a transaction's offsets for one of its shards, and the shards for
    /// which it has older ones, or none.
    fn offsets(&self, members: &[&Entry]) -> Result<(bool, Vec<i32>), SourceError> {
        let what = "asking for the group's offsets";
        let topic = self.config.topics.input(Topic::ALL[0]);
        let mut asked = TopicPartitionList::with_capacity(members.len());
        for entry in members {
            asked.add_partition(topic, entry.record.place.1);
        }
        let consumer = self.committed.consumer();
        let answer = consumer
            .committed_offsets(asked, self.deadline.left())
            .map_err(|error| wrapper_error(&error, what))?;
        let (mut has_offsets, mut behind) = (false, Vec::new());
        for (entry, one) in members.iter().zip(ffi::listed(&answer)) {
            if let Some(code) = one.error {
                return Err(source_error(code, what, &code.to_string()));
            }
            let number: Option<u64> =
                std::str::from_utf8(&one.metadata).ok().and_then(|text| text.parse().ok());
            let wanted = entry.trace.as_ref().map_or(0, |trace| trace.number);
            has_offsets |= number == Some(wanted);
            if number.is_none_or(|number| number < wanted) {
                behind.push(entry.record.place.1);
            }
        }
        Ok((has_offsets, behind))
    }

    fn ends(&self, places: &[Place], end: End) -> Result<BTreeMap<Place, i64>, SourceError> {
        Ok(self.producer.ask(places, end, self.deadline)?.into_iter().collect())
    }

    /// Reads wanted records between offsets, and which of them are visible. All that is there must
    /// be decided.
    #[expect(clippy::type_complexity, reason = "two collections by place")]
    fn read(
        &mut self,
        spans: &BTreeMap<Place, (i64, i64)>,
        wanted: &dyn Fn(Place, i64) -> bool,
    ) -> Result<(BTreeMap<Place, Vec<Copy>>, BTreeSet<(Place, i64)>), SourceError> {
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
        Ok((records, visible))
    }

    /// Writes again what is not visible of a transaction.
    fn write(&self, found: &Found<'_>) -> Result<Spans, SourceError> {
        let what = "completing a transaction that a broker committed in part";
        let (hidden, behind) = (found.hidden.len(), found.behind.len());
        let number = found.lead.number;
        warn!(
            shards = ?found.whole.shards, number, records = hidden, offsets = behind,
            "a broker committed a transaction in part: completing it"
        );
        let producer = self.producer;
        producer.client().begin_transaction().map_err(|error| wrapper_error(&error, what))?;
        let began = wall_ms().max(found.lead.began + 1);
        producer.deliveries(|deliveries| *deliveries = Deliveries::since(began));
        for record in &found.hidden {
            self.send(record, record.value.as_deref(), &record.headers)?;
        }
        self.flush(what)?;
        let mut outputs = producer.deliveries(|deliveries| deliveries.outputs.clone());
        let mut written = outputs.clone();
        outputs.extend(&found.visible);
        let mut whole = Some(Whole { shards: found.whole.shards.clone(), outputs });
        for entry in &found.members {
            let Some(old) = &entry.trace else { continue };
            let trace = Trace { began, whole: whole.take(), ..old.clone() };
            let mut headers = entry.record.headers.clone();
            headers.retain(|(name, _)| name != trace::HEADER);
            headers.push(trace.header());
            // Where the record is visible, one without a value says where the outputs are.
            let value = entry.record.value.as_deref().filter(|_| !entry.is_visible);
            self.send(&entry.record, value, &headers)?;
        }
        self.flush(what)?;
        self.send_offsets(found, what)?;
        ffi::commit(producer.native(), self.deadline.left())
            .map_err(|error| client_error(&error, what))?;
        written.extend(&producer.deliveries(|deliveries| deliveries.progress.clone()));
        info!(shards = ?found.whole.shards, number, "the transaction is complete");
        Ok(written)
    }

    fn send(
        &self,
        record: &Copy,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), SourceError> {
        let (topic, partition) = record.place;
        let name = self.config.topics.output(OutTopic::ALL[topic]);
        let mut message: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(name, topic).partition(partition);
        message.key = record.key.as_deref();
        message.payload = value;
        message.timestamp = record.timestamp_ms.map(|ms| ms.max(1));
        message.headers = owned_headers(headers.iter());
        let sent = self.producer.client().send(message);
        sent.map_err(|(error, _)| wrapper_error(&error, "writing a record again"))
    }

    fn flush(&self, what: &str) -> Result<(), SourceError> {
        if !ffi::flush(self.producer.native(), self.deadline.left()) {
            return Err(SourceError::NotReady(format!("{what}: not delivered in time")));
        }
        match self.producer.deliveries(|deliveries| deliveries.failed()) {
            None => Ok(()),
            Some((topic, code)) => {
                let name = self.config.topics.output(topic);
                Err(source_error(code, what, &format!("a record to {name}: {code}")))
            }
        }
    }

    /// Sends the offsets that the group lacks. They go with the metadata of no member, since there
    /// may be no membership yet: what fences here is the transactional id.
    fn send_offsets(&self, found: &Found<'_>, what: &str) -> Result<(), SourceError> {
        if found.behind.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(found.behind.len() * Topic::ALL.len());
        for entry in &found.members {
            let (Some(trace), (_, shard)) = (&entry.trace, entry.record.place) else { continue };
            if !found.behind.contains(&shard) {
                continue;
            }
            for topic in Topic::ALL {
                let mut one = list.add_partition(self.config.topics.input(topic), shard);
                one.set_offset(Offset::Offset(trace.next[topic.index()]))
                    .map_err(|error| wrapper_error(&error, what))?;
                one.set_metadata(trace.number.to_string());
            }
        }
        let group = group_name(&self.config.group)?;
        let metadata = GroupMetadata::of_no_member(&group);
        ffi::send_offsets(self.producer.native(), &list, &metadata, self.deadline.left())
            .map_err(|error| client_error(&error, what))
    }
}

/// The progress records of a transaction; none if one of them is missing (then it was never
/// committed), or if a shard has gone on since (then it was complete), or if another id wrote
/// behind it.
fn members<'a>(tails: &'a Tails, lead: &Trace, whole: &Whole, id: &str) -> Option<Vec<&'a Entry>> {
    let of_shard = |shard: &i32| {
        let tail = tails.get(shard)?;
        let is_ours = |entry: &Entry| entry.trace.as_ref().is_some_and(|own| own.is_with(lead));
        let at = tail.iter().position(is_ours)?;
        let by_us = |entry: &Entry| entry.trace.as_ref().is_some_and(|trace| trace.id == id);
        tail[at..].iter().all(by_us).then(|| &tail[at])
    };
    whole.shards.iter().map(of_shard).collect()
}

/// The last committed entry and those behind it.
fn tail(records: Vec<Copy>, visible: &BTreeSet<(Place, i64)>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = records
        .into_iter()
        .map(|record| Entry {
            trace: Trace::find(&record.headers),
            is_visible: visible.contains(&(record.place, record.offset)),
            record,
        })
        // The sacrificial records of `heal` tell of nothing.
        .filter(|entry| entry.record.value.is_some() || entry.trace.is_some())
        .collect();
    let last = entries.iter().rposition(|entry| entry.is_visible).unwrap_or(0);
    entries.split_off(last)
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

fn place_of(topic: OutTopic) -> usize {
    OutTopic::ALL.iter().position(|one| *one == topic).expect("ALL lists every topic")
}
