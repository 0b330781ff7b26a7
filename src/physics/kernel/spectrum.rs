//! The energy around a point source of any emission spectrum, from the library of monoenergetic kernels.

use std::sync::{Arc, LazyLock, Mutex};

use rayon::prelude::*;

use super::library::{KernelLibrary, Within};
use super::media::{density_g_cm3, library};
use super::radial::RadialKernel;
use super::shells::Cumulative;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{Invalid, KernelMedium};
use crate::math::cache::{Cache, SharedCache};
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::physics::energy_grid::MIN_ENERGY_MEV;

/// Radii of a kernel: up to this radius [g/cm²], this many per decade.
const RADII: [(f64, u32); 3] = [(1e-3, 30), (5.0, 100), (MAX_RADIUS, 40)];
/// Smallest radius [g/cm²].
const MIN_RADIUS: f64 = 1e-5;
/// Largest radius [g/cm²].
const MAX_RADIUS: f64 = 200.0;
/// Radii that one thread sums.
pub(super) const RADII_AT_ONCE: usize = 64;
/// A kernel ends where at most this fraction of its energy is left.
const NEGLIGIBLE: f64 = 1e-6;
/// Widest interval of a continuum that two energies represent, in ln E.
const WIDEST_PART: f64 = 0.1;
/// Photons below this energy are absorbed at the source, as in transport [MeV].
pub(super) const LOCAL_MEV: f64 = MIN_ENERGY_MEV;
/// Memory for kernels that are kept for later requests, in the whole process [bytes].
const KEPT_BYTES: u64 = 16 << 20;

/// Radial kernels by the digest of their spectrum and their medium.
static KERNELS: SharedCache<(String, KernelMedium), Arc<RadialKernel>> =
    LazyLock::new(|| Mutex::new(Cache::new("radial kernels", KEPT_BYTES, |kernel| kernel.bytes())));

/// Why there is no radial kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelFault {
    /// An energy lies above those of the library.
    #[error("the spectrum {}", .0.0)]
    Energies(#[from] Invalid),
    /// Nobody waits for it any more.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl KernelFault {
    /// The fault of a sum that nobody can stop.
    pub(super) fn unwatched(self) -> Invalid {
        match self {
            Self::Energies(invalid) => invalid,
            Self::Interrupted(_) => unreachable!("nobody watches"),
        }
    }
}

/// The energy that all emissions of a decay leave around a point in an unbounded medium of its material's nominal
/// density.
///
/// # Errors
/// If an energy lies above those of the library.
pub fn radial_kernel(spectrum: &EmissionSpectrum, medium: KernelMedium) -> Result<Arc<RadialKernel>, Invalid> {
    radial_kernel_watched(spectrum, medium, &Unwatched).map_err(KernelFault::unwatched)
}

/// As [`radial_kernel`]; `watch` is asked at each emission whether to go on.
///
/// # Errors
/// [`KernelFault`].
pub fn radial_kernel_watched(
    spectrum: &EmissionSpectrum,
    medium: KernelMedium,
    watch: &dyn Watch,
) -> Result<Arc<RadialKernel>, KernelFault> {
    let key = (spectrum.sha256(), medium);
    let kept = || KERNELS.lock().expect("no thread panics while it holds the kernels");
    if let Some(kernel) = kept().get(&key) {
        return Ok(kernel);
    }
    let kernel = Arc::new(build(spectrum, library(medium), density_g_cm3(medium), watch)?);
    kept().insert(key, Arc::clone(&kernel));
    Ok(kernel)
}

/// Sums the kernels of all emissions.
///
/// # Errors
/// [`KernelFault`].
fn build(
    spectrum: &EmissionSpectrum,
    library: &KernelLibrary,
    density_g_cm3: f64,
    watch: &dyn Watch,
) -> Result<RadialKernel, KernelFault> {
    check_energies(spectrum, library)?;
    let radii = radii();
    let Within { charged, photons, .. } = sum(spectrum, library, &radii, watch)?.within;
    let within: Vec<f64> = charged.iter().zip(photons).map(|(charged, photons)| charged + photons).collect();
    Ok(RadialKernel::new(&ended(&radii, &within, density_g_cm3)))
}

/// What charged particles and photons leave within radii, and the photons that start.
pub(super) struct Sum {
    pub(super) within: Within,
    /// Number and energy [MeV] of photons: those of the decay, annihilation photons and bremsstrahlung.
    pub(super) photons: Vec<(f64, f64)>,
}

/// What emissions leave within radii, some radii at once.
///
/// # Errors
/// [`Interrupted`].
pub(super) fn sum(
    spectrum: &EmissionSpectrum,
    library: &KernelLibrary,
    radii: &[f64],
    watch: &dyn Watch,
) -> Result<Sum, Interrupted> {
    let parts = radii.par_chunks(RADII_AT_ONCE).map(|radii| sum_within(spectrum, library, radii, watch));
    let mut parts = parts.collect::<Result<Vec<Sum>, Interrupted>>()?.into_iter();
    let mut whole = parts.next().expect("there are radii");
    for Sum { within, .. } in parts {
        whole.within.charged.extend(within.charged);
        whole.within.photons.extend(within.photons);
        whole.within.in_bone.extend(within.in_bone);
    }
    Ok(whole)
}

