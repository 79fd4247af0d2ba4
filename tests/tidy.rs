//! The project's rules as tests. Each fails with `file:line: what to do`.
//!
//! The checkers are in `tests/tidy/`, each with tests that it can fail. What a reviewer says
//! twice becomes a rule here.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/faults.rs"]
mod faults;
#[path = "tidy/paths.rs"]
mod paths;
#[path = "tidy/scan.rs"]
mod scan;
#[path = "tidy/source.rs"]
mod source;

use std::path::Path;

use scan::{File, Finding, read_project};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check(rule: impl Fn(&[File]) -> Vec<Finding>) {
    let files = read_project(root());
    assert!(
        files.iter().any(|file| file.path == "src/lib.rs"),
        "the project's files were not found"
    );
    let mut found = rule(&files);
    found.sort();
    found.dedup();
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(lines.is_empty(), "\n{}\n", lines.join("\n"));
}

#[test]
fn modules_import_only_along_the_arrows() {
    check(arrows::arrows);
}

#[test]
fn files_and_lines_are_short() {
    check(source::sizes);
}

#[test]
fn every_source_file_says_what_it_is() {
    check(source::headers);
}

#[test]
fn only_the_kafka_adapter_knows_the_kafka_client() {
    check(source::kafka_client);
}

#[test]
fn the_domain_is_pure() {
    check(source::pure_domain);
}

#[test]
fn unsafe_code_stays_where_it_was_earned() {
    check(source::no_unsafe);
}

#[test]
fn numbers_are_not_cast() {
    check(source::no_casts);
}

#[test]
fn nothing_is_unwrapped_without_a_reason() {
    check(source::no_unwrap);
}

#[test]
fn nothing_is_left_for_later() {
    check(source::nothing_left);
}

#[test]
fn every_invariant_of_the_domain_is_tested_by_name() {
    check(source::invariants);
}

#[test]
fn links_in_documents_lead_somewhere() {
    check(|files| docs::links(files, |path| root().join(path).exists()));
}

#[test]
fn every_fault_is_shown_by_tests_that_exist() {
    if std::env::vars_os().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        let path = root().join(faults::DOCUMENT);
        let text = std::fs::read_to_string(&path).expect("the document can be read");
        let renewed = faults::renewed(&text).expect("it has a place for the table");
        std::fs::write(&path, renewed).expect("the document can be written");
    }
    check(faults::faults);
}

#[test]
fn commands_in_the_readme_exist() {
    check(|files| {
        let named = |name: &str| files.iter().find(|file| file.path == name);
        match (named("README.md"), named("Makefile")) {
            (Some(readme), Some(makefile)) => docs::readme_commands(readme, makefile),
            (Some(readme), None) => docs::readme_commands(readme, &File::new("Makefile", "")),
            (None, _) => Vec::new(),
        }
    });
}

#[test]
fn the_change_log_is_open() {
    check(docs::changelog);
}
