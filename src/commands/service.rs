//! The service: worker threads over a broker, and HTTP beside them, until told to stop.
//!
//! The only place that starts threads and tasks. One thread per worker runs turns; this thread
//! runs HTTP and waits for signals. Invariants: when one worker stops loudly, all stop, and the
//! first reason is the process's; a first SIGTERM or SIGINT commits what is closed and leaves the
//! group, a second one ends the process at once.

use std::net::{SocketAddr, TcpListener as Listener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{error, info, warn};

use super::bridge::BridgePlan;
use super::exit::ExitCode;
use super::failure::Failure;
use crate::http::api::Readers;
use crate::http::{self, Door, HttpState};
use crate::pipeline::board::Board;
use crate::pipeline::desk::{Desk, desk};
use crate::pipeline::ports::{Broker, SnapshotStore, SourceError};
use crate::pipeline::query::{Directory, ReadModel};
use crate::pipeline::slot::Now;
use crate::pipeline::stop::Stop;
use crate::pipeline::worker::{Worker, WorkerConfig};
use crate::snapshot::keeper::{Keeper, KeeperConfig};
use crate::telemetry::health::{HealthBoard, WorkerNo, WorkerState};
use crate::telemetry::labels::StopReason;
use crate::telemetry::metrics::{BuildInfo, Metrics};
use crate::telemetry::shard_progress::ShardProgress;

/// How long a worker sleeps at most when there is nothing to do.
const SLEEP: Duration = Duration::from_millis(20);

/// How often it is looked how far restores and catch-ups are.
const LOOK: Duration = Duration::from_millis(200);

/// How long a worker waits before it tries to connect again.
const CONNECT_AGAIN: Duration = Duration::from_millis(500);

/// How much longer than a transaction may be open a worker tries to connect: a dead instance's
/// transaction holds it up for so long, and brokers may be starting.
const CONNECT_LONGER: Duration = Duration::from_mins(2);

/// Reads both clocks: the only place that does for a worker.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the adapter that reads the clock for a worker")]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// The time now, on both clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the adapter that reads the clock for a worker")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Now { wall_ms: ms(wall), mono_ms: ms(self.started.elapsed()) }
    }
}

/// What the service is made of, beside its broker.
#[derive(Debug)]
pub struct Service {
    /// The workers' configuration; each gets its own number.
    pub worker: WorkerConfig,
    /// How many workers there are.
    pub workers: usize,
    /// Where the workers write down what others may see of their shards.
    pub board: Option<Arc<Board>>,
    /// How the state is kept; `None` if it is not.
    pub snapshots: Option<SnapshotPlan>,
    /// Where alerts are sent on to; `None` if they are not.
    pub bridge: Option<BridgePlan>,
    /// Who has the shards that this process does not have.
    pub directory: Arc<Directory>,
    /// What the workers show.
    pub model: Arc<ReadModel>,
    /// How many partitions each input has; known where the service comes from the cluster.
    pub shards: usize,
    /// Whether the data are invented.
    pub is_synthetic: bool,
    /// The configuration in effect, without secrets, as readers see it.
    pub config: serde_json::Value,
    /// Whom HTTP answers.
    pub door: Door,
    /// Stop by itself after so long.
    pub stop_after: Option<Duration>,
    /// Tell on the standard error stream how far restores and catch-ups are.
    pub tells_progress: bool,
}

/// How each worker's state is kept.
#[derive(Clone)]
pub struct SnapshotPlan {
    /// How often, in ms.
    pub interval_ms: i64,
    /// What the keepers are told.
    pub keeper: KeeperConfig,
    /// Makes a store, on the keeper's own thread.
    pub store: Arc<dyn Fn() -> Box<dyn SnapshotStore> + Send + Sync>,
}

impl std::fmt::Debug for SnapshotPlan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SnapshotPlan")
            .field("interval_ms", &self.interval_ms)
            .field("keeper", &self.keeper)
            .finish_non_exhaustive()
    }
}

