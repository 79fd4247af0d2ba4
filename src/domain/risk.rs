//! How close an account is to an alert: the band of its rate.
//!
//! Invariant: a band is taken from the conditions of the alerts themselves, so that an account is
//! in the band of a level exactly when that level would be raised. Absent on purpose: hysteresis,
//! which only a level that is up has.

use super::policy::{Policy, Threshold};
use super::rate::Rate;

/// Where an account stands against the warning and critical alerts, over both channels of the live
/// view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Band {
    /// No defective order, or room for one more.
    Good,
    /// Defective orders, no warning, and no room for one more.
    Watch,
    /// A warning's condition holds, and a critical's does not.
    Warning,
    /// A critical's condition holds.
    Critical,
    /// Too few orders for a rate.
    None,
}

impl Band {
    /// All bands, in order.
    pub const ALL: [Self; 5] = [Self::Good, Self::Watch, Self::Warning, Self::Critical, Self::None];

    /// The band that a rate is in.
    #[must_use]
    pub fn of(rate: Rate, policy: &Policy) -> Self {
        let above = |threshold: Threshold| {
            rate.raises(threshold.raise_bp, threshold.min_defects, policy.min_orders)
        };
        let warning = policy.warning;
        if rate.orders < policy.min_orders {
            Self::None
        } else if above(policy.critical) {
            Self::Critical
        } else if above(warning) {
            Self::Warning
        } else if rate.defective > 0
            && rate.headroom(warning.raise_bp, warning.min_defects).defects_left == 0
        {
            Self::Watch
        } else {
            Self::Good
        }
    }

    /// The band's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Watch => "watch",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::None => "none",
        }
    }

    /// The band's place in [`Band::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Good => 0,
            Self::Watch => 1,
            Self::Warning => 2,
            Self::Critical => 3,
            Self::None => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_in_the_band_of_the_alert_that_it_would_raise() {
        let policy = Policy::default();
        for (defective, orders, band) in [
            (0, 0, Band::None),
            (0, 5, Band::Good),
            (1, 200, Band::Good),
            (2, 200, Band::Watch),
            (3, 200, Band::Warning),
            // One defective order alone is never critical.
            (1, 3, Band::Warning),
            (2, 100, Band::Warning),
            (3, 100, Band::Critical),
        ] {
            assert_eq!(Band::of(Rate { defective, orders }, &policy), band, "{defective}/{orders}");
        }
    }

    #[test]
    fn the_bands_are_listed_in_the_order_of_their_places() {
        for (place, band) in Band::ALL.into_iter().enumerate() {
            assert_eq!(band.index(), place);
        }
    }
}
