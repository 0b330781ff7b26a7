//! Charged particles where the density changes.
//!
//! The convolution knows water only. What betas leave in lung beside a tumour, in bone or behind a thin rim follows
//! from a cheap transport in the true density, by what it changes: it is run twice, through the densities as they are
//! and through water. Where both agree, the convolution is kept.
//!
//! The transport is that of collapsed cones: from each voxel, energy goes out along the 26 straight lines through the
//! centres of its neighbours. Past a path t in units of λ, measured in mass per area, T(t) = 10 e⁻³ᵗ − 15 e⁻⁴ᵗ + 6 e⁻⁵ᵗ of
//! it is left: level at first and then steep, as betas are. λ and the share of each line are such that in water the source
//! voxel and the ratios of its neighbours are those of the voxel kernel. A voxel in between absorbs what its own mass
//! per area takes from the line, and no more: a uniform activity per mass gives a uniform dose whatever the density,
//! doses are reciprocal, and what is not absorbed leaves the grid.
//!
//! Source of the method: A. Ahnesjö, Med. Phys. 16 (1989) 577.

use rayon::prelude::*;

use crate::domain::{Control, DoseError, Volume};
use crate::physics::kernel::VoxelKernel;

/// How energy falls off along a line, as a sum of exponentials: factor, and multiple of the path.
type Terms = &'static [(f32, f64)];

/// T of charged particles.
const OF_CHARGED: Terms = &[(10.0, 3.0), (-15.0, 4.0), (6.0, 5.0)];
/// Exponential attenuation.
const OF_PHOTONS: Terms = &[(1.0, 1.0)];
/// Part of the energy that may leave the source voxel before it is worth following.
const NEGLIGIBLE: f64 = 1e-4;
/// Part of the largest source below which a line carries nothing.
const FAINT: f32 = 1e-9;
/// λ is looked for within these multiples of the shortest edge.
const LAMBDA_RANGE: [f64; 2] = [0.01, 1000.0];
const BISECTIONS: u32 = 60;

/// Lines through voxels, and how energy falls off along them.
pub(super) struct Cones {
    lines: Vec<Line>,
    /// Energy that goes out [MeV per decay].
    energy_mev: f64,
    terms: Terms,
    /// Unit of mass per area [g/cm²].
    lambda: f64,
    medium_g_cm3: f64,
}

/// One of the 26 directions.
#[derive(Clone, Copy, Debug)]
struct Line {
    step: [i8; 3],
    /// Distance from one voxel to the next [cm].
    length_cm: f64,
    /// Part of the energy.
    share: f32,
}

impl Line {
    /// Number of the lines of this length among those of a grid: which axes the step goes along.
    fn class(&self) -> usize {
        let along = |axis: usize| usize::from(self.step[axis] != 0);
        along(0) + 2 * along(1) + 4 * along(2)
    }
}

/// Part of a voxel's own energy that leaves it along a line of length t in units of λ, and the part that the next
/// voxel then absorbs.
fn left_and_caught(t: f64) -> [f64; 2] {
    OF_CHARGED.iter().fold([0.0; 2], |[left, caught], &(factor, multiple)| {
        let t = multiple * t;
        let absorbed = -(-t).exp_m1();
        let part = f64::from(factor) * absorbed / t;
        [left + part, caught + part * absorbed]
    })
}

/// The 26 lines through the neighbours of a voxel, without shares.
fn lines(spacing_cm: [f64; 3]) -> Vec<Line> {
    let steps = (0..27i8).map(|n| [n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1]).filter(|step| *step != [0; 3]);
    let line = |step: [i8; 3]| {
        let squares = (0..3).map(|axis| (f64::from(step[axis]) * spacing_cm[axis]).powi(2));
        Line { step, length_cm: squares.sum::<f64>().sqrt(), share: 0.0 }
    };
    steps.map(line).collect()
}

