//! A comment as the lexicons read it: folded, with a way back to the bytes that were given.
//!
//! What differs only in how it is written becomes equal: capitals, accents, full-width and styled
//! letters, look-alikes from other scripts, zero-width and bidirectional marks, kinds of
//! apostrophes and spaces. The folded text is words with one space on each side; [`CLAUSE_END`]
//! stands where the comment's punctuation ends a clause. Japanese keeps its kana and their marks.
//!
//! Invariants: of a comment at most [`MAX_READ_BYTES`] are read; what is folded of a character is
//! at most [`MAX_FOLDED_BYTES`]; each folded byte knows the character that it came from. Absent on
//! purpose: what words mean.

use unicode_normalization::char::{compose, decompose_compatible, is_combining_mark};

use super::script;
use super::verdict::Span;

/// The part of a comment that is read. The marketplace's form takes 400 characters.
pub const MAX_READ_BYTES: usize = 8 * 1024;

/// The most bytes that one character folds to (a single Arabic ligature decomposes to 18
/// characters; what comes after these is left out).
const MAX_FOLDED_BYTES: usize = 24;

/// Ends a clause in folded text; no pattern of a lexicon has it.
pub(super) const CLAUSE_END: char = '\n';

/// A comment, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    /// The folded text; it begins and ends with a space.
    pub folded: String,
    /// For each folded byte, the character that it came from.
    from: Vec<(u32, u32)>,
    /// Whether the comment is longer than what is read.
    pub is_cut: bool,
    /// Letters and digits.
    pub letters: usize,
    /// Letters of scripts in which no lexicon is written.
    pub foreign: usize,
    /// Emoji and other pictures, without faces.
    pub pictures: Vec<Span>,
    /// Faces and thumbs, which say no more than the stars do.
    pub faces: usize,
    /// Faces that say the contrary of the words.
    pub winks: Vec<Span>,
}

/// The part of a comment that is read.
pub(super) fn read_part(comment: &str) -> &str {
    &comment[..comment.floor_char_boundary(MAX_READ_BYTES)]
}

impl Text {
    /// Folds a comment.
    pub(super) fn new(comment: &str) -> Self {
        let read = read_part(comment);
        let mut folder = Folder {
            text: Self {
                folded: String::with_capacity(read.len() + read.len() / 8 + 8),
                from: Vec::with_capacity(read.len() + read.len() / 8 + 8),
                is_cut: read.len() < comment.len(),
                ..Self::default()
            },
            word: 0,
            scripts: Scripts::default(),
        };
        folder.push(' ', 0, 0);
        for (start, character) in read.char_indices() {
            folder.take(read, start, character);
        }
        folder.end_word();
        folder.space(read.len(), read.len());
        folder.text
    }

    /// The bytes of the comment that a part of the folded text came from, spaces left out.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let bytes = self.folded.as_bytes();
        let is_gap = |at: usize| matches!(bytes[at], b' ' | b'\n');
        let first = (start..end).find(|at| !is_gap(*at)).unwrap_or(start);
        let last = (start..end).rev().find(|at| !is_gap(*at)).unwrap_or(first);
        let at = |number: u32| usize::try_from(number).expect("the part read is short");
        Span { start: at(self.from[first].0), end: at(self.from[last].1) }
    }
}

impl Text {
    /// Where in the folded text a byte of the comment came to be, or what follows it.
    pub(super) fn place(&self, byte: usize) -> usize {
        let byte = u32::try_from(byte).unwrap_or(u32::MAX);
        self.from.partition_point(|(start, _)| *start < byte).min(self.folded.len())
    }
}

/// The scripts of the letters of a word.
#[derive(Clone, Copy, Default)]
struct Scripts {
    latin: bool,
    look_alike: bool,
}

struct Folder {
    text: Text,
    /// Where the word that is being folded begins.
    word: usize,
    scripts: Scripts,
}

impl Folder {
    fn push(&mut self, character: char, start: usize, end: usize) {
        let at = |place: usize| u32::try_from(place).expect("the part read is short");
        self.text.folded.push(character);
        for _ in 0..character.len_utf8() {
            self.text.from.push((at(start), at(end)));
        }
    }

