//! Owns the facts of one shard and their merge: which orders and defects are known.
//!
//! Invariant: the state is the same for every order in which its events were merged.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::decode::Dead;
use super::events::{Channel, Content, DefectFact, Event, Kind, OrderFact};
use super::times::{Day, Zone};

/// Seller and order id.
pub type OrderKey = (Rc<str>, Rc<str>);

/// Kind and reference; the order is not part of it.
pub type DefectKey = (Kind, Option<Rc<str>>);

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Applied,
    Duplicate,
    Superseded,
    Expired,
    Tombstone,
    Dead(Dead),
    Pending,
}

/// An order, merged from its events.
pub struct Order {
    pub fact: OrderFact,
    /// Shared, as every boundary copies it.
    pub marketplace: Rc<str>,
    pub day: Day,
}

/// All that a shard knows; defects whose order is not there are orphans.
#[derive(Default)]
pub struct State {
    pub orders: BTreeMap<OrderKey, Order>,
    pub defects: BTreeMap<OrderKey, BTreeMap<DefectKey, DefectFact>>,
    /// The smallest purchase day of the order events that were applied or duplicates.
    pub covered_from: Option<Day>,
}

impl State {
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty() && self.defects.is_empty()
    }

    /// Forgets orders with their defects, and orphans, from before the horizon.
    pub fn forget_before(&mut self, horizon: Day, zone: &Zone) {
        let gone: Vec<OrderKey> = self
            .orders
            .iter()
            .filter(|(_, order)| order.day < horizon)
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.orders.remove(&key);
            self.defects.remove(&key);
        }
        for (key, defects) in &mut self.defects {
            if !self.orders.contains_key(key) {
                defects.retain(|_, fact| zone.day_of(fact.event_ms()) >= horizon);
            }
        }
        self.defects.retain(|_, defects| !defects.is_empty());
    }

    pub fn merge(&mut self, event: Event, horizon: Day, zone: &Zone) -> Outcome {
        let key: OrderKey = (Rc::from(event.seller), Rc::from(event.order_id));
        match event.content {
            Content::Order(fact) => self.merge_order(key, fact, horizon, zone),
            Content::Defect { kind, reference, purchase_ms, fact } => {
                if purchase_ms.is_some_and(|ms| zone.day_of(ms) < horizon) {
                    return Outcome::Expired;
                }
                self.merge_defect(key, (kind, reference.map(Rc::from)), fact)
            }
        }
    }

    fn merge_order(
        &mut self,
        key: OrderKey,
        stated: OrderFact,
        horizon: Day,
        zone: &Zone,
    ) -> Outcome {
        let stated_day = zone.day_of(stated.purchase_ms);
        if stated_day < horizon {
            return Outcome::Expired;
        }
        self.covered_from =
            Some(self.covered_from.map_or(stated_day, |covered| covered.min(stated_day)));
        let old = self.orders.get(&key).map(|order| order.fact.clone());
        let new = match &old {
            None => stated,
            Some(old) => merged(old, &stated),
        };
        if old.as_ref() == Some(&new) {
            return Outcome::Duplicate;
        }
        let order = Order {
            marketplace: Rc::from(new.marketplace.as_str()),
            day: zone.day_of(new.purchase_ms),
            fact: new,
        };
        self.orders.insert(key, order);
        Outcome::Applied
    }

    fn merge_defect(&mut self, key: OrderKey, id: DefectKey, stated: DefectFact) -> Outcome {
        let defects = self.defects.entry(key).or_default();
        match defects.get(&id) {
            Some(winner) if stated == *winner => Outcome::Duplicate,
            Some(winner) if stated < *winner => Outcome::Superseded,
            _ => {
                defects.insert(id, stated);
                Outcome::Applied
            }
        }
    }
}

