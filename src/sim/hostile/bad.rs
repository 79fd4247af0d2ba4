//! Records that must become dead letters, each with the reason that must be given.
//!
//! Invariant: exactly the stated reason applies first (SEMANTICS section 2), whatever the
//! record's timestamp. Absent on purpose: `misrouted` and `bad_time` by timestamps, which come
//! from where and when a good record lands.

use super::plan::{Detail, Fact, Plan};
use super::render::{Field, Val, fields, plainly};
use crate::domain::event::{DeadReason, Topic};
use crate::sim::random::Random;

/// The limit on values, as shipped.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// Makes a bad record out of a fact.
pub(super) fn spoil(fact: &Fact, plan: &Plan, random: &mut Random) -> (Vec<u8>, DeadReason) {
    let good = fields(fact, plan);
    match random.below(6) {
        0 => (unparsable(&good, random), DeadReason::Parse),
        1 => {
            let mut framed = vec![0, 0, 0, 0, 7];
            framed.extend(plainly(&good));
            (framed, DeadReason::SchemaFramed)
        }
        2 => (twice(good, random), DeadReason::DuplicateKey),
        3 => (missing(good, random), DeadReason::MissingField),
        4 => (out_of_time(good, random), DeadReason::BadTime),
        _ => (bad_value(fact.detail.topic(), good, random), DeadReason::BadValue),
    }
}

/// A value of one byte more than the limit; else it would be good.
pub(super) fn too_large(fact: &Fact, plan: &Plan) -> Vec<u8> {
    let mut value = plainly(&fields(fact, plan));
    value.resize(MAX_VALUE_BYTES + 1, b' ');
    value
}

/// An order that says it was bought a day and a millisecond after its event, or later.
pub(super) fn bought_later(fact: &Fact, plan: &Plan, event_ms: i64, later_ms: i64) -> Vec<u8> {
    debug_assert!(matches!(fact.detail, Detail::Order { .. }));
    let future = Fact { event_ms: Some(event_ms), purchase_ms: Some(event_ms + later_ms), ..*fact };
    plainly(&fields(&future, plan))
}

