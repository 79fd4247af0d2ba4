//! Items of the worklist as they are sent, with their drafts, and as a client reads them again.
//!
//! Invariant: what a buyer wrote is in them only where [`Care::show_comments`] permits it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::advice::drafts::Templates;
use crate::advice::{Language, Terms};
use crate::domain::rate::Rate;

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

/// A record of quotes: the words that evidence and blockers of a comment are.
#[derive(Deserialize)]
pub struct QuotesOf {
    /// The seller.
    pub seller_id: String,
    /// The order.
    pub order_id: String,
    rules: Vec<QuotedRule>,
}

#[derive(Deserialize)]
struct QuotedRule {
    rule: String,
    evidence: Vec<FoundOf>,
    blockers: Vec<FoundOf>,
}

impl QuotesOf {
    /// The rules with the words that were quoted for them, where there are some.
    #[must_use]
    pub fn words_for(&self, mut rules: Vec<RuleOf>) -> Vec<RuleOf> {
        for rule in &mut rules {
            let Some(of) = self.rules.iter().find(|of| of.rule == rule.rule) else { continue };
            if !of.evidence.is_empty() {
                rule.evidence.clone_from(&of.evidence);
            }
            // What is a fact of the order or of the whole comment has no words.
            rule.blockers.retain(|found| of.blockers.iter().all(|other| other.kind != found.kind));
            rule.blockers.extend(of.blockers.iter().cloned());
        }
        rules
    }
}

/// What buyers wrote must not get into a log.
impl std::fmt::Debug for QuotesOf {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("QuotesOf").field("order_id", &self.order_id).finish_non_exhaustive()
    }
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
