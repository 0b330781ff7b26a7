//! What is said of an organ.

use serde::{Deserialize, Serialize};

use super::NoiseShift;
use super::noise::MARKED_SHARE;

/// Seconds in an hour.
const S_PER_H: f64 = 3600.0;
/// Becquerels in a megabecquerel.
const BQ_PER_MBQ: f64 = 1e6;
/// Becquerels in a gigabecquerel.
const BQ_PER_GBQ: f64 = 1e9;

/// Dose of one organ, with its volume, mass and decays. The dose figures cover the voxels that have a dose; they are
/// none if no voxel has one.
///
/// `mean_by_mass_gy` is the absorbed dose of the organ: the energy absorbed over the mass. `mean_gy`, minimum, maximum
/// and D_V are by volume, as from averaging the dose map over the organ. The two means differ where density and dose
/// vary together, such as in a hollow organ with gas.
///
/// Source: ICRU reports 83 (2010) and 96 (2021).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrganDose {
    /// Number in the label map.
    pub label: u16,
    /// Name, or `label_N`.
    pub name: String,
    /// Number of voxels of the organ, with or without a dose.
    pub voxels: usize,
    /// Mass of all its voxels [g].
    pub mass_g: f64,
    /// Absorbed dose of the organ: energy absorbed over mass [Gy].
    pub mean_by_mass_gy: Option<f64>,
    /// Mean over the volume [Gy].
    pub mean_gy: Option<f64>,
    /// Smallest dose of a voxel [Gy].
    pub min_gy: Option<f64>,
    /// Largest dose of a voxel [Gy].
    pub max_gy: Option<f64>,
    /// D95, the least dose to the 95 % of the volume with the highest dose; see [`DoseDistribution::dose_to_volume_gy`]
    /// [Gy].
    pub d95_gy: Option<f64>,
    /// D50, the median dose [Gy].
    pub d50_gy: Option<f64>,
    /// D2, the least dose to the 2 % of the volume with the highest dose: a maximum without outliers [Gy].
    pub d2_gy: Option<f64>,
    /// Volume of all its voxels [cm³].
    pub volume_cm3: f64,
    /// Decays in the organ [Bq·s].
    pub decays: f64,
    /// Voxels with too low a density for a dose; all dose figures leave them out.
    pub voxels_without_dose: usize,
    /// Statistical uncertainty of `mean_gy`, 1σ [Gy]; Monte Carlo only.
    pub mean_sigma_gy: Option<f64>,
    /// Statistical uncertainty of `mean_by_mass_gy`, 1σ [Gy]; Monte Carlo only.
    pub mean_by_mass_sigma_gy: Option<f64>,
    /// D98, the least dose to the 98 % of the volume with the highest dose: a minimum without outliers [Gy].
    pub d98_gy: Option<f64>,
    /// D90 [Gy].
    pub d90_gy: Option<f64>,
    /// D70 [Gy].
    pub d70_gy: Option<f64>,
    /// D1cc, the least dose to the cubic centimetre with the highest dose; none of a smaller organ [Gy].
    pub d1cc_gy: Option<f64>,
    /// Volume of the voxels that have a dose, which D_V is of [cm³].
    pub counted_volume_cm3: f64,
    /// Mass of the voxels that have a dose, which the means are of [g].
    pub counted_mass_g: f64,
    /// Volume of the voxels with too low a density for a dose [cm³].
    pub excluded_volume_cm3: f64,
    /// Time-integrated activity in the organ [MBq·h].
    pub time_integrated_activity_mbq_h: f64,
    /// Time-integrated activity over the injected activity [h]; none if that is not known.
    pub time_integrated_activity_coefficient_h: Option<f64>,
    /// `mean_by_mass_gy` over the injected activity [Gy/GBq]; none if that is not known.
    pub mean_by_mass_gy_per_injected_gbq: Option<f64>,
    /// By how much noise has moved `min_gy`, as [`NoiseShift`] estimates it [Gy]; for doses with an uncertainty only.
    pub min_noise_gy: Option<f64>,
    /// By how much noise has moved `d98_gy` [Gy].
    pub d98_noise_gy: Option<f64>,
    /// By how much noise has moved `d95_gy` [Gy].
    pub d95_noise_gy: Option<f64>,
    /// By how much noise has moved `d2_gy` [Gy].
    pub d2_noise_gy: Option<f64>,
    /// By how much noise has moved `max_gy` [Gy].
    pub max_noise_gy: Option<f64>,
    /// The figures of `min_gy`, `d98_gy`, `d95_gy`, `d2_gy` and `max_gy` that noise has moved by more than
    /// [`MARKED_SHARE`] of themselves, with blanks between.
    pub moved_by_noise: String,
}

impl OrganDose {
    /// Time-integrated activity, and what there is for each becquerel injected.
    ///
    /// * `injected_bq` – none if it is not known
    pub(super) fn per_injected(mut self, injected_bq: Option<f64>) -> Self {
        let injected_bq = injected_bq.filter(|bq| *bq > 0.0);
        self.time_integrated_activity_mbq_h = self.decays / S_PER_H / BQ_PER_MBQ;
        self.time_integrated_activity_coefficient_h = injected_bq.map(|bq| self.decays / S_PER_H / bq);
        self.mean_by_mass_gy_per_injected_gbq =
            self.mean_by_mass_gy.zip(injected_bq).map(|(gy, bq)| gy / (bq / BQ_PER_GBQ));
        self
    }

    /// * `noise` – none if the dose has no known uncertainty
    pub(super) fn with_noise(mut self, noise: Option<NoiseShift>) -> Self {
        let Some(NoiseShift { min_gy, d98_gy, d95_gy, d2_gy, max_gy }) = noise else { return self };
        (self.min_noise_gy, self.max_noise_gy) = (Some(min_gy), Some(max_gy));
        (self.d98_noise_gy, self.d95_noise_gy, self.d2_noise_gy) = (Some(d98_gy), Some(d95_gy), Some(d2_gy));
        self.moved_by_noise = self.moved().join(" ");
        self
    }

    /// D95 as it would be without noise [Gy]; none if it cannot be told: noise alone reaches as far from the median.
    pub fn d95_without_noise_gy(&self) -> Option<f64> {
        let (d95, noise) = self.d95_gy.zip(self.d95_noise_gy)?;
        let distance = self.d50_gy? - d95;
        (noise.abs() < distance.abs() || noise == 0.0).then_some(d95 - noise)
    }

    /// Whether noise has moved a figure by more than [`MARKED_SHARE`] of itself.
    ///
    /// * `figure` – the name of its field
    pub fn is_moved(&self, figure: &str) -> bool {
        self.moved_by_noise.split(' ').any(|moved| moved == figure)
    }

    /// The figures that noise has moved by more than [`MARKED_SHARE`] of themselves, by the names of their fields.
    pub(super) fn moved(&self) -> Vec<&'static str> {
        let figures = [
            ("min_gy", self.min_gy, self.min_noise_gy),
            ("d98_gy", self.d98_gy, self.d98_noise_gy),
            ("d95_gy", self.d95_gy, self.d95_noise_gy),
            ("d2_gy", self.d2_gy, self.d2_noise_gy),
            ("max_gy", self.max_gy, self.max_noise_gy),
        ];
        let is_moved = |(name, figure, noise): (&'static str, Option<f64>, Option<f64>)| {
            let (figure, noise) = figure.zip(noise)?;
            (noise.abs() > MARKED_SHARE * figure.abs()).then_some(name)
        };
        figures.into_iter().filter_map(is_moved).collect()
    }
}
