//! What the broker must allow: with the entries of `deploy/kafka-acls.sh` the service comes to be
//! ready, and without any one of them it ends with 77 and says what was refused.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use odrwatch::kafka::{Creation, KafkaConfig, TopicLayout, create_topics};
use tempfile::TempDir;

use super::child::Odrwatch;
use crate::support::broker::KafkaBroker;

/// The principal of the script's test.
const FULL: &str = "full";

/// An entry: kind of resource, name, kind of pattern, operation.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    kind: &'static str,
    name: String,
    pattern: &'static str,
    operation: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name, pattern, operation } = self;
        write!(formatter, "{kind} {name} {pattern} {operation}")
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the script, and returns what it said.
fn script(prepare: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(repository("deploy/kafka-acls.sh"));
    command.env("PRINCIPAL", format!("User:{FULL}")).stdin(Stdio::null());
    prepare(&mut command);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{error}");
    said
}

/// The entries that the script adds.
fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    let printed = script(|command| {
        command.arg("--print");
    });
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of = |flag: &'static str| {
            words.windows(2).filter(move |pair| pair[0] == flag).map(|pair| pair[1])
        };
        let pattern = if line.contains(" prefixed ") { "PREFIXED" } else { "LITERAL" };
        for (flag, kind) in
            [("--topic", "TOPIC"), ("--group", "GROUP"), ("--transactional-id", "TRANSACTIONAL_ID")]
        {
            for name in of(flag) {
                for operation in of("--operation") {
                    let operation = match operation {
                        "DescribeConfigs" => "DESCRIBE_CONFIGS".to_owned(),
                        other => other.to_uppercase(),
                    };
                    entries.push(Entry { kind, name: name.to_owned(), pattern, operation });
                }
            }
        }
    }
    entries
}

/// The service of a user, which writes to the default topics.
fn start(address: &str, user: &str) -> Odrwatch {
    let sets = [
        format!("kafka.bootstrap_servers={address}"),
        format!("kafka.instance={user}"),
        "kafka.session_timeout_ms=6000".to_owned(),
        "http.listen=127.0.0.1:0".to_owned(),
    ];
    let file = format!(
        "kafka:\n  properties:\n    security.protocol: sasl_plaintext\n    \
         sasl.mechanism: PLAIN\n    sasl.username: {user}\n    sasl.password: {user}\n"
    );
    Odrwatch::start_by(&sets, Some(&file))
}

#[test]
#[expect(clippy::print_stdout, reason = "what was refused")]
fn with_the_scripts_entries_it_is_ready_and_without_any_one_it_is_refused() {
    // Without DescribeConfigs it believes the topics' settings, and warns. Outputs are read only
    // where a broker has committed a transaction in part, without snapshots it goes on, and without
    // a bridge its group is nobody's.
    let (settings, rest): (Vec<Entry>, Vec<Entry>) =
        entries().into_iter().partition(|entry| entry.operation == "DESCRIBE_CONFIGS");
    let is_optional = |entry: &Entry| {
        let outputs = ["odr-alerts", "odr-status", "odr-dead-letters", "odr-advice"];
        let is_output = outputs.contains(&entry.name.as_str());
        let is_left_out = ["odr-snapshots", "odrwatch-bridge"].contains(&entry.name.as_str());
        is_left_out || is_output && entry.operation == "READ"
    };
    let (optional, needed): (Vec<Entry>, Vec<Entry>) = rest.into_iter().partition(is_optional);
    assert_eq!((needed.len(), optional.len(), settings.len()), (12, 7, 10));
    let without = |n: usize| format!("without{n}");
    let mut users: Vec<String> = (0..needed.len()).map(without).collect();
    users.extend([FULL.to_owned(), "nosettings".to_owned()]);
    let (broker, address) = KafkaBroker::start_guarded(&users);
    let mut config = KafkaConfig::new(&broker.bootstrap(), "odrwatch", "none");
    config.topics.snapshots = "odr-snapshots".to_owned();
    let layout = TopicLayout { partitions: 2, replication: Some(1), horizon_days: 75 };
    create_topics(&config, layout, Creation::Create).unwrap();

    // The script itself, with Kafka's own tool.
    let dir = TempDir::new().unwrap();
    let tool = dir.path().join("kafka-acls.sh");
    let java = KafkaBroker::java("org.apache.kafka.tools.AclCommand");
    let words: Vec<String> = std::iter::once(java.get_program())
        .chain(java.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    fs::write(&tool, format!("#!/bin/sh\nexec {} \"$@\"\n", words.join(" "))).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&tool, mode).unwrap();
    script(|command| {
        command.env("BOOTSTRAP", broker.bootstrap()).env("KAFKA_ACLS", &tool);
    });
    let mut full = start(&address, FULL);
    full.await_ready();
    assert!(!full.log().contains("may not be read"), "{}", full.log());
    full.stop();

    // Everyone else, each without one entry.
    let mut lines = String::new();
    for (n, missing) in needed.iter().enumerate() {
        let all = needed.iter().chain(&optional).chain(&settings);
        for entry in all.filter(|entry| *entry != missing) {
            lines.push_str(&format!("{entry} User:{}\n", without(n)));
        }
    }
    for entry in needed.iter().chain(&optional) {
        lines.push_str(&format!("{entry} User:nosettings\n"));
    }
    let file = dir.path().join("entries");
    fs::write(&file, lines).unwrap();
    let source = repository("tests/service/Allow.java");
    let output = KafkaBroker::java(source.to_str().unwrap())
        .arg(broker.bootstrap())
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut nosettings = start(&address, "nosettings");
    nosettings.await_ready();
    assert!(nosettings.log().contains("may not be read"), "{}", nosettings.log());
    nosettings.stop();
    for (n, missing) in needed.iter().enumerate() {
        let mut service = start(&address, &without(n));
        let code = service.wait();
        let log = service.log();
        let last = log.lines().last().unwrap_or_default();
        println!("without {missing}: {last}");
        assert_eq!(code, Some(77), "without {missing}:\n{log}");
        assert!(last.starts_with("odrwatch: "), "without {missing}:\n{log}");
    }
}
