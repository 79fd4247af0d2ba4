//! The start of a member's producer, and what a redo needs of brokers, of the in-memory one: it is
//! the adapter's own code that completes what was committed in part.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cluster::Cluster;
use super::faults::CommitFault;
use super::log::{NewRecord, StoredRecord};
use super::member::STOPPED;
use super::state::{LogName, State};
use super::transactions::number_of;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::kafka::redo::{Copy, Ledger, Redone, Seen, Written, complete};
use crate::kafka::trace::{Place, Spans, Trace};
use crate::pipeline::ports::{CommittedShard, Header, OutTopic, SourceError};

/// Starts the producer of an id as the adapter does: fences the predecessor, aborts what is open,
/// waits until nobody's transaction is open on the outputs, and completes what was committed in
/// part. Returns its epoch, what it committed, and when the latest transaction began.
pub(super) fn start_producer(
    cluster: &Cluster,
    id: &str,
    clock_ms: Option<i64>,
) -> Result<(u32, Option<Last>, i64), SourceError> {
    let state = cluster.lock();
    if state.stopped || state.coordinator_away {
        return Err(SourceError::Unavailable(STOPPED.to_owned()));
    }
    drop(state);
    let epoch = cluster.change(|state| state.init_producer(id));
    if cluster.lock().is_unsettled() {
        return Err(SourceError::NotReady("an open transaction holds outputs up".to_owned()));
    }
    let clock_ms = clock_ms.unwrap_or_else(|| cluster.clock_ms());
    let redone = redo(cluster, id, clock_ms)?;
    // What a redo wrote is looked at closely: something was lost just now.
    Ok((epoch, Last::of(redone.written, u64::MAX, &cluster.lock()), redone.latest))
}

/// Completes what a broker committed in part of an id's last transaction.
fn redo(cluster: &Cluster, id: &str, clock_ms: i64) -> Result<Redone, SourceError> {
    let partitions: Vec<i32> =
        (0..cluster.config().partitions).map(|of| number_of(ShardNo::new(of))).collect();
    let mut ledger = MemoryLedger { cluster, id, clock_ms, written: Written::default() };
    complete(&mut ledger, id, &partitions)
}

struct MemoryLedger<'a> {
    cluster: &'a Cluster,
    id: &'a str,
    clock_ms: i64,
    written: Written,
}

fn log((topic, partition): Place) -> LogName {
    let shard = ShardNo::new(u32::try_from(partition).expect("partitions count from 0"));
    LogName::Output(OutTopic::ALL[topic], shard)
}

impl MemoryLedger<'_> {
    fn each(&self, places: &[Place], end: impl Fn(&State, LogName) -> i64) -> BTreeMap<Place, i64> {
        let state = self.cluster.lock();
        places.iter().map(|place| (*place, end(&state, log(*place)))).collect()
    }
}

