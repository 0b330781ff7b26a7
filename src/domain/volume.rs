//! A value for every voxel of a grid.

use std::sync::Arc;

use ndarray::{ArcArray, ArrayView3, Ix3, ShapeBuilder};

use super::{Invalid, VoxelGrid};

/// A value for every voxel of a grid, contiguous in memory, x fastest. Copies share the values until one of them
/// changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume<T> {
    grid: Arc<VoxelGrid>,
    data: ArcArray<T, Ix3>,
}

impl<T> Volume<T> {
    /// * `data` – one value a voxel, x fastest
    ///
    /// # Errors
    /// If the number of values is not that of the voxels.
    pub fn from_vec(grid: Arc<VoxelGrid>, data: Vec<T>) -> Result<Self, Invalid> {
        let [nx, ny, nz] = grid.shape();
        let found = data.len();
        let data = ArcArray::from_shape_vec((nx, ny, nz).f(), data)
            .map_err(|_| Invalid::new(format!("has {found} values, the grid has {} voxels", grid.voxels())))?;
        Ok(Self { grid, data })
    }

    /// Where the voxels are.
    pub fn grid(&self) -> &Arc<VoxelGrid> {
        &self.grid
    }

    /// The values by index `[x, y, z]`.
    pub fn data(&self) -> ArrayView3<'_, T> {
        self.data.view()
    }

    /// The values in memory order, x fastest.
    pub fn as_slice(&self) -> &[T] {
        self.data.as_slice_memory_order().expect("a volume is contiguous by construction")
    }

    /// The values in memory order, x fastest, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [T]
    where
        T: Clone,
    {
        self.data.as_slice_memory_order_mut().expect("a volume is contiguous by construction")
    }

    /// The values in memory order, x fastest.
    pub fn into_vec(self) -> Vec<T>
    where
        T: Clone,
    {
        self.data.into_owned().into_raw_vec_and_offset().0
    }

    /// A volume on the same grid, computed value by value.
    pub fn map<U>(&self, f: impl FnMut(&T) -> U) -> Volume<U> {
        Volume::from_vec(self.grid.clone(), self.as_slice().iter().map(f).collect())
            .expect("one value for each voxel of the same grid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x_runs_fastest() {
        let grid = Arc::new(VoxelGrid::new([2, 3, 4], [1.0; 3]).expect("a good grid"));
        let volume = Volume::from_vec(grid.clone(), (0..24).collect()).expect("24 values");
        assert_eq!((volume.data()[[1, 0, 0]], volume.data()[[0, 1, 0]], volume.data()[[0, 0, 1]]), (1, 2, 6));
        assert_eq!(volume.map(|v| v * 2).into_vec()[23], 46);
        assert!(Volume::from_vec(grid, vec![0; 23]).is_err());
    }
}
