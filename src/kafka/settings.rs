//! What the adapter is told, and the librdkafka settings that follow from it.
//!
//! Three layers: defaults that a user may override, then the user's own properties, then what
//! odrwatch owns and refuses from a user, because exactness hangs on it ([`OWNED_PROPERTIES`]).
//! Secrets stay in `properties` and are printed nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use crate::pipeline::ports::{SourceError, TopicNames};

/// Everything the adapter is told.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConfig {
    /// `host:port`, several separated by commas.
    pub bootstrap: String,
    /// The user's librdkafka settings; none of [`OWNED_PROPERTIES`].
    pub properties: BTreeMap<String, String>,
    /// The consumer group.
    pub group: String,
    /// This process's name among those of the group; the same after a restart.
    pub instance: String,
    /// The worker's number within the process.
    pub worker: u32,
    /// The topics.
    pub topics: TopicNames,
    /// What all fetch queues of this worker may hold together, in KiB. (librdkafka overshoots by
    /// about one `fetch.message.max.bytes` per queue.)
    pub queue_memory_kbytes: u32,
    /// How long a transaction may stay open before its coordinator aborts it; it bounds how long a
    /// dead instance holds its readers up, and how long an outage may last that is ridden through.
    pub transaction_timeout_ms: u32,
    /// How long the group waits for a silent member.
    pub session_timeout_ms: u32,
    /// Whether snapshots are kept, wherever.
    pub has_snapshots: bool,
    /// How often a member reports; also how soon it learns of a rebalance.
    pub heartbeat_interval_ms: u32,
    /// How long it is waited at first until a broker answers at all.
    pub reach: Duration,
}

