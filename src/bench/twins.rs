//! Whether a GPU computes what the CPU does, body by body.

use super::scenes::{BenchSource, scene_phantom};
use crate::domain::{Control, DoseError, Emission, EmissionSpectrum, Particle};
use crate::engine::Device;
use crate::engine::measures::TwinFigure;

/// Random inputs of each body.
const CASES: usize = 4096;
/// Edge of a voxel [mm].
const SPACING_MM: f64 = 3.0;
/// Particle, energies [MeV] and yield: all kinds, so that every table is there.
const EMISSIONS: [(Particle, f64, f64, f64); 4] = [
    (Particle::Electron, 0.0, 2.3, 1.2),
    (Particle::Positron, 0.1, 1.5, 0.4),
    (Particle::Photon, 0.02, 0.4, 0.8),
    (Particle::Photon, 4.0, 6.0, 0.3),
];

/// Compares each body of the transport on a GPU with its twin on the CPU; none for the CPU itself.
///
/// # Errors
/// A failure of the device, [`DoseError::Cancelled`].
///
/// # Panics
/// Never: the spectrum is a good one.
pub fn twins(device: &mut Device, control: &Control) -> Result<Vec<TwinFigure>, DoseError> {
    if matches!(device, Device::Cpu(_)) {
        return Ok(Vec::new());
    }
    twins_of(device, CASES, control)
}

/// The same with so many random inputs of each body.
pub(super) fn twins_of(device: &mut Device, cases: usize, control: &Control) -> Result<Vec<TwinFigure>, DoseError> {
    let emissions = EMISSIONS.map(|(particle, low_mev, high_mev, yield_per_decay)| Emission {
        particle,
        low_mev,
        high_mev,
        yield_per_decay,
    });
    let spectrum = EmissionSpectrum::new(emissions.to_vec()).expect("a good spectrum");
    device.twins(&scene_phantom(BenchSource::Layers, SPACING_MM, spectrum).scene(), cases, control)
}
