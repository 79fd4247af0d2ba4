//! What to do about defects, of one account or over all.
//!
//! Over all accounts the work is bounded: the accounts at most risk are looked at, a few at once,
//! by one request at a time, and what came of it is kept for a moment. Invariant: the order is
//! total, so that a cursor finds its place again after items have come and gone.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::StreamExt;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::account::look;
use super::asked::{Asked, Named, known, limit};
use super::care::{RuleOf, ShareOf, WorkItem, WorkOf};
use super::elsewhere::Redirect;
use super::sellers::marketplace;
use super::work::{Worked, work_item};
use super::{Answer, Meta, Readers, Refusal, now_ms, readers};
use crate::advice::Language;
use crate::advice::worklist::{Item, Place};
use crate::domain::policy::View;
use crate::http::HttpState;
use crate::pipeline::query::{AccountLook, Filter, SellerRow, Sort};

/// Items of a page, if nothing is asked for, and at most.
const PAGE: (usize, usize) = (50, 200);

/// Accounts that are looked at where none is named: those at most risk.
const MOST_ACCOUNTS: usize = 32;

/// Accounts that are asked for at once: a small part of what may wait for a worker.
const AT_ONCE: usize = 4;

/// How often an account is asked for whose worker has too many questions.
const TRIES: usize = 5;

/// How long a worker with too many questions is left alone.
const LEFT_ALONE: std::time::Duration = std::time::Duration::from_millis(20);

/// How long a worklist over several accounts is kept, in ms.
const KEPT_MS: i64 = 2_000;

/// How many of them are kept.
const KEPT: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameters {
    #[serde(default)]
    seller: String,
    marketplace: Option<String>,
    #[serde(default)]
    language: String,
    limit: Option<usize>,
    #[serde(default)]
    cursor: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Worklist {
    meta: Meta,
    #[serde(flatten)]
    work: WorkOf,
    accounts: Accounts,
    next_cursor: Option<String>,
}

/// Of how many accounts with defects a worklist is made.
#[derive(Clone, Copy, Debug, Serialize)]
struct Accounts {
    looked_at: usize,
    with_defects: usize,
}

/// Worklists over several accounts, for a moment.
#[derive(Debug, Default)]
pub struct Worklists(Mutex<Vec<(Which, i64, Arc<Gathered>)>>);

/// Which accounts a worklist is over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Which {
    seller_id: Option<String>,
    marketplace_id: Option<String>,
}

/// The worklists of some accounts in one order.
#[derive(Debug)]
struct Gathered {
    items: Vec<(Item, Vec<RuleOf>)>,
    left_alone: usize,
    shares: Vec<ShareOf>,
    accounts: Accounts,
}

/// `GET /api/v1/worklist`
pub(super) async fn list(
    State(state): State<Arc<HttpState>>,
    Asked(asked): Asked<Parameters>,
) -> Answer<Worklist> {
    let readers = readers(&state)?;
    let most = limit(asked.limit, PAGE)?;
    let language = match asked.language.as_str() {
        "" => None,
        name => Some(known(&Language::ALL, Language::as_str, "language", name)?),
    };
    let after = cursor(&asked.cursor)?;
    let which = Which {
        seller_id: Some(asked.seller).filter(|seller| !seller.is_empty()),
        marketplace_id: marketplace(asked.marketplace),
    };
    let gathered = gathered(readers, which).await;
    let after = after.as_ref().map(borrowed);
    let start = gathered
        .items
        .partition_point(|(item, _)| after.as_ref().is_some_and(|after| item.place() <= *after));
    let page = &gathered.items[start..];
    let shown = &page[..most.min(page.len())];
    let items: Vec<WorkItem> =
        shown.iter().map(|(item, rules)| work_item(item, rules, language, &readers.care)).collect();
    let last = shown.last().filter(|_| shown.len() < page.len());
    Ok(Json(Worklist {
        meta: readers.meta(),
        next_cursor: last.map(|(item, _)| {
            let text = serde_json::to_vec(&item.place()).expect("numbers and texts");
            BASE64_URL_SAFE_NO_PAD.encode(text)
        }),
        work: WorkOf {
            judged: readers.care.judges,
            items,
            total: gathered.items.len(),
            left_alone: gathered.left_alone,
            shares: gathered.shares.clone(),
        },
        accounts: gathered.accounts,
    }))
}

