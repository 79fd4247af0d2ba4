//! Cycles: the verdict at a cycle's close, and the streak of bad ones.
//!
//! ```text
//!   bad cycle:  streak + 1;  reaches restriction_cycles -> raised;  beyond -> ongoing
//!   any other:  streak 0;    cleared if it was up
//! ```

use super::levels::Levels;
use crate::domain::effects::{AlertKind, AlertState};
use crate::domain::policy::{Policy, Scope, View};
use crate::domain::rate::Rate;

/// Closes a cycle for one account, scope and view; tells whether the restriction alert moved.
pub(crate) fn close(
    levels: &mut Levels,
    scope: Scope,
    view: View,
    rate: Rate,
    policy: &Policy,
) -> Option<AlertState> {
    const KIND: AlertKind = AlertKind::RestrictionRisk;
    let is_bad =
        rate.raises(policy.restriction_bp, policy.restriction_min_defects, policy.min_orders);
    let was_up = levels.is_up(KIND, scope, view);
    if !is_bad {
        levels.set_streak(scope, view, 0);
        levels.set(KIND, scope, view, false);
        return was_up.then_some(AlertState::Cleared);
    }
    let streak = levels.streak(scope, view) + 1;
    levels.set_streak(scope, view, streak);
    if was_up {
        return Some(AlertState::Ongoing);
    }
    if streak < policy.restriction_cycles {
        return None;
    }
    levels.set(KIND, scope, view, true);
    Some(AlertState::Raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bad_cycles_raise_a_third_goes_on_and_a_good_one_clears() {
        let policy = Policy::default();
        let mut levels = Levels::default();
        let mut cycle = |defective, orders| {
            let rate = Rate { defective, orders };
            let state = close(&mut levels, Scope::All, View::Live, rate, &policy);
            (state, levels.streak(Scope::All, View::Live))
        };
        assert_eq!(cycle(3, 100), (None, 1));
        assert_eq!(cycle(3, 100), (Some(AlertState::Raised), 2));
        assert_eq!(cycle(3, 100), (Some(AlertState::Ongoing), 3));
        assert_eq!(cycle(2, 100), (Some(AlertState::Cleared), 0));
        assert_eq!(cycle(2, 100), (None, 0));
        // Above 2 %, but one defect alone is no restriction.
        assert_eq!(cycle(1, 10), (None, 0));
    }
}
