//! What the tests of the adapter share: a broker with topics, workers, batches, waiting.

use std::ops::ControlFlow;
use std::time::Duration;

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::kafka::{
    Creation, KafkaBroker, KafkaConfig, TopicFacts, TopicLayout, TopicState, check_topics,
    create_topics,
};
use odrwatch::pipeline::ports::{
    Batch, Broker, CommittedShard, GroupEvent, InputPartition, OutRecord, OutTopic, ReadStep,
    ShardOffsets, SourceError,
};

use crate::support::Deadline;
use crate::support::broker::KafkaBroker as Process;
use crate::support::topics::{Isolation, Record, Stored, end_offsets, produce, read_all};

/// How long one wait for a worker's wake-up lasts.
pub const NAP: Duration = Duration::from_millis(50);

/// A broker whose topics are made by odrwatch itself.
pub struct Cluster {
    pub process: Process,
    pub facts: TopicFacts,
    pub partitions: u32,
}

impl Cluster {
    pub fn start(partitions: u32) -> Self {
        Self::start_with(partitions, &[])
    }

    pub fn start_with(partitions: u32, settings: &[(&str, &str)]) -> Self {
        // Static members are waited for after they left: a short session makes that short.
        let short = ("group.min.session.timeout.ms", "1000");
        let settings: Vec<_> = settings.iter().copied().chain([short]).collect();
        let process = Process::start_with(&settings);
        let config = config(&process, "none");
        let layout = TopicLayout { partitions, replication: Some(1), horizon_days: 75 };
        let plans = create_topics(&config, layout, Creation::Create).unwrap();
        assert!(plans.iter().all(|plan| plan.state == TopicState::Created), "{plans:?}");
        let deadline = Deadline::of_step();
        let facts = loop {
            // A topic that was just made may not be known to the broker's metadata yet.
            match check_topics(&config, 75) {
                Ok(facts) => break facts,
                Err(error) => deadline.wait(|| format!("the topics: {error:?}")),
            }
        };
        Self { process, facts, partitions }
    }

    pub fn bootstrap(&self) -> String {
        self.process.bootstrap()
    }

    pub fn config(&self, instance: &str) -> KafkaConfig {
        config(&self.process, instance)
    }

    /// Connects a worker; it has no assignment yet.
    pub fn worker(&self, instance: &str) -> KafkaBroker {
        self.worker_with(&self.config(instance))
    }

    pub fn worker_with(&self, config: &KafkaConfig) -> KafkaBroker {
        KafkaBroker::connect(config, &self.facts).unwrap()
    }

    /// Connects a worker that is alone, and waits until it has all shards.
    pub fn sole_worker(&self, instance: &str) -> KafkaBroker {
        let mut worker = self.worker(instance);
        await_shards(&mut worker, &self.shards());
        worker
    }

    pub fn shards(&self) -> Vec<ShardNo> {
        (0..self.partitions).map(ShardNo::new).collect()
    }

    /// Produces numbered records to one input partition; their timestamps are their numbers.
    pub fn produce(&self, partition: InputPartition, numbers: std::ops::Range<i64>) {
        let records: Vec<Record> = numbers.map(|number| input(partition, number)).collect();
        produce(&self.bootstrap(), &records);
    }

    /// Waits until all transactions of a topic have ended: a commit or an abort returns before its
    /// markers stand in the partitions.
    pub fn await_settled(&self, topic: &str) {
        let deadline = Deadline::of_step();
        let ends = |isolation| end_offsets(&self.bootstrap(), topic, isolation);
        while ends(Isolation::ReadCommitted) != ends(Isolation::ReadUncommitted) {
            deadline.wait(|| format!("the end of the transactions of {topic}"));
        }
    }

    /// The records of a settled topic that readers of committed records see.
    pub fn committed_records(&self, topic: &str) -> Vec<Stored> {
        self.await_settled(topic);
        read_all(&self.bootstrap(), topic, Isolation::ReadCommitted)
    }

    /// Their values.
    pub fn committed_values(&self, topic: &str) -> Vec<String> {
        let records = self.committed_records(topic).into_iter();
        let values = records.filter_map(|record| record.value);
        values.map(|value| String::from_utf8(value).unwrap()).collect()
    }

    /// The values of all records, also of aborted ones; those of a start have none.
    pub fn all_values(&self, topic: &str) -> Vec<String> {
        let records = read_all(&self.bootstrap(), topic, Isolation::ReadUncommitted);
        let values = records.into_iter().filter_map(|record| record.value);
        values.map(|value| String::from_utf8(value).unwrap()).collect()
    }
}

