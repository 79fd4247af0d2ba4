//! What a judgement of a comment is made of: rules, decisions, evidence, blockers and reasons.
//!
//! Invariants: every closed set is an enum with `as_str` and a list of all; spans are bytes of the
//! comment as it was given, on boundaries of characters. Absent on purpose: any text of a buyer.

use super::facts::{Compact, Facts, limit};
use super::lexicon::Language;
use super::model::Scores;
use super::topic::Topic;

/// The version of the rules, the lexicons and the model: equal versions give equal verdicts.
pub const VERSION: u32 = 2;

/// The marketplace's rules by which a feedback is removed or struck through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// 1: obscene language.
    Obscene,
    /// 2: personal information of the seller.
    PersonalData,
    /// 3: the entire comment is a product review.
    ProductReview,
    /// 4: fulfilled by Amazon, and about delivery or Amazon's customer service.
    FulfilledByAmazon,
    /// 5: shipped on time with Buy Shipping, and the entire comment is about delay or non-receipt.
    BuyShipping,
}

impl Rule {
    /// All rules, by number.
    pub const ALL: [Self; 5] = [
        Self::Obscene,
        Self::PersonalData,
        Self::ProductReview,
        Self::FulfilledByAmazon,
        Self::BuyShipping,
    ];

    /// The rule's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Obscene => "obscene",
            Self::PersonalData => "personal_data",
            Self::ProductReview => "product_review",
            Self::FulfilledByAmazon => "fulfilled_by_amazon",
            Self::BuyShipping => "buy_shipping",
        }
    }

    /// The rule's place in [`Rule::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Obscene => 0,
            Self::PersonalData => 1,
            Self::ProductReview => 2,
            Self::FulfilledByAmazon => 3,
            Self::BuyShipping => 4,
        }
    }
}

/// Whether a rule applies; ascending, so that the lesser of two is the more careful one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// It does not: do not ask for removal under it.
    Not,
    /// It may: a person must look.
    Uncertain,
    /// It does.
    Eligible,
}

impl Decision {
    /// All decisions, ascending.
    pub const ALL: [Self; 3] = [Self::Not, Self::Uncertain, Self::Eligible];

    /// The decision's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Not => "not",
            Self::Uncertain => "uncertain",
            Self::Eligible => "eligible",
        }
    }
}

/// A part of the comment as it was given, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl Span {
    /// The words themselves; empty where the span is not one of this comment.
    #[must_use]
    pub fn of(self, comment: &str) -> &str {
        comment.get(self.start..self.end).unwrap_or_default()
    }
}

/// What speaks for a rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub finding: Finding,
}

/// What a piece of evidence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A word of at least middle strength.
    ObsceneWord,
    /// The same, disguised.
    DisguisedWord,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Telephone,
    /// A postal address.
    PostalAddress,
    /// A full name.
    FullName,
    /// An address at a messenger or social network.
    Handle,
    /// Words on a topic that the rule asks for.
    Topic(Topic),
}

impl Finding {
    /// All but topics; new ones come at the end, for their places are kept in states.
    pub const PLAIN: [Self; 7] = [
        Self::ObsceneWord,
        Self::DisguisedWord,
        Self::Email,
        Self::Telephone,
        Self::PostalAddress,
        Self::FullName,
        Self::Handle,
    ];

    /// The finding's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ObsceneWord => "obscene_word",
            Self::DisguisedWord => "disguised_word",
            Self::Email => "email",
            Self::Telephone => "telephone",
            Self::PostalAddress => "postal_address",
            Self::FullName => "full_name",
            Self::Handle => "handle",
            Self::Topic(topic) => topic.as_str(),
        }
    }
}

/// What speaks against a rule or leaves it open, and where it stands if it stands anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blocker {
    /// What it is.
    pub kind: BlockerKind,
    /// Where it stands; none for what is a fact of the order or of the whole comment.
    pub span: Option<Span>,
}

