//! Topics to alerts on a real broker: CPU-seconds of the service per million records, beside a
//! bare consumer that only reads the same topics in record-time order.
//!
//! The market is `sim::bulk` over the last 75 days in 4 topics of 4 partitions, produced with its
//! original timestamps; `ODRWATCH_BENCH_RECORDS` sets the number of records (2 million by default).
//! The service is the release binary with one worker and `alerts_from: earliest`, measured from its
//! start until `/readyz` says that it has caught up; the bare consumer is the same adapter without
//! anything behind it. Both are measured three times, in turns, by `/proc`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "what is measured is time")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/kafka_adapter/cluster.rs"]
#[allow(dead_code, reason = "the tests of the adapter use all of it")]
mod cluster;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use odrwatch::domain::event::Topic;
use odrwatch::kafka::{Creation, TopicLayout, check_topics, create_topics};
use odrwatch::pipeline::ports::{Broker, InputPartition};
use odrwatch::sim::bulk::{Bulk, BulkBuffers, BulkConfig};
use odrwatch::sim::murmur2;

use crate::cluster::{Cluster, NAP, at, partition};
use crate::support::Deadline;
use crate::support::topics::{Isolation, Record, end_offsets, produce};

/// Partitions of each topic.
const PARTITIONS: u32 = 4;

/// Days of the market, which end today.
const DAYS: u32 = 75;

/// Records that are produced at a time.
const BATCH: usize = 100_000;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let wanted = std::env::var("ODRWATCH_BENCH_RECORDS").ok().and_then(|text| text.parse().ok());
    let cluster = Cluster::start(PARTITIONS);
    let records = fill(&cluster, wanted.unwrap_or(2_000_000));
    for round in 1..=3 {
        let bare = read_bare(&cluster, round);
        let service = run_service(&cluster, round);
        let per_million = |cpu: Duration| cpu.as_millis() * 1_000_000 / u128::from(records);
        println!(
            "round {round}: {records} records; bare consumer {} ms of CPU per million; service {} \
             ms of CPU per million ({} % of it), {} s, {} MB resident",
            per_million(bare),
            per_million(service.cpu),
            service.cpu.as_millis() * 100 / bare.as_millis().max(1),
            service.wall.as_secs(),
            service.resident_kb / 1024,
        );
    }
}

/// Produces the market; returns the number of its records.
fn fill(cluster: &Cluster, records: u64) -> u64 {
    // The latest days: the broker takes away what is older than the topics' retention.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let today = i64::try_from(now.as_secs() / 86_400).unwrap();
    let start_ms = (today - i64::from(DAYS)) * 86_400_000;
    let mut bulk = Bulk::new(BulkConfig::new(1, records * 92 / 100, DAYS, 20_000, start_ms));
    let mut buffers = BulkBuffers::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut produced = 0;
    while let Some(record) = bulk.next_into(&mut buffers) {
        let key = std::str::from_utf8(&buffers.key).unwrap().to_owned();
        let number = i32::try_from(murmur2::partition_of(&buffers.key, PARTITIONS)).unwrap();
        let topic = record.topic.as_str();
        let time = record.timestamp_ms;
        batch.push(Record::new(topic, number, time, &key, buffers.value.clone()));
        if batch.len() == BATCH {
            produced += u64::try_from(produce(&cluster.bootstrap(), &batch).len()).unwrap();
            batch.clear();
        }
    }
    produced + u64::try_from(produce(&cluster.bootstrap(), &batch).len()).unwrap()
}

/// The CPU time, user and system, and the resident memory in KiB of a process.
fn usage(process: &str) -> (Duration, u64) {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let resident = resident.trim().trim_end_matches(" kB").parse().unwrap();
    // A tick is 10 ms on every Linux that there is.
    (Duration::from_millis(10 * ticks), resident)
}

