//! Closing what can close, and deciding from when on a shard alerts.

use tracing::info;

use super::lifecycle::Phase;
use super::slot::Slot;
use super::stop::Stop;
use crate::domain::time::Boundary;
use crate::wire::decision::DecisionLine;

/// Outputs that one shard gathers before it commits.
pub(super) const OUTPUTS_PER_COMMIT: usize = 20_000;

/// From when on shards alert that start for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartRule {
    /// At the first boundary closed after catching up.
    Live,
    /// From the first boundary on.
    Earliest,
    /// At the first boundary at or after this instant, in ms since the epoch.
    Time(i64),
}

/// Closes the boundaries that all watermarks have reached. Returns whether there were any.
pub(super) fn close_ready(slot: &mut Slot, start: StartRule) -> Result<bool, Stop> {
    let mut did = false;
    while let Some(next) = slot.shard.next_closable() {
        decide_start(slot, start, next);
        slot.shard
            .close(next, &mut slot.effects)
            .map_err(|reached| Stop::limit(slot.number, reached))?;
        slot.has_moved = true;
        did = true;
        if slot.outputs() >= OUTPUTS_PER_COMMIT {
            break;
        }
    }
    Ok(did)
}

/// Decides, before a boundary closes, from when on a shard alerts that never did.
fn decide_start(slot: &mut Slot, start: StartRule, next: Boundary) {
    if !slot.shard.awaits_start() {
        return;
    }
    let boundary = match start {
        StartRule::Earliest => Boundary::from_number(next.number() - 1),
        StartRule::Time(ms) => Boundary::at_or_after(ms, slot.shard.length()),
        StartRule::Live if matches!(slot.phase, Phase::Live) => next,
        StartRule::Live => return,
    };
    slot.shard.start_alerting(boundary);
    slot.fresh.push(DecisionLine::AlertsFrom { shard: slot.number, boundary });
    info!(shard = %slot.number, boundary = boundary.number(), "alerting begins");
}
