//! Recorded decisions: what a clock decided once, and a replay reads instead of a clock.
//!
//! One form serves progress records and lines of files. A boundary is written by its number k; a
//! string in its place is read as the instant kΔ. A record time is written in ms; a string in its
//! place is read as RFC 3339. Invariant: a decision with a member that is not known is refused,
//! for half of a decision is none.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::time::{Boundary, BoundaryLength, RecordTime};

use super::LineError;
use super::time::parse_instant;
use super::write::{Object, object};

/// A recorded decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecisionLine {
    /// A boundary was closed although these partitions had nothing up to it.
    Closing {
        /// The boundary.
        boundary: Boundary,
        /// The idle partitions, each with the position at which it was idle.
        partitions: Vec<IdlePartition>,
    },
    /// A record's timestamp was too far ahead of the clock, and this was taken instead.
    RecordTime {
        /// The record's topic.
        topic: Topic,
        /// The record's partition.
        partition: ShardNo,
        /// The record's offset.
        offset: Offset,
        /// What was taken.
        record_time: RecordTime,
    },
    /// Retention dropped records before they were read, and an operator had the shard go on.
    Gap {
        /// The topic.
        topic: Topic,
        /// The partition.
        partition: ShardNo,
        /// The first offset that was lost.
        from: NextOffset,
        /// The offset that reading went on at.
        to: NextOffset,
    },
    /// A shard began to alert at a boundary.
    AlertsFrom {
        /// The shard.
        shard: ShardNo,
        /// The boundary.
        boundary: Boundary,
    },
}

/// A partition that was idle when a boundary was closed by decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdlePartition {
    /// Its topic.
    pub topic: Topic,
    /// Its number.
    pub partition: ShardNo,
    /// Its position.
    pub next_offset: NextOffset,
}

/// Appends a decision as a line, its end included.
pub fn write_line(decision: &DecisionLine, out: &mut Vec<u8>) {
    object(out, |line| write_members(decision, line));
    out.push(b'\n');
}

/// Writes the members of a decision.
pub(super) fn write_members(decision: &DecisionLine, members: &mut Object<'_>) {
    match decision {
        DecisionLine::Closing { boundary, partitions } => {
            members.integer("boundary", boundary.number());
            members.objects("partitions", partitions, |item, idle| {
                item.text("topic", idle.topic.as_str());
                item.integer("partition", idle.partition.get());
                item.integer("next_offset", idle.next_offset.get());
            });
        }
        DecisionLine::RecordTime { topic, partition, offset, record_time } => {
            members.text("topic", topic.as_str());
            members.integer("partition", partition.get());
            members.integer("offset", offset.get());
            members.integer("record_time", record_time.ms());
        }
        DecisionLine::AlertsFrom { shard, boundary } => {
            members.integer("shard", shard.get());
            members.integer("alerts_from", boundary.number());
        }
        DecisionLine::Gap { topic, partition, from, to } => {
            members.text("topic", topic.as_str());
            members.integer("partition", partition.get());
            members.integer("gap_from", from.get());
            members.integer("gap_to", to.get());
        }
    }
}

/// Reads a line of decisions. `topic_of` knows the topics' names.
///
/// # Errors
/// Says what is wrong with the line.
pub fn parse_line(
    line: &[u8],
    length: BoundaryLength,
    topic_of: &dyn Fn(&str) -> Option<Topic>,
) -> Result<DecisionLine, LineError> {
    let raw: RawDecision =
        serde_json::from_slice(line).map_err(|error| LineError::of_json(&error))?;
    raw.decision(length, topic_of)
}

/// The topic whose role has this name.
pub(super) fn topic_of_role(name: &str) -> Option<Topic> {
    Topic::ALL.into_iter().find(|topic| topic.as_str() == name)
}

/// A decision as it is written, with the members of all kinds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDecision {
    boundary: Option<Moment>,
    partitions: Option<Vec<RawIdle>>,
    topic: Option<String>,
    partition: Option<u32>,
    offset: Option<i64>,
    record_time: Option<Moment>,
    shard: Option<u32>,
    alerts_from: Option<Moment>,
    gap_from: Option<i64>,
    gap_to: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawIdle {
    topic: String,
    partition: u32,
    next_offset: i64,
}

