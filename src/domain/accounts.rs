//! The accounts of a shard and the names behind their numbers.
//!
//! Invariants:
//! - I-13: a number means the same seller, marketplace or account for as long as anything held
//!   refers to it; an account's number is used again only after it was forgotten.
//!
//! Absent on purpose: an order. Whoever needs accounts in the order of their names sorts by
//! [`Accounts::name`].

use std::collections::BTreeMap;

use hashbrown::HashTable;

use super::boundary::{MarketplaceNo, SellerNo};
use super::ids::{MarketplaceId, SellerId};
use super::window::{Account, AccountNo, RingShape};

#[derive(Clone, Debug)]
struct Seller {
    /// The seller's first account, beside the others so that most look no further.
    first: Option<(MarketplaceNo, AccountNo)>,
    /// The seller's other accounts; hardly ever more than a few.
    more: Vec<(MarketplaceNo, AccountNo)>,
    id: Box<str>,
}

/// The longest id that is kept within the table of sellers.
const SHORT: usize = 27;

/// A seller in the table: a short id is kept here, so that finding it looks no further.
#[derive(Clone, Copy, Debug)]
struct KnownSeller {
    id: ShortId,
    number: SellerNo,
}

/// An id of at most [`SHORT`] bytes, with zeros behind it; a longer one has only its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortId {
    len: u8,
    bytes: [u8; SHORT],
}

impl ShortId {
    fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        let Some(kept) = bytes.get_mut(..text.len()) else {
            return Self { len: u8::MAX, bytes };
        };
        kept.copy_from_slice(text.as_bytes());
        Self { len: u8::try_from(text.len()).expect("a short id has at most 27 bytes"), bytes }
    }

    const fn is_whole(&self) -> bool {
        self.len != u8::MAX
    }
}

/// Sellers, marketplaces and accounts by name and number.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    seed: u64,
    shape: RingShape,
    sellers: Vec<Seller>,
    sellers_by_id: HashTable<KnownSeller>,
    marketplaces: Vec<Box<str>>,
    marketplaces_by_id: BTreeMap<Box<str>, MarketplaceNo>,
    accounts: Vec<Option<Account>>,
    free: Vec<AccountNo>,
}

/// The number of the marketplace `""`.
pub(crate) const NO_MARKETPLACE: MarketplaceNo = MarketplaceNo(0);

