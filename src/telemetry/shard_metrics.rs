//! What one shard tells: a handle that its worker holds for as long as it has the shard.
//!
//! Invariants: gauges that are sums over shards always equal the sum over the handles alive;
//! the series of a shard are gone when its last handle is.

use std::sync::{Arc, PoisonError};

use prometheus::{Gauge, IntGauge};

use super::labels::Refusal;
use super::metrics::{Metrics, Sums, seconds, whole};
use crate::domain::event::Topic;
use crate::domain::ids::ShardNo;

/// What a shard holds now; summed over shards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Accounts by band, in the order of [`super::labels::Band::ALL`].
    pub accounts: [u64; 5],
    /// Alerts that are up, in the order of `AlertKind::ALL`.
    pub active_alerts: [u64; 3],
    /// Orders.
    pub orders: u64,
    /// Defects whose order is not known.
    pub orphans: u64,
    /// Records that wait for their boundary.
    pub pending_records: u64,
    /// Memory of all of it, in bytes.
    pub bytes: u64,
}

/// One shard's part of the metrics.
pub struct ShardMetrics {
    metrics: Arc<Metrics>,
    shard: ShardNo,
    held: Held,
    consumer_lag: [IntGauge; 4],
    record_time_lag: [Gauge; 4],
    boundary_lag: [Gauge; 4],
    snapshot_age: Gauge,
    snapshot_bytes: IntGauge,
}

impl ShardMetrics {
    /// A handle for a shard, holding nothing.
    #[must_use]
    pub fn new(metrics: &Arc<Metrics>, shard: ShardNo) -> Self {
        let families = &metrics.by_shard;
        let mut handles = families.handles.lock().unwrap_or_else(PoisonError::into_inner);
        *handles.entry(shard).or_insert(0) += 1;
        let number = shard.to_string();
        let by_topic = Topic::ALL.map(Topic::as_str);
        Self {
            metrics: Arc::clone(metrics),
            shard,
            held: Held::default(),
            consumer_lag: by_topic
                .map(|topic| families.consumer_lag.with_label_values(&[topic, &number])),
            record_time_lag: by_topic
                .map(|topic| families.record_time_lag.with_label_values(&[topic, &number])),
            boundary_lag: by_topic
                .map(|topic| families.boundary_lag.with_label_values(&[&number, topic])),
            snapshot_age: families.snapshot_age.with_label_values(&[&number]),
            snapshot_bytes: families.snapshot_bytes.with_label_values(&[&number]),
        }
    }

    /// Sets how many offsets are between what was read of a topic and its end.
    pub fn set_consumer_lag(&self, topic: Topic, records: u64) {
        self.consumer_lag[topic.index()].set(whole(records));
    }

    /// Sets how far a topic's watermark is behind the clock; negative where it is ahead.
    pub fn set_record_time_lag_ms(&self, topic: Topic, lag_ms: i64) {
        self.record_time_lag[topic.index()].set(seconds(lag_ms));
    }

    /// Sets how far the last closed boundary is behind the clock, and which topic holds the next.
    pub fn set_boundary_lag_ms(&self, lag_ms: i64, holder: Topic) {
        for topic in Topic::ALL {
            let lag_ms = if topic == holder { lag_ms } else { 0 };
            self.boundary_lag[topic.index()].set(seconds(lag_ms));
        }
    }

    /// Sets how old the newest snapshot is.
    pub fn set_snapshot_age_ms(&self, age_ms: i64) {
        self.snapshot_age.set(seconds(age_ms));
    }

    /// Sets the size of the newest snapshot.
    pub fn set_snapshot_bytes(&self, bytes: u64) {
        self.snapshot_bytes.set(whole(bytes));
    }

    /// Counts a snapshot of the shard that was found and not used.
    pub fn snapshot_refused(&self, reason: Refusal) {
        self.metrics.snapshots.refused(reason);
    }

    /// Counts records that the shard's restore read.
    pub fn restored(&self, records: u64) {
        self.metrics.snapshots.restored(records);
    }

    /// Sets what the shard holds.
    pub fn set_held(&mut self, held: Held) {
        self.metrics.sums.replace(&self.held, &held);
        self.held = held;
    }
}

impl Drop for ShardMetrics {
    fn drop(&mut self) {
        self.set_held(Held::default());
        let families = &self.metrics.by_shard;
        let mut handles = families.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let left = handles.get(&self.shard).map_or(0, |count| count - 1);
        if left > 0 {
            handles.insert(self.shard, left);
            return;
        }
        handles.remove(&self.shard);
        let number = self.shard.to_string();
        let _ = families.snapshot_age.remove_label_values(&[&number]);
        let _ = families.snapshot_bytes.remove_label_values(&[&number]);
        for topic in Topic::ALL.map(Topic::as_str) {
            // Removing fails only for a series that is not there, which is what is wanted.
            let _ = families.consumer_lag.remove_label_values(&[topic, &number]);
            let _ = families.record_time_lag.remove_label_values(&[topic, &number]);
            let _ = families.boundary_lag.remove_label_values(&[&number, topic]);
        }
    }
}

impl Sums {
    fn replace(&self, old: &Held, new: &Held) {
        let accounts = self.accounts.iter().zip(old.accounts.iter().zip(&new.accounts));
        for (gauge, (old, new)) in accounts {
            shift(gauge, *old, *new);
        }
        let alerts = old.active_alerts.iter().zip(&new.active_alerts);
        for (gauge, (old, new)) in self.active_alerts.iter().zip(alerts) {
            shift(gauge, *old, *new);
        }
        shift(&self.orders, old.orders, new.orders);
        shift(&self.orphans, old.orphans, new.orphans);
        shift(&self.pending, old.pending_records, new.pending_records);
        shift(&self.bytes, old.bytes, new.bytes);
    }
}

fn shift(gauge: &IntGauge, old: u64, new: u64) {
    gauge.add(whole(new).saturating_sub(whole(old)));
}
