//! The configuration as it is written: every key with its default, its range and its meaning.
//!
//! These types are the one source of the keys. The list of known keys, their types, ranges and
//! defaults are read from their JSON Schema (`keys.rs`); the published schema is the same one.
//! Invariants: every field has a doc comment, which becomes the key's description, and is named
//! in `config/odrwatch.yaml`. Absent on purpose: `Debug` (properties may hold secrets) and any
//! check that needs two keys (`checked.rs`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::properties::Secret;
use super::raw_bridge::{RawBridge, RawMetrics};
use super::raw_policy::RawPolicy;

/// The configuration of odrwatch.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "odrwatch configuration")]
pub(super) struct RawConfig {
    /// The Kafka cluster, its topics and this member of the consumer group.
    pub kafka: RawKafka,
    /// The processing: threads, boundaries, limits.
    pub engine: RawEngine,
    /// What is said about what can be done against defects.
    pub advice: RawAdvice,
    /// Where the state is kept so that a restart need not read everything again.
    pub snapshots: RawSnapshots,
    /// The HTTP endpoint for metrics, probes and queries.
    pub http: RawHttp,
    /// Where alerts are sent on to.
    pub bridge: RawBridge,
    /// What machines are told beyond `/metrics`.
    pub metrics: RawMetrics,
    /// What is logged, and how.
    pub log: RawLog,
    /// What counts as a defect and when it alerts.
    pub policy: RawPolicy,
}

/// The Kafka cluster, its topics and this member of the consumer group.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawKafka {
    /// Brokers to ask first, as host:port, separated by commas.
    pub bootstrap_servers: String,
    /// Settings of the Kafka client (librdkafka) by their own names, passed on unchanged; names
    /// that odrwatch sets itself are refused.
    pub properties: BTreeMap<String, Secret>,
    /// Settings of the Kafka client whose value is the content of a file, for secrets: name of the
    /// setting to path of the file. One line end at the end of the file is dropped.
    pub properties_file: BTreeMap<String, String>,
    /// Consumer group; also the prefix of the transactional ids. One group is one odrwatch.
    pub group: String,
    /// Name of this process in its group; must be the same after a restart and different from
    /// every other process's. Default: the host name.
    pub instance: Option<String>,
    /// Names of the topics.
    pub topics: RawTopics,
    /// Memory for records fetched ahead, in kilobytes for each worker; it is divided among the
    /// worker's input partitions.
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub queue_memory_kbytes: u64,
    /// Milliseconds after which the broker aborts a transaction that was left open; at most the
    /// broker's transaction.max.timeout.ms.
    #[schemars(range(min = 1000, max = 900_000))]
    pub transaction_timeout_ms: u64,
    /// Milliseconds without a heartbeat after which the group gives this member's partitions to
    /// others; within the broker's group.min.session.timeout.ms and group.max.session.timeout.ms.
    #[schemars(range(min = 1000, max = 300_000))]
    pub session_timeout_ms: u64,
    /// Milliseconds between heartbeats; below `session_timeout_ms`.
    #[schemars(range(min = 100, max = 60_000))]
    pub heartbeat_interval_ms: u64,
}

impl Default for RawKafka {
    fn default() -> Self {
        Self {
            bootstrap_servers: "localhost:9092".to_owned(),
            properties: BTreeMap::new(),
            properties_file: BTreeMap::new(),
            group: "odrwatch".to_owned(),
            instance: None,
            topics: RawTopics::default(),
            queue_memory_kbytes: 65_536,
            transaction_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            heartbeat_interval_ms: 500,
        }
    }
}

/// Names of the topics.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTopics {
    /// Input: orders and their changes.
    pub orders: String,
    /// Input: feedback and its changes.
    pub feedback: String,
    /// Input: A-to-z claims and their changes.
    pub claims: String,
    /// Input: credit-card chargebacks and their changes.
    pub chargebacks: String,
    /// Output: alerts, with as many partitions as the inputs.
    pub alerts: String,
    /// Output: the standing of each account; compacted.
    pub status: String,
    /// Output: records that could not be processed, untouched, with the reason in headers.
    pub dead_letters: String,
    /// Output: progress and decisions, with as many partitions as the inputs.
    pub progress: String,
    /// Output: advice on each defect, if `advice.enabled`; compacted, with as many partitions as
    /// the inputs.
    pub advice: String,
    /// Snapshots of the state, if `snapshots.store` is kafka; compacted, with as many partitions
    /// as the inputs.
    pub snapshots: String,
}

