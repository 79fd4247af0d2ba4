//! The tests of the service on a real broker, and what they share.
//!
//! - `stage`: a broker with the topics and the configuration of one test;
//! - `child`: the `odrwatch` process: its logs, its HTTP, its end;
//! - `feed`: what is written into the input topics;
//! - `probe`: how far the topics and the group are;
//! - `access`: what the broker must allow;
//! - `check`: what was committed, held against a replay;
//! - `letters`: the dead letters, given back;
//! - `bridge`: that it is sent on.

mod access;
mod against;
mod bridge;
mod check;
mod child;
mod crash;
mod exact;
mod feed;
mod letters;
mod losses;
mod members;
mod probe;
mod redirect;
mod sasl;
mod silence;
mod snapshots;
mod stage;
mod starts;
mod terminal;
mod verify;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::Deadline;

/// Reads the clock on the wall, in ms since the epoch.
#[expect(clippy::disallowed_methods, reason = "live records carry the time at which they are sent")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Looks again and again for so long: here the time is what is tested.
#[expect(clippy::disallowed_methods, reason = "a stop of some seconds is the subject")]
fn stay(time: Duration, mut look: impl FnMut()) {
    let start = Instant::now();
    let deadline = Deadline::of_step();
    while start.elapsed() < time {
        look();
        deadline.wait(|| "the end of the stop".to_owned());
    }
}
