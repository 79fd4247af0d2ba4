//! Verdicts as tables for people and as lines of JSON for programs.
//!
//! Invariant: what could drive a terminal is escaped wherever a comment is quoted in a table.

use serde_json::{Value, json};

use super::Advised;
use crate::advice::{Decision, Facts, Rule, Span, VERSION, Verdict};
use crate::commands::show::escaped;

/// The longest quotation in a table, in characters.
const QUOTED: usize = 60;

/// What a rule is called in a table.
const fn title(rule: Rule) -> &'static str {
    match rule {
        Rule::Obscene => "1 obscene language",
        Rule::PersonalData => "2 personal information",
        Rule::ProductReview => "3 product review only",
        Rule::FulfilledByAmazon => "4 fulfilled by Amazon",
        Rule::BuyShipping => "5 Buy Shipping, on time",
    }
}

/// Tables: one for each feedback.
pub(super) fn table(advised: &[Advised], facts: Facts) -> String {
    let mut text = String::new();
    for one in advised {
        let verdicts = one.reading.decide(facts);
        if let Some(row) = &one.row {
            let (order, date) = (escaped(&row.order), escaped(&row.date));
            text += &format!("{order}  {date}  {} stars\n", row.rating);
        }
        let language = verdicts.language.map_or("unknown", crate::advice::Language::as_str);
        text += &format!("reason: {}, language: {language}\n", verdicts.reason.as_str());
        for rule in Rule::ALL {
            let verdict = verdicts.of(rule);
            let why = why(verdict, &one.comment);
            let line = format!("  {:<24} {:<10} {why}", title(rule), verdict.decision.as_str());
            text += line.trim_end();
            text.push('\n');
        }
        text.push('\n');
    }
    if advised.is_empty() {
        text += "no feedback of one or two stars\n";
    }
    text
}

/// The evidence for a rule that may apply, and what speaks against it.
fn why(verdict: &Verdict, comment: &str) -> String {
    let mut parts = Vec::new();
    if verdict.decision != Decision::Not {
        for evidence in &verdict.evidence {
            let name = evidence.finding.as_str();
            parts.push(format!("{name} {}", quoted(evidence.span, comment)));
        }
    }
    for blocker in &verdict.blockers {
        let name = blocker.kind.as_str();
        parts.push(match blocker.span {
            Some(span) => format!("! {name} {}", quoted(span, comment)),
            None => format!("! {name}"),
        });
    }
    parts.dedup();
    parts.join("; ")
}

fn quoted(span: Span, comment: &str) -> String {
    let words = span.of(comment);
    let short: String = words.chars().take(QUOTED).collect();
    let more = if short.len() < words.len() { "..." } else { "" };
    format!("\"{}{more}\"", escaped(&short))
}

/// One JSON object a line, one for each feedback.
pub(super) fn json(advised: &[Advised], facts: Facts) -> String {
    let mut text = String::new();
    for one in advised {
        let verdicts = one.reading.decide(facts);
        let rules = Rule::ALL.map(|rule| rule_json(rule, verdicts.of(rule), &one.comment));
        let mut value = json!({
            "version": VERSION,
            "language": verdicts.language.map(crate::advice::Language::as_str),
            "reason": verdicts.reason.as_str(),
            "rules": rules,
        });
        if let (Some(row), Some(object)) = (&one.row, value.as_object_mut()) {
            object.insert("order_id".to_owned(), json!(row.order));
            object.insert("date".to_owned(), json!(row.date));
            object.insert("rating".to_owned(), json!(row.rating));
        }
        let clauses = one.reading.clauses.iter().map(|clause| {
            let topics = clause.topics.iter().map(|(topic, span)| {
                json!({"topic": topic.as_str(), "start": span.start, "end": span.end})
            });
            json!({
                "start": clause.span.start,
                "end": clause.span.end,
                "topics": topics.collect::<Vec<_>>(),
                "is_read": clause.is_read,
                "scores": clause.scores,
            })
        });
        value["clauses"] = clauses.collect::<Vec<_>>().into();
        text += &value.to_string();
        text.push('\n');
    }
    text
}

fn rule_json(rule: Rule, verdict: &Verdict, comment: &str) -> Value {
    let place = |name: &str, span: Option<Span>| match span {
        Some(span) => {
            json!({"kind": name, "start": span.start, "end": span.end, "text": span.of(comment)})
        }
        None => json!({"kind": name}),
    };
    let evidence = verdict.evidence.iter();
    let blockers = verdict.blockers.iter();
    json!({
        "rule": rule.as_str(),
        "verdict": verdict.decision.as_str(),
        "evidence": evidence
            .map(|evidence| place(evidence.finding.as_str(), Some(evidence.span)))
            .collect::<Vec<_>>(),
        "blockers": blockers
            .map(|blocker| place(blocker.kind.as_str(), blocker.span))
            .collect::<Vec<_>>(),
    })
}
