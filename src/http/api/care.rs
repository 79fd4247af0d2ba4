//! Items of the worklist as they are sent, with their drafts, and as a client reads them again.
//!
//! Invariant: what a buyer wrote is in them only where [`Care::show_comments`] permits it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::advice::drafts::{self, Kind, Subject, Templates, Values};
use crate::advice::worklist::{Action, Case, Item, Judged, Plan, Standing, plan};
use crate::advice::{Decision, Facts, Language, Noted, Rule, Terms, Verdicts, wanted};
use crate::domain::event::DefectFact;
use crate::domain::look::{AccountLook, DefectLook};
use crate::domain::policy::{Counting, Policy, View};
use crate::domain::rate::Rate;
use crate::domain::time::Day;
use crate::wire::states::state_of;
use crate::wire::time::{day, instant};

/// A word of a closed set: known here, or read from an answer.
pub type Word = Cow<'static, str>;

/// What worklists are made with.
#[derive(Clone, Debug)]
pub struct Care {
    /// The templates of drafts.
    pub templates: Arc<Templates>,
    /// The language of drafts where the marketplace's is not known.
    pub language: Language,
    /// How long one may act.
    pub terms: Terms,
    /// Whether comments are judged.
    pub judges: bool,
    /// Whether what buyers wrote may be shown.
    pub show_comments: bool,
}

impl Default for Care {
    /// As the configuration has it where nothing is stated.
    fn default() -> Self {
        Self {
            templates: Arc::new(Templates::defaults().clone()),
            language: Language::En,
            terms: Terms::default(),
            judges: true,
            show_comments: false,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkItem {
    /// The seller.
    pub seller_id: String,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: String,
    /// The order.
    pub order_id: String,
    /// The kind of defect.
    pub kind: Word,
    /// The claim's or chargeback's own id.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The order's channel.
    pub channel: Word,
    /// The order's purchase day.
    pub purchase_day: String,
    /// The defect's state, as its topic spells it.
    pub state: Word,
    /// A feedback's stars.
    pub rating: Option<u8>,
    /// Whether it counts only until it is decided.
    pub provisional: bool,
    /// What to do.
    pub action: Word,
    /// Whether it comes before all else: a removal while the account is above its target.
    pub first: bool,
    /// The first instant at which it is too late.
    pub until: Option<String>,
    /// The first as-of day on which it no longer matters.
    pub moot_on: String,
    /// All deadlines of the defect that are not past.
    pub deadlines: Vec<StepUntil>,
    /// What was read in the comment of a feedback.
    pub comment: Option<CommentOf>,
    /// Documents that are asked for.
    pub wanted: Vec<Word>,
    /// What it saves.
    pub gain: GainOf,
    /// What may be written, the first thing first.
    pub drafts: Vec<DraftOf>,
}

/// A step and the first instant at which it is too late for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUntil {
    /// What has to be done.
    pub step: Word,
    /// The first instant at which it is too late.
    pub until: String,
}

/// What was read in a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentOf {
    /// The best verdict of all rules.
    pub verdict: Word,
    /// The rule that has it; none where no rule may apply.
    pub rule: Option<Word>,
    /// Why the buyer was not content.
    pub reason: Word,
    /// The language of the comment, if it is one that is read.
    pub language: Option<Word>,
    /// By rule.
    pub rules: Vec<RuleOf>,
}

/// One rule's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOf {
    /// The rule.
    pub rule: Word,
    /// The verdict.
    pub verdict: Word,
    /// What speaks for it.
    pub evidence: Vec<FoundOf>,
    /// What speaks against it or leaves it open.
    pub blockers: Vec<FoundOf>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundOf {
    /// What it is.
    pub kind: Word,
    /// The words, where they are known and may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What an action saves, over all orders of the account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GainOf {
    /// The live rate now.
    pub now: PairOf,
    /// The live rate if this defect did not count.
    pub after: PairOf,
    /// How many more defective orders the account can take without a warning, now.
    pub defects_left: u64,
    /// The same if this defect did not count.
    pub defects_left_after: u64,
    /// How many defects of the order have to go until it is defective no more; 0 where it stays so
    /// or is out of the live view.
    pub defects_of_order: u32,
    /// The official rate now.
    pub official_now: PairOf,
    /// The official rate if this defect did not count.
    pub official_after: PairOf,
}

/// Orders and defective orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairOf {
    /// Orders.
    pub orders: u32,
    /// Defective orders.
    pub defective_orders: u32,
}

