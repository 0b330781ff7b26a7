//! From a request to a scene: voxel_materials, tables, samplers. It takes up to seconds, so that a caller who goes away must not wait for it.

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
use crate::prepare::transport::{Boundary, Scene, SceneInput};

/// How often the caller is looked after meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// What the histories run in, and what makes a dose of them.
pub(super) struct Prepared {
    pub(super) account: SceneAccount,
    pub(super) activity: TimeIntegratedActivity,
    pub(super) density: DensityMap,
    /// None if there is nothing to follow.
    pub(super) scene: Option<Scene>,
}

/// Prepares a request on threads of its own, which are left alone if the caller goes away.
///
/// # Errors
/// [`DoseError::Cancelled`]; [`DoseError::Internal`] if there is no thread, or it panicked.
pub(super) fn prepare(request: &DoseRequest, plan: &TransportPlan, control: &Control) -> Result<Prepared, DoseError> {
    let Method::MonteCarlo(options) = request.method() else {
        return Err(DoseError::Internal("a plan of transport for another method".into()));
    };
    let (request, plan, options) = (request.clone(), plan.clone(), options.clone());
    let (sender, prepared) = channel();
    let failed = |reason: &str| DoseError::Internal(format!("the scene cannot be prepared: {reason}"));
    // Work that is left alone must not stand in the way of the next request: it has threads of its own.
    let pool = ThreadPoolBuilder::new().build().map_err(|error| failed(&error.to_string()))?;
    let work = move || {
        // Nobody takes it if the caller has gone.
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
