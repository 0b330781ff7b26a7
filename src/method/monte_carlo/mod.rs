//! Monte Carlo transport: from a request to a scene, through batches of histories, to a dose with its uncertainty.

mod balance;
mod batches;
mod dose;
mod dosimetry;
mod helpers;
mod label_sigmas;
mod prepare;
mod record;
mod regions;
mod schedule;
mod scored;
mod statistics;
mod uncertainty;
mod voxel_materials;

use std::time::{Duration, Instant};

use crate::domain::warning::MergedMaps;
use crate::domain::{
    Control, DoseError, DoseRequest, DoseResult, Extras, HistoryRun, LabelMap, Method, Region, Stage, StageTime,
    StopReason, Tally, TallyRecord, Warning,
};
use crate::engine::Device;
use crate::plan::TransportPlan;
use balance::Expected;
use batches::{Done, HistoryBatches};
use dose::Ending;
use prepare::{Prepared, prepare};

pub use record::{add_checked, merge};

pub(super) fn run(
    device: &mut Device,
    plan: &TransportPlan,
    request: &DoseRequest,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let Method::MonteCarlo(options) = request.method() else {
        return Err(DoseError::Internal("a plan of transport for another method".into()));
    };
    let began = Instant::now();
    control.checkpoint(Stage::Tables, 0.0)?;
    let Prepared { account, activity, density, scene } = prepare(request, plan, control)?;
    let tables = StageTime::new(Stage::Tables.name(), began.elapsed());
    let voxels = activity.decays().grid().voxels();
    let mut record = TallyRecord { scene: account, runs: Vec::new(), activity, density, tally: Tally::default() };
    let expected = Expected::new(&record.scene.emissions);
    let labels = request.labels().regions.as_ref();
    control.checkpoint(Stage::Dose, 0.0)?;
    let (scale, decays, stop) = (dose::scale(&record), dose::decays(&record), options.stop.in_force());
    let done = match &scene {
        Some(scene) => {
            let scene_sha256 = &record.scene.sha256;
            let keeps_tally = options.extras.tally;
            let batches = HistoryBatches {
                plan,
                scene,
                expected,
                stop,
                scale,
                decays,
                labels,
                control,
                scene_sha256,
                began,
                keeps_tally,
            };
            batches.run(device, voxels)?
        }
        None => Done::nothing(plan.groups, voxels, record.activity.total()),
    };
    // Dose and uncertainty take its place in memory.
    drop(scene);
    let transport = StageTime::new(Stage::Dose.name(), done.took);
    control.checkpoint(Stage::Finish, 0.0)?;
    let finishing = Instant::now();
    let histories_per_s = done.histories_per_s();
    record.runs.push(history_run(device, plan, done.histories));
    record.tally = done.tally;
    let ending = Ending {
        stopped_by: done.stopped_by,
        region: stop.region(),
        target: stop.target.map(|target| target.relative),
        labels,
        histories_per_s,
        extras: options.extras,
        expected,
    };
    let mut result = dose::dose(record, done.summed.as_ref(), &ending, control)?;
    let finish = StageTime::new(Stage::Finish.name(), finishing.elapsed());
    result.provenance.wall_time = vec![tables, transport, finish];
    Ok(result)
}

/// The dose of merged runs.
///
/// * `labels` – regions whose mean dose is requested
/// * `control` – through which the caller may stop it
///
/// # Errors
/// [`DoseError::EnergyBalance`] or [`DoseError::NotPhysical`] for a tally that is not possible;
/// [`DoseError::Cancelled`].
pub fn merged_dose(
    record: TallyRecord,
    labels: Option<&LabelMap>,
    extras: Extras,
    control: &Control,
) -> Result<DoseResult, DoseError> {
    let ending = Ending {
        stopped_by: StopReason::Merged,
        region: Region::default(),
        target: None,
        labels,
        histories_per_s: None,
        extras,
        expected: Expected::new(&record.scene.emissions),
    };
    let maps = MergedMaps::of(&record);
    let mut result = dose::dose(record, None, &ending, control)?;
    result.warnings = Warning::of_merged(&maps, &result);
    Ok(result)
}

impl Done {
    /// The outcome for a map without activity, or for decays without any emission that transport follows.
    fn nothing(groups: u32, voxels: usize, decays: f64) -> Self {
        let tally = Tally::new(groups, voxels);
        let stopped_by = if decays > 0.0 { StopReason::NothingToFollow } else { StopReason::NoActivity };
        Self { tally, summed: None, histories: 0, stopped_by, took: Duration::ZERO }
    }

    fn histories_per_s(&self) -> Option<f64> {
        Some(self.histories as f64 / self.took.as_secs_f64()).filter(|rate| rate.is_finite())
    }
}

fn history_run(device: &Device, plan: &TransportPlan, histories: u64) -> HistoryRun {
    HistoryRun {
        first_history: plan.first_history,
        histories,
        device: device.info().without_threads(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
    }
}
