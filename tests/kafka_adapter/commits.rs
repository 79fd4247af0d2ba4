//! Transactions: what becomes visible, once, with its offsets; and what never does.

use std::collections::BTreeMap;

use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::ports::{
    Broker, CommitError, CommittedShard, GroupEvent, OutTopic, SourceError,
};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::cluster::{Cluster, at, await_shards, batch, committed};
use crate::support::topics::{Ending, OpenTransaction, client};
use crate::support::{Deadline, STEP_LIMIT};

#[test]
fn a_transaction_is_visible_once_with_its_offsets_and_their_number() {
    let cluster = Cluster::start(2);
    let mut worker = cluster.sole_worker("host");
    assert_eq!(committed(&mut worker, 0), None);

    for number in 1..=3 {
        worker.commit(&batch(0, number)).unwrap();
    }
    let expected = Some(CommittedShard { next: [at(3), at(4), at(5), at(6)], progress: 3 });
    assert_eq!(committed(&mut worker, 0), expected);
    assert_eq!(committed(&mut worker, 1), None);
    assert_eq!(cluster.committed_values("odr-alerts"), ["1", "2", "3"]);
    assert_eq!(cluster.committed_values("odr-progress"), ["1", "2", "3"]);

    let alerts = cluster.committed_records("odr-alerts");
    assert_eq!(alerts[0].timestamp, 1_700_000_000_001);
    assert_eq!(alerts[0].key.as_deref(), Some(&b"key"[..]));
    let headers = [("kind".to_owned(), Some(b"warning".to_vec())), ("none".to_owned(), None)];
    assert_eq!(alerts[0].headers, headers);
}

#[test]
fn a_record_without_a_partition_goes_where_its_key_says() {
    let cluster = Cluster::start(4);
    let mut worker = cluster.sole_worker("host");
    let mut batch = batch(0, 1);
    batch.records[0].topic = OutTopic::Status;
    batch.records[0].timestamp_ms = None;
    batch.records[0].partition = None;
    // Kafka's own murmur2 of "abc" (UtilsTest.testMurmur2).
    batch.records[0].key = Some(b"abc".to_vec());
    worker.commit(&batch).unwrap();
    let status = cluster.committed_records("odr-status");
    let expected = 479_470_107 % 4;
    assert_eq!(status.iter().map(|record| record.partition).collect::<Vec<_>>(), [expected]);
}

#[test]
fn a_decision_by_a_wrong_clock_is_refused_and_nothing_of_it_is_seen() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    let mut refused = batch(0, 1);
    // No clock differs by less than nothing.
    refused.max_clock_skew_ms = Some(-1);
    assert!(matches!(worker.commit(&refused), Err(CommitError::ClockSkew { .. })));
    assert!(matches!(
        worker.commit(&batch(0, 2)),
        Err(CommitError::Restart { stage: "begin", .. })
    ));

    worker.reconnect().unwrap();
    let mut taken = batch(0, 3);
    taken.max_clock_skew_ms = Some(60_000);
    let receipt = worker.commit(&taken).unwrap();
    assert!(receipt.clock_skew_ms.is_some_and(|skew| skew.abs() < 60_000), "{receipt:?}");
    assert_eq!(cluster.committed_values("odr-alerts"), ["3"]);
    let everything = cluster.all_values("odr-alerts");
    assert_eq!(everything, ["1", "3"], "the refused one was written, and aborted");
    let progress = committed(&mut worker, 0).map(|found| found.progress);
    assert_eq!(progress, Some(3));
}

#[test]
fn a_newer_instance_of_the_same_name_fences_the_older() {
    let cluster = Cluster::start(1);
    let mut older = cluster.sole_worker("host");
    older.commit(&batch(0, 1)).unwrap();
    let mut newer = cluster.worker("host");
    let error = older.commit(&batch(0, 2)).unwrap_err();
    assert!(matches!(error, CommitError::Fenced(_)), "{error}");

    await_shards(&mut newer, &cluster.shards());
    // Once the newer has joined, the older learns that its place in the group is taken, too, and
    // must not fence the newer in turn.
    let deadline = Deadline::of_step();
    while !matches!(older.poll_group(&mut Vec::new()), Err(SourceError::Fenced(_))) {
        deadline.wait(|| "the older to be fenced in the group".to_owned());
    }
    assert!(matches!(older.reconnect(), Err(SourceError::Fenced(_))));
    newer.commit(&batch(0, 3)).unwrap();
    assert_eq!(cluster.committed_values("odr-alerts"), ["1", "3"]);
    assert_eq!(cluster.committed_values("odr-progress"), ["1", "3"]);
}

