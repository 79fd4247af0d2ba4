//! `odrwatch demo` as people run it: the real program, in memory and beside a real Apache Kafka.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use support::broker::KafkaBroker;
use support::{Deadline, process, promtool, topics};

/// A demo that runs.
struct Demo {
    child: Child,
    out: BufReader<ChildStdout>,
    /// The lines read so far.
    lines: Vec<String>,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
        command
            .arg("demo")
            .args(arguments)
            .env_clear()
            .env("HOSTNAME", "host-1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = process::spawn(command).unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out, lines: Vec::new() }
    }

    /// Reads on until a line has a text in it, and returns the line.
    fn read_until(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).unwrap();
            assert!(read > 0, "no line with {text:?} in\n{}", self.lines.join("\n"));
            let line = line.trim_end().to_owned();
            self.lines.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Reads to the end: how it ended, all lines, and the standard error stream.
    fn finish(mut self) -> (ExitStatus, Vec<String>, String) {
        for line in self.out.lines() {
            self.lines.push(line.unwrap().trim_end().to_owned());
        }
        let (status, errors) = end_of(self.child);
        (status, self.lines, errors)
    }
}

/// How a program ends, and what it says of it.
fn end_of(mut child: Child) -> (ExitStatus, String) {
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    let deadline = Deadline::of_step();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return (status, errors);
        }
        deadline.wait(|| format!("the end of the demo\n{errors}"));
    }
}

/// What a plain GET answers, with its status line.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The address of HTTP in the line that tells it.
fn address(line: &str) -> &str {
    let (_, rest) = line.split_once("http://").unwrap();
    rest.split_once('/').unwrap().0
}

fn passes_promtool(exposition: &str) {
    let mut child = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(exposition.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{exposition}");
}

/// Fractions of a line, each with the percentage that belongs to it: the one behind it in a
/// table, the last one before it in an alert.
fn fractions(line: &str) -> Vec<(u64, u64, String)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut found = Vec::new();
    for (place, word) in words.iter().enumerate() {
        let is_in_alert = word.starts_with('(');
        let plain = word.trim_matches(|letter| "():;,".contains(letter));
        let Some((part, whole)) = plain.split_once('/') else { continue };
        let (Ok(part), Ok(whole)) = (part.parse(), whole.parse()) else { continue };
        // A number and its % are two words.
        let percentage = if is_in_alert { words[place - 2] } else { words[place + 1] };
        found.push((part, whole, percentage.to_owned()));
    }
    found
}

/// Checks that a percentage is its fraction, cut off after its decimals.
fn is_exact(part: u64, whole: u64, percentage: &str) -> bool {
    let (_, decimals) = percentage.split_once('.').unwrap();
    let digits: u64 = percentage.replace('.', "").parse().unwrap();
    let scale = 10_u64.pow(u32::try_from(decimals.len()).unwrap());
    digits == part * 100 * scale / whole
}

fn check_numbers(lines: &[String]) {
    let mut checked = 0;
    for line in lines.iter().filter(|line| !line.contains("http://")) {
        for (part, whole, percentage) in fractions(line) {
            assert!(is_exact(part, whole, &percentage), "{percentage} for {part}/{whole}: {line}");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} fractions in\n{}", lines.join("\n"));
}

/// The line after the one that begins with a seller's name: its last alert.
fn last_alert<'a>(lines: &'a [String], seller: &str) -> &'a str {
    let place = lines.iter().position(|line| line.starts_with(seller)).unwrap();
    &lines[place + 1]
}

/// Checks the summary of the history: each kind of alert, and what befell the story's sellers.
fn check_history(lines: &[String]) {
    let text = lines.join("\n");
    let count = |kind: &str, state: usize| -> u64 {
        let row = lines.iter().find(|line| line.starts_with(kind)).unwrap();
        let numbers: Vec<&str> = row[kind.len()..].split_whitespace().collect();
        numbers[state].parse().unwrap()
    };
    assert!(count("warning", 0) >= 5 && count("warning", 1) >= 1, "{text}");
    assert!(count("critical", 0) >= 1, "{text}");
    assert!(count("restriction risk", 0) >= 1, "{text}");
    assert!(last_alert(lines, "Gadget Cellar (US)").contains("RESTRICTION RISK"), "{text}");
    assert!(last_alert(lines, "Nordlicht Outdoor (DE)").contains("WARNING cleared"), "{text}");
    let expiry = last_alert(lines, "Calendar & Sons (UK)");
    assert!(expiry.contains("WARNING raised") && expiry.contains("no new defect"), "{text}");
    assert!(expiry.contains("orders left the window, none of them defective"), "{text}");
    let low = last_alert(lines, "Atelier Minuscule (FR)");
    assert!(low.contains("low volume: one defect alone is above 1 %"), "{text}");
    for quiet in ["Parcel Sparrow (US)", "Banco di Prova (IT)"] {
        assert!(text.contains(&format!("{quiet}: ")), "{text}");
        let line = lines.iter().find(|line| line.starts_with(quiet)).unwrap();
        assert!(line.ends_with("no alert"), "{line}");
    }
}

