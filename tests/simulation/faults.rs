//! How each fault is done to a world, and how all of them end.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::NextOffset;
use odrwatch::pipeline::ports::InputPartition;
use odrwatch::snapshot::format::{self, Expected};
use odrwatch::testing::{CommitFault, LogName, StoreFault};

use crate::plan::Fault;
use crate::world::{CLUSTER, GROUP, NAMES, POLICY, World};

/// The calls of a transaction that can fail.
const STAGES: [&str; 5] = ["begin", "send", "offsets", "flush", "commit"];

/// The chance per round, in parts per million, that what is away for a while comes back.
const RECOVERS: u32 = 300_000;

impl World {
    /// A round: records, faults, and some time in which processes take turns.
    pub fn round(&mut self) {
        let records = self.random.index(self.plan.events / 4 + 2);
        self.feed(records);
        for (fault, rate) in self.plan.faults.clone() {
            if self.random.chance(rate) {
                self.inject(fault);
            }
        }
        self.recover();
        let moments = 1 + self.random.index(12);
        let steps = [1, 20, 20, 100, 100, 500, 1_500];
        let lazy = *self.random.pick(&[0, 0, 200_000, 600_000]);
        for _ in 0..moments {
            let ms = *self.random.pick(&steps);
            self.moment(ms, lazy);
        }
    }

    /// Does a fault to the world, if it can happen now.
    pub fn inject(&mut self, fault: Fault) {
        let partition = self.any_partition();
        match fault {
            Fault::Crash
            | Fault::SessionExpires
            | Fault::Join
            | Fault::Leave
            | Fault::Suspend
            | Fault::Twin
            | Fault::Rebalance
            | Fault::ClockOff => self.disturb_processes(fault),
            Fault::CommitFails
            | Fault::AnswerLost
            | Fault::LeftOpen
            | Fault::EndDelayed
            | Fault::TimedOut
            | Fault::MarkersLost
            | Fault::IdHijacked => self.disturb_commits(fault),
            Fault::BrokerDown => {
                self.cluster.stop();
                self.count("broker down");
            }
            Fault::CoordinatorAway => {
                self.cluster.lose_coordinator();
                self.count("coordinator away");
            }
            Fault::LeaderLost => {
                self.cluster.lose_leader(partition);
                self.held.push(partition);
                self.count("leader lost");
            }
            Fault::FetchStalls => {
                self.cluster.hold(partition);
                self.held.push(partition);
                self.count("fetch stalls");
            }
            Fault::AbortedInput => {
                self.produce_aborted(partition);
                self.count("aborted input");
            }
            Fault::HangingInput => {
                self.produce_hanging(partition);
                self.count("hanging input transaction");
            }
            Fault::RecordAhead => {
                self.produce_ahead(partition);
                self.count("timestamp far ahead");
            }
            Fault::Retention => self.drop_what_is_kept(),
            Fault::OffsetsExpire => self.expire_offsets(),
            Fault::StoreTorn
            | Fault::StoreShort
            | Fault::StoreLostSync
            | Fault::StoreFull
            | Fault::StoreAway
            | Fault::StoreBitRot
            | Fault::StoreSlow => self.disturb_store(fault),
        }
    }

    fn disturb_processes(&mut self, fault: Fault) {
        if fault == Fault::Rebalance {
            self.cluster.rebalance();
            self.count("rebalance");
            return;
        }
        if fault == Fault::SessionExpires {
            self.expire_a_session();
            return;
        }
        if fault == Fault::Join {
            let fresh: Vec<usize> = (0..NAMES.len())
                .filter(|name| !self.processes.iter().any(|process| process.name == *name))
                .collect();
            if !fresh.is_empty() {
                let name = *self.random.pick(&fresh);
                self.start(name);
                self.count("join");
            }
            return;
        }
        let Some(at) = self.any_process() else { return };
        match fault {
            Fault::Crash => {
                self.crash(at);
                self.count("crash");
            }
            Fault::Leave => {
                self.leave(at);
                self.count("clean stop");
            }
            Fault::Suspend => {
                self.processes[at].is_suspended = true;
                self.count("suspended");
            }
            Fault::Twin => {
                self.start(self.processes[at].name);
                self.count("twin");
            }
            _ => {
                self.processes[at].clock_off_ms = self.random.between(-12_000, 12_000);
                self.count("clock off");
            }
        }
    }

    fn expire_a_session(&mut self) {
        let suspended = self.processes.iter().filter(|process| process.is_suspended);
        let mut silent: Vec<usize> = suspended.map(|process| process.name).collect();
        silent.extend(&self.away);
        if silent.is_empty() {
            return;
        }
        let (instance, worker) = NAMES[*self.random.pick(&silent)];
        if self.cluster.kick(instance, worker) {
            self.count("session expired");
        }
    }

    fn disturb_commits(&mut self, fault: Fault) {
        for _ in 0..self.random.index(3) {
            self.cluster.pass_next_commit();
        }
        self.cluster.fail_next_commit(match fault {
            Fault::AnswerLost => CommitFault::AnswerLost,
            Fault::LeftOpen => CommitFault::LeftOpen,
            Fault::EndDelayed => CommitFault::EndDelayed,
            Fault::TimedOut => CommitFault::TimedOut,
            Fault::MarkersLost => CommitFault::MarkersLost {
                choice: self.random.next_u64(),
                is_answered: self.random.chance(500_000),
            },
            Fault::IdHijacked => CommitFault::Fenced,
            _ => CommitFault::NotCommitted { stage: self.random.pick_str(&STAGES) },
        });
    }

