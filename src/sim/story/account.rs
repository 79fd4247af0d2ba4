//! One account of the market: its orders, what is planned for them, and its own plain count.
//!
//! Invariants: facts take effect on the count when their record time is reached, the newest event
//! time winning, so that [`Account::totals`] is what the engine should say; what is planned is
//! handed over in record-time order. The count is kept by plain arithmetic, independent of the
//! engine. Absent on purpose: rendering, and any notion of the other accounts.

use std::collections::BTreeMap;

use super::cast::{Role, Story};
use super::comments::{NEGATIVE, POSITIVE};
use crate::domain::event::Channel;
use crate::domain::time::DAY_MS;
use crate::sim::random::Random;

/// Days of the live window, as the shipped policy has it.
pub(super) const WINDOW_DAYS: i64 = 60;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;

/// What a planned record states of its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Order { status: &'static str },
    Feedback { rating: u8, status: &'static str, comment: &'static str },
    Claim { status: &'static str, funded_by: Option<&'static str> },
    Chargeback { status: &'static str, reason: &'static str },
}

impl What {
    /// Which of the three kinds of defects it is about, if any.
    const fn kind(self) -> Option<usize> {
        match self {
            Self::Order { .. } => None,
            Self::Feedback { .. } => Some(0),
            Self::Claim { .. } => Some(1),
            Self::Chargeback { .. } => Some(2),
        }
    }

    /// Whether it counts, under the shipped policy.
    pub fn counts(self) -> bool {
        match self {
            Self::Order { status } => status != "Pending",
            Self::Feedback { rating, status, .. } => {
                rating <= 2 && (status == "posted" || status == "updated")
            }
            Self::Claim { status, funded_by } => match status {
                "filed" | "under_review" | "closed_refunded" => true,
                "granted" | "appealed" => funded_by != Some("amazon"),
                _ => false,
            },
            Self::Chargeback { status, reason } => {
                reason == "service" && !matches!(status, "won" | "reversed")
            }
        }
    }
}

/// A record to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub event_ms: i64,
    pub order: usize,
    pub what: What,
}

/// An order as the market knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub number: u64,
    pub purchase_ms: i64,
    pub channel: Channel,
    /// Whether a record that takes it out of Pending has been seen.
    known: bool,
    /// Whether its buyer has spoken or is going to: no second case on it.
    spoken: bool,
    /// When the last thing planned for it is known; before that it is not reversed.
    settled_ms: i64,
    /// The newest event time of each kind, and whether it counts.
    newest: [Option<(i64, bool)>; 3],
}

impl Order {
    fn is_defective(&self) -> bool {
        self.known && self.newest.iter().flatten().any(|(_, counts)| *counts)
    }
}

/// How fast one thing follows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As in life: hours and days.
    Life,
    /// As in a demonstration: seconds.
    Live,
}

impl Pace {
    /// An hour of life, as long as it lasts.
    const fn hour(self) -> i64 {
        match self {
            Self::Life => HOUR,
            Self::Live => SECOND,
        }
    }
}

/// One account.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub role: Role,
    pub orders: Vec<Order>,
    queue: BTreeMap<(i64, u64), Planned>,
    planned: u64,
    /// The day on which the history ends.
    today: i64,
    /// Orders and defective orders by purchase day.
    days: BTreeMap<i64, (u64, u64)>,
    random: Random,
}

impl Account {
    pub fn new(role: Role, today: i64, random: Random) -> Self {
        Self {
            role,
            orders: Vec::new(),
            queue: BTreeMap::new(),
            planned: 0,
            today,
            days: BTreeMap::new(),
            random,
        }
    }

    /// Orders and defective orders of the live window that ends on a day.
    pub fn totals(&self, day: i64) -> (u64, u64) {
        let window = self.days.range(day - WINDOW_DAYS + 1..=day);
        window.fold((0, 0), |(orders, defective), (_, of)| (orders + of.0, defective + of.1))
    }

    /// Plans what a day brings, between two instants of it: orders, and what the story wants.
    pub fn plan_day(&mut self, age: i64, from_ms: i64, to_ms: i64) {
        let day = from_ms.div_euclid(DAY_MS);
        let (orders, defective) = self.totals(day);
        let goal = self.role.goal(age, orders);
        // Known by the end of the day, so that the next day's look at the count sees it.
        let last_ms = from_ms.max(to_ms - 10 * SECOND);
        for _ in defective..goal {
            let at = self.random.between(from_ms, last_ms);
            self.go_wrong(at, Pace::Life);
        }
        for _ in goal + self.slack(age)..defective {
            let at = self.random.between(from_ms, last_ms);
            self.put_right(at, Pace::Life);
        }
        let share = |count: u64| {
            let span = u64::try_from(to_ms - from_ms).unwrap_or(0);
            count * span / DAY_MS.unsigned_abs()
        };
        let mut count = self.role.orders_on(age, &mut self.random);
        if to_ms - from_ms < DAY_MS - 1 {
            count = share(count);
        }
        let mut times: Vec<i64> = (0..count).map(|_| self.random.between(from_ms, to_ms)).collect();
        times.sort_unstable();
        for at in times {
            self.buy(at, Pace::Life);
        }
    }

