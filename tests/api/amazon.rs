//! The report of an account, and the standings of the status topic, beside what Amazon publishes.
//!
//! Amazon's own schema is not part of this repository. Its `OrderDefectRate` is described in the
//! OpenAPI document (`ReportBlock`), more strictly.

use odrwatch::pipeline::ports::OutTopic;
use serde_json::Value;

use crate::answers::assert_fits;
use crate::stage::{Stage, account_path};

/// All standings that are in the status topic.
fn standings(stage: &Stage) -> Vec<Value> {
    let partitions = 0..stage.fleet.cluster.config().partitions;
    let records = partitions
        .flat_map(|partition| stage.fleet.cluster.read_committed(OutTopic::Status, partition));
    let values = records.filter_map(|record| record.value.clone());
    values.map(|value| serde_json::from_slice(&value).unwrap()).collect()
}

/// The reports of all accounts, of both views.
fn reports(stage: &mut Stage) -> Vec<Value> {
    let rows = stage.json("/api/v1/sellers?limit=200")["items"].as_array().unwrap().clone();
    let mut reports = Vec::new();
    for row in &rows {
        for view in ["official", "live"] {
            let path = format!("{}/report?view={view}", account_path(row));
            reports.push(stage.json(&path));
        }
    }
    reports
}

/// The blocks of standings and reports, each of one channel and one view.
fn blocks(standings: &[Value], reports: &[Value]) -> Vec<Value> {
    let of_standing = |standing: &Value| {
        ["live", "official"].map(|view| standing["views"][view]["orderDefectRate"].clone())
    };
    let of_report = |report: &Value| report["performanceMetrics"][0]["orderDefectRate"].clone();
    let rates = standings.iter().flat_map(of_standing).chain(reports.iter().map(of_report));
    rates.flat_map(|rates| ["mfn", "afn"].map(|channel| rates[channel].clone())).collect()
}

#[test]
fn standings_and_reports_have_the_shape_of_the_marketplaces_report() {
    let mut stage = Stage::new(3);
    let (standings, reports) = (standings(&stage), reports(&mut stage));
    assert!(standings.len() > 10 && reports.len() > 10);
    for report in &reports {
        assert_fits("Report", report);
    }
    let blocks = blocks(&standings, &reports);
    let mut of_status = [0, 0, 0];
    for block in &blocks {
        assert_fits("ReportBlock", block);
        let names = ["GOOD", "BAD", "NONE"];
        of_status[names.iter().position(|name| block["status"] == *name).unwrap()] += 1;
        if block["status"] == "NONE" {
            assert_eq!(block["rate"], 0.0, "{block}");
        }
    }
    assert!(of_status.iter().all(|count| *count > 0), "every status is met: {of_status:?}");
    stage.stop();
}
