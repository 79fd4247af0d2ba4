//! Records of the progress topic: where a shard is, and what it decided since the record before.
//!
//! Invariants: what is written is read back equal; a record of a newer version is told from a
//! damaged one, and neither is guessed at. The format is version 1; members may be added within
//! it, and readers skip those that they do not know.

use serde::Deserialize;

use crate::domain::effects::Digest;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::time::{Boundary, BoundaryLength, RecordTime};

use super::decision::{DecisionLine, RawDecision, topic_of_role, write_members};
use super::identity::{self, LogIdentity, RawMark};
use super::write::object;

/// The version that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The engine that writes version 1: a change of what is computed changes its number.
pub const ENGINE: &str = "odrwatch/1";

/// A progress record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// 1, 2, 3, ... per shard.
    pub number: u64,
    /// The shard.
    pub shard: ShardNo,
    /// The offsets at which the shard's history begins, in the order of [`Topic::ALL`].
    pub from: [NextOffset; 4],
    /// The last closed boundary; none before the first.
    pub boundary: Option<Boundary>,
    /// The length Δ of the interval between boundaries.
    pub boundary_length: BoundaryLength,
    /// The positions in the four partitions, in the order of [`Topic::ALL`].
    pub positions: [Position; 4],
    /// How many shards there are, as many as each input has partitions; old records do not say.
    pub shards: Option<u32>,
    /// By what the four logs are known again.
    pub logs: [LogIdentity; 4],
    /// The decisions since the record before.
    pub decisions: Vec<DecisionLine>,
    /// The `seq` of the last alert.
    pub seq: u64,
    /// How many outputs of the boundary after `boundary` are already written.
    pub outputs_written: u64,
    /// The engine that wrote the record.
    pub engine: String,
    /// The policy's fingerprint.
    pub policy: String,
    /// Where the owner serves HTTP, as `host:port`.
    pub owner: Option<String>,
    /// Where the newest snapshot is, in the words of its store.
    pub snapshot: Option<String>,
    /// The chained digest.
    pub digest: Digest,
}

/// The position in an input partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The next offset.
    pub next: NextOffset,
    /// The watermark `w_p`; none before the first record with a time.
    pub watermark: Option<RecordTime>,
}

/// Why a progress record cannot be used, by what the caller does next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgressError {
    /// It was written by a newer program: stop, and run that one.
    #[error("the progress record has version {found}, and this program knows up to {VERSION}")]
    NewerVersion {
        /// Its version.
        found: u64,
    },
    /// It is not a progress record: stop, and look at the topic.
    #[error("the progress record is damaged: {0}")]
    Damaged(String),
}

/// Appends the value of a progress record.
pub fn write_value(progress: &Progress, out: &mut Vec<u8>) {
    object(out, |value| {
        value.integer("version", VERSION);
        value.integer("n", progress.number);
        value.integer("shard", progress.shard.get());
        if let Some(shards) = progress.shards {
            value.integer("shards", shards);
        }
        value.integers("from", &progress.from.map(NextOffset::get));
        match progress.boundary {
            Some(boundary) => value.integer("boundary", boundary.number()),
            None => value.null("boundary"),
        }
        value.integer("boundary_ms", progress.boundary_length.ms());
        let positions = Topic::ALL.into_iter().zip(progress.positions).zip(&progress.logs);
        value.objects("partitions", positions, |item, ((topic, position), log)| {
            item.text("topic", topic.as_str());
            item.integer("next_offset", position.next.get());
            match position.watermark {
                Some(watermark) => item.integer("watermark_ms", watermark.ms()),
                None => item.null("watermark_ms"),
            }
            identity::write_members(log, item);
        });
        value.objects("decisions", &progress.decisions, |item, decision| {
            write_members(decision, item);
        });
        value.integer("seq", progress.seq);
        value.integer("outputs_written", progress.outputs_written);
        value.text("engine", &progress.engine);
        value.text("policy", &progress.policy);
        value.optional_text("owner", progress.owner.as_deref());
        value.optional_text("snapshot", progress.snapshot.as_deref());
        value.text("digest", &format!("{:032x}", progress.digest.0));
    });
}

/// Reads the value of a progress record.
///
/// # Errors
/// [`ProgressError::NewerVersion`] or [`ProgressError::Damaged`], which names what is wrong.
pub fn decode(value: &[u8]) -> Result<Progress, ProgressError> {
    let RawVersion { version } = from_json(value)?;
    match version {
        1 => from_json::<RawProgress>(value)?.progress(),
        found if found > u64::from(VERSION) => Err(ProgressError::NewerVersion { found }),
        found => Err(damaged(format!("there is no version {found}"))),
    }
}

fn from_json<'a, T: Deserialize<'a>>(value: &'a [u8]) -> Result<T, ProgressError> {
    serde_json::from_slice(value).map_err(|error| damaged(error.to_string()))
}

const fn damaged(what: String) -> ProgressError {
    ProgressError::Damaged(what)
}

