//! What a server keeps of earlier requests, as `GetServerInfo` lists it.

use dosegrid::api::pb;

use super::{Server, good_header, messages, small, stream_of};
use crate::grpc::{compute, good_activity, good_density};

async fn cache(server: &Server, name: &str) -> pb::CacheAccount {
    let info = server.raw().await.get_server_info(pb::GetServerInfoRequest {}).await.expect("an answer").into_inner();
    assert!(info.caches.is_sorted_by(|a, b| a.name < b.name), "{:?}", info.caches);
    assert!(info.caches.iter().all(|cache| cache.bytes <= cache.bound_bytes), "{:?}", info.caches);
    info.caches.into_iter().find(|cache| cache.name == name).unwrap_or_default()
}

/// Other tests use the same caches at the same time, so figures may rise by more than is due to this one.
#[tokio::test(flavor = "multi_thread")]
async fn caches_say_what_they_hold_and_how_often_they_were_of_use() {
    let server = Server::start(small()).await;
    let mut client = server.raw().await;
    let kernel = pb::ComputeKernelRequest {
        nuclide: "Lu-177".into(),
        spacing_mm: vec![2.6, 3.3, 1.7],
        radius_voxels: 1,
        ..Default::default()
    };
    let before = cache(&server, "voxel kernels").await;
    client.compute_kernel(kernel.clone()).await.expect("a kernel");
    let first = cache(&server, "voxel kernels").await;
    assert!(first.misses > before.misses && first.entries > 0 && first.bytes > 8 * 8, "{before:?} {first:?}");
    client.compute_kernel(kernel).await.expect("a kernel");
    assert!(cache(&server, "voxel kernels").await.hits > first.hits);
    // The same dose twice: its radial kernel is there the second time.
    let kernel = pb::method::Method::Kernel(pb::KernelMethod::default());
    let header = pb::ComputeHeader { method: Some(pb::Method { method: Some(kernel) }), ..good_header() };
    let given = || stream_of(messages(header.clone(), &good_activity(), &good_density()));
    compute(client.clone(), given()).await.expect("a dose");
    let once = cache(&server, "radial kernels in parts").await;
    assert!(once.entries > 0 && once.bytes > 1000, "{once:?}");
    compute(client, given()).await.expect("a dose");
    assert!(cache(&server, "radial kernels in parts").await.hits > once.hits);
}
