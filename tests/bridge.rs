//! The bridge over a topic in memory, with a receiver over real sockets: what arrives, in which
//! order, and what becomes of it when the receiver fails, rejects, hangs or is away.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use odrwatch::bridge::alertmanager::{PATH, Sender};
use odrwatch::bridge::courier::{Courier, Destination};
use odrwatch::bridge::signature::SigningKey;
use odrwatch::bridge::{Bridge, BridgeConfig, MOST_REJECTIONS, Receiver as Kind};
use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::alert_log::{AlertLog, FirstStart};
use odrwatch::telemetry::{BuildInfo, HealthBoard, Metrics};
use odrwatch::testing::AlertTopic;
use support::Deadline;
use support::receiver::{Got, Receiver, Reply};

const ALERT: &str = include_str!("golden/alert.json");

fn config(receiver: Kind) -> BridgeConfig {
    BridgeConfig {
        receiver,
        topic: "odr-alerts".to_owned(),
        first: FirstStart::Latest,
        concurrency: 4,
        max_backoff_ms: 40,
    }
}

fn alertmanager(repeat_ms: i64, has_heartbeat: bool) -> Kind {
    let sender = Sender { group: "odrwatch".to_owned(), instance: "odr-0".to_owned() };
    Kind::Alertmanager { repeat_ms, has_heartbeat, sender }
}

/// A bridge on a thread of its own; stops when it is told to.
struct Running {
    metrics: Arc<Metrics>,
    is_over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    #[expect(clippy::disallowed_methods, reason = "the bridge runs beside the test")]
    fn start(topic: &AlertTopic, url: String, config: BridgeConfig) -> Self {
        let health = Arc::new(HealthBoard::new(1));
        let metrics = Arc::new(Metrics::new(BuildInfo::of_this_build("none"), health));
        let is_over = Arc::new(AtomicBool::new(false));
        let (topic, over, shared) = (topic.clone(), Arc::clone(&is_over), Arc::clone(&metrics));
        let thread = std::thread::spawn(move || {
            let courier = Courier::new(&Destination {
                url,
                token: Some("a-token".to_owned()),
                key: Some(SigningKey::of("0123456789abcdef")),
                authorities: None,
                timeout: Duration::from_millis(300),
            });
            let (bridge, health) = (shared.bridge.clone(), Arc::clone(shared.health()));
            let mut bridge = Bridge::new(config, Arc::new(courier.unwrap()), bridge, health);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let connect = || {
                let log: Box<dyn AlertLog> = Box::new(topic.connect());
                Ok(log)
            };
            let run = bridge.run(&connect, || over.load(Ordering::Acquire));
            runtime.unwrap().block_on(run);
        });
        Self { metrics, is_over, thread }
    }

    fn webhook(topic: &AlertTopic, receiver: &Receiver) -> Self {
        Self::start(topic, receiver.url() + "/hook", config(Kind::Webhook))
    }

    fn stop(self) {
        self.is_over.store(true, Ordering::Release);
        self.thread.join().unwrap();
    }

    /// Whether `/metrics` has a line.
    fn tells(&self, line: &str) -> bool {
        self.metrics.render().lines().any(|found| found == line)
    }
}

fn shard(number: u32) -> ShardNo {
    ShardNo::new(number)
}

fn until(awaited: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Deadline::of_step();
    while !is_so() {
        deadline.wait(|| awaited.to_owned());
    }
}

/// Waits until everything of a topic was delivered and committed.
fn until_committed(topic: &AlertTopic, partitions: u32) {
    until("everything is committed", || {
        (0..partitions).map(shard).all(|shard| topic.committed(shard) == Some(topic.end(shard)))
    });
}

/// What was taken of each key, in order and without repetitions.
fn by_key(taken: &[Got]) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for got in taken {
        let bodies = found.entry(got.header("x-odrwatch-key").to_owned()).or_default();
        let body = got.text().to_owned();
        if !bodies.contains(&body) {
            bodies.push(body);
        }
    }
    found
}

/// So many alerts of several sellers in two partitions; returns what must arrive of each.
fn fill(topic: &AlertTopic, from: usize, count: usize) -> BTreeMap<String, Vec<String>> {
    let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for number in from..from + count {
        let (seller, value) = (format!("S{}", number % 5), format!("{{\"number\":{number}}}"));
        let partition = shard(u32::try_from(number % 5 % 2).unwrap());
        topic.append(partition, &seller, value.as_bytes(), Vec::new());
        sent.entry(seller).or_default().push(value);
    }
    sent
}