impl KafkaConfig {
    /// A configuration with the shipped defaults.
    pub fn new(bootstrap: &str, group: &str, instance: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            properties: BTreeMap::new(),
            group: group.to_owned(),
            instance: instance.to_owned(),
            worker: 0,
            topics: TopicNames::default(),
            queue_memory_kbytes: 65_536,
            transaction_timeout_ms: 60_000,
            session_timeout_ms: 10_000,
            has_snapshots: false,
            heartbeat_interval_ms: 500,
            reach: Duration::from_secs(30),
        }
    }

    /// The name under which this worker is known: its `group.instance.id` and `transactional.id`.
    pub fn identity(&self) -> String {
        format!("{}-{}-{}", self.group, self.instance, self.worker)
    }

    /// Every value that must not be logged.
    pub(super) fn secrets(&self) -> Vec<String> {
        let secret = |name: &str| {
            ["password", "secret", "jaas", "token", "key.pem", "sasl.oauthbearer.config"]
                .iter()
                .any(|part| name.contains(part))
        };
        // A shorter one would blot out half of every line, and guards nothing.
        let values = self.properties.iter().filter(|(name, value)| secret(name) && value.len() > 3);
        values.map(|(_, value)| value.clone()).collect()
    }

    /// What every client is given.
    fn common(&self) -> Result<ClientConfig, SourceError> {
        let mut config = ClientConfig::new();
        config
            .set("client.id", self.identity())
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("socket.keepalive.enable", "true")
            .set("topic.metadata.refresh.interval.ms", "60000");
        if cfg!(feature = "tls-vendored") {
            // The vendored OpenSSL looks into /usr/local/ssl, and never finds the system's CAs.
            config.set("ssl.ca.location", "probe");
        }
        for (name, value) in &self.properties {
            if let Some(why) = owned_property(name) {
                return Err(SourceError::Stop(format!(
                    "the Kafka setting {name} cannot be set: {why}"
                )));
            }
            config.set(name, value);
        }
        config.set("bootstrap.servers", &self.bootstrap).set("allow.auto.create.topics", "false");
        // The wrapper would take the level of the log crate, which nobody sets here.
        let detailed = self.properties.contains_key("debug");
        let level = if detailed { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info };
        config.set_log_level(level);
        Ok(config)
    }

    /// A client for metadata and administration.
    pub(super) fn plain(&self) -> Result<ClientConfig, SourceError> {
        self.common()
    }

    /// A consumer that is told what to read, of at most so many partitions at a time.
    pub(super) fn reader(&self, partitions: u32) -> Result<ClientConfig, SourceError> {
        let per_queue = (self.queue_memory_kbytes / partitions.max(1)).clamp(64, 65_536);
        let mut config = self.common()?;
        let user = |name: &str| self.properties.contains_key(name);
        let fetch = (per_queue * 1024).min(262_144).to_string();
        for (name, default) in [
            // librdkafka's own default stops fetching for a second when a queue is full.
            ("fetch.queue.backoff.ms", "10"),
            ("fetch.wait.max.ms", "50"),
            ("fetch.message.max.bytes", fetch.as_str()),
        ] {
            if !user(name) {
                config.set(name, default);
            }
        }
        config
            // An assignment needs a group's name, and the worker has rights on this one. Without a
            // subscription it never joins, and without commits it never writes.
            .set("group.id", &self.group)
            .set("queued.max.messages.kbytes", per_queue.to_string());
        self.own_consumer(&mut config);
        Ok(config)
    }

    /// The member of the group.
    pub(super) fn member(&self) -> Result<ClientConfig, SourceError> {
        let mut config = self.common()?;
        config
            .set("group.id", &self.group)
            .set("group.instance.id", self.identity())
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "range");
        self.own_consumer(&mut config);
        Ok(config)
    }

    /// The transactional producer; the sizes are those of the smallest and largest output topic.
    pub(super) fn producer(
        &self,
        smallest_max_bytes: usize,
        largest_max_bytes: usize,
    ) -> Result<ClientConfig, SourceError> {
        let mut config = self.common()?;
        let user = |name: &str| self.properties.contains_key(name);
        for (name, default) in [("compression.codec", "lz4"), ("linger.ms", "5")] {
            if !user(name) {
                config.set(name, default);
            }
        }
        config
            .set("transactional.id", self.identity())
            .set("transaction.timeout.ms", self.transaction_timeout_ms.to_string())
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("partitioner", "murmur2_random")
            // The default of 100 ms is what back-to-back transactions with offsets would take.
            .set("retry.backoff.ms", "10")
            // The pipeline bounds a transaction; this queue must take all of it.
            .set("queue.buffering.max.messages", "0")
            // A broker compares batches, not records, with a topic's limit.
            .set("batch.size", smallest_max_bytes.min(1_000_000).to_string())
            .set("message.max.bytes", largest_max_bytes.clamp(1_000, 1_000_000_000).to_string());
        Ok(config)
    }

    /// The producer of snapshots: idempotent, without transactions.
    pub(super) fn snapshot_writer(&self, max_bytes: usize) -> Result<ClientConfig, SourceError> {
        let mut config = self.common()?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // What is written is packed already.
            .set("compression.codec", "none")
            .set("linger.ms", "0")
            .set("queue.buffering.max.kbytes", "65536")
            .set("batch.size", max_bytes.min(1_000_000).to_string())
            .set("message.max.bytes", max_bytes.clamp(1_000, 1_000_000_000).to_string());
        Ok(config)
    }

    /// The producer that gives dead letters back: transactional, so that it is idempotent, and so
    /// that a letter and its receipt are written both or not at all.
    pub(super) fn requeuer(&self, max_bytes: usize) -> Result<ClientConfig, SourceError> {
        let mut config = self.common()?;
        config
            // One for the group: who comes later fences who came before.
            .set("transactional.id", format!("{}-requeue", self.group))
            .set("transaction.timeout.ms", self.transaction_timeout_ms.to_string())
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "5")
            .set("message.max.bytes", max_bytes.clamp(1_000, 1_000_000_000).to_string());
        Ok(config)
    }

    fn own_consumer(&self, config: &mut ClientConfig) {
        config
            // The reader has no session, but librdkafka compares a user's max.poll.interval.ms.
            .set("session.timeout.ms", self.session_timeout_ms.to_string())
            .set("heartbeat.interval.ms", self.heartbeat_interval_ms.to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "error")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "false");
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The values of properties may be secrets.
        let names: Vec<&String> = self.properties.keys().collect();
        formatter
            .debug_struct("KafkaConfig")
            .field("bootstrap", &self.bootstrap)
            .field("properties", &names)
            .field("identity", &self.identity())
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

