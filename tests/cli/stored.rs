//! A server that has a store, as the command line meets it: jobs of its own accord, jobs that are left alone, keys,
//! and what an operator copies out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{dosegrid, flags, inputs, json, stderr, succeed, volume};
use crate::support::command::Server;
use crate::support::nifti::FLOAT32;

const TRANSPORT: [&str; 3] = ["--method=monte-carlo", "--histories=3000", "--uncertainty-output=sigma.nii"];

fn serve(store: &Path, more: &[String]) -> Server {
    let own = [format!("--store={}", store.display()), "--store-reserve-mib=0".to_owned()];
    Server::with("127.0.0.1:0", &[&own, more].concat())
}

/// How often the audit log of a store tells of an event.
fn told(store: &Path, event: &str) -> usize {
    let log = fs::read_to_string(store.join("audit/000001.log")).expect("a log");
    log.matches(&format!("\"event\":\"{event}\"")).count()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_server_with_a_store_computes_by_a_job_to_the_same_bytes() {
    let folder = inputs();
    let store = folder.path().join("store");
    let run = |place: &str| {
        let said = succeed(folder.path(), flags(&["method"], &[&TRANSPORT[..], &[place]].concat()));
        let files = ["dose.nii.gz", "sigma.nii", "organs.csv"].map(|name| read(folder.path(), name));
        // What it takes here is told here alone, and the rest with the times that it took.
        let lines = said.lines().take_while(|line| !line.starts_with("device"));
        let lines: Vec<String> = lines.filter(|line| !line.starts_with("memory")).map(str::to_owned).collect();
        (files, lines, json(&folder.path().join("result.json")))
    };
    let here = run("--device=cpu");
    let server = serve(&store, &[]);
    let at_server = format!("--server={}", server.url);
    let there = run(&at_server);
    assert!(here.0 == there.0 && here.1 == there.1, "{:?} {:?}", here.1, there.1);
    assert_eq!(here.2["activity"], there.2["activity"]);
    assert_eq!([told(&store, "job.created"), told(&store, "job.deleted"), told(&store, "compute.finished")], [1, 1, 0]);
    // Its volumes are there: they are not stored again.
    let stored = told(&store, "volume.stored");
    run(&at_server);
    assert_eq!((told(&store, "volume.stored"), told(&store, "job.created")), (stored, 2));
    // A fault that a job finds is told by its flag, as this process tells it.
    fs::write(folder.path().join("nan.nii"), volume(FLOAT32, |_| f64::NAN).bytes()).expect("a writable folder");
    let output = dosegrid(folder.path(), flags(&["activity"], &["--activity=nan.nii", &at_server]));
    assert!(output.status.code() == Some(2) && stderr(&output).contains("error: activity"), "{}", stderr(&output));
}

#[test]
fn without_room_in_the_store_the_server_computes_all_the_same() {
    let folder = inputs();
    let store = folder.path().join("store");
    let server = serve(&store, &["--tenant-jobs=1".to_owned(), "--job-queue-length=1".to_owned()]);
    let at_server = format!("--server={}", server.url);
    // One job that takes all that there may be.
    let long = ["--method=monte-carlo", "--histories=60000000000", "--detach", &at_server];
    let name = succeed(folder.path(), flags(&["method", "organs-output", "json", "labels"], &long));
    succeed(folder.path(), flags(&[], &[&at_server]));
    assert_eq!([told(&store, "job.created"), told(&store, "compute.finished")], [1, 1]);
    succeed(folder.path(), ["jobs", "cancel", name.trim(), &at_server]);
    // Who waits for a dose that does not come hears it by the status.
    let watched = dosegrid(folder.path(), ["jobs", "watch", name.trim(), &at_server]);
    assert!(watched.status.code() == Some(1) && stderr(&watched).contains("cancelled"), "{}", stderr(&watched));
    fs::write(folder.path().join("nan.nii"), volume(FLOAT32, |_| f64::NAN).bytes()).expect("a writable folder");
    let bad = ["--activity=nan.nii", "--detach", &at_server];
    let name = succeed(folder.path(), flags(&["activity", "organs-output", "json", "labels"], &bad));
    let watched = dosegrid(folder.path(), ["jobs", "watch", name.trim(), &at_server]);
    assert!(watched.status.code() == Some(1) && stderr(&watched).contains("failed"), "{}", stderr(&watched));
}

#[test]
fn a_job_that_is_left_alone_is_followed_and_fetched() {
    let folder = inputs();
    let server = serve(&folder.path().join("store"), &[]);
    let at_server = format!("--server={}", server.url);
    let job = |words: &[&str]| succeed(folder.path(), [&["jobs"], words, &[&at_server]].concat());
    let with = [&TRANSPORT[..], &["--detach", &at_server]].concat();
    let name = succeed(folder.path(), flags(&["method"], &with));
    let name = name.trim();
    assert!(name.starts_with("jobs/") && !folder.path().join("dose.nii.gz").exists(), "{name}");
    assert!(job(&["watch", name]).contains("succeeded"));
    assert!(job(&["list"]).lines().any(|line| line.starts_with(name) && line.contains("succeeded")));
    assert!(job(&["get", name]).contains("attempts 1"));
    job(&["download", name, "--output=fetched.nii", "--uncertainty-output=fetched_sigma.nii"]);
    succeed(folder.path(), flags(&["method", "output"], &[&TRANSPORT[..], &["--output=dose.nii"]].concat()));
    let values = |name: &str| dosegrid::formats::nifti::read(&folder.path().join(name)).expect("a map").volume;
    assert!(values("fetched.nii").as_slice() == values("dose.nii").as_slice());
    assert!(values("fetched_sigma.nii").as_slice() == values("sigma.nii").as_slice());
    let absent = ["jobs", "download", name, "--output=x.nii", "--tally-output=x.tally", &at_server];
    let output = dosegrid(folder.path(), absent);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("tally-output"), "{}", stderr(&output));
    job(&["cancel", name]);
    job(&["delete", name]);
    let output = dosegrid(folder.path(), ["jobs", "get", name, &at_server]);
    assert!(output.status.code() == Some(1) && stderr(&output).contains("JOB_NOT_FOUND"), "{}", stderr(&output));
}

