//! The table of orders against its invariants, and against a map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn hash(key: u64) -> u64 {
    let wide = u128::from(key ^ 0x51_7C) * 0x9E37_79B9_7F4A_7C15;
    let bytes = wide.to_le_bytes();
    let [low, high] = [0, 8].map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()));
    low ^ high
}

fn rehash(entry: &Entry) -> u64 {
    hash(entry.key())
}

/// I-6 and I-23, and that all counts are right.
fn check(table: &SegmentedTable, rehash: impl Fn(&Entry) -> u64) {
    let mut len = 0;
    for segment in &table.segments {
        let lines = segment.lines.len();
        let mut passed = vec![0_u32; lines];
        let mut held = 0;
        for (at, line) in segment.lines.iter().enumerate() {
            for entry in line.0.iter().filter(|entry| !entry.is_free()) {
                held += 1;
                let mut from = home_of(rehash(entry), lines);
                while from != at {
                    passed[from] += 1;
                    from = segment.next(from);
                }
            }
        }
        assert_eq!(held, segment.len);
        assert!(held <= capacity_of(lines));
        let open = segment.lines.iter().filter(|line| !line.was_passed()).count();
        assert_eq!(open, segment.open);
        for (line, passed) in segment.lines.iter().zip(passed) {
            let counted = u32::from(line.passed());
            assert!(counted == passed || line.passed() == MANY, "{counted} for {passed}");
        }
        len += held;
    }
    assert_eq!(table.len(), len);
}

#[test]
fn i_6_and_i_23_hold_while_a_table_grows_and_after_a_part_is_forgotten() {
    let mut table = SegmentedTable::new();
    for key in 0..300_000 {
        table.insert(hash(key), Entry::new(key, key % 54, key), rehash);
    }
    check(&table, rehash);
    table.retain(|entry| entry.value() < 250_000, |entry| entry.value() % 3 > 0, rehash);
    assert_eq!(table.len(), 216_666);
    check(&table, rehash);
    for key in 0..300_000 {
        let found = table.find(hash(key), |entry| entry.key() == key);
        let expected = (key % 3 > 0 || key >= 250_000).then(|| Entry::new(key, key % 54, key));
        assert_eq!(found, expected);
    }
}

/// Lines that a lookup of what is not held reads.
fn lines_read(table: &SegmentedTable, hash: u64) -> usize {
    let segment = &table.segments[segment_of(hash)];
    let lines = segment.lines.len();
    let mut at = home_of(hash, lines);
    for read in 1..=lines {
        if !segment.lines[at].was_passed() {
            return read;
        }
        at = segment.next(at);
    }
    lines
}

#[test]
fn i_24_lookups_stay_short_where_orders_come_and_go_for_years() {
    const HELD: u64 = 150_000;
    const A_DAY: u64 = HELD / 75;
    let mut table = SegmentedTable::new();
    for key in 0..HELD * 30 {
        table.insert(hash(key), Entry::new(key, 0, key), rehash);
        if key >= HELD && key % A_DAY == 0 {
            table.retain(|entry| entry.value() < key - HELD, |_| false, rehash);
        }
    }
    check(&table, rehash);
    let absent = HELD * 40..HELD * 40 + 20_000;
    let read: usize = absent.map(|key| lines_read(&table, hash(key))).sum();
    assert!(read < 20_000 * 5, "{read} lines for 20,000 lookups");
}

#[test]
fn shapes_grow_by_a_quarter_at_most() {
    let mut lines = next_shape(0);
    for _ in 0..60 {
        let next = next_shape(lines);
        assert!(lines < next && next * 4 <= lines * 5, "{lines} to {next}");
        assert!(capacity_of(lines) < lines * WIDTH, "a segment is never full");
        lines = next;
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Adds, or replaces what is there.
    Put {
        key: u64,
        state: u64,
        value: u64,
    },
    Find(u64),
    /// Forgets the values with this remainder.
    Forget {
        divisor: u64,
        remainder: u64,
    },
}

fn step(keys: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => (0..keys, 0..54_u64, 0..1_u64 << 63)
            .prop_map(|(key, state, value)| Step::Put { key, state, value }),
        20 => (0..keys).prop_map(Step::Find),
        1 => (1..5_u64, 0..5_u64)
            .prop_map(|(divisor, remainder)| Step::Forget { divisor, remainder }),
    ]
}

fn behaves_as_a_map(steps: &[Step], hash: impl Fn(u64) -> u64) {
    let rehash = |entry: &Entry| hash(entry.key());
    let (mut table, mut map) = (SegmentedTable::new(), BTreeMap::new());
    for step in steps {
        match *step {
            Step::Put { key, state, value } => {
                let entry = Entry::new(key, state, value);
                let known = map.insert(key, entry).is_some();
                let replaced = table.replace(hash(key), entry, |held| held.key() == key);
                assert_eq!(known, replaced);
                if !replaced {
                    table.insert(hash(key), entry, rehash);
                }
            }
            Step::Find(key) => {
                let mut places = Places::default();
                table.place(hash(key), &mut places);
                places.fetch();
                let found = table.find(hash(key), |held| held.key() == key);
                assert_eq!(found.as_ref(), map.get(&key));
            }
            Step::Forget { divisor, remainder } => {
                let keep = |entry: &Entry| entry.value() % divisor != remainder;
                table.retain(|_| true, keep, rehash);
                map.retain(|_, entry| keep(entry));
            }
        }
        assert_eq!(table.len(), map.len());
    }
    check(&table, rehash);
    let mut left = 0;
    table.retain(
        |_| true,
        |held| {
            left += 1;
            assert_eq!(map[&held.key()].value(), held.value());
            true
        },
        rehash,
    );
    assert_eq!(left, map.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_table_behaves_as_a_map(steps in prop::collection::vec(step(400), 0..1_500)) {
        behaves_as_a_map(&steps, hash);
    }

    /// All in one segment and few lines: long ways past full lines, around its end, and counts
    /// that reach their greatest value.
    #[test]
    fn a_table_behaves_as_a_map_where_hashes_collide(
        steps in prop::collection::vec(step(300), 0..1_500),
        homes in 1..9_u64,
    ) {
        behaves_as_a_map(&steps, |key| (u64::MAX / 9 * (key % homes + 1)) & !0xFFFF_FFFF);
    }
}
