//! What comes in: topics, decoded facts, and the reasons and outcomes of records.
//!
//! Invariants: every closed set is an enum with `as_str`; the order of the variants is the order
//! that SEMANTICS sections 2 and 3 give (topics, reasons, ranks), so that `Ord` is the rule.
//! Events borrow from the bytes of their record. Absent on purpose: JSON.

use super::ids::{MarketplaceId, OrderId, RefId, SellerId};
use super::time::EventTime;

/// The four input topics, in the order in which dead letters of a boundary are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Orders and their changes.
    Orders,
    /// Feedback and its changes.
    Feedback,
    /// A-to-z claims and their changes.
    Claims,
    /// Credit-card chargebacks and their changes.
    Chargebacks,
}

impl Topic {
    /// All topics, in order.
    pub const ALL: [Self; 4] = [Self::Orders, Self::Feedback, Self::Claims, Self::Chargebacks];

    /// The topic's role (and default name).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Feedback => "feedback",
            Self::Claims => "claims",
            Self::Chargebacks => "chargebacks",
        }
    }

    /// The topic's place in [`Topic::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Orders => 0,
            Self::Feedback => 1,
            Self::Claims => 2,
            Self::Chargebacks => 3,
        }
    }
}

/// Who ships an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Seller-fulfilled.
    Mfn,
    /// Fulfilled by Amazon (FBA).
    Afn,
}

impl Channel {
    /// Both channels, in the order of output.
    pub const ALL: [Self; 2] = [Self::Mfn, Self::Afn];

    /// The channel's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mfn => "mfn",
            Self::Afn => "afn",
        }
    }

    /// The channel's place in [`Channel::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Mfn => 0,
            Self::Afn => 1,
        }
    }
}

/// The three groups of order statuses, ascending: a later group, once stated, stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderStatus {
    /// Pending, `PendingAvailability`.
    Pending,
    /// Unshipped, `PartiallyShipped`, Shipped, `InvoiceUnconfirmed`, Unfulfillable.
    Open,
    /// Canceled.
    Canceled,
}

/// The kinds of defects, in the order of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectKind {
    /// A feedback of 1 or 2 stars.
    NegativeFeedback,
    /// An A-to-z claim.
    Claim,
    /// A credit-card chargeback.
    Chargeback,
}

impl DefectKind {
    /// All kinds, in order.
    pub const ALL: [Self; 3] = [Self::NegativeFeedback, Self::Claim, Self::Chargeback];

    /// The kind's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NegativeFeedback => "negative_feedback",
            Self::Claim => "claim",
            Self::Chargeback => "chargeback",
        }
    }

    /// The kind's place in [`DefectKind::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::NegativeFeedback => 0,
            Self::Claim => 1,
            Self::Chargeback => 2,
        }
    }
}

/// A feedback's status; ascending rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FeedbackStatus {
    /// As first given.
    Posted,
    /// Changed by the buyer.
    Updated,
    /// Taken back by the buyer.
    Withdrawn,
    /// Struck through by Amazon: visible, not counted.
    StruckThrough,
    /// Removed by Amazon.
    Removed,
}

/// A claim's status; ascending rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimStatus {
    /// Filed by the buyer.
    Filed,
    /// Under review at Amazon.
    UnderReview,
    /// Granted to the buyer.
    Granted,
    /// Denied.
    Denied,
    /// Taken back by the buyer.
    Withdrawn,
    /// Closed because the seller refunded after the claim was filed.
    ClosedRefunded,
    /// The seller appealed against a granted claim.
    Appealed,
    /// The appeal was won.
    Reversed,
}

/// Who paid a granted claim; ascending rank, absent is below both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FundedBy {
    /// The seller.
    Seller,
    /// Amazon.
    Amazon,
}

/// A chargeback's status; ascending rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChargebackStatus {
    /// Opened by the bank.
    Opened,
    /// Under review.
    UnderReview,
    /// Decided for the buyer.
    Lost,
    /// Decided for the seller.
    Won,
    /// Taken back.
    Reversed,
}

/// Why a buyer charged back; ascending rank, service where absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChargebackReason {
    /// Not received, not as described, not refunded.
    Service,
    /// A stolen card; never counts.
    Fraud,
}

/// A decoded, valid event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// From the orders topic.
    Order(OrderEvent<'a>),
    /// From one of the three defect topics.
    Defect(DefectEvent<'a>),
}

/// What a record of the orders topic states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderEvent<'a> {
    /// The seller.
    pub seller: SellerId<'a>,
    /// The marketplace, [`MarketplaceId::ABSENT`] where none is stated.
    pub marketplace: MarketplaceId<'a>,
    /// The order.
    pub order: OrderId<'a>,
    /// When this was so.
    pub event_time: EventTime,
    /// When the buyer bought.
    pub purchase_time: EventTime,
    /// Who ships.
    pub channel: Channel,
    /// The group of its status.
    pub status: OrderStatus,
    /// Shipped with Buy Shipping, where stated.
    pub buy_shipping: Option<bool>,
    /// Shipped on time, where stated.
    pub shipped_on_time: Option<bool>,
}

