//! What counts and when it alerts: the policy, as data (SEMANTICS sections 4, 7 and 10).
//!
//! Invariant: a [`Policy`] in a shard has no [`Policy::problems`]. Absent on purpose: reading it
//! from a file, which the configuration does.

use super::event::{
    ChargebackReason, ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus, FundedBy,
    OrderStatus,
};
use super::time::{Day, Zone};

/// Which orders a number is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Both channels.
    All,
    /// Seller-fulfilled.
    Mfn,
    /// Fulfilled by Amazon.
    Afn,
}

impl Scope {
    /// All scopes, in the order of evaluation.
    pub const ALL: [Self; 3] = [Self::All, Self::Mfn, Self::Afn];

    /// The scope's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mfn => "mfn",
            Self::Afn => "afn",
        }
    }

    /// The scope's place in [`Scope::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::All => 0,
            Self::Mfn => 1,
            Self::Afn => 2,
        }
    }
}

/// Which days a number is over, as of a day D.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The window that ends at D.
    Live,
    /// The window that ends `lag_days` earlier: what Amazon's report shows.
    Official,
}

impl View {
    /// Both views, in the order of evaluation.
    pub const ALL: [Self; 2] = [Self::Live, Self::Official];

    /// The view's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Official => "official",
        }
    }

    /// The view's place in [`View::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Live => 0,
            Self::Official => 1,
        }
    }
}

/// Whether and how a defect counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counting {
    /// It does not count.
    No,
    /// It counts, and may yet be decided otherwise.
    Provisional,
    /// It counts.
    Final,
}

/// One alert threshold: above `raise_bp` with at least `min_defects` raises, at or below `clear_bp`
/// (or with fewer defects) clears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Basis points (1/10,000) above which it raises.
    pub raise_bp: u32,
    /// Basis points at or below which it clears; never above `raise_bp`.
    pub clear_bp: u32,
    /// The least number of defective orders.
    pub min_defects: u32,
}

/// All policy keys, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which edition of the policy this is; only ever grows (>= 1).
    pub policy_version: u32,
    /// The zone of civil days.
    pub time_zone: Zone,
    /// Days of a view (1..=400).
    pub window_days: u32,
    /// Days by which the official view ends earlier (0..=200).
    pub lag_days: u32,
    /// Orders below which there is no rate (>= 1).
    pub min_orders: u32,
    /// The `warning` alert.
    pub warning: Threshold,
    /// The `critical` alert.
    pub critical: Threshold,
    /// Basis points above which a cycle's verdict is bad.
    pub restriction_bp: u32,
    /// The least number of defective orders of a bad cycle.
    pub restriction_min_defects: u32,
    /// Consecutive bad cycles that raise `restriction_risk` (1..=1000).
    pub restriction_cycles: u32,
    /// Days of a cycle (1..=400).
    pub cycle_days: u32,
    /// A first day of a cycle.
    pub cycle_anchor: Day,
    /// Scopes that alert, in order, not empty.
    pub scopes: Vec<Scope>,
    /// Views that alert, in order, not empty.
    pub views: Vec<View>,
    /// Whether cancelled orders stay in the denominator.
    pub count_canceled_orders: bool,
    /// Whether claims count (provisionally) before they are decided.
    pub count_open_claims: bool,
    /// The greatest rating that is negative (1..=4).
    pub negative_rating_max: u8,
}

impl Default for Policy {
    /// The shipped policy (`config/policies/amazon.yaml`).
    fn default() -> Self {
        Self {
            policy_version: 1,
            time_zone: Zone::utc(),
            window_days: 60,
            lag_days: 15,
            min_orders: 1,
            warning: Threshold { raise_bp: 100, clear_bp: 100, min_defects: 1 },
            critical: Threshold { raise_bp: 200, clear_bp: 200, min_defects: 2 },
            restriction_bp: 200,
            restriction_min_defects: 2,
            restriction_cycles: 2,
            cycle_days: 7,
            // 1970-01-05, a Monday.
            cycle_anchor: Day::from_number(4),
            scopes: vec![Scope::All],
            views: vec![View::Live],
            count_canceled_orders: true,
            count_open_claims: true,
            negative_rating_max: 2,
        }
    }
}

/// The greatest `window_days` and `cycle_days`.
pub const MAX_WINDOW_DAYS: u32 = 400;
/// The greatest `lag_days`.
pub const MAX_LAG_DAYS: u32 = 200;

