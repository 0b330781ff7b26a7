//! `dosegrid cohort`: many studies, one table; faults before any work; what was cut goes on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

use dosegrid::demo::{DicomStudy, StylisedPhantom};

use crate::support::command::{Server, dosegrid, stderr, succeed};

/// Coarse voxels: quick, and every organ still has some.
const SHAPE: [u64; 3] = [24, 24, 18];
/// How much more activity than the first each study has.
const FACTORS: [f32; 6] = [1.0, 1.1, 0.9, 1.05, 0.95, 4.0];
/// A name that may stand nowhere but in the manifest.
const CANARY: &str = "Zzyzx^Quirina";
/// Half a quantum of 16 bits in the activity, a few of them.
const QUANTISATION: f64 = 1e-3;

const TISSUES: &str = "[[tissue]]\norgan = 'left kidney'\nalpha_beta_gy = 2.6\nrepair_half_time_h = 2.8\n";

/// A folder with studies of one phantom with more or less activity, and a manifest.
fn studies() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let phantom = StylisedPhantom::new(SHAPE).expect("a good shape");
        let study = DicomStudy::of(&phantom).expect("a study");
        let mut manifest = String::from("study,patient,centre,cycle,nuclide,administered_mbq,injection,options\n");
        for (number, factor) in FACTORS.into_iter().enumerate() {
            let activities = study.activities.iter().map(|map| map.map(|bq_per_ml| bq_per_ml * factor)).collect();
            let own = DicomStudy { activities, ..study.clone() };
            own.write(&folder.path().join(format!("study-{number}"))).expect("a writable folder");
            let (centre, patient) = (["Bern", "Lyon"][number % 2], number / 2);
            let line = format!("study-{number},{CANARY} {patient},{centre},{},,,,--method local\n", number % 2 + 1);
            manifest.push_str(&line);
        }
        fs::write(folder.path().join("manifest.csv"), manifest).expect("a writable folder");
        fs::write(folder.path().join("tissues.toml"), TISSUES).expect("a writable folder");
        folder
    });
    folder.path()
}

