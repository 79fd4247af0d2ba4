//! What each error of librdkafka means for the caller: one table for reading, one for writing.
//!
//! The tables say what is done next, not what happened: the message keeps librdkafka's own words.
//! A code that is in no table is an outage for a reader (back off and go on) and a restart for a
//! transaction, since every state is rebuilt from the topics then.

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use crate::pipeline::ports::{CommitError, SourceError};

use super::ffi::ClientError;

/// What a reader does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    NotReady,
    Unavailable,
    Stop,
    Refused,
    Fenced,
    Fatal,
}

/// What happens to the shards of a transaction next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Restart,
    Fenced,
    Refused,
    Impossible,
}

fn reading(code: Code) -> Reading {
    match code {
        Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::WaitingForCoordinator
        | Code::UnstableOffsetCommit
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::UnknownLeaderEpoch
        | Code::FencedLeaderEpoch
        | Code::OffsetNotAvailable
        | Code::RebalanceInProgress
        | Code::ConcurrentTransactions
        | Code::InProgress
        | Code::PreviousInProgress => Reading::NotReady,
        Code::AutoOffsetReset
        | Code::OffsetOutOfRange
        | Code::NoOffset
        | Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::MessageSizeTooLarge
        | Code::UnsupportedCompressionType
        | Code::InvalidTransactionTimeout
        | Code::InvalidSessionTimeout
        | Code::InconsistentGroupProtocol
        | Code::UnsupportedVersion
        | Code::InvalidArgument => Reading::Stop,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Reading::Refused,
        Code::FencedInstanceId | Code::Fenced | Code::ProducerFenced => Reading::Fenced,
        Code::Fatal | Code::BrokerDestroy | Code::CriticalSystemResource => Reading::Fatal,
        _ => Reading::Unavailable,
    }
}

fn writing(code: Code) -> Writing {
    match code {
        Code::Fenced
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::FencedInstanceId => Writing::Fenced,
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => Writing::Refused,
        Code::MessageSizeTooLarge
        | Code::MessageBatchTooLarge
        | Code::InvalidTimestamp
        | Code::InvalidRecord => Writing::Impossible,
        _ => Writing::Restart,
    }
}

/// The error of a call about `what`, for a reader.
pub(super) fn source_error(code: Code, what: &str, words: &str) -> SourceError {
    let text = format!("{what}: {words}");
    match reading(code) {
        Reading::NotReady => SourceError::NotReady(text),
        Reading::Unavailable => SourceError::Unavailable(text),
        Reading::Stop => SourceError::Stop(text),
        Reading::Refused => SourceError::Refused(text),
        Reading::Fenced => SourceError::Fenced(text),
        Reading::Fatal => SourceError::Fatal(text),
    }
}

/// The error of one of the wrapper's calls about `what`, for a reader.
pub(super) fn wrapper_error(error: &KafkaError, what: &str) -> SourceError {
    match error {
        KafkaError::ClientConfig(_, words, key, value) => {
            // The value may be a secret, and librdkafka's words repeat it.
            let words = if value.is_empty() { words.clone() } else { words.replace(value, "***") };
            SourceError::Stop(format!("{what}: the Kafka setting {key} is refused: {words}"))
        }
        KafkaError::ClientCreation(words) => SourceError::Stop(format!("{what}: {words}")),
        KafkaError::AdminOp(code) => source_error(*code, what, &error.to_string()),
        KafkaError::MessageConsumptionFatal(code) => match reading(*code) {
            Reading::Fenced | Reading::Refused => source_error(*code, what, &error.to_string()),
            _ => SourceError::Fatal(format!("{what}: {error}")),
        },
        _ => match error.rdkafka_error_code() {
            Some(code) => source_error(code, what, &error.to_string()),
            None => SourceError::Fatal(format!("{what}: {error}")),
        },
    }
}

/// The error of a direct call about `what`, for a reader.
pub(super) fn client_error(error: &ClientError, what: &str) -> SourceError {
    match source_error(error.code, what, &error.text) {
        SourceError::Unavailable(text) if error.is_fatal => SourceError::Fatal(text),
        other => other,
    }
}

