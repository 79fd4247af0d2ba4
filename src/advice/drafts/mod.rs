//! Drafts of what a seller writes about a defect: to the marketplace, in public, and to the buyer.
//!
//! ```text
//! text of a file -> sections (template) -> a set of templates, defaults beneath (here) -> a draft
//!                                                \-> what the marketplace forbids (lint)
//! ```
//!
//! A template is plain text with named placeholders and nothing else, so that the linter sees all
//! that can come of it. Invariants: every language has every draft, from the files that are built
//! in where no other is stated; no template gets in that the linter refuses; what a buyer wrote can
//! only come into a removal request, and only if it is given. Absent on purpose: files, clocks.

pub mod lint;
mod template;
mod words;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use super::lexicon::Language;
use super::verdict::{Reason, Rule};
pub use template::{MAX_SECTION_CHARACTERS, Mistake};
use template::{Part, Piece};

/// What a draft is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// To the marketplace: asks that a feedback be removed or struck through.
    RemovalRequest,
    /// Beneath the feedback, for everybody.
    PublicResponse,
    /// To the buyer: puts the order right, and speaks of nothing else.
    BuyerMessage,
    /// To the buyer, after that: informs in the marketplace's own sense.
    FollowUp,
}

impl Kind {
    /// All kinds, in the order of output.
    pub const ALL: [Self; 4] =
        [Self::RemovalRequest, Self::PublicResponse, Self::BuyerMessage, Self::FollowUp];

    /// The kind's name in outputs, and the name of its file without `.txt`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RemovalRequest => "removal_request",
            Self::PublicResponse => "public_response",
            Self::BuyerMessage => "buyer_message",
            Self::FollowUp => "follow_up",
        }
    }

    /// The placeholders that may stand in it: nothing leads to the buyer in public.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::RemovalRequest => &[Field::OrderId, Field::FeedbackDate, Field::Evidence],
            Self::PublicResponse => &[],
            Self::BuyerMessage | Self::FollowUp => &[Field::OrderId],
        }
    }

    /// What its texts are told apart by.
    fn subjects(self) -> Vec<Subject> {
        match self {
            Self::RemovalRequest => Rule::ALL.map(Subject::Rule).to_vec(),
            Self::PublicResponse | Self::BuyerMessage | Self::FollowUp => {
                Reason::ALL.map(Subject::Reason).to_vec()
            }
        }
    }
}

/// A placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The order's id.
    OrderId,
    /// The day on which the feedback was left.
    FeedbackDate,
    /// What the comment says, in quotation marks.
    Evidence,
}

impl Field {
    /// All placeholders.
    pub const ALL: [Self; 3] = [Self::OrderId, Self::FeedbackDate, Self::Evidence];

    /// The placeholder's name, without its braces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrderId => "order_id",
            Self::FeedbackDate => "feedback_date",
            Self::Evidence => "evidence",
        }
    }
}

/// What a draft is about: a rule for a removal request, a reason for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// By the rule that a removal is asked for.
    Rule(Rule),
    /// By the reason of the comment.
    Reason(Reason),
}

impl Subject {
    /// The name of its section.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule(rule) => rule.as_str(),
            Self::Reason(reason) => reason.as_str(),
        }
    }
}

/// A section of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Section {
    /// Before every text of the file.
    Opening,
    /// After every text of the file.
    Closing,
    /// The text about a subject.
    Of(Subject),
}

/// The values that a draft is filled with. A line whose placeholder has no value is left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    /// The order's id.
    pub order_id: &'a str,
    /// The day on which the feedback was left.
    pub feedback_date: Option<&'a str>,
    /// What the comment says, as [`quotes`] writes it.
    pub evidence: Option<&'a str>,
}

impl<'a> Values<'a> {
    const fn get(&self, field: Field) -> Option<&'a str> {
        match field {
            Field::OrderId => Some(self.order_id),
            Field::FeedbackDate => self.feedback_date,
            Field::Evidence => self.evidence,
        }
    }
}

