//! `verify`: whether what is committed is what the inputs give, from the topics alone.
//!
//! ```text
//! progress topic (to its present end) -> claims -> anchors, where retention passed the beginning
//!   inputs, alerts, progress again ──> pipeline::audit ──> report, exit code 0 or 1
//! ```
//!
//! Invariants: nothing is written anywhere, and no group is joined, so that it may run beside the
//! service; alerts that are committed while it runs are no differences. Absent on purpose: any
//! trust in the service, but for the decisions that it recorded and the snapshots where they are
//! the only beginning left.

pub mod args;
mod claims;
mod report;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use self::args::{VerifyArgs, VerifyFormat};
use self::claims::{Claims, Computed};
use self::report::Report;
use super::args::GlobalArgs;
use super::cluster::{self, failure_of_asking};
use super::exit::ExitCode;
use super::failure::Failure;
use super::replay::Pace;
use super::start::Stopwatch;
use super::{output, run as service, start};
use crate::domain::ids::{NextOffset, ShardNo};
use crate::domain::shard::LimitReached;
use crate::kafka::{AuditPartition, KafkaConfig, Span, audit_spans, part_of, read_audit};
use crate::pipeline::audit::{Audit, AuditConfig, Found};
use crate::pipeline::ports::InputPartition;
use crate::wire::fingerprint::policy_fingerprint;

/// How long what was committed may take to become visible everywhere, in ms: the marks of a
/// transaction reach its partitions one after the other.
const VISIBLE_MS: i64 = 10_000;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);

/// Computes everything again, compares, and prints what differs.
///
/// # Errors
/// 1 where something differs; else why it could not be told.
pub fn run(args: &VerifyArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let config = start::load(&start::sources(&args.config))?;
    start::start_quiet_logs(global, &config.log)?;
    let kafka = cluster::settings_to_ask(&config);
    let facts = cluster::check(&config, &kafka)?;
    let policy = policy_fingerprint(&config.policy, config.engine.boundary.ms());
    let length = config.engine.boundary;
    let computed = Computed { policy: &policy, length, partitions: facts.partitions };
    let mut claims = claims::read(&kafka, &computed)?;
    let mut shard = start::shard_config(&config);
    // Which boundaries close depends on it, as in the service.
    shard.statuses = true;
    let plan = service::snapshots(&config, &facts)?;
    let inputs = claims::anchored(&kafka, &mut claims, &shard, plan.as_ref())?;
    let input = start::input_limits(&config, facts.partitions);
    let Claims { of, progress, gaps } = claims;
    let targets: BTreeMap<ShardNo, u64> =
        of.iter().map(|(shard, claim)| (*shard, claim.target.seq)).collect();
    let audit = Audit::new(AuditConfig { shard, input }, of);
    let mut reading = Reading { kafka: &kafka, audit, refused: None };
    let alerts = reading.everything(inputs, progress.clone(), length.ms())?;
    reading.late_alerts(alerts)?;
    let committed = reading.committed(&targets, &progress)?;
    let report = Report { shards: reading.audit.finish(&committed), gaps, length };
    let text = match args.format {
        VerifyFormat::Table => report.table(&kafka.topics),
        VerifyFormat::Json => report.json(),
    };
    output::print(text.as_bytes())?;
    match report.differences() {
        0 => Ok(()),
        count => {
            let words = format!("{count} of what is committed is not what the inputs give");
            Err(Failure::new(ExitCode::Differs, words))
        }
    }
}

/// An audit, and where it reads from.
struct Reading<'a> {
    kafka: &'a KafkaConfig,
    audit: Audit,
    refused: Option<Failure>,
}

