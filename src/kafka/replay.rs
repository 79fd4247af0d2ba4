//! Reads whole topics up to the ends they have now: for `odrwatch replay --from-kafka` and `dlq`.
//!
//! No group, no commits. Of all partitions the one whose newest timestamp is lowest is read next,
//! as a live worker does within a shard, so that the caller has little to hold back; the end is the
//! last stable offset at the start of the call, and it is reached as a position (see `progress`).

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::Consumer;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::ports::{InputPartition, RawRecord, SourceError};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::failure::{client_error, source_error};
use super::ffi::{self, End, Queue, Wake};
use super::group::partition_of;
use super::settings::KafkaConfig;
use super::topics::Cluster;

/// How many records are read from one partition before the next is chosen.
const AT_ONCE: usize = 100;

/// How long to sleep for records; they wake us.
const NAP: Duration = Duration::from_millis(200);

/// After so long without any progress the cluster is given up.
const PATIENCE: Duration = Duration::from_mins(1);

/// What was read of one partition: from the first offset up to, not including, the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span<K> {
    /// Which partition.
    pub partition: K,
    /// Its first offset.
    pub first: NextOffset,
    /// Its last stable offset when reading began.
    pub end: NextOffset,
}

/// How many partitions each of the four input topics has. Not to be called from asynchronous code.
///
/// # Errors
/// `Stop` where a topic does not exist, or they do not have the same number.
pub fn input_partitions(config: &KafkaConfig) -> Result<u32, SourceError> {
    let cluster = Cluster::reach(config)?;
    let mut counts = Vec::new();
    for topic in Topic::ALL {
        let name = config.topics.input(topic);
        counts.push((name, shards_of(&cluster, name)?.len()));
    }
    let (_, count) = counts[0];
    if counts.iter().any(|(_, other)| *other != count) {
        let told: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let told = told.join(", ");
        return Err(SourceError::Stop(format!(
            "the inputs must have the same number of partitions, and have: {told}"
        )));
    }
    Ok(u32::try_from(count).expect("partitions are counted as i32"))
}

