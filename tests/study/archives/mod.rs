//! What others make of what is written and sent: Orthanc and dcmtk, as Debian has them.

mod network;
mod segments;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::road::demo;
use crate::support::command::{stderr, succeed};
pub(crate) use network::{Network, Orthanc, Program};

/// Bytes before the data set of a file that is not its preamble or file meta information, at least.
const PREAMBLE_BYTES: usize = 132;
/// What a study writes that an archive takes.
const RESULTS: [&str; 2] = ["dose.dcm", "summary.dcm"];

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_of(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

fn words(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().expect("text")).collect()
}

/// What a run said, which must have succeeded.
fn good(output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn text_of(path: &Path, name: &str) -> String {
    let object = dicom_object::open_file(path).expect("a DICOM file");
    object.element_by_name(name).expect("it is there").to_str().expect("text").trim_end_matches([' ', '\0']).to_owned()
}

/// What `inspect` says of each series, without the names of files.
fn series(text: &str) -> Vec<Value> {
    let said: Value = serde_json::from_str(text).expect("JSON");
    let mut series = said["series"].as_array().expect("series").clone();
    series.sort_by_key(|one| one["series_uid"].to_string());
    series
}

#[test]
#[cfg_attr(no_orthanc, ignore = "there is no Orthanc with its plugin for DICOMweb")]
fn orthanc_stores_finds_and_gives_back_a_study_and_its_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = Network::own();
    let orthanc = network.orthanc(folder.path());
    let (peer, web) = (format!("ORTHANC@127.0.0.1:{}", orthanc.dicom), &orthanc.web);
    let run = |args: &[&str]| network.dosegrid(folder.path(), args);

    // Images and segmentation by C-STORE, results by STOW-RS.
    let images = files_of(&demo().join("out/dicom"));
    let said = good(run(&[&["send"][..], &words(&images), &["--to", &peer]].concat()));
    assert_eq!(said.matches("0000H stored").count(), images.len(), "{said}");
    let results = RESULTS.map(|name| demo().join("out/study").join(name));
    let said = good(run(&[&["send"][..], &words(&results), &["--dicom-web", web]].concat()));
    assert_eq!(said.matches("0000H stored").count(), results.len(), "{said}");

    // Found by QIDO-RS and fetched by WADO-RS, it is what lies in the folder.
    let study = text_of(&images[0], "StudyInstanceUID");
    let here = series(&succeed(demo(), ["inspect", "out/dicom", "--json"]));
    let there = series(&good(run(&["inspect", &study, "--dicom-web", web, "--json"])));
    assert_eq!(there.len(), here.len() + results.len());
    for one in &here {
        assert!(there.contains(one), "{one}\n{there:?}");
    }
    let dose = text_of(&results[0], "SeriesInstanceUID");
    good(run(&["convert", &dose, "--as", "dose", "--output", "fetched.nii", "--dicom-web", web]));
    succeed(folder.path(), ["convert", words(&results)[0], "--as", "dose", "--output", "own.nii"]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).expect("a file");
    assert!(bytes("fetched.nii") == bytes("own.nii"), "the dose came back otherwise");

    // And a study of it has the organ table of the folder.
    let args = ["study", &study, "--dicom-web", web, "--output", "study", "--method", "local", "--quiet"];
    good(run(&args));
    let own = demo().join("out/study/organs.csv");
    assert!(bytes("study/organs.csv") == fs::read(own).expect("a file"), "another organ table");
}

