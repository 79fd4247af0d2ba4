//! Why a worker stops, loudly. Each reason has its exit code, its value of the metric, and an entry
//! in docs/operations.md.

use super::ports::{CommitError, SourceError};
use crate::domain::ids::ShardNo;
use crate::domain::shard::LimitReached;
use crate::telemetry::labels::StopReason;

/// A loud stop: going on would be wrong.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// A limit is reached: nothing is evicted.
    #[error(
        "shard {shard} reached the limit engine.{key} = {limit}; nothing was dropped: raise the \
         limit (and the memory), or spread the load over more partitions from the start"
    )]
    Limit {
        /// The shard.
        shard: ShardNo,
        /// The configuration key.
        key: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Anything else; the words say what, where, and what to do next.
    #[error("{words}")]
    Loud {
        /// The reason.
        reason: StopReason,
        /// The message.
        words: String,
    },
}

impl Stop {
    /// A stop for a reason, with a message that says what, where, and what to do next.
    pub(crate) fn new(reason: StopReason, words: impl Into<String>) -> Self {
        Self::Loud { reason, words: words.into() }
    }

    pub(crate) const fn limit(shard: ShardNo, reached: LimitReached) -> Self {
        Self::Limit { shard, key: reached.key, limit: reached.limit }
    }

    /// The reason, by which metric and exit code tell it.
    #[must_use]
    pub const fn reason(&self) -> StopReason {
        match self {
            Self::Limit { .. } => StopReason::Limit,
            Self::Loud { reason, .. } => *reason,
        }
    }

    /// The stop that an error of the source is, if it is not one to wait out.
    pub(crate) fn from_source(error: SourceError) -> Self {
        match error {
            SourceError::Refused(_) => Self::new(StopReason::Refused, error.to_string()),
            SourceError::Fenced(_) => Self::new(StopReason::Fenced, error.to_string()),
            SourceError::Fatal(_) => Self::new(StopReason::Client, error.to_string()),
            SourceError::Stop(words) | SourceError::Lost(words) => {
                Self::new(StopReason::Log, words)
            }
            SourceError::NotReady(_) | SourceError::Unavailable(_) => Self::new(
                StopReason::Client,
                format!("an error to be waited out was not: {error}; please report this"),
            ),
        }
    }

    /// The stop that a failed transaction is; `None` where the shards just open again.
    pub(crate) fn from_commit(error: &CommitError) -> Option<Self> {
        let reason = match error {
            CommitError::Restart { .. } | CommitError::ClockSkew { .. } => return None,
            CommitError::Fenced(_) => StopReason::Fenced,
            CommitError::Refused(_) => StopReason::Refused,
            CommitError::Impossible(_) => StopReason::Client,
        };
        Some(Self::new(reason, error.to_string()))
    }
}
