//! From a request to a scene: materials of the voxels, tables, samplers. This can take seconds, so a caller who cancels
//! must not have to wait for it.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rayon::ThreadPoolBuilder;

use super::record::scene_account;
use super::voxel_materials::VoxelMaterials;
use crate::domain::{
    Control, DensityMap, DoseError, DoseRequest, Method, MonteCarloOptions, SceneAccount, TimeIntegratedActivity,
};
use crate::plan::TransportPlan;
use crate::prepare::transport::{Boundary, Scene, SceneInput, StepLimits};

/// How often cancellation is checked meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// The scene of the histories, and what is needed to turn their tally into a dose.
pub(super) struct Prepared {
    pub(super) account: SceneAccount,
    pub(super) activity: TimeIntegratedActivity,
    pub(super) density: DensityMap,
    /// None if there is no emission to follow.
    pub(super) scene: Option<Scene>,
}

/// Prepares a request on its own threads, which are left to finish by themselves if the caller cancels.
///
/// # Errors
/// [`DoseError::Cancelled`]; [`DoseError::Internal`] if no thread can be started, or the thread panicked.
pub(super) fn prepare(request: &DoseRequest, plan: &TransportPlan, control: &Control) -> Result<Prepared, DoseError> {
    let Method::MonteCarlo(options) = request.method() else {
        return Err(DoseError::Internal("a plan of transport for another method".into()));
    };
    let (request, plan, options) = (request.clone(), plan.clone(), options.clone());
    let (sender, prepared) = channel();
    let failed = |reason: &str| DoseError::Internal(format!("the scene cannot be prepared: {reason}"));
    // Abandoned work must not hold up the next request, so it has its own threads.
    let pool = ThreadPoolBuilder::new().build().map_err(|error| failed(&error.to_string()))?;
    let work = move || {
        // Nobody receives it if the caller has cancelled.
        let _ = sender.send(pool.install(|| prepare_here(&request, &plan, &options)));
    };
    thread::Builder::new().name("tables".into()).spawn(work).map_err(|error| failed(&error.to_string()))?;
    loop {
        match prepared.recv_timeout(LOOK) {
            Ok(prepared) => return Ok(prepared),
            Err(RecvTimeoutError::Timeout) if control.is_cancelled() => return Err(DoseError::Cancelled),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(failed("it panicked")),
        }
    }
}

fn prepare_here(request: &DoseRequest, plan: &TransportPlan, options: &MonteCarloOptions) -> Prepared {
    let (activity, source) = (request.activity(), request.source());
    let density = request.density().expect("a request for transport has a density");
    let voxel_materials = VoxelMaterials::new(request, &options.medium, density.g_cm3().as_slice());
    let scene = || {
        Scene::new(SceneInput {
            grid: activity.decays().grid(),
            decays: activity.decays().as_slice(),
            density_g_cm3: density.g_cm3().as_slice(),
            materials: &voxel_materials.materials,
            material_of_voxel: &voxel_materials.of_voxel,
            emissions: source.emissions(),
            seed: options.seed,
            groups: plan.groups,
            cuts: plan.cuts,
            steps: StepLimits::for_grid(activity.decays().grid()),
            boundary: Boundary::Vacuum,
        })
    };
    Prepared {
        account: scene_account(request, options, plan, &voxel_materials),
        scene: (activity.total() > 0.0 && source.followed_mev() > 0.0).then(scene),
        activity: activity.clone(),
        density: density.clone(),
    }
}
