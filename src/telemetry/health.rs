//! The health board: which worker runs, which shard is in which state, and whether all is ready.
//!
//! ```text
//!   assigned -> opening -> restoring -> catching_up -> live
//!       \-> (removed by a rebalance at any time)   \-> stopped (reason)   from any of them
//! ```
//!
//! Invariants: a shard is on the board under the worker that wrote it last, and only that worker
//! can take it off; ready means every worker is a settled member and every shard is live. Absent
//! on purpose: a clock, and any question to Kafka: a broker that is away makes nothing dead here.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::labels::ShardPhase;
use crate::domain::ids::ShardNo;

/// Shards that a reason lists one by one.
const LISTED_SHARDS: usize = 20;

/// The number of a worker thread in its process, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerNo(usize);

impl WorkerNo {
    /// Wraps a worker's number.
    #[must_use]
    pub const fn new(number: usize) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }
}

impl fmt::Display for WorkerNo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a worker is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Connecting, or waiting for the group to say which shards it has.
    Joining,
    /// Knows its shards, which may be none.
    Settled,
    /// Its thread ended.
    Ended {
        /// Why.
        reason: String,
    },
}

/// What a shard is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShardState {
    /// Given to this process, nothing done yet.
    Assigned,
    /// Asking for what was committed.
    Opening,
    /// Rebuilding its state.
    Restoring {
        /// Records read so far.
        done: u64,
        /// Records still to be read.
        remaining: u64,
        /// About how long that takes, where there is a rate.
        eta_seconds: Option<u64>,
    },
    /// Committing, but behind the ends that its inputs had when it began.
    CatchingUp {
        /// Records read so far.
        done: u64,
        /// Records still to be read.
        remaining: u64,
    },
    /// Keeping up.
    Live,
    /// Given up, loudly.
    Stopped {
        /// Why, and what to do.
        reason: String,
    },
}

impl ShardState {
    /// The state without its details.
    #[must_use]
    pub const fn phase(&self) -> ShardPhase {
        match self {
            Self::Assigned => ShardPhase::Assigned,
            Self::Opening => ShardPhase::Opening,
            Self::Restoring { .. } => ShardPhase::Restoring,
            Self::CatchingUp { .. } => ShardPhase::CatchingUp,
            Self::Live => ShardPhase::Live,
            Self::Stopped { .. } => ShardPhase::Stopped,
        }
    }
}

impl fmt::Display for ShardState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Assigned => formatter.write_str("assigned, not yet opened"),
            Self::Opening => formatter.write_str("opening"),
            Self::Restoring { remaining, eta_seconds, .. } => {
                write!(formatter, "restoring, {remaining} records remaining")?;
                match eta_seconds {
                    Some(eta) => write!(formatter, ", about {eta} s"),
                    None => Ok(()),
                }
            }
            Self::CatchingUp { remaining, .. } => {
                write!(formatter, "catching up, {remaining} records remaining")
            }
            Self::Live => formatter.write_str("live"),
            Self::Stopped { reason } => write!(formatter, "stopped: {reason}"),
        }
    }
}

/// Whether the process does its whole job now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Yes.
    Ready,
    /// No.
    NotReady {
        /// Why, in one or more lines.
        reason: String,
    },
}

impl Readiness {
    /// Whether it is [`Readiness::Ready`].
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self == Self::Ready
    }

    fn not(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::NotReady { reason }
    }
}

/// The board itself, shared by all workers and readers.
pub struct HealthBoard {
    board: Mutex<Board>,
    /// Turns finished, by worker: proof of life without a clock.
    beats: Vec<AtomicU64>,
}

struct Board {
    workers: Vec<WorkerState>,
    shards: BTreeMap<ShardNo, (WorkerNo, ShardState)>,
    draining: bool,
    troubles: BTreeMap<ShardNo, String>,
    bridge: Option<String>,
}

impl HealthBoard {
    /// A board for a number of workers, all joining.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self {
            board: Mutex::new(Board {
                workers: vec![WorkerState::Joining; workers],
                shards: BTreeMap::new(),
                draining: false,
                troubles: BTreeMap::new(),
                bridge: None,
            }),
            beats: (0..workers).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    // A worker that panicked while it wrote must not hide the board from the probes.
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a worker is doing. A worker that ended has no shards any more.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn set_worker(&self, worker: WorkerNo, state: WorkerState) {
        let mut board = self.lock();
        if matches!(state, WorkerState::Ended { .. }) {
            board.shards.retain(|_, (owner, _)| *owner != worker);
        }
        board.workers[worker.get()] = state;
    }

