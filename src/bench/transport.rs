//! Histories per second, and what they are worth.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Spread;
use super::grow::grow;
use super::scenes::{BenchSource, scene_phantom};
use crate::domain::{Control, DoseError, Source, Tally};
use crate::engine::Device;
use crate::physics::nuclide;
use crate::prepare::transport::Scene;
use crate::validate::phantom::Phantom;
use crate::validate::statistics::{Binned, Estimate};

/// Least time of the batch that is measured, on the device [s].
const BATCH_SECONDS: f64 = 0.5;
/// Batches that are measured.
const REPEATS: u64 = 3;
/// Histories of a group in the first batches.
const FIRST_PER_GROUP: u64 = 32;
/// Most histories of a batch.
const MOST_HISTORIES: u64 = 1 << 31;

/// Voxels with this part of the highest activity count in the uncertainty.
const ACTIVE: f32 = 0.1;

/// Speed of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TransportSpeed {
    /// Histories run.
    pub histories: u64,
    /// Time that they took, without the preparation of tables [s].
    pub seconds: f64,
    /// Histories per second.
    pub histories_per_s: f64,
    /// Root mean square of 1σ relative to the dose, over the voxels with at least a tenth of the highest activity.
    pub relative_sigma: f64,
    /// Efficiency `1 / (σ² T)` [1/s]: how many times per second this device reaches a relative σ of 1 in the average
    /// of these voxels. It does not depend on the number of histories.
    pub efficiency_per_s: f64,
}

/// The transport of one nuclide in one phantom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TransportFigure {
    /// Name of the nuclide.
    pub nuclide: String,
    /// Where the decays are.
    pub source: BenchSource,
    /// Edge of a voxel [mm].
    pub spacing_mm: f64,
    /// Histories of a batch.
    pub batch: u64,
    /// Wall time of a batch.
    pub wall: Spread,
    /// All batches that were measured.
    pub speed: TransportSpeed,
    /// Time of all stages by the device's clock, as a part of the wall time; none without such a clock.
    pub device_share: Option<f64>,
    /// Histories per second of the device's own time.
    pub histories_per_device_s: Option<f64>,
    /// Time of each stage on the device, per history [s].
    pub stages: Vec<StageFigure>,
    /// Most steps that lanes were given, per history; on a GPU.
    pub planned_steps_per_history: Option<f64>,
    /// Particles that moved over lanes that were there, in the cycles that were looked at; on a GPU.
    pub lanes_moving: Option<f64>,
}

/// Time of a stage on the device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StageFigure {
    /// The stage.
    pub stage: String,
    /// Time [s]: per history, or of a convolution.
    pub seconds: f64,
}

/// Measures one nuclide in one phantom: batches of at least half a second on the device, three of them.
///
/// # Errors
/// A failure of the device, [`DoseError::Cancelled`].
///
/// # Panics
/// If there is no nuclide of that name.
pub fn measured(
    device: &mut Device,
    nuclide: &str,
    source: BenchSource,
    spacing_mm: f64,
    control: &Control,
) -> Result<TransportFigure, DoseError> {
    let emissions = Source::from(nuclide::find(nuclide).expect("a nuclide that a bench chose"));
    let phantom = scene_phantom(source, spacing_mm, (**emissions.emissions()).clone());
    let scene = phantom.scene();
    let tally = || Tally::new(phantom.groups, phantom.grid.voxels());
    device.watch_stages(true);
    let (mut next, mut scratch) = (0, tally());
    let batch = grow(FIRST_PER_GROUP * u64::from(phantom.groups), MOST_HISTORIES, BATCH_SECONDS, |size| {
        let wall = run(device, &scene, &mut next, size, &mut scratch, control)?;
        let on_device: f64 = device.take_stage_seconds().iter().map(|(_, seconds)| seconds).sum();
        Ok(if on_device > 0.0 { on_device } else { wall })
    })?;
    drop(scratch);
    device.take_transport_work();
    let mut found = tally();
    // A tally holds histories from the first on.
    next = 0;
    let walls = (0..REPEATS).map(|_| run(device, &scene, &mut next, batch, &mut found, control));
    let walls = walls.collect::<Result<Vec<_>, _>>()?;
    device.watch_stages(false);
    let speed = speed(&phantom, &found, walls.iter().sum());
    let histories = speed.histories as f64;
    let stages = device.take_stage_seconds();
    let on_device: f64 = stages.iter().map(|(_, seconds)| seconds).sum();
    let is_timed = on_device > 0.0;
    let work = device.take_transport_work();
    let per_history = |(stage, seconds)| StageFigure { stage, seconds: seconds / histories };
    Ok(TransportFigure {
        nuclide: nuclide.to_owned(),
        source,
        spacing_mm,
        batch,
        wall: Spread::of(walls),
        speed,
        device_share: is_timed.then_some(on_device / speed.seconds),
        histories_per_device_s: is_timed.then_some(histories / on_device),
        stages: stages.into_iter().map(per_history).collect(),
        planned_steps_per_history: work.map(|work| work.planned_steps as f64 / histories),
        lanes_moving: work.filter(|work| work.lanes > 0).map(|work| work.moving as f64 / work.lanes as f64),
    })
}

