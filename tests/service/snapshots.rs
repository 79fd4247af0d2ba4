//! Snapshots on the real thing: a restart goes on from the topic, or from a directory.

use tempfile::TempDir;

use super::check::Check;
use super::child::{Odrwatch, metric};
use super::feed::{History, Written, feedback, order};
use super::now_ms;
use super::probe::Probe;
use super::stage::Stage;
use crate::support::Deadline;

const HISTORY: History = History { seed: 21, hostile: 4_000, bulk: 30_000 };

/// Waits until each shard has a snapshot of what the group has committed.
fn await_snapshots(service: &mut Odrwatch, shards: u64) {
    let deadline = Deadline::of_step();
    loop {
        let text = service.metrics();
        let kept = metric(&text, "odrwatch_snapshots_total", "");
        if kept >= 2 * shards {
            return;
        }
        service.must_run();
        deadline.wait(|| format!("{kept} snapshots"));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn a_killed_service_restores_from_the_topic_and_reads_only_the_tail() {
    let stage = Stage::new("snapshots", 2);
    let sets = ["snapshots.store=kafka", "snapshots.interval_ms=500"];
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    let records = HISTORY.records(&stage);
    written.produce_all(&stage, &records);
    let mut service = Odrwatch::start(&stage, "a", &sets);
    probe.await_done(&written, &mut [&mut service]);
    service.await_ready();
    for n in 0..4 {
        let (now, id) = (now_ms(), format!("302-{n}"));
        written.produce(&stage, &[order(&stage, "S", &id, now), feedback(&stage, "S", &id, now)]);
        probe.await_done(&written, &mut [&mut service]);
    }
    await_snapshots(&mut service, 2);
    service.kill();

    // Another machine, as far as anybody can tell.
    let mut service = Odrwatch::start(&stage, "b", &sets);
    service.await_ready();
    let line = service.await_line(&["snapshot loaded"]);
    let restored = metric(&service.metrics(), "odrwatch_restored_records_total", "");
    println!("{restored} of {} records read again; {line}", records.len());
    assert!(restored < u64::try_from(records.len() / 2).unwrap(), "{restored}");
    let (now, id) = (now_ms(), "302-9");
    written.produce(&stage, &[order(&stage, "S", id, now), feedback(&stage, "S", id, now)]);
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    assert!(Check::new(&stage).alerts() > 0);
}

#[test]
fn a_stopped_service_leaves_its_state_in_a_directory_and_reads_nothing_again() {
    let stage = Stage::new("directory", 2);
    let place = TempDir::new().unwrap();
    let store = format!("snapshots.store=file://{}", place.path().join("odr").display());
    let probe = Probe::new(&stage);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let mut service = Odrwatch::start(&stage, "a", &[&store]);
    probe.await_done(&written, &mut [&mut service]);
    service.await_ready();
    service.stop();
    for shard in 0..2 {
        let directory = place.path().join(format!("odr/directory/{shard}"));
        let names = std::fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.ends_with(".odrsnap")).count(), 1, "{directory:?}");
    }
    let mut service = Odrwatch::start(&stage, "a", &[&store]);
    service.await_ready();
    service.await_line(&["snapshot loaded"]);
    assert_eq!(metric(&service.metrics(), "odrwatch_restored_records_total", ""), 0);
    let now = now_ms();
    written
        .produce(&stage, &[order(&stage, "S", "302-1", now), feedback(&stage, "S", "302-1", now)]);
    probe.await_done(&written, &mut [&mut service]);
    service.stop();
    assert!(Check::new(&stage).alerts() > 0);
}
