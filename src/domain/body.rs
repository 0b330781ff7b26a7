//! Where the body is: the largest connected piece of matter in a density map, with all that it encloses.

use super::Volume;
use super::passes::sum_of_block;

/// Voxels below this density hold air, as materials by density have it [g/cm³].
pub(super) const AIR_BELOW_G_CM3: f32 = 0.05;

/// A map with more runs than one for so many voxels is noise and has no contour.
const VOXELS_A_RUN: usize = 4;
/// Runs in each row that are never noise.
const RUNS_A_ROW: usize = 8;

/// Neighbouring voxels of one row, all of matter or all of air.
#[derive(Clone, Copy)]
struct Run {
    row: usize,
    start: usize,
    end: usize,
    is_matter: bool,
}

/// Runs, row by row.
struct Runs {
    runs: Vec<Run>,
    /// Index of the first run of each row, and the number of runs.
    first: Vec<usize>,
    shape: [usize; 3],
}

/// Which runs hang together.
struct Pieces(Vec<usize>);

/// A body in a density map.
pub(super) struct Body {
    runs: Runs,
    /// Whether a run lies outside. Voxels that share a face hang together; outside is what is neither the body nor
    /// enclosed by it.
    is_outside: Vec<bool>,
}

/// Parts of the sum of a map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    /// In voxels of air.
    pub(super) in_air: f64,
    /// Outside the body.
    pub(super) outside: f64,
}

impl Body {
    /// None if there is no body to see.
    pub(super) fn of(density: &Volume<f32>) -> Option<Self> {
        let runs = Runs::new(density)?;
        let is_outside = outside(&runs)?;
        Some(Self { runs, is_outside })
    }

    /// * `values` – one a voxel of the density map, not negative, with a sum above 0
    pub(super) fn shares(&self, values: &[f32]) -> Shares {
        let (mut all, mut in_air, mut outside) = (0.0, 0.0, 0.0);
        for (run, is_outside) in self.runs.runs.iter().zip(&self.is_outside) {
            let row = run.row * self.runs.shape[0];
            let sum = sum_of_block(&values[row + run.start..row + run.end]);
            all += sum;
            in_air += if run.is_matter { 0.0 } else { sum };
            outside += if *is_outside { sum } else { 0.0 };
        }
        Shares { in_air: in_air / all, outside: outside / all }
    }
}

/// Whether each run lies outside the largest piece of matter and all that it encloses.
fn outside(runs: &Runs) -> Option<Vec<bool>> {
    let mut matter = Pieces::new(runs.runs.len());
    runs.join(&mut matter, |run| runs.runs[run].is_matter);
    let mut voxels = vec![0; runs.runs.len()];
    for (at, run) in runs.runs.iter().enumerate().filter(|(_, run)| run.is_matter) {
        voxels[matter.root(at)] += run.end - run.start;
    }
    let (body, _) = voxels.iter().enumerate().max_by_key(|(at, voxels)| (**voxels, usize::MAX - at))?;
    let is_body: Vec<bool> =
        (0..runs.runs.len()).map(|at| runs.runs[at].is_matter && matter.root(at) == body).collect();
    let mut others = Pieces::new(runs.runs.len());
    runs.join(&mut others, |run| !is_body[run]);
    let mut has_way_out = vec![false; runs.runs.len()];
    for (at, run) in runs.runs.iter().enumerate().filter(|(at, _)| !is_body[*at]) {
        has_way_out[others.root(at)] |= runs.is_at_edge(run);
    }
    Some((0..runs.runs.len()).map(|at| !is_body[at] && has_way_out[others.root(at)]).collect())
}

impl Runs {
    /// None where there is no matter, or no contour.
    fn new(density: &Volume<f32>) -> Option<Self> {
        let (shape, values) = (density.grid().shape(), density.as_slice());
        let most = values.len() / VOXELS_A_RUN + RUNS_A_ROW * shape[1] * shape[2];
        let (mut runs, mut first) = (Vec::new(), vec![0]);
        for (row, values) in values.chunks(shape[0]).enumerate() {
            let is_air = |g_cm3: f32| g_cm3 < AIR_BELOW_G_CM3;
            // Most rows are of one kind, which is seen by counting, in vector code.
            let air = values.iter().fold(0u32, |count, g_cm3| count + u32::from(is_air(*g_cm3))) as usize;
            if air == 0 || air == values.len() {
                runs.push(Run { row, start: 0, end: values.len(), is_matter: air == 0 });
            } else {
                let mut start = 0;
                for piece in values.chunk_by(|a, b| is_air(*a) == is_air(*b)) {
                    let end = start + piece.len();
                    runs.push(Run { row, start, end, is_matter: !is_air(piece[0]) });
                    start = end;
                }
            }
            first.push(runs.len());
            if runs.len() > most {
                return None;
            }
        }
        runs.iter().any(|run| run.is_matter).then_some(Self { runs, first, shape })
    }

