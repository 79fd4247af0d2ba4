//! Snapshots in a compacted topic: partition = shard, chunks and then a manifest.
//!
//! ```text
//! NUMBER/000000, NUMBER/000001, ..   the bytes in pieces
//! NUMBER/manifest                    how many pieces and bytes: the snapshot is whole
//! ```
//!
//! Invariants: a manifest is written after its chunks are on all replicas; a snapshot goes with
//! the tombstones of its keys, its manifest first. Absent on purpose: transactions (the checksums
//! of the content say what is whole) and any position kept elsewhere: the topic is read from its
//! beginning, which compaction keeps near.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{Offset, ShardNo};
use crate::pipeline::ports::{SnapshotLog, SnapshotStore, StoreError};

/// The most bytes in a chunk; less where the topic takes less.
const CHUNK: usize = 900_000;

/// The most chunks of a snapshot: beyond, it is too large for a topic.
const MOST_CHUNKS: usize = 1_000_000;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    chunks: usize,
    bytes: usize,
}

/// What is known of a snapshot in the topic.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// The first of its records; `None` if only written here and not read since.
    first: Option<Offset>,
    chunks: usize,
}

type Index = BTreeMap<u64, Entry>;

/// The parts of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Chunk(usize),
    Manifest,
}

/// Snapshots in a topic.
#[derive(Debug)]
pub struct KafkaStore<L> {
    log: L,
    /// What this store has just written, so that cleaning up reads nothing again.
    written: BTreeMap<ShardNo, Index>,
}

impl<L: SnapshotLog> KafkaStore<L> {
    /// A store over a topic.
    #[must_use]
    pub const fn new(log: L) -> Self {
        Self { log, written: BTreeMap::new() }
    }

    /// The log, for tests.
    pub const fn log_mut(&mut self) -> &mut L {
        &mut self.log
    }

    fn index(&mut self, shard: ShardNo) -> Result<Index, StoreError> {
        let mut parts: BTreeMap<u64, BTreeMap<usize, Offset>> = BTreeMap::new();
        self.log.read(shard, Offset::new(0), &mut |offset, key, value| {
            if let Some((number, part)) = parse(key) {
                // The manifest counts as the last part.
                let place = if let Part::Chunk(chunk) = part { chunk } else { usize::MAX };
                let known = parts.entry(number).or_default();
                match value {
                    Some(_) => known.insert(place, offset),
                    None => known.remove(&place),
                };
            }
            true
        })?;
        parts.retain(|_, known| !known.is_empty());
        let entry = |known: &BTreeMap<usize, Offset>| Entry {
            first: known.values().min().copied(),
            chunks: known.keys().filter(|place| **place != usize::MAX).max().map_or(0, |n| n + 1),
        };
        Ok(parts.iter().map(|(number, known)| (*number, entry(known))).collect())
    }

    fn chunk_bytes(&self) -> usize {
        self.log.max_value_bytes().clamp(1, CHUNK)
    }
}

impl<L: SnapshotLog> SnapshotStore for KafkaStore<L> {
    fn list(&mut self, shard: ShardNo) -> Result<Vec<u64>, StoreError> {
        // Right after a write what is known is enough; else others may have written.
        if let Some(index) = self.written.get_mut(&shard)
            && index.values().any(|entry| entry.first.is_none())
        {
            let numbers = index.keys().copied().collect();
            for entry in index.values_mut() {
                entry.first.get_or_insert(Offset::new(0));
            }
            return Ok(numbers);
        }
        let index = self.index(shard)?;
        let numbers = index.keys().copied().collect();
        self.written.insert(shard, index);
        Ok(numbers)
    }

