//! The keeper: packs and stores what workers took, keeps the last good ones, and finds them again.
//!
//! One keeper serves one worker. Invariant: a snapshot is removed only after enough newer ones
//! were stored; a newer one than the one just stored is never touched, for it may be another
//! owner's. Absent on purpose: retries (the worker asks again in time).

use std::time::Instant;

use tracing::{debug, warn};

use super::format::{self, Expected, Header, Refused};
use crate::domain::ids::ShardNo;
use crate::pipeline::desk::{Answer, Ask, Found, KeeperSide, RefusedSnapshot, Taken, Wanted};
use crate::pipeline::ports::{SnapshotStore, StoreError};
use crate::telemetry::labels::{Refusal, StoreFailure};

/// What a keeper is told.
#[derive(Clone, Debug)]
pub struct KeeperConfig {
    /// The consumer group.
    pub group: String,
    /// The cluster and its topics.
    pub cluster: String,
    /// The policy's fingerprint.
    pub policy: String,
    /// How many snapshots of each shard are kept (>= 1).
    pub keep: usize,
}

/// Keeps the snapshots of one worker's shards.
#[derive(Debug)]
pub struct Keeper<S> {
    side: KeeperSide,
    store: S,
    config: KeeperConfig,
}

#[expect(clippy::disallowed_methods, reason = "the adapter that measures what storing takes")]
fn clock() -> Instant {
    Instant::now()
}

impl<S: SnapshotStore> Keeper<S> {
    /// A keeper over a store.
    #[must_use]
    pub const fn new(side: KeeperSide, store: S, config: KeeperConfig) -> Self {
        Self { side, store, config }
    }

    /// Serves the worker until it is gone.
    pub fn run(mut self) {
        while let Some(ask) = self.side.wait() {
            self.serve(ask);
        }
    }

    /// Serves what the worker has asked so far.
    pub fn serve_waiting(&mut self) {
        while let Some(ask) = self.side.next() {
            self.serve(ask);
        }
    }

    /// The store, for tests.
    pub const fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    fn serve(&mut self, ask: Ask) {
        let answer = match ask {
            Ask::Keep(taken) => self.keep(*taken),
            Ask::Find(wanted) => self.find(&wanted),
        };
        self.side.answer(answer);
    }

    fn keep(&mut self, taken: Taken) -> Answer {
        let started = clock();
        let Taken { progress, progress_at, image } = taken;
        let (shard, number) = (progress.shard, progress.number);
        let (group, cluster) = (self.config.group.clone(), self.config.cluster.clone());
        let bytes = format::write(&Header { group, cluster, progress, progress_at }, image);
        if let Err(error) = self.store.write(shard, number, &bytes) {
            return Answer::NotKept { shard, reason: failure(&error), words: error.to_string() };
        }
        if let Err(error) = self.remove_old(shard, number) {
            warn!(%shard, %error, "an old snapshot could not be removed");
        }
        let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        debug!(%shard, number, bytes, "snapshot kept");
        Answer::Kept { shard, number, bytes, took: started.elapsed() }
    }

    fn remove_old(&mut self, shard: ShardNo, newest: u64) -> Result<(), StoreError> {
        let mut numbers = self.store.list(shard)?;
        numbers.retain(|number| *number <= newest);
        numbers.sort_unstable_by(|left, right| right.cmp(left));
        for number in numbers.into_iter().skip(self.config.keep.max(1)) {
            self.store.remove(shard, number)?;
        }
        Ok(())
    }

    fn find(&mut self, wanted: &Wanted) -> Answer {
        let started = clock();
        let shard = wanted.config.shard;
        let mut refused = Vec::new();
        match self.newest_good(wanted, &mut refused) {
            Ok(found) => Answer::Searched { shard, found, refused, took: started.elapsed() },
            Err(error) => {
                Answer::NotSearched { shard, reason: failure(&error), words: error.to_string() }
            }
        }
    }

    fn newest_good(
        &mut self,
        wanted: &Wanted,
        refused: &mut Vec<RefusedSnapshot>,
    ) -> Result<Option<Box<Found>>, StoreError> {
        let shard = wanted.config.shard;
        let expected = Expected {
            group: self.config.group.clone(),
            cluster: self.config.cluster.clone(),
            policy: self.config.policy.clone(),
            shard,
            committed: wanted.committed,
        };
        let mut numbers = self.store.list(shard)?;
        numbers.sort_unstable_by(|left, right| right.cmp(left));
        for number in numbers.into_iter().filter(|number| *number < wanted.below) {
            let bytes = self.store.read(shard, number)?;
            match format::read(&bytes, &expected, wanted.config.clone()) {
                Ok((Header { progress, progress_at, .. }, shard)) => {
                    let bytes = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    return Ok(Some(Box::new(Found { progress, progress_at, shard, bytes })));
                }
                Err(why) => {
                    let (reason, words) = (reason_of(&why), why.to_string());
                    refused.push(RefusedSnapshot { number, reason, words });
                }
            }
        }
        Ok(None)
    }
}

fn reason_of(refused: &Refused) -> Refusal {
    match refused {
        Refused::NoSnapshot | Refused::Damaged(_) => Refusal::Damaged,
        Refused::NewerVersion { .. } => Refusal::NewerVersion,
        Refused::Foreign { .. } => Refusal::Foreign,
        Refused::Ahead { .. } => Refusal::Ahead,
        Refused::Otherwise { .. } => Refusal::OtherPolicy,
        Refused::Image(_) => Refusal::Differs,
    }
}

fn failure(error: &StoreError) -> StoreFailure {
    match error {
        StoreError::Full(_) => StoreFailure::Full,
        StoreError::Refused(_) => StoreFailure::Refused,
        StoreError::Failed(_) => StoreFailure::Failed,
    }
}
