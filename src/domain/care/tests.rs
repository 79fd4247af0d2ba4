//! Matters, quotes and endings of random markets, and of single feedbacks from posting to end.

use std::collections::BTreeMap;

use super::*;
use crate::domain::effects::Effects;
use crate::domain::event::{
    ChargebackStatus, ClaimStatus, DefectEvent, Event, FeedbackStatus, OrderEvent, OrderStatus,
    Topic,
};
use crate::domain::ids::{MarketplaceId, NextOffset, OrderId, RefId, SellerId};
use crate::domain::image::{Builder, Taking};
use crate::domain::shard::{AlertingStart, Limits, Shard, ShardConfig};
use crate::domain::tests::{Random, feed, run, run_with, shard, shard_config};
use crate::domain::time::{Boundary, DAY_MS, RecordTime};

/// The newest word on each matter.
type Told = BTreeMap<(String, String, DefectKind, Option<String>), OpenMatter>;

fn identity(matter: &Matter) -> (String, String, DefectKind, Option<String>) {
    let text = |text: &str| text.to_owned();
    let reference = matter.reference.as_deref().map(text);
    (text(&matter.seller_id), text(&matter.order_id), matter.kind, reference)
}

fn tell(told: &mut Told, matters: &[Matter]) {
    for matter in matters {
        match &matter.open {
            Some(open) => told.insert(identity(matter), (**open).clone()),
            None => told.remove(&identity(matter)),
        };
    }
}

/// Every matter of a shard as it stands.
fn all(shard: &Shard) -> Told {
    let mut told = Told::new();
    for (number, account) in shard.book.accounts.iter() {
        for (_, key) in account.with_defects.newest_first() {
            tell(&mut told, &shard.book.matters(number, key, 0));
        }
    }
    told
}

/// A matter without what moves with its account and with time.
fn facts(open: &OpenMatter) -> OpenMatter {
    let none = Rate { defective: 0, orders: 0 };
    let gains = open.gains.map(|gain| Gain {
        leaves_on: gain.leaves_on,
        now: none,
        if_granted: none,
        defects_left: 0,
        defects_left_if_granted: 0,
    });
    OpenMatter { boundary_ms: 0, as_of: Day::from_number(0), gains, ..open.clone() }
}

#[test]
fn i_23_what_was_told_last_is_every_matter_as_it_stands() {
    let (mut told, mut most) = (Told::new(), 0);
    run(21, |shard, effects| {
        tell(&mut told, &effects.matters);
        let standing = all(shard);
        most = most.max(standing.len());
        assert!(told.keys().eq(standing.keys()));
        for (told, standing) in told.values().zip(standing.values()) {
            assert_eq!(facts(told), facts(standing));
        }
    });
    assert!(most > 10, "{most}");
}

#[test]
fn after_a_cycle_the_gains_of_accounts_that_moved_are_told_anew() {
    let (mut told, mut cycles) = (Told::new(), 0);
    run(22, |shard, effects| {
        tell(&mut told, &effects.matters);
        let as_of = shard.as_of().unwrap();
        if shard.cycle_end(as_of) == shard.book.boundary.ms(shard.length) {
            cycles += 1;
            for (told, standing) in told.values().zip(all(shard).values()) {
                assert_eq!(told.gains, standing.gains);
            }
        }
    });
    assert!(cycles > 20, "{cycles}");
}

/// The fact that ends a defect in the seller's favour.
fn granted(fact: DefectFact) -> DefectFact {
    match fact {
        DefectFact::Feedback { rating, .. } => {
            DefectFact::Feedback { status: FeedbackStatus::StruckThrough, rating }
        }
        DefectFact::Claim { funded_by, .. } => {
            DefectFact::Claim { status: ClaimStatus::Reversed, funded_by, odr_impact: None }
        }
        DefectFact::Chargeback { reason, .. } => {
            DefectFact::Chargeback { status: ChargebackStatus::Won, reason, odr_impact: None }
        }
    }
}

