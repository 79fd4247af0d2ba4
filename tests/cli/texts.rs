//! What the program says of itself, and how it ends.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::command::{done, odrwatch, run, text};

#[test]
fn help_and_version_end_with_0_and_go_to_the_standard_output() {
    assert_eq!(done(&["--version"]).out, format!("odrwatch {}\n", env!("CARGO_PKG_VERSION")));
    let help = done(&["--help"]).out;
    let commands = [
        "run",
        "replay",
        "verify",
        "demo",
        "validate",
        "advise",
        "topics",
        "dlq",
        "schema",
        "completions",
        "man",
    ];
    for command in commands {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in {help}");
        assert!(done(&[command, "--help"]).out.contains("Usage: odrwatch "), "{command}");
    }
}

#[test]
fn each_kind_of_failure_ends_with_its_own_code_and_tells_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("other.txt");
    fs::write(&other, "no record\n").unwrap();
    let other = text(&other);
    for (args, code, part) in [
        (&["fly"][..], 64, "fly"),
        (&["replay", "--until", "yesterday", "x"], 64, "not a time such as"),
        (&["replay", other], 64, "other.txt:1: not a record: "),
        (&["replay", "--partitions", "1", other], 64, "other.txt:1: not a record: "),
        (&["replay", "-", "-"], 64, "more than once"),
        (&["replay", "/nowhere/x"], 69, "cannot read /nowhere/x: No such file"),
        (&["replay", "/"], 69, "cannot read /: "),
        (&["replay", "--out", "/proc/x", "/dev/null"], 69, "cannot make /proc/x"),
        (&["replay", "--policy", "/nowhere/p", "/dev/null"], 78, "/nowhere/p"),
        (
            &["replay", "--set", "max_acounts=1", "/dev/null"],
            78,
            "did you mean engine.max_accounts",
        ),
        (&["validate", "--set", "kafka.group=a b"], 78, "which is no usable name"),
        (
            &["replay", "--set", "kafka.properties.sasl.mechansim=PLAIN", "/dev/null"],
            78,
            "kafka.properties.sasl.mechansim is no setting of the Kafka client",
        ),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
        assert_eq!(ran.err.matches(part).count(), 1, "{args:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{args:?}");
    }
}

/// Compares with a golden file; `UPDATE_GOLDEN=1` writes it anew.
fn assert_golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cli").join(name);
    if std::env::vars_os().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "differs from {}", path.display());
}

#[test]
fn validate_lists_all_mistakes_or_tells_what_is_configured() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("odrwatch.yaml");
    fs::write(&file, "kafka: {group: a b, instance: host-1}\nengine:\n  worker: 2\n").unwrap();
    let wrong = run(&["validate", "--no-environment", "-c", text(&file)]);
    assert_eq!(wrong.code, 78);
    let directory = directory.path().display().to_string();
    assert_golden("validate_mistakes.txt", &wrong.err.replace(&directory, "DIR"));
    assert_eq!(wrong.out, "");
    let sets = ["--set", "kafka.instance=host-1", "--set", "alerts_from=2026-01-05T00:00:00Z"];
    let right = done(&[&["validate", "--no-environment"], &sets[..]].concat());
    assert_golden("validate.txt", &right.out);
    assert_eq!(right.err, "");
}

#[test]
fn validate_without_the_environment_reads_no_secret_and_asks_no_broker() {
    let args = ["validate", "--set", "kafka.properties_file.sasl.password=/nowhere/secret"];
    done(&[&args[..], &["--no-environment"]].concat());
    let ran = run(&args);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("/nowhere/secret"), "{}", ran.err);
}

#[test]
fn settings_that_the_kafka_client_does_not_take_are_listed_with_the_other_mistakes() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("odrwatch.yaml");
    let properties = "
kafka:
  properties:
    sasl.mechansim: PLAIN
    socket.timeout.ms: 1
    security.protocol: canary-1
    sasl.jaas.config: canary-2
    socket.keepalive.enable: canary-3
    client.rack: right
  properties_file:
    sasl.pasword: /nowhere/secret
    sasl.password: /nowhere/secret
engine:
  worker: 2