/// How a transactional call failed, and what is known about its transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed<'a> {
    /// Which call: begin, send, offsets, flush, commit.
    pub(super) stage: &'static str,
    /// The error's code.
    pub(super) code: Code,
    /// The client's own words.
    pub(super) words: &'a str,
    /// Whether the transaction was older than its timeout: then the coordinator may have fenced
    /// this very producer, and nobody else took over.
    pub(super) outlived: bool,
}

/// The error of a transactional call, for the worker.
pub(super) fn commit_error(failed: Failed<'_>) -> CommitError {
    let Failed { stage, code, words, outlived } = failed;
    match writing(code) {
        Writing::Fenced if outlived => CommitError::Restart {
            stage,
            cause: format!("the transaction outlived transaction_timeout_ms: {words}"),
        },
        Writing::Fenced => CommitError::Fenced(format!("{stage}: {words}")),
        Writing::Refused => CommitError::Refused(format!("{stage}: {words}")),
        Writing::Impossible => CommitError::Impossible(format!(
            "a record of the transaction can never be written ({stage}): {words}"
        )),
        Writing::Restart => CommitError::Restart { stage, cause: words.to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_lost_our_position_stops_the_shard() {
        assert_eq!(reading(Code::AutoOffsetReset), Reading::Stop);
        assert_eq!(reading(Code::OffsetOutOfRange), Reading::Stop);
    }

    #[test]
    fn an_outage_is_not_an_end() {
        for code in [Code::AllBrokersDown, Code::BrokerTransportFailure, Code::Resolve] {
            assert_eq!(reading(code), Reading::Unavailable, "{code:?}");
            assert_eq!(writing(code), Writing::Restart, "{code:?}");
        }
        for code in [Code::UnknownTopicOrPartition, Code::UnknownTopic, Code::SSL] {
            assert_eq!(reading(code), Reading::Unavailable, "{code:?}");
        }
    }

    #[test]
    fn an_open_transaction_of_the_old_owner_is_waited_for() {
        assert_eq!(reading(Code::OperationTimedOut), Reading::NotReady);
        assert_eq!(reading(Code::UnstableOffsetCommit), Reading::NotReady);
    }

    #[test]
    fn refusals_are_told_from_outages_for_reader_and_writer() {
        for code in [
            Code::Authentication,
            Code::TopicAuthorizationFailed,
            Code::GroupAuthorizationFailed,
            Code::TransactionalIdAuthorizationFailed,
        ] {
            assert_eq!(reading(code), Reading::Refused, "{code:?}");
            assert_eq!(writing(code), Writing::Refused, "{code:?}");
        }
    }

    #[test]
    fn a_lost_generation_restarts_the_shards() {
        for code in [Code::IllegalGeneration, Code::UnknownMemberId, Code::RebalanceInProgress] {
            assert_eq!(writing(code), Writing::Restart, "{code:?}");
        }
    }

    #[test]
    fn fencing_ends_the_worker_unless_its_own_transaction_timed_out() {
        let failed =
            Failed { stage: "commit", code: Code::Fenced, words: "fenced", outlived: false };
        assert!(matches!(commit_error(failed), CommitError::Fenced(_)));
        let failed = Failed { outlived: true, ..failed };
        assert!(matches!(commit_error(failed), CommitError::Restart { stage: "commit", .. }));
    }

    #[test]
    fn a_record_that_no_broker_takes_is_impossible() {
        assert_eq!(writing(Code::MessageSizeTooLarge), Writing::Impossible);
        assert_eq!(writing(Code::InvalidTimestamp), Writing::Impossible);
    }

    #[test]
    fn a_refused_setting_is_named_without_its_value() {
        let result: Result<rdkafka::consumer::BaseConsumer, _> =
            rdkafka::ClientConfig::new().set("security.protocol", "hunter2").create();
        let error = wrapper_error(&result.err().unwrap(), "connecting").to_string();
        assert!(error.contains("security.protocol"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
