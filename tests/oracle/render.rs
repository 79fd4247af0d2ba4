//! Owns the texts of a replay's files: alerts, totals, dead letters and outcomes.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::alerts::{Headroom, ListedDefect, Moment};
use super::count::{Account, Scope, Totals, View};
use super::decode::{Dead, TOPICS};
use super::levels::{AlertKind, AlertState, Limit, Notice, has_rate};
use super::shard::End;
use super::state::Outcome;
use super::times::{Day, date_text, instant_text};

/// What the alerts of one boundary have in common.
pub struct Header {
    pub shard: u32,
    pub boundary_ms: i64,
    pub initial: bool,
    pub covered_from: Option<Day>,
    pub last_cycle: Option<(Day, Day)>,
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}

fn quoted_or_null(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), quoted)
}

fn day_or_null(day: Option<Day>) -> String {
    day.map_or("null".to_owned(), |day| quoted(&date_text(day)))
}

/// A ratio with six decimals, cut off.
fn six_decimals(numerator: u64, denominator: u64) -> String {
    let millionths = numerator * 1_000_000 / denominator;
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

fn pair(totals: &Totals) -> String {
    format!(r#"{{"orders":{},"defective_orders":{}}}"#, totals.orders, totals.defective)
}

fn by_kind(totals: &Totals) -> String {
    format!(
        r#"{{"negative_feedback":{},"claim":{},"chargeback":{}}}"#,
        totals.negative_feedback, totals.claim, totals.chargeback
    )
}

fn alert_id(header: &Header, notice: &Notice) -> String {
    let ((seller, marketplace), scope, view) = &notice.place;
    let mut hash = Sha256::new();
    for text in [
        header.shard.to_string().as_str(),
        header.boundary_ms.to_string().as_str(),
        seller,
        marketplace,
        scope.name(),
        view.name(),
        notice.kind.name(),
        notice.state.name(),
    ] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    let mut id = String::new();
    for byte in hash.finalize().iter().take(16) {
        write!(id, "{byte:02x}").expect("writing to a string");
    }
    id
}

fn defects(listed: &[ListedDefect]) -> String {
    let items: Vec<String> = listed
        .iter()
        .map(|defect| {
            format!(
                r#"{{"order_id":{},"kind":"{}","ref":{},"new":{}}}"#,
                quoted(&defect.order_id),
                defect.kind.name(),
                quoted_or_null(defect.reference.as_deref()),
                defect.is_new
            )
        })
        .collect();
    format!("[{}]", items.join(","))
}

fn cycle(header: &Header, notice: &Notice) -> String {
    match (notice.streak, header.last_cycle) {
        (Some(streak), Some((from, to))) => format!(
            r#"{{"from":"{}","to":"{}","streak":{streak}}}"#,
            date_text(from),
            date_text(to)
        ),
        _ => "null".to_owned(),
    }
}

/// A line of `alerts.jsonl`.
pub fn alert_line(header: &Header, moment: &Moment, notice: &Notice, seq: u64) -> String {
    let (account, scope, view) = &notice.place;
    let policy = moment.policy;
    let limit = Limit::of(policy, notice.kind);
    let now = moment.totals_now(account, *scope, *view);
    let (from, to) = view.days(policy, moment.day);
    let change = moment.change(&notice.place);
    let headroom = Headroom::of(limit, &now);
    let rate = if has_rate(policy.min_orders, &now) {
        six_decimals(now.defective, now.orders)
    } else {
        "null".to_owned()
    };
    let recovers_on = (notice.state != AlertState::Cleared)
        .then(|| moment.recovers_on(&notice.place, notice.kind));
    let members = [
        ("alert_id", quoted(&alert_id(header, notice))),
        ("seq", seq.to_string()),
        ("kind", quoted(notice.kind.name())),
        ("state", quoted(notice.state.name())),
        ("initial", header.initial.to_string()),
        ("seller_id", quoted(&account.0)),
        ("marketplace_id", quoted(&account.1)),
        ("scope", quoted(scope.name())),
        ("view", quoted(view.name())),
        ("boundary", quoted(&instant_text(header.boundary_ms))),
        ("as_of", quoted(&date_text(moment.day))),
        ("window", format!(r#"{{"from":"{}","to":"{}"}}"#, date_text(from), date_text(to))),
        ("covered_from", day_or_null(header.covered_from)),
        ("orders", now.orders.to_string()),
        ("defective_orders", now.defective.to_string()),
        ("provisional_only", now.provisional_only.to_string()),
        ("rate", rate),
        ("threshold", six_decimals(limit.bp, 10_000)),
        ("by_kind", by_kind(&now)),
        ("mfn", pair(&moment.totals_now(account, Scope::Mfn, *view))),
        ("afn", pair(&moment.totals_now(account, Scope::Afn, *view))),
        ("official", pair(&moment.totals_now(account, *scope, View::Official))),
        ("before", pair(&moment.totals_before(&notice.place))),
        (
            "change",
            format!(
                r#"{{"orders_added":{},"orders_expired":{},"defective_added":{},"#,
                change.orders_added, change.orders_expired, change.defective_added
            ) + &format!(
                r#""defective_reversed":{},"defective_expired":{}}}"#,
                change.defective_reversed, change.defective_expired
            ),
        ),
        ("defects", defects(&moment.defects(&notice.place))),
        (
            "headroom",
            format!(
                r#"{{"defects_left":{},"orders_needed":{}}}"#,
                headroom.defects_left, headroom.orders_needed
            ),
        ),
        ("low_volume", (now.orders * limit.bp < 10_000).to_string()),
        ("recovers_on", day_or_null(recovers_on)),
        ("cycle", cycle(header, notice)),
    ];
    debug_assert!((notice.kind == AlertKind::RestrictionRisk) == notice.streak.is_some());
    object(&members)
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
    format!("{{{}}}", members.join(","))
}

/// A line of `totals.jsonl`.
pub fn totals_line(
    account: &Account,
    scope: Scope,
    view: View,
    as_of: Day,
    totals: &Totals,
) -> String {
    object(&[
        ("seller_id", quoted(&account.0)),
        ("marketplace_id", quoted(&account.1)),
        ("scope", quoted(scope.name())),
        ("view", quoted(view.name())),
        ("as_of", quoted(&date_text(as_of))),
        ("orders", totals.orders.to_string()),
        ("defective_orders", totals.defective.to_string()),
        ("provisional_only", totals.provisional_only.to_string()),
        ("by_kind", by_kind(totals)),
    ])
}

/// The lines of `dead.jsonl`, of ends in their order.
pub fn dead_lines(ends: &[End]) -> Vec<String> {
    let mut lines = Vec::new();
    for end in ends {
        if let Outcome::Dead(reason) = end.outcome {
            lines.push(object(&[
                ("topic", quoted(TOPICS[end.topic])),
                ("partition", end.partition.to_string()),
                ("offset", end.offset.to_string()),
                ("code", quoted(reason.name())),
            ]));
        }
    }
    lines
}

/// The names of the outcomes, in the order of the file.
const OUTCOMES: [&str; 7] =
    ["applied", "duplicate", "superseded", "expired", "tombstone", "dead", "pending"];

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Applied => "applied",
        Outcome::Duplicate => "duplicate",
        Outcome::Superseded => "superseded",
        Outcome::Expired => "expired",
        Outcome::Tombstone => "tombstone",
        Outcome::Dead(_) => "dead",
        Outcome::Pending => "pending",
    }
}

/// An object of the counts that are not zero.
fn counts<'a>(names: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    let mut text = String::from("{");
    for (name, count) in names {
        if count > 0 {
            let comma = if text.len() > 1 { "," } else { "" };
            write!(text, r#"{comma}"{name}":{count}"#).expect("writing to a string");
        }
    }
    text + "}"
}

/// The content of `outcomes.json`.
pub fn outcomes(ends: &[End]) -> String {
    let mut topics = Vec::new();
    for (topic, name) in TOPICS.iter().enumerate() {
        let of_topic = counts(OUTCOMES.map(|outcome| {
            let is_it = |end: &&End| end.topic == topic && outcome_name(end.outcome) == outcome;
            (outcome, ends.iter().filter(is_it).count())
        }));
        topics.push((*name, of_topic));
    }
    let dead = counts(Dead::ALL.map(|reason| {
        let is_it = |end: &&End| end.outcome == Outcome::Dead(reason);
        (reason.name(), ends.iter().filter(is_it).count())
    }));
    object(&[("read", ends.len().to_string()), ("outcomes", object(&topics)), ("dead", dead)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_cut_to_six_decimals() {
        assert_eq!(six_decimals(1, 96), "0.010416");
        assert_eq!(six_decimals(100, 10_000), "0.010000");
        assert_eq!(six_decimals(2, 3), "0.666666");
        assert_eq!(six_decimals(7, 7), "1.000000");
    }

    #[test]
    fn outcomes_leave_out_zeros_and_name_each_topic() {
        let end = |topic, outcome| End { topic, partition: 0, offset: 0, outcome };
        let ends = [
            end(0, Outcome::Dead(Dead::BadTime)),
            end(0, Outcome::Applied),
            end(0, Outcome::Applied),
            end(2, Outcome::Pending),
            end(2, Outcome::Dead(Dead::Parse)),
        ];
        assert_eq!(
            outcomes(&ends),
            concat!(
                r#"{"read":5,"outcomes":{"orders":{"applied":2,"dead":1},"feedback":{},"#,
                r#""claims":{"dead":1,"pending":1},"chargebacks":{}},"#,
                r#""dead":{"parse":1,"bad_time":1}}"#
            )
        );
        assert!(outcomes(&[]).ends_with(r#""dead":{}}"#));
    }
}
