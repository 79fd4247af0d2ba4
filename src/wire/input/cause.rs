//! Why a record became a dead letter, in words: what an operator reads in its headers.
//!
//! Invariant: a message names fields, limits and places, and never holds a byte of the record,
//! for what a buyer wrote may be in it.

use std::fmt;

use crate::domain::event::{DeadReason, Topic};

use super::field::Field;

/// Why a record became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetterCause {
    pub(super) topic: Topic,
    pub(super) fault: Fault,
}

/// What is wrong, as exactly as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLarge { limit: usize },
    SchemaFramed,
    Empty,
    NotUtf8,
    NotJson { at: usize },
    TooDeep { at: usize },
    UnpairedInName,
    UnpairedInField(Field),
    Duplicate(Field),
    Missing(Field),
    NotAnObject,
    Bad(Field),
    Misrouted { expected: u32 },
    NoTimestamp,
    EventTimeTooEarly,
    EventTimeTooLate { ahead_ms: i64 },
    PurchaseInFuture { ahead_ms: i64 },
}

impl DeadLetterCause {
    /// The reason that is counted.
    #[must_use]
    pub const fn reason(self) -> DeadReason {
        match self.fault {
            Fault::TooLarge { .. } => DeadReason::TooLarge,
            Fault::SchemaFramed => DeadReason::SchemaFramed,
            Fault::Empty
            | Fault::NotUtf8
            | Fault::NotJson { .. }
            | Fault::TooDeep { .. }
            | Fault::UnpairedInName
            | Fault::UnpairedInField(_) => DeadReason::Parse,
            Fault::Duplicate(_) => DeadReason::DuplicateKey,
            Fault::Missing(_) => DeadReason::MissingField,
            Fault::NotAnObject | Fault::Bad(_) => DeadReason::BadValue,
            Fault::Misrouted { .. } => DeadReason::Misrouted,
            Fault::NoTimestamp | Fault::EventTimeTooEarly | Fault::EventTimeTooLate { .. } => {
                DeadReason::BadTime
            }
            Fault::PurchaseInFuture { .. } => DeadReason::PurchaseInFuture,
        }
    }

    /// The field that is at fault, where it is one.
    #[must_use]
    pub const fn field(self) -> Option<Field> {
        match self.fault {
            Fault::UnpairedInField(field)
            | Fault::Duplicate(field)
            | Fault::Missing(field)
            | Fault::Bad(field) => Some(field),
            _ => None,
        }
    }
}

impl fmt::Display for DeadLetterCause {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.reason().as_str())?;
        match self.fault {
            Fault::TooLarge { limit } => write!(out, "the value has more than {limit} bytes"),
            Fault::SchemaFramed => out.write_str(
                "the first byte is 0x00, as in the framing of a schema registry; \
                 the values must be plain JSON",
            ),
            Fault::Empty => out.write_str("the value is empty"),
            Fault::NotUtf8 => out.write_str("the value is not UTF-8"),
            Fault::NotJson { at } => write!(out, "not JSON at byte {at}"),
            Fault::TooDeep { at } => write!(out, "nested deeper than 127 levels at byte {at}"),
            Fault::UnpairedInName => out.write_str("an unpaired surrogate in a name"),
            Fault::UnpairedInField(field) => {
                write!(out, "an unpaired surrogate in {}", field.as_str())
            }
            Fault::Duplicate(field) | Fault::Missing(field) => out.write_str(field.as_str()),
            Fault::NotAnObject => out.write_str("the value is not a JSON object"),
            Fault::Bad(field) => {
                write!(out, "{}: expected {}", field.as_str(), field.expected(self.topic))
            }
            Fault::Misrouted { expected } => {
                write!(out, "seller_id belongs to partition {expected}")
            }
            Fault::NoTimestamp => out.write_str("the record has no timestamp"),
            Fault::EventTimeTooEarly => out.write_str("event_time: before 2000-01-01"),
            Fault::EventTimeTooLate { ahead_ms } => {
                write!(out, "event_time: more than {ahead_ms} ms later than the record's timestamp")
            }
            Fault::PurchaseInFuture { ahead_ms } => {
                write!(out, "purchase_date: more than {ahead_ms} ms later than the event time")
            }
        }
    }
}

/// The message of a dead letter, such as `missing_field: seller_id`.
#[must_use]
pub fn explain(cause: DeadLetterCause) -> String {
    cause.to_string()
}
