//! The labelled feedback corpus: its form, the borders that a machine can check, and its counts.
//!
//! The label guide is `tests/data/feedback/README.md`. Nothing here asks the advice what it would
//! say: the labels are held against the rules and against each other alone.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Each part: its file and the letter that its ids begin with.
const PARTS: [(&str, char); 2] = [("dev", 'd'), ("heldout", 'h')];

/// The parts that are there: the held-out one is written anew whenever it has been spent.
fn parts() -> Vec<(&'static str, char)> {
    let is_there = |name: &str| folder().join(format!("{name}.jsonl")).exists();
    PARTS.into_iter().filter(|(name, _)| is_there(name)).collect()
}

fn is_held_out_there() -> bool {
    parts().len() == PARTS.len()
}

/// How many comments both parts must have together.
const COMMENTS: usize = 600;
/// How many held-out comments each rule, from 1 to 5, must find eligible.
const HELD_OUT_ELIGIBLE: [usize; 5] = [60, 60, 90, 80, 60];
/// How many comments of each language a part must have.
const OF_A_LANGUAGE: usize = 60;
/// How many obscene comments of each language a part must have.
const OBSCENE_OF_A_LANGUAGE: usize = 10;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    language: Language,
    text: String,
    facts: Facts,
    expected: Expected,
    reason: Reason,
    blockers: Vec<Blocker>,
    style: Style,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Facts {
    channel: Channel,
    shipped_on_time: Flag,
    buy_shipping: Flag,
    seller: Option<Seller>,
}

