//! Exact rates: two integers, compared by cross-multiplication, never in floating point.
//!
//! Invariant: every comparison here is exact for all values of its arguments.

use super::policy::Threshold;

/// Basis points in a whole.
pub const WHOLE_BP: u64 = 10_000;

/// A rate as the two numbers that it is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    /// Orders with at least one counted defect; never more than `orders`.
    pub defective: u32,
    /// Orders.
    pub orders: u32,
}

/// How much room is left before a threshold, and how much is missing below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// How many more defective orders the account can take without a raise.
    pub defects_left: u64,
    /// How many more clean orders would bring it to the threshold or below.
    pub orders_needed: u64,
}

impl Rate {
    /// Whether the rate is above a threshold in basis points.
    #[must_use]
    pub fn is_above(self, threshold_bp: u32) -> bool {
        u64::from(self.defective) * WHOLE_BP > u64::from(threshold_bp) * u64::from(self.orders)
    }

    /// Whether a level is to be raised: a rate exists, is above, and the minimum is met.
    #[must_use]
    pub fn raises(self, threshold_bp: u32, min_defects: u32, min_orders: u32) -> bool {
        self.orders >= min_orders && self.defective >= min_defects && self.is_above(threshold_bp)
    }

    /// Whether a level that is up is to be cleared.
    #[must_use]
    pub fn clears(self, threshold: Threshold, min_orders: u32) -> bool {
        self.orders < min_orders
            || self.defective < threshold.min_defects
            || !self.is_above(threshold.clear_bp)
    }

    /// Parts per million, truncated; `None` without orders.
    #[must_use]
    pub fn millionths(self) -> Option<u64> {
        (u64::from(self.defective) * 1_000_000).checked_div(u64::from(self.orders))
    }

    /// The headroom before a threshold with a minimum of defective orders.
    #[must_use]
    pub fn headroom(self, threshold_bp: u32, min_defects: u32) -> Headroom {
        let (orders, defective) = (u64::from(self.orders), u64::from(self.defective));
        let (bp, minimum) = (u64::from(threshold_bp), u64::from(min_defects));
        let allowed = (orders * bp / WHOLE_BP).max(minimum.saturating_sub(1));
        let orders_needed = if defective < minimum {
            0
        } else {
            (defective * WHOLE_BP).div_ceil(bp).saturating_sub(orders)
        };
        Headroom { defects_left: allowed.saturating_sub(defective), orders_needed }
    }

    /// Whether one defective order alone is above the threshold.
    #[must_use]
    pub fn is_low_volume(self, threshold_bp: u32) -> bool {
        u64::from(self.orders) * u64::from(threshold_bp) < WHOLE_BP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn rate(defective: u32, orders: u32) -> Rate {
        Rate { defective, orders }
    }

    #[test]
    fn exactly_one_percent_is_not_above_one_percent() {
        assert!(!rate(2, 200).is_above(100));
        assert!(rate(3, 200).is_above(100));
        assert_eq!(rate(3, 200).headroom(100, 1), Headroom { defects_left: 0, orders_needed: 100 });
    }

    #[test]
    fn headroom_is_the_number_of_defects_that_do_not_raise() {
        for orders in 0..600 {
            for defective in 0..20.min(orders + 1) {
                for (bp, minimum) in [(100, 1), (200, 2), (333, 3)] {
                    let left = rate(defective, orders).headroom(bp, minimum).defects_left;
                    let mut more = 0;
                    // Defects land on orders that are already there, so orders stay.
                    while !rate(defective + more + 1, orders).raises(bp, minimum, 0) {
                        more += 1;
                        if more > 40 {
                            break;
                        }
                    }
                    if more <= 40 {
                        assert_eq!(
                            left,
                            u64::from(more),
                            "{defective}/{orders} at {bp} min {minimum}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn orders_needed_bring_the_rate_down_and_one_less_does_not() {
        for orders in 1..300_u32 {
            for defective in 1..10.min(orders + 1) {
                let needed = rate(defective, orders).headroom(100, 1).orders_needed;
                let needed = u32::try_from(needed).unwrap();
                assert!(!rate(defective, orders + needed).is_above(100));
                if needed > 0 {
                    assert!(rate(defective, orders + needed - 1).is_above(100));
                }
            }
        }
    }

    #[test]
    fn a_rate_is_truncated_to_millionths() {
        assert_eq!(rate(1, 96).millionths(), Some(10_416));
        assert_eq!(rate(0, 0).millionths(), None);
        assert_eq!(rate(u32::MAX, u32::MAX).millionths(), Some(1_000_000));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let most = rate(u32::MAX, u32::MAX);
        assert!(most.is_above(9_999));
        assert!(!most.is_above(10_000));
        let _ = most.headroom(1, u32::MAX);
    }
}
