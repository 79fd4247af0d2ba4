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
//! Absent on purpose: any client. What a redo needs of brokers is [`Ledger`], which a real one has
//! (`broker`), and the in-memory one, so that faults nobody can make a real one do are tried there;
//! and transactions of other ids. Whoever bears the id redoes them at its start.

mod broker;

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use crate::pipeline::ports::{Header, OutTopic, SourceError};

use super::trace::{self, Place, Spans, Trace, Whole};
pub(super) use broker::redo;

/// How many offsets before the end of a progress partition are looked at first, and by how much
/// that grows while no committed record is among them.
const LOOK_BACK: (i64, i64) = (64, 16);

/// A record as it was written.
pub(crate) struct Copy {
    /// Where it is.
    pub(crate) place: Place,
    /// Its offset.
    pub(crate) offset: i64,
    /// Its key.
    pub(crate) key: Option<Vec<u8>>,
    /// Its value.
    pub(crate) value: Option<Vec<u8>>,
    /// Its headers.
    pub(crate) headers: Vec<Header>,
    /// Its timestamp, in ms.
    pub(crate) timestamp_ms: Option<i64>,
}

/// Records of some partitions, and which of all records between the same offsets are visible.
#[derive(Default)]
pub(crate) struct Seen {
    /// Those that were wanted, committed or not.
    pub(crate) records: BTreeMap<Place, Vec<Copy>>,
    /// Those that readers of committed records see.
    pub(crate) visible: BTreeSet<(Place, i64)>,
}

/// Where the records of the running transaction are.
#[derive(Default)]
pub(crate) struct Written {
    /// Those that are no progress records.
    pub(crate) outputs: Spans,
    /// The progress records.
    pub(crate) progress: Spans,
}