    /// Drops of the inputs what the oldest good snapshot of their shard is behind.
    fn drop_what_is_kept(&mut self) {
        for shard in self.shards() {
            let expected = Expected {
                group: GROUP.to_owned(),
                cluster: CLUSTER.to_owned(),
                policy: POLICY.to_owned(),
                shard,
                committed: u64::MAX,
            };
            let kept = self.store.numbers(shard.get()).into_iter().find_map(|number| {
                let bytes = self.store.get(shard.get(), number)?;
                format::read(&bytes, &expected, self.shard_config(self.seed)).ok()
            });
            let Some((header, _)) = kept else { continue };
            for topic in Topic::ALL {
                let log = LogName::Input(InputPartition { topic, shard });
                let before = header.progress.positions[topic.index()].next;
                if self.cluster.bounds(log).0 < before {
                    self.cluster.delete_records(log, before);
                    self.is_cut = true;
                    self.count("retention");
                }
            }
        }
    }

    /// A group without members loses its offsets.
    fn expire_offsets(&mut self) {
        while !self.processes.is_empty() {
            self.crash(0);
        }
        for (instance, worker) in NAMES {
            self.cluster.kick(instance, worker);
        }
        // What is open ends first: offsets expire in days.
        let wait_ms = crate::world::TRANSACTION_TIMEOUT_MS + 1;
        self.cluster.deliver_delayed_ends();
        self.moment(wait_ms, 0);
        if self.cluster.is_settled() {
            self.cluster.forget_group_offsets();
            self.count("group offsets expired");
        }
    }

    fn disturb_store(&mut self, fault: Fault) {
        match fault {
            Fault::StoreTorn => {
                let percent = u8::try_from(self.random.below(100)).unwrap();
                self.store.fail_next_write(StoreFault::Torn(percent));
                self.count("store: torn write");
            }
            Fault::StoreShort => {
                let percent = u8::try_from(self.random.below(100)).unwrap();
                self.store.fail_next_write(StoreFault::Short(percent));
                self.count("store: short write");
            }
            Fault::StoreLostSync => {
                self.store.fail_next_write(StoreFault::LostSync);
                self.count("store: lost sync");
            }
            Fault::StoreFull => {
                self.store.set_full(true);
                self.count("store: full");
            }
            Fault::StoreAway => {
                self.store.set_away(true);
                self.count("store: away");
            }
            Fault::StoreSlow => {
                self.store_waits_ms = self.now.mono_ms + self.random.between(100, 20_000);
                self.count("store: slow");
            }
            _ => self.turn_a_bit(),
        }
    }

    fn turn_a_bit(&mut self) {
        let shard = u32::try_from(self.random.below(u64::from(self.plan.partitions))).unwrap();
        let numbers = self.store.numbers(shard);
        if numbers.is_empty() {
            return;
        }
        let (number, bits) = (*self.random.pick(&numbers), self.random.next_u64());
        self.store.change(shard, number, |bytes| {
            let at = usize::try_from(bits >> 8).unwrap() % bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << (bits & 7);
            }
        });
        self.count("store: bit rot");
    }

    /// Lets what was away come back, now and then.
    fn recover(&mut self) {
        if self.random.chance(RECOVERS) {
            self.cluster.start();
        }
        if self.random.chance(RECOVERS) {
            self.cluster.find_coordinator();
        }
        if self.random.chance(RECOVERS) {
            self.held.drain(..).for_each(|partition| self.cluster.release(partition));
        }
        if self.random.chance(RECOVERS) {
            self.end_hanging();
        }
        if self.random.chance(RECOVERS) {
            self.cluster.deliver_delayed_ends();
        }
        if self.random.chance(RECOVERS) {
            self.store.set_full(false);
            self.store.set_away(false);
        }
        for at in 0..self.processes.len() {
            if self.random.chance(RECOVERS / 2) {
                self.processes[at].is_suspended = false;
                self.processes[at].clock_off_ms = 0;
            }
        }
        for name in self.away.clone() {
            if self.random.chance(2 * RECOVERS) {
                self.start(name);
            }
        }
    }

    /// Ends all that is wrong: from now on nothing happens any more.
    pub fn heal(&mut self) {
        self.cluster.forget_faults();
        self.cluster.start();
        self.cluster.find_coordinator();
        self.held.drain(..).for_each(|partition| self.cluster.release(partition));
        self.end_hanging();
        self.cluster.deliver_delayed_ends();
        self.store.heal();
        self.store_waits_ms = 0;
        for process in &mut self.processes {
            process.is_suspended = false;
            process.clock_off_ms = 0;
        }
    }

    /// Where a shard of the group stands in an input, whatever is still open.
    pub fn committed_of(&self, partition: InputPartition) -> Option<NextOffset> {
        let committed = self.cluster.committed(partition.shard.get())?;
        Some(committed.next[partition.topic.index()])
    }
}
