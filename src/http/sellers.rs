//! `GET /metrics/sellers`: accounts at risk, for those who want series about sellers.
//!
//! Invariants: it is there only where it was asked for, and asks for the token like the API, as it
//! names sellers; the number of series is bounded, and they follow the order by risk with
//! hysteresis.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::HttpState;
use super::api::{Refusal, now_ms};
use super::probes::METRICS_TYPE;
use crate::pipeline::query::Leaders;
use crate::telemetry::seller_metrics::render;

/// The accounts that are shown.
pub(super) struct Shown {
    places: usize,
    leaders: Mutex<Leaders>,
}

impl Shown {
    /// In so many places; nothing where there are none.
    pub(super) fn of(places: usize) -> Option<Self> {
        (places > 0).then(|| Self { places, leaders: Mutex::default() })
    }
}

/// `GET /metrics/sellers`
pub(super) async fn metrics(State(state): State<Arc<HttpState>>) -> Response {
    let (Some(readers), Some(shown)) = (&state.readers, &state.sellers) else {
        let hint = "State metrics.sellers.top: how many accounts are to be shown.";
        return Refusal::not_found("No series about sellers are wanted.", hint).into_response();
    };
    let listing = readers.model.listing(now_ms());
    let rows = {
        let mut leaders = shown.leaders.lock().unwrap_or_else(PoisonError::into_inner);
        leaders.pick(&listing, shown.places)
    };
    let text = render(rows.iter().map(|seller| &seller.row), &readers.policy);
    ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response()
}
