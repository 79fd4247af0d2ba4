//! One scenario: run in every way, and everything that is not as its table states.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::alerts::{self, Actual};
use super::engine::{self, Files};
use super::oracle;
use super::prepare::{self, Prepared};
use super::table::{Kind, Scenario, Step};
use super::times::instant;

/// How many other interleavings of the partitions a scenario is run under.
const INTERLEAVINGS: u64 = 20;

/// What is wrong, each as a paragraph that begins with its place.
pub fn problems(scenario: &Scenario) -> Vec<String> {
    let place = |line: usize| format!("{}:{line}: {}", scenario.file, scenario.title);
    let run = prepare::prepare(scenario).and_then(|prepared| {
        let files = replay_at(&prepared, None)?;
        Ok((prepared, files))
    });
    let (prepared, files) = match run {
        Ok(run) => run,
        Err(error) => {
            let expected = scenario.fails.as_deref();
            let is_expected = expected.is_some_and(|text| error.contains(text));
            let problem = format!("{}\n    {error}", place(scenario.line));
            return if is_expected { Vec::new() } else { vec![problem] };
        }
    };
    let prepared = &prepared;
    if scenario.fails.is_some() {
        return vec![format!("{}\n    it does not fail", place(scenario.line))];
    }
    let mut wrong = outcomes(scenario, prepared);
    wrong.extend(stated_alerts(scenario, prepared, &files));
    wrong.extend(totals(scenario, prepared, &files));
    let mut wrong: Vec<String> = wrong
        .into_iter()
        .map(|(line, problem)| format!("{}\n    {problem}", place(line)))
        .collect();
    wrong.extend(
        other_runs(scenario, prepared, &files)
            .into_iter()
            .map(|problem| format!("{}\n    {problem}", place(scenario.line))),
    );
    wrong
}

/// A replay in the order of the table.
fn replay_at(prepared: &Prepared, until_ms: Option<i64>) -> Result<Files, String> {
    let records: Vec<_> = prepared.records.iter().map(|placed| &placed.record).collect();
    engine::replay(prepared, until_ms, &records)
}

type Wrong = Vec<(usize, String)>;

/// The outcome of each line's records.
fn outcomes(scenario: &Scenario, prepared: &Prepared) -> Wrong {
    let mut wrong = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let Kind::Records(messages) = &step.kind else { continue };
        let Some(expected) = &step.outcome else {
            wrong.push((step.line, "no outcome is stated".to_owned()));
            continue;
        };
        let mut found = BTreeSet::new();
        for topic in 0..4 {
            let count = messages.iter().filter(|message| message.topic == topic).count();
            found.extend(outcomes_of(prepared, topic, number, count));
        }
        let found: Vec<String> = found.into_iter().collect();
        if found != [expected.clone()] {
            wrong.push((step.line, format!("expected {expected}, found {}", found.join(", "))));
        }
    }
    wrong
}

/// How a step's records of a topic end: what its records up to the step end in, less what those
/// before it do. What comes later in the topic has no value then, so that no boundary moves.
fn outcomes_of(prepared: &Prepared, topic: usize, step: usize, count: usize) -> Vec<String> {
    if count == 0 {
        return Vec::new();
    }
    let [with, without] =
        [step + 1, step].map(|steps| ends(prepared, topic, steps, Later::WithoutValue));
    let more = |name: &str| with.get(name).unwrap_or(&0) - without.get(name).unwrap_or(&0);
    let mut found: Vec<String> = with.keys().filter(|name| more(name) > 0).cloned().collect();
    let ended: i64 = found.iter().map(|name| more(name)).sum();
    if ended == i64::try_from(count).expect("few records") {
        return found;
    }
    // The rest has no value, or waits: then it is one more that waits than without it.
    let [with, without] = [step + 1, step].map(|steps| ends(prepared, topic, steps, Later::Absent));
    let is_pending = with.get("pending") != without.get("pending");
    found.push(if is_pending { "pending" } else { "tombstone" }.to_owned());
    found
}

