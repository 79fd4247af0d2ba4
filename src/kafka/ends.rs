//! Asks the leaders of input partitions where their logs end now, without blocking.
//!
//! The evidence that a partition is idle must be newer than its silence, and a stopped broker gives
//! none: what the client remembers looks the same then. So each question goes to the leaders, once
//! for the last stable offset and once for the high watermark, and is answered only when both came.
//! Both were stated after the question, so if both equal our position nothing was beyond it at the
//! later of the two moments, whichever that is. A newer question voids the answers to the older.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::NativeClient;
use tracing::debug;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{Ends, InputPartition, TopicNames};

use super::ffi::{End, OffsetsAnswer, Queue, Wake, ask_offsets};
use super::group::partition_of;

/// After this a leader's answer is given up; the pipeline asks again.
const ANSWER: Duration = Duration::from_secs(5);

/// The open question. Dropped before the client that it asks through.
#[derive(Debug)]
pub(super) struct EndsQuestion {
    answers: Queue,
    names: [CString; 4],
    /// The open question's number; its two halves are tagged `2 * number` and the next.
    number: usize,
    halves: BTreeMap<InputPartition, Halves>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Halves {
    stable: Option<NextOffset>,
    high: Option<NextOffset>,
}

impl EndsQuestion {
    /// Prepares to ask through a client.
    pub(super) fn new(client: &NativeClient, topics: &TopicNames, wake: &Arc<Wake>) -> Self {
        let answers = Queue::new(client);
        answers.wakes(wake);
        let names = Topic::ALL.map(|topic| {
            CString::new(topics.input(topic)).expect("the topics were found under these names")
        });
        Self { answers, names, number: 0, halves: BTreeMap::new() }
    }

    /// Asks; what was asked before is void.
    pub(super) fn ask(&mut self, client: &NativeClient, partitions: &[InputPartition]) {
        self.number += 1;
        self.halves = partitions.iter().map(|partition| (*partition, Halves::default())).collect();
        if self.halves.is_empty() {
            return;
        }
        let list: Vec<(&CStr, i32)> = self
            .halves
            .keys()
            .map(|asked| (self.names[asked.topic.index()].as_c_str(), partition_of(asked.shard)))
            .collect();
        let tag = 2 * self.number;
        ask_offsets(client, &self.answers, &list, End::Stable, tag, ANSWER);
        ask_offsets(client, &self.answers, &list, End::High, tag + 1, ANSWER);
    }

    /// Takes the answers that have arrived, each once.
    pub(super) fn take(&mut self, answers: &mut Vec<(InputPartition, Ends)>) {
        while self.answers.len() > 0 {
            let Some(answer) = self.answers.take_offsets(Duration::ZERO) else { continue };
            self.note(answer);
        }
        self.halves.retain(|partition, halves| {
            let (Some(stable), Some(high)) = (halves.stable, halves.high) else { return true };
            answers.push((*partition, Ends { stable, high }));
            false
        });
    }

    fn note(&mut self, answer: OffsetsAnswer) {
        if answer.tag / 2 != self.number {
            return;
        }
        let offsets = match answer.offsets {
            Ok(offsets) => offsets,
            Err(error) => {
                debug!(%error, "no leader stated its ends");
                return;
            }
        };
        for (name, partition, offset) in offsets {
            let topic = Topic::ALL
                .into_iter()
                .find(|topic| self.names[topic.index()].to_bytes() == name.as_bytes());
            let (Some(topic), Ok(number)) = (topic, u32::try_from(partition)) else { continue };
            let asked = InputPartition { topic, shard: ShardNo::new(number) };
            let Some(halves) = self.halves.get_mut(&asked) else { continue };
            match offset {
                Ok(offset) if answer.tag.is_multiple_of(2) => {
                    halves.stable = Some(NextOffset::stated(offset));
                }
                Ok(offset) => halves.high = Some(NextOffset::stated(offset)),
                Err(code) => debug!(topic = name, partition, ?code, "no end was stated"),
            }
        }
    }
}
