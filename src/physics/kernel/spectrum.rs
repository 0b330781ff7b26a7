//! The energy around a point source of any emission spectrum, from the library of monoenergetic kernels.

use std::sync::{Arc, Mutex, OnceLock};

use super::coefficients::{PhotonCoefficients, photon_coefficients};
use super::library::{BONE, KernelLibrary, Within};
use super::radial::RadialKernel;
use super::shells::Cumulative;
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::digest::sha256_hex;
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{Invalid, KernelMedium};
use crate::math::cache::Cache;
use crate::math::log_grid::LogTable;
use crate::physics::energy_grid::MIN_ENERGY_MEV;
use crate::physics::material;
use crate::physics::photon::klein_nishina;

/// Radii of a kernel: up to this radius [g/cm²], this many per decade.
const RADII: [(f64, u32); 3] = [(1e-3, 30), (5.0, 100), (MAX_RADIUS, 40)];
/// Smallest radius [g/cm²].
const MIN_RADIUS: f64 = 1e-5;
/// Largest radius [g/cm²].
const MAX_RADIUS: f64 = 200.0;
/// A kernel ends where at most this fraction of its energy is left.
const NEGLIGIBLE: f64 = 1e-6;
/// Widest interval of a continuum that two energies represent, in ln E.
const WIDEST_PART: f64 = 0.1;
/// Photons below this energy are absorbed at the source, as in transport [MeV].
const LOCAL_MEV: f64 = MIN_ENERGY_MEV;
/// Number of kernels kept for later requests.
const KEPT: u64 = 32;

/// Radial kernels by the digest of their spectrum and their medium.
static KERNELS: Mutex<Cache<(String, KernelMedium), Arc<RadialKernel>>> = Mutex::new(Cache::new(KEPT, |_| 1));

static PARTS: Mutex<Cache<(String, KernelMedium), Arc<RadialParts>>> = Mutex::new(Cache::new(KEPT, |_| 1));

/// The energy that all emissions of a decay leave around a point in an unbounded medium of its material's nominal
/// density.
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
    sha256_hex(file(medium))
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
    let Within { charged, photons, .. } = sum(spectrum, library, &radii).within;
    let within: Vec<f64> = charged.iter().zip(photons).map(|(charged, photons)| charged + photons).collect();
    Ok(RadialKernel::new(&ended(&radii, &within, density_g_cm3)))
}

/// What charged particles and photons leave within radii, and the photons that start.
struct Sum {
    within: Within,
    /// Number and energy [MeV] of photons: those of the decay, annihilation photons and bremsstrahlung.
    photons: Vec<(f64, f64)>,
}

fn sum(spectrum: &EmissionSpectrum, library: &KernelLibrary, radii: &[f64]) -> Sum {
    let of = |particle| {
        let of_kind = spectrum.emissions().iter().filter(move |emission| emission.particle == particle);
        of_kind.flat_map(energies)
    };
    let mut electrons = library.electrons.sum(radii);
    of(Particle::Electron).for_each(|(number, energy_mev)| electrons.add(number, energy_mev, 0.0));
    let mut positrons = library.positrons.sum(radii);
    let rest_mev = 2.0 * ELECTRON_REST_ENERGY_MEV;
    of(Particle::Positron).for_each(|(number, energy_mev)| positrons.add(number, energy_mev, rest_mev));
    let mut photons: Vec<(f64, f64)> = electrons.by_photons().flat_map(bremsstrahlung).collect();
    let annihilation_mev: f64 = positrons.by_photons().map(|(_, mev)| mev).sum();
    photons.push((annihilation_mev / ELECTRON_REST_ENERGY_MEV, ELECTRON_REST_ENERGY_MEV));
    let mut within = electrons.finish();
    let of_positrons = positrons.finish();
    add(&mut within.charged, &of_positrons.charged);
    add(&mut within.photons, &of_positrons.photons);
    add(&mut within.in_bone, &of_positrons.in_bone);
    for (number, energy_mev) in of(Particle::Photon) {
        if energy_mev < LOCAL_MEV {
            within.charged.iter_mut().for_each(|sum| *sum += number * energy_mev);
        } else {
            library.photons.add(number, energy_mev, radii, &mut within.photons);
            library.photons.add_in_bone(number, energy_mev, radii, &mut within.in_bone);
            photons.push((number, energy_mev));
        }
    }
    Sum { within, photons }
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
    /// Where groups end [MeV]: narrow where attenuation depends much on the energy. What is below the first hardly leaves
    /// its voxel.
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

/// The table in cm, up to where a negligible energy is left.
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
