//! What is told of snapshots, over all shards: kept, failed, refused, and how long they take.

use std::time::Duration;

use prometheus::{Gauge, Histogram, IntCounter};

use super::declarations as declared;
use super::labels::{Refusal, StoreFailure};
use super::metrics::seconds;
use super::registrar::Registrar;

/// Upper ends of the buckets of pauses, in seconds: a small shard to a very large one.
const PAUSE_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Upper ends of the buckets of the duration of packing and storing, in seconds.
const DURATION_BUCKETS: [f64; 11] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

/// Everything that is told of snapshots without a shard.
pub struct SnapshotMetrics {
    kept: IntCounter,
    failures: [IntCounter; 3],
    refused: [IntCounter; 6],
    interval: Gauge,
    pause: Histogram,
    duration: Histogram,
    restored: IntCounter,
}

impl SnapshotMetrics {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self {
            kept: registrar.counter(&declared::SNAPSHOTS),
            failures: registrar.counters(
                &declared::SNAPSHOT_FAILURES,
                StoreFailure::ALL.map(StoreFailure::as_str),
            ),
            refused: registrar
                .counters(&declared::SNAPSHOTS_REFUSED, Refusal::ALL.map(Refusal::as_str)),
            interval: registrar.gauge_seconds(&declared::SNAPSHOT_INTERVAL),
            pause: registrar.histogram(&declared::SNAPSHOT_PAUSE, &PAUSE_BUCKETS),
            duration: registrar.histogram(&declared::SNAPSHOT_DURATION, &DURATION_BUCKETS),
            restored: registrar.counter(&declared::RESTORED_RECORDS),
        }
    }

    /// Counts a snapshot that was stored, and how long that took.
    pub fn kept(&self, took: Duration) {
        self.kept.inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts an attempt to store or to find one that failed.
    pub fn failed(&self, reason: StoreFailure) {
        self.failures[reason.index()].inc();
    }

    /// Counts one that was found and not used.
    pub fn refused(&self, reason: Refusal) {
        self.refused[reason.index()].inc();
    }

    /// Sets how often one of each shard is wanted, in ms.
    pub fn set_interval_ms(&self, interval_ms: i64) {
        self.interval.set(seconds(interval_ms));
    }

    /// Counts how long a shard stood still while its state was copied, in ms.
    pub fn paused_ms(&self, paused_ms: i64) {
        self.pause.observe(seconds(paused_ms));
    }

    /// Counts records that a restore read.
    pub fn restored(&self, records: u64) {
        self.restored.inc_by(records);
    }
}
