//! The ids of waiting records that are texts, one after the other.
//!
//! Invariant I-21: texts are given back in the order in which they were kept, so that the memory
//! is one piece and is used again; nothing is allocated per text once it has grown.

use std::num::NonZeroU64;

use super::ids::MAX_ID_BYTES;

/// The bits of a [`Text`] that tell its length.
const LENGTH_BITS: u32 = 8;

/// A text that is kept: where it begins among all that were ever kept, and its length (from 1 to
/// [`MAX_ID_BYTES`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Text(NonZeroU64);

impl Text {
    fn new(start: u64, length: usize) -> Self {
        assert!((1..=MAX_ID_BYTES).contains(&length), "an id of {length} bytes was accepted");
        let length = u64::try_from(length).expect("at most 64");
        Self(NonZeroU64::new((start << LENGTH_BITS) | length).expect("the length is not 0"))
    }

    const fn start(self) -> u64 {
        self.0.get() >> LENGTH_BITS
    }

    const fn length(self) -> u64 {
        self.0.get() & ((1 << LENGTH_BITS) - 1)
    }
}

/// The texts of one partition's waiting records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    bytes: String,
    /// Bytes that went before those in `bytes`.
    gone: u64,
}

impl Texts {
    /// Keeps an id.
    pub(crate) fn keep(&mut self, id: &str) -> Text {
        let start = self.gone + wide(self.bytes.len());
        self.bytes.push_str(id);
        Text::new(start, id.len())
    }

    /// A text that is kept.
    pub(crate) fn get(&self, text: Text) -> &str {
        let start = text.start() - self.gone;
        &self.bytes[narrow(start)..narrow(start + text.length())]
    }

    /// Gives back all texts before this one.
    pub(crate) fn give_back_before(&mut self, text: Text) {
        let before = narrow(text.start() - self.gone);
        // Moving what is left costs no more than keeping what went did.
        if before > self.bytes.len() / 2 {
            self.bytes.drain(..before);
            self.gone = text.start();
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).expect("usize has at most 64 bits here")
}

fn narrow(place: u64) -> usize {
    usize::try_from(place).expect("a place in memory")
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn i_21_texts_are_found_until_they_are_given_back_and_memory_stays() {
        let mut texts = Texts::default();
        let mut waiting = VecDeque::new();
        let mut grown = 0;
        for number in 0..20_000_u32 {
            let id = format!("{number:0width$}", width = usize::try_from(1 + number % 64).unwrap());
            waiting.push_back((texts.keep(&id), id));
            // The number that waits goes up and down.
            while waiting.len() > usize::try_from(1 + number % 97).unwrap() {
                let (text, id) = waiting.pop_front().unwrap();
                texts.give_back_before(text);
                assert_eq!(texts.get(text), id);
            }
            if number == 2_000 {
                grown = texts.bytes();
            }
        }
        assert_eq!(texts.bytes(), grown);
        assert!(grown < 4 * 97 * 64, "{grown}");
    }
}
