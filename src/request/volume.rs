//! What is said of a volume, as a caller wrote it.

use super::{MISSING, RawGrid};
use crate::domain::{Checks, ElementType, Invalid, VolumeHeader, VoxelGrid};

/// The header of a volume that is not yet checked. `value = stored × slope + intercept`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawVolume {
    /// Where the voxels are.
    pub grid: Option<RawGrid>,
    /// How a value is stored, by the name of an [`ElementType`].
    pub element_type: Option<String>,
    /// Not given: 1.
    pub slope: Option<f64>,
    /// Not given: 0.
    pub intercept: Option<f64>,
    /// Bytes of all values, if the caller says it: to be compared with shape and element type.
    pub size_bytes: Option<u64>,
    /// Whether it is named as one that the server keeps, in a call that takes none.
    pub is_stored: bool,
}

impl From<&VoxelGrid> for RawVolume {
    /// A volume in single precision.
    fn from(grid: &VoxelGrid) -> Self {
        let element_type = Some(ElementType::Float32.name().to_owned());
        Self { grid: Some(grid.into()), element_type, ..Self::default() }
    }
}

impl RawVolume {
    /// The header of the volume; none if a fault was recorded.
    pub fn resolve(self, field: &str, checks: &mut Checks) -> Option<VolumeHeader> {
        if self.is_stored {
            checks.fail(
                format!("{field}.digest"),
                "this call takes no volume that is kept: leave it out, and send the values",
            );
        }
        let grid = RawGrid::resolve(self.grid, &format!("{field}.grid"), checks);
        let element = checks.at(format!("{field}.element_type"), element_type(self.element_type.as_deref()));
        let (slope, intercept) = (self.slope.unwrap_or(1.0), self.intercept.unwrap_or(0.0));
        // If one of these is at fault, the grid is still compared with others.
        let slope = checks.at(format!("{field}.slope"), VolumeHeader::check_slope(slope)).map_or(1.0, |()| slope);
        let good = checks.at(format!("{field}.intercept"), VolumeHeader::check_intercept(intercept));
        let intercept = good.map_or(0.0, |()| intercept);
        let volume = VolumeHeader { grid: grid?, element: element?, slope, intercept };
        let expected = volume.size_bytes();
        if let Some(size) = self.size_bytes.filter(|size| *size != expected) {
            checks.fail(format!("{field}.size_bytes"), format!("is {size}, shape and element type say {expected}"));
        }
        Some(volume)
    }
}

fn element_type(name: Option<&str>) -> Result<ElementType, Invalid> {
    let name = name.ok_or_else(|| Invalid::new(MISSING))?;
    let known = ElementType::ALL.into_iter().find(|element| element.name() == name);
    known.ok_or_else(|| Invalid::new(format!("is not a known element type: {name}")))
}
