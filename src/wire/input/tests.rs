//! The reasons and their order, and the traps; every case is also given to the second decoder.

use super::reference::{self, described};
use super::*;
use crate::domain::event::{DeadReason, DefectFact, OrderStatus};

/// 2026-03-01T12:34:56Z.
pub(super) const NOW_MS: i64 = 1_772_368_496_000;

const ORDER: &str = concat!(
    r#"{"event_time":"2026-03-01T12:34:55Z","seller_id":"A1B2C3","marketplace_id":"M1","#,
    r#""order_id":"302-1234567-7654321","purchase_date":"2026-02-27T08:00:00.123Z","#,
    r#""fulfillment_channel":"MFN","order_status":"Shipped"}"#
);
const FEEDBACK: &str = concat!(
    r#"{"seller_id":"A1B2C3","order_id":"302-1234567-7654321","rating":1,"#,
    r#""comment":"never \"came\" \ud83d\ude00","status":"posted"}"#
);
const CLAIM: &str = concat!(
    r#"{"seller_id":"A1B2C3","order_id":"302-1234567-7654321","claim_id":"AZ1","#,
    r#""status":"granted","funded_by":"amazon","odr_impact":true}"#
);
const CHARGEBACK: &str = concat!(
    r#"{"seller_id":"A1B2C3","order_id":"302-1234567-7654321","chargeback_id":null,"#,
    r#""status":"lost"}"#
);

pub(super) fn limits() -> Limits {
    Limits::with_partitions(1)
}

pub(super) fn sample(topic: Topic) -> &'static str {
    match topic {
        Topic::Orders => ORDER,
        Topic::Feedback => FEEDBACK,
        Topic::Claims => CLAIM,
        Topic::Chargebacks => CHARGEBACK,
    }
}

/// The event that the quick path gives, as its text; checks that the exact path gives the same.
pub(super) fn quick_with(
    topic: Topic,
    value: &[u8],
    time: Option<i64>,
    limits: &Limits,
) -> Option<String> {
    let text = text_of(value, limits).ok()?;
    let place = Place { topic, record_time: time.map(RecordTime::from_ms), partition: 0, limits };
    let event = quick(text, &place)?;
    assert_eq!(exact(text, &place, &mut String::new()), Ok(event), "{topic:?} {text}");
    Some(described(event))
}

/// Decodes twice and checks that both decoders agree, and the paths of the one with each other;
/// the event's text, or the message.
pub(super) fn decode_with(
    topic: Topic,
    value: &[u8],
    time: Option<i64>,
    limits: &Limits,
) -> Result<String, DeadLetterCause> {
    let time = time.map(RecordTime::from_ms);
    let mut decoder = Decoder::new();
    let event = decoder.decode(topic, value, time, 0, limits).map(described);
    let expected = reference::decode(topic, value, time, 0, limits);
    let text = String::from_utf8_lossy(value);
    assert_eq!(event.clone().map_err(DeadLetterCause::reason), expected, "{topic:?} {text}");
    let quick = quick_with(topic, value, time.map(RecordTime::ms), limits);
    assert!(quick.is_none_or(|quick| event == Ok(quick)), "{topic:?} {text}");
    event
}

fn decode(topic: Topic, value: &str) -> Result<String, DeadLetterCause> {
    decode_with(topic, value.as_bytes(), Some(NOW_MS), &limits())
}

/// The message of a record that is dead; "" for one that is not.
fn message(topic: Topic, value: &str) -> String {
    decode(topic, value).err().map(explain).unwrap_or_default()
}

/// The sample of a topic with one part of it replaced.
fn with(topic: Topic, from: &str, to: &str) -> String {
    let text = sample(topic).replacen(from, to, 1);
    assert_ne!(text, sample(topic), "{from} is not in the sample");
    text
}

