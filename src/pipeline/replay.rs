//! A bounded replay: records up to an end, recorded decisions, and the files that come out.
//!
//! Invariants: the outputs depend on the records and decisions alone, not on how the partitions
//! interleave on the way in; every record read ends in one outcome or is pending.

use std::collections::BTreeMap;

use crate::advice::Terms;
use crate::domain::effects::{DeadLetter, Effects, Outcomes};
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::shard::{AlertingStart, LimitReached, Limits, Shard, ShardConfig};
use crate::domain::time::{Boundary, RecordTime};
use crate::wire::decision::DecisionLine;
use crate::wire::{advice as wire_advice, alert, dead_letter, input, outcomes, totals};

use super::advice::{AdviceRules, WaitingQuotes};
use super::decisions::Recorded;
use super::intake::{Intake, Taken};
use super::ports::OutRecord;
use super::summary::Summary;

/// The last instant that a record of a replay may have, in ms: the end of the year 9999. Time
/// passes day by day, so that a later one, or one before 1970, would take for ever.
pub const LAST_MS: i64 = 253_402_300_799_999;

/// What a replay is made with.
#[derive(Clone, Debug)]
pub struct ReplayConfig {
    /// The shards' configuration; number, start and first offsets are set by the replay.
    pub shard: ShardConfig,
    /// What records are held to; its `partitions` is the partition count.
    pub input: input::Limits,
    /// What advice is made by; none makes none.
    pub advice: Option<AdviceRules>,
    /// Close the boundaries up to this instant (ms) instead of up to the last record's.
    pub until_ms: Option<i64>,
    /// Whether the configuration says `alerts_from: live`, which needs recorded decisions here.
    pub needs_recorded_start: bool,
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A limit of a shard is reached.
    #[error("shard {shard} reached the limit {key} = {limit}; set a larger one")]
    Limit {
        /// The shard.
        shard: ShardNo,
        /// The configuration key.
        key: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Records of one partition are not in the order of their offsets.
    #[error(
        "{topic}-{partition}: offset {offset} comes after offset {after}; give the records of a \
         partition in the order of their offsets, each once"
    )]
    OutOfOrder {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: ShardNo,
        /// The offset that was read.
        offset: Offset,
        /// The next offset that was expected at least.
        after: NextOffset,
    },
    /// A time that no clock has shown.
    #[error(
        "{topic}-{partition}: the record at offset {offset} has the time {ms} ms, which is not \
         within the years 1970 to 9999; a recorded decision can give it another one"
    )]
    NoSuchTime {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: ShardNo,
        /// The offset.
        offset: Offset,
        /// The time.
        ms: i64,
    },
    /// A partition beyond the stated count.
    #[error(
        "{topic}-{partition}: the topics have {partitions} partitions, as --partitions says; \
         give a larger number"
    )]
    NoSuchPartition {
        /// The topic.
        topic: &'static str,
        /// The partition.
        partition: ShardNo,
        /// The partition count.
        partitions: u32,
    },
    /// `alerts_from: live` without a recorded start.
    #[error(
        "alerts_from is live, and no decision records where shard {shard} began to alert: give \
         the recorded decisions, or set alerts_from to earliest or to a time"
    )]
    NoRecordedStart {
        /// The shard.
        shard: ShardNo,
    },
}

/// The contents of the files, and the counts behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// `alerts.jsonl`
    pub alerts: Vec<u8>,
    /// `advice.jsonl`
    pub advice: Vec<u8>,
    /// `totals.jsonl`
    pub totals: Vec<u8>,
    /// `dead.jsonl`
    pub dead: Vec<u8>,
    /// `outcomes.json`
    pub outcomes: Vec<u8>,
    /// The outcomes, counted.
    pub counts: Outcomes,
    /// Records that wait beyond the end, by topic.
    pub pending: [u64; 4],
    /// What it comes to.
    pub summary: Summary,
}

