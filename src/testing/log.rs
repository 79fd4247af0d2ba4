//! One partition's log: records, control records and aborted records under consecutive offsets.
//!
//! Invariants: an offset is given once; what a `read_committed` reader sees below the last stable
//! offset never changes; the last stable offset is the first record of the oldest open
//! transaction, or the end. Absent on purpose: compaction (readers of a compacted topic must cope
//! with what has not been compacted yet) and any lock, which the cluster holds.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::domain::ids::{NextOffset, Offset};
use crate::pipeline::ports::{Ends, Header, Headers, RawRecord};

/// A record as a log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in ms since the epoch; `None` where the log has none.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

impl StoredRecord {
    /// The record as a reader is given it.
    pub(super) fn raw(&self) -> RawRecord<'_> {
        RawRecord {
            offset: self.offset,
            timestamp_ms: self.timestamp_ms,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: self,
        }
    }
}

impl Headers for StoredRecord {
    fn to_vec(&self) -> Vec<Header> {
        self.headers.clone()
    }
}

/// What a producer hands over; the log gives it an offset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Its timestamp in ms since the epoch; `None` for a log without timestamps.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<Header>,
}

impl NewRecord {
    /// A record with a key and a value, without headers.
    #[must_use]
    pub fn new(timestamp_ms: i64, key: &[u8], value: &[u8]) -> Self {
        Self {
            timestamp_ms: Some(timestamp_ms),
            key: Some(key.to_vec()),
            value: Some(value.to_vec()),
            headers: Vec::new(),
        }
    }
}

/// The number of a transaction, unique in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionNo(pub(super) u64);

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionEnd {
    /// Its records become visible.
    Commit,
    /// Its records are skipped by `read_committed` readers for ever.
    Abort,
}

#[derive(Debug)]
enum Content {
    Committed(Arc<StoredRecord>),
    Open(TransactionNo, Arc<StoredRecord>),
    Aborted(Arc<StoredRecord>),
    Control,
}

#[derive(Debug)]
struct Entry {
    content: Content,
    appended_ms: i64,
}

/// What a `read_committed` reader got.
#[derive(Debug, Default)]
pub(super) struct Slice {
    /// The records, in offset order.
    pub records: Vec<Arc<StoredRecord>>,
    /// The position after them and after everything that was skipped over.
    pub next: i64,
}

/// The log of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    start: i64,
    entries: VecDeque<Entry>,
    /// The first offset of each open transaction.
    open: BTreeMap<TransactionNo, i64>,
    /// Where each leader after the first began to write, oldest first.
    leaders: Vec<i64>,
}

impl PartitionLog {
    /// The first offset that is kept.
    pub fn start(&self) -> i64 {
        self.start
    }

    /// The offset that the next record gets.
    pub fn end(&self) -> i64 {
        self.start + i64::try_from(self.entries.len()).expect("a log in memory is below 2^63")
    }

    /// The last stable offset.
    pub fn stable(&self) -> i64 {
        self.open.values().copied().min().unwrap_or_else(|| self.end())
    }

    /// Both ends, as a leader states them.
    pub fn ends(&self) -> Ends {
        Ends { stable: NextOffset::stated(self.stable()), high: NextOffset::stated(self.end()) }
    }

    /// Appends a record, inside a transaction where one is named.
    pub fn append(
        &mut self,
        record: NewRecord,
        transaction: Option<TransactionNo>,
        appended_ms: i64,
    ) -> Offset {
        let offset = self.end();
        let stored = Arc::new(StoredRecord {
            offset: Offset::new(offset),
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: record.headers,
        });
        let content = match transaction {
            None => Content::Committed(stored),
            Some(number) => {
                self.open.entry(number).or_insert(offset);
                Content::Open(number, stored)
            }
        };
        self.entries.push_back(Entry { content, appended_ms });
        Offset::new(offset)
    }

    /// How many leaders it has had before the present one.
    pub fn leader_epoch(&self) -> usize {
        self.leaders.len()
    }

