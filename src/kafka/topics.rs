//! Whether the topics are as odrwatch needs them: all problems at once, each with its cure.
//!
//! Nothing is ever altered here: librdkafka's `alter_configs` resets every setting that it is not
//! given. A cluster that does not let us read a topic's settings is believed, with a warning.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use crate::domain::event::Topic;
use crate::pipeline::ports::{OutTopic, SourceError};

use super::client::{Deadline, Witness};
use super::failure::{source_error, wrapper_error};
use super::settings::KafkaConfig;

mod keeping;

/// How long the cluster may take to answer a question.
const ANSWER: Duration = Duration::from_secs(30);

/// How long one attempt at that takes.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Kafka's own default of `max.message.bytes`.
const DEFAULT_MAX_BYTES: usize = 1_048_588;

/// Kafka's own default of `message.timestamp.after.max.ms`.
const DEFAULT_AHEAD_MS: i64 = 3_600_000;

/// What a dead letter adds to its record: five headers.
const DEAD_LETTER_ROOM: usize = 16_384;

/// The command that creates missing topics.
const CREATE: &str = "odrwatch topics create";

/// How long the client's events are served after an attempt. Without any time the wrapper serves
/// one, and the lines of the client's log would hide why the broker refused us.
const SERVE: Duration = Duration::from_millis(20);

/// A day in ms.
pub(super) const DAY_MS: i64 = 86_400_000;

/// How much longer than the horizon an input must be kept, in days: a record may be that late.
const RETENTION_ROOM_DAYS: u32 = 2;

/// What is known of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicFact {
    /// How many partitions it has.
    pub partitions: u32,
    /// How many replicas the least replicated partition has.
    pub replication: u32,
    /// How many replicas must have a record before it counts; `None` if that may not be read.
    pub min_insync_replicas: Option<u32>,
    /// The largest batch that its brokers take.
    pub max_message_bytes: usize,
    /// How far ahead of the clock a timestamp may be; `None` where the broker sets its own.
    pub max_ahead_ms: Option<i64>,
}

impl TopicFact {
    /// A topic that is not written.
    const fn none() -> Self {
        Self {
            partitions: 0,
            replication: 0,
            min_insync_replicas: None,
            max_message_bytes: 0,
            max_ahead_ms: None,
        }
    }

    /// The numbers of its partitions.
    pub(super) fn numbers(&self) -> Range<i32> {
        0..i32::try_from(self.partitions).expect("Kafka counts partitions as i32")
    }
}

/// What is known of all topics, found without a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// How many partitions each input has: the number of shards.
    pub partitions: u32,
    /// The inputs, in the order of [`Topic::ALL`].
    pub inputs: [TopicFact; 4],
    /// The outputs, in the order of [`OutTopic::ALL`]; without partitions where none is written.
    pub outputs: [TopicFact; 5],
    /// The topic of snapshots, if they are kept in one.
    pub snapshots: Option<TopicFact>,
    /// What is odd but no reason not to start.
    pub warnings: Vec<TopicProblem>,
}

impl TopicFacts {
    /// What is known of an output topic.
    pub fn output(&self, topic: OutTopic) -> &TopicFact {
        match topic {
            OutTopic::Alerts => &self.outputs[0],
            OutTopic::Status => &self.outputs[1],
            OutTopic::DeadLetters => &self.outputs[2],
            OutTopic::Progress => &self.outputs[3],
            OutTopic::Advice => &self.outputs[4],
        }
    }
}

/// Something that is not as it must be, with what cures it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicProblem {
    /// The topic.
    pub topic: String,
    /// What is wrong.
    pub problem: String,
    /// The command or the deed that cures it.
    pub cure: String,
}

impl fmt::Display for TopicProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}. Cure: {}", self.topic, self.problem, self.cure)
    }
}

/// Why the topics could not be found fit.
#[derive(Debug, thiserror::Error)]
pub enum TopicsError {
    /// The cluster could not be asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// All that is wrong.
    #[error("{} topics are not as they must be", .0.len())]
    Problems(Vec<TopicProblem>),
}

/// Looks at all topics. `horizon_days` is how far back the policy's longest view reaches. Blocks
/// for at most some seconds; not to be called from asynchronous code.
pub fn check_topics(config: &KafkaConfig, horizon_days: u32) -> Result<TopicFacts, TopicsError> {
    let found = Cluster::reach(config)?.look(config)?;
    judge(&found, config, horizon_days).map_err(TopicsError::Problems)
}

