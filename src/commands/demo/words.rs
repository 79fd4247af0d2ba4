//! An alert in words: what happened, to which rate, why, and what next.
//!
//! Invariant: every number stands in the alert, and a percentage is that of the fraction beside
//! it, cut off and never rounded up. Absent on purpose: whose alert it is, which the caller knows.

use super::alert::{AlertValue, Cycle, State};
use crate::commands::show::{self, count};
use crate::domain::rate::Rate;

/// How many of an alert's new defects are named.
const NAMED_DEFECTS: usize = 2;

/// A rate as a percentage with two decimals, or more where two would hide that it is not a whole
/// percent, which is where thresholds lie.
#[must_use]
pub fn percent(rate: Rate) -> String {
    let Some(millionths) = rate.millionths() else { return "no rate".to_owned() };
    let hundredths = millionths / 100;
    if hundredths.is_multiple_of(100) {
        return show::percent(millionths);
    }
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// A number with its thousands apart: `210,606`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What happened: `WARNING raised`.
pub fn headline(alert: &AlertValue) -> String {
    format!("{} {}", alert.kind.as_heading(), alert.state.as_str())
}

/// The rate before and after, and what it is after: `0.98 % -> 1.02 % (11/1070)`.
pub fn rates(alert: &AlertValue) -> String {
    let text = |rate: Option<Rate>| rate.map_or_else(|| "no rate".to_owned(), percent);
    let (before, now) = (text(alert.before()), text(alert.now()));
    let fraction = format!("({}/{})", alert.defective_orders, alert.orders);
    if alert.before() == alert.now() {
        format!("{now} {fraction}")
    } else {
        format!("{before} -> {now} {fraction}")
    }
}

/// Why it happened, and what next.
pub fn reason(alert: &AlertValue) -> String {
    let mut parts = Vec::new();
    if (alert.scope.as_str(), alert.view.as_str()) != ("all", "live") {
        parts.push(format!("scope {}, view {}", alert.scope, alert.view));
    }
    if alert.initial {
        parts.push("so it was when alerting began".to_owned());
    }
    match &alert.cycle {
        Some(cycle) => parts.push(verdict(alert, cycle)),
        None => changes(alert, &mut parts),
    }
    if alert.state == State::Cleared {
        parts.push(match alert.headroom.defects_left {
            0 => "no room for another defect".to_owned(),
            1 => "room for 1 more defect".to_owned(),
            left => format!("room for {left} more defects"),
        });
    } else {
        if alert.low_volume {
            let threshold = threshold(alert);
            parts.push(format!("low volume: one defect alone is above {threshold}"));
        }
        if alert.headroom.orders_needed > 0 {
            let needed = i64::try_from(alert.headroom.orders_needed).unwrap_or(i64::MAX);
            parts.push(format!("needs {}", count(needed, "more order")));
        }
        if let Some(on) = &alert.recovers_on {
            parts.push(format!("recovers {}", short_day(on)));
        }
    }
    parts.join("; ")
}

/// The threshold without needless decimals: `1 %`.
fn threshold(alert: &AlertValue) -> String {
    show::percent(alert.threshold_millionths()).replace(".00 %", " %")
}

fn verdict(alert: &AlertValue, cycle: &Cycle) -> String {
    let days = format!("{} to {}", short_day(&cycle.from), short_day(&cycle.to));
    let threshold = threshold(alert);
    match alert.state {
        State::Cleared => format!("no longer above {threshold} at the close of {days}"),
        State::Raised | State::Ongoing => {
            let closes = count(i64::from(cycle.streak), "cycle close");
            format!("above {threshold} at {closes} in a row, the last {days}")
        }
    }
}

/// What the boundary did to the numbers.
fn changes(alert: &AlertValue, parts: &mut Vec<String>) {
    let change = alert.change;
    if change.defective_added > 0 {
        parts.push(new_defects(alert));
    } else if is_raised_without_defect(alert) {
        parts.push("no new defect".to_owned());
    }
    if change.defective_reversed > 0 {
        parts.push(format!("{} put right", count(change.defective_reversed, "defective order")));
    }
    if change.orders_expired > 0 {
        let left = count(change.orders_expired, "order");
        parts.push(match change.defective_expired {
            0 => format!("{left} left the window, none of them defective"),
            1 => format!("{left} left the window, 1 of them defective"),
            some => format!("{left} left the window, {some} of them defective"),
        });
    }
    if change.orders_added > 0 {
        parts.push(count(change.orders_added, "new order"));
    } else if change.orders_added < 0 {
        parts.push(format!("{} corrected away", count(-change.orders_added, "order")));
    }
}

fn is_raised_without_defect(alert: &AlertValue) -> bool {
    let has_new = alert.defects.iter().any(|defect| defect.new);
    alert.state == State::Raised && !alert.initial && !has_new
}

/// The orders that became defective, by their new defects.
fn new_defects(alert: &AlertValue) -> String {
    let one = |kind: &str, order: &str| format!("{} on order {order}", kind.replace('_', " "));
    let new: Vec<_> = alert.defects.iter().filter(|defect| defect.new).collect();
    match new.as_slice() {
        [] => count(alert.change.defective_added, "more defective order"),
        [defect] => format!("1 new {}", one(&defect.kind, &defect.order_id)),
        _ => {
            let named = new.iter().take(NAMED_DEFECTS);
            let named: Vec<_> = named.map(|defect| one(&defect.kind, &defect.order_id)).collect();
            let others = match new.len() - named.len() {
                0 => String::new(),
                others => format!(", {others} more"),
            };
            format!("{} new defects: {}{others}", new.len(), named.join(", "))
        }
    }
}

/// The time of day of an RFC 3339 instant in UTC: `14:02:35`.
pub fn time_of_day(instant: &str) -> &str {
    instant.get(11..19).unwrap_or(instant)
}

/// A day as people write it: `14 Dec`.
pub fn short_day(day: &str) -> String {
    match day.get(..10).unwrap_or(day).parse::<jiff::civil::Date>() {
        Ok(date) => date.strftime("%-d %b").to_string(),
        Err(_) => day.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = include_str!("../../../tests/golden/alert.json");

    fn alert(edits: &[(&str, &str)]) -> AlertValue {
        let mut text = GOLDEN.to_owned();
        for (from, to) in edits {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_percentage_is_cut_off_and_shows_what_is_above_a_whole_one() {
        for (defective, orders, text) in [
            (9, 1043, "0.86 %"),
            (11, 1070, "1.02 %"),
            (2, 200, "1.00 %"),
            (11, 1097, "1.0027 %"),
            (0, 7, "0.00 %"),
            (1, 3, "33.33 %"),
            (5, 5, "100.00 %"),
            (0, 0, "no rate"),
        ] {
            assert_eq!(percent(Rate { defective, orders }), text, "{defective}/{orders}");
        }
    }

    #[test]
    fn a_raised_warning_tells_its_new_defects_and_what_next() {
        let alert = alert(&[]);
        assert_eq!(headline(&alert), "WARNING raised");
        assert_eq!(rates(&alert), "0.82 % -> 1.25 % (3/240)");
        assert_eq!(
            reason(&alert),
            "2 new defects: claim on order 302-1234567-7654321, negative feedback on order \
             302-1234567-7654321; 6 orders left the window, none of them defective; 5 new orders; \
             needs 60 more orders; recovers 13 Mar"
        );
    }

    #[test]
    fn one_new_defect_is_named_in_the_singular() {
        let edits = [("\"ref\":\"A-Z/1\",\"new\":true", "\"ref\":\"A-Z/1\",\"new\":false")];
        let reason = reason(&alert(&edits));
        assert!(
            reason.starts_with("1 new negative feedback on order 302-1234567-7654321; "),
            "{reason}"
        );
    }

    #[test]
    fn a_warning_by_expiry_alone_says_that_there_is_no_new_defect() {
        let edits =
            [("\"defective_added\":1", "\"defective_added\":0"), ("\"new\":true", "\"new\":false")];
        let reason = reason(&alert(&edits));
        let start = "no new defect; 6 orders left the window, none of them defective; 5 new orders";
        assert!(reason.starts_with(start), "{reason}");
    }

    #[test]
    fn a_cleared_alert_tells_the_room_that_is_left() {
        let edits = [
            ("\"state\":\"raised\"", "\"state\":\"cleared\""),
            ("\"defective_added\":1", "\"defective_added\":0"),
            ("\"defective_reversed\":0", "\"defective_reversed\":1"),
            ("\"defects_left\":0", "\"defects_left\":2"),
        ];
        let reason = reason(&alert(&edits));
        assert_eq!(
            reason,
            "1 defective order put right; 6 orders left the window, none of them defective; 5 new \
             orders; room for 2 more defects"
        );
    }

    #[test]
    fn a_restriction_risk_tells_its_cycles() {
        let cycle = "\"cycle\":{\"from\":\"2026-02-16\",\"to\":\"2026-02-22\",\"streak\":3}";
        let edits = [
            ("\"kind\":\"warning\"", "\"kind\":\"restriction_risk\""),
            ("\"state\":\"raised\"", "\"state\":\"ongoing\""),
            ("\"threshold\":0.010000", "\"threshold\":0.020000"),
            ("\"cycle\":null", cycle),
        ];
        let alert = alert(&edits);
        assert_eq!(headline(&alert), "RESTRICTION RISK ongoing");
        let reason = reason(&alert);
        let start = "above 2 % at 3 cycle closes in a row, the last 16 Feb to 22 Feb; ";
        assert!(reason.starts_with(start), "{reason}");
    }

    #[test]
    fn what_is_unusual_about_an_alert_is_said() {
        let edits = [
            ("\"initial\":false", "\"initial\":true"),
            ("\"scope\":\"all\"", "\"scope\":\"mfn\""),
            ("\"low_volume\":false", "\"low_volume\":true"),
        ];
        let reason = reason(&alert(&edits));
        assert!(reason.starts_with("scope mfn, view live; so it was when alerting began; "));
        assert!(reason.contains("low volume: one defect alone is above 1 %; "), "{reason}");
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn times_and_days_are_short() {
        assert_eq!(time_of_day("2026-03-01T12:34:55.000Z"), "12:34:55");
        assert_eq!(short_day("2026-12-14"), "14 Dec");
        assert_eq!(short_day("2026-03-01T12:34:55.000Z"), "1 Mar");
    }
}
