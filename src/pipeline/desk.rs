//! The desk between a worker and the keeper of its snapshots, who works beside it.
//!
//! A worker leaves what is to be kept or found and takes the answers in later turns; it never
//! waits. The keeper's end is served on a thread of its own, or by a test between turns. Absent on
//! purpose: bytes, stores and threads.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::domain::ids::{Offset, ShardNo};
use crate::domain::image::Image;
use crate::domain::shard::{Shard, ShardConfig};
use crate::telemetry::labels::{Refusal, StoreFailure};
use crate::wire::progress::Progress;

/// A state to be kept.
#[derive(Debug)]
pub struct Taken {
    /// The progress record that was committed with it; its decisions are those that its positions
    /// do not cover.
    pub progress: Progress,
    /// The offset of that record, where known.
    pub progress_at: Option<Offset>,
    /// The state.
    pub image: Image,
}

/// A state to be found.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What the shard is made of.
    pub config: ShardConfig,
    /// The number of the last progress record committed.
    pub committed: u64,
    /// Only snapshots with smaller numbers are of use: larger ones were refused already.
    pub below: u64,
}

/// What a worker asks for.
#[derive(Debug)]
pub enum Ask {
    /// Keep a state.
    Keep(Box<Taken>),
    /// Find the newest good snapshot.
    Find(Box<Wanted>),
}

/// A snapshot that was found and is good by itself.
#[derive(Clone, Debug)]
pub struct Found {
    /// As in [`Taken`].
    pub progress: Progress,
    /// As in [`Taken`].
    pub progress_at: Option<Offset>,
    /// The shard as it was then, with nothing waiting.
    pub shard: Shard,
    /// The snapshot's size.
    pub bytes: u64,
}

/// A snapshot that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedSnapshot {
    /// The number under which it is kept.
    pub number: u64,
    /// Why, in one word.
    pub reason: Refusal,
    /// Why, in words.
    pub words: String,
}

/// What became of an ask.
#[derive(Debug)]
pub enum Answer {
    /// A snapshot is kept.
    Kept {
        /// The shard.
        shard: ShardNo,
        /// Its progress number.
        number: u64,
        /// Its size.
        bytes: u64,
        /// How long it took to pack and to store.
        took: Duration,
    },
    /// A snapshot could not be kept.
    NotKept {
        /// The shard.
        shard: ShardNo,
        /// Why, in one word.
        reason: StoreFailure,
        /// Why, in words.
        words: String,
    },
    /// The search is over.
    Searched {
        /// The shard.
        shard: ShardNo,
        /// The newest good snapshot, if there is one.
        found: Option<Box<Found>>,
        /// Newer ones that are not good.
        refused: Vec<RefusedSnapshot>,
        /// How long it took.
        took: Duration,
    },
    /// The store could not be searched.
    NotSearched {
        /// The shard.
        shard: ShardNo,
        /// Why, in one word.
        reason: StoreFailure,
        /// Why, in words.
        words: String,
    },
}

/// The worker's side of the desk.
#[derive(Debug)]
pub struct Desk {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
}

/// The keeper's side of the desk.
#[derive(Debug)]
pub struct KeeperSide {
    asks: Receiver<Ask>,
    answers: Sender<Answer>,
}

/// A new desk.
#[must_use]
pub fn desk() -> (Desk, KeeperSide) {
    let (ask, asks) = mpsc::channel();
    let (answer, answers) = mpsc::channel();
    (Desk { asks: ask, answers }, KeeperSide { asks, answers: answer })
}

impl Desk {
    /// Leaves an ask; false if the keeper is gone.
    #[must_use]
    pub fn leave(&self, ask: Ask) -> bool {
        self.asks.send(ask).is_ok()
    }

    /// Takes the next answer, if there is one.
    #[must_use]
    pub fn take(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

impl KeeperSide {
    /// Waits for the next ask; `None` once the worker is gone.
    #[must_use]
    pub fn wait(&self) -> Option<Ask> {
        self.asks.recv().ok()
    }

    /// The next ask, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Ask> {
        self.asks.try_recv().ok()
    }

    /// Gives an answer; if the worker is gone, nobody wants it.
    pub fn answer(&self, answer: Answer) {
        let _ = self.answers.send(answer);
    }
}
