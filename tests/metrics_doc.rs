//! Metrics as others see them: the documentation agrees with the declarations, both ways, and
//! the exposition passes `promtool check metrics`.

#![expect(clippy::disallowed_methods, reason = "where promtool is")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use odrwatch::domain::effects::{AlertKind, AlertState, Outcomes};
use odrwatch::domain::event::{DeadReason, Outcome, Topic};
use odrwatch::domain::ids::ShardNo;
use odrwatch::telemetry::declarations::{ALL, Declaration, MetricKind};
use odrwatch::telemetry::labels::Label;
use odrwatch::telemetry::seller_metrics::SELLERS;
use odrwatch::telemetry::{
    BuildInfo, DecisionKind, HealthBoard, Held, Metrics, ShardMetrics, ShardState, Stage, WorkerNo,
    WorkerState,
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn document() -> String {
    let path = Path::new(ROOT).join("docs/metrics.md");
    std::fs::read_to_string(path).expect("docs/metrics.md is there")
}

/// The cells of a table's row, without the marks of code.
fn cells(line: &str) -> Vec<String> {
    let inner = line.trim().trim_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('`', "")).collect()
}

/// The rows of all tables whose first cell is code.
fn rows(document: &str) -> Vec<Vec<String>> {
    document.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

fn wanted_row(metric: &Declaration) -> [String; 4] {
    let labels: Vec<_> = metric.labels.iter().map(|label| label.as_str()).collect();
    [
        metric.name.to_owned(),
        metric.kind.as_str().to_owned(),
        labels.join(", "),
        metric.unit.as_str().to_owned(),
    ]
}

fn is_metric(name: &str) -> bool {
    name.starts_with("odrwatch_") || name.starts_with("process_")
}

#[test]
fn every_metric_is_documented_as_it_is_declared_and_nothing_else_is() {
    let document = document();
    let mut documented = BTreeMap::new();
    for row in rows(&document).into_iter().filter(|row| is_metric(&row[0])) {
        assert_eq!(row.len(), 5, "a row has five cells: {row:?}");
        assert!(!row[4].is_empty(), "{} has no meaning", row[0]);
        let before = documented.insert(row[0].clone(), row[..4].to_vec());
        assert!(before.is_none(), "{} is documented twice", row[0]);
    }
    for metric in ALL.iter().chain(&SELLERS) {
        let wanted = wanted_row(metric);
        let row = documented.remove(metric.name);
        assert_eq!(
            row.as_deref(),
            Some(&wanted[..]),
            "docs/metrics.md must have the row: | `{}` | ... | {}",
            wanted.join(" | "),
            metric.help
        );
    }
    assert!(documented.is_empty(), "no such metrics: {documented:?}");
}

#[test]
fn every_label_is_documented_with_its_values() {
    let document = document();
    let rows = rows(&document);
    for label in Label::ALL {
        let row = rows.iter().find(|row| row[0] == label.as_str());
        let row = row.unwrap_or_else(|| panic!("label {} is not documented", label.as_str()));
        if let Some(values) = label.values() {
            assert_eq!(row[1], values.join(", "), "values of {}", label.as_str());
        }
    }
    let known: BTreeSet<_> = Label::ALL.iter().map(|label| label.as_str()).collect();
    for row in rows.iter().filter(|row| !is_metric(&row[0])) {
        assert!(known.contains(row[0].as_str()), "no such label: {}", row[0]);
    }
}

/// The name and the label names of a sample line.
fn sample(line: &str) -> (String, Vec<String>) {
    let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let labels = labels
        .trim_end_matches('}')
        .split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(label, _)| label.to_owned())
        .collect();
    (name.to_owned(), labels)
}

/// The metric that a name in an exposition or a query belongs to.
fn metric_of(name: &str) -> Option<&'static Declaration> {
    ALL.iter().chain(&SELLERS).find(|metric| {
        let suffix = name.strip_prefix(metric.name);
        match metric.kind {
            MetricKind::Histogram => {
                matches!(suffix, Some("" | "_bucket" | "_sum" | "_count"))
            }
            MetricKind::Counter | MetricKind::Gauge => suffix == Some(""),
        }
    })
}

