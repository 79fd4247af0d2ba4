//! The layers of a configuration, each as assignments of values to keys: file, environment, --set.
//!
//! Later layers override earlier ones key by key: defaults < file < environment < `--policy` <
//! `--set`. A policy file is the whole policy: it takes the place of all policy keys of the layers
//! below the one that names it, and policy keys stated in that layer or above override it.
//! Unknown keys, keys stated twice and values where a section should be are found here; whether a
//! value fits its key is not (`check.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::errors::{Mistake, Origin};
use super::keys::{Keys, Kind, join};
use super::tree::{self, Node, Place, Value};

/// The prefix of the environment variables that are configuration.
pub const VARIABLE_PREFIX: &str = "ODRWATCH__";

/// The key that names the policy file.
pub(super) const POLICY_FILE: &str = "policy.file";

/// A key's path and, in a map of names, the free name.
pub(super) type Target = (String, Option<String>);

/// One key set to one value.
pub(super) struct Assignment {
    pub(super) target: Target,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// The values of all stated keys, the last layer's each.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) values: BTreeMap<Target, (Value, Origin)>,
}

impl Merged {
    /// Where a key's value comes from.
    pub(super) fn origin(&self, key: &str) -> Origin {
        self.values
            .get(&(key.to_owned(), None))
            .map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Puts the layers over each other, the first lowest, and reads the policy file that counts.
    pub(super) fn of(layers: Vec<Vec<Assignment>>, mistakes: &mut Vec<Mistake>) -> Self {
        let names_policy = |layer: &Vec<Assignment>| {
            layer.iter().any(|assignment| assignment.target.0 == POLICY_FILE)
        };
        let file_layer = layers.iter().rposition(names_policy);
        let mut merged = Self::default();
        for (index, layer) in layers.into_iter().enumerate() {
            if Some(index) == file_layer {
                let stated = layer.iter().rfind(|assignment| assignment.target.0 == POLICY_FILE);
                let policy = stated.map(|stated| policy_file(stated, mistakes));
                merged.values.retain(|(key, _), _| !key.starts_with("policy."));
                merged.put(policy.unwrap_or_default());
            }
            merged.put(layer);
        }
        merged
    }

    fn put(&mut self, layer: Vec<Assignment>) {
        for assignment in layer {
            let stated = (assignment.value, assignment.origin);
            self.values.insert(assignment.target, stated);
        }
    }
}

/// A target as it is written in messages.
pub(super) fn written((key, name): &Target) -> String {
    name.as_ref().map_or_else(|| key.clone(), |name| join(key, name))
}

/// Reads the policy file that an assignment names.
fn policy_file(stated: &Assignment, mistakes: &mut Vec<Mistake>) -> Vec<Assignment> {
    let (Value::Text(path) | Value::Given(path)) = &stated.value else {
        // The check of `policy.file` itself says what is wrong.
        return Vec::new();
    };
    let path = match &stated.origin {
        Origin::File { path: from, .. } => beside(from, path),
        _ => PathBuf::from(path),
    };
    match read(&path) {
        Ok(text) => from_file(&path, &text, "policy", &Keys::of_policy_file(), mistakes),
        Err(problem) => {
            let problem = format!("names {}, which {problem}", path.display());
            mistakes.push(Mistake::new(stated.origin.clone(), POLICY_FILE, problem));
            Vec::new()
        }
    }
}

/// A path as stated in a file: a relative one starts at the file's directory.
pub(super) fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().map_or_else(|| PathBuf::from(path), |directory| directory.join(path))
}

/// Reads a whole file of text.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// The assignments of a YAML or JSON text, whose root is the section `root`.
pub(super) fn from_file(
    path: &Path,
    text: &str,
    root: &str,
    keys: &Keys,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Assignment> {
    let path = path.display().to_string();
    match tree::parse(text) {
        Ok(node) => {
            let mut flat = Flat { path, text, keys, found: Vec::new(), mistakes };
            flat.read_all(root, node);
            flat.found
        }
        Err((Place { line, column }, problem)) => {
            let origin = Origin::File { path, line, column };
            mistakes.push(Mistake::new(
                origin,
                "",
                format!("this cannot be read as YAML: {problem}"),
            ));
            Vec::new()
        }
    }
}

/// A tree on its way to assignments.
struct Flat<'a> {
    path: String,
    text: &'a str,
    keys: &'a Keys,
    found: Vec<Assignment>,
    mistakes: &'a mut Vec<Mistake>,
}

