//! Kafka's murmur2 partitioner, which chooses the partition of a simulated record.

pub use crate::wire::partition::murmur2_partition as partition_of;
