//! The JSON API under `/api/v1`: what the pages, and programs, ask of a running odrwatch.
//!
//! Invariants:
//! - Every number comes from committed state, and says how old it is (`meta`).
//! - A rate is a pair of integers, and a text of six decimals cut from it; never a float.
//! - A handler copies what it needs and encodes it; it holds no lock while it does.

mod alerts;
mod answers;
mod events;
mod market;
mod sellers;

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::HttpState;
use crate::domain::policy::Policy;
use crate::domain::time::Day;
use crate::pipeline::query::{ReadModel, ShardSeen};
use crate::wire::time::{day, instant};

/// What the API answers from.
#[derive(Debug)]
pub struct Readers {
    /// What the workers show.
    pub model: Arc<ReadModel>,
    /// The policy.
    pub policy: Policy,
    /// How many shards there are, in all members of the group.
    pub shards: usize,
    /// The names of the four input topics.
    pub topics: [String; 4],
    /// Whether the data are invented.
    pub is_synthetic: bool,
    /// The configuration in effect, without secrets.
    pub config: serde_json::Value,
}

/// The routes of the API.
pub(super) fn routes() -> Router<Arc<HttpState>> {
    Router::new()
        .route("/api/v1/summary", get(market::summary))
        .route("/api/v1/market/history", get(market::history))
        .route("/api/v1/sellers", get(sellers::list))
        .route("/api/v1/sellers/{seller}/{marketplace}", get(sellers::one))
        .route("/api/v1/alerts", get(alerts::list))
        .route("/api/v1/worklist", get(market::worklist))
        .route("/api/v1/shards", get(market::shards))
        .route("/api/v1/dead-letters", get(market::dead_letters))
        .route("/api/v1/config", get(market::config))
        .route("/api/v1/events", get(events::stream))
}

/// An answer that is not one: what happened, and what to do.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    error: Problem,
}

#[derive(Debug, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
    hint: Option<&'static str>,
}

impl Refusal {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<&'static str>,
    ) -> Self {
        Self { status, error: Problem { code, message: message.into(), hint } }
    }

    fn bad(message: impl Into<String>) -> Self {
        let hint = "The parameters and their values are listed in /api/v1/openapi.json.";
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, Some(hint))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}

/// The answer to a request, or a refusal.
type Answer<T> = Result<Json<T>, Refusal>;

/// The readers of a state, or a refusal where there are none.
fn readers(state: &HttpState) -> Result<&Readers, Refusal> {
    state.readers.as_ref().ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "not_here", "this command serves no API", None)
    })
}

/// How fresh an answer is, and whose shards it is made from.
#[derive(Debug, Serialize)]
struct Meta {
    as_of: Option<String>,
    boundary: Option<String>,
    age_ms: i64,
    shards: ShardsAnswered,
    synthetic: bool,
}

#[derive(Debug, Serialize)]
struct ShardsAnswered {
    answered: usize,
    total: usize,
    elsewhere: Vec<String>,
}

impl Readers {
    fn meta(&self) -> Meta {
        let shards = self.model.shards();
        let boundary = shards.values().filter_map(lasts).min();
        let as_of = shards.values().filter_map(|seen| seen.as_of).max();
        Meta {
            as_of: as_of.map(day),
            boundary: boundary.map(instant),
            age_ms: boundary.map_or(0, |at| now_ms() - at),
            shards: ShardsAnswered {
                answered: shards.len(),
                total: self.shards,
                elsewhere: Vec::new(),
            },
            synthetic: self.is_synthetic,
        }
    }

    /// Of one account: as of its own boundary.
    fn meta_of(&self, as_of: Day, boundary_ms: i64) -> Meta {
        let mut meta = self.meta();
        meta.as_of = Some(day(as_of));
        meta.boundary = Some(instant(boundary_ms));
        meta.age_ms = now_ms() - boundary_ms;
        meta
    }
}

/// The instant up to which a shard's state is complete: its last boundary, or now where nothing
/// that it has not closed is due.
fn lasts(seen: &ShardSeen) -> Option<i64> {
    let boundary = seen.boundary_ms?;
    Some(if seen.boundary_lag_ms == 0 {
        boundary.max(now_ms() - seen.boundary_lag_ms)
    } else {
        boundary
    })
}

#[expect(clippy::disallowed_methods, reason = "an adapter: how old an answer is")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
