//! Daily buckets and running totals of accounts: every update is O(1), and so is every slide.
//!
//! ```text
//!            D-74                D-59     D-15                 D  D+1 ..
//! days   ────[───────────────────[────────]────────────────────]──┬──────>
//! official   [   60 days (lag 15) ........]                       │ known, not yet in a view
//! live                           [ ....... 60 days ............]
//! ring:  one slot per day and channel, day modulo the ring's length
//! ```
//!
//! Invariants:
//! - I-10: a view's totals are the sums of its days' buckets, per channel.
//! - I-11: the ring holds the days from the horizon to the last day that a record of the present
//!   boundary may state, so no two held days share a slot.
//! - I-12: `orders >= defective >= provisional_only`, and no kind is above `defective`.
//!
//! Absent on purpose: dates and zones (days come in), and any notion of "today".

use super::boundary::{MarketplaceNo, SellerNo};
use super::defects::WithDefects;
use super::effects::{Counts, minus, plus};
use super::event::Channel;
use super::orders::prefetch::Places;
use super::policy::{Policy, Scope, View};
use super::time::{Boundary, Day};

/// The number of an account (a seller in a marketplace) in its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNo(pub(crate) u32);

impl AccountNo {
    pub(crate) fn index(self) -> usize {
        super::ids::index(self.0)
    }
}

/// What one counted order adds to its account's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contribution {
    pub account: AccountNo,
    pub day: Day,
    pub channel: Channel,
    pub defects: super::defects::Summary,
}

impl Contribution {
    fn counts(&self) -> Counts {
        Counts {
            orders: 1,
            defective: u32::from(self.defects.defective),
            provisional_only: u32::from(self.defects.provisional_only),
            by_kind: self.defects.kinds.map(u32::from),
        }
    }

    /// Whether it is in the numbers of a scope.
    pub(crate) fn is_in(&self, scope: Scope) -> bool {
        match scope {
            Scope::All => true,
            Scope::Mfn => self.channel == Channel::Mfn,
            Scope::Afn => self.channel == Channel::Afn,
        }
    }
}

/// Orders that came into a view and went out of it when the window slid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slid {
    pub entered: super::rate::Rate,
    pub left: super::rate::Rate,
}

/// What a slide did to an account, by view (outer) and channel (inner).
pub(crate) type SlidViews = [[Slid; 2]; 2];

/// The shape of the ring, from the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingShape {
    days: i32,
    first_offset: i32,
}

impl RingShape {
    /// A ring for the policy's horizon and `future_days` days after the as-of day.
    pub(crate) fn new(policy: &Policy, future_days: u32) -> Self {
        let horizon = super::policy::days(policy.horizon_days());
        Self { days: horizon + super::policy::days(future_days), first_offset: 1 - horizon }
    }

    /// I-11: whether a day has a slot as of a day.
    pub(crate) const fn holds(self, day: Day, as_of: Day) -> bool {
        let offset = day.days_since(as_of) - self.first_offset;
        0 <= offset && offset < self.days
    }

    fn slots(self) -> usize {
        self.len() * 2
    }

    fn slot(self, day: Day, channel: Channel) -> usize {
        self.place(day) * 2 + channel.index()
    }

    /// The place of a day in a ring.
    pub(crate) fn place(self, day: Day) -> usize {
        usize::try_from(day.number().rem_euclid(self.days)).expect("a remainder is not negative")
    }

    /// The number of days in a ring.
    pub(crate) fn len(self) -> usize {
        usize::try_from(self.days).expect("a policy's days are positive and few")
    }
}

/// Daily buckets of one account, both channels. In memory `orders` comes first: it lies in the
/// account's first line.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Buckets {
    /// Orders by day and channel.
    orders: Box<[u32]>,
    /// For each day and channel: 1 + the place in `defects`, 0 for none. Empty until needed.
    places: Box<[u16]>,
    defects: Vec<DefectBucket>,
    free: Vec<u16>,
}

/// The defect counts of one day and channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct DefectBucket {
    defective: u32,
    provisional_only: u32,
    by_kind: [u32; 3],
}

