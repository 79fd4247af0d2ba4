//! Owns times: RFC 3339 to milliseconds since 1970 UTC, days in a zone, and their texts.
//!
//! A day is the count of civil dates since 1970-01-01. The calendar is computed here; only the
//! zone rules come from a library.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

pub const DAY_MS: i64 = 86_400_000;

/// A civil date, as the number of days since 1970-01-01.
pub type Day = i64;

/// The time zone of the policy.
pub struct Zone {
    time_zone: TimeZone,
}

impl Zone {
    pub fn named(name: &str) -> Self {
        let time_zone = if name == "UTC" {
            TimeZone::UTC
        } else {
            TimeZone::get(name).expect("the policy names an IANA time zone")
        };
        Self { time_zone }
    }

    /// The civil date at an instant; instants outside the library's years take its last offset.
    pub fn day_of(&self, instant_ms: i64) -> Day {
        let lowest = Timestamp::MIN.as_millisecond() + DAY_MS;
        let highest = Timestamp::MAX.as_millisecond() - DAY_MS;
        let clamped = Timestamp::from_millisecond(instant_ms.clamp(lowest, highest))
            .expect("clamped into the range of the library");
        let offset_ms = i64::from(self.time_zone.to_offset(clamped).seconds()) * 1_000;
        instant_ms.saturating_add(offset_ms).div_euclid(DAY_MS)
    }

    /// The first instant of a civil date (of the next one, where the zone has skipped it).
    pub fn start_of(&self, day: Day) -> i64 {
        let (year, month, day_of_month) = civil(day);
        let date = i16::try_from(year).ok().and_then(|year| {
            let month = i8::try_from(month).ok()?;
            Date::new(year, month, i8::try_from(day_of_month).ok()?).ok()
        });
        date.and_then(|date| date.to_zoned_datetime(self.time_zone.clone()).ok())
            .and_then(|zoned| zoned.start_of_day().ok())
            .map_or(day.saturating_mul(DAY_MS), |zoned| zoned.timestamp().as_millisecond())
    }
}

fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day number of January 1 of a year: 365 a year, and one for each leap year between.
fn year_start(year: i64) -> Day {
    let leap_years_before = |y: i64| {
        let last = y - 1;
        last.div_euclid(4) - last.div_euclid(100) + last.div_euclid(400)
    };
    365 * (year - 1970) + leap_years_before(year) - leap_years_before(1970)
}

/// The day number of a civil date that exists.
fn day_number(year: i64, month: i64, day: i64) -> Day {
    let months: i64 = (1..month).map(|m| days_in_month(year, m)).sum();
    year_start(year) + months + day - 1
}

