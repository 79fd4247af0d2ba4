//! The dead-letter topic, for `odrwatch dlq`: reads it, and gives letters back to the inputs.
//!
//! Invariants: a letter and its receipt are written in one transaction, so that both are seen or
//! neither; who gives letters back holds one transactional id for the whole group, and reads the
//! receipts only after all that an earlier holder left is decided. So no letter is given back
//! twice, however often and wherever the command is run or killed. Absent on purpose: which
//! letters are given back, which is the command's.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;

use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{Header, RawRecord, SourceError};
use crate::wire::dead_letter::{place, receipt_headers};

use super::client::{Deadline, Witness};
use super::consumer::Reader;
use super::failure::{client_error, source_error, wrapper_error};
use super::ffi::{self, End, Queue, Wake};
use super::group::partition_of;
use super::producer::owned_headers;
use super::replay::{Span, ends, read, shards_of};
use super::settings::KafkaConfig;
use super::topics::Cluster;

/// How long one step of a transaction may take.
const STEP: Duration = Duration::from_secs(30);

/// The pause between two looks at the ends of the topic.
const PAUSE: Duration = Duration::from_millis(50);

/// Reads the dead-letter topic, or one partition of it from an offset on, to its present end.
/// Where several partitions are read, their records come mixed. Returns what was there to read.
/// Not to be called from asynchronous code.
///
/// # Errors
/// `Stop` where there is no such topic. A partition that is not there has nothing to read.
pub fn read_dead_letters(
    config: &KafkaConfig,
    only: Option<(ShardNo, Offset)>,
    each: &mut dyn FnMut(ShardNo, RawRecord<'_>) -> ControlFlow<()>,
) -> Result<Vec<Span<ShardNo>>, SourceError> {
    let name = config.topics.dead_letters.as_str();
    let mut shards = shards_of(&Cluster::reach(config)?, name)?;
    let mut from = NextOffset::stated(0);
    if let Some((partition, offset)) = only {
        shards.retain(|shard| *shard == partition);
        from = NextOffset::stated(offset.get());
    }
    if shards.is_empty() {
        return Ok(Vec::new());
    }
    read(config, &numbered(&shards, name), from, each)
}

fn numbered<'n>(shards: &[ShardNo], name: &'n str) -> Vec<(ShardNo, &'n str, i32)> {
    shards.iter().map(|shard| (*shard, name, partition_of(*shard))).collect()
}

/// The largest record that each input takes, in bytes, as `wire::dead_letter::size_bound` counts
/// them. Not to be called from asynchronous code.
///
/// # Errors
/// As the cluster says.
pub fn input_max_bytes(config: &KafkaConfig) -> Result<[usize; 4], SourceError> {
    max_bytes(&Cluster::reach(config)?, config)
}

fn max_bytes(cluster: &Cluster, config: &KafkaConfig) -> Result<[usize; 4], SourceError> {
    let mut bytes = [0; 4];
    for topic in Topic::ALL {
        bytes[topic.index()] = cluster.look_at(config.topics.input(topic))?.max_bytes();
    }
    Ok(bytes)
}

/// A dead letter that is given back to its input: what the new record there will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// The letter's partition.
    pub letter_partition: ShardNo,
    /// The letter's offset.
    pub letter_offset: Offset,
    /// The input.
    pub topic: Topic,
    /// The input's partition.
    pub partition: ShardNo,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Vec<u8>,
    /// All headers.
    pub headers: Vec<Header>,
    /// The timestamp in ms since the epoch, where the letter has one.
    pub timestamp_ms: Option<i64>,
}

/// Gives dead letters back.
pub struct Requeuer {
    client: ThreadedProducer<Reports>,
    config: KafkaConfig,
}

