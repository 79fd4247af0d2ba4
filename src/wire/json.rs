//! A strict scanner for RFC 8259, which checks every byte and keeps only the top level.
//!
//! Invariants: one pass, no recursion and no memory of its own, so that time is linear in the
//! input whatever it holds; whatever it accepts is JSON, and whatever it refuses is not (or is
//! nested deeper than [`MAX_DEPTH`]). Absent on purpose: numbers as numbers and strings as
//! strings; a caller that wants one looks into the value. `serde_json`, which reads good records,
//! cannot give the reasons of bad ones: its `IgnoredAny` has no limit of depth, and its typed
//! errors come in the order of the bytes and not in the order of the reasons of a dead letter.
//!
//! The path of what has no escapes is inlined into the caller's loop, with the position in a
//! register; what is rare works on a copy of the cursor and is called.

/// The deepest nesting accepted, the outermost array or object included.
pub(super) const MAX_DEPTH: u32 = 127;

/// Why a text is not accepted, and at which byte that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is not JSON.
    Grammar(usize),
    /// It is nested deeper than [`MAX_DEPTH`].
    Depth(usize),
}

/// What the outermost value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outermost {
    /// An object, whose members are next.
    Object,
    /// Anything else, checked to the end of the text.
    Other,
}

/// The escapes in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escapes {
    /// None: it means what it says.
    None,
    /// Some.
    Some,
    /// Some, and one of them is half of a surrogate pair without the other half.
    Unpaired,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `null`.
    Null,
    /// `true`.
    True,
    /// `false`.
    False,
    /// A number.
    Number,
    /// A string.
    Text(Escapes),
    /// An array or an object, checked and dropped.
    Nested,
}

/// A member of the outermost object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// The name as it is written, without its quotes.
    pub name: &'a [u8],
    /// The escapes in the name.
    pub name_escapes: Escapes,
    /// What the value is.
    pub kind: Kind,
    /// Where it begins; of a string, after its quote.
    start: usize,
    /// Where it ends; of a string, before its quote.
    end: usize,
}

/// A position in a text that is being scanned, between members of the outermost object.
pub(super) struct Scanner<'a> {
    text: &'a str,
    cursor: Cursor<'a>,
    is_first: bool,
}

impl<'a> Scanner<'a> {
    /// Begins at the start of a text.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, cursor: Cursor { bytes: text.as_bytes(), at: 0 }, is_first: true }
    }

    /// Opens the outermost value.
    #[inline]
    pub(super) fn open(&mut self) -> Result<Outermost, Flaw> {
        self.cursor.space();
        if self.cursor.peek() == b'{' {
            self.cursor.at += 1;
            return Ok(Outermost::Object);
        }
        self.cursor.value(0)?;
        self.cursor.end()?;
        Ok(Outermost::Other)
    }

    /// The next member of the outermost object; `None` when it is closed and the text is at its
    /// end.
    #[expect(clippy::inline_always, reason = "see the head of the file")]
    #[inline(always)]
    pub(super) fn member(&mut self) -> Result<Option<Member<'a>>, Flaw> {
        let cursor = &mut self.cursor;
        cursor.space();
        match cursor.peek() {
            b'}' => {
                cursor.at += 1;
                cursor.end()?;
                return Ok(None);
            }
            b',' if !self.is_first => {
                cursor.at += 1;
                cursor.space();
            }
            _ if self.is_first => self.is_first = false,
            _ => return Err(cursor.flaw()),
        }
        let name_start = cursor.at + 1;
        let name_escapes = cursor.name()?;
        let name_end = cursor.at - 1;
        cursor.colon()?;
        let value_start = cursor.at;
        let kind = cursor.value(1)?;
        let quote = usize::from(matches!(kind, Kind::Text(_)));
        Ok(Some(Member {
            name: &cursor.bytes[name_start..name_end],
            name_escapes,
            kind,
            start: value_start + quote,
            end: cursor.at - quote,
        }))
    }

    /// The value of a member as it is written; of a string, what is between the quotes.
    #[inline]
    pub(super) fn raw_value(&self, member: &Member<'_>) -> &'a str {
        &self.text[member.start..member.end]
    }
}

