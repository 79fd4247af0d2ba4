//! The quick path: it says only what the exact path says, and it is the one that good records take.

use proptest::prelude::*;
use proptest::sample::select;

use super::tests::{NOW_MS, decode_with, limits, quick_with, sample};
use super::*;
use crate::domain::time::DAY_MS;
use crate::sim::bulk::{Bulk, BulkBuffers, BulkConfig};
use crate::sim::hostile::{Hostile, HostileConfig};
use crate::sim::story::Market;

/// How many records are good, and how many of them take the quick path.
#[derive(Debug, Default, PartialEq, Eq)]
struct Share {
    good: u64,
    quick: u64,
}

impl Share {
    /// Looks at a record in each way; both must say the same of it.
    fn add(&mut self, topic: Topic, value: &[u8], time: Option<i64>, limits: &Limits) {
        let Ok(text) = text_of(value, limits) else { return };
        let place =
            Place { topic, record_time: time.map(RecordTime::from_ms), partition: 0, limits };
        let mut scratch = String::new();
        let exact = exact(text, &place, &mut scratch);
        let quick = quick(text, &place);
        assert!(quick.is_none_or(|event| exact == Ok(event)), "{topic:?} {text}");
        self.good += u64::from(exact.is_ok());
        self.quick += u64::from(quick.is_some());
    }

    /// Whether more than 99.9 % of the good ones took it.
    fn is_nearly_all(&self) -> bool {
        self.quick <= self.good && self.quick * 1000 > self.good * 999
    }
}

#[test]
fn nearly_all_good_records_of_the_synthetic_market_take_the_quick_path() {
    let limits = limits();
    let mut share = Share::default();
    for record in Market::new(7, 40, NOW_MS - 90 * DAY_MS, NOW_MS) {
        share.add(record.topic, &record.value, Some(record.timestamp_ms), &limits);
    }
    assert!(share.good > 10_000 && share.is_nearly_all(), "{share:?}");
}

#[test]
fn all_records_of_the_bulk_market_take_the_quick_path() {
    let limits = limits();
    let mut bulk = Bulk::new(BulkConfig::new(5, 20_000, 75, 300, NOW_MS));
    let mut buffers = BulkBuffers::default();
    let mut shares: [Share; 4] = Default::default();
    while let Some(record) = bulk.next_into(&mut buffers) {
        let share = &mut shares[record.topic.index()];
        share.add(record.topic, &buffers.value, Some(record.timestamp_ms), &limits);
    }
    for share in shares {
        assert!(share.good > 100 && share.quick == share.good, "{share:?}");
    }
}

#[test]
fn hostile_records_get_the_same_answer_from_both_paths() {
    let limits = limits();
    let mut share = Share::default();
    for seed in 0..200 {
        let config = HostileConfig { partitions: 1, ..HostileConfig::new(seed) };
        let hostile = Hostile::new(&config);
        for topic in Topic::ALL {
            for record in hostile.log(topic, 0) {
                if let Some(value) = &record.value {
                    share.add(topic, value, record.timestamp_ms, &limits);
                }
            }
        }
    }
    // They are full of escapes, so not nearly all take it.
    assert!(share.good > 10_000 && share.quick > share.good / 2, "{share:?}");
}

