//! What the tests write into the input topics.

use std::collections::BTreeMap;

use odrwatch::domain::event::Topic;
use odrwatch::domain::time::DAY_MS;
use odrwatch::sim::bulk::{Bulk, BulkBuffers, BulkConfig};
use odrwatch::sim::hostile::{Feature, Features, Hostile, HostileConfig};
use odrwatch::sim::murmur2::partition_of;
use odrwatch::sim::random::Random;
use odrwatch::wire::time::instant;

use super::now_ms;
use super::stage::Stage;
use crate::support::topics::{Ending, HeaderPair, Record, produce, produce_transactional};

/// What only a buyer may write: no output but a dead letter's own value may hold it.
pub const CANARY: &str = "canary-7f3a";

/// How many days before today a history begins; it ends ten days before today.
const HISTORY_DAYS: (i64, u32) = (100, 90);

/// How much of a history there is.
pub struct History {
    pub seed: u64,
    /// Facts of the hostile workload; duplicates and bad records come on top.
    pub hostile: usize,
    /// Orders of the plain workload; there are about 9 % more records.
    pub bulk: u64,
}

/// After the last record that was written to each input partition.
#[derive(Default)]
pub struct Written {
    pub next: BTreeMap<(String, i32), i64>,
    pub records: usize,
}

impl Written {
    fn note(&mut self, records: &[Record], offsets: &[i64]) {
        self.records += records.len();
        for (record, offset) in records.iter().zip(offsets) {
            let next = self.next.entry((record.topic.clone(), record.partition)).or_insert(0);
            *next = (*next).max(offset + 1);
        }
    }

    /// Produces records that count.
    pub fn produce(&mut self, stage: &Stage, records: &[Record]) {
        let offsets = produce(&stage.bootstrap(), records);
        self.note(records, &offsets);
    }

    /// Produces records that count in a transaction.
    pub fn commit(&mut self, stage: &Stage, records: &[Record]) {
        let id = format!("{}-importer", stage.name);
        let offsets = produce_transactional(&stage.bootstrap(), &id, records, Ending::Commit);
        self.note(records, &offsets);
    }

    /// Produces records that must not count.
    pub fn abort(stage: &Stage, records: &[Record]) {
        let id = format!("{}-importer", stage.name);
        produce_transactional(&stage.bootstrap(), &id, records, Ending::Abort);
    }

    /// Produces a history in pieces: some in transactions, some after an aborted one of records
    /// that would make every order of the piece defective.
    pub fn produce_all(&mut self, stage: &Stage, records: &[Record]) {
        for (number, piece) in records.chunks(20_000).enumerate() {
            match number % 3 {
                0 => self.produce(stage, piece),
                1 => self.commit(stage, piece),
                _ => {
                    let orders = stage.input(Topic::Orders);
                    let feedback = stage.input(Topic::Feedback);
                    let poison = piece.iter().filter(|record| record.topic == orders);
                    let poison = poison.map(|order| poisoned(order, &feedback));
                    Self::abort(stage, &poison.take(2_000).collect::<Vec<_>>());
                    self.produce(stage, piece);
                }
            }
        }
    }
}

/// A history that is written a piece at a time.
pub struct Pieces<'a> {
    stage: &'a Stage,
    records: Vec<Record>,
    /// Records of a piece.
    size: usize,
    /// Records written so far.
    done: usize,
}

impl Pieces<'_> {
    /// Produces the next piece; there must be one.
    pub fn produce_next(&mut self, written: &mut Written) {
        let piece = self.records[self.done..].chunks(self.size).next().unwrap();
        written.produce_all(self.stage, piece);
        self.done += piece.len();
    }
}

/// A feedback of one star on an order.
fn poisoned(order: &Record, feedback: &str) -> Record {
    let value = order.value.clone().unwrap_or_default();
    let fields: serde_json::Value = serde_json::from_slice(&value).unwrap_or_default();
    let text = |name: &str| fields[name].as_str().unwrap_or("x").replace(['\\', '"'], "");
    let value = format!(
        "{{\"seller_id\":\"{}\",\"order_id\":\"{}\",\"rating\":1,\"status\":\"posted\"}}",
        text("seller_id"),
        text("order_id")
    );
    Record { topic: feedback.to_owned(), value: Some(value.into_bytes()), ..order.clone() }
}

impl History {
    /// The records of all partitions; those of one partition are in their order.
    pub fn records(&self, stage: &Stage) -> Vec<Record> {
        let start_ms = (now_ms().div_euclid(DAY_MS) - HISTORY_DAYS.0) * DAY_MS;
        let mut logs = self.hostile_logs(stage, start_ms);
        logs.push(self.bulk_log(stage, start_ms));
        merge(logs)
    }

