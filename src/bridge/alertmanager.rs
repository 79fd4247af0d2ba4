//! An Alertmanager's messages: alerts in the words of its API v2, those that are up repeatedly.
//!
//! An Alertmanager forgets an alert that nobody repeats, and all of them when it restarts. So every
//! alert that is up is repeated, with an end that is far enough away to outlive an outage of
//! odrwatch; what clears an alert is what was committed, and nothing else. What is up is known from
//! the topic, which is read from its beginning when a partition is opened.
//!
//! Invariant: the labels of an alert depend on its account, kind, scope and view only, so that what
//! raises, repeats and clears it is one alert there.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

use super::courier::Message;
use crate::domain::ids::ShardNo;
use crate::pipeline::alert_log::StoredAlert;
use crate::wire::time::{instant, parse_instant};

/// The path of the API below the address of an Alertmanager.
pub const PATH: &str = "/api/v2/alerts";

/// How long an alert lasts that is not repeated: an outage of odrwatch resolves nothing before.
const OUTLIVES_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Alerts in one message.
const AT_ONCE: usize = 100;

/// The members of an alert's value that are told on.
#[derive(Debug, Deserialize)]
struct Told {
    alert_id: String,
    kind: String,
    state: String,
    seller_id: String,
    marketplace_id: String,
    scope: String,
    view: String,
    boundary: String,
    orders: u64,
    defective_orders: u64,
    before: Pair,
    change: Change,
    headroom: Headroom,
    recovers_on: Option<String>,
    cycle: Option<Cycle>,
}

#[derive(Debug, Deserialize)]
struct Pair {
    orders: u64,
    defective_orders: u64,
}

#[derive(Debug, Deserialize)]
struct Change {
    defective_added: i64,
    orders_expired: i64,
}

#[derive(Debug, Deserialize)]
struct Headroom {
    orders_needed: u64,
}

#[derive(Debug, Deserialize)]
struct Cycle {
    streak: u32,
}

/// One alert as an Alertmanager takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: String,
    ends_at: String,
}

type Labels = BTreeMap<&'static str, String>;

/// The alerts that are up, as far as the topic was read.
#[derive(Debug, Default)]
pub(super) struct Active {
    up: BTreeMap<(ShardNo, Labels), Posted>,
}

/// Why an alert cannot be told on: its value is none that this program knows.
#[derive(Debug, thiserror::Error)]
#[error("the alert cannot be read: {0}")]
pub(super) struct Unreadable(String);

/// Who sends, as the labels say it.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The consumer group of odrwatch.
    pub group: String,
    /// This process in it.
    pub instance: String,
}

impl Active {
    /// The message of one alert, from what is known of those before it.
    pub fn message(
        &self,
        alert: &StoredAlert,
        sender: &Sender,
        id: String,
        now_ms: i64,
    ) -> Result<Message, Unreadable> {
        let (told, labels) = read(alert, sender)?;
        let posted = self.posted(alert.shard, &told, labels, now_ms);
        Ok(message(id, &[posted]))
    }

    /// Notes an alert that was delivered, now or earlier.
    pub fn note(&mut self, alert: &StoredAlert, sender: &Sender) {
        let Ok((told, labels)) = read(alert, sender) else { return };
        if told.state == "cleared" {
            self.up.remove(&(alert.shard, labels));
        } else {
            let posted = self.posted(alert.shard, &told, labels.clone(), 0);
            self.up.insert((alert.shard, labels), posted);
        }
    }

    /// Forgets what is of none of these partitions.
    pub fn keep(&mut self, shards: &std::collections::BTreeSet<ShardNo>) {
        self.up.retain(|(shard, _), _| shards.contains(shard));
    }

    /// How many alerts are up.
    pub fn count(&self) -> usize {
        self.up.len()
    }

    /// Everything that is up, again; with a heartbeat that lasts so long, if one is wanted.
    pub fn repetitions(
        &self,
        sender: &Sender,
        heartbeat_ms: Option<i64>,
        now_ms: i64,
    ) -> Vec<Message> {
        let again = self.up.values().map(|posted| Posted {
            ends_at: instant(now_ms.saturating_add(OUTLIVES_MS)),
            ..posted.clone()
        });
        let heartbeat = heartbeat_ms.map(|lasts_ms| heartbeat(sender, now_ms, lasts_ms));
        let all: Vec<Posted> = heartbeat.into_iter().chain(again).collect();
        let messages = all.chunks(AT_ONCE).enumerate();
        messages.map(|(number, part)| message(format!("repeat-{now_ms}-{number}"), part)).collect()
    }