/// A topic whose group has begun.
fn begun(receiver: &Receiver) -> AlertTopic {
    let topic = AlertTopic::new(2);
    let bridge = Running::webhook(&topic, receiver);
    until("both partitions are open", || (0..2).all(|n| topic.committed(shard(n)).is_some()));
    bridge.stop();
    topic
}

#[test]
fn an_alert_arrives_exactly_as_it_is_with_its_place_and_a_signature() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    let value = ALERT.trim_end().as_bytes();
    let headers = vec![("ce_id".to_owned(), Some(b"bd52".to_vec()))];
    let offset = topic.append(shard(1), "A2EXAMPLE\"SELLER", value, headers);
    let bridge = Running::webhook(&topic, &receiver);
    until_committed(&topic, 2);
    bridge.stop();
    let taken = receiver.taken();
    assert_eq!(taken.len(), 1);
    let got = &taken[0];
    assert_eq!(got.body, value);
    assert_eq!(got.path, "/hook");
    for (name, value) in [
        ("x-odrwatch-topic", "odr-alerts"),
        ("x-odrwatch-partition", "1"),
        ("x-odrwatch-offset", &offset.to_string()),
        ("x-odrwatch-key", "A2EXAMPLE%22SELLER"),
        ("ce-id", "bd52"),
        ("webhook-id", "bd52"),
        ("content-type", "application/json"),
        ("authorization", "Bearer a-token"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(got.header("webhook-signature").starts_with("v1,"));
    assert!(got.header("webhook-timestamp").parse::<u64>().is_ok());
}

#[test]
fn nothing_is_lost_while_the_receiver_is_away_then_busy_then_silent() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    let address = receiver.address;
    receiver.stop();
    let mut sent = fill(&topic, 0, 40);
    let bridge = Running::start(&topic, format!("http://{address}/hook"), config(Kind::Webhook));
    let failed = |bridge: &Running, answer: &str| {
        let line = format!("odrwatch_bridge_tries_total{{answer=\"{answer}\"}} ");
        let text = bridge.metrics.render();
        let found = text.lines().find_map(|found| found.strip_prefix(&line)).unwrap();
        found.parse::<u64>().unwrap()
    };
    until("it was refused a few times", || failed(&bridge, "failed") >= 3);
    until("it says so", || !bridge.metrics.health().troubles().is_empty());
    let receiver = Receiver::at(address);
    receiver.reply(|_| Reply::Status(503));
    until("it was told to come again", || failed(&bridge, "busy") >= 3);
    receiver.reply(|_| Reply::Hang);
    until("it was left hanging", || receiver.hung() >= 2);
    assert!(receiver.taken().is_empty());
    assert!(bridge.tells("odrwatch_bridge_undelivered_alerts 40"), "{}", bridge.metrics.render());
    receiver.reply(|_| Reply::Status(204));
    for (seller, values) in fill(&topic, 40, 20) {
        sent.entry(seller).or_default().extend(values);
    }
    until_committed(&topic, 2);
    assert_eq!(by_key(&receiver.taken()), sent);
    until("nothing waits", || bridge.tells("odrwatch_bridge_undelivered_alerts 0"));
    assert!(bridge.metrics.health().troubles().is_empty());
    bridge.stop();
}

#[test]
fn one_alert_that_is_never_taken_holds_back_its_seller_only() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    receiver.reply(|got| Reply::Status(if got.text().contains(":2}") { 500 } else { 200 }));
    let sent = fill(&topic, 0, 30);
    let bridge = Running::webhook(&topic, &receiver);
    until("the others have all of theirs", || {
        let taken = by_key(&receiver.taken());
        sent.iter()
            .filter(|(seller, _)| *seller != "S2")
            .all(|(seller, values)| taken.get(seller).is_some_and(|taken| taken == values))
    });
    assert!(!by_key(&receiver.taken()).contains_key("S2"));
    receiver.reply(|_| Reply::Status(200));
    until_committed(&topic, 2);
    assert_eq!(by_key(&receiver.taken()), sent);
    bridge.stop();
}

