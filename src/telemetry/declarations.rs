//! Every metric of odrwatch, declared once: name, type, unit, labels and help.
//!
//! Invariants: names are `odrwatch_<noun>_<unit>[_total]`, or the conventional `process_*`;
//! [`ALL`] is exactly what `/metrics` shows and what `docs/metrics.md` describes (both tested).
//! Absent on purpose: any way to make a metric that is not in this file.

use super::labels::Label;

/// The types of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only ever grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl MetricKind {
    /// The type's name in the text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The units of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of the things that the name names.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// A part of a whole, 0 to 1.
    Ratio,
    /// Always 1, or 0 for no: the labels or the name say what.
    Flag,
}

impl Unit {
    /// The unit's name in the documentation.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Ratio => "ratio",
            Self::Flag => "flag",
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: Unit,
    /// Its labels, in order.
    pub labels: &'static [Label],
    /// One sentence on what it means.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    unit: Unit,
    labels: &'static [Label],
    help: &'static str,
) -> Declaration {
    let kind = MetricKind::Counter;
    Declaration { name, kind, unit, labels, help }
}

pub(super) const fn gauge(
    name: &'static str,
    unit: Unit,
    labels: &'static [Label],
    help: &'static str,
) -> Declaration {
    let kind = MetricKind::Gauge;
    Declaration { name, kind, unit, labels, help }
}

/// Records by topic and outcome.
pub const RECORDS: Declaration = counter(
    "odrwatch_records_total",
    Unit::Count,
    &[Label::Topic, Label::Outcome],
    "Input records by topic and by how they ended.",
);
/// Dead letters by topic and reason.
pub const DEAD_LETTERS: Declaration = counter(
    "odrwatch_dead_letters_total",
    Unit::Count,
    &[Label::Topic, Label::Reason],
    "Input records that became dead letters, by topic and reason.",
);
/// Boundaries closed.
pub const BOUNDARIES: Declaration = counter(
    "odrwatch_boundaries_total",
    Unit::Count,
    &[],
    "Boundaries of record time that were closed, over all shards.",
);
/// Decisions by kind.
pub const DECISIONS: Declaration = counter(
    "odrwatch_decisions_total",
    Unit::Count,
    &[Label::Decision],
    "Decisions taken by the clock and recorded for replays, by kind.",
);
/// Ends of feedback that was held to be eligible for removal.
pub const ELIGIBLE_FEEDBACK: Declaration = counter(
    "odrwatch_eligible_feedback_total",
    Unit::Count,
    &[Label::Rule, Label::End],
    "Negative feedback that ended after a rule was held to let it be removed, by rule and end.",
);
/// Alerts by kind and state.
pub const ALERTS: Declaration = counter(
    "odrwatch_alerts_total",
    Unit::Count,
    &[Label::Kind, Label::State],
    "Alerts committed, by kind and by what happened.",
);
/// Active alerts by kind.
pub const ACTIVE_ALERTS: Declaration = gauge(
    "odrwatch_active_alerts",
    Unit::Count,
    &[Label::Kind],
    "Alerts that are up now, by kind.",
);
/// Accounts by band.
pub const ACCOUNTS: Declaration = gauge(
    "odrwatch_accounts",
    Unit::Count,
    &[Label::Band],
    "Accounts by where their live Order Defect Rate stands against the thresholds.",
);
/// Orders held.
pub const ORDERS: Declaration = gauge("odrwatch_orders", Unit::Count, &[], "Orders held.");
/// Orphans held.
pub const ORPHANS: Declaration =
    gauge("odrwatch_orphans", Unit::Count, &[], "Defects held whose order is not known.");
