//! The known fields of the input topics: their names, second spellings and what they must hold.
//!
//! Invariant: a name means the same field on every topic that has it; a field that a topic does
//! not have is unknown there and found by no name.

use crate::domain::event::Topic;

/// A known field of an input record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// When the fact happened.
    EventTime,
    /// The seller.
    SellerId,
    /// The marketplace.
    MarketplaceId,
    /// The order.
    OrderId,
    /// When the buyer bought.
    PurchaseDate,
    /// Who ships.
    FulfillmentChannel,
    /// The order's status.
    OrderStatus,
    /// Whether Buy Shipping was used.
    BuyShipping,
    /// Whether the order was shipped on time.
    ShippedOnTime,
    /// A feedback's stars.
    Rating,
    /// What the buyer wrote.
    Comment,
    /// The defect's status.
    Status,
    /// When the seller responded in public.
    ResponseTime,
    /// A claim's own id.
    ClaimId,
    /// Who paid a claim.
    FundedBy,
    /// The marketplace's own word on whether a defect counts.
    OdrImpact,
    /// A chargeback's own id.
    ChargebackId,
    /// Why a buyer charged back.
    Reason,
}

/// How many known fields there are.
pub(super) const COUNT: usize = 18;

impl Field {
    /// The field's place among all of them.
    pub(super) const fn index(self) -> usize {
        match self {
            Self::EventTime => 0,
            Self::SellerId => 1,
            Self::MarketplaceId => 2,
            Self::OrderId => 3,
            Self::PurchaseDate => 4,
            Self::FulfillmentChannel => 5,
            Self::OrderStatus => 6,
            Self::BuyShipping => 7,
            Self::ShippedOnTime => 8,
            Self::Rating => 9,
            Self::Comment => 10,
            Self::Status => 11,
            Self::ResponseTime => 12,
            Self::ClaimId => 13,
            Self::FundedBy => 14,
            Self::OdrImpact => 15,
            Self::ChargebackId => 16,
            Self::Reason => 17,
        }
    }

