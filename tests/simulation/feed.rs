//! The records to come, and how they get into the inputs.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::ports::InputPartition;
use odrwatch::sim::hostile::{Hostile, HostileConfig, HostileRecord};
use odrwatch::sim::random::Random;
use odrwatch::testing::{NewRecord, TransactionEnd};

use crate::oracle;
use crate::plan::Plan;
use crate::world::World;

/// How far ahead of the clock the timestamp of a live record may be, in ms.
const AHEAD_MS: i64 = 5;

/// The records to come, last first.
pub struct Feed {
    waiting: Vec<(InputPartition, HostileRecord)>,
    first_ms: i64,
    is_live: bool,
}

impl Feed {
    /// A hostile market in the order in which it becomes known.
    pub fn new(seed: u64, plan: &Plan, random: &mut Random) -> Self {
        let hostile = Hostile::new(&HostileConfig {
            partitions: plan.partitions,
            events: plan.events,
            days: plan.days,
            sellers: u32::try_from(random.between(1, 4)).unwrap(),
            ..HostileConfig::new(seed)
        });
        let mut heads: Vec<(InputPartition, &[HostileRecord])> = Vec::new();
        for topic in Topic::ALL {
            for number in 0..plan.partitions {
                let shard = ShardNo::new(number);
                heads.push((InputPartition { topic, shard }, hostile.log(topic, number)));
            }
        }
        let mut waiting = Vec::new();
        loop {
            heads.retain(|(_, rest)| !rest.is_empty());
            let earliest = (0..heads.len()).min_by_key(|at| heads[*at].1[0].timestamp_ms);
            let Some(earliest) = earliest else { break };
            let is_next = plan.is_ordered && !random.chance(100_000);
            let at = if is_next { earliest } else { random.index(heads.len()) };
            let (partition, rest) = &mut heads[at];
            waiting.push((*partition, rest[0].clone()));
            *rest = &rest[1..];
        }
        let first_ms = waiting.iter().filter_map(|(_, record)| record.timestamp_ms).min();
        waiting.reverse();
        Self { waiting, first_ms: first_ms.unwrap_or(0), is_live: plan.is_live }
    }

    /// The first instant of all.
    pub const fn first_ms(&self) -> i64 {
        self.first_ms
    }

    /// How many records are to come.
    pub const fn left(&self) -> usize {
        self.waiting.len()
    }
}

impl World {
    /// Produces the next records; a live world's clock goes on to their time.
    pub fn feed(&mut self, records: usize) {
        for _ in 0..records {
            let Some((partition, record)) = self.feed.waiting.pop() else { return };
            if self.feed.is_live
                && let Some(at_ms) = record.timestamp_ms
                && at_ms > self.now.wall_ms + AHEAD_MS
            {
                self.now.wall_ms = at_ms;
                self.cluster.set_clock_ms(at_ms);
            }
            let HostileRecord { timestamp_ms, key, value, .. } = record;
            let headers = vec![("trace".to_owned(), Some(b"1".to_vec()))];
            self.produce(partition, NewRecord { timestamp_ms, key, value, headers });
        }
    }

    /// Produces a record that everybody sees, in a transaction or not.
    pub fn produce(&mut self, partition: InputPartition, record: NewRecord) {
        let InputPartition { topic, shard } = partition;
        let (timestamp_ms, value) = (record.timestamp_ms, record.value.clone());
        let offset = if self.random.chance(150_000) {
            let transaction = self.cluster.begin();
            let offset = self.cluster.produce_in(transaction, topic, shard.get(), record);
            self.cluster.end(transaction, TransactionEnd::Commit);
            offset
        } else {
            self.cluster.produce(topic, shard.get(), record)
        };
        self.history.push(oracle::Record {
            topic: topic.index(),
            partition: shard.get(),
            offset: offset.get(),
            timestamp_ms,
            value,
        });
    }

    /// Appends records that nobody will see.
    pub fn produce_aborted(&mut self, partition: InputPartition) {
        let InputPartition { topic, shard } = partition;
        let records = (0..self.random.between(1, 3))
            .map(|_| NewRecord::new(self.now.wall_ms, b"nobody", b"{\"aborted\":true}"))
            .collect();
        self.cluster.produce_transactional(topic, shard.get(), records, TransactionEnd::Abort);
    }

    /// Begins a transaction that hangs until [`Self::end_hanging`]; it is aborted then.
    pub fn produce_hanging(&mut self, partition: InputPartition) {
        let InputPartition { topic, shard } = partition;
        let transaction = self.cluster.begin();
        let record = NewRecord::new(self.now.wall_ms, b"nobody", b"{\"hanging\":true}");
        self.cluster.produce_in(transaction, topic, shard.get(), record);
        self.hanging.push(transaction);
    }

    /// Ends what hangs.
    pub fn end_hanging(&mut self) {
        for transaction in std::mem::take(&mut self.hanging) {
            self.cluster.end(transaction, TransactionEnd::Abort);
        }
    }

    /// A tombstone whose timestamp is far ahead of every clock.
    pub fn produce_ahead(&mut self, partition: InputPartition) {
        let ahead_ms = self.random.between(20_000, 100_000_000);
        let timestamp_ms = Some(self.now.wall_ms + ahead_ms);
        self.produce(partition, NewRecord { timestamp_ms, ..NewRecord::default() });
    }
}
