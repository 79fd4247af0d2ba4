//! One random policy in the two forms that the engine and the reference take.

use std::sync::LazyLock;

use odrwatch::config::{self, Sources};
use odrwatch::domain::policy::{Policy, Scope, Threshold, View};
use odrwatch::domain::time::{Day, Zone};
use odrwatch::sim::random::Random;

use crate::oracle;

/// Zones with and without daylight saving, and one off the full hour.
const ZONES: [&str; 4] = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"];

static BUILT_ZONES: LazyLock<Vec<Zone>> = LazyLock::new(|| {
    let built = ZONES.map(|name| {
        let sources = Sources {
            sets: vec![format!("policy.time_zone={name}")],
            host_name: Some("test".to_owned()),
            ..Sources::default()
        };
        config::load(&sources).unwrap().policy.time_zone
    });
    built.to_vec()
});

/// A policy, twice.
#[derive(Clone)]
pub struct Policies {
    pub engine: Policy,
    pub reference: oracle::Policy,
}

impl Policies {
    pub fn random(random: &mut Random) -> Self {
        let mut policies = Self { engine: Policy::default(), reference: oracle::Policy::default() };
        if random.chance(400_000) {
            return policies;
        }
        policies.choose_window(random);
        policies.choose_thresholds(random);
        policies.choose_cycles(random);
        policies.choose_subjects(random);
        assert!(policies.engine.problems().is_empty(), "{:?}", policies.engine.problems());
        policies
    }

    fn choose_window(&mut self, random: &mut Random) {
        let (engine, reference) = (&mut self.engine, &mut self.reference);
        engine.window_days = *random.pick(&[60, 60, 30, 7, 1]);
        engine.lag_days = *random.pick(&[15, 15, 0, 3]);
        reference.window_days = i64::from(engine.window_days);
        reference.lag_days = i64::from(engine.lag_days);
        let zone = random.index(ZONES.len());
        engine.time_zone = BUILT_ZONES[zone].clone();
        ZONES[zone].clone_into(&mut reference.time_zone);
    }

    fn choose_thresholds(&mut self, random: &mut Random) {
        let (engine, reference) = (&mut self.engine, &mut self.reference);
        engine.min_orders = *random.pick(&[1, 1, 2, 5]);
        reference.min_orders = u64::from(engine.min_orders);
        let mut threshold = |raise: &[u32]| {
            let raise_bp = *random.pick(raise);
            let clear_bp = if random.chance(500_000) { raise_bp } else { raise_bp / 2 };
            Threshold { raise_bp, clear_bp, min_defects: *random.pick(&[1, 1, 2, 3]) }
        };
        engine.warning = threshold(&[100, 1000, 2500]);
        engine.critical = threshold(&[200, 2000, 5000]);
        let restriction = threshold(&[200, 1500, 3333]);
        engine.restriction_bp = restriction.raise_bp;
        engine.restriction_min_defects = restriction.min_defects;
        reference.warning_bp = u64::from(engine.warning.raise_bp);
        reference.warning_clear_bp = Some(u64::from(engine.warning.clear_bp));
        reference.warning_min_defects = u64::from(engine.warning.min_defects);
        reference.critical_bp = u64::from(engine.critical.raise_bp);
        reference.critical_clear_bp = Some(u64::from(engine.critical.clear_bp));
        reference.critical_min_defects = u64::from(engine.critical.min_defects);
        reference.restriction_bp = u64::from(restriction.raise_bp);
        reference.restriction_min_defects = u64::from(restriction.min_defects);
    }

    fn choose_cycles(&mut self, random: &mut Random) {
        let (engine, reference) = (&mut self.engine, &mut self.reference);
        engine.restriction_cycles = *random.pick(&[1, 2, 3]);
        engine.cycle_days = *random.pick(&[7, 1, 30, 60]);
        let anchor = random.between(0, 9);
        engine.cycle_anchor = Day::from_number(i32::try_from(anchor).unwrap());
        reference.restriction_cycles = u64::from(engine.restriction_cycles);
        reference.cycle_days = i64::from(engine.cycle_days);
        reference.cycle_anchor = format!("1970-01-{:02}", anchor + 1);
    }

    fn choose_subjects(&mut self, random: &mut Random) {
        let (engine, reference) = (&mut self.engine, &mut self.reference);
        let scopes = [&[Scope::All][..], &[Scope::Mfn, Scope::Afn][..], &Scope::ALL[..]];
        let views = [&[View::Live][..], &[View::Official][..], &View::ALL[..]];
        engine.scopes = random.pick(&scopes).to_vec();
        engine.views = random.pick(&views).to_vec();
        let names = |name: &str| name.to_owned();
        reference.scopes = engine.scopes.iter().map(|scope| names(scope.as_str())).collect();
        reference.views = engine.views.iter().map(|view| names(view.as_str())).collect();
        engine.count_canceled_orders = random.chance(500_000);
        engine.count_open_claims = random.chance(500_000);
        engine.negative_rating_max = *random.pick(&[1, 2, 3]);
        reference.count_canceled_orders = engine.count_canceled_orders;
        reference.count_open_claims = engine.count_open_claims;
        reference.negative_rating_max = u64::from(engine.negative_rating_max);
    }
}
