//! Owns which levels are up and how long the streaks are, per account, scope and view.
//!
//! `warning` and `critical` are down or up; a boundary moves them by the numbers alone:
//!
//! ```text
//! down --rate above the threshold, defects at the minimum--> up     (raised)
//! up   --rate at or below clear_at, or too few defects-----> down   (cleared)
//! ```
//!
//! `restriction_risk` moves at the ends of cycles only, and is up from a certain streak on.

use std::collections::{BTreeMap, BTreeSet};

use super::Policy;
use super::count::{Account, Numbers, Scope, Totals, View};
use super::times::{Day, parse_date};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertKind {
    Warning,
    Critical,
    RestrictionRisk,
}

impl AlertKind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::RestrictionRisk => "restriction_risk",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    Raised,
    Cleared,
    Ongoing,
}

impl AlertState {
    pub fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Ongoing => "ongoing",
        }
    }
}

/// The numbers by which a kind is raised and cleared.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    min_orders: u64,
    pub bp: u64,
    clear_bp: u64,
    pub min_defects: u64,
}

impl Limit {
    pub fn of(policy: &Policy, kind: AlertKind) -> Self {
        let (bp, clear_bp, min_defects) = match kind {
            AlertKind::Warning => {
                (policy.warning_bp, policy.warning_clear_bp, policy.warning_min_defects)
            }
            AlertKind::Critical => {
                (policy.critical_bp, policy.critical_clear_bp, policy.critical_min_defects)
            }
            AlertKind::RestrictionRisk => {
                (policy.restriction_bp, None, policy.restriction_min_defects)
            }
        };
        let clear_bp = clear_bp.unwrap_or(bp);
        Self { min_orders: policy.min_orders, bp, clear_bp, min_defects }
    }

    fn has_rate(&self, totals: &Totals) -> bool {
        has_rate(self.min_orders, totals)
    }

    /// The condition to raise.
    pub fn is_exceeded(&self, totals: &Totals) -> bool {
        self.has_rate(totals)
            && totals.defective >= self.min_defects
            && totals.defective * 10_000 > self.bp * totals.orders
    }

    /// The condition to clear.
    pub fn is_clear(&self, totals: &Totals) -> bool {
        !self.has_rate(totals)
            || totals.defective < self.min_defects
            || totals.defective * 10_000 <= self.clear_bp * totals.orders
    }
}

/// False where the status is NONE.
pub fn has_rate(min_orders: u64, totals: &Totals) -> bool {
    totals.orders > 0 && totals.orders >= min_orders
}

/// Where a level is: account, scope, view. Its order is that of the alerts.
pub type Place = (Account, Scope, View);

/// What an alert announces.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub place: Place,
    pub kind: AlertKind,
    pub state: AlertState,
    /// For `restriction_risk` only.
    pub streak: Option<u64>,
}

#[derive(Clone, Copy, Default)]
struct Standing {
    warning: bool,
    critical: bool,
    streak: u64,
}

/// All levels of a shard; what is not there is down, with streak 0.
#[derive(Default)]
pub struct Levels {
    standings: BTreeMap<Place, Standing>,
    /// First and last day of the cycle that was closed last.
    pub last_cycle: Option<(Day, Day)>,
}

impl Levels {
    /// True if no level is up and no streak has begun.
    pub fn is_calm(&self) -> bool {
        self.standings.values().all(|s| !s.warning && !s.critical && s.streak == 0)
    }

    /// Moves `warning` and `critical` of all accounts.
    pub fn evaluate(
        &mut self,
        policy: &Policy,
        numbers: &BTreeMap<Account, Numbers>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        for place in self.places(policy, numbers) {
            let totals = totals_at(numbers, &place);
            let standing = self.standings.entry(place.clone()).or_default();
            for (kind, is_up) in [
                (AlertKind::Warning, &mut standing.warning),
                (AlertKind::Critical, &mut standing.critical),
            ] {
                let limit = Limit::of(policy, kind);
                let state = if !*is_up && limit.is_exceeded(&totals) {
                    AlertState::Raised
                } else if *is_up && limit.is_clear(&totals) {
                    AlertState::Cleared
                } else {
                    continue;
                };
                *is_up = state == AlertState::Raised;
                notices.push(Notice { place: place.clone(), kind, state, streak: None });
            }
        }
        notices
    }

