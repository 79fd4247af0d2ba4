//! `replay`: the same alerts from files, or from the topics' present contents.
//!
//! ```text
//! files -> input (spool) -> lines -> survey (partitions, shared runs)
//!                             \-> merge (which file next) -> pipeline::replay -> results, report
//! ```
//!
//! Invariants: memory is bounded by what waits for its boundary and by the results, not by the
//! files; nothing is written under its name before all of it is computed. Absent on purpose: a
//! limit on what waits, as files may come topic by topic; and a clock, but for the pace.

pub mod args;
mod decisions;
mod input;
mod lines;
mod merge;
mod report;
mod results;
mod survey;
mod topics;

pub(super) use topics::recorded;

use std::collections::BTreeMap;
use std::error::Error;
use std::io;
use std::path::Path;

use tracing::warn;

use self::input::Input;
use self::merge::Merge;
use self::report::Report;
use self::survey::Survey;
use super::args::{GlobalArgs, OutputFormat, ReplayArgs};
use super::exit::ExitCode;
use super::failure::{Failure, FileError};
use super::output;
use super::start::{self, Stopwatch};
use crate::config::{AlertsFrom, Config, Sources};
use crate::domain::event::Topic;
use crate::domain::shard::AlertingStart;
use crate::domain::time::RecordTime;
use crate::pipeline::ports::TopicNames;
use crate::pipeline::replay::{Output, Replay, ReplayConfig, ReplayError};
use crate::telemetry::Progress;
use crate::wire::decision::DecisionLine;

/// How many names of other topics are told.
const NAMED_TOPICS: usize = 20;

/// How many records pass between two looks at the stopwatch.
const RECORDS_A_TICK: u32 = 1_000;

/// Replays, writes the files and prints what it came to.
///
/// # Errors
/// 64 for a file with something else in it, 69 for one that cannot be read or written, 78 for a
/// configuration that does not allow it.
pub fn run(args: &ReplayArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let sources = Sources {
        policy: args.policy.clone(),
        // Files need no broker, and so no secrets.
        without_secrets: !args.from_kafka,
        ..start::sources(&args.config)
    };
    let config = start::load(&sources)?;
    start::start_logs(global, &config.log)?;
    if let Some(directory) = &args.out {
        results::prepare(directory)?;
    }
    let topics = TopicsByName { names: &config.kafka.topics };
    let length = config.engine.boundary;
    let decisions = args.decisions.as_deref();
    let decisions = decisions.map(|path| decisions::read(path, &topics, length)).transpose()?;
    let replayed = if args.from_kafka {
        topics::replay(args, &config, decisions)?
    } else {
        from_files(args, &config, &topics, decisions.unwrap_or_default())?
    };
    if let Some(directory) = &args.out {
        results::write(directory, &replayed.output)?;
    }
    let report = Report { config: &config, replayed: &replayed };
    let text = match args.format {
        OutputFormat::Table => report.table(),
        OutputFormat::Json => report.json(),
    };
    output::print(text.as_bytes())
}

/// What was replayed.
struct Replayed {
    partitions: u32,
    is_from_files: bool,
    skipped: Skipped,
    output: Output,
}

fn from_files(
    args: &ReplayArgs,
    config: &Config,
    topics: &TopicsByName<'_>,
    decisions: Vec<DecisionLine>,
) -> Result<Replayed, Failure> {
    let mut inputs = Input::open_all(&args.files)?;
    // One file with a known number of partitions is read only once.
    let survey = if args.partitions.is_none() || inputs.len() > 1 {
        let mut pace = Pace::new("looking at the files (bytes)", bytes_of(&inputs));
        let survey = survey::survey(&mut inputs, topics, &mut pace)?;
        pace.finish();
        survey.shared_only()
    } else {
        Survey { largest: None, runs: vec![BTreeMap::new()] }
    };
    let seen = survey.largest.map_or(1, |largest| largest.saturating_add(1));
    let partitions = args.partitions.unwrap_or(seen);
    let mut pace = Pace::new("replaying files (bytes)", bytes_of(&inputs));
    let files = inputs.into_iter().zip(survey.runs);
    let files = files.map(|(input, runs)| Ok((input.name.clone(), input.into_reader()?, runs)));
    let files = files.collect::<Result<_, Failure>>()?;
    let mut replay = Replay::new(replay_config(args.until, config, partitions), decisions);
    let skipped = Merge::new(files, topics, &mut pace)?.feed(&mut replay, &mut pace)?;
    pace.finish();
    skipped.tell();
    let output = replay.finish().map_err(of_replay)?;
    Ok(Replayed { partitions, is_from_files: true, skipped, output })
}

