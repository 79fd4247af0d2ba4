//! Alerts as the tables state them, against alerts as they are.

use serde_json::Value;

use super::table::Scenario;

/// The fields of a stated alert that are numbers or words of the value, with their places.
const FIELDS: [(&str, &str); 17] = [
    ("seq", "/seq"),
    ("initial", "/initial"),
    ("orders", "/orders"),
    ("provisional", "/provisional_only"),
    ("left", "/headroom/defects_left"),
    ("needed", "/headroom/orders_needed"),
    ("low_volume", "/low_volume"),
    ("streak", "/cycle/streak"),
    ("orders_added", "/change/orders_added"),
    ("orders_expired", "/change/orders_expired"),
    ("defective_added", "/change/defective_added"),
    ("defective_reversed", "/change/defective_reversed"),
    ("defective_expired", "/change/defective_expired"),
    ("boundary", "/boundary"),
    ("as_of", "/as_of"),
    ("covered_from", "/covered_from"),
    ("recovers_on", "/recovers_on"),
];

/// An alert that came out: its line and the line's value.
#[derive(Debug)]
pub struct Actual<'a> {
    pub line: &'a str,
    value: Value,
}

impl<'a> Actual<'a> {
    /// Reads a line of `alerts.jsonl`.
    pub fn new(line: &'a str) -> Self {
        Self { line, value: serde_json::from_str(line).expect("an alert is JSON") }
    }

    /// The alert in the notation of the tables.
    pub fn short(&self) -> String {
        format!("{} {}", self.text("boundary"), self.head())
    }

    /// The instant of its boundary, as it is written.
    pub fn boundary(&self) -> String {
        self.text("boundary")
    }

    fn head(&self) -> String {
        let (scope, view) = (self.text("scope"), self.text("view"));
        let account = account(&self.text("seller_id"), &self.text("marketplace_id"));
        let (kind, state) = (self.text("kind"), self.text("state"));
        format!("{kind} {state} {account} {scope}/{view} {}", self.rate(""))
    }

    fn text(&self, name: &str) -> String {
        shown(self.value.get(name))
    }

    fn count(&self, pointer: &str) -> i64 {
        let value = self.value.pointer(pointer).and_then(Value::as_i64);
        value.unwrap_or_else(|| panic!("{pointer} is a count in {}", self.line))
    }

    fn rate(&self, pointer: &str) -> String {
        let (defective, orders) = (
            self.count(&format!("{pointer}/defective_orders")),
            self.count(&format!("{pointer}/orders")),
        );
        format!("{defective}/{orders}")
    }

    /// A field in the notation of the tables; `None` where there is none of this name.
    fn field(&self, name: &str) -> Option<String> {
        if let Some((_, pointer)) = FIELDS.iter().find(|(field, _)| *field == name) {
            return Some(shown(self.value.pointer(pointer)));
        }
        match name {
            // Six decimals, as they are written.
            "rate" | "threshold" => {
                let (_, rest) = self.line.split_once(&format!("\"{name}\":"))?;
                rest.split(',').next().map(str::to_owned)
            }
            "before" | "official" | "mfn" | "afn" => Some(self.rate(&format!("/{name}"))),
            "kinds" => Some(kinds(&self.value)),
            "window" | "cycle" => {
                let day = |end: &str| shown(self.value.pointer(&format!("/{name}/{end}")));
                Some(format!("{}..{}", day("from"), day("to")))
            }
            "defects" => Some(self.defects()),
            _ => None,
        }
    }

    fn defects(&self) -> String {
        let listed = self.value["defects"].as_array().expect("defects are a list");
        let listed: Vec<String> = listed
            .iter()
            .map(|defect| {
                let new = if defect["new"] == true { "+" } else { "" };
                let kind = shown(defect.get("kind")).replace("negative_", "");
                let reference = defect["ref"].as_str().map(|id| format!(":{id}"));
                let order = shown(defect.get("order_id"));
                format!("{new}{order}:{kind}{}", reference.unwrap_or_default())
            })
            .collect();
        if listed.is_empty() { "none".to_owned() } else { listed.join(",") }
    }

