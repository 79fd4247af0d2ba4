//! The JSON API under `/api/v1`: what the pages, and programs, ask of a running odrwatch.
//!
//! Invariants:
//! - Every number comes from committed state, and says how old it is (`meta`).
//! - A rate is a pair of integers, and a text of six decimals cut from it; never a float.
//! - A handler copies what it needs and encodes it; it holds no lock while it does.

mod account;
mod alerts;
mod answers;
mod asked;
mod defects;
mod elsewhere;
mod events;
mod market;
mod report;
mod sellers;
mod session;

use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use serde::Serialize;

use super::{HttpState, access};
use crate::domain::policy::Policy;
use crate::domain::time::Day;
use crate::pipeline::query::{Directory, ReadModel, ShardSeen};
use crate::wire::partition::Partitioner;
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
    /// Who has the others.
    pub directory: Arc<Directory>,
    /// How the shard of a seller is found.
    pub partitioner: Partitioner,
    /// `host:port` by which the other members reach this process.
    pub own_address: Option<String>,
    /// The names of the four input topics.
    pub topics: [String; 4],
    /// Whether the data are invented.
    pub is_synthetic: bool,
    /// The configuration in effect, without secrets.
    pub config: serde_json::Value,
}

/// The OpenAPI document: kept by hand, with the alert's own schema in its place.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| {
    let alert = include_str!("../../../config/schemas/alerts.json");
    let alert = alert.replace("\"#/$defs/", "\"#/components/schemas/Alert/$defs/");
    include_str!("openapi.json").replace("\"ALERT\"", &alert)
});

/// A route: its method, its path, and what answers it.
type Route = (&'static str, &'static str, MethodRouter<Arc<HttpState>>);

/// The routes that ask for the token, if there is one.
fn guarded() -> [Route; 12] {
    [
        ("get", "/api/v1/summary", get(market::summary)),
        ("get", "/api/v1/market/history", get(market::history)),
        ("get", "/api/v1/sellers", get(sellers::list)),
        ("get", "/api/v1/sellers/{seller}/{marketplace}", get(account::one)),
        ("get", "/api/v1/sellers/{seller}/{marketplace}/report", get(report::report)),
        ("get", "/api/v1/alerts", get(alerts::list)),
        ("get", "/api/v1/worklist", get(market::worklist)),
        ("get", "/api/v1/shards", get(market::shards)),
        ("get", "/api/v1/dead-letters", get(market::dead_letters)),
        ("get", "/api/v1/config", get(market::config)),
        ("get", "/api/v1/openapi.json", get(openapi)),
        ("get", "/api/v1/events", get(events::stream)),
    ]
}

/// The routes that do not.
fn open() -> [Route; 1] {
    [("post", "/api/v1/session", post(session::sign_in))]
}

/// All routes by method and path, as the OpenAPI document must have them.
#[must_use]
pub fn paths() -> Vec<(&'static str, &'static str)> {
    guarded().into_iter().chain(open()).map(|(method, path, _)| (method, path)).collect()
}

/// The routes of the API.
pub(super) fn routes(state: &Arc<HttpState>) -> Router<Arc<HttpState>> {
    let add = |routes: Router<Arc<HttpState>>, (_, path, answers): Route| {
        routes.route(path, answers.fallback(other_method))
    };
    let guard = middleware::from_fn_with_state(Arc::clone(state), access::authorise);
    let guarded = guarded().into_iter().fold(Router::new(), add).route_layer(guard);
    open().into_iter().fold(guarded, add)
}

async fn openapi(_: asked::Asked<asked::Nothing>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI.as_str()).into_response()
}

async fn other_method() -> Refusal {
    let hint = "The methods are listed in /api/v1/openapi.json.";
    let message = "This is not asked with this method.";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, hint)
}

/// An answer that is not one: what happened, and what to do.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    #[serde(skip)]
    retry_after: Option<u16>,
    error: Problem,
}

#[derive(Debug, Serialize)]
struct Problem {
    code: &'static str,
    message: String,
    hint: &'static str,
    /// Where to ask instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

impl Refusal {
    fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: &'static str,
    ) -> Self {
        let error = Problem { code, message: message.into(), hint, location: None };
        Self { status, retry_after: None, error }
    }

    fn bad(message: impl Into<String>) -> Self {
        let hint = "The parameters and their values are listed in /api/v1/openapi.json.";
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    pub(super) fn not_found(message: impl Into<String>, hint: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, hint)
    }

    fn too_long() -> Self {
        let hint = "No body of this API is longer than 64 KiB.";
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::new(status, "too_long", "The body is too long.", hint)
    }

    pub(super) fn busy(message: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let refusal = Self::new(status, "busy", message, "Ask again in a moment.");
        Self { retry_after: Some(1), ..refusal }
    }

    fn elsewhere(status: StatusCode, message: String, location: String) -> Self {
        let hint = "Ask at the location, with the same token.";
        let mut refusal = Self::new(status, "elsewhere", message, hint);
        refusal.error.location = Some(location);
        refusal
    }

    pub(super) fn too_many_streams() -> Self {
        let message = "As many streams as may be are open.";
        let hint = "Close some, or ask for what you need from time to time.";
        let refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", message, hint);
        Self { retry_after: Some(10), ..refusal }
    }

    pub(super) fn unauthorised(message: &str) -> Self {
        let hint = "Send it as `Authorization: Bearer TOKEN`, or sign in at /api/v1/session.";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message, hint)
    }

    pub(super) fn unknown_host() -> Self {
        let message = "This service is not known under the host of this request.";
        let hint = "State the name in http.allowed_hosts, or ask by the address.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", message, hint)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let location = self.error.location.as_deref().map(HeaderValue::from_str);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let (StatusCode::TEMPORARY_REDIRECT, Some(Ok(location))) = (status, location) {
            headers.insert(header::LOCATION, location);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// The answer to a request, or a refusal.
type Answer<T> = Result<Json<T>, Refusal>;

/// The readers of a state, or a refusal where there are none.
fn readers(state: &HttpState) -> Result<&Readers, Refusal> {
    let hint = "odrwatch run and odrwatch demo do.";
    state.readers.as_ref().ok_or_else(|| Refusal::not_found("This command serves no API.", hint))
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
    elsewhere: Vec<elsewhere::Elsewhere>,
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
                elsewhere: self.elsewhere(),
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
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