/// What a replay of topics with so many partitions is made with, up to a time if one is given.
pub(super) fn replay_config(
    until: Option<RecordTime>,
    config: &Config,
    partitions: u32,
) -> ReplayConfig {
    let mut shard = start::shard_config(config);
    // Files may come topic by topic: then all of a topic waits for the next.
    shard.limits.pending = usize::MAX;
    let alerts_from = config.engine.alerts_from.unwrap_or(AlertsFrom::Earliest);
    shard.start = match alerts_from {
        // Live is known from the decisions alone; what stands here is not used.
        AlertsFrom::Live | AlertsFrom::Earliest => AlertingStart::Earliest,
        AlertsFrom::At(time) => AlertingStart::Time(time.ms()),
    };
    ReplayConfig {
        shard,
        input: start::input_limits(config, partitions),
        advice: start::advice_rules(config),
        until_ms: until.map(RecordTime::ms),
        needs_recorded_start: alerts_from == AlertsFrom::Live,
    }
}

/// The input topics by their configured names.
#[derive(Debug)]
pub struct TopicsByName<'a> {
    names: &'a TopicNames,
}

impl TopicsByName<'_> {
    /// The input topic of a name.
    fn find(&self, name: &str) -> Option<Topic> {
        Topic::ALL.into_iter().find(|topic| self.names.input(*topic) == name)
    }
}

/// Lines of topics that are no inputs.
#[derive(Debug, Default)]
struct Skipped {
    by_topic: BTreeMap<String, u64>,
    others: u64,
}

impl Skipped {
    fn count(&mut self, topic: &str) {
        if let Some(count) = self.by_topic.get_mut(topic) {
            *count += 1;
        } else if self.by_topic.len() < NAMED_TOPICS {
            self.by_topic.insert(topic.to_owned(), 1);
        } else {
            self.others += 1;
        }
    }

    fn tell(&self) {
        for (topic, records) in &self.by_topic {
            warn!(topic, records, "records of a topic that is no input were skipped");
        }
        if self.others > 0 {
            warn!(records = self.others, "records of further topics were skipped, too");
        }
    }
}

/// The bytes of all files, where they are known.
fn bytes_of(inputs: &[Input]) -> Option<u64> {
    inputs.iter().map(Input::bytes).sum()
}

/// How far the work is: in bytes of files, or in records of topics.
pub(super) struct Pace {
    progress: Progress,
    stopwatch: Stopwatch,
    done: u64,
    records: u32,
}

impl Pace {
    /// Begins work; `total` of it, where known.
    pub(super) fn new(what: &str, total: Option<u64>) -> Self {
        let progress = Progress::new(what, total, 0);
        Self { progress, stopwatch: Stopwatch::start(), done: 0, records: 0 }
    }

    /// Notes a record, and by how much the work went on.
    pub(super) fn note(&mut self, done: u64) {
        self.done += done;
        self.records += 1;
        if self.records == RECORDS_A_TICK {
            self.records = 0;
            self.progress.tick(self.done, self.stopwatch.ms());
        }
    }

    /// Ends it.
    pub(super) fn finish(self) {
        self.progress.finish(self.done, self.stopwatch.ms());
    }
}

fn unreadable(name: &str, error: io::Error) -> Failure {
    FileError::failure("read", Path::new(name), error)
}

/// A line that is no record.
fn no_record(place: String, error: impl Error + Send + Sync + 'static) -> Failure {
    let form = "a record is what `kcat -J` or `rpk topic consume -f json` writes around its value";
    Failure::new(ExitCode::Usage, format!("{error}; {form}")).during("not a record").during(place)
}

/// What the replay refuses.
pub(super) fn of_replay(error: ReplayError) -> Failure {
    let code = match &error {
        ReplayError::Limit { .. } | ReplayError::NoRecordedStart { .. } => ExitCode::Config,
        ReplayError::OutOfOrder { .. }
        | ReplayError::NoSuchTime { .. }
        | ReplayError::NoSuchPartition { .. } => ExitCode::Usage,
    };
    Failure::new(code, error)
}
