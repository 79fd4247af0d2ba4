//! A receiver of webhooks: says what it is told to, and remembers what came.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What is said to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A status.
    Status(u16),
    /// Nothing, for as long as the receiver is told so.
    Hang,
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    /// By name in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// What was said to it.
    pub status: u16,
}

impl Got {
    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the test's own receiver works")
    }
}

type Rule = Box<dyn Fn(&Got) -> Reply + Send>;

struct Shared {
    rule: Mutex<Rule>,
    got: Mutex<Vec<Got>>,
    /// Requests that were hung on.
    hung: Mutex<usize>,
    is_over: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A receiver at an address; nobody is there any more once it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Receiver {
    /// A receiver at a free port that takes everything.
    pub fn start() -> Self {
        Self::at("127.0.0.1:0".parse().expect("the test's own receiver works"))
    }

    /// A receiver at an address, where one was before.
    #[expect(clippy::disallowed_methods, reason = "another party, which answers by itself")]
    pub fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("the test's own receiver works");
        listener.set_nonblocking(true).expect("the test's own receiver works");
        let address = listener.local_addr().expect("the test's own receiver works");
        let shared = Arc::new(Shared {
            rule: Mutex::new(Box::new(|_| Reply::Status(200))),
            got: Mutex::default(),
            hung: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || accept(&listener, &of_thread));
        Self { address, shared, thread: Some(thread) }
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says something else from now on.
    pub fn reply(&self, rule: impl Fn(&Got) -> Reply + Send + 'static) {
        *lock(&self.shared.rule) = Box::new(rule);
    }

    /// Everything that was answered, in the order of the answers.
    pub fn got(&self) -> Vec<Got> {
        lock(&self.shared.got).clone()
    }

    /// What was answered with success.
    pub fn taken(&self) -> Vec<Got> {
        self.got().into_iter().filter(|got| got.status < 300).collect()
    }

    /// How many requests were left hanging.
    pub fn hung(&self) -> usize {
        *lock(&self.shared.hung)
    }

    /// Closes the port and all connections; returns what was taken.
    pub fn stop(mut self) -> Vec<Got> {
        self.end();
        self.taken()
    }

    fn end(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the test's own receiver works");
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.end();
    }
}

const LOOK: Duration = Duration::from_millis(5);

#[expect(clippy::disallowed_methods, reason = "another party, which answers by itself")]
fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut connections = Vec::new();
    while !shared.is_over.load(Ordering::Acquire) {
        match listener.accept() {
            Ok((stream, _)) => {
                let shared = Arc::clone(shared);
                connections.push(std::thread::spawn(move || {
                    // A client may go away at any time.
                    let _ = serve(stream, &shared);
                }));
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
    for connection in connections {
        connection.join().expect("the test's own receiver works");
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(LOOK))?;
    let mut bytes = Vec::new();
    let mut part = [0; 8_192];
    loop {
        if let Some((mut got, length)) = request(&bytes) {
            bytes.drain(..length);
            let status = loop {
                if shared.is_over.load(Ordering::Acquire) {
                    return Ok(());
                }
                let reply = lock(&shared.rule)(&got);
                match reply {
                    Reply::Status(status) => break status,
                    Reply::Hang => {
                        *lock(&shared.hung) += 1;
                        // As long as the client stays.
                        while !shared.is_over.load(Ordering::Acquire) {
                            if let Ok(0) = stream.read(&mut part) {
                                return Ok(());
                            }
                        }
                    }
                }
            };
            got.status = status;
            // First it is remembered: who sees the answer may ask for it.
            lock(&shared.got).push(got);
            write!(stream, "HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\nok")?;
            continue;
        }
        if shared.is_over.load(Ordering::Acquire) {
            return Ok(());
        }
        match stream.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(count) => bytes.extend_from_slice(&part[..count]),
            Err(error) if is_early(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_early(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A whole request at the front of some bytes, and how many of them it takes.
fn request(bytes: &[u8]) -> Option<(Got, usize)> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_end]).expect("the test's own receiver works");
    let mut lines = head.split("\r\n");
    let path = lines
        .next()
        .expect("the test's own receiver works")
        .split(' ')
        .nth(1)
        .expect("the test's own receiver works")
        .to_owned();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |text| text.parse().expect("the test's own receiver works"));
    let body = bytes.get(head_end..head_end + length)?.to_vec();
    Some((Got { path, headers, body, status: 0 }, head_end + length))
}
