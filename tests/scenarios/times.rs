//! Times of the tables: days counted from the scenario's first, and dates as they are.
//!
//! Invariant: all times are milliseconds of UTC; a zone of the policy changes none of them.

use jiff::Timestamp;
use jiff::civil::Date;

const DAY_MS: i64 = 86_400_000;

/// What `dN` counts from.
#[derive(Clone, Copy, Debug)]
pub struct Days {
    /// Days from 1970-01-01 to d1.
    first: i64,
}

impl Days {
    /// From the date of d1.
    pub fn from(date: &str) -> Result<Self, String> {
        Ok(Self { first: number_of(date)? })
    }

    fn day(self, text: &str) -> Result<i64, String> {
        if let Some(number) = text.strip_prefix('d') {
            let number: i64 = number.parse().map_err(|_| format!("{text} is no day"))?;
            return Ok(self.first + number - 1);
        }
        number_of(text)
    }

    /// The date of a day, `YYYY-MM-DD`.
    pub fn date(self, text: &str) -> Result<String, String> {
        let ms = self.day(text)? * DAY_MS;
        Ok(instant(ms)[..10].to_owned())
    }

    /// The instant of a day and a time of day.
    pub fn at(self, day: &str, time_of_day: &str) -> Result<i64, String> {
        Ok(self.day(day)? * DAY_MS + milliseconds(time_of_day)?)
    }

    /// The instant of `DAY_TIME`, or of a day's beginning.
    pub fn field(self, text: &str) -> Result<i64, String> {
        let (day, time_of_day) = text.split_once('_').unwrap_or((text, "00:00"));
        self.at(day, time_of_day)
    }
}

/// Whether a word may be the day in front of a time of day.
pub fn is_day(word: &str) -> bool {
    let digits = word.strip_prefix('d').unwrap_or("x");
    digits.parse::<i64>().is_ok() || number_of(word).is_ok()
}

fn number_of(date: &str) -> Result<i64, String> {
    let date: Date = date.parse().map_err(|_| format!("{date} is no date"))?;
    let hours = date.duration_since(jiff::civil::date(1970, 1, 1)).as_hours();
    Ok(hours.div_euclid(24))
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.mmm`.
fn milliseconds(text: &str) -> Result<i64, String> {
    let wrong = || format!("{text} is no time of day");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "000"));
    let mut parts = Vec::new();
    for part in whole.split(':') {
        parts.push(part.parse::<i64>().map_err(|_| wrong())?);
    }
    let fraction: i64 = fraction.parse().map_err(|_| wrong())?;
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (hours, minutes, 0),
        [hours, minutes, seconds] => (hours, minutes, seconds),
        _ => return Err(wrong()),
    };
    if hours > 23 || minutes > 59 || seconds > 59 {
        return Err(wrong());
    }
    Ok(((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction)
}

/// An instant in RFC 3339, with as many decimals as it needs.
pub fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .expect("a time of the tables is within jiff's range")
        .to_string()
}
