//! A real Lu-177 patient as a phantom for transport, if the reference data are found. Shared by tests and benches.

use dosegrid::formats::nifti;
use dosegrid::physics::{material, nuclide};
use dosegrid::validate::phantom::Phantom;

use super::reference;

/// 108 × 70 × 90 voxels with decays in proportion to the activity; materials by density. The label of every voxel:
/// 1 liver, 2 spleen, 3 and 4 kidneys, 5 to 7 tumours.
pub(crate) fn patient() -> (Phantom, Vec<u16>) {
    let read = |name: &str| nifti::read(&reference(&format!("patient/{name}"))).expect("a good file").volume;
    let (activity, density) = (read("activity_bq.nii.gz"), read("density_g_cm3.nii.gz"));
    let labels = read("labels.nii.gz");
    let spectrum = nuclide::emissions(nuclide::find("Lu-177").expect("a known nuclide")).clone();
    let shape = activity.grid().shape().map(|n| n as u64);
    let mut phantom = Phantom::uniform(shape, activity.grid().spacing_mm(), "water", 0.0, spectrum);
    phantom.materials = material::all().iter().filter(|m| m.density_range_g_cm3().is_some()).cloned().collect();
    let names: Vec<&str> = phantom.materials.iter().map(|material| material.name()).collect();
    let number = |density: &f32| {
        let name = material::of_density(f64::from(*density)).expect("a density of a tissue").name();
        u8::try_from(names.iter().position(|known| *known == name).expect("a tissue")).expect("few tissues")
    };
    phantom.material_of_voxel = density.as_slice().iter().map(number).collect();
    phantom.decays = activity.into_vec();
    phantom.density_g_cm3 = density.into_vec();
    // The means of organs do not need the spread of every voxel to be known well.
    phantom.groups = 16;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "labels from 0 to 7")]
    let labels = labels.as_slice().iter().map(|&label| label as u16).collect();
    (phantom, labels)
}
