//! Workers on an in-memory cluster, on one thread and with a clock of their own, and the check of
//! what they committed against a bounded replay.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

mod check;

use std::collections::BTreeMap;
use std::sync::Arc;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::NextOffset;
use odrwatch::domain::ids::ShardNo;
use odrwatch::domain::policy::Policy;
use odrwatch::domain::shard::{AlertingStart, Limits, Shard, ShardConfig};
use odrwatch::domain::time::BoundaryLength;
use odrwatch::pipeline::advice::AdviceRules;
use odrwatch::pipeline::desk::desk;
use odrwatch::pipeline::ports::InputPartition;
use odrwatch::pipeline::query::ReadModel;
use odrwatch::pipeline::slot::Now;
use odrwatch::pipeline::stop::Stop;
use odrwatch::pipeline::worker::{StartRule, Worker, WorkerConfig};
use odrwatch::sim::hostile::{Hostile, HostileConfig, HostileRecord};
use odrwatch::sim::random::Random;
use odrwatch::snapshot::keeper::{Keeper, KeeperConfig};
use odrwatch::telemetry::health::{HealthBoard, WorkerNo};
use odrwatch::telemetry::metrics::{BuildInfo, Metrics};
use odrwatch::testing::{
    Cluster, ClusterConfig, LogName, MemoryBroker, MemoryStore, NewRecord, StoredRecord,
    TransactionEnd,
};
use odrwatch::wire::input;

/// The instant at which the fleet's clock starts: later than all hostile records.
const START_MS: i64 = 1_780_000_000_000;

/// How far the clock goes with each turn.
const TURN_MS: i64 = 20;

#[derive(Clone, Copy)]
pub struct FleetConfig {
    pub seed: u64,
    pub partitions: u32,
    pub start: StartRule,
    /// How often snapshots are taken; `None` for never.
    pub snapshot_ms: Option<i64>,
    pub advice: Option<AdviceRules>,
    /// Whether workers go on behind lost records.
    pub accepts_gaps: bool,
}

impl FleetConfig {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            partitions: 2,
            start: StartRule::Earliest,
            snapshot_ms: None,
            advice: Some(AdviceRules::default()),
            accepts_gaps: false,
        }
    }
}

fn keeper_config() -> KeeperConfig {
    KeeperConfig {
        group: "fleet".to_owned(),
        cluster: "memory".to_owned(),
        policy: "test".to_owned(),
        keep: 2,
    }
}

pub struct Fleet {
    pub cluster: Cluster,
    config: FleetConfig,
    workers: BTreeMap<(String, u32), Worker<MemoryBroker>>,
    health: BTreeMap<(String, u32), Arc<HealthBoard>>,
    metrics: BTreeMap<(String, u32), Arc<Metrics>>,
    keepers: BTreeMap<(String, u32), Keeper<MemoryStore>>,
    pub store: MemoryStore,
    /// What retention dropped of the inputs, for the check.
    dropped: Vec<(Topic, u32, Arc<StoredRecord>)>,
    waiting: Vec<(Topic, u32, HostileRecord)>,
    random: Random,
    now: Now,
    skew_ms: i64,
    readers: Option<Arc<ReadModel>>,
}

impl Fleet {
    pub fn new(config: FleetConfig) -> Self {
        let mut random = Random::new(config.seed ^ 0xF1EE7);
        let hostile = Hostile::new(&HostileConfig {
            partitions: config.partitions,
            events: 150,
            ..HostileConfig::new(config.seed)
        });
        let mut waiting = Vec::new();
        let mut heads: Vec<(Topic, u32, usize)> = Topic::ALL
            .into_iter()
            .flat_map(|topic| (0..config.partitions).map(move |partition| (topic, partition, 0)))
            .collect();
        while !heads.is_empty() {
            let at = random.index(heads.len());
            let (topic, partition, next) = heads[at];
            match hostile.log(topic, partition).get(next) {
                Some(record) => {
                    waiting.push((topic, partition, record.clone()));
                    heads[at].2 += 1;
                }
                None => {
                    heads.swap_remove(at);
                }
            }
        }
        waiting.reverse();
        let cluster = Cluster::new(ClusterConfig::new(config.partitions));
        cluster.set_clock_ms(START_MS);
        let now = Now { wall_ms: START_MS, mono_ms: 0 };
        Self {
            cluster,
            config,
            workers: BTreeMap::new(),
            health: BTreeMap::new(),
            metrics: BTreeMap::new(),
            keepers: BTreeMap::new(),
            store: MemoryStore::new(),
            dropped: Vec::new(),
            waiting,
            random,
            now,
            skew_ms: 0,
            readers: None,
        }
    }

