//! The physics tables of a run as both engines read them: flat, in single precision, on nodes that a number's own bits
//! index.

use bytemuck::{Pod, Zeroable};
use rayon::prelude::*;

use super::nodes::{INTERVALS, node, nodes};
use crate::domain::{Material, VoxelGrid};
use crate::math::log_grid::LogTable;
use crate::math::watch::{Interrupted, Watch};
use crate::physics::electron::{Charge, ElectronTables, TransportCuts};
use crate::physics::energy_grid::energies;
use crate::physics::photon::{PhotonTables, photon_tables};
use crate::plan::HistoryCuts;

/// Most materials of a run: as many as the words of the medium can number.
pub const MAX_MATERIALS: usize = 16;
/// Steps of the bremsstrahlung spectra, in √(1 − κ).
pub const PHOTON_STEPS: usize = 32;
/// Rows of the bremsstrahlung spectra to an octave of the kinetic energy.
pub const SPECTRUM_ROWS_PER_OCTAVE: usize = 4;
/// Rows of a bremsstrahlung spectrum.
pub const SPECTRUM_ROWS: usize = 14 * SPECTRUM_ROWS_PER_OCTAVE + 1;
/// Bins of the incoherent scattering function, over the momentum transfer.
pub const TRANSFER_BINS: usize = INTERVALS / 4;
/// Bins of the cumulative form factor, over the momentum transfer.
pub const FORM_FACTOR_BINS: usize = INTERVALS / 4;
/// First momentum transfer of both [Å⁻¹].
pub const TRANSFER_MIN: f32 = 1.0 / 1024.0;
/// K shells of a material that may fluoresce.
pub const K_SHELLS: usize = 2;

/// How long condensed steps may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepLimits {
    /// Largest loss, as a part of the kinetic energy.
    pub loss: f64,
    /// Longest path, in first transport mean free paths λ₁.
    pub deflection: f64,
    /// A step up to this path [g/cm²] may be up to 2.5 times as long: it is short against a voxel.
    pub short_path: f64,
}

/// How many times longer steps may be that are short against a voxel.
const COARSER: f64 = 2.5;
/// Path in water of a step that is short against a voxel, as a part of the smallest edge.
const SHORT_PATH: f64 = 0.1;

impl StepLimits {
    /// Those of a grid that is scored by voxel.
    pub fn for_grid(grid: &VoxelGrid) -> Self {
        let edge_cm = grid.spacing_cm().into_iter().fold(f64::INFINITY, f64::min);
        Self { short_path: SHORT_PATH * edge_cm, ..Self::default() }
    }

    /// Largest mean soft loss of a step [MeV].
    ///
    /// * `soft` – stopping power of soft collisions and photons [MeV·cm²/g]
    /// * `first_transport` – first transport cross section 1/λ₁ [cm²/g]
    fn loss_mev(&self, energy_mev: f64, soft: f64, first_transport: f64) -> f64 {
        let fine = (self.loss * energy_mev).min(self.deflection * soft / first_transport);
        fine.max((COARSER * fine).min(self.short_path * soft))
    }
}

impl Default for StepLimits {
    fn default() -> Self {
        Self { loss: 0.1, deflection: 0.07, short_path: 0.0 }
    }
}

/// How far an electron or positron goes, at one energy of one material.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Reach {
    /// CSDA range [g/cm²].
    pub csda_range: f32,
    /// Mean number of bremsstrahlung photons above the cut until at rest.
    pub photons_to_rest: f32,
    /// Largest mean soft loss of a condensed step [MeV].
    pub step_loss_mev: f32,
    /// Padding.
    pub pad: f32,
}

/// What a condensed step needs, at one energy of one material.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Step {
    /// Stopping power of soft collisions and photons [MeV·cm²/g].
    pub soft_stopping: f32,
    /// Cross section of all hard interactions [cm²/g].
    pub interactions: f32,
    /// Part of them that are hard collisions.
    pub collision_part: f32,
    /// Part of them that are hard collisions or bremsstrahlung; the rest are annihilations.
    pub photon_part: f32,
    /// First transport cross section of elastic scattering and soft collisions [cm²/g].
    pub first_transport: f32,
    /// Second transport cross section of the same [cm²/g].
    pub second_transport: f32,
    /// Third transport cross section of the same [cm²/g].
    pub third_transport: f32,
    /// Variance of the soft losses [MeV²·cm²/g].
    pub soft_variance: f32,
}

