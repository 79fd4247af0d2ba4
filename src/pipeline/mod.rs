//! The engine around the core: synchronous, generic over a [`ports::Broker`].
//!
//! [`worker`] is the turn; [`slot`] is a shard in it, [`lifecycle`] its states, [`restore`] how it
//! is opened, [`snapshots`] when its state is kept and [`desk`] with whom, [`idle`] how silence is
//! decided about, [`batch`] how effects become a transaction, [`stop`] why it ends, [`board`] what
//! the demo sees of it, [`query`] what readers do, [`alert_log`] what the bridge reads; [`inputs`],
//! [`marks`] and `loss` are how it is seen that a log is not the one of before.
//! [`replay`] is the bounded run over the same core,
//! [`summary`] what it comes to, [`audit`] holds what is committed against such a run, and
//! [`intake`] and [`decisions`] are what all share.
//! Absent on purpose: Kafka, HTTP, clocks and threads.

pub mod advice;
pub mod alert_log;
pub mod audit;
pub mod batch;
pub mod board;
pub mod breaker;
mod closing;
pub mod decisions;
pub mod desk;
pub mod idle;
pub mod inputs;
pub mod intake;
pub mod lifecycle;
mod loss;
pub mod marks;
mod observe;
pub mod ports;
pub mod query;
mod refusals;
pub mod replay;
pub mod restore;
pub mod slot;
pub mod snapshots;
pub mod stop;
pub mod summary;
mod topic_names;
mod trail;
pub mod worker;
