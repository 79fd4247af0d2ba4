//! From uncommitted effects to one transaction.
//!
//! Invariant: a batch holds, for each shard in it, all outputs of its boundaries since the last
//! commit, one progress record, and the four offsets that belong to it: nothing else is
//! authoritative, so all or nothing of it is true.

use super::ports::{Batch, Header, OutRecord, OutTopic, ShardOffsets};
use super::slot::{DeadRecord, Slot};
use crate::advice::Terms;
use crate::domain::effects::{Alert, Status};
use crate::domain::event::Topic;
use crate::domain::ids::ShardNo;
use crate::domain::time::BoundaryLength;
use crate::wire::dead_letter::{self, Original};
use crate::wire::decision::DecisionLine;
use crate::wire::identity::LogIdentity;
use crate::wire::progress::{self, Position, Progress};
use crate::wire::{alert, status};

/// What progress records say of this process.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The names of the four input topics.
    pub topics: [String; 4],
    /// The policy's fingerprint.
    pub policy: String,
    /// Where this process serves HTTP.
    pub owner: Option<String>,
    /// How many partitions each input topic has.
    pub shards: u32,
    /// The length of the interval between boundaries.
    pub length: BoundaryLength,
    /// How long one may act on a defect.
    pub terms: Terms,
    /// The largest record that the dead-letter topic takes.
    pub max_dead_letter_bytes: usize,
}

/// Adds a slot's uncommitted effects to a batch, with progress number `number`.
pub fn add(batch: &mut Batch, slot: &mut Slot, number: u64, identity: &Identity) {
    let shard = slot.number;
    for raised in &slot.effects.alerts {
        batch.records.push(alert_record(raised, shard));
    }
    slot.shard.take_statuses(&mut slot.effects);
    for standing in &slot.effects.statuses {
        batch.records.push(status_record(standing));
    }
    add_advice(batch, slot, &identity.terms);
    let dead = std::mem::take(&mut slot.effects.dead);
    for letter in &dead {
        let record = slot.next_dead(letter.topic, letter.offset);
        let topic = &identity.topics[letter.topic.index()];
        batch.records.push(dead_record(record, topic, shard, identity.max_dead_letter_bytes));
    }
    slot.effects.dead = dead;
    let positions = slot.shard.positions();
    batch.records.push(progress_record(slot, number, identity));
    batch.offsets.push(ShardOffsets {
        shard,
        next: positions.map(|position| position.next),
        progress: number,
    });
    let by_clock = slot.fresh.iter().any(|decision| {
        matches!(decision, DecisionLine::Closing { .. } | DecisionLine::RecordTime { .. })
    });
    if by_clock {
        batch.max_clock_skew_ms = Some(identity.length.ms());
    }
}

/// Adds advice and quotes. Quotes of what lies behind the closed position go on waiting.
fn add_advice(batch: &mut Batch, slot: &mut Slot, terms: &Terms) {
    for told in slot.effects.told() {
        batch.records.extend(slot.quotes.record_of(told, terms, slot.number));
    }
    let closed = slot.shard.positions()[Topic::Feedback.index()].next;
    slot.quotes.forget_before(closed);
}

pub(super) fn alert_record(raised: &Alert, shard: ShardNo) -> OutRecord {
    let mut value = Vec::with_capacity(1024);
    alert::write_value(raised, shard, &mut value);
    OutRecord {
        topic: OutTopic::Alerts,
        partition: Some(shard),
        key: Some(raised.seller_id.as_bytes().to_vec()),
        value: Some(value),
        headers: alert::headers(raised, shard),
        timestamp_ms: Some(raised.boundary_ms),
    }
}

fn status_record(standing: &Status) -> OutRecord {
    let mut value = Vec::with_capacity(1024);
    let has_value = status::write_value(standing, &mut value);
    OutRecord {
        topic: OutTopic::Status,
        partition: None,
        key: Some(status::key(&standing.seller_id, &standing.marketplace_id)),
        value: has_value.then_some(value),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

fn dead_record(record: DeadRecord, topic: &str, shard: ShardNo, max_bytes: usize) -> OutRecord {
    let original = Original {
        topic,
        partition: shard,
        offset: record.offset,
        key: record.key.as_deref(),
        value: &record.value,
    };
    let headers: Vec<Header> = record.headers;
    let letter = dead_letter::letter(&original, headers, record.cause, max_bytes);
    OutRecord {
        topic: OutTopic::DeadLetters,
        partition: None,
        key: record.key,
        value: letter.value,
        headers: letter.headers,
        timestamp_ms: record.timestamp_ms,
    }
}

fn progress_record(slot: &Slot, number: u64, identity: &Identity) -> OutRecord {
    let mut value = Vec::with_capacity(512);
    progress::write_value(&progress_of(slot, number, slot.fresh.clone(), identity), &mut value);
    OutRecord {
        topic: OutTopic::Progress,
        partition: Some(slot.number),
        key: Some(slot.number.to_string().into_bytes()),
        value: Some(value),
        headers: Vec::new(),
        timestamp_ms: None,
    }
}

/// Where a slot is, with some decisions.
pub fn progress_of(
    slot: &Slot,
    number: u64,
    decisions: Vec<DecisionLine>,
    identity: &Identity,
) -> Progress {
    let positions = slot.shard.positions();
    let marks = slot.marks.before(&positions);
    Progress {
        number,
        shard: slot.number,
        from: slot.from,
        boundary: slot.shard.closed(),
        boundary_length: identity.length,
        positions: positions
            .map(|position| Position { next: position.next, watermark: position.watermark }),
        logs: std::array::from_fn(|at| LogIdentity { topic: slot.topics[at], mark: marks[at] }),
        shards: Some(identity.shards),
        decisions,
        seq: slot.shard.seq(),
        // A transaction never ends inside a boundary.
        outputs_written: 0,
        engine: progress::ENGINE.to_owned(),
        policy: identity.policy.clone(),
        owner: identity.owner.clone(),
        snapshot: slot.kept.filter(|kept| kept.number > 0).map(|kept| kept.number.to_string()),
        digest: slot.shard.digest(),
    }
}
