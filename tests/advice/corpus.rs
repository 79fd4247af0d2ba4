//! The labelled comments: how they are read, and how verdicts on them are counted.
//!
//! Used by the tests and by the examples that train and evaluate. `tests/data/feedback/README.md`
//! says how the comments were written and labelled.

#![allow(dead_code, reason = "each of those who include this file uses a part of it")]

use std::collections::BTreeMap;

use odrwatch::advice::model::Model;
use odrwatch::advice::{Decision, Facts, Language, Profile, Reason, Rule, judge};
use odrwatch::domain::event::Channel;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::train::train;

/// A labelled comment.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// The code of its language.
    pub language: String,
    /// The comment.
    pub text: String,
    /// What is known of the order and the seller.
    pub facts: RowFacts,
    /// The labels of the five rules.
    pub expected: Expected,
    /// The reason category.
    pub reason: String,
    /// What else than the product it speaks of.
    pub blockers: Vec<String>,
}

/// What is known of the order and the seller.
#[derive(Clone, Debug, Deserialize)]
pub struct RowFacts {
    channel: String,
    shipped_on_time: String,
    buy_shipping: String,
    #[serde(default)]
    seller: Seller,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Seller {
    names: Vec<String>,
    e_mails: Vec<String>,
    telephones: Vec<String>,
    addresses: Vec<String>,
    handles: Vec<String>,
}

/// The labels of the five rules.
#[derive(Clone, Debug, Deserialize)]
pub struct Expected {
    rule_1: String,
    rule_2: String,
    rule_3: String,
    rule_4: String,
    rule_5: String,
}

impl Row {
    /// The label of a rule.
    pub fn expected(&self, rule: Rule) -> Decision {
        let expected = &self.expected;
        let label = match rule {
            Rule::Obscene => &expected.rule_1,
            Rule::PersonalData => &expected.rule_2,
            Rule::ProductReview => &expected.rule_3,
            Rule::FulfilledByAmazon => &expected.rule_4,
            Rule::BuyShipping => &expected.rule_5,
        };
        let found = Decision::ALL.into_iter().find(|decision| decision.as_str() == *label);
        found.unwrap_or_else(|| panic!("{}: no decision {label}", self.id))
    }

    /// The reason category.
    pub fn reason(&self) -> Reason {
        let found = Reason::ALL.into_iter().find(|reason| reason.as_str() == self.reason);
        found.unwrap_or_else(|| panic!("{}: no reason {}", self.id, self.reason))
    }

    /// What is known of the order.
    pub fn facts(&self) -> Facts {
        let flag = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            "unknown" => None,
            other => panic!("{}: no flag {other}", self.id),
        };
        Facts {
            channel: match self.facts.channel.as_str() {
                "MFN" => Some(Channel::Mfn),
                "AFN" => Some(Channel::Afn),
                "unknown" => None,
                other => panic!("{}: no channel {other}", self.id),
            },
            buy_shipping: flag(&self.facts.buy_shipping),
            shipped_on_time: flag(&self.facts.shipped_on_time),
        }
    }

    /// What is known of the seller.
    pub fn profile(&self) -> Profile {
        let seller = self.facts.seller.clone();
        Profile {
            names: seller.names,
            e_mails: seller.e_mails,
            telephones: seller.telephones,
            addresses: seller.addresses,
            handles: seller.handles,
        }
    }

    /// Whether rules 3 to 5 would find the comment eligible for an order of which every fact
    /// speaks for them; none where the label, which knows other facts, does not tell.
    pub fn whatever_the_order(&self) -> [Option<bool>; 3] {
        let is_eligible = |rule| self.expected(rule) == Decision::Eligible;
        let is_late = matches!(self.reason(), Reason::Late | Reason::NotReceived);
        let is_delay = is_late && self.blockers == ["delivery"];
        let is_way = |blocker: &String| blocker == "delivery" || blocker == "packing";
        let is_on_way = !self.blockers.is_empty() && self.blockers.iter().all(is_way);
        let facts = self.facts();
        let by_marketplace = facts.channel == Some(Channel::Afn);
        let is_known = facts.buy_shipping == Some(true) && facts.shipped_on_time == Some(true);
        let tell = |is_so: bool| if is_so { Some(true) } else { None };
        let fourth = if by_marketplace || is_eligible(Rule::BuyShipping) {
            Some(is_eligible(Rule::FulfilledByAmazon) || is_eligible(Rule::BuyShipping))
        } else if is_on_way && self.reason() != Reason::Quality {
            tell(is_delay && !is_known)
        } else {
            Some(false)
        };
        let fifth = if !by_marketplace && is_known {
            Some(is_eligible(Rule::BuyShipping))
        } else if by_marketplace && is_eligible(Rule::FulfilledByAmazon) {
            tell(is_delay)
        } else if !by_marketplace && is_delay {
            tell(self.expected(Rule::BuyShipping) == Decision::Uncertain)
        } else {
            Some(false)
        };
        [Some(is_eligible(Rule::ProductReview)), fourth, fifth]
    }
}

/// A clause with its topic.
#[derive(Clone, Debug)]
pub struct Phrase {
    /// Its language and line.
    pub id: String,
    /// The code of its language.
    pub language: String,
    /// The name of the section that it is in.
    pub topic: String,
    /// The clause.
    pub text: String,
}

/// Reads the labelled phrases of all languages.
pub fn read_phrases(folder: &str) -> Vec<Phrase> {
    let mut phrases = Vec::new();
    for language in Language::ALL.map(Language::as_str) {
        let path = format!("{folder}/{language}.txt");
        let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut topic = String::new();
        for (number, line) in (1..).zip(file.lines()).filter(|(_, line)| !line.is_empty()) {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                name.clone_into(&mut topic);
                continue;
            }
            phrases.push(Phrase {
                id: format!("{language}-{number}"),
                language: language.to_owned(),
                topic: topic.clone(),
                text: line.to_owned(),
            });
        }
    }
    phrases
}

