//! A replay of the topics as they are now: read up to their present ends, with the decisions that
//! the progress topic records unless a file gives others.

use std::ops::ControlFlow;

use super::{Pace, Replayed, Skipped, decisions, of_replay, replay_config};
use crate::commands::args::ReplayArgs;
use crate::commands::cluster::{failure_of_asking, settings};
use crate::commands::failure::Failure;
use crate::config::Config;
use crate::kafka::{self, KafkaConfig};
use crate::pipeline::replay::Replay;
use crate::wire::decision::DecisionLine;

/// Replays the topics.
///
/// # Errors
/// As the cluster says, and what the replay refuses.
pub fn replay(
    args: &ReplayArgs,
    config: &Config,
    decisions: Option<Vec<DecisionLine>>,
) -> Result<Replayed, Failure> {
    let kafka = settings(config);
    let counted = || kafka::input_partitions(&kafka).map_err(|error| failure_of_asking(&error));
    let partitions = args.partitions.map_or_else(counted, Ok)?;
    let decisions = decisions.map_or_else(|| recorded(&kafka, config), Ok)?;
    let mut replay = Replay::new(replay_config(args.until, config, partitions), decisions);
    let mut pace = Pace::new("replaying records", None);
    let mut refused = None;
    kafka::read_inputs(&kafka, &mut |topic, partition, record| {
        pace.note(1);
        let pushed =
            replay.push(topic, partition, record.offset, record.timestamp_ms, record.value);
        match pushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(of_replay(error));
                ControlFlow::Break(())
            }
        }
    })
    .map_err(|error| failure_of_asking(&error))?;
    pace.finish();
    if let Some(failure) = refused {
        return Err(failure);
    }
    let output = replay.finish().map_err(of_replay)?;
    Ok(Replayed { partitions, is_from_files: false, skipped: Skipped::default(), output })
}

/// The decisions of the progress topic; none where there is no such topic.
///
/// # Errors
/// A record that cannot be used, or what kept the cluster from answering.
pub(in crate::commands) fn recorded(
    kafka: &KafkaConfig,
    config: &Config,
) -> Result<Vec<DecisionLine>, Failure> {
    let mut decisions = Vec::new();
    let mut unusable = None;
    let read = kafka::read_progress_topic(kafka, &mut |_, value| match decisions::of_progress(
        value,
        config.engine.boundary,
        &mut decisions,
    ) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            unusable = Some(failure.during(kafka.topics.progress.clone()));
            ControlFlow::Break(())
        }
    });
    match (read, unusable) {
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(failure_of_asking(&error)),
        (Ok(_), None) => Ok(decisions),
    }
}
