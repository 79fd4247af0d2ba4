//! Owns the words of an event: what an order or a defect can state.
//!
//! The derived orders are the ranks by which section 3 merges.

/// The three groups of order statuses, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Pending,
    Placed,
    Canceled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Mfn,
    Afn,
}

/// What an order event states.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderFact {
    pub purchase_ms: i64,
    pub group: Group,
    pub channel: Channel,
    /// `""` where none is stated.
    pub marketplace: String,
    pub buy_shipping: Option<bool>,
    pub shipped_on_time: Option<bool>,
}

/// The kinds of defects, in the order of their topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    NegativeFeedback,
    Claim,
    Chargeback,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::NegativeFeedback => "negative_feedback",
            Self::Claim => "claim",
            Self::Chargeback => "chargeback",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeedbackStatus {
    Posted,
    Updated,
    Withdrawn,
    StruckThrough,
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClaimStatus {
    Filed,
    UnderReview,
    Granted,
    Denied,
    Withdrawn,
    ClosedRefunded,
    Appealed,
    Reversed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Payer {
    Seller,
    Amazon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChargebackStatus {
    Opened,
    UnderReview,
    Lost,
    Won,
    Reversed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    Service,
    Fraud,
}

/// The marketplace's own word on whether a defect counts, where stated.
pub type Impact = Option<bool>;

/// What a defect event states; within a variant the derived order is that of the merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DefectFact {
    Feedback { event_ms: i64, status: FeedbackStatus, rating: u64 },
    Claim { event_ms: i64, status: ClaimStatus, funded_by: Option<Payer>, odr_impact: Impact },
    Chargeback { event_ms: i64, status: ChargebackStatus, reason: Reason, odr_impact: Impact },
}

impl DefectFact {
    pub fn event_ms(&self) -> i64 {
        match *self {
            Self::Feedback { event_ms, .. }
            | Self::Claim { event_ms, .. }
            | Self::Chargeback { event_ms, .. } => event_ms,
        }
    }
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Order(OrderFact),
    Defect {
        kind: Kind,
        reference: Option<String>,
        /// The purchase time of its order, where the event states one.
        purchase_ms: Option<i64>,
        fact: DefectFact,
    },
}

/// A record that can be merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub seller: String,
    pub order_id: String,
    pub content: Content,
}
