//! Captures, as files: what they hold is what the engine computed, and nothing that names a patient.

use std::fs;
use std::io::Read;
use std::path::Path;

use dosegrid::bench::{BenchSource, scene_phantom};
use dosegrid::domain::{Control, GroupTally, Source, Tally};
use dosegrid::physics::nuclide;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::cpu;
use crate::support::nifti::{FLOAT32, NiftiBytes};

/// A capture, unpacked.
struct Capture {
    header: Value,
    data: Vec<u8>,
}

impl Capture {
    fn read(path: &Path) -> Self {
        let mut bytes = Vec::new();
        let file = fs::File::open(path).expect("the capture was written");
        GzDecoder::new(file).read_to_end(&mut bytes).expect("it is compressed by gzip");
        assert_eq!(&bytes[..8], b"dgcap 1\n");
        let length = usize::try_from(u64::from_le_bytes(bytes[8..16].try_into().expect("eight"))).expect("small");
        let header = serde_json::from_slice(&bytes[16..16 + length]).expect("the header is JSON");
        Self { header, data: bytes.split_off(16 + length.next_multiple_of(8)) }
    }

    fn blob(&self, number: &Value) -> &[u8] {
        let place = &self.header["blobs"][index(number)];
        let (offset, bytes) = (index(&place["offset"]), index(&place["bytes"]));
        &self.data[offset..offset + bytes]
    }

    /// The steps of a kind.
    fn steps(&self, kind: &str) -> Vec<&Value> {
        self.header["steps"].as_array().expect("steps").iter().filter(|step| step["do"] == kind).collect()
    }
}

fn index(number: &Value) -> usize {
    usize::try_from(number.as_u64().expect("a number")).expect("small")
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_capture_of_transport_holds_what_the_cpu_computes_from_the_same_histories() {
    const HISTORIES: u64 = 3200;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = succeed(folder.path(), ["capture", "--histories", "3200", "--output", "layers.dgcap"]);
    assert!(said.contains("transport of 3200 decays of Lu-177, layers, 3 mm"), "{said}");
    let capture = Capture::read(&folder.path().join("layers.dgcap"));
    let [launch] = capture.steps("launch")[..] else { panic!("one launch does all of these histories") };
    assert_eq!(launch["cycle"].as_array().map(Vec::len), Some(4));
    let dispatches = &capture.header["buffers"][index(&launch["dispatches"])];
    assert_eq!((&capture.header["version"], &dispatches["is_indirect"]), (&2.into(), &true.into()));
    assert_eq!(dispatches["bytes"], 36, "workgroups along x, y and z of three stages");
    let word = |name: &str| launch["words"][index(&launch["params_words"][name])].as_u64();
    assert_eq!((word("n_x"), word("end_history_low")), (Some(40), Some(HISTORIES)));

    let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
    let phantom = scene_phantom(BenchSource::Layers, 3.0, (**Source::from(nuclide).emissions()).clone());
    let mut tally = Tally::new(phantom.groups, phantom.grid.voxels());
    cpu().transport(&phantom.scene(), 0..HISTORIES, &mut tally, &Control::detached()).expect("the CPU works");
    let [sums] = capture.steps("sums")[..] else { panic!("one result") };
    let energy = capture.blob(&sums["energy"]);
    let found: Vec<f64> =
        energy.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().expect("eight"))).collect();
    let unit = sums["units_per_mev"].as_f64().expect("a number");
    let expected: f64 = tally.sum_mev(GroupTally::scored);
    assert_eq!(found.len(), tally.voxels());
    let found_mev = found.iter().sum::<f64>() / unit;
    assert!((found_mev / expected - 1.0).abs() < 1e-4, "{found_mev} MeV for {expected}");
    let medium = capture.blob(&sums["medium"]);
    assert_eq!(medium.len(), 4 * tally.voxels(), "one word a voxel");
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_capture_of_a_convolution_holds_its_passes_and_its_result() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    succeed(folder.path(), ["capture", "--case", "convolution", "--output", "kernel.dgcap"]);
    let capture = Capture::read(&folder.path().join("kernel.dgcap"));
    let [passes] = capture.steps("passes")[..] else { panic!("one block") };
    assert!(passes["passes"].as_array().expect("passes").len() >= 5);
    let values: usize = capture.steps("values").iter().map(|step| capture.blob(&step["blob"]).len() / 4).sum();
    assert_eq!(values, 48 * 48 * 48);
    let stages = capture.header["stages"].as_array().expect("stages");
    for stage in stages {
        assert!(stage["source"].as_str().expect("WGSL").contains("fn main("), "{}", stage["name"]);
    }
    assert_eq!(stages.len(), 5);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_capture_of_bodies_holds_what_the_cpu_makes_of_every_case() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    succeed(folder.path(), ["capture", "--case", "twins", "--output", "twins.dgcap"]);
    let capture = Capture::read(&folder.path().join("twins.dgcap"));
    let [twins] = capture.steps("twins")[..] else { panic!("one dispatch does all") };
    let (tests, cases) = (twins["tests"].as_array().expect("names").len(), index(&twins["cases"]));
    assert!(tests > 15 && cases > 1000, "{tests} tests of {cases}");
    let expected = capture.blob(&twins["expected"]);
    assert_eq!(expected.len(), 48 * tests * cases);
    // Each body returns more than zeros, and another outcome for other inputs.
    for of_test in expected.chunks_exact(48 * cases) {
        let outcomes: std::collections::HashSet<&[u8]> = of_test.chunks_exact(48).collect();
        assert!(outcomes.len() > 10, "{} outcomes", outcomes.len());
    }
    assert!(index(&twins["groups"]) * index(&capture.header["stages"][0]["lanes"]) >= tests * cases);
}

