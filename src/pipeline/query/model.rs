//! The read model: one row an account, the latest alerts and dead letters, the shards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::listing::Listing;
use super::standing::Standing;
use super::{Inquiry, Mailbox, NotAsked};
use crate::domain::effects::{AlertKind, AlertState};
use crate::domain::event::{DeadReason, Topic};
use crate::domain::ids::{Offset, ShardNo};
use crate::domain::look::AccountRow;
use crate::domain::time::Day;
use crate::domain::window::AccountNo;
use crate::telemetry::labels::ShardPhase;

/// Alerts that are kept, the latest.
pub const LATEST_ALERTS: usize = 2_000;

/// Dead letters that are kept, the latest; without what was in them.
pub const LATEST_DEAD_LETTERS: usize = 500;

/// Names of accounts that moved, which are kept for those who follow changes.
const LATEST_MOVES: usize = 2_000;

/// Samples of the bands: one a minute, and one a day.
const MINUTES: usize = 120;
const DAYS: usize = 120;

/// A row with its shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellerRow {
    /// The shard that holds it.
    pub shard: ShardNo,
    /// The account.
    pub row: AccountRow,
}

impl SellerRow {
    pub(super) fn name(&self) -> (Box<str>, Box<str>) {
        (self.row.seller_id.clone(), self.row.marketplace_id.clone())
    }
}

/// A committed alert.
#[derive(Clone, Debug)]
pub struct SentAlert {
    /// Which one it is among all that this process committed: 1, 2, 3, ...
    pub number: u64,
    /// Its shard.
    pub shard: ShardNo,
    /// Its kind.
    pub kind: AlertKind,
    /// What happened.
    pub state: AlertState,
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace.
    pub marketplace_id: Box<str>,
    /// The record's value, byte for byte.
    pub value: Arc<[u8]>,
}

/// A record that became a dead letter; nothing of what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadSeen {
    /// The boundary that it was refused at, in ms since the epoch.
    pub at_ms: i64,
    /// Its topic.
    pub topic: Topic,
    /// Its partition.
    pub shard: ShardNo,
    /// Its offset.
    pub offset: Offset,
    /// Why.
    pub reason: DeadReason,
}

/// How far one partition has been read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LagSeen {
    /// Records between the position and the end, if the end is known.
    pub records: Option<u64>,
    /// The watermark, in ms since the epoch, once there is one.
    pub watermark_ms: Option<i64>,
}

/// What is seen of one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardSeen {
    /// What it is doing.
    pub phase: ShardPhase,
    /// The instant of the last boundary closed, in ms since the epoch.
    pub boundary_ms: Option<i64>,
    /// The as-of day.
    pub as_of: Option<Day>,
    /// How far that boundary is behind the clock where another one should have closed, in ms.
    pub boundary_lag_ms: i64,
    /// The topic whose watermark holds the shard back.
    pub held_by: Topic,
    /// The number of its last alert.
    pub seq: u64,
    /// The number of its last progress record.
    pub progress: u64,
    /// Records read since it was opened.
    pub read: u64,
    /// What it holds.
    pub orders: usize,
    /// Accounts held.
    pub accounts: usize,
    /// Defects that wait for their order.
    pub orphans: usize,
    /// Records that wait for their boundary.
    pub pending: usize,
    /// Each input, in the order of [`Topic::ALL`].
    pub inputs: [LagSeen; 4],
}

/// How many accounts were in which band at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandSample<T> {
    /// When.
    pub at: T,
    /// Accounts, in the order of [`Band::ALL`].
    pub bands: [u64; 5],
}

/// One shard's part.
#[derive(Debug, Default)]
pub(super) struct ShardRows {
    pub seen: Option<ShardSeen>,
    mailbox: Option<Mailbox>,
    rows: BTreeMap<AccountNo, Arc<SellerRow>>,
    /// Bands at the end of each day, in the order of days.
    days: VecDeque<BandSample<Day>>,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub shards: BTreeMap<ShardNo, ShardRows>,
    /// Where each account is, by its name.
    places: BTreeMap<(Box<str>, Box<str>), (ShardNo, AccountNo)>,
    standing: Standing,
    alerts: VecDeque<Arc<SentAlert>>,
    alerts_total: u64,
    dead: VecDeque<DeadSeen>,
    dead_by: [[u64; DeadReason::ALL.len()]; 4],
    dead_total: u64,
    minutes: VecDeque<BandSample<i64>>,
    moves: VecDeque<(u64, Arc<SellerRow>)>,
    version: u64,
}

impl Inner {
    pub fn shard(&mut self, number: ShardNo) -> &mut ShardRows {
        self.shards.entry(number).or_default()
    }

