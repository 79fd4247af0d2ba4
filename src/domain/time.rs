//! Time as data: two kinds of instants, civil days in a zone, and boundaries of record time.
//!
//! Invariants: all instants are milliseconds since 1970-01-01T00:00:00Z; division and remainder
//! are Euclidean, so that instants before 1970 fall into the right day and boundary. A zone's
//! offsets are multiples of 15 minutes and a boundary's length divides 15 minutes, so that a day
//! always starts at a boundary. Absent on purpose: any clock, and any time-zone database (a
//! [`Zone`] is built by the configuration from a table of transitions).

/// Milliseconds in a civil day without a transition.
pub const DAY_MS: i64 = 86_400_000;

/// The grid that zone offsets keep to, in milliseconds: 15 minutes.
pub const ZONE_GRID_MS: i64 = 900_000;

/// When a fact happened; decides which of two facts about the same thing is newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventTime(i64);

impl EventTime {
    /// Wraps milliseconds since the epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
}

/// The Kafka timestamp of a record: when a fact became known. It alone moves a shard's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordTime(i64);

impl RecordTime {
    /// Wraps milliseconds since the epoch.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
}

/// A civil date in the policy's zone, as days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// The day of an instant, in milliseconds since the epoch, in a zone.
    #[must_use]
    pub fn of(instant_ms: i64, zone: &Zone) -> Self {
        let local = instant_ms.saturating_add(zone.offset_ms(instant_ms));
        Self(saturating_i32(local.div_euclid(DAY_MS)))
    }

    /// The day that is `days` after 1970-01-01.
    #[must_use]
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day `days` later (earlier where negative).
    #[must_use]
    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// Days from `earlier` to this day.
    #[must_use]
    pub const fn days_since(self, earlier: Day) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

fn saturating_i32(value: i64) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

/// A time zone as a table of its offsets from UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// (first instant in ms, offset in ms), ascending; the first entry holds from minus infinity.
    offsets: Vec<(i64, i64)>,
}

impl Zone {
    /// Coordinated Universal Time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), offsets: vec![(i64::MIN, 0)] }
    }

    /// A zone from its name, the offset before the first transition and the transitions
    /// `(instant_ms, offset_ms)` in ascending order.
    ///
    /// # Errors
    /// Names the first offset that is not a multiple of 15 minutes, or is out of order.
    pub fn from_transitions(
        name: &str,
        first_offset_ms: i64,
        transitions: &[(i64, i64)],
    ) -> Result<Self, String> {
        let mut offsets = vec![(i64::MIN, first_offset_ms)];
        offsets.extend_from_slice(transitions);
        if let Some((_, offset)) = offsets.iter().find(|(_, offset)| offset % ZONE_GRID_MS != 0) {
            return Err(format!(
                "time zone {name} has an offset of {offset} ms, which is no multiple of 15 minutes"
            ));
        }
        if !offsets.is_sorted_by(|left, right| left.0 < right.0) {
            return Err(format!("time zone {name} has transitions out of order"));
        }
        Ok(Self { name: name.to_owned(), offsets })
    }

    /// The zone's IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The transitions `(instant_ms, offset_ms)`; the first one holds from minus infinity.
    #[must_use]
    pub fn transitions(&self) -> &[(i64, i64)] {
        &self.offsets
    }

    fn offset_ms(&self, instant_ms: i64) -> i64 {
        if self.offsets.len() == 1 {
            return self.offsets[0].1;
        }
        let after = self.offsets.partition_point(|(from, _)| *from <= instant_ms);
        self.offsets[after.saturating_sub(1)].1
    }

    /// The first instant, in ms, at which the date is later than `day`.
    #[must_use]
    pub fn end_of(&self, day: Day) -> i64 {
        self.end_of_from(day, i64::MIN)
    }

    /// The first instant from `from_ms` on at which the date is later than `day`. Where clocks go
    /// back over midnight, a date begins twice, and the first time may lie behind.
    #[must_use]
    pub fn end_of_from(&self, day: Day, from_ms: i64) -> i64 {
        let local_end = (i64::from(day.number()) + 1) * DAY_MS;
        for (index, (from, offset)) in self.offsets.iter().enumerate() {
            let until = self.offsets.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
            let candidate = (local_end - offset).max(*from).max(from_ms);
            if candidate < until {
                return candidate;
            }
        }
        local_end
    }
}

/// The length Δ of the interval between boundaries, in milliseconds; divides 15 minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundaryLength(i64);

