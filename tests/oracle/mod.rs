//! The oracle: a second, slow implementation of odrwatch's semantics, to check the first.
//!
//! Owns the types that a test fills in ([`Record`], [`Config`]) and the bounded replay [`run`],
//! whose [`Output`] holds the four files byte for byte. Each boundary recomputes every number of
//! every account from all orders of the shard; nothing is kept up incrementally, on purpose.
//! Absent on purpose: the status records, live closing and anything else that a bounded replay
//! does not write. A configuration that odrwatch would refuse is not checked here.

mod alerts;
mod count;
mod decode;
mod events;
mod json;
mod levels;
mod render;
mod route;
mod segments;
mod shard;
mod state;
mod times;

#[cfg(test)]
mod decode_tests;
#[cfg(test)]
mod replay_tests;
#[cfg(test)]
mod start_tests;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod vector_tests;

/// A record of an input topic, as it lies in its partition.
#[derive(Clone, Debug)]
pub struct Record {
    /// 0 orders, 1 feedback, 2 claims, 3 chargebacks.
    pub topic: usize,
    pub partition: u32,
    pub offset: i64,
    pub timestamp_ms: Option<i64>,
    pub value: Option<Vec<u8>>,
}

/// A decision that a live run recorded and a replay repeats.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Boundary number `boundary` was closed although these partitions had not reached it.
    Close {
        boundary: i64,
        /// Topic, partition and next offset.
        positions: Vec<(usize, u32, i64)>,
    },
    /// The record time that was taken in place of the Kafka timestamp.
    RecordTime { topic: usize, partition: u32, offset: i64, record_time_ms: i64 },
    /// The alerts of this shard start at boundary number `boundary`.
    AlertsFrom { shard: u32, boundary: i64 },
    /// These offsets were lost before they were read.
    Gap { topic: usize, partition: u32, offsets: std::ops::Range<i64> },
}

/// Where the alerts start when no decision says so.
#[derive(Clone, Debug)]
pub enum AlertsFrom {
    Earliest,
    TimeMs(i64),
}

/// The check of a record's partition against its seller.
#[derive(Clone, Copy, Debug)]
pub enum Partitioner {
    Murmur2,
    Crc32,
    Off,
}

/// Every policy key; thresholds are in basis points, a clearing threshold of `None` is the
/// threshold itself.
#[derive(Clone, Debug)]
pub struct Policy {
    #[allow(dead_code, reason = "a key of the policy, but in no file of a replay")]
    pub policy_version: u64,
    /// An IANA name.
    pub time_zone: String,
    pub window_days: i64,
    pub lag_days: i64,
    pub min_orders: u64,
    pub warning_bp: u64,
    pub warning_clear_bp: Option<u64>,
    pub warning_min_defects: u64,
    pub critical_bp: u64,
    pub critical_clear_bp: Option<u64>,
    pub critical_min_defects: u64,
    pub restriction_bp: u64,
    pub restriction_min_defects: u64,
    pub restriction_cycles: u64,
    pub cycle_days: i64,
    /// A date, `YYYY-MM-DD`.
    pub cycle_anchor: String,
    /// Of `all`, `mfn`, `afn`.
    pub scopes: Vec<String>,
    /// Of `live`, `official`.
    pub views: Vec<String>,
    pub count_canceled_orders: bool,
    pub count_open_claims: bool,
    pub negative_rating_max: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            policy_version: 1,
            time_zone: "UTC".to_owned(),
            window_days: 60,
            lag_days: 15,
            min_orders: 1,
            warning_bp: 100,
            warning_clear_bp: None,
            warning_min_defects: 1,
            critical_bp: 200,
            critical_clear_bp: None,
            critical_min_defects: 2,
            restriction_bp: 200,
            restriction_min_defects: 2,
            restriction_cycles: 2,
            cycle_days: 7,
            cycle_anchor: "1970-01-05".to_owned(),
            scopes: vec!["all".to_owned()],
            views: vec!["live".to_owned()],
            count_canceled_orders: true,
            count_open_claims: true,
            negative_rating_max: 2,
        }
    }
}

/// What a replay is told beside its records.
#[derive(Clone, Debug)]
pub struct Config {
    pub policy: Policy,
    pub boundary_ms: i64,
    pub max_record_bytes: usize,
    pub max_ahead_ms: i64,
    pub purchase_ahead_ms: i64,
    pub partitioner: Partitioner,
    /// The partition count of the topics, for the check of a record's partition.
    pub partitions: u32,
    pub alerts_from: AlertsFrom,
    pub until_ms: Option<i64>,
    pub decisions: Vec<Decision>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy: Policy::default(),
            boundary_ms: 5_000,
            max_record_bytes: 1_048_576,
            max_ahead_ms: 3_600_000,
            purchase_ahead_ms: 86_400_000,
            partitioner: Partitioner::Murmur2,
            partitions: 1,
            alerts_from: AlertsFrom::Earliest,
            until_ms: None,
            decisions: Vec::new(),
        }
    }
}

/// The four files of a bounded replay; the lines carry no line ends.
#[derive(Debug)]
pub struct Output {
    /// By shard, then `seq`.
    pub alerts: Vec<String>,
    pub totals: Vec<String>,
    pub dead: Vec<String>,
    pub outcomes: String,
}

/// Replays the records to their end, or to `until_ms`.
///
/// The records of one topic and partition come in the order of their offsets; how the
/// partitions interleave is irrelevant.
#[must_use]
pub fn run(config: &Config, records: &[Record]) -> Output {
    let zone = times::Zone::named(&config.policy.time_zone);
    let plan = segments::plan(config, records);
    let mut alerts = Vec::new();
    let mut totals = Vec::new();
    let mut ends = Vec::new();
    for (&number, placed) in &plan.shards {
        let mut result = shard::replay(config, &zone, number, placed, plan.last);
        alerts.append(&mut result.alerts);
        totals.append(&mut result.totals);
        ends.append(&mut result.ends);
    }
    ends.sort_by_key(|end| (end.topic, end.partition, end.offset));
    Output { alerts, totals, dead: render::dead_lines(&ends), outcomes: render::outcomes(&ends) }
}
