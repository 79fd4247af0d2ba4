//! The in-memory broker as its driver sees it: producing, clocks, faults, and the outputs.
//!
//! Invariant: every call takes the one lock, does something short, and wakes whoever waits.
//! Absent on purpose: blocking calls; only a member's `wait` blocks.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use super::faults::CommitFault;
use super::log::{NewRecord, StoredRecord, TransactionEnd, TransactionNo};
use super::member::MemoryBroker;
use super::redo::start_producer;
use super::state::{ClusterConfig, LogName, State, input_partitions};
use crate::domain::event::Topic;
use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::ports::{
    CommittedShard, Ends, InputPartition, InputTopic, OutTopic, SourceError,
};
use crate::sim::murmur2;

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// A handle on an in-memory cluster; clones are handles on the same one.
#[derive(Clone, Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
}

impl Cluster {
    /// A cluster with the four inputs and the outputs, all empty, its clock at 0.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(State::new(config)),
                changed: Condvar::new(),
            }),
        }
    }

    /// How it was set up.
    #[must_use]
    pub fn config(&self) -> ClusterConfig {
        self.lock().config
    }

    /// Joins a worker: initialises its transactional id (which fences an older instance of the
    /// same name and aborts what that left open) and joins the group under its static id. Dropping
    /// the broker is a crash: its place in the group stays until it is [`Self::kick`]ed or taken
    /// by a member of the same name.
    #[must_use]
    pub fn member(&self, instance: &str, worker: u32) -> MemoryBroker {
        let name = member_name(instance, worker);
        let config = self.config();
        let (epoch, id) = self.change(|state| {
            let epoch = state.init_producer(&name);
            (epoch, state.group.join(&name))
        });
        MemoryBroker::new(self.clone(), name, config, epoch, id)
    }

    /// Joins a worker as the adapter does: only once no transaction is open on the outputs, and
    /// what its predecessor's last transaction lacks is completed. `clock_ms` is its machine's
    /// clock.
    ///
    /// # Errors
    /// `NotReady` or `Unavailable`: try again later; the predecessor is fenced all the same.
    pub fn connect(
        &self,
        instance: &str,
        worker: u32,
        clock_ms: i64,
    ) -> Result<MemoryBroker, SourceError> {
        let name = member_name(instance, worker);
        let (epoch, last, latest) = start_producer(self, &name, Some(clock_ms))?;
        let id = self.change(|state| state.group.join(&name));
        let mut broker = MemoryBroker::new(self.clone(), name, self.config(), epoch, id);
        broker.set_clock_ms(clock_ms);
        broker.set_last(last, latest);
        Ok(broker)
    }

    /// Appends a record to an input partition, outside of any transaction.
    pub fn produce(&self, topic: Topic, partition: u32, record: NewRecord) -> Offset {
        let name = input(topic, partition);
        self.change(|state| state.append(name, record, None))
    }

    /// Appends a record to the input partition of its key (murmur2).
    pub fn produce_keyed(&self, topic: Topic, record: NewRecord) -> (u32, Offset) {
        let key = record.key.as_deref().unwrap_or_default();
        let partition = murmur2::partition_of(key, self.config().partitions);
        (partition, self.produce(topic, partition, record))
    }

    /// Begins a transaction of some producer of the inputs.
    #[must_use]
    pub fn begin(&self) -> TransactionNo {
        self.change(State::begin)
    }

    /// Appends a record to an input partition inside a transaction.
    pub fn produce_in(
        &self,
        transaction: TransactionNo,
        topic: Topic,
        partition: u32,
        record: NewRecord,
    ) -> Offset {
        let name = input(topic, partition);
        self.change(|state| state.append(name, record, Some(transaction)))
    }

    /// Ends a transaction; one that is never ended holds the last stable offset back.
    pub fn end(&self, transaction: TransactionNo, how: TransactionEnd) {
        self.change(|state| state.end(transaction, how));
    }

    /// Begins, appends all records to one input partition, and ends as said.
    pub fn produce_transactional(
        &self,
        topic: Topic,
        partition: u32,
        records: Vec<NewRecord>,
        how: TransactionEnd,
    ) {
        let transaction = self.begin();
        for record in records {
            self.produce_in(transaction, topic, partition, record);
        }
        self.end(transaction, how);
    }

    /// Sets the broker's clock, and that of every member that has none of its own. Transactions
    /// of members that are open for too long are aborted.
    pub fn set_clock_ms(&self, clock_ms: i64) {
        self.change(|state| {
            state.clock_ms = clock_ms;
            state.time_out();
        });
    }

    /// The broker's clock.
    #[must_use]
    pub fn clock_ms(&self) -> i64 {
        self.lock().clock_ms
    }

    /// Stops answering: members read nothing, get no answers, and their commits fail. Producing by
    /// this handle still works (it is what the broker finds when it is back).
    pub fn stop(&self) {
        self.change(|state| {
            state.stopped = true;
            state.troubles += 1;
        });
    }

    /// Answers again.
    pub fn start(&self) {
        self.change(|state| state.stopped = false);
    }

    /// Takes the coordinator of the group and of the transactions away: reading goes on, and
    /// nothing is committed, assigned or told.
    pub fn lose_coordinator(&self) {
        self.change(|state| {
            state.coordinator_away = true;
            state.troubles += 1;
        });
    }

    /// There is a coordinator again.
    pub fn find_coordinator(&self) {
        self.change(|state| state.coordinator_away = false);
    }

    /// Takes the leader of an input partition away: nothing is read of it, and it states no ends.
    pub fn lose_leader(&self, partition: InputPartition) {
        self.change(|state| {
            state.held.insert(partition);
            state.leaderless.insert(partition);
        });
    }

    /// Holds back fetches of an input partition: members know nothing new of it, though its
    /// leader, when asked, states the true ends.
    pub fn hold(&self, partition: InputPartition) {
        self.change(|state| state.held.insert(partition));
    }

    /// Lets fetches of an input partition go on, and gives it a leader.
    pub fn release(&self, partition: InputPartition) {
        self.change(|state| {
            state.held.remove(&partition);
            state.leaderless.remove(&partition);
        });
    }

    /// Delivers the ends of transactions that were on their way ([`CommitFault::EndDelayed`]).
    pub fn deliver_delayed_ends(&self) {
        self.change(State::deliver_delayed);
    }

    /// How often each kind of fault took effect.
    #[must_use]
    pub fn happened(&self) -> BTreeMap<&'static str, u64> {
        self.lock().faults.counts.clone()
    }

    /// Whether no transaction is open anywhere: every log can be read to its end.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let state = self.lock();
        let logs = state.inputs.iter().chain(&state.outputs).flatten();
        logs.into_iter().all(|log| log.stable() == log.end()) && state.pending.is_empty()
    }

    /// Lets the next commit, of whichever member, go wrong; a second call is for the one after it.
    pub fn fail_next_commit(&self, fault: CommitFault) {
        self.change(|state| state.faults.queue.push_back(Some(fault)));
    }

    /// Lets one commit pass before the next fault.
    pub fn pass_next_commit(&self) {
        self.change(|state| state.faults.queue.push_back(None));
    }

    /// Forgets the faults that are still to come.
    pub fn forget_faults(&self) {
        self.change(|state| state.faults.queue.clear());
    }

    /// Ends the transactions that members left open ([`CommitFault::LeftOpen`]): abort is their
    /// time-out, commit is an end that was only late. Returns how many there were.
    pub fn end_open_commits(&self, how: TransactionEnd) -> usize {
        self.change(|state| {
            let open = state.open_commits();
            for number in &open {
                state.end(*number, how);
            }
            open.len()
        })
    }

    /// Removes a member whose session expired: it finds its shards lost when it polls. Tells
    /// whether it was a member.
    pub fn kick(&self, instance: &str, worker: u32) -> bool {
        let name = member_name(instance, worker);
        self.change(|state| state.group.remove(&name))
    }

    /// Starts a rebalance without any change of members.
    pub fn rebalance(&self) {
        self.change(|state| state.group.prepare());
    }

    /// Drops all records of a log before an offset (retention, or an operator).
    pub fn delete_records(&self, log: LogName, before: NextOffset) {
        self.change(|state| state.log_mut(log).delete_before(before.get()));
    }

    /// Deletes an input topic and makes it anew, empty, with another id.
    pub fn make_anew(&self, topic: Topic) {
        self.change(|state| state.make_anew(topic));
    }

    /// Loses the end of a log, as an unclean leader election does: offsets from `from` on.
    pub fn cut(&self, log: LogName, from: NextOffset) {
        self.change(|state| state.log_mut(log).cut(from.get()));
    }

    /// What is said of the inputs.
    #[must_use]
    pub fn describe_inputs(&self) -> [InputTopic; 4] {
        self.lock().described()
    }

    /// Appends to an output, as a program that is not odrwatch would.
    pub fn write_output(&self, topic: OutTopic, shard: ShardNo, record: NewRecord) {
        self.change(|state| state.append(LogName::Output(topic, shard), record, None));
    }

    /// Says of the inputs what a test wants, or the truth again.
    pub fn tell_of_inputs(&self, told: Option<[InputTopic; 4]>) {
        self.change(|state| state.told = told);
    }

    /// Sets the progress number in a shard's group offsets, as a broker leaves it that lost the end
    /// of a transaction. Returns the one before.
    ///
    /// # Panics
    /// Panics if nothing is committed for the shard.
    pub fn set_group_progress(&self, shard: ShardNo, progress: u64) -> u64 {
        self.change(|state| {
            let committed = state.offsets.get_mut(&shard).expect("something is committed");
            std::mem::replace(&mut committed.progress, progress)
        })
    }

    /// Forgets all group offsets, as a broker does with a group that was away for too long.
    pub fn forget_group_offsets(&self) {
        self.change(|state| state.offsets.clear());
    }

    /// All committed records of an output partition.
    #[must_use]
    pub fn read_committed(&self, topic: OutTopic, partition: u32) -> Vec<Arc<StoredRecord>> {
        let log = LogName::Output(topic, ShardNo::new(partition));
        self.tail(log, NextOffset::stated(0), usize::MAX).0
    }

    /// At most `max` committed records of a log from a position on (from the log's start if that
    /// lies later), and the position to go on from.
    #[must_use]
    pub fn tail(
        &self,
        log: LogName,
        from: NextOffset,
        max: usize,
    ) -> (Vec<Arc<StoredRecord>>, NextOffset) {
        let state = self.lock();
        let log = state.log(log);
        let slice = log.read_committed(from.get().max(log.start()), max);
        (slice.records, NextOffset::stated(slice.next))
    }

    /// The first offset and the ends of a log.
    #[must_use]
    pub fn bounds(&self, log: LogName) -> (NextOffset, Ends) {
        let state = self.lock();
        let log = state.log(log);
        (NextOffset::stated(log.start()), log.ends())
    }

    /// What the group has committed for a shard, whatever is still open.
    #[must_use]
    pub fn committed(&self, partition: u32) -> Option<CommittedShard> {
        self.lock().offsets.get(&ShardNo::new(partition)).cloned()
    }

    /// Whether the group has committed all that can be read of all inputs.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        let state = self.lock();
        input_partitions(state.config.partitions).all(|of| {
            let next = state
                .offsets
                .get(&of.shard)
                .map_or(0, |committed| committed.next[of.topic.index()].get());
            let log = state.log(LogName::Input(of));
            log.read_committed(next.max(log.start()), 1).records.is_empty()
        })
    }

    /// The group's generation.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.lock().group.generation()
    }

    /// How many aborted and control records a log holds: proof that a fault left its trace.
    #[must_use]
    pub fn invisible(&self, log: LogName) -> usize {
        self.lock().log(log).invisible()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let guard = self.shared.state.lock();
        guard.expect("no call panics while it holds the lock, but for a broken invariant")
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        state.version += 1;
        let result = change(&mut state);
        drop(state);
        self.shared.changed.notify_all();
        result
    }

    /// Blocks until the version is another than `seen`, or the time is over.
    pub(super) fn wait_for_change(&self, seen: u64, timeout: Duration) {
        let state = self.lock();
        let unchanged = |state: &mut State| state.version == seen;
        let waited = self.shared.changed.wait_timeout_while(state, timeout, unchanged);
        drop(waited.expect("no call panics while it holds the lock, but for a broken invariant"));
    }
}

fn member_name(instance: &str, worker: u32) -> String {
    format!("{instance}-{worker}")
}

fn input(topic: Topic, partition: u32) -> LogName {
    let shard = ShardNo::new(partition);
    LogName::Input(InputPartition { topic, shard })
}
