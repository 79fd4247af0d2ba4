//! What a shard tells of itself: sizes, bands, totals. Reads only.

use super::effects::{Counts, Total};
use super::event::Topic;
use super::policy::{Scope, View};
use super::risk::Band;
use super::shard::Shard;
use super::window::AccountNo;

/// What a shard holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Orders.
    pub orders: usize,
    /// Accounts.
    pub accounts: usize,
    /// Defects that wait for their order.
    pub orphans: usize,
    /// Records that wait for their boundary.
    pub pending: usize,
}

impl Shard {
    /// What the shard holds.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            orders: self.book.orders.len(),
            accounts: self.book.accounts.len(),
            orphans: self.book.defects.orphans(),
            pending: self.inbox.waiting_records(),
        }
    }

    /// Bytes held: by the order index alone, and in all (about).
    #[must_use]
    pub fn bytes(&self) -> (usize, usize) {
        let index = self.book.orders.bytes();
        let rest = self.book.accounts.bytes()
            + self.book.defects.bytes()
            + self.book.odd_ids.bytes()
            + self.inbox.bytes();
        (index, index + rest)
    }

    /// How many accounts are in which band, in the order of [`Band::ALL`].
    #[must_use]
    pub fn bands(&self) -> [u64; 5] {
        let mut bands = [0; 5];
        for (_, account) in self.book.accounts.iter() {
            let rate = account.counts(View::Live, Scope::All).rate();
            bands[Band::of(rate, &self.book.policy).index()] += 1;
        }
        bands
    }

    /// Alerts that are up, by kind.
    #[must_use]
    pub fn active_alerts(&self) -> [u64; 3] {
        let mut active = [0; 3];
        for (_, account) in self.book.accounts.iter() {
            for (kind, bits) in active.iter_mut().zip([0, 6, 12]) {
                *kind += u64::from((account.levels.bits() >> bits & 63).count_ones());
            }
        }
        active
    }

    /// The numbers of every account, scope and view that has orders, in the order of names.
    #[must_use]
    pub fn totals(&self) -> Vec<Total> {
        let Some(as_of) = self.book.as_of else { return Vec::new() };
        let mut numbers: Vec<AccountNo> =
            self.book.accounts.iter().map(|(number, _)| number).collect();
        self.book.accounts.sort(&mut numbers);
        let mut totals = Vec::new();
        for number in numbers {
            let (seller_id, marketplace_id) = self.book.accounts.name(number);
            for scope in Scope::ALL {
                for view in View::ALL {
                    let counts = self.book.accounts.get(number).counts(view, scope);
                    if counts.orders == 0 {
                        continue;
                    }
                    totals.push(Total {
                        seller_id: seller_id.into(),
                        marketplace_id: marketplace_id.into(),
                        scope,
                        view,
                        as_of,
                        counts,
                    });
                }
            }
        }
        totals
    }

    /// The numbers of one account in the live view, for tests and queries; `None` if unknown.
    #[must_use]
    pub fn counts_of(
        &self,
        seller: &str,
        marketplace: &str,
        view: View,
        scope: Scope,
    ) -> Option<Counts> {
        let accounts = &self.book.accounts;
        accounts
            .iter()
            .find(|(number, _)| accounts.name(*number) == (seller, marketplace))
            .map(|(_, account)| account.counts(view, scope))
    }

    /// Records that wait, by topic, as outcomes that are not decided.
    #[must_use]
    pub fn pending(&self) -> [usize; 4] {
        Topic::ALL.map(|topic| self.inbox.waiting_of(topic))
    }
}
