//! Orders and what becomes of them, as facts that are not yet records.
//!
//! Invariants: a fact is a valid statement (its ids, statuses and enums are within SEMANTICS
//! section 2); its event time is at most a few minutes after the instant at which it is known.
//! Absent on purpose: any idea of what the facts amount to.

use super::features::{Feature, Features};
use super::{HostileConfig, ids};
use crate::domain::event::Topic;
use crate::domain::time::DAY_MS;
use crate::sim::random::Random;

/// What a fact states beside its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Order {
        channel: &'static str,
        status: &'static str,
        buy_shipping: Option<bool>,
        on_time: Option<bool>,
    },
    Feedback {
        rating: u8,
        status: &'static str,
    },
    Claim {
        reference: Option<u8>,
        status: &'static str,
        funded_by: Option<&'static str>,
        impact: Option<bool>,
    },
    Chargeback {
        reference: Option<u8>,
        status: &'static str,
        reason: Option<&'static str>,
        impact: Option<bool>,
    },
}

impl Detail {
    pub const fn topic(self) -> Topic {
        match self {
            Self::Order { .. } => Topic::Orders,
            Self::Feedback { .. } => Topic::Feedback,
            Self::Claim { .. } => Topic::Claims,
            Self::Chargeback { .. } => Topic::Chargebacks,
        }
    }
}

/// A fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// When it becomes known: its record time, before timestamps are tampered with.
    pub known_ms: i64,
    pub event_ms: Option<i64>,
    /// The seller's and the order's place in [`Plan`].
    pub seller: usize,
    pub order: usize,
    pub marketplace: Option<&'static str>,
    pub purchase_ms: Option<i64>,
    pub detail: Detail,
}

/// Facts with the ids that they are about.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub sellers: Vec<String>,
    pub orders: Vec<String>,
    pub facts: Vec<Fact>,
}

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// Ages in days at which something leaves the live view, the official view or the horizon.
const EDGE_AGES: [i64; 8] = [14, 15, 16, 59, 60, 73, 74, 75];
const CLAIM_CHAIN: [&str; 8] = [
    "filed",
    "under_review",
    "granted",
    "denied",
    "withdrawn",
    "closed_refunded",
    "appealed",
    "reversed",
];
const CHARGEBACK_CHAIN: [&str; 5] = ["opened", "under_review", "lost", "won", "reversed"];
const PENDING: [&str; 2] = ["Pending", "PendingAvailability"];
const OPEN: [&str; 5] =
    ["Unshipped", "PartiallyShipped", "Shipped", "InvoiceUnconfirmed", "Unfulfillable"];
pub(super) const MARKETPLACES: [Option<&str>; 5] =
    [None, Some(""), Some("ATVPDKIKX0DER"), Some("A1PA6795UKMFR9"), Some("m \"1\" \\ ~")];

/// Plans facts until there are enough of them.
pub(super) struct Planner<'a> {
    pub config: &'a HostileConfig,
    pub features: Features,
    pub random: &'a mut Random,
    pub plan: Plan,
}

