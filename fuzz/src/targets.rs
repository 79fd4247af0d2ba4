//! What each fuzz target does with its bytes, and what must hold whatever they are.
//!
//! These functions are shared: cargo-fuzz runs them without end (`fuzz/fuzz_targets`), and
//! `tests/fuzz.rs` runs them over the corpus and over seeded mutations of it, on stable. Each
//! panics where odrwatch does not keep its word.

use std::fs;
use std::path::PathBuf;

use odrwatch::advice::{self, Facts, Rule};
use odrwatch::config::{self, Sources};
use odrwatch::domain::event::{Channel, Topic};
use odrwatch::domain::ids::{NextOffset, Offset, ShardNo};
use odrwatch::domain::policy::{Policy, Scope, View};
use odrwatch::domain::shard::{AlertingStart, Limits, ShardConfig};
use odrwatch::domain::time::{BoundaryLength, RecordTime};
use odrwatch::pipeline::replay::{Output, Replay, ReplayConfig};
use odrwatch::snapshot::format::{self, Expected};
use odrwatch::wire::decision::{self, DecisionLine};
use odrwatch::wire::input::{self, Decoder, explain};
use odrwatch::wire::partition::Partitioner;
use odrwatch::wire::{progress, replay as lines};
use xxhash_rust::xxh3::xxh3_128;

/// 2026-03-05, some time: when the records of the corpus are read.
const NOW_MS: i64 = 1_772_700_000_000;

/// Days of records that a replay goes through: each day between takes its time.
const REPLAYED_MS: i64 = 400 * 86_400_000;

/// The most bytes that a target looks at: what is longer finds nothing more.
const MOST_BYTES: usize = 64 << 10;

/// A value of an input record: both decoders say the same of it, for every topic, and what they
/// say holds no byte of it.
pub fn record(data: &[u8]) {
    let data = &data[..data.len().min(MOST_BYTES)];
    let (mut quick, mut exact) = (Decoder::new(), Decoder::new());
    for topic in Topic::ALL {
        for (partitioner, time) in [
            (Partitioner::Off, Some(NOW_MS)),
            (Partitioner::Murmur2, Some(NOW_MS)),
            (Partitioner::Crc32, Some(i64::MIN)),
            (Partitioner::Off, Some(i64::MAX)),
            (Partitioner::Off, None),
        ] {
            let limits = input::Limits { partitioner, ..input::Limits::with_partitions(3) };
            let time = time.map(RecordTime::from_ms);
            let event = quick.decode(topic, data, time, 1, &limits);
            assert_eq!(event, exact.decode_exactly(topic, data, time, 1, &limits));
            if let Err(cause) = event {
                let told = explain(cause);
                assert!(told.starts_with(cause.reason().as_str()), "{told}");
                assert!(told.bytes().all(|byte| (0x20..0x7F).contains(&byte)), "{told}");
            }
        }
    }
}

/// A snapshot as it is, and with its checksums made right: it is refused, or it is whole.
pub fn snapshot(data: &[u8]) {
    let data = &data[..data.len().min(MOST_BYTES)];
    read_snapshot(data);
    read_snapshot(&resealed(data));
}

/// Whether a snapshot is one that a restart would use.
pub fn is_whole(snapshot: &[u8]) -> bool {
    format::read(snapshot, &expected(), shard(true)).is_ok()
}

fn expected() -> Expected {
    Expected {
        group: "odrwatch".to_owned(),
        cluster: "cluster-1/orders,feedback,claims,chargebacks".to_owned(),
        policy: "00112233445566778899aabbccddeeff".to_owned(),
        shard: ShardNo::new(0),
        committed: u64::MAX,
    }
}

