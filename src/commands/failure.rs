//! Why a command failed: an error with its causes, and the exit code that tells a supervisor.

use std::error::Error;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use super::exit::ExitCode;

/// What a command ends with when it is not done.
#[derive(Debug)]
pub struct Failure {
    code: ExitCode,
    error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// An error and the code to end with.
    pub fn new(code: ExitCode, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, error: error.into() }
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> ExitCode {
        self.code
    }

    /// The same failure as the cause of what was going on.
    #[must_use]
    pub fn during(self, what: impl Into<String>) -> Self {
        let Self { code, error } = self;
        Self::new(code, During { what: what.into(), source: error })
    }
}

/// The error and its causes, on one line unless they have lines themselves. What could drive a
/// terminal is escaped: names and pieces of files are in it.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = self.error.to_string();
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(chain, ": {error}")?;
            cause = error.source();
        }
        for letter in chain.chars() {
            if letter.is_control() && letter != '\n' {
                write!(formatter, "{}", letter.escape_default())?;
            } else {
                formatter.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// What was going on when something else failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
struct During {
    what: String,
    #[source]
    source: Box<dyn Error + Send + Sync>,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct FileError {
    what: &'static str,
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

impl FileError {
    /// A failure to do something with a file, such as to `read` it.
    #[must_use]
    pub fn failure(what: &'static str, path: &Path, source: std::io::Error) -> Failure {
        Failure::new(ExitCode::Unavailable, Self { what, path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn the_whole_chain_is_told_once_without_what_drives_a_terminal() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "gone\u{1b}[31m");
        let failure = FileError::failure("read", Path::new("a\rb"), cause).during("replaying");
        assert_eq!(failure.to_string(), "replaying: cannot read a\\rb: gone\\u{1b}[31m");
        assert_eq!(failure.code(), ExitCode::Unavailable);
    }
}
