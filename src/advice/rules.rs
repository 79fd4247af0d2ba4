//! Rules 3, 4 and 5: what the entire comment is about.
//!
//! What speaks of delivery, packing, service, returns and description is a closed vocabulary, and
//! the lexicons know it; what speaks of products is as wide as what is sold. So rule 3 asks that
//! nothing of the closed vocabulary is there, and that the rest is a product review by a word of
//! the lexicon or by the model. Rules 4 and 5 ask for words of the lexicon, and that the rest does
//! not read like anything else.
//!
//! The tables say which topics a rule needs, which forbid it and which leave it open; they are the
//! settled borders, and `tests/advice/borders.txt` has a comment for each of them.

use super::clauses::Part;
use super::lexicon::Class;
use super::model::Head;
use super::text::Text;
use super::topic::{Topic, Topics};
use super::verdict::{Blocker, BlockerKind, Decision, Evidence, Finding, Rule, Span, Verdict};

/// The topics of a rule.
struct Table {
    /// One of these must be there.
    needs: &'static [Topic],
    /// None of these may be.
    forbids: &'static [Topic],
    /// These leave it open.
    opens: &'static [Topic],
    /// Those of them whose words are too often meant otherwise to count where all the signs of
    /// the comment together speak for the rule.
    weak: &'static [Topic],
}

impl Table {
    fn forbids(&self, is_weighty: bool) -> Vec<Topic> {
        self.counting(self.forbids, is_weighty)
    }

    fn opens(&self, is_weighty: bool) -> Vec<Topic> {
        self.counting(self.opens, is_weighty)
    }

    fn counting(&self, topics: &[Topic], is_weighty: bool) -> Vec<Topic> {
        let counts = |topic: &&Topic| !is_weighty || !self.weak.contains(topic);
        topics.iter().filter(counts).copied().collect()
    }
}

/// Rule 3: any clause on delivery, packing, service, returns or description forbids, also praise
/// or denial. Damage on arrival is no product review. A bare return and "avoid this seller" leave
/// it open.
const PRODUCT_REVIEW: Table = Table {
    needs: &[Topic::Product],
    forbids: &[
        Topic::Late,
        Topic::NotReceived,
        Topic::Delivery,
        Topic::Courier,
        Topic::DeliveryCost,
        Topic::Packing,
        Topic::Damage,
        Topic::Transit,
        Topic::Service,
        Topic::MarketplaceService,
        Topic::Return,
        Topic::Description,
        Topic::WrongItem,
        Topic::MissingItem,
    ],
    opens: &[
        Topic::BareReturn,
        Topic::Avoid,
        Topic::Seller,
        Topic::Marketplace,
        Topic::Price,
        Topic::Broken,
        Topic::DeadOnArrival,
    ],
    weak: &[],
};

/// Rule 4: the channel decides and not whom the buyer blames, so a bare judgement of the seller
/// does no harm; what the seller said or did not answer does. Wrong and missing items, refunds and
/// damage without transit or packing are open.
const FULFILLED_BY_AMAZON: Table = Table {
    needs: &[
        Topic::Late,
        Topic::NotReceived,
        Topic::Delivery,
        Topic::Courier,
        Topic::Packing,
        Topic::Transit,
    ],
    forbids: &[Topic::Product, Topic::Service, Topic::Description],
    opens: &[
        Topic::WrongItem,
        Topic::MissingItem,
        Topic::Return,
        Topic::BareReturn,
        Topic::DeliveryCost,
        Topic::DeadOnArrival,
        Topic::Price,
    ],
    weak: &[
        Topic::Product,
        Topic::Description,
        Topic::WrongItem,
        Topic::MissingItem,
        Topic::Return,
        Topic::DeadOnArrival,
    ],
};

