//! The audit on the in-memory broker: it agrees with whatever a fleet went through, and names
//! exactly what was forged.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::sync::Arc;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, Offset, ShardNo};
use odrwatch::domain::shard::{AlertingStart, ShardConfig};
use odrwatch::pipeline::audit::{
    Anchor, Audit, AuditConfig, Claim, DifferenceKind, Found, ShardReport,
};
use odrwatch::pipeline::decisions::Recorded;
use odrwatch::pipeline::ports::{InputPartition, OutTopic, RawRecord, SnapshotStore};
use odrwatch::sim::random::Random;
use odrwatch::snapshot::anchor::oldest_that;
use odrwatch::snapshot::format::Expected;
use odrwatch::testing::{CommitFault, LogName, StoredRecord};
use odrwatch::wire::input;
use odrwatch::wire::progress::{self, Progress};

use crate::fleet::{Fleet, FleetConfig};

/// The logs of a fleet, which a test may change.
struct Logs {
    inputs: BTreeMap<(u32, Topic), Vec<Arc<StoredRecord>>>,
    progress: BTreeMap<u32, Vec<(Offset, Progress)>>,
    alerts: BTreeMap<u32, Vec<Found>>,
    claims: BTreeMap<ShardNo, Claim>,
    config: AuditConfig,
    /// Which interleaving is chosen.
    seed: u64,
}

fn raw(record: &StoredRecord) -> RawRecord<'_> {
    RawRecord {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.as_deref(),
        value: record.value.as_deref(),
        headers: record,
    }
}

impl Logs {
    fn of(fleet: &Fleet, partitions: u32, seed: u64) -> Self {
        let mut logs = Self {
            inputs: BTreeMap::new(),
            progress: BTreeMap::new(),
            alerts: BTreeMap::new(),
            claims: BTreeMap::new(),
            config: AuditConfig {
                shard: fleet.shard_config(),
                input: input::Limits::with_partitions(partitions),
            },
            seed,
        };
        let decisions = fleet.recorded();
        for partition in 0..partitions {
            let shard = ShardNo::new(partition);
            for topic in Topic::ALL {
                let log = LogName::Input(InputPartition { topic, shard });
                let (records, _) = fleet.cluster.tail(log, NextOffset::stated(0), usize::MAX);
                logs.inputs.insert((partition, topic), records);
            }
            let records = fleet.cluster.read_committed(OutTopic::Progress, partition);
            let decoded: Vec<_> = records
                .iter()
                .map(|one| (one.offset, progress::decode(one.value.as_ref().unwrap()).unwrap()))
                .collect();
            let alerts = fleet.cluster.read_committed(OutTopic::Alerts, partition);
            logs.alerts.insert(partition, alerts.iter().map(|one| Found::of(&raw(one))).collect());
            if let Some((_, target)) = decoded.last() {
                let mut recorded = Recorded::default();
                recorded.extend(shard, &decisions);
                let claim = Claim { target: target.clone(), recorded, anchor: None };
                logs.claims.insert(shard, claim);
            }
            logs.progress.insert(partition, decoded);
        }
        logs
    }

