//! An unbounded medium, as scenes of one voxel with cuts that suit an energy.

use std::collections::BTreeMap;

use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::Material;
use crate::domain::emission::{Emission, EmissionSpectrum, Particle};
use crate::domain::{HistoryCuts, VoxelGrid};
use crate::math::log_grid::LogTable;
use crate::physics::electron::Charge;
use crate::physics::electron::range::SlowingDown;
use crate::physics::energy_grid::{MIN_ENERGY_MEV, energies};
use crate::physics::kernel::library::BONE;
use crate::physics::material;
use crate::physics::photon::PhotonTables;
use crate::prepare::transport::{Boundary, Scene, SceneInput, StepLimits};

/// Residual range of an absorbed electron, as a fraction of the length in which a kernel is measured.
const ABSORBED_RANGE: f64 = 0.003;
/// Highest energy at which electrons are absorbed [MeV].
const MAX_ABSORPTION_MEV: f64 = 0.064;
/// Highest energy of a secondary electron that is not followed [MeV].
const MAX_COLLISION_MEV: f64 = 0.016;
/// Edge of the voxel for charged particles, in CSDA ranges.
const CHARGED_EDGE: f64 = 4.0;
/// Edge of the voxel for photons, in mean free paths of the photon with the highest energy.
const PHOTON_EDGE: f64 = 80.0;

/// Makes scenes and keeps their tables.
#[derive(Debug)]
pub(super) struct Scenes<'a> {
    medium: &'a Material,
    range: [LogTable; 2],
    attenuation: LogTable,
    /// μ_en of bone over μ of the medium.
    bone_absorbs: LogTable,
    /// By the energy at which electrons are absorbed, in keV.
    tables: BTreeMap<u32, Scene>,
}

impl<'a> Scenes<'a> {
    pub(super) fn new(medium: &'a Material) -> Self {
        let grid = energies();
        let range = Charge::ALL.map(|charge| SlowingDown::of(medium, charge, grid).csda_range);
        let attenuation = PhotonTables::new(medium, grid).total;
        let bone = material::find(BONE).expect("a known material");
        let bone = PhotonTables::new(bone, grid).energy_absorption;
        let bone_absorbs = LogTable::tabulate(grid, |energy| bone.value(energy) / attenuation.value(energy));
        Self { medium, range, attenuation, bone_absorbs, tables: BTreeMap::new() }
    }

    /// What bone absorbs for each interaction of a photon in the medium: see [`PointRun`].
    ///
    /// [`PointRun`]: crate::engine::cpu::transport::point::PointRun
    pub(super) fn bone_absorbs(&self) -> &LogTable {
        &self.bone_absorbs
    }

    /// CSDA range of an electron or positron [g/cm²].
    pub(super) fn csda_range(&self, particle: Particle, energy_mev: f64) -> f64 {
        self.range[usize::from(particle == Particle::Positron)].value(energy_mev)
    }

    /// Mean free path of a photon [g/cm²].
    pub(super) fn mean_free_path(&self, energy_mev: f64) -> f64 {
        1.0 / self.attenuation.value(energy_mev)
    }

    /// Scenes for the charged particles and for the photons of a source of one particle and energy.
    pub(super) fn of(&mut self, particle: Particle, energy_mev: f64) -> [Scene; 2] {
        let hardest_photon_mev = match particle {
            Particle::Positron => energy_mev.max(ELECTRON_REST_ENERGY_MEV),
            Particle::Electron | Particle::Photon => energy_mev,
        };
        let mean_free_path = self.mean_free_path(hardest_photon_mev);
        let photons = self.scene(mean_free_path, PHOTON_EDGE * mean_free_path);
        let charged = match particle {
            Particle::Photon => photons.clone(),
            Particle::Electron | Particle::Positron => {
                let range = self.csda_range(particle, energy_mev);
                self.scene(range, CHARGED_EDGE * range)
            }
        };
        [charged, photons]
    }

    /// * `unit` – length in which distances of the kernel are measured [g/cm²]
    fn scene(&mut self, unit: f64, edge: f64) -> Scene {
        let absorption_mev = self.range[0].invert(ABSORBED_RANGE * unit).clamp(MIN_ENERGY_MEV, MAX_ABSORPTION_MEV);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to 64")]
        let absorption_kev = 1u32 << ((1e3 * absorption_mev).log2() + 1e-9) as u32;
        let medium = self.medium;
        let scene = self.tables.entry(absorption_kev).or_insert_with(|| tabulate(medium, absorption_kev));
        let mut scene = scene.clone();
        #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
        let edge = edge as f32;
        scene.grid.spacing_cm = [edge; 3];
        scene
    }
}

/// A scene of one voxel of 1 g/cm³ with the tables for a cut.
fn tabulate(medium: &Material, absorption_kev: u32) -> Scene {
    let absorption_mev = 1e-3 * f64::from(absorption_kev);
    let positron = Emission { particle: Particle::Positron, low_mev: 1.0, high_mev: 1.0, yield_per_decay: 1.0 };
    Scene::new(SceneInput {
        grid: &VoxelGrid::new([1; 3], [1.0; 3]).expect("one voxel of 1 mm"),
        decays: &[1.0],
        density_g_cm3: &[1.0],
        materials: std::slice::from_ref(medium),
        material_of_voxel: &[0],
        emissions: &EmissionSpectrum::new(vec![positron]).expect("a spectrum that needs all tables"),
        seed: 0,
        groups: 1,
        cuts: HistoryCuts {
            absorption_mev,
            collision_mev: absorption_mev.min(MAX_COLLISION_MEV),
            photon_mev: MIN_ENERGY_MEV,
            track_length_mev: 0.0,
        },
        steps: StepLimits::default(),
        boundary: Boundary::Vacuum,
    })
}
