//! Local deposition: the energy of charged particles stays in the voxel of the decay, and photons leave.

use std::time::Instant;

use rayon::prelude::*;

use super::{Deposit, VOXELS_A_LOOK};
use crate::domain::passes::BLOCK;
use crate::domain::{Control, DoseError, DoseRequest, Stage, StageTime, Volume};

pub(super) fn deposit(
    request: &DoseRequest,
    control: &Control,
    wall_time: &mut Vec<StageTime>,
) -> Result<Deposit, DoseError> {
    control.checkpoint(Stage::Dose, 0.0)?;
    let start = Instant::now();
    let per_decay = request.source().charged_mev();
    let decays = request.activity().decays();
    let all = decays.as_slice().len();
    let mut energy = vec![0.0; all];
    for (number, (energy, decays)) in
        energy.chunks_mut(VOXELS_A_LOOK).zip(decays.as_slice().chunks(VOXELS_A_LOOK)).enumerate()
    {
        control.checkpoint(Stage::Dose, (number * VOXELS_A_LOOK) as f64 / all as f64)?;
        energy.par_chunks_mut(BLOCK).zip(decays.par_chunks(BLOCK)).for_each(|(energy, decays)| {
            #[expect(clippy::cast_possible_truncation, reason = "the stored precision; decays are bounded")]
            energy.iter_mut().zip(decays).for_each(|(mev, &decays)| *mev = (f64::from(decays) * per_decay) as f32);
        });
    }
    let energy = Volume::from_vec(decays.grid().clone(), energy).expect("a value for each voxel of the same grid");
    wall_time.push(StageTime::new(Stage::Dose.name(), start.elapsed()));
    let expected_mev = request.activity().total() * per_decay;
    Ok(Deposit { energy, expected_mev, kernel: None })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        ActivityUnit, DensityMap, DeviceSelector, LocalOptions, Method, TimeIntegratedActivity, VoxelGrid,
    };
    use crate::engine::Device;
    use crate::physics::nuclide;
    use crate::{compute::compute, plan::Limits};

    #[test]
    fn dose_is_charged_energy_over_mass() {
        let grid = Arc::new(VoxelGrid::new([2, 1, 1], [5.0, 4.0, 2.5]).expect("a good grid"));
        let volume = |values: Vec<f32>| Volume::from_vec(grid.clone(), values).expect("two voxels");
        let activity = TimeIntegratedActivity::new(volume(vec![1e10, 3e10]), ActivityUnit::BqS).expect("good");
        let density = DensityMap::new(volume(vec![1.06, 0.26])).expect("good");
        let nuclide = nuclide::find("Lu-177").expect("a known nuclide");
        let method = Method::Local(LocalOptions::default());
        let request = DoseRequest::new(activity, Some(density), nuclide, method).expect("good");
        let limits = Limits { host_bytes: 1 << 20, workspace_bytes: 1 << 20 };
        let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let result = compute(&request, &mut device, &limits, &Control::detached()).expect("a dose");
        // Voxels of 0.05 cm³; 1 MeV/g is 1.602e-10 Gy.
        let gray = |decays: f64, density: f64| {
            decays * nuclide.mean_energy_mev.charged() * 1.602_176_634e-10 / (0.05 * density)
        };
        for (found, expected) in result.dose.as_slice().iter().zip([gray(1e10, 1.06), gray(3e10, 0.26)]) {
            assert!((f64::from(*found) / expected - 1.0).abs() < 1e-6, "{found} {expected}");
        }
        let energy = result.provenance.energy;
        assert!((energy.escaped_mev / (4e10 * nuclide.mean_energy_mev.photon) - 1.0).abs() < 1e-5);
    }
}
