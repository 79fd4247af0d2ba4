//! Owns what counts, and the totals of a view: sections 4 and 5, by scanning all orders.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Policy;
use super::events::{
    Channel, ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus, Group, Kind, Payer, Reason,
};
use super::state::State;
use super::times::Day;

/// Seller and marketplace.
pub type Account = (Rc<str>, Rc<str>);

/// The channels that a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Mfn,
    Afn,
}

impl Scope {
    pub const EACH: [Self; 3] = [Self::All, Self::Mfn, Self::Afn];

    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mfn => "mfn",
            Self::Afn => "afn",
        }
    }

    fn holds(self, channel: Channel) -> bool {
        match self {
            Self::All => true,
            Self::Mfn => channel == Channel::Mfn,
            Self::Afn => channel == Channel::Afn,
        }
    }
}

/// The days that a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    Live,
    Official,
}

impl View {
    pub const EACH: [Self; 2] = [Self::Live, Self::Official];

    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Official => "official",
        }
    }

    /// First and last day of the view as of a day.
    pub fn days(self, policy: &Policy, as_of: Day) -> (Day, Day) {
        let last = match self {
            Self::Live => as_of,
            Self::Official => as_of - policy.lag_days,
        };
        (last - policy.window_days + 1, last)
    }
}

/// The oldest day that any view reaches.
pub fn horizon(policy: &Policy, as_of: Day) -> Day {
    View::Official.days(policy, as_of).0.min(View::Live.days(policy, as_of).0)
}

/// A defect that counts.
#[derive(Clone, Debug)]
pub struct CountedDefect {
    pub kind: Kind,
    pub reference: Option<Rc<str>>,
    pub event_ms: i64,
    pub provisional: bool,
}

/// An order that counts, with its defects that count.
#[derive(Clone, Debug)]
pub struct CountedOrder {
    pub account: Account,
    pub order_id: Rc<str>,
    pub channel: Channel,
    pub day: Day,
    pub defects: Vec<CountedDefect>,
}

impl CountedOrder {
    /// True if the order belongs to these numbers.
    pub fn is_in(&self, policy: &Policy, as_of: Day, scope: Scope, view: View) -> bool {
        let (from, to) = view.days(policy, as_of);
        scope.holds(self.channel) && (from..=to).contains(&self.day)
    }

    pub fn is_defective(&self) -> bool {
        !self.defects.is_empty()
    }

    fn has(&self, kind: Kind) -> bool {
        self.defects.iter().any(|defect| defect.kind == kind)
    }
}

/// The numbers of one account, scope and view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub orders: u64,
    pub defective: u64,
    pub provisional_only: u64,
    pub negative_feedback: u64,
    pub claim: u64,
    pub chargeback: u64,
}

impl Totals {
    fn add(&mut self, order: &CountedOrder) {
        self.orders += 1;
        self.defective += u64::from(order.is_defective());
        let all_provisional = order.defects.iter().all(|defect| defect.provisional);
        self.provisional_only += u64::from(order.is_defective() && all_provisional);
        self.negative_feedback += u64::from(order.has(Kind::NegativeFeedback));
        self.claim += u64::from(order.has(Kind::Claim));
        self.chargeback += u64::from(order.has(Kind::Chargeback));
    }
}

/// The numbers of one account in every scope and view.
pub type Numbers = BTreeMap<(Scope, View), Totals>;

/// All orders that count, by seller and order id.
pub fn counted_orders(policy: &Policy, state: &State) -> Vec<CountedOrder> {
    let mut counted = Vec::new();
    for (key, order) in &state.orders {
        let counts = match order.fact.group {
            Group::Pending => false,
            Group::Placed => true,
            Group::Canceled => policy.count_canceled_orders,
        };
        if !counts {
            continue;
        }
        let mut defects = Vec::new();
        for ((kind, reference), fact) in state.defects.get(key).into_iter().flatten() {
            if let Some(provisional) = counts_provisionally(policy, fact) {
                defects.push(CountedDefect {
                    kind: *kind,
                    reference: reference.clone(),
                    event_ms: fact.event_ms(),
                    provisional,
                });
            }
        }
        counted.push(CountedOrder {
            account: (key.0.clone(), order.marketplace.clone()),
            order_id: key.1.clone(),
            channel: order.fact.channel,
            day: order.day,
            defects,
        });
    }
    counted
}

/// Whether a defect counts: None if not, else whether it does so provisionally.
fn counts_provisionally(policy: &Policy, fact: &DefectFact) -> Option<bool> {
    match *fact {
        DefectFact::Feedback { status, rating, .. } => {
            let negative = rating <= policy.negative_rating_max;
            let standing = matches!(status, FeedbackStatus::Posted | FeedbackStatus::Updated);
            (negative && standing).then_some(false)
        }
        DefectFact::Claim { odr_impact: Some(counts), .. }
        | DefectFact::Chargeback { odr_impact: Some(counts), .. } => counts.then_some(false),
        DefectFact::Claim { status, funded_by, odr_impact: None, .. } => {
            let by_seller = funded_by != Some(Payer::Amazon);
            match status {
                ClaimStatus::Filed | ClaimStatus::UnderReview => {
                    policy.count_open_claims.then_some(true)
                }
                ClaimStatus::Appealed => by_seller.then_some(true),
                ClaimStatus::Granted => by_seller.then_some(false),
                ClaimStatus::ClosedRefunded => Some(false),
                ClaimStatus::Denied | ClaimStatus::Withdrawn | ClaimStatus::Reversed => None,
            }
        }
        DefectFact::Chargeback { reason: Reason::Fraud, .. } => None,
        DefectFact::Chargeback { status, .. } => match status {
            ChargebackStatus::Opened | ChargebackStatus::UnderReview => Some(true),
            ChargebackStatus::Lost => Some(false),
            ChargebackStatus::Won | ChargebackStatus::Reversed => None,
        },
    }
}

