//! A file with everything that a topic should not hold: no panic, and each record accounted for.

use std::fmt::Write;
use std::fs;

use serde_json::{Value, json};

use crate::command::text;
use crate::market::{Files, Form, NAMES, START_MS, base64, kcat, lines, replayed};
use crate::oracle::{self, Record};

/// A value, and the reason for which it is a dead letter.
struct Bad {
    topic: usize,
    value: Option<Vec<u8>>,
    has_time: bool,
    reason: Option<&'static str>,
}

fn bad(topic: usize, value: impl Into<Vec<u8>>, reason: &'static str) -> Bad {
    Bad { topic, value: Some(value.into()), has_time: true, reason: Some(reason) }
}

fn good(topic: usize, value: impl Into<Vec<u8>>) -> Bad {
    Bad { topic, value: Some(value.into()), has_time: true, reason: None }
}

/// A valid order of a seller in partition 0 of 2, with members of its own.
fn order(members: &Value) -> String {
    let mut order = json!({
        "seller_id": SELLER, "order_id": "302-0000000-0000001",
        "purchase_date": "2026-01-05T00:00:00Z", "fulfillment_channel": "MFN",
        "order_status": "Shipped",
    });
    for (name, value) in members.as_object().unwrap() {
        order[name] = value.clone();
    }
    order.to_string()
}

fn feedback(members: &Value) -> String {
    let mut feedback = json!({"seller_id": SELLER, "order_id": "302-0000000-0000001",
                              "rating": 1, "status": "posted"});
    for (name, value) in members.as_object().unwrap() {
        feedback[name] = value.clone();
    }
    feedback.to_string()
}

/// Kafka's partitioner puts this one into partition 0 of 2, and `OTHER` into partition 1.
const SELLER: &str = "S0";
const OTHER: &str = "S1";

/// What is too long, too deep or no text.
fn shapes() -> Vec<Bad> {
    let mega = "x".repeat(1_000_000);
    let deep = |count: usize| {
        let value = format!("{}{}", "[".repeat(count), "]".repeat(count));
        feedback(&json!({})).replacen('{', &format!("{{\"x\":{value},"), 1)
    };
    vec![
        bad(0, order(&json!({"x": "y".repeat(1 << 20)})), "too_large"),
        bad(0, vec![b'['; (1 << 20) + 1], "too_large"),
        good(1, feedback(&json!({"comment": mega}))),
        bad(1, feedback(&json!({"status": mega})), "bad_value"),
        bad(1, feedback(&json!({mega.as_str(): 1, "rating": 9})), "bad_value"),
        bad(0, b"\0\0\0\0\x07order".to_vec(), "schema_framed"),
        bad(0, b"\0".to_vec(), "schema_framed"),
        bad(0, b"".to_vec(), "parse"),
        bad(0, b" \n\t\r ".to_vec(), "parse"),
        bad(0, b"\xff\xfe{}".to_vec(), "parse"),
        bad(0, b"{\"x\":\"\xed\xa0\x80\"}".to_vec(), "parse"),
        bad(0, b"\xef\xbb\xbf{}".to_vec(), "parse"),
        bad(0, "[".repeat(100_000), "parse"),
        bad(0, "{\"a\":".repeat(100_000), "parse"),
        good(1, deep(126)),
        bad(1, deep(127), "parse"),
        bad(1, deep(50_000), "parse"),
        bad(0, "{\"x\":\"\u{0}\"}", "parse"),
        bad(0, "{\"x\":\"\u{1b}[31m\"}", "parse"),
        bad(0, "{\"x\":1}\u{0}", "parse"),
        bad(0, "{\"x\":1} {}", "parse"),
        bad(0, "{\"x\":01}", "parse"),
        bad(0, "{\"\\ud800\":1}", "parse"),
        bad(0, "{\"seller_id\":\"\\udc00\"}", "parse"),
    ]
}