#[derive(Deserialize)]
struct RawVersion {
    version: u64,
}

/// Version 1 as it is written.
#[derive(Deserialize)]
struct RawProgress {
    n: u64,
    shard: u32,
    shards: Option<u32>,
    from: [i64; 4],
    boundary: Option<i64>,
    boundary_ms: i64,
    partitions: [RawPosition; 4],
    decisions: Vec<RawDecision>,
    seq: u64,
    outputs_written: u64,
    engine: String,
    policy: String,
    owner: Option<String>,
    snapshot: Option<String>,
    digest: String,
}

#[derive(Deserialize)]
struct RawPosition {
    topic: String,
    next_offset: i64,
    watermark_ms: Option<i64>,
    topic_id: Option<String>,
    mark: Option<RawMark>,
}

impl RawProgress {
    fn progress(self) -> Result<Progress, ProgressError> {
        let boundary_length = BoundaryLength::from_ms(self.boundary_ms)
            .ok_or_else(|| damaged(format!("boundary_ms {}", self.boundary_ms)))?;
        let topics = self.partitions.each_ref().map(|raw| raw.topic.as_str());
        if topics != Topic::ALL.map(Topic::as_str) {
            return Err(damaged("partitions are not the four topics in order".to_owned()));
        }
        let offsets = self.partitions.iter().map(|raw| raw.next_offset);
        if let Some(negative) = offsets.chain(self.from).find(|offset| *offset < 0) {
            return Err(damaged(format!("offset {negative}")));
        }
        if self.n == 0 {
            return Err(damaged("n is 0".to_owned()));
        }
        let decisions = self
            .decisions
            .into_iter()
            .map(|raw| raw.decision(boundary_length, &topic_of_role))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| damaged(format!("decisions: {error}")))?;
        let mut logs = [LogIdentity::default(); 4];
        for (log, raw) in logs.iter_mut().zip(&self.partitions) {
            *log = identity::read(raw.topic_id.as_deref(), raw.mark.as_ref()).map_err(damaged)?;
        }
        let shard = ShardNo::new(self.shard);
        if !decisions.iter().all(|decision| is_of(decision, shard)) {
            return Err(damaged("a decision of another shard".to_owned()));
        }
        Ok(Progress {
            number: self.n,
            shard,
            shards: self.shards,
            from: self.from.map(NextOffset::stated),
            boundary: self.boundary.map(Boundary::from_number),
            boundary_length,
            positions: self.partitions.map(|raw| Position {
                next: NextOffset::stated(raw.next_offset),
                watermark: raw.watermark_ms.map(RecordTime::from_ms),
            }),
            logs,
            decisions,
            seq: self.seq,
            outputs_written: self.outputs_written,
            engine: self.engine,
            policy: self.policy,
            owner: self.owner,
            snapshot: self.snapshot,
            digest: digest_of(&self.digest)?,
        })
    }
}

/// Whether a decision is about a shard.
fn is_of(decision: &DecisionLine, this: ShardNo) -> bool {
    match decision {
        DecisionLine::Closing { partitions, .. } => {
            partitions.iter().all(|idle| idle.partition == this)
        }
        DecisionLine::RecordTime { partition, .. } | DecisionLine::Gap { partition, .. } => {
            *partition == this
        }
        DecisionLine::AlertsFrom { shard, .. } => *shard == this,
    }
}

