//! What a seed chooses: the shape of its world, and which faults befall it how often.
//!
//! Each seed enables a random subset of the faults at random rates ("swarm"): a world of all faults
//! at once hides what only shows when something else is absent.

use odrwatch::pipeline::worker::StartRule;
use odrwatch::sim::random::Random;
use odrwatch::telemetry::labels::StopReason;

/// Something that goes wrong, or is merely unusual, and that must change no alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A process dies without a word; it comes back under its name.
    Crash,
    /// The session of a process that is dead or suspended expires.
    SessionExpires,
    /// A process joins.
    Join,
    /// A process stops cleanly.
    Leave,
    /// A process is suspended, and resumed at some time.
    Suspend,
    /// A second process starts under the name of one that runs.
    Twin,
    /// A rebalance without any change of members.
    Rebalance,
    /// A call of a transaction fails.
    CommitFails,
    /// A commit's answer is lost.
    AnswerLost,
    /// A transaction stays open.
    LeftOpen,
    /// The end of a transaction is late.
    EndDelayed,
    /// A transaction takes too long.
    TimedOut,
    /// Markers of a commit are lost.
    MarkersLost,
    /// Somebody initialises the transactional id.
    IdHijacked,
    /// The broker does not answer for a while.
    BrokerDown,
    /// The coordinator is away for a while.
    CoordinatorAway,
    /// An input partition has no leader for a while.
    LeaderLost,
    /// Fetches of an input partition stall for a while.
    FetchStalls,
    /// Aborted records in the inputs.
    AbortedInput,
    /// A transaction hangs in an input for a while.
    HangingInput,
    /// The clock of a machine is off.
    ClockOff,
    /// A record's timestamp is far ahead.
    RecordAhead,
    /// Retention drops what is committed and in a snapshot.
    Retention,
    /// The group's offsets expire while nobody is there.
    OffsetsExpire,
    /// A write of a snapshot is torn, and the writer is told.
    StoreTorn,
    /// A write of a snapshot is cut short, and the writer is not told.
    StoreShort,
    /// A synced snapshot is gone after a crash.
    StoreLostSync,
    /// The store is full for a while.
    StoreFull,
    /// The store does not answer for a while.
    StoreAway,
    /// A bit of a snapshot turns.
    StoreBitRot,
    /// Nobody serves the store for a while.
    StoreSlow,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Crash,
        Self::SessionExpires,
        Self::Join,
        Self::Leave,
        Self::Suspend,
        Self::Twin,
        Self::Rebalance,
        Self::CommitFails,
        Self::AnswerLost,
        Self::LeftOpen,
        Self::EndDelayed,
        Self::TimedOut,
        Self::MarkersLost,
        Self::IdHijacked,
        Self::BrokerDown,
        Self::CoordinatorAway,
        Self::LeaderLost,
        Self::FetchStalls,
        Self::AbortedInput,
        Self::HangingInput,
        Self::ClockOff,
        Self::RecordAhead,
        Self::Retention,
        Self::OffsetsExpire,
        Self::StoreTorn,
        Self::StoreShort,
        Self::StoreLostSync,
        Self::StoreFull,
        Self::StoreAway,
        Self::StoreBitRot,
        Self::StoreSlow,
    ];

    /// Whether it needs a store of snapshots.
    const fn is_of_store(self) -> bool {
        matches!(
            self,
            Self::StoreTorn
                | Self::StoreShort
                | Self::StoreLostSync
                | Self::StoreFull
                | Self::StoreAway
                | Self::StoreBitRot
                | Self::StoreSlow
                | Self::Retention
        )
    }

    /// Whether it may leave a shard without any good snapshot.
    const fn destroys_snapshots(self) -> bool {
        matches!(self, Self::StoreShort | Self::StoreLostSync | Self::StoreBitRot)
    }
}

