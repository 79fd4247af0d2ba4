//! The demo's own topics on a real cluster: their names, their making, and their going.
//!
//! Invariants: every run has names of its own, which say when it began, and no other topic is ever
//! touched; what an earlier demo left behind goes only when that demo is long over and its group
//! has no member.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{info, warn};

use super::PARTITIONS;
use crate::commands::cluster;
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::config::{self, Config};
use crate::domain::event::Topic;
use crate::kafka::{self, Creation, KafkaConfig, TopicFacts, TopicLayout, TopicState, TopicsError};
use crate::pipeline::ports::SourceError;

/// What the names of a run begin with.
const PREFIX: &str = "odr-demo-";

/// What the names of the outputs end with; those of the inputs end with the topic's own name.
const OUTPUTS: [&str; 5] = ["alerts", "status", "dead-letters", "progress", "advice"];

/// A demo that began so long ago and has no member is over, in seconds.
const OVER_AFTER: i64 = 600;

/// How often, and how long apart, new topics are looked for until all brokers know them.
const LOOKS: (u32, Duration) = (20, Duration::from_millis(250));

/// The name of one run: its consumer group, and the start of its topics' names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunName(String);

impl RunName {
    /// The name of a run that begins at a time.
    pub fn at(wall_ms: i64) -> Self {
        Self(format!("{PREFIX}{}", base36(wall_ms.max(0).unsigned_abs() / 1_000)))
    }

    /// The run that a topic belongs to and when it began, in seconds since the epoch; `None` for
    /// a topic of somebody else.
    fn of_topic(topic: &str) -> Option<(Self, i64)> {
        let (number, kind) = topic.strip_prefix(PREFIX)?.split_once('-')?;
        let is_kind = Topic::ALL.iter().any(|one| one.as_str() == kind) || OUTPUTS.contains(&kind);
        let is_number = !number.is_empty()
            && !number.starts_with('0')
            && number.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        let began = i64::from_str_radix(number, 36).ok().filter(|_| is_kind && is_number)?;
        Some((Self(format!("{PREFIX}{number}")), began))
    }

    /// Gives the run's names to a configuration.
    pub fn name(&self, kafka: &mut config::KafkaConfig) {
        let topic = |kind: &str| format!("{}-{kind}", self.0);
        kafka.group.clone_from(&self.0);
        let topics = &mut kafka.topics;
        topics.inputs = Topic::ALL.map(|one| topic(one.as_str()));
        let outputs = [
            &mut topics.alerts,
            &mut topics.status,
            &mut topics.dead_letters,
            &mut topics.progress,
            &mut topics.advice,
        ];
        for (name, kind) in outputs.into_iter().zip(OUTPUTS) {
            *name = topic(kind);
        }
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).expect("below 36");
        digits.push(char::from_digit(digit, 36).expect("below 36"));
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// Creates the run's topics, kept long enough for a history of so many days.
pub fn create(config: &Config, history_days: u32) -> Result<TopicFacts, Failure> {
    let kafka = cluster::settings(config);
    let horizon_days = config.policy.horizon_days();
    let layout = TopicLayout {
        partitions: PARTITIONS,
        replication: None,
        horizon_days: horizon_days.max(history_days),
    };
    let plans = kafka::create_topics(&kafka, layout, Creation::Create)
        .map_err(|error| cluster::failure_of_asking(&error))?;
    for plan in plans {
        if let TopicState::Failed(problem) = plan.state {
            let problem = format!("the topic {} cannot be created: {problem}", plan.topic);
            return Err(Failure::new(ExitCode::Unavailable, problem));
        }
    }
    let (looks, pause) = LOOKS;
    for _ in 1..looks {
        match kafka::check_topics(&kafka, horizon_days) {
            // Brokers hear of a new topic one after the other.
            Err(TopicsError::Problems(_)) => std::thread::sleep(pause),
            _ => break,
        }
    }
    cluster::check(config, &cluster::settings(config))
}

/// Deletes the run's topics.
pub fn delete(config: &Config) {
    let kafka = cluster::settings(config);
    let topics = &config.kafka.topics;
    let outputs = topics.outputs().map(|(_, name)| name);
    let names: Vec<&str> = topics.inputs.iter().map(String::as_str).chain(outputs).collect();
    match kafka::delete_topics(&kafka, &names) {
        Ok(()) => info!(group = config.kafka.group, "the demo's topics are deleted"),
        Err(error) => warn!(%error, "the demo's topics could not be deleted"),
    }
}

/// Deletes the topics that earlier demos left behind, as far as the cluster lets us.
pub fn delete_left_behind(config: &Config, wall_ms: i64) {
    let kafka = cluster::settings(config);
    if let Err(error) = try_delete_left_behind(&kafka, wall_ms.div_euclid(1_000)) {
        warn!(%error, "topics of earlier demos could not be looked for");
    }
}

fn try_delete_left_behind(kafka: &KafkaConfig, now: i64) -> Result<(), SourceError> {
    let names = kafka::topic_names(kafka)?;
    for (run, topics) in left_behind(&names, now) {
        if kafka::has_members(kafka, &run.0)? {
            continue;
        }
        kafka::delete_topics(kafka, &topics)?;
        info!(topics = topics.len(), group = run.0, "deleted what an earlier demo left behind");
    }
    Ok(())
}

/// The topics of runs that began long ago, by run.
fn left_behind(names: &[String], now: i64) -> BTreeMap<RunName, Vec<&str>> {
    let mut runs: BTreeMap<RunName, Vec<&str>> = BTreeMap::new();
    for name in names {
        if let Some((run, began)) = RunName::of_topic(name)
            && now.saturating_sub(began) > OVER_AFTER
        {
            runs.entry(run).or_default().push(name);
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-18 10:00 UTC.
    const NOW_MS: i64 = 1_773_828_000_000;

    #[test]
    fn a_runs_topics_are_known_again() {
        let run = RunName::at(NOW_MS);
        // What another program gives for 1,773,828,000 in base 36.
        assert_eq!(run.0, "odr-demo-tc3ag0");
        for kind in ["orders", "chargebacks", "alerts", "dead-letters"] {
            let topic = format!("{}-{kind}", run.0);
            assert_eq!(RunName::of_topic(&topic), Some((run.clone(), NOW_MS / 1_000)));
        }
    }

    #[test]
    fn other_topics_are_never_taken_for_a_demos() {
        for topic in [
            "orders",
            "odr-alerts",
            "odr-demo-orders",
            "odr-demo--orders",
            "odr-demo-tc3gqo",
            "odr-demo-tc3gqo-",
            "odr-demo-tc3gqo-invoices",
            "odr-demo-TC3GQO-orders",
            "odr-demo-0c3gqo-orders",
            "odr-demo-a_b-orders",
            "my-odr-demo-tc3gqo-orders",
            "odr-demo-zzzzzzzzzzzzzzzzzzzz-orders",
        ] {
            assert_eq!(RunName::of_topic(topic), None, "{topic}");
        }
    }

    #[test]
    fn only_what_is_long_over_is_left_behind() {
        let now = NOW_MS / 1_000;
        let topic = |ago: i64, kind: &str| format!("{}-{kind}", RunName::at((now - ago) * 1_000).0);
        let names = [topic(60, "orders"), topic(700, "orders"), topic(700, "alerts")];
        let found = left_behind(&names, now);
        assert_eq!(found.into_values().collect::<Vec<_>>(), [[&*names[1], &*names[2]]]);
    }
}