impl Buckets {
    fn new(shape: RingShape) -> Self {
        Self {
            orders: vec![0; shape.slots()].into_boxed_slice(),
            places: Box::default(),
            defects: Vec::new(),
            free: Vec::new(),
        }
    }

    fn get(&self, slot: usize) -> Counts {
        let place = self.places.get(slot).copied().unwrap_or(0);
        let defects = match place.checked_sub(1) {
            Some(index) => self.defects[usize::from(index)],
            None => DefectBucket::default(),
        };
        Counts {
            orders: self.orders[slot],
            defective: defects.defective,
            provisional_only: defects.provisional_only,
            by_kind: defects.by_kind,
        }
    }

    /// Empties a day's bucket of one channel.
    fn clear(&mut self, slot: usize) {
        // Without orders nothing is defective (I-12).
        if self.orders[slot] > 0 {
            self.set(slot, &Counts::default());
        }
    }

    fn set(&mut self, slot: usize, counts: &Counts) {
        self.orders[slot] = counts.orders;
        let bucket = DefectBucket {
            defective: counts.defective,
            provisional_only: counts.provisional_only,
            by_kind: counts.by_kind,
        };
        let place = self.places.get(slot).copied().unwrap_or(0);
        match place.checked_sub(1) {
            Some(index) if bucket == DefectBucket::default() => {
                self.places[slot] = 0;
                self.free.push(index);
            }
            Some(index) => self.defects[usize::from(index)] = bucket,
            None if bucket == DefectBucket::default() => {}
            None => self.place(slot, bucket),
        }
    }

    fn place(&mut self, slot: usize, bucket: DefectBucket) {
        if self.places.is_empty() {
            self.places = vec![0; self.orders.len()].into_boxed_slice();
        }
        let index = if let Some(index) = self.free.pop() {
            self.defects[usize::from(index)] = bucket;
            index
        } else {
            self.defects.push(bucket);
            u16::try_from(self.defects.len() - 1).expect("at most one place per slot")
        };
        self.places[slot] = index + 1;
    }

    fn bytes(&self) -> usize {
        self.orders.len() * size_of::<u32>()
            + self.places.len() * size_of::<u16>()
            + self.defects.capacity() * size_of::<DefectBucket>()
    }
}

/// One account: its buckets, its running totals, and what its alerts remember.
///
/// Fields are in the order of memory: 256 bytes, of which an order without defects touches the
/// first line and the two of the totals.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub(crate) struct Account {
    /// The boundary that touched the account last.
    pub touched_at: Boundary,
    /// A hash of the account's name, for the digest.
    pub name_hash: u64,
    /// Orders of the account in the index, counted or not.
    pub held: u32,
    pub seller: SellerNo,
    pub marketplace: MarketplaceNo,
    pub levels: super::alerts::Levels,
    pub status: super::alerts::StatusMark,
    /// The account's numbers moved since all of its matters were told.
    pub moved: bool,
    buckets: Buckets,
    /// Running totals by view (outer) and channel (inner).
    totals: [[Counts; 2]; 2],
    /// Orders of the account that any defect topic speaks of.
    pub with_defects: WithDefects,
}

const _: () = assert!(size_of::<Option<Account>>() == 256, "an account is four lines of memory");

/// Which way an order's contribution goes.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

impl Way {
    fn apply(self, to: &Counts, counts: &Counts) -> Counts {
        match self {
            Self::In => plus(to, counts),
            Self::Out => minus(to, counts),
        }
    }

    /// As [`Way::apply`], for one order without defects.
    fn apply_one(self, orders: u32) -> u32 {
        let moved = match self {
            Self::In => orders.checked_add(1),
            Self::Out => orders.checked_sub(1),
        };
        moved.expect("I-10: what leaves was there, and counts stay below the caps")
    }
}

impl Account {
    pub(crate) fn new(seller: SellerNo, marketplace: MarketplaceNo, shape: RingShape) -> Self {
        Self {
            touched_at: Boundary::from_number(i64::MIN),
            name_hash: 0,
            held: 0,
            seller,
            marketplace,
            levels: super::alerts::Levels::default(),
            status: super::alerts::StatusMark::default(),
            moved: false,
            buckets: Buckets::new(shape),
            totals: [[Counts::default(); 2]; 2],
            with_defects: WithDefects::default(),
        }
    }

