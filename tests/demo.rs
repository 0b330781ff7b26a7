//! The demonstration: its case, and the command from end to end.

use std::path::Path;
use std::process::Output;

use dosegrid::demo::{Case, PhantomRegion, Spect, StylisedPhantom, uptake};
use dosegrid::domain::Provenance;
use dosegrid::formats::nifti;
use dosegrid::physics::tissue::DensityCurve;
use dosegrid::report::dose_picture::SIZE;

use crate::support::command;

/// How far the volume of labelled voxels may be off. A flat face falls into a layer of voxels that is labelled whole or
/// not at all: the medial faces of the kidneys, 14 cm² at x = ±3 cm, leave 0.125 cm, 1.2 % of their volume. The round
/// rest of the boundary adds as much by chance.
const LABELLED_VOLUME_TOLERANCE: f64 = 0.03;
/// Half the voxels of the demonstration along each axis: quick, and every tumour still has voxels of its own.
const SHAPE: [u64; 3] = [64, 64, 48];

#[test]
fn volumes_on_the_grid_are_those_of_the_equations() {
    let phantom = StylisedPhantom::new([128, 128, 96]).expect("a good shape");
    // Cristy and Eckerman (1987) [cm³]; the liver is shown without its two metastases of 44.6 and 11.5 cm³.
    let published = [
        (PhantomRegion::Liver, 1830.0 - 44.6 - 11.5),
        (PhantomRegion::Spleen, 176.0),
        (PhantomRegion::LeftKidney, 144.0),
        (PhantomRegion::RightKidney, 144.0),
        (PhantomRegion::LeftLung, 1560.0),
        (PhantomRegion::RightLung, 1810.0),
    ];
    let labels = phantom.labels();
    for (region, expected) in published {
        let sampled = phantom.region_volume_cm3(region);
        assert!((sampled / expected - 1.0).abs() < 0.01, "{}: {sampled:.1} cm³, published {expected}", region.name());
        let voxels = labels.as_slice().iter().filter(|label| **label == region.label()).count();
        let labelled = voxels as f64 * phantom.grid().voxel_volume_cm3();
        assert!(
            (labelled / expected - 1.0).abs() < LABELLED_VOLUME_TOLERANCE,
            "{}: {labelled:.1} cm³ labelled",
            region.name()
        );
    }
}

#[test]
fn odd_shapes_hold_the_same_activity() {
    let whole = |shape| {
        let case = Case::new(shape).expect("a good shape");
        case.activity.as_slice().iter().map(|&decays| f64::from(decays)).sum::<f64>()
    };
    let (fine, coarse) = (whole(SHAPE), whole([31, 17, 23]));
    // All organs with an uptake lie within the grid whatever its voxels; what else does differs by a few voxels.
    assert!((coarse / fine - 1.0).abs() < 0.02, "{coarse:e} Bq·s, {fine:e} Bq·s");
    for shape in [[1, 1, 1], [128, 1, 1], [2, 3, 1]] {
        let case = Case::new(shape).expect("a good shape");
        assert!(case.activity.as_slice().iter().all(|v| v.is_finite() && *v >= 0.0), "{shape:?}");
    }
    let refused = Case::new([0, 4, 4]).expect_err("no voxels");
    assert!(refused.0.contains("at least one voxel"), "{refused}");
}

#[test]
fn the_image_holds_every_decay_and_no_negative_one() {
    let case = Case::new(SHAPE).expect("a good shape");
    let decays: f64 = PhantomRegion::ALL.into_iter().map(|region| uptake::decays(&case.phantom, region)).sum();
    let image: f64 = case.activity.as_slice().iter().map(|&v| f64::from(v)).sum();
    assert!((image / decays - 1.0).abs() < 1e-6, "{image:e} Bq·s in the image, {decays:e} in the phantom");
    assert!(case.activity.as_slice().iter().all(|v| v.is_finite() && *v >= 0.0));
    // Mean life of 50 to 100 h, less than half of the activity within the field of view.
    let mean_residence_h = decays / uptake::ADMINISTERED_BQ / 3600.0;
    assert!((10.0..40.0).contains(&mean_residence_h), "{mean_residence_h} h");
}

