//! The specification as tables: one event per line, its expected effects beside it.
//!
//! Every table in `tests/scenarios/*.txt` is written by hand from the specification, never copied
//! from an output. Each scenario drives the real path: the JSON bytes of its records are decoded,
//! merged and evaluated by [`odrwatch::pipeline::replay`], and what comes out must be exactly what
//! the table states: an outcome for every record, every alert at its boundary and no other, totals
//! where they are asked for. Each is also given to the independent oracle, which must write the
//! same four files byte for byte, and replayed under 20 other interleavings of its partitions.
//!
//! # How a table reads
//!
//! `#` begins a comment, `==` the title of a scenario. Times are UTC: a date or `dN`, the N-th day
//! counted from a Monday (d1 is 2026-01-05, or what `day1 DATE` says), and a time of day. In a
//! field the two are joined by `_`, and a day alone is its first instant: `bought=d1_09:30`.
//!
//! | line | meaning |
//! |---|---|
//! | `set KEY=VALUE ...` | configuration, by the same names as the command line's `--set` |
//! | `quiet` | thresholds of 100 %, which no rate is above: no alerts |
//! | `partitions N` | the partition count (1) |
//! | `until TIME` | time passes to here, and no further |
//! | `alerts_from TIME`, `alerts_from live` | when alerts begin (at the first boundary) |
//! | `fails TEXT` | the replay is refused with an error that says this |
//! | `decide close TIME TOPIC@NEXT ...` | a boundary was closed with these partitions idle |
//! | `decide time TOPIC@OFFSET TIME` | a record time that was taken in place of a timestamp |
//! | `decide alerts TIME [SHARD]` | the boundary at which the shard's alerts began |
//! | `TIME order SELLER/MARKET ORDERS ...` | orders; channel and status: `MFN Shipped` |
//! | `TIME feedback SELLER ORDERS N* ...` | feedbacks of N stars; the status: `posted` |
//! | `TIME claim SELLER ORDERS STATUS ...` | claims |
//! | `TIME chargeback SELLER ORDERS STATUS ...` | chargebacks |
//! | `TIME tombstone TOPIC` | a record without a value; `all` for one on each topic |
//! | `TIME raw TOPIC BYTES` | any value; `\xNN` is a byte, `<<TEXT*N>>` a text N times |
//! | `TIME boundary` | nothing is read; the boundary that ends at this instant closes |
//! | `[TIME] expect ACCOUNT [SCOPE/VIEW] D/N ...` | totals, at the end or as known at the time |
//!
//! The time in front of a record is its Kafka timestamp; `no timestamp` takes its place. `ORDERS`
//! is `o1`, `o1..o9` or a list of these with commas. An event happens when it is recorded, and an
//! order is bought when it happens, unless a field says otherwise: `event=TIME` (`none` leaves it
//! out), `bought=TIME`, and any other field by its own name, with `by=` for `funded_by` and `id=`
//! for the claim's or chargeback's id; `NAME=text:...` is a string as it stands, `NAME=json:...`
//! any JSON without spaces. `p=N` puts the record into that partition instead of its seller's,
//! `offset=N` gives it that offset.
//!
//! After `->` stands what is expected: for a record `applied`, `duplicate`, `superseded`,
//! `expired`, `tombstone`, `dead(REASON)` or `pending`, and then, each after its own `->` on this
//! or the following lines, the alerts that appear when the boundary of this record closes:
//!
//! `KIND STATE ACCOUNT [SCOPE/VIEW] D/N FIELD=VALUE ...` (scope and view: `all/live`)
//!
//! A line that begins with a field goes on with the alert before it. A field that is not stated
//! may be anything, but for `initial`, which is then false. Besides the names of the value's own
//! numbers there are `before`, `official`, `mfn` and `afn` (D/N), `left` and `needed` (headroom),
//! `kinds` (negative feedback/claim/chargeback), `window` and `cycle` (`dN..dN`), `streak`, and
//! `defects`: the whole list in its order, `ORDER:KIND:REF` (feedback, claim, chargeback; `:REF`
//! where there is one), with `+` in front where it is new; `defects+=` goes on with it on another
//! line.

use std::fs;
use std::path::Path;

#[path = "scenarios/alerts.rs"]
mod alerts;
#[path = "scenarios/engine.rs"]
mod engine;
#[path = "scenarios/events.rs"]
mod events;
mod oracle;
#[path = "scenarios/prepare.rs"]
mod prepare;
#[path = "scenarios/table.rs"]
mod table;
#[path = "scenarios/times.rs"]
mod times;
#[path = "scenarios/verify.rs"]
mod verify;