impl From<Rate> for PairOf {
    fn from(rate: Rate) -> Self {
        Self { orders: rate.orders, defective_orders: rate.defective }
    }
}

impl From<PairOf> for Rate {
    fn from(pair: PairOf) -> Self {
        Self { defective: pair.defective_orders, orders: pair.orders }
    }
}

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftOf {
    /// What it is for.
    pub kind: Word,
    /// The language that it is written in.
    pub language: Word,
    /// The text.
    pub text: String,
}

/// That orders fulfilled by the marketplace make the headline look better than what the seller has
/// in hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareOf {
    /// The seller.
    pub seller_id: String,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: String,
    /// The live rate over all orders.
    pub headline: PairOf,
    /// The live rate over those that the seller fulfils, which is higher.
    pub seller_fulfilled: PairOf,
    /// Whether the headline meets the target and the seller-fulfilled rate does not.
    pub hides_target: bool,
}

/// A worklist.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkOf {
    /// Whether comments are judged; without, no removal is in it.
    pub judged: bool,
    /// What to do, the first thing first.
    pub items: Vec<WorkItem>,
    /// How many there are.
    pub total: usize,
    /// Defects that count and about which nothing can be done, or no longer.
    pub left_alone: usize,
    /// Accounts whose headline flatters.
    pub shares: Vec<ShareOf>,
}

/// What there is to do about one account, before it is written down.
#[derive(Debug)]
pub struct Worked {
    plan: Plan,
    /// By the tag of a case.
    rules: Vec<Vec<RuleOf>>,
    seller_id: String,
    marketplace_id: String,
}

impl Worked {
    /// The worklist of an account.
    #[must_use]
    pub fn of_account(look: &AccountLook, policy: &Policy, care: &Care) -> Self {
        let counted = look.defects.iter().filter(|defect| defect.counting != Counting::No);
        let (mut cases, mut rules) = (Vec::new(), Vec::new());
        for (tag, defect) in counted.enumerate() {
            let verdicts = verdicts_of(defect);
            rules.push(verdicts.as_ref().map_or_else(Vec::new, rules_of));
            cases.push(case_of(defect, verdicts.as_ref(), tag));
        }
        let row = &look.row;
        let standing = Standing {
            seller_id: &row.seller_id,
            marketplace_id: &row.marketplace_id,
            rates: View::ALL.map(|view| row.totals[view.index()].map(|counts| counts.rate())),
            as_of: look.as_of,
            now_ms: look.boundary_ms,
        };
        Self::new(&standing, cases, rules, (policy, care))
    }

    /// The worklist of an account with these cases; the rules' verdicts are by the tags of cases.
    #[must_use]
    pub fn new(
        standing: &Standing<'_>,
        cases: Vec<Case>,
        rules: Vec<Vec<RuleOf>>,
        (policy, care): (&Policy, &Care),
    ) -> Self {
        Self {
            plan: plan(standing, cases, policy, &care.terms),
            rules,
            seller_id: standing.seller_id.to_owned(),
            marketplace_id: standing.marketplace_id.to_owned(),
        }
    }

    /// What to do, in order, each with its rules' verdicts.
    pub fn items(&self) -> impl Iterator<Item = (&Item, &[RuleOf])> {
        self.plan.items.iter().map(|item| (item, &*self.rules[item.case.tag]))
    }

    /// Defects that count and about which nothing can be done, or no longer.
    #[must_use]
    pub const fn left_alone(&self) -> usize {
        self.plan.left_alone
    }

