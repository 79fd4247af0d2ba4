//! Reads what `odrwatch verify` compares: inputs, progress and alerts, each from where to where.
//!
//! No group, no commits, nothing written. Invariant: everything is read `read_committed`, up to
//! ends that were stable when they were asked for.

use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{InputPartition, OutTopic, SourceError};

use super::group::partition_of;
use super::replay::{EachRecord, Piece, Span, read_pieces, reader_of, shards_of, spans};
use super::settings::KafkaConfig;
use super::topics::Cluster;

/// A partition that an audit reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditPartition {
    /// Of an input.
    Input(InputPartition),
    /// Of the alerts topic.
    Alerts(ShardNo),
    /// Of the progress topic.
    Progress(ShardNo),
}

impl AuditPartition {
    fn place(self, config: &KafkaConfig) -> (&str, i32) {
        let topics = &config.topics;
        match self {
            Self::Input(InputPartition { topic, shard }) => {
                (topics.input(topic), partition_of(shard))
            }
            Self::Alerts(shard) => (topics.output(OutTopic::Alerts), partition_of(shard)),
            Self::Progress(shard) => (topics.output(OutTopic::Progress), partition_of(shard)),
        }
    }
}

/// The shards that the progress topic has, ascending. Not to be called from asynchronous code.
///
/// # Errors
/// `Stop` where there is no such topic.
pub fn audited_shards(config: &KafkaConfig) -> Result<Vec<ShardNo>, SourceError> {
    shards_of(&Cluster::reach(config)?, config.topics.output(OutTopic::Progress))
}

/// The first offsets and last stable offsets of partitions, in their order.
///
/// # Errors
/// As the leaders say.
pub fn audit_spans(
    config: &KafkaConfig,
    partitions: &[AuditPartition],
) -> Result<Vec<Span<AuditPartition>>, SourceError> {
    let (reader, _) = reader_of(config, partitions.len())?;
    let asked: Vec<_> = partitions
        .iter()
        .map(|partition| {
            let (topic, number) = partition.place(config);
            (*partition, topic, number)
        })
        .collect();
    spans(&reader, &asked)
}

/// A span that begins or ends elsewhere than the log does.
#[must_use]
pub fn part_of(
    span: Span<AuditPartition>,
    from: NextOffset,
    to: NextOffset,
) -> Span<AuditPartition> {
    Span { first: span.first.max(from), end: span.end.min(to), ..span }
}

/// Reads spans: of all partitions always the one that is the least far, as `each` says, in ms.
///
/// # Errors
/// As the leaders say.
pub fn read_audit(
    config: &KafkaConfig,
    spans: &[Span<AuditPartition>],
    each: &mut EachRecord<'_, AuditPartition>,
) -> Result<(), SourceError> {
    let (mut reader, wake) = reader_of(config, spans.len())?;
    let pieces: Vec<Piece<'_, AuditPartition>> = spans
        .iter()
        .map(|span| {
            let (topic, partition) = span.partition.place(config);
            Piece { span: *span, topic, partition }
        })
        .collect();
    read_pieces(&mut reader, &wake, &pieces, each)
}
