//! An alert as it is read back from the alerts topic: what the screen tells comes from here.
//!
//! Invariant: only committed bytes become an [`AlertValue`]; nothing is taken from the engine's
//! memory. Absent on purpose: the fields that the screen does not tell.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::domain::rate::Rate;

/// What happened to which alert, and why, as the alerts topic has it.
#[derive(Clone, Debug, Deserialize)]
pub struct AlertValue {
    pub seq: u64,
    pub kind: Kind,
    pub state: State,
    pub initial: bool,
    pub seller_id: String,
    pub marketplace_id: String,
    pub scope: String,
    pub view: String,
    /// RFC 3339, in UTC.
    pub boundary: String,
    pub orders: u32,
    pub defective_orders: u32,
    /// A number with six decimals; null where there is no rate.
    pub rate: Option<Box<RawValue>>,
    /// A number with six decimals.
    pub threshold: Box<RawValue>,
    pub before: Numbers,
    pub change: Change,
    pub defects: Vec<Defect>,
    pub headroom: Headroom,
    pub low_volume: bool,
    pub recovers_on: Option<String>,
    pub cycle: Option<Cycle>,
}

/// The kind of an alert.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Warning,
    Critical,
    RestrictionRisk,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Warning, Self::Critical, Self::RestrictionRisk];

    /// The kind as a heading has it.
    pub const fn as_heading(self) -> &'static str {
        match self {
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::RestrictionRisk => "RESTRICTION RISK",
        }
    }

    /// The kind in running text.
    pub const fn as_words(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::RestrictionRisk => "restriction risk",
        }
    }
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Raised,
    Cleared,
    Ongoing,
}

impl State {
    pub const ALL: [Self; 3] = [Self::Raised, Self::Cleared, Self::Ongoing];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
            Self::Ongoing => "ongoing",
        }
    }
}

/// Orders, and those with a defect.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Numbers {
    pub orders: u32,
    pub defective_orders: u32,
}

/// What the alert's boundary did to the numbers.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Change {
    pub orders_added: i64,
    pub orders_expired: i64,
    pub defective_added: i64,
    pub defective_reversed: i64,
    pub defective_expired: i64,
}

/// A counted defect.
#[derive(Clone, Debug, Deserialize)]
pub struct Defect {
    pub order_id: String,
    pub kind: String,
    pub new: bool,
}

/// The room before the alert's threshold.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Headroom {
    pub defects_left: u64,
    pub orders_needed: u64,
}

/// The cycle of a restriction risk.
#[derive(Clone, Debug, Deserialize)]
pub struct Cycle {
    pub from: String,
    pub to: String,
    pub streak: u32,
}

impl AlertValue {
    /// Whose it is.
    pub fn account(&self) -> (String, String) {
        (self.seller_id.clone(), self.marketplace_id.clone())
    }

    /// The rate after its boundary; none where there are too few orders for one.
    pub fn now(&self) -> Option<Rate> {
        self.rate.as_ref()?;
        Some(Rate { defective: self.defective_orders, orders: self.orders })
    }

    /// The rate before its boundary; none without orders.
    pub fn before(&self) -> Option<Rate> {
        let Numbers { orders, defective_orders: defective } = self.before;
        (orders > 0).then_some(Rate { defective, orders })
    }

    /// Its threshold in millionths, read digit by digit.
    pub fn threshold_millionths(&self) -> u64 {
        let (whole, decimals) = self.threshold.get().split_once('.').unwrap_or(("0", "0"));
        let number = |text: &str| text.parse().unwrap_or(0);
        number(whole) * 1_000_000_u64 + number(&format!("{decimals:0<6}")[..6])
    }
}

/// How often which kind came to which state.
#[derive(Clone, Debug, Default)]
pub struct Counts(BTreeMap<(Kind, State), u64>);

impl Counts {
    /// Counts an alert.
    pub fn count(&mut self, alert: &AlertValue) {
        *self.0.entry((alert.kind, alert.state)).or_default() += 1;
    }

    /// How often.
    pub fn of(&self, kind: Kind, state: State) -> u64 {
        self.0.get(&(kind, state)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_as_it_is_written_is_read() {
        let golden = include_str!("../../../tests/golden/alert.json");
        let alert: AlertValue = serde_json::from_str(golden).unwrap();
        assert_eq!((alert.kind, alert.state, alert.seq), (Kind::Warning, State::Raised, 17));
        assert_eq!(alert.now(), Some(Rate { defective: 3, orders: 240 }));
        assert_eq!(alert.before(), Some(Rate { defective: 2, orders: 241 }));
        assert_eq!(alert.threshold_millionths(), 10_000);
    }

    #[test]
    fn the_kinds_and_states_are_those_that_are_written() {
        use crate::domain::effects::{AlertKind, AlertState};
        for (kind, written) in Kind::ALL.into_iter().zip(AlertKind::ALL) {
            let text = format!("\"{}\"", written.as_str());
            assert_eq!(serde_json::from_str::<Kind>(&text).unwrap(), kind);
        }
        for (state, written) in State::ALL.into_iter().zip(AlertState::ALL) {
            assert_eq!(state.as_str(), written.as_str());
        }
    }
}
