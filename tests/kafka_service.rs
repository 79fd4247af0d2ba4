//! The service itself, `odrwatch run`, as a process of its own beside a real Apache Kafka.
//!
//! What the in-memory broker shows in `tests/pipeline.rs` is shown here of the real thing: whatever
//! happens on the way, the committed alerts are those of a bounded replay of the dumped topics with
//! the recorded decisions, byte for byte. The tests share one broker, each with topics and a group
//! of its own; those that disturb the broker have their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod service;
mod support;
