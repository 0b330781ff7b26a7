//! Histories for tests, and the one way in which their means are compared.

use std::ops::Range;

use dosegrid::domain::Tally;
use dosegrid::domain::{Control, DeviceKind, EmissionSpectrum};
use dosegrid::engine::Device;
use dosegrid::physics::nuclide;
use dosegrid::validate::phantom::Phantom;
use dosegrid::validate::statistics::{Binned, Estimate};

/// Standard deviations by which two equal means may differ. With the 31 degrees of freedom of 32 groups, that is
/// exceeded by chance once in 2700 comparisons; since seeds are fixed, a given test exceeds it always or never.
const SIGMAS: f64 = 4.0;
/// A difference larger by so many standard deviations is missed once in 1000 comparisons.
const POWER_SIGMAS: f64 = 3.1;
/// Part of a test's histories that a software adapter runs.
const SOFTWARE_PART: f64 = 0.05;

/// What a decay of a nuclide emits.
pub(crate) fn spectrum(name: &str) -> EmissionSpectrum {
    nuclide::emissions(nuclide::find(name).expect("a known nuclide")).clone()
}

/// How many of a test's histories a device runs.
pub(crate) fn histories(device: &Device, wanted: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "fewer than were wanted")]
    let histories = (part(device) * wanted as f64) as u64;
    histories
}

fn part(device: &Device) -> f64 {
    if device.info().kind == DeviceKind::SoftwareGpu { SOFTWARE_PART } else { 1.0 }
}

/// Runs a range of histories that nobody cancels.
pub(crate) fn run(device: &mut Device, phantom: &Phantom, histories: Range<u64>) -> Tally {
    let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
    device.transport(&phantom.scene(), histories, &mut tally, &Control::detached()).expect("histories can be run");
    tally
}

/// The dose to sets of voxels on a device over that on the CPU after the same histories. Nearly every history goes the
/// same way on both, so that few of them show a small difference.
///
/// * `bin_of` – index of the set that a voxel belongs to, below `bins`
pub(crate) fn over_cpu(
    device: &mut Device,
    phantom: &Phantom,
    histories: Range<u64>,
    bins: usize,
    bin_of: impl Fn(usize) -> Option<usize>,
) -> Vec<Estimate> {
    let found = run(device, phantom, histories.clone());
    let expected = run(&mut super::cpu(), phantom, histories);
    let voxels = phantom.grid.voxels();
    let groups = found.groups.into_iter().zip(expected.groups).map(|(mut group, of_cpu)| {
        group.energy = group.energy.iter().chain(of_cpu.energy.iter()).collect();
        group
    });
    let both = Tally::of(groups.collect());
    let binned = Binned::new(&both, 2 * bins, |voxel| Some(bin_of(voxel % voxels)? + bins * (voxel / voxels)));
    (0..bins).map(|bin| binned.of(|energy| energy[bin] / energy[bins + bin])).collect()
}

/// Two estimates of what must be equal, judged by their own uncertainty.
pub(crate) struct Agreement {
    /// One over the other.
    pub(crate) ratio: Estimate,
    /// The relative difference that must not escape this comparison.
    pub(crate) detects: f64,
}

impl Agreement {
    /// * `detects` – relative difference that a test must detect on hardware; a software adapter, which runs fewer
    ///   histories, detects less
    pub(crate) fn new(device: &Device, found: Estimate, expected: Estimate, detects: f64) -> Self {
        Self { ratio: found.over(expected), detects: detects / part(device).sqrt() }
    }

    /// Why the two do not agree, or why this could not be seen.
    pub(crate) fn fault(&self) -> Option<String> {
        let Estimate { mean, sigma } = self.ratio;
        if (SIGMAS + POWER_SIGMAS) * sigma > self.detects || sigma.is_nan() {
            return Some(format!("σ is {sigma:.2e}: too much to see a difference of {:.2e}", self.detects));
        }
        let differs = (mean - 1.0).abs() > SIGMAS * sigma || mean.is_nan();
        differs.then(|| format!("the ratio is {mean:.5} ± {sigma:.5}, {:+.1} σ off", (mean - 1.0) / sigma))
    }

    pub(crate) fn assert(&self, what: &str) {
        if let Some(fault) = self.fault() {
            panic!("{what}: {fault}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bias_of_one_percent_is_a_fault_and_so_is_too_little_power() {
        let fault = |mean: f64, sigma: f64| Agreement { ratio: Estimate { mean, sigma }, detects: 0.01 }.fault();
        assert!(fault(1.0, 0.001).is_none() && fault(1.003, 0.001).is_none());
        assert!(fault(1.01, 0.0014).is_some() && fault(0.99, 0.0014).is_some() && fault(1.0051, 0.001).is_some());
        assert!(fault(1.0, 0.0015).is_some_and(|fault| fault.contains("too much")));
        assert!(fault(f64::NAN, 0.001).is_some() && fault(1.0, f64::NAN).is_some());
    }
}
