//! What a transaction wrote, told by the headers of its progress records.
//!
//! A broker may lose the end of a transaction in some partitions and not in others (see `redo`).
//! Whoever has to complete it must know what it was made of. So the outputs are sent first, and
//! the progress records, sent last, say in a header where those outputs are: they are delivered
//! before the commit begins, so they are found whatever became of the commit.
//!
//! One progress record of each transaction, its lead, tells of the whole; the others name their own
//! shard's offsets only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::pipeline::ports::{Header, OutTopic};

/// The header's name.
pub(crate) const HEADER: &str = "__odrwatch.transaction";

/// A partition of an output topic: its topic's place in [`OutTopic::ALL`], and its number.
pub(crate) type Place = (usize, i32);

/// What the header of a progress record tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    /// The transactional id.
    pub(crate) id: String,
    /// When the transaction began, in ms of the clock on the wall, and later than the one before of
    /// the same id; with the id it names it.
    pub(crate) began: i64,
    /// The number of the progress record.
    pub(crate) number: u64,
    /// The four group offsets of the shard, in the order of the topics.
    pub(crate) next: [i64; 4],
    /// What the whole transaction wrote; in the lead only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) whole: Option<Whole>,
}

/// What a transaction wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Whole {
    /// The shards whose progress it holds.
    pub(crate) shards: Vec<i32>,
    /// All its other records.
    pub(crate) outputs: Spans,
}

impl Trace {
    /// The header.
    pub(crate) fn header(&self) -> Header {
        let value = serde_json::to_vec(self).expect("numbers and strings are JSON");
        (HEADER.to_owned(), Some(value))
    }

    /// Reads it from a record's headers; `None` where there is none that we know.
    pub(crate) fn find(headers: &[Header]) -> Option<Self> {
        let (_, value) = headers.iter().find(|(name, _)| name == HEADER)?;
        serde_json::from_slice(value.as_deref()?).ok()
    }

    /// Whether both are of one transaction.
    pub(crate) fn is_with(&self, other: &Self) -> bool {
        self.began == other.began && self.id == other.id
    }
}

/// Offsets of records: topic, partition, first and last offset of each run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spans(Vec<(usize, i32, i64, i64)>);

impl Spans {
    /// Adds a record. Those of one partition come in the order of their offsets.
    pub(crate) fn add(&mut self, (topic, partition): Place, offset: i64) {
        let run = self.0.iter_mut().rev().find(|run| (run.0, run.1) == (topic, partition));
        match run {
            Some(run) if run.3 + 1 == offset => run.3 = offset,
            _ => self.0.push((topic, partition, offset, offset)),
        }
    }

    /// Whether a record is among them.
    pub(crate) fn has(&self, (topic, partition): Place, offset: i64) -> bool {
        self.0
            .iter()
            .any(|run| (run.0, run.1) == (topic, partition) && (run.2..=run.3).contains(&offset))
    }

    /// Of each partition the first offset and the one after the last. Partitions that no output
    /// topic has are left out: another program wrote the header.
    pub(crate) fn bounds(&self) -> BTreeMap<Place, (i64, i64)> {
        let mut bounds = BTreeMap::new();
        for (topic, partition, first, last) in &self.0 {
            if *topic < OutTopic::ALL.len() {
                let (from, to) = bounds.entry((*topic, *partition)).or_insert((*first, *last + 1));
                *from = (*from).min(*first);
                *to = (*to).max(*last + 1);
            }
        }
        bounds
    }

    /// The offsets after the last of each partition.
    pub(crate) fn ends(&self) -> BTreeMap<Place, i64> {
        self.bounds().into_iter().map(|(place, (_, to))| (place, to)).collect()
    }

    /// Adds all of another's.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let mut outputs = Spans::default();
        for offset in [5, 6, 7, 12] {
            outputs.add((0, 3), offset);
            outputs.add((2, 1), offset + 1);
        }
        let whole = Some(Whole { shards: vec![3, 4], outputs });
        Trace { id: "group-host-0".to_owned(), began: 17, number: 8, next: [1, 2, 3, 4], whole }
    }

    #[test]
    fn the_header_is_short_and_is_read_back() {
        let header = trace().header();
        let text = String::from_utf8(header.1.clone().unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"id\":\"group-host-0\",\"began\":17,\"number\":8,\"next\":[1,2,3,4],\"whole\":{\
             \"shards\":[3,4],\"outputs\":[[0,3,5,7],[2,1,6,8],[0,3,12,12],[2,1,13,13]]}}"
        );
        let other = ("kind".to_owned(), None);
        assert_eq!(Trace::find(&[other.clone(), header]), Some(trace()));
        assert_eq!(Trace::find(&[other]), None);
        let foreign = (HEADER.to_owned(), Some(b"{}".to_vec()));
        assert_eq!(Trace::find(&[foreign]), None);
    }

    #[test]
    fn spans_have_their_records_and_no_others() {
        let outputs = trace().whole.unwrap().outputs;
        let found: Vec<i64> = (0..20).filter(|offset| outputs.has((0, 3), *offset)).collect();
        assert_eq!(found, [5, 6, 7, 12]);
        assert!(!outputs.has((0, 1), 6));
        assert_eq!(outputs.bounds(), [((0, 3), (5, 13)), ((2, 1), (6, 14))].into());
    }
}