/// Pending records held.
pub const PENDING_RECORDS: Declaration = gauge(
    "odrwatch_pending_records",
    Unit::Count,
    &[],
    "Records that were read and wait for their boundary to close.",
);
/// Bytes held.
pub const STATE_BYTES: Declaration = gauge(
    "odrwatch_state_bytes",
    Unit::Bytes,
    &[],
    "Memory that the state of all shards takes, pending records included.",
);
/// Record-time lag.
pub const RECORD_TIME_LAG: Declaration = gauge(
    "odrwatch_record_time_lag_seconds",
    Unit::Seconds,
    &[Label::Topic, Label::Partition],
    "How far the newest record time read from a partition is behind the clock.",
);
/// Boundary lag.
pub const BOUNDARY_LAG: Declaration = gauge(
    "odrwatch_boundary_lag_seconds",
    Unit::Seconds,
    &[Label::Shard, Label::Topic],
    "How far the last closed boundary is behind the clock, under the topic that holds it; else 0.",
);
/// Consumer lag.
pub const CONSUMER_LAG: Declaration = gauge(
    "odrwatch_consumer_lag_records",
    Unit::Count,
    &[Label::Topic, Label::Partition],
    "Offsets between what was read from a partition and its end.",
);
/// Shards by phase.
pub const SHARDS: Declaration = gauge(
    "odrwatch_shards",
    Unit::Count,
    &[Label::Phase],
    "Shards that this process has, by what they are doing.",
);
/// Records left to restore.
pub const RESTORE_REMAINING: Declaration = gauge(
    "odrwatch_restore_remaining_records",
    Unit::Count,
    &[Label::Shard],
    "Records that a restoring shard has still to read; 0 once it is restored.",
);
/// Part of the restore that is done.
pub const RESTORE_PROGRESS: Declaration = gauge(
    "odrwatch_restore_progress_ratio",
    Unit::Ratio,
    &[Label::Shard],
    "Part of a shard's restore that is done; 1 once it is restored.",
);
/// Transactions and how long they took.
pub const TRANSACTION_DURATION: Declaration = Declaration {
    name: "odrwatch_transaction_duration_seconds",
    kind: MetricKind::Histogram,
    unit: Unit::Seconds,
    labels: &[],
    help: "Duration of committed transactions, from begin to the end of commit.",
};
/// Failed transactions by stage.
pub const TRANSACTION_FAILURES: Declaration = counter(
    "odrwatch_transaction_failures_total",
    Unit::Count,
    &[Label::Stage],
    "Transactions that did not commit, by the step that failed.",
);
/// Snapshots kept.
pub const SNAPSHOTS: Declaration =
    counter("odrwatch_snapshots_total", Unit::Count, &[], "Snapshots that were stored.");