    /// What must be so in every alert, whatever the table states.
    pub fn broken_sums(&self) -> Vec<&'static str> {
        let count = |pointer: &str| self.count(pointer);
        let mut broken = Vec::new();
        let mut check = |holds: bool, rule: &'static str| {
            if !holds {
                broken.push(rule);
            }
        };
        let orders = count("/before/orders") + count("/change/orders_added")
            - count("/change/orders_expired");
        check(orders == count("/orders"), "before + change = orders");
        let defective = count("/before/defective_orders") + count("/change/defective_added")
            - count("/change/defective_reversed")
            - count("/change/defective_expired");
        check(defective == count("/defective_orders"), "before + change = defective orders");
        for part in ["orders", "defective_orders"] {
            let (mfn, afn) = (count(&format!("/mfn/{part}")), count(&format!("/afn/{part}")));
            let sum = match self.value["scope"].as_str() {
                Some("mfn") => mfn,
                Some("afn") => afn,
                _ => mfn + afn,
            };
            check(sum == count(&format!("/{part}")), "the channels' parts are the whole");
        }
        check(
            count("/provisional_only") <= count("/defective_orders"),
            "provisional only is a part of defective",
        );
        let is_restriction = self.value["kind"] == "restriction_risk";
        check(is_restriction != self.value["cycle"].is_null(), "a cycle for restrictions only");
        let is_cleared = self.value["state"] == "cleared";
        check(!is_cleared || self.value["recovers_on"].is_null(), "cleared has recovered");
        broken
    }
}

/// Compares an alert with how a table states it; tells all that is wrong.
pub fn mismatches(scenario: &Scenario, stated: &str, actual: &Actual<'_>) -> Vec<String> {
    let mut words: Vec<&str> = stated.split_whitespace().collect();
    let fields = fields(&words);
    words.retain(|word| !word.contains('='));
    if words.len() == 4 {
        words.insert(3, "all/live");
    }
    let mut wrong = Vec::new();
    let head = words.join(" ");
    if head != actual.head() {
        wrong.push(format!("expected {head}, found {}", actual.head()));
    }
    let is_initial_stated = fields.iter().any(|(name, _)| name == "initial");
    let default = (!is_initial_stated).then(|| ("initial".to_owned(), "false".to_owned()));
    for (name, expected) in fields.iter().chain(&default) {
        let expected = dated(scenario, name, expected);
        match actual.field(name) {
            Some(found) if found == expected => {}
            Some(found) => wrong.push(format!("{name}: expected {expected}, found {found}")),
            None => wrong.push(format!("{name} is no field of an alert")),
        }
    }
    wrong
}

/// The fields among words; `NAME+=` goes on with a list that was begun by `NAME=`.
fn fields(words: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
        match fields.iter_mut().find(|(begun, _)| name.strip_suffix('+') == Some(begun)) {
            Some((_, list)) => list.push_str(value),
            None => fields.push((name.to_owned(), value.to_owned())),
        }
    }
    fields
}

/// Days in the notation of the tables, as dates.
fn dated(scenario: &Scenario, name: &str, text: &str) -> String {
    let date = |day: &str| scenario.days.date(day).unwrap_or_else(|problem| problem);
    match (name, text) {
        (_, "null") => text.to_owned(),
        ("recovers_on" | "as_of" | "covered_from", day) => date(day),
        ("window" | "cycle", days) => match days.split_once("..") {
            Some((from, to)) => format!("{}..{}", date(from), date(to)),
            None => days.to_owned(),
        },
        _ => text.to_owned(),
    }
}

/// `SELLER/MARKET`, or the seller alone.
pub fn account(seller: &str, marketplace: &str) -> String {
    if marketplace.is_empty() { seller.to_owned() } else { format!("{seller}/{marketplace}") }
}

/// `by_kind` of an alert or of a line of the totals.
pub fn kinds(value: &Value) -> String {
    let count = |kind: &str| shown(value.pointer(&format!("/by_kind/{kind}")));
    format!("{}/{}/{}", count("negative_feedback"), count("claim"), count("chargeback"))
}

/// A value without quotes.
pub fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "absent".to_owned(),
    }
}
