//! The known keys, read from the JSON Schema of the raw types: path, type, range, default.
//!
//! Invariants: a key's path is its names joined by dots, and no name of a key has a dot; only the
//! free names in a map of names (Kafka properties) may have dots. Absent on purpose: a second,
//! hand-kept list of keys.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::errors::closest;
use super::raw::RawConfig;

/// What a key's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within a range, both ends included.
    Integer {
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// `true` or `false`.
    Boolean,
    /// A text, whose further grammar is checked elsewhere.
    Text,
    /// One of some words.
    Choice(Vec<String>),
    /// A list of some words.
    List(Vec<String>),
    /// A map of free names to texts.
    Names,
}

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What its value is.
    pub kind: Kind,
    /// What it means.
    pub description: String,
    /// Its default; null where it is none or depends on others.
    pub default: Value,
}

/// All keys by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    keys: BTreeMap<String, Key>,
    sections: BTreeSet<String>,
}

/// Sections whose keys `--set` also takes by their bare names.
const BARE_SECTIONS: [&str; 2] = ["engine", "policy"];

impl Keys {
    /// The keys of the configuration.
    #[must_use]
    pub fn of_config() -> Self {
        Self::of_schema(&schema_of::<RawConfig>())
    }

    /// The keys of a policy file: those below `policy`, by the same paths, without `policy.file`.
    #[must_use]
    pub(super) fn of_policy_file() -> Self {
        let mut keys = Self::of_config();
        keys.keys.retain(|path, _| path.starts_with("policy.") && path != "policy.file");
        keys.sections.retain(|path| path == "policy");
        keys
    }

    /// Reads the keys out of a schema without references.
    fn of_schema(schema: &Value) -> Self {
        let mut found = Self { keys: BTreeMap::new(), sections: BTreeSet::new() };
        let mut open = vec![(String::new(), schema.clone())];
        while let Some((path, schema)) = open.pop() {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                found.keys.insert(path, key_of(&schema));
                continue;
            };
            for (name, property) in properties {
                open.push((join(&path, name), property.clone()));
            }
            if !path.is_empty() {
                found.sections.insert(path);
            }
        }
        found
    }

    /// The key of a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Key> {
        self.keys.get(path)
    }

    /// Whether a path is a section: it has keys below it.
    #[must_use]
    pub fn is_section(&self, path: &str) -> bool {
        path.is_empty() || self.sections.contains(path)
    }

    /// All paths and keys, in the order of the paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Key)> {
        self.keys.iter().map(|(path, key)| (path.as_str(), key))
    }

    /// Splits a written path into a key's path and, in a map of names, the free name after it.
    #[must_use]
    pub(super) fn resolve(&self, written: &str) -> Option<(String, Option<String>)> {
        if let Some(key) = self.keys.get(written) {
            return (key.kind != Kind::Names).then(|| (written.to_owned(), None));
        }
        self.names_maps().find_map(|map| {
            let name = written.strip_prefix(map)?.strip_prefix('.')?;
            (!name.is_empty()).then(|| (map.to_owned(), Some(name.to_owned())))
        })
    }

    /// The paths of the maps of free names.
    pub(super) fn names_maps(&self) -> impl Iterator<Item = &str> {
        self.iter().filter(|(_, key)| key.kind == Kind::Names).map(|(path, _)| path)
    }

    /// The path of a key of `engine` or `policy` by its bare name.
    #[must_use]
    pub(super) fn by_bare_name(&self, name: &str) -> Option<String> {
        BARE_SECTIONS
            .iter()
            .map(|section| join(section, name))
            .find(|path| path != "policy.file" && self.keys.contains_key(path))
    }

    /// A known path that an unknown one may have been meant for.
    #[must_use]
    pub(super) fn suggestion(&self, unknown: &str) -> Option<String> {
        let (parent, name) = split(unknown);
        let known = || self.keys.keys().chain(&self.sections).map(String::as_str);
        let siblings = known().filter(|path| split(path).0 == parent);
        if let Some(near) = closest(name, siblings.map(|path| split(path).1)) {
            return Some(join(parent, near));
        }
        // A right name in the wrong place, then a name that is alike; of several that in the
        // section that is most like the one that was written.
        let in_section = |name: &str| {
            let places: Vec<&str> = known().filter(|path| split(path).1 == name).collect();
            let parents = places.iter().map(|path| split(path).0);
            let parent = closest(parent, parents).unwrap_or_default();
            let alike = places.iter().find(|path| split(path).0 == parent);
            alike.or(places.first()).map(|path| (*path).to_owned())
        };
        in_section(name).or_else(|| in_section(closest(name, known().map(|path| split(path).1))?))
    }
}

