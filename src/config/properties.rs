//! Settings of the Kafka client that pass through, those that do not, and secrets.
//!
//! Invariant: no `Debug`, `Display` or `Serialize` here shows a secret; [`Secret::expose`] is the
//! only way to one. A value is secret if it comes from a file or its name sounds like it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// The longest secret file, in bytes.
pub(super) const MAX_SECRET_BYTES: usize = 65_536;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, to be handed to what needs it only: the Kafka client, the API's door.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "KafkaProperty".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Numbers and booleans are taken as the text that is written.
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// Settings for the Kafka client by librdkafka's names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: BTreeMap<String, Property>,
}

#[derive(Clone, PartialEq, Eq)]
struct Property {
    value: Secret,
    shown: bool,
}

impl Properties {
    /// Sets a property that the configuration states in the open; it is shown unless its name
    /// sounds secret.
    pub(super) fn state(&mut self, name: String, value: Secret) {
        let shown = !sounds_secret(&name);
        self.values.insert(name, Property { value, shown });
    }

    /// Sets a property from a file; it is never shown.
    pub(super) fn keep_secret(&mut self, name: String, value: Secret) {
        self.values.insert(name, Property { value, shown: false });
    }

    /// All names with their values, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.values.iter().map(|(name, property)| (name.as_str(), &property.value))
    }

    /// All names with what may be shown of their values.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, property)| {
            let value = property.value.expose();
            (name.as_str(), if property.shown { value } else { REDACTED })
        })
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.shown()).finish()
    }
}

/// Whether the value of a property is kept out of sight: by words in librdkafka's names.
fn sounds_secret(name: &str) -> bool {
    let words = ["password", "secret", "token", "pem", "private", "key"];
    name == "sasl.oauthbearer.config" || words.iter().any(|word| name.contains(word))
}

/// Why the Kafka client does not take a property. Never holds its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyMisfit {
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub problem: String,
    /// What is allowed, where that is known.
    pub allowed: Option<String>,
}

/// Asks the Kafka client whether it takes a property of a name with a value, where that is known.
pub type PropertyCheck = fn(&str, Option<&str>) -> Result<(), PropertyMisfit>;

/// A property that odrwatch sets itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedProperty {
    /// librdkafka's name.
    pub name: &'static str,
    /// Why it is not free.
    pub reason: &'static str,
    /// The key to use in its place.
    pub instead: Option<&'static str>,
}

const fn owned(
    name: &'static str,
    reason: &'static str,
    instead: Option<&'static str>,
) -> OwnedProperty {
    OwnedProperty { name, reason, instead }
}

/// The properties that `kafka.properties` refuses.
pub const OWNED_PROPERTIES: &[OwnedProperty] = &[
    owned("bootstrap.servers", "it has its own key", Some("kafka.bootstrap_servers")),
    owned("metadata.broker.list", "it has its own key", Some("kafka.bootstrap_servers")),
    owned("group.id", "it has its own key", Some("kafka.group")),
    owned(
        "group.instance.id",
        "it is made from group, instance and worker, so that a restart moves nothing",
        Some("kafka.instance"),
    ),
    owned(
        "transactional.id",
        "it is made from group, instance and worker, so that a restart ends its own transaction",
        Some("kafka.instance"),
    ),
    owned("transaction.timeout.ms", "it has its own key", Some("kafka.transaction_timeout_ms")),
    owned("session.timeout.ms", "it has its own key", Some("kafka.session_timeout_ms")),
    owned("heartbeat.interval.ms", "it has its own key", Some("kafka.heartbeat_interval_ms")),
    owned(
        "queued.max.messages.kbytes",
        "it is the memory budget divided by the partitions",
        Some("kafka.queue_memory_kbytes"),
    ),
    owned(
        "partitioner",
        "outputs need Kafka's murmur2; how the inputs are checked is a key of its own",
        Some("engine.partitioner"),
    ),
    owned("enable.auto.commit", "offsets are committed in the transaction of their results", None),
    owned("auto.commit.enable", "offsets are committed in the transaction of their results", None),
    owned("enable.auto.offset.store", "offsets are committed with their results", None),
    owned("auto.offset.reset", "a position that is lost must stop its shard, not move it", None),
    owned("isolation.level", "results of aborted transactions must never be read", None),
    owned("enable.idempotence", "transactions need it", None),
    owned(
        "partition.assignment.strategy",
        "the same partition of all four topics must go to one worker",
        None,
    ),
    owned("group.protocol", "the assignment needs the classic protocol", None),
    owned("enable.partition.eof", "the reading in order of record time needs it", None),
    owned("retry.backoff.ms", "the time of a commit depends on it", None),
    owned(
        "allow.auto.create.topics",
        "topics are created by `odrwatch topics create`, with the right settings",
        None,
    ),
    owned("check.crcs", "a damaged record must not be counted", None),
    owned("group.remote.assignor", "the assignment needs the classic protocol", None),
    owned("offset.store.method", "offsets are committed with their results", None),
    owned("enable.gapless.guarantee", "it makes errors fatal that a restart cures", None),
    owned("acks", "transactions need all replicas", None),
    owned("request.required.acks", "transactions need all replicas", None),
    owned("batch.size", "it follows from the output topics' max.message.bytes", None),
    owned("message.max.bytes", "it follows from the output topics' max.message.bytes", None),
    owned("message.copy.max.bytes", "records are always copied", None),
    owned("queue.buffering.max.messages", "a transaction is bounded by the engine", None),
    owned("delivery.report.only.error", "the reports carry the broker's clock", None),
    owned("log.queue", "the client's log lines go to odrwatch's own log", None),
];

/// Why a property may not be stated, if so.
#[must_use]
pub fn owned_property(name: &str) -> Option<&'static OwnedProperty> {
    OWNED_PROPERTIES.iter().find(|owned| owned.name == name)
}

/// Whether a name has the form of librdkafka's property names.
pub(super) fn is_property_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

/// The secret in a file's text: without one line end at its end.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the file. It never quotes the text.
pub(super) fn secret_of(text: &str) -> Result<Secret, String> {
    if text.len() > MAX_SECRET_BYTES {
        return Err(format!("is longer than {MAX_SECRET_BYTES} bytes"));
    }
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.contains('\0') {
        return Err("has a zero byte in it".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_shown_by_nothing() {
        let canary = || Secret::new("canary".to_owned());
        let mut properties = Properties::default();
        for name in ["sasl.password", "ssl.key.password", "ssl.key.pem", "ssl.certificate.pem"] {
            properties.state(name.to_owned(), canary());
        }
        properties.state("sasl.oauthbearer.client.secret".to_owned(), canary());
        properties.state("sasl.oauthbearer.config".to_owned(), canary());
        properties.keep_secret("client.id".to_owned(), canary());
        properties.state("security.protocol".to_owned(), Secret::new("SSL".to_owned()));
        let shown = format!("{properties:?} {:?}", canary());
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("\"security.protocol\": \"SSL\""), "{shown}");
        assert_eq!(serde_json::to_string(&canary()).unwrap(), "\"[redacted]\"");
        assert_eq!(properties.iter().count(), 8);
    }

    #[test]
    fn a_secret_file_loses_one_line_end() {
        assert_eq!(secret_of("a b\n\n").unwrap().expose(), "a b\n");
        assert_eq!(secret_of("x\r\n").unwrap().expose(), "x");
        for text in ["", "\n", "a\0b", &"x".repeat(MAX_SECRET_BYTES + 1)] {
            assert!(secret_of(text).is_err());
        }
    }
}
