//! Killed at any moment, also inside an open transaction: nothing is lost, nothing is doubled.

use std::time::Duration;

use odrwatch::pipeline::ports::OutTopic;
use odrwatch::sim::random::Random;

use super::check::{Check, committed_alerts};
use super::child::Odrwatch;
use super::feed::{History, Written};
use super::members::await_members;
use super::probe::Probe;
use super::stage::Stage;
use super::{now_ms, stay};
use crate::support::Deadline;
use crate::support::topics::{Isolation, read_all};

const SEED: u64 = 4;

const HISTORY: History = History { seed: SEED, hostile: 60_000, bulk: 30_000 };

/// Many small transactions: the more there are, the more moments there are to die in.
const SMALL_STEPS: &[&str] = &[
    "engine.commit_interval_ms=0",
    "kafka.queue_memory_kbytes=1024",
    "kafka.properties.fetch.message.max.bytes=16384",
];

/// How often it is killed at a random moment, and how often inside a transaction.
const KILLS: (usize, usize) = (6, 2);

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_process_killed_at_any_moment_loses_and_doubles_nothing() {
    let stage = Stage::new("crash", 8);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let probe = Probe::new(&stage);
    let mut random = Random::new(SEED);
    let mut snapshots = Vec::new();
    let (mut said, mut left_open) = (Vec::new(), Vec::new());
    for number in 0..KILLS.0 + KILLS.1 {
        let mut service = Odrwatch::start(&stage, "a", SMALL_STEPS);
        let commits = random.between(1, 20);
        await_commits(&probe, &mut service, commits);
        // One of the first and a later one: what is left open by the second must not be healed by
        // what the first one left behind.
        let inside = number == 1 || number == 5;
        let open = inside.then(|| stop_inside_transaction(&probe, &stage, &mut service));
        service.kill();
        if let Some((partition, offset)) = open {
            let topic = OutTopic::Progress;
            let ends = (probe.stable(topic, partition), probe.high(topic, partition));
            assert!(ends.0 < ends.1, "no transaction is open in partition {partition}: {ends:?}");
            said.push(format!("inside, partition {partition} {ends:?}"));
            left_open.push((i32::try_from(partition).unwrap(), offset));
        } else {
            said.push(format!("after {commits}"));
        }
        snapshots.push(committed_alerts(&stage));
    }
    let mut service = Odrwatch::start(&stage, "a", SMALL_STEPS);
    let left = probe.missing(&written);
    assert!(left.is_none_or(|left| !left.is_empty()), "all was done before the last kill");
    probe.await_done(&written, &mut [&mut service]);
    service.stop();

    let check = Check::new(&stage);
    let alerts = check.alerts();
    check.dead_letters();
    are_aborted(&stage, &left_open);
    let last = committed_alerts(&stage);
    for (number, snapshot) in snapshots.iter().enumerate() {
        for (shard, (before, after)) in snapshot.iter().zip(&last).enumerate() {
            assert!(after.starts_with(before), "the alerts of shard {shard} after kill {number}");
        }
    }
    let seen: Vec<usize> = snapshots
        .iter()
        .map(|snapshot| snapshot.iter().map(|alerts| alerts.lines().count()).sum())
        .collect();
    assert!(seen.last().is_some_and(|seen| *seen > 0), "alerts were committed between kills");
    let records = written.records;
    println!("{records} records, kills {said:?}, alerts at each {seen:?}, at the end {alerts}");
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_process_that_sleeps_through_its_session_commits_nothing_twice() {
    let stage = Stage::new("zombie", 4);
    let history = History { seed: 6, hostile: 15_000, bulk: 15_000 };
    let records = history.records(&stage);
    let (first, second) = records.split_at(records.len() / 2);
    let mut written = Written::default();
    written.produce_all(&stage, first);
    let probe = Probe::new(&stage);
    // What it leaves open holds its shards up for so long.
    let sets = [SMALL_STEPS, &["kafka.transaction_timeout_ms=5000"]].concat();
    let mut sleeper = Odrwatch::start(&stage, "a", &sets);
    await_commits(&probe, &mut sleeper, 4);
    let (partition, offset) = stop_inside_transaction(&probe, &stage, &mut sleeper);
    let mut heir = Odrwatch::start(&stage, "b", &sets);
    await_members(&mut [&mut heir], 4);
    probe.await_done(&written, &mut [&mut heir]);
    let meanwhile = committed_alerts(&stage);

    sleeper.signal(libc::SIGCONT);
    await_members(&mut [&mut sleeper, &mut heir], 4);
    written.produce_all(&stage, second);
    probe.await_done(&written, &mut [&mut sleeper, &mut heir]);
    sleeper.stop();
    heir.stop();
    let alerts = Check::new(&stage).alerts();
    are_aborted(&stage, &[(i32::try_from(partition).unwrap(), offset)]);
    let last = committed_alerts(&stage);
    assert!(meanwhile.iter().zip(&last).all(|(before, after)| after.starts_with(before)));
    println!("{} records, {alerts} alerts", written.records);
}

/// The session timeout of the stage.
const SESSION: Duration = Duration::from_secs(3);

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_broker_that_restarts_in_the_middle_loses_and_doubles_nothing() {
    let stage = Stage::alone("restarted", 4);
    let history = History { seed: 7, hostile: 20_000, bulk: 20_000 };
    let mut written = Written::default();
    written.produce_all(&stage, &history.records(&stage));
    let probe = Probe::new(&stage);
    let mut service = Odrwatch::start(&stage, "a", SMALL_STEPS);
    let mut random = Random::new(7);
    for _ in 0..3 {
        await_commits(&probe, &mut service, random.between(1, 20));
        // In order: a single node that is killed may lose the end of a transaction for good, and
        // then the service stops loudly. It is away for longer than a session, so that the group's
        // member must join anew.
        let mut broker = stage.broker.process();
        broker.stop();
        stay(SESSION, || ());
        broker.restart();
    }
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    let check = Check::new(&stage);
    println!("{} records, {} alerts", written.records, check.alerts());
    check.dead_letters();
}

/// How often the lone broker is killed in one run, and at which kills the process dies, too.
const BROKER_KILLS: (usize, &[usize]) = (6, &[1, 4]);

/// A broker that is killed forgets the ends of a transaction in the partitions that it had not come
/// to, whatever it had committed in the others (see `kafka::redo`).
#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_lone_broker_killed_in_the_middle_of_commits_loses_and_doubles_nothing() {
    let stage = Stage::alone("killed", 4);
    let history = History { seed: 8, hostile: 20_000, bulk: 40_000 };
    let mut written = Written::default();
    written.produce_all(&stage, &history.records(&stage));
    let probe = Probe::new(&stage);
    let mut service = Odrwatch::start(&stage, "a", SMALL_STEPS);
    // The moments are never twice the same, so neither is this.
    let seed = u64::try_from(now_ms()).unwrap();
    let mut random = Random::new(seed);
    let mut logs = String::new();
    for number in 0..BROKER_KILLS.0 {
        await_commits(&probe, &mut service, random.between(1, 10));
        // Most kills come when the first marker of a transaction is written, and others are not.
        if number % 3 != 0 {
            await_marker(&probe, &stage, &mut service);
        }
        let mut broker = stage.broker.process();
        broker.kill();
        if BROKER_KILLS.1.contains(&number) {
            service.kill();
            logs.push_str(&service.log());
            broker.restart();
            drop(broker);
            service = Odrwatch::start(&stage, "a", SMALL_STEPS);
        } else {
            broker.restart();
        }
    }
    let left = probe.missing(&written);
    assert!(left.is_none_or(|left| !left.is_empty()), "all was done before the last kill");
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    logs.push_str(&service.log());
    let check = Check::new(&stage);
    let alerts = check.alerts();
    check.dead_letters();
    check.statuses();
    let completed = logs.matches("committed a transaction in part").count();
    let records = written.records;
    println!("seed {seed}: {records} records, {alerts} alerts, {completed} commits completed");
}

