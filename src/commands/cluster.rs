//! The Kafka cluster that a configuration names: its settings for the adapter, and its topics.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::time::Duration;

use tracing::debug;

use super::exit::ExitCode;
use super::failure::Failure;
use super::service::failure_of_source;
use crate::config::{Config, SnapshotPlace};
use crate::domain::ids::{NextOffset, ShardNo};
use crate::kafka::{self, AuditPartition, KafkaConfig, TopicFacts, TopicsError};
use crate::pipeline::ports::SourceError;
use crate::wire::progress::{self, Progress};

/// The adapter's settings.
#[must_use]
pub fn settings(config: &Config) -> KafkaConfig {
    let from = &config.kafka;
    let ms = |duration: Duration| u32::try_from(duration.as_millis()).unwrap_or(u32::MAX);
    let mut to = KafkaConfig::new(&from.bootstrap_servers, &from.group, &from.instance);
    to.properties = from
        .properties
        .iter()
        .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
        .collect();
    to.topics = from.topics.clone();
    if config.snapshots.store != SnapshotPlace::Kafka {
        to.topics.snapshots.clear();
    }
    if !config.advice.enabled {
        to.topics.advice.clear();
    }
    to.has_snapshots = config.snapshots.store != SnapshotPlace::Off;
    to.queue_memory_kbytes = from.queue_memory_kbytes;
    to.transaction_timeout_ms = ms(from.transaction_timeout);
    to.session_timeout_ms = ms(from.session_timeout);
    to.heartbeat_interval_ms = ms(from.heartbeat_interval);
    to
}

/// How long a command that someone waits for waits for the brokers.
const REACH_SOON: Duration = Duration::from_secs(5);

/// The adapter's settings for a command that someone waits for.
#[must_use]
pub fn settings_to_ask(config: &Config) -> KafkaConfig {
    KafkaConfig { reach: REACH_SOON, ..settings(config) }
}

/// Looks at all topics; one message lists everything that is wrong, each with its cure.
///
/// # Errors
/// 78 with that message, or what kept the cluster from answering.
pub fn check(config: &Config, settings: &KafkaConfig) -> Result<TopicFacts, Failure> {
    check_settings(settings)?;
    kafka::check_topics(settings, config.policy.horizon_days()).map_err(|error| {
        match error {
            TopicsError::Source(error) => failure_of_source(&error)
                .during(format!("looking at the topics at {}", config.kafka.bootstrap_servers)),
            TopicsError::Problems(problems) => {
                let mut message = TopicsError::Problems(problems.clone()).to_string();
                for problem in problems {
                    // Writing to a string cannot fail.
                    let _ = write!(message, "\n  {problem}");
                }
                Failure::new(ExitCode::Config, message)
            }
        }
    })
}

/// How many of a progress partition's last offsets are looked at for a record: aborted ones and
/// marks may lie behind it.
const LAST_OFFSETS: i64 = 256;

/// Refuses inputs that have another number of partitions than the last progress records say:
/// before anything is joined, for a shard that is new would know of no history.
///
/// # Errors
/// 79. What cannot be read here is left to whoever needs it.
pub fn refuse_another_count(settings: &KafkaConfig, partitions: u32) -> Result<(), Failure> {
    let asked: Vec<_> = (0..partitions).map(ShardNo::new).map(AuditPartition::Progress).collect();
    let mut stated = None;
    let read = kafka::audit_spans(settings, &asked).and_then(|spans| {
        let last: Vec<_> = spans
            .into_iter()
            .map(|span| {
                let from = NextOffset::stated(span.end.get() - LAST_OFFSETS);
                kafka::part_of(span, from, span.end)
            })
            .collect();
        kafka::read_audit(settings, &last, &mut |_, record| {
            let record = record.value.map(progress::decode);
            if let Some(Ok(Progress { shards: Some(shards), .. })) = record
                && shards != partitions
            {
                stated = Some(shards);
            }
            ControlFlow::Continue(None)
        })
    });
    if let Err(error) = read {
        debug!(%error, "the last progress records were not looked at");
    }
    match stated {
        None => Ok(()),
        Some(before) => {
            let words = format!(
                "the inputs have {partitions} partitions, and had {before} when progress was last \
                 committed: sellers are on other partitions now than their history. Copy all four \
                 inputs, with their keys and timestamps, into new topics with {partitions} \
                 partitions, and start a new group with new output topics"
            );
            Err(Failure::new(ExitCode::Partitions, words))
        }
    }
}

/// Whether the Kafka client takes its settings; no broker is asked.
///
/// # Errors
/// 78 with what it does not take.
pub fn check_settings(settings: &KafkaConfig) -> Result<(), Failure> {
    kafka::check_settings(settings).map_err(|error| {
        Failure::new(ExitCode::Config, error.to_string()).during("kafka.properties")
    })
}

/// The failure of a command that only asks: what it asked for is not there or not as configured,
/// or it got no answer.
#[must_use]
pub fn failure_of_asking(error: &SourceError) -> Failure {
    match error {
        SourceError::Stop(problem) => Failure::new(ExitCode::Config, problem.clone()),
        error => failure_of_source(error),
    }
}
