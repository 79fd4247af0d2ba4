//! Owns what a record says: from its bytes to an event, or to the reason of its dead letter.
//!
//! The reasons are tried over the whole record in the order of [`Dead`].

use std::collections::BTreeMap;

use super::events::{
    Channel, ChargebackStatus, ClaimStatus, Content, DefectFact, Event, FeedbackStatus, Group,
    Kind, OrderFact, Payer, Reason,
};
use super::json::{self, Document, Value};
use super::times::parse_time;
use super::{Config, Record, route};

pub const TOPICS: [&str; 4] = ["orders", "feedback", "claims", "chargebacks"];
const EARLIEST_EVENT: &str = "2000-01-01T00:00:00Z";

/// Why a record is a dead letter, in the order in which the reasons are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dead {
    TooLarge,
    SchemaFramed,
    Parse,
    DuplicateKey,
    MissingField,
    BadValue,
    Misrouted,
    BadTime,
    PurchaseInFuture,
}

impl Dead {
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

    pub fn name(self) -> &'static str {
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
}

/// Decodes a value that is not null.
pub fn decode(
    config: &Config,
    record: &Record,
    value: &[u8],
    record_time_ms: Option<i64>,
) -> Result<Event, Dead> {
    if value.len() > config.max_record_bytes {
        return Err(Dead::TooLarge);
    }
    if value.first() == Some(&0) {
        return Err(Dead::SchemaFramed);
    }
    let text = std::str::from_utf8(value).map_err(|_| Dead::Parse)?;
    let document = json::read(text).ok_or(Dead::Parse)?;
    let fields = Fields::of(record.topic, document)?;
    fields.check_required(record.topic)?;
    let stated_event_ms = fields.time("event_time")?;
    // Where neither is there, the record ends as `bad_time` below, whatever stands here.
    let event_ms = stated_event_ms.or(record_time_ms).unwrap_or(0);
    let event = fields.event(record.topic, event_ms)?;
    if !route::is_home(config.partitioner, &event.seller, record.partition, config.partitions) {
        return Err(Dead::Misrouted);
    }
    let earliest = parse_time(EARLIEST_EVENT).expect("a constant time");
    let latest = record_time_ms.ok_or(Dead::BadTime)?.saturating_add(config.max_ahead_ms);
    if event_ms < earliest || event_ms > latest {
        return Err(Dead::BadTime);
    }
    if let Content::Order(order) = &event.content
        && order.purchase_ms > event_ms.saturating_add(config.purchase_ahead_ms)
    {
        return Err(Dead::PurchaseInFuture);
    }
    Ok(event)
}

const REQUIRED: [&[&str]; 4] = [
    &["seller_id", "order_id", "purchase_date", "fulfillment_channel", "order_status"],
    &["seller_id", "order_id", "rating", "status"],
    &["seller_id", "order_id", "status"],
    &["seller_id", "order_id", "status"],
];

const OPTIONAL: [&[&str]; 4] = [
    &["event_time", "marketplace_id", "buy_shipping", "shipped_on_time"],
    &["event_time", "marketplace_id", "comment", "response_time", "purchase_date"],
    &["event_time", "marketplace_id", "claim_id", "funded_by", "odr_impact", "purchase_date"],
    &["event_time", "marketplace_id", "chargeback_id", "reason", "odr_impact", "purchase_date"],
];

/// The field of this topic that a name spells.
fn known(topic: usize, name: &str) -> Option<&'static str> {
    let plain = match name {
        "SellerId" => "seller_id",
        "MarketplaceId" => "marketplace_id",
        "AmazonOrderId" => "order_id",
        "PurchaseDate" => "purchase_date",
        "OrderStatus" => "order_status",
        "FulfillmentChannel" => "fulfillment_channel",
        other => other,
    };
    let mut fields = REQUIRED[topic].iter().chain(OPTIONAL[topic]);
    fields.find(|field| **field == plain).copied()
}

