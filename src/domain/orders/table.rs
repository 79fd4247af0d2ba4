//! A hash table of 16-byte entries, four to a line of the cache, that grows a piece at a time.
//!
//! ```text
//! hash ── low 32 bits, scaled ──> segment (1,024) ── high 32 bits, scaled ──> home line
//! line:  [entry|entry|entry|entry]  ── full: its entries went on to the next line, and so on ─>
//! ```
//!
//! A lookup reads its home line, and goes on to the next line only while entries are known to have
//! gone on: each line counts those that passed it, in four bits that its entries have to spare.
//! So nothing is left behind by a deletion, and an order that is new costs one line as well as
//! one that is held. The line is known from the hash alone, so that many can be
//! fetched ahead ([`SegmentedTable::place`]).
//!
//! One table of this size would double: half of it empty, and seconds of pause. Here a segment
//! grows by a quarter to a seventh when it is 86 per cent full, and only that segment is rebuilt.
//! So the fill stays between 69 and 86 per cent, at any number of orders, and a pause is as short
//! as one segment.
//!
//! Invariants:
//! - I-6: an entry lies in its home line, or in a later one such that every line from its home up
//!   to the one before counts it; a count that reached its greatest value is not taken back until
//!   the segment is rebuilt.
//! - I-23: a segment has a free place whenever an entry is added.
//! - I-24: at least half as many lines are not passed as when the segment was built: where entries
//!   come and go and none grows, what passed full lines stays behind them after they have emptied,
//!   so a segment is built again before lookups of what is not held become long.

use super::prefetch::Places;

/// One order: 58 bits of key, 6 bits of state, 63 bits of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    key_and_state: u64,
    value: u64,
}

/// The top bit of a value belongs to the line.
const VALUE: u64 = !PASSED;
const PASSED: u64 = 1 << 63;
/// A place without an entry: no key has all its bits set.
const FREE: u64 = u64::MAX;

impl Entry {
    pub(super) fn new(key: u64, state: u64, value: u64) -> Self {
        debug_assert!(key < 1 << 58 && state < 64, "a key has 58 bits, a state 6");
        debug_assert!(key != FREE >> 6, "the greatest key stands for no entry");
        debug_assert!(value & PASSED == 0, "a value has 63 bits");
        Self { key_and_state: key << 6 | state, value }
    }

    pub(super) const fn key(self) -> u64 {
        self.key_and_state >> 6
    }

    pub(super) const fn state(self) -> u64 {
        self.key_and_state & 63
    }

    pub(super) const fn value(self) -> u64 {
        self.value & VALUE
    }

    const fn is_free(self) -> bool {
        self.key_and_state == FREE
    }
}

/// Entries of a line.
const WIDTH: usize = 4;
/// The greatest count of a line.
const MANY: u8 = 15;

/// A line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([Entry; WIDTH]);

const _: () = assert!(size_of::<Line>() == 64, "a line of the table is a line of the cache");

impl Line {
    const EMPTY: Self = Self([Entry { key_and_state: FREE, value: 0 }; WIDTH]);

    /// Whether an entry whose home is here or before lies behind this line.
    const fn was_passed(&self) -> bool {
        let [a, b, c, d] = &self.0;
        (a.value | b.value | c.value | d.value) & PASSED != 0
    }

    /// The count of entries that passed, one bit in each value.
    fn passed(&self) -> u8 {
        self.0.iter().rev().fold(0, |count, entry| count << 1 | u8::from(entry.value & PASSED != 0))
    }

    fn set_passed(&mut self, count: u8) {
        for (bit, entry) in self.0.iter_mut().enumerate() {
            let passed = if count >> bit & 1 == 1 { PASSED } else { 0 };
            entry.value = entry.value & VALUE | passed;
        }
    }

    fn pass(&mut self) {
        self.set_passed((self.passed() + 1).min(MANY));
    }

