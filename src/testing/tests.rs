//! The in-memory broker's rules, one per test.

use std::time::Duration;

use super::*;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{
    Batch, Broker, CommitError, Ends, GroupEvent, InputPartition, OutRecord, OutTopic, ReadStep,
    ShardOffsets, SourceError,
};

pub(super) fn cluster(partitions: u32) -> Cluster {
    Cluster::new(ClusterConfig::new(partitions))
}

fn partition(topic: Topic, number: u32) -> InputPartition {
    let shard = ShardNo::new(number);
    InputPartition { topic, shard }
}

fn record(value: &str) -> NewRecord {
    NewRecord::new(1_000, b"SELLER", value.as_bytes())
}

pub(super) fn poll(broker: &mut MemoryBroker) -> Vec<GroupEvent> {
    let mut events = Vec::new();
    broker.poll_group(&mut events).unwrap();
    events
}

fn assigned(shards: &[u32]) -> GroupEvent {
    GroupEvent::Assigned(shards.iter().copied().map(ShardNo::new).collect())
}

fn read(broker: &mut MemoryBroker, of: InputPartition) -> Vec<(i64, String)> {
    let mut seen = Vec::new();
    let mut each = |raw: crate::pipeline::ports::RawRecord<'_>| {
        let value = String::from_utf8(raw.value.unwrap().to_vec()).unwrap();
        seen.push((raw.offset.get(), value));
    };
    broker.read(of, 100, &mut each).unwrap();
    seen
}

/// A batch of one shard: an alert, a progress record, and `next` on all four topics.
pub(super) fn batch(shard: u32, progress: u64, next: i64) -> Batch {
    let out = |topic, value: String| OutRecord {
        topic,
        partition: Some(ShardNo::new(shard)),
        key: None,
        value: Some(value.into_bytes()),
        headers: Vec::new(),
        timestamp_ms: Some(7),
    };
    Batch {
        records: vec![
            out(OutTopic::Alerts, format!("alert {progress}")),
            out(OutTopic::Progress, format!("progress {progress}")),
        ],
        offsets: vec![ShardOffsets {
            shard: ShardNo::new(shard),
            next: [NextOffset::stated(next); 4],
            progress,
        }],
        max_clock_skew_ms: None,
    }
}

pub(super) fn alerts(cluster: &Cluster, partition: u32) -> Vec<String> {
    cluster
        .read_committed(OutTopic::Alerts, partition)
        .iter()
        .map(|record| String::from_utf8(record.value.clone().unwrap()).unwrap())
        .collect()
}

pub(super) fn progress_of(broker: &mut MemoryBroker, shard: u32) -> Option<u64> {
    let committed = broker.committed(ShardNo::new(shard)).unwrap();
    committed.map(|shard| shard.progress)
}

#[test]
fn a_reader_sees_committed_records_only_and_skips_over_gaps() {
    let cluster = cluster(1);
    let orders = partition(Topic::Orders, 0);
    cluster.produce(Topic::Orders, 0, record("a"));
    let aborted = vec![record("x"), record("y")];
    cluster.produce_transactional(Topic::Orders, 0, aborted, TransactionEnd::Abort);
    let open = cluster.begin();
    cluster.produce_in(open, Topic::Orders, 0, record("b"));
    cluster.produce(Topic::Orders, 0, record("c"));

    let mut broker = cluster.member("one", 0);
    assert_eq!(poll(&mut broker), [assigned(&[0])]);
    assert_eq!(read(&mut broker, orders), [], "paused until a seek");
    assert_eq!(broker.position(orders), None);
    broker.seek(orders, NextOffset::stated(0)).unwrap();
    assert!(!broker.is_at_log_end(orders), "nothing is known yet");
    assert_eq!(read(&mut broker, orders), [(0, "a".into())]);
    assert_eq!(broker.position(orders), Some(NextOffset::stated(4)));
    assert!(broker.is_at_log_end(orders));
    assert_eq!(broker.known_end(orders), Some(NextOffset::stated(4)));

    cluster.end(open, TransactionEnd::Commit);
    let expected = [(4, "b".into()), (5, "c".into())];
    assert_eq!(read(&mut broker, orders), expected);
    assert_eq!(broker.position(orders), Some(NextOffset::stated(7)));
}

