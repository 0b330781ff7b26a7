//! How much more, or less, of the photons that have not collided yet arrives than in a body of the medium.
//!
//! A convolution attenuates by the medium everywhere. Here straight lines go from blocks of the source to places
//! throughout the grid, through the densities on their way. The ratio of what arrives to what would arrive through the
//! medium, each block with its activity over the square of its distance, varies slowly from place to place.

use rayon::prelude::*;

use super::cones::exponential;
use super::interpolate::{Between, interpolation, line};
use crate::engine::cpu::with_vectors;
use crate::physics::kernel::PhotonGroup;

/// Most blocks that the source is put together into.
const MOST_BLOCKS: usize = 128;
/// Voxels up to which rays go to each of them; in larger grids, to every other by axis.
const MOST_PLACES: usize = 16_000;
/// Ratios beyond are taken for the limit: next to nothing arrives in the medium.
const RATIOS: [f64; 2] = [0.05, 20.0];

/// What arrives of the photons that have not collided, over what would arrive through the medium, for each voxel.
pub(super) struct Arriving {
    /// Of the energy that first collisions leave to electrons: in the medium and in bone.
    pub(super) absorbed: [Vec<f32>; 2],
    /// Of the energy that they leave to photons, by group: over the whole that they would leave.
    pub(super) scattered: Vec<Vec<f32>>,
}

/// Voxels that rays go through.
pub(super) struct Scene<'a> {
    pub(super) shape: [usize; 3],
    pub(super) spacing_cm: [f64; 3],
    /// Densities of what attenuates as the medium and of what attenuates as bone, over that of the medium.
    pub(super) densities: [&'a [f32]; 2],
    pub(super) medium_g_cm3: f64,
}

/// A part of the source.
struct Block {
    decays: f64,
    /// Centre of its activity, in voxels from the centre of the first.
    centre: [f64; 3],
}

impl Scene<'_> {
    /// What arrives in each voxel.
    pub(super) fn arriving(&self, decays: &[f32], groups: &[PhotonGroup]) -> Arriving {
        let blocks = self.blocks(decays);
        let stride = if decays.len() <= MOST_PLACES { 1 } else { 2 };
        let places = self.shape.map(|n| n.div_ceil(stride));
        let [medium, bone] = self.densities;
        let pairs: Vec<[f32; 2]> = medium.iter().zip(bone).map(|(medium, bone)| [*medium, *bone]).collect();
        let of_place = |index: usize| {
            let [i, j, k] = [index % places[0], index / places[0] % places[1], index / places[0] / places[1]];
            let centre = |n: usize| (n * stride) as f64 + 0.5 * (stride - 1) as f64;
            let place = [centre(i), centre(j), centre(k)];
            with_vectors!(_simd => self.ratios(place, &blocks, &pairs, groups))
        };
        let ratios: Vec<Vec<f32>> = (0..places.iter().product()).into_par_iter().map(of_place).collect();
        let of = |which: usize| {
            let values: Vec<f32> = ratios.iter().map(|ratios| ratios[which]).collect();
            spread(&values, places, self.shape, stride)
        };
        let scattered = groups.first().map_or(0, |group| group.scattered.len());
        Arriving { absorbed: [of(0), of(1)], scattered: (2..2 + scattered).map(of).collect() }
    }

    /// The source in at most [`MOST_BLOCKS`] cubes of voxels, as small as may be.
    fn blocks(&self, decays: &[f32]) -> Vec<Block> {
        let [nx, ny, _] = self.shape;
        let widest = self.shape.into_iter().max().expect("three axes");
        for edge in 1.. {
            let along = self.shape.map(|n| n.div_ceil(edge));
            let mut sums = vec![[0.0f64; 4]; along.iter().product()];
            for (voxel, &decays) in decays.iter().enumerate().filter(|(_, decays)| **decays > 0.0) {
                let at = [voxel % nx, voxel / nx % ny, voxel / nx / ny];
                let [i, j, k] = at.map(|n| n / edge);
                let sum = &mut sums[(k * along[1] + j) * along[0] + i];
                sum[3] += f64::from(decays);
                (0..3).for_each(|axis| sum[axis] += f64::from(decays) * at[axis] as f64);
            }
            let filled = sums.iter().filter(|sum| sum[3] > 0.0);
            if filled.clone().count() <= MOST_BLOCKS || edge >= widest {
                let block = |sum: &[f64; 4]| Block { decays: sum[3], centre: [0, 1, 2].map(|a| sum[a] / sum[3]) };
                return filled.map(block).collect();
            }
        }
        unreachable!("one block holds all voxels")
    }

    /// Of what first collisions leave, what arrives over what would: to electrons in the medium and in bone, and to
    /// photons by group, each over all that would. In vector code.
    ///
    /// * `pairs` – both densities of each voxel
    #[inline(always)]
    fn ratios(&self, place: [f64; 3], blocks: &[Block], pairs: &[[f32; 2]], groups: &[PhotonGroup]) -> Vec<f32> {
        let (mut passing, mut way) = (Passing::new(groups), Vec::new());
        let nearest_cm = 0.5 * self.spacing_cm.into_iter().fold(f64::INFINITY, f64::min);
        for block in blocks {
            let distance_cm = self.way(block.centre, place, &mut way);
            let mut sums = [0.0f32; 2];
            for &voxel in &way {
                sums.iter_mut().zip(pairs[voxel as usize]).for_each(|(sum, density)| *sum += density);
            }
            let densities = sums.map(|sum| f64::from(sum) / way.len() as f64);
            let weight = block.decays / distance_cm.max(nearest_cm).powi(2);
            passing.add(weight, self.medium_g_cm3 * distance_cm, densities);
        }
        ratios(&passing.own, &passing.uniform, groups)
    }

    /// Length of the way from one place to another [cm].
    ///
    /// * `voxels` – becomes those on the way, at equal steps
    #[inline(always)]
    fn way(&self, from: [f64; 3], to: [f64; 3], voxels: &mut Vec<u32>) -> f64 {
        let across = [0, 1, 2].map(|axis| to[axis] - from[axis]);
        let length_cm = (0..3).map(|axis| (across[axis] * self.spacing_cm[axis]).powi(2)).sum::<f64>().sqrt();
        let most = across.iter().fold(0.0, |most: f64, n| most.max(n.abs()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "no more than voxels of an axis")]
        let steps = most.ceil().max(1.0) as usize;
        let [nx, ny, nz] = self.shape.map(|n| u32::try_from(n).expect("a coarse grid has few voxels"));
        voxels.resize(steps, 0);
        for (voxel, step) in voxels.iter_mut().zip(0i32..) {
            let part = (f64::from(step) + 0.5) / steps as f64;
            let [x, y, z] = [0, 1, 2].map(|axis| floor(from[axis] + part * across[axis] + 0.5));
            *voxel = (z.min(nz - 1) * ny + y.min(ny - 1)) * nx + x.min(nx - 1);
        }
        length_cm
    }
}

