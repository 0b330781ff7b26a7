//! The energy around a point source of any emission spectrum, from the library of kernels of one energy.

use std::sync::{Arc, Mutex, OnceLock};

use sha2::{Digest, Sha256};

use super::library::{ChargedKernels, KernelLibrary};
use super::radial::RadialKernel;
use super::shells::Cumulative;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{Invalid, KernelMedium};
use crate::math::cache::Cache;
use crate::physics::energy_grid::MIN_ENERGY_MEV;
use crate::physics::material;

/// Radii of a kernel [g/cm²]: up to so far, so many to a decade.
const RADII: [(f64, u32); 3] = [(1e-3, 30), (5.0, 100), (MAX_RADIUS, 40)];
/// Least radius [g/cm²].
const MIN_RADIUS: f64 = 1e-5;
/// No kernel reaches farther [g/cm²].
const MAX_RADIUS: f64 = 200.0;
/// A kernel ends where no more of its energy than this part is left.
const NEGLIGIBLE: f64 = 1e-6;
/// Widest part of a continuum that two energies stand for, in ln E.
const WIDEST_PART: f64 = 0.1;
/// What lies below is absorbed at the source, as in transport [MeV].
const LOCAL_MEV: f64 = MIN_ENERGY_MEV;
/// Kernels kept for later requests.
const KEPT: u64 = 32;

/// Radial kernels by the digest of their spectrum and their medium.
static KERNELS: Mutex<Cache<(String, KernelMedium), Arc<RadialKernel>>> = Mutex::new(Cache::new(KEPT, |_| 1));

/// The energy that all emissions of a decay leave around a point in an unbounded medium of its material's nominal density.
///
/// # Errors
/// If an energy lies above those of the library.
pub fn radial_kernel(spectrum: &EmissionSpectrum, medium: KernelMedium) -> Result<Arc<RadialKernel>, Invalid> {
    let key = (spectrum.sha256(), medium);
    let kept = || KERNELS.lock().expect("no thread panics while it holds the kernels");
    if let Some(kernel) = kept().get(&key) {
        return Ok(kernel);
    }
    let kernel = Arc::new(build(spectrum, library(medium), density_g_cm3(medium))?);
    kept().insert(key, Arc::clone(&kernel));
    Ok(kernel)
}

/// Nominal density of a medium [g/cm³].
pub fn density_g_cm3(medium: KernelMedium) -> f64 {
    material::find(medium.name()).expect("a medium is a material").nominal_density_g_cm3()
}

/// The embedded library of a medium.
pub fn library(medium: KernelMedium) -> &'static KernelLibrary {
    static LIBRARIES: [OnceLock<KernelLibrary>; KernelMedium::ALL.len()] =
        [const { OnceLock::new() }; KernelMedium::ALL.len()];
    let number = KernelMedium::ALL.iter().position(|known| *known == medium).expect("all media are listed");
    let read = || KernelLibrary::from_bytes(file(medium)).expect("embedded libraries are read by a test");
    LIBRARIES[number].get_or_init(read)
}

/// SHA-256 of the file of a library, in hexadecimal.
pub fn library_sha256(medium: KernelMedium) -> String {
    Sha256::digest(file(medium)).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file(medium: KernelMedium) -> &'static [u8] {
    match medium {
        KernelMedium::Water => include_bytes!("../../../data/kernels/water.bin.gz"),
        KernelMedium::SoftTissue => include_bytes!("../../../data/kernels/soft_tissue.bin.gz"),
        KernelMedium::Lung => include_bytes!("../../../data/kernels/lung.bin.gz"),
        KernelMedium::CompactBone => include_bytes!("../../../data/kernels/compact_bone.bin.gz"),
        KernelMedium::CorticalBone => include_bytes!("../../../data/kernels/cortical_bone.bin.gz"),
    }
}

/// Sums the kernels of all emissions.
///
/// # Errors
/// If an energy lies above those of the library.
pub(super) fn build(
    spectrum: &EmissionSpectrum,
    library: &KernelLibrary,
    density_g_cm3: f64,
) -> Result<RadialKernel, Invalid> {
    check_energies(spectrum, library)?;
    let radii = radii();
    let of = |particle| spectrum.emissions().iter().filter(move |emission| emission.particle == particle);
    let mut within = charged(&library.electrons, of(Particle::Electron), 0.0, &radii);
    let positrons = charged(&library.positrons, of(Particle::Positron), 2.0 * ELECTRON_REST_ENERGY_MEV, &radii);
    within.iter_mut().zip(positrons).for_each(|(sum, energy)| *sum += energy);
    for (number, energy_mev) in of(Particle::Photon).flat_map(energies) {
        if energy_mev < LOCAL_MEV {
            within.iter_mut().for_each(|sum| *sum += number * energy_mev);
        } else {
            library.photons.add(number, energy_mev, &radii, &mut within);
        }
    }
    Ok(RadialKernel::new(&ended(&radii, &within, density_g_cm3)))
}

fn charged<'a>(
    kernels: &ChargedKernels,
    emissions: impl Iterator<Item = &'a Emission>,
    rest_mev: f64,
    radii: &[f64],
) -> Vec<f64> {
    let mut sum = kernels.sum(radii);
    emissions.flat_map(energies).for_each(|(number, energy_mev)| sum.add(number, energy_mev, rest_mev));
    sum.finish()
}

/// Numbers and energies [MeV] that stand for an emission: one for a line, Gauss-Legendre's two for each part of a continuum.
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
fn check_energies(spectrum: &EmissionSpectrum, library: &KernelLibrary) -> Result<(), Invalid> {
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

fn radii() -> Vec<f64> {
    let mut radii = vec![MIN_RADIUS];
    for (end, to_decade) in RADII {
        let start = radii[radii.len() - 1];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some hundred")]
        let steps = ((end / start).log10() * f64::from(to_decade)).ceil() as u32;
        radii.extend((1..=steps).map(|i| start * (end / start).powf(f64::from(i) / f64::from(steps))));
    }
    radii
}

/// The table in cm, up to where next to nothing is left.
fn ended(radii: &[f64], within: &[f64], density_g_cm3: f64) -> Cumulative {
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
