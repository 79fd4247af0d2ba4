//! The JSON Schemas (draft 2020-12) that `odrwatch schema` prints.
//!
//! The configuration's is made from the raw types; the others are documents kept by hand under
//! `config/schemas/`, held to the code by tests.

use super::keys::schema_of;
use super::raw::RawConfig;

/// The schema of the configuration file.
#[must_use]
pub fn config_schema() -> String {
    let schema = schema_of::<RawConfig>();
    serde_json::to_string_pretty(&schema).expect("a JSON value can be written") + "\n"
}

/// The schema of the values of the four input topics; one topic's is below `$defs`.
#[must_use]
pub fn events_schema() -> String {
    include_str!("../../config/schemas/events.json").to_owned()
}

/// The schema of the values of the advice topic.
#[must_use]
pub fn advice_schema() -> String {
    include_str!("../../config/schemas/advice.json").to_owned()
}

/// The schema of an alert's value.
#[must_use]
pub fn alerts_schema() -> String {
    include_str!("../../config/schemas/alerts.json").to_owned()
}