fn cursor(text: &str) -> Result<Option<Place<String>>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let place = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.map(Some).ok_or_else(|| Refusal::bad("cursor must be a next_cursor of an earlier answer"))
}

fn borrowed(place: &Place<String>) -> Place<&str> {
    let (first, saving, due_ms, action, seller, marketplace, order, kind, reference) = place;
    (*first, *saving, *due_ms, *action, seller, marketplace, order, *kind, reference.as_deref())
}

/// The worklist over some accounts: the one that is kept, if it is fresh.
async fn gathered(readers: &Readers, which: Which) -> Arc<Gathered> {
    // Whoever comes meanwhile waits here, and then finds it made.
    let mut kept = readers.worklists.0.lock().await;
    kept.retain(|(_, made_ms, _)| (0..KEPT_MS).contains(&(now_ms() - made_ms)));
    if let Some((.., gathered)) = kept.iter().find(|(of, ..)| *of == which) {
        return Arc::clone(gathered);
    }
    let gathered = Arc::new(gather(readers, &which).await);
    if kept.len() == KEPT {
        kept.remove(0);
    }
    kept.push((which, now_ms(), Arc::clone(&gathered)));
    gathered
}

async fn gather(readers: &Readers, which: &Which) -> Gathered {
    let rows = accounts(readers, which);
    let named = rows.iter().take(MOST_ACCOUNTS).map(|row| Named {
        seller_id: row.row.seller_id.to_string(),
        marketplace_id: row.row.marketplace_id.to_string(),
    });
    let named: Vec<Named> = named.collect();
    let looks = stream::iter(named).map(|named| patiently(readers, named));
    let looks: Vec<_> = looks.buffer_unordered(AT_ONCE).collect().await;
    let mut gathered = Gathered {
        items: Vec::new(),
        left_alone: 0,
        shares: Vec::new(),
        accounts: Accounts { looked_at: 0, with_defects: rows.len() },
    };
    for look in looks.into_iter().flatten() {
        let worked = Worked::of_account(&look, readers);
        gathered.accounts.looked_at += 1;
        gathered.left_alone += worked.left_alone();
        gathered.shares.extend(worked.share());
        let items = worked.items().map(|(item, rules)| (item.clone(), rules.to_vec()));
        gathered.items.extend(items);
    }
    gathered.items.sort_unstable_by(|(left, _), (right, _)| left.order(right));
    gathered.shares.sort_unstable_by(|left, right| {
        let name = |share: &ShareOf| (!share.hides_target, share.seller_id.clone());
        (name(left), &left.marketplace_id).cmp(&(name(right), &right.marketplace_id))
    });
    gathered
}

/// An account in full, asked for again where its worker has too many questions.
async fn patiently(readers: &Readers, named: Named) -> Option<Box<AccountLook>> {
    // Accounts of the rows here are asked for here; where one has gone since, it is left out.
    let (redirect, uri) = (Redirect::Say, Uri::default());
    for _ in 0..TRIES {
        match look(readers, &named, (redirect, &uri)).await {
            Ok(look) => return Some(look),
            Err(refusal) if refusal.is_busy() => tokio::time::sleep(LEFT_ALONE).await,
            Err(_) => return None,
        }
    }
    None
}

/// The accounts with defects, those at most risk first.
fn accounts(readers: &Readers, which: &Which) -> Vec<Arc<SellerRow>> {
    let filter = Filter {
        text: which.seller_id.clone().unwrap_or_default(),
        marketplace_id: which.marketplace_id.clone(),
        ..Filter::default()
    };
    let listing = readers.model.listing(now_ms());
    let page = listing.page(&filter, (Sort::Risk, false), None, usize::MAX);
    let is_named = |row: &SellerRow| {
        which.seller_id.as_deref().is_none_or(|seller_id| *row.row.seller_id == *seller_id)
    };
    let has_defects =
        |row: &SellerRow| View::ALL.iter().any(|view| row.row.all(*view).defective > 0);
    page.rows.into_iter().filter(|row| is_named(row) && has_defects(row)).collect()
}
