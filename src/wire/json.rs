//! A strict scanner for RFC 8259, which checks every byte and keeps only the top level.
//!
//! Invariants: one pass, no recursion and no memory of its own, so that time is linear in the
//! input whatever it holds; whatever it accepts is JSON, and whatever it refuses is not (or is
//! nested deeper than [`MAX_DEPTH`]). Absent on purpose: numbers as numbers and strings as
//! strings; a caller that wants one looks into the token. `serde_json` is not used here for three
//! reasons: its `IgnoredAny` has no limit of depth, its typed errors come in the order of the
//! bytes and not in the order of the reasons of a dead letter, and this is three times as fast.

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

/// A string as it is written: between its quotes, escapes untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted<'a> {
    /// What is between the quotes.
    pub raw: &'a str,
    /// Whether there are escapes in it.
    pub escaped: bool,
    /// Whether a `\u` escape in it is half of a surrogate pair without the other half.
    pub unpaired: bool,
}

/// A value at the top level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it is written.
    Number(&'a str),
    /// A string.
    Text(Quoted<'a>),
    /// An array or an object, checked and dropped.
    Nested,
}

/// What the outermost value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outermost {
    /// An object, whose members are next.
    Object,
    /// Anything else, checked to the end of the text.
    Other,
}

/// A position in a text that is being scanned.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    first: bool,
}

impl<'a> Scanner<'a> {
    /// Begins at the start of a text.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, first: true }
    }

    /// Opens the outermost value.
    pub(super) fn open(&mut self) -> Result<Outermost, Flaw> {
        self.space();
        if self.peek() == b'{' {
            self.at += 1;
            return Ok(Outermost::Object);
        }
        self.value(0)?;
        self.end()?;
        Ok(Outermost::Other)
    }

    /// The next member of the outermost object; `None` when it is closed and the text is at its
    /// end.
    #[inline]
    pub(super) fn member(&mut self) -> Result<Option<(Quoted<'a>, Token<'a>)>, Flaw> {
        self.space();
        match self.peek() {
            b'}' => {
                self.at += 1;
                self.end()?;
                return Ok(None);
            }
            b',' if !self.first => {
                self.at += 1;
                self.space();
            }
            _ if self.first => self.first = false,
            _ => return Err(self.flaw()),
        }
        let name = self.name()?;
        let value = self.value(1)?;
        Ok(Some((name, value)))
    }

    /// The byte at the position. The end reads as 0x00, which is in no place of the grammar.
    #[inline]
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
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
    fn end(&mut self) -> Result<(), Flaw> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.flaw()) }
    }

    /// A member's name, its colon and the space after it.
    #[inline]
    fn name(&mut self) -> Result<Quoted<'a>, Flaw> {
        if self.peek() != b'"' {
            return Err(self.flaw());
        }
        let name = self.string()?;
        self.space();
        if self.peek() != b':' {
            return Err(self.flaw());
        }
        self.at += 1;
        self.space();
        Ok(name)
    }

    /// A value that is inside `depth` arrays and objects.
    #[inline]
    fn value(&mut self, depth: u32) -> Result<Token<'a>, Flaw> {
        match self.peek() {
            b'"' => Ok(Token::Text(self.string()?)),
            b'{' | b'[' => {
                self.nested(depth)?;
                Ok(Token::Nested)
            }
            b't' => self.literal("true", Token::Bool(true)),
            b'f' => self.literal("false", Token::Bool(false)),
            b'n' => self.literal("null", Token::Null),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &str, token: Token<'a>) -> Result<Token<'a>, Flaw> {
        let end = self.at + word.len();
        if self.text.as_bytes().get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.flaw());
        }
        self.at = end;
        Ok(token)
    }

    fn number(&mut self) -> Result<Token<'a>, Flaw> {
        let start = self.at;
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
        Ok(Token::Number(&self.text[start..self.at]))
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
    #[inline]
    fn string(&mut self) -> Result<Quoted<'a>, Flaw> {
        let start = self.at + 1;
        self.at = plain_end(self.text.as_bytes(), start);
        if self.peek() == b'"' {
            let raw = &self.text[start..self.at];
            self.at += 1;
            return Ok(Quoted { raw, escaped: false, unpaired: false });
        }
        self.escaped_string(start)
    }

    /// The rest of a string that began at `start` and is plain up to the position.
    #[cold]
    fn escaped_string(&mut self, start: usize) -> Result<Quoted<'a>, Flaw> {
        let mut unpaired = false;
        // Whether the escape of a high surrogate ends at the position.
        let mut after_high = false;
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    let unit = self.escape()?;
                    let is_low = matches!(unit, Some(0xDC00..=0xDFFF));
                    unpaired |= after_high != is_low;
                    after_high = matches!(unit, Some(0xD800..=0xDBFF));
                }
                _ => return Err(self.flaw()),
            }
            let end = plain_end(self.text.as_bytes(), self.at);
            if after_high && end != self.at {
                unpaired = true;
                after_high = false;
            }
            self.at = end;
        }
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(Quoted { raw, escaped: true, unpaired: unpaired || after_high })
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

    /// Checks an array or object whose opening bracket is at the position, inside `outside` others.
    fn nested(&mut self, outside: u32) -> Result<(), Flaw> {
        // The open brackets inside, innermost in the lowest bit: 1 is an object, 0 an array.
        let mut kinds = 0_u128;
        let mut depth = 0_u32;
        loop {
            // A value is due.
            let bracket = self.peek();
            if bracket == b'{' || bracket == b'[' {
                if outside + depth == MAX_DEPTH {
                    return Err(Flaw::Depth(self.at));
                }
                let is_object = bracket == b'{';
                kinds = (kinds << 1) | u128::from(is_object);
                depth += 1;
                self.at += 1;
                self.space();
                if self.peek() != closing(kinds) {
                    if is_object {
                        self.name()?;
                    }
                    continue;
                }
                self.at += 1;
                kinds >>= 1;
                depth -= 1;
            } else {
                // Not a bracket, so this is no recursion.
                self.scalar()?;
            }
            // A value has ended: close what ends with it.
            loop {
                if depth == 0 {
                    return Ok(());
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
            if kinds & 1 == 1 {
                self.name()?;
            }
        }
    }

    /// A value that is neither array nor object.
    fn scalar(&mut self) -> Result<(), Flaw> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b't' => self.literal("true", Token::Null).map(drop),
            b'f' => self.literal("false", Token::Null).map(drop),
            b'n' => self.literal("null", Token::Null).map(drop),
            _ => self.number().map(drop),
        }
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

/// The high bit of the lowest byte of `word` that is zero is set; bits above it mean nothing
/// (<https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord>).
const fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(eight(0x01)) & !word & eight(0x80)
}

/// The first position from `at` on that holds `"`, `\` or a control character, or is the end.
/// Eight bytes at a time: of each of the three tests the lowest hit is exact, so of all is.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(eight(0x20)) & !word & eight(0x80);
        let hits = control | zero_byte(word ^ eight(b'"')) | zero_byte(word ^ eight(b'\\'));
        if hits != 0 {
            let bytes_before = usize::try_from(hits.trailing_zeros() / 8);
            return at + bytes_before.expect("a byte's place in a word is at most 7");
        }
        at += 8;
    }
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