    /// The same, in so many pieces.
    pub fn pieces<'a>(&self, stage: &'a Stage, count: usize) -> Pieces<'a> {
        let records = self.records(stage);
        Pieces { stage, size: records.len().div_ceil(count), records, done: 0 }
    }

    fn hostile_logs(&self, stage: &Stage, start_ms: i64) -> Vec<Vec<Record>> {
        let features = Feature::ALL
            .into_iter()
            .filter(|feature| {
                // Kafka has no records without a timestamp; the others would leave most of the 90
                // days and of the sellers without any record.
                !matches!(
                    feature,
                    Feature::MissingTimestamps | Feature::Pauses | Feature::GiantSeller
                )
            })
            .fold(Features::NONE, Features::with);
        let hostile = Hostile::new(&HostileConfig {
            events: self.hostile,
            days: HISTORY_DAYS.1,
            sellers: 300,
            partitions: stage.partitions,
            start_ms,
            features: Some(features),
            ..HostileConfig::new(self.seed)
        });
        let mut random = Random::new(self.seed);
        let mut logs = Vec::new();
        for topic in Topic::ALL {
            for partition in 0..stage.partitions {
                let log = hostile.log(topic, partition).iter().map(|record| Record {
                    topic: stage.input(topic),
                    partition: i32::try_from(partition).unwrap(),
                    timestamp: record.timestamp_ms.unwrap(),
                    key: record.key.clone(),
                    value: record.value.clone(),
                    headers: headers(&mut random),
                });
                logs.push(log.collect());
            }
        }
        logs
    }

    fn bulk_log(&self, stage: &Stage, start_ms: i64) -> Vec<Record> {
        let mut bulk =
            Bulk::new(BulkConfig::new(self.seed, self.bulk, HISTORY_DAYS.1, 100, start_ms));
        let (mut buffers, mut log) = (BulkBuffers::default(), Vec::new());
        while let Some(record) = bulk.next_into(&mut buffers) {
            log.push(Record {
                topic: stage.input(record.topic),
                partition: i32::try_from(partition_of(&buffers.key, stage.partitions)).unwrap(),
                timestamp: record.timestamp_ms,
                key: Some(buffers.key.clone()),
                value: Some(buffers.value.clone()),
                headers: Vec::new(),
            });
        }
        log
    }
}

/// A header as it is written here.
type Pair = (&'static str, Option<&'static [u8]>);

/// Headers of all shapes, on one record in three.
fn headers(random: &mut Random) -> Vec<HeaderPair> {
    let all: [&[Pair]; 6] = [
        &[("trace", Some(b"00-4bf9-01"))],
        &[("empty", Some(b"")), ("none", None), ("raw", Some(b"\x00\xff"))],
        &[],
        &[],
        &[],
        &[],
    ];
    let owned = |(name, value): &Pair| ((*name).to_owned(), value.map(<[u8]>::to_vec));
    random.pick(&all).iter().map(owned).collect()
}

/// Merges logs by their times; the order within each stays, also where its times go back.
fn merge(logs: Vec<Vec<Record>>) -> Vec<Record> {
    let mut heads: BTreeMap<(i64, usize), std::vec::IntoIter<Record>> = BTreeMap::new();
    let mut merged = Vec::new();
    let put = |heads: &mut BTreeMap<_, _>, log: std::vec::IntoIter<Record>, number: usize| {
        if let Some(time) = log.as_slice().first().map(|record| record.timestamp) {
            heads.insert((time, number), log);
        }
    };
    for (number, log) in logs.into_iter().enumerate() {
        put(&mut heads, log.into_iter(), number);
    }
    while let Some(((_, number), mut log)) = heads.pop_first() {
        merged.extend(log.next());
        put(&mut heads, log, number);
    }
    merged
}

/// An order, to the partition of its seller.
pub fn order(stage: &Stage, seller: &str, order: &str, at_ms: i64) -> Record {
    let time = instant(at_ms);
    let value = format!(
        "{{\"seller_id\":\"{seller}\",\"order_id\":\"{order}\",\"event_time\":\"{time}\",\
         \"purchase_date\":\"{time}\",\"fulfillment_channel\":\"MFN\",\
         \"order_status\":\"Shipped\",\"buyer_email\":\"{CANARY}@example.com\"}}"
    );
    keyed(stage, Topic::Orders, seller, at_ms, value)
}

/// A feedback of one star on an order, with words of the buyer.
pub fn feedback(stage: &Stage, seller: &str, order: &str, at_ms: i64) -> Record {
    let time = instant(at_ms);
    let value = format!(
        "{{\"seller_id\":\"{seller}\",\"order_id\":\"{order}\",\"event_time\":\"{time}\",\
         \"rating\":1,\"status\":\"posted\",\"comment\":\"broken, says {CANARY}\"}}"
    );
    keyed(stage, Topic::Feedback, seller, at_ms, value)
}

/// A record in the partition of its seller.
pub fn keyed(
    stage: &Stage,
    topic: Topic,
    seller: &str,
    at_ms: i64,
    value: impl Into<Vec<u8>>,
) -> Record {
    let partition = i32::try_from(partition_of(seller.as_bytes(), stage.partitions)).unwrap();
    Record::new(&stage.input(topic), partition, at_ms, seller, value)
}