    /// Puts an account's row in the place of the one before; none takes it away.
    pub fn set_row(&mut self, shard: ShardNo, number: AccountNo, row: Option<AccountRow>) {
        self.version += 1;
        let rows = &mut self.shards.entry(shard).or_default().rows;
        let new = row.map(|row| Arc::new(SellerRow { shard, row }));
        let old = match &new {
            Some(new) => rows.insert(number, Arc::clone(new)),
            None => rows.remove(&number),
        };
        if let Some(old) = &old {
            self.standing.count(&old.row, -1);
        }
        if let Some(new) = &new {
            self.standing.count(&new.row, 1);
        }
        if let Some(old) = &old {
            self.remove_place(old, number);
        }
        if let Some(new) = &new {
            self.places.insert(new.name(), (shard, number));
        }
        if let Some(moved) = new.or(old) {
            push(&mut self.moves, (self.version, moved), LATEST_MOVES);
        }
    }

    /// An account that was forgotten and came back has another number by now: its place stays.
    fn remove_place(&mut self, row: &SellerRow, number: AccountNo) {
        let name = row.name();
        if self.places.get(&name) == Some(&(row.shard, number)) {
            self.places.remove(&name);
        }
    }

    /// Forgets the rows of a shard.
    pub fn clear_rows(&mut self, shard: ShardNo) {
        self.version += 1;
        let rows = self.shards.get_mut(&shard).map(|held| std::mem::take(&mut held.rows));
        for (number, row) in rows.unwrap_or_default() {
            self.standing.count(&row.row, -1);
            self.remove_place(&row, number);
        }
    }

    /// Begins a shard anew: from now on its rows are those of the publisher with this mailbox.
    pub fn take_over(&mut self, shard: ShardNo, mailbox: &Mailbox) {
        self.clear_rows(shard);
        self.shard(shard).mailbox = Some(mailbox.clone());
    }

    /// Whether a shard's rows come from the publisher with this mailbox.
    pub fn is_of(&self, shard: ShardNo, mailbox: &Mailbox) -> bool {
        let owner = self.shards.get(&shard).and_then(|held| held.mailbox.as_ref());
        owner.is_some_and(|owner| owner.id == mailbox.id)
    }

    pub fn add_alert(&mut self, mut alert: SentAlert) {
        self.alerts_total += 1;
        alert.number = self.alerts_total;
        push(&mut self.alerts, Arc::new(alert), LATEST_ALERTS);
    }

    pub fn add_dead(&mut self, dead: DeadSeen) {
        self.dead_total += 1;
        self.dead_by[dead.topic.index()][dead.reason.index()] += 1;
        push(&mut self.dead, dead, LATEST_DEAD_LETTERS);
    }

    pub fn add_day(&mut self, shard: ShardNo, sample: BandSample<Day>) {
        let days = &mut self.shard(shard).days;
        // A shard that was opened again tells of its days once more.
        while days.back().is_some_and(|last| last.at >= sample.at) {
            days.pop_back();
        }
        push(days, sample, DAYS);
    }

    /// Takes a sample of the bands if the last one is a minute old.
    pub fn sample_minute(&mut self, wall_ms: i64) {
        let is_due = self.minutes.back().is_none_or(|last| wall_ms - last.at >= 60_000);
        if is_due && !self.places.is_empty() {
            let bands = self.standing.bands;
            push(&mut self.minutes, BandSample { at: wall_ms, bands }, MINUTES);
        }
    }
}

