//! Rules on single source files: length, headers, and what must not be in them.

use super::paths::paths;
use super::scan::{File, Finding};

const MAX_LINES: usize = 500;
const MAX_COLUMNS: usize = 100;

/// The places where `unsafe` has been earned.
const UNSAFE_PLACES: [&str; 4] =
    ["src/kafka/ffi.rs", "src/kafka/ffi", "src/domain/orders", "tests/support"];

/// What the domain has none of: paths (by prefix) and words.
const NOT_IN_DOMAIN: [&str; 11] = [
    "std::time::SystemTime",
    "std::time::Instant",
    "std::io",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
];
const WORDS_NOT_IN_DOMAIN: [&str; 10] = [
    "SystemTime",
    "Instant",
    "tokio",
    "serde",
    "serde_json",
    "tracing",
    "rdkafka",
    "rdkafka_sys",
    "f32",
    "f64",
];

const NUMBER_TYPES: [&str; 14] = [
    "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32",
    "f64",
];

fn is_source(file: &File) -> bool {
    file.path.ends_with(".rs")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that filter wants")]
fn in_src(file: &&File) -> bool {
    file.path.starts_with("src/") && is_source(file)
}

/// Files of at most 500 lines, lines of at most 100 characters.
pub fn sizes(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| is_source(file)) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            let message = format!("{lines} lines; split the file, {MAX_LINES} are the most");
            found.push(file.finding(lines, message));
        }
        for (line, text) in file.lines() {
            let columns = text.chars().count();
            if columns > MAX_COLUMNS {
                let message = format!("{columns} characters; break the line at {MAX_COLUMNS}");
                found.push(file.finding(line, message));
            }
        }
    }
    found
}

/// Every source file says on its first line what it is.
pub fn headers(files: &[File]) -> Vec<Finding> {
    let message = "begin the file with `//! `: what it owns, its invariants, what is absent";
    files
        .iter()
        .filter(|file| is_source(file))
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| file.finding(1, message))
        .collect()
}

/// Only `src/kafka` knows the Kafka client.
pub fn kafka_client(files: &[File]) -> Vec<Finding> {
    let message = "only src/kafka may use rdkafka; go through pipeline::ports";
    let outside = files.iter().filter(in_src).filter(|f| !f.is_in("src/kafka"));
    words(outside, &["rdkafka", "rdkafka_sys"], |_| message.to_owned())
}

