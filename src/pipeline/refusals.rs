//! Why a shard is not opened, where it is not the inputs: what the progress topic, the group and
//! the configuration say does not fit together.

use super::desk::RefusedSnapshot;
use super::inputs::{refuse_another, refuse_count};
use super::restore::Opener;
use super::stop::Stop;
use crate::domain::event::Topic;
use crate::domain::ids::ShardNo;
use crate::telemetry::labels::StopReason;
use crate::wire::identity::TopicId;
use crate::wire::progress::{self, Progress};

/// Refuses to go on from a record of another engine, policy, or set of topics.
pub(super) fn check_target(
    opener: &Opener,
    target: &Progress,
    topics: &[Option<TopicId>; 4],
    partitions: u32,
) -> Result<(), Stop> {
    for topic in Topic::ALL {
        let (before, now) = (target.logs[topic.index()].topic, topics[topic.index()]);
        refuse_another(topic.as_str(), before, now)?;
        refuse_count(topic.as_str(), target.shards.unwrap_or(partitions), partitions)?;
    }
    let (engine, ours) = (&target.engine, progress::ENGINE);
    if engine != ours {
        let words = format!(
            "shard {}: progress record {} was written by engine {engine}, and this is {ours}: run \
             the version that wrote it",
            target.shard, target.number
        );
        return Err(Stop::new(StopReason::NewerVersion, words));
    }
    if target.policy != opener.policy || target.boundary_length != opener.shard.length {
        let words = format!(
            "shard {}: progress record {} was computed with policy {} and boundaries of {} ms, and \
             the configuration has policy {} and {} ms: restore the former policy, or start a new \
             group with new output topics",
            target.shard,
            target.number,
            target.policy,
            target.boundary_length.ms(),
            opener.policy,
            opener.shard.length.ms()
        );
        return Err(Stop::new(StopReason::Progress, words));
    }
    Ok(())
}

pub(super) fn disagreement(shard: ShardNo, committed: Option<u64>, last: Option<u64>) -> Stop {
    let told = |number: Option<u64>| match number {
        Some(number) => format!("record {number}"),
        None => "no record".to_owned(),
    };
    let words = format!(
        "shard {shard}: the group's offsets belong to progress {}, and the progress topic ends \
         with {}. If a broker lost the end of a transaction, the instance that wrote it completes \
         it when it starts: start every instance of this group under its own name, then this one \
         again. Else the offsets were reset or the topic was cut short: start a new group with \
         new output topics. Do not change or delete the group's offsets: alerts could be sent \
         twice",
        told(committed),
        told(last)
    );
    Stop::new(StopReason::Progress, words)
}

pub(super) fn lost_progress(shard: ShardNo, ahead: &RefusedSnapshot) -> Stop {
    let words = format!(
        "shard {shard}: there is a snapshot of this group at progress record {}, and neither \
         offsets nor progress records of the shard: the progress topic was emptied. Nothing was \
         started, for it would say every alert again: restore the topic, or start a new group with \
         new output topics, or delete the shard's snapshots to begin anew in this group",
        ahead.number
    );
    Stop::new(StopReason::Progress, words)
}
