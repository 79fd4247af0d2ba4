//! What a shard shows agrees with what it alerts by, at every boundary of a random market.

use std::collections::BTreeMap;

use super::*;
use crate::domain::effects::{minus, plus};
use crate::domain::look::{AccountLook, AccountRow};
use crate::domain::time::Day;
use crate::domain::window::AccountNo;

/// Looks at every account after each boundary.
fn look_at_all(seed: u64, mut check: impl FnMut(&Shard, &AccountLook)) {
    let mut looks = 0_u32;
    run(seed, |shard, _| {
        let accounts: Vec<_> = shard.book.accounts.iter().map(|(number, _)| number).collect();
        for number in accounts {
            let (seller, marketplace) = shard.book.accounts.name(number);
            let look = shard.look(seller, marketplace).unwrap();
            check(shard, &look);
            looks += 1;
        }
    });
    assert!(looks > 1_000, "{looks} looks");
}

/// The sum over the days of the live view as of a day.
fn live_as_of(look: &AccountLook, policy: &Policy, as_of: Day) -> Counts {
    let (from, to) = policy.view_days(View::Live, as_of);
    let within = look.days.iter().filter(|item| (from..=to).contains(&item.day));
    within.flat_map(|item| item.counts).fold(Counts::default(), |sum, part| plus(&sum, &part))
}

#[test]
fn days_add_up_to_the_totals_of_both_views() {
    look_at_all(11, |_, look| {
        for view in View::ALL {
            let (from, to) = look.windows[view.index()];
            for channel in Channel::ALL {
                let within = look.days.iter().filter(|item| (from..=to).contains(&item.day));
                let parts = within.map(|item| item.counts[channel.index()]);
                let sum = parts.fold(Counts::default(), |sum, part| plus(&sum, &part));
                assert_eq!(sum, look.row.totals[view.index()][channel.index()]);
            }
        }
    });
}

#[test]
fn the_rolling_rate_is_that_of_its_days_and_ends_with_todays() {
    look_at_all(12, |shard, look| {
        let policy = &shard.book.policy;
        for (day, counts) in &look.rolling {
            assert_eq!(*counts, live_as_of(look, policy, *day), "as of {day:?}");
        }
        let [mfn, afn] = &look.row.totals[View::Live.index()];
        assert_eq!(look.rolling.last().unwrap(), &(look.as_of, plus(mfn, afn)));
        assert_eq!(look.rolling.len(), look.row.trend.len());
        assert!(look.rolling.iter().zip(&look.row.trend).all(|((_, c), rate)| c.rate() == *rate));
        assert!(look.rolling.len() > usize::try_from(policy.lag_days).unwrap());
    });
}

#[test]
fn the_forecast_is_the_window_sliding_on_and_agrees_with_the_day_of_recovery() {
    let mut recoveries = 0_u32;
    look_at_all(13, |shard, look| {
        let policy = &shard.book.policy;
        for (day, counts) in &look.forecast {
            assert_eq!(*counts, live_as_of(look, policy, *day), "as of {day:?}");
        }
        let warning = policy.warning;
        let is_over = |counts: &Counts| {
            counts.rate().raises(warning.raise_bp, warning.min_defects, policy.min_orders)
        };
        let today = &look.rolling.last().unwrap().1;
        let first = look.forecast.iter().find(|(_, counts)| !is_over(counts));
        let expected = first.filter(|_| is_over(today)).map(|(day, _)| *day);
        assert_eq!(look.row.recovers_on, expected);
        recoveries += u32::from(expected.is_some());
        let (_, left) = look.forecast.last().unwrap();
        assert_eq!(left.defective, 0, "all that is known today has left");
        for level in &look.levels {
            if (level.kind, level.scope, level.view) == (AlertKind::Warning, Scope::All, View::Live)
            {
                assert_eq!(level.recovers_on, expected);
                assert_eq!(level.headroom, look.row.headroom);
            }
        }
    });
    assert!(recoveries > 100, "{recoveries} accounts that recover");
}

