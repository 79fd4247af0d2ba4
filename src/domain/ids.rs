//! Identities and positions: checked, borrowed ids and the numbers of partitions and offsets.
//!
//! Invariants: an id is 1..=64 bytes of printable ASCII (0x20..=0x7E); an Amazon order id is kept
//! as the 57-bit number of its 17 digits, so that two spellings never meet. Absent on purpose:
//! owned id types; what is kept is interned by the shard.

use std::fmt;

/// The longest id accepted, in bytes (SEMANTICS section 2).
pub const MAX_ID_BYTES: usize = 64;

/// The place that a number given out by the shard has in memory.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).expect("usize has at least 32 bits here")
}

/// Tells whether `text` is within the grammar of ids: 1..=64 bytes of 0x20..=0x7E.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= MAX_ID_BYTES
        // Without an early exit, so that the compiler compares many bytes at once.
        && bytes.iter().fold(true, |all, byte| all & (0x20..=0x7E).contains(byte))
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
    let (first, rest) = bytes.split_first_chunk::<3>()?;
    let (second, rest) = rest.split_first_chunk::<8>()?;
    let third = rest.as_array::<8>()?;
    let first = eight_digits([b'0', b'0', b'0', b'0', b'0', first[0], first[1], first[2]])?;
    // At most 17 digits: below 10^17, far from overflow.
    Some(
        (first * 10_000_000 + dash_and_seven_digits(*second)?) * 10_000_000
            + dash_and_seven_digits(*third)?,
    )
}

fn dash_and_seven_digits(bytes: [u8; 8]) -> Option<u64> {
    let [b'-', digits @ ..] = bytes else { return None };
    let mut padded = [b'0'; 8];
    padded[1..].copy_from_slice(&digits);
    eight_digits(padded)
}

/// The number that eight digits write: all eight at a time, in three steps of pairs
/// (<https://lemire.me/blog/2022/01/21/swar-explained-parsing-eight-digits/>).
fn eight_digits(bytes: [u8; 8]) -> Option<u64> {
    const HIGH: u64 = 0xF0F0_F0F0_F0F0_F0F0;
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let text = u64::from_le_bytes(bytes);
    // A digit is 0x30..=0x39: its high half is 3, also after 6 is added; no sum leaves its byte
    // unless a high half was F already.
    let carried = text.wrapping_add(0x0606_0606_0606_0606);
    if text & HIGH != ZEROS || carried & HIGH != ZEROS {
        return None;
    }
    let ones = text & 0x0F0F_0F0F_0F0F_0F0F;
    let twos = (ones * 10 + (ones >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (twos * 100 + (twos >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
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
