//! The latest alerts, as they stand in the topic.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::account::raw;
use super::asked::{Asked, known, limit};
use super::{Answer, Meta, Refusal, readers};
use crate::domain::effects::{AlertKind, AlertState};
use crate::http::HttpState;
use crate::pipeline::query::SentAlert;

/// Alerts of a page, if nothing is asked for, and at most.
const PAGE: (usize, usize) = (50, 200);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    seller: String,
    #[serde(default)]
    marketplace: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    state: String,
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize)]
pub(super) struct List {
    meta: Meta,
    items: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// `GET /api/v1/alerts`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Asked(asked): Asked<Parameters>,
) -> Answer<List> {
    let readers = readers(&state)?;
    let most = limit(asked.limit, PAGE)?;
    let kind = match asked.kind.as_str() {
        "" => None,
        name => Some(known(&AlertKind::ALL, AlertKind::as_str, "kind", name)?),
    };
    let state = match asked.state.as_str() {
        "" => None,
        name => Some(known(&AlertState::ALL, AlertState::as_str, "state", name)?),
    };
    let before = match asked.cursor.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| Refusal::bad("cursor must be a next_cursor of an earlier answer"))?,
        ),
    };
    let keep = |alert: &SentAlert| {
        (asked.seller.is_empty() || *alert.seller_id == asked.seller)
            && is_in(&asked.marketplace, &alert.marketplace_id)
            && kind.is_none_or(|kind| alert.kind == kind)
            && state.is_none_or(|state| alert.state == state)
    };
    // One more than is shown tells whether more follow.
    let mut found = readers.model.alerts(before, most + 1, keep);
    let has_more = found.len() > most;
    found.truncate(most);
    Ok(Json(List {
        meta: readers.meta(),
        next_cursor: found.last().filter(|_| has_more).map(|alert| alert.number.to_string()),
        items: found.iter().filter_map(|alert| raw(alert)).collect(),
    }))
}

fn is_in(asked: &str, marketplace_id: &str) -> bool {
    match asked {
        "" => true,
        "-" => marketplace_id.is_empty(),
        name => name == marketplace_id,
    }
}
