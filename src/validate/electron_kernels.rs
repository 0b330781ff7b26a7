//! Electron point kernels against EGSnrc.

use super::Check;
use super::findings::{Findings, Row};
use super::golden;
use super::point_kernel::{PointKernel, Shells, radius_of_part};
use super::rig::Rig;
use super::statistics::Estimate;
use crate::domain::{DoseError, Particle};
use crate::report::{Axis, Band, Figure, Series};

pub(super) const CHECK: Check = Check {
    name: "electron-kernels",
    title: "Electron point kernels in water",
    meaning: "Electrons of one energy start in one voxel of water. The energy absorbed at each distance is compared \
        with the kernel of EGSnrc, integrated over the same voxels. The stopping power sets the scale; multiple \
        scattering and straggling set the shape.",
    tolerance: "1 % of the radii that hold 50 and 90 % of the energy, and 2 % of the peak of the kernel at any \
        distance up to 0.85 of the CSDA range: twice the difference between EGSnrc and PENELOPE. Beyond that, the \
        straggling of EGSnrc itself is not reliable.",
    measure,
};

const RADIUS_TOLERANCE: f64 = 0.01;
const PEAK_TOLERANCE: f64 = 0.02;
/// Tolerance of the energy in all shells.
const TOTAL_TOLERANCE: f64 = 0.005;
/// Fraction of the CSDA range up to which shells are compared.
const COMPARED_RANGE: f64 = 0.85;
/// Radius of the outermost shell, in CSDA ranges: the tables go to 1.3.
const OUTERMOST: f64 = 1.25;
/// Voxels on each side of the source.
const HALF_WIDTH: usize = 25;

/// Energy [MeV], CSDA range [cm] in the shells of the table, histories.
const CASES: [(f64, f64, golden::PointKernelTable, u64); 3] = [
    (0.1, 0.01431, golden::ELECTRON_0_1_MEV, 200_000),
    (0.5, 0.1766, golden::ELECTRON_0_5_MEV, 200_000),
    (2.0, 0.97848, golden::ELECTRON_2_MEV, 150_000),
];

fn kernel((mev, range_cm, table, histories): (f64, f64, golden::PointKernelTable, u64)) -> PointKernel {
    PointKernel {
        particle: Particle::Electron,
        mev,
        table,
        spacing_cm: OUTERMOST * range_cm / (HALF_WIDTH as f64 + 0.5),
        half_width: HALF_WIDTH,
        density_g_cm3: 0.1,
        radius_cm: f64::INFINITY,
        cuts_of_mm: None,
        histories,
    }
}

fn measure(rig: &mut Rig) -> Result<Findings, DoseError> {
    let kernels = CASES.map(|case| kernel(case).measure(rig));
    Ok(compare(&kernels.into_iter().collect::<Result<Vec<_>, DoseError>>()?))
}

fn compare(kernels: &[Shells]) -> Findings {
    let mut findings = Findings::default();
    for shells in kernels {
        let Shells { name, found, reference_mev: reference, .. } = shells;
        for part in [0.5, 0.9] {
            let expected = radius_of_part(reference, part);
            let ratio = found.of(|energy| radius_of_part(energy, part) / expected);
            findings.rows.push(Row::new(
                format!("{name}, R{:.0} over reference", 100.0 * part),
                ratio,
                1.0,
                RADIUS_TOLERANCE,
            ));
        }
        let total: f64 = reference.iter().sum();
        let whole = found.of(|energy| energy.iter().sum::<f64>() / total);
        findings.rows.push(Row::new(
            format!("{name}, energy in all shells over reference"),
            whole,
            1.0,
            TOTAL_TOLERANCE,
        ));
        findings.rows.push(worst_shell(shells));
        findings.figures.extend(figures(shells));
    }
    findings
}

