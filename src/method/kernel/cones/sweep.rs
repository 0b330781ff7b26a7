//! The transport of all energy along the lines, plane by plane.

use rayon::prelude::*;

use super::Cones;
use super::crossings::{CLASSES, CLASSES_WITHIN_PLANE, Computed, Crossings, of_term};
use super::lines::{Line, Terms};
use super::row::{along, pass};
use crate::engine::cpu::with_vectors;

/// Values of lines that are worth a task of their own.
pub(super) const LEAST_WORK: usize = 40_000;

/// What the lines of a plane carry out of its voxels: by row, then line, then term, then x, with a zero at each end.
pub(super) struct Plane {
    pub(super) carried: Vec<f32>,
    /// Rows in which there is anything.
    pub(super) live: Vec<bool>,
    /// Values of a row.
    pub(super) row_len: usize,
}

impl Plane {
    pub(super) fn new([nx, ny, _]: [usize; 3], lines: usize, terms: usize) -> Self {
        let row_len = lines * terms * (nx + 2);
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
    /// Whether a row has any source, by z and y.
    pub(super) has_source: Vec<bool>,
    pub(super) crossings: &'a Crossings<'a>,
    /// Energy that is not worth carrying on.
    pub(super) faint: f32,
}

impl Sweep<'_> {
    /// Lines that come from the plane before.
    pub(super) fn plane(&self, lines: &[Line], z: usize, before: &Plane, after: &mut Plane, absorbed: &mut [f32]) {
        let [nx, ny, _] = self.shape;
        let row_len = after.row_len;
        let nothing = vec![0.0; nx];
        let rows = after.carried.par_chunks_exact_mut(row_len).zip(&mut after.live);
        // Fewer rows to a thread would make it wait more than work.
        let rows = rows.zip(absorbed.par_chunks_exact_mut(nx)).enumerate().with_min_len(LEAST_WORK.div_ceil(row_len));
        let computed = || Computed::new(self.crossings, CLASSES, self.cones.crossing_len(nx));
        rows.for_each_init(computed, |computed, (y, ((carried, live), absorbed))| {
            let reached = (y.saturating_sub(1)..ny.min(y + 2)).any(|y| before.live[y]);
            *live = self.has_source[z * ny + y] || reached;
            if *live {
                computed.clear();
                let to = (carried, computed, absorbed);
                *live = with_vectors!(_simd => self.plane_row(lines, [y, z], before, &nothing, to));
            }
        });
    }

    /// A row of a plane, in vector code. Whether more than a faint energy goes out of any of its voxels.
    ///
    /// * `nothing` – comes from where there is no row
    #[inline(always)]
    fn plane_row(
        &self,
        lines: &[Line],
        [y, z]: [usize; 2],
        before: &Plane,
        nothing: &[f32],
        (carried, computed, absorbed): (&mut [f32], &mut Computed, &mut [f32]),
    ) -> bool {
        let ([nx, ..], terms) = (self.shape, self.cones.terms);
        let source = self.row(self.source, y, z);
        let mut live = false;
        for (number, line) in lines.iter().enumerate() {
            let crossing = self.crossings.row(self.cones, self.shape, line, [y, z], (line.class(), computed));
            let from = before.row(y.checked_add_signed(-isize::from(line.step[1])));
            for (term, (factor, _)) in terms.iter().enumerate() {
                let place = (number * terms.len() + term) * (nx + 2);
                let comes_in = from.map_or(nothing, |row| neighbours(&row[place..place + nx + 2], line));
                let goes_out = &mut carried[place + 1..place + 1 + nx];
                let parts = [line.share, *factor, self.faint];
                live |= pass(parts, source, of_term(crossing, term, nx), comes_in, goes_out, absorbed);
            }
        }
        live
    }

    /// Room for what is computed on the way through a plane.
    pub(super) fn room_within_plane(&self) -> Computed {
        let [nx, ny, _] = self.shape;
        Computed::new(self.crossings, CLASSES_WITHIN_PLANE * ny, self.cones.crossing_len(nx))
    }

    /// Lines that stay in their plane. In vector code.
    ///
    /// * `computed` – [`Sweep::room_within_plane`], with whatever is in it
    #[inline(always)]
    pub(super) fn within_plane(&self, z: usize, computed: &mut Computed, absorbed: &mut [f32]) {
        let [nx, ny, _] = self.shape;
        let terms = self.cones.terms;
        let room = nx + 2;
        computed.clear();
        for line in self.cones.lines.iter().filter(|line| line.step[2] == 0) {
            let [mut carried, mut after] = [0; 2].map(|_| vec![0.0; room * terms.len()]);
            let mut reached = false;
            for n in 0..ny {
                let y = if line.step[1] >= 0 { n } else { ny - 1 - n };
                let has_source = self.has_source[z * ny + y];
                if !has_source && !reached {
                    carried.fill(0.0);
                    continue;
                }
                let source = self.row(self.source, y, z);
                let absorbed = &mut absorbed[y * nx..(y + 1) * nx];
                let place = (line.class() * ny + y, &mut *computed);
                let crossing = self.crossings.row(self.cones, self.shape, line, [y, z], place);
                reached = false;
                if line.step[1] == 0 {
                    along_row(line, terms, source, crossing, absorbed);
                    continue;
                }
                for (term, (factor, _)) in terms.iter().enumerate() {
                    let crossing = of_term(crossing, term, nx);
                    let comes_in = neighbours(&carried[term * room..][..room], line);
                    let goes_out = &mut after[term * room + 1..][..nx];
                    reached |= pass([line.share, *factor, self.faint], source, crossing, comes_in, goes_out, absorbed);
                }
                std::mem::swap(&mut carried, &mut after);
            }
        }
    }

    fn row<'v>(&self, values: &'v [f32], y: usize, z: usize) -> &'v [f32] {
        let [nx, ny, _] = self.shape;
        &values[(z * ny + y) * nx..][..nx]
    }
}

/// Takes energy along a row.
///
/// * `crossing` – of all terms
#[inline(always)]
fn along_row(line: &Line, terms: Terms, source: &[f32], crossing: &[f32], absorbed: &mut [f32]) {
    let of = |term: usize| of_term(crossing, term, source.len());
    if let [first, second, third] = terms {
        along(line, [first, second, third].map(|(factor, _)| *factor), source, [of(0), of(1), of(2)], absorbed);
        return;
    }
    for (term, (factor, _)) in terms.iter().enumerate() {
        along(line, [*factor], source, [of(term)], absorbed);
    }
}

/// What comes into each voxel of a row from its neighbours along a line.
///
/// * `row` – what goes out of them, with a zero at each end
fn neighbours<'r>(row: &'r [f32], line: &Line) -> &'r [f32] {
    match line.step[0] {
        1 => &row[..row.len() - 2],
        0 => &row[1..row.len() - 1],
        _ => &row[2..],
    }
}
