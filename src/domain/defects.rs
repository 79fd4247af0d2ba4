//! What each order is defective for: the newest fact of every defect, also before its order.
//!
//! Sparse: only orders that any defect topic speaks of are here, whether or not a fact counts.
//!
//! Invariants:
//! - I-8: identity is `(seller, order, kind, ref)`; of a defect's events the one with the greatest
//!   `(event time, fact)` is kept, so order of arrival and repetition never change it.
//! - I-9: a set is never empty, and it is an orphan exactly when its order is not in the index.

use hashbrown::HashTable;

use super::boundary::SellerNo;
use super::event::{DefectFact, DefectKind, Outcome};
use super::held_text::HeldText;
use super::note::Note;
use super::orders::OrderKey;
use super::orders::prefetch::Places;
use super::policy::{Counting, Policy};
use super::time::{Boundary, EventTime};

/// One defect: its identity within its order, its winning event, and what it was before.
#[derive(Clone, Debug)]
pub(crate) struct Defect {
    pub reference: Option<HeldText>,
    pub event_time: EventTime,
    /// The earliest event of the defect, also of those that did not win.
    pub opened: EventTime,
    pub fact: DefectFact,
    /// What came with the fact.
    pub note: Option<Note>,
    /// The boundary that last changed it.
    changed_at: Boundary,
    /// Whether it counted before that boundary.
    counted_before: bool,
}

impl Defect {
    /// Whether it counted before a boundary.
    pub(crate) fn counted_before(&self, boundary: Boundary, policy: &Policy) -> bool {
        if self.changed_at == boundary {
            self.counted_before
        } else {
            policy.counts_defect(&self.fact) != Counting::No
        }
    }

    fn identity(&self) -> (DefectKind, Option<&str>) {
        (self.fact.kind(), self.reference.as_ref().map(HeldText::as_str))
    }

    /// The claim's or chargeback's own id.
    pub(crate) fn reference_text(&self) -> Option<Box<str>> {
        self.reference.as_ref().map(|text| text.as_str().into())
    }
}

/// All defects of one order.
#[derive(Clone, Debug)]
pub(crate) struct DefectSet {
    seller: SellerNo,
    order: OrderKey,
    orphan: bool,
    first: Defect,
    rest: Vec<Defect>,
}

impl DefectSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Defect> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// Whose order it is, and the order.
    pub(crate) const fn of(&self) -> (SellerNo, OrderKey) {
        (self.seller, self.order)
    }

    /// What the set makes of its order, if the order is counted.
    pub(crate) fn summary(&self, policy: &Policy) -> Summary {
        Self::summary_of(self.iter(), policy)
    }

    /// The same if one of its defects did not count.
    pub(crate) fn summary_without(&self, left_out: &Defect, policy: &Policy) -> Summary {
        Self::summary_of(self.iter().filter(|defect| !std::ptr::eq(*defect, left_out)), policy)
    }

    fn summary_of<'a>(defects: impl Iterator<Item = &'a Defect>, policy: &Policy) -> Summary {
        let mut summary = Summary::default();
        for defect in defects {
            let counting = policy.counts_defect(&defect.fact);
            if counting == Counting::No {
                continue;
            }
            let is_provisional = counting == Counting::Provisional;
            summary.provisional_only =
                is_provisional && (summary.provisional_only || !summary.defective);
            summary.defective = true;
            summary.kinds[defect.fact.kind().index()] = true;
        }
        summary
    }

    /// The greatest time of a winning event.
    pub(crate) fn newest(&self) -> EventTime {
        self.rest.iter().map(|defect| defect.event_time).fold(self.first.event_time, EventTime::max)
    }

    fn len(&self) -> usize {
        1 + self.rest.len()
    }
}

/// The orders of an account that have defects, by the newest winning event of each.
///
/// New events are nearly always the newest, so an entry is added or moved near the end, and an
/// alert finds the defects that it lists without looking at the others.
#[derive(Clone, Debug, Default)]
pub(crate) struct WithDefects(Vec<(EventTime, OrderKey)>);

impl WithDefects {
    /// Adds an order.
    pub(crate) fn add(&mut self, newest: EventTime, order: OrderKey) {
        let entry = (newest, order);
        if self.0.last().is_none_or(|last| *last < entry) {
            self.0.push(entry);
        } else {
            let place = self.0.partition_point(|held| *held < entry);
            self.0.insert(place, entry);
        }
    }

    /// Takes an order out; tells whether it was there.
    pub(crate) fn remove(&mut self, newest: EventTime, order: OrderKey) -> bool {
        let place = self.0.binary_search(&(newest, order));
        place.is_ok_and(|place| self.0.remove(place) == (newest, order))
    }

    /// Adds the end of the list, where most changes are, to what is to be fetched.
    pub(crate) fn place(&self, places: &mut Places) {
        if let Some(last) = self.0.last() {
            places.add(last);
        }
    }

    /// Keeps the orders for which `keep` holds.
    pub(crate) fn retain(&mut self, keep: impl Fn(OrderKey) -> bool) {
        self.0.retain(|(_, order)| keep(*order));
    }

