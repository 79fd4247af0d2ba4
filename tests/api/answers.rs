//! Every answer against the OpenAPI document, and the numbers of the answers against each other.

use std::collections::BTreeSet;

use jsonschema::Validator;
use odrwatch::http::api::{OPENAPI, paths};
use serde_json::{Value, json};

use crate::stage::{Stage, account_path, encode};

pub fn document() -> Value {
    serde_json::from_str(&OPENAPI).unwrap()
}

/// The validator of one of the document's schemas.
pub fn validator(name: &str) -> Validator {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": document()["components"],
    });
    jsonschema::draft202012::new(&schema).unwrap()
}

pub fn assert_fits(name: &str, value: &Value) {
    let validator = validator(name);
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn items(value: &Value, name: &str) -> Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("{name}: {value}")).clone()
}

#[test]
fn the_document_has_every_route_and_no_other() {
    let document = document();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.insert((method.clone(), path.clone()));
        }
    }
    let own = |(method, path): (&str, &str)| (method.to_owned(), path.to_owned());
    assert_eq!(documented, paths().into_iter().map(own).collect());
}

#[test]
fn the_document_is_closed_and_its_references_lead_somewhere() {
    let document = document();
    let mut open = vec![(String::new(), &document)];
    let mut closed = 0;
    while let Some((path, value)) = open.pop() {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(document.pointer(&target[1..]).is_some(), "{path}: {target}");
        }
        // An alert is the topic's own schema, whose readers accept further fields.
        let is_schema = path.starts_with("/components/schemas/")
            && !path.starts_with("/components/schemas/Alert/");
        if is_schema && path != "/components/schemas/Alert" && value.get("properties").is_some() {
            assert_eq!(value["additionalProperties"], false, "{path}");
            closed += 1;
        }
        match value {
            Value::Object(members) => {
                open.extend(members.iter().map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            Value::Array(items) => {
                let place = |(at, value)| (format!("{path}/{at}"), value);
                open.extend(items.iter().enumerate().map(place));
            }
            _ => {}
        }
    }
    assert!(closed > 30, "{closed} closed schemas");
}

#[test]
fn every_answer_is_what_the_document_says() {
    let mut alerts = 0;
    for seed in 0..4 {
        let mut stage = Stage::new(seed);
        stage.fleet.produce_raw(odrwatch::domain::event::Topic::Claims, Some(b"no json".to_vec()));
        stage.fleet.run_until_quiet();
        for (path, schema) in [
            ("/api/v1/summary", "Summary"),
            ("/api/v1/market/history", "History"),
            ("/api/v1/sellers", "Sellers"),
            ("/api/v1/alerts?limit=200", "Alerts"),
            ("/api/v1/worklist", "Worklist"),
            ("/api/v1/shards", "Shards"),
            ("/api/v1/dead-letters", "DeadLetters"),
            ("/api/v1/config", "Configuration"),
        ] {
            let answer = stage.json(path);
            assert_fits(schema, &answer);
            assert_eq!(answer["meta"]["shards"], json!({"answered":2,"total":2,"elsewhere":[]}));
        }
        let list = stage.json("/api/v1/sellers?limit=200");
        assert!(!items(&list, "items").is_empty());
        for row in items(&list, "items") {
            let path = account_path(&row);
            assert_fits("Account", &stage.json(&path));
            for view in ["", "?view=live", "?view=official"] {
                assert_fits("Report", &stage.json(&format!("{path}/report{view}")));
            }
        }
        assert_eq!(stage.json("/api/v1/openapi.json"), document());
        alerts += items(&stage.json("/api/v1/alerts"), "items").len();
        stage.stop();
    }
    assert!(alerts > 0, "some seeds alert");
}

#[test]
fn pages_hold_every_account_once_in_every_order() {
    let mut stage = Stage::new(3);
    let all = stage.json("/api/v1/sellers?limit=200");
    let total = number(&all, "/total");
    assert!(total > 3, "{total} accounts");
    let name = |row: &Value| (row["seller_id"].to_string(), row["marketplace_id"].to_string());
    let wanted: BTreeSet<_> = items(&all, "items").iter().map(name).collect();
    for sort in ["risk", "rate", "headroom", "orders", "seller"] {
        for order in ["asc", "desc"] {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let path = format!(
                    "/api/v1/sellers?limit=2&sort={sort}&order={order}&cursor={}",
                    encode(&cursor)
                );
                let page = stage.json(&path);
                assert_eq!(number(&page, "/total"), total);
                found.extend(items(&page, "items").iter().map(name));
                let Some(next) = page["next_cursor"].as_str() else { break };
                next.clone_into(&mut cursor);
            }
            assert_eq!(found.len(), wanted.len(), "{sort} {order}");
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted, "{sort} {order}");
        }
    }
    stage.stop();
}

