//! When a level goes up or down, and what an alert then says.
//!
//! [`levels`] and [`cycles`] decide, [`explain`] says why and what next, [`status`] gives an
//! account's standing. Invariants:
//! - I-16: a level is raised only when down and cleared only when up (edge-triggered).
//! - I-17: before + change = now, for orders and for defective orders.

pub(crate) mod cycles;
pub(crate) mod explain;
pub(crate) mod levels;
pub(crate) mod status;

pub(crate) use levels::Levels;
pub(crate) use status::StatusMark;