impl Cones {
    /// Lines along which photons that start evenly in all directions are attenuated.
    ///
    /// * `attenuation` – mass attenuation coefficient [cm²/g]
    pub(super) fn of_photons(spacing_cm: [f64; 3], attenuation: f64, medium_g_cm3: f64) -> Self {
        let mut lines = lines(spacing_cm);
        // The part of all directions to which each line is the nearest, in cubes: through a face, an edge, a corner.
        let shares = [0.045_8, 0.037_0, 0.035_2];
        for line in &mut lines {
            let axes = line.step.iter().filter(|&&n| n != 0).count();
            line.share = shares[axes - 1];
        }
        let sum: f32 = lines.iter().map(|line| line.share).sum();
        lines.iter_mut().for_each(|line| line.share /= sum);
        Self { lines, energy_mev: 1.0, terms: OF_PHOTONS, lambda: 1.0 / attenuation, medium_g_cm3 }
    }

    /// The lines that leave in a medium what a voxel kernel does next to the source. None if nothing goes out.
    ///
    /// * `touching` – kernel of charged particles, without what is absorbed where the decay is, to one voxel on each side
    pub(super) fn new(touching: &VoxelKernel, medium_g_cm3: f64) -> Option<Self> {
        let energy_mev = touching.captured_mev;
        let own = touching.octant[[0; 3]] / energy_mev;
        // Also if there is no energy at all.
        if own.is_nan() || own > 1.0 - NEGLIGIBLE {
            return None;
        }
        let spacing_cm = touching.spec.spacing_cm;
        let mut lines = lines(spacing_cm);
        let next: Vec<f64> =
            lines.iter().map(|line| touching.octant[line.step.map(|n| usize::from(n.unsigned_abs()))]).collect();
        let shares = |lambda_cm: f64| -> (Vec<f64>, f64) {
            let of = |(line, next): (&Line, &f64)| next / left_and_caught(line.length_cm / lambda_cm)[1];
            let shares: Vec<f64> = lines.iter().zip(&next).map(of).collect();
            let sum: f64 = shares.iter().sum();
            let kept =
                |(line, share): (&Line, &f64)| share / sum * (1.0 - left_and_caught(line.length_cm / lambda_cm)[0]);
            let own: f64 = lines.iter().zip(&shares).map(kept).sum();
            (shares.into_iter().map(|share| share / sum).collect(), own)
        };
        let shortest_cm = spacing_cm.into_iter().fold(f64::INFINITY, f64::min);
        let [mut low, mut high] = LAMBDA_RANGE.map(|multiple| (multiple * shortest_cm).ln());
        for _ in 0..BISECTIONS {
            let middle = f64::midpoint(low, high);
            if shares(middle.exp()).1 > own { low = middle } else { high = middle }
        }
        let lambda_cm = f64::midpoint(low, high).exp();
        #[expect(clippy::cast_possible_truncation, reason = "a part")]
        let of_line: Vec<f32> = shares(lambda_cm).0.into_iter().map(|share| share as f32).collect();
        lines.iter_mut().zip(of_line).for_each(|(line, share)| line.share = share);
        Some(Self { lines, energy_mev, terms: OF_CHARGED, lambda: lambda_cm * medium_g_cm3, medium_g_cm3 })
    }

