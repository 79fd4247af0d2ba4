//! In which order the records of several files are taken in.
//!
//! Read on is always the file whose newest record is the oldest, so that the topics stay together
//! and little waits for its boundary. A partition may be spread over several files: a record then
//! waits while another file may still have an earlier one of its partition. If all files wait,
//! which takes gaps between offsets and runs that overlap, the oldest of them goes on, and the
//! replay refuses what is then out of order.
//!
//! Invariant: the results do not depend on the order chosen here.

use std::collections::BTreeMap;
use std::io::Read;

use super::lines::Lines;
use super::survey::{Place, Run};
use super::{Pace, Skipped, TopicsByName, no_record, of_replay, unreadable};
use crate::commands::failure::Failure;
use crate::domain::ids::{Offset, ShardNo};
use crate::pipeline::replay::Replay;
use crate::wire::replay::parse_line;

/// A file being read, at a record that is not yet taken in.
struct Reader {
    name: String,
    lines: Lines<Box<dyn Read>>,
    /// The newest time taken in, in ms.
    time: i64,
    /// Its runs of partitions that other files have, too.
    runs: BTreeMap<Place, Run>,
    /// The present record, if it waits for other files.
    waits: Option<(Place, i64)>,
    ended: bool,
}

/// A file as it is given: its name, its content, its runs of shared partitions.
pub type Given = (String, Box<dyn Read>, BTreeMap<Place, Run>);

/// What came of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Taken,
    Waits,
}

/// All files.
pub struct Merge<'a> {
    readers: Vec<Reader>,
    topics: &'a TopicsByName<'a>,
    skipped: Skipped,
    /// The offset after the last one taken in, of partitions that several files have.
    read_to: BTreeMap<Place, i64>,
    /// Whether a file may go on that had to wait when the last choice was made.
    woken: bool,
}

impl<'a> Merge<'a> {
    /// Begins with files, each at its first record.
    ///
    /// # Errors
    /// 69 for a file that cannot be read.
    pub fn new(
        files: Vec<Given>,
        topics: &'a TopicsByName<'a>,
        pace: &mut Pace,
    ) -> Result<Self, Failure> {
        let readers = files.into_iter().map(|(name, file, runs)| Reader {
            lines: Lines::new(&name, file),
            name,
            time: i64::MIN,
            runs,
            waits: None,
            ended: false,
        });
        let (skipped, read_to) = (Skipped::default(), BTreeMap::new());
        let mut merge = Self { readers: readers.collect(), topics, skipped, read_to, woken: false };
        for at in 0..merge.readers.len() {
            merge.advance(at, pace)?;
        }
        Ok(merge)
    }

    /// Takes in all records, and tells which lines were none of the inputs'.
    ///
    /// # Errors
    /// 69 for a file that cannot be read, 64 for a line that is no record, and what the replay
    /// refuses, with the line.
    pub fn feed(mut self, replay: &mut Replay, pace: &mut Pace) -> Result<Skipped, Failure> {
        while let Some((at, until)) = self.choose() {
            self.woken = false;
            while !self.woken
                && !self.readers[at].ended
                && self.readers[at].time <= until
                && self.step(at, replay)? == Step::Taken
            {
                self.advance(at, pace)?;
            }
        }
        Ok(self.skipped)
    }

    /// The file to read on in, and up to which time before the choice is made again.
    fn choose(&mut self) -> Option<(usize, i64)> {
        let (mut best, mut until) = (None, i64::MAX);
        for (at, reader) in self.readers.iter().enumerate() {
            if reader.ended || reader.waits.is_some() {
                continue;
            }
            match best {
                Some((_, time)) if time <= reader.time => until = until.min(reader.time),
                _ => {
                    until = best.map_or(until, |(_, time)| time);
                    best = Some((at, reader.time));
                }
            }
        }
        if let Some((at, _)) = best {
            return Some((at, until));
        }
        let waiting = self.readers.iter().enumerate().filter(|(_, reader)| !reader.ended);
        let (at, _) = waiting.min_by_key(|(_, reader)| reader.time)?;
        // Whatever it waits for, it does so in vain.
        if let Some((place, offset)) = self.readers[at].waits.take() {
            self.read_to.insert(place, offset);
        }
        Some((at, self.readers[at].time))
    }

    /// Takes in the present record of a file, unless it has to wait.
    fn step(&mut self, at: usize, replay: &mut Replay) -> Result<Step, Failure> {
        let reader = &self.readers[at];
        let record = parse_line(reader.lines.text())
            .map_err(|error| no_record(reader.lines.place(), error))?;
        let Some(topic) = self.topics.find(&record.topic) else {
            self.skipped.count(&record.topic);
            return Ok(Step::Taken);
        };
        let (place, offset) = ((topic, record.partition), record.offset);
        let is_shared = reader.runs.contains_key(&place);
        if is_shared && self.must_wait(at, place, offset) {
            self.readers[at].waits = Some((place, offset));
            return Ok(Step::Waits);
        }
        let (partition, number) = (ShardNo::new(record.partition), Offset::new(offset));
        replay
            .push(topic, partition, number, record.timestamp_ms, record.value.as_deref())
            .map_err(|error| of_replay(error).during(reader.lines.place()))?;
        let time = record.timestamp_ms;
        let reader = &mut self.readers[at];
        reader.time = time.map_or(reader.time, |time| reader.time.max(time));
        if is_shared {
            self.passed(at, place, offset);
        }
        Ok(Step::Taken)
    }

    /// Whether another file may still have an earlier record of a partition.
    fn must_wait(&self, at: usize, place: Place, offset: i64) -> bool {
        if self.read_to.get(&place) == Some(&offset) {
            return false;
        }
        self.readers.iter().enumerate().any(|(other, reader)| {
            let may_have_earlier = |run: &Run| {
                let next = match reader.waits {
                    Some((waiting, next)) if waiting == place => next,
                    _ => run.next,
                };
                next <= run.last && next < offset
            };
            other != at && !reader.ended && reader.runs.get(&place).is_some_and(may_have_earlier)
        })
    }

    /// Notes that a record of a shared partition was taken in: others may now go on.
    fn passed(&mut self, at: usize, place: Place, offset: i64) {
        let next = offset + 1;
        self.read_to.insert(place, next);
        let run = self.readers[at].runs.get_mut(&place).expect("the partition is shared");
        run.next = next;
        let is_over = run.next > run.last;
        self.wake(|waiting| waiting.0 == place && (is_over || waiting.1 <= next));
    }

    /// Lets those files go on that have nothing to wait for any more, of those that may be so.
    fn wake(&mut self, may_go_on: impl Fn((Place, i64)) -> bool) {
        for at in 0..self.readers.len() {
            let Some(waiting) = self.readers[at].waits.filter(|waiting| may_go_on(*waiting)) else {
                continue;
            };
            if !self.must_wait(at, waiting.0, waiting.1) {
                self.readers[at].waits = None;
                self.woken = true;
            }
        }
    }

    fn advance(&mut self, at: usize, pace: &mut Pace) -> Result<(), Failure> {
        let reader = &mut self.readers[at];
        let before = reader.lines.bytes();
        let more = reader.lines.advance().map_err(|error| unreadable(&reader.name, error))?;
        pace.note(reader.lines.bytes() - before);
        if !more {
            reader.ended = true;
            self.wake(|_| true);
        }
        Ok(())
    }
}
