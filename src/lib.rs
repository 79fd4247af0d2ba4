//! odrwatch: the live, exact and reproducible Order Defect Rate of marketplace sellers.
//!
//! ```text
//! poll -> record -> decode -> event -> its boundary -> (it closes) merge into the shard
//!    -> evaluate what was touched -> effects -> batch -> one transaction
//! ```
//!
//! [`domain`] is the pure core: facts, boundaries, alerts. [`wire`] knows bytes, [`pipeline`] is
//! the synchronous engine over a broker's ports, [`kafka`] and [`testing`] are the two brokers,
//! [`advice`] judges comments, [`sim`] is the synthetic markets, [`config`] the configuration,
//! [`telemetry`] and [`http`] what machines see, [`bridge`] sends alerts on, [`commands`] what
//! people start. Left may import
//! right, never back:
//!
//! ```text
//! main -> commands -> {bridge, config, http, kafka, snapshot, sim, testing} -> pipeline
//!      -> {wire, advice} -> domain
//! ```
//!
//! `docs/ARCHITECTURE.md` says more, and `tests/tidy.rs` holds it.

pub mod advice;
pub mod bridge;
pub mod commands;
pub mod config;
pub mod domain;
pub mod http;
pub mod kafka;
pub mod pipeline;
pub mod sim;
pub mod snapshot;
pub mod telemetry;
pub mod testing;
pub mod wire;
