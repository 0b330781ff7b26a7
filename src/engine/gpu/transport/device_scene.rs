//! Scenes in the memory of the device, kept from one call to the next.

use std::sync::Arc;

use super::constants::{high, kind_word, low};
use crate::domain::DoseError;
use crate::domain::emission::Particle;
use crate::engine::gpu::context::Context;
use crate::engine::gpu::shader::TransportParams;
use crate::math::cache::Cache;
use crate::prepare::transport::Scene;
use crate::prepare::transport::scene::ELECTRON_REST_MEV;
use crate::prepare::transport::sequence::FURTHER_DIGITS;

/// Device memory that scenes may take between calls [bytes].
const KEPT_BYTES: u64 = 512 << 20;

/// Scenes of recent calls, by the digest of what they were made from.
#[derive(Debug)]
pub(super) struct DeviceScenes(Cache<String, Arc<DeviceScene>>);

impl Default for DeviceScenes {
    fn default() -> Self {
        Self(Cache::on_device("scenes of transport in device memory", KEPT_BYTES, |scene| scene.bytes()))
    }
}

impl DeviceScenes {
    /// The scene in device memory: from an earlier call, or sent now. One without a digest is sent at every call.
    ///
    /// # Errors
    /// [`DoseError::DeviceOutOfMemory`], [`DoseError::DeviceLost`].
    pub(super) fn get(&mut self, context: &Context, scene: &Scene) -> Result<Arc<DeviceScene>, DoseError> {
        // A recording keeps what is sent.
        let key = scene.sha256.as_ref().filter(|_| context.recorder.is_none());
        if let Some(known) = key.and_then(|key| self.0.get(key)) {
            return Ok(known);
        }
        let sent = Arc::new(DeviceScene::new(context, scene));
        context.faults.check()?;
        if let Some(key) = key {
            self.0.insert(key.clone(), Arc::clone(&sent));
        }
        Ok(sent)
    }

    /// Keeps none.
    pub(super) fn clear(&mut self) {
        self.0.retain(|_| false);
    }
}

/// The buffers of a scene, and the parameters that follow from it.
#[derive(Debug)]
pub(super) struct DeviceScene {
    pub(super) medium: wgpu::Buffer,
    pub(super) tables: wgpu::Buffer,
    pub(super) source_guide: wgpu::Buffer,
    pub(super) source_ends: wgpu::Buffer,
    pub(super) source_voxels: wgpu::Buffer,
    /// Complete except for what depends on the launch.
    pub(super) params: TransportParams,
}

impl DeviceScene {
    /// Sends a scene to the device.
    pub(super) fn new(context: &Context, scene: &Scene) -> Self {
        let (tables, params) = tables(scene);
        Self {
            medium: context.filled("medium", &scene.medium),
            tables: context.filled("transport tables", &tables),
            source_guide: context.filled("source guide", &scene.source.guide),
            source_ends: context.filled("source ends", &scene.source.ends),
            source_voxels: context.filled("source voxels", &scene.source.voxels),
            params: of_scene(scene, params),
        }
    }

    /// What it takes in device memory [bytes].
    fn bytes(&self) -> u64 {
        let buffers = [&self.medium, &self.tables, &self.source_guide, &self.source_ends, &self.source_voxels];
        buffers.into_iter().map(wgpu::Buffer::size).sum()
    }

    /// Bytes of the largest buffer that [`Self::new`] makes.
    pub(super) fn largest_bytes(scene: &Scene) -> u64 {
        let source = &scene.source;
        let sizes = [
            size_of_val(scene.medium.as_slice()),
            size_of_val(source.guide.as_slice()),
            size_of_val(source.ends.as_slice()),
        ];
        sizes.into_iter().max().unwrap_or(0) as u64
    }
}

/// The parameters of grid, cuts, seed and source.
fn of_scene(scene: &Scene, params: TransportParams) -> TransportParams {
    let [n_x, n_y, n_z] = scene.grid.shape.map(i32::unsigned_abs);
    let [spacing_x_cm, spacing_y_cm, spacing_z_cm] = scene.grid.spacing_cm;
    TransportParams {
        n_x,
        n_y,
        n_z,
        n_voxels: word(scene.medium.len()),
        spacing_x_cm,
        spacing_y_cm,
        spacing_z_cm,
        is_periodic: u32::from(scene.grid.is_periodic),
        absorption_mev: scene.cuts.absorption_mev,
        collision_mev: scene.cuts.collision_mev,
        photon_mev: scene.cuts.photon_mev,
        track_length_mev: scene.cuts.track_length_mev,
        seed_low: low(scene.seed),
        seed_high: high(scene.seed),
        group_bits: scene.groups.ilog2(),
        n_slots: word(scene.emissions.slots.len()),
        n_sources: word(scene.source.voxels.len()),
        source_guide_bits: scene.source.guide_bits,
        photons_per_charged: if makes_positrons(scene) { 3 } else { 1 },
        ..params
    }
}

/// Whether there can be positrons, which set free two photons at rest.
fn makes_positrons(scene: &Scene) -> bool {
    let emits = scene.emissions.slots.iter().any(|slot| slot.particle == Particle::Positron);
    emits || scene.emissions.rows.iter().any(|row| row.high_mev > 2.0 * ELECTRON_REST_MEV)
}

/// All tables, one after another, and where each starts: first those of four values, counted in these, then the others.
fn tables(scene: &Scene) -> (Vec<u32>, TransportParams) {
    let (flat, emissions) = (&scene.tables, &scene.emissions);
    let slots: Vec<[u32; 4]> = emissions
        .slots
        .iter()
        .map(|slot| [kind_word(slot.particle), slot.weight.to_bits(), slot.first_row, slot.end_row])
        .collect();
    let mut words = Vec::new();
    let params = TransportParams {
        reach_first: push(&mut words, &flat.reach) / 4,
        step_first: push(&mut words, &flat.step) / 4,
        attenuation_first: push(&mut words, &flat.attenuation) / 4,
        k_shells_first: push(&mut words, &flat.k_shells) / 4,
        slots_first: push(&mut words, &slots) / 4,
        rows_first: push(&mut words, &emissions.rows) / 4,
        digits_first: push(&mut words, &FURTHER_DIGITS) / 4,
        spectra_first: push(&mut words, &flat.spectra),
        incoherent_first: push(&mut words, &flat.incoherent),
        coherent_first: push(&mut words, &flat.coherent),
        transfer_first: push(&mut words, &flat.transfer),
        emission_guide_first: push(&mut words, &emissions.guide),
        ..TransportParams::default()
    };
    words.resize(words.len().next_multiple_of(4), 0);
    (words, params)
}

/// Appends a table; returns where it starts.
fn push<T: bytemuck::NoUninit>(words: &mut Vec<u32>, table: &[T]) -> u32 {
    let start = word(words.len());
    words.extend_from_slice(bytemuck::cast_slice(table));
    start
}

fn word(n: usize) -> u32 {
    u32::try_from(n).expect("what one binding holds is counted in 32 bits")
}
