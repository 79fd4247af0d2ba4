//! The known fields of one record as they were found, and the questions that topics ask of them.
//!
//! Invariants: the grammar of everything in here is already checked; no escape is left in a
//! string that is asked for; `null` is absent. Every question is answered with [`Fault::Bad`]
//! where a field that is there does not hold what it must.

use crate::domain::event::Topic;
use crate::domain::time::EventTime;
use crate::wire::json::{Escapes, Flaw, Kind, Member, Outermost, Scanner};
use crate::wire::time::parse_instant;

use super::cause::Fault;
use super::field::{COUNT, Field};

/// A field's value.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub kind: Kind,
    /// As it is written; of a string, what is between the quotes. Of a truth value and of what
    /// is nested, nobody asks for it; of a comment, only [`Fields::comment`] does.
    pub raw: &'a str,
}

impl Value<'_> {
    /// What is absent.
    pub(super) const NULL: Value<'static> = Value { kind: Kind::Null, raw: "" };
}

/// The known fields of a record.
pub(super) struct Fields<'a>([Value<'a>; COUNT]);

impl<'a> Fields<'a> {
    /// No fields.
    pub(super) const fn new() -> Self {
        Self([Value::NULL; COUNT])
    }

    /// A field's value.
    #[inline]
    pub(super) fn get_mut(&mut self, field: Field) -> &mut Value<'a> {
        &mut self.0[field.index()]
    }

    /// Scans a whole record; the first of `parse`, `duplicate_key` and "not an object" that
    /// applies to it, in this order, is the fault. `scratch` is for strings with escapes.
    #[inline]
    pub(super) fn scan(
        &mut self,
        text: &'a str,
        topic: Topic,
        scratch: &'a mut String,
    ) -> Result<(), Fault> {
        let mut scanner = Scanner::new(text);
        if scanner.open().map_err(of_flaw)? == Outermost::Other {
            return Err(Fault::NotAnObject);
        }
        let mut seen = 0_u32;
        let mut has_escapes = false;
        let mut unpaired = None;
        let mut twice = None;
        while let Some(member) = scanner.member().map_err(of_flaw)? {
            if member.name_escapes == Escapes::Unpaired {
                unpaired = unpaired.or(Some(Fault::UnpairedInName));
            }
            let Some(field) = field_of(&member, topic) else {
                continue;
            };
            let bit = 1 << field.index();
            if seen & bit != 0 {
                twice = twice.or(Some(Fault::Duplicate(field)));
            }
            seen |= bit;
            match member.kind {
                // What a buyer wrote is not looked into unless it is asked for.
                Kind::Text(Escapes::Some) => has_escapes |= field != Field::Comment,
                Kind::Text(Escapes::Unpaired) => {
                    unpaired = unpaired.or(Some(Fault::UnpairedInField(field)));
                }
                _ => {}
            }
            *self.get_mut(field) = Value { kind: member.kind, raw: scanner.raw_value(&member) };
        }
        if let Some(fault) = unpaired.or(twice) {
            return Err(fault);
        }
        if has_escapes {
            self.resolve(scratch);
        }
        Ok(())
    }

    /// Puts strings without escapes in place of those with them.
    #[cold]
    fn resolve(&mut self, scratch: &'a mut String) {
        let mut ends = [0; COUNT];
        scratch.clear();
        for (end, value) in ends.iter_mut().zip(&self.0) {
            if value.kind == Kind::Text(Escapes::Some) {
                scratch.push_str(&unescape(value.raw));
            }
            *end = scratch.len();
        }
        let resolved: &'a str = scratch;
        let mut start = 0;
        for (end, value) in ends.into_iter().zip(&mut self.0) {
            if value.kind == Kind::Text(Escapes::Some) {
                *value = Value { kind: Kind::Text(Escapes::None), raw: &resolved[start..end] };
            }
            start = end;
        }
    }

    /// Checks that all of these are there; the first one that is not is the fault.
    pub(super) fn require(&self, fields: &[Field]) -> Result<(), Fault> {
        match fields.iter().find(|field| self.0[field.index()].kind == Kind::Null) {
            Some(field) => Err(Fault::Missing(*field)),
            None => Ok(()),
        }
    }

    /// A string, where there is one.
    #[inline]
    pub(super) fn text(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        let Value { kind, raw } = self.0[field.index()];
        match kind {
            Kind::Null => Ok(None),
            Kind::Text(_) => Ok(Some(raw)),
            _ => Err(Fault::Bad(field)),
        }
    }

    /// The comment as it was meant, empty where there is none; only after [`Fields::scan`].
    pub(super) fn comment(&self) -> String {
        let Value { kind, raw } = self.0[Field::Comment.index()];
        match kind {
            Kind::Text(Escapes::None) => raw.to_owned(),
            Kind::Text(_) => unescape(raw),
            _ => String::new(),
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
        match self.0[field.index()].kind {
            Kind::Null => Ok(None),
            Kind::True => Ok(Some(true)),
            Kind::False => Ok(Some(false)),
            _ => Err(Fault::Bad(field)),
        }
    }

    /// The digits of a number as they are written, where there is one.
    pub(super) fn number(&self, field: Field) -> Result<Option<&'a str>, Fault> {
        let Value { kind, raw } = self.0[field.index()];
        match kind {
            Kind::Null => Ok(None),
            Kind::Number => Ok(Some(raw)),
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
fn field_of(member: &Member<'_>, topic: Topic) -> Option<Field> {
    match member.name_escapes {
        Escapes::None => Field::of_name(member.name, topic),
        Escapes::Some => {
            let name = std::str::from_utf8(member.name).expect("a part of a text is a text");
            Field::of_name(unescape(name).as_bytes(), topic)
        }
        Escapes::Unpaired => None,
    }
}

/// What a string with escapes means.
#[cold]
fn unescape(raw: &str) -> String {
    serde_json::from_str(&format!("\"{raw}\""))
        .expect("the scanner checked the string's grammar and its surrogates")
}
