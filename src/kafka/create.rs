//! Creates the topics with the settings that odrwatch needs. What exists is left as it is.

use std::time::Duration;

use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;

use crate::pipeline::ports::{OutTopic, SourceError};

use super::failure::{source_error, wrapper_error};
use super::settings::KafkaConfig;
use super::topics::{Cluster, DAY_MS};

/// How long the brokers may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How much longer than the horizon new inputs are kept, in days.
const RETENTION_ROOM_DAYS: u32 = 7;

/// How the topics are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicLayout {
    /// The number of partitions of every topic.
    pub partitions: u32,
    /// The number of replicas; `None` leaves it to the brokers' default.
    pub replication: Option<u32>,
    /// How far back the policy's longest view reaches.
    pub horizon_days: u32,
}

/// Whether to do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Only say what would be done.
    DryRun,
    /// Create what is missing.
    Create,
}

/// What became of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicState {
    /// It exists, and was left as it is.
    Exists,
    /// It is missing, and would be created.
    Missing,
    /// It was created.
    Created,
    /// The brokers refused to create it, in their words.
    Failed(String),
}

/// One topic of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Its name.
    pub topic: String,
    /// Its number of partitions.
    pub partitions: u32,
    /// Its settings.
    pub settings: Vec<(&'static str, String)>,
    /// What became of it.
    pub state: TopicState,
}

/// Plans all topics and creates those that are missing, unless it is a dry run. Not to be called
/// from asynchronous code.
pub fn create_topics(
    config: &KafkaConfig,
    layout: TopicLayout,
    creation: Creation,
) -> Result<Vec<TopicPlan>, SourceError> {
    let cluster = Cluster::reach(config)?;
    let mut plans = plan(config, layout);
    for plan in &mut plans {
        if cluster.look_at(&plan.topic)?.partitions > 0 {
            plan.state = TopicState::Exists;
        } else if creation == Creation::Create {
            plan.state = create(&cluster, plan, layout.replication)?;
        }
    }
    Ok(plans)
}

fn plan(config: &KafkaConfig, layout: TopicLayout) -> Vec<TopicPlan> {
    let inputs = config.topics.inputs.iter().map(|name| (name.as_str(), input_settings(layout)));
    let outputs = config.topics.outputs().map(|(topic, name)| (name, output_settings(topic)));
    let snapshots = config.topics.of_snapshots().map(|name| (name, snapshot_settings()));
    inputs
        .chain(outputs)
        .chain(snapshots)
        .map(|(topic, mut settings)| {
            if layout.replication.is_some_and(|replicas| replicas >= 3) {
                settings.push(("min.insync.replicas", "2".to_owned()));
            }
            let (topic, partitions) = (topic.to_owned(), layout.partitions);
            TopicPlan { topic, partitions, settings, state: TopicState::Missing }
        })
        .collect()
}

fn input_settings(layout: TopicLayout) -> Vec<(&'static str, String)> {
    let retention_ms = DAY_MS * i64::from(layout.horizon_days + RETENTION_ROOM_DAYS);
    let settings = [("cleanup.policy", "delete".to_owned()), ("retention.bytes", "-1".to_owned())];
    settings.into_iter().chain([("retention.ms", retention_ms.to_string())]).collect()
}

fn output_settings(topic: OutTopic) -> Vec<(&'static str, String)> {
    let year = (365 * DAY_MS).to_string();
    let settings: &[(&'static str, &str)] = match topic {
        OutTopic::Alerts => &[
            ("cleanup.policy", "delete"),
            ("retention.ms", &year),
            ("message.timestamp.type", "CreateTime"),
        ],
        OutTopic::Status | OutTopic::Advice => &[("cleanup.policy", "compact")],
        // Dead letters keep their records' timestamps, so age here is the age of the record, and a
        // timestamp may be the very reason why the record is dead.
        OutTopic::DeadLetters => &[
            ("cleanup.policy", "delete"),
            ("retention.ms", &year),
            ("message.timestamp.type", "CreateTime"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
            ("max.message.bytes", "2097152"),
        ],
        OutTopic::Progress => &[
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
            ("message.timestamp.type", "LogAppendTime"),
        ],
    };
    settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

/// Small segments and eager compaction: what a newer snapshot replaced should go soon.
fn snapshot_settings() -> Vec<(&'static str, String)> {
    let settings: &[(&'static str, &str)] = &[
        ("cleanup.policy", "compact"),
        ("segment.bytes", "67108864"),
        ("segment.ms", "600000"),
        ("min.cleanable.dirty.ratio", "0.1"),
        ("delete.retention.ms", "60000"),
    ];
    settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn create(
    cluster: &Cluster,
    plan: &TopicPlan,
    replication: Option<u32>,
) -> Result<TopicState, SourceError> {
    let what = format!("creating the topic {}", plan.topic);
    let number = |count: u32| {
        i32::try_from(count).map_err(|_| SourceError::Stop(format!("{what}: {count} is too many")))
    };
    // -1 is the brokers' default.
    let replication = replication.map_or(Ok(-1), number)?;
    let new =
        NewTopic::new(&plan.topic, number(plan.partitions)?, TopicReplication::Fixed(replication));
    let new = plan.settings.iter().fold(new, |new, (name, value)| new.set(name, value));
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
    let (admin, runtime) = cluster.admin();
    let results = runtime
        .block_on(admin.create_topics([&new], &options))
        .map_err(|error| wrapper_error(&error, &what))?;
    match results.into_iter().next() {
        None | Some(Ok(_)) => Ok(TopicState::Created),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(TopicState::Exists),
        Some(Err((_, code))) => match source_error(code, &what, &code.to_string()) {
            refused @ SourceError::Refused(_) => Err(refused),
            _ => Ok(TopicState::Failed(code.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_outlast_the_horizon_and_progress_is_kept_for_ever() {
        let mut config = KafkaConfig::new("kafka:9092", "odrwatch", "host");
        config.topics.snapshots = "odr-snapshots".to_owned();
        let layout = TopicLayout { partitions: 8, replication: Some(3), horizon_days: 75 };
        let plans = plan(&config, layout);
        assert_eq!(plans.len(), 10);
        let of = |topic: &str, name: &str| {
            let plan = plans.iter().find(|plan| plan.topic == topic).unwrap();
            plan.settings.iter().find(|(one, _)| *one == name).map(|(_, value)| value.clone())
        };
        assert_eq!(of("orders", "retention.ms"), Some((82 * DAY_MS).to_string()));
        assert_eq!(of("orders", "min.insync.replicas").as_deref(), Some("2"));
        assert_eq!(of("odr-progress", "retention.ms").as_deref(), Some("-1"));
        assert_eq!(of("odr-status", "cleanup.policy").as_deref(), Some("compact"));
        assert_eq!(of("odr-advice", "cleanup.policy").as_deref(), Some("compact"));
        assert_eq!(of("odr-snapshots", "cleanup.policy").as_deref(), Some("compact"));
        let mut without = KafkaConfig::new("kafka:9092", "odrwatch", "host");
        assert_eq!(plan(&without, layout).len(), 9);
        without.topics.advice.clear();
        assert_eq!(plan(&without, layout).len(), 8);
    }
}
