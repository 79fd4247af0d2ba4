//! The market's thread: writes the history, waits until it is computed, then goes on live.
//!
//! Invariants: the workers begin when the history is written (see `stage`), and the live market
//! when it is computed; record times never go back.

use std::sync::Arc;
use std::time::Duration;

use super::link::Feed;
use super::stage::{History, OpenAtEnd, Stage};
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::commands::service::{Clock, Shutdown};
use crate::pipeline::board::Board;
use crate::sim::story::Market;
use crate::telemetry::Progress;

/// How often the live market is looked at.
const TICK: Duration = Duration::from_millis(100);

/// Records of the history between two looks at the clock.
const BATCH: u64 = 1_000;

/// How long the broker may take to confirm the history after its last record was sent.
const SETTLE_MS: i64 = 120_000;

/// The market's thread.
#[derive(Debug)]
pub struct Feeder {
    pub market: Market,
    pub feed: Feed,
    pub board: Arc<Board>,
    pub stage: Arc<Stage>,
    pub clock: Clock,
}

impl Feeder {
    /// Runs until it is told to stop.
    pub fn run(mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        let stage = Arc::clone(&self.stage);
        let guard = OpenAtEnd(&stage);
        let began_ms = self.clock.now().mono_ms;
        let records = self.write_history(shutdown)?;
        let written_ms = self.clock.now().mono_ms;
        drop(guard);
        if !self.wait_until_computed(records, shutdown)? {
            return Ok(());
        }
        let computed_ms = self.clock.now().mono_ms;
        let shards = self.board.seen();
        stage.tell(History {
            records,
            wrote_ms: written_ms - began_ms,
            computed_ms: computed_ms - written_ms,
            last_seq: shards.into_iter().map(|(shard, seen)| (shard, seen.seq)).collect(),
        });
        self.live(shutdown)
    }

    /// Writes the history; returns how many records were written.
    fn write_history(&mut self, shutdown: &Shutdown) -> Result<u64, Failure> {
        let total = u64::try_from(self.market.history_left()).unwrap_or(u64::MAX);
        let started_ms = self.clock.now().mono_ms;
        let mut progress = Progress::new("writing the history", Some(total), started_ms);
        let mut written = 0;
        for record in self.market.by_ref() {
            if written % BATCH == 0 {
                let now = self.clock.now();
                if shutdown.is_asked() {
                    break;
                }
                self.feed.serve(now.wall_ms)?;
                progress.tick(written, now.mono_ms);
            }
            self.feed.send(&record)?;
            written += 1;
        }
        let sent_ms = self.clock.now().mono_ms;
        while !shutdown.is_asked() && !self.feed.settle()? {
            if self.clock.now().mono_ms - sent_ms > SETTLE_MS {
                let late = "the broker did not confirm the history in time";
                return Err(Failure::new(ExitCode::Unavailable, late));
            }
        }
        progress.finish(written, self.clock.now().mono_ms);
        Ok(written)
    }

    /// Waits until all records of the history are in committed boundaries; false if told to stop.
    fn wait_until_computed(&mut self, total: u64, shutdown: &Shutdown) -> Result<bool, Failure> {
        let started_ms = self.clock.now().mono_ms;
        let mut progress = Progress::new("computing the history", Some(total), started_ms);
        loop {
            let now = self.clock.now();
            self.feed.serve(now.wall_ms)?;
            let done = self.board.seen().values().map(|seen| seen.records).sum();
            if done >= total || shutdown.is_asked() {
                progress.finish(done, now.mono_ms);
                return Ok(done >= total);
            }
            progress.tick(done, now.mono_ms);
            std::thread::sleep(TICK);
        }
    }

    fn live(&mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        self.market.sleep_until(self.clock.now().wall_ms);
        while !shutdown.is_asked() {
            let now = self.clock.now();
            self.feed.serve(now.wall_ms)?;
            for record in self.market.live(now.wall_ms) {
                self.feed.send(&record)?;
            }
            std::thread::sleep(TICK);
        }
        Ok(())
    }
}
