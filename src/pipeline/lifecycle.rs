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
use crate::wire::progress::Progress;

/// What a shard waits for, or does.
#[derive(Clone, Debug)]
pub enum Phase {
    /// The committed offsets and the progress record that belongs to them are being looked for.
    Opening(Box<Opening>),
    /// The inputs are read up to where the progress record says, without effects.
    Restoring(Box<Restoring>),
    /// Outputs are committed; the inputs are read up to the ends that they had at the start.
    CatchingUp {
        /// Those ends, in the order of the topics.
        ends: [NextOffset; 4],
    },
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
    /// Records to be read in all, at most: the distance in offsets.
    pub total: u64,
    /// When it was last logged, in ms of the monotonic clock.
    pub logged_ms: i64,
    /// When it began, in ms of the monotonic clock.
    pub since_ms: i64,
}

impl Phase {
    /// Whether outputs of the shard may be committed.
    #[must_use]
    pub const fn may_commit(&self) -> bool {
        matches!(self, Self::CatchingUp { .. } | Self::Live)
    }

    /// The state as the health board shows it.
    #[must_use]
    pub fn shown(&self, read: u64, now_ms: i64) -> ShardState {
        match self {
            Self::Opening(_) | Self::Parked => ShardState::Opening,
            Self::Restoring(restoring) => {
                let done = read.min(restoring.total);
                let remaining = restoring.total - done;
                let took_ms = u64::try_from(now_ms - restoring.since_ms).unwrap_or(0);
                let eta_seconds = (done > 0 && took_ms > 1000)
                    .then(|| remaining.saturating_mul(took_ms) / done / 1000);
                ShardState::Restoring { done, remaining, eta_seconds }
            }
            Self::CatchingUp { .. } => ShardState::CatchingUp,
            Self::Live => ShardState::Live,
        }
    }
}
