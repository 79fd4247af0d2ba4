//! The demo's market: sellers with a story over 90 days of history, and live from then on.
//!
//! [`Market`] is an iterator over the history in record-time order; [`Market::live`] goes on from
//! its end. Invariants: the same seed and times give the same records; record times never go back
//! and never lie after the instant that was given in; each account's own count is kept by plain
//! arithmetic ([`Market::totals`]). Absent on purpose: a clock, and an end of the live market.
//!
//! Reading order: `cast` (who, and what they go through), `account` (one of them), here (all of
//! them, and the live direction), `clutter` (bad records), `comments`.

mod account;
mod cast;
mod clutter;
mod comments;
#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::account::{Account, Pace, Planned, What};
pub use self::cast::{Role, Story};
use super::SimRecord;
use super::facts::{Body, Head, render};
use super::random::Random;
use crate::domain::time::DAY_MS;

/// Days of history that the stories need.
pub const HISTORY_DAYS: i64 = 90;

/// The grain of the live market.
const STEP_MS: i64 = 250;
/// The pace of the live market unless another one is set, in records a second, about.
pub const RECORDS_PER_SECOND: u32 = 40;
/// Orders of one step, and the records a second that they come to: an order brings about 3.3
/// records with it.
const ORDERS_PER_STEP: (u32, u32) = (3, 40);
/// The live market never makes up for more than this in one call.
const MOST_BEHIND_MS: i64 = 60_000;
/// Bad records in the history.
const BAD_RECORDS: usize = 40;

/// A record that is due, before it is rendered.
#[derive(Clone, Copy, Debug)]
struct Due {
    at_ms: i64,
    account: usize,
    number: u64,
    /// `None` is a bad record.
    planned: Option<Planned>,
}

/// What the live direction makes an account do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Gets defects until it is above 1 %.
    Cross,
    /// Is put right until it is well below.
    Clear,
}

/// A synthetic market.
#[derive(Debug)]
pub struct Market {
    accounts: Vec<Account>,
    history: std::vec::IntoIter<Due>,
    random: Random,
    live_ms: i64,
    records_per_second: u32,
    /// What is left over from earlier steps, in parts of an order.
    orders_owed: u32,
    steps: u64,
    /// By instant, then order of planning.
    script: BTreeMap<(i64, u64), (usize, Act)>,
    turns: u64,
}

impl Market {
    /// A market of so many sellers whose history runs from `start_ms` to `now_ms`. The stories are
    /// told in full when these are [`HISTORY_DAYS`] apart and there are 10 sellers or more.
    #[must_use]
    pub fn new(seed: u64, sellers: usize, start_ms: i64, now_ms: i64) -> Self {
        assert!(start_ms < now_ms, "a history ends later than it starts");
        let mut random = Random::new(seed);
        let today = now_ms.div_euclid(DAY_MS);
        let mut accounts: Vec<Account> = cast::cast(sellers, &mut random)
            .into_iter()
            .map(|role| Account::new(role, today, Random::new(random.next_u64())))
            .collect();
        let mut due = Vec::new();
        for (index, account) in accounts.iter_mut().enumerate() {
            tell_history(index, account, start_ms, now_ms, &mut due);
        }
        if !accounts.is_empty() {
            for number in 0..BAD_RECORDS {
                due.push(Due {
                    at_ms: random.between(start_ms, now_ms),
                    account: random.index(accounts.len()),
                    number: u64::try_from(number).expect("a few"),
                    planned: None,
                });
            }
        }
        due.sort_unstable_by_key(|of| (of.at_ms, of.account, of.number, of.planned.is_none()));
        let mut market = Self {
            accounts,
            history: due.into_iter(),
            random,
            live_ms: now_ms,
            records_per_second: RECORDS_PER_SECOND,
            orders_owed: 0,
            steps: 0,
            script: BTreeMap::new(),
            turns: 0,
        };
        market.write_first_scenes();
        market
    }

    /// All accounts, the ones with a story first.
    pub fn cast(&self) -> impl Iterator<Item = &Role> {
        self.accounts.iter().map(|account| &account.role)
    }

    /// How many records of the history are still to come.
    #[must_use]
    pub fn history_left(&self) -> usize {
        self.history.len()
    }

