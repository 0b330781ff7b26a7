//! Looks at studies, one of which takes long; and what comes meanwhile.

use std::os::unix::fs::PermissionsExt as _;

use super::control::Asked;
use super::record::StudyRecord;
use super::*;
use crate::demo::{DicomStudy, StylisedPhantom};

/// Whoever waits for something that does not come has waited long enough: a safety net, and no measure of speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program that is asked whether it would compute a study: the first time it answers once the file `go` is there,
/// with the status in `status`.
fn slow_program(folder: &Path) -> PathBuf {
    let (program, place) = (folder.join("program"), folder.display());
    let text = format!(
        "#!/bin/sh\n\
         if mkdir {place}/asked 2>/dev/null; then while [ ! -e {place}/go ]; do sleep 0.05; done; fi\n\
         echo 'error: the organs overlap' >&2\n\
         exit $(cat {place}/status)\n"
    );
    fs::write(&program, text).expect("a writable folder");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("a file of ours");
    fs::write(folder.join("status"), "0").expect("a writable folder");
    program
}

fn config(folder: &Path) -> Config {
    fs::create_dir_all(folder.join("in")).expect("a writable folder");
    let text = "folder = 'state'\npoll = '1s'\n\
        [[source]]\nname = 'inbox'\nkind = 'folder'\npath = 'in'\nquiet = '0s'\n\
        [[destination]]\nname = 'out'\nkind = 'folder'\npath = '.'\n\
        [[rule]]\nname = 'lu'\nto = 'out'\n[rule.compute]\nmethod = 'local'\n";
    Config::parse(text, folder, &|_| Vec::new()).expect("a good file")
}

/// A gateway to which a study has come, under several names.
fn with_studies(folder: &Path, names: &[&str]) -> Gateway {
    let gateway = Gateway::open(config(folder), slow_program(folder)).unwrap_or_else(|_| panic!("a new folder"));
    let phantom = StylisedPhantom::new([16, 16, 12]).expect("a good shape");
    let study = DicomStudy::of(&phantom).expect("a study");
    for name in names {
        study.write(&gateway.study_folder(name)).expect("room");
        let record = StudyRecord { source: "inbox".into(), last_ms: now_ms(), versions: 1, ..StudyRecord::default() };
        let item = Item::new(name, 1, 5);
        let put = |change: &Change<'_>| {
            change.put(Table::Studies, name, &record)?;
            change.put(Table::Instances, &format!("{name}/1.2"), &"known")?;
            change.put(Table::Items, &item.id, &item)
        };
        gateway.ledger.change(put).expect("room");
    }
    gateway
}

fn now(gateway: &Gateway) -> Item {
    gateway.ledger.get(Table::Items, "study-1").expect("readable").expect("it")
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_look_that_takes_long_holds_up_neither_what_comes_nor_another_study() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    drop(with_studies(folder, &["one", "two"]));
    let (config, program) = (config(folder), folder.join("program"));
    let told = AtomicBool::new(false);
    let items = || ask(config.clone(), program.clone(), &Asked::List).expect("it runs");
    let received = || items().iter().filter(|item| item.state == State::Received).count();
    let is_told = || told.load(Ordering::SeqCst);
    thread::scope(|scope| {
        let running = scope.spawn(|| run(config.clone(), program.clone(), Until::Told, is_told, || {}));
        let _end = EndsAll(&told);
        wait_until("a study is looked at", || folder.join("asked").exists());
        fs::write(folder.join("in/broken.dcm"), [&[0; 128][..], b"DICM", &[0xff; 64]].concat()).expect("a file");
        wait_until("what came is taken", || items().iter().any(|item| item.id.starts_with("file-")));
        wait_until("the other study is looked at", || received() == 1);
        fs::write(folder.join("go"), "").expect("a writable folder");
        wait_until("the first is looked at", || received() == 0);
        told.store(true, Ordering::SeqCst);
        running.join().expect("no panic").expect("no failure");
    });
}

#[test]
fn what_is_found_of_fewer_files_settles_nothing() {
    for (status, then) in [("0", State::Ready), ("2", State::Aside)] {
        let folder = tempfile::tempdir().expect("a folder");
        let gateway = with_studies(folder.path(), &["study"]);
        fs::write(folder.path().join("status"), status).expect("a writable folder");
        let before = now(&gateway);
        // What lies in the spool has come: nothing is looked at before that was taken.
        assert!(!gateway.look_at_studies().expect("no failure"));
        gateway.take_spool().expect("no failure");
        thread::scope(|scope| {
            let looks = scope.spawn(|| gateway.look_at_studies());
            wait_until("it is looked at", || folder.path().join("asked").exists());
            // By one at a time.
            assert!(!gateway.look_at_studies().expect("no failure"));
            // More of it comes, within the same millisecond even.
            let record: StudyRecord = gateway.ledger.get(Table::Studies, "study").expect("readable").expect("it");
            let more = StudyRecord { arrivals: record.arrivals + 1, ..record };
            gateway.ledger.change(|change| change.put(Table::Studies, "study", &more)).expect("room");
            fs::write(folder.path().join("go"), "").expect("a writable folder");
            assert!(looks.join().expect("no panic").expect("no failure"));
        });
        assert_eq!(now(&gateway), before, "{status}");
        assert!(gateway.look_at_studies().expect("no failure"));
        assert_eq!(now(&gateway).state, then, "{}", now(&gateway).reason);
    }
}