/// What two statements about one order say together.
fn merged(a: &OrderFact, b: &OrderFact) -> OrderFact {
    let marketplace = if a.marketplace.is_empty() || b.marketplace.is_empty() {
        // At most one of them is stated, and it is the greater one.
        a.marketplace.clone().max(b.marketplace.clone())
    } else {
        a.marketplace.clone().min(b.marketplace.clone())
    };
    let mfn = a.channel == Channel::Mfn || b.channel == Channel::Mfn;
    OrderFact {
        purchase_ms: a.purchase_ms.min(b.purchase_ms),
        group: a.group.max(b.group),
        channel: if mfn { Channel::Mfn } else { Channel::Afn },
        marketplace,
        // None, then false, then true: the order of an Option.
        buy_shipping: a.buy_shipping.max(b.buy_shipping),
        shipped_on_time: a.shipped_on_time.max(b.shipped_on_time),
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::{ClaimStatus, Group, Payer};
    use super::*;

    fn order(purchase_ms: i64, group: Group, channel: Channel, marketplace: &str) -> OrderFact {
        OrderFact {
            purchase_ms,
            group,
            channel,
            marketplace: marketplace.to_owned(),
            buy_shipping: None,
            shipped_on_time: None,
        }
    }

    fn event(content: Content) -> Event {
        Event { seller: "S".to_owned(), order_id: "O".to_owned(), content }
    }

    #[test]
    fn orders_merge_field_by_field_in_any_order() {
        let mut a = order(20, Group::Canceled, Channel::Afn, "");
        a.buy_shipping = Some(true);
        let mut b = order(10, Group::Pending, Channel::Mfn, "US");
        b.buy_shipping = Some(false);
        b.shipped_on_time = Some(false);
        let c = order(30, Group::Placed, Channel::Afn, "DE");
        let expected = OrderFact {
            buy_shipping: Some(true),
            shipped_on_time: Some(false),
            ..order(10, Group::Canceled, Channel::Mfn, "DE")
        };
        assert_eq!(merged(&merged(&a, &b), &c), expected);
        assert_eq!(merged(&c, &merged(&b, &a)), expected);
        assert_eq!(merged(&expected, &a), expected);
    }

    #[test]
    fn the_greatest_defect_tuple_wins() {
        let claim = |event_ms, status, funded_by, odr_impact| {
            event(Content::Defect {
                kind: Kind::Claim,
                reference: None,
                purchase_ms: None,
                fact: DefectFact::Claim { event_ms, status, funded_by, odr_impact },
            })
        };
        let table = [
            (claim(5, ClaimStatus::Granted, None, None), Outcome::Applied),
            (claim(5, ClaimStatus::Granted, None, None), Outcome::Duplicate),
            (claim(4, ClaimStatus::Reversed, None, None), Outcome::Superseded),
            (claim(5, ClaimStatus::UnderReview, None, None), Outcome::Superseded),
            (claim(5, ClaimStatus::Granted, Some(Payer::Seller), None), Outcome::Applied),
            (claim(5, ClaimStatus::Granted, Some(Payer::Amazon), None), Outcome::Applied),
            (claim(5, ClaimStatus::Granted, Some(Payer::Amazon), Some(false)), Outcome::Applied),
            (claim(5, ClaimStatus::Granted, Some(Payer::Seller), Some(true)), Outcome::Superseded),
            (claim(5, ClaimStatus::Denied, None, None), Outcome::Applied),
            (claim(6, ClaimStatus::Filed, None, None), Outcome::Applied),
        ];
        let mut state = State::default();
        let zone = Zone::named("UTC");
        for (event, expected) in table {
            let shown = format!("{event:?}");
            assert_eq!(state.merge(event, 0, &zone), expected, "{shown}");
        }
    }

    #[test]
    fn what_is_before_the_horizon_has_no_effect_or_is_forgotten() {
        let day_ms = super::super::times::DAY_MS;
        let zone = Zone::named("UTC");
        let mut state = State::default();
        let order_on =
            |day: i64| event(Content::Order(order(day * day_ms, Group::Placed, Channel::Mfn, "")));
        let claim_on = |day: i64, purchase_ms| {
            event(Content::Defect {
                kind: Kind::Claim,
                reference: Some("C".to_owned()),
                purchase_ms,
                fact: DefectFact::Claim {
                    event_ms: day * day_ms,
                    status: ClaimStatus::Filed,
                    funded_by: None,
                    odr_impact: None,
                },
            })
        };
        assert_eq!(state.merge(order_on(9), 10, &zone), Outcome::Expired);
        assert_eq!(state.covered_from, None);
        assert_eq!(state.merge(claim_on(20, Some(9 * day_ms)), 10, &zone), Outcome::Expired);
        assert!(state.is_empty());
        assert_eq!(state.merge(claim_on(9, None), 10, &zone), Outcome::Applied);
        state.forget_before(11, &zone);
        assert!(state.is_empty(), "an orphan goes by its own day");
        assert_eq!(state.merge(claim_on(9, None), 10, &zone), Outcome::Applied);
        assert_eq!(state.merge(order_on(10), 10, &zone), Outcome::Applied);
        assert_eq!(state.covered_from, Some(10));
        state.forget_before(10, &zone);
        assert!(!state.is_empty() && !state.defects.is_empty(), "with its order it stays");
        state.forget_before(11, &zone);
        assert!(state.is_empty());
    }
}
