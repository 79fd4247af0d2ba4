//! The test vectors of section 9 of the semantics, and alerts checked field by field.

use super::testkit::*;
use super::times::instant_text;
use super::{Config, Decision, run};

fn until(time_ms: i64) -> Config {
    Config { until_ms: Some(time_ms), ..Config::default() }
}

#[test]
fn vector_1_one_percent_is_not_above_one_percent() {
    let mut log = Log::default();
    log.orders(at(1, 10), "O", 0..200);
    log.feedback(at(1, 20), "O3", 1, "posted");
    log.feedback(at(1, 30), "O4", 1, "posted");
    assert_eq!(summary(&log.run(&Config::default())), [""; 0]);
    log.feedback(at(1, 40), "O5", 1, "posted");
    let output = log.run(&Config::default());
    // 40 s lies in the boundary that ends at 45 s.
    assert_eq!(summary(&output), ["warning raised 2026-01-05T00:00:45.000Z 3/200"]);
    let alert = parsed(&output.alerts[0]);
    assert_eq!(alert["headroom"]["orders_needed"], 100);
    assert_eq!(alert["headroom"]["defects_left"], 0);
    assert_eq!(totals(&output, "all", "live"), "200 3 0 3/0/0");
    assert_eq!(totals(&output, "all", "official"), "none");
}

#[test]
fn vector_2_an_order_is_defective_once_and_until_its_last_defect_goes() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..10);
    log.feedback(at(1, 10), "O1", 1, "posted");
    log.claim(at(1, 20), "O1", "granted");
    log.chargeback(at(1, 30), "O1", "lost");
    assert_eq!(totals(&log.run(&Config::default()), "all", "live"), "10 1 0 1/1/1");
    log.feedback(at(1, 40), "O1", 1, "struck_through");
    assert_eq!(totals(&log.run(&Config::default()), "all", "live"), "10 1 0 0/1/1");
    log.claim(at(1, 50), "O1", "reversed");
    log.chargeback(at(1, 60), "O1", "won");
    let output = log.run(&Config::default());
    assert_eq!(totals(&output, "all", "live"), "10 0 0 0/0/0");
    assert_eq!(
        summary(&output),
        [
            "warning raised 2026-01-05T00:00:15.000Z 1/10",
            "warning cleared 2026-01-05T00:01:05.000Z 0/10",
        ]
    );
    let cleared = parsed(&output.alerts[1]);
    assert_eq!(cleared["change"]["defective_reversed"], 1);
    assert!(cleared["recovers_on"].is_null());
    assert_eq!(cleared["before"]["defective_orders"], 1);
}

#[test]
fn vector_3_a_rate_of_one_percent_stays_until_all_leave() {
    let mut log = Log::default();
    log.orders(at(1, 10), "O", 0..100);
    log.feedback(at(1, 10), "O7", 2, "posted");
    let last_of_day_60 = log.run(&until(at(61, 0)));
    assert_eq!(last_of_day_60.alerts.len(), 0);
    assert_eq!(totals(&last_of_day_60, "all", "live"), "100 1 0 1/0/0");
    let day_61 = log.run(&until(at(61, 5)));
    assert_eq!(day_61.alerts.len(), 0);
    assert_eq!(totals(&day_61, "all", "live"), "none");
    assert_eq!(totals(&day_61, "all", "official"), "100 1 0 1/0/0");
    // The official view as of day 76 begins with day 2.
    assert_eq!(totals(&log.run(&until(at(76, 0))), "all", "official"), "100 1 0 1/0/0");
    assert_eq!(log.run(&until(at(76, 5))).totals.len(), 0);
}

#[test]
fn vector_4_expiry_alone_raises_a_warning() {
    let mut log = Log::default();
    log.orders(at(1, 10), "O", 0..100);
    log.orders(at(30, 10), "P", 0..50);
    log.feedback(at(30, 10), "P7", 1, "posted");
    let output = log.run(&until(at(95, 0)));
    assert_eq!(
        summary(&output),
        [
            format!("warning raised {} 1/50", instant_text(at(61, 5))),
            format!("warning cleared {} 0/0", instant_text(at(90, 5))),
        ]
    );
    let raised = parsed(&output.alerts[0]);
    assert_eq!(raised["change"]["orders_expired"], 100);
    assert_eq!(raised["change"]["defective_added"], 0);
    assert_eq!(raised["recovers_on"], date(90));
    assert_eq!(raised["as_of"], date(61));
    assert_eq!(raised["low_volume"], true);
    assert_eq!(raised["defects"][0]["new"], false);
    let cleared = parsed(&output.alerts[1]);
    assert_eq!(cleared["change"]["defective_expired"], 1);
    assert!(cleared["rate"].is_null());
}