/// Snapshots that could not be stored or looked for.
pub const SNAPSHOT_FAILURES: Declaration = counter(
    "odrwatch_snapshot_failures_total",
    Unit::Count,
    &[Label::Failure],
    "Attempts to store or to find a snapshot that failed, by what the store said.",
);
/// Snapshots refused.
pub const SNAPSHOTS_REFUSED: Declaration = counter(
    "odrwatch_snapshots_refused_total",
    Unit::Count,
    &[Label::Refusal],
    "Snapshots that a restore found and did not use, by what is wrong with them.",
);
/// The interval of snapshots.
pub const SNAPSHOT_INTERVAL: Declaration = gauge(
    "odrwatch_snapshot_interval_seconds",
    Unit::Seconds,
    &[],
    "How often a snapshot of each shard is wanted; 0 where snapshots are off.",
);
/// The age of a shard's newest snapshot.
pub const SNAPSHOT_AGE: Declaration = gauge(
    "odrwatch_snapshot_age_seconds",
    Unit::Seconds,
    &[Label::Shard],
    "Time since the newest snapshot of a shard was taken; since the shard opened if none was.",
);
/// The size of a shard's newest snapshot.
pub const SNAPSHOT_BYTES: Declaration = gauge(
    "odrwatch_snapshot_bytes",
    Unit::Bytes,
    &[Label::Shard],
    "Size of the newest snapshot of a shard that this process stored or restored; 0 if none.",
);
/// How long snapshots hold shards up.
pub const SNAPSHOT_PAUSE: Declaration = Declaration {
    name: "odrwatch_snapshot_pause_seconds",
    kind: MetricKind::Histogram,
    unit: Unit::Seconds,
    labels: &[],
    help: "How long a shard closed no boundary because its state was being copied.",
};
/// How long snapshots take to store.
pub const SNAPSHOT_DURATION: Declaration = Declaration {
    name: "odrwatch_snapshot_duration_seconds",
    kind: MetricKind::Histogram,
    unit: Unit::Seconds,
    labels: &[],
    help: "Duration of packing and storing a snapshot, beside the worker.",
};
/// Records read by restores.
pub const RESTORED_RECORDS: Declaration = counter(
    "odrwatch_restored_records_total",
    Unit::Count,
    &[],
    "Input records that restores read again, after a snapshot or from the beginning.",
);
/// Loud stops.
pub const LOUD_STOPS: Declaration = counter(
    "odrwatch_loud_stops_total",
    Unit::Count,
    &[Label::Stop],
    "Workers of this process that stopped because going on would be wrong, by reason.",
);
/// Offsets in accepted gaps.
pub const GAP_OFFSETS: Declaration = counter(
    "odrwatch_gap_offsets_total",
    Unit::Count,
    &[Label::Topic],
    "Offsets that retention dropped before they were read, and that --accept-gap went on behind.",
);
/// Whether alerts are sent on.
pub const BRIDGE_ENABLED: Declaration = gauge(
    "odrwatch_bridge_enabled",
    Unit::Flag,
    &[],
    "Whether this process sends alerts on to a webhook or an Alertmanager.",
);
/// Partitions that the bridge has.
pub const BRIDGE_PARTITIONS: Declaration = gauge(
    "odrwatch_bridge_partitions",
    Unit::Count,
    &[],
    "Partitions of the topic of alerts from which this process sends them on.",
);
/// What became of alerts on the bridge.
pub const BRIDGE_ALERTS: Declaration = counter(
    "odrwatch_bridge_alerts_total",
    Unit::Count,
    &[Label::Fate],
    "Alerts that were sent on, or that never will be, by what became of them.",
);
/// Tries of the bridge.
pub const BRIDGE_TRIES: Declaration = counter(
    "odrwatch_bridge_tries_total",
    Unit::Count,
    &[Label::Answer],
    "Tries to send something on, by what the receiver answered.",
);
/// Alerts that wait on the bridge.
pub const BRIDGE_UNDELIVERED: Declaration = gauge(
    "odrwatch_bridge_undelivered_alerts",
    Unit::Count,
    &[],
    "Alerts of this process's partitions that the receiver has not taken yet.",
);
/// How long they wait.
pub const BRIDGE_OLDEST: Declaration = gauge(
    "odrwatch_bridge_oldest_undelivered_seconds",
    Unit::Seconds,
    &[],
    "How long the alert that waits longest has waited in this process; 0 if none waits.",
);
/// When the receiver last took something.
pub const BRIDGE_LAST_SUCCESS: Declaration = gauge(
    "odrwatch_bridge_last_success_timestamp_seconds",
    Unit::Seconds,
    &[],
    "When the receiver last took something, since the Unix epoch; 0 before that.",
);
/// Open connections.
pub const HTTP_CONNECTIONS: Declaration = gauge(
    "odrwatch_http_connections",
    Unit::Count,
    &[],
    "Connections that clients have open to the HTTP server.",
);
/// Connections that were closed on their clients.
pub const HTTP_CLOSED: Declaration = counter(
    "odrwatch_http_connections_closed_total",
    Unit::Count,
    &[Label::Cause],
    "Connections that the HTTP server closed although their clients wanted more, by cause.",
);
/// Degraded.
pub const DEGRADED: Declaration = gauge(
    "odrwatch_degraded",
    Unit::Flag,
    &[],
    "Whether /readyz names something that is not well although the service does its job.",
);
/// Clock skew.
pub const CLOCK_SKEW: Declaration = gauge(
    "odrwatch_clock_skew_seconds",
    Unit::Seconds,
    &[],
    "This machine's clock minus the broker's, as last seen; 0 before that.",
);
/// Running workers.
pub const WORKERS: Declaration =
    gauge("odrwatch_workers", Unit::Count, &[], "Worker threads that are running.");
