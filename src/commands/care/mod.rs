//! `care`: what to do about defects, from a running service or from a replay's results.
//!
//! Both come to the same items: a service's answers are read back into the types that it wrote
//! them with. Invariant: what a buyer wrote is printed only where `care.show_comments` permits it,
//! of the service that is asked or of the configuration here.

pub mod args;
mod client;
mod files;
mod print;

use std::path::Path;

use serde::Deserialize;

use super::args::{GlobalArgs, OutputFormat};
use super::exit::ExitCode;
use super::failure::{Failure, FileError};
use super::{output, start};
use crate::advice::Language;
use crate::config::{Config, Secret};
use crate::http::api::care::WorkOf;
use args::CareArgs;
use client::{Client, encoded};

/// Items of a page: as many as the API gives.
const PAGE: usize = 200;

/// An answer that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("the answer is no worklist; is it an odrwatch of this version?")]
struct NoWorklist(#[source] serde_json::Error);

/// The part of an answer that is read.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(flatten)]
    work: WorkOf,
    accounts: Accounts,
    next_cursor: Option<String>,
}

/// Of how many accounts with defects a worklist is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
struct Accounts {
    looked_at: usize,
    with_defects: usize,
}

/// Prints what to do.
///
/// # Errors
/// 64 for an address or a directory that is none, 69 where nobody answers or a file cannot be
/// read, 75 and 77 where the service refuses, 78 for a wrong configuration.
pub fn run(args: &CareArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let config = start::load(&start::sources(&args.config))?;
    start::start_quiet_logs(global, &config.log)?;
    let (work, accounts) = match &args.from {
        Some(directory) => {
            let care = start::care(&config);
            files::worklist(directory, args, (&config.policy, &care))?
        }
        None => asked(args, &client(args, &config)?)?,
    };
    let text = match args.format {
        OutputFormat::Table => print::table(&work, accounts, args.drafts),
        OutputFormat::Json => print::json(&work),
    };
    output::print(text.as_bytes())
}

/// The way to the service that is named, or to the one that this configuration is of.
fn client(args: &CareArgs, config: &Config) -> Result<Client, Failure> {
    let token = match &args.token_file {
        Some(path) => Some(token(path)?),
        None => config.http.token.as_ref().map(Secret::expose).map(str::to_owned),
    };
    let mut listen = config.http.listen;
    if listen.ip().is_unspecified() {
        listen.set_ip([127, 0, 0, 1].into());
    }
    let url = args.url.clone().unwrap_or_else(|| format!("http://{listen}"));
    Client::new(&url, token)
}

fn token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| FileError::failure("read", path, error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The worklist of a running service, page by page.
fn asked(args: &CareArgs, client: &Client) -> Result<(WorkOf, Accounts), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Software, error))?;
    let most = usize::try_from(args.limit).expect("usize has at least 32 bits here");
    let mut cursor = None;
    let mut all: Option<(WorkOf, Accounts)> = None;
    loop {
        let had = all.as_ref().map_or(0, |(work, _)| work.items.len());
        let path = path(args, PAGE.min(most - had), cursor.as_deref());
        let answer = runtime.block_on(client.get(&path))?;
        let page: Page = serde_json::from_value(answer)
            .map_err(|error| Failure::new(ExitCode::Unavailable, NoWorklist(error)))?;
        let (work, _) = match &mut all {
            Some(all) => {
                all.0.items.extend(page.work.items);
                all
            }
            None => all.insert((page.work, page.accounts)),
        };
        cursor = page.next_cursor;
        if cursor.is_none() || work.items.len() >= most {
            break;
        }
    }
    Ok(all.expect("at least one page was asked for"))
}

fn path(args: &CareArgs, limit: usize, cursor: Option<&str>) -> String {
    let mut path = format!("/api/v1/worklist?limit={limit}");
    let language = args.language.map(|language| Language::from(language).as_str());
    for (name, value) in [
        ("seller", args.seller.as_deref()),
        ("marketplace", args.marketplace.as_deref()),
        ("language", language),
        ("cursor", cursor),
    ] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    path
}
