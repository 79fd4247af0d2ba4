//! Owns what an alert says beside its announcement: what changed, which defects, what would help.
//!
//! Everything is computed from the counted orders before and after the boundary.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::Policy;
use super::count::{Account, CountedOrder, Scope, Totals, View, totals};
use super::events::Kind;
use super::levels::{AlertKind, Limit, Place};
use super::times::Day;

/// How many defects an alert lists.
const MAX_DEFECTS: usize = 10;

/// A boundary of a shard: what counted before it and what counts at its end.
pub struct Moment<'a> {
    pub policy: &'a Policy,
    /// The as-of day before the boundary; None at the first.
    pub day_before: Option<Day>,
    pub day: Day,
    pub orders_before: &'a [CountedOrder],
    pub orders_now: &'a [CountedOrder],
}

/// What a boundary did to the numbers of one place.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub orders_added: i64,
    pub orders_expired: i64,
    pub defective_added: i64,
    pub defective_reversed: i64,
    pub defective_expired: i64,
}

/// A line of the list of defects.
pub struct ListedDefect {
    pub order_id: Rc<str>,
    pub kind: Kind,
    pub reference: Option<Rc<str>>,
    pub is_new: bool,
    event_ms: i64,
}

/// How far a place is from its limit.
pub struct Headroom {
    pub defects_left: u64,
    pub orders_needed: u64,
}

impl Headroom {
    pub fn of(limit: Limit, totals: &Totals) -> Self {
        let most = (totals.orders * limit.bp / 10_000).max(limit.min_defects.saturating_sub(1));
        let enough = (totals.defective * 10_000).div_ceil(limit.bp);
        let is_few = totals.defective < limit.min_defects;
        Self {
            defects_left: most.saturating_sub(totals.defective),
            orders_needed: if is_few { 0 } else { enough.saturating_sub(totals.orders) },
        }
    }
}

