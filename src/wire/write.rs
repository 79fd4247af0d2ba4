//! Writing JSON without spaces: members in the order of the calls, straight into the output.
//!
//! Invariant: commas and brackets are right whatever the calls; strings are escaped as `serde_json`
//! does. Names are constants of ours that need no escaping. Absent on purpose: a tree of values.

use std::fmt::Display;
use std::io::Write;

use crate::domain::rate::{Headroom, Rate};
use crate::domain::time::Day;

use super::time::{write_day, write_instant};

/// The members of an object that is open in the output.
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

/// Writes an object whose members `fill` writes.
pub(super) fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>)) {
    out.push(b'{');
    fill(&mut Object { out, is_empty: true });
    out.push(b'}');
}

/// Writes a string with its quotes.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing a string to memory cannot fail");
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 0xF)]));
        text
    })
}

const HEX: [u8; 16] = *b"0123456789abcdef";

fn integer(out: &mut Vec<u8>, value: i128) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Writes what is a JSON token as text.
fn token(out: &mut Vec<u8>, value: impl Display) {
    write!(out, "{value}").expect("writing to memory cannot fail");
}

impl Object<'_> {
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        debug_assert!(name.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\'));
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string.
    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        string(self.name(name), text);
    }

    /// A string, or null.
    pub(super) fn optional_text(&mut self, name: &'static str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    /// An integer.
    pub(super) fn integer(&mut self, name: &'static str, value: impl Into<i128>) {
        integer(self.name(name), value.into());
    }

    /// A truth value.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) {
        self.name(name).extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// A truth value, or null.
    pub(super) fn optional_flag(&mut self, name: &'static str, value: Option<bool>) {
        match value {
            Some(value) => self.flag(name, value),
            None => self.null(name),
        }
    }

    /// Null.
    pub(super) fn null(&mut self, name: &'static str) {
        self.name(name).extend_from_slice(b"null");
    }

    /// A number of millionths with exactly six decimals, or null.
    pub(super) fn millionths(&mut self, name: &'static str, value: Option<u64>) {
        let Some(value) = value else {
            return self.null(name);
        };
        let (whole, part) = (value / 1_000_000, value % 1_000_000);
        token(self.name(name), format_args!("{whole}.{part:06}"));
    }

    /// A token that is JSON already.
    pub(super) fn verbatim(&mut self, name: &'static str, json: &'static str) {
        self.name(name).extend_from_slice(json.as_bytes());
    }

    /// A day, `YYYY-MM-DD`.
    pub(super) fn day(&mut self, name: &'static str, day: Day) {
        let out = self.name(name);
        out.push(b'"');
        write_day(day, out);
        out.push(b'"');
    }

    /// A day, or null.
    pub(super) fn optional_day(&mut self, name: &'static str, day: Option<Day>) {
        match day {
            Some(day) => self.day(name, day),
            None => self.null(name),
        }
    }

    /// An instant in ms, as RFC 3339 with milliseconds.
    pub(super) fn instant(&mut self, name: &'static str, ms: i64) {
        let out = self.name(name);
        out.push(b'"');
        write_instant(ms, out);
        out.push(b'"');
    }

    /// A day at a minute, `YYYY-MM-DDThh:mmZ`.
    pub(super) fn minute(&mut self, name: &'static str, day: Day, minute: &'static str) {
        let out = self.name(name);
        out.push(b'"');
        write_day(day, out);
        out.push(b'T');
        out.extend_from_slice(minute.as_bytes());
        out.extend_from_slice(b"Z\"");
    }

    /// An object.
    pub(super) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        object(self.name(name), fill);
    }

    /// An array of objects, one for each item.
    pub(super) fn objects<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Object<'_>, T),
    ) {
        let out = self.name(name);
        out.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            object(out, |members| fill(members, item));
        }
        out.push(b']');
    }

    /// An array of integers.
    pub(super) fn integers(&mut self, name: &'static str, items: &[i64]) {
        let out = self.name(name);
        out.push(b'[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            integer(out, i128::from(*item));
        }
        out.push(b']');
    }

    /// An array of strings.
    pub(super) fn texts(&mut self, name: &'static str, items: &[&str]) {
        let out = self.name(name);
        out.push(b'[');
        for (place, item) in items.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            string(out, item);
        }
        out.push(b']');
    }

    /// The two numbers of a rate.
    pub(super) fn rate(&mut self, name: &'static str, rate: Rate) {
        self.object(name, |members| {
            members.integer("orders", rate.orders);
            members.integer("defective_orders", rate.defective);
        });
    }

    /// Orders with at least one counted defect, by kind.
    pub(super) fn by_kind(&mut self, by_kind: [u32; 3]) {
        let [feedback, claim, chargeback] = by_kind;
        self.object("by_kind", |members| {
            members.integer("negative_feedback", feedback);
            members.integer("claim", claim);
            members.integer("chargeback", chargeback);
        });
    }

    /// How far an account is from a threshold.
    pub(super) fn headroom(&mut self, headroom: Headroom) {
        self.object("headroom", |members| {
            members.integer("defects_left", headroom.defects_left);
            members.integer("orders_needed", headroom.orders_needed);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_separated_and_strings_escaped() {
        let mut out = Vec::new();
        object(&mut out, |members| {
            members.text("a", "\"\\\n\u{1}\u{7f}/é\u{2028}");
            members.object("b", |_| {});
            members.objects("c", [1, 2], |inner, item| inner.integer("d", item));
            members.integers("e", &[]);
            members.optional_text("f", None);
            members.millionths("g", Some(10_416));
            members.millionths("h", Some(1_000_000));
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"a\":\"\\\"\\\\\\n\\u0001\u{7f}/é\u{2028}\",\"b\":{},\"c\":[{\"d\":1},{\"d\":2}],\
             \"e\":[],\"f\":null,\"g\":0.010416,\"h\":1.000000}"
        );
    }
}
