//! Identities and positions: checked, borrowed ids and the numbers of partitions and offsets.
//!
//! Invariants: an id is 1..=64 bytes of printable ASCII (0x20..=0x7E); an Amazon order id is kept
//! as the 57-bit number of its 17 digits, so that two spellings never meet. Absent on purpose:
//! owned id types; what is kept is interned by the shard.

use std::fmt;

/// The longest id accepted, in bytes (SEMANTICS section 2).
pub const MAX_ID_BYTES: usize = 64;

/// Tells whether `text` is within the grammar of ids: 1..=64 bytes of 0x20..=0x7E.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_ID_BYTES
        && bytes.iter().all(|byte| (0x20..=0x7E).contains(byte))
}

/// A seller's id, borrowed from the record that states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SellerId<'a>(&'a str);

impl<'a> SellerId<'a> {
    /// Checks the grammar of ids; `None` outside it.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        is_id(text).then_some(Self(text))
    }

    /// The id as it was stated.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// A marketplace's id, `""` where none is stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarketplaceId<'a>(&'a str);

impl<'a> MarketplaceId<'a> {
    /// The marketplace of a record that states none.
    pub const ABSENT: MarketplaceId<'static> = MarketplaceId("");

    /// Checks the grammar of ids, allowing `""` for "none stated"; `None` outside it.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        (text.is_empty() || is_id(text)).then_some(Self(text))
    }

    /// The id as it was stated, `""` where none was.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// A claim's or chargeback's own id, which tells apart several of them on one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefId<'a>(&'a str);

impl<'a> RefId<'a> {
    /// Checks the grammar of ids; `None` outside it.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        is_id(text).then_some(Self(text))
    }

    /// The id as it was stated.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

/// An order's id: a number where it has Amazon's 3-7-7 form, else its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderId<'a> {
    /// The 17 digits of an id like `302-1234567-7654321` as one number below 10^17 (< 2^57).
    Amazon(u64),
    /// Any other id.
    Other(&'a str),
}

impl<'a> OrderId<'a> {
    /// Checks the grammar of ids and recognises the 3-7-7 form; `None` outside the grammar.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        if let Some(number) = parse_3_7_7(text.as_bytes()) {
            return Some(Self::Amazon(number));
        }
        is_id(text).then_some(Self::Other(text))
    }
}

impl fmt::Display for OrderId<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Amazon(number) => {
                let (head, tail) = (number / 10_000_000, number % 10_000_000);
                let (first, middle) = (head / 10_000_000, head % 10_000_000);
                write!(formatter, "{first:03}-{middle:07}-{tail:07}")
            }
            Self::Other(text) => formatter.write_str(text),
        }
    }
}

/// Reads `ddd-ddddddd-ddddddd` as one number of 17 digits.
fn parse_3_7_7(bytes: &[u8]) -> Option<u64> {
    if bytes.len() != 19 || bytes[3] != b'-' || bytes[11] != b'-' {
        return None;
    }
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        if index == 3 || index == 11 {
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // At most 17 digits: below 10^17, far from overflow.
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

/// The number of a shard: the partition number that its four input partitions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardNo(u32);

impl ShardNo {
    /// Wraps a partition number.
    #[must_use]
    pub const fn new(partition: u32) -> Self {
        Self(partition)
    }

    /// The partition number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ShardNo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The offset of a record that was read. It is never committed; see [`NextOffset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(i64);

impl Offset {
    /// Wraps the offset of a record that was read (>= 0).
    #[must_use]
    pub const fn new(offset: i64) -> Self {
        Self(offset)
    }

    /// The raw offset.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The offset to continue from after this record: the only way from a record read to a
    /// committable position.
    #[must_use]
    pub const fn next(self) -> NextOffset {
        NextOffset(self.0 + 1)
    }
}

/// The offset to continue from: what is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NextOffset(i64);

impl NextOffset {
    /// A position that the log itself stated: a log start, a stable end, a committed offset or a
    /// recorded decision.
    #[must_use]
    pub const fn stated(offset: i64) -> Self {
        Self(offset)
    }

    /// The raw offset.
    #[must_use]
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Display for NextOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amazon_order_id_is_its_seventeen_digits_and_prints_back() {
        let id = OrderId::new("302-0000007-0000001").unwrap();
        assert_eq!(id, OrderId::Amazon(30_200_000_070_000_001));
        assert_eq!(id.to_string(), "302-0000007-0000001");
        assert!(
            matches!(OrderId::new("999-9999999-9999999"), Some(OrderId::Amazon(n)) if n < 1 << 57)
        );
    }

    #[test]
    fn ids_outside_the_grammar_are_refused() {
        let long = "x".repeat(65);
        for text in ["", long.as_str(), "a\nb", "caf\u{e9}", "a\u{0}"] {
            assert!(OrderId::new(text).is_none(), "{text:?}");
            assert!(SellerId::new(text).is_none(), "{text:?}");
        }
        assert_eq!(
            OrderId::new("302-0000007-000000x"),
            Some(OrderId::Other("302-0000007-000000x"))
        );
        assert!(MarketplaceId::new("").is_some());
    }

    #[test]
    fn only_the_next_offset_is_committable() {
        assert_eq!(Offset::new(41).next(), NextOffset::stated(42));
    }
}