/// What becomes of the later records of a topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Later {
    WithoutValue,
    Absent,
}

/// How many records of a topic end in which way if only those of the first steps are whole.
fn ends(prepared: &Prepared, topic: usize, steps: usize, later: Later) -> BTreeMap<String, i64> {
    let mut records: Vec<oracle::Record> = Vec::new();
    for placed in &prepared.records {
        let mut record = placed.record.clone();
        if record.topic == topic && placed.step >= steps {
            if later == Later::Absent {
                continue;
            }
            record.value = None;
        }
        records.push(record);
    }
    let records: Vec<_> = records.iter().collect();
    let files = engine::replay(prepared, None, &records).expect("the whole log was replayed");
    let value: Value = serde_json::from_str(&files.outcomes).expect("outcomes are JSON");
    let name = super::events::TOPICS[topic];
    let counts = value["outcomes"][name].as_object().expect("each topic is present");
    let mut ends: BTreeMap<String, i64> = counts
        .iter()
        .filter(|(outcome, _)| *outcome != "dead")
        .map(|(outcome, count)| (outcome.clone(), count.as_i64().expect("a count")))
        .collect();
    let is_of_topic = format!("\"topic\":\"{name}\"");
    for line in files.dead.lines().filter(|line| line.contains(&is_of_topic)) {
        let letter: Value = serde_json::from_str(line).expect("dead letters are JSON");
        *ends.entry(format!("dead({})", alerts::shown(letter.get("code")))).or_default() += 1;
    }
    ends
}

/// All alerts in their order against all that are stated: by shard, boundary and line.
fn stated_alerts(scenario: &Scenario, prepared: &Prepared, files: &Files) -> Wrong {
    let mut wrong = Vec::new();
    let mut stated: Vec<(u32, i64, usize, &str)> = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        if step.alerts.is_empty() {
            continue;
        }
        match boundary_of(prepared, step, number) {
            Some((shard, boundary)) => stated.extend(
                step.alerts.iter().map(|(line, text)| (shard, boundary, *line, text.as_str())),
            ),
            None => wrong.push((step.line, "it belongs to no boundary".to_owned())),
        }
    }
    stated.sort_by_key(|(shard, boundary, line, _)| (*shard, *boundary, *line));
    let actual: Vec<Actual<'_>> = files.alerts.lines().map(Actual::new).collect();
    for ((_, boundary, line, text), alert) in stated.iter().zip(&actual) {
        let mut differences = alerts::mismatches(scenario, text, alert);
        let (expected, found) = (instant(*boundary), alert.boundary().replace(".000Z", "Z"));
        if expected != found {
            differences.insert(0, format!("boundary: expected {expected}, found {found}"));
        }
        if !differences.is_empty() {
            wrong.push((*line, format!("{}\n    {}", differences.join("\n    "), alert.line)));
        }
    }
    for (_, boundary, line, text) in stated.iter().skip(actual.len()) {
        wrong.push((*line, format!("no such alert at {}: {text}", instant(*boundary))));
    }
    for alert in actual.iter().skip(stated.len()) {
        let problem = format!("not stated: {}\n    {}", alert.short(), alert.line);
        wrong.push((scenario.line, problem));
    }
    for alert in &actual {
        for rule in alert.broken_sums() {
            wrong.push((scenario.line, format!("broken: {rule}\n    {}", alert.line)));
        }
    }
    wrong
}

/// The shard and boundary of a step.
fn boundary_of(prepared: &Prepared, step: &Step, number: usize) -> Option<(u32, i64)> {
    if let Kind::Boundary(instant) = step.kind {
        return Some((0, instant));
    }
    let mut records = prepared.records.iter().filter(|placed| placed.step == number);
    let last = records.next_back()?;
    Some((last.record.partition, last.boundary_ms?))
}

