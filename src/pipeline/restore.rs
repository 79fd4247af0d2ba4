//! Opening a shard and restoring its state: steps within the turn, never loops of their own.
//!
//! The committed offsets carry the number of the progress record of the same transaction. That
//! record says where the shard is; the inputs are read up to there with the recorded decisions and
//! without effects, and the digests must agree at every progress record on the way. A snapshot only
//! shortens this: the newest one at or before the record takes the place of the beginning of the
//! inputs, once the progress record of its number says the same of its state.
//!
//! Invariant: a shard becomes live only from a state whose digest, positions and `seq` equal what
//! was committed; any other state is a loud stop.

use tracing::{debug, info};

use super::desk::Wanted;
use super::inputs::Inputs;
use super::lifecycle::{Opening, Phase, Restoring, Stretch};
use super::loss::{self, Needed};
use super::ports::{Broker, InputPartition, SourceError};
use super::refusals::{check_target, disagreement, lost_progress};
use super::slot::{Now, Slot};
use super::snapshots::{Kept, Search, Snapshots};
use super::stop::Stop;
use super::trail::{read_progress, refuse_what_differs};
use crate::domain::effects::Effects;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::shard::{AlertingStart, Shard, ShardConfig};
use crate::domain::time::Boundary;
use crate::telemetry::labels::{Refusal, StopReason};
use crate::wire::progress::Progress;

/// How much longer than a transaction may be open the group's offsets and the progress topic may
/// disagree, in ms: a transaction that timed out is aborted within ten seconds more.
const MARKERS_MS: i64 = 20_000;

/// What is needed to open shards.
#[derive(Clone, Debug)]
pub struct Opener {
    /// The shards' configuration; number, start and first offsets are set on opening.
    pub shard: ShardConfig,
    /// The policy's fingerprint.
    pub policy: String,
    /// How long a transaction may be open, in ms.
    pub transaction_timeout_ms: i64,
    /// Whether to go on behind records that were lost before they were read.
    pub accepts_gaps: bool,
}

/// Waits out what may be waited out.
pub(super) fn wait_out<T>(result: Result<T, SourceError>) -> Result<Option<T>, Stop> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error @ (SourceError::NotReady(_) | SourceError::Unavailable(_))) => {
            debug!(%error, "asking again");
            Ok(None)
        }
        Err(error) => Err(Stop::from_source(error)),
    }
}

impl Opener {
    /// An engine that knows nothing, beginning at some offsets.
    #[must_use]
    pub fn engine(&self, number: ShardNo, first: [NextOffset; 4]) -> Shard {
        Shard::new(ShardConfig {
            shard: number,
            first,
            start: AlertingStart::Decided,
            ..self.shard.clone()
        })
    }

