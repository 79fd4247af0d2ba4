//! What is shipped under `deploy/`, held against the code: names of metrics, labels and their
//! values, ports, paths, keys of the configuration, topics, commands and exit codes.
//!
//! - `queries`: the metrics and labels that a query of Prometheus names;
//! - `rules`: alert and recording rules, their tests and their runbooks;
//! - `dashboards`: Grafana's dashboards and how they are provisioned;
//! - `compose`: the compose file, the image and Prometheus's configuration;
//! - `chart`: the Helm chart, as far as it can be read without Helm;
//! - `host`: the systemd unit and the access-control entries;
//! - `live`: a Prometheus that scrapes a running demo by the shipped rules.
//!
//! What needs tools of others (promtool, Helm, systemd-analyze) is in `scripts/deploy/check.sh`.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod chart;
mod compose;
mod dashboards;
mod host;
mod live;
mod queries;
mod rules;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use odrwatch::commands::args::Cli;
use odrwatch::config::{self, Config, Sources};
use serde_json::Value;

/// The path of a file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of the repository.
fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A YAML or JSON file of the repository.
fn tree(name: &str) -> Value {
    serde_saphyr::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of a folder's files with an ending, sorted.
fn names_in(folder: &str, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names
}

/// A list of texts.
fn words(value: &Value) -> Vec<String> {
    let words = value.as_array().unwrap_or_else(|| panic!("no list: {value}"));
    words.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
}

/// Fails unless these are arguments of `odrwatch`.
fn is_command(args: &[String]) {
    let line = std::iter::once("odrwatch".to_owned()).chain(args.iter().cloned());
    if let Err(error) = Cli::try_parse_from(line) {
        panic!("odrwatch {}: {error}", args.join(" "));
    }
}

/// The configuration that follows from a file's text and environment variables; it has no mistake.
fn configured(file: Option<&str>, variables: &[(String, String)]) -> Config {
    let folder = tempfile::tempdir().unwrap();
    let file = file.map(|text| {
        let path = folder.path().join("odrwatch.yaml");
        fs::write(&path, text).unwrap();
        path
    });
    let variables =
        variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let sources = Sources {
        file,
        variables: variables.collect(),
        host_name: Some("host".to_owned()),
        without_secrets: true,
        ..Sources::default()
    };
    config::load(&sources).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The configuration without a file.
fn defaults() -> Config {
    configured(None, &[])
}
