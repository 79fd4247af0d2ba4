//! `odrwatch verify` beside a real broker: it agrees with an honest history, also while it is being
//! made, and names what was forged.

use std::process::{Command, Stdio};

use odrwatch::pipeline::ports::OutTopic;
use odrwatch::wire::progress;
use serde_json::Value;

use super::check::committed_alerts;
use super::child::Odrwatch;
use super::feed::{History, Written, feedback, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::Deadline;
use crate::support::process;
use crate::support::topics::{Isolation, Record, Stored, produce, read_all};

const HISTORY: History = History { seed: 31, hostile: 6_000, bulk: 12_000 };

/// Verifies the topics of a stage: exit code, what it printed as JSON, what it said.
fn verify(stage: &Stage, more: &[&str]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.args(["verify", "--format", "json"]);
    for set in stage.sets("verify") {
        command.args(["--set", &set]);
    }
    for set in more {
        command.args(["--set", set]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = process::spawn(command).unwrap().wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let printed = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), printed, said)
}

/// The differences as kind, shard, number and offset.
fn listed(printed: &Value) -> Vec<(String, i64, Option<i64>, Option<i64>)> {
    let one = |one: &Value| {
        let kind = one["kind"].as_str().unwrap().to_owned();
        (kind, one["shard"].as_i64().unwrap(), one["number"].as_i64(), one["offset"].as_i64())
    };
    printed["different"].as_array().unwrap().iter().map(one).collect()
}

fn sum(printed: &Value, member: &str) -> u64 {
    printed["shards"].as_array().unwrap().iter().map(|shard| shard[member].as_u64().unwrap()).sum()
}

/// A history that a service worked through; it is stopped.
fn worked_through(name: &'static str, written: &mut Written) -> Stage {
    let stage = Stage::new(name, 2);
    written.produce_all(&stage, &HISTORY.records(&stage));
    let mut service = Odrwatch::start(&stage, "a", &[]);
    Probe::new(&stage).await_done(written, &mut [&mut service]);
    service.stop();
    stage
}

fn alerts_of(stage: &Stage) -> Vec<Stored> {
    read_all(&stage.bootstrap(), &stage.output(OutTopic::Alerts), Isolation::ReadCommitted)
}

/// A record with the content of another, in the same partition.
fn copied(topic: &str, from: &Stored) -> Record {
    Record {
        topic: topic.to_owned(),
        partition: from.partition,
        timestamp: from.timestamp,
        key: from.key.clone(),
        value: from.value.clone(),
        headers: from.headers.clone(),
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn an_honest_history_agrees_also_while_it_is_being_made() {
    let stage = Stage::new("verified", 2);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let probe = Probe::new(&stage);
    let sets = ["kafka.queue_memory_kbytes=1024", "engine.commit_interval_ms=10"];
    let mut service = Odrwatch::start(&stage, "a", &sets);
    let (mut runs, mut later) = (0, 0);
    // While it catches up, and once it is live with new alerts coming.
    while probe.missing(&written).is_none_or(|missing| !missing.is_empty()) {
        service.must_run();
        let (code, printed, said) = verify(&stage, &[]);
        assert_eq!(code, 0, "{printed}\n{said}");
        (runs, later) = (runs + 1, later + sum(&printed, "alerts_later"));
    }
    service.await_ready();
    for n in 0..3 {
        let (now, id) = (now_ms(), format!("302-{n}"));
        written.produce(&stage, &[order(&stage, "S", &id, now), feedback(&stage, "S", &id, now)]);
        let (code, printed, said) = verify(&stage, &[]);
        assert_eq!(code, 0, "{printed}\n{said}");
        runs += 1;
    }
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    let (code, printed, said) = verify(&stage, &[]);
    assert_eq!((code, &printed["agrees"]), (0, &Value::Bool(true)), "{printed}\n{said}");
    let alerts = committed_alerts(&stage).concat().lines().count();
    assert_eq!(sum(&printed, "alerts"), u64::try_from(alerts).unwrap());
    assert!(alerts > 50 && sum(&printed, "progress_records") > 2, "{printed}");
    println!("{runs} runs beside the service, {later} alerts committed meanwhile, {alerts} in all");
}

#[test]
fn forged_alerts_are_listed_with_both_lines() {
    let mut written = Written::default();
    let stage = worked_through("forged", &mut written);
    let alerts = alerts_of(&stage);
    let topic = stage.output(OutTopic::Alerts);
    let again = copied(&topic, &alerts[3]);
    let text = String::from_utf8(alerts[5].value.clone().unwrap()).unwrap();
    let seq: Value = serde_json::from_str(&text).unwrap();
    let beyond = text.replacen(&format!("\"seq\":{}", seq["seq"]), "\"seq\":99999999", 1);
    let beyond = Record { value: Some(beyond.into_bytes()), ..copied(&topic, &alerts[5]) };
    let noise = Record { value: Some(b"\x1b[31mred".to_vec()), ..copied(&topic, &alerts[5]) };
    let offsets = produce(&stage.bootstrap(), &[again, beyond, noise]);
    let (code, printed, said) = verify(&stage, &[]);
    assert_eq!(code, 1, "{printed}\n{said}");
    let of = |stored: &Stored| {
        let value: Value = serde_json::from_slice(stored.value.as_ref().unwrap()).unwrap();
        (i64::from(stored.partition), value["seq"].as_i64().unwrap())
    };
    let ((shard, number), (other, _)) = (of(&alerts[3]), of(&alerts[5]));
    let mut expected = vec![
        ("extra".to_owned(), shard, Some(number), Some(offsets[0])),
        ("extra".to_owned(), other, Some(99_999_999), Some(offsets[1])),
        ("extra".to_owned(), other, None, Some(offsets[2])),
    ];
    let mut found = listed(&printed);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let different = printed["different"].as_array().unwrap();
    let again = different.iter().find(|one| one["offset"] == offsets[0]).unwrap();
    assert_eq!(again["found"].as_str().unwrap().as_bytes(), alerts[3].value.as_ref().unwrap());
    assert!(said.contains("3 of what is committed is not what the inputs give"), "{said}");
}

#[test]
fn a_rewritten_topic_lacks_what_was_removed_and_shows_what_was_changed() {
    let mut written = Written::default();
    let stage = worked_through("rewritten", &mut written);
    let alerts = alerts_of(&stage);
    // A topic of another name with the same alerts, but one removed and one changed.
    let topic = "rewritten-others";
    crate::support::topics::create_topics(
        &stage.bootstrap(),
        &[(topic, 2, &[("retention.ms", "-1"), ("message.timestamp.type", "CreateTime")])],
    );
    let (removed, changed) = (2, 7);
    let mut records: Vec<Record> = alerts.iter().map(|alert| copied(topic, alert)).collect();
    let text = String::from_utf8(records[changed].value.clone().unwrap()).unwrap();
    records[changed].value =
        Some(text.replacen("\"defective_orders\":", "\"defective_orders\":1", 1).into_bytes());
    records.remove(removed);
    produce(&stage.bootstrap(), &records);
    let (code, printed, said) = verify(&stage, &[&format!("kafka.topics.alerts={topic}")]);
    assert_eq!(code, 1, "{printed}\n{said}");
    let different = printed["different"].as_array().unwrap();
    assert_eq!(different.len(), 2, "{printed}");
    let line = |place: usize| String::from_utf8(alerts[place].value.clone().unwrap()).unwrap();
    let of = |kind: &str| different.iter().find(|one| one["kind"] == kind).unwrap();
    let missing = of("missing");
    assert_eq!(
        (missing["expected"].as_str().unwrap(), &missing["found"]),
        (&*line(2), &Value::Null)
    );
    let other = of("different");
    assert_eq!(other["expected"].as_str().unwrap(), line(changed));
    assert_ne!(other["found"].as_str().unwrap(), line(changed));
    assert_eq!(other["parts"], serde_json::json!(["value"]));
    let key = String::from_utf8(alerts[changed].key.clone().unwrap()).unwrap();
    assert_eq!(other["key"].as_str().unwrap(), key);
}

#[test]
fn an_altered_digest_is_named_by_its_progress_record() {
    let mut written = Written::default();
    let stage = worked_through("altered", &mut written);
    let from = stage.output(OutTopic::Progress);
    let records = read_all(&stage.bootstrap(), &from, Isolation::ReadCommitted);
    let topic = "altered-others";
    crate::support::topics::create_topics(
        &stage.bootstrap(),
        &[(topic, 2, &[("retention.ms", "-1"), ("message.timestamp.type", "LogAppendTime")])],
    );
    let mut copies: Vec<Record> = records
        .iter()
        .filter(|record| record.value.is_some())
        .map(|record| copied(topic, record))
        .collect();
    let at = copies.len() / 3;
    let mut altered = progress::decode(copies[at].value.as_ref().unwrap()).unwrap();
    altered.digest.0 ^= 1 << 77;
    let mut value = Vec::new();
    progress::write_value(&altered, &mut value);
    copies[at].value = Some(value);
    let offsets = produce(&stage.bootstrap(), &copies);
    let other = format!("kafka.topics.progress={topic}");
    let (code, printed, said) = verify(&stage, &[&other]);
    assert_eq!(code, 1, "{printed}\n{said}");
    let (shard, number) = (i64::from(altered.shard.get()), i64::try_from(altered.number).unwrap());
    let expected = ("progress".to_owned(), shard, Some(number), Some(offsets[at]));
    assert_eq!(listed(&printed), [expected]);
}

#[test]
fn behind_retention_it_begins_with_a_snapshot_and_without_one_it_cannot_tell() {
    let stage = Stage::new("anchored", 2);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let probe = Probe::new(&stage);
    let sets = ["snapshots.store=kafka", "snapshots.interval_ms=1000"];
    let mut service = Odrwatch::start(&stage, "a", &sets);
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    stage.drop_committed_inputs();
    let mut service = Odrwatch::start(&stage, "a", &["snapshots.store=kafka"]);
    service.await_ready();
    let before = committed_alerts(&stage).concat().lines().count();
    let (now, id) = (now_ms(), "302-9");
    written.produce(&stage, &[order(&stage, "S", id, now), feedback(&stage, "S", id, now)]);
    probe.await_done(&written, &mut [&mut service]);
    let deadline = Deadline::of_step();
    while committed_alerts(&stage).concat().lines().count() == before {
        service.must_run();
        deadline.wait(|| "the alert of the last order".to_owned());
    }
    let (code, printed, said) = verify(&stage, &["snapshots.store=kafka"]);
    assert_eq!(code, 0, "{printed}\n{said}");
    assert!(printed["shards"].as_array().unwrap().iter().all(|shard| shard["anchor"].is_u64()));
    assert!(sum(&printed, "alerts_before") > 0 && sum(&printed, "alerts") > 0, "{printed}");
    let (code, printed, said) = verify(&stage, &[]);
    assert_eq!((code, &printed), (66, &Value::Null), "{said}");
    assert!(said.contains("lost to retention") && said.contains("no snapshot"), "{said}");
    service.stop();
}