    /// Closes the cycle that ends with the day `last` for all accounts.
    pub fn close_cycle(
        &mut self,
        policy: &Policy,
        numbers: &BTreeMap<Account, Numbers>,
        last: Day,
    ) -> Vec<Notice> {
        self.last_cycle = Some(cycle_of(policy, last));
        let limit = Limit::of(policy, AlertKind::RestrictionRisk);
        let mut notices = Vec::new();
        for place in self.places(policy, numbers) {
            let totals = totals_at(numbers, &place);
            let standing = self.standings.entry(place.clone()).or_default();
            let was = standing.streak;
            standing.streak = if limit.is_exceeded(&totals) { was + 1 } else { 0 };
            let state = if standing.streak == policy.restriction_cycles {
                AlertState::Raised
            } else if standing.streak > policy.restriction_cycles {
                AlertState::Ongoing
            } else if standing.streak == 0 && was >= policy.restriction_cycles {
                AlertState::Cleared
            } else {
                continue;
            };
            let streak = Some(standing.streak);
            notices.push(Notice { place, kind: AlertKind::RestrictionRisk, state, streak });
        }
        notices
    }

    /// A raise of every level that is up, for the first boundary that alerts.
    pub fn standing_notices(&self, policy: &Policy) -> Vec<Notice> {
        let mut notices = Vec::new();
        let raise = |place: &Place, kind, streak| Notice {
            place: place.clone(),
            kind,
            state: AlertState::Raised,
            streak,
        };
        for (place, standing) in &self.standings {
            if standing.warning {
                notices.push(raise(place, AlertKind::Warning, None));
            }
            if standing.critical {
                notices.push(raise(place, AlertKind::Critical, None));
            }
        }
        for (place, standing) in &self.standings {
            if standing.streak >= policy.restriction_cycles {
                notices.push(raise(place, AlertKind::RestrictionRisk, Some(standing.streak)));
            }
        }
        notices
    }

    /// Every account that has or had orders, in the scopes and views of the policy.
    fn places(&self, policy: &Policy, numbers: &BTreeMap<Account, Numbers>) -> BTreeSet<Place> {
        let mut places: BTreeSet<Place> = self.standings.keys().cloned().collect();
        for account in numbers.keys() {
            for scope in Scope::EACH {
                for view in View::EACH {
                    let is_named = policy.scopes.iter().any(|name| name == scope.name())
                        && policy.views.iter().any(|name| name == view.name());
                    if is_named {
                        places.insert((account.clone(), scope, view));
                    }
                }
            }
        }
        places
    }
}

fn totals_at(numbers: &BTreeMap<Account, Numbers>, (account, scope, view): &Place) -> Totals {
    let of_account = numbers.get(account);
    of_account.and_then(|numbers| numbers.get(&(*scope, *view))).copied().unwrap_or_default()
}

/// First and last day of the cycle that holds a day.
pub fn cycle_of(policy: &Policy, day: Day) -> (Day, Day) {
    let anchor = parse_date(&policy.cycle_anchor).expect("the policy's anchor is a date");
    let first = day - (day - anchor).rem_euclid(policy.cycle_days);
    (first, first + policy.cycle_days - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(orders: u64, defective: u64) -> Totals {
        Totals { orders, defective, ..Totals::default() }
    }

    #[test]
    fn a_limit_is_exceeded_above_its_threshold_only() {
        let policy = Policy::default();
        let warning = Limit::of(&policy, AlertKind::Warning);
        assert!(!warning.is_exceeded(&totals(200, 2)));
        assert!(warning.is_clear(&totals(200, 2)));
        assert!(warning.is_exceeded(&totals(199, 2)));
        assert!(!warning.is_clear(&totals(199, 2)));
        assert!(warning.is_clear(&totals(0, 0)));
        let critical = Limit::of(&policy, AlertKind::Critical);
        assert!(!critical.is_exceeded(&totals(10, 1)), "one defect alone is not critical");
        assert!(critical.is_exceeded(&totals(99, 2)));
        assert!(!critical.is_exceeded(&totals(100, 2)));
        let policy = Policy { min_orders: 50, warning_clear_bp: Some(50), ..policy };
        let warning = Limit::of(&policy, AlertKind::Warning);
        assert!(!warning.is_exceeded(&totals(49, 5)));
        assert!(warning.is_clear(&totals(49, 5)));
        assert!(!warning.is_clear(&totals(100, 1)), "at 1 %, above clear_at");
        assert!(warning.is_clear(&totals(200, 1)), "at 0.5 %");
    }

    #[test]
    fn cycles_start_on_mondays() {
        let policy = Policy::default();
        let day = |text| parse_date(text).expect("a date");
        let week = (day("2026-03-02"), day("2026-03-08"));
        assert_eq!(cycle_of(&policy, day("2026-03-02")), week);
        assert_eq!(cycle_of(&policy, day("2026-03-08")), week);
        assert_eq!(cycle_of(&policy, day("1970-01-04")), (-3, 3));
    }
}
