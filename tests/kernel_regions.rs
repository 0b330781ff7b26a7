//! The kernel method outside water: means of regions next to Monte Carlo, as `docs/kernels.md` lists them.

mod phantoms;

use std::fmt::Write;
use std::fs;

use dosegrid::domain::{Control, DensityCorrection, DeviceSelector, DoseError, DoseResult, KernelOptions, Method};
use dosegrid::engine::Device;
use dosegrid::method;
use dosegrid::plan::{Limits, plan};

use crate::support::reference;
use phantoms::{Phantom, layers, patient, thorax};

const NUCLIDES: [&str; 6] = ["Lu-177", "Y-90", "I-131", "Ac-225", "Tb-161", "In-111"];
const MEANS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/kernel_region_means.csv");
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/kernels.md");
/// What figures of the documentation may be off by, in per cent: they have one digit after the point.
const ROUNDING: f64 = 0.25;

#[derive(serde::Deserialize)]
struct Mean {
    phantom: String,
    nuclide: String,
    region: String,
    mean_gy: f64,
    sigma_gy: f64,
}

fn means() -> Vec<Mean> {
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_path(MEANS).expect("the means are there");
    reader.deserialize().map(|row| row.expect("a row of means")).collect()
}

fn phantoms() -> [Phantom; 3] {
    [thorax(false), thorax(true), layers()]
}

fn dose(phantom: &Phantom, nuclide: &str, method: Method) -> DoseResult {
    let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
    dose_on(&mut device, phantom, nuclide, method)
}

fn dose_on(device: &mut Device, phantom: &Phantom, nuclide: &str, method: Method) -> DoseResult {
    try_dose_on(device, phantom, nuclide, method).expect("a dose")
}

fn try_dose_on(device: &mut Device, phantom: &Phantom, nuclide: &str, method: Method) -> Result<DoseResult, DoseError> {
    let request = phantom.request(nuclide, method);
    let limits = Limits { host_bytes: 8 << 30, workspace_bytes: 2 << 30 };
    let plan = plan(&request, &limits).expect("it fits");
    method::run(device, &plan, &request, &Control::detached())
}

#[test]
fn regions_of_phantoms_are_as_near_to_monte_carlo_as_documented() {
    check_regions(&phantoms());
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn regions_of_the_patient_are_as_near_to_monte_carlo_as_documented() {
    check_regions(&[patient()]);
}

fn check_regions(phantoms: &[Phantom]) {
    let (means, docs) = (means(), fs::read_to_string(DOCS).expect("the documentation is there"));
    let (mut tables, mut faults) = (String::new(), String::new());
    for phantom in phantoms {
        let heads: Vec<&str> = phantom.regions.to_vec();
        writeln!(tables, "\n| {} | {} |", phantom.name, heads.join(" | ")).expect("a string");
        for nuclide in NUCLIDES {
            let result = dose(phantom, nuclide, Method::Kernel(KernelOptions::default()));
            let decays = phantom.decays();
            let differences: Vec<f64> = (phantom.regions.iter().enumerate())
                .map(|(number, region)| {
                    let is = |mean: &&Mean| {
                        (mean.phantom.as_str(), mean.nuclide.as_str()) == (phantom.name, nuclide)
                            && mean.region == *region
                    };
                    let mean = means.iter().find(is).expect("a mean of each region");
                    assert!(mean.sigma_gy > 0.0 && mean.sigma_gy < 0.03 * mean.mean_gy);
                    100.0 * (phantom.mean(number, &result.dose, None)[0] / decays / mean.mean_gy - 1.0)
                })
                .collect();
            let cells: Vec<String> = differences.iter().map(|difference| format!("{difference:+.1}")).collect();
            writeln!(tables, "| {nuclide} | {} |", cells.join(" | ")).expect("a string");
            let documented = documented(&docs, phantom.name, nuclide);
            let agree = documented.len() == differences.len()
                && documented.iter().zip(&differences).all(|(a, b)| (a - b).abs() < ROUNDING);
            if !agree {
                writeln!(faults, "{} {nuclide}: {documented:?}", phantom.name).expect("a string");
            }
        }
    }
    assert!(faults.is_empty(), "docs/kernels.md says otherwise:\n{faults}\nwhat was found:\n{tables}");
}

/// Y-90 beside a rim of 0.06 g/cm³ without activity, air beyond it. By Monte Carlo the rim gets 0.80 Gy and the inside
/// 2.33 Gy; the energy of as much water over the rim's own mass would be 6.2 Gy.
#[test]
fn a_thin_rim_beside_a_source_has_no_peak() {
    let phantom = phantoms::rim();
    let dose = dose(&phantom, "Y-90", Method::Kernel(KernelOptions::default())).dose;
    let [inside, rim] = [0, 1].map(|region| phantom.mean(region, &dose, None)[0]);
    assert!((2.28..2.38).contains(&inside) && (0.6..1.0).contains(&rim), "inside {inside} Gy, rim {rim} Gy");
    let most = dose.as_slice().iter().copied().fold(0.0, f32::max);
    assert!(f64::from(most) < 1.05 * inside, "maximum {most} Gy");
}

/// Where the corrections would create energy, they refuse.
#[test]
fn a_body_of_iron_is_refused_and_one_of_bone_is_not() {
    let method = || Method::Kernel(KernelOptions::default());
    let mut device = crate::support::cpu();
    let mut of = |g_cm3, nuclide| try_dose_on(&mut device, &phantoms::cube(g_cm3), nuclide, method());
    for nuclide in ["Y-90", "Lu-177"] {
        let energy = of(1.9, nuclide).expect("a dose").provenance.energy;
        assert!(energy.escaped_mev > -0.01 * energy.emitted_mev, "{nuclide}: {energy:?}");
    }
    let DoseError::Invalid(faults) = of(7.8, "Cs-131").expect_err("too much energy") else { panic!("another error") };
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].field, "method.kernel.density_correction");
    assert!(faults[0].reason.contains("monte-carlo"), "{}", faults[0].reason);
}

