//! The handlers: metrics, liveness, readiness, version and the index.
//!
//! Invariant: a probe answers in text that a person can act on. The only clock here is the
//! watchdog's, which is monotonic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::api::Refusal;
use super::{ENDPOINTS, HttpState};
use crate::telemetry::{HealthBoard, Readiness};

/// The text format's type; Prometheus refuses answers without it.
pub(super) const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a worker may take for one turn before the process counts as stuck: far beyond the
/// longest time-out of a transaction and of a new connection, so that a restart is never the
/// answer to a slow broker.
const STUCK_AFTER: Duration = Duration::from_mins(5);

/// Sees when a worker finishes no turns any more.
#[derive(Default)]
pub(super) struct Watchdog {
    /// By worker: the turns seen last, and when they were first seen.
    seen: Mutex<BTreeMap<usize, (u64, Instant)>>,
}

impl Watchdog {
    /// The first worker that has finished no turn for [`STUCK_AFTER`], and for how long.
    fn stuck(&self, health: &HealthBoard, now: Instant) -> Option<(usize, Duration)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stuck = None;
        for (worker, beats) in health.beats().into_iter().enumerate() {
            let last = seen.entry(worker).or_insert((beats, now));
            if last.0 != beats {
                *last = (beats, now);
            }
            let silent = now.saturating_duration_since(last.1);
            if silent >= STUCK_AFTER && stuck.is_none() {
                stuck = Some((worker, silent));
            }
        }
        stuck
    }
}

/// `GET /metrics`
pub(super) async fn metrics(State(state): State<Arc<HttpState>>) -> Response {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], state.metrics.render()).into_response()
}

/// `GET /livez`, `GET /healthz`
#[expect(clippy::disallowed_methods, reason = "an adapter: whether a worker stands still")]
pub(super) async fn livez(State(state): State<Arc<HttpState>>) -> Response {
    liveness(&state, Instant::now())
}

pub(super) fn liveness(state: &HttpState, now: Instant) -> Response {
    let health = state.metrics.health();
    if let Some((worker, reason)) = health.dead_worker() {
        return unavailable(&format!("worker {worker} ended: {reason}"));
    }
    if let Some((worker, silent)) = state.watchdog.stuck(health, now) {
        let seconds = silent.as_secs();
        return unavailable(&format!("worker {worker} finished no turn for {seconds} s"));
    }
    "alive\n".into_response()
}

/// `GET /readyz`
pub(super) async fn readyz(State(state): State<Arc<HttpState>>) -> Response {
    let health = state.metrics.health();
    let troubles = health.troubles();
    let degraded: String =
        troubles.iter().map(|trouble| format!("\ndegraded: {trouble}")).collect();
    match health.readiness() {
        Readiness::Ready => format!("ready{degraded}\n").into_response(),
        Readiness::NotReady { reason } => unavailable(&format!("{reason}{degraded}")),
    }
}

fn unavailable(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}

#[derive(Serialize)]
struct Version<'a> {
    name: &'static str,
    version: &'a str,
    commit: &'a str,
    librdkafka: &'a str,
}

/// `GET /version`
pub(super) async fn version(State(state): State<Arc<HttpState>>) -> Response {
    let build = state.metrics.build();
    let version = Version {
        name: "odrwatch",
        version: &build.version,
        commit: &build.commit,
        librdkafka: &build.librdkafka,
    };
    let mut body = serde_json::to_string(&version).expect("four strings are always JSON");
    body.push('\n');
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// `GET /`: the pages for a browser, the list of endpoints for everything else.
pub(super) async fn index(State(state): State<Arc<HttpState>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if state.readers.is_some() && accept.is_some_and(|kinds| kinds.contains("text/html")) {
        return super::assets::index();
    }
    list("odrwatch").into_response()
}

/// Any other path.
pub(super) async fn not_found(uri: Uri) -> Response {
    if uri.path().starts_with("/api/") {
        let hint = "The paths are listed in /api/v1/openapi.json.";
        return Refusal::not_found("There is nothing at this path.", hint).into_response();
    }
    let title = format!("there is nothing at {}", uri.path());
    (StatusCode::NOT_FOUND, list(&title)).into_response()
}

fn list(title: &str) -> String {
    let mut text = format!("{title}\n\n");
    for (path, answer) in ENDPOINTS {
        text.push_str(&format!("{path:<10} {answer}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::WorkerNo;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn a_worker_is_stuck_only_after_its_turns_stood_still_for_long() {
        let (watchdog, health) = (Watchdog::default(), HealthBoard::new(2));
        let start = Instant::now();
        assert_eq!(watchdog.stuck(&health, start), None);
        let later = start + Duration::from_mins(4);
        health.beat(WorkerNo::new(0));
        assert_eq!(watchdog.stuck(&health, later), None);
        let late = start + STUCK_AFTER;
        assert_eq!(watchdog.stuck(&health, late), Some((1, STUCK_AFTER)));
        health.beat(WorkerNo::new(1));
        assert_eq!(watchdog.stuck(&health, late), None);
    }
}