#[test]
fn a_server_that_is_lost_and_comes_back_costs_its_caller_a_wait() {
    let folder = inputs();
    let store = folder.path().join("store");
    // As long on every machine.
    let long = ["--method=monte-carlo", "--histories=60000000000", "--time-limit=4s"];
    let first = serve(&store, &[]);
    let address = first.url.strip_prefix("http://").expect("no TLS").to_owned();
    let at_server = format!("--server={}", first.url);
    let command = flags(&["method"], &[&long[..], &[at_server.as_str()]].concat());
    let (done, dose) = (folder.path().to_owned(), folder.path().join("dose.nii.gz"));
    let caller = std::thread::spawn(move || dosegrid(&done, command));
    // Killed while the job runs and its caller watches.
    let until = |event: &str| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while told(&store, event) == 0 {
            assert!(std::time::Instant::now() < end, "{event} does not come");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    until("job.started");
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(first);
    assert_eq!(told(&store, "job.finished"), 0, "it was killed before the end");
    let own = [format!("--store={}", store.display()), "--store-reserve-mib=0".to_owned()];
    let _second = Server::with(&address, &own);
    let output = caller.join().expect("no panic");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(dose.exists() && told(&store, "job.finished") == 1 && told(&store, "job.created") == 1);
}

/// A file with a key.
fn key(folder: &Path, name: &str, digit: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, digit.repeat(64)).expect("a writable folder");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own");
    path
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn volumes_are_encrypted_checked_and_copied_out_with_their_key() {
    let folder = inputs();
    let (store, out) = (folder.path().join("store"), folder.path().join("out"));
    let [good, other] = [("good.key", "1"), ("other.key", "2")].map(|(name, digit)| key(folder.path(), name, digit));
    let flag = |path: &Path| format!("--store-key-file={}", path.display());
    let at = format!("--store={}", store.display());
    let server = serve(&store, &[flag(&good)]);
    let at_server = format!("--server={}", server.url);
    let with = [&TRANSPORT[..], &["--detach", &at_server]].concat();
    let name = succeed(folder.path(), flags(&["method"], &with)).trim().to_owned();
    assert!(succeed(folder.path(), ["jobs", "watch", &name, &at_server]).contains("succeeded"));
    succeed(folder.path(), ["jobs", "download", &name, "--output=fetched.nii", &at_server]);
    drop(server);
    // Nothing of a volume can be read.
    let sealed = files(&store.join("volumes"));
    assert!(sealed.len() >= 4, "{sealed:?}");
    assert!(sealed.iter().all(|path| fs::read(path).expect("a file").starts_with(b"dosegrid sealed 1\n")));
    for (more, status) in [(None, 2), (Some(flag(&other)), 2), (Some(flag(&good)), 0)] {
        let words = ["store".to_owned(), "check".to_owned(), at.clone()].into_iter().chain(more);
        let output = dosegrid(folder.path(), words);
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(status == 0 || stderr(&output).contains("store-key-file"), "{}", stderr(&output));
    }
    let output = dosegrid(folder.path(), ["serve", "--listen=127.0.0.1:0", "--device=cpu", &at, &flag(&other)]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("store-key-file"), "{}", stderr(&output));
    let export = |more: &[&str]| {
        let to = format!("--output={}", out.display());
        dosegrid(folder.path(), [&["store", "export", &at, &flag(&good), &to], more].concat())
    };
    let nobodys = "jobs/00000000-0000-0000-0000-000000000000";
    let output = export(&["--job", nobodys]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains(nobodys), "{}", stderr(&output));
    let output = export(&["--job", &name]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let manifest = json(&out.join("manifest.json"));
    assert_eq!(
        (manifest["jobs"][0]["name"].as_str(), manifest["jobs"][0]["state"].as_str()),
        (Some(&*name), Some("succeeded"))
    );
    let volumes = manifest["volumes"].as_array().expect("a list");
    assert!(volumes.len() >= 4);
    for volume in volumes {
        let bytes = fs::read(out.join(volume["file"].as_str().expect("a file"))).expect("it was copied");
        let digest = format!("sha256:{}", dosegrid::digest::sha256_hex(&bytes));
        assert_eq!((volume["digest"].as_str(), volume["problem"].as_str()), (Some(&*digest), None));
    }
    assert!(out.join(manifest["jobs"][0]["result_file"].as_str().expect("a file")).is_file());
    let output = export(&[]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("output"), "it is there: {}", stderr(&output));
    // A changed byte is found and named, and the rest is copied.
    fs::remove_dir_all(&out).expect("own");
    let mut bytes = fs::read(&sealed[0]).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&sealed[0], bytes).expect("a writable file");
    let output = export(&[]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let manifest = json(&out.join("manifest.json"));
    let lost: Vec<_> =
        manifest["volumes"].as_array().expect("a list").iter().filter(|volume| volume["file"].is_null()).collect();
    assert_eq!((lost.len(), lost[0]["problem"].as_str()), (1, Some("damaged")));
}