#[test]
fn ends_are_answered_in_a_later_turn_as_they_were_when_asked() {
    let cluster = cluster(1);
    let claims = partition(Topic::Claims, 0);
    let mut broker = cluster.member("one", 0);
    poll(&mut broker);
    let open = cluster.begin();
    cluster.produce_in(open, Topic::Claims, 0, record("a"));
    broker.ask_ends(claims.shard, &[claims]);
    let mut answers = Vec::new();
    broker.take_ends(&mut answers);
    assert_eq!(answers, [], "never within the same turn");
    cluster.end(open, TransactionEnd::Commit);
    poll(&mut broker);
    broker.take_ends(&mut answers);
    let (stable, high) = (NextOffset::stated(0), NextOffset::stated(1));
    assert_eq!(answers, [(claims, Ends { stable, high })]);
    broker.take_ends(&mut answers);
    assert_eq!(answers.len(), 1, "each answer once");
}

#[test]
fn what_a_client_knows_of_an_end_may_be_old_while_the_leader_knows_better() {
    let cluster = cluster(1);
    let orders = partition(Topic::Orders, 0);
    let mut broker = cluster.member("one", 0);
    poll(&mut broker);
    broker.seek(orders, NextOffset::stated(0)).unwrap();
    poll(&mut broker);
    cluster.hold(orders);
    cluster.produce(Topic::Orders, 0, record("a"));
    poll(&mut broker);
    assert!(broker.is_at_log_end(orders));
    assert_eq!(read(&mut broker, orders), []);
    broker.ask_ends(orders.shard, &[orders]);
    poll(&mut broker);
    let mut answers = Vec::new();
    broker.take_ends(&mut answers);
    assert_eq!(answers[0].1.stable, NextOffset::stated(1));
    cluster.release(orders);
    poll(&mut broker);
    assert!(!broker.is_at_log_end(orders));
    assert_eq!(read(&mut broker, orders), [(0, "a".into())]);
}

#[test]
fn a_commit_shows_records_and_offsets_together_and_leaves_a_gap() {
    let cluster = cluster(2);
    cluster.set_clock_ms(5_000);
    let mut broker = cluster.member("one", 0);
    poll(&mut broker);
    assert_eq!(progress_of(&mut broker, 1), None);
    let receipt = broker.commit(&batch(1, 1, 10)).unwrap();
    assert_eq!(receipt.clock_skew_ms, Some(0));
    broker.commit(&batch(1, 2, 20)).unwrap();
    assert_eq!(alerts(&cluster, 1), ["alert 1", "alert 2"]);
    assert_eq!(alerts(&cluster, 0), Vec::<String>::new());
    let progress = cluster.read_committed(OutTopic::Progress, 1);
    let offsets: Vec<_> = progress.iter().map(|of| of.offset.get()).collect();
    assert_eq!(offsets, [0, 2], "a control record lies between them");
    assert_eq!(progress[0].timestamp_ms, Some(5_000), "log-append time");
    let stored = cluster.read_committed(OutTopic::Alerts, 1)[0].timestamp_ms;
    assert_eq!(stored, Some(7), "create time elsewhere");
    let committed = broker.committed(ShardNo::new(1)).unwrap().unwrap();
    assert_eq!(committed.next, [NextOffset::stated(20); 4]);
    assert_eq!(committed.progress, 2);
}