#[test]
fn what_is_good_in_many_ways_takes_the_quick_path() {
    for (topic, from, to) in [
        (Topic::Orders, "seller_id", "SellerId"),
        (Topic::Orders, "marketplace_id", "MarketplaceId"),
        (Topic::Orders, "order_id", "AmazonOrderId"),
        (Topic::Orders, "purchase_date", "PurchaseDate"),
        (Topic::Orders, "fulfillment_channel", "FulfillmentChannel"),
        (Topic::Orders, "order_status", "OrderStatus"),
        (Topic::Orders, "MFN", "Merchant"),
        (Topic::Orders, "MFN", "Amazon"),
        (Topic::Orders, "\"MFN\"", "\"MFN\",\"buy_shipping\":true,\"shipped_on_time\":null"),
        (Topic::Orders, "302-1234567-7654321", "S01-1"),
        (Topic::Orders, "\"M1\"", "null"),
        (Topic::Orders, "{", "\t{\"OrderTotal\":{\"Amount\":\"9.99\",\"Tax\":[1e400,-0.5]},"),
        (Topic::Orders, "{", " { \"a\" : \"\\ud800\", \"a\":{\"\\ud800\":[[]]},"),
        (Topic::Orders, "{", "{\"status\":7,\"rating\":[],"),
        (Topic::Feedback, "\\ud83d\\ude00", "\\n \\\\ \\u00e9 \u{1f600}"),
        (Topic::Feedback, "\"status\"", "\"response_time\":\"2026-03-01T00:00:00Z\",\"status\""),
        (Topic::Claims, "\"AZ1\"", "null"),
        (Topic::Chargebacks, "\"status\"", "\"reason\":\"fraud\",\"status\""),
    ] {
        let mut text = sample(topic).replacen(from, to, 1);
        if topic == Topic::Feedback {
            text = text.replace("\\ud83d\\ude00", "");
        }
        assert!(decode_with(topic, text.as_bytes(), Some(NOW_MS), &limits()).is_ok(), "{text}");
        assert!(quick_with(topic, text.as_bytes(), Some(NOW_MS), &limits()).is_some(), "{text}");
    }
}

#[test]
fn what_is_odd_is_left_to_the_exact_path() {
    let deep = |levels| format!("{{\"x\":{}0{},", "[".repeat(levels), "]".repeat(levels));
    for (topic, from, to, is_good) in [
        (Topic::Orders, "seller_id", "seller\\u005fid", true),
        (Topic::Orders, "A1B2C3", "A1B2\\u00433", true),
        (Topic::Orders, "MFN", "\\u004dFN", true),
        (Topic::Feedback, "never", "\\ud83d\\ude00", true),
        (Topic::Feedback, "never", "\\\\ud800", true),
        (Topic::Feedback, "never", "\\udfff", false),
        (Topic::Orders, "{", &deep(126), true),
        (Topic::Orders, "{", &deep(127), false),
        (Topic::Orders, "{", &deep(100_000), false),
        (Topic::Orders, "{", "{\"\\ud800\":1,", false),
        (Topic::Orders, "{", "{\"SellerId\":\"x\",", false),
        (Topic::Orders, "\"MFN\"", "\"MFN\",\"buy_shipping\":1", false),
        (Topic::Orders, "}", "}}", false),
        (Topic::Orders, "}", "} \u{0}", false),
        (Topic::Feedback, ":1,", ":1.0,", false),
        (Topic::Feedback, ":1,", ":1e0,", false),
        (Topic::Feedback, ":1,", ":\"1\",", false),
    ] {
        let text = sample(topic).replacen(from, to, 1);
        let decoded = decode_with(topic, text.as_bytes(), Some(NOW_MS), &limits());
        assert_eq!(decoded.is_ok(), is_good, "{text:.200}");
        // A record nested to the limit, but not beyond it, may take either path.
        let is_quick = quick_with(topic, text.as_bytes(), Some(NOW_MS), &limits()).is_some();
        assert!(!is_quick || (is_good && to.len() > 100), "{text:.200}");
    }
}

/// A known field's names and some values that it may have.
type Row = (&'static [&'static str], &'static [&'static str]);

const TIMES: &[&str] =
    &["\"2026-02-27T08:00:00Z\"", "\"2026-03-01t12:34:56.7891-00:00\"", "\"2020-02-29T23:59:59z\""];
