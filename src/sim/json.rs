//! A minimal JSON object writer into a reusable buffer.
//!
//! Invariant: what it writes is one valid JSON object in UTF-8. Absent on purpose: allocation,
//! and nesting, which no input needs.

use crate::domain::time::DAY_MS;

/// An object that is being written; [`Object::end`] closes it.
pub(super) struct Object<'a> {
    buffer: &'a mut Vec<u8>,
}

impl<'a> Object<'a> {
    pub fn begin(buffer: &'a mut Vec<u8>) -> Self {
        buffer.push(b'{');
        Self { buffer }
    }

    pub fn end(self) {
        self.buffer.push(b'}');
    }

    /// A field whose text needs no escapes, such as an id or a status.
    pub fn plain(&mut self, name: &str, text: &str) {
        debug_assert!(
            !text.bytes().any(|byte| matches!(byte, b'"' | b'\\') || byte < 0x20),
            "{text} needs escapes"
        );
        self.name(name);
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(b'"');
    }

    /// A field with any text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        write_string(self.buffer, text);
    }

    /// A field with a time in RFC 3339, in ms and UTC.
    pub fn time(&mut self, name: &str, ms: i64) {
        self.name(name);
        self.buffer.push(b'"');
        write_time(self.buffer, ms);
        self.buffer.push(b'"');
    }

    /// A field with an order id of the form 3-7-7.
    pub fn order_id(&mut self, name: &str, number: u64) {
        self.name(name);
        self.buffer.push(b'"');
        write_order_id(self.buffer, number);
        self.buffer.push(b'"');
    }

    /// A field with a prefix and a number of ten digits, such as a claim's id.
    pub fn numbered(&mut self, name: &str, prefix: &str, number: u64) {
        self.name(name);
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(prefix.as_bytes());
        write_digits(self.buffer, number, 10);
        self.buffer.push(b'"');
    }

    /// A field with a single digit.
    pub fn digit(&mut self, name: &str, digit: u8) {
        self.name(name);
        self.buffer.push(b'0' + digit);
    }

    /// A field with a boolean.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.name(name);
        let text: &[u8] = if value { b"true" } else { b"false" };
        self.buffer.extend_from_slice(text);
    }

    fn name(&mut self, name: &str) {
        if self.buffer.last() != Some(&b'{') {
            self.buffer.push(b',');
        }
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b"\":");
    }
}

/// Writes a JSON string with the escapes that JSON demands and no others.
pub(super) fn write_string(buffer: &mut Vec<u8>, text: &str) {
    buffer.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => buffer.extend_from_slice(b"\\\""),
            b'\\' => buffer.extend_from_slice(b"\\\\"),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            0..0x20 => {
                buffer.extend_from_slice(b"\\u00");
                for half in [byte >> 4, byte & 15] {
                    buffer.push(b"0123456789abcdef"[usize::from(half)]);
                }
            }
            _ => buffer.push(byte),
        }
    }
    buffer.push(b'"');
}

/// Writes an instant as `2026-01-31T23:59:59.999Z`; years 0 to 9999.
pub(super) fn write_time(buffer: &mut Vec<u8>, ms: i64) {
    let (year, month, day) = civil(ms.div_euclid(DAY_MS));
    let in_day = ms.rem_euclid(DAY_MS);
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (in_day / 3_600_000, 2, b':'),
        (in_day / 60_000 % 60, 2, b':'),
        (in_day / 1_000 % 60, 2, b'.'),
        (in_day % 1_000, 3, b'Z'),
    ];
    for (number, width, after) in parts {
        write_digits(buffer, number.unsigned_abs(), width);
        buffer.push(after);
    }
}

/// The civil date of a day since 1970-01-01 (Hinnant's `civil_from_days`).
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Writes a number below 10^17 as an order id.
pub(super) fn write_order_id(buffer: &mut Vec<u8>, number: u64) {
    write_digits(buffer, number / 100_000_000_000_000, 3);
    buffer.push(b'-');
    write_digits(buffer, number / 10_000_000 % 10_000_000, 7);
    buffer.push(b'-');
    write_digits(buffer, number % 10_000_000, 7);
}

/// Writes the last `width` digits of a number.
pub(super) fn write_digits(buffer: &mut Vec<u8>, number: u64, width: usize) {
    let start = buffer.len();
    buffer.resize(start + width, b'0');
    let mut rest = number;
    for place in buffer[start..].iter_mut().rev() {
        *place += u8::try_from(rest % 10).expect("a digit is below 10");
        rest /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_says() {
        for (ms, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_772_323_200_001, "2026-03-01T00:00:00.001Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
        ] {
            let mut buffer = Vec::new();
            write_time(&mut buffer, ms);
            assert_eq!(String::from_utf8(buffer).unwrap(), expected);
        }
    }

    #[test]
    fn an_object_is_valid_json() {
        let mut buffer = Vec::new();
        let mut object = Object::begin(&mut buffer);
        object.order_id("order", 30_200_000_070_000_001);
        object.text("text", "a \"b\" \\ \n \u{1f} ü");
        object.digit("stars", 5);
        object.flag("yes", true);
        object.numbered("id", "C", 7);
        object.end();
        let value: serde_json::Value = serde_json::from_slice(&buffer).unwrap();
        assert_eq!(value["order"], "302-0000007-0000001");
        assert_eq!(value["text"], "a \"b\" \\ \n \u{1f} ü");
        assert_eq!(value["id"], "C0000000007");
    }
}
