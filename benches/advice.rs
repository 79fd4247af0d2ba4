//! How long the verdicts on one negative feedback take.
//!
//! What was asked: at most 50 microseconds for a comment of 200 characters.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use odrwatch::advice::{Facts, read};
use odrwatch::domain::event::Channel;

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

criterion_group!(benches, advice);
criterion_main!(benches);
