//! What there is to do about an account, from what its worker answers to what is sent.

use super::Readers;
use super::care::{
    Care, CommentOf, DraftOf, FoundOf, GainOf, QuotesOf, RuleOf, ShareOf, StepUntil, WorkItem,
    WorkOf,
};
use crate::advice::drafts::{self, Kind, Subject, Values};
use crate::advice::worklist::{Action, Case, Item, Judged, Plan, Standing, plan};
use crate::advice::{Decision, Facts, Language, Noted, Reason, Rule, Verdicts, wanted};
use crate::domain::event::DefectFact;
use crate::domain::look::{AccountLook, DefectLook};
use crate::domain::policy::{Counting, Policy, View};
use crate::domain::time::{Day, Zone};
use crate::wire::advice;
use crate::wire::states::state_of;
use crate::wire::time::{day, instant};

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
    pub(super) fn of_account(look: &AccountLook, readers: &Readers) -> Self {
        let (policy, care) = (&readers.policy, &readers.care);
        let counted = look.defects.iter().filter(|defect| defect.counting != Counting::No);
        let (mut cases, mut rules) = (Vec::new(), Vec::new());
        for (tag, defect) in counted.enumerate() {
            let verdicts = verdicts_of(defect);
            let read = verdicts.as_ref().map_or_else(Vec::new, rules_of);
            let key = advice::quotes_key(&look.row.seller_id, &defect.order_id);
            let quotes = readers.model.quotes(&key).filter(|_| !read.is_empty());
            let quotes = quotes.and_then(|value| serde_json::from_slice::<QuotesOf>(&value).ok());
            rules.push(quotes.map_or(read.clone(), |quotes| quotes.words_for(read)));
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
        comment: case.judged.map(|judged| comment_of(judged, rules, care)),
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

fn comment_of(judged: Judged, rules: &[RuleOf], care: &Care) -> CommentOf {
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
    let date = day(Day::of(item.case.opened.ms(), &Zone::utc()));
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
    let unread = Judged { decisions: [Decision::Not; 5], reason: Reason::Other, language: None };
    is_feedback.then(|| item.case.judged.unwrap_or(unread))
}

/// The words that speak for a rule.
fn quoted(rule: Rule, rules: &[RuleOf]) -> Vec<&str> {
    let of_rule = rules.iter().filter(|read| read.rule == rule.as_str());
    let evidence = of_rule.flat_map(|read| &read.evidence);
    evidence.filter_map(|found| found.text.as_deref()).collect()
}
