//! Files that are deleted for their age, and what the ledger knows of them then.

use std::fs;

use super::site::{Site, files, study};

#[test]
fn the_files_of_what_is_verified_go_after_their_time_and_it_is_not_computed_again() {
    let site = Site::new("release = 'auto'", "");
    let place = site.path().join("gateway.toml");
    let file = fs::read_to_string(&place).expect("the file");
    assert!(site.asked(&["--dry-run", &study().display().to_string()]).contains("until `dosegrid gateway drop`"));
    fs::write(&place, file.replacen("poll =", "keep = '2s'\npoll =", 1)).expect("a writable folder");
    let foretold = site.asked(&["--dry-run", &study().display().to_string()]);
    assert!(foretold.contains("kept       2 s after all is verified or skipped"), "{foretold}");
    site.put(study(), &[]);
    let running = site.start();
    let left = |name: &str| files(&site.path().join("state").join(name)).len();
    // The ledger forgets them first.
    site.wait_for("its files are deleted", |items| {
        let is_told = items.first().is_some_and(|item| item["deleted_ms"].is_i64());
        is_told && ["studies", "results", "spool", "work"].map(left) == [0; 4]
    });
    let item = site.item();
    assert_eq!(item["state"], "verified");
    let id = item["id"].as_str().expect("an id").to_owned();
    let delivered = site.delivered();
    assert_eq!(delivered.len(), 1, "what was sent is not the gateway's to delete");
    let shown = site.asked(&["show", &id]);
    assert!(shown.contains("files      deleted for their age at ") && shown.contains("read back"), "{shown}");
    // Sent again, it is nothing new; and that goes after its time as well.
    // All at once: with a quiet time of a second, a slow copy would be several versions.
    let again = site.path().join("again");
    fs::create_dir(&again).expect("a writable folder");
    for (number, path) in files(study()).into_iter().enumerate() {
        fs::copy(&path, again.join(number.to_string())).expect("a writable folder");
    }
    fs::rename(&again, site.path().join("in/again")).expect("one file system");
    site.wait_for("it is nothing new", |items| {
        items.len() == 2 && items.iter().all(|item| item["deleted_ms"].is_i64())
    });
    drop(running);
    let states = site.states();
    assert!(states.iter().any(|(state, why)| state == "skipped" && why.starts_with("nothing new")), "{states:?}");
    assert_eq!(site.delivered(), delivered);
    assert!(site.refused(&["retry", &format!("{}2", id.trim_end_matches('1'))]).contains("deleted for their age"));
    site.tells_nobody(&shown);
}