fn unparsable(good: &[Field<'_>], random: &mut Random) -> Vec<u8> {
    let mut value = plainly(good);
    match random.below(12) {
        0 => value.clear(),
        1 => value.truncate(random.index(value.len() - 1) + 1),
        2 => value[1] = 0xFF,
        3 => value.splice(0..0, *b"\xEF\xBB\xBF").for_each(drop),
        4 => value.extend_from_slice(b" x"),
        5 => value.extend_from_slice(b"{}"),
        6 => insert(&mut value, br#""rank":01,"#),
        7 => insert(&mut value, br#""rank":NaN,"#),
        8 => insert(&mut value, b"\"note\":\"line\nbreak\","),
        9 => insert(&mut value, br#""odd \ud83d name":1,"#),
        10 => {
            let deep = [&b"\"deep\":"[..], &b"[".repeat(200), &b"]".repeat(200), b","].concat();
            insert(&mut value, &deep);
        }
        _ => {
            // Half of a surrogate pair in a known field.
            let mut spoilt = good.to_vec();
            for field in &mut spoilt {
                if field.0 == "order_id" {
                    field.1 = Val::Raw("\"\\udc00\"");
                }
            }
            return plainly(&spoilt);
        }
    }
    value
}

fn insert(value: &mut Vec<u8>, text: &[u8]) {
    value.splice(1..1, text.iter().copied()).for_each(drop);
}

fn twice(mut good: Vec<Field<'_>>, random: &mut Random) -> Vec<u8> {
    let (mut name, value) = *random.pick(&good);
    if random.chance(500_000) {
        name = match name {
            "seller_id" => "SellerId",
            "order_id" => "AmazonOrderId",
            "marketplace_id" => "MarketplaceId",
            "order_status" => "OrderStatus",
            other => other,
        };
    }
    let value = if random.chance(300_000) { Val::Raw("null") } else { value };
    good.push((name, value));
    plainly(&good)
}

fn is_required(topic: Topic, name: &str) -> bool {
    match name {
        "seller_id" | "order_id" | "rating" | "order_status" | "fulfillment_channel" | "status" => {
            true
        }
        "purchase_date" => topic == Topic::Orders,
        _ => false,
    }
}

fn missing(mut good: Vec<Field<'_>>, random: &mut Random) -> Vec<u8> {
    let is_order = good.iter().any(|field| field.0 == "order_status");
    let topic = if is_order { Topic::Orders } else { Topic::Claims };
    let required: Vec<usize> =
        (0..good.len()).filter(|index| is_required(topic, good[*index].0)).collect();
    let index = *random.pick(&required);
    if random.chance(500_000) {
        good.remove(index);
    } else {
        good[index].1 = Val::Raw("null");
    }
    plainly(&good)
}

/// Before 2000, or later than any record: with a purchase date to match, so that nothing else is
/// wrong before it.
fn out_of_time(mut good: Vec<Field<'_>>, random: &mut Random) -> Vec<u8> {
    let times = [946_684_799_999, 0, 4_102_444_800_000, 32_503_679_999_000];
    let event_ms = *random.pick(&times);
    good.retain(|field| field.0 != "event_time");
    good.push(("event_time", Val::Time(event_ms)));
    plainly(&good)
}

fn bad_value(topic: Topic, mut good: Vec<Field<'_>>, random: &mut Random) -> Vec<u8> {
    if random.chance(100_000) {
        let no_objects = ["[]", "null", "17", "\"{}\"", "true", "[{}]"];
        return random.pick_str(&no_objects).as_bytes().to_vec();
    }
    let long = "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"";
    let bad_ids: &[&str] = &["\"\"", "17", "\"caf\u{e9}\"", "\"a\\tb\"", "{}", "[\"a\"]", long];
    let bad_times: &[&str] = &[
        "\"2026-02-30T00:00:00Z\"",
        "\"2026-02-03T24:00:00Z\"",
        "\"2026-02-03T10:00:60Z\"",
        "\"2026-02-03T10:00:00\"",
        "\"2026-02-03 10:00:00Z\"",
        "\"2026-02-03\"",
        "\"2026-02-03T10:00:00+0100\"",
        "\"2026-02-03T10:00:00.Z\"",
        "\"\"",
        "1770000000000",
        "true",
    ];
    let bad_ratings: &[&str] =
        &["0", "6", "-1", "\"1\"", "1.0", "1e0", "true", "[1]", "99999999999999999999"];
    let bad_words: &[&str] = &["\"\"", "\"POSTED \"", "\"unknown\"", "7", "false", "[]"];
    let mut choices: Vec<(&'static str, &[&str])> = vec![
        ("seller_id", bad_ids),
        ("order_id", bad_ids),
        ("event_time", bad_times),
        ("marketplace_id", &bad_ids[1..]),
    ];
    match topic {
        Topic::Orders => choices.extend([
            ("purchase_date", bad_times),
            ("order_status", bad_words),
            ("fulfillment_channel", bad_words),
            ("buy_shipping", &["\"true\"", "1", "\"\""][..]),
        ]),
        Topic::Feedback => choices.extend([
            ("rating", bad_ratings),
            ("status", bad_words),
            ("comment", &["17", "[]"][..]),
            ("purchase_date", bad_times),
        ]),
        Topic::Claims => choices.extend([
            ("status", bad_words),
            ("funded_by", bad_words),
            ("claim_id", bad_ids),
            ("odr_impact", &["\"false\"", "0"][..]),
        ]),
        Topic::Chargebacks => choices.extend([
            ("status", bad_words),
            ("reason", bad_words),
            ("chargeback_id", bad_ids),
            ("odr_impact", &["\"false\"", "0"][..]),
        ]),
    }
    let (name, values) = *random.pick(&choices);
    good.retain(|field| field.0 != name);
    let raw = random.pick_str(values);
    good.push((name, Val::Raw(raw)));
    plainly(&good)
}