impl Flat<'_> {
    fn origin(&self, place: Place) -> Origin {
        Origin::File { path: self.path.clone(), line: place.line, column: place.column }
    }

    fn read_all(&mut self, root: &str, node: Node) {
        let mut open = vec![(root.to_owned(), node)];
        while let Some((path, node)) = open.pop() {
            let is_map_of_names = self.keys.get(&path).is_some();
            let entries = match node.value {
                Value::Map(entries) => entries,
                // A section whose keys are all commented out.
                Value::Null => continue,
                other => {
                    let what = if path.is_empty() { "the file" } else { "" };
                    let problem = format!("{what} must be a map of keys, not {}", other.kind());
                    let origin = self.origin(node.place);
                    self.mistakes.push(Mistake::new(origin, path, problem.trim_start()));
                    continue;
                }
            };
            let mut seen = BTreeMap::new();
            for (name, node) in entries {
                let place = Place::of(name.referenced);
                if let Some(first) = seen.insert(name.value.clone(), place) {
                    let problem = format!("is stated twice, first in line {}", first.line);
                    let key = join(&path, &name.value);
                    self.mistakes.push(Mistake::new(self.origin(place), key, problem));
                    continue;
                }
                if is_map_of_names {
                    self.read_name(&path, name.value, node);
                } else {
                    open.extend(self.read_entry(&path, &name.value, place, node));
                }
            }
        }
    }

    /// Takes a key; gives back a section or a map of names, to be read on.
    fn read_entry(
        &mut self,
        path: &str,
        name: &str,
        place: Place,
        node: Node,
    ) -> Option<(String, Node)> {
        let path = join(path, name);
        if name.is_empty() || name.contains('.') {
            let hint = "in a file, keys are nested below their section, not joined by dots";
            let mistake = Mistake::new(self.origin(place), path, "is no known key");
            self.mistakes.push(mistake.hinting(Some(hint.to_owned())));
            return None;
        }
        match self.keys.get(&path) {
            _ if self.keys.is_section(&path) => return Some((path, node)),
            Some(key) if key.kind == Kind::Names => return Some((path, node)),
            Some(_) => self.found.push(Assignment {
                target: (path, None),
                origin: self.origin(node.place),
                value: node.value,
            }),
            None => {
                let mistake = unknown(self.origin(place), &path, self.keys);
                self.mistakes.push(mistake);
            }
        }
        None
    }

    /// Takes an entry of a map of names; a number or boolean there is the text that was written.
    fn read_name(&mut self, path: &str, name: String, node: Node) {
        let origin = self.origin(node.place);
        let is_scalar =
            matches!(node.value, Value::Integer(_) | Value::Fraction(_) | Value::Boolean(_));
        let plain = node.bytes.filter(|_| is_scalar);
        let value = plain
            .and_then(|(from, to)| self.text.get(from..to))
            .map_or(node.value, |text| Value::Text(text.trim().to_owned()));
        self.found.push(Assignment { target: (path.to_owned(), Some(name)), value, origin });
    }
}

fn unknown(origin: Origin, path: &str, keys: &Keys) -> Mistake {
    let meant = keys.suggestion(path);
    Mistake::new(origin, path, "is no known key")
        .hinting(meant.map(|meant| format!("did you mean {meant}?")))
}

/// The assignments of the environment variables with our prefix.
///
/// `ODRWATCH__A__B` is the key `a.b`. The rest of a name below a map of names, as in
/// `ODRWATCH__KAFKA__PROPERTIES__SASL_USERNAME`, is lower-cased and its `_` become dots; if it
/// has a dot already, it is taken as it is.
pub(super) fn from_environment(
    variables: &[(OsString, OsString)],
    keys: &Keys,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Assignment> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, value) in variables {
        let name = name.to_string_lossy();
        let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else {
            continue;
        };
        let origin = Origin::Variable(name.clone().into_owned());
        let path = rest.replace("__", ".").to_lowercase();
        let target = keys.resolve(&path).map(|target| match target {
            (map, Some(_)) => free_name(map, rest),
            plain => plain,
        });
        let Some(target) = target else {
            let hint = keys.suggestion(&path).map(|meant| {
                let variable = meant.replace('.', "__").to_uppercase();
                format!("did you mean {VARIABLE_PREFIX}{variable}?")
            });
            mistakes.push(Mistake::new(origin, path, "is no known key").hinting(hint));
            continue;
        };
        let key = written(&target);
        if !seen.insert(target.clone()) {
            let problem = "is stated by two environment variables";
            mistakes.push(Mistake::new(origin, key, problem));
            continue;
        }
        match value.to_str() {
            Some(value) => {
                found.push(Assignment { target, value: Value::Given(value.to_owned()), origin });
            }
            None => mistakes.push(Mistake::new(origin, key, "is not UTF-8")),
        }
    }
    found
}

