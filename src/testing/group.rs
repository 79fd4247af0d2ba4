//! The consumer group: static members, generations, eager rebalances, range assignment of shards.
//!
//! A pure state machine over names and numbers, without a clock:
//!
//! ```text
//!            join / leave / expire                    every member has rejoined
//!   Stable ------------------------> Preparing ------------------------------> Stable,
//!     ^                                 |  ^ join / leave / expire             generation + 1
//!     |                                 +--+                                      |
//!     +---------------------------------------------------------------------------+
//! ```
//!
//! Invariants: a shard has at most one owner per generation; equal partition numbers of the four
//! topics go to one member, because shards are assigned, not partitions. A static member that
//! comes back takes its place without a rebalance, and its predecessor is fenced. Absent on
//! purpose: time-outs (whoever drives the cluster expires a member).

use std::collections::BTreeMap;

use crate::domain::ids::ShardNo;

/// The identity of one joining of the group; a rejoin after being lost gets a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MemberId(u64);

#[derive(Debug)]
struct Place {
    id: MemberId,
    rejoined: bool,
    shards: Vec<ShardNo>,
}

/// How the broker sees a member that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is a member and its assignment stands.
    Stable,
    /// A rebalance is on: it has to give up its shards and rejoin.
    MustRejoin,
    /// It has rejoined and waits for the others.
    Waiting,
    /// The group went on without it.
    Unknown,
    /// A newer one with the same static id took its place.
    Fenced,
}

/// The group as its coordinator keeps it.
#[derive(Debug)]
pub(super) struct Group {
    shards: u32,
    generation: i32,
    preparing: bool,
    next_id: u64,
    /// By static instance id, whose order is the assignor's.
    places: BTreeMap<String, Place>,
}

impl Group {
    pub fn new(shards: u32) -> Self {
        Self { shards, generation: 0, preparing: false, next_id: 1, places: BTreeMap::new() }
    }

    /// The present generation.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// Whether all members have rejoined and the assignment stands.
    pub fn is_stable(&self) -> bool {
        !self.preparing && !self.places.is_empty()
    }

    /// Adds a member, or lets it take the place of its predecessor with the same static id.
    pub fn join(&mut self, instance: &str) -> MemberId {
        let id = MemberId(self.next_id);
        self.next_id += 1;
        if let Some(place) = self.places.get_mut(instance) {
            place.id = id;
            return id;
        }
        let place = Place { id, rejoined: false, shards: Vec::new() };
        self.places.insert(instance.to_owned(), place);
        self.prepare();
        id
    }

    /// Removes a member: it left, or its session expired. Tells whether it was there.
    pub fn remove(&mut self, instance: &str) -> bool {
        let was_there = self.places.remove(instance).is_some();
        if was_there {
            self.prepare();
        }
        was_there
    }

    /// Starts a rebalance among the present members.
    pub fn prepare(&mut self) {
        self.preparing = true;
        for place in self.places.values_mut() {
            place.rejoined = false;
        }
    }

    /// How a member stands.
    pub fn standing(&self, instance: &str, id: MemberId) -> Standing {
        match self.places.get(instance) {
            None => Standing::Unknown,
            Some(place) if place.id < id => Standing::Unknown,
            Some(place) if place.id != id => Standing::Fenced,
            Some(_) if !self.preparing => Standing::Stable,
            Some(place) if place.rejoined => Standing::Waiting,
            Some(_) => Standing::MustRejoin,
        }
    }

    /// Rejoins during a rebalance; the last one to do so completes it.
    pub fn rejoin(&mut self, instance: &str) {
        if let Some(place) = self.places.get_mut(instance) {
            place.rejoined = true;
        }
        if self.preparing && self.places.values().all(|place| place.rejoined) {
            self.complete();
        }
    }

    /// The shards of a member in the present generation.
    pub fn shards_of(&self, instance: &str) -> Vec<ShardNo> {
        self.places.get(instance).map(|place| place.shards.clone()).unwrap_or_default()
    }