";
    fs::write(&file, properties).unwrap();
    let wrong = run(&["validate", "--no-environment", "-c", text(&file)]);
    assert_eq!((wrong.code, wrong.out.as_str()), (78, ""), "{}", wrong.err);
    assert!(!wrong.err.contains("canary"), "{}", wrong.err);
    for part in [
        "7 mistakes in the configuration:",
        "odrwatch.yaml:4:21: kafka.properties.sasl.mechansim is no setting of the Kafka client",
        "allowed: settings of librdkafka 2.",
        "kafka.properties.socket.timeout.ms is out of range\n    allowed: 10..=300000",
        "kafka.properties.security.protocol has a value that the Kafka client does not take",
        "kafka.properties.sasl.jaas.config is not taken: ",
        "kafka.properties.socket.keepalive.enable is no boolean\n    allowed: true, false",
        "kafka.properties_file.sasl.pasword is no setting of the Kafka client",
        "engine.worker is no known key",
    ] {
        assert!(wrong.err.contains(part), "{part} in {}", wrong.err);
    }
}

#[test]
fn a_replay_of_nothing_says_what_was_read_and_what_a_file_holds() {
    let nothing = done(&["replay", "/dev/null"]).out;
    let first = nothing.lines().next().unwrap_or_default();
    assert!(first.starts_with("0 records of the topics orders, feedback, "), "{nothing}");
    assert!(first.contains("`kcat -J`") && !first.contains("skipped"), "{nothing}");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("other.jsonl");
    let record = r#"{"topic":"others","partition":0,"offset":0,"ts":1,"key":"k","payload":"{}"}"#;
    fs::write(&file, format!("{record}\n")).unwrap();
    let others = done(&["replay", text(&file)]).out;
    assert!(others.contains("were read; 1 of other topics were skipped."), "{others}");
}

#[test]
fn a_command_that_asks_a_cluster_that_is_away_says_so_soon_and_once() {
    let dry_run = ["topics", "create", "--dry-run"];
    for command in [
        &dry_run[..],
        &["topics", "check"],
        &["validate"],
        &["dlq", "list"],
        &["dlq", "requeue", "--yes"],
    ] {
        // Nobody listens on port 9.
        let away = ["--set", "kafka.bootstrap_servers=127.0.0.1:9", "--log-format", "text"];
        let ran = run(&[command, &away[..]].concat());
        assert_eq!((ran.code, ran.err.lines().count()), (69, 1), "{}", ran.err);
        for part in ["odrwatch: ", "127.0.0.1:9", "Connection refused"] {
            assert!(ran.err.contains(part), "{part} in {}", ran.err);
        }
    }
}

#[test]
fn schemas_are_json_schemas() {
    for name in ["config", "events", "alerts"] {
        let schema: serde_json::Value = serde_json::from_str(&done(&["schema", name]).out).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
}

#[test]
fn every_shell_has_completions_for_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = done(&["completions", shell]).out;
        for word in
            ["replay", "validate", "from-kafka", "no-environment", "requeue", "newest-first"]
        {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
}

#[test]
fn the_manual_has_every_command_option_and_exit_code() {
    let page = done(&["man"]).out;
    assert!(page.contains(".TH odrwatch 1"));
    for command in ["REPLAY", "TOPICS CREATE", "VALIDATE", "DLQ REQUEUE"] {
        assert!(page.contains(&format!(".SH \"ODRWATCH {command}\"")), "{command}");
    }
    for part in
        ["\\-\\-from\\-kafka", "\\-\\-dry\\-run", "78  the configuration or the topics are wrong"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains(".SH \"ODRWATCH HELP"));
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    for args in [&["man"][..], &["schema", "config"], &["completions", "bash"], &["--help"]] {
        let mut child =
            odrwatch(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(err, "", "{args:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    }
}

#[test]
fn log_lines_have_the_form_and_the_colours_that_are_asked_for() {
    let err = |args: &[&str]| done(&[&["replay", "/dev/null"], args].concat()).err;
    let coloured = err(&["--log-format", "text", "--color", "always"]);
    assert!(coloured.contains("\u{1b}[") && coloured.contains("INFO"), "{coloured}");
    let plain = err(&["--log-format", "text"]);
    assert!(!plain.contains('\u{1b}') && plain.contains("INFO"), "{plain}");
    let json = err(&[]);
    assert!(json.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{json}");
    assert_eq!(err(&["-q"]), "");
}
