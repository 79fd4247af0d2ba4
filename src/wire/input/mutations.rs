//! The comparison of the two decoders on mutated records and on random bytes.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::field::Field;
use super::field::tests::{ALL, SECOND};
use super::tests::{NOW_MS, decode_with, limits, sample};
use crate::domain::event::{DeadReason, Topic};

/// Values that are put into fields, good and bad.
const VALUES: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "5",
    "6",
    "-1",
    "1.0",
    "1e400",
    "{}",
    "[]",
    "\"\"",
    "{\"a\":[1,{\"b\":\"\\ud800\"}]}",
    "\"2026-02-27T08:00:00.123Z\"",
    "\"MFN\"",
    "\"Amazon\"",
    "\"2026-03-01t12:34:55+00:15\"",
    "\"2026-02-29T00:00:00Z\"",
    "\"1999-12-31T23:59:59Z\"",
    "\"Shipped\"",
    "\"Cancelled\"",
    "\"posted\"",
    "\"granted\"",
    "\"lost\"",
    "\"seller\"",
    "\"fraud\"",
    "\"A-1\"",
    "\"302-1234567-7654321\"",
    "\"\\u0041\\/\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"2027-01-01T00:00:00Z\"",
    "\"\u{e9}\\n\"",
];

/// Times around the limits of both kinds, put into the two fields that are compared.
const TIMES: [&str; 6] = [
    "\"1999-12-31T23:59:59.999Z\"",
    "\"2000-01-01T00:00:00.000Z\"",
    "\"2026-03-01T13:34:56Z\"",
    "\"2026-03-01T13:34:56.001Z\"",
    "\"2026-03-02T12:34:55Z\"",
    "\"2026-03-02T12:34:55.001Z\"",
];

/// Bytes that are put anywhere.
const PIECES: [&str; 24] = [
    "\"",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "0",
    "-",
    "e",
    ".",
    "\u{0}",
    "\u{1f}",
    "\u{e9}",
    "null",
    "\\u",
    "\\ud800",
    "\"rating\":1,",
    "\"status\":\"lost\",",
    "u",
    "\u{feff}",
];

/// An edit: where, how many bytes go, and which piece comes.
type Edit = (prop::sample::Index, usize, &'static str);

fn record() -> impl Strategy<Value = (Topic, Vec<u8>)> {
    let any_member = (0..ALL.len() + SECOND.len() + 3, select(&VALUES[..]), 0..8_u8);
    let compared = select(vec![Field::EventTime.index(), Field::PurchaseDate.index()]);
    let time_member = (compared, select(&TIMES[..]), 1..2_u8);
    let member = prop_oneof![2 => any_member, 1 => time_member];
    let members = prop::collection::vec(member, 0..4);
    let edit = (any::<prop::sample::Index>(), 0..3_usize, select(&PIECES[..]));
    let edits = prop_oneof![3 => Just(Vec::new()), 2 => prop::collection::vec(edit, 1..3)];
    (select(&Topic::ALL[..]), members, edits, any::<bool>(), 0..6_u8).prop_map(
        |(topic, members, edits, is_spaced, empty)| {
            let mut text = sample(topic).to_owned();
            if empty == 0 {
                text = "{\"x\":0}".to_owned();
            }
            for (name, value, style) in members {
                text = with_member(topic, &text, name, value, style);
            }
            if is_spaced {
                text = text.replace("\":", "\" : ").replace(",\"", " ,\t\"");
            }
            (topic, edited(text.into_bytes(), edits))
        },
    )
}

/// Sets a member, in place of one with the same name in most styles.
fn with_member(topic: Topic, text: &str, name: usize, value: &str, style: u8) -> String {
    let name = match name.checked_sub(ALL.len()) {
        None => ALL[name].as_str(),
        Some(second) => SECOND.get(second).map_or("other", |(name, _)| name),
    };
    let member = match style {
        0 => format!("\"\\u{:04x}{}\":{value}", name.as_bytes()[0], &name[1..]),
        _ => format!("\"{name}\":{value}"),
    };
    let found = ALL.iter().find(|field| field.as_str() == name && field.is_on(topic));
    if let (Some(_), 1..) = (found, style)
        && let Some(start) = text.find(&format!("\"{name}\":"))
        && let Some(length) = text[start..].find([',', '}'])
    {
        return format!("{}{member}{}", &text[..start], &text[start + length..]);
    }
    let mut text = text.replacen('}', ",", 1);
    write!(text, "{member}}}").unwrap();
    text
}

fn edited(mut bytes: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for (place, length, piece) in edits {
        if bytes.is_empty() {
            break;
        }
        let start = place.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, piece.bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn both_decoders_agree_on_mutated_records((topic, value) in record(), is_timed in 0..9_u8) {
        let time = (is_timed > 0).then_some(NOW_MS);
        let _ = decode_with(topic, &value, time, &limits());
    }

    #[test]
    fn random_bytes_never_panic(
        topic in select(&Topic::ALL[..]),
        value in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = decode_with(topic, &value, Some(NOW_MS), &limits());
    }
}

#[test]
fn the_mutated_records_reach_events_and_most_reasons() {
    let mut runner = TestRunner::deterministic();
    let mut reached = [0_u32; 10];
    for _ in 0..5000 {
        let (topic, value) = record().new_tree(&mut runner).unwrap().current();
        match decode_with(topic, &value, Some(NOW_MS), &limits()) {
            Ok(_) => reached[9] += 1,
            Err(cause) => reached[cause.reason().index()] += 1,
        }
    }
    for reason in [
        DeadReason::Parse,
        DeadReason::DuplicateKey,
        DeadReason::MissingField,
        DeadReason::BadValue,
        DeadReason::BadTime,
        DeadReason::PurchaseInFuture,
    ] {
        assert!(reached[reason.index()] > 10, "{reason:?} {reached:?}");
    }
    assert!(reached[9] > 500, "{reached:?}");
}
