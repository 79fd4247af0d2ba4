//! The configuration: read from layers, checked as a whole, every mistake listed at once.
//!
//! Layers, later over earlier: the defaults, one YAML file, environment variables
//! (`ODRWATCH__KAFKA__GROUP`), `--policy FILE`, `--set KEY=VALUE`. The path of a value: its text ->
//! a located tree (`tree.rs`) -> assignments to keys (`layers.rs`) -> a value that fits its key
//! (`check.rs`) -> the raw types (`raw.rs`) -> [`Config`] (`checked.rs`). The raw types are the one
//! source of keys, ranges, defaults and descriptions: the list of keys and the published JSON
//! Schema are read from them.
//!
//! Invariants: [`load`] gives a configuration without mistakes, or all mistakes, each with its
//! origin; secrets are shown by nothing. This module reads files; the environment and the host
//! name are read only by [`Sources::of_process`].

mod advice;
mod bridge;
mod check;
mod checked;
mod errors;
mod http;
mod keys;
mod layers;
mod policy;
mod properties;
mod raw;
mod raw_bridge;
mod raw_policy;
mod schemas;
mod shown;
mod snapshots;
mod tree;
mod zone;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

pub use advice::AdviceConfig;
pub use bridge::{BridgeConfig, BridgeStart, BridgeTarget};
pub use checked::{AlertsFrom, Config, EngineConfig, KafkaConfig, LogConfig};
pub use errors::{ConfigErrors, Mistake, Origin};
pub use http::{Exposed, HttpConfig};
pub use keys::{Key, Keys, Kind};
pub use layers::VARIABLE_PREFIX;
pub use properties::{
    OWNED_PROPERTIES, OwnedProperty, Properties, PropertyCheck, PropertyMisfit, Secret,
    owned_property,
};
pub use raw::{LogFormat, LogLevel, Partitioner};
pub use schemas::{advice_schema, alerts_schema, config_schema, events_schema};
pub use shown::shown;
pub use snapshots::{SnapshotPlace, SnapshotsConfig};
pub use zone::tzdb_version;

use checked::Checker;
use layers::{Assignment, Merged, POLICY_FILE};
use raw::RawConfig;

use crate::domain::policy::Policy;

/// Where a configuration comes from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The YAML file; none leaves the defaults.
    pub file: Option<PathBuf>,
    /// Environment variables; those without [`VARIABLE_PREFIX`] are passed over.
    pub variables: Vec<(OsString, OsString)>,
    /// A policy file from the command line, in place of any other policy.
    pub policy: Option<PathBuf>,
    /// `KEY=VALUE`, in the order of the command line.
    pub sets: Vec<String>,
    /// The machine's name, for `kafka.instance`.
    pub host_name: Option<String>,
    /// Passes over the files of `kafka.properties_file`: they are neither read nor missed.
    pub without_secrets: bool,
    /// What the Kafka client says of its properties; without it they are passed on unseen.
    pub property: Option<PropertyCheck>,
}

impl Sources {
    /// The sources of this process: a file and `--set` arguments from its command line, its
    /// environment and its host name.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, sets: Vec<String>) -> Self {
        let variables: Vec<_> = std::env::vars_os().collect();
        let host_name = host_name(&variables);
        Self { file, variables, sets, host_name, ..Self::default() }
    }
}

/// Variables may hold secrets, and so may `--set`: only their number is shown.
impl std::fmt::Debug for Sources {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Sources")
            .field("file", &self.file)
            .field("variables", &self.variables.len())
            .field("policy", &self.policy)
            .field("sets", &self.sets.len())
            .finish_non_exhaustive()
    }
}