/// What is text, but no event.
fn contents() -> Vec<Bad> {
    let ids = ["\u{0}".to_owned(), "i".repeat(10_240), "\u{1b}[2J".to_owned(), "\u{e9}".to_owned()];
    let mut all: Vec<Bad> =
        ids.iter().map(|id| bad(0, order(&json!({"order_id": id})), "bad_value")).collect();
    all.extend(ids.iter().map(|id| bad(0, order(&json!({"seller_id": id})), "bad_value")));
    let twice = order(&json!({})).replacen('{', "{\"order_id\":\"x\",", 1);
    let two_spellings = order(&json!({})).replacen('{', "{\"AmazonOrderId\":\"x\",", 1);
    all.extend([
        bad(0, twice, "duplicate_key"),
        bad(0, two_spellings, "duplicate_key"),
        bad(0, "{}", "missing_field"),
        bad(0, order(&json!({"order_id": null})), "missing_field"),
        bad(0, "[]", "bad_value"),
        bad(0, "null", "bad_value"),
        bad(0, "1e999999", "bad_value"),
        bad(0, order(&json!({"purchase_date": "2026-02-30T00:00:00Z"})), "bad_value"),
        bad(1, feedback(&json!({"rating": 1.0})), "bad_value"),
        bad(1, feedback(&json!({"rating": u64::MAX})), "bad_value"),
        bad(0, order(&json!({"seller_id": OTHER})), "misrouted"),
        bad(1, feedback(&json!({"event_time": "1999-12-31T23:59:59.999Z"})), "bad_time"),
        bad(1, feedback(&json!({"event_time": "2026-02-05T00:00:00Z"})), "bad_time"),
        bad(0, order(&json!({"purchase_date": "2026-01-07T00:00:00Z"})), "purchase_in_future"),
        Bad { has_time: false, ..bad(1, feedback(&json!({})), "bad_time") },
        Bad { has_time: false, ..bad(2, "x", "parse") },
        Bad { topic: 3, value: None, has_time: false, reason: None },
        Bad { topic: 3, value: None, has_time: true, reason: None },
        good(0, order(&json!({"x": "\u{0}\u{7f}\u{202e}"}))),
    ]);
    all
}

fn records(all: Vec<Bad>) -> (Vec<Record>, Vec<(usize, i64, &'static str)>) {
    let (mut next, mut records, mut dead) = ([0; 4], Vec::new(), Vec::new());
    for Bad { topic, value, has_time, reason } in all {
        let offset = next[topic];
        next[topic] += 1;
        dead.extend(reason.map(|reason| (topic, offset, reason)));
        let timestamp_ms = has_time.then_some(START_MS + 3_600_000 + offset * 1_000);
        records.push(Record { topic, partition: 0, offset, timestamp_ms, value });
    }
    dead.sort_unstable();
    (records, dead)
}

#[test]
fn every_record_of_a_hostile_file_is_accounted_for() {
    let (records, dead) = records(shapes().into_iter().chain(contents()).collect());
    let mut expected_dead = String::new();
    for (topic, offset, reason) in &dead {
        let topic = NAMES[*topic];
        writeln!(
            expected_dead,
            "{{\"topic\":\"{topic}\",\"partition\":0,\"offset\":{offset},\"code\":\"{reason}\"}}"
        )
        .unwrap();
    }
    let config = oracle::Config { partitions: 2, ..oracle::Config::default() };
    let reference = Files::expected(&oracle::run(&config, &records));
    let directory = tempfile::tempdir().unwrap();
    let forms: [(&str, Form); 2] = [("kcat.jsonl", kcat), ("base64.jsonl", base64)];
    for (name, form) in forms {
        let path = directory.path().join(name);
        fs::write(&path, lines(&records, form)).unwrap();
        let (files, ran) = replayed(&["--partitions", "2", text(&path)]);
        assert_eq!(files.dead, expected_dead, "{name}");
        assert_eq!(files, reference, "{name}");
        let outcomes: Value = serde_json::from_str(&files.outcomes).unwrap();
        let by_topic = outcomes["outcomes"].as_object().unwrap().values();
        let counts = by_topic.flat_map(|counts| counts.as_object().unwrap().values());
        let sum: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(sum, u64::try_from(records.len()).unwrap());
        assert_eq!(outcomes["read"], sum);
        // Every reason is there, and nothing of the records drives the terminal.
        assert_eq!(outcomes["dead"].as_object().unwrap().len(), 9);
        let harmful = |text: &str| text.chars().any(|c| c.is_control() && c != '\n');
        assert!(!harmful(&ran.out) && !harmful(&ran.err));
    }
}