struct ReplayShard {
    shard: Shard,
    recorded: Recorded,
    effects: Effects,
    alerts: Vec<u8>,
    advice: Vec<u8>,
    quotes: WaitingQuotes,
    summary: Summary,
    dead: Vec<DeadLetter>,
    outcomes: Outcomes,
    /// The boundaries of the first and the last record that has one.
    records: Option<(Boundary, Boundary)>,
}

/// A replay under way.
pub struct Replay {
    config: ReplayConfig,
    intake: Intake,
    decisions: Vec<DecisionLine>,
    shards: BTreeMap<ShardNo, ReplayShard>,
    until: Option<Boundary>,
    last: Option<Boundary>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Replay").field("shards", &self.shards.len()).finish_non_exhaustive()
    }
}

impl Replay {
    /// Begins a replay with the recorded decisions, in the order in which they were taken.
    #[must_use]
    pub fn new(config: ReplayConfig, decisions: Vec<DecisionLine>) -> Self {
        let length = config.shard.length;
        let until = config.until_ms.map(|ms| Boundary::from_number(ms.div_euclid(length.ms())));
        let intake = Intake::reading(config.input, config.advice, &config.shard.policy);
        Self { config, intake, decisions, shards: BTreeMap::new(), until, last: None }
    }

    /// Takes in a record. Records of one partition come in the order of their offsets.
    ///
    /// # Errors
    /// As [`ReplayError`] says.
    pub fn push(
        &mut self,
        topic: Topic,
        partition: ShardNo,
        offset: Offset,
        timestamp_ms: Option<i64>,
        value: Option<&[u8]>,
    ) -> Result<(), ReplayError> {
        let terms = self.config.advice.unwrap_or_default().terms;
        let partitions = self.config.input.partitions;
        if partition.get() >= partitions {
            let topic = topic.as_str();
            return Err(ReplayError::NoSuchPartition { topic, partition, partitions });
        }
        if !self.shards.contains_key(&partition) {
            let shard = self.open(partition)?;
            self.shards.insert(partition, shard);
        }
        let of = self.shards.get_mut(&partition).expect("just opened");
        let after = of.shard.inbox().read_to(topic);
        if offset.next() <= after {
            let topic = topic.as_str();
            return Err(ReplayError::OutOfOrder { topic, partition, offset, after });
        }
        if of.recorded.is_lost(topic, offset) {
            return Ok(());
        }
        of.recorded.apply(&mut of.shard, topic, NextOffset::stated(offset.get()));
        let decided = of.recorded.time_of(topic, offset);
        let time = decided.or(timestamp_ms.map(RecordTime::from_ms));
        if let Some(ms) = time.map(RecordTime::ms).filter(|ms| !(0..=LAST_MS).contains(ms)) {
            let topic = topic.as_str();
            return Err(ReplayError::NoSuchTime { topic, partition, offset, ms });
        }
        let taken = self.intake.take(&mut of.shard, topic, offset, time, value);
        match taken.map_err(|reached| limit(partition, reached))? {
            Taken::Quoted(value) => of.quotes.keep(offset, value),
            Taken::Waits | Taken::Dead(_) => {}
        }
        if let Some(watermark) = of.shard.inbox().watermark(topic) {
            let boundary = Boundary::of_watermark(watermark, self.config.shard.length);
            let first = of.records.map_or(boundary, |(first, _)| first.min(boundary));
            let last = of.records.map_or(boundary, |(_, last)| last.max(boundary));
            of.records = Some((first, last));
        }
        while let Some(boundary) = of
            .shard
            .next_closable()
            .filter(|boundary| self.until.is_none_or(|until| *boundary <= until))
        {
            of.shard
                .close(boundary, &mut of.effects)
                .map_err(|reached| limit(partition, reached))?;
            of.collect(&terms);
        }
        Ok(())
    }

