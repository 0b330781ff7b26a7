//! Sending, and fetching what is read.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use dosegrid::formats::dicom::write::{DicomObject, DoseKind, Plan, Reference, RtDose, ct_slices};

use super::certificates::{issued, tls_server};
use super::servers::{Answer, Asked, store_scp, tls_before, web};
use crate::support::command::{dosegrid, stderr, succeed};

/// Bytes before the data set of a file that this program writes are those of its file meta information.
const PREAMBLE_BYTES: usize = 132;

fn volume(value: f32) -> dosegrid::domain::Volume<f32> {
    let grid = dosegrid::domain::VoxelGrid::new([4, 3, 2], [5.0; 3]).expect("a good grid");
    dosegrid::domain::Volume::from_vec(grid.into(), vec![value; 24]).expect("a value a voxel")
}

/// A CT and a dose of it, as objects.
fn objects() -> (Vec<DicomObject>, DicomObject) {
    let reference = Reference::made_up("CANARY^NAME", "CANARY-ID", "20260102");
    let ct = ct_slices(&volume(40.0), ["20260102", "101112"], &reference).expect("a CT");
    let dose = volume(2.5);
    let dose = RtDose { dose: &dose, kind: DoseKind::Physical, comment: "", plan: &Plan::None };
    (ct, dose.object(&reference).expect("a dose"))
}

fn folder() -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (ct, dose) = objects();
    let names = ["a.dcm", "b.dcm", "dose.dcm"];
    for (name, object) in names.iter().zip(ct.iter().chain([&dose])) {
        object.write(&folder.path().join(name)).expect("a writable folder");
    }
    (folder, names.map(str::to_owned).to_vec())
}

#[test]
fn each_instance_sent_by_c_store_has_its_status() {
    let (folder, names) = folder();
    let (address, scp) = store_scp(vec![0, 0xb000, 0xa700]);
    let peer = format!("TEST-SCP@{address}");
    let output =
        dosegrid(folder.path(), ["send"].into_iter().chain(names.iter().map(String::as_str)).chain(["--to", &peer]));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("2 of 3 instances were stored"), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).expect("text");
    for words in
        ["a.dcm: 0000H stored", "b.dcm: B000H stored, with elements changed", "dose.dcm: A700H out of resources"]
    {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("CANARY"), "{said}");
    let got = scp.join().expect("no panic");
    assert_eq!(got.len(), 3);
    for ((uid, data), name) in got.iter().zip(&names) {
        // What arrives is the data set, byte for byte.
        let file = fs::read(folder.path().join(name)).expect("a file");
        assert!(file.ends_with(data) && file.len() - data.len() > PREAMBLE_BYTES, "{name}");
        assert!(said.contains(uid), "{uid}");
    }
}

