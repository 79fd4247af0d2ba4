//! `dlq list`: dead letters in the order of their times.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::args::{Format, ListArgs, Place};
use super::{Filter, Letter, Receipts, at, by_time, read, time};
use crate::commands::failure::Failure;
use crate::commands::{output, show};
use crate::config::Config;

/// Lists dead letters.
///
/// # Errors
/// As [`super::run`].
pub(super) fn run(args: &ListArgs, config: &Config) -> Result<(), Failure> {
    let filter = Filter::new(&args.filter, config)?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut kept: BTreeMap<(i64, Place), Letter> = BTreeMap::new();
    let mut found = 0_i64;
    let receipts = read(config, None, &mut |letter, _| {
        if filter.wants(&letter) {
            found += 1;
            kept.insert(by_time(&letter), letter);
            if kept.len() > limit {
                if args.newest_first {
                    kept.pop_first()
                } else {
                    kept.pop_last()
                };
            }
        }
        ControlFlow::Continue(())
    })?;
    let mut letters: Vec<Letter> = kept.into_values().collect();
    if args.newest_first {
        letters.reverse();
    }
    let text = match args.format {
        Format::Table => table(&letters, &receipts, found),
        Format::Json => {
            letters.iter().map(|letter| format!("{}\n", line(letter, &receipts))).collect()
        }
    };
    output::print(text.as_bytes())
}

fn table(letters: &[Letter], receipts: &Receipts, found: i64) -> String {
    let header = ["letter", "time of the record", "from", "given back", "why"];
    let mut table = show::table(&header, 0..0);
    for letter in letters {
        let told = &letter.told;
        let back = if receipts.contains(&letter.place) { "yes" } else { "" };
        table.add_row([
            letter.place.to_string(),
            time(letter.timestamp_ms),
            at(&told.topic, told.partition, told.offset),
            back.to_owned(),
            show::escaped(&told.message),
        ]);
    }
    let shown = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let total = show::count(found, "dead letter");
    let summary = match shown {
        0 => "No dead letters.\n".to_owned(),
        shown if shown < found => format!("{shown} of {total}; --limit shows more.\n"),
        _ => format!("{total}.\n"),
    };
    if letters.is_empty() { summary } else { show::lines(&table) + "\n" + &summary }
}

/// A letter as an object, without what it holds.
pub(super) fn line(letter: &Letter, receipts: &Receipts) -> Value {
    let told = &letter.told;
    json!({
        "partition": letter.place.partition.get(),
        "offset": letter.place.offset.get(),
        "timestamp_ms": letter.timestamp_ms,
        "source": {
            "topic": told.topic,
            "partition": told.partition.get(),
            "offset": told.offset.get(),
        },
        "reason": told.code,
        "message": told.message,
        "omitted": told.omitted,
        "given_back": receipts.contains(&letter.place),
        "came_back_from": told.came_back_from,
    })
}
