//! The in-memory broker is held against a real one: the same random scripts on both, and what
//! readers of committed records, positions, ends and the group's offsets show must be the same.
//!
//! A script produces, in transactions and outside, commits and aborts them in any order, lets some
//! hang, and lets a worker commit, be refused, be fenced, die with a transaction open and start
//! again. After each step both are read to their ends and compared. Offsets of the outputs are
//! left out: a real start writes records there that nobody sees.

use std::collections::BTreeMap;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::ShardNo;
use odrwatch::pipeline::ports::{
    Broker, CommitError, CommittedShard, Ends, InputPartition, OutTopic, SourceError,
};
use odrwatch::sim::random::Random;
use odrwatch::testing::{
    Cluster as Memory, ClusterConfig, CommitFault, MemoryBroker, NewRecord, TransactionEnd,
    TransactionNo,
};

use crate::cluster::{Cluster, NAP, at, await_shards, batch, partition};
use crate::support::Deadline;
use crate::support::topics::{Ending, OpenTransaction, Record, produce};

/// Partitions of each topic.
const SHARDS: u32 = 2;

/// Steps of one script.
const STEPS: usize = 40;

/// After so many steps the outputs are read from their beginnings; the rest is compared each time.
const OUTPUTS_EVERY: usize = 8;

/// What a member sees.
#[derive(Debug, Default, PartialEq, Eq)]
struct View {
    /// Offset and value of each input record read so far.
    read: BTreeMap<InputPartition, Vec<(i64, String)>>,
    positions: BTreeMap<InputPartition, i64>,
    ends: BTreeMap<InputPartition, Ends>,
    committed: BTreeMap<ShardNo, Option<CommittedShard>>,
}

/// A member and what it has read.
struct Member<B> {
    broker: B,
    read: BTreeMap<InputPartition, Vec<(i64, String)>>,
}

fn inputs() -> impl Iterator<Item = InputPartition> {
    let of = |shard| Topic::ALL.map(|topic| partition(topic, shard));
    (0..SHARDS).flat_map(of)
}

impl<B: Broker> Member<B> {
    /// A member that has all shards, and reads from the beginning.
    fn new(mut broker: B) -> Self {
        for input in inputs() {
            broker.seek(input, at(0)).unwrap();
        }
        Self { broker, read: inputs().map(|input| (input, Vec::new())).collect() }
    }

    /// Reads what has come, asks for the ends once, and looks at the group's offsets.
    fn view(&mut self) -> Option<View> {
        let mut view = View::default();
        self.broker.poll_group(&mut Vec::new()).unwrap();
        for input in inputs() {
            let read = self.read.get_mut(&input).unwrap();
            let mut each = |record: odrwatch::pipeline::ports::RawRecord<'_>| {
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                read.push((record.offset.get(), value));
            };
            self.broker.read(input, 1_000, &mut each).unwrap();
            view.positions.insert(input, self.broker.position(input)?.get());
        }
        view.read.clone_from(&self.read);
        for shard in (0..SHARDS).map(ShardNo::new) {
            let asked: Vec<InputPartition> =
                inputs().filter(|input| input.shard == shard).collect();
            self.broker.ask_ends(shard, &asked);
            let committed = match self.broker.committed(shard) {
                Ok(committed) => committed,
                Err(SourceError::NotReady(_)) => return None,
                Err(error) => panic!("{error}"),
            };
            view.committed.insert(shard, committed);
        }
        let deadline = Deadline::of_step();
        let mut answers = Vec::new();
        while view.ends.len() < inputs().count() {
            self.broker.wait(NAP);
            self.broker.poll_group(&mut Vec::new()).unwrap();
            self.broker.take_ends(&mut answers);
            view.ends.extend(answers.drain(..));
            deadline.wait(|| "the ends".to_owned());
        }
        Some(view)
    }
}

/// Both brokers, and a member of each.
struct Both {
    real: Cluster,
    memory: Memory,
    real_member: Member<odrwatch::kafka::KafkaBroker>,
    memory_member: Member<MemoryBroker>,
    open: Vec<(OpenTransaction, TransactionNo)>,
    random: Random,
    /// The numbers of the last records, transactions and commits.
    next: i64,
    log: Vec<String>,
}