impl Default for RawTopics {
    fn default() -> Self {
        Self {
            orders: "orders".to_owned(),
            feedback: "feedback".to_owned(),
            claims: "claims".to_owned(),
            chargebacks: "chargebacks".to_owned(),
            alerts: "odr-alerts".to_owned(),
            status: "odr-status".to_owned(),
            dead_letters: "odr-dead-letters".to_owned(),
            progress: "odr-progress".to_owned(),
            advice: "odr-advice".to_owned(),
            snapshots: "odr-snapshots".to_owned(),
        }
    }
}

/// The processing: threads, boundaries, limits.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEngine {
    /// Worker threads of this process; each is a member of the group. More processes do as well.
    #[schemars(range(min = 1, max = 256))]
    pub workers: u64,
    /// Milliseconds of record time between two boundaries, at which alerts are decided; divides
    /// 900000 (15 minutes).
    #[schemars(range(min = 1, max = 900_000))]
    pub boundary_ms: u64,
    /// Milliseconds without a record after which a topic's partition may be found idle.
    #[schemars(range(min = 1, max = 60_000))]
    pub idle_after_ms: u64,
    /// Bytes of a record's value above which it becomes a dead letter.
    #[schemars(range(min = 1, max = 67_108_864))]
    pub max_record_bytes: u64,
    /// Milliseconds by which an event's time may be later than its record's.
    #[schemars(range(min = 0, max = 31_536_000_000_u64))]
    pub max_ahead_ms: u64,
    /// Milliseconds by which a record's time may be ahead of the wall clock before the clock's
    /// reading is taken in its place.
    #[schemars(range(min = 0, max = 86_400_000))]
    pub max_clock_ahead_ms: u64,
    /// Milliseconds by which an order's purchase may be later than its event.
    #[schemars(range(min = 0, max = 31_536_000_000_u64))]
    pub purchase_ahead_ms: u64,
    /// How the producers choose the partition of a seller; a record elsewhere is a dead letter.
    pub partitioner: Partitioner,
    /// From when alerts are written at the first start: live (after catching up), earliest, or a
    /// time in RFC 3339. Default: live, and earliest for replays.
    pub alerts_from: Option<String>,
    /// Milliseconds between two transactions at most, while there is something to commit.
    #[schemars(range(min = 0, max = 60_000))]
    pub commit_interval_ms: u64,
    /// Orders that one shard may hold; above it the shard stops, and nothing is evicted.
    #[schemars(range(min = 1, max = 4_000_000_000_u64))]
    pub max_orders: u64,
    /// Defects whose order is not known yet that one shard may hold; above it the shard stops.
    #[schemars(range(min = 1, max = 4_000_000_000_u64))]
    pub max_orphans: u64,
    /// Records that may wait in one shard for their boundary to close; above it the shard stops.
    #[schemars(range(min = 1, max = 4_000_000_000_u64))]
    pub max_pending_records: u64,
    /// Accounts (seller and marketplace) that one shard may hold; above it the shard stops.
    #[schemars(range(min = 1, max = 4_000_000_000_u64))]
    pub max_accounts: u64,
    /// Percentage of dead letters among a topic's last 1000 records above which the shard stops;
    /// 0 never stops it.
    #[schemars(range(min = 0, max = 100))]
    pub dead_letter_breaker_percent: u64,
}

impl Default for RawEngine {
    fn default() -> Self {
        Self {
            workers: 1,
            boundary_ms: 5000,
            idle_after_ms: 1000,
            max_record_bytes: 1_048_576,
            max_ahead_ms: 3_600_000,
            max_clock_ahead_ms: 10_000,
            purchase_ahead_ms: 86_400_000,
            partitioner: Partitioner::Murmur2,
            alerts_from: None,
            commit_interval_ms: 100,
            max_orders: 50_000_000,
            max_orphans: 1_000_000,
            max_pending_records: 1_000_000,
            max_accounts: 1_000_000,
            dead_letter_breaker_percent: 50,
        }
    }
}

/// How producers choose the partition of a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// murmur2 of the key, as Kafka's own producers do.
    Murmur2,
    /// CRC32 of the key, librdkafka's `consistent`.
    Consistent,
    /// Not checked: any partition is taken as the seller's.
    Off,
}

impl Partitioner {
    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Murmur2 => "murmur2",
            Self::Consistent => "consistent",
            Self::Off => "off",
        }
    }
}

