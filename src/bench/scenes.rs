//! What transport is measured in.

use serde::{Deserialize, Serialize};

use crate::demo::{PhantomRegion, StylisedPhantom, uptake};
use crate::domain::{EmissionSpectrum, VoxelGrid};
use crate::physics::material;
use crate::physics::tissue::DensityCurve;
use crate::plan::{ChosenCuts, HistoryCuts};
use crate::prepare::transport::StepLimits;
use crate::validate::layered;
use crate::validate::phantom::Phantom;

/// Voxels along each edge of the uniform phantom.
const EDGE: u64 = 64;
/// Voxels of the stylised adult, 4.8 mm wide.
const BODY_SHAPE: [u64; 3] = [104, 104, 96];

/// Where the decays are, and in what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BenchSource {
    /// One voxel in the middle of 64³ of soft tissue: every deposit goes to a few addresses.
    Voxel,
    /// 125 voxels across the border of soft tissue and lung, in 40³ voxels with layers of lung and bone.
    Layers,
    /// The organs and tumours of the stylised adult of `dosegrid demo`, 104×104×96 voxels of 4.8 mm.
    Body,
}

impl BenchSource {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Voxel => "voxel",
            Self::Layers => "layers",
            Self::Body => "body",
        }
    }
}

/// The phantom of a measurement.
///
/// * `spacing_mm` – edge of a voxel [mm]; the body has its own
pub fn scene_phantom(source: BenchSource, spacing_mm: f64, emissions: EmissionSpectrum) -> Phantom {
    match source {
        BenchSource::Voxel => {
            let middle = usize::try_from(EDGE / 2).expect("a small number");
            Phantom::uniform([EDGE; 3], [spacing_mm; 3], "soft_tissue", 1.0, emissions).with_source_at([middle; 3])
        }
        BenchSource::Layers => {
            let phantom = layered::phantom(emissions);
            let shape = phantom.grid.shape().map(|n| n as u64);
            let grid = VoxelGrid::new(shape, [spacing_mm; 3]).expect("a grid that a bench chose");
            let cuts = HistoryCuts::new(&grid, &ChosenCuts::default());
            Phantom { cuts, steps: StepLimits::for_grid(&grid), grid, ..phantom }
        }
        BenchSource::Body => body(emissions),
    }
}

fn body(emissions: EmissionSpectrum) -> Phantom {
    let adult = StylisedPhantom::new(BODY_SHAPE).expect("a shape that a bench chose");
    let density = DensityCurve::schneider_2000().density_map(&adult.ct_numbers()).expect("CT numbers of tissues");
    let decays = adult.spread(|region: PhantomRegion| uptake::decays(&adult, region));
    let most = decays.as_slice().iter().copied().fold(0.0, f64::max);
    let density_g_cm3 = density.g_cm3().as_slice().to_vec();
    let of_voxel = |&density: &f32| {
        let tissue = material::of_density(f64::from(density)).expect("a density map holds densities");
        let number = material::all().iter().position(|known| std::ptr::eq(known, tissue));
        u8::try_from(number.expect("a tissue is a known material")).expect("there are few materials")
    };
    let material_of_voxel: Vec<u8> = density_g_cm3.iter().map(of_voxel).collect();
    let grid = VoxelGrid::clone(adult.grid());
    #[expect(clippy::cast_possible_truncation, reason = "activity is single precision")]
    let decays = decays.as_slice().iter().map(|value| (value / most) as f32).collect();
    Phantom {
        decays,
        density_g_cm3,
        materials: material::all().to_vec(),
        material_of_voxel,
        cuts: HistoryCuts::new(&grid, &ChosenCuts::default()),
        steps: StepLimits::for_grid(&grid),
        grid,
        ..Phantom::uniform([1; 3], [1.0; 3], "water", 1.0, emissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Particle;
    use crate::validate::phantom::line;

    #[test]
    fn each_phantom_has_its_source_and_its_spacing() {
        for (source, spacing_mm, active) in [
            (BenchSource::Voxel, 1.0, 1..=1),
            (BenchSource::Layers, 4.8, 125..=125),
            (BenchSource::Body, 4.8, 1000..=500_000),
        ] {
            let phantom = scene_phantom(source, spacing_mm, line(Particle::Electron, 0.1));
            let found = phantom.decays.iter().filter(|&&decays| decays > 0.0).count();
            assert!(active.contains(&found), "{}: {found}", source.name());
            let [x, _, z] = phantom.grid.spacing_mm();
            assert!((x / spacing_mm - 1.0).abs() < 0.01 && (z / spacing_mm - 1.0).abs() < 0.01, "{x} {z}");
            assert!(phantom.scene().source.voxels.len() == found);
        }
    }
}
