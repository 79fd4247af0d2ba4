//! Sections 3 to 6 in whole replays: merging, expiry, boundaries, cycles.

use super::testkit::*;
use super::times::{instant_text, parse_time};
use super::{Config, Decision, Partitioner, Policy};

fn until(time_ms: i64) -> Config {
    Config { until_ms: Some(time_ms), ..Config::default() }
}

fn order_event(order_id: &str, purchase: &str, status: &str, more: &str) -> String {
    let stated = format!(r#""purchase_date":"{purchase}","order_status":"{status}""#);
    format!(r#""order_id":"{order_id}",{stated},"fulfillment_channel":"AFN"{more}"#)
}

#[test]
fn a_pending_order_counts_when_it_leaves_that_group() {
    let mut log = Log::default();
    let purchase = instant_text(at(1, 0));
    log.event(ORDERS, at(1, 0), &order_event("O", &purchase, "Pending", ""));
    log.claim(at(1, 5), "O", "granted");
    assert_eq!(log.run(&Config::default()).totals.len(), 0);
    log.event(ORDERS, at(1, 10), &order_event("O", &purchase, "Unshipped", ""));
    log.event(ORDERS, at(1, 15), &order_event("O", &purchase, "Pending", ""));
    let output = log.run(&Config::default());
    assert_eq!(totals(&output, "all", "live"), "1 1 0 0/1/0");
    assert!(output.outcomes.contains(r#""orders":{"applied":2,"duplicate":1}"#));
    let alert = parsed(&output.alerts[0]);
    assert_eq!(alert["change"]["orders_added"], 1);
    assert_eq!(alert["defects"][0]["new"], true);
}

#[test]
fn canceled_orders_count_if_the_policy_says_so() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..3);
    let purchase = instant_text(at(1, 0));
    log.event(ORDERS, at(1, 0), &order_event("X", &purchase, "Canceled", ""));
    log.claim(at(1, 0), "X", "granted");
    assert_eq!(totals(&log.run(&Config::default()), "all", "live"), "4 1 0 0/1/0");
    let policy = Policy { count_canceled_orders: false, ..Policy::default() };
    let output = log.run(&Config { policy, ..Config::default() });
    assert_eq!(totals(&output, "all", "live"), "3 0 0 0/0/0");
}

#[test]
fn a_stated_marketplace_moves_the_order_between_accounts() {
    let mut log = Log::default();
    let purchase = instant_text(at(1, 0));
    log.event(ORDERS, at(1, 0), &order_event("O", &purchase, "Shipped", ""));
    log.claim(at(1, 0), "O", "granted");
    let moved = order_event("O", &purchase, "Shipped", r#","marketplace_id":"M""#);
    log.event(ORDERS, at(1, 5), &moved);
    let output = log.run(&Config::default());
    let alerts: Vec<_> = output.alerts.iter().map(|line| parsed(line)).collect();
    let told = |index: usize| {
        let alert: &serde_json::Value = &alerts[index];
        let names = ["state", "marketplace_id"].map(|name| alert[name].as_str().expect("text"));
        let change = &alert["change"];
        let numbers = ["orders_added", "defective_added", "defective_reversed"];
        (names, numbers.map(|name| change[name].as_i64().expect("a number")))
    };
    assert_eq!(told(0), (["raised", ""], [1, 1, 0]));
    assert_eq!(told(1), (["cleared", ""], [-1, 0, 1]));
    assert_eq!(told(2), (["raised", "M"], [1, 1, 0]));
    assert_eq!(alerts[2]["before"]["orders"], 0);
    assert_eq!(alerts.len(), 3);
}

#[test]
fn old_days_expire_and_are_forgotten_with_their_defects() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..1);
    log.claim(at(1, 0), "O0", "granted");
    // As of day 75 the horizon is day 1, as of day 76 it is day 2.
    let purchase = instant_text(at(1, 0));
    log.event(ORDERS, at(75, 0), &order_event("P", &purchase, "Shipped", ""));
    log.event(ORDERS, at(75, 100), &order_event("Q", &purchase, "Shipped", ""));
    log.event(ORDERS, at(76, 0), &order_event("R", &purchase, "Shipped", ""));
    let more = format!(r#""order_id":"O0","status":"filed","purchase_date":"{purchase}""#);
    log.event(CLAIMS, at(76, 0), &more);
    let output = log.run(&Config::default());
    assert_eq!(output.totals.len(), 0);
    let expected = concat!(
        r#"{"read":6,"outcomes":{"orders":{"applied":3,"expired":1},"feedback":{},"#,
        r#""claims":{"applied":1,"expired":1},"chargebacks":{}},"dead":{}}"#
    );
    assert_eq!(output.outcomes, expected);
    // At the boundary that ends with day 75 all are still there.
    let output = log.run(&until(at(76, 0)));
    assert_eq!(totals(&output, "all", "official"), "3 1 0 0/1/0");
    // A late claim on a forgotten order is an orphan, and the same one is not a duplicate.
    log.claim(at(76, 10), "O0", "granted");
    assert!(log.run(&Config::default()).outcomes.contains(r#""applied":2,"expired":1"#));
}

#[test]
fn later_records_are_pending_until_their_boundary_closes() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..2);
    log.put(CLAIMS, 0, Some(at(1, 12)), Some("dead"));
    log.put(CLAIMS, 0, Some(at(1, 3)), None);
    // The boundary that ends at 15 s closes with `until` at 15 s.
    let output = log.run(&until(at(1, 15) - 1));
    let expected = concat!(
        r#"{"read":4,"outcomes":{"orders":{"applied":2},"feedback":{},"#,
        r#""claims":{"pending":2},"chargebacks":{}},"dead":{}}"#
    );
    assert_eq!(output.outcomes, expected);
    assert_eq!(output.dead, [""; 0]);
    let output = log.run(&until(at(1, 15)));
    assert!(output.outcomes.contains(r#""claims":{"tombstone":1,"dead":1}"#));
    assert!(output.outcomes.ends_with(r#""dead":{"parse":1}}"#));
}

#[test]
fn time_passes_to_the_last_boundary_of_any_shard() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..1);
    log.put(FEEDBACK, 1, Some(at(3, 7)), None);
    let config = Config { partitioner: Partitioner::Off, partitions: 2, ..Config::default() };
    let output = log.run(&config);
    assert_eq!(parsed(&output.totals[0])["as_of"], date(3));
    let mut alone = log;
    alone.records.truncate(1);
    assert_eq!(parsed(&alone.run(&config).totals[0])["as_of"], date(1));
    let positions = vec![(ORDERS, 0, 1)];
    let decisions = vec![Decision::Close { boundary: at(2, 5) / 5_000, positions }];
    let closed = alone.run(&Config { decisions, ..config });
    assert_eq!(parsed(&closed.totals[0])["as_of"], date(2));
}

#[test]
fn restriction_risk_follows_two_bad_cycles() {
    let mut log = Log::default();
    log.orders(at(3, 0), "O", 0..20);
    log.claim(at(3, 0), "O0", "granted");
    log.claim(at(3, 10), "O1", "granted");
    log.claim(at(24, 0), "O1", "reversed");
    let output = log.run(&until(at(30, 0)));
    let raised = instant_text(at(3, 5));
    assert_eq!(
        summary(&output),
        [
            format!("warning raised {raised} 1/20"),
            format!("critical raised {} 2/20", instant_text(at(3, 15))),
            // Day 8 and day 15 are Mondays, on which a cycle has ended.
            format!("restriction_risk raised {} 2/20", instant_text(at(15, 0))),
            format!("restriction_risk ongoing {} 2/20", instant_text(at(22, 0))),
            format!("critical cleared {} 1/20", instant_text(at(24, 5))),
            format!("restriction_risk cleared {} 1/20", instant_text(at(29, 0))),
        ]
    );
    let cycle = |index: usize| parsed(&output.alerts[index])["cycle"].to_string();
    assert_eq!(cycle(2), r#"{"from":"2026-01-12","streak":2,"to":"2026-01-18"}"#);
    assert_eq!(cycle(3), r#"{"from":"2026-01-19","streak":3,"to":"2026-01-25"}"#);
    assert_eq!(cycle(5), r#"{"from":"2026-01-26","streak":0,"to":"2026-02-01"}"#);
    // The 20 orders of day 3 leave on day 63.
    assert_eq!(parsed(&output.alerts[2])["recovers_on"], date(63));
    assert!(parsed(&output.alerts[5])["recovers_on"].is_null());
    assert_eq!(parsed(&output.alerts[2])["as_of"], date(14));
}

#[test]
fn the_days_of_the_policy_are_those_of_its_zone() {
    let mut log = Log::default();
    // 2026-01-05T22:30 UTC is half past seven of the next day in Tokyo.
    log.orders(at(1, 81_000), "O", 0..1);
    let policy = Policy { time_zone: "Asia/Tokyo".to_owned(), ..Policy::default() };
    let output = log.run(&Config { policy, ..Config::default() });
    assert_eq!(parsed(&output.totals[0])["as_of"], date(2));
}

#[test]
fn an_order_of_tomorrow_enters_tomorrow() {
    let mut log = Log::default();
    let purchase = instant_text(at(2, 60));
    log.event(ORDERS, at(1, 80_000), &order_event("O", &purchase, "Shipped", ""));
    log.claim(at(1, 80_000), "O", "filed");
    assert_eq!(log.run(&Config::default()).totals.len(), 0);
    let output = log.run(&until(at(2, 5)));
    assert_eq!(summary(&output), [format!("warning raised {} 1/1", instant_text(at(2, 5)))]);
    let alert = parsed(&output.alerts[0]);
    assert_eq!(alert["change"]["orders_added"], 1);
    assert_eq!(alert["change"]["defective_added"], 1);
    assert_eq!(alert["before"]["orders"], 0);
    assert_eq!(alert["defects"][0]["new"], true);
    assert_eq!(alert["provisional_only"], 1);
}

#[test]
fn at_most_ten_defects_are_listed_new_ones_first() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..30);
    for order in 0..8 {
        log.feedback(at(1, 10 + order), &format!("O{order}"), 1, "posted");
    }
    let policy = Policy { warning_bp: 3_300, critical_bp: 3_300, ..Policy::default() };
    // In one boundary: two defects of one event time on one order, and one of an older time.
    log.claim(at(1, 31), "O9", "granted");
    log.chargeback(at(1, 31), "O9", "lost");
    log.feedback(at(1, 31), "O20", 1, "posted");
    let output = log.run(&Config { policy, ..Config::default() });
    assert_eq!(summary(&output).len(), 2, "10 of 30 are above 33 %");
    let alert = parsed(&output.alerts[0]);
    let listed = alert["defects"].as_array().expect("a list");
    let shown: Vec<String> = listed
        .iter()
        .map(|d| format!("{} {} {}", d["order_id"], d["kind"], d["new"]).replace('"', ""))
        .collect();
    assert_eq!(shown[0], "O20 negative_feedback true");
    assert_eq!(shown[1], "O9 chargeback true");
    assert_eq!(shown[2], "O9 claim true");
    assert_eq!(shown[3], "O7 negative_feedback false");
    assert_eq!(shown[9], "O1 negative_feedback false");
    assert_eq!(shown.len(), 10);
}

#[test]
fn scopes_and_views_of_the_policy_come_in_their_order() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..4);
    log.claim(at(1, 0), "O0", "granted");
    log.claim(at(1, 0), "O1", "granted");
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let policy = Policy {
        scopes: names(&["afn", "mfn", "all"]),
        views: names(&["official", "live"]),
        ..Policy::default()
    };
    let output = log.run(&Config { policy, ..until(at(16, 5)) });
    let shown: Vec<String> = output
        .alerts
        .iter()
        .map(|line| {
            let alert = parsed(line);
            format!("{} {} {} {}", alert["seq"], alert["scope"], alert["view"], alert["kind"])
                .replace('"', "")
        })
        .collect();
    let expected = [
        "1 all live warning",
        "2 all live critical",
        "3 mfn live warning",
        "4 mfn live critical",
        // The close of the second cycle, then the day on which day 1 enters the official view.
        "5 all live restriction_risk",
        "6 mfn live restriction_risk",
        "7 all official warning",
        "8 all official critical",
        "9 mfn official warning",
        "10 mfn official critical",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn visiting_every_boundary_changes_nothing() {
    // A tombstone in each boundary of 100 days, in a zone whose clocks change on 2026-03-29.
    let policy = Policy { time_zone: "Europe/Berlin".to_owned(), ..Policy::default() };
    let config = Config { policy, boundary_ms: 900_000, ..until(at(110, 0)) };
    let mut log = Log::default();
    for (day, prefix) in [(1, "A"), (4, "B"), (25, "C"), (26, "D"), (50, "E")] {
        log.orders(at(day, 82_000), prefix, 0..6);
        log.claim(at(day + 1, 50), &format!("{prefix}1"), "granted");
        log.claim(at(day + 2, 50), &format!("{prefix}2"), "filed");
    }
    log.claim(at(30, 0), "B1", "reversed");
    log.chargeback(at(30, 0), "unknown", "opened");
    let expected = log.run(&config);
    for quarter in 0..110 * 96 {
        log.put(FEEDBACK, 0, Some(at(1, quarter * 900)), None);
    }
    let output = log.run(&config);
    assert_eq!(output.alerts, expected.alerts);
    assert_eq!(output.totals, expected.totals);
    assert!(output.alerts.len() > 10, "{}", output.alerts.len());
}

#[test]
fn a_midnight_that_comes_twice_ends_one_day_and_one_cycle() {
    // At 00:01 of 2006-10-29, which was 02:31 UTC, St. John's went back to 23:01.
    let policy =
        Policy { time_zone: "America/St_Johns".to_owned(), cycle_days: 1, ..Policy::default() };
    let bought = parse_time("2006-10-28T12:00:00Z").expect("a time");
    let mut log = Log::default();
    log.orders(bought, "O", 0..3);
    log.claim(bought, "O0", "granted");
    log.claim(bought, "O1", "granted");
    // Of the 29th: it enters with that day.
    let of_tomorrow = order_event("P", "2006-10-29T12:00:00Z", "Shipped", "");
    log.event(ORDERS, bought + 1, &of_tomorrow);
    for (boundary_ms, entered) in [(5_000, "02:30:05"), (900_000, "03:45:00")] {
        let config = |time: &str| Config {
            policy: policy.clone(),
            boundary_ms,
            ..until(parse_time(time).expect("a time"))
        };
        let output = log.run(&config("2006-10-30T03:30:00Z"));
        let last = summary(&output).pop();
        assert_eq!(
            last.expect("an alert"),
            "restriction_risk raised 2006-10-30T03:30:00.000Z 2/4",
            "the second close is at the next midnight"
        );
        assert_eq!(output.alerts.len(), 3);
        let at_entry = log.run(&config(&format!("2006-10-29T{entered}Z")));
        assert_eq!(totals(&at_entry, "all", "live"), "4 2 0 0/2/0");
        let before = parse_time(&format!("2006-10-29T{entered}Z")).expect("a time") - 1;
        let before_entry = log.run(&config(&instant_text(before)));
        assert_eq!(totals(&before_entry, "all", "live"), "3 2 0 0/2/0");
    }
}
