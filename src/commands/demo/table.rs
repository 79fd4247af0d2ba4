//! The demo's tables: the sellers at risk, and how many alerts of which kind the history brought.
//!
//! Invariant: a wide table says what a narrow one says, in more words; no cell is ever broken.

use std::cmp::Reverse;

use comfy_table::{Attribute, Cell, CellAlignment, Color, Table, presets};

use super::alert::{Counts, Kind, State};
use super::names::Names;
use super::out::Out;
use super::words::{percent, short_day};
use crate::commands::show::{count, lines, rate_of};
use crate::domain::effects::{AlertKind, Standing, Status};
use crate::domain::policy::{Policy, View};
use crate::domain::rate::{Headroom, Rate};
use crate::domain::risk::Band;
use crate::wire::time::day;

/// From this width on, a table is written in full.
const WIDE: usize = 112;

/// The most sellers that are shown.
pub const SHOWN: usize = 15;

/// The longest shop name that is shown in full, and the shortest that one is cut to.
const LONGEST_NAME: usize = 20;
const SHORTEST_NAME: usize = 8;

/// What the last columns mean.
pub fn legend(out: &Out) -> String {
    let column = if out.width() >= WIDE { "Recovers" } else { "Clears" };
    let alerts = "W warning, C critical, R restriction risk is up";
    format!("{alerts}. {column}: if nothing more happens.")
}

/// Accounts at risk, the highest live rate first, then by name.
pub fn sorted(mut accounts: Vec<Status>) -> Vec<(Status, Box<Standing>)> {
    let mut sorted: Vec<_> = accounts
        .drain(..)
        .filter_map(|mut account| account.standing.take().map(|standing| (account, standing)))
        .collect();
    sorted.sort_by(|(left, left_of), (right, right_of)| {
        let (rate, other) = (rate_of(left_of, View::Live), rate_of(right_of, View::Live));
        let product = |one: Rate, two: Rate| u64::from(one.defective) * u64::from(two.orders);
        Reverse(product(rate, other))
            .cmp(&Reverse(product(other, rate)))
            .then_with(|| name(left).cmp(&name(right)))
    });
    sorted
}

fn name(account: &Status) -> (&str, &str) {
    (&account.seller_id, &account.marketplace_id)
}

/// The sellers at risk as a table that fits the terminal.
pub fn at_risk(
    accounts: &[(Status, Box<Standing>)],
    names: &Names,
    policy: &Policy,
    out: &Out,
) -> String {
    let tables = (SHORTEST_NAME..=LONGEST_NAME)
        .rev()
        .map(|letters| at_risk_with(accounts, names, policy, out, letters));
    let fits = |table: &Table| width(table, gap(out)) <= out.width();
    let narrowest = || at_risk_with(accounts, names, policy, out, SHORTEST_NAME);
    let table = tables.into_iter().find(fits).unwrap_or_else(narrowest);
    let mut text = lines(&table);
    if accounts.len() > SHOWN {
        let more = i64::try_from(accounts.len() - SHOWN).unwrap_or(i64::MAX);
        text.push_str("and ");
        text.push_str(&count(more, "account"));
        text.push_str(" with a lower rate\n");
    }
    text
}

/// How wide a table is without styles.
fn width(table: &Table, gap: u16) -> usize {
    let columns = table.column_max_content_widths();
    let gaps = columns.len().saturating_sub(1) * usize::from(gap);
    columns.into_iter().map(usize::from).sum::<usize>() + gaps
}

