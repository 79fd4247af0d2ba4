//! Kafka: the real implementation of [`Broker`], and the only importer of rdkafka.
//!
//! ```text
//!            +- group: the member; knows what is assigned, and its generation
//!   broker --+- consumer: reads assigned partitions from exact offsets, one queue each
//!            +- ends, progress: questions to leaders; reading of progress partitions
//!            +- producer (heal, redo): one transaction a batch, offsets fenced by the generation;
//!            |    each tells in its trace what it wrote, and what a broker lost of it is redone
//!   topics, create, delete, replay, letters, audit: for the commands that have no worker
//!   rebalance: what the members of both groups note when partitions come and go
//!   alerts: the topic of alerts, read back by a group of its own for the bridge
//!   owners: the ends of the progress topic, to find who has which shard
//!   feed: the demo's synthetic records, and its view of the alerts
//!   settings, client, failure: what is configured, what is logged, what an error means
//!   ffi: what the wrapper lacks; the only unsafe code
//! ```
//!
//! A worker has three clients: member, reader and producer (and a second reader once it has read
//! progress). All sleep on one pipe. Nothing here is retried in place, and nothing here knows a
//! shard's state.
//!
//! [`Broker`]: crate::pipeline::ports::Broker

mod alerts;
mod audit;
mod broker;
mod client;
mod consumer;
mod create;
mod delete;
mod deliveries;
mod ends;
mod failure;
mod feed;
mod ffi;
mod group;
mod heal;
mod last;
mod letters;
mod owners;
mod producer;
mod progress;
mod rebalance;
pub(crate) mod redo;
mod replay;
mod settings;
mod snapshots;
mod topics;
pub(crate) mod trace;

pub use alerts::KafkaAlertLog;
pub use audit::{AuditPartition, audit_spans, audited_shards, part_of, read_audit};
pub use broker::KafkaBroker;
pub use create::{Creation, TopicLayout, TopicPlan, TopicState, create_topics};
pub use delete::{delete_topics, has_members, topic_names};
pub use feed::{AlertTail, Feed, InputRecord};
pub use letters::{Requeuer, Returned, input_max_bytes, read_dead_letters};
pub use owners::ProgressTails;
pub use replay::{EachRecord, Span, input_partitions, read_inputs, read_progress_topic};
pub use settings::{
    KafkaConfig, OWNED_PROPERTIES, PropertyProblem, check_property, check_settings, owned_property,
};
pub use snapshots::{KafkaSnapshotLog, cluster_id};
pub use topics::{TopicFact, TopicFacts, TopicProblem, TopicsError, check_topics};

/// The version of the librdkafka that is linked in.
#[must_use]
pub fn librdkafka_version() -> String {
    rdkafka::util::get_rdkafka_version().1
}
