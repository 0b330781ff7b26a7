//! When a scan was made: hours since the start of the administration, or a clock time.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::Invalid;

/// A time as a caller has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// Hours since the start of the administration.
    Hours(f64),
    /// ISO 8601, date and time: `2026-03-27T13:42:00+01:00`.
    Clock(String),
}

/// Hours from one clock time to another, in absolute time where both have an offset from UTC, else by one clock.
///
/// * `start`, `end` – ISO 8601, date and time
///
/// # Errors
/// If one is no such time, or one has an offset and the other has none.
pub fn hours_between(start: &str, end: &str) -> Result<f64, Invalid> {
    let (start, end) = (ClockTime::parse(start)?, ClockTime::parse(end)?);
    if start.has_offset != end.has_offset {
        return Err(Invalid::new("one of two clock times has an offset from UTC and the other has none"));
    }
    Ok(end.hours_since(&start))
}

/// A clock time that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ClockTime {
    /// In absolute time; without an offset as if the clock were that of UTC.
    instant: Timestamp,
    /// Whether the offset from UTC was written.
    pub(super) has_offset: bool,
}

impl ClockTime {
    /// Reads a date with a time.
    pub(super) fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self { instant, has_offset: true });
        }
        // Not with the text: it may be anything, and errors reach logs.
        let wrong =
            || Invalid::new("is not a date and time with its offset from UTC, such as 2026-03-27T13:42:00+01:00");
        // A date alone would be taken for midnight, and a time in a named place for that of another.
        if !text.contains(['T', 't', ' ']) || text.contains('[') {
            return Err(wrong());
        }
        let civil: DateTime = text.parse().map_err(|_| wrong())?;
        let instant = TimeZone::UTC.to_timestamp(civil).map_err(|_| wrong())?;
        Ok(Self { instant, has_offset: false })
    }

    /// Hours from another time to this one, in absolute time.
    pub(super) fn hours_since(&self, start: &Self) -> f64 {
        (self.instant.as_millisecond() - start.instant.as_millisecond()) as f64 / 3.6e6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(from: &str, to: &str) -> f64 {
        let [from, to] = [from, to].map(|text| ClockTime::parse(text).expect("a time"));
        to.hours_since(&from)
    }

    #[test]
    fn differences_are_in_absolute_time() {
        assert_eq!(hours("2026-03-27T09:30:00+01:00", "2026-03-31T09:58:00+02:00"), 95.0 + 28.0 / 60.0);
        assert_eq!(hours("2026-12-31T23:00:00Z", "2027-01-01T01:00:00+00:00"), 2.0);
        assert_eq!(hours("2028-02-28 12:00:00", "2028-03-01 12:00:00"), 48.0);
        assert_eq!(hours("2026-03-27T09:30:00.5+01:00", "2026-03-27T08:30:00+00:00"), -0.5 / 3600.0);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2026-03-26", "13:41", "27.03.2026 13:42", "2026-02-30T10:00:00", "yesterday"] {
            let error = ClockTime::parse(text).expect_err(text).to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        assert!(!ClockTime::parse("2026-03-27T13:42").expect("a time").has_offset);
    }
}
