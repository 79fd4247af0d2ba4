//! `validate --against`: what a changed policy would have said, from the topics.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::feed::{Written, feedback, order};
use super::now_ms;
use super::stage::Stage;
use crate::support::process;

/// The shipped policy with a key changed, in a directory that goes with the value.
fn changed(from: &str, to: &str) -> (TempDir, String) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policies/amazon.yaml");
    let text = fs::read_to_string(shipped).unwrap();
    let other = text.replacen(from, to, 1);
    assert_ne!(other, text);
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("changed.yaml");
    fs::write(&path, other).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (dir, path)
}

fn validate(stage: &Stage, path: &str, days: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_odrwatch"));
    command.args(["validate", "--against", path, "--days", days]);
    for set in stage.sets("against") {
        command.args(["--set", &set]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = process::spawn(command).unwrap().wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_changed_policy_is_held_against_the_one_in_effect_over_the_last_days() {
    let stage = Stage::new("against", 2);
    let day_ms = 86_400_000;
    let (now, long_ago) = (now_ms(), now_ms() - 20 * day_ms);
    let mut records = vec![order(&stage, "OLD", "302-1", long_ago)];
    records.push(feedback(&stage, "OLD", "302-1", long_ago));
    for (seller, orders) in [("SMALL", 1), ("LARGE", 9)] {
        for n in 0..orders {
            records.push(order(&stage, seller, &format!("302-{n}"), now));
        }
        records.push(feedback(&stage, seller, "302-0", now));
    }
    Written::default().produce(&stage, &records);

    // With five orders at least, a small account has no rate; a large one still has.
    let (_dir, stricter) = changed("min_orders: 1", "min_orders: 5");
    let (code, out, said) = validate(&stage, &stricter, "10");
    assert_eq!(code, Some(0), "{out}\n{said}");
    let counts = "2 alerts with the policy in effect, 1 with the changed one, 1 the same";
    assert!(out.contains(&format!("Of the last 10 days: {counts}")), "{out}");
    let (_, gone) = out.split_once("Only with the policy in effect").unwrap();
    assert!(gone.contains("warning raised") && gone.contains("SMALL"), "{out}");
    assert!(!gone.contains("LARGE") && !gone.contains("OLD"), "{out}");
    assert!(!out.contains("Only with the changed policy"), "{out}");
    let (_, out, _) = validate(&stage, &stricter, "30");
    assert!(out.contains("3 alerts with the policy in effect, 1 with"), "{out}");

    let (_dir, wrong) = changed("warning_bp: 100", "warning_bp: 20000");
    let (code, _, said) = validate(&stage, &wrong, "10");
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("warning_bp"), "{said}");
}
