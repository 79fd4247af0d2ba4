//! The configuration from outside: layers, policy files, all mistakes at once, secrets.
//!
//! Golden outputs are under `tests/golden/config/`; `UPDATE_GOLDEN=1` writes them anew.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "config/reference.rs"]
mod reference;
#[path = "config/shown.rs"]
mod shown;

use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odrwatch::config::{
    self, AlertsFrom, Config, ConfigErrors, Keys, Kind, LogFormat, OWNED_PROPERTIES, Partitioner,
    Sources,
};
use odrwatch::domain::event::Topic;
use odrwatch::domain::policy::{Scope, View};
use odrwatch::domain::time::RecordTime;
use serde_json::Value;
use tempfile::TempDir;

/// The configuration of some texts; the host is called `host-1`.
#[derive(Default)]
struct Given<'a> {
    file: Option<&'a Path>,
    variables: &'a [(&'a str, &'a str)],
    policy: Option<&'a Path>,
    sets: &'a [&'a str],
}

impl Given<'_> {
    fn sources(&self) -> Sources {
        let variable = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        Sources {
            file: self.file.map(Path::to_owned),
            variables: self.variables.iter().map(variable).collect(),
            policy: self.policy.map(Path::to_owned),
            sets: self.sets.iter().map(|text| (*text).to_owned()).collect(),
            host_name: Some("host-1".to_owned()),
            ..Sources::default()
        }
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        config::load(&self.sources())
    }
}

fn set(sets: &[&str]) -> Result<Config, ConfigErrors> {
    Given { sets, ..Given::default() }.load()
}

