//! One account in full, as its worker answers it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::answers::{Pair, Rates, Room, basis_points, kinds};
use super::asked::{Asked, Named};
use super::defects::Defect;
use super::elsewhere::Redirect;
use super::{Answer, Meta, Readers, Refusal, readers};
use crate::domain::effects::Counts;
use crate::domain::look::{AccountLook, DayCounts, LevelLook};
use crate::domain::policy::{Policy, Scope, View};
use crate::domain::time::Day;
use crate::http::HttpState;
use crate::pipeline::query::{Inquiry, NotAsked, SentAlert};
use crate::wire::time::{day, instant};

/// Alerts that one account shows.
const SHOWN_ALERTS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    redirect: Redirect,
}

#[derive(Debug, Serialize)]
pub(super) struct Account {
    meta: Meta,
    seller_id: Box<str>,
    marketplace_id: Box<str>,
    band: &'static str,
    covered_from: Option<String>,
    views: BTreeMap<&'static str, ViewOf>,
    levels: Vec<Level>,
    forecast: Forecast,
    days: Vec<DayOf>,
    rolling: Vec<AsOf>,
    cycles: Cycles,
    defects: Vec<Defect>,
    defects_total: usize,
    alerts: Vec<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct Days {
    from: String,
    to: String,
}

#[derive(Debug, Serialize)]
struct ViewOf {
    window: Days,
    all: Rates,
    mfn: Rates,
    afn: Rates,
    headroom: Room,
    headroom_critical: Room,
}

#[derive(Debug, Serialize)]
struct Level {
    kind: &'static str,
    scope: &'static str,
    view: &'static str,
    threshold: String,
    clear_at: String,
    min_defects: u32,
    active: bool,
    headroom: Room,
    recovers_on: Option<String>,
    streak: u32,
}

#[derive(Debug, Serialize)]
struct Forecast {
    recovers_on: Option<String>,
    leaves: Option<String>,
    orders_leaving: u32,
    defective_leaving: u32,
    days: Vec<AsOf>,
}

#[derive(Debug, Serialize)]
struct AsOf {
    as_of: String,
    orders: u32,
    defective_orders: u32,
}

#[derive(Debug, Serialize)]
struct DayOf {
    day: String,
    orders: u32,
    defective_orders: u32,
    provisional_only: u32,
    by_kind: BTreeMap<&'static str, u64>,
    mfn: Pair,
    afn: Pair,
}

#[derive(Debug, Serialize)]
struct Cycles {
    current: CurrentCycle,
    past: Vec<PastCycle>,
    streak: u32,
}

#[derive(Debug, Serialize)]
struct CurrentCycle {
    from: String,
    to: String,
    closes_at: String,
}

#[derive(Debug, Serialize)]
struct PastCycle {
    from: String,
    to: String,
    orders: Option<u32>,
    defective_orders: Option<u32>,
    over: bool,
    streak: u32,
}

/// `GET /api/v1/sellers/{seller}/{marketplace}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    named: Named,
    Asked(asked): Asked<Parameters>,
    uri: Uri,
) -> Answer<Account> {
    let readers = readers(&state)?;
    let look = look(readers, &named, (asked.redirect, &uri)).await?;
    Ok(Json(Account::new(readers, &look)))
}

/// Asks the account's worker; where another member has it, says so as is asked.
pub(super) async fn look(
    readers: &Readers,
    named: &Named,
    (redirect, uri): (Redirect, &Uri),
) -> Result<Box<AccountLook>, Refusal> {
    let unknown = || {
        let sent_on = readers.send_on(&named.seller_id, redirect, uri);
        sent_on.unwrap_or_else(|| unknown(named))
    };
    let (send, receive) = oneshot::channel();
    let inquiry = Inquiry {
        seller_id: named.seller_id.clone(),
        marketplace_id: named.marketplace_id.clone(),
        // The one who asked may have gone away meanwhile.
        answer: Box::new(move |answer| drop(send.send(answer))),
    };
    let asked = readers.model.ask(inquiry);
    match asked {
        Ok(()) => {}
        Err(NotAsked::Unknown) => return Err(unknown()),
        Err(why @ (NotAsked::Busy | NotAsked::Gone)) => {
            return Err(Refusal::busy(why.to_string()));
        }
    }
    receive.await.ok().flatten().ok_or_else(unknown)
}

fn unknown(named: &Named) -> Refusal {
    let message = format!("No account of {} in this marketplace is held here.", named.seller_id);
    Refusal::not_found(message, "An account appears with its first order, once its shard is live.")
}

