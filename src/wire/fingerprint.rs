//! A policy in 32 hexadecimal digits, by which a restart sees that it goes on with the same one.
//!
//! Invariants: every key that changes what is computed is in it, by name; the order is that of
//! SEMANTICS section 10. A zone counts by its offsets, for the same name may change them.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::domain::policy::{Policy, Threshold};

use super::write::hex;

/// The fingerprint of a policy and a length of boundaries.
#[must_use]
pub fn policy_fingerprint(policy: &Policy, boundary_ms: i64) -> String {
    let text = canonical(policy, boundary_ms);
    hex(&Sha256::digest(text.as_bytes())[..16])
}

/// One line per key.
fn canonical(policy: &Policy, boundary_ms: i64) -> String {
    let Policy {
        policy_version,
        time_zone,
        window_days,
        lag_days,
        min_orders,
        warning,
        critical,
        restriction_bp,
        restriction_min_defects,
        restriction_cycles,
        cycle_days,
        cycle_anchor,
        scopes,
        views,
        count_canceled_orders,
        count_open_claims,
        negative_rating_max,
    } = policy;
    let mut text = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| {
        writeln!(text, "{key}={value}").expect("writing to memory cannot fail");
    };
    line("boundary_ms", &boundary_ms);
    line("policy_version", policy_version);
    line("time_zone", &time_zone.name());
    for (from_ms, offset_ms) in time_zone.transitions() {
        line("offset", &format_args!("{from_ms}:{offset_ms}"));
    }
    line("window_days", window_days);
    line("lag_days", lag_days);
    line("min_orders", min_orders);
    for (name, threshold) in [("warning", warning), ("critical", critical)] {
        let Threshold { raise_bp, clear_bp, min_defects } = threshold;
        line(name, &format_args!("{raise_bp}:{clear_bp}:{min_defects}"));
    }
    line("restriction_bp", restriction_bp);
    line("restriction_min_defects", restriction_min_defects);
    line("restriction_cycles", restriction_cycles);
    line("cycle_days", cycle_days);
    line("cycle_anchor", &cycle_anchor.number());
    for scope in scopes {
        line("scope", &scope.as_str());
    }
    for view in views {
        line("view", &view.as_str());
    }
    line("count_canceled_orders", count_canceled_orders);
    line("count_open_claims", count_open_claims);
    line("negative_rating_max", negative_rating_max);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::{Scope, View};
    use crate::domain::time::{Day, Zone};

    #[test]
    fn the_fingerprint_of_the_shipped_policy_stays() {
        // If this changes, running deployments see another policy: change the engine too.
        assert_eq!(
            policy_fingerprint(&Policy::default(), 5000),
            "d726b4c28d07f709de9ab35b2cc57bcd"
        );
    }

    #[test]
    fn every_key_changes_the_fingerprint() {
        let zone = Zone::from_transitions("UTC", 0, &[(0, 900_000)]).unwrap();
        let changes: [&dyn Fn(&mut Policy); 21] = [
            &|policy| policy.policy_version = 2,
            &|policy| policy.time_zone = zone.clone(),
            &|policy| policy.window_days = 61,
            &|policy| policy.lag_days = 16,
            &|policy| policy.min_orders = 2,
            &|policy| policy.warning.raise_bp = 101,
            &|policy| policy.warning.clear_bp = 99,
            &|policy| policy.warning.min_defects = 2,
            &|policy| policy.critical.raise_bp = 201,
            &|policy| policy.critical.clear_bp = 199,
            &|policy| policy.critical.min_defects = 3,
            &|policy| policy.restriction_bp = 201,
            &|policy| policy.restriction_min_defects = 3,
            &|policy| policy.restriction_cycles = 3,
            &|policy| policy.cycle_days = 30,
            &|policy| policy.cycle_anchor = Day::from_number(5),
            &|policy| policy.scopes = vec![Scope::All, Scope::Mfn],
            &|policy| policy.views = vec![View::Live, View::Official],
            &|policy| policy.count_canceled_orders = false,
            &|policy| policy.count_open_claims = false,
            &|policy| policy.negative_rating_max = 3,
        ];
        let mut seen = vec![
            policy_fingerprint(&Policy::default(), 5000),
            policy_fingerprint(&Policy::default(), 1000),
        ];
        for change in changes {
            let mut policy = Policy::default();
            change(&mut policy);
            seen.push(policy_fingerprint(&policy, 5000));
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }
}
