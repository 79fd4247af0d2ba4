//! Counting: plain methods that take what a batch did, and the text that Prometheus reads.
//!
//! Invariants: every metric comes from [`super::declarations`]; the hot path adds to children that
//! were resolved at the start and formats nothing; what depends on shards' states is set from the
//! [`HealthBoard`] when it is read, so that the two never disagree. Absent on purpose: per-seller
//! series.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{
    Gauge, GaugeVec, Histogram, IntCounter, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use super::bridge_metrics::BridgeMetrics;
use super::declarations as declared;
use super::health::{HealthBoard, ShardState};
use super::http_metrics::HttpMetrics;
use super::labels::{Band, DecisionKind, RemovalEnd, RemovalRule, ShardPhase, Stage, StopReason};
use super::process::ProcessMetrics;
use super::registrar::Registrar;
use super::snapshot_metrics::SnapshotMetrics;
use crate::domain::effects::{AlertKind, AlertState, Effects, Outcomes};
use crate::domain::event::{DeadReason, Outcome, Topic};
use crate::domain::ids::ShardNo;

/// Upper ends of the buckets of transactions' durations, in seconds: from a lone broker's commit
/// to the time-out of a transaction.
const TRANSACTION_BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// Which build this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildInfo {
    /// The version of odrwatch.
    pub version: String,
    /// The commit that it was built from, or `unknown`.
    pub commit: String,
    /// The version of the Kafka client library, or `none`.
    pub librdkafka: String,
}

impl BuildInfo {
    /// This build, given what the Kafka adapter says of its library.
    #[must_use]
    pub fn of_this_build(librdkafka: &str) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("ODRWATCH_BUILD_COMMIT").unwrap_or("unknown").to_owned(),
            librdkafka: librdkafka.to_owned(),
        }
    }
}

/// All metrics of one process, shared by its workers and its HTTP server.
pub struct Metrics {
    registry: Registry,
    build: BuildInfo,
    health: Arc<HealthBoard>,
    process: Mutex<ProcessMetrics>,
    records: [[IntCounter; 6]; 4],
    dead_letters: [[IntCounter; 9]; 4],
    boundaries: IntCounter,
    decisions: [IntCounter; 4],
    alerts: [[IntCounter; 3]; 3],
    eligible_feedback: [[IntCounter; 2]; 5],
    transactions: Histogram,
    transaction_failures: [IntCounter; 7],
    loud_stops: [IntCounter; 13],
    gap_offsets: [IntCounter; 4],
    clock_skew: Gauge,
    workers: IntGauge,
    ready: IntGauge,
    shards: [IntGauge; 6],
    degraded: IntGauge,
    /// Everything about snapshots.
    pub snapshots: SnapshotMetrics,
    /// Everything about the bridge.
    pub bridge: BridgeMetrics,
    /// Everything about connections.
    pub http: HttpMetrics,
    restore_remaining: IntGaugeVec,
    restore_progress: GaugeVec,
    pub(super) sums: Sums,
    pub(super) by_shard: ByShard,
}

/// Gauges that are sums over the shards of the process.
pub(super) struct Sums {
    pub(super) active_alerts: [IntGauge; 3],
    pub(super) accounts: [IntGauge; 5],
    pub(super) orders: IntGauge,
    pub(super) orphans: IntGauge,
    pub(super) pending: IntGauge,
    pub(super) bytes: IntGauge,
}

/// Families whose series come and go with shards.
pub(super) struct ByShard {
    pub(super) consumer_lag: IntGaugeVec,
    pub(super) record_time_lag: GaugeVec,
    pub(super) boundary_lag: GaugeVec,
    pub(super) snapshot_age: GaugeVec,
    pub(super) snapshot_bytes: IntGaugeVec,
    /// How many handles each shard has: while a shard moves between two workers of a process,
    /// the new one's handle may be made before the old one's is dropped.
    pub(super) handles: Mutex<BTreeMap<ShardNo, u32>>,
}

