//! Whom HTTP answers, and the configuration as it is shown.

use std::fs;

use odrwatch::config::{self, Keys, Sources};
use serde_json::Value;

use super::{Given, files, set, yaml};

#[test]
fn an_open_address_is_refused_with_both_ways_out() {
    let said = set(&["http.listen=0.0.0.0:9464"]).unwrap_err().to_string();
    assert!(said.contains("http.token_file") && said.contains("http.insecure=true"), "{said}");
    let config = set(&[]).unwrap();
    assert!(config.http.may_listen("[::1]:80".parse().unwrap()).is_ok());
    let error = config.http.may_listen("192.0.2.7:80".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("http.token_file") && error.contains("http.insecure: true"), "{error}");
}

#[test]
fn a_token_is_read_from_its_file_and_shown_nowhere() {
    let directory = files(&[
        ("token", "canary-0123456789abcdef\n"),
        ("short", "canary"),
        ("spaced", "canary 0123456789 abcdef"),
        ("c.yaml", "http: {listen: '0.0.0.0:0', token_file: token}\n"),
    ]);
    let path = directory.path().join("c.yaml");
    let sources = Given { file: Some(&path), ..Given::default() }.sources();
    let config = config::load(&sources).unwrap();
    let token = config.http.token.as_ref().unwrap();
    assert_eq!(token.expose(), "canary-0123456789abcdef");
    assert!(!format!("{config:?} {}", config::shown(&config)).contains("canary"));
    for name in ["short", "spaced"] {
        let path = directory.path().join(name).display().to_string();
        let errors = set(&[&format!("http.token_file={path}")]).unwrap_err().to_string();
        assert!(errors.contains("16 to 1024") && !errors.contains("canary"), "{errors}");
    }
    let without = Sources { without_secrets: true, ..sources };
    assert_eq!(config::load(&without).unwrap().http.token, None);
}

#[test]
fn what_is_shown_has_every_key_and_says_the_same_again() {
    let given = [
        "http.listen=0.0.0.0:0",
        "http.insecure=true",
        "http.allowed_hosts=a.example,b.example",
        "alerts_from=2026-01-31T00:00:00Z",
        "time_zone=Europe/Berlin",
        "scopes=all,afn",
        "views=live,official",
        "warning_clear_bp=80",
        "cycle_anchor=1970-01-06",
        "kafka.properties.security.protocol=SSL",
    ];
    for sets in [&given[..], &[]] {
        let config = set(sets).unwrap();
        let shown = config::shown(&config);
        for (path, _) in Keys::of_config().iter() {
            // Where values come from is not shown: a policy's file, the files of secrets.
            if !["policy.file", "kafka.properties_file"].contains(&path) {
                let pointer = format!("/{}", path.replace('.', "/"));
                assert!(shown.pointer(&pointer).is_some(), "{path}");
            }
        }
        let mut again = shown;
        let absent = |value: &Value| value.is_null();
        for section in ["bridge", "engine", "http"] {
            let members = again[section].as_object_mut().unwrap();
            members.retain(|_, value| !absent(value));
        }
        assert_eq!(yaml(&again.to_string()).unwrap(), config);
    }
    let config = set(&["kafka.properties.sasl.password=canary"]).unwrap();
    let shown = config::shown(&config).to_string();
    assert!(!shown.contains("canary") && shown.contains("sasl.password"), "{shown}");
}

#[test]
fn secrets_come_from_files_and_are_shown_nowhere() {
    let directory = files(&[
        ("password", "canary-1\n"),
        (
            "c.yaml",
            "\
kafka:
  properties:
    security.protocol: SASL_SSL
    sasl.username: odrwatch
    ssl.key.password: canary-2
    socket.timeout.ms: 060000
  properties_file:
    sasl.password: password
",
        ),
    ]);
    let path = directory.path().join("c.yaml");
    let given = Given {
        file: Some(&path),
        variables: &[("ODRWATCH__KAFKA__PROPERTIES__SSL_KEYSTORE_PASSWORD", "canary-3")],
        sets: &["kafka.properties.sasl.oauthbearer.config=canary-4"],
        ..Given::default()
    };
    let sources = given.sources();
    let config = config::load(&sources).unwrap();
    let shown = format!("{sources:?} {config:?} {:?}", config.kafka.properties);
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("SASL_SSL") && shown.contains("[redacted]"), "{shown}");
    let values: Vec<_> = config
        .kafka
        .properties
        .iter()
        .map(|(name, value)| format!("{name}={}", value.expose()))
        .collect();
    assert_eq!(
        values,
        [
            "sasl.oauthbearer.config=canary-4",
            "sasl.password=canary-1",
            "sasl.username=odrwatch",
            "security.protocol=SASL_SSL",
            "socket.timeout.ms=060000",
            "ssl.key.password=canary-2",
            "ssl.keystore.password=canary-3",
        ]
    );
    // Without the files, the rest is as before.
    fs::remove_file(directory.path().join("password")).unwrap();
    assert!(config::load(&sources).is_err());
    let without = config::load(&Sources { without_secrets: true, ..sources }).unwrap();
    assert_eq!(without.kafka.properties.iter().count(), values.len() - 1);
}
