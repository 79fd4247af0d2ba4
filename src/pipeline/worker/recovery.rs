//! What a worker does about a failed transaction: drop its shards, back off, replace the producer.

use tracing::warn;

use super::{
    BACKOFF_MS, Broker, CommitError, Now, Reconnect, ShardNo, SourceError, Stage, Stop, Worker,
    opening,
};

impl<B: Broker> Worker<B> {
    /// After a failed transaction: replaces the producer when the pause is over. False while it
    /// is not.
    pub(super) fn replace_producer(&mut self, now: Now) -> Result<bool, Stop> {
        let Some(reconnect) = self.reconnect else { return Ok(true) };
        if now.mono_ms < reconnect.at_ms {
            return Ok(false);
        }
        match self.broker.reconnect() {
            Ok(()) => {
                self.reconnect = None;
                self.note_clock(now);
                self.compare_progress();
                Ok(true)
            }
            Err(error @ (SourceError::NotReady(_) | SourceError::Unavailable(_))) => {
                warn!(%error, pause_ms = reconnect.pause_ms, "the producer could not be replaced");
                self.back_off(now, reconnect.pause_ms * 2);
                Ok(false)
            }
            Err(error) => Err(Stop::from_source(error)),
        }
    }

    /// Lets each shard with a state open again, with that state if the group still has its number:
    /// what became of the last transaction was settled just now.
    fn compare_progress(&mut self) {
        self.forget_snapshot();
        for slot in self.slots.values_mut().filter(|slot| slot.phase.may_commit()) {
            slot.phase = opening(true);
        }
    }

    pub(super) fn back_off(&mut self, now: Now, pause_ms: i64) {
        let pause_ms = pause_ms.clamp(BACKOFF_MS.0, BACKOFF_MS.1);
        self.reconnect = Some(Reconnect { at_ms: now.mono_ms + pause_ms, pause_ms });
    }

    /// A failed transaction: its shards are dropped and opened again behind a new producer.
    pub(super) fn fail(&mut self, error: &CommitError, now: Now) -> Result<bool, Stop> {
        let stage = match error {
            CommitError::Restart { stage, .. } => Stage::named(stage),
            CommitError::ClockSkew { .. } => Stage::Check,
            _ => Stage::Other,
        };
        self.metrics.transaction_failed(stage);
        if let Some(stop) = Stop::from_commit(error) {
            return Err(stop);
        }
        warn!(%error, "the shards of the transaction open again");
        let moved: Vec<ShardNo> =
            self.slots.values().filter(|slot| slot.has_moved).map(|slot| slot.number).collect();
        for number in moved {
            let slot = self.new_slot(number);
            self.slots.insert(number, slot);
        }
        self.back_off(now, BACKOFF_MS.0);
        Ok(false)
    }
}
