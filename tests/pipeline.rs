//! The worker on the in-memory broker: restarts, failed transactions, rebalances, silence.
//!
//! Whatever happens on the way, the committed alerts must be those of a bounded replay of the
//! logs with the recorded decisions, byte for byte, and a prefix of them at every moment.

#[path = "fleet/advice.rs"]
mod advice;
#[path = "fleet/audits.rs"]
mod audits;
mod fleet;
#[path = "fleet/losses.rs"]
mod losses;
#[path = "fleet/snapshots.rs"]
mod snapshots;

use fleet::{Fleet, FleetConfig};
use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::ports::InputPartition;
use odrwatch::pipeline::worker::StartRule;
use odrwatch::sim::murmur2::partition_of;
use odrwatch::testing::{CommitFault, TransactionEnd};

#[test]
fn committed_alerts_are_those_of_a_replay_of_the_logs() {
    for seed in 0..40 {
        let mut fleet = Fleet::new(FleetConfig::new(seed));
        fleet.join("a", 0);
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.check();
        assert!(seed > 0 || fleet.committed_alerts() > 0, "seed 0 shows alerts");
    }
}

#[test]
fn a_crash_at_any_turn_loses_and_doubles_nothing() {
    for seed in 0..40 {
        let mut fleet = Fleet::new(FleetConfig::new(seed));
        fleet.join("a", 0);
        for _ in 0..6 {
            fleet.feed_some();
            fleet.run_turns(5);
            fleet.crash("a", 0);
            fleet.join("a", 0);
            fleet.check_prefix();
        }
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.check();
    }
}

#[test]
fn a_failed_transaction_at_any_stage_is_made_again_whole() {
    let faults = [
        CommitFault::NotCommitted { stage: "begin" },
        CommitFault::NotCommitted { stage: "send" },
        CommitFault::NotCommitted { stage: "offsets" },
        CommitFault::NotCommitted { stage: "flush" },
        CommitFault::NotCommitted { stage: "commit" },
        CommitFault::AnswerLost,
        CommitFault::LeftOpen,
    ];
    for (seed, fault) in (0..).zip(faults.into_iter().cycle().take(42)) {
        let mut fleet = Fleet::new(FleetConfig::new(seed));
        fleet.join("a", 0);
        for _ in 0..4 {
            fleet.feed_some();
            fleet.cluster.fail_next_commit(fault);
            fleet.run_turns(30);
            fleet.cluster.end_open_commits(TransactionEnd::Abort);
            fleet.check_prefix();
        }
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.check();
    }
}

#[test]
fn joins_and_leaves_in_the_middle_change_nothing() {
    for seed in 0..30 {
        let mut fleet = Fleet::new(FleetConfig { partitions: 4, ..FleetConfig::new(seed) });
        fleet.join("a", 0);
        fleet.feed_some();
        fleet.run_turns(20);
        fleet.join("a", 1);
        fleet.feed_some();
        fleet.run_turns(40);
        fleet.join("b", 0);
        fleet.feed_some();
        fleet.run_turns(40);
        fleet.check_prefix();
        fleet.leave("a", 1);
        fleet.feed_some();
        fleet.run_turns(40);
        fleet.crash("b", 0);
        fleet.cluster.kick("b", 0);
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.check();
    }
}

#[test]
fn a_live_start_is_decided_once_and_raises_what_is_up_as_initial() {
    let mut seen = 0;
    for seed in 0..40 {
        let config = FleetConfig { start: StartRule::Live, ..FleetConfig::new(seed) };
        let mut fleet = Fleet::new(config);
        fleet.feed_some();
        fleet.feed_some();
        fleet.join("a", 0);
        fleet.run_turns(200);
        fleet.crash("a", 0);
        fleet.join("a", 0);
        fleet.feed_all();
        fleet.run_until_quiet();
        fleet.check();
        seen += fleet.alert_lines().matches("\"initial\":true").count();
    }
    assert!(seen > 0, "some levels were up when alerting began");
}

#[test]
fn an_alert_does_not_wait_for_silent_topics() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    let at = fleet.now_ms();
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_for(7_500);
    assert_eq!(fleet.committed_alerts(), 1, "the warning of {at}");
    fleet.check();
}

#[test]
fn a_leader_that_is_away_holds_up_no_shard_but_its_own() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 2, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    let of = |seller: &str| partition_of(seller.as_bytes(), 2);
    let other = ["S2", "S3", "S4", "S5"].into_iter().find(|seller| of(seller) != of("S1"));
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.produce_defective_order(other.unwrap(), "302-0000001-0000002");
    let away = InputPartition { topic: Topic::Claims, shard: ShardNo::new(of(other.unwrap())) };
    fleet.cluster.lose_leader(away);
    fleet.run_for(7_500);
    assert_eq!(fleet.committed_alerts(), 1, "that of the shard whose leaders are there");
    assert!(fleet.alert_lines().contains("\"S1\""));
}

#[test]
fn a_stopped_broker_makes_nothing_look_idle() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_turns(2);
    fleet.cluster.stop();
    fleet.run_for(6_000);
    assert_eq!(fleet.decisions(), 0);
    fleet.cluster.start();
    // Written before, seen only now: had the topic been called idle, this would come too late.
    fleet.run_for(9_000);
    assert_eq!(fleet.committed_alerts(), 1);
    fleet.check();
}

#[test]
fn dead_letters_tombstones_and_aborted_transactions_hold_nobody_back() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    for _ in 0..30 {
        fleet.produce_raw(Topic::Claims, Some(b"{not json".to_vec()));
        fleet.produce_raw(Topic::Feedback, None);
        fleet.produce_aborted(Topic::Chargebacks);
        fleet.run_for(300);
    }
    assert_eq!(fleet.committed_alerts(), 1);
    fleet.run_for(10_000);
    fleet.check();
}

