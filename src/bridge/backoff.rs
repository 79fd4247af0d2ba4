//! How long to wait before the next try: doubling, bounded, and never the same for two processes.

use std::hash::{BuildHasher, RandomState};

/// The first wait, in ms.
const FIRST_MS: u64 = 250;

/// Doublings after which nothing grows any more.
const MOST_DOUBLINGS: u32 = 16;

/// Waits between tries.
#[derive(Debug)]
pub(super) struct Backoff {
    most_ms: u64,
    random: RandomState,
    drawn: u64,
}

impl Backoff {
    /// Waits of at most so long, in ms.
    pub fn new(most_ms: u64) -> Self {
        Self { most_ms, random: RandomState::new(), drawn: 0 }
    }

    /// The wait after so many failures in a row, in ms: from half to all of what doubling gives.
    pub fn after(&mut self, failures: u32) -> i64 {
        let doublings = failures.saturating_sub(1).min(MOST_DOUBLINGS);
        let whole = (FIRST_MS << doublings).min(self.most_ms).max(1);
        self.drawn += 1;
        let half = whole.div_ceil(2);
        let wait = half + self.random.hash_one(self.drawn) % (whole - half + 1);
        i64::try_from(wait).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_differ() {
        let mut backoff = Backoff::new(60_000);
        for (failures, whole) in [(1, 250), (2, 500), (5, 4_000), (9, 60_000), (u32::MAX, 60_000)] {
            let waits: Vec<i64> = (0..50).map(|_| backoff.after(failures)).collect();
            assert!(waits.iter().all(|wait| (whole / 2..=whole).contains(wait)), "{waits:?}");
            assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
        }
    }

    #[test]
    fn the_least_bound_is_kept() {
        let mut backoff = Backoff::new(1);
        assert!((0..5).all(|failures| (0..=1).contains(&backoff.after(failures))));
    }
}
