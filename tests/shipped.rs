//! What is shipped beside the code: the configuration, the policy and the JSON Schemas, against
//! the code's own defaults and words, and against examples.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use odrwatch::advice::{self, BlockerKind, Decision, Finding, Reason, Rule};
use odrwatch::config::{
    self, Config, ConfigErrors, Keys, Kind, Sources, advice_schema, alerts_schema, config_schema,
    events_schema,
};
use odrwatch::domain::effects::{AlertKind, AlertState};
use odrwatch::domain::event::DefectKind;
use odrwatch::domain::policy::{Policy, Scope, View};
use serde_json::{Value, json};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn validator(schema: &Value) -> Validator {
    assert!(jsonschema::meta::is_valid(schema));
    jsonschema::draft202012::new(schema).unwrap()
}

/// The validator of one definition of the events' schema.
fn event_validator(definition: &str) -> Validator {
    let mut schema = json_of(&events_schema());
    let object = schema.as_object_mut().unwrap();
    object.remove("anyOf");
    object.insert("$ref".to_owned(), json!(format!("#/$defs/{definition}")));
    validator(&schema)
}

/// The words of an `enum` at a pointer.
fn words(schema: &Value, pointer: &str) -> Vec<String> {
    let words = schema.pointer(pointer).unwrap().as_array().unwrap();
    // Null among them is no word.
    let words = words.iter().filter(|word| !word.is_null());
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

// The configuration and the policy.

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn load(file: Option<PathBuf>) -> Result<Config, ConfigErrors> {
    config::load(&Sources { file, host_name: Some("host-1".to_owned()), ..Sources::default() })
}

#[test]
fn the_shipped_configuration_states_the_defaults() {
    let path = in_repository("config/odrwatch.yaml");
    let shipped = load(Some(path)).unwrap();
    assert_eq!(shipped, load(None).unwrap());
    assert_eq!(shipped.policy, Policy::default());
    assert_eq!(shipped.kafka.instance, "host-1");
    assert_eq!(shipped.engine.alerts_from, None);
}

#[test]
fn the_shipped_configuration_has_every_key_and_no_other() {
    let text = fs::read_to_string(in_repository("config/odrwatch.yaml")).unwrap();
    let mut sections: Vec<String> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    let keys = Keys::of_config();
    for line in text.lines() {
        // A commented-out key has one space after the `#`; an example has more.
        let stated = line.replacen("# ", "", 1);
        let stated = if line.trim_start().starts_with('#') { &stated } else { line };
        let depth = (stated.len() - stated.trim_start().len()) / 2;
        let Some((name, _)) = stated.trim_start().split_once(':') else {
            continue;
        };
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        if depth > sections.len() || !name.bytes().all(is_name) || name.is_empty() {
            continue;
        }
        sections.truncate(depth);
        sections.push(name.to_owned());
        let path = sections.join(".");
        if keys.get(&path).is_some() {
            found.push(path);
        } else if !line.trim_start().starts_with('#') {
            assert!(keys.is_section(&path), "{path} is neither key nor section");
        }
    }
    found.sort_unstable();
    let known: Vec<_> = keys.iter().map(|(path, _)| path.to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn the_shipped_configuration_gives_every_range_as_the_code_has_it() {
    let text = fs::read_to_string(in_repository("config/odrwatch.yaml")).unwrap();
    let lines: Vec<_> = text.lines().collect();
    for (path, key) in Keys::of_config().iter() {
        let Kind::Integer { min, max } = key.kind else {
            continue;
        };
        let name = path.rsplit('.').next().unwrap();
        let stated =
            |line: &&str| line.trim_start_matches([' ', '#']).starts_with(&format!("{name}:"));
        let at = lines.iter().position(stated).unwrap();
        let start = lines[..at].iter().rposition(|line| !line.trim_start().starts_with('#'));
        let comment = lines[start.map_or(0, |start| start + 1)..at].join("\n");
        let ways = match path {
            "engine.boundary_ms" => vec!["a divisor of 900000".to_owned()],
            "policy.warning_clear_bp" => vec!["0..=warning_bp".to_owned()],
            "policy.critical_clear_bp" => vec!["0..=critical_bp".to_owned()],
            _ => vec![format!("{min}..={max}"), format!("{min} or more")],
        };
        assert!(ways.iter().any(|way| comment.contains(way)), "{path}: {comment}");
    }
}

#[test]
fn the_shipped_policy_is_the_default_policy() {
    let path = in_repository("config/policies/amazon.yaml");
    assert_eq!(config::load_policy(&path).unwrap(), Policy::default());
}

#[test]
fn the_shipped_configuration_is_valid_by_the_schema() {
    let text = include_str!("../config/odrwatch.yaml");
    let shipped: Value = serde_saphyr::from_str(text).unwrap();
    let validator = validator(&json_of(&config_schema()));
    let errors: Vec<_> = validator.iter_errors(&shipped).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn the_schema_of_the_configuration_refuses_what_the_code_refuses() {
    let validator = validator(&json_of(&config_schema()));
    for right in [
        json!({}),
        json!({"kafka": {"properties": {"socket.timeout.ms": 1000, "a.b": true, "c": "d"}}}),
        json!({"policy": {"scopes": ["mfn"], "warning_clear_bp": 50}}),
    ] {
        assert!(validator.is_valid(&right), "{right}");
    }
    for wrong in [
        json!({"engine": {"worker": 1}}),
        json!({"engine": {"workers": 0}}),
        json!({"engine": {"workers": "1"}}),
        json!({"engine": {"partitioner": "murmur"}}),
        json!({"policy": {"scopes": ["some"]}}),
        json!({"policy": {"count_open_claims": "yes"}}),
        json!({"warning_bp": 100}),
        json!([]),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

// Events.

#[test]
fn events_as_the_specification_describes_them_are_valid() {
    let right = [
        (
            "order",
            r#"{"seller_id":"A1","order_id":"302-1234567-7654321",
                "purchase_date":"2026-01-31T10:00:00Z","fulfillment_channel":"MFN",
                "order_status":"Shipped"}"#,
        ),
        (
            "order",
            r#"{"SellerId":"A1","MarketplaceId":"","AmazonOrderId":"x",
                "PurchaseDate":"2026-01-31t10:00:00.123456+05:30","FulfillmentChannel":"Amazon",
                "OrderStatus":"Cancelled","more":[1]}"#,
        ),
        (
            "order",
            r#"{"event_time":null,"seller_id":"A1","marketplace_id":null,"order_id":"x",
                "purchase_date":"2026-01-31T10:00:00Z","fulfillment_channel":"AFN",
                "order_status":"Pending","buy_shipping":true,"shipped_on_time":null}"#,
        ),
        (
            "feedback",
            r#"{"seller_id":"A1","order_id":"x","rating":1,"comment":"late","status":"posted",
                "response_time":"2026-01-31T10:00:00Z"}"#,
        ),
        (
            "claim",
            r#"{"seller_id":"A1","order_id":"x","claim_id":"c","status":"granted",
                "funded_by":"amazon","odr_impact":false}"#,
        ),
        (
            "claim",
            r#"{"seller_id":"A1","order_id":"x","status":"filed",
                "purchase_date":"2026-01-31T10:00:00Z"}"#,
        ),
        (
            "chargeback",
            r#"{"seller_id":"A1","order_id":"x","chargeback_id":null,"reason":null,
                "status":"lost"}"#,
        ),
    ];
    let any = validator(&json_of(&events_schema()));
    for (definition, text) in right {
        let value = json_of(text);
        assert!(event_validator(definition).is_valid(&value), "{text}");
        assert!(any.is_valid(&value), "{text}");
    }
}