#[test]
fn a_timestamp_from_the_future_is_given_the_clock_s_time_once() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    fleet.produce_ahead(3_000_000);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_turns(10);
    fleet.crash("a", 0);
    fleet.join("a", 0);
    fleet.run_for(20_000);
    assert_eq!(fleet.committed_alerts(), 1, "the far timestamp froze nothing");
    fleet.check();
}

#[test]
fn a_clock_that_is_off_decides_nothing() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    fleet.set_skew_ms(6_000);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_for(30_000);
    assert_eq!(fleet.committed_alerts(), 0);
    fleet.set_skew_ms(0);
    fleet.run_for(30_000);
    assert_eq!(fleet.committed_alerts(), 1);
    fleet.check();
}

#[test]
fn a_worker_shows_the_shards_that_it_has_and_is_ready_only_when_they_are_live() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 4, ..FleetConfig::new(1) });
    fleet.feed_all();
    fleet.join("a", 0);
    fleet.run_turns(1);
    // It has to give shards back that it was only opening.
    fleet.join("b", 0);
    for _ in 0..500 {
        fleet.run_turns(1);
        for member in ["a", "b"] {
            let (shards, is_ready) = fleet.shown(member, 0);
            assert!(!is_ready || shards.len() == 2, "{member} is ready with {shards:?}");
        }
    }
    let (first, second) = (fleet.shown("a", 0), fleet.shown("b", 0));
    assert!(first.1 && second.1, "both are ready in the end");
    assert_eq!([first.0.len(), second.0.len()], [2, 2], "{first:?} and {second:?}");
    fleet.crash("b", 0);
    fleet.cluster.kick("b", 0);
    fleet.run_until_quiet();
    assert_eq!(fleet.shown("a", 0), (vec![0, 1, 2, 3], true));
    fleet.check();
}

#[test]
fn a_shard_that_moved_on_while_it_was_away_starts_over() {
    for ahead_ms in [0, 3_000_000] {
        let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
        fleet.join("a", 0);
        fleet.run_turns(50);
        fleet.produce_defective_order("S1", "302-0000001-0000001");
        fleet.produce_raw(Topic::Claims, Some(b"{not json".to_vec()));
        if ahead_ms > 0 {
            fleet.produce_ahead(ahead_ms);
        }
        // Read, and waiting for its boundary.
        fleet.run_turns(3);
        let suspended = fleet.suspend("a", 0);
        fleet.cluster.kick("a", 0);
        fleet.join("b", 0);
        fleet.run_for(15_000);
        fleet.produce_raw(Topic::Claims, Some(b"{not json either".to_vec()));
        fleet.run_for(15_000);
        assert_eq!(fleet.committed_alerts(), 1);
        fleet.resume("a", 0, suspended);
        fleet.run_turns(50);
        fleet.leave("b", 0);
        fleet.produce_raw(Topic::Claims, Some(b"{nor this".to_vec()));
        fleet.run_for(20_000);
        fleet.check();
        fleet.crash("a", 0);
        fleet.join("a", 0);
        fleet.run_for(20_000);
        fleet.check();
    }
}

#[test]
fn offsets_that_disagree_with_the_progress_are_waited_for_as_long_as_a_transaction_is() {
    let shard = ShardNo::new(0);
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.feed_all();
    fleet.run_until_quiet();
    fleet.crash("a", 0);
    let number = fleet.cluster.set_group_progress(shard, 1_000);
    fleet.join("a", 0);
    // The timeout of a transaction is a minute here; its end is waited for a little longer.
    assert_eq!(fleet.run_until_stop(70_000), None);
    fleet.cluster.set_group_progress(shard, number);
    fleet.run_until_quiet();
    fleet.check();

    fleet.crash("a", 0);
    fleet.cluster.set_group_progress(shard, 1_000);
    fleet.join("a", 0);
    let stop = fleet.run_until_stop(120_000).unwrap();
    assert!(stop.contains("progress record 1000"), "{stop}");
    assert!(stop.contains("Do not change or delete the group's offsets"), "{stop}");
}

#[test]
fn a_slow_clock_waits_instead_of_calling_every_record_early() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.set_skew_ms(-20_000);
    fleet.join("a", 0);
    fleet.run_turns(50);
    fleet.produce_ahead(15_000);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_for(30_000);
    assert_eq!((fleet.committed_alerts(), fleet.times_decided()), (0, 0));
    fleet.set_skew_ms(0);
    fleet.run_for(30_000);
    assert_eq!(fleet.committed_alerts(), 1);
    assert_eq!(fleet.times_decided(), 0, "by then the record is of the past");
    fleet.check();
}

#[test]
fn many_early_records_are_decided_in_progress_records_of_bounded_size() {
    let mut fleet = Fleet::new(FleetConfig { partitions: 1, ..FleetConfig::new(1) });
    fleet.join("a", 0);
    fleet.run_turns(50);
    for _ in 0..10_000 {
        fleet.produce_ahead(3_000_000);
    }
    fleet.run_for(20_000);
    assert_eq!(fleet.times_decided(), 10_000);
    assert!(fleet.largest_progress() < 600_000, "{}", fleet.largest_progress());
    fleet.crash("a", 0);
    fleet.join("a", 0);
    fleet.produce_defective_order("S1", "302-0000001-0000001");
    fleet.run_for(20_000);
    assert_eq!(fleet.committed_alerts(), 1);
    fleet.check();
}
