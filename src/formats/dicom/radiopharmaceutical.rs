//! What was injected, when, and how fast it decays.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::attributes::{Attributes, Object};
use super::nuclide_codes::nuclide_of;
use super::series::Kind;
use super::times::{self, Moment};
use crate::physics::nuclide;

/// Bq in an MBq.
const BQ_PER_MBQ: f64 = 1e6;
/// Activities that are given to a person and seen by a camera [Bq].
const USUAL_BQ: std::ops::RangeInclusive<f64> = 1e5..=1e12;
/// Activities that are not out of the question [Bq].
const POSSIBLE_BQ: std::ops::RangeInclusive<f64> = 1e3..=1e12;
/// Relative difference of two half-lives that is no matter of digits.
const HALF_LIFE_TOLERANCE: f64 = 0.02;

/// The longest half-life with which a scan is surely of the day of the injection, or of the night after it [s].
const SAME_DAY_S: f64 = 12.0 * 3600.0;

/// How far two times may be apart and mean the same [s].
const SAME_S: f64 = 60.0;

/// An injection, as the file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Injection {
    /// When, ISO 8601 by the local clock.
    pub time: Option<String>,
    /// Activity [MBq].
    pub mbq: Option<f64>,
}

/// What a file says of its radiopharmaceutical.
#[derive(Clone, Debug, Default)]
pub(super) struct Radiopharmaceutical {
    /// Name of the nuclide, as in this program.
    pub(super) nuclide: Option<&'static str>,
    /// [s], of the file, else of the nuclide.
    pub(super) half_life_s: Option<f64>,
    /// Whether the half-life of the file is not that of its nuclide.
    pub(super) is_half_life_other: bool,
    pub(super) injected_at: Option<Moment>,
    /// Whether the injection has a time of day, and nothing says on which day it was.
    pub(super) is_day_unknown: bool,
    pub(super) injected_bq: Option<f64>,
    pub(super) warnings: Vec<String>,
    /// What it says twice, for which the file is refused.
    pub(super) contradiction: Option<String>,
}

