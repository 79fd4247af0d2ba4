//! What to do about a negative feedback: whether the marketplace's rules let it be removed.
//!
//! ```text
//! comment -> folded text -> hits of the lexicons -> clauses with topics -> five verdicts
//!                                                \-> the model's second opinion -^
//! ```
//!
//! Pure: no IO, no clock, no logging, no floating point; equal comments and equal [`VERSION`] give
//! equal verdicts. [`read`] judges a comment, [`Reading::decide`] adds what is known of the order.
//! High volumes of wrong removal requests are themselves a violation, so a verdict has three
//! values and [`Decision::Eligible`] asks for every clause to be understood. Absent on purpose:
//! any text of a buyer in what is returned; spans are places.
//!
//! Reading order: [`verdict`] and [`facts`] (what comes out), `text` and `script` (folding),
//! [`lexicon`] (words), `clauses` (what they mean together), `rules` (rules 3 to 5), `obscene`
//! (rule 1), `personal`, `forms` and [`profile`] (rule 2), [`model`], `reason`; [`noted`]
//! (what is kept); [`deadlines`] and [`wanted`] (of all defects)
//! stand by themselves.

mod clauses;
pub mod deadlines;
pub mod facts;
mod forms;
pub mod lexicon;
pub mod model;
pub mod noted;
mod obscene;
mod personal;
pub mod profile;
mod reason;
mod rules;
mod script;
mod text;
pub mod topic;
pub mod verdict;
pub mod wanted;

pub use deadlines::{Deadline, Step, Terms, deadlines};
pub use facts::{Compact, Facts};
pub use lexicon::Language;
pub use noted::Noted;
pub use profile::Profile;
pub use text::MAX_READ_BYTES;
pub use topic::Topic;
pub use verdict::{
    Blocker, BlockerKind, Clause, Decision, Evidence, Finding, Reading, Reason, Rule, Span,
    VERSION, Verdict, Verdicts,
};
pub use wanted::{Wanted, wanted};

use clauses::Part;
use lexicon::{Class, Coverage, Hit, lexicon};
use model::{Head, Model};
use rules::{Scores, Whole};
use text::Text;

/// Judges a comment of which the seller's own data are not known.
#[must_use]
pub fn read(comment: &str) -> Reading {
    read_with(comment, &Profile::default())
}

/// Judges a comment.
#[must_use]
pub fn read_with(comment: &str, profile: &Profile) -> Reading {
    judge(comment, profile, model::model())
}

/// Judges a comment with another model: for its training.
#[must_use]
pub fn judge(comment: &str, profile: &Profile, model: &Model) -> Reading {
    let text = Text::new(comment);
    if text.letters == 0 {
        return wordless(&text);
    }
    let hits = lexicon().hits(&text.folded);
    let language = language(&text, &hits);
    let own = match language {
        Some(language) => clauses::of_language(&hits, language),
        None => hits.clone(),
    };
    let (obscene, compared) = obscene::judge(comment, &text, &hits, language, lexicon());
    let (personal, formed) = personal::judge(comment, &text, &own, profile);
    let mut parts =
        language.map_or_else(Vec::new, |language| clauses::parts(&text, language, &own));
    let mut scores = Scores::default();
    for part in &mut parts {
        let features = model::features(&text.folded, language.unwrap_or(Language::En), part);
        part.scores = Head::ALL.map(|head| model.score(head, &features));
        scores.add(part.scores);
    }
    let doubts = doubts(&text, &hits, language, &parts);
    let has_sellers_data = personal.decision != Decision::Not;
    let whole = Whole { text: &text, parts: &parts, scores, doubts: &doubts, has_sellers_data };
    let mut verdicts = [
        obscene,
        personal,
        whole.product_review(),
        whole.fulfilled_by_amazon(),
        whole.buy_shipping(),
    ];
    if language.is_none() {
        for verdict in &mut verdicts[2..] {
            verdict.decision = Decision::Uncertain;
        }
    }
    for verdict in &mut verdicts {
        if text.is_cut {
            verdict.decision = verdict.decision.min(Decision::Uncertain);
        }
        verdict.sort();
    }
    let reads = (whole.reads_like_a_product(), whole.reads_like_delay());
    Reading {
        language,
        reason: reason::reason(whole.topics(), reads.0, reads.1),
        work: text.folded.len() + hits.len() + compared + formed,
        clauses: parts.iter().map(|part| told(&text, part)).collect(),
        verdicts,
    }
}

