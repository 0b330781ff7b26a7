//! The organ of each voxel.

use super::{Invalid, Volume};

/// The organ of each voxel, by number; 0 belongs to none.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelMap(Volume<u16>);

impl LabelMap {
    /// * `map` – one label a voxel, a whole number from 0 to 65535
    ///
    /// # Errors
    /// If a value is anything else.
    pub fn new(map: &Volume<f32>) -> Result<Self, Invalid> {
        let values = map.as_slice();
        let is_label = |&v: &f32| v.fract() == 0.0 && (0.0..=f32::from(u16::MAX)).contains(&v);
        if let Some(first) = values.iter().position(|v| !is_label(v)) {
            let count = values.iter().filter(|v| !is_label(v)).count();
            return Err(Invalid::new(format!(
                "a label is a whole number from 0 to 65535: value {first} is {}, one of {count} such",
                values[first]
            )));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
        Ok(Self(map.map(|&v| v as u16)))
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
        for bad in [0.5, -1.0, 65536.0, f32::NAN, f32::INFINITY] {
            let Invalid(reason) = LabelMap::new(&map(vec![1.0, bad])).expect_err("no label");
            assert!(reason.contains("value 1"), "{reason}");
        }
    }
}