#[test]
fn c_store_goes_by_tls_to_who_it_must_be() {
    let (folder, names) = folder();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).expect("a writable folder");
    let (authority, config) = tls_server("store.example", true);
    let (own, key) = issued(&authority, "caller.example");
    write("ca.pem", authority.pem());
    write("own.pem", own.pem());
    write("own.key", key.serialize_pem());
    let identity = ["--client-certificate=own.pem", "--client-key=own.key"];
    let send = |address: std::net::SocketAddr, more: &[&str]| {
        let peer = format!("--to=TEST-SCP@{address}");
        let args = [&["send"][..], &names, &[peer.as_str(), "--tls"], more].concat();
        dosegrid(folder.path(), args)
    };
    let (behind, scp) = store_scp(vec![0, 0, 0]);
    let (address, bridge) = tls_before(behind, config);
    let output = send(address, &[&["--ca=ca.pem", "--tls-name=store.example"], &identity[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let got = scp.join().expect("no panic");
    assert!(bridge.join().expect("no panic") && got.len() == 3);
    for ((_, data), name) in got.iter().zip(&names) {
        assert!(fs::read(folder.path().join(name)).expect("a file").ends_with(data), "{name}");
    }

    // Another name, another authority, no certificate of its own: nothing is sent.
    let (other, _) = tls_server("store.example", false);
    write("other.pem", other.pem());
    let cases: [(bool, &[&str]); 3] = [
        (false, &["--ca=ca.pem", "--tls-name=elsewhere.example"]),
        (false, &["--ca=other.pem", "--tls-name=store.example"]),
        (true, &["--ca=ca.pem", "--tls-name=store.example"]),
    ];
    for (asks_for_clients, flags) in cases {
        let (authority, config) = tls_server("store.example", asks_for_clients);
        if flags[0] == "--ca=ca.pem" {
            write("ca.pem", authority.pem());
        }
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, bridge) = tls_before(nobody.local_addr().expect("an address"), config);
        let output = send(address, flags);
        assert_eq!(output.status.code(), Some(1), "{flags:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("to: no association with"), "{flags:?}: {}", stderr(&output));
        bridge.join().expect("no panic");
    }
    let said = stderr(&send("127.0.0.1:9".parse().expect("an address"), &[]));
    assert!(said.contains("error: ca: --ca is needed"), "{said}");
    write("ca.pem", "no certificate".into());
    let said = stderr(&send("127.0.0.1:9".parse().expect("an address"), &["--ca=ca.pem"]));
    assert!(said.contains("error: ca: has no certificate in the form of PEM"), "{said}");
}

#[test]
fn a_class_that_is_not_taken_is_told_and_nobody_is_an_error() {
    let (folder, _) = folder();
    let plan = Plan::minimal(&Reference::made_up("A", "B", "20260102")).expect("a plan");
    let Plan::Minimal(plan) = plan else { panic!("a minimal plan") };
    plan.write(&folder.path().join("plan.dcm")).expect("a writable folder");
    let (address, scp) = store_scp(vec![0]);
    let peer = format!("TEST-SCP@{address}");
    let output = dosegrid(folder.path(), ["send", "plan.dcm", "a.dcm", "--to", &peer, "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let of = |file: &str| {
        let found = rows.as_array().expect("rows").iter().find(|row| row["file"] == file);
        found.expect("a row")["status"].as_str().expect("a status").to_owned()
    };
    assert_eq!((of("plan.dcm").as_str(), of("a.dcm").as_str()), ("0122H", "0000H"));
    scp.join().expect("no panic");
    let output = dosegrid(folder.path(), ["send", "a.dcm", "--to", &peer]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("to: no association with"), "{}", stderr(&output));
    let output = dosegrid(folder.path(), ["send", "a.dcm", "none.dcm", "--to", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
    for words in ["file: none.dcm: cannot be opened", "to: is an application entity as AE@HOST:PORT"] {
        assert!(stderr(&output).contains(words), "{}", stderr(&output));
    }
}

#[test]
fn a_file_that_is_cut_short_is_not_sent() {
    let (folder, _) = folder();
    let whole = fs::read(folder.path().join("a.dcm")).expect("a file");
    for (name, bytes) in [("cut.dcm", whole.len() - 1), ("half.dcm", whole.len() / 2)] {
        fs::write(folder.path().join(name), &whole[..bytes]).expect("a writable folder");
    }
    // Nobody listens there: it is not asked.
    let output = dosegrid(folder.path(), ["send", "a.dcm", "cut.dcm", "half.dcm", "--to", "TEST-SCP@127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    for name in ["cut.dcm", "half.dcm"] {
        let words = format!("file: {name}: is a damaged DICOM file: it is cut short");
        assert!(stderr(&output).contains(&words), "{}", stderr(&output));
    }
    assert!(!stderr(&output).contains("file: a.dcm"), "{}", stderr(&output));
}

#[test]
fn a_transfer_syntax_that_is_not_taken_is_told_from_a_class() {
    let (folder, _) = folder();
    let mut bytes = fs::read(folder.path().join("b.dcm")).expect("a file");
    let explicit = b"1.2.840.10008.1.2.1\0";
    let at = bytes.windows(explicit.len()).position(|part| part == explicit).expect("a transfer syntax");
    // One that nobody has.
    bytes[at..at + explicit.len()].copy_from_slice(b"1.2.840.10008.1.2.9\0");
    fs::write(folder.path().join("b.dcm"), bytes).expect("a writable folder");
    let (address, scp) = store_scp(vec![0]);
    let output = dosegrid(folder.path(), ["send", "a.dcm", "b.dcm", "--to", &format!("TEST-SCP@{address}")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout).expect("text");
    for words in ["a.dcm: 0000H stored", "b.dcm: C122H its transfer syntax is not supported"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(scp.join().expect("no panic").len(), 1);
}

/// An archive that has what lies in a folder: a study that may be found, and a series in it.
fn archive(folder: PathBuf) -> impl Fn(&Asked) -> Answer + Send + 'static {
    move |asked| {
        let json = |text: String| (200, "application/dicom+json".to_owned(), text.into_bytes());
        let files = || -> Vec<Vec<u8>> {
            let mut names: Vec<PathBuf> =
                fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
            names.sort();
            names.iter().map(|name| fs::read(name).expect("a file")).collect()
        };
        let line = asked.line.as_str();
        match line {
            "GET /dicom-web/studies?StudyInstanceUID=1.2.3" => {
                json(r#"[{"0020000D":{"vr":"UI","Value":["1.2.3"]}}]"#.into())
            }
            "GET /dicom-web/series?SeriesInstanceUID=1.2.4" => {
                json(r#"[{"0020000D":{"vr":"UI","Value":["1.2.3"]}}]"#.into())
            }
            "GET /dicom-web/studies/1.2.3/instances" | "GET /dicom-web/studies/1.2.3/series/1.2.4/instances" => {
                let one = r#"{"00080018":{"vr":"UI","Value":["1.2.9"]}}"#;
                json(format!("[{}]", vec![one; files().len()].join(",")))
            }
            "GET /dicom-web/studies/1.2.3" | "GET /dicom-web/studies/1.2.3/series/1.2.4" => {
                let mut body = Vec::new();
                for file in files() {
                    body.extend(b"--b0undary\r\nContent-Type: application/dicom\r\n\r\n");
                    body.extend(file);
                    body.extend(b"\r\n");
                }
                body.extend(b"--b0undary--\r\n");
                (200, "multipart/related; type=\"application/dicom\"; boundary=b0undary".into(), body)
            }
            _ => (204, "application/dicom+json".into(), Vec::new()),
        }
    }
}

#[test]
fn what_an_archive_has_is_fetched_and_read_as_any_folder() {
    let (folder, _) = folder();
    let (url, asked) = web(archive(folder.path().to_owned()));
    let text = succeed(folder.path(), ["inspect", "1.2.3", "--dicom-web", &url, "--json"]);
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let modalities: Vec<&str> =
        found["series"].as_array().expect("series").iter().map(|one| one["modality"].as_str().expect("text")).collect();
    assert_eq!(modalities, ["CT", "RTDOSE"]);
    let convert = ["convert", "1.2.4", "--as", "dose", "--output", "dose.nii", "--dicom-web", &url];
    succeed(folder.path(), convert);
    assert!(folder.path().join("dose.nii").is_file());
    let accepts = asked
        .lock()
        .expect("no panic")
        .iter()
        .any(|one| one.line.ends_with("/studies/1.2.3") && one.headers["accept"].contains("transfer-syntax=*"));
    assert!(accepts);
}

#[test]
fn what_an_archive_does_not_have_or_has_too_much_of_is_told() {
    let (folder, _) = folder();
    let (url, _) = web(archive(folder.path().to_owned()));
    let said = |args: &[&str]| {
        let output = dosegrid(folder.path(), args);
        (output.status.code(), stderr(&output))
    };
    let (code, words) = said(&["inspect", "9.9.9", "--dicom-web", &url]);
    assert!(code == Some(1) && words.contains("has no study and no series 9.9.9"), "{words}");
    let (code, words) = said(&["inspect", "folder", "--dicom-web", &url]);
    assert!(code == Some(2) && words.contains("input: is the UID of a study or series"), "{words}");
    let (code, words) = said(&["inspect", "1.2.3", "--dicom-web", &url, "--dicom-web-limit", "0"]);
    assert!(code == Some(2) && words.contains("dicom-web-limit: is a whole number"), "{words}");
    let (large, _) = web(|asked| match asked.line.as_str() {
        "GET /dicom-web/studies/1.2.3" => {
            let mut body = b"--b\r\n\r\n".to_vec();
            body.extend(vec![7; 2 << 20]);
            body.extend(b"\r\n--b--\r\n");
            (200, "multipart/related; boundary=b".into(), body)
        }
        _ => (200, "application/dicom+json".into(), br#"[{"0020000D":{"vr":"UI","Value":["1.2.3"]}}]"#.to_vec()),
    });
    let (code, words) = said(&["inspect", "1.2.3", "--dicom-web", &large, "--dicom-web-limit", "1"]);
    assert!(code == Some(1) && words.contains("larger than the limit"), "{words}");
    let (denied, _) = web(|_| (401, "text/plain".into(), Vec::new()));
    let (code, words) = said(&["inspect", "1.2.3", "--dicom-web", &denied]);
    assert!(code == Some(1) && words.contains("HTTP status 401: give a token"), "{words}");
}

#[test]
fn stow_tells_what_became_of_each_instance_and_keeps_the_token() {
    let (folder, _) = folder();
    fs::write(folder.path().join("token"), "secret-token\n").expect("a writable folder");
    let uid = |name: &str| uid_of(&folder.path().join(name));
    let (good, bad) = (uid("a.dcm"), uid("b.dcm"));
    let answer = format!(
        r#"{{"00081199":{{"vr":"SQ","Value":[{{"00081155":{{"vr":"UI","Value":["{good}"]}}}}]}},
            "00081198":{{"vr":"SQ","Value":[{{"00081155":{{"vr":"UI","Value":["{bad}"]}},
            "00081197":{{"vr":"US","Value":[43264]}}}}]}}}}"#
    );
    let (url, asked) = web(move |_| (202, "application/dicom+json".into(), answer.clone().into_bytes()));
    let args = ["send", "a.dcm", "b.dcm", "--dicom-web", &url, "--dicom-web-token-file", "token"];
    let output = dosegrid(folder.path(), args);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let said = String::from_utf8(output.stdout.clone()).expect("text");
    assert!(said.contains("a.dcm: 0000H stored") && said.contains("b.dcm: A900H its data set"), "{said}");
    assert!(!(said + &stderr(&output)).contains("secret"));
    for (one, name) in asked.lock().expect("no panic").iter().zip(["a.dcm", "b.dcm"]) {
        assert_eq!(one.line, "POST /dicom-web/studies");
        assert_eq!(one.headers["authorization"], "Bearer secret-token");
        let file = fs::read(folder.path().join(name)).expect("a file");
        assert!(one.body.windows(file.len()).any(|part| part == file), "{name}");
    }
}

fn uid_of(path: &Path) -> String {
    dosegrid::pacs::Instance::read(path).expect("an instance").uid
}
