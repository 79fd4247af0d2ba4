//! The standard output stream: what a command prints, also into a pipe that closes.

use std::io::{self, BufWriter, ErrorKind, Write};

use super::exit::ExitCode;
use super::failure::Failure;

/// The standard output stream cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the standard output")]
struct OutputError(#[source] io::Error);

/// Prints bytes. A reader that has seen enough and gone is no failure.
///
/// # Errors
/// 69 where the stream cannot be written for another reason.
pub fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(ExitCode::Unavailable, OutputError(error)))
        }
        _ => Ok(()),
    }
}
