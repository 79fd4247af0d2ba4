//! Mistakes in a configuration: where each was made, what is wrong and what is allowed.
//!
//! Invariants: no text here ever holds the value of a Kafka property or the content of a secret
//! file; all mistakes are listed, in the order of their origins.

use std::fmt::{self, Write};

/// Where a value was stated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// In a file, at a line and column (from 1; 0 where unknown).
    File {
        /// The path as it was given.
        path: String,
        /// The line.
        line: u64,
        /// The column, in characters.
        column: u64,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// By `--policy`.
    PolicyArgument,
    /// By the `--set` of this number (from 1) and key.
    Set {
        /// Which `--set` of the command line, from 1.
        number: usize,
        /// The key as it was written.
        key: String,
    },
    /// Nowhere: the default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0, .. } => write!(formatter, "{path}"),
            Self::File { path, line, column } => write!(formatter, "{path}:{line}:{column}"),
            Self::Variable(name) => write!(formatter, "environment variable {name}"),
            Self::PolicyArgument => formatter.write_str("--policy"),
            Self::Set { key, .. } => write!(formatter, "--set {key}"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was made.
    pub origin: Origin,
    /// The path of the key, such as `engine.workers`; empty where no key is concerned.
    pub key: String,
    /// What is wrong, as the rest of a sentence that begins with the key.
    pub problem: String,
    /// What is allowed, where that helps.
    pub allowed: Option<String>,
    /// What was probably meant, where there is a guess.
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake without further help.
    #[must_use]
    pub fn new(origin: Origin, key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { origin, key: key.into(), problem: problem.into(), allowed: None, hint: None }
    }

    /// The same mistake with what is allowed.
    #[must_use]
    pub fn allowing(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }

    /// The same mistake with a hint, if there is one.
    #[must_use]
    pub fn hinting(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", OneLine(&self.origin.to_string()))?;
        if !self.key.is_empty() {
            write!(formatter, "{} ", OneLine(&self.key))?;
        }
        write!(formatter, "{}", OneLine(&self.problem))?;
        if let Some(allowed) = &self.allowed {
            write!(formatter, "\n    allowed: {allowed}")?;
        }
        if let Some(hint) = &self.hint {
            write!(formatter, "\n    hint: {hint}")?;
        }
        Ok(())
    }
}

/// A text that somebody may have written otherwise than it looks: its control characters are
/// escaped, so that no key can forge a line of the list or drive a terminal.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control() {
                write!(formatter, "{}", letter.escape_default())?;
            } else {
                formatter.write_char(letter)?;
            }
        }
        Ok(())
    }
}

/// All mistakes of a configuration; never empty. Its `Display` is what `odrwatch validate` prints:
/// a count, then each mistake, without a line end at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    /// Sorts mistakes by origin; the result of a check that found some.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub(super) fn none_of(mut mistakes: Vec<Mistake>) -> Result<(), Self> {
        if mistakes.is_empty() {
            return Ok(());
        }
        mistakes.sort_by(|left, right| (&left.origin, &left.key).cmp(&(&right.origin, &right.key)));
        Err(Self { mistakes })
    }

    /// The mistakes, in the order of their origins.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => formatter.write_str("1 mistake in the configuration:")?,
            count => write!(formatter, "{count} mistakes in the configuration:")?,
        }
        for mistake in &self.mistakes {
            write!(formatter, "\n{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The candidate most like a word, if one is alike enough to be what was meant.
pub(super) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Two thirds of the letters in place: `worker` finds `workers`, `port` does not find `format`.
    const ALIKE: f64 = 0.66;
    candidates
        .into_iter()
        .map(|candidate| {
            let alike = strsim::normalized_damerau_levenshtein(word, candidate);
            (alike, candidate)
        })
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_found_and_far_ones_are_not() {
        let words = ["workers", "boundary_ms", "format"];
        assert_eq!(closest("worker", words), Some("workers"));
        assert_eq!(closest("boundry_ms", words), Some("boundary_ms"));
        assert_eq!(closest("port", words), None);
    }

    #[test]
    fn a_key_forges_no_line_and_drives_no_terminal() {
        let set = Origin::Set { number: 1, key: "a\nb".to_owned() };
        let mistake = Mistake::new(set, "a\nb\u{1b}[2J", "is no known key");
        assert_eq!(mistake.to_string(), "--set a\\nb: a\\nb\\u{1b}[2J is no known key");
    }

    #[test]
    fn mistakes_are_listed_by_origin_files_first() {
        let file = |line| Origin::File { path: "a.yaml".to_owned(), line, column: 3 };
        let set = Origin::Set { number: 1, key: "x".to_owned() };
        let errors = ConfigErrors::none_of(vec![
            Mistake::new(set, "x", "is unknown"),
            Mistake::new(file(10), "b", "is wrong").allowing("right"),
            Mistake::new(file(9), "a", "is wrong").hinting(Some("guess".to_owned())),
        ])
        .unwrap_err();
        assert_eq!(
            errors.to_string(),
            "3 mistakes in the configuration:\n\
             a.yaml:9:3: a is wrong\n    hint: guess\n\
             a.yaml:10:3: b is wrong\n    allowed: right\n\
             --set x: x is unknown"
        );
        assert!(ConfigErrors::none_of(Vec::new()).is_ok());
    }
}
