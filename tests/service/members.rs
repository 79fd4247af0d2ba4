//! Several workers and processes share the partitions; joins and leaves change no alert.

use super::check::{Check, committed_alerts};
use super::child::{Odrwatch, metric};
use super::feed::{History, Written};
use super::probe::Probe;
use super::stage::Stage;
use crate::support::Deadline;

const HISTORY: History = History { seed: 5, hostile: 40_000, bulk: 40_000 };

const TWO_WORKERS: &[&str] = &["engine.workers=2", "engine.commit_interval_ms=20"];

/// How many pieces of the history are written, one after each change of the group.
const PIECES: usize = 6;

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn joins_and_leaves_of_workers_and_processes_change_no_alert() {
    let stage = Stage::new("members", 8);
    let mut pieces = HISTORY.pieces(&stage, PIECES);
    let mut written = Written::default();
    let probe = Probe::new(&stage);

    pieces.produce_next(&mut written);
    let mut first = Odrwatch::start(&stage, "a", TWO_WORKERS);
    await_members(&mut [&mut first], 8);
    let before = committed_alerts(&stage);
    pieces.produce_next(&mut written);
    let mut second = Odrwatch::start(&stage, "b", TWO_WORKERS);
    await_members(&mut [&mut first, &mut second], 8);
    pieces.produce_next(&mut written);
    let middle = committed_alerts(&stage);
    await_work(&mut second);
    // An orderly leave; static members are missed only after their session.
    second.stop();
    pieces.produce_next(&mut written);
    await_members(&mut [&mut first], 8);
    let mut third = Odrwatch::start(&stage, "c", TWO_WORKERS);
    await_members(&mut [&mut first, &mut third], 8);
    pieces.produce_next(&mut written);
    await_work(&mut third);
    third.kill();
    pieces.produce_next(&mut written);
    await_members(&mut [&mut first], 8);
    let mut again = Odrwatch::start(&stage, "c", TWO_WORKERS);
    probe.await_done(&written, &mut [&mut first, &mut again]);
    first.stop();
    again.stop();

    let check = Check::new(&stage);
    let alerts = check.alerts();
    check.dead_letters();
    let last = committed_alerts(&stage);
    for snapshot in [&before, &middle] {
        assert!(snapshot.iter().zip(&last).all(|(before, after)| after.starts_with(before)));
    }
    let closings = check.closings();
    println!("{} records, {alerts} alerts, {closings} closings by decision", written.records);
}

/// Waits until these processes have all shards between them, and each has one.
pub fn await_members(services: &mut [&mut Odrwatch], shards: u64) {
    let deadline = Deadline::of_step();
    loop {
        let has: Vec<u64> = services
            .iter_mut()
            .map(|service| {
                service.must_run();
                metric(&service.metrics(), "odrwatch_shards", "")
            })
            .collect();
        if has.iter().sum::<u64>() == shards && has.iter().all(|has| *has > 0) {
            return;
        }
        deadline.wait(|| format!("{shards} shards in all, {has:?} so far"));
    }
}

/// Waits until a process has committed something.
fn await_work(service: &mut Odrwatch) {
    let deadline = Deadline::of_step();
    while metric(&service.metrics(), "odrwatch_records_total", "") == 0 {
        service.must_run();
        deadline.wait(|| format!("a commit\n{}", service.log()));
    }
}
