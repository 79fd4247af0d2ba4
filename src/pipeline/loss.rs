//! What became of records that a shard needs and its log does not have: a gap, a cut, another log.
//!
//! ```text
//!   lost to retention                          still there
//!   |----- needed to restore ----|--- to come -|---------------
//!   begins                       target        start           end
//! ```
//!
//! Invariant: nothing is gone on behind unless it is in a recorded gap. Absent on purpose: any
//! guess at what the lost records said.

use tracing::warn;

use super::decisions::Recorded;
use super::inputs::{refuse_another, refuse_count};
use super::ports::{Broker, SourceError};
use super::restore::wait_out;
use super::slot::Slot;
use super::snapshots::Search;
use super::stop::Stop;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::telemetry::labels::StopReason;
use crate::wire::decision::DecisionLine;
use crate::wire::progress::Progress;

/// Where a restore begins, and what must be there.
pub(super) struct Needed<'a> {
    /// Where the snapshot ends, or the history begins.
    pub(super) begins: [NextOffset; 4],
    /// Where the restore ends.
    pub(super) target: &'a Progress,
    /// First and last stable offset of each partition.
    pub(super) bounds: [(NextOffset, NextOffset); 4],
    /// The gaps that were accepted before.
    pub(super) recorded: &'a Recorded,
    /// How the search for snapshots ended.
    pub(super) search: &'a Search,
    /// Whether a gap before the next record to come is to be accepted.
    pub(super) accepts: bool,
}

impl Needed<'_> {
    /// Refuses a restore whose records are not there; returns the gaps that are accepted now.
    pub(super) fn check(&self) -> Result<Vec<DecisionLine>, Stop> {
        let shard = self.target.shard;
        let mut gaps = Vec::new();
        for topic in Topic::ALL {
            let at = topic.index();
            let ((start, end), next) = (self.bounds[at], self.target.positions[at].next);
            if end < next {
                return Err(cut(shard, topic, next, end));
            }
            let first = self.recorded.behind_gaps(topic, self.begins[at]);
            if first < next && start > first {
                return Err(self.gap(topic, (first, start), false));
            }
            let next = self.recorded.behind_gaps(topic, next);
            if start <= next {
                continue;
            }
            if !self.accepts {
                return Err(self.gap(topic, (next, start), true));
            }
            let topic_name = topic.as_str();
            let (from, to) = (next.get(), start.get());
            warn!(%shard, topic = topic_name, from, to, "going on behind lost records, as asked");
            gaps.push(DecisionLine::Gap { topic, partition: shard, from: next, to: start });
        }
        Ok(gaps)
    }

    fn gap(&self, topic: Topic, lost: (NextOffset, NextOffset), may_go_on: bool) -> Stop {
        let shard = self.target.shard;
        let mut words = data_gap(topic, shard, lost, may_go_on);
        if let Search::Done { refused, .. } = self.search {
            for one in refused {
                words.push_str(&format!("; snapshot {} was refused: {}", one.number, one.words));
            }
        }
        Stop::new(StopReason::DataGap, words)
    }
}

fn data_gap(
    topic: Topic,
    shard: ShardNo,
    (first, start): (NextOffset, NextOffset),
    may_go_on: bool,
) -> String {
    let what_next = if may_go_on {
        "the state before them is whole: raise retention.ms of the inputs, and start once with \
         --accept-gap to go on without these records, which no alert will know of"
    } else {
        "no snapshot reaches behind them, so the state cannot be restored: raise retention.ms of \
         the inputs, and start a new group with new output topics"
    };
    format!(
        "{}-{shard}: data gap: reading must go on at offset {first}, and the log now begins at \
         {start}, so offsets {first} to {} are lost to retention; {what_next}",
        topic.as_str(),
        start.get() - 1
    )
}

fn cut(shard: ShardNo, topic: Topic, next: NextOffset, end: NextOffset) -> Stop {
    let words = format!(
        "{}-{shard}: the log ends at offset {end}, and reading must go on at {next}: its end was \
         lost (an unclean leader election, a disk, a restored backup), and alerts were sent that \
         rest on it. Restore the topic's records, or start a new group with new output topics",
        topic.as_str()
    );
    Stop::new(StopReason::LogCut, words)
}

/// The record that must be there is not.
pub(super) fn another_log(slot: &Slot, topic: Topic) -> Stop {
    let words = format!(
        "{}-{}: a record before our position is not the one that was there at progress record {}: \
         the topic was made anew, restored otherwise, or cut and written on. Restore what was \
         there, or start a new group with new output topics",
        topic.as_str(),
        slot.number,
        slot.progress
    );
    Stop::new(StopReason::TopicReplaced, words)
}

/// Says why a log does not have the position that reading was at, once the brokers tell; `Ok` to
/// be asked again.
pub(super) fn diagnose<B: Broker>(
    slot: &mut Slot,
    broker: &mut B,
    topic: Topic,
    words: String,
) -> Result<(), Stop> {
    let Some(found) = wait_out(broker.describe_inputs())? else { return Ok(()) };
    let found = found[topic.index()];
    if found.partitions > 0 {
        refuse_another(topic.as_str(), slot.topics[topic.index()], found.id)?;
        refuse_count(topic.as_str(), slot.partitions, found.partitions)?;
    }
    let partition = slot.partition(topic);
    let Some((start, end)) = wait_out(broker.log_bounds(partition))? else { return Ok(()) };
    let at = slot.positions(broker)[topic.index()];
    if start > at {
        // What was read and is not closed is read again after a restart.
        let lost = (slot.shard.positions()[topic.index()].next, start);
        let words = data_gap(topic, slot.number, lost, slot.phase.may_commit());
        return Err(Stop::new(StopReason::DataGap, words));
    }
    if end < at {
        return Err(cut(slot.number, topic, at, end));
    }
    if slot.marks.expected(topic).is_some() {
        // Retention has just passed the marked record, and what is needed is still there.
        slot.marks.give_up(topic);
        return broker.seek(partition, at).map_err(Stop::from_source);
    }
    Err(Stop::from_source(SourceError::Lost(words)))
}
