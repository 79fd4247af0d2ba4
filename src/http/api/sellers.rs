//! Sellers: the list, and one account in full.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::answers::{Pair, Rates, Room, Row, basis_points, kinds};
use super::{Answer, Meta, Readers, Refusal, now_ms, readers};
use crate::domain::event::{
    Channel, ChargebackReason, ChargebackStatus, ClaimStatus, DefectFact, FeedbackStatus,
};
use crate::domain::look::{AccountLook, DefectLook};
use crate::domain::policy::{Counting, Policy, Scope, View};
use crate::domain::risk::Band;
use crate::http::HttpState;
use crate::pipeline::query::{Filter, Inquiry, NotAsked, SentAlert, Sort};
use crate::wire::time::{day, instant};

/// The rows of a page, if nothing is asked for, and at most.
const PAGE: (usize, usize) = (50, 200);

/// Alerts that one account shows.
const SHOWN_ALERTS: usize = 50;

#[derive(Debug, Deserialize)]
pub(super) struct ListParameters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    band: String,
    marketplace: Option<String>,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    order: String,
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize)]
pub(super) struct List {
    meta: Meta,
    items: Vec<Row>,
    next_cursor: Option<String>,
    total: usize,
    marketplaces: Vec<Box<str>>,
}

/// `GET /api/v1/sellers`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Query(asked): Query<ListParameters>,
) -> Answer<List> {
    let readers = readers(&state)?;
    let sort = match asked.sort.as_str() {
        "" => Sort::Risk,
        name => known(&Sort::ALL, Sort::as_str, "sort", name)?,
    };
    let is_reversed = is_reversed(sort, &asked.order)?;
    let most = asked.limit.unwrap_or(PAGE.0).clamp(1, PAGE.1);
    let after = cursor(&asked.cursor)?;
    let filter = filter(asked)?;
    let listing = readers.model.listing(now_ms());
    let after = after.as_ref().map(|(seller, marketplace)| (&**seller, &**marketplace));
    let page = listing.page(&filter, (sort, is_reversed), after, most);
    let last = page.rows.last().filter(|_| page.has_more);
    Ok(Json(List {
        meta: readers.meta(),
        next_cursor: last.map(|row| {
            let name = (&row.row.seller_id, &row.row.marketplace_id);
            let text = serde_json::to_vec(&name).expect("two texts can be encoded");
            BASE64_URL_SAFE_NO_PAD.encode(text)
        }),
        items: page.rows.iter().map(|row| Row::new(row, readers.policy.min_orders)).collect(),
        total: page.total,
        marketplaces: listing.marketplaces().to_vec(),
    }))
}

/// A value of a closed set by its name.
fn known<T: Copy>(
    all: &[T],
    name: impl Fn(T) -> &'static str,
    parameter: &str,
    asked: &str,
) -> Result<T, Refusal> {
    all.iter().copied().find(|value| name(*value) == asked).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|value| name(*value)).collect();
        Refusal::bad(format!("{parameter} must be one of {}", names.join(", ")))
    })
}

fn is_reversed(sort: Sort, order: &str) -> Result<bool, Refusal> {
    // Numbers come the greatest first unless asked otherwise, names the smallest first.
    let natural = if sort == Sort::Seller { "asc" } else { "desc" };
    match order {
        "" => Ok(false),
        "asc" | "desc" => Ok(order != natural),
        _ => Err(Refusal::bad("order must be asc or desc")),
    }
}

fn cursor(text: &str) -> Result<Option<(String, String)>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let name = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    name.map(Some).ok_or_else(|| Refusal::bad("cursor must be a next_cursor of an earlier answer"))
}

fn filter(asked: ListParameters) -> Result<Filter, Refusal> {
    let bands = asked.band.split(',').filter(|name| !name.is_empty());
    let bands: Result<_, _> =
        bands.map(|name| known(&Band::ALL, Band::as_str, "band", name)).collect();
    let channel = match asked.channel.as_str() {
        "" => None,
        name => Some(known(&Channel::ALL, Channel::as_str, "channel", name)?),
    };
    let text = asked.q;
    Ok(Filter { text, bands: bands?, marketplace_id: marketplace(asked.marketplace), channel })
}