/// The domain is a function of its arguments: no clock, IO, async, serde, logs or floats.
pub fn pure_domain(files: &[File]) -> Vec<Finding> {
    let domain: Vec<_> = files.iter().filter(|file| file.is_in("src/domain")).collect();
    let tell = |word: &str| format!("the domain has no `{word}`; take it in as an argument");
    let mut found = words(domain.iter().copied(), &WORDS_NOT_IN_DOMAIN, tell);
    for file in domain {
        for path in paths(file) {
            let text = path.segments.join("::").replace("core::", "std::");
            let is_below = |place: &&&str| {
                let rest = text.strip_prefix(**place);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            let banned = NOT_IN_DOMAIN.iter().find(is_below);
            // Clocks are found as words already.
            if let Some(place) = banned.filter(|place| !place.starts_with("std::time")) {
                found.push(file.finding(path.line, tell(place)));
            }
        }
        for token in &file.tokens {
            let is_number = token.text.starts_with(|first: char| first.is_ascii_digit());
            if is_number && token.text.contains('.') {
                found.push(file.finding(token.line, tell("float literal")));
            }
        }
    }
    found
}

/// `unsafe` stays where a benchmark or a missing wrapper has earned it.
pub fn no_unsafe(files: &[File]) -> Vec<Finding> {
    let outside = files
        .iter()
        .filter(|file| is_source(file))
        .filter(|file| !UNSAFE_PLACES.iter().any(|place| file.is_in(place)));
    words(outside, &["unsafe"], |_| format!("`unsafe` is only for {}", UNSAFE_PLACES.join(", ")))
}

/// Numbers are converted by `From` or `TryFrom`.
pub fn no_casts(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(in_src) {
        for pair in file.tokens.windows(2) {
            if pair[0].text == "as" && NUMBER_TYPES.contains(&pair[1].text.as_str()) {
                let to = &pair[1].text;
                let message = format!("`as {to}`: use `{to}::from` or `{to}::try_from`");
                found.push(file.finding(pair[0].line, message));
            }
        }
    }
    found
}

/// Outside tests nothing is unwrapped without a reason.
pub fn no_unwrap(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(in_src) {
        for three in file.tokens.windows(3) {
            let unwraps = three[0].text == "." && three[1].text == "unwrap" && three[2].text == "(";
            if unwraps && !file.test_lines.contains(&three[1].line) {
                let message = "`unwrap`: return the error, or `expect` why it cannot happen";
                found.push(file.finding(three[1].line, message));
            }
        }
    }
    found
}

/// Nothing is left for later: no marks, no placeholders, no tests switched off.
pub fn nothing_left(files: &[File]) -> Vec<Finding> {
    // Put together here, so that this file is not its own finding.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let macros = ["todo", "unimplemented", "dbg"];
    let mut found = Vec::new();
    for file in files {
        for (line, text) in file.lines() {
            let mut parts = text.split(|c: char| !c.is_alphanumeric());
            if let Some(mark) = parts.find(|part| marks.contains(part)) {
                let message = format!("{mark}: do it now, or file it as an issue and take it out");
                found.push(file.finding(line, message));
            }
        }
        for pair in file.tokens.windows(2) {
            if macros.contains(&pair[0].text.as_str()) && pair[1].text == "!" {
                let message = format!("`{}!` must not stay", pair[0].text);
                found.push(file.finding(pair[0].line, message));
            }
        }
        for three in file.tokens.windows(3) {
            let texts = [&three[0].text, &three[1].text, &three[2].text];
            if texts == ["#", "[", "ignore"] {
                let message = "an ignored test proves nothing; fix it or remove it";
                found.push(file.finding(three[0].line, message));
            }
        }
    }
    found
}

/// Each invariant `I-<n>` that the domain's docs name is named by a test.
pub fn invariants(files: &[File]) -> Vec<Finding> {
    let mut tested = Vec::new();
    for file in files.iter().filter(|file| !file.path.starts_with("tests/tidy")) {
        let is_table = file.is_in("tests");
        let lines = file.lines();
        let test_lines = lines.filter(|(line, _)| is_table || file.test_lines.contains(line));
        for (_, text) in test_lines {
            tested.extend(invariant_ids(text));
            tested.extend(ids_in_names(text));
        }
    }
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is_in("src/domain")) {
        for (line, text) in file.lines().filter(|(_, text)| is_doc(text)) {
            for id in invariant_ids(text) {
                if !tested.contains(&id) {
                    let message = format!("no test names {id}; write one that says it tests {id}");
                    found.push(file.finding(line, message));
                }
            }
        }
    }
    found
}

fn is_doc(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//!") || line.starts_with("///")
}

fn invariant_ids(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '-');
    words
        .filter(|word| {
            let number = word.strip_prefix("I-");
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
        })
        .map(str::to_owned)
        .collect()
}

/// Ids in the names of tests: `i_3_late_records_move_nothing` is about I-3.
fn ids_in_names(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words
        .filter_map(|word| word.strip_prefix("i_")?.split_once('_'))
        .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
        .map(|(number, _)| format!("I-{number}"))
        .collect()
}

