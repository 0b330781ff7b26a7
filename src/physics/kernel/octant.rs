//! Voxel energies at all offsets of an octant: the rule for each, symmetry, threads.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use ndarray::{Array3, ShapeBuilder};
use rayon::prelude::*;

use super::KernelSpec;
use super::quadrature::GaussRule;
use super::radial::RadialKernel;
use super::rays;
use crate::domain::{Control, DoseError, Stage};

/// Points per axis of the Gauss rules for the triangular overlap, and the largest change of the logarithm of the density over the support for which
/// each is used. Past the last one the rays take over. `near_and_far_rules_agree` holds them to [`RULE_TOLERANCE`].
const RULES: [(usize, f64); 4] = [(2, 0.8), (4, 2.0), (8, 5.0), (16, 9.0)];
/// Points per axis where the kernel ends within the support, so that the density jumps.
const POINTS_AT_END: usize = 16;
/// Distance in voxels past which such an end is too faint to matter, and takes [`POINTS_AT_FAR_END`].
const FAR_END_VOXELS: f64 = 16.0;
const POINTS_AT_FAR_END: usize = 4;
/// Relative error of a voxel's energy that the choice of rules allows.
#[cfg(test)]
const RULE_TOLERANCE: f64 = 5e-4;

static GAUSS: LazyLock<[GaussRule; 4]> = LazyLock::new(|| RULES.map(|(points, _)| GaussRule::triangle(points)));

fn gauss(points: usize) -> &'static GaussRule {
    let position = RULES.iter().position(|(n, _)| *n == points);
    &GAUSS[position.expect("only rules of the list are asked for")]
}

/// How one offset is integrated.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// Nothing reaches it.
    Zero,
    /// Tensor product of Gauss rules with this many points an axis.
    Gauss(usize),
    /// Exact along rays.
    Rays,
}

/// Energy absorbed at each offset [MeV per decay], x fastest.
///
/// # Errors
/// [`DoseError::Cancelled`].
pub(super) fn energies(kernel: &RadialKernel, spec: &KernelSpec, control: &Control) -> Result<Array3<f64>, DoseError> {
    let [nx, ny, nz] = spec.half_width.map(|h| h + 1);
    let integrator = Integrator::new(kernel, spec.spacing_cm);
    let symmetry = Symmetry::new(spec);
    let mut octant = vec![0.0; nx * ny * nz];
    let rows_done = AtomicUsize::new(0);
    octant.par_chunks_exact_mut(nx).enumerate().try_for_each(|(row, values)| {
        let (j, k) = (row % ny, row / ny);
        for (i, value) in values.iter_mut().enumerate() {
            if symmetry.representative([i, j, k]) == [i, j, k] {
                *value = integrator.energy(symmetry.sorted([i, j, k]), control)?;
            }
        }
        let done = rows_done.fetch_add(1, Ordering::Relaxed);
        control.checkpoint(Stage::Kernel, done as f64 / (ny * nz) as f64)
    })?;
    for row in 0..ny * nz {
        let (j, k) = (row % ny, row / ny);
        for i in 0..nx {
            let [a, b, c] = symmetry.representative([i, j, k]);
            octant[i + nx * row] = octant[a + nx * (b + ny * c)];
        }
        if control.is_cancelled() {
            return Err(DoseError::Cancelled);
        }
    }
    Ok(Array3::from_shape_vec((nx, ny, nz).f(), octant).expect("one value for each offset"))
}

/// Axes of the same spacing may be exchanged. Each class of offsets is computed once, so that equal values are equal to the last bit.
struct Symmetry {
    /// Pairs of axes to sort by, so that the representative of a class lies in the octant: the longer axis takes the larger offset.
    exchange: Vec<[usize; 2]>,
    /// The same pairs in order of the axes, so that a value does not depend on the shape of the octant.
    ascending: Vec<[usize; 2]>,
}

impl Symmetry {
    fn new(spec: &KernelSpec) -> Self {
        let same = |[a, b]: &[usize; 2]| spec.spacing_cm[*a] == spec.spacing_cm[*b];
        // A sorting network for three; of two axes that differ from the third, one pair is left.
        let mut order = [0, 1, 2];
        order.sort_by_key(|&axis| spec.half_width[axis]);
        let network = |[a, b, c]: [usize; 3]| -> Vec<[usize; 2]> {
            let all = [[a, b], [b, c], [a, c]];
            if all.iter().all(same) { vec![[a, b], [b, c], [a, b]] } else { all.into_iter().filter(same).collect() }
        };
        Self { exchange: network(order), ascending: network([0, 1, 2]) }
    }