    /// Notes that a worker finished a turn.
    ///
    /// # Panics
    /// If there is no such worker.
    pub fn beat(&self, worker: WorkerNo) {
        self.beats[worker.get()].fetch_add(1, Ordering::Relaxed);
    }

    /// Turns finished so far, by worker.
    #[must_use]
    pub fn beats(&self) -> Vec<u64> {
        self.beats.iter().map(|beats| beats.load(Ordering::Relaxed)).collect()
    }

    /// Notes what a shard is doing.
    pub fn set_shard(&self, worker: WorkerNo, shard: ShardNo, state: ShardState) {
        self.lock().shards.insert(shard, (worker, state));
    }

    /// Takes a shard off the board, unless another worker has it by now.
    pub fn remove_shard(&self, worker: WorkerNo, shard: ShardNo) {
        let mut board = self.lock();
        if board.shards.get(&shard).is_some_and(|(owner, _)| *owner == worker) {
            board.troubles.remove(&shard);
            board.shards.remove(&shard);
        }
    }

    /// Notes what is not well with a shard although it does its job; `None` once it is well again.
    pub fn set_trouble(&self, shard: ShardNo, trouble: Option<String>) {
        let troubles = &mut self.lock().troubles;
        match trouble {
            Some(trouble) => troubles.insert(shard, trouble),
            None => troubles.remove(&shard),
        };
    }

    /// Notes what is not well with the bridge; `None` once it is well again.
    pub fn set_bridge_trouble(&self, trouble: Option<String>) {
        self.lock().bridge = trouble;
    }

    /// What is not well although the service does its job: by shard, then the bridge.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let board = self.lock();
        let of_shards = board.troubles.iter();
        let of_shards = of_shards.map(|(shard, trouble)| format!("shard {shard}: {trouble}"));
        let of_bridge = board.bridge.iter().map(|trouble| format!("bridge: {trouble}"));
        of_shards.chain(of_bridge).collect()
    }

    /// Notes that the process is being shut down.
    pub fn set_draining(&self) {
        self.lock().draining = true;
    }

    /// All shards of this process and their states, in order.
    #[must_use]
    pub fn shards(&self) -> Vec<(ShardNo, ShardState)> {
        self.lock().shards.iter().map(|(shard, (_, state))| (*shard, state.clone())).collect()
    }

    /// Workers whose threads have not ended.
    #[must_use]
    pub fn running_workers(&self) -> usize {
        self.lock()
            .workers
            .iter()
            .filter(|state| !matches!(state, WorkerState::Ended { .. }))
            .count()
    }

    /// The first worker that ended although nobody asked it to, and why.
    #[must_use]
    pub fn dead_worker(&self) -> Option<(WorkerNo, String)> {
        let board = self.lock();
        if board.draining {
            return None;
        }
        board.dead_worker()
    }

    /// Whether every worker is settled and every shard live; else why not.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let board = self.lock();
        if board.draining {
            return Readiness::not("shutting down");
        }
        if let Some((worker, reason)) = board.dead_worker() {
            return Readiness::not(format!("worker {worker} ended: {reason}"));
        }
        let joining = board.workers.iter().filter(|state| **state == WorkerState::Joining).count();
        if joining > 0 {
            let all = board.workers.len();
            let reason = format!("{joining} of {all} workers wait for the consumer group");
            return Readiness::not(reason);
        }
        board.shards_readiness()
    }
}

impl Board {
    fn dead_worker(&self) -> Option<(WorkerNo, String)> {
        let mut workers = self.workers.iter().enumerate();
        workers.find_map(|(number, state)| match state {
            WorkerState::Ended { reason } => Some((WorkerNo(number), reason.clone())),
            WorkerState::Joining | WorkerState::Settled => None,
        })
    }

