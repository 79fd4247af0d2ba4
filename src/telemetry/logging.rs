//! Sets up logs: text on a terminal, JSON elsewhere, on the standard error stream.
//!
//! Invariants: an event is one line, whatever its fields hold: control characters and marks that
//! reorder text are escaped, so that nothing that came in a record can forge a line or drive a
//! terminal; a line and a progress bar never mix. Absent on purpose: a log file (the place of
//! the standard error stream is the caller's business).

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use super::progress::with_bars_hidden;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text where the standard error stream is a terminal, else JSON.
    #[default]
    Auto,
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}

impl LogFormat {
    /// All formats, in order.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    /// The format's name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    fn is_json(self, on_terminal: bool) -> bool {
        match self {
            Self::Auto => !on_terminal,
            Self::Text => false,
            Self::Json => true,
        }
    }
}

impl FromStr for LogFormat {
    type Err = LoggingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == text);
        known.ok_or_else(|| LoggingError::Format(text.to_owned()))
    }
}

/// Whether lines of text are coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// Why logs could not be set up. The caller says so and ends with a usage error.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// No such format.
    #[error("unknown log format {0:?}: it is one of auto, text, json")]
    Format(String),
    /// The levels cannot be read.
    #[error("{0:?} is no log level (error, warn, info, debug, trace) nor a list of target=level")]
    Level(String, #[source] tracing_subscriber::filter::ParseError),
    /// Logs were set up before.
    #[error("logs are already set up")]
    Twice(#[source] tracing::subscriber::SetGlobalDefaultError),
}

/// Sets up logs for the whole process. `levels` is a level, or a list like `warn,odrwatch=debug`.
///
/// # Errors
/// Where `levels` cannot be read, or logs are already set up.
pub fn init(format: LogFormat, colours: Colours, levels: &str) -> Result<(), LoggingError> {
    let on_terminal = io::stderr().is_terminal();
    let subscriber = subscriber(format, colours, levels, on_terminal, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(LoggingError::Twice)
}

type BoxedSubscriber = Box<dyn Subscriber + Send + Sync>;

fn subscriber<M, W>(
    format: LogFormat,
    colours: Colours,
    levels: &str,
    on_terminal: bool,
    open: M,
) -> Result<BoxedSubscriber, LoggingError>
where
    M: Fn() -> W + Send + Sync + 'static,
    W: Write + 'static,
{
    let filter = EnvFilter::builder()
        .parse(levels)
        .map_err(|error| LoggingError::Level(levels.to_owned(), error))?;
    let json = format.is_json(on_terminal);
    let writer = LineWriter { open, json };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if json {
        let builder = builder.json().flatten_event(true).with_current_span(true);
        return Ok(Box::new(builder.with_span_list(false).finish()));
    }
    let fields = debug_fn(|writer: &mut Writer<'_>, field, value| {
        let mut writer = Escaping { inner: writer };
        match field.name() {
            "message" => write!(writer, "{value:?}"),
            name => write!(writer, "{name}={value:?}"),
        }
    });
    let builder = builder.fmt_fields(fields.delimited(" "));
    let builder = match colours {
        // The library looks at NO_COLOR.
        Colours::Auto if on_terminal => builder,
        Colours::Always => builder.with_ansi(true),
        Colours::Auto | Colours::Never => builder.with_ansi(false),
    };
    Ok(Box::new(builder.finish()))
}

/// Whether a character could break a line, drive a terminal or reorder what is shown.
fn is_harmful(character: char) -> bool {
    let is_separator = matches!(character, '\u{2028}' | '\u{2029}');
    let is_reordering = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    character.is_control() || is_separator || is_reordering
}

/// Escapes what is written through it as Rust would.
struct Escaping<'a, 'b> {
    inner: &'a mut Writer<'b>,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.contains(is_harmful) {
            return self.inner.write_str(text);
        }
        for character in text.chars() {
            if is_harmful(character) {
                write!(self.inner, "{}", character.escape_default())?;
            } else {
                self.inner.write_char(character)?;
            }
        }
        Ok(())
    }
}

