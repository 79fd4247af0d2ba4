//! The worker: one thread's loop over its shards, as turns.
//!
//! ```text
//! turn:  group events ─> settle ─> read ─> close what can close, decide about the silent ─> commit
//! ```
//!
//! Invariants:
//! - Group events are served only when nothing is uncommitted, so that a rebalance falls between
//!   transactions.
//! - State is never ahead of a failed transaction: the shards of a failed batch are dropped and
//!   opened again, which is also the only way to recover from anything else.
//!
//! Absent on purpose: clocks (both readings come in), threads, sleeping.

mod clock;
mod keeping;
mod recovery;
mod showing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::advice::AdviceRules;
use super::batch::{self, Identity};
use super::board::{Board, Publisher};
pub use super::closing::StartRule;
use super::closing::{OUTPUTS_PER_COMMIT, close_ready};
use super::idle::{self, IdleRules, Questions};
use super::inputs::Inputs;
use super::intake::Intake;
use super::lifecycle::{Opening, Phase};
use super::observe;
use super::ports::{Batch, Broker, CommitError, GroupEvent, OutTopic, Receipt, SourceError};
use super::query;
use super::restore::{self, Opener};
use super::slot::{Now, ReadRules, Slot};
use super::snapshots::Snapshots;
use super::stop::Stop;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::shard::ShardConfig;
use crate::telemetry::health::{HealthBoard, ShardState, WorkerNo, WorkerState};
use crate::telemetry::labels::Stage;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::shard_metrics::ShardMetrics;
use crate::wire::input;

/// Records that one turn reads at most from one shard.
const READ_PER_TURN: usize = 20_000;

/// The first and the longest pause before a producer is replaced, in ms.
const BACKOFF_MS: (i64, i64) = (100, 5_000);

/// While a shard catches up, a transaction waits for twenty commit intervals, but no longer than
/// this.
const CATCH_UP_COMMIT_MS: i64 = 2_000;

/// How often gauges are refreshed, in ms.
const GAUGES_MS: i64 = 1_000;

/// What a worker is made with.
#[derive(Clone, Debug)]
pub struct WorkerConfig {
    /// Which worker of the process it is.
    pub number: WorkerNo,
    /// The shards' configuration; number, start and first offsets are set on opening.
    pub shard: ShardConfig,
    /// What records are held to.
    pub input: input::Limits,
    /// What advice is made by; none makes none.
    pub advice: Option<AdviceRules>,
    /// From when on a shard alerts that starts for the first time.
    pub start: StartRule,
    /// How long a partition must be silent to be idle, in ms.
    pub idle_after_ms: i64,
    /// How far a timestamp may be ahead of the clock, in ms.
    pub max_clock_ahead_ms: i64,
    /// The least time between two transactions, in ms.
    pub commit_interval_ms: i64,
    /// How long a transaction may be open, in ms.
    pub transaction_timeout_ms: i64,
    /// The share of dead letters in the last thousand records that stops a shard; 0 is off.
    pub breaker_percent: u32,
    /// Whether to go on behind records that were lost before they were read.
    pub accepts_gaps: bool,
    /// The names of the four input topics.
    pub topics: [String; 4],
    /// The policy's fingerprint.
    pub policy: String,
    /// Where this process serves HTTP for others, as `host:port`.
    pub owner: Option<String>,
}

/// A worker.
pub struct Worker<B> {
    broker: B,
    slots: BTreeMap<ShardNo, Slot>,
    opener: Opener,
    inputs: Inputs,
    intake: Intake,
    identity: Identity,
    read_rules: ReadRules,
    idle_rules: IdleRules,
    start: StartRule,
    commit_interval_ms: i64,
    questions: Questions,
    number: WorkerNo,
    metrics: Arc<Metrics>,
    health: Arc<HealthBoard>,
    committed_ms: i64,
    gauges_ms: i64,
    reconnect: Option<Reconnect>,
    clock_skew_ms: Option<i64>,
    compare_clock_ms: Option<i64>,
    events: Vec<GroupEvent>,
    publisher: Publisher,
    snapshots: Option<Snapshots>,
    readers: Option<query::Publisher>,
}

