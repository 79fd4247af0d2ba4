//! Rule 1: obscene words, written out or disguised.
//!
//! Strength follows the tiers that broadcasters use (Ofcom, *Attitudes to potentially offensive
//! language*): from "medium" up a word is obscene, below it is mild. Written out, words are hits
//! of the lexicons. Disguised are: signs for letters (`sh1t`), letters repeated (`fuuuck`) or set
//! apart (`f.u.c.k`, `f u c k`), and letters masked (`f**k`). A masked word counts if at least
//! [`LETTERS_SHOWN`] letters of its stem still show; one that shows fewer leaves the rule open.
//!
//! Invariants: only words that look disguised are compared with the stems, each of at most
//! [`MAX_WORD`] signs, so that work is linear in the comment. Absent on purpose: any guess at
//! signs without a letter (`$%#@!`).

use unicode_normalization::char::decompose_compatible;

use super::lexicon::{Class, Hit, Language, Lexicon, MIN_STEM, Stem};
use super::script;
use super::text::{Text, read_part};
use super::verdict::{Blocker, BlockerKind, Decision, Evidence, Finding, Span, Verdict};

/// So many letters of a masked stem must show.
const LETTERS_SHOWN: usize = 2;

/// Longer runs of signs are no word.
const MAX_WORD: usize = 32;

/// More words of a comment that look disguised are not looked at.
const MAX_DISGUISED: usize = 64;

/// A sign of a word that may be disguised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// A letter, as itself.
    Letter(char),
    /// A sign that is written for a letter.
    For(char),
    /// A sign that hides a letter.
    Mask,
    /// A sign that may part letters.
    Gap,
}

/// A run of signs without a space.
#[derive(Clone, Debug, Default)]
struct Word {
    span: Option<Span>,
    signs: Vec<Sign>,
    /// Where each sign ends.
    ends: Vec<usize>,
    is_cut: bool,
}

/// The verdict on rule 1, and how many comparisons it took.
pub(super) fn judge(
    comment: &str,
    text: &Text,
    hits: &[Hit],
    language: Option<Language>,
    lexicon: &Lexicon,
) -> (Verdict, usize) {
    let mut verdict = Verdict::not(BlockerKind::NothingSaid);
    verdict.blockers.clear();
    for hit in hits.iter().filter(|hit| hit.class.is_rough() || hit.class == Class::Doubtful) {
        if is_excused(hit, hits) {
            continue;
        }
        let span = text.span(hit.start, hit.end);
        match hit.class {
            Class::ObsceneHere if language != Some(hit.language) => {}
            Class::Doubtful if !is_read_here(hit.language, language) => {}
            Class::Obscene | Class::ObsceneHere => {
                verdict.evidence.push(Evidence { span, finding: Finding::ObsceneWord });
            }
            Class::Doubtful => note(&mut verdict, span, BlockerKind::MaskedWord),
            _ => note(&mut verdict, span, BlockerKind::MildWord),
        }
    }
    let mut work = 0;
    let words = words(read_part(comment));
    let looks_so = |word: &&Word| !word.is_cut && looks_disguised(&word.signs);
    for word in words.iter().filter(looks_so).take(MAX_DISGUISED) {
        work += disguised(word, lexicon, language, &mut verdict);
    }
    work += spaced(&words, lexicon, language, &mut verdict);
    settle(&mut verdict);
    (verdict, work)
}

/// Doubtful words are so in their own language; English ones are known everywhere.
fn is_read_here(of: Language, language: Option<Language>) -> bool {
    of == Language::En || language == Some(of)
}

fn note(verdict: &mut Verdict, span: Span, kind: BlockerKind) {
    verdict.blockers.push(Blocker { kind, span: Some(span) });
}

fn settle(verdict: &mut Verdict) {
    let masked = verdict.blockers.iter().any(|blocker| blocker.kind == BlockerKind::MaskedWord);
    verdict.decision = if !verdict.evidence.is_empty() {
        Decision::Eligible
    } else if masked {
        Decision::Uncertain
    } else {
        Decision::Not
    };
    if verdict.evidence.is_empty() && verdict.blockers.is_empty() {
        verdict.blockers.push(Blocker { kind: BlockerKind::NothingSaid, span: None });
    }
}

/// Whether a word is part of a longer, innocent one: a title, a name, a plant.
fn is_excused(hit: &Hit, hits: &[Hit]) -> bool {
    hits.iter().any(|other| {
        other.start <= hit.start
            && other.end >= hit.end
            && other.end - other.start > hit.end - hit.start
            && !other.class.is_rough()
    })
}

