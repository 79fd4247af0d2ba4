//! Logs that are not what they were: each is a loud stop with its own reason, and an accepted gap
//! is a recorded decision that replays know.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::pipeline::ports::{InputPartition, InputTopic, OutTopic};
use odrwatch::pipeline::stop::Stop;
use odrwatch::telemetry::labels::StopReason;
use odrwatch::testing::{LogName, NewRecord};
use odrwatch::wire::progress;

use crate::fleet::{Fleet, FleetConfig};

const ORDERS: InputPartition = InputPartition { topic: Topic::Orders, shard: ShardNo::new(0) };

/// A fleet that has read and closed all that was fed, and has snapshots of it if it takes any.
fn settled(snapshot_ms: Option<i64>) -> Fleet {
    let mut fleet = Fleet::new(FleetConfig { snapshot_ms, ..FleetConfig::new(5) });
    fleet.join("a", 0);
    for _ in 0..2 {
        fleet.feed_some();
        fleet.run_for(20_000);
    }
    fleet
}

fn committed(fleet: &Fleet) -> NextOffset {
    fleet.cluster.committed(0).unwrap().next[Topic::Orders.index()]
}

/// Ends the worker, changes something, and starts it again: why it stops.
fn restarted(fleet: &mut Fleet, change: impl FnOnce(&mut Fleet)) -> Stop {
    fleet.leave("a", 0);
    change(fleet);
    fleet.join("a", 0);
    fleet.stop_within(60_000)
}

fn says(stop: &Stop, reason: StopReason, words: &[&str]) {
    assert_eq!(stop.reason(), reason, "{stop}");
    let text = stop.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} in {text}");
    }
}

#[test]
fn a_topic_that_was_made_anew_is_seen_while_running_and_at_the_next_start() {
    let words = ["orders", "another one", "new group"];
    let mut fleet = settled(None);
    fleet.cluster.make_anew(Topic::Orders);
    says(&fleet.stop_within(60_000), StopReason::TopicReplaced, &words);

    let mut fleet = settled(Some(500));
    let stop = restarted(&mut fleet, |fleet| fleet.cluster.make_anew(Topic::Orders));
    says(&stop, StopReason::TopicReplaced, &words);
}

#[test]
fn a_topic_with_the_same_id_and_other_records_is_known_by_the_record_before_our_position() {
    // As a restored backup or a mirror with other records would be: as long, and not the same.
    let mut fleet = settled(Some(500));
    let stop = restarted(&mut fleet, |fleet| {
        let known = fleet.cluster.describe_inputs();
        let ends = [0, 1].map(|partition| {
            let shard = ShardNo::new(partition);
            let log = LogName::Input(InputPartition { topic: Topic::Orders, shard });
            (partition, fleet.cluster.bounds(log).1.stable)
        });
        fleet.cluster.make_anew(Topic::Orders);
        for (partition, end) in ends {
            for _ in 0..end.get() {
                fleet.cluster.produce(Topic::Orders, partition, NewRecord::new(9, b"k", b"v"));
            }
        }
        fleet.cluster.tell_of_inputs(Some(known));
    });
    says(&stop, StopReason::TopicReplaced, &["orders-", "not the one that was there"]);
}

#[test]
fn a_deleted_topic_is_believed_gone_only_after_a_while() {
    let mut fleet = settled(None);
    let mut told = fleet.cluster.describe_inputs();
    told[Topic::Claims.index()] = InputTopic::default();
    fleet.cluster.tell_of_inputs(Some(told));
    fleet.run_for(14_000);
    fleet.cluster.tell_of_inputs(None);
    fleet.run_for(30_000);
    fleet.cluster.tell_of_inputs(Some(told));
    says(&fleet.stop_within(60_000), StopReason::TopicReplaced, &["claims", "was deleted"]);
}

#[test]
fn another_number_of_partitions_is_seen_while_running() {
    let mut fleet = settled(None);
    let more = fleet.cluster.describe_inputs().map(|topic| InputTopic { partitions: 3, ..topic });
    fleet.cluster.tell_of_inputs(Some(more));
    let words = ["has 3 partitions, and it had 2", "new group"];
    says(&fleet.stop_within(60_000), StopReason::Partitions, &words);
}

#[test]
fn a_log_that_ends_before_our_position_is_cut() {
    let words = ["orders-0", "the log ends at offset", "reading must go on at"];
    let cut = |fleet: &mut Fleet| {
        let from = NextOffset::stated(committed(fleet).get() - 1);
        fleet.cluster.cut(LogName::Input(ORDERS), from);
    };
    let mut fleet = settled(None);
    cut(&mut fleet);
    says(&fleet.stop_within(60_000), StopReason::LogCut, &words);
    let mut fleet = settled(Some(500));
    says(&restarted(&mut fleet, cut), StopReason::LogCut, &words);
}

