//! Taking an image: a slice of the shard at a time, so that no turn is held up for long.

use super::codes;
use crate::domain::accounts::Accounts;
use crate::domain::boundary::{MarketplaceNo, Position, SellerNo};
use crate::domain::defects::DefectSet;
use crate::domain::effects::Digest;
use crate::domain::evaluate::digest_of;
use crate::domain::note::Note;
use crate::domain::shard::{Alerting, Shard};
use crate::domain::time::{Boundary, BoundaryLength, Day};
use crate::domain::window::AccountNo;

/// Stands for "none yet" among numbers.
const NONE: u32 = u32::MAX;

/// A text within [`Texts`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Text {
    start: usize,
    len: usize,
}

/// Many short texts in one piece of memory.
#[derive(Debug, Default)]
pub(super) struct Texts(String);

impl Texts {
    fn add(&mut self, text: &str) -> Text {
        let start = self.0.len();
        self.0.push_str(text);
        Text { start, len: text.len() }
    }

    pub(super) fn get(&self, text: Text) -> &str {
        &self.0[text.start..text.start + text.len]
    }
}

/// Names under the numbers that they have within an image, and the numbers that they had.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub texts: Vec<Text>,
    numbers: Vec<u32>,
}

impl Names {
    fn number(&mut self, of: u32, text: impl FnOnce() -> Text) -> u32 {
        let place = usize::try_from(of).expect("usize has at least 32 bits here");
        if self.numbers.len() <= place {
            self.numbers.resize(place + 1, NONE);
        }
        let number = &mut self.numbers[place];
        if *number == NONE {
            *number = u32::try_from(self.texts.len()).expect("the caps keep numbers below 2^32");
            self.texts.push(text());
        }
        *number
    }
}

/// What a shard has one of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Single {
    pub shard: u32,
    pub length: BoundaryLength,
    pub closed: Boundary,
    pub as_of: Day,
    pub as_of_before: Option<Day>,
    pub covered_from: Option<Day>,
    pub alerting: Alerting,
    pub seq: u64,
    pub last_cycle: Option<(Day, Day)>,
    pub digest: Digest,
    pub positions: [Position; 4],
}

#[derive(Debug)]
pub(super) struct TakenAccount {
    pub number: AccountNo,
    pub seller: u32,
    pub marketplace: u32,
    pub up: u32,
    pub streaks: [u16; 6],
    /// dirty, queued, written, moved
    pub status: [bool; 4],
}

#[derive(Debug)]
pub(super) struct TakenOddId {
    pub slot: u32,
    pub seller: u32,
    pub text: Text,
}

#[derive(Debug)]
pub(super) struct TakenDefect {
    pub key: u64,
    pub seller: u32,
    pub reference: Option<Text>,
    pub event_time_ms: i64,
    /// How much earlier the defect was opened.
    pub opened_before_ms: u64,
    pub note: Option<Note>,
    pub codes: [u8; 4],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TakenOrder {
    pub key: u64,
    pub account: u32,
    /// The code of what is stated, and whether it has defects in the lowest bit.
    pub code: u8,
    pub purchase_ms: i64,
}

/// A shard's state, copied out of it.
#[derive(Debug)]
pub struct Image {
    pub(super) single: Single,
    pub(super) texts: Texts,
    pub(super) sellers: Names,
    pub(super) marketplaces: Names,
    pub(super) accounts: Vec<TakenAccount>,
    pub(super) odd_ids: Vec<TakenOddId>,
    pub(super) defects: Vec<TakenDefect>,
    pub(super) orders: Vec<TakenOrder>,
    /// Over the accounts: the sum of their parts of the digest.
    pub(super) sum: u128,
}

impl Image {
    /// The boundary after which it was taken.
    #[must_use]
    pub const fn boundary(&self) -> Boundary {
        self.single.closed
    }

    /// Orders in it.
    #[must_use]
    pub const fn orders(&self) -> usize {
        self.orders.len()
    }
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Accounts(u32),
    OddIds(u32),
    Defects(usize),
    Orders(usize),
    Done,
}

/// An image that is being taken.
#[derive(Debug)]
pub struct Taking {
    image: Image,
    stage: Stage,
}

impl Taking {
    /// Begins to take an image of a shard, which must not change until the image is whole; `None`
    /// if no boundary has closed yet.
    #[must_use]
    pub fn begin(shard: &Shard) -> Option<Self> {
        let single = single_of(shard)?;
        let held = shard.held();
        let mut texts = Texts::default();
        let mut marketplaces = Names::default();
        // A restored shard has the number of the marketplace "" first.
        marketplaces.number(0, || texts.add(""));
        let image = Image {
            single,
            texts,
            sellers: Names::default(),
            marketplaces,
            accounts: Vec::with_capacity(held.accounts),
            odd_ids: Vec::new(),
            defects: Vec::new(),
            orders: Vec::with_capacity(held.orders),
            sum: 0,
        };
        Some(Self { image, stage: Stage::Accounts(0) })
    }

