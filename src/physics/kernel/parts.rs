//! The energy around a point source, apart by what carries it.

use std::sync::{Arc, Mutex};

use super::coefficients::{PhotonCoefficients, photon_coefficients};
use super::library::BONE;
use super::media::{density_g_cm3, library};
use super::radial::RadialKernel;
use super::spectrum::{KEPT, LOCAL_MEV, Sum, check_energies, ended, radii, sum};
use crate::domain::emission::EmissionSpectrum;
use crate::domain::{Invalid, KernelMedium};
use crate::math::cache::Cache;
use crate::math::log_grid::LogTable;
use crate::physics::photon::klein_nishina;

/// Parts by the digest of their spectrum and their medium.
static PARTS: Mutex<Cache<(String, KernelMedium), Arc<RadialParts>>> = Mutex::new(Cache::new(KEPT, |_| 1));

/// The energy around a point source, apart by what carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct RadialParts {
    /// Left by charged particles and by those that they knock on.
    pub charged: Arc<RadialKernel>,
    /// Left by photons and all that they set free: bremsstrahlung and annihilation included.
    pub photons: Arc<RadialKernel>,
    /// What bone would absorb from the same photons, were a little of it there, per mass of the medium; none where the
    /// library of the medium does not have it.
    pub in_bone: Option<Arc<RadialKernel>>,
    /// Of `photons`, what is absorbed where photons collide for the first time, in collision kerma.
    pub primary: Arc<RadialKernel>,
    /// The same in bone.
    pub primary_in_bone: Arc<RadialKernel>,
    /// Energy that photons keep in their first collision.
    pub scattered: Arc<RadialKernel>,
    /// The photons that start, by energy.
    pub groups: Vec<PhotonGroup>,
    /// What becomes of scattered photons of the mean energy, one collision after the other.
    pub generations: Vec<Generation>,
}

/// Photons of similar energies that start at the source. Pairs are of the medium and of bone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhotonGroup {
    /// Mass attenuation coefficients [cm²/g].
    pub attenuation: [f64; 2],
    /// What they leave to electrons where they collide for the first time, in proportion: mass energy-absorption
    /// coefficient times energy.
    pub absorbed: [f64; 2],
    /// What they keep in the medium, in the same proportion.
    pub scattered: f64,
}

/// What scattered photons of one energy do. Pairs are of the medium and of bone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generation {
    /// Mass attenuation coefficients [cm²/g].
    pub attenuation: [f64; 2],
    /// Mass energy-transfer coefficients [cm²/g].
    pub transfer: [f64; 2],
}

/// As [`radial_kernel`], in parts.
///
/// # Errors
/// If an energy lies above those of the library.
pub fn radial_parts(spectrum: &EmissionSpectrum, medium: KernelMedium) -> Result<Arc<RadialParts>, Invalid> {
    let key = (spectrum.sha256(), medium);
    let kept = || PARTS.lock().expect("no thread panics while it holds the kernels");
    if let Some(parts) = kept().get(&key) {
        return Ok(parts);
    }
    let library = library(medium);
    check_energies(spectrum, library)?;
    let radii = radii();
    let Sum { within, photons } = sum(spectrum, library, &radii);
    let kernel = |within: &[f64]| Arc::new(RadialKernel::new(&ended(&radii, within, density_g_cm3(medium))));
    let (groups, generations) = (groups(&photons, medium), generations(&photons, medium));
    let [primary, primary_in_bone, scattered] = first_collisions(&photons, medium, &radii);
    let parts = Arc::new(RadialParts {
        charged: kernel(&within.charged),
        photons: kernel(&within.photons),
        in_bone: library.photons.has_bone().then(|| kernel(&within.in_bone)),
        primary: kernel(&primary),
        primary_in_bone: kernel(&primary_in_bone),
        scattered: kernel(&scattered),
        groups,
        generations,
    });
    kept().insert(key, Arc::clone(&parts));
    Ok(parts)
}