/// The scenarios of one file, or of all.
fn check(file: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let text = fs::read_to_string(folder.join(file)).expect("the table is in its folder");
    let scenarios = table::parse(file, &text);
    assert!(!scenarios.is_empty(), "{file} has no scenarios");
    let mut wrong = Vec::new();
    for scenario in &scenarios {
        wrong.extend(verify::problems(scenario));
    }
    let (count, all) = (wrong.len(), wrong.join("\n"));
    assert!(wrong.is_empty(), "\n{all}\n\n{count} expectations of {file} are not met");
}

/// The problems of a table that is wrong somewhere, without the lines of alerts.
fn problems_of(table: &str) -> Vec<String> {
    table::parse("wrong.txt", table).iter().flat_map(verify::problems).collect()
}

#[test]
fn a_table_that_states_something_else_fails_at_its_line() {
    const EVENTS: &str = "== A title
        d1 10:00:00 order S o1..o10 -> applied
        d1 10:00:00 feedback S o1 1* -> applied -> warning raised S 1/10 needed=90
        d1 10:00:00 expect S 1/10 kinds=1/0/0
        expect S 1/10";
    let right = EVENTS.replace("d1 10:00:00 expect", "d1 10:00:05 expect");
    assert_eq!(problems_of(&right), [""; 0]);
    for (from, to, problem) in [
        ("o10 -> applied", "o10 -> duplicate", "wrong.txt:2: A title\n    expected duplicate"),
        ("o10 -> applied", "o10", "wrong.txt:2: A title\n    no outcome is stated"),
        (" -> warning raised S 1/10 needed=90", "", "wrong.txt:1: A title\n    not stated: 2026"),
        ("raised S 1/10", "cleared S 1/10", "wrong.txt:3: A title\n    expected warning cleared"),
        ("raised S 1/10", "raised S mfn/live 1/10", "    expected warning raised S mfn/live"),
        ("needed=90", "needed=91", "    needed: expected 91, found 90"),
        ("needed=90", "initial=true", "    initial: expected true, found false"),
        ("needed=90", "nonsense=1", "    nonsense is no field of an alert"),
        ("needed=90", "needed=90 -> critical raised S 1/10", "    no such alert at 2026"),
        ("10:00:00 feedback", "10:00:05 feedback", "wrong.txt:4: A title\n    expected 1/10"),
        ("S 1/10 kinds=1/0/0", "S 1/10 kinds=0/0/1", "    expected 1/10 0/0/1, found 1/10 1/0/0"),
        ("expect S 1/10 kinds", "expect S mfn/official 1/10 kinds", ", found none"),
        ("== A title", "== A title\n    until d1 10:00:04", "found pending"),
        ("== A title", "== A title\n    fails something", "    it does not fail"),
        ("== A title", "== A title\n    set window_days=0", "window_days"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(wrong, right, "{from}");
        let found = problems_of(&wrong);
        assert!(found.iter().any(|text| text.contains(problem)), "{problem}: {found:#?}");
    }
    let early = problems_of(EVENTS);
    assert!(early[0].contains("wrong.txt:4: A title\n    expected S 1/10 kinds=1/0/0, found none"));
}

#[test]
#[should_panic(expected = "wrong.txt:2: this is no line of a table\n    something")]
fn a_line_that_means_nothing_fails_with_its_place() {
    problems_of("== A title\nsomething");
}

#[test]
fn every_table_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file!())).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "txt") {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(source.contains(&format!("check(\"{name}\")")), "{name} is never checked");
        }
    }
}

#[test]
fn the_test_vectors_of_the_specification_hold() {
    check("vectors.txt");
}

#[test]
fn order_events_merge_whatever_their_order() {
    check("orders.txt");
}

#[test]
fn of_a_defects_events_the_greatest_wins() {
    check("defects.txt");
}

#[test]
fn defects_wait_for_their_orders() {
    check("orphans.txt");
}

#[test]
fn what_lies_before_the_horizon_is_expired_and_forgotten() {
    check("expired.txt");
}

#[test]
fn every_row_of_the_policy_counts_as_it_says() {
    check("counting.txt");
}

#[test]
fn views_and_scopes_select_by_the_orders_day_and_channel() {
    check("views.txt");
}

#[test]
fn warnings_and_critical_alerts_are_raised_and_cleared_at_their_edges() {
    check("levels.txt");
}

#[test]
fn an_alert_explains_what_its_boundary_did() {
    check("explain.txt");
}

#[test]
fn restriction_risk_follows_the_verdicts_of_cycles() {
    check("cycles.txt");
}

#[test]
fn boundaries_cut_the_logs_by_record_time() {
    check("boundaries.txt");
}

#[test]
fn recorded_decisions_take_the_place_of_a_clock() {
    check("decisions.txt");
}

#[test]
fn alerting_begins_where_it_is_told_to() {
    check("start.txt");
}

#[test]
fn days_are_those_of_the_policys_zone() {
    check("zones.txt");
}

#[test]
fn every_dead_letter_has_the_first_reason_that_applies() {
    check("dead.txt");
}
