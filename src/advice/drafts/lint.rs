//! What the marketplace forbids a seller to write, found in a text before it is sent.
//!
//! ```text
//! text -> sentences -> folded -> phrases of its language ─┐
//!                  \-> forms of personal data ────────────┼─> findings, with place and reason
//! whole text: compensation beside feedback ───────────────┘
//! ```
//!
//! Careful on the side of refusing: a sentence may name the change of a feedback only to say that
//! it is possible, and in no other way. Invariants: each finding has a place in the text; the same
//! text has the same findings. Absent on purpose: what a buyer wrote; only templates are read.

use std::sync::LazyLock;

use regex::Regex;

use super::Kind;
use super::words::{Class, Words};
use crate::advice::forms::{forms, is_date};
use crate::advice::lexicon::Language;
use crate::advice::text::Text;
use crate::advice::verdict::Span;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// It offers something that is no repair of the order.
    Incentive,
    /// It asks for the change of a feedback, threatens, or is to move the buyer to pity.
    Pressure,
    /// It has compensation and feedback in one message.
    CompensationAndFeedback,
    /// It names feedback where only the order is to be put right.
    Feedback,
    /// It has data of a person, or what leads to one.
    PersonalData,
    /// It leads away from the marketplace's messages.
    Contact,
    /// It lays the blame on the buyer or on somebody else.
    Blame,
}

impl Why {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::Incentive,
        Self::Pressure,
        Self::CompensationAndFeedback,
        Self::Feedback,
        Self::PersonalData,
        Self::Contact,
        Self::Blame,
    ];

    /// The reason's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incentive => "incentive",
            Self::Pressure => "pressure",
            Self::CompensationAndFeedback => "compensation_and_feedback",
            Self::Feedback => "feedback",
            Self::PersonalData => "personal_data",
            Self::Contact => "contact",
            Self::Blame => "blame",
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Incentive => {
                "an incentive, which the marketplace forbids wherever feedback may be meant"
            }
            Self::Pressure => {
                "pressure on a buyer, who may only be told that a feedback can be changed"
            }
            Self::CompensationAndFeedback => {
                "compensation and feedback in one message; keep them in two"
            }
            Self::Feedback => "feedback, of which a message that repairs the order never speaks",
            Self::PersonalData => "what leads to a person, which has no place in public",
            Self::Contact => "a way of contact outside the marketplace's own messages",
            Self::Blame => "blame, which has no place in an answer to a buyer",
        }
    }
}

/// A passage that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it stands.
    pub span: Span,
    /// Why.
    pub why: Why,
}