/// What the engine counts once a matter is granted in the boundary after `boundary`, which is in
/// the same day; `None` where it is not.
fn counted_if_granted(shard: &Shard, matter: &Matter, boundary: Boundary) -> Option<[Rate; 2]> {
    let open = matter.open.as_ref()?;
    let next = Boundary::from_number(boundary.number() + 1);
    let day = Day::of(next.ms(shard.length) - 1, &shard.book.policy.time_zone);
    if Some(day) != shard.as_of() {
        return None;
    }
    let mut shard = shard.clone();
    shard.rewind();
    let defect = DefectEvent {
        seller: SellerId::new(&matter.seller_id).unwrap(),
        order: OrderId::new(&matter.order_id).unwrap(),
        event_time: EventTime::from_ms(open.stated.ms() + 1),
        purchase_time: None,
        reference: matter.reference.as_deref().map(|text| RefId::new(text).unwrap()),
        fact: granted(open.fact),
    };
    let time = RecordTime::from_ms(next.ms(shard.length) - 1);
    let offset = Offset::new(1 << 40);
    shard.accept(Topic::Orders, offset, time, &Event::Defect(defect)).unwrap();
    let mut effects = Effects::default();
    shard.close(next, &mut effects).unwrap();
    let number = shard.book.accounts.find(&matter.seller_id, &open.marketplace_id).unwrap();
    let account = shard.book.accounts.get(number);
    Some(View::ALL.map(|view| account.counts(view, Scope::All).rate()))
}

#[test]
fn i_24_a_gain_is_what_the_engine_counts_once_the_defect_is_granted() {
    let (mut cases, mut saved) = (0_u32, 0_u32);
    for seed in 100.. {
        run(seed, |shard, effects| {
            let boundary = shard.closed().unwrap();
            for matter in &effects.matters {
                let Some(counted) = counted_if_granted(shard, matter, boundary) else { continue };
                let gains = matter.open.as_ref().unwrap().gains;
                assert_eq!(gains.map(|gain| gain.if_granted), counted, "seed {seed}: {matter:?}");
                cases += 1;
                saved += u32::from(gains.iter().any(|gain| gain.now != gain.if_granted));
            }
        });
        if cases >= 10_000 {
            break;
        }
    }
    // Orders out of both views, and orders with another defect, gain nothing.
    assert!(saved > cases / 4 && saved < cases, "{saved} of {cases}");
}

/// Closes what can close.
fn close_all(shard: &mut Shard) -> Effects {
    let mut effects = Effects::default();
    while let Some(boundary) = shard.next_closable() {
        shard.close(boundary, &mut effects).unwrap();
    }
    effects
}

fn restored(shard: &Shard) -> Shard {
    let mut taking = Taking::begin(shard).unwrap();
    while !taking.step(shard, 10_000) {}
    let config = shard_config(Limits::default());
    let mut builder = Builder::new(ShardConfig { hash_seed: 77, ..config });
    taking.finish().write(&mut |kind, block| builder.take(kind, block).unwrap());
    builder.finish().unwrap()
}

#[test]
fn a_shard_from_its_image_tells_the_same_from_there_on() {
    let finish = |shard: &mut Shard| {
        for topic in [Topic::Feedback, Topic::Claims, Topic::Chargebacks] {
            shard.finish(topic);
        }
    };
    let mut random = Random(23);
    let (mut original, mut other) = (shard(Limits::default()), None);
    finish(&mut original);
    let (mut now, mut told, mut waiting) = (20_000 * DAY_MS, 0, Vec::new());
    for offset in 0..1_200 {
        now += random.ms(DAY_MS / 4);
        let mut again = random.clone();
        waiting.push((random.clone(), offset, now));
        feed(&mut original, &mut random, offset, now);
        let effects = close_all(&mut original);
        waiting.drain(..waiting.len() - original.held().pending);
        if let Some(other) = &mut other {
            feed(other, &mut again, offset, now);
            assert_eq!(close_all(other), effects);
            told += effects.matters.len() + effects.quotes.len() + effects.endings.len();
        } else if offset == 400 {
            let mut shard = restored(&original);
            finish(&mut shard);
            // What waits is no part of an image, and is read again.
            for (mut again, offset, now) in waiting.clone() {
                feed(&mut shard, &mut again, offset, now);
            }
            assert_eq!(all(&shard), all(&original));
            other = Some(shard);
        }
    }
    assert!(told > 500, "{told}");
}

#[test]
fn nothing_is_told_before_alerting_begins_and_every_matter_where_it_does() {
    let start = 20_060 * DAY_MS;
    let config =
        ShardConfig { start: AlertingStart::Time(start), ..shard_config(Limits::default()) };
    let (mut quotes, mut began) = (0, false);
    run_with(&mut Shard::new(config), 24, |shard, effects| {
        if shard.is_alerting() && !began {
            began = true;
            let mut told = Told::new();
            tell(&mut told, &effects.matters);
            assert!(told.len() > 5 && told.keys().eq(all(shard).keys()));
        } else if !began {
            assert_eq!(effects.matters, []);
            quotes += effects.quotes.len();
        }
    });
    assert!(began && quotes > 20, "{quotes}");
}

