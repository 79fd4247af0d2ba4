//! What is counted of those outside: clients of the server, receivers of the bridge.
//!
//! Invariant: as in [`super::labels`], each is a closed set.

/// Why the server closed a connection of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Closed {
    /// The head of a request did not come in time, or none came.
    SlowRequest,
    /// The client did not take its answer in time.
    SlowReader,
    /// It waited longest for a request when a new one needed its place.
    Crowded,
    /// All places were taken by connections that were being answered.
    Full,
}

impl Closed {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::SlowRequest, Self::SlowReader, Self::Crowded, Self::Full];

    /// The cause's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SlowRequest => "slow_request",
            Self::SlowReader => "slow_reader",
            Self::Crowded => "crowded",
            Self::Full => "full",
        }
    }

    /// The cause's place in [`Closed::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::SlowRequest => 0,
            Self::SlowReader => 1,
            Self::Crowded => 2,
            Self::Full => 3,
        }
    }
}

/// What a receiver of the bridge said to one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// It took what was sent.
    Taken,
    /// There was no answer: no connection, or not in time.
    Failed,
    /// It cannot take anything now: 408, 425, 429 and all of 5xx.
    Busy,
    /// It takes nothing from us, whatever it is: 401, 403, 404 and others about the place, and 3xx.
    Refused,
    /// It does not take this one: what is left of 4xx.
    Rejected,
}

impl Answer {
    /// All of them, in order.
    pub const ALL: [Self; 5] =
        [Self::Taken, Self::Failed, Self::Busy, Self::Refused, Self::Rejected];

    /// The answer's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::Refused => "refused",
            Self::Rejected => "rejected",
        }
    }

    /// The answer's place in [`Answer::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Taken => 0,
            Self::Failed => 1,
            Self::Busy => 2,
            Self::Refused => 3,
            Self::Rejected => 4,
        }
    }
}

/// What became of an alert on its way over the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// The receiver took it.
    Delivered,
    /// The receiver rejected it again and again, and it was passed over.
    GivenUp,
    /// Retention took it from its topic before it was delivered.
    Lost,
}

impl Fate {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Delivered, Self::GivenUp, Self::Lost];

    /// The fate's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::GivenUp => "given_up",
            Self::Lost => "lost",
        }
    }

    /// The fate's place in [`Fate::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Delivered => 0,
            Self::GivenUp => 1,
            Self::Lost => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_the_place_in_all() {
        for (index, cause) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), index);
        }
        for (index, answer) in Answer::ALL.into_iter().enumerate() {
            assert_eq!(answer.index(), index);
        }
        for (index, fate) in Fate::ALL.into_iter().enumerate() {
            assert_eq!(fate.index(), index);
        }
    }
}
