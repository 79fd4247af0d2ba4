//! One shard as a worker holds it: the engine, its bytes of dead letters, what is not committed.
//!
//! Invariants:
//! - A record is decoded once; the bytes of a dead letter wait beside the shard until its boundary
//!   closes, in the order in which the shard will name them.
//! - Reading follows record time: the partition with the lowest watermark is read next, and it is
//!   waited for unless it is at the end of its log.

use std::collections::VecDeque;

use super::advice::WaitingQuotes;
use super::breaker::Breaker;
use super::decisions::{Recorded, is_covered};
use super::idle::Quiet;
use super::intake::{Intake, Taken};
use super::lifecycle::Phase;
use super::loss;
use super::marks::Marks;
use super::ports::{Broker, Header, InputPartition, RawRecord, SourceError};
use super::snapshots::Kept;
use super::stop::Stop;
use crate::domain::effects::Effects;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::shard::Shard;
use crate::domain::time::{Boundary, BoundaryLength, RecordTime};
use crate::telemetry::labels::{ShardPhase, StopReason};
use crate::telemetry::shard_metrics::ShardMetrics;
use crate::wire::decision::DecisionLine;
use crate::wire::identity::TopicId;
use crate::wire::input::DeadLetterCause;

/// The most records that are read from one partition before the lowest watermark is looked for
/// again: it bounds how far the partitions run apart.
const READ_BATCH: usize = 100;

/// Decisions that wait for a commit, above which one is made for them: a progress record holds
/// them all.
const FRESH_DECISIONS: usize = 4096;

/// Bytes of waiting dead letters and quotes above which only the partition that holds the shard
/// back is read.
const DEAD_BYTES_HELD: usize = 64 << 20;

/// Two readings of the clock, taken at the top of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Ms since the epoch.
    pub wall_ms: i64,
    /// Ms of a clock that never goes back.
    pub mono_ms: i64,
}

/// The bytes of a record that will be a dead letter.
#[derive(Clone, Debug)]
pub struct DeadRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its own timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its headers.
    pub headers: Vec<Header>,
    /// Why it is dead.
    pub cause: DeadLetterCause,
}

/// What all shards of a worker have in common when they read.
#[derive(Clone, Copy, Debug)]
pub struct ReadRules {
    /// How far a timestamp may be ahead of the clock.
    pub max_clock_ahead_ms: i64,
    /// The share of dead letters that breaks; 0 is off.
    pub breaker_percent: u32,
    /// Records that may wait before only what holds the shard back is read.
    pub pending_soft: usize,
}

