//! Records of the alerts topic: the value of SEMANTICS section 7 and its CloudEvents headers.
//!
//! Invariants: the value is a pure function of the alert and its shard, byte for byte; the order
//! of its fields never changes. `alert_id` depends only on what the alert is about, so that a
//! consumer can drop repetitions.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::domain::effects::{Alert, Change, CycleNote};
use crate::domain::ids::ShardNo;

use super::Header;
use super::time::instant;
use super::write::{Object, object};

/// Hundredths of a basis point: what a threshold is in millionths.
const MILLIONTHS_PER_BP: u64 = 100;

/// Appends the value of an alert's record, without a line end.
pub fn write_value(alert: &Alert, shard: ShardNo, out: &mut Vec<u8>) {
    object(out, |value| {
        value.text("alert_id", &alert_id(alert, shard));
        value.integer("seq", alert.seq);
        value.text("kind", alert.kind.as_str());
        value.text("state", alert.state.as_str());
        value.flag("initial", alert.initial);
        value.text("seller_id", &alert.seller_id);
        value.text("marketplace_id", &alert.marketplace_id);
        value.text("scope", alert.scope.as_str());
        value.text("view", alert.view.as_str());
        value.instant("boundary", alert.boundary_ms);
        value.day("as_of", alert.as_of);
        value.object("window", |window| {
            window.day("from", alert.window.0);
            window.day("to", alert.window.1);
        });
        value.optional_day("covered_from", alert.covered_from);
        write_numbers(alert, value);
        write_defects(alert, value);
        value.headroom(alert.headroom);
        value.flag("low_volume", alert.low_volume);
        value.optional_day("recovers_on", alert.recovers_on);
        match alert.cycle {
            Some(cycle) => write_cycle(cycle, value),
            None => value.null("cycle"),
        }
    });
}

fn write_numbers(alert: &Alert, value: &mut Object<'_>) {
    value.integer("orders", alert.now.orders);
    value.integer("defective_orders", alert.now.defective);
    value.integer("provisional_only", alert.now.provisional_only);
    let rate = alert.now.rate().millionths();
    value.millionths("rate", rate.filter(|_| alert.has_rate));
    let threshold = u64::from(alert.threshold_bp) * MILLIONTHS_PER_BP;
    value.millionths("threshold", Some(threshold));
    value.by_kind(alert.now.by_kind);
    value.rate("mfn", alert.mfn);
    value.rate("afn", alert.afn);
    value.rate("official", alert.official);
    value.rate("before", alert.before);
    let Change {
        orders_added,
        orders_expired,
        defective_added,
        defective_reversed,
        defective_expired,
    } = alert.change;
    value.object("change", |change| {
        change.integer("orders_added", orders_added);
        change.integer("orders_expired", orders_expired);
        change.integer("defective_added", defective_added);
        change.integer("defective_reversed", defective_reversed);
        change.integer("defective_expired", defective_expired);
    });
}

fn write_defects(alert: &Alert, value: &mut Object<'_>) {
    value.objects("defects", &alert.defects, |item, defect| {
        item.text("order_id", &defect.order_id);
        item.text("kind", defect.kind.as_str());
        item.optional_text("ref", defect.reference.as_deref());
        item.flag("new", defect.new);
    });
}

fn write_cycle(cycle: CycleNote, value: &mut Object<'_>) {
    value.object("cycle", |members| {
        members.day("from", cycle.from);
        members.day("to", cycle.to);
        members.integer("streak", cycle.streak);
    });
}

/// The `seq` that the value of an alert states; `None` if it is no such value.
#[must_use]
pub fn seq_of(value: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let numbered: Numbered = serde_json::from_slice(value).ok()?;
    Some(numbered.seq)
}

/// The alert's id: 32 hexadecimal digits of a SHA-256 over what it is about.
#[must_use]
pub fn alert_id(alert: &Alert, shard: ShardNo) -> String {
    let mut hash = Sha256::new();
    let (shard, boundary) = (shard.to_string(), alert.boundary_ms.to_string());
    for text in [
        shard.as_str(),
        boundary.as_str(),
        &alert.seller_id,
        &alert.marketplace_id,
        alert.scope.as_str(),
        alert.view.as_str(),
        alert.kind.as_str(),
        alert.state.as_str(),
    ] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    super::write::hex(&hash.finalize()[..16])
}

