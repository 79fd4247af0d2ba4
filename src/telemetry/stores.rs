//! What a store of snapshots may say, and why a snapshot may not be used.
//!
//! Invariant: as in [`super::labels`], each is a closed set.

/// Why a snapshot could not be stored or looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreFailure {
    /// No room is left.
    Full,
    /// The store may not be used.
    Refused,
    /// Anything else.
    Failed,
}

impl StoreFailure {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Full, Self::Refused, Self::Failed];

    /// The failure's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The failure's place in [`StoreFailure::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Full => 0,
            Self::Refused => 1,
            Self::Failed => 2,
        }
    }
}

/// Why a snapshot was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is torn, cut, changed, or no snapshot.
    Damaged,
    /// A newer program wrote it.
    NewerVersion,
    /// It is of another group, cluster or shard.
    Foreign,
    /// It is further than what is committed.
    Ahead,
    /// It was computed with another policy or engine.
    OtherPolicy,
    /// Its state is not the one that was committed.
    Differs,
}

impl Refusal {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [
        Self::Damaged,
        Self::NewerVersion,
        Self::Foreign,
        Self::Ahead,
        Self::OtherPolicy,
        Self::Differs,
    ];

    /// The refusal's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::NewerVersion => "newer_version",
            Self::Foreign => "foreign",
            Self::Ahead => "ahead",
            Self::OtherPolicy => "other_policy",
            Self::Differs => "differs",
        }
    }

    /// The refusal's place in [`Refusal::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Damaged => 0,
            Self::NewerVersion => 1,
            Self::Foreign => 2,
            Self::Ahead => 3,
            Self::OtherPolicy => 4,
            Self::Differs => 5,
        }
    }
}
