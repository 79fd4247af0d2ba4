//! The reference of the configuration is made from its schema, and is the schema's.

use std::fmt::Write;
use std::fs;

use odrwatch::config::{VARIABLE_PREFIX, config_schema};
use serde_json::Value;

use super::in_repository;

/// What rewrites the document.
const COMMAND: &str = "UPDATE_GOLDEN=1 cargo test --locked --test config reference";

/// What stands before the tables.
const HEAD: &str = "\
# Configuration reference

Every key, made from `odrwatch schema config`. A test holds this page to it, and
`COMMAND` writes it anew.
[config/odrwatch.yaml](../config/odrwatch.yaml) is the same as a file with comments;
[config/policies/amazon.yaml](../config/policies/amazon.yaml) is the policy as a file of its own.

- Later layers override earlier ones: the defaults, the file (`-c FILE`), environment variables,
  `--policy FILE` of a replay, `--set KEY=VALUE`. Every key can be left out.
- A key is a path of names with dots between them: nested in the file, in capitals with `__` between
  the names as a variable, as it is for `--set`. Keys of `engine` and `policy` can be set without
  their section.
- Lists are separated by commas in variables and for `--set`. Of a variable below a map, such as
  `ODRWATCH__KAFKA__PROPERTIES__SASL_USERNAME`, the rest of the name is taken in small letters with
  dots for `_`.
- `odrwatch validate` lists every mistake at once, each with its place and the nearest known key.
- A number's unit is the end of its name: `_ms`, `_days`, `_bytes`, `_kbytes`, `_percent`, `_bp`
  (basis points: 100 are 1 %).
";

/// The document that the schema makes.
fn document(schema: &Value) -> String {
    let mut text = HEAD.replace("COMMAND", COMMAND);
    let mut open = vec![(String::new(), schema)];
    while let Some((path, section)) = open.pop() {
        let properties = section["properties"].as_object().unwrap();
        let is_section = |property: &Value| property.get("properties").is_some();
        let join =
            |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        // The last one that is pushed is the next one.
        let below = properties.iter().rev().filter(|(_, property)| is_section(property));
        open.extend(below.map(|(name, property)| (join(name), property)));
        if path.is_empty() {
            continue;
        }
        let description = one_line(section);
        writeln!(text, "\n## `{path}`\n\n{description}\n").unwrap();
        text +=
            "| key | type | default | range | meaning | variable |\n|---|---|---|---|---|---|\n";
        for (name, property) in properties.iter().filter(|(_, property)| !is_section(property)) {
            let (kind, range) = kind_and_range(property);
            let key = join(name);
            let variable = format!("{VARIABLE_PREFIX}{}", key.replace('.', "__").to_uppercase());
            let (default, meaning) = (default(property), one_line(property));
            writeln!(text, "| `{key}` | {kind} | {default} | {range} | {meaning} | `{variable}` |")
                .unwrap();
        }
    }
    text
}

fn one_line(property: &Value) -> String {
    let words = property["description"].as_str().unwrap().split_whitespace();
    words.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Defaults as they are written in a file.
fn default(property: &Value) -> String {
    match &property["default"] {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "empty".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Object(names) if names.is_empty() => "empty".to_owned(),
        other => format!("`{}`", other.to_string().replace('"', "").replace(',', ", ")),
    }
}

/// What a value is, and within which bounds.
fn kind_and_range(property: &Value) -> (&'static str, String) {
    if let Some(words) = words(property) {
        return ("one of", words);
    }
    let kind = match &property["type"] {
        Value::Array(kinds) => kinds[0].as_str(),
        kind => kind.as_str(),
    };
    match kind.unwrap() {
        "integer" => {
            let bound = |name: &str| grouped(property[name].as_u64().unwrap());
            ("integer", format!("{} to {}", bound("minimum"), bound("maximum")))
        }
        "boolean" => ("boolean", "`true`, `false`".to_owned()),
        "string" => ("text", String::new()),
        "array" => ("list of", words(&property["items"]).unwrap()),
        "object" => ("map", "names to texts".to_owned()),
        other => panic!("a key of the type {other}"),
    }
}

fn words(schema: &Value) -> Option<String> {
    let words: Vec<&str> = match (schema["enum"].as_array(), schema["oneOf"].as_array()) {
        (Some(words), _) => words.iter().filter_map(Value::as_str).collect(),
        (_, Some(words)) => words.iter().filter_map(|word| word["const"].as_str()).collect(),
        _ => return None,
    };
    Some(words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_reference_is_the_schema() {
    let made = document(&serde_json::from_str(&config_schema()).unwrap());
    let path = in_repository("docs/configuration.md");
    if std::env::vars_os().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        fs::write(&path, &made).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(written.lines()).find(|(made, written)| made != written);
    assert!(made == written, "docs/configuration.md is out of date ({differs:?}): {COMMAND}");
}

#[test]
fn every_key_has_its_row_with_all_that_is_known_of_it() {
    let keys = odrwatch::config::Keys::of_config();
    let made = document(&serde_json::from_str(&config_schema()).unwrap());
    let rows: Vec<&str> = made.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(rows.len(), keys.iter().count());
    for (path, _) in keys.iter() {
        let of_key = |row: &&&str| row.starts_with(&format!("| `{path}` |"));
        let row = rows.iter().find(of_key).unwrap_or_else(|| panic!("{path} has no row"));
        // An escaped bar within a cell is none between cells.
        assert_eq!(row.replace("\\|", "").matches('|').count(), 7, "{row}");
    }
    let workers = rows.iter().find(|row| row.starts_with("| `engine.workers` |")).unwrap();
    assert!(workers.contains("| integer | `1` | 1 to 256 |"), "{workers}");
    assert!(workers.ends_with("| `ODRWATCH__ENGINE__WORKERS` |"), "{workers}");
}
