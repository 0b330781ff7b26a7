//! The gRPC client: sends an activity map, a CT in HU on a grid of its own and a map of organs to a server, and prints
//! the doses of the organs that come back.
//!
//! `cargo run --release --example client -- http://127.0.0.1:50051` calls a running server (`dosegrid serve`).
//! Without a URL, the example starts a server of its own on loopback.

use std::error::Error;

use dosegrid::api::client::{Client, Sent, Told};
use dosegrid::api::pb;
use dosegrid::demo::LoopbackServer;
use dosegrid::domain::{DeviceSelector, VolumeRole};
use dosegrid::{engine::Device, intake::InputRole};

/// A cube of voxels around the origin.
fn cube(voxels: u32, edge_mm: f64, element: pb::ElementType) -> pb::VolumeDescriptor {
    let first = -0.5 * edge_mm * f64::from(voxels - 1);
    let affine_mm = vec![edge_mm, 0.0, 0.0, first, 0.0, edge_mm, 0.0, first, 0.0, 0.0, edge_mm, first];
    let grid = pb::VoxelGrid { shape: vec![voxels; 3], spacing_mm: vec![edge_mm; 3], affine_mm };
    pb::VolumeDescriptor { grid: Some(grid), element_type: element.into(), ..Default::default() }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (url, _server) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let server = LoopbackServer::start(Device::open(DeviceSelector::Cpu)?)?;
            (server.url(), Some(server))
        }
    };

    let header = pb::ComputeHeader {
        activity: Some(cube(16, 4.0, pb::ElementType::Float32)),
        activity_unit: Some(pb::ActivityUnit { unit: Some(pb::activity_unit::Unit::BqS(pb::TimeIntegratedBqS {})) }),
        nuclide: "Lu-177".into(),
        method: Some(pb::Method { method: Some(pb::method::Method::Local(pb::LocalMethod::default())) }),
        ct: Some(cube(64, 1.0, pb::ElementType::Int16)),
        labels: Some(cube(16, 4.0, pb::ElementType::Uint8)),
        label_names: [(1, "liver".to_owned())].into(),
        dose_grid: Some(pb::DoseGrid { grid: Some(pb::dose_grid::Grid::Activity(pb::GridOfActivity {})) }),
        ..Default::default()
    };
    let volumes = [
        Sent { role: VolumeRole::Activity.into(), bytes: 1e9f32.to_le_bytes().repeat(4096).into() },
        Sent { role: InputRole::Ct, bytes: 40i16.to_le_bytes().repeat(64 * 64 * 64).into() },
        Sent { role: VolumeRole::Labels.into(), bytes: [1u8; 4096].to_vec().into() },
    ];

    let answer = tokio::runtime::Runtime::new()?.block_on(async {
        let client = Client::connect(&url).await?;
        let on_told = |told| match told {
            Told::Understood(understood) => println!("{:.3e} decays", understood.activity.decays_bq_s),
            Told::Progress(progress) => println!("{}", progress.stage.name()),
        };
        client.compute_as_sent(header, volumes, on_told).await
    })?;
    for (organ, _) in &answer.organs {
        println!("{}: {:.1} g", organ.name, organ.mass_g);
    }
    let mean_gy = answer.organs[0].0.mean_by_mass_gy.unwrap_or_default();
    println!("{mean_gy:.4} Gy, computed on {}", answer.result.provenance.device.name);
    Ok(())
}
