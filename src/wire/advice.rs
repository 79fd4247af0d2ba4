//! Records of the advice topic: what can be done about each defect, and what a comment has in it.
//!
//! Two records of a feedback have keys of their own. The **advice** is made from the state, and
//! written again when that changes. The **quotes** are made from the comment while it is at hand,
//! once for each version of the feedback; no state has the comment, so they could not be written
//! again, and writing the advice again must not take them away.
//!
//! Invariants: values are pure functions of their arguments, byte for byte, and the order of their
//! fields never changes; different defects have different keys. Absent on purpose: what any of it
//! means, which the caller says in words.

use std::borrow::Cow;

use crate::domain::care::{Gain, OpenMatter};
use crate::domain::event::{DefectFact, DefectKind};
use crate::domain::policy::{Counting, View};
use crate::domain::time::Day;

use super::states::{charged_back_for, funded_by, state_of, subject_of};
use super::write::{Object, object, string};

/// Which defect a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The seller.
    pub seller_id: &'a str,
    /// The order.
    pub order_id: &'a str,
    /// The kind of defect.
    pub kind: DefectKind,
    /// The claim's or chargeback's own id.
    pub reference: Option<&'a str>,
}

/// Something that was found in a comment, or in what is known of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// What it is.
    pub kind: &'static str,
    /// The bytes of the comment where it stands, if anywhere.
    pub place: Option<(usize, usize)>,
    /// The words there, where they may be told.
    pub text: Option<&'a str>,
}

/// One rule's verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFound<'a> {
    /// The rule.
    pub rule: &'static str,
    /// The verdict; none where the order is not known.
    pub verdict: Option<&'static str>,
    /// What speaks for it.
    pub evidence: Vec<Found<'a>>,
    /// What speaks against it or leaves it open.
    pub blockers: Vec<Found<'a>>,
}

/// A comment as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentRead<'a> {
    /// The version of the rules that judged.
    pub version: u32,
    /// The language, if it is one that is read.
    pub language: Option<&'static str>,
    /// The root of the matter.
    pub reason: &'static str,
    /// Whether more was found than is listed.
    pub is_cut: bool,
    /// By rule.
    pub rules: Vec<RuleFound<'a>>,
}

/// What can be done about a defect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice<'a> {
    /// The defect.
    pub subject: Subject<'a>,
    /// How it stands.
    pub matter: &'a OpenMatter,
    /// Its comment, if it is a feedback whose comment was read.
    pub read: Option<CommentRead<'a>>,
    /// Documents that are wanted.
    pub wanted: Vec<&'static str>,
    /// Steps, and the first instants (ms since the epoch) at which it is too late for them.
    pub deadlines: Vec<(&'static str, i64)>,
    /// The first as-of day on which the order is in no view.
    pub moot_on: Day,
}

/// The key of a defect's advice: seller, subject, order and, where there is one, reference.
///
/// The marketplace is not in it: it is the order's, which may become known, or known better, after
/// the defect.
#[must_use]
pub fn key(subject: &Subject<'_>) -> Vec<u8> {
    let kind = subject_of(subject.kind);
    joined([subject.seller_id, kind, subject.order_id].into_iter().chain(subject.reference))
}

/// The key of what was quoted from a feedback's comment.
#[must_use]
pub fn quotes_key(seller_id: &str, order_id: &str) -> Vec<u8> {
    joined([seller_id, "quotes", order_id].into_iter())
}

/// Parts with bars between them; a bar or a percent sign in a part is written in hexadecimal.
fn joined<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let parts: Vec<Cow<'a, str>> = parts
        .map(|part| {
            if part.contains(['|', '%']) {
                part.replace('%', "%25").replace('|', "%7C").into()
            } else {
                part.into()
            }
        })
        .collect();
    parts.join("|").into_bytes()
}