/// The known fields of a record that are there and are not null.
struct Fields {
    values: BTreeMap<&'static str, Value>,
}

impl Fields {
    /// Keeps the known fields, or says why the record fails as `parse` or `duplicate_key`.
    fn of(topic: usize, document: Document) -> Result<Self, Dead> {
        let Document::Object(members) = document else {
            return Err(Dead::BadValue);
        };
        let mut found = Vec::new();
        for member in members {
            let name = member.name.ok_or(Dead::Parse)?;
            let Some(field) = known(topic, &name) else {
                continue;
            };
            if member.value == Value::Text(None) {
                return Err(Dead::Parse);
            }
            found.push((field, member.value));
        }
        let mut values = BTreeMap::new();
        for (field, value) in found {
            if values.insert(field, value).is_some() {
                return Err(Dead::DuplicateKey);
            }
        }
        values.retain(|_, value| *value != Value::Null);
        Ok(Self { values })
    }

    fn check_required(&self, topic: usize) -> Result<(), Dead> {
        let mut required = REQUIRED[topic].iter();
        if required.all(|field| self.values.contains_key(field)) {
            Ok(())
        } else {
            Err(Dead::MissingField)
        }
    }

    fn text(&self, field: &str) -> Result<Option<&str>, Dead> {
        match self.values.get(field) {
            None => Ok(None),
            Some(Value::Text(Some(text))) => Ok(Some(text)),
            Some(_) => Err(Dead::BadValue),
        }
    }

