//! What the progress topic claims of each shard, and what an audit of it may begin with.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tracing::{info, warn};

use crate::commands::cluster::failure_of_asking;
use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;
use crate::commands::service::SnapshotPlan;
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::domain::shard::{AlertingStart, ShardConfig};
use crate::domain::time::BoundaryLength;
use crate::kafka::{AuditPartition, KafkaConfig, Span, audit_spans, audited_shards, read_audit};
use crate::pipeline::audit::{Anchor, Claim};
use crate::pipeline::decisions::Recorded;
use crate::pipeline::ports::InputPartition;
use crate::snapshot::anchor::oldest_that;
use crate::snapshot::format::Expected;
use crate::wire::decision::DecisionLine;
use crate::wire::progress::{self, Progress, ProgressError};

/// What is claimed, and where the claims are.
pub struct Claims {
    /// Of each shard that ever committed.
    pub of: BTreeMap<ShardNo, Claim>,
    /// All progress records of all shards, as far as they were read.
    pub progress: Vec<Span<AuditPartition>>,
    /// The gaps that an operator accepted.
    pub gaps: Vec<DecisionLine>,
}

/// What records must have been computed with.
pub struct Computed<'a> {
    /// The policy's fingerprint.
    pub policy: &'a str,
    /// The length of boundaries.
    pub length: BoundaryLength,
    /// How many partitions each input has.
    pub partitions: u32,
}

/// The decisions of a shard, and its last record.
#[derive(Default)]
struct Told {
    decisions: Vec<DecisionLine>,
    last: Option<Progress>,
}

/// Reads the progress topic up to its present end.
///
/// # Errors
/// A record that cannot be used, or what kept the cluster from answering.
pub fn read(kafka: &KafkaConfig, computed: &Computed<'_>) -> Result<Claims, Failure> {
    let shards = audited_shards(kafka).map_err(|error| failure_of_asking(&error))?;
    let partitions: Vec<_> = shards.into_iter().map(AuditPartition::Progress).collect();
    let progress = audit_spans(kafka, &partitions).map_err(|error| failure_of_asking(&error))?;
    let mut told: BTreeMap<ShardNo, Told> = BTreeMap::new();
    read_progress(kafka, &progress, &mut |shard, _, record| {
        let of = told.entry(shard).or_default();
        let expected = of.last.as_ref().map_or(1, |last| last.number + 1);
        if record.number != expected || record.shard != shard {
            let words = format!(
                "{}-{shard} has progress record {} of shard {} where record {expected} should be: \
                 it was changed, or its beginning was lost; nothing can be checked without it",
                kafka.topics.progress, record.number, record.shard
            );
            return Err(Failure::new(ExitCode::Software, words));
        }
        check(&record, computed)?;
        of.decisions.extend_from_slice(&record.decisions);
        of.last = Some(record);
        Ok(())
    })?;
    let mut of = BTreeMap::new();
    let mut gaps = Vec::new();
    for (shard, Told { decisions, last }) in told {
        let Some(target) = last else { continue };
        let mut recorded = Recorded::default();
        recorded.extend(shard, &decisions);
        gaps.extend(decisions.into_iter().filter(|one| matches!(one, DecisionLine::Gap { .. })));
        of.insert(shard, Claim { target, recorded, anchor: None });
    }
    Ok(Claims { of, progress, gaps })
}

/// Reads progress records of some spans.
///
/// # Errors
/// One that cannot be used, what `each` refuses, or what kept the cluster from answering.
pub fn read_progress(
    kafka: &KafkaConfig,
    spans: &[Span<AuditPartition>],
    each: &mut dyn FnMut(ShardNo, Offset, Progress) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut refused = None;
    read_audit(kafka, spans, &mut |partition, record| {
        let (AuditPartition::Progress(shard), Some(value)) = (partition, record.value) else {
            return ControlFlow::Continue(None);
        };
        let decoded = decode(value).map_err(|failure| {
            let topic = &kafka.topics.progress;
            failure.during(format!("{topic}-{shard}, offset {}", record.offset))
        });
        match decoded.and_then(|progress| each(shard, record.offset, progress)) {
            Ok(()) => ControlFlow::Continue(record.timestamp_ms),
            Err(failure) => {
                refused = Some(failure);
                ControlFlow::Break(())
            }
        }
    })
    .map_err(|error| failure_of_asking(&error))?;
    refused.map_or(Ok(()), Err)
}

/// Reads the value of a progress record.
///
/// # Errors
/// 76 for one of a newer version, 70 for one that is damaged.
pub fn decode(value: &[u8]) -> Result<Progress, Failure> {
    progress::decode(value).map_err(|error| {
        let code = match error {
            ProgressError::NewerVersion { .. } => ExitCode::NewerVersion,
            ProgressError::Damaged(_) => ExitCode::Software,
        };
        Failure::new(code, error)
    })
}

