//! An in-memory broker with Kafka's rules: what tests run on, and the demo without a broker.
//!
//! [`Cluster`] is the broker as whoever drives it sees it: it takes records into the four inputs
//! (inside transactions too), shows the outputs, sets the clock, and makes things go wrong.
//! [`MemoryBroker`] is the same broker as one worker sees it, behind
//! [`Broker`](crate::pipeline::ports::Broker).
//!
//! What is as in Kafka: offsets with gaps after control and aborted records, the last stable
//! offset behind open transactions, group generations with eager rebalances and static members,
//! fencing by the epoch of a transactional id and by generation (per generation, not per
//! partition), offsets that are unstable while their transaction is open, log-append time of the
//! progress topic, commits whose answer is lost, ends that come late or not at all, markers that a
//! coordinator forgets (which the adapter's own redo then completes), transactions that time out,
//! logs that lose their ends, topics made anew. What is absent on purpose: replication,
//! compaction, and every clock and thread: time is set from outside, and a session times out when
//! the driver says so. `tests/kafka_adapter/same.rs` holds it against a real broker.
//!
//! Reading order: `log` (one partition), `group` (the coordinator's state machine), `state` (what
//! is kept), `transactions` (over both), `cluster` (the driver's handle), `member` (the worker's),
//! `faults`, `redo`. Apart from them, `store` is a store of snapshots, and `alert_log` a topic of
//! alerts for the bridge.

mod alert_log;
#[cfg(test)]
mod broken_tests;
mod cluster;
mod faults;
mod group;
mod log;
mod member;
mod redo;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod transactions;

pub use alert_log::{AlertTopic, MemoryAlertLog};
pub use cluster::Cluster;
pub use faults::CommitFault;
pub use log::{NewRecord, StoredRecord, TransactionEnd, TransactionNo};
pub use member::MemoryBroker;
pub use state::{ClusterConfig, LogName};
pub use store::{MemoryStore, StoreFault};