fn sum_within(
    spectrum: &EmissionSpectrum,
    library: &KernelLibrary,
    radii: &[f64],
    watch: &dyn Watch,
) -> Result<Sum, Interrupted> {
    let of = |particle| {
        let of_kind = spectrum.emissions().iter().filter(move |emission| emission.particle == particle);
        of_kind.flat_map(energies)
    };
    let mut electrons = library.electrons.sum(radii);
    for (number, energy_mev) in of(Particle::Electron) {
        watch.check()?;
        electrons.add(number, energy_mev, 0.0);
    }
    let mut positrons = library.positrons.sum(radii);
    let rest_mev = 2.0 * ELECTRON_REST_ENERGY_MEV;
    for (number, energy_mev) in of(Particle::Positron) {
        watch.check()?;
        positrons.add(number, energy_mev, rest_mev);
    }
    let mut photons: Vec<(f64, f64)> = electrons.by_photons().flat_map(bremsstrahlung).collect();
    let annihilation_mev: f64 = positrons.by_photons().map(|(_, mev)| mev).sum();
    photons.push((annihilation_mev / ELECTRON_REST_ENERGY_MEV, ELECTRON_REST_ENERGY_MEV));
    let mut within = electrons.finish();
    let of_positrons = positrons.finish();
    add(&mut within.charged, &of_positrons.charged);
    add(&mut within.photons, &of_positrons.photons);
    add(&mut within.in_bone, &of_positrons.in_bone);
    for (number, energy_mev) in of(Particle::Photon) {
        watch.check()?;
        if energy_mev < LOCAL_MEV {
            within.charged.iter_mut().for_each(|sum| *sum += number * energy_mev);
        } else {
            library.photons.add(number, energy_mev, radii, &mut within.photons);
            library.photons.add_in_bone(number, energy_mev, radii, &mut within.in_bone);
            photons.push((number, energy_mev));
        }
    }
    Ok(Sum { within, photons })
}

fn add(sum: &mut [f64], energies: &[f64]) {
    sum.iter_mut().zip(energies).for_each(|(sum, energy)| *sum += energy);
}

/// Photons that stand for the bremsstrahlung of electrons of one energy in a thick target: numbers and energies [MeV].
/// They only share a kernel between first and later collisions; the kernel itself is that of the transport.
///
/// Source: H. A. Kramers, Phil. Mag. 46 (1923) 836: energy per interval of the photon energy k in proportion to T − k.
fn bremsstrahlung((kinetic_mev, photons_mev): (f64, f64)) -> impl Iterator<Item = (f64, f64)> {
    /// Parts of the spectrum, each this much narrower than the next.
    const PARTS: i32 = 20;
    const NARROWER: f64 = 0.75;
    let part = move |i: i32| {
        let [low, high] = [i + 1, i].map(|i| if i == PARTS { 0.0 } else { NARROWER.powi(i) });
        let energy_mev = kinetic_mev * f64::midpoint(low, high);
        let within = |share: f64| share * (2.0 - share);
        (photons_mev * (within(high) - within(low)) / energy_mev, energy_mev)
    };
    (0..PARTS).map(part).filter(|(number, energy_mev)| *number > 0.0 && *energy_mev > LOCAL_MEV)
}

/// Numbers and energies [MeV] that represent an emission: one pair for a line, the two points of a Gauss-Legendre rule
/// for each interval of a continuum.
fn energies(emission: &Emission) -> impl Iterator<Item = (f64, f64)> {
    let Emission { low_mev, high_mev, yield_per_decay, .. } = *emission;
    let is_line = high_mev <= low_mev;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most 10, the ln of 10 MeV over 1 keV"
    )]
    let parts = ((high_mev / low_mev.max(LOCAL_MEV)).ln() / WIDEST_PART).ceil().max(1.0) as u32;
    let width = (high_mev - low_mev) / f64::from(parts);
    let nodes = move |part: u32| {
        let middle = low_mev + (f64::from(part) + 0.5) * width;
        let away = 0.5 * width / 3f64.sqrt();
        [middle - away, middle + away].map(|energy| (0.5 * yield_per_decay / f64::from(parts), energy))
    };
    let line = is_line.then_some((yield_per_decay, low_mev));
    let parts = if is_line { 0 } else { parts };
    line.into_iter().chain((0..parts).flat_map(nodes))
}

/// # Errors
/// If an energy lies above those of the library.
pub(super) fn check_energies(spectrum: &EmissionSpectrum, library: &KernelLibrary) -> Result<(), Invalid> {
    for emission in spectrum.emissions() {
        let [_, last_mev] = match emission.particle {
            Particle::Electron => library.electrons.range_mev(),
            Particle::Positron => library.positrons.range_mev(),
            Particle::Photon => library.photons.range_mev(),
        };
        if emission.yield_per_decay > 0.0 && emission.high_mev > last_mev {
            let (name, mev) = (emission.particle.name(), emission.high_mev);
            return Err(Invalid::new(format!("holds {name} of {mev} MeV: kernels end at {last_mev:.2} MeV")));
        }
    }
    Ok(())
}

pub(super) fn radii() -> Vec<f64> {
    let mut radii = vec![MIN_RADIUS];
    for (end, to_decade) in RADII {
        let start = radii[radii.len() - 1];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred")]
        let steps = ((end / start).log10() * f64::from(to_decade)).ceil() as u32;
        radii.extend((1..=steps).map(|i| start * (end / start).powf(f64::from(i) / f64::from(steps))));
    }
    radii
}

/// The table in cm, up to where a negligible energy is left.
pub(super) fn ended(radii: &[f64], within: &[f64], density_g_cm3: f64) -> Cumulative {
    /// A cubic needs three intervals.
    const LEAST: usize = 4;
    let whole = within[within.len() - 1];
    let kept = within.partition_point(|energy| *energy < whole * (1.0 - NEGLIGIBLE)) + 1;
    let kept = kept.clamp(LEAST, radii.len());
    let mut table = Cumulative { radii_cm: vec![0.0], energy_mev: vec![0.0] };
    table.radii_cm.extend(radii[..kept].iter().map(|radius| radius / density_g_cm3));
    table.energy_mev.extend(&within[..kept]);
    table
}
