//! The whole market in sums that move with each row.

use crate::domain::effects::Counts;
use crate::domain::look::AccountRow;

/// The whole market as the rows say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Accounts by band, in the order of [`Band::ALL`].
    pub bands: [u64; 5],
    /// Accounts with an alert up, by kind, in the order of [`AlertKind::ALL`].
    pub active: [u64; 3],
    /// The sums over all accounts, by view (outer) and channel (inner).
    pub totals: [[Sum; 2]; 2],
}

/// Counts of many accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Orders.
    pub orders: u64,
    /// Defective orders.
    pub defective: u64,
    /// Those whose counted defects are all provisional.
    pub provisional_only: u64,
    /// By kind.
    pub by_kind: [u64; 3],
}

impl Sum {
    fn add(&mut self, counts: &Counts, sign: i64) {
        let step = |sum: &mut u64, value: u32| {
            *sum = sum.checked_add_signed(sign * i64::from(value)).expect("what goes was there");
        };
        step(&mut self.orders, counts.orders);
        step(&mut self.defective, counts.defective);
        step(&mut self.provisional_only, counts.provisional_only);
        for (sum, value) in self.by_kind.iter_mut().zip(counts.by_kind) {
            step(sum, value);
        }
    }

    /// The counts of one account.
    #[must_use]
    pub fn of(counts: &Counts) -> Self {
        let mut sum = Self::default();
        sum.add(counts, 1);
        sum
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        self.orders += other.orders;
        self.defective += other.defective;
        self.provisional_only += other.provisional_only;
        for (sum, value) in self.by_kind.iter_mut().zip(other.by_kind) {
            *sum += value;
        }
        self
    }
}

impl Standing {
    /// Takes a row in (`sign` 1) or out (-1).
    pub(super) fn count(&mut self, row: &AccountRow, sign: i64) {
        let step = |sum: &mut u64| {
            *sum = sum.checked_add_signed(sign).expect("a row that goes was there");
        };
        step(&mut self.bands[row.band.index()]);
        for (sum, _) in self.active.iter_mut().zip(row.active).filter(|(_, is_up)| *is_up) {
            step(sum);
        }
        for (sums, counts) in self.totals.iter_mut().flatten().zip(row.totals.iter().flatten()) {
            sums.add(counts, sign);
        }
    }
}