/// A number, or an RFC 3339 time in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Number(i64),
    Instant(i64),
}

impl RawDecision {
    /// Tells which decision it is.
    pub(super) fn decision(
        self,
        length: BoundaryLength,
        topic_of: &dyn Fn(&str) -> Option<Topic>,
    ) -> Result<DecisionLine, LineError> {
        let known = |name: &str| {
            topic_of(name).ok_or_else(|| LineError(format!("topic {name:?} is no input topic")))
        };
        match self {
            Self {
                boundary: Some(boundary),
                partitions: Some(partitions),
                topic: None,
                partition: None,
                offset: None,
                record_time: None,
                shard: None,
                alerts_from: None,
                gap_from: None,
                gap_to: None,
            } => Ok(DecisionLine::Closing {
                boundary: boundary_of(boundary, length)?,
                partitions: idle_partitions(&partitions, &known)?,
            }),
            Self {
                boundary: None,
                partitions: None,
                topic: Some(topic),
                partition: Some(partition),
                offset: Some(offset),
                record_time: Some(Moment::Number(ms) | Moment::Instant(ms)),
                shard: None,
                alerts_from: None,
                gap_from: None,
                gap_to: None,
            } => Ok(DecisionLine::RecordTime {
                topic: known(&topic)?,
                partition: ShardNo::new(partition),
                offset: Offset::new(super::offset(offset)?),
                record_time: RecordTime::from_ms(ms),
            }),
            Self {
                boundary: None,
                partitions: None,
                topic: None,
                partition: None,
                offset: None,
                record_time: None,
                shard: Some(shard),
                alerts_from: Some(from),
                gap_from: None,
                gap_to: None,
            } => Ok(DecisionLine::AlertsFrom {
                shard: ShardNo::new(shard),
                boundary: boundary_of(from, length)?,
            }),
            Self {
                boundary: None,
                partitions: None,
                topic: Some(topic),
                partition: Some(partition),
                offset: None,
                record_time: None,
                shard: None,
                alerts_from: None,
                gap_from: Some(from),
                gap_to: Some(to),
            } => gap(known(&topic)?, ShardNo::new(partition), (from, to)),
            _ => Err(LineError(
                "not a decision: expected boundary and partitions, or topic, partition, offset \
                 and record_time, or shard and alerts_from, or topic, partition, gap_from and \
                 gap_to"
                    .to_owned(),
            )),
        }
    }
}

fn idle_partitions(
    partitions: &[RawIdle],
    known: &dyn Fn(&str) -> Result<Topic, LineError>,
) -> Result<Vec<IdlePartition>, LineError> {
    let one = |idle: &RawIdle| {
        Ok(IdlePartition {
            topic: known(&idle.topic)?,
            partition: ShardNo::new(idle.partition),
            next_offset: NextOffset::stated(super::offset(idle.next_offset)?),
        })
    };
    partitions.iter().map(one).collect()
}

fn gap(
    topic: Topic,
    partition: ShardNo,
    (from, to): (i64, i64),
) -> Result<DecisionLine, LineError> {
    let (from, to) = (super::offset(from)?, super::offset(to)?);
    if from >= to {
        return Err(LineError(format!("the gap from {from} to {to} is empty")));
    }
    let (from, to) = (NextOffset::stated(from), NextOffset::stated(to));
    Ok(DecisionLine::Gap { topic, partition, from, to })
}

fn boundary_of(moment: Moment, length: BoundaryLength) -> Result<Boundary, LineError> {
    match moment {
        Moment::Number(number) => Ok(Boundary::from_number(number)),
        Moment::Instant(ms) => {
            let boundary = Boundary::at_or_after(ms, length);
            if boundary.ms(length) == ms {
                return Ok(boundary);
            }
            let length = length.ms();
            Err(LineError(format!(
                "a boundary is a multiple of {length} ms, and the time given is not"
            )))
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MomentVisitor)
    }
}

