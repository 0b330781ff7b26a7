//! The physics of transport against theory and against EGSnrc: the checks of `dosegrid validate`, with fewer histories.

use std::time::Duration;

use dosegrid::domain::Control;
use dosegrid::engine::Device;
use dosegrid::validate::fano::{CASES, Case, DENSITIES, dose_by_density};
use dosegrid::validate::statistics::Estimate;
use dosegrid::validate::{CHECKS, Effort, Rig, Row};

use crate::support::on_each_engine;
use crate::support::transport::{Agreement, histories};

/// Each check of `dosegrid validate` on each engine, as tests of their own, so that none waits for another.
mod every_check_passes_with_few_histories {
    use super::*;

    fn passes(mut device: Device, name: &str) {
        let control = Control::detached();
        let device_name = device.info().name;
        let check = CHECKS.iter().find(|check| check.name == name).expect("a check");
        let mut rig = Rig { device: &mut device, effort: Effort::Reduced, control: &control };
        let outcome = check.run(&mut rig);
        println!("{device_name}: {name} {:.1} s", outcome.took.as_secs_f64());
        assert!(outcome.took > Duration::ZERO);
        let findings = outcome.findings.expect("the check can be made");
        let off: Vec<Row> = findings.rows.into_iter().filter(|row| !row.passes()).collect();
        let failed: Vec<String> = off.into_iter().map(|row| format!("{} is {}", row.quantity, row.found)).collect();
        assert!(failed.is_empty(), "{device_name}: {name}: {failed:#?}");
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
    for (case, wanted) in [(&CASES[0], 1_000_000), (&CASES[1], 900_000), (&CASES[3], 150_000)] {
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
