//! The words that the linter knows, by language and by what they tell.
//!
//! A file has sections (`[incentive]`), and in them phrases parted by commas or lines; `*` takes
//! any letters, ` ... ` takes up to five words, `#` begins a comment. They are folded as the texts
//! are, so that a file may be written as the language is. Japanese phrases may stand within words.
//!
//! Invariant: every file is read whole or the process does not start (a test reads them all).

use std::sync::LazyLock;

use regex::Regex;

use crate::advice::lexicon::Language;
use crate::advice::text::Text;

/// What a phrase tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Something is offered that is no repair of the order.
    Incentive,
    /// Something is offered that repairs the order.
    Compensation,
    /// A feedback, a review, stars.
    Feedback,
    /// To change or remove.
    Change,
    /// A better feedback.
    Better,
    /// It is possible to, you can.
    Permit,
    /// Please, would you.
    Ask,
    /// Threats, and what is to move the buyer to pity.
    Pressure,
    /// It is the buyer's fault, or somebody else's.
    Blame,
}

impl Class {
    const ALL: [Self; 9] = [
        Self::Incentive,
        Self::Compensation,
        Self::Feedback,
        Self::Change,
        Self::Better,
        Self::Permit,
        Self::Ask,
        Self::Pressure,
        Self::Blame,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Incentive => "incentive",
            Self::Compensation => "compensation",
            Self::Feedback => "feedback",
            Self::Change => "change",
            Self::Better => "better",
            Self::Permit => "permit",
            Self::Ask => "ask",
            Self::Pressure => "pressure",
            Self::Blame => "blame",
        }
    }

    fn index(self) -> usize {
        Self::ALL.iter().position(|class| *class == self).expect("ALL lists every class")
    }
}

/// The phrases of a language, an expression a class.
pub(super) struct Words([Regex; 9]);

impl Words {
    /// The words of a language.
    pub(super) fn of(language: Language) -> &'static Self {
        static ALL: LazyLock<[Words; 7]> = LazyLock::new(|| Language::ALL.map(Words::read));
        &ALL[language.index()]
    }

    /// The first phrase of a class in a folded text: its place there.
    pub(super) fn find(&self, class: Class, folded: &str) -> Option<(usize, usize)> {
        let found = self.0[class.index()].find(folded)?;
        Some((found.start(), found.end()))
    }

    fn read(language: Language) -> Self {
        let mut phrases: [Vec<String>; 9] = Default::default();
        let mut class = None;
        for line in file(language).lines().map(str::trim) {
            let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            if let Some(name) = name {
                let known = Class::ALL.into_iter().find(|class| class.as_str() == name);
                class = Some(known.expect("the files have only known sections"));
            } else if !line.is_empty() && !line.starts_with('#') {
                let class = class.expect("the files begin with a section");
                let some = line.split(',').map(str::trim).filter(|phrase| !phrase.is_empty());
                phrases[class.index()].extend(some.map(|phrase| expression(phrase, language)));
            }
        }
        Self(phrases.map(|phrases| {
            assert!(!phrases.is_empty(), "every section of {} has phrases", language.as_str());
            let any = phrases.join("|");
            let whole =
                if language == Language::Ja { any } else { format!("(?:^| )(?:{any})(?: |$)") };
            Regex::new(&whole).expect("the expressions are made of words")
        }))
    }
}

/// The expression for a phrase.
fn expression(phrase: &str, language: Language) -> String {
    let mut expression = String::new();
    for word in phrase.split_whitespace() {
        if word == "..." {
            expression.push_str("(?: +[^ ]+){0,5}");
            continue;
        }
        if !expression.is_empty() {
            expression.push_str(" +");
        }
        let core = word.trim_matches('*');
        let folded = Text::new(core).folded;
        let folded: Vec<String> = folded.split_whitespace().map(regex::escape).collect();
        let any = |is_star: bool| if is_star { "[^ ]*" } else { "" };
        let is_within = language == Language::Ja;
        expression.push_str(any(word.starts_with('*') && !is_within));
        expression.push_str(&folded.join(" +"));
        expression.push_str(any(word.ends_with('*') && !is_within));
    }
    expression
}

const fn file(language: Language) -> &'static str {
    match language {
        Language::En => include_str!("words/en.txt"),
        Language::De => include_str!("words/de.txt"),
        Language::Fr => include_str!("words/fr.txt"),
        Language::Es => include_str!("words/es.txt"),
        Language::It => include_str!("words/it.txt"),
        Language::Pt => include_str!("words/pt.txt"),
        Language::Ja => include_str!("words/ja.txt"),
    }
}
