//! What the tests against a real Apache Kafka share: a broker process per test, and the plainest
//! way to write topics and read them back.
//!
//! - `broker` starts, stops, kills, pauses and restarts a broker of its own ports and data;
//! - `process` starts processes that do not outlive the test program;
//! - `slot` hands out those ports and directories;
//! - `certificates` makes what a TLS listener needs;
//! - `receiver` takes what is sent by HTTP;
//! - `topics` creates topics, produces (also in transactions) and reads to the end.
//!
//! A test that cannot have its broker fails; it is never skipped. Nothing here knows odrwatch.
#![allow(dead_code, reason = "each test program uses its own part of this")]

pub mod broker;
pub mod certificates;
pub mod process;
pub mod receiver;
mod slot;
pub mod topics;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a single step may take on a busy machine before its test fails.
pub const STEP_LIMIT: Duration = Duration::from_mins(2);

/// A moment after which waiting turns into a failure.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of a step that starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests wait for other processes, and must not wait for ever"
    )]
    pub fn of_step() -> Self {
        Self(Instant::now() + STEP_LIMIT)
    }

    /// Sleeps a moment before the caller looks again; fails, saying what was awaited, when the time
    /// is over.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests wait for other processes, and must not wait for ever"
    )]
    pub fn wait(self, awaited: impl FnOnce() -> String) {
        assert!(Instant::now() < self.0, "not within {STEP_LIMIT:?}: {}", awaited());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns Cargo's `target`, wherever it is: integration tests and benchmarks are told of
/// `target/tmp`.
pub fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("Cargo names a directory inside target")
}

/// Returns the path of Prometheus's promtool, which `scripts/setup.sh` puts there.
pub fn promtool() -> PathBuf {
    tool("promtool")
}

/// Returns the path of Prometheus itself, from the same place.
pub fn prometheus() -> PathBuf {
    tool("prometheus")
}

fn tool(name: &str) -> PathBuf {
    let tool = target().join("tools").join(name);
    assert!(tool.exists(), "{} is missing: run scripts/setup.sh", tool.display());
    tool
}
