//! Hostile cases from seeds: logs, policies, decisions and ends, for the engine and the reference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod decisions;
pub mod image;
mod policies;

use odrwatch::domain::effects::Effects;
use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, Offset, ShardNo};
use odrwatch::domain::shard::{AlertingStart, Limits, Shard, ShardConfig};
use odrwatch::domain::time::{Boundary, BoundaryLength, RecordTime};
use odrwatch::pipeline::intake::Intake;
use odrwatch::pipeline::replay::{Output, Replay, ReplayConfig};
use odrwatch::sim::hostile::{Hostile, HostileConfig};
use odrwatch::sim::random::Random;
use odrwatch::wire::decision::{DecisionLine, IdlePartition};
use odrwatch::wire::input;
use odrwatch::wire::{alert, dead_letter};

use crate::oracle;
use decisions::for_reference;
use policies::Policies;

/// A record of a case, in the order of its partition's offsets.
type Stored = oracle::Record;

/// Everything that a bounded replay is given.
pub struct Case {
    policies: Policies,
    length: BoundaryLength,
    partitions: u32,
    /// By topic and partition.
    logs: Vec<Vec<Stored>>,
    start: AlertingStart,
    advice: None,
    until_ms: Option<i64>,
    decisions: Vec<DecisionLine>,
}

/// The four files as text.
#[derive(Debug, PartialEq, Eq)]
pub struct Files {
    pub alerts: String,
    pub totals: String,
    pub dead: String,
    pub outcomes: String,
}

/// In which order records are handed over.
pub struct Feed(Option<Random>);

impl Feed {
    pub fn interleaved(seed: u64) -> Self {
        Self(Some(Random::new(seed)))
    }

    pub fn topic_by_topic() -> Self {
        Self(None)
    }
}

