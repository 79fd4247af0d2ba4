//! Advice on the in-memory broker: what of a buyer's words goes where, and what a replay says.

use odrwatch::domain::event::Topic;
use odrwatch::domain::image::Taking;
use odrwatch::pipeline::advice::AdviceRules;
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::testing::NewRecord;

use crate::fleet::{Fleet, FleetConfig};

/// Words that only buyers write: as an address they would be evidence, in any case they are quoted.
const CANARY: &str = "canaryglyph";

/// Feedback with the canary in every form that a comment takes: alone, beside evidence, escaped.
fn feedback(order: u32, rating: u8, status: &str, time: &str) -> String {
    let comment = match order % 3 {
        0 => format!("Seller's e-mail: {CANARY}@shop.example, it never arrived"),
        1 => format!("\\u0022{CANARY}\\u0022 is a fucking bastard"),
        _ => CANARY.to_owned(),
    };
    format!(
        "{{\"seller_id\":\"S\",\"order_id\":\"302-0000000-{order:07}\",\"event_time\":\"{time}\",\
         \"rating\":{rating},\"status\":\"{status}\",\"comment\":\"{comment}\"}}"
    )
}

fn order(order: u32, time: &str) -> String {
    format!(
        "{{\"seller_id\":\"S\",\"order_id\":\"302-0000000-{order:07}\",\"event_time\":\"{time}\",\
         \"purchase_date\":\"{time}\",\"fulfillment_channel\":\"AFN\",\
         \"order_status\":\"Shipped\"}}"
    )
}

/// A fleet that has read, committed and kept feedback with the canary in it.
fn fleet(advice: Option<AdviceRules>) -> Fleet {
    let config = FleetConfig { snapshot_ms: Some(500), advice, ..FleetConfig::new(1) };
    let mut fleet = Fleet::new(config);
    fleet.join("a", 0);
    fleet.run_for(1_000);
    for number in 0..12 {
        let (now, time) = (fleet.now_ms(), odrwatch::wire::time::instant(fleet.now_ms()));
        let record = |value: String| NewRecord::new(now, b"S", value.as_bytes());
        fleet.cluster.produce_keyed(Topic::Orders, record(order(number, &time)));
        let posted = feedback(number, 1, "posted", &time);
        fleet.cluster.produce_keyed(Topic::Feedback, record(posted));
        fleet.run_for(6_000);
        let (now, time) = (fleet.now_ms(), odrwatch::wire::time::instant(fleet.now_ms()));
        let record = |value: String| NewRecord::new(now, b"S", value.as_bytes());
        let next = match number % 4 {
            0 => Some(feedback(number, 2, "updated", &time)),
            1 => Some(feedback(number, 5, "updated", &time)),
            2 => Some(feedback(number, 1, "removed", &time)),
            _ => None,
        };
        if let Some(next) = next {
            fleet.cluster.produce_keyed(Topic::Feedback, record(next));
        }
        fleet.run_for(6_000);
    }
    fleet.run_until_quiet();
    fleet
}

fn has_canary(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// Whether a topic has the canary anywhere: in keys, values or headers.
fn is_in(fleet: &Fleet, topic: OutTopic) -> bool {
    (0..2).any(|partition| {
        fleet.cluster.read_committed(topic, partition).iter().any(|record| {
            let headers = record.headers.iter().filter_map(|(_, value)| value.as_deref());
            let parts = [record.key.as_deref(), record.value.as_deref()].into_iter().flatten();
            parts.chain(headers).any(has_canary)
        })
    })
}

#[test]
fn words_of_buyers_are_in_quotes_and_nowhere_else() {
    let fleet = fleet(Some(AdviceRules::default()));
    assert!(is_in(&fleet, OutTopic::Advice), "the quotes have them, so the search finds them");
    let advice = fleet.advice_lines();
    for line in advice.lines().filter(|line| line.contains(CANARY)) {
        assert!(line.contains("\"record\":\"quotes\""), "{line}");
    }
    for topic in OutTopic::ALL.into_iter().filter(|topic| *topic != OutTopic::Advice) {
        assert!(!is_in(&fleet, topic), "{}", topic.as_str());
    }
    assert!(!has_canary(fleet.metrics_text("a", 0).as_bytes()));
    let (mut blocks, mut bytes) = (0, 0);
    fleet.each_shard(|shard| {
        // The other shard has no records.
        let Some(mut taking) = Taking::begin(shard) else { return };
        while !taking.step(shard, 1_000) {}
        taking.finish().write(&mut |_, block| {
            assert!(!has_canary(block), "in the state");
            (blocks, bytes) = (blocks + 1, bytes + block.len());
        });
        assert!(!has_canary(format!("{shard:?}").as_bytes()), "in the memory of the shard");
    });
    assert!(blocks > 4 && bytes > 300, "{blocks} blocks, {bytes} bytes");
    for shard in 0..2 {
        for number in fleet.store.numbers(shard) {
            fleet.store.change(shard, number, |stored| assert!(!has_canary(stored)));
        }
    }
}

#[test]
fn without_quotes_the_advice_has_places_only() {
    let fleet = fleet(Some(AdviceRules { quotes: false, ..AdviceRules::default() }));
    for topic in OutTopic::ALL {
        assert!(!is_in(&fleet, topic), "{}", topic.as_str());
    }
    let advice = fleet.advice_lines();
    assert!(advice.contains("\"kind\":\"email\",\"start\":17,\"end\":"), "{advice}");
    assert!(!advice.contains("\"text\""));
    fleet.check();
}

#[test]
fn advice_that_is_off_is_none() {
    let fleet = fleet(None);
    assert_eq!(fleet.advice_lines(), "");
    assert!(fleet.committed_alerts() > 0);
    fleet.check();
}

#[test]
fn the_ends_of_feedback_that_was_held_to_be_eligible_are_counted_by_rule() {
    let fleet = fleet(Some(AdviceRules::default()));
    let count = |rule: &str, end: &str| {
        let series = format!("odrwatch_eligible_feedback_total{{end=\"{end}\",rule=\"{rule}\"}}");
        fleet.metric("a", 0, &series)
    };
    // Orders 0, 3, 6 and 9 have the seller's address: 6 was removed, 9 raised to five stars. Orders
    // 1, 4, 7 and 10 are obscene: 10 was removed, 1 raised.
    assert_eq!([count("personal_data", "granted"), count("personal_data", "otherwise")], [1, 1]);
    assert_eq!([count("obscene", "granted"), count("obscene", "otherwise")], [1, 1]);
    assert_eq!([count("product_review", "granted"), count("product_review", "otherwise")], [0, 0]);
}

#[test]
fn a_restart_in_the_middle_of_advice_doubles_and_loses_nothing() {
    let mut fleet = fleet(Some(AdviceRules::default()));
    fleet.crash("a", 0);
    fleet.join("a", 0);
    fleet.run_for(3_000);
    fleet.produce_defective_order("S", "302-0000000-0000099");
    fleet.run_turns(3);
    fleet.crash("a", 0);
    fleet.join("a", 0);
    fleet.run_until_quiet();
    fleet.check();
    let wanted = "302-0000000-0000099";
    let told = fleet.advice_lines();
    let advice = told.lines().filter(|line| line.contains(wanted));
    // "canary words": nothing that a rule is about, so nothing is quoted.
    assert_eq!(advice.filter(|line| line.contains("\"record\":\"advice\"")).count(), 1);
}
