//! Records of the status topic: an account's standing in the shape of Amazon's account-health
//! report (`GET_V2_SELLER_PERFORMANCE_REPORT`), for both views.
//!
//! Invariants: a rate is GOOD only strictly below the target (exactly 1 % is not); without a rate
//! the status is NONE and the rate 0, because the report has no null there. Components carry the
//! status NONE, as in the report. The target is Amazon's and no key of the policy.

use crate::domain::effects::{Counts, Standing, Status};
use crate::domain::event::Channel;
use crate::domain::policy::View;
use crate::domain::time::Day;

use super::write::{Object, object};

/// The key of an account's records: the seller, and `|` and the marketplace where one is stated.
#[must_use]
pub fn key(seller_id: &str, marketplace_id: &str) -> Vec<u8> {
    let mut key = seller_id.as_bytes().to_vec();
    if !marketplace_id.is_empty() {
        key.push(b'|');
        key.extend_from_slice(marketplace_id.as_bytes());
    }
    key
}

/// Appends the value of an account's record; `false`, with nothing written, where the account is
/// forgotten and its record is a tombstone.
pub fn write_value(status: &Status, out: &mut Vec<u8>) -> bool {
    let Some(standing) = &status.standing else {
        return false;
    };
    object(out, |value| {
        value.text("seller_id", &status.seller_id);
        value.text("marketplace_id", &status.marketplace_id);
        value.day("as_of", standing.as_of);
        value.instant("boundary", standing.boundary_ms);
        value.object("views", |views| {
            for view in View::ALL {
                views.object(view.as_str(), |members| write_view(standing, view, members));
            }
        });
        value.objects("active", &standing.active, |item, (kind, scope, view)| {
            item.text("kind", kind.as_str());
            item.text("scope", scope.as_str());
            item.text("view", view.as_str());
        });
        value.objects("streaks", &standing.streaks, |item, (scope, view, streak)| {
            item.text("scope", scope.as_str());
            item.text("view", view.as_str());
            item.integer("streak", *streak);
        });
    });
    true
}

fn write_view(standing: &Standing, view: View, members: &mut Object<'_>) {
    let place = view.index();
    members.object("orderDefectRate", |rates| {
        for channel in Channel::ALL {
            let figures = Figures {
                days: standing.windows[place],
                counts: &standing.counts[place][channel.index()],
                min_orders: standing.min_orders,
                channel,
            };
            rates.object(channel.as_str(), |block| write_block(&figures, block));
        }
    });
    members.headroom(standing.headroom[place]);
    members.optional_day("recovers_on", standing.recovers_on[place]);
}

/// What one `orderDefectRate` block is about. Days are those of the policy's zone.
pub(super) struct Figures<'a> {
    /// First and last day.
    pub days: (Day, Day),
    /// What was counted in them.
    pub counts: &'a Counts,
    /// With fewer orders there is no rate.
    pub min_orders: u32,
    /// Over which orders.
    pub channel: Channel,
}

impl Figures<'_> {
    fn has_rate(&self) -> bool {
        self.counts.orders >= self.min_orders
    }

    /// The rate in millionths, cut; 0 if there is none.
    fn rate(&self) -> u64 {
        self.counts.rate().millionths().filter(|_| self.has_rate()).unwrap_or(0)
    }
}

/// One `orderDefectRate` block.
pub(super) fn write_block(figures: &Figures<'_>, block: &mut Object<'_>) {
    let (from, to) = figures.days;
    let counts = figures.counts;
    block.object("reportingDateRange", |range| {
        range.minute("reportingDateFrom", from, "00:00");
        range.minute("reportingDateTo", to, "23:59");
    });
    block.integer("orderCount", counts.orders);
    let [feedback, claims, chargebacks] = counts.by_kind;
    write_component("orderWithDefects", counts.defective, block);
    write_component("claims", claims, block);
    write_component("chargebacks", chargebacks, block);
    write_component("negativeFeedback", feedback, block);
    block.text("fulfillmentType", figures.channel.as_str());
    block.text("status", standing_of(counts, figures.has_rate()));
    block.millionths("rate", Some(figures.rate()));
    block.verbatim("targetValue", "0.01");
    block.text("targetCondition", "LESS_THAN");
}