/// Appends the value of an advice record, without a line end.
pub fn write_value(advice: &Advice<'_>, out: &mut Vec<u8>) {
    let (subject, matter) = (&advice.subject, advice.matter);
    object(out, |value| {
        value.text("record", "advice");
        value.text("seller_id", subject.seller_id);
        value.text("marketplace_id", &matter.marketplace_id);
        value.text("subject", subject_of(subject.kind));
        value.text("order_id", subject.order_id);
        value.optional_text("ref", subject.reference);
        value.instant("boundary", matter.boundary_ms);
        value.day("as_of", matter.as_of);
        value.instant("opened", matter.opened.ms());
        value.instant("stated", matter.stated.ms());
        value.text("state", state_of(matter.fact));
        value.flag("provisional", matter.counting == Counting::Provisional);
        write_fact(matter.fact, value);
        value.day("purchase_day", matter.purchase_day);
        value.text("channel", matter.channel.as_str());
        value.optional_flag("buy_shipping", matter.buy_shipping);
        value.optional_flag("shipped_on_time", matter.shipped_on_time);
        write_read(advice.read.as_ref(), value);
        value.texts("wanted", &advice.wanted);
        value.objects("deadlines", &advice.deadlines, |item, (step, until_ms)| {
            item.text("step", step);
            item.instant("until", *until_ms);
        });
        value.day("moot_on", advice.moot_on);
        value.object("gain", |gain| {
            for (view, of) in View::ALL.into_iter().zip(&matter.gains) {
                gain.object(view.as_str(), |members| write_gain(of, members));
            }
        });
    });
}

/// What only one kind of defect has.
fn write_fact(fact: DefectFact, value: &mut Object<'_>) {
    let (rating, paid, reason) = match fact {
        DefectFact::Feedback { rating, .. } => (Some(rating), None, None),
        DefectFact::Claim { funded_by, .. } => (None, funded_by, None),
        DefectFact::Chargeback { reason, .. } => (None, None, Some(reason)),
    };
    match rating {
        Some(rating) => value.integer("rating", rating),
        None => value.null("rating"),
    }
    value.optional_text("funded_by", paid.map(funded_by));
    value.optional_text("charged_back_for", reason.map(charged_back_for));
}

fn write_read(read: Option<&CommentRead<'_>>, value: &mut Object<'_>) {
    let Some(read) = read else {
        for name in ["advice_version", "language", "reason", "rules_cut", "rules"] {
            value.null(name);
        }
        return;
    };
    value.integer("advice_version", read.version);
    value.optional_text("language", read.language);
    value.text("reason", read.reason);
    value.flag("rules_cut", read.is_cut);
    write_rules(&read.rules, value);
}

fn write_rules(rules: &[RuleFound<'_>], value: &mut Object<'_>) {
    value.objects("rules", rules, |item, rule| {
        item.text("rule", rule.rule);
        if let Some(verdict) = rule.verdict {
            item.text("verdict", verdict);
        }
        for (name, found) in [("evidence", &rule.evidence), ("blockers", &rule.blockers)] {
            item.objects(name, found, |item, found| {
                item.text("kind", found.kind);
                if let Some((start, end)) = found.place {
                    item.integer("start", wide(start));
                    item.integer("end", wide(end));
                }
                if let Some(text) = found.text {
                    item.text("text", text);
                }
            });
        }
    });
}

fn write_gain(gain: &Gain, value: &mut Object<'_>) {
    value.day("leaves_on", gain.leaves_on);
    value.rate("now", gain.now);
    value.rate("if_granted", gain.if_granted);
    value.integer("defects_left", gain.defects_left);
    value.integer("defects_left_if_granted", gain.defects_left_if_granted);
}

/// Appends the value of a record of quotes, without a line end; only what has words is listed.
pub fn write_quotes(
    seller_id: &str,
    order_id: &str,
    stated_ms: i64,
    read: &CommentRead<'_>,
    out: &mut Vec<u8>,
) {
    object(out, |value| {
        value.text("record", "quotes");
        value.text("seller_id", seller_id);
        value.text("subject", "feedback");
        value.text("order_id", order_id);
        value.instant("stated", stated_ms);
        value.integer("advice_version", read.version);
        value.optional_text("language", read.language);
        value.text("reason", read.reason);
        value.flag("rules_cut", read.is_cut);
        write_rules(&read.rules, value);
    });
}

/// Appends a line of `advice.jsonl`: a record's key, and its value or null.
pub fn write_line(key: &[u8], value: Option<&[u8]>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"key\":");
    string(out, &String::from_utf8_lossy(key));
    out.extend_from_slice(b",\"value\":");
    out.extend_from_slice(value.unwrap_or(b"null"));
    out.extend_from_slice(b"}\n");
}

