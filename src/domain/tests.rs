//! Invariants of the whole core, on a small random market.

#[path = "look_tests.rs"]
mod look;

use std::collections::BTreeMap;

use super::effects::{AlertKind, Counts, Effects, Status};
use super::event::{
    Channel, ChargebackReason, ChargebackStatus, ClaimStatus, DeadReason, DefectEvent, DefectFact,
    Event, FeedbackStatus, OrderEvent, OrderStatus, Topic,
};
use super::ids::{MarketplaceId, NextOffset, Offset, OrderId, RefId, SellerId, ShardNo};
use super::note::Note;
use super::policy::{Policy, Scope, View};
use super::shard::{AlertingStart, Limits, Shard, ShardConfig};
use super::time::{Boundary, BoundaryLength, DAY_MS, EventTime, RecordTime};

/// A small generator of pseudo-random numbers (splitmix64).
#[derive(Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    pub(super) fn ms(&mut self, limit: i64) -> i64 {
        i64::try_from(self.below(u64::try_from(limit).unwrap())).unwrap()
    }
}

pub(super) fn shard_config(limits: Limits) -> ShardConfig {
    let (scopes, views) = (Scope::ALL.to_vec(), View::ALL.to_vec());
    let mut policy = Policy { scopes, views, ..Policy::default() };
    policy.warning.raise_bp = 2_000;
    policy.warning.clear_bp = 1_500;
    ShardConfig {
        shard: ShardNo::new(3),
        policy,
        length: BoundaryLength::from_ms(900_000).unwrap(),
        future_days: 3,
        limits,
        start: AlertingStart::Earliest,
        statuses: true,
        matters: true,
        hash_seed: 11,
        first: [NextOffset::stated(0); 4],
    }
}

pub(super) fn shard(limits: Limits) -> Shard {
    Shard::new(shard_config(limits))
}

/// A shard after the market of a seed.
pub(super) fn market(seed: u64, config: ShardConfig) -> Shard {
    let mut shard = Shard::new(config);
    run_with(&mut shard, seed, |_, _| {});
    shard.rewind();
    shard
}

/// Feeds one random event, or a dead letter or a tombstone, at a record time.
pub(super) fn feed(shard: &mut Shard, random: &mut Random, offset: i64, now: i64) {
    let sellers = ["A", "B"].map(|id| SellerId::new(id).unwrap());
    let markets = ["", "M1", "M2"].map(|id| MarketplaceId::new(id).unwrap());
    let number = random.below(60);
    let odd = format!("odd {number}");
    let order =
        if number < 10 { OrderId::new(&odd).unwrap() } else { OrderId::Amazon(number * 7_777) };
    let seller = sellers[usize::from(random.below(4) == 0)];
    let event_time = EventTime::from_ms(now - random.ms(9 * DAY_MS));
    let purchase_time = EventTime::from_ms(now - random.ms(80 * DAY_MS));
    let reference = (random.below(3) == 0).then(|| RefId::new("R-1").unwrap());
    let flag = [None, Some(false), Some(true)][usize::try_from(random.below(3)).unwrap()];
    let (offset, time) = (Offset::new(offset), RecordTime::from_ms(now));
    let fact = match random.below(12) {
        0 => return shard.accept_tombstone(Topic::Orders, offset, Some(time)).unwrap(),
        1 => {
            let reason = DeadReason::Parse;
            return shard.accept_dead(Topic::Orders, offset, Some(time), reason).unwrap();
        }
        2 => DefectFact::Feedback {
            status: match offset.get() % 9 {
                0 => FeedbackStatus::StruckThrough,
                1 => FeedbackStatus::Updated,
                _ => FeedbackStatus::Posted,
            },
            rating: u8::try_from(1 + random.below(5)).unwrap(),
        },
        3 => DefectFact::Claim {
            status: if number.is_multiple_of(2) {
                ClaimStatus::Filed
            } else {
                ClaimStatus::Reversed
            },
            funded_by: None,
            odr_impact: flag,
        },
        4 => DefectFact::Chargeback {
            status: ChargebackStatus::Opened,
            reason: ChargebackReason::Service,
            odr_impact: None,
        },
        _ => {
            let event = Event::Order(OrderEvent {
                seller,
                marketplace: markets[usize::try_from(random.below(3)).unwrap()],
                order,
                event_time,
                purchase_time,
                channel: Channel::ALL[usize::from(random.below(2) == 0)],
                status: [OrderStatus::Pending, OrderStatus::Open, OrderStatus::Canceled]
                    [usize::try_from(random.below(3)).unwrap()],
                buy_shipping: flag,
                shipped_on_time: None,
            });
            return shard.accept(Topic::Orders, offset, time, &event).unwrap();
        }
    };
    let purchase_time = None;
    // An order has one feedback.
    let is_feedback = matches!(fact, DefectFact::Feedback { .. });
    let reference = reference.filter(|_| !is_feedback);
    let note = is_feedback.then(|| Note::new(&offset.get().to_le_bytes()).unwrap());
    let defect =
        Event::Defect(DefectEvent { seller, order, event_time, purchase_time, reference, fact });
    shard.accept_noted(Topic::Orders, offset, time, &defect, note).unwrap();
}

