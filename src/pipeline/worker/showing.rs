//! What the worker lets readers see of its shards.

use std::sync::Arc;

use super::{Broker, Now, Worker};
use crate::pipeline::ports::{Batch, OutRecord, OutTopic};
use crate::pipeline::query::{self, ReadModel};

impl<B: Broker> Worker<B> {
    /// Lets readers see the worker's shards.
    pub fn show_to(&mut self, model: Arc<ReadModel>) {
        self.readers = Some(query::Publisher::new(model));
    }

    /// Notes quotes that were just committed, if readers may see them.
    pub(super) fn show_quotes(&mut self, batch: &Batch) {
        let Some(readers) = &mut self.readers else { return };
        let of_advice = |record: &&OutRecord| record.topic == OutTopic::Advice;
        for record in batch.records.iter().filter(of_advice) {
            readers.quoted(record.key.as_deref().unwrap_or_default(), record.value.as_deref());
        }
    }

    /// Shows readers what is committed.
    pub(super) fn show(&mut self, now: Now) {
        let is_committed = !self.has_uncommitted();
        let Some(readers) = &mut self.readers else { return };
        for slot in self.slots.values() {
            readers.sample(slot);
        }
        if is_committed {
            readers.publish(&mut self.slots, &mut self.broker, self.identity.length, now);
        }
    }
}
