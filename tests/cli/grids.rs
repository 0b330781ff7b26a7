//! `dosegrid compute` with maps on grids of their own, values that are no activity, and organs that overlap.

use std::fs;

use dosegrid::domain::Volume;
use dosegrid::formats::volume_file::{Placement, read_volume};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{dosegrid, stderr, succeed};
use crate::support::nifti::{FLOAT32, NiftiBytes, UINT8};

const ACTIVITY_SHAPE: [i16; 3] = [12, 12, 12];

/// Values of a cube of `edge` mm voxels over 48 mm, by the place of a voxel's centre [mm] from the middle.
pub(super) fn cube(edge: f32, datatype: i16, value: impl Fn([f64; 3]) -> f64) -> NiftiBytes {
    #[expect(clippy::cast_possible_truncation, reason = "a small number of voxels")]
    let n = (48.0 / edge) as i16;
    let centre = |i: i16| f64::from(edge) * (f64::from(i) - f64::from(n - 1) / 2.0);
    let at = |z: i16| (0..n).flat_map(move |y| (0..n).map(move |x| [centre(x), centre(y), centre(z)]));
    let values: Vec<f64> = (0..n).flat_map(at).map(value).collect();
    let mut file = NiftiBytes::new([n, n, n], [edge; 3], datatype, &values);
    let first = -edge * f32::from(n - 1) / 2.0;
    (0..3).for_each(|row| file.srow[row][3] = first);
    file
}

pub(super) fn radius([x, y, z]: [f64; 3]) -> f64 {
    (x * x + y * y + z * z).sqrt()
}

pub(super) fn activity() -> NiftiBytes {
    cube(4.0, FLOAT32, |at| if radius(at) < 14.0 { 1e9 } else { 1e6 })
}

pub(super) fn density(edge: f32) -> NiftiBytes {
    cube(edge, FLOAT32, |[x, ..]| if x < 6.0 { 1.0 } else { 1.5 })
}

/// Liver, and a tumour in it.
pub(super) fn stack() -> NiftiBytes {
    let liver = cube(4.0, UINT8, |at| f64::from(u8::from(radius(at) < 18.0)));
    let tumour = cube(4.0, UINT8, |at| f64::from(u8::from(radius(at) < 9.0)));
    let mut stack = liver.clone();
    stack.dim = [4, 12, 12, 12, 2, 1, 1, 1];
    stack.voxels.extend(tumour.voxels);
    stack
}

fn inputs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, file) in [
        ("activity.nii", activity()),
        ("density.nii", density(4.0)),
        ("fine_density.nii", density(2.0)),
        ("stack.nii", stack()),
        ("fine_liver.nii", cube(2.0, UINT8, |at| f64::from(u8::from(radius(at) < 18.0)))),
    ] {
        write(&folder, name, &file);
    }
    folder
}

pub(super) fn write(folder: &TempDir, name: &str, file: &NiftiBytes) {
    fs::write(folder.path().join(name), file.bytes()).expect("a writable folder");
}

/// Flags of a local dose; those given come last.
fn flags<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "compute",
        "--activity-unit",
        "bq-s",
        "--nuclide",
        "Lu-177",
        "--method",
        "local",
        "--device",
        "cpu",
        "--quiet",
    ];
    [&own[..], more].concat()
}

fn dose(folder: &TempDir, name: &str) -> Volume<f32> {
    read_volume(&folder.path().join(name)).expect("a dose was written").volume
}

fn result(folder: &TempDir) -> Value {
    serde_json::from_slice(&fs::read(folder.path().join("result.json")).expect("written")).expect("JSON")
}

fn column(folder: &TempDir, name: &str) -> Vec<f64> {
    let organs = result(folder)["organs"].as_array().expect("a table").clone();
    organs.iter().map(|organ| organ[name].as_f64().expect("a number")).collect()
}