/// Rows of a table as maps from columns to fields.
fn table(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn number(row: &std::collections::BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {row:?}"))
}

#[test]
fn every_study_has_its_rows_and_what_was_cut_goes_on() {
    let base = studies();
    let output = tempfile::tempdir().expect("a temporary folder");
    let place = output.path().display().to_string();
    let args = ["cohort", "manifest.csv", "--tissues=tissues.toml", "--jobs=2", "--output", &place];
    let planned = succeed(base, args.iter().chain(&["--dry-run"]));
    assert!(planned.contains("6 studies can be computed"), "{planned}");
    succeed(base, args);

    let rows = table(&output.path().join("cohort.csv"));
    let kidneys: Vec<_> = rows.iter().filter(|row| row["organ"] == "left kidney").collect();
    assert_eq!(kidneys.len(), FACTORS.len());
    for (row, factor) in kidneys.iter().zip(FACTORS) {
        let dose = number(row, "mean_by_mass_gy");
        let expected = f64::from(factor) * number(kidneys[0], "mean_by_mass_gy");
        assert!((dose / expected - 1.0).abs() < QUANTISATION, "{row:?}");
        let by_gbq = number(row, "mean_by_mass_gy_per_injected_gbq") * number(row, "administered_mbq") / 1e3;
        assert!((by_gbq / dose - 1.0).abs() < 1e-9, "{row:?}");
        let (tia, sigma) =
            (number(row, "time_integrated_activity_mbq_h"), number(row, "time_integrated_activity_sigma_mbq_h"));
        assert!(sigma > 0.0 && sigma < 0.2 * tia, "{row:?}");
        let half_life_h = number(row, "effective_half_life_h");
        let bed = dose + 2.8 / (2.8 + half_life_h) * dose * dose / 2.6;
        assert!((number(row, "bed_of_mean_dose_gy") / bed - 1.0).abs() < 1e-9, "{row:?}");
        assert_eq!(row["outlier"], (factor > 2.0).to_string(), "{row:?}");
        for digest in ["nuclide_data_sha256", "inputs_sha256", "dose_sha256"] {
            assert_eq!(row[digest].len(), 64, "{digest}: {row:?}");
        }
    }
    // Two cycles of one patient share a pseudonym, and no two studies do.
    let distinct = |column: &str| kidneys.iter().map(|row| row[column].clone()).collect::<BTreeSet<_>>().len();
    assert_eq!((distinct("patient"), distinct("study"), distinct("inputs_sha256")), (3, 6, 6));
    assert!(rows.iter().any(|row| row["organ"] != "left kidney" && row["alpha_beta_gy"].is_empty()));
    let typed = fs::read(output.path().join("cohort.parquet")).expect("written");
    assert!(typed.starts_with(b"PAR1") && typed.ends_with(b"PAR1"));
    for name in ["cohort.csv", "cohort.parquet", "studies.csv", "cohort.html", "ledger.jsonl"] {
        let bytes = fs::read(output.path().join(name)).expect("written");
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("Zzyzx") && !text.contains("Quirina"), "{name} has a name");
        assert!(!text.contains("study-3"), "{name} says where a study lies");
    }

    // Again: nothing is computed, and the table stays as it is.
    let before = fs::read(output.path().join("cohort.csv")).expect("written");
    let again = dosegrid(base, args);
    assert!(stderr(&again).contains("6 studies, 6 done before"), "{}", stderr(&again));
    assert!(!stderr(&again).contains(" of "), "{}", stderr(&again));
    assert_eq!(fs::read(output.path().join("cohort.csv")).expect("written"), before);

    // A run that was cut: one study is not noted, another half there.
    let ledger = output.path().join("ledger.jsonl");
    let lines: Vec<String> = fs::read_to_string(&ledger).expect("a ledger").lines().map(str::to_owned).collect();
    fs::write(&ledger, format!("{}\n{}", lines[1..].join("\n"), &lines[0][..20])).expect("a writable folder");
    let half = output.path().join("studies").join(&kidneys[5]["study"]).join("study.json");
    fs::remove_file(half).expect("it was written");
    let cut = dosegrid(base, args);
    assert!(stderr(&cut).contains("6 studies, 4 done before"), "{}", stderr(&cut));
    let digests = |text: &[u8]| {
        let mut reader = csv::Reader::from_reader(text);
        let head = reader.headers().expect("a header").clone();
        let at = head.iter().position(|name| name == "dose_sha256").expect("a column");
        reader.records().map(|row| row.expect("a row")[at].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(digests(&fs::read(output.path().join("cohort.csv")).expect("written")), digests(&before));
}

#[test]
fn a_study_that_fails_has_its_reason_and_the_others_their_doses() {
    let base = studies();
    let output = tempfile::tempdir().expect("a temporary folder");
    let empty = base.join(format!("{CANARY}-without-files"));
    fs::create_dir_all(&empty).expect("a writable folder");
    let manifest = format!("study,options\nstudy-0,--method local\n{},\n", empty.display());
    fs::write(base.join("failing.csv"), manifest).expect("a writable folder");
    let place = output.path().display().to_string();
    let run = dosegrid(base, ["cohort", "failing.csv", "--output", &place]);
    assert_eq!(run.status.code(), Some(1), "{}", stderr(&run));
    assert!(stderr(&run).contains("1 study failed: studies.csv says why"), "{}", stderr(&run));
    let rows = table(&output.path().join("studies.csv"));
    let states: Vec<&str> = rows.iter().map(|row| row["state"].as_str()).collect();
    assert_eq!(states, ["done", "failed"]);
    assert!(rows[1]["reason"].contains("folder: STUDY is no folder of DICOM files"), "{rows:?}");
    let page = fs::read_to_string(output.path().join("cohort.html")).expect("written");
    assert!(page.contains("Studies that failed") && !page.contains("Zzyzx"), "{page}");
    let dry = dosegrid(base, ["cohort", "failing.csv", "--dry-run", "--output", &place]);
    assert_eq!(dry.status.code(), Some(2));
    assert!(stderr(&dry).contains("error: line 3: folder: STUDY is no folder"), "{}", stderr(&dry));
}

#[test]
fn every_fault_of_a_manifest_is_named_by_its_line_before_any_work() {
    let base = studies();
    let output = tempfile::tempdir().expect("a temporary folder");
    let place = output.path().join("out").display().to_string();
    let text = "study,nuclide,administered_mbq,injection,options\n\
                nowhere,Lu-177,7400,,\n\
                study-1,Xx-1,-3,yesterday,\n\
                study-2,,,,--metod local\n\
                study-2,,,,--output elsewhere\n\
                study-2,,,,'--method local\n\
                study-0,Lu-177,7400,,--method local\n\
                study-0,Lu-177,7400,,--method local\n\
                ,,,,\n\
                study-3,Lu-177\n";
    fs::write(base.join("faults.csv"), text).expect("a writable folder");
    fs::write(base.join("bad.toml"), "[[tissue]]\norgan = 'kidneys'\n").expect("a writable folder");
    let args = ["cohort", "faults.csv", "--output", &place, "--jobs=0", "--tissues=bad.toml"];
    let run = dosegrid(base, args);
    assert_eq!(run.status.code(), Some(2));
    let said = stderr(&run);
    for fault in [
        "error: jobs: is a whole number from 1",
        "error: tissues: kidneys.alpha_beta_gy: is needed",
        "error: line 2: study: is no folder",
        "error: line 3: nuclide: ",
        "error: line 3: administered_mbq: is a number of MBq above 0",
        "error: line 3: injection: ",
        "error: line 4: options: unexpected argument '--metod'",
        "error: line 5: options: --output is for all studies",
        "error: line 6: options: have a quotation mark without its other",
        "error: line 8: is the same study with the same options as line 7",
        "error: line 9: study: is missing",
        "error: line 10: has 2 columns, the first line has 5",
    ] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
    assert_eq!(said.lines().count(), 13, "{said}");
    assert!(!Path::new(&place).exists());
    // Line ends of other systems count as lines too.
    fs::write(base.join("ends.csv"), "study,nuclide\r\nstudy-1,\r\nstudy-1,Xx-1\r\n").expect("a writable folder");
    let said = stderr(&dosegrid(base, ["cohort", "ends.csv", "--output", &place]));
    assert!(said.contains("error: line 3: nuclide: ") && said.lines().count() == 1, "{said}");
    // One folder is of one patient, however it is written.
    fs::write(base.join("twice.csv"), "study,patient\nstudy-1,4711\n./study-1/,4712\n").expect("a writable folder");
    let said = stderr(&dosegrid(base, ["cohort", "twice.csv", "--output", &place]));
    assert_eq!(said, "error: line 3: is the study of line 2, and of another patient\n");
    fs::write(base.join("head.csv"), "folder,study,study\na,b,c\n").expect("a writable folder");
    let said = stderr(&dosegrid(base, ["cohort", "head.csv", "--output", &place]));
    assert!(said.contains("column \"folder\" is not known") && said.contains("has 2 columns study"), "{said}");
}

#[test]
fn studies_on_a_server_have_the_doses_of_this_process() {
    let base = studies();
    let server = Server::start();
    let at_server = format!("--server={}", server.url);
    fs::write(base.join("one.csv"), "study,options\nstudy-1,--method kernel\n").expect("a writable folder");
    let run = |more: &[&str]| {
        let output = tempfile::tempdir().expect("a temporary folder");
        let place = output.path().display().to_string();
        succeed(base, ["cohort", "one.csv", "--output", &place].iter().chain(more));
        table(&output.path().join("cohort.csv"))
    };
    let (here, there) = (run(&[]), run(&[&at_server]));
    assert!(here.len() > 5 && here.len() == there.len());
    for (here, there) in here.iter().zip(&there) {
        for column in ["mean_by_mass_gy", "dose_sha256", "time_integrated_activity_mbq_h"] {
            assert_eq!(here[column], there[column], "{column}");
        }
    }
}
