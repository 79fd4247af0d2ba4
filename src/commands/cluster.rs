//! From the configuration to the Kafka adapter, and from its errors to exit codes.

use std::time::Duration;

use super::exit::ExitCode;
use super::failure::Failure;
use crate::config;
use crate::domain::event::Topic;
use crate::kafka::{KafkaConfig, TopicNames, TopicProblem, TopicsError};
use crate::pipeline::ports::SourceError;

/// What the adapter of one worker is told.
#[must_use]
pub fn kafka_config(kafka: &config::KafkaConfig, worker: u32) -> KafkaConfig {
    let properties = kafka.properties.iter();
    KafkaConfig {
        bootstrap: kafka.bootstrap_servers.clone(),
        properties: properties
            .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
            .collect(),
        group: kafka.group.clone(),
        instance: kafka.instance.clone(),
        worker,
        topics: TopicNames {
            inputs: Topic::ALL.map(|topic| kafka.topics.input(topic).to_owned()),
            alerts: kafka.topics.alerts.clone(),
            status: kafka.topics.status.clone(),
            dead_letters: kafka.topics.dead_letters.clone(),
            progress: kafka.topics.progress.clone(),
        },
        queue_memory_kbytes: kafka.queue_memory_kbytes,
        transaction_timeout_ms: whole_ms(kafka.transaction_timeout),
        session_timeout_ms: whole_ms(kafka.session_timeout),
        heartbeat_interval_ms: whole_ms(kafka.heartbeat_interval),
    }
}

fn whole_ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).expect("the keys' ranges end at 15 minutes")
}

/// How a command ends that the cluster did not answer as it should.
#[must_use]
pub fn source_failure(error: SourceError) -> Failure {
    let code = match &error {
        SourceError::NotReady(_) | SourceError::Unavailable(_) | SourceError::Stop(_) => {
            ExitCode::Unavailable
        }
        SourceError::Refused(_) => ExitCode::Refused,
        SourceError::Fenced(_) => ExitCode::Temporary,
        SourceError::Fatal(_) => ExitCode::Software,
    };
    Failure::new(code, error)
}

/// How a command ends that found the topics unfit: with all of it.
#[must_use]
pub fn topics_failure(error: TopicsError) -> Failure {
    match error {
        TopicsError::Source(error) => source_failure(error),
        TopicsError::Problems(problems) => Failure::new(ExitCode::Config, listed(&problems)),
    }
}

fn listed(problems: &[TopicProblem]) -> String {
    let mut text = match problems.len() {
        1 => "1 thing is wrong with the topics:".to_owned(),
        count => format!("{count} things are wrong with the topics:"),
    };
    for TopicProblem { topic, problem, cure } in problems {
        text.push_str(&format!("\n{topic}: {problem}\n    cure: {cure}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_reaches_the_adapter() {
        let sources = config::Sources {
            host_name: Some("host".to_owned()),
            sets: ["kafka.topics.orders=o", "kafka.properties.client.rack=r"]
                .map(str::to_owned)
                .to_vec(),
            ..config::Sources::default()
        };
        let config = config::load(&sources).unwrap();
        let kafka = kafka_config(&config.kafka, 3);
        assert_eq!(kafka.identity(), "odrwatch-host-3");
        assert_eq!(kafka.topics.input(Topic::Orders), "o");
        assert_eq!(kafka.properties["client.rack"], "r");
        assert_eq!(kafka.transaction_timeout_ms, 60_000);
        assert_eq!(
            KafkaConfig::new("localhost:9092", "odrwatch", "host"),
            KafkaConfig {
                worker: 0,
                properties: std::collections::BTreeMap::new(),
                topics: TopicNames::default(),
                ..kafka
            }
        );
    }

    #[test]
    fn all_that_is_wrong_with_the_topics_is_listed_and_a_mistake_in_the_configuration() {
        let problem = |topic: &str| TopicProblem {
            topic: topic.to_owned(),
            problem: "does not exist".to_owned(),
            cure: "odrwatch topics create".to_owned(),
        };
        let failure = topics_failure(TopicsError::Problems(vec![problem("a"), problem("b")]));
        assert_eq!(failure.code(), ExitCode::Config);
        assert_eq!(
            failure.to_string(),
            "2 things are wrong with the topics:\n\
             a: does not exist\n    cure: odrwatch topics create\n\
             b: does not exist\n    cure: odrwatch topics create"
        );
        let refused = source_failure(SourceError::Refused("x".to_owned()));
        assert_eq!(refused.code(), ExitCode::Refused);
    }
}
