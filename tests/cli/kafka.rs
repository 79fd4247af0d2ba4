//! The commands that need a cluster, beside a real Apache Kafka.

use crate::command::{done, run};
use crate::market::{Files, market, replayed};
use crate::oracle;
use crate::support::broker::KafkaBroker;
use crate::support::topics::{Record, produce};

#[test]
fn topics_are_created_and_checked_and_replayed_up_to_their_ends() {
    let broker = KafkaBroker::start();
    let bootstrap = format!("kafka.bootstrap_servers={}", broker.bootstrap());
    let with = |args: &[&'static str]| {
        let mut args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        args.extend(["--set".to_owned(), bootstrap.clone()]);
        args
    };
    let run_with = |args: &[&'static str]| {
        let args = with(args);
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };

    let nothing = run_with(&["topics", "check"]);
    assert_eq!(nothing.code, 78, "{}", nothing.err);
    for topic in ["orders", "feedback", "claims", "chargebacks", "odr-alerts", "odr-advice"] {
        assert!(nothing.err.contains(&format!("\n  {topic}: ")), "{topic} in {}", nothing.err);
    }
    assert_eq!(run_with(&["validate"]).code, 78);
    let replayed_nothing = run_with(&["replay", "--from-kafka"]);
    assert_eq!(replayed_nothing.code, 78, "{}", replayed_nothing.err);
    let said = &replayed_nothing.err;
    assert!(said.contains("the topic orders does not exist") && said.contains("kafka.topics"));

    let create = ["topics", "create", "--partitions", "1"];
    let count = |text: &str, part: &str| text.matches(part).count();
    let planned = run_with(&[&create[..], &["--dry-run"]].concat());
    assert_eq!((planned.code, count(&planned.out, "would be created")), (0, 10), "{}", planned.out);
    let created = run_with(&create);
    assert_eq!((created.code, count(&created.out, " created ")), (0, 10), "{}", created.out);
    let again = run_with(&create);
    assert_eq!((again.code, count(&again.out, "is there")), (0, 10), "{}", again.out);
    let checked = run_with(&["topics", "check"]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.starts_with("The topics are right; the inputs have 1 partition each."));
    let valid = run_with(&["validate"]);
    assert!(valid.code == 0 && valid.out.ends_with(&checked.out), "{}", valid.err);

    let records = market();
    let produced: Vec<Record> = records
        .iter()
        .map(|record| Record {
            topic: crate::market::NAMES[record.topic].to_owned(),
            partition: 0,
            timestamp: record.timestamp_ms.unwrap(),
            key: Some(b"S1".to_vec()),
            value: record.value.clone(),
            headers: Vec::new(),
        })
        .collect();
    produce(&broker.bootstrap(), &produced);
    let expected = Files::expected(&oracle::run(&oracle::Config::default(), &records));
    let (files, _) = replayed(&["--from-kafka", "--set", &bootstrap]);
    assert_eq!(files, expected);
    let (files, _) =
        replayed(&["--from-kafka", "--until", "2026-01-05T00:00:45Z", "--set", &bootstrap]);
    assert!(expected.alerts.starts_with(&files.alerts) && files.alerts.lines().count() == 2);
}

#[test]
fn what_needs_no_broker_asks_none() {
    // Nobody listens on port 9: what asked would not end so soon, nor with 0.
    done(&["validate", "--no-environment", "--set", "kafka.bootstrap_servers=127.0.0.1:9"]);
    done(&["replay", "/dev/null", "--set", "kafka.bootstrap_servers=127.0.0.1:9"]);
}