    /// The field's own name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventTime => "event_time",
            Self::SellerId => "seller_id",
            Self::MarketplaceId => "marketplace_id",
            Self::OrderId => "order_id",
            Self::PurchaseDate => "purchase_date",
            Self::FulfillmentChannel => "fulfillment_channel",
            Self::OrderStatus => "order_status",
            Self::BuyShipping => "buy_shipping",
            Self::ShippedOnTime => "shipped_on_time",
            Self::Rating => "rating",
            Self::Comment => "comment",
            Self::Status => "status",
            Self::ResponseTime => "response_time",
            Self::ClaimId => "claim_id",
            Self::FundedBy => "funded_by",
            Self::OdrImpact => "odr_impact",
            Self::ChargebackId => "chargeback_id",
            Self::Reason => "reason",
        }
    }

    /// What the field must hold on a topic, for the message of a dead letter.
    #[must_use]
    pub const fn expected(self, topic: Topic) -> &'static str {
        match self {
            Self::EventTime | Self::PurchaseDate | Self::ResponseTime => "an RFC 3339 time",
            Self::SellerId | Self::OrderId | Self::ClaimId | Self::ChargebackId => {
                "an id of 1 to 64 characters 0x20 to 0x7E"
            }
            Self::MarketplaceId => "an id of at most 64 characters 0x20 to 0x7E",
            Self::FulfillmentChannel => "one of MFN, AFN, Merchant, Amazon",
            Self::OrderStatus => {
                "one of Pending, PendingAvailability, Unshipped, PartiallyShipped, Shipped, \
                 InvoiceUnconfirmed, Unfulfillable, Canceled, Cancelled"
            }
            Self::BuyShipping | Self::ShippedOnTime | Self::OdrImpact => "true or false",
            Self::Rating => "an integer from 1 to 5",
            Self::Comment => "a string",
            Self::Status => match topic {
                Topic::Orders | Topic::Feedback => {
                    "one of posted, updated, withdrawn, struck_through, removed"
                }
                Topic::Claims => {
                    "one of filed, under_review, granted, denied, withdrawn, closed_refunded, \
                     appealed, reversed"
                }
                Topic::Chargebacks => "one of opened, under_review, lost, won, reversed",
            },
            Self::FundedBy => "seller or amazon",
            Self::Reason => "service or fraud",
        }
    }

    /// Whether records of a topic have the field.
    #[must_use]
    pub const fn is_on(self, topic: Topic) -> bool {
        match self {
            Self::EventTime
            | Self::SellerId
            | Self::MarketplaceId
            | Self::OrderId
            | Self::PurchaseDate => true,
            Self::FulfillmentChannel
            | Self::OrderStatus
            | Self::BuyShipping
            | Self::ShippedOnTime => matches!(topic, Topic::Orders),
            Self::Rating | Self::Comment | Self::ResponseTime => matches!(topic, Topic::Feedback),
            Self::Status => !matches!(topic, Topic::Orders),
            Self::ClaimId | Self::FundedBy => matches!(topic, Topic::Claims),
            Self::OdrImpact => matches!(topic, Topic::Claims | Topic::Chargebacks),
            Self::ChargebackId | Self::Reason => matches!(topic, Topic::Chargebacks),
        }
    }

    /// The field of a name, escapes resolved, on a topic.
    #[inline]
    pub(super) fn of_name(name: &[u8], topic: Topic) -> Option<Self> {
        Self::of_any_name(name).filter(|field| field.is_on(topic))
    }

    /// Told apart by length first, so that most names cost one comparison.
    #[expect(clippy::inline_always, reason = "once per member of each record")]
    #[inline(always)]
    fn of_any_name(name: &[u8]) -> Option<Self> {
        match name.len() {
            6 => match name {
                b"status" => Some(Self::Status),
                b"rating" => Some(Self::Rating),
                b"reason" => Some(Self::Reason),
                _ => None,
            },
            7 => (name == b"comment").then_some(Self::Comment),
            8 => match name {
                b"order_id" => Some(Self::OrderId),
                b"SellerId" => Some(Self::SellerId),
                b"claim_id" => Some(Self::ClaimId),
                _ => None,
            },
            9 => match name {
                b"seller_id" => Some(Self::SellerId),
                b"funded_by" => Some(Self::FundedBy),
                _ => None,
            },
            10 => match name {
                b"event_time" => Some(Self::EventTime),
                b"odr_impact" => Some(Self::OdrImpact),
                _ => None,
            },
            11 => (name == b"OrderStatus").then_some(Self::OrderStatus),
            12 => match name {
                b"order_status" => Some(Self::OrderStatus),
                b"buy_shipping" => Some(Self::BuyShipping),
                b"PurchaseDate" => Some(Self::PurchaseDate),
                _ => None,
            },
            13 => match name {
                b"purchase_date" => Some(Self::PurchaseDate),
                b"response_time" => Some(Self::ResponseTime),
                b"chargeback_id" => Some(Self::ChargebackId),
                b"MarketplaceId" => Some(Self::MarketplaceId),
                b"AmazonOrderId" => Some(Self::OrderId),
                _ => None,
            },
            14 => (name == b"marketplace_id").then_some(Self::MarketplaceId),
            15 => (name == b"shipped_on_time").then_some(Self::ShippedOnTime),
            18 => (name == b"FulfillmentChannel").then_some(Self::FulfillmentChannel),
            19 => (name == b"fulfillment_channel").then_some(Self::FulfillmentChannel),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// All fields, in order.
    pub(crate) const ALL: [Field; COUNT] = [
        Field::EventTime,
        Field::SellerId,
        Field::MarketplaceId,
        Field::OrderId,
        Field::PurchaseDate,
        Field::FulfillmentChannel,
        Field::OrderStatus,
        Field::BuyShipping,
        Field::ShippedOnTime,
        Field::Rating,
        Field::Comment,
        Field::Status,
        Field::ResponseTime,
        Field::ClaimId,
        Field::FundedBy,
        Field::OdrImpact,
        Field::ChargebackId,
        Field::Reason,
    ];

    /// The second spellings.
    pub(crate) const SECOND: [(&str, Field); 6] = [
        ("SellerId", Field::SellerId),
        ("MarketplaceId", Field::MarketplaceId),
        ("AmazonOrderId", Field::OrderId),
        ("PurchaseDate", Field::PurchaseDate),
        ("OrderStatus", Field::OrderStatus),
        ("FulfillmentChannel", Field::FulfillmentChannel),
    ];

    #[test]
    fn every_field_is_found_by_its_names_on_its_topics_only() {
        for topic in Topic::ALL {
            for (place, field) in ALL.into_iter().enumerate() {
                assert_eq!(field.index(), place);
                let found = Field::of_name(field.as_str().as_bytes(), topic);
                assert_eq!(found, field.is_on(topic).then_some(field));
            }
            for (name, field) in SECOND {
                let found = Field::of_name(name.as_bytes(), topic);
                assert_eq!(found, field.is_on(topic).then_some(field));
            }
            for name in ["", "Seller_Id", "seller_id ", "RATING", "sellerid", "EventTime"] {
                assert_eq!(Field::of_name(name.as_bytes(), topic), None);
            }
            assert_eq!(ALL.iter().filter(|field| field.is_on(topic)).count(), 9);
        }
    }
}
