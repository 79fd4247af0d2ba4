//! Closed sets as numbers. A number that was ever written keeps its meaning.

use crate::domain::event::{
    ChargebackReason, ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus, FundedBy,
};

const FEEDBACK: [FeedbackStatus; 5] = [
    FeedbackStatus::Posted,
    FeedbackStatus::Updated,
    FeedbackStatus::Withdrawn,
    FeedbackStatus::StruckThrough,
    FeedbackStatus::Removed,
];

const CLAIM: [ClaimStatus; 8] = [
    ClaimStatus::Filed,
    ClaimStatus::UnderReview,
    ClaimStatus::Granted,
    ClaimStatus::Denied,
    ClaimStatus::Withdrawn,
    ClaimStatus::ClosedRefunded,
    ClaimStatus::Appealed,
    ClaimStatus::Reversed,
];

const CHARGEBACK: [ChargebackStatus; 5] = [
    ChargebackStatus::Opened,
    ChargebackStatus::UnderReview,
    ChargebackStatus::Lost,
    ChargebackStatus::Won,
    ChargebackStatus::Reversed,
];

const REASON: [ChargebackReason; 2] = [ChargebackReason::Service, ChargebackReason::Fraud];

const FUNDED: [Option<FundedBy>; 3] = [None, Some(FundedBy::Seller), Some(FundedBy::Amazon)];

const FLAG: [Option<bool>; 3] = [None, Some(false), Some(true)];

fn code<T: PartialEq + Copy>(all: &[T], one: T) -> u8 {
    let place = all.iter().position(|other| *other == one).expect("the table lists every value");
    u8::try_from(place).expect("few values")
}

fn value<T: Copy>(all: &[T], code: u8) -> Option<T> {
    all.get(usize::from(code)).copied()
}

/// A fact as its kind and three numbers.
pub(super) fn of_fact(fact: DefectFact) -> [u8; 4] {
    match fact {
        DefectFact::Feedback { status, rating } => [0, code(&FEEDBACK, status), rating, 0],
        DefectFact::Claim { status, funded_by, odr_impact } => {
            [1, code(&CLAIM, status), code(&FUNDED, funded_by), code(&FLAG, odr_impact)]
        }
        DefectFact::Chargeback { status, reason, odr_impact } => {
            [2, code(&CHARGEBACK, status), code(&REASON, reason), code(&FLAG, odr_impact)]
        }
    }
}

/// The fact of a kind and three numbers; `None` if nothing writes these.
pub(super) fn to_fact(codes: [u8; 4]) -> Option<DefectFact> {
    match codes {
        [0, status, rating @ 1..=5, 0] => {
            Some(DefectFact::Feedback { status: value(&FEEDBACK, status)?, rating })
        }
        [1, status, funded_by, impact] => Some(DefectFact::Claim {
            status: value(&CLAIM, status)?,
            funded_by: value(&FUNDED, funded_by)?,
            odr_impact: value(&FLAG, impact)?,
        }),
        [2, status, reason, impact] => Some(DefectFact::Chargeback {
            status: value(&CHARGEBACK, status)?,
            reason: value(&REASON, reason)?,
            odr_impact: value(&FLAG, impact)?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_numbers_of_its_own() {
        let mut seen = 0;
        for first in 0..=3_u8 {
            for second in 0..=9 {
                for third in 0..=6 {
                    for fourth in 0..=3 {
                        let codes = [first, second, third, fourth];
                        if let Some(fact) = to_fact(codes) {
                            assert_eq!(of_fact(fact), codes);
                            seen += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(seen, 5 * 5 + 8 * 3 * 3 + 5 * 2 * 3);
    }
}
