//! What records of all four topics have in common.

use crate::domain::event::{DefectEvent, DefectFact, Event};
use crate::domain::ids::{MarketplaceId, OrderId, RefId, SellerId};
use crate::domain::time::EventTime;

use super::cause::Fault;
use super::field::Field;
use super::fields::Fields;

/// The fields that every topic has.
pub(super) struct Common<'a> {
    pub seller: SellerId<'a>,
    pub marketplace: MarketplaceId<'a>,
    pub order: OrderId<'a>,
    /// As stated, or the record's own time; not yet compared with anything.
    pub event_time: EventTime,
    pub purchase_time: Option<EventTime>,
}

impl<'a> Common<'a> {
    /// Reads them; `otherwise` is the event time of a record that states none.
    #[inline]
    pub(super) fn read(fields: &Fields<'a>, otherwise: EventTime) -> Result<Self, Fault> {
        let event_time = fields.time(Field::EventTime)?.unwrap_or(otherwise);
        let seller = fields.required(Field::SellerId, SellerId::new)?;
        let marketplace = fields
            .choice(Field::MarketplaceId, MarketplaceId::new)?
            .unwrap_or(MarketplaceId::ABSENT);
        let order = fields.required(Field::OrderId, OrderId::new)?;
        let purchase_time = fields.time(Field::PurchaseDate)?;
        Ok(Self { seller, marketplace, order, event_time, purchase_time })
    }

    /// The event of a defect topic.
    pub(super) const fn defect(&self, reference: Option<RefId<'a>>, fact: DefectFact) -> Event<'a> {
        Event::Defect(DefectEvent {
            seller: self.seller,
            order: self.order,
            event_time: self.event_time,
            purchase_time: self.purchase_time,
            reference,
            fact,
        })
    }
}
