//! The JSON API over real sockets and a real worker on the in-memory broker.
//!
//! - `stage`: the worker, the server, and a client that lets the worker go on while it waits;
//! - `amazon`: reports and standings beside what Amazon publishes;
//! - `answers`: every answer against the OpenAPI document, and numbers against each other;
//! - `refusals`: what is not there, wrong, hostile, too much or without its token;
//! - `elsewhere`: what another member of the group has;
//! - `sellers`: series about single sellers;
//! - `events`: the stream.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod amazon;
mod answers;
mod elsewhere;
mod events;
#[path = "../fleet/mod.rs"]
mod fleet;
mod refusals;
mod sellers;
mod stage;
#[path = "../support/mod.rs"]
mod support;
