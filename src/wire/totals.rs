//! Lines of `totals.jsonl`: what a bounded replay ends with, per account, scope and view.

use crate::domain::effects::Total;

use super::write::object;

/// Appends one line, its end included.
pub fn write_line(total: &Total, out: &mut Vec<u8>) {
    object(out, |line| {
        line.text("seller_id", &total.seller_id);
        line.text("marketplace_id", &total.marketplace_id);
        line.text("scope", total.scope.as_str());
        line.text("view", total.view.as_str());
        line.day("as_of", total.as_of);
        line.integer("orders", total.counts.orders);
        line.integer("defective_orders", total.counts.defective);
        line.integer("provisional_only", total.counts.provisional_only);
        line.by_kind(total.counts.by_kind);
    });
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::effects::Counts;
    use crate::domain::policy::{Scope, View};
    use crate::domain::time::Day;

    #[test]
    fn a_line_has_its_fields_in_the_order_of_the_specification() {
        let mut out = Vec::new();
        let total = Total {
            seller_id: "S".into(),
            marketplace_id: "".into(),
            scope: Scope::Mfn,
            view: View::Official,
            as_of: Day::from_number(0),
            counts: Counts { orders: 10, defective: 2, provisional_only: 1, by_kind: [1, 2, 0] },
        };
        write_line(&total, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"seller_id\":\"S\",\"marketplace_id\":\"\",\"scope\":\"mfn\",\
             \"view\":\"official\",\"as_of\":\"1970-01-01\",\"orders\":10,\
             \"defective_orders\":2,\"provisional_only\":1,\
             \"by_kind\":{\"negative_feedback\":1,\"claim\":2,\"chargeback\":0}}\n"
        );
    }
}
