//! What is told of the bridge, over which alerts go to a webhook or an Alertmanager.

use prometheus::{Gauge, IntCounter, IntGauge};

use super::declarations as declared;
use super::metrics::{seconds, whole};
pub use super::outside::{Answer, Fate};
use super::registrar::Registrar;

/// Counts alerts on their way; a copy counts the same ones.
#[derive(Clone)]
pub struct BridgeMetrics {
    enabled: IntGauge,
    partitions: IntGauge,
    alerts: [IntCounter; 3],
    tries: [IntCounter; 5],
    undelivered: IntGauge,
    oldest: Gauge,
    last_success: Gauge,
}

impl BridgeMetrics {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self {
            enabled: registrar.gauge(&declared::BRIDGE_ENABLED),
            partitions: registrar.gauge(&declared::BRIDGE_PARTITIONS),
            alerts: registrar.counters(&declared::BRIDGE_ALERTS, Fate::ALL.map(Fate::as_str)),
            tries: registrar.counters(&declared::BRIDGE_TRIES, Answer::ALL.map(Answer::as_str)),
            undelivered: registrar.gauge(&declared::BRIDGE_UNDELIVERED),
            oldest: registrar.gauge_seconds(&declared::BRIDGE_OLDEST),
            last_success: registrar.gauge_seconds(&declared::BRIDGE_LAST_SUCCESS),
        }
    }

    /// Tells that this process sends alerts on.
    pub fn enable(&self) {
        self.enabled.set(1);
    }

    /// Sets how many partitions this process has.
    pub fn set_partitions(&self, count: usize) {
        self.partitions.set(whole(count));
    }

    /// Counts what became of alerts.
    pub fn fate(&self, fate: Fate, count: u64) {
        self.alerts[fate.index()].inc_by(count);
    }

    /// Counts one try, and when it was if the receiver took it, in ms since the epoch.
    pub fn tried(&self, answer: Answer, now_ms: i64) {
        self.tries[answer.index()].inc();
        if answer == Answer::Taken {
            self.last_success.set(seconds(now_ms));
        }
    }

    /// Sets how many alerts wait, and how long the one that waits longest has waited, in ms.
    pub fn set_waiting(&self, count: u64, oldest_ms: i64) {
        self.undelivered.set(whole(count));
        self.oldest.set(seconds(oldest_ms));
    }
}
