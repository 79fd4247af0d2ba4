//! What a shard shows of its accounts to those who only look: rows of a list, and one account in
//! full. Reads only, but for the list of the accounts that a reader has not seen since they moved.
//!
//! Invariant: every number comes from the same buckets and totals as the alerts; nothing is
//! counted twice in another way.

use super::alerts::explain::{coming, recovers_on};
use super::alerts::levels::threshold_of;
use super::book::Book;
use super::boundary::SellerNo;
use super::care::Gain;
use super::defects::Defect;
use super::effects::{AlertKind, Counts, minus, plus};
use super::event::{Channel, DefectFact, FeedbackStatus};
use super::note::Note;
use super::orders::OrderKey;
use super::policy::{Counting, Policy, Scope, View};
use super::rate::{Headroom, Rate};
use super::risk::Band;
use super::shard::Shard;
use super::time::{Day, EventTime};
use super::window::{Account, AccountNo};

/// The most defects that an account shows.
pub const SHOWN_DEFECTS: usize = 500;

/// The most cycles that an account shows.
const SHOWN_CYCLES: u32 = 12;

/// One account as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    /// The seller.
    pub seller_id: Box<str>,
    /// The marketplace, `""` where none is stated.
    pub marketplace_id: Box<str>,
    /// Where its rate stands.
    pub band: Band,
    /// The totals by view (outer) and channel (inner).
    pub totals: [[Counts; 2]; 2],
    /// Room left before a warning, over all orders of the live view.
    pub headroom: Headroom,
    /// Whether one defect alone is above the warning's threshold.
    pub low_volume: bool,
    /// If it is above the warning's threshold: the day on which it recovers by itself.
    pub recovers_on: Option<Day>,
    /// Which kinds of alerts are up in any scope and view, in the order of [`AlertKind::ALL`].
    pub active: [bool; 3],
    /// The longest running streak of bad cycles.
    pub streak: u32,
    /// The live rate as of each of the last days, as known now, oldest first.
    pub trend: Box<[Rate]>,
}

impl AccountRow {
    /// The totals of all orders in a view.
    #[must_use]
    pub fn all(&self, view: View) -> Counts {
        let [mfn, afn] = &self.totals[view.index()];
        plus(mfn, afn)
    }
}

/// The numbers of one day, by channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCounts {
    /// The day.
    pub day: Day,
    /// Its orders, by channel in the order of [`Channel::ALL`].
    pub counts: [Counts; 2],
}

impl DayCounts {
    /// The numbers of both channels.
    #[must_use]
    pub fn all(&self) -> Counts {
        let [mfn, afn] = &self.counts;
        plus(mfn, afn)
    }
}

/// One alert level of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelLook {
    /// The kind.
    pub kind: AlertKind,
    /// Over which orders.
    pub scope: Scope,
    /// Over which days.
    pub view: View,
    /// The threshold to raise and to clear, in basis points, and the least defective orders.
    pub threshold: super::policy::Threshold,
    /// Whether it is up.
    pub is_up: bool,
    /// Room left before it.
    pub headroom: Headroom,
    /// If its condition holds: the day on which it no longer does, if nothing more happens.
    pub recovers_on: Option<Day>,
    /// Consecutive bad cycles.
    pub streak: u32,
}

/// A cycle whose verdict is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CycleLook {
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub to: Day,
    /// The live rate as of its last day, as known now; none where too much has been forgotten.
    pub rate: Option<Rate>,
    /// Whether it was bad when it was judged.
    pub is_bad: bool,
    /// The streak with it.
    pub streak: u32,
}