impl Metrics {
    /// Registers every metric, all at zero.
    #[must_use]
    pub fn new(build: BuildInfo, health: Arc<HealthBoard>) -> Self {
        let registrar = Registrar::new();
        let info = registrar.gauge_family(&declared::BUILD_INFO);
        info.with_label_values(&[&build.version, &build.commit, &build.librdkafka]).set(1);
        let topics = Topic::ALL.map(Topic::as_str);
        Self {
            process: Mutex::new(ProcessMetrics::new(&registrar)),
            records: registrar.counters_by_two(
                &declared::RECORDS,
                topics,
                Outcome::ALL.map(Outcome::as_str),
            ),
            dead_letters: registrar.counters_by_two(
                &declared::DEAD_LETTERS,
                topics,
                DeadReason::ALL.map(DeadReason::as_str),
            ),
            boundaries: registrar.counter(&declared::BOUNDARIES),
            decisions: registrar
                .counters(&declared::DECISIONS, DecisionKind::ALL.map(DecisionKind::as_str)),
            alerts: registrar.counters_by_two(
                &declared::ALERTS,
                AlertKind::ALL.map(AlertKind::as_str),
                AlertState::ALL.map(AlertState::as_str),
            ),
            eligible_feedback: registrar.counters_by_two(
                &declared::ELIGIBLE_FEEDBACK,
                RemovalRule::ALL.map(RemovalRule::as_str),
                RemovalEnd::ALL.map(RemovalEnd::as_str),
            ),
            transactions: registrar
                .histogram(&declared::TRANSACTION_DURATION, &TRANSACTION_BUCKETS),
            transaction_failures: registrar
                .counters(&declared::TRANSACTION_FAILURES, Stage::ALL.map(Stage::as_str)),
            loud_stops: registrar
                .counters(&declared::LOUD_STOPS, StopReason::ALL.map(StopReason::as_str)),
            gap_offsets: registrar.counters(&declared::GAP_OFFSETS, topics),
            clock_skew: registrar.gauge_seconds(&declared::CLOCK_SKEW),
            workers: registrar.gauge(&declared::WORKERS),
            ready: registrar.gauge(&declared::READY),
            degraded: registrar.gauge(&declared::DEGRADED),
            snapshots: SnapshotMetrics::new(&registrar),
            bridge: BridgeMetrics::new(&registrar),
            http: HttpMetrics::new(&registrar),
            shards: registrar.gauges(&declared::SHARDS, ShardPhase::ALL.map(ShardPhase::as_str)),
            restore_remaining: registrar.gauge_family(&declared::RESTORE_REMAINING),
            restore_progress: registrar.gauge_seconds_family(&declared::RESTORE_PROGRESS),
            sums: Sums::new(&registrar),
            by_shard: ByShard::new(&registrar),
            build,
            health,
            registry: registrar.into_registry(),
        }
    }

    /// Which build this is.
    #[must_use]
    pub const fn build(&self) -> &BuildInfo {
        &self.build
    }

    /// The board that shards' states are written on.
    #[must_use]
    pub const fn health(&self) -> &Arc<HealthBoard> {
        &self.health
    }

    /// Counts what a committed batch brought: records, dead letters, boundaries and alerts.
    pub fn effects(&self, effects: &Effects) {
        self.records(&effects.outcomes);
        self.boundaries.inc_by(effects.closed);
        for alert in &effects.alerts {
            self.alert(alert.kind, alert.state);
        }
    }

    /// Counts records and dead letters.
    pub fn records(&self, outcomes: &Outcomes) {
        add_all(&self.records, &outcomes.by_topic);
        add_all(&self.dead_letters, &outcomes.dead);
    }

    /// Counts closed boundaries.
    pub fn boundaries_closed(&self, count: u64) {
        self.boundaries.inc_by(count);
    }

    /// Counts one committed alert.
    pub fn alert(&self, kind: AlertKind, state: AlertState) {
        let place = AlertState::ALL.iter().position(|known| *known == state);
        self.alerts[kind.index()][place.expect("ALL lists every state")].inc();
    }