/// Reads the four input topics from their starts to their present ends. `each` may break off.
/// Not to be called from asynchronous code.
pub fn read_inputs(
    config: &KafkaConfig,
    each: &mut dyn FnMut(Topic, ShardNo, RawRecord<'_>) -> ControlFlow<()>,
) -> Result<Vec<Span<InputPartition>>, SourceError> {
    let cluster = Cluster::reach(config)?;
    let mut partitions = Vec::new();
    for topic in Topic::ALL {
        let name = config.topics.input(topic);
        for shard in shards_of(&cluster, name)? {
            partitions.push((InputPartition { topic, shard }, name, partition_of(shard)));
        }
    }
    let all = NextOffset::stated(0);
    read(config, &partitions, all, &mut |key, record| each(key.topic, key.shard, record))
}

/// Reads the progress topic likewise, values only: the decisions that a replay is given.
pub fn read_progress_topic(
    config: &KafkaConfig,
    each: &mut dyn FnMut(ShardNo, &[u8]) -> ControlFlow<()>,
) -> Result<Vec<Span<ShardNo>>, SourceError> {
    let cluster = Cluster::reach(config)?;
    let name = config.topics.progress.as_str();
    let shards = match shards_of(&cluster, name) {
        Ok(shards) => shards,
        // Where odrwatch never ran there is no such topic, and nothing was decided.
        Err(SourceError::Stop(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let partitions: Vec<_> =
        shards.into_iter().map(|shard| (shard, name, partition_of(shard))).collect();
    let all = NextOffset::stated(0);
    read(config, &partitions, all, &mut |shard, record| match record.value {
        Some(value) => each(shard, value),
        None => ControlFlow::Continue(()),
    })
}

pub(super) fn shards_of(cluster: &Cluster, topic: &str) -> Result<Vec<ShardNo>, SourceError> {
    match cluster.look_at(topic)?.partitions {
        0 => Err(SourceError::Stop(format!(
            "the topic {topic} does not exist; kafka.topics names the topics, and `odrwatch topics \
             create` creates them"
        ))),
        count => Ok((0..count).map(ShardNo::new).collect()),
    }
}

/// Reads partitions from their starts, or from an offset where that is later, to their ends.
pub(super) fn read<K: Ord + Copy>(
    config: &KafkaConfig,
    partitions: &[(K, &str, i32)],
    from: NextOffset,
    each: &mut dyn FnMut(K, RawRecord<'_>) -> ControlFlow<()>,
) -> Result<Vec<Span<K>>, SourceError> {
    let (mut reader, wake) = reader_of(config, partitions.len())?;
    let spans = spans(&reader, partitions)?;
    let pieces: Vec<Piece<'_, K>> = spans
        .iter()
        .zip(partitions)
        .map(|(span, (_, topic, partition))| {
            let span = Span { first: span.first.max(from), ..*span };
            Piece { span, topic, partition: *partition }
        })
        .collect();
    read_pieces(&mut reader, &wake, &pieces, &mut |key, record| {
        let time = record.timestamp_ms;
        match each(key, record) {
            ControlFlow::Continue(()) => ControlFlow::Continue(time),
            ControlFlow::Break(()) => ControlFlow::Break(()),
        }
    })?;
    Ok(spans)
}

/// A client that reads so many partitions, and what wakes who waits for it.
pub(super) fn reader_of<K: Ord + Copy>(
    config: &KafkaConfig,
    partitions: usize,
) -> Result<(Reader<K>, Arc<Wake>), SourceError> {
    let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
    let wake = Arc::new(wake);
    let count = u32::try_from(partitions).expect("partitions are counted as i32");
    let witness = Witness::new("replay", config.secrets());
    let reader = Reader::new(&config.reader(count)?, witness, &wake)?;
    Ok((reader, wake))
}

/// What is to be read of one partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a, K> {
    /// From where to where.
    pub(super) span: Span<K>,
    /// The topic's name.
    pub(super) topic: &'a str,
    /// The partition's number.
    pub(super) partition: i32,
}

/// Takes a record; says how far its partition is, in ms, or that nothing more is wanted.
pub type EachRecord<'a, K> = dyn FnMut(K, RawRecord<'_>) -> ControlFlow<(), Option<i64>> + 'a;

/// Reads pieces, the partition that is the least far first.
pub(super) fn read_pieces<K: Ord + Copy>(
    reader: &mut Reader<K>,
    wake: &Wake,
    pieces: &[Piece<'_, K>],
    each: &mut EachRecord<'_, K>,
) -> Result<(), SourceError> {
    // How far each partition is that is not yet at its end.
    let mut newest: BTreeMap<K, i64> = BTreeMap::new();
    let ends: BTreeMap<K, NextOffset> =
        pieces.iter().map(|piece| (piece.span.partition, piece.span.end)).collect();
    for Piece { span, topic, partition } in pieces {
        if span.first < span.end {
            reader.start(span.partition, topic, *partition, span.first)?;
            newest.insert(span.partition, i64::MIN);
        }
    }
    let mut patience = Deadline::after(PATIENCE);
    while let Some((&key, &time)) = newest.iter().min_by_key(|(_, time)| **time) {
        reader.serve();
        let (end, mut time, mut is_over) = (ends[&key], time, false);
        let count = reader.read(key, AT_ONCE, &mut |record| {
            if record.offset.next() <= end && !is_over {
                match each(key, record) {
                    ControlFlow::Continue(reached) => time = time.max(reached.unwrap_or(time)),
                    ControlFlow::Break(()) => is_over = true,
                }
            }
        })?;
        if is_over {
            break;
        }
        if reader.position(key).is_some_and(|position| position >= end) {
            newest.remove(&key);
            reader.stop(key)?;
        } else if count == 0 {
            if patience.is_over() {
                let stalled = SourceError::Unavailable("no record came for a minute".to_owned());
                return Err(reader.consumer().context().explain(stalled));
            }
            wake.wait(NAP);
            continue;
        } else {
            newest.insert(key, time);
        }
        patience = Deadline::after(PATIENCE);
    }
    Ok(())
}

/// The ends of all partitions, in their order.
pub(super) fn spans<K: Ord + Copy>(
    reader: &Reader<K>,
    partitions: &[(K, &str, i32)],
) -> Result<Vec<Span<K>>, SourceError> {
    spans_within(reader, partitions, PATIENCE)
}

/// The same, where each of two questions may take so long.
pub(super) fn spans_within<K: Ord + Copy>(
    reader: &Reader<K>,
    partitions: &[(K, &str, i32)],
    patience: Duration,
) -> Result<Vec<Span<K>>, SourceError> {
    let answers = Queue::new(reader.consumer().client().native_client());
    let firsts = ends(reader, &answers, partitions, (End::First, patience))?;
    let stables = ends(reader, &answers, partitions, (End::Stable, patience))?;
    let spans = partitions.iter().zip(firsts.into_iter().zip(stables));
    Ok(spans
        .map(|((partition, _, _), (first, end))| Span { partition: *partition, first, end })
        .collect())
}

/// One kind of end of all partitions, in their order.
pub(super) fn ends<K: Ord + Copy>(
    reader: &Reader<K>,
    answers: &Queue,
    partitions: &[(K, &str, i32)],
    (end, patience): (End, Duration),
) -> Result<Vec<NextOffset>, SourceError> {
    let what = "asking for the ends of the topics";
    let names: Vec<CString> = partitions
        .iter()
        .map(|(_, name, _)| CString::new(*name).expect("it was found under this name"))
        .collect();
    let list: Vec<(&CStr, i32)> = names
        .iter()
        .zip(partitions)
        .map(|(name, (_, _, partition))| (name.as_c_str(), *partition))
        .collect();
    let client = reader.consumer().client().native_client();
    ffi::ask_offsets(client, answers, &list, end, 0, patience);
    let answer = answers.take_offsets(patience + NAP).ok_or_else(|| {
        let late = SourceError::NotReady(format!("{what} took too long"));
        reader.consumer().context().explain(late)
    })?;
    let found = answer.offsets.map_err(|error| client_error(&error, what))?;
    let found: BTreeMap<(String, i32), _> =
        found.into_iter().map(|(name, partition, offset)| ((name, partition), offset)).collect();
    partitions
        .iter()
        .map(|(_, name, partition)| match found.get(&((*name).to_owned(), *partition)) {
            Some(Ok(offset)) => Ok(NextOffset::stated(*offset)),
            Some(Err(code)) => Err(source_error(*code, what, &format!("{name}: {code}"))),
            None => Err(SourceError::NotReady(format!("{what}: nothing was said of {name}"))),
        })
        .collect()
}
