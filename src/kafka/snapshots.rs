//! The topic of snapshots: appended to by an idempotent producer, read from any offset.
//!
//! Clients are made for each call and dropped after it: a snapshot is seldom written, and a client
//! that idles holds connections and memory. Invariant: an append returns only after every record
//! is on all replicas in sync. Absent on purpose: transactions, keys' meaning, and retries.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{EachSnapshotRecord, SnapshotLog, SourceError, StoreError};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::deliveries::PlainContext;
use super::failure::wrapper_error;
use super::ffi::Wake;
use super::group::partition_of;
use super::replay::spans;
use super::settings::KafkaConfig;
use super::topics::{Cluster, TopicFact};

/// How long nothing may come or go before a call is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait for more at a time.
const NAP: Duration = Duration::from_millis(20);

/// Records handed over in one step.
const AT_ONCE: usize = 64;

/// What a record's key, headers and lengths take beside its value.
const RECORD_ROOM: usize = 4_096;

/// The topic of snapshots.
#[derive(Clone, Debug)]
pub struct KafkaSnapshotLog {
    config: KafkaConfig,
    max_message_bytes: usize,
}

impl KafkaSnapshotLog {
    /// A log over the topic of snapshots, which was found fit.
    #[must_use]
    pub fn new(config: &KafkaConfig, fact: &TopicFact) -> Self {
        Self { config: config.clone(), max_message_bytes: fact.max_message_bytes }
    }

    fn topic(&self) -> &str {
        &self.config.topics.snapshots
    }

    fn reader(&self) -> Result<ClientConfig, SourceError> {
        let mut config = self.config.reader(1)?;
        // Chunks are large: with small fetches each would take a round trip.
        config.set("fetch.message.max.bytes", "8388608");
        Ok(config)
    }
}

/// The id of the cluster, by which a snapshot is told from one of another cluster.
///
/// # Errors
/// The cluster does not answer.
pub fn cluster_id(config: &KafkaConfig) -> Result<String, SourceError> {
    let cluster = Cluster::reach(config)?;
    let id = cluster.consumer().client().fetch_cluster_id(PATIENCE);
    id.ok_or_else(|| SourceError::Unavailable("the cluster does not tell its id".to_owned()))
}

impl SnapshotLog for KafkaSnapshotLog {
    fn read(
        &mut self,
        shard: ShardNo,
        from: Offset,
        each: &mut EachSnapshotRecord<'_>,
    ) -> Result<(), StoreError> {
        self.read_from(shard, from, each).map_err(|error| store_error(&error))
    }

    fn append(
        &mut self,
        shard: ShardNo,
        records: &mut dyn Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        self.append_all(shard, records).map_err(|error| store_error(&error))
    }

    fn max_value_bytes(&self) -> usize {
        self.max_message_bytes.saturating_sub(RECORD_ROOM)
    }
}

impl KafkaSnapshotLog {
    fn read_from(
        &self,
        shard: ShardNo,
        from: Offset,
        each: &mut EachSnapshotRecord<'_>,
    ) -> Result<(), SourceError> {
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let wake = Arc::new(wake);
        let witness = Witness::new("snapshot reader", self.config.secrets());
        let mut reader = Reader::new(&self.reader()?, witness, &wake)?;
        let partition = (shard, self.topic(), partition_of(shard));
        let span = spans(&reader, &[partition])?[0];
        let first = span.first.max(NextOffset::stated(from.get()));
        if first >= span.end {
            return Ok(());
        }
        reader.start(shard, self.topic(), partition_of(shard), first)?;
        let (mut patience, mut wants_more) = (Deadline::after(PATIENCE), true);
        while wants_more && reader.position(shard).is_none_or(|position| position < span.end) {
            reader.serve();
            let count = reader.read(shard, AT_ONCE, &mut |record| {
                if wants_more && record.offset.next() <= span.end {
                    wants_more = each(record.offset, record.key.unwrap_or_default(), record.value);
                }
            })?;
            if count > 0 {
                patience = Deadline::after(PATIENCE);
            } else if patience.is_over() {
                let what = format!("reading {}-{shard}: nothing came for long", self.topic());
                return Err(reader.consumer().context().explain(SourceError::Unavailable(what)));
            } else {
                wake.wait(NAP);
            }
        }
        Ok(())
    }

    fn append_all(
        &self,
        shard: ShardNo,
        records: &mut dyn Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), SourceError> {
        let what = format!("writing to {}-{shard}", self.topic());
        // A zero byte in a name would be refused by the client in odder words.
        CString::new(self.topic()).map_err(|_| SourceError::Stop(format!("{what}: its name")))?;
        let witness = Witness::new("snapshot writer", self.config.secrets());
        let producer: BaseProducer<PlainContext> = self
            .config
            .snapshot_writer(self.max_message_bytes)?
            .create_with_context(PlainContext::new(witness))
            .map_err(|error| wrapper_error(&error, &what))?;
        for (key, value) in records {
            let mut next = Some(
                BaseRecord::<[u8], [u8]>::to(self.topic()).partition(partition_of(shard)).key(&key),
            );
            if let (Some(record), Some(value)) = (&mut next, &value) {
                record.payload = Some(value);
            }
            let patience = Deadline::after(PATIENCE);
            while let Some(record) = next.take() {
                match producer.send(record) {
                    Ok(()) => {}
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                        if !patience.is_over() =>
                    {
                        producer.poll(NAP);
                        next = Some(back);
                    }
                    Err((error, _)) => return Err(wrapper_error(&error, &what)),
                }
            }
            producer.poll(Duration::ZERO);
        }
        let (mut left, mut patience) = (producer.in_flight_count(), Deadline::after(PATIENCE));
        while left > 0 {
            producer.poll(NAP);
            let now = producer.in_flight_count();
            if now < left {
                patience = Deadline::after(PATIENCE);
            } else if patience.is_over() {
                let late = SourceError::Unavailable(format!("{what} takes too long"));
                return Err(producer.client().context().witness.explain(late));
            }
            left = now;
        }
        match producer.client().context().failed() {
            None => Ok(()),
            Some(error) => {
                let error = wrapper_error(&error, &what);
                Err(producer.client().context().witness.explain(error))
            }
        }
    }
}

fn store_error(error: &SourceError) -> StoreError {
    let words = error.to_string();
    match error {
        SourceError::Refused(_) | SourceError::Stop(_) | SourceError::Lost(_) => {
            StoreError::Refused(words)
        }
        _ => StoreError::Failed(words),
    }
}
