//! The commands: one file each, behind one set of arguments and exit codes.
//!
//! [`start`] and `cluster` are what they begin with, [`failure`] how they fail, [`output`] and
//! [`show`] how they print. Absent on purpose: any computation of rates or
//! alerts, which is the engine's.

pub mod advise;
mod against;
pub mod args;
mod bridge;
mod cluster;
mod demo;
mod directory;
pub mod dlq;
pub mod exit;
pub mod failure;
pub mod output;
pub mod replay;
mod run;
mod service;
pub mod show;
pub mod start;
pub mod texts;
pub mod topics;
pub mod validate;
pub mod verify;

use args::{Cli, Command};
use failure::Failure;

/// Carries out a command line.
///
/// # Errors
/// Why it could not be done, with the code to end with.
pub fn dispatch(cli: &Cli) -> Result<(), Failure> {
    match &cli.command {
        Command::Run(args) => run::run(args, &cli.global),
        Command::Demo(args) => demo::run(args, &cli.global),
        Command::Replay(args) => replay::run(args, &cli.global),
        Command::Verify(args) => verify::run(args, &cli.global),
        Command::Advise(args) => advise::run(args),
        Command::Validate(args) => validate::run(args, &cli.global),
        Command::Topics(command) => topics::run(command, &cli.global),
        Command::Dlq(command) => dlq::run(command, &cli.global),
        Command::Schema(args) => texts::schema(args.name),
        Command::Completions(args) => texts::completions(args.shell),
        Command::Man => texts::man(),
    }
}

/// Tells a failure on the standard error stream.
pub fn tell(failure: &Failure) {
    use std::io::Write;
    // If even that cannot be written, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "odrwatch: {failure}");
}
