//! Runs the program, without the caller's environment.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// The program with arguments.
pub fn odrwatch(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.args(args).env_clear().env("HOSTNAME", "host-1");
    command
}

/// Runs the program with nothing on its standard input.
pub fn run(args: &[&str]) -> Ran {
    run_with(args, b"")
}

/// Runs the program with something on its standard input.
pub fn run_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = odrwatch(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends before it has read all is no mistake of the test.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().expect("it ends by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program; it must end with 0.
pub fn done(args: &[&str]) -> Ran {
    let ran = run(args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran
}

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
