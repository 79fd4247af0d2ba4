//! Reading while members come and go: no record lost, doubled or out of sequence.

use std::collections::{BTreeMap, BTreeSet};

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::kafka::KafkaBroker;
use odrwatch::pipeline::ports::{Broker, GroupEvent, InputPartition};

use crate::cluster::{Cluster, NAP, at, partition, read_offsets};
use crate::support::Deadline;

const SHARDS: u32 = 4;

/// Where reading goes on, whoever reads: what the group's commits are in earnest.
type Book = BTreeMap<InputPartition, NextOffset>;

/// A worker that reads all that it is given, and checks every offset.
struct Member {
    worker: KafkaBroker,
    shards: BTreeSet<ShardNo>,
}

impl Member {
    fn new(cluster: &Cluster, instance: &str) -> Self {
        Self { worker: cluster.worker(instance), shards: BTreeSet::new() }
    }

    /// One turn; gives the number of records read.
    fn turn(&mut self, book: &mut Book) -> usize {
        let mut events = Vec::new();
        self.worker.poll_group(&mut events).unwrap();
        // What was held before a revocation and comes back goes on by itself.
        let kept = self.shards.clone();
        for event in events {
            let assigned = match event {
                GroupEvent::Revoked { .. } => Vec::new(),
                GroupEvent::Assigned(shards) => shards,
            };
            for shard in assigned.iter().filter(|shard| !kept.contains(*shard)) {
                for topic in Topic::ALL {
                    let key = InputPartition { topic, shard: *shard };
                    self.worker.seek(key, book[&key]).unwrap();
                }
            }
            self.shards = assigned.into_iter().collect();
        }
        let mut count = 0;
        for shard in &self.shards {
            for topic in Topic::ALL {
                let key = InputPartition { topic, shard: *shard };
                let next = book.get_mut(&key).unwrap();
                count += self
                    .worker
                    .read(key, 37, &mut |record| {
                        assert_eq!(record.offset.get(), next.get(), "{key:?}");
                        let value = record.value.unwrap();
                        assert_eq!(value, record.offset.get().to_string().as_bytes());
                        *next = record.offset.next();
                    })
                    .unwrap();
            }
        }
        count
    }
}

fn all_partitions() -> Vec<InputPartition> {
    let shards = 0..SHARDS;
    shards
        .flat_map(|shard| Topic::ALL.into_iter().map(move |topic| partition(topic, shard)))
        .collect()
}

#[test]
fn no_record_is_lost_doubled_or_out_of_order_while_members_come_and_go() {
    let cluster = Cluster::start(SHARDS);
    let mut book: Book = all_partitions().into_iter().map(|key| (key, at(0))).collect();
    let mut produced = 0;
    let mut first = Member::new(&cluster, "a");
    let deadline = Deadline::of_step();
    for round in 0..3 {
        // Reads on through the join of the second, then through its leave.
        for members in [1, 2, 1] {
            for key in all_partitions() {
                cluster.produce(key, produced..produced + 400);
            }
            produced += 400;
            let mut second = (members == 2).then(|| Member::new(&cluster, "b"));
            let mut settled = false;
            while !settled || book.values().any(|next| next.get() < produced) {
                let mut read = first.turn(&mut book);
                let mut held = first.shards.len();
                if let Some(second) = &mut second {
                    read += second.turn(&mut book);
                    held += second.shards.len();
                    settled = held == 4 && !first.shards.is_empty() && !second.shards.is_empty();
                } else {
                    settled = held == 4;
                }
                if read == 0 {
                    first.worker.wait(NAP);
                    deadline.wait(|| format!("round {round}: {produced} records of {book:?}"));
                }
            }
        }
    }
    assert!(book.values().all(|next| next.get() == produced), "{book:?}");
}

#[test]
fn a_seek_is_exact_wherever_reading_is() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    let key = partition(Topic::Orders, 0);
    cluster.produce(key, 0..5_000);
    assert_eq!(worker.position(key), None, "nothing is read before the first seek");
    assert_eq!(worker.read(key, 10, &mut |_| panic!("it is not being read")).unwrap(), 0);
    let mut state = 7_u64;
    for turn in 0..60 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let from = i64::try_from((state >> 33) % 4_950).unwrap();
        worker.seek(key, at(from)).unwrap();
        assert_eq!(worker.position(key), Some(at(from)));
        // Sometimes the next seek comes before anything was read.
        let count = turn % 3 * 25;
        let offsets = read_offsets(&mut worker, key, count);
        let end = from + i64::try_from(count).unwrap();
        assert!(offsets.iter().copied().eq(from..end), "{turn}: {from}: {offsets:?}");
        assert_eq!(worker.position(key), Some(at(end)));
    }
}

#[test]
fn a_closed_worker_reads_and_commits_nothing() {
    let cluster = Cluster::start(1);
    let mut worker = cluster.sole_worker("host");
    let key = partition(Topic::Orders, 0);
    worker.seek(key, at(0)).unwrap();
    worker.close();
    worker.close();
    assert!(worker.poll_group(&mut Vec::new()).is_err());
    assert!(worker.read(key, 1, &mut |_| {}).is_err());
    assert_eq!(worker.position(key), None);
    worker.wait(NAP);
}
