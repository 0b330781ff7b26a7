//! Straight lines through voxels, and how energy falls off along them.

/// How energy falls off along a line, as a sum of exponentials: factor, and multiple of the path.
pub(super) type Terms = &'static [(f32, f64)];

/// T of charged particles.
pub(super) const OF_CHARGED: Terms = &[(10.0, 3.0), (-15.0, 4.0), (6.0, 5.0)];
/// Exponential attenuation.
pub(super) const OF_PHOTONS: Terms = &[(1.0, 1.0)];

/// One of the 26 directions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub(super) step: [i8; 3],
    /// Distance from one voxel to the next [cm].
    pub(super) length_cm: f64,
    /// Part of the energy.
    pub(super) share: f32,
}

impl Line {
    /// Number of the lines of this length among those of a grid: which axes the step goes along.
    pub(super) fn class(&self) -> usize {
        let along = |axis: usize| usize::from(self.step[axis] != 0);
        along(0) + 2 * along(1) + 4 * along(2)
    }
}

/// Part of a voxel's own energy that leaves it along a line of length t in units of λ, and the part that the next
/// voxel then absorbs.
pub(super) fn left_and_caught(t: f64) -> [f64; 2] {
    OF_CHARGED.iter().fold([0.0; 2], |[left, caught], &(factor, multiple)| {
        let t = multiple * t;
        let absorbed = -(-t).exp_m1();
        let part = f64::from(factor) * absorbed / t;
        [left + part, caught + part * absorbed]
    })
}

/// The 26 lines through the neighbours of a voxel, without shares.
pub(super) fn lines(spacing_cm: [f64; 3]) -> Vec<Line> {
    let steps = (0..27i8).map(|n| [n % 3 - 1, n / 3 % 3 - 1, n / 9 - 1]).filter(|step| *step != [0; 3]);
    let line = |step: [i8; 3]| {
        let squares = (0..3).map(|axis| (f64::from(step[axis]) * spacing_cm[axis]).powi(2));
        Line { step, length_cm: squares.sum::<f64>().sqrt(), share: 0.0 }
    };
    steps.map(line).collect()
}