/// The name of a Kafka property as an environment variable spells it.
fn free_name(map: String, rest: &str) -> Target {
    let depth = map.split('.').count();
    let name = rest.splitn(depth + 1, "__").last().unwrap_or_default();
    let name =
        if name.contains('.') { name.to_owned() } else { name.to_lowercase().replace('_', ".") };
    (map, Some(name))
}

/// The assignments of `--set KEY=VALUE` arguments, in order.
pub(super) fn from_sets(
    sets: &[String],
    keys: &Keys,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Assignment> {
    let mut found = Vec::new();
    for (index, text) in sets.iter().enumerate() {
        let number = index + 1;
        let Some((key, value)) = text.split_once('=') else {
            let key = format!("(number {number})");
            let origin = Origin::Set { number, key };
            let problem = "this has no `=`; write --set KEY=VALUE";
            mistakes.push(Mistake::new(origin, "", problem));
            continue;
        };
        let key = key.trim();
        let origin = Origin::Set { number, key: key.to_owned() };
        let bare = || keys.by_bare_name(key).map(|path| (path, None));
        match keys.resolve(key).or_else(bare) {
            Some(target) => {
                found.push(Assignment { target, value: Value::Given(value.to_owned()), origin });
            }
            None => mistakes.push(unknown(origin, key, keys)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    fn targets(assignments: &[Assignment]) -> Vec<String> {
        assignments.iter().map(|assignment| written(&assignment.target)).collect()
    }

    #[test]
    fn environment_names_are_paths_and_properties_get_their_dots() {
        let mut mistakes = Vec::new();
        let found = from_environment(
            &variables(&[
                ("ODRWATCH__KAFKA__BOOTSTRAP_SERVERS", "b:9092"),
                ("ODRWATCH__KAFKA__TOPICS__DEAD_LETTERS", "x"),
                ("ODRWATCH__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL"),
                ("ODRWATCH__KAFKA__PROPERTIES__ssl.ca.location", "/ca.pem"),
                ("ODRWATCH__KAFKA__PROPERTIES_FILE__SASL_PASSWORD", "/run/p"),
                ("ODRWATCH_SERVICE_HOST", "not ours"),
                ("PATH", "/bin"),
            ]),
            &Keys::of_config(),
            &mut mistakes,
        );
        assert_eq!(mistakes, []);
        assert_eq!(
            targets(&found),
            [
                "kafka.bootstrap_servers",
                "kafka.topics.dead_letters",
                "kafka.properties.security.protocol",
                "kafka.properties.ssl.ca.location",
                "kafka.properties_file.sasl.password",
            ]
        );
    }

    #[test]
    fn unknown_and_doubled_environment_names_are_mistakes() {
        let mut mistakes = Vec::new();
        from_environment(
            &variables(&[
                ("ODRWATCH__ENGINE__WORKER", "1"),
                ("ODRWATCH__ENGINE__WORKERS", "1"),
                ("ODRWATCH__engine__workers", "2"),
            ]),
            &Keys::of_config(),
            &mut mistakes,
        );
        let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "environment variable ODRWATCH__ENGINE__WORKER: engine.worker is no known key\n    \
                 hint: did you mean ODRWATCH__ENGINE__WORKERS?",
                "environment variable ODRWATCH__engine__workers: engine.workers is stated by two \
                 environment variables",
            ]
        );
    }

    #[test]
    fn set_takes_paths_bare_names_and_properties() {
        let mut mistakes = Vec::new();
        let sets = [
            "engine.max_ahead_ms=1",
            "max_ahead_ms=2",
            "warning_bp=150",
            "kafka.properties.client.id=a=b",
            "file=x",
            "nothing",
        ]
        .map(str::to_owned);
        let found = from_sets(&sets, &Keys::of_config(), &mut mistakes);
        assert_eq!(
            targets(&found),
            [
                "engine.max_ahead_ms",
                "engine.max_ahead_ms",
                "policy.warning_bp",
                "kafka.properties.client.id",
            ]
        );
        assert!(found[3].value == Value::Given("a=b".to_owned()));
        assert_eq!(mistakes.len(), 2);
    }
}
