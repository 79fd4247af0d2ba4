//! How numbers, accounts and alerts are shown to people.
//!
//! Invariant: a percentage is exact or cut off, never rounded up, and stands beside its fraction.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};

use crate::domain::effects::{Alert, AlertKind, AlertState, Change, Standing};
use crate::domain::policy::{Scope, View};
use crate::domain::rate::Rate;
use crate::wire::time::{day, instant};

/// How many of an alert's new defects its reason names.
const NAMED_DEFECTS: usize = 2;

/// A percentage from millionths, cut off after two decimals; after four where two would show a
/// whole percentage that it is not, as a limit may be.
#[must_use]
pub fn percent(millionths: u64) -> String {
    let (whole, rest) = (millionths / 10_000, millionths % 10_000);
    if (1..100).contains(&rest) {
        format!("{whole}.{rest:04} %")
    } else {
        format!("{whole}.{:02} %", rest / 100)
    }
}

/// A rate as a fraction and a percentage.
#[must_use]
pub fn rate(rate: Rate) -> String {
    let fraction = format!("{}/{}", rate.defective, rate.orders);
    match rate.millionths() {
        Some(millionths) => format!("{fraction} = {}", percent(millionths)),
        None => fraction,
    }
}

/// The rate of a standing over both channels.
#[must_use]
pub fn rate_of(standing: &Standing, view: View) -> Rate {
    let channels = &standing.counts[view.index()];
    Rate {
        defective: channels.iter().map(|counts| counts.defective).sum(),
        orders: channels.iter().map(|counts| counts.orders).sum(),
    }
}

/// The room before a warning, in words.
#[must_use]
pub fn headroom(standing: &Standing) -> String {
    let room = standing.headroom[View::Live.index()];
    match (room.defects_left, room.orders_needed) {
        (0, 0) => "none left".to_owned(),
        (0, needed) => format!("{needed} good orders short"),
        (left, _) => format!("{left} more"),
    }
}

/// The alerts that are up, in words; those of the usual scope and view by their kind alone.
#[must_use]
pub fn alerts_up(standing: &Standing) -> String {
    let one = |(kind, scope, view): &(AlertKind, Scope, View)| {
        format!("{}{}", kind.as_str(), subject(*scope, *view))
    };
    let all: Vec<_> = standing.active.iter().map(one).collect();
    all.join(", ")
}

/// What an alert is over, where it is not all channels up to today.
fn subject(scope: Scope, view: View) -> String {
    match (scope, view) {
        (Scope::All, View::Live) => String::new(),
        (scope, view) => format!(" ({} {})", scope.as_str(), view.as_str()),
    }
}

/// An account's name: the seller, and the marketplace where one is stated.
#[must_use]
pub fn account(seller: &str, marketplace: &str) -> String {
    if marketplace.is_empty() { seller.to_owned() } else { format!("{seller} @ {marketplace}") }
}

/// The cells of an alert: when, what, whose, the rate, and why.
#[must_use]
pub fn alert_cells(alert: &Alert) -> [String; 5] {
    let subject = subject(alert.scope, alert.view);
    [
        instant(alert.boundary_ms),
        format!("{} {}{subject}", alert.kind.as_str(), alert.state.as_str()),
        account(&alert.seller_id, &alert.marketplace_id),
        rate(alert.now.rate()),
        reason(alert),
    ]
}

/// Why an alert was written, in words.
#[must_use]
pub fn reason(alert: &Alert) -> String {
    let mut parts = Vec::new();
    if alert.initial {
        parts.push("so it was when alerting began".to_owned());
    }
    if let Some(cycle) = alert.cycle {
        let days = format!("{} to {}", day(cycle.from), day(cycle.to));
        parts.push(match alert.state {
            AlertState::Cleared => format!("the cycle {days} ended well"),
            AlertState::Raised | AlertState::Ongoing => {
                format!("{} bad cycles in a row, the last {days}", cycle.streak)
            }
        });
    }
    changes(alert, &mut parts);
    if let Some(on) = alert.recovers_on {
        parts.push(format!("clears on {} if nothing more happens", day(on)));
    }
    parts.join("; ")
}

