//! What a slot tells its metrics: gauges now and then, counters with each commit.

use super::ports::Broker;
use super::slot::{Now, Slot};
use crate::domain::event::Topic;
use crate::domain::time::{Boundary, BoundaryLength};
use crate::telemetry::labels::DecisionKind;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::shard_metrics::Held;
use crate::wire::decision::DecisionLine;

/// How often accounts are counted by band, which visits each of them, in ms.
const BANDS_MS: i64 = 5_000;

/// Counts what a slot has just committed.
pub fn committed(slot: &Slot, metrics: &Metrics) {
    metrics.effects(&slot.effects);
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
}

/// Refreshes the gauges of a slot.
pub fn refresh<B: Broker>(slot: &mut Slot, broker: &mut B, length: BoundaryLength, now: Now) {
    let inbox = slot.shard.inbox();
    for topic in Topic::ALL {
        if let Some(watermark) = inbox.watermark(topic) {
            slot.metrics.set_record_time_lag_ms(topic, now.wall_ms - watermark.ms());
        }
        if let Some(end) = broker.known_end(slot.partition(topic)) {
            let read_to = inbox.read_to(topic);
            let skipped_to = broker.position(slot.partition(topic)).unwrap_or(read_to);
            let lag = end.get() - read_to.max(skipped_to).get();
            slot.metrics.set_consumer_lag(topic, u64::try_from(lag).unwrap_or(0));
        }
    }
    if let Some(closed) = slot.shard.closed() {
        let holder = Topic::ALL.into_iter().min_by_key(|topic| inbox.watermark(*topic));
        let holder = holder.expect("there are four topics");
        // A boundary without effect need not close: on a quiet shard nothing lags.
        let is_due = |next: Boundary| next.ms(length) <= now.wall_ms;
        let lags = slot.shard.next_effect().is_some_and(is_due);
        let lag_ms = if lags { now.wall_ms - closed.ms(length) } else { 0 };
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
