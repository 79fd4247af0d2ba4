//! Section 2 as a table: a value, and the event or dead letter that it becomes.

use super::decode::{Dead, decode};
use super::events::{
    Channel, ChargebackStatus, ClaimStatus, Content, DefectFact, Event, FeedbackStatus, Group,
    Kind, OrderFact, Payer, Reason,
};
use super::testkit::{CHARGEBACKS, CLAIMS, FEEDBACK, ORDERS};
use super::times::parse_time;
use super::{Config, Record};

const NOW: &str = "2026-03-01T00:00:00Z";

fn ms(text: &str) -> i64 {
    parse_time(text).expect("a time")
}

fn decoded_at(topic: usize, value: &[u8], time_ms: Option<i64>) -> Result<Event, Dead> {
    let record = Record { topic, partition: 0, offset: 0, timestamp_ms: time_ms, value: None };
    decode(&Config::default(), &record, value, time_ms)
}

fn decoded(topic: usize, value: &str) -> Result<Event, Dead> {
    decoded_at(topic, value.as_bytes(), Some(ms(NOW)))
}

/// An order with all that is required, and more members.
fn order(more: &str) -> String {
    format!(
        r#"{{"seller_id":"S","order_id":"O","purchase_date":"2026-02-28T10:00:00Z",{}{more}}}"#,
        r#""fulfillment_channel":"MFN","order_status":"Shipped""#
    )
}

