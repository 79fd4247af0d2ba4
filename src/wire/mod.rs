//! What comes in and goes out, as bytes: JSON in, JSON out, and the small formats around it.
//!
//! Pure: no IO, no clock, no Kafka, no logging. One file per thing that is written; of the
//! inputs, one file per topic below [`input`].
//!
//! | module | what |
//! |---|---|
//! | [`input`] | values of the four input topics -> events or reasons |
//! | [`partition`] | which partition a seller belongs to |
//! | [`replay`] | lines of `kcat -J` and `rpk topic consume -f json` -> records |
//! | [`decision`] | recorded decisions, in progress records and in files |
//! | [`alert`], [`status`], [`dead_letter`], [`progress`] | records of the output topics |
//! | [`advice`] | records of the advice topic |
//! | [`states`] | what defects are and how they stand, in words |
//! | [`report`] | one account as Amazon's account-health report has it |
//! | [`totals`], [`outcomes`] | the files that a bounded replay writes |
//! | [`fingerprint`] | a policy in 32 hexadecimal digits |
//! | [`identity`] | by what a log is known again |
//! | [`time`] | RFC 3339 |

pub mod advice;
pub mod alert;
pub mod dead_letter;
pub mod decision;
pub mod fingerprint;
pub mod identity;
pub mod input;
mod json;
pub mod outcomes;
pub mod partition;
pub mod progress;
pub mod replay;
pub mod report;
pub mod states;
pub mod status;
pub mod time;
pub mod totals;
mod write;

/// A header of a record: its name and its bytes.
pub type Header = (String, Option<Vec<u8>>);

/// Why a line of a file, or a decision in it, cannot be used; says what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LineError(String);

/// An offset that a log can have: another one comes after it.
///
/// # Errors
/// The number is none.
fn offset(number: i64) -> Result<i64, LineError> {
    match number {
        ..0 => Err(LineError(format!("offset {number} is negative"))),
        i64::MAX => Err(LineError(format!("offset {number} is more than a log can have"))),
        offset => Ok(offset),
    }
}

impl LineError {
    /// What is wrong and where, without any string of the line: it may be what buyers wrote.
    fn of_json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let told = match (text.find('"'), text.rfind('"')) {
            (Some(from), Some(to)) if from < to => {
                let (before, after) = (text.get(..from), text.get(to + 1..));
                format!("{}of its own{}", before.unwrap_or_default(), after.unwrap_or_default())
            }
            _ => text,
        };
        Self(told)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::BoundaryLength;

    proptest! {
        #[test]
        fn damaged_lines_and_records_never_panic(
            place in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            random in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut golden = include_bytes!("../../tests/golden/progress.v1.json").to_vec();
            let place = place.index(golden.len());
            golden[place] = byte;
            let length = BoundaryLength::from_ms(5000).unwrap();
            for bytes in [&golden[..], &golden[place..], &random] {
                let _ = progress::decode(bytes);
                let _ = replay::parse_line(bytes);
                let _ = decision::parse_line(bytes, length, &decision::topic_of_role);
            }
        }
    }

    #[test]
    fn deep_lines_are_refused_without_a_stack() {
        let deep = "[".repeat(100_000);
        let line = format!("{{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"headers\":{deep}");
        assert!(replay::parse_line(line.as_bytes()).is_err());
        assert!(progress::decode(deep.as_bytes()).is_err());
    }
}
