//! Loud stops on a real broker: logs that are not what they were, each with its exit code.

use odrwatch::domain::event::Topic;
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::wire::decision::DecisionLine;
use odrwatch::wire::progress;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use super::check::progress as progress_of;
use super::child::{Odrwatch, metric};
use super::feed::{History, Written, feedback, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::topics::{Isolation, Record, client, produce, read_all};

const HISTORY: History = History { seed: 41, hostile: 1_500, bulk: 3_000 };

/// With snapshots, so that a restart reads nothing again that could tell.
const KEPT: &str = "snapshots.store=kafka";

fn admin(stage: &Stage) -> (AdminClient<DefaultClientContext>, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    (client(&stage.bootstrap()).create().unwrap(), runtime)
}

/// A history that a service worked through.
fn running(stage: &Stage, written: &mut Written) -> Odrwatch {
    written.produce_all(stage, &HISTORY.records(stage));
    let mut service = Odrwatch::start(stage, "a", &[KEPT]);
    Probe::new(stage).await_done(written, &mut [&mut service]);
    service.await_ready();
    service
}

/// The service ends by itself with a code, and its last line says why.
fn ends(service: &mut Odrwatch, code: i32, words: &[&str]) {
    assert_eq!(service.wait(), Some(code), "{}", service.log());
    let log = service.log();
    let last = log.lines().last().unwrap_or_default();
    for word in words {
        assert!(last.contains(word), "{word:?} in the last line of\n{log}");
    }
}

fn delete(stage: &Stage, topic: &str) {
    let (admin, runtime) = admin(stage);
    let deleted = runtime.block_on(admin.delete_topics(&[topic], &AdminOptions::new())).unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

#[test]
fn a_topic_that_was_made_anew_with_the_same_records_is_another_topic() {
    let stage = Stage::new("anew", 2);
    let mut written = Written::default();
    let mut service = running(&stage, &mut written);
    service.stop();
    let topic = stage.input(Topic::Claims);
    let records = read_all(&stage.bootstrap(), &topic, Isolation::ReadCommitted);
    delete(&stage, &topic);
    stage.create_input(Topic::Claims);
    let copies: Vec<Record> = records
        .iter()
        .map(|record| Record {
            topic: topic.clone(),
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.clone(),
            value: record.value.clone(),
            headers: record.headers.clone(),
        })
        .collect();
    produce(&stage.bootstrap(), &copies);
    let mut service = Odrwatch::start(&stage, "a", &[KEPT]);
    ends(&mut service, 80, &["claims", "another one than before", "new group"]);
}

#[test]
fn a_topic_that_is_deleted_or_given_partitions_under_a_running_service_stops_it() {
    let stage = Stage::new("deleted", 2);
    let mut service = running(&stage, &mut Written::default());
    let topic = stage.input(Topic::Chargebacks);
    delete(&stage, &topic);
    ends(&mut service, 80, &[&topic, "was deleted"]);

    let stage = Stage::new("wider", 2);
    let mut service = running(&stage, &mut Written::default());
    let (admin, runtime) = admin(&stage);
    let topic = stage.input(Topic::Orders);
    let wider = [NewPartitions::new(&topic, 3)];
    runtime.block_on(admin.create_partitions(&wider, &AdminOptions::new())).unwrap();
    ends(&mut service, 79, &[&topic, "has 3 partitions, and it had 2"]);
}

#[test]
fn topics_that_were_all_given_partitions_while_nothing_ran_are_refused() {
    let stage = Stage::new("widened", 2);
    let mut service = running(&stage, &mut Written::default());
    service.stop();
    let (admin, runtime) = admin(&stage);
    let mut topics: Vec<String> = Topic::ALL.map(|topic| stage.input(topic)).to_vec();
    let outputs = [OutTopic::Alerts, OutTopic::Advice, OutTopic::Progress];
    topics.extend(outputs.map(|topic| stage.output(topic)));
    topics.push(stage.snapshots());
    for topic in &topics {
        let wider = [NewPartitions::new(topic, 3)];
        runtime.block_on(admin.create_partitions(&wider, &AdminOptions::new())).unwrap();
    }
    let mut service = Odrwatch::start(&stage, "a", &[KEPT]);
    ends(&mut service, 79, &["have 3 partitions, and had 2", "new group"]);
}

#[test]
fn a_gap_names_itself_and_is_gone_on_behind_only_when_asked_to() {
    let stage = Stage::new("gap", 2);
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    let mut service = running(&stage, &mut written);
    service.stop();
    // Retention passes records that came while nothing ran.
    let now = now_ms();
    let lost: Vec<Record> =
        (0..30).map(|n| order(&stage, &format!("LOST{n}"), &format!("302-{n}"), now)).collect();
    written.produce(&stage, &lost);
    stage.drop_all_inputs(Topic::Orders);
    let mut service = Odrwatch::start(&stage, "a", &[KEPT]);
    ends(&mut service, 66, &["orders-", "data gap", "offsets ", "--accept-gap"]);

    let mut service = Odrwatch::start_with_args(&stage, "a", &[KEPT], &["--accept-gap"]);
    service.await_ready();
    // A partition that nothing came to since stays where the gap began.
    let mut behind = Written::default();
    let records = [order(&stage, "S", "302-77", now), feedback(&stage, "S", "302-77", now)];
    behind.produce(&stage, &records);
    probe.await_done(&behind, &mut [&mut service]);
    let text = service.metrics();
    assert_eq!(metric(&text, "odrwatch_gap_offsets_total", "topic=\"orders\""), 30);
    service.stop();
    let of = |line: &DecisionLine| match line {
        DecisionLine::Gap { topic, from, to, .. } => Some((*topic, to.get() - from.get())),
        _ => None,
    };
    let records: Vec<_> = progress_of(&stage).into_iter().flatten().collect();
    let gaps: Vec<_> = records.iter().flat_map(|one| &one.decisions).filter_map(of).collect();
    assert!(gaps.iter().all(|(topic, _)| *topic == Topic::Orders), "{gaps:?}");
    assert_eq!(gaps.iter().map(|(_, lost)| lost).sum::<i64>(), 30, "{gaps:?}");
    // The decision is recorded: nobody needs to be asked again.
    let mut service = Odrwatch::start(&stage, "a", &[KEPT]);
    service.await_ready();
    service.stop();
}

#[test]
fn a_progress_topic_of_a_newer_version_and_a_refused_state_end_with_their_codes() {
    let stage = Stage::new("newer", 2);
    let mut service = running(&stage, &mut Written::default());
    service.stop();
    let topic = stage.output(OutTopic::Progress);
    let mut last = progress_of(&stage).remove(0).pop().unwrap();
    last.number += 1;
    let mut value = Vec::new();
    progress::write_value(&last, &mut value);
    let newer = String::from_utf8(value).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    produce(&stage.bootstrap(), &[Record::new(&topic, 0, now_ms(), "0", newer)]);
    let mut service = Odrwatch::start(&stage, "a", &[KEPT]);
    ends(&mut service, 76, &["version 2", "run that version"]);
}

#[test]
fn inputs_that_do_not_give_what_was_committed_end_with_their_code() {
    // The same names hold other records below the committed offsets: the whole state is computed
    // again, and the digest tells.
    let stage = Stage::new("digest", 2);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let mut service = Odrwatch::start(&stage, "a", &[]);
    Probe::new(&stage).await_done(&written, &mut [&mut service]);
    service.stop();
    // Without ids and marks, as an older version recorded it, in a topic that takes its place.
    let topic = "digest-others";
    crate::support::topics::create_topics(
        &stage.bootstrap(),
        &[(topic, 2, &[("retention.ms", "-1"), ("message.timestamp.type", "LogAppendTime")])],
    );
    let copies = progress_of(&stage).into_iter().flatten().map(|mut record| {
        record.logs = Default::default();
        if record.number > 2 {
            record.digest.0 ^= 1;
        }
        let mut value = Vec::new();
        progress::write_value(&record, &mut value);
        let partition = i32::try_from(record.shard.get()).unwrap();
        Record::new(topic, partition, now_ms(), "k", value)
    });
    produce(&stage.bootstrap(), &copies.collect::<Vec<_>>());
    let other = format!("kafka.topics.progress={topic}");
    let mut service = Odrwatch::start(&stage, "a", &[&other]);
    ends(&mut service, 65, &["is not what was committed there", "digest"]);
}
