//! Synthetic markets: what the demo shows, the benches read and the tests throw at the engine.
//!
//! Everything here is a function of a seed and of the times that are given in; there is no clock
//! and no floating point. All data are invented.
//!
//! - [`story`]: forty sellers with a story over 90 days, and live from then on (the demo).
//! - [`bulk`]: many plain events, cheaply (the benches).
//! - [`hostile`]: small, strange logs of all kinds (the correctness tests). It writes its JSON by
//!   its own hand, so that a habit of one generator does not hide a mistake from the other.
//!
//! Beneath them: `random` (numbers), `json` (bytes), `facts` (one record's value), `murmur2`
//! (partitions).

pub mod bulk;
mod facts;
pub mod hostile;
mod json;
pub mod murmur2;
pub mod random;
pub mod story;

use crate::domain::event::Topic;

pub use random::Random;

/// A record of a synthetic market, to be produced to the partition of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimRecord {
    /// The input topic.
    pub topic: Topic,
    /// The key: a seller's id.
    pub key: String,
    /// The record's Kafka timestamp, in ms since the epoch.
    pub timestamp_ms: i64,
    /// The value; empty for a tombstone (see [`SimRecord::is_tombstone`]).
    pub value: Vec<u8>,
}

impl SimRecord {
    /// Whether the value is to be produced as null. No synthetic record has an empty value.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.value.is_empty()
    }
}
