//! Dates and times of DICOM. Source: PS3.5, 6.2 (DA, TM, DT).

use dicom_dictionary_std::tags;
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, ToSpan};

use super::attributes::{Attributes, Object};

/// Two times of one day that are this far apart lie beside one midnight [s].
const ACROSS_MIDNIGHT_S: f64 = 18.0 * 3600.0;

/// How far two moments may be apart and mean the same [s].
const SAME_S: f64 = 60.0;

/// A moment: clock time, and how far the clock is ahead of UTC where the file says so.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) clock: DateTime,
    /// [min].
    pub(super) offset: Option<i32>,
}

impl Moment {
    /// Seconds from another moment to this one: in absolute time where both say their offset, else by the clock.
    pub(super) fn seconds_since(&self, other: &Self) -> f64 {
        let by_clock = self.clock.duration_since(other.clock).as_secs_f64();
        match (self.offset, other.offset) {
            (Some(a), Some(b)) => by_clock - 60.0 * f64::from(a - b),
            _ => by_clock,
        }
    }

    /// So many seconds later, on whole seconds.
    pub(super) fn later(&self, seconds: f64) -> Option<Self> {
        let clock = self.clock.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()?;
        let half = clock.subsec_nanosecond() >= 500_000_000;
        let whole = clock.with().subsec_nanosecond(0).build().ok()?;
        let clock = if half { whole.checked_add(1.second()).ok()? } else { whole };
        Some(Self { clock, ..*self })
    }

    /// The same moment on a clock of another offset.
    fn on_clock_of(self, offset: Option<i32>) -> Self {
        match (self.offset, offset) {
            (Some(own), Some(wanted)) if own != wanted => {
                let clock = self.clock.checked_add(i64::from(wanted - own).minutes()).unwrap_or(self.clock);
                Self { clock, offset }
            }
            (Some(_), _) => self,
            (None, _) => Self { offset, ..self },
        }
    }

    /// ISO 8601, with the offset if there is one.
    pub(super) fn text(&self) -> String {
        let clock = self.clock;
        let mut text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            clock.year(),
            clock.month(),
            clock.day(),
            clock.hour(),
            clock.minute(),
            clock.second()
        );
        let milliseconds = clock.subsec_nanosecond() / 1_000_000;
        if milliseconds > 0 {
            text += &format!(".{milliseconds:03}");
        }
        if let Some(offset) = self.offset {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
            text += &format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        }
        text
    }
}

/// `YYYYMMDD`, or `YYYY.MM.DD` as in old files.
fn date(text: &str) -> Option<Date> {
    let digits: String = text.chars().filter(|c| *c != '.').collect();
    if digits.len() != 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..8].parse().ok()?).ok()
}

/// `HH`, `HHMM`, `HHMMSS` or `HHMMSS.FFFFFF`, with colons as in old files.
pub(super) fn time(text: &str) -> Option<Time> {
    let plain: String = text.chars().filter(|c| *c != ':').collect();
    let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole.len(), 2 | 4 | 6) || !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = |at: usize| whole.get(at..at + 2).map_or(Some(0), |part| part.parse::<i8>().ok());
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().ok()?;
    // A leap second is the one before.
    Time::new(part(0)?, part(2)?, part(4)?.min(59), nanoseconds).ok()
}

/// How far two times of day are apart, across midnight where that is nearer [s].
pub(super) fn apart_on_clock_s(a: Time, b: Time) -> f64 {
    const DAY_S: f64 = 86_400.0;
    let apart = a.duration_since(b).as_secs_f64().abs();
    apart.min(DAY_S - apart)
}

/// `±HHMM` [min].
fn offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let is_good = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let minutes = is_good.then(|| Some(60 * digits[..2].parse::<i32>().ok()? + digits[2..].parse::<i32>().ok()?))??;
    (minutes <= 14 * 60).then_some(sign * minutes)
}

