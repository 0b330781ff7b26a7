//! Everything that determines a run of Monte Carlo transport, as flat data that both engines read.

use super::Boundary;
use super::emissions::EmissionSlots;
use super::nodes::NODES;
use super::source::SourceSampler;
use super::tables::{
    Attenuation, FORM_FACTOR_BINS, FlatTables, K_SHELLS, KShellLines, MAX_MATERIALS, PHOTON_STEPS, Reach,
    SPECTRUM_ROWS, Step, StepLimits, TRANSFER_BINS,
};
use crate::constants::ELECTRON_REST_ENERGY_MEV;
use crate::domain::Material;
use crate::domain::VoxelGrid;
use crate::domain::emission::{EmissionSpectrum, Particle};
use crate::math::watch::{Interrupted, Unwatched, Watch};
use crate::plan::HistoryCuts;

/// Electron rest energy [MeV] in single precision.
#[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
pub const ELECTRON_REST_MEV: f32 = ELECTRON_REST_ENERGY_MEV as f32;

/// Voxels that are passed between two looks at whether to go on: some milliseconds.
pub(super) const VOXELS_AT_ONCE: usize = 1 << 18;

/// The bits of a word of the medium that hold the number of the material. The others hold the density.
pub(crate) const MATERIAL_MASK: u32 = 15;

/// What a scene is made from. The volumes have one value a voxel, x fastest.
#[derive(Clone, Copy, Debug)]
pub struct SceneInput<'a> {
    /// The grid of all volumes.
    pub grid: &'a VoxelGrid,
    /// Decays per voxel: finite, nowhere negative.
    pub decays: &'a [f32],
    /// Mass density [g/cm³]: finite, nowhere negative.
    pub density_g_cm3: &'a [f32],
    /// The materials that occur, at most [`MAX_MATERIALS`].
    pub materials: &'a [Material],
    /// Which of them a voxel is made of.
    pub material_of_voxel: &'a [u8],
    /// What a decay emits and transport follows. Energy that stays where the decay is takes no history.
    pub emissions: &'a EmissionSpectrum,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Statistical groups, a power of two.
    pub groups: u32,
    /// Cuts of the transport.
    pub cuts: HistoryCuts,
    /// How long condensed steps may be.
    pub steps: StepLimits,
    /// What lies outside the grid.
    pub boundary: Boundary,
}

/// The grid as the engines see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridShape {
    /// Voxels by axis.
    pub shape: [i32; 3],
    /// Edges of a voxel [cm].
    pub spacing_cm: [f32; 3],
    /// Whether a particle that leaves on one side comes back on the other.
    pub is_periodic: bool,
}

/// Cuts as the engines use them [MeV].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SceneCuts {
    /// Charged particles below this energy are absorbed.
    pub absorption_mev: f32,
    /// Collisions with a smaller loss are soft.
    pub collision_mev: f32,
    /// Photons below this energy are absorbed, and bremsstrahlung below it is soft.
    pub photon_mev: f32,
    /// Photons below this energy are scored by their track length.
    pub track_length_mev: f32,
}

/// Density [g/cm³] and material of a voxel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VoxelMedium {
    pub(crate) density_g_cm3: f32,
    pub(crate) material: usize,
}

/// Everything that determines a run. Equal scenes give equal histories.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The grid.
    pub grid: GridShape,
    /// One word a voxel: the density in single precision with the number of the material in its lowest four bits.
    pub medium: Vec<u32>,
    /// The tables of the materials.
    pub tables: FlatTables,
    /// Where decays are.
    pub source: SourceSampler,
    /// What they emit.
    pub emissions: EmissionSlots,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Statistical groups.
    pub groups: u32,
    /// Cuts.
    pub cuts: SceneCuts,
    /// Digest of all that it was made from, where somebody has computed it: a device then keeps it for another run.
    pub sha256: Option<String>,
}

impl Scene {
    /// Tabulates materials and samplers. This takes up to a few seconds for materials that were not tabulated before.
    ///
    /// # Panics
    /// If the volumes are not of one size, or there are no or too many materials, which the caller has checked.
    pub fn new(input: SceneInput<'_>) -> Self {
        Self::new_watched(input, &Unwatched).expect("nobody stops it")
    }

