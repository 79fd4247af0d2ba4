//! Instants and days as text: RFC 3339 in, a fixed form of it out.
//!
//! Invariants: what is read is a real date and time of the years 0000 to 9999 with the offset
//! that it states, exact to the millisecond (further digits are cut off); what is written is
//! always in UTC with three digits of milliseconds. Absent on purpose: any time-zone database,
//! leap seconds (`:60` is refused) and the looser forms of ISO 8601.

use std::io::Write;

use crate::domain::time::{DAY_MS, Day};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

/// Milliseconds since the epoch of an RFC 3339 time; `None` if the text is not one.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (head, tail) = bytes.split_first_chunk::<19>()?;
    let mut wrong = 0_u8;
    let mut two = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        wrong |= u8::from(tens > 9) | u8::from(ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let year = two(0) * 100 + two(2);
    let (month, day) = (two(5), two(8));
    let (hour, minute, second) = (two(11), two(14), two(17));
    let is_shaped = wrong == 0
        && head[4] == b'-'
        && head[7] == b'-'
        && (head[10] | 0x20) == b't'
        && head[13] == b':'
        && head[16] == b':';
    if !is_shaped || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if !(1..=12).contains(&month) || day < 1 || day > month_days(year, month) {
        return None;
    }
    let (millis, zone) = fraction(tail)?;
    let offset = offset_ms(zone)?;
    let seconds = hour * 3600 + minute * 60 + second;
    let local = days_from_civil(year, month, day) * DAY_MS + i64::from(seconds) * 1000 + millis;
    Some(local - offset)
}

/// Splits what follows the seconds into the milliseconds and the zone.
fn fraction(tail: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = tail.split_first() else {
        return Some((0, tail));
    };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 {
        return None;
    }
    let (digits, zone) = digits.split_at(count);
    let mut millis = 0;
    for place in 0..3 {
        let digit = digits.get(place).map_or(0, |byte| i64::from(byte - b'0'));
        millis = millis * 10 + digit;
    }
    Some((millis, zone))
}

/// The offset from UTC of `Z`, `z` or `±hh:mm`.
fn offset_ms(zone: &[u8]) -> Option<i64> {
    match *zone {
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(u8::is_ascii_digit) =>
        {
            let hours = i64::from(h1 - b'0') * 10 + i64::from(h2 - b'0');
            let minutes = i64::from(m1 - b'0') * 10 + i64::from(m2 - b'0');
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * HOUR_MS + minutes * MINUTE_MS;
            Some(if sign == b'-' { -offset } else { offset })
        }
        _ => None,
    }
}

const fn month_days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    // Years begin in March here, so that the leap day is the last one; 400 of them more, which
    // are 146,097 days, keep the numbers positive.
    let year = if month <= 2 { year + 399 } else { year + 400 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    i64::from(days) - 719_468 - 146_097
}

/// The date, as (year, month, day), of days since 1970-01-01; the inverse of the above.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Appends a day as `YYYY-MM-DD` (years beyond 9999 have more digits).
pub fn write_day(day: Day, out: &mut Vec<u8>) {
    write_date(i64::from(day.number()), out);
}

fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_from_days(days);
    // Days that anybody states have four digits in the year, and are written often.
    if (0..10_000).contains(&year) {
        digits::<4>(year, out);
        out.push(b'-');
        digits::<2>(month, out);
        out.push(b'-');
        digits::<2>(day, out);
    } else {
        write!(out, "{year:04}-{month:02}-{day:02}").expect("writing to memory cannot fail");
    }
}

/// Appends the last `N` digits of a number.
fn digits<const N: usize>(mut number: i64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    out.extend_from_slice(&digits);
}

/// Appends an instant as `YYYY-MM-DDThh:mm:ss.sssZ`.
pub fn write_instant(ms: i64, out: &mut Vec<u8>) {
    let (days, of_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    write_date(days, out);
    let (hour, minute) = (of_day / HOUR_MS, of_day / MINUTE_MS % 60);
    let (second, millis) = (of_day / 1000 % 60, of_day % 1000);
    for (mark, part) in [(b'T', hour), (b':', minute), (b':', second)] {
        out.push(mark);
        digits::<2>(part, out);
    }
    out.push(b'.');
    digits::<3>(millis, out);
    out.push(b'Z');
}

/// An instant as text, `YYYY-MM-DDThh:mm:ss.sssZ`.
#[must_use]
pub fn instant(ms: i64) -> String {
    let mut out = Vec::with_capacity(24);
    write_instant(ms, &mut out);
    String::from_utf8(out).expect("digits and punctuation are ASCII")
}

/// A day as text, `YYYY-MM-DD`.
#[must_use]
pub fn day(day: Day) -> String {
    let mut out = Vec::with_capacity(10);
    write_day(day, &mut out);
    String::from_utf8(out).expect("digits and punctuation are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_rfc_3339_are_read_exactly() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-03-01T12:34:55Z", 1_772_368_495_000),
            ("2026-03-01t12:34:55z", 1_772_368_495_000),
            ("2026-03-01T12:34:55.1Z", 1_772_368_495_100),
            ("2026-03-01T12:34:55.0019999999999999999999999999Z", 1_772_368_495_001),
            ("2026-03-01T13:34:55+01:00", 1_772_368_495_000),
            ("2026-03-01T12:04:55-00:30", 1_772_368_495_000),
            ("2026-03-01T12:34:55-00:00", 1_772_368_495_000),
            ("1969-12-31T23:59:59.9999Z", -1),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
            ("9999-12-31T23:59:59.999-23:59", 253_402_387_139_999),
        ] {
            assert_eq!(parse_instant(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T12:34Z",
            "2026-03-01 12:34:55Z",
            "2026-03-01T12:34:55",
            "2026-03-01T12:34:60Z",
            "2026-03-01T12:60:00Z",
            "2026-03-01T24:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-03-01T12:34:55.Z",
            "2026-03-01T12:34:55,5Z",
            "2026-03-01T12:34:55+1:00",
            "2026-03-01T12:34:55+0100",
            "2026-03-01T12:34:55+24:00",
            "2026-03-01T12:34:55+00:60",
            "2026-03-01T12:34:55ZZ",
            "2026-03-01T12:34:55Z ",
            " 2026-03-01T12:34:55Z",
            "+2026-03-01T12:34:55Z",
            "12026-03-01T12:34:55Z",
            "2026-3-01T12:34:55Z",
            "2026-03-01T12:34:55.\u{663}Z",
            "2026-03-01T12:34:5\u{660}Z",
            "2026/03/01T12:34:55Z",
            "2026-03-01T12:34:55Z[UTC]",
            "1772368495000",
            "-001-01-01T00:00:00Z",
        ] {
            assert_eq!(parse_instant(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_five_centuries_and_more_is_written_and_read_back() {
        for days in (-719_528..2_932_896).step_by(13).chain(-800..160_000) {
            let ms = days * DAY_MS + 12_345_678;
            let text = instant(ms);
            assert_eq!(parse_instant(&text), Some(ms), "{text}");
            let calendar = jiff::Timestamp::from_millisecond(ms).unwrap();
            assert_eq!(text, format!("{calendar:.3}"));
        }
    }

    #[test]
    fn the_extremes_of_the_types_do_not_panic() {
        for ms in [i64::MIN, i64::MAX] {
            assert!(!instant(ms).is_empty());
        }
        for number in [i32::MIN, i32::MAX] {
            assert!(!day(Day::from_number(number)).is_empty());
        }
        assert_eq!(day(Day::from_number(-1)), "1969-12-31");
    }
}
