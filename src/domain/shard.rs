//! One shard: records in, boundaries closed, effects out. The only mutator of the core.
//!
//! ```text
//! accept / accept_dead / accept_tombstone ──> Inbox ──(all watermarks ≥ kΔ)──> close(k):
//!     slide ─> merge the four segments ─> evaluate touched accounts ─> cycle ─> start ─> status
//!                                                                               └──> Effects
//! ```
//!
//! Invariants:
//! - I-18: boundaries close in ascending order, each once.
//! - I-19: `seq` is 1, 2, 3, ... without gap or repeat.
//! - I-20: every record accepted is counted in exactly one outcome when its boundary closes.
//!
//! Absent on purpose: clock, IO, Kafka, logging. The same records and decisions give the same
//! effects, on every machine, whatever the hash seed.

use super::ahead::LookAhead;
use super::alerts::status::StatusSlots;
use super::book::Book;
use super::boundary::{Inbox, Position, SellerNo, Waiting};
use super::effects::{Digest, Effects};
use super::event::{DeadReason, Event, Outcome, Topic};
use super::ids::{NextOffset, Offset, ShardNo};
use super::names::Sought;
use super::note::{Note, NotedAt};
use super::policy::Policy;
use super::time::{Boundary, BoundaryLength, Day, RecordTime};

/// Limits of one shard. At a limit the shard stops loudly; it never evicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders held.
    pub orders: usize,
    /// Defects that wait for their order.
    pub orphans: usize,
    /// Records that wait for their boundary.
    pub pending: usize,
    /// Accounts and sellers; below 2^24.
    pub accounts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { orders: 1 << 31, orphans: 1 << 26, pending: 1 << 23, accounts: MAX_ACCOUNTS }
    }
}

/// The most accounts that a shard can number.
pub const MAX_ACCOUNTS: usize = (1 << super::orders::ACCOUNT_BITS) - 1;

/// A limit that was reached: the shard must not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitReached {
    /// The configuration key of the limit.
    pub key: &'static str,
    /// The limit.
    pub limit: usize,
}

/// From when on a shard alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertingStart {
    /// From the first boundary, each as it comes.
    Earliest,
    /// At the first boundary at or after this instant (ms since the epoch).
    Time(i64),
    /// At the boundary that [`Shard::start_alerting`] names.
    Decided,
}

/// What a shard is made of.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Its number.
    pub shard: ShardNo,
    /// What counts and when it alerts.
    pub policy: Policy,
    /// The length of the interval between boundaries.
    pub length: BoundaryLength,
    /// Whole days after a boundary's as-of day that a purchase may lie on (>= 2).
    pub future_days: u32,
    /// When it stops loudly.
    pub limits: Limits,
    /// From when on it alerts.
    pub start: AlertingStart,
    /// Whether status records are wanted.
    pub statuses: bool,
    /// Whether matters, quotes and endings are wanted (see [`super::care`]).
    pub matters: bool,
    /// Varies hashes, not results.
    pub hash_seed: u64,
    /// The offsets that reading begins at, in the order of [`Topic::ALL`].
    pub first: [NextOffset; 4],
}

/// Whether the shard alerts yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alerting {
    /// Not before this boundary; `None` until it is decided.
    Waiting(Option<Boundary>),
    On,
}

pub use super::tell::Held;

/// A shard.
#[derive(Clone, Debug)]
pub struct Shard {
    pub(crate) shard: ShardNo,
    pub(crate) length: BoundaryLength,
    pub(crate) limits: Limits,
    pub(crate) statuses: bool,
    pub(crate) inbox: Inbox,
    pub(crate) book: Book,
    pub(crate) closed: Option<Boundary>,
    pub(crate) alerting: Alerting,
    pub(crate) seq: u64,
    /// First and last day of the cycle that closed last.
    pub(crate) last_cycle: Option<(Day, Day)>,
    pub(crate) slots: StatusSlots,
    /// Accounts whose status record is due, each once.
    pub(crate) due: Vec<super::window::AccountNo>,
    pub(crate) digest: Digest,
    pub(crate) digest_buffer: Vec<u8>,
    pub(crate) moved: super::look::Moved,
    ahead: LookAhead,
    unnamed: Vec<Unnamed>,
}