/// What a record of a defect topic states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectEvent<'a> {
    /// The seller.
    pub seller: SellerId<'a>,
    /// The order.
    pub order: OrderId<'a>,
    /// When this was so.
    pub event_time: EventTime,
    /// The purchase time of the order, where stated: used only to see that it is expired.
    pub purchase_time: Option<EventTime>,
    /// The claim's or chargeback's own id; none for feedback.
    pub reference: Option<RefId<'a>>,
    /// What is stated.
    pub fact: DefectFact,
}

/// The state of one defect as one event states it. `Ord` within a kind is the merge's order of
/// events of equal time (SEMANTICS section 3); facts of different kinds are never compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefectFact {
    /// A feedback.
    Feedback {
        /// Its status.
        status: FeedbackStatus,
        /// 1..=5 stars.
        rating: u8,
    },
    /// An A-to-z claim.
    Claim {
        /// Its status.
        status: ClaimStatus,
        /// Who paid, where stated.
        funded_by: Option<FundedBy>,
        /// The marketplace's own word on whether it counts, where stated.
        odr_impact: Option<bool>,
    },
    /// A chargeback.
    Chargeback {
        /// Its status.
        status: ChargebackStatus,
        /// Its reason, the default filled in.
        reason: ChargebackReason,
        /// The marketplace's own word on whether it counts, where stated.
        odr_impact: Option<bool>,
    },
}

impl DefectFact {
    /// The kind of defect that the fact is about.
    #[must_use]
    pub const fn kind(&self) -> DefectKind {
        match self {
            Self::Feedback { .. } => DefectKind::NegativeFeedback,
            Self::Claim { .. } => DefectKind::Claim,
            Self::Chargeback { .. } => DefectKind::Chargeback,
        }
    }
}

/// Why a record became a dead letter, in the order in which the reasons are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeadReason {
    /// The value is longer than the limit.
    TooLarge,
    /// The first byte is 0x00: Avro or Protobuf framing of a schema registry.
    SchemaFramed,
    /// Empty, not UTF-8, not JSON, nested too deep, or an unpaired surrogate where it matters.
    Parse,
    /// A known field is given twice.
    DuplicateKey,
    /// A required field is absent.
    MissingField,
    /// A known field has a wrong type, range or value, or the value is not an object.
    BadValue,
    /// The partition is not the one of its seller.
    Misrouted,
    /// The event time is out of range, or there is no timestamp.
    BadTime,
    /// The purchase is later than its event allows.
    PurchaseInFuture,
}

impl DeadReason {
    /// All reasons, in order.
    pub const ALL: [Self; 9] = [
        Self::TooLarge,
        Self::SchemaFramed,
        Self::Parse,
        Self::DuplicateKey,
        Self::MissingField,
        Self::BadValue,
        Self::Misrouted,
        Self::BadTime,
        Self::PurchaseInFuture,
    ];

    /// The stable code in headers, files and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::SchemaFramed => "schema_framed",
            Self::Parse => "parse",
            Self::DuplicateKey => "duplicate_key",
            Self::MissingField => "missing_field",
            Self::BadValue => "bad_value",
            Self::Misrouted => "misrouted",
            Self::BadTime => "bad_time",
            Self::PurchaseInFuture => "purchase_in_future",
        }
    }

    /// The reason's place in [`DeadReason::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|reason| *reason == self).expect("ALL lists every reason")
    }
}

/// How a record ended. Every record read ends in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It changed what is known.
    Applied,
    /// It said what was known.
    Duplicate,
    /// Something newer was known.
    Superseded,
    /// It states a purchase day before the horizon.
    Expired,
    /// Its value was null.
    Tombstone,
    /// It became a dead letter.
    Dead,
}

impl Outcome {
    /// All outcomes, in the order of output.
    pub const ALL: [Self; 6] = [
        Self::Applied,
        Self::Duplicate,
        Self::Superseded,
        Self::Expired,
        Self::Tombstone,
        Self::Dead,
    ];

    /// The outcome's name in files and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Tombstone => "tombstone",
            Self::Dead => "dead",
        }
    }

    /// The outcome's place in [`Outcome::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Applied => 0,
            Self::Duplicate => 1,
            Self::Superseded => 2,
            Self::Expired => 3,
            Self::Tombstone => 4,
            Self::Dead => 5,
        }
    }
}
