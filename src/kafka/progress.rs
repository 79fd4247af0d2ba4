//! Reads progress partitions from their start to the end that was stable when reading began.
//!
//! One client reads the partitions of all shards that are opening, each from its own queue; it is
//! made at the first call. A step never waits: the ends are asked for in one and known in a later
//! one. The end is a position, not a record: behind it may stand markers and aborted transactions
//! only, so reading ends when the position has reached it, and never waits for the record before.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::debug;

use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{ReadStep, SourceError};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::failure::{client_error, source_error};
use super::ffi::{End, OffsetsAnswer, Queue, Wake, ask_offsets};
use super::group::partition_of;
use super::settings::KafkaConfig;

/// After this a leader's answer is given up and asked for again.
const ANSWER: Duration = Duration::from_secs(5);

/// How long to wait after a failed question.
const PAUSE: Duration = Duration::from_millis(100);

/// How long looking up the leaders may block the worker.
const LEADERS: Duration = Duration::from_secs(1);

/// How many partitions share the memory budget while shards open.
const AT_ONCE: u32 = 64;

/// Reads the progress partitions of shards.
pub(super) struct ProgressReader {
    client: Option<Client>,
    config: KafkaConfig,
    wake: Arc<Wake>,
    tag: usize,
}

struct Client {
    // The order of these fields is the order in which they are dropped.
    answers: Queue,
    steps: BTreeMap<ShardNo, Step>,
    /// Set after a failed question: until when none is asked. This client may have been idle while
    /// brokers came and went, and librdkafka 2.12 goes on to ask the leaders that it knew then.
    pause: Option<Deadline>,
    reader: Reader<ShardNo>,
}

/// How far the reading of one shard is.
enum Step {
    /// Its two ends were asked for, the first with this tag and the last stable one with the next.
    Asked { tag: usize, first: Option<NextOffset>, stable: Option<NextOffset> },
    /// It is read up to this end.
    Reading { end: NextOffset },
}

impl ProgressReader {
    /// Makes no client yet.
    pub(super) fn new(config: &KafkaConfig, wake: &Arc<Wake>) -> Self {
        Self { client: None, config: config.clone(), wake: Arc::clone(wake), tag: 0 }
    }

    /// Forgets what is being read: the shards that were opening begin anew.
    pub(super) fn forget_all(&mut self) -> Result<(), SourceError> {
        let Some(client) = &mut self.client else { return Ok(()) };
        let shards: Vec<ShardNo> = client.steps.keys().copied().collect();
        shards.into_iter().try_for_each(|shard| client.forget(shard))
    }

    /// Reads on in a shard's partition: at most `max` values in order. Reading begins at `from` if
    /// the log still has it.
    pub(super) fn read(
        &mut self,
        shard: ShardNo,
        from: Option<Offset>,
        max: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<ReadStep, SourceError> {
        if self.client.is_none() {
            self.client = Some(Client::new(&self.config, &self.wake)?);
        }
        let client = self.client.as_mut().expect("it was just made");
        client.reader.serve();
        if let Some(refusal) = client.reader.consumer().context().take_refusal() {
            return Err(refusal);
        }
        client.take_answers(&self.config.topics.progress)?;
        let from = from.map_or(NextOffset::stated(0), |at| NextOffset::stated(at.get()));
        let topic = &self.config.topics.progress;
        let step = client.step((shard, from), max, topic, &mut self.tag, each);
        match step {
            Ok(ReadStep::More) => {}
            Ok(ReadStep::End) | Err(_) => client.forget(shard)?,
        }
        step
    }
}

impl Client {
    fn new(config: &KafkaConfig, wake: &Arc<Wake>) -> Result<Self, SourceError> {
        let witness = Witness::new("progress reader", config.secrets());
        let reader = Reader::new(&config.reader(AT_ONCE)?, witness, wake)?;
        let answers = Queue::new(reader.consumer().client().native_client());
        answers.wakes(wake);
        Ok(Self { answers, steps: BTreeMap::new(), pause: None, reader })
    }

