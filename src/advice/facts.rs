//! What is known of an order, how far it lets a rule apply, and what may be kept of a reading.
//!
//! Rules 1 to 3 are about the comment alone. Rule 4 asks who fulfilled the order, rule 5 also how
//! it was shipped; what is not known leaves a rule open. So the decisions on the comment may be
//! kept without it, and be made again when more is known of the order.
//!
//! Invariant: facts make no decision better than the comment's own.

use super::verdict::{BlockerKind, Decision, Reason, Rule};
use crate::domain::event::Channel;

/// What is known of the order that a feedback is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Who fulfilled it.
    pub channel: Option<Channel>,
    /// Whether Buy Shipping was used.
    pub buy_shipping: Option<bool>,
    /// Whether it was shipped on time.
    pub shipped_on_time: Option<bool>,
}

/// What of a reading may be kept where no comment may be: it holds no place and no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Compact {
    /// By [`Rule::index`], for an order of which every fact speaks for the rule.
    pub decisions: [Decision; 5],
    /// The root of the matter.
    pub reason: Reason,
}

impl Compact {
    /// The decisions on an order of which these facts are known, as [`Reading::decide`] has them.
    #[must_use]
    pub fn decide(self, facts: Facts) -> [Decision; 5] {
        Rule::ALL.map(|rule| self.decisions[rule.index()].min(limit(rule, facts).0))
    }

    /// All of it in 14 bits.
    #[must_use]
    pub fn bits(self) -> u16 {
        let reason = u16::try_from(self.reason.index()).expect("there are nine");
        self.decisions.iter().fold(reason, |bits, decision| {
            let two = match decision {
                Decision::Not => 0,
                Decision::Uncertain => 1,
                Decision::Eligible => 2,
            };
            (bits << 2) | two
        })
    }

    /// What [`Compact::bits`] made; `None` for bits that it does not make.
    #[must_use]
    pub fn of_bits(bits: u16) -> Option<Self> {
        let reason = *Reason::ALL.get(usize::from(bits >> 10))?;
        let mut decisions = [Decision::Not; 5];
        for (place, decision) in decisions.iter_mut().rev().enumerate() {
            *decision = *Decision::ALL.get(usize::from((bits >> (2 * place)) & 3))?;
        }
        Some(Self { decisions, reason })
    }
}

/// How far the facts of an order let a rule apply, and why no further.
pub(super) fn limit(rule: Rule, facts: Facts) -> (Decision, Vec<BlockerKind>) {
    let mut kinds = Vec::new();
    let mut limit = Decision::Eligible;
    let mut cap = |to: Decision, kind: BlockerKind| {
        limit = limit.min(to);
        kinds.push(kind);
    };
    match rule {
        Rule::Obscene | Rule::PersonalData | Rule::ProductReview => {}
        Rule::FulfilledByAmazon => match facts.channel {
            Some(Channel::Afn) => {}
            Some(Channel::Mfn) => cap(Decision::Not, BlockerKind::SellerFulfilled),
            None => cap(Decision::Uncertain, BlockerKind::ChannelUnknown),
        },
        Rule::BuyShipping => {
            // Whoever uses Buy Shipping ships himself: the channel need not be known as well.
            if facts.channel == Some(Channel::Afn) {
                cap(Decision::Not, BlockerKind::AmazonFulfilled);
            }
            match facts.buy_shipping {
                Some(true) => {}
                Some(false) => cap(Decision::Not, BlockerKind::NoBuyShipping),
                None => cap(Decision::Uncertain, BlockerKind::BuyShippingUnknown),
            }
            match facts.shipped_on_time {
                Some(true) => {}
                Some(false) => cap(Decision::Not, BlockerKind::ShippedLate),
                None => cap(Decision::Uncertain, BlockerKind::ShippedOnTimeUnknown),
            }
        }
    }
    (limit, kinds)
}