#[test]
fn a_case_is_the_same_every_time_and_noise_follows_its_seed() {
    let case = Case::new(SHAPE).expect("a good shape");
    assert_eq!(case.activity, Case::new(SHAPE).expect("a good shape").activity);
    let truth = case.phantom.spread(|region| uptake::decays(&case.phantom, region));
    let other = Spect { seed: 178, ..Spect::default() }.image(&truth);
    assert_ne!(case.activity, other);
}

#[test]
fn noise_in_the_liver_is_that_of_a_scan() {
    let phantom = StylisedPhantom::new([128, 128, 96]).expect("a good shape");
    let truth = phantom.spread(|region| uptake::decays(&phantom, region));
    let noisy = Spect::default().image(&truth);
    let clean = Spect { noise_equivalent_counts: 1e15, ..Spect::default() }.image(&truth);
    let labels = phantom.labels();
    let voxels = noisy.as_slice().iter().zip(clean.as_slice()).zip(labels.as_slice());
    let ratios: Vec<f64> = voxels
        .filter(|(_, label)| **label == PhantomRegion::Liver.label())
        .map(|((noisy, clean), _)| f64::from(*noisy) / f64::from(*clean))
        .collect();
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / ratios.len() as f64;
    let coefficient_of_variation = variance.sqrt() / mean;
    assert!((0.05..0.20).contains(&coefficient_of_variation), "{coefficient_of_variation}");
}

#[test]
fn ct_numbers_have_the_densities_of_the_phantom() {
    let curve = DensityCurve::schneider_2000();
    // ORNL/TM-8381 [g/cm³]; its one soft tissue is 1.04.
    for (region, expected, tolerance) in [
        (PhantomRegion::LeftLung, 0.296, 0.01),
        (PhantomRegion::Spine, 1.40, 0.01),
        (PhantomRegion::Liver, 1.04, 0.04),
        (PhantomRegion::Remainder, 1.04, 0.04),
    ] {
        let density = curve.density_g_cm3(f64::from(region.ct_number_hu()));
        assert!((density / expected - 1.0).abs() < tolerance, "{}: {density} g/cm³", region.name());
    }
}

/// Runs the program in the folder of the tests.
fn dosegrid(arguments: &[&str]) -> Output {
    command::dosegrid(Path::new("."), arguments)
}

#[test]
fn the_demonstration_runs_from_end_to_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a name in Unicode");
    let output = dosegrid(&["demo", "--device", "cpu", "--shape", "64,64,48", "--output-dir", path]);
    let stdout = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    for expected in
        ["cpu      computes", "CPU engine", "http://127.0.0.1:", "left kidney", "vertebral metastasis", "dose.png"]
    {
        assert!(stdout.contains(expected), "`{expected}` is not in {stdout}");
    }
    check_organs(folder.path());
    check_result(folder.path());
    check_picture(&folder.path().join("dose.png"));
    check_command(&stdout, folder.path());
}

