//! The file of recorded decisions: lines of decisions, or a dump of the progress topic.

use std::fs::File;
use std::path::Path;

use super::lines::Lines;
use super::{TopicsByName, unreadable};
use crate::commands::exit::ExitCode;
use crate::commands::failure::{Failure, FileError};
use crate::domain::event::Topic;
use crate::domain::time::{Boundary, BoundaryLength};
use crate::pipeline::replay::LAST_MS;
use crate::wire::decision::{self, DecisionLine};
use crate::wire::{progress, replay};

/// Why a line gives no decision.
#[derive(Debug, thiserror::Error)]
enum DecisionError {
    #[error("topic {0:?} is not the progress topic")]
    NoProgress(String),
    #[error("the progress record cannot be used")]
    Progress(#[source] progress::ProgressError),
    #[error(
        "the boundaries of this progress record are {recorded} ms long, and engine.boundary_ms is \
         {configured}"
    )]
    OtherLength { recorded: i64, configured: i64 },
    #[error("boundary {0} is not within the years 1970 to 9999")]
    NoSuchBoundary(i64),
}

/// Reads the decisions of a file, in its order.
///
/// # Errors
/// 69 for a file that cannot be read, 64 for a line that gives no decision, 78 where the
/// decisions were taken with another length of boundaries.
pub fn read(
    path: &Path,
    topics: &TopicsByName<'_>,
    length: BoundaryLength,
) -> Result<Vec<DecisionLine>, Failure> {
    let file = File::open(path).map_err(|error| FileError::failure("read", path, error))?;
    let name = path.display().to_string();
    let mut lines = Lines::new(&name, file);
    let mut decisions = Vec::new();
    while lines.advance().map_err(|error| unreadable(&name, error))? {
        let found = decisions.len();
        decisions_of(lines.text(), topics, length, &mut decisions)
            .map_err(|failure| failure.during(lines.place()))?;
        for decision in &decisions[found..] {
            check(decision, length)
                .map_err(|error| Failure::new(ExitCode::Usage, error).during(lines.place()))?;
        }
    }
    Ok(decisions)
}

/// Adds the decisions of one line: one, or those of a record of the progress topic.
fn decisions_of(
    line: &[u8],
    topics: &TopicsByName<'_>,
    length: BoundaryLength,
    decisions: &mut Vec<DecisionLine>,
) -> Result<(), Failure> {
    let usage = |error: DecisionError| Failure::new(ExitCode::Usage, error);
    let Ok(record) = replay::parse_line(line) else {
        let of_role = |name: &str| Topic::ALL.into_iter().find(|topic| topic.as_str() == name);
        let topic_of = |name: &str| topics.find(name).or_else(|| of_role(name));
        let decision = decision::parse_line(line, length, &topic_of)
            .map_err(|error| Failure::new(ExitCode::Usage, error))?;
        decisions.push(decision);
        return Ok(());
    };
    if *record.topic != topics.names.progress {
        return Err(usage(DecisionError::NoProgress(record.topic.into_owned())));
    }
    record.value.map_or(Ok(()), |value| of_progress(&value, length, decisions))
}

/// Adds the decisions of a record of the progress topic.
///
/// # Errors
/// 64 where the record cannot be used, 78 where it is of another length of boundaries.
pub fn of_progress(
    value: &[u8],
    length: BoundaryLength,
    decisions: &mut Vec<DecisionLine>,
) -> Result<(), Failure> {
    let progress = progress::decode(value)
        .map_err(|error| Failure::new(ExitCode::Usage, DecisionError::Progress(error)))?;
    if progress.boundary_length != length {
        let (recorded, configured) = (progress.boundary_length.ms(), length.ms());
        let other = DecisionError::OtherLength { recorded, configured };
        return Err(Failure::new(ExitCode::Config, other));
    }
    decisions.extend(progress.decisions);
    Ok(())
}

/// Time passes day by day up to a closed boundary: one at the end of time would take for ever. A
/// start of alerting that lies there is only never reached.
fn check(decision: &DecisionLine, length: BoundaryLength) -> Result<(), DecisionError> {
    let DecisionLine::Closing { boundary, .. } = decision else {
        return Ok(());
    };
    let last = Boundary::at_or_after(LAST_MS, length);
    if (Boundary::from_number(0)..=last).contains(boundary) {
        Ok(())
    } else {
        Err(DecisionError::NoSuchBoundary(boundary.number()))
    }
}
