//! Closing by decision: when a silent partition may no longer hold its shard back.
//!
//! ```text
//!   record ──> quiet for idle_after ──> leader asked ──> "your position is the stable end and
//!      the high watermark" ──> decision: w_p = kΔ at this position, for kΔ <= asked - idle_after
//! ```
//!
//! Invariants: the evidence is newer than the boundary by `idle_after`, and nothing arrived since;
//! a broker that does not answer makes nothing look idle; no decision is taken while the clock is
//! known to differ from the broker's by more than Δ.

use std::collections::BTreeMap;

use super::ports::{Broker, Ends, InputPartition};
use super::slot::{Now, Slot};
use crate::domain::event::Topic;
use crate::domain::ids::ShardNo;
use crate::domain::time::{Boundary, BoundaryLength};
use crate::wire::decision::{DecisionLine, IdlePartition};

/// How long an unanswered question stands before it is asked again, in ms: longer than a broker
/// lets a leader take for its answer, because a new question voids what the old one would tell.
const ASK_AGAIN_MS: i64 = 6_000;

/// How quiet one partition is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// When something was last read, in ms of the monotonic clock.
    heard_ms: i64,
    /// When its leader was asked, on both clocks, and what it said.
    answer: Option<(Now, Ends)>,
}

impl Quiet {
    /// Notes that something was read, or that reading just began.
    pub fn heard(&mut self, mono_ms: i64) {
        self.heard_ms = mono_ms;
        self.answer = None;
    }
}

/// The questions that a worker has open: one for each shard, since a leader that is away must hold
/// nobody up but the shards that it leads a partition of.
#[derive(Clone, Debug, Default)]
pub struct Questions {
    asked: BTreeMap<ShardNo, Now>,
}

impl Questions {
    /// Takes the answers that have arrived.
    pub fn take<'a, B: Broker>(
        &mut self,
        broker: &mut B,
        slots: impl Iterator<Item = &'a mut Slot>,
    ) {
        if self.asked.is_empty() {
            return;
        }
        let mut answers: Vec<(InputPartition, Ends)> = Vec::new();
        broker.take_ends(&mut answers);
        if answers.is_empty() {
            return;
        }
        for slot in slots {
            let Some(asked) = self.asked.get(&slot.number).copied() else { continue };
            let of_slot = answers.iter().filter(|(partition, _)| partition.shard == slot.number);
            for (partition, ends) in of_slot {
                self.asked.remove(&slot.number);
                let quiet = &mut slot.quiet[partition.topic.index()];
                // Asked before the last record: that was no quiet second.
                if asked.mono_ms > quiet.heard_ms {
                    quiet.answer = Some((asked, *ends));
                }
            }
        }
    }

    /// Asks about the partitions that hold a due boundary back and have been quiet.
    pub fn ask<'a, B: Broker>(
        &mut self,
        broker: &mut B,
        slots: impl Iterator<Item = &'a Slot>,
        rules: &IdleRules,
        now: Now,
    ) {
        self.asked.retain(|_, asked| now.mono_ms - asked.mono_ms < ASK_AGAIN_MS);
        for slot in slots {
            if self.asked.contains_key(&slot.number) {
                continue;
            }
            let Some(due) = due(slot, rules, now) else { continue };
            let holding = holding(slot, due);
            if holding.clone().all(|topic| slot.quiet[topic.index()].is_quiet(rules, now)) {
                let partitions: Vec<InputPartition> =
                    holding.map(|topic| slot.partition(topic)).collect();
                broker.ask_ends(slot.number, &partitions);
                self.asked.insert(slot.number, now);
            }
        }
    }
}

impl Quiet {
    fn is_quiet(&self, rules: &IdleRules, now: Now) -> bool {
        now.mono_ms - self.heard_ms >= rules.idle_after_ms
    }
}

/// When a silent partition is idle.
#[derive(Clone, Copy, Debug)]
pub struct IdleRules {
    /// How long nothing may have been read, and how far a boundary must lie back, in ms.
    pub idle_after_ms: i64,
    /// The length of the interval between boundaries.
    pub length: BoundaryLength,
}

/// The next boundary of a shard, if it lies far enough back.
fn due(slot: &Slot, rules: &IdleRules, now: Now) -> Option<Boundary> {
    if !slot.phase.may_commit() {
        return None;
    }
    let next = slot.shard.next_effect()?;
    (next.ms(rules.length) <= now.wall_ms - rules.idle_after_ms).then_some(next)
}

fn holding(slot: &Slot, boundary: Boundary) -> impl Iterator<Item = Topic> + Clone + use<'_> {
    let is_held = move |topic: &Topic| !slot.shard.inbox().has_reached(*topic, boundary);
    Topic::ALL.into_iter().filter(is_held)
}

/// Takes a decision for a shard if all partitions that hold its next boundary back are idle.
/// Returns whether it did.
pub fn decide<B: Broker>(slot: &mut Slot, broker: &mut B, rules: &IdleRules, now: Now) -> bool {
    let Some(next) = due(slot, rules, now) else { return false };
    let holding: Vec<Topic> = holding(slot, next).collect();
    let mut oldest = now.wall_ms;
    let mut idle = Vec::new();
    for topic in holding {
        let quiet = &mut slot.quiet[topic.index()];
        let Some((asked, ends)) = quiet.answer else { return false };
        let is_fresh = next.ms(rules.length) <= asked.wall_ms - rules.idle_after_ms;
        let read_to = slot.shard.inbox().read_to(topic);
        let skipped_to = broker.position(InputPartition { topic, shard: slot.number });
        let position = skipped_to.map_or(read_to, |skipped_to| skipped_to.max(read_to));
        if !is_fresh || position != ends.stable || ends.stable != ends.high {
            // Something is there or on its way, or the answer is too old for this boundary.
            quiet.answer = None;
            return false;
        }
        oldest = oldest.min(asked.wall_ms);
        idle.push((topic, ends.stable));
    }
    if idle.is_empty() {
        return false;
    }
    // The partitions had nothing up to then, so they hold no boundary up to then back: after a
    // long silence one decision serves many boundaries.
    let latest = (oldest - rules.idle_after_ms).div_euclid(rules.length.ms());
    let boundary = Boundary::from_number(latest).max(next);
    let partitions = idle
        .into_iter()
        .map(|(topic, next_offset)| {
            slot.shard.raise(topic, next_offset, boundary);
            IdlePartition { topic, partition: slot.number, next_offset }
        })
        .collect();
    slot.fresh.push(DecisionLine::Closing { boundary, partitions });
    slot.has_moved = true;
    true
}
