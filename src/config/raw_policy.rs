//! The policy as it is written: its keys, defaults and ranges (SEMANTICS section 10).
//!
//! Invariants: the defaults are [`Policy::default`] and the ranges are those of
//! [`Policy::problems`]; tests hold both. Absent on purpose: the meaning of the keys, which is
//! the domain's.
//!
//! [`Policy::default`]: crate::domain::policy::Policy
//! [`Policy::problems`]: crate::domain::policy::Policy::problems

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What counts as a defect and when it alerts.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawPolicy {
    /// File with the whole policy, YAML or JSON: the keys below without `policy`. Keys stated
    /// beside it override the file's. A relative path starts at the directory of the file that
    /// states it.
    pub file: Option<String>,
    /// Edition of the policy; only ever grows.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub policy_version: u64,
    /// IANA name of the time zone whose days are counted.
    pub time_zone: String,
    /// Days of purchases that a rate is over.
    #[schemars(range(min = 1, max = 400))]
    pub window_days: u64,
    /// Days by which the official view ends before the as-of day.
    #[schemars(range(min = 0, max = 200))]
    pub lag_days: u64,
    /// Orders below which an account has no rate.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub min_orders: u64,
    /// Basis points (1 = 0.01 %) above which a warning is raised.
    #[schemars(range(min = 1, max = 10_000))]
    pub warning_bp: u64,
    /// Basis points at or below which a warning clears. Default: `warning_bp`.
    #[schemars(range(min = 0, max = 10_000))]
    pub warning_clear_bp: Option<u64>,
    /// Defective orders below which there is no warning.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub warning_min_defects: u64,
    /// Basis points above which a critical alert is raised.
    #[schemars(range(min = 1, max = 10_000))]
    pub critical_bp: u64,
    /// Basis points at or below which a critical alert clears. Default: `critical_bp`.
    #[schemars(range(min = 0, max = 10_000))]
    pub critical_clear_bp: Option<u64>,
    /// Defective orders below which there is no critical alert.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub critical_min_defects: u64,
    /// Basis points above which a cycle's close is bad.
    #[schemars(range(min = 1, max = 10_000))]
    pub restriction_bp: u64,
    /// Defective orders below which a cycle's close is not bad.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub restriction_min_defects: u64,
    /// Consecutive bad closes that raise `restriction_risk`.
    #[schemars(range(min = 1, max = 1000))]
    pub restriction_cycles: u64,
    /// Days of a cycle; common choices are 1, 7, 30 and 60.
    #[schemars(range(min = 1, max = 400))]
    pub cycle_days: u64,
    /// Date (YYYY-MM-DD, 1900 to 2100) on which some cycle begins.
    pub cycle_anchor: String,
    /// Scopes that alert: all (both channels), mfn (seller-fulfilled), afn (FBA).
    pub scopes: Vec<ScopeName>,
    /// Views that alert: live (days up to the as-of day), official (`lag_days` earlier).
    pub views: Vec<ViewName>,
    /// Whether cancelled orders stay in the denominator.
    pub count_canceled_orders: bool,
    /// Whether claims count, provisionally, before they are decided.
    pub count_open_claims: bool,
    /// Greatest number of stars that is a negative feedback.
    #[schemars(range(min = 1, max = 4))]
    pub negative_rating_max: u64,
}

impl Default for RawPolicy {
    fn default() -> Self {
        Self {
            file: None,
            policy_version: 1,
            time_zone: "UTC".to_owned(),
            window_days: 60,
            lag_days: 15,
            min_orders: 1,
            warning_bp: 100,
            warning_clear_bp: None,
            warning_min_defects: 1,
            critical_bp: 200,
            critical_clear_bp: None,
            critical_min_defects: 2,
            restriction_bp: 200,
            restriction_min_defects: 2,
            restriction_cycles: 2,
            cycle_days: 7,
            cycle_anchor: "1970-01-05".to_owned(),
            scopes: vec![ScopeName::All],
            views: vec![ViewName::Live],
            count_canceled_orders: true,
            count_open_claims: true,
            negative_rating_max: 2,
        }
    }
}

/// A scope by its name in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ScopeName {
    /// Both channels.
    All,
    /// Seller-fulfilled.
    Mfn,
    /// Fulfilled by Amazon.
    Afn,
}

/// A view by its name in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ViewName {
    /// The window that ends at the as-of day.
    Live,
    /// The window that ends `lag_days` earlier.
    Official,
}
