//! Small tables of the user.

use std::fs;
use std::path::Path;

use dosegrid::domain::Invalid;
use dosegrid::formats::{hu_curve, label_names};
use tempfile::TempDir;

fn write_text(folder: &TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("table.csv");
    fs::write(&path, text).expect("a writable folder");
    path
}

#[test]
fn calibrations_are_read_and_their_bad_lines_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = "# scanner 3, 120 kV\nHU,density_g_cm3\n-1000, 0.00121\n0,1.0\n\n1000,1.6\n";
    for text in [good.to_owned(), good.replace("HU,density_g_cm3\n", ""), good.replace('\n', "\r\n")] {
        let curve = hu_curve::read(&write_text(&folder, &text)).expect("a good calibration");
        assert!((curve.density_g_cm3(500.0) - 1.3).abs() < 1e-12);
    }
    for (text, words) in [
        ("0,1.0\n100,1.1,5\n200,x\n", &["line 2: needs 2 fields", "line 3: the density is not a number"][..]),
        ("hu,density\n0,1.0\n0,1.1\n", &["line 3: CT numbers must rise"]),
        ("0,1.0\n100,-1\n", &["line 2: a density is from 0"]),
        ("0,1.0\n100,NaN\n", &["line 2: a density is from 0"]),
        ("O,1.0\n100,1.1\n", &["line 1: the CT number is not a number"]),
        ("0,1.0\n", &["two points"]),
        ("", &["two points"]),
    ] {
        let Invalid(reason) = hu_curve::read(&write_text(&folder, text)).expect_err("a bad calibration");
        words.iter().for_each(|word| assert!(reason.contains(word), "{text:?}: {reason}"));
    }
    assert!(hu_curve::read(Path::new("absent.csv")).is_err());
    let path = folder.path().join("volume.nii");
    fs::write(&path, good.repeat(40_000)).expect("a writable folder");
    assert!(hu_curve::read(&path).expect_err("too long").0.contains("longer"));
}

#[test]
fn label_names_are_read_and_their_bad_lines_named() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let names =
        label_names::read(&write_text(&folder, "label,name\n1,liver\n5,\"tumour, left\"\n")).expect("good names");
    assert_eq!((names[&1].as_str(), names[&5].as_str()), ("liver", "tumour, left"));
    for (text, word) in [
        ("1,liver\n-2,spleen\n", "line 2"),
        ("1,liver\n1,spleen\n", "line 2: label 1 is named twice"),
        ("1,liver\n2\n", "line 2"),
        ("1,\n", "line 1"),
    ] {
        let Invalid(reason) = label_names::read(&write_text(&folder, text)).expect_err("bad names");
        assert!(reason.contains(word), "{text:?}: {reason}");
    }
}

#[test]
fn names_may_hold_what_stands_between_fields() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for text in [
        "\"label; number\",name\n1,\"liver; left\"\n2,\"a, b\"\n",
        "label\tname\n1\t\"liver; left\"\n2\ta, b\n",
        "1;\"liver; left\"\n2;a, b\n",
        "1 \"liver; left\" 255 0 0 255\n2 a, b 0 255 0 255\n",
        "1 255 0 0 1 1 1 \"liver; left\"\n2 0 255 0 1 1 1 \"a, b\"\n",
    ] {
        let names = label_names::read(&write_text(&folder, text)).expect(text);
        assert_eq!((names[&1].as_str(), names[&2].as_str()), ("liver; left", "a, b"), "{text:?}");
    }
    let written = folder.path().join("written.csv");
    let names = [(1, "liver; left"), (2, "a, b"), (3, "the \"other\" one")];
    label_names::write(&written, names).expect("a writable folder");
    let read = label_names::read(&written).expect("what was written");
    assert!(names.iter().all(|(label, name)| read[label] == *name), "{read:?}");
}
