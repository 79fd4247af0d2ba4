//! The real [`Broker`]: ties member, reader, questions and sink together.
//!
//! Invariants: a partition is read only while its shard is assigned; of a kept partition neither
//! position nor fetched records are touched by a rebalance; all clients are gone before the pipe
//! that their queues write to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tracing::{debug, info, warn};

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{
    Batch, Broker, CommitError, CommittedShard, Ends, GroupEvent, InputPartition, InputTopic,
    OutTopic, RawRecord, ReadStep, Receipt, SourceError,
};

use super::client::Witness;
use super::consumer::Reader;
use super::ends::EndsQuestions;
use super::ffi::Wake;
use super::group::{Member, partition_of};
use super::producer::Sink;
use super::progress::ProgressReader;
use super::settings::KafkaConfig;
use super::topics::TopicFacts;

/// A Kafka cluster as one worker sees it.
pub struct KafkaBroker {
    // The order of these fields is the order in which they are dropped.
    live: Option<Live>,
    sink: Sink,
    wake: Arc<Wake>,
    config: KafkaConfig,
}

/// A broker is made on one thread and used on another.
const _: fn() = || {
    fn is_sent<T: Send>() {}
    is_sent::<KafkaBroker>();
};

/// The clients that read; `None` in the broker once it is closed.
struct Live {
    // The order of these fields is the order in which they are dropped.
    ends: EndsQuestions,
    progress: ProgressReader,
    reader: Reader<InputPartition>,
    member: Member,
    /// The shards that are assigned now.
    assigned: BTreeSet<ShardNo>,
}

impl std::fmt::Debug for KafkaBroker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let assigned = self.live.as_ref().map(|live| &live.assigned);
        formatter
            .debug_struct("KafkaBroker")
            .field("config", &self.config)
            .field("assigned", &assigned)
            .finish_non_exhaustive()
    }
}

impl KafkaBroker {
    /// Connects a worker to topics that were found fit: fences its predecessor, heals what that
    /// left open, then joins the group. Blocks for some seconds.
    ///
    /// # Errors
    /// As [`SourceError`] says; `NotReady` while another instance's open transaction holds an
    /// output partition up: connect again.
    pub fn connect(config: &KafkaConfig, facts: &TopicFacts) -> Result<Self, SourceError> {
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let wake = Arc::new(wake);
        let mut sink = Sink::new(config, facts);
        sink.reconnect()?;
        let topics = u32::try_from(Topic::ALL.len()).expect("there are four");
        let witness = Witness::new("reader", config.secrets());
        // Were all other workers gone, this one would have all partitions.
        let settings = config.reader(facts.partitions.saturating_mul(topics))?;
        let reader = Reader::new(&settings, witness, &wake)?;
        let native = reader.consumer().client().native_client();
        let ends = EndsQuestions::new(native, &config.topics, &wake);
        let progress = ProgressReader::new(config, &wake);
        let member = Member::join(config, &wake)?;
        info!(identity = config.identity(), group = config.group, "joining the group");
        let live = Live { ends, progress, reader, member, assigned: BTreeSet::new() };
        Ok(Self { live: Some(live), sink, wake, config: config.clone() })
    }

    fn live(&mut self) -> Result<&mut Live, SourceError> {
        self.live.as_mut().ok_or_else(closed)
    }
}

fn closed() -> SourceError {
    SourceError::Fatal("the broker is closed".to_owned())
}

impl Live {
    /// Lets go of what is not assigned any more, once the new assignment is known.
    fn follow(&mut self, event: &GroupEvent) -> Result<(), SourceError> {
        match event {
            GroupEvent::Revoked { .. } => {
                self.assigned.clear();
                self.progress.forget_all()?;
            }
            GroupEvent::Assigned(shards) => {
                self.assigned = shards.iter().copied().collect();
                let gone: Vec<InputPartition> =
                    self.reader.keys().filter(|key| !self.assigned.contains(&key.shard)).collect();
                for key in gone {
                    self.reader.stop(key)?;
                }
            }
        }
        Ok(())
    }
}

