//! The reason category of a comment: the root of the matter, not what came of it.
//!
//! Whoever complains that nobody answered about a parcel that never came complains about the
//! parcel. So the categories are asked in an order from causes to consequences, and only what is
//! about the seller as such is left to service. Absent on purpose: any weighing of words.

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

/// The reason of a comment with these topics, or that reads like one of two.
pub(super) fn reason(all: Topics, reads_product: bool, reads_delay: bool) -> Reason {
    // What did not come, or came late, cannot have disappointed in another way before.
    if all.has(Topic::NotReceived) {
        return Reason::NotReceived;
    }
    if all.has(Topic::Late) && !all.has(Topic::Product) {
        return Reason::Late;
    }
    let found = CAUSES.iter().find(|(topics, _)| all.has_any(topics));
    match found {
        Some((_, reason)) => *reason,
        None if reads_delay => Reason::Late,
        None if reads_product => Reason::Quality,
        None => Reason::Other,
    }
}
