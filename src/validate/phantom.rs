//! The phantoms that checks run histories in.

use crate::domain::Material;
use crate::domain::{Emission, EmissionSpectrum, Particle, VoxelGrid};
use crate::physics::material;
use crate::plan::{ChosenCuts, HistoryCuts};
use crate::prepare::transport::{Boundary, Scene, SceneInput, StepLimits};

/// Seed of all checks: the same device gives the same figures every time.
const SEED: u64 = 20_260_101;
/// Number of statistical groups: with 32, the standard deviation is known to 13 %.
const GROUPS: u32 = 32;

/// A phantom with its source. The volumes have one value a voxel, x fastest.
#[derive(Clone, Debug)]
pub struct Phantom {
    /// The grid of all volumes.
    pub grid: VoxelGrid,
    /// Decays per voxel.
    pub decays: Vec<f32>,
    /// Mass density [g/cm³].
    pub density_g_cm3: Vec<f32>,
    /// The materials of the phantom.
    pub materials: Vec<Material>,
    /// Index of the material of each voxel.
    pub material_of_voxel: Vec<u8>,
    /// Spectrum of one decay.
    pub emissions: EmissionSpectrum,
    /// Cuts of the transport.
    pub cuts: HistoryCuts,
    /// How long condensed steps may be.
    pub steps: StepLimits,
    /// What lies outside the grid.
    pub boundary: Boundary,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Statistical groups.
    pub groups: u32,
}

impl Phantom {
    /// One material of one density in vacuum, without any decay yet.
    pub fn uniform(
        shape: [u64; 3],
        spacing_mm: [f64; 3],
        material: &str,
        density_g_cm3: f32,
        emissions: EmissionSpectrum,
    ) -> Self {
        let grid = VoxelGrid::new(shape, spacing_mm).expect("a grid that a check chose");
        let voxels = grid.voxels();
        Self {
            decays: vec![0.0; voxels],
            density_g_cm3: vec![density_g_cm3; voxels],
            materials: vec![material::find(material).expect("a material that a check chose").clone()],
            material_of_voxel: vec![0; voxels],
            emissions,
            cuts: HistoryCuts::new(&grid, &ChosenCuts::default()),
            steps: StepLimits::for_grid(&grid),
            boundary: Boundary::Vacuum,
            seed: SEED,
            groups: GROUPS,
            grid,
        }
    }

    /// The same phantom with a decay in one voxel.
    #[must_use]
    pub fn with_source_at(mut self, index: [usize; 3]) -> Self {
        let voxel = self.voxel(index);
        self.decays[voxel] = 1.0;
        self
    }

    /// Number of the voxel at an index.
    pub fn voxel(&self, [x, y, z]: [usize; 3]) -> usize {
        let [nx, ny, _] = self.grid.shape();
        (z * ny + y) * nx + x
    }

    /// Index of a voxel.
    pub fn index(&self, voxel: usize) -> [usize; 3] {
        let [nx, ny, _] = self.grid.shape();
        [voxel % nx, voxel / nx % ny, voxel / nx / ny]
    }

    /// Mass of a voxel [g].
    pub fn mass_g(&self, voxel: usize) -> f64 {
        f64::from(self.density_g_cm3[voxel]) * self.grid.voxel_volume_cm3()
    }

    /// The scene that an engine runs.
    pub fn scene(&self) -> Scene {
        Scene::new(SceneInput {
            grid: &self.grid,
            decays: &self.decays,
            density_g_cm3: &self.density_g_cm3,
            materials: &self.materials,
            material_of_voxel: &self.material_of_voxel,
            emissions: &self.emissions,
            seed: self.seed,
            groups: self.groups,
            cuts: self.cuts,
            steps: self.steps,
            boundary: self.boundary,
        })
    }
}

/// A spectrum of one particle of one energy per decay.
pub fn line(particle: Particle, mev: f64) -> EmissionSpectrum {
    EmissionSpectrum::new(vec![Emission { particle, low_mev: mev, high_mev: mev, yield_per_decay: 1.0 }])
        .expect("an energy within the tables")
}