/// One fact about an order that is, was, or may become a defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefectLook {
    /// The order.
    pub order_id: Box<str>,
    /// The claim's or chargeback's own id.
    pub reference: Option<Box<str>>,
    /// The order's purchase day.
    pub purchase_day: Day,
    /// The order's channel.
    pub channel: Channel,
    /// Whether and how it counts.
    pub counting: Counting,
    /// The newest fact.
    pub fact: DefectFact,
    /// When that happened.
    pub event_time: EventTime,
    /// The earliest event of it that is known.
    pub opened: EventTime,
    /// Whether the order was shipped with Buy Shipping, where stated.
    pub buy_shipping: Option<bool>,
    /// Whether the order was shipped on time, where stated.
    pub shipped_on_time: Option<bool>,
    /// What was found in the comment of a negative feedback, if it was read.
    pub note: Option<Note>,
    /// What each view would gain without it, in the order of [`View::ALL`]; none where it does
    /// not count.
    pub gains: Option<[Gain; 2]>,
}

/// One account in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountLook {
    /// As a list shows it.
    pub row: AccountRow,
    /// The as-of day.
    pub as_of: Day,
    /// The instant of the last boundary closed, in ms since the epoch.
    pub boundary_ms: i64,
    /// The smallest purchase day merged in the shard and not expired.
    pub covered_from: Option<Day>,
    /// First and last day of each view.
    pub windows: [(Day, Day); 2],
    /// The levels that the policy names.
    pub levels: Vec<LevelLook>,
    /// The days from the horizon to the as-of day, oldest first.
    pub days: Vec<DayCounts>,
    /// The live totals as of each of the last days, as known now, oldest first, with today.
    pub rolling: Vec<(Day, Counts)>,
    /// The live totals as of each coming day, if nothing more happens.
    pub forecast: Vec<(Day, Counts)>,
    /// First and last day of the present cycle, and the instant at which it is judged, in ms.
    pub cycle: (Day, Day, i64),
    /// Cycles over all orders of the live view whose verdict is known, newest first.
    pub cycles: Vec<CycleLook>,
    /// Facts about its orders, newest first, at most [`SHOWN_DEFECTS`].
    pub defects: Vec<DefectLook>,
    /// How many there are.
    pub defects_total: usize,
}

/// The accounts that moved since a reader took them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moved {
    /// Nobody reads: nothing is noted.
    is_watched: bool,
    /// In the order in which they moved first.
    waiting: std::collections::VecDeque<AccountNo>,
    /// Which are waiting, one bit each.
    marks: Vec<u64>,
    /// The day and the cycle of the last boundary that was noted.
    last: Option<(Day, Option<(Day, Day)>)>,
}

impl Moved {
    fn note(&mut self, number: AccountNo) {
        let (word, bit) = (number.index() / 64, 1 << (number.index() % 64));
        if self.marks.len() <= word {
            self.marks.resize(word + 1, 0);
        }
        if self.marks[word] & bit == 0 {
            self.marks[word] |= bit;
            self.waiting.push_back(number);
        }
    }

    fn take(&mut self) -> Option<AccountNo> {
        let number = self.waiting.pop_front()?;
        self.marks[number.index() / 64] &= !(1 << (number.index() % 64));
        Some(number)
    }
}

impl Shard {
    /// Begins to note which accounts move; all that are held count as moved.
    pub fn watch(&mut self) {
        self.moved = Moved { is_watched: true, ..Moved::default() };
        self.note_all();
    }

    /// Whether moves are noted.
    #[must_use]
    pub const fn is_watched(&self) -> bool {
        self.moved.is_watched
    }

    fn note_all(&mut self) {
        for (number, _) in self.book.accounts.iter() {
            self.moved.note(number);
        }
    }

    /// Notes the accounts that a boundary evaluated.
    pub(crate) fn note_moved(&mut self, evaluated: &[AccountNo]) {
        if !self.moved.is_watched {
            return;
        }
        let now = self.as_of().map(|as_of| (as_of, self.last_cycle));
        if self.moved.last == now {
            for number in evaluated {
                self.moved.note(*number);
            }
        } else {
            // A new day moves every account's trend, a cycle's verdict any account's streak.
            self.moved.last = now;
            self.note_all();
        }
    }