    fn id(&self, field: &str) -> Result<Option<String>, Dead> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let good_length = (1..=64).contains(&text.len());
        let good_bytes = text.bytes().all(|byte| (0x20..=0x7E).contains(&byte));
        if good_length && good_bytes { Ok(Some(text.to_owned())) } else { Err(Dead::BadValue) }
    }

    fn required_id(&self, field: &str) -> Result<String, Dead> {
        self.id(field)?.ok_or(Dead::MissingField)
    }

    /// An empty marketplace is an absent one.
    fn marketplace(&self) -> Result<String, Dead> {
        if self.text("marketplace_id")? == Some("") {
            return Ok(String::new());
        }
        Ok(self.id("marketplace_id")?.unwrap_or_default())
    }

    fn time(&self, field: &str) -> Result<Option<i64>, Dead> {
        match self.text(field)? {
            None => Ok(None),
            Some(text) => parse_time(text).map(Some).ok_or(Dead::BadValue),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, Dead> {
        match self.values.get(field) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Dead::BadValue),
        }
    }

    fn one_of<T: Copy>(&self, field: &str, values: &[(&str, T)]) -> Result<Option<T>, Dead> {
        let Some(text) = self.text(field)? else {
            return Ok(None);
        };
        let found = values.iter().find(|(name, _)| *name == text);
        found.map(|(_, value)| Some(*value)).ok_or(Dead::BadValue)
    }

    fn rating(&self) -> Result<u64, Dead> {
        let Some(Value::Number(number)) = self.values.get("rating") else {
            return Err(Dead::BadValue);
        };
        // The grammar of JSON has seen to it that this is `-?digits` or has one of `.eE`.
        let rating = number.parse::<u64>().map_err(|_| Dead::BadValue)?;
        if (1..=5).contains(&rating) { Ok(rating) } else { Err(Dead::BadValue) }
    }

    fn event(&self, topic: usize, event_ms: i64) -> Result<Event, Dead> {
        let seller = self.required_id("seller_id")?;
        let order_id = self.required_id("order_id")?;
        let marketplace = self.marketplace()?;
        let content = match topic {
            0 => Content::Order(self.order(marketplace)?),
            1 => self.feedback(event_ms)?,
            2 => self.claim(event_ms)?,
            _ => self.chargeback(event_ms)?,
        };
        Ok(Event { seller, order_id, content })
    }

    fn order(&self, marketplace: String) -> Result<OrderFact, Dead> {
        let channels = [
            ("MFN", Channel::Mfn),
            ("Merchant", Channel::Mfn),
            ("AFN", Channel::Afn),
            ("Amazon", Channel::Afn),
        ];
        let groups = [
            ("Pending", Group::Pending),
            ("PendingAvailability", Group::Pending),
            ("Unshipped", Group::Placed),
            ("PartiallyShipped", Group::Placed),
            ("Shipped", Group::Placed),
            ("InvoiceUnconfirmed", Group::Placed),
            ("Unfulfillable", Group::Placed),
            ("Canceled", Group::Canceled),
            ("Cancelled", Group::Canceled),
        ];
        Ok(OrderFact {
            purchase_ms: self.time("purchase_date")?.ok_or(Dead::MissingField)?,
            group: self.one_of("order_status", &groups)?.ok_or(Dead::MissingField)?,
            channel: self.one_of("fulfillment_channel", &channels)?.ok_or(Dead::MissingField)?,
            marketplace,
            buy_shipping: self.flag("buy_shipping")?,
            shipped_on_time: self.flag("shipped_on_time")?,
        })
    }

    fn feedback(&self, event_ms: i64) -> Result<Content, Dead> {
        let statuses = [
            ("posted", FeedbackStatus::Posted),
            ("updated", FeedbackStatus::Updated),
            ("withdrawn", FeedbackStatus::Withdrawn),
            ("struck_through", FeedbackStatus::StruckThrough),
            ("removed", FeedbackStatus::Removed),
        ];
        self.text("comment")?;
        self.time("response_time")?;
        let status = self.one_of("status", &statuses)?.ok_or(Dead::MissingField)?;
        let fact = DefectFact::Feedback { event_ms, status, rating: self.rating()? };
        self.defect(Kind::NegativeFeedback, None, fact)
    }

    fn claim(&self, event_ms: i64) -> Result<Content, Dead> {
        let statuses = [
            ("filed", ClaimStatus::Filed),
            ("under_review", ClaimStatus::UnderReview),
            ("granted", ClaimStatus::Granted),
            ("denied", ClaimStatus::Denied),
            ("withdrawn", ClaimStatus::Withdrawn),
            ("closed_refunded", ClaimStatus::ClosedRefunded),
            ("appealed", ClaimStatus::Appealed),
            ("reversed", ClaimStatus::Reversed),
        ];
        let payers = [("seller", Payer::Seller), ("amazon", Payer::Amazon)];
        let fact = DefectFact::Claim {
            event_ms,
            status: self.one_of("status", &statuses)?.ok_or(Dead::MissingField)?,
            funded_by: self.one_of("funded_by", &payers)?,
            odr_impact: self.flag("odr_impact")?,
        };
        self.defect(Kind::Claim, self.id("claim_id")?, fact)
    }

    fn chargeback(&self, event_ms: i64) -> Result<Content, Dead> {
        let statuses = [
            ("opened", ChargebackStatus::Opened),
            ("under_review", ChargebackStatus::UnderReview),
            ("lost", ChargebackStatus::Lost),
            ("won", ChargebackStatus::Won),
            ("reversed", ChargebackStatus::Reversed),
        ];
        let reasons = [("service", Reason::Service), ("fraud", Reason::Fraud)];
        let fact = DefectFact::Chargeback {
            event_ms,
            status: self.one_of("status", &statuses)?.ok_or(Dead::MissingField)?,
            reason: self.one_of("reason", &reasons)?.unwrap_or(Reason::Service),
            odr_impact: self.flag("odr_impact")?,
        };
        self.defect(Kind::Chargeback, self.id("chargeback_id")?, fact)
    }

    fn defect(
        &self,
        kind: Kind,
        reference: Option<String>,
        fact: DefectFact,
    ) -> Result<Content, Dead> {
        let purchase_ms = self.time("purchase_date")?;
        Ok(Content::Defect { kind, reference, purchase_ms, fact })
    }
}
