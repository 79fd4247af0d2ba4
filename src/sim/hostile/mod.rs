//! Small, strange logs of all kinds for the correctness tests, with the verdict that each record
//! must get from the decoder.
//!
//! [`Hostile::new`] plans facts (`plan`), makes them known in an unfortunate order, spells them
//! (`render`), spoils some (`bad`), and lays them into partitions by murmur2 of their seller.
//! Invariants: the same configuration gives the same logs; [`Expected`] follows from SEMANTICS
//! section 2 alone; without [`Feature::BackwardTimestamps`] timestamps never go back within a
//! partition. Absent on purpose: what the facts amount to, which is the reference model's part.

mod bad;
mod features;
mod ids;
mod plan;
mod render;
#[cfg(test)]
mod tests;

pub use features::{Feature, Features};

use self::plan::{Detail, Fact, Plan, Planner};
use super::murmur2;
use super::random::Random;
use crate::domain::event::{DeadReason, Topic};

/// What a hostile workload is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostileConfig {
    /// The seed, which also chooses the features.
    pub seed: u64,
    /// Facts; duplicates and bad records come on top.
    pub events: usize,
    /// Days over which most of them become known.
    pub days: u32,
    /// Sellers.
    pub sellers: u32,
    /// Partitions of each topic.
    pub partitions: u32,
    /// The first instant.
    pub start_ms: i64,
    /// The features, instead of a subset chosen by the seed.
    pub features: Option<Features>,
    /// Whether records without a timestamp may be among those chosen by the seed.
    pub missing_timestamps: bool,
}

impl HostileConfig {
    /// A small workload: 120 events of 6 sellers over 90 days in 2 partitions, from 2026-01-01.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            seed,
            events: 120,
            days: 90,
            sellers: 6,
            partitions: 2,
            start_ms: 1_767_225_600_000,
            features: None,
            missing_timestamps: false,
        }
    }
}

/// What the decoder must say of a record, with the shipped limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A valid event.
    Valid,
    /// A tombstone.
    Tombstone,
    /// A dead letter with this reason.
    Dead(DeadReason),
}

/// A record of a hostile log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostileRecord {
    /// Its timestamp.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// What must be said of it.
    pub expected: Expected,
}

/// A hostile workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// What it contains.
    pub features: Features,
    /// By topic (in the order of [`Topic::ALL`]), then partition.
    pub logs: [Vec<Vec<HostileRecord>>; 4],
}

impl Hostile {
    /// Makes a workload.
    ///
    /// # Panics
    /// Without a partition.
    #[must_use]
    pub fn new(config: &HostileConfig) -> Self {
        let mut random = Random::new(config.seed);
        let drawn = Features::draw(&mut random, config.missing_timestamps);
        let features = config.features.unwrap_or(drawn);
        let mut planner = Planner { config, features, random: &mut random, plan: Plan::default() };
        planner.fill();
        let mut plan = planner.plan;
        let mut facts = std::mem::take(&mut plan.facts);
        arrange(&mut facts, features, &mut random);
        let mut writer = Writer {
            features,
            partitions: config.partitions,
            random,
            plan,
            logs: std::array::from_fn(|_| (0..config.partitions).map(|_| Vec::new()).collect()),
            duplicates: Vec::new(),
        };
        for fact in &facts {
            writer.write(fact);
        }
        writer.flush_duplicates(i64::MAX);
        Self { features, logs: writer.logs }
    }