    /// That the headline flatters, if it does.
    #[must_use]
    pub fn share(&self) -> Option<ShareOf> {
        self.plan.share.map(|share| ShareOf {
            seller_id: self.seller_id.clone(),
            marketplace_id: self.marketplace_id.clone(),
            headline: share.headline.into(),
            seller_fulfilled: share.seller_fulfilled.into(),
            hides_target: share.hides_target,
        })
    }

    /// The first items of it, written down.
    #[must_use]
    pub fn written(&self, most: usize, language: Option<Language>, care: &Care) -> WorkOf {
        let items = self.items().take(most);
        WorkOf {
            judged: care.judges,
            items: items.map(|(item, rules)| work_item(item, rules, language, care)).collect(),
            total: self.plan.items.len(),
            left_alone: self.left_alone(),
            shares: self.share().into_iter().collect(),
        }
    }
}

/// The verdicts on a feedback's comment, as its note and its order have them.
fn verdicts_of(look: &DefectLook) -> Option<Verdicts> {
    let noted = Noted::of_bytes(look.note.as_ref()?.as_bytes())?;
    Some(noted.decide(Facts {
        channel: Some(look.channel),
        buy_shipping: look.buy_shipping,
        shipped_on_time: look.shipped_on_time,
    }))
}

fn rules_of(verdicts: &Verdicts) -> Vec<RuleOf> {
    let found = |kind: &'static str| FoundOf { kind: kind.into(), text: None };
    let rule_of = |rule: Rule| {
        let verdict = verdicts.of(rule);
        let evidence = verdict.evidence.iter().map(|one| found(one.finding.as_str()));
        let blockers = verdict.blockers.iter().map(|one| found(one.kind.as_str()));
        RuleOf {
            rule: rule.as_str().into(),
            verdict: verdict.decision.as_str().into(),
            evidence: evidence.collect(),
            blockers: blockers.collect(),
        }
    };
    Rule::ALL.map(rule_of).into()
}

fn case_of(look: &DefectLook, verdicts: Option<&Verdicts>, tag: usize) -> Case {
    Case {
        order_id: look.order_id.clone(),
        reference: look.reference.clone(),
        purchase_day: look.purchase_day,
        channel: look.channel,
        fact: look.fact,
        opened: look.opened,
        stated: look.event_time,
        counting: look.counting,
        judged: verdicts.map(|verdicts| Judged {
            decisions: Rule::ALL.map(|rule| verdicts.of(rule).decision),
            reason: verdicts.reason,
            language: verdicts.language,
        }),
        tag,
    }
}

/// An item with its drafts, in a language if one is asked for.
#[must_use]
pub fn work_item(
    item: &Item,
    rules: &[RuleOf],
    language: Option<Language>,
    care: &Care,
) -> WorkItem {
    let case = &item.case;
    let saving = &item.saving;
    let rating = match case.fact {
        DefectFact::Feedback { rating, .. } => Some(rating),
        DefectFact::Claim { .. } | DefectFact::Chargeback { .. } => None,
    };
    WorkItem {
        seller_id: item.seller_id.to_string(),
        marketplace_id: item.marketplace_id.to_string(),
        order_id: case.order_id.to_string(),
        kind: case.fact.kind().as_str().into(),
        reference: case.reference.as_deref().map(str::to_owned),
        channel: case.channel.as_str().into(),
        purchase_day: day(case.purchase_day),
        state: state_of(case.fact).into(),
        rating,
        provisional: case.counting == Counting::Provisional,
        action: item.action.as_str().into(),
        first: item.is_first,
        until: item.until_ms.map(instant),
        moot_on: day(item.moot_on),
        deadlines: item
            .deadlines
            .iter()
            .map(|deadline| StepUntil {
                step: deadline.step.as_str().into(),
                until: instant(deadline.until_ms),
            })
            .collect(),
        comment: case.judged.map(|judged| comment_of(&judged, rules, care)),
        wanted: wanted(&case.fact).iter().map(|wanted| wanted.as_str().into()).collect(),
        gain: GainOf {
            now: saving.now.into(),
            after: saving.after.into(),
            defects_left: saving.defects_left,
            defects_left_after: saving.defects_left_after,
            defects_of_order: saving.defects_of_order,
            official_now: saving.official.0.into(),
            official_after: saving.official.1.into(),
        },
        drafts: drafts_of(item, rules, language, care),
    }
}

