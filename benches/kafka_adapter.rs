//! What the Kafka adapter costs against a real broker: CPU and wall time of a transaction of 100
//! records, and CPU of a record that is read from 4 topics of 8 partitions.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "what is measured is time")]

#[path = "../tests/support/mod.rs"]
mod support;

#[path = "../tests/kafka_adapter/cluster.rs"]
#[allow(dead_code, reason = "the tests of the adapter use all of it")]
mod cluster;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use odrwatch::domain::event::Topic;
use odrwatch::pipeline::ports::{Batch, Broker, OutRecord, OutTopic, ShardOffsets};

use crate::cluster::{Cluster, NAP, at, partition};
use crate::support::topics::{Record, produce};

/// The CPU time of this process, all threads, user and system.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    // A tick is 10 ms on every Linux that there is.
    Duration::from_millis(10 * ticks)
}

fn batch_of_100(cluster: &Cluster, number: i64) -> Batch {
    let shards = cluster.shards();
    let record = |topic, place: usize| OutRecord {
        topic,
        partition: Some(shards[place % shards.len()]),
        key: Some(format!("seller-{place}").into_bytes()),
        value: Some(vec![b'v'; 230]),
        headers: Vec::new(),
        timestamp_ms: None,
    };
    let alerts = (0..96).map(|place| record(OutTopic::Alerts, place));
    let progress = (0..4).map(|place| record(OutTopic::Progress, place));
    let offsets = shards.iter().map(|shard| ShardOffsets {
        shard: *shard,
        next: [at(number); 4],
        progress: u64::try_from(number).unwrap(),
    });
    let records = alerts.chain(progress).collect();
    Batch { records, offsets: offsets.collect(), max_clock_skew_ms: None }
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if std::env::args().any(|argument| argument == "--bench") {
        measure_transactions();
        measure_reading();
    }
}

fn measure_transactions() {
    let cluster = Cluster::start(4);
    let mut worker = cluster.sole_worker("host");
    for pause in [Duration::ZERO, Duration::from_millis(100)] {
        let count = if pause.is_zero() { 1_000 } else { 200 };
        let (began, spent) = (Instant::now(), cpu());
        let mut took = Vec::new();
        for number in 0..count {
            worker.poll_group(&mut Vec::new()).unwrap();
            took.push(worker.commit(&batch_of_100(&cluster, number)).unwrap().took);
            std::thread::sleep(pause);
        }
        let (wall, spent) = (began.elapsed(), cpu().saturating_sub(spent));
        took.sort();
        let per = u32::try_from(count).unwrap();
        println!(
            "100 records + 16 offsets, pause {pause:?}: commit p50 {:?} p99 {:?}; per transaction \
             wall {:?} CPU {:?}",
            took[took.len() / 2],
            took[took.len() * 99 / 100],
            wall / per,
            spent / per
        );
    }
}

fn measure_reading() {
    const EACH: i64 = 62_500;
    let cluster = Cluster::start(8);
    let keys: Vec<_> = Topic::ALL
        .into_iter()
        .flat_map(|topic| (0..8).map(move |shard| partition(topic, shard)))
        .collect();
    for key in &keys {
        let number = i32::try_from(key.shard.get()).unwrap();
        let value = vec![b'v'; 226];
        let records: Vec<Record> = (0..EACH)
            .map(|n| Record::new(key.topic.as_str(), number, n, "seller", value.clone()))
            .collect();
        produce(&cluster.bootstrap(), &records);
    }
    let mut worker = cluster.sole_worker("host");
    for pass in 0..3 {
        let (began, spent) = (Instant::now(), cpu());
        for key in &keys {
            worker.seek(*key, at(0)).unwrap();
        }
        let mut left: BTreeMap<_, i64> = keys.iter().map(|key| (*key, EACH)).collect();
        let (mut bytes, mut naps) = (0, 0);
        while !left.is_empty() {
            worker.poll_group(&mut Vec::new()).unwrap();
            let mut read = 0;
            for (key, left) in &mut left {
                let each = &mut |record: odrwatch::pipeline::ports::RawRecord<'_>| {
                    bytes += record.value.map_or(0, <[u8]>::len);
                    *left -= 1;
                };
                read += worker.read(*key, 100, each).unwrap();
            }
            left.retain(|_, left| *left > 0);
            if read == 0 {
                naps += 1;
                worker.wait(NAP);
            }
        }
        let (wall, spent) = (began.elapsed(), cpu().saturating_sub(spent));
        let count = u32::try_from(EACH * 32).unwrap();
        println!(
            "pass {pass}: {count} records of 32 partitions, {bytes} bytes: wall {wall:?}, CPU \
             {spent:?}, {:?} CPU a record, {naps} naps",
            spent / count
        );
    }
}
