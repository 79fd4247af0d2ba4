//! Which accounts are shown where only some may be: those at the greatest risk, with hysteresis.
//!
//! Invariants, for so many places:
//! - No more accounts are shown than there are places.
//! - The accounts of the first half by risk are always shown.
//! - An account that is shown stays until it is behind one and a half times the places, or one of
//!   the first half needs its place. So small changes of the order change nothing that is shown.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::listing::{Filter, Listing, Sort};
use super::model::SellerRow;

/// The accounts that are shown.
#[derive(Debug, Default)]
pub struct Leaders {
    shown: BTreeSet<(Box<str>, Box<str>)>,
}

impl Leaders {
    /// The accounts to show now in so many places, by risk.
    pub fn pick(&mut self, listing: &Listing, places: usize) -> Vec<Arc<SellerRow>> {
        let reach = places + places.div_ceil(2);
        let page = listing.page(&Filter::default(), (Sort::Risk, false), None, reach);
        let picked = choose(&page.rows, places, |row| self.shown.contains(&row.name()));
        self.shown = picked.iter().map(|row| row.name()).collect();
        picked
    }
}

/// Chooses from rows in the order of their risk, which reach as far as one may stay.
fn choose<T: Clone>(rows: &[T], places: usize, is_shown: impl Fn(&T) -> bool) -> Vec<T> {
    let first_half = places.div_ceil(2);
    // First those that must be there, then those that were, then the best of the others.
    let must = |rank: usize, _: &T| rank < first_half;
    let stays = |rank: usize, row: &T| rank >= first_half && is_shown(row);
    let fills = |rank: usize, row: &T| rank >= first_half && !is_shown(row);
    let ranked = || rows.iter().enumerate();
    let mut ranks: Vec<usize> = ranked()
        .filter(|(rank, row)| must(*rank, row))
        .chain(ranked().filter(|(rank, row)| stays(*rank, row)))
        .chain(ranked().filter(|(rank, row)| fills(*rank, row)))
        .map(|(rank, _)| rank)
        .take(places)
        .collect();
    ranks.sort_unstable();
    ranks.into_iter().map(|rank| rows[rank].clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows letters by risk in so many places, after those that were shown.
    fn check(by_risk: &str, places: usize, before: &str, after: &str) {
        let reach = places + places.div_ceil(2);
        let rows: Vec<char> = by_risk.chars().take(reach).collect();
        let picked = choose(&rows, places, |row| before.contains(*row));
        assert_eq!(picked.into_iter().collect::<String>(), after, "{by_risk} after {before}");
    }

    #[test]
    fn at_first_the_worst_are_shown() {
        check("abcdefgh", 4, "", "abcd");
        check("abc", 4, "", "abc");
        check("", 4, "", "");
        check("abc", 0, "a", "");
        check("abc", 1, "", "a");
    }

    #[test]
    fn who_falls_a_little_stays_and_who_falls_far_goes() {
        // d fell behind e and f, and is still among the first six.
        check("abcefdgh", 4, "abcd", "abcd");
        // d fell behind six others.
        check("abcefgdh", 4, "abcd", "abce");
    }

    #[test]
    fn one_of_the_first_half_takes_the_place_of_the_last() {
        check("aebcdfgh", 4, "abcd", "aebc");
        check("efabcdgh", 4, "abcd", "efab");
    }

    #[test]
    fn changes_within_the_second_half_change_nothing() {
        for order in ["abcdef", "abdcef", "abedcf", "abfecd", "bafdec"] {
            check(order, 4, "abcd", &order.chars().filter(|c| *c < 'e').collect::<String>());
        }
    }
}
