//! `dosegrid nuclides`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{dosegrid, stderr, succeed};

fn json(args: &[&str]) -> Value {
    let text = succeed(Path::new("."), [&["nuclides", "--json"], args].concat());
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn all_are_listed() {
    let text = succeed(Path::new("."), ["nuclides"]);
    let list = json(&[]);
    let nuclides = list["nuclides"].as_array().expect("a list");
    assert!(nuclides.len() >= 50, "{}", nuclides.len());
    for nuclide in nuclides {
        assert!(text.contains(nuclide["name"].as_str().expect("a name")));
        assert!(nuclide["half_life_s"].as_f64().expect("a number") > 0.0);
        for kind in ["electron", "photon", "alpha", "recoil"] {
            assert!(nuclide["mean_energy_mev"][kind].as_f64().expect("a number") >= 0.0);
        }
    }
}

#[test]
fn one_is_told_in_full_by_any_of_its_names() {
    let expected = json(&["Ac-225"]);
    for name in ["ac225", "225Ac", "Actinium-225", "actinium 225"] {
        assert_eq!(json(&[name]), expected, "{name}");
    }
    let [actinium] = &expected["nuclides"].as_array().expect("a list")[..] else { panic!("not one") };
    let chain: Vec<&str> =
        actinium["chain"].as_array().expect("a list").iter().map(|d| d["name"].as_str().expect("a name")).collect();
    for daughter in ["Fr-221", "At-217", "Bi-213", "Po-213", "Tl-209", "Pb-209"] {
        assert!(chain.contains(&daughter), "{chain:?}");
    }
    assert_eq!(actinium["decays"][0]["kind"], "alpha");
    assert!(actinium["lines"]["alpha"].as_array().expect("a list").len() > 5);
    let text = succeed(Path::new("."), ["nuclides", "99mTc"]);
    for word in ["Tc-99m\n", "half-life  6.", "conversion electrons", "gamma rays", "0.1405", "SHA-256", "source"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let text = succeed(Path::new("."), ["nuclides", "Cu-64"]);
    for word in ["beta+ ", "beta- ", "Ni-64", "Zn-64", "annihilation photons", "CSDA ranges in water", "stable"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_spectrum_is_plotted() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    succeed(folder.path(), ["nuclides", "Lu-177", "--plot", "lutetium.png"]);
    succeed(folder.path(), ["nuclides", "Ra-223", "--plot", "radium.html"]);
    let picture = fs::read(folder.path().join("lutetium.png")).expect("a picture");
    assert!(picture.starts_with(b"\x89PNG") && picture.len() > 5000);
    let page = fs::read_to_string(folder.path().join("radium.html")).expect("a page");
    assert!(page.contains("<svg") && page.contains("alpha particles") && page.contains("Ra-223"), "no plot");
}

#[test]
fn what_is_wrong_is_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (args, words) in [
        (&["Unobtainium-1"][..], &["error: name: ", "known names:"][..]),
        (&["Lu-178"], &["error: name: ", "similar names: Lu-177"]),
        (&["Hf-177"], &["error: name: ", "stable"]),
        (&["Lu-177", "--plot", "spectrum.pdf"], &["error: plot: ", ".png or .html"]),
        (&["Lu-177", "--plot", "no/such/folder.png"], &["error: plot: ", "cannot be written"]),
        (&["--plot", "spectrum.png"], &["error: plot: ", "name of a nuclide"]),
        (&["Lu-178", "--plot", "spectrum"], &["error: name: ", "error: plot: "]),
    ] {
        let output = dosegrid(folder.path(), [&["nuclides"], args].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = stderr(&output);
        assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}