#[test]
fn a_shard_that_is_not_assigned_is_not_committed() {
    let cluster = Cluster::start(2);
    let mut first = cluster.sole_worker("a");
    let mut second = cluster.worker("b");
    let mut lost = None;
    let deadline = Deadline::of_step();
    // The first is told that all is taken from it, and has nothing until it has joined again.
    while lost.is_none() {
        let mut events = Vec::new();
        first.poll_group(&mut events).unwrap();
        second.poll_group(&mut Vec::new()).unwrap();
        if events.contains(&GroupEvent::Revoked { lost: false }) {
            lost = Some(events.len());
        }
        deadline.wait(|| "the revocation".to_owned());
    }
    if lost == Some(1) {
        let error = first.commit(&batch(0, 1)).unwrap_err();
        assert!(matches!(error, CommitError::Restart { stage: "begin", .. }), "{error}");
        first.reconnect().unwrap();
    }
    let mut shards = BTreeMap::new();
    while shards.len() < 2 {
        for (name, worker) in [("a", &mut first), ("b", &mut second)] {
            let mut events = Vec::new();
            worker.poll_group(&mut events).unwrap();
            for event in events {
                if let GroupEvent::Assigned(assigned) = event
                    && assigned.len() == 1
                {
                    shards.insert(name, assigned[0].get());
                }
            }
        }
        deadline.wait(|| format!("one shard each; {shards:?}"));
    }
    let error = first.commit(&batch(shards["b"], 2)).unwrap_err();
    assert!(matches!(error, CommitError::Restart { stage: "begin", .. }), "{error}");
    first.reconnect().unwrap();
    first.commit(&batch(shards["a"], 3)).unwrap();
    second.commit(&batch(shards["b"], 4)).unwrap();
    let mut seen = cluster.committed_values("odr-alerts");
    seen.sort();
    assert_eq!(seen, ["3", "4"]);
}

#[test]
fn a_member_that_fell_out_of_its_group_commits_nothing_more() {
    let cluster = Cluster::start(1);
    let mut config = cluster.config("host");
    // Without a call of poll_group for so long, the client leaves the group by itself.
    config.properties.insert("max.poll.interval.ms".to_owned(), "2000".to_owned());
    let mut worker = cluster.worker_with(&config);
    await_shards(&mut worker, &cluster.shards());
    let mut done = 0;
    let deadline = Deadline::of_step();
    let error = loop {
        match worker.commit(&batch(0, done + 1)) {
            Ok(_) => done += 1,
            Err(error) => break error,
        }
        deadline.wait(|| "the loss of the membership".to_owned());
    };
    assert!(matches!(error, CommitError::Restart { .. }), "{error}");
    let seen = cluster.committed_values("odr-alerts").len();
    assert_eq!(i64::try_from(seen).unwrap(), done);

    // It comes back by itself. (The call that replaces the producer takes some of the two seconds.)
    worker.reconnect().unwrap();
    let events = await_shards(&mut worker, &cluster.shards());
    assert!(events.contains(&GroupEvent::Revoked { lost: true }), "{events:?}");
    worker.commit(&batch(0, done + 1)).unwrap();
}

#[test]
fn a_record_that_no_broker_takes_is_refused_before_the_transaction() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    let limit = worker.max_record_bytes(OutTopic::Alerts);

    let mut long = batch(0, 1);
    long.records[0].value = Some(vec![b'x'; 2 * limit]);
    let error = worker.commit(&long).unwrap_err();
    assert!(
        matches!(&error, CommitError::Impossible(text) if text.contains("odr-alerts")),
        "{error}"
    );

    let mut early = batch(0, 2);
    early.records[0].timestamp_ms = Some(4_000_000_000_000);
    let error = worker.commit(&early).unwrap_err();
    assert!(matches!(error, CommitError::Impossible(_)), "{error}");

    // The longest record is taken, incompressible, with headers.
    let mut longest = batch(0, 3);
    let record = &mut longest.records[0];
    record.headers = (0..20).map(|n| (format!("header-{n}"), Some(vec![b'h'; 20]))).collect();
    let headers: usize = record.headers.iter().map(|(name, _)| name.len() + 20).sum();
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    record.value = Some(noise.take(limit - headers - 3).collect());
    worker.commit(&longest).unwrap();
    assert_eq!(cluster.committed_records("odr-alerts").len(), 1);
}

#[test]
fn an_old_owners_open_offsets_are_waited_for() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    worker.commit(&batch(0, 1)).unwrap();
    // Another owner's transaction has sent offsets for the shard and is still open.
    let mut config = client(&cluster.bootstrap());
    config.set("transactional.id", "another");
    let other: ThreadedProducer<DefaultProducerContext> = config.create().unwrap();
    other.init_transactions(STEP_LIMIT).unwrap();
    other.begin_transaction().unwrap();
    send_foreign_offsets(&other, &cluster);
    let error = worker.committed(ShardNo::new(0)).unwrap_err();
    assert!(matches!(error, SourceError::NotReady(_)), "{error}");

    other.abort_transaction(STEP_LIMIT).unwrap();
    let found = committed(&mut worker, 0);
    assert_eq!(found.map(|found| found.progress), Some(1));
}

