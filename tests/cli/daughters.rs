//! Daughters and biological weighting, run as a user runs them.

use dosegrid::formats::nifti;

use super::{SHAPE, SPACING, flags, inputs, json, refused, volume, write};
use crate::support::command::succeed;
use crate::support::nifti::{FLOAT32, NiftiBytes};

#[test]
fn a_chain_is_in_the_summary_and_in_the_account() {
    let folder = inputs();
    let stdout = succeed(folder.path(), flags(&["nuclide"], &["--nuclide=ac225", "--weighted-output=weighted.nii.gz"]));
    assert!(stdout.contains("per decay of Ac-225") && stdout.contains("Tl-209"), "{stdout}");
    assert!(stdout.contains("alpha particles × 5"), "{stdout}");
    let result = json(&folder.path().join("result.json"));
    assert_eq!(result["source"]["daughters"], "equilibrium");
    let members = result["source"]["members"].as_array().expect("a list");
    assert!(members.iter().any(|member| member["nuclide"] == "Bi-213"), "{members:?}");
    assert_eq!(result["biological_weighting"]["alpha"], 5.0);
    let read = |name: &str| nifti::read(&folder.path().join(name)).expect("a volume").volume;
    let (dose, weighted) = (read("dose.nii.gz"), read("weighted.nii.gz"));
    // Nearly all of the energy is that of alpha particles.
    let ratio = weighted.as_slice()[100] / dose.as_slice()[100];
    assert!((4.5..5.0).contains(&ratio), "{ratio}");
    let header = std::fs::read(folder.path().join("weighted.nii.gz")).expect("a file");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(header.as_slice()), &mut text).expect("gzip");
    assert!(String::from_utf8_lossy(&text[148..228]).contains("biologically weighted"));
}

#[test]
fn a_daughter_may_have_a_map_of_its_own() {
    let folder = inputs();
    write(&folder, "bismuth.nii", &volume(FLOAT32, |i| if i == 200 { 2e9 } else { 0.0 }).bytes());
    let with = ["--nuclide=Ac-225", "--daughter-activity=213Bi=bismuth.nii"];
    succeed(folder.path(), flags(&["nuclide"], &with));
    let result = json(&folder.path().join("result.json"));
    assert_eq!(result["daughter_maps"][0]["nuclide"], "Bi-213");
    let dose = nifti::read(&folder.path().join("dose.nii.gz")).expect("a volume").volume;
    assert!(dose.as_slice()[200] > 0.0 && dose.as_slice()[201] == 0.0);
    let alone = ["--nuclide=Ac-225", "--daughters=parent-only"];
    succeed(folder.path(), flags(&["nuclide"], &alone));
    let parent = nifti::read(&folder.path().join("dose.nii.gz")).expect("a volume").volume;
    assert!(parent.as_slice()[100] < 0.5 * dose.as_slice()[100] && parent.as_slice()[200] == 0.0);
    succeed(
        folder.path(),
        flags(&["nuclide"], &["--nuclide=Th-227", "--daughters=in-growth", "--integration-time=20d"]),
    );
    let result = json(&folder.path().join("result.json"));
    let radium = &result["source"]["members"][1];
    assert_eq!(radium["nuclide"], "Ra-223");
    assert!((0.3..0.7).contains(&radium["decays_per_decay"].as_f64().expect("a number")), "{radium}");
}

#[test]
fn every_bad_flag_is_named_at_once() {
    let folder = inputs();
    let other = NiftiBytes::new([SHAPE[0], SHAPE[1], 1], SPACING, FLOAT32, &[1.0; 56]);
    write(&folder, "other.nii", &other.bytes());
    let bad = [
        (vec!["--daughters=some"], vec!["daughters"]),
        (vec!["--daughters=in-growth"], vec!["integration-time"]),
        (vec!["--daughters=in-growth", "--integration-time=0d"], vec!["integration-time"]),
        (vec!["--integration-time=3d"], vec!["integration-time"]),
        (vec!["--rbe-alpha=3"], vec!["rbe-alpha"]),
        (vec!["--weighted-output=w.nii", "--rbe-alpha=-1", "--rbe-recoil=x"], vec!["rbe-alpha", "rbe-recoil"]),
        (vec!["--weighted-output=w.txt"], vec!["weighted-output"]),
        (vec!["--daughter-activity=Bi-213"], vec!["daughter-activity"]),
        (vec!["--daughter-activity=Bi-213=nowhere.nii"], vec!["daughter-activity"]),
        (vec!["--daughter-activity=Xx-999=other.nii"], vec!["daughter-activity"]),
    ];
    for (with, fields) in bad {
        for field in fields {
            refused(&folder, flags(&["nuclide"], &[&["--nuclide=Ac-225"][..], &with].concat()), field, "");
        }
    }
    // A nuclide that is no daughter, and a map of another shape.
    refused(&folder, flags(&[], &["--daughter-activity=Bi-213=other.nii"]), "daughter-activity", "not a daughter");
    let with = ["--nuclide=Ac-225", "--daughter-activity=Bi-213=other.nii"];
    refused(&folder, flags(&["nuclide"], &with), "daughter-activity", "");
}
