//! The life of a shard in a worker: states, and what moves it from one to the next.
//!
//! ```text
//!                ┌─────────── nothing committed: a first start ───────────┐
//!                │                                                        v
//!  assigned ─> Opening ── committed, progress read ──> Restoring ──> CatchingUp ──> Live
//!     ^          ^ ^                                    (digest equal)   │   │        │
//!     │          │ └── failed transaction ───────────────────────────────────┴────────┤
//!     │          └──── given back with another progress number ──┐       │            │
//!     └──────────────────────────────────────────────────────  Parked <──┴── revoked ─┘
//! ```
//!
//! Invariants: a transaction is made only of shards that are catching up or live; whatever fails
//! leads back to opening, which is the only way to a state. A parked shard keeps its state only
//! if the group still has the progress number that it had.

use super::decisions::Recorded;
use crate::domain::ids::NextOffset;
use crate::telemetry::health::ShardState;
use crate::telemetry::labels::ShardPhase;
use crate::wire::progress::Progress;

/// What a shard waits for, or does.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The committed offsets and the progress record that belongs to them are being looked for.
    Opening(Box<Opening>),
    /// The inputs are read up to where the progress record says, without effects.
    Restoring(Box<Restoring>),
    /// Outputs are committed; the inputs are read up to the ends that they had at the start.
    CatchingUp(Stretch),
    /// Outputs are committed as they come.
    Live,
    /// Taken away, for now: kept for the case that it comes back unmoved.
    Parked,
}

/// How far opening is.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// What the group has committed, once known: the number of the progress record.
    pub committed: Option<Option<u64>>,
    /// The decisions of the progress records read so far.
    pub recorded: Recorded,
    /// The last progress record read so far.
    pub last: Option<Progress>,
    /// Whether the progress partition was read to its end.
    pub is_read: bool,
    /// Whether the slot has a state that may be gone on with.
    pub is_kept: bool,
    /// Since when the group's offsets and the progress topic are seen to disagree, in ms of the
    /// monotonic clock.
    pub disagrees_since_ms: Option<i64>,
}

/// How far a restore is.
#[derive(Clone, Debug)]
pub struct Restoring {
    /// Where it ends.
    pub target: Progress,
    /// When it began, in ms of the monotonic clock.
    pub since_ms: i64,
}

/// What is to be read of the four inputs, in the order of the topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Where it begins.
    pub from: [NextOffset; 4],
    /// Where it ends.
    pub ends: [NextOffset; 4],
}

impl Stretch {
    /// Its length in offsets: the records in it, at most.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.up_to(self.ends)
    }

    /// How much of it lies before positions.
    #[must_use]
    pub fn up_to(&self, positions: [NextOffset; 4]) -> u64 {
        let each = self.from.iter().zip(&self.ends).zip(positions);
        let each = each.map(|((from, end), at)| at.min(*end).get() - from.get());
        each.map(|offsets| u64::try_from(offsets).unwrap_or(0)).sum()
    }
}

impl Restoring {
    /// What it reads.
    #[must_use]
    pub fn stretch(&self) -> Stretch {
        let ends = self.target.positions.map(|position| position.next);
        Stretch { from: self.target.from, ends }
    }
}

impl Phase {
    /// Whether outputs of the shard may be committed.
    #[must_use]
    pub const fn may_commit(&self) -> bool {
        matches!(self, Self::CatchingUp(_) | Self::Live)
    }

    /// The phase as the health board names it.
    #[must_use]
    pub const fn label(&self) -> ShardPhase {
        match self {
            Self::Opening(_) | Self::Parked => ShardPhase::Opening,
            Self::Restoring(_) => ShardPhase::Restoring,
            Self::CatchingUp(_) => ShardPhase::CatchingUp,
            Self::Live => ShardPhase::Live,
        }
    }

    /// The state as the health board shows it; `positions` is where reading is.
    #[must_use]
    pub fn shown(&self, positions: [NextOffset; 4], now_ms: i64) -> ShardState {
        match self {
            Self::Opening(_) | Self::Parked => ShardState::Opening,
            Self::Restoring(restoring) => {
                let stretch = restoring.stretch();
                let done = stretch.up_to(positions);
                let remaining = stretch.total() - done;
                let took_ms = u64::try_from(now_ms - restoring.since_ms).unwrap_or(0);
                let eta_seconds = (done > 0 && took_ms > 1000)
                    .then(|| remaining.saturating_mul(took_ms) / done / 1000);
                ShardState::Restoring { done, remaining, eta_seconds }
            }
            Self::CatchingUp(stretch) => {
                let done = stretch.up_to(positions);
                ShardState::CatchingUp { done, remaining: stretch.total() - done }
            }
            Self::Live => ShardState::Live,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offsets: [i64; 4]) -> [NextOffset; 4] {
        offsets.map(NextOffset::stated)
    }

    #[test]
    fn what_is_read_beyond_an_end_does_not_count_and_an_empty_stretch_has_no_length() {
        let stretch = Stretch { from: at([10, 0, 5, 0]), ends: at([20, 0, 6, 100]) };
        assert_eq!(stretch.total(), 111);
        assert_eq!(stretch.up_to(at([10, 0, 5, 0])), 0);
        assert_eq!(stretch.up_to(at([12, 7, 6, 50])), 53);
        assert_eq!(stretch.up_to(at([99, 99, 99, 100])), 111);
        // A log that was cut behind the position: its end is before the beginning.
        assert_eq!(Stretch { from: at([9; 4]), ends: at([3; 4]) }.total(), 0);
    }
}