/// Rule 5: delay and non-receipt, also lost and wrongly marked as delivered; neither damage nor
/// what the courier did.
const BUY_SHIPPING: Table = Table {
    needs: &[Topic::Late, Topic::NotReceived],
    forbids: &[
        Topic::Product,
        Topic::Courier,
        Topic::Packing,
        Topic::Damage,
        Topic::Broken,
        Topic::DeadOnArrival,
        Topic::Service,
        Topic::MarketplaceService,
        Topic::Return,
        Topic::Description,
        Topic::WrongItem,
        Topic::MissingItem,
    ],
    opens: &[Topic::BareReturn, Topic::DeliveryCost, Topic::Price],
    weak: &[
        Topic::Product,
        Topic::Description,
        Topic::WrongItem,
        Topic::MissingItem,
        Topic::Return,
    ],
};

/// So far below what is asked, in thousandths, words that the lexicons know all are believed.
const NEARLY: i32 = -850;

/// A comment that is to be judged as a whole.
pub(super) struct Whole<'a> {
    pub text: &'a Text,
    pub parts: &'a [Part],
    /// What rules 3 to 5 come to, see [`super::weigh`].
    pub weighed: [i32; 3],
    /// What makes the whole comment doubtful.
    pub doubts: &'a [Blocker],
    /// Whether data are in it that may be the seller's.
    pub has_sellers_data: bool,
}

