//! Evaluation of a boundary: levels, cycles, the first start, status records and the digest.
//!
//! The order is SEMANTICS section 6 and 7: touched accounts by name, scope, view, warning before
//! critical; then the cycle for all accounts; then, at the first start, what is up.

use super::alerts::cycles;
use super::alerts::explain::{self, Subject};
use super::alerts::levels::threshold_of;
use super::effects::{Alert, AlertKind, AlertState, CycleNote, Digest, Effects, Status};
use super::policy::{Scope, View};
use super::shard::{Alerting, Shard};
use super::time::Boundary;
use super::window::{Account, AccountNo};

/// What is about to be said.
#[derive(Clone, Copy)]
struct Saying {
    kind: AlertKind,
    state: AlertState,
    initial: bool,
    cycle: Option<CycleNote>,
}

/// Whether this boundary's alerts are said, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Alerting has not begun: levels move in silence.
    Silent,
    /// Alerting begins here: levels move in silence, then what is up is said.
    Start,
    /// Each change is said.
    Speaking,
}

/// A level that moved.
#[derive(Clone, Copy)]
struct Move {
    subject: Subject,
    kind: AlertKind,
    state: AlertState,
}

impl Shard {
    /// Evaluates the touched accounts, the cycle, the start and the status records. Returns the
    /// evaluated accounts, in no particular order.
    ///
    /// Levels of different accounts do not depend on each other, so only what moved is put into
    /// the order of names: on a day's first boundary nearly all accounts are touched.
    pub(crate) fn evaluate(&mut self, boundary: Boundary, effects: &mut Effects) -> Vec<AccountNo> {
        let mode = self.mode(boundary, effects);
        let touched = std::mem::take(&mut self.book.touched);
        let mut moves = Vec::new();
        for number in &touched {
            self.step_levels(*number, &mut moves);
        }
        self.say_moves(&mut moves, mode, effects);
        let mut changed: Vec<AccountNo> = moves.iter().map(|moved| moved.subject.account).collect();
        let as_of = self.book.calendar().as_of;
        let ends_cycle = self.cycle_end(as_of) == boundary.ms(self.length);
        if ends_cycle {
            self.last_cycle = Some(self.book.policy.cycle_days_of(as_of));
            moves.clear();
            self.close_cycles(&mut moves, &mut changed);
            self.say_moves(&mut moves, mode, effects);
        }
        if mode == Mode::Start {
            self.say_what_is_up(effects);
        }
        self.tell_care(mode, ends_cycle, effects);
        if self.statuses && mode != Mode::Silent {
            if mode == Mode::Start {
                let all: Vec<AccountNo> =
                    self.book.accounts.iter().map(|(number, _)| number).collect();
                self.note_due(boundary, &all, changed);
            } else {
                self.note_due(boundary, &touched, changed);
            }
        }
        touched
    }

    /// Says what moved, by the names of accounts; what one account's moves have among themselves
    /// is already their order.
    fn say_moves(&mut self, moves: &mut [Move], mode: Mode, effects: &mut Effects) {
        if mode != Mode::Speaking {
            return;
        }
        let accounts = &self.book.accounts;
        let name = |moved: &Move| accounts.name(moved.subject.account);
        moves.sort_by(|left, right| name(left).cmp(&name(right)));
        for moved in moves {
            let Subject { account, scope, view } = moved.subject;
            let cycle = match moved.kind {
                AlertKind::RestrictionRisk => self.cycle_note(account, scope, view),
                AlertKind::Warning | AlertKind::Critical => None,
            };
            let saying = Saying { kind: moved.kind, state: moved.state, initial: false, cycle };
            self.say(moved.subject, saying, effects);
        }
    }

    fn mode(&mut self, boundary: Boundary, effects: &mut Effects) -> Mode {
        match self.alerting {
            Alerting::On => Mode::Speaking,
            Alerting::Waiting(Some(start)) if start == boundary => {
                self.alerting = Alerting::On;
                effects.alerting_began = Some(boundary);
                Mode::Start
            }
            // The start lies before the first boundary that closes: there was nothing to state.
            Alerting::Waiting(Some(start)) if start < boundary => {
                self.alerting = Alerting::On;
                effects.alerting_began = Some(start);
                Mode::Speaking
            }
            Alerting::Waiting(_) => Mode::Silent,
        }
    }

    fn step_levels(&mut self, number: AccountNo, moves: &mut Vec<Move>) {
        let policy = &self.book.policy;
        let account = self.book.accounts.get_mut(number);
        for scope in policy.scopes.iter().copied() {
            for view in policy.views.iter().copied() {
                let rate = account.counts(view, scope).rate();
                for kind in [AlertKind::Warning, AlertKind::Critical] {
                    if let Some(state) = account.levels.step(kind, scope, view, rate, policy) {
                        let subject = Subject { account: number, scope, view };
                        moves.push(Move { subject, kind, state });
                    }
                }
            }
        }
        if account.held == 0 {
            self.book.emptied.push(number);
        }
    }