#[test]
fn the_samples_are_events() {
    let mut decoder = Decoder::new();
    let mut event = |topic| {
        let time = Some(RecordTime::from_ms(NOW_MS));
        let event = decoder.decode(topic, sample(topic).as_bytes(), time, 0, &limits());
        described(event.unwrap())
    };
    let order = event(Topic::Orders);
    for part in [
        "SellerId(\"A1B2C3\")",
        "MarketplaceId(\"M1\")",
        "Amazon(30212345677654321)",
        "event_time: EventTime(1772368495000)",
        "purchase_time: EventTime(1772179200123)",
        "channel: Mfn",
        "status: Open",
        "buy_shipping: None",
    ] {
        assert!(order.contains(part), "{part} in {order}");
    }
    // Without an event time the record's own serves.
    assert!(event(Topic::Feedback).contains("event_time: EventTime(1772368496000)"));
    assert!(event(Topic::Feedback).contains("Feedback { status: Posted, rating: 1 }"));
    assert!(event(Topic::Claims).contains("reference: Some(RefId(\"AZ1\"))"));
    assert!(event(Topic::Claims).contains("funded_by: Some(Amazon), odr_impact: Some(true)"));
    assert!(event(Topic::Chargebacks).contains("reference: None"));
    assert!(event(Topic::Chargebacks).contains("status: Lost, reason: Service, odr_impact: None"));
}

#[test]
fn every_reason_is_given_and_told_without_a_byte_of_the_record() {
    let orders = |from, to| (Topic::Orders, with(Topic::Orders, from, to));
    let feedback = |from, to| (Topic::Feedback, with(Topic::Feedback, from, to));
    let cases = [
        ((Topic::Orders, " ".repeat((1 << 20) + 1)), "too_large: the value has more than 1048576"),
        ((Topic::Orders, "\u{0}{}".to_owned()), "schema_framed: the first byte is 0x00"),
        ((Topic::Orders, String::new()), "parse: the value is empty"),
        (orders("\"MFN\"", "MFN"), "parse: not JSON at byte"),
        ((Topic::Orders, format!("{ORDER}x")), "parse: not JSON at byte"),
        ((Topic::Orders, "[".repeat(200)), "parse: nested deeper than 127 levels at byte 127"),
        (orders("\"order_status\"", "\"\\ud800\":1,\"order_status\""), "parse: an unpaired"),
        (feedback("never", "\\uDC00"), "parse: an unpaired surrogate in comment"),
        (orders("\"MFN\"", "\"MFN\",\"SellerId\":\"x\""), "duplicate_key: seller_id"),
        (orders("\"MFN\"", "\"MFN\",\"buy_shipping\":null,\"buy_shipping\":null"), "duplicate_key"),
        (orders("\"seller_id\"", "\"Seller_id\""), "missing_field: seller_id"),
        (orders("\"2026-02-27T08:00:00.123Z\"", "null"), "missing_field: purchase_date"),
        ((Topic::Orders, "{}".to_owned()), "missing_field: seller_id"),
        ((Topic::Orders, "[]".to_owned()), "bad_value: the value is not a JSON object"),
        ((Topic::Orders, "null".to_owned()), "bad_value: the value is not a JSON object"),
        ((Topic::Orders, "\"\\ud800\"".to_owned()), "bad_value: the value is not"),
        (orders("A1B2C3", ""), "bad_value: seller_id: expected an id of 1 to 64"),
        (orders("\"M1\"", "7"), "bad_value: marketplace_id: expected an id of at most"),
        (orders("Shipped", "shipped"), "bad_value: order_status: expected one of Pending,"),
        (orders("MFN", "mfn"), "bad_value: fulfillment_channel: expected one of MFN"),
        (feedback(":1,", ":0,"), "bad_value: rating: expected an integer from 1 to 5"),
        (orders("12:34:55Z", "12:34:60Z"), "bad_value: event_time: expected an RFC 3339"),
        (
            orders("2026-03-01T12:34:55Z", "1999-12-31T23:59:59.999Z"),
            "bad_time: event_time: before",
        ),
        (orders("12:34:55Z", "13:34:56.001Z"), "bad_time: event_time: more than 3600000 ms"),
        (orders("2026-02-27T08:00:00.123Z", "2026-03-02T12:34:55.001Z"), "purchase_in_future: "),
    ];
    for ((topic, value), start) in cases {
        let told = message(topic, &value);
        assert!(told.starts_with(start), "{value:.300}: {told}");
        assert!(!told.contains("A1B2C3"));
    }
}

