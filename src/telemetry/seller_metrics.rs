//! `/metrics/sellers`: a bounded number of accounts, made anew for each scrape.
//!
//! Invariant: what is shown has the names, types and labels of [`SELLERS`]. Absent on
//! purpose: which accounts are shown, and who may ask.

use prometheus::TextEncoder;

use super::declarations::{Declaration, Unit, gauge};
use super::labels::Label;
use super::metrics::whole;
use super::registrar::Registrar;
use crate::domain::effects::AlertKind;
use crate::domain::look::AccountRow;
use crate::domain::policy::{Policy, View};

/// An account's orders.
pub const SELLER_ORDERS: Declaration = gauge(
    "odrwatch_seller_orders",
    Unit::Count,
    &[Label::SellerId, Label::MarketplaceId],
    "Orders of an account in the live view, both channels.",
);
/// An account's defective orders.
pub const SELLER_DEFECTIVE: Declaration = gauge(
    "odrwatch_seller_defective_orders",
    Unit::Count,
    &[Label::SellerId, Label::MarketplaceId],
    "Defective orders of an account in the live view, both channels.",
);
/// An account's rate.
pub const SELLER_RATIO: Declaration = gauge(
    "odrwatch_seller_odr_ratio",
    Unit::Ratio,
    &[Label::SellerId, Label::MarketplaceId],
    "Order Defect Rate of an account; absent where there are too few orders.",
);
/// An account's room.
pub const SELLER_HEADROOM: Declaration = gauge(
    "odrwatch_seller_headroom_orders",
    Unit::Count,
    &[Label::SellerId, Label::MarketplaceId],
    "Further defective orders that an account can have before a warning.",
);
/// An account's alerts.
pub const SELLER_ACTIVE: Declaration = gauge(
    "odrwatch_seller_active_alert",
    Unit::Flag,
    &[Label::SellerId, Label::MarketplaceId, Label::Kind],
    "Whether an alert of an account is up, by kind.",
);

/// The metrics of `/metrics/sellers`, in the order of the documentation.
pub const SELLERS: [Declaration; 5] =
    [SELLER_ORDERS, SELLER_DEFECTIVE, SELLER_RATIO, SELLER_HEADROOM, SELLER_ACTIVE];

/// The accounts in the text format, version 0.0.4.
///
/// # Panics
/// Never: what is registered is what the format can hold.
#[must_use]
pub fn render<'a>(rows: impl Iterator<Item = &'a AccountRow>, policy: &Policy) -> String {
    let registrar = Registrar::new();
    let orders = registrar.gauge_family(&SELLER_ORDERS);
    let defective = registrar.gauge_family(&SELLER_DEFECTIVE);
    let ratio = registrar.gauge_seconds_family(&SELLER_RATIO);
    let headroom = registrar.gauge_family(&SELLER_HEADROOM);
    let active = registrar.gauge_family(&SELLER_ACTIVE);
    for row in rows {
        let names: [&str; 2] = [&row.seller_id, &row.marketplace_id];
        let rate = row.all(View::Live).rate();
        orders.with_label_values(&names).set(i64::from(rate.orders));
        defective.with_label_values(&names).set(i64::from(rate.defective));
        headroom.with_label_values(&names).set(whole(row.headroom.defects_left));
        if rate.orders > 0 && rate.orders >= policy.min_orders {
            let value = f64::from(rate.defective) / f64::from(rate.orders);
            ratio.with_label_values(&names).set(value);
        }
        for kind in AlertKind::ALL {
            let is_up = i64::from(row.active[kind.index()]);
            active.with_label_values(&[names[0], names[1], kind.as_str()]).set(is_up);
        }
    }
    TextEncoder::new()
        .encode_to_string(&registrar.into_registry().gather())
        .expect("registered metrics have valid names, and empty families are left out")
}
