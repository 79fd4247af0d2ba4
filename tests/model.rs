//! The engine against a slow reference, and against itself under everything that must not matter.
//!
//! Every property runs on hostile logs, made from a seed. The reference ([`oracle`]) was written
//! from the specification alone; it shares no code with the engine, not even the parser.

use odrwatch::sim::random::Random;
use proptest::prelude::*;

mod market;
mod oracle;

use market::image::through_image;
use market::{Case, Feed};

/// How many cases each property runs.
const CASES: u32 = 10_000;

fn config() -> ProptestConfig {
    ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_engine_gives_what_the_reference_gives(seed: u64) {
        let case = Case::new(seed);
        let expected = case.by_reference();
        let found = case.by_replay(&Feed::interleaved(seed));
        prop_assert_eq!(&found.alerts, &expected.alerts, "alerts of seed {}", seed);
        prop_assert_eq!(&found.totals, &expected.totals, "totals of seed {}", seed);
        prop_assert_eq!(&found.dead, &expected.dead, "dead letters of seed {}", seed);
        prop_assert_eq!(&found.outcomes, &expected.outcomes, "outcomes of seed {}", seed);
    }

    #[test]
    fn any_interleaving_of_the_partitions_gives_the_same_bytes(seed: u64) {
        let case = Case::new(seed);
        let first = case.by_replay(&Feed::topic_by_topic());
        let second = case.by_replay(&Feed::interleaved(seed ^ 1));
        prop_assert_eq!(first, second, "seed {}", seed);
    }

    #[test]
    fn a_restart_at_any_boundary_from_offset_and_watermark_changes_nothing(seed: u64) {
        let case = Case::new(seed);
        let mut random = Random::new(seed ^ 2);
        let straight = case.by_shards(seed, &mut |_| {});
        let restarted = case.by_shards(seed, &mut |shard| {
            if random.chance(300_000) {
                shard.rewind();
            }
        });
        prop_assert_eq!(straight, restarted, "seed {}", seed);
    }

    #[test]
    fn i_21_a_shard_from_its_image_gives_what_the_original_gives(seed: u64) {
        let case = Case::new(seed);
        let mut random = Random::new(seed ^ 4);
        let mut taken = 0;
        let straight = case.by_shards(seed, &mut |_| {});
        let restored = case.by_shards(seed, &mut |shard| {
            if random.chance(200_000) {
                // Another seed gives other places in memory, and must give nothing else.
                let config = case.shard_config(seed ^ (random.below(1 << 40) << 1));
                *shard = through_image(shard, config);
                taken += 1;
            }
        });
        prop_assert_eq!(straight, restored, "seed {} with {} images", seed, taken);
    }

    #[test]
    fn facts_of_one_boundary_merge_the_same_in_any_order_and_any_number(seed: u64) {
        let case = Case::in_one_boundary(seed);
        let mut random = Random::new(seed ^ 3);
        let shuffled = case.shuffled_and_repeated(&mut random);
        let first = case.by_replay(&Feed::topic_by_topic());
        let second = shuffled.by_replay(&Feed::topic_by_topic());
        prop_assert_eq!(&first.totals, &second.totals, "totals of seed {}", seed);
        prop_assert_eq!(&first.alerts, &second.alerts, "alerts of seed {}", seed);
    }
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
