//! What a replay comes to, beside its four files: for people, and for programs that only count.
//!
//! Invariant: everything here follows from the files' contents and the shards' last state. The
//! memory is bounded by the accounts at risk, however many alerts there were.

use std::collections::VecDeque;

use crate::domain::effects::{Alert, Status};
use crate::domain::ids::ShardNo;
use crate::domain::shard::Shard;
use crate::domain::time::Boundary;

/// How many of the latest alerts are kept.
pub const LATEST_ALERTS: usize = 10;

/// What a replay comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The last boundary of the replay; none if no record had a time.
    pub last: Option<Boundary>,
    /// Accounts that have orders in the horizon, or an alert up.
    pub accounts: usize,
    /// The accounts at risk, by shard, then name.
    pub at_risk: Vec<Status>,
    /// Alerts by kind (outer) and state (inner), in the order of their `ALL`.
    pub alerts: [[u64; 3]; 3],
    /// Alerts that are up at the end, by kind.
    pub up: [u64; 3],
    /// The latest alerts with their shards, by boundary, shard and seq.
    pub latest: VecDeque<(ShardNo, Alert)>,
}

impl Summary {
    /// Alerts of all kinds and states.
    #[must_use]
    pub fn alert_count(&self) -> u64 {
        self.alerts.iter().flatten().sum()
    }

    /// Counts alerts of a shard, in the order of their seq.
    pub(super) fn count(&mut self, shard: ShardNo, alerts: &[Alert]) {
        for alert in alerts {
            self.alerts[alert.kind.index()][alert.state.index()] += 1;
        }
        let latest = alerts.iter().rev().take(LATEST_ALERTS).rev();
        self.latest.extend(latest.map(|alert| (shard, alert.clone())));
        self.forget_older();
    }

    /// Adds what was counted of a shard, and the shard's state at the end.
    pub(super) fn add(&mut self, counted: &Self, shard: &Shard) {
        self.accounts += shard.held().accounts;
        self.at_risk.extend(shard.at_risk());
        for (sum, up) in self.up.iter_mut().zip(shard.active_alerts()) {
            *sum += up;
        }
        let counts = counted.alerts.iter().flatten();
        for (sum, count) in self.alerts.iter_mut().flatten().zip(counts) {
            *sum += count;
        }
        self.latest.extend(counted.latest.iter().cloned());
        let latest = self.latest.make_contiguous();
        latest.sort_by_key(|(shard, alert)| (alert.boundary_ms, *shard, alert.seq));
        self.forget_older();
    }

    fn forget_older(&mut self) {
        let older = self.latest.len().saturating_sub(LATEST_ALERTS);
        self.latest.drain(..older);
    }
}