struct MomentVisitor;

impl Visitor<'_> for MomentVisitor {
    type Value = Moment;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an integer or an RFC 3339 time")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Moment, E> {
        Ok(Moment::Number(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Moment, E> {
        i64::try_from(number)
            .map(Moment::Number)
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Moment, E> {
        parse_instant(text)
            .map(Moment::Instant)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<DecisionLine, LineError> {
        let length = BoundaryLength::from_ms(5000).unwrap();
        parse_line(line.as_bytes(), length, &topic_of_role)
    }

    #[test]
    fn every_decision_is_written_and_read_back() {
        let decisions = [
            DecisionLine::Closing {
                boundary: Boundary::from_number(354_473_699),
                partitions: vec![IdlePartition {
                    topic: Topic::Chargebacks,
                    partition: ShardNo::new(2),
                    next_offset: NextOffset::stated(0),
                }],
            },
            DecisionLine::RecordTime {
                topic: Topic::Orders,
                partition: ShardNo::new(0),
                offset: Offset::new(9),
                record_time: RecordTime::from_ms(1_772_368_495_000),
            },
            DecisionLine::AlertsFrom {
                shard: ShardNo::new(3),
                boundary: Boundary::from_number(-1),
            },
            DecisionLine::Gap {
                topic: Topic::Claims,
                partition: ShardNo::new(1),
                from: NextOffset::stated(0),
                to: NextOffset::stated(99),
            },
        ];
        for decision in decisions {
            let mut line = Vec::new();
            write_line(&decision, &mut line);
            let text = String::from_utf8(line).unwrap();
            assert_eq!(parse(&text), Ok(decision), "{text}");
        }
    }

    #[test]
    fn times_may_be_written_as_rfc_3339() {
        assert_eq!(
            parse("{\"boundary\":\"1970-01-01T00:00:10Z\",\"partitions\":[]}"),
            Ok(DecisionLine::Closing {
                boundary: Boundary::from_number(2),
                partitions: Vec::new()
            })
        );
        assert_eq!(
            parse("{\"shard\":0,\"alerts_from\":\"1970-01-01T01:00:05+01:00\"}"),
            Ok(DecisionLine::AlertsFrom {
                shard: ShardNo::new(0),
                boundary: Boundary::from_number(1)
            })
        );
        let line = r#"{"topic":"orders","partition":0,"offset":1,
                       "record_time":"1970-01-01T00:00:00.007Z"}"#;
        assert!(matches!(
            parse(line),
            Ok(DecisionLine::RecordTime { record_time, .. }) if record_time.ms() == 7
        ));
    }

    #[test]
    fn what_is_no_whole_decision_is_refused_with_its_reason() {
        for (line, part) in [
            ("{\"boundary\":1}", "not a decision"),
            ("{\"partitions\":[]}", "not a decision"),
            ("{\"boundary\":1,\"partitions\":[],\"shard\":1}", "not a decision"),
            ("{\"boundary\":1,\"partitions\":[],\"x\":1}", "unknown field"),
            ("{\"boundary\":\"1970-01-01T00:00:01Z\",\"partitions\":[]}", "multiple of 5000"),
            ("{\"boundary\":1.5,\"partitions\":[]}", "an integer or an RFC 3339 time"),
            ("{\"boundary\":18446744073709551615,\"partitions\":[]}", "an integer or"),
            ("{\"topic\":\"x\",\"partition\":0,\"offset\":1,\"record_time\":1}", "no input topic"),
            ("{\"topic\":\"orders\",\"partition\":0,\"offset\":-1,\"record_time\":1}", "negative"),
            ("{\"topic\":\"orders\",\"partition\":0,\"gap_from\":4,\"gap_to\":4}", "is empty"),
            ("{\"topic\":\"orders\",\"partition\":0,\"gap_from\":4}", "not a decision"),
            ("{\"shard\":-1,\"alerts_from\":1}", "shard"),
            ("{\"shard\":1,\"alerts_from\":1", "EOF"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            let is_told = error.contains(part) || part == "shard";
            assert!(is_told, "{line}: {error}");
        }
    }
}
