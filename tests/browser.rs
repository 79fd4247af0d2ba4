//! The pages in a real browser, against the program as people run it.
//!
//! The checks are in `tests/browser/*.mjs` and are run by Node with Playwright's core and axe; this
//! file starts the demo for them. Whatever is missing fails the test and is named; `make test`
//! installs it where it may.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::{process, target};

const TOKEN: &str = "a-token-of-the-browser-tests";

/// A demo that runs until the test ends.
struct Demo {
    child: Child,
    base: String,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
        command
            .args(["demo", "--seed", "1", "--http", "127.0.0.1:0"])
            .args(arguments)
            .env_clear()
            .env("HOSTNAME", "host-1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = process::spawn(command).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("http://"));
        let line = line.expect("the demo tells its address");
        let (_, rest) = line.split_once("http://").unwrap();
        let base = format!("http://{}", rest.split_once('/').unwrap().0);
        // The history is computed when the market is shown; the rest is read and dropped.
        assert!(lines.by_ref().map(Result::unwrap).any(|line| line.contains("at risk")));
        drain(lines);
        Self { child, base }
    }
}

#[expect(clippy::disallowed_methods, reason = "a pipe that nobody reads would stop the demo")]
fn drain(lines: impl Iterator<Item = std::io::Result<String>> + Send + 'static) {
    std::thread::spawn(move || lines.for_each(drop));
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself; the process is gone either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program on the PATH by one of its names.
fn program(names: &[&str]) -> PathBuf {
    let path = std::env::vars_os().find(|(name, _)| name == "PATH").map(|(_, path)| path);
    let path = path.unwrap_or_default();
    let places = std::env::split_paths(&path)
        .flat_map(|place| names.iter().map(move |name| place.join(name)));
    let mut found = places.filter(|place| place.is_file());
    found.next().unwrap_or_else(|| panic!("{} is missing: run scripts/setup.sh", names[0]))
}

/// Runs the checks of a script, and shows what it said if one failed.
fn check(script: &str, arguments: &[&str]) {
    let modules = target().join("tools/browser");
    let is_there = modules.join("node_modules/playwright-core/package.json").is_file();
    assert!(
        is_there,
        "Playwright's core is missing in {}: run scripts/setup.sh",
        modules.display()
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser").join(script);
    let output = Command::new(program(&["node"]))
        .arg(script)
        .args(arguments)
        .env("BROWSER_MODULES", modules)
        .env("BROWSER", program(&["chromium", "chromium-browser", "google-chrome"]))
        .output()
        .unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let said = said.join("\n");
    println!("{said}");
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert!(said.contains("ok  "), "{said}");
}

#[test]
fn the_pages_work_in_a_browser() {
    let demo = Demo::start(&["--events-per-second", "60"]);
    check("pages.mjs", &[&demo.base]);
}

#[test]
fn the_pages_ask_for_the_token_where_there_is_one() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let set = format!("http.token_file={}", file.display());
    let demo = Demo::start(&["--sellers", "10", "--set", &set]);
    check("locked.mjs", &[&demo.base, TOKEN]);
}