/// A record that waits and whose seller's number is not known yet: none is taken out before it is.
#[derive(Clone, Debug)]
struct Unnamed {
    topic: Topic,
    /// Its place among those that wait.
    place: usize,
    sought: Sought,
}

/// How many sellers are looked up together.
const NAMED_TOGETHER: usize = 32;

/// Stands in for a seller's number for that long.
const UNKNOWN: SellerNo = SellerNo(u32::MAX);

impl Shard {
    /// A shard that knows nothing.
    ///
    /// # Panics
    /// If the policy has problems, or a limit or the future is out of range: the configuration
    /// refuses these.
    #[must_use]
    pub fn new(config: ShardConfig) -> Self {
        let problems = config.policy.problems();
        assert!(problems.is_empty(), "an unchecked policy reached the core: {problems:?}");
        assert!(config.limits.accounts <= MAX_ACCOUNTS, "at most {MAX_ACCOUNTS} accounts");
        assert!(config.future_days >= 2, "a purchase may lie on the day after tomorrow");
        let alerting = match config.start {
            AlertingStart::Earliest => Alerting::On,
            AlertingStart::Time(ms) => {
                Alerting::Waiting(Some(Boundary::at_or_after(ms, config.length)))
            }
            AlertingStart::Decided => Alerting::Waiting(None),
        };
        Self {
            shard: config.shard,
            length: config.length,
            limits: config.limits,
            statuses: config.statuses,
            inbox: Inbox::new(config.length, config.first),
            book: Book::new(config.policy, config.future_days, config.hash_seed, config.matters),
            closed: None,
            alerting,
            seq: 0,
            last_cycle: None,
            slots: StatusSlots::new(config.length),
            due: Vec::new(),
            digest: Digest::default(),
            digest_buffer: Vec::new(),
            moved: super::look::Moved::default(),
            ahead: LookAhead::default(),
            unnamed: Vec::new(),
        }
    }

    /// Takes in a decoded event.
    ///
    /// # Errors
    /// The limit on pending records, accounts or sellers is reached.
    pub fn accept(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: RecordTime,
        event: &Event<'_>,
    ) -> Result<(), LimitReached> {
        self.accept_noted(topic, offset, time, event, None)
    }

    /// Takes in a decoded event with a note on it, which is kept with a defect's fact.
    ///
    /// # Errors
    /// As [`Shard::accept`].
    pub fn accept_noted(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: RecordTime,
        event: &Event<'_>,
        note: Option<Note>,
    ) -> Result<(), LimitReached> {
        let accounts = &mut self.book.accounts;
        let texts = self.inbox.texts_mut(topic);
        let (seller, waiting) = match event {
            Event::Order(order) => {
                let marketplace = accounts.marketplace(order.marketplace);
                (order.seller, Waiting::order(UNKNOWN, marketplace, order, texts))
            }
            Event::Defect(defect) => {
                let noted = note.map(|note| Box::new(NotedAt { note, offset }));
                (defect.seller, Waiting::defect(UNKNOWN, defect, noted, texts))
            }
        };
        let place = self.inbox.placed_of(topic);
        self.unnamed.push(Unnamed { topic, place, sought: accounts.seek_seller(seller) });
        self.push(topic, offset, Some(time), waiting)?;
        if self.unnamed.len() == NAMED_TOGETHER {
            self.name_sellers();
        }
        Ok(())
    }

    /// Gives the records that came lately the numbers of their sellers, all together: the lookups
    /// of many overlap.
    fn name_sellers(&mut self) {
        for Unnamed { topic, place, sought } in self.unnamed.drain(..) {
            let seller = self.book.accounts.seller(&sought);
            self.inbox.set_seller(topic, place, seller);
        }
    }