impl Moment<'_> {
    fn orders_of<'b>(
        orders: &'b [CountedOrder],
        account: &'b Account,
    ) -> impl Iterator<Item = &'b CountedOrder> {
        orders.iter().filter(move |order| order.account == *account)
    }

    pub fn totals_now(&self, account: &Account, scope: Scope, view: View) -> Totals {
        let orders = Self::orders_of(self.orders_now, account);
        totals(self.policy, orders, self.day, scope, view)
    }

    pub fn totals_before(&self, (account, scope, view): &Place) -> Totals {
        let Some(day) = self.day_before else {
            return Totals::default();
        };
        let orders = Self::orders_of(self.orders_before, account);
        totals(self.policy, orders, day, *scope, *view)
    }

    /// True if the order was in the numbers of the place before the boundary.
    fn was_in(&self, order: &CountedOrder, (_, scope, view): &Place) -> bool {
        self.day_before.is_some_and(|day| order.is_in(self.policy, day, *scope, *view))
    }

    /// True if the order, as it is given, is in the numbers of the place as of the new day.
    fn is_in(&self, order: &CountedOrder, (_, scope, view): &Place) -> bool {
        order.is_in(self.policy, self.day, *scope, *view)
    }

    /// Compares each order before the boundary, after its slide, and after its merges.
    pub fn change(&self, place: &Place) -> Change {
        type Pair<'b> = (Option<&'b CountedOrder>, Option<&'b CountedOrder>);
        let mut pairs: BTreeMap<&str, Pair> = BTreeMap::new();
        for order in Self::orders_of(self.orders_before, &place.0) {
            pairs.entry(&order.order_id).or_default().0 = Some(order);
        }
        for order in Self::orders_of(self.orders_now, &place.0) {
            pairs.entry(&order.order_id).or_default().1 = Some(order);
        }
        let mut change = Change::default();
        for (old, new) in pairs.into_values() {
            let before = old.filter(|order| self.was_in(order, place));
            let slid = old.filter(|order| self.is_in(order, place));
            let merged = new.filter(|order| self.is_in(order, place));
            let defective =
                |order: Option<&CountedOrder>| order.is_some_and(CountedOrder::is_defective);
            // The slide: the order is the same, the day is another.
            let enters = before.is_none() && slid.is_some();
            let leaves = before.is_some() && slid.is_none();
            change.orders_added += i64::from(enters);
            change.orders_expired += i64::from(leaves);
            change.defective_added += i64::from(enters && defective(slid));
            change.defective_expired += i64::from(leaves && defective(before));
            // The merges: the day is the same, the order is another.
            change.orders_added += i64::from(merged.is_some()) - i64::from(slid.is_some());
            change.defective_added += i64::from(!defective(slid) && defective(merged));
            change.defective_reversed += i64::from(defective(slid) && !defective(merged));
        }
        change
    }

    /// The counted defects of the place, in the order of the alert and cut to its length.
    pub fn defects(&self, place: &Place) -> Vec<ListedDefect> {
        let mut listed = Vec::new();
        for order in Self::orders_of(self.orders_now, &place.0) {
            if !self.is_in(order, place) {
                continue;
            }
            let before = Self::orders_of(self.orders_before, &place.0)
                .find(|old| old.order_id == order.order_id)
                .filter(|old| self.was_in(old, place));
            for defect in &order.defects {
                let was_counted = before.is_some_and(|old| {
                    let mut defects = old.defects.iter();
                    defects.any(|d| d.kind == defect.kind && d.reference == defect.reference)
                });
                listed.push(ListedDefect {
                    order_id: order.order_id.clone(),
                    kind: defect.kind,
                    reference: defect.reference.clone(),
                    is_new: !was_counted,
                    event_ms: defect.event_ms,
                });
            }
        }
        listed.sort_by(|a, b| {
            let key = |defect: &ListedDefect| (Reverse(defect.is_new), Reverse(defect.event_ms));
            key(a)
                .cmp(&key(b))
                .then_with(|| a.order_id.cmp(&b.order_id))
                .then_with(|| a.kind.name().cmp(b.kind.name()))
                .then_with(|| a.reference.cmp(&b.reference))
        });
        listed.truncate(MAX_DEFECTS);
        listed
    }

    /// The first later day as of which the kind would be clear if nothing else happened.
    pub fn recovers_on(&self, (account, scope, view): &Place, kind: AlertKind) -> Day {
        let limit = Limit::of(self.policy, kind);
        let orders: Vec<&CountedOrder> = Self::orders_of(self.orders_now, account).collect();
        let mut day = self.day + 1;
        // This ends: when all known days have passed, there is no order and so no rate.
        loop {
            let then = totals(self.policy, orders.iter().copied(), day, *scope, *view);
            // For `restriction_risk` to be clear is not to exceed, as it has one threshold.
            if limit.is_clear(&then) {
                return day;
            }
            day += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_is_that_of_section_5() {
        let policy = Policy::default();
        for (kind, orders, defective, defects_left, orders_needed) in [
            (AlertKind::Warning, 200, 3, 0, 100),
            (AlertKind::Warning, 200, 2, 0, 0),
            (AlertKind::Warning, 399, 1, 2, 0),
            (AlertKind::Warning, 10, 0, 0, 0),
            (AlertKind::Critical, 10, 0, 1, 0),
            (AlertKind::Critical, 10, 1, 0, 0),
            (AlertKind::Critical, 99, 2, 0, 1),
            (AlertKind::Critical, 0, 0, 1, 0),
        ] {
            let totals = Totals { orders, defective, ..Totals::default() };
            let headroom = Headroom::of(Limit::of(&policy, kind), &totals);
            let found = (headroom.defects_left, headroom.orders_needed);
            assert_eq!(found, (defects_left, orders_needed), "{kind:?} {defective}/{orders}");
        }
    }

    #[test]
    fn a_change_tells_slide_and_merge_apart() {
        let policy = Policy::default();
        let order = |id: &str, day, defective| CountedOrder {
            account: (Rc::from("S"), Rc::from("")),
            order_id: Rc::from(id),
            channel: super::super::events::Channel::Mfn,
            day,
            defects: if defective {
                vec![super::super::count::CountedDefect {
                    kind: Kind::Claim,
                    reference: None,
                    event_ms: 0,
                    provisional: false,
                }]
            } else {
                Vec::new()
            },
        };
        // Day 99 has days 40..=99, day 100 has 41..=100.
        let before = [
            order("leaves", 40, true),
            order("leaves clean", 40, false),
            order("enters", 100, true),
            order("enters and is reversed", 100, true),
            order("stays", 50, false),
            order("turns", 50, false),
            order("goes", 60, true),
            order("is corrected out of the view", 60, true),
        ];
        let now = [
            order("leaves", 40, true),
            order("leaves clean", 40, false),
            order("enters", 100, true),
            order("enters and is reversed", 100, false),
            order("stays", 50, false),
            order("turns", 50, true),
            order("is corrected out of the view", 39, true),
            order("new", 100, true),
            order("new for tomorrow", 101, true),
        ];
        let moment = Moment {
            policy: &policy,
            day_before: Some(99),
            day: 100,
            orders_before: &before,
            orders_now: &now,
        };
        let place = ((Rc::from("S"), Rc::from("")), Scope::All, View::Live);
        let expected = Change {
            orders_added: 2 + 1 - 2,
            orders_expired: 2,
            defective_added: 2 + 2,
            defective_reversed: 3,
            defective_expired: 1,
        };
        let change = moment.change(&place);
        assert_eq!(change, expected);
        let (old, new) =
            (moment.totals_before(&place), moment.totals_now(&place.0, place.1, place.2));
        assert_eq!((old.orders, old.defective), (6, 3));
        assert_eq!((new.orders, new.defective), (5, 3));
        let signed = |number| i64::try_from(number).expect("a small number");
        assert_eq!(
            signed(old.orders) + change.orders_added - change.orders_expired,
            signed(new.orders)
        );
    }
}