/// The librdkafka settings that odrwatch owns, each with the reason why a user cannot set it.
pub const OWNED_PROPERTIES: &[(&str, &str)] = &[
    ("bootstrap.servers", "it is the key `bootstrap`"),
    ("metadata.broker.list", "it is the key `bootstrap`"),
    ("group.id", "it is the key `group`"),
    (
        "group.instance.id",
        "it is made of group, instance and worker, so that a restart moves nothing",
    ),
    ("group.protocol", "fencing is proven for the classic protocol"),
    ("group.remote.assignor", "fencing is proven for the classic protocol"),
    ("partition.assignment.strategy", "only `range` brings equal partition numbers together"),
    ("session.timeout.ms", "it is the key `session_timeout_ms`"),
    ("heartbeat.interval.ms", "it is the key `heartbeat_interval_ms`"),
    ("enable.auto.commit", "offsets are committed in the transaction with their outputs only"),
    ("auto.commit.enable", "offsets are committed in the transaction with their outputs only"),
    (
        "enable.auto.offset.store",
        "offsets are committed in the transaction with their outputs only",
    ),
    ("offset.store.method", "offsets are committed in the transaction with their outputs only"),
    ("isolation.level", "records of aborted transactions must not be counted"),
    ("auto.offset.reset", "a lost position must stop the shard, not skip or repeat records"),
    ("enable.partition.eof", "it makes librdkafka's position one too high (librdkafka #4844)"),
    ("queued.max.messages.kbytes", "it follows from `queue_memory_kbytes`"),
    ("check.crcs", "a damaged record must not be counted"),
    ("retry.backoff.ms", "the time of a commit depends on it"),
    (
        "transactional.id",
        "it is made of group, instance and worker, so that a restart fences itself",
    ),
    ("transaction.timeout.ms", "it is the key `transaction_timeout_ms`"),
    ("enable.idempotence", "transactions need it"),
    ("enable.gapless.guarantee", "it turns errors that a restart cures into fatal ones"),
    ("acks", "transactions need all replicas"),
    ("request.required.acks", "transactions need all replicas"),
    ("partitioner", "outputs are found by Kafka's own murmur2"),
    ("batch.size", "it follows from the output topics' max.message.bytes"),
    ("message.max.bytes", "it follows from the output topics' max.message.bytes"),
    ("message.copy.max.bytes", "records are always copied"),
    ("queue.buffering.max.messages", "a transaction is bounded by the pipeline"),
    ("delivery.report.only.error", "the reports of progress records carry the broker's clock"),
    ("allow.auto.create.topics", "`odrwatch topics` creates them with the right settings"),
    ("log.queue", "librdkafka's log lines go to odrwatch's own log"),
];

/// Whether librdkafka takes the settings; no broker is asked.
///
/// # Errors
/// What it does not take.
pub fn check_settings(config: &KafkaConfig) -> Result<(), SourceError> {
    let client: Result<BaseConsumer, _> = config.plain()?.create();
    client.map(drop).map_err(|error| SourceError::Stop(error.to_string()))
}

/// Why librdkafka does not take a setting. Never holds the setting's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PropertyProblem {
    /// It knows no such setting.
    Unknown,
    /// The value is not within a range, which is `least..greatest`.
    OutOfRange(String),
    /// The value is not true or false.
    NotBoolean,
    /// The value is not one of those that it takes.
    Value,
    /// Another reason, in its words: what this build lacks, or what takes the setting's place.
    Other(String),
}

/// Whether librdkafka takes a setting of a name with a value, where that is known; no client is
/// made.
///
/// # Errors
/// Why it does not take it.
pub fn check_property(name: &str, value: Option<&str>) -> Result<(), PropertyProblem> {
    // A value that no setting takes still tells which names there are.
    let probe = value.unwrap_or("no such value");
    let Err(error) = ClientConfig::new().set(name, probe).create_native_config() else {
        return Ok(());
    };
    let problem = match error {
        KafkaError::ClientConfig(RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN, ..) => {
            PropertyProblem::Unknown
        }
        KafkaError::ClientConfig(_, words, ..) => problem_of(words.trim()),
        _ => PropertyProblem::Value,
    };
    let is_of_value = matches!(
        problem,
        PropertyProblem::OutOfRange(_) | PropertyProblem::NotBoolean | PropertyProblem::Value
    );
    if value.is_none() && is_of_value { Ok(()) } else { Err(problem) }
}

/// What librdkafka's words say, without the value that they may repeat.
fn problem_of(words: &str) -> PropertyProblem {
    if let Some((_, range)) = words.split_once(" outside allowed range ") {
        PropertyProblem::OutOfRange(range.to_owned())
    } else if words.starts_with("Expected bool value") {
        PropertyProblem::NotBoolean
    } else if words.starts_with("Invalid value") || words.starts_with("Unsupported value") {
        PropertyProblem::Value
    } else {
        PropertyProblem::Other(words.to_owned())
    }
}

