//! The configuration as the rest of odrwatch sees it: typed, in range, without contradictions.
//!
//! Invariants: a [`Config`] exists only without mistakes. A contradiction between keys is reported
//! only if each of them is right by itself, so that one mistake is told once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::advice::AdviceConfig;
use super::bridge::BridgeConfig;
use super::errors::{Mistake, Origin};
use super::http::HttpConfig;
use super::layers::{self, Merged, Target};
use super::properties::{
    Properties, PropertyCheck, Secret, is_property_name, owned_property, secret_of,
};
use super::raw::{LogFormat, LogLevel, Partitioner, RawConfig, RawEngine, RawKafka, RawTopics};
use super::snapshots::SnapshotsConfig;
use crate::domain::policy::Policy;
use crate::domain::time::{BoundaryLength, RecordTime};
use crate::pipeline::ports::TopicNames;

/// The whole configuration, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The Kafka cluster, its topics and this member of the group.
    pub kafka: KafkaConfig,
    /// The processing.
    pub engine: EngineConfig,
    /// Whether and how advice is given.
    pub advice: AdviceConfig,
    /// Where the state is kept.
    pub snapshots: SnapshotsConfig,
    /// Where HTTP listens, and whom it answers.
    pub http: HttpConfig,
    /// Where alerts are sent on to.
    pub bridge: BridgeConfig,
    /// How many accounts `/metrics/sellers` shows (0..=1000); 0 turns it off.
    pub top_sellers: usize,
    /// What is logged.
    pub log: LogConfig,
    /// What counts and when it alerts.
    pub policy: Policy,
}

/// The Kafka cluster, its topics and this member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConfig {
    /// Brokers to ask first, `host:port` separated by commas.
    pub bootstrap_servers: String,
    /// Further settings of the client; none that odrwatch owns.
    pub properties: Properties,
    /// The consumer group and the prefix of the transactional ids: 1..=200 of `[A-Za-z0-9._-]`.
    pub group: String,
    /// This process's name in the group: 1..=200 of `[A-Za-z0-9._-]`.
    pub instance: String,
    /// Names of the topics.
    pub topics: TopicNames,
    /// Memory for records fetched ahead, in kilobytes per worker (1024..=16777216).
    pub queue_memory_kbytes: u32,
    /// After this the broker aborts an open transaction (1 s..=900 s).
    pub transaction_timeout: Duration,
    /// After this without a heartbeat the group gives away the partitions (1 s..=300 s).
    pub session_timeout: Duration,
    /// Between heartbeats (100 ms..=60 s); below `session_timeout`.
    pub heartbeat_interval: Duration,
}

/// From when alerts are written at a first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertsFrom {
    /// The first boundary that is closed after catching up.
    Live,
    /// The first boundary.
    Earliest,
    /// The first boundary at or after a time.
    At(RecordTime),
}

/// The processing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// Worker threads (1..=256).
    pub workers: usize,
    /// The length Δ between boundaries.
    pub boundary: BoundaryLength,
    /// Milliseconds without a record before a partition may be idle (1..=60000).
    pub idle_after_ms: i64,
    /// Bytes above which a value is a dead letter (1..=67108864).
    pub max_record_bytes: usize,
    /// Milliseconds by which an event may be later than its record (0..=31536000000).
    pub max_ahead_ms: i64,
    /// Milliseconds by which a record may be ahead of the clock (0..=86400000).
    pub max_clock_ahead_ms: i64,
    /// Milliseconds by which a purchase may be later than its event (0..=31536000000).
    pub purchase_ahead_ms: i64,
    /// How misrouted records are found.
    pub partitioner: Partitioner,
    /// From when alerts are written; `None` is the command's own default: live for a service,
    /// earliest for a replay.
    pub alerts_from: Option<AlertsFrom>,
    /// At most this long between transactions while there is something to commit (0..=60 s).
    pub commit_interval: Duration,
    /// Orders that a shard may hold (1..=4e9).
    pub max_orders: usize,
    /// Orphans that a shard may hold (1..=4e9).
    pub max_orphans: usize,
    /// Records that may wait in a shard (1..=4e9).
    pub max_pending_records: usize,
    /// Accounts that a shard may hold (1..=4e9).
    pub max_accounts: usize,
    /// Percentage of dead letters among a topic's last 1000 records above which the shard stops
    /// (1..=100); `None` never stops it.
    pub dead_letter_breaker_percent: Option<u32>,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of lines.
    pub format: LogFormat,
    /// The least severity.
    pub level: LogLevel,
}

