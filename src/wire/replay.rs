//! Lines of dumped topics: `kcat -J` and `rpk topic consume -f json` -> records.
//!
//! A line is one record, with its value as a string: `payload` (kcat) or `value` (rpk), null or
//! absent for a tombstone; its time is `ts` (kcat) or `timestamp` (rpk), in ms. kcat copies bytes
//! that are not UTF-8 into the string as they are, which is no JSON but exact, so it is read so.
//! rpk replaces them, which cannot be undone: such records need `payload_base64` in place of
//! `value`, a form of ours that any bytes fit into.
//!
//! Invariant: the value that comes out is the value that went in, byte for byte, also where it is
//! no valid record: that is for [`super::input`] to say. A lone surrogate in the string becomes
//! the three bytes that would encode it, which are not UTF-8, so that the value is no JSON.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{self, Deserializer, IgnoredAny, Visitor};

use super::LineError;

/// A record of a dumped topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayRecord<'a> {
    /// The topic's name.
    pub topic: Cow<'a, str>,
    /// The partition.
    pub partition: u32,
    /// The offset, at least 0.
    pub offset: i64,
    /// The timestamp in ms since the epoch; `None` where the line has none, or -1, or says that
    /// its kind is `unknown`.
    pub timestamp_ms: Option<i64>,
    /// The key.
    pub key: Option<Cow<'a, [u8]>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Cow<'a, [u8]>>,
}

/// Reads a line, with or without its end.
///
/// # Errors
/// Says what is wrong with the line.
pub fn parse_line(line: &[u8]) -> Result<ReplayRecord<'_>, LineError> {
    let raw: RawLine<'_> =
        serde_json::from_slice(line).map_err(|error| LineError::of_json(&error))?;
    if raw.record_time.is_some() {
        // Without this it would pass for a tombstone.
        return Err(LineError("this is a recorded decision, and no record".to_owned()));
    }
    let offset = super::offset(raw.offset)?;
    let value = match (raw.payload, raw.value, raw.payload_base64) {
        (payload, None, None) => payload.map(|bytes| bytes.0),
        (None, value, None) => value.map(|bytes| bytes.0),
        (None, None, Some(text)) => Some(Cow::Owned(
            STANDARD
                .decode(&text.0)
                .map_err(|error| LineError(format!("payload_base64 is not base64: {error}")))?,
        )),
        _ => {
            return Err(LineError(
                "only one of payload, value and payload_base64 may be given".to_owned(),
            ));
        }
    };
    let timestamp = match (raw.ts, raw.timestamp) {
        (Some(_), Some(_)) => {
            return Err(LineError("only one of ts and timestamp may be given".to_owned()));
        }
        (ts, timestamp) => ts.or(timestamp),
    };
    let is_unknown = raw.tstype.is_some_and(|kind| &*kind.0 == b"unknown");
    Ok(ReplayRecord {
        topic: raw.topic.text()?,
        partition: raw.partition,
        offset,
        timestamp_ms: timestamp.filter(|ms| *ms != -1 && !is_unknown),
        key: raw.key.map(|bytes| bytes.0),
        value,
    })
}

/// Where a record lies: all that a first look at a file needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPlace<'a> {
    /// The topic's name.
    pub topic: Cow<'a, str>,
    /// The partition.
    pub partition: u32,
    /// The offset, at least 0.
    pub offset: i64,
}

/// Reads where the record of a line lies, and passes over the rest of the line.
///
/// # Errors
/// Says what is wrong with the line; not all that [`parse_line`] finds.
pub fn parse_place(line: &[u8]) -> Result<RecordPlace<'_>, LineError> {
    let raw: RawPlace<'_> =
        serde_json::from_slice(line).map_err(|error| LineError::of_json(&error))?;
    let offset = super::offset(raw.offset)?;
    Ok(RecordPlace { topic: raw.topic.text()?, partition: raw.partition, offset })
}

#[derive(Deserialize)]
struct RawPlace<'a> {
    #[serde(borrow)]
    topic: Bytes<'a>,
    partition: u32,
    offset: i64,
}