fn comment_of(judged: &Judged, rules: &[RuleOf], care: &Care) -> CommentOf {
    let best = judged.best();
    let mut rules = rules.to_vec();
    let found =
        rules.iter_mut().flat_map(|rule| rule.evidence.iter_mut().chain(&mut rule.blockers));
    for found in found.filter(|_| !care.show_comments) {
        found.text = None;
    }
    CommentOf {
        verdict: best.map_or(Decision::Not, |(_, decision)| decision).as_str().into(),
        rule: best.map(|(rule, _)| rule.as_str().into()),
        reason: judged.reason.as_str().into(),
        language: judged.language.map(|language| language.as_str().into()),
        rules,
    }
}

/// The drafts of an item, the one that its action is about first.
fn drafts_of(item: &Item, rules: &[RuleOf], asked: Option<Language>, care: &Care) -> Vec<DraftOf> {
    let Some(judged) = judged_or_not(item) else { return Vec::new() };
    let kinds: &[Kind] = match item.action {
        Action::RequestRemoval | Action::ReviewRemoval => {
            &[Kind::RemovalRequest, Kind::BuyerMessage, Kind::FollowUp, Kind::PublicResponse]
        }
        Action::RepairOrder => &[Kind::BuyerMessage, Kind::FollowUp, Kind::PublicResponse],
        Action::RespondPublicly => &[Kind::PublicResponse],
        Action::AnswerClaim | Action::AnswerChargeback | Action::AppealClaim => &[],
    };
    let market = drafts::language_of(&item.marketplace_id);
    let date = day(Day::of(item.case.opened.ms(), &crate::domain::time::Zone::utc()));
    let draft = |kind: Kind| {
        // The marketplace is written to in its own language, a buyer in the one he wrote in.
        let theirs = if kind == Kind::RemovalRequest { None } else { judged.language };
        let language = asked.or(theirs).or(market).unwrap_or(care.language);
        let rule = judged.best().map(|(rule, _)| rule);
        let subject = match (kind, rule) {
            (Kind::RemovalRequest, rule) => Subject::Rule(rule?),
            _ => Subject::Reason(judged.reason),
        };
        let evidence = rule.filter(|_| care.show_comments).map(|rule| quoted(rule, rules));
        let evidence = drafts::quotes(language, &evidence.unwrap_or_default());
        let values = Values {
            order_id: &item.case.order_id,
            feedback_date: Some(&date),
            evidence: evidence.as_deref(),
        };
        let text = care.templates.draft(kind, language, subject, &values);
        Some(DraftOf { kind: kind.as_str().into(), language: language.as_str().into(), text })
    };
    kinds.iter().filter_map(|kind| draft(*kind)).collect()
}

/// What was read in a feedback's comment, or nothing where it was not read; none for others.
fn judged_or_not(item: &Item) -> Option<Judged> {
    let is_feedback = matches!(item.case.fact, DefectFact::Feedback { .. });
    let unread = Judged {
        decisions: [Decision::Not; 5],
        reason: crate::advice::Reason::Other,
        language: None,
    };
    is_feedback.then(|| item.case.judged.unwrap_or(unread))
}

/// The words that speak for a rule.
fn quoted(rule: Rule, rules: &[RuleOf]) -> Vec<&str> {
    let of_rule = rules.iter().filter(|read| read.rule == rule.as_str());
    let evidence = of_rule.flat_map(|read| &read.evidence);
    evidence.filter_map(|found| found.text.as_deref()).collect()
}
