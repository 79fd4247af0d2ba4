//! Opening a shard and restoring its state: steps within the turn, never loops of their own.
//!
//! The committed offsets carry the number of the progress record of the same transaction. That
//! record says where the shard is; the inputs are read up to there with the recorded decisions and
//! without effects, and the digests must agree. Snapshots will only shorten this: the newest one at
//! or before the record takes the place of the beginning of the inputs.
//!
//! Invariant: a shard becomes live only from a state whose digest, positions and `seq` equal what
//! was committed; any other state is a loud stop.

use tracing::{debug, info};

use super::lifecycle::{Opening, Phase, Restoring, Stretch};
use super::ports::{Broker, InputPartition, ReadStep, SourceError};
use super::slot::{Now, Slot};
use super::stop::Stop;
use crate::domain::effects::Effects;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::shard::{AlertingStart, Shard, ShardConfig};
use crate::wire::progress::{self, Progress};

/// Progress records read in one step.
const PROGRESS_BATCH: usize = 2000;

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
}

/// Waits out what may be waited out.
fn wait_out<T>(result: Result<T, SourceError>) -> Result<Option<T>, Stop> {
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
    pub fn step<B: Broker>(&self, slot: &mut Slot, broker: &mut B, now: Now) -> Result<(), Stop> {
        let Phase::Opening(opening) = &mut slot.phase else { return Ok(()) };
        if opening.committed.is_none() {
            let Some(committed) = wait_out(broker.committed(slot.number))? else { return Ok(()) };
            opening.committed = Some(committed.map(|committed| committed.progress));
        }
        let committed = opening.committed.flatten();
        if opening.is_kept && committed.unwrap_or(0) == slot.progress {
            return resume(slot, broker, now);
        }
        opening.is_kept = false;
        if !opening.is_read {
            let done = read_progress(opening, slot.number, broker)?;
            if !done {
                return Ok(());
            }
        }
        let last = opening.last.as_ref().map(|record| record.number);
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

    fn first_start<B: Broker>(
        &self,
        slot: &mut Slot,
        broker: &mut B,
        now: Now,
    ) -> Result<(), Stop> {
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
        let recorded = std::mem::take(&mut opening.recorded);
        let target = opening.last.take().expect("begin_restore has a last record");
        self.check_target(&target)?;
        for (topic, (start, _)) in Topic::ALL.iter().zip(bounds) {
            let first = target.from[topic.index()];
            if start > first {
                return Err(data_gap(slot.number, *topic, first, start));
            }
        }
        let engine = self.engine(slot.number, target.from);
        slot.start_over(engine, target.from, target.number);
        slot.recorded = recorded;
        if let Some(boundary) = slot.recorded.alerts_from() {
            slot.shard.start_alerting(boundary);
        }
        begin_reading(slot, broker, target.from, now)?;
        let restoring = Box::new(Restoring { target, since_ms: now.mono_ms });
        let (progress, records) = (restoring.target.number, restoring.stretch().total());
        info!(shard = %slot.number, progress, records, "restoring");
        slot.phase = Phase::Restoring(restoring);
        Ok(())
    }

    fn check_target(&self, target: &Progress) -> Result<(), Stop> {
        let (engine, ours) = (&target.engine, progress::ENGINE);
        if engine != ours {
            return Err(Stop::Progress(format!(
                "shard {}: progress record {} was written by engine {engine}, and this is {ours}: \
                 run the version that wrote it",
                target.shard, target.number
            )));
        }
        if target.policy != self.policy || target.boundary_length != self.shard.length {
            return Err(Stop::Progress(format!(
                "shard {}: progress record {} was computed with policy {} and boundaries of {} \
                 ms, and the configuration has policy {} and {} ms: restore the former policy, or \
                 start a new group with new output topics",
                target.shard,
                target.number,
                target.policy,
                target.boundary_length.ms(),
                self.policy,
                self.shard.length.ms()
            )));
        }
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

/// Reads on in the progress partition, keeping the decisions and the last record; true at its end.
fn read_progress<B: Broker>(
    opening: &mut Opening,
    shard: ShardNo,
    broker: &mut B,
) -> Result<bool, Stop> {
    let mut failed = None;
    let step = broker.read_progress(shard, PROGRESS_BATCH, &mut |value| {
        if failed.is_none() {
            failed = take_progress(opening, shard, value).err();
        }
    });
    if let Some(problem) = failed {
        return Err(Stop::Progress(problem));
    }
    opening.is_read = wait_out(step)? == Some(ReadStep::End);
    Ok(opening.is_read)
}

/// Takes in one progress record. They must be 1, 2, 3, ...: a restore needs every decision.
fn take_progress(opening: &mut Opening, shard: ShardNo, value: &[u8]) -> Result<(), String> {
    let expected = opening.last.as_ref().map_or(1, |record| record.number + 1);
    let record = progress::decode(value)
        .map_err(|error| format!("shard {shard}, progress record {expected}: {error}"))?;
    if record.number != expected || record.shard != shard {
        return Err(format!(
            "shard {shard}: the progress topic has record {} of shard {} where record {expected} \
             should be: its beginning was lost (its retention.ms must be -1), or something else \
             wrote to it; start a new group with new output topics",
            record.number, record.shard
        ));
    }
    opening.recorded.extend(shard, &record.decisions);
    opening.last = Some(record);
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
        broker.seek(partition, from[topic.index()]).map_err(Stop::from_source)?;
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
        close(slot, next, &mut effects)?;
        effects.clear();
    }
    if !Topic::ALL.into_iter().all(|topic| slot.is_restored(broker, topic)) {
        return Ok(());
    }
    // Once in a restore: the slot is borrowed below, and the phase is still needed where the
    // brokers do not answer.
    let Phase::Restoring(restoring) = &slot.phase else { return Ok(()) };
    let target = restoring.target.clone();
    for topic in Topic::ALL {
        let next = target.positions[topic.index()].next;
        slot.recorded.apply(&mut slot.shard, topic, next);
    }
    if let Some(last) = target.boundary {
        slot.shard
            .close_through(last, &mut effects)
            .map_err(|reached| Stop::limit(slot.number, reached))?;
    }
    check_restored(slot, &target)?;
    let Some(bounds) = bounds(slot.number, broker)? else { return Ok(()) };
    slot.shard.rewind();
    let from = target.positions.map(|position| position.next);
    begin_reading(slot, broker, from, now)?;
    slot.phase = Phase::CatchingUp(Stretch { from, ends: bounds.map(|(_, end)| end) });
    let (progress, records) = (target.number, slot.read);
    info!(shard = %slot.number, progress, records, "restored; the digest agrees");
    Ok(())
}

fn close(
    slot: &mut Slot,
    boundary: crate::domain::time::Boundary,
    effects: &mut Effects,
) -> Result<(), Stop> {
    slot.shard.close(boundary, effects).map_err(|reached| Stop::limit(slot.number, reached))
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
    Err(Stop::Digest(format!(
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
        slot.shard.closed().map(crate::domain::time::Boundary::number),
        target.boundary.map(crate::domain::time::Boundary::number),
    )))
}

fn disagreement(shard: ShardNo, committed: Option<u64>, last: Option<u64>) -> Stop {
    let told = |number: Option<u64>| match number {
        Some(number) => format!("record {number}"),
        None => "no record".to_owned(),
    };
    Stop::Progress(format!(
        "shard {shard}: the group's offsets belong to progress {}, and the progress topic ends \
         with {}. If a broker lost the end of a transaction, the instance that wrote it completes \
         it when it starts: start every instance of this group under its own name, then this one \
         again. Else the offsets were reset or the topic was cut short: start a new group with \
         new output topics. Do not change or delete the group's offsets: alerts could be sent \
         twice",
        told(committed),
        told(last)
    ))
}

fn data_gap(shard: ShardNo, topic: Topic, first: NextOffset, start: NextOffset) -> Stop {
    Stop::Log(format!(
        "{}-{shard}: data gap: the shard's history begins at offset {first}, and the log now \
         begins at {start}, so offsets {first} to {} are lost to retention; without a snapshot \
         the state cannot be restored: raise retention.ms of the inputs, and start a new group \
         with new output topics",
        topic.as_str(),
        start.get() - 1
    ))
}