fn claim(more: &str) -> String {
    format!(r#"{{"seller_id":"S","order_id":"O","status":"filed"{more}}}"#)
}

#[test]
fn an_order_with_all_its_fields() {
    let value = concat!(
        r#"{"SellerId":"S\u0021","MarketplaceId":"M","AmazonOrderId":"111-2222222-3333333","#,
        r#""PurchaseDate":"2026-02-28T10:00:00.5+01:00","OrderStatus":"Cancelled","#,
        r#""FulfillmentChannel":"Amazon","buy_shipping":true,"shipped_on_time":false,"#,
        r#""event_time":"2026-02-28T12:00:00Z","status":{"x":[1,"\ud800"]},"rating":1e999}"#
    );
    let expected = Event {
        seller: "S!".to_owned(),
        order_id: "111-2222222-3333333".to_owned(),
        content: Content::Order(OrderFact {
            purchase_ms: ms("2026-02-28T09:00:00.500Z"),
            group: Group::Canceled,
            channel: Channel::Afn,
            marketplace: "M".to_owned(),
            buy_shipping: Some(true),
            shipped_on_time: Some(false),
        }),
    };
    assert_eq!(decoded(ORDERS, value), Ok(expected));
}

#[test]
fn defects_of_each_kind() {
    let event = |kind, reference: Option<&str>, purchase_ms, fact| {
        Ok(Event {
            seller: "S".to_owned(),
            order_id: "O".to_owned(),
            content: Content::Defect {
                kind,
                reference: reference.map(str::to_owned),
                purchase_ms,
                fact,
            },
        })
    };
    let event_ms = ms(NOW);
    let feedback = concat!(
        r#"{"seller_id":"S","order_id":"O","rating":5,"status":"struck_through","#,
        r#""comment":"","response_time":"2026-02-28T10:00:00Z","marketplace_id":"","#,
        r#""purchase_date":"2026-02-27T10:00:00Z"}"#
    );
    let fact = DefectFact::Feedback { event_ms, status: FeedbackStatus::StruckThrough, rating: 5 };
    let purchase_ms = Some(ms("2026-02-27T10:00:00Z"));
    assert_eq!(decoded(FEEDBACK, feedback), event(Kind::NegativeFeedback, None, purchase_ms, fact));
    let fact = DefectFact::Claim {
        event_ms,
        status: ClaimStatus::Filed,
        funded_by: Some(Payer::Amazon),
        odr_impact: Some(false),
    };
    let more = r#","claim_id":"C","funded_by":"amazon","odr_impact":false,"chargeback_id":7"#;
    assert_eq!(decoded(CLAIMS, &claim(more)), event(Kind::Claim, Some("C"), None, fact));
    let fact = DefectFact::Chargeback {
        event_ms,
        status: ChargebackStatus::Won,
        reason: Reason::Service,
        odr_impact: None,
    };
    let value = r#"{"seller_id":"S","order_id":"O","status":"won","reason":null}"#;
    assert_eq!(decoded(CHARGEBACKS, value), event(Kind::Chargeback, None, None, fact));
}

#[test]
fn orders_that_are_dead_letters() {
    for (value, expected) in [
        (String::new(), Some(Dead::Parse)),
        ("\u{0}{}".to_owned(), Some(Dead::SchemaFramed)),
        ("\u{feff}{}".to_owned(), Some(Dead::Parse)),
        ("[1]".to_owned(), Some(Dead::BadValue)),
        ("7".to_owned(), Some(Dead::BadValue)),
        ("{}".to_owned(), Some(Dead::MissingField)),
        (order(""), None),
        (order(r#","x":1,"x":2"#), None),
        (order(r#","x":"\ud800""#), None),
        (order(r#","\ud800":1"#), Some(Dead::Parse)),
        (order(r#","marketplace_id":"\ud800""#), Some(Dead::Parse)),
        (order(r#","buy_shipping":"\udc00\ud800""#), Some(Dead::Parse)),
        // `parse` comes before `duplicate_key`, which comes before the rest.
        (order(r#","order_id":"O","\ud800":1"#), Some(Dead::Parse)),
        (order(r#","order_id":"O""#), Some(Dead::DuplicateKey)),
        (order(r#","AmazonOrderId":null"#), Some(Dead::DuplicateKey)),
        (order(r#","\u006frder_id":7"#), Some(Dead::DuplicateKey)),
        (r#"{"buy_shipping":1,"buy_shipping":2}"#.to_owned(), Some(Dead::DuplicateKey)),
        (order(r#","buy_shipping":null"#), None),
        (order(r#","buy_shipping":"true""#), Some(Dead::BadValue)),
        (order(r#","shipped_on_time":0"#), Some(Dead::BadValue)),
        (order(r#","marketplace_id":null"#), None),
        (order(r#","marketplace_id":"""#), None),
        (order(r#","marketplace_id":5"#), Some(Dead::BadValue)),
        (order(r#","event_time":"yesterday""#), Some(Dead::BadValue)),
        (order("").replace(r#""S""#, "null"), Some(Dead::MissingField)),
        (order("").replace(r#""S""#, r#""""#), Some(Dead::BadValue)),
        (order("").replace(r#""S""#, r#""é""#), Some(Dead::BadValue)),
        (order("").replace(r#""O""#, r#""a\tb""#), Some(Dead::BadValue)),
        (order("").replace("Shipped", "shipped"), Some(Dead::BadValue)),
        (order("").replace("MFN", "mfn"), Some(Dead::BadValue)),
        // A field that is missing comes before a value that is bad.
        (r#"{"seller_id":7,"order_id":"O"}"#.to_owned(), Some(Dead::MissingField)),
        (order(r#","event_time":"1999-12-31T23:59:59.999Z""#), Some(Dead::BadTime)),
        // From an event time in 2000, this purchase is in the future.
        (order(r#","event_time":"2000-01-01T00:00:00Z""#), Some(Dead::PurchaseInFuture)),
        (order(r#","event_time":"2026-03-01T01:00:00Z""#), None),
        (order(r#","event_time":"2026-03-01T01:00:00.001Z""#), Some(Dead::BadTime)),
        (order("").replace("02-28T10:00:00Z", "03-02T00:00:00Z"), None),
        (order("").replace("02-28T10:00:00Z", "03-02T00:00:00.001Z"), Some(Dead::PurchaseInFuture)),
    ] {
        assert_eq!(decoded(ORDERS, &value).err(), expected, "{value}");
    }
}

#[test]
fn ratings_are_integers_from_1_to_5() {
    let feedback = |rating: &str| {
        format!(r#"{{"seller_id":"S","order_id":"O","rating":{rating},"status":"posted"}}"#)
    };
    for rating in ["1", "5"] {
        assert!(decoded(FEEDBACK, &feedback(rating)).is_ok());
    }
    for rating in
        ["0", "6", "-1", "-0", "1.0", "1e0", "\"1\"", "true", "[1]", "99999999999999999999"]
    {
        assert_eq!(decoded(FEEDBACK, &feedback(rating)), Err(Dead::BadValue), "{rating}");
    }
    assert_eq!(decoded(FEEDBACK, &feedback("null")), Err(Dead::MissingField));
    assert_eq!(decoded(FEEDBACK, &feedback("01")), Err(Dead::Parse));
}

#[test]
fn ids_have_1_to_64_characters() {
    let with_id = |id: &str| claim(&format!(r#","claim_id":"{id}""#));
    assert!(decoded(CLAIMS, &with_id(&"x".repeat(64))).is_ok());
    assert!(decoded(CLAIMS, &with_id(" ~")).is_ok());
    assert_eq!(decoded(CLAIMS, &with_id(&"x".repeat(65))), Err(Dead::BadValue));
    assert_eq!(decoded(CLAIMS, &with_id("")), Err(Dead::BadValue));
    assert_eq!(decoded(CLAIMS, &with_id("\u{7f}")), Err(Dead::BadValue));
    assert!(decoded(CLAIMS, &claim(r#","claim_id":null"#)).is_ok());
    assert_eq!(decoded(CLAIMS, &claim(r#","status":"filed""#)), Err(Dead::DuplicateKey));
    assert_eq!(decoded(CLAIMS, &claim(r#","funded_by":"buyer""#)), Err(Dead::BadValue));
    assert_eq!(decoded(CLAIMS, &claim(r#","marketplace_id":"ü""#)), Err(Dead::BadValue));
}

#[test]
fn sizes_encodings_and_depths() {
    let limit = 1_048_576;
    let padded = |size: usize| {
        let value = claim("");
        format!("{value}{}", " ".repeat(size - value.len()))
    };
    assert!(decoded(CLAIMS, &padded(limit)).is_ok());
    assert_eq!(decoded(CLAIMS, &padded(limit + 1)), Err(Dead::TooLarge));
    let mut framed = vec![0; limit + 1];
    assert_eq!(decoded_at(CLAIMS, &framed, None), Err(Dead::TooLarge));
    framed.truncate(5);
    assert_eq!(decoded_at(CLAIMS, &framed, None), Err(Dead::SchemaFramed));
    assert_eq!(decoded_at(CLAIMS, b"{\"a\":\"\xff\"}", None), Err(Dead::Parse));
    let nested =
        |depth: usize| claim(&format!(r#","x":{}{}"#, "[".repeat(depth), "]".repeat(depth)));
    assert!(decoded(CLAIMS, &nested(126)).is_ok());
    assert_eq!(decoded(CLAIMS, &nested(127)), Err(Dead::Parse));
}

#[test]
fn times_need_a_record_time() {
    let value = claim(r#","event_time":"2026-02-01T00:00:00Z""#);
    assert_eq!(decoded_at(CLAIMS, value.as_bytes(), None), Err(Dead::BadTime));
    assert_eq!(decoded_at(CLAIMS, claim("").as_bytes(), Some(0)), Err(Dead::BadTime));
    // A defect's purchase time may be anything.
    let value = claim(r#","purchase_date":"9999-01-01T00:00:00Z""#);
    assert!(decoded(CLAIMS, &value).is_ok());
}

#[test]
fn a_record_in_another_partition_is_misrouted() {
    // Kafka's own vector: murmur2("21") is 1_173_551_340 without its sign, 0 modulo 6.
    let value = claim("").replace(r#""S""#, r#""21""#);
    let record =
        |partition| Record { topic: CLAIMS, partition, offset: 0, timestamp_ms: None, value: None };
    let config = Config { partitions: 6, ..Config::default() };
    let home = u32::try_from(1_173_551_340_i64 % 6).expect("below 6");
    let decode_in =
        |partition| decode(&config, &record(partition), value.as_bytes(), Some(ms(NOW))).err();
    assert_eq!(decode_in(home), None);
    assert_eq!(decode_in((home + 1) % 6), Some(Dead::Misrouted));
    // It comes after bad values, and before bad times.
    let old = value.replace("21\"", "21\",\"event_time\":\"1990-01-01T00:00:00Z\"");
    let in_other = record((home + 1) % 6);
    let found = decode(&config, &in_other, old.as_bytes(), Some(ms(NOW)));
    assert_eq!(found.err(), Some(Dead::Misrouted));
}
