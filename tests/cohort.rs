//! `dosegrid cohort`: many studies, one table; faults before any work; what was cut goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use dosegrid::demo::{DicomStudy, StylisedPhantom};
use dosegrid::domain::Organs;

use crate::gateway::site::files;
use crate::study::servers::web;
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
fn table(path: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(path).expect("a table");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
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

/// Runs a cohort of a manifest, and gives what it said on stderr and the rows of its studies.
fn run(base: &Path, manifest: &str, output: &Path, more: &[&str]) -> (String, Vec<BTreeMap<String, String>>) {
    fs::write(base.join("own.csv"), manifest).expect("a writable folder");
    let place = output.display().to_string();
    let run = dosegrid(base, ["cohort", "own.csv", "--output", &place].iter().chain(more));
    (stderr(&run), table(&output.join("studies.csv")))
}

fn column<'a>(rows: &'a [BTreeMap<String, String>], name: &str) -> Vec<&'a str> {
    rows.iter().map(|row| row[name].as_str()).collect()
}

#[test]
fn a_study_is_computed_again_when_a_file_of_its_options_changes() {
    let [base, output] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    symlink(studies().join("study-0"), base.path().join("study")).expect("a writable folder");
    let text = succeed(base.path(), ["inspect", "study", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let series = found["series"].as_array().expect("series");
    let ct = series.iter().find(|one| one["modality"] == "CT").and_then(|ct| ct["series_uid"].as_str()).expect("a CT");
    let manifest = format!("study,options\nstudy,--method local --ct-series {ct} --transform=moved.tfm\n");
    let compute = |shift_mm: u8| {
        let transform = format!(
            "#Insight Transform File V1.0\n#Transform 0\nTransform: Euler3DTransform_double_3_3\n\
             Parameters: 0 0 0 {shift_mm} 0 0\nFixedParameters: 0 0 0\n"
        );
        fs::write(base.path().join("moved.tfm"), transform).expect("a writable folder");
        let (said, _) = run(base.path(), &manifest, output.path(), &[]);
        (said, table(&output.path().join("cohort.csv"))[0]["dose_sha256"].clone())
    };
    let (_, first) = compute(0);
    let (said, again) = compute(0);
    assert!(said.contains("1 study, 1 done before") && again == first, "{said}");
    let (said, moved) = compute(9);
    assert!(said.contains("1 study, 0 done before") && moved != first, "{said}");
}

#[test]
fn a_study_is_computed_again_when_the_archive_has_more_of_it() {
    let [base, output] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let all: Vec<Vec<u8>> =
        files(&studies().join("study-1")).iter().map(|path| fs::read(path).expect("a file")).collect();
    let known = Arc::new(AtomicUsize::new(all.len() - 1));
    let count = known.clone();
    let (url, _) = web(move |asked| {
        let json = |text: String| (200, "application/dicom+json".to_owned(), text.into_bytes());
        match asked.line.as_str() {
            "GET /dicom-web/studies?StudyInstanceUID=1.2.3" => {
                json(r#"[{"0020000D":{"vr":"UI","Value":["1.2.3"]}}]"#.into())
            }
            "GET /dicom-web/studies/1.2.3/instances" => {
                let one = |at| format!(r#"{{"00080018":{{"vr":"UI","Value":["1.2.9.{at}"]}}}}"#);
                json(format!("[{}]", (0..count.load(Ordering::Relaxed)).map(one).collect::<Vec<_>>().join(",")))
            }
            "GET /dicom-web/studies/1.2.3" => {
                let part =
                    |file: &Vec<u8>| [b"--b\r\nContent-Type: application/dicom\r\n\r\n", &file[..], b"\r\n"].concat();
                let body = [all.iter().flat_map(part).collect(), b"--b--\r\n".to_vec()].concat();
                (200, "multipart/related; type=\"application/dicom\"; boundary=b".into(), body)
            }
            _ => (204, "application/dicom+json".into(), Vec::new()),
        }
    });
    let compute = || run(base.path(), "study,options\n1.2.3,--method local\n", output.path(), &["--dicom-web", &url]);
    let (said, rows) = compute();
    assert_eq!(column(&rows, "state"), ["done"], "{said}");
    let (said, _) = compute();
    assert!(said.contains("1 study, 1 done before"), "{said}");
    known.fetch_add(1, Ordering::Relaxed);
    let (said, _) = compute();
    assert!(said.contains("1 study, 0 done before"), "{said}");
}

#[test]
fn a_file_that_cannot_be_read_fails_its_own_study_alone() {
    let [base, output] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    for (name, study) in [("linked", "study-0"), ("bad", "study-1")] {
        fs::create_dir(base.path().join(name)).expect("a writable folder");
        symlink(studies().join(study), base.path().join(name).join("dicom")).expect("a writable folder");
    }
    // A regular file that can be opened and not be read from its begin.
    symlink("/proc/self/mem", base.path().join("bad/mem")).expect("a writable folder");
    let manifest = "study,options\nbad,--method local\nlinked,--method local\n";
    let (said, rows) = run(base.path(), manifest, output.path(), &[]);
    assert_eq!(column(&rows, "state"), ["failed", "done"], "{said}");
    assert!(rows[0]["reason"].starts_with("a file of the study cannot be read: "), "{rows:?}");
    assert!(table(&output.path().join("cohort.csv")).len() > 5);
}

#[test]
fn organs_of_one_name_are_told_by_their_labels_and_bad_results_fail_their_study_alone() {
    let [base, output] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let study = DicomStudy::of(&StylisedPhantom::new(SHAPE).expect("a good shape")).expect("a study");
    let organs = study.organs.organs().iter().take(2);
    let organs: Vec<_> =
        organs.map(|one| one.renamed(one.label, Some("Lesion".into())).expect("a good name")).collect();
    let organs = Organs::new(study.organs.grid().clone(), organs).expect("unlike labels");
    let study = DicomStudy { organs, ..study };
    study.write(&base.path().join("alike")).expect("a writable folder");
    symlink(studies().join("study-0"), base.path().join("good")).expect("a writable folder");
    let manifest = "study,options\nalike,--method local\ngood,--method local\n";
    let compute = || run(base.path(), manifest, output.path(), &[]);
    let (said, rows) = compute();
    assert_eq!(column(&rows, "state"), ["done", "done"], "{said}");
    let cohort = table(&output.path().join("cohort.csv"));
    let lesions: Vec<_> = cohort.iter().filter(|row| row["organ"].starts_with("Lesion")).collect();
    assert_eq!(lesions.len(), 2);
    for row in &lesions {
        assert_eq!(row["organ"], format!("Lesion (label {})", row["label"]));
        // Its own curve is found.
        assert!(number(row, "time_integrated_activity_sigma_mbq_h") > 0.0 && !row["model"].is_empty(), "{row:?}");
    }
    // A result that is damaged, or has no organ where there were labels: its study fails, and is tried again.
    let damaged = output.path().join("studies").join(&rows[0]["study"]).join("organs.csv");
    for (text, why) in [("name,mean_by_mass_gy\nliver,x\n", "line 2 is no row"), ("name,mean_by_mass_gy\n", "no organ")]
    {
        fs::write(&damaged, text).expect("a writable folder");
        let (said, rows) = compute();
        assert_eq!(column(&rows, "state"), ["failed", "done"], "{said}");
        let reason = &rows[0]["reason"];
        assert!(reason.starts_with("its organs.csv cannot be read back: ") && reason.contains(why), "{rows:?}");
        let (said, rows) = compute();
        assert!(said.contains("2 studies, 1 done before"), "{said}");
        assert_eq!(column(&rows, "state"), ["done", "done"], "{said}");
    }
}

#[test]
fn no_path_of_an_option_stands_in_a_table() {
    let [base, output] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let inside: PathBuf = base.path().join(CANARY);
    fs::create_dir(&inside).expect("a writable folder");
    fs::write(inside.join("Quirina.tfm"), "no transform").expect("a writable folder");
    symlink(studies().join("study-0"), base.path().join("study")).expect("a writable folder");
    let absolute = inside.join("Quirina.tfm");
    let manifest = format!(
        "study,options\nstudy,--registration 1.2.3={}\nstudy,--registration=1.2.3={CANARY}/Quirina.tfm\n",
        absolute.display()
    );
    let (said, rows) = run(base.path(), &manifest, output.path(), &[]);
    assert_eq!(column(&rows, "state"), ["failed"; 2], "{said}");
    for row in &rows {
        assert!(row["reason"].contains("registration: FILE: "), "{row:?}");
    }
    for name in ["cohort.csv", "studies.csv", "cohort.html", "ledger.jsonl"] {
        let text = fs::read_to_string(output.path().join(name)).expect("written");
        assert!(!text.contains("Zzyzx") && !text.contains("Quirina"), "{name}: {text}");
    }
}
