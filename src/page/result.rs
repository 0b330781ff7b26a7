//! A result as the viewer takes it.

use serde::Serialize;

use crate::domain::grid::Affine;
use crate::domain::transform::compose;
use crate::domain::{ActivityAccount, Provenance, RigidTransform, VolumeHeader, Warning};
use crate::dosimetry::{CumulativeHistogram, OrganDose};

/// A volume that can be asked for.
#[derive(Clone, Debug, Serialize)]
pub struct ShownVolume {
    shape: [usize; 3],
    spacing_mm: [f64; 3],
    /// From its voxels to the coordinates of the dose.
    affine_mm: Affine,
    element: &'static str,
    slope: f64,
    intercept: f64,
    /// What it is asked for by.
    volume: String,
}

impl ShownVolume {
    /// * `place` – from the coordinates of the volume to those of the dose
    /// * `volume` – what it is asked for by
    pub fn new(header: &VolumeHeader, place: &RigidTransform, volume: String) -> Self {
        let grid = &header.grid;
        Self {
            shape: grid.shape(),
            spacing_mm: grid.spacing_mm(),
            affine_mm: compose(place.matrix(), grid.affine()),
            element: header.element.name(),
            slope: header.slope,
            intercept: header.intercept,
            volume,
        }
    }

    /// From its voxels to the coordinates of the dose [mm].
    pub fn affine_mm(&self) -> &Affine {
        &self.affine_mm
    }
}

/// An organ of its own volume: the part of each voxel that belongs to it.
#[derive(Clone, Debug, Serialize)]
pub struct ShownMask {
    /// Its label.
    pub label: u32,
    /// Its volume.
    pub mask: ShownVolume,
}

/// A dose with all that stands beside it.
#[derive(Clone, Debug, Serialize)]
pub struct ShownResult {
    /// Absorbed dose [Gy].
    pub dose: ShownVolume,
    /// Its statistical uncertainty, 1σ [Gy].
    pub sigma: Option<ShownVolume>,
    /// Biologically weighted dose [Gy (RBE)].
    pub weighted: Option<ShownVolume>,
    /// Activity, in its unit.
    pub activity: Option<ShownVolume>,
    /// Mass density [g/cm³].
    pub density: Option<ShownVolume>,
    /// CT numbers [HU].
    pub ct: Option<ShownVolume>,
    /// Organs by their labels.
    pub labels: Option<ShownVolume>,
    /// Organs of their own volumes.
    pub organ_masks: Vec<ShownMask>,
    /// The unit of the activity.
    pub activity_unit: &'static str,
    /// Voxels below it have no dose [g/cm³].
    pub minimum_density_g_cm3: Option<f64>,
    /// The same as a CT number [HU].
    pub minimum_hu: Option<i32>,
    /// Doses of the organs.
    pub organs: Vec<OrganDose>,
    /// Their histograms, likewise.
    pub histograms: Vec<Option<CumulativeHistogram>>,
    /// Where it comes from.
    pub provenance: Provenance,
    /// The activity as a person recognises it.
    pub account: ActivityAccount,
    /// What a person should look at.
    pub warnings: Vec<Warning>,
}
