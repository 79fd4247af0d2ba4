//! Alerts of a real broker reach a webhook exactly as committed, whatever the receiver and odrwatch
//! itself go through meanwhile.

use std::collections::BTreeMap;

use odrwatch::pipeline::ports::OutTopic;

use super::child::{Odrwatch, metric, promtool_accepts};
use super::feed::{History, Written};
use super::probe::Probe;
use super::stage::Stage;
use crate::support::Deadline;
use crate::support::receiver::{Got, Receiver, Reply};
use crate::support::topics::{Isolation, Stored, read_all};

const HISTORY: History = History { seed: 11, hostile: 9_000, bulk: 9_000 };

/// How many pieces of the history are written: one a state of the receiver.
const PIECES: usize = 4;

fn committed(stage: &Stage) -> Vec<Stored> {
    let topic = stage.output(OutTopic::Alerts);
    read_all(&stage.bootstrap(), &topic, Isolation::ReadCommitted)
}

/// What an alert must arrive as: its place, its key and its value.
fn wanted(alert: &Stored) -> ((String, String), (Vec<u8>, String)) {
    let key = String::from_utf8(alert.key.clone().unwrap()).unwrap();
    let place = (alert.partition.to_string(), alert.offset.to_string());
    (place, (alert.value.clone().unwrap(), key))
}

/// What arrived, by place. Repetitions must be identical.
fn arrived(taken: &[Got]) -> BTreeMap<(String, String), (Vec<u8>, String)> {
    let mut found = BTreeMap::new();
    for got in taken {
        let header = |name: &str| got.header(name).to_owned();
        let place = (header("x-odrwatch-partition"), header("x-odrwatch-offset"));
        // Ids of the history have nothing in them that is encoded but spaces.
        let key = header("x-odrwatch-key").replace("%20", " ").replace("%22", "\"");
        let key = key.replace("%25", "%");
        let before = found.insert(place, (got.body.clone(), key.clone()));
        assert!(before.is_none_or(|before| before == (got.body.clone(), key)), "{got:?}");
    }
    found
}

/// Of each seller, the places of its alerts as they first arrived.
fn first_arrivals(taken: &[Got]) -> BTreeMap<String, Vec<(u32, i64)>> {
    let mut found: BTreeMap<String, Vec<(u32, i64)>> = BTreeMap::new();
    for got in taken {
        let number = |name: &str| got.header(name).parse::<i64>().unwrap();
        let partition = u32::try_from(number("x-odrwatch-partition")).unwrap();
        let place = (partition, number("x-odrwatch-offset"));
        let places = found.entry(got.header("x-odrwatch-key").to_owned()).or_default();
        if !places.contains(&place) {
            places.push(place);
        }
    }
    found
}

fn tries(service: &mut Odrwatch, answer: &str) -> u64 {
    let label = format!("answer=\"{answer}\"");
    metric(&service.metrics(), "odrwatch_bridge_tries_total", &label)
}

fn await_tries(service: &mut Odrwatch, answer: &str, more: u64) {
    let before = tries(service, answer);
    let deadline = Deadline::of_step();
    while tries(service, answer) < before + more {
        service.must_run();
        deadline.wait(|| format!("{more} tries that are {answer}\n{}", service.log()));
    }
}

/// Waits until nothing waits in any partition, and enough has arrived.
fn await_all(service: &mut Odrwatch, has_enough: impl Fn() -> bool) {
    let deadline = Deadline::of_step();
    loop {
        let metrics = service.metrics();
        let waiting = metric(&metrics, "odrwatch_bridge_undelivered_alerts", "");
        let has_all = metric(&metrics, "odrwatch_bridge_partitions", "") == 4;
        if has_all && waiting == 0 && has_enough() {
            promtool_accepts(&metrics);
            return;
        }
        service.must_run();
        deadline.wait(|| format!("{waiting} alerts wait\n{}", service.log()));
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the numbers of the run")]
fn every_alert_reaches_a_webhook_as_it_was_committed_whatever_happens_meanwhile() {
    let stage = Stage::new("bridge", 4);
    let mut pieces = HISTORY.pieces(&stage, PIECES);
    let mut written = Written::default();
    let probe = Probe::new(&stage);
    let receiver = Receiver::start();
    let address = receiver.address;
    let url = format!("bridge.url=http://{address}/alerts");
    let sets = [
        "bridge.target=webhook",
        url.as_str(),
        "bridge.start=earliest",
        "bridge.max_backoff_ms=300",
        "bridge.timeout_ms=500",
    ];

    // Taken as they come.
    pieces.produce_next(&mut written);
    let mut service = Odrwatch::start(&stage, "a", &sets);
    probe.await_done(&written, &mut [&mut service]);
    let deadline = Deadline::of_step();
    while receiver.taken().is_empty() {
        deadline.wait(|| format!("a first alert\n{}", service.log()));
    }

    // Nobody is there; alerts are computed all the same.
    let mut taken = receiver.stop();
    pieces.produce_next(&mut written);
    probe.await_done(&written, &mut [&mut service]);
    await_tries(&mut service, "failed", 3);
    let (_, ready) = service.get("/readyz");
    assert!(ready.contains("degraded: bridge: the receiver takes no alerts"), "{ready}");

    // Somebody is, and is busy; then says nothing at all.
    let receiver = Receiver::at(address);
    receiver.reply(|_| Reply::Status(503));
    pieces.produce_next(&mut written);
    probe.await_done(&written, &mut [&mut service]);
    await_tries(&mut service, "busy", 3);
    receiver.reply(|_| Reply::Hang);
    await_tries(&mut service, "failed", 2);
    assert!(receiver.taken().is_empty());

    // odrwatch dies while some are taken and some are not, and comes again.
    receiver.reply(|got| Reply::Status(if got.body.len() % 2 == 0 { 200 } else { 503 }));
    await_tries(&mut service, "taken", 3);
    service.kill();
    pieces.produce_next(&mut written);
    let mut service = Odrwatch::start(&stage, "a", &sets);
    await_tries(&mut service, "taken", 3);
    receiver.reply(|_| Reply::Status(200));
    probe.await_done(&written, &mut [&mut service]);
    service.await_ready();

    let wanted: BTreeMap<_, _> = committed(&stage).iter().map(wanted).collect();
    await_all(&mut service, || arrived(&receiver.taken()).len() + taken.len() >= wanted.len());
    service.stop();
    let after = receiver.stop();
    let (repeated, sent) = (after.len() + taken.len(), wanted.len());
    taken.extend(after);
    assert!(arrived(&taken) == wanted, "what arrived is what was committed");
    for (seller, places) in first_arrivals(&taken) {
        assert!(places.is_sorted(), "the alerts of {seller} arrived as {places:?}");
    }
    assert!(sent > 20, "{sent} alerts");
    println!("{sent} alerts arrived as committed, in {repeated} deliveries");
}
