//! A second decoder, slow and plain, that the real one is compared with.
//!
//! It shares no code with it: the grammar and the strings are `serde_json`'s, the dates are jiff's,
//! and the fields and their values are one table.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::event::*;
use crate::domain::ids::{MarketplaceId, OrderId, RefId, SellerId};
use crate::domain::time::{EventTime, RecordTime};
use crate::wire::partition::{Partitioner, partition_of};

use super::Limits;

/// What a field must hold.
enum Kind {
    Id,
    Marketplace,
    Time,
    Flag,
    Text,
    Stars,
    OneOf(&'static [&'static str]),
}
use Kind::*;

/// (names, whether required, kind).
type Row = (&'static [&'static str], bool, Kind);

fn table(topic: Topic) -> Vec<Row> {
    let mut rows: Vec<Row> = vec![
        (&["event_time"], false, Time),
        (&["seller_id", "SellerId"], true, Id),
        (&["marketplace_id", "MarketplaceId"], false, Marketplace),
        (&["order_id", "AmazonOrderId"], true, Id),
        (&["purchase_date", "PurchaseDate"], topic == Topic::Orders, Time),
    ];
    match topic {
        Topic::Orders => rows.extend::<[Row; 4]>([
            (
                &["fulfillment_channel", "FulfillmentChannel"],
                true,
                OneOf(&["MFN", "AFN", "Merchant", "Amazon"]),
            ),
            (
                &["order_status", "OrderStatus"],
                true,
                OneOf(&[
                    "Pending",
                    "PendingAvailability",
                    "Unshipped",
                    "PartiallyShipped",
                    "Shipped",
                    "InvoiceUnconfirmed",
                    "Unfulfillable",
                    "Canceled",
                    "Cancelled",
                ]),
            ),
            (&["buy_shipping"], false, Flag),
            (&["shipped_on_time"], false, Flag),
        ]),
        Topic::Feedback => rows.extend::<[Row; 4]>([
            (&["rating"], true, Stars),
            (&["comment"], false, Text),
            (
                &["status"],
                true,
                OneOf(&["posted", "updated", "withdrawn", "struck_through", "removed"]),
            ),
            (&["response_time"], false, Time),
        ]),
        Topic::Claims => rows.extend::<[Row; 4]>([
            (&["claim_id"], false, Id),
            (
                &["status"],
                true,
                OneOf(&[
                    "filed",
                    "under_review",
                    "granted",
                    "denied",
                    "withdrawn",
                    "closed_refunded",
                    "appealed",
                    "reversed",
                ]),
            ),
            (&["funded_by"], false, OneOf(&["seller", "amazon"])),
            (&["odr_impact"], false, Flag),
        ]),
        Topic::Chargebacks => rows.extend::<[Row; 4]>([
            (&["chargeback_id"], false, Id),
            (&["reason"], false, OneOf(&["service", "fraud"])),
            (&["status"], true, OneOf(&["opened", "under_review", "lost", "won", "reversed"])),
            (&["odr_impact"], false, Flag),
        ]),
    }
    rows
}

/// The members of an object, names as bytes because they may be no UTF-8.
struct Members<'a>(Vec<(Vec<u8>, &'a RawValue)>);

struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl Visitor<'_> for NameVisitor {
            type Value = Name;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a name")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(NameVisitor)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;
            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// The deepest nesting of a JSON text.
fn depth_of(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut after_backslash) = (0, 0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if after_backslash => after_backslash = false,
                b'\\' => after_backslash = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    deepest
}

