//! The systemd unit and the access-control entries.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use odrwatch::commands::exit::ExitCode;

use crate::{defaults, is_command, path, text};

/// The values of a key of the unit.
fn unit(key: &str) -> Vec<String> {
    let unit = text("deploy/systemd/odrwatch.service");
    let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.map(str::to_owned).collect()
}

#[test]
fn the_unit_validates_before_it_runs_with_commands_that_exist() {
    for key in ["ExecStartPre", "ExecStart"] {
        let lines = unit(key);
        let [line] = &lines[..] else { panic!("{key}: {lines:?}") };
        let mut words = line.split_whitespace().map(str::to_owned);
        assert_eq!(words.next().as_deref(), Some("/usr/local/bin/odrwatch"));
        let args: Vec<String> = words.collect();
        is_command(&args);
        let command = if key == "ExecStart" { "run" } else { "validate" };
        assert_eq!(args[0], command);
    }
}

#[test]
fn the_unit_does_not_restart_what_a_restart_does_not_cure() {
    let stated: BTreeSet<u8> = unit("RestartPreventExitStatus")[0]
        .split_whitespace()
        .map(|code| code.parse().unwrap())
        .collect();
    let cured = [ExitCode::Ok, ExitCode::Unavailable, ExitCode::Temporary];
    let others = ExitCode::ALL.into_iter().filter(|code| !cured.contains(code));
    assert_eq!(stated, others.map(ExitCode::code).collect());
}

/// The entries that the script would add: kind of resource, name, operation.
fn entries(variables: &[(&str, &str)]) -> BTreeSet<(String, String, String)> {
    let output = Command::new(path("deploy/kafka-acls.sh"))
        .arg("--print")
        .env("PRINCIPAL", "User:odrwatch")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut entries = BTreeSet::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of = |flag: &str| {
            let pairs = words.windows(2).filter(move |pair| pair[0] == flag);
            pairs.map(|pair| pair[1].to_owned()).collect::<Vec<_>>()
        };
        for kind in ["--topic", "--group", "--transactional-id"] {
            for name in of(kind) {
                for operation in of("--operation") {
                    entries.insert((kind.to_owned(), name.clone(), operation));
                }
            }
        }
    }
    entries
}

#[test]
fn the_entries_are_those_of_the_default_topics_and_group_and_no_others() {
    let kafka = defaults().kafka;
    let names = &kafka.topics;
    let mut wanted = BTreeSet::new();
    let mut want = |kind: &str, name: &str, operations: &[&str]| {
        for operation in operations {
            wanted.insert((kind.to_owned(), name.to_owned(), (*operation).to_owned()));
        }
    };
    for input in &names.inputs {
        want("--topic", input, &["Read", "DescribeConfigs"]);
    }
    for output in [&names.alerts, &names.status, &names.dead_letters, &names.advice] {
        want("--topic", output, &["Read", "Write", "DescribeConfigs"]);
    }
    want("--topic", &names.progress, &["Read", "Write", "DescribeConfigs"]);
    want("--topic", &names.snapshots, &["Read", "Write", "DescribeConfigs"]);
    want("--group", &kafka.group, &["Read"]);
    want("--group", &defaults().bridge.group, &["Read"]);
    want("--transactional-id", &format!("{}-", kafka.group), &["Write"]);
    assert_eq!(entries(&[]), wanted);
}

#[test]
fn the_entries_follow_other_names() {
    let all = entries(&[("GROUP", "g"), ("ORDERS", "o"), ("PROGRESS", "p")]);
    let has = |kind: &str, name: &str| all.iter().any(|entry| entry.0 == kind && entry.1 == name);
    assert!(has("--group", "g") && has("--transactional-id", "g-"));
    assert!(has("--topic", "o") && has("--topic", "p"));
    assert!(!has("--topic", "orders") && !has("--topic", "odr-progress"));
}