    /// Lets readers see the shards of workers that join from now on.
    pub fn show_to(&mut self, model: Arc<ReadModel>) {
        self.readers = Some(model);
    }

    pub fn join(&mut self, instance: &str, worker: u32) {
        let broker = self.cluster.member(instance, worker);
        let health = Arc::new(HealthBoard::new(1));
        let metrics = Arc::new(Metrics::new(BuildInfo::of_this_build("none"), Arc::clone(&health)));
        let worker_config = self.worker_config();
        let (board, counted) = (Arc::clone(&health), Arc::clone(&metrics));
        let mut joined = Worker::new(broker, worker_config, counted, board);
        if let Some(model) = &self.readers {
            joined.show_to(Arc::clone(model));
        }
        let name = (instance.to_owned(), worker);
        if let Some(interval_ms) = self.config.snapshot_ms {
            let (desk, side) = desk();
            joined.keep_snapshots(desk, interval_ms);
            let keeper = Keeper::new(side, self.store.clone(), keeper_config());
            self.keepers.insert(name.clone(), keeper);
        }
        self.workers.insert(name.clone(), joined);
        self.health.insert(name.clone(), health);
        self.metrics.insert(name, metrics);
    }

    /// The value of a metric of a worker, by its name and labels, in whole numbers.
    pub fn metric(&self, instance: &str, worker: u32, series: &str) -> u64 {
        let text = self.metrics[&(instance.to_owned(), worker)].render();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value: f64 = line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap();
        format!("{value:.0}").parse().unwrap()
    }

    /// All metrics of a worker.
    pub fn metrics_text(&self, instance: &str, worker: u32) -> String {
        self.metrics[&(instance.to_owned(), worker)].render()
    }

    /// Shows every shard of every worker.
    pub fn each_shard(&self, mut look: impl FnMut(&Shard)) {
        for worker in self.workers.values() {
            worker.slots().for_each(|slot| look(&slot.shard));
        }
    }

    /// What is not well with a worker although it does its job.
    pub fn troubles(&self, instance: &str, worker: u32) -> Vec<String> {
        self.health[&(instance.to_owned(), worker)].troubles()
    }

    /// Drops all records of the inputs that the group has committed, as retention would.
    pub fn drop_committed_inputs(&mut self) {
        for partition in 0..self.config.partitions {
            let Some(committed) = self.cluster.committed(partition) else { continue };
            for topic in Topic::ALL {
                let shard = ShardNo::new(partition);
                let log = LogName::Input(InputPartition { topic, shard });
                let before = committed.next[topic.index()];
                let (records, _) = self.cluster.tail(log, NextOffset::stated(0), usize::MAX);
                let gone = records.into_iter().filter(|record| record.offset.next() <= before);
                self.dropped.extend(gone.map(|record| (topic, partition, record)));
                self.cluster.delete_records(log, before);
            }
        }
    }

    /// Drops the records of an input partition before an offset, as retention would.
    pub fn drop_inputs(&mut self, of: InputPartition, before: NextOffset) {
        let log = LogName::Input(of);
        let (records, _) = self.cluster.tail(log, NextOffset::stated(0), usize::MAX);
        let gone = records.into_iter().filter(|record| record.offset.next() <= before);
        self.dropped.extend(gone.map(|record| (of.topic, of.shard.get(), record)));
        self.cluster.delete_records(log, before);
    }