/// What the boundary did to the numbers.
fn changes(alert: &Alert, parts: &mut Vec<String>) {
    let Change { orders_added, orders_expired, .. } = alert.change;
    let Change { defective_added, defective_reversed, defective_expired, .. } = alert.change;
    if defective_added > 0 {
        let mut text = format!("{} became defective", count(defective_added, "order"));
        let new = alert.defects.iter().filter(|defect| defect.new).take(NAMED_DEFECTS);
        for (place, defect) in new.enumerate() {
            let before = if place == 0 { ": " } else { ", " };
            let kind = defect.kind.as_str().replace('_', " ");
            write!(text, "{before}{kind} on {}", defect.order_id)
                .expect("a String takes all that is written to it");
        }
        parts.push(text);
    }
    if defective_reversed > 0 {
        parts.push(format!("{} no longer defective", count(defective_reversed, "order")));
    }
    if orders_expired > 0 {
        let mut text = format!("{} left the window", count(orders_expired, "order"));
        if defective_expired > 0 {
            write!(text, ", {defective_expired} of them defective")
                .expect("a String takes all that is written to it");
        }
        parts.push(text);
    }
    if orders_added > 0 {
        parts.push(format!("{} added", count(orders_added, "order")));
    } else if orders_added < 0 {
        parts.push(format!("{} taken out by corrections", count(-orders_added, "order")));
    }
}

/// A number of things.
#[must_use]
pub fn count(number: i64, thing: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{ending}")
}

/// A table without lines, whose columns are as wide as they must be; those at `numbers` are set
/// to the right.
#[must_use]
pub fn table(header: &[&str], numbers: std::ops::Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    for (place, column) in table.column_iter_mut().enumerate() {
        if numbers.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A table as text, without the spaces that fill its last column.
#[must_use]
pub fn lines(table: &Table) -> String {
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text without what drives a terminal, hides in its text or turns it around.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if misleads(letter) {
            write!(safe, "{}", letter.escape_unicode())
                .expect("a String takes all that is written to it");
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// Any bytes as text that is safe to show, and that tells every byte: what is no UTF-8 is `\xNN`,
/// and a backslash is two.
#[must_use]
pub fn escaped_bytes(bytes: &[u8]) -> String {
    let mut safe = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        safe += &escaped(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            write!(safe, "\\x{byte:02x}").expect("a String takes all that is written to it");
        }
    }
    safe
}

/// Whether a character must not reach a terminal as it is: controls, and what is not seen or turns
/// the direction of the text. (The joiners U+200C and U+200D belong to words and pictures.)
fn misleads(letter: char) -> bool {
    let is_hidden = matches!(
        letter,
        '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}'
            | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}'
    );
    letter.is_control() || is_hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_drives_a_terminal_is_left_and_every_byte_is_told() {
        for (bytes, shown) in [
            (&b"plain {\"a\":1}"[..], "plain {\"a\":1}"),
            (b"\x1b]0;own\x07\r\n\t\0", "\\u{1b}]0;own\\u{7}\\u{d}\\u{a}\\u{9}\\u{0}"),
            (b"a\\u{1b}", "a\\\\u{1b}"),
            (b"\xff\xc2z\xe2\x80", "\\xff\\xc2z\\xe2\\x80"),
            (
                "\u{9b}31m\u{202e}\u{feff}\u{200b}\u{2028}".as_bytes(),
                "\\u{9b}31m\\u{202e}\\u{feff}\\u{200b}\\u{2028}",
            ),
            ("grün 漢字 👩\u{200d}🔧".as_bytes(), "grün 漢字 👩\u{200d}🔧"),
        ] {
            assert_eq!(escaped_bytes(bytes), shown);
        }
    }

    #[test]
    fn a_percentage_above_a_limit_does_not_look_like_the_limit() {
        for (millionths, text) in [
            (0, "0.00 %"),
            (10_000, "1.00 %"),
            (12_500, "1.25 %"),
            (10_042, "1.0042 %"),
            (33_333, "3.33 %"),
            (10_100, "1.01 %"),
            (10_010, "1.0010 %"),
            (9_999, "0.99 %"),
            (1_000_000, "100.00 %"),
        ] {
            assert_eq!(percent(millionths), text);
        }
    }

    #[test]
    fn a_rate_is_a_fraction_and_a_percentage() {
        assert_eq!(rate(Rate { defective: 3, orders: 240 }), "3/240 = 1.25 %");
        assert_eq!(rate(Rate { defective: 0, orders: 0 }), "0/0");
    }
}