/// What is said about what can be done against defects. The terms are the marketplace's.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAdvice {
    /// Whether advice is given. It costs reading the comments of negative feedback, and its topic.
    pub enabled: bool,
    /// Whether the advice quotes what buyers wrote; without, it names places in their comments.
    pub quote_evidence: bool,
    /// Days after a feedback in which its removal can be asked for.
    #[schemars(range(min = 1, max = 400))]
    pub removal_request_days: u64,
    /// Days after a feedback in which its buyer can edit or withdraw it.
    #[schemars(range(min = 1, max = 400))]
    pub buyer_edit_days: u64,
    /// Hours after a claim in which it is answered.
    #[schemars(range(min = 1, max = 9600))]
    pub claim_answer_hours: u64,
    /// Days after the grant of a claim in which it can be appealed against.
    #[schemars(range(min = 1, max = 400))]
    pub claim_appeal_days: u64,
    /// Days after a chargeback in which it is answered.
    #[schemars(range(min = 1, max = 400))]
    pub chargeback_answer_days: u64,
}

impl Default for RawAdvice {
    fn default() -> Self {
        Self {
            enabled: true,
            quote_evidence: true,
            removal_request_days: 90,
            buyer_edit_days: 60,
            claim_answer_hours: 48,
            claim_appeal_days: 30,
            chargeback_answer_days: 7,
        }
    }
}

/// Where the state is kept so that a restart need not read everything again.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSnapshots {
    /// Where snapshots are kept: kafka (the topic `kafka.topics.snapshots`), `file:///DIRECTORY`,
    /// or off.
    pub store: String,
    /// Milliseconds between two snapshots of a shard, if it moved meanwhile.
    #[schemars(range(min = 100, max = 86_400_000))]
    pub interval_ms: u64,
    /// Snapshots of each shard that are kept.
    #[schemars(range(min = 1, max = 100))]
    pub keep: u64,
}

impl Default for RawSnapshots {
    fn default() -> Self {
        Self { store: "kafka".to_owned(), interval_ms: 60_000, keep: 2 }
    }
}

/// The HTTP endpoint for metrics, probes and queries.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawHttp {
    /// Address and port to listen on; port 0 takes a free one. An address that other machines
    /// reach needs `token_file`, or `insecure`.
    pub listen: String,
    /// Host and port under which the other members reach this process; it is written into the
    /// progress records. Default: the address that is listened on, unless that is every address.
    pub advertise: Option<String>,
    /// File with the token that the API asks for, 16 to 1024 visible ASCII characters; one line end
    /// at its end is dropped. Without it, the API answers everybody who reaches the address.
    pub token_file: Option<String>,
    /// Lets the API answer on an address that other machines reach without asking for a token:
    /// something else keeps out who may not read it.
    pub insecure: bool,
    /// Names under which browsers and programs reach the pages and the API, beside localhost and
    /// the listen address, separated by commas; without ports.
    pub allowed_hosts: String,
}

impl Default for RawHttp {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9464".to_owned(),
            advertise: None,
            token_file: None,
            insecure: false,
            allowed_hosts: String::new(),
        }
    }
}

/// What is logged, and how.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    /// Form of the log lines; auto is text on a terminal and JSON elsewhere.
    pub format: LogFormat,
    /// Least severity that is logged.
    pub level: LogLevel,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { format: LogFormat::Auto, level: LogLevel::Info }
    }
}

/// The form of log lines.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The least severity that is logged.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// A person must act.
    Error,
    /// Odd, but handled.
    Warn,
    /// Life cycle.
    Info,
    /// Per batch.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All levels, from few lines to many.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }

    /// The level `louder` steps further (`-v`) and `quieter` steps back (`-q`), within the five.
    #[must_use]
    pub fn shifted(self, louder: u8, quieter: u8) -> Self {
        let here =
            Self::ALL.iter().position(|level| *level == self).expect("ALL lists every level");
        let there = (here + usize::from(louder)).saturating_sub(usize::from(quieter));
        Self::ALL[there.min(Self::ALL.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_shift_within_the_five() {
        assert_eq!(LogLevel::Info.shifted(1, 0), LogLevel::Debug);
        assert_eq!(LogLevel::Info.shifted(9, 0), LogLevel::Trace);
        assert_eq!(LogLevel::Info.shifted(0, 2), LogLevel::Error);
        assert_eq!(LogLevel::Info.shifted(0, 9), LogLevel::Error);
        assert_eq!(LogLevel::Warn.shifted(2, 1), LogLevel::Info);
    }
}