/// What the checks of several keys need: where values come from, and which are wrong already.
pub(super) struct Checker<'a> {
    pub(super) merged: &'a Merged,
    pub(super) wrong: BTreeSet<String>,
    pub(super) mistakes: Vec<Mistake>,
    /// Whether secret files are read.
    pub(super) read_secrets: bool,
    /// This machine's name, if known.
    pub(super) host_name: Option<&'a str>,
    /// What the Kafka client says of a property.
    pub(super) property: Option<PropertyCheck>,
}

impl Checker<'_> {
    /// Notes a mistake at one key, unless the key is wrong already.
    pub(super) fn mistake(
        &mut self,
        key: &str,
        problem: &str,
        allowed: Option<&str>,
        hint: Option<String>,
    ) {
        self.mistake_at(self.merged.origin(key), key, problem, allowed, hint);
    }

    fn mistake_at(
        &mut self,
        origin: Origin,
        key: &str,
        problem: &str,
        allowed: Option<&str>,
        hint: Option<String>,
    ) {
        if self.wrong.insert(key.to_owned()) {
            let mut mistake = Mistake::new(origin, key, problem).hinting(hint);
            mistake.allowed = allowed.map(str::to_owned);
            self.mistakes.push(mistake);
        }
    }

    /// Notes a contradiction between keys, at the first of them that is stated, unless one of
    /// them is wrong by itself. The problem is worded for the first key.
    pub(super) fn contradiction(&mut self, keys: &[String], problem: &str, hint: Option<String>) {
        if keys.iter().any(|key| self.wrong.contains(key)) {
            return;
        }
        let stated = |key: &&String| self.merged.origin(key) != Origin::Default;
        let origin = keys.iter().find(stated).map(|key| self.merged.origin(key));
        let mistake = Mistake::new(origin.unwrap_or(Origin::Default), &keys[0], problem);
        self.mistakes.push(mistake.hinting(hint));
    }
}

/// A number whose key's range fits the type, as the tests of the ranges hold.
pub(super) fn narrow<T: TryFrom<u64>>(number: u64) -> T {
    let Ok(narrowed) = T::try_from(number) else {
        panic!("{number} is within its key's range, which must fit the type");
    };
    narrowed
}

/// Checks a whole raw configuration; mistakes go to the checker.
pub(super) fn config(raw: RawConfig, checker: &mut Checker<'_>) -> Config {
    let commit_ms = raw.engine.commit_interval_ms;
    let transaction_ms = raw.kafka.transaction_timeout_ms;
    if commit_ms >= transaction_ms {
        checker.contradiction(
            &["engine.commit_interval_ms", "kafka.transaction_timeout_ms"].map(str::to_owned),
            &format!("is {commit_ms}, not below kafka.transaction_timeout_ms ({transaction_ms})"),
            None,
        );
    }
    let policy = super::policy::policy(&raw.policy, checker);
    let group = raw.kafka.group.clone();
    Config {
        engine: engine(&raw.engine, checker),
        kafka: kafka(raw.kafka, checker),
        advice: super::advice::advice(&raw.advice),
        snapshots: super::snapshots::snapshots(&raw.snapshots, checker),
        http: super::http::http(raw.http, checker),
        bridge: super::bridge::bridge(raw.bridge, &group, checker),
        top_sellers: narrow(raw.metrics.sellers.top),
        log: LogConfig { format: raw.log.format, level: raw.log.level },
        policy,
    }
}

fn engine(raw: &RawEngine, checker: &mut Checker<'_>) -> EngineConfig {
    let boundary_ms = narrow(raw.boundary_ms);
    let boundary = BoundaryLength::from_ms(boundary_ms).unwrap_or_else(|| {
        let problem = format!("is {boundary_ms}, which does not divide 900000 (15 minutes)");
        let allowed = "divisors of 900000, such as 1000, 2000, 5000, 10000, 60000; default 5000";
        checker.mistake("engine.boundary_ms", &problem, Some(allowed), None);
        BoundaryLength::from_ms(5000).expect("5000 divides 900000")
    });
    EngineConfig {
        workers: narrow(raw.workers),
        boundary,
        idle_after_ms: narrow(raw.idle_after_ms),
        max_record_bytes: narrow(raw.max_record_bytes),
        max_ahead_ms: narrow(raw.max_ahead_ms),
        max_clock_ahead_ms: narrow(raw.max_clock_ahead_ms),
        purchase_ahead_ms: narrow(raw.purchase_ahead_ms),
        partitioner: raw.partitioner,
        alerts_from: raw.alerts_from.as_deref().and_then(|text| alerts_from(text, checker)),
        commit_interval: Duration::from_millis(raw.commit_interval_ms),
        max_orders: narrow(raw.max_orders),
        max_orphans: narrow(raw.max_orphans),
        max_pending_records: narrow(raw.max_pending_records),
        max_accounts: narrow(raw.max_accounts),
        dead_letter_breaker_percent: (raw.dead_letter_breaker_percent > 0)
            .then(|| narrow(raw.dead_letter_breaker_percent)),
    }
}

