//! A market small enough to be checked by hand, in every form that files can have.

use std::fs;

use serde_json::{Value, json};

use crate::command::{run, run_with, text};
use crate::market::{Files, Form, NAMES, kcat, lines, market, replayed, rpk};
use crate::oracle;

/// What can be counted on ten fingers.
fn check_by_hand(files: &Files) {
    let alerts: Vec<Value> =
        files.alerts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = alerts
        .iter()
        .map(|alert| {
            let names = ["kind", "state", "boundary", "seller_id"]
                .map(|name| alert[name].as_str().unwrap().to_owned());
            let numbers = ["seq", "defective_orders", "provisional_only", "orders"];
            let numbers = numbers.map(|name| alert[name].to_string());
            format!("{} {}", names.join(" "), numbers.join(" "))
        })
        .collect();
    let expected = [
        "warning raised 2026-01-05T00:00:25.000Z S1 1 1 0 10",
        "critical raised 2026-01-05T00:00:45.000Z S1 2 2 1 10",
        "critical cleared 2026-01-05T00:01:05.000Z S1 3 1 1 10",
    ];
    assert_eq!(told, expected);
    assert_eq!(alerts[0]["change"]["defective_added"], 1);
    assert_eq!(alerts[2]["change"]["defective_reversed"], 1);
    let total = |scope: &str| {
        format!(
            "{{\"seller_id\":\"S1\",\"marketplace_id\":\"\",\"scope\":\"{scope}\",\
             \"view\":\"live\",\"as_of\":\"2026-01-05\",\"orders\":10,\"defective_orders\":1,\
             \"provisional_only\":1,\
             \"by_kind\":{{\"negative_feedback\":0,\"claim\":1,\"chargeback\":0}}}}\n"
        )
    };
    assert_eq!(files.totals, total("all") + &total("mfn"));
    assert_eq!(
        files.dead,
        "{\"topic\":\"chargebacks\",\"partition\":0,\"offset\":1,\"code\":\"missing_field\"}\n"
    );
    assert_eq!(
        files.outcomes,
        "{\"read\":15,\"outcomes\":{\"orders\":{\"applied\":10},\"feedback\":{\"applied\":2},\
         \"claims\":{\"applied\":1},\"chargebacks\":{\"tombstone\":1,\"dead\":1}},\
         \"dead\":{\"missing_field\":1}}\n"
    );
}

#[test]
fn both_tools_lines_in_files_or_on_the_standard_input_give_what_is_counted_by_hand() {
    let directory = tempfile::tempdir().unwrap();
    let reference = Files::expected(&oracle::run(&oracle::Config::default(), &market()));
    check_by_hand(&reference);
    let forms: [(&str, Form); 2] = [("kcat.jsonl", kcat), ("rpk.json", rpk)];
    for (name, form) in forms {
        let path = directory.path().join(name);
        fs::write(&path, lines(&market(), form)).unwrap();
        assert_eq!(replayed(&[text(&path)]).0, reference, "{name}");
        assert_eq!(replayed(&["--partitions", "1", text(&path)]).0, reference, "{name}");
        for more in [&[][..], &["--partitions", "1"]] {
            let out = directory.path().join("out");
            let args = [&["replay", "-", "--out", text(&out)], more].concat();
            let ran = run_with(&args, &lines(&market(), form));
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert_eq!(Files::of(&out), reference, "{name} {more:?}");
        }
    }
}

#[test]
fn the_tables_tell_who_is_at_risk_and_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.jsonl");
    fs::write(&path, lines(&market(), kcat)).unwrap();
    let out = replayed(&[text(&path)]).1.out;
    let row = |start: &str| {
        let line = out.lines().find(|line| line.trim_start().starts_with(start));
        let words: Vec<_> = line.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    };
    assert_eq!(row("S1"), "S1 1/10 = 10.00 % 0/0 90 good orders short warning 2026-03-06");
    assert_eq!(row("critical"), "critical 1 1 0 0");
    assert_eq!(row("warning"), "warning 1 0 0 1");
    assert_eq!(
        row("2026-01-05T00:00:45"),
        "2026-01-05T00:00:45.000Z critical raised S1 2/10 = 20.00 % 1 order became defective: \
         claim on 302-0000000-0000002; clears on 2026-03-06 if nothing more happens"
    );
    assert_eq!(row("chargebacks"), "chargebacks 2 0 0 0 0 1 1 0");
    assert_eq!(row("missing_field"), "missing_field 1");
}

#[test]
fn the_json_object_has_the_shapes_of_the_outputs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.jsonl");
    fs::write(&path, lines(&market(), kcat)).unwrap();
    let (files, ran) = replayed(&["--format", "json", text(&path)]);
    assert_eq!(ran.out.lines().count(), 1);
    let found: Value = serde_json::from_str(&ran.out).unwrap();
    assert!(ran.out.contains(&format!("\"records\":{},", files.outcomes.trim_end())));
    assert_eq!(found["alerts"]["critical"], json!({"raised":1,"cleared":1,"ongoing":0,"up":0}));
    let latest: Vec<Value> =
        files.alerts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found["latest_alerts"], Value::Array(latest));
    assert_eq!(found["at_risk"][0]["seller_id"], "S1");
    assert_eq!(found["at_risk"][0]["active"][0]["kind"], "warning");
    assert_eq!(found["boundary"], "2026-01-05T00:01:05.000Z");
}

