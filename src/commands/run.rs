//! `run`: the service beside a Kafka cluster.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{info, warn};

use super::args::{GlobalArgs, RunArgs};
use super::bridge;
use super::cluster;
use super::directory;
use super::exit::ExitCode;
use super::failure::Failure;
use super::service::{self, Service, SnapshotPlan};
use super::start;
use crate::config::{self, AlertsFrom, Config, Secret, SnapshotPlace};
use crate::http::Door;
use crate::kafka::{self, KafkaBroker, KafkaSnapshotLog, TopicFacts};
use crate::pipeline::ports::SnapshotStore;
use crate::pipeline::query::{Directory, ReadModel};
use crate::pipeline::worker::{StartRule, WorkerConfig};
use crate::snapshot::file_store::FileStore;
use crate::snapshot::kafka_store::KafkaStore;
use crate::snapshot::keeper::KeeperConfig;
use crate::telemetry::health::WorkerNo;
use crate::wire::fingerprint::policy_fingerprint;

/// Runs the service until it is told to stop.
///
/// # Errors
/// Why it could not start, or what it stopped for.
pub fn run(args: &RunArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let config = start::load(&start::sources(&args.config))?;
    start::start_logs(global, &config.log)?;
    let facts = cluster::check(&config, &cluster::settings(&config))?;
    cluster::refuse_another_count(&cluster::settings(&config), facts.partitions)?;
    let listener = service::listen(config.http.listen)?;
    let bound = listener.local_addr().unwrap_or(config.http.listen);
    let mut service = service_of(&config, facts.partitions, bound);
    service.snapshots = snapshots(&config, &facts)?;
    service.worker.accepts_gaps = args.accept_gap;
    service.bridge = bridge::plan(&config, facts.partitions)?;
    if service.worker.owner.is_none() {
        info!(%bound, "http.advertise is not stated: progress records name no address of ours");
    }
    let (model, directory) = (Arc::clone(&service.model), Arc::clone(&service.directory));
    let directory = directory::companion(&config, facts.partitions, model, directory);
    let companions = vec![("directory", directory)];
    service::serve(&service, listener, connector(&config, facts), companions)
}

/// How the state is kept, as the configuration says.
///
/// # Errors
/// 78 for a directory that cannot be used, or what kept the cluster from answering.
pub fn snapshots(config: &Config, facts: &TopicFacts) -> Result<Option<SnapshotPlan>, Failure> {
    let kafka = cluster::settings(config);
    let group = config.kafka.group.clone();
    let store: Arc<dyn Fn() -> Box<dyn SnapshotStore> + Send + Sync> =
        match (&config.snapshots.store, facts.snapshots) {
            (SnapshotPlace::Directory(directory), _) => {
                let store = FileStore::open(directory, &group).map_err(|error| {
                    Failure::new(ExitCode::Config, error.to_string()).during("snapshots.store")
                })?;
                Arc::new(move || Box::new(store.clone()))
            }
            (SnapshotPlace::Kafka, Some(fact)) => {
                let log = KafkaSnapshotLog::new(&kafka, &fact);
                Arc::new(move || Box::new(KafkaStore::new(log.clone())))
            }
            (SnapshotPlace::Off | SnapshotPlace::Kafka, _) => return Ok(None),
        };
    let id = kafka::cluster_id(&kafka).map_err(|error| service::failure_of_source(&error))?;
    let policy = policy_fingerprint(&config.policy, config.engine.boundary.ms());
    let interval_ms = i64::try_from(config.snapshots.interval.as_millis()).unwrap_or(i64::MAX);
    let cluster = format!("{id}/{}", config.kafka.topics.inputs.join(","));
    let keeper = KeeperConfig { group, cluster, policy, keep: config.snapshots.keep };
    Ok(Some(SnapshotPlan { interval_ms, keeper, store }))
}

/// What gives each worker its connection to the cluster.
pub fn connector(
    config: &Config,
    facts: TopicFacts,
) -> impl Fn(u32) -> Result<KafkaBroker, crate::pipeline::ports::SourceError> + Clone + Send + use<>
{
    for warning in &facts.warnings {
        warn!("{warning}");
    }
    info!(partitions = facts.partitions, group = config.kafka.group, "the topics are fit");
    let kafka = cluster::settings(config);
    move |worker| {
        let mut kafka = kafka.clone();
        kafka.worker = worker;
        KafkaBroker::connect(&kafka, &facts)
    }
}

/// The service that a configuration describes, over inputs of so many partitions, with HTTP at an
/// address.
#[must_use]
pub fn service_of(config: &Config, partitions: u32, http: SocketAddr) -> Service {
    let engine = &config.engine;
    let mut shard = start::shard_config(config);
    shard.statuses = true;
    let ms =
        |duration: std::time::Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let worker = WorkerConfig {
        number: WorkerNo::new(0),
        input: start::input_limits(config, partitions),
        advice: start::advice_rules(config),
        start: match engine.alerts_from {
            None | Some(AlertsFrom::Live) => StartRule::Live,
            Some(AlertsFrom::Earliest) => StartRule::Earliest,
            Some(AlertsFrom::At(time)) => StartRule::Time(time.ms()),
        },
        idle_after_ms: engine.idle_after_ms,
        max_clock_ahead_ms: engine.max_clock_ahead_ms,
        commit_interval_ms: ms(engine.commit_interval),
        transaction_timeout_ms: ms(config.kafka.transaction_timeout),
        breaker_percent: engine.dead_letter_breaker_percent.unwrap_or(0),
        accepts_gaps: false,
        topics: config.kafka.topics.inputs.clone(),
        policy: policy_fingerprint(&config.policy, engine.boundary.ms()),
        owner: config.http.advertised(http),
        shard,
    };
    Service {
        worker,
        workers: engine.workers,
        board: None,
        snapshots: None,
        bridge: None,
        directory: Directory::new(),
        model: ReadModel::new(),
        shards: usize::try_from(partitions).expect("usize has at least 32 bits here"),
        is_synthetic: false,
        config: config::shown(config),
        door: door(config),
        stop_after: None,
        tells_progress: true,
    }
}

/// Whom HTTP answers.
fn door(config: &Config) -> Door {
    let http = &config.http;
    let host = |address: &String| address.rsplit_once(':').map(|(host, _)| host.to_owned());
    let advertised = http.advertise.as_ref().and_then(host);
    Door {
        token: http.token.as_ref().map(Secret::expose).map(str::to_owned),
        // Other members send requests to the address that is told them.
        allowed_hosts: http.allowed_hosts.iter().cloned().chain(advertised).collect(),
        top_sellers: config.top_sellers,
        ..Door::new(http.listen)
    }
}