/// What a blocker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockerKind {
    /// There is no comment.
    EmptyComment,
    /// Nothing that the rule is about is said.
    NothingSaid,
    /// Words on a topic that the rule does not allow, or that leaves it open.
    Topic(Topic),
    /// A clause whose words are not known well enough.
    UnreadClause,
    /// A single word says too little.
    OneWord,
    /// The language is none of those that are read.
    UnknownLanguage,
    /// Several languages.
    MixedLanguages,
    /// Longer than what is read.
    TooLong,
    /// Signs of irony.
    Irony,
    /// Signs, pictures or letters in place of words.
    Pictures,
    /// The clauses on the topic do not read like those of the labelled comments.
    UnlikeTheCorpus,
    /// A word too mild to be obscene.
    MildWord,
    /// A word of which too little shows.
    MaskedWord,
    /// The buyer's own data.
    BuyersData,
    /// A carrier's data.
    CarriersData,
    /// A maker's or author's data.
    MakersData,
    /// The marketplace's data.
    MarketplacesData,
    /// An order, tracking or article number.
    OrderNumber,
    /// A number that may be a telephone number.
    BareNumber,
    /// A first name or a surname alone.
    PartOfName,
    /// The address of a shop or site.
    ShopAddress,
    /// Data of which it is not clear whose they are.
    WhoseData,
    /// Not fulfilled by Amazon.
    SellerFulfilled,
    /// It is not known who fulfilled the order.
    ChannelUnknown,
    /// Fulfilled by Amazon, where the rule is about the seller's shipping.
    AmazonFulfilled,
    /// Not shipped with Buy Shipping.
    NoBuyShipping,
    /// It is not known whether Buy Shipping was used.
    BuyShippingUnknown,
    /// Shipped late.
    ShippedLate,
    /// It is not known whether it was shipped on time.
    ShippedOnTimeUnknown,
}

impl BlockerKind {
    /// All but topics; new ones come at the end, for their places are kept in states.
    pub const PLAIN: [Self; 28] = [
        Self::EmptyComment,
        Self::NothingSaid,
        Self::UnreadClause,
        Self::OneWord,
        Self::UnknownLanguage,
        Self::MixedLanguages,
        Self::TooLong,
        Self::Irony,
        Self::Pictures,
        Self::UnlikeTheCorpus,
        Self::MildWord,
        Self::MaskedWord,
        Self::BuyersData,
        Self::CarriersData,
        Self::MakersData,
        Self::MarketplacesData,
        Self::OrderNumber,
        Self::BareNumber,
        Self::PartOfName,
        Self::ShopAddress,
        Self::WhoseData,
        Self::SellerFulfilled,
        Self::ChannelUnknown,
        Self::AmazonFulfilled,
        Self::NoBuyShipping,
        Self::BuyShippingUnknown,
        Self::ShippedLate,
        Self::ShippedOnTimeUnknown,
    ];

    /// The blocker's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyComment => "empty_comment",
            Self::NothingSaid => "nothing_said",
            Self::Topic(topic) => topic.as_str(),
            Self::UnreadClause => "unread_clause",
            Self::OneWord => "one_word",
            Self::UnknownLanguage => "unknown_language",
            Self::MixedLanguages => "mixed_languages",
            Self::TooLong => "too_long",
            Self::Irony => "irony",
            Self::Pictures => "pictures",
            Self::UnlikeTheCorpus => "unlike_the_corpus",
            Self::MildWord => "mild_word",
            Self::MaskedWord => "masked_word",
            Self::BuyersData => "buyers_data",
            Self::CarriersData => "carriers_data",
            Self::MakersData => "makers_data",
            Self::MarketplacesData => "marketplaces_data",
            Self::OrderNumber => "order_number",
            Self::BareNumber => "bare_number",
            Self::PartOfName => "part_of_name",
            Self::ShopAddress => "shop_address",
            Self::WhoseData => "whose_data",
            Self::SellerFulfilled => "seller_fulfilled",
            Self::ChannelUnknown => "channel_unknown",
            Self::AmazonFulfilled => "amazon_fulfilled",
            Self::NoBuyShipping => "no_buy_shipping",
            Self::BuyShippingUnknown => "buy_shipping_unknown",
            Self::ShippedLate => "shipped_late",
            Self::ShippedOnTimeUnknown => "shipped_on_time_unknown",
        }
    }
}

/// Why a buyer was not content: the root, not what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It came late.
    Late,
    /// It did not come.
    NotReceived,
    /// It came damaged.
    Damaged,
    /// Another item, another variant, or parts of it missing.
    WrongItem,
    /// Not what was described: counterfeit, used as new.
    NotAsDescribed,
    /// The product does not work or is poor.
    Quality,
    /// The seller was rude or did not answer.
    Service,
    /// The return or the refund went wrong.
    Return,
    /// None of these, or nothing said.
    Other,
}

