//! The words: data files per language, compiled in, found in one pass over a folded text.
//!
//! A file has sections (`[late]`), and in them words and phrases parted by commas or lines; `*`
//! at the end takes any ending, `#` begins a comment. They are folded as comments are, so that a
//! file may be written as the language is. Of the hits in a language, one that lies within a
//! longer one is dropped: `[stop] no complaints` is how `complaints` is excused.
//!
//! Invariants: every file is read whole or the process does not start (a test reads them all);
//! hits come in the order of their places. Absent on purpose: what hits mean together, see
//! `clauses`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::script;
use super::text::Text;

/// A language that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// English.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Italian.
    It,
    /// Portuguese.
    Pt,
    /// Japanese.
    Ja,
}

impl Language {
    /// All languages, in the order in which equal matches are decided.
    pub const ALL: [Self; 7] =
        [Self::En, Self::De, Self::Fr, Self::Es, Self::It, Self::Pt, Self::Ja];

    /// The language's code (ISO 639-1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::It => "it",
            Self::Pt => "pt",
            Self::Ja => "ja",
        }
    }

    /// The language's place in [`Language::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::En => 0,
            Self::De => 1,
            Self::Fr => 2,
            Self::Es => 3,
            Self::It => 4,
            Self::Pt => 5,
            Self::Ja => 6,
        }
    }

    const fn file(self) -> &'static str {
        match self {
            Self::En => include_str!("lexicons/en.txt"),
            Self::De => include_str!("lexicons/de.txt"),
            Self::Fr => include_str!("lexicons/fr.txt"),
            Self::Es => include_str!("lexicons/es.txt"),
            Self::It => include_str!("lexicons/it.txt"),
            Self::Pt => include_str!("lexicons/pt.txt"),
            Self::Ja => include_str!("lexicons/ja.txt"),
        }
    }
}

/// What a word is for. The names of the sections are in [`Class::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Class {
    /// Says nothing on any topic; also what excuses a part of itself.
    Stop,
    /// Begins another clause: but, and.
    Break,
    /// Not, never, without.
    Neg,
    /// Days, weeks, months, names of days.
    Time,
    /// After, later.
    After,
    /// Take, wait.
    Take,
    /// Arrive, receive, come.
    Receive,
    /// Parcel, box, letter.
    Parcel,
    /// Shipping, delivery, tracking.
    Delivery,
    /// Late, delayed.
    Late,
    /// Slow: of delivery, of answers, or of a product.
    Slow,
    /// Never arrived, lost, marked as delivered.
    NotReceived,
    /// A carrier, a driver.
    Courier,
    /// What carriers should not do: throw, leave in the rain.
    Conduct,
    /// How it was packed.
    Packing,
    /// Damaged on arrival.
    Damage,
    /// Broken, scratched: when, is to be seen.
    Broken,
    /// In transit.
    Transit,
    /// Customer service, rude, ignored.
    Service,
    /// To write, call, answer: what the seller or buyer did about it.
    Contact,
    /// The seller.
    Seller,
    /// The marketplace.
    Marketplace,
    /// A return or refund that went wrong, the return policy.
    Return,
    /// Refund, replacement: asked for or refused, is to be seen.
    Refund,
    /// Sent it back.
    BareReturn,
    /// Not as described, pictured, counterfeit, used.
    Description,
    /// Wrong item, size, colour.
    Wrong,
    /// Missing, incomplete.
    Missing,
    /// Judges a product by what it is.
    Product,
    /// Fails in use.
    Fail,
    /// Names a product or a part of one.
    Noun,
    /// Dear, cheap.
    Price,
    /// Praise.
    Good,
    /// Blame.
    Bad,
    /// Calls the seller names, mildly: thief, liar, idiots, a scam.
    Accuse,
    /// Shipping costs, customs.
    Cost,
    /// Avoid, do not buy here.
    Avoid,
    /// Irony.
    Irony,
    /// Obscene from middle strength up, in any comment.
    Obscene,
    /// The same, but in comments in this language only: elsewhere it is an innocent word.
    ObsceneHere,
    /// Too mild to be obscene.
    Mild,
    /// May be obscene: abbreviations, and words that are so in some mouths only.
    Doubtful,
    /// My, mine, me: the buyer.
    Mine,
    /// Maker, brand, author.
    Maker,
    /// Owner, manager: who a seller is.
    Owner,
    /// They, he: whoever sells, where nobody else is named.
    They,
}

