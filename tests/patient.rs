//! A real Lu-177 DOTATATE patient, through the command line: 108 × 70 × 90 voxels, 235 MBq, CT and density.
//!
//! The data may not be committed. Where they are absent, these tests say so and compare nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dosegrid::domain::Source;
use dosegrid::formats::nifti;
use dosegrid::physics::nuclide;
use dosegrid::physics::tissue::DensityCurve;
use tempfile::TempDir;

use crate::support::command::{Server, succeed};
use crate::support::reference;

/// Decays of 235 MBq with an effective half-life of 50 h.
const DECAYS: f64 = 235e6 * 50.0 * 3600.0 / std::f64::consts::LN_2;
/// Liver, spleen, kidneys, tumours.
const LABELS: [u32; 7] = [1, 2, 3, 4, 5, 6, 7];

/// The flags of a run on the patient that writes into its current folder.
fn flags(density: &str, more: &[&str]) -> Vec<String> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", reference(&format!("patient/{name}")).display());
    let density = match density {
        "ct" => file("ct", "ct_hu.nii.gz"),
        _ => file("density", "density_g_cm3.nii.gz"),
    };
    let files = [file("activity", "activity_bq.nii.gz"), density, file("labels", "labels.nii.gz")];
    let fixed = ["--activity-unit=bq", "--effective-half-life=50h", "--nuclide=Lu-177", "--output=dose.nii.gz"];
    let tables = ["--organs-output=organs.csv", "--json=result.json"];
    let flags = fixed.into_iter().chain(tables).chain(more.iter().copied()).map(str::to_owned);
    ["compute".to_owned()].into_iter().chain(files).chain(flags).collect()
}

/// What a run wrote.
struct Run {
    folder: TempDir,
}

impl Run {
    fn new(flags: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        succeed(folder.path(), flags);
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("the run wrote it")
    }

    fn result(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes("result.json")).expect("JSON")
    }

    fn number(&self, pointer: &str) -> f64 {
        self.result().pointer(pointer).and_then(serde_json::Value::as_f64).expect("a number of the result")
    }

    /// A column of the organ table, by label.
    fn organs(&self, column: &str) -> BTreeMap<u32, f64> {
        let bytes = self.bytes("organs.csv");
        let mut table = csv::Reader::from_reader(&bytes[..]);
        let position = table.headers().expect("a header").iter().position(|name| name == column);
        let position = position.expect("the column is there");
        let row = |row: Result<csv::StringRecord, _>| {
            let row = row.expect("a row");
            (row[0].parse().expect("a label"), row[position].parse().expect("a number"))
        };
        table.records().map(row).collect()
    }
}

fn assert_close(found: f64, expected: f64, relative: f64, what: &str) {
    let difference = found / expected - 1.0;
    assert!(difference.abs() <= relative, "{what}: {found}, expected {expected}, off by {difference:e}");
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn ct_becomes_the_density_that_came_with_it() {
    let read = |name: &str| nifti::read(&reference(&format!("patient/{name}"))).expect("a good file").volume;
    let (ct, expected) = (read("ct_hu.nii.gz"), read("density_g_cm3.nii.gz"));
    let found = DensityCurve::schneider_2000().density_map(&ct).expect("a CT");
    let differences = found.g_cm3().as_slice().iter().zip(expected.as_slice()).map(|(a, b)| f64::from((a - b).abs()));
    // Both are the same formulae rounded to single precision: half a unit in the last place of 1.7 g/cm³, twice.
    let largest = differences.fold(0.0, f64::max);
    assert!(largest <= 2.4e-7, "voxels differ by up to {largest} g/cm³");
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn a_local_dose_holds_all_charged_energy_and_no_more() {
    for density in ["density", "ct"] {
        let flags = flags(density, &["--method=local"]);
        let run = Run::new(&flags);
        assert_close(run.number("/decays"), DECAYS, 1e-6, "decays");
        let per_decay = run.number("/energy/emitted_mev") / run.number("/decays");
        assert_close(per_decay, 0.1813, 0.01, "MeV emitted per decay of Lu-177");
        let deposited = run.number("/energy/deposited_mev") / run.number("/energy/emitted_mev");
        assert_close(deposited, 0.1478 / per_decay, 1e-3, "part that charged particles carry");
        assert!(run.number("/energy/without_dose_mev") == 0.0, "no activity lies in air");
        let charged_mev = Source::from(nuclide::find("Lu-177").expect("a known nuclide")).charged_mev();
        // Energy by organ, from the table alone: decays × energy = mean by mass × mass.
        let (decays, mass, mean) = (run.organs("decays"), run.organs("mass_g"), run.organs("mean_by_mass_gy"));
        for label in LABELS {
            let gy = decays[&label] * charged_mev * 1.602_176_634e-10 / mass[&label];
            assert_close(mean[&label], gy, 1e-5, &format!("{density}, label {label}"));
        }
        assert_close(decays.values().sum::<f64>(), DECAYS, 1e-6, "all activity lies in the organs");
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn a_kernel_dose_accounts_for_its_energy() {
    let flags = flags("density", &["--method=kernel", "--device=cpu"]);
    let run = Run::new(&flags);
    let emitted = run.number("/energy/emitted_mev");
    let balance = run.number("/energy/deposited_mev") + run.number("/energy/escaped_mev");
    assert_close(balance, emitted, 1e-12, "deposited and escaped");
    // Nearly all charged energy stays in the grid, little crosses its faces; photons add about a third of theirs.
    let deposited = run.number("/energy/deposited_mev") / emitted;
    assert!((0.81..0.95).contains(&deposited), "{deposited} of the energy is deposited");
    assert!((0.98..=1.0).contains(&run.number("/kernel/captured_fraction")));
    assert!(run.number("/energy/clamped_mev").abs() < 1e-6 * emitted);
    let dose = nifti::read(&run.path("dose.nii.gz")).expect("a good file").volume;
    let activity = nifti::read(&reference("patient/activity_bq.nii.gz")).expect("a good file").volume;
    dose.grid().check_same(activity.grid()).expect("the grid of the activity");
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn organs_by_kernel_and_by_local_deposition_differ_by_spill_and_photons() {
    let means = |flag| Run::new(&flags("ct", &[flag])).organs("mean_gy");
    let (local, kernel) = (means("--method=local"), means("--method=kernel"));
    // Photons of Lu-177 add some per cent to the large liver, less to smaller organs. Out of small hot tumours more
    // electrons leave than come in.
    let (liver, organ, tumour) = ((0.02, 0.06), (0.0, 0.03), (-0.05, -0.01));
    let expected = [liver, organ, organ, organ, tumour, tumour, tumour];
    for (label, (low, high)) in LABELS.into_iter().zip(expected) {
        let change = kernel[&label] / local[&label] - 1.0;
        eprintln!(
            "label {label}: local {:.4} Gy, kernel {:.4} Gy, {:+.2} %",
            local[&label],
            kernel[&label],
            100.0 * change
        );
        assert!((low..high).contains(&change), "label {label}: kernel over local {change:+.4}");
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "the reference data was not found when this was built")]
fn the_same_bytes_come_from_a_second_run_and_from_a_server() {
    let here = flags("ct", &["--method=kernel", "--device=cpu"]);
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    let there = flags("ct", &["--method=kernel", &at_server]);
    let first = Run::new(&here);
    for (what, flags) in [("the second run", here), ("the server", there)] {
        let other = Run::new(&flags);
        for name in ["dose.nii.gz", "organs.csv"] {
            assert!(first.bytes(name) == other.bytes(name), "{name} of {what} differs");
        }
    }
}
