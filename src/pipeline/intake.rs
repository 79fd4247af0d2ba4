//! From a raw record to the shard: its record time, its decoding, its place.
//!
//! Used alike by the live service, by restores and by replays, so that a record means the same
//! everywhere. Absent on purpose: the bytes of dead letters, which the caller keeps.

use crate::domain::event::Topic;
use crate::domain::ids::Offset;
use crate::domain::policy::Policy;
use crate::domain::shard::{LimitReached, Shard};
use crate::domain::time::RecordTime;
use crate::wire::input::{DeadLetterCause, Decoder, Limits};

use super::advice::{AdviceRules, Reader};

/// What became of a record when it was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its boundary.
    Waits,
    /// It waits for its boundary, and so does what is to be written of its comment.
    Quoted(Vec<u8>),
    /// It will be a dead letter of its boundary.
    Dead(DeadLetterCause),
}

/// Decodes records and hands them to a shard.
#[derive(Debug)]
pub struct Intake {
    decoder: Decoder,
    limits: Limits,
    reader: Option<Reader>,
}

impl Intake {
    /// An intake that holds records to these limits.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { decoder: Decoder::new(), limits, reader: None }
    }

    /// The same, which also reads the comments of negative feedback, if advice is given.
    #[must_use]
    pub fn reading(limits: Limits, advice: Option<AdviceRules>, policy: &Policy) -> Self {
        let reader = advice.map(|rules| rules.reader(policy));
        Self { reader, ..Self::new(limits) }
    }

    /// What records are held to.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes in one record, whose record time is decided by the caller.
    ///
    /// # Errors
    /// A limit of the shard is reached.
    pub fn take(
        &mut self,
        shard: &mut Shard,
        topic: Topic,
        offset: Offset,
        time: Option<RecordTime>,
        value: Option<&[u8]>,
    ) -> Result<Taken, LimitReached> {
        let Some(value) = value else {
            shard.accept_tombstone(topic, offset, time)?;
            return Ok(Taken::Waits);
        };
        let partition = shard.number().get();
        match self.decoder.decode(topic, value, time, partition, &self.limits) {
            Ok(event) => {
                let time = time.expect("a record without a time is never decoded to an event");
                let read = self.reader.and_then(|reader| reader.read(&event, value));
                let Some(read) = read else {
                    shard.accept(topic, offset, time, &event)?;
                    return Ok(Taken::Waits);
                };
                shard.accept_noted(topic, offset, time, &event, Some(read.note))?;
                Ok(read.quotes.map_or(Taken::Waits, Taken::Quoted))
            }
            Err(cause) => {
                shard.accept_dead(topic, offset, time, cause.reason())?;
                Ok(Taken::Dead(cause))
            }
        }
    }
}
