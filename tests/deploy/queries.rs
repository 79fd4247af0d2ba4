//! The metrics, labels and values that a query of Prometheus names, each held against the code.
//!
//! Invariant: whatever stands where a metric's name can stand is one. Absent on purpose: the
//! grammar's rest, which promtool checks.

use std::collections::{BTreeMap, BTreeSet};

use odrwatch::telemetry::declarations::{ALL, MetricKind};

/// Labels that the scrape gives.
const SCRAPED: [&str; 3] = ["job", "instance", "namespace"];

/// What Prometheus itself knows, with the labels that are asked for.
const BUILT_IN: [(&str, &[&str]); 2] = [("up", &[]), ("ALERTS", &["alertname", "alertstate"])];

const KEYWORDS: [&str; 12] = [
    "and", "or", "unless", "by", "without", "on", "ignoring", "offset", "bool", "inf", "nan", "Inf",
];
const GROUPINGS: [&str; 4] = ["by", "without", "on", "ignoring"];

/// A metric in an expression: its name, and its matchers as label, operator and value.
#[derive(Debug, PartialEq, Eq)]
struct Selector {
    name: String,
    matchers: Vec<(String, String, String)>,
}

/// What an expression names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    selectors: Vec<Selector>,
    groupings: BTreeSet<String>,
}

/// What is known beside the code's metrics: recorded series with their labels.
pub type Recorded = BTreeMap<String, BTreeSet<String>>;

/// Splits an expression into words, marks and quoted texts.
fn tokens(expression: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || "_:$.".contains(c);
        let end = match first {
            '"' => rest[1..].find('"').expect("a quote ends") + 2,
            '=' | '!' if rest[1..].starts_with(['=', '~']) => 2,
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    tokens
}

fn named(expression: &str) -> Named {
    let tokens = tokens(expression);
    let is = |at: usize, mark: &str| tokens.get(at).is_some_and(|token| token == mark);
    let mut found = Named::default();
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let starts_name = token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if GROUPINGS.contains(&token.as_str()) && is(at + 1, "(") {
            at += 2;
            while !is(at, ")") {
                found.groupings.extend((tokens[at] != ",").then(|| tokens[at].clone()));
                at += 1;
            }
        } else if token == "[" {
            while !is(at, "]") {
                at += 1;
            }
        } else if starts_name && !KEYWORDS.contains(&token.as_str()) && !calls(&tokens[at + 1..]) {
            let mut selector = Selector { name: token.clone(), matchers: Vec::new() };
            if is(at + 1, "{") {
                at += 2;
                while !is(at, "}") {
                    if tokens[at] == "," {
                        at += 1;
                        continue;
                    }
                    let value = tokens[at + 2].trim_matches('"').to_owned();
                    selector.matchers.push((tokens[at].clone(), tokens[at + 1].clone(), value));
                    at += 3;
                }
            }
            found.selectors.push(selector);
        }
        at += 1;
    }
    found
}

/// Whether a name before these tokens is a function or an aggregation.
fn calls(rest: &[String]) -> bool {
    let first = rest.first().map(String::as_str);
    first == Some("(") || matches!(first, Some("by" | "without"))
}

/// The labels of a metric, and for each of the code's own its closed set of values, if it has one.
fn labels_of(name: &str, recorded: &Recorded) -> Option<BTreeMap<String, Option<Vec<String>>>> {
    let open = |label: &str| (label.to_owned(), None);
    let mut labels: BTreeMap<String, Option<Vec<String>>> = SCRAPED.map(open).into();
    if let Some((_, more)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        labels.extend(more.iter().map(|label| open(label)));
        return Some(labels);
    }
    if let Some(more) = recorded.get(name) {
        return Some(more.iter().map(|label| open(label)).collect());
    }
    let (metric, part) = ALL.iter().find_map(|metric| {
        let part = name.strip_prefix(metric.name)?;
        let is_histogram = matches!(metric.kind, MetricKind::Histogram);
        let parts: &[&str] = if is_histogram { &["_bucket", "_sum", "_count"] } else { &[""] };
        parts.contains(&part).then_some((metric, part))
    })?;
    let own = metric.labels.iter().map(|label| {
        let values = label.values().map(|values| values.iter().map(ToString::to_string).collect());
        (label.as_str().to_owned(), values)
    });
    labels.extend(own);
    labels.extend((part == "_bucket").then(|| open("le")));
    Some(labels)
}

/// The mistakes of an expression, and the metrics that it names.
pub fn check(expression: &str, recorded: &Recorded) -> Result<BTreeSet<String>, String> {
    let found = named(expression);
    if found.selectors.is_empty() {
        return Err(format!("names no metric: {expression}"));
    }
    let mut all = BTreeSet::new();
    for Selector { name, matchers } in &found.selectors {
        let labels = labels_of(name, recorded).ok_or_else(|| format!("no such metric: {name}"))?;
        for (label, operator, value) in matchers {
            let values = labels.get(label).ok_or_else(|| format!("{name} has no label {label}"))?;
            let asked: Vec<&str> =
                if operator.ends_with('~') { value.split('|').collect() } else { vec![value] };
            let Some(values) = values else { continue };
            if let Some(wrong) = asked.iter().find(|asked| !values.iter().any(|v| v == *asked)) {
                return Err(format!("{label} of {name} is never {wrong}"));
            }
        }
        all.extend(labels.into_keys());
    }
    if let Some(label) = found.groupings.iter().find(|label| !all.contains(*label)) {
        return Err(format!("nothing here has the label {label}: {expression}"));
    }
    Ok(found.selectors.into_iter().map(|selector| selector.name).collect())
}

/// The labels that the outermost aggregation of a recording rule leaves.
pub fn left_labels(expression: &str) -> BTreeSet<String> {
    named(expression).groupings.into_iter().filter(|label| label != "le").collect()
}

#[test]
fn an_expression_is_taken_apart() {
    let text =
        r#"max by (job) (rate(a_total{x="1|2",y=~"b",z!="c"}[5m] offset 10m)) > 3e5 and b:c"#;
    let found = named(text);
    let names: Vec<_> = found.selectors.iter().map(|selector| selector.name.as_str()).collect();
    assert_eq!(names, ["a_total", "b:c"]);
    let matchers: Vec<String> = found.selectors[0]
        .matchers
        .iter()
        .map(|(label, operator, value)| format!("{label}{operator}{value}"))
        .collect();
    assert_eq!(matchers, ["x=1|2", "y=~b", "z!=c"]);
    assert_eq!(found.groupings, ["job".to_owned()].into());
}

#[test]
fn names_labels_and_values_that_do_not_exist_are_found() {
    let none = Recorded::new();
    let wrong = |expression: &str| check(expression, &none).unwrap_err();
    assert!(wrong("odrwatch_reddy == 0").contains("no such metric: odrwatch_reddy"));
    assert!(wrong("odrwatch_transaction_duration_seconds > 1").contains("no such metric"));
    assert!(wrong("odrwatch_ready{shard=\"1\"}").contains("has no label shard"));
    assert!(wrong("odrwatch_shards{phase=~\"live|dead\"}").contains("is never dead"));
    assert!(wrong("sum by (seller) (odrwatch_accounts)").contains("has the label seller"));
    assert!(wrong("1 > 0").contains("names no metric"));
    let right = "sum by (job, le) (rate(odrwatch_transaction_duration_seconds_bucket[5m]))";
    assert_eq!(check(right, &none).unwrap().len(), 1);
}
