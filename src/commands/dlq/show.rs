//! `dlq show`: one dead letter.

use std::fmt::Write;
use std::ops::ControlFlow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::args::{Format, Place, ShowArgs};
use super::{Letter, Receipts, at, list, read, time};
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::commands::output;
use crate::commands::show::{count, escaped, escaped_bytes};
use crate::config::Config;
use crate::domain::ids::is_id;
use crate::pipeline::ports::{Header, RawRecord};

/// A letter with what it holds.
struct Whole {
    letter: Letter,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

impl Whole {
    fn of(letter: Letter, record: &RawRecord<'_>) -> Self {
        let (key, value) = (record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec));
        Self { letter, key, value, headers: record.headers.to_vec() }
    }

    fn original_headers(&self) -> &[Header] {
        &self.headers[..self.letter.told.originals]
    }
}

/// Shows one dead letter.
///
/// # Errors
/// 64 where there is none at that place; else as [`super::run`].
pub(super) fn run(args: &ShowArgs, config: &Config) -> Result<(), Failure> {
    let mut found = None;
    // Its receipt, if there is one, is behind it in the same partition.
    let receipts = read(config, Some(args.place), &mut |letter, record| {
        if letter.place == args.place {
            found = Some(Whole::of(letter, &record));
        }
        ControlFlow::Continue(())
    })?;
    let whole = found.ok_or_else(|| missing(args.place, config))?;
    let text = match args.format {
        Format::Table => text(&whole, &receipts, args.payload),
        Format::Json => format!("{}\n", object(&whole, &receipts, args.payload)),
    };
    output::print(text.as_bytes())
}

/// The failure of a place where no dead letter is.
pub(super) fn missing(place: Place, config: &Config) -> Failure {
    let topic = &config.kafka.topics.dead_letters;
    let problem =
        format!("there is no dead letter at {place} of {topic}; `odrwatch dlq list` lists them");
    Failure::new(ExitCode::Usage, problem)
}

fn text(whole: &Whole, receipts: &Receipts, payload: bool) -> String {
    let Whole { letter, key, value, .. } = whole;
    let told = &letter.told;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name:<20}{value}").expect("a String takes all that is written to it");
    };
    line("letter", &letter.place.to_string());
    line("from", &at(&told.topic, told.partition, told.offset));
    line("time of the record", &time(letter.timestamp_ms));
    line("reason", &escaped(&told.code));
    line("message", &escaped(&told.message));
    line("given back", if receipts.contains(&letter.place) { "yes" } else { "no" });
    if let Some(before) = &told.came_back_from {
        line("came back from", &escaped(before));
    }
    // A seller's id may be shown; whatever else stands there is like a value.
    let key_text = match key.as_deref().map(str::from_utf8) {
        None => "none".to_owned(),
        Some(Ok(key)) if is_id(key) || payload => escaped(key),
        Some(_) => bytes(key.as_deref(), payload),
    };
    line("key", &key_text);
    for (name, value) in whole.original_headers() {
        line("header", &format!("{}: {}", escaped(name), bytes(value.as_deref(), payload)));
    }
    match &told.omitted {
        Some(omitted) => line("value", &format!("left out: {}", escaped(omitted))),
        None => line("value", &bytes(value.as_deref(), payload)),
    }
    if !payload {
        text += "\n--payload shows what it holds; that may be what a buyer wrote.\n";
    }
    text
}

/// Bytes of a letter: their number, or themselves.
fn bytes(bytes: Option<&[u8]>, payload: bool) -> String {
    match bytes {
        None => "none".to_owned(),
        Some(bytes) if payload => escaped_bytes(bytes),
        Some(bytes) => count(i64::try_from(bytes.len()).unwrap_or(i64::MAX), "byte"),
    }
}

/// Bytes are base64, so that nothing can be lost or drive a terminal.
fn object(whole: &Whole, receipts: &Receipts, payload: bool) -> Value {
    let mut object = list::line(&whole.letter, receipts);
    let encoded = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| BASE64.encode(bytes));
    let size = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(Vec::len);
    let headers = whole.original_headers().iter().map(|(name, value)| {
        let mut header = json!({"name": name, "bytes": size(value)});
        if payload {
            header["base64"] = json!(encoded(value));
        }
        header
    });
    object["headers"] = headers.collect();
    object["key_bytes"] = json!(size(&whole.key));
    object["value_bytes"] = json!(size(&whole.value));
    if payload {
        object["key_base64"] = json!(encoded(&whole.key));
        object["value_base64"] = json!(encoded(&whole.value));
    }
    object
}
