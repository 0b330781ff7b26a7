//! What is possible but implausible: warnings, each by a stated rule. `docs/warnings.md` has the rules for readers.

mod dose;
mod maps;
mod request;

use serde::{Deserialize, Serialize};

use super::{DensityMap, DoseError, DoseRequest, DoseResult, TallyRecord, TimeIntegratedActivity};

/// Something implausible, or left out of the dose. Not an error: the dose is what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable reason, such as `ACTIVITY_IN_AIR`.
    pub reason: String,
    /// The same in words, with figures.
    pub message: String,
    /// Path of the field on the wire that it is about, or the flag where no field is; empty: none in particular.
    pub field: String,
}

/// What a tally keeps of its request.
#[derive(Clone, Debug)]
pub struct MergedMaps {
    /// Decays per voxel.
    pub activity: TimeIntegratedActivity,
    /// Mass density.
    pub density: DensityMap,
    /// Energy of all photons that are emitted [MeV].
    pub photons_mev: f64,
}

impl MergedMaps {
    /// Those of a tally. Values are shared.
    pub fn of(record: &TallyRecord) -> Self {
        let emissions = &record.scene.emissions;
        let charged_mev = emissions.electron_mev + emissions.positron_mev + emissions.local_mev;
        let photons_mev = record.activity.total() * (emissions.released_mev - charged_mev);
        Self { activity: record.activity.clone(), density: record.density.clone(), photons_mev }
    }
}

/// Every reason of a warning.
pub const REASONS: [&str; 20] = [
    NO_ACTIVITY,
    ACTIVITY_HIGH,
    ACTIVITY_LOW,
    ACTIVITY_ABOVE_INJECTED,
    HALF_LIFE_ABOVE_PHYSICAL,
    RESIDENCE_TIME_HIGH,
    CUT_LOWERED,
    ACTIVITY_IN_AIR,
    ACTIVITY_OUTSIDE_BODY,
    DENSITY_ZERO,
    DENSITY_BELOW_TISSUE,
    DOSE_HIGH,
    ENERGY_OUTSIDE_GRID,
    TARGET_NOT_REACHED,
    CT_WITHOUT_AIR,
    CT_OUTSIDE_CALIBRATION,
    NAME_WITHOUT_LABEL,
    ORGAN_CUT_OFF,
    INPUT_FILE,
    VALUES_REPLACED,
];

/// There is no activity at all.
pub const NO_ACTIVITY: &str = "NO_ACTIVITY";
/// The total activity is above that of any treatment.
pub const ACTIVITY_HIGH: &str = "ACTIVITY_HIGH";
/// The total activity is below that of any treatment.
pub const ACTIVITY_LOW: &str = "ACTIVITY_LOW";
/// More activity is in the map than was injected.
pub const ACTIVITY_ABOVE_INJECTED: &str = "ACTIVITY_ABOVE_INJECTED";
/// The effective half-life is longer than the physical one.
pub const HALF_LIFE_ABOVE_PHYSICAL: &str = "HALF_LIFE_ABOVE_PHYSICAL";
/// More decays for each Bq injected than its complete physical decay makes.
pub const RESIDENCE_TIME_HIGH: &str = "RESIDENCE_TIME_HIGH";
/// A cut is too high for the voxels, and was lowered.
pub const CUT_LOWERED: &str = "CUT_LOWERED";
/// Activity lies in voxels of air.
pub const ACTIVITY_IN_AIR: &str = "ACTIVITY_IN_AIR";
/// Activity lies outside the body.
pub const ACTIVITY_OUTSIDE_BODY: &str = "ACTIVITY_OUTSIDE_BODY";
/// The density is 0 everywhere.
pub const DENSITY_ZERO: &str = "DENSITY_ZERO";
/// Nothing is as dense as tissue.
pub const DENSITY_BELOW_TISSUE: &str = "DENSITY_BELOW_TISSUE";
/// The largest dose is above that of any treatment.
pub const DOSE_HIGH: &str = "DOSE_HIGH";
/// More energy is absorbed outside the grid than outside a body.
pub const ENERGY_OUTSIDE_GRID: &str = "ENERGY_OUTSIDE_GRID";
/// A Monte Carlo run ended before its target uncertainty: it is told, and is no error.
pub const TARGET_NOT_REACHED: &str = "TARGET_NOT_REACHED";
/// A CT has no air in it.
pub const CT_WITHOUT_AIR: &str = "CT_WITHOUT_AIR";
/// A CT has numbers beyond its calibration.
pub const CT_OUTSIDE_CALIBRATION: &str = "CT_OUTSIDE_CALIBRATION";
/// A name is given for a label that no voxel has.
pub const NAME_WITHOUT_LABEL: &str = "NAME_WITHOUT_LABEL";
/// The grid of the dose holds a part of an organ only.
pub const ORGAN_CUT_OFF: &str = "ORGAN_CUT_OFF";
/// Something about an input file, told as it was read.
pub const INPUT_FILE: &str = "INPUT_FILE";
/// NaN or values below 0 were set to another value, as the caller asked: it is told, and is no error.
pub const VALUES_REPLACED: &str = "VALUES_REPLACED";

