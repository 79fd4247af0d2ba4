//! What to do next about an account's defects: the action that saves most first.
//!
//! ```text
//! counted defects ─> for each the best action still open ─┐
//! rates ─> what each saves, and whether the target is missed ┴─> items in a total order
//! ```
//!
//! An order is defective as long as one of its defects counts. So what an action saves is shared
//! among the defects of its order: 1/2 of an order where two have to go, and nothing where one of
//! them cannot be acted on any more. Saved is saved rate: 1 order of 100 is more than 1 of 1,000.
//!
//! Invariants: the order of items is total, and the same whatever order they came in; nothing past
//! its deadline is offered; whole numbers only, compared exactly. Absent on purpose: the clock, and
//! what is written ([`super::drafts`]).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::deadlines::{Deadline, Step, Terms, deadlines, moot_on};
use super::lexicon::Language;
use super::verdict::{Decision, Reason, Rule};
use crate::domain::event::{Channel, DefectFact, DefectKind};
use crate::domain::policy::{Counting, Policy, View};
use crate::domain::rate::Rate;
use crate::domain::time::{Day, EventTime};

/// What was read in a feedback's comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// By [`Rule::index`], with what is known of the order.
    pub decisions: [Decision; 5],
    /// The root of the matter.
    pub reason: Reason,
    /// The language of the comment, if it is one that is read.
    pub language: Option<Language>,
}

impl Judged {
    /// The best decision, and the first rule that has it; none where no rule may apply.
    #[must_use]
    pub fn best(&self) -> Option<(Rule, Decision)> {
        let of = |rule: Rule| (rule, self.decisions[rule.index()]);
        let rules = Rule::ALL.into_iter().map(of).rev();
        rules.max_by_key(|(_, decision)| *decision).filter(|(_, best)| *best != Decision::Not)
    }
}

/// A defect that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The order.
    pub order_id: Box<str>,
    /// The claim's or chargeback's own id.
    pub reference: Option<Box<str>>,
    /// The order's purchase day.
    pub purchase_day: Day,
    /// The order's channel.
    pub channel: Channel,
    /// The newest fact.
    pub fact: DefectFact,
    /// The earliest event of the defect that is known.
    pub opened: EventTime,
    /// The event of the newest fact.
    pub stated: EventTime,
    /// Whether it counts for good, or provisionally; what does not count is no case.
    pub counting: Counting,
    /// What was read in the comment, for a feedback that was.
    pub judged: Option<Judged>,
    /// Whatever the caller knows it by, such as a place in a list; nothing here depends on it.
    pub tag: usize,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The seller.
    pub seller_id: &'a str,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: &'a str,
    /// The rates by view (outer) and channel (inner).
    pub rates: [[Rate; 2]; 2],
    /// The as-of day.
    pub as_of: Day,
    /// The instant from which deadlines are looked at, in ms since the epoch.
    pub now_ms: i64,
}

impl Standing<'_> {
    /// The rate over both channels.
    #[must_use]
    pub fn all(&self, view: View) -> Rate {
        let [mfn, afn] = self.rates[view.index()];
        Rate {
            defective: mfn.defective.saturating_add(afn.defective),
            orders: mfn.orders.saturating_add(afn.orders),
        }
    }
}

/// What to do. Ascending in how sure it is to help and how little it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Ask for the removal of a feedback: a rule of the marketplace applies.
    RequestRemoval,
    /// Answer a claim.
    AnswerClaim,
    /// Answer a chargeback.
    AnswerChargeback,
    /// Appeal against a claim that was granted.
    AppealClaim,
    /// Look whether the feedback may be removed: a rule may apply.
    ReviewRemoval,
    /// Put the order right with the buyer, who may still change the feedback.
    RepairOrder,
    /// Answer in public: nothing else is left.
    RespondPublicly,
}

impl Action {
    /// All actions, in the order in which equal ones are listed.
    pub const ALL: [Self; 7] = [
        Self::RequestRemoval,
        Self::AnswerClaim,
        Self::AnswerChargeback,
        Self::AppealClaim,
        Self::ReviewRemoval,
        Self::RepairOrder,
        Self::RespondPublicly,
    ];

    /// The action's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestRemoval => "request_removal",
            Self::AnswerClaim => "answer_claim",
            Self::AnswerChargeback => "answer_chargeback",
            Self::AppealClaim => "appeal_claim",
            Self::ReviewRemoval => "review_removal",
            Self::RepairOrder => "repair_order",
            Self::RespondPublicly => "respond_publicly",
        }
    }
}

