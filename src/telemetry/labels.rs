//! The labels of metrics and the closed sets of their values.
//!
//! Invariant: a label's name stands for one set of values everywhere. Absent on purpose: any
//! label whose values come from records, but for the names of accounts on `/metrics/sellers`, whose
//! number is bounded.

use super::outside::{Answer, Closed, Fate};
pub use super::removal::{RemovalEnd, RemovalRule};
use crate::domain::effects::{AlertKind, AlertState};
use crate::domain::event::{DeadReason, Outcome, Topic};
pub use crate::domain::risk::Band;

/// What a shard is doing; see [`super::health::ShardState`] for the details that go with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShardPhase {
    /// Given to this process, nothing done yet.
    Assigned,
    /// Asking for what was committed.
    Opening,
    /// Rebuilding its state, with effects suppressed.
    Restoring,
    /// Computing and committing, but behind the ends of its inputs.
    CatchingUp,
    /// Keeping up.
    Live,
    /// Given up, loudly.
    Stopped,
}

impl ShardPhase {
    /// All phases, in order.
    pub const ALL: [Self; 6] = [
        Self::Assigned,
        Self::Opening,
        Self::Restoring,
        Self::CatchingUp,
        Self::Live,
        Self::Stopped,
    ];

    /// The phase's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Opening => "opening",
            Self::Restoring => "restoring",
            Self::CatchingUp => "catching_up",
            Self::Live => "live",
            Self::Stopped => "stopped",
        }
    }
}

/// What kind of decision was recorded beside the outputs that it led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionKind {
    /// A boundary was closed although a partition was silent.
    Close,
    /// A record from the future was given the time of reading.
    RecordTime,
    /// Alerting began.
    AlertsFrom,
    /// A shard went on behind records that were lost, as an operator said.
    Gap,
}

impl DecisionKind {
    /// All kinds, in order.
    pub const ALL: [Self; 4] = [Self::Close, Self::RecordTime, Self::AlertsFrom, Self::Gap];

    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::RecordTime => "record_time",
            Self::AlertsFrom => "alerts_from",
            Self::Gap => "gap",
        }
    }

    /// The kind's place in [`DecisionKind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Close => 0,
            Self::RecordTime => 1,
            Self::AlertsFrom => 2,
            Self::Gap => 3,
        }
    }
}

/// Why a worker stopped, loudly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// Retention passed our position.
    DataGap,
    /// An input was given partitions, or lost some.
    Partitions,
    /// An input was deleted, or is another topic than before.
    TopicReplaced,
    /// An input's log ends before our position.
    LogCut,
    /// What the inputs give is not what was committed.
    Digest,
    /// The progress topic was written by a newer version.
    NewerVersion,
    /// The progress topic and the group's offsets do not say where to go on.
    Progress,
    /// A newer instance with the same identity took over.
    Fenced,
    /// Authentication or authorisation was refused.
    Refused,
    /// A limit is reached.
    Limit,
    /// Most of a topic's records are dead.
    DeadLetters,
    /// A partition cannot be read for another reason.
    Log,
    /// The client failed for good, or a record can never be written.
    Client,
}

impl StopReason {
    /// All reasons, in order.
    pub const ALL: [Self; 13] = [
        Self::DataGap,
        Self::Partitions,
        Self::TopicReplaced,
        Self::LogCut,
        Self::Digest,
        Self::NewerVersion,
        Self::Progress,
        Self::Fenced,
        Self::Refused,
        Self::Limit,
        Self::DeadLetters,
        Self::Log,
        Self::Client,
    ];

    /// The reason's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DataGap => "data_gap",
            Self::Partitions => "partitions",
            Self::TopicReplaced => "topic_replaced",
            Self::LogCut => "log_cut",
            Self::Digest => "digest",
            Self::NewerVersion => "newer_version",
            Self::Progress => "progress",
            Self::Fenced => "fenced",
            Self::Refused => "refused",
            Self::Limit => "limit",
            Self::DeadLetters => "dead_letters",
            Self::Log => "log",
            Self::Client => "client",
        }
    }

    /// The reason's place in [`StopReason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        let place = Self::ALL.into_iter().position(|reason| reason == self);
        place.expect("all reasons are listed")
    }
}

/// The step of a transaction at which it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Beginning it.
    Begin,
    /// Handing over its records.
    Send,
    /// Waiting until they are written.
    Flush,
    /// The checks of clock and generation before the commit.
    Check,
    /// Adding the group's offsets.
    Offsets,
    /// Committing.
    Commit,
    /// Any other step.
    Other,
}

impl Stage {
    /// All stages, in order.
    pub const ALL: [Self; 7] = [
        Self::Begin,
        Self::Send,
        Self::Flush,
        Self::Check,
        Self::Offsets,
        Self::Commit,
        Self::Other,
    ];

    /// The stage's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Send => "send",
            Self::Flush => "flush",
            Self::Check => "check",
            Self::Offsets => "offsets",
            Self::Commit => "commit",
            Self::Other => "other",
        }
    }

    /// The stage's place in [`Stage::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Begin => 0,
            Self::Send => 1,
            Self::Flush => 2,
            Self::Check => 3,
            Self::Offsets => 4,
            Self::Commit => 5,
            Self::Other => 6,
        }
    }

    /// The stage that a transaction's error names; [`Stage::Other`] for a name unknown here.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|stage| stage.as_str() == name).unwrap_or(Self::Other)
    }
}

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