    fn representative(&self, offset: [usize; 3]) -> [usize; 3] {
        sort(offset, &self.exchange)
    }

    fn sorted(&self, offset: [usize; 3]) -> [usize; 3] {
        sort(offset, &self.ascending)
    }
}

fn sort(mut offset: [usize; 3], pairs: &[[usize; 2]]) -> [usize; 3] {
    for &[a, b] in pairs {
        if offset[a] > offset[b] {
            offset.swap(a, b);
        }
    }
    offset
}

/// Chooses a rule for each offset and applies it.
struct Integrator<'a> {
    kernel: &'a RadialKernel,
    spacing_cm: [f64; 3],
    /// Distance between the centre of an offset's support and its corner [cm].
    reach_cm: f64,
    /// Distance past which the first Gauss rule is good for every offset that the kernel's end does not cut [cm].
    smooth_cm: f64,
}

impl<'a> Integrator<'a> {
    fn new(kernel: &'a RadialKernel, spacing_cm: [f64; 3]) -> Self {
        let reach_cm = spacing_cm.iter().map(|d| d * d).sum::<f64>().sqrt();
        let mut integrator = Self { kernel, spacing_cm, reach_cm, smooth_cm: kernel.end_cm() };
        // From the end inwards, in steps of a quarter of the support, as long as the density changes little over it.
        let step = 0.25 * reach_cm;
        let mut centre = kernel.end_cm() - reach_cm - step;
        while centre > reach_cm && integrator.change(centre - reach_cm - step, centre + reach_cm + step) <= RULES[0].1 {
            integrator.smooth_cm = centre;
            centre -= step;
        }
        integrator
    }

    /// Change of the logarithm of the density between two radii within the kernel.
    fn change(&self, near_cm: f64, far_cm: f64) -> f64 {
        let inside = self.kernel.end_cm() * (1.0 - 1e-9);
        let density = |r: f64| self.kernel.density_mev_per_cm3(r.min(inside));
        if near_cm <= 0.0 { f64::INFINITY } else { (density(near_cm) / density(far_cm)).ln().abs() }
    }

    fn rule(&self, offset: [usize; 3]) -> Rule {
        let (mut centre2, mut near2, mut far2) = (0.0, 0.0, 0.0);
        for (n, d) in offset.iter().zip(self.spacing_cm) {
            let n = *n as f64;
            centre2 += (n * d).powi(2);
            near2 += ((n - 1.0).max(0.0) * d).powi(2);
            far2 += ((n + 1.0) * d).powi(2);
        }
        let (end, centre, near, far) = (self.kernel.end_cm(), centre2.sqrt(), near2.sqrt(), far2.sqrt());
        if near >= end {
            return Rule::Zero;
        }
        if centre > self.smooth_cm && far <= end {
            return Rule::Gauss(RULES[0].0);
        }
        let change = self.change(near, far);
        let Some(&(points, _)) = RULES.iter().find(|(_, limit)| change <= *limit) else {
            return Rule::Rays;
        };
        if far <= end {
            Rule::Gauss(points)
        } else if end > FAR_END_VOXELS * self.reach_cm {
            Rule::Gauss(points.max(POINTS_AT_FAR_END))
        } else {
            Rule::Gauss(points.max(POINTS_AT_END))
        }
    }

    /// # Errors
    /// [`DoseError::Cancelled`], asked for before every slow rule.
    fn energy(&self, offset: [usize; 3], control: &Control) -> Result<f64, DoseError> {
        match self.rule(offset) {
            Rule::Zero => Ok(0.0),
            Rule::Gauss(points) => Ok(self.gauss_energy(offset, gauss(points))),
            Rule::Rays if control.is_cancelled() => Err(DoseError::Cancelled),
            Rule::Rays => Ok(rays::energy(self.kernel, self.spacing_cm, offset)),
        }
    }

    fn gauss_energy(&self, offset: [usize; 3], rule: &GaussRule) -> f64 {
        let squares = |axis: usize, t: f64| ((offset[axis] as f64 + t) * self.spacing_cm[axis]).powi(2);
        let mut sum = 0.0;
        for (tz, wz) in rule.points.iter().zip(&rule.weights) {
            let z2 = squares(2, *tz);
            for (ty, wy) in rule.points.iter().zip(&rule.weights) {
                let (yz2, wyz) = (squares(1, *ty) + z2, wy * wz);
                for (tx, wx) in rule.points.iter().zip(&rule.weights) {
                    let r = (squares(0, *tx) + yz2).sqrt();
                    sum += wyz * wx * self.kernel.density_mev_per_cm3(r);
                }
            }
        }
        sum * self.spacing_cm.iter().product::<f64>()
    }
}
