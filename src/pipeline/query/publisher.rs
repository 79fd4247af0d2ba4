//! The worker's side of the read model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::model::{BandSample, DeadSeen, LagSeen, ReadModel, SentAlert, ShardSeen};
use super::{Inquiry, Mailbox, mailbox};
use crate::domain::event::Topic;
use crate::domain::ids::ShardNo;
use crate::domain::time::{BoundaryLength, Day, RecordTime};
use crate::pipeline::ports::Broker;
use crate::pipeline::slot::{Now, Slot};
use crate::wire::alert;

/// How often what is seen of a shard is written down, in ms.
const SHARDS_MS: i64 = 500;

/// Rows that are handed over in one turn, of all shards.
const ROWS_PER_TURN: usize = 500;

/// Inquiries that are answered in one turn.
const ANSWERS_PER_TURN: usize = 4;

/// What was committed and is not in the model yet; bounded, the oldest goes first.
const WAITING: usize = 4_096;

/// The key of a record of quotes, and its value; none takes it back.
type QuotedRecord = (Box<[u8]>, Option<Arc<[u8]>>);

/// A worker's way to the read model.
#[derive(Debug)]
pub(in crate::pipeline) struct Publisher {
    model: Arc<ReadModel>,
    mailbox: Mailbox,
    inquiries: Receiver<Inquiry>,
    alerts: Vec<SentAlert>,
    dead: Vec<DeadSeen>,
    quotes: Vec<QuotedRecord>,
    days: BTreeMap<ShardNo, (Day, Vec<BandSample<Day>>)>,
    seen_ms: i64,
}

impl Publisher {
    /// The way to a model.
    pub fn new(model: Arc<ReadModel>) -> Self {
        let (mailbox, inquiries) = mailbox();
        Self {
            model,
            mailbox,
            inquiries,
            alerts: Vec::new(),
            dead: Vec::new(),
            quotes: Vec::new(),
            days: BTreeMap::new(),
            seen_ms: i64::MIN / 2,
        }
    }

    /// Takes a sample of a shard's bands where its day has changed. It is shown only when what it
    /// was taken from is committed.
    pub fn sample(&mut self, slot: &Slot) {
        let Some(as_of) = slot.shard.as_of() else { return };
        let (last, samples) = self.days.entry(slot.number).or_insert((as_of, Vec::new()));
        if *last != as_of {
            *last = as_of;
            samples.push(BandSample { at: as_of, bands: slot.shard.bands() });
        }
    }

    /// Notes what a slot has just committed, before it forgets that.
    pub fn committed(&mut self, slot: &Slot, length: BoundaryLength) {
        for said in &slot.effects.alerts {
            let mut value = Vec::new();
            alert::write_value(said, slot.number, &mut value);
            self.alerts.push(SentAlert {
                number: 0,
                shard: slot.number,
                kind: said.kind,
                state: said.state,
                seller_id: said.seller_id.clone(),
                marketplace_id: said.marketplace_id.clone(),
                value: value.into(),
            });
        }
        let at_ms = slot.shard.closed().map_or(0, |closed| closed.ms(length));
        for dead in &slot.effects.dead {
            let (topic, offset, reason) = (dead.topic, dead.offset, dead.reason);
            self.dead.push(DeadSeen { at_ms, topic, shard: slot.number, offset, reason });
        }
        let excess = self.alerts.len().saturating_sub(WAITING);
        self.alerts.drain(..excess);
        let excess = self.dead.len().saturating_sub(WAITING);
        self.dead.drain(..excess);
    }

    /// Notes a committed record of advice, if it is one of quotes and readers may see these.
    pub fn quoted(&mut self, key: &[u8], value: Option<&[u8]>) {
        let is_of_quotes = key.split(|byte| *byte == b'|').nth(1) == Some(b"quotes");
        if self.model.keeps_quotes() && is_of_quotes {
            if self.quotes.len() == WAITING {
                self.quotes.remove(0);
            }
            self.quotes.push((key.into(), value.map(Into::into)));
        }
    }

