//! The gRPC client: sends arrays to a server and prints the dose that comes back.
//!
//! `cargo run --release --example client -- http://127.0.0.1:50051` calls a running server (`dosegrid serve`).
//! Without a URL, the example starts a server of its own on loopback.

use std::{error::Error, sync::Arc};

use dosegrid::api::client::Client;
use dosegrid::demo::LoopbackServer;
use dosegrid::domain::{
    ActivityUnit, DensityMap, DeviceSelector, DoseRequest, LocalOptions, Method, TimeIntegratedActivity, Volume,
    VoxelGrid,
};
use dosegrid::{engine::Device, physics::nuclide};

fn main() -> Result<(), Box<dyn Error>> {
    let (url, _server) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let server = LoopbackServer::start(Device::open(DeviceSelector::Cpu)?)?;
            (server.url(), Some(server))
        }
    };

    let grid = Arc::new(VoxelGrid::new([16; 3], [4.0; 3])?);
    let decays: Vec<f32> = vec![1e9; 4096];
    let density: Vec<f32> = vec![1.04; 4096];
    let activity = TimeIntegratedActivity::new(Volume::from_vec(grid.clone(), decays)?, ActivityUnit::BqS)?;
    let density = DensityMap::new(Volume::from_vec(grid, density)?)?;
    let method = Method::Local(LocalOptions::default());
    let request = DoseRequest::new(activity, Some(density), nuclide::find("Lu-177")?, method)?;

    let result = tokio::runtime::Runtime::new()?.block_on(async {
        let client = Client::connect(&url).await?;
        client.compute(&request, |progress| println!("{}", progress.stage.name())).await
    })?;
    println!("{:.4} Gy, computed on {}", result.dose.as_slice()[0], result.provenance.device.name);
    Ok(())
}
