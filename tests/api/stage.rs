//! A worker on the in-memory broker, the server that reads from it, and a client.

#![expect(clippy::disallowed_methods, reason = "the server runs beside the test")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use odrwatch::domain::event::Topic;
use odrwatch::domain::policy::Policy;
use odrwatch::http::api::Readers;
use odrwatch::http::{Door, HttpState, serve};
use odrwatch::pipeline::query::{Directory, ReadModel};
use odrwatch::telemetry::health::HealthBoard;
use odrwatch::telemetry::metrics::{BuildInfo, Metrics};
use odrwatch::wire::partition::Partitioner;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::fleet::{Fleet, FleetConfig};
use crate::support::Deadline;

pub struct Stage {
    pub fleet: Fleet,
    pub address: SocketAddr,
    pub shutdown: watch::Sender<bool>,
    server: JoinHandle<()>,
}

/// An answer: its status, its head in lower case, and its body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Stage {
    /// A hostile market, read to its end, and some sellers of today.
    pub fn new(seed: u64) -> Self {
        let mut stage = Self::with_door(seed, |door| door);
        stage.fleet.feed_all();
        stage.fleet.run_until_quiet();
        for number in 0..9 {
            let order = format!("302-0000004-{number:07}");
            stage.fleet.produce_defective_order(&format!("Today-{}", number % 4), &order);
        }
        stage.fleet.run_until_quiet();
        stage
    }

    /// An empty market behind a door.
    pub fn with_door(seed: u64, change: impl FnOnce(Door) -> Door) -> Self {
        Self::with(seed, change, |readers| readers)
    }

    /// The same, with something else to read from.
    pub fn with(
        seed: u64,
        change: impl FnOnce(Door) -> Door,
        readers: impl FnOnce(Readers) -> Readers,
    ) -> Self {
        let adapt = readers;
        let mut fleet = Fleet::new(FleetConfig::new(seed));
        let model = ReadModel::new();
        fleet.show_to(Arc::clone(&model));
        fleet.join("a", 0);
        let readers = Readers {
            model,
            policy: Policy::default(),
            shards: 2,
            directory: Directory::new(),
            partitioner: Partitioner::Murmur2,
            own_address: Some("127.0.0.1:1".to_owned()),
            topics: Topic::ALL.map(|topic| topic.as_str().to_owned()),
            is_synthetic: true,
            config: serde_json::json!({"http": {"listen": "127.0.0.1:0"}}),
        };
        let readers = adapt(readers);
        let door = change(Door::new(([127, 0, 0, 1], 0).into()));
        let (shutdown, signal) = watch::channel(false);
        let (send, receive) = mpsc::channel();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let health = Arc::new(HealthBoard::new(1));
                let metrics = Arc::new(Metrics::new(BuildInfo::of_this_build("none"), health));
                let state = HttpState::new(metrics, Some(readers), &door, signal.clone());
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                send.send(listener.local_addr().unwrap()).unwrap();
                serve(listener, state, signal).await;
            });
        });
        Self { fleet, address: receive.recv().unwrap(), shutdown, server }
    }

    /// Opens a connection whose reads give up after a moment.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
        stream
    }

    /// Sends a request and lets the worker go on until the answer is whole.
    pub fn ask(&mut self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let (mut bytes, deadline) = (Vec::new(), Deadline::of_step());
        loop {
            match stream.read_to_end(&mut bytes) {
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.fleet.run_turns(1);
                    deadline.wait(|| format!("the answer to {request}"));
                }
                Err(error) => panic!("{error}: {request}"),
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head[9..12].parse().unwrap();
        Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
    }

    /// The JSON of an answer that must be one.
    pub fn json(&mut self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        answer.json()
    }

    /// Ends the server.
    pub fn stop(self) {
        // It may have ended by itself.
        let _ = self.shutdown.send(true);
        self.server.join().unwrap();
    }
}

/// A text as a part of a path or the value of a parameter.
pub fn encode(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    let code = |byte: u8| match byte {
        plain if is_plain(plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(code).collect()
}

/// The path of an account.
pub fn account_path(row: &Value) -> String {
    let marketplace = match row["marketplace_id"].as_str().unwrap() {
        "" => "-",
        name => name,
    };
    let seller = row["seller_id"].as_str().unwrap();
    format!("/api/v1/sellers/{}/{}", encode(seller), encode(marketplace))
}