/// A switch that all parts of the service watch.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<AtomicBool>);

impl Shutdown {
    /// Asks everything to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether everything was asked to stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Something that runs beside the workers on a thread of its own, such as the demo's market.
pub type Companion = Box<dyn FnOnce(Shutdown) -> Result<(), Failure> + Send>;

/// Takes the address that HTTP is to listen on.
///
/// # Errors
/// 69 where it cannot be had.
pub fn listen(address: SocketAddr) -> Result<Listener, Failure> {
    Listener::bind(address).map_err(|error| {
        Failure::new(ExitCode::Unavailable, error)
            .during(format!("http.listen: cannot listen on {address}"))
    })
}

/// Runs the service until a signal, a loud stop, or its time is over. `connect` gives each worker
/// its broker, on the worker's own thread.
///
/// # Errors
/// The first reason for which a part of the service failed, with the code to end with.
pub fn serve<B: Broker>(
    service: &Service,
    listener: Listener,
    connect: impl Fn(u32) -> Result<B, SourceError> + Clone + Send + 'static,
    companions: Vec<(&'static str, Companion)>,
) -> Result<(), Failure> {
    let health = Arc::new(HealthBoard::new(service.workers));
    let build = BuildInfo::of_this_build(&crate::kafka::librdkafka_version());
    let metrics = Arc::new(Metrics::new(build, Arc::clone(&health)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Software, error))?;
    let listener = listener
        .set_nonblocking(true)
        .and_then(|()| runtime.block_on(async { TcpListener::from_std(listener) }))
        .map_err(|error| Failure::new(ExitCode::Software, error))?;
    let shutdown = Shutdown::default();
    let model = Arc::clone(&service.model);
    let readers = readers(service);
    let (ended, ends) = mpsc::unbounded_channel();
    let mut threads = Vec::new();
    for number in 0..service.workers {
        let desk = match &service.snapshots {
            None => None,
            Some(plan) => {
                let (desk, side) = desk();
                let (store, config) = (Arc::clone(&plan.store), plan.keeper.clone());
                let keep = move || {
                    Keeper::new(side, store(), config).run();
                    Ok(())
                };
                threads.push(start_thread(format!("keeper-{number}"), keep, &ended, &shutdown)?);
                Some((desk, plan.interval_ms))
            }
        };
        let part = WorkerPart {
            config: WorkerConfig { number: WorkerNo::new(number), ..service.worker.clone() },
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            shutdown: shutdown.clone(),
            board: service.board.clone(),
            desk,
            model: Arc::clone(&model),
        };
        let connect = connect.clone();
        let index = u32::try_from(number).expect("few workers");
        let run = move || part.run(|| connect(index));
        threads.push(start_thread(format!("worker-{number}"), run, &ended, &shutdown)?);
    }
    if let Some(plan) = &service.bridge {
        let run = plan.part(&metrics, &health, &shutdown);
        threads.push(start_thread("bridge".to_owned(), run, &ended, &shutdown)?);
    }
    for (name, companion) in companions {
        let asked = shutdown.clone();
        let run = move || companion(asked);
        threads.push(start_thread(name.to_owned(), run, &ended, &shutdown)?);
    }
    drop(ended);
    let result = runtime.block_on(supervise(
        service,
        (listener, readers),
        metrics,
        &health,
        &shutdown,
        ends,
    ));
    for thread in threads {
        // A panic was caught and told inside.
        let _ = thread.join();
    }
    result
}

/// What HTTP answers from.
fn readers(service: &Service) -> Readers {
    Readers {
        model: Arc::clone(&service.model),
        policy: service.worker.shard.policy.clone(),
        shards: service.shards,
        directory: Arc::clone(&service.directory),
        partitioner: service.worker.input.partitioner,
        own_address: service.worker.owner.clone(),
        topics: service.worker.topics.clone(),
        is_synthetic: service.is_synthetic,
        config: service.config.clone(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that starts threads")]
fn start_thread(
    name: String,
    run: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ended: &mpsc::UnboundedSender<(String, Result<(), Failure>)>,
    shutdown: &Shutdown,
) -> Result<std::thread::JoinHandle<()>, Failure> {
    let (ended, shutdown) = (ended.clone(), shutdown.clone());
    let label = name.clone();
    std::thread::Builder::new()
        .name(name)
        .spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
                let said = panic.downcast_ref::<String>().cloned();
                let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                let said = said.unwrap_or_else(|| "a panic without words".to_owned());
                Err(Failure::new(ExitCode::Software, format!("a broken invariant: {said}")))
            });
            if result.is_err() {
                shutdown.ask();
            }
            // Nobody listens any more only when the process ends.
            let _ = ended.send((label, result));
        })
        .map_err(|error| Failure::new(ExitCode::Unavailable, error).during("starting a thread"))
}

/// Serves HTTP and waits for signals and for the ends of the threads.
async fn supervise(
    service: &Service,
    (listener, readers): (TcpListener, Readers),
    metrics: Arc<Metrics>,
    health: &HealthBoard,
    shutdown: &Shutdown,
    mut ends: mpsc::UnboundedReceiver<(String, Result<(), Failure>)>,
) -> Result<(), Failure> {
    let (stop_http, http_stops) = watch::channel(false);
    let state = HttpState::new(metrics, Some(readers), &service.door, http_stops.clone());
    let server = http::serve(listener, state, http_stops);
    let threads = async {
        let mut first = Ok(());
        while let Some((name, result)) = ends.recv().await {
            if let Err(failure) = result {
                error!(thread = name, error = %failure, "stopped");
                if first.is_ok() {
                    first = Err(failure);
                }
            }
        }
        let _ = stop_http.send(true);
        first
    };
    let signals = stop_on_signals(service.stop_after, health, shutdown);
    let both = async { tokio::join!(server, threads) };
    let progress = tell_progress(service, health, shutdown);
    tokio::select! {
        ((), first) = both => first,
        failure = signals => Err(failure),
        () = progress => unreachable!("it is told for as long as the service runs"),
    }
}

/// Tells how far restores and catch-ups are, until everything is asked to stop; never ends.
async fn tell_progress(service: &Service, health: &HealthBoard, shutdown: &Shutdown) {
    let (mut progress, clock) = (ShardProgress::default(), Clock::start());
    while service.tells_progress && !shutdown.is_asked() {
        progress.tick(&health.shards(), clock.now().mono_ms);
        tokio::time::sleep(LOOK).await;
    }
    // A bar would be in the way of what is said at the end.
    drop(progress);
    std::future::pending::<()>().await;
}

/// Asks for a stop at the first signal or when the time is over; ends only at a second signal.
async fn stop_on_signals(
    stop_after: Option<Duration>,
    health: &HealthBoard,
    shutdown: &Shutdown,
) -> Failure {
    let (mut terminate, mut interrupt) =
        match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                return Failure::new(ExitCode::Software, error).during("listening for signals");
            }
        };
    let over = async {
        match stop_after {
            Some(after) => tokio::time::sleep(after).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminate.recv() => info!("SIGTERM: committing and stopping"),
        _ = interrupt.recv() => info!("SIGINT: committing and stopping"),
        () = over => info!("the time is over: committing and stopping"),
    }
    health.set_draining();
    shutdown.ask();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    warn!("a second signal: ending at once; what was not committed will be read again");
    #[expect(clippy::disallowed_methods, reason = "a second signal must not wait for any thread")]
    std::process::exit(i32::from(ExitCode::Temporary.code()))
}

