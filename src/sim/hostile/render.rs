//! Facts as JSON: as plainly as possible, or as others may write it.
//!
//! Invariant: whatever the spelling, the value states exactly the fact. Written by its own hand,
//! apart from the calendar.

use super::features::{Feature, Features};
use super::plan::{Detail, Fact, Plan};
use crate::domain::time::DAY_MS;
use crate::sim::json::{civil, write_digits, write_string};
use crate::sim::random::Random;

/// A field's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Val<'a> {
    Text(&'a str),
    /// Written as it is.
    Raw(&'a str),
    Time(i64),
}

/// A field: its name and value.
pub(super) type Field<'a> = (&'static str, Val<'a>);

/// The fields of a fact, plainly spelled, in the order of SEMANTICS section 2.
pub(super) fn fields<'a>(fact: &Fact, plan: &'a Plan) -> Vec<Field<'a>> {
    let mut fields = Vec::with_capacity(12);
    if let Some(event_ms) = fact.event_ms {
        fields.push(("event_time", Val::Time(event_ms)));
    }
    fields.push(("seller_id", Val::Text(&plan.sellers[fact.seller])));
    if let Some(marketplace) = fact.marketplace {
        fields.push(("marketplace_id", Val::Text(marketplace)));
    }
    fields.push(("order_id", Val::Text(&plan.orders[fact.order])));
    if let Some(purchase_ms) = fact.purchase_ms {
        fields.push(("purchase_date", Val::Time(purchase_ms)));
    }
    match fact.detail {
        Detail::Order { channel, status, buy_shipping, on_time } => {
            fields.push(("fulfillment_channel", Val::Text(channel)));
            fields.push(("order_status", Val::Text(status)));
            push_flag(&mut fields, "buy_shipping", buy_shipping);
            push_flag(&mut fields, "shipped_on_time", on_time);
        }
        Detail::Feedback { rating, status } => {
            let digits = ["0", "1", "2", "3", "4", "5"];
            fields.push(("rating", Val::Raw(digits[usize::from(rating)])));
            fields.push(("status", Val::Text(status)));
        }
        Detail::Claim { reference, status, funded_by, impact } => {
            push_reference(&mut fields, "claim_id", reference);
            fields.push(("status", Val::Text(status)));
            if let Some(funded_by) = funded_by {
                fields.push(("funded_by", Val::Text(funded_by)));
            }
            push_flag(&mut fields, "odr_impact", impact);
        }
        Detail::Chargeback { reference, status, reason, impact } => {
            push_reference(&mut fields, "chargeback_id", reference);
            fields.push(("status", Val::Text(status)));
            if let Some(reason) = reason {
                fields.push(("reason", Val::Text(reason)));
            }
            push_flag(&mut fields, "odr_impact", impact);
        }
    }
    fields
}

fn push_flag(fields: &mut Vec<Field<'_>>, name: &'static str, flag: Option<bool>) {
    if let Some(flag) = flag {
        fields.push((name, Val::Raw(if flag { "true" } else { "false" })));
    }
}

fn push_reference(fields: &mut Vec<Field<'_>>, name: &'static str, reference: Option<u8>) {
    match reference {
        None => {}
        Some(1) => fields.push((name, Val::Text("R-1"))),
        Some(_) => fields.push((name, Val::Text("R 2 \"~"))),
    }
}

/// Renders a fact.
pub(super) fn render(fact: &Fact, plan: &Plan, features: Features, random: &mut Random) -> Vec<u8> {
    let mut fields = fields(fact, plan);
    if !features.has(Feature::OddSpelling) || random.chance(300_000) {
        return plainly(&fields);
    }
    decorate(&mut fields, fact, random);
    random.shuffle(&mut fields);
    oddly(&fields, random)
}

