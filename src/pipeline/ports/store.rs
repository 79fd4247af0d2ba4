//! What the pipeline needs of a store of snapshots, and such a store of a compacted topic.

use crate::domain::ids::{Offset, ShardNo};

/// Why a store of snapshots did not do what it was asked. The service goes on without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room left.
    #[error("no room left: {0}")]
    Full(String),
    /// It may not be used: permissions, or another process has it.
    #[error("refused: {0}")]
    Refused(String),
    /// Anything else, which may pass.
    #[error("{0}")]
    Failed(String),
}

/// Where snapshots are kept: bytes under a shard and the number of a progress record.
///
/// Calls block for as long as they need: they are made on a thread of their own. What a store
/// hands back is believed only after its checksums agree.
pub trait SnapshotStore: Send {
    /// The numbers that are kept of a shard, in any order; some may be torn.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn list(&mut self, shard: ShardNo) -> Result<Vec<u64>, StoreError>;

    /// The bytes under a number, as far as they are there.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn read(&mut self, shard: ShardNo, number: u64) -> Result<Vec<u8>, StoreError>;

    /// Keeps bytes under a number, in place of what was there; once it returns, they outlast a
    /// crash.
    ///
    /// # Errors
    /// As [`StoreError`] says; what is under other numbers is untouched.
    fn write(&mut self, shard: ShardNo, number: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Removes what is under a number, if anything is.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn remove(&mut self, shard: ShardNo, number: u64) -> Result<(), StoreError>;
}

impl<S: SnapshotStore + ?Sized> SnapshotStore for Box<S> {
    fn list(&mut self, shard: ShardNo) -> Result<Vec<u64>, StoreError> {
        (**self).list(shard)
    }

    fn read(&mut self, shard: ShardNo, number: u64) -> Result<Vec<u8>, StoreError> {
        (**self).read(shard, number)
    }

    fn write(&mut self, shard: ShardNo, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        (**self).write(shard, number, bytes)
    }

    fn remove(&mut self, shard: ShardNo, number: u64) -> Result<(), StoreError> {
        (**self).remove(shard, number)
    }
}

/// Takes a record's offset, key and value; says whether it wants more.
pub type EachSnapshotRecord<'a> = dyn FnMut(Offset, &[u8], Option<&[u8]>) -> bool + 'a;

/// A compacted topic with one partition per shard, as the store over it needs it. Calls block.
pub trait SnapshotLog: Send {
    /// Hands over the records of a shard's partition from an offset on (from its start if that
    /// lies later), in order, until the end that it had when the call began, or until `each` has
    /// enough and says false.
    ///
    /// # Errors
    /// As [`StoreError`] says.
    fn read(
        &mut self,
        shard: ShardNo,
        from: Offset,
        each: &mut EachSnapshotRecord<'_>,
    ) -> Result<(), StoreError>;

    /// Appends records in order; once it returns, all of them are on all replicas in sync.
    ///
    /// # Errors
    /// As [`StoreError`] says; some of the records may be there.
    fn append(
        &mut self,
        shard: ShardNo,
        records: &mut dyn Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError>;

    /// The largest value in bytes that a record takes.
    fn max_value_bytes(&self) -> usize;
}
