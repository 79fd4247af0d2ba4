//! When snapshots are taken, and what comes of it: one shard of a worker at a time, in turn.
//!
//! ```text
//! due, nothing uncommitted ──> taking, a slice per turn ──> kept beside the worker ──> due again
//!        (the shard reads and closes nothing meanwhile)        └─ failed: again in a while
//! ```
//!
//! Invariants: a snapshot is taken only of what is committed, and begins and ends at the same
//! boundary; nothing that goes wrong with one stops or delays the shard further. Absent on
//! purpose: packing and storing, which the keeper does on its own thread.

use std::collections::BTreeMap;

use tracing::{info, warn};

use super::batch::{self, Identity};
use super::desk::{Answer, Ask, Desk, Found, RefusedSnapshot, Taken, Wanted};
use super::lifecycle::Phase;
use super::slot::{Now, Slot};
use crate::domain::ids::ShardNo;
use crate::domain::image::Taking;
use crate::telemetry::health::HealthBoard;
use crate::telemetry::labels::StoreFailure;
use crate::telemetry::metrics::Metrics;

/// Orders, or as much as takes as long, that one turn copies: a few milliseconds' work.
pub const SLICE: usize = 100_000;

/// How soon a snapshot that failed is tried again, in ms, if the interval is longer.
const AGAIN_MS: i64 = 30_000;

/// How long a search that fails is repeated before the restore goes on without a snapshot, in ms.
const SEARCH_FOR_MS: i64 = 60_000;

/// How long to wait before a failed search is repeated, in ms.
const SEARCH_AGAIN_MS: i64 = 1_000;

/// Where a slot stands with its snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The progress number of the newest one; 0 if there is none.
    pub number: u64,
    /// When that was taken, or when the shard began to wait for one, in ms of the monotonic clock.
    pub taken_ms: i64,
    /// When the next one is due, in ms of the monotonic clock.
    pub due_ms: i64,
}

/// How far the search for a snapshot is.
#[derive(Clone, Debug, Default)]
pub enum Search {
    /// Nobody was asked.
    #[default]
    NotBegun,
    /// The keeper was asked.
    Asked {
        /// When the first attempt began, in ms of the monotonic clock.
        since_ms: i64,
    },
    /// The store did not answer.
    Failed {
        /// As in `Asked`.
        since_ms: i64,
        /// When it failed.
        at_ms: i64,
    },
    /// It is over.
    Done {
        /// The newest good snapshot, if there is one.
        found: Option<Box<Found>>,
        /// Newer ones that are not good.
        refused: Vec<RefusedSnapshot>,
    },
}

impl Search {
    /// A search that found nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::Done { found: None, refused: Vec::new() }
    }
}

/// What the worker does about snapshots.
#[derive(Debug)]
pub struct Snapshots {
    desk: Desk,
    interval_ms: i64,
    taking: Option<Begun>,
    /// The one that the keeper has, with the time when it was taken.
    stored: Option<(ShardNo, i64)>,
}

#[derive(Debug)]
struct Begun {
    shard: ShardNo,
    taking: Taking,
    since_ms: i64,
}

impl Snapshots {
    /// Takes snapshots about as often as said, in ms, and leaves them on a desk.
    #[must_use]
    pub const fn new(desk: Desk, interval_ms: i64) -> Self {
        Self { desk, interval_ms, taking: None, stored: None }
    }

    /// Whether a shard must not move now.
    #[must_use]
    pub fn holds(&self, shard: ShardNo) -> bool {
        self.taking.as_ref().is_some_and(|begun| begun.shard == shard)
    }

    /// Forgets what was begun, when shards come and go.
    pub fn forget(&mut self) {
        self.taking = None;
    }

    /// Takes the keeper's answers.
    pub fn take_answers(
        &mut self,
        slots: &mut BTreeMap<ShardNo, Slot>,
        metrics: &Metrics,
        health: &HealthBoard,
        now: Now,
    ) {
        while let Some(answer) = self.desk.take() {
            match answer {
                Answer::Kept { shard, number, bytes, took } => {
                    metrics.snapshots.kept(took);
                    let taken = self.stored.take_if(|(of, _)| *of == shard);
                    let Some(slot) = slots.get_mut(&shard) else { continue };
                    slot.metrics.set_snapshot_bytes(bytes);
                    if let Some(kept) = &mut slot.kept {
                        kept.number = number;
                        kept.taken_ms = taken.map_or(now.mono_ms, |(_, taken_ms)| taken_ms);
                    }
                    health.set_trouble(shard, None);
                }
                Answer::NotKept { shard, reason, words } => {
                    self.stored = None;
                    if let Some(slot) = slots.get_mut(&shard) {
                        self.not_kept(slot, (reason, &words), metrics, health, now);
                    }
                }
                Answer::Searched { shard, found, refused, took } => {
                    for one in &refused {
                        metrics.snapshots.refused(one.reason);
                        warn!(%shard, number = one.number, why = one.words, "snapshot refused");
                    }
                    if let Some(found) = &found {
                        let (number, ms) = (found.progress.number, took.as_millis());
                        info!(%shard, number, bytes = found.bytes, ms, "snapshot loaded");
                    }
                    // An answer to an earlier question comes to nobody, or serves as well.
                    if let Some(search @ Search::Asked { .. }) = search_of(slots, shard) {
                        *search = Search::Done { found, refused };
                    }
                }
                Answer::NotSearched { shard, reason, words } => {
                    metrics.snapshots.failed(reason);
                    warn!(%shard, error = words, "snapshots could not be looked for");
                    if let Some(search) = search_of(slots, shard)
                        && let Search::Asked { since_ms } = *search
                    {
                        *search = Search::Failed { since_ms, at_ms: now.mono_ms };
                    }
                }
            }
        }
    }

