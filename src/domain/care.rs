//! What can be done about defects: each counted one with what it costs its account, told anew when
//! anything about it changed.
//!
//! ```text
//! merge ──> order as it stood before (once per order and boundary) ─┐
//! slide ──> orders and orphans that were forgotten ─────────────────┤
//!                                              end of the boundary ─┴─> matters, quotes, endings
//! ```
//!
//! A **matter** is a defect that counts, on an order that counts. It is told where its boundary
//! changed anything that it is made of, and again at the end of a cycle where the numbers of its
//! account moved since; it is closed when it is one no more. Before alerting begins, nothing of it
//! is said; where it begins, every matter is told. A **quote** is a demand to whoever read a
//! comment: write what was found in it, or take that back. It is of a record, not of a decision,
//! so it is said before alerting begins as well, just as dead letters are.
//!
//! Invariants:
//! - I-23: what is told depends on the state before and after a boundary alone; so nothing has to
//!   be remembered of what was told, and a restart neither repeats nor misses anything.
//! - I-24: a gain is what the account's numbers would be if the defect did not count, all else
//!   being equal.
//!
//! Absent on purpose: what a note means, deadlines, and any part in the digest.

mod telling;
#[cfg(test)]
mod tests;

use super::book::Book;
use super::boundary::{SellerNo, WaitingDefect};
use super::defects::{Defect, DefectSet};
use super::event::{Channel, DefectFact, DefectKind, Outcome};
use super::ids::Offset;
use super::note::Note;
use super::orders::odd_ids::OddIds;
use super::orders::{Order, OrderKey, Stated};
use super::policy::{Counting, Policy, Scope, View};
use super::rate::Rate;
use super::time::{Day, EventTime};
use super::window::{Account, AccountNo, Contribution};

/// What one view would gain without a defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain {
    /// The first as-of day on which the order is in the view no more.
    pub leaves_on: Day,
    /// The account's rate over all orders.
    pub now: Rate,
    /// The same if the defect did not count.
    pub if_granted: Rate,
    /// How many more defective orders the account can take without a warning, now.
    pub defects_left: u64,
    /// The same if the defect did not count.
    pub defects_left_if_granted: u64,
}

/// A defect that someone can do something about, or could until now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// The seller.
    pub seller_id: Box<str>,
    /// The order.
    pub order_id: Box<str>,
    /// What kind of defect it is.
    pub kind: DefectKind,
    /// The claim's or chargeback's own id.
    pub reference: Option<Box<str>>,
    /// How it stands; `None` where it is closed.
    pub open: Option<Box<OpenMatter>>,
}

/// How a matter stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenMatter {
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// The boundary's instant kΔ, in ms since the epoch.
    pub boundary_ms: i64,
    /// The as-of day.
    pub as_of: Day,
    /// The order's purchase day.
    pub purchase_day: Day,
    /// The order's channel.
    pub channel: Channel,
    /// Whether the order was shipped with Buy Shipping, where stated.
    pub buy_shipping: Option<bool>,
    /// Whether the order was shipped on time, where stated.
    pub shipped_on_time: Option<bool>,
    /// The newest fact.
    pub fact: DefectFact,
    /// The earliest event of the defect that is known.
    pub opened: EventTime,
    /// The event of the newest fact.
    pub stated: EventTime,
    /// Whether it counts for good, or provisionally.
    pub counting: Counting,
    /// What was found in the comment, if it was read.
    pub note: Option<Note>,
    /// What each view would gain without it, in the order of [`View::ALL`].
    pub gains: [Gain; 2],
}

/// A demand to write what was found in a feedback's comment, or to take it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The seller.
    pub seller_id: Box<str>,
    /// The order.
    pub order_id: Box<str>,
    /// The record of the feedback topic that has the comment; `None` takes back.
    pub offset: Option<Offset>,
}

/// What is told of counted defects: one record each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told<'a> {
    /// A matter.
    Matter(&'a Matter),
    /// A quote.
    Quote(&'a Quote),
}

/// The end of a negative feedback whose comment was read, for judging how good the advice was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What was found in the comment.
    pub note: Note,
    /// The order's channel, if the order was known.
    pub channel: Option<Channel>,
    /// Whether the order was shipped with Buy Shipping, where stated.
    pub buy_shipping: Option<bool>,
    /// Whether the order was shipped on time, where stated.
    pub shipped_on_time: Option<bool>,
    /// Whether the marketplace struck it through or removed it.
    pub was_granted: bool,
}

