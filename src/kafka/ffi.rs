//! What the rdkafka wrapper lacks, called on librdkafka directly: the only unsafe code about Kafka.
//!
//! - [`Wake`]: a pipe that librdkafka writes to when a queue gets its first entry, to sleep on;
//! - [`Queue`], [`Messages`], [`Message`]: one fetch queue per partition, read in batches;
//! - [`ask_offsets`]: the ends of partitions as their leaders state them, without blocking;
//! - `describe`: topics with their ids;
//! - `transaction`: transactions without the 100 ms that the wrapper's `flush` and
//!   `commit_transaction` add, and the group metadata whose generation can be read.
//!
//! What every proof leans on: librdkafka may be called from any thread; a client outlives its
//! queues, because the callers' structs list queues before clients and fields are dropped in order
//! (a queue that outlives its consumer makes its drop hang); strings, lists and options are copied.

mod describe;
mod transaction;
mod wake;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::TopicPartitionList;
use rdkafka::client::NativeClient;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka_sys as sys;

use crate::pipeline::ports::{Header, Headers};

pub(super) use describe::describe_topics;
pub(super) use transaction::{ClientError, GroupMetadata, abort, commit, flush, send_offsets};
pub(super) use wake::Wake;

/// Milliseconds as librdkafka takes them.
fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX)
}

/// The error code behind a raw number; brokers may state ones that this librdkafka does not know.
fn code_of(raw: i32) -> RDKafkaErrorCode {
    sys::rd_kafka_resp_err_t::try_from(raw).map_or(RDKafkaErrorCode::Unknown, Into::into)
}

/// Reads a C string that may be null.
///
/// # Safety
/// `text` is null or points to a C string that lives during the call.
#[expect(unsafe_code, reason = "librdkafka hands out C strings")]
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and a live C string by this function's own contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A queue of a client. Dropped before its client.
#[derive(Debug)]
pub(super) struct Queue(NonNull<sys::rd_kafka_queue_t>);

#[expect(unsafe_code, reason = "a broker is made on one thread and used on another")]
// SAFETY: librdkafka's queues are guarded by their own locks and tied to no thread.
unsafe impl Send for Queue {}

#[expect(unsafe_code, reason = "the wrapper's queues are private")]
impl Queue {
    /// Takes the fetch queue of a partition away from the consumer's own queue, so that its records
    /// come here only. To be called before the partition is assigned.
    pub(super) fn of_partition(
        client: &NativeClient,
        topic: &CStr,
        partition: i32,
    ) -> Option<Self> {
        // SAFETY: the client is alive, the topic is a C string; the result is null or ours.
        let raw =
            unsafe { sys::rd_kafka_queue_get_partition(client.ptr(), topic.as_ptr(), partition) };
        let queue = Self(NonNull::new(raw)?);
        // SAFETY: both queues may be named so: null means "to nobody", and the first is alive.
        unsafe { sys::rd_kafka_queue_forward(queue.0.as_ptr(), ptr::null_mut()) };
        Some(queue)
    }

    /// The queue that a consumer's own `poll` serves.
    pub(super) fn of_consumer(client: &NativeClient) -> Option<Self> {
        // SAFETY: the client is alive; the result is null or a reference that we release.
        NonNull::new(unsafe { sys::rd_kafka_queue_get_consumer(client.ptr()) }).map(Self)
    }

    /// A new queue for answers.
    pub(super) fn new(client: &NativeClient) -> Self {
        // SAFETY: the client is alive.
        let raw = unsafe { sys::rd_kafka_queue_new(client.ptr()) };
        Self(NonNull::new(raw).expect("rd_kafka_queue_new aborts rather than return null"))
    }

    /// How many entries wait, control records and outdated ones included.
    pub(super) fn len(&self) -> usize {
        // SAFETY: the queue is alive.
        unsafe { sys::rd_kafka_queue_length(self.0.as_ptr()) }
    }