/// A path and a name below it, joined.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A path's parent and last name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}

/// The JSON Schema of a type, without references.
pub(super) fn schema_of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().into()
}

fn key_of(schema: &Value) -> Key {
    let text = |name: &str| schema.get(name).and_then(Value::as_str).unwrap_or_default();
    Key {
        kind: kind_of(schema),
        description: text("description").to_owned(),
        default: schema.get("default").cloned().unwrap_or(Value::Null),
    }
}

fn kind_of(schema: &Value) -> Kind {
    if let Some(words) = words_of(schema) {
        return Kind::Choice(words);
    }
    // An optional key's type is a list of its type and null.
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("integer") => Kind::Integer {
            min: schema["minimum"].as_u64().expect("every number has a range"),
            max: schema["maximum"].as_u64().expect("every number has a range"),
        },
        Some("boolean") => Kind::Boolean,
        Some("string") => Kind::Text,
        Some("array") => Kind::List(words_of(&schema["items"]).expect("lists are of words")),
        Some("object") => Kind::Names,
        other => panic!("the raw types have no key of the type {other:?}"),
    }
}

/// The words of an enumeration, however the schema spells it.
fn words_of(schema: &Value) -> Option<Vec<String>> {
    let words =
        |values: &[Value]| values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return Some(words(values));
    }
    let variants = schema.get("oneOf")?.as_array()?;
    let values: Vec<_> = variants.iter().map(|variant| variant["const"].clone()).collect();
    Some(words(&values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_ranges_and_defaults_of_the_raw_types() {
        let keys = Keys::of_config();
        let workers = keys.get("engine.workers").unwrap();
        assert_eq!(workers.kind, Kind::Integer { min: 1, max: 256 });
        assert_eq!(workers.default, 1);
        assert!(workers.description.starts_with("Worker threads"));
        assert_eq!(keys.get("kafka.properties").unwrap().kind, Kind::Names);
        assert_eq!(keys.get("kafka.instance").unwrap().kind, Kind::Text);
        assert_eq!(
            keys.get("policy.scopes").unwrap().kind,
            Kind::List(["all", "mfn", "afn"].map(str::to_owned).to_vec())
        );
        assert_eq!(
            keys.get("engine.partitioner").unwrap().kind,
            Kind::Choice(["murmur2", "consistent", "off"].map(str::to_owned).to_vec())
        );
        assert!(keys.is_section("kafka.topics") && !keys.is_section("kafka.properties"));
    }

    #[test]
    fn every_key_is_documented() {
        for (path, key) in Keys::of_config().iter() {
            assert!(!key.description.is_empty(), "{path}");
        }
    }

    #[test]
    fn a_free_name_keeps_its_dots() {
        let keys = Keys::of_config();
        let resolved = keys.resolve("kafka.properties.sasl.password").unwrap();
        assert_eq!(resolved.0, "kafka.properties");
        assert_eq!(resolved.1.as_deref(), Some("sasl.password"));
        assert!(keys.resolve("kafka.properties").is_none());
        assert!(keys.resolve("kafka.properties.").is_none());
    }

    #[test]
    fn suggestions_look_beside_first_and_then_everywhere() {
        let keys = Keys::of_config();
        let check = |unknown: &str, meant: Option<&str>| {
            assert_eq!(keys.suggestion(unknown).as_deref(), meant, "{unknown}");
        };
        check("engine.worker", Some("engine.workers"));
        check("kafka.boundary_ms", Some("engine.boundary_ms"));
        check("warning_bp", Some("policy.warning_bp"));
        check("kafka.topics.dead_letter", Some("kafka.topics.dead_letters"));
        check("kafak", Some("kafka"));
        check("kafak.grup", Some("kafka.group"));
        check("policy.fil", Some("policy.file"));
        check("policy.colour", None);
    }
}