/// In a body of water the corrections change nothing but what the surroundings would scatter back.
#[test]
fn in_water_the_dose_is_that_of_the_convolution() {
    for nuclide in ["Lu-177", "Y-90", "I-131"] {
        let phantom = phantoms::water();
        let [uniform, split] = [DensityCorrection::None, DensityCorrection::DensityScaled].map(|density_correction| {
            dose(&phantom, nuclide, Method::Kernel(KernelOptions { density_correction, ..KernelOptions::default() }))
        });
        let most = uniform.dose.as_slice().iter().copied().fold(0.0, f32::max);
        for (number, tolerance) in [(0, 5e-3), (1, 0.06)] {
            let [uniform, split] = [&uniform, &split].map(|result| phantom.mean(number, &result.dose, None)[0]);
            let difference = split / uniform - 1.0;
            assert!(difference.abs() < tolerance, "{nuclide} {}: {difference}", phantom.regions[number]);
        }
        let voxels = uniform.dose.as_slice().iter().zip(split.dose.as_slice());
        let far = voxels.filter(|(uniform, _)| **uniform > 0.1 * most).map(|(a, b)| f64::from(b / a) - 1.0);
        let worst = far.map(f64::abs).fold(0.0, f64::max);
        assert!(worst < 0.01, "{nuclide}: {worst}");
    }
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn gpu_and_cpu_give_one_dose() {
    let (mut cpu, mut gpu) = (crate::support::cpu(), crate::support::gpu());
    let phantom = layers();
    for nuclide in ["Lu-177", "Y-90", "I-131"] {
        let [a, b] = [&mut cpu, &mut gpu]
            .map(|device| dose_on(device, &phantom, nuclide, Method::Kernel(KernelOptions::default())).dose);
        let most = f64::from(a.as_slice().iter().copied().fold(0.0, f32::max));
        let pairs = a.as_slice().iter().zip(b.as_slice()).map(|(&a, &b)| (f64::from(a), f64::from(b)));
        let squares: Vec<f64> = pairs.filter(|(a, _)| *a > 1e-5 * most).map(|(a, b)| (b / a - 1.0).powi(2)).collect();
        let rms = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
        assert!(rms < 1e-5, "{nuclide}: rms {rms:.1e}");
    }
}

/// The row of a nuclide in the table of a phantom.
fn documented(docs: &str, phantom: &str, nuclide: &str) -> Vec<f64> {
    let mut lines = docs.lines().skip_while(|line| !line.starts_with(&format!("| {phantom} |")));
    let row = lines.find(|line| line.starts_with(&format!("| {nuclide} |")));
    let cells = row.into_iter().flat_map(|row| row.split('|').skip(2));
    cells.filter_map(|cell| cell.trim().replace('−', "-").parse().ok()).collect()
}