impl Class {
    /// All classes with the names of their sections.
    pub(super) const ALL: [(&'static str, Self); 46] = [
        ("stop", Self::Stop),
        ("break", Self::Break),
        ("neg", Self::Neg),
        ("time", Self::Time),
        ("after", Self::After),
        ("take", Self::Take),
        ("receive", Self::Receive),
        ("parcel", Self::Parcel),
        ("delivery", Self::Delivery),
        ("late", Self::Late),
        ("slow", Self::Slow),
        ("not_received", Self::NotReceived),
        ("courier", Self::Courier),
        ("conduct", Self::Conduct),
        ("packing", Self::Packing),
        ("damage", Self::Damage),
        ("broken", Self::Broken),
        ("transit", Self::Transit),
        ("service", Self::Service),
        ("contact", Self::Contact),
        ("seller", Self::Seller),
        ("marketplace", Self::Marketplace),
        ("return", Self::Return),
        ("refund", Self::Refund),
        ("bare_return", Self::BareReturn),
        ("description", Self::Description),
        ("wrong", Self::Wrong),
        ("missing", Self::Missing),
        ("product", Self::Product),
        ("fail", Self::Fail),
        ("noun", Self::Noun),
        ("price", Self::Price),
        ("good", Self::Good),
        ("bad", Self::Bad),
        ("accuse", Self::Accuse),
        ("cost", Self::Cost),
        ("avoid", Self::Avoid),
        ("irony", Self::Irony),
        ("obscene", Self::Obscene),
        ("obscene_here", Self::ObsceneHere),
        ("mild", Self::Mild),
        ("doubtful", Self::Doubtful),
        ("mine", Self::Mine),
        ("maker", Self::Maker),
        ("owner", Self::Owner),
        ("they", Self::They),
    ];

    /// The class's place in [`Class::ALL`].
    pub(super) fn index(self) -> usize {
        Self::ALL.iter().position(|(_, class)| *class == self).expect("ALL lists every class")
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
    }

    /// Whether disguised forms of the words are looked for.
    pub(super) const fn is_rough(self) -> bool {
        matches!(self, Self::Obscene | Self::ObsceneHere | Self::Mild)
    }
}

/// A word or phrase of a lexicon in a folded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Its first byte, the space before it included.
    pub start: usize,
    /// The byte after its last, the space after it included.
    pub end: usize,
    pub language: Language,
    pub class: Class,
}

/// One word of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Folded, without spaces around it.
    pub word: String,
    /// Whether any ending may follow.
    pub is_stem: bool,
    pub language: Language,
    pub class: Class,
}

/// All lexicons.
#[derive(Debug)]
pub(super) struct Lexicon {
    automaton: AhoCorasick,
    /// By pattern: whether it is a stem, and what it stands for.
    meanings: Vec<(bool, Vec<(Language, Class)>)>,
    /// Words of [`Class::is_rough`] by their first letters, for the search of disguised ones.
    pub rough: BTreeMap<char, Vec<Stem>>,
}

/// Shorter stems are too easily met by chance to be looked for in disguise.
pub(super) const MIN_STEM: usize = 4;

/// A rough word as disguised ones are compared with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stem {
    pub letters: Vec<char>,
    /// The same, no letter twice in a row.
    pub once: Vec<char>,
    /// Whether any ending may follow.
    pub is_open: bool,
    pub language: Language,
    pub class: Class,
}

fn rough(entries: &[Entry]) -> BTreeMap<char, Vec<Stem>> {
    let mut rough: BTreeMap<char, Vec<Stem>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.class.is_rough()) {
        let letters: Vec<char> = entry.word.chars().collect();
        if letters.len() < MIN_STEM || letters.contains(&' ') {
            continue;
        }
        let mut once = letters.clone();
        once.dedup();
        let (language, class) = (entry.language, entry.class);
        let stem = Stem { once, is_open: entry.is_stem, language, class, letters };
        rough.entry(stem.letters[0]).or_default().push(stem);
    }
    rough
}

/// The lexicons that are compiled in.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
        let entries = Language::ALL.into_iter().flat_map(|language| {
            read(language, language.file()).expect("the lexicons are right; a test reads them")
        });
        Lexicon::new(&entries.collect::<Vec<_>>())
    });
    &LEXICON
}

/// Reads a file.
fn read(language: Language, file: &str) -> Result<Vec<Entry>, String> {
    let mut class = None;
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(file.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        let tell = |what: String| format!("{}.txt:{number}: {what}", language.as_str());
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            class = Some(Class::of_name(name).ok_or_else(|| tell(format!("no class {name}")))?);
            continue;
        }
        for written in line.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let class = class.ok_or_else(|| tell(format!("{written} is in no section")))?;
            let stem = written.strip_suffix('*');
            let folded = Text::new(stem.unwrap_or(written)).folded;
            let word = folded.trim().to_owned();
            if word.is_empty() || word.contains('\n') {
                return Err(tell(format!("{written} is no word")));
            }
            entries.push(Entry { word, is_stem: stem.is_some(), language, class });
        }
    }
    Ok(entries)
}