fn wide(place: usize) -> u64 {
    u64::try_from(place).expect("usize has at most 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Channel, ClaimStatus, FeedbackStatus};
    use crate::domain::rate::Rate;
    use crate::domain::time::EventTime;

    const GOLDEN: &str = include_str!("../../tests/golden/advice.v1.jsonl");

    fn matter(fact: DefectFact) -> OpenMatter {
        let gain = |leaves, orders, defective: u32| {
            let (now, if_granted) = (
                Rate { defective, orders },
                Rate { defective: defective.saturating_sub(1), orders },
            );
            let left = |rate: Rate| rate.headroom(100, 1).defects_left;
            Gain {
                leaves_on: Day::from_number(leaves),
                now,
                if_granted,
                defects_left: left(now),
                defects_left_if_granted: left(if_granted),
            }
        };
        OpenMatter {
            marketplace_id: "ATVPDKIKX0DER".into(),
            boundary_ms: 1_772_700_000_000,
            as_of: Day::from_number(20_517),
            purchase_day: Day::from_number(20_500),
            channel: Channel::Afn,
            buy_shipping: None,
            shipped_on_time: Some(true),
            fact,
            opened: EventTime::from_ms(1_772_000_000_000),
            stated: EventTime::from_ms(1_772_600_000_000),
            counting: Counting::Final,
            note: None,
            gains: [gain(20_560, 300, 3), gain(20_575, 0, 0)],
        }
    }

    fn found(kind: &'static str, place: Option<(usize, usize)>) -> Found<'static> {
        Found { kind, place, text: None }
    }

    fn read() -> CommentRead<'static> {
        let rule =
            |rule, verdict, evidence, blockers| RuleFound { rule, verdict, evidence, blockers };
        CommentRead {
            version: 1,
            language: Some("en"),
            reason: "late",
            is_cut: false,
            rules: vec![
                rule("obscene", Some("not"), vec![], vec![found("nothing_said", None)]),
                rule(
                    "fulfilled_by_amazon",
                    Some("eligible"),
                    vec![found("late", Some((3, 7)))],
                    vec![],
                ),
            ],
        }
    }

    #[test]
    fn the_values_are_those_of_the_golden_lines() {
        let mut out = Vec::new();
        let fact = DefectFact::Feedback { status: FeedbackStatus::Posted, rating: 1 };
        let (seller_id, order_id) = ("A2SELLER", "302-0000007-0000001");
        let feedback = matter(fact);
        write_value(
            &Advice {
                subject: Subject { seller_id, order_id, kind: fact.kind(), reference: None },
                matter: &feedback,
                read: Some(read()),
                wanted: vec![],
                deadlines: vec![("removal_request", 1_779_776_000_000)],
                moot_on: Day::from_number(20_575),
            },
            &mut out,
        );
        out.push(b'\n');
        let fact =
            DefectFact::Claim { status: ClaimStatus::Granted, funded_by: None, odr_impact: None };
        let claim = OpenMatter { channel: Channel::Mfn, ..matter(fact) };
        write_value(
            &Advice {
                subject: Subject { seller_id, order_id, kind: fact.kind(), reference: Some("C-1") },
                matter: &claim,
                read: None,
                wanted: vec!["tracking", "new_facts"],
                deadlines: vec![("claim_appeal", 1_775_192_000_000)],
                moot_on: Day::from_number(20_575),
            },
            &mut out,
        );
        out.push(b'\n');
        let text = Some("late");
        let mut quoted = read();
        quoted.rules.remove(0);
        quoted.rules[0].verdict = None;
        quoted.rules[0].evidence[0].text = text;
        write_quotes(seller_id, order_id, 1_772_600_000_000, &quoted, &mut out);
        out.push(b'\n');
        assert_eq!(String::from_utf8(out).unwrap(), GOLDEN);
    }

    #[test]
    fn different_defects_have_different_keys() {
        let of = |seller_id, order_id, kind, reference| {
            key(&Subject { seller_id, order_id, kind, reference })
        };
        let claim = DefectKind::Claim;
        assert_eq!(of("S", "O", claim, Some("C-1")), b"S|claim|O|C-1");
        assert_eq!(of("S", "O", DefectKind::NegativeFeedback, None), b"S|feedback|O");
        assert_eq!(quotes_key("S", "O"), b"S|quotes|O");
        // Ids may have bars in them.
        let odd = [
            of("S|claim", "O", claim, None),
            of("S", "claim|O", claim, None),
            of("S", "O|C", claim, None),
            of("S", "O", claim, Some("C")),
            of("S", "O%7CC", claim, None),
        ];
        let different: std::collections::BTreeSet<_> = odd.iter().collect();
        assert_eq!(different.len(), odd.len(), "{odd:?}");
    }
}