/// The headers of an alert's record: CloudEvents 1.0 in binary mode, and three to filter by.
#[must_use]
pub fn headers(alert: &Alert, shard: ShardNo) -> Vec<Header> {
    let event_type = format!("io.odrwatch.alert.{}.v1", alert.state.as_str());
    let low_volume = if alert.low_volume { "true" } else { "false" };
    [
        ("ce_specversion", "1.0"),
        ("ce_id", &alert_id(alert, shard)),
        ("ce_source", &format!("/odrwatch/{shard}")),
        ("ce_type", &event_type),
        ("ce_time", &instant(alert.boundary_ms)),
        ("ce_subject", &alert.seller_id),
        ("content-type", "application/json"),
        ("kind", alert.kind.as_str()),
        ("state", alert.state.as_str()),
        ("low_volume", low_volume),
    ]
    .map(|(name, value)| (name.to_owned(), Some(value.as_bytes().to_vec())))
    .to_vec()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::domain::effects::{AlertKind, AlertState, Counts, ListedDefect};
    use crate::domain::event::DefectKind;
    use crate::domain::policy::{Policy, Scope, View};
    use crate::domain::rate::Rate;
    use crate::domain::time::Day;

    const GOLDEN: &str = include_str!("../../tests/golden/alert.json");

    /// 3 of 240 orders are defective, one of them since this boundary.
    fn warning() -> Alert {
        let policy = Policy::default();
        // 2026-03-01.
        let as_of = Day::from_number(20_513);
        let now = Counts { orders: 240, defective: 3, provisional_only: 1, by_kind: [2, 1, 1] };
        Alert {
            seq: 17,
            kind: AlertKind::Warning,
            state: AlertState::Raised,
            initial: false,
            seller_id: "A2EXAMPLE\"SELLER".into(),
            marketplace_id: "ATVPDKIKX0DER".into(),
            scope: Scope::All,
            view: View::Live,
            boundary_ms: 1_772_368_495_000,
            as_of,
            window: policy.view_days(View::Live, as_of),
            covered_from: Some(as_of.plus(-74)),
            now,
            has_rate: true,
            threshold_bp: policy.warning.raise_bp,
            mfn: Rate { defective: 3, orders: 180 },
            afn: Rate { defective: 0, orders: 60 },
            official: Rate { defective: 2, orders: 231 },
            before: Rate { defective: 2, orders: 241 },
            change: Change {
                orders_added: 5,
                orders_expired: 6,
                defective_added: 1,
                defective_reversed: 0,
                defective_expired: 0,
            },
            defects: vec![
                defect("302-1234567-7654321", DefectKind::Claim, Some("A-Z/1"), true),
                defect("302-1234567-7654321", DefectKind::NegativeFeedback, None, true),
                defect("ORDER 7", DefectKind::NegativeFeedback, None, false),
                defect("303-0000001-0000002", DefectKind::Chargeback, Some("CB-9"), false),
            ],
            headroom: now.rate().headroom(100, 1),
            low_volume: now.rate().is_low_volume(100),
            recovers_on: Some(as_of.plus(12)),
            cycle: None,
        }
    }

    fn defect(order: &str, kind: DefectKind, reference: Option<&str>, new: bool) -> ListedDefect {
        ListedDefect { order_id: order.into(), kind, reference: reference.map(Into::into), new }
    }

    fn value_of(alert: &Alert) -> String {
        let mut out = Vec::new();
        write_value(alert, ShardNo::new(3), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_golden_alert_is_written_byte_for_byte() {
        assert_eq!(value_of(&warning()), GOLDEN.trim_end());
    }

    #[test]
    fn the_golden_alert_adds_up() {
        let golden: Value = serde_json::from_str(GOLDEN).unwrap();
        let number = |pointer: &str| golden.pointer(pointer).unwrap().as_i64().unwrap();
        for (all, parts) in [("/orders", "orders"), ("/defective_orders", "defective_orders")] {
            let (mfn, afn) = (format!("/mfn/{parts}"), format!("/afn/{parts}"));
            assert_eq!(number(all), number(&mfn) + number(&afn));
        }
        assert_eq!(
            number("/orders"),
            number("/before/orders") + number("/change/orders_added")
                - number("/change/orders_expired")
        );
        assert_eq!(
            number("/defective_orders"),
            number("/before/defective_orders") + number("/change/defective_added")
                - number("/change/defective_reversed")
                - number("/change/defective_expired")
        );
        // Two kinds on one order: the kinds add up to more than the defective orders.
        let kinds = ["negative_feedback", "claim", "chargeback"];
        let sum: i64 = kinds.iter().map(|kind| number(&format!("/by_kind/{kind}"))).sum();
        assert_eq!(sum, number("/defective_orders") + 1);
        // Three orders are listed, one of them with new defects.
        let orders = |only_new: bool| {
            let listed = golden["defects"].as_array().unwrap().iter();
            let listed = listed.filter(|defect| !only_new || defect["new"] == true);
            let ids: BTreeSet<_> = listed.map(|defect| defect["order_id"].to_string()).collect();
            i64::try_from(ids.len()).unwrap()
        };
        assert_eq!(orders(false), number("/defective_orders"));
        assert_eq!(orders(true), number("/change/defective_added"));
        // 3/240 = 1.25 %; 240 + 60 orders bring it to 1 %.
        assert_eq!(golden["rate"].to_string(), "0.0125");
        assert!(GOLDEN.contains("\"rate\":0.012500,\"threshold\":0.010000,"));
        assert_eq!(number("/headroom/orders_needed"), 60);
        assert_eq!(golden["low_volume"], false);
    }

    #[test]
    fn the_id_is_the_hash_that_the_specification_names() {
        let text = "3\u{0}1772368495000\u{0}A2EXAMPLE\"SELLER\u{0}ATVPDKIKX0DER\u{0}all\u{0}live\
                    \u{0}warning\u{0}raised\u{0}";
        let digest = Sha256::digest(text.as_bytes());
        // The same as `sha256sum` gives for these bytes.
        let expected = "bd526aa21ebb2b4247d311bcbf746ec3";
        assert_eq!(crate::wire::write::hex(&digest[..16]), expected);
        assert_eq!(alert_id(&warning(), ShardNo::new(3)), expected);
        let golden: Value = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(golden["alert_id"], expected);
    }

    #[test]
    fn absent_things_are_null_and_a_restriction_tells_its_cycle() {
        let mut alert = warning();
        alert.kind = AlertKind::RestrictionRisk;
        alert.state = AlertState::Cleared;
        alert.now = Counts::default();
        alert.has_rate = false;
        alert.covered_from = None;
        alert.recovers_on = None;
        alert.defects = Vec::new();
        alert.marketplace_id = "".into();
        alert.cycle =
            Some(CycleNote { from: Day::from_number(4), to: Day::from_number(10), streak: 0 });
        let text = value_of(&alert);
        for part in [
            "\"marketplace_id\":\"\",",
            "\"covered_from\":null,\"orders\":0,",
            "\"rate\":null,",
            "\"defects\":[],",
            "\"recovers_on\":null,",
            "\"cycle\":{\"from\":\"1970-01-05\",\"to\":\"1970-01-11\",\"streak\":0}}",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn the_headers_are_those_of_cloud_events_and_three_to_filter_by() {
        let headers: Vec<(String, String)> = headers(&warning(), ShardNo::new(3))
            .into_iter()
            .map(|(name, value)| (name, String::from_utf8(value.unwrap()).unwrap()))
            .collect();
        let id = alert_id(&warning(), ShardNo::new(3));
        let expected = [
            ("ce_specversion", "1.0"),
            ("ce_id", id.as_str()),
            ("ce_source", "/odrwatch/3"),
            ("ce_type", "io.odrwatch.alert.raised.v1"),
            ("ce_time", "2026-03-01T12:34:55.000Z"),
            ("ce_subject", "A2EXAMPLE\"SELLER"),
            ("content-type", "application/json"),
            ("kind", "warning"),
            ("state", "raised"),
            ("low_volume", "false"),
        ];
        let expected: Vec<_> = expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec();
        assert_eq!(headers, expected);
    }
}
