//! A YAML (or JSON) text as a tree of values with their places.
//!
//! Invariants: nothing is interpreted here beyond YAML's own types (YAML 1.2: `off` and `yes` are
//! texts); a key that is stated twice is kept twice, for the caller to list; the parser's budgets
//! bound aliases, nesting and size. The `Debug` of a value never shows its content, which may be a
//! secret. Recursion is serde's and is bounded by the parser's nesting limit.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, SnippetMode, Spanned};

/// The greatest size of a configuration or policy file, in bytes.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;

/// The deepest nesting that is read. Keys have four levels; and recursion takes the stack, of which
/// a thread may have as little as 2 MiB.
const MAX_DEPTH: usize = 32;

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
    /// Where the text of a scalar lies, in bytes: from, to.
    pub(super) bytes: Option<(usize, usize)>,
}

/// A line and a column, from 1; 0 where unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

/// A value as it is written.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A number that is not whole.
    Fraction(f64),
    /// A text in a file, quoted or not.
    Text(String),
    /// A text from the environment or the command line, whose type its key decides.
    Given(String),
    /// A list.
    List(Vec<Node>),
    /// A map in written order, duplicates included.
    Map(Vec<(Spanned<String>, Node)>),
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind())
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Value {
    /// The kind of value, with its article, for messages.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "a number",
            Self::Fraction(_) => "a number with a fraction",
            Self::Text(_) | Self::Given(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Place {
    pub(super) fn of(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

/// Parses a text.
///
/// # Errors
/// The place and the parser's words, which do not quote the text.
pub(super) fn parse(text: &str) -> Result<Node, (Place, String)> {
    if text.len() > MAX_FILE_BYTES {
        let problem = format!("is longer than {MAX_FILE_BYTES} bytes");
        return Err((Place::default(), problem));
    }
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH },
        // A configuration repeats little; a text that needs more is an attack or an accident.
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 16,
            max_alias_expansions_per_anchor: 100,
        },
    };
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
        let place = error.location().map(Place::of).unwrap_or_default();
        (place, words_of(&error, place))
    })
}

/// The parser's words for an error, without the place, which is told apart.
fn words_of(error: &serde_saphyr::Error, place: Place) -> String {
    if let serde_saphyr::Error::MultipleDocuments { .. } = error {
        return "a second document begins here".to_owned();
    }
    let words = error.render_with_options(serde_saphyr::render_options! {
        snippets: SnippetMode::Off
    });
    let place = format!(" at line {}, column {}", place.line, place.column);
    words.strip_suffix(&place).map(str::to_owned).unwrap_or(words)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let range = span.byte_offset().zip(span.byte_len()).and_then(|(from, length)| {
            let from = usize::try_from(from).ok()?;
            Some((from, from + usize::try_from(length).ok()?))
        });
        Ok(Self { value: spanned.value, place: Place::of(spanned.referenced), bytes: range })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(i128::from(value)))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::Integer(i128::try_from(value).unwrap_or(i128::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Fraction(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(Spanned<String>, Node)> {
        match parse(text).unwrap().value {
            Value::Map(entries) => entries,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_have_their_types_and_places() {
        let text = "a: 5\nb:\n  c: off\n  d: [1, 0.5]\ne: '7'\nf:\ng: true\nh: -3\n";
        let found = entries(text);
        let place = |node: &Node| (node.place.line, node.place.column);
        assert!(found[0].1.value == Value::Integer(5));
        assert_eq!(place(&found[0].1), (1, 4));
        let Value::Map(inner) = &found[1].1.value else {
            panic!("b is a map");
        };
        assert!(inner[0].1.value == Value::Text("off".to_owned()));
        assert_eq!(Place::of(inner[1].0.referenced), Place { line: 4, column: 3 });
        assert!(matches!(&inner[1].1.value, Value::List(nodes) if nodes.len() == 2));
        assert!(found[2].1.value == Value::Text("7".to_owned()));
        assert!(found[3].1.value == Value::Null);
        assert!(found[4].1.value == Value::Boolean(true));
        assert!(found[5].1.value == Value::Integer(-3));
    }

    #[test]
    fn the_text_of_a_scalar_can_be_read_back() {
        let text = "a: 007\nb: 1.50 # c\n";
        let texts: Vec<_> = entries(text)
            .iter()
            .map(|(_, node)| node.bytes.map(|(from, to)| &text[from..to]))
            .collect();
        assert_eq!(texts, [Some("007"), Some("1.50")]);
    }

    #[test]
    fn duplicate_keys_and_json_are_read() {
        assert_eq!(entries("a: 1\na: 2\n").len(), 2);
        assert_eq!(entries("{\n\t\"a\": 1, \"b\": [\"x\"]}").len(), 2);
    }

    #[test]
    fn an_empty_text_is_nothing() {
        for text in ["", "# only a comment\n", "---\n"] {
            assert!(parse(text).unwrap().value == Value::Null, "{text:?}");
        }
    }

    #[test]
    fn a_text_is_refused_before_its_nesting_takes_the_stack() {
        let nested = |depth: usize| format!("a: {}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(&nested(MAX_DEPTH / 2)).is_ok());
        for depth in [MAX_DEPTH + 1, 200, 1_000, 100_000] {
            assert!(parse(&nested(depth)).is_err(), "{depth}");
        }
        let maps = "{a: ".repeat(1_000);
        assert!(parse(&maps).is_err());
    }

    #[test]
    fn broken_texts_name_the_place_and_do_not_quote() {
        let (place, words) = parse("a: 1\nb: [canary\n").unwrap_err();
        assert!(place.line >= 2, "{place:?}");
        assert!(!words.contains("canary"), "{words}");
        let laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                      c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
        assert!(parse(laughs).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"# x\n".repeat(MAX_FILE_BYTES)).is_err());
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
    }
}