impl Broker for KafkaBroker {
    fn poll_group(&mut self, events: &mut Vec<GroupEvent>) -> Result<(), SourceError> {
        let Self { live, config, wake, .. } = self;
        let live = live.as_mut().ok_or_else(closed)?;
        let seen = events.len();
        let mut outcome = live.member.poll(events);
        if live.member.fenced_itself() {
            warn!("the group's session timed out while no broker answered: joining anew");
            live.member = Member::join(config, wake)?;
            events.push(GroupEvent::Revoked { lost: true });
            outcome = Ok(());
        }
        for event in &events[seen..] {
            debug!(?event, "the group changed");
            live.follow(event)?;
        }
        live.reader.serve();
        if let Some(refusal) = live.reader.consumer().context().take_refusal() {
            return Err(refusal);
        }
        outcome
    }

    fn seek(&mut self, partition: InputPartition, from: NextOffset) -> Result<(), SourceError> {
        let name = self.config.topics.input(partition.topic).to_owned();
        let live = self.live()?;
        if !live.assigned.contains(&partition.shard) {
            return Err(SourceError::NotReady(format!("{name}-{} is not ours", partition.shard)));
        }
        live.reader.start(partition, &name, partition_of(partition.shard), from)
    }

    fn read(
        &mut self,
        partition: InputPartition,
        max: usize,
        each: &mut dyn FnMut(RawRecord<'_>),
    ) -> Result<usize, SourceError> {
        let live = self.live()?;
        if !live.assigned.contains(&partition.shard) {
            return Ok(0);
        }
        live.reader.read(partition, max, each)
    }

    fn is_at_log_end(&mut self, partition: InputPartition) -> bool {
        self.live.as_ref().is_some_and(|live| live.reader.is_at_log_end(partition))
    }

    fn position(&mut self, partition: InputPartition) -> Option<NextOffset> {
        self.live.as_ref()?.reader.position(partition)
    }

    fn known_end(&mut self, partition: InputPartition) -> Option<NextOffset> {
        self.live.as_ref()?.reader.known_end(partition)
    }

    fn ask_ends(&mut self, shard: ShardNo, partitions: &[InputPartition]) {
        if let Some(live) = &mut self.live {
            live.ends.ask(live.reader.consumer().client().native_client(), shard, partitions);
        }
    }

    fn take_ends(&mut self, answers: &mut Vec<(InputPartition, Ends)>) {
        if let Some(live) = &mut self.live {
            live.ends.take(live.reader.consumer().client().native_client(), answers);
        }
    }

    fn log_bounds(
        &mut self,
        partition: InputPartition,
    ) -> Result<(NextOffset, NextOffset), SourceError> {
        self.live()?.member.log_bounds(partition)
    }

    fn describe_inputs(&mut self) -> Result<[InputTopic; 4], SourceError> {
        self.live()?.member.describe_inputs()
    }

    fn committed(&mut self, shard: ShardNo) -> Result<Option<CommittedShard>, SourceError> {
        self.live()?.member.committed(shard)
    }

    fn read_progress(
        &mut self,
        shard: ShardNo,
        from: Option<Offset>,
        max: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<ReadStep, SourceError> {
        self.live()?.progress.read(shard, from, max, each)
    }

    fn progress_offset(&self, shard: ShardNo) -> Option<Offset> {
        self.sink.progress_offset(shard)
    }

    fn commit(&mut self, batch: &Batch) -> Result<Receipt, CommitError> {
        let Some(live) = &self.live else {
            return Err(CommitError::Restart { stage: "begin", cause: "closed".to_owned() });
        };
        self.sink.commit(batch, &live.member)
    }

    fn reconnect(&mut self) -> Result<(), SourceError> {
        // A fenced worker must not fence the newer one in turn.
        if let Some(gone) = self.live()?.member.is_gone() {
            return Err(gone);
        }
        self.sink.reconnect()
    }

    fn has_lost_an_end(&mut self) -> bool {
        self.sink.has_lost_an_end()
    }

    fn clock_skew_ms(&self) -> Option<i64> {
        self.sink.clock_skew_ms()
    }

    fn wait(&mut self, timeout: Duration) {
        self.wake.wait(timeout);
    }

    fn max_record_bytes(&self, topic: OutTopic) -> usize {
        self.sink.max_record_bytes(topic)
    }

    fn close(&mut self) {
        self.sink.close();
        self.live = None;
    }
}