fn refusal(folder: &TempDir, args: &[&str]) -> String {
    let output = dosegrid(folder.path(), flags(args));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn nan_and_negative_values_are_refused_or_taken_as_asked() {
    let folder = inputs();
    let mut file = cube(4.0, FLOAT32, |at| match radius(at) {
        r if r < 14.0 => 1e9,
        r if r > 36.0 => f64::NAN,
        _ => -5e5,
    });
    file.form_codes = [0, 1];
    write(&folder, "bad.nii", &file);
    let given = ["--activity", "bad.nii", "--density", "density.nii", "--output", "dose.nii"];
    let said = refusal(&folder, &given);
    assert!(said.contains("--nan zero") && said.contains("--negative zero"), "{said}");
    let output = dosegrid(folder.path(), flags(&[&given[..], &["--nan", "zero", "--negative", "zero"]].concat()));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("voxels of NaN were taken as 0"), "{}", stderr(&output));
    let whole = dose(&folder, "dose.nii");
    succeed(folder.path(), flags(&[&given[..], &["--nan", "zero", "--negative", "zero-keep-total"]].concat()));
    let kept = dose(&folder, "dose.nii");
    let most = |volume: &Volume<f32>| f64::from(volume.as_slice().iter().copied().fold(0.0, f32::max));
    let voxels = 160.0;
    let below = f64::from(u32::try_from(file.voxels.len() / 4).expect("few")) - voxels;
    assert!(most(&kept) < most(&whole), "{} {}", most(&kept), most(&whole));
    assert!(most(&kept) / most(&whole) > 1.0 - 5e5 * below / (voxels * 1e9), "the total is kept");
    assert!(
        refusal(&folder, &[&given[..], &["--nan", "perhaps", "--negative", "no"]].concat()).contains("nan: must be")
    );
}

#[test]
fn a_grid_of_the_dose_that_no_memory_holds_is_refused() {
    let folder = inputs();
    let given = ["--activity", "activity.nii", "--density", "density.nii", "--output", "dose.nii"];
    let said = refusal(&folder, &[&given[..], &["--dose-grid", "0.01"]].concat());
    assert!(said.contains("dose-grid: resampling onto this grid needs"), "{said}");
}

#[test]
fn codes_of_the_input_are_those_of_the_dose() {
    let folder = inputs();
    let (mut source, mut mass) = (activity(), density(4.0));
    (source.form_codes, mass.form_codes) = ([0, 0], [0, 0]);
    write(&folder, "unplaced.nii", &source);
    write(&folder, "mass.nii", &mass);
    succeed(folder.path(), flags(&["--activity", "unplaced.nii", "--density", "mass.nii", "--output", "dose.nii"]));
    let header = read_volume(&folder.path().join("dose.nii")).expect("a dose").header;
    assert_eq!((header.placement, header.origin.qform_code, header.origin.sform_code), (Placement::VoxelSizes, 0, 0));
    source.form_codes = [0, 4];
    write(&folder, "template.nii", &source);
    succeed(folder.path(), flags(&["--activity", "template.nii", "--density", "density.nii", "--output", "dose.nii"]));
    let header = read_volume(&folder.path().join("dose.nii")).expect("a dose").header;
    assert_eq!((header.origin.qform_code, header.origin.sform_code), (0, 4));
}

#[test]
fn a_map_that_is_stored_with_an_axis_reversed_is_put_in_order() {
    let folder = inputs();
    let mut reversed = density(4.0);
    let row = usize::try_from(ACTIVITY_SHAPE[0]).expect("12") * 4;
    reversed.voxels = reversed.voxels.chunks(row).flat_map(|row| row.chunks(4).rev().flatten().copied()).collect();
    reversed.srow[0] = [-4.0, 0.0, 0.0, -reversed.srow[0][3]];
    write(&folder, "reversed.nii", &reversed);
    let given = ["--activity", "activity.nii", "--output", "dose.nii", "--density"];
    succeed(folder.path(), flags(&[&given[..], &["density.nii"]].concat()));
    let expected = fs::read(folder.path().join("dose.nii")).expect("written");
    succeed(folder.path(), flags(&[&given[..], &["reversed.nii"]].concat()));
    assert!(fs::read(folder.path().join("dose.nii")).expect("written") == expected, "the same bytes");
}

