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
use super::verdict::{Blocker, BlockerKind, Decision, Evidence, Finding, Span, Verdict};

/// The topics of a rule.
struct Table {
    /// One of these must be there.
    needs: &'static [Topic],
    /// None of these may be.
    forbids: &'static [Topic],
    /// These leave it open.
    opens: &'static [Topic],
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
};

/// The model's scores of the whole comment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scores {
    pub product: i32,
    pub delivery: i32,
    pub delay: i32,
}

impl Scores {
    /// Adds the scores of a clause.
    pub(super) fn add(&mut self, [product, delivery, delay]: [i32; 3]) {
        self.product = self.product.saturating_add(product);
        self.delivery = self.delivery.saturating_add(delivery);
        self.delay = self.delay.saturating_add(delay);
    }
}

/// From this score on, words without a topic are taken for a product review where a product is
/// named, and none of its receipt.
const NAMED_PRODUCT_FROM: i32 = 250;
/// The same where none is.
const PRODUCT_FROM: i32 = 600;
/// So few words are not judged by the model alone.
const SOME_WORDS: usize = 3;
/// From this score on, words that no lexicon knows are taken for delivery, or for a delay.
const DELIVERY_FROM: i32 = 400;
const DELAY_FROM: i32 = 400;
/// Below this one, even words of the lexicon are not what they seem.
const DOUBT: i32 = -150;

/// A comment that is to be judged as a whole.
pub(super) struct Whole<'a> {
    pub text: &'a Text,
    pub parts: &'a [Part],
    pub scores: Scores,
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

    fn spans(&self, topics: &[Topic]) -> Vec<(Topic, Span)> {
        let all = self.parts.iter().flat_map(|part| &part.topics);
        let wanted = all.filter(|(topic, _)| topics.contains(topic));
        wanted.map(|(topic, (start, end))| (*topic, self.text.span(*start, *end))).collect()
    }

    fn begin(&self, table: &Table) -> Verdict {
        let evidence = self.spans(table.needs).into_iter();
        let blocked = [table.forbids, table.opens].concat();
        let blockers = self.spans(&blocked).into_iter();
        let all = self.topics();
        let decision = if all.has_any(table.forbids) {
            Decision::Not
        } else if all.has_any(table.opens) || !self.doubts.is_empty() {
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

    /// Whether words without a topic are enough, and like enough, to be a product review.
    pub(super) fn reads_like_a_product(&self) -> bool {
        let words: usize = self.parts.iter().map(|part| part.words).sum();
        let is_named = self.has(Class::Noun) && !self.has(Class::Receive);
        let from = if is_named { NAMED_PRODUCT_FROM } else { PRODUCT_FROM };
        words >= SOME_WORDS && self.scores.product >= from
    }

    /// Whether words without a topic are like enough to a complaint about delay.
    pub(super) fn reads_like_delay(&self) -> bool {
        self.scores.delay >= DELAY_FROM
    }

    /// Whether a clause has no topic, and words that no lexicon knows and that the model does not
    /// take for those of the rule.
    fn has_strange_clause(&self, head: Head) -> bool {
        self.parts.iter().any(|part| {
            part.topics.is_empty() && part.unknown > 1 && part.scores[head.index()] <= 0
        })
    }

    /// Rule 3.
    pub(super) fn product_review(&self) -> Verdict {
        let mut verdict = self.begin(&PRODUCT_REVIEW);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
        }
        if self.has_sellers_data {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::WhoseData);
        }
        // A parcel is more often a word of delivery than of receipt.
        if self.has(Class::Parcel) {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::Topic(Topic::Delivery));
        }
        let says_product = all.has(Topic::Product);
        let reads_so = self.reads_like_a_product();
        if says_product {
            doubt(&mut verdict, self.scores.product);
            if self.has_strange_clause(Head::Product) {
                lower(&mut verdict, Decision::Uncertain, BlockerKind::UnreadClause);
            }
        } else if reads_so {
            self.tell_clauses(&mut verdict, Topic::Product, |_| true);
        } else if all.has_any(&[Topic::Seller, Topic::Avoid]) || self.has(Class::Obscene) {
            lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
        } else if self.unknown() > 0 {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::UnreadClause);
        } else if self.has(Class::Bad) || !all.is_empty() {
            lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
        } else {
            let to = if self.doubts.is_empty() { Decision::Not } else { Decision::Uncertain };
            lower(&mut verdict, to, BlockerKind::NothingSaid);
        }
        verdict
    }

    /// Rule 4, for an order that Amazon fulfilled.
    pub(super) fn fulfilled_by_amazon(&self) -> Verdict {
        let mut verdict = self.begin(&FULFILLED_BY_AMAZON);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
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
        if !all.has_any(FULFILLED_BY_AMAZON.needs) {
            if all.has_any(&open) {
                lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
            } else if self.scores.delivery >= DELIVERY_FROM {
                self.tell_clauses(&mut verdict, Topic::Delivery, |part| part.scores[1] > 0);
            } else {
                lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
            }
            return verdict;
        }
        let harmed = all.has_any(&[Topic::Damage, Topic::Broken]);
        if harmed && !all.has_any(&[Topic::Transit, Topic::Packing, Topic::Courier]) {
            let kind = BlockerKind::Topic(Topic::Damage);
            lower(&mut verdict, Decision::Uncertain, kind);
        }
        doubt(&mut verdict, self.scores.delivery);
        verdict
    }

    /// Rule 5, for an order that was shipped on time with Buy Shipping.
    pub(super) fn buy_shipping(&self) -> Verdict {
        let mut verdict = self.begin(&BUY_SHIPPING);
        let all = self.topics();
        if verdict.decision == Decision::Not {
            return verdict;
        }
        if !all.has_any(BUY_SHIPPING.needs) {
            if self.reads_like_delay() && !all.has(Topic::DeliveryCost) {
                self.tell_clauses(&mut verdict, Topic::Late, |part| part.scores[2] > 0);
            } else if all.has(Topic::Delivery) {
                lower(&mut verdict, Decision::Uncertain, BlockerKind::NothingSaid);
            } else {
                lower(&mut verdict, Decision::Not, BlockerKind::NothingSaid);
            }
            return verdict;
        }
        doubt(&mut verdict, self.scores.delay);
        verdict
    }

    /// The clauses that the model takes for a topic, as evidence.
    fn tell_clauses(&self, verdict: &mut Verdict, topic: Topic, is_so: fn(&Part) -> bool) {
        for part in self.parts.iter().filter(|part| is_so(part)) {
            let span = self.text.span(part.place.0, part.place.1);
            verdict.evidence.push(Evidence { span, finding: Finding::Topic(topic) });
        }
    }
}

/// Leaves open what is unlike the labelled comments.
fn doubt(verdict: &mut Verdict, score: i32) {
    if score < DOUBT {
        lower(verdict, Decision::Uncertain, BlockerKind::UnlikeTheCorpus);
    }
}

fn lower(verdict: &mut Verdict, to: Decision, kind: BlockerKind) {
    verdict.decision = verdict.decision.min(to);
    verdict.blockers.push(Blocker { kind, span: None });
}
