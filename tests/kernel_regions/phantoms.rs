//! Bodies with lungs and bone, and the regions in which doses are compared. Shared by a test and an example.

#![expect(clippy::cast_possible_truncation, reason = "a test's own figures fit")]

use std::sync::Arc;

use dosegrid::domain::{
    ActivityUnit, Daughters, DensityMap, DoseRequest, Method, TimeIntegratedActivity, Volume, VoxelGrid,
};
use dosegrid::formats::nifti;
use dosegrid::physics::{chain, nuclide};

use super::reference;

/// A body with its activity.
pub(super) struct Phantom {
    pub(super) name: &'static str,
    decays: Volume<f32>,
    density: Volume<f32>,
    /// Number of the region of each voxel, from 1; 0: none.
    region_of: Vec<u8>,
    /// Names of the regions, by number.
    pub(super) regions: &'static [&'static str],
}

impl Phantom {
    pub(super) fn request(&self, name: &str, method: Method) -> DoseRequest {
        let activity = TimeIntegratedActivity::new(self.decays.clone(), ActivityUnit::BqS).expect("an activity");
        let density = DensityMap::new(self.density.clone()).expect("densities");
        let source = nuclide::find(name).expect("a known nuclide");
        // The figures on record are with Xe-131m, which by default leaves the tissue.
        let source = chain::source(source, Daughters::EquilibriumWithGases, &[]).expect("a source");
        DoseRequest::new(activity, Some(density), source, method).expect("a good request")
    }

    pub(super) fn decays(&self) -> f64 {
        self.decays.as_slice().iter().map(|&decays| f64::from(decays)).sum()
    }

    /// Energy over mass of a region, and the statistical uncertainty of independent voxels.
    ///
    /// * `number` – of the region, from 0
    pub(super) fn mean(&self, number: usize, dose: &Volume<f32>, sigma: Option<&Volume<f32>>) -> [f64; 2] {
        let [mut energy, mut variance, mut mass] = [0.0; 3];
        for (voxel, &density) in self.density.as_slice().iter().enumerate() {
            let density = f64::from(density);
            if usize::from(self.region_of[voxel]) == number + 1 && density >= 0.05 {
                energy += density * f64::from(dose.as_slice()[voxel]);
                let sigma = sigma.map_or(0.0, |sigma| f64::from(sigma.as_slice()[voxel]));
                variance += (density * sigma).powi(2);
                mass += density;
            }
        }
        [energy / mass, variance.sqrt() / mass]
    }
}

/// Builds volumes voxel by voxel: density, decays and region of each.
fn built(
    name: &'static str,
    shape: [u64; 3],
    edge_mm: f64,
    regions: &'static [&'static str],
    voxel: impl Fn([usize; 3]) -> (f64, f64, u8),
) -> Phantom {
    let grid = Arc::new(VoxelGrid::new(shape, [edge_mm; 3]).expect("a good grid"));
    let [nx, ny, nz] = grid.shape();
    let places = (0..nz).flat_map(|z| (0..ny).flat_map(move |y| (0..nx).map(move |x| [x, y, z])));
    let all: Vec<(f64, f64, u8)> = places.map(voxel).collect();
    let volume = |of: fn(&(f64, f64, u8)) -> f64| {
        let values = all.iter().map(|voxel| of(voxel) as f32).collect();
        Volume::from_vec(Arc::clone(&grid), values).expect("one value a voxel")
    };
    let (density, decays) = (volume(|voxel| voxel.0), volume(|voxel| voxel.1));
    Phantom { name, decays, density, region_of: all.iter().map(|voxel| voxel.2).collect(), regions }
}

const IN_THORAX: &[&str] = &["liver", "kidneys", "tumour in lung", "lesion in spine", "lung", "spine", "rest"];

/// A thorax of ellipses in voxels of 4 mm: lungs of 0.28, spine of 1.25 with cortical bone of 1.6, a lesion of
/// 1.4 g/cm³ in it, a tumour of 28 mm in the left lung, trachea.
///
/// * `cold` – whether lungs, spine and the rest of the body have no activity
pub(super) fn thorax(cold: bool) -> Phantom {
    let shape = [84, 60, 72];
    let voxel = move |index: [usize; 3]| {
        let [x, y, z] = [0, 1, 2].map(|axis| (index[axis] as f64 - (shape[axis] as f64 - 1.0) / 2.0) * 4.0);
        let disc = |centre: [f64; 2], radii: [f64; 2]| {
            ((x - centre[0]) / radii[0]).powi(2) + ((y - centre[1]) / radii[1]).powi(2) < 1.0
        };
        let ball = |centre: [f64; 3], radii: [f64; 3]| {
            let part = |at: f64, axis: usize| ((at - centre[axis]) / radii[axis]).powi(2);
            part(x, 0) + part(y, 1) + part(z, 2) < 1.0
        };
        let body = disc([0.0; 2], [155.0, 105.0]);
        let spine = disc([0.0, 62.0], [18.0; 2]);
        let liver = ball([-65.0, -5.0, -75.0], [70.0, 65.0, 55.0]) && body && !spine;
        let tumour = ball([72.0, -5.0, 70.0], [14.0; 3]);
        let lung = [-72.0, 72.0].iter().any(|x| ball([*x, -5.0, 60.0], [52.0, 70.0, 95.0])) && !liver && !tumour;
        let kidney = [-55.0, 55.0].iter().any(|x| ball([*x, 55.0, -100.0], [22.0, 20.0, 40.0])) && !liver;
        let lesion = spine && (z - 40.0).abs() < 14.0;
        let trachea = disc([0.0, -10.0], [8.0; 2]) && z > 40.0;
        let warm = |decays: f64| if cold { 0.0 } else { decays };
        match () {
            () if trachea => (0.001_2, 0.0, 0),
            () if lesion => (1.4, 6e7, 4),
            () if tumour => (1.03, 1e8, 3),
            () if kidney => (soft(body, &disc), 4e7, 2),
            () if liver => (1.05, 1e7, 1),
            () if spine => (spine_density(&disc), warm(2e6), 6),
            () if lung => (0.28, warm(3e5), 5),
            () if body => (soft(body, &disc), warm(1e6), 7),
            () => (0.001_2, 0.0, 0),
        }
    };
    built(if cold { "cold thorax" } else { "thorax" }, shape.map(|n| n as u64), 4.0, IN_THORAX, voxel)
}

