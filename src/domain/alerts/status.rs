//! An account's standing for the status topic, and when it is due.
//!
//! Due at once when a level changes; otherwise, if changed since, at the account's slot in the hour
//! of record time, which a fixed hash spreads. What is due is taken when it is written, so that
//! boundaries that are committed together make one record an account: while a shard catches up,
//! each of its accounts has many slots in one transaction.

use super::explain::recovers_on;
use crate::domain::book::Book;
use crate::domain::effects::{AlertKind, Effects, Standing, Status};
use crate::domain::policy::{Scope, View};
use crate::domain::shard::Shard;
use crate::domain::time::{Boundary, BoundaryLength};
use crate::domain::window::AccountNo;

/// Milliseconds in an hour.
const HOUR_MS: i64 = 3_600_000;

/// What the status topic knows of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not exclude each other")]
pub struct StatusMark {
    /// Changed since it was last written.
    pub(crate) dirty: bool,
    /// Waits in its slot.
    pub(crate) queued: bool,
    /// A record stands in the topic, or is due.
    pub(crate) written: bool,
    /// A record is due and was not taken yet.
    pub(crate) due: bool,
}

/// Accounts that wait for their slot in the hour.
#[derive(Clone, Debug)]
pub(crate) struct StatusSlots {
    slots: Vec<Vec<AccountNo>>,
    queued: usize,
}

impl StatusSlots {
    pub(crate) fn new(length: BoundaryLength) -> Self {
        let slots = usize::try_from(HOUR_MS / length.ms()).expect("few thousand at most");
        Self { slots: vec![Vec::new(); slots], queued: 0 }
    }

    /// Files an account under the slot of its name.
    pub(crate) fn push(&mut self, number: AccountNo, (seller, marketplace): (&str, &str)) {
        let slot = self.slot_of(seller, marketplace);
        self.slots[slot].push(number);
        self.queued += 1;
    }

    /// Takes an account out that is forgotten.
    pub(crate) fn remove(&mut self, number: AccountNo, (seller, marketplace): (&str, &str)) {
        let slot = self.slot_of(seller, marketplace);
        let before = self.slots[slot].len();
        self.slots[slot].retain(|held| *held != number);
        self.queued -= before - self.slots[slot].len();
    }

    /// Takes the accounts whose slot a boundary is.
    pub(crate) fn take(&mut self, boundary: Boundary) -> Vec<AccountNo> {
        let slot = self.slot_at(boundary);
        let due = std::mem::take(&mut self.slots[slot]);
        self.queued -= due.len();
        due
    }

    /// The first boundary after `boundary` at which something is due.
    pub(crate) fn next_due(&self, boundary: Boundary) -> Option<Boundary> {
        if self.queued == 0 {
            return None;
        }
        let mut next = boundary;
        for _ in 0..self.slots.len() {
            next = next.next();
            if !self.slots[self.slot_at(next)].is_empty() {
                return Some(next);
            }
        }
        unreachable!("something is queued in one of the slots")
    }

    fn slot_at(&self, boundary: Boundary) -> usize {
        let slots = i64::try_from(self.slots.len()).expect("few thousand at most");
        usize::try_from(boundary.number().rem_euclid(slots)).expect("not negative")
    }

    /// A fixed hash: the same account has the same slot on every machine.
    fn slot_of(&self, seller: &str, marketplace: &str) -> usize {
        let seed = xxhash_rust::xxh3::xxh3_64(marketplace.as_bytes());
        let hash = xxhash_rust::xxh3::xxh3_64_with_seed(seller.as_bytes(), seed);
        let slots = u64::try_from(self.slots.len()).expect("few thousand at most");
        usize::try_from(hash % slots).expect("below the number of slots")
    }
}