/// How photons interact, at one energy of one material.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Attenuation {
    /// Mass attenuation coefficient [cm²/g].
    pub total: f32,
    /// Mass energy-absorption coefficient [cm²/g].
    pub absorption: f32,
    /// Part of the interactions that are photoelectric.
    pub photoelectric_part: f32,
    /// Part that are photoelectric or incoherent.
    pub incoherent_part: f32,
    /// Part that are photoelectric, incoherent or coherent; the rest are pairs.
    pub coherent_part: f32,
    /// Parts of the photoelectric absorptions that happen in the K shells.
    pub k_part: [f32; K_SHELLS],
    /// Padding.
    pub pad: f32,
}

/// The K shell of an element.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct KShellLines {
    /// Probability that a photon follows an absorption.
    pub fluorescence_yield: f32,
    /// Part of the photons that are Kα.
    pub k_alpha_fraction: f32,
    /// Energy of Kα [MeV].
    pub k_alpha_mev: f32,
    /// Energy of Kβ [MeV].
    pub k_beta_mev: f32,
}

/// All tables of a run, material after material.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FlatTables {
    /// One node (`super::nodes`) after another for each material and charge (electron, then positron).
    pub reach: Vec<Reach>,
    /// As `reach`.
    pub step: Vec<Step>,
    /// [`SPECTRUM_ROWS`] rows of [`PHOTON_STEPS`] + 1 for each material and charge: probability of accepting a photon.
    pub spectra: Vec<f32>,
    /// One node (`super::nodes`) after another for each material.
    pub attenuation: Vec<Attenuation>,
    /// [`TRANSFER_BINS`] + 1 for each material: incoherent scattering function per electron.
    pub incoherent: Vec<f32>,
    /// [`FORM_FACTOR_BINS`] + 1 for each material: integral of F² over x², 1 at the end.
    pub coherent: Vec<f32>,
    /// [`FORM_FACTOR_BINS`] + 1 momentum transfers x [Å⁻¹], the same for all materials.
    pub transfer: Vec<f32>,
    /// [`K_SHELLS`] for each material.
    pub k_shells: Vec<KShellLines>,
}

impl FlatTables {
    /// Those of one material, without what is the same for all.
    ///
    /// # Errors
    /// [`Interrupted`].
    pub(super) fn of_one(
        material: &Material,
        cuts: &HistoryCuts,
        steps: StepLimits,
        with_positrons: bool,
        watch: &dyn Watch,
    ) -> Result<Self, Interrupted> {
        let transport_cuts =
            TransportCuts::new(cuts.collision_mev, cuts.photon_mev).expect("cuts are checked by the plan");
        let charges: &[Charge] = if with_positrons { &Charge::ALL } else { &[Charge::Electron] };
        let of_charge =
            |&charge: &Charge| ElectronTables::new_watched(material, charge, transport_cuts, energies(), watch);
        let (charged, photon) = rayon::join(
            || charges.par_iter().map(of_charge).collect::<Result<Vec<ElectronTables>, Interrupted>>(),
            || photon_tables(material, watch),
        );
        let (charged, photon) = (charged?, photon?);
        watch.check()?;
        let mut flat = Self::default();
        for charge in 0..2 {
            flat.push_charged(charged.get(charge).unwrap_or(&charged[0]), steps);
        }
        flat.push_photon(&photon);
        Ok(flat)
    }

    fn push_charged(&mut self, tables: &ElectronTables, steps: StepLimits) {
        let mut photons = cumulative_photons(tables).into_iter();
        let stopping = |e: f64| tables.slowing_down.collision.value(e) + tables.slowing_down.radiative.value(e);
        let first_range = tables.slowing_down.csda_range.grid().min();
        self.reach.extend(nodes().map(|e| {
            let first = tables.elastic_first_transport.value(e) + tables.soft_first_transport.value(e);
            // Below the tables, the range is taken as proportional to the energy.
            let range = tables.slowing_down.csda_range.value(e) * (e / first_range).min(1.0);
            let soft = tables.soft_stopping.value(e).min(stopping(e));
            Reach {
                csda_range: single(range),
                photons_to_rest: single(photons.next().expect("one number a node")),
                step_loss_mev: single(steps.loss_mev(e, soft, first)),
                pad: 0.0,
            }
        }));
        self.step.extend(nodes().map(|e| step(tables, e)));
        for row in 0..SPECTRUM_ROWS {
            let e = node(row * INTERVALS / (SPECTRUM_ROWS - 1));
            self.spectra.extend((0..=PHOTON_STEPS).map(|i| {
                let kappa = 1.0 - (i as f64 / PHOTON_STEPS as f64).powi(2);
                single(tables.photon_spectrum.acceptance(e, kappa))
            }));
        }
    }

