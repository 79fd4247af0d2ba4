//! How the model is trained: support vector machines in plain arithmetic, in an order that follows
//! from names, so that the same files give the same model byte for byte.
//!
//! ```text
//! comments and phrases -> features of clauses -> weights of heads (model.bin)
//! comments, with heads that were trained without them -> signs
//!                                                     -> weights of rules (verdicts.txt)
//! ```
//!
//! Sums, products and roots of IEEE numbers are the same on every machine; nothing else is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use odrwatch::advice::model::{BUCKETS, HEADS, Head, Model, UNIT};
use odrwatch::advice::weigh::{SIGNS, names};
use odrwatch::advice::{Decision, Lesson, Profile, Reason, Rule, lesson};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::corpus::{Phrase, Row};

/// What training makes.
pub struct Trained {
    /// `model.bin`.
    pub weights: Vec<u8>,
    /// `verdicts.txt`, without its first line.
    pub verdicts: String,
}

impl Trained {
    /// The model of it.
    pub fn model(&self) -> Model {
        Model::new(self.weights.clone(), &self.verdicts).expect("training makes models")
    }
}

/// Comments are parted into so many folds for the second step.
const FOLDS: usize = 5;

/// What a mistake costs, against large weights.
const HEAD_COST: f64 = 1.0;
const RULE_COST: f64 = 0.3;
/// Phrases count less than comments in the second step.
const PHRASE_COST: f64 = 0.02;
const EPOCHS: u64 = 12;
/// So many pairs of phrases are made comments of two clauses.
const PAIRS: usize = 2000;
/// From what sum on this many of a thousand comments are eligible, the rule takes it so.
const PRECISION: usize = 970;

/// Something to learn from.
struct Example {
    name: String,
    fold: usize,
    text: String,
    profile: Profile,
    /// By [`Head::index`].
    heads: [Option<bool>; HEADS],
    /// Of rules 3 to 5, whatever is known of the order.
    rules: [Option<bool>; 3],
    is_comment: bool,
}

/// Trains on comments and phrases.
pub fn train(rows: &[Row], phrases: &[Phrase]) -> Trained {
    let folds = super::corpus::folds(rows, FOLDS);
    let mut examples: Vec<Example> =
        rows.iter().zip(folds).map(|(row, fold)| of_row(row, fold)).collect();
    examples.extend(phrases.iter().map(of_phrase));
    let singles = examples.len();
    examples.extend(pairs(phrases));
    let nothing = Model::new(vec![0; BUCKETS * HEADS], "").expect("nothing is a model");
    let lessons: Vec<Lesson> = examples[..singles]
        .iter()
        .map(|example| lesson(&example.text, &example.profile, &nothing))
        .collect();
    let taught = &examples[..singles];
    let mut signs: Vec<Vec<usize>> = vec![Vec::new(); examples.len()];
    let mut may: Vec<[bool; 3]> = vec![[false; 3]; examples.len()];
    for fold in 0..FOLDS {
        let weights = heads(taught, &lessons, |example| example.fold != fold);
        let model = Model::new(weights, "").expect("weights are a model");
        for (at, example) in examples.iter().enumerate().filter(|(_, of)| of.fold == fold) {
            let found = lesson(&example.text, &example.profile, &model);
            (signs[at], may[at]) = (found.signs, found.may_be_eligible);
        }
    }
    Trained { weights: heads(taught, &lessons, |_| true), verdicts: rules(&examples, &signs, &may) }
}

fn of_row(row: &Row, fold: usize) -> Example {
    let has = |blocker: &str| row.blockers.iter().any(|other| other == blocker);
    let reason = row.reason();
    let is_delay = matches!(reason, Reason::Late | Reason::NotReceived);
    let is_damage = reason == Reason::Damaged;
    let is_cost = reason == Reason::Other
        && row.blockers == ["delivery"]
        && row.expected(Rule::FulfilledByAmazon) == Decision::Uncertain;
    let is_product =
        reason == Reason::Quality || row.expected(Rule::ProductReview) == Decision::Eligible;
    let heads = Head::ALL.map(|head| {
        Some(match head {
            Head::Product => is_product,
            Head::Delay => is_delay,
            Head::Way => has("packing") || (has("delivery") && !is_delay && !is_damage && !is_cost),
            Head::Damage => is_damage,
            Head::Service => has("service"),
            Head::Returns => has("returns") || reason == Reason::Return || is_cost,
            Head::Offer => has("description"),
            Head::Aside => reason == Reason::Other && row.blockers.is_empty(),
        })
    });
    Example {
        name: row.id.clone(),
        fold,
        text: row.text.clone(),
        profile: row.profile(),
        heads,
        rules: row.whatever_the_order(),
        is_comment: true,
    }
}

