//! A first look at all files: how many partitions there are, and which file has which run of a
//! partition that several files share.

use std::collections::BTreeMap;
use std::fs::File;

use super::input::Input;
use super::lines::Lines;
use super::{Pace, TopicsByName, no_record, unreadable};
use crate::commands::failure::Failure;
use crate::domain::event::Topic;
use crate::wire::replay::parse_place;

/// A partition of an input topic.
pub type Place = (Topic, u32);

/// The records of one partition in one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The smallest offset that may still come.
    pub next: i64,
    /// The largest offset.
    pub last: i64,
}

/// What a first look found.
#[derive(Debug, Default)]
pub struct Survey {
    /// The largest partition of an input topic.
    pub largest: Option<u32>,
    /// For each file, its runs.
    pub runs: Vec<BTreeMap<Place, Run>>,
}

impl Survey {
    /// Forgets the runs of partitions that are in one file only: their order is the file's.
    #[must_use]
    pub fn shared_only(mut self) -> Self {
        let mut files: BTreeMap<Place, u32> = BTreeMap::new();
        for place in self.runs.iter().flat_map(BTreeMap::keys) {
            *files.entry(*place).or_default() += 1;
        }
        for runs in &mut self.runs {
            runs.retain(|place, _| files[place] > 1);
        }
        self
    }
}

/// Looks at all files.
///
/// # Errors
/// 69 for a file that cannot be read, 64 for a line that is no record.
pub fn survey(
    inputs: &mut [Input],
    topics: &TopicsByName<'_>,
    pace: &mut Pace,
) -> Result<Survey, Failure> {
    let mut survey = Survey::default();
    for input in inputs {
        let name = input.name.clone();
        let mut lines = Lines::new(&name, input.first_look()?);
        let runs = runs_of(&mut lines, &name, topics, pace)?;
        let largest = runs.keys().map(|(_, partition)| *partition).max();
        survey.largest = survey.largest.max(largest);
        survey.runs.push(runs);
    }
    Ok(survey)
}

fn runs_of(
    lines: &mut Lines<&File>,
    name: &str,
    topics: &TopicsByName<'_>,
    pace: &mut Pace,
) -> Result<BTreeMap<Place, Run>, Failure> {
    let mut runs: BTreeMap<Place, Run> = BTreeMap::new();
    let mut before = 0;
    while lines.advance().map_err(|error| unreadable(name, error))? {
        pace.note(lines.bytes() - before);
        before = lines.bytes();
        let place = parse_place(lines.text()).map_err(|error| no_record(lines.place(), error))?;
        let Some(topic) = topics.find(&place.topic) else { continue };
        let run = runs
            .entry((topic, place.partition))
            .or_insert(Run { next: place.offset, last: place.offset });
        run.next = run.next.min(place.offset);
        run.last = run.last.max(place.offset);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_of_shared_partitions_are_kept() {
        let run = |next, last| Run { next, last };
        let survey = Survey {
            largest: Some(1),
            runs: vec![
                BTreeMap::from([((Topic::Orders, 0), run(0, 5)), ((Topic::Orders, 1), run(0, 1))]),
                BTreeMap::from([((Topic::Orders, 0), run(6, 9)), ((Topic::Claims, 0), run(0, 0))]),
            ],
        };
        let shared = survey.shared_only();
        assert_eq!(shared.runs[0], BTreeMap::from([((Topic::Orders, 0), run(0, 5))]));
        assert_eq!(shared.runs[1], BTreeMap::from([((Topic::Orders, 0), run(6, 9))]));
    }
}
