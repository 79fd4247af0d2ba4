//! What odrwatch tells about itself: metrics, health, logs and progress.
//!
//! Owns [`declarations`] (every metric, declared once), [`metrics`] and [`shard_metrics`] (counting
//! them), [`process`] (what the operating system says about this process), [`health`] (which shard
//! is in which state, and whether the whole is ready), [`logging`], [`progress`] (of one piece of
//! work) and [`shard_progress`] (of all shards).
//!
//! Invariants: a label's values are an enum, a partition number or a fact about the build, never an
//! order, and a seller on `/metrics/sellers` only; every metric that exists is in
//! [`declarations::ALL`] or [`seller_metrics::SELLERS`]. Absent on purpose: a
//! clock (time comes in as an argument) and anything that the core or the wire could call.

pub mod bridge_metrics;
pub mod declarations;
pub mod health;
pub mod http_metrics;
pub mod labels;
pub mod logging;
pub mod metrics;
pub mod outside;
pub mod process;
pub mod progress;
mod registrar;
mod removal;
pub mod seller_metrics;
pub mod shard_metrics;
pub mod shard_progress;
pub mod snapshot_metrics;

pub use health::{HealthBoard, Readiness, ShardState, WorkerNo, WorkerState};
pub use labels::{Band, DecisionKind, ShardPhase, Stage};
pub use metrics::{BuildInfo, Metrics};
pub use progress::Progress;
pub use shard_metrics::{Held, ShardMetrics};
pub use shard_progress::ShardProgress;
