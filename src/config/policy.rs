//! From the raw policy to the domain's.
//!
//! Invariant: a policy made here has no [`Policy::problems`].

use jiff::civil::Date;

use super::checked::{Checker, narrow};
use super::raw_policy::{RawPolicy, ScopeName, ViewName};
use super::zone;
use crate::domain::policy::{Policy, Scope, Threshold, View};
use crate::domain::time::{Day, Zone};

/// Checks a policy; mistakes go to the checker.
pub(super) fn policy(raw: &RawPolicy, checker: &mut Checker<'_>) -> Policy {
    let threshold = |raise: u64, clear: Option<u64>, min_defects: u64| Threshold {
        raise_bp: narrow(raise),
        clear_bp: narrow(clear.unwrap_or(raise)),
        min_defects: narrow(min_defects),
    };
    let mut scopes: Vec<_> = raw.scopes.iter().map(|name| scope(*name)).collect();
    scopes.sort_unstable();
    let mut views: Vec<_> = raw.views.iter().map(|name| view(*name)).collect();
    views.sort_unstable();
    let policy = Policy {
        policy_version: narrow(raw.policy_version),
        time_zone: time_zone(&raw.time_zone, checker),
        window_days: narrow(raw.window_days),
        lag_days: narrow(raw.lag_days),
        min_orders: narrow(raw.min_orders),
        warning: threshold(raw.warning_bp, raw.warning_clear_bp, raw.warning_min_defects),
        critical: threshold(raw.critical_bp, raw.critical_clear_bp, raw.critical_min_defects),
        restriction_bp: narrow(raw.restriction_bp),
        restriction_min_defects: narrow(raw.restriction_min_defects),
        restriction_cycles: narrow(raw.restriction_cycles),
        cycle_days: narrow(raw.cycle_days),
        cycle_anchor: cycle_anchor(&raw.cycle_anchor, checker),
        scopes,
        views,
        count_canceled_orders: raw.count_canceled_orders,
        count_open_claims: raw.count_open_claims,
        negative_rating_max: narrow(raw.negative_rating_max),
    };
    for (key, problem) in policy.problems() {
        // A key that is wrong by itself stands at its default here; its threshold may then differ.
        let threshold = key.replace("_clear_bp", "_bp");
        let paths = [format!("policy.{key}"), format!("policy.{threshold}")];
        checker.contradiction(&paths, &format!("is wrong: {problem}"), None);
    }
    policy
}

fn scope(name: ScopeName) -> Scope {
    match name {
        ScopeName::All => Scope::All,
        ScopeName::Mfn => Scope::Mfn,
        ScopeName::Afn => Scope::Afn,
    }
}

fn view(name: ViewName) -> View {
    match name {
        ViewName::Live => View::Live,
        ViewName::Official => View::Official,
    }
}

fn time_zone(name: &str, checker: &mut Checker<'_>) -> Zone {
    zone::zone(name).unwrap_or_else(|(problem, hint)| {
        let allowed = "an IANA name such as UTC or America/Los_Angeles";
        checker.mistake("policy.time_zone", &problem, Some(allowed), hint);
        Zone::utc()
    })
}

fn cycle_anchor(text: &str, checker: &mut Checker<'_>) -> Day {
    date(text).unwrap_or_else(|| {
        let problem = format!("is {}, which is no such date", super::check::quoted(text));
        let allowed = "a date YYYY-MM-DD from 1900-01-01 to 2100-12-31";
        checker.mistake("policy.cycle_anchor", &problem, Some(allowed), None);
        Policy::default().cycle_anchor
    })
}

/// The day of a date written `YYYY-MM-DD`, from 1900 to 2100.
fn date(text: &str) -> Option<Day> {
    let is_plain = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = is_plain.then(|| text.parse().ok())??;
    if !(1900..=2100).contains(&date.year()) {
        return None;
    }
    let hours = date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours();
    i32::try_from(hours.div_euclid(24)).ok().map(Day::from_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        assert_eq!(date("1970-01-05"), Some(Day::from_number(4)));
        assert_eq!(date("1969-12-31"), Some(Day::from_number(-1)));
        assert_eq!(date("1900-01-01"), Some(Day::from_number(-25_567)));
        assert_eq!(date("2100-12-31"), Some(Day::from_number(47_846)));
        for text in ["1970-1-5", "19700105", "1970-02-30", "1899-12-31", "2101-01-01", "x", ""] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
