//! The read model against a plain one, under random changes; pages; and who waits for whom.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::{Inner, ReadModel, SellerRow, SentAlert};
use super::standing::{Standing, Sum};
use super::{Filter, Inquiry, Mailbox, NotAsked, Sort, WAITING_INQUIRIES, mailbox};
use crate::domain::effects::{AlertKind, AlertState, Counts};
use crate::domain::event::Channel;
use crate::domain::ids::ShardNo;
use crate::domain::look::AccountRow;
use crate::domain::policy::{Policy, View};
use crate::domain::rate::Rate;
use crate::domain::risk::Band;
use crate::domain::window::AccountNo;

/// A row whose numbers follow from a few.
fn row(seller: &str, marketplace: &str, (orders, defective): (u32, u32)) -> AccountRow {
    let counts =
        Counts { orders, defective, provisional_only: defective / 2, by_kind: [defective, 0, 1] };
    let none = Counts::default();
    let rate = Rate { defective, orders };
    AccountRow {
        seller_id: seller.into(),
        marketplace_id: marketplace.into(),
        band: Band::of(rate, &Policy::default()),
        totals: [[counts, none], [none, counts]],
        headroom: rate.headroom(100, 1),
        low_volume: orders < 100,
        recovers_on: None,
        active: [defective > 3, defective > 5, false],
        streak: defective % 3,
        trend: vec![rate].into(),
    }
}

/// A change of a model.
#[derive(Clone, Debug)]
enum Step {
    Set { shard: u32, number: u32, generation: u8, counts: (u32, u32) },
    Remove { shard: u32, number: u32 },
    TakeOver { shard: u32 },
    Forget { shard: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = (0..3_u32, 0..6_u32);
    let step = prop_oneof![
        8 => (place.clone(), 0..2_u8, 0..300_u32, 0..9_u32).prop_map(
            |((shard, number), generation, orders, defective)| {
                let counts = (orders, defective.min(orders));
                Step::Set { shard, number, generation, counts }
            }
        ),
        3 => place.prop_map(|(shard, number)| Step::Remove { shard, number }),
        1 => (0..3_u32).prop_map(|shard| Step::TakeOver { shard }),
        1 => (0..3_u32).prop_map(|shard| Step::Forget { shard }),
    ];
    vec(step, 1..60)
}

/// The seller of a place: another one when the number was given away again.
fn seller(shard: u32, number: u32, generation: u8) -> String {
    format!("S{shard}-{number}-{generation}")
}

type Plain = BTreeMap<(ShardNo, AccountNo), AccountRow>;

fn apply(model: &ReadModel, mailbox: &Mailbox, plain: &mut Plain, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Set { shard, number, generation, counts } => {
                let name = seller(*shard, *number, *generation);
                let marketplace = if number.is_multiple_of(2) { "" } else { "M" };
                let new = row(&name, marketplace, *counts);
                let (shard, number) = (ShardNo::new(*shard), AccountNo(*number));
                change(model, |inner| inner.set_row(shard, number, Some(new.clone())));
                plain.insert((shard, number), new);
            }
            Step::Remove { shard, number } => {
                let (shard, number) = (ShardNo::new(*shard), AccountNo(*number));
                change(model, |inner| inner.set_row(shard, number, None));
                plain.remove(&(shard, number));
            }
            Step::TakeOver { shard } => {
                let shard = ShardNo::new(*shard);
                change(model, |inner| inner.take_over(shard, mailbox));
                plain.retain(|(of, _), _| *of != shard);
            }
            Step::Forget { shard } => {
                let shard = ShardNo::new(*shard);
                model.forget(shard, mailbox);
                plain.retain(|(of, _), _| *of != shard);
            }
        }
    }
}

fn change(model: &ReadModel, change: impl FnOnce(&mut Inner)) {
    change(&mut model.try_lock().expect("nobody else is inside"));
}

/// The sums over plain rows.
fn standing_of(plain: &Plain) -> Standing {
    let mut standing = Standing::default();
    let sum = |sum: &mut Sum, counts: &Counts| {
        sum.orders += u64::from(counts.orders);
        sum.defective += u64::from(counts.defective);
        sum.provisional_only += u64::from(counts.provisional_only);
        for (sum, count) in sum.by_kind.iter_mut().zip(counts.by_kind) {
            *sum += u64::from(count);
        }
    };
    for row in plain.values() {
        standing.bands[row.band.index()] += 1;
        for (count, is_up) in standing.active.iter_mut().zip(row.active) {
            *count += u64::from(is_up);
        }
        for (sums, counts) in standing.totals.iter_mut().zip(row.totals) {
            for (into, counts) in sums.iter_mut().zip(counts) {
                sum(into, &counts);
            }
        }
    }
    standing
}

fn names(rows: &[Arc<SellerRow>]) -> Vec<(String, String)> {
    let name =
        |row: &Arc<SellerRow>| (row.row.seller_id.to_string(), row.row.marketplace_id.to_string());
    rows.iter().map(name).collect()
}

