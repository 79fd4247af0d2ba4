//! What is on its way: alerts that were read and that the receiver has not taken yet.
//!
//! ```text
//!   read ──> waiting ──> under way ──> done: forgotten
//!               ^            │
//!               └── again at ┘
//! ```
//!
//! Invariants:
//! - Of the alerts of one key (a seller) in one partition only the oldest is under way.
//! - What may be committed of a partition ends before its oldest alert that is not done.
//! - At most [`MOST_HELD`] alerts of a partition are held.
//!
//! Absent on purpose: time, but as numbers; what is sent and how.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::ids::{NextOffset, Offset, ShardNo};
use crate::pipeline::alert_log::StoredAlert;

/// Alerts of one partition that are held: where one is not taken for ever, so many others are sent.
pub(super) const MOST_HELD: usize = 1_000;

/// All partitions.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<ShardNo, Lane>,
}

#[derive(Debug)]
struct Lane {
    /// Tells this opening of the partition from others.
    opening: u64,
    /// What is before it was delivered earlier.
    first: NextOffset,
    held: BTreeMap<Offset, Held>,
    /// What was committed, or is being committed.
    committed: NextOffset,
}

#[derive(Debug)]
struct Held {
    alert: Arc<StoredAlert>,
    is_under_way: bool,
    tries: u32,
    /// How often the receiver rejected it.
    rejections: u32,
    again_ms: i64,
    since_ms: i64,
}

/// An alert that is to be sent now.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub alert: Arc<StoredAlert>,
    /// Which opening of its partition it belongs to.
    opening: u64,
    /// How often it was tried before.
    pub tries: u32,
    /// How often it was rejected before.
    pub rejections: u32,
}

impl Lanes {
    /// The partitions, by number.
    pub fn shards(&self) -> Vec<ShardNo> {
        self.lanes.keys().copied().collect()
    }

    pub fn is_open(&self, shard: ShardNo) -> bool {
        self.lanes.contains_key(&shard)
    }

    /// Opens a partition, from which nothing before an offset is to be delivered.
    pub fn open(&mut self, shard: ShardNo, next: NextOffset, opening: u64) {
        let lane = Lane { opening, first: next, held: BTreeMap::new(), committed: next };
        self.lanes.insert(shard, lane);
    }

    /// Forgets all partitions but some.
    pub fn keep(&mut self, shards: &BTreeSet<ShardNo>) {
        self.lanes.retain(|shard, _| shards.contains(shard));
    }

    /// How many more alerts of a partition may be held.
    pub fn room(&self, shard: ShardNo) -> usize {
        self.lanes.get(&shard).map_or(0, |lane| MOST_HELD.saturating_sub(lane.held.len()))
    }

    /// Whether an alert that was read is to be delivered; it was already, if not.
    pub fn wants(&self, alert: &StoredAlert) -> bool {
        self.lanes.get(&alert.shard).is_some_and(|lane| alert.offset.next() > lane.first)
    }

    /// Takes an alert that was read.
    pub fn add(&mut self, alert: StoredAlert, now_ms: i64) {
        let Some(lane) = self.lanes.get_mut(&alert.shard) else { return };
        let held = Held {
            is_under_way: false,
            tries: 0,
            rejections: 0,
            again_ms: now_ms,
            since_ms: now_ms,
            alert: Arc::new(alert),
        };
        lane.held.insert(held.alert.offset, held);
    }

    /// Takes at most so many alerts that may be sent now, those that were tried least first.
    pub fn take_due(&mut self, now_ms: i64, most: usize) -> Vec<Parcel> {
        if most == 0 {
            return Vec::new();
        }
        let mut due: Vec<(u32, ShardNo, Offset)> = Vec::new();
        for (shard, lane) in &self.lanes {
            let mut keys: BTreeSet<&[u8]> = BTreeSet::new();
            for (offset, held) in &lane.held {
                // Only the oldest of each key is looked at.
                let is_oldest = keys.insert(held.alert.key.as_slice());
                if is_oldest && !held.is_under_way && held.again_ms <= now_ms {
                    due.push((held.tries, *shard, *offset));
                }
            }
        }
        due.sort_unstable();
        let mut parcels = Vec::new();
        for (_, shard, offset) in due.into_iter().take(most) {
            let Some(lane) = self.lanes.get_mut(&shard) else { continue };
            let opening = lane.opening;
            let Some(held) = lane.held.get_mut(&offset) else { continue };
            held.is_under_way = true;
            parcels.push(Parcel {
                alert: Arc::clone(&held.alert),
                opening,
                tries: held.tries,
                rejections: held.rejections,
            });
        }
        parcels
    }

    fn held(&mut self, parcel: &Parcel) -> Option<&mut Held> {
        let lane = self.lanes.get_mut(&parcel.alert.shard)?;
        // The partition may have been given away and come back meanwhile.
        if lane.opening == parcel.opening { lane.held.get_mut(&parcel.alert.offset) } else { None }
    }

    /// An alert is done with: it was taken, or given up. Whether it was still held.
    pub fn done(&mut self, parcel: &Parcel) -> bool {
        if self.held(parcel).is_none() {
            return false;
        }
        let lane = self.lanes.get_mut(&parcel.alert.shard).expect("it was just found");
        lane.held.remove(&parcel.alert.offset).is_some()
    }

    /// An alert is to be sent again at a time.
    pub fn again(&mut self, parcel: &Parcel, at_ms: i64, is_rejected: bool) {
        if let Some(held) = self.held(parcel) {
            held.is_under_way = false;
            held.tries = held.tries.saturating_add(1);
            held.rejections += u32::from(is_rejected);
            held.again_ms = at_ms;
        }
    }