/// Difference of a shell from the reference, relative to the peak of the reference.
fn of_peak(shells: &Shells, shell: usize) -> Estimate {
    let peak = shells.reference_mev.iter().copied().fold(0.0, f64::max);
    let found = shells.found.mean(shell);
    Estimate {
        mean: (found.mean - shells.reference_mev[shell]) / peak,
        sigma: found.sigma.hypot(shells.reference_sigma_mev[shell]) / peak,
    }
}

/// The shell that is closest to failing, or fails by most.
fn worst_shell(shells: &Shells) -> Row {
    let last = shells.reference_mev.len() as f64 - 0.5;
    let compared = |shell: &usize| *shell as f64 <= COMPARED_RANGE / OUTERMOST * last;
    let rows = (0..shells.reference_mev.len()).filter(compared).map(|shell| {
        let range = shell as f64 / last * OUTERMOST;
        let quantity = format!("{}, worst shell (at {range:.2} CSDA ranges) less reference, over peak", shells.name);
        Row::new(quantity, of_peak(shells, shell), 0.0, PEAK_TOLERANCE)
    });
    Row::worst(rows).expect("there are shells")
}

fn figures(shells: &Shells) -> [Figure; 2] {
    let radius_axis = || Axis::linear("radius [cm]");
    let radius = |shell: usize| shell as f64 * shells.spacing_cm;
    let numbers = 0..shells.reference_mev.len();
    let title = format!("{}: energy by distance", shells.name);
    let mut kernel = Figure::new(title, [radius_axis(), Axis::linear("MeV per cm")]);
    let reference = numbers.clone().map(|n| [radius(n), shells.reference_mev[n] / shells.spacing_cm]);
    let found = numbers.clone().map(|n| {
        let Estimate { mean, sigma } = shells.found.mean(n).scaled(1.0 / shells.spacing_cm);
        [radius(n), mean, sigma]
    });
    kernel.series = vec![Series::line("EGSnrc", reference), Series::points("this device", found)];
    let title = format!("{}: difference", shells.name);
    let mut difference = Figure::new(title, [radius_axis(), Axis::linear("% of the peak")]);
    difference.bands.push(Band::Tolerance([-100.0 * PEAK_TOLERANCE, 100.0 * PEAK_TOLERANCE]));
    let points = numbers.map(|n| {
        let Estimate { mean, sigma } = of_peak(shells, n).scaled(100.0);
        [radius(n), mean, sigma]
    });
    difference.series = vec![Series::points("this device less EGSnrc", points)];
    [kernel, difference]
}

#[cfg(test)]
mod tests {
    use super::super::point_kernel::tests::shells;
    use super::*;

    /// A shape like that of the kernel of an electron, to 1.25 of its range.
    fn reference() -> Vec<f64> {
        (0..=HALF_WIDTH).map(|n| 1.0 / (1.0 + ((n as f64 - 14.0) / 1.5).exp())).collect()
    }

    #[test]
    fn a_range_two_percent_too_long_fails() {
        let reference = reference();
        assert!(compare(&[shells(&reference, |_| 1.0)]).passes());
        let stretched = |by: f64| {
            let reference: Vec<f64> =
                (0..=HALF_WIDTH).map(|n| 1.0 / (1.0 + ((n as f64 / by - 14.0) / 1.5).exp()) / by).collect();
            shells(&reference, |_| 1.0).found
        };
        for by in [0.98, 1.02] {
            let wrong = Shells { found: stretched(by), ..shells(&reference, |_| 1.0) };
            assert!(!compare(&[wrong]).passes(), "{by}");
        }
    }

    #[test]
    fn one_shell_off_by_three_percent_fails_and_so_does_the_total_by_one() {
        let reference = reference();
        for wrong in [0, 5, 11] {
            let findings = compare(&[shells(&reference, |shell| if shell == wrong { 1.04 } else { 1.0 })]);
            assert!(!findings.passes(), "{wrong}");
        }
        assert!(!compare(&[shells(&reference, |_| 0.99)]).passes());
    }
}
