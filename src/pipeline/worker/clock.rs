//! How far the worker's clock is from the broker's, and what that forbids.
//!
//! Invariant: while the clock is off by more than a boundary's length, no decision is taken.

use tracing::warn;

use super::Worker;
use crate::pipeline::ports::Broker;
use crate::pipeline::slot::Now;

/// How often a clock that was found off is compared again, in ms.
const CLOCK_AGAIN_MS: i64 = 5_000;

impl<B: Broker> Worker<B> {
    /// Notes how far the clock is off. While it is off too far, the producer is replaced now and
    /// then: its first, aborted transaction compares the clocks again.
    pub(super) fn note_clock(&mut self, now: Now) {
        self.clock_skew_ms = self.broker.clock_skew_ms();
        if let Some(skew_ms) = self.clock_skew_ms {
            self.metrics.set_clock_skew_ms(skew_ms);
        }
        if !self.clock_is_good() {
            warn!(skew_ms = self.clock_skew_ms, "the clock is off: no decision is taken");
            let at_ms = now.mono_ms + CLOCK_AGAIN_MS;
            self.compare_clock_ms = Some(at_ms);
        }
    }

    /// Compares a clock that was off again, when it is time and nothing is uncommitted.
    pub(super) fn compare_clock(&mut self, now: Now) {
        if self.compare_clock_ms.is_some_and(|at_ms| now.mono_ms >= at_ms) {
            self.compare_clock_ms = None;
            if !self.clock_is_good() {
                self.back_off(now, 0);
            }
        }
    }

    pub(super) fn clock_is_good(&self) -> bool {
        let limit = self.identity.length.ms();
        self.clock_skew_ms.is_none_or(|skew| skew.abs() <= limit)
    }
}
