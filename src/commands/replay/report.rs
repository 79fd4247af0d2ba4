//! What a replay prints: tables for people, or one JSON object.
//!
//! The JSON holds values of the outputs in their own shapes: `at_risk` those of the status topic,
//! `latest_alerts` those of the alerts topic, `records` the content of `outcomes.json`.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::Table;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Replayed;
use crate::commands::show;
use crate::config::Config;
use crate::domain::effects::{AlertKind, AlertState, Standing, Status};
use crate::domain::event::{DeadReason, Outcome, Topic};
use crate::domain::policy::View;
use crate::pipeline::summary::Summary;
use crate::wire::time::{day, instant};
use crate::wire::{alert, status};

/// How many accounts at risk are shown; the JSON has them all.
const SHOWN_ACCOUNTS: usize = 20;

/// What is to be printed.
pub struct Report<'a> {
    pub config: &'a Config,
    pub replayed: &'a Replayed,
}

/// The JSON object.
#[derive(Serialize)]
struct Json<'a> {
    partitions: u32,
    boundary: Option<String>,
    accounts: usize,
    at_risk: Vec<Box<RawValue>>,
    alerts: BTreeMap<&'static str, AlertCounts>,
    latest_alerts: Vec<Box<RawValue>>,
    records: Box<RawValue>,
    skipped: &'a BTreeMap<String, u64>,
    skipped_others: u64,
}

#[derive(Serialize)]
struct AlertCounts {
    raised: u64,
    cleared: u64,
    ongoing: u64,
    up: u64,
}

