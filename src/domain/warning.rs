//! What is possible but implausible: warnings, each by a stated rule.

use serde::{Deserialize, Serialize};

use super::{DoseRequest, DoseResult, Method};

/// Largest activity that nobody is warned of [Bq]: 1 TBq.
const MAX_ACTIVITY_BQ: f64 = 1e12;
/// Smallest activity that nobody is warned of [Bq]: 1 kBq.
const MIN_ACTIVITY_BQ: f64 = 1e3;
/// Voxels below this density hold air [g/cm³].
const AIR_BELOW_G_CM3: f32 = 0.05;
/// Largest share of the decays that may lie in air.
const MAX_SHARE_IN_AIR: f64 = 0.01;
/// Largest dose that nobody is warned of [Gy]: 10 kGy.
const MAX_DOSE_GY: f32 = 1e4;
/// Largest share of the energy that may be absorbed outside the grid.
const MAX_SHARE_OUTSIDE: f64 = 0.05;

/// Something implausible, or left out of the dose. Not an error: the dose is what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable reason, such as `ACTIVITY_IN_AIR`.
    pub reason: String,
    /// The same in words, with figures.
    pub message: String,
    /// Path of the field on the wire that it is about; empty: none in particular.
    pub field: String,
}

impl Warning {
    /// A warning about a field.
    pub fn new(reason: &str, field: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into(), field: field.to_owned() }
    }

    /// What is implausible in a request: no activity, a total activity above 1 TBq or below 1 kBq, activity in air.
    ///
    /// The total activity is that whose complete physical decay makes the decays of the first map.
    pub fn of_request(request: &DoseRequest) -> Vec<Self> {
        let total = request.activity().total();
        if total <= 0.0 && request.volumes().daughters.iter().all(|map| map.total() <= 0.0) {
            return vec![Self::new("NO_ACTIVITY", "activity", "the map holds no activity, so there is no dose")];
        }
        let mut warnings = Vec::new();
        let half_life_s = request.source().parent().map(|parent| parent.half_life_s);
        if let Some(half_life_s) = half_life_s.filter(|_| total > 0.0) {
            let activity_bq = total * std::f64::consts::LN_2 / half_life_s;
            let meaning = format!(
                "{total:.3e} decays are those of {:.3e} MBq decaying completely; is the unit right?",
                activity_bq / 1e6
            );
            if activity_bq > MAX_ACTIVITY_BQ {
                warnings.push(Self::new("ACTIVITY_HIGH", "activity_unit", meaning + " More than 1 TBq is implausible"));
            } else if activity_bq < MIN_ACTIVITY_BQ {
                warnings.push(Self::new("ACTIVITY_LOW", "activity_unit", meaning + " Less than 1 kBq is implausible"));
            }
        }
        if let Some(density) = request.density() {
            let pairs = request.activity().decays().as_slice().iter().zip(density.g_cm3().as_slice());
            let in_air: f64 = pairs.filter(|(_, g_cm3)| **g_cm3 < AIR_BELOW_G_CM3).map(|(v, _)| f64::from(*v)).sum();
            if in_air > MAX_SHARE_IN_AIR * total {
                let message = format!(
                    "{:.1} % of the decays are in voxels below {AIR_BELOW_G_CM3} g/cm³, that is, in air; do the maps \
                     fit together?",
                    100.0 * in_air / total
                );
                warnings.push(Self::new("ACTIVITY_IN_AIR", "activity", message));
            }
        }
        warnings
    }

    /// What is implausible in a dose: a maximum above 10 kGy, and more than 5 % of the energy outside the grid. By
    /// local deposition no energy leaves the grid: photons are not followed.
    pub(crate) fn of_result(request: &DoseRequest, result: &DoseResult) -> Vec<Self> {
        let mut warnings = Vec::new();
        let max_gy = result.dose.as_slice().iter().copied().fold(0.0, f32::max);
        if max_gy > MAX_DOSE_GY {
            let message = format!("the largest dose is {max_gy:.4e} Gy, more than 10 kGy; is the unit right?");
            warnings.push(Self::new("DOSE_HIGH", "activity_unit", message));
        }
        let energy = &result.provenance.energy;
        let is_followed = match request.method() {
            Method::Local(_) => false,
            Method::Kernel(_) | Method::MonteCarlo(_) => true,
        };
        if is_followed && energy.escaped_mev > MAX_SHARE_OUTSIDE * energy.emitted_mev {
            let message = format!(
                "{:.1} % of the energy is absorbed outside the grid",
                100.0 * energy.escaped_mev / energy.emitted_mev
            );
            warnings.push(Self::new("ENERGY_OUTSIDE_GRID", "activity.grid", message));
        }
        warnings
    }
}