/// The words of a comment with their signs.
fn words(comment: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word = Word::default();
    for (start, character) in comment.char_indices() {
        if script::is_invisible(character) {
            continue;
        }
        let end = start + character.len_utf8();
        let sign = if character.is_whitespace() { None } else { sign(character) };
        let Some(sign) = sign else {
            if !word.signs.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        };
        if word.signs.len() == MAX_WORD {
            word.is_cut = true;
            continue;
        }
        word.signs.push(sign);
        word.ends.push(end);
        word.span = Some(Span { start: word.span.map_or(start, |span| span.start), end });
    }
    if !word.signs.is_empty() {
        words.push(word);
    }
    for word in &mut words {
        trim(word);
    }
    words.retain(|word| !word.signs.is_empty());
    words
}

/// What stands at the end of a sentence is no part of its last word.
fn trim(word: &mut Word) {
    let Some(span) = &mut word.span else { return };
    while ends_sentence(&word.signs) {
        word.signs.pop();
        word.ends.pop();
        span.end = word.ends.last().copied().unwrap_or(span.start);
    }
}

/// Whether the last sign is a full stop or an exclamation mark; several gaps may be masks.
fn ends_sentence(signs: &[Sign]) -> bool {
    match signs {
        [.., Sign::Gap, Sign::Gap] => false,
        [.., Sign::Gap | Sign::For('i')] => true,
        _ => false,
    }
}

/// What a character may stand for; `None` for what parts words.
fn sign(character: char) -> Option<Sign> {
    Some(match character {
        'a'..='z' => Sign::Letter(character),
        'A'..='Z' => Sign::Letter(character.to_ascii_lowercase()),
        '@' | '4' => Sign::For('a'),
        '$' | '5' => Sign::For('s'),
        '0' => Sign::For('o'),
        '1' | '!' | '|' => Sign::For('i'),
        '3' | '\u{20AC}' => Sign::For('e'),
        '7' | '+' => Sign::For('t'),
        '*' | '#' | '%' | '\u{2022}' | '\u{25CF}' | '\u{25A0}' | '\u{2588}' | '\u{D7}' => {
            Sign::Mask
        }
        '.' | '-' | '_' | '/' | '\u{B7}' | '~' => Sign::Gap,
        _ if character.is_ascii() => return None,
        _ => Sign::Letter(fold(character)?),
    })
}

/// The letter without its accent, or the Latin letter that it looks like.
fn fold(character: char) -> Option<char> {
    let mut base = None;
    decompose_compatible(character, |part| base = base.or(Some(part)));
    let lower = base?.to_lowercase().next()?;
    let lower = script::look_alike(lower).unwrap_or(lower);
    lower.is_alphabetic().then_some(lower)
}

/// Looks at a word that may be disguised; how many stems it was compared with.
fn disguised(
    word: &Word,
    lexicon: &Lexicon,
    language: Option<Language>,
    verdict: &mut Verdict,
) -> usize {
    let Some(span) = word.span else { return 0 };
    let signs = apart(&word.signs).unwrap_or_else(|| masks(&word.signs));
    let has_mask = signs.contains(&Sign::Mask);
    let mut best = None;
    let mut work = 0;
    for entry in sought(&signs, lexicon, language) {
        work += 1;
        let spelled = if has_mask { None } else { plain(&signs, entry) };
        let shown = spelled.or_else(|| masked(&signs, entry));
        if let Some(shown) = shown {
            best = best.max(Some((shown >= LETTERS_SHOWN, entry.class != Class::Mild)));
        }
    }
    match best {
        Some((true, true)) => {
            verdict.evidence.push(Evidence { span, finding: Finding::DisguisedWord });
        }
        Some((true, false)) => note(verdict, span, BlockerKind::MildWord),
        _ if has_mask && hides_word(&signs) => note(verdict, span, BlockerKind::MaskedWord),
        _ => {}
    }
    work
}

/// The stems that signs may stand for: their first letters tell.
fn sought<'a>(
    signs: &[Sign],
    lexicon: &'a Lexicon,
    language: Option<Language>,
) -> impl Iterator<Item = &'a Stem> {
    let first = match signs.first() {
        Some(Sign::Letter(letter) | Sign::For(letter)) => Some(*letter),
        _ => None,
    };
    let stems = first.and_then(|first| lexicon.rough.get(&first)).map_or(&[][..], Vec::as_slice);
    stems
        .iter()
        .filter(move |stem| stem.class != Class::ObsceneHere || language == Some(stem.language))
}

/// Signs among letters, letters three times in a row, or letters that are set apart.
fn looks_disguised(signs: &[Sign]) -> bool {
    let letters = signs.iter().filter(|sign| matches!(sign, Sign::Letter(_))).count();
    let others = signs.len() - letters;
    let thrice = |three: &[Sign]| {
        matches!(three[0], Sign::Letter(_)) && three[0] == three[1] && three[1] == three[2]
    };
    letters > 0 && (others > 0 || signs.windows(3).any(thrice))
}