fn at_risk_with(
    accounts: &[(Status, Box<Standing>)],
    names: &Names,
    policy: &Policy,
    out: &Out,
    letters: usize,
) -> Table {
    let is_wide = out.width() >= WIDE;
    let header: &[&str] = if is_wide {
        &["Seller", "Id", "Live ODR", "Official ODR", "Band", "Headroom", "Alerts", "Recovers"]
    } else {
        &["Seller", "Live ODR", "Official", "Band", "Headroom", "Up", "Clears"]
    };
    let mut table = plain(header, out);
    for (account, standing) in accounts.iter().take(SHOWN) {
        let (live, official) = (rate_of(standing, View::Live), rate_of(standing, View::Official));
        let room = headroom(standing.headroom[View::Live.index()], is_wide);
        let recovers = standing.recovers_on[View::Live.index()];
        let recovers = recovers.map_or_else(|| "-".to_owned(), |on| short_day(&day(on)));
        let name = names.cut(&account.seller_id, &account.marketplace_id, letters);
        let mut row = vec![Cell::new(name)];
        if is_wide {
            row.push(Cell::new(&account.seller_id));
        }
        row.push(right(rate_cell(live)));
        row.push(right(if is_wide { rate_cell(official) } else { percent(official) }));
        row.push(coloured(Band::of(live, policy), out));
        row.push(Cell::new(room));
        row.push(Cell::new(up(standing)));
        row.push(right(recovers));
        table.add_row(row);
    }
    table
}

/// How many alerts of which kind came to which state.
pub fn alerts(counts: &Counts, out: &Out) -> String {
    let mut table = plain(&["Alerts of the history", "raised", "cleared", "ongoing"], out);
    for kind in Kind::ALL {
        let mut row = vec![Cell::new(kind.as_words())];
        row.extend(State::ALL.map(|state| {
            right(match (counts.of(kind, state), kind, state) {
                // Only a restriction risk goes on from cycle to cycle.
                (0, Kind::Warning | Kind::Critical, State::Ongoing) => "-".to_owned(),
                (count, ..) => count.to_string(),
            })
        }));
        table.add_row(row);
    }
    lines(&table)
}

/// A table without lines, with as little space between columns as the eye needs.
fn plain(header: &[&str], out: &Out) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    if out.colours() {
        table.enforce_styling();
    }
    let numbers = ["Live ODR", "Official ODR", "Official", "Recovers", "Clears"];
    let cells = header.iter().enumerate().map(|(place, text)| {
        let is_number =
            numbers.contains(text) || (place > 0 && header.len() == State::ALL.len() + 1);
        let cell = Cell::new(text).add_attribute(Attribute::Bold);
        if is_number { cell.set_alignment(CellAlignment::Right) } else { cell }
    });
    table.set_header(cells.collect::<Vec<_>>());
    let last = header.len() - 1;
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if place == last { 0 } else { gap(out) }));
    }
    table
}

/// The space between two columns.
fn gap(out: &Out) -> u16 {
    if out.width() >= WIDE { 2 } else { 1 }
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn coloured(band: Band, out: &Out) -> Cell {
    let cell = Cell::new(band.as_str());
    let colour = match band {
        Band::Critical => Color::Red,
        Band::Warning => Color::Yellow,
        Band::Good | Band::Watch | Band::None => return cell,
    };
    if out.colours() { cell.fg(colour) } else { cell }
}

/// The fraction and its percentage, which line up below each other: `9/1043   0.86 %`.
fn rate_cell(rate: Rate) -> String {
    format!("{}/{} {:>7}", rate.defective, rate.orders, percent(rate))
}

fn headroom(room: Headroom, is_wide: bool) -> String {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    match (room.defects_left, room.orders_needed, is_wide) {
        (0, 0, _) => "none left".to_owned(),
        (0, needed, true) => format!("needs {}", count(number(needed), "order")),
        (0, needed, false) => format!("needs {needed}"),
        (left, _, true) => format!("{} left", count(number(left), "defect")),
        (left, _, false) => format!("{left} left"),
    }
}

/// The kinds of alerts that are up, by their first letters.
fn up(standing: &Standing) -> String {
    let is_up = |kind: AlertKind| standing.active.iter().any(|(of, _, _)| *of == kind);
    let letters = AlertKind::ALL.into_iter().filter(|kind| is_up(*kind)).map(|kind| match kind {
        AlertKind::Warning => "W",
        AlertKind::Critical => "C",
        AlertKind::RestrictionRisk => "R",
    });
    let letters: Vec<_> = letters.collect();
    if letters.is_empty() { "-".to_owned() } else { letters.join(" ") }
}