/// Writes whole lines; hides progress bars meanwhile.
struct LineWriter<M> {
    open: M,
    json: bool,
}

impl<'a, M, W> MakeWriter<'a> for LineWriter<M>
where
    M: Fn() -> W,
    W: Write + 'a,
{
    type Writer = Line<W>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: (self.open)(), json: self.json }
    }
}

/// The writer of one event; the formatter hands over each event as one piece.
struct Line<W> {
    inner: W,
    json: bool,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let escaped = if self.json { escape_json(bytes) } else { None };
        let line = escaped.as_deref().unwrap_or(bytes);
        with_bars_hidden(|| self.inner.write_all(line))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Escapes what JSON itself lets pass (DEL, the C1 controls, marks that reorder text); `None`
/// where there is nothing to escape. Outside strings JSON has no such characters.
fn escape_json(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (body, end) = match text.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (text, ""),
    };
    if !body.contains(is_harmful) {
        return None;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in body.chars() {
        if is_harmful(character) {
            write!(escaped, "\\u{:04x}", u32::from(character)).ok()?;
        } else {
            escaped.push(character);
        }
    }
    escaped.push_str(end);
    Some(escaped.into_bytes())
}

#[cfg(test)]
pub(super) mod testing {
    //! Runs code with its log lines captured.

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What `run` logs at level info.
    pub(in crate::telemetry) fn captured(format: LogFormat, run: impl FnOnce()) -> String {
        let shared = Shared::default();
        let target = shared.clone();
        let subscriber =
            subscriber(format, Colours::Auto, "info", false, move || target.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, run);
        let bytes = shared.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use tracing::{debug, info, warn};

    use super::testing::captured;
    use super::*;

    const HOSTILE: &str = "a\nb\r\u{1b}[31m\u{7f}\u{9b}\0\u{202e}c";

    #[test]
    fn hostile_fields_stay_on_one_line_of_text() {
        let log = captured(LogFormat::Text, || {
            warn!(shown = %HOSTILE, debugged = HOSTILE, "message {HOSTILE}");
        });
        assert_eq!(log.matches('\n').count(), 1, "{log:?}");
        assert!(log.ends_with('\n'));
        assert!(!log.trim_end().contains(is_harmful), "{log:?}");
        let escaped = r"shown=a\nb\r\u{1b}[31m\u{7f}\u{9b}\u{0}\u{202e}c";
        assert!(log.contains(escaped), "{log:?}");
        assert!(log.contains("WARN"), "{log:?}");
    }

    #[test]
    fn hostile_fields_stay_inside_one_json_object() {
        let log = captured(LogFormat::Json, || {
            info!(shown = %HOSTILE, partition = 3, "message {HOSTILE}");
        });
        assert_eq!(log.matches('\n').count(), 1, "{log:?}");
        assert!(!log.trim_end().contains(is_harmful), "{log:?}");
        let line: serde_json::Value = serde_json::from_str(&log).unwrap();
        assert_eq!(line["shown"], HOSTILE);
        assert_eq!(line["partition"], 3);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn the_level_holds_back_what_is_below_it() {
        assert_eq!(captured(LogFormat::Json, || debug!("not shown")), "");
    }

    #[test]
    fn auto_is_text_on_a_terminal_and_json_elsewhere() {
        assert!(LogFormat::Auto.is_json(false));
        assert!(!LogFormat::Auto.is_json(true));
        assert!(captured(LogFormat::Auto, || info!("x")).starts_with('{'));
    }

    #[test]
    fn formats_and_levels_that_are_unknown_are_refused_with_what_is_known() {
        let error = "xml".parse::<LogFormat>().unwrap_err().to_string();
        assert_eq!(error, r#"unknown log format "xml": it is one of auto, text, json"#);
        for format in LogFormat::ALL {
            assert_eq!(format.as_str().parse::<LogFormat>().unwrap(), format);
        }
        let error = subscriber(LogFormat::Text, Colours::Auto, "odrwatch=loud", false, io::sink)
            .err()
            .unwrap();
        assert!(matches!(error, LoggingError::Level(..)), "{error}");
    }
}