    /// Lets the queue write to the pipe when it gets an entry after it was last served. The pipe
    /// must live until the queue is dropped, which stops the writing.
    pub(super) fn wakes(&self, wake: &Wake) {
        let byte = [1_u8];
        // SAFETY: the payload is copied; the descriptor is open, and stays so as said above.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(
                self.0.as_ptr(),
                wake.writer(),
                byte.as_ptr().cast(),
                byte.len(),
            );
        }
    }

    /// Takes up to `max` messages that have arrived; never waits.
    pub(super) fn read<'a>(&self, room: &'a mut Room, max: usize) -> Messages<'a> {
        if room.0.len() < max {
            room.0.resize(max, ptr::null_mut());
        }
        // SAFETY: the queue is alive, and `room` has at least `max` places for pointers.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(self.0.as_ptr(), 0, room.0.as_mut_ptr(), max)
        };
        // -1 is an error of the call itself, and none is documented for a zero timeout.
        let count = usize::try_from(count).unwrap_or(0);
        Messages { taken: room.0[..count].iter() }
    }

    /// Takes an answer to [`ask_offsets`] that has arrived, waiting for it at most so long.
    pub(super) fn take_offsets(&self, timeout: Duration) -> Option<OffsetsAnswer> {
        // SAFETY: the queue is alive; the event is null or ours.
        let raw = unsafe { sys::rd_kafka_queue_poll(self.0.as_ptr(), millis(timeout)) };
        Event(NonNull::new(raw)?).offsets()
    }
}

#[expect(unsafe_code, reason = "the wrapper's queues are private")]
impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the queue is alive until the second call, and nobody else has this reference.
        // Without a descriptor the payload is not read.
        unsafe {
            sys::rd_kafka_queue_io_event_enable(self.0.as_ptr(), -1, ptr::null(), 0);
            sys::rd_kafka_queue_destroy(self.0.as_ptr());
        }
    }
}

/// Room for one batch of messages, kept from call to call.
#[derive(Debug, Default)]
pub(super) struct Room(Vec<*mut sys::rd_kafka_message_t>);

#[expect(unsafe_code, reason = "a broker is made on one thread and used on another")]
// SAFETY: the pointers are valid only while a `Messages` borrows the room; between calls they are
// never followed.
unsafe impl Send for Room {}

/// The messages of one batch; those that were not taken are freed with it.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    taken: slice::Iter<'a, *mut sys::rd_kafka_message_t>,
}

impl Iterator for Messages<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let raw = *self.taken.next()?;
        Some(Message(NonNull::new(raw).expect("librdkafka filled the places that it counted")))
    }
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        self.for_each(drop);
    }
}

/// A message that was taken from a queue: a record, or an error of its partition.
#[derive(Debug)]
pub(super) struct Message(NonNull<sys::rd_kafka_message_t>);

#[expect(unsafe_code, reason = "the wrapper's messages cannot be made from a batch")]
impl Message {
    /// The error that stands here in place of a record, if any.
    pub(super) fn error(&self) -> Option<(RDKafkaErrorCode, String)> {
        // SAFETY: the message is alive; the code is read as the integer that it is in C, since
        // brokers may state codes that the Rust enum lacks.
        let raw = unsafe { (&raw const (*self.0.as_ptr()).err).cast::<i32>().read() };
        if raw == 0 {
            return None;
        }
        // SAFETY: the message is alive, and the text lives as long.
        let text = unsafe { text_of(sys::rd_kafka_message_errstr(self.0.as_ptr())) };
        Some((code_of(raw), text))
    }

    /// The record's offset, or the one that the error is about.
    pub(super) fn offset(&self) -> i64 {
        // SAFETY: the message is alive.
        unsafe { (*self.0.as_ptr()).offset }
    }

    /// The record's timestamp in ms since the epoch.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive; librdkafka writes one of the three kinds.
        let ms = unsafe { sys::rd_kafka_message_timestamp(self.0.as_ptr(), &raw mut kind) };
        let known = kind != sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (known && ms >= 0).then_some(ms)
    }

    /// The record's key.
    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive; a key that is not null has this length and lives as long.
        unsafe {
            let message = self.0.as_ptr();
            bytes((*message).key, (*message).key_len)
        }
    }

    /// The record's value.
    pub(super) fn value(&self) -> Option<&[u8]> {
        // SAFETY: the message is alive; a value that is not null has this length and lives as long.
        unsafe {
            let message = self.0.as_ptr();
            bytes((*message).payload, (*message).len)
        }
    }
}

