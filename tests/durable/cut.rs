//! An upload is cut at random bytes, again and again, and goes on from what the server has. `RELIABILITY_UPLOAD_CUTS`
//! and `RELIABILITY_UPLOAD_MIB` ask for more of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::kills::serve;
use super::rounds::{row, times};
use super::{Client, name, pieces};

/// Bytes of a message.
const PIECE: usize = 1 << 20;

/// A way to a server that takes so many bytes more and is cut then. All that went through is counted.
async fn way(to: String, left: u64, passed: Arc<AtomicU64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    tokio::spawn(async move {
        let (caller, _) = listener.accept().await.expect("a caller");
        let server = TcpStream::connect(to.trim_start_matches("http://")).await.expect("the server listens");
        let ((mut from_caller, mut to_caller), (mut from_server, mut to_server)) =
            (caller.into_split(), server.into_split());
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_caller).await });
        let (mut left, mut some) = (left, vec![0; 16 << 10]);
        while left > 0 {
            let most = some.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let Ok(count @ 1..) = from_caller.read(&mut some[..most]).await else { break };
            if to_server.write_all(&some[..count]).await.is_err() {
                break;
            }
            left -= count as u64;
            passed.fetch_add(count as u64, Ordering::AcqRel);
        }
        // Both ends hear of it.
        let _ = to_server.shutdown().await;
        back.abort();
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_cut_goes_on_from_what_has_arrived() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = serve(folder.path());
    let mut client = Client::of(&server.url).await;
    let size = times("RELIABILITY_UPLOAD_MIB", 12) << 20;
    let cuts = times("RELIABILITY_UPLOAD_CUTS", 5);
    let mut random = ChaCha8Rng::seed_from_u64(23);
    let bytes: Vec<u8> = (0..size / 8).flat_map(|_| random.random::<u64>().to_le_bytes()).collect();
    let digest = name(&bytes);
    let passed = Arc::new(AtomicU64::new(0));
    let most = size as u64 / (cuts as u64 + 1);
    let mut committed = 0;
    for cut in 0..cuts {
        let left = random.random_range(PIECE as u64 / 2..most.max(PIECE as u64));
        let mut cut_off = Client::of(&way(server.url.clone(), left, passed.clone()).await).await;
        let messages = pieces(&digest, &bytes, committed, PIECE);
        let ended = cut_off.volumes.put_volume(tokio_stream::iter(messages)).await;
        assert!(ended.is_err(), "cut {cut}");
        // The server has the end of what was on its way.
        let mut found = client.check(&digest).await.committed_bytes;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let later = client.check(&digest).await.committed_bytes;
            if later == found {
                break;
            }
            found = later;
        }
        let found = usize::try_from(found).expect("no more than was sent");
        assert!(found >= committed && found < size, "cut {cut}: {found} after {committed}");
        assert_eq!(found % PIECE, 0, "whole messages count");
        committed = found;
    }
    let rest = pieces(&digest, &bytes, committed, PIECE);
    let url = way(server.url.clone(), u64::MAX, passed.clone()).await;
    let volume = Client::of(&url).await.volumes.put_volume(tokio_stream::iter(rest)).await.expect("room").into_inner();
    assert_eq!(volume.volume.expect("a volume").committed_bytes, size as u64);
    let sent = passed.load(Ordering::Acquire);
    let again = (sent - size as u64) as f64 / PIECE as f64 / cuts as f64;
    row(&format!("an upload of {} MiB cut", size >> 20), cuts, &format!("{again:.2} messages again each time"));
    assert!(client.get(&digest).await.expect("it is there") == bytes);
}