    /// The offset after the last one that a leader wrote and that is still there: behind it, what a
    /// reader of then has read is not what is there now.
    pub fn end_of_epoch(&self, leader_epoch: usize) -> i64 {
        self.leaders
            .get(leader_epoch..)
            .unwrap_or_default()
            .iter()
            .copied()
            .min()
            .unwrap_or(self.end())
    }

    /// Loses everything from an offset on, as when a replica that lags becomes the leader.
    pub fn cut(&mut self, offset: i64) {
        let kept = usize::try_from(offset - self.start).unwrap_or(0);
        self.entries.truncate(kept);
        self.open.retain(|_, first| *first < offset);
        let end = self.end();
        self.leaders.push(end);
    }

    /// Whether a transaction has records here that no marker has ended.
    pub fn has_open(&self, number: TransactionNo) -> bool {
        self.open.contains_key(&number)
    }

    /// All records between two offsets, whatever became of their transactions.
    pub fn read_all(&self, from: i64, to: i64) -> Vec<Arc<StoredRecord>> {
        let skip = self.index_of(from.max(self.start));
        let records = self.entries.iter().skip(skip).filter_map(|entry| match &entry.content {
            Content::Committed(record) | Content::Open(_, record) | Content::Aborted(record) => {
                Some(record)
            }
            Content::Control => None,
        });
        records.take_while(|record| record.offset.get() < to).cloned().collect()
    }

    /// Ends a transaction here, if it wrote here: a control record follows its records.
    pub fn end_transaction(&mut self, number: TransactionNo, how: TransactionEnd, now_ms: i64) {
        let Some(first) = self.open.remove(&number) else {
            return;
        };
        let skip = self.index_of(first.max(self.start));
        for entry in self.entries.iter_mut().skip(skip) {
            match std::mem::replace(&mut entry.content, Content::Control) {
                Content::Open(of, record) if of == number => {
                    entry.content = match how {
                        TransactionEnd::Commit => Content::Committed(record),
                        TransactionEnd::Abort => Content::Aborted(record),
                    };
                }
                other => entry.content = other,
            }
        }
        self.entries.push_back(Entry { content: Content::Control, appended_ms: now_ms });
    }

    /// Drops everything before an offset, at most up to the end.
    pub fn delete_before(&mut self, offset: i64) {
        while self.start < offset && self.entries.pop_front().is_some() {
            self.start += 1;
        }
    }

    /// Drops from the start what was appended before an instant, below an offset, and never more
    /// than `most` records, so that one call stays short.
    pub fn expire(&mut self, appended_before_ms: i64, below: i64, most: usize) {
        let below = below.min(self.stable());
        for _ in 0..most {
            match self.entries.front() {
                Some(entry) if entry.appended_ms < appended_before_ms && self.start < below => {
                    self.entries.pop_front();
                    self.start += 1;
                }
                _ => return,
            }
        }
    }

    /// Reads committed records from a position that lies within the log, at most `max`.
    pub fn read_committed(&self, from: i64, max: usize) -> Slice {
        let stable = self.stable();
        let mut slice = Slice { records: Vec::new(), next: from };
        for entry in self.entries.iter().skip(self.index_of(from)) {
            if slice.next >= stable || slice.records.len() == max {
                break;
            }
            slice.next += 1;
            match &entry.content {
                Content::Committed(record) => slice.records.push(Arc::clone(record)),
                Content::Open(..) => unreachable!("an open record lies at or after the stable end"),
                Content::Aborted(_) | Content::Control => {}
            }
        }
        slice
    }

    /// How many entries of the log a `read_committed` reader never sees: aborted and control.
    pub fn invisible(&self) -> usize {
        self.entries
            .iter()
            .filter(|entry| matches!(entry.content, Content::Aborted(_) | Content::Control))
            .count()
    }

