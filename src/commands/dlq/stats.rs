//! `dlq stats`: how many dead letters there are, by topic and reason.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::json;

use super::args::{Format, StatsArgs};
use super::{Filter, Letter, Receipts, read, time};
use crate::commands::failure::Failure;
use crate::commands::{output, show};
use crate::config::Config;

/// The dead letters of one topic and reason.
#[derive(Default)]
struct Group {
    letters: i64,
    given_back: i64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Group {
    fn add(&mut self, letter: &Letter, receipts: &Receipts) {
        self.letters += 1;
        self.given_back += i64::from(receipts.contains(&letter.place));
        self.first_ms = self.first_ms.into_iter().chain(letter.timestamp_ms).min();
        self.last_ms = self.last_ms.into_iter().chain(letter.timestamp_ms).max();
    }
}

/// By topic and code of the reason. Others may write into the topic, so texts are what they are.
type Groups = BTreeMap<(String, String), Group>;

/// Counts dead letters.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &StatsArgs, config: &Config) -> Result<(), Failure> {
    let filter = Filter::new(&args.filter, config)?;
    let mut groups = Groups::new();
    // Receipts come behind their letters.
    let receipts = read(config, None, &mut |_, _| ControlFlow::Continue(()))?;
    read(config, None, &mut |letter, _| {
        if filter.wants(&letter) {
            let key = (letter.told.topic.clone(), letter.told.code.clone());
            groups.entry(key).or_default().add(&letter, &receipts);
        }
        ControlFlow::Continue(())
    })?;
    let text = match args.format {
        Format::Table => table(&groups),
        Format::Json => lines(&groups),
    };
    output::print(text.as_bytes())
}

fn table(groups: &Groups) -> String {
    if groups.is_empty() {
        return "No dead letters.\n".to_owned();
    }
    let header = ["topic", "reason", "letters", "given back", "first record", "last record"];
    let mut table = show::table(&header, 2..4);
    for ((topic, code), group) in groups {
        table.add_row([
            show::escaped(topic),
            show::escaped(code),
            group.letters.to_string(),
            group.given_back.to_string(),
            time(group.first_ms),
            time(group.last_ms),
        ]);
    }
    show::lines(&table)
}

fn lines(groups: &Groups) -> String {
    let one = |((topic, code), group): (&(String, String), &Group)| {
        let line = json!({
            "topic": topic,
            "reason": code,
            "letters": group.letters,
            "given_back": group.given_back,
            "first_timestamp_ms": group.first_ms,
            "last_timestamp_ms": group.last_ms,
        });
        format!("{line}\n")
    };
    groups.iter().map(one).collect()
}