    /// Lets workers that join from now on go on behind lost records.
    pub fn accept_gaps(&mut self) {
        self.config.accepts_gaps = true;
    }

    /// What a worker shows of itself: the shards that it has, and whether it is ready.
    pub fn shown(&self, instance: &str, worker: u32) -> (Vec<u32>, bool) {
        let health = &self.health[&(instance.to_owned(), worker)];
        let shards = health.shards().into_iter().map(|(shard, _)| shard.get()).collect();
        (shards, health.readiness().is_ready())
    }

    fn worker_config(&self) -> WorkerConfig {
        WorkerConfig {
            number: WorkerNo::new(0),
            shard: self.shard_config(),
            input: input::Limits::with_partitions(self.config.partitions),
            advice: self.config.advice,
            start: self.config.start,
            idle_after_ms: 1_000,
            max_clock_ahead_ms: 10_000,
            commit_interval_ms: 100,
            transaction_timeout_ms: 60_000,
            breaker_percent: 0,
            accepts_gaps: self.config.accepts_gaps,
            topics: Topic::ALL.map(|topic| topic.as_str().to_owned()),
            policy: "test".to_owned(),
            owner: None,
        }
    }

    pub fn shard_config(&self) -> ShardConfig {
        ShardConfig {
            shard: ShardNo::new(0),
            policy: Policy::default(),
            length: BoundaryLength::from_ms(5_000).unwrap(),
            future_days: 3,
            limits: Limits::default(),
            start: AlertingStart::Decided,
            statuses: true,
            matters: true,
            hash_seed: self.config.seed,
            first: [NextOffset::stated(0); 4],
        }
    }

    /// Drops a worker without a word; the group does not know.
    pub fn crash(&mut self, instance: &str, worker: u32) {
        let name = (instance.to_owned(), worker);
        self.workers.remove(&name).unwrap();
        self.keepers.remove(&name);
    }

    /// Takes a worker aside, as a process that is suspended.
    pub fn suspend(&mut self, instance: &str, worker: u32) -> Worker<MemoryBroker> {
        self.workers.remove(&(instance.to_owned(), worker)).unwrap()
    }

    pub fn resume(&mut self, instance: &str, worker: u32, suspended: Worker<MemoryBroker>) {
        self.workers.insert((instance.to_owned(), worker), suspended);
    }

    /// Stops a worker cleanly.
    pub fn leave(&mut self, instance: &str, worker: u32) {
        let name = (instance.to_owned(), worker);
        let left = self.workers.remove(&name).unwrap();
        left.shut_down(self.now).unwrap();
        if let Some(mut keeper) = self.keepers.remove(&name) {
            keeper.serve_waiting();
        }
    }

    /// Produces a random part of what is left of the hostile log.
    pub fn feed_some(&mut self) {
        let share = self.waiting.len() / 4 + 1;
        for _ in 0..share {
            self.feed_one();
        }
    }

    pub fn feed_all(&mut self) {
        while !self.waiting.is_empty() {
            self.feed_one();
        }
    }

    fn feed_one(&mut self) {
        let Some((topic, partition, record)) = self.waiting.pop() else { return };
        let new = NewRecord {
            timestamp_ms: record.timestamp_ms,
            key: record.key,
            value: record.value,
            headers: vec![("trace".to_owned(), Some(b"1".to_vec()))],
        };
        if self.random.chance(100_000) {
            let aborted = vec![new.clone()];
            self.cluster.produce_transactional(topic, partition, aborted, TransactionEnd::Abort);
        }
        self.cluster.produce(topic, partition, new);
    }

    pub fn run_turns(&mut self, turns: usize) {
        for _ in 0..turns {
            self.turn();
        }
    }

    /// Lets so many ms pass.
    pub fn run_for(&mut self, ms: i64) {
        let until = self.now.mono_ms + ms;
        while self.now.mono_ms < until {
            self.turn();
        }
    }

