//! The merged facts of a shard, and the only code that changes them: merges and slides.
//!
//! A merge is commutative, associative and idempotent within the horizon (SEMANTICS section 3), so
//! the book depends on which facts were stated, not on their order.
//!
//! Invariants: I-4 to I-13 of its parts, and
//! - I-15: an account's totals are the sums of the contributions of its held orders.

use super::accounts::Accounts;
use super::boundary::{SellerNo, WaitingDefect, WaitingOrder, WaitingOrderId};
use super::care::Care;
use super::changes::Changes;
use super::defects::{Defects, Statement, Summary};
use super::event::Outcome;
use super::orders::odd_ids::OddIds;
use super::orders::prefetch::Places;
use super::orders::{Order, OrderIndex, OrderKey};
use super::policy::Policy;
use super::texts::Texts;
use super::time::{Boundary, Day, EventTime};
use super::window::{Account, AccountNo, Calendar, Contribution, RingShape};

/// How many expired orders are taken off their accounts together.
const FORGOTTEN_TOGETHER: usize = 64;

/// The facts of a shard.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub policy: Policy,
    pub shape: RingShape,
    /// The as-of day; `None` before the first boundary.
    pub as_of: Option<Day>,
    /// The as-of day before the boundary being closed.
    pub as_of_before: Option<Day>,
    /// The boundary being closed, or closed last.
    pub boundary: Boundary,
    pub covered_from: Option<Day>,
    pub accounts: Accounts,
    pub orders: OrderIndex,
    pub odd_ids: OddIds,
    pub defects: Defects,
    pub changes: Changes,
    pub care: Care,
    /// Accounts that the boundary being closed touched, each once.
    pub touched: Vec<AccountNo>,
    /// Accounts that may have nothing left.
    pub emptied: Vec<AccountNo>,
    /// Orders held by day, day modulo the ring: a day without any needs no search.
    held_by_day: Vec<u32>,
}

impl Book {
    /// Nothing known. The seed varies hashes, not results.
    pub(crate) fn new(policy: Policy, future_days: u32, seed: u64, matters: bool) -> Self {
        let shape = RingShape::new(&policy, future_days);
        Self {
            shape,
            as_of: None,
            as_of_before: None,
            boundary: Boundary::from_number(i64::MIN),
            covered_from: None,
            accounts: Accounts::new(seed, shape),
            orders: OrderIndex::new(seed),
            odd_ids: OddIds::new(seed),
            defects: Defects::new(seed),
            changes: Changes::default(),
            care: Care::new(matters),
            touched: Vec::new(),
            emptied: Vec::new(),
            held_by_day: vec![0; shape.len()],
            policy,
        }
    }