/// `-` stands for no marketplace, nothing for any.
fn marketplace(asked: Option<String>) -> Option<String> {
    asked.filter(|name| !name.is_empty()).map(|name| if name == "-" { String::new() } else { name })
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

#[derive(Debug, Serialize)]
struct Defect {
    order_id: Box<str>,
    kind: &'static str,
    #[serde(rename = "ref")]
    reference: Option<Box<str>>,
    purchase_day: String,
    channel: &'static str,
    counted: bool,
    provisional: bool,
    state: &'static str,
    rating: Option<u8>,
    event_time: String,
    struck: bool,
    why: String,
}

/// `GET /api/v1/sellers/{seller}/{marketplace}`
pub(super) async fn one(
    State(state): State<Arc<HttpState>>,
    Path((seller_id, marketplace_id)): Path<(String, String)>,
) -> Answer<Account> {
    let readers = readers(&state)?;
    let marketplace_id = if marketplace_id == "-" { String::new() } else { marketplace_id };
    let look = look(readers, &seller_id, &marketplace_id).await?;
    Ok(Json(Account::new(readers, &look)))
}

/// Asks the account's worker.
pub(super) async fn look(
    readers: &Readers,
    seller_id: &str,
    marketplace_id: &str,
) -> Result<Box<AccountLook>, Refusal> {
    let (send, receive) = oneshot::channel();
    let inquiry = Inquiry {
        seller_id: seller_id.to_owned(),
        marketplace_id: marketplace_id.to_owned(),
        // The one who asked may have gone away meanwhile.
        answer: Box::new(move |answer| drop(send.send(answer))),
    };
    let asked = readers.model.ask(inquiry);
    match asked {
        Ok(()) => {}
        Err(NotAsked::Unknown) => return Err(unknown(seller_id)),
        Err(why @ (NotAsked::Busy | NotAsked::Gone)) => {
            let hint = Some("Ask again in a moment.");
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Err(Refusal::new(status, "busy", why.to_string(), hint));
        }
    }
    receive.await.ok().flatten().ok_or_else(|| unknown(seller_id))
}

fn unknown(seller_id: &str) -> Refusal {
    let message = format!("No account of {seller_id} in this marketplace is held here.");
    let hint = "An account appears with its first order, and once its shard is live.";
    Refusal::new(StatusCode::NOT_FOUND, "not_found", message, Some(hint))
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
    let counts = &look.row.totals[view.index()];
    let [mfn, afn] = counts;
    let rate = crate::domain::rate::Rate {
        defective: mfn.defective + afn.defective,
        orders: mfn.orders + afn.orders,
    };
    let (from, to) = look.windows[view.index()];
    ViewOf {
        window: Days { from: day(from), to: day(to) },
        all: Rates::of(counts, policy.min_orders),
        mfn: Rates::of(&[*mfn], policy.min_orders),
        afn: Rates::of(&[*afn], policy.min_orders),
        headroom: rate.headroom(policy.warning.raise_bp, policy.warning.min_defects).into(),
        headroom_critical: rate
            .headroom(policy.critical.raise_bp, policy.critical.min_defects)
            .into(),
    }
}

fn as_of((at, counts): &(crate::domain::time::Day, crate::domain::effects::Counts)) -> AsOf {
    AsOf { as_of: day(*at), orders: counts.orders, defective_orders: counts.defective }
}

impl Level {
    fn new(level: &crate::domain::look::LevelLook) -> Self {
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
        let [mfn, afn] = leaving.map_or_else(Default::default, |item| item.counts);
        Self {
            recovers_on: recovers_on.map(day),
            leaves: leaves.map(day),
            orders_leaving: mfn.orders + afn.orders,
            defective_leaving: mfn.defective + afn.defective,
            days: look.forecast.iter().map(as_of).collect(),
        }
    }
}

impl DayOf {
    fn new(item: &crate::domain::look::DayCounts) -> Self {
        let [mfn, afn] = &item.counts;
        Self {
            day: day(item.day),
            orders: mfn.orders + afn.orders,
            defective_orders: mfn.defective + afn.defective,
            provisional_only: mfn.provisional_only + afn.provisional_only,
            by_kind: kinds(|kind| u64::from(mfn.by_kind[kind.index()] + afn.by_kind[kind.index()])),
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

impl Defect {
    fn new(look: &DefectLook) -> Self {
        let (rating, struck) = match look.fact {
            DefectFact::Feedback { status, rating } => {
                let struck =
                    matches!(status, FeedbackStatus::StruckThrough | FeedbackStatus::Removed);
                (Some(rating), struck)
            }
            DefectFact::Claim { .. } | DefectFact::Chargeback { .. } => (None, false),
        };
        Self {
            order_id: look.order_id.clone(),
            kind: look.fact.kind().as_str(),
            reference: look.reference.clone(),
            purchase_day: day(look.purchase_day),
            channel: look.channel.as_str(),
            counted: look.counting != Counting::No,
            provisional: look.counting == Counting::Provisional,
            state: state_of(&look.fact),
            rating,
            event_time: instant(look.event_time.ms()),
            struck,
            why: why(look),
        }
    }
}

/// The status of a fact, as its topic spells it.
const fn state_of(fact: &DefectFact) -> &'static str {
    match fact {
        DefectFact::Feedback { status, .. } => match status {
            FeedbackStatus::Posted => "posted",
            FeedbackStatus::Updated => "updated",
            FeedbackStatus::Withdrawn => "withdrawn",
            FeedbackStatus::StruckThrough => "struck_through",
            FeedbackStatus::Removed => "removed",
        },
        DefectFact::Claim { status, .. } => match status {
            ClaimStatus::Filed => "filed",
            ClaimStatus::UnderReview => "under_review",
            ClaimStatus::Granted => "granted",
            ClaimStatus::Denied => "denied",
            ClaimStatus::Withdrawn => "withdrawn",
            ClaimStatus::ClosedRefunded => "closed_refunded",
            ClaimStatus::Appealed => "appealed",
            ClaimStatus::Reversed => "reversed",
        },
        DefectFact::Chargeback { status, .. } => match status {
            ChargebackStatus::Opened => "opened",
            ChargebackStatus::UnderReview => "under_review",
            ChargebackStatus::Lost => "lost",
            ChargebackStatus::Won => "won",
            ChargebackStatus::Reversed => "reversed",
        },
    }
}

/// Why a fact counts, or does not.
fn why(look: &DefectLook) -> String {
    let counts = look.counting != Counting::No;
    let text = match look.fact {
        DefectFact::Feedback { status: FeedbackStatus::StruckThrough, .. } => {
            "struck through by the marketplace: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Removed, .. } => {
            "removed by the marketplace: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Withdrawn, .. } => {
            "withdrawn by the buyer: no longer counts"
        }
        DefectFact::Feedback { status: FeedbackStatus::Updated, .. } if !counts => {
            "changed by the buyer: no longer negative"
        }
        DefectFact::Feedback { .. } if counts => "negative feedback",
        DefectFact::Claim { .. } if look.counting == Counting::Provisional => {
            "not decided yet: counts until it is"
        }
        DefectFact::Claim { .. } if counts => "granted at the seller's cost",
        DefectFact::Claim { .. } => "denied, withdrawn, reversed or paid by the marketplace",
        DefectFact::Chargeback { reason: ChargebackReason::Fraud, .. } => "for fraud: never counts",
        DefectFact::Chargeback { .. } if look.counting == Counting::Provisional => {
            "not decided yet: counts until it is"
        }
        DefectFact::Chargeback { .. } if counts => "for service, and lost",
        DefectFact::Chargeback { .. } => "won or reversed",
        DefectFact::Feedback { .. } => "its order does not count yet",
    };
    text.to_owned()
}