#[test]
fn events_that_become_dead_letters_are_not_valid() {
    let order = json_of(
        r#"{"seller_id":"A1","order_id":"x","purchase_date":"2026-01-31T10:00:00Z",
                "fulfillment_channel":"MFN","order_status":"Shipped"}"#,
    );
    let changes = [
        ("seller_id", Value::Null),
        ("seller_id", json!("")),
        ("seller_id", json!("x".repeat(65))),
        ("seller_id", json!("caf\u{e9}")),
        ("seller_id", json!(7)),
        ("SellerId", json!("A1")),
        ("marketplace_id", json!("a\nb")),
        ("purchase_date", json!("2026-01-31")),
        ("purchase_date", json!("2026-01-31T10:00:00")),
        ("purchase_date", json!("2026-01-31T10:00:60Z")),
        ("purchase_date", Value::Null),
        ("event_time", json!(1)),
        ("fulfillment_channel", json!("mfn")),
        ("order_status", json!("shipped")),
        ("buy_shipping", json!("true")),
    ];
    let validator = event_validator("order");
    assert!(validator.is_valid(&order));
    for (field, value) in changes {
        let mut wrong = order.clone();
        wrong[field] = value;
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    for field in ["seller_id", "order_id", "purchase_date", "fulfillment_channel", "order_status"] {
        let mut wrong = order.clone();
        wrong.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
    let wrong = [
        ("feedback", r#"{"seller_id":"A1","order_id":"x","rating":0,"status":"posted"}"#),
        ("feedback", r#"{"seller_id":"A1","order_id":"x","rating":6,"status":"posted"}"#),
        ("feedback", r#"{"seller_id":"A1","order_id":"x","rating":1.5,"status":"posted"}"#),
        ("feedback", r#"{"seller_id":"A1","order_id":"x","rating":1,"status":"gone"}"#),
        ("claim", r#"{"seller_id":"A1","order_id":"x"}"#),
        ("claim", r#"{"seller_id":"A1","order_id":"x","status":"filed","funded_by":"me"}"#),
        ("claim", r#"{"seller_id":"A1","order_id":"x","status":"filed","claim_id":""}"#),
        ("chargeback", r#"{"seller_id":"A1","order_id":"x","status":"filed"}"#),
        ("chargeback", r#"{"seller_id":"A1","order_id":"x","status":"won","odr_impact":"no"}"#),
        ("chargeback", "[]"),
    ];
    for (definition, text) in wrong {
        assert!(!event_validator(definition).is_valid(&json_of(text)), "{text}");
    }
}

// Alerts.

/// The fields of an alert's value, in their order.
const ALERT_FIELDS: &str = "alert_id seq kind state initial seller_id marketplace_id scope view \
    boundary as_of window covered_from orders defective_orders provisional_only rate threshold \
    by_kind mfn afn official before change defects headroom low_volume recovers_on cycle";

fn alert() -> Value {
    json_of(
        r#"{"alert_id":"00112233445566778899aabbccddeeff","seq":1,"kind":"warning",
                "state":"raised","initial":false,"seller_id":"A1","marketplace_id":"",
                "scope":"all","view":"live","boundary":"2026-01-31T00:00:05.000Z",
                "as_of":"2026-01-31","window":{"from":"2025-12-03","to":"2026-01-31"},
                "covered_from":"2025-12-03","orders":200,"defective_orders":3,
                "provisional_only":1,"rate":0.015000,"threshold":0.010000,
                "by_kind":{"negative_feedback":2,"claim":1,"chargeback":0},"mfn":{"orders":150,
                "defective_orders":3},"afn":{"orders":50,"defective_orders":0},
                "official":{"orders":180,"defective_orders":2},"before":{"orders":200,
                "defective_orders":2},"change":{"orders_added":0,"orders_expired":0,
                "defective_added":1,"defective_reversed":0,"defective_expired":0},
                "defects":[{"order_id":"302-1234567-7654321","kind":"claim","ref":"c1",
                "new":true},{"order_id":"302-1234567-7654322","kind":"negative_feedback",
                "ref":null,"new":false}],"headroom":{"defects_left":0,"orders_needed":100},
                "low_volume":false,"recovers_on":"2026-02-20","cycle":null}"#,
    )
}

#[test]
fn an_alert_as_the_specification_describes_it_is_valid() {
    let validator = validator(&json_of(&alerts_schema()));
    let mut value = alert();
    assert!(validator.is_valid(&value));
    value["kind"] = json!("restriction_risk");
    value["state"] = json!("ongoing");
    value["cycle"] = json!({"from": "2026-01-26", "to": "2026-02-01", "streak": 3});
    for field in ["rate", "recovers_on", "covered_from"] {
        value[field] = Value::Null;
    }
    assert!(validator.is_valid(&value));
}

#[test]
fn every_field_of_an_alert_is_described_required_and_checked() {
    let schema = json_of(&alerts_schema());
    let fields: Vec<_> = ALERT_FIELDS.split_whitespace().collect();
    assert_eq!(words(&schema, "/required"), fields);
    let validator = validator(&schema);
    for field in fields {
        assert!(schema["properties"].get(field).is_some(), "{field}");
        let mut wrong = alert();
        // No field is a list of numbers.
        wrong[field] = json!([7]);
        assert!(!validator.is_valid(&wrong), "{field}");
        wrong.as_object_mut().unwrap().remove(field);
        assert!(!validator.is_valid(&wrong), "{field}");
    }
}

#[test]
fn the_words_of_an_alert_are_those_of_the_code() {
    let schema = json_of(&alerts_schema());
    let words = |pointer: &str| words(&schema, pointer);
    assert_eq!(words("/properties/kind/enum"), AlertKind::ALL.map(AlertKind::as_str));
    assert_eq!(words("/properties/state/enum"), AlertState::ALL.map(AlertState::as_str));
    assert_eq!(words("/properties/scope/enum"), Scope::ALL.map(Scope::as_str));
    assert_eq!(words("/properties/view/enum"), View::ALL.map(View::as_str));
    let kinds = DefectKind::ALL.map(DefectKind::as_str);
    assert_eq!(words("/properties/defects/items/properties/kind/enum"), kinds);
    assert_eq!(words("/properties/by_kind/required"), kinds);
}

#[test]
fn the_golden_lines_of_advice_are_valid_and_every_field_of_theirs_is_required_and_checked() {
    let schema = json_of(&advice_schema());
    let validator = validator(&schema);
    for line in include_str!("golden/advice.v1.jsonl").lines() {
        let value = json_of(line);
        assert!(validator.is_valid(&value), "{value}");
        let object = value.as_object().unwrap();
        let record = value["record"].as_str().unwrap();
        let fields: Vec<&String> = object.keys().collect();
        let mut required = words(&schema, &format!("/$defs/{record}/required"));
        required.sort_unstable();
        assert_eq!(fields, required.iter().collect::<Vec<_>>());
        for field in fields {
            let mut wrong = value.clone();
            wrong[field] = json!({"no": ["such"]});
            assert!(!validator.is_valid(&wrong), "{field}");
            wrong.as_object_mut().unwrap().remove(field);
            assert!(!validator.is_valid(&wrong), "{field}");
        }
    }
}

#[test]
fn the_words_of_advice_are_those_of_the_code() {
    let schema = json_of(&advice_schema());
    let words = |pointer: &str| words(&schema, &format!("/$defs/{pointer}/enum"));
    assert_eq!(words("rule/properties/rule"), Rule::ALL.map(Rule::as_str));
    assert_eq!(words("rule/properties/verdict"), Decision::ALL.map(Decision::as_str));
    let topics = || advice::Topic::ALL.into_iter().map(advice::Topic::as_str);
    let findings = Finding::PLAIN.into_iter().map(Finding::as_str).chain(topics());
    let blockers = BlockerKind::PLAIN.into_iter().map(BlockerKind::as_str).chain(topics());
    let of = |list: &str| words(&format!("rule/properties/{list}/items/properties/kind"));
    assert_eq!(of("evidence"), findings.collect::<Vec<_>>());
    assert_eq!(of("blockers"), blockers.collect::<Vec<_>>());
    let languages = advice::Language::ALL.map(advice::Language::as_str);
    assert_eq!(words("advice/properties/language"), languages);
    assert_eq!(words("advice/properties/reason"), Reason::ALL.map(Reason::as_str));
    let wanted = words("advice/properties/wanted/items");
    assert_eq!(wanted, advice::Wanted::ALL.map(advice::Wanted::as_str));
    let steps = words("advice/properties/deadlines/items/properties/step");
    assert_eq!(steps, advice::Step::ALL.map(advice::Step::as_str));
}

#[test]
fn the_configuration_refuses_every_property_that_the_adapter_owns() {
    for (name, _) in odrwatch::kafka::OWNED_PROPERTIES {
        assert!(config::owned_property(name).is_some(), "{name} is not refused");
    }
}

// The set-up.

#[test]
fn an_old_promtool_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let stub = |name: &str, script: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    stub("apt-get", "exit 1");
    stub("sudo", "exit 1");
    stub("prometheus", "exit 0");
    // What the browser tests need is there already.
    let browser = dir.path().join("target/tools/browser");
    fs::create_dir_all(&browser).unwrap();
    let lock = in_repository("tests/browser/package-lock.json");
    fs::copy(lock, browser.join(".installed")).unwrap();
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").unwrap().1;
    let path = format!("{}:{}", dir.path().display(), path.to_str().unwrap());
    let set_up = |version: &str| {
        stub("promtool", &format!("echo 'promtool, version {version} (branch: HEAD)'"));
        let mut command = Command::new(in_repository("scripts/setup.sh"));
        command.env("PATH", &path).env("CARGO_TARGET_DIR", dir.path().join("target"));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = set_up("2.9.1");
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("is older than 2.42, or stands alone: 2.9.1"), "{said}");
    assert!(said.contains("put promtool and prometheus 2.42 or later on the PATH"), "{said}");
    assert_eq!(set_up("2.42.0+ds"), (Some(0), String::new()));
    // One that was taken is looked at again.
    assert_eq!(set_up("2.41.9").0, Some(69));
    assert_eq!(set_up("3.5.0"), (Some(0), String::new()));
}

#[test]
fn the_demo_without_a_jdk_runs_in_memory_and_ends_as_the_program_ends() {
    let dir = tempfile::tempdir().unwrap();
    let stub = |name: &str, script: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    stub("java", "echo 'openjdk version \"1.8.0_402\"' >&2");
    let program = stub("odrwatch", "echo \"asked: $*\"; exit 75");
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").unwrap().1;
    let path = format!("{}:{}", dir.path().display(), path.to_str().unwrap());
    let mut command = Command::new(in_repository("scripts/demo.sh"));
    let output = command.env("PATH", path).arg(program).args(["--seed", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(75));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("No JDK 17") && said.ends_with("asked: demo --seed 3\n"), "{said}");
}
