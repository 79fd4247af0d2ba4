//! The whole market, and how the service itself does.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::answers::{Rates, bands};
use super::asked::{Asked, Nothing, known, limit};
use super::{Answer, Meta, Readers, readers};
use crate::domain::effects::AlertKind;
use crate::domain::event::{DeadReason, Topic};
use crate::domain::policy::View;
use crate::http::HttpState;
use crate::pipeline::query::DeadSeen;
use crate::wire::time::{day, instant};

/// Dead letters of an answer, if nothing is asked for, and at most.
const DEAD: (usize, usize) = (50, 500);

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    meta: Meta,
    #[serde(flatten)]
    standing: StandingOf,
}

#[derive(Debug, Serialize)]
pub(super) struct StandingOf {
    policy: PolicyOf,
    accounts: AccountsOf,
    totals: BTreeMap<&'static str, Rates>,
    active_alerts: BTreeMap<&'static str, u64>,
    alerts_total: u64,
    dead_letters: DeadOf,
}

#[derive(Debug, Serialize)]
struct PolicyOf {
    policy_version: u32,
    warning_bp: u32,
    critical_bp: u32,
    restriction_bp: u32,
    restriction_cycles: u32,
    window_days: u32,
    lag_days: u32,
    cycle_days: u32,
    min_orders: u32,
    time_zone: String,
}

