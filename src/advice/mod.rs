//! What to do about a negative feedback: whether the marketplace's rules let it be removed.
//!
//! ```text
//! comment -> folded text -> hits of the lexicons -> clauses with topics -> signs -> five verdicts
//!                                                \-> the model's scores -^
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
//! (rule 1), `personal`, `forms` and [`profile`] (rule 2), [`model`] and [`weigh`]
//! (scores and signs), `reason`; [`noted`] (what is kept); [`deadlines`] and [`wanted`] (of all
//! defects) stand by themselves. [`worklist`] says what to do next, [`drafts`] what to write.

mod clauses;
pub mod deadlines;
pub mod drafts;
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
pub mod weigh;
pub mod worklist;

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
use model::{HEADS, Model, Scores};
use rules::Whole;
use text::Text;
use weigh::Findings;

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
    let (whole_scores, asked) = score(&text, language, &mut parts, model);
    let doubts = doubts(&text, &hits, language, &parts);
    let has_sellers_data = personal.decision != Decision::Not;
    let signs = signs(&parts, whole_scores, [obscene.decision, personal.decision]);
    let weighed = model.balance.weigh(&signs);
    let whole = Whole { text: &text, parts: &parts, weighed, doubts: &doubts, has_sellers_data };
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
    Reading {
        language,
        reason: reason::reason(whole.topics(), whole_scores),
        work: text.folded.len() + hits.len() + compared + formed + asked,
        clauses: parts.iter().map(|part| told(&text, part)).collect(),
        weighed,
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
        weighed: [i32::MIN; 3],
        work: text.folded.len(),
    }
}

/// Less of a text covered by any one language than these hundredths, and it is in none of them.
const LEAST_COVERED: usize = 40;

/// The same for texts of so few letters that a word that is not known weighs much.
const LEAST_COVERED_OF_FEW: usize = 25;
const FEW_LETTERS: usize = 48;

/// As little as this is enough where no other language covers half as much.
const LEAST_COVERED_ALONE: usize = 28;

fn language(text: &Text, hits: &[Hit]) -> Option<Language> {
    if 3 * text.foreign > text.letters {
        return None;
    }
    let coverage = Coverage::of(&text.folded, hits);
    let best = coverage.best(&text.folded)?;
    let is_short = text.letters <= FEW_LETTERS;
    let least = if is_short { LEAST_COVERED_OF_FEW } else { LEAST_COVERED };
    let covered = coverage.covered[best.index()];
    let others = Language::ALL.into_iter().filter(|other| *other != best);
    let next = others.map(|other| coverage.covered[other.index()]).max().unwrap_or(0);
    let least = if 2 * next <= covered { LEAST_COVERED_ALONE } else { least };
    (100 * covered >= least * coverage.words).then_some(best)
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

/// Whether words of another language stand where this one has none: three, or four with short ones
/// among them, and a quarter of all.
fn is_mixed(text: &Text, hits: &[Hit], language: Language) -> bool {
    let letters = |hit: &Hit| hit.end - hit.start - 2;
    let mine: Vec<&Hit> = hits.iter().filter(|hit| hit.language == language).collect();
    let is_mine = |hit: &Hit| mine.iter().any(|own| own.start < hit.end && hit.start < own.end);
    let total = text.folded.split(' ').filter(|word| !word.trim().is_empty()).count();
    Language::ALL.into_iter().filter(|other| *other != language).any(|other| {
        let theirs = hits.iter().filter(|hit| hit.language == other && hit.end - hit.start > 4);
        let mut places: Vec<(usize, bool)> =
            theirs.filter(|hit| !is_mine(hit)).map(|hit| (hit.start, letters(hit) > 3)).collect();
        places.sort_unstable();
        places.dedup_by_key(|(start, _)| *start);
        let long = places.iter().filter(|(_, is_long)| *is_long).count();
        (long >= 3 || places.len() >= 4) && 4 * places.len() >= total
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

/// Asks the model what each clause reads like, and what all of them together; and tells how many
/// weights were added for it.
fn score(
    text: &Text,
    language: Option<Language>,
    parts: &mut [Part],
    model: &Model,
) -> (Scores, usize) {
    let mut sums = [0; HEADS];
    let mut count = 0;
    for part in parts {
        let features = model::features(&text.folded, language.unwrap_or(Language::En), part);
        let own = model.sums(&features);
        part.scores = model::scores(own, features.len());
        for (sum, own) in sums.iter_mut().zip(own) {
            *sum += own;
        }
        count += features.len();
    }
    (model::scores(sums, count), count)
}

/// The signs of a comment, see [`weigh`].
fn signs(parts: &[Part], whole: Scores, rules: [Decision; 2]) -> Vec<usize> {
    let is_long = |part: &&Part| part.words > 1;
    let clauses: Vec<Scores> = parts.iter().filter(is_long).map(|part| part.scores).collect();
    let has_unread = parts.iter().any(|part| part.topics.is_empty() && part.unknown > 1);
    let flags = [
        rules[0] != Decision::Not,
        rules[1] != Decision::Not,
        clauses.len() <= 1,
        clauses.len() == 2,
        clauses.len() > 4,
        has_unread,
        parts.iter().any(|part| part.has(Class::Parcel)),
    ];
    let topics = parts.iter().fold(topic::Topics::default(), |all, part| all.union(part.set));
    weigh::signs(Findings { topics, flags, whole, clauses: &clauses })
}

/// A comment as training sees it.
#[derive(Clone, Debug, Default)]
pub struct Lesson {
    /// The features of each clause.
    pub features: Vec<Vec<u32>>,
    /// The signs that are there.
    pub signs: Vec<usize>,
    /// Whether rules 3 to 5 leave it to the signs.
    pub may_be_eligible: [bool; 3],
}

/// A comment as training sees it, with the scores of a model.
#[must_use]
pub fn lesson(comment: &str, profile: &Profile, model: &Model) -> Lesson {
    let text = Text::new(comment);
    let hits = lexicon().hits(&text.folded);
    let Some(language) = language(&text, &hits) else { return Lesson::default() };
    let own = clauses::of_language(&hits, language);
    let mut parts = clauses::parts(&text, language, &own);
    let of_part = |part| model::features(&text.folded, language, part);
    let features = parts.iter().map(of_part).collect();
    let (obscene, _) = obscene::judge(comment, &text, &hits, Some(language), lexicon());
    let (personal, _) = personal::judge(comment, &text, &own, profile);
    let (whole, _) = score(&text, Some(language), &mut parts, model);
    let signs = signs(&parts, whole, [obscene.decision, personal.decision]);
    let doubts = doubts(&text, &hits, Some(language), &parts);
    let has_sellers_data = personal.decision != Decision::Not;
    let whole =
        Whole { text: &text, parts: &parts, weighed: [0; 3], doubts: &doubts, has_sellers_data };
    Lesson { features, signs, may_be_eligible: whole.may_be_eligible() }
}