#[test]
fn defects_that_count_are_those_in_the_days() {
    look_at_all(14, |_, look| {
        assert_eq!(look.defects_total, look.defects.len(), "few enough to show all");
        let newest_first =
            look.defects.windows(2).all(|two| two[0].event_time >= two[1].event_time);
        assert!(newest_first);
        for item in &look.days {
            for channel in Channel::ALL {
                let mut orders: Vec<&str> = look
                    .defects
                    .iter()
                    .filter(|defect| defect.counting != crate::domain::policy::Counting::No)
                    .filter(|defect| (defect.purchase_day, defect.channel) == (item.day, channel))
                    .map(|defect| &*defect.order_id)
                    .collect();
                orders.sort_unstable();
                orders.dedup();
                let counted = usize::try_from(item.counts[channel.index()].defective).unwrap();
                assert_eq!(orders.len(), counted, "{:?} {channel:?}", item.day);
            }
        }
    });
}

/// All rows as they are.
fn rows(shard: &Shard) -> BTreeMap<AccountNo, AccountRow> {
    let row = |number: AccountNo| {
        let (seller, marketplace) = shard.book.accounts.name(number);
        (number, shard.look(seller, marketplace).unwrap().row)
    };
    shard.book.accounts.iter().map(|(number, _)| row(number)).collect()
}

#[test]
fn rows_that_are_taken_as_they_move_are_always_the_present_ones() {
    let mut seen: BTreeMap<AccountNo, AccountRow> = BTreeMap::new();
    let mut taken = 0_u32;
    run(15, |shard, _| {
        if !shard.is_watched() {
            assert_eq!(shard.take_moved(), None, "nobody reads");
            shard.watch();
        }
        let mut numbers = Vec::new();
        while let Some((number, row)) = shard.take_moved() {
            numbers.push(number);
            taken += 1;
            match row {
                Some(row) => drop(seen.insert(number, row)),
                None => drop(seen.remove(&number)),
            }
        }
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count, "each once");
        assert_eq!(seen, rows(shard));
        assert_eq!(shard.take_moved(), None);
    });
    assert!(taken > 100, "{taken} rows taken");
}

#[test]
fn accounts_that_are_forgotten_are_told_as_gone() {
    let mut shard = shard(Limits::default());
    for topic in [Topic::Feedback, Topic::Claims, Topic::Chargebacks] {
        shard.finish(topic);
    }
    let (mut random, start_ms) = (Random(18), 20_000 * DAY_MS);
    for offset in 0..40 {
        feed(&mut shard, &mut random, offset, start_ms + offset * 1_000);
    }
    let mut seen: BTreeMap<AccountNo, AccountRow> = BTreeMap::new();
    let mut most = 0;
    for day in 1..200_i64 {
        let time = RecordTime::from_ms(start_ms + day * DAY_MS);
        shard.accept_tombstone(Topic::Orders, Offset::new(40 + day), Some(time)).unwrap();
        while let Some(boundary) = shard.next_closable() {
            shard.close(boundary, &mut Effects::default()).unwrap();
        }
        if !shard.is_watched() {
            shard.watch();
        }
        while let Some((number, row)) = shard.take_moved() {
            match row {
                Some(row) => drop(seen.insert(number, row)),
                None => drop(seen.remove(&number)),
            }
        }
        assert_eq!(seen, rows(&shard));
        most = most.max(seen.len());
    }
    assert!(most > 2 && seen.is_empty(), "{most} accounts, {} left", seen.len());
}

#[test]
fn a_watch_that_begins_late_or_anew_sees_every_account() {
    let mut boundaries = 0_u32;
    run(16, |shard, _| {
        boundaries += 1;
        if boundaries.is_multiple_of(97) {
            shard.watch();
            let mut seen = BTreeMap::new();
            while let Some((number, row)) = shard.take_moved() {
                seen.insert(number, row.unwrap());
            }
            assert_eq!(seen, rows(shard));
        }
    });
    assert!(boundaries > 200);
}

#[test]
fn nothing_is_shown_of_accounts_that_are_not_held() {
    let shard = shard(Limits::default());
    assert_eq!(shard.look("A", ""), None);
    run(17, |shard, _| {
        assert_eq!(shard.look("nobody", ""), None);
        assert_eq!(shard.look("A", "nowhere"), None);
    });
    // Slides take away what they brought.
    let one = Counts { orders: 2, defective: 1, provisional_only: 1, by_kind: [1, 0, 1] };
    assert_eq!(minus(&plus(&one, &one), &one), one);
}
