//! One account as Amazon's account-health report (`GET_V2_SELLER_PERFORMANCE_REPORT`) has it.
//!
//! Invariants: the members and their words are those of the report, so that a program that reads
//! the one reads the other; what odrwatch does not know (late shipments, listing policies, ...) is
//! left out and never invented. Where there is no rate, the status is NONE and the rate 0, because
//! the report has no null there.

use crate::domain::event::Channel;
use crate::domain::look::AccountLook;
use crate::domain::policy::{Policy, View};

use super::status::{Figures, write_block};
use super::write::object;

/// The report over the days of a view. The marketplace's own ends where the official view does.
#[must_use]
pub fn report(look: &AccountLook, view: View, policy: &Policy) -> Vec<u8> {
    let (row, place) = (&look.row, view.index());
    // DEACTIVATED is the marketplace's decision, which no input tells.
    let status = if row.active.contains(&true) { "AT_RISK" } else { "NORMAL" };
    let mut out = Vec::new();
    object(&mut out, |report| {
        report.objects("accountStatuses", &[status], |item, status| {
            item.text("marketplaceId", &row.marketplace_id);
            item.text("status", status);
        });
        report.objects("performanceMetrics", &[row], |item, row| {
            item.text("marketplaceId", &row.marketplace_id);
            item.object("orderDefectRate", |rates| {
                // The report's order.
                for channel in [Channel::Afn, Channel::Mfn] {
                    let figures = Figures {
                        days: look.windows[place],
                        counts: &row.totals[place][channel.index()],
                        min_orders: policy.min_orders,
                        channel,
                    };
                    rates.object(channel.as_str(), |block| write_block(&figures, block));
                }
            });
        });
    });
    out
}