/// The whole part of a number of voxels, 0 for what is less; without the checks of a cast.
#[inline(always)]
fn floor(x: f64) -> u32 {
    /// Adding it rounds to a whole number, which the last bits then hold.
    const ROUNDING: f64 = (1u64 << 52) as f64;
    let x = if x > 0.0 { x } else { 0.0 };
    let rounded = x + ROUNDING;
    let up = rounded - ROUNDING > x;
    #[expect(clippy::cast_possible_truncation, reason = "below the number of voxels of an axis")]
    let rounded = rounded.to_bits() as u32;
    rounded - u32::from(up)
}

/// What arrives at a place by group, through the densities and through the medium.
struct Passing {
    by_medium: Vec<f64>,
    by_bone: Vec<f64>,
    own: Vec<f64>,
    uniform: Vec<f64>,
    /// Exponents of both, side by side.
    exponents: Vec<f32>,
}

impl Passing {
    fn new(groups: &[PhotonGroup]) -> Self {
        let of = |which: usize| groups.iter().map(|group| group.attenuation[which]).collect();
        let none = vec![0.0; groups.len()];
        Self {
            by_medium: of(0),
            by_bone: of(1),
            own: none.clone(),
            uniform: none,
            exponents: vec![0.0; 2 * groups.len()],
        }
    }

    /// Adds a block of the source. Exponentials of all groups are taken together, in vector code.
    ///
    /// * `mass_g_cm2` – of the medium on the way
    /// * `densities` – on the way, relative to that of the medium
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the precision of a ratio")]
    fn add(&mut self, weight: f64, mass_g_cm2: f64, [medium, bone]: [f64; 2]) {
        let (own, uniform) = self.exponents.split_at_mut(self.own.len());
        let groups = self.by_medium.iter().zip(&self.by_bone);
        for (((by_medium, by_bone), own), uniform) in groups.zip(own).zip(uniform) {
            *own = (-(medium * by_medium + bone * by_bone) * mass_g_cm2) as f32;
            *uniform = (-by_medium * mass_g_cm2) as f32;
        }
        self.exponents.iter_mut().for_each(|exponent| *exponent = exponential(*exponent));
        let (own, uniform) = self.exponents.split_at(self.own.len());
        self.own.iter_mut().zip(own).for_each(|(sum, part)| *sum += weight * f64::from(*part));
        self.uniform.iter_mut().zip(uniform).for_each(|(sum, part)| *sum += weight * f64::from(*part));
    }
}