impl Case {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(7));
        let config = HostileConfig {
            events: 20 + random.index(110),
            days: u32::try_from(random.between(3, 110)).unwrap(),
            sellers: u32::try_from(random.between(1, 6)).unwrap(),
            partitions: u32::try_from(random.between(1, 3)).unwrap(),
            missing_timestamps: random.chance(200_000),
            ..HostileConfig::new(seed)
        };
        let mut case = Self::of(&Hostile::new(&config), config.partitions, &mut random);
        let (from, to) = case.span();
        if random.chance(250_000) {
            case.until_ms = Some(random.between(from, to + 40 * 86_400_000));
        }
        if random.chance(300_000) {
            case.start = AlertingStart::Time(random.between(from - 1, to));
        }
        if random.chance(400_000) {
            case.decisions = case.random_decisions(&mut random);
        }
        // Last, so that what is drawn before it stays what it was.
        if random.chance(200_000) {
            case.decisions.extend(case.random_gap(&mut random));
        }
        case
    }

    /// A case whose records all belong to one boundary, so that their order is free.
    pub fn in_one_boundary(seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(31).wrapping_add(9));
        let config = HostileConfig {
            events: 20 + random.index(60),
            partitions: 1,
            ..HostileConfig::new(seed)
        };
        let mut case = Self::of(&Hostile::new(&config), 1, &mut random);
        let (_, to) = case.span();
        for record in case.logs.iter_mut().flatten() {
            record.timestamp_ms = Some(to);
        }
        case
    }

    fn of(hostile: &Hostile, partitions: u32, random: &mut Random) -> Self {
        let mut logs = Vec::new();
        for topic in Topic::ALL {
            for partition in 0..partitions {
                let mut offset = 0;
                let log = hostile.log(topic, partition).iter().map(|record| {
                    // Gaps, as control records and compaction leave them.
                    offset += if random.chance(50_000) { random.between(2, 5) } else { 1 };
                    Stored {
                        topic: topic.index(),
                        partition,
                        offset,
                        timestamp_ms: record.timestamp_ms,
                        value: record.value.clone(),
                    }
                });
                logs.push(log.collect());
            }
        }
        let lengths = [5_000, 5_000, 60_000, 900_000];
        Self {
            policies: Policies::random(random),
            length: BoundaryLength::from_ms(*random.pick(&lengths)).unwrap(),
            partitions,
            logs,
            start: AlertingStart::Earliest,
            until_ms: None,
            decisions: Vec::new(),
        }
    }

    fn span(&self) -> (i64, i64) {
        let times = || self.logs.iter().flatten().filter_map(|record| record.timestamp_ms);
        (times().min().unwrap_or(0), times().max().unwrap_or(1))
    }

    fn random_decisions(&self, random: &mut Random) -> Vec<DecisionLine> {
        let mut decisions = Vec::new();
        let (from, to) = self.span();
        for _ in 0..random.between(1, 4) {
            let records: Vec<&Stored> = self.logs.iter().flatten().collect();
            if records.is_empty() {
                break;
            }
            let record = *random.pick(&records);
            let at = record.timestamp_ms.unwrap_or(from) + random.between(-1, 2) * 86_400_000;
            let boundary = Boundary::at_or_after(at, self.length);
            decisions.push(match random.below(4) {
                0 => DecisionLine::RecordTime {
                    topic: Topic::ALL[record.topic],
                    partition: ShardNo::new(record.partition),
                    offset: Offset::new(record.offset),
                    record_time: RecordTime::from_ms(random.between(from, to)),
                },
                1 => DecisionLine::AlertsFrom { shard: ShardNo::new(record.partition), boundary },
                _ => DecisionLine::Closing {
                    boundary,
                    partitions: vec![IdlePartition {
                        topic: Topic::ALL[record.topic],
                        partition: ShardNo::new(record.partition),
                        next_offset: NextOffset::stated(record.offset + random.between(0, 1)),
                    }],
                },
            });
        }
        decisions
    }

    /// A piece of some log that was lost before it was read, though the replay has it.
    fn random_gap(&self, random: &mut Random) -> Option<DecisionLine> {
        let records: Vec<&Stored> = self.logs.iter().flatten().collect();
        let record = records.get(random.index(records.len().max(1)))?;
        let from = record.offset - random.between(0, record.offset.min(3) + 1);
        let to = record.offset + random.between(1, 30);
        Some(DecisionLine::Gap {
            topic: Topic::ALL[record.topic],
            partition: ShardNo::new(record.partition),
            from: NextOffset::stated(from),
            to: NextOffset::stated(to),
        })
    }

    fn input_limits(&self) -> input::Limits {
        input::Limits::with_partitions(self.partitions)
    }

    pub fn shard_config(&self, hash_seed: u64) -> ShardConfig {
        ShardConfig {
            shard: ShardNo::new(0),
            policy: self.policies.engine.clone(),
            length: self.length,
            future_days: 3,
            limits: Limits::default(),
            start: self.start,
            statuses: hash_seed.is_multiple_of(2),
            matters: true,
            hash_seed,
            first: [NextOffset::stated(0); 4],
        }
    }

    pub fn by_reference(&self) -> Files {
        let config = oracle::Config {
            policy: self.policies.reference.clone(),
            boundary_ms: self.length.ms(),
            partitions: self.partitions,
            alerts_from: match self.start {
                AlertingStart::Time(ms) => oracle::AlertsFrom::TimeMs(ms),
                AlertingStart::Earliest | AlertingStart::Decided => oracle::AlertsFrom::Earliest,
            },
            until_ms: self.until_ms,
            decisions: self.decisions.iter().map(for_reference).collect(),
            ..oracle::Config::default()
        };
        let records: Vec<Stored> = self.logs.iter().flatten().cloned().collect();
        let output = oracle::run(&config, &records);
        let lines = |lines: Vec<String>| lines.iter().map(|line| format!("{line}\n")).collect();
        Files {
            alerts: lines(output.alerts),
            totals: lines(output.totals),
            dead: lines(output.dead),
            outcomes: output.outcomes,
        }
    }

    pub fn by_replay(&self, feed: &Feed) -> Files {
        let config = ReplayConfig {
            shard: self.shard_config(17),
            input: self.input_limits(),
            until_ms: self.until_ms,
            needs_recorded_start: false,
        };
        let mut replay = Replay::new(config, self.decisions.clone());
        for record in self.in_order(feed) {
            replay
                .push(
                    Topic::ALL[record.topic],
                    ShardNo::new(record.partition),
                    Offset::new(record.offset),
                    record.timestamp_ms,
                    record.value.as_deref(),
                )
                .unwrap();
        }
        files(replay.finish().unwrap())
    }

    /// All records, each partition's in the order of its offsets.
    fn in_order(&self, feed: &Feed) -> Vec<&Stored> {
        let Some(mut random) = feed.0.clone() else {
            return self.logs.iter().flatten().collect();
        };
        let mut heads = vec![0; self.logs.len()];
        let mut order = Vec::new();
        loop {
            let open: Vec<usize> =
                (0..heads.len()).filter(|log| heads[*log] < self.logs[*log].len()).collect();
            if open.is_empty() {
                return order;
            }
            let log = *random.pick(&open);
            order.push(&self.logs[log][heads[log]]);
            heads[log] += 1;
        }
    }

    /// Drives the shards by hand, without decisions and end; after a boundary, `disturb` may do to
    /// the shard what must change nothing. What then does not wait any more is read again.
    pub fn by_shards(&self, seed: u64, disturb: &mut dyn FnMut(&mut Shard)) -> Vec<Vec<u8>> {
        let mut outputs = Vec::new();
        let last = self.last_boundary();
        for partition in 0..self.partitions {
            let mut config = self.shard_config(seed);
            config.shard = ShardNo::new(partition);
            let mut shard = Shard::new(config);
            let mut effects = Effects::default();
            let mut intake = Intake::new(self.input_limits());
            while let Some(record) = self.next_of(&shard, partition) {
                let topic = Topic::ALL[record.topic];
                let time = record.timestamp_ms.map(RecordTime::from_ms);
                let offset = Offset::new(record.offset);
                intake.take(&mut shard, topic, offset, time, record.value.as_deref()).unwrap();
                while let Some(boundary) = shard.next_closable() {
                    shard.close(boundary, &mut effects).unwrap();
                    shard.take_statuses(&mut effects);
                    disturb(&mut shard);
                }
            }
            if let Some(last) = last {
                shard.close_through(last, &mut effects).unwrap();
                shard.take_statuses(&mut effects);
            }
            outputs.push(written(&shard, &effects));
        }
        outputs
    }

    /// The next record of the partition with the lowest watermark that has any left.
    fn next_of(&self, shard: &Shard, partition: u32) -> Option<&Stored> {
        let mut topics = Topic::ALL;
        topics.sort_by_key(|topic| shard.inbox().watermark(*topic));
        topics.into_iter().find_map(|topic| {
            let place = topic.index() * usize::try_from(self.partitions).unwrap();
            let log = &self.logs[place + usize::try_from(partition).unwrap()];
            let next = shard.inbox().read_to(topic).get();
            log.iter().find(|record| record.offset >= next)
        })
    }

    fn last_boundary(&self) -> Option<Boundary> {
        let watermark = |log: &Vec<Stored>| log.iter().filter_map(|r| r.timestamp_ms).max();
        let last = self.logs.iter().filter_map(watermark).max()?;
        Some(Boundary::of_watermark(RecordTime::from_ms(last), self.length))
    }

    /// The same facts in another order, some of them more than once; offsets are given anew.
    pub fn shuffled_and_repeated(&self, random: &mut Random) -> Self {
        let mut logs = self.logs.clone();
        for log in &mut logs {
            let repeats = log.len() / 3;
            for _ in 0..repeats {
                log.push(random.pick(log).clone());
            }
            random.shuffle(log);
            for (offset, record) in (0..).zip(log.iter_mut()) {
                record.offset = offset;
            }
        }
        Self {
            policies: self.policies.clone(),
            length: self.length,
            partitions: self.partitions,
            logs,
            start: self.start,
            until_ms: self.until_ms,
            decisions: Vec::new(),
        }
    }
}

fn written(shard: &Shard, effects: &Effects) -> Vec<u8> {
    let mut out = Vec::new();
    for raised in &effects.alerts {
        alert::write_value(raised, shard.number(), &mut out);
        out.push(b'\n');
    }
    for dead in &effects.dead {
        dead_letter::write_line(dead, shard.number(), &mut out);
    }
    out.extend_from_slice(format!("{:?} {:032x}", effects.outcomes, shard.digest().0).as_bytes());
    out.extend_from_slice(format!("{:?}\n{:?}", effects.statuses, shard.totals()).as_bytes());
    out
}

fn files(output: Output) -> Files {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Files {
        alerts: text(output.alerts),
        totals: text(output.totals),
        dead: text(output.dead),
        outcomes: text(output.outcomes).trim_end().to_owned(),
    }
}