/// A template in a file that is stated in place of a built-in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// The language that it is written in.
    pub language: Language,
    /// What it is for.
    pub kind: Kind,
    /// The whole text of the file.
    pub text: String,
}

/// All templates of all languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    parts: BTreeMap<(Language, Kind, Section), Origin>,
}

/// A part and the stated file that it is from; none for what is built in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    file: Option<usize>,
    part: Part,
}

impl Templates {
    /// The built-in templates (`config/templates`).
    #[must_use]
    pub fn defaults() -> &'static Self {
        static DEFAULTS: LazyLock<Templates> = LazyLock::new(|| {
            let mut templates = Templates { parts: BTreeMap::new() };
            for (language, kind, text) in built_in() {
                let parts = template::parse(kind, text).expect("a test reads them all");
                templates.take(language, kind, None, parts);
            }
            templates
        });
        &DEFAULTS
    }

    /// The built-in templates with the sections of some files in their place.
    ///
    /// # Errors
    /// All mistakes in them, and all that the linter refuses, each with the place of its file among
    /// those given.
    pub fn with(files: &[Stated]) -> Result<Self, Vec<(usize, Mistake)>> {
        let mut templates = Self::defaults().clone();
        let mut mistakes = Vec::new();
        for (at, Stated { language, kind, text }) in files.iter().enumerate() {
            match template::parse(*kind, text) {
                Ok(parts) => templates.take(*language, *kind, Some(at), parts),
                Err(found) => mistakes.extend(found.into_iter().map(|mistake| (at, mistake))),
            }
        }
        mistakes.extend(templates.refused());
        if mistakes.is_empty() { Ok(templates) } else { Err(mistakes) }
    }

    fn take(
        &mut self,
        language: Language,
        kind: Kind,
        file: Option<usize>,
        parts: Vec<(Section, Part)>,
    ) {
        for (section, part) in parts {
            self.parts.insert((language, kind, section), Origin { file, part });
        }
    }

    /// The parts of a draft, in their order.
    fn of(&self, kind: Kind, language: Language, subject: Subject) -> Vec<&Origin> {
        [Section::Opening, Section::Of(subject), Section::Closing]
            .into_iter()
            .filter_map(|section| self.parts.get(&(language, kind, section)))
            .collect()
    }

    /// A draft. Empty for a subject that the kind has no text about.
    #[must_use]
    pub fn draft(
        &self,
        kind: Kind,
        language: Language,
        subject: Subject,
        values: &Values<'_>,
    ) -> String {
        let parts = self.of(kind, language, subject);
        let texts = parts.iter().map(|origin| filled(&origin.part, values));
        let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
        texts.join("\n\n")
    }

    /// What the linter refuses in stated templates, each place once.
    fn refused(&self) -> Vec<(usize, Mistake)> {
        let mut found: Vec<(usize, Mistake)> = Vec::new();
        for language in Language::ALL {
            for kind in Kind::ALL {
                for subject in kind.subjects() {
                    let parts = self.of(kind, language, subject);
                    if parts.iter().all(|part| part.file.is_none()) {
                        continue;
                    }
                    found.extend(refusals(kind, language, &parts));
                }
            }
        }
        found.sort_by(|left, right| {
            let place = |(file, mistake): &(usize, Mistake)| (*file, mistake.line, mistake.column);
            place(left).cmp(&place(right)).then_with(|| left.1.problem.cmp(&right.1.problem))
        });
        found.dedup();
        found
    }

    /// The texts of all drafts as the linter sees them, with their placeholders.
    pub fn texts(&self) -> impl Iterator<Item = (Language, Kind, Subject, String)> {
        let kinds = Language::ALL.into_iter().flat_map(|language| {
            Kind::ALL.into_iter().flat_map(move |kind| {
                kind.subjects().into_iter().map(move |subject| (language, kind, subject))
            })
        });
        kinds.map(|(language, kind, subject)| {
            let parts = self.of(kind, language, subject);
            (language, kind, subject, composed(&parts).0)
        })
    }
}

