//! Owns the replay of one shard: boundary by boundary, up to the last.
//!
//! Visited are the boundaries with records, those that begin a day or end a cycle, the one at
//! which alerts start, and the last; all others would change nothing.

use super::alerts::Moment;
use super::count::{CountedOrder, Scope, View, all_numbers, counted_orders, horizon};
use super::decode::decode;
use super::levels::{Levels, cycle_of};
use super::render::{Header, alert_line, totals_line};
use super::segments::Placed;
use super::state::{Outcome, State};
use super::times::{Day, Zone};
use super::{AlertsFrom, Config, Decision};

/// How a record ended.
pub struct End {
    pub topic: usize,
    pub partition: u32,
    pub offset: i64,
    pub outcome: Outcome,
}

/// What a shard adds to the files.
pub struct Replayed {
    pub alerts: Vec<String>,
    pub totals: Vec<String>,
    pub ends: Vec<End>,
}

/// Replays one shard up to boundary `last`, inclusive.
pub fn replay(
    config: &Config,
    zone: &Zone,
    number: u32,
    placed: &[Placed],
    last: Option<i64>,
) -> Replayed {
    let mut shard = Shard {
        config,
        zone,
        number,
        alerts_from: alerts_from(config, number),
        state: State::default(),
        levels: Levels::default(),
        day: None,
        orders: Vec::new(),
        seq: 0,
        replayed: Replayed { alerts: Vec::new(), totals: Vec::new(), ends: Vec::new() },
    };
    let closes = |placed: &&Placed| {
        placed.boundary.zip(last).is_some_and(|(boundary, last)| boundary <= last)
    };
    let mut boundary = placed.iter().filter(closes).filter_map(|placed| placed.boundary).min();
    while let (Some(current), Some(last)) = (boundary, last) {
        shard.close(current, placed);
        boundary = shard.next(current, placed, last);
    }
    for placed in placed.iter().filter(|placed| !closes(placed)) {
        shard.end(placed, Outcome::Pending);
    }
    shard.list_totals();
    shard.replayed
}

/// The boundary at which the alerts of a shard start.
fn alerts_from(config: &Config, number: u32) -> i64 {
    let decided = config.decisions.iter().find_map(|decision| match decision {
        Decision::AlertsFrom { shard, boundary } if *shard == number => Some(*boundary),
        _ => None,
    });
    decided.unwrap_or(match config.alerts_from {
        AlertsFrom::Earliest => i64::MIN,
        // The first k with k * boundary_ms >= T.
        AlertsFrom::TimeMs(time_ms) => {
            let below = time_ms.div_euclid(config.boundary_ms);
            if below * config.boundary_ms == time_ms { below } else { below + 1 }
        }
    })
}

struct Shard<'a> {
    config: &'a Config,
    zone: &'a Zone,
    number: u32,
    alerts_from: i64,
    state: State,
    levels: Levels,
    /// The as-of day of the boundary closed last.
    day: Option<Day>,
    /// What counted at the end of it.
    orders: Vec<CountedOrder>,
    seq: u64,
    replayed: Replayed,
}

impl Shard<'_> {
    fn end(&mut self, placed: &Placed, outcome: Outcome) {
        self.replayed.ends.push(End {
            topic: placed.record.topic,
            partition: placed.record.partition,
            offset: placed.record.offset,
            outcome,
        });
    }

    fn instant(&self, boundary: i64) -> i64 {
        boundary.saturating_mul(self.config.boundary_ms)
    }

    /// The as-of day of a boundary after the one closed last; it never goes back.
    fn as_of(&self, boundary: i64) -> Day {
        let day = self.zone.day_of(self.instant(boundary).saturating_sub(1));
        self.day.map_or(day, |before| before.max(day))
    }

    fn close(&mut self, boundary: i64, placed: &[Placed]) {
        let policy = &self.config.policy;
        let day_before = self.day;
        let day = self.as_of(boundary);
        let horizon = horizon(policy, day);
        if day_before != Some(day) {
            self.state.forget_before(horizon, self.zone);
        }
        self.day = Some(day);
        for placed in placed.iter().filter(|placed| placed.boundary == Some(boundary)) {
            let outcome = self.merge(placed, horizon);
            self.end(placed, outcome);
        }

        let orders_now = counted_orders(policy, &self.state);
        let orders_before = std::mem::replace(&mut self.orders, orders_now);
        let numbers = all_numbers(policy, &self.orders, day);
        let mut notices = self.levels.evaluate(policy, &numbers);
        let (_, last_of_cycle) = cycle_of(policy, day);
        if self.instant(boundary) == self.zone.start_of(last_of_cycle + 1) {
            notices.extend(self.levels.close_cycle(policy, &numbers, day));
        }

        if boundary < self.alerts_from {
            return;
        }
        let initial = boundary == self.alerts_from;
        if initial {
            notices = self.levels.standing_notices(policy);
        }
        let header = Header {
            shard: self.number,
            boundary_ms: self.instant(boundary),
            initial,
            covered_from: self.state.covered_from,
            last_cycle: self.levels.last_cycle,
        };
        let moment = Moment {
            policy,
            day_before,
            day,
            orders_before: &orders_before,
            orders_now: &self.orders,
        };
        for notice in &notices {
            self.seq += 1;
            self.replayed.alerts.push(alert_line(&header, &moment, notice, self.seq));
        }
    }

    fn merge(&mut self, placed: &Placed, horizon: Day) -> Outcome {
        let Some(value) = &placed.record.value else {
            return Outcome::Tombstone;
        };
        match decode(self.config, placed.record, value, placed.record_time_ms) {
            Err(reason) => Outcome::Dead(reason),
            Ok(event) => self.state.merge(event, horizon, self.zone),
        }
    }

    /// The next boundary after `current` at which anything can happen.
    fn next(&self, current: i64, placed: &[Placed], last: i64) -> Option<i64> {
        let mut candidates: Vec<i64> = placed.iter().filter_map(|placed| placed.boundary).collect();
        candidates.push(self.alerts_from);
        candidates.push(last);
        if !(self.state.is_empty() && self.levels.is_calm()) {
            // A day begins at the boundary after its first instant, and a cycle ends before it.
            let day = self.day.expect("a boundary was closed");
            let start = self.zone.start_of(day + 1).div_euclid(self.config.boundary_ms);
            candidates.push(start);
            // Later only where a midnight comes twice and the day has not begun in earnest.
            candidates.push(start.max(current).saturating_add(1));
        }
        candidates.retain(|&candidate| candidate > current && candidate <= last);
        candidates.into_iter().min()
    }

    fn list_totals(&mut self) {
        let Some(day) = self.day else {
            return;
        };
        for (account, numbers) in all_numbers(&self.config.policy, &self.orders, day) {
            for scope in Scope::EACH {
                for view in View::EACH {
                    let totals = &numbers[&(scope, view)];
                    if totals.orders > 0 {
                        let line = totals_line(&account, scope, view, day, totals);
                        self.replayed.totals.push(line);
                    }
                }
            }
        }
    }
}