#[test]
fn the_edges_of_time_are_inside() {
    for (from, to) in [
        ("2026-03-01T12:34:55Z", "2000-01-01T00:00:00Z"),
        ("12:34:55Z", "13:34:56.000Z"),
        ("2026-02-27T08:00:00.123Z", "2026-03-02T12:34:55.000Z"),
        ("2026-02-27T08:00:00.123Z", "0000-01-01t00:00:00+23:59"),
    ] {
        let told = message(Topic::Orders, &with(Topic::Orders, from, to));
        let is_late = to.starts_with("2000") && told.starts_with("purchase_in_future");
        assert!(told.is_empty() || is_late, "{to}: {told}");
    }
    // A defect's purchase date is not compared with anything.
    let late =
        with(Topic::Claims, "\"status\"", "\"purchase_date\":\"9999-01-01T00:00:00Z\",\"status\"");
    assert_eq!(message(Topic::Claims, &late), "");
    let none = decode_with(Topic::Orders, ORDER.as_bytes(), None, &limits());
    assert_eq!(none.unwrap_err().to_string(), "bad_time: the record has no timestamp");
    for extreme in [i64::MIN, i64::MAX, -1] {
        let mut decoder = Decoder::new();
        let time = Some(RecordTime::from_ms(extreme));
        let _ = decoder.decode(Topic::Orders, ORDER.as_bytes(), time, 0, &limits());
        let _ = decoder.decode(Topic::Claims, CLAIM.as_bytes(), time, 0, &limits());
    }
}

#[test]
fn an_earlier_reason_hides_a_later_one() {
    // From the back of the table to its front; each record has the faults of those before it.
    let steps: [(&str, &str, &str); 7] = [
        ("2026-02-27", "2026-04-27", "purchase_in_future"),
        ("2026-03-01T", "2026-03-02T", "bad_time"),
        ("A1B2C3", "A1B2C5", "misrouted"),
        ("MFN", "XXX", "bad_value"),
        ("\"M1\",\"order_id\"", "\"M1\",\"order\"", "missing_field"),
        ("\"M1\"", "\"M1\",\"MarketplaceId\":1", "duplicate_key"),
        ("Shipped", "\\udfff", "parse"),
    ];
    let two = Limits::with_partitions(2);
    assert_eq!(partition_of(Partitioner::Murmur2, "A1B2C3", 2), 0);
    assert_eq!(partition_of(Partitioner::Murmur2, "A1B2C5", 2), 1);
    let mut text = ORDER.to_owned();
    for (from, to, code) in steps {
        text = text.replacen(from, to, 1);
        let cause = decode_with(Topic::Orders, text.as_bytes(), Some(NOW_MS), &two).unwrap_err();
        assert_eq!(cause.reason().as_str(), code, "{text}");
    }
    // No timestamp is no reason before the others.
    let cause = decode_with(Topic::Orders, b"{}", None, &two).unwrap_err();
    assert_eq!(cause.reason(), DeadReason::MissingField);
}

#[test]
fn partitions_are_checked_by_either_partitioner_or_not_at_all() {
    for partitioner in Partitioner::ALL {
        let limits = Limits { partitioner, partitions: 7, ..limits() };
        for partition in 0..7 {
            let mut decoder = Decoder::new();
            let time = Some(RecordTime::from_ms(NOW_MS));
            let decoded = decoder.decode(Topic::Claims, CLAIM.as_bytes(), time, partition, &limits);
            let is_right = partitioner == Partitioner::Off
                || partition == partition_of(partitioner, "A1B2C3", 7);
            assert_eq!(decoded.is_ok(), is_right);
        }
    }
}

const BAD: &str = "bad_value";