/// What a world must not survive: a loud stop, and no wrong alert before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loud {
    /// Retention dropped what no snapshot reaches behind.
    DataGap,
    /// Retention dropped what was about to be read.
    GapWhileReading,
    /// A partition lost its end while it was read.
    TruncatedWhileReading,
    /// A partition lost its end behind what was committed, while nobody was there.
    Truncated,
    /// A topic was made anew while nobody was there.
    Recreated,
    /// Records behind the committed offsets were replaced while nobody was there.
    Rewritten,
    /// The progress topic lost its beginning.
    ProgressCut,
    /// The progress topic and the group's offsets are gone.
    ProgressEmptied,
    /// The group's offsets belong to no progress record.
    OffsetsReset,
    /// A limit is reached.
    Limit,
}

impl Loud {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::DataGap,
        Self::GapWhileReading,
        Self::TruncatedWhileReading,
        Self::Truncated,
        Self::Recreated,
        Self::Rewritten,
        Self::ProgressCut,
        Self::ProgressEmptied,
        Self::OffsetsReset,
        Self::Limit,
    ];

    /// The reasons for which processes may stop then.
    pub const fn reasons(self) -> &'static [StopReason] {
        match self {
            Self::DataGap => &[StopReason::DataGap],
            // Whoever starts again may find it by other means.
            Self::GapWhileReading => &[StopReason::DataGap, StopReason::Log],
            Self::TruncatedWhileReading | Self::Truncated | Self::Recreated | Self::Rewritten => &[
                StopReason::LogCut,
                StopReason::Log,
                StopReason::TopicReplaced,
                StopReason::Digest,
            ],
            Self::ProgressCut | Self::ProgressEmptied | Self::OffsetsReset => {
                &[StopReason::Progress]
            }
            Self::Limit => &[StopReason::Limit],
        }
    }
}

/// What a seed chose.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Partitions of each topic.
    pub partitions: u32,
    /// Facts of the market.
    pub events: usize,
    /// Days over which they become known.
    pub days: u32,
    /// Names of processes.
    pub names: usize,
    /// Rounds of feeding and faults.
    pub rounds: usize,
    /// Whether the clock follows the records; else all of them are history.
    pub is_live: bool,
    /// Whether the partitions are fed in the order of time; else in any.
    pub is_ordered: bool,
    /// From when on shards alert.
    pub start: StartRule,
    /// How often snapshots are taken, in ms.
    pub snapshot_ms: Option<i64>,
    /// The faults that may happen, with their chance per round in parts per million.
    pub faults: Vec<(Fault, u32)>,
    /// What the world must not survive.
    pub loud: Option<Loud>,
}

impl Plan {
    /// What a seed chooses.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5EED);
        let loud = random.chance(150_000).then(|| *random.pick(&Loud::ALL));
        let snapshot_ms = random.chance(750_000).then(|| *random.pick(&[100, 500, 2_000, 10_000]));
        let partitions = if random.chance(600_000) { 2 } else { 1 };
        let mut plan = Self {
            partitions: if random.chance(150_000) { 3 } else { partitions },
            events: 10 + random.index(45),
            days: u32::try_from(random.between(2, 80)).unwrap(),
            names: 1 + random.index(3),
            rounds: 15 + random.index(30),
            is_live: random.chance(600_000),
            is_ordered: random.chance(700_000),
            start: *random.pick(&[StartRule::Earliest, StartRule::Earliest, StartRule::Live]),
            snapshot_ms: snapshot_ms.or((loud == Some(Loud::ProgressEmptied)).then_some(500)),
            faults: Vec::new(),
            loud,
        };
        plan.choose_faults(&mut random);
        plan
    }

    fn choose_faults(&mut self, random: &mut Random) {
        let share = *random.pick(&[50_000, 200_000, 400_000]);
        for fault in Fault::ALL {
            let rate = *random.pick(&[20_000, 70_000, 250_000]);
            let is_chosen =
                random.chance(share) && (self.snapshot_ms.is_some() || !fault.is_of_store());
            if is_chosen && !(self.loud.is_some() && fault.is_of_store()) {
                self.faults.push((fault, rate));
            }
        }
        let has = |fault| self.faults.iter().any(|(of, _)| *of == fault);
        if has(Fault::Retention) {
            // What retention drops must be in a snapshot, or the stop would be the right one.
            self.faults.retain(|(fault, _)| !fault.destroys_snapshots());
        }
        if self.loud == Some(Loud::ProgressCut) {
            self.snapshot_ms = None;
        }
    }
}