/// Waits for a transaction that is open in some progress partition, and then for its end there.
fn await_marker(probe: &Probe<'_>, stage: &Stage, service: &mut Odrwatch) {
    let deadline = Deadline::of_step();
    let topic = OutTopic::Progress;
    let open = loop {
        let is_open = |one: &u32| probe.stable(topic, *one) < probe.high(topic, *one);
        if let Some(open) = (0..stage.partitions).find(is_open) {
            break open;
        }
        service.must_run();
        deadline.wait(|| format!("an open transaction\n{}", service.log()));
    };
    let before = probe.stable(topic, open);
    // Asked without a pause: the other markers follow within a moment.
    while (0..100).all(|_| probe.stable(topic, open) == before) {
        service.must_run();
        deadline.wait(|| format!("the end of a transaction\n{}", service.log()));
    }
}

/// What the killed transactions had written is still there, and was never committed.
fn are_aborted(stage: &Stage, left_open: &[(i32, i64)]) {
    let name = stage.output(OutTopic::Progress);
    let places = |isolation| -> Vec<(i32, i64)> {
        let records = read_all(&stage.bootstrap(), &name, isolation).into_iter();
        let with_value = records.filter(|record| record.value.is_some());
        with_value.map(|record| (record.partition, record.offset)).collect()
    };
    let committed = places(Isolation::ReadCommitted);
    let all = places(Isolation::ReadUncommitted);
    for place in left_open {
        assert!(all.contains(place) && !committed.contains(place), "{place:?}");
    }
}

/// Waits until so many more commits of shards are visible.
fn await_commits(probe: &Probe<'_>, service: &mut Odrwatch, commits: i64) {
    // What it aborts while it starts would be counted.
    service.await_line(&["\"assigned\""]);
    // Each has a record and a marker.
    let wanted = probe.progress() + 2 * commits;
    let deadline = Deadline::of_step();
    while probe.progress() < wanted {
        service.must_run();
        deadline.wait(|| format!("{commits} commits\n{}", service.log()));
    }
}

/// Stops the process (SIGSTOP) at a moment when a transaction of it is open, and proves that it
/// stays open; returns an output partition that it holds up.
fn stop_inside_transaction(probe: &Probe<'_>, stage: &Stage, service: &mut Odrwatch) -> (u32, i64) {
    let deadline = Deadline::of_step();
    loop {
        for partition in 0..stage.partitions {
            let topic = OutTopic::Progress;
            let is_open = || probe.stable(topic, partition) < probe.high(topic, partition);
            if !is_open() {
                continue;
            }
            service.signal(libc::SIGSTOP);
            // Were the commit on its way, its marker would come while the broker is asked so often.
            if (0..50).all(|_| is_open()) {
                return (partition, probe.stable(topic, partition));
            }
            service.signal(libc::SIGCONT);
        }
        service.must_run();
        deadline.wait(|| format!("an open transaction\n{}", service.log()));
    }
}
