//! A real Prometheus that scrapes a running demo and evaluates the shipped rules.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::path;
use crate::support::{Deadline, STEP_LIMIT, process, prometheus};

/// A process whose log is a file; killed with the value.
struct Logged {
    child: Child,
    log: std::path::PathBuf,
}

impl Logged {
    fn start(mut command: Command, log: &Path) -> Self {
        let file = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = process::spawn(command).unwrap();
        Self { child, log: log.to_owned() }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line with some words, and returns what follows a mark in it, up to an end.
    fn await_part(&mut self, words: &str, mark: &str, end: char) -> String {
        let deadline = Deadline::of_step();
        loop {
            let said = self.said();
            // The last line may not be whole yet.
            let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(line) = whole.lines().find(|line| line.contains(words)) {
                let (_, rest) = line.split_once(mark).unwrap();
                return rest.split(end).next().unwrap().trim().to_owned();
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended ({ended:?}) before it said {words}:\n{said}");
            deadline.wait(|| format!("{words} in\n{said}"));
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks Prometheus's API, and returns the data of its answer.
fn ask(address: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(STEP_LIMIT)).unwrap();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    // Until it is up, it says so in words.
    serde_json::from_str::<Value>(body).map_or(Value::Null, |answer| answer["data"].clone())
}

/// All rules that Prometheus has, of one type.
fn rules(address: &str, kind: &str) -> Vec<Value> {
    let data = ask(address, &format!("/api/v1/rules?type={kind}"));
    let groups = data["groups"].as_array().into_iter().flatten();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "what fired")]
fn prometheus_scrapes_a_running_demo_and_a_rule_fires() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    // A lively market: among its records are some that cannot be used.
    command.args(["demo", "-v", "--log-format", "json", "--http", "127.0.0.1:0"]);
    command.args(["--history-days", "10", "--events-per-second", "2000"]);
    let mut demo = Logged::start(command, &folder.path().join("demo.log"));
    let target = demo.await_part("http server listens", "\"address\":\"", '"');

    let rule_files = ["alerts", "recording"]
        .map(|name| path(&format!("deploy/prometheus/{name}.yaml")).display().to_string());
    let config = serde_json::json!({
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": rule_files,
        "scrape_configs": [{
            "job_name": "odrwatch",
            "sample_limit": 20_000,
            "static_configs": [{"targets": [target]}],
        }],
    });
    let file = folder.path().join("prometheus.yaml");
    fs::write(&file, config.to_string()).unwrap();
    let mut command = Command::new(prometheus());
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg("--web.listen-address=127.0.0.1:0");
    let mut server = Logged::start(command, &folder.path().join("prometheus.log"));
    let address = server.await_part("msg=\"Listening on\"", "address=", ' ');

    let deadline = Deadline::of_step();
    let fired = loop {
        let alerts = rules(&address, "alert");
        let fires =
            |rule: &Value| rule["name"] == "OdrwatchDeadLetters" && rule["state"] == "firing";
        if let Some(rule) = alerts.iter().find(|rule| fires(rule)) {
            break rule["alerts"][0].clone();
        }
        deadline.wait(|| format!("a firing rule:\n{alerts:?}\n{}", server.said()));
    };
    println!("{}", fired["annotations"]["description"]);
    let description = fired["annotations"]["description"].as_str().unwrap();
    assert!(description.starts_with("Within 15 minutes "), "{description}");
    assert!(!description.contains("<no value>"), "{description}");

    // Every rule was evaluated on real series without a mistake.
    let deadline = Deadline::of_step();
    loop {
        let all = [rules(&address, "alert"), rules(&address, "record")].concat();
        let unknown = all.iter().filter(|rule| rule["health"] == "unknown").count();
        if unknown == 0 && !all.is_empty() {
            let wrong: Vec<_> = all.iter().filter(|rule| rule["health"] != "ok").collect();
            assert!(wrong.is_empty(), "{wrong:?}");
            break;
        }
        deadline.wait(|| format!("the evaluation of {unknown} rules"));
    }
    let targets = ask(&address, "/api/v1/targets?state=active");
    let target = &targets["activeTargets"][0];
    assert_eq!((&target["health"], &target["lastError"]), (&"up".into(), &"".into()));
    // No recording rule asks for what is not there.
    for name in rules(&address, "record").iter().map(|rule| rule["name"].as_str().unwrap()) {
        let deadline = Deadline::of_step();
        while ask(&address, &format!("/api/v1/query?query={name}"))["result"]
            == serde_json::json!([])
        {
            deadline.wait(|| format!("a sample of {name}"));
        }
    }
}