    /// Hands over what moved and answers inquiries. Nothing may be uncommitted.
    pub fn publish<B: Broker>(
        &mut self,
        slots: &mut BTreeMap<ShardNo, Slot>,
        broker: &mut B,
        length: BoundaryLength,
        now: Now,
    ) {
        self.answer(slots);
        let model = Arc::clone(&self.model);
        let Some(mut inner) = model.try_lock() else { return };
        let mut did = !self.alerts.is_empty() || !self.dead.is_empty();
        for alert in self.alerts.drain(..) {
            inner.add_alert(alert);
        }
        for dead in self.dead.drain(..) {
            inner.add_dead(dead);
        }
        for (key, value) in self.quotes.drain(..) {
            inner.quotes.set(key, value);
        }
        let mut budget = ROWS_PER_TURN;
        for slot in slots.values_mut().filter(|slot| slot.phase.may_commit()) {
            if !slot.shard.is_watched() {
                slot.shard.watch();
                inner.take_over(slot.number, &self.mailbox);
            }
            if !inner.is_of(slot.number, &self.mailbox) {
                // Another worker has it, and this one is about to learn that.
                continue;
            }
            if let Some((_, samples)) = self.days.get_mut(&slot.number) {
                for sample in samples.drain(..) {
                    inner.add_day(slot.number, sample);
                }
            }
            while budget > 0 {
                let Some((number, row)) = slot.shard.take_moved() else { break };
                inner.set_row(slot.number, number, row);
                budget -= 1;
                did = true;
            }
        }
        if now.mono_ms - self.seen_ms >= SHARDS_MS {
            self.seen_ms = now.mono_ms;
            did = true;
            for slot in slots.values() {
                inner.shard(slot.number).seen = Some(seen(slot, broker, length, now));
            }
            inner.sample_minute(now.wall_ms);
        }
        drop(inner);
        if did {
            model.note_change();
        }
    }

    /// Forgets shards that are not this worker's any more.
    pub fn retain(&mut self, slots: &BTreeMap<ShardNo, Slot>, gone: &[ShardNo]) {
        let gone = gone.iter().filter(|number| !slots.contains_key(number));
        // Readers hold the lock for moments only, and this happens at a rebalance.
        for number in gone {
            self.days.remove(number);
            self.model.forget(*number, &self.mailbox);
        }
    }

    fn answer(&mut self, slots: &BTreeMap<ShardNo, Slot>) {
        for inquiry in self.inquiries.try_iter().take(ANSWERS_PER_TURN) {
            let (seller_id, marketplace_id) = (&inquiry.seller_id, &inquiry.marketplace_id);
            let mut live = slots.values().filter(|slot| slot.phase.may_commit());
            let found = live.find_map(|slot| slot.shard.look(seller_id, marketplace_id));
            (inquiry.answer)(found.map(Box::new));
        }
    }
}

fn seen<B: Broker>(slot: &Slot, broker: &mut B, length: BoundaryLength, now: Now) -> ShardSeen {
    let inbox = slot.shard.inbox();
    let held = slot.shard.held();
    let left = slot.records_left(broker);
    ShardSeen {
        phase: slot.phase.label(),
        boundary_ms: slot.shard.closed().map(|closed| closed.ms(length)),
        as_of: slot.shard.as_of(),
        boundary_lag_ms: slot.boundary_lag(length, now).map_or(0, |(lag_ms, _)| lag_ms),
        held_by: slot.holder(),
        seq: slot.shard.seq(),
        progress: slot.progress,
        read: slot.read,
        orders: held.orders,
        accounts: held.accounts,
        orphans: held.orphans,
        pending: held.pending,
        inputs: Topic::ALL.map(|topic| LagSeen {
            records: left[topic.index()],
            watermark_ms: inbox.watermark(topic).map(RecordTime::ms),
        }),
    }
}