#[test]
fn the_demo_tells_its_story_and_ends_by_itself() {
    let arguments = ["--for", "15", "--seed", "1", "--http", "127.0.0.1:0"];
    let mut demo = Demo::start(&arguments);
    let metrics = demo.read_until("http://");
    assert!(demo.lines[0].contains("synthetic"), "{:?}", demo.lines);
    assert!(demo.lines.iter().any(|line| line.contains("broker   in memory")));
    demo.read_until("at risk");

    let address = address(&metrics);
    let answer = get(address, "/metrics");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (_, exposition) = answer.split_once("\r\n\r\n").unwrap();
    assert!(exposition.contains("odrwatch_alerts_total"), "{exposition}");
    passes_promtool(exposition);
    assert!(get(address, "/readyz").starts_with("HTTP/1.1 200 OK\r\n"));

    let (status, lines, errors) = demo.finish();
    assert!(status.success(), "{status}\n{errors}\n{}", lines.join("\n"));
    assert!(!errors.contains("WARN") && !errors.contains("ERROR"), "{errors}");
    assert!(!lines.iter().any(|line| line.contains('\u{1b}')), "no colours in a pipe");
    check_history(&lines);
    check_numbers(&lines);
    assert!(lines.last().unwrap().starts_with("Stopped after 15."), "{:?}", lines.last());
}

#[test]
fn an_interrupt_ends_the_demo_in_good_order_and_a_taken_port_does_not_stop_it() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    let set = format!("http.listen={taken}");
    let mut demo = Demo::start(&["--sellers", "10", "--set", &set]);
    let metrics = demo.read_until("http://");
    demo.read_until("at risk");
    assert!(metrics.ends_with(&format!("({taken} is in use)")), "{metrics}");
    assert!(get(address(&metrics), "/livez").starts_with("HTTP/1.1 200 OK\r\n"));
    process::signal(&demo.child, libc::SIGINT);
    let (status, lines, errors) = demo.finish();
    assert!(status.success(), "{status}\n{errors}");
    assert!(lines.last().unwrap().starts_with("Stopped after "), "{lines:?}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_demo_without_a_complaint() {
    let mut demo = Demo::start(&["--sellers", "10", "--http", "127.0.0.1:0"]);
    demo.read_until("synthetic");
    let Demo { child, out, .. } = demo;
    drop(out);
    let (status, errors) = end_of(child);
    assert!(status.success(), "{status}\n{errors}");
    assert!(!errors.contains("panic") && !errors.contains("ERROR"), "{errors}");
}

fn topic_names(bootstrap: &str) -> BTreeSet<String> {
    let consumer: BaseConsumer = topics::client(bootstrap).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

#[test]
fn on_a_real_broker_the_demo_tells_the_same_and_takes_its_topics_away() {
    let broker = KafkaBroker::start();
    let bootstrap = broker.bootstrap();
    let (left_behind, notes) = ("odr-demo-t5yc40-orders", "odr-demo-t5yc40-notes");
    topics::create_topics(&bootstrap, &[(left_behind, 1, &[]), (notes, 1, &[])]);

    let arguments = ["--kafka", &bootstrap, "--for", "5", "--seed", "1", "--http", "127.0.0.1:0"];
    let mut demo = Demo::start(&arguments);
    let told = demo.read_until("broker   Kafka at ");
    let (_, prefix) = told.split_once("topics ").unwrap();
    let prefix = prefix.trim_end_matches('*');
    demo.read_until("at risk");
    let during = topic_names(&bootstrap);
    assert_eq!(during.iter().filter(|name| name.starts_with(prefix)).count(), 9, "{during:?}");
    assert!(!during.contains(left_behind), "{during:?}");

    let (status, lines, errors) = demo.finish();
    assert!(status.success(), "{status}\n{errors}\n{}", lines.join("\n"));
    check_history(&lines);
    check_numbers(&lines);
    let deadline = Deadline::of_step();
    while topic_names(&bootstrap).iter().any(|name| name.starts_with(prefix)) {
        deadline.wait(|| format!("the end of the demo's topics\n{errors}"));
    }
    assert!(topic_names(&bootstrap).contains(notes), "it is nobody's but its owner's");
}