    fn shards_readiness(&self) -> Readiness {
        let others: Vec<_> =
            self.shards.iter().filter(|(_, (_, state))| *state != ShardState::Live).collect();
        if others.is_empty() {
            return Readiness::Ready;
        }
        let all = self.shards.len();
        let live = all - others.len();
        let mut reason = format!("{live} of {all} shards are live");
        for (shard, (_, state)) in others.iter().take(LISTED_SHARDS) {
            write!(reason, "\nshard {shard}: {state}").expect("writing to a String cannot fail");
        }
        if let Some(more) = others.len().checked_sub(LISTED_SHARDS).filter(|more| *more > 0) {
            write!(reason, "\nand {more} more").expect("writing to a String cannot fail");
        }
        Readiness::not(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: WorkerNo = WorkerNo::new(0);
    const SECOND: WorkerNo = WorkerNo::new(1);

    fn reason(board: &HealthBoard) -> String {
        match board.readiness() {
            Readiness::Ready => "ready".to_owned(),
            Readiness::NotReady { reason } => reason,
        }
    }

    #[test]
    fn a_worker_without_shards_is_ready_once_the_group_has_said_so() {
        let board = HealthBoard::new(2);
        assert_eq!(reason(&board), "2 of 2 workers wait for the consumer group");
        board.set_worker(FIRST, WorkerState::Settled);
        assert_eq!(reason(&board), "1 of 2 workers wait for the consumer group");
        board.set_worker(SECOND, WorkerState::Settled);
        assert_eq!(reason(&board), "ready");
    }

    #[test]
    fn a_restoring_shard_is_named_with_what_remains() {
        let board = HealthBoard::new(1);
        board.set_worker(FIRST, WorkerState::Settled);
        board.set_shard(FIRST, ShardNo::new(0), ShardState::Live);
        let restoring = ShardState::Restoring { done: 10, remaining: 120, eta_seconds: Some(14) };
        board.set_shard(FIRST, ShardNo::new(3), restoring);
        assert_eq!(
            reason(&board),
            "1 of 2 shards are live\nshard 3: restoring, 120 records remaining, about 14 s"
        );
        board.set_shard(FIRST, ShardNo::new(3), ShardState::Live);
        assert_eq!(reason(&board), "ready");
    }

    #[test]
    fn a_stopped_shard_keeps_the_whole_from_being_ready() {
        let board = HealthBoard::new(1);
        board.set_worker(FIRST, WorkerState::Settled);
        let reason_given = "order cap reached".to_owned();
        let stopped = ShardState::Stopped { reason: reason_given };
        board.set_shard(FIRST, ShardNo::new(7), stopped);
        assert!(reason(&board).ends_with("shard 7: stopped: order cap reached"));
    }

    #[test]
    fn a_long_list_of_shards_is_cut() {
        let board = HealthBoard::new(1);
        board.set_worker(FIRST, WorkerState::Settled);
        for number in 0..25 {
            board.set_shard(FIRST, ShardNo::new(number), ShardState::Opening);
        }
        assert_eq!(reason(&board).lines().count(), 22);
        assert!(reason(&board).ends_with("and 5 more"));
    }

    #[test]
    fn only_the_worker_that_has_a_shard_can_take_it_off() {
        let board = HealthBoard::new(2);
        let shard = ShardNo::new(4);
        board.set_shard(FIRST, shard, ShardState::Live);
        board.set_shard(SECOND, shard, ShardState::Opening);
        board.remove_shard(FIRST, shard);
        assert_eq!(board.shards(), [(shard, ShardState::Opening)]);
        board.remove_shard(SECOND, shard);
        assert!(board.shards().is_empty());
    }

    #[test]
    fn a_worker_that_ends_is_dead_unless_the_process_is_shutting_down() {
        let board = HealthBoard::new(2);
        board.set_shard(SECOND, ShardNo::new(1), ShardState::Live);
        let ended = WorkerState::Ended { reason: "fenced".to_owned() };
        board.set_worker(SECOND, ended);
        assert_eq!(board.dead_worker(), Some((SECOND, "fenced".to_owned())));
        assert_eq!(reason(&board), "worker 1 ended: fenced");
        assert_eq!(board.running_workers(), 1);
        assert!(board.shards().is_empty());
        board.set_draining();
        assert_eq!(board.dead_worker(), None);
        assert_eq!(reason(&board), "shutting down");
    }

    #[test]
    fn beats_are_counted_by_worker() {
        let board = HealthBoard::new(2);
        board.beat(SECOND);
        board.beat(SECOND);
        assert_eq!(board.beats(), [0, 2]);
    }
}
