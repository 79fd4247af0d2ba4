//! `/metrics/sellers`: bounded, well-formed, guarded, and there only where it was asked for.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use odrwatch::http::Door;
use odrwatch::telemetry::seller_metrics::SELLERS;

use crate::stage::Stage;
use crate::support::{process, promtool};

const PLACES: usize = 3;

/// A market with sellers whose ids are hostile to whoever quotes them badly.
fn market(door: impl FnOnce(Door) -> Door) -> Stage {
    let mut stage = Stage::with_door(1, door);
    stage.fleet.feed_all();
    for (number, seller) in ["A\"B\\", "{x}=\"1\"", "Plain", "Plain-2"].iter().enumerate() {
        stage.fleet.produce_defective_order(seller, &format!("302-0000009-{number:07}"));
    }
    stage.fleet.run_until_quiet();
    stage
}

#[test]
fn the_accounts_at_the_greatest_risk_are_shown_as_series_that_promtool_accepts() {
    let mut stage = market(|door| Door { top_sellers: PLACES, ..door });
    let answer = stage.get("/metrics/sellers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for metric in &SELLERS {
        let header = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
        assert!(answer.body.contains(&header), "{header} in\n{}", answer.body);
    }
    let orders = answer.body.lines().filter(|line| line.starts_with("odrwatch_seller_orders{"));
    assert_eq!(orders.count(), PLACES);

    let list = stage.json("/api/v1/sellers?sort=risk&limit=3");
    for row in list["items"].as_array().unwrap() {
        let seller = row["seller_id"].as_str().unwrap().replace('\\', "\\\\").replace('"', "\\\"");
        let marketplace = row["marketplace_id"].as_str().unwrap();
        let line = format!(
            "odrwatch_seller_defective_orders{{marketplace_id=\"{marketplace}\",\
             seller_id=\"{seller}\"}} {}",
            row["live"]["defective_orders"]
        );
        assert!(answer.body.lines().any(|found| found == line), "{line} in\n{}", answer.body);
    }

    let mut command = Command::new(promtool());
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::spawn(command).unwrap();
    child.stdin.take().unwrap().write_all(answer.body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\nabout\n{}", answer.body);
    stage.stop();
}

#[test]
fn the_same_market_shows_the_same_accounts_again() {
    let mut stage = market(|door| Door { top_sellers: PLACES, ..door });
    let shown = |body: &str| {
        let lines = body.lines().filter(|line| line.starts_with("odrwatch_seller_orders{"));
        lines.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let first = shown(&stage.get("/metrics/sellers").body);
    assert_eq!(shown(&stage.get("/metrics/sellers").body), first);
    stage.stop();
}

#[test]
fn where_nobody_asked_for_it_it_is_not_there_and_a_token_guards_it() {
    let mut stage = Stage::with_door(1, |door| door);
    let answer = stage.get("/metrics/sellers");
    assert_eq!(answer.status, 404);
    assert!(answer.body.contains("metrics.sellers.top"), "{}", answer.body);
    stage.stop();
    let token = "a-token-of-some-length".to_owned();
    let mut stage =
        Stage::with_door(1, |door| Door { token: Some(token), top_sellers: PLACES, ..door });
    assert_eq!(stage.get("/metrics/sellers").status, 401);
    // Without any account there is no series, and still an answer.
    let request = "GET /metrics/sellers HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
                   authorization: Bearer a-token-of-some-length\r\n\r\n";
    let answer = stage.ask(request);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(stage.get("/metrics").status, 200);
    stage.stop();
}