    /// Notes an account that is about to be forgotten.
    pub(crate) fn note_forgotten(&mut self, number: AccountNo) {
        if self.moved.is_watched {
            self.moved.note(number);
        }
    }

    /// Takes an account that moved, and how it is now; no row where it was forgotten.
    pub fn take_moved(&mut self) -> Option<(AccountNo, Option<AccountRow>)> {
        let number = self.moved.take()?;
        let book = &self.book;
        let row = |account| row(book, number, &rolling(book, account));
        Some((number, book.accounts.try_get(number).map(row)))
    }

    /// One account in full; none if it is not held or no boundary has closed.
    #[must_use]
    pub fn look(&self, seller_id: &str, marketplace_id: &str) -> Option<AccountLook> {
        let boundary_ms = self.closed()?.ms(self.length());
        let book = &self.book;
        let number = book.accounts.find(seller_id, marketplace_id)?;
        let account = book.accounts.get(number);
        let (policy, as_of) = (&book.policy, book.calendar().as_of);
        let rolling = rolling(book, account);
        let window = usize::try_from(policy.window_days).expect("a window of few days");
        let (defects, defects_total) = defects(book, number);
        let (from, to) = policy.cycle_days_of(as_of);
        Some(AccountLook {
            row: row(book, number, &rolling),
            as_of,
            boundary_ms,
            covered_from: book.covered_from,
            windows: View::ALL.map(|view| policy.view_days(view, as_of)),
            levels: levels(book, account),
            days: days(policy.horizon(as_of), as_of)
                .map(|day| DayCounts { day, counts: by_channel(book, account, day) })
                .collect(),
            forecast: coming(book, account, (Scope::All, View::Live)).take(window).collect(),
            cycle: (from, to, self.cycle_end(as_of)),
            cycles: cycles(policy, account, as_of, &rolling),
            rolling,
            defects,
            defects_total,
        })
    }
}

fn row(book: &Book, number: AccountNo, rolling: &[(Day, Counts)]) -> AccountRow {
    let account = book.accounts.get(number);
    let policy = &book.policy;
    let (seller_id, marketplace_id) = book.accounts.name(number);
    let rate = account.counts(View::Live, Scope::All).rate();
    let warning = policy.warning;
    let active = AlertKind::ALL
        .map(|kind| policy.subjects().any(|(scope, view)| account.levels.is_up(kind, scope, view)));
    AccountRow {
        seller_id: seller_id.into(),
        marketplace_id: marketplace_id.into(),
        band: Band::of(rate, policy),
        totals: *account.totals(),
        headroom: rate.headroom(warning.raise_bp, warning.min_defects),
        low_volume: rate.is_low_volume(warning.raise_bp),
        recovers_on: recovers_on(book, account, AlertKind::Warning, (Scope::All, View::Live)),
        active,
        streak: policy
            .subjects()
            .map(|(scope, view)| account.levels.streak(scope, view))
            .max()
            .unwrap_or(0),
        trend: rolling.iter().map(|(_, counts)| counts.rate()).collect(),
    }
}

fn levels(book: &Book, account: &Account) -> Vec<LevelLook> {
    let policy = &book.policy;
    let of = |kind: AlertKind| {
        policy.subjects().map(move |(scope, view)| {
            let threshold = threshold_of(kind, policy);
            let rate = account.counts(view, scope).rate();
            LevelLook {
                kind,
                scope,
                view,
                threshold,
                is_up: account.levels.is_up(kind, scope, view),
                headroom: rate.headroom(threshold.raise_bp, threshold.min_defects),
                recovers_on: recovers_on(book, account, kind, (scope, view)),
                streak: account.levels.streak(scope, view),
            }
        })
    };
    AlertKind::ALL.into_iter().flat_map(of).collect()
}

fn by_channel(book: &Book, account: &Account, day: Day) -> [Counts; 2] {
    [Scope::Mfn, Scope::Afn].map(|scope| account.day(book.shape, day, scope))
}

fn days(from: Day, to: Day) -> impl Iterator<Item = Day> {
    (from.number()..=to.number()).map(Day::from_number)
}

