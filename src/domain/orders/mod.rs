//! The order index: order → account, purchase time, channel, status and flags, exactly.
//!
//! The big structure of the process, behind a small interface, so that a more compact one can
//! replace it. An entry is 16 bytes and holds everything; there is no allocation per order. Ids
//! that have not Amazon's form have their text in a side table ([`odd_ids`]).
//!
//! Invariants:
//! - I-4: an order has at most one entry; identity is `(seller, order id)`.
//! - I-5: an entry's purchase time is exact to the millisecond, although only its low 38 bits
//!   (8 years) are kept: all held orders lie within four years of the shard's present.
//!
//! Absent on purpose: any output order (nothing that iterates here reaches an output unsorted).

pub(crate) mod odd_ids;
pub(crate) mod prefetch;
mod table;

use super::event::{Channel, OrderEvent, OrderStatus};
use super::time::EventTime;
use super::window::AccountNo;
use prefetch::Places;
use table::{Entry, SegmentedTable};

/// The key of an order within its shard: the 57-bit number of an Amazon id, or the number of an
/// odd id's slot with [`OrderKey::ODD`] set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct OrderKey(u64);

impl OrderKey {
    /// Marks the key of an id that has not Amazon's form.
    const ODD: u64 = 1 << 57;

    pub(crate) const fn amazon(number: u64) -> Self {
        Self(number)
    }

    pub(crate) fn odd(slot: u32) -> Self {
        Self(Self::ODD | u64::from(slot))
    }

    /// The slot of an odd id; `None` for an Amazon id.
    pub(crate) fn odd_slot(self) -> Option<u32> {
        let slot = self.0.checked_sub(Self::ODD)?;
        Some(u32::try_from(slot).expect("a slot number has 32 bits"))
    }

    /// The raw 58 bits.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }
}

/// What order events state beside identity and time, merged: status, channel and two flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stated {
    pub status: OrderStatus,
    pub channel: Channel,
    /// unknown < false < true
    pub buy_shipping: Option<bool>,
    /// unknown < false < true
    pub shipped_on_time: Option<bool>,
}

impl Stated {
    pub(crate) const fn new(event: &OrderEvent<'_>) -> Self {
        Self {
            status: event.status,
            channel: event.channel,
            buy_shipping: event.buy_shipping,
            shipped_on_time: event.shipped_on_time,
        }
    }

    /// The merge of SEMANTICS section 3: the highest status, MFN if any says so, the greatest of
    /// each flag.
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            status: self.status.max(other.status),
            // MFN sorts before AFN.
            channel: self.channel.min(other.channel),
            buy_shipping: self.buy_shipping.max(other.buy_shipping),
            shipped_on_time: self.shipped_on_time.max(other.shipped_on_time),
        }
    }

    /// One of 54 states in 6 bits.
    fn code(self) -> u64 {
        let status = match self.status {
            OrderStatus::Pending => 0,
            OrderStatus::Open => 1,
            OrderStatus::Canceled => 2,
        };
        let channel = match self.channel {
            Channel::Mfn => 0,
            Channel::Afn => 1,
        };
        ((status * 2 + channel) * 3 + flag_code(self.buy_shipping)) * 3
            + flag_code(self.shipped_on_time)
    }

    fn from_code(code: u64) -> Self {
        let status = match code / 18 {
            0 => OrderStatus::Pending,
            1 => OrderStatus::Open,
            _ => OrderStatus::Canceled,
        };
        let channel = if (code / 9).is_multiple_of(2) { Channel::Mfn } else { Channel::Afn };
        Self {
            status,
            channel,
            buy_shipping: flag_of(code / 3 % 3),
            shipped_on_time: flag_of(code % 3),
        }
    }
}

fn flag_code(flag: Option<bool>) -> u64 {
    match flag {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    }
}

fn flag_of(code: u64) -> Option<bool> {
    match code {
        0 => None,
        1 => Some(false),
        _ => Some(true),
    }
}

/// What is known of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub account: AccountNo,
    pub purchase_time: EventTime,
    pub stated: Stated,
    /// Whether the defect table has facts about this order.
    pub has_defects: bool,
}

/// The bits of a purchase time that an entry keeps.
const PURCHASE_BITS: u32 = 38;
const PURCHASE_MASK: u64 = (1 << PURCHASE_BITS) - 1;
/// The bits of an account's number that an entry keeps.
pub(crate) const ACCOUNT_BITS: u32 = 24;

