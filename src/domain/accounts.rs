//! The accounts of a shard and the names behind their numbers.
//!
//! Invariants:
//! - I-13: a number means the same seller, marketplace or account for as long as anything held
//!   refers to it; an account's number is used again only after it was forgotten.
//!
//! Absent on purpose: an order. Whoever needs accounts in the order of their names sorts by
//! [`Accounts::name`].

use super::boundary::{MarketplaceNo, SellerNo};
use super::ids::{MarketplaceId, SellerId, index};
use super::names::{Names, Sought};
use super::orders::prefetch::Places;
use super::window::{Account, AccountNo, RingShape};

#[derive(Clone, Debug, Default)]
struct Seller {
    /// The seller's first account, beside the others so that most look no further.
    first: Option<(MarketplaceNo, AccountNo)>,
    /// The seller's other accounts; hardly ever more than a few.
    more: Vec<(MarketplaceNo, AccountNo)>,
}

/// Sellers, marketplaces and accounts by name and number.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    shape: RingShape,
    sellers: Vec<Seller>,
    seller_ids: Names,
    marketplaces: Names,
    accounts: Vec<Option<Account>>,
    free: Vec<AccountNo>,
}

/// The number of the marketplace `""`.
pub(crate) const NO_MARKETPLACE: MarketplaceNo = MarketplaceNo(0);

impl Accounts {
    /// No accounts. The seed varies the hash, not the results.
    pub(crate) fn new(seed: u64, shape: RingShape) -> Self {
        let mut marketplaces = Names::new(seed);
        let none = marketplaces.seek("");
        assert_eq!(NO_MARKETPLACE.0, marketplaces.number(&none), "the first text has number 0");
        Self {
            shape,
            sellers: Vec::new(),
            seller_ids: Names::new(seed),
            marketplaces,
            accounts: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Accounts held.
    pub(crate) fn len(&self) -> usize {
        self.accounts.len() - self.free.len()
    }

    /// The larger of the numbers of sellers and accounts that were ever held at once.
    pub(crate) fn numbers(&self) -> usize {
        self.accounts.len().max(self.sellers.len())
    }

    /// Begins to look for a seller.
    pub(crate) fn seek_seller(&self, id: SellerId<'_>) -> Sought {
        self.seller_ids.seek(id.as_str())
    }

    /// The number of a seller, who gets one if new.
    pub(crate) fn seller(&mut self, sought: &Sought) -> SellerNo {
        let number = self.seller_ids.number(sought);
        if index(number) == self.sellers.len() {
            self.sellers.push(Seller::default());
        }
        SellerNo(number)
    }

    /// The account of these ids, if it is held.
    pub(crate) fn find(&self, seller_id: &str, marketplace_id: &str) -> Option<AccountNo> {
        let seller = self.seller_ids.find(&self.seller_ids.seek(seller_id))?;
        let marketplace = self.marketplaces.find(&self.marketplaces.seek(marketplace_id))?;
        let seller = &self.sellers[index(seller)];
        let mut held = seller.first.iter().chain(&seller.more);
        held.find(|(of, _)| of.0 == marketplace).map(|(_, account)| *account)
    }

    /// The number of a marketplace, which gets one if new.
    pub(crate) fn marketplace(&mut self, id: MarketplaceId<'_>) -> MarketplaceNo {
        if id == MarketplaceId::ABSENT {
            return NO_MARKETPLACE;
        }
        let sought = self.marketplaces.seek(id.as_str());
        MarketplaceNo(self.marketplaces.number(&sought))
    }

    /// Adds what is known of a seller to what is to be fetched.
    pub(crate) fn place_of_seller(&self, number: SellerNo, places: &mut Places) {
        if let Some(seller) = self.sellers.get(index(number.0)) {
            places.add(&seller.first);
        }
    }

    /// Adds an account, without its buckets, to what is to be fetched.
    pub(crate) fn place(&self, number: AccountNo, places: &mut Places) {
        if let Some(account) = self.accounts.get(number.index()) {
            // Whether it is held is not asked: that would read it.
            places.add_lines(account);
        }
    }

    /// The first account of a seller, most often the only one.
    pub(crate) fn first_of(&self, seller: SellerNo) -> Option<AccountNo> {
        self.sellers[index(seller.0)].first.map(|(_, account)| account)
    }

    /// The smaller of two stated marketplaces, byte by byte; one that is stated beats none.
    pub(crate) fn smaller(&self, left: MarketplaceNo, right: MarketplaceNo) -> MarketplaceNo {
        if left == right || right == NO_MARKETPLACE {
            return left;
        }
        if left == NO_MARKETPLACE {
            return right;
        }
        let [left_text, right_text] = [left, right].map(|number| self.marketplaces.text(number.0));
        if left_text <= right_text { left } else { right }
    }

    /// The account of a seller in a marketplace, which is made if new.
    pub(crate) fn account(&mut self, seller: SellerNo, marketplace: MarketplaceNo) -> AccountNo {
        let known = &self.sellers[index(seller.0)];
        let mut held = known.first.iter().chain(&known.more);
        if let Some((_, account)) = held.find(|(of, _)| *of == marketplace) {
            return *account;
        }
        let mut account = Account::new(seller, marketplace, self.shape);
        account.name_hash =
            name_hash(self.seller_id(seller), self.marketplaces.text(marketplace.0));
        let account = Some(account);
        let number = if let Some(number) = self.free.pop() {
            self.accounts[number.index()] = account;
            number
        } else {
            self.accounts.push(account);
            AccountNo(number_of(self.accounts.len() - 1))
        };
        let known = &mut self.sellers[index(seller.0)];
        if known.first.is_none() {
            known.first = Some((marketplace, number));
        } else {
            known.more.push((marketplace, number));
        }
        number
    }

    /// Forgets an account.
    pub(crate) fn forget(&mut self, number: AccountNo) {
        let account = self.accounts[number.index()].take().expect("an account is forgotten once");
        let known = &mut self.sellers[index(account.seller.0)];
        if known.first.is_some_and(|(_, held)| held == number) {
            known.first = known.more.pop();
        } else {
            known.more.retain(|(_, held)| *held != number);
        }
        self.free.push(number);
    }

    /// An account that is held.
    pub(crate) fn get(&self, number: AccountNo) -> &Account {
        self.accounts[number.index()].as_ref().expect("I-13: a number in use has its account")
    }

    /// An account that is held.
    pub(crate) fn get_mut(&mut self, number: AccountNo) -> &mut Account {
        self.accounts[number.index()].as_mut().expect("I-13: a number in use has its account")
    }

    /// The account of a number, if it is held.
    pub(crate) fn try_get(&self, number: AccountNo) -> Option<&Account> {
        self.accounts.get(number.index())?.as_ref()
    }

    /// Does something with all accounts that are held, by number. Beforehand each has its buckets
    /// of some days fetched, given by their places in the ring, many accounts at a time.
    pub(crate) fn for_each_with_days(
        &mut self,
        days: &[usize],
        mut work: impl FnMut(AccountNo, &mut Account),
    ) {
        const BATCH: usize = 16;
        let mut places = Places::default();
        for (batch, accounts) in self.accounts.chunks_mut(BATCH).enumerate() {
            for account in accounts.iter().flatten() {
                for day in days {
                    account.place_of_day(*day, &mut places);
                }
            }
            places.fetch();
            for (place, account) in accounts.iter_mut().enumerate() {
                if let Some(account) = account {
                    work(AccountNo(number_of(batch * BATCH + place)), account);
                }
            }
        }
    }

    /// All accounts that are held, by number.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (AccountNo, &mut Account)> {
        self.accounts
            .iter_mut()
            .enumerate()
            .filter_map(|(index, account)| Some((AccountNo(number_of(index)), account.as_mut()?)))
    }

    /// All accounts that are held, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (AccountNo, &Account)> {
        self.accounts
            .iter()
            .enumerate()
            .filter_map(|(index, account)| Some((AccountNo(number_of(index)), account.as_ref()?)))
    }

