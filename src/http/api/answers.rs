//! The parts that several answers are made of.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::effects::{AlertKind, Counts};
use crate::domain::event::DefectKind;
use crate::domain::look::AccountRow;
use crate::domain::policy::View;
use crate::domain::rate::{Headroom, Rate};
use crate::domain::risk::Band;
use crate::pipeline::query::{SellerRow, Sum};
use crate::wire::time::day;

/// Counts of some orders, with their rate.
#[derive(Debug, Serialize)]
pub(super) struct Rates {
    orders: u64,
    defective_orders: u64,
    provisional_only: u64,
    rate: Option<String>,
    by_kind: BTreeMap<&'static str, u64>,
}

impl Rates {
    pub(super) fn of(counts: &Counts, min_orders: u32) -> Self {
        Self::of_sum(&Sum::of(counts), min_orders)
    }

    pub(super) fn of_sum(sum: &Sum, min_orders: u32) -> Self {
        Self {
            orders: sum.orders,
            defective_orders: sum.defective,
            provisional_only: sum.provisional_only,
            rate: rate(sum.defective, sum.orders, min_orders),
            by_kind: kinds(|kind| sum.by_kind[kind.index()]),
        }
    }
}

pub(super) fn kinds(count: impl Fn(DefectKind) -> u64) -> BTreeMap<&'static str, u64> {
    DefectKind::ALL.map(|kind| (kind.as_str(), count(kind))).into()
}

/// A rate as a text of six decimals, cut.
fn rate(defective: u64, orders: u64, min_orders: u32) -> Option<String> {
    if orders == 0 || orders < u64::from(min_orders) {
        return None;
    }
    let millionths = u128::from(defective) * 1_000_000 / u128::from(orders);
    Some(format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000))
}

/// Basis points as a text of six decimals.
pub(super) fn basis_points(bp: u32) -> String {
    format!("{}.{:06}", bp / 10_000, bp % 10_000 * 100)
}

/// Room before a threshold.
#[derive(Debug, Serialize)]
pub(super) struct Room {
    defects_left: u64,
    orders_needed: u64,
}

impl From<Headroom> for Room {
    fn from(headroom: Headroom) -> Self {
        Self { defects_left: headroom.defects_left, orders_needed: headroom.orders_needed }
    }
}

/// Orders and defective orders.
#[derive(Debug, Serialize)]
pub(super) struct Pair {
    orders: u32,
    defective_orders: u32,
}

impl From<Rate> for Pair {
    fn from(rate: Rate) -> Self {
        Self { orders: rate.orders, defective_orders: rate.defective }
    }
}

/// An account in a list.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    seller_id: Box<str>,
    marketplace_id: Box<str>,
    shard: u32,
    band: &'static str,
    live: Rates,
    official: Rates,
    mfn: Rates,
    afn: Rates,
    headroom: Room,
    recovers_on: Option<String>,
    low_volume: bool,
    streak: u32,
    active: Vec<&'static str>,
    trend: Vec<[u32; 2]>,
}

impl Row {
    pub(super) fn new(seller: &SellerRow, min_orders: u32) -> Self {
        let row = &seller.row;
        let [mfn, afn] = &row.totals[View::Live.index()];
        Self {
            seller_id: row.seller_id.clone(),
            marketplace_id: row.marketplace_id.clone(),
            shard: seller.shard.get(),
            band: row.band.as_str(),
            live: Rates::of(&row.all(View::Live), min_orders),
            official: Rates::of(&row.all(View::Official), min_orders),
            mfn: Rates::of(mfn, min_orders),
            afn: Rates::of(afn, min_orders),
            headroom: row.headroom.into(),
            recovers_on: row.recovers_on.map(day),
            low_volume: row.low_volume,
            streak: row.streak,
            active: active(row),
            trend: row.trend.iter().map(|rate| [rate.defective, rate.orders]).collect(),
        }
    }
}

fn active(row: &AccountRow) -> Vec<&'static str> {
    let kinds = AlertKind::ALL;
    kinds.into_iter().filter(|kind| row.active[kind.index()]).map(AlertKind::as_str).collect()
}

/// Accounts by band.
pub(super) fn bands(counts: [u64; 5]) -> BTreeMap<&'static str, u64> {
    Band::ALL.map(|band| (band.as_str(), counts[band.index()])).into()
}