/// What the cluster says of one topic.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Zero if it does not exist.
    pub(super) partitions: u32,
    pub(super) replication: u32,
    /// `None` if they may not be read.
    pub(super) settings: Option<BTreeMap<String, String>>,
}

impl Found {
    fn text(&self, name: &str) -> Option<&str> {
        self.settings.as_ref()?.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    fn is_log_append(&self) -> bool {
        self.text("message.timestamp.type") == Some("LogAppendTime")
    }

    pub(super) fn max_bytes(&self) -> usize {
        let stated = self.number("max.message.bytes").and_then(|bytes| usize::try_from(bytes).ok());
        stated.unwrap_or(DEFAULT_MAX_BYTES)
    }

    fn max_ahead_ms(&self) -> Option<i64> {
        let stated = self.number("message.timestamp.after.max.ms").unwrap_or(DEFAULT_AHEAD_MS);
        (!self.is_log_append()).then_some(stated)
    }

    fn fact(&self) -> TopicFact {
        let min_insync = self.number("min.insync.replicas");
        TopicFact {
            partitions: self.partitions,
            replication: self.replication,
            min_insync_replicas: min_insync.and_then(|number| u32::try_from(number).ok()),
            max_message_bytes: self.max_bytes(),
            max_ahead_ms: self.max_ahead_ms(),
        }
    }
}

/// The clients that ask.
pub(super) struct Cluster {
    consumer: BaseConsumer<Witness>,
    admin: AdminClient<Witness>,
    runtime: tokio::runtime::Runtime,
}

impl Cluster {
    /// Makes the clients and waits until a broker answers.
    pub(super) fn reach(config: &KafkaConfig) -> Result<Self, SourceError> {
        let what = "making a client";
        let settings = config.plain()?;
        let consumer: BaseConsumer<Witness> = settings
            .create_with_context(Witness::new("topics", config.secrets()))
            .map_err(|error| wrapper_error(&error, what))?;
        let witness = Witness::new("admin", config.secrets());
        let admin = AdminClient::from_config_and_context(&settings, witness)
            .map_err(|error| wrapper_error(&error, what))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(|error| SourceError::Fatal(format!("{what}: {error}")))?;
        let deadline = Deadline::after(config.reach);
        loop {
            let found = consumer.fetch_metadata(Some(&config.topics.inputs[0]), ATTEMPT);
            while consumer.poll(SERVE).is_some() {}
            match found {
                Ok(_) => return Ok(Self { consumer, admin, runtime }),
                Err(error) => {
                    let error = wrapper_error(&error, &format!("reaching {}", config.bootstrap));
                    let error = consumer.context().explain(error);
                    let may_pass =
                        matches!(&error, SourceError::Unavailable(text) if !is_mistrusted(text));
                    if deadline.is_over() || !may_pass {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// What the cluster says of all topics, by name.
    fn look(&self, config: &KafkaConfig) -> Result<BTreeMap<String, Found>, SourceError> {
        let inputs = config.topics.inputs.iter().map(String::as_str);
        let outputs = config.topics.outputs().map(|(_, name)| name);
        let names = inputs.chain(outputs).chain(config.topics.of_snapshots());
        names.map(|name| Ok((name.to_owned(), self.look_at(name)?))).collect()
    }

    /// What the cluster says of one topic.
    pub(super) fn look_at(&self, name: &str) -> Result<Found, SourceError> {
        let mut found = self.partitions_of(name)?;
        if found.partitions > 0 {
            found.settings = self.settings_of(name)?;
        }
        Ok(found)
    }

    fn partitions_of(&self, name: &str) -> Result<Found, SourceError> {
        let what = format!("asking for the topic {name}");
        let metadata = self
            .consumer
            .fetch_metadata(Some(name), ANSWER)
            .map_err(|error| self.consumer.context().explain(wrapper_error(&error, &what)))?;
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            return Ok(Found::default());
        };
        match topic.error() {
            None => {}
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => {
                return Ok(Found::default());
            }
            Some(error) => {
                let code: RDKafkaErrorCode = error.into();
                return Err(source_error(code, &what, &code.to_string()));
            }
        }
        let partitions = u32::try_from(topic.partitions().len()).expect("they are counted as i32");
        let replicas = topic.partitions().iter().map(|partition| partition.replicas().len());
        let replication = u32::try_from(replicas.min().unwrap_or(0)).unwrap_or(u32::MAX);
        Ok(Found { partitions, replication, settings: None })
    }

    fn settings_of(&self, name: &str) -> Result<Option<BTreeMap<String, String>>, SourceError> {
        let what = format!("asking for the settings of {name}");
        let options = AdminOptions::new().request_timeout(Some(ANSWER));
        let topic = [ResourceSpecifier::Topic(name)];
        let asked = self.admin.describe_configs(topic.iter(), &options);
        let results = self.runtime.block_on(asked).map_err(|error| wrapper_error(&error, &what))?;
        match results.into_iter().next() {
            // The wrapper passes over a topic's own error: nothing at all is a refusal.
            Some(Ok(found)) if found.entries.is_empty() => Ok(None),
            Some(Ok(found)) => {
                let entries = found.entries.into_iter();
                let stated = entries.filter_map(|entry| Some((entry.name, entry.value?)));
                Ok(Some(stated.collect()))
            }
            Some(Err(code)) => match source_error(code, &what, &code.to_string()) {
                SourceError::Refused(_) => Ok(None),
                other => Err(other),
            },
            None => Ok(None),
        }
    }

    /// The client that asks.
    pub(super) fn consumer(&self) -> &BaseConsumer<Witness> {
        &self.consumer
    }

    /// The client for administration, and what its futures are waited for with.
    pub(super) fn admin(&self) -> (&AdminClient<Witness>, &tokio::runtime::Runtime) {
        (&self.admin, &self.runtime)
    }
}

/// Whether OpenSSL would not trust the broker's certificate: waiting does not change that.
fn is_mistrusted(words: &str) -> bool {
    words.contains("certificate verify failed")
}

/// Holds what was found against what must be.
fn judge(
    found: &BTreeMap<String, Found>,
    config: &KafkaConfig,
    horizon_days: u32,
) -> Result<TopicFacts, Vec<TopicProblem>> {
    let retention_ms = DAY_MS * i64::from(horizon_days + RETENTION_ROOM_DAYS);
    let mut judge = Judge { found, config, problems: Vec::new(), warnings: Vec::new() };
    judge.partitions();
    for topic in Topic::ALL {
        let name = config.topics.input(topic);
        judge.no_compaction(name);
        judge.kept(name, retention_ms);
        judge.outlasts_its_history(name);
        judge.input_limits(name);
    }
    judge.equal_timestamps();
    for (topic, name) in config.topics.outputs() {
        match topic {
            OutTopic::Status => judge.only_compaction(name, "standings are lost with time"),
            OutTopic::Advice => judge.only_compaction(name, "advice is lost with time"),
            OutTopic::Alerts | OutTopic::DeadLetters => {
                judge.no_compaction(name);
                judge.timestamps(name, "CreateTime");
            }
            OutTopic::Progress => {
                judge.no_compaction(name);
                judge.kept_for_ever(name);
                judge.timestamps(name, "LogAppendTime");
            }
        }
    }
    for name in config.topics.of_snapshots() {
        judge.only_compaction(name, "snapshots are lost with time, or never removed");
    }
    judge.unreadable();
    let fact = |name: &str| found[name].fact();
    let Judge { problems, warnings, .. } = judge;
    if !problems.is_empty() {
        return Err(problems);
    }
    let inputs = Topic::ALL.map(|topic| fact(config.topics.input(topic)));
    let written = |topic| Some(config.topics.output(topic)).filter(|name| !name.is_empty());
    let outputs = OutTopic::ALL.map(|topic| written(topic).map_or_else(TopicFact::none, fact));
    let snapshots = config.topics.of_snapshots().map(fact).next();
    Ok(TopicFacts { partitions: inputs[0].partitions, inputs, outputs, snapshots, warnings })
}

struct Judge<'a> {
    found: &'a BTreeMap<String, Found>,
    config: &'a KafkaConfig,
    problems: Vec<TopicProblem>,
    warnings: Vec<TopicProblem>,
}

impl Judge<'_> {
    fn problem(&mut self, topic: &str, problem: String, cure: String) {
        self.problems.push(TopicProblem { topic: topic.to_owned(), problem, cure });
    }

    fn warning(&mut self, topic: &str, problem: String, cure: String) {
        self.warnings.push(TopicProblem { topic: topic.to_owned(), problem, cure });
    }

    fn setting(&self, topic: &str, name: &str) -> Option<String> {
        self.found[topic].text(name).map(str::to_owned)
    }

    fn alter(&self, topic: &str, setting: &str) -> String {
        format!(
            "kafka-configs --bootstrap-server {} --alter --entity-type topics --entity-name \
             {topic} --add-config {setting}",
            self.config.bootstrap
        )
    }

    /// Existence, and partition counts. The first input that exists gives the number.
    fn partitions(&mut self) {
        let topics = &self.config.topics;
        let inputs: Vec<&str> = topics.inputs.iter().map(String::as_str).collect();
        let outputs = topics.outputs().map(|(_, name)| name);
        for name in inputs.iter().copied().chain(outputs).chain(topics.of_snapshots()) {
            if self.found[name].partitions == 0 {
                self.problem(name, "it does not exist".to_owned(), CREATE.to_owned());
            }
        }
        let count = |name: &str| self.found[name].partitions;
        let Some(wanted) = inputs.iter().map(|name| count(name)).find(|count| *count > 0) else {
            return;
        };
        for name in inputs {
            let has = self.found[name].partitions;
            if has > 0 && has != wanted {
                let cure = format!(
                    "copy its records, with their keys and timestamps, into a new topic with \
                     {wanted} partitions; partitions must never be added to an input"
                );
                let first = &topics.inputs[0];
                let problem = format!("it has {has} partitions where {first} has {wanted}");
                self.problem(name, problem, cure);
            }
        }
        let by_shard = [OutTopic::Alerts, OutTopic::Progress, OutTopic::Advice];
        let by_shard = topics.outputs().filter(|(topic, _)| by_shard.contains(topic));
        for name in by_shard.map(|(_, name)| name).chain(topics.of_snapshots()) {
            let has = self.found[name].partitions;
            if has > 0 && has != wanted {
                let cure = if has < wanted {
                    format!(
                        "kafka-topics --bootstrap-server {} --alter --topic {name} --partitions \
                         {wanted}",
                        self.config.bootstrap
                    )
                } else {
                    format!("name another topic, or delete this one and run: {CREATE}")
                };
                let problem = format!("it has {has} partitions where the inputs have {wanted}");
                self.problem(name, problem, cure);
            }
        }
    }

    fn no_compaction(&mut self, topic: &str) {
        let Some(policy) = self.setting(topic, "cleanup.policy") else { return };
        if policy != "delete" {
            let problem = format!("its cleanup.policy is {policy}; compaction loses records");
            self.problem(topic, problem, self.alter(topic, "cleanup.policy=delete"));
        }
    }

    fn only_compaction(&mut self, topic: &str, else_what: &str) {
        let Some(policy) = self.setting(topic, "cleanup.policy") else { return };
        if policy != "compact" {
            let problem = format!("its cleanup.policy is {policy}, so that {else_what}");
            self.problem(topic, problem, self.alter(topic, "cleanup.policy=compact"));
        }
    }

    /// Whatever an input takes must fit as a dead letter.
    fn input_limits(&mut self, topic: &str) {
        let dead = self.config.topics.dead_letters.as_str();
        let (input, letters) = (&self.found[topic], &self.found[dead]);
        if input.partitions == 0 || letters.partitions == 0 {
            return;
        }
        let wanted = input.max_bytes().saturating_add(DEAD_LETTER_ROOM);
        let has = letters.max_bytes();
        let ahead = (input.max_ahead_ms(), letters.max_ahead_ms());
        if has < wanted {
            let problem = format!(
                "its max.message.bytes is {has}; the values of the largest records of {topic} will \
                 be left out of their dead letters"
            );
            self.warning(dead, problem, self.alter(dead, &format!("max.message.bytes={wanted}")));
        }
        if let (Some(input), Some(letters)) = ahead
            && input > letters
        {
            let problem = format!(
                "its message.timestamp.after.max.ms is {letters}, less than that of {topic}, whose \
                 records may become dead letters"
            );
            let setting = format!("message.timestamp.after.max.ms={input}");
            self.problem(dead, problem, self.alter(dead, &setting));
        }
    }

    fn unreadable(&mut self) {
        let hidden = self.found.iter().filter(|(_, one)| one.partitions > 0);
        let hidden: Vec<String> = hidden
            .filter(|(_, one)| one.settings.is_none())
            .map(|(name, _)| name.clone())
            .collect();
        for name in hidden {
            let cure = "allow DescribeConfigs on it, or make sure of its settings yourself";
            self.warning(&name, "its settings may not be read".to_owned(), cure.to_owned());
        }
    }
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
