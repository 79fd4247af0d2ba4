//! The hostile generator is itself checked: what it promises of its records holds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::domain::time::RecordTime;
use crate::wire::input::{Decoder, Limits};

fn records(hostile: &Hostile) -> impl Iterator<Item = (Topic, u32, &HostileRecord)> {
    Topic::ALL.into_iter().flat_map(move |topic| {
        let logs = hostile.logs[topic.index()].iter().zip(0..);
        logs.flat_map(move |(log, partition)| {
            log.iter().map(move |record| (topic, partition, record))
        })
    })
}

fn either<'a>(value: &'a Value, first: &str, second: &str) -> &'a Value {
    value.get(first).or_else(|| value.get(second)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_logs_and_another_one_others() {
    let config = HostileConfig::new(11);
    assert_eq!(Hostile::new(&config), Hostile::new(&config));
    assert_ne!(Hostile::new(&config), Hostile::new(&HostileConfig::new(12)));
}

#[test]
fn valid_records_are_objects_with_the_required_fields_in_the_partition_of_their_seller() {
    for seed in 0..300 {
        let hostile = Hostile::new(&HostileConfig::new(seed));
        for (topic, partition, record) in records(&hostile) {
            if record.expected != Expected::Valid {
                continue;
            }
            let bytes = record.value.as_ref().unwrap();
            let text = std::str::from_utf8(bytes).unwrap();
            // serde_json refuses half a surrogate pair and 1E400 where we accept them.
            let text = text.replace("\\ud83d\"", "\"").replace("1E400", "1");
            let value: Value = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("seed {seed}: {error}: {text}"));
            let seller = either(&value, "seller_id", "SellerId").as_str().unwrap();
            let right = murmur2::partition_of(seller.as_bytes(), 2);
            assert_eq!(partition, right, "seed {seed}");
            assert!(either(&value, "order_id", "AmazonOrderId").is_string());
            let wanted = match topic {
                Topic::Orders => either(&value, "order_status", "OrderStatus"),
                _ => either(&value, "status", "status"),
            };
            assert!(wanted.is_string());
        }
    }
}

#[test]
fn every_feature_and_every_reason_comes_up_and_is_what_it_says() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let mut features = BTreeSet::new();
    for seed in 0..400 {
        let config = HostileConfig { missing_timestamps: true, ..HostileConfig::new(seed) };
        let hostile = Hostile::new(&config);
        features.extend(hostile.features.iter());
        for (_, _, record) in records(&hostile) {
            let name = match record.expected {
                Expected::Valid => "valid",
                Expected::Tombstone => "tombstone",
                Expected::Dead(reason) => reason.as_str(),
            };
            *seen.entry(name).or_default() += 1;
            assert_eq!(record.value.is_none(), name == "tombstone");
            let bytes = record.value.as_deref().unwrap_or_default();
            assert_eq!(bytes.len() > 1 << 20, name == "too_large");
            assert_eq!(bytes.first() == Some(&0), name == "schema_framed");
        }
    }
    assert_eq!(features.len(), Feature::ALL.len());
    for reason in DeadReason::ALL {
        assert!(seen.contains_key(reason.as_str()), "{reason:?}: {seen:?}");
    }
    assert!(seen["valid"] > 30_000, "{seen:?}");
}

#[test]
fn timestamps_go_back_only_where_that_is_a_feature() {
    for seed in 0..200 {
        let hostile = Hostile::new(&HostileConfig::new(seed));
        let goes_back = hostile
            .logs
            .iter()
            .flatten()
            .any(|log| !log.is_sorted_by_key(|record| record.timestamp_ms));
        if goes_back {
            assert!(hostile.features.has(Feature::BackwardTimestamps), "{seed}");
        }
    }
}

#[test]
fn a_tame_workload_is_valid_throughout() {
    let config = HostileConfig { features: Some(Features::NONE), ..HostileConfig::new(3) };
    let hostile = Hostile::new(&config);
    assert_eq!(hostile.len(), 120);
    assert!(records(&hostile).all(|(.., record)| record.expected == Expected::Valid));
}

#[test]
fn ids_are_distinct_and_within_the_grammar() {
    let mut random = Random::new(1);
    let sellers: BTreeSet<_> = (0..300).map(|n| ids::seller(n, true, &mut random)).collect();
    assert_eq!(sellers.len(), 300);
    assert!(sellers.iter().all(|id| crate::domain::ids::is_id(id)));
    let orders: BTreeSet<_> = (0..600).map(|number| ids::order(number, number % 2 == 0)).collect();
    assert_eq!(orders.len(), 600);
    assert!(orders.iter().all(|id| crate::domain::ids::is_id(id)));
}

#[test]
fn an_exact_seller_has_a_round_number_of_orders() {
    let config = HostileConfig {
        features: Some(Features::NONE.with(Feature::ExactThresholds)),
        events: 200,
        ..HostileConfig::new(3)
    };
    let hostile = Hostile::new(&config);
    let count = |wanted: Topic| {
        let mut of = records(&hostile).collect::<Vec<_>>();
        of.retain(|(topic, _, record)| *topic == wanted && record.key.as_deref() == Some(b"exact"));
        of.len()
    };
    assert_eq!((count(Topic::Orders), count(Topic::Feedback)), (100, 4));
}

#[test]
fn odd_times_mean_the_instant_that_they_are_written_for() {
    let mut random = Random::new(5);
    for _ in 0..2_000 {
        let ms = random.between(946_684_800_000, 4_000_000_000_000) / 500 * 500;
        let mut written = Vec::new();
        render::write_time(&mut written, ms, Some(&mut random));
        let text = String::from_utf8(written).unwrap();
        // jiff takes at most nine digits of a fraction.
        let parsed: jiff::Timestamp = text.replace("999999999", "999999").parse().unwrap();
        assert_eq!(parsed.as_millisecond(), ms, "{text}");
    }
}

#[test]
fn the_decoder_says_of_each_record_what_is_expected() {
    let limits = Limits::with_partitions(2);
    let mut decoder = Decoder::new();
    for seed in 0..1_500 {
        let config = HostileConfig { missing_timestamps: true, ..HostileConfig::new(seed) };
        let hostile = Hostile::new(&config);
        for (topic, partition, record) in records(&hostile) {
            let Some(value) = &record.value else { continue };
            let time = record.timestamp_ms.map(RecordTime::from_ms);
            let said = match decoder.decode(topic, value, time, partition, &limits) {
                Ok(_) => Expected::Valid,
                Err(cause) => Expected::Dead(cause.reason()),
            };
            let text = String::from_utf8_lossy(&value[..value.len().min(600)]);
            assert_eq!(said, record.expected, "seed {seed}, {topic:?} at {time:?}: {text}");
        }
    }
}
