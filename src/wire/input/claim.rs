//! Records of the claims topic.

use crate::domain::event::{ClaimStatus, DefectFact, FundedBy};
use crate::domain::ids::RefId;

use super::cause::Fault;
use super::field::Field;
use super::fields::Fields;

/// What a record of this topic must have.
pub(super) const REQUIRED: [Field; 3] = [Field::SellerId, Field::OrderId, Field::Status];

/// Reads what is this topic's own.
pub(super) fn read<'a>(fields: &Fields<'a>) -> Result<(Option<RefId<'a>>, DefectFact), Fault> {
    let reference = fields.choice(Field::ClaimId, RefId::new)?;
    let fact = DefectFact::Claim {
        status: fields.required(Field::Status, status)?,
        funded_by: fields.choice(Field::FundedBy, funded_by)?,
        odr_impact: fields.flag(Field::OdrImpact)?,
    };
    Ok((reference, fact))
}

fn status(text: &str) -> Option<ClaimStatus> {
    match text {
        "filed" => Some(ClaimStatus::Filed),
        "under_review" => Some(ClaimStatus::UnderReview),
        "granted" => Some(ClaimStatus::Granted),
        "denied" => Some(ClaimStatus::Denied),
        "withdrawn" => Some(ClaimStatus::Withdrawn),
        "closed_refunded" => Some(ClaimStatus::ClosedRefunded),
        "appealed" => Some(ClaimStatus::Appealed),
        "reversed" => Some(ClaimStatus::Reversed),
        _ => None,
    }
}

fn funded_by(text: &str) -> Option<FundedBy> {
    match text {
        "seller" => Some(FundedBy::Seller),
        "amazon" => Some(FundedBy::Amazon),
        _ => None,
    }
}
