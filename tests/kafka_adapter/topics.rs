//! Topics: what is wrong with them is told at once, and what is missing is created.

use odrwatch::kafka::{
    Creation, KafkaConfig, TopicLayout, TopicState, TopicsError, check_topics, create_topics,
};

use crate::cluster::config;
use crate::support::broker::KafkaBroker as Process;
use crate::support::topics::create_topics as create_as_told;

fn problems(config: &KafkaConfig) -> Vec<String> {
    match check_topics(config, 75) {
        Ok(facts) => panic!("{facts:?}"),
        Err(TopicsError::Problems(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(TopicsError::Source(error)) => panic!("{error}"),
    }
}

#[test]
fn every_problem_of_the_topics_is_told_and_what_is_missing_is_created() {
    let process = Process::start();
    let config = config(&process, "host");
    assert_eq!(problems(&config).len(), 9, "none of the nine exists");

    create_as_told(
        &process.bootstrap(),
        &[
            ("orders", 3, &[("retention.ms", "-1")]),
            ("feedback", 4, &[("retention.ms", "604800000")]),
            ("odr-alerts", 3, &[("message.timestamp.type", "LogAppendTime")]),
            ("odr-progress", 2, &[("retention.ms", "-1")]),
        ],
    );
    let layout = TopicLayout { partitions: 3, replication: Some(1), horizon_days: 75 };
    let planned = create_topics(&config, layout, Creation::DryRun).unwrap();
    let missing = planned.iter().filter(|plan| plan.state == TopicState::Missing).count();
    assert_eq!((planned.len(), missing), (9, 5));
    let created = create_topics(&config, layout, Creation::Create).unwrap();
    let count = created.iter().filter(|plan| plan.state == TopicState::Created).count();
    assert_eq!(count, 5, "{created:?}");
    let again = create_topics(&config, layout, Creation::Create).unwrap();
    assert!(again.iter().all(|plan| plan.state == TopicState::Exists), "{again:?}");

    let told = problems(&config);
    let expected = [
        "feedback: it has 4 partitions where orders has 3",
        "odr-progress: it has 2 partitions where the inputs have 3",
        "feedback: it keeps records for 604800000 ms, which is less than 77 days",
        "odr-alerts: its message.timestamp.type is LogAppendTime, not CreateTime",
        "odr-progress: its message.timestamp.type is CreateTime, not LogAppendTime",
    ];
    assert_eq!(told.len(), expected.len(), "{told:#?}");
    for (problem, expected) in told.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}
