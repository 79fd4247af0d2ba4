//! What delivery reports tell: of a transaction failures, places and the broker's clock, of other
//! records the first failure.

use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message, Timestamp};
use rdkafka::producer::ProducerContext;
use rdkafka::types::RDKafkaErrorCode;

use crate::pipeline::ports::OutTopic;

use super::client::Witness;
use super::producer::wall_ms;
use super::trace::{Place, Spans};

/// Our clock minus the broker's, in ms, as an interval: a record is stamped between its sending
/// and its report, so one report says that the difference lies between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skew {
    low: i64,
    high: i64,
}

impl Skew {
    const UNKNOWN: Self = Self { low: i64::MIN, high: i64::MAX };

    fn stamped(self, stamp: i64, sent: i64, reported: i64) -> Self {
        Self { low: self.low.max(sent - stamp), high: self.high.min(reported - stamp) }
    }

    /// The least that the clocks differ by, so that a slow broker is not taken for a wrong clock.
    pub(super) fn nearest_to_zero(self) -> Option<i64> {
        let (low, high) = (self.low.min(self.high), self.low.max(self.high));
        (self != Self::UNKNOWN).then(|| 0.clamp(low, high))
    }
}

/// What the delivery reports of one transaction told.
#[derive(Debug)]
pub(super) struct Deliveries {
    /// When its records began to be sent, in ms of the clock on the wall.
    sent: i64,
    pub(super) skew: Skew,
    pub(super) failures: u32,
    failed: Option<(OutTopic, RDKafkaErrorCode)>,
    /// Where the records are that are no progress records.
    pub(super) outputs: Spans,
    /// Where the progress records are.
    pub(super) progress: Spans,
}

impl Deliveries {
    /// Nothing is reported yet of what is sent from now on.
    pub(super) fn since(sent: i64) -> Self {
        Self {
            sent,
            skew: Skew::UNKNOWN,
            failures: 0,
            failed: None,
            outputs: Spans::default(),
            progress: Spans::default(),
        }
    }

    /// The first failure.
    pub(super) fn failed(&self) -> Option<(OutTopic, RDKafkaErrorCode)> {
        self.failed
    }
}

impl Default for Deliveries {
    fn default() -> Self {
        Self::since(0)
    }
}

/// The context of the producer. Its callbacks run on the producer's own thread.
#[derive(Debug)]
pub(super) struct SinkContext {
    pub(super) witness: Witness,
    pub(super) deliveries: Mutex<Deliveries>,
}

impl ClientContext for SinkContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.witness.log(level, facility, line);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for SinkContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, place: usize) {
        let topic = OutTopic::ALL[place];
        let reported = wall_ms();
        match result {
            Ok(message) => {
                let mut deliveries = self.deliveries.lock().expect("no holder of this lock panics");
                let at: Place = (place, message.partition());
                if topic != OutTopic::Progress {
                    deliveries.outputs.add(at, message.offset());
                    return;
                }
                deliveries.progress.add(at, message.offset());
                if let Timestamp::LogAppendTime(stamp) = message.timestamp() {
                    deliveries.skew = deliveries.skew.stamped(stamp, deliveries.sent, reported);
                }
            }
            Err((error, _)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
                let mut deliveries = self.deliveries.lock().expect("no holder of this lock panics");
                deliveries.failures += 1;
                deliveries.failed.get_or_insert((topic, code));
            }
        }
    }
}

/// The context of a producer without transactions: the first failed delivery is kept. Its
/// callbacks run inside `poll`.
pub(super) struct PlainContext {
    pub(super) witness: Witness,
    failed: Mutex<Option<KafkaError>>,
}

impl PlainContext {
    pub(super) fn new(witness: Witness) -> Self {
        Self { witness, failed: Mutex::new(None) }
    }

    /// The first failure.
    pub(super) fn failed(&self) -> Option<KafkaError> {
        self.failed.lock().expect("no holder of this lock panics").clone()
    }
}

impl ClientContext for PlainContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.witness.log(level, facility, line);
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.witness.error(error, reason);
    }
}

impl ProducerContext for PlainContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failed = self.failed.lock().expect("no holder of this lock panics");
            failed.get_or_insert_with(|| error.clone());
        }
    }
}
