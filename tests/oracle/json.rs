//! Owns the grammar of RFC 8259: a text is either JSON or not, and an object gives its members.
//!
//! Only names and values of the top level are kept. Numbers are kept as they are written, and no
//! number is too large. Nothing here recurses.

/// How deep arrays and objects may lie in each other.
const MAX_DEPTH: usize = 127;

/// A JSON text.
#[derive(Debug, PartialEq)]
pub enum Document {
    Object(Vec<Member>),
    /// Anything that is not an object.
    Other,
}

/// A member of the top-level object.
#[derive(Debug, PartialEq)]
pub struct Member {
    /// None if it has an unpaired surrogate.
    pub name: Option<String>,
    pub value: Value,
}

/// A value at the top level.
#[derive(Debug, PartialEq)]
pub enum Value {
    Null,
    Flag(bool),
    /// As it is written.
    Number(String),
    /// None if it has an unpaired surrogate.
    Text(Option<String>),
    /// An array or an object.
    Nested,
}

/// Reads a text; None if it is not JSON or is nested too deep.
pub fn read(text: &str) -> Option<Document> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    scanner.space();
    let document = if scanner.peek()? == b'{' {
        Document::Object(scanner.members()?)
    } else {
        scanner.skip_value(0)?;
        Document::Other
    };
    scanner.space();
    (scanner.at == scanner.bytes.len()).then_some(document)
}

/// A position in the text; a method moves it past what it names, or returns None.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn members(&mut self) -> Option<Vec<Member>> {
        let mut members = Vec::new();
        self.expect(b'{')?;
        self.space();
        if self.eat(b'}') {
            return Some(members);
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value()?;
            members.push(Member { name: unescape(&name), value });
            self.space();
            if self.eat(b'}') {
                return Some(members);
            }
            self.expect(b',')?;
        }
    }

    /// A value directly in the top-level object.
    fn value(&mut self) -> Option<Value> {
        let start = self.at;
        let first = self.peek()?;
        if first == b'"' {
            return Some(Value::Text(unescape(&self.string()?)));
        }
        self.skip_value(1)?;
        Some(match first {
            b'{' | b'[' => Value::Nested,
            b'n' => Value::Null,
            b't' => Value::Flag(true),
            b'f' => Value::Flag(false),
            _ => {
                let number = std::str::from_utf8(&self.bytes[start..self.at]);
                Value::Number(number.expect("a number is ASCII").to_owned())
            }
        })
    }

    /// Any value, of which `above` arrays and objects are open already.
    fn skip_value(&mut self, above: usize) -> Option<()> {
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.space();
            match self.peek()? {
                bracket @ (b'{' | b'[') => {
                    self.at += 1;
                    open.push(bracket);
                    if above + open.len() > MAX_DEPTH {
                        return None;
                    }
                    self.space();
                    let empty = self.eat(if bracket == b'{' { b'}' } else { b']' });
                    if empty {
                        open.pop();
                    } else {
                        self.name_in(bracket)?;
                        continue;
                    }
                }
                b'"' => {
                    self.string()?;
                }
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => self.number()?,
            }
            // A value is complete: another follows it, or what it lies in is closed.
            loop {
                let Some(&bracket) = open.last() else {
                    return Some(());
                };
                self.space();
                if self.eat(b',') {
                    self.name_in(bracket)?;
                    break;
                }
                self.expect(if bracket == b'{' { b'}' } else { b']' })?;
                open.pop();
            }
        }
    }

    /// The name and colon before a value, where it lies in an object.
    fn name_in(&mut self, bracket: u8) -> Option<()> {
        if bracket == b'[' {
            return Some(());
        }
        self.space();
        self.string()?;
        self.space();
        self.expect(b':')
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let end = self.at + word.len();
        (self.bytes.get(self.at..end)? == word).then(|| self.at = end)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        Some(())
    }

    /// The characters between the quotes, escapes and all.
    fn string(&mut self) -> Option<String> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                0x00..=0x1F => return None,
                b'\\' => {
                    self.at += 1;
                    match self.peek()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let hex = self.bytes.get(self.at + 1..self.at + 5)?;
                            if !hex.iter().all(u8::is_ascii_hexdigit) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                _ => self.at += 1,
            }
        }
        let inner = std::str::from_utf8(&self.bytes[start..self.at]);
        self.at += 1;
        Some(inner.expect("cut at quotes, which are ASCII").to_owned())
    }
}

