//! The worker's membership in the consumer group, and nothing else: this client fetches no record.
//!
//! ```text
//!            subscribe            assign callback          revoke callback
//!   outside ----------> joining ------------------> member ----------------> joining ...
//! ```
//!
//! The callbacks run inside `poll` on the worker's thread. They tell librdkafka to fetch nothing
//! (an empty assignment: see `consumer`) and note what happened; [`Member::poll`] turns the notes
//! into events. Invariants: while `joined` is `Some`, it holds the group metadata taken in the
//! assign callback of that very generation; a revocation empties it before any event is seen, so
//! that no transaction can use an old generation with new partitions or the reverse.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use tracing::warn;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{
    CommittedShard, GroupEvent, InputPartition, InputTopic, ShardOffsets, SourceError, TopicNames,
};
use crate::wire::identity::TopicId;

use super::client::Witness;
use super::failure::{client_error, source_error, wrapper_error};
use super::ffi::{self, GroupMetadata, Listed, Queue, Wake};
use super::rebalance::{MemberContext, Note};
use super::settings::KafkaConfig;

/// How many events of the client are served in one call.
const EVENTS: u32 = 16;

/// How long a question about committed offsets may block the worker.
const COMMITTED: Duration = Duration::from_secs(1);

/// How long a question about a log's bounds may block the worker.
const BOUNDS: Duration = Duration::from_secs(1);

/// How long asking for the input topics may take.
const DESCRIBE: Duration = Duration::from_millis(800);

/// The membership.
pub(super) struct Member {
    // The order of these fields is the order in which they are dropped.
    joined: Option<Joined>,
    events: Queue,
    consumer: BaseConsumer<MemberContext>,
    topics: TopicNames,
    group: String,
}

struct Joined {
    shards: BTreeSet<ShardNo>,
    metadata: GroupMetadata,
}

/// Why offsets may not be sent to a transaction now.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotOurs(String);

impl Member {
    /// Makes the client and joins the group; the assignment comes later, through [`Self::poll`].
    pub(super) fn join(config: &KafkaConfig, wake: &Arc<Wake>) -> Result<Self, SourceError> {
        let witness = Witness::new("member", config.secrets());
        let consumer: BaseConsumer<MemberContext> = config
            .member()?
            .create_with_context(MemberContext::new(witness))
            .map_err(|error| wrapper_error(&error, "making the group's member"))?;
        let events = Queue::of_consumer(consumer.client().native_client())
            .ok_or_else(|| SourceError::Fatal("a consumer without a queue".to_owned()))?;
        events.wakes(wake);
        let inputs: Vec<&str> = config.topics.inputs.iter().map(String::as_str).collect();
        consumer.subscribe(&inputs).map_err(|error| wrapper_error(&error, "subscribing"))?;
        let (topics, group) = (config.topics.clone(), config.group.clone());
        Ok(Self { joined: None, events, consumer, topics, group })
    }