/// A comment of signs and pictures, or none at all.
fn wordless(text: &Text) -> Reading {
    let has_pictures = text.faces > 0 || !text.pictures.is_empty() || !text.winks.is_empty();
    let verdicts = Rule::ALL.map(|rule| {
        let mut verdict = Verdict::not(BlockerKind::EmptyComment);
        let is_open = !matches!(rule, Rule::Obscene | Rule::PersonalData);
        if has_pictures && is_open {
            verdict.decision = Decision::Uncertain;
            verdict.blockers = vec![Blocker { kind: BlockerKind::Pictures, span: None }];
        }
        verdict
    });
    Reading {
        language: None,
        verdicts,
        reason: Reason::Other,
        clauses: Vec::new(),
        work: text.folded.len(),
    }
}

/// Less of a text covered by any one language than these hundredths, and it is in none of them.
const LEAST_COVERED: usize = 40;

/// The same for texts of so few letters that a word that is not known weighs much.
const LEAST_COVERED_OF_FEW: usize = 25;
const FEW_LETTERS: usize = 48;

fn language(text: &Text, hits: &[Hit]) -> Option<Language> {
    if 3 * text.foreign > text.letters {
        return None;
    }
    let coverage = Coverage::of(&text.folded, hits);
    let best = coverage.best(&text.folded)?;
    let is_short = text.letters <= FEW_LETTERS;
    let least = if is_short { LEAST_COVERED_OF_FEW } else { LEAST_COVERED };
    (100 * coverage.covered[best.index()] >= least * coverage.words).then_some(best)
}

/// What makes a whole comment doubtful, whatever its words are.
fn doubts(text: &Text, hits: &[Hit], language: Option<Language>, parts: &[Part]) -> Vec<Blocker> {
    let mut doubts = Vec::new();
    let mut add = |kind, span| doubts.push(Blocker { kind, span });
    if text.is_cut {
        add(BlockerKind::TooLong, None);
    }
    match language {
        None => add(BlockerKind::UnknownLanguage, None),
        Some(language) if is_mixed(text, hits, language) => {
            add(BlockerKind::MixedLanguages, None);
        }
        Some(_) => {}
    }
    for wink in &text.winks {
        add(BlockerKind::Irony, Some(*wink));
    }
    for picture in &text.pictures {
        add(BlockerKind::Pictures, Some(*picture));
    }
    let irony = parts.iter().flat_map(|part| &part.hits).filter(|hit| hit.class == Class::Irony);
    for hit in irony {
        add(BlockerKind::Irony, Some(text.span(hit.start, hit.end)));
    }
    let words: usize = parts.iter().map(|part| part.words).sum();
    if words == 1 && parts.iter().all(|part| part.topics.is_empty() && part.unknown > 0) {
        add(BlockerKind::OneWord, None);
    }
    doubts
}

/// Whether words of another language stand where this one has none: three, and a quarter of all.
fn is_mixed(text: &Text, hits: &[Hit], language: Language) -> bool {
    let is_word = |hit: &&Hit| hit.end - hit.start > 5;
    let mine: Vec<&Hit> = hits.iter().filter(|hit| hit.language == language).collect();
    let is_mine = |hit: &Hit| mine.iter().any(|own| own.start < hit.end && hit.start < own.end);
    let total = text.folded.split(' ').filter(|word| !word.trim().is_empty()).count();
    Language::ALL.into_iter().filter(|other| *other != language).any(|other| {
        let theirs = hits.iter().filter(|hit| hit.language == other).filter(is_word);
        let mut places: Vec<usize> =
            theirs.filter(|hit| !is_mine(hit)).map(|hit| hit.start).collect();
        places.dedup();
        places.len() >= 3 && 4 * places.len() >= total
    })
}

fn told(text: &Text, part: &Part) -> Clause {
    let topics = part.topics.iter();
    Clause {
        span: text.span(part.place.0, part.place.1),
        topics: topics.map(|(topic, (start, end))| (*topic, text.span(*start, *end))).collect(),
        is_read: part.unknown == 0 || !part.topics.is_empty(),
        scores: part.scores,
    }
}

/// The features of a comment, for the model's training.
#[must_use]
pub fn training_features(comment: &str) -> Vec<usize> {
    let text = Text::new(comment);
    let hits = lexicon().hits(&text.folded);
    let Some(language) = language(&text, &hits) else { return Vec::new() };
    let own = clauses::of_language(&hits, language);
    let parts = clauses::parts(&text, language, &own);
    parts.iter().flat_map(|part| model::features(&text.folded, language, part)).collect()
}
