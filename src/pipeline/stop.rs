//! Why a worker stops, loudly. Each reason has its exit code and an entry in docs/operations.md.

use super::ports::{CommitError, SourceError};
use crate::domain::ids::ShardNo;
use crate::domain::shard::LimitReached;

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
    /// Too many dead letters.
    #[error("{0}")]
    Breaker(String),
    /// The log no longer has what the shard needs, or is another one.
    #[error("{0}")]
    Log(String),
    /// The restored state is not the one that was committed.
    #[error("{0}")]
    Digest(String),
    /// The progress topic holds what this program must not go on from.
    #[error("{0}")]
    Progress(String),
    /// Another instance with the same identity took over.
    #[error("{0}")]
    Fenced(String),
    /// Authentication or authorisation was refused.
    #[error("{0}")]
    Refused(String),
    /// The client failed for good, or a record can never be written.
    #[error("{0}")]
    Client(String),
}

impl Stop {
    pub(crate) const fn limit(shard: ShardNo, reached: LimitReached) -> Self {
        Self::Limit { shard, key: reached.key, limit: reached.limit }
    }

    /// The stop that an error of the source is, if it is not one to wait out.
    pub(crate) fn from_source(error: SourceError) -> Self {
        match error {
            SourceError::Refused(_) => Self::Refused(error.to_string()),
            SourceError::Fenced(_) => Self::Fenced(error.to_string()),
            SourceError::Fatal(_) => Self::Client(error.to_string()),
            SourceError::Stop(message) => Self::Log(message),
            SourceError::NotReady(_) | SourceError::Unavailable(_) => Self::Client(format!(
                "an error to be waited out was not: {error}; please report this"
            )),
        }
    }

    /// The stop that a failed transaction is; `None` where the shards just open again.
    pub(crate) fn from_commit(error: &CommitError) -> Option<Self> {
        match error {
            CommitError::Restart { .. } | CommitError::ClockSkew { .. } => None,
            CommitError::Fenced(_) => Some(Self::Fenced(error.to_string())),
            CommitError::Refused(_) => Some(Self::Refused(error.to_string())),
            CommitError::Impossible(_) => Some(Self::Client(error.to_string())),
        }
    }
}