impl Radiopharmaceutical {
    /// * `kind` – the module that the activity belongs to: PET has it in Bq, NM in MBq
    /// * `scan` – when the scan began, for an injection without a date
    pub(super) fn of(object: &Object, kind: Kind, scan: Option<Moment>) -> Self {
        let items = object.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE);
        let mut found = Self::default();
        if items.len() > 1 {
            found.warnings.push(format!("{} radiopharmaceuticals are listed; the first is taken", items.len()));
        }
        let Some(item) = items.first() else { return found };
        found.decay(item);
        found.injection_time(object, item, scan);
        found.injected_activity(item, kind);
        found
    }

    fn decay(&mut self, item: &Object) {
        let code = item.item(tags::RADIONUCLIDE_CODE_SEQUENCE);
        let meaning = code.and_then(|code| code.text(tags::CODE_MEANING));
        let by_meaning = meaning.and_then(|meaning| nuclide::find(&meaning).ok());
        let by_code = code.and_then(|code| nuclide::find(nuclide_of(&code.text(tags::CODE_VALUE)?)?).ok());
        if let (Some(meaning), Some(code)) = (by_meaning, by_code)
            && meaning.name != code.name
        {
            self.contradiction = Some(format!(
                "names two nuclides: {} by the meaning of its code, {} by the code",
                meaning.name, code.name
            ));
        }
        let known = by_meaning.or(by_code);
        self.nuclide = known.map(|nuclide| nuclide.name.as_str());
        let own = known.map(|nuclide| nuclide.half_life_s);
        let written = item.number(tags::RADIONUCLIDE_HALF_LIFE).filter(|seconds| *seconds > 0.0);
        if let (Some(own), Some(written)) = (own, written)
            && (written / own - 1.0).abs() > HALF_LIFE_TOLERANCE
        {
            self.is_half_life_other = true;
            self.warnings.push(format!(
                "the half-life in the file, {written} s, is not that of its nuclide {}, {own} s; that of the file is \
                 taken for times",
                self.nuclide.unwrap_or_default()
            ));
        }
        self.half_life_s = written.or(own);
    }

    fn injection_time(&mut self, object: &Object, item: &Object, scan: Option<Moment>) {
        let whole = times::moment(object, item, tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
        if let Some(moment) = whole {
            // On the clock of the file or that of the DateTime; an hour alone says too little.
            let written = item.text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME);
            let written = written.and_then(|text| times::time(text.get(8..14)?));
            let hour = item.text(tags::RADIOPHARMACEUTICAL_START_TIME).filter(|text| text.len() >= 4);
            let hour = hour.and_then(|text| times::time(&text));
            let is_other = |hour| {
                let clocks = [Some(moment.clock.time()), written].into_iter().flatten();
                clocks.into_iter().all(|clock| times::apart_on_clock_s(hour, clock) > SAME_S)
            };
            if hour.is_some_and(is_other) {
                self.warnings.push(
                    "the injection has two times that disagree (Start DateTime and Start Time); neither is used".into(),
                );
            } else if scan.is_some_and(|scan| moment.seconds_since(&scan) > 0.0) {
                self.warnings.push("the injection is dated after the scan; its time is not used".into());
            } else {
                self.injected_at = Some(moment);
            }
            return;
        }
        let hour = item.text(tags::RADIOPHARMACEUTICAL_START_TIME).and_then(|text| times::time(&text));
        let (Some(hour), Some(scan)) = (hour, scan) else { return };
        if self.half_life_s.is_none_or(|half_life| half_life > SAME_DAY_S) {
            self.warnings.push(
                "the injection has a time and no date, and with this half-life it may have been days before the scan; the \
                 time is not used"
                    .into(),
            );
            self.is_day_unknown = true;
            return;
        }
        let same_day = Moment { clock: scan.clock.date().to_datetime(hour), ..scan };
        if same_day.seconds_since(&scan) <= 0.0 {
            self.warnings
                .push("the injection has a time and no date; it is taken to be on the date of the scan".into());
            self.injected_at = Some(same_day);
        } else if let Ok(day) = scan.clock.date().yesterday() {
            self.warnings.push(
                "the injection has a time and no date, and the time is after that of the scan; it is taken to be on \
                 the day before, across midnight"
                    .into(),
            );
            self.injected_at = Some(Moment { clock: day.to_datetime(hour), ..scan });
        }
    }

    fn injected_activity(&mut self, item: &Object, kind: Kind) {
        let Some(number) = item.number(tags::RADIONUCLIDE_TOTAL_DOSE).filter(|number| *number > 0.0) else {
            if item.text(tags::RADIONUCLIDE_TOTAL_DOSE).is_some() {
                self.warnings.push("the injected activity is no number above 0, and is not used".into());
            }
            return;
        };
        let ((unit, module), (other_unit, other)) =
            if kind == Kind::Nm { (("MBq", BQ_PER_MBQ), ("Bq", 1.0)) } else { (("Bq", 1.0), ("MBq", BQ_PER_MBQ)) };
        let (by_module, by_other) = (number * module, number * other);
        let what = format!("the injected activity, {number}, which this kind of file has in {unit},");
        self.injected_bq = if USUAL_BQ.contains(&by_module) {
            Some(by_module)
        } else if USUAL_BQ.contains(&by_other) {
            self.warnings.push(format!("{what} is taken as {other_unit}: {} MBq", by_other / BQ_PER_MBQ));
            Some(by_other)
        } else if POSSIBLE_BQ.contains(&by_module) {
            self.warnings.push(format!("{what} is unusual: {} MBq", by_module / BQ_PER_MBQ));
            Some(by_module)
        } else {
            self.warnings.push(format!("{what} is implausible in Bq and in MBq, and is not used"));
            None
        };
    }

    /// For an account.
    pub(super) fn injection(&self) -> Option<Injection> {
        let injection = Injection {
            time: self.injected_at.map(|moment| moment.text()),
            mbq: self.injected_bq.map(|bq| bq / BQ_PER_MBQ),
        };
        (injection.time.is_some() || injection.mbq.is_some()).then_some(injection)
    }
}

/// Philips' factor from counts to Bq/mL, found by its private creator; none where several differ.
pub(super) fn philips_factor(object: &Object) -> Option<f64> {
    const CREATOR: &str = "philips pet private group";
    const GROUP: u16 = 0x7053;
    let is_creator = |block: &u16| object.text(Tag(GROUP, *block)).is_some_and(|text| text.to_lowercase() == CREATOR);
    let blocks = (0x10..=0xFF).filter(is_creator);
    let factors: Vec<f64> =
        blocks.flat_map(|block| object.numbers(Tag(GROUP, block << 8 | 0x09)).unwrap_or_default()).collect();
    let first = *factors.first()?;
    (first > 0.0 && factors.iter().all(|factor| *factor == first)).then_some(first)
}
