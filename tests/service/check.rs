//! What was committed, held against a bounded replay of the dumped topics.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};

use odrwatch::commands::start;
use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{Offset, ShardNo};
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::pipeline::replay::{Output, Replay, ReplayConfig};
use odrwatch::wire::decision::DecisionLine;
use odrwatch::wire::progress::{self, Progress};
use odrwatch::wire::time::parse_instant;
use serde_json::Value;
use tempfile::TempDir;

use super::stage::Stage;
use crate::support::process;
use crate::support::topics::{Isolation, Stored, read_all};

/// The committed alerts of each partition, one a line.
pub fn committed_alerts(stage: &Stage) -> Vec<String> {
    let mut alerts = vec![String::new(); usize::try_from(stage.partitions).unwrap()];
    for record in read_all(&stage.bootstrap(), &stage.output(OutTopic::Alerts), COMMITTED) {
        let lines = &mut alerts[usize::try_from(record.partition).unwrap()];
        lines.push_str(std::str::from_utf8(record.value.as_ref().unwrap()).unwrap());
        lines.push('\n');
    }
    alerts
}

const COMMITTED: Isolation = Isolation::ReadCommitted;

/// Everything that the topics of a stage hold, and what a replay of it gives.
pub struct Check<'a> {
    stage: &'a Stage,
    inputs: [Vec<Stored>; 4],
    progress: Vec<Vec<Progress>>,
    /// The replay of each shard alone: it depends on nothing else.
    expected: Vec<Output>,
}

impl<'a> Check<'a> {
    /// Dumps the topics and replays them. Nothing may be running any more, or be under way.
    pub fn new(stage: &'a Stage) -> Self {
        let inputs =
            Topic::ALL.map(|topic| read_all(&stage.bootstrap(), &stage.input(topic), COMMITTED));
        let progress = progress(stage);
        let shards = 0..stage.partitions;
        let expected =
            shards.map(|shard| replay(stage, shard, &inputs, &progress[index(shard)])).collect();
        Self { stage, inputs, progress, expected }
    }

    /// How many boundaries were closed by decision.
    pub fn closings(&self) -> usize {
        let decisions = self.progress.iter().flatten().flat_map(|record| &record.decisions);
        decisions.filter(|decision| matches!(decision, DecisionLine::Closing { .. })).count()
    }

    /// How many records were read.
    pub fn records(&self) -> usize {
        self.inputs.iter().map(Vec::len).sum()
    }

    /// The committed alerts of each partition are those of the replay, byte for byte, with `seq` 1,
    /// 2, 3, ...; returns how many there are.
    pub fn alerts(&self) -> usize {
        let committed = committed_alerts(self.stage);
        let mut count = 0;
        for (shard, (found, expected)) in committed.iter().zip(&self.expected).enumerate() {
            let expected = std::str::from_utf8(&expected.alerts).unwrap();
            for (line, wanted) in found.lines().zip(expected.lines()) {
                assert_eq!(line, wanted, "an alert of shard {shard}");
            }
            let counts = (found.lines().count(), expected.lines().count());
            assert_eq!(counts.0, counts.1, "alerts of shard {shard}");
            for (seq, line) in (1_u64..).zip(found.lines()) {
                let alert: Value = serde_json::from_str(line).unwrap();
                assert_eq!(alert["seq"], seq, "the seq of shard {shard}");
            }
            count += counts.0;
        }
        count
    }