    /// The as-of day with what is needed to place other days.
    pub(crate) fn calendar(&self) -> Calendar<'_> {
        let as_of = self.as_of.expect("a boundary that closes has an as-of day");
        Calendar { policy: &self.policy, shape: self.shape, as_of }
    }

    /// Begins a boundary: slides to its as-of day, one day at a time.
    pub(crate) fn begin(&mut self, boundary: Boundary, as_of: Day, present_ms: i64) {
        self.boundary = boundary;
        self.changes.clear();
        self.touched.clear();
        self.as_of_before = self.as_of;
        self.orders.set_present(present_ms);
        match self.as_of {
            None => self.as_of = Some(as_of),
            Some(mut day) => {
                while day < as_of {
                    self.slide(day);
                    day = day.plus(1);
                }
            }
        }
    }

    fn slide(&mut self, from: Day) {
        let calendar = Calendar { policy: &self.policy, shape: self.shape, as_of: from };
        self.changes.begin_slide();
        self.accounts.for_each_with_days(&calendar.days_of_slide(), |number, account| {
            if let Some(slid) = account.slide(&calendar) {
                self.changes.push_slide(number, slid);
                touch(&mut self.touched, account, number, self.boundary);
            }
        });
        let expired = self.policy.horizon(from);
        self.as_of = Some(from.plus(1));
        let held = &mut self.held_by_day[self.shape.place(expired)];
        if std::mem::take(held) > 0 {
            self.forget_orders(expired);
        }
        let zone = &self.policy.time_zone;
        let is_gone = |time: EventTime| Day::of(time.ms(), zone) <= expired;
        let (odd_ids, care, policy) = (&self.odd_ids, &mut self.care, &self.policy);
        let mut emptied = Vec::new();
        self.defects.forget_orphans(
            is_gone,
            |set| care.forget(set, None, odd_ids, policy, is_gone),
            |order| emptied.push(order),
        );
        for order in emptied {
            release(&mut self.odd_ids, order);
        }
    }

    /// Forgets the orders of days up to `expired`, with their defects.
    fn forget_orders(&mut self, expired: Day) {
        let zone = &self.policy.time_zone;
        let accounts = &mut self.accounts;
        let (defects, odd_ids, emptied) = (&mut self.defects, &mut self.odd_ids, &mut self.emptied);
        let (care, policy) = (&mut self.care, &self.policy);
        let mut with_defects: Vec<(AccountNo, OrderKey)> = Vec::new();
        let mut places = Places::default();
        let mut take_off = |gone: &mut Vec<(OrderKey, Order)>, accounts: &mut Accounts| {
            for (_, order) in &*gone {
                accounts.place(order.account, &mut places);
            }
            places.fetch();
            for (key, order) in gone.drain(..) {
                let account = accounts.get_mut(order.account);
                account.held -= 1;
                if account.held == 0 {
                    emptied.push(order.account);
                }
                if order.has_defects {
                    let set = defects.remove(account.seller, key);
                    let day = Day::of(order.purchase_time.ms(), zone);
                    care.forget(&set, Some((&order, day)), odd_ids, policy, |_| true);
                    with_defects.push((order.account, key));
                }
                release(odd_ids, key);
            }
        };
        // Taken off their accounts many at a time, so that the accesses overlap.
        let mut gone = Vec::with_capacity(FORGOTTEN_TOGETHER);
        // Where clocks go back over midnight, a day may end later than it first ended.
        let surely_later_ms = zone.end_of(expired).saturating_add(super::time::DAY_MS);
        self.orders.forget(
            surely_later_ms,
            |purchase| Day::of(purchase.ms(), zone) <= expired,
            |key, order| {
                gone.push((key, order));
                if gone.len() == FORGOTTEN_TOGETHER {
                    take_off(&mut gone, accounts);
                }
            },
        );
        take_off(&mut gone, accounts);
        let mut gone = with_defects;
        gone.sort_unstable();
        for of_account in gone.chunk_by(|left, right| left.0 == right.0) {
            let account = accounts.get_mut(of_account[0].0);
            account
                .with_defects
                .retain(|key| of_account.binary_search(&(of_account[0].0, key)).is_err());
        }
    }

    /// Merges one order event.
    pub(crate) fn merge_order(&mut self, event: &WaitingOrder, texts: &Texts) -> Outcome {
        let day = self.day_of(event.purchase_time);
        if day < self.policy.horizon(self.calendar().as_of) {
            return Outcome::Expired;
        }
        self.covered_from = Some(self.covered_from.map_or(day, |from| from.min(day)));
        let key = match &event.order {
            WaitingOrderId::Amazon(number) => OrderKey::amazon(*number),
            WaitingOrderId::Other(text) => self.odd_ids.intern(event.seller, texts.get(*text)),
        };
        let hash = self.orders.hash(key);
        match self.find(hash, key, event.seller) {
            None => {
                self.add_order(hash, key, event, day);
                Outcome::Applied
            }
            Some(held) => self.update_order(hash, key, event, &held),
        }
    }

    fn find(&self, hash: u64, key: OrderKey, seller: SellerNo) -> Option<Order> {
        self.orders.find(hash, key, |account| self.accounts.get(account).seller == seller)
    }

    fn add_order(&mut self, hash: u64, key: OrderKey, event: &WaitingOrder, day: Day) {
        let number = self.accounts.account(event.seller, event.marketplace);
        self.touch_care(key, event.seller, None);
        let has_defects = self.defects.adopt(event.seller, key);
        let order = Order {
            account: number,
            purchase_time: event.purchase_time,
            stated: event.stated,
            has_defects,
        };
        self.orders.insert(hash, key, &order);
        self.held_by_day[self.shape.place(day)] += 1;
        let account = self.accounts.get_mut(number);
        account.held += 1;
        if has_defects {
            account.with_defects.add(newest(&self.defects, event.seller, key), key);
        }
        touch(&mut self.touched, account, number, self.boundary);
        let after = self.contribution(key, event.seller, &order);
        self.contribute(key, None, after);
    }

    fn update_order(
        &mut self,
        hash: u64,
        key: OrderKey,
        event: &WaitingOrder,
        held: &Order,
    ) -> Outcome {
        let marketplace =
            self.accounts.smaller(self.accounts.get(held.account).marketplace, event.marketplace);
        let merged = Order {
            account: self.accounts.account(event.seller, marketplace),
            purchase_time: held.purchase_time.min(event.purchase_time),
            stated: held.stated.merge(event.stated),
            has_defects: held.has_defects,
        };
        if merged == *held {
            return Outcome::Duplicate;
        }
        let before = self.contribution(key, event.seller, held);
        if held.has_defects {
            self.touch_care(key, event.seller, Some(held));
        }
        self.orders.replace(hash, key, held.account, &merged);
        if merged.purchase_time != held.purchase_time {
            let (old, new) = (self.day_of(held.purchase_time), self.day_of(merged.purchase_time));
            self.held_by_day[self.shape.place(old)] -= 1;
            self.held_by_day[self.shape.place(new)] += 1;
        }
        if merged.account != held.account {
            self.move_order(key, event.seller, &merged, held.account);
        }
        for number in [held.account, merged.account] {
            touch(&mut self.touched, self.accounts.get_mut(number), number, self.boundary);
        }
        let after = self.contribution(key, event.seller, &merged);
        self.contribute(key, before, after);
        Outcome::Applied
    }

    /// Puts back an order that an image has; its account, its day in the ring and, if it says so,
    /// its defects are there. False if it has no defects and says so. [`Book::list_defects`] must
    /// follow.
    pub(crate) fn restore_order(&mut self, key: OrderKey, order: &Order, calendar: Day) -> bool {
        let seller = self.accounts.get(order.account).seller;
        if order.has_defects && !self.defects.adopt(seller, key) {
            return false;
        }
        let hash = self.orders.hash(key);
        self.orders.insert(hash, key, order);
        let day = self.day_of(order.purchase_time);
        self.held_by_day[self.shape.place(day)] += 1;
        self.accounts.get_mut(order.account).held += 1;
        if let Some(new) = self.contribution(key, seller, order) {
            let calendar = Calendar { policy: &self.policy, shape: self.shape, as_of: calendar };
            self.accounts.get_mut(order.account).change(None, Some(&new), &calendar);
        }
        true
    }

    /// Lists the orders with defects in their accounts, after all of them were put back.
    pub(crate) fn list_defects(&mut self, orders: impl Iterator<Item = (AccountNo, OrderKey)>) {
        let mut listed: Vec<(AccountNo, EventTime, OrderKey)> = orders
            .map(|(number, key)| {
                let seller = self.accounts.get(number).seller;
                (number, newest(&self.defects, seller, key), key)
            })
            .collect();
        listed.sort_unstable();
        for (number, newest, key) in listed {
            self.accounts.get_mut(number).with_defects.add(newest, key);
        }
    }

    /// The day of a purchase, if it has a place in the ring as of a day.
    pub(crate) fn day_in_ring(&self, purchase: EventTime, as_of: Day) -> Option<Day> {
        Some(self.day_of(purchase)).filter(|day| self.shape.holds(*day, as_of))
    }

    /// Moves an order to another account of its seller.
    fn move_order(&mut self, key: OrderKey, seller: SellerNo, order: &Order, from: AccountNo) {
        let old = self.accounts.get_mut(from);
        old.held -= 1;
        if old.held == 0 {
            self.emptied.push(from);
        }
        let newest = order.has_defects.then(|| newest(&self.defects, seller, key));
        if let Some(newest) = newest {
            assert!(old.with_defects.remove(newest, key), "an account lists its held orders");
        }
        let new = self.accounts.get_mut(order.account);
        new.held += 1;
        if let Some(newest) = newest {
            new.with_defects.add(newest, key);
        }
    }

    /// Merges one defect event.
    pub(crate) fn merge_defect(&mut self, event: &WaitingDefect, texts: &Texts) -> Outcome {
        let horizon = self.policy.horizon(self.calendar().as_of);
        if event.purchase_time.is_some_and(|purchase| self.day_of(purchase) < horizon) {
            return Outcome::Expired;
        }
        let key = match &event.order {
            WaitingOrderId::Amazon(number) => OrderKey::amazon(*number),
            WaitingOrderId::Other(text) => self.odd_ids.intern(event.seller, texts.get(*text)),
        };
        let hash = self.orders.hash(key);
        let known = self.find(hash, key, event.seller);
        let stood = self.stood_if_wanted(key, event.seller, known.as_ref());
        let before = known.and_then(|order| self.contribution(key, event.seller, &order));
        let newest_before = known
            .filter(|order| order.has_defects)
            .map(|_| newest(&self.defects, event.seller, key));
        let statement = Statement {
            seller: event.seller,
            order: key,
            reference: event.reference.map(|text| texts.get(text)),
            event_time: event.event_time,
            opened: event.event_time,
            fact: event.fact,
            note: event.noted.as_ref().map(|noted| &noted.note),
        };
        let outcome = self.defects.merge(&statement, known.is_some(), self.boundary, &self.policy);
        self.touch_defect(key, event, stood, outcome);
        let (Outcome::Applied, Some(mut order)) = (outcome, known) else {
            return outcome;
        };
        if !order.has_defects {
            order.has_defects = true;
            self.orders.replace(hash, key, order.account, &order);
        }
        let account = self.accounts.get_mut(order.account);
        let newest = newest(&self.defects, event.seller, key);
        if newest_before != Some(newest) {
            if let Some(before) = newest_before {
                account.with_defects.remove(before, key);
            }
            account.with_defects.add(newest, key);
        }
        self.changes.push_defect(order.account, key);
        touch(&mut self.touched, account, order.account, self.boundary);
        let after = self.contribution(key, event.seller, &order);
        self.contribute(key, before, after);
        outcome
    }

    /// What an order adds to its account; `None` if it is not in the denominator.
    pub(crate) fn contribution(
        &self,
        key: OrderKey,
        seller: SellerNo,
        order: &Order,
    ) -> Option<Contribution> {
        if !self.policy.counts_order(order.stated.status) {
            return None;
        }
        let defects = if order.has_defects {
            let set = self.defects.get(seller, key);
            set.expect("I-9: an order that says so has defects").summary(&self.policy)
        } else {
            Summary::default()
        };
        Some(Contribution {
            account: order.account,
            day: self.day_of(order.purchase_time),
            channel: order.stated.channel,
            defects,
        })
    }

    /// I-15: moves an order's contribution from what it was to what it is.
    fn contribute(
        &mut self,
        key: OrderKey,
        before: Option<Contribution>,
        after: Option<Contribution>,
    ) {
        if before == after {
            return;
        }
        let as_of = self.as_of.expect("a boundary that closes has an as-of day");
        let calendar = Calendar { policy: &self.policy, shape: self.shape, as_of };
        if let Some(old) = &before {
            self.accounts.get_mut(old.account).change(Some(old), None, &calendar);
        }
        if let Some(new) = &after {
            self.accounts.get_mut(new.account).change(None, Some(new), &calendar);
        }
        self.changes.push_order(key, before, after);
    }

    /// The text of an order's id.
    pub(crate) fn order_text(&self, key: OrderKey) -> Box<str> {
        self.odd_ids.order_text(key)
    }

    pub(crate) fn day_of(&self, time: EventTime) -> Day {
        Day::of(time.ms(), &self.policy.time_zone)
    }
}

/// Notes that the boundary touches an account, once.
fn touch(
    touched: &mut Vec<AccountNo>,
    account: &mut Account,
    number: AccountNo,
    boundary: Boundary,
) {
    if account.touched_at != boundary {
        account.touched_at = boundary;
        account.moved = true;
        touched.push(number);
    }
}

/// The newest winning event of an order that has defects.
fn newest(defects: &Defects, seller: SellerNo, key: OrderKey) -> EventTime {
    defects.get(seller, key).expect("I-9: an order that says so has defects").newest()
}

fn release(odd_ids: &mut OddIds, key: OrderKey) {
    if let Some(slot) = key.odd_slot() {
        odd_ids.release(slot);
    }
}