impl Ledger for MemoryLedger<'_> {
    fn firsts(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError> {
        Ok(self.each(places, |state, log| state.log(log).start()))
    }

    fn stables(&mut self, places: &[Place]) -> Result<BTreeMap<Place, i64>, SourceError> {
        Ok(self.each(places, |state, log| state.log(log).stable()))
    }

    fn read(
        &mut self,
        spans: &BTreeMap<Place, (i64, i64)>,
        wanted: &dyn Fn(Place, i64) -> bool,
    ) -> Result<Seen, SourceError> {
        let state = self.cluster.lock();
        let mut seen = Seen::default();
        for (place, (from, to)) in spans {
            let log = state.log(log(*place));
            let records = log.read_all(*from, *to);
            let records = records.iter().filter(|record| wanted(*place, record.offset.get()));
            seen.records.insert(*place, records.map(|record| copy(*place, record)).collect());
            let visible = log.read_committed((*from).max(log.start()), usize::MAX).records;
            let offsets = visible.iter().map(|record| record.offset.get());
            seen.visible.extend(offsets.filter(|at| at < to).map(|at| (*place, at)));
        }
        Ok(seen)
    }

    fn numbers(&mut self, shards: &[i32]) -> Result<Vec<Option<u64>>, SourceError> {
        let state = self.cluster.lock();
        let number = |shard: &i32| {
            let shard = ShardNo::new(u32::try_from(*shard).expect("partitions count from 0"));
            if state.is_unstable(shard) {
                return Err(SourceError::NotReady(format!("offsets of {shard} are not stable")));
            }
            Ok(state.offsets.get(&shard).map(|committed| committed.progress))
        };
        shards.iter().map(number).collect()
    }

    fn begin(&mut self, after: i64) -> Result<i64, SourceError> {
        self.cluster.change(|state| state.open(self.id));
        self.written = Written::default();
        Ok(self.clock_ms.max(after + 1))
    }

    fn send(
        &mut self,
        like: &Copy,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<(), SourceError> {
        let (key, value) = (like.key.clone(), value.map(<[u8]>::to_vec));
        let topic = OutTopic::ALL[like.place.0];
        let offset = self.cluster.change(|state| {
            let timestamp_ms = state.timestamp(topic, like.timestamp_ms);
            let new = NewRecord { timestamp_ms, key, value, headers: headers.to_vec() };
            let number = state.producers[self.id].number;
            state.append(log(like.place), new, Some(number))
        });
        let written = match topic {
            OutTopic::Progress => &mut self.written.progress,
            _ => &mut self.written.outputs,
        };
        written.add(like.place, offset.get());
        Ok(())
    }

    fn delivered(&mut self) -> Result<Written, SourceError> {
        let (outputs, progress) = (self.written.outputs.clone(), self.written.progress.clone());
        Ok(Written { outputs, progress })
    }

    fn commit(&mut self, offsets: &[(i32, &Trace)]) -> Result<(), SourceError> {
        self.cluster.change(|state| {
            let number = state.producers[self.id].number;
            for (shard, trace) in offsets {
                let shard = ShardNo::new(u32::try_from(*shard).expect("partitions count from 0"));
                let next = trace.next.map(NextOffset::stated);
                let committed = CommittedShard { next, progress: trace.number };
                state.send_offsets(number, shard, committed, None);
            }
            state.faults.count("redo of a commit in part");
            // A redo is met by the same faults; what has a meaning only for members passes it.
            let fault = state.faults.take().filter(|fault| {
                !matches!(fault, CommitFault::NotCommitted { .. } | CommitFault::Fenced)
            });
            if fault.is_some() {
                state.faults.count("redo that goes wrong itself");
            }
            let ended = state.end_commit(self.id, fault);
            ended.map_err(|error| SourceError::NotReady(error.to_string()))
        })
    }
}

fn copy(place: Place, record: &Arc<StoredRecord>) -> Copy {
    Copy {
        place,
        offset: record.offset.get(),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: record.headers.clone(),
        timestamp_ms: record.timestamp_ms,
    }
}

/// How long an end may be missing after trouble before it counts as lost, in ms.
const PATIENCE_MS: i64 = 5_000;

/// The last transaction of a member, until its ends are seen.
#[derive(Clone, Debug)]
pub(super) struct Last {
    written: Spans,
    troubles: u64,
    since_ms: i64,
}

impl Last {
    /// One that was just committed, and how much trouble there had been when it began; none if it
    /// wrote nothing.
    pub fn of(written: Spans, troubles: u64, state: &State) -> Option<Self> {
        let since_ms = state.clock_ms;
        (!written.is_empty()).then_some(Self { written, troubles, since_ms })
    }

    /// Whether its ends are there; after trouble that of the offsets, which is not asked for, may
    /// still be missing.
    pub fn is_seen(&self, state: &State) -> bool {
        state.has_ends_of(&self.written) && !self.had_trouble(state)
    }

    /// Whether they count as lost.
    pub fn is_lost(&self, state: &State) -> bool {
        let timeout_ms =
            if self.had_trouble(state) { 0 } else { state.config.transaction_timeout_ms };
        state.clock_ms - self.since_ms > timeout_ms + PATIENCE_MS
    }

    /// What must be seen before the next transaction commits: after trouble, all of it.
    pub fn wanted(&self, state: &State) -> Option<&Spans> {
        self.had_trouble(state).then_some(&self.written)
    }

    fn had_trouble(&self, state: &State) -> bool {
        state.troubles != self.troubles
    }
}
