//! The convolution that engines are compared with: a plain sum over all pairs of voxels, in `f64`.

use rayon::prelude::*;

use dosegrid::domain::Volume;
use dosegrid::physics::kernel::VoxelKernel;

/// Energy in each voxel [MeV], x fastest. Costs one multiplication for each pair of voxels within the kernel's reach.
pub(crate) fn convolve_directly(kernel: &VoxelKernel, source: &Volume<f32>) -> Vec<f64> {
    let shape = source.grid().shape();
    let [nx, ny, nz] = shape;
    let [hx, hy, hz] = kernel.spec.half_width;
    let rows: Vec<&[f32]> = source.as_slice().chunks_exact(nx).collect();
    let mut energy = vec![0.0; nx * ny * nz];
    energy.par_chunks_exact_mut(nx).enumerate().for_each(|(row, energy)| {
        let (y, z) = (row % ny, row / ny);
        for from_z in z.saturating_sub(hz)..nz.min(z + hz + 1) {
            for from_y in y.saturating_sub(hy)..ny.min(y + hy + 1) {
                let offset = |x: usize| kernel.octant[[x, y.abs_diff(from_y), z.abs_diff(from_z)]];
                let line: Vec<f64> = (0..=hx).map(offset).collect();
                for (from_x, &decays) in rows[from_z * ny + from_y].iter().enumerate().filter(|(_, d)| **d != 0.0) {
                    for x in from_x.saturating_sub(hx)..nx.min(from_x + hx + 1) {
                        energy[x] += f64::from(decays) * line[x.abs_diff(from_x)];
                    }
                }
            }
        }
    });
    energy
}
