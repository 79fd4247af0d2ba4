//! The topic of alerts, read back: what the bridge needs of a log and of a group of its own.
//!
//! Invariant: only what is committed is read, in the order of its offsets. Absent on purpose: where
//! alerts go from there.

use std::collections::BTreeSet;

use super::ports::{Header, SourceError};
use crate::domain::ids::{NextOffset, Offset, ShardNo};

/// An alert as it stands in its topic, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAlert {
    /// Its partition.
    pub shard: ShardNo,
    /// Its offset.
    pub offset: Offset,
    /// Its key: the seller.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

impl StoredAlert {
    /// The text of a header; none where there is no such header, or no text in it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(header, _)| header == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// Where a partition was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedAt {
    /// The first offset that was not delivered.
    pub next: NextOffset,
    /// How many offsets between the committed one and the first that is left are gone.
    pub lost: u64,
}

/// From where a partition is read for which the group has no offset yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirstStart {
    /// The end that it has then.
    Latest,
    /// Its first record.
    Earliest,
}

/// Where reading begins when a partition is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReadFrom {
    /// What was not delivered.
    Undelivered,
    /// The first record there is: what was delivered is read, too.
    Beginning,
}

/// The topic of alerts and a consumer group over it.
pub trait AlertLog {
    /// Serves the group; never waits. Returns the partitions that this process has now, where that
    /// changed since the last call; what was open and is not among them is closed.
    ///
    /// # Errors
    /// What keeps the group from being served.
    fn poll(&mut self) -> Result<Option<BTreeSet<ShardNo>>, SourceError>;

    /// Begins to read a partition that this process has. Where the group has no offset for it, one
    /// is committed first, so that a start is made once.
    ///
    /// # Errors
    /// `NotReady` and `Unavailable` are to be waited out.
    fn open(
        &mut self,
        shard: ShardNo,
        first: FirstStart,
        from: ReadFrom,
    ) -> Result<OpenedAt, SourceError>;

    /// Hands over at most so many alerts of an open partition that have arrived; never waits.
    ///
    /// # Errors
    /// As of [`Self::open`].
    fn read(
        &mut self,
        shard: ShardNo,
        most: usize,
        each: &mut dyn FnMut(StoredAlert),
    ) -> Result<usize, SourceError>;

    /// The position of an open partition, behind all that was read or is no record; and how much
    /// there may be behind it, if the end is known.
    fn position(&mut self, shard: ShardNo) -> Option<(NextOffset, Option<u64>)>;

    /// Commits what was delivered of some partitions; failures that pass may be passed over.
    ///
    /// # Errors
    /// The group does not take it.
    fn commit(&mut self, next: &[(ShardNo, NextOffset)]) -> Result<(), SourceError>;

    /// Waits until what was committed last is written down, for a bounded time, and leaves.
    fn close(&mut self);
}