    /// The name of an account: its ids, whose byte order is the order of evaluation.
    pub(crate) fn name(&self, number: AccountNo) -> (&str, &str) {
        let account = self.get(number);
        (self.seller_id(account.seller), self.marketplaces.text(account.marketplace.0))
    }

    /// A seller's id.
    pub(crate) fn seller_id(&self, number: SellerNo) -> &str {
        self.seller_ids.text(number.0)
    }

    /// A marketplace's id.
    pub(crate) fn marketplace_id(&self, number: MarketplaceNo) -> &str {
        self.marketplaces.text(number.0)
    }

    /// Sorts accounts by name.
    pub(crate) fn sort(&self, numbers: &mut [AccountNo]) {
        numbers.sort_unstable_by(|left, right| self.name(*left).cmp(&self.name(*right)));
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        let sellers = self.sellers.capacity() * size_of::<Seller>() + self.seller_ids.bytes();
        let accounts = self.accounts.capacity() * size_of::<Option<Account>>()
            + self.accounts.iter().flatten().map(Account::bytes).sum::<usize>();
        sellers + accounts
    }
}

/// The same on every machine: it is part of the digest.
fn name_hash(seller: &str, marketplace: &str) -> u64 {
    let seed = xxhash_rust::xxh3::xxh3_64(marketplace.as_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(seller.as_bytes(), seed)
}

fn number_of(index: usize) -> u32 {
    u32::try_from(index).expect("the caps keep numbers below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::Policy;

    #[test]
    fn i_13_names_and_numbers_go_together() {
        let mut accounts = Accounts::new(1, RingShape::new(&Policy::default(), 3));
        let seller = accounts.seller(&accounts.seek_seller(SellerId::new("S").unwrap()));
        let us = accounts.marketplace(MarketplaceId::new("US").unwrap());
        let de = accounts.marketplace(MarketplaceId::new("DE").unwrap());
        let first = accounts.account(seller, us);
        assert_eq!(accounts.account(seller, us), first);
        let second = accounts.account(seller, de);
        assert_eq!(accounts.name(second), ("S", "DE"));
        let mut both = [first, second];
        accounts.sort(&mut both);
        assert_eq!(both, [second, first]);
        assert_eq!(accounts.smaller(us, de), de);
        assert_eq!(accounts.smaller(us, NO_MARKETPLACE), us);
        assert_eq!(accounts.smaller(NO_MARKETPLACE, us), us);
        accounts.forget(first);
        assert!(accounts.try_get(first).is_none());
        assert_eq!(accounts.account(seller, NO_MARKETPLACE), first);
        assert_eq!(accounts.len(), 2);
    }
}