/// The outputs and the group's offsets, as the bearer of a transactional id can see and write them
/// when nothing of its own is open. Calls block for some seconds at most.
pub(crate) trait Ledger {
    /// The first offset of each of some partitions.
    fn firsts(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError>;

    /// The last stable offset of each of some partitions.
    fn stables(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError>;

    /// Reads between offsets, all of which lie before the last stable one.
    fn read(
        &mut self,
        spans: &BTreeMap<Place, (i64, i64)>,
        wanted: &dyn Fn(Place, i64) -> bool,
    ) -> Result<Seen, SourceError>;

    /// The progress number that the group's offsets have, for each of some shards.
    fn numbers(&mut self, shards: &[i32]) -> Result<Vec<Option<u64>>, SourceError>;

    /// Begins a transaction; returns when, in ms, which is later than `after`.
    fn begin(&mut self, after: i64) -> Result<i64, SourceError>;

    /// Writes a record to where another is, with its key and timestamp.
    fn send(
        &mut self,
        like: &Copy,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), SourceError>;

    /// Waits until all that was sent is delivered.
    fn delivered(&mut self) -> Result<Written, SourceError>;

    /// Commits, with the offsets that some traces tell.
    fn commit(&mut self, offsets: &[(i32, &Trace)]) -> Result<(), SourceError>;
}

/// A record of a progress partition that tells of a transaction.
struct Entry {
    record: Copy,
    trace: Option<Trace>,
    is_visible: bool,
}

/// The last committed record of each progress partition that tells of a transaction, and those
/// behind it that were not committed.
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

/// What came of a look at the last transactions of an id.
#[derive(Default)]
pub(crate) struct Redone {
    /// What was written.
    pub(crate) written: Spans,
    /// When the latest of them began, in ms; the next ones must say that they began later.
    pub(crate) latest: i64,
}

/// Looks at the last transactions of an id, and redoes the one that was committed in part, if there
/// is one.
pub(crate) fn complete(
    ledger: &mut impl Ledger,
    id: &str,
    partitions: &[i32],
) -> Result<Redone, SourceError> {
    let tails = tails(ledger, partitions)?;
    let own = tails.values().flatten().filter_map(|entry| entry.trace.as_ref());
    let began = own.filter(|trace| trace.id == id).map(|trace| trace.began);
    let mut redone = Redone { latest: began.max().unwrap_or(0), ..Redone::default() };
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
    for (lead, whole) in leads {
        if whole.shards.iter().any(|shard| settled.contains(shard)) {
            continue;
        }
        let Some(members) = members(&tails, lead, whole, id) else { continue };
        let found = look_at(ledger, lead, whole, members)?;
        if !found.was_committed() {
            continue;
        }
        settled.extend(whole.shards.iter().copied());
        if !found.is_complete() {
            write(ledger, &found, &mut redone)?;
        }
    }
    Ok(redone)
}

/// The ends of all progress partitions.
fn tails(ledger: &mut impl Ledger, partitions: &[i32]) -> Result<Tails, SourceError> {
    let topic = place_of(OutTopic::Progress);
    let places: Vec<Place> = partitions.iter().map(|number| (topic, *number)).collect();
    let low = ledger.firsts(&places)?;
    let stable = ledger.stables(&places)?;
    let mut tails = Tails::new();
    let mut back = LOOK_BACK.0;
    let mut left: BTreeSet<Place> = places.into_iter().collect();
    while !left.is_empty() {
        let spans: BTreeMap<Place, (i64, i64)> = left
            .iter()
            .map(|place| (*place, (low[place].max(stable[place] - back), stable[place])))
            .collect();
        let Seen { mut records, visible } = ledger.read(&spans, &|_, _| true)?;
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
    ledger: &mut impl Ledger,
    lead: &'a Trace,
    whole: &'a Whole,
    members: Vec<&'a Entry>,
) -> Result<Found<'a>, SourceError> {
    let mut spans = whole.outputs.bounds();
    let places: Vec<Place> = spans.keys().copied().collect();
    let low = ledger.firsts(&places)?;
    for (place, (from, _)) in &mut spans {
        // What was deleted meanwhile is gone for everybody.
        *from = (*from).max(low[place]);
    }
    let seen = ledger.read(&spans, &|place, offset| whole.outputs.has(place, offset))?;
    let (mut hidden, mut visible) = (Vec::new(), Spans::default());
    for record in seen.records.into_values().flatten() {
        if seen.visible.contains(&(record.place, record.offset)) {
            visible.add(record.place, record.offset);
        } else {
            hidden.push(record);
        }
    }
    let (has_offsets, behind) = offsets(ledger, &members)?;
    Ok(Found { lead, whole, members, hidden, visible, has_offsets, behind })
}

/// Whether the group has a transaction's offsets for one of its shards, and the shards for which
/// it has older ones, or none.
fn offsets(ledger: &mut impl Ledger, members: &[&Entry]) -> Result<(bool, Vec<i32>), SourceError> {
    let shards: Vec<i32> = members.iter().map(|entry| entry.record.place.1).collect();
    let numbers = ledger.numbers(&shards)?;
    let (mut has_offsets, mut behind) = (false, Vec::new());
    for (entry, number) in members.iter().zip(numbers) {
        let wanted = entry.trace.as_ref().map_or(0, |trace| trace.number);
        has_offsets |= number == Some(wanted);
        if number.is_none_or(|number| number < wanted) {
            behind.push(entry.record.place.1);
        }
    }
    Ok((has_offsets, behind))
}

/// Writes again what is not visible of a transaction.
fn write(
    ledger: &mut impl Ledger,
    found: &Found<'_>,
    redone: &mut Redone,
) -> Result<(), SourceError> {
    let (hidden, behind) = (found.hidden.len(), found.behind.len());
    let number = found.lead.number;
    warn!(
        shards = ?found.whole.shards, number, records = hidden, offsets = behind,
        "a broker committed a transaction in part: completing it"
    );
    let began = ledger.begin(redone.latest)?;
    redone.latest = began;
    for record in &found.hidden {
        ledger.send(record, record.value.as_deref(), &record.headers)?;
    }
    let mut outputs = ledger.delivered()?.outputs;
    redone.written.extend(&outputs);
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
        ledger.send(&entry.record, value, &headers)?;
    }
    let progress = ledger.delivered()?.progress;
    let is_behind = |shard: &i32| found.behind.contains(shard);
    let offsets: Vec<(i32, &Trace)> = found
        .members
        .iter()
        .filter_map(|entry| Some((entry.record.place.1, entry.trace.as_ref()?)))
        .filter(|(shard, _)| is_behind(shard))
        .collect();
    ledger.commit(&offsets)?;
    redone.written.extend(&progress);
    info!(shards = ?found.whole.shards, number, "the transaction is complete");
    Ok(())
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

fn place_of(topic: OutTopic) -> usize {
    OutTopic::ALL.iter().position(|one| *one == topic).expect("ALL lists every topic")
}