fn digest_of(text: &str) -> Result<Digest, ProgressError> {
    let is_hex =
        text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| is_hex)
        .map(Digest)
        .ok_or_else(|| damaged("digest is not 32 hexadecimal digits".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Offset;
    use crate::wire::decision::IdlePartition;
    use crate::wire::identity::{Mark, TopicId};

    const GOLDEN: &str = include_str!("../../tests/golden/progress.v1.json");

    fn position(next: i64, watermark: Option<i64>) -> Position {
        Position { next: NextOffset::stated(next), watermark: watermark.map(RecordTime::from_ms) }
    }

    fn progress() -> Progress {
        let shard = ShardNo::new(2);
        Progress {
            number: 7,
            shard,
            shards: None,
            from: [5, 0, 0, 0].map(NextOffset::stated),
            boundary: Some(Boundary::from_number(354_473_699)),
            boundary_length: BoundaryLength::from_ms(5000).unwrap(),
            positions: [
                position(105, Some(1_772_368_497_250)),
                position(12, Some(1_772_368_495_000)),
                position(3, Some(1_772_368_496_100)),
                position(0, Some(1_772_368_495_000)),
            ],
            logs: Default::default(),
            decisions: vec![
                DecisionLine::AlertsFrom { shard, boundary: Boundary::from_number(354_473_690) },
                DecisionLine::RecordTime {
                    topic: Topic::Orders,
                    partition: shard,
                    offset: Offset::new(104),
                    record_time: RecordTime::from_ms(1_772_368_497_250),
                },
                DecisionLine::Closing {
                    boundary: Boundary::from_number(354_473_699),
                    partitions: vec![
                        IdlePartition {
                            topic: Topic::Feedback,
                            partition: shard,
                            next_offset: NextOffset::stated(12),
                        },
                        IdlePartition {
                            topic: Topic::Chargebacks,
                            partition: shard,
                            next_offset: NextOffset::stated(0),
                        },
                    ],
                },
            ],
            seq: 41,
            outputs_written: 0,
            engine: ENGINE.to_owned(),
            policy: "00112233445566778899aabbccddeeff".to_owned(),
            owner: Some("odr-0:8080".to_owned()),
            snapshot: None,
            digest: Digest(0xab),
        }
    }

    #[test]
    fn the_golden_record_of_version_1_is_written_and_read() {
        let mut out = Vec::new();
        write_value(&progress(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), GOLDEN.trim_end());
        assert_eq!(decode(GOLDEN.as_bytes()), Ok(progress()));
    }

    #[test]
    fn the_golden_record_agrees_with_itself() {
        // Boundary k closes when all watermarks are at or after kΔ; idle ones are set to it.
        let closed_ms = 1_772_368_495_000;
        assert_eq!(354_473_699 * 5000, closed_ms);
        let golden = decode(GOLDEN.as_bytes()).unwrap();
        let watermarks = golden.positions.map(|position| position.watermark.unwrap().ms());
        assert!(watermarks.iter().all(|watermark| *watermark >= closed_ms));
        let DecisionLine::Closing { partitions, .. } = &golden.decisions[2] else {
            panic!("{:?}", golden.decisions);
        };
        for idle in partitions {
            assert_eq!(watermarks[idle.topic.index()], closed_ms);
            assert_eq!(golden.positions[idle.topic.index()].next, idle.next_offset);
        }
    }

    #[test]
    fn a_first_record_has_nulls() {
        let mut first = progress();
        first.boundary = None;
        first.owner = None;
        first.snapshot = Some("file:///snapshots/2/7".to_owned());
        first.decisions = Vec::new();
        first.positions = [position(0, None); 4];
        first.digest = Digest(u128::MAX);
        let mut out = Vec::new();
        write_value(&first, &mut out);
        assert_eq!(decode(&out), Ok(first));
    }

    #[test]
    fn what_the_logs_are_known_by_is_written_where_it_is_known() {
        let mut known = progress();
        known.shards = Some(8);
        known.logs[1] = LogIdentity {
            topic: Some(TopicId(0xfe)),
            mark: Some(Mark { offset: Offset::new(11), hash: 3 }),
        };
        let mut out = Vec::new();
        write_value(&known, &mut out);
        let text = String::from_utf8(out).unwrap();
        let members = concat!(
            r#""watermark_ms":1772368495000,"topic_id":"000000000000000000000000000000fe","#,
            r#""mark":{"offset":11,"hash":"0000000000000003"}}"#
        );
        assert!(text.contains(members), "{text}");
        assert_eq!(decode(text.as_bytes()), Ok(known));
        for (from, to) in [("00fe\"", "00fE\""), ("\"hash\":\"0", "\"hash\":\""), (":11,", ":-11,")]
        {
            let damaged = text.replacen(from, to, 1);
            assert!(matches!(decode(damaged.as_bytes()), Err(ProgressError::Damaged(_))), "{to}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let newer = b"{\"version\":2,\"anything\":[]}";
        assert_eq!(decode(newer), Err(ProgressError::NewerVersion { found: 2 }));
        for (from, to, part) in [
            ("\"version\":1", "\"version\":0", "version 0"),
            ("\"n\":7", "\"n\":0", "n is 0"),
            ("\"n\":7,", "", "missing field `n`"),
            ("\"topic\":\"orders\",\"next", "\"topic\":\"claims\",\"next", "in order"),
            ("\"next_offset\":3", "\"next_offset\":-3", "offset -3"),
            ("\"from\":[5", "\"from\":[-5", "offset -5"),
            ("\"boundary_ms\":5000", "\"boundary_ms\":7000", "boundary_ms 7000"),
            ("00ab\"", "00aB\"", "32 hexadecimal"),
            ("\"digest\":\"0", "\"digest\":\"", "32 hexadecimal"),
            ("\"digest\":\"0", "\"digest\":\"+", "32 hexadecimal"),
            ("\"alerts_from\"", "\"alerts_form\"", "alerts_form"),
            ("{\"shard\":2", "{\"shard\":1", "another shard"),
        ] {
            let text = GOLDEN.replacen(from, to, 1);
            assert_ne!(text, GOLDEN, "{from}");
            match decode(text.as_bytes()) {
                Err(ProgressError::Damaged(what)) => assert!(what.contains(part), "{what}"),
                other => panic!("{from} -> {to}: {other:?}"),
            }
        }
        for cut in 0..GOLDEN.trim_end().len() {
            assert!(decode(&GOLDEN.as_bytes()[..cut]).is_err());
        }
    }
}
