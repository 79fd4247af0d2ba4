//! A shard's whole state as blocks of bytes, out and in: what a snapshot holds.
//!
//! ```text
//! shard ── Taking::step, step, .. ──> Image ── Image::write ──> blocks ── Builder::take ──> shard
//!          a slice at a time            on any thread           stored      on any thread
//! ```
//!
//! An image holds facts, never memory layout: names, orders, defects, levels and positions. Daily
//! buckets and totals follow from the facts, are made anew from them, and are compared with a sum
//! that was taken of the original. Records that wait are not in it: they lie after the positions
//! of the closed parts, from which they are read again.
//!
//! Invariants:
//! - I-21: a restored shard gives, from every later record, what the original gives.
//! - I-22: equal states have equal bytes, whatever the hash seed and the history: all is written
//!   in the order of names and numbers.
//!
//! Absent on purpose: checksums, versions, compression and places (`snapshot` has these), and the
//! policy, which the reader must have already.

mod build;
mod bytes;
mod codes;
mod taking;
#[cfg(test)]
mod tests;
mod write;

pub use build::Builder;
pub use taking::{Image, Taking};

/// Entries in a block of orders or defects at most.
pub const BLOCK_ENTRIES: usize = 1 << 16;

/// What a block holds. Blocks come in this order; some kinds may come several times or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BlockKind {
    /// Counts, positions, and what the shard has one of.
    State,
    /// The ids of sellers, sorted.
    Sellers,
    /// The ids of marketplaces, sorted.
    Marketplaces,
    /// Accounts with what their alerts remember, by name.
    Accounts,
    /// Order ids that have not Amazon's form, by seller and text.
    OddIds,
    /// Defects, by order.
    Defects,
    /// Orders.
    Orders,
}

impl BlockKind {
    /// All kinds, in order.
    pub const ALL: [Self; 7] = [
        Self::State,
        Self::Sellers,
        Self::Marketplaces,
        Self::Accounts,
        Self::OddIds,
        Self::Defects,
        Self::Orders,
    ];

    /// The kind's number in a stored block.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Sellers => 2,
            Self::Marketplaces => 3,
            Self::Accounts => 4,
            Self::OddIds => 5,
            Self::Defects => 6,
            Self::Orders => 7,
        }
    }

    /// The kind of a number; `None` if there is none.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// Why blocks are no image of a shard: another snapshot must be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A block ends early, goes on too long, or has a value that nothing writes.
    #[error("the block of {kind:?} is malformed: {what}")]
    Malformed {
        /// The block's kind.
        kind: BlockKind,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The blocks do not hold what they say they do.
    #[error("{what}: {found} where {stated} are stated")]
    Incomplete {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many there should be.
        stated: u64,
    },
    /// It is another shard's, or has boundaries of another length.
    #[error("the image is of {what} {found}, and not of {expected}")]
    Foreign {
        /// What differs.
        what: &'static str,
        /// What the image has.
        found: i64,
        /// What it should have.
        expected: i64,
    },
    /// The totals made from the facts are not those of the original.
    #[error(
        "the totals that follow from the facts are not those that the shard had: the image was \
         taken with another policy, or by a program that counts differently"
    )]
    Differs,
}
