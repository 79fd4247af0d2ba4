//! The server over real sockets: status, headers and bodies of every endpoint, and its end.

#![expect(clippy::disallowed_methods, reason = "servers run beside the test, and take time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::server::{Limits, serve_routes};
use super::*;
use crate::domain::ids::ShardNo;
use crate::telemetry::{BuildInfo, HealthBoard, ShardState, WorkerNo, WorkerState};

/// Limits that no test reaches, but a short wait at the end.
const LIMITS: Limits = Limits { drain: Duration::from_millis(300), ..Limits::with_places(16) };

struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Server {
    fn start(routes: impl FnOnce(Arc<Metrics>) -> Router + Send + 'static) -> Self {
        Self::with_limits(LIMITS, routes)
    }

    fn with_limits(
        limits: Limits,
        routes: impl FnOnce(Arc<Metrics>) -> Router + Send + 'static,
    ) -> Self {
        let build = BuildInfo {
            version: "1.2.3".to_owned(),
            commit: "abc".to_owned(),
            librdkafka: "2.12.1".to_owned(),
        };
        let metrics = Arc::new(Metrics::new(build, Arc::new(HealthBoard::new(1))));
        let (shutdown, signal) = watch::channel(false);
        let (send, receive) = mpsc::channel();
        let shared = Arc::clone(&metrics);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                let metrics = shared.http.clone();
                serve_routes(listener, routes(shared), limits, metrics, signal).await;
            });
        });
        Self { address: receive.recv().unwrap(), metrics, shutdown, thread }
    }

    fn probes() -> Self {
        Self::start(|metrics| {
            let (_, shutdown) = watch::channel(false);
            router(HttpState::new(metrics, None, &Door::new(([127, 0, 0, 1], 0).into()), shutdown))
        })
    }

    fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head[9..12].to_owned(),
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    fn stop(self) {
        self.shutdown.send(true).unwrap();
        self.thread.join().unwrap();
    }
}

struct Answer {
    status: String,
    head: String,
    body: String,
}

impl Answer {
    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header)
    }
}

#[test]
fn metrics_have_the_type_that_prometheus_wants() {
    let server = Server::probes();
    let answer = server.get("/metrics");
    assert_eq!(answer.status, "200");
    let wanted = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.has(wanted), "{}", answer.head);
    let build = r#"odrwatch_build_info{commit="abc",librdkafka="2.12.1",version="1.2.3"} 1"#;
    assert!(answer.body.lines().any(|line| line == build), "{}", answer.body);
    server.stop();
}

#[test]
fn ready_follows_the_board_and_says_why_not() {
    let server = Server::probes();
    let answer = server.get("/readyz");
    assert_eq!(answer.status, "503");
    assert_eq!(answer.body, "1 of 1 workers wait for the consumer group\n");

    let (worker, shard) = (WorkerNo::new(0), ShardNo::new(2));
    let health = Arc::clone(server.metrics.health());
    health.set_worker(worker, WorkerState::Settled);
    let restoring = ShardState::Restoring { done: 0, remaining: 42, eta_seconds: None };
    health.set_shard(worker, shard, restoring);
    let answer = server.get("/readyz");
    assert_eq!(answer.status, "503");
    assert!(answer.body.contains("shard 2: restoring, 42 records remaining"));
    assert!(answer.has("cache-control: no-store"), "{}", answer.head);

    health.set_shard(worker, shard, ShardState::Live);
    let answer = server.get("/readyz");
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("200", "ready\n"));
    health.set_draining();
    assert_eq!(server.get("/readyz").body, "shutting down\n");
    server.stop();
}

#[test]
fn alive_does_not_depend_on_shards_but_on_workers() {
    let server = Server::probes();
    assert_eq!(server.get("/livez").status, "200");
    assert_eq!(server.get("/healthz").status, "200");
    let ended = WorkerState::Ended { reason: "fenced".to_owned() };
    server.metrics.health().set_worker(WorkerNo::new(0), ended);
    let answer = server.get("/healthz");
    assert_eq!(answer.status, "503");
    assert_eq!(answer.body, "worker 0 ended: fenced\n");
    server.stop();
}