/// A counted defect as it stood: all that a matter is made of but for the account's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stood {
    /// The account whose matter it is; none while its order is not known or does not count.
    account: Option<AccountNo>,
    /// Day and facts of the order, if it is known.
    order: Option<(Day, Stated)>,
    reference: Option<Box<str>>,
    fact: DefectFact,
    opened: EventTime,
    stated: EventTime,
    note: Option<Note>,
}

impl Stood {
    fn identity(&self) -> (DefectKind, Option<&str>) {
        (self.fact.kind(), self.reference.as_deref())
    }

    fn ending(&self, was_granted: bool) -> Option<Ending> {
        let stated = self.order.map(|(_, stated)| stated);
        Some(Ending {
            note: self.note.clone()?,
            channel: stated.map(|stated| stated.channel),
            buy_shipping: stated.and_then(|stated| stated.buy_shipping),
            shipped_on_time: stated.and_then(|stated| stated.shipped_on_time),
            was_granted,
        })
    }
}

/// An order that a merge touched.
#[derive(Clone, Debug)]
struct Touched {
    seller: SellerNo,
    order: OrderKey,
    before: Vec<Stood>,
    /// A record whose comment is to be quoted.
    quoted: Option<Offset>,
}

/// A counted defect that was forgotten.
#[derive(Clone, Debug)]
struct Gone {
    seller: SellerNo,
    order_id: Box<str>,
    stood: Stood,
}

/// What the boundary being closed did to counted defects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Care {
    /// Whether anybody wants to know.
    is_wanted: bool,
    touched: Vec<Touched>,
    gone: Vec<Gone>,
}

impl Care {
    /// Nothing happened yet.
    pub(crate) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, ..Self::default() }
    }

    /// Notes the defects of a set that are forgotten, with the order and its day if it is known.
    pub(crate) fn forget(
        &mut self,
        set: &DefectSet,
        order: Option<(&Order, Day)>,
        odd_ids: &OddIds,
        policy: &Policy,
        is_gone: impl Fn(EventTime) -> bool,
    ) {
        if !self.is_wanted {
            return;
        }
        let (seller, key) = set.of();
        for stood in stood(set, order, policy) {
            if is_gone(stood.stated) {
                self.gone.push(Gone { seller, order_id: odd_ids.order_text(key), stood });
            }
        }
    }
}

fn stood(set: &DefectSet, order: Option<(&Order, Day)>, policy: &Policy) -> Vec<Stood> {
    let counts = order.filter(|(order, _)| policy.counts_order(order.stated.status));
    let account = counts.map(|(order, _)| order.account);
    let order = order.map(|(order, day)| (day, order.stated));
    let counted = set.iter().filter(|defect| policy.counts_defect(&defect.fact) != Counting::No);
    counted
        .map(|defect| Stood {
            account,
            order,
            reference: defect.reference_text(),
            fact: defect.fact,
            opened: defect.opened,
            stated: defect.event_time,
            note: defect.note.clone(),
        })
        .collect()
}

impl Book {
    /// The counted defects of an order as they stand.
    pub(crate) fn stood(
        &self,
        key: OrderKey,
        seller: SellerNo,
        order: Option<&Order>,
    ) -> Vec<Stood> {
        let Some(set) = self.defects.get(seller, key) else { return Vec::new() };
        let order = order.map(|order| (order, self.day_of(order.purchase_time)));
        stood(set, order, &self.policy)
    }

    /// The same where anybody wants to know, and else nothing.
    pub(crate) fn stood_if_wanted(
        &self,
        key: OrderKey,
        seller: SellerNo,
        order: Option<&Order>,
    ) -> Vec<Stood> {
        if self.care.is_wanted { self.stood(key, seller, order) } else { Vec::new() }
    }

    /// Notes how an order with defects stood before its own facts changed.
    pub(crate) fn touch_care(&mut self, key: OrderKey, seller: SellerNo, order: Option<&Order>) {
        let before = self.stood_if_wanted(key, seller, order);
        if !before.is_empty() {
            self.care.touched.push(Touched { seller, order: key, before, quoted: None });
        }
    }

