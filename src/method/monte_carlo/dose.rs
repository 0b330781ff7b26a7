//! From a tally to a checked dose. The same for single runs and merged runs.

use super::balance::{Expected, check_book, check_scored};
use super::dosimetry::{Decays, Dosimetry};
use super::statistics::Statistics;
use crate::domain::tally::to_mev;
use crate::domain::{
    ActivityAccount, Control, DoseError, DoseResult, EnergyAccount, Extras, LabelMap, MonteCarloAccount, Provenance,
    Region, StopReason, Summed, TallyRecord, TargetAccount, Volume,
};
use crate::method::mass::{DoseScale, Mass, check_dose};
use crate::physics::nuclide;

/// What is needed for a result but not stored in a tally.
pub(super) struct Ending<'a> {
    pub(super) stopped_by: StopReason,
    /// Region for which the uncertainty is stated.
    pub(super) region: Region,
    /// The uncertainty that was to be reached there.
    pub(super) target: Option<f64>,
    pub(super) labels: Option<&'a LabelMap>,
    pub(super) histories_per_s: Option<f64>,
    pub(super) extras: Extras,
    /// What the histories must have emitted.
    pub(super) expected: Expected,
}

/// The masses by which the energy of a tally is divided.
pub(super) fn scale(record: &TallyRecord) -> DoseScale<'_> {
    let density = record.density.g_cm3();
    let minimum_g_cm3 = record.scene.minimum_density_g_cm3;
    DoseScale::new(density.grid(), Mass::Own { density_g_cm3: density.as_slice(), minimum_g_cm3 })
}

/// The decays of a record's map, and the energy that each deposits at its own place.
pub(super) fn decays(record: &TallyRecord) -> Decays<'_> {
    Decays::new(&record.activity, &record.scene.emissions)
}

/// * `summed` – what a device has summed up, where the tally is without the energy of the voxels
///
/// # Errors
/// [`DoseError::EnergyBalance`] or [`DoseError::NotPhysical`] for a tally that is not possible;
/// [`DoseError::Cancelled`].
pub(super) fn dose(
    record: TallyRecord,
    summed: Option<&Summed>,
    ending: &Ending,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let ranges: Vec<_> = record.runs.iter().map(|run| run.first_history..run.end()).collect();
    check_book(&record.tally, &ranges, &ending.expected)?;
    let statistics = summed.map_or_else(|| Statistics::new(&record.tally), Statistics::of_summed);
    check_scored(&record.tally, &statistics.scored(), &ending.expected)?;
    let grid = record.activity.decays().grid().clone();
    let decays = decays(&record);
    let dosimetry = Dosimetry { statistics, scale: scale(&record), decays };
    let (dose, sigma) = dosimetry.maps(grid.voxels(), control)?;
    check_dose(&dose)?;
    check_dose(&sigma)?;
    let account = account(&record, ending, &dosimetry, control)?;
    if account.exhausted_rejections > 0 {
        let exhausted_rejections = account.exhausted_rejections;
        tracing::warn!(exhausted_rejections, "rejection loops reached their bound and took their last draw");
    }
    let provenance = Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
        device: record
            .runs
            .first()
            .map(|run| run.device.clone())
            .ok_or_else(|| DoseError::invalid("tally", "has no runs"))?,
        method: "monte-carlo".to_owned(),
        density_correction: None,
        minimum_density_g_cm3: Some(record.scene.minimum_density_g_cm3),
        nuclide: record.scene.nuclide.clone(),
        nuclide_data_sha256: record.scene.nuclide_data_sha256.clone(),
        source: record.scene.source.clone(),
        decays: decays.total,
        energy: energy(&account, &dosimetry),
        kernel: None,
        monte_carlo: Some(account),
        biological_weighting: None,
        daughter_maps: Vec::new(),
        wall_time: Vec::new(),
    };
    let volume = |values| Volume::from_vec(grid.clone(), values).expect("one value for each voxel of the grid");
    let uncertainty = ending.extras.uncertainty.then(|| volume(sigma));
    let tally = ending.extras.tally.then(|| Box::new(record));
    let half_life_s = nuclide::find(&provenance.nuclide).ok().map(|nuclide| nuclide.half_life_s);
    let activity = ActivityAccount::of_decays(provenance.decays, None, half_life_s);
    let dose = volume(dose);
    Ok(DoseResult { dose, uncertainty, weighted: None, tally, provenance, activity, warnings: Vec::new() })
}

fn account(
    record: &TallyRecord,
    ending: &Ending,
    dosimetry: &Dosimetry,
    control: &Control,
) -> Result<MonteCarloAccount, DoseError> {
    let (scene, tally) = (&record.scene, &record.tally);
    let sigma = dosimetry.relative_sigma(ending.region, ending.labels, control)?;
    let reached = |relative: f64| sigma.is_some_and(|sigma| sigma.relative <= relative);
    let mut regions = match ending.labels {
        Some(labels) => dosimetry.regions(labels, &dosimetry.label_sigmas(labels, control)?),
        None => Vec::new(),
    };
    if ending.target.is_none() || ending.region != Region::AllRegions {
        regions.iter_mut().for_each(|region| region.held_to = None);
    }
    let target = ending.target.map(|relative| TargetAccount { relative, reached: reached(relative) });
    Ok(MonteCarloAccount {
        seed: scene.seed,
        first_history: record.runs.first().map_or(0, |run| run.first_history),
        histories: tally.histories(),
        runs: record.runs.clone(),
        groups: scene.groups,
        scene_sha256: scene.sha256.clone(),
        cuts: scene.cuts,
        emissions: scene.emissions.clone(),
        medium: scene.medium.clone(),
        materials: scene.materials.clone(),
        stopped_by: ending.stopped_by,
        relative_sigma: sigma.map(|sigma| sigma.relative),
        sigma_region: sigma.map_or_else(|| ending.region.to_string(), |sigma| sigma.words()),
        target,
        emitted_mev: tally.sum_mev(|group| group.emitted),
        deposited_mev: tally.sum_mev(|group| group.deposited),
        escaped_mev: tally.sum_mev(|group| group.escaped),
        scored_mev: to_mev(dosimetry.statistics.scored().iter().sum()),
        exhausted_rejections: tally.exhausted_rejections(),
        histories_per_s: ending.histories_per_s,
        regions,
    })
}

/// The energy account of the histories, scaled to all decays of the map, plus the energy deposited at the points of
/// decay.
fn energy(account: &MonteCarloAccount, dosimetry: &Dosimetry) -> EnergyAccount {
    let decays = &dosimetry.decays;
    let by_history = if account.histories > 0 { decays.total / account.histories as f64 } else { 0.0 };
    let (mut units, mut local_without_dose_mev, mut voxels_without_dose) = (0u128, 0.0, 0);
    for voxel in (0..dosimetry.statistics.voxels()).filter(|&voxel| !dosimetry.scale.has_dose(voxel)) {
        local_without_dose_mev += decays.local_mev(voxel);
        units += dosimetry.statistics.units(voxel);
        voxels_without_dose += 1;
    }
    let local_mev = decays.total * decays.local_mev;
    EnergyAccount {
        emitted_mev: account.emitted_mev * by_history + local_mev,
        deposited_mev: account.deposited_mev * by_history + local_mev,
        escaped_mev: account.escaped_mev * by_history,
        without_dose_mev: to_mev(units) * by_history + local_without_dose_mev,
        voxels_without_dose,
        clamped_mev: 0.0,
    }
}