    /// Joins neighbouring runs that both belong to a kind.
    fn join(&self, pieces: &mut Pieces, belongs: impl Fn(usize) -> bool) {
        let [_, ny, nz] = self.shape;
        for row in 0..ny * nz {
            let (y, own) = (row % ny, self.first[row]..self.first[row + 1]);
            for (a, b) in own.clone().zip(own.clone().skip(1)) {
                if belongs(a) && belongs(b) {
                    pieces.join(a, b);
                }
            }
            for other in [(y > 0).then(|| row - 1), row.checked_sub(ny)].into_iter().flatten() {
                let (mut a, mut b) = (own.start, self.first[other]);
                while a < own.end && b < self.first[other + 1] {
                    if belongs(a) && belongs(b) {
                        pieces.join(a, b);
                    }
                    // Runs fill their rows, so that these two overlap; the one that ends first gives way to its next.
                    let (end_a, end_b) = (self.runs[a].end, self.runs[b].end);
                    a += usize::from(end_a <= end_b);
                    b += usize::from(end_b <= end_a);
                }
            }
        }
    }

    /// Whether a run reaches an end of the grid. A grid of one voxel along an axis has no ends there.
    fn is_at_edge(&self, run: &Run) -> bool {
        let [nx, ny, nz] = self.shape;
        let (y, z) = (run.row % ny, run.row / ny);
        let is_end = |at: usize, n: usize| n > 1 && (at == 0 || at + 1 == n);
        is_end(y, ny) || is_end(z, nz) || (nx > 1 && (run.start == 0 || run.end == nx))
    }
}

impl Pieces {
    fn new(runs: usize) -> Self {
        Self((0..runs).collect())
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    /// A density map of slices of rows: `#` matter, `.` air, and where the activity is: `O` in matter, `o` in air.
    fn share(slices: &[&[&str]]) -> Option<f64> {
        shares(slices).map(|shares| shares.outside)
    }

    fn shares(slices: &[&[&str]]) -> Option<Shares> {
        let shape = [slices[0][0].len(), slices[0].len(), slices.len()].map(|n| n as u64);
        let text: String = slices.iter().flat_map(|rows| rows.iter().copied()).collect();
        let grid = Arc::new(VoxelGrid::new(shape, [1.0; 3]).expect("a good grid"));
        let density = text.chars().map(|c| if "#O".contains(c) { 1.0 } else { 0.001 }).collect();
        let values: Vec<f32> = text.chars().map(|c| if "Oo".contains(c) { 1.0 } else { 0.0 }).collect();
        let density = Volume::from_vec(grid, density).expect("a value for each voxel");
        Body::of(&density).map(|body| body.shares(&values))
    }

    #[test]
    fn air_is_counted_within_and_without() {
        let rows = ["o......", ".####..", ".#o.#..", ".#O##..", "......."];
        assert_eq!(shares(&[&rows]), Some(Shares { in_air: 2.0 / 3.0, outside: 1.0 / 3.0 }));
    }

    #[test]
    fn what_a_body_encloses_is_not_outside() {
        // Gas in the body, with an island of matter in it.
        assert_eq!(share(&[&[".......", ".#####.", ".#o.o#.", ".#.O.#.", ".#...#.", ".##O##.", "......."]]), Some(0.0));
    }

    #[test]
    fn air_around_a_body_and_what_lies_beside_it_are_outside() {
        let rows = ["o......", ".####..", ".#O.#.O", ".##O#..", "......."];
        assert_eq!(share(&[&rows]), Some(0.5));
    }

    #[test]
    fn gas_with_a_way_out_is_outside() {
        assert_eq!(share(&[&["#####", "#.o.#", "##.##"]]), Some(1.0));
        assert_eq!(share(&[&["#####", "#.o.#", "#####"]]), Some(0.0));
    }

    #[test]
    fn bodies_hang_together_along_every_axis() {
        let slices: [&[&str]; 3] = [&["#..", "O..", "..."], &["#..", "...", "..."], &["###", "..#", "..O"]];
        assert_eq!(share(&slices), Some(0.0));
        // Only by an edge: the smaller piece is outside.
        assert_eq!(share(&[&["##..", "##O.", "##.O"]]), Some(0.5));
    }

    #[test]
    fn no_matter_is_no_body() {
        assert_eq!(share(&[&["..", ".o"]]), None);
    }
}