    /// Records that wait for their boundary, in all shards.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shards.values().map(|of| of.shard.inbox().waiting_records()).sum()
    }

    fn open(&self, partition: ShardNo) -> Result<ReplayShard, ReplayError> {
        let mut recorded = Recorded::default();
        recorded.extend(partition, &self.decisions);
        let start = match recorded.alerts_from() {
            Some(_) => AlertingStart::Decided,
            None if self.config.needs_recorded_start => {
                return Err(ReplayError::NoRecordedStart { shard: partition });
            }
            None => self.config.shard.start,
        };
        let mut shard = Shard::new(ShardConfig {
            shard: partition,
            start,
            matters: self.config.advice.is_some(),
            limits: Limits { ..self.config.shard.limits },
            first: [NextOffset::stated(0); 4],
            ..self.config.shard.clone()
        });
        if let Some(boundary) = recorded.alerts_from() {
            shard.start_alerting(boundary);
        }
        Ok(ReplayShard {
            shard,
            recorded,
            effects: Effects::default(),
            alerts: Vec::new(),
            advice: Vec::new(),
            quotes: WaitingQuotes::default(),
            summary: Summary::default(),
            dead: Vec::new(),
            outcomes: Outcomes::default(),
            records: None,
        })
    }

    /// Ends the replay: all partitions are finished, and boundaries close up to the end.
    ///
    /// # Errors
    /// As [`ReplayError`] says.
    pub fn finish(mut self) -> Result<Output, ReplayError> {
        let last = self.last_boundary();
        self.last = last;
        let first = self.first_boundary();
        let terms = self.config.advice.unwrap_or_default().terms;
        for (partition, of) in &mut self.shards {
            for topic in Topic::ALL {
                of.recorded.apply_rest(&mut of.shard, topic);
                of.shard.finish(topic);
            }
            let Some(last) = last else { continue };
            of.end(first, last, &terms).map_err(|reached| limit(*partition, reached))?;
        }
        Ok(self.output())
    }

    /// The first boundary of any record or closing decision.
    fn first_boundary(&self) -> Option<Boundary> {
        self.shards
            .values()
            .flat_map(|of| [of.records.map(|(first, _)| first), of.recorded.first_closing()])
            .flatten()
            .min()
    }

    /// The boundary that the replay ends with; `None` if no record has any time.
    fn last_boundary(&self) -> Option<Boundary> {
        if self.until.is_some() {
            return self.until;
        }
        // Also of shards that have no record at all.
        let closings = self.decisions.iter().filter_map(|decision| match decision {
            DecisionLine::Closing { boundary, .. } => Some(*boundary),
            DecisionLine::RecordTime { .. }
            | DecisionLine::AlertsFrom { .. }
            | DecisionLine::Gap { .. } => None,
        });
        let records = self.shards.values().filter_map(|of| of.records.map(|(_, last)| last));
        records.chain(closings).max()
    }

    fn output(self) -> Output {
        let mut output = Output::default();
        output.summary.last = self.last;
        let mut dead: Vec<(Topic, ShardNo, DeadLetter)> = Vec::new();
        for (partition, of) in &self.shards {
            output.alerts.extend_from_slice(&of.alerts);
            output.advice.extend_from_slice(&of.advice);
            output.summary.add(&of.summary, &of.shard);
            for total in of.shard.totals() {
                totals::write_line(&total, &mut output.totals);
            }
            dead.extend(of.dead.iter().map(|letter| (letter.topic, *partition, *letter)));
            output.counts.add(&of.outcomes);
            for (sum, waiting) in output.pending.iter_mut().zip(of.shard.pending()) {
                *sum += u64::try_from(waiting).expect("usize has at most 64 bits");
            }
        }
        dead.sort_by_key(|(topic, partition, letter)| (*topic, *partition, letter.offset));
        for (_, partition, letter) in &dead {
            dead_letter::write_line(letter, *partition, &mut output.dead);
        }
        outcomes::write_file(&output.counts, output.pending, &mut output.outcomes);
        output
    }
}

