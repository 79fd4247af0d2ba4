//! The one shard that benches and the count of allocations feed.

use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::domain::policy::Policy;
use odrwatch::domain::shard::{AlertingStart, Limits, ShardConfig};
use odrwatch::domain::time::BoundaryLength;

/// The shipped policy, boundaries of 5 s, alerting from the first record on.
pub fn config(statuses: bool) -> ShardConfig {
    ShardConfig {
        shard: ShardNo::new(0),
        policy: Policy::default(),
        length: BoundaryLength::from_ms(5_000).unwrap(),
        future_days: 3,
        limits: Limits::default(),
        start: AlertingStart::Earliest,
        statuses,
        matters: true,
        hash_seed: 1,
        first: [NextOffset::stated(0); 4],
    }
}