/// One worker's thread.
struct WorkerPart {
    config: WorkerConfig,
    metrics: Arc<Metrics>,
    health: Arc<HealthBoard>,
    shutdown: Shutdown,
    board: Option<Arc<Board>>,
    /// Where its snapshots go, and how often.
    desk: Option<(Desk, i64)>,
    model: Arc<ReadModel>,
}

impl WorkerPart {
    fn run<B: Broker>(self, connect: impl Fn() -> Result<B, SourceError>) -> Result<(), Failure> {
        let (number, health) = (self.config.number, Arc::clone(&self.health));
        let result = self.work(connect);
        let reason = match &result {
            Ok(()) => "stopped as asked".to_owned(),
            Err(failure) => failure.to_string(),
        };
        health.set_worker(number, WorkerState::Ended { reason });
        result
    }

    fn work<B: Broker>(self, connect: impl Fn() -> Result<B, SourceError>) -> Result<(), Failure> {
        let clock = Clock::start();
        let Some(broker) = self.connect(&clock, connect)? else { return Ok(()) };
        let Self { config, metrics, health, shutdown, board, desk, model } = self;
        let mut worker = Worker::new(broker, config, Arc::clone(&metrics), health);
        if let Some(board) = board {
            worker.publish_on(board);
        }
        if let Some((desk, interval_ms)) = desk {
            worker.keep_snapshots(desk, interval_ms);
        }
        worker.show_to(model);
        while !shutdown.is_asked() {
            match worker.turn(clock.now()) {
                Ok(true) => {}
                Ok(false) => worker.wait(SLEEP),
                Err(stop) => {
                    metrics.stopped(stop.reason());
                    if stop.reason() == StopReason::DataGap {
                        // With what is committed kept, --accept-gap can go on behind the gap.
                        if let Err(error) = worker.shut_down(clock.now()) {
                            warn!(%error, "the state before the gap could not be kept");
                        }
                    }
                    return Err(failure_of(stop));
                }
            }
        }
        worker.shut_down(clock.now()).map_err(|stop| {
            metrics.stopped(stop.reason());
            failure_of(stop)
        })
    }

