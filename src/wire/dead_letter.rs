//! Records of the dead-letter topic, and lines of `dead.jsonl`.
//!
//! Invariants: key, value, headers and timestamp of the original stay as they are, byte for byte;
//! what is known is appended as text headers. Where the whole would be too large for the topic,
//! the value alone is left out, and a header tells its size and SHA-256.
//!
//! A letter may be given back to its input (requeued). Then the input's new record has a header
//! that names the letter, and a *receipt* is written beside the letter, in the same transaction: a
//! record without key and value whose headers say where the letter went. So whoever reads the
//! dead-letter topic sees it.

use sha2::{Digest, Sha256};

use crate::domain::effects::DeadLetter;
use crate::domain::ids::{Offset, ShardNo};

use super::Header;
use super::input::{DeadLetterCause, explain};
use super::write::{hex, object};

/// What is appended to a dead letter's headers: topic, partition, offset, code and message.
const ERRORS: [&str; 5] = [
    "__odrwatch.errors.topic",
    "__odrwatch.errors.partition",
    "__odrwatch.errors.offset",
    "__odrwatch.errors.code",
    "__odrwatch.errors.message",
];
/// Follows them where the value is left out.
const OMITTED: &str = "__odrwatch.errors.omitted";
/// Of a record that was given back to its input, and of the receipt: `TOPIC/PARTITION/OFFSET` of
/// the letter.
const LETTER: &str = "__odrwatch.requeued.letter";
/// Of a receipt alone: where the letter went.
const WENT_TO: [&str; 3] =
    ["__odrwatch.requeued.topic", "__odrwatch.requeued.partition", "__odrwatch.requeued.offset"];

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
    let [topic, partition, offset, code, message] = ERRORS;
    headers.extend([
        text(topic, original.topic),
        text(partition, &original.partition.to_string()),
        text(offset, &original.offset.to_string()),
        text(code, cause.reason().as_str()),
        text(message, &explain(cause)),
    ]);
    let value = original.value;
    if size_bound(original.key, Some(value), &headers) <= max_bytes {
        return Letter { value: Some(value.to_vec()), headers };
    }
    let (size, hash) = (value.len(), hex(&Sha256::digest(value)));
    let omitted = format!("size={size} sha256={hash}");
    headers.push(text(OMITTED, &omitted));
    Letter { value: None, headers }
}

fn text(name: &str, value: &str) -> Header {
    (name.to_owned(), Some(value.as_bytes().to_vec()))
}

/// What a record of the dead-letter topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A dead letter.
    Letter(Told),
    /// The receipt of a letter of the same partition that was given back.
    Receipt {
        /// The letter's offset.
        letter: Offset,
    },
    /// A record of somebody else.
    Foreign,
}

/// What a dead letter's headers tell. Texts may be anybody's: the topic is open to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The name of the original's topic.
    pub topic: String,
    /// Its partition.
    pub partition: ShardNo,
    /// Its offset.
    pub offset: Offset,
    /// The code of the reason; of a newer version it may be none that is known here.
    pub code: String,
    /// The reason in words.
    pub message: String,
    /// Size and hash of the value where it was left out.
    pub omitted: Option<String>,
    /// How many of the record's headers, from the first on, are the original's.
    pub originals: usize,
    /// The letter that the original was before, if it was given back once.
    pub came_back_from: Option<String>,
}

/// Reads the headers of a record of the dead-letter topic.
#[must_use]
pub fn entry(headers: &[Header]) -> Entry {
    if let Some(told) = told(headers) {
        return Entry::Letter(told);
    }
    receipt(headers).map_or(Entry::Foreign, |letter| Entry::Receipt { letter })
}

fn told(headers: &[Header]) -> Option<Told> {
    // An original may have such headers itself, if it was copied from a dead-letter topic: ours
    // are the last ones.
    let originals = headers.iter().rposition(|(name, _)| name == ERRORS[0])?;
    let ours = &headers[originals..];
    let values = ERRORS.iter().zip(ours).map_while(|(name, header)| named(name, header));
    let [topic, partition, offset, code, message] = *values.collect::<Vec<_>>().as_array()?;
    let omitted = match &ours[ERRORS.len()..] {
        [] => None,
        [header] => Some(named(OMITTED, header)?.to_owned()),
        _ => return None,
    };
    let mut before = headers[..originals].iter().rev();
    Some(Told {
        topic: topic.to_owned(),
        partition: ShardNo::new(partition.parse().ok()?),
        offset: Offset::new(natural(offset)?),
        code: code.to_owned(),
        message: message.to_owned(),
        omitted,
        originals,
        came_back_from: before.find_map(|header| named(LETTER, header)).map(str::to_owned),
    })
}

fn receipt(headers: &[Header]) -> Option<Offset> {
    let [letter, rest @ ..] = headers else { return None };
    let is_whole = rest.len() == WENT_TO.len()
        && WENT_TO.iter().zip(rest).all(|(name, header)| named(name, header).is_some());
    let (_, offset) = named(LETTER, letter).filter(|_| is_whole)?.rsplit_once('/')?;
    natural(offset).map(Offset::new)
}

