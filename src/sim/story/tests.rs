//! The stories, recounted from the records alone: JSON in, plain arithmetic, levels out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;
use crate::domain::event::Topic;

/// 2026-03-18, a Wednesday, 10:00 UTC.
const NOW_MS: i64 = 1_773_828_000_000;
const START_MS: i64 = NOW_MS - HISTORY_DAYS * DAY_MS;

type AccountKey = (String, String);

/// What is known of one order, from records.
#[derive(Default)]
struct Seen {
    account: Option<AccountKey>,
    day: i64,
    known: bool,
    /// By kind: newest event time, and whether it counts.
    newest: BTreeMap<Topic, (String, bool)>,
}

/// A recount of a market: per account and purchase day, and when it was above 1 % and 2 %.
#[derive(Default)]
struct Recount {
    orders: BTreeMap<(String, String), Seen>,
    days: BTreeMap<AccountKey, BTreeMap<i64, (u64, u64)>>,
    above: BTreeMap<(AccountKey, u64), bool>,
    /// `(record time, account, percent, above)` for each change of level.
    changes: Vec<(i64, AccountKey, u64, bool)>,
    bad: usize,
    /// As-of day up to which all accounts were looked at.
    day: Option<i64>,
}

fn counts(topic: Topic, value: &Value) -> bool {
    let status = value["status"].as_str().unwrap_or_default();
    match topic {
        Topic::Orders => value["order_status"] != "Pending",
        Topic::Feedback => value["rating"].as_u64() <= Some(2) && "posted updated".contains(status),
        Topic::Claims => {
            let by_amazon = value["funded_by"] == "amazon";
            let open = ["filed", "under_review", "closed_refunded"].contains(&status);
            open || (!by_amazon && ["granted", "appealed"].contains(&status))
        }
        Topic::Chargebacks => {
            value["reason"] == "service" && ["opened", "under_review", "lost"].contains(&status)
        }
    }
}

fn day_of(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap();
    time.as_millisecond().div_euclid(DAY_MS)
}

impl Recount {
    fn take(&mut self, record: &SimRecord) {
        let day = record.timestamp_ms.div_euclid(DAY_MS);
        for slid in self.day.map_or(day, |before| before + 1)..=day {
            let accounts: Vec<AccountKey> = self.days.keys().cloned().collect();
            for account in accounts {
                self.look(&account, slid, slid * DAY_MS);
            }
        }
        self.day = Some(day);
        let value: Result<Value, _> = serde_json::from_slice(&record.value);
        let value = match value {
            Ok(value) if is_good(record, &value) => value,
            _ => {
                self.bad += 1;
                return;
            }
        };
        let text = |name: &str| value[name].as_str().unwrap().to_owned();
        let seen = self.orders.entry((text("seller_id"), text("order_id"))).or_default();
        let before = seen.state();
        let counts = counts(record.topic, &value);
        if record.topic == Topic::Orders {
            seen.account = Some((text("seller_id"), text("marketplace_id")));
            seen.day = day_of(&text("purchase_date"));
            seen.known |= counts;
        } else {
            let event = (text("event_time"), counts);
            let newest = seen.newest.entry(record.topic).or_insert(event.clone());
            if newest.0 < event.0 {
                *newest = event;
            }
        }
        let after = seen.state();
        let (Some(account), purchased) = (seen.account.clone(), seen.day) else {
            panic!("a defect before its order: {value}");
        };
        let days = self.days.entry(account.clone()).or_default();
        let of = days.entry(purchased).or_default();
        of.0 = of.0 + after.0 - before.0;
        of.1 = of.1 + after.1 - before.1;
        self.look(&account, day, record.timestamp_ms);
    }

    fn totals(&self, account: &AccountKey, day: i64) -> (u64, u64) {
        let window = self.days[account].range(day - 59..=day);
        window.fold((0, 0), |sum, (_, of)| (sum.0 + of.0, sum.1 + of.1))
    }

    fn look(&mut self, account: &AccountKey, day: i64, at_ms: i64) {
        let (orders, defective) = self.totals(account, day);
        for percent in [1, 2] {
            let is_above = defective * 100 > percent * orders && defective >= percent;
            let was_above = self.above.entry((account.clone(), percent)).or_default();
            if *was_above != is_above {
                *was_above = is_above;
                self.changes.push((at_ms, account.clone(), percent, is_above));
            }
        }
    }

