//! Alerts that were computed, and alerts that are committed: which belongs to which.
//!
//! Both come in any interleaving; a `seq` brings them together. Invariants: each of both ends in
//! exactly one count; one that agrees is forgotten at once, so that memory holds only what waits.

use std::collections::BTreeMap;

use super::{Difference, DifferenceKind, ShardReport};
use crate::domain::ids::{Offset, ShardNo};
use crate::pipeline::ports::{OutRecord, RawRecord};
use crate::wire::{Header, alert};

/// An alert as the alerts topic has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp in ms.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<Header>,
}

impl Found {
    /// The record of an alert.
    #[must_use]
    pub fn of(record: &RawRecord<'_>) -> Self {
        Self {
            offset: record.offset,
            timestamp_ms: record.timestamp_ms,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: record.headers.to_vec(),
        }
    }

    /// The `seq` that it states.
    fn seq(&self) -> Option<u64> {
        alert::seq_of(self.value.as_deref()?)
    }

    /// The parts in which it is not what was computed.
    fn differs_from(&self, expected: &OutRecord) -> Vec<&'static str> {
        let parts = [
            ("value", self.value == expected.value),
            ("key", self.key == expected.key),
            ("headers", self.headers == expected.headers),
            ("timestamp", self.timestamp_ms == expected.timestamp_ms),
        ];
        parts.into_iter().filter(|(_, is_same)| !is_same).map(|(name, _)| name).collect()
    }
}

/// The alerts of one shard.
#[derive(Debug)]
pub(super) struct Matching {
    shard: ShardNo,
    /// Numbers up to the first are before the audit, those behind the second after it.
    span: (u64, u64),
    /// The last one computed.
    computed: u64,
    expected: BTreeMap<u64, OutRecord>,
    found: BTreeMap<u64, Vec<Found>>,
    /// Those committed after the audit began.
    later: BTreeMap<u64, Vec<Found>>,
    /// The smallest number found, where the topic may have lost its beginning.
    begins_later: bool,
    smallest: Option<u64>,
    largest: u64,
}

impl Matching {
    pub(super) const fn new(shard: ShardNo, span: (u64, u64)) -> Self {
        Self {
            shard,
            span,
            computed: span.0,
            expected: BTreeMap::new(),
            found: BTreeMap::new(),
            later: BTreeMap::new(),
            begins_later: false,
            smallest: None,
            largest: span.0,
        }
    }

    pub(super) const fn begin_later(&mut self) {
        self.begins_later = true;
    }

    /// Whether what is computed goes on behind what was found.
    pub(super) fn awaits(&self) -> bool {
        self.expected.last_key_value().is_some_and(|(seq, _)| *seq > self.largest)
    }

    /// The largest number found behind the audit.
    pub(super) fn later(&self) -> Option<u64> {
        self.later.last_key_value().map(|(seq, _)| *seq)
    }

    pub(super) fn expect(&mut self, seq: u64, record: OutRecord, report: &mut ShardReport) {
        self.computed = seq;
        let Some(mut found) = self.found.remove(&seq) else {
            self.expected.insert(seq, record);
            return;
        };
        let Some(same) = found.iter().position(|one| one.differs_from(&record).is_empty()) else {
            self.expected.insert(seq, record);
            self.found.insert(seq, found);
            return;
        };
        found.remove(same);
        report.alerts += 1;
        for more in found {
            report.differs(self.extra(&more));
        }
    }

    pub(super) fn found(&mut self, found: Found, report: &mut ShardReport) {
        let Some(seq) = found.seq() else {
            return report.differs(self.extra(&found));
        };
        if seq > self.span.1 {
            self.later.entry(seq).or_default().push(found);
            return;
        }
        self.largest = self.largest.max(seq);
        self.smallest = Some(self.smallest.map_or(seq, |smallest| smallest.min(seq)));
        if seq <= self.span.0 {
            report.before += 1;
        } else if seq > self.computed {
            self.found.entry(seq).or_default().push(found);
        } else if let Some(expected) = self.expected.get(&seq) {
            if !found.differs_from(expected).is_empty() {
                self.found.entry(seq).or_default().push(found);
                return;
            }
            self.expected.remove(&seq);
            report.alerts += 1;
            for more in self.found.remove(&seq).unwrap_or_default() {
                report.differs(self.extra(&more));
            }
        } else {
            report.differs(self.extra(&found));
        }
    }

    /// Ends it: what has no counterpart is a difference.
    pub(super) fn finish(&mut self, committed: u64, report: &mut ShardReport) {
        for (seq, expected) in std::mem::take(&mut self.expected) {
            let found = self.found.remove(&seq).unwrap_or_default();
            let mut found = found.into_iter();
            match found.next() {
                Some(other) => report.differs(self.different(seq, &other, &expected)),
                None if self.begins_later && self.smallest.is_none_or(|first| seq < first) => {
                    report.dropped += 1;
                }
                None => report.differs(self.missing(seq, &expected)),
            }
            for more in found {
                report.differs(self.extra(&more));
            }
        }
        for found in std::mem::take(&mut self.found).into_values().flatten() {
            report.differs(self.extra(&found));
        }
        for (seq, found) in std::mem::take(&mut self.later) {
            let mut found = found.into_iter();
            if seq <= committed && found.next().is_some() {
                report.later += 1;
            }
            for more in found {
                report.differs(self.extra(&more));
            }
        }
        let rank =
            |one: &Difference| (one.kind == DifferenceKind::Progress, one.number, one.offset);
        report.differences.sort_by_key(rank);
    }

    fn difference(&self, kind: DifferenceKind) -> Difference {
        Difference {
            shard: self.shard,
            kind,
            offset: None,
            number: None,
            key: None,
            parts: Vec::new(),
            expected: None,
            found: None,
        }
    }

    fn extra(&self, found: &Found) -> Difference {
        Difference {
            offset: Some(found.offset),
            number: found.seq(),
            key: text(found.key.as_deref()),
            found: text(found.value.as_deref()),
            ..self.difference(DifferenceKind::Extra)
        }
    }

    fn missing(&self, seq: u64, expected: &OutRecord) -> Difference {
        Difference {
            number: Some(seq),
            key: text(expected.key.as_deref()),
            expected: text(expected.value.as_deref()),
            ..self.difference(DifferenceKind::Missing)
        }
    }

    fn different(&self, seq: u64, found: &Found, expected: &OutRecord) -> Difference {
        Difference {
            offset: Some(found.offset),
            number: Some(seq),
            key: text(expected.key.as_deref()),
            parts: found.differs_from(expected),
            expected: text(expected.value.as_deref()),
            found: text(found.value.as_deref()),
            ..self.difference(DifferenceKind::Different)
        }
    }
}

fn text(bytes: Option<&[u8]>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}