/// Measures the transport in a phantom for about so long.
///
/// * `seconds` – the time; a batch is meant to take a tenth of it
///
/// # Errors
/// A failure of the device.
pub fn transport(device: &mut Device, phantom: &Phantom, seconds: f64) -> Result<TransportSpeed, DoseError> {
    let (scene, control) = (phantom.scene(), Control::detached());
    let tally = || Tally::new(phantom.groups, phantom.grid.voxels());
    let (mut next, mut scratch) = (0, tally());
    let batch = grow(FIRST_PER_GROUP * u64::from(phantom.groups), MOST_HISTORIES, 0.1 * seconds, |size| {
        run(device, &scene, &mut next, size, &mut scratch, &control)
    })?;
    drop(scratch);
    let mut found = tally();
    next = 0;
    let start = Instant::now();
    while next == 0 || start.elapsed().as_secs_f64() < seconds {
        run(device, &scene, &mut next, batch, &mut found, &control)?;
    }
    Ok(speed(phantom, &found, start.elapsed().as_secs_f64()))
}

/// Runs the next histories, and gives their wall time [s].
fn run(
    device: &mut Device,
    scene: &Scene,
    next: &mut u64,
    histories: u64,
    tally: &mut Tally,
    control: &Control,
) -> Result<f64, DoseError> {
    let range = *next..*next + histories;
    *next = range.end;
    let start = Instant::now();
    device.transport(scene, range, tally, control)?;
    Ok(start.elapsed().as_secs_f64())
}

fn speed(phantom: &Phantom, tally: &Tally, seconds: f64) -> TransportSpeed {
    let binned = Binned::by_voxel(tally);
    let most = phantom.decays.iter().copied().fold(0.0, f32::max);
    let active = (0..tally.voxels()).filter(|&voxel| phantom.decays[voxel] >= ACTIVE * most);
    // A voxel that got nothing yet is uncertain by all of its dose.
    let square = |found: Estimate| if found.mean > 0.0 { (found.sigma / found.mean).powi(2) } else { 1.0 };
    let relative: Vec<f64> = active.map(|voxel| square(binned.mean(voxel))).collect();
    let variance = relative.iter().sum::<f64>() / relative.len() as f64;
    let histories = tally.histories();
    TransportSpeed {
        histories,
        seconds,
        histories_per_s: histories as f64 / seconds,
        relative_sigma: variance.sqrt(),
        efficiency_per_s: 1.0 / (variance * seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DeviceSelector, Particle};
    use crate::validate::phantom::line;

    #[test]
    fn figures_belong_together() {
        let mut device = Device::open(DeviceSelector::Cpu).expect("the CPU is always there");
        let phantom =
            Phantom::uniform([3; 3], [5.0; 3], "water", 1.0, line(Particle::Electron, 0.2)).with_source_at([1; 3]);
        let speed = transport(&mut device, &phantom, 0.01).expect("it runs");
        assert!((speed.histories as f64 / speed.seconds / speed.histories_per_s - 1.0).abs() < 1e-9);
        assert!((speed.efficiency_per_s * speed.relative_sigma.powi(2) * speed.seconds - 1.0).abs() < 1e-9);
        assert!(speed.relative_sigma > 0.0 && speed.relative_sigma < 0.1, "{speed:?}");
    }

    #[test]
    fn a_voxel_that_got_nothing_is_uncertain_by_all_of_its_dose() {
        let phantom =
            Phantom::uniform([3; 3], [5.0; 3], "water", 1.0, line(Particle::Electron, 0.2)).with_source_at([1; 3]);
        let found = speed(&phantom, &Tally::new(phantom.groups, 27), 2.0);
        assert_eq!((found.relative_sigma, found.efficiency_per_s), (1.0, 0.5));
    }
}
