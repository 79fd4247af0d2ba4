//! The whole engine in simulated worlds: processes, a broker, a store and a clock, on one thread,
//! from a seed, under faults that the seed picks.
//!
//! A world holds several workers with snapshots, which are killed, suspended, fenced, moved and
//! cut off at any step. At every moment alerts and progress records are numbered without a gap or
//! a repeat; when the faults have ended everything is done in bounded time, no transaction is open
//! anywhere, and alerts, dead letters, totals and outcomes are, byte for byte, those of the
//! reference ([`oracle`]), which was written from the specification alone; then one process starts
//! over, and must come to the same digests. Some worlds are to end in a loud stop, and do.
//!
//! `make simulate SEEDS=100000` runs more of them. Seeds that failed are kept in `seeds.txt`, and
//! run first, for ever.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "the reference says more than is asked here")]

mod check;
#[path = "../market/decisions.rs"]
mod decisions;
mod faults;
mod feed;
mod loud;
#[path = "../oracle/mod.rs"]
mod oracle;
mod plan;
#[path = "../market/policies.rs"]
mod policies;
mod summary;
mod watch;
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use summary::Summary;
use world::World;

/// How many seeds a run of the tests takes that is not asked for another number.
const SEEDS: u64 = 2_000;

/// The seeds that are kept.
const KEPT: &str = include_str!("seeds.txt");

/// What happened in a world, and how often.
type Counts = BTreeMap<&'static str, u64>;

/// Runs the world of a seed; panics at the first thing that is not as it must be.
fn simulate(seed: u64) -> Counts {
    let mut world = World::new(seed);
    let rounds = world.plan.rounds;
    for _ in 0..rounds {
        world.round();
    }
    world.heal();
    if world.plan.loud.is_none() {
        let left = world.feed.left();
        world.feed(left);
    }
    world.go_to_noon();
    world.settle();
    world.check();
    match world.plan.loud {
        None => world.restart_all(),
        Some(loud) => {
            let name = summary::name_of(loud, world.doom(loud));
            world.count(name);
        }
    }
    let mut counts = std::mem::take(&mut world.counts);
    for (what, count) in world.cluster.happened() {
        *counts.entry(what).or_default() += count;
    }
    counts
}

/// The same, with the panic's message as the error.
fn try_seed(seed: u64) -> Result<Counts, String> {
    catch_unwind(AssertUnwindSafe(|| simulate(seed))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| "a panic without words".to_owned());
        format!("{text}\n{:?}", plan::Plan::new(seed))
    })
}

/// Runs seeds on all processors; fails with every seed that failed, and how to run it again.
fn run(first: u64, count: u64, tells_progress: bool) -> Summary {
    let (next, summary) = (AtomicU64::new(0), Mutex::new(Summary::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let seed = first + at;
                    let result = try_seed(seed);
                    let mut summary = summary.lock().unwrap();
                    summary.add(seed, result);
                    if tells_progress && (at + 1).is_multiple_of(1_000) {
                        println!("{} of {count} seeds, {} failed", at + 1, summary.failures());
                    }
                }
            });
        }
    });
    summary.into_inner().unwrap()
}

/// The value of a variable that only `make simulate` sets.
fn asked(name: &str) -> Option<u64> {
    let found = std::env::vars_os().find(|(key, _)| key == name)?;
    Some(found.1.to_str()?.parse().expect("a number"))
}

#[test]
fn seeds_that_are_kept_hold() {
    for seed in summary::seeds(KEPT) {
        if let Err(error) = try_seed(seed) {
            panic!("{}", summary::failed(seed, &error));
        }
    }
}

#[test]
fn worlds_come_to_what_the_reference_says_whatever_happens_in_them() {
    let asked_for = asked("SIMULATE_SEEDS");
    let count = asked_for.unwrap_or(SEEDS);
    let summary = run(asked("SIMULATE_FROM").unwrap_or(0), count, asked_for.is_some());
    println!("{summary}");
    if count >= SEEDS {
        summary.check();
    } else {
        summary.check_failures();
    }
}

#[test]
fn a_seed_gives_the_same_world_every_time() {
    for seed in 0..20 {
        assert_eq!(try_seed(seed), try_seed(seed), "seed {seed}");
    }
}
