//! Snapshots: a shard's state at a committed boundary, kept where a restart finds it.
//!
//! [`format`] is what a snapshot looks like, [`keeper`] writes, finds and removes snapshots beside
//! the workers, over one of the stores: [`file_store`] and [`kafka_store`]; [`anchor`] is for who
//! begins with the oldest.
//!
//! Invariant: a snapshot only shortens a restore. Whatever is wrong with one, it is refused with
//! its reason, and an older one or the inputs take its place. Absent on purpose: Kafka itself (the
//! store over a topic is given a log), threads (`commands` starts the keeper's), and any knowledge
//! of how a shard's state is laid out in memory.

pub mod anchor;
pub mod file_store;
pub mod format;
pub mod kafka_store;
pub mod keeper;
#[cfg(test)]
mod tests;
