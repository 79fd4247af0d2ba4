//! What the demo's threads tell each other: when the history is written, and when it is computed.
//!
//! Invariant: the workers begin only when the whole history is in the topics. A live worker may
//! decide that a topic which pauses is idle; in the middle of a history it would move on to the
//! present, and the story would be told out of order.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::domain::ids::ShardNo;

/// The history, once it is computed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its records.
    pub records: u64,
    /// How long it took to write them, in ms.
    pub wrote_ms: i64,
    /// How long it took to compute them, in ms.
    pub computed_ms: i64,
    /// The number of its last alert, by shard.
    pub last_seq: BTreeMap<ShardNo, u64>,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    history: Option<History>,
}

/// The threads' common stage.
#[derive(Debug, Default)]
pub struct Stage {
    state: Mutex<State>,
    opened: Condvar,
}

impl Stage {
    /// Lets the workers begin.
    pub fn open(&self) {
        self.lock().is_open = true;
        self.opened.notify_all();
    }

    /// Waits until the workers may begin.
    pub fn wait_until_open(&self) {
        let waited = self.opened.wait_while(self.lock(), |state| !state.is_open);
        drop(waited.expect("no holder of this lock panics"));
    }

    /// Says that the history is computed.
    pub fn tell(&self, history: History) {
        self.lock().history = Some(history);
    }

    /// The history, once it is computed.
    pub fn history(&self) -> Option<History> {
        self.lock().history.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

/// Opens the stage when it is dropped: whatever becomes of the history, no worker waits for ever.
#[derive(Debug)]
pub struct OpenAtEnd<'a>(pub &'a Stage);

impl Drop for OpenAtEnd<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}