/// The status record of an account that is held.
pub(crate) fn standing(book: &Book, number: AccountNo, length: BoundaryLength) -> Status {
    let account = book.accounts.get(number);
    let policy = &book.policy;
    let as_of = book.calendar().as_of;
    let (seller_id, marketplace_id) = book.accounts.name(number);
    let warning = policy.warning;
    let active = AlertKind::ALL
        .into_iter()
        .flat_map(|kind| policy.subjects().map(move |(scope, view)| (kind, scope, view)))
        .filter(|(kind, scope, view)| account.levels.is_up(*kind, *scope, *view))
        .collect();
    Status {
        seller_id: seller_id.into(),
        marketplace_id: marketplace_id.into(),
        standing: Some(Box::new(Standing {
            boundary_ms: book.boundary.ms(length),
            as_of,
            min_orders: policy.min_orders,
            windows: View::ALL.map(|view| policy.view_days(view, as_of)),
            counts: *account.totals(),
            headroom: View::ALL.map(|view| {
                let rate = account.counts(view, Scope::All).rate();
                rate.headroom(warning.raise_bp, warning.min_defects)
            }),
            recovers_on: View::ALL
                .map(|view| recovers_on(book, account, AlertKind::Warning, (Scope::All, view))),
            active,
            streaks: policy
                .subjects()
                .map(|(scope, view)| (scope, view, account.levels.streak(scope, view)))
                .collect(),
        })),
    }
}

impl Shard {
    /// Status records that are due, one an account.
    #[must_use]
    pub const fn due_statuses(&self) -> usize {
        self.due.len()
    }

    /// Adds the status records that became due since they were last taken, one an account, in the
    /// order of names, each as of the last boundary closed. What forgot accounts left behind was
    /// added when they were forgotten, so it comes first.
    pub fn take_statuses(&mut self, effects: &mut Effects) {
        self.book.accounts.sort(&mut self.due);
        let standings = self.due.iter().map(|number| standing(&self.book, *number, self.length));
        effects.statuses.extend(standings);
        self.skip_statuses();
    }

    /// Forgets which status records are due: they were written before.
    pub fn skip_statuses(&mut self) {
        for number in self.due.drain(..) {
            self.book.accounts.get_mut(number).status.due = false;
        }
    }

    /// The standings of the accounts at risk, in the order of their names: those with an alert
    /// up, and those with defective orders whose live rate leaves no room for another one.
    #[must_use]
    pub fn at_risk(&self) -> Vec<Status> {
        if self.closed.is_none() {
            return Vec::new();
        }
        let warning = self.book.policy.warning;
        let mut numbers: Vec<AccountNo> = Vec::new();
        for (number, account) in self.book.accounts.iter() {
            let rate = account.counts(View::Live, Scope::All).rate();
            let room = rate.headroom(warning.raise_bp, warning.min_defects).defects_left;
            let is_full = rate.defective > 0 && room == 0;
            let is_rated = rate.orders >= self.book.policy.min_orders;
            if (is_rated && is_full) || account.levels.bits() != 0 {
                numbers.push(number);
            }
        }
        self.book.accounts.sort(&mut numbers);
        numbers.into_iter().map(|number| standing(&self.book, number, self.length)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_one_slot_in_every_hour() {
        let mut slots = StatusSlots::new(BoundaryLength::from_ms(5000).unwrap());
        assert_eq!(slots.next_due(Boundary::from_number(7)), None);
        slots.push(AccountNo(1), ("S", "M"));
        let due = slots.next_due(Boundary::from_number(7)).unwrap();
        assert!(due.number() > 7 && due.number() <= 7 + 720);
        assert_eq!(slots.next_due(due), Some(Boundary::from_number(due.number() + 720)));
        assert_eq!(slots.take(due), [AccountNo(1)]);
        assert_eq!(slots.next_due(due), None);
        slots.push(AccountNo(2), ("S", "M"));
        slots.remove(AccountNo(2), ("S", "M"));
        assert_eq!(slots.next_due(due), None);
    }
}
