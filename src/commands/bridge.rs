//! The bridge that a configuration describes, over the topic of alerts of its cluster.

use std::sync::Arc;

use super::cluster;
use super::exit::ExitCode;
use super::failure::Failure;
use super::service::Shutdown;
use crate::bridge::alertmanager::{self, Sender};
use crate::bridge::courier::{Courier, Destination};
use crate::bridge::signature::SigningKey;
use crate::bridge::{Bridge, BridgeConfig, Receiver};
use crate::config::{self, BridgeStart, BridgeTarget, Config, Secret};
use crate::kafka::KafkaAlertLog;
use crate::pipeline::alert_log::{AlertLog, FirstStart};
use crate::pipeline::ports::SourceError;
use crate::telemetry::health::HealthBoard;
use crate::telemetry::metrics::Metrics;

/// How alerts are sent on.
pub struct BridgePlan {
    /// What the bridge is told.
    pub config: BridgeConfig,
    /// Carries them.
    pub courier: Arc<Courier>,
    /// Joins the group over the topic of alerts, on the bridge's own thread.
    pub connect: Arc<dyn Fn() -> Result<Box<dyn AlertLog>, SourceError> + Send + Sync>,
}

impl std::fmt::Debug for BridgePlan {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("BridgePlan")
            .field("config", &self.config)
            .field("courier", &self.courier)
            .finish_non_exhaustive()
    }
}

impl BridgePlan {
    /// What the bridge's thread does: it carries alerts until everything stops.
    pub fn part(
        &self,
        metrics: &Metrics,
        health: &Arc<HealthBoard>,
        shutdown: &Shutdown,
    ) -> impl FnOnce() -> Result<(), Failure> + Send + use<> {
        let (connect, shutdown) = (Arc::clone(&self.connect), shutdown.clone());
        let courier = Arc::clone(&self.courier);
        let mut bridge =
            Bridge::new(self.config.clone(), courier, metrics.bridge.clone(), Arc::clone(health));
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Failure::new(ExitCode::Software, error))?;
            runtime.block_on(bridge.run(connect.as_ref(), || shutdown.is_asked()));
            Ok(())
        }
    }
}

/// The bridge, if there is one, over a topic of so many partitions.
///
/// # Errors
/// 78: what of its section cannot be used.
pub fn plan(config: &Config, partitions: u32) -> Result<Option<BridgePlan>, Failure> {
    let from = &config.bridge;
    let receiver = match from.target {
        BridgeTarget::Off => return Ok(None),
        BridgeTarget::Webhook => Receiver::Webhook,
        BridgeTarget::Alertmanager => Receiver::Alertmanager {
            repeat_ms: i64::try_from(from.repeat.as_millis()).unwrap_or(i64::MAX),
            has_heartbeat: from.heartbeat,
            sender: Sender {
                group: config.kafka.group.clone(),
                instance: config.kafka.instance.clone(),
            },
        },
    };
    let courier = Courier::new(&destination(from))
        .map_err(|error| Failure::new(ExitCode::Config, error).during("setting up the bridge"))?;
    let (kafka, group) = (cluster::settings(config), from.group.clone());
    let connect = move || {
        let log: Box<dyn AlertLog> = Box::new(KafkaAlertLog::connect(&kafka, &group, partitions)?);
        Ok(log)
    };
    let told = BridgeConfig {
        receiver,
        topic: config.kafka.topics.alerts.clone(),
        first: match from.start {
            BridgeStart::Latest => FirstStart::Latest,
            BridgeStart::Earliest => FirstStart::Earliest,
        },
        concurrency: from.concurrency,
        max_backoff_ms: u64::try_from(from.max_backoff.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(Some(BridgePlan { config: told, courier: Arc::new(courier), connect: Arc::new(connect) }))
}

fn destination(from: &config::BridgeConfig) -> Destination {
    let url = from.url.trim_end_matches('/');
    Destination {
        url: match from.target {
            BridgeTarget::Alertmanager => format!("{url}{}", alertmanager::PATH),
            BridgeTarget::Off | BridgeTarget::Webhook => from.url.clone(),
        },
        token: from.token.as_ref().map(Secret::expose).map(str::to_owned),
        key: from.signing_secret.as_ref().map(|secret| SigningKey::of(secret.expose())),
        authorities: from.authorities.clone(),
        timeout: from.timeout,
    }
}