#[expect(unsafe_code, reason = "the wrapper's messages cannot be made from a batch")]
impl Headers for Message {
    fn to_vec(&self) -> Vec<Header> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive; the headers stay its own, and we only read them.
        let result = unsafe { sys::rd_kafka_message_headers(self.0.as_ptr(), &raw mut headers) };
        if result != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Vec::new();
        }
        let mut found = Vec::new();
        loop {
            let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the headers are alive, and the three places are ours to write.
            let result = unsafe {
                sys::rd_kafka_header_get_all(
                    headers,
                    found.len(),
                    &raw mut name,
                    &raw mut value,
                    &raw mut size,
                )
            };
            if result != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return found;
            }
            // SAFETY: the name is a C string and the value has this size; both live as long as the
            // headers.
            found.push(unsafe { (text_of(name), bytes(value, size).map(<[u8]>::to_vec)) });
        }
    }
}

#[expect(unsafe_code, reason = "the wrapper's messages cannot be made from a batch")]
impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: we own the message, and nothing borrows from it any more.
        unsafe { sys::rd_kafka_message_destroy(self.0.as_ptr()) };
    }
}

/// # Safety
/// `data` is null or points to `len` bytes that live as long as `'a`.
#[expect(unsafe_code, reason = "librdkafka hands out pointers with lengths")]
unsafe fn bytes<'a>(data: *const c_void, len: usize) -> Option<&'a [u8]> {
    // SAFETY: by this function's own contract.
    (!data.is_null()).then(|| unsafe { slice::from_raw_parts(data.cast(), len) })
}

/// Which end of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The first offset.
    First,
    /// The last stable offset.
    Stable,
    /// The high watermark.
    High,
}

/// Topic, partition, and its end unless that partition failed.
pub(super) type StatedEnd = (String, i32, Result<i64, RDKafkaErrorCode>);

/// The answer to one question of [`ask_offsets`].
#[derive(Debug)]
pub(super) struct OffsetsAnswer {
    /// The question's tag.
    pub(super) tag: usize,
    /// The ends of all partitions, or the failure of all.
    pub(super) offsets: Result<Vec<StatedEnd>, ClientError>,
}

/// Asks the leaders of partitions for an end. Does not block: the answer comes to the queue, with
/// an error once the time is over.
#[expect(unsafe_code, reason = "the wrapper lacks ListOffsets")]
pub(super) fn ask_offsets(
    client: &NativeClient,
    queue: &Queue,
    partitions: &[(&CStr, i32)],
    end: End,
    tag: usize,
    timeout: Duration,
) {
    let isolation = match end {
        End::First | End::High => {
            sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
        }
        End::Stable => sys::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED,
    };
    let which: i64 = if end == End::First { -2 } else { -1 };
    let mut errors = [0; 256];
    let capacity = c_int::try_from(partitions.len()).expect("partitions are counted as i32");
    // SAFETY: the client and the queue are alive; list and options are made, used and destroyed
    // here; ListOffsets copies both; the tag is carried as a number and never followed; the list
    // returns a place of its own for each partition added.
    unsafe {
        let list = sys::rd_kafka_topic_partition_list_new(capacity);
        for (topic, partition) in partitions {
            let added = sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), *partition);
            (*added).offset = which;
        }
        let options = sys::rd_kafka_AdminOptions_new(
            client.ptr(),
            sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS,
        );
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options,
            millis(timeout),
            errors.as_mut_ptr(),
            errors.len(),
        );
        let refused = sys::rd_kafka_AdminOptions_set_isolation_level(options, isolation);
        debug_assert!(refused.is_null(), "isolation levels belong to ListOffsets");
        sys::rd_kafka_AdminOptions_set_opaque(options, ptr::without_provenance_mut(tag));
        sys::rd_kafka_ListOffsets(client.ptr(), list, options, queue.0.as_ptr());
        sys::rd_kafka_AdminOptions_destroy(options);
        sys::rd_kafka_topic_partition_list_destroy(list);
    }
}

