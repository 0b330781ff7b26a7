//! The kernel method against Monte Carlo in uniform media, with the same emissions.

use dosegrid::domain::{Emission, EmissionSpectrum, KernelMedium, Particle, Source};
use dosegrid::math::watch::Unwatched;
use dosegrid::physics::kernel::{KernelSpec, density_g_cm3, integrate};
use dosegrid::physics::nuclide;
use dosegrid::validate::phantom::{Phantom, line};
use dosegrid::validate::statistics::Binned;

use crate::support::transport::run;
use crate::support::transport::spectrum;

/// Allowed difference besides four standard deviations of the histories, which with 32 groups are as rare as 3.5 of a
/// normal distribution.
const TOLERANCE: f64 = 0.01;
const SIGMAS: f64 = 4.0;
/// Offsets that are compared.
const OFFSETS: usize = 3;
/// Voxels with less than this fraction of the source voxel's energy are not compared.
const FAINT: f64 = 1e-4;
/// Thickness of the scattering medium around the source [g/cm²].
const AROUND: f64 = 12.0;

/// The kernel to integrate, and a phantom with the same source in its central voxel.
fn set_up(
    spectrum: &EmissionSpectrum,
    medium: KernelMedium,
    spacing_mm: [f64; 3],
) -> (KernelSpec, Phantom, [usize; 3]) {
    let source = Source::with_emissions(None, spectrum.clone()).expect("a spectrum without a nuclide");
    let spec = KernelSpec::new(&source, medium, spacing_mm.map(|mm| mm / 10.0), [OFFSETS; 3]);
    let spec = spec.expect("energies that kernels have");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tens of voxels")]
    let half = spacing_mm.map(|mm| (10.0 * AROUND / density_g_cm3(medium) / mm).ceil() as usize);
    #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
    let density = density_g_cm3(medium) as f32;
    let shape = half.map(|half| 2 * half as u64 + 1);
    let phantom = Phantom::uniform(shape, spacing_mm, medium.name(), density, spectrum.clone());
    (spec, phantom.with_source_at(half), half)
}

fn compare(name: &str, spectrum: &EmissionSpectrum, medium: KernelMedium, spacing_mm: [f64; 3], histories: u64) {
    let (spec, phantom, half) = set_up(spectrum, medium, spacing_mm);
    let kernel = integrate(&spec, &Unwatched).expect("nobody cancels");
    // Devices are compared with each other in other tests.
    let mut device = crate::support::cpu();
    let tally = run(&mut device, &phantom, 0..histories);
    let bin = |voxel: usize| {
        let index = phantom.index(voxel);
        let offset: [usize; 3] = std::array::from_fn(|axis| index[axis].abs_diff(half[axis]));
        offset.iter().all(|n| *n <= OFFSETS).then(|| number(offset))
    };
    let binned = Binned::new(&tally, (OFFSETS + 1).pow(3), bin);
    let (mut worst, mut compared) = ((f64::MIN, [0; 3], 0.0, 0.0), 0);
    for (index, &energy) in kernel.octant.indexed_iter() {
        let offset = [index.0, index.1, index.2];
        let mirrored: f64 = offset.map(|n| if n > 0 { 2.0 } else { 1.0 }).iter().product();
        let ratio = binned.mean(number(offset)).scaled(1.0 / (mirrored * energy));
        if energy >= FAINT * kernel.octant[[0, 0, 0]] {
            compared += 1;
            let beyond = (ratio.mean - 1.0).abs() - SIGMAS * ratio.sigma;
            if beyond > worst.0 {
                worst = (beyond, offset, ratio.mean, ratio.sigma);
            }
        }
    }
    let itself = binned.mean(0).scaled(1.0 / kernel.octant[[0, 0, 0]]);
    let whole = binned.of(|energy| energy.iter().sum::<f64>()).scaled(1.0 / kernel.energy_in_cube_mev());
    println!(
        "{name}, {} {spacing_mm:?}: self {itself:.4?}, all {whole:.4?}, {compared} voxels, worst {worst:.4?}",
        medium.name()
    );
    assert!(worst.0 < TOLERANCE, "{name}, {} {spacing_mm:?}: {worst:?}", medium.name());
    // All voxels together would show a bias of one percent.
    assert!((whole.mean - 1.0).abs() < TOLERANCE && whole.sigma < TOLERANCE / 3.0, "{name}: {whole:?}");
    assert!(compared >= 4, "{name}: {compared} voxels");
}

/// Number of the bin of an offset.
fn number([i, j, k]: [usize; 3]) -> usize {
    i + (OFFSETS + 1) * (j + (OFFSETS + 1) * k)
}

/// Histories do not include alpha particles and recoils: their energy is added to both.
#[test]
fn alpha_emitters_in_water() {
    for (name, histories) in [("Ac-225", 300_000), ("Pb-212", 600_000), ("Ra-223", 300_000)] {
        let source = Source::from(nuclide::find(name).expect("a known nuclide"));
        assert!(source.local_mev() > 1.0, "{name}");
        compare(name, source.emissions(), KernelMedium::Water, [4.0; 3], histories);
        let spec = KernelSpec::new(&source, KernelMedium::Water, [0.4; 3], [1; 3]).expect("energies that kernels have");
        let kernel = integrate(&spec, &Unwatched).expect("nobody cancels");
        let followed = integrate(&KernelSpec { local_mev: 0.0, ..spec }, &Unwatched).expect("nobody cancels");
        let added = &kernel.octant - &followed.octant;
        assert!((added[[0, 0, 0]] / source.local_mev() - 1.0).abs() < 1e-12 && added[[1, 0, 0]] == 0.0, "{name}");
        let captured = kernel.captured_mev / source.released_mev();
        assert!((0.9985..1.0 + 1e-9).contains(&captured), "{name}: {captured}");
    }
}

#[test]
fn nuclides_in_water() {
    compare("Lu-177", &spectrum("Lu-177"), KernelMedium::Water, [4.0; 3], 400_000);
    compare("Y-90", &spectrum("Y-90"), KernelMedium::Water, [2.21, 2.21, 3.0], 200_000);
    compare("I-131", &spectrum("I-131"), KernelMedium::Water, [6.0, 5.0, 3.0], 400_000);
}

#[test]
fn positrons_and_hard_photons_in_water() {
    // Roughly the positrons of Ga-68, and the hardest line of Tl-208.
    let positrons = Emission { particle: Particle::Positron, low_mev: 0.3, high_mev: 1.4, yield_per_decay: 0.89 };
    let positrons = EmissionSpectrum::new(vec![positrons]).expect("a good spectrum");
    compare("positrons", &positrons, KernelMedium::Water, [2.0, 3.0, 4.0], 200_000);
    compare("2.6 MeV photons", &line(Particle::Photon, 2.614), KernelMedium::Water, [6.0; 3], 2_000_000);
    compare("30 keV photons", &line(Particle::Photon, 0.03), KernelMedium::Water, [4.0; 3], 200_000);
    compare("4.5 MeV electrons", &line(Particle::Electron, 4.5), KernelMedium::Water, [6.0; 3], 100_000);
}

#[test]
fn other_media() {
    compare("Y-90", &spectrum("Y-90"), KernelMedium::SoftTissue, [4.0; 3], 100_000);
    compare("Lu-177", &spectrum("Lu-177"), KernelMedium::CompactBone, [3.0; 3], 200_000);
    compare("I-131", &spectrum("I-131"), KernelMedium::CorticalBone, [3.0; 3], 1_600_000);
    compare("Lu-177", &spectrum("Lu-177"), KernelMedium::Lung, [10.0; 3], 200_000);
}
