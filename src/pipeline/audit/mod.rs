//! The audit: everything computed again from the logs alone, and held against what is committed.
//!
//! ```text
//! inputs ──> the same engine ──> digests ──> compared with each progress record
//!                           └──> alerts ───> compared with the alerts topic, byte for byte
//! ```
//!
//! Of each shard the progress topic claims a last record: up to its positions the inputs are taken
//! in, with the recorded decisions, and nothing behind it is looked at. So an audit may run while
//! the service does. Invariants: records of one partition come in order, and between partitions in
//! any order; what is found does not depend on that. Absent on purpose: Kafka, clocks, and any
//! trust in the alerts topic or in a digest.

mod matching;

use std::collections::{BTreeMap, VecDeque};

use super::batch::alert_record;
use super::decisions::Recorded;
use super::intake::Intake;
use super::lifecycle::Check;
use super::ports::RawRecord;
use crate::domain::effects::{Digest, Effects};
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::shard::{AlertingStart, LimitReached, Shard, ShardConfig};
use crate::domain::time::{Boundary, RecordTime};
use crate::wire::input;
use crate::wire::progress::Progress;

pub use matching::Found;
use matching::Matching;

/// How many differences of a shard are kept with both their lines; more are counted.
pub const KEPT_DIFFERENCES: usize = 1_000;

/// What an audit is made with.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The shards' configuration; number, start and first offsets are set here.
    pub shard: ShardConfig,
    /// What records are held to.
    pub input: input::Limits,
}

/// What is claimed of a shard, and what to begin with.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Its last progress record.
    pub target: Progress,
    /// All recorded decisions.
    pub recorded: Recorded,
    /// A trusted state to begin with; the first record of the inputs without one.
    pub anchor: Option<Anchor>,
}

/// A state that is trusted, and the progress record of the same number that came with it.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// The state.
    pub shard: Shard,
    /// The record.
    pub progress: Progress,
}

impl Claim {
    /// Where the inputs are read from, in the order of [`Topic::ALL`].
    #[must_use]
    pub fn begins(&self) -> [NextOffset; 4] {
        let begins = self.anchor.as_ref().map_or(self.target.from, |anchor| {
            anchor.shard.positions().map(|position| position.next)
        });
        let behind = |topic: Topic| self.recorded.behind_gaps(topic, begins[topic.index()]);
        Topic::ALL.map(behind)
    }

    /// Where they are read to.
    #[must_use]
    pub fn ends(&self) -> [NextOffset; 4] {
        self.target.positions.map(|position| position.next)
    }
}

/// How something committed differs from what was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// An alert is not there.
    Missing,
    /// An alert is there that nothing gives, or a second time.
    Extra,
    /// An alert says something else.
    Different,
    /// A progress record says something else of the state.
    Progress,
}

impl DifferenceKind {
    /// The kind's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Different => "different",
            Self::Progress => "progress",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The shard, which is the partition of both topics.
    pub shard: ShardNo,
    /// How it differs.
    pub kind: DifferenceKind,
    /// The offset of what was found in its topic.
    pub offset: Option<Offset>,
    /// The number of the alert (`seq`) or of the progress record.
    pub number: Option<u64>,
    /// The alert's key: its seller.
    pub key: Option<String>,
    /// Which parts differ, where an alert says something else.
    pub parts: Vec<&'static str>,
    /// What was computed.
    pub expected: Option<String>,
    /// What is committed.
    pub found: Option<String>,
}

/// What an audit of one shard came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardReport {
    /// Records of the inputs taken in.
    pub records: u64,
    /// Progress records compared.
    pub progress: u64,
    /// Alerts that agree.
    pub alerts: u64,
    /// Alerts before the anchor, which are not computed again.
    pub before: u64,
    /// Alerts computed that the topic no longer keeps.
    pub dropped: u64,
    /// Alerts committed after the audit began.
    pub later: u64,
    /// The progress record that it began behind, if it did not begin with the first.
    pub anchor: Option<u64>,
    /// The progress record that it ended with.
    pub target: u64,
    /// The boundary of that record.
    pub boundary: Option<Boundary>,
    /// The differences, at most [`KEPT_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// How many there are.
    pub count: u64,
}

impl ShardReport {
    fn differs(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < KEPT_DIFFERENCES {
            self.differences.push(difference);
        }
    }
}