    /// Notes how an order stood before a defect event, once it is known what became of that.
    pub(crate) fn touch_defect(
        &mut self,
        key: OrderKey,
        event: &WaitingDefect,
        before: Vec<Stood>,
        outcome: Outcome,
    ) {
        let counts = self.policy.counts_defect(&event.fact) != Counting::No;
        if !self.care.is_wanted || (before.is_empty() && !counts) {
            return;
        }
        let quoted = event.noted.as_ref().filter(|noted| match outcome {
            Outcome::Applied => true,
            Outcome::Duplicate => {
                let held = before.iter().find(|stood| stood.fact == event.fact);
                held.is_none_or(|held| held.note.as_ref() < Some(&noted.note))
            }
            _ => false,
        });
        let quoted = quoted.map(|noted| noted.offset);
        self.care.touched.push(Touched { seller: event.seller, order: key, before, quoted });
    }

    /// What each view of an account would gain if one defect of an order did not count.
    pub(crate) fn gains(
        &self,
        account: &Account,
        order: &Contribution,
        set: &DefectSet,
        defect: &Defect,
    ) -> [Gain; 2] {
        let (policy, as_of) = (&self.policy, self.calendar().as_of);
        let without = set.summary_without(defect, policy);
        let is_saved = order.defects.defective && !without.defective;
        View::ALL.map(|view| {
            let now = account.counts(view, Scope::All).rate();
            let (first, last) = policy.view_days(view, as_of);
            let is_in = first <= order.day && order.day <= last;
            // I-24: an order counts once, so that another defect keeps it defective.
            let saved = u32::from(is_saved && is_in);
            let if_granted = Rate { defective: now.defective - saved, ..now };
            let left = |rate: Rate| {
                rate.headroom(policy.warning.raise_bp, policy.warning.min_defects).defects_left
            };
            Gain {
                leaves_on: policy.leaves_view(view, order.day),
                now,
                if_granted,
                defects_left: left(now),
                defects_left_if_granted: left(if_granted),
            }
        })
    }

    /// The matters of one order, in the order of their names; none where it does not count.
    fn matters(&self, number: AccountNo, key: OrderKey, boundary_ms: i64) -> Vec<Matter> {
        let account = self.accounts.get(number);
        let held = self.orders.find(self.orders.hash(key), key, |account| account == number);
        let Some(order) = held else { return Vec::new() };
        let Some(contribution) = self.contribution(key, account.seller, &order) else {
            return Vec::new();
        };
        let Some(set) = self.defects.get(account.seller, key) else { return Vec::new() };
        let (seller_id, marketplace_id) = self.accounts.name(number);
        let mut matters: Vec<Matter> = Vec::new();
        for defect in set.iter() {
            let counting = self.policy.counts_defect(&defect.fact);
            if counting == Counting::No {
                continue;
            }
            let open = OpenMatter {
                marketplace_id: marketplace_id.into(),
                boundary_ms,
                as_of: self.calendar().as_of,
                purchase_day: contribution.day,
                channel: order.stated.channel,
                buy_shipping: order.stated.buy_shipping,
                shipped_on_time: order.stated.shipped_on_time,
                fact: defect.fact,
                opened: defect.opened,
                stated: defect.event_time,
                counting,
                note: defect.note.clone(),
                gains: self.gains(account, &contribution, set, defect),
            };
            matters.push(Matter {
                seller_id: seller_id.into(),
                order_id: self.order_text(key),
                kind: defect.fact.kind(),
                reference: defect.reference_text(),
                open: Some(Box::new(open)),
            });
        }
        matters.sort_by(|left, right| name(left).cmp(&name(right)));
        matters
    }

    /// What is known of an order.
    fn held(&self, seller: SellerNo, key: OrderKey) -> Option<Order> {
        let is_sellers = |account| self.accounts.get(account).seller == seller;
        self.orders.find(self.orders.hash(key), key, is_sellers)
    }
}

fn name(matter: &Matter) -> (&str, DefectKind, Option<&str>) {
    (&matter.order_id, matter.kind, matter.reference.as_deref())
}