impl Accounts {
    /// No accounts. The seed varies the hash, not the results.
    pub(crate) fn new(seed: u64, shape: RingShape) -> Self {
        Self {
            seed,
            shape,
            sellers: Vec::new(),
            sellers_by_id: HashTable::new(),
            marketplaces: vec!["".into()],
            marketplaces_by_id: BTreeMap::from([("".into(), NO_MARKETPLACE)]),
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

    /// The number of a seller, who gets one if new.
    pub(crate) fn seller(&mut self, id: SellerId<'_>) -> SellerNo {
        let seed = self.seed;
        let text = id.as_str();
        let hash = hash(text, seed);
        let id = ShortId::new(text);
        let sellers = &mut self.sellers;
        let is_same = |known: &KnownSeller| {
            known.id == id && (id.is_whole() || *sellers[place(known.number.0)].id == *text)
        };
        if let Some(known) = self.sellers_by_id.find(hash, is_same) {
            return known.number;
        }
        let number = SellerNo(number_of(sellers.len()));
        sellers.push(Seller { first: None, more: Vec::new(), id: text.into() });
        let sellers = &self.sellers;
        self.sellers_by_id.insert_unique(hash, KnownSeller { id, number }, |held| {
            self::hash(&sellers[place(held.number.0)].id, seed)
        });
        number
    }

    /// The account of these ids, if it is held.
    pub(crate) fn find(&self, seller_id: &str, marketplace_id: &str) -> Option<AccountNo> {
        let short = ShortId::new(seller_id);
        let known = self.sellers_by_id.find(hash(seller_id, self.seed), |known| {
            known.id == short
                && (short.is_whole() || *self.sellers[place(known.number.0)].id == *seller_id)
        })?;
        let marketplace = *self.marketplaces_by_id.get(marketplace_id)?;
        let seller = &self.sellers[place(known.number.0)];
        let mut held = seller.first.iter().chain(&seller.more);
        held.find(|(of, _)| *of == marketplace).map(|(_, account)| *account)
    }

    /// The number of a marketplace, which gets one if new.
    pub(crate) fn marketplace(&mut self, id: MarketplaceId<'_>) -> MarketplaceNo {
        let text = id.as_str();
        if text.is_empty() {
            return NO_MARKETPLACE;
        }
        if let Some(number) = self.marketplaces_by_id.get(text) {
            return *number;
        }
        let number = MarketplaceNo(number_of(self.marketplaces.len()));
        self.marketplaces.push(text.into());
        self.marketplaces_by_id.insert(text.into(), number);
        number
    }

    /// The first account of a seller, most often the only one.
    pub(crate) fn first_of(&self, seller: SellerNo) -> Option<AccountNo> {
        self.sellers[place(seller.0)].first.map(|(_, account)| account)
    }

    /// The smaller of two stated marketplaces, byte by byte; one that is stated beats none.
    pub(crate) fn smaller(&self, left: MarketplaceNo, right: MarketplaceNo) -> MarketplaceNo {
        if left == right || right == NO_MARKETPLACE {
            return left;
        }
        if left == NO_MARKETPLACE {
            return right;
        }
        let (left_text, right_text) =
            (&self.marketplaces[place(left.0)], &self.marketplaces[place(right.0)]);
        if left_text <= right_text { left } else { right }
    }

    /// The account of a seller in a marketplace, which is made if new.
    pub(crate) fn account(&mut self, seller: SellerNo, marketplace: MarketplaceNo) -> AccountNo {
        let known = &self.sellers[place(seller.0)];
        let mut held = known.first.iter().chain(&known.more);
        if let Some((_, account)) = held.find(|(of, _)| *of == marketplace) {
            return *account;
        }
        let mut account = Account::new(seller, marketplace, self.shape);
        account.name_hash =
            name_hash(&self.sellers[place(seller.0)].id, &self.marketplaces[place(marketplace.0)]);
        let account = Some(account);
        let number = if let Some(number) = self.free.pop() {
            self.accounts[number.index()] = account;
            number
        } else {
            self.accounts.push(account);
            AccountNo(number_of(self.accounts.len() - 1))
        };
        let known = &mut self.sellers[place(seller.0)];
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
        let known = &mut self.sellers[place(account.seller.0)];
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
        (self.seller_id(account.seller), &self.marketplaces[place(account.marketplace.0)])
    }

    /// A seller's id.
    pub(crate) fn seller_id(&self, number: SellerNo) -> &str {
        &self.sellers[place(number.0)].id
    }

    /// A marketplace's id.
    pub(crate) fn marketplace_id(&self, number: MarketplaceNo) -> &str {
        &self.marketplaces[place(number.0)]
    }

    /// Sorts accounts by name.
    pub(crate) fn sort(&self, numbers: &mut [AccountNo]) {
        numbers.sort_unstable_by(|left, right| self.name(*left).cmp(&self.name(*right)));
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        let sellers = self.sellers.capacity() * size_of::<Seller>()
            + self.sellers.iter().map(|seller| seller.id.len()).sum::<usize>();
        let accounts = self.accounts.capacity() * size_of::<Option<Account>>()
            + self.accounts.iter().flatten().map(Account::bytes).sum::<usize>();
        sellers + self.sellers_by_id.allocation_size() + accounts
    }
}

/// The same on every machine: it is part of the digest.
fn name_hash(seller: &str, marketplace: &str) -> u64 {
    let seed = xxhash_rust::xxh3::xxh3_64(marketplace.as_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(seller.as_bytes(), seed)
}

fn hash(text: &str, seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), seed)
}

fn place(number: u32) -> usize {
    usize::try_from(number).expect("usize has at least 32 bits here")
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
        let seller = accounts.seller(SellerId::new("S").unwrap());
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
