//! The configuration in effect as JSON, by its keys, with nothing of a secret.
//!
//! Invariant: every key is there, with the value that counts; a file that holds this says the same
//! again, but for secrets and for where they come from.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::advice::AdviceConfig;
use super::bridge::BridgeConfig;
use super::checked::{AlertsFrom, Config, EngineConfig, KafkaConfig};
use crate::domain::event::Topic;
use crate::domain::policy::Policy;
use crate::wire::time::{day, instant};

/// The whole configuration in effect.
#[must_use]
pub fn shown(config: &Config) -> Value {
    let http = &config.http;
    json!({
        "kafka": kafka(&config.kafka),
        "engine": engine(&config.engine),
        "advice": advice(&config.advice),
        "snapshots": {
            "store": config.snapshots.store.to_string(),
            "interval_ms": ms(config.snapshots.interval),
            "keep": config.snapshots.keep,
        },
        "http": {
            "listen": http.listen.to_string(),
            "advertise": http.advertise,
            "token_file": http.token_file,
            "insecure": http.insecure,
            "allowed_hosts": http.allowed_hosts.join(","),
        },
        "bridge": bridge(&config.bridge),
        "metrics": { "sellers": { "top": config.top_sellers } },
        "log": { "format": config.log.format, "level": config.log.level },
        "policy": policy(&config.policy),
    })
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn kafka(kafka: &KafkaConfig) -> Value {
    let topics = &kafka.topics;
    let shown = kafka.properties.shown();
    let properties: Map<String, Value> =
        shown.map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "bootstrap_servers": kafka.bootstrap_servers,
        "properties": properties,
        "group": kafka.group,
        "instance": kafka.instance,
        "topics": {
            "orders": topics.input(Topic::Orders),
            "feedback": topics.input(Topic::Feedback),
            "claims": topics.input(Topic::Claims),
            "chargebacks": topics.input(Topic::Chargebacks),
            "alerts": topics.alerts,
            "status": topics.status,
            "dead_letters": topics.dead_letters,
            "progress": topics.progress,
            "advice": topics.advice,
            "snapshots": topics.snapshots,
        },
        "queue_memory_kbytes": kafka.queue_memory_kbytes,
        "transaction_timeout_ms": ms(kafka.transaction_timeout),
        "session_timeout_ms": ms(kafka.session_timeout),
        "heartbeat_interval_ms": ms(kafka.heartbeat_interval),
    })
}

fn bridge(bridge: &BridgeConfig) -> Value {
    json!({
        "target": bridge.target,
        "url": (!bridge.url.is_empty()).then_some(&bridge.url),
        "group": bridge.group,
        "start": bridge.start,
        "concurrency": bridge.concurrency,
        "timeout_ms": ms(bridge.timeout),
        "max_backoff_ms": ms(bridge.max_backoff),
        "token_file": bridge.token_file,
        "signing_secret_file": bridge.signing_secret_file,
        "ca_file": bridge.ca_file,
        "repeat_ms": ms(bridge.repeat),
        "heartbeat": bridge.heartbeat,
    })
}

fn engine(engine: &EngineConfig) -> Value {
    let alerts_from = engine.alerts_from.map(|from| match from {
        AlertsFrom::Live => "live".to_owned(),
        AlertsFrom::Earliest => "earliest".to_owned(),
        AlertsFrom::At(time) => instant(time.ms()),
    });
    json!({
        "workers": engine.workers,
        "boundary_ms": engine.boundary.ms(),
        "idle_after_ms": engine.idle_after_ms,
        "max_record_bytes": engine.max_record_bytes,
        "max_ahead_ms": engine.max_ahead_ms,
        "max_clock_ahead_ms": engine.max_clock_ahead_ms,
        "purchase_ahead_ms": engine.purchase_ahead_ms,
        "partitioner": engine.partitioner,
        "alerts_from": alerts_from,
        "commit_interval_ms": ms(engine.commit_interval),
        "max_orders": engine.max_orders,
        "max_orphans": engine.max_orphans,
        "max_pending_records": engine.max_pending_records,
        "max_accounts": engine.max_accounts,
        "dead_letter_breaker_percent": engine.dead_letter_breaker_percent.unwrap_or(0),
    })
}

fn advice(advice: &AdviceConfig) -> Value {
    json!({
        "enabled": advice.enabled,
        "quote_evidence": advice.quote_evidence,
        "removal_request_days": advice.terms.removal_request_days,
        "buyer_edit_days": advice.terms.buyer_edit_days,
        "claim_answer_hours": advice.terms.claim_answer_hours,
        "claim_appeal_days": advice.terms.claim_appeal_days,
        "chargeback_answer_days": advice.terms.chargeback_answer_days,
    })
}

fn policy(policy: &Policy) -> Value {
    let scopes: Vec<&str> = policy.scopes.iter().map(|scope| scope.as_str()).collect();
    let views: Vec<&str> = policy.views.iter().map(|view| view.as_str()).collect();
    json!({
        "policy_version": policy.policy_version,
        "time_zone": policy.time_zone.name(),
        "window_days": policy.window_days,
        "lag_days": policy.lag_days,
        "min_orders": policy.min_orders,
        "warning_bp": policy.warning.raise_bp,
        "warning_clear_bp": policy.warning.clear_bp,
        "warning_min_defects": policy.warning.min_defects,
        "critical_bp": policy.critical.raise_bp,
        "critical_clear_bp": policy.critical.clear_bp,
        "critical_min_defects": policy.critical.min_defects,
        "restriction_bp": policy.restriction_bp,
        "restriction_min_defects": policy.restriction_min_defects,
        "restriction_cycles": policy.restriction_cycles,
        "cycle_days": policy.cycle_days,
        "cycle_anchor": day(policy.cycle_anchor),
        "scopes": scopes,
        "views": views,
        "count_canceled_orders": policy.count_canceled_orders,
        "count_open_claims": policy.count_open_claims,
        "negative_rating_max": policy.negative_rating_max,
    })
}
