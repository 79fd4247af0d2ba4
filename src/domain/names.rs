//! Texts and their numbers: the ids of sellers and of marketplaces.
//!
//! Invariant I-22: a text has one number, 0, 1, 2, ... in the order of their coming, for ever.
//!
//! Looking a text up takes two steps, so that the lookups of many can be made together: one after
//! the other each would wait for memory.

use hashbrown::HashTable;

use super::ids::index;

/// The longest text that is kept within the table.
const SHORT: usize = 27;

/// A text of at most [`SHORT`] bytes, with zeros behind it; a longer one has only its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShortText {
    len: u8,
    bytes: [u8; SHORT],
}

impl ShortText {
    fn new(text: &str) -> Self {
        let mut bytes = [0; SHORT];
        let Some(kept) = bytes.get_mut(..text.len()) else {
            return Self { len: u8::MAX, bytes };
        };
        kept.copy_from_slice(text.as_bytes());
        Self { len: u8::try_from(text.len()).expect("a short text has at most 27 bytes"), bytes }
    }
}

/// A text in the table: a short one is kept here, so that finding it looks no further.
#[derive(Clone, Copy, Debug)]
struct Known {
    text: ShortText,
    number: u32,
}

/// A text whose number is sought.
#[derive(Clone, Debug)]
pub(crate) struct Sought {
    hash: u64,
    text: ShortText,
    /// The whole text, if it is long.
    long: Option<Box<str>>,
}

/// Texts by number, and numbers by text.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    seed: u64,
    texts: Vec<Box<str>>,
    known: HashTable<Known>,
}

impl Names {
    /// No texts. The seed varies the hash, not the results.
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, texts: Vec::new(), known: HashTable::new() }
    }

    /// The number of texts.
    #[cfg(test)]
    const fn len(&self) -> usize {
        self.texts.len()
    }

    /// Begins to look for a text; touches nothing but the text.
    pub(crate) fn seek(&self, text: &str) -> Sought {
        let long = (text.len() > SHORT).then(|| text.into());
        Sought { hash: hash(text, self.seed), text: ShortText::new(text), long }
    }

    /// The number of a text, if it has one.
    pub(crate) fn find(&self, sought: &Sought) -> Option<u32> {
        let is_same = |known: &Known| {
            let is_whole =
                sought.long.as_deref().is_none_or(|long| *self.texts[index(known.number)] == *long);
            known.text == sought.text && is_whole
        };
        self.known.find(sought.hash, is_same).map(|known| known.number)
    }

    /// The number of a text, which gets one if new.
    pub(crate) fn number(&mut self, sought: &Sought) -> u32 {
        if let Some(known) = self.find(sought) {
            return known;
        }
        let number = u32::try_from(self.texts.len()).expect("the caps keep numbers below 2^32");
        let text = sought.long.clone().unwrap_or_else(|| {
            let short = &sought.text.bytes[..usize::from(sought.text.len)];
            std::str::from_utf8(short).expect("it came as text").into()
        });
        self.texts.push(text);
        let (texts, seed) = (&self.texts, self.seed);
        let known = Known { text: sought.text, number };
        self.known.insert_unique(sought.hash, known, |held| hash(&texts[index(held.number)], seed));
        number
    }

    /// The text of a number that was given out.
    pub(crate) fn text(&self, number: u32) -> &str {
        &self.texts[index(number)]
    }

    /// Bytes held, about.
    pub(crate) fn bytes(&self) -> usize {
        self.texts.capacity() * size_of::<Box<str>>()
            + self.texts.iter().map(|text| text.len()).sum::<usize>()
            + self.known.allocation_size()
    }
}

fn hash(text: &str, seed: u64) -> u64 {
    xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i_22_a_text_keeps_its_number_whatever_its_length() {
        let mut names = Names::new(5);
        let texts: Vec<String> = (0..64).map(|len| "x".repeat(len)).collect();
        for _ in 0..2 {
            for (number, text) in (0..).zip(&texts) {
                let sought = names.seek(text);
                assert_eq!(names.number(&sought), number);
                assert_eq!(names.text(number), text);
            }
        }
        // As long as another, and longer than what is kept in the table.
        let sought = names.seek(&format!("{}y", "x".repeat(40)));
        assert_eq!(names.number(&sought), 64);
        assert_eq!(names.len(), 65);
    }
}