    /// The orders, the one with the newest event first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = (EventTime, OrderKey)> {
        self.0.iter().rev().copied()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<(EventTime, OrderKey)>()
    }
}

/// What an order's defects make of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// At least one defect counts.
    pub defective: bool,
    /// All that count are provisional.
    pub provisional_only: bool,
    /// Which kinds count.
    pub kinds: [bool; 3],
}

/// A defect event as it is merged.
pub(crate) struct Statement<'a> {
    pub seller: SellerNo,
    pub order: OrderKey,
    pub reference: Option<&'a str>,
    pub event_time: EventTime,
    /// The earliest event that is known, at or before `event_time`.
    pub opened: EventTime,
    pub fact: DefectFact,
    pub note: Option<&'a Note>,
}

/// The defect sets of a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Defects {
    sets: HashTable<DefectSet>,
    seed: u64,
    orphans: usize,
    facts: usize,
}

impl Defects {
    /// An empty table. The seed varies the hash, not the results.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Defects that wait for their order.
    pub(crate) const fn orphans(&self) -> usize {
        self.orphans
    }

    /// Defects held, orphans included.
    #[cfg(test)]
    pub(crate) const fn facts(&self) -> usize {
        self.facts
    }

    /// Bytes held, about: references and lists of more than one defect are not walked.
    pub(crate) fn bytes(&self) -> usize {
        let spilled = self.facts.saturating_sub(self.sets.len());
        self.sets.allocation_size() + spilled * size_of::<Defect>()
    }

    /// The set of an order.
    pub(crate) fn get(&self, seller: SellerNo, order: OrderKey) -> Option<&DefectSet> {
        self.sets.find(self.hash(seller, order), |set| set.order == order && set.seller == seller)
    }

    /// Reads an order's set for nothing but having it at hand soon.
    pub(crate) fn touch(&self, seller: SellerNo, order: OrderKey) {
        std::hint::black_box(self.get(seller, order).is_some());
    }

    /// Merges an event (I-8). `known` tells whether the order is in the index.
    pub(crate) fn merge(
        &mut self,
        statement: &Statement<'_>,
        known: bool,
        boundary: Boundary,
        policy: &Policy,
    ) -> Outcome {
        let (seller, order) = (statement.seller, statement.order);
        let hash = self.hash(seller, order);
        let fresh = || Defect {
            reference: statement.reference.map(HeldText::from),
            event_time: statement.event_time,
            opened: statement.opened,
            fact: statement.fact,
            note: statement.note.cloned(),
            changed_at: boundary,
            counted_before: false,
        };
        let Some(set) = self.sets.find_mut(hash, |set| set.order == order && set.seller == seller)
        else {
            let set = DefectSet { seller, order, orphan: !known, first: fresh(), rest: Vec::new() };
            let seed = self.seed;
            self.sets.insert_unique(hash, set, |held| mix(held.seller, held.order, seed));
            self.facts += 1;
            self.orphans += usize::from(!known);
            return Outcome::Applied;
        };
        debug_assert_eq!(set.orphan, !known, "I-9: an orphan's order is unknown");
        let identity = (statement.fact.kind(), statement.reference);
        let mut held = std::iter::once(&mut set.first).chain(&mut set.rest);
        if let Some(defect) = held.find(|defect| defect.identity() == identity) {
            return supersede(defect, statement, boundary, policy);
        }
        set.rest.push(fresh());
        self.facts += 1;
        self.orphans += usize::from(!known);
        Outcome::Applied
    }

    /// The number of places that [`Defects::at`] knows, in use or not.
    pub(crate) fn places(&self) -> usize {
        self.sets.num_buckets()
    }

    /// The set in a place; `None` if the place is free.
    pub(crate) fn at(&self, place: usize) -> Option<&DefectSet> {
        self.sets.get_bucket(place)
    }

    /// Adds a defect that an image has, as an orphan whose boundary lies behind; false if it is
    /// there already.
    pub(crate) fn restore(&mut self, statement: &Statement<'_>, policy: &Policy) -> bool {
        let long_ago = Boundary::from_number(i64::MIN);
        let facts = self.facts;
        self.merge(statement, false, long_ago, policy);
        self.facts > facts
    }

    /// Says that an order became known; true if it has defects.
    pub(crate) fn adopt(&mut self, seller: SellerNo, order: OrderKey) -> bool {
        if self.orphans == 0 {
            return false;
        }
        let hash = self.hash(seller, order);
        let Some(set) = self.sets.find_mut(hash, |set| set.order == order && set.seller == seller)
        else {
            return false;
        };
        assert!(set.orphan, "I-9: the defects of an unknown order are orphans");
        set.orphan = false;
        self.orphans -= set.len();
        true
    }

    /// Forgets the defects of an order that is forgotten, and hands them over.
    pub(crate) fn remove(&mut self, seller: SellerNo, order: OrderKey) -> DefectSet {
        let hash = self.hash(seller, order);
        let entry = self
            .sets
            .find_entry(hash, |set| set.order == order && set.seller == seller)
            .expect("an order that says it has defects has a set");
        let (set, _) = entry.remove();
        assert!(!set.orphan, "I-9: a known order's defects are no orphans");
        self.facts -= set.len();
        set
    }

