//! Snapshots on the in-memory broker and a store with faults: what a restart reads, what is
//! refused, and what comes of a store that fails.
//!
//! Whatever happens to snapshots, the committed alerts must be those of a bounded replay of the
//! logs, byte for byte.

use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::domain::image::Taking;
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::sim::random::Random;
use odrwatch::snapshot::format::{self, Expected};
use odrwatch::testing::{LogName, StoreFault};

use crate::fleet::{Fleet, FleetConfig};

const RESTORED: &str = "odrwatch_restored_records_total";

fn config(seed: u64) -> FleetConfig {
    FleetConfig { snapshot_ms: Some(500), ..FleetConfig::new(seed) }
}

fn refused(fleet: &Fleet, reason: &str) -> u64 {
    let series = format!("odrwatch_snapshots_refused_total{{refusal=\"{reason}\"}}");
    fleet.metric("a", 0, &series)
}

/// A fleet of one worker that has read half of its logs, with two snapshots of each shard.
fn half_way(seed: u64) -> Fleet {
    let mut fleet = Fleet::new(config(seed));
    fleet.join("a", 0);
    for _ in 0..3 {
        fleet.feed_some();
        fleet.run_for(8_000);
    }
    for shard in 0..2 {
        assert_eq!(fleet.store.numbers(shard).len(), 2, "the last two are kept");
    }
    fleet
}

fn restart(fleet: &mut Fleet) {
    fleet.crash("a", 0);
    fleet.join("a", 0);
    fleet.run_for(3_000);
    let (shards, is_ready) = fleet.shown("a", 0);
    assert!(is_ready && shards == [0, 1], "{shards:?}");
}

fn end(mut fleet: Fleet) {
    fleet.feed_all();
    fleet.run_until_quiet();
    fleet.check();
}

#[test]
fn a_restart_goes_on_from_the_newest_snapshot_and_reads_only_what_is_behind_it() {
    for seed in 0..10 {
        let mut without = Fleet::new(FleetConfig::new(seed));
        without.join("a", 0);
        without.feed_some();
        without.run_for(20_000);
        without.crash("a", 0);
        without.join("a", 0);
        without.run_for(3_000);
        assert!(without.metric("a", 0, RESTORED) > 20, "all that was fed is read again");
        let mut fleet = half_way(seed);
        fleet.run_for(20_000);
        restart(&mut fleet);
        // The newest snapshot is at the last progress record: nothing is behind it.
        assert_eq!(fleet.metric("a", 0, RESTORED), 0, "seed {seed}");
        end(fleet);
    }
}

#[test]
fn a_crash_at_any_turn_changes_nothing_whatever_the_store_does() {
    let (mut writes, mut reads) = (0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed ^ 0x57_0E);
        let mut fleet = Fleet::new(config(seed));
        fleet.join("a", 0);
        for _ in 0..6 {
            fleet.feed_some();
            if random.chance(300_000) {
                let faults = [
                    StoreFault::Torn(0),
                    StoreFault::Torn(60),
                    StoreFault::LostSync,
                    StoreFault::Full,
                    StoreFault::Away,
                ];
                fleet.store.fail_next_write(*random.pick(&faults));
            }
            fleet.run_turns(20 + random.index(150));
            fleet.crash("a", 0);
            fleet.store.crash();
            if random.chance(200_000)
                && let Some(newest) = fleet.store.numbers(0).last()
            {
                fleet.store.change(0, *newest, |bytes| {
                    let place = random.index(bytes.len().max(1));
                    bytes.get_mut(place).into_iter().for_each(|byte| *byte ^= 0x10);
                });
            }
            fleet.join("a", 0);
            fleet.check_prefix();
        }
        fleet.run_for(3_000);
        let calls = fleet.store.calls();
        (writes, reads) = (writes + calls.0, reads + calls.1);
        end(fleet);
    }
    assert!(writes > 200 && reads > 200, "{writes} writes, {reads} reads");
}

#[test]
fn what_retention_dropped_is_in_the_snapshot() {
    for seed in 0..10 {
        let mut fleet = half_way(seed);
        fleet.run_for(20_000);
        fleet.drop_committed_inputs();
        restart(&mut fleet);
        fleet.feed_some();
        fleet.run_for(10_000);
        restart(&mut fleet);
        end(fleet);
    }
}