fn named<'h>(name: &str, (its_name, value): &'h Header) -> Option<&'h str> {
    (its_name == name).then(|| str::from_utf8(value.as_deref()?).ok()).flatten()
}

fn natural(text: &str) -> Option<i64> {
    text.parse().ok().filter(|number| (0..i64::MAX).contains(number))
}

/// A place as headers name it.
#[must_use]
pub fn place(topic: &str, partition: ShardNo, offset: Offset) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// The headers of a letter that is given back: the original's, and the letter's place (as
/// [`place`] writes it) in place of that of an earlier letter.
#[must_use]
pub fn headers_back(mut headers: Vec<Header>, told: &Told, letter: &str) -> Vec<Header> {
    headers.truncate(told.originals);
    headers.retain(|(name, _)| name != LETTER);
    headers.push(text(LETTER, letter));
    headers
}

/// The headers of the receipt of a letter that went to a place of an input.
#[must_use]
pub fn receipt_headers(
    letter: &str,
    topic: &str,
    partition: ShardNo,
    offset: Offset,
) -> Vec<Header> {
    let [to_topic, to_partition, to_offset] = WENT_TO;
    vec![
        text(LETTER, letter),
        text(to_topic, topic),
        text(to_partition, &partition.to_string()),
        text(to_offset, &offset.to_string()),
    ]
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

    fn letter_of(headers: Vec<Header>) -> Vec<Header> {
        letter(&ORIGINAL, headers, cause(), 10_000).headers
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let original = vec![("trace".to_owned(), Some(vec![255])), ("n".to_owned(), None)];
        let headers = letter_of(original);
        let Entry::Letter(told) = entry(&headers) else { panic!("{headers:?}") };
        let expected = Told {
            topic: "prod.orders".to_owned(),
            partition: ShardNo::new(2),
            offset: Offset::new(41),
            code: "missing_field".to_owned(),
            message: "missing_field: seller_id".to_owned(),
            omitted: None,
            originals: 2,
            came_back_from: None,
        };
        assert_eq!(told, expected);
        let omitted = letter(&ORIGINAL, Vec::new(), cause(), 0).headers;
        let Entry::Letter(told) = entry(&omitted) else { panic!("{omitted:?}") };
        assert!(told.omitted.unwrap().starts_with("size=2 sha256="));
    }

    #[test]
    fn a_letter_that_came_back_names_the_one_before_and_is_a_letter_of_its_own() {
        let first = letter_of(vec![("a".to_owned(), None)]);
        let Entry::Letter(told) = entry(&first) else { panic!("{first:?}") };
        let back = headers_back(first, &told, "dead/1/7");
        assert_eq!(back, [("a".to_owned(), None), text(LETTER, "dead/1/7")]);
        let second = letter_of(back);
        let Entry::Letter(told) = entry(&second) else { panic!("{second:?}") };
        assert_eq!((told.originals, told.came_back_from.as_deref()), (2, Some("dead/1/7")));
        // Of several letters that a record was, the last one is named.
        let again = headers_back(second, &told, "dead/1/9");
        assert_eq!(again, [("a".to_owned(), None), text(LETTER, "dead/1/9")]);
    }

    #[test]
    fn a_letter_of_a_letter_tells_of_the_last_one() {
        // A dead-letter topic that is read as an input gives letters that have our headers twice.
        let inner = letter_of(Vec::new());
        let outer = letter_of(inner.clone());
        let Entry::Letter(told) = entry(&outer) else { panic!("{outer:?}") };
        assert_eq!(told.originals, inner.len());
    }

    #[test]
    fn a_receipt_names_its_letter() {
        let headers = receipt_headers("dead/1/7", "prod.orders", ShardNo::new(2), Offset::new(99));
        assert_eq!(entry(&headers), Entry::Receipt { letter: Offset::new(7) });
    }

    #[test]
    fn records_of_others_and_damaged_ones_are_neither() {
        let letter = letter_of(Vec::new());
        let receipt = receipt_headers("dead/1/7", "o", ShardNo::new(0), Offset::new(9));
        assert_eq!(entry(&[]), Entry::Foreign);
        for whole in [letter, receipt] {
            for left_out in 0..whole.len() {
                let mut headers = whole.clone();
                headers.remove(left_out);
                assert_eq!(entry(&headers), Entry::Foreign, "without {left_out}");
                let mut headers = whole.clone();
                headers[left_out].1 = None;
                assert_eq!(entry(&headers), Entry::Foreign, "with none at {left_out}");
            }
            let more = [whole, vec![("more".to_owned(), None)]].concat();
            assert_eq!(entry(&more), Entry::Foreign);
        }
        for odd in ["dead/1/-7", "dead/1/9223372036854775807", "dead/1/x", "7"] {
            let receipt = receipt_headers(odd, "o", ShardNo::new(0), Offset::new(9));
            assert_eq!(entry(&receipt), Entry::Foreign, "{odd}");
        }
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
