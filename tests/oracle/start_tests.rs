//! The first start of alerts, and that no interleaving or repetition changes what a replay says.

use super::testkit::*;
use super::times::instant_text;
use super::{AlertsFrom, Config, Decision, Record, run};

/// Two orders of three defective from day 1, one of them until day 20.
fn log() -> Log {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..3);
    log.claim(at(1, 0), "O0", "granted");
    log.feedback(at(1, 0), "O1", 2, "posted");
    log.feedback(at(20, 0), "O1", 2, "withdrawn");
    log
}

fn from_time(time_ms: i64) -> Config {
    Config { alerts_from: AlertsFrom::TimeMs(time_ms), ..Config::default() }
}

#[test]
fn levels_that_are_up_at_the_start_are_raised_as_initial() {
    // Nothing else happens at that boundary; 1 ms after 100 s it is the one of 105 s.
    let output = log().run(&from_time(at(17, 100) - 4_999));
    let start = instant_text(at(17, 100));
    assert_eq!(
        summary(&output),
        [
            format!("warning raised {start} 2/3"),
            format!("critical raised {start} 2/3"),
            format!("restriction_risk raised {start} 2/3"),
            format!("critical cleared {} 1/3", instant_text(at(20, 5))),
        ]
    );
    let initial: Vec<bool> =
        output.alerts.iter().map(|line| parsed(line)["initial"] == true).collect();
    assert_eq!(initial, [true, true, true, false]);
    let first = parsed(&output.alerts[0]);
    assert_eq!(first["seq"], 1);
    assert_eq!(first["before"]["orders"], 3);
    assert_eq!(first["change"]["orders_added"], 0);
    let cycle = parsed(&output.alerts[2])["cycle"].to_string();
    assert_eq!(cycle, r#"{"from":"2026-01-12","streak":2,"to":"2026-01-18"}"#);
}

#[test]
fn the_initial_alerts_take_the_place_of_the_boundary_s_own() {
    // At the close of the second cycle, and at the boundary that clears `critical`.
    let at_close = log().run(&from_time(at(15, 0)));
    assert_eq!(at_close.alerts.len(), 4);
    assert_eq!(parsed(&at_close.alerts[2])["initial"], true);
    let at_clear = log().run(&from_time(at(20, 1)));
    let start = instant_text(at(20, 5));
    let expected =
        [format!("warning raised {start} 1/3"), format!("restriction_risk raised {start} 1/3")];
    assert_eq!(summary(&at_clear), expected);
    assert_eq!(parsed(&at_clear.alerts[1])["recovers_on"], date(21));
}

#[test]
fn a_start_before_or_after_all_records() {
    let earliest = log().run(&Config::default());
    assert_eq!(log().run(&from_time(0)).alerts, earliest.alerts);
    assert_eq!(log().run(&from_time(at(20, 6))).alerts.len(), 0);
    // Dead letters and totals are written in any case.
    assert_eq!(log().run(&from_time(at(20, 6))).totals, earliest.totals);
}

#[test]
fn a_recorded_start_holds_for_its_shard() {
    let boundary = at(17, 100) / 5_000;
    let decisions = vec![Decision::AlertsFrom { shard: 0, boundary }];
    let output = log().run(&Config { decisions, ..Config::default() });
    assert_eq!(output.alerts, log().run(&from_time(at(17, 100))).alerts);
    let decisions = vec![Decision::AlertsFrom { shard: 1, boundary }];
    let output = log().run(&Config { decisions, ..Config::default() });
    assert_eq!(output.alerts, log().run(&Config::default()).alerts);
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 % limit).expect("a small limit")
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let limit = u64::try_from(choices.len()).expect("a short list");
        choices[usize::try_from(self.below(limit)).expect("an index")]
    }
}

