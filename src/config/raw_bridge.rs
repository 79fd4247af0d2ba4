//! The sections `bridge` and `metrics` as they are written; see `raw.rs`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sends every alert on to a webhook or an Alertmanager, at least once.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawBridge {
    /// What kind of receiver alerts are sent on to: none, webhook (each as it is in the topic) or
    /// alertmanager (its API v2).
    pub target: BridgeTarget,
    /// Address of the receiver, `http://` or `https://`; of an Alertmanager the part before
    /// `/api/v2/alerts`. Without user and password: see `token_file`.
    pub url: Option<String>,
    /// Consumer group under which the topic of alerts is read; the same in all processes. Default:
    /// `kafka.group` with `-bridge` behind it.
    pub group: Option<String>,
    /// Where to begin for alerts at the very first start: latest (those that come) or earliest (all
    /// that the topic has).
    pub start: BridgeStart,
    /// Alerts that may be under way at once; those of one seller follow each other.
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: u64,
    /// Milliseconds that the receiver may take for one answer.
    #[schemars(range(min = 100, max = 120_000))]
    pub timeout_ms: u64,
    /// The longest wait between two tries, in milliseconds; they begin with a quarter of a second
    /// and double.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub max_backoff_ms: u64,
    /// File with the token that is sent as `Authorization: Bearer`, visible ASCII characters; one
    /// line end at its end is dropped.
    pub token_file: Option<String>,
    /// File with the secret that signs what is sent (HMAC-SHA256, Standard Webhooks), 16 to 1024
    /// visible ASCII characters; `whsec_` and base64, or any other text.
    pub signing_secret_file: Option<String>,
    /// File with certificates of authorities, in PEM, beside those of the system.
    pub ca_file: Option<String>,
    /// Milliseconds between two repetitions of all alerts that are up, for an Alertmanager.
    #[schemars(range(min = 1_000, max = 3_600_000))]
    pub repeat_ms: u64,
    /// Whether an alert that is always up goes with each repetition, for an Alertmanager.
    pub heartbeat: bool,
}

impl Default for RawBridge {
    fn default() -> Self {
        Self {
            target: BridgeTarget::Off,
            url: None,
            group: None,
            start: BridgeStart::Latest,
            concurrency: 8,
            timeout_ms: 10_000,
            max_backoff_ms: 60_000,
            token_file: None,
            signing_secret_file: None,
            ca_file: None,
            repeat_ms: 60_000,
            heartbeat: true,
        }
    }
}

/// What kind of receiver alerts are sent on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BridgeTarget {
    /// None at all.
    #[serde(rename = "none")]
    Off,
    /// One that takes each alert as it is in the topic.
    Webhook,
    /// An Alertmanager.
    Alertmanager,
}

/// Where to begin at the very first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BridgeStart {
    /// With the alerts that come.
    Latest,
    /// With all alerts that the topic has.
    Earliest,
}

/// What machines are told beyond `/metrics`.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMetrics {
    /// Series about single sellers.
    pub sellers: RawSellerMetrics,
}

/// Series about single sellers.
#[derive(Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSellerMetrics {
    /// How many accounts `/metrics/sellers` shows, those at the greatest risk; 0 turns it off.
    #[schemars(range(min = 0, max = 1_000))]
    pub top: u64,
}
