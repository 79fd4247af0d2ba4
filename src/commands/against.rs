//! `validate --against`: what a changed policy would have said in the last days.
//!
//! The topics are read once, up to their present ends, and given to two replays with the recorded
//! decisions: one with the policy in effect, one with the changed one. Two alerts are the same if
//! their `alert_id` is, which stands for the account, what is alerted, and the boundary. Nothing
//! is written anywhere.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::Path;

use serde::Deserialize;

use super::cluster::{failure_of_asking, settings_to_ask};
use super::exit::ExitCode;
use super::failure::Failure;
use super::replay::{self, Pace};
use super::show;
use crate::config::{self, Config};
use crate::domain::rate::Rate;
use crate::domain::shard::ShardConfig;
use crate::domain::time::DAY_MS;
use crate::kafka;
use crate::pipeline::replay::{Output, Replay, ReplayConfig};
use crate::wire::time::parse_instant;

/// How many alerts are shown that only one of the two says.
const SHOWN: usize = 20;

/// An alert, as far as it is shown.
#[derive(Debug, Deserialize)]
struct Said {
    alert_id: String,
    kind: String,
    state: String,
    seller_id: String,
    marketplace_id: String,
    scope: String,
    view: String,
    boundary: String,
    orders: u32,
    defective_orders: u32,
}

/// Compares the policy in effect with a changed one over the last days of the topics.
///
/// # Errors
/// 78 for a policy with mistakes, what the replays refuse, or what kept the cluster from
/// answering.
pub fn compare(config: &Config, path: &Path, days: u32) -> Result<String, Failure> {
    let changed =
        config::load_policy(path).map_err(|errors| Failure::new(ExitCode::Config, errors))?;
    let kafka = settings_to_ask(config);
    let partitions = kafka::input_partitions(&kafka).map_err(|error| failure_of_asking(&error))?;
    let decisions = replay::recorded(&kafka, config)?;
    let present = replay::replay_config(None, config, partitions);
    let other = ReplayConfig {
        shard: ShardConfig { policy: changed, ..present.shard.clone() },
        ..present.clone()
    };
    let mut replays = [present, other].map(|config| Replay::new(config, decisions.clone()));
    let mut pace = Pace::new("replaying records with both policies", None);
    let mut refused = None;
    kafka::read_inputs(&kafka, &mut |topic, partition, record| {
        pace.note(1);
        let pushed = replays.iter_mut().try_for_each(|replay| {
            replay.push(topic, partition, record.offset, record.timestamp_ms, record.value)
        });
        match pushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(replay::of_replay(error));
                ControlFlow::Break(())
            }
        }
    })
    .map_err(|error| failure_of_asking(&error))?;
    pace.finish();
    if let Some(failure) = refused {
        return Err(failure);
    }
    let [present, other] = replays.map(|replay| replay.finish().map_err(replay::of_replay));
    Ok(told(&present?, &other?, config.engine.boundary.ms(), days))
}

/// The alerts of the last days, by their ids.
fn lately(output: &Output, from_ms: i64) -> BTreeMap<String, Said> {
    let lines = output.alerts.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let said = lines.map(|line| -> Said {
        serde_json::from_slice(line).expect("the replay writes alerts of this form")
    });
    let is_late = |said: &Said| parse_instant(&said.boundary).is_some_and(|ms| ms >= from_ms);
    said.filter(is_late).map(|said| (said.alert_id.clone(), said)).collect()
}

fn told(present: &Output, changed: &Output, length_ms: i64, days: u32) -> String {
    let Some(last) = present.summary.last.max(changed.summary.last) else {
        return "The topics have no record, so there is nothing to compare.\n".to_owned();
    };
    let from_ms = last.number() * length_ms - i64::from(days) * DAY_MS;
    let (before, after) = (lately(present, from_ms), lately(changed, from_ms));
    let new: Vec<&Said> =
        after.iter().filter(|(id, _)| !before.contains_key(*id)).map(|(_, said)| said).collect();
    let gone: Vec<&Said> =
        before.iter().filter(|(id, _)| !after.contains_key(*id)).map(|(_, said)| said).collect();
    let mut text = format!(
        "Of the last {}: {} with the policy in effect, {} with the changed one, {} the same.\n",
        show::count(i64::from(days), "day"),
        show::count(i64::try_from(before.len()).unwrap_or(i64::MAX), "alert"),
        after.len(),
        after.len() - new.len()
    );
    section(&mut text, "Only with the changed policy", new);
    section(&mut text, "Only with the policy in effect", gone);
    text
}

fn section(text: &mut String, title: &str, mut alerts: Vec<&Said>) {
    if alerts.is_empty() {
        return;
    }
    alerts.sort_by_key(|said| (&said.boundary, &said.seller_id, &said.alert_id));
    let mut table = show::table(&["at", "alert", "account", "ODR"], 3..4);
    let first = alerts.len().saturating_sub(SHOWN);
    for said in &alerts[first..] {
        let rate = Rate { defective: said.defective_orders, orders: said.orders };
        let over = match (&*said.scope, &*said.view) {
            ("all", "live") => String::new(),
            (scope, view) => format!(" ({scope} {view})"),
        };
        table.add_row([
            said.boundary.clone(),
            format!("{} {}{over}", said.kind, said.state),
            show::account(&said.seller_id, &said.marketplace_id),
            show::rate(rate),
        ]);
    }
    let written = if first > 0 {
        write!(text, "\n{title} (the latest {SHOWN} of {})\n{}", alerts.len(), show::lines(&table))
    } else {
        write!(text, "\n{title}\n{}", show::lines(&table))
    };
    written.expect("a String takes all that is written to it");
}