#[test]
fn the_demonstration_takes_monte_carlo_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a name in Unicode");
    let flags = ["--device=cpu", "--shape=16,16,12", "--method=monte-carlo", "--output-dir", path];
    let output = dosegrid(&[&["demo"], &flags[..]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = std::fs::read(folder.path().join("result.json")).expect("result.json");
    let provenance: Provenance = serde_json::from_slice(&json).expect("a provenance");
    assert_eq!(provenance.method, "monte-carlo");
    assert!(folder.path().join("dose.png").exists());
}

/// Doses are those published for patients after a first cycle; see `demo::uptake`.
fn check_organs(folder: &Path) {
    let mut table = csv::Reader::from_path(folder.join("organs.csv")).expect("organs.csv");
    let columns = table.headers().expect("a header").clone();
    let column = |name: &str| columns.iter().position(|column| column == name).expect("the column");
    let (name, mean) = (column("name"), column("mean_gy"));
    let rows: Vec<csv::StringRecord> = table.records().map(|row| row.expect("a row")).collect();
    for (organ, low, high) in [
        ("liver", 1.5, 4.0),
        ("spleen", 4.0, 9.0),
        ("left kidney", 3.0, 7.0),
        ("right kidney", 3.0, 7.0),
        ("large liver metastasis", 10.0, 40.0),
        ("small liver metastasis", 10.0, 40.0),
        ("vertebral metastasis", 5.0, 40.0),
        ("rest of the trunk", 0.1, 0.5),
    ] {
        let row = rows.iter().find(|row| &row[name] == organ).unwrap_or_else(|| panic!("{organ} has no row"));
        let gy: f64 = row[mean].parse().expect("a number");
        assert!((low..=high).contains(&gy), "{organ}: {gy} Gy");
    }
}

fn check_result(folder: &Path) {
    let json = std::fs::read(folder.join("result.json")).expect("result.json");
    let provenance: Provenance = serde_json::from_slice(&json).expect("a provenance");
    assert_eq!((provenance.device.id.as_str(), provenance.nuclide.as_str()), ("cpu", "Lu-177"));
    assert_eq!(provenance.method, "monte-carlo");
    let activity = nifti::read(&folder.join("activity.nii.gz")).expect("the activity").volume;
    let dose = nifti::read(&folder.join("dose.nii.gz")).expect("the dose").volume;
    activity.grid().check_same(dose.grid()).expect("the dose is on the grid of the activity");
    let decays: f64 = activity.as_slice().iter().map(|&v| f64::from(v)).sum();
    assert!((provenance.decays / decays - 1.0).abs() < 1e-6);
    assert!(dose.as_slice().iter().all(|v| v.is_finite() && *v >= 0.0));
}

/// The picture has its size, colours, and the hottest tumour on the left, where the patient's right is.
fn check_picture(path: &Path) {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("dose.png"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).expect("an image");
    assert_eq!([info.width, info.height], SIZE);
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    let mut colours: Vec<&[u8]> = pixels.chunks_exact(3).collect();
    let row = info.width as usize;
    // Orange, the upper half of the scale, in the axial section: upper left of the picture, without the colour scale.
    // The vertebra in the middle is in both halves.
    let hot = |x: std::ops::Range<usize>| {
        let rows = (122..513).map(|y| &colours[y * row..][x.clone()]);
        rows.flatten().filter(|p| p[0] > p[2].saturating_add(100)).count()
    };
    let (right, left) = (hot(48..413), hot(414..780));
    assert!(right > 1000 && right > 5 * left, "{right} hot pixels in the patient's right half, {left} in the left");
    colours.sort_unstable();
    colours.dedup();
    assert!(colours.len() > 500, "{} colours", colours.len());
}

/// The command that is printed gives the same dose without a server.
fn check_command(stdout: &str, folder: &Path) {
    let line = stdout.lines().find_map(|line| line.strip_prefix("again      dosegrid ")).expect("a command is printed");
    let through_server = nifti::read(&folder.join("dose.nii.gz")).expect("the dose").volume;
    std::fs::remove_file(folder.join("dose.nii.gz")).expect("the dose can be removed");
    let mut words: Vec<&str> = line.split(' ').collect();
    words.extend(["--device", "cpu", "--quiet"]);
    let output = dosegrid(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let here = nifti::read(&folder.join("dose.nii.gz")).expect("the dose").volume;
    assert!(through_server == here, "the dose through the server and the dose in process differ");
}

#[test]
fn every_bad_flag_is_named() {
    let output = dosegrid(&["demo", "--device", "tpu", "--method", "guess", "--shape", "1,2"]);
    let stderr = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for flag in ["error: device:", "error: method:", "error: shape:"] {
        assert!(stderr.contains(flag), "{flag} is not in {stderr}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("demo");
    let arguments = ["demo", "--device", "cpu", "--shape", "0,64,48", "--output-dir", path.to_str().expect("Unicode")];
    assert_eq!(dosegrid(&arguments).status.code(), Some(2));
}
