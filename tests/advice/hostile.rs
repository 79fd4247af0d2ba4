//! Comments that were written to hurt: long ones, bombs, text that turns around, any bytes.

use odrwatch::advice::{
    Compact, Decision, Facts, MAX_READ_BYTES, Profile, Reading, Rule, read, read_with,
};
use odrwatch::domain::event::Channel;
use proptest::prelude::*;

/// The most steps for each byte that is read: hits of seven languages, and stems that disguised
/// words are compared with.
const STEPS_PER_BYTE: usize = 64;

/// Spans are places of the comment, on boundaries of characters, and work is bounded.
fn check(comment: &str) -> Reading {
    let reading = read(comment);
    let most = STEPS_PER_BYTE * comment.len().min(MAX_READ_BYTES) + 4096;
    assert!(reading.work <= most, "{} steps for {} bytes", reading.work, comment.len());
    let evidence = reading.verdicts.iter().flat_map(|verdict| &verdict.evidence);
    let blockers = reading.verdicts.iter().flat_map(|verdict| &verdict.blockers);
    let clauses = reading.clauses.iter();
    let spans = evidence
        .map(|evidence| evidence.span)
        .chain(blockers.filter_map(|blocker| blocker.span))
        .chain(clauses.map(|clause| clause.span));
    for span in spans {
        assert!(span.start < span.end, "{span:?}");
        assert!(comment.get(span.start..span.end).is_some(), "{span:?}");
    }
    reading
}

#[test]
fn a_comment_longer_than_what_is_read_is_never_eligible() {
    let words = ["fuck ", "Never arrived. ", "The lid leaks. ", "a", "\u{fdfa}", "\u{301}", "届"];
    for word in words {
        let comment = word.repeat((1 << 20) / word.len());
        let reading = check(&comment);
        for verdict in &reading.verdicts {
            assert!(verdict.decision <= Decision::Uncertain, "{word}: {verdict:?}");
        }
    }
    let five_thousand = "the lid leaks and nobody knows why ".repeat(5_000 / 7 + 1);
    let reading = check(&five_thousand);
    assert_eq!(reading.verdicts[Rule::ProductReview.index()].decision, Decision::Uncertain);
}

#[test]
fn bombs_cost_no_more_than_other_comments() {
    for bomb in [
        "a@a".repeat(3_000),
        "1 ".repeat(4_000),
        "+1".repeat(4_000),
        "(((((((1".repeat(1_000),
        "f*".repeat(4_000),
        "f ".repeat(4_000),
        "fuuuuuuuuu".repeat(800),
        "f**k ".repeat(1_600),
        "@_@_@_".repeat(1_300),
        "www.www.www.".repeat(600),
        "\u{202e}\u{202d}\u{2066}".repeat(2_000),
        format!("a{}", "\u{301}".repeat(8_000)),
        "A B C D ".repeat(1_000),
        "not arrived ".repeat(600),
        "no refund took weeks parcel broken late slow seller rude amazon ".repeat(120),
        "123-1234567-1234567 ".repeat(400),
        "12 a street ".repeat(600),
        "Owner Aaaaa Bbbbb ".repeat(400),
    ] {
        check(&bomb);
    }
}

#[test]
fn text_that_turns_around_is_read_as_it_is_written() {
    let turned = "\u{202e}Never\u{202c} arr\u{200f}ived";
    let facts = Facts { channel: Some(Channel::Afn), ..Facts::default() };
    let verdicts = check(turned).decide(facts);
    assert_eq!(verdicts.of(Rule::FulfilledByAmazon).decision, Decision::Eligible);
}

#[test]
fn a_profile_is_looked_for_and_bounded_as_well() {
    let profile = Profile {
        names: vec!["a a".to_owned(), String::new(), "Gregory Tallmarsh".to_owned()],
        telephones: vec!["1".to_owned(), "+1 555 555 0161".to_owned()],
        addresses: vec![",".to_owned()],
        ..Profile::default()
    };
    let decision =
        |comment: &str| read_with(comment, &profile).verdicts[Rule::PersonalData.index()].decision;
    assert_eq!(decision("Gregory Tallmarsh again"), Decision::Eligible);
    assert_eq!(decision("Tallmarsh again"), Decision::Uncertain);
    assert_eq!(decision("555-0161"), Decision::Eligible);
    assert_eq!(decision("Nothing of all this"), Decision::Not);
}

fn all_facts() -> impl Strategy<Value = Facts> {
    let channel = prop_oneof![Just(None), Just(Some(Channel::Mfn)), Just(Some(Channel::Afn))];
    (channel, any::<Option<bool>>(), any::<Option<bool>>()).prop_map(
        |(channel, buy_shipping, shipped_on_time)| Facts { channel, buy_shipping, shipped_on_time },
    )
}

proptest! {
    #[test]
    fn any_text_is_judged(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn any_mixture_of_what_the_rules_look_for_is_judged(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "late", "never arrived", "f**k", "555-0123", "a@b.co", "seller", "mein", "рус",
                "\u{301}", "\u{202e}", "🚚", "届かない", "\n", ". ", ", ", " but ", "*",
                "12 High Street",
            ]),
            0..60,
        ),
        space in "[ .,]?",
    ) {
        check(&parts.join(&space));
    }

    #[test]
    fn what_is_kept_of_a_reading_decides_as_the_reading_does(
        text in "(The lid leaks|Late|Never arrived|f\\*\\*k|a@b.co the seller|, |\\. ){0,6}",
        facts in all_facts(),
    ) {
        let reading = read(&text);
        let compact = Compact::of_bits(reading.compact().bits()).unwrap();
        prop_assert_eq!(compact, reading.compact());
        let full = reading.decide(facts).verdicts.map(|verdict| verdict.decision);
        prop_assert_eq!(compact.decide(facts), full);
    }
}
