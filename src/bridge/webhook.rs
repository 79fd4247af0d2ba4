//! A webhook's messages: the alert exactly as committed, and where it stands, in headers.
//!
//! The record's CloudEvents headers (`ce_id`, ...) become those of the HTTP binding (`ce-id`, ...),
//! whose values are percent-encoded as that binding says.

use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};

use super::courier::Message;
use crate::pipeline::alert_log::StoredAlert;

/// The message of an alert of a topic.
pub(super) fn message(topic: &str, alert: &StoredAlert) -> Message {
    let (partition, offset) = (alert.shard.to_string(), alert.offset.to_string());
    let place = [
        ("x-odrwatch-topic", topic.as_bytes()),
        ("x-odrwatch-partition", partition.as_bytes()),
        ("x-odrwatch-offset", offset.as_bytes()),
        ("x-odrwatch-key", alert.key.as_slice()),
    ];
    let place = place.map(|(name, value)| (HeaderName::from_static(name), value)).into_iter();
    let events = alert.headers.iter().filter_map(|(name, value)| {
        let name = format!("ce-{}", name.strip_prefix("ce_")?);
        Some((HeaderName::try_from(name).ok()?, value.as_deref()?))
    });
    let headers = place.chain(events).map(|(name, value)| (name, encoded(value))).collect();
    Message { id: id(topic, alert), body: Bytes::from(alert.value.clone()), headers }
}

/// The alert's id, which every repetition has; its place where it states none.
pub(super) fn id(topic: &str, alert: &StoredAlert) -> String {
    let stated = alert.header("ce_id").filter(|id| id.bytes().all(|byte| byte.is_ascii_graphic()));
    match stated {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => format!("{topic}-{}-{}", alert.shard, alert.offset),
    }
}

/// A value as CloudEvents puts it into a header: what is not printable ASCII, and space, `"` and
/// `%`, are percent-encoded.
fn encoded(value: &[u8]) -> HeaderValue {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        if byte.is_ascii_graphic() && !b"\"%".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    HeaderValue::try_from(text).expect("printable ASCII is a header's value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Offset, ShardNo};

    #[test]
    fn the_body_is_the_value_and_the_place_is_in_headers() {
        let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let alert = StoredAlert {
            shard: ShardNo::new(3),
            offset: Offset::new(17),
            key: b"A 1\"%\xc3\xa9".to_vec(),
            value: b"{\"rate\":0.012500}\xff".to_vec(),
            headers: vec![
                header("ce_id", "bd52"),
                header("ce_subject", "A 1"),
                header("kind", "warning"),
                ("ce_none".to_owned(), None),
                header("ce_bad name", "x"),
            ],
        };
        let message = message("odr-alerts", &alert);
        assert_eq!(message.id, "bd52");
        assert_eq!(message.body, alert.value);
        let headers: Vec<(&str, &str)> = message
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let wanted = [
            ("x-odrwatch-topic", "odr-alerts"),
            ("x-odrwatch-partition", "3"),
            ("x-odrwatch-offset", "17"),
            ("x-odrwatch-key", "A%201%22%25%C3%A9"),
            ("ce-id", "bd52"),
            ("ce-subject", "A%201"),
        ];
        assert_eq!(headers, wanted);
        let without = StoredAlert { headers: Vec::new(), ..alert };
        assert_eq!(id("odr-alerts", &without), "odr-alerts-3-17");
    }
}
