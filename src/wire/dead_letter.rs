//! Records of the dead-letter topic, and lines of `dead.jsonl`.
//!
//! Invariants: key, value, headers and timestamp of the original stay as they are, byte for byte;
//! what is known is appended as text headers. Where the whole would be too large for the topic,
//! the value alone is left out, and a header tells its size and SHA-256.

use sha2::{Digest, Sha256};

use crate::domain::effects::DeadLetter;
use crate::domain::ids::{Offset, ShardNo};

use super::Header;
use super::input::{DeadLetterCause, explain};
use super::write::{hex, object};

/// The longest that one length is in a Kafka record, as a varint of 32 bits.
const MAX_VARINT_BYTES: usize = 5;
/// Attributes, timestamp delta and offset delta of a record, at their longest.
const MAX_RECORD_OVERHEAD: usize = 1 + 10 + 5;
/// The header of a record batch (KIP-98).
const BATCH_OVERHEAD: usize = 61;

/// A record that became a dead letter, as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// The name of its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: ShardNo,
    /// Its offset.
    pub offset: Offset,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
}

/// What a dead letter's record holds beside the original's key and timestamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The original's value; `None` where it is left out.
    pub value: Option<Vec<u8>>,
    /// The original's headers, and ours after them.
    pub headers: Vec<Header>,
}

/// Makes a dead letter of a record that had `headers`, for a topic that takes records of at most
/// `max_bytes`.
#[must_use]
pub fn letter(
    original: &Original<'_>,
    mut headers: Vec<Header>,
    cause: DeadLetterCause,
    max_bytes: usize,
) -> Letter {
    headers.extend([
        text("__odrwatch.errors.topic", original.topic),
        text("__odrwatch.errors.partition", &original.partition.to_string()),
        text("__odrwatch.errors.offset", &original.offset.to_string()),
        text("__odrwatch.errors.code", cause.reason().as_str()),
        text("__odrwatch.errors.message", &explain(cause)),
    ]);
    let value = original.value;
    if size_bound(original.key, Some(value), &headers) <= max_bytes {
        return Letter { value: Some(value.to_vec()), headers };
    }
    let (size, hash) = (value.len(), hex(&Sha256::digest(value)));
    let omitted = format!("size={size} sha256={hash}");
    headers.push(text("__odrwatch.errors.omitted", &omitted));
    Letter { value: None, headers }
}

fn text(name: &str, value: &str) -> Header {
    (name.to_owned(), Some(value.as_bytes().to_vec()))
}

/// The most bytes that a record can take in a batch of its own, uncompressed: what a broker holds
/// against `max.message.bytes`.
#[must_use]
pub fn size_bound(key: Option<&[u8]>, value: Option<&[u8]>, headers: &[Header]) -> usize {
    let part = |bytes: usize| MAX_VARINT_BYTES + bytes;
    let headers: usize = headers
        .iter()
        .map(|(name, value)| part(name.len()) + part(value.as_ref().map_or(0, Vec::len)))
        .sum();
    BATCH_OVERHEAD
        + part(MAX_RECORD_OVERHEAD)
        + part(key.map_or(0, <[u8]>::len))
        + part(value.map_or(0, <[u8]>::len))
        + part(headers)
}

/// Appends a line of `dead.jsonl`, its end included. Topics have the names of their roles.
pub fn write_line(dead: &DeadLetter, partition: ShardNo, out: &mut Vec<u8>) {
    object(out, |line| {
        line.text("topic", dead.topic.as_str());
        line.integer("partition", partition.get());
        line.integer("offset", dead.offset.get());
        line.text("code", dead.reason.as_str());
    });
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{DeadReason, Topic};
    use crate::wire::input::{Decoder, Limits};

    fn cause() -> DeadLetterCause {
        let limits = Limits::with_partitions(1);
        let mut decoder = Decoder::new();
        decoder.decode(Topic::Orders, b"{}", None, 0, &limits).unwrap_err()
    }

    const ORIGINAL: Original<'static> = Original {
        topic: "prod.orders",
        partition: ShardNo::new(2),
        offset: Offset::new(41),
        key: Some(b"\xff"),
        value: b"{}",
    };

    #[test]
    fn the_original_stays_and_what_is_known_is_appended_as_text() {
        let original = vec![("trace".to_owned(), Some(vec![0, 255])), ("n".to_owned(), None)];
        let letter = letter(&ORIGINAL, original.clone(), cause(), 1000);
        assert_eq!(letter.value.as_deref(), Some(&b"{}"[..]));
        assert_eq!(letter.headers[..2], original);
        let ours: Vec<_> = letter.headers[2..]
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref().unwrap()))
            .collect();
        assert_eq!(
            ours,
            [
                ("__odrwatch.errors.topic", &b"prod.orders"[..]),
                ("__odrwatch.errors.partition", b"2"),
                ("__odrwatch.errors.offset", b"41"),
                ("__odrwatch.errors.code", b"missing_field"),
                ("__odrwatch.errors.message", b"missing_field: seller_id"),
            ]
        );
    }

    #[test]
    fn a_value_that_does_not_fit_is_told_by_size_and_hash() {
        let fits = size_bound(
            ORIGINAL.key,
            Some(ORIGINAL.value),
            &letter(&ORIGINAL, Vec::new(), cause(), usize::MAX).headers,
        );
        assert!(letter(&ORIGINAL, Vec::new(), cause(), fits).value.is_some());
        let omitted = letter(&ORIGINAL, Vec::new(), cause(), fits - 1);
        assert_eq!(omitted.value, None);
        let (name, value) = omitted.headers.last().unwrap();
        assert_eq!(name, "__odrwatch.errors.omitted");
        assert_eq!(
            String::from_utf8(value.clone().unwrap()).unwrap(),
            "size=2 sha256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }

    #[test]
    fn a_line_of_the_file_tells_where_and_why() {
        let mut out = Vec::new();
        let dead = DeadLetter {
            topic: Topic::Claims,
            offset: Offset::new(7),
            reason: DeadReason::SchemaFramed,
        };
        write_line(&dead, ShardNo::new(3), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"topic\":\"claims\",\"partition\":3,\"offset\":7,\"code\":\"schema_framed\"}\n"
        );
    }
}