    /// Checks what a transactional offset commit is checked for: the member and its generation.
    pub fn check_commit(
        &self,
        instance: &str,
        id: MemberId,
        generation: i32,
    ) -> Result<(), &'static str> {
        match self.standing(instance, id) {
            Standing::Unknown => Err("UNKNOWN_MEMBER_ID"),
            Standing::Fenced => Err("FENCED_INSTANCE_ID"),
            _ if generation != self.generation => Err("ILLEGAL_GENERATION"),
            _ => Ok(()),
        }
    }

    fn complete(&mut self) {
        self.preparing = false;
        self.generation += 1;
        let sizes = range_sizes(self.shards, self.places.len());
        let mut first = 0;
        for (place, size) in self.places.values_mut().zip(sizes) {
            place.shards = (first..first + size).map(ShardNo::new).collect();
            first += size;
        }
        assert!(self.places.is_empty() || first == self.shards, "every shard has an owner");
    }
}

/// How many consecutive shards each member gets: the first ones get the remainder.
fn range_sizes(shards: u32, members: usize) -> Vec<u32> {
    let count = u32::try_from(members).expect("a group in memory is small");
    (0..count).map(|index| shards / count + u32::from(index < shards % count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(shards: &[ShardNo]) -> Vec<u32> {
        shards.iter().map(|shard| shard.get()).collect()
    }

    #[test]
    fn ranges_cover_all_shards_once_and_the_first_get_the_remainder() {
        assert_eq!(range_sizes(8, 3), [3, 3, 2]);
        assert_eq!(range_sizes(2, 3), [1, 1, 0]);
        assert_eq!(range_sizes(4, 1), [4]);
    }

    #[test]
    fn a_join_takes_effect_only_when_every_member_has_rejoined() {
        let mut group = Group::new(4);
        let first = group.join("a-0");
        group.rejoin("a-0");
        assert_eq!(numbers(&group.shards_of("a-0")), [0, 1, 2, 3]);
        let second = group.join("b-0");
        group.rejoin("b-0");
        assert_eq!(group.standing("b-0", second), Standing::Waiting);
        assert_eq!(group.standing("a-0", first), Standing::MustRejoin);
        assert!(
            group.check_commit("a-0", first, 1).is_ok(),
            "the old generation holds until the rebalance completes"
        );
        group.rejoin("a-0");
        assert_eq!(group.generation(), 2);
        assert_eq!(group.check_commit("a-0", first, 1), Err("ILLEGAL_GENERATION"));
        assert_eq!(numbers(&group.shards_of("a-0")), [0, 1]);
        assert_eq!(numbers(&group.shards_of("b-0")), [2, 3]);
    }

    #[test]
    fn a_static_member_that_comes_back_moves_nothing_and_fences_its_predecessor() {
        let mut group = Group::new(4);
        let old = group.join("a-0");
        group.rejoin("a-0");
        let new = group.join("a-0");
        assert!(group.is_stable());
        assert_eq!(group.generation(), 1);
        assert_eq!(group.standing("a-0", old), Standing::Fenced);
        assert_eq!(group.standing("a-0", new), Standing::Stable);
        assert_eq!(group.check_commit("a-0", old, 1), Err("FENCED_INSTANCE_ID"));
    }

    #[test]
    fn an_expired_member_is_unknown_until_it_joins_again() {
        let mut group = Group::new(2);
        let id = group.join("a-0");
        group.rejoin("a-0");
        assert!(group.remove("a-0"));
        assert!(!group.remove("a-0"));
        assert_eq!(group.standing("a-0", id), Standing::Unknown);
        assert_eq!(group.check_commit("a-0", id, 1), Err("UNKNOWN_MEMBER_ID"));
        let again = group.join("a-0");
        assert_eq!(group.standing("a-0", again), Standing::MustRejoin);
        assert_eq!(group.standing("a-0", id), Standing::Fenced);
    }
}
