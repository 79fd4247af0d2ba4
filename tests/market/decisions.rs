//! Recorded decisions in the form that the reference takes.

use odrwatch::wire::decision::DecisionLine;

use crate::oracle;

/// The same decision for the reference.
pub fn for_reference(decision: &DecisionLine) -> oracle::Decision {
    match decision {
        DecisionLine::Closing { boundary, partitions } => oracle::Decision::Close {
            boundary: boundary.number(),
            positions: partitions
                .iter()
                .map(|idle| (idle.topic.index(), idle.partition.get(), idle.next_offset.get()))
                .collect(),
        },
        DecisionLine::RecordTime { topic, partition, offset, record_time } => {
            oracle::Decision::RecordTime {
                topic: topic.index(),
                partition: partition.get(),
                offset: offset.get(),
                record_time_ms: record_time.ms(),
            }
        }
        DecisionLine::AlertsFrom { shard, boundary } => {
            oracle::Decision::AlertsFrom { shard: shard.get(), boundary: boundary.number() }
        }
        DecisionLine::Gap { topic, partition, from, to } => oracle::Decision::Gap {
            topic: topic.index(),
            partition: partition.get(),
            offsets: from.get()..to.get(),
        },
    }
}
