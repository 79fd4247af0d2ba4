//! Records of the feedback topic. What the buyer wrote is checked to be a string, and is in
//! no event: see [`super::comment_of`].

use crate::domain::event::{DefectFact, FeedbackStatus};

use super::cause::Fault;
use super::field::Field;
use super::fields::Fields;

/// What a record of this topic must have.
pub(super) const REQUIRED: [Field; 4] =
    [Field::SellerId, Field::OrderId, Field::Rating, Field::Status];

/// Reads what is this topic's own.
pub(super) fn read(fields: &Fields<'_>) -> Result<DefectFact, Fault> {
    let rating = fields.number(Field::Rating)?.ok_or(Fault::Missing(Field::Rating))?;
    let rating = rating_of(rating).ok_or(Fault::Bad(Field::Rating))?;
    fields.text(Field::Comment)?;
    let status = fields.required(Field::Status, status)?;
    fields.time(Field::ResponseTime)?;
    Ok(DefectFact::Feedback { status, rating })
}

/// JSON has no leading zeros, so an integer from 1 to 5 is one digit.
fn rating_of(digits: &str) -> Option<u8> {
    match digits.as_bytes() {
        [digit @ b'1'..=b'5'] => Some(digit - b'0'),
        _ => None,
    }
}

fn status(text: &str) -> Option<FeedbackStatus> {
    match text {
        "posted" => Some(FeedbackStatus::Posted),
        "updated" => Some(FeedbackStatus::Updated),
        "withdrawn" => Some(FeedbackStatus::Withdrawn),
        "struck_through" => Some(FeedbackStatus::StruckThrough),
        "removed" => Some(FeedbackStatus::Removed),
        _ => None,
    }
}
