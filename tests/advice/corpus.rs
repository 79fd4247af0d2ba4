//! The labelled comments: how they are read, and how verdicts on them are counted.
//!
//! Used by the tests and by the examples that train and evaluate. `tests/data/feedback/README.md`
//! says how the comments were written and labelled.

#![allow(dead_code, reason = "each of those who include this file uses a part of it")]

use odrwatch::advice::model::{BUCKETS, Head, Model};
use odrwatch::advice::{Decision, Facts, Profile, Reason, Rule, judge, training_features};
use odrwatch::domain::event::Channel;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

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

    /// Whether the entire comment is about what a head of the model asks; none where the label
    /// leaves it open.
    fn is_about(&self, head: Head) -> Option<bool> {
        match head {
            Head::Product => match self.expected(Rule::ProductReview) {
                Decision::Eligible => Some(true),
                Decision::Not => Some(false),
                Decision::Uncertain => None,
            },
            // Where the facts hold, the label says it; elsewhere, what else it speaks of.
            Head::Delivery if self.facts.channel == "AFN" => {
                match self.expected(Rule::FulfilledByAmazon) {
                    Decision::Eligible => Some(true),
                    Decision::Not => Some(false),
                    Decision::Uncertain => None,
                }
            }
            Head::Delivery => {
                let is_delivery = |topic: &String| topic == "delivery" || topic == "packing";
                let only = self.blockers.iter().all(is_delivery);
                let is_product = self.reason() == Reason::Quality;
                Some(!self.blockers.is_empty() && only && !is_product)
            }
            Head::Delay => {
                let is_late = matches!(self.reason(), Reason::Late | Reason::NotReceived);
                match self.expected(Rule::BuyShipping) {
                    Decision::Eligible => Some(true),
                    _ => Some(is_late && self.blockers == ["delivery"]),
                }
            }
        }
    }
}

/// Reads a file of labelled comments.
pub fn read_rows(path: &str) -> Vec<Row> {
    let file = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let rows = file.lines().enumerate().map(|(at, line)| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}:{}: {error}", at + 1))
    });
    rows.collect()
}

/// What the weights are multiplied with before they become whole numbers.
const SCALE: i64 = 32;

/// A score must be right by so much, or weights are moved.
const MARGIN: i64 = 8;

const EPOCHS: u64 = 24;

/// Trains a model: an averaged perceptron with a margin, in whole numbers, in an order that
/// follows from the rows' names. The lines of `model.txt`.
pub fn train(rows: &[Row]) -> String {
    let features: Vec<Vec<usize>> = rows.iter().map(|row| training_features(&row.text)).collect();
    let [product, delivery, delay] = Head::ALL.map(|head| column(rows, &features, head));
    let mut lines = String::new();
    let weights = product.iter().zip(&delivery).zip(&delay).enumerate();
    for (bucket, ((product, delivery), delay)) in weights {
        if [product, delivery, delay] != [&0; 3] {
            lines.push_str(&format!("{bucket} {product} {delivery} {delay}\n"));
        }
    }
    lines
}

fn column(rows: &[Row], features: &[Vec<usize>], head: Head) -> Vec<i64> {
    let mut weights = vec![0_i64; BUCKETS];
    let mut sums = vec![0_i64; BUCKETS];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut step = 1;
    for epoch in 0..EPOCHS {
        order.sort_by_key(|at| (xxh3_64_with_seed(rows[*at].id.as_bytes(), epoch), *at));
        for at in &order {
            let Some(is_about) = rows[*at].is_about(head) else { continue };
            let sign = if is_about { 1 } else { -1 };
            let score: i64 = features[*at].iter().map(|bucket| weights[*bucket]).sum();
            if sign * score <= MARGIN {
                for bucket in &features[*at] {
                    weights[*bucket] += sign;
                    sums[*bucket] += sign * step;
                }
            }
            step += 1;
        }
    }
    let average = |(weight, sum): (&i64, &i64)| SCALE * (weight * step - sum) / step;
    weights.iter().zip(&sums).map(average).collect()
}

/// Counts by label (outer) and verdict (inner), both in the order of [`Decision::ALL`].
pub type Table = [[usize; 3]; 3];

/// Verdicts on labelled comments, counted.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By rule.
    pub rules: [Table; 5],
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

/// Judges each labelled comment with a model that was trained on the other folds.
pub fn count_folds(rows: &[Row], folds: usize, counts: &mut Counts) {
    for fold in 0..folds {
        let part = |mine: bool| -> Vec<Row> {
            let numbered = rows.iter().enumerate();
            let chosen = numbered.filter(|(at, _)| (at % folds == fold) == mine);
            chosen.map(|(_, row)| row.clone()).collect()
        };
        let model = Model::read(&train(&part(false))).expect("training makes models");
        count(&part(true), &model, counts);
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
