//! Tests of the judgement on topics.

#![expect(
    clippy::type_complexity,
    clippy::as_conversions,
    clippy::unnecessary_wraps,
    reason = "tables"
)]

use std::collections::BTreeMap;

use super::*;

fn settings(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, String>> {
    Some(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn topic(pairs: &[(&str, &str)]) -> Found {
    Found { partitions: 8, replication: 3, settings: settings(pairs) }
}

/// Topics as they must be, by name.
fn good(config: &KafkaConfig) -> BTreeMap<String, Found> {
    let delete = ("cleanup.policy", "delete");
    let forever = ("retention.ms", "-1");
    let inputs = config.topics.inputs.iter().map(|name| (name.clone(), topic(&[delete, forever])));
    let create = ("message.timestamp.type", "CreateTime");
    let append = ("message.timestamp.type", "LogAppendTime");
    let large = ("max.message.bytes", "2097152");
    let outputs = [
        (config.topics.alerts.clone(), topic(&[delete, create])),
        (config.topics.status.clone(), topic(&[("cleanup.policy", "compact")])),
        (config.topics.dead_letters.clone(), topic(&[delete, create, large])),
        (config.topics.progress.clone(), topic(&[delete, forever, append])),
        (config.topics.advice.clone(), topic(&[("cleanup.policy", "compact")])),
    ];
    inputs.chain(outputs).collect()
}

fn config() -> KafkaConfig {
    KafkaConfig::new("kafka:9092", "odrwatch", "host")
}

/// Judges the good topics after a change to one of them; gives problems, then warnings.
fn judged(name: &str, change: impl FnOnce(&mut Found)) -> (Vec<String>, Vec<String>) {
    let config = config();
    let mut found = good(&config);
    change(found.get_mut(name).unwrap());
    let texts = |problems: &[TopicProblem]| problems.iter().map(ToString::to_string).collect();
    match judge(&found, &config, 75) {
        Ok(facts) => (Vec::new(), texts(&facts.warnings)),
        Err(problems) => (texts(&problems), Vec::new()),
    }
}

fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Found) {
    move |found| {
        found.settings.as_mut().unwrap().insert(name.to_owned(), value.to_owned());
    }
}

#[test]
fn topics_as_they_must_be_are_found_fit() {
    let config = config();
    let facts = judge(&good(&config), &config, 75).unwrap();
    assert_eq!(facts.partitions, 8);
    assert_eq!(facts.warnings, []);
    assert_eq!(facts.output(OutTopic::DeadLetters).max_message_bytes, 2_097_152);
    assert_eq!(facts.output(OutTopic::Alerts).max_ahead_ms, Some(3_600_000));
    assert_eq!(facts.output(OutTopic::Progress).max_ahead_ms, None);
}

#[test]
fn each_problem_is_told_with_its_cure() {
    let cases: [(&str, Box<dyn FnOnce(&mut Found)>, &str); 12] = [
        ("orders", Box::new(|found| found.partitions = 0), "odrwatch topics create"),
        ("claims", Box::new(|found| found.partitions = 9), "into a new topic with 8 partitions"),
        ("odr-alerts", Box::new(|found| found.partitions = 4), "--topic odr-alerts --partitions 8"),
        ("odr-progress", Box::new(|found| found.partitions = 9), "delete this one"),
        ("odr-advice", Box::new(|found| found.partitions = 9), "delete this one"),
        ("odr-advice", Box::new(set("cleanup.policy", "delete")), "cleanup.policy=compact"),
        ("orders", Box::new(set("cleanup.policy", "compact,delete")), "cleanup.policy=delete"),
        ("orders", Box::new(set("retention.ms", "604800000")), "retention.ms=6652800000"),
        ("odr-status", Box::new(set("cleanup.policy", "delete")), "cleanup.policy=compact"),
        (
            "odr-progress",
            Box::new(set("message.timestamp.type", "CreateTime")),
            "message.timestamp.type=LogAppendTime",
        ),
        (
            "odr-alerts",
            Box::new(set("message.timestamp.type", "LogAppendTime")),
            "message.timestamp.type=CreateTime",
        ),
        (
            "orders",
            Box::new(set("message.timestamp.after.max.ms", "7200000")),
            "--entity-name odr-dead-letters --add-config message.timestamp.after.max.ms=7200000",
        ),
    ];
    for (name, change, cure) in cases {
        let (problems, _) = judged(name, change);
        assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        assert!(problems[0].contains(cure), "{name}: {problems:?}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let config = config();
    let mut found = good(&config);
    for one in found.values_mut() {
        *one = Found::default();
    }
    assert_eq!(judge(&found, &config, 75).unwrap_err().len(), 9);
}

#[test]
fn what_is_odd_but_harmless_is_a_warning() {
    let cases: [(&str, Box<dyn FnOnce(&mut Found)>, &str); 3] = [
        ("orders", Box::new(|found| found.settings = None), "DescribeConfigs"),
        ("orders", Box::new(set("retention.bytes", "1000")), "retention.bytes=-1"),
        ("claims", Box::new(set("max.message.bytes", "4000000")), "max.message.bytes=4016384"),
    ];
    for (name, change, cure) in cases {
        let (problems, warnings) = judged(name, change);
        assert_eq!(problems, [] as [String; 0]);
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(warnings[0].contains(cure), "{name}: {warnings:?}");
    }
}

#[test]
fn advice_that_is_off_needs_no_topic() {
    let mut config = config();
    let mut found = good(&config);
    found.remove("odr-advice");
    config.topics.advice.clear();
    let facts = judge(&found, &config, 75).unwrap();
    assert_eq!(facts.output(OutTopic::Advice).numbers(), 0..0);
}

#[test]
fn outputs_for_standings_and_dead_letters_may_have_any_number_of_partitions() {
    for name in ["odr-status", "odr-dead-letters"] {
        let (problems, _) = judged(name, |found| found.partitions = 3);
        assert_eq!(problems, [] as [String; 0]);
    }
}
