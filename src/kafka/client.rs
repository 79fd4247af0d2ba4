//! What every client tells: its log lines, and the errors that belong to no call.
//!
//! librdkafka's lines go to tracing under the target `librdkafka`, rate-limited by facility, with
//! secret values blotted out. The last error and the first refusal are kept, because a call that
//! failed only says that its time was over, not that the password was wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use tracing::{debug, error, info, warn};

use crate::pipeline::ports::SourceError;

use super::failure::source_error;

/// How many lines of one facility are logged in one period.
const LINES: u32 = 5;

/// The period of the rate limit.
const PERIOD: Duration = Duration::from_secs(30);

/// How many facilities are told apart; librdkafka has some dozens.
const FACILITIES: usize = 64;

/// Reads the clock that does not jump.
#[expect(clippy::disallowed_methods, reason = "an adapter's deadlines")]
pub(super) fn monotonic() -> Instant {
    Instant::now()
}

/// A moment after which waiting ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// The deadline of something that begins now.
    pub(super) fn after(limit: Duration) -> Self {
        Self(monotonic() + limit)
    }

    /// How much time is left.
    pub(super) fn left(self) -> Duration {
        self.0.saturating_duration_since(monotonic())
    }

    /// Whether no time is left.
    pub(super) fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// The context of a client.
#[derive(Debug)]
pub(super) struct Witness {
    role: &'static str,
    secrets: Vec<String>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    lines: BTreeMap<String, Window>,
    last_error: Option<String>,
    refused: Option<String>,
    troubles: u64,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u32,
    suppressed: u32,
}

impl Witness {
    /// The context of a client with a role (consumer, producer, ...), which is named in its lines.
    pub(super) fn new(role: &'static str, secrets: Vec<String>) -> Self {
        Self { role, secrets, seen: Mutex::default() }
    }

    /// The last error that belonged to no call. It stays: librdkafka tells the cause of an outage
    /// once, however long the outage lasts.
    fn last_error(&self) -> Option<String> {
        self.seen().last_error.clone()
    }

    /// The refusal (authentication or authorisation) that was seen since the last call, if any.
    pub(super) fn take_refusal(&self) -> Option<SourceError> {
        self.seen().refused.take().map(SourceError::Refused)
    }

    /// How many errors belonged to no call so far: a broker that went away is one, or several.
    pub(super) fn troubles(&self) -> u64 {
        self.seen().troubles
    }

    /// Explains a call that ran out of time with what was seen meanwhile.
    pub(super) fn explain(&self, error: SourceError) -> SourceError {
        let hopeless = |text: String| match self.take_refusal() {
            Some(refusal) => refusal,
            None => SourceError::Unavailable(match self.last_error() {
                Some(seen) => format!("{text}; {seen}"),
                None => text,
            }),
        };
        match error {
            SourceError::NotReady(text) | SourceError::Unavailable(text) => hopeless(text),
            other => other,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder of this lock panics")
    }

    fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    /// Notes one error that belongs to no call.
    fn note(&self, error: &KafkaError, reason: &str) {
        let text = self.without_secrets(reason);
        let code = error.rdkafka_error_code();
        let refusal =
            code.is_some_and(|code| matches!(source_error(code, "", ""), SourceError::Refused(_)));
        let mut seen = self.seen();
        seen.troubles += 1;
        if refusal {
            seen.refused.get_or_insert_with(|| text.clone());
        }
        // That all brokers are down follows from what befell each, and says no more.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) || seen.last_error.is_none() {
            seen.last_error = Some(text);
        }
    }

    /// Notes why a connection failed. A client that has no group is told so by its log only.
    fn note_failure(&self, line: &str) {
        // The name of librdkafka's thread comes first.
        let reason = line.split_once("]: ").map_or(line, |(_, reason)| reason);
        let text = self.without_secrets(reason);
        let mut seen = self.seen();
        seen.troubles += 1;
        seen.last_error = Some(text);
    }

    /// Says how many lines to admit to before this one; `None` if this one is too many.
    fn admit(&self, facility: &str, now: Instant) -> Option<u32> {
        let mut seen = self.seen();
        if !seen.lines.contains_key(facility) && seen.lines.len() >= FACILITIES {
            return None;
        }
        let fresh = Window { began: now, lines: 0, suppressed: 0 };
        let window = seen.lines.entry(facility.to_owned()).or_insert(fresh);
        let mut suppressed = 0;
        if now.duration_since(window.began) >= PERIOD {
            suppressed = window.suppressed;
            *window = Window { began: now, lines: 0, suppressed: 0 };
        }
        if window.lines == LINES {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(suppressed)
    }
}

impl ClientContext for Witness {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" {
            self.note_failure(line);
        }
        // Each client is given all of the user's settings; that one ignores another's is no news.
        let quiet = facility == "CONFWARN";
        let Some(suppressed) = self.admit(facility, monotonic()) else { return };
        let (role, line) = (self.role, self.without_secrets(line));
        match level {
            _ if quiet => debug!(target: "librdkafka", role, facility, line, "client setting"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                error!(target: "librdkafka", role, facility, suppressed, line, "client failed");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => {
                warn!(target: "librdkafka", role, facility, suppressed, line, "client warns");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                info!(target: "librdkafka", role, facility, suppressed, line, "client says");
            }
            RDKafkaLogLevel::Debug => {
                debug!(target: "librdkafka", role, facility, line, "client details");
            }
        }
    }

    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
        if let Some(suppressed) = self.admit("error", monotonic()) {
            let (role, reason) = (self.role, self.without_secrets(reason));
            warn!(target: "librdkafka", role, suppressed, %error, reason, "client has an error");
        }
    }
}

impl ConsumerContext for Witness {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_lines_is_cut_and_counted() {
        let witness = Witness::new("test", Vec::new());
        let began = monotonic();
        let admitted = (0..20).filter(|_| witness.admit("FAIL", began).is_some()).count();
        assert_eq!(admitted, 5);
        assert_eq!(witness.admit("OTHER", began), Some(0));
        assert_eq!(witness.admit("FAIL", began + PERIOD), Some(15));
        assert_eq!(witness.admit("FAIL", began + PERIOD), Some(0));
    }

    #[test]
    fn a_wrong_password_explains_a_time_out() {
        let witness = Witness::new("test", vec!["hunter2".to_owned()]);
        let down = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        witness.note(&down, "connection refused");
        let error = witness.explain(SourceError::NotReady("timed out".to_owned()));
        assert_eq!(error.to_string(), "the broker is unreachable: timed out; connection refused");

        // The cause is told once, and holds for each attempt after it.
        let all_down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        witness.note(&all_down, "1/1 brokers are down");
        let error = witness.explain(SourceError::NotReady("timed out".to_owned()));
        assert!(error.to_string().ends_with("; connection refused"), "{error}");

        witness.log(RDKafkaLogLevel::Error, "FAIL", "[thrd:b]: b: SSL handshake failed: why");
        let error = witness.explain(SourceError::NotReady("timed out".to_owned()));
        assert!(error.to_string().ends_with("timed out; b: SSL handshake failed: why"), "{error}");

        let refused = KafkaError::Global(RDKafkaErrorCode::Authentication);
        witness.note(&refused, "bad password hunter2");
        let error = witness.explain(SourceError::NotReady("timed out".to_owned()));
        assert!(matches!(&error, SourceError::Refused(text) if text == "bad password ***"));
    }
}
