//! Readers of a file that is damaged, and of the one that takes its place.

use std::io::Write;

use super::conformance::actor;
use super::{Beginning, Reading, Store, StoreError, StoreOptions, VolumeDigest};

/// More than is read at once.
fn bytes() -> Vec<u8> {
    (0..3_000_000u32).map(|i| i.to_le_bytes()[1]).collect()
}

fn put(store: &Store) -> VolumeDigest {
    let (bytes, actor) = (bytes(), actor("a"));
    let name = VolumeDigest::of_bytes(&bytes);
    let begun = store.upload(&actor, name, bytes.len() as u64, 0).expect("room");
    let Beginning::Open(mut upload) = begun else { panic!("it is not there") };
    let stored = store.add(&mut upload, &bytes).expect("room");
    assert!(stored.is_some_and(|volume| volume.is_complete()));
    name
}

/// What comes until the end.
fn rest(store: &Store, mut reading: Reading) -> Result<usize, StoreError> {
    let mut count = 0;
    while let Some((_, piece)) = reading.next(store)? {
        count += piece.len();
    }
    Ok(count)
}

#[test]
fn a_reader_of_a_damaged_file_leaves_the_one_that_took_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, ..StoreOptions::default() };
    let store = Store::open(folder.path(), options).expect("a store");
    let name = put(&store);
    let path = store.folders.volume("a", &name);
    std::fs::OpenOptions::new().write(true).open(&path).expect("it is there").write_all(b"x").expect("room");
    let mut slow = store.read_volume("a", name).expect("it opens");
    slow.next(&store).expect("the whole is not known").expect("a piece");
    let fast = store.read_volume("a", name).expect("it opens");
    assert_eq!(rest(&store, fast), Err(StoreError::VolumeDamaged(name)));
    assert!(matches!(store.read_volume("a", name), Err(StoreError::VolumeDamaged(_))), "it is set aside");
    put(&store);
    assert_eq!(rest(&store, slow), Err(StoreError::VolumeDamaged(name)), "what it read was damaged");
    let again = store.read_volume("a", name).expect("it is there");
    assert_eq!(rest(&store, again), Ok(bytes().len()));
    // Nor does one that found no file.
    assert_eq!(store.set_aside("a", name, None), Ok(false));
    assert!(store.read_volume("a", name).is_ok());
    std::fs::remove_file(&path).expect("it is there");
    assert!(matches!(store.read_volume("a", name), Err(StoreError::VolumeDamaged(_))));
}