impl ReplayShard {
    /// Closes what is left up to the last boundary of the replay. Records without a time, in a
    /// shard that has none with one, end with the first boundary of any shard.
    fn end(
        &mut self,
        first: Option<Boundary>,
        last: Boundary,
        terms: &Terms,
    ) -> Result<(), LimitReached> {
        let is_untimed = self.shard.closed().is_none()
            && self.shard.inbox().has_unplaced()
            && self.shard.next_effect().is_none();
        let first = self.recorded.first_closing().or(first);
        if let Some(first) = first.filter(|first| is_untimed && *first <= last) {
            self.shard.close(first, &mut self.effects)?;
        }
        while let Some(next) = self.shard.next_effect().filter(|next| *next <= last) {
            self.shard.close(next, &mut self.effects)?;
            self.collect(terms);
        }
        self.collect(terms);
        Ok(())
    }

    /// Moves the effects of closed boundaries into the outputs.
    fn collect(&mut self, terms: &Terms) {
        for raised in &self.effects.alerts {
            alert::write_value(raised, self.shard.number(), &mut self.alerts);
            self.alerts.push(b'\n');
        }
        self.summary.count(self.shard.number(), &self.effects.alerts);
        self.collect_advice(terms);
        self.dead.append(&mut self.effects.dead);
        self.outcomes.add(&self.effects.outcomes);
        self.effects.clear();
    }

    /// One line for each advice record: its key and its value, which is null for a tombstone.
    fn collect_advice(&mut self, terms: &Terms) {
        let shard = self.shard.number();
        for told in self.effects.told() {
            if let Some(record) = self.quotes.record_of(told, terms, shard) {
                write_advice(&record, &mut self.advice);
            }
        }
        self.quotes.forget_before(self.shard.positions()[Topic::Feedback.index()].next);
    }
}

fn write_advice(record: &OutRecord, out: &mut Vec<u8>) {
    let key = record.key.as_deref().unwrap_or_default();
    wire_advice::write_line(key, record.value.as_deref(), out);
}

fn limit(shard: ShardNo, reached: LimitReached) -> ReplayError {
    ReplayError::Limit { shard, key: reached.key, limit: reached.limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;
    use crate::domain::time::BoundaryLength;
    use crate::wire::partition::Partitioner;

    /// A shard's only record has no time; another shard's first boundary ends at 10 s.
    fn outcomes(until_ms: Option<i64>) -> String {
        let config = ReplayConfig {
            shard: ShardConfig {
                shard: ShardNo::new(0),
                policy: Policy::default(),
                length: BoundaryLength::from_ms(5000).unwrap(),
                future_days: 3,
                limits: Limits::default(),
                start: AlertingStart::Earliest,
                statuses: false,
                matters: true,
                hash_seed: 1,
                first: [NextOffset::stated(0); 4],
            },
            input: input::Limits {
                partitioner: Partitioner::Off,
                ..input::Limits::with_partitions(2)
            },
            advice: None,
            until_ms,
            needs_recorded_start: false,
        };
        let mut replay = Replay::new(config, Vec::new());
        let (first, second) = (ShardNo::new(0), ShardNo::new(1));
        replay.push(Topic::Orders, first, Offset::new(0), None, Some(b"x")).unwrap();
        replay.push(Topic::Orders, second, Offset::new(0), Some(7000), None).unwrap();
        let output = replay.finish().unwrap();
        String::from_utf8(output.outcomes).unwrap()
    }

    #[test]
    fn records_without_any_time_end_with_the_first_boundary_or_are_pending_before_it() {
        assert!(outcomes(None).contains(r#""orders":{"tombstone":1,"dead":1}"#));
        assert!(outcomes(Some(10_000)).contains(r#""orders":{"tombstone":1,"dead":1}"#));
        assert!(outcomes(Some(9_999)).contains(r#""orders":{"pending":2}"#));
    }
}
