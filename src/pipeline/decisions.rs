//! Recorded decisions of one shard, applied where a replay or a restore reaches them.
//!
//! Invariants: a decision about a position is applied before any record at or after that position
//! is taken in; a record whose time was decided is given that time, everywhere.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::boundary::Position;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::shard::Shard;
use crate::domain::time::{Boundary, BoundaryLength, RecordTime};
use crate::wire::decision::{DecisionLine, IdlePartition};

/// The decisions of one shard that are still to be applied.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    closings: [VecDeque<(NextOffset, Boundary)>; 4],
    times: [BTreeMap<Offset, RecordTime>; 4],
    alerts_from: Option<Boundary>,
    /// What was lost before it was read.
    gaps: [Vec<(NextOffset, NextOffset)>; 4],
    /// The smallest boundary that was closed by decision.
    first_closing: Option<Boundary>,
}

impl Recorded {
    /// Adds those of some decisions that are about a shard, in the order in which they were taken.
    pub fn extend(&mut self, shard: ShardNo, decisions: &[DecisionLine]) {
        for decision in decisions {
            self.add(shard, decision);
        }
        for closings in &mut self.closings {
            // A shard takes its decisions at ascending positions; lines of files may come anyhow.
            if !closings.iter().is_sorted_by_key(|(next, _)| *next) {
                // Stable: decisions at one position keep their order.
                closings.make_contiguous().sort_by_key(|(next, _)| *next);
            }
        }
    }

    fn add(&mut self, shard: ShardNo, decision: &DecisionLine) {
        match decision {
            DecisionLine::Closing { boundary, partitions } => {
                for idle in partitions.iter().filter(|idle| idle.partition == shard) {
                    let closings = &mut self.closings[idle.topic.index()];
                    closings.push_back((idle.next_offset, *boundary));
                    let first = self.first_closing.unwrap_or(*boundary);
                    self.first_closing = Some(first.min(*boundary));
                }
            }
            DecisionLine::RecordTime { topic, partition, offset, record_time } => {
                if *partition == shard {
                    // A time that was decided once holds.
                    self.times[topic.index()].entry(*offset).or_insert(*record_time);
                }
            }
            DecisionLine::Gap { topic, partition, from, to } => {
                let gaps = &mut self.gaps[topic.index()];
                if *partition == shard && !gaps.contains(&(*from, *to)) {
                    gaps.push((*from, *to));
                }
            }
            DecisionLine::AlertsFrom { shard: of, boundary } => {
                // Of two, the first one holds: alerting begins once.
                if *of == shard && self.alerts_from.is_none() {
                    self.alerts_from = Some(*boundary);
                }
            }
        }
    }

    /// The first offset at or behind `next` that is in no gap.
    #[must_use]
    pub fn behind_gaps(&self, topic: Topic, mut next: NextOffset) -> NextOffset {
        let gaps = &self.gaps[topic.index()];
        while let Some((_, to)) = gaps.iter().find(|(from, to)| *from <= next && next < *to) {
            next = *to;
        }
        next
    }

    /// Whether a record was lost before it was read: a replay that has it passes over it.
    #[must_use]
    pub fn is_lost(&self, topic: Topic, offset: Offset) -> bool {
        let at = NextOffset::stated(offset.get());
        self.behind_gaps(topic, at) != at
    }

    /// The boundary at which alerting was decided to begin.
    #[must_use]
    pub const fn alerts_from(&self) -> Option<Boundary> {
        self.alerts_from
    }

    /// The smallest boundary that was closed by decision.
    #[must_use]
    pub const fn first_closing(&self) -> Option<Boundary> {
        self.first_closing
    }

    /// Applies what was decided at positions up to `next` of a partition.
    pub fn apply(&mut self, shard: &mut Shard, topic: Topic, next: NextOffset) {
        let closings = &mut self.closings[topic.index()];
        while let Some((at, boundary)) = closings.front().copied().filter(|(at, _)| *at <= next) {
            // Control records between the last record and the position are not read.
            shard.raise(topic, at.max(shard.inbox().read_to(topic)), boundary);
            closings.pop_front();
        }
    }

    /// The decisions about what lies behind some positions, as lines.
    #[must_use]
    pub fn behind(&self, shard: ShardNo, positions: &[Position; 4]) -> Vec<DecisionLine> {
        let mut lines = Vec::new();
        for topic in Topic::ALL {
            let next = positions[topic.index()].next;
            let from = Offset::new(next.get());
            for (offset, record_time) in self.times[topic.index()].range(from..) {
                let (offset, record_time) = (*offset, *record_time);
                lines.push(DecisionLine::RecordTime {
                    topic,
                    partition: shard,
                    offset,
                    record_time,
                });
            }
            for (next_offset, boundary) in &self.closings[topic.index()] {
                let idle = IdlePartition { topic, partition: shard, next_offset: *next_offset };
                lines.push(DecisionLine::Closing { boundary: *boundary, partitions: vec![idle] });
            }
            for (gap_from, to) in self.gaps[topic.index()].iter().filter(|(_, to)| *to > next) {
                let (partition, from, to) = (shard, *gap_from, *to);
                lines.push(DecisionLine::Gap { topic, partition, from, to });
            }
        }
        lines
    }

    /// Whether no decision about a position is left.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.closings.iter().all(VecDeque::is_empty)
    }

    /// Applies all that is left for a partition that has no more records.
    pub fn apply_rest(&mut self, shard: &mut Shard, topic: Topic) {
        self.apply(shard, topic, NextOffset::stated(i64::MAX));
    }

    /// The time that was decided for a record.
    #[must_use]
    pub fn time_of(&self, topic: Topic, offset: Offset) -> Option<RecordTime> {
        self.times[topic.index()].get(&offset).copied()
    }
}

/// Whether a restart at some positions does without a decision: all that it is about lies before.
#[must_use]
pub fn is_covered(
    decision: &DecisionLine,
    positions: &[Position; 4],
    length: BoundaryLength,
) -> bool {
    match decision {
        DecisionLine::Closing { boundary, partitions } => partitions.iter().all(|idle| {
            let reached = RecordTime::from_ms(boundary.ms(length));
            positions[idle.topic.index()].watermark.is_some_and(|watermark| watermark >= reached)
        }),
        DecisionLine::RecordTime { topic, offset, .. } => {
            offset.next() <= positions[topic.index()].next
        }
        DecisionLine::Gap { topic, to, .. } => *to <= positions[topic.index()].next,
        // The state itself knows from when on it alerts.
        DecisionLine::AlertsFrom { .. } => true,
    }
}
