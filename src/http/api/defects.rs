//! The defects of an account: what each is, whether it counts, and why.

use serde::Serialize;

use crate::domain::event::{ChargebackReason, DefectFact, FeedbackStatus};
use crate::domain::look::DefectLook;
use crate::domain::policy::Counting;
use crate::wire::states::state_of;
use crate::wire::time::{day, instant};

#[derive(Debug, Serialize)]
pub(super) struct Defect {
    order_id: Box<str>,
    kind: &'static str,
    #[serde(rename = "ref")]
    reference: Option<Box<str>>,
    purchase_day: String,
    channel: &'static str,
    counted: bool,
    provisional: bool,
    state: &'static str,
    rating: Option<u8>,
    event_time: String,
    struck: bool,
    why: String,
}

impl Defect {
    pub(super) fn new(look: &DefectLook) -> Self {
        let (rating, struck) = match look.fact {
            DefectFact::Feedback { status, rating } => {
                let struck =
                    matches!(status, FeedbackStatus::StruckThrough | FeedbackStatus::Removed);
                (Some(rating), struck)
            }
            DefectFact::Claim { .. } | DefectFact::Chargeback { .. } => (None, false),
        };
        Self {
            order_id: look.order_id.clone(),
            kind: look.fact.kind().as_str(),
            reference: look.reference.clone(),
            purchase_day: day(look.purchase_day),
            channel: look.channel.as_str(),
            counted: look.counting != Counting::No,
            provisional: look.counting == Counting::Provisional,
            state: state_of(look.fact),
            rating,
            event_time: instant(look.event_time.ms()),
            struck,
            why: why(look),
        }
    }
}

/// Why a fact counts, or does not.
fn why(look: &DefectLook) -> String {
    let counts = look.counting != Counting::No;
    let text = match look.fact {
        DefectFact::Feedback { status: FeedbackStatus::StruckThrough, .. } => {
            "struck through by the marketplace: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Removed, .. } => {
            "removed by the marketplace: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Withdrawn, .. } => {
            "withdrawn by the buyer: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Updated, .. } if !counts => {
            "changed by the buyer: no longer negative"
        }
        DefectFact::Feedback { .. } if counts => "negative feedback",
        DefectFact::Claim { .. } if look.counting == Counting::Provisional => {
            "not decided yet: counts until it is"
        }
        DefectFact::Claim { .. } if counts => "granted at the seller's cost",
        DefectFact::Claim { .. } => "denied, withdrawn, reversed or paid by the marketplace",
        DefectFact::Chargeback { reason: ChargebackReason::Fraud, .. } => "for fraud: never counts",
        DefectFact::Chargeback { .. } if look.counting == Counting::Provisional => {
            "not decided yet: counts until it is"
        }
        DefectFact::Chargeback { .. } if counts => "for service, and lost",
        DefectFact::Chargeback { .. } => "won or reversed",
        DefectFact::Feedback { .. } => "its order does not count yet",
    };
    text.to_owned()
}
