//! Which voxel belongs to which organ.

use super::{Invalid, Volume};

/// How far a label may lie from a whole number: interpolation in single precision leaves 7013.9995 of 7014.
const WHOLE_TOLERANCE: f64 = 1e-3;
/// What some programs write where there is no organ.
const NO_ORGAN: f64 = -1.0;

/// The organ of each voxel, by number; 0 belongs to none.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMap(Volume<u16>);

impl LabelMap {
    /// * `map` – one label a voxel, a whole number from 0 to 65535 within 1e-3; −1 is taken as 0
    ///
    /// # Errors
    /// If a value is no such number.
    pub fn new<T: Copy + Into<f64>>(map: &Volume<T>) -> Result<Self, Invalid> {
        let values = map.as_slice();
        if let Some(first) = values.iter().position(|&v| label_of(v.into()).is_none()) {
            let count = values.iter().filter(|&&v| label_of(v.into()).is_none()).count();
            let value: f64 = values[first].into();
            let hint = if value.fract() == 0.0 || !value.is_finite() {
                ""
            } else {
                "; was the map interpolated, or saved with a slope? Save it as whole numbers"
            };
            return Err(Invalid::new(format!(
                "a label is a whole number from 0 to 65535: value {first} is {value}, one of {count} such{hint}"
            )));
        }
        Ok(Self(map.map(|&v| label_of(v.into()).expect("checked above"))))
    }

    /// * `labels` – label of each voxel
    pub fn of(labels: Volume<u16>) -> Self {
        Self(labels)
    }

    /// Label of each voxel.
    pub fn labels(&self) -> &Volume<u16> {
        &self.0
    }

    /// The labels there are, rising, without 0.
    pub fn present(&self) -> Vec<u16> {
        let mut seen = vec![false; usize::from(u16::MAX) + 1];
        self.0.as_slice().iter().for_each(|&label| seen[usize::from(label)] = true);
        (1..=u16::MAX).filter(|&label| seen[usize::from(label)]).collect()
    }
}

/// The label that a value stands for; none if it is no label.
fn label_of(value: f64) -> Option<u16> {
    let whole = value.round();
    if (value - whole).abs() > WHOLE_TOLERANCE || !value.is_finite() {
        return None;
    }
    if whole == NO_ORGAN {
        return Some(0);
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of the range")]
    (0.0..=f64::from(u16::MAX)).contains(&whole).then_some(whole as u16)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::VoxelGrid;

    fn map(values: Vec<f32>) -> Volume<f32> {
        let grid = VoxelGrid::new([values.len() as u64, 1, 1], [1.0; 3]).expect("a good grid");
        Volume::from_vec(Arc::new(grid), values).expect("as many values as voxels")
    }

    #[test]
    fn labels_are_whole_numbers() {
        let labels = LabelMap::new(&map(vec![7.0, 0.0, 2.0, 7.0, 65535.0])).expect("good labels");
        assert_eq!(labels.present(), [2, 7, 65535]);
        for bad in [0.5, 0.963, -2.0, 65536.0, f32::NAN, f32::INFINITY] {
            let Invalid(reason) = LabelMap::new(&map(vec![1.0, bad])).expect_err("no label");
            assert!(reason.contains("value 1"), "{reason}");
        }
    }

    #[test]
    fn labels_that_are_nearly_whole_are_rounded() {
        let labels = LabelMap::new(&map(vec![7013.9995, -1.0, 1.0009, -0.0005])).expect("good labels");
        assert_eq!(labels.labels().as_slice(), [7014, 0, 1, 0]);
        assert!(LabelMap::new(&map(vec![1.0012])).is_err());
    }
}