/// Sends an offset of shard 0 to the producer's open transaction, as a member of no generation.
fn send_foreign_offsets(producer: &ThreadedProducer<DefaultProducerContext>, cluster: &Cluster) {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    use rdkafka::{Offset, TopicPartitionList};
    let mut config = client(&cluster.bootstrap());
    config.set("group.id", "odrwatch");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(77)).unwrap();
    let metadata = consumer.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&offsets, &metadata, STEP_LIMIT).unwrap();
}

#[test]
fn foreign_or_half_committed_offsets_stop_the_shard() {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
    use rdkafka::{Offset, TopicPartitionList};
    let cluster = Cluster::start(2);
    let mut config = client(&cluster.bootstrap());
    config.set("group.id", "odrwatch").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset("orders", 0, Offset::Offset(5)).unwrap();
    for topic in ["orders", "feedback", "claims", "chargebacks"] {
        offsets.add_partition_offset(topic, 1, Offset::Offset(5)).unwrap();
    }
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
    let mut worker = cluster.sole_worker("host");
    for (shard, problem) in [(0, "has no progress number"), (1, "has no progress number")] {
        let error = worker.committed(ShardNo::new(shard)).unwrap_err();
        assert!(
            matches!(&error, SourceError::Stop(text) if text.contains(problem)),
            "{shard}: {error}"
        );
    }
}

#[test]
fn a_start_waits_for_an_open_transaction_on_its_outputs() {
    let cluster = Cluster::start(1);
    let open = OpenTransaction::begin(&cluster.bootstrap(), "someone-else");
    let foreign = crate::support::topics::Record::new("odr-alerts", 0, 1, "key", "foreign");
    open.produce(&[foreign]);
    let error =
        odrwatch::kafka::KafkaBroker::connect(&cluster.config("host"), &cluster.facts).unwrap_err();
    assert!(
        matches!(&error, SourceError::NotReady(text) if text.contains("odr-alerts-0")),
        "{error}"
    );
    open.end(Ending::Commit);
    let mut worker = cluster.sole_worker("host");
    worker.commit(&batch(0, 1)).unwrap();
    assert_eq!(cluster.committed_values("odr-alerts"), ["foreign", "1"]);
}

#[test]
fn dead_records_stay_dead_when_a_killed_broker_forgot_their_abort() {
    // A broker that comes back before its session has ended may not serve until then; meanwhile its
    // transaction coordinator lets the transaction time out, and finds nobody to write markers to.
    let mut cluster = Cluster::start_with(1, &[("broker.session.timeout.ms", "9000")]);
    let mut config = cluster.config("host");
    config.transaction_timeout_ms = 2_000;
    // An earlier life of the worker dies with a transaction open, and the broker with it.
    let mut earlier = client(&cluster.bootstrap());
    earlier.set("transactional.id", config.identity()).set("transaction.timeout.ms", "2000");
    let earlier: ThreadedProducer<DefaultProducerContext> = earlier.create().unwrap();
    earlier.init_transactions(STEP_LIMIT).unwrap();
    earlier.begin_transaction().unwrap();
    earlier
        .send(BaseRecord::<str, str>::to("odr-alerts").partition(0).key("key").payload("dead"))
        .unwrap();
    send_foreign_offsets(&earlier, &cluster);
    let deadline = Deadline::of_step();
    while earlier.in_flight_count() > 0 {
        deadline.wait(|| "the delivery of the dead record".to_owned());
    }
    cluster.process.kill();
    drop(earlier);
    cluster.process.restart();

    let mut worker = until_connected(&cluster, &config);
    await_shards(&mut worker, &cluster.shards());
    assert_eq!(committed(&mut worker, 0), None, "the dead offsets are gone");
    worker.commit(&batch(0, 1)).unwrap();
    assert_eq!(cluster.committed_values("odr-alerts"), ["1"]);
    let everything = cluster.all_values("odr-alerts");
    assert_eq!(everything, ["dead", "1"]);
}

fn until_connected(
    cluster: &Cluster,
    config: &odrwatch::kafka::KafkaConfig,
) -> odrwatch::kafka::KafkaBroker {
    let deadline = Deadline::of_step();
    loop {
        match odrwatch::kafka::KafkaBroker::connect(config, &cluster.facts) {
            Ok(worker) => return worker,
            Err(SourceError::NotReady(_) | SourceError::Unavailable(_)) => {
                deadline.wait(|| "the connection".to_owned());
            }
            Err(error) => panic!("{error}"),
        }
    }
}