    fn index_of(&self, offset: i64) -> usize {
        usize::try_from(offset - self.start).expect("a position is never before the log's start")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(log: &PartitionLog, from: i64) -> (Vec<String>, i64) {
        let slice = log.read_committed(from, 100);
        let texts = slice
            .records
            .iter()
            .map(|record| String::from_utf8(record.value.clone().unwrap()).unwrap())
            .collect();
        (texts, slice.next)
    }

    fn append(log: &mut PartitionLog, value: &str, transaction: Option<TransactionNo>) -> i64 {
        log.append(NewRecord::new(1, b"k", value.as_bytes()), transaction, 10).get()
    }

    #[test]
    fn an_open_transaction_hides_itself_and_everything_behind_it() {
        let mut log = PartitionLog::default();
        append(&mut log, "a", None);
        append(&mut log, "b", Some(TransactionNo(1)));
        append(&mut log, "c", None);
        assert_eq!(values(&log, 0), (vec!["a".into()], 1));
        assert_eq!((log.stable(), log.end()), (1, 3));
        log.end_transaction(TransactionNo(1), TransactionEnd::Commit, 10);
        assert_eq!(values(&log, 0), (vec!["a".into(), "b".into(), "c".into()], 4));
    }

    #[test]
    fn aborted_and_control_records_leave_gaps_that_the_position_jumps_over() {
        let mut log = PartitionLog::default();
        append(&mut log, "a", Some(TransactionNo(1)));
        append(&mut log, "b", Some(TransactionNo(2)));
        log.end_transaction(TransactionNo(1), TransactionEnd::Abort, 10);
        assert_eq!(log.stable(), 1, "the second one is still open");
        assert_eq!(values(&log, 0), (vec![], 1));
        log.end_transaction(TransactionNo(2), TransactionEnd::Commit, 10);
        assert_eq!(values(&log, 0), (vec!["b".into()], 4));
        assert_eq!(log.invisible(), 3);
    }

    #[test]
    fn a_read_ends_at_its_maximum_without_skipping_ahead() {
        let mut log = PartitionLog::default();
        append(&mut log, "a", Some(TransactionNo(1)));
        log.end_transaction(TransactionNo(1), TransactionEnd::Commit, 10);
        append(&mut log, "b", None);
        let slice = log.read_committed(0, 1);
        assert_eq!((slice.records.len(), slice.next), (1, 1));
    }

    #[test]
    fn a_reader_of_an_earlier_leader_is_told_what_of_its_log_is_gone() {
        let mut log = PartitionLog::default();
        for value in ["a", "b", "c"] {
            append(&mut log, value, None);
        }
        let (before, end) = (log.leader_epoch(), log.end());
        assert_eq!(log.end_of_epoch(before), end);
        log.cut(1);
        append(&mut log, "x", None);
        append(&mut log, "y", None);
        append(&mut log, "z", None);
        assert_eq!(log.end_of_epoch(before), 1, "only the first record is the same");
        assert_eq!(log.end_of_epoch(log.leader_epoch()), 4);
        assert_eq!(values(&log, 0).0, ["a", "x", "y", "z"]);
    }

    #[test]
    fn a_truncation_takes_open_transactions_along() {
        let mut log = PartitionLog::default();
        append(&mut log, "a", None);
        append(&mut log, "b", Some(TransactionNo(1)));
        log.cut(1);
        assert!(!log.has_open(TransactionNo(1)));
        assert_eq!((log.stable(), log.end()), (1, 1));
    }

    #[test]
    fn what_was_aborted_is_still_there_for_those_who_read_everything() {
        let mut log = PartitionLog::default();
        append(&mut log, "a", Some(TransactionNo(1)));
        log.end_transaction(TransactionNo(1), TransactionEnd::Abort, 10);
        append(&mut log, "b", None);
        let offsets = |from, to| -> Vec<i64> {
            log.read_all(from, to).iter().map(|record| record.offset.get()).collect()
        };
        assert_eq!(offsets(0, 3), [0, 2]);
        assert_eq!(offsets(0, 2), [0]);
        assert_eq!(offsets(1, 3), [2]);
    }

    #[test]
    fn retention_drops_only_what_is_old_and_below_the_limit() {
        let mut log = PartitionLog::default();
        for value in ["a", "b", "c"] {
            append(&mut log, value, None);
        }
        log.expire(10, 3, 100);
        assert_eq!(log.start(), 0, "nothing was appended before 10");
        log.expire(11, 2, 100);
        assert_eq!((log.start(), log.end()), (2, 3));
        log.delete_before(99);
        assert_eq!((log.start(), log.end()), (3, 3));
    }
}