/// (topic, what is replaced in its sample, by what, the code that it gives or "").
const TRAPS: &[(Topic, &str, &str, &str)] = &[
    (Topic::Feedback, ":1,", ":5,", ""),
    (Topic::Feedback, ":1,", ":1.0,", BAD),
    (Topic::Feedback, ":1,", ":1e0,", BAD),
    (Topic::Feedback, ":1,", ":-0,", BAD),
    (Topic::Feedback, ":1,", ":-1,", BAD),
    (Topic::Feedback, ":1,", ":01,", "parse"),
    (Topic::Feedback, ":1,", ":1e400,", BAD),
    (Topic::Feedback, ":1,", ":18446744073709551617,", BAD),
    (Topic::Feedback, ":1,", ":\"1\",", BAD),
    (Topic::Feedback, ":1,", ":\"\\ud800\",", "parse"),
    (Topic::Feedback, ":1,", ":[\"\\ud800\"],", BAD),
    (Topic::Feedback, ":1,", ":true,", BAD),
    (Topic::Feedback, "\"comment\":\"", "\"comment\":null,\"x\":\"", ""),
    (Topic::Feedback, "\"comment\":\"", "\"comment\":{},\"x\":\"", BAD),
    (Topic::Feedback, "never", "\\u0000 \\/ \u{7f} \u{fffe}", ""),
    (Topic::Feedback, "\"status\"", "\"response_time\":\"2026-03-01T00:00:00Z\",\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"response_time\":\"soon\",\"status\"", BAD),
    (Topic::Feedback, "\"status\"", "\"response_time\":5,\"status\"", BAD),
    (Topic::Feedback, "\"status\"", "\"odr_impact\":5,\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"OrderStatus\":5,\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"marketplace_id\":\"\",\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"marketplace_id\":\"\\t\",\"status\"", BAD),
    (Topic::Feedback, "\"status\"", "\"\\u0073tatus\"", ""),
    (Topic::Feedback, "posted", "p\\u006fsted", ""),
    (Topic::Feedback, "A1B2C3", "A\\u0031\\/", ""),
    (Topic::Feedback, "A1B2C3", "A\\u00e9", BAD),
    (Topic::Feedback, "A1B2C3", "A\\n", BAD),
    (Topic::Feedback, "A1B2C3", "A\\u0000", BAD),
    (Topic::Feedback, "\"status\"", "\"PurchaseDate\":null,\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"purchase_date\":7,\"status\"", BAD),
    (Topic::Feedback, "\"status\"", "\"x\":\"\\ud800\",\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"x\":{\"\\ud800\":1e400},\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"x\":{\"seller_id\":[]},\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"x\":{\"a\":1,\"a\":2},\"x\":0,\"status\"", ""),
    (Topic::Feedback, "\"status\"", "\"x\":\"\\ud8\",\"status\"", "parse"),
    (Topic::Feedback, "\"status\"", "\"x\":[1,],\"status\"", "parse"),
    (Topic::Claims, "\"AZ1\"", "null", ""),
    (Topic::Claims, "\"AZ1\"", "\"\"", BAD),
    (Topic::Claims, "\"AZ1\"", "5", BAD),
    (Topic::Claims, "true", "\"true\"", BAD),
    (Topic::Claims, "true", "1", BAD),
    (Topic::Claims, "true", "null", ""),
    (Topic::Claims, "amazon", "Amazon", BAD),
    (Topic::Claims, "\"granted\"", "null", "missing_field"),
    (Topic::Claims, "\"claim_id\"", "\"chargeback_id\":7,\"claim_id\"", ""),
    (Topic::Chargebacks, "null", "\"\"", BAD),
    (Topic::Chargebacks, "null", "\"~ \"", ""),
    (Topic::Chargebacks, "\"status\"", "\"reason\":\"\",\"status\"", BAD),
    (Topic::Chargebacks, "\"status\"", "\"reason\":null,\"status\"", ""),
    (Topic::Chargebacks, "\"status\"", "\"odr_impact\":false,\"status\"", ""),
    (Topic::Chargebacks, "lost", "granted", BAD),
    (Topic::Chargebacks, "\"seller_id\"", "\"SellerId\"", ""),
    (Topic::Chargebacks, "\"order_id\"", "\"AmazonOrderId\"", ""),
    (Topic::Orders, "\"MFN\"", "\"Amazon\"", ""),
    (Topic::Orders, "\"MFN\"", "\"Merchant\",\"shipped_on_time\":false", ""),
    (Topic::Orders, "Shipped", "Cancelled", ""),
    (Topic::Orders, "Shipped", "Cancel", BAD),
    (Topic::Orders, "\"M1\"", "null", ""),
    (Topic::Orders, "\"M1\"", "\"\"", ""),
    (Topic::Orders, "{", "\u{feff}{", "parse"),
    (Topic::Orders, "{", " \t\r\n{ ", ""),
    (Topic::Orders, "\"M1\"", "\"M1\"\u{a0}", "parse"),
];

