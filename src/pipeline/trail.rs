//! The progress records of a shard that opens: read in order, and held against a snapshot.
//!
//! Invariant: a restore knows every decision since the state that it begins with. So the records
//! are 1, 2, 3, ... from the beginning, or go on from the very record that a snapshot carries,
//! which must say the same of its state. Absent on purpose: what is done with them.

use tracing::warn;

use super::lifecycle::{Check, Opening};
use super::ports::{Broker, ReadStep};
use super::restore::wait_out;
use super::stop::Stop;
use crate::domain::ids::ShardNo;
use crate::telemetry::labels::StopReason;
use crate::wire::progress::{self, Progress, ProgressError};

/// Progress records read in one step.
const PROGRESS_BATCH: usize = 2000;

/// Progress records whose digests are compared on the way: the last ones, to bound their memory.
const CHECKS: usize = 1 << 16;

/// Reads on in the progress partition, keeping the decisions and the last record; true at its end.
pub(super) fn read_progress<B: Broker>(
    opening: &mut Opening,
    shard: ShardNo,
    broker: &mut B,
) -> Result<bool, Stop> {
    let mut failed = None;
    let from = opening.found.as_ref().and_then(|found| found.progress_at);
    let step = broker.read_progress(shard, from, PROGRESS_BATCH, &mut |value| {
        if failed.is_none() {
            failed = take_progress(opening, shard, value).err();
        }
    });
    if let Some(stop) = failed {
        return Err(stop);
    }
    opening.is_read = wait_out(step)? == Some(ReadStep::End);
    Ok(opening.is_read)
}

/// Takes in one progress record. They must be 1, 2, 3, ..., or go on from the one of a snapshot: a
/// restore needs every decision.
fn take_progress(opening: &mut Opening, shard: ShardNo, value: &[u8]) -> Result<(), Stop> {
    let begins_later = opening.found.as_ref().filter(|found| found.progress_at.is_some());
    let first = begins_later.map_or(1, |found| found.progress.number);
    let expected = opening.last.as_ref().map_or(first, |record| record.number + 1);
    let record = progress::decode(value).map_err(|error| unusable(shard, expected, &error))?;
    if record.number != expected || record.shard != shard {
        if begins_later.is_some() {
            // Without the snapshot the topic is read from its beginning, and it says more.
            opening.agrees = Some(false);
            return Ok(());
        }
        let words = format!(
            "shard {shard}: the progress topic has record {} of shard {} where record {expected} \
             should be: its beginning was lost (its retention.ms must be -1), or something else \
             wrote to it; start a new group with new output topics",
            record.number, record.shard
        );
        return Err(Stop::new(StopReason::Progress, words));
    }
    let found = opening.found.as_ref().filter(|found| found.progress.number == record.number);
    if let (Some(found), None) = (found, opening.agrees) {
        opening.agrees = Some(is_same(&found.progress, &record));
    }
    opening.recorded.extend(shard, &record.decisions);
    opening.checks.push_back(Check::of(&record));
    if opening.checks.len() > CHECKS {
        opening.checks.pop_front();
    }
    opening.last = Some(record);
    Ok(())
}

/// The stop that a record is which cannot be used.
fn unusable(shard: ShardNo, number: u64, error: &ProgressError) -> Stop {
    let (reason, what_next) = match error {
        ProgressError::NewerVersion { .. } => (
            StopReason::NewerVersion,
            "a newer odrwatch wrote it: run that version or a newer one; an older one cannot go on",
        ),
        ProgressError::Damaged(_) => (
            StopReason::Progress,
            "something else wrote to the topic, or it was changed: restore it, or start a new \
             group with new output topics",
        ),
    };
    Stop::new(reason, format!("shard {shard}, progress record {number}: {error}; {what_next}"))
}

/// Whether two records of one number are of the same state.
fn is_same(one: &Progress, other: &Progress) -> bool {
    Check::of(one) == Check::of(other) && one.positions == other.positions && one.from == other.from
}

/// Holds the snapshot against the progress record of its number. If they differ, or there is none,
/// the snapshot is refused, and opening begins anew without it.
pub(super) fn refuse_what_differs(opening: &mut Opening, shard: ShardNo) -> bool {
    let Some(found) = &opening.found else { return false };
    let ours = Check::of(&found.progress);
    let agrees = opening.agrees.unwrap_or_else(|| {
        // It was found only after the topic was read, of which the last records are remembered.
        let said = opening.checks.iter().find(|check| check.number == ours.number);
        let is_forgotten = opening.checks.len() == CHECKS;
        said.map_or(is_forgotten, |check| *check == ours)
    });
    if agrees {
        return false;
    }
    let number = ours.number;
    warn!(%shard, number, "snapshot refused: the progress topic says otherwise of its state");
    let disagrees_since_ms = opening.disagrees_since_ms;
    *opening = Opening { disagrees_since_ms, below: Some(number), ..Opening::default() };
    true
}