    /// Takes one step of opening a shard; it may take many.
    ///
    /// # Errors
    /// As [`Stop`] says.
    pub fn step<B: Broker>(
        &self,
        slot: &mut Slot,
        broker: &mut B,
        (inputs, snapshots): (&Inputs, Option<&Snapshots>),
        now: Now,
    ) -> Result<(), Stop> {
        let Phase::Opening(opening) = &mut slot.phase else { return Ok(()) };
        let Some(topics) = inputs.ids() else { return Ok(()) };
        (slot.topics, slot.partitions) = (topics, inputs.partitions());
        if opening.committed.is_none() {
            let Some(committed) = wait_out(broker.committed(slot.number))? else { return Ok(()) };
            opening.committed = Some(committed.map(|committed| committed.progress));
        }
        let committed = opening.committed.flatten();
        if opening.is_kept && committed.unwrap_or(0) == slot.progress {
            return resume(slot, broker, now);
        }
        opening.is_kept = false;
        // Where the group says how far the shard is, a snapshot saves most of the progress topic.
        if let Some(number) = committed
            && !self.search(opening, slot.number, snapshots, (number, now))
        {
            return Ok(());
        }
        if !opening.is_read {
            let done = read_progress(opening, slot.number, broker)?;
            if !done {
                return Ok(());
            }
        }
        let last = opening.last.as_ref().map(|record| record.number);
        // If not, the progress topic says it.
        if committed.is_none()
            && !self.search(opening, slot.number, snapshots, (last.unwrap_or(0), now))
        {
            return Ok(());
        }
        if refuse_what_differs(opening, slot.number) {
            slot.metrics.snapshot_refused(Refusal::Differs);
            return Ok(());
        }
        match (committed, last) {
            (None, None) => self.first_start(slot, broker, now),
            (committed, Some(last)) if committed.is_none_or(|number| number == last) => {
                self.begin_restore(slot, broker, now)
            }
            (committed, last) => {
                let since_ms = opening.disagrees_since_ms.unwrap_or(now.mono_ms);
                if now.mono_ms - since_ms > self.transaction_timeout_ms + MARKERS_MS {
                    return Err(disagreement(slot.number, committed, last));
                }
                // Markers of the last transaction are on their way to one of the two, or its
                // owner completes it (see `kafka::redo`).
                **opening = Opening { disagrees_since_ms: Some(since_ms), ..Opening::default() };
                Ok(())
            }
        }
    }

    /// Looks for the newest snapshot at or before a progress record; true once that is over.
    fn search(
        &self,
        opening: &mut Opening,
        shard: ShardNo,
        snapshots: Option<&Snapshots>,
        (committed, now): (u64, Now),
    ) -> bool {
        let Some(snapshots) = snapshots else { return true };
        let below = opening.below.unwrap_or(u64::MAX);
        let config = ShardConfig { shard, start: AlertingStart::Decided, ..self.shard.clone() };
        let wanted = || Wanted { config, committed, below };
        if !snapshots.search(&mut opening.search, wanted, now) {
            return false;
        }
        if let Search::Done { found, .. } = &mut opening.search
            && let Some(found) = found.take()
        {
            opening.recorded.extend(shard, &found.progress.decisions);
            opening.found = Some(found);
        }
        true
    }

    fn first_start<B: Broker>(
        &self,
        slot: &mut Slot,
        broker: &mut B,
        now: Now,
    ) -> Result<(), Stop> {
        let Phase::Opening(opening) = &slot.phase else { return Ok(()) };
        if let Search::Done { refused, .. } = &opening.search
            && let Some(ahead) = refused.iter().find(|one| one.reason == Refusal::Ahead)
        {
            return Err(lost_progress(slot.number, ahead));
        }
        let Some(bounds) = bounds(slot.number, broker)? else { return Ok(()) };
        let from = bounds.map(|(start, _)| start);
        slot.start_over(self.engine(slot.number, from), from, 0);
        begin_reading(slot, broker, from, now)?;
        slot.phase = Phase::CatchingUp(Stretch { from, ends: bounds.map(|(_, end)| end) });
        info!(shard = %slot.number, "first start: nothing is committed for the shard");
        Ok(())
    }