    /// How many alerts are held, and since when the oldest is.
    pub fn waiting(&self) -> (usize, Option<i64>) {
        let held = || self.lanes.values().flat_map(|lane| lane.held.values());
        (held().count(), held().map(|held| held.since_ms).min())
    }

    /// What may be committed of each partition and is not yet; `position` is where reading is.
    pub fn take_commits(
        &mut self,
        mut position: impl FnMut(ShardNo) -> Option<NextOffset>,
    ) -> Vec<(ShardNo, NextOffset)> {
        let mut commits = Vec::new();
        for (shard, lane) in &mut self.lanes {
            let next = match lane.held.keys().next() {
                Some(oldest) => NextOffset::stated(oldest.get()),
                None => position(*shard).unwrap_or(lane.committed),
            };
            if next > lane.committed {
                lane.committed = next;
                commits.push((*shard, next));
            }
        }
        commits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARD: ShardNo = ShardNo::new(3);

    fn alert(offset: i64, key: &str) -> StoredAlert {
        StoredAlert {
            shard: SHARD,
            offset: Offset::new(offset),
            key: key.as_bytes().to_vec(),
            value: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn lanes(alerts: &[(i64, &str)]) -> Lanes {
        let mut lanes = Lanes::default();
        lanes.open(SHARD, NextOffset::stated(0), 1);
        for (offset, key) in alerts {
            lanes.add(alert(*offset, key), 0);
        }
        lanes
    }

    fn offsets(parcels: &[Parcel]) -> Vec<i64> {
        parcels.iter().map(|parcel| parcel.alert.offset.get()).collect()
    }

    fn commits(lanes: &mut Lanes, position: i64) -> Vec<i64> {
        let commits = lanes.take_commits(|_| Some(NextOffset::stated(position)));
        commits.into_iter().map(|(_, next)| next.get()).collect()
    }

    #[test]
    fn of_one_seller_one_alert_is_under_way_and_those_of_others_pass() {
        let mut lanes = lanes(&[(0, "a"), (2, "a"), (4, "b"), (6, "c")]);
        let first = lanes.take_due(0, 10);
        assert_eq!(offsets(&first), [0, 4, 6]);
        assert_eq!(offsets(&lanes.take_due(0, 10)), [0_i64; 0]);
        assert!(lanes.done(&first[0]));
        assert_eq!(offsets(&lanes.take_due(0, 10)), [2]);
    }

    #[test]
    fn what_is_committed_ends_before_the_oldest_that_is_not_taken() {
        let mut lanes = lanes(&[(0, "a"), (2, "b"), (4, "c")]);
        let sent = lanes.take_due(0, 10);
        assert!(lanes.done(&sent[1]) && lanes.done(&sent[2]));
        assert_eq!(commits(&mut lanes, 6), [0_i64; 0]);
        assert!(lanes.done(&sent[0]));
        // Behind the last alert stands the end of its transaction.
        assert_eq!(commits(&mut lanes, 6), [6]);
        assert_eq!(commits(&mut lanes, 6), [0_i64; 0]);
    }

    #[test]
    fn one_that_is_never_taken_holds_its_seller_back_and_is_tried_after_the_others() {
        let mut lanes = lanes(&[(0, "a"), (1, "a"), (2, "b"), (3, "c")]);
        let sent = lanes.take_due(0, 1);
        assert_eq!(offsets(&sent), [0]);
        lanes.again(&sent[0], 50, false);
        assert_eq!(offsets(&lanes.take_due(49, 10)), [2, 3]);
        let again = lanes.take_due(50, 10);
        assert_eq!((offsets(&again), again[0].tries), (vec![0], 1));
        assert_eq!(lanes.waiting(), (4, Some(0)));
    }

    #[test]
    fn rejections_are_told_from_other_failures() {
        let mut lanes = lanes(&[(0, "a")]);
        for is_rejected in [false, true, true] {
            let sent = lanes.take_due(0, 1);
            lanes.again(&sent[0], 0, is_rejected);
        }
        let sent = lanes.take_due(0, 1);
        assert_eq!((sent[0].tries, sent[0].rejections), (3, 2));
    }

    #[test]
    fn what_is_left_of_an_earlier_opening_changes_nothing() {
        let mut lanes = lanes(&[(0, "a")]);
        let old = lanes.take_due(0, 1);
        lanes.keep(&BTreeSet::new());
        assert!(!lanes.is_open(SHARD) && !lanes.done(&old[0]));
        lanes.open(SHARD, NextOffset::stated(0), 2);
        lanes.add(alert(0, "a"), 0);
        lanes.again(&old[0], 1_000, false);
        assert!(!lanes.done(&old[0]));
        assert_eq!(offsets(&lanes.take_due(0, 1)), [0]);
    }

    #[test]
    fn what_was_delivered_by_another_process_is_told_from_what_was_not() {
        let mut lanes = Lanes::default();
        lanes.open(SHARD, NextOffset::stated(4), 1);
        assert!(!lanes.wants(&alert(3, "a")) && lanes.wants(&alert(4, "a")));
        // While the beginning is read, nothing is committed anew.
        assert_eq!(commits(&mut lanes, 2), [0_i64; 0]);
    }

    #[test]
    fn a_partition_holds_so_many() {
        let mut lanes = lanes(&[(0, "a"), (1, "b")]);
        assert_eq!(lanes.room(SHARD), MOST_HELD - 2);
        assert_eq!(lanes.room(ShardNo::new(9)), 0);
        lanes.take_due(0, 2);
        assert_eq!(lanes.room(SHARD), MOST_HELD - 2);
    }
}
