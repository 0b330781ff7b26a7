//! Straight flight through the voxels of any anisotropic grid. Twin: `shaders/shared/geometry.wgsl`.
//!
//! A position is a voxel and a place in it, so that precision does not depend on the size of the grid.

use crate::prepare::transport::scene::{GridShape, MATERIAL_MASK, VoxelMedium};

/// A length beyond every grid [cm].
const FAR_CM: f32 = 1e30;
/// A component of a direction below which a flight is parallel to the faces of that axis.
const PARALLEL: f32 = 1e-12;

/// Where a particle is and where it goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Position {
    /// Indices of its voxel.
    pub(crate) cell: [i32; 3],
    /// Where in the voxel, from its low corner [cm].
    pub(crate) local_cm: [f32; 3],
    /// Unit vector.
    pub(crate) direction: [f32; 3],
}

/// The face of the voxel that a flight meets next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Face {
    pub(crate) distance_cm: f32,
    pub(crate) axis: usize,
}

impl Position {
    /// Number of its voxel, x fastest.
    #[inline]
    #[expect(clippy::cast_sign_loss, reason = "a position is inside the grid")]
    pub(crate) fn voxel_index(&self, grid: &GridShape) -> usize {
        ((self.cell[2] * grid.shape[1] + self.cell[1]) * grid.shape[0] + self.cell[0]) as usize
    }

    /// The face that it meets next if it flies straight on.
    #[inline]
    pub(crate) fn next_face(&self, grid: &GridShape) -> Face {
        let along = |axis: usize| {
            let (u, x) = (self.direction[axis], self.local_cm[axis]);
            if u > PARALLEL {
                (grid.spacing_cm[axis] - x) / u
            } else if u < -PARALLEL {
                -x / u
            } else {
                FAR_CM
            }
        };
        nearest([along(0), along(1), along(2)])
    }

    /// Distance to the nearest point of the voxel's surface [cm].
    #[inline]
    pub(crate) fn nearest_surface_cm(&self, grid: &GridShape) -> f32 {
        let along = |axis: usize| self.local_cm[axis].min(grid.spacing_cm[axis] - self.local_cm[axis]);
        along(0).min(along(1)).min(along(2))
    }

    /// Flies within the voxel.
    #[inline]
    pub(crate) fn advance(&mut self, distance_cm: f32, grid: &GridShape) {
        for axis in 0..3 {
            let x = self.local_cm[axis] + self.direction[axis] * distance_cm;
            self.local_cm[axis] = x.clamp(0.0, grid.spacing_cm[axis]);
        }
    }

    /// Flies to a face and through it. False: out of the grid.
    #[inline]
    pub(crate) fn cross_face(&mut self, face: Face, grid: &GridShape) -> bool {
        self.advance(face.distance_cm, grid);
        self.local_cm[face.axis] = if self.direction[face.axis] > 0.0 { 0.0 } else { grid.spacing_cm[face.axis] };
        self.enter_next(face.axis, grid)
    }

    /// Goes to the next voxel along an axis. False: out of the grid.
    #[inline]
    pub(crate) fn enter_next(&mut self, axis: usize, grid: &GridShape) -> bool {
        self.cell[axis] += if self.direction[axis] > 0.0 { 1 } else { -1 };
        if self.cell[axis] >= 0 && self.cell[axis] < grid.shape[axis] {
            return true;
        }
        if grid.is_periodic {
            self.cell[axis] = if self.cell[axis] < 0 { grid.shape[axis] - 1 } else { 0 };
        }
        grid.is_periodic
    }
}

/// Indices of a voxel.
#[inline]
pub(crate) fn cell_of(voxel: i32, grid: &GridShape) -> [i32; 3] {
    let [nx, ny, _] = grid.shape;
    [voxel % nx, voxel / nx % ny, voxel / nx / ny]
}

