//! Runs a prepared scenario through the bounded replay, and through the oracle.

use std::collections::BTreeMap;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{Offset, ShardNo};
use odrwatch::pipeline::replay::{Replay, ReplayConfig};

use super::oracle;
use super::prepare::Prepared;

/// The four files as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub alerts: String,
    pub totals: String,
    pub dead: String,
    pub outcomes: String,
}

impl Files {
    /// Names the first difference from another run.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let pairs = [
            ("alerts.jsonl", &self.alerts, &other.alerts),
            ("totals.jsonl", &self.totals, &other.totals),
            ("dead.jsonl", &self.dead, &other.dead),
            ("outcomes.json", &self.outcomes, &other.outcomes),
        ];
        for (name, mine, theirs) in pairs {
            if mine == theirs {
                continue;
            }
            let common = mine.lines().zip(theirs.lines()).take_while(|(a, b)| a == b).count();
            let line = |text: &'_ str| text.lines().nth(common).unwrap_or("(ends)").to_owned();
            let (left, right) = (line(mine), line(theirs));
            return Some(format!("{name}:\n      {left}\n      {right}"));
        }
        None
    }
}

/// Replays records in the given order; `until` as the configuration has it, unless given.
///
/// # Errors
/// What the replay says when it cannot go on.
pub fn replay(
    prepared: &Prepared,
    until_ms: Option<i64>,
    records: &[&oracle::Record],
) -> Result<Files, String> {
    let until_ms = until_ms.or(prepared.engine.until_ms);
    let config = ReplayConfig { until_ms, ..prepared.engine.clone() };
    let mut replay = Replay::new(config, prepared.decisions.clone());
    for record in records {
        let topic = Topic::ALL[record.topic];
        let (shard, offset) = (ShardNo::new(record.partition), Offset::new(record.offset));
        replay
            .push(topic, shard, offset, record.timestamp_ms, record.value.as_deref())
            .map_err(|error| error.to_string())?;
    }
    let output = replay.finish().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("outputs are UTF-8");
    Ok(Files {
        alerts: text(&output.alerts),
        totals: text(&output.totals),
        dead: text(&output.dead),
        outcomes: text(&output.outcomes).trim_end().to_owned(),
    })
}

/// The oracle's files for the same records.
pub fn by_oracle(prepared: &Prepared, until_ms: Option<i64>) -> Files {
    let config = oracle::Config {
        until_ms: until_ms.or(prepared.reference.until_ms),
        ..prepared.reference.clone()
    };
    let records: Vec<_> = prepared.records.iter().map(|placed| placed.record.clone()).collect();
    let output = oracle::run(&config, &records);
    let lines =
        |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
    Files {
        alerts: lines(&output.alerts),
        totals: lines(&output.totals),
        dead: lines(&output.dead),
        outcomes: output.outcomes,
    }
}

/// The records in another order: those of one partition keep theirs.
pub fn interleaved(prepared: &Prepared, seed: u64) -> Vec<&oracle::Record> {
    let mut logs: BTreeMap<(usize, u32), Vec<&oracle::Record>> = BTreeMap::new();
    for placed in prepared.records.iter().rev() {
        let record = &placed.record;
        logs.entry((record.topic, record.partition)).or_default().push(record);
    }
    let mut logs: Vec<_> = logs.into_values().collect();
    let mut random = Random(seed);
    let longest = if seed.is_multiple_of(2) { 3 } else { 300 };
    let mut order = Vec::new();
    while !logs.is_empty() {
        let at = random.below(logs.len());
        // Runs of several records, so that a partition may also be far ahead of the others.
        for _ in 0..=random.below(longest) {
            order.extend(logs[at].pop());
        }
        if logs[at].is_empty() {
            logs.swap_remove(at);
        }
    }
    order
}

/// Pseudo-random numbers: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        // Few logs: 31 bits are enough.
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("31 bits fit") % limit
    }
}
