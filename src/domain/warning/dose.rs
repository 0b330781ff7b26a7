//! Of a dose: its maximum, the energy that is not in it, and an uncertainty that was not reached.

use super::{DOSE_HIGH, ENERGY_OUTSIDE_GRID, TARGET_NOT_REACHED, Warning, percent};
use crate::domain::passes::largest;
use crate::domain::{DoseRequest, DoseResult, EnergyAccount, Method, Provenance, Volume};

/// Largest dose that nobody is warned of [Gy].
const MOST_GY: f32 = 1e4;
/// Part of the energy of photons that may leave the grid without a warning: an adult absorbs about a third of the
/// energy of photons of 0.1 to 1 MeV that are emitted in the body.
///
/// Source: MIRD Pamphlet 5 revised (1978), absorbed fractions of whole body in whole body, 0.32 to 0.40.
const PHOTON_SHARE_LEAVING: f64 = 2.0 / 3.0;
/// Part of all energy that may be absorbed outside the grid besides.
const MOST_SHARE: f64 = 0.03;

pub(super) fn of_maximum(dose: &Volume<f32>) -> Option<Warning> {
    let max_gy = largest(dose.as_slice())?;
    (max_gy > MOST_GY).then(|| {
        let message = format!("the largest dose is {max_gy:.4e} Gy, more than 10 kGy; is the unit of activity right?");
        Warning::new(DOSE_HIGH, "activity_unit", message)
    })
}

/// By local deposition nothing is absorbed outside: photons are not followed.
pub(super) fn of_energy_of(request: &DoseRequest, result: &DoseResult) -> Option<Warning> {
    match request.method() {
        Method::Local(_) => return None,
        Method::Kernel(_) | Method::MonteCarlo(_) => {}
    }
    let maps = std::iter::once(request.activity()).chain(&request.volumes().daughters);
    let photons_mev: f64 = maps
        .zip(request.header().sources())
        .map(|(map, source)| map.total() * (source.released_mev() - source.charged_mev()))
        .sum();
    of_energy(&result.provenance.energy, photons_mev)
}

/// * `photons_mev` – energy of all photons that are emitted [MeV]
pub(super) fn of_energy(energy: &EnergyAccount, photons_mev: f64) -> Option<Warning> {
    let allowed_mev = MOST_SHARE * energy.emitted_mev + PHOTON_SHARE_LEAVING * photons_mev;
    (energy.emitted_mev > 0.0 && energy.escaped_mev > allowed_mev).then(|| {
        let message = format!(
            "{} of the energy is absorbed outside the grid, where a whole body loses at most {}; is the grid large \
             enough?",
            percent(energy.escaped_mev / energy.emitted_mev),
            percent(allowed_mev / energy.emitted_mev)
        );
        Warning::new(ENERGY_OUTSIDE_GRID, "activity.grid", message)
    })
}

/// Of each map with a target that its histories did not reach.
pub(super) fn of_targets(provenance: &Provenance) -> Vec<Warning> {
    let of_map = |map: &Provenance| {
        let account = map.monte_carlo.as_ref()?;
        let target = account.target.filter(|target| !target.reached)?;
        let found = account.relative_sigma.map_or_else(|| "not known".to_owned(), percent);
        let message = format!(
            "{}: the target of {} was not reached: 1σ is {found} ({}) after {} histories; more of them, or more time, \
             lower it",
            map.nuclide,
            percent(target.relative),
            account.sigma_region,
            account.histories
        );
        Some(Warning::new(TARGET_NOT_REACHED, "method.monte_carlo.target_uncertainty", message))
    };
    std::iter::once(provenance).chain(&provenance.daughter_maps).filter_map(of_map).collect()
}
