//! What must be so once all faults have ended: everything is done in bounded time, and it is what
//! the reference says.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::advice::AdviceRules;
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::pipeline::replay::{Replay, ReplayConfig};
use odrwatch::pipeline::slot::Slot;
use odrwatch::telemetry::labels::ShardPhase;
use odrwatch::wire::decision::DecisionLine;
use odrwatch::wire::{advice, input, totals};

use odrwatch::sim::murmur2::partition_of;

use crate::decisions::for_reference;
use crate::oracle;
use crate::world::World;

const DAY_MS: i64 = 86_400_000;

/// A step of waiting, in ms.
const STEP_MS: i64 = 250;

/// In so many steps everything is done once no fault is left.
const STEPS: usize = 1_200;

impl World {
    /// Goes on to the next noon, so that no day of any zone ends while the last things are done.
    pub fn go_to_noon(&mut self) {
        self.now.wall_ms = (self.now.wall_ms.div_euclid(DAY_MS) + 1) * DAY_MS + DAY_MS / 2;
        self.cluster.set_clock_ms(self.now.wall_ms);
    }

    /// Runs without faults until all is read, closed and committed.
    pub fn settle(&mut self) {
        for _ in 0..STEPS {
            for name in self.away.clone() {
                self.start(name);
            }
            self.moment(STEP_MS, 0);
            if self.is_quiet() {
                return;
            }
        }
        let slots: Vec<String> =
            self.processes.iter().map(|process| format!("{:?}", process.worker)).collect();
        panic!("it never gets quiet: away {:?}, {slots:#?}", self.away);
    }

    fn is_quiet(&self) -> bool {
        self.away.is_empty()
            && self.processes.iter().all(|process| !process.is_superseded)
            && self.cluster.is_settled()
            && self.shards().all(|shard| {
                let mut owners = self.slots_of(shard);
                owners.next().is_some_and(|slot| self.is_done(slot)) && owners.next().is_none()
            })
    }

    fn slots_of(&self, shard: ShardNo) -> impl Iterator<Item = &Slot> {
        let slots = self.processes.iter().flat_map(|process| process.worker.slots());
        slots.filter(move |slot| slot.number == shard && slot.phase.label() != ShardPhase::Opening)
    }

    fn is_done(&self, slot: &Slot) -> bool {
        let is_read = |topic: Topic| {
            let last = self.history.iter().rev().find(|record| {
                (record.topic, record.partition) == (topic.index(), slot.number.get())
            });
            last.is_none_or(|last| slot.shard.inbox().read_to(topic).get() > last.offset)
        };
        let is_due = slot
            .shard
            .next_effect()
            .is_some_and(|next| next.ms(slot.shard.length()) <= self.now.wall_ms - 2_000);
        slot.phase.label() == ShardPhase::Live
            && !slot.has_moved
            && slot.shard.held().pending == 0
            && Topic::ALL.into_iter().all(is_read)
            && !is_due
            && self.watch.of(slot.number).last.as_ref().map_or(0, |last| last.number)
                == slot.progress
    }

    /// All recorded decisions.
    pub fn recorded(&self) -> Vec<DecisionLine> {
        self.watch.all().iter().flat_map(|seen| seen.decisions.iter().cloned()).collect()
    }

    /// What the reference makes of all that was ever visible.
    pub fn by_reference(&self) -> oracle::Output {
        let config = oracle::Config {
            policy: self.policies.reference.clone(),
            boundary_ms: 5_000,
            partitions: self.plan.partitions,
            decisions: self.recorded().iter().map(for_reference).collect(),
            ..oracle::Config::default()
        };
        oracle::run(&config, &self.history)
    }

