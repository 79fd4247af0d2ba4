//! The HTTP server: what machines ask of a running odrwatch.
//!
//! | method and path | answer |
//! |---|---|
//! | `GET /metrics` | all metrics, Prometheus text format 0.0.4 |
//! | `GET /metrics/sellers` | accounts at risk, where `metrics.sellers.top` says how many |
//! | `GET /livez` | 200 while the workers run, else 503 and why; never asks Kafka |
//! | `GET /healthz` | the same as `/livez` |
//! | `GET /readyz` | 200 `ready` when every shard is live, else 503 and why |
//! | `GET /version` | which build this is, JSON |
//! | `GET /` | the pages for a browser, this list for everything else |
//! | `GET /assets/...` | the files of the pages |
//! | `/api/v1/...` | the JSON API, see `api` |
//!
//! Invariants: a request is over within [`REQUEST_TIMEOUT`], and a connection obeys the limits of
//! `server`; nothing here blocks or locks for
//! longer than a copy; nothing here holds a shard's state. Absent on purpose: Kafka, threads and
//! the runtime, which belong to the caller of [`serve`].

mod access;
pub mod api;
mod assets;
mod probes;
mod sellers;
mod server;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::info;

pub use access::Door;
pub use server::{DRAIN_TIMEOUT, HEAD_TIMEOUT, MOST_CONNECTIONS, WRITE_TIMEOUT};

use crate::telemetry::Metrics;

/// The longest that a request may take.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest body of a request, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The longest path and parameters of a request, in bytes.
pub const MAX_URI_BYTES: usize = 4 * 1024;

/// The longest headers of a request, in bytes.
pub const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The endpoints and what they answer, as `/` lists them.
pub const ENDPOINTS: [(&str, &str); 5] = [
    ("/metrics", "all metrics, Prometheus text format"),
    ("/livez", "whether the process should be left running (alias: /healthz)"),
    ("/readyz", "whether every shard is live, and if not, why"),
    ("/version", "which build this is, JSON"),
    ("/", "this list"),
];

/// What the endpoints answer from.
pub struct HttpState {
    metrics: Arc<Metrics>,
    watchdog: probes::Watchdog,
    readers: Option<api::Readers>,
    access: access::Access,
    /// Tells this process's alerts from another's, in the ids of events.
    epoch: String,
    /// The accounts that `/metrics/sellers` shows, where it shows any.
    sellers: Option<sellers::Shown>,
    /// Connections that may be open at once.
    most_connections: usize,
    shutdown: watch::Receiver<bool>,
}

impl HttpState {
    /// Answers from these metrics and the health board behind them.
    #[must_use]
    pub fn new(
        metrics: Arc<Metrics>,
        readers: Option<api::Readers>,
        door: &Door,
        shutdown: watch::Receiver<bool>,
    ) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            watchdog: probes::Watchdog::default(),
            readers,
            access: access::Access::new(door),
            epoch: format!("{:x}", api::now_ms()),
            sellers: sellers::Shown::of(door.top_sellers),
            most_connections: door.most_connections,
            shutdown,
        })
    }
}

/// The routes, with their limits. The probes answer everybody who reaches the address.
pub fn router(state: Arc<HttpState>) -> Router {
    let probes = Router::new()
        .route("/metrics", get(probes::metrics))
        .route("/livez", get(probes::livez))
        .route("/healthz", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/version", get(probes::version));
    let admit = middleware::from_fn_with_state(Arc::clone(&state), access::admit);
    let guard = middleware::from_fn_with_state(Arc::clone(&state), access::authorise);
    let sellers = Router::new().route("/metrics/sellers", get(sellers::metrics)).route_layer(guard);
    let routes = Router::new()
        .route("/", get(probes::index))
        .merge(sellers)
        .route("/assets/{*path}", get(assets::file))
        .merge(api::routes(&state))
        .fallback(probes::not_found)
        .layer(admit)
        .merge(probes)
        .with_state(state);
    limited(routes, REQUEST_TIMEOUT)
}

fn limited(routes: Router, timeout: Duration) -> Router {
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn(move |request, next| guard(request, next, timeout)))
}

/// Refuses what is too long, ends slow requests, and marks every answer as not to be stored.
async fn guard(request: Request, next: Next, timeout: Duration) -> Response {
    let headers = request.headers().iter();
    let header_bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    let mut response = if uri_bytes(&request) > MAX_URI_BYTES {
        (StatusCode::URI_TOO_LONG, "the address is too long\n").into_response()
    } else if header_bytes > MAX_HEADER_BYTES {
        (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too long\n").into_response()
    } else if stated_length(&request) > MAX_BODY_BYTES {
        (StatusCode::PAYLOAD_TOO_LARGE, "the body is too long\n").into_response()
    } else {
        match tokio::time::timeout(timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "timed out\n").into_response(),
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn uri_bytes(request: &Request) -> usize {
    request.uri().path_and_query().map_or(0, |path| path.as_str().len())
}

fn stated_length(request: &Request) -> usize {
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0)
}

/// Serves until `shutdown` holds `true` or its sender is gone; then takes no more connections,
/// and waits for the open ones for at most [`DRAIN_TIMEOUT`].
pub async fn serve(listener: TcpListener, state: Arc<HttpState>, shutdown: watch::Receiver<bool>) {
    if let Ok(address) = listener.local_addr() {
        info!(%address, "http server listens");
    }
    let limits = server::Limits::with_places(state.most_connections);
    let metrics = state.metrics.http.clone();
    server::serve_routes(listener, router(state), limits, metrics, shutdown).await;
}

#[cfg(test)]
mod tests;
