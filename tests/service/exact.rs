//! Four topics of everything in, exact alerts out: the main run.

use std::collections::BTreeMap;
use std::fmt::Write;

use odrwatch::domain::event::{DeadReason, Topic};
use odrwatch::pipeline::ports::OutTopic;

use super::check::Check;
use super::child::{Odrwatch, metric, promtool_accepts};
use super::feed::{CANARY, History, Written, feedback, keyed, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::topics::{Isolation, read_all};

const HISTORY: History = History { seed: 1, hostile: 110_000, bulk: 60_000 };

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn committed_alerts_are_those_of_a_replay_of_the_dumped_topics() {
    let stage = Stage::new("exact", 8);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    written.produce(&stage, &with_words_of_buyers(&stage));
    assert!(written.records >= 200_000, "{} records", written.records);

    let mut service = Odrwatch::start(&stage, "a", &["log.level=debug"]);
    Probe::new(&stage).await_done(&written, &mut [&mut service]);
    service.await_ready();
    let metrics = service.metrics();
    service.stop();
    promtool_accepts(&metrics);

    let check = Check::new(&stage);
    assert_eq!(check.records(), written.records);
    let alerts = check.alerts();
    check.alert_records();
    check.replay_from_kafka();
    let reasons = check.dead_letters();
    let all: Vec<&str> = DeadReason::ALL.into_iter().map(DeadReason::as_str).collect();
    let found: Vec<&str> = all.iter().copied().filter(|code| reasons.contains_key(*code)).collect();
    assert_eq!(found, all, "every reason is met");
    let (compared, waiting) = check.statuses();
    assert!(compared > waiting, "{compared} standings compared, {waiting} not yet written");
    let outcomes = outcomes_agree(&check, &metrics, written.records);
    assert_eq!(metric(&metrics, "odrwatch_alerts_total", ""), u64::try_from(alerts).unwrap());
    for (place, text) in said(&stage, &service, metrics) {
        assert!(!text.contains(CANARY), "words of a buyer in {place}");
    }
    println!(
        "{} records, {alerts} alerts, {compared} standings compared ({waiting} waiting), \
         dead {reasons:?}, outcomes {outcomes:?}",
        written.records
    );
}

/// Good and bad records with words that must not get out.
fn with_words_of_buyers(stage: &Stage) -> Vec<crate::support::topics::Record> {
    let now = now_ms();
    let bad = [
        format!("{{\"comment\":\"{CANARY}\""),
        format!("{{\"seller_id\":\"S\",\"order_id\":\"{CANARY} caf\u{e9}\"}}"),
        format!("{{\"seller_id\":\"S\",\"order_id\":\"O\",\"status\":\"{CANARY}\",\"rating\":1}}"),
        format!("{{\"seller_id\":\"S\",\"rating\":1,\"rating\":2,\"{CANARY}\":1}}"),
        format!("{{\"seller_id\":\"S\",\"event_time\":\"{CANARY}\",\"order_id\":\"O\"}}"),
    ];
    let bad = bad.into_iter().map(|value| keyed(stage, Topic::Feedback, "S", now, value));
    let good = [order(stage, "S", "302-7", now), feedback(stage, "S", "302-7", now)];
    good.into_iter().chain(bad).collect()
}

/// The counters are the replay's counts and add up to the records; returns them.
fn outcomes_agree(
    check: &Check<'_>,
    metrics: &str,
    records: usize,
) -> BTreeMap<(String, String), u64> {
    let (outcomes, dead) = check.outcomes();
    let total = metric(metrics, "odrwatch_records_total", "");
    assert_eq!(total, u64::try_from(records).unwrap(), "the outcomes add up to the records");
    assert_eq!(outcomes.values().sum::<u64>(), total);
    for ((topic, outcome), count) in &outcomes {
        let labels = format!("outcome=\"{outcome}\",topic=\"{topic}\"");
        assert_eq!(metric(metrics, "odrwatch_records_total", &labels), *count, "{labels}");
    }
    for (reason, count) in &dead {
        let labels = format!("reason=\"{reason}\"");
        assert_eq!(metric(metrics, "odrwatch_dead_letters_total", &labels), *count, "{labels}");
    }
    outcomes
}

/// All that the service says to anybody but the owner of the dead letters.
fn said(stage: &Stage, service: &Odrwatch, metrics: String) -> Vec<(String, String)> {
    let mut said = vec![("the log".to_owned(), service.log()), ("the metrics".to_owned(), metrics)];
    for topic in [OutTopic::Alerts, OutTopic::Status, OutTopic::Progress, OutTopic::DeadLetters] {
        let name = stage.output(topic);
        for record in read_all(&stage.bootstrap(), &name, Isolation::ReadUncommitted) {
            let ours = |(header, _): &&(String, Option<Vec<u8>>)| header.starts_with("__odrwatch");
            let headers =
                record.headers.iter().filter(|pair| topic != OutTopic::DeadLetters || ours(pair));
            let mut text = String::new();
            for (name, value) in headers {
                let value = value.as_deref().unwrap_or_default();
                // Writing to a string cannot fail.
                let _ = write!(text, "{name}={} ", String::from_utf8_lossy(value));
            }
            if topic != OutTopic::DeadLetters {
                text.push_str(&String::from_utf8_lossy(&record.value.unwrap_or_default()));
                text.push_str(&String::from_utf8_lossy(&record.key.unwrap_or_default()));
            }
            said.push((name.clone(), text));
        }
    }
    said
}