    /// Adds a day's bucket to what is to be fetched.
    pub(crate) fn place_of_day(&self, day: usize, places: &mut Places) {
        if let Some(bucket) = self.buckets.orders.get(day * 2) {
            places.add(bucket);
        }
    }

    /// The totals of a view and scope.
    pub(crate) fn counts(&self, view: View, scope: Scope) -> Counts {
        let [mfn, afn] = &self.totals[view.index()];
        match scope {
            Scope::Mfn => *mfn,
            Scope::Afn => *afn,
            Scope::All => plus(mfn, afn),
        }
    }

    /// The totals by view and channel.
    pub(crate) const fn totals(&self) -> &[[Counts; 2]; 2] {
        &self.totals
    }

    /// The bucket of one day in a scope.
    pub(crate) fn day(&self, shape: RingShape, day: Day, scope: Scope) -> Counts {
        let [mfn, afn] = Channel::ALL.map(|channel| self.buckets.get(shape.slot(day, channel)));
        match scope {
            Scope::Mfn => mfn,
            Scope::Afn => afn,
            Scope::All => plus(&mfn, &afn),
        }
    }

    /// Replaces what one order adds to the account: `old` goes, `new` comes.
    pub(crate) fn change(
        &mut self,
        old: Option<&Contribution>,
        new: Option<&Contribution>,
        calendar: &Calendar<'_>,
    ) {
        if let Some(old) = old {
            self.update(old, calendar, Way::Out);
        }
        if let Some(new) = new {
            self.update(new, calendar, Way::In);
        }
    }

    fn update(&mut self, order: &Contribution, calendar: &Calendar<'_>, way: Way) {
        assert!(calendar.shape.holds(order.day, calendar.as_of), "I-11: a day outside the ring");
        let slot = calendar.shape.slot(order.day, order.channel);
        let totals = View::ALL
            .into_iter()
            .zip(&mut self.totals)
            .filter(|(view, _)| calendar.is_in_view(order.day, *view))
            .map(|(_, totals)| &mut totals[order.channel.index()]);
        if order.defects.defective {
            let counts = order.counts();
            let bucket = way.apply(&self.buckets.get(slot), &counts);
            self.buckets.set(slot, &bucket);
            for total in totals {
                *total = way.apply(total, &counts);
                debug_assert!(is_consistent(total), "I-12: {total:?}");
            }
        } else {
            self.buckets.orders[slot] = way.apply_one(self.buckets.orders[slot]);
            for total in totals {
                total.orders = way.apply_one(total.orders);
                debug_assert!(is_consistent(total), "I-12: {total:?}");
            }
        }
    }

    /// Moves both views on by one day, from the calendar's as-of day to the next, and empties the
    /// bucket of the day that leaves the horizon. `None` if no counted order moved.
    pub(crate) fn slide(&mut self, calendar: &Calendar<'_>) -> Option<SlidViews> {
        let shape = calendar.shape;
        let mut slid = [[Slid::default(); 2]; 2];
        let mut moved = false;
        for view in View::ALL {
            let (first, last) = calendar.policy.view_days(view, calendar.as_of);
            for channel in Channel::ALL {
                let left = self.buckets.get(shape.slot(first, channel));
                let entered = self.buckets.get(shape.slot(last.plus(1), channel));
                if left.orders == 0 && entered.orders == 0 {
                    continue;
                }
                let total = &mut self.totals[view.index()][channel.index()];
                *total = plus(&minus(total, &left), &entered);
                slid[view.index()][channel.index()] =
                    Slid { entered: entered.rate(), left: left.rate() };
                moved = true;
            }
        }
        let expired = calendar.policy.horizon(calendar.as_of);
        for channel in Channel::ALL {
            self.buckets.clear(shape.slot(expired, channel));
        }
        moved.then_some(slid)
    }

    /// Bytes held beside the account's own size.
    pub(crate) fn bytes(&self) -> usize {
        self.buckets.bytes() + self.with_defects.bytes()
    }