    /// Orders and defective orders of an account (by its place in [`Self::cast`]) in the 60 days
    /// that end on the day of an instant, as the market counts them: of the whole history, and of
    /// what [`Self::live`] has handed over.
    #[must_use]
    pub fn totals(&self, account: usize, at_ms: i64) -> (u64, u64) {
        self.accounts[account].totals(at_ms.div_euclid(DAY_MS))
    }

    /// Sets the pace of the live market, in records a second, about.
    pub fn set_pace(&mut self, records_per_second: u32) {
        self.records_per_second = records_per_second;
    }

    /// Lets the live market sleep until an instant: [`Self::live`] goes on from there, and what
    /// was about to happen is late by as much.
    pub fn sleep_until(&mut self, now_ms: i64) {
        let slept_ms = now_ms.saturating_sub(self.live_ms).max(0);
        self.live_ms += slept_ms;
        let script = std::mem::take(&mut self.script).into_iter();
        self.script = script.map(|((at, turn), act)| ((at + slept_ms, turn), act)).collect();
    }

    /// What happens between the last call (at first: the end of the history) and now, in
    /// record-time order. After a long pause, only the last minute is told.
    pub fn live(&mut self, now_ms: i64) -> Vec<SimRecord> {
        self.live_ms = self.live_ms.max(now_ms - MOST_BEHIND_MS);
        let mut records = Vec::new();
        while self.live_ms + STEP_MS <= now_ms {
            self.live_ms += STEP_MS;
            self.step(self.live_ms);
            self.hand_over(&mut records);
        }
        records
    }

    fn write_first_scenes(&mut self) {
        for (story, after_ms, act) in
            [(Story::Edge, 12_000, Act::Cross), (Story::Clearing, 25_000, Act::Clear)]
        {
            let is_it = |account: &Account| account.role.story == story;
            if let Some(index) = self.accounts.iter().position(is_it) {
                self.direct(self.live_ms + after_ms, index, act);
            }
        }
    }

    fn direct(&mut self, at_ms: i64, account: usize, act: Act) {
        self.turns += 1;
        self.script.insert((at_ms, self.turns), (account, act));
    }

    /// One step of the live market: who buys, who praises, whose turn it is.
    fn step(&mut self, at_ms: i64) {
        if self.accounts.is_empty() {
            return;
        }
        self.steps += 1;
        let (orders, records) = ORDERS_PER_STEP;
        self.orders_owed += orders * self.records_per_second;
        while self.orders_owed >= records {
            self.orders_owed -= records;
            let buyer_at = self.draw_account();
            self.accounts[buyer_at].buy(at_ms, Pace::Live);
        }
        if self.random.chance(500_000) {
            let praised = self.draw_account();
            self.accounts[praised].praise(at_ms);
        }
        if self.steps.is_multiple_of(8) {
            self.keep_quiet_rate(at_ms);
        }
        if self.steps.is_multiple_of(240) {
            self.give_a_turn(at_ms);
        }
        while let Some(entry) = self.script.first_entry() {
            if entry.key().0 > at_ms {
                break;
            }
            let (account, act) = entry.remove();
            self.act(at_ms, account, act);
        }
    }

    fn draw_account(&mut self) -> usize {
        let weights = self.accounts.iter().map(|of| of.role.live_weight());
        let mut rest = self.random.below(weights.sum());
        for (index, account) in self.accounts.iter().enumerate() {
            let weight = account.role.live_weight();
            if rest < weight {
                return index;
            }
            rest -= weight;
        }
        0
    }

    /// Looks at one account in turn and gives it the defects that its quiet rate wants.
    fn keep_quiet_rate(&mut self, at_ms: i64) {
        let count = u64::try_from(self.accounts.len()).expect("a market is small");
        let index = usize::try_from(self.steps / 8 % count).expect("an index");
        let account = &mut self.accounts[index];
        if matches!(account.role.story, Story::Edge | Story::Clearing) {
            return;
        }
        let (orders, defective) = account.totals(at_ms.div_euclid(DAY_MS));
        for missing in (defective..account.role.goal(0, orders)).take(2) {
            let after = i64::try_from(missing - defective).expect("0 or 1");
            account.go_wrong(at_ms + after * 2_000, Pace::Live);
        }
    }

