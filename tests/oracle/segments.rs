//! Owns which boundary each record belongs to, and up to which boundary a replay goes.
//!
//! A shard is one partition number; its four partitions are placed one by one, and how they
//! interleave does not enter.

use std::collections::BTreeMap;

use super::{Config, Decision, Record};

/// A record in its segment.
pub struct Placed<'a> {
    pub record: &'a Record,
    /// The Kafka timestamp, or what a recorded decision has put in its place.
    pub record_time_ms: Option<i64>,
    /// None where no boundary of the whole replay has a record.
    pub boundary: Option<i64>,
}

/// The segments of all shards.
pub struct Plan<'a> {
    /// By shard; the records by topic, then offset.
    pub shards: BTreeMap<u32, Vec<Placed<'a>>>,
    /// The last boundary that closes; None if none does.
    pub last: Option<i64>,
}

pub fn plan<'a>(config: &Config, records: &'a [Record]) -> Plan<'a> {
    let mut logs: BTreeMap<(u32, usize), Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| !is_lost(config, record)) {
        logs.entry((record.partition, record.topic)).or_default().push(record);
    }
    let mut shards: BTreeMap<u32, Vec<Placed>> = BTreeMap::new();
    for ((partition, topic), mut log) in logs {
        log.sort_by_key(|record| record.offset);
        let placed = place(config, topic, partition, &log);
        shards.entry(partition).or_default().extend(placed);
    }

    let mut known: Vec<(Option<u32>, i64)> = closing_decisions(config);
    for (&shard, placed) in &shards {
        let boundaries = placed.iter().filter_map(|placed| placed.boundary);
        known.extend(boundaries.map(|boundary| (Some(shard), boundary)));
    }
    let first_of_all = known.iter().map(|&(_, boundary)| boundary).min();
    for (&shard, placed) in &mut shards {
        let of_shard = known.iter().filter(|(owner, _)| *owner == Some(shard));
        let first = of_shard.map(|&(_, boundary)| boundary).min().or(first_of_all);
        for placed in placed {
            placed.boundary = placed.boundary.or(first);
        }
    }
    let last = match config.until_ms {
        Some(until_ms) => Some(until_ms.div_euclid(config.boundary_ms)),
        None => known.iter().map(|&(_, boundary)| boundary).max(),
    };
    Plan { shards, last }
}

/// Whether a record lies in a gap that was gone on behind.
fn is_lost(config: &Config, record: &Record) -> bool {
    config.decisions.iter().any(|decision| match decision {
        Decision::Gap { topic, partition, offsets } => {
            (*topic, *partition) == (record.topic, record.partition)
                && offsets.contains(&record.offset)
        }
        _ => false,
    })
}

/// The boundaries closed by decision, once for each shard that a decision names.
fn closing_decisions(config: &Config) -> Vec<(Option<u32>, i64)> {
    let mut found = Vec::new();
    for decision in &config.decisions {
        let Decision::Close { boundary, positions } = decision else {
            continue;
        };
        found.push((None, *boundary));
        for (_, partition, _) in positions {
            found.push((Some(*partition), *boundary));
        }
    }
    found
}

/// Places the records of one partition; those before any watermark get no boundary yet.
fn place<'a>(config: &Config, topic: usize, partition: u32, log: &[&'a Record]) -> Vec<Placed<'a>> {
    let mut watermark: Option<i64> = None;
    let mut placed = Vec::new();
    for &record in log {
        let record_time_ms = decided_time(config, record).or(record.timestamp_ms);
        watermark = watermark
            .max(decided_watermark(config, topic, partition, record.offset))
            .max(record_time_ms);
        placed.push(Placed {
            record,
            record_time_ms,
            boundary: watermark.map(|ms| ms.div_euclid(config.boundary_ms) + 1),
        });
    }
    placed
}

/// The record time that a decision gives to a record.
fn decided_time(config: &Config, record: &Record) -> Option<i64> {
    config.decisions.iter().find_map(|decision| match decision {
        Decision::RecordTime { topic, partition, offset, record_time_ms }
            if (*topic, *partition, *offset) == (record.topic, record.partition, record.offset) =>
        {
            Some(*record_time_ms)
        }
        _ => None,
    })
}

/// The latest instant to which decisions moved this partition before the record at `offset`.
fn decided_watermark(config: &Config, topic: usize, partition: u32, offset: i64) -> Option<i64> {
    let mut latest = None;
    for decision in &config.decisions {
        let Decision::Close { boundary, positions } = decision else {
            continue;
        };
        for &(of_topic, of_partition, next_offset) in positions {
            if (of_topic, of_partition) == (topic, partition) && next_offset <= offset {
                latest = latest.max(Some(boundary.saturating_mul(config.boundary_ms)));
            }
        }
    }
    latest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(topic: usize, offset: i64, timestamp_ms: Option<i64>) -> Record {
        Record { topic, partition: 0, offset, timestamp_ms, value: None }
    }

    fn boundaries(config: &Config, records: &[Record]) -> Vec<Option<i64>> {
        let plan = plan(config, records);
        plan.shards[&0].iter().map(|placed| placed.boundary).collect()
    }

    #[test]
    fn the_watermark_never_goes_back() {
        let times = [0, 4_999, 5_000, 3_000, 12_345, 9_999, 15_000];
        let records: Vec<Record> = (0..).zip(times).map(|(o, t)| record(0, o, Some(t))).collect();
        let expected = [1, 1, 2, 2, 3, 3, 4].map(Some);
        assert_eq!(boundaries(&Config::default(), &records), expected);
        assert_eq!(plan(&Config::default(), &records).last, Some(4));
    }

    #[test]
    fn a_record_without_time_belongs_to_the_first_boundary_or_to_its_watermark() {
        let records = [
            record(0, 0, None),
            record(0, 1, Some(60_000)),
            record(0, 2, None),
            record(1, 0, Some(20_000)),
        ];
        let expected = [Some(5), Some(13), Some(13), Some(5)];
        assert_eq!(boundaries(&Config::default(), &records), expected);
        assert_eq!(boundaries(&Config::default(), &records[..1]), [None]);
    }

    #[test]
    fn a_closing_decision_moves_the_watermark_at_its_next_offset() {
        let decisions = vec![Decision::Close { boundary: 7, positions: vec![(0, 0, 1)] }];
        let config = Config { decisions, ..Config::default() };
        let records = [
            record(0, 0, Some(1_000)),
            record(0, 1, Some(2_000)),
            record(0, 2, Some(41_000)),
            record(1, 0, Some(1_000)),
        ];
        assert_eq!(boundaries(&config, &records), [1, 8, 9, 1].map(Some));
        assert_eq!(plan(&config, &records[..1]).last, Some(7));
    }

    #[test]
    fn records_in_a_gap_are_in_no_segment() {
        let decisions = vec![Decision::Gap { topic: 0, partition: 0, offsets: 1..3 }];
        let config = Config { decisions, ..Config::default() };
        let records: Vec<Record> = (0..4).map(|n| record(0, n, Some(n * 10_000))).collect();
        assert_eq!(boundaries(&config, &records), [Some(1), Some(7)]);
    }

    #[test]
    fn a_decided_record_time_takes_the_place_of_the_timestamp() {
        let decisions =
            vec![Decision::RecordTime { topic: 0, partition: 0, offset: 0, record_time_ms: 7_000 }];
        let config = Config { decisions, ..Config::default() };
        let records = [record(0, 0, Some(900_000)), record(0, 1, Some(8_000))];
        assert_eq!(boundaries(&config, &records), [2, 2].map(Some));
    }
}
