//! The demo's screen: what the market is, what its history brought, who is at risk, each alert.
//!
//! ```text
//!   introduction ─> (history is computed) ─> summary ─> table ─> alerts as they are committed,
//!                                                        ^ about every 10 s, when it changed
//! ```
//!
//! Invariants: alerts are told from what was committed to their topic; rates are told as the
//! workers wrote them down after a commit; whoever stops reading ends the demo in good order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::alert::{AlertValue, Counts, Kind, State};
use super::link::Tail;
use super::names::Names;
use super::out::{Colour, Out};
use super::stage::{History, Stage};
use super::{table, words};
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::commands::service::{Clock, Shutdown};
use crate::commands::show::count;
use crate::domain::effects::{Standing, Status};
use crate::domain::ids::ShardNo;
use crate::domain::policy::Policy;
use crate::pipeline::board::Board;
use crate::sim::story::Role;
use crate::wire::time::instant;

/// How often there is a look for something new.
const TICK: Duration = Duration::from_millis(100);

/// How often the table is told again, if it changed, in ms.
const TABLE_MS: i64 = 10_000;

/// How far the lines of an alert after its first are set to the right.
const INDENT: usize = 10;

/// The screen's thread.
#[derive(Debug)]
pub struct Screen {
    pub out: Out,
    pub tail: Tail,
    pub board: Arc<Board>,
    pub stage: Arc<Stage>,
    pub names: Names,
    pub policy: Policy,
    /// How long to go on after the history.
    pub stop_after: Option<Duration>,
    pub clock: Clock,
}

/// What has been told of the live market.
#[derive(Debug, Default)]
struct Told {
    since_ms: i64,
    alerts: i64,
    table: String,
    table_ms: i64,
    /// Whether the last line was an empty one.
    is_spaced: bool,
}

impl Screen {
    /// Runs until it is told to stop, the time is over, or nobody reads any more.
    pub fn run(mut self, shutdown: &Shutdown) -> Result<(), Failure> {
        let Some((history, alerts)) = self.wait_for_history(shutdown)? else { return Ok(()) };
        let mut told = Told { since_ms: self.clock.now().mono_ms, ..Told::default() };
        let (past, live): (Vec<_>, Vec<_>) = alerts.into_iter().partition(|(shard, alert)| {
            history.last_seq.get(shard).is_some_and(|last| alert.seq <= *last)
        });
        let text = self.summary(&history, &past) + &self.table_if_new(&mut told);
        self.out.write(&text)?;
        self.tell(live, &mut told)?;
        loop {
            std::thread::sleep(TICK);
            self.turn(&mut told)?;
            if self.out.is_gone() || self.is_over(&told) {
                shutdown.ask();
                break;
            }
            if shutdown.is_asked() {
                // A terminal has shown the keys that were pressed.
                told.is_spaced = false;
                break;
            }
        }
        self.out.write(&self.farewell(&told))
    }

    /// Gathers the alerts of the history until they are all there.
    fn wait_for_history(&mut self, shutdown: &Shutdown) -> Result<Option<Gathered>, Failure> {
        let mut alerts = Vec::new();
        let mut read_to: BTreeMap<ShardNo, u64> = BTreeMap::new();
        while !shutdown.is_asked() {
            for (shard, alert) in self.read()? {
                read_to.insert(shard, alert.seq);
                alerts.push((shard, alert));
            }
            if let Some(history) = self.stage.history() {
                let is_read = |(shard, last): (&ShardNo, &u64)| {
                    *last == 0 || read_to.get(shard).is_some_and(|read| read >= last)
                };
                if history.last_seq.iter().all(is_read) {
                    return Ok(Some((history, alerts)));
                }
            }
            std::thread::sleep(TICK);
        }
        Ok(None)
    }

    fn read(&mut self) -> Result<Vec<(ShardNo, AlertValue)>, Failure> {
        let mut values = Vec::new();
        let mut broken = None;
        self.tail.read(&mut |shard, value| match serde_json::from_slice(value) {
            Ok(alert) => values.push((shard, alert)),
            Err(error) => broken = Some(error),
        })?;
        match broken {
            Some(error) => {
                Err(Failure::new(ExitCode::Software, error).during("reading a committed alert"))
            }
            None => Ok(values),
        }
    }

    /// Tells what is new.
    fn turn(&mut self, told: &mut Told) -> Result<(), Failure> {
        let alerts = self.read()?;
        self.tell(alerts, told)?;
        if self.clock.now().mono_ms - told.table_ms < TABLE_MS {
            return Ok(());
        }
        let table = self.table_if_new(told);
        self.out.write(&table)
    }

    fn is_over(&self, told: &Told) -> bool {
        let ms = |after: Duration| i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        let passed_ms = self.clock.now().mono_ms - told.since_ms;
        self.stop_after.is_some_and(|after| passed_ms >= ms(after))
    }