#[test]
fn a_shard_that_moves_goes_on_from_the_snapshot_of_its_former_owner() {
    let mut fleet = half_way(3);
    fleet.run_for(20_000);
    fleet.drop_committed_inputs();
    fleet.join("b", 0);
    fleet.run_for(3_000);
    let (first, second) = (fleet.shown("a", 0), fleet.shown("b", 0));
    assert_eq!([first.0.len(), second.0.len()], [1, 1], "{first:?} and {second:?}");
    fleet.crash("a", 0);
    fleet.cluster.kick("a", 0);
    fleet.run_for(3_000);
    assert_eq!(fleet.shown("b", 0), (vec![0, 1], true));
    end(fleet);
}

#[test]
fn a_worker_that_is_stopped_leaves_a_snapshot_of_everything() {
    let mut fleet = Fleet::new(FleetConfig { snapshot_ms: Some(1_000_000), ..config(4) });
    fleet.join("a", 0);
    fleet.feed_some();
    fleet.run_for(20_000);
    assert_eq!(fleet.store.numbers(0), Vec::<u64>::new());
    fleet.leave("a", 0);
    assert_eq!([fleet.store.numbers(0).len(), fleet.store.numbers(1).len()], [1, 1]);
    fleet.drop_committed_inputs();
    fleet.join("a", 0);
    end(fleet);
}

#[test]
fn a_bad_snapshot_is_refused_with_its_reason_and_the_older_one_is_used() {
    type Change = fn(&mut Vec<u8>);
    let damages: [(&str, Change); 4] = [
        ("damaged", |bytes| bytes.truncate(bytes.len() / 2)),
        ("damaged", |bytes| bytes.clear()),
        ("damaged", |bytes| bytes[300] ^= 1),
        ("newer_version", |bytes| bytes[8] = 3),
    ];
    for (seed, (reason, damage)) in (0..).zip(damages) {
        let mut fleet = half_way(seed);
        fleet.run_for(20_000);
        let numbers = fleet.store.numbers(0);
        fleet.store.change(0, numbers[1], damage);
        restart(&mut fleet);
        assert_eq!(refused(&fleet, reason), 1, "{reason}");
        end(fleet);
    }
}

#[test]
fn a_snapshot_of_another_shard_or_of_the_future_is_refused() {
    let mut fleet = half_way(5);
    fleet.run_for(20_000);
    let newest = |fleet: &Fleet, shard| *fleet.store.numbers(shard).last().unwrap();
    let others = fleet.store.get(1, newest(&fleet, 1)).unwrap();
    let number = newest(&fleet, 0);
    fleet.store.put(0, number, others);
    restart(&mut fleet);
    assert_eq!(refused(&fleet, "foreign"), 1);
    // The group's offsets and the progress are set back: what is newer is of another history.
    let mut fleet = half_way(6);
    fleet.run_for(20_000);
    let mut other = half_way(6);
    other.feed_some();
    other.run_for(20_000);
    let ahead = newest(&other, 0);
    let bytes = other.store.get(0, ahead).unwrap();
    fleet.store.put(0, ahead, bytes);
    restart(&mut fleet);
    assert_eq!(refused(&fleet, "ahead"), 1);
    end(fleet);
}

#[test]
fn a_snapshot_of_another_history_is_refused_by_the_progress_topic() {
    let mut fleet = half_way(7);
    fleet.run_for(20_000);
    let number = *fleet.store.numbers(0).last().unwrap();
    let ours = fleet.store.get(0, number).unwrap();
    let header = format::read_header(&ours).unwrap();
    // Whole, sound, of this group and of this number, but of other logs.
    let other = half_way(8);
    let theirs = other.store.get(0, *other.store.numbers(0).last().unwrap()).unwrap();
    let expected = Expected {
        group: "fleet".to_owned(),
        cluster: "memory".to_owned(),
        policy: "test".to_owned(),
        shard: ShardNo::new(0),
        committed: u64::MAX,
    };
    let (mut forged, shard) = format::read(&theirs, &expected, other.shard_config()).unwrap();
    forged.progress.number = number;
    forged.progress_at = header.progress_at;
    let mut taking = Taking::begin(&shard).unwrap();
    while !taking.step(&shard, 1_000) {}
    fleet.store.put(0, number, format::write(&forged, taking.finish()));
    restart(&mut fleet);
    assert_eq!(refused(&fleet, "differs"), 1);
    end(fleet);
}

