//! How odrwatch ends: exit codes after sysexits, so that a supervisor can tell them apart.

use std::fmt;

use crate::telemetry::labels::StopReason;

/// The exit codes of all commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExitCode {
    /// 0: done, or stopped as asked.
    Ok,
    /// 1: `verify` found that what is committed is not what the inputs give.
    Differs,
    /// 64: the command line, or a file that it names, is wrong.
    Usage,
    /// 65: what the inputs give is not what was committed.
    Digest,
    /// 66: retention dropped records before they were read.
    DataGap,
    /// 69: something needed cannot be reached or had, such as the brokers, a file or a port.
    Unavailable,
    /// 70: a broken invariant, in odrwatch or in what it wrote: a restart does not help.
    Software,
    /// 74: the end of an input's log was lost.
    LogCut,
    /// 75: a passing trouble, or a newer instance took over: a restart may help.
    Temporary,
    /// 76: a newer version wrote the progress topic.
    NewerVersion,
    /// 77: the broker refused us: authentication or authorisation.
    Refused,
    /// 78: the configuration is wrong, or the topics are not as they must be or not there.
    Config,
    /// 79: an input has another number of partitions than before.
    Partitions,
    /// 80: an input was deleted, or is another topic than before.
    TopicReplaced,
}

impl ExitCode {
    /// All codes, ascending.
    pub const ALL: [Self; 14] = [
        Self::Ok,
        Self::Differs,
        Self::Usage,
        Self::Digest,
        Self::DataGap,
        Self::Unavailable,
        Self::Software,
        Self::LogCut,
        Self::Temporary,
        Self::NewerVersion,
        Self::Refused,
        Self::Config,
        Self::Partitions,
        Self::TopicReplaced,
    ];

    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Differs => 1,
            Self::Usage => 64,
            Self::Digest => 65,
            Self::DataGap => 66,
            Self::Unavailable => 69,
            Self::Software => 70,
            Self::LogCut => 74,
            Self::Temporary => 75,
            Self::NewerVersion => 76,
            Self::Refused => 77,
            Self::Config => 78,
            Self::Partitions => 79,
            Self::TopicReplaced => 80,
        }
    }

    /// What the code means, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done, or stopped as asked",
            Self::Differs => "verify: what is committed is not what the inputs give",
            Self::Usage => "the command line, or a file that it names, is wrong",
            Self::Digest => "the inputs do not give what was committed; they were changed",
            Self::DataGap => "retention dropped records before they were read",
            Self::Unavailable => "brokers or a file cannot be reached",
            Self::Software => "a broken invariant; a restart does not help",
            Self::LogCut => "the end of an input's log was lost",
            Self::Temporary => "passing trouble, or a newer instance took over; restart",
            Self::NewerVersion => "a newer version wrote the progress topic",
            Self::Refused => "the broker refused us (authentication, authorisation)",
            Self::Config => {
                "the configuration or the topics are wrong; `odrwatch validate` lists how"
            }
            Self::Partitions => "an input has another number of partitions than before",
            Self::TopicReplaced => "an input was deleted, or is another topic than before",
        }
    }

    /// The code that a loud stop ends the process with.
    #[must_use]
    pub const fn of_stop(reason: StopReason) -> Self {
        match reason {
            StopReason::DataGap => Self::DataGap,
            StopReason::Partitions => Self::Partitions,
            StopReason::TopicReplaced => Self::TopicReplaced,
            StopReason::LogCut => Self::LogCut,
            StopReason::Digest => Self::Digest,
            StopReason::NewerVersion => Self::NewerVersion,
            StopReason::Fenced => Self::Temporary,
            StopReason::Refused => Self::Refused,
            StopReason::Progress
            | StopReason::Limit
            | StopReason::DeadLetters
            | StopReason::Log
            | StopReason::Client => Self::Software,
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
