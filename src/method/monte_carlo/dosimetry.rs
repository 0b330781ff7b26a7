//! Dose and uncertainty of voxels and regions, from a tally.

use rayon::prelude::*;

use super::statistics::{MeanSigma, Statistics};
use crate::domain::{Control, DoseError, EmissionAccount, TimeIntegratedActivity};
use crate::method::mass::DoseScale;

/// Voxels per chunk: few enough to notice cancellation soon.
pub(super) const CHUNK: usize = 1 << 14;

/// A tally, and what turns it into a dose.
pub(super) struct Dosimetry<'a> {
    pub(super) statistics: Statistics<'a>,
    pub(super) scale: DoseScale<'a>,
    pub(super) decays: Decays<'a>,
}

/// The decays of a map, and the energy that each deposits at its own place, which is known exactly and needs no
/// histories.
#[derive(Clone, Copy)]
pub(super) struct Decays<'a> {
    /// Decays in each voxel [Bq·s].
    pub(super) of_voxel: &'a [f32],
    /// Decays in the whole map [Bq·s].
    pub(super) total: f64,
    /// Energy of alpha particles and recoils [MeV per decay].
    pub(super) local_mev: f64,
    /// That of all charged particles, these among them [MeV per decay].
    pub(super) charged_mev: f64,
}

impl<'a> Decays<'a> {
    pub(super) fn new(activity: &'a TimeIntegratedActivity, emissions: &EmissionAccount) -> Self {
        let &EmissionAccount { electron_mev, positron_mev, local_mev, .. } = emissions;
        let charged_mev = electron_mev + positron_mev + local_mev;
        Self { of_voxel: activity.decays().as_slice(), total: activity.total(), local_mev, charged_mev }
    }

    /// Energy deposited at the point of decay, for all decays of a voxel [MeV].
    pub(super) fn local_mev(&self, voxel: usize) -> f64 {
        f64::from(self.of_voxel[voxel]) * self.local_mev
    }
}

impl Dosimetry<'_> {
    /// Energy absorbed in a voxel [MeV].
    pub(super) fn energy_mev(&self, voxel: usize) -> MeanSigma {
        let MeanSigma { mean, sigma } = self.statistics.voxel(voxel);
        MeanSigma { mean: mean * self.decays.total + self.decays.local_mev(voxel), sigma: sigma * self.decays.total }
    }

    /// Dose of a voxel and its 1σ [Gy]; none if the density is too low for a dose.
    pub(super) fn voxel(&self, voxel: usize) -> Option<MeanSigma> {
        let MeanSigma { mean, sigma } = self.energy_mev(voxel);
        let dose = |mev: f64| self.scale.absorbed_dose(mev, voxel);
        Some(MeanSigma { mean: dose(mean)?, sigma: dose(sigma)? })
    }

    /// Dose and 1σ of every voxel [Gy]; 0 where the density is too low for a dose.
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn maps(&self, voxels: usize, control: &Control) -> Result<(Vec<f32>, Vec<f32>), DoseError> {
        let (mut dose, mut sigma) = (vec![0.0; voxels], vec![0.0; voxels]);
        let chunks = dose.par_chunks_mut(CHUNK).zip(sigma.par_chunks_mut(CHUNK)).enumerate();
        chunks.try_for_each(|(number, (dose, sigma))| {
            if control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            for (offset, (dose, sigma)) in dose.iter_mut().zip(sigma).enumerate() {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the stored precision; the dose is checked to be finite"
                )]
                if let Some(estimate) = self.voxel(number * CHUNK + offset) {
                    (*dose, *sigma) = (estimate.mean as f32, estimate.sigma as f32);
                }
            }
            Ok(())
        })?;
        Ok((dose, sigma))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::domain::{GroupTally, LabelMap, Tally, Volume, VoxelGrid};
    use crate::method::mass::Mass;

    const UNIT: u64 = 1 << 26;
    pub(in crate::method::monte_carlo) const GY_PER_MEV_IN_1_G: f64 = 1.602_176_634e-10;

    /// Two voxels, two groups of four and two histories.
    pub(in crate::method::monte_carlo) fn tally() -> Tally {
        let group = |histories, energy: [u64; 2]| GroupTally {
            histories,
            energy: energy.map(|mev| mev * UNIT).into(),
            ..GroupTally::default()
        };
        Tally::of(vec![group(4, [8, 4]), group(2, [1, 5])])
    }

    fn grid() -> VoxelGrid {
        VoxelGrid::new([2, 1, 1], [10.0; 3]).expect("a good grid")
    }

    pub(in crate::method::monte_carlo) fn labels(values: [f32; 2]) -> LabelMap {
        LabelMap::new(&Volume::from_vec(Arc::new(grid()), values.to_vec()).expect("two values")).expect("labels")
    }

    pub(in crate::method::monte_carlo) fn dosimetry<'a>(tally: &'a Tally, density_g_cm3: &'a [f32]) -> Dosimetry<'a> {
        let scale = DoseScale::new(&grid(), Mass::Own { density_g_cm3, minimum_g_cm3: 0.05 });
        let decays = Decays { of_voxel: &[8.0, 4.0], total: 12.0, local_mev: 0.0, charged_mev: 3.0 };
        Dosimetry { statistics: Statistics::new(tally), scale, decays }
    }

    #[test]
    fn what_stays_in_place_adds_dose_and_no_uncertainty() {
        let (tally, density) = (tally(), [1.0, 1.0]);
        let followed = dosimetry(&tally, &density);
        let mut all = dosimetry(&tally, &density);
        all.decays.local_mev = 6.0;
        let none = Control::detached();
        let ((dose, sigma), (more, same)) = (followed.maps(2, &none).expect("maps"), all.maps(2, &none).expect("maps"));
        assert_eq!(sigma, same);
        for (voxel, decays) in [8.0, 4.0].into_iter().enumerate() {
            let local = f64::from(more[voxel] - dose[voxel]) / GY_PER_MEV_IN_1_G;
            assert!((local / (6.0 * decays) - 1.0).abs() < 1e-6, "{local}");
        }
        let map = labels([1.0, 1.0]);
        let (region, whole) = (&followed.regions(&map, &BTreeMap::new())[0], &all.regions(&map, &BTreeMap::new())[0]);
        assert!(((whole.mean_gy - region.mean_gy) / (36.0 * GY_PER_MEV_IN_1_G) - 1.0).abs() < 1e-12);
        assert_eq!((whole.sigma_gy, whole.sigma_by_mass_gy), (region.sigma_gy, region.sigma_by_mass_gy));
        let by_mass = (whole.mean_by_mass_gy - region.mean_by_mass_gy) / (36.0 * GY_PER_MEV_IN_1_G);
        assert!((by_mass - 1.0).abs() < 1e-12, "{by_mass}");
    }

    #[test]
    fn maps_are_scaled_to_decays_and_mass() {
        let (tally, density) = (tally(), [2.0, 0.01]);
        let (dose, sigma) = dosimetry(&tally, &density).maps(2, &Control::detached()).expect("nobody cancels");
        let expected = 1.5 * 12.0 / 2.0 * GY_PER_MEV_IN_1_G;
        assert!((f64::from(dose[0]) / expected - 1.0).abs() < 1e-6, "{dose:?}");
        assert!((f64::from(sigma[0]) / f64::from(dose[0]) - 0.5f64.sqrt() / 1.5).abs() < 1e-6);
        assert_eq!((dose[1], sigma[1]), (0.0, 0.0));
    }
}
