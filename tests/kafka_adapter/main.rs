//! The Kafka adapter against a real Apache Kafka: each test has a broker of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod cluster;
mod commits;
mod ends;
mod group;
mod redo;
mod same;
mod topics;
