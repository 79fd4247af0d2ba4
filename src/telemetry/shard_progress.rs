//! How far restores and catch-ups are, over all shards of the process: one bar or line for each.
//!
//! Invariants: a shard that is done counts as whole until all of them are, so that the whole never
//! shrinks by what is done; a shard that was taken away counts no more. Absent on purpose: a clock,
//! and anything that a worker waits for: what is told comes from the health board.

use std::collections::BTreeMap;

use super::health::ShardState;
use super::labels::ShardPhase;
use super::progress::Progress;
use crate::domain::ids::ShardNo;

/// How long numbers may stay as they are before that is told, in ms: workers state theirs once a
/// second, and a rate taken between would sag.
const STALE_MS: i64 = 2_000;

/// The long work of all shards.
#[derive(Debug)]
pub struct ShardProgress {
    restores: Work,
    catch_ups: Work,
}

/// One kind of work.
#[derive(Debug)]
struct Work {
    what: &'static str,
    phase: ShardPhase,
    shards: BTreeMap<ShardNo, Part>,
    progress: Option<Progress>,
    /// What was told last: done, total, and when.
    told: (u64, u64, i64),
}

/// What one shard has of it, in records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    done: u64,
    total: u64,
    is_over: bool,
}

impl Default for ShardProgress {
    fn default() -> Self {
        Self {
            restores: Work::new("restoring shards (records)", ShardPhase::Restoring),
            catch_ups: Work::new("catching up with the inputs (records)", ShardPhase::CatchingUp),
        }
    }
}

impl ShardProgress {
    /// Takes in what the health board says of all shards, and tells how far they are.
    pub fn tick(&mut self, shards: &[(ShardNo, ShardState)], now_ms: i64) {
        self.restores.tick(shards, now_ms);
        self.catch_ups.tick(shards, now_ms);
    }
}

impl Work {
    const fn new(what: &'static str, phase: ShardPhase) -> Self {
        Self { what, phase, shards: BTreeMap::new(), progress: None, told: (0, 0, i64::MIN / 2) }
    }

    fn tick(&mut self, shards: &[(ShardNo, ShardState)], now_ms: i64) {
        let mut before = std::mem::take(&mut self.shards);
        for (shard, state) in shards {
            let known = before.remove(shard);
            if let Some(part) = part(state, self.phase, known) {
                self.shards.insert(*shard, part);
            }
        }
        let sum = |of: fn(&Part) -> u64| self.shards.values().map(of).fold(0, u64::saturating_add);
        let (done, total) = (sum(|part| part.done), sum(|part| part.total));
        if self.shards.values().all(|part| part.is_over) {
            let ended = self.progress.take();
            if let Some(progress) = ended.filter(|_| !self.shards.is_empty()) {
                progress.finish(done, now_ms);
            }
            self.shards.clear();
            self.told = (0, 0, i64::MIN / 2);
        } else if total > 0 {
            let (last_done, last_total, told_ms) = self.told;
            if (done, total) == (last_done, last_total) && now_ms - told_ms < STALE_MS {
                return;
            }
            self.told = (done, total, now_ms);
            let what = self.what;
            let new = || Progress::new(what, Some(total), now_ms);
            let progress = self.progress.get_or_insert_with(new);
            progress.set_total(total);
            progress.tick(done, now_ms);
        }
    }
}

/// What a shard in some state has of the work of a phase; none before it began.
fn part(state: &ShardState, phase: ShardPhase, known: Option<Part>) -> Option<Part> {
    match state {
        ShardState::Restoring { done, remaining, .. }
        | ShardState::CatchingUp { done, remaining }
            if state.phase() == phase =>
        {
            let total = done.saturating_add(*remaining);
            Some(Part { done: *done, total, is_over: false })
        }
        ShardState::CatchingUp { .. } | ShardState::Live => {
            known.map(|part| Part { done: part.total, is_over: true, ..part })
        }
        ShardState::Assigned
        | ShardState::Opening
        | ShardState::Restoring { .. }
        | ShardState::Stopped { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logging::{LogFormat, testing::captured};

    fn restoring(done: u64, remaining: u64) -> ShardState {
        ShardState::Restoring { done, remaining, eta_seconds: None }
    }

    fn catching_up(done: u64, remaining: u64) -> ShardState {
        ShardState::CatchingUp { done, remaining }
    }

    fn board(states: [ShardState; 2]) -> Vec<(ShardNo, ShardState)> {
        (0..).map(ShardNo::new).zip(states).collect()
    }

    /// What is logged if the board has these states, one every six seconds.
    fn told(steps: &[[ShardState; 2]]) -> Vec<String> {
        let log = captured(LogFormat::Json, || {
            let mut progress = ShardProgress::default();
            for (step, states) in (0..).zip(steps) {
                progress.tick(&board(states.clone()), step * 6_000);
            }
        });
        let line = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let number = |name: &str| line[name].as_u64().map_or("-".to_owned(), |n| n.to_string());
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let numbers = ["done", "total", "per_second", "eta_seconds"].map(number).join(" ");
            format!("{}: {}: {numbers}", text("what"), text("message"))
        };
        log.lines().map(line).collect()
    }

    #[test]
    fn restores_and_catch_ups_are_told_with_rate_and_eta_over_all_shards() {
        let lines = told(&[
            [restoring(0, 6_000), ShardState::Opening],
            [restoring(3_000, 3_000), restoring(0, 6_000)],
            [catching_up(0, 1_200), restoring(3_000, 3_000)],
            [catching_up(600, 600), catching_up(0, 0)],
            [ShardState::Live, ShardState::Live],
        ]);
        let expected = [
            "restoring shards (records): in progress: 3000 12000 500 18",
            "restoring shards (records): in progress: 9000 12000 1000 3",
            "restoring shards (records): done: 12000 - 666 -",
            "catching up with the inputs (records): in progress: 600 1200 100 6",
            "catching up with the inputs (records): done: 1200 - 100 -",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_shard_that_is_taken_away_or_begins_anew_counts_no_more() {
        let lines = told(&[
            [restoring(0, 600), restoring(0, 600)],
            [restoring(60, 540), ShardState::Opening],
            [ShardState::Assigned, ShardState::Opening],
            [ShardState::Live, ShardState::Live],
        ]);
        assert_eq!(lines, ["restoring shards (records): in progress: 60 600 10 54"]);
    }

    #[test]
    fn a_rate_is_taken_where_the_numbers_change_and_not_between() {
        let mut work = Work::new("restoring", ShardPhase::Restoring);
        let rate = |work: &Work| work.progress.as_ref().and_then(Progress::per_second);
        for step in 0..=19 {
            // Looked at five times a second, stated once.
            let done = u64::try_from(step / 5).unwrap() * 1_000;
            work.tick(&board([restoring(done, 9_000 - done), ShardState::Opening]), step * 200);
        }
        assert_eq!(rate(&work), Some(1_000));
        // What does not go on is told after a while.
        work.tick(&board([restoring(3_000, 6_000), ShardState::Opening]), 6_000);
        assert_eq!(rate(&work), Some(500));
    }

    #[test]
    fn where_nothing_is_behind_nothing_is_told() {
        let lines = told(&[
            [ShardState::Opening, catching_up(0, 0)],
            [catching_up(0, 0), ShardState::Live],
            [ShardState::Live, ShardState::Live],
        ]);
        assert!(lines.is_empty(), "{lines:?}");
    }
}