#[test]
#[cfg_attr(no_gpu_driver, ignore = "no GPU driver was found when this was built")]
fn a_request_that_fails_leaves_its_capture() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // The correction for density fails in iron, after the device has convolved.
    for (name, value) in [("activity.nii", 1e9), ("density.nii", 7.8)] {
        let file = NiftiBytes::new([12; 3], [4.0; 3], FLOAT32, &[value; 1728]);
        fs::write(folder.path().join(name), file.bytes()).expect("a writable folder");
    }
    let files = ["compute", "--activity=activity.nii", "--density=density.nii", "--activity-unit=bq-s"];
    let gpu = ["--nuclide=I-125", "--device=gpu:0", "--output=dose.nii", "--capture=failed.dgcap"];
    let run = |method: &str| dosegrid(folder.path(), files.iter().chain(&gpu).chain(&[method]));
    let output = run("--method=kernel");
    let said = stderr(&output);
    assert!(output.status.code() == Some(2) && said.contains("until then is in failed.dgcap"), "{said}");
    let capture = Capture::read(&folder.path().join("failed.dgcap"));
    assert!(!capture.steps("passes").is_empty() && !capture.steps("values").is_empty());
    assert!(!folder.path().join("dose.nii").exists());
    // What the host computes gives the device nothing to be kept.
    let said = stderr(&run("--method=local"));
    assert!(said.contains("error: capture: has no effect with --method local"), "{said}");
}

#[test]
fn what_cannot_be_captured_is_named_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bad = ["capture", "--case", "sphere", "--nuclide", "Lu-999", "--histories", "0", "--output", "x.bin"];
    let output = dosegrid(folder.path(), bad);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for start in ["error: case: ", "error: nuclide: ", "error: histories: ", "error: output: "] {
        assert!(said.contains(start), "{start} in {said}");
    }
    let on_cpu = ["compute", "--activity", "a.nii", "--nuclide", "Lu-177", "--device", "cpu", "--capture", "x.dgcap"];
    let output = dosegrid(folder.path(), on_cpu.into_iter().chain(["--output", "d.nii"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("error: capture: needs a GPU"), "{}", stderr(&output));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is written");
}