#[test]
fn without_any_good_snapshot_the_inputs_are_read_from_the_beginning() {
    let mut fleet = half_way(9);
    for number in fleet.store.numbers(0) {
        fleet.store.change(0, number, |bytes| bytes[20] ^= 1);
    }
    restart(&mut fleet);
    assert_eq!(refused(&fleet, "damaged"), 2);
    assert!(fleet.metric("a", 0, RESTORED) > 0);
    end(fleet);
}

#[test]
fn without_any_good_snapshot_and_without_the_inputs_the_gap_is_named() {
    let mut fleet = half_way(9);
    fleet.run_for(20_000);
    fleet.drop_committed_inputs();
    for number in fleet.store.numbers(0) {
        fleet.store.change(0, number, |bytes| bytes[20] ^= 1);
    }
    fleet.crash("a", 0);
    fleet.join("a", 0);
    let why = fleet.run_until_stop(100_000).unwrap();
    assert!(why.contains("data gap") && why.contains("was refused: it is damaged"), "{why}");
    assert!(why.contains("offsets 0 to "), "{why}");
}

#[test]
fn a_full_disk_degrades_the_service_until_there_is_room() {
    let mut fleet = half_way(10);
    let kept = fleet.store.numbers(0);
    fleet.store.set_full(true);
    fleet.feed_some();
    fleet.run_for(5_000);
    let troubles = fleet.troubles("a", 0);
    assert!(troubles[0].contains("no snapshot can be stored: no room left"), "{troubles:?}");
    assert!(fleet.shown("a", 0).1, "it stays ready");
    assert!(fleet.metric("a", 0, "odrwatch_snapshot_failures_total{failure=\"full\"}") > 0);
    assert_eq!(fleet.metric("a", 0, "odrwatch_degraded"), 1);
    assert!(fleet.metric("a", 0, "odrwatch_snapshot_age_seconds{shard=\"0\"}") > 4);
    assert_eq!(fleet.store.numbers(0), kept, "the old ones are untouched");
    restart(&mut fleet);
    fleet.store.set_full(false);
    for seller in ["S1", "S2", "S3", "S4", "S5", "S6"] {
        // Some of these are of either shard.
        fleet.produce_defective_order(seller, "302-0000001-0000001");
    }
    fleet.run_for(20_000);
    assert_eq!(fleet.troubles("a", 0), Vec::<String>::new());
    assert_ne!(fleet.store.numbers(0), kept);
    end(fleet);
}

#[test]
fn a_store_that_is_away_is_waited_for_and_then_done_without() {
    let mut fleet = half_way(11);
    fleet.run_for(20_000);
    fleet.crash("a", 0);
    fleet.store.set_away(true);
    fleet.join("a", 0);
    fleet.run_for(10_000);
    assert!(!fleet.shown("a", 0).1, "the snapshot is waited for");
    fleet.store.set_away(false);
    fleet.run_for(3_000);
    assert!(fleet.shown("a", 0).1);
    assert_eq!(fleet.metric("a", 0, RESTORED), 0);
    fleet.crash("a", 0);
    fleet.store.set_away(true);
    fleet.join("a", 0);
    fleet.run_for(80_000);
    assert!(fleet.shown("a", 0).1, "the inputs are still there");
    assert!(fleet.metric("a", 0, RESTORED) > 0);
    end(fleet);
}

#[test]
fn an_emptied_progress_topic_is_no_first_start() {
    let mut fleet = half_way(12);
    fleet.run_for(20_000);
    fleet.crash("a", 0);
    fleet.cluster.forget_group_offsets();
    for shard in 0..2 {
        let log = LogName::Output(OutTopic::Progress, ShardNo::new(shard));
        let (_, ends) = fleet.cluster.bounds(log);
        fleet.cluster.delete_records(log, NextOffset::stated(ends.high.get()));
    }
    fleet.join("a", 0);
    let why = fleet.run_until_stop(100_000).unwrap();
    assert!(why.contains("the progress topic was emptied"), "{why}");
}

#[test]
fn expired_group_offsets_are_found_again_in_the_progress_topic() {
    let mut fleet = half_way(13);
    fleet.run_for(20_000);
    fleet.crash("a", 0);
    fleet.cluster.forget_group_offsets();
    fleet.join("a", 0);
    fleet.run_for(3_000);
    assert_eq!(fleet.metric("a", 0, RESTORED), 0, "a snapshot is used all the same");
    fleet.feed_all();
    // A shard without further records commits nothing, so nobody can see that it is done.
    fleet.run_for(60_000);
    fleet.check();
}
