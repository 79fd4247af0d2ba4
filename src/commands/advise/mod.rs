//! `advise`: the removal verdicts on comments, without Kafka and without a network.
//!
//! Input is one comment, or the rows of the marketplace's feedback report. Nothing of a comment is
//! logged; what is printed quotes it, for the person who asked.

pub mod args;
mod print;
mod report;

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use super::args::OutputFormat;
use super::exit::ExitCode;
use super::failure::{Failure, FileError};
use super::output;
use crate::advice::{Facts, Profile, Reading, read_with};
use args::AdviseArgs;

/// The largest input: reports of feedback are some megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// One feedback and its verdicts.
struct Advised {
    /// What the report says of it; none for a comment alone.
    row: Option<report::Row>,
    comment: String,
    reading: Reading,
}

/// A mistake in what the command line names.
#[derive(Debug, thiserror::Error)]
enum InputError {
    #[error("{name} is larger than {MAX_BYTES} bytes; split it")]
    TooLarge { name: String },
    #[error("{name} is not UTF-8; convert it first, such as by iconv -f CP1252 -t UTF-8")]
    NotUtf8 { name: String },
    #[error("{name}:{line}: {what}")]
    Line { name: String, line: usize, what: String },
    #[error("{name} is no seller profile: {what}")]
    Profile { name: String, what: String },
}

impl InputError {
    fn failure(self) -> Failure {
        Failure::new(ExitCode::Usage, self)
    }
}

/// A seller's own data as a file has them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProfileFile {
    names: Vec<String>,
    e_mails: Vec<String>,
    telephones: Vec<String>,
    addresses: Vec<String>,
    handles: Vec<String>,
}

/// Prints verdicts.
///
/// # Errors
/// 64 for input that is not what it should be, 69 where it cannot be read or the output not be
/// written.
pub fn run(args: &AdviseArgs) -> Result<(), Failure> {
    let profile = args.profile.as_deref().map_or_else(|| Ok(Profile::default()), profile)?;
    let (name, text) = input(&args.file)?;
    let facts = Facts {
        channel: args.channel.map(Into::into),
        buy_shipping: args.buy_shipping,
        shipped_on_time: args.shipped_on_time,
    };
    let advised: Vec<Advised> = if args.report {
        let rows = report::rows(&text)
            .map_err(|(line, what)| InputError::Line { name, line, what }.failure())?;
        let negative = rows.into_iter().filter(report::Row::is_negative);
        negative
            .map(|(row, comment)| Advised {
                reading: read_with(&comment, &profile),
                row: Some(row),
                comment,
            })
            .collect()
    } else {
        let comment = text.trim_end_matches(['\r', '\n']).to_owned();
        vec![Advised { row: None, reading: read_with(&comment, &profile), comment }]
    };
    let text = match args.format {
        OutputFormat::Table => print::table(&advised, facts),
        OutputFormat::Json => print::json(&advised, facts),
    };
    output::print(text.as_bytes())
}

fn profile(path: &Path) -> Result<Profile, Failure> {
    let (name, text) = input(path)?;
    let file: ProfileFile = serde_saphyr::from_str(&text)
        .map_err(|error| InputError::Profile { name, what: error.to_string() }.failure())?;
    Ok(Profile {
        names: file.names,
        e_mails: file.e_mails,
        telephones: file.telephones,
        addresses: file.addresses,
        handles: file.handles,
    })
}

/// The name and the text of a file; `-` is the standard input.
fn input(path: &Path) -> Result<(String, String), Failure> {
    let is_standard = path == Path::new("-");
    let name =
        if is_standard { "the standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    let source: Box<dyn Read> = if is_standard {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).map_err(|e| FileError::failure("read", path, e))?)
    };
    source
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| FileError::failure("read", path, error))?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_BYTES) {
        return Err(InputError::TooLarge { name }.failure());
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text.trim_start_matches('\u{FEFF}').to_owned())),
        Err(_) => Err(InputError::NotUtf8 { name }.failure()),
    }
}