    /// Connects, waiting out what passes; `None` if the service stops meanwhile.
    fn connect<B: Broker>(
        &self,
        clock: &Clock,
        connect: impl Fn() -> Result<B, SourceError>,
    ) -> Result<Option<B>, Failure> {
        let longer_ms = i64::try_from(CONNECT_LONGER.as_millis()).expect("minutes");
        let limit_ms = self.config.transaction_timeout_ms.saturating_add(longer_ms);
        loop {
            if self.shutdown.is_asked() {
                return Ok(None);
            }
            self.health.beat(self.config.number);
            let error = match connect() {
                Ok(broker) => return Ok(Some(broker)),
                Err(error) => error,
            };
            let passes = matches!(error, SourceError::NotReady(_) | SourceError::Unavailable(_));
            if !passes {
                let stop = Stop::from_source(error);
                self.metrics.stopped(stop.reason());
                return Err(failure_of(stop).during("connecting a worker"));
            }
            if clock.now().mono_ms > limit_ms {
                return Err(failure_of_source(&error).during("connecting a worker"));
            }
            warn!(%error, "cannot connect yet");
            std::thread::sleep(CONNECT_AGAIN);
        }
    }
}

/// The failure that a loud stop is.
fn failure_of(stop: Stop) -> Failure {
    Failure::new(ExitCode::of_stop(stop.reason()), stop)
}

/// The failure that an error of a source is.
pub fn failure_of_source(error: &SourceError) -> Failure {
    let code = match error {
        SourceError::NotReady(_) | SourceError::Unavailable(_) => ExitCode::Unavailable,
        SourceError::Refused(_) => ExitCode::Refused,
        SourceError::Fenced(_) => ExitCode::Temporary,
        SourceError::Stop(_) | SourceError::Lost(_) | SourceError::Fatal(_) => ExitCode::Software,
    };
    Failure::new(code, error.to_string())
}