impl Account {
    fn new(readers: &Readers, look: &AccountLook) -> Self {
        let row = &look.row;
        let is_its = |alert: &SentAlert| {
            alert.seller_id == row.seller_id && alert.marketplace_id == row.marketplace_id
        };
        let sent = readers.model.alerts(None, SHOWN_ALERTS, is_its);
        Self {
            meta: readers.meta_of(look.as_of, look.boundary_ms),
            seller_id: row.seller_id.clone(),
            marketplace_id: row.marketplace_id.clone(),
            band: row.band.as_str(),
            covered_from: look.covered_from.map(day),
            views: View::ALL.map(|view| (view.as_str(), view_of(readers, look, view))).into(),
            levels: look.levels.iter().map(Level::new).collect(),
            forecast: Forecast::new(look, &readers.policy),
            days: look.days.iter().map(DayOf::new).collect(),
            rolling: look.rolling.iter().map(as_of).collect(),
            cycles: Cycles::new(look),
            defects: look.defects.iter().map(Defect::new).collect(),
            defects_total: look.defects_total,
            alerts: sent.iter().filter_map(|alert| raw(alert)).collect(),
        }
    }
}

/// An alert's value as it stands in the topic.
pub(super) fn raw(alert: &SentAlert) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(&alert.value).ok()?;
    RawValue::from_string(text.to_owned()).ok()
}

fn view_of(readers: &Readers, look: &AccountLook, view: View) -> ViewOf {
    let policy = &readers.policy;
    let [mfn, afn] = &look.row.totals[view.index()];
    let all = look.row.all(view);
    let rate = all.rate();
    let (from, to) = look.windows[view.index()];
    ViewOf {
        window: Days { from: day(from), to: day(to) },
        all: Rates::of(&all, policy.min_orders),
        mfn: Rates::of(mfn, policy.min_orders),
        afn: Rates::of(afn, policy.min_orders),
        headroom: rate.headroom(policy.warning.raise_bp, policy.warning.min_defects).into(),
        headroom_critical: rate
            .headroom(policy.critical.raise_bp, policy.critical.min_defects)
            .into(),
    }
}

fn as_of((at, counts): &(Day, Counts)) -> AsOf {
    AsOf { as_of: day(*at), orders: counts.orders, defective_orders: counts.defective }
}

impl Level {
    fn new(level: &LevelLook) -> Self {
        Self {
            kind: level.kind.as_str(),
            scope: level.scope.as_str(),
            view: level.view.as_str(),
            threshold: basis_points(level.threshold.raise_bp),
            clear_at: basis_points(level.threshold.clear_bp),
            min_defects: level.threshold.min_defects,
            active: level.is_up,
            headroom: level.headroom.into(),
            recovers_on: level.recovers_on.map(day),
            streak: level.streak,
        }
    }
}

impl Forecast {
    fn new(look: &AccountLook, policy: &Policy) -> Self {
        let recovers_on = look.row.recovers_on;
        let window = i32::try_from(policy.window_days).expect("a window of few days");
        let leaves = recovers_on.map(|on| on.plus(-window));
        let leaving = look.days.iter().find(|item| Some(item.day) == leaves);
        let leaving = leaving.map(DayCounts::all).unwrap_or_default();
        Self {
            recovers_on: recovers_on.map(day),
            leaves: leaves.map(day),
            orders_leaving: leaving.orders,
            defective_leaving: leaving.defective,
            days: look.forecast.iter().map(as_of).collect(),
        }
    }
}

impl DayOf {
    fn new(item: &DayCounts) -> Self {
        let ([mfn, afn], all) = (&item.counts, item.all());
        Self {
            day: day(item.day),
            orders: all.orders,
            defective_orders: all.defective,
            provisional_only: all.provisional_only,
            by_kind: kinds(|kind| u64::from(all.by_kind[kind.index()])),
            mfn: mfn.rate().into(),
            afn: afn.rate().into(),
        }
    }
}

impl Cycles {
    fn new(look: &AccountLook) -> Self {
        let (from, to, closes_ms) = look.cycle;
        let streak =
            look.levels.iter().find(|level| (level.scope, level.view) == (Scope::All, View::Live));
        Self {
            current: CurrentCycle { from: day(from), to: day(to), closes_at: instant(closes_ms) },
            past: look
                .cycles
                .iter()
                .map(|cycle| PastCycle {
                    from: day(cycle.from),
                    to: day(cycle.to),
                    orders: cycle.rate.map(|rate| rate.orders),
                    defective_orders: cycle.rate.map(|rate| rate.defective),
                    over: cycle.is_bad,
                    streak: cycle.streak,
                })
                .collect(),
            streak: streak.map_or(0, |level| level.streak),
        }
    }
}