    /// Copies about `entries` more; true once the image is whole.
    ///
    /// # Panics
    /// If the shard closed a boundary since the image was begun.
    pub fn step(&mut self, shard: &Shard, entries: usize) -> bool {
        let now = single_of(shard).map(|single| (single.closed, single.digest, single.positions));
        let single = self.image.single;
        let begun = Some((single.closed, single.digest, single.positions));
        assert!(now == begun, "a shard does not move while its image is taken");
        let mut left = entries;
        while left > 0 {
            let did = match self.stage {
                Stage::Accounts(next) => self.take_account(shard, next),
                Stage::OddIds(next) => self.take_odd_id(shard, next),
                Stage::Defects(next) => self.take_defects(shard, next),
                Stage::Orders(next) => self.take_orders(shard, next),
                Stage::Done => return true,
            };
            left = left.saturating_sub(did.max(1));
        }
        matches!(self.stage, Stage::Done)
    }

    /// The whole image.
    ///
    /// # Panics
    /// If it is not whole yet.
    #[must_use]
    pub fn finish(self) -> Image {
        assert!(matches!(self.stage, Stage::Done), "an image is finished when it is whole");
        self.image
    }

    fn take_account(&mut self, shard: &Shard, next: u32) -> usize {
        let accounts = &shard.book.accounts;
        if usize::try_from(next).is_ok_and(|next| next >= accounts.numbers()) {
            self.stage = Stage::OddIds(0);
            return 0;
        }
        self.stage = Stage::Accounts(next + 1);
        let number = AccountNo(next);
        let Some(account) = accounts.try_get(number) else { return 0 };
        let seller = self.seller(accounts, account.seller);
        let marketplace = self.marketplace(accounts, account.marketplace);
        self.image.sum = self.image.sum.wrapping_add(digest_of(account));
        self.image.accounts.push(TakenAccount {
            number,
            seller,
            marketplace,
            up: account.levels.bits(),
            streaks: account.levels.streaks(),
            status: [
                account.status.dirty,
                account.status.queued,
                account.status.written,
                account.moved,
            ],
        });
        // An account lies in several lines of memory.
        4
    }

    fn take_odd_id(&mut self, shard: &Shard, next: u32) -> usize {
        if usize::try_from(next).is_ok_and(|next| next >= shard.book.odd_ids.slots()) {
            self.stage = Stage::Defects(0);
            return 0;
        }
        self.stage = Stage::OddIds(next + 1);
        let Some((seller, text)) = shard.book.odd_ids.get(next) else { return 0 };
        let seller = self.seller(&shard.book.accounts, seller);
        let text = self.image.texts.add(text);
        self.image.odd_ids.push(TakenOddId { slot: next, seller, text });
        1
    }

    fn take_defects(&mut self, shard: &Shard, next: usize) -> usize {
        if next >= shard.book.defects.places() {
            self.stage = Stage::Orders(0);
            return 0;
        }
        self.stage = Stage::Defects(next + 1);
        shard.book.defects.at(next).map_or(0, |set| self.take_set(shard, set))
    }

    fn take_set(&mut self, shard: &Shard, set: &DefectSet) -> usize {
        let (seller, order) = set.of();
        let seller = self.seller(&shard.book.accounts, seller);
        let image = &mut self.image;
        for defect in set.iter() {
            let reference = defect.reference.as_ref().map(|text| image.texts.add(text.as_str()));
            image.defects.push(TakenDefect {
                key: order.bits(),
                seller,
                reference,
                event_time_ms: defect.event_time.ms(),
                opened_before_ms: defect.event_time.ms().abs_diff(defect.opened.ms()),
                note: defect.note.clone(),
                codes: codes::of_fact(defect.fact),
            });
        }
        1
    }

    fn take_orders(&mut self, shard: &Shard, next: usize) -> usize {
        let index = &shard.book.orders;
        if next == index.pieces() {
            self.stage = Stage::Done;
            return 0;
        }
        self.stage = Stage::Orders(next + 1);
        let before = self.image.orders.len();
        self.image.orders.extend(index.piece(next).map(|(key, order)| {
            let stated = u8::try_from(order.stated.code()).expect("one of 54");
            TakenOrder {
                key: key.bits(),
                account: order.account.0,
                code: stated << 1 | u8::from(order.has_defects),
                purchase_ms: order.purchase_time.ms(),
            }
        }));
        self.image.orders.len() - before
    }

    fn seller(&mut self, accounts: &Accounts, number: SellerNo) -> u32 {
        let image = &mut self.image;
        image.sellers.number(number.0, || image.texts.add(accounts.seller_id(number)))
    }

    fn marketplace(&mut self, accounts: &Accounts, number: MarketplaceNo) -> u32 {
        let image = &mut self.image;
        image.marketplaces.number(number.0, || image.texts.add(accounts.marketplace_id(number)))
    }
}

fn single_of(shard: &Shard) -> Option<Single> {
    Some(Single {
        shard: shard.number().get(),
        length: shard.length(),
        closed: shard.closed?,
        as_of: shard.book.as_of?,
        as_of_before: shard.book.as_of_before,
        covered_from: shard.book.covered_from,
        alerting: shard.alerting,
        seq: shard.seq,
        last_cycle: shard.last_cycle,
        digest: shard.digest,
        positions: shard.positions(),
    })
}
