//! What a caller says of the volumes it sends, not yet checked.

use crate::domain::Part;
use crate::request::{RawHeader, RawVolume};

/// A header whose volumes may have grids and values of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawIntake {
    /// The request; its volumes may be on other grids than that of the dose.
    pub header: RawHeader,
    /// A CT in place of the density [HU].
    pub ct: Part<RawVolume>,
    /// Points of its calibration, CT number [HU] and density [g/cm³]; empty: Schneider 2000.
    pub ct_calibration: Vec<[f64; 2]>,
    /// Organs, each in a volume of its own.
    pub organ_volumes: Vec<RawOrganVolume>,
    /// Names of labels.
    pub label_names: Vec<(u32, String)>,
    /// The grid of the dose. Not given: that of the activity, and no map is resampled.
    pub dose_grid: Part<RawDoseGrid>,
    /// From points of the activity to those of the CT [mm], row by row; empty: none.
    pub activity_to_ct_mm: Vec<f64>,
    /// Part of the activity that may lie outside the CT or density.
    pub max_activity_outside: Option<f64>,
    /// What to do with NaN, by the words of [`crate::domain::NanRule`].
    pub nan: Option<String>,
    /// What to do with values below 0, by the words of [`crate::domain::NegativeRule`].
    pub negative: Option<String>,
    /// Whether the dose is wanted on the grid of the CT or density too.
    pub return_dose_on_ct: bool,
    /// Points of a dose-volume histogram for each organ.
    pub dose_volume_points: Option<u32>,
}

/// An organ of its own volume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawOrganVolume {
    /// The part of each voxel that belongs to it.
    pub volume: Part<RawVolume>,
    /// Its label.
    pub label: u32,
}

/// The grid of the dose.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RawDoseGrid {
    /// Given, but not which.
    Unspecified,
    /// That of the activity.
    Activity,
    /// That of the CT or density.
    Ct,
    /// Cubes of this edge [mm].
    Spacing(f64),
}

/// Every path by which [`RawIntake::check`] can name a fault beside those of [`crate::request::paths`], as
/// [`crate::request::pattern`] writes it; without the points of histograms, which no file asks for.
pub fn paths() -> &'static [&'static str] {
    &[
        "ct",
        "ct_calibration",
        "ct_calibration[]",
        "organ_volumes",
        "organ_volumes[].label",
        "organ_volumes[].volume",
        "label_names",
        "dose_grid",
        "dose_grid.spacing_mm",
        "activity_to_ct_mm",
        "max_activity_outside",
        "value_repair.nan",
        "value_repair.negative",
        "return_dose_on_ct",
    ]
}
