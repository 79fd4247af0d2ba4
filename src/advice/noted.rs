//! A reading in few bytes, without a word of the comment: what the state keeps of it.
//!
//! ```text
//! format | version of the rules | decisions and reason (14 bits) | language | marks | items
//! item:    rule, kind of item, whether it has a place | finding or blocker | start | length
//! ```
//!
//! Invariants: at most so many bytes as are asked for; what does not fit is left out, the first
//! items of every rule before the second of any, and a mark says so. A number that was ever
//! written keeps its meaning. Absent on purpose: the comment; a place is where something stood.

use super::facts::{Compact, Facts, limit};
use super::lexicon::Language;
use super::topic::Topic;
use super::verdict::{
    Blocker, BlockerKind, Evidence, Finding, Reading, Rule, Span, VERSION, Verdict, Verdicts,
};

/// The format that is written.
const FORMAT: u8 = 1;

/// Where the numbers of topics begin, among those of findings and of blockers.
const TOPICS: u8 = 64;

/// Says that items were left out.
const IS_CUT: u8 = 1;

/// The bits of an item's first byte: the rule has three.
const IS_BLOCKER: u8 = 1 << 3;
const HAS_PLACE: u8 = 1 << 4;

/// What was found in a comment, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The version of the rules that judged.
    pub version: u32,
    /// The language, if it is one that is read.
    pub language: Option<Language>,
    /// The decisions and the reason.
    pub compact: Compact,
    /// Whether there was more evidence, or there were more blockers, than are kept.
    pub is_cut: bool,
    /// By [`Rule::index`], in the order of the comment.
    found: [(Vec<Evidence>, Vec<Blocker>); 5],
}

/// One piece of evidence or one blocker.
#[derive(Clone, Copy)]
struct Item {
    rule: u8,
    is_blocker: bool,
    code: u8,
    span: Option<Span>,
}

impl Item {
    fn put(self, out: &mut Vec<u8>) {
        let marks = [(self.is_blocker, IS_BLOCKER), (self.span.is_some(), HAS_PLACE)];
        let marks = marks.into_iter().filter(|(is_so, _)| *is_so);
        out.push(marks.fold(self.rule, |bits, (_, bit)| bits | bit));
        out.push(self.code);
        if let Some(span) = self.span {
            put(out, span.start);
            put(out, span.end.saturating_sub(span.start));
        }
    }
}

impl Noted {
    /// A reading in at most `most` bytes; at least 16 are needed.
    #[must_use]
    pub fn bytes_of(reading: &Reading, most: usize) -> Vec<u8> {
        let mut out = vec![FORMAT];
        put(&mut out, usize::try_from(VERSION).expect("a small number"));
        out.extend_from_slice(&reading.compact().bits().to_le_bytes());
        out.push(reading.language.map_or(0, |language| small(language.index() + 1)));
        let marks = out.len();
        out.push(0);
        let lists = lists(reading);
        let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
        for rank in 0..longest {
            for item in lists.iter().filter_map(|list| list.get(rank)) {
                let length = out.len();
                item.put(&mut out);
                if out.len() > most {
                    out.truncate(length);
                    out[marks] |= IS_CUT;
                }
            }
        }
        out
    }

    /// What [`Noted::bytes_of`] made; `None` for bytes that it does not make.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if byte(&mut rest)? != FORMAT {
            return None;
        }
        let version = u32::try_from(number(&mut rest)?).ok()?;
        let bits = u16::from_le_bytes([byte(&mut rest)?, byte(&mut rest)?]);
        let compact = Compact::of_bits(bits)?;
        let language = match byte(&mut rest)? {
            0 => None,
            place => Some(*Language::ALL.get(usize::from(place) - 1)?),
        };
        let is_cut = byte(&mut rest)? & IS_CUT != 0;
        let mut found: [(Vec<Evidence>, Vec<Blocker>); 5] = Default::default();
        while !rest.is_empty() {
            let (marks, code) = (byte(&mut rest)?, byte(&mut rest)?);
            let (evidence, blockers) = found.get_mut(usize::from(marks & 7))?;
            let span = if marks & HAS_PLACE != 0 { Some(span(&mut rest)?) } else { None };
            if marks & IS_BLOCKER != 0 {
                blockers.push(Blocker { kind: blocker_of(code)?, span });
            } else {
                evidence.push(Evidence { span: span?, finding: finding_of(code)? });
            }
        }
        Some(Self { version, language, compact, is_cut, found })
    }

    /// The verdicts on an order of which these facts are known.
    #[must_use]
    pub fn decide(&self, facts: Facts) -> Verdicts {
        let verdicts = Rule::ALL.map(|rule| {
            let (evidence, blockers) = self.found[rule.index()].clone();
            let decision = self.compact.decisions[rule.index()];
            let (most, kinds) = limit(rule, facts);
            Verdict { decision, evidence, blockers }.capped(most, &kinds)
        });
        Verdicts { language: self.language, verdicts, reason: self.compact.reason }
    }
}

/// The items of each rule: its evidence, then its blockers.
fn lists(reading: &Reading) -> Vec<Vec<Item>> {
    let mut lists = Vec::with_capacity(10);
    for rule in Rule::ALL {
        let verdict = &reading.verdicts[rule.index()];
        let item =
            |is_blocker, code, span| Item { rule: small(rule.index()), is_blocker, code, span };
        let evidence = verdict.evidence.iter();
        let blockers = verdict.blockers.iter();
        lists.push(
            evidence.map(|one| item(false, finding_code(one.finding), Some(one.span))).collect(),
        );
        lists.push(blockers.map(|one| item(true, blocker_code(one.kind), one.span)).collect());
    }
    lists
}

