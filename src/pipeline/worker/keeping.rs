//! The worker's part in snapshots: when in a turn something is done about them.

use super::{Broker, Now, ShardNo, Snapshots, Worker};
use crate::pipeline::desk::Desk;

/// Whether a shard must not move now, because a snapshot is being taken of it.
pub(super) fn holds(snapshots: Option<&Snapshots>, shard: ShardNo) -> bool {
    snapshots.is_some_and(|snapshots| snapshots.holds(shard))
}

impl<B: Broker> Worker<B> {
    /// Lets the worker take snapshots about as often as said, in ms, and restore from them.
    pub fn keep_snapshots(&mut self, desk: Desk, interval_ms: i64) {
        self.metrics.snapshots.set_interval_ms(interval_ms);
        self.snapshots = Some(Snapshots::new(desk, interval_ms));
    }

    /// Takes what the keeper answered.
    pub(super) fn take_snapshots_answers(&mut self, now: Now) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.take_answers(&mut self.slots, &self.metrics, &self.health, now);
        }
    }

    /// Begins a snapshot that is due, or goes on with one; tells whether there was anything to do.
    pub(super) fn step_snapshots(&mut self, now: Now) -> bool {
        let Some(snapshots) = &mut self.snapshots else { return false };
        let (metrics, health) = (&self.metrics, &self.health);
        snapshots.step(&mut self.slots, &self.identity, metrics, health, now)
    }

    /// Forgets the snapshot that is being taken: its shard may open again.
    pub(super) fn forget_snapshot(&mut self) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.forget();
        }
    }

    /// Takes a last snapshot of each shard.
    pub(super) fn take_last_snapshots(&mut self) {
        if let Some(snapshots) = &mut self.snapshots {
            snapshots.take_last(&self.slots, &self.identity);
        }
    }
}