#[test]
fn filters_keep_what_they_name_and_together_everything() {
    let mut stage = Stage::new(5);
    let total = number(&stage.json("/api/v1/sellers"), "/total");
    let mut by_band = 0;
    for band in ["good", "watch", "warning", "critical", "none"] {
        let list = stage.json(&format!("/api/v1/sellers?limit=200&band={band}"));
        assert!(items(&list, "items").iter().all(|row| row["band"] == band));
        by_band += number(&list, "/total");
    }
    assert_eq!(by_band, total);
    let list = stage.json("/api/v1/sellers?limit=200");
    let mut by_marketplace = 0;
    for name in items(&list, "marketplaces") {
        let name = name.as_str().unwrap();
        let asked = if name.is_empty() { "-".to_owned() } else { encode(name) };
        let some = stage.json(&format!("/api/v1/sellers?limit=200&marketplace={asked}"));
        assert!(items(&some, "items").iter().all(|row| row["marketplace_id"] == name));
        by_marketplace += number(&some, "/total");
    }
    assert_eq!(by_marketplace, total);
    for row in items(&list, "items") {
        let seller = row["seller_id"].as_str().unwrap().to_uppercase();
        let found = stage.json(&format!("/api/v1/sellers?q={}", encode(&seller)));
        assert!(items(&found, "items").contains(&row), "{seller}");
    }
    stage.stop();
}

#[test]
fn parts_add_up_to_the_whole() {
    let mut old = 0;
    for seed in 0..6 {
        let mut stage = Stage::new(seed);
        let summary = stage.json("/api/v1/summary");
        let rows = items(&stage.json("/api/v1/sellers?limit=200"), "items");
        for view in ["live", "official"] {
            for count in ["orders", "defective_orders", "provisional_only", "by_kind/claim"] {
                let sum: u64 =
                    rows.iter().map(|row| number(row, &format!("/{view}/{count}"))).sum();
                let whole = number(&summary, &format!("/totals/{view}/{count}"));
                assert_eq!(sum, whole, "{view} {count}");
            }
        }
        for row in &rows {
            for view in ["live", "official"] {
                check_account(&mut stage, row, view);
            }
            old += u32::from(number(row, "/official/orders") > 0);
        }
        stage.stop();
    }
    assert!(old > 3, "{old} accounts with orders of earlier days");
}

/// Checks that an account says the same as its row, and its report and its days as its view.
fn check_account(stage: &mut Stage, row: &Value, view: &str) {
    let account = stage.json(&account_path(row));
    let view_of = &account["views"][view];
    assert_eq!(view_of["all"], row[view], "{row}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let window = text(&view_of["window"]["from"])..=text(&view_of["window"]["to"]);
    let days = items(&account, "days");
    let within = days.iter().filter(|day| window.contains(&text(&day["day"])));
    for (scope, prefix) in [("all", ""), ("mfn", "/mfn"), ("afn", "/afn")] {
        for count in ["orders", "defective_orders"] {
            let pointer = format!("{prefix}/{count}");
            let sum: u64 = within.clone().map(|day| number(day, &pointer)).sum();
            assert_eq!(sum, number(&view_of[scope], &format!("/{count}")), "{view} {scope}");
        }
    }
    let report = stage.json(&format!("{}/report?view={view}", account_path(row)));
    for channel in ["mfn", "afn"] {
        let block = format!("/performanceMetrics/0/orderDefectRate/{channel}");
        let rates = &view_of[channel];
        let orders = number(&report, &format!("{block}/orderCount"));
        assert_eq!(orders, number(rates, "/orders"));
        let defective = number(&report, &format!("{block}/orderWithDefects/count"));
        assert_eq!(defective, number(rates, "/defective_orders"));
    }
}

#[test]
fn alerts_are_those_of_the_topic_byte_for_byte_and_come_in_pages() {
    let mut stage = Stage::new(0);
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = stage.get(&format!("/api/v1/alerts?limit=1&cursor={cursor}"));
        let page = answer.json();
        let Some(alert) = page["items"].get(0) else { break };
        found.push(alert.clone());
        let id = alert["alert_id"].as_str().unwrap();
        let lines = stage.fleet.alert_lines();
        let line = lines.lines().find(|line| line.contains(id)).unwrap();
        assert!(answer.body.contains(line), "{line}\n{}", answer.body);
        let Some(next) = page["next_cursor"].as_str() else { break };
        next.clone_into(&mut cursor);
    }
    assert_eq!(found.len(), stage.fleet.committed_alerts());
    assert!(!found.is_empty());
    let seller = found[0]["seller_id"].as_str().unwrap();
    let some = stage.json(&format!("/api/v1/alerts?limit=200&seller={}", encode(seller)));
    let wanted = found.iter().filter(|alert| alert["seller_id"] == seller).count();
    assert_eq!(items(&some, "items").len(), wanted);
    stage.stop();
}