/// The totals of these orders as of a day.
pub fn totals<'a>(
    policy: &Policy,
    orders: impl IntoIterator<Item = &'a CountedOrder>,
    as_of: Day,
    scope: Scope,
    view: View,
) -> Totals {
    let mut totals = Totals::default();
    for order in orders {
        if order.is_in(policy, as_of, scope, view) {
            totals.add(order);
        }
    }
    totals
}

/// The orders of each account.
pub fn by_account(orders: &[CountedOrder]) -> BTreeMap<Account, Vec<&CountedOrder>> {
    let mut accounts: BTreeMap<Account, Vec<&CountedOrder>> = BTreeMap::new();
    for order in orders {
        accounts.entry(order.account.clone()).or_default().push(order);
    }
    accounts
}

/// The numbers of every account that has an order that counts.
pub fn all_numbers(
    policy: &Policy,
    orders: &[CountedOrder],
    as_of: Day,
) -> BTreeMap<Account, Numbers> {
    let mut all = BTreeMap::new();
    for (account, of_account) in by_account(orders) {
        let mut numbers = Numbers::new();
        for scope in Scope::EACH {
            for view in View::EACH {
                let orders = of_account.iter().copied();
                numbers.insert((scope, view), totals(policy, orders, as_of, scope, view));
            }
        }
        all.insert(account, numbers);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_have_the_days_of_section_1() {
        let policy = Policy::default();
        assert_eq!(View::Live.days(&policy, 1_000), (941, 1_000));
        assert_eq!(View::Official.days(&policy, 1_000), (926, 985));
        assert_eq!(horizon(&policy, 1_000), 926);
    }

    #[test]
    fn feedback_counts_by_its_stars_and_status() {
        let policy = Policy::default();
        let counts = |status, rating| {
            counts_provisionally(&policy, &DefectFact::Feedback { event_ms: 0, status, rating })
        };
        for rating in 1..=5 {
            let expected = (rating <= 2).then_some(false);
            assert_eq!(counts(FeedbackStatus::Posted, rating), expected);
            assert_eq!(counts(FeedbackStatus::Updated, rating), expected);
            assert_eq!(counts(FeedbackStatus::Withdrawn, rating), None);
            assert_eq!(counts(FeedbackStatus::StruckThrough, rating), None);
            assert_eq!(counts(FeedbackStatus::Removed, rating), None);
        }
    }

    #[test]
    fn claims_count_by_status_and_payer() {
        let policy = Policy::default();
        let closed = Policy { count_open_claims: false, ..Policy::default() };
        let claim = |status, funded_by, odr_impact| DefectFact::Claim {
            event_ms: 0,
            status,
            funded_by,
            odr_impact,
        };
        let [seller, amazon] = [Some(Payer::Seller), Some(Payer::Amazon)];
        for (status, payer, expected) in [
            (ClaimStatus::Filed, amazon, Some(true)),
            (ClaimStatus::UnderReview, None, Some(true)),
            (ClaimStatus::Granted, None, Some(false)),
            (ClaimStatus::Granted, seller, Some(false)),
            (ClaimStatus::Granted, amazon, None),
            (ClaimStatus::Denied, seller, None),
            (ClaimStatus::Withdrawn, None, None),
            (ClaimStatus::ClosedRefunded, amazon, Some(false)),
            (ClaimStatus::Appealed, seller, Some(true)),
            (ClaimStatus::Appealed, amazon, None),
            (ClaimStatus::Reversed, None, None),
        ] {
            let fact = claim(status, payer, None);
            assert_eq!(counts_provisionally(&policy, &fact), expected, "{fact:?}");
            let open = matches!(status, ClaimStatus::Filed | ClaimStatus::UnderReview);
            let without_open = if open { None } else { expected };
            assert_eq!(counts_provisionally(&closed, &fact), without_open, "{fact:?}");
            let decided = claim(status, payer, Some(true));
            assert_eq!(counts_provisionally(&closed, &decided), Some(false));
            let decided = claim(status, payer, Some(false));
            assert_eq!(counts_provisionally(&policy, &decided), None);
        }
    }

    #[test]
    fn chargebacks_count_for_service_only() {
        let policy = Policy::default();
        for (status, expected) in [
            (ChargebackStatus::Opened, Some(true)),
            (ChargebackStatus::UnderReview, Some(true)),
            (ChargebackStatus::Lost, Some(false)),
            (ChargebackStatus::Won, None),
            (ChargebackStatus::Reversed, None),
        ] {
            let fact = |reason, odr_impact| DefectFact::Chargeback {
                event_ms: 0,
                status,
                reason,
                odr_impact,
            };
            let counts = |fact| counts_provisionally(&policy, &fact);
            assert_eq!(counts(fact(Reason::Service, None)), expected);
            assert_eq!(counts(fact(Reason::Fraud, None)), None);
            assert_eq!(counts(fact(Reason::Fraud, Some(true))), Some(false));
            assert_eq!(counts(fact(Reason::Service, Some(false))), None);
        }
    }
}
