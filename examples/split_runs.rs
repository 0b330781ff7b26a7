//! Splits a Monte Carlo run over two calls of a server, merges their tallies there, and puts the dose on a finer grid.
//!
//! `cargo run --release --example split_runs -- http://127.0.0.1:50051` calls a running server (`dosegrid serve`).
//! Without a URL, the example starts a server of its own on loopback. The two calls may go to two servers.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use dosegrid::api::client::{Client, Sent};
use dosegrid::demo::LoopbackServer;
use dosegrid::domain::{
    ActivityUnit, DensityMap, DeviceSelector, DoseRequest, Extras, Method, MonteCarloOptions, Part, StopRule,
    TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::engine::Device;
use dosegrid::formats::tally;
use dosegrid::intake::{InputRole, RawMerging, RawRegrid, RawTarget, RegriddedValues};
use dosegrid::physics::nuclide;
use dosegrid::request::{RawGrid, RawVolume};

/// Histories of each of the two runs.
const HISTORIES: u64 = 20_000;

/// Lu-177 in the middle of a cube of water.
fn request(grid: &Arc<VoxelGrid>, first_history: u64) -> Result<DoseRequest, Box<dyn Error>> {
    let inside = |index: usize| if index == grid.voxels() / 2 { 1e9 } else { 0.0 };
    let decays = Volume::from_vec(grid.clone(), (0..grid.voxels()).map(inside).collect())?;
    let density = DensityMap::new(Volume::from_vec(grid.clone(), vec![1.0; grid.voxels()])?)?;
    let options = MonteCarloOptions {
        stop: StopRule { histories: Some(HISTORIES), ..StopRule::default() },
        first_history,
        extras: Extras { uncertainty: false, tally: true },
        ..MonteCarloOptions::default()
    };
    let activity = TimeIntegratedActivity::new(decays, ActivityUnit::BqS)?;
    let method = Method::MonteCarlo(Box::new(options));
    Ok(DoseRequest::new(activity, Some(density), nuclide::find("Lu-177")?, method)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (url, _server) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let server = LoopbackServer::start(Device::open(DeviceSelector::Cpu)?)?;
            (server.url(), Some(server))
        }
    };
    tokio::runtime::Runtime::new()?.block_on(split_and_merge(&url))
}

async fn split_and_merge(url: &str) -> Result<(), Box<dyn Error>> {
    let grid = Arc::new(VoxelGrid::new([9; 3], [4.0; 3])?);
    let client = Client::connect(url).await?;
    let mut tallies = Vec::new();
    for first_history in [0, HISTORIES] {
        let result = client.compute(&request(&grid, first_history)?, |_| {}).await?;
        let mut bytes = Vec::new();
        tally::encode(&mut bytes, &*result.tally.ok_or("no tally")?)?;
        tallies.push(Bytes::from(bytes));
    }
    let merging = RawMerging {
        grid: Part::Good(RawGrid::from(&*grid)),
        tallies_bytes: tallies.iter().map(|tally| tally.len() as u64).collect(),
        ..RawMerging::default()
    };
    let merged = client.merge_tallies(&merging.check()?, tallies, []).await?.result;
    let histories = merged.provenance.monte_carlo.map_or(0, |account| account.histories);
    println!("{histories} histories");

    let regrid = RawRegrid {
        kind: Some("dose".to_owned()),
        source: Part::Good(RawVolume::from(&*grid)),
        target: Part::Good(RawTarget::Spacing(2.0)),
        ..RawRegrid::default()
    };
    let values: Vec<u8> = merged.dose.as_slice().iter().flat_map(|dose| dose.to_le_bytes()).collect();
    let source = Sent { role: InputRole::Source, bytes: values.into() };
    if let RegriddedValues::Numbers(dose) = client.resample(&regrid.check()?, [source]).await?.values {
        let most = dose.as_slice().iter().copied().fold(0.0, f32::max);
        println!("at most {most:.3} Gy on a grid of {:?}", dose.grid().shape());
    }
    Ok(())
}