    /// Corrects the energy of charged particles for the density along their way.
    ///
    /// * `energy` – by convolution, in voxels of the medium [MeV]
    /// * `source` – decays
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn correct(
        &self,
        energy: &mut Volume<f32>,
        source: &Volume<f32>,
        density_g_cm3: &[f32],
        control: &Control,
    ) -> Result<(), DoseError> {
        let shape = source.grid().shape();
        #[expect(clippy::cast_possible_truncation, reason = "decays are bounded")]
        let energies: Vec<f32> =
            source.as_slice().iter().map(|&decays| (f64::from(decays) * self.energy_mev) as f32).collect();
        let own = self.absorbed(&energies, shape, Some(density_g_cm3), control)?;
        let uniform = self.absorbed(&energies, shape, None, control)?;
        #[expect(clippy::cast_possible_truncation, reason = "the stored precision")]
        let medium_g_cm3 = self.medium_g_cm3 as f32;
        let voxels = energy.as_mut_slice().par_iter_mut().zip(&own).zip(&uniform).zip(density_g_cm3);
        voxels.for_each(|(((energy, &own), &uniform), density)| {
            // In a voxel that gets less dose than in the medium, the convolution's is scaled down; to one that gets more,
            // the difference is added.
            let mass = density / medium_g_cm3;
            let ratio = if uniform > 0.0 { (own / uniform).min(mass) } else { mass };
            *energy = (own + (*energy - uniform) * ratio).max(0.0);
        });
        Ok(())
    }

    /// Energy that each voxel absorbs.
    ///
    /// * `density_g_cm3` – none: the medium's everywhere
    ///
    /// # Errors
    /// [`DoseError::Cancelled`].
    pub(super) fn absorbed(
        &self,
        source: &[f32],
        shape: [usize; 3],
        density_g_cm3: Option<&[f32]>,
        control: &Control,
    ) -> Result<Vec<f32>, DoseError> {
        let plane = shape[0] * shape[1];
        let mut absorbed = vec![0.0; source.len()];
        let sweep = Sweep {
            cones: self,
            shape,
            source,
            density_g_cm3,
            faint: FAINT * source.iter().copied().fold(0.0, f32::max),
        };
        for upwards in [true, false] {
            let lines: Vec<Line> =
                self.lines.iter().filter(|line| line.step[2] == if upwards { 1 } else { -1 }).copied().collect();
            let [mut before, mut after] = [0; 2].map(|_| Plane::new(shape, lines.len(), self.terms.len()));
            for n in 0..shape[2] {
                if control.is_cancelled() {
                    return Err(DoseError::Cancelled);
                }
                let z = if upwards { n } else { shape[2] - 1 - n };
                sweep.plane(&lines, z, &before, &mut after, &mut absorbed[z * plane..(z + 1) * plane]);
                std::mem::swap(&mut before, &mut after);
            }
        }
        absorbed.par_chunks_exact_mut(plane).enumerate().for_each(|(z, absorbed)| sweep.within_plane(z, absorbed));
        Ok(absorbed)
    }
}

/// What the lines of a plane carry out of its voxels: by row, then line, then term, then x.
struct Plane {
    carried: Vec<f32>,
    /// Rows in which there is anything.
    live: Vec<bool>,
    /// Values of a row.
    row_len: usize,
}

impl Plane {
    fn new([nx, ny, _]: [usize; 3], lines: usize, terms: usize) -> Self {
        let row_len = lines * terms * nx;
        Self { carried: vec![0.0; row_len * ny], live: vec![false; ny], row_len }
    }

    /// A row, if it is there and there is anything in it.
    fn row(&self, y: Option<usize>) -> Option<&[f32]> {
        let y = y.filter(|&y| self.live.get(y).copied().unwrap_or(false))?;
        Some(&self.carried[y * self.row_len..][..self.row_len])
    }
}

/// For each voxel of a row and term: the part of what comes in that goes on, and the part of its own that goes out.
#[derive(Default)]
struct Passing {
    on: Vec<Vec<f32>>,
    out: Vec<Vec<f32>>,
}

/// One transport of all energy.
struct Sweep<'a> {
    cones: &'a Cones,
    shape: [usize; 3],
    source: &'a [f32],
    density_g_cm3: Option<&'a [f32]>,
    /// Energy that is not worth carrying on.
    faint: f32,
}

