//! A store of snapshots in memory, with what goes wrong in real ones.
//!
//! Faults: a write that is torn by a crash, a disk that says it is synced and is not, a full disk,
//! a store that is away, and bits that turn.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::ids::ShardNo;
use crate::pipeline::ports::{SnapshotStore, StoreError};

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// Only this share of the bytes, in per cent, is there afterwards, and the writer is told so.
    Torn(u8),
    /// Only this share of the bytes, in per cent, is there afterwards, and the writer is told that
    /// all is well.
    Short(u8),
    /// The writer is told that all is well, and after [`MemoryStore::crash`] nothing is there.
    LostSync,
    /// There is no room.
    Full,
    /// The store does not answer.
    Away,
}

#[derive(Debug, Default)]
struct State {
    kept: BTreeMap<(ShardNo, u64), Vec<u8>>,
    unsynced: Vec<(ShardNo, u64)>,
    faults: VecDeque<StoreFault>,
    is_full: bool,
    is_away: bool,
    writes: usize,
    reads: usize,
}

/// A handle on a store; clones are handles on the same one.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the next write go wrong; a second call is for the one after it.
    pub fn fail_next_write(&self, fault: StoreFault) {
        self.lock().faults.push_back(fault);
    }

    /// Lets every write find no room, or room again.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// Lets every call fail, or work again.
    pub fn set_away(&self, is_away: bool) {
        self.lock().is_away = is_away;
    }

    /// Nothing goes wrong from now on.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults.clear();
        (state.is_full, state.is_away) = (false, false);
    }

    /// Loses what was not really synced.
    pub fn crash(&self) {
        let mut state = self.lock();
        for key in std::mem::take(&mut state.unsynced) {
            state.kept.remove(&key);
        }
    }

    /// Changes the bytes under a number in place.
    ///
    /// # Panics
    /// If there are none.
    pub fn change(&self, shard: u32, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        change(state.kept.get_mut(&(ShardNo::new(shard), number)).expect("it is kept"));
    }

    /// Puts bytes under a number, as somebody else would.
    pub fn put(&self, shard: u32, number: u64, bytes: Vec<u8>) {
        self.lock().kept.insert((ShardNo::new(shard), number), bytes);
    }

    /// Removes all that is kept of a shard, as an operator would.
    pub fn forget(&self, shard: u32) {
        self.lock().kept.retain(|(of, _), _| of.get() != shard);
    }

    /// The bytes under a number.
    #[must_use]
    pub fn get(&self, shard: u32, number: u64) -> Option<Vec<u8>> {
        self.lock().kept.get(&(ShardNo::new(shard), number)).cloned()
    }

    /// The numbers kept of a shard, ascending.
    #[must_use]
    pub fn numbers(&self, shard: u32) -> Vec<u64> {
        let state = self.lock();
        state.kept.keys().filter(|(of, _)| of.get() == shard).map(|(_, number)| *number).collect()
    }

    /// How many writes and reads there were.
    #[must_use]
    pub fn calls(&self) -> (usize, usize) {
        let state = self.lock();
        (state.writes, state.reads)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of this lock panics, but for a wrong test")
    }

    fn here(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.lock();
        if state.is_away {
            return Err(StoreError::Failed("the store does not answer".to_owned()));
        }
        Ok(state)
    }
}

impl SnapshotStore for MemoryStore {
    fn list(&mut self, shard: ShardNo) -> Result<Vec<u64>, StoreError> {
        let state = self.here()?;
        Ok(state.kept.keys().filter(|(of, _)| *of == shard).map(|(_, number)| *number).collect())
    }

    fn read(&mut self, shard: ShardNo, number: u64) -> Result<Vec<u8>, StoreError> {
        let mut state = self.here()?;
        state.reads += 1;
        let kept = state.kept.get(&(shard, number)).cloned();
        kept.ok_or_else(|| StoreError::Failed(format!("there is no snapshot {number}")))
    }

    fn write(&mut self, shard: ShardNo, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut state = self.here()?;
        state.writes += 1;
        let fault = state.faults.pop_front();
        if state.is_full || fault == Some(StoreFault::Full) {
            return Err(StoreError::Full("the disk is full".to_owned()));
        }
        match fault {
            Some(StoreFault::Away) => return Err(StoreError::Failed("no answer".to_owned())),
            Some(StoreFault::Torn(percent)) => {
                let kept = bytes.len() * usize::from(percent.min(100)) / 100;
                state.kept.insert((shard, number), bytes[..kept].to_vec());
                return Err(StoreError::Failed("the write was torn".to_owned()));
            }
            Some(StoreFault::Short(percent)) => {
                let kept = bytes.len() * usize::from(percent.min(100)) / 100;
                state.kept.insert((shard, number), bytes[..kept].to_vec());
                return Ok(());
            }
            Some(StoreFault::LostSync) => state.unsynced.push((shard, number)),
            Some(StoreFault::Full) | None => {}
        }
        state.kept.insert((shard, number), bytes.to_vec());
        Ok(())
    }

    fn remove(&mut self, shard: ShardNo, number: u64) -> Result<(), StoreError> {
        self.here()?.kept.remove(&(shard, number));
        Ok(())
    }
}
