//! One fact of a plain market as the value of its record.
//!
//! Invariant: what is rendered is a valid record of its topic (SEMANTICS section 2). Absent on
//! purpose: whether it counts.

use super::json::Object;
use crate::domain::event::{Channel, Topic};

/// What every fact states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    pub seller: &'a str,
    pub marketplace: &'a str,
    /// The 17 digits of the order id.
    pub order: u64,
    pub event_ms: i64,
}

/// What the facts of each topic state beside it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    Order {
        purchase_ms: i64,
        channel: Channel,
        status: &'a str,
        /// Shipped with Buy Shipping and on time, once it is shipped.
        shipped: Option<(bool, bool)>,
    },
    Feedback {
        rating: u8,
        status: &'a str,
        comment: Option<&'a str>,
    },
    Claim {
        id: u64,
        status: &'a str,
        funded_by: Option<&'a str>,
    },
    Chargeback {
        id: u64,
        status: &'a str,
        reason: &'a str,
    },
}

impl Body<'_> {
    pub const fn topic(&self) -> Topic {
        match self {
            Self::Order { .. } => Topic::Orders,
            Self::Feedback { .. } => Topic::Feedback,
            Self::Claim { .. } => Topic::Claims,
            Self::Chargeback { .. } => Topic::Chargebacks,
        }
    }
}

/// Appends a fact as JSON.
pub(super) fn render(buffer: &mut Vec<u8>, head: &Head<'_>, body: &Body<'_>) {
    let mut object = Object::begin(buffer);
    object.time("event_time", head.event_ms);
    object.plain("seller_id", head.seller);
    object.plain("marketplace_id", head.marketplace);
    object.order_id("order_id", head.order);
    match *body {
        Body::Order { purchase_ms, channel, status, shipped } => {
            object.time("purchase_date", purchase_ms);
            let name = match channel {
                Channel::Mfn => "MFN",
                Channel::Afn => "AFN",
            };
            object.plain("fulfillment_channel", name);
            object.plain("order_status", status);
            if let Some((buy_shipping, on_time)) = shipped {
                object.flag("buy_shipping", buy_shipping);
                object.flag("shipped_on_time", on_time);
            }
        }
        Body::Feedback { rating, status, comment } => {
            object.digit("rating", rating);
            object.plain("status", status);
            if let Some(comment) = comment {
                object.text("comment", comment);
            }
        }
        Body::Claim { id, status, funded_by } => {
            object.numbered("claim_id", "AZ", id);
            object.plain("status", status);
            if let Some(funded_by) = funded_by {
                object.plain("funded_by", funded_by);
            }
        }
        Body::Chargeback { id, status, reason } => {
            object.numbered("chargeback_id", "CB", id);
            object.plain("reason", reason);
            object.plain("status", status);
        }
    }
    object.end();
}
