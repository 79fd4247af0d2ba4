//! `dlq requeue`: gives dead letters back to the partitions that they came from.
//!
//! The topic is read twice: first for the receipts, then for the letters without one. Between the
//! two nobody else can give a letter back, because the right to do so is one for the whole group
//! (see `kafka::Requeuer`), except in a dry run, which writes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::json;

use super::args::{Format, Place, RequeueArgs};
use super::show::missing;
use super::verdict::{Judge, Refusal};
use super::{Filter, Letter, Receipts, at, by_time, read};
use crate::commands::cluster::{failure_of_asking, settings_to_ask};
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::commands::service::Clock;
use crate::commands::{output, show};
use crate::config::Config;
use crate::domain::ids::Offset;
use crate::kafka::{self, Requeuer, Returned};
use crate::pipeline::ports::RawRecord;
use crate::wire::dead_letter::{headers_back, place, size_bound};

/// What the letters of one run may hold together; the rest is for the next run.
const MAX_BYTES: usize = 256 << 20;

/// The letters of one transaction: readers of the inputs wait for its end.
const LETTERS_AT_ONCE: usize = 200;

/// How many letters that stay where they are, are told one by one.
const TOLD: usize = 20;

/// Gives letters back, or says which it would.
///
/// # Errors
/// 64 where a letter that is named by its place cannot go back; 75 where the command was started a
/// second time meanwhile; else as the cluster says.
pub(super) fn run(args: &RequeueArgs, config: &Config) -> Result<(), Failure> {
    let (kafka, filter) = (settings_to_ask(config), Filter::new(&args.filter, config)?);
    let connected = || Requeuer::connect(&kafka).map_err(|error| failure_of_asking(&error));
    let mut requeuer = if args.dry_run { None } else { Some(connected()?) };
    let asked = |error| failure_of_asking(&error);
    let partitions = kafka::input_partitions(&kafka).map_err(asked)?;
    let mut plan = Plan {
        config,
        limit: usize::try_from(args.limit).unwrap_or(usize::MAX),
        max_bytes: kafka::input_max_bytes(&kafka).map_err(asked)?,
        receipts: read(config, None, &mut |_, _| ControlFlow::Continue(()))?,
        judge: Judge::new(config, partitions, Clock::start().now().wall_ms),
        back: BTreeMap::new(),
        bytes: 0,
        has_more: false,
        stay: Stay::default(),
    };
    let named: BTreeSet<Place> = args.places.iter().copied().collect();
    let mut missed = named.clone();
    read(config, None, &mut |letter, record| {
        let is_meant =
            if named.is_empty() { filter.wants(&letter) } else { missed.remove(&letter.place) };
        if is_meant {
            plan.add(&letter, &record);
        }
        ControlFlow::Continue(())
    })?;
    if !named.is_empty() {
        if let Some(place) = missed.first() {
            return Err(missing(*place, config));
        }
        plan.has_all()?;
    }
    let letters: Vec<Returned> = std::mem::take(&mut plan.back).into_values().collect();
    let mut offsets = Vec::new();
    if let Some(requeuer) = &mut requeuer {
        for some in letters.chunks(LETTERS_AT_ONCE) {
            offsets.extend(requeuer.give_back(some).map_err(asked)?);
        }
    }
    let text = match args.format {
        Format::Table => plan.table(&letters, &offsets),
        Format::Json => plan.lines(&letters, &offsets),
    };
    output::print(text.as_bytes())
}

/// What is to be done, and what is not.
struct Plan<'a> {
    config: &'a Config,
    limit: usize,
    /// The largest record that each input takes.
    max_bytes: [usize; 4],
    receipts: Receipts,
    judge: Judge<'a>,
    /// What goes back, by the letters' times.
    back: BTreeMap<(i64, Place), Returned>,
    /// The bytes of their values.
    bytes: usize,
    /// Whether more letters could go back than one run takes.
    has_more: bool,
    stay: Stay,
}

/// The letters that stay where they are.
#[derive(Default)]
struct Stay {
    /// How many, by kind of reason.
    counts: BTreeMap<String, i64>,
    /// Some of them, with the reason in full.
    told: Vec<(Place, String)>,
}

impl Stay {
    fn add(&mut self, place: Place, refusal: Refusal) {
        *self.counts.entry(refusal.kind).or_default() += 1;
        if self.told.len() < TOLD {
            self.told.push((place, refusal.why));
        }
    }
}

