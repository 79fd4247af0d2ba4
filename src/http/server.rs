//! Connections: how many there may be, how long they may take, and how they end.
//!
//! ```text
//!   accepted ──> waiting for a request <──> answering ──> closed
//!                        │
//!                        └── the one that waits longest goes where all places are taken
//! ```
//!
//! Invariants:
//! - A connection that does not send the whole head of a request within [`HEAD_TIMEOUT`], or does
//!   not take what was written within [`WRITE_TIMEOUT`], is closed; so is one that idles so long.
//! - There are so many places. Where all are taken, a new connection takes that of the one that
//!   waits longest for a request, so that clients which say nothing keep nobody out; where all are
//!   being answered, it is told to come again.
//! - At the end every answer that was begun is given, and streams say good-bye, within the time
//!   that the caller grants.
//!
//! Absent on purpose: HTTP/2 and upgrades, whose connections would need limits of their own.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tracing::{error, warn};

use crate::telemetry::http_metrics::{Closed, HttpMetrics};

/// The longest that the head of a request may take, and that a connection may idle.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that a client may take for what was written to it.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest that open connections may hold up the end of the server.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that may be open at once: all requests and streams that may be under way, and as
/// many again that wait.
pub const MOST_CONNECTIONS: usize = 512;

/// What a connection may hold of a head, and of an answer before it is written, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// The pause after an error of the listener, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// What a connection is told for which there is no place.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
    retry-after: 1\r\nconnection: close\r\ncontent-length: 42\r\n\r\n\
    as many connections as may be are in use.\n";

/// The limits of connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How many may be open.
    pub most: usize,
    /// How long a head may take.
    pub head: Duration,
    /// How long taking what is written may take.
    pub write: Duration,
    /// How long open ones hold up the end.
    pub drain: Duration,
}

impl Limits {
    /// The limits of this file, with so many places.
    pub(super) const fn with_places(most: usize) -> Self {
        Self { most, head: HEAD_TIMEOUT, write: WRITE_TIMEOUT, drain: DRAIN_TIMEOUT }
    }
}

/// Serves connections until `shutdown` holds `true` or its sender is gone.
pub(super) async fn serve_routes(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    metrics: HttpMetrics,
    shutdown: watch::Receiver<bool>,
) {
    let guests = Arc::new(Guests::new(limits.most, metrics));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let over = signalled(shutdown);
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Some(place) = Guests::take_place(&guests) {
                        let watcher = graceful.watcher();
                        let routes = routes.clone();
                        connections.spawn(serve_one(stream, routes, limits, place, watcher));
                    } else {
                        // Who does not take these few bytes at once does not get them.
                        let _ = stream.try_write(FULL);
                    }
                }
                // A client that went away before it was accepted is no news.
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    error!(%error, "http connections cannot be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        warn!("http connections were still open at shutdown and are dropped");
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

/// Ends when the shutdown is signalled, or can be no more.
pub(super) async fn signalled(mut shutdown: watch::Receiver<bool>) {
    // An error means that the sender is gone: nobody could end the server any more.
    let _ = shutdown.wait_for(|signalled| *signalled).await;
}

async fn serve_one(
    stream: TcpStream,
    routes: Router,
    limits: Limits,
    place: Arc<Place>,
    watcher: Watcher,
) {
    // Answers are written whole; waiting for more would only delay them.
    let _ = stream.set_nodelay(true);
    let routes = TowerToHyperService::new(routes);
    let of_requests = Arc::clone(&place);
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = Answering::begin(&of_requests);
        let answer = routes.call(request);
        async move {
            let response: Response<Body> = answer.await?;
            let (parts, body) = response.into_parts();
            let body = Answered { body, _answering: answering };
            Ok::<_, std::convert::Infallible>(Response::from_parts(parts, body))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(Timed::new(stream, limits.write)), service);
    tokio::select! {
        ended = watcher.watch(connection) => {
            if let Err(error) = ended {
                place.guests.count(&error);
            }
        }
        () = place.leave.notified() => place.guests.metrics.closed(Closed::Crowded),
    }
}

/// All connections.
struct Guests {
    most: usize,
    metrics: HttpMetrics,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    open: usize,
    /// The turn of the next one that begins to wait.
    next: u64,
    /// Those that wait for a request, the longest first.
    waiting: BTreeMap<u64, Arc<Notify>>,
}

impl Guests {
    fn new(most: usize, metrics: HttpMetrics) -> Self {
        Self { most, metrics, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection; none where all are taken by answers.
    fn take_place(guests: &Arc<Self>) -> Option<Arc<Place>> {
        let mut inner = guests.lock();
        if inner.open >= guests.most {
            let Some((_, leave)) = inner.waiting.pop_first() else {
                guests.metrics.closed(Closed::Full);
                return None;
            };
            // It goes as soon as it is its turn to run, which is before the next one is accepted.
            leave.notify_one();
        }
        inner.open += 1;
        guests.metrics.set_open(inner.open);
        drop(inner);
        let place = Place {
            guests: Arc::clone(guests),
            leave: Arc::new(Notify::new()),
            turn: Mutex::new(None),
        };
        place.wait();
        Some(Arc::new(place))
    }

    fn count(&self, error: &hyper::Error) {
        let is_slow_reader = std::error::Error::source(error)
            .and_then(|source| source.downcast_ref::<io::Error>())
            .is_some_and(|source| source.kind() == io::ErrorKind::TimedOut);
        if is_slow_reader {
            self.metrics.closed(Closed::SlowReader);
        } else if error.is_timeout() {
            self.metrics.closed(Closed::SlowRequest);
        }
    }
}

/// One connection's place.
struct Place {
    guests: Arc<Guests>,
    leave: Arc<Notify>,
    /// Its turn among those that wait; none while it is answered.
    turn: Mutex<Option<u64>>,
}

impl Place {
    fn wait(&self) {
        let mut inner = self.guests.lock();
        let turn = inner.next;
        inner.next += 1;
        inner.waiting.insert(turn, Arc::clone(&self.leave));
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    fn stop_waiting(&self) {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(turn) = turn {
            self.guests.lock().waiting.remove(&turn);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stop_waiting();
        let mut inner = self.guests.lock();
        inner.open -= 1;
        self.guests.metrics.set_open(inner.open);
    }
}

/// A request that is being answered: from its head to the end of the answer's body.
struct Answering(Arc<Place>);

impl Answering {
    fn begin(place: &Arc<Place>) -> Self {
        place.stop_waiting();
        Self(Arc::clone(place))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.wait();
    }
}

/// The body of an answer, which tells when it ends.
struct Answered {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection whose client must take what is written to it in time.
struct Timed {
    stream: TcpStream,
    limit: Duration,
    /// Runs while something is written that the client has not taken.
    patience: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    const fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, limit, patience: None }
    }

    /// Watches one attempt to write so many bytes. Only one that takes all of them ends the time:
    /// who takes a byte now and then is slow, too.
    fn watch(
        &mut self,
        context: &mut Context<'_>,
        wanted: usize,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(count)) if *count >= wanted => {
                self.patience = None;
                return written;
            }
            Poll::Ready(Err(_)) => return written,
            Poll::Ready(Ok(_)) | Poll::Pending => {}
        }
        let limit = self.limit;
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if patience.as_mut().poll(context).is_ready() {
            self.patience = None;
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, bytes.len(), written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        let wanted = parts.iter().map(|part| part.len()).sum();
        self.watch(context, wanted, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}