fn alerts_from(text: &str, checker: &mut Checker<'_>) -> Option<AlertsFrom> {
    match text {
        "live" => return Some(AlertsFrom::Live),
        "earliest" => return Some(AlertsFrom::Earliest),
        _ => {}
    }
    // jiff also reads looser forms; RFC 3339 has a `T` and begins with a year of four digits.
    let looks_right = text.starts_with(|first: char| first.is_ascii_digit())
        && text.as_bytes().get(10).is_some_and(|byte| b"Tt".contains(byte))
        && !text.contains('[');
    let time = looks_right.then(|| text.parse::<jiff::Timestamp>().ok()).flatten();
    if time.is_none() {
        let problem = format!("is {}, which is no such time", super::check::quoted(text));
        let allowed = "live, earliest, or a time such as 2026-01-31T00:00:00Z";
        checker.mistake("engine.alerts_from", &problem, Some(allowed), None);
    }
    time.map(|time| AlertsFrom::At(RecordTime::from_ms(time.as_millisecond())))
}

fn kafka(raw: RawKafka, checker: &mut Checker<'_>) -> KafkaConfig {
    bootstrap(&raw.bootstrap_servers, checker);
    name("kafka.group", &raw.group, checker);
    let instance = raw.instance.clone().or(checker.host_name.map(str::to_owned));
    let instance = instance.unwrap_or_else(|| {
        let problem = "is not stated, and the machine's host name is not known";
        checker.mistake("kafka.instance", problem, Some(NAME), None);
        String::new()
    });
    name("kafka.instance", &instance, checker);
    let (heartbeat, session) = (raw.heartbeat_interval_ms, raw.session_timeout_ms);
    if heartbeat >= session {
        checker.contradiction(
            &["kafka.heartbeat_interval_ms", "kafka.session_timeout_ms"].map(str::to_owned),
            &format!("is {heartbeat}, not below kafka.session_timeout_ms ({session})"),
            Some("a third of it, or less, survives two lost heartbeats".to_owned()),
        );
    }
    KafkaConfig {
        properties: properties(&raw, checker),
        bootstrap_servers: raw.bootstrap_servers,
        group: raw.group,
        instance,
        topics: topics(raw.topics, checker),
        queue_memory_kbytes: narrow(raw.queue_memory_kbytes),
        transaction_timeout: Duration::from_millis(raw.transaction_timeout_ms),
        session_timeout: Duration::from_millis(session),
        heartbeat_interval: Duration::from_millis(heartbeat),
    }
}

/// Whether a text is a host and, unless it is Kafka's own, a port.
pub(super) fn is_server(server: &str) -> bool {
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "9092"));
    !host.is_empty()
        && !host.contains(|letter: char| letter.is_whitespace() || letter == '/')
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn bootstrap(servers: &str, checker: &mut Checker<'_>) {
    let is_broker = |server: &str| {
        let server = server.trim();
        is_server(server.split_once("://").map_or(server, |(_, address)| address))
    };
    if let Some(server) = servers.split(',').find(|server| !is_broker(server)) {
        let problem = format!("has {}, which is no broker", super::check::quoted(server));
        let allowed = "HOST:PORT, several separated by commas";
        checker.mistake("kafka.bootstrap_servers", &problem, Some(allowed), None);
    }
}

/// What names of groups, instances and topics are made of.
const NAME: &str = "letters, digits, `.`, `_` and `-`, at most 200";
const LONGEST_NAME: usize = 200;

