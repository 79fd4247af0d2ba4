//! A linear model over words and letters: what each clause reads like, where no lexicon knows it.
//!
//! A score is a sum of whole numbers over the words, pairs of words, letters and lexicon classes of
//! a clause, over the root of their number; so each clause's part of a verdict can be told. The
//! weights are in `model.bin`, made from the labelled comments and phrases by
//! `cargo run --example train_advice`, byte for byte the same each time.
//!
//! Invariants: the same clause gives the same features, in training and in use; no floating point;
//! the weights stay where the program was loaded, nothing is copied. What scores mean together is
//! in `weigh`.

use std::borrow::Cow;
use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::clauses::Part;
use super::lexicon::{Class, Language};
use super::weigh::Balance;

/// What a clause may read like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// A product review.
    Product,
    /// Late, lost, not received.
    Delay,
    /// The way here: courier, tracking, packing, harm in transit.
    Way,
    /// Damaged on arrival.
    Damage,
    /// What somebody said, or did not answer.
    Service,
    /// Money: returns, refunds, what shipping costs.
    Returns,
    /// The offer: not as described, another item, missing parts.
    Offer,
    /// Nothing of these: who it was for, when it came, a bare judgement.
    Aside,
}

/// How many heads there are.
pub const HEADS: usize = 8;

impl Head {
    /// All, in the order of the weights.
    pub const ALL: [Self; HEADS] = [
        Self::Product,
        Self::Delay,
        Self::Way,
        Self::Damage,
        Self::Service,
        Self::Returns,
        Self::Offer,
        Self::Aside,
    ];

    /// The head's name in outputs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Delay => "delay",
            Self::Way => "way",
            Self::Damage => "damage",
            Self::Service => "service",
            Self::Returns => "returns",
            Self::Offer => "offer",
            Self::Aside => "aside",
        }
    }

    /// Its place in [`Head::ALL`].
    #[must_use]
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|head| *head == self).expect("ALL lists every head")
    }
}

/// Features share so many weights of each head.
pub const BUCKETS: usize = 1 << 17;

/// A weight of one is written as so many.
pub const UNIT: i32 = 32;

/// The scores of a clause or a comment, in thousandths, by [`Head::index`]: above nought it reads
/// like the head, below it does not.
pub type Scores = [i32; HEADS];

/// The weights of a model.
#[derive(Clone, Debug)]
pub struct Model {
    /// For each bucket a signed byte of each head.
    weights: Cow<'static, [u8]>,
    /// What the scores come to.
    pub(super) balance: Balance,
}

impl Model {
    /// A model of these weights and of the lines of a `verdicts.txt`.
    ///
    /// # Errors
    /// What of them is no model.
    pub fn new(weights: impl Into<Cow<'static, [u8]>>, verdicts: &str) -> Result<Self, String> {
        let weights = weights.into();
        if weights.len() != BUCKETS * HEADS {
            return Err(format!("{} weights", weights.len()));
        }
        Ok(Self { weights, balance: Balance::read(verdicts)? })
    }

    /// The sums of the weights of features.
    pub(super) fn sums(&self, features: &[u32]) -> Scores {
        let mut sums = [0; HEADS];
        for feature in features {
            let bucket = usize::try_from(*feature).unwrap_or(0) % BUCKETS;
            let weights = &self.weights[bucket * HEADS..][..HEADS];
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += i32::from(weight.cast_signed());
            }
        }
        sums
    }
}

/// Scores from the sums of so many features.
pub(super) fn scores(sums: Scores, features: usize) -> Scores {
    let features = u64::try_from(features.max(1)).unwrap_or(u64::MAX);
    let unit = u64::from(UNIT.unsigned_abs());
    let root = features.saturating_mul(unit * unit).isqrt();
    let root = i64::try_from(root).unwrap_or(i64::MAX);
    sums.map(|sum| i32::try_from(1000 * i64::from(sum) / root).unwrap_or(0))
}

/// The model that is compiled in.
pub(super) fn model() -> &'static Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        let weights: &'static [u8] = include_bytes!("model.bin");
        Model::new(weights, include_str!("verdicts.txt")).expect("what was trained is a model")
    });
    &MODEL
}

