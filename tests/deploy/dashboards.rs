//! Grafana's dashboards: queries name what exists, the data source is a variable, panels say what
//! they show and do not overlap, and provisioning finds them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::queries::check;
use crate::rules::recorded;
use crate::{names_in, text, tree};

const FOLDER: &str = "deploy/grafana/dashboards";

fn boards() -> Vec<(String, Value)> {
    let names = names_in(FOLDER, ".json");
    names.into_iter().map(|name| (name.clone(), tree(&format!("{FOLDER}/{name}")))).collect()
}

fn panels(board: &Value) -> Vec<&Value> {
    board["panels"].as_array().unwrap().iter().collect()
}

/// All values under a key, however deep.
fn all_under<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a Value>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                if name == key {
                    found.push(inner);
                }
                all_under(inner, key, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| all_under(inner, key, found)),
        _ => {}
    }
}

/// The metrics that the dashboards name.
pub fn named_metrics() -> BTreeSet<String> {
    let recorded = recorded();
    let mut named = BTreeSet::new();
    for (name, board) in boards() {
        let mut expressions = Vec::new();
        all_under(&board, "expr", &mut expressions);
        assert!(expressions.len() > 10, "{name} shows little");
        for expression in expressions {
            let found = check(expression.as_str().unwrap(), &recorded);
            named.extend(found.unwrap_or_else(|mistake| panic!("{name}: {mistake}")));
        }
    }
    named
}

#[test]
fn dashboards_name_only_metrics_labels_and_values_that_exist() {
    assert!(named_metrics().contains("odrwatch_accounts"));
}

#[test]
fn there_is_one_dashboard_for_operations_and_one_for_the_market() {
    let uids: Vec<_> = boards().iter().map(|(_, board)| board["uid"].clone()).collect();
    assert_eq!(uids, ["odrwatch-market", "odrwatch-operations"]);
    for (name, board) in boards() {
        // Links between them keep data source and job.
        let url = board["links"][0]["url"].as_str().unwrap();
        let target = url.strip_prefix("/d/").and_then(|rest| rest.split('?').next()).unwrap();
        assert!(uids.iter().any(|uid| uid == target) && board["uid"] != target, "{name}: {url}");
        assert_eq!(name, format!("{}.json", board["uid"].as_str().unwrap()));
    }
}

#[test]
fn the_data_source_is_a_variable_everywhere() {
    for (name, board) in boards() {
        let variables = board["templating"]["list"].as_array().unwrap();
        assert_eq!(variables[0]["name"], "datasource", "{name}");
        assert_eq!(variables[0]["type"], "datasource", "{name}");
        let mut sources = Vec::new();
        all_under(&board, "datasource", &mut sources);
        assert!(!sources.is_empty());
        for source in sources {
            assert_eq!(source["uid"], "${datasource}", "{name}");
        }
        // The variables that queries use are those that are defined.
        for variable in variables {
            let asked = variable.pointer("/query/query").and_then(Value::as_str);
            if let Some(inner) = asked.and_then(|query| query.strip_prefix("label_values(")) {
                let (metric, label) = inner.rsplit_once(',').unwrap();
                let expression =
                    format!("count by ({}) ({metric})", label.trim_matches([' ', ')']));
                check(&expression, &recorded()).unwrap();
            }
        }
    }
}

#[test]
fn panels_say_what_they_show_and_lie_side_by_side() {
    for (name, board) in boards() {
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}: {title}: its id is taken");
            let place = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(x < 24 && taken.insert((x, y)), "{name}: {title} overlaps at {x}, {y}");
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            let description = panel["description"].as_str().unwrap();
            assert!(description.ends_with('.'), "{name}: {title} says nothing");
            let targets = panel["targets"].as_array().unwrap();
            let refs: BTreeSet<_> = targets.iter().map(|target| target["refId"].as_str()).collect();
            assert!(!targets.is_empty() && refs.len() == targets.len(), "{name}: {title}");
        }
    }
}

#[test]
fn provisioning_finds_dashboards_and_data_source() {
    let provider = tree("deploy/grafana/provisioning/dashboards/odrwatch.yaml");
    let folder = provider["providers"][0]["options"]["path"].as_str().unwrap();
    let compose = tree("deploy/compose.yaml");
    let grafana = &compose["services"]["grafana"];
    let mounts = crate::words(&grafana["volumes"]);
    assert!(mounts.contains(&format!("./grafana/dashboards:{folder}:ro")), "{mounts:?}");
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str();
    assert_eq!(home, Some(&*format!("{folder}/odrwatch-market.json")));
    let source = tree("deploy/grafana/provisioning/datasources/prometheus.yaml");
    let url = source["datasources"][0]["url"].as_str().unwrap();
    assert_eq!(url, "http://prometheus:9090");
    assert!(compose["services"]["prometheus"].is_object());
    for name in names_in(FOLDER, ".json") {
        let in_chart = text(&format!("deploy/helm/odrwatch/files/dashboards/{name}"));
        assert_eq!(in_chart, text(&format!("{FOLDER}/{name}")), "{name}");
    }
}