#[test]
fn overlapping_organs_keep_all_their_voxels() {
    let folder = inputs();
    let given = ["--activity", "activity.nii", "--density", "density.nii", "--output", "dose.nrrd"];
    let tables = ["--json", "result.json", "--organs-output", "organs.csv"];
    succeed(folder.path(), flags(&[&given[..], &tables, &["--labels", "stack.nii"]].concat()));
    let count = |bytes: &[u8]| f64::from(bytes.iter().map(|&byte| u16::from(byte)).sum::<u16>());
    let (liver, tumour) = (count(&stack().voxels[..1728]), count(&stack().voxels[1728..]));
    assert_eq!(column(&folder, "voxels"), [liver, tumour]);
    let masks = folder.path().join("masks");
    fs::create_dir(&masks).expect("a writable folder");
    let mut one = stack();
    one.dim = [3, 12, 12, 12, 1, 1, 1, 1];
    for (name, voxels) in [("liver.nii", &stack().voxels[..1728]), ("tumour.nii", &stack().voxels[1728..])] {
        one.voxels = voxels.to_vec();
        write(&folder, &format!("masks/{name}"), &one);
    }
    let means = column(&folder, "mean_gy");
    for labels in [&["--labels", "masks"][..], &["--labels", "masks/liver.nii", "--labels", "masks/tumour.nii"]] {
        succeed(folder.path(), flags(&[&given[..], &tables, labels].concat()));
        assert_eq!((column(&folder, "voxels"), column(&folder, "mean_gy")), (vec![liver, tumour], means.clone()));
        let names = result(&folder)["organs"].as_array().expect("a table").clone();
        assert_eq!((&names[0]["name"], &names[1]["name"]), (&"liver".into(), &"tumour".into()));
    }
    assert!(dose(&folder, "dose.nrrd").as_slice().iter().any(|dose| *dose > 0.1));
}

#[test]
fn maps_on_their_own_grids_need_the_flag_and_are_resampled() {
    let folder = inputs();
    let given = ["--activity", "activity.nii", "--density", "fine_density.nii", "--json", "result.json"];
    let given = [&given[..], &["--labels", "fine_liver.nii"]].concat();
    let said = refusal(&folder, &[&given[..], &["--output", "dose.nii"]].concat());
    assert!(said.contains("--dose-grid") && said.contains("labels: "), "{said}");
    let mut means = Vec::new();
    for (grid, shape) in [("activity", 12), ("ct", 24), ("3", 16)] {
        let more = ["--dose-grid", grid, "--output", "dose.mha", "--dose-on-ct", "on_ct.nii.gz"];
        succeed(folder.path(), flags(&[&given[..], &more].concat()));
        assert_eq!(dose(&folder, "dose.mha").grid().shape(), [shape; 3], "{grid}");
        assert_eq!(dose(&folder, "on_ct.nii.gz").grid().shape(), [24; 3]);
        let grids = &result(&folder)["inputs"]["grids"];
        for kept in ["activity", "mass_g"] {
            let [before, after] = [0, 1].map(|at: usize| grids[kept][at].as_f64().expect("a number"));
            assert!((after / before - 1.0).abs() < 1e-6, "{grid} {kept}: {before} {after}");
        }
        assert_eq!(grids["activity_outside_density"].as_f64(), Some(0.0));
        means.push((column(&folder, "mean_by_mass_gy")[0], column(&folder, "volume_cm3")[0]));
    }
    println!("mean dose and volume of the liver on grids of 4, 2 and 3 mm: {means:?}");
    for (mean, volume) in &means {
        assert!((volume / means[1].1 - 1.0).abs() < 1e-6, "the volume is kept: {means:?}");
        assert!((mean / means[1].0 - 1.0).abs() < 0.005, "{means:?}");
    }
}

#[test]
fn a_transform_brings_the_ct_to_the_activity() {
    let folder = inputs();
    let mut moved = density(4.0);
    moved.srow[1][3] += 10.0;
    write(&folder, "moved.nii", &moved);
    // In ITK's coordinates y runs to the back.
    let itk = "#Insight Transform File V1.0\nTransform: TranslationTransform_double_3_3\nParameters: 0 -10 0\n\
               FixedParameters:\n";
    fs::write(folder.path().join("shift.tfm"), itk).expect("a writable folder");
    let given = ["--activity", "activity.nii", "--output", "dose.nii", "--density"];
    succeed(folder.path(), flags(&[&given[..], &["density.nii"]].concat()));
    let expected = dose(&folder, "dose.nii");
    succeed(folder.path(), flags(&[&given[..], &["moved.nii", "--transform", "shift.tfm"]].concat()));
    let found = dose(&folder, "dose.nii");
    let near = found.as_slice().iter().zip(expected.as_slice()).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs());
    assert!(near, "the same dose");
    let wrong = [&given[..], &["moved.nii", "--transform", "shift.tfm", "--invert-transform"]].concat();
    let said = refusal(&folder, &wrong);
    assert!(said.contains("of the activity lies outside") && said.contains("--max-activity-outside"), "{said}");
    succeed(folder.path(), flags(&[&wrong[..], &["--max-activity-outside", "1"]].concat()));
    let said =
        refusal(&folder, &[&given[..], &["moved.nii", "--dose-grid", "spect", "--transform", "absent.tfm"]].concat());
    assert!(said.contains("dose-grid: must be activity, ct") && !said.contains("lies elsewhere"), "{said}");
}
