//! The pure core: what an Order Defect Rate is, and when it alerts.
//!
//! Everything here is a function of its arguments. There is no clock, no IO, no Kafka, no async,
//! no serde, no logging and no floating point in this module, on purpose: time comes in as
//! [`time::EventTime`] and [`time::RecordTime`] inside records, or as a boundary in a call, and
//! whatever a boundary brings comes out as one [`effects::Effects`] value.
//!
//! Reading order: [`time`] and [`ids`], [`event`] (what comes in), [`policy`] (what counts),
//! [`rate`] (exact arithmetic), `orders` and `defects` (merged facts), [`window`] (daily
//! buckets and running totals), [`boundary`] (which records belong together), `alerts` (levels,
//! cycles and explanations), [`shard`] (the only mutator), [`effects`] (what comes out), [`risk`]
//! (who is close to an alert), [`care`] (what can be done about defects), [`image`] (a shard's
//! state, out and in), [`look`] (what readers see).

pub(crate) mod accounts;
mod ahead;
pub(crate) mod alerts;
pub(crate) mod book;
pub mod boundary;
pub mod care;
pub(crate) mod changes;
pub(crate) mod defects;
pub mod effects;
mod evaluate;
pub mod event;
pub(crate) mod held_text;
pub mod ids;
pub mod image;
pub mod look;
mod names;
pub mod note;
pub(crate) mod orders;
pub mod policy;
pub mod rate;
pub mod risk;
pub mod shard;
mod tell;
#[cfg(test)]
mod tests;
pub(crate) mod texts;
pub mod time;
pub mod window;