fn spine_density(disc: &dyn Fn([f64; 2], [f64; 2]) -> bool) -> f64 {
    if disc([0.0, 62.0], [14.0; 2]) { 1.25 } else { 1.6 }
}

/// A shell of fat around soft tissue.
fn soft(body: bool, disc: &dyn Fn([f64; 2], [f64; 2]) -> bool) -> f64 {
    match (body, disc([0.0; 2], [145.0, 95.0])) {
        (_, true) => 1.0,
        (true, false) => 0.95,
        (false, false) => 0.001_2,
    }
}

/// The layered phantom of the validation: soft tissue with a slab of lung and one of bone, and a source on the border
/// of soft tissue and lung; voxels of 3 mm.
pub(super) fn layers() -> Phantom {
    let regions: &[&str] = &["source in soft tissue", "source in lung", "soft tissue", "lung", "bone"];
    built("layers", [40; 3], 3.0, regions, |[x, y, z]| {
        let (density, layer) = match z {
            14..=21 => (0.26, 1),
            26..=29 => (1.92, 2),
            _ => (1.0, 0),
        };
        let in_source = (18..23).contains(&x) && (18..23).contains(&y) && (12..17).contains(&z);
        if in_source { (density, 1e8, 1 + layer) } else { (density, 0.0, 3 + layer) }
    })
}

/// A source of 1 g/cm³ with a rim of 0.06 g/cm³ without activity at x = 19, in air; voxels of 4 mm.
pub(super) fn rim() -> Phantom {
    built("rim", [40, 24, 24], 4.0, &["inside", "rim"], |[x, y, z]| {
        let in_middle = [y, z].iter().all(|at| (9..15).contains(at));
        match x {
            20.. => (1.0, 1e9, u8::from(in_middle && (26..34).contains(&x))),
            19 => (0.06, 0.0, 2 * u8::from(in_middle)),
            _ => (0.001_2, 0.0, 0),
        }
    })
}

/// A cube of water of 16 cm with a source in its middle.
pub(super) fn water() -> Phantom {
    built("water", [40; 3], 4.0, &["source", "water"], |at| {
        let distance = |reach: usize| at.iter().all(|n| n.abs_diff(20) <= reach);
        match (distance(3), distance(8)) {
            (true, _) => (1.0, 1e8, 1),
            (false, near) => (1.0, 0.0, 2 * u8::from(near)),
        }
    })
}

/// A cube of 64 mm of water with activity within one of 256 mm of another density [g/cm³].
pub(super) fn cube(around_g_cm3: f64) -> Phantom {
    built("cube", [64; 3], 4.0, &["source"], |at| {
        let is_source = at.iter().all(|n| (24..40).contains(n));
        if is_source { (1.0, 1e6, 1) } else { (around_g_cm3, 0.0, 0) }
    })
}

/// The patient of the reference data. Lung is what is not labelled and has 0.15 to 0.5 g/cm³, bone
/// what has 1.15 or more.
pub(super) fn patient() -> Phantom {
    let read = |name: &str| nifti::read(&reference(&format!("patient/{name}"))).expect("a good file").volume;
    let (decays, density, labels) = (read("activity_bq.nii.gz"), read("density_g_cm3.nii.gz"), read("labels.nii.gz"));
    let region = |(&label, &density): (&f32, &f32)| match label as u8 {
        1 => 1,
        2 => 2,
        3 | 4 => 3,
        5..=7 => 4,
        _ if (0.15..0.5).contains(&density) => 5,
        _ if density >= 1.15 => 6,
        _ if density >= 0.6 => 7,
        _ => 0,
    };
    let region_of = labels.as_slice().iter().zip(density.as_slice()).map(region).collect();
    let regions = &["liver", "spleen", "kidneys", "tumours", "lung", "bone", "rest"];
    Phantom { name: "patient", decays, density, region_of, regions }
}