/// What the label guide says of a comment of these topics, for rules 3 to 5.
fn guide(topics: &[&str]) -> [Option<bool>; 3] {
    let only = |of: &[&str]| topics.iter().all(|topic| of.contains(topic));
    let any = |of: &[&str]| topics.iter().any(|topic| of.contains(topic));
    let way = ["late", "not_received", "courier", "packing", "transit"];
    let is_way = any(&way)
        && only(&[
            "late",
            "not_received",
            "courier",
            "packing",
            "transit",
            "neutral",
            "seller",
            "market",
        ]);
    // Damage is eligible beside a named cause.
    let cause = ["packing", "transit"];
    let is_caused = any(&cause) && only(&["damage", "packing", "transit", "neutral"]);
    let is_open = any(&["damage"]) && any(&["courier", "packing", "transit"]) && !is_caused;
    [
        Some(any(&["product"]) && only(&["product", "neutral"])),
        if is_open { None } else { Some(is_way || is_caused) },
        Some(
            any(&["late", "not_received"]) && only(&["late", "not_received", "neutral", "seller"]),
        ),
    ]
}

fn of_phrase(phrase: &Phrase) -> Example {
    let topics: Vec<&str> = phrase.topic.split(' ').collect();
    let of: Vec<Head> =
        topics.iter().flat_map(|topic| heads_of(topic, &phrase.id)).copied().collect();
    Example {
        name: phrase.id.clone(),
        fold: fold_of(&phrase.id),
        text: phrase.text.clone(),
        profile: Profile::default(),
        heads: Head::ALL.map(|head| Some(of.contains(&head))),
        rules: guide(&topics),
        is_comment: false,
    }
}

fn heads_of(topic: &str, id: &str) -> &'static [Head] {
    match topic {
        "product" => &[Head::Product],
        "late" | "not_received" => &[Head::Delay],
        "courier" | "packing" => &[Head::Way],
        "transit" => &[Head::Way, Head::Damage],
        "damage" => &[Head::Damage],
        "service" | "market" => &[Head::Service],
        "returns" | "bare_return" | "cost" => &[Head::Returns],
        "description" | "wrong" => &[Head::Offer],
        "neutral" | "seller" => &[Head::Aside],
        other => panic!("{id}: no topic {other}"),
    }
}

fn fold_of(name: &str) -> usize {
    usize::try_from(hash(name, 7) % u64::try_from(FOLDS).expect("small")).expect("small")
}

fn hash(name: &str, seed: u64) -> u64 {
    xxh3_64_with_seed(name.as_bytes(), seed)
}

/// Comments of two phrases of the same language and fold.
fn pairs(phrases: &[Phrase]) -> Vec<Example> {
    let mut groups: BTreeMap<(&str, usize), Vec<&Phrase>> = BTreeMap::new();
    for phrase in phrases.iter().filter(|phrase| !phrase.topic.contains(' ')) {
        groups.entry((&phrase.language, fold_of(&phrase.id))).or_default().push(phrase);
    }
    let mut pairs = Vec::new();
    for ((language, fold), group) in groups {
        let count = PAIRS * group.len() / phrases.len().max(1);
        for number in 0..count {
            let pick = |seed: u64| {
                let hash = hash(&format!("{language} {fold} {number}"), seed);
                hash % u64::try_from(group.len()).expect("small")
            };
            let of = |seed: u64| group[usize::try_from(pick(seed)).expect("small")];
            let (one, other) = (of(1), of(2));
            let join = match (hash(&one.id, pick(3)) % 3, language) {
                (0, "ja") => "、",
                (1, "ja") => "。",
                (2, "ja") => "し、",
                (0, _) => ", ",
                (1, _) => ". ",
                (_, "de") => " und ",
                (_, "fr") => " et ",
                (_, "es") => " y ",
                (_, "it" | "pt") => " e ",
                _ => " and ",
            };
            pairs.push(Example {
                name: format!("{} {}", one.id, other.id),
                fold,
                text: format!("{}{join}{}", one.text, other.text),
                profile: Profile::default(),
                heads: [None; HEADS],
                rules: guide(&[&one.topic, &other.topic]),
                is_comment: false,
            });
        }
    }
    pairs
}

/// The weights of the heads.
fn heads(
    examples: &[Example],
    lessons: &[Lesson],
    is_used: impl Fn(&Example) -> bool + Sync,
) -> Vec<u8> {
    let columns: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = Head::ALL
            .into_iter()
            .map(|head| {
                let is_used = &is_used;
                scope.spawn(move || {
                    let points = examples.iter().zip(lessons).filter(|(example, lesson)| {
                        is_used(example) && !lesson.features.is_empty()
                    });
                    let points: Vec<Point> = points
                        .filter_map(|(example, lesson)| {
                            let is_so = example.heads[head.index()]?;
                            Some(Point::new(&example.name, lesson.features.concat(), is_so))
                        })
                        .collect();
                    machine(&points, BUCKETS)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("training ends")).collect()
    });
    let mut weights = vec![0; BUCKETS * HEADS];
    for (head, column) in columns.iter().enumerate() {
        for (bucket, weight) in column.iter().enumerate() {
            let whole = (weight * f64::from(UNIT)).round().clamp(-127.0, 127.0);
            weights[bucket * HEADS + head] = byte(whole);
        }
    }
    weights
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "it was rounded, and is within the bounds; floats have no other conversion"
)]
fn byte(whole: f64) -> u8 {
    (whole as i8).cast_unsigned()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::as_conversions,
    reason = "it was rounded, and weights are small; floats have no other conversion"
)]
fn whole(weight: f64) -> i32 {
    (1000.0 * weight).round() as i32
}