/// The letters of `f.u.c.k`.
fn apart(signs: &[Sign]) -> Option<Vec<Sign>> {
    let mut found = Vec::new();
    for (place, sign) in signs.iter().enumerate() {
        match (place % 2, sign) {
            (0, Sign::Letter(_) | Sign::For(_)) => found.push(*sign),
            (1, Sign::Gap) => {}
            _ => return None,
        }
    }
    (found.len() >= MIN_STEM).then_some(found)
}

/// Two gaps or more in a row hide letters; one alone parts words.
fn masks(signs: &[Sign]) -> Vec<Sign> {
    let mut masked = signs.to_vec();
    for place in 0..signs.len() {
        let is_gap = |at: Option<usize>| at.and_then(|at| signs.get(at)) == Some(&Sign::Gap);
        if signs[place] == Sign::Gap && (is_gap(place.checked_sub(1)) || is_gap(Some(place + 1))) {
            masked[place] = Sign::Mask;
        }
    }
    masked
}

/// A letter, and then at least two masks.
fn hides_word(signs: &[Sign]) -> bool {
    let first = signs.iter().position(|sign| matches!(sign, Sign::Letter(_)));
    first.is_some_and(|at| {
        let after = signs.iter().skip(at + 1).take_while(|sign| matches!(sign, Sign::Letter(_)));
        let masks = signs.iter().skip(at + 1 + after.count());
        masks.take_while(|sign| **sign == Sign::Mask).count() >= 2
    })
}

/// How many letters of the stem the signs show, if they spell it with signs for letters and
/// letters repeated.
fn plain(signs: &[Sign], entry: &Stem) -> Option<usize> {
    if signs.contains(&Sign::Gap) {
        return None;
    }
    let spelled = |sign: &Sign| match sign {
        Sign::Letter(letter) | Sign::For(letter) => Some(*letter),
        Sign::Mask | Sign::Gap => None,
    };
    let letters: Vec<char> = expand(signs.iter().filter_map(spelled));
    let fits = |letters: &[char], stem: &[char]| {
        letters.starts_with(stem) && (entry.is_open || letters.len() == stem.len())
    };
    let mut once = letters.clone();
    once.dedup();
    let is_spelled = fits(&letters, &entry.letters) || fits(&once, &entry.once);
    let shown = signs.iter().filter(|sign| matches!(sign, Sign::Letter(_)));
    is_spelled.then(|| shown.take(entry.letters.len()).count())
}

/// How many letters of the stem show, if the masks hide the others.
fn masked(signs: &[Sign], entry: &Stem) -> Option<usize> {
    let stem = &entry.letters;
    let mut written = Vec::new();
    for sign in signs {
        match sign {
            Sign::Letter('\u{DF}') => written.extend([Sign::Letter('s'), Sign::Letter('s')]),
            other => written.push(*other),
        }
    }
    let rest = written.get(stem.len()..)?;
    let is_ending = rest.iter().all(|sign| matches!(sign, Sign::Letter(_)));
    if !is_ending || (!rest.is_empty() && !entry.is_open) {
        return None;
    }
    let mut shown = 0;
    for (sign, letter) in written.iter().zip(stem) {
        match sign {
            Sign::Letter(written) if written == letter => shown += 1,
            // A sign may also stand for a letter that it does not look like.
            Sign::For(_) | Sign::Mask => {}
            _ => return None,
        }
    }
    Some(shown)
}

/// As lexicons write it.
fn expand(letters: impl Iterator<Item = char>) -> Vec<char> {
    let mut found = Vec::new();
    for letter in letters {
        match letter {
            '\u{DF}' => found.extend(['s', 's']),
            other => found.push(other),
        }
    }
    found
}

/// Looks at single letters that follow each other.
fn spaced(
    words: &[Word],
    lexicon: &Lexicon,
    language: Option<Language>,
    verdict: &mut Verdict,
) -> usize {
    let mut work = 0;
    let mut at = 0;
    while at < words.len() {
        let run: Vec<&Word> = words[at..].iter().take_while(|word| word.signs.len() == 1).collect();
        let run = &run[..run.len().min(MAX_WORD)];
        if run.len() < MIN_STEM {
            at += run.len().max(1);
            continue;
        }
        let signs: Vec<Sign> = run.iter().flat_map(|word| word.signs.iter().copied()).collect();
        let span = run[0].span.zip(run[run.len() - 1].span);
        for start in 0..signs.len() {
            for entry in sought(&signs[start..], lexicon, language) {
                work += 1;
                let length = entry.letters.len();
                let part = signs.get(start..start + length);
                let is_word = part.is_some_and(|part| plain(part, entry) == Some(length));
                if is_word && entry.class != Class::Mild {
                    let span = span.map(|(first, last)| Span { end: last.end, ..first });
                    let span = span.expect("words have places");
                    verdict.evidence.push(Evidence { span, finding: Finding::DisguisedWord });
                }
            }
        }
        at += run.len();
    }
    work
}
