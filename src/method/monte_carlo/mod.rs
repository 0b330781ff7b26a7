//! Monte Carlo transport: from a request to a phantom, through rounds of histories, to a dose with its uncertainty.

mod balance;
mod dose;
mod medium;
mod pace;
mod record;
mod rounds;
mod statistics;

use std::time::{Duration, Instant};

use crate::domain::{
    Control, DoseError, DoseRequest, DoseResult, Extras, HistoryRun, LabelMap, Method, MonteCarloOptions, Region,
    Stage, StageTime, StopReason, TallyRecord,
};
use crate::engine::Device;
use crate::engine::transport::{Boundary, Scene, SceneInput, Tally};
use crate::plan::TransportPlan;
use crate::plan::transport::{emissions, local_mev};
use balance::Expected;
use dose::Ending;
use medium::Phantom;
use rounds::{Done, Rounds};

pub use record::merge;

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
    let mut wall_time = Vec::new();
    control.checkpoint(Stage::Tables, 0.0)?;
    let density = request.density().expect("a request for transport has a density");
    let phantom = Phantom::new(request, &options.medium, density.g_cm3().as_slice());
    let mut record = TallyRecord {
        scene: record::scene_account(request, options, plan, &phantom),
        runs: Vec::new(),
        activity: request.activity().clone(),
        density: density.clone(),
        tally: Tally::new(plan.groups, 0),
    };
    let expected = Expected::new(&record.scene.emissions);
    let labels = request.labels().regions.as_ref();
    let done = if request.activity().total() > 0.0 {
        let scene = scene(plan, request, options, &phantom);
        wall_time.push(StageTime::new(Stage::Tables.name(), began.elapsed()));
        control.checkpoint(Stage::Dose, 0.0)?;
        let scale = dose::scale(&record);
        let rounds = Rounds { plan, scene: &scene, expected, stop: options.stop, scale, labels, control, began };
        rounds.run(device, phantom.of_voxel.len())?
    } else {
        let tally = Tally::new(plan.groups, phantom.of_voxel.len());
        Done { tally, histories: 0, stopped_by: StopReason::NoActivity, took: Duration::ZERO }
    };
    wall_time.push(StageTime::new(Stage::Dose.name(), done.took));
    control.checkpoint(Stage::Finish, 0.0)?;
    let finishing = Instant::now();
    record.runs.push(history_run(device, plan, done.histories));
    record.tally = done.tally;
    let ending = Ending {
        stopped_by: done.stopped_by,
        region: options.stop.target.map_or_else(Region::default, |target| target.region),
        labels,
        histories_per_s: Some(done.histories as f64 / done.took.as_secs_f64()).filter(|rate| rate.is_finite()),
        extras: options.extras,
        expected,
    };
    let mut result = dose::dose(record, &ending, control)?;
    wall_time.push(StageTime::new(Stage::Finish.name(), finishing.elapsed()));
    result.provenance.wall_time = wall_time;
    Ok(result)
}

/// The dose of runs that were merged.
///
/// * `labels` – regions whose mean dose is asked for
///
/// # Errors
/// [`DoseError::EnergyBalance`] or [`DoseError::NotPhysical`] for a tally that cannot be.
pub fn merged_dose(record: TallyRecord, labels: Option<&LabelMap>, extras: Extras) -> Result<DoseResult, DoseError> {
    let ending = Ending {
        stopped_by: StopReason::Merged,
        region: Region::default(),
        labels,
        histories_per_s: None,
        extras,
        expected: Expected::new(&record.scene.emissions),
    };
    dose::dose(record, &ending, &Control::detached())
}

fn scene(plan: &TransportPlan, request: &DoseRequest, options: &MonteCarloOptions, phantom: &Phantom) -> Scene {
    let (decays, source) = (request.activity().decays(), request.source());
    let density = request.density().expect("a request for transport has a density");
    Scene::new(SceneInput {
        grid: decays.grid(),
        decays: decays.as_slice(),
        density_g_cm3: density.g_cm3().as_slice(),
        materials: &phantom.materials,
        material_of_voxel: &phantom.of_voxel,
        emissions: emissions(source),
        local_mev_per_decay: local_mev(source),
        seed: options.seed,
        groups: plan.groups,
        cuts: plan.cuts,
        boundary: Boundary::Vacuum,
    })
}

fn history_run(device: &Device, plan: &TransportPlan, histories: u64) -> HistoryRun {
    HistoryRun {
        first_history: plan.first_history,
        histories,
        device: device.info(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: env!("DOSEGRID_COMMIT").to_owned(),
    }
}
