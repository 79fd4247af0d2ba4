//! The arrows between modules: left may import right, never back.
//!
//! ```text
//! main -> commands -> {bridge, config, http, kafka, snapshot, sim, testing} -> pipeline
//!                                                        -> {wire, advice} -> domain
//! ```
//!
//! `telemetry` may be used by all but `wire`, `advice` and `domain`, and sees only `domain`.

use std::collections::BTreeMap;

use super::paths::paths;
use super::scan::{File, Finding};

/// The adapters between the commands and the pipeline.
const ADAPTERS: [&str; 7] = ["bridge", "config", "http", "kafka", "snapshot", "sim", "testing"];

/// Adapters that never see each other.
const APART: [&str; 4] = ["bridge", "http", "kafka", "snapshot"];

/// What tests may import beside what their module may.
const FOR_TESTS: [&str; 2] = ["sim", "testing"];

/// What a module may import; `None` for a module that has no place yet.
fn may_import(from: &str) -> Option<Vec<&'static str>> {
    let core = ["pipeline", "wire", "advice", "domain", "telemetry"];
    Some(match from {
        "main" | "lib" => [&["commands"], &ADAPTERS[..], &core[..]].concat(),
        "commands" => [&ADAPTERS[..], &core[..]].concat(),
        // Of the pipeline, http sees only `query`; see `http_sees_only_query`.
        "http" => core.to_vec(),
        "bridge" | "config" | "kafka" | "snapshot" | "sim" | "testing" => {
            let mut all = [&ADAPTERS[..], &core[..]].concat();
            all.retain(|to| !(APART.contains(&from) && APART.contains(to)));
            all
        }
        "pipeline" => vec!["wire", "advice", "domain", "telemetry"],
        "wire" | "advice" | "telemetry" => vec!["domain"],
        "domain" => vec![],
        _ => return None,
    })
}

/// Every import that goes against the arrows.
pub fn arrows(files: &[File]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut between_adapters = BTreeMap::new();
    for file in files.iter().filter(|file| file.path.starts_with("src/")) {
        let from = top(file);
        let Some(allowed) = may_import(&from) else {
            let message =
                format!("give `{from}` its place among the arrows in tests/tidy/arrows.rs");
            found.push(file.finding(1, message));
            continue;
        };
        for path in paths(file) {
            let Some(target) = path.in_crate() else {
                continue;
            };
            let Some(to) = target.first().map(String::as_str) else {
                continue;
            };
            let in_test = file.test_lines.contains(&path.line);
            let is_known = may_import(to).is_some() && to != "lib" && to != "main";
            if !is_known || to == from || (in_test && FOR_TESTS.contains(&to)) {
                continue;
            }
            if !allowed.contains(&to) {
                let may = if allowed.is_empty() {
                    "nothing outside itself".to_owned()
                } else {
                    allowed.join(", ")
                };
                let message = format!("`{from}` must not import `{to}`; it may import {may}");
                found.push(file.finding(path.line, message));
            } else if !in_test {
                found.extend(http_sees_only_query(file, &from, &target, path.line));
                if ADAPTERS.contains(&to) && ADAPTERS.contains(&from.as_str()) {
                    let edge = (from.clone(), to.to_owned());
                    between_adapters.entry(edge).or_insert_with(|| file.finding(path.line, ""));
                }
            }
        }
    }
    found.extend(circles(&between_adapters));
    found
}

fn top(file: &File) -> String {
    match file.path.as_str() {
        "src/main.rs" => "main".to_owned(),
        "src/lib.rs" => "lib".to_owned(),
        _ => file.module().first().cloned().unwrap_or_default(),
    }
}

fn http_sees_only_query(
    file: &File,
    from: &str,
    target: &[String],
    line: usize,
) -> Option<Finding> {
    let inside = target.get(1).map(String::as_str);
    let breaks = from == "http" && target[0] == "pipeline" && inside != Some("query");
    let message = "`http` sees only `pipeline::query` of the pipeline; ask through a query";
    breaks.then(|| file.finding(line, message))
}

