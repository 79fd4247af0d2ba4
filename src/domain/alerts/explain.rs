//! What an alert says: the numbers before and after, why they moved, which defects, what next.

use super::levels::threshold_of;
use crate::domain::book::Book;
use crate::domain::changes::NetChange;
use crate::domain::effects::{AlertKind, Change, Counts, ListedDefect, minus, plus};
use crate::domain::event::Channel;
use crate::domain::orders::OrderKey;
use crate::domain::policy::{Counting, Policy, Scope, View};
use crate::domain::rate::Rate;
use crate::domain::time::{Day, EventTime};
use crate::domain::window::{Account, AccountNo, Contribution, SlidViews};

/// The most defects that an alert lists.
const LISTED_DEFECTS: usize = 10;

/// One account, scope and view: what the numbers of an alert are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub account: AccountNo,
    pub scope: Scope,
    pub view: View,
}

/// Whether a contribution is in the subject's numbers as of a day.
fn is_in(side: Option<&Contribution>, subject: Subject, policy: &Policy, as_of: Day) -> bool {
    side.is_some_and(|side| {
        let (first, last) = policy.view_days(subject.view, as_of);
        side.is_in(subject.scope) && first <= side.day && side.day <= last
    })
}

/// What the boundary did to the subject's numbers (SEMANTICS section 7, `change`).
pub(crate) fn change(book: &Book, subject: Subject, net: &[NetChange]) -> Change {
    let mut change = Change::default();
    for slid in book.changes.slides_of(subject.account) {
        for channel in Channel::ALL {
            let is_mine = match subject.scope {
                Scope::All => true,
                Scope::Mfn => channel == Channel::Mfn,
                Scope::Afn => channel == Channel::Afn,
            };
            if !is_mine {
                continue;
            }
            let slid = &slid[subject.view.index()][channel.index()];
            change.orders_added += i64::from(slid.entered.orders);
            change.defective_added += i64::from(slid.entered.defective);
            change.orders_expired += i64::from(slid.left.orders);
            change.defective_expired += i64::from(slid.left.defective);
        }
    }
    let as_of = book.calendar().as_of;
    for order in net {
        let [before, after] = [&order.before, &order.after].map(|side| {
            side.as_ref().filter(|side| is_in(Some(side), subject, &book.policy, as_of))
        });
        change.orders_added += i64::from(after.is_some()) - i64::from(before.is_some());
        let was_defective = before.is_some_and(|side| side.defects.defective);
        let is_defective = after.is_some_and(|side| side.defects.defective);
        change.defective_added += i64::from(is_defective && !was_defective);
        change.defective_reversed += i64::from(was_defective && !is_defective);
    }
    change
}

/// The numbers just before the boundary: now, less what it did (I-17).
pub(crate) fn before(now: Rate, change: &Change) -> Rate {
    let orders = i64::from(now.orders) - change.orders_added + change.orders_expired;
    let defective = i64::from(now.defective) - change.defective_added
        + change.defective_reversed
        + change.defective_expired;
    let count = |value: i64| u32::try_from(value).expect("I-17: before + change = now");
    Rate { defective: count(defective), orders: count(orders) }
}

/// A counted defect with what it is sorted by: new first, newest first, then by name.
struct Candidate {
    event_time: EventTime,
    listed: ListedDefect,
}

/// The counted defects of the subject that an alert lists.
///
/// A defect is new if it did not count in the subject before the boundary: then a merge touched its
/// order, or the slide brought the order into the view. All others are not new, and of those only
/// the newest can be listed, so the search ends at the first order whose newest event is too old.
pub(crate) fn defects(book: &Book, subject: Subject, net: &[NetChange]) -> Vec<ListedDefect> {
    let mut merged: Vec<OrderKey> = net.iter().map(|change| change.order).collect();
    merged.extend(book.changes.defects_of(subject.account));
    merged.sort_unstable();
    merged.dedup();
    let account = book.accounts.get(subject.account);
    let mut candidates = Vec::new();
    for key in &merged {
        push_counted(book, subject, net, *key, &mut candidates);
    }
    let all_may_be_new = slid_into_view(book, subject);
    // The times of the newest that are not new, newest first.
    let mut newest: Vec<EventTime> = Vec::new();
    for (time, key) in account.with_defects.newest_first() {
        let is_full = newest.len() == LISTED_DEFECTS && newest.last().is_some_and(|t| time < *t);
        if is_full && !all_may_be_new {
            break;
        }
        if merged.binary_search(&key).is_ok() {
            continue;
        }
        let known = candidates.len();
        push_counted(book, subject, net, key, &mut candidates);
        for found in &candidates[known..] {
            let place = newest.partition_point(|time| *time >= found.event_time);
            newest.insert(place, found.event_time);
        }
        newest.truncate(LISTED_DEFECTS);
    }
    candidates.sort_unstable_by(|left, right| {
        let key = |candidate: &Candidate| (!candidate.listed.new, -candidate.event_time.ms());
        key(left).cmp(&key(right)).then_with(|| name(&left.listed).cmp(&name(&right.listed)))
    });
    candidates.truncate(LISTED_DEFECTS);
    candidates.into_iter().map(|candidate| candidate.listed).collect()
}

