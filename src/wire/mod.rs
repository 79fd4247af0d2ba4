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
//! | [`totals`], [`outcomes`] | the files that a bounded replay writes |
//! | [`fingerprint`] | a policy in 32 hexadecimal digits |
//! | [`time`] | RFC 3339 |

pub mod alert;
pub mod dead_letter;
pub mod decision;
pub mod fingerprint;
pub mod input;
mod json;
pub mod outcomes;
pub mod partition;
pub mod progress;
pub mod replay;
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
