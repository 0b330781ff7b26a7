//! Photons by energy: those that start at the source, and what becomes of them from collision to collision.

use super::coefficients::{PhotonCoefficients, photon_coefficients};
use super::library::BONE;
use crate::domain::KernelMedium;
use crate::math::log_grid::LogTable;
use crate::math::watch::{Interrupted, Watch};
use crate::physics::photon::klein_nishina;

/// Where groups of photons that start end [MeV]: narrow where attenuation depends much on the energy. What is below the
/// first hardly leaves its voxel.
const ENDS: [f64; 13] = [0.012, 0.016, 0.02, 0.025, 0.03, 0.038, 0.05, 0.07, 0.1, 0.15, 0.25, 0.4, f64::INFINITY];
/// Where groups of scattered photons end [MeV], ascending. The first begins at [`LOWEST_MEV`].
const SCATTERED_ENDS: [f64; 16] =
    [0.02, 0.025, 0.031, 0.038, 0.047, 0.058, 0.072, 0.09, 0.115, 0.15, 0.2, 0.28, 0.42, 0.7, 1.3, 4.2];
/// Scattered photons of less energy go on as if they had this much [MeV].
const LOWEST_MEV: f64 = 0.015;
/// Energies over which a group is averaged, evenly in ln E.
const WITHIN_GROUP: u32 = 6;
/// Directions over which Compton scattering is averaged.
const COSINES: u32 = 96;

/// Photons of similar energies that start at the source. Pairs are of the medium and of bone.
#[derive(Clone, Debug, PartialEq)]
pub struct PhotonGroup {
    /// Mass attenuation coefficients [cm²/g].
    pub attenuation: [f64; 2],
    /// What they leave to electrons where they collide for the first time, in proportion: mass energy-absorption
    /// coefficient times energy.
    pub absorbed: [f64; 2],
    /// What they keep in the medium, in the same proportion, by group of [`RadialParts::scatter`].
    ///
    /// [`RadialParts::scatter`]: super::RadialParts::scatter
    pub scattered: Vec<f64>,
}

/// Scattered photons of similar energies. Pairs are of the medium and of bone. Coherent scattering, which hardly turns
/// them, is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterGroup {
    /// Mass attenuation coefficients [cm²/g].
    pub attenuation: [f64; 2],
    /// Mass energy-transfer coefficients [cm²/g].
    pub transfer: [f64; 2],
    /// How the energy that a collision leaves to the photon is spread over this group and those after it.
    pub onward: Vec<f64>,
}

/// Energy that photons keep when they collide, over groups of scattered photons of falling energy.
struct Spread {
    /// Number of groups below the hottest one that is needed.
    groups: usize,
}

impl Spread {
    /// * `photons` – numbers and energies [MeV]
    fn of(photons: &[(f64, f64)]) -> Self {
        let highest_mev = photons.iter().map(|(_, energy_mev)| *energy_mev).fold(0.0, f64::max);
        let last = SCATTERED_ENDS.len() - 1;
        Self { groups: SCATTERED_ENDS.partition_point(|end| *end <= highest_mev).min(last) + 1 }
    }

    /// Group of an energy: 0 is the hottest.
    fn group(&self, energy_mev: f64) -> usize {
        self.groups - 1 - SCATTERED_ENDS[..self.groups - 1].partition_point(|end| *end <= energy_mev)
    }

    /// Parts of the energy that is left to a photon by Compton scattering, by group.
    fn after_compton(&self, energy_mev: f64) -> Vec<f64> {
        let mut parts = vec![0.0; self.groups];
        let mut whole = 0.0;
        for cosine in (0..COSINES).map(|i| (2.0 * f64::from(i) + 1.0) / f64::from(COSINES) - 1.0) {
            let left_mev = klein_nishina::scattered_energy(energy_mev, cosine);
            let weight = klein_nishina::differential(energy_mev, cosine) * left_mev;
            parts[self.group(left_mev)] += weight;
            whole += weight;
        }
        parts.iter_mut().for_each(|part| *part /= whole);
        parts
    }
}

