//! Input records: from the bytes of a value to an event, or to the first reason why not.
//!
//! Invariants: of the reasons that apply to a record, the first in the order of SEMANTICS
//! section 2 is given, over the whole record; an event borrows from the record, and from the
//! decoder only what was written with escapes. Absent on purpose: tombstones, which the caller
//! counts, and all that needs the state of a shard.
//!
//! ```text
//! value ──UTF-8──> quick: serde_json ──> fields ──> questions ──all good──────────────> event
//!                    └──anything else──> exact: scanner ──> fields ──> questions ──┬──> event
//!                                                                                  └──> reason
//! ```
//!
//! UTF-8 is checked once for both. The questions are the same for both, asked in the order of the
//! reasons; but only the exact path's answer is a reason.

mod cause;
mod chargeback;
mod claim;
mod common;
mod feedback;
mod field;
mod fields;
#[cfg(test)]
mod mutations;
mod order;
mod quick;
#[cfg(test)]
mod quick_tests;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use cause::{DeadLetterCause, explain};
pub use field::Field;

use crate::domain::event::{Event, Topic};
use crate::domain::time::{EventTime, RecordTime};

use super::partition::{Partitioner, partition_of};
use cause::Fault;
use common::Common;
use fields::Fields;

/// 2000-01-01T00:00:00Z: an event time before it is an error of units or of a default.
const EARLIEST_EVENT_MS: i64 = 946_684_800_000;

/// What records are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest value, in bytes.
    pub max_record_bytes: usize,
    /// How far an event time may be later than its record's time.
    pub max_ahead_ms: i64,
    /// How far an order's purchase may be later than its event time.
    pub purchase_ahead_ms: i64,
    /// How the producers choose partitions.
    pub partitioner: Partitioner,
    /// How many partitions each input topic has.
    pub partitions: u32,
}

impl Limits {
    /// The defaults of SEMANTICS section 2 for a number of partitions.
    #[must_use]
    pub const fn with_partitions(partitions: u32) -> Self {
        Self {
            max_record_bytes: 1 << 20,
            max_ahead_ms: 3_600_000,
            purchase_ahead_ms: 86_400_000,
            partitioner: Partitioner::Murmur2,
            partitions,
        }
    }
}

/// Decodes records; keeps the memory that strings with escapes need.
#[derive(Debug, Default)]
pub struct Decoder {
    scratch: String,
}

impl Decoder {
    /// A decoder without memory yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { scratch: String::new() }
    }

    /// Decodes the value of a record of a topic and partition, whose record time is given.
    ///
    /// # Errors
    /// The first reason why the record is a dead letter.
    #[inline]
    pub fn decode<'a>(
        &'a mut self,
        topic: Topic,
        value: &'a [u8],
        record_time: Option<RecordTime>,
        partition: u32,
        limits: &Limits,
    ) -> Result<Event<'a>, DeadLetterCause> {
        let place = Place { topic, record_time, partition, limits };
        let event = text_of(value, limits).and_then(|text| match quick(text, &place) {
            Some(event) => Ok(event),
            None => exact(text, &place, &mut self.scratch),
        });
        event.map_err(|fault| DeadLetterCause { topic, fault })
    }

    /// The same by the exact path alone: what [`Decoder::decode`] is compared with.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_exactly<'a>(
        &'a mut self,
        topic: Topic,
        value: &'a [u8],
        record_time: Option<RecordTime>,
        partition: u32,
        limits: &Limits,
    ) -> Result<Event<'a>, DeadLetterCause> {
        let place = Place { topic, record_time, partition, limits };
        text_of(value, limits)
            .and_then(|text| exact(text, &place, &mut self.scratch))
            .map_err(|fault| DeadLetterCause { topic, fault })
    }
}

/// What the buyer wrote in a record of the feedback topic that was decoded; empty where nothing.
///
/// The record is looked through once more, so that records of which nobody asks this cost nothing.
#[must_use]
pub fn comment_of(value: &[u8]) -> String {
    let mut scratch = String::new();
    let mut fields = Fields::new();
    let Ok(text) = std::str::from_utf8(value) else { return String::new() };
    match fields.scan(text, Topic::Feedback, &mut scratch) {
        Ok(()) => fields.comment(),
        Err(_) => String::new(),
    }
}

