//! `advise`: comments and reports in, verdicts out.

use std::fs;

use serde_json::Value;

use crate::command::{done, run, run_with, text};

fn verdicts(line: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(line).unwrap();
    let rules = value["rules"].as_array().unwrap();
    rules.iter().map(|rule| rule["verdict"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_comment_from_the_standard_input_is_judged() {
    let ran = run_with(&["advise", "--channel", "afn"], b"Two weeks late.\n");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("reason: late, language: en"), "{}", ran.out);
    assert!(ran.out.contains("4 fulfilled by Amazon    eligible   late \""), "{}", ran.out);
    assert!(ran.out.contains("5 Buy Shipping, on time  not        "), "{}", ran.out);
    let ran = run_with(&["advise", "--format", "json"], "Der Akku hält nicht.".as_bytes());
    assert_eq!(verdicts(&ran.out)[2], "eligible", "{}", ran.out);
}

#[test]
fn a_report_is_judged_row_by_row_without_who_rated() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("feedback.tsv");
    let rows = "Date\tRating\tComments\tResponse\tOrder ID\tRater Email\n\
                1/2/26\t1\tNever arrived.\t\t111-1111111-1111111\tcanary@mail.example\n\
                1/3/26\t3\tSo so.\t\t222-2222222-2222222\tcanary@mail.example\n\
                1/4/26\t2\tAsk for Gregory Tallmarsh.\t\t333-3333333-3333333\tcanary@x.example\n";
    fs::write(&report, rows).unwrap();
    let profile = directory.path().join("seller.yaml");
    fs::write(&profile, "names: [Gregory Tallmarsh]\n").unwrap();
    let flags = ["--buy-shipping", "true", "--shipped-on-time", "true", "--format", "json"];
    let names = ["advise", text(&report), "--report", "--profile", text(&profile)];
    let ran = done(&[&names[..], &flags[..]].concat());
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.out);
    assert_eq!(verdicts(lines[0])[4], "eligible");
    assert!(lines[0].contains("111-1111111-1111111"));
    assert_eq!(verdicts(lines[1])[1], "eligible");
    assert!(!ran.out.contains("canary"), "{}", ran.out);
}

#[test]
fn what_drives_a_terminal_is_escaped_in_a_table() {
    let ran = run_with(&["advise"], "Never \u{1b}[31m arrived\u{202e}, late".as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{202e}'), "{}", ran.out);
}

#[test]
fn wrong_input_is_told_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x");
    fs::write(&file, "one column\n").unwrap();
    let ran = run(&["advise", "--report", text(&file)]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains(":1: 1 columns instead of at least 5"), "{}", ran.err);
    fs::write(&file, b"\xff\xfe").unwrap();
    assert_eq!(run(&["advise", text(&file)]).code, 64);
    fs::write(&file, "nmes: [x]\n").unwrap();
    let ran = run(&["advise", "--profile", text(&file)]);
    assert_eq!(ran.code, 64);
    assert!(ran.err.contains("is no seller profile"), "{}", ran.err);
    assert_eq!(run(&["advise", "/nowhere/x"]).code, 69);
}