/// An audit under way.
#[derive(Debug)]
pub struct Audit {
    intake: Intake,
    shards: BTreeMap<ShardNo, ShardAudit>,
}

#[derive(Debug)]
struct ShardAudit {
    shard: Shard,
    recorded: Recorded,
    target: Progress,
    effects: Effects,
    states: VecDeque<State>,
    checks: VecDeque<(Offset, Check)>,
    alerts: Matching,
    report: ShardReport,
}

/// The state from a boundary on until the next one closes.
#[derive(Clone, Copy, Debug)]
struct State {
    boundary: Option<Boundary>,
    digest: Digest,
    seq: u64,
}

impl State {
    fn of(shard: &Shard) -> Self {
        Self { boundary: shard.closed(), digest: shard.digest(), seq: shard.seq() }
    }
}

impl Audit {
    /// Begins an audit of shards of which something is claimed.
    #[must_use]
    pub fn new(config: AuditConfig, claims: BTreeMap<ShardNo, Claim>) -> Self {
        let AuditConfig { shard, input } = config;
        let begin = |(number, claim)| (number, ShardAudit::new(&shard, number, claim));
        Self { intake: Intake::new(input), shards: claims.into_iter().map(begin).collect() }
    }

    /// Takes in a record of an input. Returns how far the record time of its partition is, in ms,
    /// by which the caller may keep partitions together.
    ///
    /// # Errors
    /// A limit of the shard is reached.
    pub fn input(
        &mut self,
        topic: Topic,
        number: ShardNo,
        record: &RawRecord<'_>,
    ) -> Result<Option<i64>, LimitReached> {
        let Some(of) = self.shards.get_mut(&number) else { return Ok(None) };
        of.take(&mut self.intake, topic, record)?;
        Ok(of.shard.inbox().watermark(topic).map(RecordTime::ms))
    }

    /// Takes in a progress record; they come in order.
    pub fn progress(&mut self, offset: Offset, record: &Progress) {
        let Some(of) = self.shards.get_mut(&record.shard) else { return };
        let begins = of.report.anchor.unwrap_or(0);
        if (begins..=of.target.number).contains(&record.number) {
            of.checks.push_back((offset, Check::of(record)));
            of.compare_states(false);
        }
    }

    /// Takes in an alert of the alerts topic.
    pub fn alert(&mut self, number: ShardNo, found: Found) {
        if let Some(of) = self.shards.get_mut(&number) {
            of.alerts.found(found, &mut of.report);
        }
    }

    /// Says that the alerts topic of a shard no longer has its first alerts.
    pub fn alerts_begin_later(&mut self, number: ShardNo) {
        if let Some(of) = self.shards.get_mut(&number) {
            of.alerts.begin_later();
        }
    }

    /// The shards whose last alerts were computed and not found, so that they may still come.
    pub fn awaited(&self) -> impl Iterator<Item = ShardNo> {
        let awaited = |(number, of): (&ShardNo, &ShardAudit)| of.alerts.awaits().then_some(*number);
        self.shards.iter().filter_map(awaited)
    }

    /// Closes what is left of the inputs, which have all been taken in.
    ///
    /// # Errors
    /// A limit of a shard is reached.
    pub fn end_inputs(&mut self) -> Result<(), LimitReached> {
        self.shards.values_mut().try_for_each(ShardAudit::end_inputs)
    }

    /// The alerts that were committed after the audit began: where they are, and their numbers.
    #[must_use]
    pub fn later(&self) -> BTreeMap<ShardNo, u64> {
        let later = |(number, of): (&ShardNo, &ShardAudit)| Some((*number, of.alerts.later()?));
        self.shards.iter().filter_map(later).collect()
    }

    /// Ends the audit. `committed` says up to which `seq` alerts are committed by now; later ones
    /// belong to nothing.
    #[must_use]
    pub fn finish(self, committed: &BTreeMap<ShardNo, u64>) -> BTreeMap<ShardNo, ShardReport> {
        let finish = |(number, mut of): (ShardNo, ShardAudit)| {
            of.compare_states(true);
            let upto = committed.get(&number).copied().unwrap_or(of.target.seq);
            of.alerts.finish(upto, &mut of.report);
            (number, of.report)
        };
        self.shards.into_iter().map(finish).collect()
    }
}

