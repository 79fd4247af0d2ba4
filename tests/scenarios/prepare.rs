//! From a scenario to what the engine and the oracle are given: logs, configurations, decisions.

use std::collections::BTreeMap;

use odrwatch::config::{self, Config, Sources};
use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::domain::policy::Policy;
use odrwatch::domain::shard::{AlertingStart, Limits, ShardConfig};
use odrwatch::domain::time::BoundaryLength;
use odrwatch::pipeline::replay::ReplayConfig;
use odrwatch::wire::decision::{self, DecisionLine};
use odrwatch::wire::input;
use odrwatch::wire::partition::{Partitioner, partition_of};

use super::events::{Message, TOPICS};
use super::oracle;
use super::table::{AlertsFrom, Decided, Kind, Scenario};
use super::times::instant;

/// A record in its log, with the step that stated it and the boundary that it belongs to.
#[derive(Clone, Debug)]
pub struct Placed {
    pub record: oracle::Record,
    pub step: usize,
    /// The instant kΔ; `None` for a record before any watermark.
    pub boundary_ms: Option<i64>,
}

/// All that a scenario is run with.
#[derive(Debug)]
pub struct Prepared {
    pub records: Vec<Placed>,
    pub engine: ReplayConfig,
    pub decisions: Vec<DecisionLine>,
    pub reference: oracle::Config,
}

/// Prepares a scenario.
///
/// # Errors
/// What the configuration refuses.
pub fn prepare(scenario: &Scenario) -> Result<Prepared, String> {
    let config = load(scenario)?;
    let length = config.engine.boundary;
    let (lines, decisions) = decisions(scenario, length);
    let reference = reference(scenario, &config, decisions);
    let engine = engine(scenario, &config);
    Ok(Prepared {
        records: records(scenario, &reference, &engine),
        engine,
        decisions: lines,
        reference,
    })
}

/// Reads the scenario's settings as the command line's `--set` are read.
fn load(scenario: &Scenario) -> Result<Config, String> {
    let mut sets = scenario.sets.clone();
    match scenario.alerts_from {
        Some(AlertsFrom::Live) => sets.push("alerts_from=live".to_owned()),
        Some(AlertsFrom::At(ms)) => sets.push(format!("alerts_from={}", instant(ms))),
        None => {}
    }
    let host_name = Some("scenario".to_owned());
    config::load(&Sources { sets, host_name, ..Sources::default() })
        .map_err(|errors| errors.to_string())
}

fn engine(scenario: &Scenario, config: &Config) -> ReplayConfig {
    let engine = &config.engine;
    let start = match engine.alerts_from {
        Some(config::AlertsFrom::At(time)) => AlertingStart::Time(time.ms()),
        Some(config::AlertsFrom::Live | config::AlertsFrom::Earliest) | None => {
            AlertingStart::Earliest
        }
    };
    ReplayConfig {
        shard: ShardConfig {
            shard: ShardNo::new(0),
            policy: config.policy.clone(),
            length: engine.boundary,
            future_days: 3,
            limits: Limits::default(),
            start,
            statuses: false,
            matters: true,
            hash_seed: 7,
            first: [NextOffset::stated(0); 4],
        },
        input: input::Limits {
            max_record_bytes: engine.max_record_bytes,
            max_ahead_ms: engine.max_ahead_ms,
            purchase_ahead_ms: engine.purchase_ahead_ms,
            partitioner: match engine.partitioner {
                config::Partitioner::Murmur2 => Partitioner::Murmur2,
                config::Partitioner::Consistent => Partitioner::Crc32,
                config::Partitioner::Off => Partitioner::Off,
            },
            partitions: scenario.partitions,
        },
        advice: None,
        until_ms: scenario.until_ms,
        needs_recorded_start: engine.alerts_from == Some(config::AlertsFrom::Live),
    }
}

fn reference(
    scenario: &Scenario,
    config: &Config,
    decisions: Vec<oracle::Decision>,
) -> oracle::Config {
    let engine = &config.engine;
    oracle::Config {
        policy: policy(&config.policy),
        boundary_ms: engine.boundary.ms(),
        max_record_bytes: engine.max_record_bytes,
        max_ahead_ms: engine.max_ahead_ms,
        purchase_ahead_ms: engine.purchase_ahead_ms,
        partitioner: match engine.partitioner {
            config::Partitioner::Murmur2 => oracle::Partitioner::Murmur2,
            config::Partitioner::Consistent => oracle::Partitioner::Crc32,
            config::Partitioner::Off => oracle::Partitioner::Off,
        },
        partitions: scenario.partitions,
        alerts_from: match scenario.alerts_from {
            Some(AlertsFrom::At(ms)) => oracle::AlertsFrom::TimeMs(ms),
            Some(AlertsFrom::Live) | None => oracle::AlertsFrom::Earliest,
        },
        until_ms: scenario.until_ms,
        decisions,
    }
}