/// Reads all topics in record-time order and does nothing with the records.
fn read_bare(cluster: &Cluster, round: u32) -> Duration {
    let mut config = cluster.config("bare");
    config.group = format!("bare-{round}");
    let mut worker = cluster.worker_with(&config);
    cluster::await_shards(&mut worker, &cluster.shards());
    let before = usage("self").0;
    let mut left: BTreeMap<InputPartition, (i64, i64)> = BTreeMap::new();
    for topic in Topic::ALL {
        let ends = end_offsets(&cluster.bootstrap(), topic.as_str(), Isolation::ReadCommitted);
        for (shard, end) in (0..).zip(ends) {
            let key = partition(topic, shard);
            worker.seek(key, at(0)).unwrap();
            if end > 0 {
                left.insert(key, (i64::MIN, end));
            }
        }
    }
    while !left.is_empty() {
        worker.poll_group(&mut Vec::new()).unwrap();
        let lowest = left.iter().min_by_key(|(_, (time, _))| *time).map(|(key, _)| *key).unwrap();
        let (time, count) = left.get_mut(&lowest).unwrap();
        let each = &mut |record: odrwatch::pipeline::ports::RawRecord<'_>| {
            *time = (*time).max(record.timestamp_ms.unwrap_or(0));
            *count -= 1;
            std::hint::black_box(record.value);
        };
        if worker.read(lowest, 100, each).unwrap() == 0 {
            worker.wait(NAP);
        }
        left.retain(|_, (_, count)| *count > 0);
    }
    let spent = usage("self").0.saturating_sub(before);
    worker.close();
    spent
}

struct Usage {
    cpu: Duration,
    wall: Duration,
    resident_kb: u64,
}

/// Runs the release binary until it has caught up.
fn run_service(cluster: &Cluster, round: u32) -> Usage {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.arg("run").arg("-q");
    let sets = [
        format!("kafka.bootstrap_servers={}", cluster.bootstrap()),
        format!("kafka.group=service-{round}"),
        "kafka.instance=bench".to_owned(),
        format!("http.listen=127.0.0.1:{port}"),
        "alerts_from=earliest".to_owned(),
        // A round of its own begins: another's progress would be taken for its history.
        format!("kafka.topics.alerts=alerts-{round}"),
        format!("kafka.topics.status=status-{round}"),
        format!("kafka.topics.dead_letters=dead-letters-{round}"),
        format!("kafka.topics.progress=progress-{round}"),
        format!("kafka.topics.advice=advice-{round}"),
        format!("kafka.topics.snapshots=snapshots-{round}"),
    ];
    create_outputs(cluster, round);
    for set in sets {
        command.arg("--set").arg(set);
    }
    let began = Instant::now();
    let mut child = support::process::spawn(command).unwrap();
    let deadline = Deadline::of_step();
    while !is_ready(port) {
        assert!(child.try_wait().unwrap().is_none(), "the service ended");
        deadline.wait(|| "the service to catch up".to_owned());
    }
    let wall = began.elapsed();
    let (cpu, resident_kb) = usage(&child.id().to_string());
    support::process::signal(&child, libc::SIGTERM);
    child.wait().unwrap();
    Usage { cpu, wall, resident_kb }
}

fn create_outputs(cluster: &Cluster, round: u32) {
    let mut config = cluster.config("bench");
    config.topics.alerts = format!("alerts-{round}");
    config.topics.status = format!("status-{round}");
    config.topics.dead_letters = format!("dead-letters-{round}");
    config.topics.progress = format!("progress-{round}");
    config.topics.advice = format!("advice-{round}");
    config.topics.snapshots = format!("snapshots-{round}");
    let layout = TopicLayout { partitions: PARTITIONS, replication: Some(1), horizon_days: 75 };
    create_topics(&config, layout, Creation::Create).unwrap();
    let deadline = Deadline::of_step();
    while check_topics(&config, 75).is_err() {
        deadline.wait(|| "the round's topics".to_owned());
    }
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
