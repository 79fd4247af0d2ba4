//! How odrwatch ends: exit codes after sysexits, so that a supervisor can tell them apart.

use std::fmt;

/// The exit codes of all commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// 0: done, or stopped as asked.
    Ok,
    /// 64: the command line, or a file that it names, is wrong.
    Usage,
    /// 69: something needed cannot be reached or had, such as the brokers, a file or a port.
    Unavailable,
    /// 70: a broken invariant, in odrwatch or in what it wrote: a restart does not help.
    Software,
    /// 75: a passing trouble, or a newer instance took over: a restart may help.
    Temporary,
    /// 77: the broker refused us: authentication or authorisation.
    Refused,
    /// 78: the configuration is wrong, or the topics are not as they must be or not there.
    Config,
}

impl ExitCode {
    /// All codes, ascending.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Usage,
        Self::Unavailable,
        Self::Software,
        Self::Temporary,
        Self::Refused,
        Self::Config,
    ];

    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::Temporary => 75,
            Self::Refused => 77,
            Self::Config => 78,
        }
    }

    /// What the code means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or stopped as asked",
            Self::Usage => "the command line, or a file that it names, is wrong",
            Self::Unavailable => "brokers or a file cannot be reached",
            Self::Software => "a broken invariant; a restart does not help",
            Self::Temporary => "passing trouble, or a newer instance took over; restart",
            Self::Refused => "the broker refused us (authentication, authorisation)",
            Self::Config => {
                "the configuration or the topics are wrong; `odrwatch validate` lists how"
            }
        }
    }
}

impl fmt::Display for ExitCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code(), self.meaning())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.code())
    }
}