/// The live totals as of the last days, as known now: as far back as all their days are held.
fn rolling(book: &Book, account: &Account) -> Vec<(Day, Counts)> {
    let (policy, as_of) = (&book.policy, book.calendar().as_of);
    let horizon = policy.horizon(as_of);
    let mut counts = account.counts(View::Live, Scope::All);
    let mut day = as_of;
    let mut rolling = vec![(day, counts)];
    loop {
        let (first, last) = policy.view_days(View::Live, day);
        let enters = first.plus(-1);
        if enters < horizon {
            break;
        }
        counts = minus(&counts, &account.day(book.shape, last, Scope::All));
        counts = plus(&counts, &account.day(book.shape, enters, Scope::All));
        day = day.plus(-1);
        rolling.push((day, counts));
    }
    rolling.reverse();
    rolling
}

/// The cycles whose verdict the streak tells: as many bad ones as it is long, and the good one
/// before them.
fn cycles(
    policy: &Policy,
    account: &Account,
    as_of: Day,
    rolling: &[(Day, Counts)],
) -> Vec<CycleLook> {
    let streak = account.levels.streak(Scope::All, View::Live);
    let mut last = policy.cycle_days_of(as_of).0.plus(-1);
    let mut cycles = Vec::new();
    for past in 0..streak.min(SHOWN_CYCLES) {
        let (from, to) = policy.cycle_days_of(last);
        let known = rolling.iter().find(|(day, _)| *day == to);
        cycles.push(CycleLook {
            from,
            to,
            rate: known.map(|(_, counts)| counts.rate()),
            is_bad: true,
            streak: streak - past,
        });
        last = from.plus(-1);
    }
    cycles
}

/// Whether a fact is shown: it is, was or may become a defect. Good feedback never was one.
fn is_shown(defect: &Defect, policy: &Policy) -> bool {
    match defect.fact {
        DefectFact::Feedback { status, rating } => {
            rating <= policy.negative_rating_max || status != FeedbackStatus::Posted
        }
        _ => true,
    }
}

fn defects(book: &Book, number: AccountNo) -> (Vec<DefectLook>, usize) {
    let account = book.accounts.get(number);
    let mut shown = Vec::new();
    let mut total = 0;
    for (_, key) in account.with_defects.newest_first() {
        push_order(book, number, account.seller, key, (&mut shown, &mut total));
    }
    shown.sort_by_key(|defect| std::cmp::Reverse(defect.event_time));
    (shown, total)
}

fn push_order(
    book: &Book,
    number: AccountNo,
    seller: SellerNo,
    key: OrderKey,
    (shown, total): (&mut Vec<DefectLook>, &mut usize),
) {
    let held = book.orders.find(book.orders.hash(key), key, |account| account == number);
    let (Some(order), Some(set)) = (held, book.defects.get(seller, key)) else { return };
    let contribution = book.contribution(key, seller, &order);
    let account = book.accounts.get(number);
    for defect in set.iter().filter(|defect| is_shown(defect, &book.policy)) {
        *total += 1;
        if shown.len() == SHOWN_DEFECTS {
            continue;
        }
        let counting = match &contribution {
            Some(_) => book.policy.counts_defect(&defect.fact),
            None => Counting::No,
        };
        let counted = contribution.as_ref().filter(|_| counting != Counting::No);
        shown.push(DefectLook {
            order_id: book.order_text(key),
            reference: defect.reference.as_ref().map(|text| text.as_str().into()),
            purchase_day: Day::of(order.purchase_time.ms(), &book.policy.time_zone),
            channel: order.stated.channel,
            counting,
            fact: defect.fact,
            event_time: defect.event_time,
            opened: defect.opened,
            buy_shipping: order.stated.buy_shipping,
            shipped_on_time: order.stated.shipped_on_time,
            note: defect.note.clone(),
            gains: counted.map(|order| book.gains(account, order, set, defect)),
        });
    }
}
