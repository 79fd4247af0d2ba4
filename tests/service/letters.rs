//! `odrwatch dlq` beside a real Kafka: dead letters are listed without what they hold, and given
//! back once, byte for byte.

use std::process::{Command, Stdio};

use odrwatch::domain::event::Topic;
use odrwatch::pipeline::ports::OutTopic;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::child::{Odrwatch, metric};
use super::feed::{CANARY, Written, feedback, keyed, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::process;
use crate::support::topics::{HeaderPair, Isolation, OpenTransaction, Record, Stored, read_all};

const HOUR_MS: i64 = 3_600_000;

/// A configuration that takes events three hours ahead of their records.
const LATER: &str = "engine.max_ahead_ms=10800000";

/// How a run of `odrwatch dlq` ended.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// What it printed; it must have ended well.
    fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    /// The objects that it printed, one a line.
    fn lines(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn dlq(stage: &Stage, args: &[&str], more: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.arg("dlq").args(args).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    for set in stage.sets("dlq").iter().map(String::as_str).chain(more.iter().copied()) {
        command.args(["--set", set]);
    }
    let output = process::spawn(command).unwrap().wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A feedback whose event is two hours later than its record: dead at first.
fn ahead(stage: &Stage, order: &str, at_ms: i64) -> Record {
    let headers = vec![("trace".to_owned(), Some(vec![0, 255, 27])), ("none".to_owned(), None)];
    let record = feedback(stage, "S", order, at_ms + 2 * HOUR_MS);
    Record { timestamp: at_ms, headers, ..record }
}

/// The records of a topic that readers of committed records see.
fn committed(stage: &Stage, topic: &str) -> Vec<Stored> {
    read_all(&stage.bootstrap(), topic, Isolation::ReadCommitted)
}

fn letters(stage: &Stage) -> Vec<Stored> {
    committed(stage, &stage.output(OutTopic::DeadLetters))
}

/// One good order, its feedback that is dead at first, and three that stay so.
fn written(stage: &Stage, probe: &Probe<'_>, service: &mut Odrwatch) -> (Written, Record) {
    let now = now_ms();
    let dead = ahead(stage, "302-1", now);
    let mut written = Written::default();
    written.produce(
        stage,
        &[
            order(stage, "S", "302-1", now),
            dead.clone(),
            keyed(stage, Topic::Feedback, "S", now - HOUR_MS, format!("{{\"{CANARY}\u{1b}[31m")),
            keyed(stage, Topic::Feedback, "S", now - HOUR_MS, format!("{{\"x\":\"{CANARY}\"}}")),
            keyed(stage, Topic::Claims, CANARY, now, format!("{CANARY}\u{1b}]0;own\u{7}")),
        ],
    );
    probe.await_done(&written, &mut [service]);
    (written, dead)
}

#[test]
fn dead_letters_are_shown_without_what_they_hold_and_given_back_once() {
    let stage = Stage::new("letters", 2);
    let place = TempDir::new().unwrap();
    let store = format!("snapshots.store=file://{}", place.path().display());
    let probe = Probe::new(&stage);
    let mut service = Odrwatch::start(&stage, "a", &[&store]);
    let (mut written, dead) = written(&stage, &probe, &mut service);
    service.stop();
    assert_eq!(letters(&stage).len(), 4);
    shown(&stage);

    // A dry run says what would be, and writes nothing.
    let feedback = stage.input(Topic::Feedback);
    let before = committed(&stage, &feedback);
    let by_reason = ["requeue", "--reason", "bad_time"];
    let today = dlq(&stage, &[&by_reason[..], &["--dry-run"]].concat(), &[]).done();
    assert!(today.contains("No letter to give back.\n1 letter not: bad_time\n"), "{today}");
    let planned = dlq(&stage, &[&by_reason[..], &["--dry-run"]].concat(), &[LATER]).done();
    assert!(planned.contains("1 letter would be given back; --yes does it.\n"), "{planned}");
    let (stays, back) = (["--format", "json", "--yes"], &[LATER]);
    let none = dlq(&stage, &[&["requeue", "--reason", "parse"], &stays[..]].concat(), back).lines();
    assert_eq!((&none[0]["given_back"], &none[0]["stay"]["parse"]), (&json!(0), &json!(2)));
    assert_eq!(committed(&stage, &feedback), before);
    assert_eq!(letters(&stage).len(), 4);

    // All of them are asked for; the one that can be read goes back.
    let given = dlq(&stage, &[&["requeue"], &stays[..]].concat(), back).lines();
    assert_eq!(given.len(), 2, "{given:?}");
    assert_eq!(given[1]["given_back"], 1, "{given:?}");
    assert_eq!(given[1]["stay"], json!({"missing_field": 1, "parse": 2}), "{given:?}");
    let all = committed(&stage, &feedback);
    let new: Vec<&Stored> = all.iter().filter(|record| !before.contains(record)).collect();
    let [new] = new[..] else { panic!("{new:?}") };
    same_bytes(&stage, new, &dead, &given[0]);
    not_again(&stage, &given[0], &all);
    is_counted(&stage, &store, &probe, &mut written, new);
}

/// Nobody is shown what a letter holds, unless it was asked for, and then escaped.
fn shown(stage: &Stage) {
    let list = dlq(stage, &["list", "--format", "json"], &[]).lines();
    assert_eq!(list.len(), 4, "{list:?}");
    let times: Vec<i64> = list.iter().map(|line| line["timestamp_ms"].as_i64().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let newest = dlq(stage, &["list", "--newest-first", "--limit", "2", "--format", "json"], &[]);
    let newest = newest.lines();
    assert_eq!(newest, [list[3].clone(), list[2].clone()]);
    let reasons = |args: &[&str]| -> Vec<Value> {
        let args = [&["list", "--format", "json"], args].concat();
        dlq(stage, &args, &[]).lines().iter().map(|line| line["reason"].clone()).collect()
    };
    assert_eq!(reasons(&["--topic", "claims"]), ["parse"]);
    assert_eq!(reasons(&["--topic", &stage.input(Topic::Claims)]), ["parse"]);
    assert_eq!(reasons(&["--reason", "bad_time"]), ["bad_time"]);
    let limit = (times[1] + 1).to_string();
    assert_eq!(reasons(&["--until", &limit]).len(), 2);
    assert_eq!(reasons(&["--since", &limit]).len(), 2);
    assert_eq!(dlq(stage, &["list", "--topic", "odd"], &[]).code, Some(64));

    let (feedback, claims) = (stage.input(Topic::Feedback), stage.input(Topic::Claims));
    let stats = dlq(stage, &["stats", "--format", "json"], &[]).lines();
    let counts: Vec<Value> =
        stats.iter().map(|line| json!([line["topic"], line["reason"], line["letters"]])).collect();
    assert_eq!(
        counts,
        [
            json!([claims, "parse", 1]),
            json!([feedback, "bad_time", 1]),
            json!([feedback, "missing_field", 1]),
            json!([feedback, "parse", 1]),
        ]
    );
    let place = |line: &Value| format!("{}/{}", line["partition"], line["offset"]);
    for args in [&["list"][..], &["list", "--format", "json"], &["stats"]] {
        let out = dlq(stage, args, &[]).done();
        assert!(!out.contains(CANARY) && !out.contains('\u{1b}'), "{args:?}: {out}");
    }
    for line in &list {
        for args in [&[][..], &["--format", "json"]] {
            let out = dlq(stage, &[&["show", &place(line)], args].concat(), &[]).done();
            assert!(!out.contains(CANARY) || line["source"]["topic"] == claims, "{out}");
            assert!(!out.contains('\u{1b}') && !out.contains("says"), "{out}");
        }
    }
    let claim = list.iter().find(|line| line["source"]["topic"] == claims).unwrap();
    let with = dlq(stage, &["show", &place(claim), "--payload"], &[]).done();
    assert!(with.contains(&format!("{CANARY}\\u{{1b}}]0;own\\u{{7}}\n")), "{with}");
    let dead = list.iter().find(|line| line["reason"] == "bad_time").unwrap();
    let text = dlq(stage, &["show", &place(dead)], &[]).done();
    for part in ["event_time: more than 3600000 ms later", "trace: 3 bytes", "none: none"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let missing = dlq(stage, &["show", "0/999"], &[]);
    assert!(missing.err.contains("no dead letter at 0/999"), "{}", missing.err);
    let missing = (missing.code, dlq(stage, &["show", "7/0"], &[]).code);
    assert_eq!(missing, (Some(64), Some(64)));
}

/// The new record is the dead one but for the header that says which letter it was.
fn same_bytes(stage: &Stage, new: &Stored, dead: &Record, given: &Value) {
    assert_eq!((&new.key, &new.value), (&dead.key, &dead.value));
    assert_eq!((new.partition, new.timestamp), (dead.partition, dead.timestamp));
    let place = format!(
        "{}/{}/{}",
        stage.output(OutTopic::DeadLetters),
        given["partition"],
        given["offset"]
    );
    let header: HeaderPair =
        ("__odrwatch.requeued.letter".to_owned(), Some(place.clone().into_bytes()));
    assert_eq!(new.headers, [&dead.headers[..], std::slice::from_ref(&header)].concat());
    let to = json!({"topic": dead.topic, "partition": new.partition, "offset": new.offset});
    assert_eq!(given["to"], to);
    // The receipt lies beside the letter, and is no letter.
    let receipt = letters(stage).into_iter().find(|record| record.headers[0] == header).unwrap();
    assert_eq!((receipt.key, receipt.value), (None, None));
    assert_eq!(i64::from(receipt.partition), given["partition"].as_i64().unwrap());
    assert_eq!(receipt.timestamp, dead.timestamp);
}

/// However often it is asked for, by whatever configuration: it was given back.
fn not_again(stage: &Stage, given: &Value, inputs: &[Stored]) {
    let again = dlq(stage, &["requeue", "--yes", "--format", "json"], &[LATER]).lines();
    assert_eq!(again[0]["given_back"], 0, "{again:?}");
    assert_eq!(again[0]["stay"]["given back before"], 1, "{again:?}");
    let place = format!("{}/{}", given["partition"], given["offset"]);
    let named = dlq(stage, &["requeue", &place, "--yes"], &[LATER]);
    assert_eq!(named.code, Some(64), "{}", named.out);
    assert!(named.err.contains("given back before; nothing was given back"), "{}", named.err);
    assert_eq!(dlq(stage, &["requeue", "0/999", "--yes"], &[LATER]).code, Some(64));
    assert_eq!(committed(stage, &stage.input(Topic::Feedback)), inputs);
    let list = dlq(stage, &["list", "--format", "json"], &[]).lines();
    let given_back: Vec<&Value> =
        list.iter().filter(|line| line["given_back"] == true).map(|line| &line["reason"]).collect();
    assert_eq!(given_back, ["bad_time"]);
    assert_eq!(list.len(), 4);
    let text = dlq(stage, &["show", &place], &[]).done();
    assert!(text.contains("given back          yes\n"), "{text}");
}

/// The service, as it is configured now, counts what was given back.
fn is_counted(stage: &Stage, store: &str, probe: &Probe<'_>, written: &mut Written, new: &Stored) {
    written.next.insert((stage.input(Topic::Feedback), new.partition), new.offset + 1);
    let mut service = Odrwatch::start(stage, "a", &[store, LATER]);
    probe.await_done(written, &mut [&mut service]);
    service.await_ready();
    let applied = metric(
        &service.metrics(),
        "odrwatch_records_total",
        "outcome=\"applied\",topic=\"feedback\"",
    );
    assert_eq!(applied, 1);
    service.stop();
    assert_eq!(letters(stage).len(), 5, "four letters and a receipt");
}

#[test]
fn a_run_that_was_killed_holds_the_next_one_up_no_longer_than_it_must() {
    let stage = Stage::new("unfinished", 1);
    let probe = Probe::new(&stage);
    let mut service = Odrwatch::start(&stage, "a", &[]);
    let (_, dead) = written(&stage, &probe, &mut service);
    service.stop();
    // What a run leaves behind that was killed before it could commit.
    let unfinished = OpenTransaction::begin(&stage.bootstrap(), "unfinished-requeue");
    unfinished.produce(&[
        Record { headers: Vec::new(), ..dead },
        Record::new(&stage.output(OutTopic::DeadLetters), 0, 1, "", "a receipt, perhaps"),
    ]);
    let given = dlq(&stage, &["requeue", "--yes", "--format", "json"], &[LATER]).lines();
    assert_eq!(given.last().unwrap()["given_back"], 1, "{given:?}");
    let feedback = committed(&stage, &stage.input(Topic::Feedback));
    assert_eq!(feedback.len(), 4, "three of before, and the one that was given back: {feedback:?}");
    drop(unfinished);
}
