//! The engine's cost in CPU time of one thread: decode alone, engine alone, both.
//!
//! Not a timed test: it prints figures. `ODRWATCH_BENCH_ORDERS` and `ODRWATCH_BENCH_SELLERS` set
//! the size (20 million orders and 100,000 sellers by default). The market is `sim::bulk`: 3 %
//! duplicates, 6 % defect events, late up to 3 days, over 75 days, one shard.
//!
//! Method: the history is fed until all orders are held; then chunks of half a million records are
//! rendered into memory, outside of the measurement, and each stage is measured over them by the
//! CPU clock of the thread. The median chunk is printed.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures")]

use odrwatch::domain::effects::Effects;
use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::Offset;
use odrwatch::domain::shard::Shard;
use odrwatch::domain::time::RecordTime;
use odrwatch::pipeline::intake::Intake;
use odrwatch::sim::bulk::{Bulk, BulkBuffers, BulkConfig};
use odrwatch::wire::input::{Decoder, Limits as InputLimits};

/// Records of one measured chunk.
const CHUNK: usize = 500_000;

/// Days of the market.
const DAYS: u32 = 75;

/// 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;

#[path = "../tests/support/cpu.rs"]
mod cpu;

use cpu::cpu_ns;

#[path = "../tests/support/shard.rs"]
mod shard;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Records in memory, one after the other.
#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    records: Vec<(Topic, i64, usize)>,
}

impl Chunk {
    fn fill(&mut self, bulk: &mut Bulk, buffers: &mut BulkBuffers) -> bool {
        self.bytes.clear();
        self.records.clear();
        while self.records.len() < CHUNK {
            let Some(record) = bulk.next_into(buffers) else { break };
            self.bytes.extend_from_slice(&buffers.value);
            self.records.push((record.topic, record.timestamp_ms, self.bytes.len()));
        }
        self.records.len() == CHUNK
    }

    fn iter(&self) -> impl Iterator<Item = (Topic, i64, &[u8])> {
        let mut from = 0;
        self.records.iter().map(move |(topic, time, to)| {
            let value = &self.bytes[from..*to];
            from = *to;
            (*topic, *time, value)
        })
    }
}

/// Feeds records to one shard, closing what can close.
struct Engine {
    shard: Shard,
    intake: Intake,
    effects: Effects,
    offsets: [i64; 4],
    alerts: u64,
}

impl Engine {
    fn new() -> Self {
        let shard = Shard::new(shard::config(false));
        Self {
            shard,
            intake: Intake::new(InputLimits::with_partitions(1)),
            effects: Effects::default(),
            offsets: [0; 4],
            alerts: 0,
        }
    }

    fn feed(&mut self, topic: Topic, time: i64, value: &[u8]) {
        let offset = Offset::new(self.offsets[topic.index()]);
        self.offsets[topic.index()] += 1;
        let time = Some(RecordTime::from_ms(time));
        self.intake.take(&mut self.shard, topic, offset, time, Some(value)).unwrap();
    }

    /// Sparse topics hold boundaries back between their records, so several close together.
    fn close(&mut self) {
        while let Some(boundary) = self.shard.next_closable() {
            self.shard.close(boundary, &mut self.effects).unwrap();
        }
        self.alerts += u64::try_from(self.effects.alerts.len()).unwrap();
        self.effects.clear();
    }

    fn run(&mut self, chunk: &Chunk) {
        for (number, (topic, time, value)) in chunk.iter().enumerate() {
            self.feed(topic, time, value);
            if number % 128 == 127 {
                self.close();
            }
        }
        self.close();
    }
}

fn per_record(work: impl FnOnce()) -> u64 {
    let before = cpu_ns();
    work();
    (cpu_ns() - before) / u64::try_from(CHUNK).unwrap()
}

fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the size of a benchmark")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let orders = setting("ODRWATCH_BENCH_ORDERS", 20_000_000);
    let sellers = setting("ODRWATCH_BENCH_SELLERS", 100_000);
    let measured = 6 * u64::try_from(CHUNK).unwrap();
    let config = BulkConfig::new(1, orders + measured, DAYS, sellers.try_into().unwrap(), START_MS);
    let mut bulk = Bulk::new(config);
    let mut buffers = BulkBuffers::default();
    let mut engine = Engine::new();
    let mut chunk = Chunk::default();
    let filling = cpu_ns();
    let mut fill_ns = 0;
    let mut filled = 0_u64;
    while u64::try_from(engine.shard.held().orders).unwrap() < orders {
        if !chunk.fill(&mut bulk, &mut buffers) {
            break;
        }
        let before = cpu_ns();
        engine.run(&chunk);
        fill_ns += cpu_ns() - before;
        filled += u64::try_from(CHUNK).unwrap();
    }
    let held = engine.shard.held();
    let (index, all) = engine.shard.bytes();
    println!("held: {} orders, {} accounts, {} orphans", held.orders, held.accounts, held.orphans);
    println!("bytes per order: index {}, all {}", index / held.orders, all / held.orders);
    println!("filling: {filled} records, {} ns each, {} alerts", fill_ns / filled, engine.alerts);
    println!("rendering and filling took {} s of CPU", (cpu_ns() - filling) / 1_000_000_000);
    let (mut decode, mut whole) = (Vec::new(), Vec::new());
    while chunk.fill(&mut bulk, &mut buffers) {
        let mut decoder = Decoder::new();
        let limits = InputLimits::with_partitions(1);
        decode.push(per_record(|| {
            for (topic, time, value) in chunk.iter() {
                let time = Some(RecordTime::from_ms(time));
                let event = decoder.decode(topic, value, time, 0, &limits);
                std::hint::black_box(&event).as_ref().unwrap();
            }
        }));
        whole.push(per_record(|| engine.run(&chunk)));
    }
    println!("digest: {:032x}", engine.shard.digest().0);
    let (decode, whole) = (median(decode), median(whole));
    println!("decode alone: {decode} ns per record");
    println!("whole path in memory: {whole} ns per record");
    println!("engine alone (the difference): {} ns per record", whole.saturating_sub(decode));
    println!("whole path: {} records per second on one core", 1_000_000_000 / whole.max(1));
}
