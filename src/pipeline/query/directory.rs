//! Which member of the group has which shard, as the progress records of others say.
//!
//! Invariant: what is said here is what some member committed last; it may be out of date, so that
//! whoever is sent to a member by it must be told if the shard is not there either.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::ids::ShardNo;

/// Who committed last for a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Where it serves HTTP, `host:port`; none where it told no address.
    pub address: Option<String>,
    /// The boundary that it committed last, in ms since the epoch; none before the first.
    pub boundary_ms: Option<i64>,
}

/// The owners of shards that other members have.
#[derive(Debug, Default)]
pub struct Directory(Mutex<BTreeMap<ShardNo, Owner>>);

impl Directory {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardNo, Owner>> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Notes who committed last for a shard.
    pub fn note(&self, shard: ShardNo, owner: Owner) {
        self.lock().insert(shard, owner);
    }

    /// Who committed last for a shard, if that is known.
    #[must_use]
    pub fn owner(&self, shard: ShardNo) -> Option<Owner> {
        self.lock().get(&shard).cloned()
    }
}
