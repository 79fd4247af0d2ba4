//! Numbers and texts as bytes: little-endian base-128, and lengths before what is of any length.

use super::{BlockKind, ImageError};
use crate::domain::ids::MAX_ID_BYTES;

/// Appends a number, seven bits to a byte.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends a number that may be negative; those near 0 are short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    let folded = (value << 1) ^ (value >> 63);
    put(out, u64::from_le_bytes(folded.to_le_bytes()));
}

/// Appends a number, or that there is none.
pub(super) fn put_optional(out: &mut Vec<u8>, value: Option<i64>) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put_signed(out, value);
    }
}

/// Appends a count.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    put(out, u64::try_from(count).expect("usize has at most 64 bits"));
}

/// Appends an id of at most 64 bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_count(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0] & 0x7F
}

/// Reads a block from its beginning to its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    kind: BlockKind,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(kind: BlockKind, block: &'a [u8]) -> Self {
        Self { kind, rest: block }
    }

    pub(super) const fn error(&self, what: &'static str) -> ImageError {
        ImageError::Malformed { kind: self.kind, what }
    }

    pub(super) fn byte(&mut self) -> Result<u8, ImageError> {
        let (first, rest) = self.rest.split_first().ok_or(self.error("it ends early"))?;
        self.rest = rest;
        Ok(*first)
    }

    /// A flag: 0 or 1.
    pub(super) fn flag(&mut self) -> Result<bool, ImageError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a flag is neither 0 nor 1")),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, ImageError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.error("a number is too long"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, ImageError> {
        let folded = self.number()?;
        let half = i64::from_le_bytes((folded >> 1).to_le_bytes());
        Ok(if folded & 1 == 1 { !half } else { half })
    }

    pub(super) fn optional(&mut self) -> Result<Option<i64>, ImageError> {
        Ok(if self.flag()? { Some(self.signed()?) } else { None })
    }

    /// A number of 32 bits that is below a limit.
    pub(super) fn below(&mut self, limit: usize) -> Result<u32, ImageError> {
        let number = self.number()?;
        u32::try_from(number)
            .ok()
            .filter(|_| usize::try_from(number).is_ok_and(|number| number < limit))
            .ok_or(self.error("a number refers to nothing"))
    }

    /// A count of entries that take at least one byte each.
    pub(super) fn count(&mut self) -> Result<usize, ImageError> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.rest.len())
            .ok_or(self.error("it ends before its entries"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, ImageError> {
        let length = self.count()?;
        if length > MAX_ID_BYTES {
            return Err(self.error("an id is too long"));
        }
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        str::from_utf8(text).map_err(|_| self.error("an id is not UTF-8"))
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(self.error("it ends early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// As many bytes as [`Reader::count`] gave.
    pub(super) fn slice(&mut self, length: usize) -> Result<&'a [u8], ImageError> {
        let ends_early = self.error("it ends early");
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(ends_early)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(super) fn end(&self) -> Result<(), ImageError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.error("it goes on after its end")) }
    }
}