impl Reason {
    /// All reasons, in the order of output.
    pub const ALL: [Self; 9] = [
        Self::Late,
        Self::NotReceived,
        Self::Damaged,
        Self::WrongItem,
        Self::NotAsDescribed,
        Self::Quality,
        Self::Service,
        Self::Return,
        Self::Other,
    ];

    /// The reason's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NotReceived => "not_received",
            Self::Damaged => "damaged",
            Self::WrongItem => "wrong_item",
            Self::NotAsDescribed => "not_as_described",
            Self::Quality => "quality",
            Self::Service => "rude_or_no_answer",
            Self::Return => "return_or_refund",
            Self::Other => "other",
        }
    }

    /// The reason's place in [`Reason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|reason| *reason == self).expect("ALL lists every reason")
    }
}

/// One rule's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the rule applies.
    pub decision: Decision,
    /// What speaks for it, in the order of the comment.
    pub evidence: Vec<Evidence>,
    /// What speaks against it or leaves it open, in the order of the comment; what has no place
    /// comes first.
    pub blockers: Vec<Blocker>,
}

impl Verdict {
    /// The verdict on a rule that nothing speaks for.
    #[must_use]
    pub fn not(kind: BlockerKind) -> Self {
        Self {
            decision: Decision::Not,
            evidence: Vec::new(),
            blockers: vec![Blocker { kind, span: None }],
        }
    }

    /// Brings evidence and blockers into the order of output.
    pub(super) fn sort(&mut self) {
        self.evidence.sort_unstable();
        self.evidence.dedup();
        self.blockers.sort_unstable_by_key(|blocker| (blocker.span, blocker.kind));
        self.blockers.dedup();
    }

    /// The same verdict, no better than `limit`, for these reasons.
    #[must_use]
    pub(super) fn capped(&self, limit: Decision, kinds: &[BlockerKind]) -> Self {
        let mut capped = self.clone();
        capped.decision = capped.decision.min(limit);
        let added = kinds.iter().map(|kind| Blocker { kind: *kind, span: None });
        capped.blockers.splice(0..0, added);
        capped
    }
}

/// What a clause of the comment was read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Where it stands.
    pub span: Span,
    /// Its topics, each with the words that say so.
    pub topics: Vec<(Topic, Span)>,
    /// Whether its words are known well enough.
    pub is_read: bool,
    /// How much it reads like each head of the model.
    pub scores: Scores,
}

/// A comment as it was read, before anything is known of the order.
///
/// The decisions in here hold for an order of which every fact speaks for the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The language, if it is one that is read.
    pub language: Option<Language>,
    /// By [`Rule::index`].
    pub verdicts: [Verdict; 5],
    /// The root of the matter.
    pub reason: Reason,
    /// The clauses, in order.
    pub clauses: Vec<Clause>,
    /// By how many thousandths rules 3 to 5 are above (or below) what they must come to.
    pub weighed: [i32; 3],
    /// How many steps the reading took: bounded by the length that is read.
    pub work: usize,
}

impl Reading {
    /// The verdicts on an order of which these facts are known.
    #[must_use]
    pub fn decide(&self, facts: Facts) -> Verdicts {
        let verdicts = Rule::ALL.map(|rule| {
            let verdict = &self.verdicts[rule.index()];
            let (limit, kinds) = limit(rule, facts);
            verdict.capped(limit, &kinds)
        });
        Verdicts { language: self.language, verdicts, reason: self.reason }
    }

    /// What of the reading may be kept where no comment may be.
    #[must_use]
    pub fn compact(&self) -> Compact {
        Compact {
            decisions: [0, 1, 2, 3, 4].map(|at: usize| self.verdicts[at].decision),
            reason: self.reason,
        }
    }
}

/// The verdicts on one feedback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// The language, if it is one that is read.
    pub language: Option<Language>,
    /// By [`Rule::index`].
    pub verdicts: [Verdict; 5],
    /// The root of the matter.
    pub reason: Reason,
}

impl Verdicts {
    /// The verdict on a rule.
    #[must_use]
    pub const fn of(&self, rule: Rule) -> &Verdict {
        &self.verdicts[rule.index()]
    }
}
