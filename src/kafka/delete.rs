//! Deletes topics, and finds those that an earlier demo left behind.
//!
//! Invariant: nothing is deleted that the caller did not name. Absent on purpose: patterns.

use std::time::Duration;

use rdkafka::admin::AdminOptions;
use rdkafka::consumer::Consumer;
use rdkafka::types::RDKafkaErrorCode;

use crate::pipeline::ports::SourceError;

use super::failure::{source_error, wrapper_error};
use super::settings::KafkaConfig;
use super::topics::Cluster;

/// How long the brokers may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The names of all topics that this client may see. Not to be called from asynchronous code.
///
/// # Errors
/// The cluster cannot be asked.
pub fn topic_names(config: &KafkaConfig) -> Result<Vec<String>, SourceError> {
    let cluster = Cluster::reach(config)?;
    let metadata = cluster
        .consumer()
        .fetch_metadata(None, LIMIT)
        .map_err(|error| wrapper_error(&error, "asking for all topics"))?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

/// Whether a consumer group has members. Not to be called from asynchronous code.
///
/// # Errors
/// The cluster cannot be asked.
pub fn has_members(config: &KafkaConfig, group: &str) -> Result<bool, SourceError> {
    let cluster = Cluster::reach(config)?;
    let groups = cluster
        .consumer()
        .fetch_group_list(Some(group), LIMIT)
        .map_err(|error| wrapper_error(&error, &format!("asking for the group {group}")))?;
    Ok(groups.groups().iter().any(|one| one.name() == group && !one.members().is_empty()))
}

/// Deletes topics; one that does not exist is no error. Not to be called from asynchronous code.
///
/// # Errors
/// The first one that could not be deleted, after all were tried.
pub fn delete_topics(config: &KafkaConfig, names: &[&str]) -> Result<(), SourceError> {
    let cluster = Cluster::reach(config)?;
    let options = AdminOptions::new().request_timeout(Some(LIMIT)).operation_timeout(Some(LIMIT));
    let (admin, runtime) = cluster.admin();
    let results = runtime
        .block_on(admin.delete_topics(names, &options))
        .map_err(|error| wrapper_error(&error, "deleting topics"))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((name, code)) => {
                let what = format!("deleting the topic {name}");
                return Err(source_error(code, &what, &code.to_string()));
            }
        }
    }
    Ok(())
}