impl<B> std::fmt::Debug for Worker<B> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Worker").field("slots", &self.slots).finish_non_exhaustive()
    }
}

/// The pause before a producer is replaced.
#[derive(Clone, Copy, Debug)]
struct Reconnect {
    at_ms: i64,
    pause_ms: i64,
}

impl<B: Broker> Worker<B> {
    /// A worker that has no shards yet.
    #[must_use]
    pub fn new(
        broker: B,
        config: WorkerConfig,
        metrics: Arc<Metrics>,
        health: Arc<HealthBoard>,
    ) -> Self {
        let length = config.shard.length;
        let shard = ShardConfig { matters: config.advice.is_some(), ..config.shard };
        health.set_worker(config.number, WorkerState::Joining);
        Self {
            slots: BTreeMap::new(),
            intake: Intake::reading(config.input, config.advice, &shard.policy),
            opener: Opener {
                shard,
                policy: config.policy.clone(),
                transaction_timeout_ms: config.transaction_timeout_ms,
                accepts_gaps: config.accepts_gaps,
            },
            inputs: Inputs::new(config.topics.clone(), config.input.partitions),
            identity: Identity {
                topics: config.topics,
                policy: config.policy,
                owner: config.owner,
                shards: config.input.partitions,
                length,
                terms: config.advice.unwrap_or_default().terms,
                max_dead_letter_bytes: broker.max_record_bytes(OutTopic::DeadLetters),
            },
            read_rules: ReadRules {
                max_clock_ahead_ms: config.max_clock_ahead_ms,
                breaker_percent: config.breaker_percent,
                pending_soft: config.shard.limits.pending / 2,
            },
            idle_rules: IdleRules { idle_after_ms: config.idle_after_ms, length },
            start: config.start,
            commit_interval_ms: config.commit_interval_ms,
            questions: Questions::default(),
            number: config.number,
            metrics,
            health,
            committed_ms: i64::MIN / 2,
            gauges_ms: i64::MIN / 2,
            reconnect: None,
            clock_skew_ms: broker.clock_skew_ms(),
            // Compared on the first turn if it is off, and then until it is not.
            compare_clock_ms: Some(i64::MIN),
            events: Vec::new(),
            publisher: Publisher::default(),
            snapshots: None,
            readers: None,
            broker,
        }
    }

    /// Lets the worker write down on a board what others may see of its shards.
    pub fn publish_on(&mut self, board: Arc<Board>) {
        self.publisher = Publisher::on(board);
    }

    /// Takes one turn; tells whether there was anything to do.
    ///
    /// # Errors
    /// A loud stop: the worker must not go on.
    pub fn turn(&mut self, now: Now) -> Result<bool, Stop> {
        self.health.beat(self.number);
        if !self.replace_producer(now)? {
            return Ok(false);
        }
        if !self.has_uncommitted() {
            self.serve_group()?;
            self.compare_clock(now);
            if self.reconnect.is_none() && self.broker.has_lost_an_end() {
                warn!("a broker lost the end of the last transaction: replacing the producer");
                self.back_off(now, 0);
                return Ok(false);
            }
        }
        self.inputs.look(&mut self.broker, now)?;
        self.take_snapshots_answers(now);
        for slot in self.slots.values_mut() {
            let known = (&self.inputs, self.snapshots.as_ref());
            self.opener.step(slot, &mut self.broker, known, now)?;
        }
        self.questions.take(&mut self.broker, self.slots.values_mut());
        let mut did = self.read(now)?;
        did |= self.close(now)?;
        self.questions.ask(&mut self.broker, self.slots.values(), &self.idle_rules, now);
        did |= self.commit_if_due(now)?;
        did |= self.step_snapshots(now);
        self.refresh_gauges(now);
        self.publisher.publish(self.slots.values(), self.identity.length, now);
        self.show(now);
        Ok(did)
    }