    fn push_photon(&mut self, tables: &PhotonTables) {
        self.attenuation.extend(nodes().map(|e| attenuation(tables, e)));
        let sampled = |bins: usize| (0..=bins).map(move |bin| node(bin * INTERVALS / bins));
        let incoherent = &tables.scattering.incoherent;
        // The first node lies just below the first of the tables, where the function still grows like x².
        let below = incoherent.grid().min();
        self.incoherent
            .extend(sampled(TRANSFER_BINS).map(|x| single(incoherent.value(x) * (x / below).min(1.0).powi(2))));
        let cumulative = &tables.scattering.coherent_cumulative;
        let below = cumulative.grid().min();
        let whole = cumulative.value(transfers().last().expect("a last node").powi(2));
        self.coherent.extend(transfers().map(|x| single(cumulative.value(x * x) * (x * x / below).min(1.0) / whole)));
        for number in 0..K_SHELLS {
            self.k_shells.push(tables.k_shells.iter().rev().nth(number).map_or_else(KShellLines::default, |table| {
                KShellLines {
                    fluorescence_yield: single(table.shell.fluorescence_yield),
                    k_alpha_fraction: single(table.shell.k_alpha_fraction),
                    k_alpha_mev: single(table.shell.k_alpha_mev),
                    k_beta_mev: single(table.shell.k_beta_mev),
                }
            }));
        }
    }
}

/// Momentum transfers of the form factors [Å⁻¹].
pub(super) fn transfers() -> impl Iterator<Item = f64> {
    (0..=FORM_FACTOR_BINS).map(|bin| node(bin * INTERVALS / FORM_FACTOR_BINS))
}

#[expect(clippy::cast_possible_truncation, reason = "the engines compute in single precision")]
pub(super) fn single(value: f64) -> f32 {
    value as f32
}

fn step(tables: &ElectronTables, e: f64) -> Step {
    let value = |table: &LogTable| table.value(e);
    let collisions = value(&tables.hard_collision);
    let photons = value(&tables.bremsstrahlung);
    let interactions = collisions + photons + value(&tables.annihilation);
    let part = |some: f64| if interactions > 0.0 { single(some / interactions) } else { 0.0 };
    Step {
        soft_stopping: single(value(&tables.soft_stopping)),
        interactions: single(interactions),
        collision_part: part(collisions),
        photon_part: part(collisions + photons),
        first_transport: single(value(&tables.elastic_first_transport) + value(&tables.soft_first_transport)),
        second_transport: single(value(&tables.elastic_second_transport) + value(&tables.soft_second_transport)),
        third_transport: single(value(&tables.elastic_third_transport) + value(&tables.soft_third_transport)),
        soft_variance: single(value(&tables.soft_variance)),
    }
}

fn attenuation(tables: &PhotonTables, e: f64) -> Attenuation {
    let value = |table: &LogTable| table.value(e);
    let total = value(&tables.total);
    let part = |some: f64| single(some / total);
    let (absorbed, incoherent, coherent) =
        (value(&tables.photoelectric), value(&tables.incoherent), value(&tables.coherent));
    let k_part = std::array::from_fn(|number| {
        tables.k_shells.iter().rev().nth(number).map_or(0.0, |table| single(value(&table.probability)))
    });
    Attenuation {
        total: single(total),
        absorption: single(value(&tables.energy_absorption)),
        photoelectric_part: part(absorbed),
        incoherent_part: part(absorbed + incoherent),
        // Exactly 1 where pairs are impossible.
        coherent_part: if value(&tables.pair) + value(&tables.triplet) > 0.0 {
            part(absorbed + incoherent + coherent)
        } else {
            1.0
        },
        k_part,
        pad: 0.0,
    }
}

/// Mean number of bremsstrahlung photons above the cut that a particle emits until at rest, at each node: the integral
/// of their cross section over the stopping power.
fn cumulative_photons(tables: &ElectronTables) -> Vec<f64> {
    let slow = &tables.slowing_down;
    let rate = |e: f64| tables.bremsstrahlung.value(e) / (slow.collision.value(e) + slow.radiative.value(e));
    let (mut sum, mut last) = (0.0, node(0));
    nodes()
        .map(|e| {
            sum += 0.5 * (rate(last) + rate(e)) * (e - last);
            last = e;
            sum
        })
        .collect()
}