    /// Forgets orphans whose winning event is older than the horizon. Hands over each set of which
    /// some go, as it was, and each order that has none left.
    pub(crate) fn forget_orphans(
        &mut self,
        is_gone: impl Fn(EventTime) -> bool,
        mut going: impl FnMut(&DefectSet),
        mut emptied: impl FnMut(OrderKey),
    ) {
        if self.orphans == 0 {
            return;
        }
        let mut forgotten = 0;
        self.sets.retain(|set| {
            if !set.orphan {
                return true;
            }
            if set.iter().any(|defect| is_gone(defect.event_time)) {
                going(set);
            }
            let before = set.len();
            set.rest.retain(|defect| !is_gone(defect.event_time));
            if is_gone(set.first.event_time) {
                let Some(next) = set.rest.pop() else {
                    forgotten += before;
                    emptied(set.order);
                    return false;
                };
                set.first = next;
            }
            forgotten += before - set.len();
            true
        });
        self.orphans -= forgotten;
        self.facts -= forgotten;
    }

    fn hash(&self, seller: SellerNo, order: OrderKey) -> u64 {
        mix(seller, order, self.seed)
    }
}

fn supersede(
    defect: &mut Defect,
    statement: &Statement<'_>,
    boundary: Boundary,
    policy: &Policy,
) -> Outcome {
    defect.opened = defect.opened.min(statement.opened);
    let held = (defect.event_time, defect.fact);
    let stated = (statement.event_time, statement.fact);
    match stated.cmp(&held) {
        std::cmp::Ordering::Less => Outcome::Superseded,
        std::cmp::Ordering::Equal => {
            // Of two notes on one fact the greater one is kept, whichever comes first.
            if defect.note.as_ref() < statement.note {
                defect.note = statement.note.cloned();
            }
            Outcome::Duplicate
        }
        std::cmp::Ordering::Greater => {
            if defect.changed_at != boundary {
                defect.counted_before = policy.counts_defect(&defect.fact) != Counting::No;
                defect.changed_at = boundary;
            }
            (defect.event_time, defect.fact) = stated;
            defect.note = statement.note.cloned();
            Outcome::Applied
        }
    }
}

fn mix(seller: SellerNo, order: OrderKey, seed: u64) -> u64 {
    let mut bytes = [0_u8; 12];
    bytes[..8].copy_from_slice(&order.bits().to_le_bytes());
    bytes[8..].copy_from_slice(&seller.0.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(&bytes, seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::FeedbackStatus;

    const K1: Boundary = Boundary::from_number(1);
    const K2: Boundary = Boundary::from_number(2);

    fn stars(order: u64, at: i64, rating: u8) -> Statement<'static> {
        Statement {
            seller: SellerNo(1),
            order: OrderKey::amazon(order),
            reference: None,
            event_time: EventTime::from_ms(at),
            opened: EventTime::from_ms(at),
            note: None,
            fact: DefectFact::Feedback { status: FeedbackStatus::Posted, rating },
        }
    }

    #[test]
    fn i_8_the_newest_fact_wins_whatever_the_order_of_arrival() {
        let policy = Policy::default();
        let mut defects = Defects::new(1);
        let order = OrderKey::amazon(9);
        assert_eq!(defects.merge(&stars(9, 5, 1), true, K1, &policy), Outcome::Applied);
        assert_eq!(defects.merge(&stars(9, 5, 1), true, K1, &policy), Outcome::Duplicate);
        assert_eq!(defects.merge(&stars(9, 4, 5), true, K1, &policy), Outcome::Superseded);
        assert!(defects.get(SellerNo(1), order).unwrap().summary(&policy).defective);
        assert_eq!(defects.merge(&stars(9, 6, 4), true, K2, &policy), Outcome::Applied);
        let set = defects.get(SellerNo(1), order).unwrap();
        assert!(!set.summary(&policy).defective);
        assert!(set.iter().next().unwrap().counted_before(K2, &policy));
        assert!(!set.iter().next().unwrap().counted_before(K1, &policy));
    }

    #[test]
    fn i_9_orphans_wait_are_adopted_and_expire_by_their_own_day() {
        let policy = Policy::default();
        let mut defects = Defects::new(1);
        defects.merge(&stars(1, 10, 1), false, K1, &policy);
        defects.merge(&stars(2, 20, 1), false, K1, &policy);
        assert_eq!(defects.orphans(), 2);
        assert!(defects.adopt(SellerNo(1), OrderKey::amazon(2)));
        assert!(!defects.adopt(SellerNo(1), OrderKey::amazon(3)));
        let mut emptied = Vec::new();
        defects.forget_orphans(|time| time.ms() < 50, |_| {}, |order| emptied.push(order));
        assert_eq!(emptied, [OrderKey::amazon(1)]);
        assert_eq!((defects.orphans(), defects.facts()), (0, 1));
        defects.remove(SellerNo(1), OrderKey::amazon(2));
        assert_eq!(defects.facts(), 0);
    }
}