impl Plan<'_> {
    fn add(&mut self, letter: &Letter, record: &RawRecord<'_>) {
        let (key, place) = (by_time(letter), letter.place);
        match self.returned(letter, record) {
            Err(refusal) => self.stay.add(place, refusal),
            Ok(returned) => {
                self.bytes += returned.value.len();
                self.back.insert(key, returned);
                while self.back.len() > self.limit || self.bytes > MAX_BYTES {
                    let Some((_, newest)) = self.back.pop_last() else { break };
                    self.bytes -= newest.value.len();
                    self.has_more = true;
                }
            }
        }
    }

    /// The record that a letter would be in its input again, or why it stays.
    fn returned(&mut self, letter: &Letter, record: &RawRecord<'_>) -> Result<Returned, Refusal> {
        if self.receipts.contains(&letter.place) {
            let why = "it was given back before".to_owned();
            return Err(Refusal::new("given back before", why));
        }
        let topic = self.judge.judge(letter, record.value)?;
        let dead = &self.config.kafka.topics.dead_letters;
        let from = place(dead, letter.place.partition, letter.place.offset);
        let returned = Returned {
            letter_partition: letter.place.partition,
            letter_offset: letter.place.offset,
            topic,
            partition: letter.told.partition,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.unwrap_or_default().to_vec(),
            headers: headers_back(record.headers.to_vec(), &letter.told, &from),
            timestamp_ms: letter.timestamp_ms,
        };
        let (key, value) = (returned.key.as_deref(), Some(&returned.value[..]));
        let (bytes, most) =
            (size_bound(key, value, &returned.headers), self.max_bytes[topic.index()]);
        if bytes > most {
            let why = format!("with its header it has {bytes} bytes; its topic takes {most}");
            return Err(Refusal::new("too large for its topic", why));
        }
        Ok(returned)
    }

    /// Whether every letter that was named goes back.
    fn has_all(&self) -> Result<(), Failure> {
        if let Some((place, why)) = self.stay.told.first() {
            let problem = format!("{place} stays where it is: {why}; nothing was given back");
            return Err(Failure::new(ExitCode::Usage, problem));
        }
        if self.has_more {
            let problem = "more letters than one run takes; nothing was given back".to_owned();
            return Err(Failure::new(ExitCode::Usage, problem));
        }
        Ok(())
    }

    fn name(&self, letter: &Returned) -> &str {
        self.config.kafka.topics.input(letter.topic)
    }

    /// Without offsets it is what would be done.
    fn table(&self, letters: &[Returned], offsets: &[Offset]) -> String {
        let mut table = show::table(&["letter", "to"], 0..0);
        for (number, letter) in letters.iter().enumerate() {
            let from = place_of(letter).to_string();
            let to = match offsets.get(number) {
                Some(offset) => at(self.name(letter), letter.partition, *offset),
                None => format!("{}-{}", show::escaped(self.name(letter)), letter.partition),
            };
            table.add_row([from, to]);
        }
        let mut text = String::new();
        if !letters.is_empty() {
            text += &show::lines(&table);
            text.push('\n');
        }
        let number = show::count(i64::try_from(letters.len()).unwrap_or(i64::MAX), "letter");
        let is_done = offsets.len() == letters.len();
        text += &match (letters.is_empty(), is_done) {
            (true, _) => "No letter to give back.\n".to_owned(),
            (false, true) => format!("{number} given back.\n"),
            (false, false) => format!("{number} would be given back; --yes does it.\n"),
        };
        if self.has_more {
            text += "There are more: run it again.\n";
        }
        for (kind, count) in &self.stay.counts {
            text += &format!("{} not: {kind}\n", show::count(*count, "letter"));
        }
        for (place, why) in &self.stay.told {
            text += &format!("  {place}: {}\n", show::escaped(why));
        }
        text
    }

    /// One object for each letter that goes back, and a last one for those that stay.
    fn lines(&self, letters: &[Returned], offsets: &[Offset]) -> String {
        let mut text = String::new();
        for (number, letter) in letters.iter().enumerate() {
            let place = place_of(letter);
            let line = json!({
                "partition": place.partition.get(),
                "offset": place.offset.get(),
                "to": {
                    "topic": self.name(letter),
                    "partition": letter.partition.get(),
                    "offset": offsets.get(number).map(|offset| offset.get()),
                },
            });
            text += &format!("{line}\n");
        }
        let told = self.stay.told.iter().map(|(place, why)| {
            json!({
                "partition": place.partition.get(),
                "offset": place.offset.get(),
                "why": why,
            })
        });
        let last = json!({
            "given_back": offsets.len(),
            "planned": letters.len() - offsets.len(),
            "stay": self.stay.counts,
            "stay_because": told.collect::<Vec<_>>(),
            "has_more": self.has_more,
        });
        text + &format!("{last}\n")
    }
}

fn place_of(letter: &Returned) -> Place {
    Place { partition: letter.letter_partition, offset: letter.letter_offset }
}