impl Both {
    fn new(seed: u64) -> Self {
        // The records are of long ago; retention, which looks first after half a minute, must not.
        let real = Cluster::start_with(SHARDS, &[("log.initial.task.delay.ms", "86400000")]);
        let memory = Memory::new(ClusterConfig::new(SHARDS));
        let real_member = Member::new(real.sole_worker("host"));
        let memory_member = Member::new(memory_member(&memory));
        let (open, random) = (Vec::new(), Random::new(seed));
        Self { real, memory, real_member, memory_member, open, random, next: 0, log: Vec::new() }
    }

    fn number(&mut self) -> i64 {
        self.next += 1;
        self.next
    }

    fn records(&mut self) -> Vec<Record> {
        let topic = *self.random.pick(&Topic::ALL);
        let shard = i32::from(self.random.chance(500_000));
        let records = 0..self.random.between(1, 3);
        let of = |_| {
            let number = self.number();
            let at_ms = 1_700_000_000_000 + number;
            Record::new(topic.as_str(), shard, at_ms, "seller", number.to_string())
        };
        records.map(of).collect()
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0..=2 => {
                let records = self.records();
                self.log.push(format!("produce {records:?}"));
                produce(&self.real.bootstrap(), &records);
                for record in &records {
                    let (topic, new) = new_record(record);
                    self.memory.produce(topic, shard_of(record), new);
                }
            }
            3 => self.begin(),
            4 | 5 => self.produce_in(),
            6 | 7 => self.end(),
            8 | 9 => self.commit(),
            10 => self.refuse(),
            _ => match self.random.below(2) {
                0 => self.fence(),
                _ => self.die_with_a_transaction_open(),
            },
        }
    }

    fn begin(&mut self) {
        if self.open.len() < 2 {
            let id = format!("input-{}", self.number());
            self.log.push(format!("begin {id}"));
            let real = OpenTransaction::begin(&self.real.bootstrap(), &id);
            self.open.push((real, self.memory.begin()));
            self.produce_in();
        }
    }

    fn produce_in(&mut self) {
        let records = self.records();
        let Some(at) = (!self.open.is_empty()).then(|| self.random.index(self.open.len())) else {
            return;
        };
        self.log.push(format!("produce in {at}: {records:?}"));
        let (real, memory) = &self.open[at];
        real.produce(&records);
        for record in &records {
            let (topic, new) = new_record(record);
            self.memory.produce_in(*memory, topic, shard_of(record), new);
        }
    }

    fn end(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let at = self.random.index(self.open.len());
        let is_commit = self.random.chance(500_000);
        self.log.push(format!("end {at}, commit: {is_commit}"));
        let (real, memory) = self.open.swap_remove(at);
        let (ending, end) = if is_commit {
            (Ending::Commit, TransactionEnd::Commit)
        } else {
            (Ending::Abort, TransactionEnd::Abort)
        };
        real.end(ending);
        self.memory.end(memory, end);
    }

    fn commit(&mut self) {
        let batch = batch(u32::from(self.random.chance(500_000)), self.number());
        self.log.push(format!("commit {:?}", batch.offsets));
        self.real_member.broker.commit(&batch).unwrap();
        self.memory_member.broker.commit(&batch).unwrap();
    }

    /// A commit that is refused leaves aborted records, and the producer is replaced.
    fn refuse(&mut self) {
        let mut batch = batch(u32::from(self.random.chance(500_000)), self.number());
        // No clock differs by less than nothing.
        batch.max_clock_skew_ms = Some(-1);
        self.log.push(format!("refuse {:?}", batch.offsets));
        let is_refused = |error| matches!(error, CommitError::ClockSkew { .. });
        assert!(is_refused(self.real_member.broker.commit(&batch).unwrap_err()));
        assert!(is_refused(self.memory_member.broker.commit(&batch).unwrap_err()));
        self.real_member.broker.reconnect().unwrap();
        self.memory_member.broker.reconnect().unwrap();
    }

    /// A newer instance takes over, and what the older one commits is not seen.
    fn fence(&mut self) {
        let batch = batch(0, self.number());
        self.log.push(format!("fence {:?}", batch.offsets));
        let mut real = self.real.worker("host");
        let memory = memory_member(&self.memory);
        let is_fenced = |error| matches!(error, CommitError::Fenced(_));
        assert!(is_fenced(self.real_member.broker.commit(&batch).unwrap_err()));
        assert!(is_fenced(self.memory_member.broker.commit(&batch).unwrap_err()));
        await_shards(&mut real, &self.real.shards());
        self.real_member = Member::new(real);
        self.memory_member = Member::new(memory);
    }

    /// An instance dies with a transaction open; the next one ends it.
    fn die_with_a_transaction_open(&mut self) {
        let number = self.number();
        self.log.push(format!("die with {number} open"));
        let id = self.real.config("host").identity();
        let dying = OpenTransaction::begin(&self.real.bootstrap(), &id);
        dying.produce(&[Record::new("odr-alerts", 0, 1_700_000_000_000, "key", "dead")]);
        drop(dying);
        self.memory.fail_next_commit(CommitFault::LeftOpen);
        self.memory_member.broker.commit(&batch(0, number)).unwrap_err();
        let mut real = self.real.worker("host");
        await_shards(&mut real, &self.real.shards());
        self.real_member = Member::new(real);
        self.memory_member = Member::new(memory_member(&self.memory));
    }

    /// Waits until both show the same, or says in what they differ.
    fn compare(&mut self) {
        let deadline = Deadline::of_step();
        loop {
            let (real, memory) = (self.real_member.view(), self.memory_member.view());
            if memory.is_some() && real == memory {
                break;
            }
            let log = &self.log;
            deadline.wait(|| format!("{real:#?}\nis not\n{memory:#?}\nafter\n{log:#?}"));
        }
    }

    fn compare_outputs(&self) {
        for (topic, name) in
            [(OutTopic::Alerts, "odr-alerts"), (OutTopic::Progress, "odr-progress")]
        {
            let value =
                |value: Option<&Vec<u8>>| String::from_utf8(value.unwrap().clone()).unwrap();
            let memory: Vec<String> = (0..SHARDS)
                .flat_map(|shard| self.memory.read_committed(topic, shard))
                .map(|record| value(record.value.as_ref()))
                .collect();
            assert_eq!(self.real.committed_values(name), memory, "{name} after {:#?}", self.log);
        }
    }
}

