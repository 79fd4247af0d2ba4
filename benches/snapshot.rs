//! What a snapshot costs, in CPU time of one thread: copying, packing, restoring.
//!
//! Not a timed test: it prints figures. `ODRWATCH_BENCH_ORDERS` and `ODRWATCH_BENCH_SELLERS` set
//! the size (1 million orders and 100,000 sellers by default). The market is `sim::bulk` as in the
//! engine's bench, one shard.
//!
//! Method: the history is fed until all orders are held. Copying is what the worker does, slice by
//! slice: the longest slice is the longest pause of a turn, the sum is how long the shard itself
//! stands still at least. Packing and restoring are what the keeper does beside it. Each is done
//! five times; the median is printed, and of the slices the longest of all.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints its figures")]

use odrwatch::domain::effects::Effects;
use odrwatch::domain::ids::{NextOffset, Offset};
use odrwatch::domain::image::Taking;
use odrwatch::domain::shard::Shard;
use odrwatch::domain::time::RecordTime;
use odrwatch::pipeline::intake::Intake;
use odrwatch::pipeline::snapshots::SLICE;
use odrwatch::sim::bulk::{Bulk, BulkBuffers, BulkConfig};
use odrwatch::snapshot::format::{self, Expected, Header};
use odrwatch::wire::input::Limits as InputLimits;
use odrwatch::wire::progress::{self, Position, Progress};

/// Days of the market.
const DAYS: u32 = 75;

/// 2026-01-01.
const START_MS: i64 = 1_767_225_600_000;

/// How often each step is measured.
const RUNS: usize = 5;

#[path = "../tests/support/cpu.rs"]
mod cpu;

use cpu::cpu_ns;

#[path = "../tests/support/shard.rs"]
mod shard;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A shard that holds about so many orders.
fn filled(orders: u64, sellers: u32) -> Shard {
    let mut shard = Shard::new(shard::config(true));
    let mut intake = Intake::new(InputLimits::with_partitions(1));
    let mut bulk = Bulk::new(BulkConfig::new(7, orders, DAYS, sellers, START_MS));
    let (mut buffers, mut effects) = (BulkBuffers::default(), Effects::default());
    let mut offsets = [0; 4];
    while let Some(record) = bulk.next_into(&mut buffers) {
        let offset = Offset::new(offsets[record.topic.index()]);
        offsets[record.topic.index()] += 1;
        let time = Some(RecordTime::from_ms(record.timestamp_ms));
        let value = Some(buffers.value.as_slice());
        intake.take(&mut shard, record.topic, offset, time, value).unwrap();
        if offset.get() % 128 == 127 {
            while let Some(boundary) = shard.next_closable() {
                shard.close(boundary, &mut effects).unwrap();
            }
            effects.clear();
        }
    }
    shard.rewind();
    shard
}

fn header(shard: &Shard) -> Header {
    Header {
        group: "bench".to_owned(),
        cluster: "memory".to_owned(),
        progress: Progress {
            number: 1,
            shard: shard.number(),
            from: [NextOffset::stated(0); 4],
            boundary: shard.closed(),
            boundary_length: shard.length(),
            positions: shard
                .positions()
                .map(|position| Position { next: position.next, watermark: position.watermark }),
            shards: None,
            logs: Default::default(),
            decisions: Vec::new(),
            seq: shard.seq(),
            outputs_written: 0,
            engine: progress::ENGINE.to_owned(),
            policy: "bench".to_owned(),
            owner: None,
            snapshot: None,
            digest: shard.digest(),
        },
        progress_at: None,
    }
}

fn main() {
    let read = |name: &str, default: u64| {
        #[expect(clippy::disallowed_methods, reason = "the size of a benchmark")]
        std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
    };
    let orders = read("ODRWATCH_BENCH_ORDERS", 1_000_000);
    let sellers = u32::try_from(read("ODRWATCH_BENCH_SELLERS", 100_000)).unwrap();
    let shard = filled(orders, sellers);
    let (header, held) = (header(&shard), shard.held());
    let (_, bytes_held) = shard.bytes();
    let expected = Expected {
        group: "bench".to_owned(),
        cluster: "memory".to_owned(),
        policy: "bench".to_owned(),
        shard: shard.number(),
        committed: 1,
    };
    println!("{} orders, {} accounts, {bytes_held} bytes held", held.orders, held.accounts);
    let (mut copied, mut packed, mut restored) = (Vec::new(), Vec::new(), Vec::new());
    let (mut longest, mut slices, mut size) = (0, 0, 0);
    for _ in 0..RUNS {
        let mut taking = Taking::begin(&shard).unwrap();
        let (began, mut is_whole) = (cpu_ns(), false);
        slices = 0;
        while !is_whole {
            let slice = cpu_ns();
            is_whole = taking.step(&shard, SLICE);
            longest = longest.max(cpu_ns() - slice);
            slices += 1;
        }
        copied.push(cpu_ns() - began);
        let image = taking.finish();
        let began = cpu_ns();
        let snapshot = format::write(&header, image);
        packed.push(cpu_ns() - began);
        size = snapshot.len();
        let began = cpu_ns();
        let (_, back) = format::read(&snapshot, &expected, shard::config(true)).unwrap();
        restored.push(cpu_ns() - began);
        assert_eq!(back.held(), held);
    }
    let median = |times: &mut Vec<u64>| {
        times.sort_unstable();
        times[RUNS / 2]
    };
    let (copied, packed, restored) =
        (median(&mut copied), median(&mut packed), median(&mut restored));
    let ms = |ns: u64| ns / 1_000_000;
    let size = u64::try_from(size).unwrap();
    let count = u64::try_from(held.orders).unwrap().max(1);
    println!("snapshot: {size} bytes, {} per order", size / count);
    println!("copying: {} ms in {slices} slices, the longest {} us", ms(copied), longest / 1_000);
    println!("packing: {} ms, {} MB/s", ms(packed), size * 1_000 / packed.max(1));
    println!(
        "restoring: {} ms, {} MB/s, {} orders/s",
        ms(restored),
        size * 1_000 / restored.max(1),
        count * 1_000_000_000 / restored.max(1)
    );
}
