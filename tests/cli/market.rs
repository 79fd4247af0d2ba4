//! Records as lines of files, in the forms of both tools and in ours; and a market made by hand.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::command::{Ran, done, text};
use crate::oracle::{Output, Record};

/// 2026-01-05T00:00:00Z, a Monday.
pub const START_MS: i64 = 1_767_571_200_000;

/// How a record is written.
pub type Form = fn(&Record) -> Vec<u8>;

/// The topics, as they are called by default.
pub const NAMES: [&str; 4] = ["orders", "feedback", "claims", "chargebacks"];

/// A string of JSON as kcat writes it: bytes that are no UTF-8 go in as they are.
fn raw_string(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', *byte]),
            0..0x20 => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
    out
}

/// The line that `kcat -J` writes.
pub fn kcat(record: &Record) -> Vec<u8> {
    let Record { topic, partition, offset, timestamp_ms, value } = record;
    let (kind, ts) = timestamp_ms.map_or(("unknown", -1), |ms| ("create", ms));
    let head = format!(
        "{{\"topic\":\"{}\",\"partition\":{partition},\"offset\":{offset},\"tstype\":\"{kind}\",\
         \"ts\":{ts},\"broker\":1,\"key\":\"S\",\"payload\":",
        NAMES[*topic]
    );
    let payload = value.as_deref().map_or(b"null".to_vec(), raw_string);
    [head.as_bytes(), &payload, b"}\n"].concat()
}

/// What `rpk topic consume -f json` writes for a value that is text: an object over lines.
pub fn rpk(record: &Record) -> Vec<u8> {
    let value = record.value.as_deref().map(|value| std::str::from_utf8(value).unwrap());
    let mut line = json!({
        "topic": NAMES[record.topic],
        "key": "S",
        "partition": record.partition,
        "offset": record.offset,
    });
    if let Some(value) = value {
        line["value"] = json!(value);
    }
    if let Some(ms) = record.timestamp_ms {
        line["timestamp"] = json!(ms);
    }
    serde_json::to_string_pretty(&line).unwrap().into_bytes().into_iter().chain([b'\n']).collect()
}

/// Our own form, for any bytes.
pub fn base64(record: &Record) -> Vec<u8> {
    let mut line = json!({
        "topic": NAMES[record.topic],
        "partition": record.partition,
        "offset": record.offset,
        "ts": record.timestamp_ms,
    });
    if let Some(value) = &record.value {
        line["payload_base64"] = json!(STANDARD.encode(value));
    }
    format!("{line}\n").into_bytes()
}

/// Lines of records, as a file has them.
pub fn lines(records: &[Record], form: Form) -> Vec<u8> {
    records.iter().flat_map(form).collect()
}

/// The files of a replay that the reference computes, too.
#[derive(Debug, PartialEq, Eq)]
pub struct Files {
    pub alerts: String,
    pub totals: String,
    pub dead: String,
    pub outcomes: String,
}

impl Files {
    /// Reads those of a directory, which holds nothing else.
    pub fn of(directory: &Path) -> Self {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["advice.jsonl", "alerts.jsonl", "dead.jsonl", "outcomes.json", "totals.jsonl"]
        );
        let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
        for line in read("advice.jsonl").lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["key"].is_string() && line.get("value").is_some(), "{line}");
        }
        Self {
            alerts: read("alerts.jsonl"),
            totals: read("totals.jsonl"),
            dead: read("dead.jsonl"),
            outcomes: read("outcomes.json"),
        }
    }

    /// Those that the reference gives.
    pub fn expected(output: &Output) -> Self {
        let lines = |lines: &[String]| lines.iter().flat_map(|line| [line, "\n"]).collect();
        Self {
            alerts: lines(&output.alerts),
            totals: lines(&output.totals),
            dead: lines(&output.dead),
            outcomes: format!("{}\n", output.outcomes.trim_end()),
        }
    }
}

/// Replays with `--out` into a new directory; further arguments name the inputs.
pub fn replayed(args: &[&str]) -> (Files, Ran) {
    let out = tempfile::tempdir().unwrap();
    // A directory that is not there yet.
    let out = out.path().join("deep/er");
    let ran = done(&[&["replay", "--out", text(&out)], args].concat());
    (Files::of(&out), ran)
}

/// One seller with ten orders. The feedback warns, the claim makes it critical, and the removal
/// of the feedback clears that; a tombstone and a record without fields come between.
pub fn market() -> Vec<Record> {
    let mut records = Vec::new();
    let mut add = |topic: usize, offset: i64, seconds: i64, value: Option<Value>| {
        records.push(Record {
            topic,
            partition: 0,
            offset,
            timestamp_ms: Some(START_MS + seconds * 1_000),
            value: value.map(|value| value.to_string().into_bytes()),
        });
    };
    for second in 0..10 {
        let order = json!({
            "seller_id": "S1",
            "order_id": format!("302-0000000-000000{second}"),
            "purchase_date": format!("2026-01-05T00:00:0{second}Z"),
            "fulfillment_channel": "MFN",
            "order_status": "Shipped",
        });
        add(0, second, second, Some(order));
    }
    let feedback = |status: &str| {
        let order = "302-0000000-0000001";
        json!({"seller_id": "S1", "order_id": order, "rating": 1, "status": status})
    };
    let claim = json!({"seller_id": "S1", "order_id": "302-0000000-0000002", "claim_id": "C",
                       "status": "filed"});
    add(1, 0, 20, Some(feedback("posted")));
    add(2, 0, 40, Some(claim));
    add(3, 0, 41, None);
    add(3, 1, 42, Some(json!({"x": "\u{e9}\n"})));
    add(1, 1, 60, Some(feedback("removed")));
    records
}