/// What an action saves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saving {
    /// The live rate now.
    pub now: Rate,
    /// The live rate if this defect did not count.
    pub after: Rate,
    /// How many more defective orders the account can take without a warning, now.
    pub defects_left: u64,
    /// The same if this defect did not count.
    pub defects_left_after: u64,
    /// How many defects of the order have to go until it is defective no more; 0 where it will stay
    /// so, or is out of the live view.
    pub defects_of_order: u32,
    /// The official rate now, and if this defect did not count.
    pub official: (Rate, Rate),
}

impl Saving {
    /// The live rate that one action saves, as a fraction; none where that is nothing.
    #[must_use]
    pub fn per_action(&self) -> Option<(u64, u64)> {
        let parts = u64::from(self.defects_of_order) * u64::from(self.now.orders);
        (parts > 0).then_some((1, parts))
    }

    /// Ascending where less is saved; of what saves nothing live, by what it saves officially.
    fn rank(&self) -> (u64, u64) {
        let (now, after) = self.official;
        match self.per_action() {
            Some((_, parts)) => (parts, 0),
            None if after.defective < now.defective => (u64::MAX, u64::from(now.orders)),
            None => (u64::MAX, u64::MAX),
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// What it is about.
    pub case: Case,
    /// What to do.
    pub action: Action,
    /// The first instant at which it is too late, in ms since the epoch.
    pub until_ms: Option<i64>,
    /// The first as-of day on which it no longer matters.
    pub moot_on: Day,
    /// All deadlines of the defect that are not past.
    pub deadlines: Vec<Deadline>,
    /// What it saves.
    pub saving: Saving,
    /// Whether it comes before all else: a removal that saves something while the account is above
    /// its target.
    pub is_first: bool,
    /// When it stops being of use: the deadline, or the end of the last day that matters.
    due_ms: i64,
}

/// The place of an item among all, smaller first: removals of accounts above their target, what
/// saves most, what is due first, the action; then the names of seller, marketplace and order, the
/// kind and the reference.
pub type Place<Name> = (bool, (u64, u64), i64, usize, Name, Name, Name, usize, Option<Name>);

impl Item {
    /// Its place among all, which no other item has.
    #[must_use]
    pub fn place(&self) -> Place<&str> {
        let case = &self.case;
        let action = Action::ALL.iter().position(|action| *action == self.action);
        (
            !self.is_first,
            self.saving.rank(),
            self.due_ms,
            action.expect("ALL lists every action"),
            &self.seller_id,
            &self.marketplace_id,
            &case.order_id,
            case.fact.kind().index(),
            case.reference.as_deref(),
        )
    }

    /// The order of items.
    #[must_use]
    pub fn order(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

/// That orders fulfilled by the marketplace make the headline look better than what the seller has
/// in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareNote {
    /// The live rate over all orders.
    pub headline: Rate,
    /// The live rate over those that the seller fulfils, which is higher.
    pub seller_fulfilled: Rate,
    /// Whether the headline meets the target and the seller-fulfilled rate does not.
    pub hides_target: bool,
}

/// What to do about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in order.
    pub items: Vec<Item>,
    /// Defects that count and about which nothing can be done, or no longer.
    pub left_alone: usize,
    /// Whether the live rate is above the target.
    pub is_above_target: bool,
    /// That the headline flatters, if it does.
    pub share: Option<ShareNote>,
}

/// What to do about an account with these defects.
///
/// The target is the policy's warning. Where some of an order's defects are left out of `cases`,
/// those that are in it are taken for all.
#[must_use]
pub fn plan(standing: &Standing<'_>, cases: Vec<Case>, policy: &Policy, terms: &Terms) -> Plan {
    let target_bp = policy.warning.raise_bp;
    let is_above_target = standing.all(View::Live).is_above(target_bp);
    // Of each order: how many defects it has, and of how many of them nothing can be done.
    let mut orders: BTreeMap<Box<str>, (u32, u32)> = BTreeMap::new();
    let mut open = Vec::new();
    for case in cases {
        let action = action(&case, standing.now_ms, terms);
        let (defects, stuck) = orders.entry(case.order_id.clone()).or_default();
        *defects += 1;
        *stuck += u32::from(!action.as_ref().is_some_and(|(action, ..)| action.ends_a_defect()));
        open.push((case, action));
    }
    let left_alone = open.iter().filter(|(_, action)| action.is_none()).count();
    let items = open.into_iter().filter_map(|(case, action)| {
        let (action, until_ms, deadlines) = action?;
        let of_order = orders[&case.order_id];
        let saving = saving(standing, &case, of_order, policy);
        let moot_on = moot_on(case.purchase_day, policy);
        // Until the last moment of the last day on which it matters.
        let moot_ms = policy.time_zone.end_of(moot_on.plus(-1));
        Some(Item {
            seller_id: standing.seller_id.into(),
            marketplace_id: standing.marketplace_id.into(),
            is_first: is_above_target
                && action == Action::RequestRemoval
                && saving.per_action().is_some(),
            due_ms: until_ms.unwrap_or(i64::MAX).min(moot_ms),
            case,
            action,
            until_ms,
            moot_on,
            deadlines,
            saving,
        })
    });
    let mut items: Vec<Item> = items.collect();
    items.sort_unstable_by(Item::order);
    Plan { items, left_alone, is_above_target, share: share(standing, target_bp) }
}

impl Action {
    /// Whether it can end the defect: a public answer changes no rating.
    const fn ends_a_defect(self) -> bool {
        !matches!(self, Self::RespondPublicly)
    }
}

/// The best action about a defect that is still open, with its deadline, and all deadlines that
/// are not past; none where it is too late for any.
fn action(case: &Case, now_ms: i64, terms: &Terms) -> Option<(Action, Option<i64>, Vec<Deadline>)> {
    let mut open = deadlines(&case.fact, case.opened, case.stated, terms);
    open.retain(|deadline| !deadline.is_past(now_ms));
    let until = |step: Step| {
        open.iter().find(|deadline| deadline.step == step).map(|deadline| deadline.until_ms)
    };
    let best = case.judged.and_then(|judged| judged.best()).map(|(_, decision)| decision);
    let removal = match best {
        Some(Decision::Eligible) => Some(Action::RequestRemoval),
        Some(Decision::Uncertain) => Some(Action::ReviewRemoval),
        Some(Decision::Not) | None => None,
    };
    let (action, until_ms) = match case.fact.kind() {
        DefectKind::NegativeFeedback => {
            let removal = removal.zip(until(Step::RemovalRequest));
            let repair = until(Step::BuyerEdit).map(|until| (Action::RepairOrder, until));
            match removal.or(repair) {
                Some((action, until_ms)) => (action, Some(until_ms)),
                None => (Action::RespondPublicly, None),
            }
        }
        DefectKind::Claim => {
            let answer = until(Step::ClaimAnswer).map(|until| (Action::AnswerClaim, until));
            let appeal = until(Step::ClaimAppeal).map(|until| (Action::AppealClaim, until));
            let (action, until_ms) = answer.or(appeal)?;
            (action, Some(until_ms))
        }
        DefectKind::Chargeback => (Action::AnswerChargeback, Some(until(Step::ChargebackAnswer)?)),
    };
    Some((action, until_ms, open))
}

fn saving(
    standing: &Standing<'_>,
    case: &Case,
    (defects, stuck): (u32, u32),
    policy: &Policy,
) -> Saving {
    let is_within = |view: View| {
        let (first, last) = policy.view_days(view, standing.as_of);
        (first..=last).contains(&case.purchase_day)
    };
    let after = |view: View| {
        let now = standing.all(view);
        let less = u32::from(defects == 1 && is_within(view));
        (now, Rate { defective: now.defective.saturating_sub(less), ..now })
    };
    let (now, then) = after(View::Live);
    let left = |rate: Rate| {
        rate.headroom(policy.warning.raise_bp, policy.warning.min_defects).defects_left
    };
    Saving {
        now,
        after: then,
        defects_left: left(now),
        defects_left_after: left(then),
        defects_of_order: if stuck == 0 && is_within(View::Live) { defects } else { 0 },
        official: after(View::Official),
    }
}

fn share(standing: &Standing<'_>, target_bp: u32) -> Option<ShareNote> {
    let headline = standing.all(View::Live);
    let [seller_fulfilled, _] = standing.rates[View::Live.index()];
    let product = |rate: Rate, other: Rate| u64::from(rate.defective) * u64::from(other.orders);
    let flatters = product(seller_fulfilled, headline) > product(headline, seller_fulfilled);
    flatters.then(|| ShareNote {
        headline,
        seller_fulfilled,
        hides_target: seller_fulfilled.is_above(target_bp) && !headline.is_above(target_bp),
    })
}

#[cfg(test)]
#[path = "worklist_tests.rs"]
mod tests;