/// A position in bytes that are UTF-8.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// The byte at the position. The end reads as 0x00, which is in no place of the grammar.
    #[inline]
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    const fn flaw(&self) -> Flaw {
        Flaw::Grammar(self.at)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\n' | b'\r' | b'\t') {
            self.at += 1;
        }
    }

    /// Checks that only white space is left.
    #[inline]
    fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.flaw()) }
    }

    /// A member's name.
    #[inline]
    fn name(&mut self) -> Result<Escapes, Flaw> {
        if self.peek() == b'"' { self.string() } else { Err(self.flaw()) }
    }

    /// The colon after a name, and the space around it.
    #[inline]
    fn colon(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.peek() != b':' {
            return Err(self.flaw());
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    /// A value that is inside `depth` arrays and objects.
    #[expect(clippy::inline_always, reason = "see the head of the file")]
    #[inline(always)]
    fn value(&mut self, depth: u32) -> Result<Kind, Flaw> {
        match self.peek() {
            b'"' => self.string().map(Kind::Text),
            b'{' | b'[' => {
                self.at = self.nested(depth)?;
                Ok(Kind::Nested)
            }
            _ => self.scalar(),
        }
    }

    /// A value that is neither string, array nor object.
    #[inline]
    fn scalar(&mut self) -> Result<Kind, Flaw> {
        match self.peek() {
            b't' => self.literal(b"true", Kind::True),
            b'f' => self.literal(b"false", Kind::False),
            b'n' => self.literal(b"null", Kind::Null),
            _ => {
                self.at = self.number()?;
                Ok(Kind::Number)
            }
        }
    }

    #[inline]
    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<Kind, Flaw> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word) {
            return Err(self.flaw());
        }
        self.at = end;
        Ok(kind)
    }

    /// The end of the number at the position.
    fn number(mut self) -> Result<usize, Flaw> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        if self.peek() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(self.at)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Flaw> {
        if !self.peek().is_ascii_digit() {
            return Err(self.flaw());
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// A string whose opening quote is at the position.
    #[expect(clippy::inline_always, reason = "see the head of the file")]
    #[inline(always)]
    fn string(&mut self) -> Result<Escapes, Flaw> {
        self.at = plain_end(self.bytes, self.at + 1);
        if self.peek() == b'"' {
            self.at += 1;
            return Ok(Escapes::None);
        }
        let (at, escapes) = self.escaped_string()?;
        self.at = at;
        Ok(escapes)
    }

    /// The end of a string that is plain up to the position, and what escapes are in it.
    #[cold]
    fn escaped_string(mut self) -> Result<(usize, Escapes), Flaw> {
        let mut is_unpaired = false;
        // Whether the escape of a high surrogate ends at the position.
        let mut after_high = false;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    let unit = self.escape()?;
                    let is_low = matches!(unit, Some(0xDC00..=0xDFFF));
                    is_unpaired |= after_high != is_low;
                    after_high = matches!(unit, Some(0xD800..=0xDBFF));
                }
                _ => return Err(self.flaw()),
            }
            let end = plain_end(self.bytes, self.at);
            if after_high && end != self.at {
                is_unpaired = true;
                after_high = false;
            }
            self.at = end;
        }
        is_unpaired |= after_high;
        Ok((self.at + 1, if is_unpaired { Escapes::Unpaired } else { Escapes::Some }))
    }

    /// Steps over an escape; its UTF-16 code unit where it is written as `\uXXXX`.
    fn escape(&mut self) -> Result<Option<u16>, Flaw> {
        self.at += 1;
        match self.peek() {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.at += 1;
                Ok(None)
            }
            b'u' => {
                self.at += 1;
                let mut unit = 0_u16;
                for _ in 0..4 {
                    let digit = match self.peek() {
                        byte @ b'0'..=b'9' => byte - b'0',
                        byte @ b'a'..=b'f' => byte - b'a' + 10,
                        byte @ b'A'..=b'F' => byte - b'A' + 10,
                        _ => return Err(self.flaw()),
                    };
                    unit = (unit << 4) | u16::from(digit);
                    self.at += 1;
                }
                Ok(Some(unit))
            }
            _ => Err(self.flaw()),
        }
    }

    /// The end of the array or object at the position, which is inside `outside` others.
    fn nested(mut self, outside: u32) -> Result<usize, Flaw> {
        // The open brackets inside, innermost in the lowest bit: 1 is an object, 0 an array.
        let mut kinds = 0_u128;
        let mut depth = 0_u32;
        loop {
            // A value is due.
            let byte = self.peek();
            if byte == b'{' || byte == b'[' {
                if outside + depth == MAX_DEPTH {
                    return Err(Flaw::Depth(self.at));
                }
                kinds = (kinds << 1) | u128::from(byte == b'{');
                depth += 1;
                self.at += 1;
                self.space();
                if self.peek() != closing(kinds) {
                    self.name_in(kinds)?;
                    continue;
                }
                self.at += 1;
                kinds >>= 1;
                depth -= 1;
            } else if byte == b'"' {
                self.string()?;
            } else {
                self.scalar()?;
            }
            // A value has ended: close what ends with it.
            loop {
                if depth == 0 {
                    return Ok(self.at);
                }
                self.space();
                let byte = self.peek();
                if byte == b',' {
                    break;
                }
                if byte != closing(kinds) {
                    return Err(self.flaw());
                }
                self.at += 1;
                kinds >>= 1;
                depth -= 1;
            }
            self.at += 1;
            self.space();
            self.name_in(kinds)?;
        }
    }

    /// The name and colon before a value, if the innermost open bracket is an object's.
    fn name_in(&mut self, kinds: u128) -> Result<(), Flaw> {
        if kinds & 1 == 1 {
            self.name()?;
            self.colon()?;
        }
        Ok(())
    }
}

