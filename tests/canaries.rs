//! The canaries of `tests/canaries`: hand-made bugs that `make canaries` puts into a copy of the
//! sources, each to be caught by a test. Here it is only seen that each still can be put in.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How many there are at least.
const CANARIES: usize = 20;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn patches() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join("tests/canaries")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// A field of a patch's head.
fn field<'a>(patch: &'a str, name: &str) -> Option<&'a str> {
    let mut head = patch.lines().take_while(|line| !line.starts_with("---"));
    head.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// All of the sources that tests are in.
fn sources() -> String {
    let mut waiting = vec![root().join("src"), root().join("tests")];
    let mut text = String::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|kind| kind == "rs") {
                text += &fs::read_to_string(entry).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_canary_can_still_be_put_in() {
    let patches = patches();
    assert!(patches.len() >= CANARIES, "{} canaries", patches.len());
    for (path, text) in &patches {
        assert!(text.contains("\n+++ b/src/"), "{} changes no source", path.display());
        let output = Command::new("git")
            .args(["apply", "--check"])
            .arg(path)
            .current_dir(root())
            .stdin(Stdio::null())
            .output()
            .expect("git is on the PATH");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: make it anew: {said}", path.display());
    }
}

#[test]
fn every_canary_says_what_it_is_and_names_a_test_that_is_there() {
    let sources = sources();
    for (path, text) in patches() {
        let what = field(&text, "what").unwrap_or_default();
        assert!(!what.is_empty(), "{} does not say what it is", path.display());
        let test = field(&text, "test").unwrap_or_default();
        let (target, name) = match test.split(' ').collect::<Vec<_>>()[..] {
            ["--lib", module] => ("src", module),
            ["--test", program, name] => (program, name),
            _ => panic!("{}: {test:?} is no test", path.display()),
        };
        let is_there = match target {
            // A module, of which all tests are run.
            "src" => {
                root().join("src").join(name.replace("::", "/")).exists()
                    || root().join("src").join(format!("{}.rs", name.replace("::", "/"))).exists()
            }
            program => {
                root().join("tests").join(format!("{program}.rs")).exists()
                    && sources.contains(&format!("fn {name}()"))
            }
        };
        assert!(is_there, "{}: there is no test {test}", path.display());
    }
}