impl Lexicon {
    fn new(entries: &[Entry]) -> Self {
        let mut patterns: BTreeMap<(String, bool), Vec<(Language, Class)>> = BTreeMap::new();
        for entry in entries {
            // Japanese has no spaces between words.
            let pattern = match (entry.language, entry.is_stem) {
                (Language::Ja, _) => entry.word.clone(),
                (_, true) => format!(" {}", entry.word),
                (_, false) => format!(" {} ", entry.word),
            };
            let meanings = patterns.entry((pattern, entry.is_stem)).or_default();
            if !meanings.contains(&(entry.language, entry.class)) {
                meanings.push((entry.language, entry.class));
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns.keys().map(|(pattern, _)| pattern))
            .expect("a few thousand short patterns fit");
        let meanings = patterns.into_iter().map(|((_, is_stem), of)| (is_stem, of)).collect();
        Self { automaton, meanings, rough: rough(entries) }
    }

    /// All hits of all languages, by their ends.
    pub(super) fn hits(&self, folded: &str) -> Vec<Hit> {
        let mut hits = Vec::with_capacity(folded.len());
        for found in self.automaton.find_overlapping_iter(folded) {
            let (is_stem, meanings) = &self.meanings[found.pattern().as_usize()];
            let is_japanese = meanings[0].0 == Language::Ja;
            let mut end = found.end();
            if *is_stem && !is_japanese {
                let rest = &folded.as_bytes()[end..];
                let more = rest.iter().take(MAX_ENDING + 1).position(|byte| *byte == b' ');
                let Some(more) = more else { continue };
                end += more + 1;
            }
            hits.extend(meanings.iter().map(|(language, class)| Hit {
                start: found.start(),
                end,
                language: *language,
                class: *class,
            }));
        }
        hits
    }
}

/// The longest ending, in bytes, that a stem may have.
const MAX_ENDING: usize = 24;

/// How well a text is covered by the words of each language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Coverage {
    /// Bytes covered, by [`Language::index`].
    pub covered: [usize; 7],
    /// Bytes of words.
    pub words: usize,
}

impl Coverage {
    /// Counts how much of a text the hits cover.
    pub(super) fn of(folded: &str, hits: &[Hit]) -> Self {
        let mut coverage = Self::default();
        let mut until = [0; 7];
        for hit in hits {
            let at = hit.language.index();
            let from = hit.start.max(until[at]);
            if hit.end > from {
                let bytes = &folded.as_bytes()[from..hit.end];
                coverage.covered[at] += bytes.iter().filter(|byte| **byte > b' ').count();
                until[at] = hit.end;
            }
        }
        coverage.words = folded.bytes().filter(|byte| *byte > b' ').count();
        coverage
    }

    /// The language that covers most, and how much the others add is not asked here.
    pub(super) fn best(&self, folded: &str) -> Option<Language> {
        if folded.chars().any(script::is_kana) {
            return Some(Language::Ja);
        }
        let mut best = Language::En;
        for language in Language::ALL {
            if self.covered[language.index()] > self.covered[best.index()] {
                best = language;
            }
        }
        (self.covered[best.index()] > 0).then_some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lexicons_are_read() {
        for language in Language::ALL {
            let entries = read(language, language.file()).unwrap();
            assert!(entries.len() > 400, "{}: {}", language.as_str(), entries.len());
            for (name, class) in Class::ALL {
                let has = entries.iter().any(|entry| entry.class == class);
                assert!(has, "{}: nothing in [{name}]", language.as_str());
            }
        }
    }

    #[test]
    fn a_mistake_in_a_file_is_told_with_its_line() {
        assert_eq!(read(Language::En, "[late]\n[lat]").unwrap_err(), "en.txt:2: no class lat");
        assert_eq!(read(Language::De, "x").unwrap_err(), "de.txt:1: x is in no section");
        assert_eq!(read(Language::De, "[late]\n*").unwrap_err(), "de.txt:2: * is no word");
    }

    #[test]
    fn stems_take_endings_and_words_do_not() {
        let found = |text: &str| {
            let entry = |word: &str, is_stem| Entry {
                word: word.to_owned(),
                is_stem,
                language: Language::En,
                class: Class::Late,
            };
            let lexicon = Lexicon::new(&[entry("delay", true), entry("late", false)]);
            let hits = lexicon.hits(text);
            hits.iter().map(|hit| text[hit.start..hit.end].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found(" late delayed later undelayed "), [" late ", " delayed "]);
        assert_eq!(found(&format!(" delay{} ", "x".repeat(100))), [""; 0]);
    }
}
