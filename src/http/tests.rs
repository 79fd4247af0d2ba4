//! The server over real sockets: status, headers and bodies of every endpoint, and its end.

#![expect(clippy::disallowed_methods, reason = "servers run beside the test, and take time")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;
use crate::domain::ids::ShardNo;
use crate::telemetry::{BuildInfo, HealthBoard, ShardState, WorkerNo, WorkerState};

struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: watch::Sender<bool>,
    thread: JoinHandle<io::Result<()>>,
}

impl Server {
    fn start(routes: impl FnOnce(Arc<Metrics>) -> Router + Send + 'static) -> Self {
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
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                send.send(listener.local_addr()?).unwrap();
                let drain = Duration::from_millis(300);
                serve_routes(listener, routes(shared), signal, drain).await
            })
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
        self.thread.join().unwrap().unwrap();
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
    server.thread.join().unwrap().unwrap();
}