#[test]
fn shards_are_assigned_in_ranges_and_a_join_moves_them_after_all_have_rejoined() {
    let cluster = cluster(3);
    let mut first = cluster.member("a", 0);
    assert_eq!(poll(&mut first), [assigned(&[0, 1, 2])]);
    let mut second = cluster.member("b", 0);
    assert_eq!(poll(&mut second), [], "the first has to give up its shards");
    let revoked = GroupEvent::Revoked { lost: false };
    assert_eq!(poll(&mut first), [revoked.clone(), assigned(&[0, 1])]);
    assert_eq!(poll(&mut second), [assigned(&[2])]);
    assert_eq!(poll(&mut first), []);
    second.close();
    assert_eq!(poll(&mut first), [revoked, assigned(&[0, 1, 2])]);
    assert_eq!(cluster.generation(), 3);
}

#[test]
fn a_member_that_is_lost_cannot_commit_and_joins_again() {
    let cluster = cluster(2);
    let mut first = cluster.member("a", 0);
    poll(&mut first);
    assert!(cluster.kick("a", 0));
    let failed = first.commit(&batch(0, 1, 1));
    assert!(matches!(failed, Err(CommitError::Restart { stage: "offsets", ref cause })
        if cause == "UNKNOWN_MEMBER_ID"));
    assert_eq!(poll(&mut first), [GroupEvent::Revoked { lost: true }]);
    assert_eq!(poll(&mut first), [assigned(&[0, 1])]);
    first.reconnect().unwrap();
    first.commit(&batch(0, 1, 1)).unwrap();
    assert_eq!(alerts(&cluster, 0), ["alert 1"]);
}

#[test]
fn an_old_generation_is_refused_and_its_records_stay_invisible() {
    let cluster = cluster(2);
    let mut first = cluster.member("a", 0);
    poll(&mut first);
    cluster.kick("a", 0);
    let mut second = cluster.member("b", 0);
    assert_eq!(poll(&mut second), [assigned(&[0, 1])]);
    assert!(first.commit(&batch(0, 1, 1)).is_err());
    second.commit(&batch(0, 1, 5)).unwrap();
    assert_eq!(alerts(&cluster, 0), ["alert 1"]);
    let log = LogName::Output(OutTopic::Alerts, ShardNo::new(0));
    assert_eq!(cluster.invisible(log), 3, "aborted record, abort, commit");
}

#[test]
fn offsets_of_a_shard_that_is_not_assigned_are_refused() {
    let cluster = cluster(2);
    let mut first = cluster.member("a", 0);
    let mut second = cluster.member("b", 0);
    poll(&mut first);
    poll(&mut second);
    assert_eq!(poll(&mut first), [assigned(&[0])]);
    let failed = first.commit(&batch(1, 1, 1));
    assert!(matches!(failed, Err(CommitError::Restart { stage: "offsets", .. })));
    assert_eq!(cluster.committed(1), None);
}

#[test]
fn a_restart_under_the_same_name_moves_nothing_and_fences_the_old_instance() {
    let cluster = cluster(2);
    let mut old = cluster.member("a", 0);
    poll(&mut old);
    let mut new = cluster.member("a", 0);
    assert_eq!(poll(&mut new), [assigned(&[0, 1])]);
    assert_eq!(cluster.generation(), 1);
    assert!(matches!(old.commit(&batch(0, 1, 1)), Err(CommitError::Fenced(_))));
    let mut events = Vec::new();
    assert!(matches!(old.poll_group(&mut events), Err(SourceError::Fenced(_))));
    old.close();
    new.commit(&batch(0, 1, 1)).unwrap();
}

#[test]
fn a_lost_answer_is_a_commit_and_a_failed_stage_is_none() {
    let cluster = cluster(1);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    for stage in ["begin", "send", "offsets", "flush", "commit"] {
        cluster.fail_next_commit(CommitFault::NotCommitted { stage });
        let failed = broker.commit(&batch(0, 1, 1));
        assert!(matches!(failed, Err(CommitError::Restart { stage: at, .. }) if at == stage));
        broker.reconnect().unwrap();
        assert_eq!(progress_of(&mut broker, 0), None);
    }
    assert!(alerts(&cluster, 0).is_empty());
    cluster.pass_next_commit();
    cluster.fail_next_commit(CommitFault::AnswerLost);
    broker.commit(&batch(0, 1, 1)).unwrap();
    assert!(broker.commit(&batch(0, 2, 2)).is_err());
    broker.reconnect().unwrap();
    assert_eq!(progress_of(&mut broker, 0), Some(2));
    assert_eq!(alerts(&cluster, 0), ["alert 1", "alert 2"]);
    cluster.fail_next_commit(CommitFault::Fenced);
    assert!(matches!(broker.commit(&batch(0, 3, 3)), Err(CommitError::Fenced(_))));
}