/// An event that was taken from a queue.
struct Event(NonNull<sys::rd_kafka_event_t>);

#[expect(unsafe_code, reason = "the wrapper lacks ListOffsets")]
impl Event {
    fn offsets(&self) -> Option<OffsetsAnswer> {
        let event = self.0.as_ptr();
        // SAFETY: the event is alive; its result is read as what its type says that it is; the
        // infos and their strings live as long as the event; error codes are read as integers.
        unsafe {
            if sys::rd_kafka_event_type(event) != sys::RD_KAFKA_EVENT_LISTOFFSETS_RESULT {
                return None;
            }
            let tag = sys::rd_kafka_event_opaque(event).addr();
            let code: RDKafkaErrorCode = sys::rd_kafka_event_error(event).into();
            if code != RDKafkaErrorCode::NoError {
                let text = text_of(sys::rd_kafka_event_error_string(event));
                let error = ClientError { code, text, is_fatal: false };
                return Some(OffsetsAnswer { tag, offsets: Err(error) });
            }
            let mut count = 0;
            let result = sys::rd_kafka_event_ListOffsets_result(event);
            let infos = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
            let mut offsets = Vec::with_capacity(count);
            for index in 0..count {
                let partition =
                    sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*infos.add(index));
                let raw = (&raw const (*partition).err).cast::<i32>().read();
                let offset = if raw == 0 { Ok((*partition).offset) } else { Err(code_of(raw)) };
                offsets.push((text_of((*partition).topic), (*partition).partition, offset));
            }
            Some(OffsetsAnswer { tag, offsets: Ok(offsets) })
        }
    }
}

#[expect(unsafe_code, reason = "the wrapper lacks ListOffsets")]
impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: we own the event, and nothing borrows from it any more.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// The position after everything that was read or skipped in the one partition of `list`; `None`
/// before the first.
#[expect(unsafe_code, reason = "the wrapper only asks for all partitions at once")]
pub(super) fn position(client: &NativeClient, list: &TopicPartitionList) -> Option<i64> {
    assert_eq!(list.count(), 1, "one partition is asked for");
    // SAFETY: client and list are alive, and the list has one element, which librdkafka fills in.
    let offset = unsafe {
        sys::rd_kafka_position(client.ptr(), list.ptr());
        (*(*list.ptr()).elems).offset
    };
    (offset >= 0).then_some(offset)
}

/// The high watermark that came with the last fetch; `None` before the first.
#[expect(unsafe_code, reason = "the wrapper lacks it")]
pub(super) fn last_known_high(client: &NativeClient, topic: &CStr, partition: i32) -> Option<i64> {
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, the topic is a C string, and the two places are ours to write.
    let result = unsafe {
        sys::rd_kafka_get_watermark_offsets(
            client.ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    let known = result == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0;
    known.then_some(high)
}

/// What a list of partitions says of one of them.
#[derive(Debug)]
pub(super) struct Listed {
    /// The topic.
    pub(super) topic: String,
    /// The offset, if there is one.
    pub(super) offset: Option<i64>,
    /// The metadata; other programs may have written anything.
    pub(super) metadata: Vec<u8>,
    /// The error of this partition alone.
    pub(super) error: Option<RDKafkaErrorCode>,
}

/// Reads a list of partitions; the wrapper panics on metadata that are not UTF-8.
#[expect(unsafe_code, reason = "the wrapper panics on foreign metadata")]
pub(super) fn listed(list: &TopicPartitionList) -> Vec<Listed> {
    (0..list.count())
        .map(|index| {
            // SAFETY: the list is alive and has more elements than `index`; their strings and
            // metadata live as long; the error code is read as an integer.
            unsafe {
                let element = (*list.ptr()).elems.add(index);
                let raw = (&raw const (*element).err).cast::<i32>().read();
                let metadata = bytes((*element).metadata, (*element).metadata_size);
                Listed {
                    topic: text_of((*element).topic),
                    offset: ((*element).offset >= 0).then_some((*element).offset),
                    metadata: metadata.map(<[u8]>::to_vec).unwrap_or_default(),
                    error: (raw != 0).then(|| code_of(raw)),
                }
            }
        })
        .collect()
}