    /// Counts the end of a feedback for every rule, in the order of [`RemovalRule::ALL`], under
    /// which it was held to be eligible.
    pub fn eligible_feedback_ended(&self, rules: [bool; 5], was_granted: bool) {
        let end = usize::from(!was_granted);
        for (counters, _) in self.eligible_feedback.iter().zip(rules).filter(|(_, is)| *is) {
            counters[end].inc();
        }
    }

    /// Counts recorded decisions of a kind.
    pub fn decisions(&self, kind: DecisionKind, count: u64) {
        self.decisions[kind.index()].inc_by(count);
    }

    /// Counts one committed transaction.
    pub fn transaction_committed(&self, took: Duration) {
        self.transactions.observe(took.as_secs_f64());
    }

    /// Counts one transaction that did not commit.
    pub fn transaction_failed(&self, stage: Stage) {
        self.transaction_failures[stage.index()].inc();
    }

    /// Counts a worker that stops loudly.
    pub fn stopped(&self, reason: StopReason) {
        self.loud_stops[reason.index()].inc();
    }

    /// Counts offsets that were lost and went on behind.
    pub fn gap(&self, topic: Topic, offsets: u64) {
        self.gap_offsets[topic.index()].inc_by(offsets);
    }

    /// Sets our clock minus the broker's, in milliseconds.
    pub fn set_clock_skew_ms(&self, skew_ms: i64) {
        self.clock_skew.set(seconds(skew_ms));
    }

    /// Everything in the text format, version 0.0.4.
    ///
    /// # Panics
    /// Never: what is registered is what the format can hold.
    #[must_use]
    pub fn render(&self) -> String {
        // One reader at a time: what is set here and read below belongs together.
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.refresh();
        self.set_from_board();
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("registered metrics have valid names and no family is empty")
    }

    fn set_from_board(&self) {
        let shards = self.health.shards();
        for (phase, gauge) in ShardPhase::ALL.iter().zip(&self.shards) {
            let count = shards.iter().filter(|(_, state)| state.phase() == *phase);
            gauge.set(whole(count.count()));
        }
        self.restore_remaining.reset();
        self.restore_progress.reset();
        for (shard, state) in &shards {
            let (remaining, ratio) = restore_of(state);
            let name = shard.to_string();
            self.restore_remaining.with_label_values(&[&name]).set(whole(remaining));
            self.restore_progress.with_label_values(&[&name]).set(ratio);
        }
        self.workers.set(whole(self.health.running_workers()));
        self.ready.set(i64::from(self.health.readiness().is_ready()));
        self.degraded.set(i64::from(!self.health.troubles().is_empty()));
    }
}

impl Sums {
    fn new(registrar: &Registrar) -> Self {
        Self {
            active_alerts: registrar
                .gauges(&declared::ACTIVE_ALERTS, AlertKind::ALL.map(AlertKind::as_str)),
            accounts: registrar.gauges(&declared::ACCOUNTS, Band::ALL.map(Band::as_str)),
            orders: registrar.gauge(&declared::ORDERS),
            orphans: registrar.gauge(&declared::ORPHANS),
            pending: registrar.gauge(&declared::PENDING_RECORDS),
            bytes: registrar.gauge(&declared::STATE_BYTES),
        }
    }
}

impl ByShard {
    fn new(registrar: &Registrar) -> Self {
        Self {
            consumer_lag: registrar.gauge_family(&declared::CONSUMER_LAG),
            record_time_lag: registrar.gauge_seconds_family(&declared::RECORD_TIME_LAG),
            boundary_lag: registrar.gauge_seconds_family(&declared::BOUNDARY_LAG),
            snapshot_age: registrar.gauge_seconds_family(&declared::SNAPSHOT_AGE),
            snapshot_bytes: registrar.gauge_family(&declared::SNAPSHOT_BYTES),
            handles: Mutex::new(BTreeMap::new()),
        }
    }
}

