//! Templates: what is read of a file, what of it is refused, and what becomes of a draft.

use super::*;

fn stated(kind: Kind, text: &str) -> Stated {
    Stated { language: Language::En, kind, text: text.to_owned() }
}

fn mistakes(kind: Kind, text: &str) -> Vec<(usize, usize, String)> {
    let found = Templates::with(&[stated(kind, text)]).unwrap_err();
    found
        .into_iter()
        .map(|(file, mistake)| {
            assert_eq!(file, 0);
            (mistake.line, mistake.column, mistake.problem)
        })
        .collect()
}

const LATE: Subject = Subject::Reason(Reason::Late);

#[test]
fn a_stated_section_takes_the_place_of_the_built_in_one_and_of_no_other() {
    let text = "# Ours.\n\n[late]\n\nSorry for the wait with {order_id}.\n\n\n[closing]\nBye\n";
    let templates = Templates::with(&[stated(Kind::BuyerMessage, text)]).unwrap();
    let values = Values { order_id: "1-2-3", ..Values::default() };
    let of = |templates: &Templates, language, subject| {
        templates.draft(Kind::BuyerMessage, language, subject, &values)
    };
    assert_eq!(
        of(&templates, Language::En, LATE),
        "Hello,\n\nWe are writing about your order 1-2-3.\n\nSorry for the wait with 1-2-3.\n\nBye"
    );
    let damaged = Subject::Reason(Reason::Damaged);
    assert!(of(&templates, Language::En, damaged).ends_with("\n\nBye"));
    let defaults = Templates::defaults();
    assert_eq!(of(&templates, Language::De, LATE), of(defaults, Language::De, LATE));
    let follow_up =
        |templates: &Templates| templates.draft(Kind::FollowUp, Language::En, LATE, &values);
    assert_eq!(follow_up(&templates), follow_up(defaults));
}

#[test]
fn a_line_whose_placeholder_has_no_value_is_left_out() {
    let subject = Subject::Rule(Rule::Obscene);
    let draft = |values: &Values<'_>| {
        Templates::defaults().draft(Kind::RemovalRequest, Language::En, subject, values)
    };
    let evidence = quotes(Language::En, &["some  words"]);
    let whole = Values {
        order_id: "1-2-3",
        feedback_date: Some("2026-11-24"),
        evidence: evidence.as_deref(),
    };
    assert_eq!(
        draft(&whole),
        "Please review the feedback on order 1-2-3, left on 2026-11-24, under your rules for the \
         removal of feedback.\n\nIt contains words that are commonly understood to be obscene, \
         which your guidelines do not allow in feedback.\nThe words in question: “some words”\n\n\
         Thank you for looking into it."
    );
    let less = draft(&Values { evidence: None, ..whole });
    assert!(less.contains("obscene") && !less.contains("in question"), "{less}");
    let least = draft(&Values { feedback_date: None, evidence: None, ..whole });
    assert!(least.starts_with("It contains"), "{least}");
}

#[test]
fn a_kind_has_no_text_about_what_it_is_not_told_apart_by() {
    let values = Values::default();
    let of = |kind, subject| {
        let parts = Templates::defaults().of(kind, Language::En, subject);
        parts.len() < Templates::defaults().of(kind, Language::En, kind.subjects()[0]).len()
            && !Templates::defaults().draft(kind, Language::En, subject, &values).contains('{')
    };
    assert!(of(Kind::RemovalRequest, LATE));
    assert!(of(Kind::PublicResponse, Subject::Rule(Rule::Obscene)));
}

#[test]
fn passages_are_quoted_as_the_language_does_few_and_short() {
    assert_eq!(quotes(Language::De, &["a", "b\n c"]).unwrap(), "„a“, „b c“");
    assert_eq!(quotes(Language::Ja, &["遅い", "悪い"]).unwrap(), "「遅い」、「悪い」");
    assert_eq!(quotes(Language::Fr, &["a"]).unwrap(), "« a »");
    assert_eq!(quotes(Language::En, &[]), None);
    let long = "x".repeat(500);
    let many = quotes(Language::En, &[long.as_str(); 9]).unwrap();
    assert_eq!(many.matches('…').count(), 5);
    assert!(many.chars().count() < 5 * 170);
}

#[test]
fn every_mistake_of_a_file_is_told_with_its_place_and_what_is_allowed() {
    let text = "Hello\n[late]\nOn {order_id} and {orderid}, {evidence}\n[lat]\n{\n[late]\nx } y\n";
    let found = mistakes(Kind::BuyerMessage, text);
    let places: Vec<_> = found.iter().map(|(line, column, _)| (*line, *column)).collect();
    assert_eq!(places, [(1, 1), (3, 19), (3, 30), (4, 1), (5, 1), (7, 3)], "{found:?}");
    for (at, words) in [
        (0, "before the first section"),
        (1, "{orderid} is no placeholder of buyer_message"),
        (2, "{evidence} has no place in buyer_message"),
        (3, "[lat] is no section of buyer_message"),
        (4, "has a { that is no placeholder's"),
        (5, "has a } that is no placeholder's"),
    ] {
        assert!(found[at].2.contains(words), "{found:?}");
    }
    let twice = mistakes(Kind::FollowUp, "[late]\nx\n[late]\ny\n");
    assert_eq!(twice, [(3, 1, "[late] stands twice".to_owned())]);
    let empty = mistakes(Kind::FollowUp, "[late]\n\n# nothing\n");
    assert!(empty[0].2.starts_with("has no text"), "{empty:?}");
    let long = mistakes(Kind::FollowUp, &format!("[late]\n{}\n", "x".repeat(4_001)));
    assert!(long[0].2.contains("4000 are the most"), "{long:?}");
    let allowed = Templates::with(&[stated(Kind::PublicResponse, "[late]\n{order_id}\n")]);
    assert_eq!(allowed.unwrap_err()[0].1.allowed.as_deref(), Some("no placeholders"));
}

#[test]
fn what_the_linter_refuses_is_told_once_at_its_place_in_the_stated_file() {
    let text = "[opening]\nHello, take this voucher.\n\n[late]\nPlease change your rating.\n";
    let found = mistakes(Kind::FollowUp, text);
    // The opening stands before nine texts.
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (2, 18), "{found:?}");
    assert!(found[0].2.contains("“voucher”: an incentive"), "{found:?}");
    assert_eq!(found[1].0, 5);
    assert!(found[1].2.contains("pressure on a buyer"), "{found:?}");
}

#[test]
fn what_is_wrong_only_beside_a_built_in_part_is_told_at_the_stated_one() {
    // The built-in closing names feedback; a refund beside it makes one message of two.
    let found = mistakes(Kind::FollowUp, "\n[damaged]\nYour refund is on its way.\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].1), (3, 6), "{found:?}");
    assert!(found[0].2.contains("keep them in two"), "{found:?}");
    // The built-in text offers a refund; the stated opening names feedback, which is refused there,
    // and the refund is refused beside it.
    let found = mistakes(Kind::BuyerMessage, "[opening]\nYour feedback moved us.\n");
    assert!(found.iter().all(|(line, ..)| *line <= 2), "{found:?}");
    assert!(found.iter().any(|(_, _, problem)| problem.contains("keep them in two")), "{found:?}");
}

#[test]
fn marketplaces_have_a_language_or_none() {
    assert_eq!(language_of("A1PA6795UKMFR9"), Some(Language::De));
    assert_eq!(language_of("ATVPDKIKX0DER"), Some(Language::En));
    assert_eq!(language_of("A1VC38T7YXB528"), Some(Language::Ja));
    assert_eq!(language_of(""), None);
}