    /// The changes of one level of one account, as days before the present.
    fn ages(&self, account: &AccountKey, percent: u64, now_ms: i64) -> Vec<(i64, bool)> {
        let today = now_ms.div_euclid(DAY_MS);
        let of = self
            .changes
            .iter()
            .filter(|change| &change.1 == account && change.2 == percent && change.0 <= now_ms);
        of.map(|change| (today - change.0.div_euclid(DAY_MS), change.3)).collect()
    }
}

impl Seen {
    fn state(&self) -> (u64, u64) {
        let defective = self.known && self.newest.values().any(|(_, counts)| *counts);
        (u64::from(self.known), u64::from(defective))
    }
}

fn is_good(record: &SimRecord, value: &Value) -> bool {
    let purchased = value["purchase_date"].as_str().map_or(0, day_of);
    let text = String::from_utf8(record.value.clone()).unwrap();
    value["order_id"].is_string()
        && value["status"] != "escalated"
        && value["rating"].as_u64().unwrap_or(1) <= 5
        && text.matches("\"rating\"").count() < 2
        && purchased <= record.timestamp_ms / DAY_MS
        && value["seller_id"] == record.key.as_str()
}

fn key(role: &Role) -> AccountKey {
    (role.seller.clone(), role.marketplace.to_owned())
}

fn account(market: &Market, story: Story) -> (usize, AccountKey) {
    let mut cast = market.cast().enumerate();
    let (index, role) = cast.find(|(_, role)| role.story == story).unwrap();
    (index, key(role))
}

fn recounted(seed: u64, now_ms: i64) -> (Market, Recount, usize) {
    let start_ms = now_ms - HISTORY_DAYS * DAY_MS;
    let mut market = Market::new(seed, 40, start_ms, now_ms);
    let (mut recount, mut records, mut last) = (Recount::default(), 0, start_ms);
    for record in market.by_ref() {
        assert!((last..=now_ms).contains(&record.timestamp_ms));
        last = record.timestamp_ms;
        records += 1;
        recount.take(&record);
    }
    (market, recount, records)
}