    /// Serves the group and appends what happened.
    pub(super) fn poll(&mut self, events: &mut Vec<GroupEvent>) -> Result<(), SourceError> {
        let mut outcome = Ok(());
        for round in 0..EVENTS {
            if round > 0 && self.events.len() == 0 {
                break;
            }
            match self.consumer.poll(Duration::ZERO) {
                None => {}
                Some(Ok(_)) => unreachable!("nothing is assigned to the member's own client"),
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::PollExceeded))) => {
                    warn!("the worker was busy for longer than max.poll.interval.ms");
                }
                Some(Err(error)) => {
                    let error = wrapper_error(&error, "serving the group");
                    // The worst is told: an outage must not hide that we were fenced.
                    if outcome.is_ok() || !matches!(error, SourceError::Unavailable(_)) {
                        outcome = Err(error);
                    }
                }
            }
        }
        if let Some(refusal) = self.consumer.context().witness.take_refusal() {
            outcome = Err(refusal);
        }
        for note in self.consumer.context().take() {
            self.follow(note, events)?;
        }
        outcome
    }

    fn follow(&mut self, note: Note, events: &mut Vec<GroupEvent>) -> Result<(), SourceError> {
        match note {
            Note::Failed(error) => return Err(wrapper_error(&error, "answering a rebalance")),
            Note::Revoked { lost } => {
                self.joined = None;
                events.push(GroupEvent::Revoked { lost });
            }
            Note::Assigned { partitions, metadata } => {
                let shards = self.shards_of(&partitions)?;
                self.joined = metadata
                    .map(|metadata| Joined { shards: shards.iter().copied().collect(), metadata });
                events.push(GroupEvent::Assigned(shards));
            }
        }
        Ok(())
    }

    /// The shards that partitions make up: all four topics of each, or the assignor is wrong.
    fn shards_of(&self, partitions: &[(String, i32)]) -> Result<Vec<ShardNo>, SourceError> {
        let mut topics_of: BTreeMap<ShardNo, BTreeSet<&str>> = BTreeMap::new();
        for (topic, partition) in partitions {
            let number = u32::try_from(*partition).expect("the group assigns real partitions");
            topics_of.entry(ShardNo::new(number)).or_default().insert(topic);
        }
        for (shard, topics) in &topics_of {
            if topics.len() != Topic::ALL.len() {
                return Err(SourceError::Stop(format!(
                    "the group {} gave us partition {shard} of {topics:?} only, not of all four \
                     inputs. Give all four the same number of partitions, and let no other program \
                     join this group",
                    self.group
                )));
            }
        }
        Ok(topics_of.into_keys().collect())
    }

    /// Whether the client took itself for fenced. After a session timed out, librdkafka 2.12 goes
    /// on to send heartbeats, without the member id that it just dropped, until the revocation was
    /// served; a coordinator that comes back then answers that such a member is fenced. One that a
    /// newer instance fenced still has its id.
    pub(super) fn fenced_itself(&self) -> bool {
        let client = self.consumer.client();
        client.fatal_error().is_some_and(|(code, _)| code == RDKafkaErrorCode::FencedInstanceId)
            && GroupMetadata::of(client.native_client()).is_some_and(|now| now.member().is_empty())
    }

    /// Whether a newer instance with our name took over, or the client failed for good.
    pub(super) fn is_gone(&self) -> Option<SourceError> {
        if self.fenced_itself() {
            return None;
        }
        let (code, words) = self.consumer.client().fatal_error()?;
        Some(match source_error(code, "the group's member", &words) {
            fenced @ SourceError::Fenced(_) => fenced,
            other => SourceError::Fatal(other.to_string()),
        })
    }

    /// The group metadata for these offsets: of the present generation, which gave us all of their
    /// shards. A broker checks the generation only, so the rest is checked here (KIP-447).
    pub(super) fn metadata_for(&self, offsets: &[ShardOffsets]) -> Result<&GroupMetadata, NotOurs> {
        let joined = self.joined.as_ref().ok_or_else(|| NotOurs("nothing is assigned".into()))?;
        for of_shard in offsets {
            if !joined.shards.contains(&of_shard.shard) {
                return Err(NotOurs(format!("shard {} is not assigned", of_shard.shard)));
            }
        }
        let (generation, member) = (joined.metadata.generation(), joined.metadata.member());
        let now = GroupMetadata::of(self.consumer.client().native_client())
            .ok_or_else(|| NotOurs("the client has no group".into()))?;
        // Brokers take a negative generation unchecked.
        if generation < 0 || member.is_empty() {
            return Err(NotOurs(format!("the assignment came with generation {generation}")));
        }
        if (now.generation(), now.member()) != (generation, member) {
            let now = now.generation();
            return Err(NotOurs(format!("the generation went from {generation} to {now}")));
        }
        Ok(&joined.metadata)
    }

    /// What the group has committed for a shard.
    pub(super) fn committed(&self, shard: ShardNo) -> Result<Option<CommittedShard>, SourceError> {
        let what = format!("the committed offsets of shard {shard}");
        let mut asked = TopicPartitionList::with_capacity(Topic::ALL.len());
        for topic in Topic::ALL {
            asked.add_partition(self.topics.input(topic), partition_of(shard));
        }
        let answer = self
            .consumer
            .committed_offsets(asked, COMMITTED)
            .map_err(|error| wrapper_error(&error, &what))?;
        let found = ffi::listed(&answer);
        if let Some((code, topic)) = found.iter().find_map(|one| Some((one.error?, &one.topic))) {
            return Err(source_error(code, &what, &format!("{topic}: {code}")));
        }
        self.read_committed(shard, &found)
    }

    /// The first offset and the last stable one of a partition. Asked here and not by the reader,
    /// whose connections to the leaders are taken by fetches that wait for records.
    pub(super) fn log_bounds(
        &self,
        partition: InputPartition,
    ) -> Result<(NextOffset, NextOffset), SourceError> {
        let (name, number) = (self.topics.input(partition.topic), partition_of(partition.shard));
        // On a client that reads committed records the second is the last stable offset.
        let (first, stable) =
            self.consumer.fetch_watermarks(name, number, BOUNDS).map_err(|error| {
                wrapper_error(&error, &format!("asking for the bounds of {name}-{number}"))
            })?;
        Ok((NextOffset::stated(first), NextOffset::stated(stable)))
    }

    /// What the cluster says of the four inputs.
    pub(super) fn describe_inputs(&self) -> Result<[InputTopic; 4], SourceError> {
        let what = "asking for the input topics";
        let names = Topic::ALL.map(|topic| {
            CString::new(self.topics.input(topic)).expect("the topic was found under this name")
        });
        let asked = names.each_ref().map(CString::as_c_str);
        let found = ffi::describe_topics(self.consumer.client().native_client(), &asked, DESCRIBE)
            .map_err(|error| client_error(&error, what))?;
        let mut inputs = [InputTopic::default(); 4];
        for (topic, input) in Topic::ALL.into_iter().zip(&mut inputs) {
            let name = self.topics.input(topic);
            let Some(one) = found.iter().find(|one| one.name == name) else {
                return Err(SourceError::NotReady(format!("{what}: nothing was said of {name}")));
            };
            match one.error {
                None => {
                    let partitions = u32::try_from(one.partitions).expect("counted as i32");
                    *input = InputTopic { partitions, id: one.id.map(TopicId) };
                }
                Some(RDKafkaErrorCode::UnknownTopicOrPartition) => {}
                Some(code) => return Err(source_error(code, what, &format!("{name}: {code}"))),
            }
        }
        Ok(inputs)
    }

    fn read_committed(
        &self,
        shard: ShardNo,
        found: &[Listed],
    ) -> Result<Option<CommittedShard>, SourceError> {
        let of = |topic: Topic| found.iter().find(|one| one.topic == self.topics.input(topic));
        let offsets = Topic::ALL.map(|topic| of(topic).and_then(|one| one.offset));
        if offsets.iter().all(Option::is_none) {
            return Ok(None);
        }
        let stop = |problem: &str| {
            SourceError::Stop(format!(
                "the offsets that the group {} committed for partition {shard} are not odrwatch's: \
                 {problem}. Use a group of odrwatch's own, or delete these offsets \
                 (kafka-consumer-groups --delete-offsets) to start from the progress topic alone",
                self.group
            ))
        };
        let mut next = [NextOffset::stated(0); 4];
        let mut progress = None;
        for topic in Topic::ALL {
            let name = self.topics.input(topic);
            // A topic that is deleted takes its offsets along. The progress record knows them, and
            // that the topic is another one now.
            let one = of(topic).filter(|one| one.offset.is_some());
            let Some(one) = one else { continue };
            let number = std::str::from_utf8(&one.metadata).ok().and_then(|text| text.parse().ok());
            let Some(number) = number else {
                return Err(stop(&format!("{name} has no progress number as its metadata")));
            };
            if *progress.get_or_insert(number) != number {
                return Err(stop("the four topics have different progress numbers"));
            }
            next[topic.index()] = NextOffset::stated(one.offset.unwrap_or(0));
        }
        Ok(progress.map(|progress| CommittedShard { next, progress }))
    }
}

/// A shard's partition number as librdkafka takes it.
pub(super) fn partition_of(shard: ShardNo) -> i32 {
    i32::try_from(shard.get()).expect("Kafka counts partitions as i32")
}