    /// Sleeps until something may have arrived.
    pub fn wait(&mut self, timeout: Duration) {
        self.broker.wait(timeout);
    }

    /// Commits what is closed, takes a last snapshot of each shard, and leaves the group.
    ///
    /// # Errors
    /// A loud stop.
    pub fn shut_down(mut self, now: Now) -> Result<(), Stop> {
        let result = if self.has_uncommitted() { self.commit(now).map(|_| ()) } else { Ok(()) };
        if result.is_ok() {
            self.take_last_snapshots();
        }
        self.broker.close();
        result
    }

    /// The broker, for tests.
    pub fn broker_mut(&mut self) -> &mut B {
        &mut self.broker
    }

    /// The shards, for tests and queries.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    fn has_uncommitted(&self) -> bool {
        self.slots.values().any(|slot| slot.has_moved)
    }

    fn serve_group(&mut self) -> Result<(), Stop> {
        let mut events = std::mem::take(&mut self.events);
        match self.broker.poll_group(&mut events) {
            Ok(()) | Err(SourceError::NotReady(_) | SourceError::Unavailable(_)) => {}
            Err(error) => return Err(Stop::from_source(error)),
        }
        for event in events.drain(..) {
            self.forget_snapshot();
            match event {
                GroupEvent::Revoked { lost } => self.revoke(lost),
                GroupEvent::Assigned(shards) => self.assign(&shards),
            }
        }
        self.events = events;
        Ok(())
    }

    fn revoke(&mut self, lost: bool) {
        info!(shards = self.slots.len(), lost, "the group took the shards back");
        // Not settled before the board is empty, and no shard that may be another's by now on it.
        self.health.set_worker(self.number, WorkerState::Joining);
        for number in self.slots.keys() {
            self.health.remove_shard(self.number, *number);
        }
        let before: Vec<ShardNo> = self.slots.keys().copied().collect();
        self.slots.retain(|_, slot| slot.phase.may_commit() && !slot.has_moved);
        if let Some(readers) = &mut self.readers {
            readers.retain(&self.slots, &before);
        }
        for slot in self.slots.values_mut() {
            slot.phase = Phase::Parked;
        }
    }

    fn assign(&mut self, shards: &[ShardNo]) {
        info!(shards = ?shards.iter().map(|shard| shard.get()).collect::<Vec<_>>(), "assigned");
        let before: Vec<ShardNo> = self.slots.keys().copied().collect();
        self.slots.retain(|number, _| shards.contains(number));
        if let Some(readers) = &mut self.readers {
            readers.retain(&self.slots, &before);
        }
        for number in shards {
            if let Some(slot) = self.slots.get_mut(number) {
                slot.phase = opening(matches!(slot.phase, Phase::Parked));
                slot.shown = None;
            } else {
                let slot = self.new_slot(*number);
                self.slots.insert(*number, slot);
            }
            // A settled worker with an empty board would look ready.
            self.health.set_shard(self.number, *number, ShardState::Assigned);
        }
        self.health.set_worker(self.number, WorkerState::Settled);
    }

    fn new_slot(&self, number: ShardNo) -> Slot {
        let from = [NextOffset::stated(0); 4];
        let metrics = ShardMetrics::new(&self.metrics, number);
        Slot::new(opening(false), self.opener.engine(number, from), from, metrics)
    }

    fn read(&mut self, now: Now) -> Result<bool, Stop> {
        let mut did = false;
        // With a slow clock every record would look as if it came from the future.
        let is_slow = self.clock_skew_ms.is_some_and(|skew| skew < -self.identity.length.ms());
        for slot in self.slots.values_mut() {
            if (is_slow && slot.phase.may_commit())
                || keeping::holds(self.snapshots.as_ref(), slot.number)
            {
                continue;
            }
            if !matches!(slot.phase, Phase::Restoring(_) | Phase::CatchingUp(_) | Phase::Live)
                || slot.outputs() >= OUTPUTS_PER_COMMIT
            {
                continue;
            }
            let read = slot.read(
                &mut self.broker,
                &mut self.intake,
                &self.read_rules,
                now,
                READ_PER_TURN,
            )?;
            did |= read > 0;
        }
        Ok(did)
    }

    /// Closes what can close, in each shard, and decides about silent partitions.
    fn close(&mut self, now: Now) -> Result<bool, Stop> {
        let may_decide = self.clock_is_good();
        let mut did = false;
        for slot in self.slots.values_mut() {
            match &slot.phase {
                Phase::Restoring(_) => restore::advance(slot, &mut self.broker, now)?,
                Phase::CatchingUp(stretch) => {
                    let ends = stretch.ends;
                    if slot.has_read_to(&mut self.broker, &ends) {
                        slot.phase = Phase::Live;
                        info!(shard = %slot.number, "caught up");
                    }
                }
                Phase::Opening(_) | Phase::Live | Phase::Parked => {}
            }
            if !slot.phase.may_commit() || keeping::holds(self.snapshots.as_ref(), slot.number) {
                continue;
            }
            did |= close_ready(slot, self.start)?;
            if may_decide && idle::decide(slot, &mut self.broker, &self.idle_rules, now) {
                close_ready(slot, self.start)?;
                did = true;
            }
        }
        Ok(did)
    }

    fn commit_if_due(&mut self, now: Now) -> Result<bool, Stop> {
        let mut interval_ms = self.commit_interval_ms;
        if self.slots.values().any(|slot| matches!(slot.phase, Phase::CatchingUp(_))) {
            // What is old may wait: an account has one status record in a transaction.
            interval_ms = interval_ms.max(CATCH_UP_COMMIT_MS.min(20 * interval_ms));
        }
        let is_due = now.mono_ms - self.committed_ms >= interval_ms
            || self.slots.values().any(|slot| slot.outputs() >= OUTPUTS_PER_COMMIT);
        if !is_due || !self.has_uncommitted() {
            return Ok(false);
        }
        self.commit(now)
    }

    fn commit(&mut self, now: Now) -> Result<bool, Stop> {
        let mut batch = Batch::default();
        for slot in self.slots.values_mut().filter(|slot| slot.has_moved) {
            assert!(slot.phase.may_commit(), "only a live shard has moved");
            let number = slot.progress + 1;
            batch::add(&mut batch, slot, number, &self.identity);
        }
        self.committed_ms = now.mono_ms;
        match self.broker.commit(&batch) {
            Ok(receipt) => {
                self.note_commit(receipt, now);
                Ok(true)
            }
            Err(error) => self.fail(&error, now),
        }
    }

    fn note_commit(&mut self, receipt: Receipt, now: Now) {
        self.metrics.transaction_committed(receipt.took);
        self.note_clock(now);
        for slot in self.slots.values_mut().filter(|slot| slot.has_moved) {
            observe::committed(slot, &self.metrics);
            if let Some(readers) = &mut self.readers {
                readers.committed(slot, self.identity.length);
            }
            let number = slot.progress + 1;
            slot.committed(number, self.broker.progress_offset(slot.number));
        }
    }

    /// Shows each change of a shard's phase at once, and all that is counted every now and then.
    fn refresh_gauges(&mut self, now: Now) {
        let is_due = now.mono_ms - self.gauges_ms >= GAUGES_MS;
        if is_due {
            self.gauges_ms = now.mono_ms;
        }
        for slot in self.slots.values_mut() {
            // A parked shard is not ours to speak of.
            if matches!(slot.phase, Phase::Parked) {
                continue;
            }
            let label = slot.phase.label();
            if is_due || slot.shown != Some(label) {
                slot.shown = Some(label);
                let state = slot.phase.shown(slot.positions(&mut self.broker), now.mono_ms);
                self.health.set_shard(self.number, slot.number, state);
            }
            if is_due {
                observe::refresh(slot, &mut self.broker, self.identity.length, now);
            }
        }
    }
}

fn opening(is_kept: bool) -> Phase {
    Phase::Opening(Box::new(Opening { is_kept, ..Opening::default() }))
}
