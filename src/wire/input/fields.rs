//! The known fields of one record as they were found, and the questions that topics ask of them.
//!
//! Invariants: the grammar of everything in here is already checked; no escape is left in a
//! string that is asked for; `null` is absent. Every question is answered with [`Fault::Bad`]
//! where a field that is there does not hold what it must.

use crate::domain::event::Topic;
use crate::domain::time::EventTime;
use crate::wire::json::{Flaw, Outermost, Quoted, Scanner, Token};
use crate::wire::time::parse_instant;

use super::cause::Fault;
use super::field::{COUNT, Field};

/// The known fields of a record.
pub(super) struct Fields<'a>([Token<'a>; COUNT]);

impl<'a> Fields<'a> {
    /// Scans a whole record; the first of `parse`, `duplicate_key` and "not an object" that
    /// applies to it, in this order, is the fault. `scratch` is for strings with escapes.
    pub(super) fn scan(
        text: &'a str,
        topic: Topic,
        scratch: &'a mut String,
    ) -> Result<Self, Fault> {
        let mut scanner = Scanner::new(text);
        if scanner.open().map_err(of_flaw)? == Outermost::Other {
            return Err(Fault::NotAnObject);
        }
        let mut tokens = [Token::Null; COUNT];
        let mut seen = 0_u32;
        let mut has_escapes = false;
        let mut unpaired = None;
        let mut twice = None;
        while let Some((name, token)) = scanner.member().map_err(of_flaw)? {
            if name.unpaired {
                unpaired = unpaired.or(Some(Fault::UnpairedInName));
            }
            let Some(field) = field_of(name, topic) else {
                continue;
            };
            let bit = 1 << field.index();
            if seen & bit != 0 {
                twice = twice.or(Some(Fault::Duplicate(field)));
            }
            seen |= bit;
            if let Token::Text(value) = token
                && value.escaped
            {
                if value.unpaired {
                    unpaired = unpaired.or(Some(Fault::UnpairedInField(field)));
                }
                // What a buyer wrote is never looked into.
                has_escapes |= field != Field::Comment;
            }
            tokens[field.index()] = token;
        }
        if let Some(fault) = unpaired.or(twice) {
            return Err(fault);
        }
        if has_escapes {
            resolve(&mut tokens, scratch);
        }
        Ok(Self(tokens))
    }

    /// Checks that all of these are there; the first one that is not is the fault.
    pub(super) fn require(&self, fields: &[Field]) -> Result<(), Fault> {
        match fields.iter().find(|field| self.0[field.index()] == Token::Null) {
            Some(field) => Err(Fault::Missing(*field)),
            None => Ok(()),
        }
    }

    /// A string, where there is one.
    #[inline]
    pub(super) fn text(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        match self.0[field.index()] {
            Token::Null => Ok(None),
            Token::Text(text) => Ok(Some(text.raw)),
            _ => Err(Fault::Bad(field)),
        }
    }

    /// A string that stands for something, where there is one.
    #[inline]
    pub(super) fn choice<T>(
        &self,
        field: Field,
        meaning: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        match self.text(field)? {
            None => Ok(None),
            Some(text) => meaning(text).map(Some).ok_or(Fault::Bad(field)),
        }
    }

    /// The same of a field that [`Fields::require`] has seen.
    #[inline]
    pub(super) fn required<T>(
        &self,
        field: Field,
        meaning: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Fault> {
        self.choice(field, meaning)?.ok_or(Fault::Missing(field))
    }

    /// An RFC 3339 time, where there is one.
    #[inline]
    pub(super) fn time(&self, field: Field) -> Result<Option<EventTime>, Fault> {
        self.choice(field, |text| parse_instant(text).map(EventTime::from_ms))
    }

    /// A truth value, where there is one.
    #[inline]
    pub(super) fn flag(&self, field: Field) -> Result<Option<bool>, Fault> {
        match self.0[field.index()] {
            Token::Null => Ok(None),
            Token::Bool(truth) => Ok(Some(truth)),
            _ => Err(Fault::Bad(field)),
        }
    }

    /// The digits of a number as they are written, where there is one.
    pub(super) fn number(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        match self.0[field.index()] {
            Token::Null => Ok(None),
            Token::Number(digits) => Ok(Some(digits)),
            _ => Err(Fault::Bad(field)),
        }
    }
}

const fn of_flaw(flaw: Flaw) -> Fault {
    match flaw {
        Flaw::Grammar(at) => Fault::NotJson { at },
        Flaw::Depth(at) => Fault::TooDeep { at },
    }
}

#[inline]
fn field_of(name: Quoted<'_>, topic: Topic) -> Option<Field> {
    if !name.escaped {
        return Field::of_name(name.raw.as_bytes(), topic);
    }
    if name.unpaired {
        return None;
    }
    Field::of_name(unescape(name.raw).as_bytes(), topic)
}

/// Puts strings without escapes in place of those with them.
#[cold]
fn resolve<'a>(tokens: &mut [Token<'a>; COUNT], scratch: &'a mut String) {
    let mut ends = [0; COUNT];
    scratch.clear();
    for (end, token) in ends.iter_mut().zip(tokens.iter()) {
        if let Token::Text(text) = token
            && text.escaped
            && !text.unpaired
        {
            scratch.push_str(&unescape(text.raw));
        }
        *end = scratch.len();
    }
    let resolved: &'a str = scratch;
    let mut start = 0;
    for (end, token) in ends.into_iter().zip(tokens.iter_mut()) {
        if let Token::Text(text) = token
            && text.escaped
        {
            text.raw = &resolved[start..end];
            text.escaped = false;
        }
        start = end;
    }
}

/// What a string with escapes means.
#[cold]
fn unescape(raw: &str) -> String {
    serde_json::from_str(&format!("\"{raw}\""))
        .expect("the scanner checked the string's grammar and its surrogates")
}