/// What is known of the seller, where a comment's label depends on it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
struct Seller {
    names: Vec<String>,
    telephones: Vec<String>,
    e_mails: Vec<String>,
    addresses: Vec<String>,
    handles: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Expected {
    rule_1: Verdict,
    rule_2: Verdict,
    rule_3: Verdict,
    rule_4: Verdict,
    rule_5: Verdict,
}

impl Expected {
    fn all(&self) -> [Verdict; 5] {
        [self.rule_1, self.rule_2, self.rule_3, self.rule_4, self.rule_5]
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Eligible,
    Uncertain,
    Not,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Language {
    En,
    De,
    Fr,
    Es,
    It,
    Pt,
    Ja,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "UPPERCASE")]
enum Channel {
    Afn,
    Mfn,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Flag {
    True,
    False,
    Unknown,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Late,
    NotReceived,
    Damaged,
    WrongItem,
    NotAsDescribed,
    Quality,
    RudeOrNoAnswer,
    ReturnOrRefund,
    Other,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Blocker {
    Delivery,
    Packing,
    Service,
    Returns,
    Description,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
enum Style {
    Plain,
    Terse,
    Rambling,
    Caps,
    Typos,
    Slang,
    Polite,
    Sarcastic,
    Mixed,
    Emoji,
    CodeMixed,
    Several,
    Hostile,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/feedback")
}

fn part(name: &str) -> Vec<Record> {
    let text = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
    let read = |(at, line)| match serde_json::from_str(line) {
        Ok(record) => record,
        Err(error) => panic!("{name}.jsonl:{}: {error}", at + 1),
    };
    text.lines().enumerate().map(read).collect()
}

fn all_parts() -> Vec<Record> {
    parts().iter().flat_map(|(name, _)| part(name)).collect()
}

/// A comment without case, spaces and punctuation; one of signs alone stays as it is.
fn normalised(text: &str) -> String {
    let letters: String =
        text.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    if letters.is_empty() { text.trim().to_owned() } else { letters }
}

/// Asserts that no record breaks a rule; `broken` says whether one does.
fn check(rule: &str, broken: impl Fn(&Record) -> bool) {
    let found: Vec<_> = all_parts().into_iter().filter(broken).map(|record| record.id).collect();
    assert!(found.is_empty(), "{rule}: {found:?}");
}

#[test]
fn ids_count_from_one_in_each_part() {
    for (name, letter) in parts() {
        for (at, record) in part(name).iter().enumerate() {
            assert_eq!(record.id, format!("{letter}-{:04}", at + 1));
        }
    }
}

#[test]
fn no_comment_is_in_both_parts() {
    let dev: BTreeSet<_> = part("dev").iter().map(|record| normalised(&record.text)).collect();
    let held_out = if is_held_out_there() { part("heldout") } else { Vec::new() };
    let in_both: Vec<_> = held_out
        .into_iter()
        .filter(|record| dev.contains(&normalised(&record.text)))
        .map(|record| record.id)
        .collect();
    assert!(in_both.is_empty(), "comments of both parts: {in_both:?}");
}

#[test]
fn a_comment_is_repeated_only_with_other_facts() {
    for (name, _) in parts() {
        let mut before: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in part(name) {
            let same = before.entry(normalised(&record.text)).or_default();
            for other in same.iter() {
                assert_ne!(other.facts, record.facts, "{} and {}", other.id, record.id);
            }
            same.push(record);
        }
    }
}

#[test]
fn rule_four_is_for_the_marketplace_s_channel_alone() {
    check("rule 4 on MFN", |record| {
        record.facts.channel == Channel::Mfn && record.expected.rule_4 != Verdict::Not
    });
}

#[test]
fn rule_five_is_for_the_seller_s_channel_with_both_flags() {
    check("rule 5 and its facts", |record| {
        let flags = [record.facts.shipped_on_time, record.facts.buy_shipping];
        let may = record.facts.channel == Channel::Mfn && !flags.contains(&Flag::False);
        match record.expected.rule_5 {
            Verdict::Eligible => !may || flags.contains(&Flag::Unknown),
            Verdict::Uncertain => !may,
            Verdict::Not => false,
        }
    });
}

#[test]
fn a_product_review_is_nothing_else() {
    check("rule 3 beside another", |record| {
        let expected = &record.expected;
        let is_only = record.blockers.is_empty()
            && [expected.rule_4, expected.rule_5] == [Verdict::Not, Verdict::Not];
        match expected.rule_3 {
            Verdict::Eligible => !is_only || record.reason != Reason::Quality,
            Verdict::Uncertain => {
                !is_only || ![Reason::Quality, Reason::Other].contains(&record.reason)
            }
            Verdict::Not => false,
        }
    });
}

#[test]
fn blockers_are_in_order_and_fit_the_reason() {
    check("blockers out of order", |record| {
        !record.blockers.windows(2).all(|pair| pair[0] < pair[1])
    });
    check("a reason without its blocker", |record| {
        let has = |blocker| record.blockers.contains(&blocker);
        match record.reason {
            Reason::Late | Reason::Damaged => !has(Blocker::Delivery),
            Reason::NotReceived => !has(Blocker::Delivery) && !has(Blocker::Service),
            Reason::WrongItem | Reason::NotAsDescribed => !has(Blocker::Description),
            Reason::RudeOrNoAnswer => !has(Blocker::Service),
            Reason::ReturnOrRefund => !has(Blocker::Returns),
            Reason::Quality | Reason::Other => false,
        }
    });
    check("a delivery rule without delivery or packing", |record| {
        let delivery = [record.expected.rule_4, record.expected.rule_5];
        delivery.contains(&Verdict::Eligible)
            && !record.blockers.contains(&Blocker::Delivery)
            && !record.blockers.contains(&Blocker::Packing)
    });
}

#[test]
fn no_address_is_a_real_one() {
    check("an e-mail address outside .example", |record| {
        record.text.split_whitespace().any(|word| {
            let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
            let domain = word.split_once('@').map(|(_, domain)| domain);
            domain.is_some_and(|domain| domain.contains('.') && !domain.ends_with(".example"))
        })
    });
}

#[test]
fn what_is_known_of_a_seller_is_never_empty() {
    check("an empty seller", |record| record.facts.seller == Some(Seller::default()));
}

#[test]
fn each_rule_and_each_language_has_enough_comments() {
    assert!(all_parts().len() >= COMMENTS);
    let held_out = if is_held_out_there() { "heldout" } else { "dev" };
    for (at, least) in HELD_OUT_ELIGIBLE.iter().enumerate() {
        let eligible =
            part(held_out).iter().filter(|r| r.expected.all()[at] == Verdict::Eligible).count();
        assert!(eligible >= *least, "rule {}: {eligible} eligible", at + 1);
    }
    for (name, _) in parts() {
        let mut all: BTreeMap<Language, usize> = BTreeMap::new();
        let mut obscene: BTreeMap<Language, usize> = BTreeMap::new();
        for record in part(name) {
            *all.entry(record.language).or_default() += 1;
            if record.expected.rule_1 == Verdict::Eligible {
                *obscene.entry(record.language).or_default() += 1;
            }
        }
        assert_eq!((all.len(), obscene.len()), (7, 7), "languages of {name}");
        assert!(all.values().all(|count| *count >= OF_A_LANGUAGE), "{name}: {all:?}");
        assert!(obscene.values().all(|count| *count >= OBSCENE_OF_A_LANGUAGE), "{obscene:?}");
    }
}

/// The word of a closed set, as the files write it.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// A table of the README: a row for each word, of some comments.
fn table(
    of: &[Record],
    head: &str,
    columns: usize,
    cells: impl Fn(&Record) -> Vec<(String, usize)>,
) -> String {
    let mut counts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (key, column) in of.iter().flat_map(&cells) {
        counts.entry(key).or_insert_with(|| vec![0; columns])[column] += 1;
    }
    let line = |(key, row): (&String, &Vec<usize>)| {
        let row: Vec<_> = row.iter().map(usize::to_string).collect();
        format!("| {key} | {} |", row.join(" | "))
    };
    let rule = "|---".repeat(1 + columns);
    let lines: Vec<_> = counts.iter().map(line).collect();
    format!("{head}\n{rule}|\n{}\n", lines.join("\n"))
}

/// The tables of a part that the README must hold.
fn tables(of: &[Record]) -> [String; 6] {
    let verdict = |verdict| match verdict {
        Verdict::Eligible => 0,
        Verdict::Uncertain => 1,
        Verdict::Not => 2,
    };
    let verdicts = |record: &Record| {
        let rules = (1..).zip(record.expected.all());
        rules.map(|(rule, found): (u8, _)| (rule.to_string(), verdict(found))).collect()
    };
    let eligible = |record: &Record| {
        let rules = record.expected.all().into_iter().enumerate();
        let eligible = rules.filter(|(_, verdict)| *verdict == Verdict::Eligible);
        eligible.map(|(at, _)| (word(record.language), at)).collect()
    };
    [
        table(of, "| rule | eligible | uncertain | not |", 3, verdicts),
        table(of, "| language | comments |", 1, |record| vec![(word(record.language), 0)]),
        table(of, "| eligible under | 1 | 2 | 3 | 4 | 5 |", 5, eligible),
        table(of, "| reason | comments |", 1, |record| vec![(word(record.reason), 0)]),
        table(of, "| blocker | comments |", 1, |record| {
            record.blockers.iter().map(|blocker| (word(blocker), 0)).collect()
        }),
        table(of, "| style | comments |", 1, |record| vec![(word(record.style), 0)]),
    ]
}

#[test]
fn the_readme_s_counts_are_those_of_the_files() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let all = parts().into_iter().flat_map(|(name, _)| tables(&part(name)));
    let absent: Vec<_> = all.filter(|table| !readme.contains(table.as_str())).collect();
    assert!(
        absent.is_empty(),
        "put these tables into tests/data/feedback/README.md:\n\n{}",
        absent.join("\n")
    );
    let comments = all_parts().len();
    assert!(
        readme.contains(&format!("{comments} comments")),
        "the README has other than {comments}"
    );
}
