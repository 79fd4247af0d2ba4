//! `outcomes.json`: how the records of a bounded replay ended.
//!
//! Invariant: `read` is the sum of all outcomes, those still pending included.

use crate::domain::effects::Outcomes;
use crate::domain::event::{DeadReason, Outcome, Topic};

use super::write::object;

/// Appends the file's content. `pending` counts, by topic, the records that were read and belong
/// to boundaries after the end of the replay.
pub fn write_file(outcomes: &Outcomes, pending: [u64; 4], out: &mut Vec<u8>) {
    let read = outcomes.total() + pending.iter().sum::<u64>();
    object(out, |file| {
        file.integer("read", read);
        file.object("outcomes", |topics| {
            for topic in Topic::ALL {
                let counts = outcomes.by_topic[topic.index()];
                topics.object(topic.as_str(), |members| {
                    let named =
                        Outcome::ALL.map(|outcome| (outcome.as_str(), counts[outcome.index()]));
                    let pending = ("pending", pending[topic.index()]);
                    for (name, count) in named.into_iter().chain([pending]) {
                        if count > 0 {
                            members.integer(name, count);
                        }
                    }
                });
            }
        });
        file.object("dead", |reasons| {
            for reason in DeadReason::ALL {
                let count: u64 = outcomes.dead.iter().map(|dead| dead[reason.index()]).sum();
                if count > 0 {
                    reasons.integer(reason.as_str(), count);
                }
            }
        });
    });
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_left_out_and_every_topic_is_there() {
        let mut outcomes = Outcomes::default();
        outcomes.count(Topic::Orders, Outcome::Tombstone);
        outcomes.count(Topic::Orders, Outcome::Applied);
        outcomes.count_dead(Topic::Claims, DeadReason::Misrouted);
        outcomes.count_dead(Topic::Feedback, DeadReason::Misrouted);
        outcomes.count_dead(Topic::Feedback, DeadReason::TooLarge);
        let mut out = Vec::new();
        write_file(&outcomes, [4, 0, 0, 0], &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"read\":9,\"outcomes\":{\"orders\":{\"applied\":1,\"tombstone\":1,\"pending\":4},\
             \"feedback\":{\"dead\":2},\"claims\":{\"dead\":1},\"chargebacks\":{}},\
             \"dead\":{\"too_large\":1,\"misrouted\":2}}\n"
        );
    }
}
