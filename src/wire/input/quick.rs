//! The quick path: `serde_json` fills the known fields of a record that is plainly good.
//!
//! Invariant: it gives up rather than decide. What it fills in, [`Fields::scan`] would fill in
//! just so, and whatever is odd (a known field twice, an escape in a name or in a known string, a
//! value of another kind than the field's, deep nesting, any error) is left to that scanner, which
//! may still find the record good. Nothing is allocated, except that `serde_json` keeps a few
//! bytes for an unknown member nested twice and more.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::domain::event::Topic;
use crate::wire::json::{Escapes, Kind, MAX_DEPTH};

use super::field::Field;
use super::fields::{Fields, Value};

/// Fills in the fields of a record; `None` where it must be scanned.
#[inline]
pub(super) fn read<'a>(text: &'a str, topic: Topic, fields: &mut Fields<'a>) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Members { topic, fields }.deserialize(&mut deserializer).ok()?;
    deserializer.end().ok()
}

/// The members of the outermost object.
struct Members<'f, 'a> {
    topic: Topic,
    fields: &'f mut Fields<'a>,
}

impl<'a> DeserializeSeed<'a> for Members<'_, 'a> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Members<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    #[inline]
    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = 0_u32;
        while let Some(field) = members.next_key_seed(Name(self.topic))? {
            let Some(field) = field else {
                check_depth(members.next_value::<&RawValue>()?.get())?;
                continue;
            };
            let bit = 1 << field.index();
            if seen & bit != 0 {
                return Err(given_up());
            }
            seen |= bit;
            let value = self.fields.get_mut(field);
            match field {
                Field::Rating => *value = number(members.next_value::<&RawValue>()?.get())?,
                Field::Comment => *value = comment(members.next_value::<&RawValue>()?.get())?,
                _ => members.next_value_seed(Plain(value))?,
            }
        }
        Ok(())
    }
}

/// A member's name: the field that it means on a topic, where it is a known one.
struct Name(Topic);

impl<'a> DeserializeSeed<'a> for Name {
    type Value = Option<Field>;

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for Name {
    type Value = Option<Field>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name without escapes")
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(Field::of_name(name.as_bytes(), self.0))
    }
}

/// A string without escapes, a truth value or `null`, and where it goes.
struct Plain<'f, 'a>(&'f mut Value<'a>);

impl<'a> DeserializeSeed<'a> for Plain<'_, 'a> {
    type Value = ();

    #[inline]
    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Plain<'_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string without escapes, true, false or null")
    }

    #[inline]
    fn visit_borrowed_str<E: Error>(self, raw: &'a str) -> Result<(), E> {
        *self.0 = Value { kind: Kind::Text(Escapes::None), raw };
        Ok(())
    }

    #[inline]
    fn visit_bool<E: Error>(self, is_true: bool) -> Result<(), E> {
        self.0.kind = if is_true { Kind::True } else { Kind::False };
        Ok(())
    }

    #[inline]
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A number as it is written. `null` is left to the scanner: the field is required.
#[inline]
fn number<E: Error>(raw: &str) -> Result<Value<'_>, E> {
    match raw.as_bytes() {
        [b'0'..=b'9', ..] => Ok(Value { kind: Kind::Number, raw }),
        _ => Err(given_up()),
    }
}

/// A string that nobody looks into: only that its surrogates are paired is to be known.
#[inline]
fn comment<E: Error>(raw: &str) -> Result<Value<'_>, E> {
    match raw.as_bytes() {
        [b'"', text @ .., b'"'] if !may_have_surrogate(text) => {
            Ok(Value { kind: Kind::Text(Escapes::None), raw: "" })
        }
        b"null" => Ok(Value::NULL),
        _ => Err(given_up()),
    }
}

/// Whether `\uD800` to `\uDFFF` may be in a string.
fn may_have_surrogate(text: &[u8]) -> bool {
    let is_surrogate = |four: &[u8]| {
        matches!(four, [b'\\', b'u', b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F'])
    };
    text.contains(&b'\\') && text.windows(4).any(is_surrogate)
}

/// Checks that an unknown member is surely not nested too deep, for `serde_json` skips any depth.
#[inline]
fn check_depth<E: Error>(raw: &str) -> Result<(), E> {
    if !raw.starts_with(['{', '[']) {
        return Ok(());
    }
    let opens = raw.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count();
    // The object around it is a level, too.
    if opens < usize::try_from(MAX_DEPTH).unwrap_or(usize::MAX) { Ok(()) } else { Err(given_up()) }
}

/// The error that nobody reads.
#[cold]
fn given_up<E: Error>() -> E {
    E::custom("to be scanned")
}