    /// As [`Scene::new`]; `watch` is asked at each energy of each table, and every few milliseconds on the way through
    /// the voxels, whether to go on.
    ///
    /// # Errors
    /// [`Interrupted`].
    #[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
    pub fn new_watched(input: SceneInput<'_>, watch: &dyn Watch) -> Result<Self, Interrupted> {
        let voxels = input.grid.voxels();
        let sizes = [input.decays.len(), input.density_g_cm3.len(), input.material_of_voxel.len()];
        assert_eq!(sizes, [voxels; 3], "the volumes of a scene have one value a voxel");
        assert!((1..=MAX_MATERIALS).contains(&input.materials.len()), "a scene has one to {MAX_MATERIALS} materials");
        let shape = input.grid.shape().map(|n| i32::try_from(n).expect("a grid that fits in memory"));
        let energies = |particle| input.emissions.emissions().iter().filter(move |e| e.particle == particle);
        // Pairs need two rest energies.
        let makes_pairs = energies(Particle::Photon).any(|e| e.high_mev > 2.0 * ELECTRON_REST_ENERGY_MEV)
            || energies(Particle::Electron).any(|e| e.high_mev > 2.0 * ELECTRON_REST_ENERGY_MEV);
        let with_positrons = makes_pairs || energies(Particle::Positron).next().is_some();
        Ok(Self {
            grid: GridShape {
                shape,
                spacing_cm: input.grid.spacing_cm().map(|cm| cm as f32),
                is_periodic: input.boundary == Boundary::Periodic,
            },
            medium: medium(&input, watch)?,
            tables: FlatTables::new(input.materials, &input.cuts, input.steps, with_positrons, watch)?,
            source: SourceSampler::new(input.decays, watch)?,
            emissions: EmissionSlots::new(input.emissions, input.cuts.track_length_mev),
            seed: input.seed,
            groups: input.groups,
            cuts: SceneCuts {
                absorption_mev: input.cuts.absorption_mev as f32,
                collision_mev: input.cuts.collision_mev as f32,
                photon_mev: input.cuts.photon_mev as f32,
                track_length_mev: input.cuts.track_length_mev as f32,
            },
            sha256: None,
        })
    }

    /// Tables of one material and charge, 0 for electrons and 1 for positrons.
    #[inline]
    pub(crate) fn reach(&self, material: usize, charge: usize) -> &[Reach] {
        rows(&self.tables.reach, 2 * material + charge, NODES)
    }

    #[inline]
    pub(crate) fn step(&self, material: usize, charge: usize) -> &[Step] {
        rows(&self.tables.step, 2 * material + charge, NODES)
    }

    pub(crate) fn spectra(&self, material: usize, charge: usize) -> Spectra<'_> {
        Spectra(rows(&self.tables.spectra, 2 * material + charge, SPECTRUM_ROWS * (PHOTON_STEPS + 1)))
    }

    #[inline]
    pub(crate) fn attenuation(&self, material: usize) -> &[Attenuation] {
        rows(&self.tables.attenuation, material, NODES)
    }

    /// How many materials have tables.
    pub(crate) fn materials(&self) -> usize {
        self.tables.attenuation.len() / NODES
    }

    pub(crate) fn form_factors(&self, material: usize) -> FormFactors<'_> {
        FormFactors {
            incoherent: rows(&self.tables.incoherent, material, TRANSFER_BINS + 1),
            coherent: rows(&self.tables.coherent, material, FORM_FACTOR_BINS + 1),
            transfer: &self.tables.transfer,
        }
    }

    pub(crate) fn k_shells(&self, material: usize) -> &[KShellLines] {
        rows(&self.tables.k_shells, material, K_SHELLS)
    }
}

/// The words of the medium.
fn medium(input: &SceneInput<'_>, watch: &dyn Watch) -> Result<Vec<u32>, Interrupted> {
    let word = |(density, &material): (&f32, &u8)| (density.to_bits() & !MATERIAL_MASK) | u32::from(material);
    let mut words = Vec::with_capacity(input.density_g_cm3.len());
    let pieces = input.density_g_cm3.chunks(VOXELS_AT_ONCE).zip(input.material_of_voxel.chunks(VOXELS_AT_ONCE));
    for (densities, materials) in pieces {
        watch.check()?;
        words.extend(densities.iter().zip(materials).map(word));
    }
    Ok(words)
}

#[inline]
fn rows<T>(table: &[T], number: usize, len: usize) -> &[T] {
    &table[number * len..(number + 1) * len]
}

/// Bremsstrahlung spectra of one material and charge: [`SPECTRUM_ROWS`] rows of [`PHOTON_STEPS`] + 1 values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spectra<'a>(pub(crate) &'a [f32]);

/// Incoherent scattering function and form factor of one material.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FormFactors<'a> {
    pub(crate) incoherent: &'a [f32],
    pub(crate) coherent: &'a [f32],
    pub(crate) transfer: &'a [f32],
}