impl Whole<'_> {
    /// All topics.
    pub(super) fn topics(&self) -> Topics {
        self.parts.iter().fold(Topics::default(), |all, part| all.union(part.set))
    }

    fn has(&self, class: Class) -> bool {
        self.parts.iter().any(|part| part.has(class))
    }

    fn unknown(&self) -> usize {
        self.parts.iter().map(|part| part.unknown).sum()
    }

    /// Whether the signs of the whole comment come to what the rule asks, or nearly so where the
    /// lexicons know every word and find what the rule needs and nothing else.
    fn is_weighty(&self, rule: Rule, table: &Table) -> bool {
        let weighed = self.weighed[rule.index() - Rule::ProductReview.index()];
        let all = self.topics();
        let is_plain = || {
            self.unknown() == 0
                && all.has_any(table.needs)
                && !all.has_any(table.forbids)
                && !all.has_any(table.opens)
        };
        weighed >= 0 || (weighed >= NEARLY && is_plain())
    }

    fn spans(&self, topics: &[Topic]) -> Vec<(Topic, Span)> {
        let all = self.parts.iter().flat_map(|part| &part.topics);
        let wanted = all.filter(|(topic, _)| topics.contains(topic));
        wanted.map(|(topic, (start, end))| (*topic, self.text.span(*start, *end))).collect()
    }

    fn begin(&self, table: &Table, is_weighty: bool) -> Verdict {
        let evidence = self.spans(table.needs).into_iter();
        let (forbids, opens) = (table.forbids(is_weighty), table.opens(is_weighty));
        let blocked = [forbids.as_slice(), opens.as_slice()].concat();
        let blockers = self.spans(&blocked).into_iter();
        let all = self.topics();
        let decision = if all.has_any(&forbids) {
            Decision::Not
        } else if all.has_any(&opens) || !self.doubts.is_empty() {
            Decision::Uncertain
        } else {
            Decision::Eligible
        };
        let mut verdict = Verdict {
            decision,
            evidence: evidence
                .map(|(topic, span)| Evidence { span, finding: Finding::Topic(topic) })
                .collect(),
            blockers: blockers
                .map(|(topic, span)| Blocker { kind: BlockerKind::Topic(topic), span: Some(span) })
                .collect(),
        };
        verdict.blockers.extend(self.doubts);
        verdict
    }

    /// Rule 3.
    pub(super) fn product_review(&self) -> Verdict {
        let is_weighty = self.is_weighty(Rule::ProductReview, &PRODUCT_REVIEW);
        let mut verdict = self.begin(&PRODUCT_REVIEW, is_weighty);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
        }
        if self.has_sellers_data {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::WhoseData);
        }
        if is_weighty {
            self.tell_clauses(&mut verdict, &PRODUCT_REVIEW, Topic::Product, &[Head::Product]);
        } else if all.has(Topic::Product) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::UnlikeTheCorpus);
        } else if all.has_any(&[Topic::Seller, Topic::Avoid]) || self.has(Class::Obscene) {
            lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
        } else if self.unknown() > 0 {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::UnreadClause);
        } else if self.has(Class::Bad) || !all.is_empty() {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
        } else {
            self.nothing_said(&mut verdict);
        }
        verdict
    }

    /// Rule 4, for an order that Amazon fulfilled.
    pub(super) fn fulfilled_by_amazon(&self) -> Verdict {
        let is_weighty = self.is_weighty(Rule::FulfilledByAmazon, &FULFILLED_BY_AMAZON);
        let mut verdict = self.begin(&FULFILLED_BY_AMAZON, is_weighty);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
        }
        if self.is_harmed_unseen() {
            let kind = BlockerKind::Topic(Topic::Damage);
            lower(&mut verdict, Decision::Uncertain, kind);
        }
        let open = [
            Topic::Damage,
            Topic::Broken,
            Topic::WrongItem,
            Topic::MissingItem,
            Topic::Return,
            Topic::MarketplaceService,
            Topic::DeliveryCost,
        ];
        if is_weighty {
            let heads = [Head::Delay, Head::Way];
            self.tell_clauses(&mut verdict, &FULFILLED_BY_AMAZON, Topic::Delivery, &heads);
        } else if all.has_any(FULFILLED_BY_AMAZON.needs) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::UnlikeTheCorpus);
        } else if all.has_any(&open) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
        } else {
            lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
        }
        verdict
    }

    /// Rule 5, for an order that was shipped on time with Buy Shipping.
    pub(super) fn buy_shipping(&self) -> Verdict {
        let is_weighty = self.is_weighty(Rule::BuyShipping, &BUY_SHIPPING);
        let mut verdict = self.begin(&BUY_SHIPPING, is_weighty);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
        }
        if is_weighty {
            self.tell_clauses(&mut verdict, &BUY_SHIPPING, Topic::Late, &[Head::Delay]);
        } else if all.has_any(BUY_SHIPPING.needs) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::UnlikeTheCorpus);
        } else if all.has(Topic::Delivery) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
        } else {
            lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
        }
        verdict
    }

    /// Whether it is damaged, and neither the way nor the packing is named.
    fn is_harmed_unseen(&self) -> bool {
        let all = self.topics();
        all.has_any(&[Topic::Damage, Topic::Broken])
            && !all.has_any(&[Topic::Transit, Topic::Packing, Topic::Courier])
    }

    /// Whether rules 3 to 5 would find the comment eligible if all signs spoke for them.
    pub(super) fn may_be_eligible(&self) -> [bool; 3] {
        let whole = Whole { weighed: [0; 3], ..*self };
        [whole.product_review(), whole.fulfilled_by_amazon(), whole.buy_shipping()]
            .map(|verdict| verdict.decision == Decision::Eligible)
    }

    fn nothing_said(&self, verdict: &mut Verdict) {
        let to = if self.doubts.is_empty() { Decision::Not } else { Decision::Uncertain };
        lower(verdict, to, BlockerKind::NothingSaid);
    }

    /// The clauses that the model takes for a topic, and of which no word says it, as evidence.
    fn tell_clauses(&self, verdict: &mut Verdict, table: &Table, topic: Topic, heads: &[Head]) {
        let is_so = |part: &&Part| {
            let is_said = part.set.has_any(table.needs);
            !is_said && heads.iter().any(|head| part.scores[head.index()] > 0)
        };
        for part in self.parts.iter().filter(is_so) {
            let span = self.text.span(part.place.0, part.place.1);
            verdict.evidence.push(Evidence { span, finding: Finding::Topic(topic) });
        }
    }
}

fn lower(verdict: &mut Verdict, to: Decision, kind: BlockerKind) {
    verdict.decision = verdict.decision.min(to);
    verdict.blockers.push(Blocker { kind, span: None });
}