#[test]
fn traps_of_values() {
    for (topic, from, to, code) in TRAPS {
        let told = message(*topic, &with(*topic, from, to));
        assert_eq!(told.split(':').next().unwrap(), *code, "{from} -> {to}: {told}");
    }
    assert_eq!(
        DeadReason::Parse,
        decode_with(Topic::Orders, b"{\"\xff\":1}", None, &limits()).unwrap_err().reason()
    );
}

#[test]
fn enum_values_mean_what_the_table_says() {
    for (value, status) in [
        ("Shipped", OrderStatus::Open),
        ("Pending", OrderStatus::Pending),
        ("PendingAvailability", OrderStatus::Pending),
        ("Unshipped", OrderStatus::Open),
        ("PartiallyShipped", OrderStatus::Open),
        ("InvoiceUnconfirmed", OrderStatus::Open),
        ("Unfulfillable", OrderStatus::Open),
        ("Canceled", OrderStatus::Canceled),
        ("Cancelled", OrderStatus::Canceled),
    ] {
        let event = decode(Topic::Orders, &ORDER.replace("Shipped", value)).unwrap();
        assert!(event.contains(&format!("status: {status:?}")), "{value}");
    }
    let names = "filed under_review granted denied withdrawn closed_refunded appealed reversed";
    let mut decoder = Decoder::new();
    let mut ranks = names.split(' ').map(|name| {
        let text = CLAIM.replace("granted", name);
        let time = Some(RecordTime::from_ms(NOW_MS));
        match decoder.decode(Topic::Claims, text.as_bytes(), time, 0, &limits()) {
            Ok(Event::Defect(event)) => match event.fact {
                DefectFact::Claim { status, .. } => status,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    });
    assert!(ranks.by_ref().is_sorted_by(|low, high| low < high));
}

#[test]
fn nesting_of_127_levels_is_accepted_and_of_128_is_not() {
    for (levels, code) in [(126, ""), (127, "parse")] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            // Inside the object, which is one level itself.
            let deep = format!("{}0{}", open.repeat(levels), close.repeat(levels));
            let text = with(Topic::Claims, "\"status\"", &format!("\"x\":{deep},\"status\""));
            let told = message(Topic::Claims, &text);
            assert_eq!(told.split(':').next().unwrap(), code, "{levels} of {open}");
        }
    }
}

#[test]
fn hostile_records_cost_linear_time_and_no_stack() {
    let million = 1_000_000;
    let hostile = [
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
        format!("{{\"x\":\"{}\"}}", "a".repeat(million)),
        format!("{{\"seller_id\":\"{}\"}}", "\\u0041".repeat(million / 6)),
        format!("{{\"comment\":\"{}\"}}", "\\ud83d\\ude00".repeat(million / 12)),
        format!("{{{}\"x\":0}}", "\"\\u0061\":1,".repeat(million / 12)),
        format!("{{\"x\":[{}1]}}", "[],".repeat(million / 3)),
        format!("{{\"x\":{}}}", "9".repeat(million)),
        format!("{{{}\"x\":0}}", "\"seller_id\":\"\\n\",".repeat(million / 20)),
        "\\".repeat(million),
        "\"".repeat(million),
        "\u{1}\u{0}".repeat(million / 2),
        " ".repeat(million),
    ];
    for text in hostile {
        for topic in Topic::ALL {
            // Quadratic time would take hours, and a recursion would overflow the stack.
            let mut decoder = Decoder::new();
            let decoded = decoder.decode(topic, text.as_bytes(), None, 0, &limits());
            assert!(decoded.is_err());
        }
    }
}

#[test]
fn a_comment_is_handed_out_as_it_was_meant_whatever_else_has_escapes() {
    assert_eq!(comment_of(FEEDBACK.as_bytes()), "never \"came\" \u{1F600}");
    let of = |value: &str| comment_of(value.as_bytes());
    assert_eq!(of(r#"{"comment":"plain","rating":1}"#), "plain");
    assert_eq!(of(r#"{"comm\u0065nt":"\u0041","status":"p\u006fsted","x":{"comment":"no"}}"#), "A");
    assert_eq!(of(r#"{"comment":null}"#), "");
    assert_eq!(of(r#"{"rating":1}"#), "");
    assert_eq!(comment_of(b"\xFF"), "");
}