impl Sweep<'_> {
    /// Lines that come from the plane before.
    fn plane(&self, lines: &[Line], z: usize, before: &Plane, after: &mut Plane, absorbed: &mut [f32]) {
        let [nx, ny, _] = self.shape;
        let (row_len, terms) = (after.row_len, self.cones.terms);
        let rows = after.carried.par_chunks_exact_mut(row_len).zip(&mut after.live);
        rows.zip(absorbed.par_chunks_exact_mut(nx)).enumerate().for_each(|(y, ((carried, live), absorbed))| {
            let source = self.row(self.source, y, z);
            let has_source = source.iter().any(|&energy| energy > 0.0);
            let reached = (y.saturating_sub(1)..ny.min(y + 2)).any(|y| before.live[y]);
            if !has_source && !reached {
                *live = false;
                return;
            }
            let mut passing: [Option<Passing>; 8] = Default::default();
            let mut most = 0.0f32;
            for (number, line) in lines.iter().enumerate() {
                let passing = passing[line.class()].get_or_insert_with(|| self.passing(line, y, z));
                let from = before.row(y.checked_add_signed(-isize::from(line.step[1])));
                for (term, (factor, _)) in terms.iter().enumerate() {
                    let place = (number * terms.len() + term) * nx;
                    let into = &mut carried[place..place + nx];
                    shift(from.map(|row| &row[place..place + nx]), line.step[0], into);
                    most = most.max(pass([line.share, *factor], term, source, passing, into, absorbed));
                }
            }
            *live = most > self.faint;
        });
    }

    /// Lines that stay in their plane.
    fn within_plane(&self, z: usize, absorbed: &mut [f32]) {
        let [nx, ny, _] = self.shape;
        let planar = self.cones.lines.iter().filter(|line| line.step[2] == 0);
        for line in planar {
            let terms = self.cones.terms;
            let mut carried = vec![vec![0.0; nx]; terms.len()];
            let mut into = vec![0.0; nx];
            for n in 0..ny {
                let y = if line.step[1] >= 0 { n } else { ny - 1 - n };
                let source = self.row(self.source, y, z);
                let absorbed = &mut absorbed[y * nx..(y + 1) * nx];
                let has_source = source.iter().any(|&energy| energy > 0.0);
                if line.step[1] == 0 {
                    if has_source {
                        let passing = self.passing(line, y, z);
                        for (term, (factor, _)) in terms.iter().enumerate() {
                            along(line, *factor, term, source, &passing, absorbed);
                        }
                    }
                    continue;
                }
                let reached = carried.iter().flatten().any(|&energy| energy > self.faint);
                if !has_source && !reached {
                    carried.iter_mut().for_each(|carried| carried.fill(0.0));
                    continue;
                }
                let passing = self.passing(line, y, z);
                for (term, carried) in carried.iter_mut().enumerate() {
                    shift(Some(carried), line.step[0], &mut into);
                    pass([line.share, terms[term].0], term, source, &passing, &mut into, absorbed);
                    std::mem::swap(carried, &mut into);
                }
            }
        }
    }

    fn row<'v>(&self, values: &'v [f32], y: usize, z: usize) -> &'v [f32] {
        let [nx, ny, _] = self.shape;
        &values[(z * ny + y) * nx..][..nx]
    }

    /// What the voxels of a row do to a line through them.
    fn passing(&self, line: &Line, y: usize, z: usize) -> Passing {
        let mut passing = Passing::default();
        for (_, multiple) in self.cones.terms {
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
            let per_density = (multiple * line.length_cm / self.cones.lambda) as f32;
            let (on, out): (Vec<f32>, Vec<f32>) = match self.density_g_cm3 {
                Some(density) => self.row(density, y, z).iter().map(|density| past(density * per_density)).unzip(),
                None => {
                    #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
                    let (on, out) = past(self.cones.medium_g_cm3 as f32 * per_density);
                    (vec![on; self.shape[0]], vec![out; self.shape[0]])
                }
            };
            passing.on.push(on);
            passing.out.push(out);
        }
        passing
    }
}

