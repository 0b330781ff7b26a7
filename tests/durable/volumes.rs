//! Uploads that resume, volumes by range, damage that is found.

use std::path::{Path, PathBuf};

use dosegrid::api::pb;
use dosegrid::store::StoreOptions;
use tokio_stream::StreamExt;
use tonic::Code;
use tonic_types::StatusExt;

use super::{Server, fact, name, pieces, reason};

/// What a test does to a good upload.
type Spoil = fn(&mut Vec<pb::PutVolumeRequest>);

fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0]).collect()
}

/// The one file in the folders below.
fn only_file(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let paths: Vec<PathBuf> = entries.collect();
    assert_eq!(paths.len(), 1, "{paths:?}");
    if paths[0].is_dir() { only_file(&paths[0]) } else { paths[0].clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_kept_by_its_content_and_read_by_range() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let bytes = noise(3_000_001);
    let digest = client.put(&bytes).await;
    assert_eq!(client.get(&digest).await.expect("it is there"), bytes);
    for (offset, length) in [(0, 1), (1_048_575, 2), (2_999_000, 0), (2_999_999, 100), (3_000_001, 0)] {
        let end = if length == 0 { bytes.len() } else { bytes.len().min(offset + length) };
        let part = client.range(&digest, offset as u64, length as u64).await.expect("a range");
        assert_eq!(part, bytes[offset..end], "{length} bytes from {offset}");
    }
    let past = client.range(&digest, 3_000_002, 0).await.expect_err("past the end");
    assert_eq!((past.code(), reason(&past).as_str()), (Code::OutOfRange, "WRONG_OFFSET"));
    assert_eq!(fact(&past, "size_bytes"), "3000001");
    // It uploads for nothing, although the stream never ends.
    let again = tokio_stream::iter(pieces(&digest, &bytes, 0, 1000).into_iter().take(1)).chain(tokio_stream::pending());
    let volume = client.volumes.put_volume(again).await.expect("it is there").into_inner().volume.expect("a volume");
    assert_eq!(volume.committed_bytes, 3_000_001);
    assert!(volume.expire_time.is_some(), "no job refers to it");
    let request = pb::DeleteVolumeRequest { digest: digest.clone() };
    client.volumes.delete_volume(request.clone()).await.expect("it is there");
    let gone = client.volumes.delete_volume(request).await.expect_err("it is gone");
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "VOLUME_NOT_FOUND"));
    let gone = client.get(&digest).await.expect_err("it is gone");
    assert_eq!(reason(&gone), "VOLUME_NOT_FOUND");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_where_it_was_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let bytes = noise(1_000_000);
    let digest = name(&bytes);
    assert_eq!(client.check(&digest).await.size_bytes, 0, "nothing is known of it");
    let some = |from: usize, count: usize| tokio_stream::iter(pieces(&digest, &bytes, from, 50_000)).take(count);
    // The caller closes its side: the answer says how much is there.
    let first = client.volumes.put_volume(some(0, 4)).await.expect("room").into_inner().volume.expect("a volume");
    assert_eq!((first.size_bytes, first.committed_bytes), (1_000_000, 200_000));
    let gap = client.volumes.put_volume(some(200_001, 1)).await.expect_err("a gap");
    assert_eq!((reason(&gap).as_str(), fact(&gap, "committed_bytes").as_str()), ("WRONG_OFFSET", "200000"));
    // The caller goes away in the middle.
    let mut leaver = client.clone();
    let cut = some(150_000, 5).chain(tokio_stream::pending());
    let task = tokio::spawn(async move { leaver.volumes.put_volume(cut).await.map(drop) });
    let arrived = async {
        while client.check(&digest).await.committed_bytes < 400_000 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), arrived).await.expect("it arrives");
    task.abort();
    // Two callers at once: both get the whole.
    let [mut one, mut two] = [client.clone(), client.clone()];
    let [from_start, from_there] = [some(0, 100), some(400_000, 100)];
    let (a, b) = tokio::join!(one.volumes.put_volume(from_start), two.volumes.put_volume(from_there));
    for answer in [a, b] {
        let volume = answer.expect("complete").into_inner().volume.expect("a volume");
        assert_eq!(volume.committed_bytes, 1_000_000);
    }
    assert_eq!(client.get(&digest).await.expect("it is there"), bytes);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_than_the_name_says_are_discarded() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let (bytes, other) = (noise(5000), vec![7; 5000]);
    let digest = name(&bytes);
    let wrong = tokio_stream::iter(pieces(&digest, &other, 0, 1000)).chain(tokio_stream::pending());
    let refused = client.volumes.put_volume(wrong).await.expect_err("other bytes");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "DIGEST_MISMATCH"));
    assert_eq!((fact(&refused, "expected"), fact(&refused, "found")), (digest.clone(), name(&other)));
    assert_eq!(client.check(&digest).await.size_bytes, 0);
    assert_eq!(client.put(&bytes).await, digest);
    // Its size is known now.
    let mut longer = pieces(&digest, &bytes, 0, 1000);
    longer[0].size_bytes = 6000;
    let refused = client.volumes.put_volume(tokio_stream::iter(longer)).await.expect_err("another size");
    assert_eq!(reason(&refused), "INVALID_REQUEST");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_found_and_never_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let bytes = noise(2_500_000);
    let digest = client.put(&bytes).await;
    let file = only_file(&folder.path().join("volumes"));
    let mut flipped = bytes.clone();
    flipped[2_000_000] ^= 4;
    std::fs::write(&file, &flipped).expect("a writable file");
    // Even where a range has the right bytes alone.
    let found = client.range(&digest, 0, 10).await.expect_err("it is damaged");
    assert_eq!((found.code(), reason(&found).as_str()), (Code::DataLoss, "VOLUME_DAMAGED"));
    assert_eq!(fact(&found, "digest"), digest);
    assert_eq!(reason(&client.get(&digest).await.expect_err("it is damaged")), "VOLUME_DAMAGED");
    assert!(!file.exists(), "it is set aside");
    only_file(&folder.path().join("damaged"));
    assert_eq!(client.check(&digest).await.committed_bytes, 0);
    client.put(&bytes).await;
    assert_eq!(client.get(&digest).await.expect("whole again"), bytes);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_and_full_quotas_are_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, tenant_bytes: 10_000, ..StoreOptions::default() };
    let server = Server::with(folder.path(), options).await;
    let mut client = server.client().await;
    let bytes = noise(8000);
    let digest = client.put(&bytes).await;
    let more = noise(2001);
    let full = client.volumes.put_volume(tokio_stream::iter(pieces(&name(&more), &more, 0, 5000))).await;
    let full = full.expect_err("10,000 bytes are allowed");
    assert_eq!((full.code(), reason(&full).as_str()), (Code::ResourceExhausted, "QUOTA_EXCEEDED"));
    let facts = ["what", "used", "limit", "needed"].map(|key| fact(&full, key));
    assert_eq!(facts, ["bytes", "8000", "10000", "2001"]);
    assert!(full.get_details_retry_info().is_none(), "waiting does not help");
    let put = |edit: Spoil| {
        let mut all = pieces(&name(b"abcd"), b"abcd", 0, 2);
        edit(&mut all);
        tokio_stream::iter(all)
    };
    let cases: [(&str, &str, Spoil); 8] = [
        ("INVALID_REQUEST", "digest", |all| all.clear()),
        ("INVALID_REQUEST", "digest", |all| all[0].digest = "sha256:../../../etc/passwd".into()),
        ("INVALID_REQUEST", "size_bytes", |all| all[0].size_bytes = 0),
        ("REQUEST_TOO_LARGE", "", |all| all[0].size_bytes = u64::MAX),
        ("INVALID_REQUEST", "digest", |all| all[1].digest = all[0].digest.clone()),
        ("INVALID_REQUEST", "data", |all| all[1].data = vec![0; 9].into()),
        ("WRONG_OFFSET", "", |all| all[1].offset_bytes = 3),
        ("WRONG_OFFSET", "", |all| all[0].offset_bytes = 4),
    ];
    for (number, (expected, field, edit)) in cases.into_iter().enumerate() {
        let refused = client.volumes.put_volume(put(edit)).await.expect_err("a bad upload");
        assert_eq!(reason(&refused), expected, "case {number}: {refused:?}");
        let named = refused.get_details_bad_request().map(|bad| bad.field_violations[0].field.clone());
        assert_eq!(named.unwrap_or_default(), field, "case {number}");
        assert!(!format!("{refused:?}").contains("passwd"), "the caller's text is not repeated");
    }
    for digests in [vec![], vec![digest.clone(); 1001], vec![digest, "x".into()]] {
        let refused = client.volumes.check_volumes(pb::CheckVolumesRequest { digests }).await.expect_err("bad");
        assert_eq!(reason(&refused), "INVALID_REQUEST");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_time_goes() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut client = server.client().await;
    let (kept, half) = (noise(1000), noise(2000));
    let digest = client.put(&kept).await;
    let part = tokio_stream::iter(pieces(&name(&half), &half, 0, 500)).take(2);
    client.volumes.put_volume(part).await.expect("room");
    let store = server.store.clone();
    let day = std::time::Duration::from_secs(86_400);
    let now = std::time::SystemTime::now();
    let removed = |after: u32| {
        let store = store.clone();
        tokio::task::spawn_blocking(move || store.remove_expired(now + day * after).expect("a sound store"))
    };
    assert_eq!(removed(0).await.expect("no panic"), 0);
    assert_eq!(removed(2).await.expect("no panic"), 1, "the upload");
    assert_eq!(client.check(&name(&half)).await.size_bytes, 0);
    assert_eq!(client.get(&digest).await.expect("it stays"), kept);
    assert_eq!(removed(8).await.expect("no panic"), 1, "the volume");
    assert_eq!(reason(&client.get(&digest).await.expect_err("it is gone")), "VOLUME_NOT_FOUND");
    let left = std::fs::read_dir(folder.path().join("volumes/default")).expect("a folder").count();
    assert_eq!(left, 0, "files go with their names");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_reserves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions { reserve_bytes: 0, tenant_bytes: 1000, ..StoreOptions::default() };
    let server = Server::with(folder.path(), options).await;
    let mut client = server.client().await;
    let bytes = noise(1000);
    let digest = name(&bytes);
    let gap = tokio_stream::iter(pieces(&digest, &bytes, 1, 100));
    let gap = client.volumes.put_volume(gap).await.expect_err("nothing is there yet");
    assert_eq!((reason(&gap).as_str(), fact(&gap, "committed_bytes").as_str()), ("WRONG_OFFSET", "0"));
    assert_eq!(client.check(&digest).await.size_bytes, 0, "nothing is known of it");
    // The whole quota is free, and another size may be right.
    client.put(&noise(999)).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_gone_and_counts_no_more_before_the_sweep() {
    let folder = tempfile::tempdir().expect("a folder");
    let ttl = std::time::Duration::from_millis(1500);
    let (volume_ttl, upload_ttl, job_ttl) = (ttl, ttl, ttl);
    let limits = StoreOptions { reserve_bytes: 0, tenant_bytes: 2000, ..StoreOptions::default() };
    let options = StoreOptions { volume_ttl, upload_ttl, job_ttl, ..limits };
    let server = Server::with(folder.path(), options).await;
    let mut client = server.client().await;
    let spec = client.upload_job(super::local(), [2, 1, 1]).await;
    let job = client.create(&spec, &super::request_id()).await.expect("a good job");
    let (_, job) = client.watch(&job.name).await.expect("it ends");
    let dose = job.result.and_then(|result| result.dose).expect("it succeeded").digest;
    assert_eq!(client.get(&dose).await.expect("its job is there").len(), 8);
    let (bytes, half) = (noise(900), noise(1001));
    let digest = client.put(&bytes).await;
    let part = tokio_stream::iter(pieces(&name(&half), &half, 0, 500)).take(1);
    client.volumes.put_volume(part).await.expect("room");
    let full = client.try_put(&noise(1000)).await.expect_err("no room");
    assert_eq!((reason(&full).as_str(), fact(&full, "used").as_str()), ("QUOTA_EXCEEDED", "1925"));
    tokio::time::sleep(ttl + std::time::Duration::from_millis(100)).await;
    assert_eq!(reason(&client.job(&job.name).await.expect_err("it has expired")), "JOB_NOT_FOUND");
    for digest in [&dose, &digest, &name(&half)] {
        assert_eq!(reason(&client.get(digest).await.expect_err("it has expired")), "VOLUME_NOT_FOUND");
        assert_eq!(client.check(digest).await.size_bytes, 0);
    }
    // All of the quota is free for the same volume and for others.
    client.put(&bytes).await;
    client.put(&noise(1100)).await;
    assert_eq!(client.get(&digest).await.expect("it is there again"), bytes);
    let store = server.store.clone();
    let now = std::time::SystemTime::now();
    let swept = tokio::task::spawn_blocking(move || store.remove_expired(now).expect("a sound store"));
    swept.await.expect("no panic");
    assert_eq!(client.get(&digest).await.expect("the sweep takes what has expired alone"), bytes);
    let left = std::fs::read_dir(folder.path().join("volumes/default")).expect("a folder").count();
    assert_eq!(left, 2, "files go with their names");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_goes_on_does_not_expire() {
    let folder = tempfile::tempdir().expect("a folder");
    let upload_ttl = std::time::Duration::from_secs(2);
    let options = StoreOptions { reserve_bytes: 0, upload_ttl, ..StoreOptions::default() };
    let server = Server::with(folder.path(), options).await;
    let mut client = server.client().await;
    let bytes = noise(1_000_000);
    let digest = name(&bytes);
    let slowly = tokio_stream::iter(pieces(&digest, &bytes, 0, 100_000)).then(|piece| async {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        piece
    });
    let store = server.store.clone();
    let sweep = tokio::spawn(async move {
        for _ in 0..7 {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let (store, now) = (store.clone(), std::time::SystemTime::now());
            let swept = tokio::task::spawn_blocking(move || store.remove_expired(now).expect("a sound store"));
            assert_eq!(swept.await.expect("no panic"), 0);
        }
    });
    let volume = client.volumes.put_volume(slowly).await.expect("it goes on").into_inner().volume.expect("a volume");
    assert_eq!(volume.committed_bytes, 1_000_000);
    sweep.await.expect("no panic");
    server.stop().await;
}