#[test]
fn the_history_is_of_forty_sellers_and_the_markets_own_count_is_what_the_records_say() {
    let (market, recount, records) = recounted(1, NOW_MS);
    assert!((150_000..300_000).contains(&records), "{records} records");
    assert_eq!(recount.bad, BAD_RECORDS);
    let sellers: BTreeSet<_> = market.cast().map(|role| role.seller.clone()).collect();
    assert_eq!(sellers.len(), 40);
    for (index, role) in market.cast().enumerate() {
        let day = NOW_MS.div_euclid(DAY_MS);
        let counted = recount.totals(&key(role), day);
        assert_eq!(market.totals(index, NOW_MS), counted, "{role:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_market_and_another_one_another() {
    let tell = |seed| {
        let mut market = Market::new(seed, 12, START_MS, NOW_MS);
        let mut records: Vec<SimRecord> = market.by_ref().collect();
        records.extend(market.live(NOW_MS + 5_000));
        records
    };
    assert!(tell(5) == tell(5), "equal seeds, equal records");
    assert!(tell(5) != tell(6), "other seeds, other records");
}

#[test]
fn a_market_may_be_small_or_empty_and_its_history_short() {
    for sellers in 0..12 {
        let mut market = Market::new(3, sellers, NOW_MS - 60_000, NOW_MS);
        assert!(market.by_ref().count() >= BAD_RECORDS.min(sellers * BAD_RECORDS));
        let distinct: BTreeSet<_> = market.cast().map(|role| role.seller.clone()).collect();
        assert_eq!(distinct.len(), sellers);
        let _ = market.live(NOW_MS + 1_000);
    }
}

/// Checks every story of a seed and a present.
fn check_stories(seed: u64, now_ms: i64) {
    let (market, mut recount, _) = recounted(seed, now_ms);
    let ages = |recount: &Recount, story, percent| {
        let (_, of) = account(&market, story);
        recount.ages(&of, percent, now_ms)
    };
    let of = |story| ages(&recount, story, 1);

    for role in market.cast() {
        let quiet = [Story::Healthy, Story::FbaOnly, Story::Unjustly, Story::Edge];
        if quiet.contains(&role.story) {
            assert_eq!(recount.ages(&key(role), 1, now_ms), [], "{role:?}");
        }
    }
    let drifting = of(Story::Drifting);
    assert!(matches!(drifting[..], [.., (8..=30, true)]), "{drifting:?}");
    assert_eq!(of(Story::Expiry), [(1, true)]);
    assert_eq!(of(Story::LowVolume), [(14, true)]);
    let saved = of(Story::Saved);
    assert!(matches!(saved[..], [(_, true), .., (5..=9, false)]), "{saved:?}");
    let other = of(Story::OtherMarket);
    assert!(matches!(other[..], [.., (_, true)]), "{other:?}");
    assert!(matches!(of(Story::Clearing)[..], [.., (_, true)]));
    check_cycles(&market, &recount, now_ms);
    check_expiry(&market, &recount, now_ms);
    check_live(market, &mut recount, now_ms);
}

/// Above 2 % at the last three cycle closes: midnights after Sundays.
fn check_cycles(market: &Market, recount: &Recount, now_ms: i64) {
    let (_, above) = account(market, Story::AboveTwo);
    let today = now_ms.div_euclid(DAY_MS);
    // Day 4 was a Monday.
    let monday = today - (today - 4).rem_euclid(7);
    for close in [monday, monday - 7, monday - 14] {
        let level = recount
            .changes
            .iter()
            .rfind(|change| change.1 == above && change.2 == 2 && change.0 < close * DAY_MS);
        assert!(level.is_some_and(|change| change.3), "{close}");
    }
}

/// No defect of the expiry story is newer than the day that it crosses on.
fn check_expiry(market: &Market, recount: &Recount, now_ms: i64) {
    let (index, of) = account(market, Story::Expiry);
    let today = now_ms.div_euclid(DAY_MS);
    assert_eq!(market.totals(index, now_ms).1, 5);
    let with = |day: i64| recount.totals(&of, day);
    assert_eq!(with(today).1, 5, "nothing was put right either");
    let crossing = recount.changes.iter().find(|change| change.1 == of).unwrap();
    assert_eq!(crossing.0, (today - 1) * DAY_MS, "by the slide, at midnight");
}

/// Within the first minute one crosses 1 % and one is cleared; then others take turns.
fn check_live(mut market: Market, recount: &mut Recount, now_ms: i64) {
    let (_, edge) = account(&market, Story::Edge);
    let (_, clearing) = account(&market, Story::Clearing);
    let (mut records, mut last) = (0, now_ms);
    for second in 1..=300 {
        let until = now_ms + second * 1_000;
        for record in market.live(until) {
            assert!((last..=until).contains(&record.timestamp_ms));
            last = record.timestamp_ms;
            records += 1;
            recount.take(&record);
        }
    }
    assert!((300 * 24..300 * 60).contains(&records), "{records}");
    let changed = |account: Option<&AccountKey>, above, within_ms| {
        recount.changes.iter().any(|change| {
            change.0 > now_ms
                && change.0 <= now_ms + within_ms
                && account.is_none_or(|of| &change.1 == of)
                && (change.2, change.3) == (1, above)
        })
    };
    assert!(changed(Some(&edge), true, 60_000));
    assert!(changed(Some(&clearing), false, 60_000));
    let late_raises =
        recount.changes.iter().filter(|change| change.0 > now_ms + 60_000 && change.3);
    assert!(late_raises.count() >= 3);
    let taker_cleared = |change: &&(i64, AccountKey, u64, bool)| {
        change.0 > now_ms + 200_000 && !change.3 && change.1 != clearing
    };
    assert!(recount.changes.iter().any(|change| taker_cleared(&change)));
}

#[test]
fn every_story_comes_true() {
    check_stories(1, NOW_MS);
    check_stories(2, NOW_MS + 3 * DAY_MS + 13 * 3_600_000);
    check_stories(3, NOW_MS + 5 * DAY_MS - 9 * 3_600_000);
}

#[test]
fn the_live_market_keeps_the_pace_that_is_set() {
    for pace in [5, 40, 200] {
        let mut market = Market::new(4, 12, START_MS, NOW_MS);
        market.set_pace(pace);
        let _ = market.live(NOW_MS + 60_000);
        // Orders go their way within a minute, so this one is in full swing.
        let records = u32::try_from(market.live(NOW_MS + 120_000).len()).unwrap();
        assert!((pace * 60 / 2..pace * 60 * 2).contains(&records), "{records} at {pace}");
    }
}

#[test]
fn a_market_that_slept_does_late_what_it_was_about_to_do() {
    let told = |slept_ms: i64| {
        let mut market = Market::new(1, 40, START_MS, NOW_MS);
        market.sleep_until(NOW_MS + slept_ms);
        let (index, _) = account(&market, Story::Edge);
        let (_, before) = market.totals(index, NOW_MS);
        let records = market.live(NOW_MS + slept_ms + 20_000);
        assert!(records.iter().all(|record| record.timestamp_ms >= NOW_MS + slept_ms));
        market.totals(index, NOW_MS).1 > before
    };
    assert!(told(0) && told(30_000), "the edge crosses within 20 s of the waking");
}
