//! A file of records, one after the other, with as little copied as possible.
//!
//! Invariants: one buffer per file, used again for each record; a record's place is the line that
//! it begins on. A record is a line, or an object set out over several lines as `rpk` does: from a
//! line that is `{` alone to one that is `}` alone (strings have no line ends inside). Absent on
//! purpose: what a record says.

use std::io::{self, BufRead, BufReader, Read};

/// What is read from the operating system at once.
const BUFFER_BYTES: usize = 1 << 18;

/// The longest record as text: the longest value that can be configured (64 MiB), each byte of it
/// escaped to six, and some room.
const MAX_TEXT_BYTES: u64 = 1 << 29;

/// A file of records.
pub struct Lines<R> {
    name: String,
    reader: BufReader<R>,
    text: Vec<u8>,
    /// The line that the present record begins on.
    first: u64,
    last_read: u64,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    /// A file that begins with its first record.
    pub fn new(name: &str, file: R) -> Self {
        Self {
            name: name.to_owned(),
            reader: BufReader::with_capacity(BUFFER_BYTES, file),
            text: Vec::new(),
            first: 0,
            last_read: 0,
            bytes: 0,
        }
    }

    /// Goes on to the next record; `false` at the end. Empty lines are passed over.
    pub fn advance(&mut self) -> io::Result<bool> {
        loop {
            self.text.clear();
            if self.append_line()? == 0 {
                return Ok(false);
            }
            self.first = self.last_read;
            match self.text.trim_ascii() {
                b"" => {}
                b"{" => return self.append_object(),
                _ => return Ok(true),
            }
        }
    }

    /// The present record.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the present record is, as `file:line`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.name, self.first)
    }

    /// Bytes read up to the end of the present record.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn append_line(&mut self) -> io::Result<usize> {
        let held = u64::try_from(self.text.len()).expect("usize has at most 64 bits");
        let room = MAX_TEXT_BYTES.saturating_sub(held);
        let read = (&mut self.reader).take(room).read_until(b'\n', &mut self.text)?;
        let bytes = u64::try_from(read).expect("usize has at most 64 bits");
        self.bytes += bytes;
        if bytes == room {
            return Err(io::Error::other("a record is longer than 512 MiB"));
        }
        self.last_read += u64::from(read > 0);
        Ok(read)
    }

    /// Reads on to the end of an object that is set out over several lines.
    fn append_object(&mut self) -> io::Result<bool> {
        loop {
            let from = self.text.len();
            if self.append_line()? == 0 || self.text[from..].trim_ascii_end() == b"}" {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_lines_or_objects_over_several_lines() {
        let file: &[u8] = b"{\"a\":1}\n\n{\r\n  \"b\": {\r\n  }\r\n}\r\n  \n{\"c\":\"}\"}";
        let mut lines = Lines::new("f", file);
        let mut found = Vec::new();
        while lines.advance().unwrap() {
            found.push((lines.place(), String::from_utf8(lines.text().to_vec()).unwrap()));
        }
        let expected = [
            ("f:1", "{\"a\":1}\n"),
            ("f:3", "{\r\n  \"b\": {\r\n  }\r\n}\r\n"),
            ("f:8", "{\"c\":\"}\"}"),
        ];
        assert_eq!(found, expected.map(|(place, text)| (place.to_owned(), text.to_owned())));
        assert_eq!(lines.bytes(), u64::try_from(file.len()).unwrap());
    }

    #[test]
    fn an_object_that_does_not_end_is_a_record_that_cannot_be_read() {
        let mut lines = Lines::new("f", &b"{\n\"a\":1,\n"[..]);
        assert!(lines.advance().unwrap());
        assert_eq!(lines.text(), b"{\n\"a\":1,\n");
        assert!(!lines.advance().unwrap());
    }
}