/// Readiness.
pub const READY: Declaration =
    gauge("odrwatch_ready", Unit::Flag, &[], "Whether /readyz says ready: 1 for yes, 0 for no.");
/// The build.
pub const BUILD_INFO: Declaration = gauge(
    "odrwatch_build_info",
    Unit::Flag,
    &[Label::Version, Label::Commit, Label::Librdkafka],
    "Always 1; the labels tell which build this is.",
);
/// Processor time.
pub const PROCESS_CPU: Declaration = counter(
    "process_cpu_seconds_total",
    Unit::Seconds,
    &[],
    "Total user and system CPU time spent in seconds.",
);
/// Open file descriptors.
pub const PROCESS_OPEN_FDS: Declaration =
    gauge("process_open_fds", Unit::Count, &[], "Number of open file descriptors.");
/// The limit of open file descriptors.
pub const PROCESS_MAX_FDS: Declaration =
    gauge("process_max_fds", Unit::Count, &[], "Maximum number of open file descriptors.");
/// Resident memory.
pub const PROCESS_RESIDENT: Declaration =
    gauge("process_resident_memory_bytes", Unit::Bytes, &[], "Resident memory size in bytes.");
/// Virtual memory.
pub const PROCESS_VIRTUAL: Declaration =
    gauge("process_virtual_memory_bytes", Unit::Bytes, &[], "Virtual memory size in bytes.");
/// Threads.
pub const PROCESS_THREADS: Declaration = gauge(
    "process_threads",
    Unit::Count,
    &[],
    "Number of operating-system threads in the process.",
);
/// Start time.
pub const PROCESS_START: Declaration = gauge(
    "process_start_time_seconds",
    Unit::Seconds,
    &[],
    "Start time of the process since unix epoch in seconds.",
);

/// All metrics, in the order of the documentation.
pub const ALL: [Declaration; 52] = [
    RECORDS,
    DEAD_LETTERS,
    BOUNDARIES,
    DECISIONS,
    ALERTS,
    ELIGIBLE_FEEDBACK,
    ACTIVE_ALERTS,
    ACCOUNTS,
    ORDERS,
    ORPHANS,
    PENDING_RECORDS,
    STATE_BYTES,
    RECORD_TIME_LAG,
    BOUNDARY_LAG,
    CONSUMER_LAG,
    SHARDS,
    RESTORE_REMAINING,
    RESTORE_PROGRESS,
    TRANSACTION_DURATION,
    TRANSACTION_FAILURES,
    SNAPSHOTS,
    SNAPSHOT_FAILURES,
    SNAPSHOTS_REFUSED,
    SNAPSHOT_INTERVAL,
    SNAPSHOT_AGE,
    SNAPSHOT_BYTES,
    SNAPSHOT_PAUSE,
    SNAPSHOT_DURATION,
    RESTORED_RECORDS,
    LOUD_STOPS,
    GAP_OFFSETS,
    BRIDGE_ENABLED,
    BRIDGE_PARTITIONS,
    BRIDGE_ALERTS,
    BRIDGE_TRIES,
    BRIDGE_UNDELIVERED,
    BRIDGE_OLDEST,
    BRIDGE_LAST_SUCCESS,
    HTTP_CONNECTIONS,
    HTTP_CLOSED,
    CLOCK_SKEW,
    WORKERS,
    READY,
    DEGRADED,
    BUILD_INFO,
    PROCESS_CPU,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_THREADS,
    PROCESS_START,
];