#[test]
#[cfg_attr(any(no_orthanc, no_dcmtk), ignore = "there is no Orthanc, or no dcmtk")]
fn dcmtk_finds_and_fetches_a_dose_that_orthanc_was_sent() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let network = Network::own();
    let orthanc = network.orthanc(folder.path());
    let port = orthanc.dicom.to_string();
    let dose = demo().join("out/study/dose.dcm");
    let peer = format!("ORTHANC@127.0.0.1:{port}");
    good(network.dosegrid(folder.path(), &["send", dose.to_str().expect("text"), "--to", &peer]));
    let (study, series) = (text_of(&dose, "StudyInstanceUID"), text_of(&dose, "SeriesInstanceUID"));
    let keys = [format!("StudyInstanceUID={study}"), format!("SeriesInstanceUID={series}")];
    let ask = |program: &str, more: &[&str]| {
        let mut command = network.command(program);
        command.args(["-S", "-aec", "ORTHANC", "-k", "QueryRetrieveLevel=SERIES", "-k", &keys[0], "-k", &keys[1]]);
        command.args(more).args(["127.0.0.1", &port]).current_dir(folder.path());
        let output = command.output().expect("it was there when this was built");
        assert!(output.status.success(), "{}", stderr(&output));
        output
    };
    let found = ask("findscu", &["-k", "Modality"]);
    let said = [found.stdout, found.stderr].concat();
    assert!(String::from_utf8_lossy(&said).contains("[RTDOSE"), "{}", String::from_utf8_lossy(&said));
    fs::create_dir(folder.path().join("got")).expect("a writable folder");
    ask("getscu", &["-od", "got"]);
    let got = files_of(&folder.path().join("got"));
    assert_eq!(got.len(), 1);
    assert_eq!(text_of(&got[0], "SOPInstanceUID"), text_of(&dose, "SOPInstanceUID"));
    for (path, name) in [(&got[0], "got.nii"), (&dose, "own.nii")] {
        succeed(folder.path(), ["convert", path.to_str().expect("text"), "--as", "dose", "--output", name]);
    }
    let bytes = |name: &str| fs::read(folder.path().join(name)).expect("a file");
    assert!(bytes("got.nii") == bytes("own.nii"), "the dose came back otherwise");
}

#[test]
#[cfg_attr(no_dcmtk, ignore = "there is no dcmtk")]
fn storescp_of_dcmtk_gets_every_byte() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("got")).expect("a writable folder");
    let network = Network::own();
    let storescp = |[port]: [u16; 1]| {
        let mut command = network.command("storescp");
        // As they come, bit by bit.
        command.args(["--bit-preserving", "--output-directory", "got", &port.to_string()]).current_dir(folder.path());
        command
    };
    let echoes = |[port]: [u16; 1]| {
        let mut command = network.command("echoscu");
        command
            .args(["-aec", "STORESCP", "127.0.0.1", &port.to_string()])
            .output()
            .is_ok_and(|output| output.status.success())
    };
    let program = network.start([11112], storescp, echoes);
    let mut sent = files_of(&demo().join("out/dicom"));
    sent.extend(RESULTS.map(|name| demo().join("out/study").join(name)));
    let peer = format!("STORESCP@127.0.0.1:{}", program.ports[0]);
    let said = good(network.dosegrid(folder.path(), &[&["send"][..], &words(&sent), &["--to", &peer]].concat()));
    assert_eq!(said.matches("0000H stored").count(), sent.len(), "{said}");
    let got = files_of(&folder.path().join("got"));
    assert_eq!(got.len(), sent.len());
    for path in &sent {
        let uid = text_of(path, "SOPInstanceUID");
        let came = got.iter().find(|one| one.to_string_lossy().ends_with(&uid)).expect("it was stored");
        let (own, came) = (fs::read(path).expect("a file"), fs::read(came).expect("a file"));
        // The file meta information is of who writes it, the data set is the same.
        let after = data_set(&own);
        assert!(own.len() - after.len() > PREAMBLE_BYTES && came.ends_with(after), "{}", path.display());
    }
}

/// The data set of a file: what follows its file meta information, whose first element says how long it is.
fn data_set(file: &[u8]) -> &[u8] {
    assert_eq!(&file[128..132], b"DICM");
    assert_eq!(&file[132..140], [2, 0, 0, 0, b'U', b'L', 4, 0]);
    let length = u32::from_le_bytes(file[140..144].try_into().expect("four bytes"));
    &file[144 + length as usize..]
}