/// An RFC 3339 time by its shape and jiff's calendar.
fn time_of(text: &str) -> Option<i64> {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() < 20 || !text.is_ascii() {
        return None;
    }
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().unwrap())
    };
    for (place, wanted) in [(4, "-"), (7, "-"), (10, "Tt"), (13, ":"), (16, ":")] {
        if !wanted.contains(chars[place]) {
            return None;
        }
    }
    let date = jiff::civil::Date::new(
        i16::try_from(number(&text[..4])?).ok()?,
        i8::try_from(number(&text[5..7])?).ok()?,
        i8::try_from(number(&text[8..10])?).ok()?,
    )
    .ok()?;
    let clock = [number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?];
    let mut rest = &text[19..];
    let mut ms = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit())?;
        let digits = format!("{}000", &after[..end]);
        if end == 0 {
            return None;
        }
        ms = number(&digits[..3])?;
        rest = &after[end..];
    }
    let zone_minutes = if rest == "Z" || rest == "z" {
        0
    } else {
        let sign = if rest.starts_with('-') { -1 } else { 1 };
        let shaped = rest.len() == 6 && "+-".contains(&rest[..1]) && &rest[3..4] == ":";
        let (hours, minutes) = (number(rest.get(1..3)?)?, number(rest.get(4..6)?)?);
        if !shaped || hours > 23 || minutes > 59 {
            return None;
        }
        sign * (hours * 60 + minutes)
    };
    if clock[0] > 23 || clock[1] > 59 || clock[2] > 59 {
        return None;
    }
    let days = date.duration_since(jiff::civil::date(1970, 1, 1)).as_secs() / 86_400;
    let seconds = days * 86_400 + clock[0] * 3600 + (clock[1] - zone_minutes) * 60 + clock[2];
    Some(seconds * 1000 + ms)
}

fn holds(kind: &Kind, raw: &str) -> bool {
    let text = serde_json::from_str::<String>(raw).ok();
    match (kind, text) {
        (Flag, None) => raw == "true" || raw == "false",
        (Stars, None) => ["1", "2", "3", "4", "5"].contains(&raw),
        (Text, Some(_)) => true,
        (Id, Some(text)) => RefId::new(&text).is_some(),
        (Marketplace, Some(text)) => MarketplaceId::new(&text).is_some(),
        (Time, Some(text)) => time_of(&text).is_some(),
        (OneOf(names), Some(text)) => names.contains(&text.as_str()),
        _ => false,
    }
}

/// The event as its `Debug` text, or the reason.
pub(super) fn decode(
    topic: Topic,
    value: &[u8],
    record_time: Option<RecordTime>,
    partition: u32,
    limits: &Limits,
) -> Result<String, DeadReason> {
    if value.len() > limits.max_record_bytes {
        return Err(DeadReason::TooLarge);
    }
    if value.first() == Some(&0) {
        return Err(DeadReason::SchemaFramed);
    }
    let text = std::str::from_utf8(value).map_err(|_| DeadReason::Parse)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| DeadReason::Parse)?;
    if depth_of(text) > 127 {
        return Err(DeadReason::Parse);
    }
    if !text.trim_start().starts_with('{') {
        return Err(DeadReason::BadValue);
    }
    let Members(members) = serde_json::from_str(text).unwrap();
    let rows = table(topic);
    let mut found: Vec<Vec<&str>> = rows.iter().map(|_| Vec::new()).collect();
    for (name, raw) in &members {
        let name = std::str::from_utf8(name).map_err(|_| DeadReason::Parse)?;
        if let Some(row) = rows.iter().position(|(names, ..)| names.contains(&name)) {
            if raw.get().starts_with('"') && serde_json::from_str::<String>(raw.get()).is_err() {
                return Err(DeadReason::Parse);
            }
            found[row].push(raw.get());
        }
    }
    if found.iter().any(|values| values.len() > 1) {
        return Err(DeadReason::DuplicateKey);
    }
    let present: Vec<Option<&str>> =
        found.iter().map(|values| values.first().copied().filter(|raw| *raw != "null")).collect();
    let both = rows.iter().zip(&present);
    if both.clone().any(|((_, required, _), raw)| *required && raw.is_none()) {
        return Err(DeadReason::MissingField);
    }
    if both.clone().any(|((.., kind), raw)| raw.is_some_and(|raw| !holds(kind, raw))) {
        return Err(DeadReason::BadValue);
    }
    let get = |name: &str| {
        let row = rows.iter().position(|(names, ..)| names.contains(&name));
        row.and_then(|row| present[row])
    };
    event(topic, &get, record_time, partition, limits)
}