pub(super) fn name(key: &str, text: &str, checker: &mut Checker<'_>) {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_name = (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(is_letter)
        && ![".", ".."].contains(&text);
    if !is_name {
        let problem = format!("is {}, which is no usable name", super::check::quoted(text));
        checker.mistake(key, &problem, Some(NAME), None);
    }
}

fn topics(raw: RawTopics, checker: &mut Checker<'_>) -> TopicNames {
    let names = [
        ("orders", &raw.orders),
        ("feedback", &raw.feedback),
        ("claims", &raw.claims),
        ("chargebacks", &raw.chargebacks),
        ("alerts", &raw.alerts),
        ("status", &raw.status),
        ("dead_letters", &raw.dead_letters),
        ("progress", &raw.progress),
        ("advice", &raw.advice),
        ("snapshots", &raw.snapshots),
    ];
    for (index, (role, topic)) in names.iter().enumerate() {
        let key = format!("kafka.topics.{role}");
        name(&key, topic, checker);
        // Kafka takes `a.b` and `a_b` for a collision, as its metrics do.
        let alike =
            |(_, other): &&(&str, &String)| other.replace('.', "_") == topic.replace('.', "_");
        if let Some((first, _)) = names[..index].iter().find(alike) {
            let other = format!("kafka.topics.{first}");
            let problem = format!("is {topic}, which Kafka takes for the same topic as {other}");
            checker.contradiction(&[key, other], &problem, None);
        }
    }
    TopicNames {
        inputs: [raw.orders, raw.feedback, raw.claims, raw.chargebacks],
        alerts: raw.alerts,
        status: raw.status,
        dead_letters: raw.dead_letters,
        progress: raw.progress,
        advice: raw.advice,
        snapshots: raw.snapshots,
    }
}

fn properties(raw: &RawKafka, checker: &mut Checker<'_>) -> Properties {
    let mut found = Properties::default();
    for (name, value) in &raw.properties {
        let target = ("kafka.properties".to_owned(), Some(name.clone()));
        if is_free(&target, checker) && is_taken(&target, Some(value), checker) {
            found.state(name.clone(), value.clone());
        }
    }
    for (name, path) in &raw.properties_file {
        let target = ("kafka.properties_file".to_owned(), Some(name.clone()));
        let (key, origin) = (layers::written(&target), checker.merged.values[&target].1.clone());
        if !is_free(&target, checker) || !is_taken(&target, None, checker) {
            continue;
        }
        if raw.properties.contains_key(name) {
            let problem = format!("is stated by kafka.properties.{name}, too");
            checker.mistake_at(origin, &key, &problem, None, None);
            continue;
        }
        if !checker.read_secrets {
            continue;
        }
        let path = match &origin {
            Origin::File { path: from, .. } => layers::beside(from, path),
            _ => path.into(),
        };
        match layers::read(&path).and_then(|text| secret_of(&text)) {
            Ok(secret) => found.keep_secret(name.clone(), secret),
            Err(problem) => {
                let problem = format!("names {}, which {problem}", path.display());
                checker.mistake_at(origin, &key, &problem, None, None);
            }
        }
    }
    found
}

/// Whether a property may be stated; a mistake if not.
fn is_free(target: &Target, checker: &mut Checker<'_>) -> bool {
    let name = target.1.as_deref().expect("properties have names");
    let (key, origin) = (layers::written(target), checker.merged.values[target].1.clone());
    if let Some(owned) = owned_property(name) {
        let problem = format!("is set by odrwatch: {}", owned.reason);
        let hint = owned.instead.map(|instead| format!("use {instead}"));
        checker.mistake_at(origin, &key, &problem, None, hint);
        return false;
    }
    if !is_property_name(name) {
        let allowed = "names of librdkafka, of lower-case letters, digits, `.` and `_`";
        checker.mistake_at(origin, &key, "is no name of a property", Some(allowed), None);
        return false;
    }
    true
}

/// Whether the Kafka client takes a property, of which the value may not be known; a mistake if
/// not. The value is told to nobody.
fn is_taken(target: &Target, value: Option<&Secret>, checker: &mut Checker<'_>) -> bool {
    let name = target.1.as_deref().expect("properties have names");
    let Some(check) = checker.property else { return true };
    let Err(misfit) = check(name, value.map(Secret::expose)) else { return true };
    let (key, origin) = (layers::written(target), checker.merged.values[target].1.clone());
    checker.mistake_at(origin, &key, &misfit.problem, misfit.allowed.as_deref(), None);
    false
}