/// Reads a file of labelled comments.
pub fn read_rows(path: &str) -> Vec<Row> {
    let file = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows = file.lines().enumerate().map(|(at, line)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}:{}: {error}", at + 1))
    });
    rows.collect()
}

/// The model that the program has.
pub fn model() -> Model {
    let weights: &'static [u8] = include_bytes!("../../src/advice/model.bin");
    let verdicts = include_str!("../../src/advice/verdicts.txt");
    Model::new(weights, verdicts).expect("what was trained is a model")
}

/// The fold of each comment. Near-duplicates, which share most of their letters four by four, are
/// in the same one, so that nothing is measured that was as good as learnt.
pub fn folds(rows: &[Row], folds: usize) -> Vec<usize> {
    let shingles: Vec<Vec<u64>> = rows.iter().map(|row| shingles(&row.text)).collect();
    let mut group: Vec<usize> = (0..rows.len()).collect();
    for one in 0..rows.len() {
        for other in one + 1..rows.len() {
            let may_be = rows[one].language == rows[other].language;
            if may_be && are_near(&shingles[one], &shingles[other]) {
                let (from, to) = (group[other].max(group[one]), group[other].min(group[one]));
                group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
    }
    let count = u64::try_from(folds).expect("few");
    let fold = |group: &usize| xxh3_64_with_seed(rows[*group].id.as_bytes(), 11) % count;
    group.iter().map(|group| usize::try_from(fold(group)).expect("few")).collect()
}

fn shingles(text: &str) -> Vec<u64> {
    let letters: Vec<char> =
        text.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    let length = if letters.iter().all(char::is_ascii) { 4 } else { 3 };
    let mut shingles: Vec<u64> = letters
        .windows(length)
        .map(|letters| xxh3_64_with_seed(String::from_iter(letters).as_bytes(), 0))
        .collect();
    shingles.sort_unstable();
    shingles.dedup();
    shingles
}

/// Whether two share half of what both have.
fn are_near(one: &[u64], other: &[u64]) -> bool {
    let (few, many) = (one.len().min(other.len()), one.len().max(other.len()));
    if few == 0 || 2 * few < many {
        return false;
    }
    let shared = one.iter().filter(|shingle| other.binary_search(shingle).is_ok()).count();
    2 * shared >= one.len() + other.len() - shared
}

/// Counts by label (outer) and verdict (inner), both in the order of [`Decision::ALL`].
pub type Table = [[usize; 3]; 3];

/// Verdicts on labelled comments, counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By rule.
    pub rules: [Table; 5],
    /// By rule, of each language.
    pub languages: BTreeMap<String, [Table; 5]>,
    /// Comments whose reason is as labelled, and all.
    pub reasons: (usize, usize),
    /// What was not as labelled.
    pub wrong: Vec<String>,
}

/// Judges labelled comments with a model.
pub fn count(rows: &[Row], model: &Model, counts: &mut Counts) {
    for row in rows {
        let verdicts = judge(&row.text, &row.profile(), model).decide(row.facts());
        for rule in Rule::ALL {
            let (label, verdict) = (row.expected(rule), verdicts.of(rule).decision);
            counts.rules[rule.index()][place(label)][place(verdict)] += 1;
            let of_language = counts.languages.entry(row.language.clone()).or_default();
            of_language[rule.index()][place(label)][place(verdict)] += 1;
            if label != verdict {
                counts.wrong.push(format!(
                    "{} {} {} -> {}: {:?}\n    {:?}",
                    rule.as_str(),
                    row.id,
                    label.as_str(),
                    verdict.as_str(),
                    row.text,
                    verdicts.of(rule).blockers.iter().map(|b| b.kind.as_str()).collect::<Vec<_>>()
                ));
            }
        }
        counts.reasons.1 += 1;
        counts.reasons.0 += usize::from(verdicts.reason == row.reason());
        if verdicts.reason != row.reason() {
            let (told, found) = (row.reason().as_str(), verdicts.reason.as_str());
            counts.wrong.push(format!("reason {} {told} -> {found}: {:?}", row.id, row.text));
        }
    }
}

/// Judges the comments of so many of the folds, each with a model that was trained on the others.
pub fn count_folds(
    rows: &[Row],
    phrases: &[Phrase],
    (counted, all): (usize, usize),
    counts: &mut Counts,
) {
    let folds = folds(rows, all);
    for fold in 0..counted {
        let part = |mine: bool| -> Vec<Row> {
            let of = rows.iter().zip(&folds).filter(|(_, of)| (**of == fold) == mine);
            of.map(|(row, _)| row.clone()).collect()
        };
        count(&part(true), &train(&part(false), phrases).model(), counts);
    }
}

fn place(decision: Decision) -> usize {
    Decision::ALL.iter().position(|other| *other == decision).expect("ALL lists them all")
}

/// Of the comments judged eligible, how many are, in thousandths.
pub fn precision(table: &Table) -> usize {
    let judged: usize = table.iter().map(|row| row[2]).sum();
    (1000 * table[2][2]).checked_div(judged).unwrap_or(1000)
}

/// Of the eligible comments, how many are judged so, in thousandths.
pub fn recall(table: &Table) -> usize {
    let labelled: usize = table[2].iter().sum();
    (1000 * table[2][2]).checked_div(labelled).unwrap_or(1000)
}