pub fn config(process: &Process, instance: &str) -> KafkaConfig {
    let mut config = KafkaConfig::new(&process.bootstrap(), "odrwatch", instance);
    config.session_timeout_ms = 2_000;
    config.heartbeat_interval_ms = 200;
    for (name, value) in [("reconnect.backoff.ms", "20"), ("reconnect.backoff.max.ms", "100")] {
        config.properties.insert(name.to_owned(), value.to_owned());
    }
    config
}

pub fn partition(topic: Topic, shard: u32) -> InputPartition {
    InputPartition { topic, shard: ShardNo::new(shard) }
}

/// A record of an input topic that carries its number.
pub fn input(partition: InputPartition, number: i64) -> Record {
    let number_of_partition = i32::try_from(partition.shard.get()).unwrap();
    Record::new(
        partition.topic.as_str(),
        number_of_partition,
        1_700_000_000_000 + number,
        "seller",
        number.to_string(),
    )
}

pub fn at(offset: i64) -> NextOffset {
    NextOffset::stated(offset)
}

/// Polls the group until the worker has exactly these shards; gives all events since.
pub fn await_shards(worker: &mut KafkaBroker, shards: &[ShardNo]) -> Vec<GroupEvent> {
    let mut all = Vec::new();
    let deadline = Deadline::of_step();
    loop {
        let mut events = Vec::new();
        worker.poll_group(&mut events).unwrap();
        let done = events
            .iter()
            .any(|event| matches!(event, GroupEvent::Assigned(assigned) if assigned == shards));
        all.append(&mut events);
        if done {
            return all;
        }
        worker.wait(NAP);
        deadline.wait(|| format!("the shards {shards:?}; so far {all:?}"));
    }
}

/// Reads offsets of a partition until there are `count`.
pub fn read_offsets(worker: &mut KafkaBroker, from: InputPartition, count: usize) -> Vec<i64> {
    let mut offsets = Vec::new();
    let deadline = Deadline::of_step();
    while offsets.len() < count {
        worker.poll_group(&mut Vec::new()).unwrap();
        let room = (count - offsets.len()).min(100);
        let read =
            worker.read(from, room, &mut |record| offsets.push(record.offset.get())).unwrap();
        if read == 0 {
            worker.wait(NAP);
            deadline.wait(|| format!("{count} records; {} came", offsets.len()));
        }
    }
    offsets
}

/// Reads a shard's progress partition to its end.
pub fn read_progress(worker: &mut KafkaBroker, shard: u32) -> Vec<String> {
    let mut values = Vec::new();
    let deadline = Deadline::of_step();
    loop {
        worker.poll_group(&mut Vec::new()).unwrap();
        let step = worker.read_progress(ShardNo::new(shard), None, 10, &mut |value| {
            values.push(String::from_utf8(value.to_vec()).unwrap());
        });
        match step.unwrap() {
            ReadStep::End => return values,
            ReadStep::More => {
                worker.wait(NAP);
                deadline.wait(|| format!("the end of progress {shard}; {} came", values.len()));
            }
        }
    }
}

/// A batch of one alert and one progress record of a shard, with offsets that say its number.
pub fn batch(shard: u32, number: i64) -> Batch {
    let shard = ShardNo::new(shard);
    let record = |topic: OutTopic| OutRecord {
        topic,
        partition: Some(shard),
        key: Some(b"key".to_vec()),
        value: Some(number.to_string().into_bytes()),
        headers: vec![("kind".to_owned(), Some(b"warning".to_vec())), ("none".to_owned(), None)],
        timestamp_ms: (topic == OutTopic::Alerts).then_some(1_700_000_000_000 + number),
    };
    Batch {
        records: vec![record(OutTopic::Alerts), record(OutTopic::Progress)],
        offsets: vec![ShardOffsets {
            shard,
            next: [at(number), at(number + 1), at(number + 2), at(number + 3)],
            progress: u64::try_from(number).unwrap(),
        }],
        max_clock_skew_ms: None,
    }
}

/// Calls until the answer is there.
pub fn until<T>(
    worker: &mut KafkaBroker,
    mut look: impl FnMut(&mut KafkaBroker) -> Option<T>,
) -> T {
    let deadline = Deadline::of_step();
    loop {
        worker.poll_group(&mut Vec::new()).unwrap();
        if let Some(found) = look(worker) {
            return found;
        }
        worker.wait(NAP);
        deadline.wait(|| "the answer".to_owned());
    }
}

/// What the group has committed for a shard, once no transaction is open.
pub fn committed(worker: &mut KafkaBroker, shard: u32) -> Option<CommittedShard> {
    until(worker, |worker| match worker.committed(ShardNo::new(shard)) {
        Ok(found) => Some(found),
        Err(SourceError::NotReady(_)) => None,
        Err(error) => panic!("{error}"),
    })
}

/// Goes on.
pub const GO_ON: ControlFlow<()> = ControlFlow::Continue(());
