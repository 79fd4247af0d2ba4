//! The program from outside: arguments in, exit codes, streams and files out.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod advise;
mod care;
mod command;
mod hostile;
mod kafka;
mod market;
#[path = "../oracle/mod.rs"]
mod oracle;
mod reference;
mod replay;
#[path = "../support/mod.rs"]
mod support;
mod texts;