fn inquiry(seller_id: &str, marketplace_id: &str) -> Inquiry {
    Inquiry {
        seller_id: seller_id.to_owned(),
        marketplace_id: marketplace_id.to_owned(),
        answer: Box::new(drop),
    }
}

proptest! {
    #[test]
    fn sums_and_places_are_those_of_the_rows(steps in steps()) {
        let (model, mut plain) = (ReadModel::new(), Plain::new());
        let (mailbox, _inquiries) = mailbox();
        for shard in 0..3 {
            change(&model, |inner| inner.take_over(ShardNo::new(shard), &mailbox));
        }
        apply(&model, &mailbox, &mut plain, &steps);
        prop_assert_eq!(model.standing(), standing_of(&plain));
        let listing = model.listing(0);
        let page = listing.page(&Filter::default(), (Sort::Seller, false), None, usize::MAX);
        let mut wanted: Vec<_> = plain
            .values()
            .map(|row| (row.seller_id.to_string(), row.marketplace_id.to_string()))
            .collect();
        wanted.sort_unstable();
        prop_assert_eq!(names(&page.rows), wanted);
        prop_assert_eq!(page.total, plain.len());
        for (seller, marketplace) in names(&page.rows) {
            let asked = model.ask(inquiry(&seller, &marketplace));
            prop_assert_ne!(asked, Err(NotAsked::Unknown), "{}", seller);
        }
        prop_assert_eq!(model.ask(inquiry("nobody", "")), Err(NotAsked::Unknown));
    }

    #[test]
    fn pages_hold_every_row_that_fits_once_and_in_order(
        steps in steps(),
        most in 1..5_usize,
        sort in 0..Sort::ALL.len(),
        is_reversed: bool,
        pick in 0..5_u8,
    ) {
        let (model, mut plain) = (ReadModel::new(), Plain::new());
        let (mailbox, _inquiries) = mailbox();
        apply(&model, &mailbox, &mut plain, &steps);
        let filter = match pick {
            0 => Filter::default(),
            1 => Filter { text: "s1-".to_owned(), ..Filter::default() },
            2 => Filter { bands: vec![Band::Good, Band::Critical], ..Filter::default() },
            3 => Filter { marketplace_id: Some("M".to_owned()), ..Filter::default() },
            _ => Filter { channel: Some(Channel::Mfn), ..Filter::default() },
        };
        let fits = |row: &&AccountRow| match pick {
            0 => true,
            1 => row.seller_id.starts_with("S1-"),
            2 => [Band::Good, Band::Critical].contains(&row.band),
            3 => &*row.marketplace_id == "M",
            _ => row.totals[View::Live.index()][Channel::Mfn.index()].orders > 0,
        };
        let by = (Sort::ALL[sort], is_reversed);
        let listing = model.listing(0);
        let whole = listing.page(&filter, by, None, usize::MAX);
        let mut found: Vec<(String, String)> = Vec::new();
        loop {
            let after = found.last().cloned();
            let after = after.as_ref().map(|(seller, market)| (seller.as_str(), market.as_str()));
            let page = listing.page(&filter, by, after, most);
            found.extend(names(&page.rows));
            prop_assert_eq!(page.total, whole.total);
            if !page.has_more {
                break;
            }
            prop_assert_eq!(page.rows.len(), most);
        }
        prop_assert_eq!(&found, &names(&whole.rows));
        prop_assert_eq!(whole.total, plain.values().filter(fits).count());
        let reversed = listing.page(&filter, (by.0, !by.1), None, usize::MAX);
        found.reverse();
        prop_assert_eq!(found, names(&reversed.rows));
    }
}

