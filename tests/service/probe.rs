//! How far the topics and the group are: clients that stay, for tests that look often.

use std::collections::BTreeMap;
use std::time::Duration;

use odrwatch::pipeline::ports::OutTopic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset, TopicPartitionList};

use super::child::Odrwatch;
use super::feed::Written;
use super::stage::Stage;
use crate::support::topics::client;
use crate::support::{Deadline, STEP_LIMIT};

/// How long one look at the group's offsets may take: an open transaction holds them up.
const LOOK: Duration = Duration::from_secs(1);

/// Looks at the partitions and at the group of a stage.
pub struct Probe<'a> {
    stage: &'a Stage,
    committed: BaseConsumer,
    all: BaseConsumer,
}

impl<'a> Probe<'a> {
    pub fn new(stage: &'a Stage) -> Self {
        let make = |level: &str| -> BaseConsumer {
            let mut config = client(&stage.bootstrap());
            config.set("group.id", stage.name).set("isolation.level", level);
            config.set("enable.auto.commit", "false");
            config.create().unwrap()
        };
        let (committed, all) = (make("read_committed"), make("read_uncommitted"));
        Self { stage, committed, all }
    }

    /// The last stable offset of an output partition.
    pub fn stable(&self, topic: OutTopic, partition: u32) -> i64 {
        end(&self.committed, &self.stage.output(topic), partition)
    }

    /// The high watermark of an output partition.
    pub fn high(&self, topic: OutTopic, partition: u32) -> i64 {
        end(&self.all, &self.stage.output(topic), partition)
    }

    /// The last stable offsets of the progress topic, summed: it grows with each commit.
    pub fn progress(&self) -> i64 {
        let partitions = 0..self.stage.partitions;
        partitions.map(|partition| self.stable(OutTopic::Progress, partition)).sum()
    }

    /// Waits until the group has committed all that was written.
    pub fn await_done(&self, written: &Written, services: &mut [&mut Odrwatch]) {
        let deadline = Deadline::of_step();
        loop {
            let missing = self.missing(written);
            if missing.as_ref().is_some_and(BTreeMap::is_empty) {
                return;
            }
            for service in services.iter_mut() {
                service.must_run();
            }
            deadline.wait(|| format!("the group's offsets; committed and wanted: {missing:?}"));
        }
    }

    /// Committed and wanted offsets where they differ; `None` while the group does not say.
    pub fn missing(&self, written: &Written) -> Option<BTreeMap<(String, i32), (i64, i64)>> {
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in written.next.keys() {
            asked.add_partition(topic, *partition);
        }
        let found = self.committed.committed_offsets(asked, LOOK).ok()?;
        let mut missing = BTreeMap::new();
        for one in found.elements() {
            let place = (one.topic().to_owned(), one.partition());
            let wanted = written.next[&place];
            let has = match one.offset() {
                Offset::Offset(offset) => offset,
                _ => 0,
            };
            if has < wanted {
                missing.insert(place, (has, wanted));
            }
        }
        Some(missing)
    }
}

fn end(consumer: &BaseConsumer, topic: &str, partition: u32) -> i64 {
    let partition = i32::try_from(partition).unwrap();
    let deadline = Deadline::of_step();
    loop {
        // A broker that just came back may not lead the partition yet.
        match consumer.fetch_watermarks(topic, partition, STEP_LIMIT) {
            Ok((_, end)) => return end,
            Err(error) => deadline.wait(|| format!("the end of {topic}-{partition}: {error}")),
        }
    }
}