#[test]
fn a_transaction_left_open_makes_offsets_unstable_until_it_ends() {
    let cluster = cluster(1);
    let mut old = cluster.member("a", 0);
    poll(&mut old);
    cluster.fail_next_commit(CommitFault::LeftOpen);
    assert!(old.commit(&batch(0, 1, 1)).is_err());
    assert!(alerts(&cluster, 0).is_empty());
    cluster.kick("a", 0);
    let mut new = cluster.member("b", 0);
    poll(&mut new);
    let asked = new.committed(ShardNo::new(0));
    assert!(matches!(asked, Err(SourceError::NotReady(_))));
    assert_eq!(cluster.end_open_commits(TransactionEnd::Commit), 1);
    assert_eq!(progress_of(&mut new, 0), Some(1), "a late end is accepted");
    assert_eq!(alerts(&cluster, 0), ["alert 1"]);
}

#[test]
fn a_reconnect_aborts_what_the_old_producer_left_open() {
    let cluster = cluster(1);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    cluster.fail_next_commit(CommitFault::LeftOpen);
    assert!(broker.commit(&batch(0, 1, 1)).is_err());
    broker.reconnect().unwrap();
    assert_eq!(progress_of(&mut broker, 0), None);
    broker.commit(&batch(0, 1, 1)).unwrap();
    assert_eq!(alerts(&cluster, 0), ["alert 1"]);
}

#[test]
fn a_decision_is_refused_when_the_clocks_differ_too_much() {
    let cluster = cluster(1);
    cluster.set_clock_ms(100_000);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    broker.set_clock_ms(94_000);
    let receipt = broker.commit(&batch(0, 1, 1)).unwrap();
    assert_eq!(receipt.clock_skew_ms, Some(-6_000));
    let mut decision = batch(0, 2, 2);
    decision.max_clock_skew_ms = Some(5_000);
    let refused = broker.commit(&decision);
    assert!(matches!(refused, Err(CommitError::ClockSkew { skew_ms: -6_000 })));
    broker.reconnect().unwrap();
    assert_eq!(progress_of(&mut broker, 0), Some(1));
    broker.set_clock_ms(95_000);
    broker.commit(&decision).unwrap();
}

#[test]
fn a_stopped_broker_answers_nothing_and_loses_nothing() {
    let cluster = cluster(1);
    let orders = partition(Topic::Orders, 0);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    broker.seek(orders, NextOffset::stated(0)).unwrap();
    broker.ask_ends(orders.shard, &[orders]);
    cluster.stop();
    cluster.produce(Topic::Orders, 0, record("a"));
    let mut events = Vec::new();
    assert!(matches!(broker.poll_group(&mut events), Err(SourceError::Unavailable(_))));
    broker.wait(Duration::ZERO);
    let mut answers = Vec::new();
    broker.take_ends(&mut answers);
    assert_eq!(answers, []);
    assert_eq!(read(&mut broker, orders), []);
    assert!(broker.log_bounds(orders).is_err());
    assert!(broker.committed(ShardNo::new(0)).is_err());
    assert!(broker.commit(&batch(0, 1, 1)).is_err());
    assert!(broker.reconnect().is_err());
    cluster.start();
    broker.reconnect().unwrap();
    assert_eq!(read(&mut broker, orders), [(0, "a".into())]);
}