fn policy(policy: &Policy) -> oracle::Policy {
    let anchor = i64::from(policy.cycle_anchor.number()) * 86_400_000;
    oracle::Policy {
        policy_version: policy.policy_version.into(),
        time_zone: policy.time_zone.name().to_owned(),
        window_days: policy.window_days.into(),
        lag_days: policy.lag_days.into(),
        min_orders: policy.min_orders.into(),
        warning_bp: policy.warning.raise_bp.into(),
        warning_clear_bp: Some(policy.warning.clear_bp.into()),
        warning_min_defects: policy.warning.min_defects.into(),
        critical_bp: policy.critical.raise_bp.into(),
        critical_clear_bp: Some(policy.critical.clear_bp.into()),
        critical_min_defects: policy.critical.min_defects.into(),
        restriction_bp: policy.restriction_bp.into(),
        restriction_min_defects: policy.restriction_min_defects.into(),
        restriction_cycles: policy.restriction_cycles.into(),
        cycle_days: policy.cycle_days.into(),
        cycle_anchor: instant(anchor)[..10].to_owned(),
        scopes: policy.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        views: policy.views.iter().map(|view| view.as_str().to_owned()).collect(),
        count_canceled_orders: policy.count_canceled_orders,
        count_open_claims: policy.count_open_claims,
        negative_rating_max: policy.negative_rating_max.into(),
    }
}

/// The decisions for the engine, read from the lines that record them, and for the oracle.
fn decisions(
    scenario: &Scenario,
    length: BoundaryLength,
) -> (Vec<DecisionLine>, Vec<oracle::Decision>) {
    let of_role = |name: &str| Topic::ALL.into_iter().find(|topic| topic.as_str() == name);
    let mut read = Vec::new();
    let mut stated = Vec::new();
    for decided in &scenario.decisions {
        let line = line_of(decided);
        let decision = decision::parse_line(line.as_bytes(), length, &of_role);
        let place = format!("{}:{}", scenario.file, scenario.line);
        read.push(decision.unwrap_or_else(|error| panic!("{place}: {line}: {error}")));
        stated.push(match decided.clone() {
            Decided::Close { instant_ms, idle: positions } => {
                oracle::Decision::Close { boundary: instant_ms / length.ms(), positions }
            }
            Decided::Time { at: (topic, partition, offset), record_time_ms } => {
                oracle::Decision::RecordTime { topic, partition, offset, record_time_ms }
            }
            Decided::Alerts { instant_ms, shard } => {
                oracle::Decision::AlertsFrom { shard, boundary: instant_ms / length.ms() }
            }
        });
    }
    (read, stated)
}

/// A decision as a line of the file of decisions.
fn line_of(decided: &Decided) -> String {
    match decided {
        Decided::Close { instant_ms, idle } => {
            let idle: Vec<String> = idle
                .iter()
                .map(|(topic, partition, next)| {
                    let topic = TOPICS[*topic];
                    format!(r#"{{"topic":"{topic}","partition":{partition},"next_offset":{next}}}"#)
                })
                .collect();
            let (boundary, idle) = (instant(*instant_ms), idle.join(","));
            format!(r#"{{"boundary":"{boundary}","partitions":[{idle}]}}"#)
        }
        Decided::Time { at: (topic, partition, offset), record_time_ms } => {
            let place = format!(r#""topic":"{}","partition":{partition}"#, TOPICS[*topic]);
            format!(r#"{{{place},"offset":{offset},"record_time":{record_time_ms}}}"#)
        }
        Decided::Alerts { instant_ms, shard } => {
            format!(r#"{{"shard":{shard},"alerts_from":"{}"}}"#, instant(*instant_ms))
        }
    }
}

/// Gives every message its partition, offset and boundary.
fn records(scenario: &Scenario, reference: &oracle::Config, engine: &ReplayConfig) -> Vec<Placed> {
    let mut ends: BTreeMap<(usize, u32), (i64, Option<i64>)> = BTreeMap::new();
    let mut records = Vec::new();
    for (step, of) in scenario.steps.iter().enumerate() {
        let Kind::Records(messages) = &of.kind else { continue };
        for message in messages {
            let Message { topic, timestamp_ms, value, .. } = message.clone();
            let partition = message.partition.unwrap_or_else(|| {
                partition_of(engine.input.partitioner, &message.seller, scenario.partitions)
            });
            let (next, watermark) = ends.entry((topic, partition)).or_default();
            let offset = message.offset.unwrap_or(*next);
            *next = offset + 1;
            let (raised, time) = decided(scenario, (topic, partition, offset));
            *watermark = (*watermark).max(raised).max(time.or(timestamp_ms));
            let length = reference.boundary_ms;
            let boundary_ms = watermark.map(|ms| (ms.div_euclid(length) + 1) * length);
            let record = oracle::Record { topic, partition, offset, timestamp_ms, value };
            records.push(Placed { record, step, boundary_ms });
        }
    }
    records
}

/// What was decided about a record: how far its partition was moved before it, and its time.
fn decided(
    scenario: &Scenario,
    (topic, partition, offset): (usize, u32, i64),
) -> (Option<i64>, Option<i64>) {
    let (mut raised, mut time) = (None, None);
    for decision in &scenario.decisions {
        match decision {
            Decided::Close { instant_ms, idle } => {
                let is_before =
                    |at: &&(usize, u32, i64)| (at.0, at.1) == (topic, partition) && at.2 <= offset;
                raised = raised.max(idle.iter().find(is_before).map(|_| *instant_ms));
            }
            Decided::Time { at, record_time_ms } if *at == (topic, partition, offset) => {
                time = Some(*record_time_ms);
            }
            Decided::Time { .. } | Decided::Alerts { .. } => {}
        }
    }
    (raised, time)
}