/// The nearest of the faces at these distances by axis.
#[inline]
fn nearest([x, y, z]: [f32; 3]) -> Face {
    let (nearer, axis) = if y < x { (y, 1) } else { (x, 0) };
    if z < nearer { Face { distance_cm: z, axis: 2 } } else { Face { distance_cm: nearer, axis } }
}

/// A straight flight through many voxels: distances to the faces are kept, not computed again in each voxel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ray {
    /// From here to the next face of each axis [cm].
    to_face_cm: [f32; 3],
    /// From one face of an axis to the next [cm].
    across_cm: [f32; 3],
}

impl Ray {
    /// From a place in its direction.
    #[inline]
    pub(crate) fn new(at: &Position, grid: &GridShape) -> Self {
        let mut ray = Self { to_face_cm: [FAR_CM; 3], across_cm: [FAR_CM; 3] };
        for axis in 0..3 {
            let (u, x, edge) = (at.direction[axis], at.local_cm[axis], grid.spacing_cm[axis]);
            if u.abs() > PARALLEL {
                ray.to_face_cm[axis] = if u > 0.0 { (edge - x) / u } else { -x / u };
                ray.across_cm[axis] = edge / u.abs();
            }
        }
        ray
    }

    /// The face that it meets next.
    #[inline]
    pub(crate) fn face(&self) -> Face {
        nearest(self.to_face_cm)
    }

    /// Flies to a face and through it. The place in the voxel is computed only where the flight ends.
    #[inline]
    pub(crate) fn beyond(&mut self, face: Face) {
        for distance in &mut self.to_face_cm {
            *distance -= face.distance_cm;
        }
        self.to_face_cm[face.axis] = self.across_cm[face.axis];
    }

    /// Ends the flight in the present voxel, at a distance from where it entered.
    #[inline]
    pub(crate) fn end(&self, distance_cm: f32, at: &mut Position, grid: &GridShape) {
        for axis in 0..3 {
            let (u, edge) = (at.direction[axis], grid.spacing_cm[axis]);
            if u.abs() > PARALLEL {
                let left = (self.to_face_cm[axis] - distance_cm) * u;
                at.local_cm[axis] = if u > 0.0 { edge - left } else { -left }.clamp(0.0, edge);
            }
        }
    }
}

/// A direction turned by a polar angle and an azimuth.
///
/// * `cosine` – of the polar angle
/// * `azimuth` – cosine and sine of the azimuth
///
/// Source of the basis: Duff et al., J. Comput. Graph. Tech. 6 (2017) 1.
#[inline]
pub(crate) fn turned(direction: [f32; 3], cosine: f32, azimuth: [f32; 2]) -> [f32; 3] {
    let [u, v, w] = direction;
    let sine = (1.0 - cosine * cosine).max(0.0).sqrt();
    let sign = if w < 0.0 { -1.0 } else { 1.0 };
    let a = -1.0 / (sign + w);
    let b = u * v * a;
    let (p, q) = (sine * azimuth[0], sine * azimuth[1]);
    let turned = [
        cosine * u + p * (1.0 + sign * u * u * a) + q * b,
        cosine * v + p * sign * b + q * (sign + v * v * a),
        cosine * w - p * sign * u - q * v,
    ];
    let scale = 1.0 / (turned[0] * turned[0] + turned[1] * turned[1] + turned[2] * turned[2]).sqrt();
    turned.map(|x| x * scale)
}

