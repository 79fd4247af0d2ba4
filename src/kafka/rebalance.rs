//! What a member of a group notes while the group gives and takes partitions.
//!
//! The callbacks run inside `poll` on the member's thread. A member fetches nothing: they answer
//! with an empty assignment, and note what happened for whoever polls. Absent on purpose: what
//! follows from it. Only the bridge's member commits offsets by itself.

use std::sync::Mutex;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, TopicPartitionList};
use tracing::debug;

use super::client::Witness;
use super::ffi::GroupMetadata;

/// What a callback saw.
pub(super) enum Note {
    /// The group gave these partitions, by topic; with its metadata in that very generation.
    Assigned { partitions: Vec<(String, i32)>, metadata: Option<GroupMetadata> },
    /// The group took all partitions back; `lost` if others may have them already.
    Revoked { lost: bool },
    /// The client did not take the empty assignment.
    Failed(KafkaError),
}

/// The callbacks of a member.
pub(super) struct MemberContext {
    /// What the client says.
    pub(super) witness: Witness,
    notes: Mutex<Vec<Note>>,
}

impl MemberContext {
    pub(super) fn new(witness: Witness) -> Self {
        Self { witness, notes: Mutex::default() }
    }

    fn note(&self, note: Note) {
        self.notes.lock().expect("no holder of this lock panics").push(note);
    }

    /// What happened since this was asked last, in order.
    pub(super) fn take(&self) -> Vec<Note> {
        std::mem::take(&mut *self.notes.lock().expect("no holder of this lock panics"))
    }

    fn failed(&self, result: KafkaResult<()>) {
        if let Err(error) = result {
            self.note(Note::Failed(error));
        }
    }
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.witness.log(level, facility, line);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        if what == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            self.failed(consumer.assign(&TopicPartitionList::new()));
            let partitions = partitions
                .elements()
                .iter()
                .map(|one| (one.topic().to_owned(), one.partition()))
                .collect();
            let metadata = GroupMetadata::of(consumer.client().native_client());
            self.note(Note::Assigned { partitions, metadata });
        } else {
            let lost = consumer.assignment_lost();
            self.failed(consumer.unassign());
            self.note(Note::Revoked { lost });
        }
    }
    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "offsets of alerts were not committed");
        }
    }
}