    /// Takes in a record that became a dead letter.
    ///
    /// # Errors
    /// The limit on pending records is reached.
    pub fn accept_dead(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: Option<RecordTime>,
        reason: DeadReason,
    ) -> Result<(), LimitReached> {
        self.push(topic, offset, time, Waiting::Dead(offset, reason))
    }

    /// Takes in a record without a value.
    ///
    /// # Errors
    /// The limit on pending records is reached.
    pub fn accept_tombstone(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: Option<RecordTime>,
    ) -> Result<(), LimitReached> {
        self.push(topic, offset, time, Waiting::Tombstone)
    }

    fn push(
        &mut self,
        topic: Topic,
        offset: Offset,
        time: Option<RecordTime>,
        waiting: Waiting,
    ) -> Result<(), LimitReached> {
        self.inbox.push(topic, offset, time, waiting);
        check("max_pending_records", self.inbox.waiting_records(), self.limits.pending)?;
        check("max_accounts", self.book.accounts.numbers(), self.limits.accounts)
    }

    /// Applies a recorded or fresh decision: the partition's watermark becomes the boundary's
    /// instant at this position.
    pub fn raise(&mut self, topic: Topic, next: NextOffset, boundary: Boundary) {
        self.inbox.raise(topic, next, boundary);
    }

    /// Says that a partition has no more records.
    pub fn finish(&mut self, topic: Topic) {
        self.inbox.finish(topic);
    }

    /// Decides at which boundary alerting begins. Has no effect once it began.
    pub fn start_alerting(&mut self, boundary: Boundary) {
        if self.alerting != Alerting::On {
            self.alerting = Alerting::Waiting(Some(boundary));
        }
    }

    /// Whether it was not decided yet at which boundary alerting begins.
    #[must_use]
    pub fn awaits_start(&self) -> bool {
        self.alerting == Alerting::Waiting(None)
    }

    /// The first boundary after the closed ones that would have an effect: a record waits for it,
    /// a day or a cycle ends, alerting begins, or a status record is due.
    #[must_use]
    pub fn next_effect(&self) -> Option<Boundary> {
        let waiting = self.inbox.first_waiting();
        let Some(closed) = self.closed else { return waiting };
        let as_of = self.book.as_of?;
        let day_end = self.book.policy.time_zone.end_of_from(as_of, closed.ms(self.length));
        let slide = Boundary::of_watermark(RecordTime::from_ms(day_end), self.length);
        let cycle = Boundary::at_or_after(self.cycle_end(as_of), self.length);
        let cycle = Some(cycle).filter(|boundary| *boundary > closed);
        let start = match self.alerting {
            Alerting::Waiting(start) => start.filter(|boundary| *boundary > closed),
            Alerting::On => None,
        };
        let status = self.slots.next_due(closed);
        [waiting, Some(slide), cycle, start, status].into_iter().flatten().min()
    }

    /// The instant, in ms, at which the cycle of a day ends: the first one after its last day, even
    /// where the zone left that day out.
    pub(crate) fn cycle_end(&self, day: Day) -> i64 {
        let policy = &self.book.policy;
        policy.time_zone.end_of(policy.cycle_days_of(day).1)
    }

    /// The next boundary that can close: it has an effect and all watermarks have reached it.
    #[must_use]
    pub fn next_closable(&self) -> Option<Boundary> {
        self.next_effect().filter(|boundary| self.inbox.can_close(*boundary))
    }