#[derive(Debug, Serialize)]
struct AccountsOf {
    total: u64,
    by_band: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct DeadOf {
    total: u64,
    by_reason: BTreeMap<&'static str, u64>,
}

/// `GET /api/v1/summary`
pub(super) async fn summary(
    State(state): State<Arc<HttpState>>,
    _: Asked<Nothing>,
) -> Answer<Summary> {
    let readers = readers(&state)?;
    Ok(Json(Summary { meta: readers.meta(), standing: StandingOf::new(readers) }))
}

impl StandingOf {
    pub(super) fn new(readers: &Readers) -> Self {
        let standing = readers.model.standing();
        let policy = &readers.policy;
        let total = |view: View| {
            let [mfn, afn] = &standing.totals[view.index()];
            (view.as_str(), Rates::of_sum(&mfn.with(afn), policy.min_orders))
        };
        Self {
            policy: PolicyOf {
                policy_version: policy.policy_version,
                warning_bp: policy.warning.raise_bp,
                critical_bp: policy.critical.raise_bp,
                restriction_bp: policy.restriction_bp,
                restriction_cycles: policy.restriction_cycles,
                window_days: policy.window_days,
                lag_days: policy.lag_days,
                cycle_days: policy.cycle_days,
                min_orders: policy.min_orders,
                time_zone: policy.time_zone.name().to_owned(),
            },
            accounts: AccountsOf {
                total: standing.bands.iter().sum(),
                by_band: bands(standing.bands),
            },
            totals: View::ALL.map(total).into(),
            active_alerts: AlertKind::ALL
                .map(|kind| (kind.as_str(), standing.active[kind.index()]))
                .into(),
            alerts_total: readers.model.alerts_total(),
            dead_letters: DeadOf::new(readers),
        }
    }
}

impl DeadOf {
    fn new(readers: &Readers) -> Self {
        let counts = readers.model.dead_counts();
        let of = |reason: DeadReason| counts.iter().map(|by| by[reason.index()]).sum::<u64>();
        let by_reason: BTreeMap<_, _> = DeadReason::ALL
            .into_iter()
            .map(|reason| (reason.as_str(), of(reason)))
            .filter(|(_, count)| *count > 0)
            .collect();
        Self { total: by_reason.values().sum(), by_reason }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct History {
    meta: Meta,
    days: Vec<DaySample>,
    minutes: Vec<MinuteSample>,
}

#[derive(Debug, Serialize)]
struct DaySample {
    as_of: String,
    by_band: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Serialize)]
struct MinuteSample {
    at: String,
    by_band: BTreeMap<&'static str, u64>,
}

/// `GET /api/v1/market/history`
pub(super) async fn history(
    State(state): State<Arc<HttpState>>,
    _: Asked<Nothing>,
) -> Answer<History> {
    let readers = readers(&state)?;
    let days = readers.model.days();
    let minutes = readers.model.minutes();
    Ok(Json(History {
        meta: readers.meta(),
        days: days
            .iter()
            .map(|sample| DaySample { as_of: day(sample.at), by_band: bands(sample.bands) })
            .collect(),
        minutes: minutes
            .iter()
            .map(|sample| MinuteSample { at: instant(sample.at), by_band: bands(sample.bands) })
            .collect(),
    }))
}

#[derive(Debug, Serialize)]
pub(super) struct Shards {
    meta: Meta,
    items: Vec<ShardOf>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShardOf {
    shard: u32,
    state: &'static str,
    here: bool,
    boundary: Option<String>,
    boundary_lag_ms: i64,
    held_by: Option<HeldBy>,
    seq: u64,
    progress: u64,
    orders: usize,
    accounts: usize,
    orphans: usize,
    pending: usize,
    lag: Vec<LagOf>,
}

#[derive(Debug, Serialize)]
struct HeldBy {
    topic: String,
    partition: u32,
}

#[derive(Debug, Serialize)]
struct LagOf {
    topic: String,
    partition: u32,
    lag: Option<u64>,
    watermark: Option<String>,
}

/// `GET /api/v1/shards`
pub(super) async fn shards(
    State(state): State<Arc<HttpState>>,
    _: Asked<Nothing>,
) -> Answer<Shards> {
    let readers = readers(&state)?;
    Ok(Json(Shards { meta: readers.meta(), items: shards_of(readers) }))
}

pub(super) fn shards_of(readers: &Readers) -> Vec<ShardOf> {
    let topic = |topic: Topic| readers.topics[topic.index()].clone();
    let of = |(number, seen): (crate::domain::ids::ShardNo, crate::pipeline::query::ShardSeen)| {
        let partition = number.get();
        let holder = HeldBy { topic: topic(seen.held_by), partition };
        ShardOf {
            shard: partition,
            state: seen.phase.as_str(),
            here: true,
            boundary: seen.boundary_ms.map(instant),
            boundary_lag_ms: seen.boundary_lag_ms,
            held_by: (seen.boundary_lag_ms > 0).then_some(holder),
            seq: seen.seq,
            progress: seen.progress,
            orders: seen.orders,
            accounts: seen.accounts,
            orphans: seen.orphans,
            pending: seen.pending,
            lag: Topic::ALL
                .into_iter()
                .zip(seen.inputs)
                .map(|(of, lag)| LagOf {
                    topic: topic(of),
                    partition,
                    lag: lag.records,
                    watermark: lag.watermark_ms.map(instant),
                })
                .collect(),
        }
    };
    readers.model.shards().into_iter().map(of).collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadParameters {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    topic: String,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeadLetters {
    meta: Meta,
    by_reason: BTreeMap<&'static str, u64>,
    by_topic: BTreeMap<String, u64>,
    items: Vec<DeadLetter>,
}

#[derive(Debug, Serialize)]
pub(super) struct DeadLetter {
    at: String,
    topic: String,
    partition: u32,
    offset: i64,
    reason: &'static str,
}

impl DeadLetter {
    pub(super) fn new(readers: &Readers, dead: &DeadSeen) -> Self {
        Self {
            at: instant(dead.at_ms),
            topic: readers.topics[dead.topic.index()].clone(),
            partition: dead.shard.get(),
            offset: dead.offset.get(),
            reason: dead.reason.as_str(),
        }
    }
}

/// `GET /api/v1/dead-letters`
pub(super) async fn dead_letters(
    State(state): State<Arc<HttpState>>,
    Asked(asked): Asked<DeadParameters>,
) -> Answer<DeadLetters> {
    let readers = readers(&state)?;
    let most = limit(asked.limit, DEAD)?;
    let reason = match asked.reason.as_str() {
        "" => None,
        name => Some(known(&DeadReason::ALL, DeadReason::as_str, "reason", name)?),
    };
    let keep = |dead: &DeadSeen| {
        reason.is_none_or(|reason| dead.reason == reason)
            && (asked.topic.is_empty() || readers.topics[dead.topic.index()] == asked.topic)
    };
    let counts = readers.model.dead_counts();
    let items = readers.model.dead_letters(most, keep);
    let sum = |of: Topic| counts[of.index()].iter().sum::<u64>();
    Ok(Json(DeadLetters {
        meta: readers.meta(),
        by_reason: DeadOf::new(readers).by_reason,
        by_topic: Topic::ALL
            .into_iter()
            .map(|of| (readers.topics[of.index()].clone(), sum(of)))
            .collect(),
        items: items.iter().map(|dead| DeadLetter::new(readers, dead)).collect(),
    }))
}

#[derive(Debug, Serialize)]
pub(super) struct Configuration {
    meta: Meta,
    items: serde_json::Value,
}

/// `GET /api/v1/config`
pub(super) async fn config(
    State(state): State<Arc<HttpState>>,
    _: Asked<Nothing>,
) -> Answer<Configuration> {
    let readers = readers(&state)?;
    Ok(Json(Configuration { meta: readers.meta(), items: readers.config.clone() }))
}