/// Where a record was read, and what it is held to.
struct Place<'l> {
    topic: Topic,
    record_time: Option<RecordTime>,
    partition: u32,
    limits: &'l Limits,
}

/// The event of a record that is plainly good; `None` where it must be looked at exactly.
#[inline]
fn quick<'a>(text: &'a str, place: &Place<'_>) -> Option<Event<'a>> {
    let mut fields = Fields::new();
    quick::read(text, place.topic, &mut fields)?;
    event_of(&fields, place).ok()
}

/// The event of a record, or the first reason why there is none.
#[cold]
fn exact<'a>(
    text: &'a str,
    place: &Place<'_>,
    scratch: &'a mut String,
) -> Result<Event<'a>, Fault> {
    let mut fields = Fields::new();
    fields.scan(text, place.topic, scratch)?;
    event_of(&fields, place)
}

/// The event that the known fields make, or the first reason after `duplicate_key` why not.
#[expect(clippy::inline_always, reason = "an event is large: it is built where it goes")]
#[inline(always)]
fn event_of<'a>(fields: &Fields<'a>, place: &Place<'_>) -> Result<Event<'a>, Fault> {
    let Place { topic, record_time, partition, limits } = *place;
    fields.require(required(topic))?;
    // Without a record time the record is dead in any case, but not before it is read.
    let recorded = record_time.map_or(EARLIEST_EVENT_MS, RecordTime::ms);
    let common = Common::read(fields, EventTime::from_ms(recorded))?;
    let event = match topic {
        Topic::Orders => order::read(fields, &common)?,
        Topic::Feedback => common.defect(None, feedback::read(fields)?),
        Topic::Claims => {
            let (reference, fact) = claim::read(fields)?;
            common.defect(reference, fact)
        }
        Topic::Chargebacks => {
            let (reference, fact) = chargeback::read(fields)?;
            common.defect(reference, fact)
        }
    };
    check_partition(&common, partition, limits)?;
    let record_time = record_time.ok_or(Fault::NoTimestamp)?;
    check_times(topic, &common, record_time, limits)?;
    Ok(event)
}

/// What records of a topic must have.
const fn required(topic: Topic) -> &'static [Field] {
    match topic {
        Topic::Orders => &order::REQUIRED,
        Topic::Feedback => &feedback::REQUIRED,
        Topic::Claims => &claim::REQUIRED,
        Topic::Chargebacks => &chargeback::REQUIRED,
    }
}

/// The value as text, if it can be JSON at all.
#[inline]
fn text_of<'a>(value: &'a [u8], limits: &Limits) -> Result<&'a str, Fault> {
    if value.len() > limits.max_record_bytes {
        return Err(Fault::TooLarge { limit: limits.max_record_bytes });
    }
    match value.first() {
        None => Err(Fault::Empty),
        Some(0) => Err(Fault::SchemaFramed),
        Some(_) => simdutf8::basic::from_utf8(value).map_err(|_| Fault::NotUtf8),
    }
}

#[inline]
fn check_partition(common: &Common<'_>, partition: u32, limits: &Limits) -> Result<(), Fault> {
    if limits.partitioner == Partitioner::Off {
        return Ok(());
    }
    let expected = partition_of(limits.partitioner, common.seller.as_str(), limits.partitions);
    if expected == partition { Ok(()) } else { Err(Fault::Misrouted { expected }) }
}

#[inline]
fn check_times(
    topic: Topic,
    common: &Common<'_>,
    record_time: RecordTime,
    limits: &Limits,
) -> Result<(), Fault> {
    let event_ms = common.event_time.ms();
    if event_ms < EARLIEST_EVENT_MS {
        return Err(Fault::EventTimeTooEarly);
    }
    if event_ms > record_time.ms().saturating_add(limits.max_ahead_ms) {
        return Err(Fault::EventTimeTooLate { ahead_ms: limits.max_ahead_ms });
    }
    let latest_purchase = event_ms.saturating_add(limits.purchase_ahead_ms);
    match common.purchase_time {
        Some(purchase) if topic == Topic::Orders && purchase.ms() > latest_purchase => {
            Err(Fault::PurchaseInFuture { ahead_ms: limits.purchase_ahead_ms })
        }
        _ => Ok(()),
    }
}
