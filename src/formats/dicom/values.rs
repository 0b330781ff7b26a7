//! What stored values of a CT and of a dose are.

use std::cell::Cell;

use dicom_dictionary_std::tags;

use super::attributes::{Attributes, Frame, Object};
use super::image::ValueOf;
use super::pixels::Layout;
use super::scale::{check_no_table, rescale};
use super::write::DoseKind;
use crate::domain::Invalid;

/// CT number of air, for what lies outside the field of view [HU].
const AIR_HU: f64 = -1000.0;

/// CT numbers that noise and rounding make of air [HU].
const AIR: std::ops::RangeInclusive<f64> = -1100.0..=-900.0;
/// Least part of a CT that is air: what lies around the patient, or in the lungs.
const LEAST_AIR: f64 = 0.01;

/// What values look like whose unit is not specified (Rescale Type US): some scanners write so beside plain CT numbers.
#[derive(Default)]
pub(super) struct Unspecified {
    is_met: Cell<bool>,
    values: Cell<u64>,
    air: Cell<u64>,
    lowest: Cell<f64>,
}

impl Unspecified {
    /// Whether a frame has such a type.
    pub(super) fn is_met(&self) -> bool {
        self.is_met.get()
    }

    fn see(&self, value: f64) {
        self.values.set(self.values.get() + 1);
        self.air.set(self.air.get() + u64::from(AIR.contains(&value)));
        self.lowest.set(self.lowest.get().min(value));
    }

    /// What to say of them; nothing where there are none.
    ///
    /// # Errors
    /// If they do not look like CT numbers.
    pub(super) fn judge(&self) -> Result<Option<String>, Invalid> {
        if !self.is_met() {
            return Ok(None);
        }
        let (lowest, part) = (self.lowest.get(), self.air.get() as f64 / self.values.get().max(1) as f64);
        if lowest < *AIR.start() || part < LEAST_AIR {
            return Err(Invalid::new(format!(
                "is a CT whose Rescale Type is not HU but US (unspecified), and its values do not look like CT numbers: \
                 the lowest is {lowest}, and {:.1} % are those of air, {} to {}",
                100.0 * part,
                AIR.start(),
                AIR.end()
            )));
        }
        Ok(Some(format!(
            "the Rescale Type is US (unspecified); the values are taken as CT numbers, since {:.0} % are those of air and \
             none is lower",
            100.0 * part
        )))
    }
}

/// CT numbers. Source: DICOM PS3.3, C.8.2.1 (CT image), C.7.5.1.1.2 (Pixel Padding Value), C.11.1 (Rescale Type).
///
/// * `unspecified` – is told of values without a unit
pub(super) fn ct_scale<'a>(
    object: &'a Object,
    frame: usize,
    layout: &'a Layout,
    unspecified: &'a Unspecified,
) -> Result<ValueOf<'a>, Invalid> {
    check_no_table(object)?;
    let groups = Frame::new(object, frame);
    let group = groups.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE).unwrap_or(object);
    let unit = group.text(tags::RESCALE_TYPE);
    let is_unspecified = unit.as_deref() == Some("US");
    unspecified.is_met.set(unspecified.is_met() || is_unspecified);
    if let Some(unit) = unit.filter(|unit| !matches!(unit.as_str(), "HU" | "US")) {
        let known = ["HU_MOD", "OD", "Z_EFF", "ED", "EDW", "MGML", "PCT"].into_iter().find(|known| *known == unit);
        let shown = known.map_or_else(String::new, |known| format!(" but {known}"));
        return Err(Invalid::new(format!("is a CT whose Rescale Type is not HU{shown}")));
    }
    let line = rescale(groups)?;
    let has_intercept = groups.number(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_INTERCEPT).is_some();
    let has_slope = groups.number(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tags::RESCALE_SLOPE).is_some();
    if has_intercept && !has_slope {
        return Err(Invalid::new("is a CT with a Rescale Intercept and without a Rescale Slope: export it with both"));
    }
    if !has_intercept && !layout.signed {
        return Err(Invalid::new(
            "is a CT without Rescale Slope and Intercept, and its unsigned values cannot be CT numbers: air is below 0",
        ));
    }
    let (slope, intercept) = line.map_or((1.0, 0.0), |line| (line.slope, line.intercept));
    #[expect(clippy::cast_possible_truncation, reason = "at most 32 bits")]
    let number = |tag| object.number(tag).map(|number| layout.reinterpret(number as i64));
    let padding = number(tags::PIXEL_PADDING_VALUE);
    let limit = number(tags::PIXEL_PADDING_RANGE_LIMIT).or(padding);
    let range = padding.zip(limit).map(|(a, b)| (a.min(b), a.max(b)));
    Ok(Box::new(move |stored, raw| {
        let whole = layout.reinterpret(i64::from(raw));
        let is_padding =
            range.is_some_and(|(low, high)| (low..=high).contains(&stored) || (low..=high).contains(&whole));
        if is_padding {
            return Some(AIR_HU);
        }
        let value = slope * stored as f64 + intercept;
        if is_unspecified {
            unspecified.see(value);
        }
        Some(value)
    }))
}

/// Whether a dose is what it has to be, by its Dose Type; one without is absorbed dose.
fn check_dose_type(object: &Object, kind: Option<DoseKind>) -> Result<(), Invalid> {
    let written = object.text(tags::DOSE_TYPE);
    let written = written.as_deref().unwrap_or(DoseKind::Physical.dose_type());
    let Some(own) = DoseKind::ALL.into_iter().find(|kind| kind.dose_type() == written) else {
        return Err(Invalid::new("is a dose whose Dose Type is none of PHYSICAL, EFFECTIVE and ERROR"));
    };
    let words = match own {
        DoseKind::Physical => "is an absorbed dose (Dose Type PHYSICAL)",
        DoseKind::Effective => "is a dose weighted by its effect (Dose Type EFFECTIVE), such as BED or EQD2",
        DoseKind::Uncertainty => "is the uncertainty of a dose (Dose Type ERROR), not a dose",
    };
    match kind {
        None if own == DoseKind::Uncertainty => Err(Invalid::new(words)),
        Some(kind) if kind != own => {
            Err(Invalid::new(format!("{words}; one of the kind {} ({}) is needed", kind.name(), kind.dose_type())))
        }
        None | Some(_) => Ok(()),
    }
}

/// Dose. Source: DICOM PS3.3, C.8.8.3.
///
/// * `kind` – what it has to be; none: an absorbed or a weighted one
pub(super) fn dose_scale(object: &Object, kind: Option<DoseKind>) -> Result<ValueOf<'_>, Invalid> {
    let units = object.text(tags::DOSE_UNITS).unwrap_or_default();
    if units != "GY" {
        return Err(Invalid::new("is a dose that is not in Gy (Dose Units)"));
    }
    check_dose_type(object, kind)?;
    let scaling = object.number(tags::DOSE_GRID_SCALING).filter(|scaling| *scaling > 0.0);
    let scaling = scaling.ok_or_else(|| Invalid::new("has no Dose Grid Scaling above 0"))?;
    Ok(Box::new(move |stored, _| Some(stored as f64 * scaling)))
}
