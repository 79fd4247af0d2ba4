//! What the boundary being closed did, so that an alert can explain it.
//!
//! Kept only while a boundary closes, and looked into only when an alert speaks: appending is all
//! that the hot path pays.
//!
//! Invariant I-14: for one order, the entries form a chain: each `before` is the `after` of the
//! entry before it.

use super::orders::OrderKey;
use super::window::{AccountNo, Contribution, SlidViews};

#[derive(Clone, Copy, Debug)]
struct OrderChange {
    order: OrderKey,
    before: Option<Contribution>,
    after: Option<Contribution>,
}

/// One order's net change as one account sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetChange {
    pub order: OrderKey,
    /// What it added to the account before the boundary's merges.
    pub before: Option<Contribution>,
    /// What it adds now.
    pub after: Option<Contribution>,
}

/// The log of one boundary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    orders: Vec<OrderChange>,
    /// Orders with a defect event that was applied, in the account that they then were in.
    defects: Vec<(AccountNo, OrderKey)>,
    /// One run per day that the boundary slid; each by account's number, ascending.
    slides: Vec<Vec<(AccountNo, SlidViews)>>,
    /// How many runs there are; the memory of others is kept.
    days: usize,
    /// (account, order, place in `orders`), sorted; made when first asked for.
    by_account: Vec<(AccountNo, OrderKey, u32)>,
    is_sorted: bool,
}

impl Changes {
    pub(crate) fn clear(&mut self) {
        self.orders.clear();
        self.defects.clear();
        self.days = 0;
        self.by_account.clear();
        self.is_sorted = false;
    }

    /// Begins the run of another day.
    pub(crate) fn begin_slide(&mut self) {
        if self.slides.len() == self.days {
            self.slides.push(Vec::new());
        }
        self.slides[self.days].clear();
        self.days += 1;
    }

    /// Notes what the slide of the day did to an account; accounts come in ascending order.
    pub(crate) fn push_slide(&mut self, account: AccountNo, slid: SlidViews) {
        self.slides[self.days - 1].push((account, slid));
    }

    pub(crate) fn push_order(
        &mut self,
        order: OrderKey,
        before: Option<Contribution>,
        after: Option<Contribution>,
    ) {
        self.orders.push(OrderChange { order, before, after });
        self.is_sorted = false;
    }

    /// Notes that a defect event about an order was applied.
    pub(crate) fn push_defect(&mut self, account: AccountNo, order: OrderKey) {
        self.defects.push((account, order));
        self.is_sorted = false;
    }

    /// The orders of an account with a defect event that was applied; they come sorted if
    /// [`Changes::net_of`] was asked first.
    pub(crate) fn defects_of(&self, account: AccountNo) -> impl Iterator<Item = OrderKey> {
        debug_assert!(self.is_sorted, "the net changes are asked for first");
        let start = self.defects.partition_point(|(of, _)| *of < account);
        self.defects[start..]
            .iter()
            .take_while(move |(of, _)| *of == account)
            .map(|(_, order)| *order)
    }

    /// What the slides did to an account, one entry per day.
    pub(crate) fn slides_of(&self, account: AccountNo) -> impl Iterator<Item = &SlidViews> {
        self.slides[..self.days].iter().filter_map(move |run| {
            let place = run.binary_search_by_key(&account, |(of, _)| *of).ok()?;
            Some(&run[place].1)
        })
    }

    /// The net changes of an account's orders, by order.
    pub(crate) fn net_of(&mut self, account: AccountNo) -> Vec<NetChange> {
        self.sort();
        let start = self.by_account.partition_point(|(of, ..)| *of < account);
        let mut net: Vec<NetChange> = Vec::new();
        for (of, order, place) in &self.by_account[start..] {
            if *of != account {
                break;
            }
            let change = &self.orders[usize::try_from(*place).expect("usize has 32 bits")];
            let mine = |side: Option<Contribution>| side.filter(|side| side.account == account);
            match net.last_mut() {
                Some(last) if last.order == *order => last.after = mine(change.after),
                _ => net.push(NetChange {
                    order: *order,
                    before: mine(change.before),
                    after: mine(change.after),
                }),
            }
        }
        net
    }

    fn sort(&mut self) {
        if self.is_sorted {
            return;
        }
        self.by_account.clear();
        for (place, change) in (0_u32..).zip(&self.orders) {
            let before = change.before.map(|side| side.account);
            let after = change.after.map(|side| side.account);
            self.by_account.extend(before.map(|account| (account, change.order, place)));
            if after != before {
                self.by_account.extend(after.map(|account| (account, change.order, place)));
            }
        }
        self.by_account.sort_unstable();
        self.defects.sort_unstable();
        self.is_sorted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::defects::Summary;
    use crate::domain::event::Channel;
    use crate::domain::time::Day;

    #[expect(clippy::unnecessary_wraps, reason = "a side of a change may be none")]
    fn at(account: u32, defective: bool) -> Option<Contribution> {
        Some(Contribution {
            account: AccountNo(account),
            day: Day::from_number(1),
            channel: Channel::Mfn,
            defects: Summary { defective, ..Summary::default() },
        })
    }

    #[test]
    fn i_14_a_chain_of_changes_nets_to_its_ends_as_each_account_sees_it() {
        let mut changes = Changes::default();
        let order = OrderKey::amazon(1);
        changes.push_order(order, at(1, false), at(1, true));
        changes.push_order(order, at(1, true), at(2, true));
        changes.push_order(OrderKey::amazon(2), None, at(1, false));
        let first = changes.net_of(AccountNo(1));
        assert_eq!(first[0], NetChange { order, before: at(1, false), after: None });
        assert_eq!(first[1].after, at(1, false));
        let second = changes.net_of(AccountNo(2));
        assert_eq!(second, [NetChange { order, before: None, after: at(2, true) }]);
    }
}
