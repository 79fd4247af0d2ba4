//! The texts of order ids that have not Amazon's form, one slot each.
//!
//! Invariant I-7: a slot lives as long as its order or one of its order's defects is held; the
//! shard frees it with the last of them.

use hashbrown::HashTable;

use super::OrderKey;
use crate::domain::boundary::SellerNo;
use crate::domain::held_text::HeldText;
use crate::domain::ids::{OrderId, index};

#[derive(Clone, Debug)]
struct OddId {
    seller: SellerNo,
    text: HeldText,
}

/// The side table of odd ids.
#[derive(Clone, Debug, Default)]
pub(crate) struct OddIds {
    slots: Vec<Option<OddId>>,
    free: Vec<u32>,
    by_text: HashTable<u32>,
    seed: u64,
}

impl OddIds {
    /// An empty table. The seed varies the hash, not the results.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// The key of an id that is held.
    pub(crate) fn find(&self, seller: SellerNo, text: &str) -> Option<OrderKey> {
        let hash = hash(seller, text, self.seed);
        self.by_text
            .find(hash, |slot| is_slot(&self.slots, *slot, seller, text))
            .map(|slot| OrderKey::odd(*slot))
    }

    /// The key of an id, which gets a slot if it has none.
    pub(crate) fn intern(&mut self, seller: SellerNo, text: &str) -> OrderKey {
        if let Some(key) = self.find(seller, text) {
            return key;
        }
        let id = Some(OddId { seller, text: text.into() });
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[index(slot)] = id;
            slot
        } else {
            self.slots.push(id);
            u32::try_from(self.slots.len() - 1).expect("the caps on orders keep slots below 2^32")
        };
        let (seed, slots) = (self.seed, &self.slots);
        self.by_text.insert_unique(hash(seller, text, seed), slot, |slot| {
            let id = slots[index(*slot)].as_ref().expect("a listed slot is in use");
            hash(id.seller, id.text.as_str(), seed)
        });
        OrderKey::odd(slot)
    }

    /// The number of slots, in use or not.
    pub(crate) const fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The id in a slot: its seller and its text; `None` if the slot is free.
    pub(crate) fn get(&self, slot: u32) -> Option<(SellerNo, &str)> {
        self.slots[index(slot)].as_ref().map(|id| (id.seller, id.text.as_str()))
    }

    /// The text of an odd key.
    pub(crate) fn text(&self, slot: u32) -> &str {
        let id = self.slots[index(slot)].as_ref().expect("a key that is held has its slot");
        id.text.as_str()
    }

    /// The text of any order's id.
    pub(crate) fn order_text(&self, key: OrderKey) -> Box<str> {
        match key.odd_slot() {
            Some(slot) => self.text(slot).into(),
            None => OrderId::Amazon(key.bits()).to_string().into(),
        }
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, slot: u32) {
        let id = self.slots[index(slot)].take().expect("a slot is released once");
        let hash = hash(id.seller, id.text.as_str(), self.seed);
        self.by_text
            .find_entry(hash, |held| *held == slot)
            .expect("a slot in use is listed")
            .remove();
        self.free.push(slot);
    }

    /// Ids held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Bytes held, about: long texts that are held apart are not walked.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Option<OddId>>() + self.by_text.allocation_size()
    }
}

fn is_slot(slots: &[Option<OddId>], slot: u32, seller: SellerNo, text: &str) -> bool {
    slots[index(slot)].as_ref().is_some_and(|id| id.seller == seller && id.text.as_str() == text)
}

fn hash(seller: SellerNo, text: &str, seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(
        text.as_bytes(),
        seed ^ u64::from(seller.0).rotate_left(32),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_7_a_released_slot_is_used_again_and_its_text_is_gone() {
        let mut ids = OddIds::new(3);
        let first = ids.intern(SellerNo(1), "A-1");
        assert_eq!(ids.intern(SellerNo(1), "A-1"), first);
        let second = ids.intern(SellerNo(2), "A-1");
        assert_ne!(first, second);
        ids.release(first.odd_slot().unwrap());
        assert_eq!(ids.find(SellerNo(1), "A-1"), None);
        assert_eq!(ids.find(SellerNo(2), "A-1"), Some(second));
        assert_eq!(ids.intern(SellerNo(9), "B"), first);
        assert_eq!(ids.text(first.odd_slot().unwrap()), "B");
        assert_eq!(ids.len(), 2);
    }
}