    fn posted(&self, shard: ShardNo, told: &Told, labels: Labels, now_ms: i64) -> Posted {
        let before = self.up.get(&(shard, labels.clone()));
        // What goes on or ends keeps the time at which it began.
        let starts_at = match (before, told.state.as_str()) {
            (Some(before), "cleared" | "ongoing") => before.starts_at.clone(),
            _ => told.boundary.clone(),
        };
        let ends_at = if told.state == "cleared" {
            told.boundary.clone()
        } else {
            instant(now_ms.saturating_add(OUTLIVES_MS))
        };
        let annotations = BTreeMap::from([
            ("summary", summary(told)),
            ("description", description(told)),
            ("alert_id", told.alert_id.clone()),
        ]);
        Posted { labels, annotations, starts_at, ends_at }
    }
}

fn read(alert: &StoredAlert, sender: &Sender) -> Result<(Told, Labels), Unreadable> {
    let told: Told =
        serde_json::from_slice(&alert.value).map_err(|error| Unreadable(error.to_string()))?;
    if parse_instant(&told.boundary).is_none() {
        return Err(Unreadable("its boundary is no instant".to_owned()));
    }
    let (name, severity) = match told.kind.as_str() {
        "warning" => ("OrderDefectRateWarning", "warning"),
        "critical" => ("OrderDefectRateCritical", "critical"),
        "restriction_risk" => ("OrderDefectRateRestrictionRisk", "critical"),
        other => return Err(Unreadable(format!("a kind that is not known: {other}"))),
    };
    let labels = BTreeMap::from([
        ("alertname", name.to_owned()),
        ("severity", severity.to_owned()),
        ("service", "odrwatch".to_owned()),
        ("group", sender.group.clone()),
        ("kind", told.kind.clone()),
        ("seller_id", told.seller_id.clone()),
        ("marketplace_id", told.marketplace_id.clone()),
        ("scope", told.scope.clone()),
        ("view", told.view.clone()),
    ]);
    Ok((told, labels))
}

fn message(id: String, alerts: &[Posted]) -> Message {
    let body = serde_json::to_vec(alerts).expect("texts are JSON");
    Message { id, body: Bytes::from(body), headers: Vec::new() }
}

/// An alert that is always up while this process sends: whoever misses it knows that nothing comes.
fn heartbeat(sender: &Sender, now_ms: i64, lasts_ms: i64) -> Posted {
    let labels = BTreeMap::from([
        ("alertname", "OdrwatchHeartbeat".to_owned()),
        ("severity", "none".to_owned()),
        ("service", "odrwatch".to_owned()),
        ("group", sender.group.clone()),
        ("instance", sender.instance.clone()),
    ]);
    let summary = "odrwatch sends its alerts here. This one is always up; act when it is not.";
    let annotations = BTreeMap::from([("summary", summary.to_owned())]);
    let ends_at = instant(now_ms.saturating_add(lasts_ms));
    Posted { labels, annotations, starts_at: instant(now_ms), ends_at }
}

