//! Computes the libraries of point kernels in `data/kernels/` with the transport of this program: `dosegrid
//! kernel-library`.

mod scenes;

use crate::domain::Material;
use crate::domain::{Invalid, Particle};
use crate::engine::cpu::transport::point::{GROUPS, PointRun, PointTally};
use crate::physics::kernel::library;
use crate::physics::kernel::library::axis::{Axis, CHARGED, PHOTON, SET_FREE};
use crate::physics::kernel::library::{
    ChargedKernel, ChargedKernels, KernelLibrary, LibraryHeader, PhotonKernel, PhotonKernels,
};
use scenes::Scenes;

/// Lowest energy of a kernel [MeV]: the lowest of the transport.
const LOWEST_MEV: f64 = 1e-3;
/// Kernels for each factor of 2 in energy, and the index of the last one: up to 5.8 MeV for electrons and positrons,
/// 4.1 MeV for photons.
const ELECTRONS: [u32; 2] = [4, 50];
const POSITRONS: [u32; 2] = [2, 25];
const PHOTONS: [u32; 2] = [8, 96];

/// What to compute.
#[derive(Clone, Copy, Debug)]
pub struct LibraryPlan<'a> {
    /// The medium.
    pub medium: &'a Material,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Histories of each kernel, a multiple of the number of groups, 32.
    pub histories: u64,
}

/// Energies of the kernels of a particle [MeV], ascending.
pub fn energies_mev(particle: Particle) -> Vec<f64> {
    let [to_octave, last] = match particle {
        Particle::Electron => ELECTRONS,
        Particle::Positron => POSITRONS,
        Particle::Photon => PHOTONS,
    };
    (0..=last).map(|i| LOWEST_MEV * 2f64.powf(f64::from(i) / f64::from(to_octave))).collect()
}

/// Computes a library.
///
/// * `progress` – called after each kernel with the number of kernels that are done and the number of all
///
/// # Errors
/// If this number of histories cannot be run.
pub fn compute(plan: &LibraryPlan<'_>, progress: &mut dyn FnMut(usize, usize)) -> Result<KernelLibrary, Invalid> {
    let mut runner = KernelRunner::new(plan)?;
    let kinds = [Particle::Electron, Particle::Positron, Particle::Photon].map(|kind| (kind, energies_mev(kind)));
    let total = kinds.iter().map(|(_, energies)| energies.len()).sum();
    let mut done = 0;
    let mut count = || {
        done += 1;
        progress(done, total);
    };
    let [(electron, electrons), (positron, positrons), (_, photons)] = &kinds;
    let mut charged = |kind: Particle, energies: &[f64], runner: &mut KernelRunner<'_>| {
        let kernels = energies.iter().map(|&energy| {
            let kernel = runner.charged(kind, energy);
            count();
            kernel
        });
        ChargedKernels::new(kernels.collect())
    };
    let header =
        LibraryHeader::new(plan.medium, plan.seed, plan.histories, [electrons.len(), positrons.len(), photons.len()]);
    let (electrons, positrons) =
        (charged(*electron, electrons, &mut runner), charged(*positron, positrons, &mut runner));
    let photons = photons.iter().map(|&energy| {
        let kernel = runner.photon(energy);
        count();
        kernel
    });
    let photons = PhotonKernels::new(photons.collect());
    Ok(KernelLibrary { header, electrons, positrons, photons })
}

/// Computes kernels one by one.
#[derive(Debug)]
pub struct KernelRunner<'a> {
    scenes: Scenes<'a>,
    /// Whether kernels say what bone would absorb.
    with_bone: bool,
    seed: u64,
    histories_of_group: u32,
}

impl<'a> KernelRunner<'a> {
    /// Prepares the scenes of a medium.
    ///
    /// # Errors
    /// If this number of histories cannot be run.
    pub fn new(plan: &LibraryPlan<'a>) -> Result<Self, Invalid> {
        let groups = u64::from(GROUPS);
        let histories_of_group = u32::try_from(plan.histories / groups).unwrap_or(u32::MAX);
        let fits = histories_of_group.checked_mul(GROUPS).is_some() && histories_of_group > 0;
        if !fits || !plan.histories.is_multiple_of(groups) {
            let reason = format!("must be a multiple of {groups} and below 2^32, got {}", plan.histories);
            return Err(Invalid::new(reason));
        }
        let with_bone = library::has_bone(plan.medium);
        Ok(Self { scenes: Scenes::new(plan.medium), with_bone, seed: plan.seed, histories_of_group })
    }