#[test]
fn nothing_is_told_to_nobody() {
    let config = ShardConfig { matters: false, ..shard_config(Limits::default()) };
    run_with(&mut Shard::new(config), 25, |_, effects| {
        assert!(effects.matters.is_empty() && effects.quotes.is_empty());
        assert!(effects.endings.is_empty());
    });
}

/// One seller with one order, to which things happen one boundary after the other.
struct Story {
    shard: Shard,
    now: i64,
    offset: i64,
}

impl Story {
    fn new() -> Self {
        let mut shard = shard(Limits::default());
        for topic in [Topic::Feedback, Topic::Claims, Topic::Chargebacks] {
            shard.finish(topic);
        }
        Self { shard, now: 20_000 * DAY_MS + 1, offset: 0 }
    }

    fn close(&mut self, event: &Event<'_>, note: Option<Note>) -> Effects {
        self.now += 900_000;
        self.offset += 1;
        let (offset, time) = (Offset::new(self.offset), RecordTime::from_ms(self.now));
        self.shard.accept_noted(Topic::Orders, offset, time, event, note).unwrap();
        let mut effects = Effects::default();
        let last = self.shard.inbox.last_waiting().unwrap();
        self.shard.close_through(last, &mut effects).unwrap();
        effects
    }

    fn order(&mut self, market: &str, buy_shipping: Option<bool>) -> Effects {
        let time = EventTime::from_ms(20_000 * DAY_MS);
        let event = Event::Order(OrderEvent {
            seller: SellerId::new("S").unwrap(),
            marketplace: MarketplaceId::new(market).unwrap(),
            order: OrderId::new("an odd order").unwrap(),
            event_time: time,
            purchase_time: time,
            channel: Channel::Mfn,
            status: OrderStatus::Open,
            buy_shipping,
            shipped_on_time: None,
        });
        self.close(&event, None)
    }

    fn feedback(&mut self, status: FeedbackStatus, rating: u8, note: Option<u8>) -> Effects {
        let event = Event::Defect(DefectEvent {
            seller: SellerId::new("S").unwrap(),
            order: OrderId::new("an odd order").unwrap(),
            event_time: EventTime::from_ms(self.now),
            purchase_time: None,
            reference: None,
            fact: DefectFact::Feedback { status, rating },
        });
        self.close(&event, note.map(|byte| Note::new(&[byte]).unwrap()))
    }
}

fn quote(offset: Option<i64>) -> Quote {
    Quote {
        seller_id: "S".into(),
        order_id: "an odd order".into(),
        offset: offset.map(Offset::new),
    }
}

fn open(effects: &Effects) -> &OpenMatter {
    let [matter] = &effects.matters[..] else { panic!("one matter: {effects:?}") };
    matter.open.as_ref().expect("an open one")
}

#[test]
fn a_feedback_before_its_order_is_quoted_at_once_and_advised_when_the_order_comes() {
    let mut story = Story::new();
    let effects = story.feedback(FeedbackStatus::Posted, 1, Some(9));
    assert_eq!((effects.matters.len(), &effects.quotes[..]), (0, &[quote(Some(1))][..]));
    let effects = story.order("M", None);
    assert_eq!(effects.quotes, []);
    let matter = open(&effects);
    assert_eq!(matter.note.as_ref().unwrap().as_bytes(), [9]);
    assert_eq!((&*matter.marketplace_id, matter.channel), ("M", Channel::Mfn));
    assert_eq!(matter.gains[0].now, Rate { defective: 1, orders: 1 });
    assert_eq!(matter.gains[0].if_granted, Rate { defective: 0, orders: 1 });
    assert_eq!(matter.gains[1].now, Rate { defective: 0, orders: 0 });
}

#[test]
fn advice_is_told_anew_when_its_order_or_feedback_changes_and_not_for_a_repetition() {
    let mut story = Story::new();
    story.order("M", None);
    let first = story.feedback(FeedbackStatus::Posted, 1, Some(9));
    let opened = open(&first).opened;
    let repeated = Event::Order(OrderEvent {
        seller: SellerId::new("S").unwrap(),
        marketplace: MarketplaceId::new("M").unwrap(),
        order: OrderId::new("an odd order").unwrap(),
        event_time: EventTime::from_ms(0),
        purchase_time: EventTime::from_ms(20_000 * DAY_MS),
        channel: Channel::Mfn,
        status: OrderStatus::Open,
        buy_shipping: None,
        shipped_on_time: None,
    });
    assert_eq!(story.close(&repeated, None).matters, []);
    assert_eq!(open(&story.order("M", Some(true))).buy_shipping, Some(true));
    // A smaller marketplace: the order, and the matter with it, moves to another account.
    assert_eq!(&*open(&story.order("L", Some(true))).marketplace_id, "L");
    let updated = story.feedback(FeedbackStatus::Updated, 2, Some(7));
    let matter = open(&updated);
    assert_eq!(matter.fact, DefectFact::Feedback { status: FeedbackStatus::Updated, rating: 2 });
    assert!(matter.opened == opened && matter.stated > opened);
    assert_eq!(updated.quotes, [quote(Some(6))]);
    assert_eq!(updated.endings, []);
}