    /// The log of a partition.
    #[must_use]
    pub fn log(&self, topic: Topic, partition: u32) -> &[HostileRecord] {
        let partition = usize::try_from(partition).expect("a partition number fits");
        &self.logs[topic.index()][partition]
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.logs.iter().flatten().map(Vec::len).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Brings facts into the order in which they become known, and disturbs it.
fn arrange(facts: &mut [Fact], features: Features, random: &mut Random) {
    facts.sort_by_key(|fact| fact.known_ms);
    if !features.has(Feature::Shuffles) || facts.is_empty() {
        return;
    }
    for _ in 0..facts.len() / 8 {
        let first = random.index(facts.len());
        let last = (first + 2 + random.index(7)).min(facts.len());
        let window = &mut facts[first..last];
        let times: Vec<i64> = window.iter().map(|fact| fact.known_ms).collect();
        random.shuffle(window);
        // Facts change places; the times at which something becomes known stay.
        for (fact, time) in window.iter_mut().zip(times) {
            fact.known_ms = time;
        }
    }
}

/// Writes facts and worse into logs, in the order in which they become known.
struct Writer {
    features: Features,
    partitions: u32,
    random: Random,
    plan: Plan,
    logs: [Vec<Vec<HostileRecord>>; 4],
    /// Duplicates to come: when, where, and what.
    duplicates: Vec<(i64, Fact, Vec<u8>)>,
}

const HOUR: i64 = 3_600_000;

impl Writer {
    fn happens(&mut self, feature: Feature, per_million: u32) -> bool {
        self.features.has(feature) && self.random.chance(per_million)
    }

    fn write(&mut self, fact: &Fact) {
        self.flush_duplicates(fact.known_ms);
        let value = render::render(fact, &self.plan, self.features, &mut self.random);
        if self.happens(Feature::Duplicates, 150_000) {
            let after = *self.random.pick(&[0, 1_000, HOUR, 48 * HOUR]);
            self.duplicates.push((fact.known_ms + after, *fact, value.clone()));
        }
        self.append_valid(fact, value);
        if self.happens(Feature::BadRecords, 150_000) {
            let (value, reason) = bad::spoil(fact, &self.plan, &mut self.random);
            self.append_dead(fact, value, reason);
        }
        let is_order = matches!(fact.detail, Detail::Order { .. });
        if is_order && self.happens(Feature::BadRecords, 50_000) {
            self.buy_in_future(fact);
        }
        if self.happens(Feature::TooLarge, 1_000_000) {
            self.features = self.features.without(Feature::TooLarge);
            let value = bad::too_large(fact, &self.plan);
            self.append_dead(fact, value, DeadReason::TooLarge);
        }
        if self.happens(Feature::Tombstones, 80_000) {
            let timestamp_ms = self.stamp(fact.known_ms);
            let key = self.key_of(fact);
            let partition = self.partition_of(fact);
            let record =
                HostileRecord { timestamp_ms, key, value: None, expected: Expected::Tombstone };
            self.push(fact.detail.topic(), partition, record);
        }
    }

    /// An order bought just too late for its event. (Just in time is for unit tests: it would be a
    /// fact that the plan does not know.)
    fn buy_in_future(&mut self, fact: &Fact) {
        let timestamp_ms = self.stamp(fact.known_ms);
        let later = *self.random.pick(&[24 * HOUR + 1, 400 * 24 * HOUR]);
        let event_ms = timestamp_ms.unwrap_or(fact.known_ms);
        let value = bad::bought_later(fact, &self.plan, event_ms, later);
        let reason = match timestamp_ms {
            Some(_) => DeadReason::PurchaseInFuture,
            None => DeadReason::BadTime,
        };
        let record = HostileRecord {
            timestamp_ms,
            key: self.key_of(fact),
            value: Some(value),
            expected: Expected::Dead(reason),
        };
        let partition = self.partition_of(fact);
        self.push(fact.detail.topic(), partition, record);
    }

    /// Writes the duplicates whose time has come.
    fn flush_duplicates(&mut self, until_ms: i64) {
        if self.duplicates.is_empty() {
            return;
        }
        let all = std::mem::take(&mut self.duplicates);
        let (mut due, later): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(at, ..)| *at <= until_ms);
        self.duplicates = later;
        due.sort_by_key(|(at, ..)| *at);
        for (at, fact, value) in due {
            let again = Fact { known_ms: at, ..fact };
            self.append_valid(&again, value);
        }
    }

    /// Appends a valid statement; where and when it lands may still make it a dead letter.
    fn append_valid(&mut self, fact: &Fact, value: Vec<u8>) {
        let right = self.partition_of(fact);
        let mut partition = right;
        if self.happens(Feature::Misrouted, 60_000) {
            let other = self.random.below(u64::from(self.partitions));
            partition = u32::try_from(other).expect("below a u32");
        }
        let timestamp_ms = self.stamp(fact.known_ms);
        let expected = if partition == right {
            expected_of(fact, timestamp_ms)
        } else {
            Expected::Dead(DeadReason::Misrouted)
        };
        let record =
            HostileRecord { timestamp_ms, key: self.key_of(fact), value: Some(value), expected };
        self.push(fact.detail.topic(), partition, record);
    }

    fn append_dead(&mut self, fact: &Fact, value: Vec<u8>, reason: DeadReason) {
        let record = HostileRecord {
            timestamp_ms: self.stamp(fact.known_ms),
            key: self.key_of(fact),
            value: Some(value),
            expected: Expected::Dead(reason),
        };
        let partition = self.partition_of(fact);
        self.push(fact.detail.topic(), partition, record);
    }

    fn push(&mut self, topic: Topic, partition: u32, record: HostileRecord) {
        let partition = usize::try_from(partition).expect("a partition number fits");
        self.logs[topic.index()][partition].push(record);
    }

    fn stamp(&mut self, known_ms: i64) -> Option<i64> {
        if self.happens(Feature::MissingTimestamps, 50_000) {
            return None;
        }
        if self.happens(Feature::BackwardTimestamps, 200_000) {
            return Some(known_ms - self.random.between(0, 3 * HOUR));
        }
        Some(known_ms)
    }

    fn key_of(&mut self, fact: &Fact) -> Option<Vec<u8>> {
        // The key decides nothing; only where a record landed does.
        let absent = self.happens(Feature::ExoticIds, 20_000);
        (!absent).then(|| self.plan.sellers[fact.seller].clone().into_bytes())
    }

    fn partition_of(&self, fact: &Fact) -> u32 {
        let seller = self.plan.sellers[fact.seller].as_bytes();
        murmur2::partition_of(seller, self.partitions)
    }
}

/// What must be said of a valid statement in its own partition (SEMANTICS section 2).
fn expected_of(fact: &Fact, timestamp_ms: Option<i64>) -> Expected {
    let Some(timestamp_ms) = timestamp_ms else {
        return Expected::Dead(DeadReason::BadTime);
    };
    let event_ms = fact.event_ms.unwrap_or(timestamp_ms);
    if event_ms > timestamp_ms + HOUR {
        return Expected::Dead(DeadReason::BadTime);
    }
    let is_order = matches!(fact.detail, Detail::Order { .. });
    if is_order && fact.purchase_ms.is_some_and(|at| at > event_ms + 24 * HOUR) {
        return Expected::Dead(DeadReason::PurchaseInFuture);
    }
    Expected::Valid
}