/// Records remaining, and the part that is done, of a shard's restore.
fn restore_of(state: &ShardState) -> (u64, f64) {
    match state {
        ShardState::Assigned | ShardState::Opening => (0, 0.0),
        ShardState::Restoring { done, remaining, .. } => {
            (*remaining, ratio(*done, done.saturating_add(*remaining)))
        }
        ShardState::CatchingUp { .. } | ShardState::Live | ShardState::Stopped { .. } => (0, 1.0),
    }
}

fn add_all<const N: usize, const M: usize>(
    counters: &[[IntCounter; M]; N],
    counts: &[[u64; M]; N],
) {
    let pairs = counters.iter().flatten().zip(counts.iter().flatten());
    for (counter, count) in pairs.filter(|(_, count)| **count > 0) {
        counter.inc_by(*count);
    }
}

/// Milliseconds as seconds, sign and all.
pub(super) fn seconds(ms: i64) -> f64 {
    let size = Duration::from_millis(ms.unsigned_abs()).as_secs_f64();
    if ms < 0 { -size } else { size }
}

/// A count as a gauge's value.
pub(super) fn whole<T: TryInto<i64>>(count: T) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// `part / total` in steps of one millionth; 1 where there is nothing to do.
fn ratio(part: u64, total: u64) -> f64 {
    if total == 0 {
        return 1.0;
    }
    let millionths = u128::from(part) * 1_000_000 / u128::from(total);
    f64::from(u32::try_from(millionths).unwrap_or(1_000_000)) / 1e6
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::telemetry::health::WorkerNo;
    use crate::telemetry::shard_metrics::{Held, ShardMetrics};

    fn metrics() -> Arc<Metrics> {
        let build = BuildInfo::of_this_build("none");
        Arc::new(Metrics::new(build, Arc::new(HealthBoard::new(1))))
    }

    fn has_line(metrics: &Metrics, line: &str) -> bool {
        metrics.render().lines().any(|found| found == line)
    }

    #[test]
    fn what_is_shown_is_exactly_what_is_declared() {
        let metrics = metrics();
        let shard = ShardNo::new(0);
        let _handle = ShardMetrics::new(&metrics, shard);
        let health = metrics.health();
        health.set_shard(WorkerNo::new(0), shard, ShardState::Live);
        metrics.set_from_board();
        let families = metrics.registry.gather();
        let shown: BTreeSet<_> =
            families.iter().map(prometheus::proto::MetricFamily::name).collect();
        let wanted: BTreeSet<_> = declared::ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(shown, wanted);
        assert_eq!(wanted.len(), declared::ALL.len(), "a name is declared twice");
        for family in &families {
            let metric = declared::ALL
                .iter()
                .find(|metric| metric.name == family.name())
                .expect("shown is declared");
            let mut labels: Vec<_> = metric.labels.iter().map(|label| label.as_str()).collect();
            labels.sort_unstable();
            for series in family.get_metric() {
                let shown: Vec<_> =
                    series.get_label().iter().map(prometheus::proto::LabelPair::name).collect();
                assert_eq!(shown, labels, "{}", metric.name);
            }
        }
    }

    #[test]
    fn records_and_dead_letters_are_counted_per_batch() {
        let metrics = metrics();
        let mut outcomes = Outcomes::default();
        outcomes.count(Topic::Orders, Outcome::Applied);
        outcomes.count(Topic::Orders, Outcome::Applied);
        outcomes.count_dead(Topic::Claims, DeadReason::Misrouted);
        metrics.records(&outcomes);
        metrics.records(&outcomes);
        for line in [
            r#"odrwatch_records_total{outcome="applied",topic="orders"} 4"#,
            r#"odrwatch_records_total{outcome="dead",topic="claims"} 2"#,
            r#"odrwatch_dead_letters_total{reason="misrouted",topic="claims"} 2"#,
            r#"odrwatch_records_total{outcome="expired",topic="feedback"} 0"#,
        ] {
            assert!(has_line(&metrics, line), "{line} in\n{}", metrics.render());
        }
    }

    #[test]
    fn alerts_decisions_and_transactions_are_counted() {
        let metrics = metrics();
        metrics.alert(AlertKind::RestrictionRisk, AlertState::Ongoing);
        metrics.decisions(DecisionKind::Close, 3);
        metrics.transaction_committed(Duration::from_millis(7));
        metrics.transaction_failed(Stage::named("offsets"));
        metrics.set_clock_skew_ms(-1500);
        metrics.boundaries_closed(12);
        for line in [
            r#"odrwatch_alerts_total{kind="restriction_risk",state="ongoing"} 1"#,
            r#"odrwatch_decisions_total{decision="close"} 3"#,
            r#"odrwatch_transaction_duration_seconds_bucket{le="0.005"} 0"#,
            r#"odrwatch_transaction_duration_seconds_bucket{le="0.01"} 1"#,
            r"odrwatch_transaction_duration_seconds_sum 0.007",
            r#"odrwatch_transaction_failures_total{stage="offsets"} 1"#,
            "odrwatch_clock_skew_seconds -1.5",
            "odrwatch_boundaries_total 12",
        ] {
            assert!(has_line(&metrics, line), "{line} in\n{}", metrics.render());
        }
    }

    #[test]
    fn sums_follow_shards_and_their_series_go_when_they_go() {
        let metrics = metrics();
        let mut one = ShardMetrics::new(&metrics, ShardNo::new(1));
        let mut two = ShardMetrics::new(&metrics, ShardNo::new(2));
        let mut held = Held { orders: 10, ..Held::default() };
        held.accounts[Band::Watch.index()] = 3;
        one.set_held(held);
        two.set_held(held);
        held.orders = 4;
        two.set_held(held);
        two.set_boundary_lag_ms(2500, Topic::Claims);
        assert!(has_line(&metrics, "odrwatch_orders 14"));
        assert!(has_line(&metrics, r#"odrwatch_accounts{band="watch"} 6"#));
        let lag = r#"odrwatch_boundary_lag_seconds{shard="2",topic="claims"} 2.5"#;
        assert!(has_line(&metrics, lag));
        two.set_boundary_lag_ms(1000, Topic::Orders);
        let lag = r#"odrwatch_boundary_lag_seconds{shard="2",topic="claims"} 0"#;
        assert!(has_line(&metrics, lag));
        drop(two);
        assert!(has_line(&metrics, "odrwatch_orders 10"));
        assert!(!metrics.render().contains(r#"shard="2""#));
        assert!(!metrics.render().contains(r#"partition="2""#));
    }

    #[test]
    fn a_shard_that_moves_between_workers_keeps_its_series() {
        let metrics = metrics();
        let old = ShardMetrics::new(&metrics, ShardNo::new(5));
        let new = ShardMetrics::new(&metrics, ShardNo::new(5));
        drop(old);
        new.set_consumer_lag(Topic::Orders, 77);
        let lag = r#"odrwatch_consumer_lag_records{partition="5",topic="orders"} 77"#;
        assert!(has_line(&metrics, lag));
    }

    #[test]
    fn restore_and_readiness_are_read_from_the_board() {
        let metrics = metrics();
        let (worker, shard) = (WorkerNo::new(0), ShardNo::new(3));
        let restoring = ShardState::Restoring { done: 25, remaining: 75, eta_seconds: Some(9) };
        metrics.health().set_shard(worker, shard, restoring);
        for line in [
            r#"odrwatch_shards{phase="restoring"} 1"#,
            r#"odrwatch_restore_remaining_records{shard="3"} 75"#,
            r#"odrwatch_restore_progress_ratio{shard="3"} 0.25"#,
            "odrwatch_ready 0",
            "odrwatch_workers 1",
        ] {
            assert!(has_line(&metrics, line), "{line} in\n{}", metrics.render());
        }
        metrics.health().remove_shard(worker, shard);
        assert!(!metrics.render().contains(r#"shard="3""#));
    }
}