impl Reading<'_> {
    /// Reads inputs, progress records and alerts, side by side. Returns the spans of the alerts.
    fn everything(
        &mut self,
        inputs: Vec<Span<AuditPartition>>,
        progress: Vec<Span<AuditPartition>>,
        length_ms: i64,
    ) -> Result<Vec<Span<AuditPartition>>, Failure> {
        let shards = progress.iter().filter_map(|span| match span.partition {
            AuditPartition::Progress(shard) => Some(shard),
            _ => None,
        });
        let partitions: Vec<_> = shards.map(AuditPartition::Alerts).collect();
        // Asked for after the claims were read: what belongs to them lies before these ends.
        let alerts = self.spans(&partitions)?;
        for span in &alerts {
            if let (AuditPartition::Alerts(shard), 1..) = (span.partition, span.first.get()) {
                self.audit.alerts_begin_later(shard);
            }
        }
        let spans = [inputs, progress, alerts.clone()].concat();
        let length = |span: &Span<AuditPartition>| span.end.get().saturating_sub(span.first.get());
        let total: i64 = spans.iter().map(|span| length(span).max(0)).sum();
        let mut pace = Pace::new("verifying records", u64::try_from(total).ok());
        self.read(&spans, length_ms, &mut || pace.note(1))?;
        pace.finish();
        self.audit.end_inputs().map_err(of_limit)?;
        Ok(alerts)
    }

    fn read(
        &mut self,
        spans: &[Span<AuditPartition>],
        length_ms: i64,
        note: &mut dyn FnMut(),
    ) -> Result<(), Failure> {
        let Self { kafka, audit, refused } = self;
        read_audit(kafka, spans, &mut |partition, record| {
            note();
            let taken = match partition {
                AuditPartition::Input(InputPartition { topic, shard }) => {
                    audit.input(topic, shard, &record).map_err(of_limit)
                }
                AuditPartition::Alerts(shard) => {
                    audit.alert(shard, Found::of(&record));
                    Ok(record.timestamp_ms)
                }
                AuditPartition::Progress(_) => match record.value.map(claims::decode) {
                    None => Ok(None),
                    Some(Err(failure)) => Err(failure),
                    Some(Ok(progress)) => {
                        audit.progress(record.offset, &progress);
                        Ok(progress.boundary.map(|boundary| boundary.number() * length_ms))
                    }
                },
            };
            match taken {
                Ok(time) => ControlFlow::Continue(time),
                Err(failure) => {
                    *refused = Some(failure);
                    ControlFlow::Break(())
                }
            }
        })
        .map_err(|error| failure_of_asking(&error))?;
        self.refused.take().map_or(Ok(()), Err)
    }

    fn spans(&self, partitions: &[AuditPartition]) -> Result<Vec<Span<AuditPartition>>, Failure> {
        audit_spans(self.kafka, partitions).map_err(|error| failure_of_asking(&error))
    }

    /// Reads on in the alerts topic where the last ones computed were not found: the mark that
    /// makes them visible may have been on its way.
    fn late_alerts(&mut self, mut alerts: Vec<Span<AuditPartition>>) -> Result<(), Failure> {
        let started = Stopwatch::start();
        loop {
            let awaited: Vec<ShardNo> = self.audit.awaited().collect();
            alerts.retain(|span| {
                matches!(span.partition, AuditPartition::Alerts(shard) if awaited.contains(&shard))
            });
            if alerts.is_empty() || started.ms() > VISIBLE_MS {
                return Ok(());
            }
            let partitions: Vec<_> = alerts.iter().map(|span| span.partition).collect();
            let more = self.spans(&partitions)?;
            let more: Vec<_> = more
                .into_iter()
                .zip(&alerts)
                .map(|(now, before)| part_of(now, before.end, now.end))
                .collect();
            if more.iter().any(|span| span.first < span.end) {
                self.read(&more, 1, &mut || ())?;
                alerts = more;
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Up to which `seq` alerts are committed by now, where there are later ones than claimed.
    fn committed(
        &mut self,
        targets: &BTreeMap<ShardNo, u64>,
        progress: &[Span<AuditPartition>],
    ) -> Result<BTreeMap<ShardNo, u64>, Failure> {
        let mut committed = targets.clone();
        let later = self.audit.later();
        let started = Stopwatch::start();
        let mut read: BTreeMap<AuditPartition, NextOffset> =
            progress.iter().map(|span| (span.partition, span.end)).collect();
        loop {
            let behind = |shard: &ShardNo| {
                let seq = committed.get(shard).copied().unwrap_or(0);
                later.get(shard).is_some_and(|last| *last > seq)
            };
            let awaited = later.keys().filter(|shard| behind(shard));
            let awaited: Vec<_> = awaited.map(|shard| AuditPartition::Progress(*shard)).collect();
            if awaited.is_empty() || started.ms() > VISIBLE_MS {
                return Ok(committed);
            }
            let spans = self.spans(&awaited)?;
            let more: Vec<_> = spans
                .into_iter()
                .map(|span| part_of(span, read[&span.partition], span.end))
                .filter(|span| span.first < span.end)
                .collect();
            if more.is_empty() {
                std::thread::sleep(PAUSE);
                continue;
            }
            claims::read_progress(self.kafka, &more, &mut |shard, _, record| {
                committed.insert(shard, record.seq);
                Ok(())
            })?;
            read.extend(more.iter().map(|span| (span.partition, span.end)));
        }
    }
}

fn of_limit(reached: LimitReached) -> Failure {
    let LimitReached { key, limit } = reached;
    let words = format!("a shard reached engine.{key} = {limit}; set a larger one");
    Failure::new(ExitCode::Config, words)
}