    /// Closes the cycle for all accounts; `changed` takes those whose streak moved.
    fn close_cycles(&mut self, moves: &mut Vec<Move>, changed: &mut Vec<AccountNo>) {
        let policy = &self.book.policy;
        for (number, account) in self.book.accounts.iter_mut() {
            for scope in policy.scopes.iter().copied() {
                for view in policy.views.iter().copied() {
                    let rate = account.counts(view, scope).rate();
                    let before = account.levels.streak(scope, view);
                    let state = cycles::close(&mut account.levels, scope, view, rate, policy);
                    if account.levels.streak(scope, view) != before {
                        changed.push(number);
                    }
                    if let Some(state) = state {
                        let subject = Subject { account: number, scope, view };
                        moves.push(Move { subject, kind: AlertKind::RestrictionRisk, state });
                    }
                }
            }
            if account.held == 0 {
                self.book.emptied.push(number);
            }
        }
    }

    fn cycle_note(&self, number: AccountNo, scope: Scope, view: View) -> Option<CycleNote> {
        let (from, to) = self.last_cycle?;
        let streak = self.book.accounts.get(number).levels.streak(scope, view);
        Some(CycleNote { from, to, streak })
    }

    /// The first start: each level that is up is raised once.
    fn say_what_is_up(&mut self, effects: &mut Effects) {
        let is_up = |(_, account): &(AccountNo, &Account)| account.levels.bits() != 0;
        let mut all: Vec<AccountNo> =
            self.book.accounts.iter().filter(is_up).map(|(number, _)| number).collect();
        self.book.accounts.sort(&mut all);
        let (scopes, views) = (self.book.policy.scopes.clone(), self.book.policy.views.clone());
        let subjects = |account: AccountNo| {
            let views = &views;
            scopes.iter().flat_map(move |scope| {
                views.iter().map(move |view| Subject { account, scope: *scope, view: *view })
            })
        };
        let rates = [AlertKind::Warning, AlertKind::Critical];
        let restrictions = [AlertKind::RestrictionRisk];
        for kinds in [rates.as_slice(), restrictions.as_slice()] {
            for subject in all.iter().copied().flat_map(&subjects) {
                let Subject { account, scope, view } = subject;
                for kind in kinds.iter().copied() {
                    if !self.book.accounts.get(account).levels.is_up(kind, scope, view) {
                        continue;
                    }
                    let cycle = match kind {
                        AlertKind::RestrictionRisk => self.cycle_note(account, scope, view),
                        AlertKind::Warning | AlertKind::Critical => None,
                    };
                    let state = AlertState::Raised;
                    self.say(subject, Saying { kind, state, initial: true, cycle }, effects);
                }
            }
        }
    }

    /// Says one alert (I-19).
    fn say(&mut self, subject: Subject, saying: Saying, effects: &mut Effects) {
        self.seq += 1;
        let book = &mut self.book;
        let net = book.changes.net_of(subject.account);
        let book = &self.book;
        let policy = &book.policy;
        let Subject { scope, view, .. } = subject;
        let account = book.accounts.get(subject.account);
        let now = account.counts(view, scope);
        let rate = now.rate();
        let threshold = threshold_of(saying.kind, policy);
        let change = explain::change(book, subject, &net);
        let as_of = book.calendar().as_of;
        let recovers_on = if saying.state == AlertState::Cleared {
            None
        } else {
            explain::first_day(book, account, (scope, view), |rate| match saying.kind {
                AlertKind::RestrictionRisk => {
                    !rate.raises(threshold.raise_bp, threshold.min_defects, policy.min_orders)
                }
                AlertKind::Warning | AlertKind::Critical => {
                    rate.clears(threshold, policy.min_orders)
                }
            })
        };
        let (seller_id, marketplace_id) = book.accounts.name(subject.account);
        effects.alerts.push(Alert {
            seq: self.seq,
            kind: saying.kind,
            state: saying.state,
            initial: saying.initial,
            seller_id: seller_id.into(),
            marketplace_id: marketplace_id.into(),
            scope,
            view,
            boundary_ms: book.boundary.ms(self.length),
            as_of,
            window: policy.view_days(view, as_of),
            covered_from: book.covered_from,
            now,
            has_rate: rate.orders >= policy.min_orders,
            threshold_bp: threshold.raise_bp,
            mfn: account.counts(view, Scope::Mfn).rate(),
            afn: account.counts(view, Scope::Afn).rate(),
            official: account.counts(View::Official, scope).rate(),
            before: explain::before(rate, &change),
            change,
            defects: explain::defects(book, subject, &net),
            headroom: rate.headroom(threshold.raise_bp, threshold.min_defects),
            low_volume: rate.is_low_volume(threshold.raise_bp),
            recovers_on,
            cycle: saying.cycle,
        });
    }