impl Report<'_> {
    fn summary(&self) -> &Summary {
        &self.replayed.output.summary
    }

    /// The last boundary as a time.
    fn boundary(&self) -> Option<String> {
        let last = self.summary().last?;
        Some(instant(last.ms(self.config.engine.boundary)))
    }

    /// One JSON object, with a line end.
    pub fn json(&self) -> String {
        let summary = self.summary();
        let counts = AlertKind::ALL.map(|kind| {
            let of = |state: AlertState| summary.alerts[kind.index()][state.index()];
            let counts = AlertCounts {
                raised: of(AlertState::Raised),
                cleared: of(AlertState::Cleared),
                ongoing: of(AlertState::Ongoing),
                up: summary.up[kind.index()],
            };
            (kind.as_str(), counts)
        });
        let at_risk = summary.at_risk.iter().map(|account| {
            raw(|out| {
                status::write_value(account, out);
            })
        });
        let latest = summary.latest.iter();
        let latest = latest.map(|(shard, alert)| raw(|out| alert::write_value(alert, *shard, out)));
        let json = Json {
            partitions: self.replayed.partitions,
            boundary: self.boundary(),
            accounts: summary.accounts,
            at_risk: at_risk.collect(),
            alerts: BTreeMap::from(counts),
            latest_alerts: latest.collect(),
            records: raw(|out| out.extend(self.replayed.output.outcomes.trim_ascii_end())),
            skipped: &self.replayed.skipped.by_topic,
            skipped_others: self.replayed.skipped.others,
        };
        serde_json::to_string(&json).expect("its names are text and its values are JSON") + "\n"
    }

    /// Tables, one below the other.
    pub fn table(&self) -> String {
        let mut text = self.heading();
        self.accounts(&mut text);
        self.alerts(&mut text);
        self.records(&mut text);
        text
    }

    fn heading(&self) -> String {
        let policy = &self.config.policy;
        let accounts = i64::try_from(self.summary().accounts).unwrap_or(i64::MAX);
        let accounts = show::count(accounts, "account");
        let (days, zone) = (policy.window_days, policy.time_zone.name());
        match self.boundary() {
            Some(boundary) => {
                format!("As known at {boundary}: {accounts}, a window of {days} days ({zone})\n")
            }
            None if self.read() == 0 => self.nothing(),
            None => "No record had a time.\n".to_owned(),
        }
    }

    /// How many records of the input topics were read.
    fn read(&self) -> u64 {
        let output = &self.replayed.output;
        let counted: u64 = output.counts.by_topic.iter().flatten().sum();
        counted + output.pending.iter().sum::<u64>()
    }

    /// What there is to say where nothing was read.
    fn nothing(&self) -> String {
        let topics = Topic::ALL.map(|topic| self.config.kafka.topics.input(topic)).join(", ");
        if !self.replayed.is_from_files {
            return format!("0 records were read: the topics {topics} are empty.\n");
        }
        let skipped = &self.replayed.skipped;
        let others = skipped.by_topic.values().sum::<u64>() + skipped.others;
        let of_others = match others {
            0 => String::new(),
            others => format!("; {others} of other topics were skipped"),
        };
        format!(
            "0 records of the topics {topics} were read{of_others}. A file holds what `kcat -J` or \
             `rpk topic consume -f json` writes: a JSON object for each record, with its topic, \
             partition, offset, timestamp, key and value. Other names of topics: \
             --set kafka.topics.orders=NAME.\n"
        )
    }

    fn accounts(&self, text: &mut String) {
        let mut at_risk: Vec<(&Status, &Standing)> = Vec::new();
        for account in &self.summary().at_risk {
            at_risk.extend(account.standing.as_deref().map(|standing| (account, standing)));
        }
        // The highest rate first, compared without division; then by name.
        at_risk.sort_by(|(left, of_left), (right, of_right)| {
            let [one, other] = [of_left, of_right].map(|of| show::rate_of(of, View::Live));
            let product = |a: u32, b: u32| u64::from(a) * u64::from(b);
            product(other.defective, one.orders)
                .cmp(&product(one.defective, other.orders))
                .then_with(|| left.seller_id.cmp(&right.seller_id))
                .then_with(|| left.marketplace_id.cmp(&right.marketplace_id))
        });
        if at_risk.is_empty() {
            text.push_str("\nNo account is at risk.\n");
            return;
        }
        let header = ["account", "ODR", "official ODR", "headroom", "alerts up", "recovers on"];
        let mut table = show::table(&header, 1..3);
        for (account, standing) in at_risk.iter().take(SHOWN_ACCOUNTS) {
            let recovers_on = standing.recovers_on[View::Live.index()];
            table.add_row([
                show::account(&account.seller_id, &account.marketplace_id),
                show::rate(show::rate_of(standing, View::Live)),
                show::rate(show::rate_of(standing, View::Official)),
                show::headroom(standing),
                show::alerts_up(standing),
                recovers_on.map_or(String::new(), day),
            ]);
        }
        section(text, "Accounts at risk", &table);
        if at_risk.len() > SHOWN_ACCOUNTS {
            let more = at_risk.len() - SHOWN_ACCOUNTS;
            writeln!(text, " and {more} more").expect("a String takes all that is written to it");
        }
    }

    fn alerts(&self, text: &mut String) {
        let summary = self.summary();
        if summary.alert_count() == 0 {
            text.push_str("\nNo alerts.\n");
            return;
        }
        let mut table = show::table(&["kind", "raised", "cleared", "ongoing", "up now"], 1..5);
        for kind in AlertKind::ALL {
            let counts = summary.alerts[kind.index()].iter().chain([&summary.up[kind.index()]]);
            let name = kind.as_str().to_owned();
            table.add_row([name].into_iter().chain(counts.map(u64::to_string)));
        }
        section(text, "Alerts", &table);
        let mut table = show::table(&["at", "alert", "account", "ODR", "why"], 3..4);
        for (_, alert) in &summary.latest {
            table.add_row(show::alert_cells(alert));
        }
        section(text, "Latest alerts", &table);
    }

    fn records(&self, text: &mut String) {
        let output = &self.replayed.output;
        let names = Outcome::ALL.map(Outcome::as_str);
        let header: Vec<_> =
            ["topic", "read"].into_iter().chain(names).chain(["pending"]).collect();
        let mut table = show::table(&header, 1..header.len());
        for topic in Topic::ALL {
            let counts = output.counts.by_topic[topic.index()];
            let pending = output.pending[topic.index()];
            let read = counts.iter().sum::<u64>() + pending;
            let numbers = [read].into_iter().chain(counts).chain([pending]);
            let name = self.config.kafka.topics.input(topic).to_owned();
            table.add_row([name].into_iter().chain(numbers.map(|number| number.to_string())));
        }
        section(text, "Records", &table);
        let mut table = show::table(&["reason", "records"], 1..2);
        for reason in DeadReason::ALL {
            let count: u64 = output.counts.dead.iter().map(|dead| dead[reason.index()]).sum();
            if count > 0 {
                table.add_row([reason.as_str().to_owned(), count.to_string()]);
            }
        }
        if table.row_count() > 0 {
            section(text, "Dead letters", &table);
        }
    }
}

/// Appends a table below its title.
fn section(text: &mut String, title: &str, table: &Table) {
    write!(text, "\n{title}\n{}", show::lines(table))
        .expect("a String takes all that is written to it");
}

/// What is JSON already.
fn raw(write: impl FnOnce(&mut Vec<u8>)) -> Box<RawValue> {
    let mut out = Vec::new();
    write(&mut out);
    let text = String::from_utf8(out).expect("what is written is text");
    RawValue::from_string(text).expect("what is written is JSON")
}
