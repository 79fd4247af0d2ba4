//! What must hold at every moment of the outputs: alerts are numbered 1, 2, 3, ... per shard, so
//! are progress records, and what was seen once stays.

use odrwatch::domain::ids::{NextOffset, ShardNo};
use odrwatch::pipeline::ports::OutTopic;
use odrwatch::testing::{Cluster, LogName};
use odrwatch::wire::decision::DecisionLine;
use odrwatch::wire::progress::{self, Progress};

/// What readers of committed records have seen of the outputs.
pub struct Watch {
    shards: Vec<Seen>,
}

/// What was seen of one shard.
pub struct Seen {
    /// Its alerts.
    pub alerts: Vec<String>,
    /// Its last progress record.
    pub last: Option<Progress>,
    /// The decisions that it recorded.
    pub decisions: Vec<DecisionLine>,
    /// The `seq` that each progress record states.
    seqs: Vec<u64>,
    next: [NextOffset; 2],
}

impl Watch {
    pub fn new(partitions: u32) -> Self {
        let fresh = || Seen {
            alerts: Vec::new(),
            last: None,
            decisions: Vec::new(),
            seqs: Vec::new(),
            next: [NextOffset::stated(0); 2],
        };
        Self { shards: (0..partitions).map(|_| fresh()).collect() }
    }

    pub fn of(&self, shard: ShardNo) -> &Seen {
        &self.shards[usize::try_from(shard.get()).unwrap()]
    }

    pub fn all(&self) -> &[Seen] {
        &self.shards
    }

    /// Takes in what became visible since the last look.
    pub fn look(&mut self, cluster: &Cluster) {
        for (number, seen) in (0..).zip(&mut self.shards) {
            let shard = ShardNo::new(number);
            let log = |topic| LogName::Output(topic, shard);
            let (alerts, next) = cluster.tail(log(OutTopic::Alerts), seen.next[0], usize::MAX);
            seen.next[0] = next;
            for record in alerts {
                let value = String::from_utf8(record.value.clone().unwrap()).unwrap();
                let seq = seen.alerts.len() + 1;
                let stated = format!("\"seq\":{seq},");
                assert!(value.contains(&stated), "shard {shard}: alert {seq} is {value}");
                seen.alerts.push(value);
            }
            let (records, next) = cluster.tail(log(OutTopic::Progress), seen.next[1], usize::MAX);
            seen.next[1] = next;
            // What a redo writes beside a visible progress record has no value.
            for value in records.iter().filter_map(|record| record.value.as_ref()) {
                seen.take(progress::decode(value).unwrap());
            }
        }
    }
}

impl Seen {
    fn take(&mut self, record: Progress) {
        let expected = self.last.as_ref().map_or(1, |last| last.number + 1);
        assert_eq!(record.number, expected, "progress of shard {} goes 1, 2, 3", record.shard);
        if let Some(last) = &self.last {
            assert!(record.boundary >= last.boundary, "boundaries of {} ascend", record.shard);
            assert!(record.seq >= last.seq, "seq of {} ascends", record.shard);
        }
        self.seqs.push(record.seq);
        self.decisions.extend(record.decisions.iter().cloned());
        self.last = Some(record);
    }
}