#[test]
fn the_worst_come_first() {
    let model = ReadModel::new();
    let rows = [("good", 1_000, 1), ("critical", 100, 9), ("warning", 1_000, 15), ("none", 0, 0)];
    for (number, (name, orders, defective)) in (0..).zip(rows) {
        let new = row(name, "", (orders, defective));
        let number = AccountNo(number);
        change(&model, |inner| inner.set_row(ShardNo::new(0), number, Some(new)));
    }
    let first = |sort| {
        let page = model.listing(0).page(&Filter::default(), (sort, false), None, 4);
        page.rows.iter().map(|row| row.row.seller_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(first(Sort::Risk), ["critical", "warning", "good", "none"]);
    assert_eq!(first(Sort::Rate), ["critical", "warning", "good", "none"]);
    assert_eq!(first(Sort::Orders), ["good", "warning", "critical", "none"]);
    assert_eq!(first(Sort::Headroom).last().unwrap(), "none");
}

#[test]
fn an_account_that_came_back_under_another_number_keeps_its_place() {
    let (model, shard) = (ReadModel::new(), ShardNo::new(0));
    let (mailbox, _inquiries) = mailbox();
    change(&model, |inner| inner.take_over(shard, &mailbox));
    let number = AccountNo;
    let of = |name| Some(row(name, "", (10, 0)));
    change(&model, |inner| {
        inner.set_row(shard, number(5), of("A"));
        // "A" was forgotten and came back as 2; 5 is "B" now.
        inner.set_row(shard, number(2), of("A"));
        inner.set_row(shard, number(5), of("B"));
    });
    for name in ["A", "B"] {
        assert_eq!(model.ask(inquiry(name, "")), Ok(()), "{name}");
    }
}

#[test]
fn a_shard_that_is_lost_leaves_nothing_and_one_that_was_taken_over_stays() {
    let (model, shard) = (ReadModel::new(), ShardNo::new(4));
    let ((first, _first), (second, _second)) = (mailbox(), mailbox());
    let put = |name| {
        let new = row(name, "M", (10, 1));
        change(&model, |inner| inner.set_row(shard, AccountNo(0), Some(new)));
    };
    change(&model, |inner| inner.take_over(shard, &first));
    put("A");
    change(&model, |inner| inner.take_over(shard, &second));
    put("B");
    model.forget(shard, &first);
    assert_eq!(model.ask(inquiry("B", "M")), Ok(()), "it is the second worker's");
    assert_eq!(model.ask(inquiry("A", "M")), Err(NotAsked::Unknown));
    model.forget(shard, &second);
    assert_eq!(model.ask(inquiry("B", "M")), Err(NotAsked::Unknown));
    assert_eq!(model.standing(), Standing::default());
    assert!(model.shards().is_empty() && model.days().is_empty());
    assert!(model.listing(10_000).marketplaces().is_empty());
}

#[test]
fn questions_wait_in_a_bounded_queue_and_a_worker_never_waits_for_a_reader() {
    let (model, shard) = (ReadModel::new(), ShardNo::new(0));
    let (mailbox, inquiries) = mailbox();
    change(&model, |inner| {
        inner.take_over(shard, &mailbox);
        inner.set_row(shard, AccountNo(0), Some(row("A", "", (1, 0))));
        assert!(model.try_lock().is_none(), "a worker goes on where a reader is inside");
    });
    for _ in 0..WAITING_INQUIRIES {
        assert_eq!(model.ask(inquiry("A", "")), Ok(()));
    }
    assert_eq!(model.ask(inquiry("A", "")), Err(NotAsked::Busy));
    drop(inquiries);
    assert_eq!(model.ask(inquiry("A", "")), Err(NotAsked::Gone));
}

fn alert(name: &str) -> SentAlert {
    SentAlert {
        number: 0,
        shard: ShardNo::new(0),
        kind: AlertKind::Warning,
        state: AlertState::Raised,
        seller_id: name.into(),
        marketplace_id: "".into(),
        value: name.as_bytes().into(),
    }
}

#[test]
fn alerts_resume_behind_a_number_as_long_as_all_after_it_are_kept() {
    let model = ReadModel::new();
    assert_eq!(model.alerts_after(0).unwrap().len(), 0);
    assert!(model.alerts_after(1).is_none(), "a number that was not given yet");
    let total = super::LATEST_ALERTS + 10;
    for number in 0..total {
        change(&model, |inner| inner.add_alert(alert(&number.to_string())));
    }
    assert_eq!(model.alerts_total(), 2_010);
    let after = model.alerts_after(2_008).unwrap();
    assert_eq!(after.iter().map(|alert| alert.number).collect::<Vec<_>>(), [2_009, 2_010]);
    assert_eq!(model.alerts_after(2_010).unwrap().len(), 0);
    assert_eq!(model.alerts_after(10).unwrap().len(), super::LATEST_ALERTS);
    assert!(model.alerts_after(9).is_none(), "the tenth is gone");
    assert!(model.alerts_after(2_011).is_none() && model.alerts_after(u64::MAX).is_none());
    let newest = model.alerts(None, 2, |_| true);
    assert_eq!(newest.iter().map(|alert| alert.number).collect::<Vec<_>>(), [2_010, 2_009]);
    let before = model.alerts(Some(2_009), 1, |_| true);
    assert_eq!(before[0].number, 2_008);
}

#[test]
fn what_moved_is_named_as_long_as_it_is_kept() {
    let model = ReadModel::new();
    let (_, start) = model.moved_since(0);
    for step in 0..3_000_u32 {
        let new = row(&format!("S{step}"), "", (1, 0));
        change(&model, |inner| inner.set_row(ShardNo::new(0), AccountNo(0), Some(new)));
    }
    assert!(model.moved_since(start).0.is_none(), "more moved than is kept");
    let (_, now) = model.moved_since(0);
    let (moved, _) = model.moved_since(now - 2);
    let moved: Vec<_> = moved.unwrap().iter().map(|row| row.row.seller_id.to_string()).collect();
    assert_eq!(moved, ["S2998", "S2999"]);
    assert_eq!(model.moved_since(now), (Some(Vec::new()), now));
}
