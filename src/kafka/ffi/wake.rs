//! The pipe that a worker sleeps on; see the parent module.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::millis;

/// A pipe to sleep on: queues write a byte when they get their first entry.
#[derive(Debug)]
pub(in crate::kafka) struct Wake {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Wake {
    /// Makes the pipe; neither end ever blocks.
    pub(in crate::kafka) fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(reader.as_raw_fd())?;
        set_nonblocking(writer.as_raw_fd())?;
        Ok(Self { reader, writer })
    }

    /// What queues write to.
    pub(super) fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    /// Sleeps until something was written since the last call, or the time is over.
    pub(in crate::kafka) fn wait(&self, timeout: Duration) {
        let mut watched =
            libc::pollfd { fd: self.reader.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        #[expect(
            unsafe_code,
            reason = "the standard library cannot wait for a pipe with a timeout"
        )]
        // SAFETY: `watched` is one valid pollfd, as the count says, and lives during the call.
        let ready = unsafe { libc::poll(&raw mut watched, 1, millis(timeout)) };
        if ready > 0 {
            self.drain();
        }
    }

    /// Takes out what was written, so that the next wait sleeps.
    fn drain(&self) {
        let mut bytes = [0; 512];
        while matches!((&self.reader).read(&mut bytes), Ok(count) if count == bytes.len()) {}
    }
}

fn set_nonblocking(fd: RawFd) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library has no non-blocking pipes")]
    // SAFETY: fcntl touches no memory; the descriptor is open, its owner is borrowed by the caller.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
