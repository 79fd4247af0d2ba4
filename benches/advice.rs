//! How long the verdicts on one negative feedback take, and what they cost on the way into the
//! state.
//!
//! What was asked: at most 50 microseconds for a comment of 200 characters, and nothing for a
//! record that is no negative feedback.

#![expect(clippy::unwrap_used, reason = "a failed step ends the run")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use odrwatch::advice::{Facts, read};
use odrwatch::domain::effects::Effects;
use odrwatch::domain::event::{Channel, Topic};
use odrwatch::domain::ids::Offset;
use odrwatch::domain::shard::{Shard, ShardConfig};
use odrwatch::domain::time::RecordTime;
use odrwatch::pipeline::advice::AdviceRules;
use odrwatch::pipeline::intake::Intake;
use odrwatch::wire::input::Limits as InputLimits;

#[path = "../tests/support/shard.rs"]
mod shard;

/// Comments of about 200 characters.
const COMMENTS: [(&str, &str); 5] = [
    (
        "delivery",
        "Ordered on a Sunday with next day delivery. Monday nothing. Tuesday a message that it is \
         delayed by weather, with blue sky over both towns. It showed up on the following Sunday, \
         a full week too late.",
    ),
    (
        "product",
        "I gave this rice cooker three chances. First batch was soup, second batch was charcoal at \
         the bottom and raw on top, and on the third try the button popped up after a minute and \
         stayed up.",
    ),
    (
        "personal data",
        "Never came. The owner is called Gregory Tallmarsh, 77 Cobbler Street, Easton Vale, phone \
         (555) 555-0142, mail help@ninebridges.example, and all he says is wait and wait and wait, \
         the f**king thief.",
    ),
    (
        "German",
        "Eigentlich wollte ich nur einen einfachen Wecker, aber der hier piept so leise, dass ich \
         jeden Tag verschlafe, und die Tasten sind so klein, dass meine Mutter sie gar nicht mehr \
         richtig trifft.",
    ),
    (
        "Japanese",
        "昨日受け取って使いましたが、パンの片面だけ焦げます。説明書も小さくて読めません。\
         タイマーも三分以上はうまく動かず、毎朝同じことの繰り返しです。",
    ),
];

fn advice(criterion: &mut Criterion) {
    let facts =
        Facts { channel: Some(Channel::Mfn), buy_shipping: Some(true), shipped_on_time: None };
    let mut group = criterion.benchmark_group("advice");
    group.throughput(Throughput::Elements(1));
    for (name, comment) in COMMENTS {
        println!("{name}: {} characters", comment.chars().count());
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(read(black_box(comment)).decide(facts)));
        });
    }
    let long = COMMENTS[0].1.repeat(5_000);
    group.bench_function("1 MB", |bencher| {
        bencher.iter(|| black_box(read(black_box(&long)).decide(facts)));
    });
    group.finish();
}

/// A record of the feedback topic, about the order of a number.
fn feedback(number: u64, rating: u8, comment: &str) -> Vec<u8> {
    let comment = serde_json::to_string(comment).unwrap();
    let order = format!("302-{number:07}-0000001");
    format!(
        "{{\"event_time\":\"2026-01-02T00:00:00Z\",\"seller_id\":\"A2SELLER\",\
         \"order_id\":\"{order}\",\"rating\":{rating},\"status\":\"posted\",\"comment\":{comment}}}"
    )
    .into_bytes()
}

/// A record from its bytes into the state, with and without anybody who reads comments: what the
/// advice costs a negative feedback, and what it costs one that is not (nothing).
fn intake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("intake");
    group.throughput(Throughput::Elements(u64::try_from(RECORDS).unwrap()));
    let comment = COMMENTS[0].1;
    for (name, rating) in [("negative", 1), ("positive", 5)] {
        let records: Vec<Vec<u8>> = (0..RECORDS)
            .map(|number| feedback(u64::try_from(number).unwrap(), rating, comment))
            .collect();
        for (advised, is_advised) in [("with advice", true), ("without", false)] {
            group.bench_function(format!("{name} feedback {advised}"), |bencher| {
                bencher.iter(|| black_box(take_in(&records, is_advised)));
            });
        }
    }
    group.finish();
}

/// Records that are taken in together; the shard that takes them begins with nothing.
const RECORDS: usize = 500;

fn take_in(records: &[Vec<u8>], is_advised: bool) -> Effects {
    let config = ShardConfig { matters: is_advised, ..shard::config(false) };
    let rules = is_advised.then(AdviceRules::default);
    let limits = InputLimits::with_partitions(1);
    let mut intake = Intake::reading(limits, rules, &config.policy);
    let mut shard = Shard::new(config);
    for (offset, value) in (0..).zip(records) {
        let time = Some(RecordTime::from_ms(1_767_312_000_000 + offset));
        let offset = Offset::new(offset);
        intake.take(&mut shard, Topic::Feedback, offset, time, Some(value)).unwrap();
    }
    let mut effects = Effects::default();
    let last = shard.inbox().last_waiting().unwrap();
    shard.close_through(last, &mut effects).unwrap();
    effects
}

criterion_group!(benches, advice, intake);
criterion_main!(benches);
