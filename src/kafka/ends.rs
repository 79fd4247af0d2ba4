//! Asks the leaders of input partitions where their logs end now, without blocking.
//!
//! The evidence that a partition is idle must be newer than its silence, and a stopped broker gives
//! none: what the client remembers looks the same then. So each question goes to the leaders, once
//! for the last stable offset and once for the high watermark, and is answered only when both came.
//! Both were stated after the question, so if both equal our position nothing was beyond it at the
//! later of the two moments, whichever that is.
//!
//! There is one question for each shard: librdkafka answers a question about many partitions only
//! when it has found all their leaders, so one leader that is away would keep the answers of all
//! others back. What failed is asked again by itself; a newer question about a shard voids the
//! answers to its older one.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::NativeClient;
use tracing::debug;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{Ends, InputPartition, TopicNames};

use super::client::Deadline;
use super::ffi::{End, OffsetsAnswer, Queue, Wake, ask_offsets};
use super::group::partition_of;

/// After this a leader's answer is given up and asked for again.
const ANSWER: Duration = Duration::from_secs(5);

/// The pause before a failed question is asked again.
const PAUSE: Duration = Duration::from_millis(200);

/// The open questions. Dropped before the client that they are asked through.
#[derive(Debug)]
pub(super) struct EndsQuestions {
    answers: Queue,
    names: [CString; 4],
    /// The number of the last question; its two halves are tagged `2 * number` and the next.
    number: usize,
    open: BTreeMap<ShardNo, Question>,
}

/// The open question about a shard.
#[derive(Debug)]
struct Question {
    number: usize,
    halves: BTreeMap<InputPartition, Halves>,
    /// Set when it failed: when it is asked again.
    again: Option<Deadline>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Halves {
    stable: Option<NextOffset>,
    high: Option<NextOffset>,
}

impl EndsQuestions {
    /// Prepares to ask through a client.
    pub(super) fn new(client: &NativeClient, topics: &TopicNames, wake: &Arc<Wake>) -> Self {
        let answers = Queue::new(client);
        answers.wakes(wake);
        let names = Topic::ALL.map(|topic| {
            CString::new(topics.input(topic)).expect("the topics were found under these names")
        });
        Self { answers, names, number: 0, open: BTreeMap::new() }
    }

    /// Asks about partitions of a shard; what was asked about it before is void.
    pub(super) fn ask(
        &mut self,
        client: &NativeClient,
        shard: ShardNo,
        partitions: &[InputPartition],
    ) {
        if partitions.is_empty() {
            self.open.remove(&shard);
            return;
        }
        self.number += 1;
        let list: Vec<(&CStr, i32)> = partitions
            .iter()
            .map(|asked| (self.names[asked.topic.index()].as_c_str(), partition_of(asked.shard)))
            .collect();
        let (number, tag) = (self.number, 2 * self.number);
        ask_offsets(client, &self.answers, &list, End::Stable, tag, ANSWER);
        ask_offsets(client, &self.answers, &list, End::High, tag + 1, ANSWER);
        let halves = partitions.iter().map(|asked| (*asked, Halves::default())).collect();
        self.open.insert(shard, Question { number, halves, again: None });
    }

    /// Takes the answers that have arrived, each once, and asks again what failed.
    pub(super) fn take(
        &mut self,
        client: &NativeClient,
        answers: &mut Vec<(InputPartition, Ends)>,
    ) {
        while self.answers.len() > 0 {
            let Some(answer) = self.answers.take_offsets(Duration::ZERO) else { continue };
            self.note(answer);
        }
        self.open.retain(|_, question| {
            let ends = |(partition, halves): (&InputPartition, &Halves)| {
                let (stable, high) = (halves.stable?, halves.high?);
                Some((*partition, Ends { stable, high }))
            };
            let all: Option<Vec<_>> = question.halves.iter().map(ends).collect();
            let is_open = all.is_none();
            answers.extend(all.into_iter().flatten());
            is_open
        });
        let is_due = |question: &Question| question.again.is_some_and(Deadline::is_over);
        let due: Vec<(ShardNo, Vec<InputPartition>)> = self
            .open
            .iter()
            .filter(|(_, question)| is_due(question))
            .map(|(shard, question)| (*shard, question.halves.keys().copied().collect()))
            .collect();
        for (shard, partitions) in due {
            self.ask(client, shard, &partitions);
        }
    }

    fn note(&mut self, answer: OffsetsAnswer) {
        let number = answer.tag / 2;
        let question = self.open.values_mut().find(|question| question.number == number);
        let Some(question) = question else { return };
        let offsets = match answer.offsets {
            Ok(offsets) => offsets,
            Err(error) => {
                debug!(%error, "no leader stated its ends");
                question.again = Some(Deadline::after(PAUSE));
                return;
            }
        };
        for (name, partition, offset) in offsets {
            let topic = Topic::ALL
                .into_iter()
                .find(|topic| self.names[topic.index()].to_bytes() == name.as_bytes());
            let (Some(topic), Ok(number)) = (topic, u32::try_from(partition)) else { continue };
            let asked = InputPartition { topic, shard: ShardNo::new(number) };
            let Some(halves) = question.halves.get_mut(&asked) else { continue };
            match offset {
                Ok(offset) if answer.tag.is_multiple_of(2) => {
                    halves.stable = Some(NextOffset::stated(offset));
                }
                Ok(offset) => halves.high = Some(NextOffset::stated(offset)),
                Err(code) => {
                    debug!(topic = name, partition, ?code, "no end was stated");
                    question.again = Some(Deadline::after(PAUSE));
                }
            }
        }
    }
}