/// What is refused in a text, in the order of its places.
#[must_use]
pub fn lint(kind: Kind, language: Language, text: &str) -> Vec<Finding> {
    let (words, english) = (Words::of(language), Words::of(Language::En));
    let mut found = Vec::new();
    let (mut compensation, mut feedback) = (None, None);
    for sentence in sentences(text) {
        let sentence = Sentence::new(text, sentence);
        let find = |class: Class| sentence.find(words, class);
        // Words for gifts are often left in English.
        let gift = find(Class::Incentive).or_else(|| sentence.find(english, Class::Incentive));
        let offer = gift.or_else(|| sentence.matches(&patterns().percent));
        found.extend(offer.map(|span| Finding { span, why: Why::Incentive }));
        compensation = compensation.or_else(|| find(Class::Compensation));
        feedback = feedback.or_else(|| find(Class::Feedback));
        if kind == Kind::RemovalRequest {
            continue;
        }
        found.extend(pressure(&sentence, words).map(|span| Finding { span, why: Why::Pressure }));
        found.extend(find(Class::Blame).map(|span| Finding { span, why: Why::Blame }));
        if kind == Kind::BuyerMessage {
            let named = find(Class::Feedback);
            found.extend(named.map(|span| Finding { span, why: Why::Feedback }));
        }
        found.extend(contact(&sentence).map(|span| Finding { span, why: Why::Contact }));
        if kind == Kind::PublicResponse {
            let person = personal(&sentence);
            found.extend(person.map(|span| Finding { span, why: Why::PersonalData }));
        }
    }
    if let (Some(span), Some(_)) = (compensation, feedback) {
        found.push(Finding { span, why: Why::CompensationAndFeedback });
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// A sentence of a text, and the same folded.
struct Sentence<'a> {
    text: &'a str,
    /// Where it begins in the whole text.
    start: usize,
    folded: Text,
    /// The folded text with spaces where clauses end.
    plain: String,
    is_question: bool,
}

impl<'a> Sentence<'a> {
    fn new(whole: &'a str, span: Span) -> Self {
        let text = span.of(whole);
        let folded = Text::new(text);
        let plain = folded.folded.replace('\n', " ");
        let is_question = text.trim_end().ends_with(['?', '？']);
        Self { text, start: span.start, folded, plain, is_question }
    }

    fn find(&self, words: &Words, class: Class) -> Option<Span> {
        let (start, end) = words.find(class, &self.plain)?;
        let Span { start, end } = self.folded.span(start, end);
        Some(Span { start: self.start + start, end: self.start + end })
    }

    fn matches(&self, expression: &Regex) -> Option<Span> {
        let found = expression.find(self.text)?;
        Some(Span { start: self.start + found.start(), end: self.start + found.end() })
    }
}

/// What is asked of a buyer about a feedback, or moves him in another way.
fn pressure(sentence: &Sentence<'_>, words: &Words) -> Option<Span> {
    let find = |class: Class| sentence.find(words, class);
    if let Some(span) = find(Class::Pressure) {
        return Some(span);
    }
    let feedback = find(Class::Feedback).or_else(|| find(Class::Better))?;
    if let Some(span) = find(Class::Better) {
        return Some(span);
    }
    let change = find(Class::Change)?;
    let is_told = find(Class::Permit).is_some() && find(Class::Ask).is_none();
    let start = change.start.min(feedback.start);
    let end = change.end.max(feedback.end);
    (!is_told || sentence.is_question).then_some(Span { start, end })
}

/// What leads away from the marketplace's messages.
fn contact(sentence: &Sentence<'_>) -> Option<Span> {
    let forms = forms();
    let whole = [&forms.e_mail, &forms.shop, &forms.handle, &forms.lone_handle];
    let found = whole.into_iter().find_map(|expression| sentence.matches(expression));
    found.or_else(|| {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
        let found = forms.telephone.find_iter(sentence.text);
        let mut numbers = found.filter(|number| {
            let text = number.as_str();
            digits(text) >= 7 && !is_date(text) && !patterns().order.is_match(text)
        });
        let number = numbers.next()?;
        Some(Span { start: sentence.start + number.start(), end: sentence.start + number.end() })
    })
}

/// What leads to a person or to an order.
fn personal(sentence: &Sentence<'_>) -> Option<Span> {
    let patterns = patterns();
    let numbers = [&patterns.order, &patterns.tracking, &patterns.titled];
    if let Some(span) = numbers.into_iter().find_map(|expression| sentence.matches(expression)) {
        return Some(span);
    }
    if let Some(span) = forms().streets.iter().find_map(|street| sentence.matches(street)) {
        return Some(span);
    }
    let greeted = patterns.greeted.captures_iter(sentence.text);
    let named = patterns.japanese.captures_iter(sentence.text);
    let is_person = |name: &str| !NOBODY.contains(&name.to_lowercase().as_str());
    let mut names = greeted.chain(named).filter_map(|found| {
        let name = found.get(1)?;
        is_person(name.as_str()).then(|| (name.start(), name.end()))
    });
    let (start, end) = names.next()?;
    Some(Span { start: sentence.start + start, end: sentence.start + end })
}

/// Who is greeted and is no person.
const NOBODY: [&str; 39] = [
    "customer",
    "buyer",
    "sir",
    "madam",
    "all",
    "there",
    "kunde",
    "kundin",
    "käufer",
    "käuferin",
    "damen",
    "client",
    "cliente",
    "acheteur",
    "madame",
    "monsieur",
    "comprador",
    "compradora",
    "acquirente",
    "signore",
    "signora",
    "señor",
    "señora",
    "senhor",
    "senhora",
    "team",
    "客",
    "皆",
    "購入者",
    "注文者",
    "各位",
    "同",
    "仕",
    "模",
    "多",
    "異",
    "有",
    "購入",
    "注文",
];

struct Patterns {
    percent: Regex,
    order: Regex,
    tracking: Regex,
    titled: Regex,
    greeted: Regex,
    japanese: Regex,
}

fn patterns() -> &'static Patterns {
    static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
        let new = |expression: &str| Regex::new(expression).expect("tests use them all");
        Patterns {
            percent: new(PERCENT),
            order: new(r"\d{3}-\d{7}-\d{7}"),
            tracking: new(r"[A-Z]{2}\d{9}[A-Z]{2}|1Z[0-9A-Z]{16}|\d{12,}"),
            titled: new(TITLED),
            greeted: new(GREETED),
            japanese: new(r"([\p{Han}\p{Katakana}ー]{1,8})(?:様|さん|さま)"),
        }
    });
    &PATTERNS
}

/// A part of a price: less than all of it.
const PERCENT: &str = concat!(
    r"(?i)(?:^|[^\d.,])[1-9]?\d(?:[.,]\d)?\s?(?:%|％|percent|per cent|prozent|pour ?cent|",
    r"por ?ciento|per ?cento|por ?cento|パーセント)",
);

const TITLED: &str = concat!(
    r"(?-u:\b)(?:Mr|Mrs|Ms|Miss|Dr|Herr|Herrn|Frau|Monsieur|Madame|Mme|Señor|Señora|Sr|Sra|",
    r"Signor|Signora|Sig|Senhor|Senhora)\.?\s\p{Lu}\p{Ll}+",
);

const GREETED: &str = concat!(
    r"(?:Dear|Hi|Hello|Hallo|Liebe|Lieber|Bonjour|Cher|Chère|Hola|Estimado|Estimada|Ciao|",
    r"Gentile|Caro|Cara|Olá|Oi|Prezado|Prezada)\s(\p{Lu}\p{Ll}+)",
);

/// The sentences of a text: lines, and within them what ends with a mark and a space.
fn sentences(text: &str) -> Vec<Span> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let next = letters.peek().map(|(_, next)| *next);
        let is_end = match letter {
            '\n' | '。' | '！' | '？' => true,
            '.' | '!' | '?' => next.is_none_or(char::is_whitespace),
            _ => false,
        };
        if is_end {
            let end = at + letter.len_utf8();
            found.push(Span { start, end });
            start = end;
        }
    }
    found.push(Span { start, end: text.len() });
    found.retain(|span| !span.of(text).trim().is_empty());
    found
}