#[test]
fn version_index_and_unknown_paths_answer() {
    let server = Server::probes();
    let answer = server.get("/version");
    assert!(answer.has("content-type: application/json"), "{}", answer.head);
    let version: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(version["version"], "1.2.3");
    assert_eq!(version["librdkafka"], "2.12.1");
    let index = server.get("/").body;
    for (path, _) in ENDPOINTS {
        assert!(index.contains(path), "{path}");
        assert_ne!(server.get(path).status, "404", "{path}");
    }
    let answer = server.get("/nothing%0ahere");
    assert_eq!(answer.status, "404");
    assert!(answer.body.contains("/metrics"));
    server.stop();
}

#[test]
fn other_methods_and_long_bodies_are_refused() {
    let server = Server::probes();
    let post = "POST /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let answer = server.ask(&format!("{post}content-length: 0\r\n\r\n"));
    assert_eq!(answer.status, "405");
    let answer = server.ask(&format!("{post}content-length: 65537\r\n\r\n"));
    assert_eq!(answer.status, "413");
    server.stop();
}

#[test]
fn a_request_that_takes_too_long_is_ended() {
    let server = Server::start(|_| {
        let never = get(|| async { std::future::pending::<String>().await });
        let routes = Router::new().route("/never", never);
        limited(routes, Duration::from_millis(50))
    });
    let answer = server.get("/never");
    assert_eq!((answer.status.as_str(), answer.body.as_str()), ("503", "timed out\n"));
    server.stop();
}

#[test]
fn an_open_connection_does_not_hold_up_the_end() {
    let server = Server::start(|_| {
        let never = get(|| async { std::future::pending::<String>().await });
        Router::new().route("/never", never)
    });
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let start = Instant::now();
    server.stop();
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_server_ends_when_nobody_can_end_it_any_more() {
    let server = Server::probes();
    drop(server.shutdown);
    server.thread.join().unwrap();
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

/// Reads until the server closes; what it said.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A connection may end with a reset where something that was sent was not read.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

fn counted(server: &Server, cause: &str) -> bool {
    let line = format!("odrwatch_http_connections_closed_total{{cause=\"{cause}\"}} 0");
    !server.metrics.render().lines().any(|found| found == line)
}

#[test]
fn a_head_that_never_ends_and_one_that_never_begins_are_given_up() {
    let limits = Limits { head: Duration::from_millis(100), ..LIMITS };
    let server = Server::with_limits(limits, |_| Router::new());
    let mut slow = connect(&server);
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").unwrap();
    let silent = connect(&server);
    assert_eq!(rest(slow), "");
    assert_eq!(rest(silent), "");
    assert!(counted(&server, "slow_request"));
    server.stop();
}

#[test]
fn one_that_takes_no_answer_is_given_up() {
    let limits = Limits { write: Duration::from_millis(100), ..LIMITS };
    let server = Server::with_limits(limits, |_| {
        let large = get(|| async { "x".repeat(64 * 1024 * 1024) });
        Router::new().route("/large", large)
    });
    let mut stream = connect(&server);
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    while !counted(&server, "slow_reader") {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(rest(stream).len() < 64 * 1024 * 1024);
    server.stop();
}

#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let server = Server::with_limits(Limits { most: 3, ..LIMITS }, |_| {
        Router::new().route("/", get(|| async { "here\n" }))
    });
    let silent: Vec<TcpStream> = (0..3)
        .map(|_| {
            let mut stream = connect(&server);
            stream.write_all(b"GET / HTTP/1.1\r\nhost:").unwrap();
            stream
        })
        .collect();
    // Each takes the place of the one that has waited longest.
    for _ in 0..4 {
        assert_eq!(server.get("/").body, "here\n");
    }
    assert!(counted(&server, "crowded"));
    let mut silent = silent.into_iter();
    assert_eq!(rest(silent.next().unwrap()), "");
    server.stop();
}

#[test]
fn where_every_place_is_being_answered_the_next_one_is_told_to_come_again() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let server = Server::with_limits(Limits { most: 2, ..LIMITS }, move |_| {
        let never = get(|| async move {
            count.fetch_add(1, Ordering::AcqRel);
            std::future::pending::<String>().await
        });
        Router::new().route("/never", never)
    });
    let ask = |_| {
        let mut stream = connect(&server);
        stream.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        stream
    };
    let asking: Vec<TcpStream> = (0..2).map(ask).collect();
    while begun.load(Ordering::Acquire) < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = rest(connect(&server));
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("retry-after: 1\r\n"), "{head}");
    assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
    assert!(counted(&server, "full"));
    drop(asking);
    server.stop();
}
