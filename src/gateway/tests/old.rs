//! Deletion of files by age.

use super::*;

/// A gateway that keeps files for an hour, and the file of a study.
fn keeping(folder: &Path) -> (Gateway, PathBuf) {
    let mut gateway = gateway(folder);
    gateway.config.keep = Some(Duration::from_secs(3600));
    let kept = gateway.study_folder("study").join("file");
    let record = StudyRecord { uid: "1.2".into(), last_ms: 5, ..StudyRecord::default() };
    let put = |change: &Change<'_>| {
        change.put(Table::Studies, "study", &record).and_then(|()| change.put(Table::Instances, "study/1.2", &"known"))
    };
    gateway.ledger.change(put).expect("room");
    for place in [gateway.study_folder("study"), gateway.results("study-1"), gateway.results("study-2")] {
        fs::create_dir_all(&place).and_then(|()| fs::write(place.join("file"), "patient")).expect("room");
    }
    (gateway, kept)
}

#[test]
fn what_is_done_is_deleted_after_its_time_and_its_line_stays() {
    use State::{Aside, Held, Received, Released, Sent, Skipped, Verified};
    let (old_ms, now_ms) = (5, now_ms());
    for (versions, is_deleted) in [
        (&[(Verified, old_ms)][..], true),
        (&[(Skipped, old_ms)], true),
        (&[(Skipped, old_ms), (Verified, old_ms)], true),
        // Not for so long yet.
        (&[(Verified, now_ms)], false),
        (&[(Verified, old_ms), (Skipped, now_ms)], false),
        // Not verified, or waiting for somebody.
        (&[(Sent, old_ms)], false),
        (&[(Held, old_ms)], false),
        (&[(Aside, old_ms)], false),
        (&[(Verified, old_ms), (Held, old_ms)], false),
        (&[(Verified, old_ms), (Released, old_ms)], false),
        (&[(Aside, old_ms), (Verified, old_ms)], false),
        (&[(Skipped, old_ms), (Received, old_ms)], false),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (gateway, kept) = keeping(folder.path());
        for (number, (state, since_ms)) in (1..).zip(versions) {
            let item = version(&gateway, number, *state, delivery(DeliveryState::Unverified));
            let item = Item { since_ms: *since_ms, ..item };
            gateway.ledger.change(|change| change.put(Table::Items, &item.id, &item)).expect("room");
        }
        let before = gateway.ledger.items().expect("readable");
        assert_eq!(gateway.delete_old().expect("no failure"), is_deleted, "{versions:?}");
        assert_eq!((kept.exists(), gateway.results("study-1").exists()), (!is_deleted, !is_deleted), "{versions:?}");
        let after = gateway.ledger.items().expect("readable");
        assert_eq!(
            after.iter().filter(|item| item.deleted_ms.is_some()).count(),
            usize::from(is_deleted) * after.len()
        );
        // All else that the ledger knows of it stays.
        let same = after.into_iter().map(|item| Item { deleted_ms: None, ..item }).collect::<Vec<_>>();
        assert_eq!(same, before, "{versions:?}");
        let known = gateway.ledger.list::<serde_json::Value>(Table::Instances, "study/").expect("readable").len();
        assert_eq!(known, usize::from(!is_deleted), "sent again, its files are new");
        // The audit log tells of each.
        let lines = gateway.chain.lock().expect("no panic").head().records;
        assert_eq!(lines, if is_deleted { versions.len() as u64 } else { 0 }, "{versions:?}");
        *gateway.looked_for_old.lock().expect("no panic") = None;
        assert!(!gateway.delete_old().expect("no failure"), "once");
    }
}

#[test]
fn nothing_is_deleted_where_the_file_does_not_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut gateway, kept) = keeping(folder.path());
    gateway.config.keep = None;
    version(&gateway, 1, State::Verified, delivery(DeliveryState::Verified));
    assert!(!gateway.delete_old().expect("no failure"));
    assert!(kept.exists() && now(&gateway).deleted_ms.is_none());
}

#[test]
fn a_file_that_comes_again_after_its_time_and_a_worklist_that_is_to_be_told_keep_a_study() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gateway, kept) = keeping(folder.path());
    version(&gateway, 1, State::Verified, delivery(DeliveryState::Verified));
    let record = |last_ms| StudyRecord { uid: "1.2".into(), last_ms, ..StudyRecord::default() };
    let come = |last_ms| gateway.ledger.change(|change| change.put(Table::Studies, "study", &record(last_ms)));
    let deletes = || {
        *gateway.looked_for_old.lock().expect("no panic") = None;
        gateway.delete_old().expect("no failure")
    };
    come(now_ms()).expect("room");
    assert!(!deletes() && kept.exists());
    come(5).expect("room");
    let claim = |state| Claim { state, ..Claim::new("ris", "1.2".into(), 0) };
    gateway.note("study-1", State::Verified, |item| item.workitem = Some(claim(ClaimState::InProgress))).expect("it");
    assert!(!deletes() && kept.exists());
    gateway.note("study-1", State::Verified, |item| item.workitem = Some(claim(ClaimState::Completed))).expect("it");
    assert!(deletes() && !kept.exists());
}

#[test]
fn results_that_were_being_deleted_at_a_loss_are_gone_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (gateway, _) = keeping(folder.path());
    version(&gateway, 1, State::Verified, delivery(DeliveryState::Verified));
    version(&gateway, 2, State::Verified, delivery(DeliveryState::Verified));
    gateway.note("study-1", State::Verified, |item| item.deleted_ms = Some(7)).expect("no failure");
    gateway.clear_unfinished().expect("no failure");
    assert_eq!((gateway.results("study-1").exists(), gateway.results("study-2").exists()), (false, true));
}
