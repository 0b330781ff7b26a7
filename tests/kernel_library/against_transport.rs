//! The kernel method against Monte Carlo in uniform media, with the same emissions.

use dosegrid::domain::{Control, Emission, EmissionSpectrum, KernelMedium, Particle, Source};
use dosegrid::physics::kernel::{KernelSpec, integrate};
use dosegrid::physics::nuclide;
use dosegrid::validate::phantom::{Phantom, line};
use dosegrid::validate::statistics::Binned;

use crate::support::transport::{engines, histories, run};

/// What the two may differ by beside three standard deviations of the histories.
const TOLERANCE: f64 = 0.01;
/// Offsets that are compared.
const OFFSETS: usize = 3;
/// Voxels of less than this part of the source voxel's energy are not compared.
const FAINT: f64 = 1e-4;
/// Medium that scatters back, around the source [g/cm²].
const AROUND: f64 = 12.0;

fn compare(name: &str, spectrum: &EmissionSpectrum, medium: KernelMedium, spacing_mm: [f64; 3], wanted: u64) {
    let source = Source::with_emissions(None, spectrum.clone()).expect("a spectrum without a nuclide");
    let spec = KernelSpec::new(&source, medium, spacing_mm.map(|mm| mm / 10.0), [OFFSETS; 3]);
    let spec = spec.expect("energies that kernels have");
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tens of voxels")]
    let half = spacing_mm.map(|mm| (10.0 * AROUND / spec.density_g_cm3 / mm).ceil() as usize);
    #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
    let density = spec.density_g_cm3 as f32;
    let shape = half.map(|half| 2 * half as u64 + 1);
    let mut phantom = Phantom::uniform(shape, spacing_mm, medium.name(), density, spectrum.clone());
    phantom.groups = 16;
    let phantom = phantom.with_source_at(half);
    let kernel = integrate(&spec, &Control::detached()).expect("nobody cancels");
    for mut device in engines() {
        let n = histories(&device, wanted);
        let tally = run(&mut device, &phantom, 0..n);
        let bin = |voxel: usize| {
            let index = phantom.index(voxel);
            let offset: [usize; 3] = std::array::from_fn(|axis| index[axis].abs_diff(half[axis]));
            let near = offset.iter().all(|n| *n <= OFFSETS);
            near.then(|| offset[0] + (OFFSETS + 1) * (offset[1] + (OFFSETS + 1) * offset[2]))
        };
        let binned = Binned::new(&tally, (OFFSETS + 1).pow(3), bin);
        let mut worst = (0.0, [0; 3]);
        for ((i, j, k), &energy) in kernel.octant.indexed_iter() {
            let mirrored: f64 = [i, j, k].map(|n| if n > 0 { 2.0 } else { 1.0 }).iter().product();
            let found = binned.mean(i + (OFFSETS + 1) * (j + (OFFSETS + 1) * k)).scaled(1.0 / mirrored);
            if energy < FAINT * kernel.octant[[0, 0, 0]] {
                continue;
            }
            let beyond = ((found.mean - energy).abs() - 3.0 * found.sigma) / energy;
            if beyond > worst.0 {
                worst = (beyond, [i, j, k]);
            }
        }
        let itself = binned.mean(0).scaled(1.0 / kernel.octant[[0, 0, 0]]);
        println!(
            "{name} {} {spacing_mm:?}: self {:.4} ± {:.4}, worst beyond 3σ {worst:.4?}",
            medium.name(),
            itself.mean,
            itself.sigma
        );
        assert!(worst.0 < TOLERANCE, "{name} {} {spacing_mm:?} {}: {worst:?}", medium.name(), device.info().name);
        assert!(itself.sigma < TOLERANCE / 4.0, "{name}: {itself:?}");
    }
}

fn nuclide(name: &str) -> EmissionSpectrum {
    nuclide::emissions(nuclide::find(name).expect("a known nuclide")).clone()
}

#[test]
fn nuclides_in_water() {
    compare("Lu-177", &nuclide("Lu-177"), KernelMedium::Water, [4.0; 3], 400_000);
    compare("Y-90", &nuclide("Y-90"), KernelMedium::Water, [2.21, 2.21, 3.0], 200_000);
    compare("I-131", &nuclide("I-131"), KernelMedium::Water, [6.0, 5.0, 3.0], 400_000);
}

#[test]
fn positrons_and_hard_photons_in_water() {
    // About what Ga-68 emits, and the hardest line of Tl-208.
    let positrons = Emission { particle: Particle::Positron, low_mev: 0.3, high_mev: 1.4, yield_per_decay: 0.89 };
    let positrons = EmissionSpectrum::new(vec![positrons]).expect("a good spectrum");
    compare("positrons", &positrons, KernelMedium::Water, [2.0, 3.0, 4.0], 200_000);
    compare("2.6 MeV photons", &line(Particle::Photon, 2.614), KernelMedium::Water, [5.0; 3], 1_000_000);
    compare("30 keV photons", &line(Particle::Photon, 0.03), KernelMedium::Water, [4.0; 3], 200_000);
    compare("4.5 MeV electrons", &line(Particle::Electron, 4.5), KernelMedium::Water, [6.0; 3], 100_000);
}

#[test]
fn other_media() {
    compare("Y-90", &nuclide("Y-90"), KernelMedium::SoftTissue, [4.0; 3], 100_000);
    compare("Lu-177", &nuclide("Lu-177"), KernelMedium::CompactBone, [3.0; 3], 200_000);
    compare("I-131", &nuclide("I-131"), KernelMedium::CorticalBone, [3.0; 3], 200_000);
    compare("Lu-177", &nuclide("Lu-177"), KernelMedium::Lung, [10.0; 3], 200_000);
}
