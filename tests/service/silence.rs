//! Silent topics hold no alert back, and a silent broker is not a silent topic.

use std::time::Duration;

use odrwatch::domain::event::Topic;
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::sim::murmur2::partition_of;

use super::check::Check;
use super::child::{Odrwatch, metric};
use super::feed::{Written, feedback, keyed, order};
use super::probe::Probe;
use super::stage::Stage;
use super::{now_ms, stay};
use crate::support::Deadline;
use crate::support::topics::{Isolation, Record, read_all};

/// Δ + 2 s is promised. A busy machine runs brokers, builds and other tests beside this one, and a
/// late turn of any of them is not a broken promise; the measured time is printed.
const BOUND_MS: i64 = 3 * 7_000;

/// The length of the interval between boundaries.
const LENGTH_MS: i64 = 5_000;

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn an_alert_comes_within_seconds_though_every_topic_falls_silent() {
    let stage = Stage::new("silence", 4);
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    let mut service = Odrwatch::start(&stage, "a", &[]);
    service.await_ready();
    let mut took = Vec::new();
    for number in 0..3 {
        let seller = format!("SELLER{number}");
        let alerts = Alerts::of(&stage, &probe, &seller);
        let at_ms = now_ms();
        let records =
            [order(&stage, &seller, "302-1", at_ms), feedback(&stage, &seller, "302-1", at_ms)];
        written.produce(&stage, &records);
        took.push(alerts.await_next(&mut service) - at_ms);
    }
    service.stop();
    println!("from the feedback's timestamp to the committed alert: {took:?} ms");
    assert!(took.iter().all(|took| *took < BOUND_MS), "{took:?}");
    assert_eq!(Check::new(&stage).alerts(), 3);
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn dead_letters_tombstones_and_aborted_transactions_hold_nobody_back() {
    let stage = Stage::new("clutter", 4);
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    let mut service = Odrwatch::start(&stage, "a", &[]);
    service.await_ready();
    // Two shards, so that each kind of clutter has a partition of its own.
    let (first, second) = ("SELLER0", "SELLER1");
    assert_ne!(partition_of(first.as_bytes(), 4), partition_of(second.as_bytes(), 4));
    let waits = [Alerts::of(&stage, &probe, first), Alerts::of(&stage, &probe, second)];
    // The alerts are due some five seconds later, and so long there is clutter.
    await_phase(0..500);
    let at_ms = now_ms();
    for seller in [first, second] {
        let records =
            [order(&stage, seller, "302-1", at_ms), feedback(&stage, seller, "302-1", at_ms)];
        written.produce(&stage, &records);
    }
    let mut took = [None; 2];
    let mut rounds = 0;
    let deadline = Deadline::of_step();
    while took.iter().any(Option::is_none) {
        let now = now_ms();
        let tombstone = Record { value: None, ..keyed(&stage, Topic::Claims, second, now, "") };
        let dead = keyed(&stage, Topic::Claims, first, now, "{not json");
        written.produce(&stage, &[dead, tombstone]);
        let aborted = keyed(&stage, Topic::Chargebacks, first, now, "never seen");
        Written::abort(&stage, &[aborted]);
        rounds += 1;
        for (took, wait) in took.iter_mut().zip(&waits) {
            if took.is_none() && wait.has_next() {
                *took = Some(now_ms() - at_ms);
            }
        }
        service.must_run();
        deadline.wait(|| format!("both alerts, so far {took:?}\n{}", service.log()));
    }
    println!("beside {rounds} rounds of clutter the alerts took {took:?} ms");
    assert!(took.iter().flatten().all(|took| *took < BOUND_MS), "{took:?}");
    assert!(rounds >= 5, "the clutter came while the alerts were due: {rounds}");
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    let check = Check::new(&stage);
    assert_eq!(check.alerts(), 2);
    check.dead_letters();
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_stopped_broker_makes_nothing_look_idle_and_a_restarted_one_is_found_again() {
    let stage = Stage::alone("stopped", 1);
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    // The group must not give up on a member that only waits for the broker.
    let mut service = Odrwatch::start(&stage, "a", &["kafka.session_timeout_ms=30000"]);
    service.await_ready();
    let alerts = Alerts::of(&stage, &probe, "S");

    // At the start of an interval there is time to stop the broker before a decision may be due.
    await_phase(0..500);
    let at_ms = now_ms();
    written.produce(&stage, &[order(&stage, "S", "302-1", at_ms)]);
    await_metric(&mut service, "odrwatch_pending_records", "", 1);
    let decisions = |service: &mut Odrwatch| {
        metric(&service.metrics(), "odrwatch_decisions_total", "decision=\"close\"")
    };
    let before = decisions(&mut service);
    stage.broker.process().pause();
    let paused_ms = now_ms();
    assert!(paused_ms.div_euclid(LENGTH_MS) == at_ms.div_euclid(LENGTH_MS), "too slow to pause");
    stay(Duration::from_secs(6), || {
        assert_eq!(decisions(&mut service), before, "a decision without an answer");
    });
    let resumed_ms = now_ms();
    assert!(resumed_ms > at_ms + LENGTH_MS + 1_000, "the boundary was due meanwhile");
    stage.broker.process().resume();
    let late_ms = now_ms();
    written.produce(&stage, &[feedback(&stage, "S", "302-1", late_ms)]);
    let took = alerts.await_next(&mut service) - late_ms;
    println!("after the stop the alert took {took} ms");
    assert!(took < BOUND_MS, "{took}");

    // The broker stamps progress with its own clock, which is this machine's.
    let progress = read_all(&stage.bootstrap(), &stage.output(OutTopic::Progress), COMMITTED);
    let in_stop = paused_ms..resumed_ms;
    assert!(!progress.iter().any(|record| in_stop.contains(&record.timestamp)), "{in_stop:?}");

    // The broker goes away in order, and comes back.
    let alerts = Alerts::of(&stage, &probe, "S2");
    stage.broker.process().restart();
    let at_ms = now_ms();
    let records = [order(&stage, "S2", "302-2", at_ms), feedback(&stage, "S2", "302-2", at_ms)];
    written.produce(&stage, &records);
    let took = alerts.await_next(&mut service) - at_ms;
    println!("after a restart of the broker the alert took {took} ms");
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    assert_eq!(Check::new(&stage).alerts(), 2);
}

const COMMITTED: Isolation = Isolation::ReadCommitted;

/// The alerts of one seller's shard that are still to come.
struct Alerts<'a> {
    probe: &'a Probe<'a>,
    partition: u32,
    seen: i64,
}

impl<'a> Alerts<'a> {
    fn of(stage: &Stage, probe: &'a Probe<'a>, seller: &str) -> Self {
        let partition = partition_of(seller.as_bytes(), stage.partitions);
        let seen = probe.stable(OutTopic::Alerts, partition);
        Self { probe, partition, seen }
    }

    fn has_next(&self) -> bool {
        self.probe.stable(OutTopic::Alerts, self.partition) > self.seen
    }

    /// Waits for the next one; returns when it was there, in ms since the epoch.
    fn await_next(&self, service: &mut Odrwatch) -> i64 {
        let deadline = Deadline::of_step();
        while !self.has_next() {
            service.must_run();
            deadline.wait(|| format!("an alert\n{}", service.log()));
        }
        now_ms()
    }
}

/// Waits for a part of the interval between two boundaries.
fn await_phase(part: std::ops::Range<i64>) {
    let deadline = Deadline::of_step();
    while !part.contains(&now_ms().rem_euclid(LENGTH_MS)) {
        deadline.wait(|| format!("the part {part:?} of an interval"));
    }
}

fn await_metric(service: &mut Odrwatch, name: &str, labels: &str, wanted: u64) {
    let deadline = Deadline::of_step();
    while metric(&service.metrics(), name, labels) != wanted {
        service.must_run();
        deadline.wait(|| format!("{name} {wanted}"));
    }
}