/// A rate as a percentage with two decimals, cut.
fn percent(defective: u64, orders: u64) -> String {
    if orders == 0 {
        return "no rate".to_owned();
    }
    let hundredths = u128::from(defective) * 10_000 / u128::from(orders);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn summary(told: &Told) -> String {
    let place = match told.marketplace_id.as_str() {
        "" => String::new(),
        name => format!(" in {name}"),
    };
    let rate = percent(told.defective_orders, told.orders);
    let (defective, orders) = (told.defective_orders, told.orders);
    let what = match told.state.as_str() {
        "cleared" => "cleared",
        "ongoing" => "goes on",
        _ => "raised",
    };
    let seller = &told.seller_id;
    let kind = told.kind.replace('_', " ");
    format!("{kind} {what}: seller {seller}{place} has {rate} ({defective} of {orders} orders).")
}

fn description(told: &Told) -> String {
    let before = percent(told.before.defective_orders, told.before.orders);
    let mut text = format!("Before: {before}.");
    if told.change.defective_added > 0 {
        text.push_str(&format!(" Defective orders that came: {}.", told.change.defective_added));
    }
    if told.change.orders_expired > 0 {
        text.push_str(&format!(" Orders that left: {}.", told.change.orders_expired));
    }
    if told.headroom.orders_needed > 0 {
        let needed = told.headroom.orders_needed;
        text.push_str(&format!(" Orders without a defect that would bring it back: {needed}."));
    }
    if let Some(day) = &told.recovers_on {
        text.push_str(&format!(" By itself it recovers on {day}."));
    }
    if let Some(cycle) = &told.cycle {
        text.push_str(&format!(" Bad cycles in a row: {}.", cycle.streak));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Offset;

    const GOLDEN: &str = include_str!("../../tests/golden/alert.json");
    const NOW_MS: i64 = 1_772_368_500_000;

    fn alert(state: &str, boundary: &str) -> StoredAlert {
        let value =
            GOLDEN.trim_end().replace("\"state\":\"raised\"", &format!("\"state\":\"{state}\""));
        let value = value.replace("2026-03-01T12:34:55.000Z", boundary);
        StoredAlert {
            shard: ShardNo::new(3),
            offset: Offset::new(17),
            key: Vec::new(),
            value: value.into_bytes(),
            headers: Vec::new(),
        }
    }

    fn sender() -> Sender {
        Sender { group: "odrwatch".to_owned(), instance: "odr-0".to_owned() }
    }

    fn posted(active: &Active, alert: &StoredAlert) -> serde_json::Value {
        let message = active.message(alert, &sender(), "id".to_owned(), NOW_MS).unwrap();
        let mut all: Vec<serde_json::Value> = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(all.len(), 1);
        all.swap_remove(0)
    }

    #[test]
    fn an_alert_says_who_what_and_since_when() {
        let found = posted(&Active::default(), &alert("raised", "2026-03-01T12:34:55.000Z"));
        assert_eq!(found["labels"]["alertname"], "OrderDefectRateWarning");
        assert_eq!(found["labels"]["seller_id"], "A2EXAMPLE\"SELLER");
        assert_eq!(found["labels"]["scope"], "all");
        assert_eq!(found["startsAt"], "2026-03-01T12:34:55.000Z");
        assert_eq!(found["endsAt"], "2026-03-08T12:35:00.000Z");
        assert_eq!(
            found["annotations"]["summary"],
            "warning raised: seller A2EXAMPLE\"SELLER in ATVPDKIKX0DER has 1.25 % (3 of 240 \
             orders)."
        );
        assert_eq!(
            found["annotations"]["description"],
            "Before: 0.82 %. Defective orders that came: 1. Orders that left: 6. Orders without a \
             defect that would bring it back: 60. By itself it recovers on 2026-03-13."
        );
    }

    #[test]
    fn what_clears_an_alert_is_the_same_alert_with_an_end() {
        let mut active = Active::default();
        let raised = alert("raised", "2026-03-01T12:34:55.000Z");
        active.note(&raised, &sender());
        assert_eq!(active.count(), 1);
        let cleared = alert("cleared", "2026-03-02T00:00:00.000Z");
        let found = posted(&active, &cleared);
        assert_eq!(found["labels"], posted(&active, &raised)["labels"]);
        assert_eq!(found["startsAt"], "2026-03-01T12:34:55.000Z");
        assert_eq!(found["endsAt"], "2026-03-02T00:00:00.000Z");
        active.note(&cleared, &sender());
        assert_eq!(active.count(), 0);
        // Its beginning may be gone from the topic.
        assert_eq!(posted(&active, &cleared)["startsAt"], "2026-03-02T00:00:00.000Z");
    }

    #[test]
    fn what_is_up_is_repeated_with_a_heartbeat_and_forgotten_with_its_partition() {
        let mut active = Active::default();
        active.note(&alert("raised", "2026-03-01T12:34:55.000Z"), &sender());
        let messages = active.repetitions(&sender(), Some(300_000), NOW_MS);
        assert_eq!(messages.len(), 1);
        let all: Vec<serde_json::Value> = serde_json::from_slice(&messages[0].body).unwrap();
        assert_eq!(all[0]["labels"]["alertname"], "OdrwatchHeartbeat");
        assert_eq!(all[0]["endsAt"], "2026-03-01T12:40:00.000Z");
        assert_eq!(all[1]["startsAt"], "2026-03-01T12:34:55.000Z");
        assert_eq!(all[1]["endsAt"], "2026-03-08T12:35:00.000Z");
        active.keep(&[ShardNo::new(3)].into());
        assert_eq!(active.count(), 1);
        active.keep(&[ShardNo::new(4)].into());
        assert!(active.repetitions(&sender(), None, NOW_MS).is_empty());
    }

    #[test]
    fn what_is_no_alert_is_told_and_not_guessed() {
        let mut strange = alert("raised", "2026-03-01T12:34:55.000Z");
        strange.value = b"{\"kind\":\"warning\"}".to_vec();
        let active = Active::default();
        assert!(active.message(&strange, &sender(), "id".to_owned(), NOW_MS).is_err());
    }
}