fn words<'a>(
    files: impl Iterator<Item = &'a File>,
    banned: &[&str],
    tell: impl Fn(&str) -> String,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        for token in &file.tokens {
            if banned.contains(&token.text.as_str()) {
                found.push(file.finding(token.line, tell(&token.text)));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&[File]) -> Vec<Finding>, path: &str, text: &str) -> Vec<usize> {
        let found = rule(&[File::new(path, text)]);
        found.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn long_files_and_lines_are_found() {
        assert_eq!(lines(sizes, "src/a.rs", &"x\n".repeat(501)), [501]);
        assert_eq!(lines(sizes, "src/a.rs", &"x\n".repeat(500)), [0; 0]);
        assert_eq!(lines(sizes, "tests/a.rs", &format!("\n{}", "x".repeat(101))), [2]);
        assert_eq!(lines(sizes, "benches/a.rs", &"\u{394}".repeat(100)), [0; 0]);
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert_eq!(lines(headers, "benches/a.rs", "use x;"), [1]);
        assert_eq!(lines(headers, "src/a.rs", "//! What it is.\n"), [0; 0]);
    }

    #[test]
    fn the_kafka_client_outside_its_adapter_is_found() {
        let text = "use x;\nuse rdkafka::Message;";
        assert_eq!(lines(kafka_client, "src/commands/run.rs", text), [2]);
        assert_eq!(lines(kafka_client, "src/kafka/a.rs", text), [0; 0]);
        let text = "// rdkafka\nlet librdkafka = \"rdkafka\";";
        assert_eq!(lines(kafka_client, "src/a.rs", text), [0; 0]);
    }

    #[test]
    fn what_the_domain_must_not_have_is_found() {
        for text in [
            "use std::time::Instant;",
            "use std::time::{Duration, SystemTime};",
            "use std::{fmt, io};",
            "use std::collections::{BTreeMap, HashMap};",
            "fn f() { std::env::var(\"x\"); }",
            "use std::thread::spawn;",
            "#[derive(serde::Serialize)]",
            "let x = 1.5;",
            "fn f(x: f64) {}",
            "tracing::info!(\"x\");",
        ] {
            assert_eq!(lines(pure_domain, "src/domain/a.rs", text), [1], "{text}");
            assert_eq!(lines(pure_domain, "src/wire/a.rs", text), [0; 0], "{text}");
        }
        let text = "use std::collections::BTreeMap; use hashbrown::HashMap; let x = y.0.1; // f64";
        assert_eq!(lines(pure_domain, "src/domain/a.rs", text), [0; 0]);
    }

    #[test]
    fn unearned_unsafe_is_found() {
        let text = "fn f() { unsafe { g() } }";
        for path in ["src/kafka/client.rs", "src/domain/ids.rs", "tests/a.rs", "benches/b.rs"] {
            assert_eq!(lines(no_unsafe, path, text), [1], "{path}");
        }
        for path in ["src/kafka/ffi.rs", "src/domain/orders/index.rs", "tests/support/mod.rs"] {
            assert_eq!(lines(no_unsafe, path, text), [0; 0], "{path}");
        }
    }

    #[test]
    fn casts_between_numbers_are_found() {
        assert_eq!(lines(no_casts, "src/a.rs", "let x = y\n as u64;"), [2]);
        let text = "use a as b; let x = <A as B>::c(); // as u64";
        assert_eq!(lines(no_casts, "src/a.rs", text), [0; 0]);
    }

    #[test]
    fn unwraps_outside_tests_are_found() {
        let text = "x.unwrap();\n#[cfg(test)]\nmod tests {\n x.unwrap();\n}\nx.unwrap_or(1);";
        assert_eq!(lines(no_unwrap, "src/a.rs", text), [1]);
        assert_eq!(lines(no_unwrap, "src/a/tests.rs", "x.unwrap();"), [0; 0]);
    }

    #[test]
    fn what_is_left_for_later_is_found() {
        let mark = concat!("// TO", "DO: later");
        for path in ["src/a.rs", "docs/a.md", "Makefile", "scripts/a.sh"] {
            assert_eq!(lines(nothing_left, path, &format!("\n{mark}")), [2], "{path}");
        }
        for text in ["todo!()", "unimplemented!(\"x\")", "dbg!(x)", "#[ignore]\nfn f() {}"] {
            assert_eq!(lines(nothing_left, "src/a.rs", text), [1], "{text}");
        }
        assert_eq!(lines(nothing_left, "src/a.rs", "let todo = 1; x.ignore();"), [0; 0]);
    }

    #[test]
    fn an_invariant_that_no_test_names_is_found() {
        let domain = "//! Invariants:\n//! I-3: x. I-4: y.\n#[cfg(test)]\nmod tests {\n// I-3\n}";
        assert_eq!(lines(invariants, "src/domain/a.rs", domain), [2]);
        let table = File::new("tests/scenarios/a.txt", "# tests I-4");
        assert_eq!(invariants(&[File::new("src/domain/a.rs", domain), table]), []);
        let named = File::new("tests/a.rs", "fn i_4_is_so() {}");
        assert_eq!(invariants(&[File::new("src/domain/a.rs", domain), named]), []);
    }
}