    fn begin_restore<B: Broker>(
        &self,
        slot: &mut Slot,
        broker: &mut B,
        now: Now,
    ) -> Result<(), Stop> {
        let Some(bounds) = bounds(slot.number, broker)? else { return Ok(()) };
        let Phase::Opening(opening) = &mut slot.phase else { return Ok(()) };
        let opening = std::mem::take(&mut **opening);
        let target = opening.last.expect("begin_restore has a last record");
        check_target(self, &target, &slot.topics, slot.partitions)?;
        let from_snapshot = opening.found;
        let begins = match &from_snapshot {
            Some(found) => found.shard.positions().map(|position| position.next),
            None => target.from,
        };
        let gaps = Needed {
            begins,
            target: &target,
            bounds,
            recorded: &opening.recorded,
            search: &opening.search,
            accepts: self.accepts_gaps,
        }
        .check()?;
        let (engine, snapshot) = match from_snapshot {
            Some(found) => {
                slot.metrics.set_snapshot_bytes(found.bytes);
                (found.shard, Some(found.progress.number))
            }
            None => (self.engine(slot.number, target.from), None),
        };
        slot.start_over(engine, target.from, target.number);
        slot.kept = snapshot.map(|number| {
            let taken_ms = now.mono_ms;
            Kept { number, taken_ms, due_ms: taken_ms }
        });
        slot.recorded = opening.recorded;
        slot.recorded.extend(slot.number, &gaps);
        slot.fresh = gaps;
        let marks = target.logs.map(|log| log.mark);
        let is_there = std::array::from_fn(|at| {
            marks[at].is_some_and(|mark| bounds[at].0.get() <= mark.offset.get())
        });
        slot.marks.begin(marks, is_there);
        if let Some(boundary) = slot.recorded.alerts_from() {
            slot.shard.start_alerting(boundary);
        }
        begin_reading(slot, broker, begins, now)?;
        let mut checks = opening.checks;
        checks.retain(|check| snapshot.is_none_or(|number| check.number > number));
        let since_ms = now.mono_ms;
        let restoring = Box::new(Restoring { target, checks, from: begins, since_ms });
        let (progress, records) = (restoring.target.number, restoring.stretch().total());
        info!(shard = %slot.number, progress, snapshot, records, "restoring");
        slot.phase = Phase::Restoring(restoring);
        Ok(())
    }
}

/// Goes on with a state that was kept while the shard was away, unmoved.
fn resume<B: Broker>(slot: &mut Slot, broker: &mut B, now: Now) -> Result<(), Stop> {
    let Some(bounds) = bounds(slot.number, broker)? else { return Ok(()) };
    let positions = Topic::ALL.map(|topic| slot.shard.inbox().read_to(topic));
    begin_reading(slot, broker, positions, now)?;
    let ends = bounds.map(|(_, end)| end);
    slot.phase = Phase::CatchingUp(Stretch { from: positions, ends });
    info!(shard = %slot.number, progress = slot.progress, "the shard came back unmoved");
    Ok(())
}

