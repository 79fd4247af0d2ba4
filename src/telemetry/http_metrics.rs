//! What is told of the connections of the HTTP server.

use prometheus::{IntCounter, IntGauge};

use super::declarations as declared;
use super::metrics::whole;
pub use super::outside::Closed;
use super::registrar::Registrar;

/// Counts connections; a copy counts the same ones.
#[derive(Clone)]
pub struct HttpMetrics {
    open: IntGauge,
    closed: [IntCounter; 4],
}

impl HttpMetrics {
    pub(super) fn new(registrar: &Registrar) -> Self {
        Self {
            open: registrar.gauge(&declared::HTTP_CONNECTIONS),
            closed: registrar.counters(&declared::HTTP_CLOSED, Closed::ALL.map(Closed::as_str)),
        }
    }

    /// Sets how many are open.
    pub fn set_open(&self, count: usize) {
        self.open.set(whole(count));
    }

    /// Counts one that was closed on its client.
    pub fn closed(&self, cause: Closed) {
        self.closed[cause.index()].inc();
    }
}