fn event<'a>(
    topic: Topic,
    get: &dyn Fn(&str) -> Option<&'a str>,
    record_time: Option<RecordTime>,
    partition: u32,
    limits: &Limits,
) -> Result<String, DeadReason> {
    let text = |name| get(name).map(|raw| serde_json::from_str::<String>(raw).unwrap());
    let time = |name| text(name).map(|text| EventTime::from_ms(time_of(&text).unwrap()));
    let flag = |name| get(name).map(|raw| raw == "true");
    let seller = text("seller_id").unwrap();
    if limits.partitioner != Partitioner::Off
        && partition != partition_of(limits.partitioner, &seller, limits.partitions)
    {
        return Err(DeadReason::Misrouted);
    }
    let recorded = record_time.ok_or(DeadReason::BadTime)?.ms();
    let event_time = time("event_time").unwrap_or(EventTime::from_ms(recorded));
    let first = jiff::civil::date(2000, 1, 1).duration_since(jiff::civil::date(1970, 1, 1));
    if i128::from(event_time.ms()) < first.as_millis()
        || event_time.ms() > recorded + limits.max_ahead_ms
    {
        return Err(DeadReason::BadTime);
    }
    let purchase_time = time("purchase_date");
    let marketplace = text("marketplace_id").unwrap_or_default();
    let order = text("order_id").unwrap();
    let (seller, order) = (SellerId::new(&seller).unwrap(), OrderId::new(&order).unwrap());
    if topic == Topic::Orders {
        let purchase_time = purchase_time.unwrap();
        if purchase_time.ms() > event_time.ms() + limits.purchase_ahead_ms {
            return Err(DeadReason::PurchaseInFuture);
        }
        let status = text("order_status").unwrap();
        let channel = text("fulfillment_channel").unwrap();
        return Ok(described(Event::Order(OrderEvent {
            seller,
            marketplace: MarketplaceId::new(&marketplace).unwrap(),
            order,
            event_time,
            purchase_time,
            channel: if channel.contains('M') && channel != "Amazon" && channel != "AFN" {
                Channel::Mfn
            } else {
                Channel::Afn
            },
            status: match &status[..4] {
                "Pend" => OrderStatus::Pending,
                "Canc" => OrderStatus::Canceled,
                _ => OrderStatus::Open,
            },
            buy_shipping: flag("buy_shipping"),
            shipped_on_time: flag("shipped_on_time"),
        })));
    }
    let reference = text("claim_id").or_else(|| text("chargeback_id"));
    Ok(described(Event::Defect(DefectEvent {
        seller,
        order,
        event_time,
        purchase_time,
        reference: reference.as_deref().map(|text| RefId::new(text).unwrap()),
        fact: fact(topic, &text, get("rating"), flag("odr_impact")),
    })))
}

fn fact(
    topic: Topic,
    text: &dyn Fn(&'static str) -> Option<String>,
    rating: Option<&str>,
    odr_impact: Option<bool>,
) -> DefectFact {
    let rank = |names: &[&str]| {
        let status = text("status").unwrap();
        names.iter().position(|name| *name == status).unwrap()
    };
    match topic {
        Topic::Orders => unreachable!("orders have no defects"),
        Topic::Feedback => DefectFact::Feedback {
            status: [
                FeedbackStatus::Posted,
                FeedbackStatus::Updated,
                FeedbackStatus::Withdrawn,
                FeedbackStatus::StruckThrough,
                FeedbackStatus::Removed,
            ][rank(&["posted", "updated", "withdrawn", "struck_through", "removed"])],
            rating: rating.unwrap().parse().unwrap(),
        },
        Topic::Claims => DefectFact::Claim {
            status: [
                ClaimStatus::Filed,
                ClaimStatus::UnderReview,
                ClaimStatus::Granted,
                ClaimStatus::Denied,
                ClaimStatus::Withdrawn,
                ClaimStatus::ClosedRefunded,
                ClaimStatus::Appealed,
                ClaimStatus::Reversed,
            ][rank(&[
                "filed",
                "under_review",
                "granted",
                "denied",
                "withdrawn",
                "closed_refunded",
                "appealed",
                "reversed",
            ])],
            funded_by: text("funded_by").map(|who| match who.as_str() {
                "seller" => FundedBy::Seller,
                _ => FundedBy::Amazon,
            }),
            odr_impact,
        },
        Topic::Chargebacks => DefectFact::Chargeback {
            status: [
                ChargebackStatus::Opened,
                ChargebackStatus::UnderReview,
                ChargebackStatus::Lost,
                ChargebackStatus::Won,
                ChargebackStatus::Reversed,
            ][rank(&["opened", "under_review", "lost", "won", "reversed"])],
            reason: match text("reason").as_deref() {
                Some("fraud") => ChargebackReason::Fraud,
                _ => ChargebackReason::Service,
            },
            odr_impact,
        },
    }
}

/// An event as the text that it is compared by.
pub(super) fn described(event: Event<'_>) -> String {
    format!("{event:?}")
}