/// The order index of a shard.
#[derive(Clone, Debug)]
pub(crate) struct OrderIndex {
    table: SegmentedTable,
    seed: u64,
    /// An instant near the shard's present, in ms: what the kept bits of times are relative to.
    present_ms: i64,
}

impl OrderIndex {
    /// An empty index. The seed varies the hash, not the results.
    pub(crate) fn new(seed: u64) -> Self {
        Self { table: SegmentedTable::new(), seed, present_ms: 0 }
    }

    /// Orders held.
    pub(crate) const fn len(&self) -> usize {
        self.table.len()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// Tells the shard's present, in ms; it must stay within four years of all held orders.
    pub(crate) fn set_present(&mut self, present_ms: i64) {
        self.present_ms = present_ms;
    }

    /// The hash that all other calls take, so that a batch can hash first and look up later.
    pub(crate) fn hash(&self, key: OrderKey) -> u64 {
        hash(key.bits(), self.seed)
    }

    /// Adds what a lookup of this hash reads first to what is to be fetched.
    pub(crate) fn place(&self, hash: u64, places: &mut Places) {
        self.table.place(hash, places);
    }

    /// Finds an order. `is_sellers` tells whether an account is one of the order's seller: two
    /// sellers may state the same id.
    pub(crate) fn find(
        &self,
        hash: u64,
        key: OrderKey,
        is_sellers: impl Fn(AccountNo) -> bool,
    ) -> Option<Order> {
        self.table
            .find(hash, |entry| entry.key() == key.bits() && is_sellers(account_of(entry)))
            .map(|entry| unpack(entry, self.present_ms))
    }

    /// Adds an order that is not held.
    pub(crate) fn insert(&mut self, hash: u64, key: OrderKey, order: &Order) {
        let seed = self.seed;
        let entry = pack(key, order);
        self.table.insert(hash, entry, |held| self::hash(held.key(), seed));
    }

    /// Replaces what is known of an order that is held in `account`.
    pub(crate) fn replace(&mut self, hash: u64, key: OrderKey, account: AccountNo, order: &Order) {
        let is_it = |entry: &Entry| entry.key() == key.bits() && account_of(entry) == account;
        let replaced = self.table.replace(hash, pack(key, order), is_it);
        assert!(replaced, "I-4: an order that was found is still there");
    }

    /// Forgets the orders for which `is_gone` holds, and hands over each. It does not hold for a
    /// purchase at or after `surely_later_ms`: most entries are passed over with one comparison.
    pub(crate) fn forget(
        &mut self,
        surely_later_ms: i64,
        is_gone: impl Fn(EventTime) -> bool,
        mut forgotten: impl FnMut(OrderKey, Order),
    ) {
        let (present_ms, seed) = (self.present_ms, self.seed);
        let present = low_bits(present_ms);
        let later = surely_later_ms.saturating_sub(present_ms);
        let may_go = |entry: &Entry| distance(entry.value(), present) < later;
        let keep = |entry: &Entry| {
            let order = unpack(*entry, present_ms);
            let gone = is_gone(order.purchase_time);
            if gone {
                forgotten(OrderKey(entry.key()), order);
            }
            !gone
        };
        self.table.retain(may_go, keep, |held| hash(held.key(), seed));
    }
}

/// A strong mix of 64 bits: two full multiplications, both halves folded after each.
fn hash(bits: u64, seed: u64) -> u64 {
    fold(fold(bits ^ seed, 0x9E37_79B9_7F4A_7C15), 0xD6E8_FEB8_6659_FD93)
}

fn fold(bits: u64, multiplier: u64) -> u64 {
    let (low, high) = split(u128::from(bits) * u128::from(multiplier));
    low ^ high
}

fn split(wide: u128) -> (u64, u64) {
    let bytes = wide.to_le_bytes();
    let (low, high) = bytes.split_at(8);
    let half = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("half of 16 bytes is 8"));
    (half(low), half(high))
}

fn account_of(entry: &Entry) -> AccountNo {
    let number = entry.value() >> (PURCHASE_BITS + 1);
    AccountNo(u32::try_from(number).expect("an account's number has 24 bits"))
}

fn pack(key: OrderKey, order: &Order) -> Entry {
    let account = u64::from(order.account.0);
    debug_assert!(account < 1 << ACCOUNT_BITS, "the shard caps accounts below 2^24");
    let purchase = low_bits(order.purchase_time.ms());
    let value = account << (PURCHASE_BITS + 1) | purchase << 1 | u64::from(order.has_defects);
    Entry::new(key.bits(), order.stated.code(), value)
}