#[test]
fn a_progress_record_of_a_newer_version_stops_with_its_reason() {
    let mut fleet = settled(None);
    let stop = restarted(&mut fleet, |fleet| {
        let shard = ShardNo::new(0);
        let value = b"{\"version\":2}";
        fleet.cluster.write_output(OutTopic::Progress, shard, NewRecord::new(1, b"0", value));
    });
    says(&stop, StopReason::NewerVersion, &["version 2", "run that version"]);
}

/// Retention passes so many records behind what is committed of the orders.
fn lose_unread(fleet: &mut Fleet, most: i64) -> (NextOffset, NextOffset) {
    let from = committed(fleet);
    for n in 0..most {
        fleet.produce_defective_order(&format!("LOST{n}"), &format!("302-{n}"));
    }
    let end = fleet.cluster.bounds(LogName::Input(ORDERS)).1.stable;
    let to = NextOffset::stated(end.get() - 1);
    assert!(to > from, "{from} {to}");
    fleet.drop_inputs(ORDERS, to);
    (from, to)
}

#[test]
fn records_that_retention_dropped_unread_are_a_gap_that_names_itself() {
    let mut fleet = settled(Some(500));
    let mut lost = None;
    let stop = restarted(&mut fleet, |fleet| lost = Some(lose_unread(fleet, 40)));
    let (from, to) = lost.unwrap();
    let offsets = format!("offsets {from} to {}", to.get() - 1);
    says(&stop, StopReason::DataGap, &["orders-0: data gap", &offsets, "--accept-gap"]);

    // Without a snapshot the lost state cannot be restored, and nobody is told to go on.
    let mut fleet = settled(None);
    let stop = restarted(&mut fleet, |fleet| {
        lose_unread(fleet, 40);
    });
    says(&stop, StopReason::DataGap, &["no snapshot reaches behind them", "new group"]);
    assert!(!stop.to_string().contains("--accept-gap"), "{stop}");
}

#[test]
fn a_gap_that_is_met_while_running_can_be_accepted_after_the_stop() {
    let mut fleet = settled(Some(500));
    fleet.cluster.hold(ORDERS);
    let (from, to) = lose_unread(&mut fleet, 40);
    fleet.cluster.release(ORDERS);
    let stop = fleet.stop_within(60_000);
    let offsets = format!("offsets {from} to {}", to.get() - 1);
    says(&stop, StopReason::DataGap, &[&offsets, "--accept-gap"]);
    // As the service does after this stop.
    fleet.leave("a", 0);
    fleet.accept_gaps();
    fleet.join("a", 0);
    fleet.feed_all();
    fleet.run_until_quiet();
    fleet.check();
}

#[test]
fn an_accepted_gap_is_recorded_once_and_a_replay_of_all_records_passes_over_it() {
    for seed in 0..10 {
        let config = FleetConfig { snapshot_ms: Some(500), ..FleetConfig::new(seed) };
        let mut fleet = Fleet::new(config);
        fleet.join("a", 0);
        fleet.feed_some();
        fleet.run_for(20_000);
        fleet.leave("a", 0);
        let (from, to) = lose_unread(&mut fleet, 30);
        fleet.accept_gaps();
        fleet.join("a", 0);
        fleet.run_for(3_000);
        assert_eq!(fleet.gaps(), [(Topic::Orders, 0, from, to)], "seed {seed}");
        let lost = u64::try_from(to.get() - from.get()).unwrap();
        assert_eq!(fleet.metric("a", 0, "odrwatch_gap_offsets_total{topic=\"orders\"}"), lost);
        // What was before the gap comes from an older snapshot or from the record itself.
        fleet.crash("a", 0);
        fleet.join("a", 0);
        fleet.run_for(3_000);
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.leave("a", 0);
        fleet.join("a", 0);
        fleet.run_for(3_000);
        assert_eq!(fleet.gaps().len(), 1, "seed {seed}");
        fleet.check();
    }
}

#[test]
fn progress_records_tell_by_what_the_logs_are_known_again() {
    let fleet = settled(None);
    let records = fleet.cluster.read_committed(OutTopic::Progress, 0);
    let last = progress::decode(records.last().unwrap().value.as_ref().unwrap()).unwrap();
    assert_eq!(last.shards, Some(2));
    let known = fleet.cluster.describe_inputs();
    for topic in Topic::ALL {
        let log = last.logs[topic.index()];
        assert_eq!(log.topic, known[topic.index()].id);
        let next = last.positions[topic.index()].next;
        assert!(log.mark.is_none_or(|mark| mark.offset.next() <= next), "{topic:?} {log:?}");
    }
    assert!(last.logs[Topic::Orders.index()].mark.is_some(), "{last:?}");
}