    /// Lets one of the small healthy accounts cross 1 % now and be cleared later.
    fn give_a_turn(&mut self, at_ms: i64) {
        let takers: Vec<usize> = (0..self.accounts.len())
            .filter(|index| self.accounts[*index].role.takes_turns())
            .collect();
        if takers.is_empty() {
            return;
        }
        let place = usize::try_from(self.steps / 240).unwrap_or(0) % takers.len();
        self.direct(at_ms, takers[place], Act::Cross);
        self.direct(at_ms + 150_000, takers[place], Act::Clear);
    }

    fn act(&mut self, at_ms: i64, index: usize, act: Act) {
        let account = &mut self.accounts[index];
        let (orders, defective) = account.totals(at_ms.div_euclid(DAY_MS));
        let mut when = at_ms;
        match act {
            Act::Cross => {
                for _ in defective..=orders / 100 {
                    account.go_wrong(when, Pace::Live);
                    when += 3_000;
                }
            }
            Act::Clear => {
                for _ in orders / 200..defective {
                    account.put_right(when, Pace::Live);
                    when += 3_000;
                }
            }
        }
    }

    fn hand_over(&mut self, records: &mut Vec<SimRecord>) {
        let mut due = Vec::new();
        for (index, account) in self.accounts.iter_mut().enumerate() {
            account.advance(self.live_ms, &mut |at_ms, number, planned| {
                due.push(Due { at_ms, account: index, number, planned: Some(planned) });
            });
        }
        due.sort_unstable_by_key(|of| (of.at_ms, of.account, of.number));
        for mut of in due {
            // What was planned for the pause before a late call is known only now.
            of.at_ms = of.at_ms.max(self.live_ms - STEP_MS);
            records.push(self.render(of));
        }
        if self.steps % 60 == 30 && !self.accounts.is_empty() {
            let account = self.random.index(self.accounts.len());
            records.push(self.render(Due {
                at_ms: self.live_ms,
                account,
                number: 0,
                planned: None,
            }));
        }
    }

    fn render(&mut self, due: Due) -> SimRecord {
        let account = &self.accounts[due.account];
        let (seller, marketplace) = (&account.role.seller, account.role.marketplace);
        let Some(planned) = due.planned else {
            return clutter::bad_record(seller, marketplace, due.at_ms, &mut self.random);
        };
        let order = &account.orders[planned.order];
        let head = Head { seller, marketplace, order: order.number, event_ms: planned.event_ms };
        let body = match planned.what {
            What::Order { status } => Body::Order {
                purchase_ms: order.purchase_ms,
                channel: order.channel,
                status,
                shipped: (status == "Shipped")
                    .then_some((!order.number.is_multiple_of(3), !order.number.is_multiple_of(23))),
            },
            What::Feedback { rating, status, comment } => {
                Body::Feedback { rating, status, comment: (!comment.is_empty()).then_some(comment) }
            }
            What::Claim { status, funded_by } => {
                Body::Claim { id: order.number % 10_000_000_000, status, funded_by }
            }
            What::Chargeback { status, reason } => {
                Body::Chargeback { id: order.number % 10_000_000_000, status, reason }
            }
        };
        let mut value = Vec::with_capacity(320);
        render(&mut value, &head, &body);
        SimRecord { topic: body.topic(), key: seller.clone(), timestamp_ms: due.at_ms, value }
    }
}

impl Iterator for Market {
    type Item = SimRecord;

    /// The next record of the history.
    fn next(&mut self) -> Option<SimRecord> {
        let due = self.history.next()?;
        Some(self.render(due))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.history.size_hint()
    }
}

/// Lets one account live through the history, day by day.
fn tell_history(
    index: usize,
    account: &mut Account,
    start_ms: i64,
    now_ms: i64,
    due: &mut Vec<Due>,
) {
    let today = now_ms.div_euclid(DAY_MS);
    for day in start_ms.div_euclid(DAY_MS)..=today {
        let from_ms = start_ms.max(day * DAY_MS);
        let to_ms = now_ms.min((day + 1) * DAY_MS - 1);
        account.plan_day(today - day, from_ms, to_ms);
        let unjustly = account.role.story == Story::Unjustly && day % 2 == 0;
        if unjustly {
            account.go_wrong_unjustly(from_ms + (to_ms - from_ms) / 2);
        }
        account.advance(to_ms, &mut |at_ms, number, planned| {
            due.push(Due { at_ms, account: index, number, planned: Some(planned) });
        });
    }
}
