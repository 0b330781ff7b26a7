//! The transport of all energy along the lines, plane by plane.

use rayon::prelude::*;

use super::Cones;
use super::lines::Line;
use super::row::{Passing, along, pass, past, shift};

/// Values of lines that are worth a task of their own.
pub(super) const LEAST_WORK: usize = 40_000;

/// What the lines of a plane carry out of its voxels: by row, then line, then term, then x.
pub(super) struct Plane {
    pub(super) carried: Vec<f32>,
    /// Rows in which there is anything.
    pub(super) live: Vec<bool>,
    /// Values of a row.
    pub(super) row_len: usize,
}

impl Plane {
    pub(super) fn new([nx, ny, _]: [usize; 3], lines: usize, terms: usize) -> Self {
        let row_len = lines * terms * nx;
        Self { carried: vec![0.0; row_len * ny], live: vec![false; ny], row_len }
    }

    /// A row, if it is there and there is anything in it.
    fn row(&self, y: Option<usize>) -> Option<&[f32]> {
        let y = y.filter(|&y| self.live.get(y).copied().unwrap_or(false))?;
        Some(&self.carried[y * self.row_len..][..self.row_len])
    }
}

/// One transport of all energy.
pub(super) struct Sweep<'a> {
    pub(super) cones: &'a Cones,
    pub(super) shape: [usize; 3],
    pub(super) source: &'a [f32],
    pub(super) density_g_cm3: Option<&'a [f32]>,
    /// Energy that is not worth carrying on.
    pub(super) faint: f32,
}

impl Sweep<'_> {
    /// Lines that come from the plane before.
    pub(super) fn plane(&self, lines: &[Line], z: usize, before: &Plane, after: &mut Plane, absorbed: &mut [f32]) {
        let [nx, ny, _] = self.shape;
        let (row_len, terms) = (after.row_len, self.cones.terms);
        let rows = after.carried.par_chunks_exact_mut(row_len).zip(&mut after.live);
        // Fewer rows to a thread would make it wait more than work.
        let rows = rows.zip(absorbed.par_chunks_exact_mut(nx)).enumerate().with_min_len(LEAST_WORK.div_ceil(row_len));
        rows.for_each(|(y, ((carried, live), absorbed))| {
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
    pub(super) fn within_plane(&self, z: usize, absorbed: &mut [f32]) {
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