    /// Lets so many ms pass, or fewer if a worker stops loudly: then it returns the message.
    pub fn run_until_stop(&mut self, ms: i64) -> Option<String> {
        let until = self.now.mono_ms + ms;
        while self.now.mono_ms < until {
            if let Err(stop) = self.try_turn() {
                return Some(stop.to_string());
            }
        }
        None
    }

    /// Runs until a worker stops loudly, which it must within so many ms.
    pub fn stop_within(&mut self, ms: i64) -> Stop {
        let until = self.now.mono_ms + ms;
        loop {
            if let Err(stop) = self.try_turn() {
                return stop;
            }
            assert!(self.now.mono_ms < until, "no worker stopped: {:?}", self.workers);
        }
    }

    /// Runs until everything is read, closed and committed.
    pub fn run_until_quiet(&mut self) {
        let deadline = self.now.mono_ms + 600_000;
        loop {
            self.run_for(15_000);
            let pending = |worker: &Worker<MemoryBroker>| {
                worker.slots().map(|slot| slot.shard.held().pending).sum::<usize>()
            };
            let waiting: usize = self.workers.values().map(pending).sum();
            if waiting == 0 && self.cluster.is_caught_up() {
                return;
            }
            assert!(self.now.mono_ms < deadline, "it never gets quiet: {:?}", self.workers);
        }
    }

    fn turn(&mut self) {
        self.try_turn().unwrap();
    }

    fn try_turn(&mut self) -> Result<(), Stop> {
        self.now.wall_ms += TURN_MS;
        self.now.mono_ms += TURN_MS;
        self.cluster.set_clock_ms(self.now.wall_ms - self.skew_ms);
        for worker in self.workers.values_mut() {
            worker.broker_mut().set_clock_ms(self.now.wall_ms);
            worker.turn(self.now)?;
        }
        for keeper in self.keepers.values_mut() {
            keeper.serve_waiting();
        }
        Ok(())
    }

    pub fn now_ms(&self) -> i64 {
        self.now.wall_ms
    }

    pub fn set_skew_ms(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    /// One order and one feedback of one star on it, now.
    pub fn produce_defective_order(&mut self, seller: &str, order: &str) {
        let time = odrwatch::wire::time::instant(self.now.wall_ms);
        let order_value = format!(
            "{{\"seller_id\":\"{seller}\",\"order_id\":\"{order}\",\"event_time\":\"{time}\",\
             \"purchase_date\":\"{time}\",\"fulfillment_channel\":\"MFN\",\
             \"order_status\":\"Shipped\"}}"
        );
        let feedback = format!(
            "{{\"seller_id\":\"{seller}\",\"order_id\":\"{order}\",\"event_time\":\"{time}\",\
             \"rating\":1,\"status\":\"posted\",\"comment\":\"canary words\"}}"
        );
        let now = self.now.wall_ms;
        let record = |value: &str| NewRecord::new(now, seller.as_bytes(), value.as_bytes());
        self.cluster.produce_keyed(Topic::Orders, record(&order_value));
        self.cluster.produce_keyed(Topic::Feedback, record(&feedback));
    }

    pub fn produce_raw(&mut self, topic: Topic, value: Option<Vec<u8>>) {
        let timestamp_ms = Some(self.now.wall_ms);
        let record = NewRecord { timestamp_ms, value, ..NewRecord::default() };
        self.cluster.produce(topic, 0, record);
    }

    pub fn produce_aborted(&mut self, topic: Topic) {
        let record = NewRecord::new(self.now.wall_ms, b"x", b"y");
        self.cluster.produce_transactional(topic, 0, vec![record], TransactionEnd::Abort);
    }

    /// A tombstone whose timestamp is so far ahead of the clock.
    pub fn produce_ahead(&mut self, ahead_ms: i64) {
        let timestamp_ms = Some(self.now.wall_ms + ahead_ms);
        let record = NewRecord { timestamp_ms, ..NewRecord::default() };
        self.cluster.produce(Topic::Claims, 0, record);
    }
}