/// Whether the slide brought defective orders into the subject's view.
fn slid_into_view(book: &Book, subject: Subject) -> bool {
    let entered =
        |slid: &SlidViews| slid[subject.view.index()].iter().any(|slid| slid.entered.defective > 0);
    book.changes.slides_of(subject.account).any(entered)
}

/// Adds an order's counted defects, if it is in the subject's numbers.
fn push_counted(
    book: &Book,
    subject: Subject,
    net: &[NetChange],
    key: OrderKey,
    candidates: &mut Vec<Candidate>,
) {
    let (account, as_of) = (book.accounts.get(subject.account), book.calendar().as_of);
    let held = book.orders.find(book.orders.hash(key), key, |account| account == subject.account);
    // A merged order may have gone to another account since.
    let Some(now) = held.and_then(|order| book.contribution(key, account.seller, &order)) else {
        return;
    };
    if !now.defects.defective || !is_in(Some(&now), subject, &book.policy, as_of) {
        return;
    }
    let before = match net.binary_search_by(|change| change.order.cmp(&key)) {
        Ok(place) => net[place].before,
        Err(_) => Some(now),
    };
    let was_in =
        book.as_of_before.is_some_and(|as_of| is_in(before.as_ref(), subject, &book.policy, as_of));
    let set = book.defects.get(account.seller, key).expect("a defective order has defects");
    for defect in set.iter() {
        if book.policy.counts_defect(&defect.fact) == Counting::No {
            continue;
        }
        candidates.push(Candidate {
            event_time: defect.event_time,
            listed: ListedDefect {
                order_id: book.order_text(key),
                kind: defect.fact.kind(),
                reference: defect.reference.as_ref().map(|text| text.as_str().into()),
                new: !(was_in && defect.counted_before(book.boundary, &book.policy)),
            },
        });
    }
}

fn name(defect: &ListedDefect) -> (&str, &str, Option<&str>) {
    (&defect.order_id, defect.kind.as_str(), defect.reference.as_deref())
}

/// The coming days with the counts of a scope and view if nothing more happens: the window slides
/// on, known days enter, old ones leave. After the last of them everything known has left.
pub(crate) fn coming(
    book: &Book,
    account: &Account,
    (scope, view): (Scope, View),
) -> impl Iterator<Item = (Day, Counts)> {
    let (shape, as_of) = (book.shape, book.calendar().as_of);
    let mut counts = account.counts(view, scope);
    let mut day = as_of;
    (0..shape.len()).map(move |_| {
        let (leaves, last) = book.policy.view_days(view, day);
        let enters = last.plus(1);
        day = day.plus(1);
        if shape.holds(leaves, as_of) {
            counts = minus(&counts, &account.day(shape, leaves, scope));
        }
        if shape.holds(enters, as_of) {
            counts = plus(&counts, &account.day(shape, enters, scope));
        }
        (day, counts)
    })
}

/// The first coming day on which a condition holds.
pub(crate) fn first_day(
    book: &Book,
    account: &Account,
    place: (Scope, View),
    holds: impl Fn(Rate) -> bool,
) -> Option<Day> {
    coming(book, account, place).find(|(_, counts)| holds(counts.rate())).map(|(day, _)| day)
}

/// If the condition of a kind of alert holds: the first coming day on which it no longer does.
pub(crate) fn recovers_on(
    book: &Book,
    account: &Account,
    kind: AlertKind,
    place: (Scope, View),
) -> Option<Day> {
    let threshold = threshold_of(kind, &book.policy);
    let (raise_bp, min_defects) = (threshold.raise_bp, threshold.min_defects);
    let is_over = |rate: Rate| rate.raises(raise_bp, min_defects, book.policy.min_orders);
    let (scope, view) = place;
    if !is_over(account.counts(view, scope).rate()) {
        return None;
    }
    first_day(book, account, place, |rate| !is_over(rate))
}