/// Resolves the escapes of a string that is grammatical; None at an unpaired surrogate.
fn unescape(raw: &str) -> Option<String> {
    // All of it becomes UTF-16, in which the escapes are written anyway.
    let mut units: Vec<u16> = Vec::new();
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            units.extend(character.encode_utf16(&mut [0; 2]).iter());
            continue;
        }
        let unit = match rest.next().expect("the grammar was checked") {
            'b' => 0x08,
            'f' => 0x0C,
            'n' => 0x0A,
            'r' => 0x0D,
            't' => 0x09,
            'u' => {
                let hex: String = rest.by_ref().take(4).collect();
                u16::from_str_radix(&hex, 16).expect("the grammar was checked")
            }
            itself => u16::try_from(u32::from(itself)).expect("a quote, slash or backslash"),
        };
        units.push(unit);
    }
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted_by_serde(text: &str) -> bool {
        serde_json::from_str::<Box<serde_json::value::RawValue>>(text).is_ok()
    }

    #[test]
    fn the_grammar_is_that_of_rfc_8259() {
        let good = [
            "{}",
            " { } ",
            "[]",
            "0",
            "-0",
            "1.5e+3",
            "1E9",
            "1e-7",
            "1e999",
            "\"\"",
            "null",
            "true",
            "false",
            "{\"a\":[1,{\"b\":null}],\"c\":\"\\u00e9\\n\"}",
            "\t\r\n1 ",
            "[[],[{}]]",
            "\"\\ud800\"",
            "\"\u{7f}é😀\"",
            "{\"\":{}}",
        ];
        let bad = [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "nul",
            "truee",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "\"",
            "{\"a\"}",
            "{\"a\":}",
            "1 2",
            "[1 2]",
            "\u{feff}{}",
            "'a'",
            "NaN",
            "{\"a\":1]",
            "[1}",
            "{,}",
            "[,]",
            "\u{a0}1",
            "{\"a\":1 \"b\":2}",
            "{1:2}",
            "-a",
            "--1",
        ];
        for text in good {
            assert!(read(text).is_some(), "{text}");
            assert!(accepted_by_serde(text), "{text}");
        }
        for text in bad {
            assert_eq!(read(text), None, "{text}");
            assert!(!accepted_by_serde(text), "{text}");
        }
    }

    #[test]
    fn random_texts_are_judged_as_by_serde_json() {
        let pieces = [
            "{", "}", "[", "]", ",", ":", "\"a\"", "\"", "\\u0041", "\\", "1", "-", "0", ".", "e",
            "true", "null", " ", "é",
        ];
        let mut random: u64 = 88_172_645_463_325_252;
        let mut accepted = 0;
        for _ in 0..200_000 {
            let mut text = String::new();
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut bits = random;
            for _ in 0..=(random % 11) {
                let count = u64::try_from(pieces.len()).expect("a small array");
                let index = usize::try_from(bits % count).expect("below a small number");
                text.push_str(pieces[index]);
                bits /= count;
            }
            let judged = read(&text).is_some();
            assert_eq!(judged, accepted_by_serde(&text), "{text}");
            accepted += u32::from(judged);
        }
        assert!(accepted > 1_000, "{accepted}");
    }

    #[test]
    fn nesting_of_127_is_the_deepest() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| {
                let inner = if open == "[" { "" } else { "1" };
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            };
            assert!(read(&nested(127)).is_some());
            assert!(read(&nested(128)).is_none());
        }
        let in_object =
            |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&in_object(126)).is_some());
        assert!(read(&in_object(127)).is_none());
    }

    #[test]
    fn members_keep_what_the_top_level_says() {
        let text =
            r#"{"a\u0062":"\ud83d\ude00\/","n":-1.50,"z":null,"b":true,"o":{"x":1},"l":"\ude00"}"#;
        let member = |name: &str, value| Member { name: Some(name.to_owned()), value };
        assert_eq!(
            read(text),
            Some(Document::Object(vec![
                member("ab", Value::Text(Some("😀/".to_owned()))),
                member("n", Value::Number("-1.50".to_owned())),
                member("z", Value::Null),
                member("b", Value::Flag(true)),
                member("o", Value::Nested),
                member("l", Value::Text(None)),
            ]))
        );
        let unpaired = read(r#"{"\ud83d":1}"#);
        assert_eq!(
            unpaired,
            Some(Document::Object(vec![Member {
                name: None,
                value: Value::Number("1".to_owned())
            }]))
        );
    }
}