/// First and stable end offsets of the four partitions; `None` to ask again.
fn bounds<B: Broker>(
    shard: ShardNo,
    broker: &mut B,
) -> Result<Option<[(NextOffset, NextOffset); 4]>, Stop> {
    let mut all = [(NextOffset::stated(0), NextOffset::stated(0)); 4];
    for topic in Topic::ALL {
        match wait_out(broker.log_bounds(InputPartition { topic, shard }))? {
            Some(bounds) => all[topic.index()] = bounds,
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

fn begin_reading<B: Broker>(
    slot: &mut Slot,
    broker: &mut B,
    from: [NextOffset; 4],
    now: Now,
) -> Result<(), Stop> {
    for topic in Topic::ALL {
        let partition = slot.partition(topic);
        let mut at = slot.recorded.behind_gaps(topic, from[topic.index()]);
        if let Some(mark) = slot.marks.expected(topic) {
            at = at.min(NextOffset::stated(mark.offset.get()));
        }
        broker.seek(partition, at).map_err(Stop::from_source)?;
        slot.quiet[topic.index()].heard(now.mono_ms);
    }
    Ok(())
}

/// Closes what a restore can close, and ends it once its target is reached.
///
/// # Errors
/// A limit is reached, or the restored state is not the one that was committed.
pub fn advance<B: Broker>(slot: &mut Slot, broker: &mut B, now: Now) -> Result<(), Stop> {
    let Phase::Restoring(restoring) = &slot.phase else { return Ok(()) };
    let boundary = restoring.target.boundary;
    let mut effects = Effects::default();
    while let Some(next) = slot.shard.next_closable() {
        if boundary.is_none_or(|last| next > last) {
            break;
        }
        check_before(slot, next)?;
        close(slot, next, &mut effects)?;
    }
    if !Topic::ALL.into_iter().all(|topic| slot.is_restored(broker, topic)) {
        return Ok(());
    }
    if let Some(topic) = Topic::ALL.into_iter().find(|one| slot.marks.expected(*one).is_some()) {
        return Err(loss::another_log(slot, topic));
    }
    // Once in a restore: the slot is borrowed below, and the phase is still needed where the
    // brokers do not answer.
    let Phase::Restoring(restoring) = &slot.phase else { return Ok(()) };
    let target = restoring.target.clone();
    for topic in Topic::ALL {
        let next = target.positions[topic.index()].next;
        slot.recorded.apply(&mut slot.shard, topic, next);
    }
    while let Some(next) = slot.shard.next_effect()
        && target.boundary.is_some_and(|last| next <= last)
    {
        check_before(slot, next)?;
        close(slot, next, &mut effects)?;
    }
    check_restored(slot, &target)?;
    let Some(bounds) = bounds(slot.number, broker)? else { return Ok(()) };
    slot.shard.rewind();
    slot.marks.rewind(&slot.shard.positions());
    slot.has_moved = !slot.fresh.is_empty();
    let from = target.positions.map(|position| position.next);
    begin_reading(slot, broker, from, now)?;
    slot.phase = Phase::CatchingUp(Stretch { from, ends: bounds.map(|(_, end)| end) });
    let (progress, records) = (target.number, slot.read);
    slot.metrics.restored(records);
    info!(shard = %slot.number, progress, records, "restored; the digest agrees");
    Ok(())
}

/// Closes a boundary whose effects were written before.
fn close(slot: &mut Slot, boundary: Boundary, effects: &mut Effects) -> Result<(), Stop> {
    slot.shard.close(boundary, effects).map_err(|reached| Stop::limit(slot.number, reached))?;
    effects.clear();
    slot.shard.skip_statuses();
    Ok(())
}

/// Compares the state with the progress records of boundaries before the one that closes next.
fn check_before(slot: &mut Slot, next: Boundary) -> Result<(), Stop> {
    let Phase::Restoring(restoring) = &mut slot.phase else { return Ok(()) };
    let checks = &mut restoring.checks;
    while let Some(check) = checks.pop_front_if(|check| check.boundary < Some(next)) {
        let (digest, seq) = (slot.shard.digest(), slot.shard.seq());
        if check.boundary == slot.shard.closed() && (digest, seq) != (check.digest, check.seq) {
            let words = format!(
                "shard {}: what the inputs give up to progress record {} is not what was \
                 committed there (digest {:032x} and {:032x}, seq {seq} and {}): the input topics \
                 were changed below the committed offsets; restore them, or start a new group \
                 with new output topics",
                slot.number, check.number, digest.0, check.digest.0, check.seq
            );
            return Err(Stop::new(StopReason::Digest, words));
        }
    }
    Ok(())
}

fn check_restored(slot: &Slot, target: &Progress) -> Result<(), Stop> {
    let positions = slot.shard.positions();
    let stated = target.positions.map(|position| (position.next, position.watermark));
    let reached = positions.map(|position| (position.next, position.watermark));
    let agrees = slot.shard.digest() == target.digest
        && slot.shard.seq() == target.seq
        && slot.shard.closed() == target.boundary
        && reached == stated;
    if agrees {
        return Ok(());
    }
    let words = format!(
        "shard {}: what the inputs give up to progress record {} is not what was committed there \
         (digest {:032x} and {:032x}, seq {} and {}, boundary {:?} and {:?}, positions {reached:?} \
         and {stated:?}): the input topics were changed below the committed offsets; restore them, \
         or start a new group with new output topics",
        target.shard,
        target.number,
        slot.shard.digest().0,
        target.digest.0,
        slot.shard.seq(),
        target.seq,
        slot.shard.closed().map(Boundary::number),
        target.boundary.map(Boundary::number),
    );
    Err(Stop::new(StopReason::Digest, words))
}