/// A line of either tool, and of ours.
#[derive(Deserialize)]
struct RawLine<'a> {
    #[serde(borrow)]
    topic: Bytes<'a>,
    partition: u32,
    offset: i64,
    #[serde(borrow)]
    tstype: Option<Bytes<'a>>,
    ts: Option<i64>,
    timestamp: Option<i64>,
    #[serde(borrow)]
    key: Option<Bytes<'a>>,
    #[serde(borrow)]
    payload: Option<Bytes<'a>>,
    #[serde(borrow)]
    value: Option<Bytes<'a>>,
    #[serde(borrow)]
    payload_base64: Option<Bytes<'a>>,
    record_time: Option<IgnoredAny>,
}

/// A JSON string as the bytes that it stands for. `serde_json` gives them without a check of
/// UTF-8, and lone surrogates in their three-byte form, to whoever asks for bytes.
struct Bytes<'a>(Cow<'a, [u8]>);

impl<'a> Bytes<'a> {
    /// The topic's name that they are.
    fn text(self) -> Result<Cow<'a, str>, LineError> {
        match self.0 {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
        }
        .ok_or_else(|| LineError("topic is not UTF-8".to_owned()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Bytes<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Bytes<'de>, E> {
        Ok(Bytes(Cow::Borrowed(bytes)))
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes<'de>, E> {
        Ok(Bytes(Cow::Owned(bytes.to_vec())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> ReplayRecord<'_> {
        parse_line(line).unwrap()
    }

    #[test]
    fn a_line_of_kcat_is_a_record() {
        let line = concat!(
            r#"{"topic":"orders","partition":1,"offset":7,"tstype":"create","ts":1772368495000,"#,
            r#""broker":1,"headers":["a","b"],"key":"S1","#,
            r#""payload":"{\"seller_id\":\"S1\",\"x\":\"\\u00e9\"}"}"#,
            "\n"
        )
        .as_bytes();
        let record = parse(line);
        assert_eq!(record.topic, "orders");
        assert_eq!((record.partition, record.offset), (1, 7));
        assert_eq!(record.timestamp_ms, Some(1_772_368_495_000));
        assert_eq!(record.key.as_deref(), Some(&b"S1"[..]));
        assert_eq!(record.value.as_deref(), Some(&br#"{"seller_id":"S1","x":"\u00e9"}"#[..]));
        // Nothing is copied that has no escapes.
        assert!(matches!(record.topic, Cow::Borrowed(_)));
        assert!(matches!(record.key, Some(Cow::Borrowed(_))));
    }

    #[test]
    fn a_line_of_rpk_is_a_record() {
        let line = br#"{"topic":"claims","key":"S1","value":"{}","headers":[{"key":"k",
            "value":"v"}],"timestamp":1772368495001,"partition":0,"offset":0}"#;
        let record = parse(line);
        assert_eq!(record.timestamp_ms, Some(1_772_368_495_001));
        assert_eq!(record.value.as_deref(), Some(&b"{}"[..]));
    }

    #[test]
    fn null_and_absent_values_are_tombstones_and_empty_ones_are_not() {
        let with = |more: &str| {
            let line = format!("{{\"topic\":\"t\",\"partition\":0,\"offset\":0{more}}}");
            parse_line(line.as_bytes()).map(|record| record.value.map(Cow::into_owned))
        };
        assert_eq!(with(""), Ok(None));
        assert_eq!(with(",\"payload\":null"), Ok(None));
        assert_eq!(with(",\"payload\":\"\""), Ok(Some(Vec::new())));
        assert_eq!(with(",\"value\":\"x\""), Ok(Some(b"x".to_vec())));
        assert_eq!(with(",\"payload_base64\":\"AP8=\""), Ok(Some(vec![0, 255])));
        assert_eq!(with(",\"payload_base64\":\"\""), Ok(Some(Vec::new())));
    }

    #[test]
    fn a_missing_time_is_none() {
        for (more, time) in [
            ("", None),
            (",\"ts\":-1", None),
            (",\"timestamp\":-1", None),
            (",\"ts\":null", None),
            (",\"tstype\":\"unknown\",\"ts\":0", None),
            (",\"tstype\":\"logappend\",\"ts\":5", Some(5)),
            (",\"ts\":5", Some(5)),
            (",\"timestamp\":0", Some(0)),
        ] {
            let line = format!("{{\"topic\":\"t\",\"partition\":0,\"offset\":0{more}}}");
            assert_eq!(parse(line.as_bytes()).timestamp_ms, time, "{line}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_come_out_as_they_went_in() {
        let line = b"{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"key\":\"\xfe\\n\",\
                     \"headers\":[\"h\",\"\xff\"],\"payload\":\"{\\\"a\\\":\\\"\xff\xc3\\\"}\"}";
        let record = parse(line);
        assert_eq!(record.value.as_deref(), Some(&b"{\"a\":\"\xff\xc3\"}"[..]));
        assert_eq!(record.key.as_deref(), Some(&b"\xfe\n"[..]));
    }

    #[test]
    fn a_lone_surrogate_outside_becomes_bytes_that_are_no_utf8() {
        let line = br#"{"topic":"t","partition":0,"offset":0,"payload":"a\ud800b"}"#;
        let value = parse(line).value.unwrap();
        assert_eq!(&*value, b"a\xed\xa0\x80b");
        assert!(simdutf8::basic::from_utf8(&value).is_err());
        // Escaped twice it is the record's own escape, and stays one.
        let line = br#"{"topic":"t","partition":0,"offset":0,"payload":"a\\ud800b"}"#;
        assert_eq!(&*parse(line).value.unwrap(), br"a\ud800b");
        let line = br#"{"topic":"t","partition":0,"offset":0,"payload":"\ud83d\ude00"}"#;
        assert_eq!(&*parse(line).value.unwrap(), "\u{1f600}".as_bytes());
    }

    #[test]
    fn the_place_of_a_record_is_read_whatever_its_value_is() {
        let line = b"{\"topic\":\"t\",\"payload\":\"\xff\xc3\\ud800\",\"partition\":3,\
                     \"x\":[{}],\"offset\":8}";
        let place = parse_place(line).unwrap();
        assert_eq!((&*place.topic, place.partition, place.offset), ("t", 3, 8));
        for line in ["{}", "x", r#"{"topic":"t","partition":0,"offset":-1}"#] {
            assert!(parse_place(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_its_reason() {
        for (line, part) in [
            ("", "EOF"),
            ("{}", "missing field `topic`"),
            ("[]", "invalid length"),
            (r#"{"topic":"t","partition":-1,"offset":0}"#, "u32"),
            (r#"{"topic":"t","partition":0,"offset":-1}"#, "negative"),
            (r#"{"topic":"t","partition":0,"offset":9223372036854775807}"#, "more than a log"),
            (r#"{"topic":"t","partition":0,"offset":1.0}"#, "i64"),
            (r#"{"topic":"t","partition":0,"offset":0,"payload":{}}"#, "a string"),
            (r#"{"topic":"t","partition":"canary","offset":0}"#, "string of its own, expected"),
            (r#"{"topic":"t","partition":0,"offset":0,"payload":"","value":""}"#, "only one"),
            (r#"{"topic":"t","partition":0,"offset":0,"ts":1,"timestamp":1}"#, "only one"),
            (r#"{"topic":"t","partition":0,"offset":0,"payload_base64":"?"}"#, "base64"),
            (r#"{"topic":"t","partition":0,"offset":0,"offset":0}"#, "duplicate"),
            (r#"{"topic":"\ud800","partition":0,"offset":0}"#, "UTF-8"),
            (r#"{"topic":"t","partition":0,"offset":0} {}"#, "trailing"),
            (r#"{"topic":"t","partition":0,"offset":0,"record_time":1}"#, "decision"),
        ] {
            let error = parse_line(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{line}: {error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
