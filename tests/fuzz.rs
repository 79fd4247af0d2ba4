//! The fuzz targets of `fuzz/`, on stable: over their corpus, and over seeded mutations of it.
//!
//! cargo-fuzz finds more in an hour (CONTRIBUTING.md says how), and so do more rounds here; what
//! they find is kept in `fuzz/corpus`, and so is run for ever.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

#[path = "../fuzz/src/targets.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use odrwatch::sim::random::Random;

/// Pieces that mutations put in: what parsers stumble over.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"null",
    b"-1",
    b"0",
    b"9223372036854775808",
    b"1e400",
    b"2026-02-30T24:00:00Z",
    "\u{202e}".as_bytes(),
    "👩\u{200d}🔧".as_bytes(),
    b"\xff\xff\xff\xff",
    b"\x01\x00\x00\x00",
];

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

/// Some changes of one input, sometimes with pieces of another.
fn mutated(bytes: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.index(bytes.len() + 1);
        let rest = bytes.len() - at;
        let length = random.index(rest.min(16) + 1);
        let kind = if bytes.is_empty() { 0 } else { random.below(8) };
        match kind {
            0 => drop(bytes.splice(at..at, random.pick(&PIECES).iter().copied())),
            1 => drop(bytes.splice(at..at + length, random.pick(&PIECES).iter().copied())),
            2 => drop(bytes.drain(at..at + length)),
            3 => bytes.truncate(at),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            5 => {
                let from = random.index(other.len() + 1);
                let to = other.len().min(from + random.index(65));
                drop(bytes.splice(at..at, other[from..to].iter().copied()));
            }
            6 => {
                let at = random.index(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            _ => {
                let at = random.index(bytes.len());
                bytes[at] = u8::try_from(random.below(256)).unwrap();
            }
        }
    }
    bytes
}

/// How many times as many mutations are made: `ODRWATCH_FUZZ_ROUNDS`, or one.
fn rounds() -> u64 {
    let asked = std::env::vars_os().find(|(name, _)| name == "ODRWATCH_FUZZ_ROUNDS");
    asked.map_or(1, |(_, rounds)| rounds.to_str().unwrap().parse().unwrap())
}

/// Runs a target over its corpus and over so many mutations of it.
fn check(target: &str, run: fn(&[u8]), mutations: u64) {
    let corpus = corpus(target);
    assert!(corpus.len() >= 3, "the corpus of {target} is there");
    for (path, bytes) in &corpus {
        run_one(target, run, bytes, &format!("{}", path.display()));
    }
    for seed in 1..=mutations * rounds() {
        let mut random = Random::new(seed);
        let (path, bytes) = random.pick(&corpus);
        let (_, other) = random.pick(&corpus);
        let bytes = mutated(bytes, other, &mut random);
        run_one(target, run, &bytes, &format!("seed {seed}, from {}", path.display()));
    }
}

fn run_one(target: &str, run: fn(&[u8]), bytes: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| run(bytes))).is_err() {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
        fs::write(&kept, bytes).unwrap();
        let kept = kept.display();
        panic!("{target}: {what}; the input is {kept}: put it into fuzz/corpus/{target}");
    }
}

#[test]
fn records_are_events_or_have_a_reason() {
    check("record", targets::record, 20_000);
}

#[test]
fn snapshots_are_whole_or_refused() {
    check("snapshot", targets::snapshot, 3_000);
}

#[test]
fn configurations_are_taken_or_have_mistakes() {
    check("configuration", targets::configuration, 400);
}

#[test]
fn lines_are_replayed_or_refused() {
    check("replay", targets::replay, 2_000);
}

#[test]
fn comments_are_judged_and_quoted_whatever_they_are() {
    check("advice", targets::advice, 3_000);
}

#[test]
fn the_snapshots_of_the_corpus_are_whole_and_one_has_nothing_packed() {
    // Mutations of packed blocks seldom unpack: the plain one lets them through to the state.
    let corpus = corpus("snapshot");
    let of = |name: &str| &corpus.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let plain = unpacked(of("golden-v1"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/snapshot/plain-v1");
    if std::env::vars_os().any(|(name, value)| name == "UPDATE_GOLDEN" && value == "1") {
        fs::write(&path, &plain).unwrap();
    }
    assert_eq!(&fs::read(path).unwrap_or_default(), &plain);
    for snapshot in [of("golden-v1"), &plain] {
        assert!(targets::is_whole(snapshot));
        assert_eq!(&targets::resealed(snapshot), snapshot);
    }
}

/// A snapshot with its blocks as they were before they were packed.
fn unpacked(snapshot: &[u8]) -> Vec<u8> {
    const SUM: usize = 16;
    let length = |at: usize| {
        let bytes: [u8; 4] = snapshot[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(bytes)).unwrap()
    };
    let mut at = 14 + length(10) + SUM;
    let mut out = snapshot[..at].to_vec();
    while snapshot[at] != 0 {
        let (whole, stored) = (length(at + 2), length(at + 6));
        let bytes = &snapshot[at + 10..at + 10 + stored];
        let plain = match snapshot[at + 1] {
            0 => bytes.to_vec(),
            _ => zstd::bulk::decompress(bytes, whole).unwrap(),
        };
        let size = u32::try_from(plain.len()).unwrap().to_le_bytes();
        out.extend([snapshot[at], 0]);
        out.extend(size.iter().chain(&size));
        out.extend(plain);
        out.extend([0; SUM]);
        at += 10 + stored + SUM;
    }
    out.extend(&snapshot[at..]);
    targets::resealed(&out)
}