#[test]
fn the_example_shows_every_metric_with_its_labels() {
    let document = document();
    let (_, example) = document.split_once("## Example").expect("the section is there");
    let mut missing: BTreeSet<_> = ALL.iter().chain(&SELLERS).map(|metric| metric.name).collect();
    for line in example.lines().filter(|line| is_metric(line)) {
        let (name, mut labels) = sample(line);
        let metric = metric_of(&name).unwrap_or_else(|| panic!("no such metric: {name}"));
        labels.retain(|label| label != "le");
        let mut wanted: Vec<_> = metric.labels.iter().map(|label| label.as_str()).collect();
        wanted.sort_unstable();
        assert_eq!(labels, wanted, "labels of {name}, in alphabetical order");
        missing.remove(metric.name);
    }
    assert!(missing.is_empty(), "not in the example: {missing:?}");
}

#[test]
fn every_metric_that_a_document_speaks_of_exists() {
    let folder = Path::new(ROOT).join("docs");
    for entry in std::fs::read_dir(folder).expect("docs is there") {
        let path = entry.expect("docs can be listed").path();
        if path.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("documents are UTF-8");
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let speaks = word.starts_with("odrwatch_") && word != "odrwatch_";
            assert!(
                !speaks || metric_of(word).is_some(),
                "{}: there is no metric {word}",
                path.display()
            );
        }
    }
}

/// Metrics in which every family has a series.
fn populated() -> Arc<Metrics> {
    let health = Arc::new(HealthBoard::new(1));
    let metrics = Arc::new(Metrics::new(BuildInfo::of_this_build("2.12.1"), health));
    let mut outcomes = Outcomes::default();
    outcomes.count(Topic::Orders, Outcome::Applied);
    outcomes.count_dead(Topic::Feedback, DeadReason::Parse);
    metrics.records(&outcomes);
    metrics.alert(AlertKind::Warning, AlertState::Raised);
    metrics.decisions(DecisionKind::Close, 1);
    metrics.transaction_committed(Duration::from_millis(5));
    metrics.transaction_failed(Stage::Commit);
    metrics.set_clock_skew_ms(-3);
    let (worker, shard) = (WorkerNo::new(0), ShardNo::new(0));
    metrics.health().set_worker(worker, WorkerState::Settled);
    metrics.health().set_shard(worker, shard, ShardState::Live);
    metrics
}

#[test]
fn the_exposition_passes_promtool() {
    let metrics = populated();
    let mut shard = ShardMetrics::new(&metrics, ShardNo::new(0));
    shard.set_held(Held { orders: 3, ..Held::default() });
    shard.set_boundary_lag_ms(2_500, Topic::Claims);
    let text = metrics.render();
    for metric in &ALL {
        let header = format!("# TYPE {} {}\n", metric.name, metric.kind.as_str());
        assert!(text.contains(&header), "{header} in\n{text}");
    }
    let (ok, said) = promtool_check(&text);
    assert!(ok && said.is_empty(), "promtool says:\n{said}\nabout\n{text}");
}

#[test]
fn promtool_would_find_a_bad_exposition() {
    let (ok, said) = promtool_check("# TYPE bad_total gauge\nbad_total 1\n");
    assert!(!ok && said.contains("bad_total"), "{said}");
}

/// Runs `promtool check metrics`: whether it ended well, and what it said.
fn promtool_check(text: &str) -> (bool, String) {
    let program = promtool();
    let mut child = Command::new(&program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be run: {error}", program.display()));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(text.as_bytes()).expect("promtool reads");
    drop(stdin);
    let output = child.wait_with_output().expect("promtool ends");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    (output.status.success(), said)
}

/// Where promtool is: `PROMTOOL`, `target/tools/promtool`, or on the `PATH`.
fn promtool() -> PathBuf {
    if let Some(path) = std::env::var_os("PROMTOOL") {
        return path.into();
    }
    let own = Path::new(ROOT).join("target/tools/promtool");
    if own.is_file() {
        return own;
    }
    let on_path = std::env::var_os("PATH").and_then(|paths| {
        std::env::split_paths(&paths)
            .map(|folder| folder.join("promtool"))
            .find(|path| path.is_file())
    });
    on_path.expect(
        "promtool is missing. `scripts/setup.sh` puts it into target/tools; or install the \
         Debian package `prometheus`; or unpack it: `apt-get download prometheus && dpkg -x \
         prometheus_*.deb DIR`, and set PROMTOOL=DIR/usr/bin/promtool",
    )
}