/// Photons by energy, each group with its mean coefficients.
///
/// * `photons` – numbers and energies [MeV]
pub(super) fn photon_groups(
    photons: &[(f64, f64)],
    medium: KernelMedium,
    watch: &dyn Watch,
) -> Result<Vec<PhotonGroup>, Interrupted> {
    let pair = [medium.name(), BONE].map(photon_coefficients);
    let spread = Spread::of(photons);
    // Means are weighted with what is absorbed in the medium.
    let mut sums = [0; ENDS.len()].map(|_| ([0.0; 4], vec![0.0; spread.groups]));
    for &(number, energy_mev) in photons.iter().filter(|(_, energy_mev)| *energy_mev > 0.0) {
        watch.check()?;
        let (sum, scattered) = &mut sums[ENDS.partition_point(|end| *end <= energy_mev)];
        let energy = number * energy_mev;
        let [own, bone] = pair.each_ref().map(|material| material.attenuation.value(energy_mev));
        let [in_own, in_bone] = pair.each_ref().map(|material| energy * material.absorption.value(energy_mev));
        let parts = [in_own, in_bone, in_own * own, in_own * bone];
        sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        let coherent = pair[0].coherent.value(energy_mev);
        scattered[spread.group(energy_mev)] += energy * coherent;
        let kept = energy * (own - pair[0].transfer.value(energy_mev) - coherent).max(0.0);
        scattered.iter_mut().zip(spread.after_compton(energy_mev)).for_each(|(sum, part)| *sum += part * kept);
    }
    let group = |([own, bone, by_own, by_bone], scattered): ([f64; 4], Vec<f64>)| PhotonGroup {
        attenuation: [by_own / own, by_bone / own],
        absorbed: [own, bone],
        scattered,
    };
    Ok(sums.into_iter().skip(1).filter(|(sum, _)| sum[0] > 0.0).map(group).collect())
}

/// What becomes of the scattered photons, by falling energy.
///
/// * `photons` – that start: numbers and energies [MeV]
pub(super) fn scatter_groups(photons: &[(f64, f64)], medium: KernelMedium) -> Vec<ScatterGroup> {
    let pair = [medium.name(), BONE].map(photon_coefficients);
    let spread = Spread::of(photons);
    let group = |number: usize| {
        let above = spread.groups - 1 - number;
        let low = above.checked_sub(1).map_or(LOWEST_MEV, |below| SCATTERED_ENDS[below]);
        let width = (SCATTERED_ENDS[above] / low).ln() / f64::from(WITHIN_GROUP);
        let energies: Vec<f64> = (0..WITHIN_GROUP).map(|i| low * (width * (f64::from(i) + 0.5)).exp()).collect();
        let mean = |of: &dyn Fn(f64) -> f64| {
            energies.iter().map(|energy_mev| of(*energy_mev)).sum::<f64>() / f64::from(WITHIN_GROUP)
        };
        let of = |table: fn(&PhotonCoefficients) -> &LogTable| {
            pair.each_ref().map(|own| mean(&|energy_mev| table(own).value(energy_mev)))
        };
        let (all, coherent) = (of(|own| &own.attenuation), of(|own| &own.coherent));
        let mut onward = vec![0.0; spread.groups];
        for energy_mev in &energies {
            let parts = spread.after_compton(*energy_mev);
            onward.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part / f64::from(WITHIN_GROUP));
        }
        ScatterGroup {
            attenuation: [all[0] - coherent[0], all[1] - coherent[1]],
            transfer: of(|own| &own.transfer),
            onward: onward.split_off(number),
        }
    };
    (0..spread.groups).map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::watch::Unwatched;

    const PHOTONS: [(f64, f64); 3] = [(0.1, 0.208), (0.06, 0.113), (0.05, 0.055)];

    #[test]
    fn collisions_only_take_energy_and_lose_none_of_it() {
        let groups = scatter_groups(&PHOTONS, KernelMedium::Water);
        assert_eq!(groups.len(), 12);
        for (number, group) in groups.iter().enumerate() {
            assert_eq!(group.onward.len(), groups.len() - number);
            assert!((group.onward.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{number}: {:?}", group.onward);
            for of in 0..2 {
                assert!(group.transfer[of] > 0.0 && group.transfer[of] < group.attenuation[of], "{group:?}");
            }
        }
        assert!(groups.windows(2).all(|pair| pair[0].attenuation[0] < pair[1].attenuation[0]));
    }

    #[test]
    fn what_photons_keep_in_their_first_collision_is_what_they_do_not_leave() {
        let water = photon_coefficients("water");
        let kept = |(number, energy_mev): &(f64, f64)| {
            number * energy_mev * (water.attenuation.value(*energy_mev) - water.transfer.value(*energy_mev))
        };
        let expected: f64 = PHOTONS.iter().map(kept).sum();
        let groups = photon_groups(&PHOTONS, KernelMedium::Water, &Unwatched).expect("nobody watches");
        let found: f64 = groups.iter().flat_map(|group| &group.scattered).sum();
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
        assert_eq!(groups.len(), 3);
        // Of photons of 208 keV, the mean energy after a collision is 160 keV; none keeps less than 115 keV.
        let hardest = &groups[2].scattered;
        assert!(hardest[4..].iter().all(|part| *part == 0.0), "{hardest:?}");
    }
}
