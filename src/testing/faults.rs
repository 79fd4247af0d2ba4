//! What can go wrong with a commit, in which order it does, and how often it did.

use std::collections::{BTreeMap, VecDeque};

/// What goes wrong with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// The call of this name fails and the transaction is aborted at once; from `send` on, its
    /// records are in the logs as aborted ones.
    NotCommitted {
        /// begin, send, offsets, flush or commit.
        stage: &'static str,
    },
    /// The transaction is committed, but the answer is lost.
    AnswerLost,
    /// Everything is sent, but the end of the transaction is not: it stays open until the id is
    /// initialised again, the transaction times out or the driver ends it.
    LeftOpen,
    /// As before, and the end is on its way: the driver delivers it, maybe into the next
    /// transaction of the same id.
    EndDelayed,
    /// The transaction takes too long: the coordinator aborts it and bumps the epoch.
    TimedOut,
    /// The transaction is committed, and the coordinator forgets the markers of some partitions,
    /// which had no leader (KAFKA-20734). Which ones follows from the number.
    MarkersLost {
        /// Chooses the partitions.
        choice: u64,
        /// Whether the client learns that it was committed.
        is_answered: bool,
    },
    /// A newer instance with the same transactional id took over just before.
    Fenced,
}

impl CommitFault {
    /// The name under which it is counted.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotCommitted { stage } => stage_name(stage),
            Self::AnswerLost => "commit: answer lost",
            Self::LeftOpen => "commit: end never sent",
            Self::EndDelayed => "commit: end delayed",
            Self::TimedOut => "commit: timed out",
            Self::MarkersLost { .. } => "commit: markers lost",
            Self::Fenced => "commit: fenced",
        }
    }
}

const fn stage_name(stage: &str) -> &'static str {
    match stage.as_bytes() {
        b"begin" => "commit: fails at begin",
        b"send" => "commit: fails at send",
        b"offsets" => "commit: fails at offsets",
        b"flush" => "commit: fails at flush",
        _ => "commit: fails at commit",
    }
}

/// The faults to come, and those that came.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// What happens to the next commits, first to come first; `None` lets one pass.
    pub queue: VecDeque<Option<CommitFault>>,
    /// How often each kind of thing happened.
    pub counts: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// What happens to the commit that begins now.
    pub fn take(&mut self) -> Option<CommitFault> {
        let fault = self.queue.pop_front().flatten()?;
        self.count(fault.name());
        Some(fault)
    }

    /// Counts something that happened.
    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }
}

/// Splitmix64's output function: one number in, one that shares nothing with it out.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
