//! Checks the harness of the broker tests itself, so that a test on top of it fails for its own
//! reasons only.

mod support;

use std::process::Command;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use support::STEP_LIMIT;
use support::broker::KafkaBroker;
use support::certificates::Certificates;
use support::topics::{
    Ending, Isolation, OpenTransaction, Record, Stored, client, create_topics, end_offsets,
    produce, produce_transactional, read_all,
};

/// Some moment in 2025; the records of these tests lie in the past, as replayed history does.
const TIMESTAMP: i64 = 1_750_000_000_000;

fn record(topic: &str, partition: i32, value: &str) -> Record {
    Record::new(topic, partition, TIMESTAMP, "A1SELLER", value)
}

fn values(records: &[Stored]) -> Vec<(i32, i64, &str)> {
    records
        .iter()
        .map(|record| {
            let value = record.value.as_deref().expect("these tests write no tombstone");
            (
                record.partition,
                record.offset,
                std::str::from_utf8(value).expect("the tests write text"),
            )
        })
        .collect()
}

#[test]
fn records_come_back_as_they_were_written() {
    let broker = KafkaBroker::start();
    let at = broker.bootstrap();
    create_topics(&at, &[("plain", 3, &[("retention.ms", "-1"), ("cleanup.policy", "delete")])]);

    let mut with_headers = record("plain", 2, "headers");
    with_headers.headers =
        vec![("reason".into(), Some(b"bad_json".to_vec())), ("empty".into(), None)];
    let mut tombstone = record("plain", 2, "");
    tombstone.value = None;
    let mut empty = record("plain", 2, "");
    empty.key = None;
    empty.timestamp = TIMESTAMP - 1;
    let written = [record("plain", 0, "first"), with_headers, tombstone, empty];
    assert_eq!(produce(&at, &written), [0, 0, 1, 2]);

    let read = read_all(&at, "plain", Isolation::ReadCommitted);
    let places: Vec<(i32, i64)> = read.iter().map(|read| (read.partition, read.offset)).collect();
    assert_eq!(places, [(0, 0), (2, 0), (2, 1), (2, 2)]);
    for (read, written) in read.iter().zip(&written) {
        assert_eq!(read.timestamp, written.timestamp);
        assert_eq!(read.key, written.key);
        assert_eq!(read.value, written.value);
        assert_eq!(read.headers, written.headers);
    }
    assert_eq!(end_offsets(&at, "plain", Isolation::ReadUncommitted), [1, 0, 3]);
}

#[test]
fn only_committed_records_are_seen_by_a_committed_reader() {
    let broker = KafkaBroker::start();
    let at = broker.bootstrap();
    create_topics(&at, &[("transactions", 2, &[])]);

    let committed = [record("transactions", 0, "a"), record("transactions", 0, "b")];
    produce_transactional(&at, "writer", &committed, Ending::Commit);
    produce_transactional(&at, "writer", &[record("transactions", 0, "c")], Ending::Abort);
    produce_transactional(&at, "writer", &[record("transactions", 1, "d")], Ending::Abort);

    // Offsets 2, 4 of partition 0 and 1 of partition 1 are the marks of the ends.
    let all = [(0, 0, "a"), (0, 1, "b"), (0, 3, "c"), (1, 0, "d")];
    assert_eq!(values(&read_all(&at, "transactions", Isolation::ReadUncommitted)), all);
    assert_eq!(values(&read_all(&at, "transactions", Isolation::ReadCommitted)), all[..2]);
    assert_eq!(end_offsets(&at, "transactions", Isolation::ReadCommitted), [5, 2]);

    let open = OpenTransaction::begin(&at, "other");
    assert_eq!(open.produce(&[record("transactions", 1, "e")]), [2]);
    produce(&at, &[record("transactions", 1, "f")]);
    assert_eq!(end_offsets(&at, "transactions", Isolation::ReadCommitted), [5, 2]);
    assert_eq!(end_offsets(&at, "transactions", Isolation::ReadUncommitted), [5, 4]);
    assert_eq!(values(&read_all(&at, "transactions", Isolation::ReadCommitted)), all[..2]);
    open.end(Ending::Commit);
    let seen = read_all(&at, "transactions", Isolation::ReadCommitted);
    assert_eq!(values(&seen), [(0, 0, "a"), (0, 1, "b"), (1, 2, "e"), (1, 3, "f")]);
}

#[test]
fn a_killed_broker_comes_back_with_its_records() {
    let mut broker = KafkaBroker::start_with(&[("message.max.bytes", "2000000")]);
    let at = broker.bootstrap();
    create_topics(&at, &[("kept", 1, &[])]);
    produce(&at, &[record("kept", 0, "before")]);

    broker.kill();
    broker.restart();
    assert_eq!(broker.bootstrap(), at);
    produce(&at, &[record("kept", 0, &"long".repeat(400_000))]);

    broker.stop();
    broker.restart();
    let read = read_all(&at, "kept", Isolation::ReadCommitted);
    let lengths: Vec<Option<usize>> =
        read.iter().map(|read| read.value.as_ref().map(Vec::len)).collect();
    assert_eq!(lengths, [Some(6), Some(1_600_000)]);
}

#[test]
fn a_paused_broker_answers_nothing_until_it_is_resumed() {
    let broker = KafkaBroker::start();
    let at = broker.bootstrap();
    create_topics(&at, &[("held", 1, &[])]);
    produce(&at, &[record("held", 0, "before")]);

    broker.pause();
    let consumer: BaseConsumer = client(&at).set("group.id", "g").create().expect("valid");
    assert!(consumer.fetch_metadata(None, Duration::from_millis(500)).is_err());
    broker.resume();
    assert_eq!(values(&read_all(&at, "held", Isolation::ReadCommitted)), [(0, 0, "before")]);
}

#[test]
fn a_tls_listener_serves_those_who_know_its_authority() {
    let dir = tempfile::tempdir().expect("the temporary directory is writable");
    let (broker, tls) = KafkaBroker::start_tls(dir.path());
    create_topics(&broker.bootstrap(), &[("secret", 1, &[])]);

    let elsewhere = tempfile::tempdir().expect("the temporary directory is writable");
    let stranger = Certificates::write(elsewhere.path()).ca;
    let cases = [(&tls.ca, true, STEP_LIMIT), (&stranger, false, Duration::from_secs(1))];
    for (ca, expected, limit) in cases {
        let consumer: BaseConsumer = client(&tls.bootstrap())
            .set("group.id", "g")
            .set("security.protocol", "ssl")
            .set("ssl.ca.location", ca.to_str().expect("temporary paths are UTF-8"))
            .create()
            .expect("valid");
        let metadata = consumer.fetch_metadata(Some("secret"), limit);
        let served = metadata.is_ok_and(|found| found.topics()[0].partitions().len() == 1);
        assert_eq!(served, expected, "authority {}", ca.display());
    }
}

#[test]
fn promtool_is_there() {
    let output = Command::new(support::promtool()).arg("--version").output().expect("it runs");
    assert!(output.status.success());
}