/// Year, month and day of a day number.
fn civil(day: Day) -> (i64, i64, i64) {
    // The average year has 365.2425 days; the estimate is at most one year off.
    let mut year = 1970 + day.div_euclid(146_097) * 400 + day.rem_euclid(146_097) * 400 / 146_097;
    while year_start(year) > day {
        year -= 1;
    }
    while year_start(year + 1) <= day {
        year += 1;
    }
    let mut left = day - year_start(year);
    let mut month = 1;
    while left >= days_in_month(year, month) {
        left -= days_in_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// `YYYY-MM-DD`.
pub fn date_text(day: Day) -> String {
    let (year, month, day_of_month) = civil(day);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
pub fn instant_text(instant_ms: i64) -> String {
    let in_day = instant_ms.rem_euclid(DAY_MS);
    format!(
        "{}T{:02}:{:02}:{:02}.{:03}Z",
        date_text(instant_ms.div_euclid(DAY_MS)),
        in_day / 3_600_000,
        in_day / 60_000 % 60,
        in_day / 1_000 % 60,
        in_day % 1_000
    )
}

/// The number that exactly these decimal digits write.
fn digits(bytes: &[u8]) -> Option<i64> {
    let mut number = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i64::from(byte - b'0');
    }
    Some(number)
}

fn parse_date_bytes(bytes: &[u8]) -> Option<Day> {
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let year = digits(&bytes[0..4])?;
    let month = digits(&bytes[5..7])?;
    let day = digits(&bytes[8..10])?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return None;
    }
    Some(day_number(year, month, day))
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<Day> {
    parse_date_bytes(text.as_bytes())
}

/// Minutes after midnight of `HH:MM`.
fn parse_clock(bytes: &[u8]) -> Option<i64> {
    if bytes.len() != 5 || bytes[2] != b':' {
        return None;
    }
    let hours = digits(&bytes[0..2])?;
    let minutes = digits(&bytes[3..5])?;
    (hours <= 23 && minutes <= 59).then_some(hours * 60 + minutes)
}

/// Reads an RFC 3339 time with seconds 00..59; the fraction is cut to milliseconds.
pub fn parse_time(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || !matches!(bytes[10], b'T' | b't') || bytes[16] != b':' {
        return None;
    }
    let day = parse_date_bytes(&bytes[0..10])?;
    let minutes = parse_clock(&bytes[11..16])?;
    let seconds = digits(&bytes[17..19]).filter(|&seconds| seconds <= 59)?;
    let mut rest = &bytes[19..];
    let mut millis = 0;
    if rest[0] == b'.' {
        let length = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        for place in 0..3 {
            let digit = if place < length { rest[1 + place] - b'0' } else { 0 };
            millis = millis * 10 + i64::from(digit);
        }
        rest = &rest[1 + length..];
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [b'+', clock @ ..] => parse_clock(clock)?,
        [b'-', clock @ ..] => -parse_clock(clock)?,
        _ => return None,
    };
    let minutes_utc = day * 1_440 + minutes - offset_minutes;
    Some(minutes_utc * 60_000 + seconds * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_known_dates() {
        for (text, day) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-03-01", 20_513),
            ("9999-12-31", 2_932_896),
            ("0000-01-01", -719_528),
        ] {
            assert_eq!(parse_date(text), Some(day), "{text}");
            assert_eq!(date_text(day), text);
        }
        for text in ["2026-02-29", "1900-02-29", "2026-13-01", "2026-00-10", "2026-1-01"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn civil_is_the_inverse_of_day_number() {
        for day in -800_000..3_000_000_i64 {
            if day % 97 == 0 || day.rem_euclid(365) < 3 {
                let (year, month, day_of_month) = civil(day);
                assert_eq!(day_number(year, month, day_of_month), day);
            }
        }
    }

    #[test]
    fn rfc_3339_times() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00z", 0),
            ("1970-01-01T00:00:00.1Z", 100),
            ("1970-01-01T00:00:00.0019999999999999999Z", 1),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1969-12-31T23:00:00-01:00", 0),
            ("1970-01-01T00:00:00-00:00", 0),
            ("2026-03-01T12:34:55.000Z", 1_772_368_495_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
        for text in [
            "1970-01-01 00:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:60:00Z",
            "1970-01-01T00:00:00",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00,5Z",
            "1970-01-01T00:00Z",
            "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+01:60",
            "1970-01-01T00:00:00ZZ",
            "2026-02-29T00:00:00Z",
            "+970-01-01T00:00:00Z",
            "",
            "é970-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
        assert_eq!(instant_text(1_772_368_495_000), "2026-03-01T12:34:55.000Z");
        assert_eq!(instant_text(-1), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn days_and_their_starts_follow_the_zone() {
        let berlin = Zone::named("Europe/Berlin");
        let day = parse_date("2026-03-29").expect("a date");
        let start = parse_time("2026-03-28T23:00:00Z").expect("a time");
        assert_eq!(berlin.start_of(day), start);
        assert_eq!(berlin.day_of(start), day);
        assert_eq!(berlin.day_of(start - 1), day - 1);
        // The clocks go forward on that day, so it has 23 hours.
        assert_eq!(berlin.start_of(day + 1) - start, 23 * 3_600_000);
        let utc = Zone::named("UTC");
        assert_eq!(utc.start_of(day), day * DAY_MS);
        assert_eq!(utc.day_of(i64::MAX), i64::MAX / DAY_MS);
    }

    #[test]
    fn a_midnight_that_comes_twice_starts_the_day_at_the_first() {
        // At 00:01 on 2006-10-29, St. John's went back to 23:01 of the day before.
        let zone = Zone::named("America/St_Johns");
        let day = parse_date("2006-10-29").expect("a date");
        let start = parse_time("2006-10-29T02:30:00Z").expect("a time");
        assert_eq!(zone.start_of(day), start);
        assert_eq!(zone.day_of(start), day);
        assert_eq!(zone.day_of(start + 60_000), day - 1);
    }
}