impl BoundaryLength {
    /// Checks that the length is positive and divides 15 minutes; `None` otherwise.
    #[must_use]
    pub fn from_ms(ms: i64) -> Option<Self> {
        (ms > 0 && ZONE_GRID_MS % ms == 0).then_some(Self(ms))
    }

    /// The length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }
}

/// The number k of a boundary: the instant kΔ at which accounts are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Boundary(i64);

impl Boundary {
    /// Wraps a boundary's number.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The boundary that a record belongs to whose partition's watermark, after it, is `watermark`.
    #[must_use]
    pub fn of_watermark(watermark: RecordTime, length: BoundaryLength) -> Self {
        Self(watermark.ms().div_euclid(length.ms()) + 1)
    }

    /// The first boundary at or after an instant in ms.
    #[must_use]
    pub fn at_or_after(instant_ms: i64, length: BoundaryLength) -> Self {
        let floor = instant_ms.div_euclid(length.ms());
        Self(if floor * length.ms() == instant_ms { floor } else { floor + 1 })
    }

    /// The number k.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The instant kΔ, in ms since the epoch.
    #[must_use]
    pub const fn ms(self, length: BoundaryLength) -> i64 {
        self.0.saturating_mul(length.ms())
    }

    /// The following boundary.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_before_1970_is_found_by_euclidean_division() {
        assert_eq!(Day::of(-1, &Zone::utc()).number(), -1);
        assert_eq!(Day::of(0, &Zone::utc()).number(), 0);
        assert_eq!(
            Boundary::of_watermark(RecordTime::from_ms(-1), BoundaryLength(5000)).number(),
            0
        );
    }

    #[test]
    fn a_record_at_a_boundary_belongs_to_the_next_one() {
        let length = BoundaryLength::from_ms(5000).unwrap();
        assert_eq!(Boundary::of_watermark(RecordTime::from_ms(4999), length).number(), 1);
        assert_eq!(Boundary::of_watermark(RecordTime::from_ms(5000), length).number(), 2);
        assert_eq!(Boundary::at_or_after(5000, length).number(), 1);
        assert_eq!(Boundary::at_or_after(5001, length).number(), 2);
    }

    #[test]
    fn lengths_that_do_not_divide_fifteen_minutes_are_refused() {
        assert!(BoundaryLength::from_ms(7000).is_none());
        assert!(BoundaryLength::from_ms(0).is_none());
        assert!(BoundaryLength::from_ms(900_000).is_some());
    }

    #[test]
    fn days_of_23_and_25_hours_end_where_the_zone_says() {
        // A zone at +1 h that goes to +2 h at day 10, 01:00Z, and back at day 20, 01:00Z.
        let hour = 3_600_000;
        let zone = Zone::from_transitions(
            "Test/Zone",
            hour,
            &[(10 * DAY_MS + hour, 2 * hour), (20 * DAY_MS + hour, hour)],
        )
        .unwrap();
        assert_eq!(zone.end_of(Day(9)), 10 * DAY_MS - hour);
        assert_eq!(zone.end_of(Day(10)), 11 * DAY_MS - 2 * hour);
        assert_eq!(zone.end_of(Day(20)), 21 * DAY_MS - hour);
        for day in 5..25 {
            let end = zone.end_of(Day(day));
            assert_eq!(Day::of(end - 1, &zone), Day(day));
            assert_eq!(Day::of(end, &zone), Day(day + 1));
        }
    }

    #[test]
    fn a_date_that_begins_twice_is_found_from_either_side() {
        // Clocks at -2 h go back by an hour a minute into day 10: that minute comes twice.
        let (hour, minute) = (3_600_000, 60_000);
        let first = 10 * DAY_MS + 2 * hour;
        let zone =
            Zone::from_transitions("Test/Zone", -2 * hour, &[(first + minute, -3 * hour)]).unwrap();
        assert_eq!(zone.end_of(Day(9)), first);
        assert_eq!(zone.end_of_from(Day(9), first + 1), first + 1);
        assert_eq!(Day::of(first + minute, &zone), Day(9));
        assert_eq!(zone.end_of_from(Day(9), first + minute), first + hour);
        assert_eq!(zone.end_of_from(Day(10), first + minute), first + hour + DAY_MS);
    }

    #[test]
    fn a_zone_off_the_grid_is_refused() {
        assert!(Zone::from_transitions("Bad/Zone", 1, &[]).is_err());
        assert!(Zone::from_transitions("Bad/Order", 0, &[(5, 0), (5, 0)]).is_err());
    }
}
