//! What voxels do to the lines through them, by row: computed once where it is needed more than once.

use rayon::prelude::*;

use super::Cones;
use super::lines::Line;
use super::row::{Crossing, past};
use crate::engine::cpu::with_vectors;

/// Classes of lines: see [`Line::class`].
pub(super) const CLASSES: usize = 8;
/// Those of lines that stay in a plane of z come first.
pub(super) const CLASSES_WITHIN_PLANE: usize = 4;

/// What voxels do to the lines through them. Rows hold, for each term, what goes on and what goes out.
pub(in crate::method::kernel) enum Crossings<'a> {
    /// In the medium: one row of each class serves all.
    Uniform(Vec<f32>),
    /// In all voxels, for several transports: by class, z and y.
    Kept(Vec<f32>),
    /// Not computed yet: the densities [g/cm³].
    Open(&'a [f32]),
}

/// Rows of [`Crossings::Open`] that are computed already.
pub(super) struct Computed {
    rows: Vec<f32>,
    done: Vec<bool>,
    row_len: usize,
}

impl Computed {
    /// * `places` – number of rows that there is room for; there is none where none is to be computed
    pub(super) fn new(crossings: &Crossings, places: usize, row_len: usize) -> Self {
        let places = match crossings {
            Crossings::Open(_) => places,
            Crossings::Uniform(_) | Crossings::Kept(_) => 0,
        };
        Self { rows: vec![0.0; places * row_len], done: vec![false; places], row_len }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.done.fill(false);
    }

    #[inline(always)]
    fn row(&mut self, place: usize, fill: impl FnOnce(&mut [f32])) -> &[f32] {
        let row = &mut self.rows[place * self.row_len..(place + 1) * self.row_len];
        if !std::mem::replace(&mut self.done[place], true) {
            fill(row);
        }
        row
    }
}

impl Crossings<'_> {
    /// The row at `y` and `z` for a line.
    ///
    /// * `place` – of the row in what is computed on the way
    #[inline(always)]
    pub(super) fn row<'r>(
        &'r self,
        cones: &Cones,
        [nx, ny, nz]: [usize; 3],
        line: &Line,
        [y, z]: [usize; 2],
        (place, computed): (usize, &'r mut Computed),
    ) -> &'r [f32] {
        let row_len = cones.crossing_len(nx);
        match self {
            Self::Uniform(rows) => &rows[line.class() * row_len..][..row_len],
            Self::Kept(rows) => &rows[((line.class() * nz + z) * ny + y) * row_len..][..row_len],
            Self::Open(density) => {
                let density = &density[(z * ny + y) * nx..][..nx];
                computed.row(
                    place,
                    // Else it would not become vector code as wide as that around it.
                    #[inline(always)]
                    |row| cones.cross(line, density, row),
                )
            }
        }
    }
}

/// A term of a row.
pub(super) fn of_term(row: &[f32], term: usize, nx: usize) -> Crossing<'_> {
    let (on, out) = row[2 * term * nx..][..2 * nx].split_at(nx);
    Crossing { on, out }
}

impl Cones {
    /// Values of a row of crossings.
    pub(super) fn crossing_len(&self, nx: usize) -> usize {
        2 * self.terms.len() * nx
    }

    /// What the medium does to lines.
    pub(in crate::method::kernel) fn in_medium(&self, shape: [usize; 3]) -> Crossings<'static> {
        let row_len = self.crossing_len(shape[0]);
        #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
        let density = vec![self.medium_g_cm3 as f32; shape[0]];
        let mut rows = vec![0.0; CLASSES * row_len];
        for line in &self.lines {
            let row = &mut rows[line.class() * row_len..][..row_len];
            with_vectors!(_simd => self.cross(line, &density, row));
        }
        Crossings::Uniform(rows)
    }

    /// What voxels of these densities [g/cm³] do to lines, for several transports.
    pub(in crate::method::kernel) fn kept(&self, density: &[f32], shape: [usize; 3]) -> Crossings<'static> {
        let row_len = self.crossing_len(shape[0]);
        let mut rows = vec![0.0; CLASSES * shape[1] * shape[2] * row_len];
        let one_of = |class: usize| self.lines.iter().find(|line| line.class() == class);
        let classes = rows.par_chunks_exact_mut(shape[1] * shape[2] * row_len).enumerate();
        classes.for_each(|(class, rows)| {
            let Some(line) = one_of(class) else { return };
            let rows = rows.chunks_exact_mut(row_len).zip(density.chunks_exact(shape[0]));
            rows.for_each(|(row, density)| with_vectors!(_simd => self.cross(line, density, row)));
        });
        Crossings::Kept(rows)
    }

    /// What the voxels of a row do to a line through them.
    #[inline(always)]
    fn cross(&self, line: &Line, density: &[f32], row: &mut [f32]) {
        let nx = density.len();
        for (term, (_, multiple)) in self.terms.iter().enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "the precision of the transport")]
            let per_density = (multiple * line.length_cm / self.lambda) as f32;
            let (on, out) = row[2 * term * nx..][..2 * nx].split_at_mut(nx);
            for ((density, on), out) in density.iter().zip(on).zip(out) {
                (*on, *out) = past(density * per_density);
            }
        }
    }
}
