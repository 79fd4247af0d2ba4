//! One world: a cluster, a store of snapshots, processes, a clock, and records to come.
//!
//! Everything runs on one thread and follows from the seed. A process is a worker with the keeper
//! of its snapshots; one that died is *away*, and comes back under its name.

use std::collections::BTreeMap;
use std::sync::Arc;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::domain::shard::{AlertingStart, Limits, ShardConfig};
use odrwatch::domain::time::BoundaryLength;
use odrwatch::pipeline::advice::AdviceRules;
use odrwatch::pipeline::desk::desk;
use odrwatch::pipeline::ports::{InputPartition, SourceError};
use odrwatch::pipeline::slot::Now;
use odrwatch::pipeline::stop::Stop;
use odrwatch::pipeline::worker::{Worker, WorkerConfig};
use odrwatch::sim::random::Random;
use odrwatch::snapshot::keeper::{Keeper, KeeperConfig};
use odrwatch::telemetry::health::{HealthBoard, WorkerNo};
use odrwatch::telemetry::labels::StopReason;
use odrwatch::telemetry::metrics::{BuildInfo, Metrics};
use odrwatch::testing::{Cluster, ClusterConfig, MemoryBroker, MemoryStore, TransactionNo};
use odrwatch::wire::input;

use crate::feed::Feed;
use crate::oracle;
use crate::plan::Plan;
use crate::policies::Policies;
use crate::watch::Watch;

/// The clock of a world whose records are all history: later than all of them.
const AFTER_ALL_MS: i64 = 1_780_000_000_000;

/// How long a transaction may be open, in ms.
pub const TRANSACTION_TIMEOUT_MS: i64 = 10_000;

/// How many snapshots of each shard are kept.
pub const KEPT: usize = 2;

/// What snapshots say of where they are from.
pub const GROUP: &str = "simulation";
pub const CLUSTER: &str = "memory";
pub const POLICY: &str = "test";

/// The names of processes: an instance and its worker.
pub const NAMES: [(&str, u32); 4] = [("a", 0), ("b", 0), ("c", 0), ("a", 1)];

/// A process.
pub struct Process {
    /// Its name's place in [`NAMES`].
    pub name: usize,
    /// Its worker.
    pub worker: Worker<MemoryBroker>,
    /// The keeper of its snapshots.
    pub keeper: Option<Keeper<MemoryStore>>,
    /// Whether another has taken its name since: it must find itself fenced.
    pub is_superseded: bool,
    /// Whether it does not run for now.
    pub is_suspended: bool,
    /// By how much the clock of its machine is off, in ms.
    pub clock_off_ms: i64,
}

/// A world.
pub struct World {
    pub seed: u64,
    pub plan: Plan,
    pub random: Random,
    pub cluster: Cluster,
    pub store: MemoryStore,
    pub policies: Policies,
    pub limits: Limits,
    pub processes: Vec<Process>,
    /// Names whose process died, or never got to join: they come back.
    pub away: Vec<usize>,
    pub feed: Feed,
    /// The visible records of the inputs, whatever became of the logs since.
    pub history: Vec<oracle::Record>,
    pub watch: Watch,
    /// What happened, and how often.
    pub counts: BTreeMap<&'static str, u64>,
    /// Transactions that hang in the inputs.
    pub hanging: Vec<TransactionNo>,
    /// Partitions that are not fetched for now.
    pub held: Vec<InputPartition>,
    /// Until when nobody serves the store, in ms of the monotonic clock.
    pub store_waits_ms: i64,
    /// Stops that were to be: the messages.
    pub stops: Vec<String>,
    pub now: Now,
    /// Whether retention dropped anything: then a restart needs a snapshot.
    pub is_cut: bool,
    /// Whether what must not be survived has happened.
    pub is_doomed: bool,
}