/// The density [g/cm³] and the number of the material that one word of the medium holds.
#[inline]
pub(crate) fn medium_of(word: u32) -> VoxelMedium {
    VoxelMedium { density_g_cm3: f32::from_bits(word & !MATERIAL_MASK), material: (word & MATERIAL_MASK) as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::cpu::transport::random::Stream;
    use crate::engine::cpu::transport::sampling::{isotropic, next_azimuth};

    const GRID: GridShape = GridShape { shape: [5, 1, 7], spacing_cm: [0.3, 0.7, 0.05], is_periodic: false };

    fn somewhere(stream: &mut Stream) -> Position {
        let cell = GRID.shape.map(|n| i32::try_from(stream.next_word() % n.unsigned_abs()).expect("few"));
        let local_cm = GRID.spacing_cm.map(|edge| edge * stream.next_uniform());
        Position { cell, local_cm, direction: isotropic(stream) }
    }

    /// Place in the grid [cm].
    fn place(at: &Position) -> [f64; 3] {
        [0, 1, 2].map(|axis| f64::from(at.cell[axis]) * f64::from(GRID.spacing_cm[axis]) + f64::from(at.local_cm[axis]))
    }

    #[test]
    fn a_flight_ends_where_geometry_says_and_a_ray_flies_the_same_way() {
        let mut stream = Stream::new([1, 1, 1, 1], 1);
        for _ in 0..5000 {
            let start = somewhere(&mut stream);
            let length = 0.5 * stream.next_uniform();
            let (mut step, mut ray_at) = (start, start);
            let mut ray = Ray::new(&start, &GRID);
            let (mut left, mut inside) = (length, true);
            while inside {
                let (face, ray_face) = (step.next_face(&GRID), ray.face());
                // Rounding is that of a place: seen along a shallow direction, it is longer.
                let apart = (face.distance_cm - ray_face.distance_cm) * step.direction[face.axis];
                assert!(apart.abs() < 1e-6, "{face:?} {ray_face:?}");
                if face.distance_cm >= left {
                    break;
                }
                left -= face.distance_cm;
                inside = step.cross_face(face, &GRID);
                ray.beyond(face);
                assert_eq!(ray_at.enter_next(face.axis, &GRID), inside);
            }
            if inside {
                step.advance(left, &GRID);
                ray.end(left, &mut ray_at, &GRID);
                let (from, to, by_ray) = (place(&start), place(&step), place(&ray_at));
                for axis in 0..3 {
                    let expected = from[axis] + f64::from(start.direction[axis]) * f64::from(length);
                    assert!((to[axis] - expected).abs() < 3e-6 && (by_ray[axis] - expected).abs() < 3e-6, "{start:?}");
                }
            }
        }
    }

    #[test]
    fn what_leaves_a_periodic_grid_comes_back_on_the_other_side() {
        let grid = GridShape { is_periodic: true, ..GRID };
        let mut at = Position { cell: [0, 0, 6], local_cm: [0.1, 0.2, 0.01], direction: [0.0, 0.0, 1.0] };
        let face = at.next_face(&grid);
        assert!(at.cross_face(face, &grid));
        assert_eq!((at.cell, at.local_cm[2]), ([0, 0, 0], 0.0));
        at.direction = [-1.0, 0.0, 0.0];
        let face = at.next_face(&grid);
        assert!(at.cross_face(face, &grid));
        assert_eq!((at.cell, at.local_cm[0]), ([4, 0, 0], 0.3));
    }

    #[test]
    fn turning_keeps_the_length_and_gives_the_angle() {
        let mut stream = Stream::new([1, 1, 1, 1], 2);
        for _ in 0..5000 {
            let direction = isotropic(&mut stream);
            let cosine = 2.0 * stream.next_uniform() - 1.0;
            let new = turned(direction, cosine, next_azimuth(&mut stream));
            let dot: f32 = new.iter().zip(direction).map(|(a, b)| a * b).sum();
            let norm: f32 = new.iter().map(|a| a * a).sum();
            assert!((dot - cosine).abs() < 2e-6 && (norm - 1.0).abs() < 1e-6, "{direction:?} {cosine} {dot}");
        }
        for pole in [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]] {
            assert_eq!(turned(pole, 1.0, [1.0, 0.0]), pole);
        }
    }

    #[test]
    fn a_word_of_the_medium_holds_density_and_material() {
        for (density, material) in [(1.0f32, 3u32), (0.0, 15), (1.92, 0), (1e-30, 7)] {
            let medium = medium_of((density.to_bits() & !15) | material);
            assert_eq!(medium.material, material as usize);
            assert!((medium.density_g_cm3 - density).abs() <= 1e-6 * density, "{density}");
        }
    }
}
