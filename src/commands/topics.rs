//! `topics`: create them or check them. What talks to the brokers is `kafka`.

use super::args::{TopicsCheckArgs, TopicsCommand, TopicsCreateArgs};
use super::failure::Failure;
use crate::config::Config;

/// Creates or checks the topics.
///
/// # Errors
/// As the broker says, and 78 where topics are not as they must be.
pub fn run(command: &TopicsCommand) -> Result<(), Failure> {
    match command {
        TopicsCommand::Create(args) => create(args),
        TopicsCommand::Check(args) => check(args),
    }
}

fn create(_args: &TopicsCreateArgs) -> Result<(), Failure> {
    Err(Failure::not_in_this_build("topics create"))
}

fn check(_args: &TopicsCheckArgs) -> Result<(), Failure> {
    Err(Failure::not_in_this_build("topics check"))
}

/// What `validate` says of the topics.
///
/// # Errors
/// As [`run`].
#[expect(clippy::unnecessary_wraps, reason = "the cluster can be out of reach")]
pub fn findings(_config: &Config) -> Result<String, Failure> {
    Ok(String::new())
}
