//! Evaluation of a boundary: levels, cycles, the first start, status records and the digest.
//!
//! The order is SEMANTICS section 6 and 7: touched accounts by name, scope, view, warning before
//! critical; then the cycle for all accounts; then, at the first start, what is up.

use super::alerts::explain::{self, Subject};
use super::alerts::levels::threshold_of;
use super::alerts::{cycles, status};
use super::effects::{Alert, AlertKind, AlertState, CycleNote, Digest, Effects, Status};
use super::policy::{Scope, View};
use super::shard::{Alerting, Shard};
use super::time::Boundary;
use super::window::AccountNo;

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
enum Mode {
    /// Alerting has not begun: levels move in silence.
    Silent,
    /// Alerting begins here: levels move in silence, then what is up is said.
    Start,
    /// Each change is said.
    Speaking,
}

impl Shard {
    /// Evaluates the touched accounts, the cycle, the start and the status records. Returns the
    /// evaluated accounts, by name.
    pub(crate) fn evaluate(&mut self, boundary: Boundary, effects: &mut Effects) -> Vec<AccountNo> {
        let mode = self.mode(boundary, effects);
        let mut touched = std::mem::take(&mut self.book.touched);
        self.book.accounts.sort(&mut touched);
        let mut changed = Vec::new();
        for number in &touched {
            self.step_levels(*number, mode, &mut changed, effects);
        }
        let as_of = self.book.calendar().as_of;
        let ends_cycle = self.cycle_end(as_of) == boundary.ms(self.length);
        let mut all = Vec::new();
        if ends_cycle || mode == Mode::Start {
            all.extend(self.book.accounts.iter().map(|(number, _)| number));
            self.book.accounts.sort(&mut all);
        }
        if ends_cycle {
            self.last_cycle = Some(self.book.policy.cycle_days_of(as_of));
            for number in &all {
                self.close_cycle(*number, mode, &mut changed, effects);
            }
        }
        if mode == Mode::Start {
            self.say_what_is_up(&all, effects);
        }
        if self.statuses && mode != Mode::Silent {
            let dirty = if mode == Mode::Start { &all } else { &touched };
            self.write_statuses(boundary, dirty, changed, effects);
        }
        touched
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

    fn subjects(&self) -> impl Iterator<Item = (Scope, View)> + use<> {
        let views = self.book.policy.views.clone();
        let scopes = self.book.policy.scopes.clone();
        scopes.into_iter().flat_map(move |scope| {
            let views = views.clone();
            views.into_iter().map(move |view| (scope, view))
        })
    }

    fn step_levels(
        &mut self,
        number: AccountNo,
        mode: Mode,
        changed: &mut Vec<AccountNo>,
        effects: &mut Effects,
    ) {
        for scope_at in 0..self.book.policy.scopes.len() {
            for view_at in 0..self.book.policy.views.len() {
                let (scope, view) =
                    (self.book.policy.scopes[scope_at], self.book.policy.views[view_at]);
                for kind in [AlertKind::Warning, AlertKind::Critical] {
                    let policy = &self.book.policy;
                    let account = self.book.accounts.get_mut(number);
                    let rate = account.counts(view, scope).rate();
                    let Some(state) = account.levels.step(kind, scope, view, rate, policy) else {
                        continue;
                    };
                    changed.push(number);
                    if mode == Mode::Speaking {
                        let saying = Saying { kind, state, initial: false, cycle: None };
                        self.say(Subject { account: number, scope, view }, saying, effects);
                    }
                }
            }
        }
        if self.book.accounts.get(number).held == 0 {
            self.book.emptied.push(number);
        }
    }

    fn close_cycle(
        &mut self,
        number: AccountNo,
        mode: Mode,
        changed: &mut Vec<AccountNo>,
        effects: &mut Effects,
    ) {
        for (scope, view) in self.subjects() {
            let account = self.book.accounts.get_mut(number);
            let rate = account.counts(view, scope).rate();
            let streak_before = account.levels.streak(scope, view);
            let state = cycles::close(&mut account.levels, scope, view, rate, &self.book.policy);
            if account.levels.streak(scope, view) != streak_before || state.is_some() {
                changed.push(number);
            }
            let (Some(state), Mode::Speaking) = (state, mode) else { continue };
            let saying = Saying {
                kind: AlertKind::RestrictionRisk,
                state,
                initial: false,
                cycle: self.cycle_note(number, scope, view),
            };
            self.say(Subject { account: number, scope, view }, saying, effects);
        }
        if self.book.accounts.get(number).held == 0 {
            self.book.emptied.push(number);
        }
    }

    fn cycle_note(&self, number: AccountNo, scope: Scope, view: View) -> Option<CycleNote> {
        let (from, to) = self.last_cycle?;
        let streak = self.book.accounts.get(number).levels.streak(scope, view);
        Some(CycleNote { from, to, streak })
    }

    /// The first start: each level that is up is raised once.
    fn say_what_is_up(&mut self, all: &[AccountNo], effects: &mut Effects) {
        let (rates, restrictions) =
            ([AlertKind::Warning, AlertKind::Critical].as_slice(), [AlertKind::RestrictionRisk]);
        for kinds in [rates, restrictions.as_slice()] {
            for number in all {
                for (scope, view) in self.subjects() {
                    for kind in kinds {
                        if !self.book.accounts.get(*number).levels.is_up(*kind, scope, view) {
                            continue;
                        }
                        let cycle = match kind {
                            AlertKind::RestrictionRisk => self.cycle_note(*number, scope, view),
                            AlertKind::Warning | AlertKind::Critical => None,
                        };
                        let saying =
                            Saying { kind: *kind, state: AlertState::Raised, initial: true, cycle };
                        self.say(Subject { account: *number, scope, view }, saying, effects);
                    }
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
            let place = (scope, view);
            explain::first_day(account, book.shape, policy, place, as_of, |rate| {
                match saying.kind {
                    AlertKind::RestrictionRisk => {
                        !rate.raises(threshold.raise_bp, threshold.min_defects, policy.min_orders)
                    }
                    AlertKind::Warning | AlertKind::Critical => {
                        rate.clears(threshold, policy.min_orders)
                    }
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

    fn write_statuses(
        &mut self,
        boundary: Boundary,
        dirty: &[AccountNo],
        changed: Vec<AccountNo>,
        effects: &mut Effects,
    ) {
        for number in dirty {
            let name = self.book.accounts.name(*number);
            let is_queued = self.book.accounts.get(*number).status.queued;
            if !is_queued {
                self.slots.push(*number, name);
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
        self.book.accounts.sort(&mut due);
        due.dedup();
        for number in due {
            effects.statuses.push(status::standing(&self.book, number, self.length));
            let mark = &mut self.book.accounts.get_mut(number).status;
            (mark.dirty, mark.written) = (false, true);
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
            let name = self.book.accounts.name(*number);
            let mark = self.book.accounts.get(*number).status;
            if mark.queued {
                self.slots.remove(*number, name);
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
        for number in evaluated {
            let account = self.book.accounts.get(*number);
            let (seller, marketplace) = self.book.accounts.name(*number);
            for text in [seller, marketplace] {
                buffer.extend_from_slice(text.as_bytes());
                buffer.push(0);
            }
            for counts in account.totals().iter().flatten() {
                let [first, second, third] = counts.by_kind;
                let all = [
                    counts.orders,
                    counts.defective,
                    counts.provisional_only,
                    first,
                    second,
                    third,
                ];
                for count in all {
                    buffer.extend_from_slice(&count.to_le_bytes());
                }
            }
            buffer.extend_from_slice(&account.levels.bits().to_le_bytes());
        }
        for alert in alerts {
            buffer.extend_from_slice(&alert.seq.to_le_bytes());
            for name in [alert.kind.as_str(), alert.state.as_str(), alert.scope.as_str()] {
                buffer.extend_from_slice(name.as_bytes());
                buffer.push(0);
            }
            buffer.extend_from_slice(alert.view.as_str().as_bytes());
            buffer.push(u8::from(alert.initial));
        }
        self.digest = Digest(xxhash_rust::xxh3::xxh3_128(buffer));
    }
}
