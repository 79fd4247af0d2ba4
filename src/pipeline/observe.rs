//! What a slot tells its metrics: gauges now and then, counters with each commit.

use super::advice;
use super::ports::Broker;
use super::slot::{Now, Slot};
use crate::domain::event::Topic;
use crate::domain::time::BoundaryLength;
use crate::telemetry::labels::DecisionKind;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::shard_metrics::Held;
use crate::wire::decision::DecisionLine;

/// How often accounts are counted by band, which visits each of them, in ms.
const BANDS_MS: i64 = 5_000;

/// Counts what a slot has just committed.
pub fn committed(slot: &Slot, metrics: &Metrics) {
    metrics.effects(&slot.effects);
    for ending in &slot.effects.endings {
        metrics.eligible_feedback_ended(advice::eligible_rules(ending), ending.was_granted);
    }
    let count = |kind: fn(&DecisionLine) -> bool| {
        let count = slot.fresh.iter().filter(|decision| kind(decision)).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let times = count(|decision| matches!(decision, DecisionLine::RecordTime { .. }));
    let closings = count(|decision| matches!(decision, DecisionLine::Closing { .. }));
    metrics.decisions(DecisionKind::Close, closings);
    let starts = count(|decision| matches!(decision, DecisionLine::AlertsFrom { .. }));
    metrics.decisions(DecisionKind::RecordTime, times);
    metrics.decisions(DecisionKind::AlertsFrom, starts);
    for decision in &slot.fresh {
        if let DecisionLine::Gap { topic, from, to, .. } = decision {
            metrics.decisions(DecisionKind::Gap, 1);
            metrics.gap(*topic, u64::try_from(to.get() - from.get()).unwrap_or(0));
        }
    }
}

/// Refreshes the gauges of a slot.
pub fn refresh<B: Broker>(slot: &mut Slot, broker: &mut B, length: BoundaryLength, now: Now) {
    let left = slot.records_left(broker);
    for topic in Topic::ALL {
        if let Some(watermark) = slot.shard.inbox().watermark(topic) {
            slot.metrics.set_record_time_lag_ms(topic, now.wall_ms - watermark.ms());
        }
        if let Some(records) = left[topic.index()] {
            slot.metrics.set_consumer_lag(topic, records);
        }
    }
    if let Some((lag_ms, holder)) = slot.boundary_lag(length, now) {
        slot.metrics.set_boundary_lag_ms(lag_ms, holder);
    }
    if let Some(kept) = slot.kept {
        slot.metrics.set_snapshot_age_ms(now.mono_ms - kept.taken_ms);
    }
    if now.mono_ms - slot.counted_ms < BANDS_MS {
        return;
    }
    slot.counted_ms = now.mono_ms;
    let (held, bands) = (slot.shard.held(), slot.shard.bands());
    let count = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    slot.metrics.set_held(Held {
        accounts: bands,
        active_alerts: slot.shard.active_alerts(),
        orders: count(held.orders),
        orphans: count(held.orphans),
        pending_records: count(held.pending),
        bytes: count(slot.shard.bytes().1),
    });
}
