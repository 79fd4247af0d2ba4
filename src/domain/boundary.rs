//! Which records belong together: watermarks, segments and pending records of a shard's inputs.
//!
//! ```text
//! one partition's log:   r0 r1 | r2 | r3 r4 r5 | r6 ...      | = the watermark passed kΔ
//! segments:              [k=7]  [8]   [10]       [11]        each ends at (next offset, w_p)
//! ```
//!
//! Invariants:
//! - I-1: the watermark of a partition never goes back.
//! - I-2: segments of a partition have ascending boundaries, so boundaries cut its log into
//!   consecutive pieces and a position is just `(next offset, w_p)`.
//! - I-3: a boundary is taken only when every watermark has reached it, so no later record can
//!   belong to it.
//!
//! Absent on purpose: the clock. A partition that is silent is moved on by a decision from outside.

use std::collections::VecDeque;

use super::event::{DeadReason, DefectEvent, DefectFact, OrderEvent, Topic};
use super::ids::{NextOffset, Offset, OrderId};
use super::note::NotedAt;
use super::texts::{Text, Texts};
use super::time::{Boundary, BoundaryLength, EventTime, RecordTime};

/// Where a partition's closed part ends: all that a restart needs to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The offset to continue from.
    pub next: NextOffset,
    /// The watermark there; `None` before the first record with a timestamp.
    pub watermark: Option<RecordTime>,
}

/// The seller's number in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SellerNo(pub(crate) u32);

/// The marketplace's number in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketplaceNo(pub(crate) u32);

/// An order id that waits: a number, or text where it has not Amazon's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitingOrderId {
    Amazon(u64),
    Other(Text),
}

impl WaitingOrderId {
    fn new(id: OrderId<'_>, texts: &mut Texts) -> Self {
        match id {
            OrderId::Amazon(number) => Self::Amazon(number),
            OrderId::Other(text) => Self::Other(texts.keep(text)),
        }
    }

    const fn text(self) -> Option<Text> {
        match self {
            Self::Amazon(_) => None,
            Self::Other(text) => Some(text),
        }
    }
}

/// An order event, compact. Its event time decides nothing, so it is not kept.
#[derive(Clone, Debug)]
pub(crate) struct WaitingOrder {
    pub seller: SellerNo,
    pub marketplace: MarketplaceNo,
    pub order: WaitingOrderId,
    pub purchase_time: EventTime,
    pub stated: super::orders::Stated,
}

/// A defect event, compact.
#[derive(Clone, Debug)]
pub(crate) struct WaitingDefect {
    pub seller: SellerNo,
    pub order: WaitingOrderId,
    pub event_time: EventTime,
    pub purchase_time: Option<EventTime>,
    pub reference: Option<Text>,
    pub fact: DefectFact,
    /// What somebody found in the record and wants kept with its fact.
    pub noted: Option<Box<NotedAt>>,
}

/// A record that waits for its boundary.
#[derive(Clone, Debug)]
pub(crate) enum Waiting {
    Order(WaitingOrder),
    Defect(WaitingDefect),
    Dead(Offset, DeadReason),
    Tombstone,
}

impl Waiting {
    pub(crate) fn order(
        seller: SellerNo,
        marketplace: MarketplaceNo,
        event: &OrderEvent<'_>,
        texts: &mut Texts,
    ) -> Self {
        Self::Order(WaitingOrder {
            seller,
            marketplace,
            order: WaitingOrderId::new(event.order, texts),
            purchase_time: event.purchase_time,
            stated: super::orders::Stated::new(event),
        })
    }

    pub(crate) fn defect(
        seller: SellerNo,
        event: &DefectEvent<'_>,
        noted: Option<Box<NotedAt>>,
        texts: &mut Texts,
    ) -> Self {
        Self::Defect(WaitingDefect {
            seller,
            order: WaitingOrderId::new(event.order, texts),
            event_time: event.event_time,
            purchase_time: event.purchase_time,
            reference: event.reference.map(|reference| texts.keep(reference.as_str())),
            fact: event.fact,
            noted,
        })
    }