    fn take_back(&mut self) {
        let count = self.passed();
        debug_assert!(count > 0, "I-6: what lies behind was counted");
        if count < MANY {
            self.set_passed(count - 1);
        }
    }

    /// Writes a place, whose bit of the count stays.
    fn set(&mut self, place: usize, entry: Entry) {
        let held = &mut self.0[place];
        *held = Entry { value: entry.value() | held.value & PASSED, ..entry };
    }

    fn free_place(&self) -> Option<usize> {
        self.0.iter().position(|entry| entry.is_free())
    }
}

/// One of many parts of the table, by a part of the hash.
#[derive(Clone, Debug, Default)]
struct Segment {
    lines: Vec<Line>,
    len: usize,
    /// Lines that no entry passed: where lookups of what is not held end.
    open: usize,
    /// The number of open lines below which the segment is built again.
    least_open: usize,
}

/// The table.
#[derive(Clone, Debug)]
pub(super) struct SegmentedTable {
    segments: Vec<Segment>,
    len: usize,
}

const SEGMENTS: u64 = 1_024;
/// Lines of a segment's first shape.
const FIRST_LINES: usize = 4;

/// The number of a segment: the low half of the hash, scaled.
fn segment_of(hash: u64) -> usize {
    scale(hash & 0xFFFF_FFFF, SEGMENTS)
}

/// The number of a line among `lines`: the high half of the hash, scaled.
fn home_of(hash: u64, lines: usize) -> usize {
    scale(hash >> 32, u64::try_from(lines).expect("usize has at most 64 bits here"))
}

/// Spreads 32 bits evenly over `0..range`, which is at most 2^32.
fn scale(bits: u64, range: u64) -> usize {
    usize::try_from((bits * range) >> 32).expect("below a number of lines in memory")
}

/// Entries that a segment of this many lines may have: 86 per cent.
const fn capacity_of(lines: usize) -> usize {
    lines * WIDTH * 55 / 64
}

/// The next larger shape: 4, 5, 6 or 7 times a power of two, which allocators have sizes for.
const fn next_shape(lines: usize) -> usize {
    if lines < FIRST_LINES {
        return FIRST_LINES;
    }
    // The power of two that has two digits less than the number of lines.
    lines + (1 << (lines.ilog2() - 2))
}