#[test]
fn vector_5_a_claim_may_come_with_its_order_or_before_it() {
    // In one boundary, in every interleaving: the same alerts and totals.
    let mut log = Log::default();
    log.orders(at(1, 1), "O", 0..2);
    log.claim(at(1, 1), "O1", "granted");
    let expected = log.run(&Config::default());
    assert_eq!(summary(&expected), ["warning raised 2026-01-05T00:00:05.000Z 1/2"]);
    for rotation in 0..3 {
        let mut records = log.records.clone();
        records.rotate_right(rotation);
        records.sort_by_key(|record| record.topic != rotation);
        let output = run(&Config::default(), &records);
        assert_eq!(output.alerts, expected.alerts);
        assert_eq!(output.totals, expected.totals);
        assert_eq!(output.outcomes, expected.outcomes);
    }
    // Some boundaries earlier: it waits, and the alert is that of the order's boundary.
    let mut log = Log::default();
    log.claim(at(1, 1), "O1", "granted");
    log.orders(at(1, 21), "O", 0..2);
    let output = log.run(&Config::default());
    assert_eq!(summary(&output), ["warning raised 2026-01-05T00:00:25.000Z 1/2"]);
    assert_eq!(output.totals, expected.totals);
    assert!(output.outcomes.contains(r#""claims":{"applied":1}"#), "{}", output.outcomes);
}

#[test]
fn vector_6_the_order_knows_the_marketplace() {
    let mut log = Log::default();
    log.event(
        ORDERS,
        at(1, 0),
        concat!(
            r#""marketplace_id":"M","order_id":"O","purchase_date":"2026-01-05T00:00:00Z","#,
            r#""fulfillment_channel":"AFN","order_status":"Shipped""#
        ),
    );
    log.feedback(at(1, 0), "O", 1, "posted");
    let output = log.run(&Config::default());
    let alert = parsed(&output.alerts[0]);
    assert_eq!(alert["seller_id"], "S");
    assert_eq!(alert["marketplace_id"], "M");
    assert_eq!(totals(&output, "afn", "live"), "1 1 0 1/0/0");
    assert_eq!(totals(&output, "mfn", "live"), "none");
}

#[test]
fn vector_7_a_silent_partition_or_one_of_dead_letters_holds_nothing_back() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..5);
    log.claim(at(1, 10), "O1", "granted");
    for second in [0, 4, 11, 30] {
        log.put(FEEDBACK, 0, Some(at(1, second)), Some("not JSON"));
    }
    // The chargebacks are silent, and a live run has closed by decision.
    let boundary = at(1, 15) / 5_000;
    let positions = vec![(ORDERS, 0, 5), (CLAIMS, 0, 1), (CHARGEBACKS, 0, 0)];
    let decisions = vec![Decision::Close { boundary, positions }];
    let output = log.run(&Config { decisions, ..Config::default() });
    assert_eq!(summary(&output), ["warning raised 2026-01-05T00:00:15.000Z 1/5"]);
    assert_eq!(output.dead.len(), 4);
    assert_eq!(output.dead[3], r#"{"topic":"feedback","partition":0,"offset":3,"code":"parse"}"#);
}

#[test]
fn an_alert_reads_byte_for_byte_as_written_by_hand() {
    let mut log = Log::default();
    log.orders(at(1, 0), "O", 0..95);
    log.event(
        ORDERS,
        at(1, 0),
        concat!(
            r#""order_id":"A\"1","purchase_date":"2026-01-04T12:00:00Z","#,
            r#""fulfillment_channel":"Amazon","order_status":"Canceled""#
        ),
    );
    log.event(CLAIMS, at(1, 7), r#""order_id":"A\"1","claim_id":"C1","status":"filed""#);
    let output = log.run(&Config::default());
    // SHA-256 of "0\0" "1767571210000\0" "S\0" "\0" "all\0" "live\0" "warning\0" "raised\0".
    let expected = concat!(
        r#"{"alert_id":"ALERT_ID","seq":1,"kind":"warning","state":"raised","#,
        r#""initial":false,"seller_id":"S","marketplace_id":"","scope":"all","view":"live","#,
        r#""boundary":"2026-01-05T00:00:10.000Z","as_of":"2026-01-05","#,
        r#""window":{"from":"2025-11-07","to":"2026-01-05"},"covered_from":"2026-01-04","#,
        r#""orders":96,"defective_orders":1,"provisional_only":1,"#,
        r#""rate":0.010416,"threshold":0.010000,"#,
        r#""by_kind":{"negative_feedback":0,"claim":1,"chargeback":0},"#,
        r#""mfn":{"orders":95,"defective_orders":0},"afn":{"orders":1,"defective_orders":1},"#,
        r#""official":{"orders":0,"defective_orders":0},"#,
        r#""before":{"orders":96,"defective_orders":0},"#,
        r#""change":{"orders_added":0,"orders_expired":0,"defective_added":1,"#,
        r#""defective_reversed":0,"defective_expired":0},"#,
        r#""defects":[{"order_id":"A\"1","kind":"claim","ref":"C1","new":true}],"#,
        r#""headroom":{"defects_left":0,"orders_needed":4},"low_volume":true,"#,
        r#""recovers_on":"2026-03-05","cycle":null}"#
    );
    assert_eq!(output.alerts, [expected.replace("ALERT_ID", ALERT_ID)]);
    assert_eq!(
        output.totals[0],
        concat!(
            r#"{"seller_id":"S","marketplace_id":"","scope":"all","view":"live","#,
            r#""as_of":"2026-01-05","orders":96,"defective_orders":1,"provisional_only":1,"#,
            r#""by_kind":{"negative_feedback":0,"claim":1,"chargeback":0}}"#
        )
    );
    assert_eq!(
        output.outcomes,
        concat!(
            r#"{"read":97,"outcomes":{"orders":{"applied":96},"feedback":{},"#,
            r#""claims":{"applied":1},"chargebacks":{}},"dead":{}}"#
        )
    );
}

/// Made with `printf '0\0…raised\0' | sha256sum`.
const ALERT_ID: &str = "b51556a45bab47ebae6cdb4cdab7e7fa";
