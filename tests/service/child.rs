//! The `odrwatch` process of a test.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use super::stage::Stage;
use crate::support::{Deadline, STEP_LIMIT, process, promtool};

/// A running `odrwatch run`; killed with the value.
pub struct Odrwatch {
    child: Child,
    /// Its standard error stream is a file in here, and whatever files it was given.
    dir: TempDir,
    ended: Option<ExitStatus>,
}

impl Odrwatch {
    /// Starts the service of a stage; `more` are further arguments of `--set`.
    pub fn start(stage: &Stage, instance: &str, more: &[&str]) -> Self {
        Self::start_with(stage, instance, more, None)
    }

    /// The same with a configuration file beneath.
    pub fn start_with(stage: &Stage, instance: &str, more: &[&str], file: Option<&str>) -> Self {
        let mut sets = stage.sets(instance);
        sets.extend(more.iter().map(|set| (*set).to_owned()));
        Self::start_by(&sets, file)
    }

    /// Starts the service with further arguments of the command line.
    pub fn start_with_args(stage: &Stage, instance: &str, more: &[&str], args: &[&str]) -> Self {
        let mut sets = stage.sets(instance);
        sets.extend(more.iter().map(|set| (*set).to_owned()));
        let (dir, log) = log_file();
        let mut command = command(&sets, None, dir.path());
        command.args(args);
        Self::launch(command, dir, &log)
    }

    /// Starts the service by arguments of `--set`, over a configuration file if there is one.
    pub fn start_by(sets: &[String], file: Option<&str>) -> Self {
        let (dir, log) = log_file();
        let command = command(sets, file, dir.path());
        Self::launch(command, dir, &log)
    }

    /// Starts the service on a terminal; the log is what is written to it, escapes and all.
    pub fn start_on_terminal(stage: &Stage, instance: &str, more: &[&str]) -> Self {
        let (dir, mut log) = log_file();
        let (mut person, program) = process::terminal().unwrap();
        let mut sets = stage.sets(instance);
        sets.extend(more.iter().map(|set| (*set).to_owned()));
        let service = Self::launch(command(&sets, None, dir.path()), dir, &program);
        copy_in_background(move || {
            // It ends with an error once no program has the terminal any more.
            let _ = io::copy(&mut person, &mut log);
        });
        service
    }

    fn launch(mut command: Command, dir: TempDir, output: &File) -> Self {
        command.stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output.try_clone().unwrap());
        Self { child: process::spawn(command).unwrap(), dir, ended: None }
    }

    /// All that it said so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.dir.path().join("log")).unwrap();
        String::from_utf8(bytes).expect("logs are UTF-8")
    }

    /// Sends a signal, such as `libc::SIGTERM`.
    pub fn signal(&self, signal: libc::c_int) {
        process::signal(&self.child, signal);
    }

    /// Kills it at once, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.ended = Some(self.child.wait().unwrap());
    }

    /// Waits for its end and returns its exit code; none after a signal.
    pub fn wait(&mut self) -> Option<i32> {
        let deadline = Deadline::of_step();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.ended = Some(status);
                return status.code();
            }
            deadline.wait(|| format!("the end of odrwatch\n{}", self.log()));
        }
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        assert_eq!(self.wait(), Some(0), "{}", self.log());
    }

    /// Fails if it ended by itself.
    pub fn must_run(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "odrwatch ended by itself with {ended:?}\n{}", self.log());
    }

    /// Waits until a line of the log contains all of some words; returns it.
    pub fn await_line(&mut self, words: &[&str]) -> String {
        self.await_lines(words, 1).swap_remove(0)
    }

    /// Waits until its log has `most` lines that have all words; returns the first of these.
    pub fn await_lines(&mut self, words: &[&str], most: usize) -> Vec<String> {
        let deadline = Deadline::of_step();
        loop {
            let log = self.log();
            let found = log.lines().filter(|line| words.iter().all(|word| line.contains(word)));
            let found: Vec<String> = found.take(most).map(str::to_owned).collect();
            if found.len() == most {
                return found;
            }
            self.must_run();
            deadline.wait(|| format!("{words:?} in {most} lines of the log\n{log}"));
        }
    }

    /// Where it serves HTTP.
    pub fn address(&mut self) -> SocketAddr {
        let line = self.await_line(&["http server listens"]);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        line["address"].as_str().unwrap().parse().unwrap()
    }

    /// Asks for a path; returns status and body.
    pub fn get(&mut self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(STEP_LIMIT)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: odrwatch\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    /// The metrics page.
    pub fn metrics(&mut self) -> String {
        let (status, text) = self.get("/metrics");
        assert_eq!(status, 200, "{text}");
        text
    }

    /// Waits until it says that it is ready.
    pub fn await_ready(&mut self) {
        let deadline = Deadline::of_step();
        loop {
            let (status, text) = self.get("/readyz");
            if status == 200 {
                return;
            }
            self.must_run();
            deadline.wait(|| format!("/readyz: {text}\n{}", self.log()));
        }
    }
}

fn log_file() -> (TempDir, File) {
    let dir = TempDir::new().unwrap();
    let log = File::create(dir.path().join("log")).unwrap();
    (dir, log)
}

fn command(sets: &[String], file: Option<&str>, dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.arg("run");
    if let Some(text) = file {
        let path = dir.join("odrwatch.yaml");
        fs::write(&path, text).unwrap();
        command.arg("--config").arg(path);
    }
    for set in sets {
        command.args(["--set", set]);
    }
    command
}

#[expect(clippy::disallowed_methods, reason = "a terminal that nobody reads would stop who writes")]
fn copy_in_background(copy: impl FnOnce() + Send + 'static) {
    std::thread::spawn(copy);
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
impl Drop for Odrwatch {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // Both fail only when it has ended already.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            eprintln!("the last lines of odrwatch:\n{}", last.join("\n"));
        }
    }
}

/// Fails unless promtool finds a metrics page without fault.
pub fn promtool_accepts(text: &str) {
    let mut command = Command::new(promtool());
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = process::spawn(command).unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "promtool says:\n{said}\nabout\n{text}");
}

/// The sum of a metric's series whose labels contain some text.
pub fn metric(text: &str, name: &str, labels: &str) -> u64 {
    let of_series = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, rest) = series.split_once('{').unwrap_or((series, ""));
        (found == name && rest.contains(labels)).then(|| value.parse::<f64>().unwrap())
    };
    let sum: f64 = text.lines().filter_map(of_series).sum();
    format!("{sum:.0}").parse().unwrap()
}
