//! The names that inputs and outputs have for what defects are and how they stand.

use crate::domain::event::{
    ChargebackReason, ChargebackStatus, ClaimStatus, DefectFact, DefectKind, FeedbackStatus,
    FundedBy,
};

/// What a defect is about: its topic, in the singular.
#[must_use]
pub const fn subject_of(kind: DefectKind) -> &'static str {
    match kind {
        DefectKind::NegativeFeedback => "feedback",
        DefectKind::Claim => "claim",
        DefectKind::Chargeback => "chargeback",
    }
}

/// Who paid a claim.
#[must_use]
pub const fn funded_by(by: FundedBy) -> &'static str {
    match by {
        FundedBy::Seller => "seller",
        FundedBy::Amazon => "amazon",
    }
}

/// Why a buyer charged back.
#[must_use]
pub const fn charged_back_for(reason: ChargebackReason) -> &'static str {
    match reason {
        ChargebackReason::Service => "service",
        ChargebackReason::Fraud => "fraud",
    }
}

/// The status of a fact, as its topic spells it.
#[must_use]
pub const fn state_of(fact: DefectFact) -> &'static str {
    match fact {
        DefectFact::Feedback { status, .. } => match status {
            FeedbackStatus::Posted => "posted",
            FeedbackStatus::Updated => "updated",
            FeedbackStatus::Withdrawn => "withdrawn",
            FeedbackStatus::StruckThrough => "struck_through",
            FeedbackStatus::Removed => "removed",
        },
        DefectFact::Claim { status, .. } => match status {
            ClaimStatus::Filed => "filed",
            ClaimStatus::UnderReview => "under_review",
            ClaimStatus::Granted => "granted",
            ClaimStatus::Denied => "denied",
            ClaimStatus::Withdrawn => "withdrawn",
            ClaimStatus::ClosedRefunded => "closed_refunded",
            ClaimStatus::Appealed => "appealed",
            ClaimStatus::Reversed => "reversed",
        },
        DefectFact::Chargeback { status, .. } => match status {
            ChargebackStatus::Opened => "opened",
            ChargebackStatus::UnderReview => "under_review",
            ChargebackStatus::Lost => "lost",
            ChargebackStatus::Won => "won",
            ChargebackStatus::Reversed => "reversed",
        },
    }
}
