//! The reason category of a comment: the root of the matter, not what came of it.
//!
//! Whoever complains that nobody answered about a parcel that never came complains about the
//! parcel. So the categories are asked in an order from causes to consequences, and only what is
//! about the seller as such is left to service. Absent on purpose: any weighing of words.

use super::model::{Head, Scores};
use super::topic::{Topic, Topics};
use super::verdict::Reason;

/// Topics and the reason that they stand for, in the order in which they are asked for.
const CAUSES: [(&[Topic], Reason); 9] = [
    (&[Topic::Damage], Reason::Damaged),
    (&[Topic::WrongItem, Topic::MissingItem], Reason::WrongItem),
    (&[Topic::Description], Reason::NotAsDescribed),
    (&[Topic::Product, Topic::DeadOnArrival], Reason::Quality),
    (&[Topic::Late], Reason::Late),
    (&[Topic::Broken], Reason::Damaged),
    (&[Topic::Return], Reason::Return),
    (&[Topic::Service, Topic::MarketplaceService], Reason::Service),
    (&[Topic::BareReturn], Reason::Return),
];

/// A comment without a topic reads like a head of the model from this score on, in thousandths.
const READS_FROM: i32 = 0;

/// The reasons that heads of the model stand for.
const HEADS: [(Head, Reason); 6] = [
    (Head::Damage, Reason::Damaged),
    (Head::Offer, Reason::NotAsDescribed),
    (Head::Product, Reason::Quality),
    (Head::Delay, Reason::NotReceived),
    (Head::Returns, Reason::Return),
    (Head::Service, Reason::Service),
];

/// The reason of a comment with these topics, or that reads like one.
pub(super) fn reason(all: Topics, scores: Scores) -> Reason {
    // What did not come, or came late, cannot have disappointed in another way before.
    if all.has(Topic::NotReceived) {
        return Reason::NotReceived;
    }
    if all.has(Topic::Late) && !all.has(Topic::Product) {
        return Reason::Late;
    }
    let found = CAUSES.iter().find(|(topics, _)| all.has_any(topics));
    if let Some((_, reason)) = found {
        return *reason;
    }
    let likest = HEADS.iter().max_by_key(|(head, _)| scores[head.index()]);
    match likest {
        Some((head, reason)) if scores[head.index()] > READS_FROM => *reason,
        _ => Reason::Other,
    }
}