/// Part of what comes in that passes a path t, and part of what starts evenly along it that comes out.
#[inline]
fn past(t: f32) -> (f32, f32) {
    /// Below, the difference of 1 and the exponential would lose digits.
    const SHORT: f32 = 0.01;
    let on = exponential(-t);
    let out = if t < SHORT { 1.0 - t * (0.5 - t / 6.0) } else { (1.0 - on) / t };
    (on, out)
}

/// `exp(x)` for x of 0 or below, to 2e-7 of its value; in a form that compilers turn into vector code.
#[inline]
fn exponential(x: f32) -> f32 {
    /// Adding it rounds to a whole number, which the last bits then hold.
    const ROUNDING: f32 = 12_582_912.0;
    let y = (x * std::f32::consts::LOG2_E).max(-126.0);
    let rounded = y + ROUNDING;
    let part = (y - (rounded - ROUNDING)) * std::f32::consts::LN_2;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(0x3f80_0000));
    let series = 1.0
        + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0 + part * (1.0 / 120.0 + part / 720.0)))));
    power * series
}

/// What comes into each voxel of a row along x: from its neighbour, or from outside the grid nothing.
fn shift(from: Option<&[f32]>, step: i8, into: &mut [f32]) {
    let Some(from) = from else { return into.fill(0.0) };
    let last = from.len() - 1;
    match step {
        0 => into.copy_from_slice(from),
        1 => {
            into[1..].copy_from_slice(&from[..last]);
            into[0] = 0.0;
        }
        _ => {
            into[..last].copy_from_slice(&from[1..]);
            into[last] = 0.0;
        }
    }
}

/// Takes energy through the voxels of a row: what comes in is replaced by what goes out. The largest that goes out.
///
fn pass(
    [share, factor]: [f32; 2],
    term: usize,
    source: &[f32],
    passing: &Passing,
    carried: &mut [f32],
    absorbed: &mut [f32],
) -> f32 {
    let mut most = 0.0f32;
    let voxels = carried.iter_mut().zip(absorbed).zip(source).zip(&passing.on[term]).zip(&passing.out[term]);
    for ((((carried, absorbed), &source), on), out) in voxels {
        let own = share * source;
        let goes_out = *carried * on + own * out;
        *absorbed += factor * (*carried + own - goes_out);
        *carried = goes_out;
        most = most.max(goes_out);
    }
    most
}

