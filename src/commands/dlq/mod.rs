//! `dlq`: looks at the dead-letter topic, and gives letters back to the inputs.
//!
//! Invariants: what a letter holds is shown only where it was asked for, and then escaped; texts
//! out of the topic are escaped wherever they are printed, for others may write there. The topic
//! is read whole each time, up to its present end: it is no index, and says nothing of the present
//! state of an account.

pub mod args;
mod list;
mod requeue;
mod show;
mod stats;
mod verdict;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::args::{ConfigArgs, GlobalArgs};
use super::cluster::{failure_of_asking, settings_to_ask};
use super::exit::ExitCode;
use super::failure::Failure;
use super::start;
use crate::config::Config;
use crate::domain::event::Topic;
use crate::domain::ids::Offset;
use crate::kafka;
use crate::pipeline::ports::RawRecord;
use crate::pipeline::replay::LAST_MS;
use crate::wire::dead_letter::{Entry, Told, entry};
use crate::wire::time::instant;
use args::{DlqCommand, FilterArgs, Place};

/// Lists, shows, counts or gives back dead letters.
///
/// # Errors
/// 64 for what the command line names and is not there; else as the cluster says.
pub fn run(command: &DlqCommand, global: &GlobalArgs) -> Result<(), Failure> {
    match command {
        DlqCommand::List(args) => list::run(args, &configured(&args.config, global)?),
        DlqCommand::Show(args) => show::run(args, &configured(&args.config, global)?),
        DlqCommand::Stats(args) => stats::run(args, &configured(&args.config, global)?),
        DlqCommand::Requeue(args) => requeue::run(args, &configured(&args.config, global)?),
    }
}

fn configured(args: &ConfigArgs, global: &GlobalArgs) -> Result<Config, Failure> {
    let config = start::load(&start::sources(args))?;
    start::start_asking_logs(global, &config.log)?;
    Ok(config)
}

/// A dead letter without what it holds.
struct Letter {
    place: Place,
    timestamp_ms: Option<i64>,
    told: Told,
}

/// Letters that were given back: their places.
type Receipts = BTreeSet<Place>;

/// Reads the topic: letters go to `each` with their records, receipts are returned.
fn read(
    config: &Config,
    only: Option<Place>,
    each: &mut dyn FnMut(Letter, RawRecord<'_>) -> ControlFlow<()>,
) -> Result<Receipts, Failure> {
    let mut receipts = Receipts::new();
    let only = only.map(|place| (place.partition, place.offset));
    kafka::read_dead_letters(&settings_to_ask(config), only, &mut |partition, record| match entry(
        &record.headers.to_vec(),
    ) {
        Entry::Letter(told) => {
            let place = Place { partition, offset: record.offset };
            each(Letter { place, timestamp_ms: record.timestamp_ms, told }, record)
        }
        Entry::Receipt { letter } => {
            receipts.insert(Place { partition, offset: letter });
            ControlFlow::Continue(())
        }
        Entry::Foreign => ControlFlow::Continue(()),
    })
    .map_err(|error| failure_of_asking(&error))?;
    Ok(receipts)
}

/// Which letters are meant.
struct Filter<'a> {
    args: &'a FilterArgs,
    topics: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    /// # Errors
    /// 64 for a topic that is no input.
    fn new(args: &'a FilterArgs, config: &'a Config) -> Result<Self, Failure> {
        let names = &config.kafka.topics;
        let mut topics = Vec::new();
        for asked in &args.topic {
            let known = |topic: &Topic| names.input(*topic) == asked;
            let by_name = Topic::ALL.into_iter().find(known);
            let by_role = || Topic::ALL.into_iter().find(|topic| topic.as_str() == asked);
            let Some(topic) = by_name.or_else(by_role) else {
                let inputs = Topic::ALL.map(|topic| names.input(topic)).join(", ");
                let problem = format!("--topic: {asked} is no input; the inputs are {inputs}");
                return Err(Failure::new(ExitCode::Usage, problem));
            };
            topics.push(names.input(topic));
        }
        Ok(Self { args, topics })
    }

    fn wants(&self, letter: &Letter) -> bool {
        let FilterArgs { reason, partition, since, until, .. } = self.args;
        let told = &letter.told;
        // A record without a timestamp is before every time.
        let time = letter.timestamp_ms.unwrap_or(i64::MIN);
        (reason.is_empty() || reason.iter().any(|reason| reason.as_str() == told.code))
            && (self.topics.is_empty() || self.topics.contains(&told.topic.as_str()))
            && partition.is_none_or(|partition| partition == told.partition.get())
            && since.is_none_or(|since| time >= since.ms())
            && until.is_none_or(|until| time < until.ms())
    }
}

/// A timestamp as a person reads it: any number may stand in a dead letter.
fn time(timestamp_ms: Option<i64>) -> String {
    match timestamp_ms {
        None => "none".to_owned(),
        Some(ms) if (0..=LAST_MS).contains(&ms) => instant(ms),
        Some(ms) => format!("{ms} ms"),
    }
}

/// The order of letters: by time, then by place.
fn by_time(letter: &Letter) -> (i64, Place) {
    (letter.timestamp_ms.unwrap_or(i64::MIN), letter.place)
}

/// A position that a message names.
fn at(topic: &str, partition: impl std::fmt::Display, offset: Offset) -> String {
    format!("{}-{partition} at {offset}", super::show::escaped(topic))
}
