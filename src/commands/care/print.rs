//! A worklist as a table for people and as JSON for programs.
//!
//! Invariant: what could drive a terminal is escaped.

use std::fmt::Write;

use serde_json::json;

use super::Accounts;
use crate::commands::show::{self, escaped, lines};
use crate::domain::rate::Rate;
use crate::http::api::care::{PairOf, ShareOf, WorkItem, WorkOf};

/// Accounts whose headline flatters that are named.
const NAMED_SHARES: usize = 5;

/// The whole list as one JSON object.
pub(super) fn json(work: &WorkOf) -> String {
    let mut text = json!(work).to_string();
    text.push('\n');
    text
}

/// The list as a table, with the drafts below it if they are wanted.
pub(super) fn table(work: &WorkOf, accounts: Accounts, with_drafts: bool) -> String {
    let mut text = String::new();
    if work.items.is_empty() {
        text += "Nothing to do: no defect counts that calls for an action.\n";
    } else {
        let head = ["", "Do", "Order", "Seller", "Why", "Until", "Rate now", "Then"];
        let mut table = show::table(&head, 0..1);
        for (number, item) in (1..).zip(&work.items) {
            table.add_row(row(number, item));
        }
        text += &lines(&table);
    }
    text += &notes(work, accounts);
    if with_drafts {
        for (number, item) in (1..).zip(&work.items) {
            text += &drafts(number, item);
        }
    }
    text
}

fn row(number: usize, item: &WorkItem) -> [String; 8] {
    let first = if item.first { " (first)" } else { "" };
    let (now, then) = rates(item);
    [
        number.to_string(),
        format!("{}{first}", action(&item.action)),
        escaped(&item.order_id),
        escaped(&show::account(&item.seller_id, &item.marketplace_id)),
        why(item),
        until(item),
        now,
        then,
    ]
}

/// Until when it is of use: its deadline, or the day on which it no longer matters.
fn until(item: &WorkItem) -> String {
    let moot = || format!("moot {}", item.moot_on);
    let Some(until) = item.until.as_deref() else { return moot() };
    let (day, minute) = (until.get(..10), until.get(..16));
    match day {
        Some(day) if *day >= *item.moot_on => moot(),
        _ => minute.unwrap_or(until).replace('T', " "),
    }
}

fn action(action: &str) -> &str {
    match action {
        "request_removal" => "ask for removal",
        "review_removal" => "look at removal",
        "answer_claim" => "answer claim",
        "answer_chargeback" => "answer chargeback",
        "appeal_claim" => "appeal",
        "repair_order" => "put order right",
        "respond_publicly" => "answer in public",
        other => other,
    }
}

fn why(item: &WorkItem) -> String {
    let kind = item.kind.replace('_', " ");
    let mut parts = match item.rating {
        Some(1) => vec!["1 star".to_owned()],
        Some(rating) => vec![format!("{rating} stars")],
        None => vec![kind],
    };
    if let Some(comment) = &item.comment {
        parts.push(comment.reason.replace('_', " "));
        if let Some(rule) = &comment.rule {
            parts.push(format!("{}: {}", rule.replace('_', " "), comment.verdict));
        }
    }
    if item.provisional {
        parts.push("not decided".to_owned());
    }
    parts.join(", ")
}

/// The live rate now, and what one action makes of it.
fn rates(item: &WorkItem) -> (String, String) {
    let gain = &item.gain;
    let then = match gain.defects_of_order {
        0 => "the same".to_owned(),
        1 => rate(gain.after),
        defects => format!("needs all {defects} of the order"),
    };
    (rate(gain.now), then)
}

fn rate(pair: PairOf) -> String {
    let rate = Rate::from(pair);
    rate.millionths().map_or_else(|| "no rate".to_owned(), show::percent)
}

/// What is to be said below the table.
fn notes(work: &WorkOf, accounts: Accounts) -> String {
    let mut text = String::new();
    let mut say = |line: String| {
        text.push('\n');
        text.push_str(&line);
        text.push('\n');
    };
    let shown = work.items.len();
    if shown < work.total {
        say(format!("{shown} of {} shown; --limit shows more.", work.total));
    }
    if accounts.looked_at < accounts.with_defects {
        say(format!(
            "Over the {} accounts at most risk, of {} with defects; --seller names another one.",
            accounts.looked_at, accounts.with_defects
        ));
    }
    if work.left_alone > 0 {
        let (which, them) = match work.left_alone {
            1 => ("1 more defect counts".to_owned(), "it"),
            several => (format!("{several} more defects count"), "them"),
        };
        say(format!("{which}, and nothing can be done about {them}, or no longer."));
    }
    let hiding = work.shares.iter().filter(|share| share.hides_target);
    let flattering = work.shares.iter().filter(|share| !share.hides_target);
    for share in hiding.chain(flattering).take(NAMED_SHARES) {
        say(flattered(share));
    }
    if !work.judged {
        say("Comments are not judged (advice.enabled), so that no removal is offered.".to_owned());
    }
    text
}

fn flattered(share: &ShareOf) -> String {
    let (own, all) = (share.seller_fulfilled, share.headline);
    let limit = if share.hides_target { "; only the headline meets the target" } else { "" };
    format!(
        "{}: {} of the orders that the seller fulfils, {} of all, as those fulfilled by Amazon \
         flatter{limit}.",
        escaped(&show::account(&share.seller_id, &share.marketplace_id)),
        show::rate(own.into()),
        show::rate(all.into()),
    )
}

fn drafts(number: usize, item: &WorkItem) -> String {
    let mut text = String::new();
    for draft in &item.drafts {
        let title = draft.kind.replace('_', " ");
        let line = format!("── {number}. {title} ({}) ", draft.language);
        let rule = "─".repeat(72_usize.saturating_sub(line.chars().count()));
        writeln!(text, "\n{line}{rule}").expect("a String takes all that is written to it");
        for line in draft.text.lines() {
            text.push_str(&escaped(line));
            text.push('\n');
        }
    }
    text
}