    fn not_kept(
        &self,
        slot: &mut Slot,
        (reason, words): (StoreFailure, &str),
        metrics: &Metrics,
        health: &HealthBoard,
        now: Now,
    ) {
        let shard = slot.number;
        metrics.snapshots.failed(reason);
        warn!(%shard, error = words, "the snapshot could not be stored");
        if let Some(kept) = &mut slot.kept {
            kept.due_ms = now.mono_ms + self.interval_ms.min(AGAIN_MS);
        }
        health.set_trouble(shard, Some(format!("no snapshot can be stored: {words}")));
    }

    /// Goes on with a search; true once it is over.
    pub fn search(&self, search: &mut Search, wanted: impl FnOnce() -> Wanted, now: Now) -> bool {
        let since_ms = match search {
            Search::Done { .. } => return true,
            Search::Asked { .. } => return false,
            Search::NotBegun => now.mono_ms,
            Search::Failed { since_ms, at_ms } => {
                if now.mono_ms - *since_ms > SEARCH_FOR_MS {
                    warn!("the store of snapshots does not answer: going on without");
                    *search = Search::nothing();
                    return true;
                }
                if now.mono_ms - *at_ms < SEARCH_AGAIN_MS {
                    return false;
                }
                *since_ms
            }
        };
        let was_left = self.desk.leave(Ask::Find(Box::new(wanted())));
        *search = if was_left { Search::Asked { since_ms } } else { Search::nothing() };
        !was_left
    }

    /// Begins a snapshot that is due, or goes on with the one that was begun. Tells whether there
    /// was anything to do.
    pub fn step(
        &mut self,
        slots: &mut BTreeMap<ShardNo, Slot>,
        identity: &Identity,
        metrics: &Metrics,
        health: &HealthBoard,
        now: Now,
    ) -> bool {
        if self.taking.is_none() {
            self.begin(slots, now);
        }
        let Some(begun) = &mut self.taking else { return false };
        let Some(slot) = slots.get_mut(&begun.shard) else {
            self.taking = None;
            return false;
        };
        if !begun.taking.step(&slot.shard, SLICE) {
            return true;
        }
        let begun = self.taking.take().expect("it was just gone on with");
        metrics.snapshots.paused_ms(now.mono_ms - begun.since_ms);
        let taken = taken(slot, begun.taking, identity);
        if let Some(kept) = &mut slot.kept {
            kept.due_ms = now.mono_ms + self.interval_ms;
        }
        if self.desk.leave(Ask::Keep(Box::new(taken))) {
            self.stored = Some((slot.number, now.mono_ms));
        } else {
            let why = (StoreFailure::Failed, "the keeper of snapshots has ended");
            self.not_kept(slot, why, metrics, health, now);
        }
        true
    }

    /// Takes a last snapshot of each shard that moved since its last one, when the worker ends: so
    /// a planned restart reads next to nothing again.
    pub fn take_last(&mut self, slots: &BTreeMap<ShardNo, Slot>, identity: &Identity) {
        let moved = slots.values().filter(|slot| {
            let newest = slot.kept.map_or(0, |kept| kept.number);
            slot.phase.may_commit() && !slot.has_moved && slot.progress > newest
        });
        for slot in moved {
            let Some(mut taking) = Taking::begin(&slot.shard) else { continue };
            while !taking.step(&slot.shard, SLICE) {}
            if !self.desk.leave(Ask::Keep(Box::new(taken(slot, taking, identity)))) {
                warn!(shard = %slot.number, "no last snapshot: the keeper has ended");
            }
        }
    }

    fn begin(&mut self, slots: &mut BTreeMap<ShardNo, Slot>, now: Now) {
        let due_ms = now.mono_ms + self.interval_ms;
        for slot in slots.values_mut().filter(|slot| slot.phase.may_commit()) {
            let fresh = Kept { number: 0, taken_ms: now.mono_ms, due_ms };
            slot.kept.get_or_insert(fresh);
        }
        if self.stored.is_some() {
            return;
        }
        let due =
            slots.values().filter_map(|slot| Some((slot.kept?, slot))).filter(|(kept, slot)| {
                let is_news = slot.progress > kept.number;
                slot.phase.may_commit() && !slot.has_moved && is_news && kept.due_ms <= now.mono_ms
            });
        let Some((_, slot)) = due.min_by_key(|(kept, slot)| (kept.due_ms, slot.number)) else {
            return;
        };
        self.taking = Taking::begin(&slot.shard).map(|taking| {
            let (shard, since_ms) = (slot.number, now.mono_ms);
            Begun { shard, taking, since_ms }
        });
    }
}

/// What is left on the desk of a whole image.
fn taken(slot: &Slot, taking: Taking, identity: &Identity) -> Taken {
    Taken {
        progress: batch::progress_of(slot, slot.progress, slot.open_decisions(), identity),
        progress_at: slot.progress_at,
        image: taking.finish(),
    }
}

fn search_of(slots: &mut BTreeMap<ShardNo, Slot>, shard: ShardNo) -> Option<&mut Search> {
    match &mut slots.get_mut(&shard)?.phase {
        Phase::Opening(opening) => Some(&mut opening.search),
        _ => None,
    }
}
