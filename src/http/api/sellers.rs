//! The list of sellers: searched, filtered, sorted, a page at a time.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::answers::Row;
use super::asked::{Asked, known, limit};
use super::{Answer, Meta, Refusal, now_ms, readers};
use crate::domain::event::Channel;
use crate::domain::risk::Band;
use crate::http::HttpState;
use crate::pipeline::query::{Filter, Sort};

/// The rows of a page, if nothing is asked for, and at most.
const PAGE: (usize, usize) = (50, 200);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
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
    Asked(asked): Asked<ListParameters>,
) -> Answer<List> {
    let readers = readers(&state)?;
    let sort = match asked.sort.as_str() {
        "" => Sort::Risk,
        name => known(&Sort::ALL, Sort::as_str, "sort", name)?,
    };
    let is_reversed = is_reversed(sort, &asked.order)?;
    let most = limit(asked.limit, PAGE)?;
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
pub(super) fn marketplace(asked: Option<String>) -> Option<String> {
    asked.filter(|name| !name.is_empty()).map(|name| if name == "-" { String::new() } else { name })
}
