//! What a worker knows of its four input topics, and how it learns that they are others now.
//!
//! Invariants: a topic that has another id, or another number of partitions, is a loud stop; one
//! that seems not to be there is believed gone only after a while, for a broker that starts may
//! not know its topics yet. Absent on purpose: records.

use tracing::debug;

use super::ports::{Broker, InputTopic, SourceError};
use super::slot::Now;
use super::stop::Stop;
use crate::domain::event::Topic;
use crate::telemetry::labels::StopReason;
use crate::wire::identity::TopicId;

/// How often the topics are looked at, in ms.
const LOOK_MS: i64 = 10_000;

/// How soon after a look without an answer, in ms.
const AGAIN_MS: i64 = 500;

/// For how long a topic must seem gone, in ms.
const GONE_MS: i64 = 15_000;

/// What a worker knows of its input topics.
#[derive(Clone, Debug)]
pub struct Inputs {
    names: [String; 4],
    partitions: u32,
    known: Option<[Option<TopicId>; 4]>,
    look_ms: i64,
    gone_since_ms: Option<i64>,
}

impl Inputs {
    /// Topics with names and as many partitions each.
    #[must_use]
    pub const fn new(names: [String; 4], partitions: u32) -> Self {
        Self { names, partitions, known: None, look_ms: i64::MIN, gone_since_ms: None }
    }

    /// The topics' ids, once the cluster answered; `None` for one to which it gives none.
    #[must_use]
    pub const fn ids(&self) -> Option<[Option<TopicId>; 4]> {
        self.known
    }

    /// How many partitions each has.
    #[must_use]
    pub const fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Looks at the topics if it is time to.
    ///
    /// # Errors
    /// A topic is gone, or not the one of before.
    pub fn look<B: Broker>(&mut self, broker: &mut B, now: Now) -> Result<(), Stop> {
        if now.mono_ms < self.look_ms {
            return Ok(());
        }
        match broker.describe_inputs() {
            Ok(found) => {
                self.look_ms = now.mono_ms + LOOK_MS;
                self.judge(&found, now)
            }
            Err(error @ (SourceError::NotReady(_) | SourceError::Unavailable(_))) => {
                debug!(%error, "the input topics are looked at again");
                self.look_ms = now.mono_ms + AGAIN_MS;
                Ok(())
            }
            Err(error) => Err(Stop::from_source(error)),
        }
    }

    fn judge(&mut self, found: &[InputTopic; 4], now: Now) -> Result<(), Stop> {
        let mut is_gone = false;
        for ((topic, found), name) in Topic::ALL.into_iter().zip(found).zip(&self.names) {
            let InputTopic { partitions, id } = *found;
            if partitions == 0 {
                is_gone = true;
                let since = *self.gone_since_ms.get_or_insert(now.mono_ms);
                if now.mono_ms - since >= GONE_MS {
                    return Err(gone(name));
                }
                continue;
            }
            let known = self.known.and_then(|known| known[topic.index()]);
            refuse_another(name, known, id)?;
            refuse_count(name, self.partitions, partitions)?;
        }
        if is_gone {
            self.look_ms = now.mono_ms + AGAIN_MS;
        } else {
            self.gone_since_ms = None;
            self.known = Some(found.map(|topic| topic.id));
        }
        Ok(())
    }
}

fn gone(name: &str) -> Stop {
    let words = format!(
        "the input topic {name} was deleted. Nothing of it is forgotten: if it was a mistake, \
         restore its records into a topic and start a new group with new output topics"
    );
    Stop::new(StopReason::TopicReplaced, words)
}

/// Refuses a topic that has another id than before.
pub(super) fn refuse_another(
    name: &str,
    known: Option<TopicId>,
    found: Option<TopicId>,
) -> Result<(), Stop> {
    let (Some(known), Some(found)) = (known, found) else { return Ok(()) };
    if known == found {
        return Ok(());
    }
    let words = format!(
        "the input topic {name} is another one than before (id {found}, and it was {known}): it \
         was deleted and made anew, so offsets mean other records. Nothing of it was read: start a \
         new group with new output topics, which begins with what the topic holds now"
    );
    Err(Stop::new(StopReason::TopicReplaced, words))
}

/// Refuses a topic that has another number of partitions than before.
pub(super) fn refuse_count(name: &str, before: u32, now: u32) -> Result<(), Stop> {
    if before == now {
        return Ok(());
    }
    let words = format!(
        "the input topic {name} has {now} partitions, and it had {before}: sellers are on other \
         partitions now than their history. Copy all four inputs, with their keys and timestamps, \
         into new topics with {now} partitions, and start a new group with new output topics"
    );
    Err(Stop::new(StopReason::Partitions, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(partitions: u32, id: u128) -> [InputTopic; 4] {
        [InputTopic { partitions, id: Some(TopicId(id)) }; 4]
    }

    fn judge(inputs: &mut Inputs, found: &[InputTopic; 4], at_ms: i64) -> Option<StopReason> {
        let now = Now { wall_ms: 0, mono_ms: at_ms };
        inputs.judge(found, now).err().map(|stop| stop.reason())
    }

    #[test]
    fn another_id_or_count_stops_and_a_topic_may_be_unknown_for_a_while() {
        let names = Topic::ALL.map(|topic| topic.as_str().to_owned());
        let mut inputs = Inputs::new(names, 3);
        assert_eq!(judge(&mut inputs, &topics(3, 1), 0), None);
        assert_eq!(inputs.ids(), Some([Some(TopicId(1)); 4]));
        assert_eq!(judge(&mut inputs, &topics(4, 1), 0), Some(StopReason::Partitions));
        assert_eq!(judge(&mut inputs, &topics(3, 2), 0), Some(StopReason::TopicReplaced));
        assert_eq!(judge(&mut inputs, &topics(0, 0), 1_000), None);
        assert_eq!(judge(&mut inputs, &topics(3, 1), 2_000), None);
        assert_eq!(judge(&mut inputs, &topics(0, 0), 3_000), None);
        assert_eq!(judge(&mut inputs, &topics(0, 0), 17_999), None, "it was there at 2 s");
        assert_eq!(judge(&mut inputs, &topics(0, 0), 18_000), Some(StopReason::TopicReplaced));
        let nameless = topics(3, 1).map(|topic| InputTopic { id: None, ..topic });
        assert_eq!(judge(&mut inputs, &nameless, 18_000), None, "an old broker gives no ids");
    }
}
