//! The stories as the engine tells them: its totals are the market's own, and its alerts are
//! the ones that the stories are for.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::advice::{BlockerKind, Finding, Rule};
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::policy::Policy;
use crate::domain::shard::{AlertingStart, Limits, ShardConfig};
use crate::domain::time::BoundaryLength;
use crate::pipeline::advice::AdviceRules;
use crate::pipeline::replay::{Output, Replay, ReplayConfig};
use crate::sim::murmur2;
use crate::wire::input;

/// 2026-03-18, a Wednesday, 10:00 UTC.
const NOW_MS: i64 = 1_773_828_000_000;
const PARTITIONS: u32 = 4;

fn config() -> ReplayConfig {
    let shard = ShardConfig {
        shard: ShardNo::new(0),
        policy: Policy::default(),
        length: BoundaryLength::from_ms(5_000).unwrap(),
        future_days: 2,
        limits: Limits::default(),
        start: AlertingStart::Earliest,
        statuses: false,
        matters: true,
        hash_seed: 1,
        first: [NextOffset::stated(0); 4],
    };
    ReplayConfig {
        shard,
        input: input::Limits::with_partitions(PARTITIONS),
        advice: Some(AdviceRules::default()),
        until_ms: None,
        needs_recorded_start: false,
    }
}

fn replay(records: impl Iterator<Item = SimRecord>) -> Output {
    let mut replay = Replay::new(config(), Vec::new());
    let mut next = [[0; 4]; 4];
    for record in records {
        let partition = murmur2::partition_of(record.key.as_bytes(), PARTITIONS);
        let place = usize::try_from(partition).unwrap();
        let offset = &mut next[record.topic.index()][place];
        let value = (!record.is_tombstone()).then_some(&record.value[..]);
        let (shard, at) = (ShardNo::new(partition), Offset::new(*offset));
        replay.push(record.topic, shard, at, Some(record.timestamp_ms), value).unwrap();
        *offset += 1;
    }
    replay.finish().unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn the_engine_says_what_the_stories_are_for() {
    let mut market = Market::new(4, 40, NOW_MS - HISTORY_DAYS * DAY_MS, NOW_MS);
    let mut records: Vec<SimRecord> = market.by_ref().collect();
    let end_ms = NOW_MS + 60_000;
    records.extend(market.live(end_ms));
    let output = replay(records.into_iter());

    let totals = lines(&output.totals);
    for (index, role) in market.cast().enumerate() {
        let of = totals.iter().find(|line| {
            line["seller_id"] == role.seller.as_str()
                && line["marketplace_id"] == role.marketplace
                && line["scope"] == "all"
                && line["view"] == "live"
        });
        let of = of.unwrap();
        let said = (of["orders"].as_u64().unwrap(), of["defective_orders"].as_u64().unwrap());
        assert_eq!(said, market.totals(index, end_ms), "{role:?}");
    }

    let alerts = lines(&output.alerts);
    let of = |story: Story, kind: &str, state: &str| -> Vec<&Value> {
        let role = market.cast().find(|role| role.story == story).unwrap();
        let is_it = |line: &&Value| {
            line["seller_id"] == role.seller.as_str()
                && line["marketplace_id"] == role.marketplace
                && line["kind"] == kind
                && line["state"] == state
        };
        alerts.iter().filter(is_it).collect()
    };
    let by_expiry = of(Story::Expiry, "warning", "raised");
    assert_eq!(by_expiry.len(), 1);
    let change = &by_expiry[0]["change"];
    assert_eq!(change["defective_added"], 0);
    assert!(change["orders_expired"].as_u64().unwrap() > 150, "{change}");
    assert!(!of(Story::AboveTwo, "critical", "raised").is_empty());
    assert_eq!(of(Story::AboveTwo, "restriction_risk", "raised").len(), 1);
    assert!(!of(Story::AboveTwo, "restriction_risk", "ongoing").is_empty());
    assert_eq!(of(Story::Saved, "warning", "cleared").len(), 1);
    assert!(!of(Story::Drifting, "warning", "raised").is_empty());
    assert_eq!(of(Story::Edge, "warning", "raised").len(), 1);
    assert!(!of(Story::Clearing, "warning", "cleared").is_empty());
    assert_eq!(of(Story::LowVolume, "warning", "raised")[0]["low_volume"], true);
    assert!(of(Story::LowVolume, "critical", "raised").is_empty());
    assert!(alerts.len() < 60, "{} alerts hide the stories", alerts.len());
    let dead = lines(&output.dead).len();
    assert!((25..60).contains(&dead), "{dead}");
}

/// The values of the advice topic, without tombstones.
fn advice(output: &Output) -> Vec<Value> {
    let lines = lines(&output.advice).into_iter();
    lines.map(|mut line| line["value"].take()).filter(|value| !value.is_null()).collect()
}

#[test]
fn the_market_has_an_example_of_every_rule_and_of_what_stands_in_its_way() {
    let mut market = Market::new(4, 40, NOW_MS - HISTORY_DAYS * DAY_MS, NOW_MS);
    let output = replay(market.by_ref());
    let all = advice(&output);
    let of = |record: &'static str| all.iter().filter(move |value| value["record"] == record);
    let (mut eligible, mut findings, mut blockers) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let kinds = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    for value in of("advice").filter(|value| !value["rules"].is_null()) {
        for rule in value["rules"].as_array().unwrap() {
            if rule["verdict"] == "eligible" {
                eligible.insert(rule["rule"].as_str().unwrap().to_owned());
            }
            findings.extend(kinds(&rule["evidence"]));
            blockers.extend(kinds(&rule["blockers"]));
        }
    }
    for rule in Rule::ALL {
        assert!(eligible.contains(rule.as_str()), "{} is never eligible", rule.as_str());
    }
    let missing = Finding::PLAIN.map(Finding::as_str).into_iter();
    let missing: Vec<&str> = missing.filter(|kind| !findings.contains(*kind)).collect();
    assert!(missing.is_empty(), "findings {missing:?}");
    // A word that is not known has no known language either, the marketplace's form takes 400
    // characters, and a matter's order is known.
    let never = ["one_word", "too_long", "channel_unknown"];
    let missing = BlockerKind::PLAIN.map(BlockerKind::as_str).into_iter();
    let missing = missing.filter(|kind| !blockers.contains(*kind));
    assert_eq!(missing.collect::<Vec<_>>(), never, "blockers");
    for subject in ["feedback", "claim", "chargeback"] {
        assert!(of("advice").any(|value| value["subject"] == subject), "{subject}");
    }
    assert!(of("quotes").count() > 100);
}
