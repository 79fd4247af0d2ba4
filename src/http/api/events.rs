//! The stream of changes, as server-sent events.
//!
//! Each connection looks at the read model a few times a second and sends what is new: alerts with
//! the process and their numbers as ids, so that `Last-Event-ID` resumes behind them, and notes of
//! what moved. Nothing is buffered for a slow reader; what it misses of alerts, it is told to ask
//! for again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::market::{StandingOf, shards_of};
use super::{Readers, Refusal, readers};
use crate::http::HttpState;
use crate::pipeline::query::ShardSeen;

/// How often a connection looks for changes.
const LOOK: Duration = Duration::from_millis(250);

/// How many looks lie between two summaries.
const SUMMARY_LOOKS: u32 = 4;

/// How often an idle connection is kept open.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Names of accounts that one event has at most.
const MOST_MOVED: usize = 200;

#[derive(Debug, Serialize)]
struct MovedNote {
    sellers: Vec<(Box<str>, Box<str>)>,
    many: bool,
}

/// What a connection has sent.
struct Connection {
    state: Arc<HttpState>,
    shutdown: watch::Receiver<bool>,
    alerts: u64,
    dead: u64,
    version: u64,
    changes: u64,
    looks: u32,
    phases: Vec<(u32, &'static str)>,
    waiting: std::collections::VecDeque<Event>,
    is_over: bool,
    /// Held as long as the stream is open.
    _place: OwnedSemaphorePermit,
}

/// The number of an alert by the id of its event; beyond all for an id that is not from here.
fn number(state: &HttpState, id: &str) -> u64 {
    let of_here = id.split_once('-').filter(|(epoch, _)| *epoch == state.epoch);
    of_here.and_then(|(_, number)| number.parse().ok()).unwrap_or(u64::MAX)
}

/// `GET /api/v1/events`
pub(super) async fn stream(
    State(state): State<Arc<HttpState>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let readers = readers(&state)?;
    let place = state.access.stream()?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let connection = Connection {
        // An id of another process is that of no alert here: the reader is told to begin anew.
        alerts: last.map_or_else(|| readers.model.alerts_total(), |id| number(&state, id)),
        _place: place,
        dead: dead_total(readers),
        version: readers.model.moved_since(u64::MAX).1,
        changes: 0,
        looks: 0,
        phases: phases(readers),
        waiting: std::collections::VecDeque::new(),
        is_over: false,
        shutdown: state.shutdown.clone(),
        state: Arc::clone(&state),
    };
    let events = stream::unfold(connection, |mut connection| async move {
        let event = connection.next().await?;
        Some((Ok(event), connection))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT).text("hb")))
}

impl Connection {
    /// The next event; none when the server shuts down.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            if self.is_over {
                return None;
            }
            let is_over = tokio::select! {
                () = tokio::time::sleep(LOOK) => false,
                _ = self.shutdown.wait_for(|is_over| *is_over) => true,
            };
            if is_over {
                self.is_over = true;
                self.waiting.push_back(Event::default().event("bye").data("{}"));
            } else {
                self.look();
            }
        }
    }

    fn id(&self, number: u64) -> String {
        format!("{}-{number}", self.state.epoch)
    }

    fn look(&mut self) {
        let state = Arc::clone(&self.state);
        let Some(readers) = &state.readers else { return };
        let changes = readers.model.changes();
        if changes == self.changes {
            return;
        }
        self.changes = changes;
        self.looks = self.looks.wrapping_add(1);
        if let Some(sent) = readers.model.alerts_after(self.alerts) {
            for alert in sent {
                self.alerts = alert.number;
                let text = String::from_utf8_lossy(&alert.value);
                let event = Event::default().event("alert").id(self.id(alert.number));
                self.waiting.push_back(event.data(text));
            }
        } else {
            self.alerts = readers.model.alerts_total();
            let event = Event::default().event("reset").id(self.id(self.alerts));
            self.waiting.push_back(event.data("{}"));
        }
        if self.looks.is_multiple_of(SUMMARY_LOOKS) {
            self.look_around(readers);
        }
    }

    /// What is sent about once a second: what moved, the whole market, shards, dead letters.
    fn look_around(&mut self, readers: &Readers) {
        let (moved, version) = readers.model.moved_since(self.version);
        if version != self.version {
            self.version = version;
            let many = moved.as_ref().is_none_or(|rows| rows.len() > MOST_MOVED);
            let rows = moved.unwrap_or_default();
            let names = rows.iter().filter(|_| !many);
            let mut sellers: Vec<_> = names
                .map(|row| (row.row.seller_id.clone(), row.row.marketplace_id.clone()))
                .collect();
            sellers.sort();
            sellers.dedup();
            self.push("changed", &MovedNote { sellers, many });
            self.push("summary", &StandingOf::new(readers));
        }
        let dead = dead_total(readers);
        if dead != self.dead {
            self.dead = dead;
            let latest = readers.model.dead_letters(1, |_| true);
            if let Some(latest) = latest.first() {
                self.push("dead_letter", &super::market::DeadLetter::new(readers, latest));
            }
        }
        let phases = phases(readers);
        if phases != self.phases {
            self.phases = phases;
            for shard in shards_of(readers) {
                self.push("shard", &shard);
            }
        }
    }

    fn push(&mut self, name: &str, what: &impl Serialize) {
        if let Ok(event) = Event::default().event(name).json_data(what) {
            self.waiting.push_back(event);
        }
    }
}

fn phases(readers: &Readers) -> Vec<(u32, &'static str)> {
    let of = |(number, seen): (crate::domain::ids::ShardNo, ShardSeen)| {
        (number.get(), seen.phase.as_str())
    };
    readers.model.shards().into_iter().map(of).collect()
}

fn dead_total(readers: &Readers) -> u64 {
    readers.model.dead_counts().iter().flatten().sum()
}