/// A directory with files.
fn files(contents: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in contents {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn yaml(text: &str) -> Result<Config, ConfigErrors> {
    let directory = files(&[("odrwatch.yaml", text)]);
    Given { file: Some(&directory.path().join("odrwatch.yaml")), ..Given::default() }.load()
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares with a golden file; the directory of the test is written as `DIR`.
fn assert_golden(name: &str, directory: &Path, actual: &str) {
    let actual = actual.replace(&directory.display().to_string(), "DIR") + "\n";
    let path = in_repository("tests/golden/config").join(name);
    if std::env::vars_os().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "differs from {}", path.display());
}

// Layers.

#[test]
fn later_layers_override_earlier_ones_key_by_key() {
    let directory = files(&[(
        "c.yaml",
        "kafka: {group: file, instance: file}\nengine: {workers: 2, max_ahead_ms: 2}\n",
    )]);
    let path = directory.path().join("c.yaml");
    let given = Given {
        file: Some(&path),
        variables: &[
            ("ODRWATCH__KAFKA__INSTANCE", "environment"),
            ("ODRWATCH__ENGINE__WORKERS", "3"),
        ],
        sets: &["engine.workers=4", "engine.workers=5", "log.format=json"],
        ..Given::default()
    };
    let config = given.load().unwrap();
    assert_eq!(config.kafka.group, "file");
    assert_eq!(config.kafka.instance, "environment");
    assert_eq!(config.engine.workers, 5);
    assert_eq!(config.engine.max_ahead_ms, 2);
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.engine.idle_after_ms, 1000);
}

#[test]
fn keys_of_engine_and_policy_are_settable_by_bare_name_and_by_path() {
    let names = [
        ("boundary_ms", "10000"),
        ("idle_after_ms", "7"),
        ("max_record_bytes", "7"),
        ("max_ahead_ms", "7"),
        ("max_clock_ahead_ms", "7"),
        ("purchase_ahead_ms", "7"),
        ("partitioner", "off"),
        ("alerts_from", "earliest"),
    ];
    for (name, value) in names {
        let bare = set(&[&format!("{name}={value}")]).unwrap();
        assert_eq!(bare, set(&[&format!("engine.{name}={value}")]).unwrap());
        assert_ne!(bare, set(&[]).unwrap(), "{name}");
    }
    let policy = set(&["scopes=afn, all", "views=official,live", "time_zone=america/los_angeles"]);
    let policy = policy.unwrap().policy;
    assert_eq!(policy.scopes, [Scope::All, Scope::Afn]);
    assert_eq!(policy.views, [View::Live, View::Official]);
    assert_eq!(policy.time_zone.name(), "America/Los_Angeles");
}

#[test]
fn every_key_takes_its_default_from_the_environment() {
    for (path, key) in Keys::of_config().iter() {
        let value = match &key.default {
            Value::String(text) => text.clone(),
            Value::Array(words) => words[0].as_str().unwrap().to_owned(),
            Value::Null | Value::Object(_) => continue,
            other => other.to_string(),
        };
        let variable = format!("ODRWATCH__{}", path.replace('.', "__").to_uppercase());
        let variables = [(variable.as_str(), value.as_str())];
        let config = Given { variables: &variables, ..Given::default() }.load();
        assert_eq!(config.unwrap(), set(&[]).unwrap(), "{path}");
    }
}

#[test]
fn values_become_the_types_that_the_rest_uses() {
    let config = yaml(
        "engine: {alerts_from: 2026-01-31T00:00:00.5Z, dead_letter_breaker_percent: 0}\n\
         kafka: {topics: {claims: az-claims}, heartbeat_interval_ms: 100}\n\
         http: {listen: '[::]:0', insecure: true}\n",
    );
    let config = config.unwrap();
    let time = RecordTime::from_ms(1_769_817_600_500);
    assert_eq!(config.engine.alerts_from, Some(AlertsFrom::At(time)));
    assert_eq!(config.engine.dead_letter_breaker_percent, None);
    assert_eq!(config.engine.partitioner, Partitioner::Murmur2);
    assert_eq!(config.engine.boundary.ms(), 5000);
    assert_eq!(config.kafka.topics.input(Topic::Claims), "az-claims");
    assert_eq!(config.kafka.topics.input(Topic::Orders), "orders");
    assert_eq!(config.kafka.heartbeat_interval, Duration::from_millis(100));
    assert!(config.http.listen.is_ipv6());
}

#[test]
fn empty_files_and_empty_sections_are_the_defaults() {
    for text in ["", "# nothing\n", "kafka:\nengine:\n", "kafka: {topics: , properties: }\n"] {
        assert_eq!(yaml(text).unwrap(), set(&[]).unwrap(), "{text:?}");
    }
}

#[test]
fn anchors_and_merges_are_read() {
    let config = yaml("engine: &e {max_ahead_ms: 5, workers: 2}\nlog: {level: debug}\n");
    assert_eq!(config.unwrap().engine.max_ahead_ms, 5);
    let config = yaml("kafka:\n  group: &name shop\n  instance: *name\n").unwrap();
    assert_eq!(config.kafka.instance, "shop");
}

#[test]
fn every_number_takes_both_ends_of_its_range() {
    for (path, key) in Keys::of_config().iter() {
        let Kind::Integer { min, max } = key.kind else {
            continue;
        };
        // What the key must not contradict is out of the way.
        let companion = match path {
            "policy.warning_clear_bp" => "policy.warning_bp=10000",
            "policy.critical_clear_bp" => "policy.critical_bp=10000",
            "kafka.heartbeat_interval_ms" => "kafka.session_timeout_ms=300000",
            "engine.commit_interval_ms" => "kafka.transaction_timeout_ms=900000",
            _ => "log.level=info",
        };
        for number in [min, max] {
            let config = set(&[companion, &format!("{path}={number}")]);
            assert!(config.is_ok(), "{}", config.unwrap_err());
        }
        for number in [i128::from(min) - 1, i128::from(max) + 1] {
            let errors = set(&[companion, &format!("{path}={number}")]).unwrap_err();
            assert_eq!(errors.mistakes().len(), 1, "{errors}");
            assert_eq!(errors.mistakes()[0].key, path);
        }
    }
}

// Policy files.

#[test]
fn a_policy_file_is_the_whole_policy_of_its_layer_and_those_below() {
    let directory = files(&[
        ("strict.json", "{\"warning_bp\": 50,\n\t\"scopes\": [\"mfn\", \"all\"]}"),
        ("c.yaml", "policy: {file: strict.json, min_orders: 5}\n"),
        ("other.yaml", "critical_bp: 300\n"),
    ]);
    let (file, other) = (directory.path().join("c.yaml"), directory.path().join("other.yaml"));
    let given = Given { file: Some(&file), sets: &["warning_min_defects=2"], ..Given::default() };
    let policy = given.load().unwrap().policy;
    assert_eq!((policy.warning.raise_bp, policy.warning.clear_bp), (50, 50));
    assert_eq!((policy.warning.min_defects, policy.min_orders), (2, 5));
    assert_eq!(policy.scopes, [Scope::All, Scope::Mfn]);
    // --policy replaces what the configuration said; --set still goes over it.
    let given = Given { policy: Some(&other), ..given };
    let policy = given.load().unwrap().policy;
    assert_eq!((policy.warning.raise_bp, policy.min_orders), (100, 1));
    assert_eq!((policy.critical.raise_bp, policy.warning.min_defects), (300, 2));
}

#[test]
fn mistakes_in_a_policy_file_are_listed_with_its_lines() {
    let directory = files(&[(
        "p.yaml",
        "window_days: 401\ncritical_clear_bp: 201\nscopes: [all, all]\nviews: [lively]\n\
         count_open_claims: yes\ntime_zone: Europe/Pariss\ncycle_anchor: 1970-02-30\n\
         file: other.yaml\nwarning: 100\nnegative_rating_max: 5\nmin_orders: 0\n\
         warning_bp: 100\nwarning_clear_bp: 150\nrestriction_cycles: -1\npolicy_version:\n",
    )]);
    let errors = config::load_policy(&directory.path().join("p.yaml")).unwrap_err();
    assert_golden("policy_mistakes.txt", directory.path(), &errors.to_string());
    let missing = config::load_policy(&directory.path().join("none.yaml")).unwrap_err();
    assert_golden("policy_missing.txt", directory.path(), &missing.to_string());
}

// Mistakes.

#[test]
fn all_mistakes_are_listed_at_once_with_their_origins() {
    let directory = files(&[(
        "odrwatch.yaml",
        "kafka:
  bootstrap_server: b1:9092
  bootstrap_servers: 'b1:9092,b2:none'
  group: a b
  group: c
  session_timeout_ms: 2000
  heartbeat_interval_ms: 2000
  topics:
    alerts: orders
    feedback: 7
  properties:
    group.id: mine
    security.protocol: SSL
    sasl.password: canary
    Enable.Auto.Commit: true
    nested: {a: canary}
  properties_file:
    sasl.password: nowhere
    ssl.key.password: nowhere
engine:
  workers: 0
  boundary_ms: 7000
  idle_after_ms: 1s
  max_ahead_ms: -1
  partitioner: murmur
  alerts_from: 2026-01-31
  max_orders:
  dead_letter_breaker_percent: 50.5
  boundry_ms: 5000
  colour: blue
warning_bp: 100
http: 127.0.0.1:9464
log:
  format: [json]
  level: verbose
policy:
  warning_clear_bp: 101
",
    )]);
    let path = directory.path().join("odrwatch.yaml");
    let given = Given {
        file: Some(&path),
        variables: &[
            ("ODRWATCH__KAFKA__BOOTSTRAP_SERVER", "b1:9092"),
            ("ODRWATCH__ENGINE__COMMIT_INTERVAL_MS", "100ms"),
            ("ODRWATCH__BOUNDARY_MS", "5000"),
        ],
        sets: &["max_accounts=1e6", "engine.max_orphan=1", "canary", "views="],
        ..Given::default()
    };
    let errors = given.load().unwrap_err();
    assert!(errors.mistakes().len() >= 30, "{}", errors.mistakes().len());
    assert_golden("all_mistakes.txt", directory.path(), &errors.to_string());
}

#[test]
fn broken_files_are_one_mistake_with_a_place() {
    let texts = [
        ("missing", None),
        ("list", Some("- a\n- b\n")),
        ("open_bracket", Some("kafka:\n  group: [a\n")),
        ("tab", Some("kafka:\n\tgroup: a\n")),
        ("two_documents", Some("log: {level: info}\n---\nlog: {level: debug}\n")),
        ("unknown_alias", Some("log: *nowhere\n")),
        ("text", Some("hello\n")),
    ];
    let mut all = String::new();
    for (name, text) in texts {
        let directory = files(&[]);
        let path = directory.path().join("c.yaml");
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let errors = Given { file: Some(&path), ..Given::default() }.load().unwrap_err();
        assert_eq!(errors.mistakes().len(), 1, "{name}: {errors}");
        let said = errors.to_string().replace(&directory.path().display().to_string(), "DIR");
        writeln!(all, "{name}: {said}").unwrap();
    }
    assert_golden("broken_files.txt", Path::new("DIR"), all.trim_end());
}

#[test]
fn what_contradicts_is_refused_and_the_edge_is_not() {
    let wrong = [
        "kafka.heartbeat_interval_ms=10000",
        "kafka.transaction_timeout_ms=1000 engine.commit_interval_ms=1000",
        "policy.warning_clear_bp=101",
        "policy.critical_bp=150 policy.critical_clear_bp=151",
        "kafka.topics.alerts=odr-status",
        "kafka.topics.alerts=odr.a kafka.topics.status=odr_a",
        "boundary_ms=7000",
        "kafka.group=",
        "kafka.instance=a/b",
        "kafka.topics.orders=..",
        "kafka.bootstrap_servers=",
        "kafka.bootstrap_servers=a:0",
        "http.listen=9464",
        "http.listen=localhost:9464",
        "http.listen=0.0.0.0:9464",
        "http.listen=[::]:9464",
        "http.listen=192.0.2.7:9464 http.allowed_hosts=odr.example",
        "http.token_file=/nowhere",
        "http.allowed_hosts=http://odr.example",
        "http.allowed_hosts=odr.example:80",
        "alerts_from=2026-01-31 00:00:00Z",
        "alerts_from=2026-01-31T00:00:00",
        "alerts_from=Live",
        "policy.file=/nowhere.yaml",
    ];
    for sets in wrong {
        // The only value with a space in it is a time.
        let time = sets.starts_with("alerts_from");
        let sets: Vec<_> = if time { vec![sets] } else { sets.split(' ').collect() };
        let errors = set(&sets).unwrap_err();
        assert_eq!(errors.mistakes().len(), 1, "{sets:?}: {errors}");
    }
    let right: [&[&str]; 10] = [
        &["kafka.heartbeat_interval_ms=9999"],
        &["policy.warning_clear_bp=100"],
        &["policy.warning_clear_bp=0"],
        &["boundary_ms=900000"],
        &["kafka.bootstrap_servers=a, SSL://b:1,[::1]:9092"],
        &["http.listen=0.0.0.0:0", "http.insecure=true"],
        &["http.listen=127.8.9.10:0"],
        &["http.listen=[::ffff:127.0.0.1]:0"],
        &["http.allowed_hosts=odr.example, Odr-2.example,::1"],
        &["alerts_from=1999-12-31t23:00:00.123456+05:30"],
    ];
    for sets in right {
        assert!(set(sets).is_ok(), "{sets:?}: {:?}", set(sets));
    }
}

#[test]
fn each_owned_property_is_refused_and_its_replacement_is_a_key() {
    let keys = Keys::of_config();
    for owned in OWNED_PROPERTIES {
        let errors = set(&[&format!("kafka.properties.{}=x", owned.name)]).unwrap_err();
        let said = errors.to_string();
        assert!(said.contains(owned.reason), "{said}");
        if let Some(instead) = owned.instead {
            assert!(keys.get(instead).is_some(), "{instead}");
        }
        assert!(set(&[&format!("kafka.properties_file.{}=x", owned.name)]).is_err());
    }
}

#[test]
fn keys_in_a_file_are_nested_and_never_joined_by_dots() {
    for text in ["kafka.group: a\n", "kafka: {topics.orders: a}\n", "'': {log: {level: info}}\n"] {
        let errors = yaml(text).unwrap_err();
        assert_eq!(errors.mistakes().len(), 1, "{errors}");
        assert!(errors.to_string().contains("nested"), "{errors}");
    }
}

// Secrets; what is shown of them is in `shown`.

#[test]
fn no_mistake_quotes_a_secret() {
    let directory = files(&[("empty", ""), ("zero", "canary\0"), ("binary", "x")]);
    fs::write(directory.path().join("binary"), b"canary\xFF").unwrap();
    for name in ["empty", "zero", "binary", "none", ""] {
        let path = directory.path().join(name).display().to_string();
        let errors = set(&[
            &format!("kafka.properties_file.sasl.password={path}"),
            "kafka.properties.sasl.password=canary",
            "kafka.properties.SASL.password=canary",
            "kafka.property.sasl.password=canary",
            "sasl.password=canary",
            "kafka.properties=canary",
            "kafka.properties.group.id=canary",
        ]);
        let errors = errors.unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains("canary"), "{errors}");
        let alone = set(&[&format!("kafka.properties_file.sasl.password={path}")]).unwrap_err();
        assert!(!format!("{alone} {alone:?}").contains("canary"), "{alone}");
    }
    for text in [
        "kafka:\n  properties: canary\n",
        "kafka:\n  properties: [canary]\n",
        "kafka:\n  properties:\n    sasl.password: [canary]\n",
        "kafka:\n  properties:\n    sasl.password: canary\n    sasl.password: canary\n",
        "kafka:\n  properties:\n    sasl.password: \"canary\n",
        "kafka:\n  properties:\n    sasl.password: canary: canary\n",
        "kafka:\n  properties:\n    sasl.password: *canary\n",
    ] {
        let errors = yaml(text).unwrap_err();
        let shown = format!("{errors} {errors:?}");
        // An alias is a name, not a value.
        let shown = shown.replace("*canary", "").replace("alias canary", "");
        assert!(!shown.contains("canary"), "{shown}");
    }
}
