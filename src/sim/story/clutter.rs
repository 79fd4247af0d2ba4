//! What goes wrong with records themselves: some dead letters and a tombstone now and then.

use crate::domain::event::Topic;
use crate::sim::SimRecord;
use crate::sim::facts::{Body, Head, render};
use crate::sim::json::Object;
use crate::sim::random::Random;

/// How many kinds there are.
const KINDS: u64 = 10;

/// A bad record of some kind, as a careless producer of this account might send it.
pub(super) fn bad_record(
    seller: &str,
    marketplace: &str,
    at_ms: i64,
    random: &mut Random,
) -> SimRecord {
    let mut value = Vec::new();
    let order = 10_000_000_000_000_000 + random.below(10_000_000_000_000_000);
    let head = Head { seller, marketplace, order, event_ms: at_ms - 500 };
    let mut key = seller.to_owned();
    let topic = match random.below(KINDS) {
        0 => {
            render(&mut value, &head, &claim("filed"));
            value.truncate(value.len() / 2);
            Topic::Claims
        }
        1 => {
            value.extend_from_slice(b"<html><body>502 Bad Gateway</body></html>");
            Topic::Orders
        }
        2 => {
            let mut object = Object::begin(&mut value);
            object.time("event_time", head.event_ms);
            object.plain("seller_id", seller);
            object.digit("rating", 1);
            object.plain("status", "posted");
            object.end();
            Topic::Feedback
        }
        3 => {
            render(&mut value, &head, &feedback(7));
            Topic::Feedback
        }
        4 => {
            render(&mut value, &head, &claim("escalated"));
            Topic::Claims
        }
        5 => {
            render(&mut value, &head, &feedback(1));
            value.pop();
            value.extend_from_slice(b",\"rating\":5}");
            Topic::Feedback
        }
        6 => {
            value.extend_from_slice(&[0, 0, 0, 0, 42, 2, 14, 83]);
            Topic::Chargebacks
        }
        7 => {
            let purchase_ms = at_ms + 400 * 86_400_000;
            render(&mut value, &head, &shipped_order(purchase_ms));
            Topic::Orders
        }
        8 => {
            // Its partition is most likely not its seller's.
            key = format!("{seller}|{marketplace}");
            render(&mut value, &head, &shipped_order(at_ms - 86_400_000));
            Topic::Orders
        }
        _ => Topic::Feedback,
    };
    SimRecord { topic, key, timestamp_ms: at_ms, value }
}

fn claim(status: &str) -> Body<'_> {
    Body::Claim { id: 1, status, funded_by: None }
}

fn feedback(rating: u8) -> Body<'static> {
    Body::Feedback { rating, status: "posted", comment: None }
}

fn shipped_order(purchase_ms: i64) -> Body<'static> {
    Body::Order {
        purchase_ms,
        channel: crate::domain::event::Channel::Mfn,
        status: "Shipped",
        shipped: None,
    }
}
