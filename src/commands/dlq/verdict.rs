//! Whether a dead letter would be read now, if it were given back.

use super::Letter;
use crate::commands::start;
use crate::config::Config;
use crate::domain::event::Topic;
use crate::domain::time::RecordTime;
use crate::wire::input::{Decoder, Limits, explain};

/// Judges letters by the present configuration, as the service would their records.
pub(super) struct Judge<'a> {
    config: &'a Config,
    limits: Limits,
    decoder: Decoder,
    now_ms: i64,
}

/// Why a letter cannot be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In one word or two, to count by.
    pub(super) kind: String,
    /// In full.
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(kind: &str, why: String) -> Self {
        Self { kind: kind.to_owned(), why }
    }
}

impl<'a> Judge<'a> {
    /// Judges for inputs with so many partitions, at a time in ms since the epoch.
    pub(super) fn new(config: &'a Config, partitions: u32, now_ms: i64) -> Self {
        let limits = start::input_limits(config, partitions);
        Self { config, limits, decoder: Decoder::new(), now_ms }
    }

    /// The input that a letter came from, if its record would be an event there now.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn judge(
        &mut self,
        letter: &Letter,
        value: Option<&[u8]>,
    ) -> Result<Topic, Refusal> {
        let told = &letter.told;
        let names = &self.config.kafka.topics;
        let known = Topic::ALL.into_iter().find(|topic| names.input(*topic) == told.topic);
        let topic = known.ok_or_else(|| {
            Refusal::new("other topic", "its topic is none of the configured inputs".to_owned())
        })?;
        let (partition, partitions) = (told.partition.get(), self.limits.partitions);
        if partition >= partitions {
            let why = format!("{} has only {partitions} partitions now", told.topic);
            return Err(Refusal::new("no such partition", why));
        }
        let value = value.ok_or_else(|| {
            let why = "its value was left out; only the producer has it".to_owned();
            Refusal::new("left out", why)
        })?;
        let record_time = letter.timestamp_ms.map(|ms| {
            // As the service takes it: a record of the future counts as read now.
            let ahead = self.config.engine.max_clock_ahead_ms;
            let is_ahead = ms > self.now_ms.saturating_add(ahead);
            RecordTime::from_ms(if is_ahead { self.now_ms } else { ms })
        });
        match self.decoder.decode(topic, value, record_time, partition, &self.limits) {
            Ok(_) => Ok(topic),
            Err(cause) => {
                let why = format!("it would become a dead letter again: {}", explain(cause));
                Err(Refusal::new(cause.reason().as_str(), why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::dlq::args::Place;
    use crate::config::{self, Sources};
    use crate::domain::ids::{Offset, ShardNo};
    use crate::wire::dead_letter::Told;

    const NOW_MS: i64 = 1_772_368_495_000;
    const ORDER: &str = r#"{"event_time":"2026-03-01T14:00:00Z","seller_id":"S1",
        "order_id":"O","purchase_date":"2026-03-01T12:00:00Z","fulfillment_channel":"MFN",
        "order_status":"Shipped"}"#;

    fn letter(topic: &str, partition: u32) -> Letter {
        Letter {
            place: Place { partition: ShardNo::new(0), offset: Offset::new(0) },
            timestamp_ms: Some(NOW_MS),
            told: Told {
                topic: topic.to_owned(),
                partition: ShardNo::new(partition),
                offset: Offset::new(9),
                code: String::new(),
                message: String::new(),
                omitted: None,
                originals: 0,
                came_back_from: None,
            },
        }
    }

    fn judged(letter: &Letter, value: Option<&str>, sets: &[&str]) -> Result<Topic, String> {
        let config = config::load(&Sources {
            sets: sets.iter().map(|set| (*set).to_owned()).collect(),
            host_name: Some("host".to_owned()),
            ..Sources::default()
        });
        let config = config.unwrap();
        let mut judge = Judge::new(&config, 4, NOW_MS);
        judge.judge(letter, value.map(str::as_bytes)).map_err(|refusal| refusal.kind)
    }

    #[test]
    fn what_is_wrong_with_the_bytes_stays_wrong() {
        let orders = letter("orders", 0);
        for (value, kind) in [("{", "parse"), ("{}", "missing_field"), ("\0", "schema_framed")] {
            assert_eq!(judged(&orders, Some(value), &[]), Err(kind.to_owned()));
        }
    }

    #[test]
    fn a_letter_is_judged_by_the_configuration_of_today() {
        // Its event is 1 h 25 min later than its record, and its partition is another's.
        let orders = letter("orders", 0);
        let off = "engine.partitioner=off";
        assert_eq!(judged(&orders, Some(ORDER), &[]), Err("misrouted".to_owned()));
        assert_eq!(judged(&orders, Some(ORDER), &[off]), Err("bad_time".to_owned()));
        let ahead = "engine.max_ahead_ms=7200000";
        assert_eq!(judged(&orders, Some(ORDER), &[off, ahead]), Ok(Topic::Orders));
        let short = "engine.max_record_bytes=10";
        let too_large = judged(&orders, Some(ORDER), &[off, ahead, short]);
        assert_eq!(too_large, Err("too_large".to_owned()));
    }

    #[test]
    fn a_record_of_the_future_counts_as_read_now() {
        let sets = ["engine.partitioner=off"];
        let mut orders = letter("orders", 0);
        orders.timestamp_ms = Some(NOW_MS + 9_000);
        let near = ORDER.replace("14:00:00", "13:35:00");
        assert_eq!(judged(&orders, Some(&near), &sets), Ok(Topic::Orders));
        orders.timestamp_ms = Some(NOW_MS + 86_400_000);
        assert_eq!(judged(&orders, Some(ORDER), &sets), Err("bad_time".to_owned()));
    }

    #[test]
    fn a_letter_whose_place_or_value_is_gone_is_refused() {
        for (letter, value, kind) in [
            (letter("odr-alerts", 0), Some(ORDER), "other topic"),
            (letter("orders", 4), Some(ORDER), "no such partition"),
            (letter("orders", 0), None, "left out"),
        ] {
            assert_eq!(judged(&letter, value, &[]), Err(kind.to_owned()));
        }
    }
}
