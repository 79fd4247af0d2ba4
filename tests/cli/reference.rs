//! Replays of files against the independent reference, however the records lie in the files.

use std::fs;
use std::path::Path;

use odrwatch::domain::event::Topic;
use odrwatch::sim::hostile::{Hostile, HostileConfig};

use crate::command::{done, text};
use crate::market::{Files, Form, base64, kcat, lines};
use crate::oracle::{self, Record};

const PARTITIONS: u32 = 3;

/// A few hundred hostile records in the order of their times, as far as their offsets allow.
fn records(seed: u64) -> Vec<Record> {
    let config = HostileConfig {
        events: 300,
        partitions: PARTITIONS,
        missing_timestamps: true,
        ..HostileConfig::new(seed)
    };
    let hostile = Hostile::new(&config);
    let mut logs = Vec::new();
    for topic in Topic::ALL {
        for partition in 0..PARTITIONS {
            let log = hostile.log(topic, partition).iter();
            let log = log.zip(0..).map(|(record, offset)| Record {
                topic: topic.index(),
                partition,
                offset,
                timestamp_ms: record.timestamp_ms,
                value: record.value.clone(),
            });
            logs.push(log.collect::<Vec<_>>().into_iter().peekable());
        }
    }
    let mut all = Vec::new();
    loop {
        let heads = logs.iter_mut().enumerate();
        let heads = heads.filter_map(|(at, log)| Some((log.peek()?.timestamp_ms, at)));
        let Some((_, at)) = heads.min() else { return all };
        all.extend(logs[at].next());
    }
}

/// Replays records from files that each hold some of them.
fn from_files(files: &[Vec<Record>], directory: &Path) -> Files {
    let mut args: Vec<String> = Vec::new();
    for (number, records) in files.iter().enumerate() {
        let path = directory.join(format!("{number}.jsonl"));
        // Both forms, in turns.
        let form: Form = if number % 2 == 0 { kcat } else { base64 };
        fs::write(&path, lines(records, form)).unwrap();
        args.push(text(&path).to_owned());
    }
    let out = directory.join("out");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    done(&[&["replay", "-qq", "--partitions", "3", "--out", text(&out)], &args[..]].concat());
    Files::of(&out)
}

fn split_by(records: &[Record], key: impl Fn(usize, &Record) -> usize) -> Vec<Vec<Record>> {
    let mut files: Vec<Vec<Record>> = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let file = key(place, record);
        files.resize(files.len().max(file + 1), Vec::new());
        files[file].push(record.clone());
    }
    files
}

#[test]
fn files_give_what_the_reference_gives_however_they_are_split() {
    let config = oracle::Config { partitions: PARTITIONS, ..oracle::Config::default() };
    for seed in 1..=6 {
        let records = records(seed);
        assert!(records.len() > 200, "{}", records.len());
        let expected = Files::expected(&oracle::run(&config, &records));
        let directory = tempfile::tempdir().unwrap();
        let place_of =
            |record: &Record| record.topic * 3 + usize::try_from(record.partition).unwrap();
        let mut splits = [
            ("one file", split_by(&records, |_, _| 0)),
            ("by topic", split_by(&records, |_, record| record.topic)),
            ("by partition", split_by(&records, |_, record| place_of(record))),
            ("one after the other", split_by(&records, |place, _| place / 50)),
            ("in turns", split_by(&records, |place, _| place % 4)),
        ];
        for (name, files) in &mut splits {
            assert_eq!(from_files(files, directory.path()), expected, "seed {seed}, {name}");
            files.reverse();
            assert_eq!(from_files(files, directory.path()), expected, "seed {seed}, {name} back");
        }
        let by_topic: Vec<Record> = splits[1].1.iter().flatten().cloned().collect();
        assert_eq!(from_files(&[by_topic], directory.path()), expected, "seed {seed}, in one");
    }
}
