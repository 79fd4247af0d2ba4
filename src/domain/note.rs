//! What somebody else wants kept with a feedback: bytes that mean nothing here.
//!
//! A comment is judged where it is decoded, and may not be kept. What was found in it may: in how
//! few bytes, only who wrote them knows. They are carried with the fact that they came with, held
//! in the state, and handed out again.

use super::ids::Offset;

/// The longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 192;

/// A note: 1 to [`MAX_NOTE_BYTES`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Note(Box<[u8]>);

impl Note {
    /// Keeps bytes; `None` for none, and for too many.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=MAX_NOTE_BYTES).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A note on a record that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotedAt {
    pub note: Note,
    /// The record that it is about.
    pub offset: Offset,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_has_a_length_within_its_limits() {
        assert_eq!(Note::new(&[]), None);
        assert_eq!(Note::new(&[7; MAX_NOTE_BYTES]).unwrap().as_bytes(), [7; MAX_NOTE_BYTES]);
        assert_eq!(Note::new(&[7; MAX_NOTE_BYTES + 1]), None);
    }
}