fn unpack(entry: Entry, present_ms: i64) -> Order {
    let value = entry.value();
    Order {
        account: account_of(&entry),
        purchase_time: EventTime::from_ms(present_ms + distance(value, low_bits(present_ms))),
        stated: Stated::from_code(entry.state()),
        has_defects: value & 1 == 1,
    }
}

/// I-5: how much later than the present a purchase is, from the low bits of both: a signed number
/// of 38 bits.
fn distance(value: u64, present: u64) -> i64 {
    let kept = value >> 1 & PURCHASE_MASK;
    // Moves the sign bit of the 38 to the top, and back with its copies.
    let shifted = kept.wrapping_sub(present) << (64 - PURCHASE_BITS);
    i64::from_le_bytes(shifted.to_le_bytes()) >> (64 - PURCHASE_BITS)
}

fn low_bits(ms: i64) -> u64 {
    u64::from_le_bytes(ms.to_le_bytes()) & PURCHASE_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(account: u32, purchase_ms: i64) -> Order {
        Order {
            account: AccountNo(account),
            purchase_time: EventTime::from_ms(purchase_ms),
            stated: Stated {
                status: OrderStatus::Open,
                channel: Channel::Afn,
                buy_shipping: Some(false),
                shipped_on_time: None,
            },
            has_defects: true,
        }
    }

    #[test]
    fn i_5_an_entry_keeps_everything_exactly() {
        let present = 1_790_000_000_000;
        for offset in
            [0, 1, -1, 86_399_999, -75 * 86_400_000, 365 * 86_400_000, -4 * 31_536_000_000]
        {
            for code in 0..54 {
                let mut held = order(0xFF_FFFF, present + offset);
                held.stated = Stated::from_code(code);
                assert_eq!(held.stated.code(), code);
                assert_eq!(unpack(pack(OrderKey::amazon(99), &held), present), held);
            }
        }
        assert_eq!(unpack(pack(OrderKey::odd(7), &order(3, -5)), -86_400_000), order(3, -5));
    }

    #[test]
    fn i_4_two_sellers_may_state_the_same_id() {
        let mut index = OrderIndex::new(1);
        let key = OrderKey::amazon(12_345);
        let hash = index.hash(key);
        index.insert(hash, key, &order(1, 10));
        index.insert(hash, key, &order(2, 20));
        let found = index.find(hash, key, |account| account == AccountNo(2)).unwrap();
        assert_eq!(found.purchase_time.ms(), 20);
        assert!(index.find(hash, key, |account| account == AccountNo(3)).is_none());
        assert_eq!(index.len(), 2);
    }

    #[test]
    fn many_orders_are_found_again_after_growth_and_forgotten_by_time() {
        let mut index = OrderIndex::new(7);
        let keys: Vec<_> = (0..200_000_u64).map(|n| OrderKey::amazon(n * 1_000_003)).collect();
        for (at, key) in (0_i64..).zip(&keys) {
            index.insert(index.hash(*key), *key, &order(5, at));
        }
        for (at, key) in (0_i64..).zip(&keys) {
            let found = index.find(index.hash(*key), *key, |_| true).unwrap();
            assert_eq!(found.purchase_time.ms(), at);
        }
        let mut gone = 0;
        index.forget(i64::MAX, |time| time.ms() < 50_000, |_, _| gone += 1);
        assert_eq!((gone, index.len()), (50_000, 150_000));
        assert!(index.find(index.hash(keys[49_999]), keys[49_999], |_| true).is_none());
        assert!(index.find(index.hash(keys[50_000]), keys[50_000], |_| true).is_some());
    }

    #[test]
    fn the_index_takes_at_most_24_bytes_per_order_from_a_million_on() {
        let mut index = OrderIndex::new(7);
        for n in 0..2_200_000_u64 {
            let key = OrderKey::amazon(n * 7_777_777);
            index.insert(index.hash(key), key, &order(5, 1));
            if n >= 1_000_000 && n % 20_000 == 0 {
                let per_order = index.bytes() / index.len();
                assert!(per_order <= 24, "{per_order} bytes per order at {n}");
            }
        }
    }

    #[test]
    fn the_merge_of_stated_facts_is_commutative_associative_and_idempotent() {
        for a in 0..54 {
            let a = Stated::from_code(a);
            assert_eq!(a.merge(a), a);
            for b in 0..54 {
                let b = Stated::from_code(b);
                assert_eq!(a.merge(b), b.merge(a));
                for c in (0..54).step_by(5) {
                    let c = Stated::from_code(c);
                    assert_eq!(a.merge(b).merge(c), a.merge(b.merge(c)));
                }
            }
        }
    }
}