    fn read(&mut self, shard: ShardNo, number: u64) -> Result<Vec<u8>, StoreError> {
        let entry = self.written.get(&shard).and_then(|index| index.get(&number).copied());
        let first = entry.and_then(|entry| entry.first).unwrap_or(Offset::new(0));
        let mut chunks: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        let mut manifest = None;
        self.log.read(shard, first, &mut |_, key, value| {
            match (parse(key), value) {
                (Some((of, Part::Chunk(chunk))), Some(value)) if of == number => {
                    chunks.insert(chunk, value.to_vec());
                    // What was written again is written whole again.
                    manifest = None;
                }
                (Some((of, Part::Manifest)), value) if of == number => {
                    let read = value.map(|value| serde_json::from_slice::<Manifest>(value).ok());
                    manifest = read.flatten();
                }
                _ => {}
            }
            true
        })?;
        // What is missing is found by the checksums: here it is only put together.
        let wanted = manifest.map_or(usize::MAX, |manifest: Manifest| manifest.chunks);
        let in_order = (0..wanted.min(MOST_CHUNKS)).map_while(|chunk| chunks.remove(&chunk));
        let mut bytes = Vec::new();
        in_order.for_each(|chunk| bytes.extend_from_slice(&chunk));
        if manifest.is_none() && !bytes.is_empty() {
            // It lacks its manifest, so it was torn, even if it is whole by chance.
            bytes.pop();
        }
        Ok(bytes)
    }

    fn write(&mut self, shard: ShardNo, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let size = self.chunk_bytes();
        let count = bytes.len().div_ceil(size);
        if count > MOST_CHUNKS {
            let words = format!("{} bytes are {count} chunks, too many for a topic", bytes.len());
            return Err(StoreError::Refused(words));
        }
        let mut chunks = bytes
            .chunks(size)
            .enumerate()
            .map(|(chunk, bytes)| (key(number, Part::Chunk(chunk)), Some(bytes.to_vec())));
        self.log.append(shard, &mut chunks)?;
        let manifest = Manifest { version: 1, chunks: count, bytes: bytes.len() };
        let manifest = serde_json::to_vec(&manifest).expect("three numbers are JSON");
        let record = (key(number, Part::Manifest), Some(manifest));
        self.log.append(shard, &mut std::iter::once(record))?;
        let index = match self.written.remove(&shard) {
            Some(index) => index,
            None => self.index(shard)?,
        };
        let index = self.written.entry(shard).or_insert(index);
        index.insert(number, Entry { first: None, chunks: count });
        Ok(())
    }

    fn remove(&mut self, shard: ShardNo, number: u64) -> Result<(), StoreError> {
        let index = match self.written.remove(&shard) {
            Some(index) => index,
            None => self.index(shard)?,
        };
        let index = self.written.entry(shard).or_insert(index);
        let Some(entry) = index.remove(&number) else { return Ok(()) };
        let chunks = (0..entry.chunks).map(Part::Chunk);
        let mut keys =
            std::iter::once(Part::Manifest).chain(chunks).map(|part| (key(number, part), None));
        self.log.append(shard, &mut keys)
    }
}

fn key(number: u64, part: Part) -> Vec<u8> {
    match part {
        Part::Chunk(chunk) => format!("{number:020}/{chunk:06}"),
        Part::Manifest => format!("{number:020}/manifest"),
    }
    .into_bytes()
}

