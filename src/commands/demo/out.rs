//! The demo's side of the standard output stream: lines, their width and their colours.
//!
//! Invariants: on a terminal no line is wider than it; elsewhere a line is never broken, so that
//! it can be searched for; colours are only what the caller allowed. A reader that has gone is no
//! failure: nothing more is written, and the caller sees it.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

use crate::commands::exit::ExitCode;
use crate::commands::failure::Failure;

/// The width that tables have where there is no terminal.
const WIDE: usize = 120;

/// A narrower terminal is not written for.
const NARROWEST: usize = 60;

/// The colours in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    Red,
    Yellow,
    Green,
    Magenta,
    Bold,
    Dim,
}

impl Colour {
    const fn code(self) -> &'static str {
        match self {
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Green => "32",
            Self::Magenta => "35",
            Self::Bold => "1",
            Self::Dim => "2",
        }
    }
}

/// Where lines go.
#[derive(Debug)]
pub struct Out {
    is_terminal: bool,
    colours: bool,
    is_gone: bool,
}

impl Out {
    /// The standard output stream.
    pub fn new(colours: ColorChoice) -> Self {
        let is_terminal = io::stdout().is_terminal();
        let colours = match colours {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !is_colour_unwanted(),
        };
        Self { is_terminal, colours, is_gone: false }
    }

    /// Whether colours may be used.
    pub const fn colours(&self) -> bool {
        self.colours
    }

    /// How wide a table may be.
    pub fn width(&self) -> usize {
        if !self.is_terminal {
            return WIDE;
        }
        // It may have been resized since the last line.
        let width = comfy_table::Table::new().width().map_or(WIDE, usize::from);
        width.max(NARROWEST)
    }

    /// A text in a colour, if there are colours.
    pub fn paint(&self, text: &str, colour: Colour) -> String {
        if self.colours { format!("\x1b[{}m{text}\x1b[0m", colour.code()) } else { text.to_owned() }
    }

    /// A line, broken between words where the terminal ends; the lines after the first begin
    /// `indent` columns further right.
    pub fn wrap(&self, line: &str, indent: usize) -> String {
        if self.is_terminal { wrap(line, self.width(), indent) } else { line.to_owned() }
    }

    /// Whether nobody reads the output any more.
    pub const fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Writes text at once.
    ///
    /// # Errors
    /// 69 where the stream cannot be written though somebody reads it.
    pub fn write(&mut self, text: &str) -> Result<(), Failure> {
        if self.is_gone {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.is_gone = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(ExitCode::Unavailable, error)
                .during("cannot write the standard output")),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "NO_COLOR is a terminal's custom, and no key")]
fn is_colour_unwanted() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Breaks a line between words. Runs of spaces inside a line stay.
fn wrap(line: &str, width: usize, indent: usize) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for piece in line.split_inclusive(' ') {
        let length = piece.trim_end().chars().count();
        if column + length > width && column > indent && length > 0 {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.push_str(&" ".repeat(indent));
            column = indent;
        }
        text.push_str(piece);
        column += piece.chars().count();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_broken_between_words_and_goes_on_further_right() {
        let wrapped =
            wrap("14:02:35  WARNING raised  Brink & Co (DE): reasons, more reasons", 30, 4);
        assert_eq!(
            wrapped,
            "14:02:35  WARNING raised\n    Brink & Co (DE): reasons,\n    more reasons"
        );
        assert_eq!(wrap("a  b", 80, 4), "a  b");
        assert_eq!(wrap("unbreakable-word", 5, 2), "unbreakable-word");
    }

    #[test]
    fn no_broken_line_is_wider_than_the_terminal() {
        let line = "word longer-word a ".repeat(30);
        for width in 60..130 {
            let wrapped = wrap(&line, width, 10);
            assert!(wrapped.lines().all(|line| line.trim_end().chars().count() <= width));
        }
    }
}
