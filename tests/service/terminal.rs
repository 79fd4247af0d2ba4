//! On a terminal: bars for restores and catch-ups, and log lines that no bar breaks.

use super::child::Odrwatch;
use super::feed::{History, Written};
use super::probe::Probe;
use super::stage::Stage;

/// Work of some seconds: a bar is drawn for what is under way when it is looked.
const HISTORY: History = History { seed: 11, hostile: 20_000, bulk: 60_000 };

const SETS: &[&str] = &["engine.workers=2", "log.format=json"];

/// The texts of the bars, which stand between the log's own lines; each of those is whole.
fn told(service: &Odrwatch) -> String {
    let mut rest = String::new();
    for line in service.log().split('\n') {
        let Some((bars, json)) = line.split_once("{\"timestamp\"") else {
            rest.push_str(line);
            continue;
        };
        rest.push_str(bars);
        let json = format!("{{\"timestamp\"{}", json.trim_end_matches('\r'));
        let parsed = serde_json::from_str::<serde_json::Value>(&json);
        let parsed = parsed.unwrap_or_else(|error| panic!("{error} in a line: {json:?}"));
        assert!(parsed["message"].is_string(), "{json:?}");
    }
    rest
}

#[test]
fn bars_tell_how_far_a_catch_up_and_a_restore_are_and_break_no_line() {
    let stage = Stage::new("terminal", 4);
    let mut written = Written::default();
    written.produce_all(&stage, &HISTORY.records(&stage));
    let probe = Probe::new(&stage);
    for (what, last_of_shard) in [
        ("catching up with the inputs (records)", "caught up"),
        ("restoring shards (records)", "restored; the digest agrees"),
    ] {
        let mut service = Odrwatch::start_on_terminal(&stage, "a", SETS);
        probe.await_done(&written, &mut [&mut service]);
        service.await_lines(&[last_of_shard], 4);
        service.await_line(&["\"done\"", what]);
        service.stop();
        let bars = told(&service);
        let bar = format!(" % {what}: ");
        assert!(bars.contains(&bar) && bars.contains(" of "), "{bar} in {bars:?}");
    }
}
