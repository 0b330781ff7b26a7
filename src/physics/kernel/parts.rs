//! The energy around a point source, apart by what carries it.

use std::sync::{Arc, LazyLock, Mutex};

use rayon::prelude::*;

use super::coefficients::{photon_coefficients, tabulate_all};
use super::library::BONE;
use super::media::{density_g_cm3, library};
use super::radial::RadialKernel;
use super::scatter::{PhotonGroup, ScatterGroup, photon_groups, scatter_groups};
use super::spectrum::{KernelFault, RADII_AT_ONCE, Sum, check_energies, ended, radii, sum};
use crate::domain::emission::EmissionSpectrum;
use crate::domain::{Invalid, KernelMedium};
use crate::math::cache::{Cache, SharedCache};
use crate::math::watch::{Interrupted, Unwatched, Watch};

/// Memory for parts that are kept for later requests, in the whole process [bytes].
const KEPT_BYTES: u64 = 64 << 20;

/// Parts by the digest of their spectrum and their medium.
static PARTS: SharedCache<(String, KernelMedium), Arc<RadialParts>> =
    LazyLock::new(|| Mutex::new(Cache::new("radial kernels in parts", KEPT_BYTES, |parts| parts.bytes())));

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
    /// What becomes of scattered photons, by falling energy.
    pub scatter: Vec<ScatterGroup>,
}

impl RadialParts {
    /// Memory that they take [bytes].
    fn bytes(&self) -> u64 {
        let Self { charged, photons, in_bone, primary, primary_in_bone, scattered, groups, scatter } = self;
        let kernels = [charged, photons, primary, primary_in_bone, scattered].into_iter().chain(in_bone);
        let numbers = groups.iter().map(|group| &group.scattered).chain(scatter.iter().map(|group| &group.onward));
        let lists = numbers.map(|numbers| size_of_val(numbers.as_slice())).sum::<usize>();
        let groups = size_of_val(groups.as_slice()) + size_of_val(scatter.as_slice());
        kernels.map(|kernel| kernel.bytes()).sum::<u64>() + (size_of::<Self>() + groups + lists) as u64
    }
}

/// As [`radial_kernel`], in parts.
///
/// # Errors
/// If an energy lies above those of the library.
pub fn radial_parts(spectrum: &EmissionSpectrum, medium: KernelMedium) -> Result<Arc<RadialParts>, Invalid> {
    radial_parts_watched(spectrum, medium, &Unwatched).map_err(KernelFault::unwatched)
}

/// As [`radial_parts`]; `watch` is asked at each emission and photon whether to go on.
///
/// # Errors
/// [`KernelFault`].
pub fn radial_parts_watched(
    spectrum: &EmissionSpectrum,
    medium: KernelMedium,
    watch: &dyn Watch,
) -> Result<Arc<RadialParts>, KernelFault> {
    let key = (spectrum.sha256(), medium);
    let kept = || PARTS.lock().expect("no thread panics while it holds the kernels");
    if let Some(parts) = kept().get(&key) {
        return Ok(parts);
    }
    let library = library(medium);
    check_energies(spectrum, library)?;
    let radii = radii();
    let (sum, ()) = rayon::join(|| sum(spectrum, library, &radii, watch), tabulate_all);
    let Sum { within, photons } = sum?;
    let kernel = |within: &[f64]| Arc::new(RadialKernel::new(&ended(&radii, within, density_g_cm3(medium))));
    let (groups, scatter) = (photon_groups(&photons, medium, watch)?, scatter_groups(&photons, medium));
    let [primary, primary_in_bone, scattered] = first_collisions(&photons, medium, &radii, watch)?;
    let parts = Arc::new(RadialParts {
        charged: kernel(&within.charged),
        photons: kernel(&within.photons),
        in_bone: library.photons.has_bone().then(|| kernel(&within.in_bone)),
        primary: kernel(&primary),
        primary_in_bone: kernel(&primary_in_bone),
        scattered: kernel(&scattered),
        groups,
        scatter,
    });
    kept().insert(key, Arc::clone(&parts));
    Ok(parts)
}

/// What photons leave within radii where they collide for the first time: in the medium, in bone, and to photons that
/// go on. Exponential attenuation, times collision kerma.
///
/// * `photons` – numbers and energies [MeV]
/// * `radii` – ascending [g/cm²]
///
/// # Errors
/// [`Interrupted`].
fn first_collisions(
    photons: &[(f64, f64)],
    medium: KernelMedium,
    radii: &[f64],
    watch: &dyn Watch,
) -> Result<[Vec<f64>; 3], Interrupted> {
    let [own, bone] = [medium.name(), BONE].map(photon_coefficients);
    let of_photon = |&(number, energy_mev): &(f64, f64)| {
        let attenuation = own.attenuation.value(energy_mev);
        let left = [
            own.absorption.value(energy_mev),
            bone.absorption.value(energy_mev),
            attenuation - own.transfer.value(energy_mev),
        ];
        (attenuation, left.map(|left| number * energy_mev / attenuation * left))
    };
    let photons: Vec<(f64, [f64; 3])> = photons.iter().map(of_photon).collect();
    let within_radius = |radius: &f64| -> Result<[f64; 3], Interrupted> {
        watch.check()?;
        let mut within = [0.0; 3];
        for (attenuation, left) in &photons {
            let collided = -(-attenuation * radius).exp_m1();
            within.iter_mut().zip(left).for_each(|(within, left)| *within += left * collided);
        }
        Ok(within)
    };
    let within = radii.par_iter().with_min_len(RADII_AT_ONCE).map(within_radius);
    let within = within.collect::<Result<Vec<[f64; 3]>, Interrupted>>()?;
    Ok([0, 1, 2].map(|part| within.iter().map(|within| within[part]).collect()))
}
