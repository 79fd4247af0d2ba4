//! What others may see of the shards: each worker writes it down about once a second.
//!
//! Invariant: what is written down is committed, so that no reader sees what a failed transaction
//! takes back. Absent on purpose: questions; who wants more than this must ask the worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::lifecycle::Phase;
use super::slot::{Now, Slot};
use crate::domain::effects::Status;
use crate::domain::ids::ShardNo;
use crate::domain::time::BoundaryLength;

/// How often it is written down, in ms.
const PUBLISH_MS: i64 = 500;

/// What is seen of one shard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it has caught up.
    pub is_live: bool,
    /// Records of closed boundaries, since it was opened.
    pub records: u64,
    /// The instant of the last boundary closed, in ms since the epoch.
    pub boundary_ms: Option<i64>,
    /// The number of its last alert.
    pub seq: u64,
    /// Its accounts at risk, in the order of their names.
    pub at_risk: Vec<Status>,
}

impl Seen {
    /// What is seen of a slot that has nothing uncommitted.
    pub(super) fn of(slot: &Slot, length: BoundaryLength) -> Self {
        assert!(!slot.has_moved, "only what is committed may be seen");
        let pending = u64::try_from(slot.shard.held().pending).unwrap_or(u64::MAX);
        Self {
            is_live: matches!(slot.phase, Phase::Live),
            records: slot.read.saturating_sub(pending),
            boundary_ms: slot.shard.closed().map(|closed| closed.ms(length)),
            seq: slot.shard.seq(),
            at_risk: slot.shard.at_risk(),
        }
    }
}

/// The shards of all workers of the process.
#[derive(Debug, Default)]
pub struct Board(Mutex<BTreeMap<ShardNo, Seen>>);

impl Board {
    /// Everything that is written down, by shard.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<ShardNo, Seen> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardNo, Seen>> {
        self.0.lock().expect("no holder of this lock panics")
    }
}

/// A worker's way to a board; without one it writes nothing down.
#[derive(Debug)]
pub(super) struct Publisher {
    board: Option<Arc<Board>>,
    published_ms: i64,
}

impl Default for Publisher {
    fn default() -> Self {
        Self { board: None, published_ms: i64::MIN / 2 }
    }
}

impl Publisher {
    /// The way to a board.
    pub fn on(board: Arc<Board>) -> Self {
        Self { board: Some(board), ..Self::default() }
    }

    /// Writes down what others may see, when it is time and nothing is uncommitted.
    pub fn publish<'a>(
        &mut self,
        slots: impl Iterator<Item = &'a Slot> + Clone,
        length: BoundaryLength,
        now: Now,
    ) {
        let Some(board) = &self.board else { return };
        let is_early = now.mono_ms - self.published_ms < PUBLISH_MS;
        if is_early || slots.clone().any(|slot| slot.has_moved) {
            return;
        }
        self.published_ms = now.mono_ms;
        let mut shards = board.lock();
        for slot in slots.filter(|slot| !matches!(slot.phase, Phase::Parked)) {
            shards.insert(slot.number, Seen::of(slot, length));
        }
    }
}
