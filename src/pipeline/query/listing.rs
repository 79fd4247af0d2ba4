//! All accounts in an order, with filters and pages.
//!
//! Invariant: the order is total (ties are broken by names), so that a cursor, which is the last
//! account of a page, finds its place again after accounts have moved.

use std::cmp::{Ordering, Reverse};
use std::sync::{Arc, OnceLock};

use super::model::SellerRow;
use crate::domain::event::Channel;
use crate::domain::look::AccountRow;
use crate::domain::policy::View;
use crate::domain::rate::Rate;
use crate::domain::risk::Band;

/// How old a list may be before it is made again, in ms.
const FRESH_MS: i64 = 500;

/// What a list is sorted by; ties go by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sort {
    /// The worst first: band, then restriction streak, then rate, then room left.
    Risk,
    /// The highest live rate first.
    Rate,
    /// The least room left first.
    Headroom,
    /// The most orders first.
    Orders,
    /// By the seller's id.
    Seller,
}

impl Sort {
    /// All orders.
    pub const ALL: [Self; 5] = [Self::Risk, Self::Rate, Self::Headroom, Self::Orders, Self::Seller];

    /// The order's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Risk => "risk",
            Self::Rate => "rate",
            Self::Headroom => "headroom",
            Self::Orders => "orders",
            Self::Seller => "seller",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Risk => 0,
            Self::Rate => 1,
            Self::Headroom => 2,
            Self::Orders => 3,
            Self::Seller => 4,
        }
    }

    fn compare(self, left: &AccountRow, right: &AccountRow) -> Ordering {
        let by = match self {
            Self::Risk => risk(left, right),
            Self::Rate => by_rate(live(left), live(right)).reverse(),
            Self::Headroom => room(left).cmp(&room(right)),
            Self::Orders => live(right).orders.cmp(&live(left).orders),
            Self::Seller => Ordering::Equal,
        };
        by.then_with(|| name(left).cmp(&name(right)))
    }
}

fn name(row: &AccountRow) -> (&str, &str) {
    (&row.seller_id, &row.marketplace_id)
}

/// The rate of all orders in the live view.
fn live(row: &AccountRow) -> Rate {
    row.all(View::Live).rate()
}

fn by_rate(left: Rate, right: Rate) -> Ordering {
    let product = |defective: u32, orders: u32| u64::from(defective) * u64::from(orders);
    // No orders, no rate: below everything.
    (left.orders > 0).cmp(&(right.orders > 0)).then_with(|| {
        product(left.defective, right.orders).cmp(&product(right.defective, left.orders))
    })
}

/// Less room first: orders that are needed count as room that is owed.
fn room(row: &AccountRow) -> (bool, Reverse<u64>, u64) {
    let rated = row.band != Band::None;
    (!rated, Reverse(row.headroom.orders_needed), row.headroom.defects_left)
}

fn risk(left: &AccountRow, right: &AccountRow) -> Ordering {
    let place = |row: &AccountRow| match row.band {
        Band::Critical => 0,
        Band::Warning => 1,
        Band::Watch => 2,
        Band::Good => 3,
        Band::None => 4,
    };
    place(left)
        .cmp(&place(right))
        .then_with(|| right.streak.cmp(&left.streak))
        .then_with(|| by_rate(live(left), live(right)).reverse())
        .then_with(|| left.headroom.defects_left.cmp(&right.headroom.defects_left))
}

/// Which accounts are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A part of the seller's id, upper and lower case alike; empty for all.
    pub text: String,
    /// Only these bands; empty for all.
    pub bands: Vec<Band>,
    /// Only this marketplace.
    pub marketplace_id: Option<String>,
    /// Only accounts with orders of this channel in the live view.
    pub channel: Option<Channel>,
}

impl Filter {
    fn keeps(&self, row: &AccountRow, text: &str) -> bool {
        (self.bands.is_empty() || self.bands.contains(&row.band))
            && self.marketplace_id.as_ref().is_none_or(|wanted| **wanted == *row.marketplace_id)
            && self
                .channel
                .is_none_or(|channel| row.totals[View::Live.index()][channel.index()].orders > 0)
            && (text.is_empty() || contains(&row.seller_id, text))
    }
}

/// Whether an id (ASCII) has a part, given in lower case.
fn contains(id: &str, part: &str) -> bool {
    let part = part.as_bytes();
    id.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Its rows.
    pub rows: Vec<Arc<SellerRow>>,
    /// How many rows pass the filter, on all pages.
    pub total: usize,
    /// Whether rows come after it.
    pub has_more: bool,
}

/// All accounts at one time.
#[derive(Debug, Default)]
pub struct Listing {
    rows: Vec<Arc<SellerRow>>,
    marketplaces: Vec<Box<str>>,
    sorted: [OnceLock<Vec<u32>>; 5],
    version: u64,
    made_ms: i64,
}

impl Listing {
    pub(super) fn new(rows: Vec<Arc<SellerRow>>, version: u64, made_ms: i64) -> Self {
        let mut marketplaces: Vec<Box<str>> = Vec::new();
        for row in &rows {
            let name = &row.row.marketplace_id;
            if let Err(place) = marketplaces.binary_search(name) {
                marketplaces.insert(place, name.clone());
            }
        }
        Self { rows, marketplaces, sorted: Default::default(), version, made_ms }
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_fresh(&self, now_ms: i64) -> bool {
        self.version > 0 && (0..FRESH_MS).contains(&(now_ms - self.made_ms))
    }

    /// The marketplaces that accounts are in, in the order of their names.
    #[must_use]
    pub fn marketplaces(&self) -> &[Box<str>] {
        &self.marketplaces
    }

    /// A page: at most `most` rows after an account, if one is named. An account that has gone
    /// since begins anew at its place by name, in the order by seller, or at the front.
    #[must_use]
    pub fn page(
        &self,
        filter: &Filter,
        (sort, is_reversed): (Sort, bool),
        after: Option<(&str, &str)>,
        most: usize,
    ) -> Page {
        let text = filter.text.to_ascii_lowercase();
        let order = self.sorted[sort.index()].get_or_init(|| self.sort(sort));
        let row = |place: &u32| &self.rows[usize::try_from(*place).expect("few rows")];
        let wanted = |place: &&u32| filter.keeps(&row(place).row, &text);
        let places: Vec<&u32> = if is_reversed {
            order.iter().rev().filter(wanted).collect()
        } else {
            order.iter().filter(wanted).collect()
        };
        let start = after.map_or(0, |after| {
            places.iter().position(|place| name(&row(place).row) == after).map_or(0, |at| at + 1)
        });
        let rows: Vec<Arc<SellerRow>> =
            places.iter().skip(start).take(most).map(|place| Arc::clone(row(place))).collect();
        Page { has_more: start + rows.len() < places.len(), total: places.len(), rows }
    }

    fn sort(&self, sort: Sort) -> Vec<u32> {
        let count = u32::try_from(self.rows.len()).expect("accounts stay below 2^24 a shard");
        let mut order: Vec<u32> = (0..count).collect();
        let row = |place: u32| &self.rows[usize::try_from(place).expect("few rows")].row;
        order.sort_unstable_by(|left, right| sort.compare(row(*left), row(*right)));
        order
    }
}