impl Planner<'_> {
    pub fn fill(&mut self) {
        for number in 0..self.config.sellers.max(1) {
            let exotic = self.has(Feature::ExoticIds);
            let seller = ids::seller(number, exotic, self.random);
            self.plan.sellers.push(seller);
        }
        if self.has(Feature::ExactThresholds) {
            self.exact_seller();
        }
        while self.plan.facts.len() < self.config.events {
            self.order();
        }
        self.plan.facts.truncate(self.config.events);
    }

    fn has(&self, feature: Feature) -> bool {
        self.features.has(feature)
    }

    /// Whether a feature is on and happens now, with a probability in parts per million.
    fn happens(&mut self, feature: Feature, per_million: u32) -> bool {
        self.has(feature) && self.random.chance(per_million)
    }

    fn end_ms(&self) -> i64 {
        self.config.start_ms + i64::from(self.config.days.max(1)) * DAY_MS
    }

    fn new_order(&mut self) -> usize {
        let number = self.plan.orders.len();
        let exotic = self.happens(Feature::ExoticIds, 300_000);
        self.plan.orders.push(ids::order(number, exotic));
        number
    }

    fn draw_seller(&mut self) -> usize {
        if self.happens(Feature::OneEventSellers, 100_000) {
            let number = u32::try_from(self.plan.sellers.len()).expect("a small plan");
            self.plan.sellers.push(format!("one-{number}"));
            return self.plan.sellers.len() - 1;
        }
        if self.happens(Feature::GiantSeller, 800_000) {
            return 0;
        }
        // Not one of those that were added on the way.
        self.random.index(usize::try_from(self.config.sellers.max(1)).expect("a few"))
    }

    fn draw_marketplace(&mut self) -> Option<&'static str> {
        MARKETPLACES[self.random.index(MARKETPLACES.len())]
    }

    fn draw_purchase(&mut self) -> i64 {
        let (start, end) = (self.config.start_ms, self.end_ms());
        let mut purchase = if self.random.chance(250_000) {
            self.random.between(start - 80 * DAY_MS, start)
        } else {
            self.random.between(start, end)
        };
        if self.happens(Feature::ExpiryEdges, 400_000) {
            let as_of = self.random.between(start, end);
            purchase = as_of - *self.random.pick(&EDGE_AGES) * DAY_MS;
        }
        if self.happens(Feature::DayEdges, 500_000) {
            purchase = purchase.div_euclid(DAY_MS) * DAY_MS - self.random.between(0, 1);
        }
        purchase
    }

    /// When a fact that happened at an instant becomes known.
    fn known(&mut self, event_ms: i64) -> i64 {
        let mut known = event_ms.max(self.config.start_ms) + self.random.between(0, 10 * MINUTE);
        if self.happens(Feature::LateFacts, 250_000) {
            known += self.random.between(HOUR, 5 * DAY_MS);
        }
        if self.happens(Feature::Bursts, 800_000) {
            known = known.div_euclid(6 * HOUR) * 6 * HOUR + self.random.between(0, 4_000);
        }
        if self.happens(Feature::DayEdges, 200_000) {
            known = known.div_euclid(DAY_MS) * DAY_MS + DAY_MS - self.random.between(0, 1);
        }
        if self.has(Feature::Pauses) {
            // Nothing becomes known on four days out of five.
            let day = known.div_euclid(DAY_MS);
            known += (4 - day.rem_euclid(5)) * DAY_MS;
        }
        known
    }

    fn push(&mut self, event_ms: i64, fact: Fact) {
        let known_ms = self.known(event_ms);
        let absent = self.happens(Feature::AbsentEventTimes, 400_000);
        self.plan.facts.push(Fact { known_ms, event_ms: (!absent).then_some(event_ms), ..fact });
    }

    /// One order with all that becomes of it.
    fn order(&mut self) {
        let seller = self.draw_seller();
        let order = self.new_order();
        let purchase_ms = self.draw_purchase();
        let first = self.plan.facts.len();
        self.order_facts(seller, order, purchase_ms);
        let defects = self.plan.facts.len();
        while self.random.chance(350_000) {
            self.defect(seller, order, purchase_ms);
        }
        if self.happens(Feature::EarlyDefects, 400_000) {
            let last = self.plan.facts[defects..].iter().map(|fact| fact.known_ms);
            if let Some(last) = last.max() {
                for fact in &mut self.plan.facts[first..defects] {
                    let late = self.random.between(-HOUR, DAY_MS);
                    fact.known_ms = fact.known_ms.max(last + late);
                }
            }
        }
        if defects < self.plan.facts.len() && self.happens(Feature::Orphans, 200_000) {
            self.plan.facts.drain(first..defects);
        }
    }

    fn order_facts(&mut self, seller: usize, order: usize, purchase_ms: i64) {
        let mut channel = *self.random.pick(&["MFN", "AFN"]);
        let mut marketplace = self.draw_marketplace();
        let statuses = self.draw_statuses();
        let mut event_ms = purchase_ms + self.random.between(0, 10 * MINUTE);
        for status in statuses.into_iter().flatten() {
            let mut purchased = purchase_ms;
            if self.happens(Feature::ChannelCorrections, 300_000) {
                channel = if channel == "MFN" { "AFN" } else { "MFN" };
            }
            if self.happens(Feature::MarketplaceCorrections, 300_000) {
                marketplace = self.draw_marketplace();
            }
            if self.happens(Feature::TwoPurchaseDays, 300_000) {
                purchased -= self.random.between(-1, 3) * DAY_MS;
                purchased = purchased.min(event_ms + DAY_MS);
            }
            let flag = |random: &mut Random| random.chance(300_000).then(|| random.chance(500_000));
            let detail = Detail::Order {
                channel,
                status,
                buy_shipping: flag(self.random),
                on_time: flag(self.random),
            };
            let fact = Fact {
                known_ms: 0,
                event_ms: None,
                seller,
                order,
                marketplace,
                purchase_ms: Some(purchased),
                detail,
            };
            self.push(event_ms, fact);
            if !self.happens(Feature::EqualTimes, 300_000) {
                event_ms += self.random.between(1, 20 * HOUR);
            }
        }
    }

    fn draw_statuses(&mut self) -> [Option<&'static str>; 3] {
        let open = Some(*self.random.pick(&OPEN));
        let again = self.random.chance(200_000).then_some("Shipped");
        if !self.has(Feature::PendingAndCanceled) {
            return [open, again, None];
        }
        let pending = Some(*self.random.pick(&PENDING));
        let canceled = Some(*self.random.pick(&["Canceled", "Cancelled"]));
        match self.random.below(6) {
            0 => [pending, open, again],
            1 => [pending, canceled, None],
            2 => [pending, None, None],
            3 => [open, canceled, None],
            // Going back: what was stated stays.
            4 => [canceled, open, pending],
            _ => [open, pending, again],
        }
    }

    /// A defect and what becomes of it.
    fn defect(&mut self, seller: usize, order: usize, purchase_ms: i64) {
        let days = self.random.between(0, 40);
        let mut event_ms = purchase_ms + days * DAY_MS + self.random.between(0, DAY_MS);
        event_ms = event_ms.min(self.end_ms());
        let several = self.has(Feature::SeveralRefs);
        let reference = match self.random.below(4) {
            0 if several => None,
            1 if several => Some(2),
            _ => Some(1),
        };
        let kind = self.random.below(3);
        let mut steps = 1;
        steps += u32::from(self.happens(Feature::Reversals, 600_000));
        steps += u32::from(self.happens(Feature::Reinstatements, 400_000));
        for step in 0..steps {
            let detail = self.defect_step(kind, step, reference);
            let stated = self.random.chance(200_000);
            let old = self.happens(Feature::ExpiryEdges, 100_000);
            let stated_ms = purchase_ms - if old { 70 * DAY_MS } else { 0 };
            let fact = Fact {
                known_ms: 0,
                event_ms: None,
                seller,
                order,
                marketplace: self.draw_marketplace(),
                purchase_ms: stated.then_some(stated_ms),
                detail,
            };
            self.push(event_ms, fact);
            if !self.happens(Feature::EqualTimes, 400_000) {
                event_ms += self.random.between(1, 3 * DAY_MS);
            }
        }
    }

    /// Step 0 mostly counts, step 1 mostly does not, step 2 counts again.
    fn defect_step(&mut self, kind: u64, step: u32, reference: Option<u8>) -> Detail {
        let reversal = step == 1;
        let drawn = self.happens(Feature::OdrImpact, 300_000);
        let impact = drawn.then(|| self.random.chance(500_000));
        match kind {
            0 => {
                let statuses: &[&str] = if reversal {
                    &["updated", "withdrawn", "struck_through", "removed"]
                } else {
                    &["posted", "posted", "updated"]
                };
                let status = self.random.pick_str(statuses);
                let kind =
                    if reversal && status == "updated" { [5, 4, 3, 1] } else { [1, 2, 1, 3] };
                let rating = *self.random.pick(&kind);
                Detail::Feedback { rating, status }
            }
            1 => Detail::Claim {
                reference,
                status: if reversal {
                    self.random.pick_str(&CLAIM_CHAIN[3..])
                } else {
                    self.random.pick_str(&CLAIM_CHAIN)
                },
                funded_by: *self.random.pick(&[None, None, Some("seller"), Some("amazon")]),
                impact,
            },
            _ => Detail::Chargeback {
                reference,
                status: if reversal {
                    self.random.pick_str(&CHARGEBACK_CHAIN[3..])
                } else {
                    self.random.pick_str(&CHARGEBACK_CHAIN)
                },
                reason: *self.random.pick(&[None, Some("service"), Some("service"), Some("fraud")]),
                impact,
            },
        }
    }

    /// A seller with a round number of orders on one day, and then one defect after another, so
    /// that its rate is exactly a round percentage at some boundaries.
    fn exact_seller(&mut self) {
        let most = self.config.events * 3 / 4;
        let Some(orders) = [100, 50, 20, 10].into_iter().find(|count| *count <= most) else {
            return;
        };
        let seller = self.plan.sellers.len();
        self.plan.sellers.push("exact".to_owned());
        let day = self.config.start_ms.div_euclid(DAY_MS) * DAY_MS;
        let first = self.plan.orders.len();
        let fact = |order, purchase_ms, detail| Fact {
            known_ms: purchase_ms,
            event_ms: Some(purchase_ms),
            seller,
            order,
            marketplace: None,
            purchase_ms: Some(purchase_ms),
            detail,
        };
        for _ in 0..orders {
            let order = self.new_order();
            let at = day.max(self.config.start_ms) + self.random.between(0, HOUR);
            let detail = Detail::Order {
                channel: "MFN",
                status: "Unshipped",
                buy_shipping: None,
                on_time: None,
            };
            self.plan.facts.push(fact(order, at, detail));
        }
        for number in 0..4 {
            let mut at = self.config.start_ms + 2 * HOUR;
            at += i64::try_from(number).expect("below 4") * 10_000;
            let detail = Detail::Feedback { rating: 1, status: "posted" };
            self.plan.facts.push(fact(first + number, at, detail));
        }
    }
}