/// The weights of the signs for the rules, and from what sums on the rules hold.
fn rules(examples: &[Example], signs: &[Vec<usize>], may: &[[bool; 3]]) -> String {
    let learn = |rule: usize, is_used: &dyn Fn(&Example) -> bool| -> Vec<i32> {
        let points = examples.iter().zip(signs).filter(|(example, _)| is_used(example));
        let points: Vec<Point> = points
            .filter_map(|(example, signs)| {
                let signs: Vec<u32> =
                    signs.iter().map(|sign| u32::try_from(*sign).expect("few")).collect();
                let mut point = Point::new(&example.name, signs, example.rules[rule]?);
                point.value = 0.2;
                point.cost = if example.is_comment { RULE_COST } else { PHRASE_COST };
                Some(point)
            })
            .collect();
        machine(&points, SIGNS).into_iter().map(|weight| whole(0.2 * weight)).collect()
    };
    let sum = |weights: &[i32], signs: &[usize]| signs.iter().map(|sign| weights[*sign]).sum();
    let mut columns = Vec::new();
    let mut from = Vec::new();
    for rule in [0, 1, 2] {
        let mut sums: Vec<(i32, bool)> = Vec::new();
        for fold in 0..FOLDS {
            let weights = learn(rule, &|example| example.fold != fold);
            for (at, example) in examples.iter().enumerate() {
                if example.fold == fold && example.is_comment && may[at][rule] {
                    let Some(is_so) = example.rules[rule] else { continue };
                    sums.push((sum(&weights, &signs[at]), is_so));
                }
            }
        }
        from.push(least(sums));
        columns.push(learn(rule, &|_| true));
    }
    let mut lines = format!("from: {} {} {}\n", from[0], from[1], from[2]);
    for (sign, name) in names().iter().enumerate() {
        let weights: Vec<i32> = columns.iter().map(|column| column[sign]).collect();
        if weights != [0; 3] {
            writeln!(lines, "{name}: {} {} {}", weights[0], weights[1], weights[2])
                .expect("strings take what is written");
        }
    }
    lines
}

/// The least sum from which on as many are right as [`PRECISION`] asks.
fn least(mut sums: Vec<(i32, bool)>) -> i32 {
    sums.sort_unstable_by_key(|(sum, is_so)| (std::cmp::Reverse(*sum), *is_so));
    let mut right = 0;
    let mut from = i32::MAX;
    for (at, (sum, is_so)) in sums.iter().enumerate() {
        right += usize::from(*is_so);
        if 1000 * right >= PRECISION * (at + 1) {
            from = *sum;
        }
    }
    from
}

/// What a machine learns from.
struct Point {
    order: String,
    places: Vec<u32>,
    value: f64,
    cost: f64,
    is_so: bool,
    /// The square of its length.
    square: f64,
}

impl Point {
    fn new(name: &str, mut places: Vec<u32>, is_so: bool) -> Self {
        places.sort_unstable();
        let length = u32::try_from(places.len().max(1)).expect("few");
        let groups = places.chunk_by(|one, other| one == other);
        let squares: usize = groups.map(|group| group.len() * group.len()).sum();
        Self {
            order: name.to_owned(),
            value: 1.0 / f64::from(length).sqrt(),
            cost: HEAD_COST,
            is_so,
            square: f64::from(u32::try_from(squares).expect("few")),
            places,
        }
    }
}

/// A support vector machine with squared losses, by descent along the coordinates of its dual
/// (Hsieh and others, 2008).
fn machine(points: &[Point], size: usize) -> Vec<f64> {
    let mut weights = vec![0.0; size];
    let mut shares = vec![0.0_f64; points.len()];
    let mut order: Vec<usize> = (0..points.len()).collect();
    for epoch in 0..EPOCHS {
        order.sort_by_key(|at| (hash(&points[*at].order, epoch), *at));
        for at in &order {
            let point = &points[*at];
            let sign = if point.is_so { 1.0 } else { -1.0 };
            let places = || point.places.iter().map(|place| usize::try_from(*place).expect("few"));
            let sum: f64 = places().map(|place| weights[place]).sum();
            let slack = 0.5 / point.cost;
            let slope = sign * sum * point.value - 1.0 + slack * shares[*at];
            let bend = point.square * point.value * point.value + slack;
            let share = (shares[*at] - slope / bend).max(0.0);
            let step = (share - shares[*at]) * sign * point.value;
            if step != 0.0 {
                places().for_each(|place| weights[place] += step);
            }
            shares[*at] = share;
        }
    }
    weights
}
