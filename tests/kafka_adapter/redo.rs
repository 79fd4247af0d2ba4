//! A transaction that a broker committed in some partitions only is completed by who bears its id.
//!
//! No client can make a broker do that, so two transactions stand for the one: what the broker came
//! to is committed, and the rest is what an abort left of it.

use odrwatch::pipeline::ports::{Broker, CommittedShard};

use crate::cluster::{Cluster, at, committed, read_progress};
use crate::support::topics::{Ending, Record, produce_transactional};

const ALERTS: usize = 0;
const DEAD_LETTERS: usize = 2;

fn offsets() -> CommittedShard {
    CommittedShard { next: [at(1), at(2), at(3), at(4)], progress: 1 }
}

/// The broken transaction: the worker that bears its id is called `host`.
struct Broken<'a> {
    cluster: &'a Cluster,
    outputs: Vec<(usize, i64)>,
}

impl<'a> Broken<'a> {
    fn of(cluster: &'a Cluster) -> Self {
        Self { cluster, outputs: Vec::new() }
    }

    fn write(&self, record: Record, ending: Ending) -> i64 {
        let id = self.cluster.config("host").identity();
        produce_transactional(&self.cluster.bootstrap(), &id, &[record], ending)[0]
    }

    /// Writes an output of which the broker wrote this end.
    fn output(mut self, topic: usize, ending: Ending) -> Self {
        let name = ["odr-alerts", "odr-status", "odr-dead-letters"][topic];
        let mut record = Record::new(name, 0, 1_700_000_000_000, "key", "an output");
        record.headers = vec![("kind".to_owned(), Some(b"warning".to_vec()))];
        let offset = self.write(record, ending);
        self.outputs.push((topic, offset));
        self
    }

    /// Writes the progress record, and which end of it.
    fn progress(self, ending: Ending) {
        let id = self.cluster.config("host").identity();
        let outputs: Vec<String> = self
            .outputs
            .iter()
            .map(|(topic, offset)| format!("[{topic},0,{offset},{offset}]"))
            .collect();
        let trace = format!(
            "{{\"id\":\"{id}\",\"began\":1,\"number\":1,\"next\":[1,2,3,4],\"whole\":{{\
             \"shards\":[0],\"outputs\":[{}]}}}}",
            outputs.join(",")
        );
        let mut record = Record::new("odr-progress", 0, 1_700_000_000_000, "0", "progress");
        record.headers = vec![("__odrwatch.transaction".to_owned(), Some(trace.into_bytes()))];
        self.write(record, ending);
    }
}

#[test]
fn what_is_missing_of_a_commit_is_written_once() {
    let cluster = Cluster::start(1);
    Broken::of(&cluster)
        .output(ALERTS, Ending::Commit)
        .output(DEAD_LETTERS, Ending::Abort)
        .progress(Ending::Abort);
    // A second start finds nothing left to do.
    for _ in 0..2 {
        let mut worker = cluster.sole_worker("host");
        assert_eq!(committed(&mut worker, 0), Some(offsets()));
        assert_eq!(read_progress(&mut worker, 0), ["progress"]);
        worker.close();
        assert_eq!(cluster.committed_values("odr-alerts"), ["an output"]);
        let letters = cluster.committed_records("odr-dead-letters");
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].value.as_deref(), Some(&b"an output"[..]));
        assert_eq!(letters[0].headers, [("kind".to_owned(), Some(b"warning".to_vec()))]);
        assert_eq!(letters[0].timestamp, 1_700_000_000_000);
    }
}

#[test]
fn a_transaction_of_which_nothing_is_visible_stays_aborted() {
    let cluster = Cluster::start(1);
    Broken::of(&cluster)
        .output(ALERTS, Ending::Abort)
        .output(DEAD_LETTERS, Ending::Abort)
        .progress(Ending::Abort);
    let mut worker = cluster.sole_worker("host");
    assert_eq!(committed(&mut worker, 0), None);
    assert_eq!(read_progress(&mut worker, 0), [""; 0]);
    assert_eq!(cluster.committed_values("odr-alerts"), [""; 0]);
    assert_eq!(cluster.committed_values("odr-dead-letters"), [""; 0]);
}

#[test]
fn outputs_are_completed_behind_a_progress_record_that_is_visible() {
    let cluster = Cluster::start(1);
    Broken::of(&cluster)
        .output(ALERTS, Ending::Abort)
        .output(DEAD_LETTERS, Ending::Commit)
        .progress(Ending::Commit);
    for _ in 0..2 {
        let mut worker = cluster.sole_worker("host");
        assert_eq!(committed(&mut worker, 0), Some(offsets()));
        assert_eq!(read_progress(&mut worker, 0), ["progress"], "numbers stay 1, 2, 3, ...");
        worker.close();
        assert_eq!(cluster.committed_values("odr-alerts"), ["an output"]);
        assert_eq!(cluster.committed_values("odr-dead-letters"), ["an output"]);
    }
}

#[test]
fn a_transaction_of_another_id_is_left_to_its_owner() {
    let cluster = Cluster::start(1);
    Broken::of(&cluster).output(ALERTS, Ending::Commit).progress(Ending::Abort);
    let mut other = cluster.sole_worker("other");
    assert_eq!(committed(&mut other, 0), None);
    assert_eq!(read_progress(&mut other, 0), [""; 0]);
    other.close();
    let mut owner = cluster.sole_worker("host");
    assert_eq!(committed(&mut owner, 0), Some(offsets()));
}
