//! The linter of drafts against sentences in each language, and all that is built in.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;

use odrwatch::advice::Language;
use odrwatch::advice::drafts::lint::{Why, lint};
use odrwatch::advice::drafts::{Kind, Templates};

const SENTENCES: &str = include_str!("data/drafts/sentences.txt");

struct Row {
    line: usize,
    language: Language,
    kind: Kind,
    expected: Vec<&'static str>,
    text: String,
}

fn rows() -> Vec<Row> {
    let lines = (1..).zip(SENTENCES.lines());
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let row = |(line, written): (usize, &'static str)| {
        let (head, text) = written.split_once(" | ").unwrap();
        let words: Vec<&'static str> = head.split_whitespace().collect();
        let [language, kind, expected] = words[..] else { panic!("{line}: {head}") };
        let mut expected: Vec<&str> =
            expected.split(',').filter(|expected| *expected != "ok").collect();
        expected.sort_unstable();
        let known = |name: &&str| Why::ALL.iter().any(|why| why.as_str() == *name);
        assert!(expected.iter().all(known), "{line}: {expected:?}");
        Row {
            line,
            language: Language::ALL.into_iter().find(|one| one.as_str() == language).unwrap(),
            kind: Kind::ALL.into_iter().find(|one| one.as_str() == kind).unwrap(),
            expected,
            text: text.replace("\\n", "\n"),
        }
    };
    lines.map(row).collect()
}

#[test]
fn every_sentence_is_refused_for_its_reasons_or_let_through() {
    let mut wrong = Vec::new();
    for row in rows() {
        let findings = lint(row.kind, row.language, &row.text);
        let mut found: Vec<&str> = findings.iter().map(|finding| finding.why.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        // Several reasons may hold for a bad sentence; the ones that are stated must.
        let is_right = if row.expected.is_empty() {
            found.is_empty()
        } else {
            row.expected.iter().all(|expected| found.contains(expected))
        };
        if !is_right {
            let told: Vec<_> = findings
                .iter()
                .map(|finding| format!("{} “{}”", finding.why.as_str(), finding.span.of(&row.text)))
                .collect();
            wrong.push(format!("{}: {} {:?} but {told:?}", row.line, row.text, row.expected));
        }
        for finding in findings {
            assert!(!finding.span.of(&row.text).is_empty(), "{}: {finding:?}", row.line);
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_language_has_bad_sentences_of_every_reason_and_good_ones() {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows() {
        let language = row.language.as_str();
        *counts
            .entry((language, if row.expected.is_empty() { "ok" } else { "bad" }))
            .or_default() += 1;
        for why in row.expected {
            *counts.entry((language, why)).or_default() += 1;
        }
    }
    for language in Language::ALL {
        let of = |what: &'static str| counts.get(&(language.as_str(), what)).copied().unwrap_or(0);
        assert!(of("bad") >= 25 && of("ok") >= 7, "{}", language.as_str());
        for why in Why::ALL {
            assert!(of(why.as_str()) >= 2, "{} {}", language.as_str(), why.as_str());
        }
    }
}

#[test]
fn nothing_that_is_built_in_is_refused() {
    let mut texts = 0;
    for (language, kind, subject, text) in Templates::defaults().texts() {
        let name = format!("{} {} {}", language.as_str(), kind.as_str(), subject.as_str());
        let told: Vec<_> = lint(kind, language, &text)
            .iter()
            .map(|finding| format!("{}: “{}”", finding.why.as_str(), finding.span.of(&text)))
            .collect();
        assert!(told.is_empty(), "{name}: {told:?}");
        assert!(text.chars().count() > 30, "{name}: {text}");
        texts += 1;
    }
    assert_eq!(texts, 7 * (5 + 3 * 9));
}

#[test]
fn what_is_built_in_says_what_its_kind_is_for() {
    let defaults = Templates::defaults();
    for (language, kind, subject, text) in defaults.texts() {
        let name = format!("{} {} {}", language.as_str(), kind.as_str(), subject.as_str());
        let order = text.contains("{order_id}");
        assert_eq!(order, kind != Kind::PublicResponse, "{name}");
        assert_eq!(text.contains("{evidence}"), kind == Kind::RemovalRequest, "{name}");
        // A public response is brief; the marketplace's messages may be longer.
        let most = if kind == Kind::PublicResponse { 400 } else { 1_000 };
        assert!(text.chars().count() <= most, "{name}: {}", text.chars().count());
    }
    // The last paragraph but the greeting is the marketplace's own sentence, in each language.
    for (_, kind, _, text) in defaults.texts().filter(|(_, kind, ..)| *kind == Kind::FollowUp) {
        assert_eq!(kind, Kind::FollowUp);
        assert!(text.trim().split("\n\n").count() >= 4, "{text}");
    }
}

#[test]
fn no_two_drafts_of_a_kind_and_language_are_the_same() {
    let mut seen = BTreeMap::new();
    for (language, kind, subject, text) in Templates::defaults().texts() {
        let before = seen.insert((language, kind, text), subject);
        assert_eq!(before, None, "{} {} {}", language.as_str(), kind.as_str(), subject.as_str());
    }
}