/// Why a librdkafka setting cannot be set by a user; `None` where it can.
pub fn owned_property(name: &str) -> Option<&'static str> {
    OWNED_PROPERTIES.iter().find(|(owned, _)| *owned == name).map(|(_, why)| *why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> KafkaConfig {
        KafkaConfig::new("127.0.0.1:9092", "odrwatch", "host")
    }

    #[test]
    fn a_property_that_odrwatch_owns_is_refused_with_the_reason() {
        let mut config = config();
        config.properties.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
        let error = config.plain().unwrap_err().to_string();
        assert!(error.contains("isolation.level") && error.contains("aborted"), "{error}");
    }

    #[test]
    fn a_user_overrides_a_default_in_every_client_that_has_it() {
        let mut config = config();
        config.properties.insert("fetch.wait.max.ms".to_owned(), "7".to_owned());
        config.properties.insert("compression.codec".to_owned(), "zstd".to_owned());
        let reader = config.reader(16).unwrap();
        assert_eq!(reader.get("fetch.wait.max.ms"), Some("7"));
        assert_eq!(reader.get("fetch.queue.backoff.ms"), Some("10"));
        let producer = config.producer(1_000, 2_000).unwrap();
        assert_eq!(producer.get("compression.codec"), Some("zstd"));
    }

    #[test]
    fn each_owned_setting_is_a_setting_of_librdkafka() {
        for (name, _) in OWNED_PROPERTIES {
            assert_ne!(check_property(name, None), Err(PropertyProblem::Unknown), "{name}");
        }
    }

    #[test]
    fn why_a_setting_is_not_taken_is_told_without_its_value() {
        let range = PropertyProblem::OutOfRange("10..300000".to_owned());
        for (name, value, problem) in [
            ("sasl.mechanisms", Some("SCRAM-SHA-512"), None),
            ("sasl.password", None, None),
            ("enable.ssl.certificate.verification", None, None),
            ("sasl.mechansim", Some("PLAIN"), Some(PropertyProblem::Unknown)),
            ("sasl.pasword", None, Some(PropertyProblem::Unknown)),
            ("socket.timeout.ms", Some("1"), Some(range)),
            ("socket.timeout.ms", Some("canary"), Some(PropertyProblem::Value)),
            ("security.protocol", Some("canary"), Some(PropertyProblem::Value)),
            ("security.protocol", Some("a\0b"), Some(PropertyProblem::Value)),
            ("socket.keepalive.enable", Some("canary"), Some(PropertyProblem::NotBoolean)),
        ] {
            assert_eq!(check_property(name, value).err(), problem, "{name}");
        }
        // Settings of the Java client are known, with what takes their place.
        let java = check_property("sasl.jaas.config", Some("canary")).unwrap_err();
        let PropertyProblem::Other(words) = java else { panic!("{java:?}") };
        assert!(words.contains("JAAS") && !words.contains("canary"), "{words}");
    }

    #[test]
    fn what_the_configuration_refuses_is_refused_here_too() {
        for owned in crate::config::OWNED_PROPERTIES {
            assert!(owned_property(owned.name).is_some(), "{}", owned.name);
        }
    }

    #[test]
    fn every_set_of_settings_makes_a_client() {
        use rdkafka::producer::BaseProducer;
        let config = config();
        let _: BaseConsumer = config.reader(16).unwrap().create().unwrap();
        let _: BaseConsumer = config.member().unwrap().create().unwrap();
        let _: BaseProducer = config.producer(900, 2_000_000).unwrap().create().unwrap();
        let _: BaseProducer = config.snapshot_writer(2_000_000).unwrap().create().unwrap();
        let _: BaseProducer = config.requeuer(2_000_000).unwrap().create().unwrap();
    }

    #[test]
    fn the_queues_share_the_memory_budget() {
        let kbytes = |partitions| {
            let reader = config().reader(partitions).unwrap();
            reader.get("queued.max.messages.kbytes").unwrap().to_owned()
        };
        assert_eq!(kbytes(16), "4096");
        assert_eq!(kbytes(1_000_000), "64");
    }

    #[test]
    fn secrets_are_found_and_never_printed() {
        let mut config = config();
        config.properties.insert("sasl.password".to_owned(), "hunter2".to_owned());
        config.properties.insert("security.protocol".to_owned(), "sasl_ssl".to_owned());
        assert_eq!(config.secrets(), ["hunter2"]);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
