//! Arrays in, dose out: a hot sphere of Lu-177 in water, by the kernel method on the CPU.

use std::{error::Error, sync::Arc};

use dosegrid::domain::{
    ActivityUnit, Control, DensityMap, DeviceSelector, DoseRequest, KernelOptions, Method, TimeIntegratedActivity,
    Volume, VoxelGrid,
};
use dosegrid::{engine::Device, physics::nuclide, plan::Limits};

fn main() -> Result<(), Box<dyn Error>> {
    // 32 × 32 × 32 voxels of 4 mm. Values are listed with x fastest: voxel (x, y, z) is number x + 32 (y + 32 z).
    let grid = Arc::new(VoxelGrid::new([32; 3], [4.0; 3])?);
    let is_hot = |n: i32| [n % 32, n / 32 % 32, n / 1024].iter().map(|at| (at - 16).pow(2)).sum::<i32>() <= 25;
    let decays: Vec<f32> = (0..32_768).map(|n| if is_hot(n) { 1e9 } else { 0.0 }).collect();
    let density: Vec<f32> = vec![1.0; 32_768];

    let activity = TimeIntegratedActivity::new(Volume::from_vec(grid.clone(), decays)?, ActivityUnit::BqS)?;
    let density = DensityMap::new(Volume::from_vec(grid, density)?)?;
    let method = Method::Kernel(KernelOptions::default());
    let request = DoseRequest::new(activity, Some(density), nuclide::find("Lu-177")?, method)?;

    let mut device = Device::open(DeviceSelector::Cpu)?;
    let result = dosegrid::compute(&request, &mut device, &Limits::default(), &Control::detached())?;

    let gray: &[f32] = result.dose.as_slice();
    println!("dose at the centre: {:.4} Gy", gray[16 + 32 * (16 + 32 * 16)]);
    println!("dose in a corner:   {:.2e} Gy", gray[0]);
    Ok(())
}