#[test]
fn what_is_rejected_is_given_up_after_a_while_and_counted() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    receiver.reply(|got| Reply::Status(if got.text().contains(":2}") { 422 } else { 200 }));
    let mut sent = fill(&topic, 0, 20);
    let bridge = Running::webhook(&topic, &receiver);
    until_committed(&topic, 2);
    sent.get_mut("S2").unwrap().remove(0);
    assert_eq!(by_key(&receiver.taken()), sent);
    let tries = receiver.got().iter().filter(|got| got.status == 422).count();
    assert_eq!(u32::try_from(tries).unwrap(), MOST_REJECTIONS);
    assert!(bridge.tells("odrwatch_bridge_alerts_total{fate=\"given_up\"} 1"));
    assert!(bridge.tells("odrwatch_bridge_alerts_total{fate=\"delivered\"} 19"));
    bridge.stop();
}

#[test]
fn a_place_that_lets_nobody_in_is_waited_for_and_nothing_is_given_up() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    receiver.reply(|_| Reply::Status(401));
    let sent = fill(&topic, 0, 3);
    let bridge = Running::webhook(&topic, &receiver);
    until("it was refused more often than a rejected one would be", || {
        receiver.got().len() > 4 * usize::try_from(MOST_REJECTIONS).unwrap()
    });
    receiver.reply(|_| Reply::Status(200));
    until_committed(&topic, 2);
    assert_eq!(by_key(&receiver.taken()), sent);
    bridge.stop();
}

#[test]
fn a_restart_in_the_middle_loses_nothing_and_repeats_the_same() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    let sent = fill(&topic, 0, 60);
    receiver.reply(|got| Reply::Status(if got.text().contains("7}") { 503 } else { 200 }));
    for _ in 0..3 {
        let before = receiver.got().len();
        let bridge = Running::webhook(&topic, &receiver);
        until("it did something", || receiver.got().len() > before + 2);
        bridge.stop();
    }
    receiver.reply(|_| Reply::Status(200));
    let bridge = Running::webhook(&topic, &receiver);
    until_committed(&topic, 2);
    bridge.stop();
    assert_eq!(by_key(&receiver.taken()), sent);
}

#[test]
fn what_retention_took_before_it_was_sent_is_counted() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    fill(&topic, 0, 10);
    topic.retain_from(shard(0), 4);
    let bridge = Running::webhook(&topic, &receiver);
    until_committed(&topic, 2);
    assert!(bridge.tells("odrwatch_bridge_alerts_total{fate=\"lost\"} 4"));
    bridge.stop();
}

fn posted(got: &Got) -> Vec<serde_json::Value> {
    assert_eq!(got.path, PATH);
    serde_json::from_slice(&got.body).unwrap()
}

#[test]
fn an_alertmanager_is_told_of_what_is_up_again_and_of_its_end_once() {
    let receiver = Receiver::start();
    let topic = begun(&receiver);
    let raised = ALERT.trim_end();
    topic.append(shard(0), "A", raised.as_bytes(), Vec::new());
    let url = receiver.url() + PATH;
    let bridge = Running::start(&topic, url.clone(), config(alertmanager(50, true)));
    let is_up = |got: &Got| {
        let all = posted(got);
        all.iter().any(|alert| alert["labels"]["alertname"] == "OrderDefectRateWarning")
    };
    until("it was told and told again", || told(&receiver, "OrderDefectRateWarning") >= 3);
    assert!(told(&receiver, "OdrwatchHeartbeat") >= 2);
    bridge.stop();

    // Another process knows from the topic what is up, and sends nothing of it as new.
    let address = receiver.address;
    receiver.stop();
    let receiver = Receiver::at(address);
    let bridge = Running::start(&topic, url, config(alertmanager(50, false)));
    until("it is repeated by the next one", || told(&receiver, "OrderDefectRateWarning") >= 2);
    let cleared = raised.replace("\"raised\"", "\"cleared\"");
    topic.append(shard(0), "A", cleared.as_bytes(), Vec::new());
    until_committed(&topic, 2);
    bridge.stop();
    let last = receiver.taken().into_iter().rfind(is_up).unwrap();
    assert_eq!(posted(&last)[0]["endsAt"], "2026-03-01T12:34:55.000Z");
}

fn told(receiver: &Receiver, name: &str) -> usize {
    let has = |got: &Got| posted(got).iter().any(|alert| alert["labels"]["alertname"] == name);
    receiver.taken().iter().filter(|got| has(got)).count()
}