/// A shard in a worker.
pub struct Slot {
    /// Its number.
    pub number: ShardNo,
    /// Where it is in its life.
    pub phase: Phase,
    /// The engine.
    pub shard: Shard,
    /// Decisions still to be applied by a restore.
    pub recorded: Recorded,
    /// Where its history begins.
    pub from: [NextOffset; 4],
    /// The number of its last committed progress record.
    pub progress: u64,
    /// Effects that are not committed.
    pub effects: Effects,
    /// Decisions that are not committed.
    pub fresh: Vec<DecisionLine>,
    /// Whether a boundary was closed or a decision taken since the last commit.
    pub has_moved: bool,
    /// Since when each partition is quiet, and what its leader said.
    pub quiet: [Quiet; 4],
    /// Marks on what was read.
    pub marks: Marks,
    /// The ids of the input topics, in the order of [`Topic::ALL`], as they were on opening.
    pub topics: [Option<TopicId>; 4],
    /// How many partitions each input topic had then.
    pub partitions: u32,
    /// Records read since the slot was opened.
    pub read: u64,
    /// Where it stands with its snapshots; none before it may have any.
    pub kept: Option<Kept>,
    /// The offset of its last committed progress record, where known.
    pub progress_at: Option<Offset>,
    /// Committed decisions about what lies behind the closed positions.
    open: Vec<DecisionLine>,
    /// What is to be written of comments whose boundary is not committed.
    pub quotes: WaitingQuotes,
    /// Its metrics.
    pub metrics: ShardMetrics,
    /// The phase that the health board has; none while it has not.
    pub shown: Option<ShardPhase>,
    /// When its accounts were last counted for metrics, in ms of the monotonic clock.
    pub counted_ms: i64,
    dead: [VecDeque<DeadRecord>; 4],
    dead_bytes: usize,
    breakers: [Breaker; 4],
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Slot")
            .field("number", &self.number)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Slot {
    /// A slot for an engine that begins at `from`.
    #[must_use]
    pub fn new(phase: Phase, shard: Shard, from: [NextOffset; 4], metrics: ShardMetrics) -> Self {
        Self {
            number: shard.number(),
            phase,
            shard,
            recorded: Recorded::default(),
            from,
            progress: 0,
            effects: Effects::default(),
            fresh: Vec::new(),
            has_moved: false,
            quiet: [Quiet::default(); 4],
            marks: Marks::default(),
            topics: [None; 4],
            partitions: 0,
            read: 0,
            kept: None,
            progress_at: None,
            open: Vec::new(),
            quotes: WaitingQuotes::default(),
            metrics,
            shown: None,
            counted_ms: i64::MIN / 2,
            dead: Default::default(),
            dead_bytes: 0,
            breakers: Default::default(),
        }
    }

    /// Begins anew with another engine: nothing of what was read or decided before stays.
    pub fn start_over(&mut self, shard: Shard, from: [NextOffset; 4], progress: u64) {
        self.shard = shard;
        self.recorded = Recorded::default();
        self.from = from;
        self.progress = progress;
        self.effects.clear();
        self.fresh.clear();
        self.has_moved = false;
        self.quiet = Default::default();
        self.marks = Marks::default();
        self.read = 0;
        self.kept = None;
        self.progress_at = None;
        self.open.clear();
        self.quotes = WaitingQuotes::default();
        self.dead = Default::default();
        self.dead_bytes = 0;
        self.breakers = Default::default();
    }

    /// The input partition of a topic.
    #[must_use]
    pub const fn partition(&self, topic: Topic) -> InputPartition {
        InputPartition { topic, shard: self.number }
    }

    /// Reads at most `budget` records that have arrived, in record-time order; returns how many.
    ///
    /// # Errors
    /// As [`Stop`] says.
    pub fn read<B: Broker>(
        &mut self,
        broker: &mut B,
        intake: &mut Intake,
        rules: &ReadRules,
        now: Now,
        budget: usize,
    ) -> Result<usize, Stop> {
        if !self.recorded.is_applied() {
            self.apply_recorded(broker);
        }
        let mut total = 0;
        while total < budget {
            if self.fresh.len() >= FRESH_DECISIONS {
                // A producer's clock is ahead: its decisions are committed by themselves.
                self.has_moved = true;
                break;
            }
            let read = self.read_lowest(broker, intake, rules, now, budget - total)?;
            if read == 0 {
                break;
            }
            total += read;
            // What can close does so at once: pending records stay few.
            if self.shard.next_closable().is_some() && total >= READ_BATCH * 4 {
                break;
            }
        }
        Ok(total)
    }

    /// Applies recorded decisions at positions that were reached without a record behind them.
    fn apply_recorded<B: Broker>(&mut self, broker: &mut B) {
        for topic in Topic::ALL {
            let read_to = self.shard.inbox().read_to(topic);
            let mut position = broker.position(self.partition(topic)).unwrap_or(read_to);
            if let Phase::Restoring(restoring) = &self.phase {
                // What was read behind the target is read again when live, and so are decisions.
                position = position.min(restoring.target.positions[topic.index()].next);
            }
            self.recorded.apply(&mut self.shard, topic, position.max(read_to));
        }
    }

    /// Reads one batch from the partition with the lowest watermark that has any.
    fn read_lowest<B: Broker>(
        &mut self,
        broker: &mut B,
        intake: &mut Intake,
        rules: &ReadRules,
        now: Now,
        budget: usize,
    ) -> Result<usize, Stop> {
        let mut topics = Topic::ALL;
        topics.sort_by_key(|topic| self.shard.inbox().watermark(*topic));
        let is_full = self.shard.inbox().waiting_records() > rules.pending_soft
            || self.dead_bytes + self.quotes.bytes() > DEAD_BYTES_HELD;
        let holds_back = self.shard.next_effect();
        for topic in topics {
            if is_full && holds_back.is_some_and(|next| self.shard.inbox().has_reached(topic, next))
            {
                continue;
            }
            if self.is_restored(broker, topic) {
                continue;
            }
            let read =
                self.read_batch(broker, intake, rules, now, (topic, budget.min(READ_BATCH)))?;
            if read > 0 {
                self.quiet[topic.index()].heard(now.mono_ms);
                return Ok(read);
            }
            if !broker.is_at_log_end(self.partition(topic)) {
                return Ok(0);
            }
        }
        Ok(0)
    }

    /// Whether a restore has read a partition up to its target.
    pub fn is_restored<B: Broker>(&self, broker: &mut B, topic: Topic) -> bool {
        let Phase::Restoring(restoring) = &self.phase else { return false };
        let end = restoring.target.positions[topic.index()].next;
        if self.marks.expected(topic).is_some() {
            // The marked record is read, also where nothing else is.
            return broker.position(self.partition(topic)).is_some_and(|position| position >= end);
        }
        self.read_through(broker, topic) >= end
    }

    /// Whether reading has come to an offset in each partition, in the order of the topics.
    pub fn has_read_to<B: Broker>(&self, broker: &mut B, ends: &[NextOffset; 4]) -> bool {
        self.positions(broker).iter().zip(ends).all(|(position, end)| position >= end)
    }

    /// To where each partition was read, in the order of the topics.
    pub fn positions<B: Broker>(&self, broker: &mut B) -> [NextOffset; 4] {
        Topic::ALL.map(|topic| self.read_through(broker, topic))
    }

    /// To where a partition was read; what no reader is shown (marks of transactions, aborted
    /// records) is read where it was passed.
    fn read_through<B: Broker>(&self, broker: &mut B, topic: Topic) -> NextOffset {
        let read_to = self.shard.inbox().read_to(topic);
        broker.position(self.partition(topic)).map_or(read_to, |at| at.max(read_to))
    }

    /// Records between where each partition was read to and its end, as far as ends are known.
    pub fn records_left<B: Broker>(&self, broker: &mut B) -> [Option<u64>; 4] {
        let positions = self.positions(broker);
        Topic::ALL.map(|topic| {
            let end = broker.known_end(self.partition(topic))?;
            Some(u64::try_from(end.get() - positions[topic.index()].get()).unwrap_or(0))
        })
    }

    /// How far the last boundary is behind the clock, in ms, and the topic that holds the next one
    /// back; none before the first. A boundary without effect need not close: on a quiet shard
    /// nothing lags.
    pub fn boundary_lag(&self, length: BoundaryLength, now: Now) -> Option<(i64, Topic)> {
        let closed = self.shard.closed()?;
        let is_due = |next: Boundary| next.ms(length) <= now.wall_ms;
        let lags = self.shard.next_effect().is_some_and(is_due);
        let lag_ms = if lags { now.wall_ms - closed.ms(length) } else { 0 };
        Some((lag_ms, self.holder()))
    }

    /// The topic with the lowest watermark.
    pub fn holder(&self) -> Topic {
        let inbox = self.shard.inbox();
        let lowest = Topic::ALL.into_iter().min_by_key(|topic| inbox.watermark(*topic));
        lowest.expect("there are four topics")
    }

    fn read_batch<B: Broker>(
        &mut self,
        broker: &mut B,
        intake: &mut Intake,
        rules: &ReadRules,
        now: Now,
        (topic, max): (Topic, usize),
    ) -> Result<usize, Stop> {
        let partition = self.partition(topic);
        let (mut stopped, mut is_first) = (None, true);
        let read = broker.read(partition, max, &mut |record| {
            if stopped.is_none() {
                stopped = if self.marks.see(topic, &record, is_first) {
                    self.take(intake, rules, now, topic, &record).err()
                } else {
                    Some(loss::another_log(self, topic))
                };
            }
            is_first = false;
        });
        if let Some(stop) = stopped {
            return Err(stop);
        }
        match read {
            Ok(read) => Ok(read),
            Err(SourceError::NotReady(_) | SourceError::Unavailable(_)) => Ok(0),
            Err(SourceError::Lost(words)) => loss::diagnose(self, broker, topic, words).map(|()| 0),
            Err(error) => Err(Stop::from_source(error)),
        }
    }

    fn take(
        &mut self,
        intake: &mut Intake,
        rules: &ReadRules,
        now: Now,
        topic: Topic,
        record: &RawRecord<'_>,
    ) -> Result<(), Stop> {
        let offset = record.offset;
        let is_live = self.phase.may_commit();
        if let Phase::Restoring(restoring) = &self.phase
            && (offset.next() > restoring.target.positions[topic.index()].next
                || offset.next() <= self.shard.inbox().read_to(topic))
        {
            // Behind the target: read again when live. Before the state: read for its mark alone.
            return Ok(());
        }
        self.recorded.apply(&mut self.shard, topic, NextOffset::stated(offset.get()));
        let time = match self.recorded.time_of(topic, offset) {
            None if is_live => self.time_of(rules, now, topic, record),
            None => record.timestamp_ms.map(RecordTime::from_ms),
            decided => decided,
        };
        self.read += 1;
        let taken = intake
            .take(&mut self.shard, topic, offset, time, record.value)
            .map_err(|reached| Stop::limit(self.number, reached))?;
        if !is_live {
            return Ok(());
        }
        let dead = match taken {
            Taken::Waits => None,
            Taken::Quoted(value) => {
                self.quotes.keep(offset, value);
                None
            }
            Taken::Dead(cause) => {
                self.keep_dead(topic, record, cause);
                Some(cause.reason())
            }
        };
        let breaker = &mut self.breakers[topic.index()];
        match dead {
            Some(reason) if breaker.note(dead, rules.breaker_percent) => {
                let words = breaker.message(topic, self.number, offset, reason);
                Err(Stop::new(StopReason::DeadLetters, words))
            }
            Some(_) => Ok(()),
            None => {
                breaker.note(None, rules.breaker_percent);
                Ok(())
            }
        }
    }

    /// The record time at first read: the record's own, or the clock's if it is too far ahead.
    fn time_of(
        &mut self,
        rules: &ReadRules,
        now: Now,
        topic: Topic,
        record: &RawRecord<'_>,
    ) -> Option<RecordTime> {
        let own = record.timestamp_ms?;
        if own <= now.wall_ms.saturating_add(rules.max_clock_ahead_ms) {
            return Some(RecordTime::from_ms(own));
        }
        let record_time = RecordTime::from_ms(now.wall_ms);
        let (partition, offset) = (self.number, record.offset);
        self.fresh.push(DecisionLine::RecordTime { topic, partition, offset, record_time });
        Some(record_time)
    }

    fn keep_dead(&mut self, topic: Topic, record: &RawRecord<'_>, cause: DeadLetterCause) {
        let value = record.value.unwrap_or_default().to_vec();
        self.dead_bytes += value.len();
        self.dead[topic.index()].push_back(DeadRecord {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value,
            headers: record.headers.to_vec(),
            cause,
        });
    }

    /// The bytes of the next dead letter of a topic, which the shard just named.
    pub fn next_dead(&mut self, topic: Topic, offset: Offset) -> DeadRecord {
        let record = self.dead[topic.index()].pop_front();
        let record = record.expect("a dead letter's bytes wait until its boundary closes");
        assert_eq!(record.offset, offset, "dead letters are named in the order of their offsets");
        self.dead_bytes -= record.value.len();
        record
    }

    /// Records that what is not committed makes to be written, at most.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.effects.outputs() + self.shard.due_statuses()
    }

    /// Forgets what is not committed after a commit made it so.
    pub fn committed(&mut self, progress: u64, at: Option<Offset>) {
        self.progress = progress;
        self.progress_at = at;
        self.effects.clear();
        self.marks.committed(&self.shard.positions());
        self.open.append(&mut self.fresh);
        if !self.open.is_empty() {
            let (positions, length) = (self.shard.positions(), self.shard.length());
            self.open.retain(|decision| !is_covered(decision, &positions, length));
        }
        self.has_moved = false;
    }

    /// The committed decisions that a restart at the closed positions needs.
    #[must_use]
    pub fn open_decisions(&self) -> Vec<DecisionLine> {
        let (positions, length) = (self.shard.positions(), self.shard.length());
        let mut decisions = self.recorded.behind(self.number, &positions);
        let is_known = |line: &DecisionLine| {
            matches!(line, DecisionLine::Gap { .. }) && decisions.contains(line)
        };
        let mut more: Vec<DecisionLine> = self.open.clone();
        more.retain(|line| !is_known(line));
        decisions.append(&mut more);
        decisions.retain(|decision| !is_covered(decision, &positions, length));
        decisions
    }
}