/// The bracket that closes the innermost open one.
const fn closing(kinds: u128) -> u8 {
    if kinds & 1 == 1 { b'}' } else { b']' }
}

/// The same byte eight times.
const fn eight(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// The high bits of the bytes of `word` that are `"`, `\` or control characters; of each of the
/// three tests the lowest hit is exact, so of all it is, and bits above it mean nothing
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
#[inline]
const fn stops(word: u64) -> u64 {
    let quote = word ^ eight(b'"');
    let backslash = word ^ eight(b'\\');
    let hits = (quote.wrapping_sub(eight(0x01)) & !quote)
        | (backslash.wrapping_sub(eight(0x01)) & !backslash)
        | (word.wrapping_sub(eight(0x20)) & !word);
    hits & eight(0x80)
}

/// The first position from `at` on that holds `"`, `\` or a control character, or is the end.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<16>) {
        let ([low, high], []) = chunk.as_chunks::<8>() else {
            unreachable!("sixteen bytes are two times eight");
        };
        let hits = stops(u64::from_le_bytes(*low));
        if hits != 0 {
            return at + place_of(hits);
        }
        let hits = stops(u64::from_le_bytes(*high));
        if hits != 0 {
            return at + 8 + place_of(hits);
        }
        at += 16;
    }
    plain_end_of_tail(bytes, at)
}

/// The place of the lowest byte that is hit.
#[inline]
fn place_of(hits: u64) -> usize {
    usize::try_from(hits.trailing_zeros() / 8).expect("a byte's place in a word is at most 7")
}

/// The same for the last few bytes.
#[inline(never)]
fn plain_end_of_tail(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
