//! What readers, such as HTTP, see of the shards.
//!
//! ```text
//! worker, between transactions ──rows that moved, committed alerts──> ReadModel <──lists── readers
//!        ^──────────────── Inquiry (one account in full) ───────────────────────────────────┘
//! ```
//!
//! Invariants:
//! - What a reader sees is committed: rows and answers are taken only when nothing is uncommitted.
//! - A reader never makes a worker wait: the worker tries for the lock and comes again next turn;
//!   inquiries wait in a bounded queue, and few are answered in one turn.
//! - Everything kept here is bounded: a row an account, and rings of the latest events.
//!
//! Absent on purpose: how an answer is encoded, and who may ask.

mod directory;
mod leaders;
mod listing;
mod model;
mod publisher;
mod standing;

pub use directory::{Directory, Owner};
pub use leaders::Leaders;
pub use listing::{Filter, Listing, Page, Sort};
pub use model::{
    BandSample, DeadSeen, LATEST_ALERTS, LATEST_DEAD_LETTERS, LagSeen, ReadModel, SellerRow,
    SentAlert, ShardSeen,
};
pub(super) use publisher::Publisher;
pub use standing::{Standing, Sum};

pub use crate::domain::look::AccountLook;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// How many inquiries may wait for one worker.
const WAITING_INQUIRIES: usize = 32;

/// A question for one account in full.
pub struct Inquiry {
    /// The seller.
    pub seller_id: String,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: String,
    /// Takes the answer: nothing if no shard of the worker holds the account.
    pub answer: Box<dyn FnOnce(Option<Box<AccountLook>>) + Send>,
}

impl std::fmt::Debug for Inquiry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Inquiry")
            .field("seller_id", &self.seller_id)
            .finish_non_exhaustive()
    }
}

/// Why a question was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsked {
    /// No shard that is live here holds the account.
    #[error("no shard of this process holds the account")]
    Unknown,
    /// As many questions wait as may.
    #[error("too many questions wait for an answer")]
    Busy,
    /// The worker has ended.
    #[error("the worker of the account's shard has ended")]
    Gone,
}

/// The way to a worker.
#[derive(Clone, Debug)]
pub(super) struct Mailbox {
    /// Tells it from every other one.
    id: u64,
    sender: SyncSender<Inquiry>,
}

impl Mailbox {
    fn send(&self, inquiry: Inquiry) -> Result<(), NotAsked> {
        self.sender.try_send(inquiry).map_err(|error| match error {
            TrySendError::Full(_) => NotAsked::Busy,
            TrySendError::Disconnected(_) => NotAsked::Gone,
        })
    }
}

/// A worker's mailbox, and its other end.
fn mailbox() -> (Mailbox, Receiver<Inquiry>) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (sender, receiver) = sync_channel(WAITING_INQUIRIES);
    (Mailbox { id: NEXT.fetch_add(1, Ordering::Relaxed), sender }, receiver)
}

#[cfg(test)]
mod tests;