    /// The kernel of electrons or positrons.
    pub fn charged(&mut self, particle: Particle, energy_mev: f64) -> ChargedKernel {
        let csda_range = self.scenes.csda_range(particle, energy_mev);
        let tallies = self.run(particle, energy_mev, [csda_range, 1.0], SET_FREE);
        let charged = sum(&tallies, |tally| &tally.charged);
        let set_free = sum(&tallies, |tally| &tally.photons);
        let in_bone = sum(&tallies, |tally| &tally.in_bone);
        let [charged_mev, set_free_mev] = [&charged, &set_free].map(|bins| bins.iter().sum::<f64>());
        let started = f64::from(self.histories_of_group) * f64::from(GROUPS) * energy_mev;
        // A particle may straggle past the last bin; its energy then counts there.
        let charged = fractions(&charged, charged_mev, CHARGED, true);
        let of_photons = |bins: &[f64]| {
            if set_free_mev > 0.0 { fractions(bins, set_free_mev, SET_FREE, false) } else { at_once() }
        };
        let set_free = of_photons(&set_free);
        let set_free_in_bone = if self.with_bone { of_photons(&in_bone) } else { Vec::new() };
        let charged_part = (charged_mev / started).min(1.0);
        ChargedKernel { energy_mev, csda_range, charged_part, charged, set_free, set_free_in_bone }
    }

    /// The kernel of photons.
    pub fn photon(&mut self, energy_mev: f64) -> PhotonKernel {
        let mean_free_path = self.scenes.mean_free_path(energy_mev);
        let tallies = self.run(Particle::Photon, energy_mev, [1.0, mean_free_path], PHOTON);
        let bins = sum(&tallies, |tally| &tally.photons);
        let (whole, in_bone) = (bins.iter().sum(), sum(&tallies, |tally| &tally.in_bone));
        let parts = fractions(&bins, whole, PHOTON, false);
        let parts_in_bone = if self.with_bone { fractions(&in_bone, whole, PHOTON, false) } else { Vec::new() };
        PhotonKernel { energy_mev, mean_free_path, parts, parts_in_bone }
    }

    fn run(&mut self, particle: Particle, energy_mev: f64, units: [f64; 2], photon_axis: Axis) -> Vec<PointTally> {
        let [charged, photons] = self.scenes.of(particle, energy_mev);
        let [charged_unit, photon_unit] = units;
        let run = PointRun {
            particle,
            energy_mev,
            charged_unit,
            photon_unit,
            charged: &charged,
            photons: &photons,
            bone_absorbs: self.scenes.bone_absorbs(),
            seed: self.seed,
            histories: self.histories_of_group,
        };
        run.run(CHARGED, photon_axis)
    }
}

/// Energy in each bin and beyond, summed over all groups.
fn sum(tallies: &[PointTally], of: fn(&PointTally) -> &Vec<f64>) -> Vec<f64> {
    let mut sum = vec![0.0; of(&tallies[0]).len()];
    for tally in tallies {
        sum.iter_mut().zip(of(tally)).for_each(|(sum, energy)| *sum += energy);
    }
    sum
}

/// The fraction of the energy in each bin.
///
/// * `closed` – whether the energy beyond belongs to the last bin
#[expect(clippy::cast_possible_truncation, reason = "tables are stored in single precision")]
fn fractions(bins: &[f64], whole: f64, axis: Axis, closed: bool) -> Vec<f32> {
    let (beyond, within) = bins.split_last().expect("a bin for what lies beyond");
    let mut fractions: Vec<f64> = within.iter().map(|energy| energy / whole).collect();
    if closed {
        fractions[axis.bins() - 1] += beyond / whole;
    }
    fractions.into_iter().map(|fraction| fraction as f32).collect()
}

/// For photons without any energy: all of it in the first bin, because nothing depends on it.
fn at_once() -> Vec<f32> {
    std::iter::once(1.0).chain(std::iter::repeat_n(0.0, SET_FREE.bins() - 1)).collect()
}