    /// Closes a boundary; the effects are added to `effects`.
    ///
    /// # Errors
    /// A limit is reached; the shard must not go on.
    ///
    /// # Panics
    /// If an invariant is broken, among others if the boundary is not after the closed ones (I-18).
    pub fn close(&mut self, boundary: Boundary, effects: &mut Effects) -> Result<(), LimitReached> {
        assert!(self.closed.is_none_or(|closed| closed < boundary), "I-18: boundaries ascend");
        self.name_sellers();
        let instant = boundary.ms(self.length);
        let day = Day::of(instant - 1, &self.book.policy.time_zone);
        let as_of = self.book.as_of.map_or(day, |as_of| as_of.max(day));
        self.book.begin(boundary, as_of, instant);
        let merged = self.merge(boundary, effects);
        check("max_orders", self.book.orders.len(), self.limits.orders)?;
        check("max_orphans", self.book.defects.orphans(), self.limits.orphans)?;
        check("max_accounts", self.book.accounts.numbers(), self.limits.accounts)?;
        self.closed = Some(boundary);
        let alerts_before = effects.alerts.len();
        let evaluated = self.evaluate(boundary, effects);
        self.extend_digest(boundary, merged, &evaluated, &effects.alerts[alerts_before..]);
        self.note_moved(&evaluated);
        // The memory serves the next boundary.
        self.book.touched = evaluated;
        self.forget_empty_accounts(effects);
        effects.closed += 1;
        Ok(())
    }

    /// Closes every boundary with an effect up to `last`, whatever the watermarks say, as the end
    /// of a bounded replay or of a restore does.
    ///
    /// # Errors
    /// A limit is reached; the shard must not go on.
    pub fn close_through(
        &mut self,
        last: Boundary,
        effects: &mut Effects,
    ) -> Result<(), LimitReached> {
        while let Some(next) = self.next_effect().filter(|next| *next <= last) {
            self.close(next, effects)?;
        }
        Ok(())
    }

    /// Merges the four segments of a boundary; returns the number of records.
    fn merge(&mut self, boundary: Boundary, effects: &mut Effects) -> usize {
        let records = Topic::ALL.map(|topic| self.inbox.open_segment(topic, boundary));
        let mut left = records;
        for topic in Topic::ALL {
            while left[topic.index()] > 0 {
                self.ahead.step(topic, &self.inbox, &self.book, left);
                left[topic.index()] -= 1;
                // I-20: one record, one outcome.
                let record = self.inbox.pop(topic);
                let texts = self.inbox.texts(topic);
                let outcome = match record {
                    Waiting::Order(order) => self.book.merge_order(&order, texts),
                    Waiting::Defect(defect) => self.book.merge_defect(&defect, texts),
                    Waiting::Tombstone => Outcome::Tombstone,
                    Waiting::Dead(offset, reason) => {
                        effects.outcomes.count_dead(topic, reason);
                        effects.dead.push(super::effects::DeadLetter { topic, offset, reason });
                        continue;
                    }
                };
                effects.outcomes.count(topic, outcome);
            }
        }
        records.iter().sum()
    }

    /// Forgets what waits, as a restart does: reading goes on at the closed positions.
    pub fn rewind(&mut self) {
        self.ahead = LookAhead::default();
        self.unnamed.clear();
        self.inbox.rewind();
    }

    /// The shard's number.
    #[must_use]
    pub const fn number(&self) -> ShardNo {
        self.shard
    }

    /// The length of the interval between boundaries.
    #[must_use]
    pub const fn length(&self) -> BoundaryLength {
        self.length
    }

    /// The last boundary closed.
    #[must_use]
    pub const fn closed(&self) -> Option<Boundary> {
        self.closed
    }

    /// The as-of day of the last boundary closed.
    #[must_use]
    pub const fn as_of(&self) -> Option<Day> {
        self.book.as_of
    }

    /// The number of the last alert.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The chained digest up to the last boundary closed.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether alerting has begun.
    #[must_use]
    pub fn is_alerting(&self) -> bool {
        self.alerting == Alerting::On
    }

    /// The watermarks, segments and pending records.
    #[must_use]
    pub const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Where the closed parts of the four partitions end.
    #[must_use]
    pub fn positions(&self) -> [Position; 4] {
        Topic::ALL.map(|topic| self.inbox.closed(topic))
    }
}

fn check(key: &'static str, held: usize, limit: usize) -> Result<(), LimitReached> {
    if held > limit { Err(LimitReached { key, limit }) } else { Ok(()) }
}