/// Runs a market over 200 days and looks at it after each boundary.
pub(super) fn run(seed: u64, look: impl FnMut(&mut Shard, &Effects)) -> Effects {
    run_with(&mut shard(Limits::default()), seed, look)
}

pub(super) fn run_with(
    shard: &mut Shard,
    seed: u64,
    mut look: impl FnMut(&mut Shard, &Effects),
) -> Effects {
    let mut random = Random(seed);
    let mut all = Effects::default();
    let mut now = 20_000 * DAY_MS;
    for topic in [Topic::Feedback, Topic::Claims, Topic::Chargebacks] {
        shard.finish(topic);
    }
    for offset in 0..1_500 {
        now += random.ms(DAY_MS / 4);
        feed(shard, &mut random, offset, now);
        while let Some(boundary) = shard.next_closable() {
            let mut effects = Effects::default();
            shard.close(boundary, &mut effects).unwrap();
            look(shard, &effects);
            all.alerts.append(&mut effects.alerts);
            all.outcomes.add(&effects.outcomes);
        }
    }
    all
}

#[test]
fn i_15_totals_are_the_sums_of_the_contributions_of_the_held_orders() {
    run(1, |shard, _| {
        let book = &mut shard.book;
        let mut orders = Vec::new();
        let every = &mut |key, order| orders.push((key, order));
        book.orders.clone().forget(i64::MAX, |_| true, every);
        let numbers: Vec<_> = book.accounts.iter().map(|(number, _)| number).collect();
        let calendar = book.calendar();
        for number in numbers {
            let account = book.accounts.get(number);
            let mine = || orders.iter().filter(|(_, order)| order.account == number);
            assert_eq!(mine().count(), usize::try_from(account.held).unwrap());
            for view in View::ALL {
                for scope in Scope::ALL {
                    let mut sum = Counts::default();
                    for (key, order) in mine() {
                        let Some(part) = book.contribution(*key, account.seller, order) else {
                            continue;
                        };
                        if !part.is_in(scope) || !calendar.is_in_view(part.day, view) {
                            continue;
                        }
                        sum.orders += 1;
                        sum.defective += u32::from(part.defects.defective);
                        sum.provisional_only += u32::from(part.defects.provisional_only);
                        for (kind, counts) in sum.by_kind.iter_mut().zip(part.defects.kinds) {
                            *kind += u32::from(counts);
                        }
                    }
                    assert_eq!(account.counts(view, scope), sum);
                }
            }
        }
    });
}

#[test]
fn i_17_before_and_change_make_now() {
    let all = run(2, |_, _| {});
    assert!(all.alerts.len() > 50, "the market alerts");
    for alert in &all.alerts {
        let change = &alert.change;
        let orders = i64::from(alert.before.orders) + change.orders_added - change.orders_expired;
        let defective = i64::from(alert.before.defective) + change.defective_added
            - change.defective_reversed
            - change.defective_expired;
        assert_eq!(orders, i64::from(alert.now.orders));
        assert_eq!(defective, i64::from(alert.now.defective));
    }
    for kind in AlertKind::ALL {
        assert!(all.alerts.iter().any(|alert| alert.kind == kind), "{}", kind.as_str());
    }
}

#[test]
fn i_18_boundaries_close_in_ascending_order() {
    let mut last = None;
    run(3, |shard, _| {
        assert!(shard.closed() > last);
        last = shard.closed();
    });
    let closed_again = std::panic::catch_unwind(|| {
        let mut shard = shard(Limits::default());
        let boundary = Boundary::from_number(9);
        shard.close(boundary, &mut Effects::default()).unwrap();
        shard.close(boundary, &mut Effects::default()).unwrap();
    });
    assert!(closed_again.is_err());
}