impl ShardAudit {
    fn new(config: &ShardConfig, number: ShardNo, claim: Claim) -> Self {
        let Claim { target, recorded, anchor } = claim;
        let begins_behind = anchor.as_ref().map(|anchor| anchor.progress.number);
        let mut shard = anchor.map_or_else(
            || {
                Shard::new(ShardConfig {
                    shard: number,
                    start: AlertingStart::Decided,
                    first: target.from,
                    ..config.clone()
                })
            },
            |anchor| anchor.shard,
        );
        if let Some(boundary) = recorded.alerts_from() {
            shard.start_alerting(boundary);
        }
        let report = ShardReport {
            anchor: begins_behind,
            target: target.number,
            boundary: target.boundary,
            ..ShardReport::default()
        };
        Self {
            states: VecDeque::from([State::of(&shard)]),
            alerts: Matching::new(number, (shard.seq(), target.seq)),
            effects: Effects::default(),
            checks: VecDeque::new(),
            shard,
            recorded,
            target,
            report,
        }
    }

    fn take(
        &mut self,
        intake: &mut Intake,
        topic: Topic,
        record: &RawRecord<'_>,
    ) -> Result<(), LimitReached> {
        let offset = record.offset;
        let is_committed = offset.next() <= self.target.positions[topic.index()].next;
        let is_new = offset.next() > self.shard.inbox().read_to(topic);
        if !is_committed || !is_new || self.recorded.is_lost(topic, offset) {
            return Ok(());
        }
        self.recorded.apply(&mut self.shard, topic, NextOffset::stated(offset.get()));
        let decided = self.recorded.time_of(topic, offset);
        let time = decided.or(record.timestamp_ms.map(RecordTime::from_ms));
        intake.take(&mut self.shard, topic, offset, time, record.value)?;
        self.report.records += 1;
        while let Some(next) = self.shard.next_closable()
            && self.target.boundary.is_some_and(|last| next <= last)
        {
            self.close(next)?;
        }
        Ok(())
    }

    fn end_inputs(&mut self) -> Result<(), LimitReached> {
        for topic in Topic::ALL {
            let next = self.target.positions[topic.index()].next;
            self.recorded.apply(&mut self.shard, topic, next);
        }
        while let Some(next) = self.shard.next_effect()
            && self.target.boundary.is_some_and(|last| next <= last)
        {
            self.close(next)?;
        }
        Ok(())
    }

    fn close(&mut self, boundary: Boundary) -> Result<(), LimitReached> {
        self.shard.close(boundary, &mut self.effects)?;
        for alert in &self.effects.alerts {
            let record = alert_record(alert, self.shard.number());
            self.alerts.expect(alert.seq, record, &mut self.report);
        }
        self.effects.clear();
        self.shard.skip_statuses();
        self.states.push_back(State::of(&self.shard));
        self.compare_states(false);
        Ok(())
    }

    /// Compares progress records with the states that held at their boundaries. A boundary that
    /// only a decision closed may be closed here and not there, or the reverse: it changes nothing.
    fn compare_states(&mut self, is_over: bool) {
        while let Some((offset, check)) = self.checks.front().copied() {
            while self.states.get(1).is_some_and(|next| next.boundary <= check.boundary) {
                self.states.pop_front();
            }
            if self.states.len() < 2 && !is_over {
                return;
            }
            self.checks.pop_front();
            self.report.progress += 1;
            let state = self.states[0];
            let agrees = (state.digest, state.seq) == (check.digest, check.seq);
            let is_target = check.number == self.target.number;
            if agrees && !(is_target && is_over && !self.is_at_target()) {
                continue;
            }
            let told = |digest: Digest, seq: u64| format!("digest {:032x}, seq {seq}", digest.0);
            self.report.differs(Difference {
                shard: self.shard.number(),
                kind: DifferenceKind::Progress,
                offset: Some(offset),
                number: Some(check.number),
                key: None,
                parts: if agrees { vec!["positions"] } else { vec!["digest"] },
                expected: Some(told(state.digest, state.seq)),
                found: Some(told(check.digest, check.seq)),
            });
        }
    }

    /// Whether the state is where the last record says.
    fn is_at_target(&self) -> bool {
        let reached = self.shard.positions().map(|position| (position.next, position.watermark));
        let stated = self.target.positions.map(|position| (position.next, position.watermark));
        reached == stated && self.shard.closed() == self.target.boundary
    }
}