    /// How many defective orders above its goal an account lives with: without a story to tell,
    /// what is above it goes by itself.
    fn slack(&self, age: i64) -> u64 {
        match self.role.story {
            Story::Saved if age < 10 => 0,
            _ => u64::MAX / 2,
        }
    }

    /// Somebody buys: the order goes its way, and perhaps its buyer praises it.
    pub fn buy(&mut self, purchase_ms: i64, pace: Pace) {
        let random = &mut self.random;
        let (hour, order) = (pace.hour(), self.orders.len());
        let fba = random.chance(self.role.fba_share);
        let number = 30_000_000_000_000_000 + random.below(10_000_000_000_000_000);
        let confirmed = purchase_ms + random.between(hour, 4 * hour);
        let shipped = confirmed + random.between(6 * hour, 44 * hour);
        let canceled = random.chance(30_000);
        let (at_once, speaks) = (random.chance(150_000), random.chance(100_000));
        let praised = purchase_ms + random.between(3 * DAY_MS, 20 * DAY_MS);
        let (stars, comment) = (random.below(20), *random.pick(&POSITIVE));
        let praises = pace == Pace::Life && speaks;
        self.orders.push(Order {
            number,
            purchase_ms,
            channel: if fba { Channel::Afn } else { Channel::Mfn },
            known: false,
            spoken: praises,
            settled_ms: 0,
            newest: [None; 3],
        });
        if !at_once {
            self.plan(purchase_ms, order, What::Order { status: "Pending" }, pace);
        }
        let status = "Unshipped";
        self.plan(confirmed, order, What::Order { status }, pace);
        let status = if canceled { "Canceled" } else { "Shipped" };
        self.plan(shipped, order, What::Order { status }, pace);
        if praises {
            let rating = match stars {
                0 => 3,
                1..=3 => 4,
                _ => 5,
            };
            self.plan(praised, order, feedback(rating, "posted", comment), pace);
        }
    }

    /// A buyer praises an older order, soon after an instant.
    pub fn praise(&mut self, at: i64) {
        if let Some(order) = self.choose(at) {
            self.orders[order].spoken = true;
            let comment = *self.random.pick(&POSITIVE);
            self.plan(at, order, feedback(5, "posted", comment), Pace::Live);
        }
    }

    /// An order goes wrong, from an instant on. Tells whether there was one that could.
    pub fn go_wrong(&mut self, at: i64, pace: Pace) -> bool {
        let Some(order) = self.choose(at) else {
            return false;
        };
        self.orders[order].spoken = true;
        let lasts = pace == Pace::Live || self.role.cases_last();
        match self.random.below(100) {
            0..55 => self.plan_feedback(at, order, lasts, pace),
            55..86 => self.plan_claim(at, order, lasts, pace),
            86..96 => self.plan_chargeback(at, order, lasts, pace),
            _ => {
                // An order is defective once, however many defects it has.
                self.plan_feedback(at, order, true, pace);
                self.plan_claim(at + pace.hour(), order, true, pace);
            }
        }
        true
    }

    /// Something goes wrong that does not count: a stolen card, or a claim that Amazon pays.
    pub fn go_wrong_unjustly(&mut self, at: i64) {
        let Some(order) = self.choose(at) else {
            return;
        };
        self.orders[order].spoken = true;
        if self.random.chance(500_000) {
            let reason = "fraud";
            for (after, status) in [(0, "opened"), (30, "lost")] {
                let what = What::Chargeback { status, reason };
                self.plan(at + after * HOUR, order, what, Pace::Life);
            }
        } else {
            let what = What::Claim { status: "granted", funded_by: Some("amazon") };
            self.plan(at, order, what, Pace::Life);
        }
    }

    /// A defective order is put right: feedback is removed, an appeal is won, a chargeback is won.
    pub fn put_right(&mut self, at: i64, pace: Pace) -> bool {
        let oldest = at - WINDOW_DAYS * DAY_MS;
        let candidates: Vec<usize> = (0..self.orders.len())
            .filter(|index| {
                let order = &self.orders[*index];
                order.purchase_ms > oldest && order.settled_ms < at && order.is_defective()
            })
            .collect();
        if candidates.is_empty() {
            return false;
        }
        let order = *self.random.pick(&candidates);
        let hour = pace.hour();
        let newest = self.orders[order].newest;
        let counts = |kind: usize| newest[kind].is_some_and(|(_, counts)| counts);
        if counts(0) {
            let status = *self.random.pick(&["removed", "struck_through", "removed"]);
            self.plan(at, order, feedback(1, status, ""), pace);
        }
        if counts(1) {
            let funded_by = Some("seller");
            for (after, status) in [(0, "appealed"), (20, "reversed")] {
                let what = What::Claim { status, funded_by };
                self.plan(at + after * hour, order, what, pace);
            }
        }
        if counts(2) {
            let (status, reason) = ("won", "service");
            self.plan(at, order, What::Chargeback { status, reason }, pace);
        }
        // Once is enough: nobody puts it right again while this is on its way.
        self.orders[order].settled_ms = i64::MAX;
        true
    }