impl Policy {
    /// Lists what is wrong as `(key, problem)`; empty for a usable policy.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut range = |key, value: u32, low: u32, high: u32| {
            if !(low..=high).contains(&value) {
                found.push((key, format!("{value} is not within {low}..={high}")));
            }
        };
        range("policy_version", self.policy_version, 1, u32::MAX);
        range("window_days", self.window_days, 1, MAX_WINDOW_DAYS);
        range("lag_days", self.lag_days, 0, MAX_LAG_DAYS);
        range("min_orders", self.min_orders, 1, u32::MAX);
        range("warning_bp", self.warning.raise_bp, 1, 10_000);
        range("warning_min_defects", self.warning.min_defects, 1, u32::MAX);
        range("critical_bp", self.critical.raise_bp, 1, 10_000);
        range("critical_min_defects", self.critical.min_defects, 1, u32::MAX);
        range("restriction_bp", self.restriction_bp, 1, 10_000);
        range("restriction_min_defects", self.restriction_min_defects, 1, u32::MAX);
        range("restriction_cycles", self.restriction_cycles, 1, 1000);
        range("cycle_days", self.cycle_days, 1, MAX_WINDOW_DAYS);
        range("negative_rating_max", u32::from(self.negative_rating_max), 1, 4);
        for (key, threshold) in
            [("warning_clear_bp", self.warning), ("critical_clear_bp", self.critical)]
        {
            if threshold.clear_bp > threshold.raise_bp {
                let (clear, raise) = (threshold.clear_bp, threshold.raise_bp);
                found.push((key, format!("{clear} is above its threshold {raise}")));
            }
        }
        if self.scopes.is_empty() || !self.scopes.is_sorted_by(|left, right| left < right) {
            found.push(("scopes", "must name at least one scope, each once".to_owned()));
        }
        if self.views.is_empty() || !self.views.is_sorted_by(|left, right| left < right) {
            found.push(("views", "must name at least one view, each once".to_owned()));
        }
        found
    }

    /// The scopes and views that alerts are about, in the order of evaluation.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (Scope, View)> {
        self.scopes.iter().flat_map(|scope| self.views.iter().map(|view| (*scope, *view)))
    }

    /// Days from the horizon to the as-of day, both included.
    #[must_use]
    pub const fn horizon_days(&self) -> u32 {
        self.window_days + self.lag_days
    }

    /// The first and last day of a view as of a day.
    #[must_use]
    pub fn view_days(&self, view: View, as_of: Day) -> (Day, Day) {
        let last = match view {
            View::Live => as_of,
            View::Official => as_of.plus(-days(self.lag_days)),
        };
        (last.plus(1 - days(self.window_days)), last)
    }

    /// The first as-of day on which an order of a day is in a view no more.
    #[must_use]
    pub fn leaves_view(&self, view: View, day: Day) -> Day {
        let (first, _) = self.view_days(view, day);
        day.plus(day.days_since(first).saturating_add(1))
    }

    /// The oldest day that any view reaches as of a day; what is older is expired.
    #[must_use]
    pub fn horizon(&self, as_of: Day) -> Day {
        as_of.plus(1 - days(self.horizon_days()))
    }

    /// The number of the cycle that a day lies in, counted from the anchor's.
    #[must_use]
    pub fn cycle_of(&self, day: Day) -> i32 {
        day.days_since(self.cycle_anchor).div_euclid(days(self.cycle_days))
    }

    /// The first and last day of the cycle that a day lies in.
    #[must_use]
    pub fn cycle_days_of(&self, day: Day) -> (Day, Day) {
        let first = self.cycle_anchor.plus(self.cycle_of(day) * days(self.cycle_days));
        (first, first.plus(days(self.cycle_days) - 1))
    }

    /// Whether an order of a status is in the denominator.
    #[must_use]
    pub const fn counts_order(&self, status: OrderStatus) -> bool {
        match status {
            OrderStatus::Pending => false,
            OrderStatus::Open => true,
            OrderStatus::Canceled => self.count_canceled_orders,
        }
    }

    /// Whether and how a defect counts (SEMANTICS section 4).
    #[must_use]
    pub fn counts_defect(&self, fact: &DefectFact) -> Counting {
        let stated = match fact {
            DefectFact::Feedback { .. } => None,
            DefectFact::Claim { odr_impact, .. } | DefectFact::Chargeback { odr_impact, .. } => {
                *odr_impact
            }
        };
        match stated {
            Some(true) => return Counting::Final,
            Some(false) => return Counting::No,
            None => {}
        }
        match *fact {
            DefectFact::Feedback { status, rating } => match status {
                FeedbackStatus::Posted | FeedbackStatus::Updated
                    if rating <= self.negative_rating_max =>
                {
                    Counting::Final
                }
                _ => Counting::No,
            },
            DefectFact::Claim { status, funded_by, .. } => self.counts_claim(status, funded_by),
            DefectFact::Chargeback { reason: ChargebackReason::Fraud, .. } => Counting::No,
            DefectFact::Chargeback { status, .. } => match status {
                ChargebackStatus::Opened | ChargebackStatus::UnderReview => Counting::Provisional,
                ChargebackStatus::Lost => Counting::Final,
                ChargebackStatus::Won | ChargebackStatus::Reversed => Counting::No,
            },
        }
    }

    fn counts_claim(&self, status: ClaimStatus, funded_by: Option<FundedBy>) -> Counting {
        let by_amazon = funded_by == Some(FundedBy::Amazon);
        match status {
            ClaimStatus::Filed | ClaimStatus::UnderReview if self.count_open_claims => {
                Counting::Provisional
            }
            ClaimStatus::Appealed if !by_amazon => Counting::Provisional,
            ClaimStatus::Granted if !by_amazon => Counting::Final,
            ClaimStatus::ClosedRefunded => Counting::Final,
            _ => Counting::No,
        }
    }
}

/// A number of days as the signed type of day arithmetic; policies are bounded far below.
pub(crate) fn days(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_horizon_are_the_days_that_the_report_shows() {
        let policy = Policy::default();
        let day = Day::from_number(1000);
        assert_eq!(policy.view_days(View::Live, day), (day.plus(-59), day));
        assert_eq!(policy.view_days(View::Official, day), (day.plus(-74), day.plus(-15)));
        assert_eq!(policy.horizon(day), day.plus(-74));
    }

    #[test]
    fn cycles_are_weeks_from_monday_also_before_the_anchor() {
        let policy = Policy::default();
        assert_eq!(
            policy.cycle_days_of(Day::from_number(10)),
            (Day::from_number(4), Day::from_number(10))
        );
        assert_eq!(policy.cycle_of(Day::from_number(11)), 1);
        assert_eq!(policy.cycle_of(Day::from_number(3)), -1);
    }

    #[test]
    fn a_clear_level_above_its_threshold_is_a_problem() {
        let mut policy = Policy::default();
        assert!(policy.problems().is_empty());
        policy.warning.clear_bp = 101;
        policy.scopes = Vec::new();
        let keys: Vec<_> = policy.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["warning_clear_bp", "scopes"]);
    }
}