impl World {
    /// The world of a seed, with all processes on their way.
    pub fn new(seed: u64) -> Self {
        let plan = Plan::new(seed);
        let mut random = Random::new(seed ^ 0xF1EE7);
        let policies = Policies::random(&mut random);
        let feed = Feed::new(seed, &plan, &mut random);
        let cluster = Cluster::new(ClusterConfig {
            transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
            answer_after_polls: u32::try_from(random.between(1, 3)).unwrap(),
            ..ClusterConfig::new(plan.partitions)
        });
        let wall_ms = if plan.is_live { feed.first_ms() } else { AFTER_ALL_MS };
        cluster.set_clock_ms(wall_ms);
        let watch = Watch::new(plan.partitions);
        Self {
            seed,
            random,
            cluster,
            store: MemoryStore::new(),
            policies,
            limits: Limits::default(),
            processes: Vec::new(),
            away: (0..plan.names).collect(),
            plan,
            feed,
            history: Vec::new(),
            watch,
            counts: BTreeMap::new(),
            hanging: Vec::new(),
            held: Vec::new(),
            store_waits_ms: 0,
            stops: Vec::new(),
            now: Now { wall_ms, mono_ms: 0 },
            is_cut: false,
            is_doomed: false,
        }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub fn shards(&self) -> impl Iterator<Item = ShardNo> + use<> {
        (0..self.plan.partitions).map(ShardNo::new)
    }

    /// A random input partition.
    pub fn any_partition(&mut self) -> InputPartition {
        let topic = *self.random.pick(&Topic::ALL);
        let shard = self.random.below(u64::from(self.plan.partitions));
        InputPartition { topic, shard: ShardNo::new(u32::try_from(shard).unwrap()) }
    }

    /// A random process that runs.
    pub fn any_process(&mut self) -> Option<usize> {
        let running: Vec<usize> = (0..self.processes.len())
            .filter(|at| !self.processes[*at].is_suspended && !self.processes[*at].is_superseded)
            .collect();
        (!running.is_empty()).then(|| *self.random.pick(&running))
    }

    pub fn shard_config(&self, hash_seed: u64) -> ShardConfig {
        ShardConfig {
            shard: ShardNo::new(0),
            policy: self.policies.engine.clone(),
            length: BoundaryLength::from_ms(5_000).unwrap(),
            future_days: 3,
            limits: self.limits,
            start: AlertingStart::Decided,
            statuses: true,
            matters: true,
            hash_seed,
            first: [NextOffset::stated(0); 4],
        }
    }

    fn worker_config(&mut self) -> WorkerConfig {
        // Another seed gives other places in memory, and must give nothing else.
        let hash_seed = self.random.next_u64();
        WorkerConfig {
            number: WorkerNo::new(0),
            shard: self.shard_config(hash_seed),
            input: input::Limits::with_partitions(self.plan.partitions),
            advice: Some(AdviceRules::default()),
            start: self.plan.start,
            idle_after_ms: 1_000,
            max_clock_ahead_ms: 10_000,
            commit_interval_ms: 100,
            transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
            breaker_percent: 0,
            accepts_gaps: false,
            topics: Topic::ALL.map(|topic| topic.as_str().to_owned()),
            policy: POLICY.to_owned(),
            owner: None,
        }
    }

    /// Starts a process under a name; if the broker does not let it, the name is away.
    pub fn start(&mut self, name: usize) {
        let (instance, number) = NAMES[name];
        let connected = self.cluster.connect(instance, number, self.now.wall_ms);
        if !matches!(connected, Err(SourceError::Unavailable(_))) {
            // Its id is initialised anew even if the start comes to nothing yet.
            let twins = self.processes.iter_mut().filter(|process| process.name == name);
            twins.for_each(|twin| twin.is_superseded = true);
        }
        let Ok(broker) = connected else {
            self.count("start refused for now");
            if !self.away.contains(&name) {
                self.away.push(name);
            }
            return;
        };
        self.away.retain(|away| *away != name);
        let health = Arc::new(HealthBoard::new(1));
        let metrics = Arc::new(Metrics::new(BuildInfo::of_this_build("none"), Arc::clone(&health)));
        let mut worker = Worker::new(broker, self.worker_config(), metrics, health);
        let keeper = self.plan.snapshot_ms.map(|interval_ms| {
            let (desk, side) = desk();
            worker.keep_snapshots(desk, interval_ms);
            let config = KeeperConfig {
                group: GROUP.to_owned(),
                cluster: CLUSTER.to_owned(),
                policy: POLICY.to_owned(),
                keep: KEPT,
            };
            Keeper::new(side, self.store.clone(), config)
        });
        self.processes.push(Process {
            name,
            worker,
            keeper,
            is_superseded: false,
            is_suspended: false,
            clock_off_ms: 0,
        });
    }

    /// A process dies without a word.
    pub fn crash(&mut self, at: usize) {
        let process = self.processes.remove(at);
        if !process.is_superseded {
            self.away.push(process.name);
        }
        self.store.crash();
    }

    /// A process stops cleanly.
    pub fn leave(&mut self, at: usize) {
        let Process { name, worker, keeper, is_superseded, clock_off_ms, .. } =
            self.processes.remove(at);
        if !is_superseded {
            self.away.push(name);
        }
        let now = Now { wall_ms: self.now.wall_ms + clock_off_ms, ..self.now };
        if let Err(stop) = worker.shut_down(now) {
            assert!(stop.reason() == StopReason::Fenced, "a clean stop: {stop}");
        }
        if let Some(mut keeper) = keeper {
            keeper.serve_waiting();
        }
    }

    /// Lets so much time pass, and each process take a turn, or not.
    pub fn moment(&mut self, ms: i64, lazy_per_million: u32) {
        self.now.wall_ms += ms;
        self.now.mono_ms += ms;
        self.cluster.set_clock_ms(self.now.wall_ms);
        let mut at = 0;
        while at < self.processes.len() {
            if self.processes[at].is_suspended || self.random.chance(lazy_per_million) {
                at += 1;
                continue;
            }
            let process = &mut self.processes[at];
            let wall_ms = self.now.wall_ms + process.clock_off_ms;
            process.worker.broker_mut().set_clock_ms(wall_ms);
            match process.worker.turn(Now { wall_ms, ..self.now }) {
                Ok(_) => at += 1,
                Err(stop) => self.stopped(at, &stop),
            }
            self.watch.look(&self.cluster);
        }
        if self.now.mono_ms >= self.store_waits_ms {
            for process in self.processes.iter_mut().filter(|process| !process.is_suspended) {
                process.keeper.iter_mut().for_each(Keeper::serve_waiting);
            }
        }
        self.check_store();
    }

    /// A process has stopped loudly: was it to?
    fn stopped(&mut self, at: usize, stop: &Stop) {
        let process = self.processes.remove(at);
        let message = stop.to_string();
        match stop.reason() {
            StopReason::Fenced if process.is_superseded => self.count("stop: fenced by a twin"),
            StopReason::Fenced if self.cluster.happened().contains_key("commit: fenced") => {
                self.count("stop: fenced by a hijacker");
                self.away.push(process.name);
            }
            reason if self.is_wanted(reason) => {
                self.stops.push(message);
                self.away.push(process.name);
            }
            // What another left in part only that one completes, and it is away.
            StopReason::Progress
                if message.contains("start every instance") && !self.away.is_empty() =>
            {
                self.count("stop: offsets and progress disagree");
                self.away.push(process.name);
            }
            // The very first transaction was lost as a whole, and there is a snapshot of it. What
            // the message asks for is done.
            _ if message.contains("the progress topic was emptied") && self.has_lost_a_first() => {
                self.count("stop: the first commit was lost, and a snapshot has it");
                self.away.push(process.name);
            }
            _ => panic!("process {:?} stopped: {message}", NAMES[process.name]),
        }
        self.store.crash();
    }

    /// Whether markers were lost, and shards without any progress have snapshots; these go.
    fn has_lost_a_first(&mut self) -> bool {
        let was_lost = self.cluster.happened().contains_key("commit: markers lost");
        let mut found = false;
        for shard in self.shards().filter(|_| was_lost) {
            if self.watch.of(shard).last.is_none() && !self.store.numbers(shard.get()).is_empty() {
                self.store.forget(shard.get());
                found = true;
            }
        }
        found
    }

    /// Whether a stop is one that the loud event asks for.
    fn is_wanted(&self, reason: StopReason) -> bool {
        let loud = self.plan.loud.filter(|_| self.is_doomed);
        loud.is_some_and(|loud| loud.reasons().contains(&reason))
    }

    fn check_store(&self) {
        for shard in 0..self.plan.partitions {
            let kept = self.store.numbers(shard).len();
            // A torn one, and one of a former owner that went on for a while, may lie beside.
            assert!(kept <= KEPT + 6, "{kept} snapshots of shard {shard} are kept");
        }
    }
}