/// The host name as the kernel or, where it does not say, the shell states it.
fn host_name(variables: &[(OsString, OsString)]) -> Option<String> {
    let of_shell = || {
        let (_, name) = variables.iter().find(|(name, _)| name == "HOSTNAME")?;
        name.to_str().map(str::to_owned)
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    kernel.or_else(of_shell).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// Reads and checks a configuration.
///
/// # Errors
/// All mistakes, if there are any.
pub fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
    let mut mistakes = Vec::new();
    let keys = Keys::of_config();
    let file = sources.file.as_deref();
    let file = file.map(|path| from_config_file(path, &keys, &mut mistakes));
    let environment = layers::from_environment(&sources.variables, &keys, &mut mistakes);
    let policy = sources.policy.as_deref().map(policy_argument);
    let sets = layers::from_sets(&sources.sets, &keys, &mut mistakes);
    let layers = vec![file.unwrap_or_default(), environment, policy.unwrap_or_default(), sets];
    let merged = Merged::of(layers, &mut mistakes);
    let host_name = sources.host_name.as_deref();
    let checker = Checker {
        merged: &merged,
        wrong: BTreeSet::new(),
        mistakes,
        read_secrets: !sources.without_secrets,
        host_name,
        property: sources.property,
    };
    check_all(&keys, checker)
}

/// Reads and checks a policy file, YAML or JSON.
///
/// # Errors
/// All mistakes, if there are any.
pub fn load_policy(path: &Path) -> Result<Policy, ConfigErrors> {
    let mut mistakes = Vec::new();
    let merged = Merged::of(vec![policy_argument(path)], &mut mistakes);
    // Of the other keys there are only the defaults, which need a host name and no more.
    let checker = Checker {
        merged: &merged,
        wrong: BTreeSet::new(),
        mistakes,
        read_secrets: false,
        host_name: Some("policy"),
        property: None,
    };
    let config = check_all(&Keys::of_config(), checker);
    config.map(|config| config.policy)
}

fn policy_argument(path: &Path) -> Vec<Assignment> {
    vec![Assignment {
        target: (POLICY_FILE.to_owned(), None),
        value: tree::Value::Given(path.display().to_string()),
        origin: Origin::PolicyArgument,
    }]
}

fn from_config_file(path: &Path, keys: &Keys, mistakes: &mut Vec<Mistake>) -> Vec<Assignment> {
    match layers::read(path) {
        Ok(text) => layers::from_file(path, &text, "", keys, mistakes),
        Err(problem) => {
            let origin = Origin::File { path: path.display().to_string(), line: 0, column: 0 };
            mistakes.push(Mistake::new(origin, "", format!("the file {problem}")));
            Vec::new()
        }
    }
}

/// Checks every value by itself, then all together.
fn check_all(keys: &Keys, mut checker: Checker<'_>) -> Result<Config, ConfigErrors> {
    let mut tree = Map::new();
    for (target, (value, origin)) in &checker.merged.values {
        let (path, name) = target;
        let key = keys.get(path).expect("layers assign known keys only");
        match check::fit(path, key, value) {
            Ok(value) => place(&mut tree, path, name.as_deref(), value),
            Err(misfit) => {
                let written = layers::written(target);
                checker.wrong.insert(written.clone());
                checker.mistakes.push(
                    Mistake::new(origin.clone(), written, misfit.problem)
                        .allowing(misfit.allowed)
                        .hinting(misfit.hint),
                );
            }
        }
    }
    let raw: RawConfig = serde_json::from_value(Json::Object(tree))
        .expect("values that fit their keys are of the raw types");
    let config = checked::config(raw, &mut checker);
    ConfigErrors::none_of(checker.mistakes)?;
    Ok(config)
}

/// Puts a value into a tree of JSON objects.
fn place(tree: &mut Map<String, Json>, path: &str, name: Option<&str>, value: Json) {
    let names: Vec<&str> = path.split('.').chain(name).collect();
    let (last, sections) = names.split_last().expect("a path has a name");
    let mut tree = tree;
    for section in sections {
        tree = tree
            .entry(*section)
            .or_insert_with(|| Json::Object(Map::new()))
            .as_object_mut()
            .expect("no key is a section");
    }
    tree.insert((*last).to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(sets: &[&str]) -> Result<Config, ConfigErrors> {
        let sets = sets.iter().map(|text| (*text).to_owned()).collect();
        load(&Sources { sets, host_name: Some("host-1".to_owned()), ..Sources::default() })
    }

    #[test]
    fn what_others_are_told_is_what_is_stated_or_else_the_address_that_is_bound() {
        let http = |sets: &[&str]| set(sets).unwrap().http;
        let (bound, every) = ("127.0.0.1:40123", ["0.0.0.0:9464", "[::]:9464"]);
        let default = http(&["http.listen=127.0.0.1:0"]);
        assert_eq!(default.advertised(bound.parse().unwrap()).as_deref(), Some(bound));
        let stated = http(&["http.advertise=odr-0.example.net:80"]);
        for address in every {
            let address = address.parse().unwrap();
            // Every address of a machine is no address that another one can use.
            assert_eq!(default.advertised(address), None);
            assert_eq!(stated.advertised(address).as_deref(), Some("odr-0.example.net:80"));
        }
        for wrong in ["odr-0", "", ":80", "odr-0:0", "http://odr-0:80", "a b:80"] {
            let said = set(&[&format!("http.advertise={wrong}")]).unwrap_err().to_string();
            assert!(said.contains("allowed: HOST:PORT"), "{said}");
        }
        assert!(set(&["http.advertise=[::1]:80"]).is_ok());
    }
}
