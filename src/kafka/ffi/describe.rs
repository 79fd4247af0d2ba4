//! Descriptions of topics with their ids, which the wrapper lacks; see the parent module.

use std::ffi::{CStr, c_char};
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::client::NativeClient;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::{ClientError, Event, Queue, millis, text_of};

/// How much longer than its own time the client may take to say that there was no answer.
const LATER: Duration = Duration::from_millis(200);

/// What a cluster says of one topic.
#[derive(Debug)]
pub(in crate::kafka) struct Described {
    /// Its name.
    pub(in crate::kafka) name: String,
    /// Why nothing else is said, if so.
    pub(in crate::kafka) error: Option<RDKafkaErrorCode>,
    /// Its id; `None` from a cluster that has none.
    pub(in crate::kafka) id: Option<u128>,
    /// How many partitions it has.
    pub(in crate::kafka) partitions: usize,
}

/// Asks for topics, and waits for the answer at most so long.
#[expect(unsafe_code, reason = "the wrapper lacks DescribeTopics")]
pub(in crate::kafka) fn describe_topics(
    client: &NativeClient,
    topics: &[&CStr],
    timeout: Duration,
) -> Result<Vec<Described>, ClientError> {
    let queue = Queue::new(client);
    let mut names: Vec<*const c_char> = topics.iter().map(|name| name.as_ptr()).collect();
    let mut errors = [0; 256];
    // SAFETY: the client and the queue are alive; collection and options are made, used and
    // destroyed here, and both are copied; the names live during the calls; the event is null or
    // ours.
    let event = unsafe {
        let collection =
            sys::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        let options = sys::rd_kafka_AdminOptions_new(
            client.ptr(),
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis(timeout),
            errors.as_mut_ptr(),
            errors.len(),
        );
        sys::rd_kafka_DescribeTopics(client.ptr(), collection, options, queue.0.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_TopicCollection_destroy(collection);
        NonNull::new(sys::rd_kafka_queue_poll(queue.0.as_ptr(), millis(timeout + LATER)))
    };
    let late = || ClientError {
        code: RDKafkaErrorCode::OperationTimedOut,
        text: "no answer".to_owned(),
        is_fatal: false,
    };
    Event(event.ok_or_else(late)?).topics().unwrap_or_else(|| Err(late()))
}

#[expect(unsafe_code, reason = "the wrapper lacks DescribeTopics")]
impl Event {
    /// The topics that it describes; `None` if it is another event.
    fn topics(&self) -> Option<Result<Vec<Described>, ClientError>> {
        let event = self.0.as_ptr();
        // SAFETY: the event is alive; its result is read as what its type says that it is; the
        // descriptions, with their strings, ids and errors, live as long as the event.
        unsafe {
            if sys::rd_kafka_event_type(event) != sys::RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT {
                return None;
            }
            let code: RDKafkaErrorCode = sys::rd_kafka_event_error(event).into();
            if code != RDKafkaErrorCode::NoError {
                let text = text_of(sys::rd_kafka_event_error_string(event));
                return Some(Err(ClientError { code, text, is_fatal: false }));
            }
            let mut count = 0;
            let result = sys::rd_kafka_event_DescribeTopics_result(event);
            let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
            let mut found = Vec::with_capacity(count);
            for index in 0..count {
                let topic = *topics.add(index);
                let code: RDKafkaErrorCode =
                    sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic)).into();
                let mut partitions = 0;
                sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
                found.push(Described {
                    name: text_of(sys::rd_kafka_TopicDescription_name(topic)),
                    error: (code != RDKafkaErrorCode::NoError).then_some(code),
                    id: id_of(sys::rd_kafka_TopicDescription_topic_id(topic)),
                    partitions,
                });
            }
            Some(Ok(found))
        }
    }
}

/// # Safety
/// `id` is null or points to an id that lives during the call.
#[expect(unsafe_code, reason = "librdkafka hands out pointers to ids")]
unsafe fn id_of(id: *const sys::rd_kafka_Uuid_t) -> Option<u128> {
    if id.is_null() {
        return None;
    }
    // SAFETY: not null, and a live id by this function's own contract.
    let (most, least) = unsafe {
        (
            sys::rd_kafka_Uuid_most_significant_bits(id),
            sys::rd_kafka_Uuid_least_significant_bits(id),
        )
    };
    let whole = (u128::from(most.cast_unsigned()) << 64) | u128::from(least.cast_unsigned());
    (whole != 0).then_some(whole)
}
