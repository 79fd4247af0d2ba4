//! Marks on the inputs: by which a shard that opens sees that its logs are still the same ones.
//!
//! The first record of each batch that is read gets a mark; the last one before a closed position
//! goes into the progress record. A restore reads that record again, whether it needs it or not.
//! Invariant: a mark that is given out lies before the position that it is given for. Absent on
//! purpose: any mark on each record, which would cost a hash of every byte.

use std::collections::VecDeque;

use super::ports::RawRecord;
use crate::domain::boundary::Position;
use crate::domain::event::Topic;
use crate::wire::identity::Mark;

/// The marks of one shard.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    lanes: [Lane; 4],
}

#[derive(Clone, Debug, Default)]
struct Lane {
    /// The last one before the committed position.
    closed: Option<Mark>,
    /// Those behind it, in order.
    ahead: VecDeque<Mark>,
    /// The one that must be met.
    expected: Option<Mark>,
}

impl Marks {
    /// Begins with the marks of a progress record; those of `expected` must be met.
    pub fn begin(&mut self, closed: [Option<Mark>; 4], expected: [bool; 4]) {
        for ((lane, closed), expected) in self.lanes.iter_mut().zip(closed).zip(expected) {
            let expected = closed.filter(|_| expected);
            *lane = Lane { closed, ahead: VecDeque::new(), expected };
        }
    }

    /// Takes note of a record that was read, the first one of a batch or a later one. False if a
    /// record that must be there is not.
    pub fn see(&mut self, topic: Topic, record: &RawRecord<'_>, is_first: bool) -> bool {
        let lane = &mut self.lanes[topic.index()];
        let expected = lane.expected.filter(|mark| mark.offset <= record.offset);
        if expected.is_none() && !is_first {
            return true;
        }
        let mark = Mark::of(record.offset, record.timestamp_ms, record.key, record.value);
        if is_first && lane.ahead.back().is_none_or(|last| last.offset < mark.offset) {
            lane.ahead.push_back(mark);
        }
        if expected.is_some() {
            lane.expected = None;
        }
        expected.is_none_or(|expected| expected == mark)
    }

    /// The mark of a topic that must still be met.
    #[must_use]
    pub fn expected(&self, topic: Topic) -> Option<Mark> {
        self.lanes[topic.index()].expected
    }

    /// Does without the mark of a topic: the log no longer reaches back to it.
    pub fn give_up(&mut self, topic: Topic) {
        self.lanes[topic.index()].expected = None;
    }

    /// The last mark before each position.
    #[must_use]
    pub fn before(&self, positions: &[Position; 4]) -> [Option<Mark>; 4] {
        std::array::from_fn(|at| {
            let (lane, next) = (&self.lanes[at], positions[at].next);
            let passed = lane.ahead.partition_point(|mark| mark.offset.next() <= next);
            passed.checked_sub(1).map_or(lane.closed, |last| lane.ahead.get(last).copied())
        })
    }

    /// Forgets what lies before committed positions, but for the last of each.
    pub fn committed(&mut self, positions: &[Position; 4]) {
        let closed = self.before(positions);
        for ((lane, position), closed) in self.lanes.iter_mut().zip(positions).zip(closed) {
            lane.closed = closed;
            while lane.ahead.pop_front_if(|mark| mark.offset.next() <= position.next).is_some() {}
        }
    }

    /// Forgets what is read again.
    pub fn rewind(&mut self, positions: &[Position; 4]) {
        self.committed(positions);
        for lane in &mut self.lanes {
            lane.ahead.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{NextOffset, Offset};
    use crate::testing::StoredRecord;

    fn see(marks: &mut Marks, offset: i64, value: &[u8], is_first: bool) -> bool {
        let headers = StoredRecord {
            offset: Offset::new(offset),
            timestamp_ms: Some(5),
            key: None,
            value: Some(value.to_vec()),
            headers: Vec::new(),
        };
        let record = RawRecord {
            offset: headers.offset,
            timestamp_ms: headers.timestamp_ms,
            key: None,
            value: headers.value.as_deref(),
            headers: &headers,
        };
        marks.see(Topic::Claims, &record, is_first)
    }

    fn at(next: i64) -> [Position; 4] {
        [Position { next: NextOffset::stated(next), watermark: None }; 4]
    }

    fn offset(marks: [Option<Mark>; 4]) -> Option<i64> {
        marks[Topic::Claims.index()].map(|mark| mark.offset.get())
    }

    #[test]
    fn the_last_mark_before_a_position_stays_with_it() {
        let mut marks = Marks::default();
        for (record, is_first) in [(0, true), (1, false), (4, true), (9, true)] {
            assert!(see(&mut marks, record, b"v", is_first));
        }
        let found = [0, 1, 4, 5, 9, 10, 99].map(|next| offset(marks.before(&at(next))));
        assert_eq!(found, [None, Some(0), Some(0), Some(4), Some(4), Some(9), Some(9)]);
        marks.committed(&at(6));
        assert_eq!(offset(marks.before(&at(6))), Some(4));
        assert_eq!(offset(marks.before(&at(10))), Some(9));
        marks.rewind(&at(6));
        assert_eq!(offset(marks.before(&at(10))), Some(4));
    }

    #[test]
    fn a_record_that_must_be_there_is_met_or_missed_once() {
        let mark = Mark::of(Offset::new(4), Some(5), None, Some(b"v"));
        let expecting = || {
            let mut marks = Marks::default();
            marks.begin([Some(mark); 4], [true; 4]);
            marks
        };
        let mut marks = expecting();
        assert!(see(&mut marks, 3, b"x", true) && see(&mut marks, 4, b"v", false));
        assert_eq!(marks.expected(Topic::Claims), None);
        assert!(see(&mut marks, 5, b"x", false), "it is looked for once");
        assert!(!see(&mut expecting(), 4, b"other", false), "another record");
        assert!(!see(&mut expecting(), 5, b"v", false), "no record there");
        let mut marks = expecting();
        marks.give_up(Topic::Claims);
        assert!(see(&mut marks, 5, b"x", true));
    }
}