/// `YYYYMMDDHHMMSS.FFFFFF&ZZXX` with at least a date and an hour.
fn date_time(text: &str) -> Option<Moment> {
    let at = text.rfind(['+', '-']).filter(|at| *at >= 8);
    let (front, offset) = match at {
        Some(at) => (&text[..at], Some(offset(&text[at..])?)),
        None => (text, None),
    };
    let day = date(front.get(..8)?)?;
    let time = time(front.get(8..)?)?;
    Some(Moment { clock: day.to_datetime(time), offset })
}

/// Whether a DT is a day, a month or a year alone, which it may be.
fn is_day(text: &str) -> bool {
    let (digits, zone) = text.split_at(text.find(['+', '-']).unwrap_or(text.len()));
    (zone.is_empty() || offset(zone).is_some())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (matches!(digits.len(), 4 | 6) || date(digits).is_some())
}

/// How far the clock of a file is ahead of UTC [min], where it says so.
pub(super) fn clock_offset(object: &Object) -> Option<i32> {
    offset(&object.text(tags::TIMEZONE_OFFSET_FROM_UTC)?)
}

/// A DT attribute, on the clock of its file.
pub(super) fn moment(whole: &Object, item: &Object, tag: dicom_core::Tag) -> Option<Moment> {
    Some(date_time(&item.text(tag)?)?.on_clock_of(clock_offset(whole)))
}

/// A DA and a TM attribute.
pub(super) fn day_and_time(object: &Object, day: dicom_core::Tag, hour: dicom_core::Tag) -> Option<Moment> {
    let clock = date(&object.text(day)?)?.to_datetime(time(&object.text(hour)?)?);
    Some(Moment { clock, offset: clock_offset(object) })
}

/// When an acquisition began: as a date and time in one, or as two attributes; where the date of the acquisition is
/// missing, on the day of the series or study, or the one beside it if midnight was between them.
pub(super) fn acquisition(object: &Object) -> Option<Moment> {
    let written = || day_and_time(object, tags::ACQUISITION_DATE, tags::ACQUISITION_TIME);
    let near =
        |(day, hour)| Some(across_midnight(day_and_time(object, day, tags::ACQUISITION_TIME)?, object, day, hour));
    let others = [(tags::SERIES_DATE, tags::SERIES_TIME), (tags::STUDY_DATE, tags::STUDY_TIME)];
    moment(object, object, tags::ACQUISITION_DATE_TIME).or_else(written).or_else(|| others.into_iter().find_map(near))
}

/// The name of an attribute that says when an acquisition or its series was, and holds no date or time; none: all are
/// good, or not there. Another clock in its place may be hours away.
pub(super) fn no_moment(object: &Object) -> Option<&'static str> {
    type IsGood = fn(&str) -> bool;
    let (day, hour): (IsGood, IsGood) = (|text| date(text).is_some(), |text| time(text).is_some());
    let both: IsGood = |text| date_time(text).is_some() || is_day(text);
    let all = [
        (tags::ACQUISITION_DATE_TIME, both, "Acquisition DateTime"),
        (tags::ACQUISITION_DATE, day, "Acquisition Date"),
        (tags::ACQUISITION_TIME, hour, "Acquisition Time"),
        (tags::SERIES_DATE, day, "Series Date"),
        (tags::SERIES_TIME, hour, "Series Time"),
    ];
    let found = all.into_iter().find(|(tag, is_good, _)| object.text(*tag).is_some_and(|text| !is_good(&text)));
    found.map(|(_, _, name)| name)
}

/// The two moments at which an acquisition began, where a file says it twice and the two disagree.
pub(super) fn two_acquisitions(object: &Object) -> Option<[Moment; 2]> {
    // What leaves out minutes says too little.
    let has_minutes = |tag, digits: usize| {
        let text = object.text(tag).unwrap_or_default();
        text.bytes().take_while(u8::is_ascii_digit).count() >= digits || text.contains(':')
    };
    if !has_minutes(tags::ACQUISITION_DATE_TIME, 12) || !has_minutes(tags::ACQUISITION_TIME, 4) {
        return None;
    }
    let whole = moment(object, object, tags::ACQUISITION_DATE_TIME)?;
    let parts = day_and_time(object, tags::ACQUISITION_DATE, tags::ACQUISITION_TIME)?;
    (whole.seconds_since(&parts).abs() > SAME_S).then_some([whole, parts])
}