fn write_component(name: &'static str, count: u32, block: &mut Object<'_>) {
    block.object(name, |members| {
        members.integer("count", count);
        members.text("status", "NONE");
    });
}

/// GOOD strictly below 1 %, else BAD; NONE without a rate.
fn standing_of(counts: &Counts, has_rate: bool) -> &'static str {
    if !has_rate {
        "NONE"
    } else if u64::from(counts.defective) * 100 < u64::from(counts.orders) {
        "GOOD"
    } else {
        "BAD"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::effects::AlertKind;
    use crate::domain::policy::{Policy, Scope};

    fn counts(orders: u32, defective: u32) -> Counts {
        Counts { orders, defective, provisional_only: 0, by_kind: [defective, 1, 0] }
    }

    fn status(mfn: Counts) -> Status {
        let policy = Policy::default();
        let as_of = Day::from_number(20_513);
        Status {
            seller_id: "S".into(),
            marketplace_id: "M".into(),
            standing: Some(Box::new(Standing {
                boundary_ms: 1_772_368_495_000,
                as_of,
                min_orders: 1,
                windows: View::ALL.map(|view| policy.view_days(view, as_of)),
                counts: [[mfn, counts(0, 0)], [counts(50, 0), counts(1, 1)]],
                headroom: [mfn.rate().headroom(100, 1), counts(51, 1).rate().headroom(100, 1)],
                recovers_on: [Some(as_of.plus(3)), None],
                active: vec![(AlertKind::Warning, Scope::All, View::Live)],
                streaks: vec![(Scope::All, View::Live, 2)],
            })),
        }
    }

    fn written(status: &Status) -> Value {
        let mut out = Vec::new();
        assert!(write_value(status, &mut out));
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn exactly_one_percent_is_not_good() {
        for (mfn, standing) in [((200, 1), "GOOD"), ((200, 2), "BAD"), ((0, 0), "NONE")] {
            let value = written(&status(counts(mfn.0, mfn.1)));
            let block = &value["views"]["live"]["orderDefectRate"]["mfn"];
            assert_eq!(block["status"], standing);
        }
    }

    #[test]
    fn the_value_has_the_shape_of_the_report() {
        let value = written(&status(counts(200, 3)));
        let block = json!({
            "reportingDateRange": {
                "reportingDateFrom": "2026-01-01T00:00Z",
                "reportingDateTo": "2026-03-01T23:59Z"
            },
            "orderCount": 200,
            "orderWithDefects": {"count": 3, "status": "NONE"},
            "claims": {"count": 1, "status": "NONE"},
            "chargebacks": {"count": 0, "status": "NONE"},
            "negativeFeedback": {"count": 3, "status": "NONE"},
            "fulfillmentType": "mfn",
            "status": "BAD",
            "rate": 0.015,
            "targetValue": 0.01,
            "targetCondition": "LESS_THAN"
        });
        let live = &value["views"]["live"];
        assert_eq!(live["orderDefectRate"]["mfn"], block);
        let none = &live["orderDefectRate"]["afn"];
        assert_eq!((&none["rate"], &none["status"]), (&json!(0.0), &json!("NONE")));
        assert_eq!(live["headroom"], json!({"defects_left": 0, "orders_needed": 100}));
        assert_eq!(live["recovers_on"], "2026-03-04");
        let official = &value["views"]["official"]["orderDefectRate"]["afn"];
        assert_eq!(official["reportingDateRange"]["reportingDateTo"], "2026-02-14T23:59Z");
        assert_eq!(official["fulfillmentType"], "afn");
        assert_eq!(value["active"], json!([{"kind": "warning", "scope": "all", "view": "live"}]));
        assert_eq!(value["streaks"], json!([{"scope": "all", "view": "live", "streak": 2}]));
        assert_eq!(value["boundary"], "2026-03-01T12:34:55.000Z");
    }

    #[test]
    fn a_forgotten_account_has_a_tombstone() {
        let mut forgotten = status(counts(1, 0));
        forgotten.standing = None;
        let mut out = Vec::new();
        assert!(!write_value(&forgotten, &mut out));
        assert!(out.is_empty());
    }

    #[test]
    fn the_key_names_the_marketplace_where_there_is_one() {
        assert_eq!(key("S", ""), b"S");
        assert_eq!(key("S", "M"), b"S|M");
    }
}
