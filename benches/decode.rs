//! How long it takes to decode an input record, by the path that good records take and by the
//! exact one, against `serde_json` without any check.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use odrwatch::domain::event::Topic;
use odrwatch::domain::time::RecordTime;
use odrwatch::wire::input::{Decoder, Limits};
use odrwatch::wire::partition::Partitioner;
use serde::Deserialize;

/// 2026-03-01T12:34:56Z.
const NOW_MS: i64 = 1_772_368_496_000;
/// Different records, so that no branch is learned by heart: some megabytes.
const RECORDS: u32 = 16_384;

/// Makes the record of a number.
type Make = fn(u32) -> Vec<u8>;

fn order(number: u32) -> Vec<u8> {
    let (a, b) = (number.wrapping_mul(2_654_435_761), number.wrapping_mul(40_503));
    let seller = format!("A{:013}", u64::from(a % 60_000) * 7_919_371);
    let statuses = ["Unshipped", "Shipped", "PartiallyShipped", "Canceled", "Pending"];
    let place = usize::try_from(b % 5).expect("below 5");
    format!(
        "{{\"event_time\":\"2026-03-01T12:{:02}:{:02}Z\",\"seller_id\":\"{seller}\",\
         \"marketplace_id\":\"ATVPDKIKX0DER\",\"order_id\":\"{:03}-{:07}-{:07}\",\
         \"purchase_date\":\"2026-02-{:02}T08:{:02}:00Z\",\"fulfillment_channel\":\"{}\",\
         \"order_status\":\"{}\"}}",
        number % 34,
        number % 60,
        a % 1000,
        a % 9_999_991,
        b % 9_999_991,
        1 + a % 28,
        b % 60,
        if b.is_multiple_of(3) { "AFN" } else { "MFN" },
        statuses[place],
    )
    .into_bytes()
}

fn feedback(number: u32) -> Vec<u8> {
    let a = number.wrapping_mul(2_654_435_761);
    let comments = [
        "Came two weeks late and the box was open, the seller never wrote back to me at all.",
        "Not as described, \\\"new\\\" means something else to this seller than it does to me.",
        "Très déçu, le colis n'est jamais arrivé et le vendeur ne répond pas à mes messages.",
        "Fine.",
    ];
    let place = usize::try_from(number % 4).expect("below 4");
    format!(
        "{{\"event_time\":\"2026-03-01T12:{:02}:{:02}Z\",\"seller_id\":\"A{:013}\",\
         \"order_id\":\"{:03}-{:07}-{:07}\",\"rating\":{},\"comment\":\"{}\",\
         \"status\":\"posted\"}}",
        number % 34,
        number % 60,
        u64::from(a % 60_000) * 7_919_371,
        a % 1000,
        a % 9_999_991,
        number % 9_999_991,
        1 + number % 5,
        comments[place],
    )
    .into_bytes()
}

/// The plain alternative: typed and borrowed, and nothing checked but the types.
#[derive(Deserialize)]
#[expect(dead_code, reason = "what is measured is that they are filled")]
struct Plain<'a> {
    event_time: &'a str,
    seller_id: &'a str,
    marketplace_id: &'a str,
    order_id: &'a str,
    purchase_date: &'a str,
    fulfillment_channel: &'a str,
    order_status: &'a str,
}

fn decode(criterion: &mut Criterion) {
    let limits = Limits { partitioner: Partitioner::Murmur2, ..Limits::with_partitions(1) };
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let inputs: [(&str, Topic, Make); 2] =
        [("order", Topic::Orders, order), ("feedback", Topic::Feedback, feedback)];
    for (name, topic, make) in inputs {
        let records: Vec<Vec<u8>> = (0..RECORDS).map(make).collect();
        let bytes: usize = records.iter().map(Vec::len).sum();
        println!("{name}: {} bytes on average", bytes / records.len());
        let mut decoder = Decoder::new();
        let mut next = records.iter().cycle();
        let time = Some(RecordTime::from_ms(NOW_MS));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let record = next.next().expect("a cycle never ends");
                let event = decoder.decode(topic, black_box(record), time, 0, &limits);
                black_box(event.expect("the record is valid"));
            });
        });
        group.bench_function(format!("{name}, exact path"), |bencher| {
            bencher.iter(|| {
                let record = next.next().expect("a cycle never ends");
                let event = decoder.decode_exactly(topic, black_box(record), time, 0, &limits);
                black_box(event.expect("the record is valid"));
            });
        });
    }
    let records: Vec<Vec<u8>> = (0..RECORDS).map(order).collect();
    let mut next = records.iter().cycle();
    group.bench_function("order, fields by serde_json only", |bencher| {
        bencher.iter(|| {
            let record = black_box(next.next().expect("a cycle never ends"));
            let text = simdutf8::basic::from_utf8(record).expect("the record is UTF-8");
            let plain: Plain<'_> = serde_json::from_str(text).expect("the record is valid");
            black_box(plain.order_status.len())
        });
    });
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