/// Photons by energy, each group with its mean coefficients.
fn groups(photons: &[(f64, f64)], medium: KernelMedium) -> Vec<PhotonGroup> {
    /// Where groups end [MeV]: narrow where attenuation depends much on the energy. What is below the first hardly
    /// leaves its voxel.
    const ENDS: [f64; 13] = [0.012, 0.016, 0.02, 0.025, 0.03, 0.038, 0.05, 0.07, 0.1, 0.15, 0.25, 0.4, f64::INFINITY];
    let pair = [medium.name(), BONE].map(photon_coefficients);
    // Means are weighted with what is absorbed in the medium.
    let mut sums = [[0.0; 5]; ENDS.len()];
    for &(number, energy_mev) in photons.iter().filter(|(_, energy_mev)| *energy_mev > 0.0) {
        let sum = &mut sums[ENDS.partition_point(|end| *end <= energy_mev)];
        let energy = number * energy_mev;
        let [own, bone] = pair.each_ref().map(|material| material.attenuation.value(energy_mev));
        let [in_own, in_bone] = pair.each_ref().map(|material| energy * material.absorption.value(energy_mev));
        let scattered = energy * (own - pair[0].transfer.value(energy_mev));
        let parts = [in_own, in_bone, scattered, in_own * own, in_own * bone];
        sum.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
    }
    let group = |[own, bone, scattered, by_own, by_bone]: [f64; 5]| PhotonGroup {
        attenuation: [by_own / own, by_bone / own],
        absorbed: [own, bone],
        scattered,
    };
    sums.into_iter().skip(1).filter(|sum| sum[0] > 0.0).map(group).collect()
}

/// Photons of the mean energy after each collision. None where nothing is scattered.
fn generations(photons: &[(f64, f64)], medium: KernelMedium) -> Vec<Generation> {
    /// Collisions that are followed.
    const COLLISIONS: usize = 16;
    let own = photon_coefficients(medium.name());
    let (mut energy, mut weights) = (0.0, 0.0);
    for &(number, energy_mev) in photons {
        let kept = 1.0 - own.transfer.value(energy_mev) / own.attenuation.value(energy_mev);
        let weight = number * energy_mev * kept;
        energy += weight * after_compton(energy_mev);
        weights += weight;
    }
    if weights <= 0.0 {
        return Vec::new();
    }
    let mut energy_mev = energy / weights;
    let pair = [medium.name(), BONE].map(photon_coefficients);
    let mut generation = || {
        let of = |table: fn(&PhotonCoefficients) -> &LogTable| pair.each_ref().map(|own| table(own).value(energy_mev));
        let generation = Generation { attenuation: of(|own| &own.attenuation), transfer: of(|own| &own.transfer) };
        energy_mev = after_compton(energy_mev).max(LOCAL_MEV);
        generation
    };
    (0..COLLISIONS).map(|_| generation()).collect()
}

/// Mean energy of a photon after a Compton collision [MeV].
fn after_compton(energy_mev: f64) -> f64 {
    const STEPS: u32 = 64;
    let [mut energy, mut whole] = [0.0; 2];
    for cosine in (0..STEPS).map(|i| (2.0 * f64::from(i) + 1.0) / f64::from(STEPS) - 1.0) {
        let weight = klein_nishina::differential(energy_mev, cosine);
        energy += weight * klein_nishina::scattered_energy(energy_mev, cosine);
        whole += weight;
    }
    energy / whole
}

/// What photons leave within radii where they collide for the first time: in the medium, in bone, and to photons that
/// go on. Exponential attenuation, times collision kerma.
///
/// * `photons` – numbers and energies [MeV]
/// * `radii` – ascending [g/cm²]
fn first_collisions(photons: &[(f64, f64)], medium: KernelMedium, radii: &[f64]) -> [Vec<f64>; 3] {
    let [own, bone] = [medium.name(), BONE].map(photon_coefficients);
    let mut within = [0; 3].map(|_| vec![0.0; radii.len()]);
    for &(number, energy_mev) in photons {
        let attenuation = own.attenuation.value(energy_mev);
        let per_collision = number * energy_mev / attenuation;
        let left = [
            own.absorption.value(energy_mev),
            bone.absorption.value(energy_mev),
            attenuation - own.transfer.value(energy_mev),
        ];
        for (i, radius) in radii.iter().enumerate() {
            let collided = -(-attenuation * radius).exp_m1();
            within.iter_mut().zip(left).for_each(|(within, left)| within[i] += per_collision * left * collided);
        }
    }
    within
}