fn finding_code(finding: Finding) -> u8 {
    match finding {
        Finding::Topic(topic) => topic_code(topic),
        plain => place_of(&Finding::PLAIN, plain),
    }
}

fn finding_of(code: u8) -> Option<Finding> {
    match code.checked_sub(TOPICS) {
        Some(place) => Topic::ALL.get(usize::from(place)).copied().map(Finding::Topic),
        None => Finding::PLAIN.get(usize::from(code)).copied(),
    }
}

fn blocker_code(kind: BlockerKind) -> u8 {
    match kind {
        BlockerKind::Topic(topic) => topic_code(topic),
        plain => place_of(&BlockerKind::PLAIN, plain),
    }
}

fn blocker_of(code: u8) -> Option<BlockerKind> {
    match code.checked_sub(TOPICS) {
        Some(place) => Topic::ALL.get(usize::from(place)).copied().map(BlockerKind::Topic),
        None => BlockerKind::PLAIN.get(usize::from(code)).copied(),
    }
}

fn topic_code(topic: Topic) -> u8 {
    TOPICS + place_of(&Topic::ALL, topic)
}

fn place_of<T: PartialEq + Copy>(all: &[T], one: T) -> u8 {
    small(all.iter().position(|other| *other == one).expect("the list has every value"))
}

fn small(place: usize) -> u8 {
    u8::try_from(place).expect("the lists are short")
}

/// Appends a number, seven bits to a byte.
fn put(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(small(value & 0x7F) | 0x80);
        value >>= 7;
    }
    out.push(small(value));
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(*first)
}

/// A number below 2^28, which all places are.
fn number(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let byte = byte(rest)?;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn span(rest: &mut &[u8]) -> Option<Span> {
    let (start, length) = (number(rest)?, number(rest)?);
    Some(Span { start, end: start + length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::{Decision, read};
    use crate::domain::event::Channel;

    const COMMENTS: [&str; 8] = [
        "",
        "You are a fucking bastard, call me at +49 170 1234567",
        "Never arrived. The seller never answered my mails and the box was crushed.",
        "This blender broke after two weeks of use, poor quality plastic.",
        "Arrived three weeks late, Amazon's customer service was useless.",
        "Die Lieferung kam zu spät, der Verkäufer Hans Müller antwortet nicht.",
        "\u{1F600}\u{1F4A9}",
        "zzz qqq xxx",
    ];

    fn facts() -> [Facts; 3] {
        let known = |channel| Facts {
            channel: Some(channel),
            buy_shipping: Some(true),
            shipped_on_time: Some(false),
        };
        [Facts::default(), known(Channel::Mfn), known(Channel::Afn)]
    }

    #[test]
    fn what_is_kept_decides_as_the_reading_does() {
        for comment in COMMENTS {
            let reading = read(comment);
            let noted = Noted::of_bytes(&Noted::bytes_of(&reading, 4096)).unwrap();
            assert!(!noted.is_cut);
            assert_eq!(noted.version, VERSION);
            for facts in facts() {
                assert_eq!(noted.decide(facts), reading.decide(facts), "{comment}");
                let decisions = noted.decide(facts).verdicts.map(|verdict| verdict.decision);
                assert_eq!(decisions, noted.compact.decide(facts), "{comment}");
            }
        }
    }

    #[test]
    fn of_a_long_comment_the_first_items_of_every_rule_are_kept() {
        let comment = COMMENTS.join(" ").repeat(20);
        let reading = read(&comment);
        let bytes = Noted::bytes_of(&reading, 192);
        assert!(bytes.len() <= 192);
        let noted = Noted::of_bytes(&bytes).unwrap();
        assert!(noted.is_cut);
        for (rule, verdict) in noted.decide(Facts::default()).verdicts.iter().enumerate() {
            let whole = &reading.decide(Facts::default()).verdicts[rule];
            assert_eq!(verdict.decision, whole.decision);
            assert_eq!(verdict.evidence.first(), whole.evidence.first());
            assert_eq!(verdict.blockers.first(), whole.blockers.first());
        }
    }

    #[test]
    fn every_finding_and_every_blocker_has_a_number_of_its_own() {
        let topics = Topic::ALL.into_iter();
        let findings: Vec<Finding> =
            Finding::PLAIN.into_iter().chain(topics.clone().map(Finding::Topic)).collect();
        assert!(findings.iter().all(|one| finding_of(finding_code(*one)) == Some(*one)));
        let blockers: Vec<BlockerKind> =
            BlockerKind::PLAIN.into_iter().chain(topics.map(BlockerKind::Topic)).collect();
        assert!(blockers.iter().all(|one| blocker_of(blocker_code(*one)) == Some(*one)));
        assert!(BlockerKind::PLAIN.len() < usize::from(TOPICS));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_and_never_panic() {
        let bytes = Noted::bytes_of(&read(COMMENTS[2]), 192);
        for place in 0..bytes.len() {
            let _ = Noted::of_bytes(&bytes[..place]);
            for flip in [1, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[place] ^= flip;
                if let Some(noted) = Noted::of_bytes(&damaged) {
                    let _ = noted.decide(Facts::default());
                }
            }
        }
        assert_eq!(Noted::of_bytes(&[]), None);
        assert_eq!(Noted::of_bytes(&[9, 1, 0, 0, 0, 0]), None);
    }

    #[test]
    fn nothing_of_the_comment_is_in_the_bytes() {
        let comment = "CANARYCANARY arrived late, the seller CANARYCANARY never answered";
        let bytes = Noted::bytes_of(&read(comment), 192);
        assert!(!bytes.windows(4).any(|four| four.eq_ignore_ascii_case(b"cana")));
        assert_eq!(read(comment).verdicts[0].decision, Decision::Not);
    }
}