    /// The alerts of the reference that are of a shard: those of its sellers.
    pub fn alerts_of<'a>(&self, expected: &'a oracle::Output, shard: ShardNo) -> Vec<&'a str> {
        let is_own = |line: &&str| {
            let alert: serde_json::Value = serde_json::from_str(line).unwrap();
            let seller = alert["seller_id"].as_str().unwrap();
            partition_of(seller.as_bytes(), self.plan.partitions) == shard.get()
        };
        expected.alerts.iter().map(String::as_str).filter(is_own).collect()
    }

    /// Compares all that was committed with the reference.
    pub fn check(&mut self) {
        let expected = self.by_reference();
        let mut alerts = 0;
        for shard in self.shards() {
            let seen = self.watch.of(shard);
            let wanted = self.alerts_of(&expected, shard);
            assert_same(&seen.alerts, &wanted, &format!("alerts of {shard}"));
            let seq = seen.last.as_ref().map_or(0, |last| last.seq);
            assert_eq!(usize::try_from(seq).unwrap(), seen.alerts.len(), "seq of {shard}");
            alerts += seen.alerts.len();
        }
        assert_eq!(alerts, expected.alerts.len(), "every alert is of a shard");
        self.check_dead(&expected);
        self.check_totals(&expected);
        self.check_outcomes(&expected);
        for _ in 0..alerts {
            self.count("alerts compared");
        }
        for _ in 0..expected.dead.len() {
            self.count("dead letters compared");
        }
    }

    /// Each dead letter once, with its reason and its original's bytes.
    fn check_dead(&self, expected: &oracle::Output) {
        let mut found = Vec::new();
        for shard in self.shards() {
            for record in self.cluster.read_committed(OutTopic::DeadLetters, shard.get()) {
                let header = |name: &str| {
                    let name = format!("__odrwatch.errors.{name}");
                    let value = record.headers.iter().find(|(header, _)| *header == name);
                    value.map(|(_, value)| String::from_utf8(value.clone().unwrap()).unwrap())
                };
                let of = |name| header(name).unwrap();
                let (topic, partition, offset) = (of("topic"), of("partition"), of("offset"));
                let original = self.history.iter().find(|one| {
                    let place = (one.partition.to_string(), one.offset.to_string());
                    Topic::ALL[one.topic].as_str() == topic
                        && place == (partition.clone(), offset.clone())
                });
                let is_whole = record.value == original.unwrap().value;
                assert!(is_whole || header("omitted").is_some(), "the bytes of {topic} {offset}");
                let line = format!(
                    "{{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{offset},\
                     \"code\":\"{}\"}}",
                    of("code")
                );
                found.push(line);
            }
        }
        found.sort();
        let mut dead = expected.dead.clone();
        dead.sort();
        assert_same(&found, &dead, "dead letters");
    }

    /// The numbers of every account, as the live shards have them.
    fn check_totals(&self, expected: &oracle::Output) {
        let mut found = Vec::new();
        for shard in self.shards() {
            for slot in self.slots_of(shard) {
                for total in slot.shard.totals() {
                    totals::write_line(&total, &mut found);
                }
            }
        }
        let found = String::from_utf8(found).unwrap();
        let found: Vec<&str> = found.lines().collect();
        assert_same(&found, &expected.totals, "totals");
    }

    /// Every record has one outcome, and a bounded replay agrees in everything.
    fn check_outcomes(&self, expected: &oracle::Output) {
        let config = ReplayConfig {
            shard: self.shard_config(self.seed),
            input: input::Limits::with_partitions(self.plan.partitions),
            advice: Some(AdviceRules::default()),
            until_ms: None,
            needs_recorded_start: false,
        };
        let mut replay = Replay::new(config, self.recorded());
        let mut records: Vec<&oracle::Record> = self.history.iter().collect();
        records.sort_by_key(|record| (record.topic, record.partition, record.offset));
        for record in records {
            let (topic, shard) = (Topic::ALL[record.topic], ShardNo::new(record.partition));
            let offset = odrwatch::domain::ids::Offset::new(record.offset);
            let value = record.value.as_deref();
            replay.push(topic, shard, offset, record.timestamp_ms, value).unwrap();
        }
        let output = replay.finish().unwrap();
        let outcomes = String::from_utf8(output.outcomes).unwrap();
        assert_eq!(outcomes.trim_end(), expected.outcomes, "outcomes");
        let alerts = String::from_utf8(output.alerts).unwrap();
        let alerts: Vec<&str> = alerts.lines().collect();
        assert_same(&alerts, &expected.alerts, "a replay's alerts");
        let advice = String::from_utf8(output.advice).unwrap();
        let advice: Vec<&str> = advice.lines().collect();
        assert_same(&self.advice(), &advice, "advice, as a replay has it");
    }

    /// The committed advice as `advice.jsonl` has it.
    fn advice(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for partition in 0..self.plan.partitions {
            for record in self.cluster.read_committed(OutTopic::Advice, partition) {
                let key = record.key.as_deref().unwrap();
                advice::write_line(key, record.value.as_deref(), &mut lines);
            }
        }
        String::from_utf8(lines).unwrap().lines().map(str::to_owned).collect()
    }

    /// All processes end; one starts, and must come to the very same state: from the beginning of
    /// the inputs where they are there, held against every progress record on the way.
    pub fn restart_all(&mut self) {
        while !self.processes.is_empty() {
            self.crash(0);
        }
        self.away.clear();
        for (instance, worker) in crate::world::NAMES {
            self.cluster.kick(instance, worker);
        }
        if !self.is_cut {
            self.plan.snapshot_ms = None;
            self.count("restored from the beginning");
        }
        self.away.push(0);
        self.settle();
        self.check();
    }
}

/// Fails with the first line that differs.
pub fn assert_same<A: AsRef<str>, B: AsRef<str>>(found: &[A], expected: &[B], what: &str) {
    for at in 0..found.len().max(expected.len()) {
        let (found, expected) = (found.get(at).map(A::as_ref), expected.get(at).map(B::as_ref));
        assert!(
            found == expected,
            "{what}, line {at}:\n   found {}\nexpected {}",
            found.unwrap_or("nothing"),
            expected.unwrap_or("nothing")
        );
    }
}
