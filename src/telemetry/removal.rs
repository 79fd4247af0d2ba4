//! How the advice to have a feedback removed is judged afterwards: labels of a metric.

/// The rules by which a feedback may be removed, as the advice has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalRule {
    /// Obscene language.
    Obscene,
    /// Personal information of the seller.
    PersonalData,
    /// The entire comment is a product review.
    ProductReview,
    /// Fulfilled by Amazon.
    FulfilledByAmazon,
    /// Shipped on time with Buy Shipping.
    BuyShipping,
}

impl RemovalRule {
    /// All rules, in order.
    pub const ALL: [Self; 5] = [
        Self::Obscene,
        Self::PersonalData,
        Self::ProductReview,
        Self::FulfilledByAmazon,
        Self::BuyShipping,
    ];

    /// The rule's name.
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
}

/// How a feedback ended that was held to be eligible for removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RemovalEnd {
    /// The marketplace struck it through or removed it.
    Granted,
    /// The buyer changed or withdrew it, or its order left every view.
    Otherwise,
}

impl RemovalEnd {
    /// Both ends, in order.
    pub const ALL: [Self; 2] = [Self::Granted, Self::Otherwise];

    /// The end's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Otherwise => "otherwise",
        }
    }
}