/// See [`Scene::ratios`].
///
/// * `own`, `uniform` – what arrives of each group, through the body and through the medium
fn ratios(own: &[f64], uniform: &[f64], groups: &[PhotonGroup]) -> Vec<f32> {
    let sum = |of: &dyn Fn(&PhotonGroup) -> f64, arriving: &[f64]| -> f64 {
        groups.iter().zip(arriving).map(|(group, arriving)| of(group) * arriving).sum()
    };
    #[expect(clippy::cast_possible_truncation, reason = "a ratio within bounds")]
    let within = |ratio: f64| if ratio.is_finite() { ratio.clamp(RATIOS[0], RATIOS[1]) as f32 } else { 1.0 };
    let to_electrons = (0..2).map(|which| {
        let absorbed = |group: &PhotonGroup| group.absorbed[which];
        within(sum(&absorbed, own) / sum(&absorbed, uniform))
    });
    let all = |group: &PhotonGroup| -> f64 { group.scattered.iter().sum() };
    let (arriving, would) = (sum(&all, own), sum(&all, uniform));
    let whole = within(arriving / would);
    let kinds = groups.first().map_or(0, |group| group.scattered.len());
    let to_photons = (0..kinds).map(|kind| {
        let part = sum(&|group: &PhotonGroup| group.scattered[kind], own) / arriving;
        #[expect(clippy::cast_possible_truncation, reason = "a part")]
        let part = if part.is_finite() { part as f32 } else { 0.0 };
        whole * part
    });
    to_electrons.chain(to_photons).collect()
}

/// Values at places, between which voxels lie, for every voxel.
fn spread(values: &[f32], places: [usize; 3], shape: [usize; 3], stride: usize) -> Vec<f32> {
    let axes: [Vec<Between>; 3] = shape.map(|n| interpolation(n, stride));
    let row = |row: usize| -> Vec<f32> {
        let line = line(values, places, axes[1][row % shape[1]], axes[2][row / shape[1]]);
        axes[0].iter().map(|x| x.of(&line)).collect()
    };
    (0..shape[1] * shape[2]).into_par_iter().flat_map_iter(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> [PhotonGroup; 2] {
        [
            PhotonGroup { attenuation: [0.14, 0.15], absorbed: [0.7, 0.8], scattered: vec![0.5, 0.4] },
            PhotonGroup { attenuation: [0.6, 3.0], absorbed: [0.3, 2.0], scattered: vec![0.0, 0.1] },
        ]
    }

    fn arriving(density: &[f32], decays: &[f32]) -> Arriving {
        let none = vec![0.0; density.len()];
        let scene = Scene { shape: [12, 10, 9], spacing_cm: [0.8; 3], densities: [density, &none], medium_g_cm3: 1.0 };
        scene.arriving(decays, &groups())
    }

    #[test]
    fn through_the_medium_all_arrives_and_through_lung_more() {
        let voxels = 12 * 10 * 9;
        let mut decays = vec![0.0; voxels];
        decays[2 + 12 * (5 + 10 * 4)] = 3.0;
        let sums = |parts: &[Vec<f32>]| -> Vec<f32> { (0..voxels).map(|v| parts.iter().map(|p| p[v]).sum()).collect() };
        let in_water = arriving(&vec![1.0; voxels], &decays);
        for ratio in in_water.absorbed.concat().into_iter().chain(sums(&in_water.scattered)) {
            assert!((ratio - 1.0).abs() < 1e-5, "{ratio}");
        }
        let Arriving { absorbed: [absorbed, _], scattered } = arriving(&vec![0.3; voxels], &decays);
        // At the source both groups hold half; farther on, what starts with more energy goes on with more.
        let pairs = || scattered[0].iter().zip(&scattered[1]);
        assert!(pairs().all(|(hard, soft)| *hard >= 0.999_99 * soft));
        assert!(pairs().filter(|(hard, soft)| *hard > soft).count() > voxels * 9 / 10);
        let scattered = sums(&scattered);
        // 7 voxels of 8 mm from the source.
        let path = |attenuation: f64| attenuation * 7.0 * 0.8;
        let sum = |part: f64, of: fn(&PhotonGroup) -> f64| -> f64 {
            groups().iter().map(|group| of(group) * (-part * path(group.attenuation[0])).exp()).sum()
        };
        let at = 9 + 12 * (5 + 10 * 4);
        for (found, of) in [
            (absorbed[at], (|g| g.absorbed[0]) as fn(&PhotonGroup) -> f64),
            (scattered[at], |g| g.scattered.iter().sum()),
        ] {
            let expected = sum(0.3, of) / sum(1.0, of);
            assert!((f64::from(found) / expected - 1.0).abs() < 0.1, "{found} {expected}");
        }
    }

    #[test]
    fn a_source_everywhere_is_a_few_blocks() {
        let voxels = 12 * 10 * 9;
        let (decays, density) = (vec![1.0; voxels], vec![1.0; voxels]);
        let scene =
            Scene { shape: [12, 10, 9], spacing_cm: [0.8; 3], densities: [&density, &density], medium_g_cm3: 1.0 };
        let blocks = scene.blocks(&decays);
        assert!(blocks.len() <= MOST_BLOCKS && blocks.len() > MOST_BLOCKS / 4, "{}", blocks.len());
        assert!((blocks.iter().map(|block| block.decays).sum::<f64>() - voxels as f64).abs() < 1e-9);
    }
}