fn memory_member(memory: &Memory) -> MemoryBroker {
    let mut member = memory.connect("host", 0, 0).unwrap();
    member.poll_group(&mut Vec::new()).unwrap();
    assert_eq!(member.assigned().len(), 2);
    member
}

fn shard_of(record: &Record) -> u32 {
    u32::try_from(record.partition).unwrap()
}

fn new_record(record: &Record) -> (Topic, NewRecord) {
    let topic = Topic::ALL.into_iter().find(|topic| topic.as_str() == record.topic).unwrap();
    let new = NewRecord {
        timestamp_ms: Some(record.timestamp),
        key: record.key.clone(),
        value: record.value.clone(),
        headers: Vec::new(),
    };
    (topic, new)
}

#[test]
fn random_scripts_show_the_same_on_the_in_memory_broker_and_on_a_real_one() {
    for seed in [1, 2] {
        let mut both = Both::new(seed);
        for step in 1..=STEPS {
            both.step();
            both.compare();
            if step % OUTPUTS_EVERY == 0 {
                both.compare_outputs();
            }
        }
        for at in (0..both.open.len()).rev() {
            let (real, memory) = both.open.swap_remove(at);
            real.end(Ending::Commit);
            both.memory.end(memory, TransactionEnd::Commit);
        }
        both.compare();
        both.compare_outputs();
        let read = both.memory_member.read.values().map(Vec::len).sum::<usize>();
        assert!(read > 20, "seed {seed}: {read} records were read");
    }
}