    /// Says which status records are due: those of accounts whose level changed, and those of
    /// changed accounts whose slot in the hour this is.
    fn note_due(&mut self, boundary: Boundary, dirty: &[AccountNo], changed: Vec<AccountNo>) {
        for number in dirty {
            if !self.book.accounts.get(*number).status.queued {
                self.slots.push(*number, self.book.accounts.name(*number));
            }
            let mark = &mut self.book.accounts.get_mut(*number).status;
            (mark.dirty, mark.queued) = (true, true);
        }
        let mut due = changed;
        for number in self.slots.take(boundary) {
            let mark = &mut self.book.accounts.get_mut(number).status;
            mark.queued = false;
            if mark.dirty {
                due.push(number);
            }
        }
        for number in due {
            let mark = &mut self.book.accounts.get_mut(number).status;
            (mark.dirty, mark.written) = (false, true);
            if !std::mem::replace(&mut mark.due, true) {
                self.due.push(number);
            }
        }
    }

    /// Forgets accounts that have no order in the horizon, no level up and no streak.
    pub(crate) fn forget_empty_accounts(&mut self, effects: &mut Effects) {
        let mut emptied = std::mem::take(&mut self.book.emptied);
        emptied.sort_unstable();
        emptied.dedup();
        emptied.retain(|number| {
            let account = self.book.accounts.try_get(*number);
            account.is_some_and(|account| account.held == 0 && account.levels.is_quiet())
        });
        self.book.accounts.sort(&mut emptied);
        for number in &emptied {
            self.note_forgotten(*number);
            let name = self.book.accounts.name(*number);
            let mark = self.book.accounts.get(*number).status;
            if mark.queued {
                self.slots.remove(*number, name);
            }
            if mark.due {
                self.due.retain(|due| due != number);
            }
            if mark.written {
                effects.statuses.push(Status {
                    seller_id: name.0.into(),
                    marketplace_id: name.1.into(),
                    standing: None,
                });
            }
            self.book.accounts.forget(*number);
        }
    }

    /// Chains the digest: what was before, the boundary, the evaluated accounts with their
    /// totals, the alerts. A boundary that only wrote status records leaves it as it is.
    pub(crate) fn extend_digest(
        &mut self,
        boundary: Boundary,
        merged: usize,
        evaluated: &[AccountNo],
        alerts: &[Alert],
    ) {
        if merged == 0 && evaluated.is_empty() && alerts.is_empty() {
            return;
        }
        let buffer = &mut self.digest_buffer;
        buffer.clear();
        buffer.extend_from_slice(&self.digest.0.to_le_bytes());
        buffer.extend_from_slice(&boundary.number().to_le_bytes());
        // The sum does not depend on the order of the accounts.
        let sum = evaluated
            .iter()
            .map(|number| digest_of(self.book.accounts.get(*number)))
            .fold(0, u128::wrapping_add);
        buffer.extend_from_slice(&sum.to_le_bytes());
        for alert in alerts {
            buffer.extend_from_slice(&alert.seq.to_le_bytes());
            for name in [alert.kind.as_str(), alert.state.as_str(), alert.scope.as_str()] {
                buffer.extend_from_slice(name.as_bytes());
                buffer.push(0);
            }
            buffer.extend_from_slice(alert.view.as_str().as_bytes());
            buffer.push(u8::from(alert.initial));
            for text in [&alert.seller_id, &alert.marketplace_id] {
                buffer.extend_from_slice(text.as_bytes());
                buffer.push(0);
            }
            let streak = alert.cycle.map_or(0, |cycle| cycle.streak);
            for number in [alert.now.orders, alert.now.defective, streak] {
                buffer.extend_from_slice(&number.to_le_bytes());
            }
        }
        self.digest = Digest(xxhash_rust::xxh3::xxh3_128(buffer));
    }
}

/// An account's part of the digest: its name, totals, levels and streaks.
pub(crate) fn digest_of(account: &Account) -> u128 {
    let mut bytes = [0_u8; 8 + 4 * 24 + 4 + 6 * 2];
    bytes[..8].copy_from_slice(&account.name_hash.to_le_bytes());
    let [first, second] = account.totals();
    for (counts, place) in first.iter().chain(second).zip(bytes[8..104].chunks_exact_mut(24)) {
        let [feedback, claims, chargebacks] = counts.by_kind;
        let all = [
            counts.orders,
            counts.defective,
            counts.provisional_only,
            feedback,
            claims,
            chargebacks,
        ];
        for (count, place) in all.iter().zip(place.chunks_exact_mut(4)) {
            place.copy_from_slice(&count.to_le_bytes());
        }
    }
    bytes[104..108].copy_from_slice(&account.levels.bits().to_le_bytes());
    let streaks = account.levels.streaks();
    for (streak, place) in streaks.iter().zip(bytes[108..].chunks_exact_mut(2)) {
        place.copy_from_slice(&streak.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_128(&bytes)
}