/// The most words of a clause that features are made of.
const MAX_WORDS: usize = 256;

/// The lengths of the pieces of words that are features, in bytes.
const PIECES: [usize; 2] = [4, 5];

/// Words with an equal beginning of so many bytes are taken for relatives.
const STEM: usize = 5;

/// The features of a clause, as places among the weights; each once, in order.
pub(super) fn features(folded: &str, language: Language, part: &Part) -> Vec<u32> {
    let clause = &folded[part.place.0..part.place.1];
    let mut features = Vec::with_capacity(2 * clause.len() + 16);
    features.push(bucket(0, &[]));
    classes(&mut features, part);
    if language == Language::Ja {
        letters(&mut features, clause);
    } else {
        words(&mut features, clause);
    }
    features.sort_unstable();
    features.dedup();
    features
}

/// The classes of the lexicon, and pairs of them.
fn classes(features: &mut Vec<u32>, part: &Part) {
    let of_hits = part.hits.iter().map(|hit| hit.class);
    let mut classes: Vec<u8> = of_hits
        .filter(|class| *class != Class::Stop)
        .map(|class| u8::try_from(class.index()).unwrap_or(u8::MAX))
        .collect();
    classes.sort_unstable();
    classes.dedup();
    for (at, class) in classes.iter().enumerate() {
        features.push(bucket(1, &[*class]));
        features.extend(classes[..at].iter().map(|other| bucket(1, &[*other, *class])));
    }
}

/// One to four letters in a row: Japanese has no spaces between words.
fn letters(features: &mut Vec<u32>, clause: &str) {
    let letters: Vec<(usize, char)> =
        clause.char_indices().filter(|(_, letter)| letter.is_alphanumeric()).collect();
    for at in 0..letters.len().min(2 * MAX_WORDS) {
        for last in &letters[at..letters.len().min(at + 4)] {
            let end = last.0 + last.1.len_utf8();
            features.push(bucket(2, &clause.as_bytes()[letters[at].0..end]));
        }
    }
}

/// Words, their beginnings and pieces, and pairs of them.
fn words(features: &mut Vec<u32>, clause: &str) {
    let bytes = clause.as_bytes();
    let mut before: Option<usize> = None;
    let mut at = 0;
    for word in clause.split(' ').take(MAX_WORDS) {
        let (start, end) = (at, at + word.len());
        at = end + 1;
        if word.is_empty() || word == "\n" {
            continue;
        }
        features.push(bucket(3, &bytes[start..end]));
        if word.len() > STEM {
            features.push(bucket(4, &bytes[start..start + STEM]));
        }
        if let Some(before) = before {
            features.push(bucket(5, &bytes[before..end]));
        }
        // The spaces around a word belong to its pieces.
        let whole = &bytes[start.saturating_sub(1)..(end + 1).min(bytes.len())];
        for length in PIECES {
            features.extend(whole.windows(length).map(|piece| bucket(6, piece)));
        }
        before = Some(start);
    }
}

fn bucket(kind: u64, bytes: &[u8]) -> u32 {
    let hash = xxh3_64_with_seed(bytes, kind) % u64::try_from(BUCKETS).unwrap_or(1);
    u32::try_from(hash).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trained_files_are_a_model() {
        let model = model();
        for head in Head::ALL {
            let of_head = model.weights.iter().skip(head.index()).step_by(HEADS);
            assert!(of_head.into_iter().any(|weight| *weight != 0), "{}", head.as_str());
        }
    }

    #[test]
    fn a_file_of_another_size_is_no_model() {
        assert_eq!(Model::new(vec![0; 5], "").unwrap_err(), "5 weights");
    }

    #[test]
    fn scores_are_sums_over_the_root_of_the_number_of_features() {
        assert_eq!(scores([UNIT; HEADS], 1), [1000; HEADS]);
        assert_eq!(scores([-UNIT; HEADS], 4), [-500; HEADS]);
        assert_eq!(scores([0; HEADS], 0), [0; HEADS]);
    }
}