#[test]
fn a_feedback_that_ends_closes_its_matter_takes_back_its_quotes_and_says_how_it_ended() {
    for (status, rating, was_granted) in [
        (FeedbackStatus::StruckThrough, 1, true),
        (FeedbackStatus::Removed, 1, true),
        (FeedbackStatus::Withdrawn, 1, false),
        (FeedbackStatus::Updated, 5, false),
    ] {
        let mut story = Story::new();
        story.order("M", Some(false));
        story.feedback(FeedbackStatus::Posted, 1, Some(9));
        let effects = story.feedback(status, rating, None);
        assert_eq!(effects.matters.len(), 1);
        assert_eq!(effects.matters[0].open, None);
        assert_eq!(effects.quotes, [quote(None)]);
        let note = Note::new(&[9]).unwrap();
        let (channel, buy_shipping) = (Some(Channel::Mfn), Some(false));
        let ending = Ending { note, channel, buy_shipping, shipped_on_time: None, was_granted };
        assert_eq!(effects.endings, [ending]);
    }
}

#[test]
fn an_order_that_leaves_every_view_takes_its_matters_along() {
    let mut story = Story::new();
    story.order("M", None);
    story.feedback(FeedbackStatus::Posted, 1, Some(9));
    let mut effects = Effects::default();
    let last_day = Boundary::at_or_after(20_075 * DAY_MS, story.shard.length);
    story.shard.close_through(last_day, &mut effects).unwrap();
    assert!(effects.matters.iter().all(|matter| matter.open.is_some()), "in the official view");
    effects.clear();
    let next = Boundary::at_or_after(20_076 * DAY_MS, story.shard.length);
    story.shard.close_through(next, &mut effects).unwrap();
    assert_eq!(effects.matters.len(), 1);
    assert_eq!((&effects.matters[0].open, &*effects.matters[0].order_id), (&None, "an odd order"));
    assert_eq!((effects.quotes.len(), effects.endings[0].was_granted), (1, false));
}

#[test]
fn an_orphan_that_is_forgotten_takes_its_quotes_along() {
    let mut story = Story::new();
    story.feedback(FeedbackStatus::Posted, 1, Some(9));
    let mut effects = Effects::default();
    let later = Boundary::at_or_after(20_080 * DAY_MS, story.shard.length);
    story.shard.close_through(later, &mut effects).unwrap();
    assert_eq!((effects.matters.len(), &effects.quotes[..]), (0, &[quote(None)][..]));
    assert_eq!(effects.endings[0].channel, None);
}

#[test]
fn of_two_feedbacks_in_one_boundary_the_last_one_is_quoted() {
    let mut story = Story::new();
    story.order("M", None);
    let event = |ms: i64, rating| {
        Event::Defect(DefectEvent {
            seller: SellerId::new("S").unwrap(),
            order: OrderId::new("an odd order").unwrap(),
            event_time: EventTime::from_ms(ms),
            purchase_time: None,
            reference: None,
            fact: DefectFact::Feedback { status: FeedbackStatus::Posted, rating },
        })
    };
    let time = RecordTime::from_ms(story.now + 900_000);
    let note = |byte| Some(Note::new(&[byte]).unwrap());
    let first = event(story.now, 1);
    story.shard.accept_noted(Topic::Orders, Offset::new(2), time, &first, note(1)).unwrap();
    story.offset = 2;
    let effects = story.close(&event(story.now + 1, 2), note(2));
    assert_eq!(effects.quotes, [quote(Some(3))]);
    assert_eq!(open(&effects).note, note(2));
    // An older one that comes late changes nothing but when it was opened.
    let effects = story.close(&event(story.now - DAY_MS, 1), note(3));
    assert_eq!((open(&effects).note.clone(), effects.quotes.len()), (note(2), 0));
    assert_eq!(open(&effects).opened, EventTime::from_ms(story.now - 900_000 - DAY_MS));
    assert_eq!(story.shard.positions()[0].next, NextOffset::stated(5));
}
