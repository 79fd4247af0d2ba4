//! What HTTP clients cost the workers: the duration of transactions with and without a load, side
//! by side in one run.
//!
//! `odrwatch demo` runs on the in-memory broker under a steady feed. Phases without and with a
//! load take turns (A B A B ...). The load is 200 clients that ask for lists, alerts and the
//! summary one request after the other, with a pause of `ODRWATCH_BENCH_PAUSE_MS` (200 by default)
//! between two, and 20 that send a head byte by byte and never end it. From `/metrics`, read ten
//! times a second, come the mean duration of the transactions of each tenth, and how many there
//! were; printed are quantiles over the tenths of all A and of all B.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "what is measured is time")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::{Deadline, process};

/// Clients that ask, and clients that never end their question.
const ASKING: usize = 200;
const SLOW: usize = 20;

/// How often a phase of each kind is run, and how long it is.
const ROUNDS: usize = 5;
const PHASE: Duration = Duration::from_secs(6);

const SAMPLE: Duration = Duration::from_millis(100);

const PATHS: [&str; 4] = [
    "/api/v1/sellers?limit=50",
    "/api/v1/summary",
    "/api/v1/sellers?band=critical,warning&limit=20",
    "/api/v1/alerts?limit=50",
];

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let pause = std::env::var("ODRWATCH_BENCH_PAUSE_MS").ok();
    let pause: u64 = pause.and_then(|text| text.parse().ok()).unwrap_or(200);
    let mut demo = Demo::start();
    let (mut without, mut with) = (Samples::default(), Samples::default());
    let (mut answers, mut closed) = (0, 0);
    demo.measure(&mut Samples::default());
    for _ in 0..ROUNDS {
        demo.measure(&mut without);
        let load = Load::start(demo.address, Duration::from_millis(pause));
        demo.measure(&mut with);
        let (took, gone) = load.stop();
        answers += took;
        closed += gone;
    }
    println!("{ASKING} clients with a pause of {pause} ms, {SLOW} that never end a head");
    println!("{answers} answers, {closed} heads given up, {ROUNDS} phases of {PHASE:?} each");
    without.print("without load");
    with.print("with load   ");
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
}

struct Demo {
    child: Child,
    address: SocketAddr,
}

impl Demo {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
        command.args(["demo", "--http", &address.to_string(), "--events-per-second", "2000"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let demo = Self { child: process::spawn(command).unwrap(), address };
        let deadline = Deadline::of_step();
        while get(address, "/readyz").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            deadline.wait(|| "the demo is ready".to_owned());
        }
        demo
    }

    /// The seconds that transactions took so far, and how many there were.
    fn transactions(&self) -> (f64, f64) {
        let text = get(self.address, "/metrics").unwrap();
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<f64>().unwrap()
        };
        let name = "odrwatch_transaction_duration_seconds";
        (of(&format!("{name}_sum ")), of(&format!("{name}_count ")))
    }

    fn measure(&mut self, samples: &mut Samples) {
        let begun = Instant::now();
        let mut before = self.transactions();
        while begun.elapsed() < PHASE {
            std::thread::sleep(SAMPLE);
            let now = self.transactions();
            let (seconds, count) = (now.0 - before.0, now.1 - before.1);
            before = now;
            if count > 0.0 {
                samples.micros.push(seconds / count * 1e6);
                samples.transactions += count;
            }
        }
    }
}

#[derive(Default)]
struct Samples {
    micros: Vec<f64>,
    transactions: f64,
}

impl Samples {
    fn print(&mut self, name: &str) {
        self.micros.sort_by(f64::total_cmp);
        let last = self.micros.len() - 1;
        let at = |percent: usize| self.micros[last * percent / 100];
        println!(
            "{name}: {:.0} transactions; duration in microseconds: least {:.0}, 10 % {:.0}, median \
             {:.0}, 90 % {:.0}, 99 % {:.0}, most {:.0}",
            self.transactions,
            at(0),
            at(10),
            at(50),
            at(90),
            at(99),
            at(100),
        );
    }
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    Some(text)
}

struct Load {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    closed: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(address: SocketAddr, pause: Duration) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (answers, closed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut threads = Vec::new();
        for number in 0..ASKING {
            let (over, count) = (Arc::clone(&is_over), Arc::clone(&answers));
            threads.push(std::thread::spawn(move || {
                // They do not all ask at the same moment.
                let share = u32::try_from(number).unwrap();
                std::thread::sleep(pause * share / u32::try_from(ASKING).unwrap());
                for path in PATHS.iter().cycle().skip(number) {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let is_answer =
                        get(address, path).is_some_and(|text| text.starts_with("HTTP/1.1 200"));
                    count.fetch_add(u64::from(is_answer), Ordering::Relaxed);
                    std::thread::sleep(pause);
                }
            }));
        }
        for _ in 0..SLOW {
            let (over, count) = (Arc::clone(&is_over), Arc::clone(&closed));
            threads.push(std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    dawdle(address, &over);
                    count.fetch_add(u64::from(!over.load(Ordering::Relaxed)), Ordering::Relaxed);
                }
            }));
        }
        Self { is_over, answers, closed, threads }
    }

    fn stop(self) -> (u64, u64) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        (self.answers.load(Ordering::Relaxed), self.closed.load(Ordering::Relaxed))
    }
}

/// Sends a head byte by byte, until the server gives it up.
fn dawdle(address: SocketAddr, is_over: &AtomicBool) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let head = b"GET / HTTP/1.1\r\nhost: localhost\r\n".iter().chain([b'x'].iter().cycle());
    for byte in head {
        if is_over.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(SAMPLE);
    }
}
