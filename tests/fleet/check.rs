//! The check: what was committed against a bounded replay of the logs.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, Offset, ShardNo};
use odrwatch::pipeline::ports::{InputPartition, OutTopic};
use odrwatch::pipeline::replay::{Output, Replay, ReplayConfig};
use odrwatch::testing::LogName;
use odrwatch::wire::decision::DecisionLine;
use odrwatch::wire::{advice, input, progress};

use super::Fleet;

impl Fleet {
    /// The committed alerts, by shard and then in order.
    pub fn alert_lines(&self) -> String {
        (0..self.config.partitions).map(|partition| self.alerts_of(partition)).collect()
    }

    fn alerts_of(&self, partition: u32) -> String {
        let mut lines = String::new();
        for record in self.cluster.read_committed(OutTopic::Alerts, partition) {
            lines.push_str(std::str::from_utf8(record.value.as_ref().unwrap()).unwrap());
            lines.push('\n');
        }
        lines
    }

    /// The committed advice as `advice.jsonl` has it, by shard and then in order.
    pub fn advice_lines(&self) -> String {
        (0..self.config.partitions).map(|partition| self.advice_of(partition)).collect()
    }

    fn advice_of(&self, partition: u32) -> String {
        let mut lines = Vec::new();
        for record in self.cluster.read_committed(OutTopic::Advice, partition) {
            let key = record.key.as_deref().unwrap();
            advice::write_line(key, record.value.as_deref(), &mut lines);
        }
        String::from_utf8(lines).unwrap()
    }

    pub fn committed_alerts(&self) -> usize {
        self.alert_lines().lines().count()
    }

    /// How many decisions were committed.
    pub fn decisions(&self) -> usize {
        let closing = |line: &DecisionLine| matches!(line, DecisionLine::Closing { .. });
        self.recorded().iter().filter(|line| closing(line)).count()
    }

    /// How many record times were decided.
    pub fn times_decided(&self) -> usize {
        let time = |line: &DecisionLine| matches!(line, DecisionLine::RecordTime { .. });
        self.recorded().iter().filter(|line| time(line)).count()
    }

    /// The accepted gaps, in the order of the shards.
    pub fn gaps(&self) -> Vec<(Topic, u32, NextOffset, NextOffset)> {
        let gap = |line: DecisionLine| match line {
            DecisionLine::Gap { topic, partition, from, to } => {
                Some((topic, partition.get(), from, to))
            }
            _ => None,
        };
        self.recorded().into_iter().filter_map(gap).collect()
    }

    /// The length of the largest progress record in bytes.
    pub fn largest_progress(&self) -> usize {
        let records = self.cluster.read_committed(OutTopic::Progress, 0);
        records.iter().map(|record| record.value.as_ref().unwrap().len()).max().unwrap_or(0)
    }

    pub fn recorded(&self) -> Vec<DecisionLine> {
        let mut decisions = Vec::new();
        for partition in 0..self.config.partitions {
            let records = self.cluster.read_committed(OutTopic::Progress, partition);
            for (number, record) in (1..).zip(records) {
                let record = progress::decode(record.value.as_ref().unwrap()).unwrap();
                assert_eq!(record.number, number, "progress is 1, 2, 3, ...");
                decisions.extend(record.decisions);
            }
        }
        decisions
    }

    fn replay(&self) -> Output {
        let config = ReplayConfig {
            shard: self.shard_config(),
            input: input::Limits::with_partitions(self.config.partitions),
            advice: self.config.advice,
            until_ms: None,
            needs_recorded_start: false,
        };
        let mut replay = Replay::new(config, self.recorded());
        for topic in Topic::ALL {
            for partition in 0..self.config.partitions {
                let shard = ShardNo::new(partition);
                let log = LogName::Input(InputPartition { topic, shard });
                let (records, _) = self.cluster.tail(log, NextOffset::stated(0), usize::MAX);
                let dropped =
                    self.dropped.iter().filter(|(of, from, _)| (*of, *from) == (topic, partition));
                let dropped = dropped.map(|(_, _, record)| record.clone());
                for record in dropped.chain(records) {
                    let (offset, value) = (record.offset, record.value.as_deref());
                    replay.push(topic, shard, offset, record.timestamp_ms, value).unwrap();
                }
            }
        }
        replay.finish().unwrap()
    }

    /// The committed alerts, advice and dead letters are those of the replay, byte for byte.
    pub fn check(&self) {
        let expected = self.replay();
        assert_eq!(
            self.alert_lines(),
            String::from_utf8(expected.alerts).unwrap(),
            "alerts of seed {}",
            self.config.seed
        );
        let advice = String::from_utf8(expected.advice).unwrap();
        assert!(self.advice_lines() == advice, "advice of seed {}", self.config.seed);
        let expected = String::from_utf8(expected.dead).unwrap();
        assert_eq!(self.dead_lines(), expected, "dead letters of seed {}", self.config.seed);
    }

    /// The committed alerts and advice of each shard are a prefix of the replay's.
    pub fn check_prefix(&self) {
        let expected = self.replay();
        let advice = String::from_utf8(expected.advice).unwrap();
        let expected = String::from_utf8(expected.alerts).unwrap();
        for partition in 0..self.config.partitions {
            let found = self.advice_of(partition);
            assert!(advice.contains(&found), "advice of seed {}", self.config.seed);
            let found = self.alerts_of(partition);
            // The replay's alerts come shard by shard; ids tell whose they are.
            let found: Vec<&str> = found.lines().collect();
            let Some(first) = found.first() else { continue };
            let expected: Vec<&str> =
                expected.lines().skip_while(|line| line != first).take(found.len()).collect();
            assert_eq!(found, expected, "prefix of seed {}", self.config.seed);
        }
    }

    /// The dead letters as `dead.jsonl` lists them; each has its original's bytes.
    fn dead_lines(&self) -> String {
        let mut lines = Vec::new();
        for partition in 0..self.config.partitions {
            for record in self.cluster.read_committed(OutTopic::DeadLetters, partition) {
                let header = |name: &str| {
                    let name = format!("__odrwatch.errors.{name}");
                    let found = record.headers.iter().find(|(header, _)| *header == name);
                    String::from_utf8(found.unwrap().1.clone().unwrap()).unwrap()
                };
                let topic = header("topic");
                let topic = Topic::ALL.into_iter().find(|known| known.as_str() == topic).unwrap();
                let shard = ShardNo::new(header("partition").parse().unwrap());
                let offset = Offset::new(header("offset").parse().unwrap());
                let log = LogName::Input(InputPartition { topic, shard });
                let at = NextOffset::stated(offset.get());
                let (mut original, _) = self.cluster.tail(log, at, 1);
                let dropped = self.dropped.iter().find(|(of, from, one)| {
                    (*of, *from, one.offset) == (topic, shard.get(), offset)
                });
                original.splice(..0, dropped.map(|(_, _, one)| one.clone()));
                assert_eq!(original[0].key, record.key);
                assert_eq!(original[0].timestamp_ms, record.timestamp_ms);
                assert!(record.headers.starts_with(&original[0].headers));
                let is_whole = record.value == original[0].value;
                let is_omitted =
                    record.headers.iter().any(|(name, _)| name == "__odrwatch.errors.omitted");
                assert!(is_whole || is_omitted, "the original's bytes at {offset}");
                let (name, code) = (topic.as_str(), header("code"));
                let line = format!(
                    "{{\"topic\":\"{name}\",\"partition\":{shard},\"offset\":{offset},\
                     \"code\":\"{code}\"}}\n"
                );
                lines.push(((topic, shard, offset), line));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }
}
