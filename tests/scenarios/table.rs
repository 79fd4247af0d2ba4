//! From a table's text to scenarios: settings, decisions, and steps with what is expected of them.
//!
//! Invariant: every line means something; one that does not fails the test with its place.

use super::events::{self, Message};
use super::times::{Days, is_day};

/// One scenario as it is written.
#[derive(Debug)]
pub struct Scenario {
    pub file: String,
    pub line: usize,
    pub title: String,
    pub days: Days,
    /// `KEY=VALUE`, for the configuration.
    pub sets: Vec<String>,
    pub partitions: u32,
    pub until_ms: Option<i64>,
    pub alerts_from: Option<AlertsFrom>,
    pub fails: Option<String>,
    pub decisions: Vec<Decided>,
    pub steps: Vec<Step>,
}

/// Where the table says that alerts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertsFrom {
    Live,
    At(i64),
}

/// A position in a partition: topic, partition, offset.
pub type Position = (usize, u32, i64);

/// A decision that a live run recorded; boundaries by their instants.
#[derive(Clone, Debug)]
pub enum Decided {
    Close { instant_ms: i64, idle: Vec<Position> },
    Time { at: Position, record_time_ms: i64 },
    Alerts { instant_ms: i64, shard: u32 },
}

/// A line with what is expected of it.
#[derive(Debug)]
pub struct Step {
    pub line: usize,
    pub kind: Kind,
    /// How each of its records ends, as it is written.
    pub outcome: Option<String>,
    /// Alerts, each with its line.
    pub alerts: Vec<(usize, String)>,
}

/// What a line says.
#[derive(Debug)]
pub enum Kind {
    /// Records are read.
    Records(Vec<Message>),
    /// A boundary ends at this instant.
    Boundary(i64),
    /// Totals: as known at an instant, or at the end.
    Totals(Option<i64>, String),
}

/// Reads a file of tables.
pub fn parse(file: &str, text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            scenarios.push(Scenario::new(file, number, title));
            continue;
        }
        let scenario = scenarios.last_mut();
        let read = scenario.ok_or_else(|| "a table begins with a title".to_owned());
        if let Err(problem) = read.and_then(|scenario| scenario.read(number, line)) {
            panic!("{file}:{number}: {problem}\n    {line}");
        }
    }
    scenarios
}

impl Scenario {
    fn new(file: &str, line: usize, title: &str) -> Self {
        Self {
            file: file.to_owned(),
            line,
            title: title.to_owned(),
            days: Days::from("2026-01-05").expect("the first Monday of 2026"),
            sets: Vec::new(),
            partitions: 1,
            until_ms: None,
            alerts_from: None,
            fails: None,
            decisions: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn read(&mut self, number: usize, line: &str) -> Result<(), String> {
        if let Some(more) = line.strip_prefix("-> ") {
            let step = self.steps.last_mut().ok_or("nothing comes before this")?;
            for part in more.split(" -> ") {
                step.expect(number, part)?;
            }
            return Ok(());
        }
        if line.split(' ').next().is_some_and(|word| word.contains('=')) {
            let alerts = self.steps.last_mut().map(|step| &mut step.alerts);
            let (_, alert) = alerts.and_then(|alerts| alerts.last_mut()).ok_or("no alert")?;
            alert.push(' ');
            alert.push_str(line);
            return Ok(());
        }
        let mut parts = line.split(" -> ");
        let said = parts.next().unwrap_or_default().trim();
        if let Some(kind) = self.say(said)? {
            let mut step = Step { line: number, kind, outcome: None, alerts: Vec::new() };
            for part in parts {
                step.expect(number, part)?;
            }
            self.steps.push(step);
            return Ok(());
        }
        if parts.next().is_some() { Err("a setting expects nothing".to_owned()) } else { Ok(()) }
    }

    /// Takes in a setting, or tells the step that a line is.
    fn say(&mut self, said: &str) -> Result<Option<Kind>, String> {
        let words: Vec<&str> = said.split_whitespace().collect();
        let days = self.days;
        match words[..] {
            ["set", ref sets @ ..] => self.sets.extend(sets.iter().map(|set| (*set).to_owned())),
            ["quiet"] => {
                let kinds = ["warning", "critical", "restriction"];
                self.sets.extend(kinds.map(|kind| format!("{kind}_bp=10000")));
            }
            ["partitions", count] => self.partitions = number(count)?,
            ["day1", date] => self.days = Days::from(date)?,
            ["until", day, time] => self.until_ms = Some(days.at(day, time)?),
            ["alerts_from", "live"] => self.alerts_from = Some(AlertsFrom::Live),
            ["alerts_from", day, time] => {
                self.alerts_from = Some(AlertsFrom::At(days.at(day, time)?));
            }
            ["fails", ..] => self.fails = Some(said["fails".len()..].trim().to_owned()),
            ["decide", ref decision @ ..] => self.decisions.push(decided(decision, days)?),
            ["expect", ref totals @ ..] => return Ok(Some(Kind::Totals(None, totals.join(" ")))),
            ["no", "timestamp", ref event @ ..] => return self.step(None, event, said).map(Some),
            [day, time, ref event @ ..] if is_day(day) => {
                return self.step(Some(days.at(day, time)?), event, said).map(Some);
            }
            _ => return Err("this is no line of a table".to_owned()),
        }
        Ok(None)
    }

    fn step(&self, time: Option<i64>, words: &[&str], said: &str) -> Result<Kind, String> {
        match (time, words) {
            (Some(time), ["boundary"]) => Ok(Kind::Boundary(time)),
            (Some(time), ["expect", totals @ ..]) => Ok(Kind::Totals(Some(time), totals.join(" "))),
            _ => events::read(time, words, said, self.days).map(Kind::Records),
        }
    }
}

impl Step {
    fn expect(&mut self, line: usize, part: &str) -> Result<(), String> {
        const OUTCOMES: [&str; 6] =
            ["applied", "duplicate", "superseded", "expired", "tombstone", "pending"];
        let part = part.trim();
        if OUTCOMES.contains(&part) || part.starts_with("dead(") {
            if self.outcome.is_some() || !matches!(self.kind, Kind::Records(_)) {
                return Err("one outcome, for records only".to_owned());
            }
            self.outcome = Some(part.to_owned());
        } else if matches!(self.kind, Kind::Totals(..)) {
            return Err("totals stand before no arrow".to_owned());
        } else {
            self.alerts.push((line, part.to_owned()));
        }
        Ok(())
    }
}

/// Reads a number.
pub fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no such number"))
}

fn decided(words: &[&str], days: Days) -> Result<Decided, String> {
    match words {
        ["close", day, time, idle @ ..] => Ok(Decided::Close {
            instant_ms: days.at(day, time)?,
            idle: idle.iter().map(|text| position(text)).collect::<Result<_, _>>()?,
        }),
        ["time", at, day, time] => {
            Ok(Decided::Time { at: position(at)?, record_time_ms: days.at(day, time)? })
        }
        ["alerts", day, time, shard @ ..] => Ok(Decided::Alerts {
            instant_ms: days.at(day, time)?,
            shard: shard.first().map_or(Ok(0), |shard| number(shard))?,
        }),
        _ => Err("this is no decision".to_owned()),
    }
}

/// `TOPIC@OFFSET` or `TOPIC/PARTITION@OFFSET`.
fn position(text: &str) -> Result<Position, String> {
    let (place, offset) = text.split_once('@').ok_or_else(|| format!("{text} has no @"))?;
    let (topic, partition) = place.split_once('/').unwrap_or((place, "0"));
    Ok((events::topic(topic)?, number(partition)?, number(offset)?))
}