fn read_snapshot(snapshot: &[u8]) {
    let header = format::read_header(snapshot);
    match format::read(snapshot, &expected(), shard(true)) {
        Ok((read, shard)) => {
            assert_eq!(read, header.expect("a whole snapshot has a header"));
            assert_eq!(shard.digest(), read.progress.digest);
        }
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
}

/// The same frame with right checksums: else nothing behind the first one is ever reached.
pub fn resealed(data: &[u8]) -> Vec<u8> {
    /// Magic and version.
    const FRONT: usize = 10;
    const SUM: usize = 16;
    let mut out = Vec::with_capacity(data.len() + SUM);
    let mut rest = data;
    let mut take = |length: usize| {
        let (taken, left) = rest.split_at(length.min(rest.len()));
        rest = left;
        taken
    };
    let length = |bytes: &[u8]| {
        let bytes = bytes.try_into().map_or(0, u32::from_le_bytes);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    };
    let seal = |out: &mut Vec<u8>, start: usize| {
        let sum = xxh3_128(&out[start..]);
        out.extend_from_slice(&sum.to_le_bytes());
    };
    out.extend_from_slice(take(FRONT));
    let header = take(4);
    out.extend_from_slice(header);
    out.extend_from_slice(take(length(header)));
    take(SUM);
    seal(&mut out, 0);
    let mut blocks = 0_u32;
    loop {
        let start = out.len();
        let kind = take(1);
        // Without a block there is the end, and so there is behind the last byte.
        if kind.is_empty() || kind == [0] {
            out.push(0);
            out.extend_from_slice(&blocks.to_le_bytes());
            seal(&mut out, 0);
            return out;
        }
        out.extend_from_slice(kind);
        out.extend_from_slice(take(5));
        let stored = take(4);
        out.extend_from_slice(stored);
        out.extend_from_slice(take(length(stored)));
        take(SUM);
        seal(&mut out, start);
        blocks = blocks.saturating_add(1);
    }
}

/// A configuration: a file, and behind a line of dashes arguments of `--set`, one a line. It is
/// taken, or each mistake has a place and words.
pub fn configuration(data: &[u8]) {
    const LINE: &str = "\n--------\n";
    let data = &data[..data.len().min(MOST_BYTES)];
    let text = String::from_utf8_lossy(data);
    let (file, sets) = text.split_once(LINE).unwrap_or((&text, ""));
    let path = scratch("odrwatch.yaml");
    // What is no UTF-8 is a file, too.
    let file = if sets.is_empty() { data } else { file.as_bytes() };
    fs::write(&path, file).expect("the temporary directory is writable");
    let sources = Sources {
        file: Some(path),
        sets: sets.lines().map(str::to_owned).collect(),
        host_name: Some("host-1".to_owned()),
        without_secrets: true,
        ..Sources::default()
    };
    match config::load(&sources) {
        Ok(config) => assert!(config::shown(&config).is_object()),
        Err(errors) => {
            assert!(!errors.mistakes().is_empty());
            assert!(!errors.to_string().chars().any(|c| c.is_control() && c != '\n'), "{errors:?}");
        }
    }
}

/// A file of this process alone.
fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("odrwatch-fuzz-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("the temporary directory is writable");
    directory.join(name)
}

/// Lines of dumped topics and of decisions: what can be read is replayed, twice with one result.
pub fn replay(data: &[u8]) {
    let data = &data[..data.len().min(MOST_BYTES)];
    let length = BoundaryLength::from_ms(5_000).expect("it divides 15 minutes");
    let topic_of = |name: &str| Topic::ALL.into_iter().find(|topic| topic.as_str() == name);
    let _ = progress::decode(data);
    let mut decisions = Vec::new();
    let mut records = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        let _ = progress::decode(line);
        decisions.extend(decision::parse_line(line, length, &topic_of).ok().filter(is_near));
        records.extend(lines::parse_line(line));
    }
    let run = || {
        let mut replay = Replay::new(replay_config(), decisions.clone());
        for record in &records {
            let Some(topic) = topic_of(&record.topic) else { continue };
            if record.timestamp_ms.is_some_and(|ms| !is_near_ms(ms)) {
                continue;
            }
            let (partition, offset) = (ShardNo::new(record.partition), Offset::new(record.offset));
            let value = record.value.as_deref();
            if let Err(error) = replay.push(topic, partition, offset, record.timestamp_ms, value) {
                return Err(error.to_string());
            }
        }
        replay.finish().map_err(|error| error.to_string())
    };
    let output: Result<Output, String> = run();
    assert_eq!(output, run());
    if let Ok(output) = output {
        assert!(output.alerts.is_empty() || output.alerts.ends_with(b"\n"));
    }
}

fn is_near_ms(ms: i64) -> bool {
    (NOW_MS - REPLAYED_MS..NOW_MS + REPLAYED_MS).contains(&ms)
}

fn is_near(line: &DecisionLine) -> bool {
    let length = BoundaryLength::from_ms(5_000).expect("it divides 15 minutes");
    match line {
        DecisionLine::RecordTime { record_time, .. } => is_near_ms(record_time.ms()),
        DecisionLine::Closing { boundary, .. } | DecisionLine::AlertsFrom { boundary, .. } => {
            is_near_ms(boundary.ms(length))
        }
        // It names no time.
        DecisionLine::Gap { .. } => true,
    }
}

fn replay_config() -> ReplayConfig {
    ReplayConfig {
        shard: shard(false),
        input: input::Limits { partitioner: Partitioner::Off, ..input::Limits::with_partitions(2) },
        until_ms: None,
        needs_recorded_start: false,
    }
}

fn shard(statuses: bool) -> ShardConfig {
    let (scopes, views) = (Scope::ALL.to_vec(), View::ALL.to_vec());
    ShardConfig {
        shard: ShardNo::new(0),
        policy: Policy { scopes, views, ..Policy::default() },
        length: BoundaryLength::from_ms(5_000).expect("it divides 15 minutes"),
        future_days: 3,
        limits: Limits::default(),
        start: AlertingStart::Earliest,
        statuses,
        hash_seed: 5,
        first: [NextOffset::stated(0); 4],
    }
}

/// A buyer's comment: every place that a verdict names is a piece of the text, and what is known
/// of an order never makes one panic.
pub fn advice(data: &[u8]) {
    let data = &data[..data.len().min(MOST_BYTES)];
    let comment = String::from_utf8_lossy(data);
    let reading = advice::read(&comment);
    for clause in &reading.clauses {
        let _ = clause.span.of(&comment);
        for (_, span) in &clause.topics {
            let _ = span.of(&comment);
        }
    }
    for channel in [None, Some(Channel::Afn), Some(Channel::Mfn)] {
        for known in [None, Some(true), Some(false)] {
            let facts = Facts { channel, buy_shipping: known, shipped_on_time: known };
            let verdicts = reading.decide(facts);
            assert_eq!(
                reading.compact().decide(facts),
                verdicts.verdicts.clone().map(|v| v.decision)
            );
            for rule in Rule::ALL {
                let verdict = verdicts.of(rule);
                let spans = verdict.evidence.iter().map(|evidence| evidence.span);
                for span in spans.chain(verdict.blockers.iter().filter_map(|one| one.span)) {
                    assert!(!span.of(&comment).is_empty());
                }
            }
        }
    }
    let compact = reading.compact();
    assert_eq!(advice::Compact::of_bits(compact.bits()), Some(compact));
}
