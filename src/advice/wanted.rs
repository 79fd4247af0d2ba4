//! What is wanted to answer a claim or a chargeback: what of it a seller should have at hand.
//!
//! The marketplace or the bank decides by documents; an answer without them is lost. Nothing here
//! says that a document exists, only that it is asked for.

use crate::domain::event::{ChargebackStatus, ClaimStatus, DefectFact};

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wanted {
    /// The carrier's scans, from the seller's address to the buyer's.
    Tracking,
    /// A delivery that was signed for, or photographed.
    ProofOfDelivery,
    /// That it was shipped by the promised day, with Buy Shipping where it was used.
    ProofOfShippingOnTime,
    /// What seller and buyer wrote to each other.
    BuyerMessages,
    /// That a refund or a replacement was given or offered.
    RefundOrReplacement,
    /// The listing as it stood on the day of purchase.
    Listing,
    /// Invoice or receipt of what was sold.
    Invoice,
    /// Why the decision was wrong: an appeal needs more than the answer had.
    NewFacts,
}

impl Wanted {
    /// All of them, in the order of output.
    pub const ALL: [Self; 8] = [
        Self::Tracking,
        Self::ProofOfDelivery,
        Self::ProofOfShippingOnTime,
        Self::BuyerMessages,
        Self::RefundOrReplacement,
        Self::Listing,
        Self::Invoice,
        Self::NewFacts,
    ];

    /// The name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tracking => "tracking",
            Self::ProofOfDelivery => "proof_of_delivery",
            Self::ProofOfShippingOnTime => "proof_of_shipping_on_time",
            Self::BuyerMessages => "buyer_messages",
            Self::RefundOrReplacement => "refund_or_replacement",
            Self::Listing => "listing",
            Self::Invoice => "invoice",
            Self::NewFacts => "new_facts",
        }
    }
}

const ANSWER: [Wanted; 6] = [
    Wanted::Tracking,
    Wanted::ProofOfDelivery,
    Wanted::ProofOfShippingOnTime,
    Wanted::BuyerMessages,
    Wanted::RefundOrReplacement,
    Wanted::Listing,
];

const APPEAL: [Wanted; 7] = [
    Wanted::Tracking,
    Wanted::ProofOfDelivery,
    Wanted::ProofOfShippingOnTime,
    Wanted::BuyerMessages,
    Wanted::RefundOrReplacement,
    Wanted::Listing,
    Wanted::NewFacts,
];

const BANK: [Wanted; 6] = [
    Wanted::Tracking,
    Wanted::ProofOfDelivery,
    Wanted::BuyerMessages,
    Wanted::RefundOrReplacement,
    Wanted::Listing,
    Wanted::Invoice,
];

/// What is wanted for a claim or chargeback as it stands; nothing where nothing is to be answered.
#[must_use]
pub const fn wanted(fact: &DefectFact) -> &'static [Wanted] {
    match fact {
        DefectFact::Claim { status: ClaimStatus::Filed | ClaimStatus::UnderReview, .. } => &ANSWER,
        DefectFact::Claim { status: ClaimStatus::Granted, .. } => &APPEAL,
        DefectFact::Chargeback {
            status: ChargebackStatus::Opened | ChargebackStatus::UnderReview,
            ..
        } => &BANK,
        DefectFact::Feedback { .. } | DefectFact::Claim { .. } | DefectFact::Chargeback { .. } => {
            &[]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::FeedbackStatus;

    fn claim(status: ClaimStatus) -> DefectFact {
        DefectFact::Claim { status, funded_by: None, odr_impact: None }
    }

    #[test]
    fn documents_are_wanted_exactly_while_something_can_be_answered() {
        for status in [ClaimStatus::Filed, ClaimStatus::UnderReview] {
            assert!(wanted(&claim(status)).contains(&Wanted::ProofOfDelivery));
            assert!(!wanted(&claim(status)).contains(&Wanted::NewFacts));
        }
        assert!(wanted(&claim(ClaimStatus::Granted)).contains(&Wanted::NewFacts));
        assert!(wanted(&claim(ClaimStatus::Appealed)).is_empty());
        let feedback = DefectFact::Feedback { status: FeedbackStatus::Posted, rating: 1 };
        assert!(wanted(&feedback).is_empty());
    }
}
