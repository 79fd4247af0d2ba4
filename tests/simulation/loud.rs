//! What a world must not survive, how it is done, and what must come of it: a loud stop, again
//! after a restart, and not one alert that the logs of before do not give.

use odrwatch::domain::event::Topic;
use odrwatch::domain::ids::NextOffset;
use odrwatch::pipeline::ports::{InputPartition, OutTopic};
use odrwatch::testing::{LogName, NewRecord};

use crate::check::assert_same;
use crate::plan::Loud;
use crate::world::{NAMES, World};

/// A step of waiting, in ms.
const STEP_MS: i64 = 250;

/// Within so many steps a process that must stop does so.
const STEPS: usize = 400;

/// What came of a loud event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doom {
    /// There was nothing that it could have harmed.
    Vacuous,
    /// It happened, and it may be that nothing is wrong with what was committed.
    MayStop,
    /// It happened, and whoever was there must stop; whoever comes later may not see it.
    MustStopOnce,
    /// It happened, and going on would be wrong.
    MustStop,
}

impl World {
    /// Does the loud event to a quiet world, and checks what comes of it. Tells whether processes
    /// stopped.
    pub fn doom(&mut self, loud: Loud) -> bool {
        let expected = self.by_reference();
        let doom = self.strike(loud);
        if doom == Doom::Vacuous {
            return false;
        }
        self.is_doomed = true;
        for again in [false, true] {
            self.stops.clear();
            self.run_to_a_stop();
            let must_stop = doom == Doom::MustStop || (doom == Doom::MustStopOnce && !again);
            assert!(!self.stops.is_empty() || !must_stop, "{loud:?}: nobody stops, again: {again}");
            if doom != Doom::MustStop {
                break;
            }
        }
        for shard in self.shards() {
            let wanted = self.alerts_of(&expected, shard);
            let what = format!("{loud:?}: the alerts of {shard}, which must be those of before");
            assert_same(&self.watch.of(shard).alerts, &wanted, &what);
        }
        !self.stops.is_empty()
    }

    fn run_to_a_stop(&mut self) {
        for _ in 0..STEPS {
            for name in self.away.clone() {
                self.start(name);
            }
            self.moment(STEP_MS, 0);
            if !self.stops.is_empty() {
                return;
            }
        }
    }

    fn strike(&mut self, loud: Loud) -> Doom {
        let Some((victim, committed)) = self.victim() else { return Doom::Vacuous };
        let log = LogName::Input(victim);
        match loud {
            Loud::DataGap => {
                self.end_everything();
                self.cluster.delete_records(log, committed);
                Doom::MustStop
            }
            Loud::GapWhileReading => {
                self.cluster.hold(victim);
                self.junk(victim, 2);
                let (_, ends) = self.cluster.bounds(log);
                self.cluster.delete_records(log, ends.high);
                self.cluster.release(victim);
                Doom::MustStop
            }
            Loud::TruncatedWhileReading => {
                let from = self.random.between(0, committed.get() - 1);
                self.cluster.cut(log, NextOffset::stated(from));
                let has_grown = self.random.chance(500_000);
                if has_grown {
                    let records = committed.get() - from + self.random.between(-1, 3);
                    self.junk(victim, records);
                }
                if has_grown { Doom::MustStopOnce } else { Doom::MustStop }
            }
            Loud::Truncated => {
                self.end_everything();
                let from = self.random.between(0, committed.get() - 1);
                self.cluster.cut(log, NextOffset::stated(from));
                Doom::MustStop
            }
            Loud::Recreated => {
                self.end_everything();
                self.cluster.make_anew(victim.topic);
                let records = self.random.between(0, committed.get() - 1);
                self.junk(victim, records);
                Doom::MustStop
            }
            Loud::Rewritten => {
                self.end_everything();
                let from = self.random.between(0, committed.get() - 1);
                self.cluster.cut(log, NextOffset::stated(from));
                self.junk(victim, committed.get() - from);
                // What was replaced may have said nothing, as duplicates and dead letters do.
                Doom::MayStop
            }
            Loud::ProgressCut => {
                self.end_everything();
                self.cut_progress(victim)
            }
            Loud::ProgressEmptied => {
                let has_snapshot = !self.store.numbers(victim.shard.get()).is_empty();
                self.end_processes();
                self.cluster.forget_group_offsets();
                self.empty_progress();
                if has_snapshot { Doom::MustStop } else { Doom::Vacuous }
            }
            Loud::OffsetsReset => {
                self.end_processes();
                self.cluster.set_group_progress(victim.shard, 1_000_000);
                Doom::MustStop
            }
            Loud::Limit => {
                self.end_everything();
                self.limits.orders = 1;
                self.limits.accounts = 1;
                Doom::MayStop
            }
        }
    }

    /// A partition of which something was committed, and how far.
    fn victim(&mut self) -> Option<(InputPartition, NextOffset)> {
        let mut all: Vec<(InputPartition, NextOffset)> = Vec::new();
        for topic in Topic::ALL {
            for shard in self.shards() {
                let partition = InputPartition { topic, shard };
                let committed = self.committed_of(partition).filter(|next| next.get() > 0);
                all.extend(committed.map(|next| (partition, next)));
            }
        }
        (!all.is_empty()).then(|| *self.random.pick(&all))
    }

    /// All processes end, and the group forgets them.
    fn end_processes(&mut self) {
        while !self.processes.is_empty() {
            self.crash(0);
        }
        for (instance, worker) in NAMES {
            self.cluster.kick(instance, worker);
        }
        self.away.truncate(1);
    }

    /// All processes end, and no snapshot is good any more.
    fn end_everything(&mut self) {
        self.end_processes();
        for shard in self.shards() {
            for number in self.store.numbers(shard.get()) {
                self.store.change(shard.get(), number, |bytes| bytes.truncate(bytes.len() / 2));
            }
        }
    }

    /// Appends records that are not part of the history.
    fn junk(&mut self, victim: InputPartition, records: i64) {
        for _ in 0..records.max(0) {
            let record = NewRecord::new(self.now.wall_ms, b"junk", b"{\"junk\":true}");
            self.cluster.produce(victim.topic, victim.shard.get(), record);
        }
    }

    fn cut_progress(&mut self, victim: InputPartition) -> Doom {
        let log = LogName::Output(OutTopic::Progress, victim.shard);
        let records = self.cluster.read_committed(OutTopic::Progress, victim.shard.get());
        let [_, .., last] = records.as_slice() else { return Doom::Vacuous };
        self.cluster.delete_records(log, NextOffset::stated(last.offset.get()));
        Doom::MustStop
    }

    fn empty_progress(&mut self) {
        for shard in self.shards() {
            let log = LogName::Output(OutTopic::Progress, shard);
            let (_, ends) = self.cluster.bounds(log);
            self.cluster.delete_records(log, ends.high);
        }
    }
}