impl Warning {
    /// * `field` – see [`Warning::field`]
    pub fn new(reason: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), field: field.into() }
    }

    /// What is implausible in a request, known before any work.
    pub fn of_request(request: &DoseRequest) -> Vec<Self> {
        let mut warnings = request::of_totals(request);
        warnings.extend(request::of_cuts(request));
        warnings.extend(request.density().and_then(maps::of_density));
        warnings.extend(maps::of_places(request));
        warnings
    }

    /// What is implausible in a dose.
    pub fn of_dose(request: &DoseRequest, result: &DoseResult) -> Vec<Self> {
        let mut warnings: Vec<_> = dose::of_maximum(&result.dose).into_iter().collect();
        warnings.extend(dose::of_energy_of(request, result));
        warnings.extend(dose::of_targets(&result.provenance));
        warnings
    }

    /// What is implausible in a dose that was merged from tallies, and in the maps that these hold.
    pub fn of_merged(maps: &MergedMaps, result: &DoseResult) -> Vec<Self> {
        let MergedMaps { activity, density, photons_mev } = maps;
        let total = (activity.total() > 0.0).then(|| request::of_total(&result.activity)).flatten();
        let mut warnings: Vec<_> = total.into_iter().chain(maps::of_density(density)).collect();
        if activity.total() <= 0.0 {
            warnings.push(request::no_activity());
        }
        warnings.extend(maps::of_place("activity", activity, density));
        warnings.extend(dose::of_maximum(&result.dose));
        warnings.extend(dose::of_energy(&result.provenance.energy, *photons_mev));
        warnings
    }

    /// Adds warnings that are not there yet.
    pub fn add(all: &mut Vec<Self>, more: impl IntoIterator<Item = Self>) {
        for warning in more {
            if !all.contains(&warning) {
                all.push(warning);
            }
        }
    }

    /// # Errors
    /// [`DoseError::Implausible`] with every warning of what is implausible, if there is one and warnings are errors.
    /// What the caller asked for and how far a run came are not.
    pub fn check(warnings: &[Self], strict: bool) -> Result<(), DoseError> {
        let told = [VALUES_REPLACED, TARGET_NOT_REACHED];
        let implausible = || warnings.iter().filter(|warning| !told.contains(&warning.reason.as_str()));
        if strict && implausible().next().is_some() {
            return Err(DoseError::Implausible(implausible().cloned().collect()));
        }
        Ok(())
    }
}

/// A part of the whole as a percentage with two significant digits or two decimals.
fn percent(share: f64) -> String {
    if share >= 1e-3 { format!("{:.1} %", 100.0 * share) } else { format!("{:.1e} %", 100.0 * share) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_documented_and_no_other() {
        let text = include_str!("../../../docs/warnings.md");
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(reason, _)| reason));
        assert_eq!(rows.collect::<std::collections::BTreeSet<_>>(), REASONS.into_iter().collect());
    }

    #[test]
    fn what_was_asked_for_is_no_error() {
        let asked = Warning::new(VALUES_REPLACED, "activity", "3 voxels");
        assert_eq!(Warning::check(&[Warning::new(TARGET_NOT_REACHED, "", "2 %")], true), Ok(()));
        let other = Warning::new(DOSE_HIGH, "activity_unit", "1e5 Gy");
        assert_eq!(Warning::check(std::slice::from_ref(&asked), true), Ok(()));
        assert_eq!(Warning::check(&[asked.clone(), other.clone()], false), Ok(()));
        assert_eq!(
            Warning::check(&[asked.clone(), other.clone()], true),
            Err(DoseError::Implausible(vec![other.clone()]))
        );
        let mut all = vec![asked.clone()];
        Warning::add(&mut all, [other.clone(), asked.clone(), other.clone()]);
        assert_eq!(all, [asked, other]);
    }
}
