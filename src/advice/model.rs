//! A small linear model: how much a clause reads like a product review, like a complaint about
//! delivery, and like one about delay.
//!
//! It is the second opinion beside the lexicons: what it is asked is whether words that no lexicon
//! knows belong to the topic of the words that one knows. A score is a sum of whole numbers over
//! the words, pairs of words and classes of a clause, so that each clause's part of it can be
//! told. The weights are in `model.txt`, made from the labelled comments by
//! `cargo run --example train_advice`, byte for byte the same each time.
//!
//! Invariants: the same clause gives the same features, in training and in use; no floating point.

use std::ops::Range;
use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::clauses::Part;
use super::lexicon::Language;

/// What the model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// Is it a product review?
    Product,
    /// Is it about delivery or packing?
    Delivery,
    /// Is it about a delayed or undelivered order?
    Delay,
}

impl Head {
    /// All, in the order of the columns of `model.txt`.
    pub const ALL: [Self; 3] = [Self::Product, Self::Delivery, Self::Delay];

    /// Its place in [`Head::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Product => 0,
            Self::Delivery => 1,
            Self::Delay => 2,
        }
    }
}

/// Features share so many weights.
pub const BUCKETS: usize = 1 << 14;

/// The weights of a model.
#[derive(Clone, Debug)]
pub struct Model {
    weights: Vec<[i32; 3]>,
}

impl Model {
    /// Reads the weights from lines of `bucket product delivery delay`; what is not listed is 0.
    ///
    /// # Errors
    /// The number of the first line that is not one.
    pub fn read(lines: &str) -> Result<Self, usize> {
        let mut weights = vec![[0; 3]; BUCKETS];
        for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.starts_with('#')) {
            let mut parts = line.split(' ');
            let mut next = || parts.next().and_then(|part| part.parse::<i32>().ok());
            let (Some(bucket), Some(product), Some(delivery), Some(delay)) =
                (next(), next(), next(), next())
            else {
                return Err(number);
            };
            let slot = usize::try_from(bucket).ok().and_then(|bucket| weights.get_mut(bucket));
            *slot.ok_or(number)? = [product, delivery, delay];
        }
        Ok(Self { weights })
    }

    /// The score of features for a head.
    #[must_use]
    pub fn score(&self, head: Head, features: &[usize]) -> i32 {
        let weight = |bucket: &usize| self.weights.get(*bucket).map_or(0, |of| of[head.index()]);
        features.iter().map(weight).fold(0, i32::saturating_add)
    }
}

/// The model that is compiled in.
pub(super) fn model() -> &'static Model {
    static MODEL: LazyLock<Model> = LazyLock::new(|| {
        Model::read(include_str!("model.txt")).expect("the trained file is right; a test reads it")
    });
    &MODEL
}

/// The most words of a clause that features are made of.
const MAX_WORDS: usize = 256;

/// The features of a clause, as places among the weights.
pub(super) fn features(folded: &str, language: Language, part: &Part) -> Vec<usize> {
    let mut features = Vec::with_capacity(4 * part.words + 8);
    let clause = &folded[Range { start: part.place.0, end: part.place.1 }];
    let mut classes: Vec<_> = part.hits.iter().map(|hit| hit.class).collect();
    classes.sort_unstable();
    classes.dedup();
    features.extend(
        classes.iter().map(|class| bucket(1, &[u8::try_from(class.index()).unwrap_or(u8::MAX)])),
    );
    if language == Language::Ja {
        let letters: Vec<(usize, char)> =
            clause.char_indices().filter(|(_, letter)| letter.is_alphanumeric()).collect();
        for pair in letters.windows(2).take(MAX_WORDS) {
            let end = pair[1].0 + pair[1].1.len_utf8();
            features.push(bucket(2, &clause.as_bytes()[pair[0].0..end]));
        }
        return features;
    }
    let mut before: Option<(usize, usize)> = None;
    let mut at = 0;
    for word in clause.split(' ').take(MAX_WORDS) {
        let place = (at, at + word.len());
        at = place.1 + 1;
        if word.is_empty() || word == "\n" {
            continue;
        }
        features.push(bucket(3, word.as_bytes()));
        let stem = word.floor_char_boundary(STEM);
        if stem < word.len() {
            features.push(bucket(4, &word.as_bytes()[..stem]));
        }
        if let Some(before) = before {
            features.push(bucket(5, &clause.as_bytes()[before.0..place.1]));
        }
        before = Some(place);
    }
    features
}

/// Words with an equal beginning of so many bytes are taken for relatives.
const STEM: usize = 5;

fn bucket(kind: u64, bytes: &[u8]) -> usize {
    let hash = xxh3_64_with_seed(bytes, kind);
    usize::try_from(hash % BUCKETS.try_into().unwrap_or(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trained_file_is_read() {
        let model = model();
        assert!(model.weights.iter().any(|weights| weights[0] > 0));
        assert!(model.weights.iter().any(|weights| weights[1] > 0));
    }

    #[test]
    fn a_mistake_in_the_file_is_told_with_its_line() {
        assert_eq!(Model::read("# x\n1 2 3 4\n1 2 3").unwrap_err(), 3);
        assert_eq!(Model::read("16384 1 1 1").unwrap_err(), 1);
        let model = Model::read("7 -2 5 1").unwrap();
        assert_eq!(model.score(Head::Product, &[7, 7, 8]), -4);
        assert_eq!(model.score(Head::Delivery, &[7]), 5);
    }
}
