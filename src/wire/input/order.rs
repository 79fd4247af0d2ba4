//! Records of the orders topic.

use crate::domain::event::{Channel, Event, OrderEvent, OrderStatus};

use super::cause::Fault;
use super::common::Common;
use super::field::Field;
use super::fields::Fields;

/// What a record of this topic must have.
pub(super) const REQUIRED: [Field; 5] = [
    Field::SellerId,
    Field::OrderId,
    Field::PurchaseDate,
    Field::FulfillmentChannel,
    Field::OrderStatus,
];

/// Reads what is this topic's own.
pub(super) fn read<'a>(fields: &Fields<'a>, common: &Common<'a>) -> Result<Event<'a>, Fault> {
    Ok(Event::Order(OrderEvent {
        seller: common.seller,
        marketplace: common.marketplace,
        order: common.order,
        event_time: common.event_time,
        purchase_time: common.purchase_time.ok_or(Fault::Missing(Field::PurchaseDate))?,
        channel: fields.required(Field::FulfillmentChannel, channel)?,
        status: fields.required(Field::OrderStatus, status)?,
        buy_shipping: fields.flag(Field::BuyShipping)?,
        shipped_on_time: fields.flag(Field::ShippedOnTime)?,
    }))
}

fn channel(text: &str) -> Option<Channel> {
    match text {
        "MFN" | "Merchant" => Some(Channel::Mfn),
        "AFN" | "Amazon" => Some(Channel::Afn),
        _ => None,
    }
}

fn status(text: &str) -> Option<OrderStatus> {
    match text {
        "Pending" | "PendingAvailability" => Some(OrderStatus::Pending),
        "Unshipped" | "PartiallyShipped" | "Shipped" | "InvoiceUnconfirmed" | "Unfulfillable" => {
            Some(OrderStatus::Open)
        }
        "Canceled" | "Cancelled" => Some(OrderStatus::Canceled),
        _ => None,
    }
}