    /// The first of its texts.
    fn text(&self) -> Option<Text> {
        match self {
            Self::Order(order) => order.order.text(),
            Self::Defect(defect) => defect.order.text().or(defect.reference),
            Self::Dead(..) | Self::Tombstone => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    boundary: Boundary,
    records: usize,
    end: Position,
}

/// One input partition: its watermark, what waits, and where its closed part ends.
#[derive(Clone, Debug)]
struct Lane {
    /// `w_p`; [`RecordTime`] at the end of time when the partition is finished.
    watermark: Option<RecordTime>,
    finished: bool,
    /// Records before the first timestamp; they belong to the first boundary that closes.
    unplaced: Vec<Waiting>,
    unplaced_end: NextOffset,
    waiting: VecDeque<Waiting>,
    /// What these records state as text, and the record that was taken last.
    texts: Texts,
    segments: VecDeque<Segment>,
    closed: Position,
    /// The offset after the last record taken in, for the check that offsets ascend.
    read_to: NextOffset,
}

impl Lane {
    fn new(start: NextOffset) -> Self {
        Self {
            watermark: None,
            finished: false,
            unplaced: Vec::new(),
            unplaced_end: start,
            waiting: VecDeque::new(),
            texts: Texts::default(),
            segments: VecDeque::new(),
            closed: Position { next: start, watermark: None },
            read_to: start,
        }
    }

    fn has_reached(&self, instant_ms: i64) -> bool {
        self.finished || self.watermark.is_some_and(|watermark| watermark.ms() >= instant_ms)
    }

    fn push(&mut self, record: Waiting, boundary: Boundary, end: Position) {
        self.waiting.push_back(record);
        match self.segments.back_mut() {
            Some(last) if last.boundary == boundary => {
                last.records += 1;
                last.end = end;
            }
            last => {
                // I-2: the watermark never goes back, so neither does the boundary.
                assert!(
                    last.is_none_or(|segment| segment.boundary < boundary),
                    "I-2: segments ascend"
                );
                self.segments.push_back(Segment { boundary, records: 1, end });
            }
        }
    }
}

/// The four input partitions of a shard.
#[derive(Clone, Debug)]
pub struct Inbox {
    length: BoundaryLength,
    lanes: [Lane; 4],
    waiting_records: usize,
}

impl Inbox {
    /// Begins at the given offsets, in the order of [`Topic::ALL`].
    #[must_use]
    pub fn new(length: BoundaryLength, start: [NextOffset; 4]) -> Self {
        Self { length, lanes: start.map(Lane::new), waiting_records: 0 }
    }

    /// Goes on at the given positions, in the order of [`Topic::ALL`], with nothing waiting.
    #[must_use]
    pub(crate) fn at(length: BoundaryLength, positions: [Position; 4]) -> Self {
        let lanes = positions.map(|closed| Lane { closed, ..Lane::new(closed.next) });
        let mut inbox = Self { length, lanes, waiting_records: 0 };
        inbox.rewind();
        inbox
    }

    /// The watermark of a partition; `None` before its first timestamp.
    #[must_use]
    pub fn watermark(&self, topic: Topic) -> Option<RecordTime> {
        self.lanes[topic.index()].watermark
    }

    /// Records that wait for their boundary.
    #[must_use]
    pub const fn waiting_records(&self) -> usize {
        self.waiting_records
    }

    /// Records of a topic that wait for their boundary.
    #[must_use]
    pub fn waiting_of(&self, topic: Topic) -> usize {
        let lane = &self.lanes[topic.index()];
        lane.waiting.len() + lane.unplaced.len()
    }

    /// Records of a topic that wait and have a place among those with a timestamp before them.
    pub(crate) fn placed_of(&self, topic: Topic) -> usize {
        self.lanes[topic.index()].waiting.len()
    }

    /// The offset after the last record taken in.
    #[must_use]
    pub fn read_to(&self, topic: Topic) -> NextOffset {
        self.lanes[topic.index()].read_to
    }

    /// Where a partition's closed part ends.
    #[must_use]
    pub fn closed(&self, topic: Topic) -> Position {
        self.lanes[topic.index()].closed
    }

    /// Bytes of what waits.
    pub(crate) fn bytes(&self) -> usize {
        let texts: usize = self.lanes.iter().map(|lane| lane.texts.bytes()).sum();
        self.waiting_records * size_of::<Waiting>() + texts
    }

    /// The texts of a topic's waiting records and of the one that [`Inbox::pop`] gave last.
    pub(crate) const fn texts(&self, topic: Topic) -> &Texts {
        &self.lanes[topic.index()].texts
    }

    /// Where the texts of a topic's next record are kept.
    pub(crate) const fn texts_mut(&mut self, topic: Topic) -> &mut Texts {
        &mut self.lanes[topic.index()].texts
    }

    /// Takes in a record: moves the watermark, and files the record under its boundary.
    pub(crate) fn push(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: Option<RecordTime>,
        record: Waiting,
    ) {
        let length = self.length;
        let lane = &mut self.lanes[topic.index()];
        assert!(
            offset.next() > lane.read_to,
            "offset {offset} of {} was read after {}",
            topic.as_str(),
            lane.read_to
        );
        assert!(!lane.finished, "{} is finished and reads on at {offset}", topic.as_str());
        lane.read_to = offset.next();
        // I-1: the largest record time so far.
        lane.watermark = lane.watermark.max(time);
        if let Some(watermark) = lane.watermark {
            let boundary = Boundary::of_watermark(watermark, length);
            let end = Position { next: offset.next(), watermark: Some(watermark) };
            lane.push(record, boundary, end);
        } else {
            lane.unplaced.push(record);
            lane.unplaced_end = offset.next();
        }
        self.waiting_records += 1;
    }

    /// Applies a decision: nothing of this partition before `next` can belong to a boundary after
    /// `boundary`, and what follows belongs to a later one.
    pub fn raise(&mut self, topic: Topic, next: NextOffset, boundary: Boundary) {
        let reached = RecordTime::from_ms(boundary.ms(self.length));
        let lane = &mut self.lanes[topic.index()];
        if lane.watermark.is_some_and(|watermark| watermark >= reached) {
            return;
        }
        assert!(next >= lane.read_to, "a decision at {next} lies before what was read");
        lane.watermark = Some(reached);
        lane.read_to = next;
        let end = Position { next, watermark: Some(reached) };
        match lane.segments.back_mut() {
            Some(last) if last.boundary == boundary => last.end = end,
            // Nothing waits: the closed part itself now ends here.
            None if lane.unplaced.is_empty() => lane.closed = end,
            _ => lane.segments.push_back(Segment { boundary, records: 0, end }),
        }
    }

    /// Says that a partition has no more records: it holds no boundary back any more.
    pub fn finish(&mut self, topic: Topic) {
        self.lanes[topic.index()].finished = true;
    }

    /// The first boundary that has something waiting.
    #[must_use]
    pub fn first_waiting(&self) -> Option<Boundary> {
        self.lanes.iter().filter_map(|lane| lane.segments.front()).map(|s| s.boundary).min()
    }

    /// The last boundary that has something waiting.
    #[must_use]
    pub fn last_waiting(&self) -> Option<Boundary> {
        self.lanes.iter().filter_map(|lane| lane.segments.back()).map(|s| s.boundary).max()
    }

    /// Whether records without any timestamp before them wait for the first boundary to close.
    #[must_use]
    pub fn has_unplaced(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.unplaced.is_empty())
    }

    /// Whether all four watermarks have reached a boundary.
    #[must_use]
    pub fn can_close(&self, boundary: Boundary) -> bool {
        let instant = boundary.ms(self.length);
        self.lanes.iter().all(|lane| lane.has_reached(instant))
    }

    /// Whether a partition's watermark has reached a boundary.
    #[must_use]
    pub fn has_reached(&self, topic: Topic, boundary: Boundary) -> bool {
        self.lanes[topic.index()].has_reached(boundary.ms(self.length))
    }

    /// Begins to take a boundary's segment of a topic: moves the closed position to its end and
    /// tells how many records it has, which [`Inbox::pop`] then gives.
    pub(crate) fn open_segment(&mut self, topic: Topic, boundary: Boundary) -> usize {
        let lane = &mut self.lanes[topic.index()];
        let unplaced = std::mem::take(&mut lane.unplaced);
        let mut records = unplaced.len();
        if records > 0 {
            lane.closed.next = lane.unplaced_end;
        }
        for record in unplaced.into_iter().rev() {
            lane.waiting.push_front(record);
        }
        while let Some(segment) = lane.segments.front() {
            // A segment without records is a decision: it goes with what lies before it.
            if segment.boundary > boundary && segment.records > 0 {
                break;
            }
            records += segment.records;
            lane.closed = segment.end;
            lane.segments.pop_front();
        }
        records
    }

    /// Says who the seller of a waiting record is, counted from the first one.
    pub(crate) fn set_seller(&mut self, topic: Topic, place: usize, number: SellerNo) {
        match &mut self.lanes[topic.index()].waiting[place] {
            Waiting::Order(WaitingOrder { seller, .. })
            | Waiting::Defect(WaitingDefect { seller, .. }) => *seller = number,
            Waiting::Dead(..) | Waiting::Tombstone => {}
        }
    }

    /// The first waiting records of a topic, in offset order; there are at least `count`.
    pub(crate) fn waiting_first(
        &self,
        topic: Topic,
        count: usize,
    ) -> impl Iterator<Item = &Waiting> {
        self.lanes[topic.index()].waiting.range(..count)
    }

    /// Takes the first waiting record of a topic.
    pub(crate) fn pop(&mut self, topic: Topic) -> Waiting {
        self.waiting_records -= 1;
        let lane = &mut self.lanes[topic.index()];
        let record = lane.waiting.pop_front();
        let record = record.expect("a segment counts the records that wait for it");
        if let Some(text) = record.text() {
            lane.texts.give_back_before(text);
        }
        record
    }

    /// Forgets what waits and goes back to the closed positions, as a restart does.
    pub fn rewind(&mut self) {
        self.waiting_records = 0;
        for lane in &mut self.lanes {
            *lane = Lane {
                watermark: lane.closed.watermark,
                closed: lane.closed,
                read_to: lane.closed.next,
                ..Lane::new(lane.closed.next)
            };
        }
    }
}

#[cfg(test)]
mod tests;
