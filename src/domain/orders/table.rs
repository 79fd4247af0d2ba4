//! A hash table of 16-byte entries that grows a piece at a time.
//!
//! ```text
//! hash ── bits 48..56 ──> segment (256) ── bits 24..48, scaled ──> one of 8..=15 sub-tables
//! ```
//!
//! One `hashbrown` table of this size would double: half of it empty, and seconds of pause. Here a
//! segment grows by one sub-table (by 7 to 12 per cent) when one of its sub-tables is full, and
//! only that segment is rebuilt; from 15 it goes to 8 of double the size. So the fill stays between
//! about three quarters and 7/8, at any number of orders, and a pause is as short as one segment.
//!
//! Invariant I-6: a sub-table is never asked to grow by itself.

use hashbrown::HashTable;

/// One order: 58 bits of key, 6 bits of state, 64 bits of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    key_and_state: u64,
    value: u64,
}

impl Entry {
    pub(super) fn new(key: u64, state: u64, value: u64) -> Self {
        debug_assert!(key < 1 << 58 && state < 64, "a key has 58 bits, a state 6");
        Self { key_and_state: key << 6 | state, value }
    }

    pub(super) const fn key(self) -> u64 {
        self.key_and_state >> 6
    }

    pub(super) const fn state(self) -> u64 {
        self.key_and_state & 63
    }

    pub(super) const fn value(self) -> u64 {
        self.value
    }
}

const SEGMENTS: usize = 256;
const LEAST_PARTS: usize = 8;
const MOST_PARTS: usize = 15;
/// Buckets of a sub-table of a segment's first rung.
const FIRST_BUCKETS: usize = 4;

#[derive(Clone, Debug)]
struct Segment {
    parts: Vec<HashTable<Entry>>,
    buckets: usize,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct SegmentedTable {
    segments: Vec<Segment>,
    len: usize,
}

/// The number of a segment: bits 48..56 of the hash (hashbrown uses the lowest and the top 7).
fn segment_of(hash: u64) -> usize {
    usize::try_from(hash >> 48 & 255).expect("8 bits fit")
}

/// The number of a sub-table among `parts`: bits 24..48, scaled.
fn part_of(hash: u64, parts: usize) -> usize {
    let parts = u64::try_from(parts).expect("at most 15");
    usize::try_from(((hash >> 24 & 0xFF_FFFF) * parts) >> 24).expect("below 15")
}

/// Entries that a hashbrown table of this many buckets (a power of two, at least 4) holds.
const fn capacity_of(buckets: usize) -> usize {
    if buckets < 8 { buckets - 1 } else { buckets / 8 * 7 }
}

impl SegmentedTable {
    pub(super) fn new() -> Self {
        let empty = Segment { parts: Vec::new(), buckets: FIRST_BUCKETS };
        Self { segments: vec![empty; SEGMENTS], len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all sub-tables: buckets and control bytes.
    pub(super) fn bytes(&self) -> usize {
        let headers = SEGMENTS * size_of::<Segment>();
        let parts = self.segments.iter().flat_map(|segment| &segment.parts);
        headers + parts.map(|part| part.allocation_size() + size_of_val(part)).sum::<usize>()
    }

    pub(super) fn find(&self, hash: u64, eq: impl FnMut(&Entry) -> bool) -> Option<&Entry> {
        let parts = &self.segments[segment_of(hash)].parts;
        parts.get(part_of(hash, parts.len()))?.find(hash, eq)
    }

    pub(super) fn find_mut(
        &mut self,
        hash: u64,
        eq: impl FnMut(&Entry) -> bool,
    ) -> Option<&mut Entry> {
        let parts = &mut self.segments[segment_of(hash)].parts;
        let part = part_of(hash, parts.len());
        parts.get_mut(part)?.find_mut(hash, eq)
    }

    /// Adds an entry that is not there.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry, rehash: impl Fn(&Entry) -> u64) {
        let segment = &mut self.segments[segment_of(hash)];
        while !segment.has_room(hash) {
            segment.grow(&rehash);
        }
        let part = part_of(hash, segment.parts.len());
        segment.parts[part].insert_unique(hash, entry, &rehash);
        self.len += 1;
    }

    /// The number of pieces that [`SegmentedTable::piece`] knows.
    pub(super) const fn pieces(&self) -> usize {
        self.segments.len()
    }

    /// The entries of one piece.
    pub(super) fn piece(&self, piece: usize) -> impl Iterator<Item = &Entry> {
        self.segments[piece].parts.iter().flat_map(HashTable::iter)
    }

    /// Keeps the entries for which `keep` holds.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Entry) -> bool) {
        let mut len = 0;
        for part in self.segments.iter_mut().flat_map(|segment| &mut segment.parts) {
            part.retain(|entry| keep(entry));
            len += part.len();
        }
        self.len = len;
    }
}

impl Segment {
    fn has_room(&self, hash: u64) -> bool {
        self.parts
            .get(part_of(hash, self.parts.len()))
            .is_some_and(|part| part.len() < capacity_of(self.buckets))
    }

    /// Rebuilds the segment with the next larger shape that holds what there is.
    fn grow(&mut self, rehash: &impl Fn(&Entry) -> u64) {
        let entries: Vec<Entry> = self.parts.iter().flat_map(|part| part.iter().copied()).collect();
        let mut parts = self.parts.len();
        self.parts = Vec::new();
        loop {
            if parts < LEAST_PARTS {
                parts = LEAST_PARTS;
            } else if parts < MOST_PARTS {
                parts += 1;
            } else {
                parts = LEAST_PARTS;
                self.buckets *= 2;
            }
            if self.fill(parts, &entries, rehash) {
                return;
            }
        }
    }

    /// Spreads the entries over this many sub-tables; false if one of them overflows (I-6).
    fn fill(&mut self, count: usize, entries: &[Entry], rehash: &impl Fn(&Entry) -> u64) -> bool {
        let capacity = capacity_of(self.buckets);
        let mut filled = vec![HashTable::with_capacity(capacity); count];
        for entry in entries {
            let hash = rehash(entry);
            let part: &mut HashTable<Entry> = &mut filled[part_of(hash, count)];
            if part.len() == capacity {
                return false;
            }
            part.insert_unique(hash, *entry, rehash);
        }
        self.parts = filled;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_6_sub_tables_keep_the_capacity_that_their_segment_gave_them() {
        let mut table = SegmentedTable::new();
        let hash = |entry: &Entry| entry.key().wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for key in 0..300_000 {
            let entry = Entry::new(key, key % 54, key);
            table.insert(hash(&entry), entry, hash);
        }
        assert_eq!(table.len(), 300_000);
        for segment in &table.segments {
            assert!((LEAST_PARTS..=MOST_PARTS).contains(&segment.parts.len()));
            for part in &segment.parts {
                assert_eq!(part.capacity(), capacity_of(segment.buckets));
                assert!(part.len() <= part.capacity());
            }
        }
    }
}