    fn take(&mut self, read: &str, start: usize, character: char) {
        let end = start + character.len_utf8();
        if character.is_ascii() {
            self.ascii(read, start, character);
        } else if script::is_invisible(character) {
            // Nothing is seen of it, so it parts no words.
        } else if script::is_apostrophe(character) {
            self.apostrophe(read, start, end);
        } else if script::is_clause_end(character) {
            self.clause_end(start, end);
        } else if let Some(kind) = script::picture(character) {
            self.picture(kind, start, end);
        } else {
            self.letters(character, start, end);
        }
    }

    fn ascii(&mut self, read: &str, start: usize, character: char) {
        match character {
            'a'..='z' | 'A'..='Z' => {
                self.scripts.latin = true;
                self.text.letters += 1;
                self.push(character.to_ascii_lowercase(), start, start + 1);
            }
            '0'..='9' => {
                self.text.letters += 1;
                self.push(character, start, start + 1);
            }
            '\'' | '`' => self.apostrophe(read, start, start + 1),
            '.' | ',' | ':' => {
                // Not between digits and not within an abbreviation or an address.
                let next = read.as_bytes().get(start + 1);
                if next.is_none_or(|next| !next.is_ascii_alphanumeric()) {
                    self.clause_end(start, start + 1);
                } else {
                    self.end_word();
                    self.space(start, start + 1);
                }
            }
            '!' | '?' | ';' | '\n' | '\r' | '(' | ')' => self.clause_end(start, start + 1),
            '-' if read.as_bytes().get(start + 1) == Some(&b' ') => {
                self.clause_end(start, start + 1);
            }
            _ => {
                self.end_word();
                self.space(start, start + 1);
            }
        }
    }

    /// `don't` is one word and `l'article` is two.
    fn apostrophe(&mut self, read: &str, start: usize, end: usize) {
        let rest = &read.as_bytes()[end..];
        let length = rest.iter().take(3).take_while(|byte| byte.is_ascii_alphabetic()).count();
        let is_english = matches!(
            rest[..length].to_ascii_lowercase().as_slice(),
            b"t" | b"s" | b"m" | b"d" | b"re" | b"ve" | b"ll"
        );
        if !is_english {
            self.end_word();
            self.space(start, end);
        }
    }

    fn letters(&mut self, character: char, start: usize, end: usize) {
        let before = self.text.folded.len();
        let mut is_word = false;
        let mut parts = [' '; MAX_FOLDED_BYTES];
        let mut count = 0;
        decompose_compatible(character, |part| {
            if count < parts.len() {
                parts[count] = part;
                count += 1;
            }
        });
        for part in &parts[..count] {
            if self.text.folded.len() - before > MAX_FOLDED_BYTES {
                break;
            }
            if is_combining_mark(*part) {
                self.mark(*part, end);
                is_word = true;
                continue;
            }
            for lower in part.to_lowercase() {
                is_word |= self.letter(lower, start, end);
            }
        }
        if !is_word {
            self.end_word();
            self.space(start, end);
        }
    }

    /// Whether the character is part of a word.
    fn letter(&mut self, lower: char, start: usize, end: usize) -> bool {
        let folds: &[char] = match lower {
            'ß' => &['s', 's'],
            'æ' => &['a', 'e'],
            'œ' => &['o', 'e'],
            'ø' => &['o'],
            'ł' => &['l'],
            'đ' | 'ð' => &['d'],
            'ı' => &['i'],
            _ => &[],
        };
        if !folds.is_empty() {
            self.text.letters += 1;
            self.scripts.latin = true;
            for fold in folds {
                self.push(*fold, start, end);
            }
            return true;
        }
        if !lower.is_alphanumeric() && lower != 'ー' {
            return false;
        }
        self.text.letters += 1;
        if lower.is_ascii_alphabetic() {
            self.scripts.latin = true;
        } else if script::look_alike(lower).is_some() {
            self.scripts.look_alike = true;
        }
        if script::is_foreign(lower) {
            self.text.foreign += 1;
        }
        self.push(lower, start, end);
        true
    }

