//! Transactions and group metadata, called on librdkafka directly; see the parent module.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::NativeClient;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use super::{millis, text_of};

/// An error of a call, in librdkafka's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({code:?})")]
pub(in crate::kafka) struct ClientError {
    /// Its code.
    pub(in crate::kafka) code: RDKafkaErrorCode,
    /// Its text.
    pub(in crate::kafka) text: String,
    /// Whether the client is of no more use.
    pub(in crate::kafka) is_fatal: bool,
}

/// Takes over an error that librdkafka returned; null is success.
///
/// # Safety
/// `error` is null or an error that nobody else will destroy.
#[expect(unsafe_code, reason = "the wrapper's constructor is private")]
unsafe fn outcome(error: *mut sys::rd_kafka_error_t) -> Result<(), ClientError> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is alive until it is destroyed in the last line, by this contract.
    unsafe {
        let found = ClientError {
            code: sys::rd_kafka_error_code(error).into(),
            text: text_of(sys::rd_kafka_error_string(error)),
            is_fatal: sys::rd_kafka_error_is_fatal(error) != 0,
        };
        sys::rd_kafka_error_destroy(error);
        Err(found)
    }
}

/// A member's place in its group at one moment: what fences the offsets of a transaction.
#[derive(Debug)]
pub(in crate::kafka) struct GroupMetadata(NonNull<sys::rd_kafka_consumer_group_metadata_t>);

#[expect(unsafe_code, reason = "the wrapper hides generation and member id")]
// SAFETY: the object is never changed after it was made, and tied to no thread.
unsafe impl Send for GroupMetadata {}

#[expect(unsafe_code, reason = "the wrapper hides generation and member id")]
impl GroupMetadata {
    /// The consumer's present place in its group.
    pub(in crate::kafka) fn of(consumer: &NativeClient) -> Option<Self> {
        // SAFETY: the client is alive; the result is null or ours.
        NonNull::new(unsafe { sys::rd_kafka_consumer_group_metadata(consumer.ptr()) }).map(Self)
    }

    /// Names a group without being its member: brokers take it for any generation, so it must
    /// never be used for offsets that are to be committed.
    pub(in crate::kafka) fn of_no_member(group: &CStr) -> Self {
        // SAFETY: the name is a C string, which is copied.
        let raw = unsafe { sys::rd_kafka_consumer_group_metadata_new(group.as_ptr()) };
        Self(NonNull::new(raw).expect("only a null group makes it null"))
    }

    /// The generation; negative outside the group.
    pub(in crate::kafka) fn generation(&self) -> i32 {
        // SAFETY: the object is alive.
        unsafe { sys::rd_kafka_consumer_group_metadata_generation_id(self.0.as_ptr()) }
    }

    /// The member's id; empty outside the group.
    pub(in crate::kafka) fn member(&self) -> String {
        // SAFETY: the object is alive, and its member id is a C string that lives as long.
        unsafe { text_of(sys::rd_kafka_consumer_group_metadata_member_id(self.0.as_ptr())) }
    }
}

#[expect(unsafe_code, reason = "the wrapper hides generation and member id")]
impl Drop for GroupMetadata {
    fn drop(&mut self) {
        // SAFETY: we own the object.
        unsafe { sys::rd_kafka_consumer_group_metadata_destroy(self.0.as_ptr()) };
    }
}

/// Waits until the producer's records are delivered or failed, and their reports served; whether
/// each was delivered only the reports say. False when the time was over before.
#[expect(unsafe_code, reason = "the wrapper's flush takes 100 ms")]
pub(in crate::kafka) fn flush(producer: &NativeClient, timeout: Duration) -> bool {
    // SAFETY: the client is alive.
    let result = unsafe { sys::rd_kafka_flush(producer.ptr(), millis(timeout)) };
    result == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
}

/// Adds offsets, with their metadata, to the open transaction.
#[expect(unsafe_code, reason = "the wrapper's method takes the wrapper's group metadata")]
pub(in crate::kafka) fn send_offsets(
    producer: &NativeClient,
    offsets: &TopicPartitionList,
    group: &GroupMetadata,
    timeout: Duration,
) -> Result<(), ClientError> {
    // SAFETY: all three objects are alive during the call; the error is ours.
    unsafe {
        outcome(sys::rd_kafka_send_offsets_to_transaction(
            producer.ptr(),
            offsets.ptr(),
            group.0.as_ptr(),
            millis(timeout),
        ))
    }
}

/// Commits the open transaction.
#[expect(unsafe_code, reason = "the wrapper's method takes 100 ms")]
pub(in crate::kafka) fn commit(
    producer: &NativeClient,
    timeout: Duration,
) -> Result<(), ClientError> {
    // SAFETY: the client is alive; the error is ours.
    unsafe { outcome(sys::rd_kafka_commit_transaction(producer.ptr(), millis(timeout))) }
}

/// Aborts the open transaction.
#[expect(unsafe_code, reason = "its siblings are here")]
pub(in crate::kafka) fn abort(
    producer: &NativeClient,
    timeout: Duration,
) -> Result<(), ClientError> {
    // SAFETY: the client is alive; the error is ours.
    unsafe { outcome(sys::rd_kafka_abort_transaction(producer.ptr(), millis(timeout))) }
}