/// Fields as a compact object.
pub(super) fn plainly(fields: &[Field<'_>]) -> Vec<u8> {
    let mut value = Vec::with_capacity(256);
    value.push(b'{');
    for (index, (name, field)) in fields.iter().enumerate() {
        if index > 0 {
            value.push(b',');
        }
        write_string(&mut value, name);
        value.push(b':');
        write_value(&mut value, *field, None);
    }
    value.push(b'}');
    value
}

fn write_value(value: &mut Vec<u8>, field: Val<'_>, mut odd: Option<&mut Random>) {
    match field {
        Val::Raw(raw) => value.extend_from_slice(raw.as_bytes()),
        Val::Text(text) => {
            let escaped = odd.as_mut().is_some_and(|random| random.chance(300_000));
            if escaped {
                write_escaped(value, text);
            } else {
                write_string(value, text);
            }
        }
        Val::Time(ms) => {
            value.push(b'"');
            write_time(value, ms, odd);
            value.push(b'"');
        }
    }
}

/// Second spellings, explicit nulls, and fields that nobody knows.
fn decorate(fields: &mut Vec<Field<'_>>, fact: &Fact, random: &mut Random) {
    let is_order = matches!(fact.detail, Detail::Order { .. });
    for (name, value) in fields.iter_mut() {
        let second = match *name {
            "seller_id" => "SellerId",
            "marketplace_id" => "MarketplaceId",
            "order_id" => "AmazonOrderId",
            "purchase_date" if is_order => "PurchaseDate",
            "order_status" => "OrderStatus",
            "fulfillment_channel" => "FulfillmentChannel",
            _ => continue,
        };
        if random.chance(300_000) {
            *name = second;
        }
        match value {
            Val::Text(text) if *text == "AFN" && random.chance(500_000) => *text = "Amazon",
            Val::Text(text) if *text == "MFN" && random.chance(500_000) => *text = "Merchant",
            _ => {}
        }
    }
    if fact.event_ms.is_none() && random.chance(500_000) {
        fields.push(("event_time", Val::Raw("null")));
    }
    if fact.marketplace.is_none() && random.chance(500_000) {
        fields.push(("marketplace_id", Val::Raw("null")));
    }
    if matches!(fact.detail, Detail::Feedback { .. }) && random.chance(500_000) {
        fields.push(("comment", Val::Text("schlecht: \"nie wieder\" \u{1F620}\n")));
        fields.push(("response_time", Val::Time(fact.known_ms)));
    }
    let unknown: [Field<'_>; 6] = [
        ("trace", Val::Raw("{\"a\":[1,2.5e-3,{\"seller_id\":null}],\"a\":-0}")),
        (
            "trace",
            Val::Raw("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]\"]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"),
        ),
        ("Seller_Id", Val::Raw("17")),
        ("note", Val::Raw("\"half a pair: \\ud83d\"")),
        ("", Val::Raw("1E400")),
        ("seller_id ", Val::Text("x")),
    ];
    for field in unknown {
        if random.chance(200_000) {
            fields.push(field);
        }
    }
}

/// Fields with white space and escapes wherever JSON allows them.
fn oddly(fields: &[Field<'_>], random: &mut Random) -> Vec<u8> {
    let mut value = Vec::with_capacity(512);
    space(&mut value, random);
    value.push(b'{');
    for (index, (name, field)) in fields.iter().enumerate() {
        if index > 0 {
            value.push(b',');
        }
        space(&mut value, random);
        if random.chance(100_000) {
            write_escaped(&mut value, name);
        } else {
            write_string(&mut value, name);
        }
        space(&mut value, random);
        value.push(b':');
        space(&mut value, random);
        write_value(&mut value, *field, Some(random));
        space(&mut value, random);
    }
    value.push(b'}');
    space(&mut value, random);
    value
}

fn space(value: &mut Vec<u8>, random: &mut Random) {
    let spaces = ["", "", "", "", " ", "\n", "\t", "\r\n  "];
    value.extend_from_slice(random.pick_str(&spaces).as_bytes());
}

/// A string in which each character is an escape of UTF-16 units.
fn write_escaped(value: &mut Vec<u8>, text: &str) {
    value.push(b'"');
    for unit in text.encode_utf16() {
        value.extend_from_slice(b"\\u");
        for shift in [12, 8, 4, 0] {
            let digit = usize::from((unit >> shift) & 15);
            value.push(b"0123456789aBcDeF"[digit]);
        }
    }
    value.push(b'"');
}

/// Writes an instant: in UTC with three digits, or with an offset, any fraction and any case.
pub(super) fn write_time(value: &mut Vec<u8>, ms: i64, odd: Option<&mut Random>) {
    let mut offset_minutes = 0;
    let (mut lower, mut fraction) = (false, 3);
    if let Some(random) = odd {
        offset_minutes = *random.pick(&[0, 0, 0, 60, 330, -480, 845, -1]);
        lower = random.chance(300_000);
        fraction = *random.pick(&[3, 3, 6, 12, 0]);
        if fraction == 0 && ms.rem_euclid(1_000) != 0 {
            fraction = 3;
        }
    }
    let local = ms + offset_minutes * 60_000;
    let (year, month, day) = civil(local.div_euclid(DAY_MS));
    let in_day = local.rem_euclid(DAY_MS);
    let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let second = in_day / 1_000 % 60;
    let separator = if lower { b't' } else { b'T' };
    for (number, width, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, separator),
        (hour, 2, b':'),
        (minute, 2, b':'),
        (second, 2, b'.'),
    ] {
        write_digits(value, number.unsigned_abs(), width);
        value.push(after);
    }
    if fraction == 0 {
        value.pop();
    } else {
        write_digits(value, (in_day % 1_000).unsigned_abs(), 3);
        // What lies below a millisecond is truncated.
        value.extend(std::iter::repeat_n(b'9', fraction - 3));
    }
    if offset_minutes == 0 {
        value.push(if lower { b'z' } else { b'Z' });
        return;
    }
    value.push(if offset_minutes < 0 { b'-' } else { b'+' });
    let minutes = offset_minutes.unsigned_abs();
    write_digits(value, minutes / 60, 2);
    value.push(b':');
    write_digits(value, minutes % 60, 2);
}