impl std::fmt::Debug for Requeuer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Requeuer").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Requeuer {
    /// Takes the right to give letters back, ends what an earlier holder left open, and waits
    /// until all receipts up to now can be read. Not to be called from asynchronous code.
    ///
    /// # Errors
    /// `NotReady` where a transaction of somebody stays open on the dead-letter topic.
    pub fn connect(config: &KafkaConfig) -> Result<Self, SourceError> {
        let cluster = Cluster::reach(config)?;
        let largest = max_bytes(&cluster, config)?.into_iter().max().unwrap_or(0);
        let witness = Witness::new("requeuer", config.secrets());
        let client: ThreadedProducer<Reports> = config
            .requeuer(largest)?
            .create_with_context(Reports { witness, told: Mutex::default() })
            .map_err(|error| wrapper_error(&error, "making the producer"))?;
        let requeuer = Self { client, config: config.clone() };
        requeuer
            .client
            .init_transactions(STEP)
            .map_err(|error| wrapper_error(&error, "starting the producer's transactions"))
            .map_err(|error| requeuer.explain(error))?;
        requeuer.wait_until_decided(&cluster)?;
        Ok(requeuer)
    }

    /// Gives letters back, all or none: their records to the inputs, their receipts beside them.
    /// Returns the offsets of the new records, in order.
    ///
    /// # Errors
    /// `Fenced` where the command was started a second time meanwhile. After any error the
    /// requeuer is of no more use, and nothing of these letters was written, unless the commit's
    /// own answer was lost: the receipts tell.
    pub fn give_back(&mut self, letters: &[Returned]) -> Result<Vec<Offset>, SourceError> {
        self.client
            .begin_transaction()
            .map_err(|error| wrapper_error(&error, "beginning a transaction"))?;
        let given = self.write(letters).and_then(|offsets| {
            ffi::commit(self.client.client().native_client(), STEP)
                .map_err(|error| client_error(&error, "committing the letters"))?;
            Ok(offsets)
        });
        given.map_err(|error| {
            // The next holder's start ends it otherwise.
            let _ = ffi::abort(self.client.client().native_client(), STEP);
            self.explain(error)
        })
    }

    fn write(&self, letters: &[Returned]) -> Result<Vec<Offset>, SourceError> {
        for (at, letter) in letters.iter().enumerate() {
            let to = self.config.topics.input(letter.topic);
            let mut record = outgoing(to, letter.partition, at, letter.timestamp_ms);
            record.key = letter.key.as_deref();
            record.payload = Some(&letter.value);
            record.headers = owned_headers(letter.headers.iter());
            self.send(record)?;
        }
        let offsets = self.delivered(letters.len())?;
        let dead = self.config.topics.dead_letters.as_str();
        for (at, (letter, offset)) in letters.iter().zip(&offsets).enumerate() {
            let from = place(dead, letter.letter_partition, letter.letter_offset);
            let to = self.config.topics.input(letter.topic);
            let headers = receipt_headers(&from, to, letter.partition, *offset);
            // Retention goes by timestamps: a receipt is kept as long as its letter.
            let mut record = outgoing(dead, letter.letter_partition, at, letter.timestamp_ms);
            record.headers = owned_headers(headers.iter());
            self.send(record)?;
        }
        self.delivered(letters.len())?;
        Ok(offsets)
    }

    fn send(&self, record: Outgoing<'_>) -> Result<(), SourceError> {
        let what = format!("writing to {}", record.topic);
        let mut next = Some(record);
        while let Some(record) = next.take() {
            match self.client.send(record) {
                Ok(()) => {}
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    if !ffi::flush(self.client.client().native_client(), STEP) {
                        return Err(SourceError::NotReady(format!("{what} took too long")));
                    }
                    next = Some(back);
                }
                Err((error, _)) => return Err(wrapper_error(&error, &what)),
            }
        }
        Ok(())
    }

    /// Waits for the reports of all records that were sent; their offsets in the order of sending.
    fn delivered(&self, count: usize) -> Result<Vec<Offset>, SourceError> {
        let what = "writing the letters";
        if !ffi::flush(self.client.client().native_client(), STEP) {
            return Err(SourceError::NotReady(format!("{what} took too long")));
        }
        let mut told = self.client.context().take();
        told.sort_unstable_by_key(|(at, _)| *at);
        assert_eq!(told.len(), count, "each record has one report");
        told.into_iter()
            .map(|(_, outcome)| {
                outcome.map(Offset::new).map_err(|code| source_error(code, what, &code.to_string()))
            })
            .collect()
    }

    /// Waits until nothing that is in the dead-letter topic now is undecided.
    fn wait_until_decided(&self, cluster: &Cluster) -> Result<(), SourceError> {
        let name = self.config.topics.dead_letters.as_str();
        let shards = shards_of(cluster, name)?;
        let partitions = numbered(&shards, name);
        let wake = Wake::new().map_err(|error| SourceError::Fatal(format!("a pipe: {error}")))?;
        let count = u32::try_from(partitions.len()).expect("partitions are counted as i32");
        let witness = Witness::new("letters", self.config.secrets());
        let reader = Reader::new(&self.config.reader(count)?, witness, &Arc::new(wake))?;
        let answers = Queue::new(reader.consumer().client().native_client());
        let high = ends(&reader, &answers, &partitions, (End::High, STEP))?;
        let deadline = Deadline::after(STEP);
        loop {
            let stable = ends(&reader, &answers, &partitions, (End::Stable, STEP))?;
            let behind = stable.iter().zip(&high).position(|(stable, high)| stable < high);
            let Some(behind) = behind else { return Ok(()) };
            if deadline.is_over() {
                return Err(SourceError::NotReady(format!(
                    "a transaction stays open on {name}-{}: which letters were given back cannot \
                     be known; try again when the service runs and has committed",
                    shards[behind]
                )));
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn explain(&self, error: SourceError) -> SourceError {
        self.client.context().witness.explain(error)
    }
}

type Outgoing<'a> = BaseRecord<'a, [u8], [u8], usize>;

fn outgoing(topic: &str, partition: ShardNo, at: usize, timestamp_ms: Option<i64>) -> Outgoing<'_> {
    let mut record = BaseRecord::with_opaque_to(topic, at).partition(partition_of(partition));
    // Zero means "now" to librdkafka; a millisecond off is nearer.
    record.timestamp = timestamp_ms.map(|ms| ms.max(1));
    record
}

/// What became of each record that was sent, by its place.
type Outcomes = Vec<(usize, Result<i64, RDKafkaErrorCode>)>;

/// The context of the producer. Its callbacks run on the producer's own thread.
struct Reports {
    witness: Witness,
    told: Mutex<Outcomes>,
}

impl Reports {
    fn take(&self) -> Outcomes {
        std::mem::take(&mut self.told.lock().expect("no holder of this lock panics"))
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.witness.log(level, facility, line);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, at: usize) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        self.told.lock().expect("no holder of this lock panics").push((at, outcome));
    }
}