    /// Hands over, in record-time order, all that is planned up to an instant, and counts it.
    pub fn advance(&mut self, to_ms: i64, each: &mut dyn FnMut(i64, u64, Planned)) {
        while let Some(entry) = self.queue.first_entry() {
            let (at, number) = *entry.key();
            if at > to_ms {
                return;
            }
            let planned = entry.remove();
            self.count(planned);
            each(at, number, planned);
        }
    }

    fn count(&mut self, planned: Planned) {
        let order = &mut self.orders[planned.order];
        let (was_known, was_defective) = (order.known, order.is_defective());
        let counts = planned.what.counts();
        match planned.what.kind() {
            None => order.known |= counts,
            Some(kind) => {
                if order.newest[kind].is_none_or(|(newest, _)| newest < planned.event_ms) {
                    order.newest[kind] = Some((planned.event_ms, counts));
                }
            }
        }
        let (orders, defective) =
            self.days.entry(order.purchase_ms.div_euclid(DAY_MS)).or_default();
        *orders += u64::from(order.known != was_known);
        *defective += u64::from(order.is_defective());
        *defective -= u64::from(was_defective);
    }

    /// Chooses an order of the last weeks whose buyer has not spoken yet.
    fn choose(&mut self, at: i64) -> Option<usize> {
        let day = at.div_euclid(DAY_MS);
        let oldest = (day - 35).max(self.today - self.role.oldest_case_age());
        let from = |day: i64| self.orders.partition_point(|order| order.purchase_ms < day * DAY_MS);
        let (first, last) = (from(oldest), from(day - 1));
        if first == last {
            return None;
        }
        (0..50).map(|_| first + self.random.index(last - first)).find(|index| {
            let order = &self.orders[*index];
            order.known && !order.spoken
        })
    }

    fn plan_feedback(&mut self, at: i64, order: usize, lasts: bool, pace: Pace) {
        let stars = if self.random.chance(700_000) { 1 } else { 2 };
        let comment = *self.random.pick(&NEGATIVE);
        self.plan(at, order, feedback(stars, "posted", comment), pace);
        let after = at + self.random.between(20, 90) * pace.hour();
        match self.random.below(100) {
            0..8 => self.plan(after, order, feedback(1, "updated", comment), pace),
            8..14 if !lasts => self.plan(after, order, feedback(5, "updated", comment), pace),
            14..22 if !lasts => self.plan(after, order, feedback(stars, "withdrawn", ""), pace),
            22..30 if !lasts => self.plan(after, order, feedback(stars, "removed", ""), pace),
            _ => {}
        }
    }

    fn plan_claim(&mut self, at: i64, order: usize, lasts: bool, pace: Pace) {
        let verdict: (&str, Option<&str>) = match self.random.below(100) {
            0..25 if !lasts => ("denied", None),
            25..33 if !lasts => ("granted", Some("amazon")),
            33..40 if !lasts => ("withdrawn", None),
            40..55 => ("closed_refunded", Some("seller")),
            _ => ("granted", Some("seller")),
        };
        let reviewed = at + self.random.between(4, 20) * pace.hour();
        let decided = reviewed + self.random.between(10, 90) * pace.hour();
        for (at, status, funded_by) in
            [(at, "filed", None), (reviewed, "under_review", None), (decided, verdict.0, verdict.1)]
        {
            self.plan(at, order, What::Claim { status, funded_by }, pace);
        }
    }

    fn plan_chargeback(&mut self, at: i64, order: usize, lasts: bool, pace: Pace) {
        let won = !lasts && self.random.chance(400_000);
        let reviewed = at + self.random.between(4, 40) * pace.hour();
        let decided = reviewed + self.random.between(40, 120) * pace.hour();
        let verdict = if won { "won" } else { "lost" };
        let reason = "service";
        for (at, status) in [(at, "opened"), (reviewed, "under_review"), (decided, verdict)] {
            self.plan(at, order, What::Chargeback { status, reason }, pace);
        }
    }

    /// Plans one record: known within seconds, sometimes hours late, sometimes sent twice.
    fn plan(&mut self, event_ms: i64, order: usize, what: What, pace: Pace) {
        let mut at = event_ms;
        if pace == Pace::Life {
            at += self.random.between(200, 3 * SECOND);
            if !self.role.cases_last() && self.random.chance(5_000) {
                at += self.random.between(HOUR, 30 * HOUR);
            }
        }
        let planned = Planned { event_ms, order, what };
        self.push(at, planned);
        if self.random.chance(10_000) {
            let again = at + self.random.between(SECOND, 3_600 * SECOND);
            self.push(again, planned);
        }
    }

    fn push(&mut self, at: i64, planned: Planned) {
        let order = &mut self.orders[planned.order];
        order.settled_ms = order.settled_ms.max(at);
        self.planned += 1;
        self.queue.insert((at, self.planned), planned);
    }
}

fn feedback(rating: u8, status: &'static str, comment: &'static str) -> What {
    What::Feedback { rating, status, comment }
}