/// Whether the day of an acquisition is not written, but taken from the series or study.
pub(super) fn acquisition_day_is_assumed(object: &Object) -> bool {
    let has = |tag| object.text(tag).is_some();
    has(tags::ACQUISITION_TIME) && !has(tags::ACQUISITION_DATE) && !has(tags::ACQUISITION_DATE_TIME)
}

/// A time on the day of the series or study, on the day before or after if it is within hours of it there.
fn across_midnight(at: Moment, object: &Object, day: dicom_core::Tag, hour: dicom_core::Tag) -> Moment {
    let Some(begun) = day_and_time(object, day, hour) else { return at };
    let days: i64 = match begun.seconds_since(&at) {
        early_s if early_s > ACROSS_MIDNIGHT_S => 1,
        early_s if early_s < -ACROSS_MIDNIGHT_S => -1,
        _ => 0,
    };
    Moment { clock: at.clock.checked_add(days.days()).unwrap_or(at.clock), ..at }
}

/// When a series began.
pub(super) fn series(object: &Object) -> Option<Moment> {
    let days = [tags::SERIES_DATE, tags::ACQUISITION_DATE, tags::STUDY_DATE];
    days.into_iter().find_map(|day| day_and_time(object, day, tags::SERIES_TIME))
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::*;

    #[test]
    fn dates_and_times_in_their_forms() {
        let text = |written: &str| date_time(written).map(|moment| moment.text());
        assert_eq!(text("20261103101500.00").as_deref(), Some("2026-11-03T10:15:00"));
        assert_eq!(text("20261103101500.25+0130").as_deref(), Some("2026-11-03T10:15:00.250+01:30"));
        assert_eq!(text("2026110310-0500").as_deref(), Some("2026-11-03T10:00:00-05:00"));
        for bad in ["", "20261103", "20261303101500", "2026110325", "202611031015001", "20261103101500+1"] {
            assert_eq!(text(bad), None, "{bad}");
        }
        assert_eq!(time("10:15:30.5"), Time::new(10, 15, 30, 500_000_000).ok());
        assert_eq!(date("2026.11.03"), Date::new(2026, 11, 3).ok());
    }

    #[test]
    fn differences_are_absolute_where_offsets_are_known() {
        let at = |text: &str| date_time(text).expect("a time");
        assert_eq!(at("20261103101500+0100").seconds_since(&at("20261103091500+0000")), 0.0);
        assert_eq!(at("20261104003000").seconds_since(&at("20261103233000+0100")), 3600.0);
        assert_eq!(at("20261103091500+0000").on_clock_of(Some(60)).text(), "2026-11-03T10:15:00+01:00");
    }

    #[test]
    fn an_acquisition_without_a_date_may_lie_across_midnight() {
        let object = |times: [&str; 2]| {
            let elements = [
                (tags::SERIES_DATE, VR::DA, "20261103"),
                (tags::SERIES_TIME, VR::TM, times[0]),
                (tags::ACQUISITION_TIME, VR::TM, times[1]),
            ];
            Object::from_element_iter(
                elements.map(|(tag, vr, text)| DataElement::new(tag, vr, PrimitiveValue::from(text))),
            )
        };
        for (times, expected) in [
            (["235000", "000500"], "2026-11-04T00:05:00"),
            (["001000", "235000"], "2026-11-02T23:50:00"),
            (["233000", "101500"], "2026-11-03T10:15:00"),
            (["101500", "104500"], "2026-11-03T10:45:00"),
        ] {
            assert_eq!(acquisition(&object(times)).map(|moment| moment.text()).as_deref(), Some(expected), "{times:?}");
        }
    }

    #[test]
    fn what_is_computed_is_on_whole_seconds() {
        let later = date_time("20261103235959").expect("a time").later(1.6).expect("a time");
        assert_eq!(later.text(), "2026-11-04T00:00:01");
    }
}
