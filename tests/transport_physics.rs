//! The physics of transport against theory and against EGSnrc: the checks of `dosegrid validate`, with fewer histories.

use std::time::Duration;

use dosegrid::domain::{Control, DeviceKind};
use dosegrid::engine::Device;
use dosegrid::validate::fano::{CASES, Case, DENSITIES, dose_by_density};
use dosegrid::validate::statistics::Estimate;
use dosegrid::validate::{CHECKS, Effort, Rig, Row};

use crate::support::on_each_engine;
use crate::support::transport::{Agreement, histories};

/// Each check of `dosegrid validate` on each engine, as tests of their own, so that none waits for another.
mod every_check_passes_with_few_histories {
    use super::*;

    fn rows(device: &mut Device, name: &str, effort: Effort) -> Vec<Row> {
        let control = Control::detached();
        let device_name = device.info().name;
        let check = CHECKS.iter().find(|check| check.name == name).expect("a check");
        let outcome = check.run(&mut Rig { device, effort, control: &control });
        println!("{device_name}: {name} {:.1} s", outcome.took.as_secs_f64());
        assert!(outcome.took > Duration::ZERO);
        outcome.findings.expect("the check can be made").rows
    }

    fn passes(mut device: Device, name: &str) {
        let device_name = device.info().name;
        let is_software = device.info().kind == DeviceKind::SoftwareGpu;
        let found = rows(&mut device, name, if is_software { Effort::Paired } else { Effort::Reduced });
        if is_software {
            // The verdict comes from the CPU, which runs five times as many histories in a test of its own: after these
            // few, a check would fail by chance once in ten times.
            return agree(&found, &rows(&mut crate::support::cpu(), name, Effort::Paired));
        }
        let off: Vec<Row> = found.into_iter().filter(|row| !row.passes()).collect();
        let failed: Vec<String> = off.into_iter().map(|row| format!("{} is {}", row.quantity, row.found)).collect();
        assert!(failed.is_empty(), "{device_name}: {name}: {failed:#?}");
    }

    /// The figures of two engines after the same histories. A rare history goes another way where two energies round
    /// differently; half a per cent of anything is seen, and a fifth of its uncertainty if that is less.
    fn agree(found: &[Row], expected: &[Row]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.quantity, expected.quantity);
            let (difference, scale) = ((found.found - expected.found).abs(), expected.expected.abs());
            let allowed = (0.2 * expected.sigma).min(0.005 * scale).max(1e-5);
            assert!(difference <= allowed, "{}: {} and {}", found.quantity, found.found, expected.found);
        }
    }

    macro_rules! checks {
        ($($test:ident: $name:literal,)+) => {
            const TESTED: &[&str] = &[$($name),+];
            $(
                fn $test(device: Device) {
                    passes(device, $name);
                }
                on_each_engine!($test);
            )+
        };
    }

    checks! {
        energy_balance: "energy-balance",
        fano: "fano",
        reciprocity: "reciprocity",
        repeatability: "repeatability",
        electron_kernels: "electron-kernels",
        photon_kernels: "photon-kernels",
        s_values: "s-values",
        layered_phantom: "layered-phantom",
        convolution: "convolution",
    }

    #[test]
    fn none_is_left_out() {
        let mut names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        let mut tested = TESTED.to_vec();
        names.sort_unstable();
        tested.sort_unstable();
        assert_eq!(names, tested);
    }
}

on_each_engine!(the_dose_is_the_same_at_every_density);
/// With enough histories that a difference of 1 % in the voxels of any density would be seen, electrons and photons
/// alike.
fn the_dose_is_the_same_at_every_density(mut device: Device) {
    let control = Control::detached();
    let name = device.info().name;
    for (case, wanted) in [(&CASES[0], 1_500_000), (&CASES[1], 1_500_000), (&CASES[3], 200_000)] {
        let case = Case { histories: histories(&device, wanted), ..*case };
        let mut rig = Rig { device: &mut device, effort: Effort::Standard, control: &control };
        let doses = dose_by_density(&mut rig, &case).expect("histories can be run");
        for (density, dose) in DENSITIES.into_iter().zip(doses) {
            let what = format!("{name}, {} MeV {} at {density} g/cm³", case.mev, case.particle.name());
            println!("{what}: {:.5} ± {:.5}", dose.mean, dose.sigma);
            Agreement::new(&device, dose, Estimate::exact(1.0), 0.01).assert(&what);
        }
    }
}

/// Rounding differences grow where densities alternate, so that the engines must not have any: a fifth of the
/// uncertainty is the limit of the checks, a fiftieth that of histories that take the same way.
#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn photons_take_the_same_way_on_both_engines_where_densities_alternate() {
    let control = Control::detached();
    let mut gpu = crate::support::gpu();
    if gpu.info().kind != DeviceKind::SoftwareGpu {
        println!("not compared: a compiler for hardware may contract operations");
        return;
    }
    let case = Case { histories: 8000, ..CASES[3] };
    let [found, expected] = [&mut gpu, &mut crate::support::cpu()].map(|device| {
        let mut rig = Rig { device, effort: Effort::Standard, control: &control };
        dose_by_density(&mut rig, &case).expect("histories can be run")
    });
    for ((found, expected), density) in found.into_iter().zip(expected).zip(DENSITIES) {
        let difference = (found.mean - expected.mean).abs();
        println!("{density} g/cm³: {:.6} and {:.6} ± {:.6}", found.mean, expected.mean, expected.sigma);
        assert!(difference <= 0.02 * expected.sigma, "{density} g/cm³: {found:?} {expected:?}");
    }
}
