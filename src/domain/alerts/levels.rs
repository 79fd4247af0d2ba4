//! The levels of an account: which alerts are up, per scope and view.
//!
//! ```text
//!            rate above, minimum met, rate exists
//!     down ───────────────────────────────────────> up
//!          <───────────────────────────────────────
//!            at or below clear_at, or below the minimum, or no rate
//! ```

use crate::domain::effects::{AlertKind, AlertState};
use crate::domain::policy::{Policy, Scope, Threshold, View};
use crate::domain::rate::Rate;

/// What an account's alerts remember, for all scopes and views.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Bit `kind * 6 + scope * 2 + view`, for all three kinds.
    up: u32,
    /// Consecutive bad cycles by scope and view.
    streaks: [u16; 6],
}

fn place(scope: Scope, view: View) -> usize {
    scope.index() * 2 + view.index()
}

fn bit(kind: AlertKind, scope: Scope, view: View) -> u32 {
    1 << (kind.index() * 6 + place(scope, view))
}

impl Levels {
    /// Whether an alert is up.
    pub(crate) fn is_up(&self, kind: AlertKind, scope: Scope, view: View) -> bool {
        self.up & bit(kind, scope, view) != 0
    }

    pub(crate) fn set(&mut self, kind: AlertKind, scope: Scope, view: View, up: bool) {
        let bit = bit(kind, scope, view);
        if up {
            self.up |= bit;
        } else {
            self.up &= !bit;
        }
    }

    /// Consecutive bad cycles.
    pub(crate) fn streak(&self, scope: Scope, view: View) -> u32 {
        u32::from(self.streaks[place(scope, view)])
    }

    /// Sets the number of consecutive bad cycles; it stops counting at 65,535.
    pub(crate) fn set_streak(&mut self, scope: Scope, view: View, streak: u32) {
        self.streaks[place(scope, view)] = u16::try_from(streak).unwrap_or(u16::MAX);
    }

    /// Whether nothing is up and no streak runs.
    pub(crate) fn is_quiet(&self) -> bool {
        *self == Self::default()
    }

    /// Consecutive bad cycles of all scopes and views, for the digest.
    pub(crate) const fn streaks(&self) -> [u16; 6] {
        self.streaks
    }

    /// Raw bits, for the digest.
    pub(crate) const fn bits(&self) -> u32 {
        self.up
    }

    /// Levels from their raw bits and streaks; `None` if a bit stands for nothing.
    pub(crate) fn from_raw(up: u32, streaks: [u16; 6]) -> Option<Self> {
        (up < 1 << 18).then_some(Self { up, streaks })
    }

    /// Moves a rate level and tells whether it changed (I-16).
    pub(crate) fn step(
        &mut self,
        kind: AlertKind,
        scope: Scope,
        view: View,
        rate: Rate,
        policy: &Policy,
    ) -> Option<AlertState> {
        let threshold = threshold_of(kind, policy);
        let is_up = self.is_up(kind, scope, view);
        if is_up && rate.clears(threshold, policy.min_orders) {
            self.set(kind, scope, view, false);
            return Some(AlertState::Cleared);
        }
        if !is_up && rate.raises(threshold.raise_bp, threshold.min_defects, policy.min_orders) {
            self.set(kind, scope, view, true);
            return Some(AlertState::Raised);
        }
        None
    }
}

/// The threshold of a kind; a restriction's clears where it raises.
pub(crate) fn threshold_of(kind: AlertKind, policy: &Policy) -> Threshold {
    match kind {
        AlertKind::Warning => policy.warning,
        AlertKind::Critical => policy.critical,
        AlertKind::RestrictionRisk => Threshold {
            raise_bp: policy.restriction_bp,
            clear_bp: policy.restriction_bp,
            min_defects: policy.restriction_min_defects,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_16_a_level_is_raised_once_and_cleared_once() {
        let policy = Policy::default();
        let mut levels = Levels::default();
        let mut step = |defective, orders| {
            let rate = Rate { defective, orders };
            levels.step(AlertKind::Warning, Scope::All, View::Live, rate, &policy)
        };
        assert_eq!(step(2, 200), None);
        assert_eq!(step(3, 200), Some(AlertState::Raised));
        assert_eq!(step(4, 200), None);
        assert_eq!(step(2, 200), Some(AlertState::Cleared));
        assert_eq!(step(0, 0), None);
        assert!(levels.is_quiet());
    }

    #[test]
    fn hysteresis_keeps_a_level_up_until_its_clear_level() {
        let mut policy = Policy::default();
        policy.warning.clear_bp = 80;
        let mut levels = Levels::default();
        let mut step = |defective, orders| {
            let rate = Rate { defective, orders };
            levels.step(AlertKind::Warning, Scope::Mfn, View::Official, rate, &policy)
        };
        assert_eq!(step(11, 1000), Some(AlertState::Raised));
        assert_eq!(step(9, 1000), None);
        assert_eq!(step(8, 1000), Some(AlertState::Cleared));
        assert_eq!(step(9, 1000), None);
    }

    #[test]
    fn kinds_scopes_and_views_do_not_share_a_level() {
        let mut levels = Levels::default();
        for kind in AlertKind::ALL {
            for scope in Scope::ALL {
                for view in View::ALL {
                    assert!(!levels.is_up(kind, scope, view));
                    levels.set(kind, scope, view, true);
                }
            }
        }
        assert_eq!(levels.bits().count_ones(), 18);
    }
}