impl SegmentedTable {
    pub(super) fn new() -> Self {
        let count = usize::try_from(SEGMENTS).expect("a small number");
        Self { segments: vec![Segment::default(); count], len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> usize {
        let lines: usize = self.segments.iter().map(|segment| segment.lines.capacity()).sum();
        size_of_val(&*self.segments) + lines * size_of::<Line>()
    }

    /// Adds what a lookup of this hash reads first to what is to be fetched.
    pub(super) fn place(&self, hash: u64, places: &mut Places) {
        let segment = &self.segments[segment_of(hash)];
        if let Some(line) = segment.lines.get(home_of(hash, segment.lines.len())) {
            places.add(line);
        }
    }

    pub(super) fn find(&self, hash: u64, eq: impl FnMut(&Entry) -> bool) -> Option<Entry> {
        let segment = &self.segments[segment_of(hash)];
        let (line, place) = segment.find(hash, eq)?;
        let entry = segment.lines[line].0[place];
        Some(Entry { value: entry.value(), ..entry })
    }

    /// Replaces an entry that is there by one of the same key; tells whether it was.
    pub(super) fn replace(
        &mut self,
        hash: u64,
        entry: Entry,
        eq: impl FnMut(&Entry) -> bool,
    ) -> bool {
        let segment = &mut self.segments[segment_of(hash)];
        let Some((line, place)) = segment.find(hash, eq) else { return false };
        segment.lines[line].set(place, entry);
        true
    }

    /// Adds an entry that is not there.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry, rehash: impl Fn(&Entry) -> u64) {
        let segment = &mut self.segments[segment_of(hash)];
        let lines = segment.lines.len();
        if segment.len == capacity_of(lines) {
            segment.rebuild(next_shape(lines), &rehash);
        } else if segment.open < segment.least_open {
            segment.rebuild(lines, &rehash);
        }
        segment.insert(hash, entry);
        self.len += 1;
    }

    /// The number of pieces that [`SegmentedTable::piece`] knows.
    pub(super) const fn pieces(&self) -> usize {
        self.segments.len()
    }

    /// The entries of one piece.
    pub(super) fn piece(&self, piece: usize) -> impl Iterator<Item = &Entry> {
        let lines = self.segments[piece].lines.iter();
        lines.flat_map(|line| &line.0).filter(|entry| !entry.is_free())
    }

    /// Keeps the entries for which `may_go` does not hold, or `keep` does. `may_go` is asked of
    /// every entry: it is to be cheap and without branches.
    pub(super) fn retain(
        &mut self,
        may_go: impl Fn(&Entry) -> bool,
        mut keep: impl FnMut(&Entry) -> bool,
        rehash: impl Fn(&Entry) -> u64,
    ) {
        for segment in &mut self.segments {
            let before = segment.len;
            segment.retain(&may_go, &mut keep, &rehash);
            self.len -= before - segment.len;
        }
    }
}

impl Segment {
    fn find(&self, hash: u64, mut eq: impl FnMut(&Entry) -> bool) -> Option<(usize, usize)> {
        let mut at = home_of(hash, self.lines.len());
        let mut line = self.lines.get(at)?;
        // All lines may have been passed: then a lookup ends where it began.
        for _ in 0..self.lines.len() {
            for (place, entry) in line.0.iter().enumerate() {
                if eq(entry) {
                    return Some((at, place));
                }
            }
            if !line.was_passed() {
                return None;
            }
            at = self.next(at);
            line = &self.lines[at];
        }
        None
    }

    /// The line after a line; after the last comes the first.
    const fn next(&self, at: usize) -> usize {
        if at + 1 == self.lines.len() { 0 } else { at + 1 }
    }

    /// Adds an entry; there is room (I-23), as a segment is never full.
    fn insert(&mut self, hash: u64, entry: Entry) {
        let mut at = home_of(hash, self.lines.len());
        let place = loop {
            let line = &mut self.lines[at];
            if let Some(place) = line.free_place() {
                break place;
            }
            self.open -= usize::from(!line.was_passed());
            line.pass();
            at = self.next(at);
        };
        self.lines[at].set(place, entry);
        self.len += 1;
    }

    /// Builds the segment again with so many lines.
    fn rebuild(&mut self, lines: usize, rehash: &impl Fn(&Entry) -> u64) {
        let old = std::mem::replace(&mut self.lines, vec![Line::EMPTY; lines]);
        self.len = 0;
        self.open = lines;
        for entry in old.iter().flat_map(|line| &line.0) {
            if !entry.is_free() {
                self.insert(rehash(entry), *entry);
            }
        }
        self.least_open = self.open / 2;
    }

    fn retain(
        &mut self,
        may_go: &impl Fn(&Entry) -> bool,
        keep: &mut impl FnMut(&Entry) -> bool,
        rehash: &impl Fn(&Entry) -> u64,
    ) {
        for at in 0..self.lines.len() {
            // Without a branch for each: nearly always nothing of a line goes.
            let goes = |any, entry: &Entry| any | (!entry.is_free() & may_go(entry));
            if !self.lines[at].0.iter().fold(false, goes) {
                continue;
            }
            for place in 0..WIDTH {
                let entry = self.lines[at].0[place];
                if entry.is_free() || !may_go(&entry) || keep(&entry) {
                    continue;
                }
                self.lines[at].set(place, Line::EMPTY.0[0]);
                self.len -= 1;
                let mut passed = home_of(rehash(&entry), self.lines.len());
                while passed != at {
                    let line = &mut self.lines[passed];
                    line.take_back();
                    self.open += usize::from(!line.was_passed());
                    passed = self.next(passed);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