#[test]
fn i_19_alerts_are_numbered_without_gap_or_repeat() {
    let all = run(4, |_, _| {});
    for (expected, alert) in (1..).zip(&all.alerts) {
        assert_eq!(alert.seq, expected);
    }
}

#[test]
fn i_20_every_record_ends_in_exactly_one_outcome() {
    let mut waiting = 0;
    let all = run(5, |shard, _| waiting = shard.held().pending);
    assert_eq!(all.outcomes.total() + u64::try_from(waiting).unwrap(), 1_500);
}

/// Status records of a market, taken after every `every` boundaries: as of which boundary, what.
fn statuses(every: u32) -> Vec<(Boundary, Vec<Status>)> {
    let (mut taken, mut open, mut closed) = (Vec::new(), Effects::default(), 0);
    run(8, |shard, effects| {
        open.statuses.extend_from_slice(&effects.statuses);
        closed += 1;
        if closed % every == 0 {
            shard.take_statuses(&mut open);
            taken.push((shard.closed().unwrap(), std::mem::take(&mut open.statuses)));
            assert_eq!(shard.due_statuses(), 0);
        }
    });
    taken
}

#[test]
fn status_records_taken_together_are_of_the_same_accounts_and_as_of_the_last_boundary() {
    let one_by_one = statuses(1);
    let (mut single, mut several) = (0, 0);
    let mut rest = one_by_one.iter().peekable();
    for (last, together) in statuses(40) {
        let mut apart: BTreeMap<_, (Boundary, &Status)> = BTreeMap::new();
        while let Some((boundary, statuses)) = rest.next_if(|(boundary, _)| *boundary <= last) {
            for status in statuses {
                apart.insert((&status.seller_id, &status.marketplace_id), (*boundary, status));
                single += 1;
            }
        }
        // What was forgotten, before what came back.
        let forgotten = together.iter().filter(|status| status.standing.is_none()).count();
        let (forgotten, standing) = together.split_at(forgotten);
        let mut named = BTreeMap::new();
        for status in standing {
            let of = (&status.seller_id, &status.marketplace_id);
            assert!(named.insert(of, status).is_none(), "one record an account");
            let written = status.standing.as_ref().expect("what was forgotten came first");
            assert_eq!(written.boundary_ms, last.ms(BoundaryLength::from_ms(900_000).unwrap()));
            several += 1;
        }
        for status in forgotten {
            assert!(status.standing.is_none());
            named.entry((&status.seller_id, &status.marketplace_id)).or_insert(status);
        }
        assert!(named.keys().eq(apart.keys()), "the same accounts");
        for (of, (boundary, status)) in apart {
            assert_eq!(status.standing.is_none(), named[&of].standing.is_none(), "{of:?}");
            if boundary == last {
                assert_eq!(status, named[&of]);
            }
        }
    }
    assert!(several * 2 < single, "{several} instead of {single}");
}

#[test]
fn the_hash_seed_changes_nothing_that_comes_out() {
    let alerts = |seed| {
        let mut shard = shard(Limits::default());
        shard.book = super::book::Book::new(shard.book.policy.clone(), 3, seed, true);
        let mut random = Random(6);
        let mut effects = Effects::default();
        for offset in 0..400 {
            feed(&mut shard, &mut random, offset, 20_000 * DAY_MS + offset * DAY_MS / 8);
        }
        let last = shard.inbox().last_waiting().unwrap();
        shard.close_through(last, &mut effects).unwrap();
        (effects, shard.digest())
    };
    assert_eq!(alerts(1), alerts(2));
}

#[test]
fn at_a_limit_the_shard_stops_and_evicts_nothing() {
    let few = Limits { orders: 5, ..Limits::default() };
    let mut shard = shard(few);
    let mut random = Random(7);
    for offset in 0..200 {
        feed(&mut shard, &mut random, offset, 20_000 * DAY_MS);
    }
    let last = shard.inbox().last_waiting().unwrap();
    let stopped = shard.close(last, &mut Effects::default()).unwrap_err();
    assert_eq!((stopped.key, stopped.limit), ("max_orders", 5));
    assert!(shard.held().orders > 5, "all of them are still there");
    let mut full = super::tests::shard(Limits { pending: 3, ..Limits::default() });
    let time = Some(RecordTime::from_ms(1));
    let accept =
        |full: &mut Shard, offset| full.accept_tombstone(Topic::Claims, Offset::new(offset), time);
    assert!((0..3).all(|offset| accept(&mut full, offset).is_ok()));
    assert_eq!(accept(&mut full, 3).unwrap_err().key, "max_pending_records");
}