#[test]
fn a_position_before_the_start_of_the_log_stops_the_shard() {
    let cluster = cluster(1);
    let orders = partition(Topic::Orders, 0);
    cluster.produce(Topic::Orders, 0, record("a"));
    cluster.produce(Topic::Orders, 0, record("b"));
    cluster.delete_records(LogName::Input(orders), NextOffset::stated(1));
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    let bounds = broker.log_bounds(orders).unwrap();
    assert_eq!(bounds, (NextOffset::stated(1), NextOffset::stated(2)));
    broker.seek(orders, NextOffset::stated(0)).unwrap();
    let failed = broker.read(orders, 10, &mut |_| panic!("nothing is read"));
    assert!(matches!(failed, Err(SourceError::Lost(ref text)) if text.contains("offset 0")));
    broker.seek(orders, bounds.0).unwrap();
    assert_eq!(read(&mut broker, orders), [(1, "b".into())]);
}

#[test]
fn progress_is_read_in_steps_up_to_the_end_that_was_stable_at_the_beginning() {
    let cluster = cluster(1);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    broker.commit(&batch(0, 1, 1)).unwrap();
    broker.commit(&batch(0, 2, 2)).unwrap();
    let mut seen = Vec::new();
    let shard = ShardNo::new(0);
    let mut step = |broker: &mut MemoryBroker| {
        let mut each = |value: &[u8]| seen.push(String::from_utf8(value.to_vec()).unwrap());
        broker.read_progress(shard, None, 1, &mut each).unwrap()
    };
    assert_eq!(step(&mut broker), ReadStep::More);
    broker.commit(&batch(0, 3, 3)).unwrap();
    let mut steps = 1;
    while step(&mut broker) == ReadStep::More {
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(seen, ["progress 1", "progress 2"]);
}

#[test]
fn a_record_that_is_too_large_can_never_be_written() {
    let cluster = cluster(1);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    let mut large = batch(0, 1, 1);
    large.records[0].value = Some(vec![b'x'; 2_000_000]);
    let failed = broker.commit(&large);
    assert!(matches!(failed, Err(CommitError::Impossible(ref text)) if text.contains("alerts")));
}

#[test]
fn retention_keeps_what_the_group_has_not_passed() {
    let config = ClusterConfig { keep_ms: Some(1_000), ..ClusterConfig::new(1) };
    let cluster = Cluster::new(config);
    let orders = LogName::Input(partition(Topic::Orders, 0));
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    for _ in 0..10 {
        cluster.produce(Topic::Orders, 0, record("a"));
    }
    cluster.set_clock_ms(5_000);
    cluster.produce(Topic::Orders, 0, record("b"));
    assert_eq!(cluster.bounds(orders).0, NextOffset::stated(0));
    broker.commit(&batch(0, 1, 6)).unwrap();
    for _ in 0..3 {
        cluster.produce(Topic::Orders, 0, record("b"));
    }
    assert_eq!(cluster.bounds(orders).0, NextOffset::stated(6));
}

#[test]
fn a_waiting_worker_is_woken_by_a_record_from_another_thread() {
    let config = ClusterConfig { wait_blocks: true, ..ClusterConfig::new(1) };
    let cluster = Cluster::new(config);
    let orders = partition(Topic::Orders, 0);
    let mut broker = cluster.member("a", 0);
    poll(&mut broker);
    broker.seek(orders, NextOffset::stated(0)).unwrap();
    let feeder = cluster.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || feeder.produce(Topic::Orders, 0, record("a")));
        while read(&mut broker, orders).is_empty() {
            broker.wait(Duration::from_mins(1));
        }
    });
    assert!(!cluster.is_caught_up());
    broker.commit(&batch(0, 1, 1)).unwrap();
    assert!(cluster.is_caught_up());
}

#[test]
fn a_key_goes_to_its_murmur2_partition() {
    let cluster = cluster(8);
    let (partition, offset) = cluster.produce_keyed(Topic::Feedback, record("a"));
    let expected = crate::sim::murmur2::partition_of(b"SELLER", 8);
    assert_eq!((partition, offset.get()), (expected, 0));
}