/// Adapters that import each other, directly or through others.
fn circles(edges: &BTreeMap<(String, String), Finding>) -> Vec<Finding> {
    let mut reach: Vec<(String, String)> = edges.keys().cloned().collect();
    let mut before = 0;
    while before != reach.len() {
        before = reach.len();
        for (from, middle) in reach.clone() {
            for (start, to) in edges.keys() {
                let longer = (from.clone(), to.clone());
                if *start == middle && !reach.contains(&longer) {
                    reach.push(longer);
                }
            }
        }
    }
    let back = |from: &String, to: &String| reach.contains(&(to.clone(), from.clone()));
    edges
        .iter()
        .filter(|((from, to), _)| back(from, to))
        .map(|((from, to), at)| Finding {
            message: format!("`{from}` and `{to}` import each other; move what both need right"),
            ..at.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Vec<String> {
        let found = arrows(&[File::new(path, text)]);
        found.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn imports_to_the_right_are_fine() {
        for (path, text) in [
            ("src/main.rs", "use odrwatch::commands::run;"),
            ("src/commands/run.rs", "use crate::{kafka::X, http, pipeline::worker};"),
            ("src/kafka/mod.rs", "use crate::config::K; use crate::pipeline::ports::Broker;"),
            ("src/http/api.rs", "use crate::pipeline::query::Q; use crate::telemetry::Metrics;"),
            ("src/pipeline/worker.rs", "use super::ports::Broker; use crate::wire;"),
            ("src/domain/shard.rs", "use super::time::Day; use crate::domain::ids;"),
            ("src/pipeline/worker.rs", "#[cfg(test)]\nmod tests { use crate::testing::B; }"),
            ("src/wire/mod.rs", "use crate::Unknown;"),
        ] {
            assert_eq!(check(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn imports_to_the_left_are_found_where_they_are() {
        for (path, text, line, word) in [
            ("src/domain/ids.rs", "//!\nuse crate::wire::X;", 2, "`domain` must not import `wire`"),
            ("src/domain/ids.rs", "fn f() { crate::telemetry::x() }", 1, "`telemetry`"),
            ("src/wire/mod.rs", "use super::pipeline::ports;", 1, "`pipeline`"),
            ("src/wire/a.rs", "use crate::{domain,\n telemetry::X};", 2, "`telemetry`"),
            ("src/pipeline/a.rs", "use super::super::kafka::X;", 1, "`kafka`"),
            ("src/pipeline/a.rs", "use crate::testing::X;", 1, "`testing`"),
            ("src/kafka/a.rs", "use crate::http::X;", 1, "`http`"),
            ("src/snapshot/a.rs", "use crate::kafka::X;", 1, "`kafka`"),
            ("src/bridge/a.rs", "use crate::kafka::X;", 1, "`kafka`"),
            ("src/http/a.rs", "use crate::config::X;", 1, "`config`"),
            ("src/http/a.rs", "use crate::pipeline::worker::W;", 1, "`pipeline::query`"),
            ("src/telemetry/a.rs", "use crate::pipeline::ports;", 1, "`pipeline`"),
            ("src/config/a.rs", "use crate::commands::run;", 1, "`commands`"),
            ("src/new/mod.rs", "//! x", 1, "give `new` its place"),
        ] {
            let found = check(path, text);
            assert_eq!(found.len(), 1, "{path} {text}: {found:?}");
            assert!(found[0].starts_with(&format!("{path}:{line}: ")), "{found:?}");
            assert!(found[0].contains(word), "{found:?}");
        }
    }

    #[test]
    fn adapters_that_import_each_other_are_found() {
        let files = [
            File::new("src/sim/mod.rs", "use crate::testing::X;"),
            File::new("src/testing/mod.rs", "use crate::config::X;"),
            File::new("src/config/mod.rs", "use crate::sim::X;"),
        ];
        assert_eq!(arrows(&files[..2]), []);
        assert_eq!(arrows(&files).len(), 3);
    }
}
