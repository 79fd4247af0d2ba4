//! What is said about what can be done against defects.

use super::checked::narrow;
use super::raw::RawAdvice;
use crate::advice::Terms;

/// Whether and how advice is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdviceConfig {
    /// Whether it is given.
    pub enabled: bool,
    /// Whether it quotes what buyers wrote.
    pub quote_evidence: bool,
    /// How long one may act (each term 1..=400 days).
    pub terms: Terms,
}

pub(super) fn advice(raw: &RawAdvice) -> AdviceConfig {
    AdviceConfig {
        enabled: raw.enabled,
        quote_evidence: raw.quote_evidence,
        terms: Terms {
            removal_request_days: narrow(raw.removal_request_days),
            buyer_edit_days: narrow(raw.buyer_edit_days),
            claim_answer_hours: narrow(raw.claim_answer_hours),
            claim_appeal_days: narrow(raw.claim_appeal_days),
            chargeback_answer_days: narrow(raw.chargeback_answer_days),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_terms_are_those_of_the_marketplace() {
        assert_eq!(advice(&RawAdvice::default()).terms, Terms::default());
    }
}
