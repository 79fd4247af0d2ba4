//! The file of a template: sections of text with named placeholders.
//!
//! ```text
//! # A comment.
//! [opening]
//! We are writing about your order {order_id}.
//! ```
//!
//! Invariant: what is parsed has only placeholders that its kind may have. Absent on purpose: what
//! the text says (`lint`).

use super::{Field, Kind, Section};

/// The longest section, in characters: as long as a message of the marketplace may be.
pub const MAX_SECTION_CHARACTERS: usize = 4_000;

/// A mistake in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: String,
    /// What is allowed, where that helps.
    pub allowed: Option<String>,
}

/// A section's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The line of its heading.
    pub line: usize,
    pub lines: Vec<Line>,
}

/// A line of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number in the file, from 1.
    pub number: usize,
    pub pieces: Vec<Piece>,
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(Box<str>),
    Field(Field),
}

impl Part {
    /// Its lines as they are written, with their numbers.
    pub(super) fn written(&self) -> impl Iterator<Item = (usize, String)> {
        self.lines.iter().map(|line| {
            let pieces = line.pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.to_string(),
                Piece::Field(field) => format!("{{{}}}", field.as_str()),
            });
            (line.number, pieces.collect())
        })
    }
}

/// The sections of a file.
///
/// # Errors
/// All mistakes.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Vec<(Section, Part)>, Vec<Mistake>> {
    let mut reader = Reader { kind, found: Vec::new(), mistakes: Vec::new() };
    for (number, line) in (1..).zip(text.trim_start_matches('\u{FEFF}').lines()) {
        reader.line(number, line.trim_end());
    }
    for (section, part) in &mut reader.found {
        let end = part.lines.iter().rposition(|line| !line.pieces.is_empty());
        part.lines.truncate(end.map_or(0, |end| end + 1));
        let start = part.lines.iter().position(|line| !line.pieces.is_empty()).unwrap_or(0);
        part.lines.drain(..start);
        let characters: usize =
            part.written().map(|(_, written)| written.chars().count() + 1).sum();
        let mut wrong = |problem: String| {
            let (line, column) = (part.line, 1);
            reader.mistakes.push(Mistake { line, column, problem, allowed: None });
        };
        if characters > MAX_SECTION_CHARACTERS {
            wrong(format!("has {characters} characters; {MAX_SECTION_CHARACTERS} are the most"));
        } else if characters == 0 && matches!(section, Section::Of(_)) {
            wrong("has no text; leave the section out to keep the built-in one".to_owned());
        }
    }
    reader.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
    if reader.mistakes.is_empty() { Ok(reader.found) } else { Err(reader.mistakes) }
}

struct Reader {
    kind: Kind,
    found: Vec<(Section, Part)>,
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) {
        if line.starts_with('#') {
            return;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            self.section(number, name.trim());
            return;
        }
        let pieces = self.pieces(number, line);
        match self.found.last_mut() {
            Some((_, part)) => part.lines.push(Line { number, pieces }),
            None if line.is_empty() => {}
            None => {
                let allowed = Some(names(self.kind));
                let problem = "stands before the first section".to_owned();
                self.mistakes.push(Mistake { line: number, column: 1, problem, allowed });
            }
        }
    }

    fn section(&mut self, number: usize, name: &str) {
        let wrong = |problem: String, allowed: Option<String>| Mistake {
            line: number,
            column: 1,
            problem,
            allowed,
        };
        let known = sections(self.kind).into_iter().find(|(known, _)| *known == name);
        let Some((_, section)) = known else {
            let problem = format!("[{name}] is no section of {}", self.kind.as_str());
            self.mistakes.push(wrong(problem, Some(names(self.kind))));
            // What stands in it is read on, so that its mistakes are told as well.
            self.found.push((Section::Opening, Part { line: number, lines: Vec::new() }));
            return;
        };
        if self.found.iter().any(|(other, _)| *other == section) && self.mistakes.is_empty() {
            self.mistakes.push(wrong(format!("[{name}] stands twice"), None));
        }
        self.found.push((section, Part { line: number, lines: Vec::new() }));
    }

    fn pieces(&mut self, number: usize, line: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut rest = line;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            let column = (line.len() - from.len()).min(line.len());
            let column = line[..column].chars().count() + 1;
            let name = from.strip_prefix('{').and_then(|inner| Some(inner.split_once('}')?.0));
            let Some(name) = name else {
                let problem = format!("has a {} that is no placeholder's", &from[..1]);
                self.wrong(number, column, problem);
                return vec![Piece::Text(line.into())];
            };
            if !before.is_empty() {
                pieces.push(Piece::Text(before.into()));
            }
            let field = self.kind.fields().iter().find(|field| field.as_str() == name);
            if let Some(field) = field {
                pieces.push(Piece::Field(*field));
            } else {
                let is_known = Field::ALL.into_iter().any(|field| field.as_str() == name);
                let why = if is_known { "has no place in" } else { "is no placeholder of" };
                let problem = format!("{{{name}}} {why} {}", self.kind.as_str());
                self.wrong(number, column, problem);
                pieces.push(Piece::Text(name.into()));
            }
            rest = &from[name.len() + 2..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.into()));
        }
        pieces
    }

    fn wrong(&mut self, line: usize, column: usize, problem: String) {
        let names = self.kind.fields().iter().map(|field| format!("{{{}}}", field.as_str()));
        let names: Vec<String> = names.collect();
        let allowed =
            if names.is_empty() { "no placeholders".to_owned() } else { names.join(", ") };
        self.mistakes.push(Mistake { line, column, problem, allowed: Some(allowed) });
    }
}

/// The sections that a file may have, by their names.
fn sections(kind: Kind) -> Vec<(&'static str, Section)> {
    let subjects = kind.subjects().into_iter();
    [("opening", Section::Opening), ("closing", Section::Closing)]
        .into_iter()
        .chain(subjects.map(|subject| (subject.as_str(), Section::Of(subject))))
        .collect()
}

fn names(kind: Kind) -> String {
    let names: Vec<String> =
        sections(kind).into_iter().map(|(name, _)| format!("[{name}]")).collect();
    names.join(", ")
}
