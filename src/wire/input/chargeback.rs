//! Records of the chargebacks topic.

use crate::domain::event::{ChargebackReason, ChargebackStatus, DefectFact};
use crate::domain::ids::RefId;

use super::cause::Fault;
use super::field::Field;
use super::fields::Fields;

/// What a record of this topic must have.
pub(super) const REQUIRED: [Field; 3] = [Field::SellerId, Field::OrderId, Field::Status];

/// Reads what is this topic's own.
pub(super) fn read<'a>(fields: &Fields<'a>) -> Result<(Option<RefId<'a>>, DefectFact), Fault> {
    let reference = fields.choice(Field::ChargebackId, RefId::new)?;
    let reason = fields.choice(Field::Reason, reason)?;
    let fact = DefectFact::Chargeback {
        status: fields.required(Field::Status, status)?,
        reason: reason.unwrap_or(ChargebackReason::Service),
        odr_impact: fields.flag(Field::OdrImpact)?,
    };
    Ok((reference, fact))
}

fn status(text: &str) -> Option<ChargebackStatus> {
    match text {
        "opened" => Some(ChargebackStatus::Opened),
        "under_review" => Some(ChargebackStatus::UnderReview),
        "lost" => Some(ChargebackStatus::Lost),
        "won" => Some(ChargebackStatus::Won),
        "reversed" => Some(ChargebackStatus::Reversed),
        _ => None,
    }
}

fn reason(text: &str) -> Option<ChargebackReason> {
    match text {
        "service" => Some(ChargebackReason::Service),
        "fraud" => Some(ChargebackReason::Fraud),
        _ => None,
    }
}
