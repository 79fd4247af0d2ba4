//! What clauses are about.
//!
//! Invariant: a topic is a bit, and [`Topic::ALL`] is in the order of the bits.

/// A topic of a clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// The product itself: its quality, its function, a failure in use.
    Product,
    /// What it costs.
    Price,
    /// It came late, or is late.
    Late,
    /// It did not come, is lost, or is marked as delivered and is not there.
    NotReceived,
    /// Delivery in general, also praised or denied.
    Delivery,
    /// What the courier did.
    Courier,
    /// What delivery costs: postage, customs.
    DeliveryCost,
    /// How it was packed.
    Packing,
    /// It arrived damaged.
    Damage,
    /// Broken, and it is not said whether on arrival or in use.
    Broken,
    /// It did not work from the first moment.
    DeadOnArrival,
    /// Transit is named as the cause.
    Transit,
    /// What the seller did, said or did not answer.
    Service,
    /// A bare judgement of the seller.
    Seller,
    /// The marketplace's customer service.
    MarketplaceService,
    /// The marketplace is named.
    Marketplace,
    /// A return, refund or exchange that is judged or asked for.
    Return,
    /// A bare return.
    BareReturn,
    /// Not as described, not as pictured, counterfeit, used as new.
    Description,
    /// Another item or variant than ordered.
    WrongItem,
    /// Parts or items missing.
    MissingItem,
    /// "Avoid this seller".
    Avoid,
}

impl Topic {
    /// All topics, in the order of their bits.
    pub const ALL: [Self; 22] = [
        Self::Product,
        Self::Price,
        Self::Late,
        Self::NotReceived,
        Self::Delivery,
        Self::Courier,
        Self::DeliveryCost,
        Self::Packing,
        Self::Damage,
        Self::Broken,
        Self::DeadOnArrival,
        Self::Transit,
        Self::Service,
        Self::Seller,
        Self::MarketplaceService,
        Self::Marketplace,
        Self::Return,
        Self::BareReturn,
        Self::Description,
        Self::WrongItem,
        Self::MissingItem,
        Self::Avoid,
    ];

    /// The topic's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Price => "price",
            Self::Late => "late",
            Self::NotReceived => "not_received",
            Self::Delivery => "delivery",
            Self::Courier => "courier",
            Self::DeliveryCost => "delivery_cost",
            Self::Packing => "packing",
            Self::Damage => "damage",
            Self::Broken => "broken",
            Self::DeadOnArrival => "dead_on_arrival",
            Self::Transit => "transit",
            Self::Service => "service",
            Self::Seller => "seller",
            Self::MarketplaceService => "marketplace_service",
            Self::Marketplace => "marketplace",
            Self::Return => "return",
            Self::BareReturn => "bare_return",
            Self::Description => "description",
            Self::WrongItem => "wrong_item",
            Self::MissingItem => "missing_item",
            Self::Avoid => "avoid_seller",
        }
    }
}

/// A set of topics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Topics(u32);

impl Topics {
    /// The set of these.
    pub(super) fn of(topics: &[Topic]) -> Self {
        let mut set = Self::default();
        for topic in topics {
            set.add(*topic);
        }
        set
    }

    pub(super) fn add(&mut self, topic: Topic) {
        self.0 |= bit(topic);
    }

    pub(super) fn has(self, topic: Topic) -> bool {
        self.0 & bit(topic) != 0
    }

    pub(super) fn has_any(self, topics: &[Topic]) -> bool {
        self.0 & Self::of(topics).0 != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

fn bit(topic: Topic) -> u32 {
    let place = Topic::ALL.iter().position(|other| *other == topic);
    1 << place.expect("ALL lists every topic")
}
