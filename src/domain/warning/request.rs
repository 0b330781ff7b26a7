//! Of totals: activities, half-lives, decays for each Bq injected.

use std::f64::consts::LN_2;

use super::{
    ACTIVITY_ABOVE_INJECTED, ACTIVITY_HIGH, ACTIVITY_LOW, CUT_LOWERED, HALF_LIFE_ABOVE_PHYSICAL, NO_ACTIVITY,
    RESIDENCE_TIME_HIGH, Warning,
};
use crate::domain::activity_account::activity_words;
use crate::domain::{ActivityAccount, DoseRequest, Method};

/// Largest total activity that nobody is warned of [Bq]: ten times what is given with I-131.
const MOST_BQ: f64 = 1e12;
/// Smallest total activity that nobody is warned of [Bq]: a thousandth of what is given with Ac-225.
const LEAST_BQ: f64 = 1e3;
/// Published half-lives differ a little: the effective one, and the decays for each Bq, may exceed the physical by this
/// factor.
const HALF_LIFE_TOLERANCE: f64 = 1.02;
/// Calibrations of scanner and dose calibrator differ: so many times the injected activity may be in a map.
const CALIBRATION_TOLERANCE: f64 = 1.1;

/// The path of an activity that was injected.
const INJECTED: &str = "injected_activity_bq";
/// The path of the unit of the first map.
const UNIT: &str = "activity_unit";

pub(super) fn of_totals(request: &DoseRequest) -> Vec<Warning> {
    let total = request.activity().total();
    if total <= 0.0 && request.volumes().daughters.iter().all(|map| map.total() <= 0.0) {
        return vec![no_activity()];
    }
    if total <= 0.0 {
        return Vec::new();
    }
    let account = ActivityAccount::of(request);
    let physical = request.source().parent().map(|parent| (parent.name.as_str(), parent.half_life_s));
    let warnings = [
        of_total(&account),
        physical.and_then(|(name, half_life_s)| of_half_life(&account, name, half_life_s)),
        of_injected(&account),
        physical.and_then(|(name, half_life_s)| of_residence(&account, name, half_life_s)),
    ];
    warnings.into_iter().flatten().collect()
}

/// Cuts that the voxels do not allow.
pub(super) fn of_cuts(request: &DoseRequest) -> Vec<Warning> {
    let Method::MonteCarlo(options) = request.method() else {
        return Vec::new();
    };
    let (chosen, used) = (&options.cuts, options.cuts.lowered(request.activity().decays().grid()));
    let cuts = [
        ("absorption_mev", chosen.absorption_mev, used.absorption_mev),
        ("collision_mev", chosen.collision_mev, used.collision_mev),
        ("photon_mev", chosen.photon_mev, used.photon_mev),
        ("track_length_mev", chosen.track_length_mev, used.track_length_mev),
    ];
    let lowered = cuts.into_iter().filter_map(|(field, chosen, used)| {
        let (chosen, used) = chosen.zip(used).filter(|(chosen, used)| used < chosen)?;
        let message = format!(
            "{:.3} keV would let a dose in voxels of this size depend on the cut; {:.3} keV is used",
            1e3 * chosen,
            1e3 * used
        );
        Some(Warning::new(CUT_LOWERED, format!("method.monte_carlo.cuts.{field}"), message))
    });
    lowered.collect()
}

pub(super) fn no_activity() -> Warning {
    Warning::new(NO_ACTIVITY, "activity", "every voxel is 0, and so is the dose; is this the right file?")
}

/// A total activity that is no treatment's.
pub(super) fn of_total(account: &ActivityAccount) -> Option<Warning> {
    let bq = account.total_bq()?;
    let what = match (account.at_injection_bq, account.at_imaging_bq) {
        (Some(_), _) => "at the injection",
        (None, Some(_)) => "in the map",
        (None, None) => "decaying completely would make its decays",
    };
    let words = format!("{} {what}", activity_words(bq));
    if bq > MOST_BQ {
        return Some(Warning::new(ACTIVITY_HIGH, UNIT, format!("{words}, more than 1 TBq; is the unit right?")));
    }
    (bq < LEAST_BQ).then(|| Warning::new(ACTIVITY_LOW, UNIT, format!("{words}, less than 1 kBq; is the unit right?")))
}

fn of_half_life(account: &ActivityAccount, name: &str, physical_s: f64) -> Option<Warning> {
    Warning::of_effective_half_life(account.half_life_s?, name, physical_s, format!("{UNIT}.half_life"))
}

fn of_injected(account: &ActivityAccount) -> Option<Warning> {
    let injected_bq = account.injected_bq?;
    let (bq, when) = match (account.at_injection_bq, account.at_imaging_bq) {
        (Some(bq), _) => (bq, "at the injection"),
        (None, Some(bq)) => (bq, "at the image"),
        (None, None) => return None,
    };
    (bq > injected_bq * CALIBRATION_TOLERANCE).then(|| {
        let [there, injected] = [bq, injected_bq].map(activity_words);
        Warning::new(ACTIVITY_ABOVE_INJECTED, INJECTED, format!("{there} in the map {when}, for {injected} injected"))
    })
}

fn of_residence(account: &ActivityAccount, name: &str, physical_s: f64) -> Option<Warning> {
    Warning::of_coefficient(account.time_integrated_activity_coefficient_h?, name, physical_s, INJECTED)
}

impl Warning {
    /// More decays for each Bq injected than there were nuclei.
    ///
    /// * `hours` – time-integrated activity coefficient [h]
    /// * `name`, `physical_s` – the nuclide and its physical half-life [s]
    pub fn of_coefficient(hours: f64, name: &str, physical_s: f64, field: &str) -> Option<Self> {
        let mean_life_h = physical_s / LN_2 / 3600.0;
        (hours > mean_life_h * HALF_LIFE_TOLERANCE).then(|| {
            let message = format!(
                "{hours:.4} h for each Bq injected is more than the mean life of {name}, {mean_life_h:.4} h: more \
                 decays than there were nuclei"
            );
            Self::new(RESIDENCE_TIME_HIGH, field, message)
        })
    }

    /// An effective half-life that is longer than the physical one.
    ///
    /// * `seconds` – effective half-life [s]
    /// * `name`, `physical_s` – the nuclide and its physical half-life [s]
    pub fn of_effective_half_life(seconds: f64, name: &str, physical_s: f64, field: impl Into<String>) -> Option<Self> {
        (seconds > physical_s * HALF_LIFE_TOLERANCE).then(|| {
            let (effective_h, physical_h) = (seconds / 3600.0, physical_s / 3600.0);
            let message =
                format!("{effective_h:.2} h is longer than the physical half-life of {name}, {physical_h:.2} h");
            Self::new(HALF_LIFE_ABOVE_PHYSICAL, field, message)
        })
    }

    /// An activity above that of any treatment.
    pub fn of_high_activity(bq: f64, field: impl Into<String>) -> Option<Self> {
        (bq > MOST_BQ).then(|| {
            let message = format!("{} is more than 1 TBq; is the unit right?", activity_words(bq));
            Self::new(ACTIVITY_HIGH, field, message)
        })
    }
}