    /// I-10, for tests: the totals recomputed from the buckets.
    #[cfg(test)]
    pub(crate) fn recount(&self, calendar: &Calendar<'_>) -> [[Counts; 2]; 2] {
        View::ALL.map(|view| {
            let (first, last) = calendar.policy.view_days(view, calendar.as_of);
            Channel::ALL.map(|channel| {
                (first.number()..=last.number())
                    .map(|day| calendar.shape.slot(Day::from_number(day), channel))
                    .fold(Counts::default(), |sum, slot| plus(&sum, &self.buckets.get(slot)))
            })
        })
    }
}

/// The day that numbers are as of, with what is needed to place other days.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calendar<'a> {
    pub policy: &'a Policy,
    pub shape: RingShape,
    pub as_of: Day,
}

impl Calendar<'_> {
    /// The places of the days that a slide to the next day looks at: what leaves and what enters
    /// each view. The day that expires is the first of one of them.
    pub(crate) fn days_of_slide(&self) -> [usize; 4] {
        let [live, official] = View::ALL.map(|view| self.policy.view_days(view, self.as_of));
        [live.0, live.1.plus(1), official.0, official.1.plus(1)].map(|day| self.shape.place(day))
    }

    /// Whether a day is in a view.
    pub(crate) fn is_in_view(&self, day: Day, view: View) -> bool {
        let (first, last) = self.policy.view_days(view, self.as_of);
        first <= day && day <= last
    }
}

/// Whether I-12 holds.
fn is_consistent(counts: &Counts) -> bool {
    counts.orders >= counts.defective
        && counts.defective >= counts.provisional_only
        && counts.by_kind.iter().all(|kind| *kind <= counts.defective)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::defects::Summary;

    fn order(day: i32, channel: Channel, defective: bool) -> Contribution {
        let kinds = [defective, false, false];
        Contribution {
            account: AccountNo(0),
            day: Day::from_number(day),
            channel,
            defects: Summary { defective, provisional_only: false, kinds },
        }
    }

    #[test]
    fn i_10_totals_are_the_sums_of_the_buckets_on_every_day() {
        let policy = Policy::default();
        let shape = RingShape::new(&policy, 3);
        let mut account = Account::new(SellerNo(0), MarketplaceNo(0), shape);
        let mut state = 12_345_u64;
        for as_of in 1_000..1_200 {
            let calendar = Calendar { policy: &policy, shape, as_of: Day::from_number(as_of) };
            for _ in 0..7 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let back = i32::try_from(state >> 33 & 63).unwrap() - 2;
                let channel = Channel::ALL[usize::from(state >> 40 & 1 == 1)];
                account.change(
                    None,
                    Some(&order(as_of - back, channel, (state >> 50).is_multiple_of(8))),
                    &calendar,
                );
            }
            assert_eq!(account.totals(), &account.recount(&calendar));
            let slid = account.slide(&calendar);
            assert!(slid.is_some() || as_of < 1_070, "orders leave every day by now");
            let next = Calendar { as_of: calendar.as_of.plus(1), ..calendar };
            assert_eq!(account.totals(), &account.recount(&next));
        }
    }

    #[test]
    fn i_11_days_outside_the_ring_are_refused() {
        let policy = Policy::default();
        let shape = RingShape::new(&policy, 2);
        let as_of = Day::from_number(500);
        assert!(shape.holds(as_of.plus(-74), as_of));
        assert!(!shape.holds(as_of.plus(-75), as_of));
        assert!(shape.holds(as_of.plus(2), as_of));
        assert!(!shape.holds(as_of.plus(3), as_of));
    }

    #[test]
    fn i_12_a_change_that_is_taken_back_leaves_nothing() {
        let policy = Policy::default();
        let shape = RingShape::new(&policy, 2);
        let calendar = Calendar { policy: &policy, shape, as_of: Day::from_number(500) };
        let mut account = Account::new(SellerNo(0), MarketplaceNo(0), shape);
        let (clean, bad) = (order(490, Channel::Mfn, false), order(490, Channel::Mfn, true));
        account.change(None, Some(&clean), &calendar);
        account.change(Some(&clean), Some(&bad), &calendar);
        assert_eq!(account.counts(View::Live, Scope::All).by_kind, [1, 0, 0]);
        account.change(Some(&bad), None, &calendar);
        assert!(account.counts(View::Live, Scope::All).is_zero());
        assert_eq!(account.slide(&calendar), None);
    }
}