/// Totals as they are stated, at the end or as known at an instant.
fn totals(scenario: &Scenario, prepared: &Prepared, files: &Files) -> Wrong {
    let mut wrong = Vec::new();
    for step in &scenario.steps {
        let Kind::Totals(at, stated) = &step.kind else { continue };
        let then = at.map(|at| replay_at(prepared, Some(at)).expect("the log was replayed"));
        let then = then.as_ref().unwrap_or(files);
        if let Some(problem) = total(scenario, then, stated) {
            wrong.push((step.line, problem));
        }
        if let Some(difference) =
            at.and_then(|at| then.difference(&engine::by_oracle(prepared, Some(at))))
        {
            wrong.push((step.line, format!("engine and oracle differ in {difference}")));
        }
    }
    wrong
}

/// `ACCOUNT [SCOPE/VIEW] D/N|none FIELD=VALUE ...`
fn total(scenario: &Scenario, files: &Files, stated: &str) -> Option<String> {
    let mut words: Vec<&str> = stated.split_whitespace().collect();
    let fields: Vec<&str> = words.iter().copied().filter(|word| word.contains('=')).collect();
    words.retain(|word| !word.contains('='));
    if words.len() == 2 {
        words.insert(1, "all/live");
    }
    let [account, place, expected] = words[..] else {
        return Some(format!("{stated} is no expectation"));
    };
    let line = files.totals.lines().find_map(|line| {
        let value: Value = serde_json::from_str(line).expect("totals are JSON");
        let text = |name: &str| alerts::shown(value.get(name));
        let is_it = alerts::account(&text("seller_id"), &text("marketplace_id")) == account
            && format!("{}/{}", text("scope"), text("view")) == place;
        is_it.then_some((line, value))
    });
    let Some((line, value)) = line else {
        return (expected != "none").then(|| format!("expected {stated}, found none"));
    };
    let number = |name: &str| alerts::shown(value.get(name));
    let mut found = vec![format!("{}/{}", number("defective_orders"), number("orders"))];
    let mut wanted = vec![expected.to_owned()];
    for field in fields {
        let (name, expected) = field.split_once('=').expect("a field has a sign");
        wanted.push(match name {
            "as_of" => scenario.days.date(expected).unwrap_or_else(|problem| problem),
            _ => expected.to_owned(),
        });
        found.push(match name {
            "kinds" => alerts::kinds(&value),
            "provisional" => number("provisional_only"),
            _ => number(name),
        });
    }
    (found != wanted)
        .then(|| format!("expected {}, found {}\n    {line}", wanted.join(" "), found.join(" ")))
}

/// The oracle, and other interleavings of the partitions.
fn other_runs(scenario: &Scenario, prepared: &Prepared, files: &Files) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(difference) = files.difference(&engine::by_oracle(prepared, None)) {
        wrong.push(format!("engine and oracle differ in {difference}"));
    }
    let outcomes: Value = serde_json::from_str(&files.outcomes).expect("outcomes are JSON");
    let counts = outcomes["outcomes"].as_object().expect("an object of topics").values();
    let ended: i64 = counts
        .flat_map(|topic| topic.as_object().expect("an object of outcomes").values())
        .map(|count| count.as_i64().expect("a count"))
        .sum();
    let read = i64::try_from(prepared.records.len()).expect("few records");
    if ended != read || outcomes["read"] != read {
        wrong.push(format!("{read} records were read, the outcomes say {}", files.outcomes));
    }
    let line = u64::try_from(scenario.line).expect("a line number");
    for round in 0..INTERLEAVINGS {
        let order = engine::interleaved(prepared, line * INTERLEAVINGS + round);
        let found = engine::replay(prepared, None, &order).expect("the log was replayed");
        if let Some(difference) = files.difference(&found) {
            wrong.push(format!("interleaving {round} differs in {difference}"));
        }
    }
    wrong
}