/// The number and the part of a key; `None` for what is not ours.
fn parse(key: &[u8]) -> Option<(u64, Part)> {
    let (number, part) = str::from_utf8(key).ok()?.split_once('/')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if number.len() != 20 || !digits(number) {
        return None;
    }
    let number = number.parse().ok()?;
    match part {
        "manifest" => Some((number, Part::Manifest)),
        chunk if chunk.len() >= 6 && digits(chunk) => {
            Some((number, Part::Chunk(chunk.parse().ok()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::ports::EachSnapshotRecord;

    const SHARD: ShardNo = ShardNo::new(3);

    /// A partition in memory.
    #[derive(Debug, Default)]
    struct Log {
        records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
        reads: usize,
        /// After so many more records, appending fails.
        room: Option<usize>,
    }

    impl Log {
        /// Keeps the last record of each key only, as compaction does.
        fn compact(&mut self) {
            let records = std::mem::take(&mut self.records);
            for (place, (key, value)) in records.iter().enumerate() {
                let is_last = records[place + 1..].iter().all(|(other, _)| other != key);
                if is_last && value.is_some() {
                    self.records.push((key.clone(), value.clone()));
                }
            }
        }
    }

    impl SnapshotLog for Log {
        fn read(
            &mut self,
            _shard: ShardNo,
            from: Offset,
            each: &mut EachSnapshotRecord<'_>,
        ) -> Result<(), StoreError> {
            self.reads += 1;
            for (offset, (key, value)) in (0..).zip(&self.records) {
                if offset >= from.get() && !each(Offset::new(offset), key, value.as_deref()) {
                    break;
                }
            }
            Ok(())
        }

        fn append(
            &mut self,
            _shard: ShardNo,
            records: &mut dyn Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
        ) -> Result<(), StoreError> {
            for record in records {
                if let Some(room) = &mut self.room {
                    *room = room.checked_sub(1).ok_or(StoreError::Full("no room".to_owned()))?;
                }
                self.records.push(record);
            }
            Ok(())
        }

        fn max_value_bytes(&self) -> usize {
            10
        }
    }

    fn store() -> KafkaStore<Log> {
        KafkaStore::new(Log::default())
    }

    fn bytes(length: u8) -> Vec<u8> {
        (0..length).collect()
    }

    #[test]
    fn what_is_written_is_read_back_also_by_another_and_after_compaction() {
        let mut store = store();
        for (number, length) in [(5, 35), (9, 40), (12, 1), (13, 0)] {
            store.write(SHARD, number, &bytes(length)).unwrap();
        }
        store.write(SHARD, 9, &bytes(33)).unwrap();
        for is_compacted in [false, true] {
            if is_compacted {
                store.log_mut().compact();
            }
            let mut other = KafkaStore::new(std::mem::take(store.log_mut()));
            assert_eq!(other.list(SHARD), Ok(vec![5, 9, 12, 13]));
            for (number, length) in [(5, 35), (9, 33), (12, 1), (13, 0)] {
                assert_eq!(other.read(SHARD, number), Ok(bytes(length)), "{number}");
            }
            *store.log_mut() = std::mem::take(other.log_mut());
        }
    }

    #[test]
    fn what_is_removed_leaves_only_tombstones() {
        let mut store = store();
        store.write(SHARD, 5, &bytes(35)).unwrap();
        store.write(SHARD, 9, &bytes(40)).unwrap();
        let reads = store.log_mut().reads;
        assert_eq!(store.list(SHARD), Ok(vec![5, 9]));
        store.remove(SHARD, 5).unwrap();
        assert_eq!(store.log_mut().reads, reads, "what was just written is known");
        assert_eq!(store.list(SHARD), Ok(vec![9]));
        store.log_mut().compact();
        assert_eq!(store.log_mut().records.len(), 5);
        let mut other = KafkaStore::new(std::mem::take(store.log_mut()));
        assert_eq!(other.read(SHARD, 9), Ok(bytes(40)));
    }

    #[test]
    fn a_torn_snapshot_is_listed_cut_and_removed_like_any_other() {
        for room in 0..5 {
            let mut store = store();
            store.log_mut().room = Some(room);
            assert!(matches!(store.write(SHARD, 5, &bytes(35)), Err(StoreError::Full(_))));
            store.log_mut().room = None;
            let is_there = room > 0;
            assert_eq!(store.list(SHARD).unwrap(), if is_there { vec![5] } else { vec![] });
            assert!(store.read(SHARD, 5).unwrap().len() < 35, "{room}");
            store.remove(SHARD, 5).unwrap();
            store.log_mut().compact();
            assert_eq!(store.log_mut().records, []);
        }
    }

    #[test]
    fn foreign_records_are_passed_over() {
        let mut store = store();
        for key in ["", "x/manifest", "00000000000000000005/x", "5/000000", "\u{e9}/1"] {
            store.log_mut().records.push((key.as_bytes().to_vec(), Some(vec![1])));
        }
        assert_eq!(store.list(SHARD), Ok(Vec::new()));
        store.write(SHARD, 5, &bytes(12)).unwrap();
        assert_eq!(store.read(SHARD, 5), Ok(bytes(12)));
    }
}
