//! Progress of long work: a bar on a terminal, elsewhere a log line with rate and ETA.
//!
//! Invariants: a log line at most every [`LINE_INTERVAL_MS`], and one at the end; rates are over
//! the recent past, so that a slow start does not spoil the estimate; a bar is gone with its value,
//! also where the work failed. Absent on purpose: a clock.
//! Time comes in, in milliseconds of any clock; a step back of that clock costs a late line and
//! nothing else.

use std::fmt;
use std::io::IsTerminal;
use std::sync::LazyLock;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::info;

/// The least time between two log lines about the same work.
pub const LINE_INTERVAL_MS: i64 = 5_000;

/// The least time between two redraws of a bar's text.
const TEXT_INTERVAL_MS: i64 = 200;

/// The length of the recent past that a rate is taken over: one to two times this.
const RATE_INTERVAL_MS: i64 = 5_000;

/// All bars of the process; log lines hide them while they are written.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Does something with the standard error stream while no bar is drawn on it.
pub(super) fn with_bars_hidden<T>(write: impl FnOnce() -> T) -> T {
    BARS.suspend(write)
}

/// One piece of long work.
pub struct Progress {
    what: String,
    total: Option<u64>,
    started_ms: i64,
    told_ms: i64,
    pace: Pace,
    view: View,
}

enum View {
    Bar(ProgressBar),
    Lines,
}

impl Progress {
    /// Begins to show work: `what` it is ("replaying records"), and how much, where known.
    #[must_use]
    pub fn new(what: &str, total: Option<u64>, now_ms: i64) -> Self {
        let view = if std::io::stderr().is_terminal() {
            View::Bar(BARS.add(bar(what, total)))
        } else {
            View::Lines
        };
        Self::with_view(what, total, now_ms, view)
    }

    fn with_view(what: &str, total: Option<u64>, now_ms: i64, view: View) -> Self {
        // A bar is drawn at once; a line has something to tell only after a while.
        let told_ms = match view {
            View::Bar(_) => now_ms.saturating_sub(TEXT_INTERVAL_MS),
            View::Lines => now_ms,
        };
        Self {
            what: what.to_owned(),
            total,
            started_ms: now_ms,
            told_ms,
            pace: Pace::new(now_ms),
            view,
        }
    }

    /// Says how much is done in all. Cheap enough for every batch.
    pub fn tick(&mut self, done: u64, now_ms: i64) {
        self.pace.note(done, now_ms);
        let interval = match &self.view {
            View::Bar(_) => TEXT_INTERVAL_MS,
            View::Lines => LINE_INTERVAL_MS,
        };
        if now_ms.saturating_sub(self.told_ms) < interval {
            return;
        }
        self.told_ms = now_ms;
        let per_second = self.pace.per_second();
        let eta_seconds = self.eta_seconds();
        match &self.view {
            View::Bar(bar) => {
                bar.set_position(done);
                bar.set_message(describe(&self.what, done, self.total, per_second, eta_seconds));
            }
            View::Lines => info!(
                what = self.what,
                done,
                total = self.total,
                per_second,
                eta_seconds,
                "in progress"
            ),
        }
    }

    /// Changes how much there is in all.
    pub fn set_total(&mut self, total: u64) {
        self.total = Some(total);
        if let View::Bar(bar) = &self.view {
            bar.set_length(total);
        }
    }

    /// Things done per second, over the recent past; none before there is one.
    #[must_use]
    pub fn per_second(&self) -> Option<u64> {
        self.pace.per_second()
    }

    /// About how long the rest takes, where the total and a rate are known.
    #[must_use]
    pub fn eta_seconds(&self) -> Option<u64> {
        let remaining = self.total?.saturating_sub(self.pace.done());
        let per_second = self.pace.per_second().filter(|rate| *rate > 0)?;
        Some(remaining.div_ceil(per_second))
    }

    /// Ends it: the bar goes, and a line tells how much was done in which time.
    pub fn finish(self, done: u64, now_ms: i64) {
        let took_ms = now_ms.saturating_sub(self.started_ms).max(0);
        let per_second = rate(done, took_ms);
        info!(what = self.what, done, took_ms, per_second, "done");
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Progress").field("what", &self.what).finish_non_exhaustive()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let View::Bar(bar) = &self.view {
            bar.finish_and_clear();
            BARS.remove(bar);
        }
    }
}

fn bar(what: &str, total: Option<u64>) -> ProgressBar {
    // The message is cut where the line would break: a broken one could not be drawn over.
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "[{bar:20}] {percent:>3} % {wide_msg}"),
        None => (ProgressBar::no_length(), "{spinner} {wide_msg}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are valid");
    bar.with_style(style).with_message(what.to_owned())
}