#[test]
fn until_a_time_gives_a_prefix_and_leaves_the_rest_pending() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.jsonl");
    fs::write(&path, lines(&market(), kcat)).unwrap();
    let whole = replayed(&[text(&path)]).0;
    for until in ["2026-01-05T00:00:45Z", "1767571245000", "2026-01-05T00:00:49.999Z"] {
        let files = replayed(&["--until", until, text(&path)]).0;
        assert!(whole.alerts.starts_with(&files.alerts));
        assert_eq!(files.alerts.lines().count(), 2, "{until}");
        assert!(files.outcomes.contains("\"feedback\":{\"applied\":1,\"pending\":1}"));
    }
    // Time passes to T: a day later than the window, nothing is left.
    let files = replayed(&["--until", "2026-04-01T00:00:00Z", text(&path)]).0;
    assert_eq!(files.totals, "");
    assert!(files.alerts.starts_with(&whole.alerts) && files.alerts.lines().count() == 4);
}

#[test]
fn recorded_decisions_hold_from_lines_and_from_the_progress_topic() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("all.jsonl"), lines(&market(), kcat)).unwrap();
    let partitions =
        NAMES.map(|topic| json!({"topic": topic, "next_offset": 0, "watermark_ms": null}));
    let progress = json!({
        "version": 1, "n": 1, "shard": 0, "from": [0, 0, 0, 0], "boundary": null,
        "boundary_ms": 5000, "seq": 0, "outputs_written": 0, "engine": "odrwatch/1",
        "policy": "p", "owner": null, "snapshot": null, "digest": "0".repeat(32),
        "partitions": partitions,
        "decisions": [{"shard": 0, "alerts_from": 353_514_249}],
    });
    let progress = json!({"topic": "odr-progress", "partition": 0, "offset": 3, "ts": 1,
                          "payload": progress.to_string()});
    fs::write(at("progress.jsonl"), format!("{progress}\n")).unwrap();
    fs::write(at("lines.jsonl"), "{\"shard\":0,\"alerts_from\":\"2026-01-05T00:00:45Z\"}\n")
        .unwrap();
    let all = at("all.jsonl");
    let live = ["--set", "alerts_from=live", text(&all)];
    let without = run(&[&["replay"], &live[..]].concat());
    assert_eq!(without.code, 78);
    assert!(without.err.contains("alerts_from is live"), "{}", without.err);
    for name in ["lines.jsonl", "progress.jsonl"] {
        let decisions = at(name);
        let args = [&["--decisions", text(&decisions)], &live[..]].concat();
        let files = replayed(&args).0;
        let alerts: Vec<Value> =
            files.alerts.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> = alerts
            .iter()
            .map(|alert| format!("{} {} {}", alert["kind"], alert["state"], alert["initial"]))
            .collect();
        let expected = [
            "\"warning\" \"raised\" true",
            "\"critical\" \"raised\" true",
            "\"critical\" \"cleared\" false",
        ];
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn files_of_decisions_that_hold_something_else_are_refused_with_the_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d.jsonl");
    for (line, code, part) in [
        ("{\"boundary\":9223372036854775807,\"partitions\":[]}", 64, "within the years"),
        ("{\"boundary\":-1,\"partitions\":[]}", 64, "within the years"),
        ("{\"boundary\":1}", 64, "not a decision"),
        ("{\"topic\":\"orders\",\"partition\":0,\"offset\":0}", 64, "not the progress topic"),
        (
            "{\"topic\":\"odr-progress\",\"partition\":0,\"offset\":0,\"payload\":\"{}\"}",
            64,
            "cannot be used",
        ),
    ] {
        fs::write(&path, format!("\n{line}\n")).unwrap();
        let ran = run(&["replay", "--decisions", text(&path), "/dev/null"]);
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        assert!(ran.err.contains("d.jsonl:2: ") && ran.err.contains(part), "{line}: {}", ran.err);
    }
}

#[test]
fn topics_are_told_by_their_configured_names_and_others_are_skipped_with_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("all.jsonl");
    fs::write(&path, lines(&market(), kcat)).unwrap();
    let (files, ran) = replayed(&["--set", "kafka.topics.orders=o", text(&path)]);
    assert!(files.outcomes.starts_with("{\"read\":5,"), "{}", files.outcomes);
    assert!(ran.err.contains("\"topic\":\"orders\",\"records\":10"), "{}", ran.err);
}

#[test]
fn what_a_replay_cannot_follow_is_refused_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.jsonl");
    let line = |partition: u32, offset: i64, ts: i64| {
        format!(
            "{{\"topic\":\"orders\",\"partition\":{partition},\"offset\":{offset},\"ts\":{ts}}}\n"
        )
    };
    for (second, partitions, part) in [
        (line(0, 4, 1), "1", "offset 4 comes after offset 5"),
        (line(0, 3, 1), "1", "offset 3 comes after offset 5"),
        (line(1, 5, 1), "1", "the topics have 1 partitions"),
        (line(0, 5, -2), "1", "within the years 1970 to 9999"),
        (line(0, 5, i64::MAX), "1", "within the years 1970 to 9999"),
        ("{\"topic\":\"orders\"}\n".to_owned(), "1", "not a record: missing field"),
    ] {
        fs::write(&path, line(0, 4, 1) + &second).unwrap();
        let ran = run(&["replay", "--partitions", partitions, text(&path)]);
        assert_eq!(ran.code, 64, "{second}: {}", ran.err);
        assert!(ran.err.contains("f.jsonl:2: "), "{second}: {}", ran.err);
        assert!(ran.err.contains(part), "{second}: {}", ran.err);
    }
    fs::write(&path, line(0, 0, 1)).unwrap();
    let ran = run(&["replay", "--set", "max_orders=1", text(&path), text(&path)]);
    assert_eq!(ran.code, 64, "each record once: {}", ran.err);
}
