//! TEMPORARY.
use super::Boundary;
use crate::domain::{DoseError, EmissionSpectrum, HistoryCuts, VoxelGrid};
use crate::physics::material::Material;

/// TEMPORARY.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "temporary")]
pub struct SceneInput<'a> {
    pub grid: &'a VoxelGrid,
    pub decays: &'a [f32],
    pub density_g_cm3: &'a [f32],
    pub materials: &'a [Material],
    pub material_of_voxel: &'a [u8],
    pub emissions: &'a EmissionSpectrum,
    pub local_mev_per_decay: f64,
    pub seed: u64,
    pub groups: u32,
    pub cuts: HistoryCuts,
    pub boundary: Boundary,
}

/// TEMPORARY.
#[derive(Clone, Debug)]
pub struct Scene {
    cumulative: Vec<f64>,
    mean_mev: f64,
    local_mev: f64,
    seed: u64,
    groups: u64,
}

impl Scene {
    /// TEMPORARY.
    ///
    /// # Errors
    /// None.
    pub fn new(input: SceneInput) -> Result<Self, DoseError> {
        let mut sum = 0.0;
        let cumulative = input
            .decays
            .iter()
            .map(|&d| {
                sum += f64::from(d);
                sum
            })
            .collect();
        Ok(Self {
            cumulative,
            mean_mev: input.emissions.total_mev(),
            local_mev: input.local_mev_per_decay,
            seed: input.seed,
            groups: input.groups.into(),
        })
    }

    /// TEMPORARY: deposits locally, half in the voxel and half in the next; one history in 8 escapes.
    ///
    /// # Errors
    /// Cancelled.
    pub fn transport_temporarily(
        &self,
        histories: std::ops::Range<u64>,
        tally: &mut super::Tally,
        control: &crate::domain::Control,
    ) -> Result<(), DoseError> {
        use sha2::{Digest, Sha256};
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        for h in histories {
            if h % 1024 == 0 && control.is_cancelled() {
                return Err(DoseError::Cancelled);
            }
            let digest = Sha256::digest([self.seed.to_le_bytes(), h.to_le_bytes()].concat());
            let uniform = |i: usize| {
                (f64::from(u32::from_le_bytes([digest[i], digest[i + 1], digest[i + 2], digest[i + 3]])) + 0.5)
                    / 4294967296.0
            };
            let voxel = self.cumulative.partition_point(|&c| c <= uniform(0) * total).min(self.cumulative.len() - 1);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "temporary")]
            let units = ((self.mean_mev * 2.0 * uniform(4) + self.local_mev) * super::UNITS_PER_MEV) as u64;
            #[expect(clippy::cast_possible_truncation, reason = "temporary")]
            let group = &mut tally.groups[(h % self.groups) as usize];
            group.histories += 1;
            group.emitted += u128::from(units);
            if digest[31] < 32 {
                group.escaped += u128::from(units);
                continue;
            }
            group.deposited += u128::from(units);
            group.energy[voxel] += units / 2;
            let next = (voxel + 1) % self.cumulative.len();
            group.energy[next] += units - units / 2;
        }
        Ok(())
    }
}