fn describe(
    what: &str,
    done: u64,
    total: Option<u64>,
    per_second: Option<u64>,
    eta_seconds: Option<u64>,
) -> String {
    let mut text = match total {
        Some(total) => format!("{what}: {done} of {total}"),
        None => format!("{what}: {done}"),
    };
    if let Some(rate) = per_second {
        text.push_str(&format!(", {rate}/s"));
    }
    if let Some(eta) = eta_seconds {
        text.push_str(&format!(", about {eta} s left"));
    }
    text
}

fn rate(done: u64, took_ms: i64) -> Option<u64> {
    let took_ms = u64::try_from(took_ms).ok().filter(|took| *took > 0)?;
    Some(done.saturating_mul(1000) / took_ms)
}

/// How fast something goes, over the recent past.
struct Pace {
    /// Where the rate is taken from: (time, done).
    from: (i64, u64),
    /// What becomes `from` when it is old enough.
    next: (i64, u64),
    /// The last that was noted.
    last: (i64, u64),
}

impl Pace {
    fn new(now_ms: i64) -> Self {
        let start = (now_ms, 0);
        Self { from: start, next: start, last: start }
    }

    fn note(&mut self, done: u64, now_ms: i64) {
        if now_ms.saturating_sub(self.next.0) >= RATE_INTERVAL_MS {
            self.from = self.next;
            self.next = (now_ms, done);
        }
        self.last = (now_ms, done);
    }

    const fn done(&self) -> u64 {
        self.last.1
    }

    fn per_second(&self) -> Option<u64> {
        let done = self.last.1.saturating_sub(self.from.1);
        rate(done, self.last.0.saturating_sub(self.from.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logging::{LogFormat, testing::captured};

    fn lines(total: Option<u64>) -> Progress {
        Progress::with_view("replaying records", total, 1_000, View::Lines)
    }

    #[test]
    fn a_line_with_rate_and_eta_comes_at_most_every_five_seconds() {
        let log = captured(LogFormat::Json, || {
            let mut progress = lines(Some(10_000));
            for step in 1..=100 {
                // 100 steps of 10 records and 100 ms: 10 s at 100 records per second.
                progress.tick(step * 10, 1_000 + i64::try_from(step).unwrap() * 100);
            }
        });
        assert_eq!(log.lines().count(), 2, "{log}");
        let second = log.lines().nth(1).unwrap();
        for part in [
            r#""message":"in progress""#,
            r#""what":"replaying records""#,
            r#""done":1000"#,
            r#""total":10000"#,
            r#""per_second":100"#,
            r#""eta_seconds":90"#,
        ] {
            assert!(second.contains(part), "{part} in {second}");
        }
    }

    #[test]
    fn the_end_is_always_told() {
        let log = captured(LogFormat::Json, || lines(None).finish(500, 3_000));
        assert!(log.contains(r#""took_ms":2000"#), "{log}");
        assert!(log.contains(r#""per_second":250"#), "{log}");
    }

    #[test]
    fn the_rate_is_that_of_the_recent_past() {
        let mut progress = lines(Some(100_000));
        for second in 1..=60 {
            progress.tick(second, 1_000 + i64::try_from(second).unwrap() * 1_000);
        }
        for second in 1..=20_u64 {
            let now_ms = 61_000 + i64::try_from(second).unwrap() * 1_000;
            progress.tick(60 + second * 1_000, now_ms);
        }
        assert_eq!(progress.per_second(), Some(1_000));
    }

    #[test]
    fn a_clock_that_steps_back_does_no_harm() {
        let mut progress = lines(Some(10));
        progress.tick(5, 900);
        assert_eq!(progress.per_second(), None);
        assert_eq!(progress.eta_seconds(), None);
        progress.finish(10, 800);
    }

    #[test]
    fn a_bar_says_what_a_line_says() {
        let view = View::Bar(ProgressBar::hidden());
        let mut progress = Progress::with_view("restoring", Some(100), 0, view);
        progress.tick(0, 0);
        let View::Bar(bar) = &progress.view else {
            panic!("it is a bar");
        };
        assert_eq!(bar.message(), "restoring: 0 of 100");
        progress.tick(50, 1_000);
        let View::Bar(bar) = &progress.view else {
            panic!("it is a bar");
        };
        assert_eq!(bar.message(), "restoring: 50 of 100, 50/s, about 1 s left");
        assert_eq!(bar.position(), 50);
    }
}
