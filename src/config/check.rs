//! Whether a written value fits its key: type, range, words.
//!
//! Invariant: the result deserialises into the raw type of the key. Absent on purpose: the
//! grammar of particular texts and whatever needs two keys (`checked.rs`).

use serde_json::json;

use super::errors::closest;
use super::keys::{Key, Kind};
use super::tree::{Node, Value};

/// Why a value does not fit its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) problem: String,
    pub(super) allowed: String,
    pub(super) hint: Option<String>,
}

/// Converts a written value to the JSON value of its key. `path` gives the unit.
///
/// # Errors
/// What is wrong and what is allowed.
pub(super) fn fit(path: &str, key: &Key, value: &Value) -> Result<serde_json::Value, Misfit> {
    let fitted = match &key.kind {
        Kind::Integer { min, max } => integer(path, *min, *max, value),
        Kind::Boolean => boolean(value),
        Kind::Text => text(value),
        Kind::Choice(words) => choice(words, value),
        Kind::List(words) => list(words, value),
        Kind::Names => name_value(value),
    };
    fitted.map_err(|(problem, hint)| Misfit { problem, allowed: allowed(path, key), hint })
}

/// What a key allows, with its unit and default.
pub(super) fn allowed(path: &str, key: &Key) -> String {
    let what = match &key.kind {
        Kind::Integer { min, max } => format!("{min}..={max}{}", unit(path)),
        Kind::Boolean => "true, false".to_owned(),
        Kind::Text | Kind::Names => "a text".to_owned(),
        Kind::Choice(words) => words.join(", "),
        Kind::List(words) => format!("a list of {}", words.join(", ")),
    };
    match &key.default {
        serde_json::Value::Null | serde_json::Value::Object(_) => what,
        serde_json::Value::String(default) => format!("{what}; default {default}"),
        serde_json::Value::Array(words) => {
            let words: Vec<_> = words.iter().filter_map(serde_json::Value::as_str).collect();
            format!("{what}; default {}", words.join(", "))
        }
        default => format!("{what}; default {default}"),
    }
}

/// The unit that a key's name ends in, spelled out.
fn unit(path: &str) -> &'static str {
    let units = [
        ("_ms", " milliseconds"),
        ("_kbytes", " kilobytes"),
        ("_bytes", " bytes"),
        ("_percent", " percent"),
        ("_hours", " hours"),
        ("_days", " days"),
        ("_bp", " basis points (1 = 0.01 %)"),
    ];
    units.iter().find(|(suffix, _)| path.ends_with(suffix)).map_or("", |(_, unit)| unit)
}

type Fitted = Result<serde_json::Value, (String, Option<String>)>;

/// Says that a value is not of the wanted kind.
fn other_kind(value: &Value, wanted: &str) -> String {
    match value {
        Value::Null => "has no value".to_owned(),
        Value::Text(text) | Value::Given(text) => format!("is {}, not {wanted}", quoted(text)),
        other => format!("is {}, not {wanted}", other.kind()),
    }
}

/// A text in quotes, control characters escaped, cut where it is long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(LONGEST).collect();
    format!("{:?}", start + "...")
}

fn integer(path: &str, min: u64, max: u64, value: &Value) -> Fitted {
    let number = match value {
        Value::Integer(number) => *number,
        Value::Given(text) if is_number(text) => text.trim().parse().unwrap_or(i128::MAX),
        Value::Text(text) | Value::Given(text) => {
            let problem = other_kind(value, "a whole number");
            return Err((problem, in_unit_of(path, text)));
        }
        other => return Err((other_kind(other, "a whole number"), None)),
    };
    match u64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(json!(number)),
        _ => Err((format!("is {number}, which is out of range"), None)),
    }
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// For a text such as `5s` at a key in milliseconds, or `1 %` at one in basis points: the number.
fn in_unit_of(path: &str, text: &str) -> Option<String> {
    let text = text.trim();
    if is_number(text) {
        return Some(format!("write {text} without quotes"));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let units: &[(&str, u64)] = if path.ends_with("_ms") {
        &[
            ("ms", 1),
            ("s", 1000),
            ("m", 60_000),
            ("min", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
        ]
    } else if path.ends_with("_days") {
        &[("d", 1), ("w", 7)]
    } else if path.ends_with("_bp") {
        &[("bp", 1), ("%", 100)]
    } else if path.ends_with("_percent") {
        &[("%", 1)]
    } else {
        &[]
    };
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    Some(format!("write {}", number.checked_mul(*factor)?))
}

fn boolean(value: &Value) -> Fitted {
    match value {
        Value::Boolean(value) => Ok(json!(value)),
        Value::Given(text) if text == "true" => Ok(json!(true)),
        Value::Given(text) if text == "false" => Ok(json!(false)),
        Value::Text(text) | Value::Given(text) => {
            let meant = match text.to_lowercase().as_str() {
                "yes" | "on" | "true" | "1" => Some("write true"),
                "no" | "off" | "false" | "0" => Some("write false"),
                _ => None,
            };
            let problem = other_kind(value, "a boolean");
            Err((problem, meant.map(str::to_owned)))
        }
        other => Err((other_kind(other, "a boolean"), None)),
    }
}

fn text(value: &Value) -> Fitted {
    match value {
        Value::Text(text) | Value::Given(text) => Ok(json!(text)),
        Value::Integer(_) | Value::Fraction(_) | Value::Boolean(_) => {
            let problem = format!("is {}, not a text", value.kind());
            Err((problem, Some("write it in quotes".to_owned())))
        }
        other => Err((other_kind(other, "a text"), None)),
    }
}

fn choice(words: &[String], value: &Value) -> Fitted {
    match value {
        Value::Text(text) | Value::Given(text) => match word(words, text) {
            Ok(word) => Ok(json!(word)),
            Err(problem) => Err(problem),
        },
        other => Err((other_kind(other, "one of the words"), None)),
    }
}

fn word<'a>(words: &'a [String], text: &str) -> Result<&'a str, (String, Option<String>)> {
    if let Some(word) = words.iter().find(|word| *word == text) {
        return Ok(word);
    }
    let lower = text.to_lowercase();
    let meant = closest(&lower, words.iter().map(String::as_str));
    let hint = meant.map(|meant| format!("did you mean {meant}?"));
    Err((format!("is {}, which is no such word", quoted(text)), hint))
}

