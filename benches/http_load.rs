//! What HTTP clients cost a worker: how long its work takes with and without a load, side by side
//! in one run.
//!
//! A worker on the in-memory broker and the server run as in the service, on a thread each. The
//! worker gets orders with defects at a steady pace; what is timed is one boundary: all turns from
//! the records to the committed transaction with its alerts and statuses, and what is then handed
//! to readers. Phases without and with a load take turns (A B A B ...). The load is 200 clients
//! that ask for lists, alerts and the summary one request after the other, with a pause of
//! `ODRWATCH_BENCH_PAUSE_MS` (200 by default) between two, and 20 that send a head byte by byte and
//! never end it. Printed are quantiles over the boundaries of all A and of all B.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on fails")]
#![expect(clippy::disallowed_methods, reason = "what is measured is time")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../tests/fleet/mod.rs"]
mod fleet;

#[path = "../tests/api/stage.rs"]
#[allow(dead_code, reason = "the tests of the API use all of it")]
mod stage;

#[path = "../tests/support/mod.rs"]
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::stage::Stage;

/// Clients that ask, and clients that never end their question.
const ASKING: usize = 200;
const SLOW: usize = 20;

/// How often a phase of each kind is run, and how long it is.
const ROUNDS: usize = 5;
const PHASE: Duration = Duration::from_secs(6);

/// Between two bytes of a head that never ends.
const BYTE: Duration = Duration::from_millis(100);

/// Orders with a defect that come in one boundary, and how many sellers they are of.
const ORDERS: usize = 40;
const SELLERS: usize = 500;

/// Turns of 20 ms from one boundary of 5 s to the next.
const TURNS: usize = 250;

/// How long the worker rests after each boundary.
const REST: Duration = Duration::from_millis(10);

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
    let mut market = Market { stage: Stage::new(1), orders: 0 };
    let address = market.stage.address;
    let (mut without, mut with) = (Samples::default(), Samples::default());
    let (mut answers, mut closed) = (0, 0);
    market.measure(&mut Samples::default());
    for _ in 0..ROUNDS {
        market.measure(&mut without);
        let load = Load::start(address, Duration::from_millis(pause));
        market.measure(&mut with);
        let (took, gone) = load.stop();
        answers += took;
        closed += gone;
    }
    println!("{ASKING} clients with a pause of {pause} ms, {SLOW} that never end a head");
    println!("{answers} answers, {closed} heads given up, {ROUNDS} phases of {PHASE:?} each");
    without.print("without load");
    with.print("with load   ");
    market.stage.stop();
}

struct Market {
    stage: Stage,
    orders: usize,
}

impl Market {
    fn measure(&mut self, samples: &mut Samples) {
        let begun = Instant::now();
        while begun.elapsed() < PHASE {
            for _ in 0..ORDERS {
                let seller = format!("Seller-{}", self.orders % SELLERS);
                let order = format!("302-{:07}-0000000", self.orders);
                self.stage.fleet.produce_defective_order(&seller, &order);
                self.orders += 1;
            }
            let start = Instant::now();
            self.stage.fleet.run_turns(TURNS);
            samples.0.push(start.elapsed());
            std::thread::sleep(REST);
        }
    }
}

#[derive(Default)]
struct Samples(Vec<Duration>);

impl Samples {
    fn print(&mut self, name: &str) {
        self.0.sort_unstable();
        let last = self.0.len() - 1;
        let at = |percent: usize| self.0[last * percent / 100].as_micros();
        println!(
            "{name}: {} boundaries of {ORDERS} orders; microseconds: least {}, 10 % {}, median {}, \
             90 % {}, 99 % {}, most {}",
            self.0.len(),
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
        std::thread::sleep(BYTE);
    }
}
