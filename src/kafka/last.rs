//! The last transaction, from its commit until its end is seen in every partition that it wrote to.
//!
//! A commit that succeeded is written down by its coordinator; the markers follow, and a broker may
//! lose them (see `redo`). Until they are seen, nobody reads what was committed. The partitions are
//! asked when nothing else is to be done, and before the next commit if that one met trouble, or
//! this one did, be it during the very commit: that is when markers are lost.
//!
//! The marker of the group's offsets is not asked for: to see it takes a call that blocks. If it
//! may be lost, and no next commit comes that would bring another, the producer is replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::debug;

use super::client::Deadline;
use super::ffi::End;
use super::heal::Producer;
use super::trace::{Place, Spans};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(50);

/// How long an end may be missing after trouble, while the leaders answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last transaction.
pub(super) struct Last {
    /// The partitions in which its end was not seen, each with the offset behind its last record.
    left: BTreeMap<Place, i64>,
    /// The troubles of the client before.
    troubles: u64,
    /// Whether the client met trouble since.
    had_trouble: bool,
    /// The open question's tag.
    asked: Option<usize>,
    again: Deadline,
    /// When the end counts as lost unless the client met trouble: an older transaction of another
    /// may hold the partition up for so long.
    patience: Duration,
    /// Since a leader answered that the end is not there: until when to wait for it.
    until: Option<Deadline>,
}

impl Last {
    /// A transaction that was just committed, and whether trouble was met meanwhile; `None` if it
    /// wrote nothing.
    pub(super) fn of(
        written: &Spans,
        producer: &Producer,
        transaction_timeout: Duration,
        had_trouble: bool,
    ) -> Option<Self> {
        (!written.is_empty()).then(|| Self {
            left: written.ends(),
            troubles: producer.troubles(),
            had_trouble,
            asked: None,
            again: Deadline::after(Duration::ZERO),
            patience: transaction_timeout + PATIENCE,
            until: None,
        })
    }

    /// Asks the leaders and takes their answers, without waiting; whether all ends were seen, and
    /// none may be missing that is not asked for.
    pub(super) fn is_seen(&mut self, producer: &Producer) -> bool {
        if self.left.is_empty() {
            return self.are_offsets_safe(producer);
        }
        if let Some(tag) = self.asked {
            match producer.answered(tag) {
                Some(Ok(stable)) => {
                    self.take(&stable);
                    self.wait_for(producer);
                }
                Some(Err(error)) => debug!(%error, "the ends are asked for again"),
                None if self.again.is_over() => {}
                None => return false,
            }
            if self.left.is_empty() {
                return self.are_offsets_safe(producer);
            }
            self.asked = None;
            self.again = Deadline::after(PAUSE);
        }
        if self.again.is_over() {
            let places: Vec<Place> = self.left.keys().copied().collect();
            self.asked = Some(producer.pose(&places, End::Stable, ANSWER));
            self.again = Deadline::after(ANSWER + PAUSE);
        }
        false
    }

    /// Whether the end of the group's offsets is there for sure; if not, it is waited for.
    fn are_offsets_safe(&mut self, producer: &Producer) -> bool {
        if self.notice(producer) {
            self.wait_for(producer);
            return false;
        }
        true
    }

    /// Whether the end counts as lost.
    pub(super) fn is_lost(&self) -> bool {
        self.until.is_some_and(Deadline::is_over)
    }

    /// Whether the next transaction may commit. If it met trouble, or this one did, the ends of
    /// this one must be there.
    pub(super) fn lets_pass(mut self, producer: &Producer, is_smooth: bool) -> bool {
        if is_smooth && !self.notice(producer) {
            return true;
        }
        let deadline = Deadline::after(PATIENCE);
        loop {
            let places: Vec<Place> = self.left.keys().copied().collect();
            match producer.ask(&places, End::Stable, deadline) {
                Ok(stable) => self.take(&stable),
                Err(error) => debug!(%error, "the ends are asked for again"),
            }
            if self.left.is_empty() || deadline.is_over() {
                return self.left.is_empty();
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether the client met trouble since the commit.
    fn notice(&mut self, producer: &Producer) -> bool {
        self.had_trouble |= producer.troubles() != self.troubles;
        self.had_trouble
    }

    /// Begins to wait, or to wait for less long after trouble.
    fn wait_for(&mut self, producer: &Producer) {
        let patience = if self.notice(producer) { PATIENCE } else { self.patience };
        let until = Deadline::after(patience);
        if self.until.is_none_or(|before| before.left() > patience) {
            self.until = Some(until);
        }
    }

    fn take(&mut self, stable: &[(Place, i64)]) {
        for (place, stable) in stable {
            if self.left.get(place).is_some_and(|end| stable >= end) {
                self.left.remove(place);
            }
        }
    }
}