fn list(words: &[String], value: &Value) -> Fitted {
    let texts: Vec<&str> = match value {
        Value::Given(text) => text.split(',').map(str::trim).collect(),
        Value::List(nodes) => nodes
            .iter()
            .map(|Node { value, .. }| match value {
                Value::Text(text) => Ok(text.as_str()),
                other => Err((format!("has {} in it", other.kind()), None)),
            })
            .collect::<Result<_, _>>()?,
        Value::Text(_) => {
            let problem = other_kind(value, "a list");
            return Err((problem, Some("write it in brackets, as in [all]".to_owned())));
        }
        other => return Err((other_kind(other, "a list"), None)),
    };
    if texts.is_empty() {
        return Err(("is empty".to_owned(), None));
    }
    let mut found: Vec<&str> = Vec::new();
    for text in texts {
        let word = word(words, text)
            .map_err(|(problem, hint)| (problem.replacen("is", "has", 1), hint))?;
        if found.contains(&word) {
            return Err((format!("names {word} twice"), None));
        }
        found.push(word);
    }
    Ok(json!(found))
}

/// A value in a map of names, which may be secret: no message shows it.
fn name_value(value: &Value) -> Fitted {
    match value {
        Value::Text(text) | Value::Given(text) => Ok(json!(text)),
        Value::Null => Err(("has no value".to_owned(), None)),
        other => Err((format!("is {}, not a text", other.kind()), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::Keys;

    fn misfit(path: &str, value: &Value) -> Misfit {
        let keys = Keys::of_config();
        fit(path, keys.get(path).unwrap(), value).unwrap_err()
    }

    #[test]
    fn every_number_takes_its_ends_and_refuses_what_is_beyond() {
        for (path, key) in Keys::of_config().iter() {
            let Kind::Integer { min, max } = key.kind else {
                continue;
            };
            for number in [min, max] {
                let written = Value::Integer(i128::from(number));
                assert_eq!(fit(path, key, &written), Ok(json!(number)), "{path}");
                let given = Value::Given(number.to_string());
                assert_eq!(fit(path, key, &given), Ok(json!(number)), "{path}");
            }
            for number in [i128::from(min) - 1, i128::from(max) + 1, -1, i128::MAX] {
                assert!(fit(path, key, &Value::Integer(number)).is_err(), "{path} {number}");
                assert!(fit(path, key, &Value::Given(number.to_string())).is_err());
            }
            for text in ["", "x", "5s", "0x10", "1.5", "1e3", "9".repeat(50).as_str()] {
                assert!(fit(path, key, &Value::Given(text.to_owned())).is_err(), "{path} {text}");
                assert!(fit(path, key, &Value::Text(text.to_owned())).is_err(), "{path} {text}");
            }
            for value in [Value::Null, Value::Boolean(true), Value::Fraction(1.5)] {
                assert!(fit(path, key, &value).is_err(), "{path} {value:?}");
            }
        }
    }

    #[test]
    fn a_number_with_a_unit_gets_the_number_that_was_meant() {
        let hint = |path: &str, text: &str| misfit(path, &Value::Text(text.to_owned())).hint;
        assert_eq!(hint("engine.boundary_ms", "5s").as_deref(), Some("write 5000"));
        assert_eq!(hint("engine.boundary_ms", "2 min").as_deref(), Some("write 120000"));
        assert_eq!(hint("policy.warning_bp", "1 %").as_deref(), Some("write 100"));
        assert_eq!(hint("policy.window_days", "60d").as_deref(), Some("write 60"));
        assert_eq!(hint("engine.workers", "4").as_deref(), Some("write 4 without quotes"));
        assert_eq!(hint("engine.workers", "four"), None);
    }

    #[test]
    fn words_lists_and_booleans_say_what_was_meant() {
        let found = misfit("engine.partitioner", &Value::Text("murmur".to_owned()));
        assert_eq!(found.hint.as_deref(), Some("did you mean murmur2?"));
        assert_eq!(found.allowed, "murmur2, consistent, off; default murmur2");
        let found = misfit("policy.count_open_claims", &Value::Text("yes".to_owned()));
        assert_eq!(found.hint.as_deref(), Some("write true"));
        let found = misfit("policy.scopes", &Value::Given("all,all".to_owned()));
        assert_eq!(found.problem, "names all twice");
        let found = misfit("policy.scopes", &Value::Given(String::new()));
        assert_eq!(found.problem, "has \"\", which is no such word");
        assert_eq!(misfit("policy.scopes", &Value::List(Vec::new())).problem, "is empty");
        assert_eq!(misfit("kafka.group", &Value::Integer(5)).problem, "is a number, not a text");
    }

    #[test]
    fn long_and_strange_texts_are_shown_safely() {
        assert_eq!(quoted("a\u{1b}[31m"), "\"a\\u{1b}[31m\"");
        assert_eq!(quoted(&"x".repeat(100)).len(), 65);
    }
}
