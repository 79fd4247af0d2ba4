//! Until when something can be done about a defect, and when it no longer matters: date
//! arithmetic alone.
//!
//! ```text
//! feedback    opened ── 60 days: the buyer may still edit ── 90 days: removal can be asked for
//! claim       opened ── 48 h: the marketplace's questions are answered
//!             granted ── 30 days: it can be appealed against
//! chargeback  opened ── 7 days: the bank is answered
//! order       purchase day ── 60 days: out of the live view ── 75: out of the official one, moot
//! ```
//!
//! Invariants: days of a term are 24 hours each, counted from the instant that begins it, so that
//! no zone moves a deadline; terms are data ([`Terms`]), as marketplaces change them. A deadline
//! that is past stays one: whoever shows it decides what to do about that. Absent on purpose: the
//! clock.

use crate::domain::event::{ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus};
use crate::domain::policy::{Policy, View};
use crate::domain::time::{DAY_MS, Day, EventTime};

const HOUR_MS: i64 = 3_600_000;

/// How long a marketplace lets one act. The defaults are Amazon's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Days after a feedback was first left in which its removal can be asked for.
    pub removal_request_days: u32,
    /// Days after a feedback was first left in which its buyer can edit or withdraw it.
    pub buyer_edit_days: u32,
    /// Hours after a claim was filed in which it is answered.
    pub claim_answer_hours: u32,
    /// Days after a claim was granted in which it can be appealed against.
    pub claim_appeal_days: u32,
    /// Days after a chargeback was opened in which it is answered.
    pub chargeback_answer_days: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            removal_request_days: 90,
            buyer_edit_days: 60,
            claim_answer_hours: 48,
            claim_appeal_days: 30,
            chargeback_answer_days: 7,
        }
    }
}

/// What has to be done before a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The buyer edits or withdraws the feedback.
    BuyerEdit,
    /// The seller asks for the feedback's removal.
    RemovalRequest,
    /// The seller answers the claim.
    ClaimAnswer,
    /// The seller appeals against the claim that was granted.
    ClaimAppeal,
    /// The seller answers the chargeback.
    ChargebackAnswer,
}

impl Step {
    /// All steps, in the order of output.
    pub const ALL: [Self; 5] = [
        Self::BuyerEdit,
        Self::RemovalRequest,
        Self::ClaimAnswer,
        Self::ClaimAppeal,
        Self::ChargebackAnswer,
    ];

    /// The step's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuyerEdit => "buyer_edit",
            Self::RemovalRequest => "removal_request",
            Self::ClaimAnswer => "claim_answer",
            Self::ClaimAppeal => "claim_appeal",
            Self::ChargebackAnswer => "chargeback_answer",
        }
    }
}

/// Until when a step can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// What has to be done.
    pub step: Step,
    /// The first instant at which it is too late, in ms since the epoch.
    pub until_ms: i64,
}

impl Deadline {
    /// Milliseconds left at an instant (ms since the epoch); 0 where it is too late.
    #[must_use]
    pub fn left_ms(self, now_ms: i64) -> i64 {
        self.until_ms.saturating_sub(now_ms).max(0)
    }

    /// Whether it is too late at an instant (ms since the epoch).
    #[must_use]
    pub const fn is_past(self, now_ms: i64) -> bool {
        self.until_ms <= now_ms
    }
}

/// The deadlines of a defect, in the order of [`Step::ALL`]; none where nothing is left to be done.
///
/// `opened` is the earliest event of the defect that is known (a feedback left, a claim filed, a
/// chargeback opened), `stated` the event that states `fact`.
#[must_use]
pub fn deadlines(
    fact: &DefectFact,
    opened: EventTime,
    stated: EventTime,
    terms: &Terms,
) -> Vec<Deadline> {
    let days = |from: EventTime, days: u32| until(from, i64::from(days) * DAY_MS);
    let at = |step, until_ms| Deadline { step, until_ms };
    match fact {
        DefectFact::Feedback {
            status: FeedbackStatus::Posted | FeedbackStatus::Updated, ..
        } => vec![
            at(Step::BuyerEdit, days(opened, terms.buyer_edit_days)),
            at(Step::RemovalRequest, days(opened, terms.removal_request_days)),
        ],
        DefectFact::Claim { status: ClaimStatus::Filed | ClaimStatus::UnderReview, .. } => {
            let term_ms = i64::from(terms.claim_answer_hours) * HOUR_MS;
            vec![at(Step::ClaimAnswer, until(opened, term_ms))]
        }
        DefectFact::Claim { status: ClaimStatus::Granted, .. } => {
            vec![at(Step::ClaimAppeal, days(stated, terms.claim_appeal_days))]
        }
        DefectFact::Chargeback {
            status: ChargebackStatus::Opened | ChargebackStatus::UnderReview,
            ..
        } => vec![at(Step::ChargebackAnswer, days(opened, terms.chargeback_answer_days))],
        // The buyer or the marketplace ended it, the last word was said, or it is with a judge.
        DefectFact::Feedback { .. } | DefectFact::Claim { .. } | DefectFact::Chargeback { .. } => {
            Vec::new()
        }
    }
}

