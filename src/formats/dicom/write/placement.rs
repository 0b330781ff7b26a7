//! Where the frames of an image lie: rows, columns and frames in the order that readers of doses expect.

use std::sync::Arc;

use super::decimal::decimal;
use crate::domain::{Invalid, Volume, VoxelGrid};
use crate::resample::{reorder, upright};

/// A volume in frames: the first axis runs along a row, the second down a column, the third along row × column.
pub(super) struct Frames<T> {
    pub(super) volume: Volume<T>,
}

impl<T: Copy> Frames<T> {
    /// The same voxels, their axes as near to the patient's left, back and head as they can be. Frames are then
    /// transverse wherever the grid allows it, which many readers need, and no value changes.
    ///
    /// # Errors
    /// If the voxels cannot be put in that order.
    pub(super) fn of(volume: &Volume<T>) -> Result<Self, Invalid> {
        let grid = Arc::new(upright(volume.grid())?);
        let volume =
            reorder(volume, &grid).ok_or_else(|| Invalid::new("lies on a grid whose axes cannot be put in order"))?;
        Ok(Self { volume })
    }

    /// Columns, rows and frames.
    pub(super) fn shape(&self) -> [usize; 3] {
        self.volume.grid().shape()
    }

    /// Pixel Spacing: between rows and between columns [mm].
    pub(super) fn pixel_spacing(&self) -> Vec<String> {
        let [column, row, _] = self.volume.grid().spacing_mm();
        vec![decimal(row), decimal(column)]
    }

    /// Distance between frames [mm].
    pub(super) fn frame_spacing(&self) -> String {
        decimal(self.volume.grid().spacing_mm()[2])
    }

    /// Image Orientation (Patient): directions of a row and of a column.
    pub(super) fn orientation(&self) -> Vec<String> {
        let lps = lps(self.volume.grid());
        let direction = |axis: usize| {
            let column = lps.map(|row| row[axis]);
            let length = column.iter().map(|v| v * v).sum::<f64>().sqrt();
            column.map(|v| decimal(v / length))
        };
        [direction(0), direction(1)].concat()
    }

    /// Image Position (Patient) of a frame: the centre of its first pixel [mm].
    pub(super) fn position(&self, frame: usize) -> Vec<String> {
        lps(self.volume.grid()).map(|row| decimal(row[3] + row[2] * frame as f64)).to_vec()
    }

    /// Grid Frame Offset Vector: distance of each frame from the first [mm].
    pub(super) fn offsets(&self) -> Vec<String> {
        let step = self.volume.grid().spacing_mm()[2];
        (0..self.shape()[2]).map(|frame| decimal(step * frame as f64)).collect()
    }
}

/// The affine with its coordinates running to the patient's left, back and head.
fn lps(grid: &VoxelGrid) -> [[f64; 4]; 3] {
    let [x, y, z] = *grid.affine();
    [x.map(|v| -v), y.map(|v| -v), z]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::grid::apply;

    fn volume(affine: [[f64; 4]; 3]) -> Volume<u32> {
        let grid = VoxelGrid::new([3, 4, 5], [2.0, 3.0, 4.0]).and_then(|grid| grid.with_affine(affine));
        Volume::from_vec(Arc::new(grid.expect("a good grid")), (0..60).collect()).expect("60 voxels")
    }

    /// Where each value lies, by value.
    fn places(volume: &Volume<u32>) -> Vec<[f64; 3]> {
        let mut places = vec![[0.0; 3]; 60];
        for ((x, y, z), &value) in volume.data().indexed_iter() {
            places[value as usize] = apply(volume.grid().affine(), [x, y, z].map(|v| v as f64));
        }
        places
    }

    /// Columns of lengths 2, 3 and 4 mm turned about z and x [degrees].
    fn turned(about_z: f64, about_x: f64, flip: f64) -> [[f64; 4]; 3] {
        let ((sz, cz), (sx, cx)) = (about_z.to_radians().sin_cos(), about_x.to_radians().sin_cos());
        let rotation = [[cz, -sz, 0.0], [cx * sz, cx * cz, -sx], [sx * sz, sx * cz, cx]];
        let lengths = [2.0, 3.0, 4.0 * flip];
        let mut affine = [[0.0, 0.0, 0.0, 11.0], [0.0, 0.0, 0.0, -7.0], [0.0, 0.0, 0.0, 123.0]];
        for (row, turned) in affine.iter_mut().zip(rotation) {
            (0..3).for_each(|axis| row[axis] = turned[axis] * lengths[axis]);
        }
        affine
    }

    #[test]
    fn any_grid_keeps_every_voxel_at_its_place() {
        for about_z in [0.0, 20.0, 90.0, 135.0, -170.0] {
            for about_x in [0.0, 35.0, 90.0, 180.0] {
                for flip in [1.0, -1.0] {
                    let given = volume(turned(about_z, about_x, flip));
                    let frames = Frames::of(&given).expect("a good grid");
                    let what = format!("{about_z}° {about_x}° {flip}");
                    for (a, b) in places(&given).into_iter().zip(places(&frames.volume)) {
                        assert!((0..3).all(|i| (a[i] - b[i]).abs() < 1e-9), "{what}: {a:?} {b:?}");
                    }
                    check_handedness(&frames, &what);
                }
            }
        }
    }

    /// Frames lie along row × column, by the strings that are written.
    fn check_handedness(frames: &Frames<u32>, what: &str) {
        let number = |text: &String| text.parse::<f64>().expect("a number");
        let v: Vec<f64> = frames.orientation().iter().map(number).collect();
        let normal = [v[1] * v[5] - v[2] * v[4], v[2] * v[3] - v[0] * v[5], v[0] * v[4] - v[1] * v[3]];
        let at = |frame: usize| -> Vec<f64> { frames.position(frame).iter().map(number).collect() };
        let (first, last, step) = (at(0), at(frames.shape()[2] - 1), number(&frames.frame_spacing()));
        for axis in 0..3 {
            let expected = first[axis] + normal[axis] * step * (frames.shape()[2] - 1) as f64;
            assert!((last[axis] - expected).abs() < 1e-6, "{what}: {last:?}");
        }
    }

    #[test]
    fn an_upright_grid_is_transverse() {
        // As NIfTI often has it: to the right, to the front and to the head.
        let frames = Frames::of(&volume(turned(0.0, 0.0, 1.0))).expect("a good grid");
        assert_eq!(frames.orientation(), ["1", "0", "0", "0", "1", "0"]);
        assert_eq!(frames.pixel_spacing(), ["3", "2"]);
        assert_eq!(frames.position(0), ["-15", "-2", "123"]);
        assert_eq!(frames.offsets(), ["0", "4", "8", "12", "16"]);
    }
}