    /// Audits in some interleaving of all logs.
    fn audit(&self) -> BTreeMap<ShardNo, ShardReport> {
        enum Next<'a> {
            Input(u32, Topic, &'a StoredRecord),
            Progress(Offset, &'a Progress),
            Alert(u32, &'a Found),
        }
        let mut lanes: Vec<std::collections::VecDeque<Next<'_>>> = Vec::new();
        for ((partition, topic), records) in &self.inputs {
            let lane = records.iter().map(|one| Next::Input(*partition, *topic, one));
            lanes.push(lane.collect());
        }
        for records in self.progress.values() {
            lanes.push(records.iter().map(|(at, one)| Next::Progress(*at, one)).collect());
        }
        for (partition, records) in &self.alerts {
            lanes.push(records.iter().map(|one| Next::Alert(*partition, one)).collect());
        }
        let mut random = Random::new(self.seed ^ 0xA0D1);
        let mut audit = Audit::new(self.config.clone(), self.claims.clone());
        while !lanes.is_empty() {
            let at = random.index(lanes.len());
            match lanes[at].pop_front() {
                None => {
                    lanes.swap_remove(at);
                }
                Some(Next::Input(partition, topic, record)) => {
                    audit.input(topic, ShardNo::new(partition), &raw(record)).unwrap();
                }
                Some(Next::Progress(offset, record)) => audit.progress(offset, record),
                Some(Next::Alert(partition, found)) => {
                    audit.alert(ShardNo::new(partition), found.clone());
                }
            }
        }
        audit.end_inputs().unwrap();
        audit.finish(&BTreeMap::new())
    }

    /// The differences, as kind, shard, number and offset.
    fn differences(&self) -> Vec<(DifferenceKind, u32, Option<u64>, Option<i64>)> {
        let reports = self.audit();
        let all = reports.values().flat_map(|report| &report.differences);
        all.map(|one| (one.kind, one.shard.get(), one.number, one.offset.map(Offset::get)))
            .collect()
    }
}

/// A fleet that went through crashes and failed transactions, stopped at some moment.
fn shaken(seed: u64, snapshot_ms: Option<i64>) -> Fleet {
    let mut random = Random::new(seed ^ 0xA0D2);
    let mut fleet = Fleet::new(FleetConfig { snapshot_ms, ..FleetConfig::new(seed) });
    fleet.join("a", 0);
    for round in 0..6 {
        fleet.feed_some();
        for n in 0..4 {
            fleet.produce_defective_order(&format!("SHAKEN{round}{n}"), &format!("302-{n}"));
        }
        if random.chance(300_000) {
            fleet.cluster.fail_next_commit(CommitFault::AnswerLost);
        }
        fleet.run_turns(50 + random.index(400));
        if random.chance(500_000) {
            fleet.crash("a", 0);
            fleet.join("a", 0);
        }
    }
    fleet.run_for(9_000);
    fleet
}

#[test]
fn an_audit_agrees_with_everything_that_was_committed_in_whatever_order_it_reads() {
    let (mut alerts, mut progress, mut records) = (0, 0, 0);
    for seed in 0..80 {
        let fleet = shaken(seed, None);
        let logs = Logs::of(&fleet, 2, seed);
        for (shard, report) in logs.audit() {
            assert_eq!(report.differences, [], "seed {seed}, shard {shard}");
            let number = shard.get();
            assert_eq!(report.alerts, u64::try_from(logs.alerts[&number].len()).unwrap());
            assert_eq!(report.progress, u64::try_from(logs.progress[&number].len()).unwrap());
            alerts += report.alerts;
            progress += report.progress;
            records += report.records;
        }
    }
    assert!(alerts > 1_000 && progress > 1_000 && records > 5_000, "{alerts} {progress} {records}");
}

#[test]
fn what_was_forged_is_named_and_nothing_else() {
    use DifferenceKind::{Different, Extra, Missing, Progress};
    let mut forged = 0;
    for seed in 0..40 {
        let fleet = shaken(seed, None);
        let whole = Logs::of(&fleet, 2, seed);
        let shard = u32::from(whole.alerts[&0].len() < 3);
        let count = whole.alerts[&shard].len();
        if count < 3 {
            continue;
        }
        forged += 1;
        let mut random = Random::new(seed);
        let at = random.index(count);
        let number = Some(u64::try_from(at).unwrap() + 1);
        let logs = || Logs::of(&fleet, 2, seed);
        let offset = Some(whole.alerts[&shard][at].offset.get());

        let mut removed = logs();
        removed.alerts.get_mut(&shard).unwrap().remove(at);
        assert_eq!(removed.differences(), [(Missing, shard, number, None)], "seed {seed}");

        let mut changed = logs();
        let alert = &mut changed.alerts.get_mut(&shard).unwrap()[at];
        let text = String::from_utf8(alert.value.clone().unwrap()).unwrap();
        alert.value = Some(text.replacen("\"seller_id\":\"", "\"seller_id\":\"X", 1).into_bytes());
        assert_eq!(changed.differences(), [(Different, shard, number, offset)], "seed {seed}");

        let mut keyed = logs();
        keyed.alerts.get_mut(&shard).unwrap()[at].key = Some(b"other".to_vec());
        let reports = keyed.audit();
        let [one] = &reports[&ShardNo::new(shard)].differences[..] else { panic!("{reports:?}") };
        assert_eq!((one.kind, &one.parts[..]), (Different, &["key"][..]));

        let (mut extra, end) = (logs(), Offset::new(9_999));
        let list = extra.alerts.get_mut(&shard).unwrap();
        let again = Found { offset: end, ..list[at].clone() };
        list.push(again);
        assert_eq!(extra.differences(), [(Extra, shard, number, Some(9_999))], "seed {seed}");

        let mut beyond = logs();
        let list = beyond.alerts.get_mut(&shard).unwrap();
        let value = format!("{{\"seq\":{},\"seller_id\":\"X\"}}", count + 7).into_bytes();
        list.insert(at, Found { offset: end, value: Some(value), ..list[0].clone() });
        let number_beyond = Some(u64::try_from(count).unwrap() + 7);
        assert_eq!(beyond.differences(), [(Extra, shard, number_beyond, Some(9_999))]);

        let mut noise = logs();
        let list = noise.alerts.get_mut(&shard).unwrap();
        list.insert(0, Found { offset: end, value: Some(b"{".to_vec()), ..list[0].clone() });
        assert_eq!(noise.differences(), [(Extra, shard, None, Some(9_999))]);

        let mut digest = logs();
        let list = digest.progress.get_mut(&shard).unwrap();
        let at = random.index(list.len());
        list[at].1.digest.0 ^= 1;
        let place = (Progress, shard, Some(list[at].1.number), Some(list[at].0.get()));
        if at + 1 == list.len() {
            digest.claims.get_mut(&ShardNo::new(shard)).unwrap().target.digest.0 ^= 1;
        }
        assert_eq!(digest.differences(), [place], "seed {seed}");
    }
    assert!(forged > 20, "{forged}");
}

#[test]
fn a_changed_input_is_seen_in_the_digests_from_there_on() {
    let fleet = shaken(7, None);
    let mut logs = Logs::of(&fleet, 2, 7);
    let orders = logs.inputs.get_mut(&(0, Topic::Orders)).unwrap();
    let is_counted = |record: &Arc<StoredRecord>| {
        record.key.as_ref().is_some_and(|key| key.starts_with(b"SHAKEN"))
    };
    let counted = orders.iter().position(is_counted).unwrap();
    orders.remove(counted);
    let found = logs.differences();
    assert!(found.iter().any(|one| one.0 == DifferenceKind::Progress && one.1 == 0), "{found:?}");
}

#[test]
fn behind_retention_an_audit_begins_with_the_oldest_snapshot_that_reaches() {
    for seed in 0..10 {
        let mut fleet = shaken(seed, Some(500));
        fleet.run_for(20_000);
        fleet.drop_committed_inputs();
        fleet.feed_all();
        fleet.run_until_quiet();
        let mut logs = Logs::of(&fleet, 2, seed);
        let mut store = fleet.store.clone();
        for (shard, claim) in &mut logs.claims {
            let firsts = Topic::ALL.map(|topic| {
                let log = LogName::Input(InputPartition { topic, shard: *shard });
                fleet.cluster.bounds(log).0
            });
            assert!(firsts.iter().zip(claim.begins()).any(|(first, begin)| *first > begin));
            let expected = Expected {
                group: "fleet".to_owned(),
                cluster: "memory".to_owned(),
                policy: "test".to_owned(),
                shard: *shard,
                committed: claim.target.number,
            };
            let config = ShardConfig {
                shard: *shard,
                start: AlertingStart::Decided,
                ..fleet.shard_config()
            };
            let reaches = |progress: &Progress| {
                progress
                    .positions
                    .iter()
                    .zip(firsts)
                    .all(|(position, first)| position.next >= first)
            };
            let store: &mut dyn SnapshotStore = &mut store;
            let found = oldest_that(store, &expected, &config, reaches, &mut |_, _| ()).unwrap();
            let found = found.expect("a snapshot reaches behind what was dropped");
            claim.anchor = Some(Anchor { shard: found.shard, progress: found.progress });
        }
        let reports = logs.audit();
        for (shard, report) in &reports {
            assert_eq!(report.differences, [], "seed {seed}, shard {shard}");
            assert!(report.anchor.is_some() && report.progress > 0, "{report:?}");
            let all = u64::try_from(logs.alerts[&shard.get()].len()).unwrap();
            assert_eq!(report.alerts + report.before, all);
        }
    }
}