    /// Tells alerts, in the order of their boundaries.
    fn tell(
        &mut self,
        mut alerts: Vec<(ShardNo, AlertValue)>,
        told: &mut Told,
    ) -> Result<(), Failure> {
        alerts.sort_by(|(shard, alert), (other_shard, other)| {
            (&alert.boundary, shard, alert.seq).cmp(&(&other.boundary, other_shard, other.seq))
        });
        let mut text = String::new();
        for (_, alert) in &alerts {
            told.alerts += 1;
            let when = words::time_of_day(&alert.boundary);
            let name = self.names.of(&alert.seller_id, &alert.marketplace_id);
            text.push_str(&self.alert_line(&format!("{when}  "), &format!("  {name}"), alert));
        }
        told.is_spaced &= text.is_empty();
        self.out.write(&text)
    }

    /// An alert on one line, or on as many as the terminal needs.
    fn alert_line(&self, before: &str, after: &str, alert: &AlertValue) -> String {
        let head = words::headline(alert);
        let (rates, reason) = (words::rates(alert), words::reason(alert));
        let line = self.out.wrap(&format!("{before}{head}{after}  {rates}: {reason}"), INDENT);
        let colour = match (alert.state, alert.kind) {
            (State::Cleared, _) => Colour::Green,
            (_, Kind::Warning) => Colour::Yellow,
            (_, Kind::Critical) => Colour::Red,
            (_, Kind::RestrictionRisk) => Colour::Magenta,
        };
        line.replacen(&head, &self.out.paint(&head, colour), 1) + "\n"
    }

    /// What the history brought.
    fn summary(&self, history: &History, alerts: &[(ShardNo, AlertValue)]) -> String {
        let mut counts = Counts::default();
        let mut last: BTreeMap<(String, String), (i64, &AlertValue)> = BTreeMap::new();
        for (_, alert) in alerts {
            counts.count(alert);
            let (number, newest) = last.entry(alert.account()).or_insert((0, alert));
            (*number, *newest) = (*number + 1, alert);
        }
        let pace =
            history.records.saturating_mul(1_000) / history.computed_ms.max(1).unsigned_abs();
        let mut text = self.out.wrap(
            &format!(
                "History: {} records written in {}, computed in {} ({} a second).",
                words::grouped(history.records),
                seconds(history.wrote_ms),
                seconds(history.computed_ms),
                words::grouped(pace),
            ),
            0,
        );
        text.push_str("\n\n");
        text.push_str(&table::alerts(&counts, &self.out));
        text.push_str("\nThe sellers with a story, and the last alert of each:\n\n");
        for role in self.names.stories() {
            let key = (role.seller.clone(), role.marketplace.to_owned());
            text.push_str(&self.story(role, last.get(&key).copied()));
        }
        text.push('\n');
        text
    }

    /// One seller's story, and the last of its alerts.
    fn story(&self, role: &Role, last: Option<(i64, &AlertValue)>) -> String {
        let name = self.names.of(&role.seller, role.marketplace);
        let (number, alert) = match last {
            Some((number, alert)) => (count(number, "alert"), Some(alert)),
            None => ("no alert".to_owned(), None),
        };
        let story = format!("{name}: {} - {number}", role.story.as_str());
        let mut text = self.out.wrap(&story, INDENT);
        text = text.replacen(&name, &self.out.paint(&name, Colour::Bold), 1) + "\n";
        if let Some(alert) = alert {
            let day = words::short_day(&alert.boundary);
            let when = format!("  {day:>6} {}  ", words::time_of_day(&alert.boundary));
            text.push_str(&self.alert_line(&when, "", alert));
        }
        text
    }

    /// The table with its heading, if it says something new.
    fn table_if_new(&self, told: &mut Told) -> String {
        told.table_ms = self.clock.now().mono_ms;
        let accounts = self.at_risk();
        let table = table::at_risk(&accounts, &self.names, &self.policy, &self.out);
        if table == told.table {
            return String::new();
        }
        let now = instant(self.clock.now().wall_ms);
        let number = count(i64::try_from(accounts.len()).unwrap_or(i64::MAX), "account");
        let heading = format!("{}  {number} at risk", words::time_of_day(&now));
        let heading = self.out.paint(&heading, Colour::Bold);
        let is_first = told.table.is_empty();
        told.table.clone_from(&table);
        let space = if is_first || told.is_spaced { "" } else { "\n" };
        told.is_spaced = true;
        let mut text = format!("{space}{heading}\n\n{table}");
        if is_first {
            let legend = self.out.wrap(&table::legend(&self.out), 0);
            let legend: Vec<_> =
                legend.lines().map(|line| self.out.paint(line, Colour::Dim)).collect();
            text.push_str(&legend.join("\n"));
            text.push('\n');
        }
        text.push('\n');
        text
    }

    fn at_risk(&self) -> Vec<(Status, Box<Standing>)> {
        let accounts = self.board.seen().into_values().flat_map(|seen| seen.at_risk);
        table::sorted(accounts.collect())
    }

    fn farewell(&self, told: &Told) -> String {
        let lived_ms = self.clock.now().mono_ms - told.since_ms;
        let alerts = count(told.alerts, "alert");
        let space = if told.is_spaced { "" } else { "\n" };
        format!("{space}Stopped after {} in real time, with {alerts}.\n", seconds(lived_ms))
    }
}

type Gathered = (History, Vec<(ShardNo, AlertValue)>);

/// A duration in seconds with one decimal.
fn seconds(ms: i64) -> String {
    let tenths = ms.max(0) / 100;
    format!("{}.{} s", tenths / 10, tenths % 10)
}
