//! By what a log is known again: its topic's id, and a mark on one record before our position.
//!
//! A topic that is deleted and made anew has another id; one that was restored, mirrored or cut
//! short and written on has another record at the marked offset. Invariant: equal records have
//! equal marks. Absent on purpose: any content of the record.

use std::fmt;

use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

use crate::domain::ids::Offset;

use super::write::Object;

/// The id that a cluster gave a topic when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub u128);

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

/// A record by which a log is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The record's offset.
    pub offset: Offset,
    /// A hash of its timestamp, key and value.
    pub hash: u64,
}

impl Mark {
    /// The mark of a record.
    #[must_use]
    pub fn of(
        offset: Offset,
        timestamp_ms: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&timestamp_ms.unwrap_or(-1).to_le_bytes());
        for part in [key, value] {
            let length = part.map_or(u64::MAX, |bytes| {
                u64::try_from(bytes.len()).expect("usize has at most 64 bits")
            });
            hash.update(&length.to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        Self { offset, hash: hash.digest() }
    }
}

/// By what the log of one input partition is known again; `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogIdentity {
    /// The topic's id.
    pub topic: Option<TopicId>,
    /// A record before the position.
    pub mark: Option<Mark>,
}

/// Writes what is known.
pub(super) fn write_members(identity: &LogIdentity, members: &mut Object<'_>) {
    if let Some(topic) = identity.topic {
        members.text("topic_id", &topic.to_string());
    }
    if let Some(Mark { offset, hash }) = identity.mark {
        members.object("mark", |mark| {
            mark.integer("offset", offset.get());
            mark.text("hash", &format!("{hash:016x}"));
        });
    }
}

/// A mark as it is written.
#[derive(Debug, Deserialize)]
pub(super) struct RawMark {
    offset: i64,
    hash: String,
}

/// Reads what is known; the error names what is wrong.
pub(super) fn read(topic: Option<&str>, mark: Option<&RawMark>) -> Result<LogIdentity, String> {
    let topic = topic
        .map(|text| hexadecimal(text, 32).map(TopicId).ok_or_else(|| format!("topic_id {text:?}")));
    let mark = mark.map(|raw| {
        let hash = hexadecimal(&raw.hash, 16).and_then(|hash| u64::try_from(hash).ok());
        let hash = hash.filter(|_| raw.offset >= 0);
        let hash = hash.ok_or_else(|| "mark is not an offset and a hash".to_owned())?;
        Ok::<Mark, String>(Mark { offset: Offset::new(raw.offset), hash })
    });
    Ok(LogIdentity { topic: topic.transpose()?, mark: mark.transpose()? })
}

fn hexadecimal(text: &str, digits: usize) -> Option<u128> {
    let is_hex =
        text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    u128::from_str_radix(text, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_record_changes_its_mark_and_nothing_else_does() {
        let mark = |time, key: Option<&[u8]>, value: Option<&[u8]>| {
            Mark::of(Offset::new(7), time, key, value).hash
        };
        let base = mark(Some(5), Some(b"k"), Some(b"v"));
        assert_eq!(base, mark(Some(5), Some(b"k"), Some(b"v")));
        let others = [
            mark(Some(6), Some(b"k"), Some(b"v")),
            mark(None, Some(b"k"), Some(b"v")),
            mark(Some(5), Some(b"kv"), Some(b"")),
            mark(Some(5), Some(b"k"), None),
            mark(Some(5), None, Some(b"v")),
            mark(Some(5), Some(b""), Some(b"v")),
        ];
        for other in others {
            assert_ne!(base, other);
        }
    }
}
