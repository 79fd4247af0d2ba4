//! A topic of alerts in memory, with a group over it, as [`AlertLog`].
//!
//! Whoever connects takes all partitions from who had them before, as after a session that timed
//! out; committed offsets outlive every connection. Absent on purpose: transactions, whose
//! results alone are put in here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::alert_log::{AlertLog, FirstStart, OpenedAt, ReadFrom, StoredAlert};
use crate::pipeline::ports::{Header, SourceError};

/// The topic and its group; a copy is the same topic.
#[derive(Clone, Debug, Default)]
pub struct AlertTopic(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    partitions: BTreeMap<ShardNo, Partition>,
    committed: BTreeMap<ShardNo, NextOffset>,
    connections: u64,
}

#[derive(Debug, Default)]
struct Partition {
    alerts: Vec<StoredAlert>,
    end: i64,
    first: i64,
}

/// One member's connection.
#[derive(Debug)]
pub struct MemoryAlertLog {
    topic: AlertTopic,
    number: u64,
    positions: BTreeMap<ShardNo, i64>,
    was_told: bool,
}

impl AlertTopic {
    /// A topic of so many empty partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        let topic = Self::default();
        let shards = (0..partitions).map(ShardNo::new);
        topic.lock().partitions = shards.map(|shard| (shard, Partition::default())).collect();
        topic
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no holder of this lock panics")
    }

    /// Appends an alert, and the end of its transaction behind it; returns its offset.
    pub fn append(&self, shard: ShardNo, key: &str, value: &[u8], headers: Vec<Header>) -> Offset {
        let mut inner = self.lock();
        let partition = inner.partitions.entry(shard).or_default();
        let offset = Offset::new(partition.end);
        let (key, value) = (key.as_bytes().to_vec(), value.to_vec());
        partition.alerts.push(StoredAlert { shard, offset, key, value, headers });
        partition.end += 2;
        offset
    }

    /// Takes the records before an offset away, as retention does.
    pub fn retain_from(&self, shard: ShardNo, first: i64) {
        self.lock().partitions.entry(shard).or_default().first = first;
    }

    /// What the group has committed.
    #[must_use]
    pub fn committed(&self, shard: ShardNo) -> Option<NextOffset> {
        self.lock().committed.get(&shard).copied()
    }

    /// The end of a partition.
    #[must_use]
    pub fn end(&self, shard: ShardNo) -> NextOffset {
        NextOffset::stated(self.lock().partitions[&shard].end)
    }

    /// Joins the group.
    #[must_use]
    pub fn connect(&self) -> MemoryAlertLog {
        let mut inner = self.lock();
        inner.connections += 1;
        let number = inner.connections;
        drop(inner);
        MemoryAlertLog { topic: self.clone(), number, positions: BTreeMap::new(), was_told: false }
    }
}

impl MemoryAlertLog {
    fn is_member(&self) -> bool {
        self.topic.lock().connections == self.number
    }
}

impl AlertLog for MemoryAlertLog {
    fn poll(&mut self) -> Result<Option<BTreeSet<ShardNo>>, SourceError> {
        if !self.is_member() {
            return Err(SourceError::Fenced("another member has the partitions".to_owned()));
        }
        if self.was_told {
            return Ok(None);
        }
        self.was_told = true;
        Ok(Some(self.topic.lock().partitions.keys().copied().collect()))
    }

    fn open(
        &mut self,
        shard: ShardNo,
        first_start: FirstStart,
        from: ReadFrom,
    ) -> Result<OpenedAt, SourceError> {
        let mut inner = self.topic.lock();
        let (first, end) = (inner.partitions[&shard].first, inner.partitions[&shard].end);
        let start = match first_start {
            FirstStart::Latest => end,
            FirstStart::Earliest => first,
        };
        let committed = *inner.committed.entry(shard).or_insert(NextOffset::stated(start));
        let next = committed.max(NextOffset::stated(first));
        let lost = u64::try_from(first - committed.get()).unwrap_or(0);
        let from = match from {
            ReadFrom::Undelivered => next.get(),
            ReadFrom::Beginning => first,
        };
        self.positions.insert(shard, from);
        Ok(OpenedAt { next, lost })
    }

    fn read(
        &mut self,
        shard: ShardNo,
        most: usize,
        each: &mut dyn FnMut(StoredAlert),
    ) -> Result<usize, SourceError> {
        let Some(position) = self.positions.get_mut(&shard) else { return Ok(0) };
        let inner = self.topic.lock();
        let partition = &inner.partitions[&shard];
        let is_new = |alert: &&StoredAlert| alert.offset.get() >= *position;
        let found: Vec<StoredAlert> =
            partition.alerts.iter().filter(is_new).take(most).cloned().collect();
        *position = match found.last() {
            Some(last) if found.len() == most => last.offset.next().get(),
            _ => partition.end.max(*position),
        };
        drop(inner);
        let count = found.len();
        found.into_iter().for_each(each);
        Ok(count)
    }

    fn position(&mut self, shard: ShardNo) -> Option<(NextOffset, Option<u64>)> {
        let position = *self.positions.get(&shard)?;
        let end = self.topic.end(shard).get();
        Some((NextOffset::stated(position), Some(u64::try_from(end - position).unwrap_or(0))))
    }

    fn commit(&mut self, next: &[(ShardNo, NextOffset)]) -> Result<(), SourceError> {
        if !self.is_member() {
            return Err(SourceError::Fenced("another member has the partitions".to_owned()));
        }
        self.topic.lock().committed.extend(next.iter().copied());
        Ok(())
    }

    fn close(&mut self) {
        self.positions.clear();
    }
}