/// As [`pass`], along the row itself.
fn along(line: &Line, factor: f32, term: usize, source: &[f32], passing: &Passing, absorbed: &mut [f32]) {
    let mut carried = 0.0;
    let mut voxel = |x: usize| {
        let own = line.share * source[x];
        let goes_out = carried * passing.on[term][x] + own * passing.out[term][x];
        absorbed[x] += factor * (carried + own - goes_out);
        carried = goes_out;
    };
    if line.step[0] > 0 { (0..source.len()).for_each(&mut voxel) } else { (0..source.len()).rev().for_each(voxel) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{KernelMedium, VoxelGrid};
    use crate::math::watch::Unwatched;
    use crate::physics::kernel::{KernelSpec, integrate, radial_parts};
    use crate::physics::nuclide;

    fn cones(name: &str, spacing_cm: [f64; 3]) -> Cones {
        let emissions = nuclide::emissions(nuclide::find(name).expect("a known nuclide"));
        let parts = radial_parts(emissions, KernelMedium::Water).expect("energies that kernels have");
        let spec = KernelSpec {
            radial: Arc::clone(&parts.charged),
            local_mev: 0.0,
            medium: KernelMedium::Water,
            spacing_cm,
            half_width: [1; 3],
            truncation_radius_cm: None,
            per_scattered: false,
        };
        Cones::new(&integrate(&spec, &Unwatched).expect("nobody cancels"), 1.0).expect("betas go out")
    }

    fn absorbed(cones: &Cones, source: &[f32], shape: [usize; 3], density: Option<&[f32]>) -> Vec<f32> {
        cones.absorbed(source, shape, density, &Control::detached()).expect("nobody cancels")
    }

    /// Densities from 0.05 to 2, in no order.
    fn densities(voxels: usize) -> Vec<f32> {
        (0..voxels).map(|n| 0.05 + 1.95 * ((n * 7919 % 101) as f32 / 100.0)).collect()
    }

    #[test]
    fn activity_in_proportion_to_the_mass_gives_one_dose() {
        let shape = [41, 41, 41];
        let cones = cones("Y-90", [0.4; 3]);
        let density = densities(shape.iter().product());
        let absorbed = absorbed(&cones, &density, shape, Some(&density));
        let middle = 20 + 41 * (20 + 41 * 20);
        for voxel in [middle, middle + 1, middle + 41, middle - 41 * 41] {
            let dose = absorbed[voxel] / density[voxel];
            assert!((dose - 1.0).abs() < 2e-3, "{voxel}: {dose}");
        }
    }

    #[test]
    fn dose_from_one_voxel_to_another_is_that_from_the_other_to_the_one() {
        let shape = [12, 11, 10];
        let cones = cones("Y-90", [0.3, 0.4, 0.5]);
        let voxels: usize = shape.iter().product();
        let density = densities(voxels);
        let at = |[x, y, z]: [usize; 3]| x + 12 * (y + 11 * z);
        for (a, b) in [([5, 5, 5], [6, 5, 5]), ([5, 5, 5], [6, 6, 6]), ([4, 4, 4], [4, 6, 4]), ([3, 6, 3], [5, 4, 3])] {
            let [from_a, from_b] = [a, b].map(|place| {
                let mut source = vec![0.0; voxels];
                source[at(place)] = 1.0;
                absorbed(&cones, &source, shape, Some(&density))
            });
            let [there, back] = [from_a[at(b)] / density[at(b)], from_b[at(a)] / density[at(a)]];
            assert!((there / back - 1.0).abs() < 1e-4, "{a:?} {b:?}: {there} {back}");
        }
    }

    #[test]
    fn next_to_the_source_water_is_as_in_the_kernel() {
        let shape = [15, 15, 15];
        let (cones, voxels) = (cones("Y-90", [0.4; 3]), 15 * 15 * 15);
        let mut source = vec![0.0; voxels];
        source[7 + 15 * (7 + 15 * 7)] = 1.0;
        let uniform = absorbed(&cones, &source, shape, None);
        let whole: f32 = uniform.iter().sum();
        assert!((whole - 1.0).abs() < 2e-3, "{whole}");
        // The share of the source voxel of Y-90 in 4 mm is 0.372.
        let own = uniform[7 + 15 * (7 + 15 * 7)];
        assert!((own - 0.3723).abs() < 2e-3, "{own}");
    }

    #[test]
    fn in_water_the_convolution_is_kept() {
        let grid = Arc::new(VoxelGrid::new([20, 17, 13], [4.0; 3]).expect("a good grid"));
        let source = Volume::from_vec(grid.clone(), densities(grid.voxels())).expect("one value a voxel");
        let before = Volume::from_vec(grid.clone(), densities(grid.voxels())).expect("one value a voxel");
        let mut energy = before.clone();
        let water = vec![1.0; grid.voxels()];
        cones("I-131", [0.4; 3]).correct(&mut energy, &source, &water, &Control::detached()).expect("nobody cancels");
        for (after, before) in energy.as_slice().iter().zip(before.as_slice()) {
            assert!((after / before - 1.0).abs() < 1e-4, "{after} {before}");
        }
    }

    #[test]
    fn the_exponential_is_one() {
        for i in 0..2000 {
            let x = -0.05 * i as f32;
            let error = f64::from(exponential(x)) / f64::from(x).exp() - 1.0;
            assert!(x < -87.0 || error.abs() < 4e-7 * f64::from(x.abs().max(1.0)), "{x}: {error}");
        }
    }
}
