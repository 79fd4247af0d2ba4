//! Alert and recording rules: what they name exists, each has its tests and its runbook, and the
//! copies for the Prometheus operator are equal.

use std::collections::BTreeSet;

use odrwatch::telemetry::declarations::ALL;
use serde_json::Value;

use crate::queries::{Recorded, check, left_labels};
use crate::{defaults, names_in, path, text, tree};

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const RECORDING: &str = "deploy/prometheus/recording.yaml";

fn groups(file: &str) -> Vec<Value> {
    tree(file)["groups"].as_array().unwrap().clone()
}

fn rules(file: &str) -> Vec<Value> {
    let groups = groups(file);
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn field<'a>(rule: &'a Value, pointer: &str) -> &'a str {
    let field = rule.pointer(pointer).and_then(Value::as_str);
    field.unwrap_or_else(|| panic!("{pointer} is missing in {rule}"))
}

fn alert_names() -> BTreeSet<String> {
    rules(ALERTS).iter().map(|rule| field(rule, "/alert").to_owned()).collect()
}

/// The recorded series and their labels.
pub fn recorded() -> Recorded {
    let rules = rules(RECORDING);
    let series = rules.iter().map(|rule| {
        let labels = left_labels(field(rule, "/expr"));
        (field(rule, "/record").to_owned(), labels)
    });
    series.collect()
}

/// The metrics that the rules name.
pub fn named_metrics() -> BTreeSet<String> {
    let recorded = recorded();
    let all = [rules(RECORDING), rules(ALERTS)].concat();
    let found = all.iter().flat_map(|rule| {
        let expression = field(rule, "/expr");
        check(expression, &recorded).unwrap_or_else(|mistake| panic!("{mistake}\nin {rule}"))
    });
    found.collect()
}

#[test]
fn rules_name_only_metrics_labels_and_values_that_exist() {
    let named = named_metrics();
    let recorded = recorded();
    let unused: Vec<_> = recorded.keys().filter(|name| !named.contains(*name)).collect();
    let boards = crate::dashboards::named_metrics();
    let unused: Vec<_> = unused.into_iter().filter(|name| !boards.contains(*name)).collect();
    assert!(unused.is_empty(), "recorded, and read by nobody: {unused:?}");
}

#[test]
fn every_alert_says_what_it_is_how_bad_and_where_its_runbook_is() {
    for rule in rules(ALERTS) {
        let name = field(&rule, "/alert");
        assert!(name.starts_with("Odrwatch"), "{name}");
        let severity = field(&rule, "/labels/severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let summary = field(&rule, "/annotations/summary");
        assert!(summary.ends_with('.') && summary.len() < 100, "{name}: {summary}");
        let description = field(&rule, "/annotations/description");
        assert!(description.ends_with('.') && description != summary, "{name}: {description}");
        let runbook = field(&rule, "/annotations/runbook_url");
        assert_eq!(runbook, format!("docs/runbooks/{name}.md"));
        assert!(path(runbook).is_file(), "{runbook} is missing");
    }
}

#[test]
fn every_rule_has_a_runbook_and_every_runbook_a_rule() {
    let pages = names_in("docs/runbooks", ".md").into_iter();
    let pages: BTreeSet<String> =
        pages.filter(|name| name != "README.md").map(|name| name.replace(".md", "")).collect();
    assert_eq!(pages, alert_names());
    let index = text("docs/runbooks/README.md");
    for rule in rules(ALERTS) {
        let name = field(&rule, "/alert");
        let severity = field(&rule, "/labels/severity");
        let row = format!("| [{name}]({name}.md) | {severity} |");
        assert!(index.contains(&row), "the index needs the row {row}");
        let page = text(&format!("docs/runbooks/{name}.md"));
        let parts = ["## What one sees", "## Why", "## What to do", "## Commands"];
        let head = format!("# {name}\n\nSeverity: **{severity}**. It fires when ");
        assert!(page.starts_with(&head), "{name} must begin with {head}");
        let places: Vec<_> = parts.iter().map(|part| page.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{name}: {parts:?}");
    }
}

#[test]
fn every_alert_is_tested_where_it_fires_and_where_it_does_not() {
    let tests = tree("deploy/prometheus/alerts.test.yaml");
    let mut fires = BTreeSet::new();
    let mut rests = BTreeSet::new();
    for case in tests["tests"].as_array().unwrap() {
        for look in case["alert_rule_test"].as_array().into_iter().flatten() {
            let alert = field(look, "/alertname").to_owned();
            let expected = look["exp_alerts"].as_array().unwrap();
            let set = if expected.is_empty() { &mut rests } else { &mut fires };
            set.insert(alert);
        }
    }
    assert_eq!(fires, alert_names());
    assert_eq!(rests, alert_names());
    assert!(!text("deploy/prometheus/alerts.test.yaml").contains("<no value>"));
}

#[test]
fn the_operators_rule_and_the_charts_files_are_the_same_rules() {
    let operator = tree("deploy/prometheus/prometheusrule.yaml");
    assert_eq!(operator["kind"], "PrometheusRule");
    let both = [groups(RECORDING), groups(ALERTS)].concat();
    assert_eq!(
        operator["spec"]["groups"].as_array().unwrap(),
        &both,
        "run scripts/deploy/prometheusrule.sh"
    );
    for name in ["alerts.yaml", "recording.yaml"] {
        let in_chart = text(&format!("deploy/helm/odrwatch/files/{name}"));
        assert_eq!(in_chart, text(&format!("deploy/prometheus/{name}")), "{name}");
    }
}

#[test]
fn the_numbers_in_rules_are_those_of_the_defaults() {
    let rules = text(ALERTS);
    let engine = defaults().engine;
    // The rules say these numbers, in their thresholds and in their words.
    assert_eq!(engine.boundary.ms(), 5_000);
    assert!(rules.contains("abs(odrwatch_clock_skew_seconds) > 5\n"));
    assert_eq!(engine.max_orders, 50_000_000);
    assert!(rules.contains("At 50 M (engine.max_orders by") && rules.contains("> 35e6\n"));
    assert_eq!(engine.max_orphans, 1_000_000);
    assert!(rules.contains("odrwatch_orphans > 500e3\n") && rules.contains("(engine.max_orphans"));
    assert_eq!(engine.max_pending_records, 1_000_000);
    assert!(rules.contains("odrwatch_pending_records > 500e3\n"));
    assert_eq!(engine.dead_letter_breaker_percent, Some(50));
    assert!(rules.contains("At 50 % of the last"));
    assert_eq!(defaults().kafka.transaction_timeout, std::time::Duration::from_mins(1));
    assert!(rules.contains("are aborted after 60 s (kafka.transaction_timeout_ms)"));
}

#[test]
fn every_metric_is_in_a_rule_or_on_a_dashboard() {
    let mut named = named_metrics();
    named.extend(crate::dashboards::named_metrics());
    for metric in &ALL {
        let is_shown = named.iter().any(|name| name.starts_with(metric.name));
        assert!(is_shown, "{} is nowhere shown", metric.name);
    }
}