fn check(record: &Progress, computed: &Computed<'_>) -> Result<(), Failure> {
    let (shard, number) = (record.shard, record.number);
    if record.engine != progress::ENGINE {
        let words = format!(
            "shard {shard}: progress record {number} was written by engine {}, and this is {}: \
             verify with the version that wrote it",
            record.engine,
            progress::ENGINE
        );
        return Err(Failure::new(ExitCode::NewerVersion, words));
    }
    if record.policy != computed.policy || record.boundary_length != computed.length {
        let words = format!(
            "shard {shard}: progress record {number} was computed with policy {} and boundaries of \
             {} ms, and the configuration has policy {} and {} ms: verify with the configuration \
             of the service",
            record.policy,
            record.boundary_length.ms(),
            computed.policy,
            computed.length.ms()
        );
        return Err(Failure::new(ExitCode::Config, words));
    }
    let before = record.shards.unwrap_or(computed.partitions);
    if before != computed.partitions {
        let words = format!(
            "shard {shard}: the inputs have {} partitions, and had {before} at progress record \
             {number}: sellers are on other partitions now",
            computed.partitions
        );
        return Err(Failure::new(ExitCode::Partitions, words));
    }
    Ok(())
}

/// The spans of the inputs that claims need, and an anchor for each claim whose first records are
/// no longer there.
///
/// # Errors
/// 66 or 74 where records are lost and no snapshot takes their place; 69 for a store that does
/// not answer.
pub fn anchored(
    kafka: &KafkaConfig,
    claims: &mut Claims,
    shard_config: &ShardConfig,
    plan: Option<&SnapshotPlan>,
) -> Result<Vec<Span<AuditPartition>>, Failure> {
    let partitions: Vec<_> = claims
        .of
        .keys()
        .flat_map(|shard| Topic::ALL.map(|topic| InputPartition { topic, shard: *shard }))
        .map(AuditPartition::Input)
        .collect();
    let spans = audit_spans(kafka, &partitions).map_err(|error| failure_of_asking(&error))?;
    let mut needed = Vec::new();
    for ((shard, claim), spans) in claims.of.iter_mut().zip(spans.chunks(Topic::ALL.len())) {
        let firsts: [NextOffset; 4] = std::array::from_fn(|at| spans[at].first);
        for (topic, (span, end)) in Topic::ALL.into_iter().zip(spans.iter().zip(claim.ends())) {
            if span.end < end {
                let words = format!(
                    "{}-{shard}: the log ends at offset {}, and progress record {} is at {end}: \
                     its end was lost",
                    kafka.topics.input(topic),
                    span.end,
                    claim.target.number
                );
                return Err(Failure::new(ExitCode::LogCut, words));
            }
        }
        if !reaches(claim, &firsts, claim.begins()) {
            claim.anchor = Some(anchor(*shard, claim, &firsts, shard_config, plan)?);
        }
        for (span, (from, to)) in spans.iter().zip(claim.begins().into_iter().zip(claim.ends())) {
            needed.push(crate::kafka::part_of(*span, from, to));
        }
    }
    Ok(needed)
}

/// Whether the inputs have everything between where an audit begins and where it ends.
fn reaches(claim: &Claim, firsts: &[NextOffset; 4], begins: [NextOffset; 4]) -> bool {
    Topic::ALL.into_iter().all(|topic| {
        let at = topic.index();
        let begin = claim.recorded.behind_gaps(topic, begins[at]);
        begin >= firsts[at] || begin >= claim.ends()[at]
    })
}

fn anchor(
    shard: ShardNo,
    claim: &Claim,
    firsts: &[NextOffset; 4],
    config: &ShardConfig,
    plan: Option<&SnapshotPlan>,
) -> Result<Anchor, Failure> {
    let mut reasons = String::new();
    if let Some(SnapshotPlan { keeper, store, .. }) = plan {
        let expected = Expected {
            group: keeper.group.clone(),
            cluster: keeper.cluster.clone(),
            policy: keeper.policy.clone(),
            shard,
            committed: claim.target.number,
        };
        let config = ShardConfig { shard, start: AlertingStart::Decided, ..config.clone() };
        let is_behind = |progress: &Progress| {
            reaches(claim, firsts, progress.positions.map(|position| position.next))
        };
        let mut store = store();
        let found = oldest_that(&mut *store, &expected, &config, is_behind, &mut |number, why| {
            warn!(%shard, number, why, "a snapshot is no anchor");
            reasons.push_str(&format!("; snapshot {number}: {why}"));
        });
        let found = found.map_err(|error| {
            Failure::new(ExitCode::Unavailable, error.to_string()).during("snapshots.store")
        })?;
        if let Some(found) = found {
            let number = found.progress.number;
            info!(%shard, number, "retention has passed the first records: beginning here");
            return Ok(Anchor { shard: found.shard, progress: found.progress });
        }
    }
    let lost = Topic::ALL.into_iter().find(|topic| {
        let (begin, first) = (claim.begins()[topic.index()], firsts[topic.index()]);
        begin < first && begin < claim.ends()[topic.index()]
    });
    let place = lost.map_or_else(String::new, |topic| {
        let (begin, first) = (claim.begins()[topic.index()], firsts[topic.index()]);
        format!("{}-{shard}: offsets {begin} to {} are ", topic.as_str(), first.get() - 1)
    });
    let words = format!(
        "{place}lost to retention, and no snapshot reaches behind them, so what was committed \
         cannot be computed again{reasons}"
    );
    Err(Failure::new(ExitCode::DataGap, words))
}
