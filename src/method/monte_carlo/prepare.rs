//! From a request to a scene: materials of the voxels, tables, samplers. This can take seconds, so it asks every few
//! milliseconds whether to go on: nothing is done any more for a caller who has gone.

use super::record::scene_account;
use super::voxel_materials::VoxelMaterials;
use crate::domain::{Control, DensityMap, DoseError, DoseRequest, Method, SceneAccount, Stage, TimeIntegratedActivity};
use crate::plan::TransportPlan;
use crate::prepare::transport::{Boundary, Scene, SceneInput, StepLimits};

/// The scene of the histories, and what is needed to turn their tally into a dose.
pub(super) struct Prepared {
    pub(super) account: SceneAccount,
    pub(super) activity: TimeIntegratedActivity,
    pub(super) density: DensityMap,
    /// None if there is no emission to follow.
    pub(super) scene: Option<Scene>,
}

/// Prepares a request.
///
/// # Errors
/// [`DoseError::Cancelled`].
pub(super) fn prepare(request: &DoseRequest, plan: &TransportPlan, control: &Control) -> Result<Prepared, DoseError> {
    let Method::MonteCarlo(options) = request.method() else {
        return Err(DoseError::Internal("a plan of transport for another method".into()));
    };
    let (activity, source) = (request.activity(), request.source());
    let density = request.density().expect("a request for transport has a density");
    let voxel_materials = VoxelMaterials::new(request, &options.medium, density.g_cm3().as_slice(), control)?;
    let input = SceneInput {
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
    };
    let is_followed = activity.total() > 0.0 && source.followed_mev() > 0.0;
    let watch = control.at_stage(Stage::Tables);
    let scene = is_followed.then(|| Scene::new_watched(input, &watch)).transpose()?;
    let account = scene_account(request, options, plan, &voxel_materials, control)?;
    let sha256 = Some(account.sha256.clone());
    Ok(Prepared {
        account,
        scene: scene.map(|scene| Scene { sha256, ..scene }),
        activity: activity.clone(),
        density: density.clone(),
    })
}
