//! The engine against a slow reference, and against itself under everything that must not matter.
//!
//! Every property runs on hostile logs, made from a seed. The reference ([`oracle`]) was written
//! from the specification alone; it shares no code with the engine, not even the parser. Seeds that
//! failed are kept in `model_seeds.txt`, and run first, for ever.

use odrwatch::sim::random::Random;
use proptest::prelude::*;

mod market;
mod oracle;

use market::{Case, Feed};

/// How many cases each property runs.
const CASES: u32 = 10_000;

/// The seeds that are kept.
const KEPT: &str = include_str!("model_seeds.txt");

/// What a property says of a seed.
type Verdict = Result<(), TestCaseError>;

/// A property of every seed, with its name.
type Property<'a> = (&'a str, &'a dyn Fn(u64) -> Verdict);

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

fn engine_and_reference_agree(seed: u64) -> Verdict {
    let case = Case::new(seed);
    let expected = case.by_reference();
    let found = case.by_replay(&Feed::interleaved(seed));
    prop_assert_eq!(&found.alerts, &expected.alerts, "alerts of seed {}", seed);
    prop_assert_eq!(&found.totals, &expected.totals, "totals of seed {}", seed);
    prop_assert_eq!(&found.dead, &expected.dead, "dead letters of seed {}", seed);
    prop_assert_eq!(&found.outcomes, &expected.outcomes, "outcomes of seed {}", seed);
    Ok(())
}

fn interleaving_does_not_matter(seed: u64) -> Verdict {
    let case = Case::new(seed);
    let first = case.by_replay(&Feed::topic_by_topic());
    let second = case.by_replay(&Feed::interleaved(seed ^ 1));
    prop_assert_eq!(first, second, "seed {}", seed);
    Ok(())
}

fn restarts_do_not_matter(seed: u64) -> Verdict {
    let case = Case::new(seed);
    let mut random = Random::new(seed ^ 2);
    let straight = case.by_shards(seed, &mut |_| false);
    let restarted = case.by_shards(seed, &mut |_| random.chance(300_000));
    prop_assert_eq!(straight, restarted, "seed {}", seed);
    Ok(())
}

fn order_and_repeats_in_a_boundary_do_not_matter(seed: u64) -> Verdict {
    let case = Case::in_one_boundary(seed);
    let mut random = Random::new(seed ^ 3);
    let shuffled = case.shuffled_and_repeated(&mut random);
    let first = case.by_replay(&Feed::topic_by_topic());
    let second = shuffled.by_replay(&Feed::topic_by_topic());
    prop_assert_eq!(&first.totals, &second.totals, "totals of seed {}", seed);
    prop_assert_eq!(&first.alerts, &second.alerts, "alerts of seed {}", seed);
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_engine_gives_what_the_reference_gives(seed: u64) {
        engine_and_reference_agree(seed)?;
    }

    #[test]
    fn any_interleaving_of_the_partitions_gives_the_same_bytes(seed: u64) {
        interleaving_does_not_matter(seed)?;
    }

    #[test]
    fn a_restart_at_any_boundary_from_offset_and_watermark_changes_nothing(seed: u64) {
        restarts_do_not_matter(seed)?;
    }

    #[test]
    fn facts_of_one_boundary_merge_the_same_in_any_order_and_any_number(seed: u64) {
        order_and_repeats_in_a_boundary_do_not_matter(seed)?;
    }
}

/// The seeds of a list: a number a line, with comments after `#`.
fn seeds(list: &str) -> Vec<u64> {
    let without_comment = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let lines = list.lines().map(without_comment).filter(|line| !line.is_empty());
    lines.map(|line| line.parse().unwrap_or_else(|_| panic!("{line:?} is no seed"))).collect()
}

/// Runs each property with each seed of a list; fails at the first that does not hold.
fn run_kept(list: &str, properties: &[Property<'_>]) {
    for seed in seeds(list) {
        for (name, property) in properties {
            if let Err(error) = property(seed) {
                panic!("{name}, seed {seed}: {error}");
            }
        }
    }
}

#[test]
fn seeds_that_are_kept_hold_every_property() {
    assert!(!seeds(KEPT).is_empty(), "the list is there");
    run_kept(
        KEPT,
        &[
            ("engine and reference", &engine_and_reference_agree),
            ("interleaving", &interleaving_does_not_matter),
            ("restarts", &restarts_do_not_matter),
            ("order in a boundary", &order_and_repeats_in_a_boundary_do_not_matter),
        ],
    );
}

#[test]
fn each_seed_of_a_list_is_run_with_each_property() {
    let (first, second) = (std::cell::RefCell::default(), std::cell::RefCell::default());
    let note = |at: &std::cell::RefCell<Vec<u64>>, seed| -> Verdict {
        at.borrow_mut().push(seed);
        Ok(())
    };
    let list = "# comment\n\n7 # why\n18446744073709551615\n";
    run_kept(list, &[("a", &|seed| note(&first, seed)), ("b", &|seed| note(&second, seed))]);
    assert_eq!(*first.borrow(), [7, u64::MAX]);
    assert_eq!(*second.borrow(), [7, u64::MAX]);
}

#[test]
#[should_panic(expected = "odd, seed 8: Case failed: it is even")]
fn a_kept_seed_that_fails_again_is_named_with_its_property() {
    let odd = |seed| match seed % 2 {
        1 => Ok(()),
        _ => Err(TestCaseError::fail("it is even")),
    };
    run_kept("7\n8\n", &[("odd", &odd)]);
}

#[test]
#[should_panic(expected = "is no seed")]
fn a_line_that_is_no_seed_is_not_passed_over() {
    seeds("7\nseed 8\n");
}

#[test]
fn the_cases_exercise_every_outcome_reason_kind_and_state() {
    let mut seen = String::new();
    for seed in 0..300 {
        let files = Case::new(seed).by_replay(&Feed::topic_by_topic());
        seen.push_str(&files.alerts);
        seen.push_str(&files.outcomes);
    }
    let expected = [
        "\"applied\":",
        "\"duplicate\":",
        "\"superseded\":",
        "\"expired\":",
        "\"tombstone\":",
        "\"dead\":",
        "\"pending\":",
        "\"too_large\":",
        "\"schema_framed\":",
        "\"parse\":",
        "\"duplicate_key\":",
        "\"missing_field\":",
        "\"bad_value\":",
        "\"misrouted\":",
        "\"bad_time\":",
        "\"purchase_in_future\":",
        "\"kind\":\"warning\",\"state\":\"raised\",\"initial\":false",
        "\"kind\":\"warning\",\"state\":\"raised\",\"initial\":true",
        "\"kind\":\"warning\",\"state\":\"cleared\"",
        "\"kind\":\"critical\",\"state\":\"raised\",\"initial\":false",
        "\"kind\":\"critical\",\"state\":\"raised\",\"initial\":true",
        "\"kind\":\"critical\",\"state\":\"cleared\"",
        "\"kind\":\"restriction_risk\",\"state\":\"raised\",\"initial\":false",
        "\"kind\":\"restriction_risk\",\"state\":\"raised\",\"initial\":true",
        "\"kind\":\"restriction_risk\",\"state\":\"ongoing\"",
        "\"kind\":\"restriction_risk\",\"state\":\"cleared\"",
        "\"scope\":\"mfn\"",
        "\"scope\":\"afn\"",
        "\"view\":\"official\"",
    ];
    for part in expected {
        assert!(seen.contains(part), "no case shows {part}");
    }
}