/// The text of some parts with their placeholders, and for each of its lines the part and the
/// line within its file.
fn composed(parts: &[&Origin]) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut lines) = (String::new(), Vec::new());
    for (at, origin) in parts.iter().enumerate() {
        if at > 0 {
            text.push('\n');
            lines.push((at, origin.part.line));
        }
        for (line, written) in origin.part.written() {
            text.push_str(&written);
            text.push('\n');
            lines.push((at, line));
        }
    }
    (text, lines)
}

/// What the linter refuses in a draft, at its place in a stated file.
fn refusals(kind: Kind, language: Language, parts: &[&Origin]) -> Vec<(usize, Mistake)> {
    let (text, lines) = composed(parts);
    let place = |byte: usize| {
        let before = text.get(..byte).unwrap_or(&text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let (part, line) = lines[before.matches('\n').count().min(lines.len() - 1)];
        (part, line, before[start..].chars().count() + 1)
    };
    let stated = parts.iter().find_map(|part| Some((part.file?, part.part.line)));
    let (of_some, of_some_line) = stated.expect("only drafts with a stated part are looked at");
    let told = |finding: lint::Finding| {
        let (part, line, column) = place(finding.span.start);
        let words = finding.span.of(&text);
        let problem = format!("says “{words}”: {}", finding.why.reason());
        match parts[part].file {
            Some(file) => (file, Mistake { line, column, problem, allowed: None }),
            // It is only wrong beside what the stated part says.
            None => (of_some, Mistake { line: of_some_line, column: 1, problem, allowed: None }),
        }
    };
    lint::lint(kind, language, &text).into_iter().map(told).collect()
}

/// A part with its values; a line whose placeholder has none is left out.
fn filled(part: &Part, values: &Values<'_>) -> String {
    let mut text = String::new();
    let mut was_empty = true;
    for line in &part.lines {
        let mut written = String::new();
        let has_all = line.pieces.iter().all(|piece| {
            let value = match piece {
                Piece::Text(text) => Some(&**text),
                Piece::Field(field) => values.get(*field),
            };
            written.push_str(value.unwrap_or_default());
            value.is_some()
        });
        let is_empty = written.is_empty();
        if has_all && !(is_empty && was_empty) {
            text.push_str(&written);
            text.push('\n');
            was_empty = is_empty;
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// The most passages that are quoted, and the most characters of each.
const QUOTED: (usize, usize) = (5, 160);

/// Passages in the quotation marks of a language; none for none.
#[must_use]
pub fn quotes(language: Language, passages: &[&str]) -> Option<String> {
    let (open, close, between) = match language {
        Language::De => ("„", "“", ", "),
        Language::Fr => ("« ", " »", ", "),
        Language::Es | Language::It | Language::Pt | Language::En => ("“", "”", ", "),
        Language::Ja => ("「", "」", "、"),
    };
    let (most, longest) = QUOTED;
    let mut text = String::new();
    for (at, passage) in passages.iter().take(most).enumerate() {
        let plain: Vec<&str> = passage.split_whitespace().collect();
        let plain = plain.join(" ");
        let short: String = plain.chars().take(longest).collect();
        let more = if short.len() < plain.len() { "…" } else { "" };
        let before = if at == 0 { "" } else { between };
        write!(text, "{before}{open}{short}{more}{close}").expect("a String takes all");
    }
    (!text.is_empty()).then_some(text)
}

/// The language that is written in a marketplace; none for one that is not known.
#[must_use]
pub fn language_of(marketplace_id: &str) -> Option<Language> {
    Some(match marketplace_id {
        // United States, Canada, United Kingdom, Ireland, Australia, India, Singapore, United
        // Arab Emirates, Saudi Arabia, South Africa; where no draft is written in the language:
        // Netherlands, Sweden, Poland, Türkiye, Egypt.
        "ATVPDKIKX0DER" | "A2EUQ1WTGCTBG2" | "A1F83G8C2ARO7P" | "A28R8C7NBKEWEA"
        | "A39IBJ37TRP1C6" | "A21TJRUUN4KGV" | "A19VAU5U5O7RUS" | "A2VIGQ35RCS4UG"
        | "A17E79C6D8DWNP" | "AE08WJ6YKNBMC" | "A1805IZSGTT6HS" | "A2NODRKZP88ZB9"
        | "A1C3SOZRARQ6R3" | "A33AVAJ2PDY3EV" | "ARBP9OOSHTCHU" => Language::En,
        // Germany.
        "A1PA6795UKMFR9" => Language::De,
        // France, Belgium.
        "A13V1IB3VIYZZH" | "AMEN7PMS3EDWL" => Language::Fr,
        // Spain, Mexico.
        "A1RKKUPIHCS9HS" | "A1AM78C64UM0Y8" => Language::Es,
        // Italy.
        "APJ6JRA9NG5V4" => Language::It,
        // Brazil.
        "A2Q3Y263D00KWC" => Language::Pt,
        // Japan.
        "A1VC38T7YXB528" => Language::Ja,
        _ => return None,
    })
}

/// The files of `config/templates`, as they are built in.
fn built_in() -> [(Language, Kind, &'static str); 28] {
    use Kind::{BuyerMessage, FollowUp, PublicResponse, RemovalRequest};
    use Language::{De, En, Es, Fr, It, Ja, Pt};
    [
        (En, RemovalRequest, include_str!("../../../config/templates/en/removal_request.txt")),
        (En, PublicResponse, include_str!("../../../config/templates/en/public_response.txt")),
        (En, BuyerMessage, include_str!("../../../config/templates/en/buyer_message.txt")),
        (En, FollowUp, include_str!("../../../config/templates/en/follow_up.txt")),
        (De, RemovalRequest, include_str!("../../../config/templates/de/removal_request.txt")),
        (De, PublicResponse, include_str!("../../../config/templates/de/public_response.txt")),
        (De, BuyerMessage, include_str!("../../../config/templates/de/buyer_message.txt")),
        (De, FollowUp, include_str!("../../../config/templates/de/follow_up.txt")),
        (Fr, RemovalRequest, include_str!("../../../config/templates/fr/removal_request.txt")),
        (Fr, PublicResponse, include_str!("../../../config/templates/fr/public_response.txt")),
        (Fr, BuyerMessage, include_str!("../../../config/templates/fr/buyer_message.txt")),
        (Fr, FollowUp, include_str!("../../../config/templates/fr/follow_up.txt")),
        (Es, RemovalRequest, include_str!("../../../config/templates/es/removal_request.txt")),
        (Es, PublicResponse, include_str!("../../../config/templates/es/public_response.txt")),
        (Es, BuyerMessage, include_str!("../../../config/templates/es/buyer_message.txt")),
        (Es, FollowUp, include_str!("../../../config/templates/es/follow_up.txt")),
        (It, RemovalRequest, include_str!("../../../config/templates/it/removal_request.txt")),
        (It, PublicResponse, include_str!("../../../config/templates/it/public_response.txt")),
        (It, BuyerMessage, include_str!("../../../config/templates/it/buyer_message.txt")),
        (It, FollowUp, include_str!("../../../config/templates/it/follow_up.txt")),
        (Pt, RemovalRequest, include_str!("../../../config/templates/pt/removal_request.txt")),
        (Pt, PublicResponse, include_str!("../../../config/templates/pt/public_response.txt")),
        (Pt, BuyerMessage, include_str!("../../../config/templates/pt/buyer_message.txt")),
        (Pt, FollowUp, include_str!("../../../config/templates/pt/follow_up.txt")),
        (Ja, RemovalRequest, include_str!("../../../config/templates/ja/removal_request.txt")),
        (Ja, PublicResponse, include_str!("../../../config/templates/ja/public_response.txt")),
        (Ja, BuyerMessage, include_str!("../../../config/templates/ja/buyer_message.txt")),
        (Ja, FollowUp, include_str!("../../../config/templates/ja/follow_up.txt")),
    ]
}

#[cfg(test)]
mod tests;