    /// Accents are left out; the marks of kana are part of them.
    fn mark(&mut self, mark: char, end: usize) {
        if !matches!(mark, '\u{3099}' | '\u{309A}') {
            return;
        }
        let Some(last) = self.text.folded.chars().next_back() else { return };
        if let Some(whole) = compose(last, mark) {
            // Both are in the same block, so they are of one length.
            self.text.folded.pop();
            self.text.folded.push(whole);
            let end = u32::try_from(end).expect("the part read is short");
            for (_, last) in self.text.from.iter_mut().rev().take(whole.len_utf8()) {
                *last = end;
            }
        }
    }

    fn picture(&mut self, kind: script::Picture, start: usize, end: usize) {
        let span = Span { start, end };
        match kind {
            script::Picture::Face => self.text.faces += 1,
            script::Picture::Wink => self.text.winks.push(span),
            script::Picture::Thing => self.text.pictures.push(span),
        }
        self.end_word();
        self.space(start, end);
    }

    fn space(&mut self, start: usize, end: usize) {
        if !self.text.folded.ends_with(' ') {
            self.push(' ', start, end);
        }
        self.word = self.text.folded.len();
    }

    fn clause_end(&mut self, start: usize, end: usize) {
        self.end_word();
        self.space(start, end);
        if !self.text.folded.ends_with("\n ") && self.text.folded.len() > 1 {
            self.push(CLAUSE_END, start, end);
            self.push(' ', start, end);
        }
        self.word = self.text.folded.len();
    }

    /// Letters that look like Latin ones stand for them in a word that has Latin ones as well.
    fn end_word(&mut self) {
        let scripts = std::mem::take(&mut self.scripts);
        if !(scripts.latin && scripts.look_alike) {
            return;
        }
        let word = self.text.folded.split_off(self.word);
        let from = self.text.from.split_off(self.word);
        let mut at = 0;
        for character in word.chars() {
            let (start, end) = from[at];
            at += character.len_utf8();
            let twin = script::look_alike(character);
            if twin.is_some() {
                self.text.foreign = self.text.foreign.saturating_sub(1);
            }
            self.text.folded.push(twin.unwrap_or(character));
            let length = twin.unwrap_or(character).len_utf8();
            self.text.from.extend(std::iter::repeat_n((start, end), length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(comment: &str) -> String {
        Text::new(comment).folded
    }

    #[test]
    fn what_is_only_written_differently_is_equal() {
        for comment in [
            "Very late",
            "VERY  late",
            "v\u{e9}ry l\u{200b}ate",
            "ｖｅｒｙ　ｌａｔｅ",
            "v\u{435}ry l\u{430}te",
            "\u{1d42f}\u{1d41e}\u{1d42b}\u{1d432} late",
            "\u{202e}very\u{202c} late",
            "ve\u{301}\u{302}\u{303}\u{304}ry late",
        ] {
            assert_eq!(folded(comment), " very late ", "{comment}");
        }
    }

    #[test]
    fn clauses_end_where_punctuation_ends_them() {
        assert_eq!(folded("Late, 3.5 days. Bad!!"), " late \n 3 5 days \n bad \n ");
        assert_eq!(folded("don't l'article"), " dont l article ");
        assert_eq!(folded("遅い。ﾌﾟﾗｽﾁｯｸ、プ"), " 遅い \n プラスチック \n プ ");
        assert_eq!(folded("..."), " ");
    }

    #[test]
    fn spans_lead_back_to_the_bytes() {
        let comment = "  Tr\u{e8}s   d\u{e9}\u{e7}u, stra\u{df}e";
        let text = Text::new(comment);
        let at = text.folded.find(" tres decu ").unwrap();
        assert_eq!(text.span(at, at + 11).of(comment), "Tr\u{e8}s   d\u{e9}\u{e7}u");
        let at = text.folded.find("strasse").unwrap();
        assert_eq!(text.span(at, at + 7).of(comment), "stra\u{df}e");
    }

    #[test]
    fn no_more_is_read_than_the_limit() {
        let text = Text::new(&"\u{fdfa}".repeat(400_000));
        assert!(text.is_cut);
        assert!(text.folded.len() <= MAX_READ_BYTES * MAX_FOLDED_BYTES / 2);
    }
}
