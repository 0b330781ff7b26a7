//! The report of a dose: one page that holds all of it, fetches nothing, and names nobody unless asked.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use base64::{Engine, engine::general_purpose::STANDARD};
use dosegrid::digest::Digest;
use dosegrid::formats::volume_file::read_volume;
use serde_json::Value;

use crate::cli::{flags, inputs};
use crate::dicom_out::support::{CT, ct};
use crate::support::command::{dosegrid, stderr, succeed};

/// What stands between two marks, the first time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("{from} is not there"));
    rest.split_once(to).unwrap_or_else(|| panic!("{to} is not there")).0
}

fn unpacked(text: &Value) -> Vec<u8> {
    let packed = STANDARD.decode(text.as_str().expect("a text")).expect("base64");
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes).expect("gzip");
    bytes
}

fn report(folder: &Path, with: &[&str]) -> String {
    succeed(folder, flags(&[], &[&["--report=report.html"], with].concat()));
    fs::read_to_string(folder.join("report.html")).expect("it was written")
}

#[test]
fn a_report_holds_the_dose_and_how_it_came_about() {
    let folder = inputs();
    fs::write(folder.path().join("names.csv"), "label,name\n1,<b>tumour & co\n").expect("a writable folder");
    let page = report(folder.path(), &["--label-names=names.csv"]);
    let digest = dosegrid::digest::sha256_hex(fs::read(folder.path().join("activity.nii")).expect("an input"));
    let result = crate::cli::json(&folder.path().join("result.json"));
    let text = |name: &str| result[name].as_str().expect("a text").to_owned();
    let expected = [
        digest,
        text("nuclide_data_sha256"),
        text("version"),
        "label_4".into(),
        "Not identified".into(),
        "local".into(),
    ];
    for expected in expected {
        assert!(page.contains(&expected), "{expected} is not in the report");
    }
    for warning in result["warnings"].as_array().expect("warnings") {
        assert!(page.contains(warning["reason"].as_str().expect("a reason")), "{warning}");
    }
    assert!(!page.contains("<b>tumour") && page.contains("tumour &#38; co"), "a name is not escaped");
    let shown: Value = serde_json::from_str(between(&page, "id=\"voxels\">", "</script>")).expect("JSON");
    let peak = shown["peak_gy"].as_f64().expect("a dose");
    let dose = read_volume(&folder.path().join("dose.nii.gz")).expect("a dose").volume;
    let largest = f64::from(dose.as_slice().iter().copied().fold(0.0, f32::max));
    assert_eq!(peak, largest);
    let words = unpacked(&shown["dose"]);
    let sum: f64 = words.as_chunks::<2>().0.iter().map(|word| f64::from(u16::from_le_bytes(*word))).sum();
    let expected: f64 = dose.as_slice().iter().map(|gy| f64::from(*gy)).sum();
    assert!((sum * peak / 65535.0 / expected - 1.0).abs() < 1e-3, "the voxels are not those of the dose");
    let most = unpacked(&shown["density"]).into_iter().max();
    assert_eq!((most, words.len() / 2), (Some(105), unpacked(&shown["labels"]).len()));
}

#[test]
fn a_report_runs_its_own_script_and_fetches_nothing() {
    let folder = inputs();
    let page = report(folder.path(), &[]);
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for (element, open) in [("style", "<style>"), ("script", "<script>")] {
        let content = between(&page, open, &format!("</{element}>"));
        let mut digest = Digest::new();
        digest.update(content);
        let digest = STANDARD.encode(digest.bytes());
        assert!(policy.contains(&format!("{element}-src 'sha256-{digest}'")), "{element}: {digest} is not in {policy}");
        assert_eq!(page.matches(open).count(), 1);
    }
    for address in ["http:", "https:", " src=", "<link", "@import", "url("] {
        assert!(!page.contains(address), "{address}");
    }
    assert!(!page.contains(" style=\""), "the policy takes no style of an element");
}

#[test]
fn names_are_in_a_report_only_if_asked() {
    let folder = inputs();
    ct(&folder.path().join("ct"), &CT);
    let dicom = ["--output=dose.dcm", "--reference=ct", "--report=report.html"];
    succeed(folder.path(), flags(&["output"], &dicom));
    let page = fs::read_to_string(folder.path().join("report.html")).expect("it was written");
    assert!(!page.contains("CANARY"), "somebody is named");
    let page = report(folder.path(), &["--reference=ct", "--report-identified", "--report-language=fr"]);
    assert!(page.contains("CANARY Éva") && page.contains("CANARY-7") && page.contains("2026-01-02"));
    assert!(page.contains("<html lang=\"fr\">") && page.contains("Dose moyenne"));
    let output = dosegrid(folder.path(), flags(&[], &["--report-language=nl"]));
    assert!(stderr(&output).contains("error: report-language: has no effect without --report"));
    let output =
        dosegrid(folder.path(), flags(&[], &["--report=r.html", "--report-identified", "--report-language=x"]));
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("error: reference: is needed") && said.contains("error: report-language: is one of"),
        "{said}"
    );
}

#[test]
fn fits_and_budgets_are_shown_where_they_are_given() {
    let folder = inputs();
    let table = "region,time,activity\nliver,4,100\nliver,24,80\nliver,96,30\nliver,168,12\n";
    fs::write(folder.path().join("curves.csv"), table).expect("a writable folder");
    succeed(folder.path(), ["integrate", "--table=curves.csv", "--nuclide=Lu-177", "--output=fits"]);
    let plan = "[[region]]\nname = \"liver\"\nvolume_cm3 = 1500\ncalibration_relative_sigma = 0.05\n";
    fs::write(folder.path().join("plan.toml"), plan).expect("a writable folder");
    succeed(folder.path(), ["budget", "plan.toml", "--json=budget.json"]);
    let page = report(folder.path(), &["--report-curves=fits/curves.json", "--report-budget=budget.json"]);
    let fits = crate::cli::json(&folder.path().join("fits/curves.json"));
    let model = fits["regions"]["liver"]["model"].as_str().expect("a model");
    assert!(page.contains(&format!("<td>{model}</td>")) && page.contains("Residuals") && page.contains(" %</td></tr>"));
    assert!(page.contains("<td>5.000 %</td><td>given</td>") && page.contains("<td>not given</td>"));
    assert!(page.contains("lower bound"));
    let output = dosegrid(folder.path(), flags(&[], &["--report=r.html", "--report-curves=budget.json"]));
    assert!(stderr(&output).contains("error: report-curves: is not `curves.json`"), "{}", stderr(&output));
}