fn until(from: EventTime, term_ms: i64) -> i64 {
    from.ms().saturating_add(term_ms)
}

/// The first as-of day on which an order bought on `purchase_day` is in a view no more.
#[must_use]
pub fn leaves_view(purchase_day: Day, view: View, policy: &Policy) -> Day {
    policy.leaves_view(view, purchase_day)
}

/// The first as-of day on which an order bought on `purchase_day` is in no view, so that nothing
/// about it matters to the rate any more.
#[must_use]
pub fn moot_on(purchase_day: Day, policy: &Policy) -> Day {
    let [live, official] = View::ALL.map(|view| leaves_view(purchase_day, view, policy));
    live.max(official)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::ChargebackReason;

    const OPENED: EventTime = EventTime::from_ms(1_000);
    const STATED: EventTime = EventTime::from_ms(5_000);

    fn of(fact: DefectFact) -> Vec<(&'static str, i64)> {
        deadlines(&fact, OPENED, STATED, &Terms::default())
            .into_iter()
            .map(|deadline| (deadline.step.as_str(), deadline.until_ms))
            .collect()
    }

    fn feedback(status: FeedbackStatus) -> DefectFact {
        DefectFact::Feedback { status, rating: 1 }
    }

    fn claim(status: ClaimStatus) -> DefectFact {
        DefectFact::Claim { status, funded_by: None, odr_impact: None }
    }

    fn chargeback(status: ChargebackStatus) -> DefectFact {
        DefectFact::Chargeback { status, reason: ChargebackReason::Service, odr_impact: None }
    }

    #[test]
    fn a_feedback_is_counted_from_its_first_event_and_ends_with_its_state() {
        let open = [("buyer_edit", 1_000 + 60 * DAY_MS), ("removal_request", 1_000 + 90 * DAY_MS)];
        assert_eq!(of(feedback(FeedbackStatus::Posted)), open);
        assert_eq!(of(feedback(FeedbackStatus::Updated)), open);
        assert!(of(feedback(FeedbackStatus::StruckThrough)).is_empty());
    }

    #[test]
    fn a_claim_is_answered_from_its_filing_and_appealed_from_its_grant() {
        let answer = [("claim_answer", 1_000 + 48 * HOUR_MS)];
        assert_eq!(of(claim(ClaimStatus::Filed)), answer);
        assert_eq!(of(claim(ClaimStatus::UnderReview)), answer);
        assert_eq!(of(claim(ClaimStatus::Granted)), [("claim_appeal", 5_000 + 30 * DAY_MS)]);
        for ended in [ClaimStatus::Appealed, ClaimStatus::Denied, ClaimStatus::ClosedRefunded] {
            assert!(of(claim(ended)).is_empty(), "{ended:?}");
        }
    }

    #[test]
    fn a_chargeback_is_answered_within_a_week_and_not_after_it_was_decided() {
        let answer = [("chargeback_answer", 1_000 + 7 * DAY_MS)];
        assert_eq!(of(chargeback(ChargebackStatus::Opened)), answer);
        assert_eq!(of(chargeback(ChargebackStatus::UnderReview)), answer);
        assert!(of(chargeback(ChargebackStatus::Lost)).is_empty());
    }

    #[test]
    fn the_first_instant_that_is_too_late_is_the_deadline_itself() {
        let deadline = Deadline { step: Step::ClaimAnswer, until_ms: 100 };
        assert_eq!((deadline.left_ms(99), deadline.is_past(99)), (1, false));
        assert_eq!((deadline.left_ms(100), deadline.is_past(100)), (0, true));
        assert_eq!(deadline.left_ms(i64::MAX), 0);
    }

    #[test]
    fn an_order_leaves_a_view_on_the_first_day_whose_view_begins_after_it() {
        let policy = Policy::default();
        let bought = Day::from_number(20_000);
        assert_eq!(leaves_view(bought, View::Live, &policy), bought.plus(60));
        assert_eq!(leaves_view(bought, View::Official, &policy), bought.plus(75));
        assert_eq!(moot_on(bought, &policy), bought.plus(75));
        for view in View::ALL {
            let leaves = leaves_view(bought, view, &policy);
            assert!(policy.view_days(view, leaves).0 > bought);
            assert!(policy.view_days(view, leaves.plus(-1)).0 <= bought);
        }
    }

    #[test]
    fn no_instant_overflows() {
        let far = EventTime::from_ms(i64::MAX);
        let fact = feedback(FeedbackStatus::Posted);
        let all = deadlines(&fact, far, far, &Terms::default());
        assert!(all.iter().all(|deadline| deadline.until_ms == i64::MAX));
    }
}