fn push<T>(ring: &mut VecDeque<T>, item: T, most: usize) {
    if ring.len() == most {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// What readers see of all shards of a process.
#[derive(Debug, Default)]
pub struct ReadModel {
    inner: Mutex<Inner>,
    listing: Mutex<Arc<Listing>>,
    /// Grows with every change that the worker tells of.
    changes: AtomicU64,
}

impl ReadModel {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }

    /// The worker's way in: nothing where a reader is inside.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Inner>> {
        self.inner.try_lock().ok()
    }

    pub(super) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A number that grows with every change.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The shards that were seen, by number.
    #[must_use]
    pub fn shards(&self) -> BTreeMap<ShardNo, ShardSeen> {
        let inner = self.lock();
        let seen = |(number, rows): (&ShardNo, &ShardRows)| Some((*number, rows.seen.clone()?));
        inner.shards.iter().filter_map(seen).collect()
    }

    /// The whole market.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.lock().standing
    }

    /// How many alerts were committed by this process.
    #[must_use]
    pub fn alerts_total(&self) -> u64 {
        self.lock().alerts_total
    }

    /// Kept alerts for which `keep` holds, newest first, at most so many, with numbers below
    /// `before` if that is given.
    #[must_use]
    pub fn alerts(
        &self,
        before: Option<u64>,
        most: usize,
        keep: impl Fn(&SentAlert) -> bool,
    ) -> Vec<Arc<SentAlert>> {
        let inner = self.lock();
        let fits = |alert: &&Arc<SentAlert>| {
            before.is_none_or(|before| alert.number < before) && keep(alert)
        };
        inner.alerts.iter().rev().filter(fits).take(most).cloned().collect()
    }

    /// Alerts with numbers above `after`, oldest first; none where some are not kept any more.
    #[must_use]
    pub fn alerts_after(&self, after: u64) -> Option<Vec<Arc<SentAlert>>> {
        let inner = self.lock();
        if after > inner.alerts_total {
            return None;
        }
        let kept_from = inner.alerts.front().map_or(inner.alerts_total, |first| first.number - 1);
        let skip = usize::try_from(after.checked_sub(kept_from)?).ok()?;
        Some(inner.alerts.iter().skip(skip).cloned().collect())
    }

    /// Kept dead letters for which `keep` holds, newest first.
    #[must_use]
    pub fn dead_letters(&self, most: usize, keep: impl Fn(&DeadSeen) -> bool) -> Vec<DeadSeen> {
        self.lock().dead.iter().rev().filter(|dead| keep(dead)).take(most).copied().collect()
    }

    /// Dead letters by topic and reason, since the process started.
    #[must_use]
    pub fn dead_counts(&self) -> [[u64; DeadReason::ALL.len()]; 4] {
        self.lock().dead_by
    }

    /// The bands a minute apart, oldest first.
    #[must_use]
    pub fn minutes(&self) -> Vec<BandSample<i64>> {
        self.lock().minutes.iter().copied().collect()
    }

    /// The bands at each day's end, over all shards that told of that day, oldest first.
    #[must_use]
    pub fn days(&self) -> Vec<BandSample<Day>> {
        let inner = self.lock();
        let mut days: BTreeMap<Day, ([u64; 5], usize)> = BTreeMap::new();
        let samples = inner.shards.values().flat_map(|rows| &rows.days);
        for sample in samples {
            let (sum, shards) = days.entry(sample.at).or_default();
            for (sum, value) in sum.iter_mut().zip(sample.bands) {
                *sum += value;
            }
            *shards += 1;
        }
        // A day of which only some shards tell would look like a fall.
        let all = inner.shards.values().filter(|rows| !rows.days.is_empty()).count();
        let told = days.into_iter().filter(|(_, (_, shards))| *shards == all);
        told.map(|(at, (bands, _))| BandSample { at, bands }).collect()
    }

    /// The names of accounts that moved after a version, and the version now; nothing where more
    /// moved than is kept.
    #[must_use]
    pub fn moved_since(&self, version: u64) -> (Option<Vec<Arc<SellerRow>>>, u64) {
        let inner = self.lock();
        let kept_from = inner.moves.front().map_or(inner.version, |(first, _)| first - 1);
        let moved = (version >= kept_from).then(|| {
            let new = inner.moves.iter().filter(|(moved_at, _)| *moved_at > version);
            new.map(|(_, row)| Arc::clone(row)).collect()
        });
        (moved, inner.version)
    }

    /// All rows by risk, at most so old in rows' changes as the last call made them. The list is
    /// made again only when rows changed since.
    #[must_use]
    pub fn listing(&self, now_ms: i64) -> Arc<Listing> {
        let mut kept = self.listing.lock().expect("no holder of this lock panics");
        if kept.is_fresh(now_ms) {
            return Arc::clone(&kept);
        }
        let (rows, version) = {
            let inner = self.lock();
            if kept.version() == inner.version {
                return Arc::clone(&kept);
            }
            let rows: Vec<Arc<SellerRow>> =
                inner.shards.values().flat_map(|shard| shard.rows.values().cloned()).collect();
            (rows, inner.version)
        };
        *kept = Arc::new(Listing::new(rows, version, now_ms));
        Arc::clone(&kept)
    }

    /// Forgets a shard that a publisher has lost, unless another one has taken it over already.
    pub(super) fn forget(&self, shard: ShardNo, mailbox: &Mailbox) {
        let mut inner = self.lock();
        let held = inner.shards.get(&shard);
        if held.is_some_and(|held| held.mailbox.is_none()) || inner.is_of(shard, mailbox) {
            inner.clear_rows(shard);
            inner.shards.remove(&shard);
        }
    }

    /// Asks the worker that has an account for all of it.
    ///
    /// # Errors
    /// No shard here holds it, or the worker cannot take the question.
    pub fn ask(&self, inquiry: Inquiry) -> Result<(), NotAsked> {
        let mailbox = {
            let inner = self.lock();
            let name: (Box<str>, Box<str>) =
                (inquiry.seller_id.as_str().into(), inquiry.marketplace_id.as_str().into());
            let (shard, _) = inner.places.get(&name).ok_or(NotAsked::Unknown)?;
            inner.shards[shard].mailbox.clone().ok_or(NotAsked::Gone)?
        };
        mailbox.send(inquiry)
    }
}