/// Some thousand records over 100 days.
fn random_log(seed: u64, count: i64) -> Log {
    let mut random = Random(seed);
    let mut log = Log::default();
    for number in 0..count {
        let time = at(1, 0) + number * 100 * 86_400_000 / count + random.below(40_000_000);
        let order = random.below(u64::try_from(count).expect("positive") / 2);
        let statuses = ["Pending", "Shipped", "Shipped", "Shipped", "Canceled"];
        let purchase = instant_text(time - random.below(20 * 86_400_000));
        let event_time = instant_text(time - random.below(3_600_000));
        let seller = order % 7;
        let head = format!(
            r#"{{"seller_id":"S{seller}","event_time":"{event_time}","order_id":"O{order}""#
        );
        let (topic, value) = match random.below(12) {
            0 => {
                let status = random.of(&["posted", "withdrawn", "removed"]);
                let rating = random.below(5) + 1;
                (FEEDBACK, format!(r#"{head},"status":"{status}","rating":{rating}}}"#))
            }
            1 => {
                let status = random.of(&["filed", "granted", "denied", "reversed"]);
                (CLAIMS, format!(r#"{head},"status":"{status}"}}"#))
            }
            2 => {
                let status = random.of(&["opened", "lost", "won"]);
                (CHARGEBACKS, format!(r#"{head},"status":"{status}"}}"#))
            }
            3 => (CLAIMS, "{".to_owned()),
            _ => {
                let status = random.of(&statuses);
                let channel = random.of(&["MFN", "AFN"]);
                let value = format!(
                    r#"{head},"purchase_date":"{purchase}","order_status":"{status}",{}}}"#,
                    format_args!(r#""fulfillment_channel":"{channel}""#)
                );
                (ORDERS, value)
            }
        };
        log.put(topic, 0, Some(time), Some(&value));
    }
    log
}

#[test]
fn no_interleaving_changes_a_byte_and_sums_hold() {
    let log = random_log(20_260_105, 4_000);
    let expected = log.run(&Config::default());
    assert!(expected.alerts.len() > 50);
    let mut by_topic: Vec<Record> = log.records.clone();
    by_topic.sort_by_key(|record| record.topic);
    let output = run(&Config::default(), &by_topic);
    assert_eq!(output.alerts, expected.alerts);
    assert_eq!(output.totals, expected.totals);
    assert_eq!(output.dead, expected.dead);
    assert_eq!(output.outcomes, expected.outcomes);
    for (seq, line) in (1..).zip(&expected.alerts) {
        let alert = parsed(line);
        let number = |path: &[&str]| {
            path.iter().fold(&alert, |value, name| &value[*name]).as_i64().expect("a number")
        };
        assert_eq!(number(&["seq"]), seq);
        for (now, added, gone) in [
            ("orders", &["orders_added"][..], &["orders_expired"][..]),
            (
                "defective_orders",
                &["defective_added"][..],
                &["defective_reversed", "defective_expired"][..],
            ),
        ] {
            let change = |names: &[&str]| -> i64 {
                names.iter().map(|name| number(&["change", name])).sum()
            };
            let before = number(&["before", now]);
            assert_eq!(before + change(added) - change(gone), number(&[now]), "{line}");
            assert_eq!(number(&["mfn", now]) + number(&["afn", now]), number(&[now]), "{line}");
        }
    }
}

#[test]
fn a_replay_of_a_prefix_says_what_was_known_then() {
    let log = random_log(7, 600);
    let whole = log.run(&Config::default());
    for day in [20, 50, 77] {
        let config = Config { until_ms: Some(at(day, 3)), ..Config::default() };
        let part = log.run(&config);
        assert_eq!(part.alerts, whole.alerts[..part.alerts.len()], "day {day}");
        let next = whole.alerts.get(part.alerts.len()).map(|line| parsed(line));
        let boundary = next.expect("more alerts")["boundary"].as_str().expect("text").to_owned();
        assert!(boundary > instant_text(at(day, 3)));
    }
}