/// The labels that metrics may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// An input topic.
    Topic,
    /// A partition number of an input topic.
    Partition,
    /// A shard: the partition number that its four input partitions share.
    Shard,
    /// How a record ended.
    Outcome,
    /// Why a record became a dead letter.
    Reason,
    /// A kind of alert.
    Kind,
    /// What happened to an alert.
    State,
    /// A band of accounts.
    Band,
    /// A shard's phase.
    Phase,
    /// A kind of decision.
    Decision,
    /// A step of a transaction.
    Stage,
    /// Why a snapshot could not be stored or looked for.
    Failure,
    /// Why a snapshot was not used.
    Refusal,
    /// A rule by which a feedback may be removed.
    Rule,
    /// How a feedback ended that was held to be eligible.
    End,
    /// Why a worker stopped.
    Stop,
    /// Why the server closed a connection.
    Cause,
    /// What a receiver said.
    Answer,
    /// What became of an alert on its way.
    Fate,
    /// A seller; on `/metrics/sellers` only.
    SellerId,
    /// A marketplace; on `/metrics/sellers` only.
    MarketplaceId,
    /// This build's version.
    Version,
    /// This build's commit.
    Commit,
    /// The Kafka client library's version.
    Librdkafka,
}

impl Label {
    /// All labels, in order.
    pub const ALL: [Self; 24] = [
        Self::Topic,
        Self::Partition,
        Self::Shard,
        Self::Outcome,
        Self::Reason,
        Self::Kind,
        Self::State,
        Self::Band,
        Self::Phase,
        Self::Decision,
        Self::Stage,
        Self::Failure,
        Self::Refusal,
        Self::Rule,
        Self::End,
        Self::Stop,
        Self::Cause,
        Self::Answer,
        Self::Fate,
        Self::SellerId,
        Self::MarketplaceId,
        Self::Version,
        Self::Commit,
        Self::Librdkafka,
    ];

    /// The label's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Partition => "partition",
            Self::Shard => "shard",
            Self::Outcome => "outcome",
            Self::Reason => "reason",
            Self::Kind => "kind",
            Self::State => "state",
            Self::Band => "band",
            Self::Phase => "phase",
            Self::Decision => "decision",
            Self::Stage => "stage",
            Self::Failure => "failure",
            Self::Refusal => "refusal",
            Self::Rule => "rule",
            Self::End => "end",
            Self::Stop => "stop",
            Self::Cause => "cause",
            Self::Answer => "answer",
            Self::Fate => "fate",
            Self::SellerId => "seller_id",
            Self::MarketplaceId => "marketplace_id",
            Self::Version => "version",
            Self::Commit => "commit",
            Self::Librdkafka => "librdkafka",
        }
    }

    /// The label's values, in order; none where they are numbers, names
    /// of accounts or facts about the build.
    #[must_use]
    pub fn values(self) -> Option<Vec<&'static str>> {
        Some(match self {
            Self::Topic => Topic::ALL.map(Topic::as_str).to_vec(),
            Self::Outcome => Outcome::ALL.map(Outcome::as_str).to_vec(),
            Self::Reason => DeadReason::ALL.map(DeadReason::as_str).to_vec(),
            Self::Kind => AlertKind::ALL.map(AlertKind::as_str).to_vec(),
            Self::State => AlertState::ALL.map(AlertState::as_str).to_vec(),
            Self::Band => Band::ALL.map(Band::as_str).to_vec(),
            Self::Phase => ShardPhase::ALL.map(ShardPhase::as_str).to_vec(),
            Self::Decision => DecisionKind::ALL.map(DecisionKind::as_str).to_vec(),
            Self::Stage => Stage::ALL.map(Stage::as_str).to_vec(),
            Self::Failure => StoreFailure::ALL.map(StoreFailure::as_str).to_vec(),
            Self::Refusal => Refusal::ALL.map(Refusal::as_str).to_vec(),
            Self::Rule => RemovalRule::ALL.map(RemovalRule::as_str).to_vec(),
            Self::End => RemovalEnd::ALL.map(RemovalEnd::as_str).to_vec(),
            Self::Stop => StopReason::ALL.map(StopReason::as_str).to_vec(),
            Self::Cause => Closed::ALL.map(Closed::as_str).to_vec(),
            Self::Answer => Answer::ALL.map(Answer::as_str).to_vec(),
            Self::Fate => Fate::ALL.map(Fate::as_str).to_vec(),
            Self::Partition
            | Self::Shard
            | Self::SellerId
            | Self::MarketplaceId
            | Self::Version
            | Self::Commit
            | Self::Librdkafka => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_the_place_in_all() {
        for (index, band) in Band::ALL.into_iter().enumerate() {
            assert_eq!(band.index(), index);
        }
        for (index, kind) in DecisionKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), index);
        }
        for (index, stage) in Stage::ALL.into_iter().enumerate() {
            assert_eq!(stage.index(), index);
        }
        for (index, failure) in StoreFailure::ALL.into_iter().enumerate() {
            assert_eq!(failure.index(), index);
        }
        for (index, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal.index(), index);
        }
    }

    #[test]
    fn a_stage_is_found_by_its_name_and_an_unknown_one_is_other() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(stage.as_str()), stage);
        }
        assert_eq!(Stage::named("lunch"), Stage::Other);
    }
}