    /// The program's own replay of the topics says the same, up to what every shard has closed.
    pub fn replay_from_kafka(&self) {
        let closed = self.progress.iter().map(|records| records.last().unwrap().boundary.unwrap());
        let until = closed.min().unwrap().ms(self.stage.config().engine.boundary);
        let dir = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
        command.args(["replay", "--from-kafka", "--until", &until.to_string(), "--out"]);
        command.arg(dir.path());
        for set in self.stage.sets("replay") {
            command.args(["--set", &set]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = process::spawn(command);
        let output = output.unwrap().wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let replayed = fs::read_to_string(dir.path().join("alerts.jsonl")).unwrap();
        let is_before = |line: &&str| {
            let alert: Value = serde_json::from_str(line).unwrap();
            parse_instant(alert["boundary"].as_str().unwrap()).unwrap() <= until
        };
        let committed = committed_alerts(self.stage).concat();
        let committed: Vec<&str> = committed.lines().filter(is_before).collect();
        assert!(replayed.lines().eq(committed), "odrwatch replay says the same");
    }

    /// Alerts have their seller as key and their boundary as timestamp.
    pub fn alert_records(&self) {
        let topic = self.stage.output(OutTopic::Alerts);
        for record in read_all(&self.stage.bootstrap(), &topic, COMMITTED) {
            let alert: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
            let seller = alert["seller_id"].as_str().unwrap();
            assert_eq!(record.key.as_deref(), Some(seller.as_bytes()));
            let boundary = parse_instant(alert["boundary"].as_str().unwrap());
            assert_eq!(Some(record.timestamp), boundary);
            let header = |name: &str| {
                let found = record.headers.iter().find(|(header, _)| header == name);
                String::from_utf8(found.unwrap().1.clone().unwrap()).unwrap()
            };
            assert_eq!(header("kind"), alert["kind"].as_str().unwrap());
            assert_eq!(header("ce_id"), alert["alert_id"].as_str().unwrap());
        }
    }

    /// Each dead letter carries its original's bytes and the replay's reason; returns how many
    /// there are of each.
    pub fn dead_letters(&self) -> BTreeMap<String, usize> {
        let mut originals = BTreeMap::new();
        for (topic, records) in Topic::ALL.into_iter().zip(&self.inputs) {
            for record in records {
                let place = (self.stage.input(topic), record.partition, record.offset);
                originals.insert(place, (topic, record));
            }
        }
        let mut found = Vec::new();
        let mut reasons = BTreeMap::new();
        let topic = self.stage.output(OutTopic::DeadLetters);
        for letter in read_all(&self.stage.bootstrap(), &topic, COMMITTED) {
            let header = |name: &str| {
                let name = format!("__odrwatch.errors.{name}");
                let found = letter.headers.iter().find(|(header, _)| *header == name);
                String::from_utf8(found.unwrap().1.clone().unwrap()).unwrap()
            };
            let offset = header("offset");
            let partition = header("partition");
            let place =
                (header("topic"), partition.parse().unwrap(), offset.parse::<i64>().unwrap());
            let (topic, original) = originals[&place];
            assert_eq!(letter.key, original.key, "{place:?}");
            assert_eq!(letter.value, original.value, "{place:?}");
            assert_eq!(letter.timestamp, original.timestamp, "{place:?}");
            let (own, ours) = letter.headers.split_at(original.headers.len());
            assert_eq!(own, original.headers, "{place:?}");
            assert_eq!(ours.len(), 5, "{place:?}: {ours:?}");
            assert!(!header("message").is_empty());
            let code = header("code");
            let line = format!(
                "{{\"topic\":\"{}\",\"partition\":{partition},\"offset\":{offset},\
                 \"code\":\"{code}\"}}",
                topic.as_str()
            );
            *reasons.entry(code).or_insert(0) += 1;
            found.push(line);
        }
        let expected = self.expected.iter().map(|output| std::str::from_utf8(&output.dead));
        let mut expected: Vec<&str> = expected.flat_map(|dead| dead.unwrap().lines()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found.len(), expected.len(), "dead letters");
        assert!(found == expected, "the dead letters are those of the replay");
        reasons
    }

    /// How all records ended, by topic and outcome, and the dead ones by reason.
    pub fn outcomes(&self) -> (BTreeMap<(String, String), u64>, BTreeMap<String, u64>) {
        let (mut outcomes, mut dead) = (BTreeMap::new(), BTreeMap::new());
        for output in &self.expected {
            let file: Value = serde_json::from_slice(&output.outcomes).unwrap();
            for (topic, counts) in file["outcomes"].as_object().unwrap() {
                for (outcome, count) in counts.as_object().unwrap() {
                    let key = (topic.clone(), outcome.clone());
                    *outcomes.entry(key).or_insert(0) += count.as_u64().unwrap();
                }
            }
            for (reason, count) in file["dead"].as_object().unwrap() {
                *dead.entry(reason.clone()).or_insert(0) += count.as_u64().unwrap();
            }
        }
        (outcomes, dead)
    }

    /// The last status of each account states the replay's totals; returns how many were compared
    /// and how many wait for their slot in the hour.
    pub fn statuses(&self) -> (usize, usize) {
        let mut standings = BTreeMap::new();
        for record in
            read_all(&self.stage.bootstrap(), &self.stage.output(OutTopic::Status), COMMITTED)
        {
            let value = record.value.map(|value| serde_json::from_slice::<Value>(&value).unwrap());
            standings.insert(String::from_utf8(record.key.unwrap()).unwrap(), value);
        }
        let (mut compared, mut waiting) = (0, 0);
        for line in self.expected.iter().flat_map(|output| output.totals.split(|b| *b == b'\n')) {
            if line.is_empty() {
                continue;
            }
            let total: Value = serde_json::from_slice(line).unwrap();
            let scope = total["scope"].as_str().unwrap();
            if scope == "all" {
                continue;
            }
            let text = |name: &str| total[name].as_str().unwrap();
            let key = match text("marketplace_id") {
                "" => text("seller_id").to_owned(),
                marketplace => format!("{}|{marketplace}", text("seller_id")),
            };
            let Some(Some(standing)) = standings.get(&key) else {
                panic!("account {key} has totals and no status: {total}");
            };
            let block = &standing["views"][text("view")]["orderDefectRate"][scope];
            let stated = (&block["orderCount"], &block["orderWithDefects"]["count"]);
            let counted = (&total["orders"], &total["defective_orders"]);
            if stated == counted {
                compared += 1;
            } else {
                // What changed with the last day is written at the account's slot in the hour.
                assert_ne!(standing["as_of"], total["as_of"], "{standing}\n{total}");
                waiting += 1;
            }
        }
        (compared, waiting)
    }
}

fn index(shard: u32) -> usize {
    usize::try_from(shard).unwrap()
}

/// The committed progress records of each shard, which are 1, 2, 3, ...
pub fn progress(stage: &Stage) -> Vec<Vec<Progress>> {
    let mut progress = vec![Vec::new(); index(stage.partitions)];
    for record in read_all(&stage.bootstrap(), &stage.output(OutTopic::Progress), COMMITTED) {
        let of_shard: &mut Vec<Progress> =
            &mut progress[usize::try_from(record.partition).unwrap()];
        // One without a value belongs to a transaction that was completed behind a broker.
        let Some(value) = record.value else { continue };
        let record = progress::decode(&value).unwrap();
        let number = u64::try_from(of_shard.len()).unwrap() + 1;
        assert_eq!(record.number, number, "progress of shard {} is 1, 2, 3, ...", record.shard);
        of_shard.push(record);
    }
    progress
}

fn replay(stage: &Stage, shard: u32, inputs: &[Vec<Stored>; 4], progress: &[Progress]) -> Output {
    let config = stage.config();
    let replay_config = ReplayConfig {
        shard: start::shard_config(&config),
        input: start::input_limits(&config, stage.partitions),
        advice: start::advice_rules(&config),
        until_ms: None,
        needs_recorded_start: false,
    };
    let decisions = progress.iter().flat_map(|record| record.decisions.clone()).collect();
    let mut replay = Replay::new(replay_config, decisions);
    let partition = i32::try_from(shard).unwrap();
    for (topic, records) in Topic::ALL.into_iter().zip(inputs) {
        for record in records.iter().filter(|record| record.partition == partition) {
            let (offset, value) = (Offset::new(record.offset), record.value.as_deref());
            replay.push(topic, ShardNo::new(shard), offset, Some(record.timestamp), value).unwrap();
        }
    }
    replay.finish().unwrap()
}