const ORDER_IDS: &[&str] = &["\"302-1234567-7654321\"", "\"S02-77\"", "\"~ !\""];
const COMMON: [Row; 4] = [
    (&["seller_id", "SellerId"], &["\"A1B2C3\"", "\"x\"", "\"A \\u0041\""]),
    (&["order_id", "AmazonOrderId"], ORDER_IDS),
    (&["marketplace_id", "MarketplaceId"], &["null", "\"\"", "\"ATVPDKIKX0DER\""]),
    (&["event_time"], TIMES),
];
const ORDERS: [Row; 5] = [
    (&["purchase_date", "PurchaseDate"], TIMES),
    (&["fulfillment_channel", "FulfillmentChannel"], &["\"MFN\"", "\"Amazon\"", "\"\\u0041FN\""]),
    (&["order_status", "OrderStatus"], &["\"Pending\"", "\"Shipped\"", "\"Cancelled\""]),
    (&["buy_shipping"], &["true", "false", "null"]),
    (&["shipped_on_time"], &["true", "false", "null"]),
];
const FEEDBACK: [Row; 4] = [
    (&["rating"], &["1", "3", "5"]),
    (&["status"], &["\"posted\"", "\"struck_through\"", "\"removed\""]),
    (&["comment"], &["null", "\"\u{e9}\\\"\"", "\"\\ud83d\\ude00\"", "\"\\u00e9\\\\\""]),
    (&["response_time"], TIMES),
];
const CLAIMS: [Row; 4] = [
    (&["status"], &["\"filed\"", "\"granted\"", "\"reversed\""]),
    (&["claim_id"], &["null", "\"AZ1\"", "\"\\/\""]),
    (&["funded_by"], &["null", "\"seller\"", "\"amazon\""]),
    (&["odr_impact"], &["null", "true", "false"]),
];
const CHARGEBACKS: [Row; 4] = [
    (&["status"], &["\"opened\"", "\"won\"", "\"lost\""]),
    (&["chargeback_id"], &["null", "\"CB1\"", "\"\\/\""]),
    (&["reason"], &["null", "\"service\"", "\"fraud\""]),
    (&["odr_impact"], &["null", "true", "false"]),
];
const OTHERS: [&str; 8] = [
    "0",
    "-1.5e+400",
    "\"\\ud800\"",
    "[[],{\"a\":[1,{}]}]",
    "{\"seller_id\":1,\"seller_id\":2}",
    "null",
    "\"\\u0000\"",
    "[{\"\\udfff\":[true,false]}]",
];

const fn own(topic: Topic) -> &'static [Row] {
    match topic {
        Topic::Orders => &ORDERS,
        Topic::Feedback => &FEEDBACK,
        Topic::Claims => &CLAIMS,
        Topic::Chargebacks => &CHARGEBACKS,
    }
}

fn member((names, values): Row) -> impl Strategy<Value = String> {
    (select(names), select(values)).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

/// A good record: all fields of its topic and some others, in any order.
fn good_record() -> impl Strategy<Value = (Topic, String)> {
    let of_topic = |topic: Topic| {
        let known: Vec<_> = COMMON.iter().chain(own(topic)).map(|row| member(*row)).collect();
        let other = ("[a-z]{1,3}", select(&OTHERS[..]));
        let others = prop::collection::vec(other, 0..4);
        let members = (known, others).prop_map(|(mut members, others)| {
            members.extend(others.into_iter().map(|(name, value)| format!("\"{name}\":{value}")));
            members
        });
        let spaces = select(vec![",", " ,", ",\n\t", "\r\n , "]);
        (members.prop_shuffle(), spaces)
            .prop_map(move |(members, space)| (topic, format!("{{{}}}", members.join(space))))
    };
    select(&Topic::ALL[..]).prop_flat_map(of_topic)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn good_records_are_good_on_both_paths_and_the_same((topic, text) in good_record()) {
        let decoded = decode_with(topic, text.as_bytes(), Some(NOW_MS), &limits());
        let is_late = matches!(&decoded, Err(cause) if
            cause.reason() == crate::domain::event::DeadReason::PurchaseInFuture);
        prop_assert!(decoded.is_ok() || is_late, "{text} {decoded:?}");
        let is_quick = quick_with(topic, text.as_bytes(), Some(NOW_MS), &limits()).is_some();
        // Escapes are what may be left to the exact path.
        prop_assert!(is_quick || is_late || text.contains('\\'), "{text}");
    }
}
