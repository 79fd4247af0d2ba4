//! The breaker: a flood of dead letters is a mistake of somebody, and must not drain a topic.
//!
//! Above a set share of the last thousand records of a topic, the shard stops loudly. Whether most
//! of them are misrouted tells a producer with another partitioner from bad data.

use crate::domain::event::{DeadReason, Topic};
use crate::domain::ids::{Offset, ShardNo};

/// How many records are looked back on.
const LOOKED_BACK: usize = 1000;

/// The last records of one topic in one shard: which were dead, and why.
#[derive(Clone, Debug)]
pub struct Breaker {
    last: Vec<Option<DeadReason>>,
    at: usize,
    dead: usize,
    misrouted: usize,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { last: Vec::with_capacity(LOOKED_BACK), at: 0, dead: 0, misrouted: 0 }
    }
}

impl Breaker {
    /// Notes one record; tells whether more than `percent` of the last thousand are dead. 0
    /// switches it off.
    pub fn note(&mut self, dead: Option<DeadReason>, percent: u32) -> bool {
        if self.last.len() < LOOKED_BACK {
            self.last.push(dead);
        } else {
            let old = std::mem::replace(&mut self.last[self.at], dead);
            self.at = (self.at + 1) % LOOKED_BACK;
            self.dead -= usize::from(old.is_some());
            self.misrouted -= usize::from(old == Some(DeadReason::Misrouted));
        }
        self.dead += usize::from(dead.is_some());
        self.misrouted += usize::from(dead == Some(DeadReason::Misrouted));
        let percent = usize::try_from(percent).unwrap_or(100);
        percent > 0 && self.last.len() == LOOKED_BACK && self.dead * 100 > percent * LOOKED_BACK
    }

    /// What to say when it breaks at a record.
    #[must_use]
    pub fn message(
        &self,
        topic: Topic,
        shard: ShardNo,
        offset: Offset,
        reason: DeadReason,
    ) -> String {
        let diagnosis = if self.misrouted * 2 > self.dead {
            "most of them are misrouted, so a producer uses another partitioner than \
             engine.partitioner says, or another key than the seller id"
        } else {
            "this looks like bad data from a producer"
        };
        format!(
            "{} of the last {LOOKED_BACK} records of {}-{shard} are dead letters, the last one \
             ({}) at offset {offset}: {diagnosis}; mend the producer, or raise \
             engine.dead_letter_breaker_percent to let them pass",
            self.dead,
            topic.as_str(),
            reason.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_thousand_is_borne_and_one_more_breaks() {
        let mut breaker = Breaker::default();
        for n in 0..1000 {
            let dead = (n % 2 == 0).then_some(DeadReason::Parse);
            assert!(!breaker.note(dead, 50), "{n}");
        }
        // The oldest one leaves, and was dead.
        assert!(!breaker.note(Some(DeadReason::Parse), 50));
        assert!(breaker.note(Some(DeadReason::Parse), 50));
        assert!(!breaker.note(None, 0));
    }

    #[test]
    fn a_wrong_partitioner_is_told_from_bad_data() {
        let mut breaker = Breaker::default();
        for _ in 0..1000 {
            breaker.note(Some(DeadReason::Misrouted), 50);
        }
        let say = |breaker: &Breaker, reason| {
            breaker.message(Topic::Orders, ShardNo::new(3), Offset::new(7), reason)
        };
        assert!(say(&breaker, DeadReason::Misrouted).contains("another partitioner"));
        for _ in 0..1000 {
            breaker.note(Some(DeadReason::Parse), 50);
        }
        let said = say(&breaker, DeadReason::Parse);
        assert!(
            said.contains("bad data") && said.contains("orders-3") && said.contains("offset 7")
        );
    }
}