    fn step(
        &mut self,
        (shard, from): (ShardNo, NextOffset),
        max: usize,
        topic: &str,
        last_tag: &mut usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<ReadStep, SourceError> {
        match self.steps.get(&shard) {
            None => {
                if !self.may_ask(topic) {
                    return Ok(ReadStep::More);
                }
                *last_tag += 2;
                self.ask(shard, topic, *last_tag);
                Ok(ReadStep::More)
            }
            Some(Step::Asked { first: Some(first), stable: Some(end), .. }) => {
                let (first, end) = ((*first).max(from), *end);
                if first >= end {
                    return Ok(ReadStep::End);
                }
                self.reader.start(shard, topic, partition_of(shard), first)?;
                self.steps.insert(shard, Step::Reading { end });
                Ok(ReadStep::More)
            }
            Some(Step::Asked { .. }) => Ok(ReadStep::More),
            Some(Step::Reading { end }) => {
                let end = *end;
                self.reader.read(shard, max, &mut |record| {
                    if let Some(value) = record.value
                        && record.offset.next() <= end
                    {
                        each(value);
                    }
                })?;
                let reached = self.reader.position(shard).is_some_and(|position| position >= end);
                Ok(if reached { ReadStep::End } else { ReadStep::More })
            }
        }
    }

    /// Whether a question may be asked now. After a failed one, the leaders are looked up first.
    fn may_ask(&mut self, topic: &str) -> bool {
        let Some(pause) = self.pause else { return true };
        if !pause.is_over() {
            return false;
        }
        let found = self.reader.consumer().fetch_metadata(Some(topic), LEADERS);
        self.pause = found.is_err().then(|| Deadline::after(PAUSE));
        found.is_ok()
    }

    fn ask(&mut self, shard: ShardNo, topic: &str, tag: usize) {
        let topic = CString::new(topic).expect("the topic was found under this name");
        let partitions = [(topic.as_c_str(), partition_of(shard))];
        let client = self.reader.consumer().client().native_client();
        ask_offsets(client, &self.answers, &partitions, End::First, tag, ANSWER);
        ask_offsets(client, &self.answers, &partitions, End::Stable, tag + 1, ANSWER);
        self.steps.insert(shard, Step::Asked { tag, first: None, stable: None });
    }

    /// Notes the answers that have arrived. A failed question is forgotten, so that the shard's
    /// next step asks again; only what no repetition cures is an error.
    fn take_answers(&mut self, topic: &str) -> Result<(), SourceError> {
        let mut outcome = Ok(());
        while self.answers.len() > 0 {
            let Some(answer) = self.answers.take_offsets(Duration::ZERO) else { continue };
            let Some((&shard, _)) = self.steps.iter().find(|(_, step)| step.waits_for(answer.tag))
            else {
                continue;
            };
            if let Err(error) = self.note(shard, answer, topic) {
                debug!(%error, "the ends of the progress are asked for again");
                self.steps.remove(&shard);
                self.pause = Some(Deadline::after(PAUSE));
                if !matches!(error, SourceError::NotReady(_) | SourceError::Unavailable(_)) {
                    outcome = Err(error);
                }
            }
        }
        outcome
    }

    fn note(
        &mut self,
        shard: ShardNo,
        answer: OffsetsAnswer,
        topic: &str,
    ) -> Result<(), SourceError> {
        let what = format!("asking for the ends of {topic}-{shard}");
        let offsets = answer.offsets.map_err(|error| client_error(&error, &what))?;
        let (_, _, offset) = offsets
            .into_iter()
            .next()
            .ok_or_else(|| SourceError::NotReady(format!("{what}: no leader answered")))?;
        let offset = offset.map_err(|code| source_error(code, &what, &code.to_string()))?;
        if let Some(Step::Asked { tag, first, stable }) = self.steps.get_mut(&shard) {
            let place = if answer.tag == *tag { first } else { stable };
            *place = Some(NextOffset::stated(offset));
        }
        Ok(())
    }

    fn forget(&mut self, shard: ShardNo) -> Result<(), SourceError> {
        self.steps.remove(&shard);
        self.reader.stop(shard)
    }
}

impl Step {
    fn waits_for(&self, asked: usize) -> bool {
        matches!(self, Self::Asked { tag, .. } if asked == *tag || asked == *tag + 1)
    }
}
