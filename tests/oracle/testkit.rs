//! Owns how the tests write logs and read alerts: one event per line.
//!
//! Day 1 of a test is Monday 2026-01-05, the first day of a cycle.

use std::collections::BTreeMap;

use serde_json::Value;

use super::times::{DAY_MS, Day, date_text, instant_text, parse_date};
use super::{Config, Output, Record, run};

pub const ORDERS: usize = 0;
pub const FEEDBACK: usize = 1;
pub const CLAIMS: usize = 2;
pub const CHARGEBACKS: usize = 3;

pub fn first_day() -> Day {
    parse_date("2026-01-05").expect("a date")
}

/// Milliseconds at the start of a day and some seconds.
pub fn at(day: i64, seconds: i64) -> i64 {
    (first_day() + day - 1) * DAY_MS + seconds * 1_000
}

/// The date of a day of the tests.
pub fn date(day: i64) -> String {
    date_text(first_day() + day - 1)
}

/// A log of four topics; offsets count up by themselves.
#[derive(Default)]
pub struct Log {
    pub records: Vec<Record>,
    next: BTreeMap<(usize, u32), i64>,
}

impl Log {
    pub fn put(&mut self, topic: usize, partition: u32, time_ms: Option<i64>, value: Option<&str>) {
        let next = self.next.entry((topic, partition)).or_default();
        self.records.push(Record {
            topic,
            partition,
            offset: *next,
            timestamp_ms: time_ms,
            value: value.map(|value| value.as_bytes().to_vec()),
        });
        *next += 1;
    }

    /// A record in partition 0 whose record time and event time are the same.
    pub fn event(&mut self, topic: usize, time_ms: i64, fields: &str) {
        let time = instant_text(time_ms);
        let value = format!(r#"{{"event_time":"{time}","seller_id":"S",{fields}}}"#);
        self.put(topic, 0, Some(time_ms), Some(&value));
    }

    /// Shipped MFN orders `{prefix}{number}`, bought and recorded at this time.
    pub fn orders(&mut self, time_ms: i64, prefix: &str, numbers: std::ops::Range<u32>) {
        let purchase = instant_text(time_ms);
        for number in numbers {
            self.event(
                ORDERS,
                time_ms,
                &format!(
                    r#""order_id":"{prefix}{number}","purchase_date":"{purchase}",{}"#,
                    r#""fulfillment_channel":"MFN","order_status":"Shipped""#
                ),
            );
        }
    }

    pub fn feedback(&mut self, time_ms: i64, order_id: &str, rating: u8, status: &str) {
        let fields = format!(r#""order_id":"{order_id}","rating":{rating},"status":"{status}""#);
        self.event(FEEDBACK, time_ms, &fields);
    }

    pub fn claim(&mut self, time_ms: i64, order_id: &str, status: &str) {
        let fields = format!(r#""order_id":"{order_id}","claim_id":"C","status":"{status}""#);
        self.event(CLAIMS, time_ms, &fields);
    }

    pub fn chargeback(&mut self, time_ms: i64, order_id: &str, status: &str) {
        let fields = format!(r#""order_id":"{order_id}","status":"{status}""#);
        self.event(CHARGEBACKS, time_ms, &fields);
    }

    pub fn run(&self, config: &Config) -> Output {
        run(config, &self.records)
    }
}

/// An alert line as a value.
pub fn parsed(line: &str) -> Value {
    serde_json::from_str(line).expect("an alert is JSON")
}

/// `kind state boundary defective/orders` of each alert.
pub fn summary(output: &Output) -> Vec<String> {
    let mut lines = Vec::new();
    for line in &output.alerts {
        let alert = parsed(line);
        let text = |name: &str| alert[name].as_str().expect("a string").to_owned();
        lines.push(format!(
            "{} {} {} {}/{}",
            text("kind"),
            text("state"),
            text("boundary"),
            alert["defective_orders"],
            alert["orders"]
        ));
    }
    lines
}

/// `orders defective provisional_only feedback/claim/chargeback` of one line of the totals.
pub fn totals(output: &Output, scope: &str, view: &str) -> String {
    for line in &output.totals {
        let totals = parsed(line);
        if totals["scope"] == scope && totals["view"] == view {
            let kinds = &totals["by_kind"];
            return format!(
                "{} {} {} {}/{}/{}",
                totals["orders"],
                totals["defective_orders"],
                totals["provisional_only"],
                kinds["negative_feedback"],
                kinds["claim"],
                kinds["chargeback"]
            );
        }
    }
    "none".to_owned()
}
